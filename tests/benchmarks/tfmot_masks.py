"""Our masks against those of TFMOT 0.8.1 for the same weights, schedule and step: elements that differ and are no ties.

TFMOT keeps every weight whose score is its threshold, so more than it was asked for where there are several; we keep
the exact number. So an element may differ if its score is the threshold, as long as we keep one with that score: then
we have the same threshold, and the rest is which of its equals stay. Each case goes through several steps of its
schedule, from weights that TFMOT's mask of the step before has pruned and that have drifted since.

TFMOT runs as it is written, in eager mode. Compiled, TensorFlow divides by multiplying and takes a power of 3 for two
products, so that the sparsity of a PolynomialDecay can be another float32, and one unit more or less is kept where the
count is a half: there TFMOT differs from itself, and how often is told.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from figures import Figure
from peer_environment import NoEnvironmentError
from tfmot_process import run_tfmot

from sparsetool import prune
from sparsetool.prune import Block, ConstantSparsity, PolynomialDecay

SEED = 20
RANDOM_CASES = 200  # of each kind
STEPS = 6  # refreshes of a case, at most
KINDS = ("1x1", "AVG", "MAX")
MNIST_KERNELS = ((5, 5, 1, 32), (5, 5, 32, 64), (3136, 1024), (1024, 10))
MNIST_BLOCKS = {3136 * 1024: ((1, 4), (1, 16), (4, 1), (16, 4)), 1024 * 10: ((1, 16), (2, 4), (5, 1))}  # by size
LARGEST_AXIS = {2: 96, 4: 12}  # of a random shape, by its number of axes

Weights = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]
Pooling = Literal["AVG", "MAX"]


@dataclass(frozen=True, kw_only=True)
class Case:
    """Weights and what prunes them.

    Attributes:
        kind: "1x1", or how the magnitudes of a block are pooled.
        first: the weights before the first step, a kernel in the layout of Keras.
        drift: added to what is left after each step.
        schedule: ours; TFMOT's has the same name and arguments.
        block_size: (r, c), outputs by inputs.
    """

    kind: str
    first: Weights
    drift: Weights
    schedule: ConstantSparsity | PolynomialDecay
    block_size: tuple[int, int] = (1, 1)

    @property
    def pooling(self) -> Pooling:
        return "MAX" if self.kind == "MAX" else "AVG"

    @property
    def looked_at(self) -> int:
        """How many steps to compare the schedules at, past its end."""
        return max(self.schedule.begin_step, self.schedule.end_step) + 2 * self.schedule.frequency + 2

    @property
    def steps(self) -> list[int]:
        """Some that refresh masks, the first and the last among them."""
        due = [step for step in range(self.looked_at) if self.schedule.should_prune(step)]
        return sorted({due[round(i)] for i in np.linspace(0, len(due) - 1, STEPS)})

    def for_tfmot(self) -> dict[str, Any]:
        return {
            "schedule": {"type": type(self.schedule).__name__, **asdict(self.schedule)},
            "block_size": self.block_size[::-1],  # on the layout of Keras: inputs by outputs
            "block_pooling_type": self.pooling,
            "steps": self.steps,
            "looked_at": self.looked_at,
        }


def measure(folder: Path) -> list[Figure]:
    cases = [*_random_cases(np.random.default_rng(SEED)), *_mnist_cases(np.random.default_rng(SEED))]
    (folder / "cases.json").write_text(json.dumps([case.for_tfmot() for case in cases]), encoding="utf-8")
    arrays = {f"first_{i}": case.first for i, case in enumerate(cases)}
    np.savez(folder / "weights.npz", **arrays, **{f"drift_{i}": case.drift for i, case in enumerate(cases)})
    try:
        run_tfmot("masks", folder)
    except NoEnvironmentError as error:
        return [Figure(name=f"masks against TFMOT's, not measured: {error}", value=None, unit="", limit=0)]
    with np.load(folder / "masks.npz") as theirs:
        compared = [(case, *_compared(case, theirs, i)) for i, case in enumerate(cases)]
    figures = []
    for kind in KINDS:
        of_kind = [numbers for case, *numbers in compared if case.kind == kind]
        masks, elements, ties, different, refreshes, compiled = (sum(n) for n in zip(*of_kind, strict=True))
        what = f"{kind}: of {len(of_kind)} cases, {masks:,} masks, {elements:,} elements"
        figures.append(Figure(name=f"{what}: different from TFMOT's", value=different, unit="", limit=0))
        figures.append(Figure(name=f"{kind}: the other of two ties kept", value=ties, unit=""))
        figures.append(Figure(name=f"{kind}: steps that refresh only one's masks", value=refreshes, unit="", limit=0))
        name = f"{kind}: TFMOT's that differ from its own when TensorFlow compiles it"
        figures.append(Figure(name=name, value=compiled, unit=""))
    return figures


def _compared(case: Case, theirs: Any, index: int) -> tuple[int, ...]:
    """How many masks and elements there are, other ties kept, other differences, refreshes, and TFMOT's with itself."""
    shape = (len(case.steps), *case.first.shape)
    elements = int(np.prod(shape))
    kept, tied = (
        np.unpackbits(theirs[f"{name}_{index}"], count=elements).astype(np.bool_).reshape(shape)
        for name in ("kept", "tied")
    )
    ties = different = 0
    for our_mask, their_mask, their_ties in zip(_our_masks(case, kept), kept, tied, strict=True):
        excused, counted = differences(our_mask, their_mask, their_ties)
        ties += excused
        different += counted
    due = [case.schedule.should_prune(step) for step in range(case.looked_at)]
    refreshes = int(np.count_nonzero(due != theirs[f"due_{index}"]))
    return len(kept), elements, ties, different, refreshes, int(theirs[f"compiled_{index}"])


