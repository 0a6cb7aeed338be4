"""A tensor's `SparsityParameters`, to and from encoded arrays."""

from typing import Any

import numpy as np
import numpy.typing as npt
from ai_edge_litert import schema_py_generated as schema

from sparsetool_converters.errors import ModelFormatError
from sparsetool_converters.model.tensors import Buffer, Tensor
from sparsetool_converters.sparsity import (
    BlockFormat,
    DimensionFormat,
    DimensionMetadata,
    EncodedTensor,
    narrowest,
)

_VECTOR_TYPES: dict[str, tuple[int, type]] = {
    "uint8": (schema.SparseIndexVector.Uint8Vector, schema.Uint8VectorT),
    "uint16": (schema.SparseIndexVector.Uint16Vector, schema.Uint16VectorT),
    "int32": (schema.SparseIndexVector.Int32Vector, schema.Int32VectorT),
}


def read_sparsity(tensor: Tensor) -> EncodedTensor:
    """The encoding that a sparse tensor is stored in.

    Raises:
        ModelFormatError: the tensor is not sparse, or its payload is no whole number of elements.
        EncodingError: the layout is none that the runtime decodes.
    """
    fields = tensor.fields.sparsity
    if fields is None:
        raise ModelFormatError(tensor.name, "is not a sparse constant")
    payload = np.zeros(0, np.uint8) if tensor.buffer.data is None else tensor.buffer.data  # none: all zeros
    metadata = fields.dimMetadata or []
    block_format = BlockFormat.from_levels(
        traversal_order=[int(d) for d in _list(fields.traversalOrder)],
        formats=[int(m.format) for m in metadata],
        dense_sizes=[int(m.denseSize) for m in metadata],
        block_map=[int(d) for d in _list(fields.blockMap)],
    )
    levels = tuple(
        DimensionMetadata(
            format=DimensionFormat(m.format),
            dense_size=int(m.denseSize),
            segments=_values(m.arraySegments),
            indices=_values(m.arrayIndices),
        )
        for m in metadata
    )
    return EncodedTensor(
        shape=tensor.shape,
        block_format=block_format,
        levels=levels,
        values=_stored_values(tensor, payload, levels),
    )


def _stored_values(
    tensor: Tensor, payload: npt.NDArray[np.uint8], levels: tuple[DimensionMetadata, ...]
) -> npt.NDArray[Any]:
    """The values, less those that only fill the last byte of elements under one."""
    if tensor.packing is not None:
        values = tensor.packing.unpack(payload)
        kept = 1
        for level in levels:
            kept = kept * level.dense_size if level.indices is None else len(level.indices)
        return values[:kept] if 0 <= values.size - kept < tensor.packing.per_byte else values
    dtype = tensor.dtype()
    if payload.size % dtype.itemsize:
        raise ModelFormatError(tensor.name, f"payload of {payload.size} bytes is cut inside an element")
    return payload.view(dtype)


def write_sparsity(tensor: Tensor, encoded: EncodedTensor) -> None:
    """Store the tensor as `encoded`, in a buffer of its own, index vectors in the narrowest type."""
    fields = schema.SparsityParametersT()
    fields.traversalOrder = np.array(encoded.block_format.traversal_order, np.int32)
    # The runtime takes an empty block map as none; TensorFlow's own converter writes it empty, too.
    fields.blockMap = np.array(encoded.block_format.block_map, np.int32)
    fields.dimMetadata = [_metadata(level) for level in encoded.levels]
    tensor.fields.sparsity = fields
    tensor.buffer = Buffer(tensor.payload_of(encoded.values))


def _metadata(level: DimensionMetadata) -> Any:
    fields = schema.DimensionMetadataT()
    fields.format, fields.denseSize = int(level.format), level.dense_size
    if level.segments is not None:
        fields.arraySegmentsType, fields.arraySegments = _vector(level.segments)
    if level.indices is not None:
        fields.arrayIndicesType, fields.arrayIndices = _vector(level.indices)
    return fields


def _vector(values: npt.NDArray[Any]) -> tuple[int, Any]:
    values = narrowest(values)
    kind, table = _VECTOR_TYPES[values.dtype.name]
    return kind, table(values)


def _values(vector: Any) -> npt.NDArray[Any] | None:
    if vector is None:
        return None
    return np.zeros(0, np.int32) if vector.values is None else np.asarray(vector.values)


def _list(vector: Any) -> Any:
    return [] if vector is None else vector
