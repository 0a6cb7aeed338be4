"""From objects to bytes: indices are assigned once, payloads are aligned, the model itself is not touched."""

from copy import copy
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

from sparsetool_converters.errors import ModelFormatError
from sparsetool_converters.model.objects import Buffer, Model, OperatorCode, Signature, Subgraph, Tensor

ALIGNMENT = 16  # force_align of Buffer.data in tflite/schema/schema.fbs; the generated Pack ignores it
MAX_BYTES = 2**31 - 1  # flatbuffers offsets are signed 32 bit


class _AlignedBuffer(schema.BufferT):  # type: ignore[misc]  # the schema module is untyped
    """A buffer table whose payload starts at a multiple of 16 bytes."""

    def __init__(self, buffer: Buffer) -> None:
        super().__init__(data=buffer.data)

    def Pack(self, builder: Any) -> Any:  # noqa: N802 (the generated schema's own name)
        data = None
        if self.data is not None:
            builder.StartVector(1, self.data.size, ALIGNMENT)
            builder.head -= self.data.size
            builder.Bytes[builder.head : builder.head + self.data.size] = np.ascontiguousarray(self.data).data
            data = builder.EndVector()
        schema.BufferStart(builder)
        if data is not None:
            schema.BufferAddData(builder, data)
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


def write_model(model: Model) -> bytes:
    """See `Model.to_bytes`."""
    buffers = _buffers_to_write(model)
    codes = _codes_to_write(model)
    payload_bytes = sum(b.nbytes for b in buffers)
    if payload_bytes >= MAX_BYTES:
        raise ModelFormatError("model", f"payloads of {payload_bytes:,} bytes do not fit one flatbuffer (2 GiB)")
    index = _Indices(model, buffers, codes)

    fields = copy(model.fields)
    fields.buffers = [_AlignedBuffer(b) for b in buffers]
    fields.operatorCodes = [c.fields for c in codes]
    fields.subgraphs = [index.subgraph(graph) for graph in model.subgraphs]
    # What the model has none of any more must not be written as it was read, with indices of that time.
    fields.signatureDefs = fields.metadata = fields.metadataBuffer = None
    if model.signatures is not None:
        fields.signatureDefs = [index.signature(s) for s in model.signatures]
    if model.metadata is not None:
        fields.metadata = [_with(m.fields, buffer=index.buffers[m.buffer]) for m in model.metadata]
    if model.metadata_buffers is not None:
        fields.metadataBuffer = np.array([index.buffers[b] for b in model.metadata_buffers], np.int32)

    builder = flatbuffers.Builder(payload_bytes + 2**16)  # one allocation for most models
    builder.Finish(fields.Pack(builder), b"TFL3")
    return bytes(builder.Output())


class _Indices:
    """Where each object stands in the file, and the schema's records that say so."""

    def __init__(self, model: Model, buffers: list[Buffer], codes: list[OperatorCode]) -> None:
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
