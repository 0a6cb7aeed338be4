"""The model as objects that hold one another.

Each class keeps the schema's own object in `fields`, so that whatever is not understood here is carried through
untouched. Only what is an index in the file is a reference here: an operator holds its tensors, a tensor its buffer.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from mmap import mmap
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
from ai_edge_litert import schema_py_generated as schema

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


@dataclass(eq=False)
class OperatorCode:
    """Which kernel an operator calls. The version lives here, so two versions are two objects."""

    fields: Any  # schema.OperatorCodeT

    @property
    def builtin(self) -> int:
        """A value of the schema's `BuiltinOperator`; small codes may stand in the deprecated field only."""
        return max(int(self.fields.builtinCode), int(self.fields.deprecatedBuiltinCode))

    @property
    def version(self) -> int:
        return int(self.fields.version)

    @property
    def name(self) -> str:
        """The builtin's name, or the custom op's own."""
        if self.fields.customCode:
            raw = self.fields.customCode
            return raw.decode("utf-8", "replace") if isinstance(raw, bytes) else str(raw)
        return BUILTIN_NAMES.get(self.builtin, f"BUILTIN_{self.builtin}")


@dataclass(eq=False)
class Operator:
    """A call of a kernel. `inputs` holds None where an optional input is left out."""

    fields: Any  # schema.OperatorT
    code: OperatorCode
    inputs: list[Tensor | None]
    outputs: list[Tensor | None]
    intermediates: list[Tensor | None] = field(default_factory=list)

    @property
    def name(self) -> str:
        return self.code.name


@dataclass(eq=False)
class Subgraph:
    """A function: its tensors, and its operators in the order of execution."""

    fields: Any  # schema.SubGraphT
    tensors: list[Tensor]
    inputs: list[Tensor | None]
    outputs: list[Tensor | None]
    operators: list[Operator]

    def consumers(self) -> dict[Tensor, list[tuple[Operator, int]]]:
        """Who reads each tensor, and as which input."""
        found: dict[Tensor, list[tuple[Operator, int]]] = {}
        for operator in self.operators:
            for position, tensor in enumerate(operator.inputs):
                if tensor is not None:
                    found.setdefault(tensor, []).append((operator, position))
        return found

    def producers(self) -> dict[Tensor, Operator]:
        """Which operator writes each tensor."""
        return {t: op for op in self.operators for t in op.outputs if t is not None}

    def referenced(self) -> set[Tensor]:
        """The tensors that anything in this subgraph refers to: operators, its ends, and quantization by blocks."""
        found: set[Tensor | None] = {*self.inputs, *self.outputs}
        for operator in self.operators:
            found.update(operator.inputs, operator.outputs, operator.intermediates)
        for tensor in self.tensors:
            found.update((tensor.block_scales, tensor.block_zero_points))
        return {tensor for tensor in found if tensor is not None}


@dataclass(eq=False)
class SignatureEntry:
    """A name that a signature gives to a tensor; `fields.tensorIndex` is meaningless here."""

    fields: Any  # schema.TensorMapT
    tensor: Tensor


@dataclass(eq=False)
class Signature:
    """A named entry point of the model."""

    fields: Any  # schema.SignatureDefT
    inputs: list[SignatureEntry]
    outputs: list[SignatureEntry]


@dataclass(eq=False)
class Metadata:
    """A named payload that travels with the model."""

    fields: Any  # schema.MetadataT
    buffer: Buffer


