"""Carry out a decision: cut constants and shapes, add to biases, set lengths."""

import copy
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from sparsetool_converters.model import Buffer, Model, Operator, Subgraph, Tensor
from sparsetool_converters.passes.change import Change
from sparsetool_converters.passes.compact.decision import Decision, Fold, Mask
from sparsetool_converters.passes.compact.layer_values import Arithmetic, bias_of
from sparsetool_converters.passes.compact.requantize import scale_of
from sparsetool_converters.passes.compact.ties import Axes, Length
from sparsetool_converters.passes.compact.view import View, made, optional

_PER_SLICE = ("scale", "zeroPoint", "min", "max")


def carry_out(model: Model, view: View, axes: Axes, decision: Decision) -> list[Change]:
    """Edit the model; returns what happened to each constant."""
    by_tensor: dict[Tensor, dict[int, Mask]] = {}
    for (tensor, axis), keep in decision.keep.items():
        by_tensor.setdefault(tensor, {})[axis] = keep
    cut_buffers: dict[tuple[Buffer, bytes], Buffer] = {}
    weights = {view.constant(c.weight).stored for c in axes.contractions}
    changes = []
    for tensor in [t for graph in model.subgraphs for t in graph.tensors if t in by_tensor]:
        masks = by_tensor[tensor]
        before = tensor.buffer.nbytes
        if tensor.is_constant:
            _cut_payload(tensor, masks, cut_buffers)
            changes.append(
                Change(
                    tensor=tensor.name,
                    what=_what(masks, last=len(tensor.shape) - 1 if tensor in weights else None),
                    bytes_before=before,
                    bytes_after=tensor.buffer.nbytes,
                )
            )
        _cut_shape(tensor, masks)
    changes += [_add_to_bias(fold, decision, model, view) for fold in decision.folds]
    for size in axes.lengths:
        if size.axis in decision.keep:
            _set_length(size, model, view)
    return changes


def _cut_payload(tensor: Tensor, masks: dict[int, Mask], cut_buffers: dict[tuple[Buffer, bytes], Buffer]) -> None:
    """Constants that shared a payload share the new one too, if they were cut alike."""
    key = (
        tensor.buffer,
        repr((tensor.shape, tensor.type)).encode()
        + b"".join(bytes([axis]) + mask.tobytes() for axis, mask in sorted(masks.items())),
    )
    if key not in cut_buffers:
        values = tensor.array()
        for axis, keep in masks.items():
            values = np.take(values, np.flatnonzero(keep), axis)
        cut_buffers[key] = Buffer(tensor.payload_of(values))
    tensor.buffer = cut_buffers[key]


def _cut_shape(tensor: Tensor, masks: dict[int, Mask]) -> None:
    shape = list(tensor.shape)
    signature = tensor.fields.shapeSignature
    named = None if signature is None or len(signature) == 0 else np.array(signature, np.int32)
    for axis, keep in masks.items():
        shape[axis] = int(np.count_nonzero(keep))
        if named is not None:
            named[axis] = shape[axis]
        parameters = tensor.quantization
        if parameters is not None and parameters.quantizedDimension == axis:
            for field in _PER_SLICE:
                values = getattr(parameters, field)
                if values is not None and len(values) == len(keep) > 1:
                    setattr(parameters, field, np.asarray(values)[keep])
    tensor.shape = tuple(shape)
    if named is not None:
        tensor.fields.shapeSignature = named


def _what(masks: dict[int, Mask], last: int | None) -> str:
    """For example "12 of 64 outputs and 3 of 32 inputs removed"; `last` is the axis of a weight's inputs."""
    kinds = {} if last is None else {0: "outputs", last: "inputs"}
    parts = [
        f"{len(keep) - np.count_nonzero(keep):,} of {len(keep):,} {kinds.get(axis, 'channels')}"
        for axis, keep in sorted(masks.items())
    ]
    return f"{' and '.join(parts)} removed"


