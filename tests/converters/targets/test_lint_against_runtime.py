"""What the lint passes runs right, and what it warns of does not: measured on combinations drawn at random."""

from dataclasses import dataclass
from functools import cache

import numpy as np

from sparsetool.verify import ALL_KERNEL_SETS, KernelSet
from sparsetool.verify.trials import Trial, run_trials
from sparsetool_converters.model import Model
from sparsetool_converters.sparsity import BlockFormat, block_csr
from sparsetool_converters.targets import LITERT, Outcome, Severity, WeightUse
from sparsetool_converters.targets.cases.litert_right import build_twins
from sparsetool_converters.targets.cases.litert_wrong import LAYOUTS
from sparsetool_converters.targets.cases.operators import WEIGHT_SHAPES
from sparsetool_converters.targets.lint import UNKNOWN, Finding, lint

DRAWS = 160
TABLES = ("EMBEDDING_LOOKUP", "UNIDIRECTIONAL_SEQUENCE_LSTM", "LSTM")
SHAPES = ((48, 96), (64, 64), (16, 160))


@dataclass(frozen=True)
class Draw:
    """One combination, what the lint says of it, and what came of it."""

    text: str
    findings: tuple[Finding, ...]
    trials: dict[KernelSet, Trial]

    @property
    def errors(self) -> list[Finding]:
        return [finding for finding in self.findings if finding.severity is Severity.ERROR]

    @property
    def outcomes(self) -> set[Outcome]:
        return {trial.outcome for trial in self.trials.values()}


@cache
def draws() -> list[Draw]:
    rng = np.random.default_rng(17)
    combinations = {str(c): c for c in (one(rng) for _ in range(DRAWS))}
    pairs = [build_twins(**c) for c in combinations.values()]  # type: ignore[arg-type]
    results = run_trials(pairs, ALL_KERNEL_SETS)
    return [
        Draw(text, lint(Model.from_bytes(sparse), LITERT), trials)
        for text, (_, sparse), trials in zip(combinations, pairs, results, strict=True)
    ]


def one(rng: np.random.Generator) -> dict[str, object]:
    """An operator, types, a way of storing and options; half of them FULLY_CONNECTED, which has most rules."""
    names = list(WEIGHT_SHAPES)
    op = "FULLY_CONNECTED" if rng.random() < 0.5 else str(rng.choice(names))
    types = [("FLOAT32", "FLOAT32", False), ("FLOAT16", "FLOAT32", True), ("INT8", "FLOAT32", True)]
    types += [("INT8", "FLOAT32", False)] * (op != "GATHER")
    types += [("INT8", "INT8", False)] * (op not in TABLES)
    types += [("INT8", "INT16", False)] * (op == "FULLY_CONNECTED")
    weight, activation, dequantized = types[rng.integers(len(types))]
    shape = SHAPES[rng.integers(len(SHAPES))] if op == "FULLY_CONNECTED" else WEIGHT_SHAPES[op]
    return {
        "use": WeightUse(op=op, weight=weight, activation=activation, dequantized=dequantized),
        "layout": layout(rng, len(shape)),
        "densify": bool(rng.random() < 0.5),
        "version": [None, 8, 8, 1, 12][rng.integers(5)] if op == "FULLY_CONNECTED" else None,
        "fused": ["NONE", "RELU", "RELU6", "TANH"][rng.integers(4)] if op.endswith("CONV_2D") else "NONE",
        "per_channel": bool(rng.random() < 0.5),
        "asymmetric": bool(rng.random() < 0.7),
        "shape": shape,
    }


def layout(rng: np.random.Generator, rank: int) -> BlockFormat:
    if rank == 2:
        known = [LAYOUTS[name] for name in LAYOUTS if name != "nothing compressed"]  # those read right by chance
        return known[rng.integers(len(known))]
    plain = block_csr((1, int(rng.choice([1, 4, 8]))), rank)
    order = (*(int(d) for d in rng.permutation(rank)), *plain.traversal_order[rank:])
    return BlockFormat(
        traversal_order=order, formats=plain.formats, block_map=plain.block_map, block_shape=plain.block_shape
    )


def test_what_passes_without_a_finding_runs_right() -> None:
    passed = [draw for draw in draws() if not draw.findings]
    assert len(passed) > 30
    assert not [draw for draw in passed if draw.outcomes != {Outcome.RIGHT}]


def test_what_passes_with_a_warning_runs_right_or_rounds_otherwise() -> None:
    warned = [draw for draw in draws() if draw.findings and not draw.errors]
    assert warned
    assert not [draw for draw in warned if not draw.outcomes <= {Outcome.RIGHT, Outcome.ROUGHLY}]


def test_what_is_found_wrong_is_wrong_on_some_kernel_set() -> None:
    wrong = [draw for draw in draws() if draw.errors]
    assert len(wrong) > 30
    assert not [draw for draw in wrong if UNKNOWN in {f.name for f in draw.errors}]
    assert not [draw for draw in wrong if draw.outcomes == {Outcome.RIGHT}]


def test_a_single_finding_says_what_comes_of_it_on_each_kernel_set() -> None:
    for draw in draws():
        if len(draw.findings) == 1 and draw.findings[0].outcomes is not None:
            expected = {k: draw.findings[0].outcomes.on(k) for k in ALL_KERNEL_SETS}
            assert {k: t.outcome is Outcome.RIGHT for k, t in draw.trials.items()} == {
                k: outcome is Outcome.RIGHT for k, outcome in expected.items()
            }, draw
