"""Every variable of a Keras model that was made to be trained, with the layers that hold it."""

from collections import deque
from dataclasses import dataclass

import keras

from sparsetool.prune.layouts import has_kernels


@dataclass(frozen=True, kw_only=True, eq=False)
class ModelWeight:
    """One variable, however many layers hold it and however many paths lead to them.

    Attributes:
        variable: it.
        holders: the layers that hold it as their own, not by a layer inside them; several where it is tied.
        kinds: class names of these layers, of all around them up to the model, and of their base classes.
        frozen: whether it is left out of training, as its layer or one around it is not trainable.
    """

    variable: keras.Variable
    holders: tuple[keras.Layer, ...]
    kinds: frozenset[str]
    frozen: bool

    @property
    def path(self) -> str:
        """Where Keras says that it is, "model/layer/kernel"."""
        path: str = self.variable.path
        return path


def model_weights(model: keras.Model) -> tuple[ModelWeight, ...]:
    """All variables that are trainable, or would be if their layer were not frozen, in the order of the model."""
    kinds = _kinds(model)
    holders: dict[int, list[keras.Layer]] = {}
    for layer in kinds:
        for variable in layer._trainable_variables:  # its own, not those of the layers inside it
            holders.setdefault(id(variable), []).append(layer)
    trained = {id(variable) for variable in model.trainable_variables}
    return tuple(
        ModelWeight(
            variable=variable,
            holders=tuple(holders.get(id(variable), ())),
            kinds=frozenset().union(*(kinds[layer] for layer in holders.get(id(variable), ()))),
            frozen=id(variable) not in trained,
        )
        for variable in model.variables
        if id(variable) in trained or id(variable) in holders
    )


def unbuilt_layers(model: keras.Model) -> tuple[str, ...]:
    """Names of the layers that will have kernels, but have no weights yet since nothing has called them."""
    return tuple(layer.name for layer in _kinds(model) if has_kernels(layer) and not layer.built)


def _kinds(model: keras.Model) -> dict[keras.Layer, set[str]]:
    """Each layer, the model first, with the class names that its weights go by."""
    found: dict[keras.Layer, set[str]] = {model: _class_names(model)}
    waiting = deque([model])
    while waiting:
        layer = waiting.popleft()
        for inner in layer._layers:
            before = found.get(inner, set())
            after = before | found[layer] | _class_names(inner)
            if after != before:  # a layer that several share takes the names of all
                found[inner] = after
                waiting.append(inner)
    return found


def _class_names(layer: keras.Layer) -> set[str]:
    return {base.__name__ for base in type(layer).__mro__}
