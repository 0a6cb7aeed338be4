"""The model as objects that hold one another.

Each class keeps the schema's own object in `fields`, so that whatever is not understood here is carried through
untouched. Only what is an index in the file is a reference here: an operator holds its tensors, a tensor its buffer.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from mmap import mmap
from pathlib import Path
from typing import Any, BinaryIO

from ai_edge_litert import schema_py_generated as schema

from sparsetool_converters.model.tensors import Buffer, Tensor


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

    def custom_code(self, name: str) -> OperatorCode:
        """The entry for a custom operator of this name at version 1, added if the model has none."""
        for code in self.operator_codes:
            if code.fields.customCode and code.name == name and code.version == 1:
                return code
        custom = schema.BuiltinOperator.CUSTOM
        code = OperatorCode(
            schema.OperatorCodeT(builtinCode=custom, deprecatedBuiltinCode=custom, customCode=name, version=1)
        )
        self.operator_codes.append(code)
        return code


BUILTIN_NAMES: dict[int, str] = {
    value: name for name, value in vars(schema.BuiltinOperator).items() if not name.startswith("_")
}
