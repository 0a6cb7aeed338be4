"""Read, encode and write 100 MB, against the schema's generated object API, which only reads and writes."""

from pathlib import Path

import flatbuffers
from ai_edge_litert import schema_py_generated as schema
from figures import Figure, median_ratio
from measured_models import WEIGHT_BYTES, fully_connected

from sparsetool_converters.model import Model
from sparsetool_converters.passes import EncodeSparse
from sparsetool_converters.plan import make_plan
from sparsetool_converters.targets import LITERT

LAYERS = 100_000_000 // WEIGHT_BYTES + 1
PATTERNS = ((0.7, 1), (0.9, 1), (0.8, 4))  # share of zeros, length of their runs
ROUNDS = 5


def measure(folder: Path) -> list[Figure]:
    figures = []
    source, destination = folder / "dense.tflite", folder / "written.tflite"
    for zeros, block in PATTERNS:
        fully_connected(LAYERS, zeros=zeros, block=block).save(source)

        def ours() -> None:
            encode_file(source, destination)

        def theirs() -> None:
            copy_by_objects(source, destination)

        figures.append(
            Figure(
                name=f"read, plan, encode and write 100 MB, {zeros:.0%} zeros in runs of {block}, over the object API",
                value=median_ratio(ours, theirs, ROUNDS),
                unit="x",
                limit=2.5,
            )
        )
    return figures


def encode_file(source: Path, destination: Path) -> None:
    model = Model.from_file(source)
    EncodeSparse(make_plan(model, LITERT))(model)
    model.save(destination)


def copy_by_objects(source: Path, destination: Path) -> None:
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(source.read_bytes(), 0))
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    destination.write_bytes(builder.Output())
