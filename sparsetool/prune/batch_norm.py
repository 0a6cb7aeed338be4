"""Moving statistics of batch normalization that fit the weights as they are now.

In training they trail behind: an average over past batches, of weights that were not pruned yet. What a layer really
gets once the weights are final has another mean and another variance, most of all after pruning that few steps of
training followed.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from sparsetool.prune.errors import PruningError

Values = NDArray[np.float64]


def recalibrate_batch_norm(model: keras.Model, x: Any, *, batch_size: int = 256) -> tuple[str, ...]:
    """Make the moving statistics of every BatchNormalization those of its inputs over these samples.

    Afterwards each layer's moving mean and moving variance are the mean and the variance, over all samples and all
    axes but its own, of what it gets when the model runs over `x` in inference mode; so random layers rest. Since what
    a layer gets depends on the statistics of those before it, the samples go through the model once for each layer that
    stands behind another, at most once for each layer: with layers a and b one after the other,

        pass    a gets      a becomes   b gets               b becomes
        1       x           exact       x by the old a       not yet right
        2       x           the same    x by the exact a     exact

    A layer that the model calls several times gets the statistics of all its calls together; one whose own output
    comes back to it settles only as far as the passes go. Masked time steps do not count. Frozen layers are no
    exception. Weights, other variables and random states are left as they are.

    Args:
        model: any built model, the layers nested as they like.
        x: what the model takes: an array `[n, ...]`, or a list, tuple or dictionary of such arrays.
        batch_size: samples run at once; it does not matter for the result but for rounding.

    Returns:
        The paths of the layers; none where the model has no BatchNormalization, and nothing is done.

    Raises:
        PruningError: no samples, a batch size below 1, a layer that batch renormalization trains or that a compiled
            loop calls, or statistics that are not finite. Nothing is changed then.
    """
    lengths = {len(array) for array in keras.tree.flatten(x)}
    if len(lengths) != 1 or 0 in lengths:
        raise PruningError("x", f"must be arrays of the same number of samples; got {sorted(lengths)}")
    if batch_size < 1:
        raise PruningError("batch_size", f"must be 1 or more; got {batch_size}")
    layers = _layers(model)
    batches = [slice(start, start + batch_size) for start in range(0, lengths.pop(), batch_size)]
    before = [(variable, _to_numpy(variable)) for variable in model.non_trainable_variables]
    try:
        for _ in layers:
            measured = _measure(model, x, batches, layers)
            if not _assign(layers, measured):
                break
    except BaseException:
        _put_back(before, keep=())
        raise
    _put_back(before, keep=[v for layer in layers for v in (layer.moving_mean, layer.moving_variance)])
    return tuple(layer.path for layer in layers)


class _Moments:
    """Mean and variance of all that was added, over every axis but the last, in float64.

    Batches are put together by the rule of Chan, Golub and LeVeque (1979), which does not cancel as a sum of squares.
    """

    def __init__(self) -> None:
        self.count, self.mean, self._squares = 0, np.float64(0), np.float64(0)

    def add(self, values: Values) -> None:
        """Take in values `[rows, channels]`."""
        count = len(values)
        if not count:
            return
        total = self.count + count
        with np.errstate(invalid="ignore"):  # whoever reads the result finds what is not finite
            mean = values.mean(axis=0)
            off = mean - self.mean
            within, between = np.square(values - mean).sum(axis=0), off * off * (self.count * count / total)
            self._squares = self._squares + within + between
        self.mean, self.count = self.mean + off * (count / total), total

    @property
    def variance(self) -> Values:
        """The variance of the values themselves, as batch normalization takes it, not an estimate from a sample."""
        return np.asarray(self._squares / self.count)


def _layers(model: keras.Model) -> list[keras.layers.BatchNormalization]:
    every = model._flatten_layers(include_self=True, recursive=True)
    layers = list({id(layer): layer for layer in every if isinstance(layer, keras.layers.BatchNormalization)}.values())
    for layer in layers:
        if layer.renorm:
            raise PruningError(layer.path, "is trained by batch renormalization, which keeps other statistics as well")
        if not layer.built:
            raise PruningError(layer.path, "is not built yet; call the model once first")
    return layers


def _measure(
    model: keras.Model, x: Any, batches: list[slice], layers: list[keras.layers.BatchNormalization]
) -> dict[int, _Moments]:
    measured = {id(layer): _Moments() for layer in layers}
    with _listening(layers, measured):
        for batch in batches:
            model(keras.tree.map_structure(lambda array, batch=batch: array[batch], x), training=False)
    return measured


@contextmanager
def _listening(layers: list[keras.layers.BatchNormalization], measured: dict[int, _Moments]) -> Iterator[None]:
    """Note the inputs of each layer, and have it normalize as in inference whatever it is told."""
    for layer in layers:
        layer.call = _noting(layer, measured[id(layer)])
    try:
        yield
    finally:
        for layer in layers:
            del layer.call  # that of its class comes back


def _noting(layer: keras.layers.BatchNormalization, moments: _Moments) -> Callable[..., Any]:
    call = layer.call

    def noted(inputs: Any, training: Any = None, mask: Any = None) -> Any:
        del training
        values = np.moveaxis(_values(layer, inputs), layer.axis, -1)
        rows = values.reshape(-1, values.shape[-1])
        moments.add(rows if mask is None else rows[_to_numpy(mask).astype(bool).ravel()])
        return call(inputs, training=False, mask=mask)

    return noted


def _values(layer: keras.layers.BatchNormalization, inputs: Any) -> Values:
    try:
        return _to_numpy(inputs).astype(np.float64)
    except Exception as error:  # each backend has its own kinds for a tensor that has no value yet
        raise PruningError(layer.path, "is called within a compiled loop, where its inputs cannot be read") from error


def _assign(layers: list[keras.layers.BatchNormalization], measured: dict[int, _Moments]) -> bool:
    """Give each layer what was measured, and tell whether that was news to any of them."""
    changed = False
    for layer in layers:
        moments = measured[id(layer)]
        if not moments.count:
            continue  # the model does not call it, or every step of it was masked
        for variable, value in ((layer.moving_mean, moments.mean), (layer.moving_variance, moments.variance)):
            if not np.isfinite(value).all():
                raise PruningError(variable.path, "would not be finite; look for samples or weights that are not")
            old = _to_numpy(variable)
            variable.assign(value.astype(old.dtype))
            changed = changed or not np.array_equal(old, _to_numpy(variable))
    return changed


def _put_back(before: list[tuple[keras.Variable, NDArray[Any]]], keep: list[keras.Variable] | tuple[()]) -> None:
    kept = {id(variable) for variable in keep}
    for variable, value in before:
        if id(variable) not in kept:
            variable.assign(value)


def _to_numpy(values: Any) -> NDArray[Any]:
    return np.array(keras.ops.convert_to_numpy(values))