def _add_to_bias(fold: Fold, decision: Decision, model: Model, view: View) -> Change:
    """Let the layer have a bias of its own with the constants in it, float32 or int32."""
    contraction = fold.layer.contraction
    operator, position = contraction.operator, contraction.bias_position
    keep = decision.keep.get((contraction.weight, 0), np.ones(len(fold.added), bool))
    is_integer = fold.layer.arithmetic is Arithmetic.INTEGER
    before = optional(operator, position)
    bytes_before = 0 if before is None else _stored(before, view).buffer.nbytes
    values = bias_of(operator, position, view, len(fold.added))
    summed = (values + fold.added)[keep].astype(np.int32 if is_integer else np.float32)
    tensor = _own_bias(fold, model, view) if before is None else _own(before, operator, position, model, view)
    tensor.shape, tensor.buffer = summed.shape, Buffer(tensor.payload_of(summed))
    inputs = f"{fold.inputs:,} constant input{'' if fold.inputs == 1 else 's'}"
    return Change(
        tensor=tensor.name,
        what=f"takes in what {inputs} add{'s' if fold.inputs == 1 else ''}",
        bytes_before=bytes_before,
        bytes_after=tensor.buffer.nbytes,
    )


def _stored(tensor: Tensor, view: View) -> Tensor:
    """Where the constant stands, which a DEQUANTIZE may have made this of."""
    return view.constant(tensor).stored


def _own_bias(fold: Fold, model: Model, view: View) -> Tensor:
    """A bias for a layer that has none."""
    contraction = fold.layer.contraction
    operator, position = contraction.operator, contraction.bias_position
    fields = schema.TensorT()
    fields.name, fields.hasRank = f"{made(operator).name}/bias".encode(), True
    fields.type = schema.TensorType.FLOAT32
    if fold.layer.arithmetic is Arithmetic.INTEGER:
        weight = contraction.weight
        assert weight.scales is not None
        scales = (np.float64(scale_of(contraction.x)) * weight.scales).astype(np.float32)
        fields.type = schema.TensorType.INT32
        fields.quantization = schema.QuantizationParametersT()
        fields.quantization.scale, fields.quantization.zeroPoint = scales, np.zeros(len(scales), np.int64)
    tensor = Tensor(fields, Buffer())
    _graph_of(operator, model).tensors.append(tensor)
    operator.inputs += [None] * (position + 1 - len(operator.inputs))
    operator.inputs[position] = tensor
    return tensor


def _own(tensor: Tensor, operator: Operator, position: int, model: Model, view: View) -> Tensor:
    """The tensor at this input as one that only this operator reads and nobody makes: itself, or else a copy.

    What stood before a DEQUANTIZE goes with it once nobody needs it.
    """
    graph, maker = _graph_of(operator, model), view.maker.get(tensor)
    if view.occurrences[tensor] > (1 if maker is None else 2):
        clone = Tensor(copy.deepcopy(tensor.fields), tensor.buffer)
        graph.tensors.append(clone)
        operator.inputs[position] = clone
        view.occurrences[tensor] -= 1
        return clone
    if maker is not None:
        graph.operators = [op for op in graph.operators if op is not maker]
        del view.maker[tensor]
        source = maker.inputs[0]
        if source is not None:
            view.occurrences[source] -= 1
            if view.occurrences[source] == 0:
                graph.tensors = [t for t in graph.tensors if t is not source]
    return tensor


def _set_length(size: Length, model: Model, view: View) -> None:
    """Write how long an axis is now where the file says it."""
    tensor, axis = size.axis
    new, last = tensor.shape[axis], size.index
    if size.position < len(size.operator.inputs):
        constant = size.operator.inputs[size.position]
        assert constant is not None
        values = constant.array().copy()
        if values.reshape(-1)[last] not in (-1, new):
            values.reshape(-1)[last] = new
            own = _own(constant, size.operator, size.position, model, view)
            own.buffer = Buffer(own.payload_of(values))
    options: Any = size.operator.fields.builtinOptions
    if isinstance(options, schema.ReshapeOptionsT):
        _set_option(options, new)


def _set_option(options: Any, new: int) -> None:
    if options.newShape is not None and len(options.newShape) and options.newShape[-1] not in (-1, new):
        options.newShape = np.array([*options.newShape[:-1], new], np.int32)


def _graph_of(operator: Operator, model: Model) -> Subgraph:
    return next(graph for graph in model.subgraphs if operator in graph.operators)
