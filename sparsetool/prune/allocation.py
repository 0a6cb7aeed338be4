"""How the sparsity that a schedule asks for is shared out among variables, and which weights of each that takes."""

from collections.abc import Callable, Sequence
from typing import Any, Literal

import keras
import numpy as np
from numpy.typing import NDArray

from sparsetool.prune.errors import PruningError
from sparsetool.prune.masks import global_masks, global_zeros_asked, keep_mask, zeros_asked
from sparsetool.prune.policy import Chosen
from sparsetool.prune.structures import NOfM, Structure

Scores = Callable[[keras.Variable], Any]
Scope = Literal["layer", "global"]


class Allocation:
    """Decides which weights are kept at a sparsity of the whole.

    With scope "layer", each variable gets the sparsity asked for; one with a target of its own gets the same share of
    the way to it: at half of a final 0.8, a variable with target 0.6 gets 0.3.

    With scope "global", the scores of all variables are compared, and the sum of what is pruned is exact. At sparsity
    0.5, of two variables of four weights each:

        a      b            scope "layer"      scope "global"
        9 8    1 2     ->   1 1    0 0         1 1    0 0
        7 6    3 4          0 0    1 1         1 1    0 0

    Args:
        chosen: what is pruned.
        structure: of those that no rule gave another.
        scores: as `Pruner` takes them.
        scope: as `Pruner` takes it.
        min_kept: as `Pruner` takes it.

    Raises:
        PruningError: arguments that contradict each other.
    """

    def __init__(
        self,
        chosen: Sequence[Chosen],
        structure: Structure,
        *,
        scores: Scores | None = None,
        scope: Scope = "layer",
        min_kept: float = 0.0,
    ) -> None:
        self._chosen, self._structure = chosen, structure
        self._scores, self._scope, self._min_kept = scores, scope, min_kept
        if scope not in ("layer", "global"):
            raise PruningError("scope", f'must be "layer" or "global"; got {scope!r}')
        if scope == "layer" and min_kept:
            raise PruningError("min_kept", f'needs scope="global", which takes more of some variables; got {min_kept}')
        if scope == "global":
            self._refuse_own_ways()

    def masks(self, sparsity: float, target: float) -> list[NDArray[np.bool_]]:
        """Return which weights are kept, in the shapes of Keras.

        Args:
            sparsity: between 0 and the target.
            target: sparsity at the end of the schedule.

        Raises:
            PruningError: a structure that cannot end with that target, or a score that is below 0 or not finite.
        """
        scores = [self._scores_of(c) for c in self._chosen]
        names = [c.variable.path for c in self._chosen]
        if self._scope == "global":
            kept = global_masks(
                list(zip(names, scores, strict=True)), sparsity, self._structure, min_kept=self._min_kept
            )
        else:
            kept = [
                keep_mask(score, self._own_sparsity(c, sparsity, target), c.structure, name=name)
                for c, score, name in zip(self._chosen, scores, names, strict=True)
            ]
        return [c.layout.from_tflite(mask) for c, mask in zip(self._chosen, kept, strict=True)]

    def zeros(self, target: float) -> tuple[int, ...] | None:
        """Return how many zeros each variable has at the target; None with scope "global", where weights decide."""
        if self._scope == "global":
            return None
        return tuple(zeros_asked(c.layout.tflite_shape, self._own_target(c, target), c.structure) for c in self._chosen)

    def all_zeros(self, target: float) -> int:
        """Return how many zeros all variables have together at the target."""
        zeros = self.zeros(target)
        if zeros is not None:
            return sum(zeros)
        shapes = [(c.variable.path, c.layout.tflite_shape) for c in self._chosen]
        return global_zeros_asked(shapes, target, self._structure)

    def _refuse_own_ways(self) -> None:
        for chosen in self._chosen:
            if chosen.target_sparsity is not None or chosen.structure != self._structure:
                raise PruningError(
                    chosen.variable.path,
                    'has a target or a structure of its own, which scope="global" cannot keep to; take scope="layer"',
                )

    def _own_sparsity(self, chosen: Chosen, sparsity: float, target: float) -> float:
        own = self._own_target(chosen, target)
        return sparsity if own == target or not target else sparsity / target * own

    def _own_target(self, chosen: Chosen, target: float) -> float:
        own = chosen.target_sparsity
        if not isinstance(chosen.structure, NOfM):
            return target if own is None else own
        full = chosen.structure.max_sparsity
        asked = target if own is None and chosen.structure == self._structure else own
        if asked is not None and abs(asked - full) > 1e-6:
            raise PruningError(
                chosen.variable.path,
                f"{chosen.structure.n} of {chosen.structure.m} is sparsity {full:g}; the end of the schedule asks for "
                f"{asked:g}; let it end at {full:g}",
            )
        return full

    def _scores_of(self, chosen: Chosen) -> NDArray[np.floating]:
        variable = chosen.variable
        if self._scores is None:
            magnitudes = to_numpy(variable)
            return chosen.layout.to_tflite(np.abs(magnitudes, out=magnitudes))
        scores = np.asarray(keras.ops.convert_to_numpy(self._scores(variable)))
        if scores.shape != tuple(variable.shape):
            raise PruningError(
                "scores", f"must give an array of the variable's shape {tuple(variable.shape)}; got {scores.shape}"
            )
        return chosen.layout.to_tflite(scores.astype(np.float32, copy=False))


def to_numpy(variable: keras.Variable) -> NDArray[np.floating]:
    """Return a copy of a variable's values, those in half precision as float32."""
    values: NDArray[Any] = variable.numpy()
    return values if values.dtype in (np.float32, np.float64) else values.astype(np.float32)
