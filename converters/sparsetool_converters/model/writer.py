"""From objects to a file: indices are assigned once, payloads are aligned, the model itself is not touched."""

import struct
from collections.abc import Iterator
from copy import copy
from typing import Any

import numpy as np
import numpy.typing as npt
from ai_edge_litert import schema_py_generated as schema
from flatbuffers.builder import BuilderSizeError

from sparsetool_converters.errors import ModelFormatError
from sparsetool_converters.model.objects import Model, OperatorCode, Signature, Subgraph
from sparsetool_converters.model.pieces import ALIGNMENT, Piece, PieceBuilder
from sparsetool_converters.model.tensors import Buffer, Tensor

# The runtime verifies no more of a file, tflite/core/model_builder.h @ f677574.
MAX_FLATBUFFER_BYTES = 2**31 - 2
# What is smaller stays in the flatbuffer in any case; so do the payloads of metadata, where the runtime looks for them.
OUTSIDE_FROM_BYTES = 1024
_LATER = 2**40  # stands where an offset is written once it is known; any offset takes as many bytes

# Fields that hold an offset from the start of the file, as places in a vtable: 4 + 2 * number in the schema.
_BUFFER_OFFSET = 4 + 2 * 1
_LARGE_CUSTOM_OPTIONS_OFFSET = 4 + 2 * 9


class _BufferTable:
    """A buffer's table; its payload starts at a multiple of 16 bytes, inside the flatbuffer or behind it."""

    def __init__(self, buffer: Buffer, *, outside: bool) -> None:
        self._data, self._outside = buffer.data, outside

    def Pack(self, builder: PieceBuilder) -> Any:  # noqa: N802 (the generated schema's own name)
        data = self._data
        vector = None if data is None or self._outside else builder.leave_room(data)
        schema.BufferStart(builder)
        if vector is not None:
            schema.BufferAddData(builder, vector)
        elif data is not None:
            schema.BufferAddOffset(builder, _LATER)
            schema.BufferAddSize(builder, data.size)
        return schema.BufferEnd(builder)


class _WrittenOnce:
    """Quantization parameters that several tensors have alike, written as one table that all of them point to.

    An encoded tensor and the dense one behind its DENSIFY have the same parameters, 12 bytes a channel.
    """

    def __init__(self, fields: Any) -> None:
        self._fields = fields
        self._offset: Any = None

    def Pack(self, builder: Any) -> Any:  # noqa: N802 (the generated schema's own name)
        if self._offset is None:
            self._offset = self._fields.Pack(builder)
        return self._offset


def model_pieces(model: Model, *, limit_bytes: int = MAX_FLATBUFFER_BYTES) -> Iterator[Piece]:
    """The file, piece by piece, from its start to its end; payloads are handed out as they are, not copied.

    Args:
        model: it is not changed.
        limit_bytes: how large a flatbuffer may be before payloads are written behind it.

    Raises:
        ModelFormatError: the tables alone are larger than that. Raised before the first piece.
    """
    file = _File(model, limit_bytes)
    for outside in (False, True):
        if outside or file.payload_bytes <= limit_bytes:
            pieces = file.pieces(outside=outside)
            if pieces is not None:
                return iter(pieces)
    raise ModelFormatError("model", f"its tables do not fit one flatbuffer of {limit_bytes:,} bytes")


class _File:
    """One model on its way to a file."""

    def __init__(self, model: Model, limit_bytes: int) -> None:
        self._model, self._limit_bytes = model, limit_bytes
        self._buffers = _buffers_to_write(model)
        self._codes = _codes_to_write(model)
        self.payload_bytes = sum(b.nbytes for b in self._buffers)

    def pieces(self, *, outside: bool) -> list[Piece] | None:
        """The file with all payloads inside the flatbuffer, or the large ones behind it; None if it is too large."""
        model = self._model
        moved = self._moved() if outside else set()
        index = _Indices(model, self._buffers, self._codes, outside=outside)
        fields = copy(model.fields)
        fields.buffers = [_BufferTable(b, outside=b in moved) for b in self._buffers]
        fields.operatorCodes = [c.fields for c in self._codes]
        fields.subgraphs = [index.subgraph(graph) for graph in model.subgraphs]
        # What the model has none of any more must not be written as it was read, with indices of that time.
        fields.signatureDefs = fields.metadata = fields.metadataBuffer = None
        if model.signatures is not None:
            fields.signatureDefs = [index.signature(s) for s in model.signatures]
        if model.metadata is not None:
            fields.metadata = [_with(m.fields, buffer=index.buffers[m.buffer]) for m in model.metadata]
        if model.metadata_buffers is not None:
            fields.metadataBuffer = np.array([index.buffers[b] for b in model.metadata_buffers], np.int32)

        builder = PieceBuilder(self.payload_bytes - sum(b.nbytes for b in moved))
        try:
            builder.Finish(fields.Pack(builder), b"TFL3")
        except BuilderSizeError:
            return None
        size = len(builder.Bytes) - int(builder.head)
        if size > self._limit_bytes:
            return None
        payloads = [b.data for b in self._buffers if b in moved and b.data is not None]
        behind = _payloads_behind(builder, size, payloads + index.options_outside) if outside else ()
        return [*builder.pieces(), *behind]

    def _moved(self) -> set[Buffer]:
        metadata = {m.buffer for m in self._model.metadata or []} | set(self._model.metadata_buffers or [])
        return {b for b in self._buffers if b.nbytes >= OUTSIDE_FROM_BYTES and b not in metadata}


