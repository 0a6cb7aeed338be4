"""Pruned models as a recipe makes them, from the results of `make demo`."""

import os
from dataclasses import dataclass
from pathlib import Path

from block_models import blocks_pruned

from sparsetool_converters.model import Model
from sparsetool_converters.passes import Densify
from sparsetool_converters.passes.quantize import Quantization, Quantize

RUNS = Path(__file__).parents[2] / "models" / "mnist_cnn" / "runs"


@dataclass(frozen=True, kw_only=True)
class WireModels:
    """The MNIST model in the forms that sizes are measured of.

    Attributes:
        float32: pruned to 90 %, single weights, stored dense.
        float32_encoded: the same, encoded.
        int8: quantized, before compaction, stored dense.
        int8_encoded: the same, encoded.
        int8_compacted: quantized after compaction, as shipped.
        blocks: float32 in blocks of 1x16.
        int8_blocks: the same with weights in int8.
    """

    float32: bytes
    float32_encoded: bytes
    int8: bytes
    int8_encoded: bytes
    int8_compacted: bytes
    blocks: bytes
    int8_blocks: bytes


def wire_models(folder: Path) -> WireModels:
    """Read what `make demo` made, from SPARSETOOL_DEMO or its newest run, and make the rest in `folder`."""
    demo = _demo()
    blocks = folder / "blocks.tflite"
    blocks_pruned(demo / "dense.tflite", blocks)
    quantized = Model.from_file(blocks)
    Quantize(Quantization.DYNAMIC)(quantized)
    int8_encoded = (demo / "int8-uncompacted.tflite").read_bytes()
    int8 = Model.from_bytes(int8_encoded)
    Densify()(int8)
    return WireModels(
        float32=(demo / "pruned.tflite").read_bytes(),
        float32_encoded=(demo / "pruned-encoded.tflite").read_bytes(),
        int8=int8.to_bytes(),
        int8_encoded=int8_encoded,
        int8_compacted=(demo / "int8.tflite").read_bytes(),
        blocks=blocks.read_bytes(),
        int8_blocks=quantized.to_bytes(),
    )


def _demo() -> Path:
    if "SPARSETOOL_DEMO" in os.environ:
        return Path(os.environ["SPARSETOOL_DEMO"])
    made = sorted(RUNS.glob("*/int8-uncompacted.tflite"), key=lambda path: path.stat().st_mtime)
    if not made:
        raise FileNotFoundError(f"no results of the demo in {RUNS}: run make demo first, or set SPARSETOOL_DEMO")
    return made[-1].parent