@dataclass(eq=False)
class Model:
    """A whole .tflite file.

    `buffers` and `operator_codes` keep the order of the file; on saving, entries that an edit made unreferenced
    go, new ones are appended, and entries that nothing referred to in the first place stay.
    """

    fields: Any  # schema.ModelT
    subgraphs: list[Subgraph]
    operator_codes: list[OperatorCode]
    buffers: list[Buffer]
    signatures: list[Signature] | None
    metadata: list[Metadata] | None
    metadata_buffers: list[Buffer] | None
    unreferenced: frozenset[int]  # id() of buffers and codes that nothing referred to when the file was read

    @classmethod
    def from_file(cls, path: str | Path) -> Model:
        """Read a model from a file that is mapped, not loaded: payloads are views of it, read when they are used.

        The file must not be cut or rewritten in place as long as the model lives; `save` never does that.

        Raises:
            ModelFormatError: the file cannot be read, or as `from_bytes`.
        """
        from sparsetool_converters.model.files import map_file

        return cls.from_bytes(map_file(Path(path)), where=str(path))

    @classmethod
    def from_bytes(cls, data: bytes | bytearray | memoryview | mmap, *, where: str = "model") -> Model:
        """Read a model. The payloads are views of `data`, not copies.

        Args:
            data: the file's bytes.
            where: what to call the file in errors.

        Raises:
            ModelFormatError: the bytes are not a .tflite file, are damaged, or hold fields of a newer schema
                that could not be written back.
        """
        from sparsetool_converters.model.reader import read_model

        return read_model(data, where)

    def to_bytes(self) -> bytes:
        """The model as a file's bytes.

        Every payload stands inside the flatbuffer, at a multiple of 16 bytes. Where they don't fit, since a
        flatbuffer ends at 2 GiB, those of tensors from 1 KiB on and large custom options stand behind it,
        likewise aligned; so does the stock runtime expect it.

        Raises:
            ModelFormatError: the tables alone take 2 GiB or more.
        """
        from sparsetool_converters.model.writer import model_pieces

        return b"".join(model_pieces(self))

    def write(self, file: BinaryIO) -> int:
        """Write the bytes of `to_bytes` to an open file, payload by payload, and return their number.

        Raises:
            ModelFormatError: as `to_bytes`.
        """
        from sparsetool_converters.model.writer import model_pieces

        return sum(file.write(piece) for piece in model_pieces(self))

    def save(self, path: str | Path) -> int:
        """Write the model to a file, whole or not at all, and return its bytes.

        The file may be the one that the model was read from.

        Raises:
            ModelFormatError: as `to_bytes`.
            OutputError: the file cannot be written.
        """
        from sparsetool_converters.model.files import replaced

        with replaced(Path(path)) as file:
            return self.write(file)

    def operators(self) -> Iterator[tuple[Subgraph, Operator]]:
        """All operators, with the subgraph that they stand in."""
        for subgraph in self.subgraphs:
            for operator in subgraph.operators:
                yield subgraph, operator

    def interface(self) -> set[Tensor]:
        """The tensors that callers see: inputs and outputs of subgraphs, and what signatures name."""
        ends = [t for graph in self.subgraphs for t in [*graph.inputs, *graph.outputs] if t is not None]
        return {*ends, *(entry.tensor for s in self.signatures or [] for entry in [*s.inputs, *s.outputs])}

    def users(self) -> dict[Buffer, list[Tensor]]:
        """The tensors that hold each buffer."""
        found: dict[Buffer, list[Tensor]] = {}
        for subgraph in self.subgraphs:
            for tensor in subgraph.tensors:
                found.setdefault(tensor.buffer, []).append(tensor)
        return found

    def operator_code(self, builtin: int, version: int) -> OperatorCode:
        """The entry for a builtin at exactly this version, added if the model has none."""
        for code in self.operator_codes:
            if code.builtin == builtin and code.version == version and not code.fields.customCode:
                return code
        fields = schema.OperatorCodeT()
        fields.builtinCode, fields.version = builtin, version
        # The deprecated byte must hold the code too, up to 127, where it says PLACEHOLDER_FOR_GREATER_OP_CODES:
        # tflite/schema/schema_utils.cc takes the larger of the two.
        fields.deprecatedBuiltinCode = min(builtin, 127)
        code = OperatorCode(fields)
        self.operator_codes.append(code)
        return code


def _shortened(shape: tuple[int, ...]) -> str:
    return str(list(shape)) if len(shape) <= 8 else f"of {len(shape):,} dimensions"


BUILTIN_NAMES: dict[int, str] = {
    value: name for name, value in vars(schema.BuiltinOperator).items() if not name.startswith("_")
}