def _payloads_behind(builder: PieceBuilder, size: int, payloads: list[npt.NDArray[np.uint8]]) -> Iterator[Piece]:
    """What stands behind a flatbuffer of that size; where it stands is written into the tables that wait for it.

    The payloads are those of buffers and then those of operators, both in the order of the file.
    """
    root = schema.Model.GetRootAs(builder.Bytes, builder.head)
    graphs = [root.Subgraphs(g) for g in range(root.SubgraphsLength())]
    places = [
        *_waiting([root.Buffers(i) for i in range(root.BuffersLength())], _BUFFER_OFFSET),
        *_waiting([g.Operators(i) for g in graphs for i in range(g.OperatorsLength())], _LARGE_CUSTOM_OPTIONS_OFFSET),
    ]
    for place, payload in zip(places, payloads, strict=True):
        padding = -size % ALIGNMENT
        struct.pack_into("<Q", builder.Bytes, place, size + padding)
        yield memoryview(bytes(padding))
        yield np.ascontiguousarray(payload).data
        size += padding + payload.size


def _waiting(tables: list[Any], field: int) -> Iterator[int]:
    """Where the tables that wait for an offset have it."""
    for table in tables:
        at = table._tab.Offset(field)
        if at and struct.unpack_from("<Q", table._tab.Bytes, table._tab.Pos + at) == (_LATER,):
            yield table._tab.Pos + at


class _Indices:
    """Where each object stands in the file, and the schema's records that say so."""

    def __init__(self, model: Model, buffers: list[Buffer], codes: list[OperatorCode], *, outside: bool) -> None:
        self._outside = outside
        self.options_outside: list[npt.NDArray[np.uint8]] = []  # custom options, in the order of operators
        self.buffers = {b: i for i, b in enumerate(buffers)}
        self.codes = {c: i for i, c in enumerate(codes)}
        self.tensors = {t: i for graph in model.subgraphs for i, t in enumerate(graph.tensors)}
        self.quantizations: dict[tuple[Any, ...], _WrittenOnce] = {}

    def subgraph(self, graph: Subgraph) -> Any:
        operators = [
            _with(
                op.fields,
                opcodeIndex=self.codes[op.code],
                inputs=self._of(op.inputs, op.fields.inputs),
                outputs=self._of(op.outputs, op.fields.outputs),
                intermediates=self._of(op.intermediates, op.fields.intermediates),
                **self._custom_options(op.fields.customOptions),
            )
            for op in graph.operators
        ]
        return _with(
            graph.fields,
            tensors=[self._tensor(t) for t in graph.tensors],
            operators=operators,
            inputs=self._of(graph.inputs, graph.fields.inputs),
            outputs=self._of(graph.outputs, graph.fields.outputs),
        )

    def _custom_options(self, options: Any) -> dict[str, Any]:
        if not self._outside or options is None or len(options) < OUTSIDE_FROM_BYTES:
            return {}
        self.options_outside.append(np.asarray(options, np.uint8))
        return {"customOptions": None, "largeCustomOptionsOffset": _LATER, "largeCustomOptionsSize": len(options)}

    def signature(self, signature: Signature) -> Any:
        def entries(found: list[Any], before: Any) -> Any:
            if not found and before is None:
                return None
            return [_with(e.fields, tensorIndex=self.tensors[e.tensor]) for e in found]

        fields = signature.fields
        return _with(
            fields,
            inputs=entries(signature.inputs, fields.inputs),
            outputs=entries(signature.outputs, fields.outputs),
        )

    def _tensor(self, tensor: Tensor) -> Any:
        quantization = tensor.quantization
        if quantization is not None and quantization.details is None:
            key = _content(quantization)
            quantization = self.quantizations.setdefault(key, _WrittenOnce(quantization))
        elif quantization is not None and (tensor.block_scales or tensor.block_zero_points):
            details = copy(quantization.details)
            if tensor.block_scales is not None:
                details.scales = self.tensors[tensor.block_scales]
            if tensor.block_zero_points is not None:
                details.zeroPoints = self.tensors[tensor.block_zero_points]
            quantization = _with(quantization, details=details)
        return _with(tensor.fields, buffer=self.buffers[tensor.buffer], quantization=quantization)

    def _of(self, tensors: list[Tensor | None], before: Any) -> Any:
        if not tensors and before is None:  # an absent vector stays absent
            return None
        return np.array([-1 if t is None else self.tensors[t] for t in tensors], np.int32)


def _with(fields: Any, **values: Any) -> Any:
    changed = copy(fields)
    vars(changed).update(values)
    return changed


def _content(quantization: Any) -> tuple[Any, ...]:
    """What tells quantization parameters apart: every field, by its bytes; absent and empty differ."""
    return tuple(
        (name, value.dtype.str, value.tobytes()) if isinstance(value, np.ndarray) else (name, repr(value))
        for name, value in sorted(vars(quantization).items())
    )


def _buffers_to_write(model: Model) -> list[Buffer]:
    # The runtime takes number 0 for "no payload" whatever it holds, so an empty first buffer keeps its place.
    wanted = [b for b in model.buffers[:1] if b.nbytes == 0]
    wanted += [t.buffer for graph in model.subgraphs for t in graph.tensors]
    wanted += [m.buffer for m in model.metadata or []] + (model.metadata_buffers or [])
    return _keep_order(model.buffers, wanted, model.unreferenced)


def _codes_to_write(model: Model) -> list[Any]:
    return _keep_order(model.operator_codes, [op.code for _, op in model.operators()], model.unreferenced)


def _keep_order(present: list[Any], wanted: list[Any], unreferenced: frozenset[int]) -> list[Any]:
    """`present` less what is no longer wanted, then what is wanted and new, each once."""
    needed = set(wanted)
    kept = [x for x in present if x in needed or id(x) in unreferenced]
    return list(dict.fromkeys([*kept, *wanted]))
