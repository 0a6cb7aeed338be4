"""Prune a Keras model while it trains."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import keras
import numpy as np
from numpy.typing import NDArray

from sparsetool.prune.constraint import MaskConstraint
from sparsetool.prune.errors import PruningError
from sparsetool.prune.masks import ELEMENT, block_scores, magnitude_mask, pruned_blocks
from sparsetool.prune.policy import Selection, select_variables
from sparsetool.prune.schedules import Schedule
from sparsetool_converters.errors import VerificationError


@dataclass(frozen=True, kw_only=True)
class VariableSparsity:
    """How sparse one variable is.

    Attributes:
        variable: its path.
        shape: its shape, in the layout of Keras.
        weights: how many weights it has.
        zeros: how many of them are zero now.
        target_zeros: how many are to be zero at the end of the schedule.
    """

    variable: str
    shape: tuple[int, ...]
    weights: int
    zeros: int
    target_zeros: int

    @property
    def sparsity(self) -> float:
        """The share of weights that are zero now."""
        return self.zeros / self.weights


class Pruner:
    """Holds the masks of a model's kernels and keeps to a schedule.

    Give `callback()` to `model.fit`, or call `update(step)` before a batch when the schedule says, in a
    loop of your own. What was pruned stays zero by a constraint on the variable; `strip()` takes that off
    again.

    Args:
        model: a built Keras model, compiled or not.
        schedule: when masks are refreshed, and how sparse they are then.
        block_size: (r, c), outputs by inputs: what is pruned or kept as one.
        include: glob patterns on the path of a variable, of which one must match.
        exclude: glob patterns of which none may match.

    Attributes:
        selection: which variables are pruned, and why the others are not.

    Raises:
        PruningError: nothing to prune, a pattern that matches nothing, a shape that is not a multiple of the
            block, or a Keras backend other than TensorFlow.
    """

    def __init__(
        self,
        model: keras.Model,
        schedule: Schedule,
        *,
        block_size: tuple[int, int] = ELEMENT,
        include: Sequence[str] = ("*",),
        exclude: Sequence[str] = (),
    ) -> None:
        if keras.backend.backend() != "tensorflow":  # elsewhere a mask would be a constant of the compiled step
            problem = f"must be tensorflow, by KERAS_BACKEND=tensorflow; got {keras.backend.backend()}"
            raise PruningError("backend", problem)
        self.model, self.schedule, self.block_size = model, schedule, block_size
        self.selection: Selection = select_variables(model, include=include, exclude=exclude)
        for variable in self.selection.pruned:  # refuse before anything is changed
            if isinstance(variable.constraint, MaskConstraint):
                raise PruningError(variable.path, "another Pruner holds it already; strip() that one first")
            block_scores(_tflite_layout(variable), block_size, name=variable.path)
        self._masks = [_attach_mask(variable) for variable in self.selection.pruned]
        self.observers: list[Callable[[int, Pruner], None]] = []
        _retrace(model)

    def callback(self) -> keras.callbacks.Callback:
        """Return the callback that keeps `model.fit` to the schedule."""
        from sparsetool.prune.callback import PruningCallback

        return PruningCallback(self)

    def update(self, step: int) -> None:
        """Refresh every mask to the sparsity of this step, whether or not one is due.

        A mask keeps the weights of greatest magnitude; what was pruned before is zero, so it stays pruned
        unless the sparsity falls. Optimizer state of pruned weights becomes zero.

        Raises:
            PruningError: a weight that is not finite, or masks that were stripped.
        """
        sparsity = self.schedule.sparsity(step)
        for variable, mask in self._masked():
            kept = magnitude_mask(_tflite_layout(variable), sparsity, self.block_size, name=variable.path)
            mask.assign(np.moveaxis(kept, 0, -1))
        self.apply()
        for observer in self.observers:
            observer(step, self)

    @property
    def masks(self) -> tuple[keras.Variable, ...]:
        """The boolean mask of each pruned variable, in the layout of Keras."""
        return tuple(self._masks)

    def apply(self) -> None:
        """Zero the pruned weights and the optimizer state of pruned weights.

        The constraint does this to the weights after every optimizer step; only a change from elsewhere
        (loaded weights, an average of weights) needs it.
        """
        for variable, mask in self._masked():
            for state in (variable, *_optimizer_state(self.model, variable)):
                state.assign(keras.ops.where(mask, state, keras.ops.zeros_like(state)))

    def report(self) -> tuple[VariableSparsity, ...]:
        """Return how sparse each pruned variable is, in the order of the model."""
        return tuple(self._measure(variable) for variable in self.selection.pruned)

    def check(self) -> tuple[VariableSparsity, ...]:
        """Return the report, once every pruned variable has the zeros that the end of the schedule asks for.

        Masks prune exactly that many; a kept weight that happens to be zero comes on top and is no failure.

        Raises:
            VerificationError: a variable with fewer zeros, or with a -0.0.
        """
        report = self.report()
        for variable, measured in zip(self.selection.pruned, report, strict=True):
            if measured.zeros < measured.target_zeros:
                problem = (
                    f"{measured.zeros:,} of {measured.weights:,} weights are zero, but sparsity "
                    f"{self.schedule.target} asks for {measured.target_zeros:,}; train to the schedule's end"
                )
                raise VerificationError("prune", measured.variable, problem)
            weights = _to_numpy(variable)
            if np.any(np.signbit(weights) & (weights == 0)):
                raise VerificationError("prune", measured.variable, "has -0.0 among its weights; call apply() first")
        return report

    def strip(self) -> None:
        """Give each variable its own constraint back and forget the masks; the weights stay as they are."""
        for variable in self.selection.pruned:
            if isinstance(variable.constraint, MaskConstraint):
                variable._constraint = variable.constraint.inner  # the public setter refuses None
        self._masks = []
        _retrace(self.model)

    def _masked(self) -> Iterator[tuple[keras.Variable, keras.Variable]]:
        if not self._masks:
            raise PruningError(self.model.name, "its masks were stripped; make a new Pruner to go on")
        return zip(self.selection.pruned, self._masks, strict=True)

    def _measure(self, variable: keras.Variable) -> VariableSparsity:
        weights = _to_numpy(variable)
        rows, columns = self.block_size
        block = rows * columns
        return VariableSparsity(
            variable=variable.path,
            shape=weights.shape,
            weights=weights.size,
            zeros=weights.size - int(np.count_nonzero(weights)),
            target_zeros=pruned_blocks(weights.size // block, self.schedule.target) * block,
        )


def _attach_mask(variable: keras.Variable) -> keras.Variable:
    mask = keras.Variable(
        np.ones(variable.shape, np.bool_), dtype="bool", trainable=False, name=f"{variable.name}_mask"
    )
    variable.constraint = MaskConstraint(mask, variable.constraint)
    return mask


def _retrace(model: keras.Model) -> None:
    model.train_function = None  # a step compiled before has the constraints of then; fit compiles it anew


def _optimizer_state(model: keras.Model, variable: keras.Variable) -> Iterator[keras.Variable]:
    """Yield what the optimizer keeps for each weight of this variable, such as momenta and averages."""
    optimizer = getattr(model, "optimizer", None)
    optimizer = getattr(optimizer, "inner_optimizer", optimizer)  # inside a LossScaleOptimizer
    if optimizer is None or not optimizer.built:
        return
    index = optimizer._get_variable_index(variable)
    count = len(optimizer._trainable_variables)
    for name, states in vars(optimizer).items():
        if name == "_trainable_variables" or not isinstance(states, list) or len(states) != count:
            continue
        state = states[index]
        if isinstance(state, keras.Variable) and tuple(state.shape) == tuple(variable.shape):
            yield state


def _tflite_layout(variable: keras.Variable) -> NDArray[np.floating]:
    return np.moveaxis(_to_numpy(variable), -1, 0)  # [..., in, out] -> [out, ..., in]


def _to_numpy(variable: keras.Variable) -> NDArray[np.floating]:
    weights: NDArray[np.floating] = variable.numpy()
    return weights
