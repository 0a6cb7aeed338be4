"""Refuse what could not be written back.

A table of a newer schema may hold fields that the installed schema does not know. Reading them gives nothing, so
saving would drop them in silence. A table's vtable tells how many slots the writer knew; one that is used beyond
the slots that the installed schema knows is refused by name.
"""

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


def refuse_unknown_fields(model: Any, where: str) -> None:
    """Raise ModelFormatError for the first table that uses fields or union members the schema does not know."""

    def check(table: Any, name: str) -> Any:
        if table is not None:
            _check_table(table._tab, name, where)
        return table

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

    check(model, "Model")
    for i in range(model.OperatorCodesLength()):
        check(model.OperatorCodes(i), "OperatorCode")
    for i in range(model.BuffersLength()):
        check(model.Buffers(i), "Buffer")
    for i in range(model.MetadataLength()):
        check(model.Metadata(i), "Metadata")
    for i in range(model.SignatureDefsLength()):
        check(model.SignatureDefs(i), "SignatureDef")
    for g in range(model.SubgraphsLength()):
        graph = check(model.Subgraphs(g), "SubGraph")
        for i in range(graph.TensorsLength()):
            tensor = check(graph.Tensors(i), "Tensor")
            quantization = check(tensor.Quantization(), "QuantizationParameters")
            if quantization is not None:
                union(quantization.DetailsType(), quantization.Details(), "QuantizationDetails", "a tensor")
            sparsity = check(tensor.Sparsity(), "SparsityParameters")
            for d in range(sparsity.DimMetadataLength() if sparsity is not None else 0):
                check(sparsity.DimMetadata(d), "DimensionMetadata")
        for i in range(graph.OperatorsLength()):
            op = check(graph.Operators(i), "Operator")
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
