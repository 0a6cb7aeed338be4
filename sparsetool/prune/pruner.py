"""Prune a Keras model while it trains."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from sparsetool.prune.allocation import Allocation, Scope, Scores, to_numpy
from sparsetool.prune.constraint import MaskConstraint, zero_where_pruned
from sparsetool.prune.errors import PruningError
from sparsetool.prune.optimizer_state import carry, drop, slots, synchronize
from sparsetool.prune.policy import Selection, select_variables
from sparsetool.prune.rules import Rule
from sparsetool.prune.schedule_check import check_schedule, schedule_in_steps
from sparsetool.prune.schedules import Schedule, as_schedule, last_due_step
from sparsetool.prune.structures import ELEMENT, Structure
from sparsetool.prune.timing import Timed
from sparsetool_converters.errors import VerificationError

Observer = Callable[[int, "Pruner"], None]


@dataclass(frozen=True, kw_only=True)
class VariableSparsity:
    """How sparse one variable is.

    Attributes:
        variable: its path.
        shape: its shape, in the layout of Keras.
        weights: how many weights it has.
        zeros: how many of them are zero now.
        target_zeros: how many are to be zero at the end of the schedule; with scope "global", where only the sum is
            known beforehand, as many as are.
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
    """Holds the masks of a model's weights and keeps to a schedule.

    Give `callback()` to `model.fit`, or call `step()` before each batch of any other loop. What was pruned stays zero
    by a constraint on the variable, which every optimizer of Keras applies after every update; where something else
    changes weights, `apply()` zeroes them again. `strip()` takes all of it off.

    Args:
        model: a built Keras model of any kind, compiled or not.
        schedule: when masks are refreshed, and how sparse they are then; a function of the step is the function of a
            `CallableSchedule`.
        structure: what is pruned or kept as one: single weights, blocks, n of m, or whole channels.
        include: glob patterns on the path of a variable, of which one must match.
        exclude: glob patterns of which none may match.
        rules: what holds for some variables only, such as a target of their own; of several the last counts.
        scores: of a variable, which weights matter: an array of its shape, nothing below 0; the least go first. None
            for magnitudes.
        scope: "layer" prunes each variable to the schedule's sparsity, "global" all of them together, so that
            variables with small weights lose more.
        min_kept: share of each variable that scope "global" keeps at least, in [0, 1).
        optimizer: of a loop of your own; None for that of the model.

    Attributes:
        selection: which variables are pruned, and why the others are not.
        masks: one boolean variable for each that is pruned, of its shape, True where a weight is kept.
        schedule: as it was given; in plain steps once the length of training is known.
        steps_done: batches so far.
        observers: called with the step and this pruner after each refresh of masks.

    Raises:
        PruningError: nothing to prune, a pattern that matches nothing, a structure that a shape does not allow, a
            sparsity that a structure cannot reach, or arguments that contradict each other.
    """

    def __init__(
        self,
        model: keras.Model,
        schedule: Schedule | Callable[[int], Any],
        *,
        structure: Structure = ELEMENT,
        include: Sequence[str] = ("*",),
        exclude: Sequence[str] = (),
        rules: Sequence[Rule] = (),
        scores: Scores | None = None,
        scope: Scope = "layer",
        min_kept: float = 0.0,
        optimizer: keras.optimizers.Optimizer | None = None,
    ) -> None:
        self.model = model
        self.schedule = as_schedule(schedule)
        self.steps_done = 0
        self.observers: list[Observer] = []
        self._optimizer = optimizer
        self._steps_seen = 0  # of these, every refresh that was due has been made
        self._planned = False
        self.selection: Selection = select_variables(
            model, structure=structure, include=include, exclude=exclude, rules=rules
        )
        self._allocation = Allocation(self.selection.pruned, structure, scores=scores, scope=scope, min_kept=min_kept)
        for chosen in self.selection.pruned:  # refuse before anything is changed
            if isinstance(chosen.variable.constraint, MaskConstraint):
                raise PruningError(chosen.variable.path, "another Pruner holds it already; strip() that one first")
        self._try_target(self.schedule)
        self.masks = tuple(_attach_mask(chosen.variable) for chosen in self.selection.pruned)
        _retrace(model)

    def callback(self) -> keras.callbacks.Callback:
        """Return the callback that keeps `model.fit` to the schedule."""
        from sparsetool.prune.callback import PruningCallback

        return PruningCallback(self)

    def plan(self, *, steps: int | None, steps_per_epoch: int | None = None, steps_per_execution: int = 1) -> None:
        """Fit the schedule to the length of training; `fit` does this by the callback.

        Args:
            steps: batches in all, those before a resumption included; None if that is not known.
            steps_per_epoch: batches of an epoch; only a schedule in epochs needs it.
            steps_per_execution: batches that Keras runs as one.

        Raises:
            PruningError: a schedule that prunes nothing in so many steps, or never reaches its target, or that needs
                a length which is not known.
        """
        schedule = schedule_in_steps(
            self.schedule, steps=steps, steps_per_epoch=steps_per_epoch, steps_per_execution=steps_per_execution
        )
        if steps is not None:
            check_schedule(schedule, steps, steps_per_epoch=steps_per_epoch, steps_per_execution=steps_per_execution)
        self._try_target(schedule)
        self.schedule, self._planned = schedule, True

    @property
    def planned(self) -> bool:
        """Whether the schedule has been fitted to a length of training."""
        return self._planned

    @property
    def due(self) -> bool:
        """Whether `step` would refresh masks now."""
        return last_due_step(self.schedule, self._steps_seen, self.steps_done) is not None

    def step(self) -> bool:
        """Refresh masks if that is due, and count a batch; call it before each batch of a loop of your own.

        A loop that keeps the values of variables elsewhere, as those of JAX do, writes them back before and reads them
        again after; that is only needed while `due`.

        Returns:
            Whether masks were refreshed.
        """
        refreshed = self.refresh()
        self.steps_done += 1
        return refreshed

    def refresh(self) -> bool:
        """Refresh masks if that is due at `steps_done`, or was at a step since the last look; tell whether it was."""
        self._carry_masks()
        due = last_due_step(self.schedule, self._steps_seen, self.steps_done)
        self._steps_seen = self.steps_done + 1
        if due is not None:
            self.update(due)
        return due is not None

    def update(self, step: int) -> None:
        """Refresh every mask to the sparsity of this step, whether or not one is due.

        A mask keeps the weights of highest score; what was pruned before is zero, so by magnitude it stays pruned
        unless the sparsity falls. Optimizer state of pruned weights becomes what it was before the first step.

        Raises:
            PruningError: a score that is not finite or below 0, or masks that were stripped.
        """
        self._require_masks()
        self._carry_masks()
        synchronize(self.model)
        for mask, kept in zip(
            self.masks, self._allocation.masks(self.schedule.sparsity(step), self.schedule.target), strict=True
        ):
            mask.assign(kept)
        self.apply()
        for observer in self.observers:
            observer(step, self)

    def apply(self) -> None:
        """Zero the pruned weights, and clear their optimizer state.

        The constraint does this to the weights after every optimizer step; only a change from elsewhere (loaded
        weights, an average of weights, an optimizer that is not one of Keras) needs it.

        Raises:
            PruningError: masks that were stripped.
        """
        self._require_masks()
        synchronize(self.model)
        for chosen, mask in zip(self.selection.pruned, self.masks, strict=True):
            chosen.variable.assign(zero_where_pruned(chosen.variable, mask))
            if self.optimizer is not None:
                for slot, fresh in slots(self.optimizer, chosen.variable):
                    slot.assign(zero_where_pruned(slot, mask, fresh))

    def hold_zeros(self) -> None:
        """Take every weight that is zero now for pruned: what a pruned checkpoint needs to be trained further.

        Raises:
            PruningError: masks that were stripped.
        """
        self.restore([to_numpy(chosen.variable) != 0 for chosen in self.selection.pruned], self.steps_done)

    def restore(self, masks: Sequence[NDArray[np.bool_]], steps_done: int) -> None:
        """Go on from where another run was.

        Args:
            masks: boolean, of the shapes and in the order of `masks`.
            steps_done: batches before; refreshes that were due in them count as made.

        Raises:
            PruningError: masks that do not fit, or that were stripped.
        """
        self._require_masks()
        shapes = [mask.shape for mask in masks]
        if shapes != [tuple(chosen.variable.shape) for chosen in self.selection.pruned]:
            raise PruningError(self.model.name, f"the masks are of another model, with the shapes {shapes}")
        synchronize(self.model)
        for variable, mask in zip(self.masks, masks, strict=True):
            variable.assign(mask)
        self.steps_done = self._steps_seen = steps_done
        self.apply()

    def report(self) -> tuple[VariableSparsity, ...]:
        """Return how sparse each pruned variable is, in the order of the model."""
        asked = self._allocation.zeros(self.schedule.target)
        reports = []
        for i, chosen in enumerate(self.selection.pruned):
            weights = to_numpy(chosen.variable)
            zeros = weights.size - int(np.count_nonzero(weights))
            target = asked[i] if asked is not None else zeros
            reports.append(
                VariableSparsity(
                    variable=chosen.variable.path,
                    shape=weights.shape,
                    weights=weights.size,
                    zeros=zeros,
                    target_zeros=target,
                )
            )
        return tuple(reports)

    def check(self) -> tuple[VariableSparsity, ...]:
        """Return the report, once the pruned variables have the zeros that the end of the schedule asks for.

        Masks prune exactly that many; a kept weight that happens to be zero comes on top and is no failure.

        Raises:
            VerificationError: a variable with fewer zeros, or whose pruned weights are not all +0.0; all of them
                together with fewer zeros.
        """
        report = self.report()
        for measured in report:
            self._check_zeros(measured.variable, measured.zeros, measured.target_zeros, measured.weights)
        for chosen, mask in zip(self.selection.pruned, self.masks, strict=False):  # there are none after strip()
            pruned = to_numpy(chosen.variable)[~mask.numpy()]
            if np.any(pruned) or np.any(np.signbit(pruned)):
                problem = "has pruned weights that are not +0.0; call apply() first"
                raise VerificationError("prune", chosen.variable.path, problem)
        zeros, count = sum(measured.zeros for measured in report), sum(measured.weights for measured in report)
        self._check_zeros(self.model.name, zeros, self._allocation.all_zeros(self.schedule.target), count)
        return report

    def strip(self) -> None:
        """Give each variable its own constraint back and forget the masks; the weights stay as they are."""
        for chosen in self.selection.pruned:
            if isinstance(chosen.variable.constraint, MaskConstraint):
                chosen.variable._constraint = chosen.variable.constraint.inner  # the public setter refuses None
        if self.optimizer is not None:
            drop(self.optimizer, self.masks)
        self.masks = ()
        _retrace(self.model)

    @property
    def optimizer(self) -> keras.optimizers.Optimizer | None:
        """The optimizer that trains the model, None before there is one."""
        return self._optimizer if self._optimizer is not None else getattr(self.model, "optimizer", None)

    def _try_target(self, schedule: Schedule) -> None:
        """Refuse what a structure cannot end with, and weights that are not finite, before anything is changed."""
        if not isinstance(schedule, Timed) or schedule.is_plain:
            self._allocation.masks(schedule.target, schedule.target)

    def _require_masks(self) -> None:
        if not self.masks:
            raise PruningError(self.model.name, "its masks were stripped; make a new Pruner to go on")

    def _carry_masks(self) -> None:
        if keras.backend.backend() == "jax" and self.optimizer is not None:
            carry(self.optimizer, self.masks)

    def _check_zeros(self, name: str, zeros: int, asked: int, weights: int) -> None:
        if zeros < asked:
            problem = (
                f"{zeros:,} of {weights:,} weights are zero, but sparsity {self.schedule.target} asks for {asked:,}; "
                "train to the schedule's end"
            )
            raise VerificationError("prune", name, problem)


def _attach_mask(variable: keras.Variable) -> keras.Variable:
    mask = keras.Variable(
        np.ones(variable.shape, np.bool_), dtype="bool", trainable=False, name=f"{variable.name}_mask"
    )
    variable.constraint = MaskConstraint(mask, variable.constraint)
    return mask


def _retrace(model: keras.Model) -> None:
    model.train_function = None  # a step compiled before has the constraints of then; fit compiles it anew
