"""The table of model kinds by training loops on the backend that KERAS_BACKEND names: a line of JSON for each row.

KERAS_BACKEND=jax python pruning_table.py [kind ...]
"""

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import keras
import model_kinds
import numpy as np
import training_loops
from training_loops import Training

from sparsetool.prune import PolynomialDecay, Pruner

TARGET = 0.6
FOR_VARIANTS = "regularized, normalized, dropout"

# On JAX and torch: one of each family.
ELSEWHERE = (
    "sequential",
    "functional, two inputs",
    "subclassed",
    "nested",
    "shared layer",
    "custom layer",
    "constraint of the user's",
    "MultiHeadAttention",
    "Embedding",
    "Conv2D",
    "DepthwiseConv2D",
    "LSTM",
    "GRU",
)


def rows(kinds: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Run every row of the table for this backend."""
    backend = keras.backend.backend()
    for kind in kinds:
        for name, loop in training_loops.LOOPS.items():
            yield row(kind, name, loop)
    for name, loop in {**training_loops.VARIANTS, **training_loops.NATIVE.get(backend, {})}.items():
        if (backend, name) not in UNAVAILABLE:
            yield row(FOR_VARIANTS, name, loop)


# What Keras itself cannot do: a row of the table that would only measure Keras.
UNAVAILABLE: set[tuple[str, str]] = {("torch", "steps_per_execution 4")}


def row(kind: str, loop_name: str, loop: Callable[[Training], None]) -> dict[str, Any]:
    """Train one model by one loop, pruned to TARGET on the way, and tell what was seen."""
    keras.utils.set_random_seed(5)
    policy = loop_name if loop_name in training_loops.POLICIES else "float32"
    keras.config.set_dtype_policy(policy)
    model = model_kinds.KINDS[kind]()
    keras.config.set_dtype_policy("float32")
    x, y = model_kinds.samples(model)
    schedule = PolynomialDecay(0.2, TARGET, begin_step=8, end_step=40, frequency=8)
    pruners: list[Pruner] = []
    leaks = 0

    def prune(**options: Any) -> Pruner:
        pruners.append(Pruner(model, schedule, **options))
        return pruners[0]

    def after_step() -> None:
        nonlocal leaks
        for chosen, mask in zip(pruners[0].selection.pruned, pruners[0].masks, strict=True):
            pruned = _values(chosen.variable)[~_values(mask).astype(bool)]
            leaks += int(np.count_nonzero(pruned) + np.count_nonzero(np.signbit(pruned)))

    before = _loss(model, x, y)
    loop(Training(model, (x, y), prune, after_step))
    pruner = pruners[0]
    report = pruner.check()
    pruner.strip()
    return {
        "kind": kind,
        "loop": loop_name,
        "pruned": len(report),
        "left_alone": len(pruner.selection.skipped),
        "zeros": [variable.zeros for variable in report],
        "asked": [variable.target_zeros for variable in report],
        "leaks": leaks,
        "loss_before": before,
        "loss_after": _loss(model, x, y),
    }


def _loss(model: keras.Model, x: model_kinds.Inputs, y: np.ndarray) -> float:
    logits = keras.ops.convert_to_tensor(model.predict(x, verbose=0), "float32")
    return float(training_loops.loss_function()(y, logits))


def _values(variable: keras.Variable) -> np.ndarray:
    return np.asarray(variable.numpy())


def main() -> None:
    everything = list(model_kinds.KINDS) if keras.backend.backend() == "tensorflow" else list(ELSEWHERE)
    for found in rows(sys.argv[1:] or everything):
        sys.stdout.write(json.dumps(found) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
