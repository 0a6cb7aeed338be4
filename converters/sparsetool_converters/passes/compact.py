"""Remove hidden units that nobody listens to.

A unit between two FULLY_CONNECTED operators whose outgoing weights are all zero adds exactly nothing, whatever its
value, so its row of incoming weights, its bias and its column of outgoing weights go:

    first [3 units, in]     second [out, 3 units]        first [2, in]    second [out, 2]
    a a a    bias p         1 0 2                   ->   a a a   p        1 2
    b b b    bias q         3 0 4                        c c c   r        3 4
    c c c    bias r
                ^ nobody multiplies unit b by anything but zero

With int8 activations the second operator sums w * (x - zero point) with w = 0, so integers stay equal to the bit;
floats may be summed in another order. A kernel that quantizes its float input on the fly takes the range over
the units, so there the numbers would change: such pairs are left alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from ai_edge_litert import schema_py_generated as schema

from sparsetool_converters.model import Buffer, Model, Operator, Subgraph, Tensor
from sparsetool_converters.passes.change import Change

_BOTH_FLOAT_OR_BOTH_INT8 = {("FLOAT32", "FLOAT32"), ("INT8", "INT8")}


@dataclass(frozen=True)
class CompactHiddenUnits:
    """Remove dead hidden units between two FULLY_CONNECTED operators, until none is left."""

    name: str = "compact"

    def __call__(self, model: Model) -> Sequence[Change]:
        changes: list[Change] = []
        found = True
        while found:  # a unit that goes may have been the last reader of units before it
            found = False
            holders, visible = model.users(), model.interface()
            for graph in model.subgraphs:
                for pair in _pairs(graph, holders, visible):
                    new = _compact(pair)
                    changes += new
                    found = found or bool(new)
        return changes


@dataclass(frozen=True, eq=False)
class _Constant:
    """Constant values: the stored tensor, and the DEQUANTIZE output that operators see instead, if there is one."""

    stored: Tensor
    seen: Tensor

    def take(self, keep: npt.NDArray[np.intp], axis: int) -> None:
        """Keep these slices along one axis, and their quantization parameters if they run along it."""
        values = np.take(self.stored.array(), keep, axis)
        self.stored.buffer = Buffer(np.ascontiguousarray(values).reshape(-1).view(np.uint8))
        for tensor in {self.stored, self.seen}:
            before = tensor.shape
            _take_quantization(tensor.quantization, keep, axis, before[axis])
            tensor.shape = values.shape
            if tensor.fields.shapeSignature is not None:
                tensor.fields.shapeSignature = np.array(values.shape, np.int32)


@dataclass(frozen=True, eq=False)
class _Pair:
    """Two FULLY_CONNECTED operators, and the units between them that only the second reads."""

    units: Tensor
    first: _Constant  # [units, in]
    bias: _Constant | None  # [units]
    second: _Constant  # [out, units]


def _pairs(graph: Subgraph, holders: dict[Buffer, list[Tensor]], visible: set[Tensor]) -> list[_Pair]:
    readers, producers = graph.consumers(), graph.producers()

    def own_constant(tensor: Tensor | None) -> _Constant | None:
        """The constant behind `tensor`, if nothing else reads it or shares its payload."""
        if tensor is None or tensor in visible or len(readers.get(tensor, [])) != 1:
            return None
        stored, producer = tensor, producers.get(tensor)
        if producer is not None:
            source = producer.inputs[0] if producer.name == "DEQUANTIZE" and producer.inputs else None
            if source is None or source in visible or len(readers.get(source, [])) != 1:
                return None
            stored = source
        if not stored.is_constant or stored.is_sparse:
            return None
        if len(holders.get(stored.buffer, [])) > 1:  # a buffer made since has one holder
            return None
        if stored.shape != tensor.shape:  # damaged
            return None
        if stored.element_dtype is None:  # elements under a byte
            return None
        return _Constant(stored, tensor)

    pairs = []
    for second in graph.operators:
        units = second.inputs[0] if second.inputs else None
        first = producers.get(units) if units is not None else None
        if units is None or first is None or units in visible or not _are_plain_pair(first, second):
            continue
        if [op for op, _ in readers[units]] != [second] or len(units.shape) != 2:
            continue
        incoming, outgoing = own_constant(first.inputs[1]), own_constant(second.inputs[1])
        has_bias = len(first.inputs) > 2 and first.inputs[2] is not None
        bias = own_constant(first.inputs[2]) if has_bias else None
        if incoming is None or outgoing is None or (has_bias and bias is None):
            continue
        pairs.append(_Pair(units, incoming, bias, outgoing))
    return pairs


def _are_plain_pair(first: Operator, second: Operator) -> bool:
    """Both FULLY_CONNECTED in the default weights format, and computing in the type of their input."""
    for operator in (first, second):
        options = operator.fields.builtinOptions
        if operator.name != "FULLY_CONNECTED" or len(operator.inputs) < 2:
            return False
        if not isinstance(options, schema.FullyConnectedOptionsT) or options.weightsFormat != 0:
            return False
    weight, units = second.inputs[1], second.inputs[0]
    if weight is None or units is None:
        return False
    return (units.type_name, weight.type_name) in _BOTH_FLOAT_OR_BOTH_INT8


def _compact(pair: _Pair) -> list[Change]:
    incoming, outgoing = pair.first.stored.array(), pair.second.stored.array()
    units = pair.units.shape[1]
    if incoming.shape[:1] != (units,) or outgoing.shape[1:] != (units,) or not _zero_means_nothing(pair.second.stored):
        return []
    if pair.bias is not None and pair.bias.stored.shape != (units,):
        return []
    alive = np.flatnonzero((outgoing != 0).any(axis=0))
    if len(alive) == units:
        return []
    if len(alive) == 0:
        alive = np.zeros(1, np.intp)  # an operator without units is not a model that runs
        if units == 1:
            return []
    constants = [(pair.first, 0), (pair.second, 1)] + ([(pair.bias, 0)] if pair.bias is not None else [])
    changes = []
    for constant, axis in constants:
        before = constant.stored.buffer.nbytes
        constant.take(alive, axis)
        changes.append(
            Change(
                tensor=constant.stored.name,
                what=f"{units - len(alive):,} of {units:,} hidden units removed: all their outgoing weights are zero",
                bytes_before=before,
                bytes_after=constant.stored.buffer.nbytes,
            )
        )
    pair.units.shape = (*pair.units.shape[:-1], len(alive))
    if pair.units.fields.shapeSignature is not None:
        signature = np.array(pair.units.fields.shapeSignature, np.int32)
        signature[-1] = len(alive)
        pair.units.fields.shapeSignature = signature
    return changes


def _zero_means_nothing(tensor: Tensor) -> bool:
    """Whether a stored 0 is the number 0: float, or integer with zero points of 0."""
    parameters = tensor.quantization
    if parameters is None or parameters.zeroPoint is None:
        return True
    return not np.any(np.asarray(parameters.zeroPoint))


def _take_quantization(parameters: Any, keep: npt.NDArray[np.intp], axis: int, length: int) -> None:
    if parameters is None or parameters.quantizedDimension != axis:
        return
    for field in ("scale", "zeroPoint", "min", "max"):
        values = getattr(parameters, field)
        if values is not None and len(values) == length and length > 1:
            setattr(parameters, field, np.asarray(values)[keep])
