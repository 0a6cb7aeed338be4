"""Refuse what could not be written back.

A table of a newer schema may hold fields that the installed schema does not know. Reading them gives nothing, so
saving would drop them in silence. A table's vtable tells how many slots the writer knew; one that is used beyond
the slots that the installed schema knows is refused by name.
"""

from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

from ai_edge_litert import schema_py_generated as schema
from flatbuffers import number_types as flags

from sparsetool_converters.errors import ModelFormatError


class _SlotCounter:
    """Stands in for a flatbuffers builder and records how many slots a table starts with."""

    slots = 0

    def StartObject(self, slots: int) -> None:  # noqa: N802 (the builder's own name)
        self.slots = slots


@cache
def _known_slots(table_name: str) -> int:
    counter = _SlotCounter()
    getattr(schema, f"{table_name}Start")(counter)
    return counter.slots


@cache
def _union_names(union_name: str) -> dict[int, str]:
    return {v: k for k, v in vars(getattr(schema, union_name)).items() if not k.startswith("_")}


def refuse_unknown_fields(model: Any, size_bytes: int, where: str) -> None:
    """Raise ModelFormatError for the first table that uses fields or union members the schema does not know.

    Args:
        model: the root table.
        size_bytes: length of the file. Vectors that together have more entries than the file has room for are
            refused, too, before anybody walks along them.
        where: what to call the file in errors.
    """
    room = size_bytes // 4  # an entry of a vector of tables or of int32 takes 4 bytes

    def claim(*lengths: int) -> None:
        nonlocal room
        room -= sum(lengths)
        if room < 0:
            raise ModelFormatError(where, f"is damaged: its vectors claim more entries than {size_bytes:,} bytes hold")

    def check(table: Any, name: str) -> Any:
        if table is not None:
            _check_table(table._tab, name, where)
        return table

    def each(get: Callable[[int], Any], length: int, name: str) -> Iterator[Any]:
        claim(length)
        return (check(get(i), name) for i in range(length))

    def union(kind: int, table: Any, union_name: str, owner: str) -> None:
        if kind == 0:
            return
        names = _union_names(union_name)
        if kind not in names:
            raise ModelFormatError(
                where,
                f"{owner} uses {union_name} {kind} of a newer schema; update ai-edge-litert to carry it",
            )
        if table is not None:
            _check_table(table, names[kind], where)

    def check_tensor(tensor: Any) -> None:
        quantization = check(tensor.Quantization(), "QuantizationParameters")
        if quantization is not None:
            union(quantization.DetailsType(), quantization.Details(), "QuantizationDetails", "a tensor")
        for _ in each(tensor.VariantTensors, tensor.VariantTensorsLength(), "VariantSubType"):
            pass
        sparsity = check(tensor.Sparsity(), "SparsityParameters")
        if sparsity is not None:
            for level in each(sparsity.DimMetadata, sparsity.DimMetadataLength(), "DimensionMetadata"):
                union(level.ArraySegmentsType(), level.ArraySegments(), "SparseIndexVector", "a sparse tensor")
                union(level.ArrayIndicesType(), level.ArrayIndices(), "SparseIndexVector", "a sparse tensor")

    check(model, "Model")
    for get, length, name in (
        (model.OperatorCodes, model.OperatorCodesLength(), "OperatorCode"),
        (model.Buffers, model.BuffersLength(), "Buffer"),
        (model.Metadata, model.MetadataLength(), "Metadata"),
        (model.ExternalBufferGroups, model.ExternalBufferGroupsLength(), "ExternalBufferGroup"),
        (model.ExternalBuffers, model.ExternalBuffersLength(), "ExternalBuffer"),
    ):
        for _ in each(get, length, name):
            pass
    for signature in each(model.SignatureDefs, model.SignatureDefsLength(), "SignatureDef"):
        for _ in each(signature.Inputs, signature.InputsLength(), "TensorMap"):
            pass
        for _ in each(signature.Outputs, signature.OutputsLength(), "TensorMap"):
            pass
    for graph in each(model.Subgraphs, model.SubgraphsLength(), "SubGraph"):
        claim(graph.InputsLength(), graph.OutputsLength())
        for tensor in each(graph.Tensors, graph.TensorsLength(), "Tensor"):
            check_tensor(tensor)
        for op in each(graph.Operators, graph.OperatorsLength(), "Operator"):
            claim(op.InputsLength(), op.OutputsLength(), op.IntermediatesLength())
            union(op.BuiltinOptionsType(), op.BuiltinOptions(), "BuiltinOptions", "an operator")
            union(op.BuiltinOptions2Type(), op.BuiltinOptions2(), "BuiltinOptions2", "an operator")


def _check_table(table: Any, name: str, where: str) -> None:
    vtable = table.Pos - table.Get(flags.SOffsetTFlags, table.Pos)
    used = (table.Get(flags.VOffsetTFlags, vtable) - 4) // 2
    for slot in range(_known_slots(name), used):
        if table.Get(flags.VOffsetTFlags, vtable + 4 + 2 * slot) != 0:
            raise ModelFormatError(
                where,
                f"{name} has field {slot} of a newer schema, which saving would drop; update ai-edge-litert",
            )
