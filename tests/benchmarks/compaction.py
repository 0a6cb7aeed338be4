"""What removing dead channels takes, and what a published model gains by it.

The model is MediaPipe's hand landmark model, which must be in the cache of tests/published/fetch.py or come from there.
"""

import importlib.util
import statistics
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from figures import Figure, median_ratio, seconds
from file_time import LAYERS, copy_by_objects
from measured_models import fully_connected

from sparsetool_converters.model import Model
from sparsetool_converters.passes import Compact

PUBLISHED = "hand_landmark_full.tflite"
ROUNDS = 5
LATENCY_ROUNDS = 60
THREADS = 1


def measure(folder: Path) -> list[Figure]:
    source, destination = folder / "dense.tflite", folder / "written.tflite"
    fully_connected(LAYERS, zeros=0.9).save(source)

    def ours() -> None:
        compact_file(source, destination)

    def theirs() -> None:
        copy_by_objects(source, destination)

    what = "read, look for dead channels and write 100 MB, over the object API"
    figures = [Figure(name=what, value=median_ratio(ours, theirs, ROUNDS), unit="x", limit=2.5)]
    source.unlink()
    return figures + latency(_published(), destination)


def latency(source: Path, compacted: Path) -> list[Figure]:
    """Bytes and time of one inference, each round with both models, one behind the other."""
    compact_file(source, compacted)
    times = []
    for path in (source, compacted):
        interpreter = Interpreter(model_path=str(path), num_threads=THREADS)
        interpreter.allocate_tensors()
        for details in interpreter.get_input_details():
            values = np.random.default_rng(0).random(details["shape"], np.float32)
            interpreter.set_tensor(details["index"], values)
        times.append(interpreter.invoke)
    rounds = [[seconds(invoke) for invoke in times] for _ in range(LATENCY_ROUNDS + 5)][5:]  # the first warm up
    before, after = (list(column) for column in zip(*rounds, strict=True))
    ratios = [b / a for a, b in rounds]
    low, _, high = statistics.quantiles(ratios, n=4)
    ratio = statistics.median(after) / statistics.median(before)
    return [
        Figure(name=f"{PUBLISHED}: disk size, compacted over original", value=_ratio(compacted, source), unit="x"),
        Figure(name="its latency, one thread, original", value=1000 * statistics.median(before), unit="ms"),
        Figure(name="the same, compacted, taken turn by turn", value=1000 * statistics.median(after), unit="ms"),
        Figure(name="compacted over original, medians", value=ratio, unit="x", limit=1.0),
        Figure(name="the same, lower quartile of the rounds", value=low, unit="x"),
        Figure(name="the same, upper quartile of the rounds", value=high, unit="x"),
    ]


def compact_file(source: Path, destination: Path) -> None:
    model = Model.from_file(source)
    Compact()(model)
    model.save(destination)


def _ratio(one: Path, other: Path) -> float:
    return one.stat().st_size / other.stat().st_size


def _published() -> Path:
    path = Path(__file__).parents[1] / "published" / "fetch.py"
    spec = importlib.util.spec_from_file_location("published_fetch", path)
    assert spec is not None
    assert spec.loader is not None
    fetch: ModuleType = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = fetch
    spec.loader.exec_module(fetch)
    found: Path = fetch.fetch(fetch.published_models()[PUBLISHED])
    return found
