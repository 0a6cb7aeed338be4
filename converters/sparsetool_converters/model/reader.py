"""From bytes to objects: indices become references, payloads become views."""

import struct
from mmap import mmap
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from sparsetool_converters.errors import ModelFormatError
from sparsetool_converters.model.known_fields import refuse_unknown_fields
from sparsetool_converters.model.objects import (
    Metadata,
    Model,
    Operator,
    OperatorCode,
    Signature,
    SignatureEntry,
    Subgraph,
)
from sparsetool_converters.model.tensors import Buffer, Tensor

FILE_IDENTIFIER = b"TFL3"  # file_identifier of tflite/schema/schema.fbs
SCHEMA_VERSION = 3  # TFLITE_SCHEMA_VERSION, tflite/version.h

# What the flatbuffers runtime raises when offsets lead outside of the data or to nonsense.
_DAMAGE = (struct.error, IndexError, ValueError, TypeError, AttributeError, OverflowError)


class _Whole(np.ndarray[Any, Any]):
    """Bytes that give no slice short of what was asked for: flatbuffers would cut strings off in silence."""

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, slice) and key.stop is not None and key.stop > self.size:
            raise IndexError(f"bytes {key.start} to {key.stop} of {self.size}")
        return super().__getitem__(key)


def read_model(data: bytes | bytearray | memoryview | mmap, where: str) -> Model:
    """See `Model.from_bytes`."""
    if len(data) == 0:
        raise ModelFormatError(where, "is empty; expected a .tflite file")
    if len(data) < 8 or bytes(data[4:8]) != FILE_IDENTIFIER:
        raise ModelFormatError(where, f"is not a .tflite file: bytes 4 to 7 are {bytes(data[4:8])!r}, not b'TFL3'")
    (root,) = struct.unpack_from("<I", data, 0)
    if not 8 <= root <= len(data) - 4:
        raise ModelFormatError(where, f"is damaged: the root offset {root} points outside of {len(data)} bytes")
    try:
        table = schema.Model.GetRootAs(np.frombuffer(data, np.uint8).view(_Whole), 0)
        refuse_unknown_fields(table, len(data), where)
        fields = schema.ModelT.InitFromObj(table)
        model = _link(fields, data, where)
    except _DAMAGE as problem:
        raise ModelFormatError(where, f"is damaged or cut off ({type(problem).__name__}: {problem})") from problem
    return model


def _link(fields: Any, data: bytes | bytearray | memoryview | mmap, where: str) -> Model:
    if fields.version != SCHEMA_VERSION:
        raise ModelFormatError(where, f"has schema version {fields.version}; only version {SCHEMA_VERSION} is known")
    if not fields.subgraphs:
        raise ModelFormatError(where, "is damaged: it has no subgraph")
    referred: set[int] = set()

    def pick(items: list[Any], index: int, kind: str) -> Any:
        if not 0 <= index < len(items):
            raise ModelFormatError(where, f"is damaged: {kind} {index} of {len(items)} does not exist")
        referred.add(id(items[index]))
        return items[index]

    payload = memoryview(data)
    buffers = [_buffer(b, payload, where) for b in fields.buffers or []]
    codes = [OperatorCode(c) for c in fields.operatorCodes or []]
    subgraphs = []
    for graph in fields.subgraphs:
        tensors = [Tensor(t, pick(buffers, t.buffer, "buffer")) for t in graph.tensors or []]
        for tensor in tensors:
            details = tensor.quantization.details if tensor.quantization is not None else None
            if isinstance(details, schema.BlockwiseQuantizationT):
                if details.scales > 0:
                    tensor.block_scales = pick(tensors, details.scales, "tensor of scales")
                if details.zeroPoints > 0:
                    tensor.block_zero_points = pick(tensors, details.zeroPoints, "tensor of zero points")

        def tensors_at(indices: Any, kind: str, tensors: list[Tensor] = tensors) -> list[Tensor | None]:
            if indices is None:
                return []
            return [None if i == -1 else pick(tensors, int(i), kind) for i in indices]

        operators = [
            Operator(
                op,
                pick(codes, op.opcodeIndex, "operator code"),
                tensors_at(op.inputs, "input tensor"),
                tensors_at(op.outputs, "output tensor"),
                tensors_at(op.intermediates, "intermediate tensor"),
            )
            for op in graph.operators or []
        ]
        for operator in operators:
            _inline_large_custom_options(operator.fields, payload, where)
        subgraphs.append(
            Subgraph(
                graph,
                tensors,
                tensors_at(graph.inputs, "subgraph input"),
                tensors_at(graph.outputs, "subgraph output"),
                operators,
            )
        )

    def entries(graph: Subgraph, maps: Any) -> list[SignatureEntry]:
        return [SignatureEntry(m, pick(graph.tensors, m.tensorIndex, "signature tensor")) for m in maps or []]

    signatures = None
    if fields.signatureDefs is not None:
        signatures = []
        for definition in fields.signatureDefs:
            graph = pick(subgraphs, definition.subgraphIndex, "signature subgraph")
            signatures.append(
                Signature(definition, entries(graph, definition.inputs), entries(graph, definition.outputs))
            )
    metadata = None
    if fields.metadata is not None:
        metadata = [Metadata(m, pick(buffers, m.buffer, "metadata buffer")) for m in fields.metadata]
    metadata_buffers = None
    if fields.metadataBuffer is not None:
        metadata_buffers = [pick(buffers, int(i), "metadata buffer") for i in fields.metadataBuffer]
    return Model(
        fields=fields,
        subgraphs=subgraphs,
        operator_codes=codes,
        buffers=buffers,
        signatures=signatures,
        metadata=metadata,
        metadata_buffers=metadata_buffers,
        unreferenced=frozenset(id(x) for x in [*buffers, *codes] if id(x) not in referred),
    )


def _buffer(fields: Any, payload: memoryview, where: str) -> Buffer:
    """The payload, also where it lies behind the flatbuffer (`offset` from the start of the file, `size`)."""
    if fields.offset > 1:  # 0 and 1 mean "inside", tflite/core/interpreter_builder.cc
        if fields.data is not None and len(fields.data):
            raise ModelFormatError(where, "is damaged: a buffer has a payload in the flatbuffer and one behind it")
        return Buffer(_outside(payload, fields.offset, fields.size, "buffer", where))
    return Buffer(fields.data)


def _inline_large_custom_options(fields: Any, payload: memoryview, where: str) -> None:
    if fields.largeCustomOptionsOffset > 1:
        offset, size = fields.largeCustomOptionsOffset, fields.largeCustomOptionsSize
        fields.customOptions = _outside(payload, offset, size, "custom options", where)
        fields.largeCustomOptionsOffset = fields.largeCustomOptionsSize = 0


def _outside(payload: memoryview, offset: int, size: int, kind: str, where: str) -> Any:
    if offset + size > len(payload):
        raise ModelFormatError(
            where,
            f"is cut off: a {kind} lies at {offset} to {offset + size}, the file has {len(payload)} bytes",
        )
    return np.frombuffer(payload, np.uint8, size, offset)
