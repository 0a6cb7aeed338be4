"""Tensors and their payloads."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from sparsetool_converters.errors import EncodingError, ModelFormatError
from sparsetool_converters.model.element_types import element_type
from sparsetool_converters.model.packed_elements import Packing
from sparsetool_converters.sparsity import DEFAULT_MAX_ELEMENTS, EncodedTensor, check, decode
from sparsetool_converters.tensor_info import TensorInfo

Array = npt.NDArray[Any]

MAX_RANK = 64  # numpy's; the runtime's kernels stop long before


@dataclass(eq=False)
class Buffer:
    """A payload. `data` is uint8, 1-D, or None where the file stores no bytes."""

    data: npt.NDArray[np.uint8] | None = None

    @property
    def nbytes(self) -> int:
        return 0 if self.data is None else int(self.data.size)


@dataclass(eq=False)
class Tensor:
    """A tensor of a subgraph; `fields.buffer` is meaningless here, `buffer` holds the payload.

    `block_scales` and `block_zero_points` are the tensors that blockwise quantization names by index; 0, the
    schema's default, stays in the fields as it is.
    """

    fields: Any  # schema.TensorT
    buffer: Buffer
    block_scales: Tensor | None = None
    block_zero_points: Tensor | None = None

    @property
    def name(self) -> str:
        raw = self.fields.name or b""
        return raw.decode("utf-8", "replace") if isinstance(raw, bytes) else str(raw)

    @property
    def shape(self) -> tuple[int, ...]:
        return () if self.fields.shape is None else tuple(int(d) for d in self.fields.shape)

    @shape.setter
    def shape(self, shape: tuple[int, ...]) -> None:
        self.fields.shape = np.array(shape, np.int32)

    @property
    def type(self) -> int:
        """A value of the schema's `TensorType`."""
        return int(self.fields.type)

    @property
    def type_name(self) -> str:
        return element_type(self.type).name

    @property
    def quantization(self) -> Any:
        """The schema's QuantizationParametersT, or None."""
        return self.fields.quantization

    @property
    def scales(self) -> Array | None:
        """float32 scales, one for the tensor or one per slice of its quantized dimension; None if not quantized."""
        parameters = self.fields.quantization
        if parameters is None or parameters.scale is None or len(parameters.scale) == 0:
            return None
        return np.asarray(parameters.scale, np.float32)

    @property
    def is_sparse(self) -> bool:
        return self.fields.sparsity is not None

    @property
    def is_constant(self) -> bool:
        """Whether the file holds the tensor's values.

        An empty payload is an activation or a variable, but for a sparse tensor: there all blocks were zero.
        """
        return self.buffer.nbytes > 0 or self.is_sparse

    def encoded(self) -> EncodedTensor:
        """The sparse encoding as stored. Raises ModelFormatError if the tensor is not sparse or is inconsistent."""
        from sparsetool_converters.model.sparsity_fields import read_sparsity

        return read_sparsity(self)

    def checked_encoding(self) -> EncodedTensor:
        """The sparse encoding, once it is known that it can be decoded; the dense array is not made.

        Raises:
            ModelFormatError, EncodingError: as `array`, but for the size of the dense array.
        """
        with self._named():
            encoded = self.encoded()
            check(encoded)
            return encoded

    @contextmanager
    def _named(self) -> Iterator[None]:
        """Arrays have no name; what is wrong with one is said of the tensor."""
        try:
            yield
        except EncodingError as problem:
            raise EncodingError(self.name, problem.reason) from problem

    def array(self, *, max_elements: int = DEFAULT_MAX_ELEMENTS) -> Array:
        """The dense values: `shape`, in the type's numpy dtype; a view of the payload where it is stored dense.

        Elements under a byte come unpacked, as int8, or uint8 for unsigned ones.

        Args:
            max_elements: size of the largest array to be made of a sparse tensor.

        Raises:
            ModelFormatError: no payload, a type without elements of a fixed size, a shape that no array has, or
                a payload whose length is not that of the shape.
            EncodingError: sparse metadata that does not fit the shape, or more elements than allowed.
        """
        if not self.is_sparse and self.buffer.data is None:
            raise ModelFormatError(self.name, "has no constant payload")
        if len(self.shape) > MAX_RANK or min(self.shape, default=0) < 0:
            raise ModelFormatError(self.name, f"is damaged: no constant has the shape {_shortened(self.shape)}")
        if self.is_sparse:
            with self._named():
                return decode(self.encoded(), max_elements=max_elements)
        elements = math.prod(self.shape)
        expected = self.nbytes_of(elements)
        if self.buffer.nbytes != expected:
            raise ModelFormatError(
                self.name,
                f"payload has {self.buffer.nbytes} bytes; {self.type_name} {_shortened(self.shape)} takes {expected}",
            )
        assert self.buffer.data is not None
        if self.packing is not None:
            return self.packing.unpack(self.buffer.data)[:elements].reshape(self.shape)
        return self.buffer.data.view(self.dtype()).reshape(self.shape)

    def payload_of(self, array: Array) -> npt.NDArray[np.uint8]:
        """The bytes of an array as this tensor's type stores them, the inverse of `array`.

        Raises:
            EncodingError: a value that elements under a byte cannot hold.
        """
        if self.packing is not None:
            return self.packing.pack(array)
        return np.ascontiguousarray(array).reshape(-1).view(np.uint8)

    def nbytes_of(self, elements: int) -> int:
        """Bytes that so many elements take. Raises as `dtype` does, but not for elements under a byte."""
        return self.dtype().itemsize * elements if self.packing is None else self.packing.nbytes(elements)

    @property
    def array_bytes(self) -> int:
        """Bytes that `array` takes: what the shape declares, elements under a byte with one each.

        Raises as `dtype` does, but not for elements under a byte.
        """
        return math.prod(self.shape) * (self.dtype().itemsize if self.packing is None else 1)

    def info(self, signature_name: str = "") -> TensorInfo:
        """The tensor as an input or output, named as a signature names it. Raises as `dtype` does."""
        scales, zero_points = self.scales, None if self.quantization is None else self.quantization.zeroPoint
        signature = self.fields.shapeSignature
        return TensorInfo(
            name=self.name,
            signature_name=signature_name,
            shape=self.shape,
            shape_signature=self.shape if signature is None else tuple(int(d) for d in signature),
            dtype=self.dtype().name,
            scale=float(scales[0]) if scales is not None else 0.0,
            zero_point=int(zero_points[0]) if zero_points is not None and len(zero_points) else 0,
        )

    def dtype(self) -> np.dtype[Any]:
        """The numpy dtype of one element. Raises ModelFormatError for types that have none."""
        if self.element_dtype is None:
            raise ModelFormatError(self.name, f"type {self.type_name} has no elements of whole bytes")
        return self.element_dtype

    @property
    def element_dtype(self) -> np.dtype[Any] | None:
        """The numpy dtype of one element; None for strings, resources and elements under a byte."""
        return element_type(self.type).dtype

    @property
    def packing(self) -> Packing | None:
        """How elements under a byte are stored; None for all others."""
        return element_type(self.type).packing


def _shortened(shape: tuple[int, ...]) -> str:
    return str(list(shape)) if len(shape) <= 8 else f"of {len(shape):,} dimensions"
