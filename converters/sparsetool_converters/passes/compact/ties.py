"""Which positions of which axes can only go together.

A rule describes one operator by giving numbers of its own to the positions of the axes that it knows: equal numbers
stand and fall together. A convolution of 2 to 3 channels, for example:

    input's last axis [3 4]     weight [O, h, w, I]: axis 3 [3 4], axis 0 [0 1 2]     bias [0 1 2]     output [0 1 2]

Over all operators this makes classes, called channels. An axis of a tensor that some operator names without giving it
numbers keeps all its positions: what nobody understands, nobody cuts.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from sparsetool_converters.model import Operator, Tensor
from sparsetool_converters.passes.compact.view import Unclear, View, length

Numbers = npt.NDArray[np.intp]
Axis = tuple[Tensor, int]  # axis counted from 0


@dataclass(frozen=True, kw_only=True, eq=False)
class Length:
    """A whole number in the file that says how long an axis is.

    Attributes:
        operator: who reads it.
        position: as which input.
        index: of the element in that constant.
        axis: the axis that it is the length of.
    """

    operator: Operator
    position: int
    index: int
    axis: Axis


@dataclass(frozen=True, kw_only=True, eq=False)
class Lanes:
    """An axis that a builtin kernel goes through some channels at a time, and rounds those left over differently.

    Half-way results come out one step apart in the two parts, so that no channel may change sides.

    Attributes:
        axis: the axis.
        width: how many channels are taken at a time.
    """

    axis: Axis
    width: int


@dataclass(frozen=True, kw_only=True, eq=False)
class Least:
    """An axis with enough positions for another builtin kernel, which rounds half-way results its own way.

    Attributes:
        axis: the axis.
        positions: how many have to stay, so that the same kernel is chosen.
    """

    axis: Axis
    positions: int


@dataclass(frozen=True, kw_only=True, eq=False)
class Contraction:
    """An operator that multiplies the channels of its input by weights and adds them up.

    Attributes:
        operator: the operator.
        x: its input; the last axis, repeated, runs along the weight's last axis.
        weight: [outputs, ..., inputs].
        bias_position: which input holds [outputs] numbers to add.
        mixes_padding: whether some outputs see padding or fewer products, so that a constant channel does not
            add the same number everywhere.
    """

    operator: Operator
    x: Tensor
    weight: Tensor
    bias_position: int
    mixes_padding: bool


@dataclass(frozen=True, kw_only=True, eq=False)
class Ties:
    """One operator: for each time it names a tensor, the tensor's axis and the numbers of its positions."""

    axes: Sequence[tuple[Tensor, int, Numbers]]
    lengths: Sequence[Length] = ()
    lanes: Sequence[Lanes] = ()
    least: Sequence[Least] = ()
    contraction: Contraction | None = None


@dataclass(eq=False)
class Axes:
    """All axes that rules gave numbers to; every position has a place in one long row.

    Attributes:
        view: the model.
        max_positions: how many positions there may be.
        starts: where each axis begins in the row.
    """

    view: View
    max_positions: int
    starts: dict[Axis, int] = field(default_factory=dict)
    lengths: list[Length] = field(default_factory=list)
    lanes: list[Lanes] = field(default_factory=list)
    least: list[Least] = field(default_factory=list)
    contractions: list[Contraction] = field(default_factory=list)
    _size: int = 0
    _claims: Counter[Axis] = field(default_factory=Counter)
    _links: list[tuple[Numbers, Numbers]] = field(default_factory=list)

    def of(self, tensor: Tensor) -> list[int]:
        """The axes of a tensor that have numbers so far."""
        return [axis for axis in range(len(tensor.shape)) if (tensor, axis) in self.starts]

    def places(self, axis: Axis) -> slice:
        """Where the positions of an axis stand in the row."""
        start = self.starts[axis]
        return slice(start, start + axis[0].shape[axis[1]])

    def add(self, ties: Ties) -> None:
        """Take in what a rule says of one operator.

        Raises:
            Unclear: the numbers do not fit the tensors' shapes, or there are too many.
        """
        named = [((t, a % max(len(t.shape), 1)), numbers) for t, a, numbers in ties.axes]
        if any(len(numbers) != length(t, a) for (t, a), numbers in named):
            raise Unclear
        new = {axis: len(numbers) for axis, numbers in named if axis not in self.starts}
        if self._size + sum(new.values()) > self.max_positions:
            raise Unclear
        for axis, size in new.items():
            self.starts[axis], self._size = self._size, self._size + size
        self._claims.update(axis for axis, _ in named)
        if named:
            numbers = np.concatenate([n for _, n in named])
            places = np.concatenate([np.arange(self._size)[self.places(axis)] for axis, _ in named])
            first = np.zeros(int(numbers.max()) + 1, np.intp)
            first[numbers[::-1]] = places[::-1]
            self._links.append((places, first[numbers]))
        self.lengths += ties.lengths
        self.lanes += ties.lanes
        self.least += ties.least
        if ties.contraction is not None:
            self.contractions.append(ties.contraction)

    def tie_alike(self, tensors: Iterable[Tensor]) -> None:
        """Let tensors of one shape lose the same positions, or none."""
        first, *others = tensors
        for axis in {axis for t in [first, *others] for axis in self.of(t)}:
            every = [(t, axis) for t in [first, *others]]
            if any(t not in self.starts or t[0].shape != first.shape for t in every):
                for missed in set(every) & set(self.starts):
                    self._claims[missed] = -1
                continue
            places = [np.arange(self._size)[self.places(a)] for a in every]
            self._links += [(places[0], other) for other in places[1:]]

    def channels(self) -> Numbers:
        """For each place in the row, its channel: the first place of its class."""
        if not self._links:
            return np.arange(self._size)
        left, right = (np.concatenate(side) for side in zip(*self._links, strict=True))
        return classes(self._size, left, right)

    def pinned(self) -> npt.NDArray[np.bool_]:
        """For each place in the row, whether somebody names its tensor without having numbered this axis."""
        found = np.zeros(self._size, bool)
        for axis in self.starts:
            found[self.places(axis)] = self._claims[axis] != self.view.occurrences[axis[0]]
        return found


def classes(size: int, left: Numbers, right: Numbers) -> Numbers:
    """The connected components of a graph: for each of `size` nodes, the lowest node that it is linked with."""
    parent = np.arange(size)
    while True:
        one, other = parent[left], parent[right]
        differ = one != other
        if not differ.any():
            return parent
        left, right, one, other = left[differ], right[differ], one[differ], other[differ]
        np.minimum.at(parent, np.maximum(one, other), np.minimum(one, other))
        while not np.array_equal(up := parent[parent], parent):
            parent = up