def differences(ours: Mask, theirs: Mask, tied: Mask) -> tuple[int, int]:
    """How many elements differ between two masks because of ties, and how many otherwise.

    Args:
        ours: True where kept.
        theirs: the same, with every element that is tied.
        tied: the elements whose score is their threshold.
    """
    differs = ours != theirs
    if not np.any(ours & tied):  # we have another threshold
        return 0, int(np.count_nonzero(differs))
    return int(np.count_nonzero(differs & tied)), int(np.count_nonzero(differs & ~tied))


def _our_masks(case: Case, theirs: Sequence[Mask]) -> Iterator[Mask]:
    """Of each step, from the weights that TFMOT had then."""
    model = _model_of(case.first.shape)
    (kernel,) = model.trainable_variables
    pruner = prune.Pruner(model, case.schedule, structure=Block(case.block_size, case.pooling))
    weights = case.first
    for step, their_mask in zip(case.steps, theirs, strict=True):
        kernel.assign(weights)
        pruner.update(step)
        yield pruner.masks[0].numpy()
        weights = (weights + case.drift) * their_mask


def _model_of(shape: tuple[int, ...]) -> Any:
    """The smallest with a kernel of this shape and nothing else."""
    import keras

    *window, inputs, outputs = shape
    layer = (
        keras.layers.Conv2D(outputs, window, use_bias=False) if window else keras.layers.Dense(outputs, use_bias=False)
    )
    return keras.Sequential([keras.Input((*window, inputs)), layer])


def _random_cases(rng: np.random.Generator) -> Iterator[Case]:
    for kind in KINDS:
        for _ in range(RANDOM_CASES):
            axes = 2 if kind != "1x1" else int(rng.choice([2, 4]))
            shape = [int(rng.integers(1, LARGEST_AXIS[axes], endpoint=True)) for _ in range(axes)]
            block_size = (1, 1)
            if kind != "1x1":  # two blocks or more each way, since TFMOT drops an axis of length 1 and then fails
                block_size = _random_block(rng)
                blocks = rng.integers(2, 24, 2, endpoint=True)
                shape = [int(n) * length for n, length in zip(blocks, block_size[::-1], strict=True)]
            first = _random_weights(rng, shape)
            drift = _random_weights(rng, shape) * np.float32(rng.choice([0, 0.01, 1]))
            schedule = _random_schedule(rng)
            yield Case(kind=kind, first=first, drift=drift, schedule=schedule, block_size=block_size)


def _random_block(rng: np.random.Generator) -> tuple[int, int]:
    while (block := tuple(int(n) for n in rng.integers(1, 16, 2, endpoint=True))) == (1, 1):
        pass
    return block[0], block[1]


def _random_weights(rng: np.random.Generator, shape: Sequence[int]) -> Weights:
    """As a layer starts with them, as they are after training, or from few values; some have zeros already."""
    weights = rng.choice([rng.uniform, rng.normal, rng.laplace])(size=shape) - rng.choice([0, 0.5])
    if rng.random() < 0.2:
        weights = np.round(weights * 8) / 8  # many ties
    if rng.random() < 0.5:
        weights = weights * (rng.random(shape) >= rng.uniform(0, 0.95))
    return weights.astype(np.float32)


def _random_schedule(rng: np.random.Generator) -> ConstantSparsity | PolynomialDecay:
    begin, frequency = int(rng.integers(0, 3000)), int(rng.choice([1, 7, 10, 100]))
    end = begin + frequency * int(rng.integers(1, 100)) + int(rng.integers(0, frequency))
    final = float(rng.choice([0.5, 0.8, 0.9, 0.95, 0.99, rng.uniform(0, 0.999)]))
    if rng.random() < 0.3:
        return ConstantSparsity(final, begin, end, frequency)
    initial = float(rng.choice([0, 0.5, rng.uniform(0, final)]))
    return PolynomialDecay(initial, final, begin, end, float(rng.choice([1, 2, 3, 3, 3, 0.5])), frequency)


def _mnist_cases(rng: np.random.Generator) -> Iterator[Case]:
    """The kernels of the MNIST network as it starts with them, pruned as the announcement of TFMOT's pruning did."""
    schedule = PolynomialDecay(0.0, 0.9, 2000, 10_000)
    for shape in MNIST_KERNELS:
        fan_in, fan_out = (int(np.prod(shape[:-2])) * shape[axis] for axis in (-2, -1))
        spread = np.sqrt(6 / (fan_in + fan_out))  # Glorot's
        first = rng.uniform(-spread, spread, shape).astype(np.float32)
        drift = rng.normal(0, spread / 20, shape).astype(np.float32)
        yield Case(kind="1x1", first=first, drift=drift, schedule=schedule)
        for block_size in MNIST_BLOCKS.get(first.size, ()):
            for kind in ("AVG", "MAX"):
                yield Case(kind=kind, first=first, drift=drift, schedule=schedule, block_size=block_size)
