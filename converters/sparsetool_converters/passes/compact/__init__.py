"""Remove channels that are dead: those that nobody reads, and those that hold one number whatever the input is.

Between two layers with an activation between them, rows of the first and columns of the second go together:

    first [3 channels, in]     second [out, 3 channels]        first [2, in]    second [out, 2]
    a a a    bias p            1 0 2                           a a a   p        1 2     bias + 7
    b b b    bias q            3 0 4                    ->     0 0 0   7        3 4
    0 0 0    bias 7            1 0 0

Channel b is multiplied by nothing but zero, so it goes. The third channel, whose filter is zero, is 7 everywhere: it
goes too, and what it adds moves into the second layer's bias. Between the two layers may stand whatever treats each
channel by itself, and what joins branches, if all of them can do without.

What is looked at, in the order of the files: `view`, the model's operators and constants; `ties`, which positions
of which axes can only go together; `layer_ties`, `shape_ties` and `rules`, what each operator ties; `known_values`,
`layer_values` and `requantize`, which channels are known numbers; `decision`, which channels go; `edit`, the cutting.

Integers stay equal to the bit on every kernel set. Floats may be summed in another order.
"""

import copy
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sparsetool_converters.model import Model, Tensor
from sparsetool_converters.passes.change import Change
from sparsetool_converters.passes.compact.decision import decide
from sparsetool_converters.passes.compact.edit import carry_out
from sparsetool_converters.passes.compact.layer_values import Weights, find_values
from sparsetool_converters.passes.compact.rules import tied_axes
from sparsetool_converters.passes.compact.view import View

__all__ = ["Compact", "DeadChannels", "dead_channels"]


@dataclass(frozen=True)
class Compact:
    """Remove dead channels, until none is left.

    Inputs, outputs, signatures and state keep their shapes, and every axis keeps at least one position. Biases that
    take in constants are stored in float32, whatever they were stored in, or in int32.
    """

    name: str = "compact"

    def __call__(self, model: Model) -> Sequence[Change]:
        return _compact(model)[0]


@dataclass(frozen=True, kw_only=True)
class DeadChannels:
    """What `Compact` would take away.

    Attributes:
        channels: how many channels; one that runs through several tensors counts once.
        elements: elements of constants that would go.
        payload_bytes: their bytes, less what biases grow by.
        tensors: the payload bytes that would go, by constant; negative for a bias that grows.
    """

    channels: int
    elements: int
    payload_bytes: int
    tensors: dict[str, int]


def dead_channels(model: Model) -> DeadChannels:
    """Count dead channels; the model stays as it is. Encoded constants are not looked into."""
    trial = copy.deepcopy(model, {id(buffer): buffer for buffer in model.buffers})
    changes, channels, elements = _compact(trial)
    saved: dict[str, int] = {}
    for change in changes:
        saved[change.tensor] = saved.get(change.tensor, 0) + change.bytes_before - change.bytes_after
    return DeadChannels(channels=channels, elements=elements, payload_bytes=sum(saved.values()), tensors=saved)


def _compact(model: Model) -> tuple[list[Change], int, int]:
    """Edit the model; returns the changes, and how many channels and elements of constants went."""
    changes: list[Change] = []
    weights, channels, elements = Weights(), 0, 0
    while True:  # a channel that goes may have been all that kept another from being known
        view = View(model)
        axes = tied_axes(model, view)
        _, layers = find_values(view, weights, axes.contractions)
        decision = decide(axes, layers)
        if not decision.keep:
            return changes, channels, elements
        before = _elements(decision.keep)
        changes += carry_out(model, view, axes, decision)
        channels += decision.channels
        elements += before - _elements(decision.keep)


def _elements(keep: Iterable[tuple[Tensor, int]]) -> int:
    return sum(math.prod(tensor.shape) for tensor in {tensor for tensor, _ in keep} if tensor.is_constant)
