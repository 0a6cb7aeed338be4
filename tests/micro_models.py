"""Models for the micro runtime that have more than one operator, and what it answers to them."""

import tempfile
from pathlib import Path

import numpy as np
import numpy.typing as npt
from ai_edge_litert import schema_py_generated as schema
from models_in_memory import Graph, new_model, packed

from sparsetool.verify import FinishedRun, KernelSet, RandomSamples, Run, run_model
from sparsetool_converters.model import Model
from sparsetool_converters.passes import EncodeSparse
from sparsetool_converters.plan import make_plan
from sparsetool_converters.targets import TFLM


def pruned(shape: tuple[int, ...], *, zeros: float = 0.8, seed: int = 3) -> npt.NDArray[np.float32]:
    """Normal values, exactly this share of them zero."""
    rng = np.random.default_rng(seed)
    values = rng.normal(size=shape).astype(np.float32)
    values.reshape(-1)[rng.permutation(values.size)[: round(zeros * values.size)]] = 0.0
    return values


def decoded(data: bytes) -> bytes:
    """The model with its weights stored for TFLM_DECODE; some must be."""
    model = Model.from_bytes(data)
    plan = make_plan(model, TFLM)
    assert plan.encoded(), [d.reason for d in plan.decisions]  # type: ignore[union-attr]
    EncodeSparse(plan)(model)
    return model.to_bytes()


def micro_run(data: bytes, n_samples: int = 3) -> Run:
    """How a model does on the micro runtime, on random samples."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model.tflite")
        path.write_bytes(data)
        return run_model(path, RandomSamples(n_samples=n_samples), KernelSet.MICRO, timeout_s=60)


def micro_answers(data: bytes) -> list[bytes]:
    """The bytes of its outputs."""
    run = micro_run(data)
    assert isinstance(run, FinishedRun), run
    return [output.values.tobytes() for output in run.outputs]


def one_weight_of_two_operators() -> bytes:
    """y = w (w x), the same constant twice."""
    model = new_model()
    graph = Graph(model)
    x, h, y = (graph.tensor(name, (1, 64)) for name in "xhy")
    w = graph.constant("w", pruned((64, 64)))
    graph.fully_connected(x, w, -1, h)
    graph.fully_connected(h, w, -1, y)
    graph.ends([x], [y])
    return packed(model)


def two_branches() -> bytes:
    """y = x > 0 ? a x : b x, each branch a subgraph with a weight of its own."""
    model = new_model()
    main = Graph(model)
    x, zero, y = (
        main.tensor("x", (1, 64)),
        main.constant("zero", np.zeros((1, 1), np.float32)),
        main.tensor("y", (1, 64)),
    )
    first, condition = main.tensor("first", (1, 1)), main.tensor("condition", (1, 1), "bool")
    begin, size = (main.constant(n, np.array(v, np.int32)) for n, v in (("begin", [0, 0]), ("size", [1, 1])))
    main.op(schema.BuiltinOperator.SLICE, [x, begin, size], [first], schema.SliceOptionsT())
    main.op(schema.BuiltinOperator.GREATER, [first, zero], [condition], schema.GreaterOptionsT())
    flag, shape = main.tensor("flag", (1,), "bool"), main.constant("shape", np.array([1], np.int32))
    main.op(schema.BuiltinOperator.RESHAPE, [condition, shape], [flag], schema.ReshapeOptionsT(newShape=[1]))
    main.op(schema.BuiltinOperator.IF, [flag, x], [y], schema.IfOptionsT(thenSubgraphIndex=1, elseSubgraphIndex=2))
    main.ends([x], [y])
    for branch in range(2):
        graph = Graph(model)
        x, y = graph.tensor(f"x{branch}", (1, 64)), graph.tensor(f"y{branch}", (1, 64))
        graph.fully_connected(x, graph.constant(f"w{branch}", pruned((64, 64), seed=branch)), -1, y)
        graph.ends([x], [y])
    return packed(model)


def two_weights_of_one_operator() -> bytes:
    """y = a b for two constants, which one TFLM_DECODE must unpack together."""
    model = new_model()
    graph = Graph(model)
    x, product, y = graph.tensor("x", (64, 64)), graph.tensor("ab", (64, 64)), graph.tensor("y", (64, 64))
    a, b = (graph.constant(name, pruned((64, 64), seed=i)) for i, name in enumerate("ab"))
    graph.op(schema.BuiltinOperator.BATCH_MATMUL, [a, b], [product], schema.BatchMatMulOptionsT())
    graph.op(schema.BuiltinOperator.ADD, [product, x], [y], schema.AddOptionsT())
    graph.ends([x], [y])
    return packed(model)


def of_one_operator(op: int, dtype: str = "float32", custom: bytes | None = None) -> bytes:
    """y = op(x), without options."""
    model = new_model()
    graph = Graph(model)
    x, y = graph.tensor("x", (1, 4), dtype), graph.tensor("y", (1, 4), dtype)
    graph.op(op, [x], [y], custom=custom)
    graph.ends([x], [y])
    return packed(model)
