"""A model as litert-quantizer needs it, and what came out of it as it was before.

The quantizer knows a tensor by its name, so that names must be unique; it takes float32 weights only, and none that a
DEQUANTIZE makes of float16; and where it adds an operator at an end of the model, it gives that end another name.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from sparsetool_converters.model import Buffer, Model, Operator, Signature, SignatureEntry, Subgraph, Tensor
from sparsetool_converters.weights import weight_sites

PRIMARY_SIGNATURE = "serving_default"  # the name TensorFlow's exporters use
_DEQUANTIZE_OF_HALF = 3  # version, tflite/tools/versioning/op_version.cc @ f674577


@dataclass(frozen=True, eq=False)
class QuantizerForm:
    """A copy of a model, for the quantizer.

    Attributes:
        model: the copy: names are unique, weights float32, there is a signature and no metadata, whose buffers the
            quantizer takes out without telling.
        stored: each weight of the copy, by its name there, as the original stores it.
        names: names in the copy, with those in the original, where they differ.
        halves: names in the copy of what the original makes of float16, with the tensor that holds it.
    """

    model: Model
    stored: dict[str, Tensor]
    names: dict[str, bytes]
    halves: dict[str, Tensor]

    @classmethod
    def of(cls, original: Model, *, widen: bool) -> "QuantizerForm":
        """Copy a model into this form; `widen` says whether float16 weights are made float32."""
        model = Model.from_bytes(original.to_bytes())
        model.metadata = model.metadata_buffers = None
        if not model.signatures:
            model.signatures = [primary_signature(model)]  # it addresses inputs by signature
        widened = [pair for graph in model.subgraphs for pair in _widen(graph)] if widen else []
        names = _make_names_unique(model)
        halves = {made.name: half for made, half in widened}
        stored = {s.tensor.name: halves.get(s.tensor.name, s.tensor) for s in weight_sites(model)}
        return cls(model, stored, names, halves)

    def undo(self, quantized: Model, original: Model) -> None:
        """Give what the quantizer made of the copy the original's names, metadata, signatures and float16 weights."""
        for graph, before in zip(quantized.subgraphs, original.subgraphs, strict=True):
            _narrow(quantized, graph, self.halves)
            for tensor in graph.tensors:
                if tensor.name in self.names:
                    tensor.fields.name = self.names[tensor.name]
            _name_ends(graph, before)
        quantized.metadata, quantized.metadata_buffers = original.metadata, original.metadata_buffers
        if not original.signatures:
            quantized.signatures = original.signatures


def primary_signature(model: Model) -> Signature:
    """A signature of the first subgraph, whose names are the tensors'."""
    graph = model.subgraphs[0]

    def entries(tensors: list[Tensor | None]) -> list[SignatureEntry]:
        present = [t for t in tensors if t is not None]
        return [SignatureEntry(schema.TensorMapT(name=t.name.encode()), t) for t in present]

    fields = schema.SignatureDefT(signatureKey=PRIMARY_SIGNATURE.encode(), subgraphIndex=0)
    return Signature(fields, entries(graph.inputs), entries(graph.outputs))


def _make_names_unique(model: Model) -> dict[str, bytes]:
    """Number the tensors that have another's name; returns the new names with the old ones."""
    tensors = [t for graph in model.subgraphs for t in graph.tensors]
    taken, met, renamed = {t.name for t in tensors}, set[str](), {}
    for tensor in tensors:
        name, count = tensor.name, 1
        while tensor.name in met or (count > 1 and tensor.name in taken):
            count += 1
            tensor.fields.name = f"{name}#{count}".encode()
        if count > 1:
            renamed[tensor.name] = name.encode()
            taken.add(tensor.name)
        met.add(tensor.name)
    return renamed


def _widen(graph: Subgraph) -> list[tuple[Tensor, Tensor]]:
    """Make constants of what DEQUANTIZE makes of float16 ones; returns the former with the latter."""
    found = []
    ends = {*graph.inputs, *graph.outputs}
    for operator in graph.operators:
        half, made = operator.inputs[:1], operator.outputs[:1]
        if operator.name != "DEQUANTIZE" or not half or not made or half[0] is None or made[0] is None:
            continue
        if half[0].type_name == "FLOAT16" and half[0].is_constant and not half[0].is_sparse and made[0] not in ends:
            found.append((made[0], half[0], operator))
    for tensor, half_tensor, _ in found:
        tensor.buffer = Buffer(half_tensor.array().astype(np.float32).reshape(-1).view(np.uint8))
    gone = {operator for _, _, operator in found}
    graph.operators = [operator for operator in graph.operators if operator not in gone]
    referenced = graph.referenced()
    graph.tensors = [t for t in graph.tensors if t in referenced or t not in {half for _, half, _ in found}]
    return [(tensor, half_tensor) for tensor, half_tensor, _ in found]


def _narrow(model: Model, graph: Subgraph, halves: dict[str, Tensor]) -> None:
    """Store in float16, with a DEQUANTIZE, what was stored so and has not been quantized.

    A bias beside integer weights, dequantized or not, stays float32: XNNPACK takes such an operator only if its bias is
    a constant.
    """
    made: dict[str, Tensor] = {}
    first: list[Operator] = []
    integers: set[Tensor | None] = {
        t for t in graph.tensors if t.is_constant and t.type_name in ("INT8", "INT4", "INT2")
    }
    integers |= {
        t for op in graph.operators if op.name == "DEQUANTIZE" and op.inputs[0] in integers for t in op.outputs
    }
    beside_integers = {t for op in graph.operators if not integers.isdisjoint(op.inputs) for t in op.inputs}
    for tensor in list(graph.tensors):
        half = halves.get(tensor.name.removesuffix("_duplicated"))
        if half is None or tensor in beside_integers or tensor.type_name != "FLOAT32" or not tensor.is_constant:
            continue
        if half.name not in made:
            made[half.name] = half
            graph.tensors.append(half)
        tensor.buffer = Buffer()
        code = model.operator_code(schema.BuiltinOperator.DEQUANTIZE, _DEQUANTIZE_OF_HALF)
        first.append(Operator(_no_options(), code, [made[half.name]], [tensor]))
    graph.operators[:0] = first


def _no_options() -> Any:
    fields = schema.OperatorT()
    fields.inputs = fields.outputs = None
    return fields


def _name_ends(graph: Subgraph, before: Subgraph) -> None:
    """Where an input or output has another name than before, exchange it with the tensor that has that name now."""
    for ends, wanted in ((graph.inputs, before.inputs), (graph.outputs, before.outputs)):
        for tensor, old in zip(ends, wanted, strict=True):
            if tensor is None or old is None or tensor.name == old.name:
                continue
            for other in graph.tensors:
                if other.name == old.name:
                    other.fields.name = tensor.fields.name
            tensor.fields.name = old.fields.name
