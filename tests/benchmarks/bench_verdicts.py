"""What `bench` decides while others use the machine: equal models 20 times each, and a sparse one against its twin.

All quantities are decided at 1 % together, so two wrong ones of 20 are chance alone in at most one of 50 runs.
"""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt
from ai_edge_litert import schema_py_generated as schema
from figures import Figure

from sparsetool.pipeline.benching import bench_models
from sparsetool.report.bench_record import BenchRecord
from sparsetool_converters.model import Model
from sparsetool_converters.passes import EncodeSparse
from sparsetool_converters.plan import make_plan
from sparsetool_converters.targets import LITERT
from sparsetool_converters.targets.cases.graphs import Graph, new_model, packed

COMPARISONS = 20
MOST_WRONG = 1  # 19 of 20 say that there is no difference
TIME_S = 8.0
SPARSE_AT_LEAST = 3.0  # times as fast; 4 to 11 were measured on this kernel
BUSY = "import numpy as np\nrng = np.random.default_rng(0)\na = rng.random((1500, 1500), np.float32)\nwhile True: a @ a"


@dataclass(frozen=True)
class Network:
    """Layers of FULLY_CONNECTED, by the lengths of what lies between them."""

    name: str
    lengths: tuple[int, ...]


NETWORKS = (
    Network("of microseconds", (16, 32, 10)),
    Network("of tenths of a millisecond", (784, 1024, 512, 10)),
    Network("of milliseconds", (2048, 2048, 2048, 2048, 2048)),
)


def measure(folder: Path) -> list[Figure]:
    figures = []
    for load in (0, 2):
        with busy(load):
            figures += [_self_comparisons(network, load) for network in NETWORKS]
            figures.append(_sparse(load))
    return figures


@contextmanager
def busy(processes: int) -> Iterator[None]:
    """So many other processes that multiply matrices."""
    others = [subprocess.Popen([sys.executable, "-c", BUSY]) for _ in range(processes)]
    try:
        yield
    finally:
        for other in others:
            other.kill()
            other.wait()


def _self_comparisons(network: Network, load: int) -> Figure:
    model = dense(network.lengths, zeros=0.0)
    wrong = sum(
        any(ratio.verdict != "no difference" for ratio in _bench(model, model).ratios) for _ in range(COMPARISONS)
    )
    return Figure(
        name=f"of {COMPARISONS} comparisons of a model {network.name} with itself, beside {load} busy processes, wrong",
        value=wrong,
        unit="",
        limit=MOST_WRONG,
    )


def _sparse(load: int) -> Figure:
    reference = dense(NETWORKS[-1].lengths, zeros=0.9)
    model = Model.from_bytes(reference)
    EncodeSparse(make_plan(model, LITERT))(model)
    (steady,) = (ratio for ratio in _bench(reference, model.to_bytes()).ratios if ratio.quantity == "steady_ms")
    faster = 1 / steady.ratio if steady.verdict == "smaller" else 1.0
    return Figure(
        name=f"FULLY_CONNECTED of 2048x2048 in 1x4, 90% zeros, beside {load} busy processes, faster than dense",
        value=faster,
        unit="x",
        least=SPARSE_AT_LEAST,
    )


def _bench(reference: bytes, candidate: bytes) -> BenchRecord:
    return bench_models(reference, candidate, names=("reference", "candidate"), time_s=TIME_S)


def dense(lengths: tuple[int, ...], *, zeros: float) -> bytes:
    """Float32 layers whose zeros come in blocks of 1x4."""
    rng = np.random.default_rng(0)
    model = new_model()
    graph = Graph(model)
    x = first = graph.tensor("x", (1, lengths[0]))
    for layer, (inputs, outputs) in enumerate(pairwise(lengths)):
        weight: npt.NDArray[np.float32] = rng.standard_normal((outputs, inputs), np.float32) / np.sqrt(inputs)
        keep = np.repeat(rng.random((outputs, inputs // 4)) >= zeros, 4, axis=1) if zeros else True
        w = graph.constant(f"w{layer}", np.where(keep, weight, 0).astype(np.float32))
        y = graph.tensor(f"y{layer}", (1, outputs))
        graph.op(schema.BuiltinOperator.FULLY_CONNECTED, [x, w, -1], [y], schema.FullyConnectedOptionsT())
        x = y
    graph.ends([first], [x])
    return packed(model)
