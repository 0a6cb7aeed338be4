"""The constraint that keeps pruned weights at zero.

A Keras optimizer assigns `variable.constraint(variable)` after every update, inside the compiled step. So the
zeros hold in any layer, any loop and any `steps_per_execution`, and no layer has to be wrapped.
"""

from collections.abc import Callable
from typing import Any

import keras


class MaskConstraint(keras.constraints.Constraint):  # type: ignore[misc]
    """Zero where the mask is False, after the constraint that the variable already had.

    A select, not a product: a product leaves -0.0 for every negative weight and NaN for every infinite one.

    Args:
        mask: boolean variable of the shape of the weights, True where they are kept.
        inner: constraint that runs first, None for none.
    """

    def __init__(self, mask: keras.Variable, inner: Callable[[Any], Any] | None = None) -> None:
        self.mask, self.inner = mask, inner

    def __call__(self, weights: Any) -> Any:
        """Return the weights, +0.0 where pruned."""
        if self.inner is not None:
            weights = self.inner(weights)
        return zero_where_pruned(weights, self.mask)


def zero_where_pruned(values: Any, mask: keras.Variable, zero: float = 0.0) -> Any:
    """Return a tensor of the values where the mask is True, of `zero` elsewhere; JAX takes no variables in a select."""
    values, kept = keras.ops.convert_to_tensor(values), keras.ops.convert_to_tensor(mask)
    return keras.ops.where(kept, values, keras.ops.cast(zero, values.dtype))
