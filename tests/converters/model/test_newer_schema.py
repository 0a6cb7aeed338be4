"""What a newer schema may hold and the installed one would drop is refused by name."""

from typing import Any

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from models_in_memory import Graph, new_model, packed, signature

from sparsetool_converters.errors import ModelFormatError
from sparsetool_converters.model import Model


def model_with_everything() -> Any:
    model = new_model()
    graph = Graph(model)
    x, y = graph.tensor("x", (1, 4)), graph.tensor("y", (1, 4))
    w = graph.constant("w", np.eye(4, dtype=np.int8), scale=1.0)
    graph.fully_connected(x, w, -1, y)
    graph.ends([x], [y])
    level = schema.DimensionMetadataT(format=1)
    level.arraySegmentsType = level.arrayIndicesType = schema.SparseIndexVector.Int32Vector
    level.arraySegments, level.arrayIndices = (schema.Int32VectorT(values=[0]) for _ in range(2))
    graph.subgraph.tensors[w].sparsity = schema.SparsityParametersT(dimMetadata=[level])
    graph.subgraph.tensors[x].variantTensors = [schema.VariantSubTypeT(shape=[1])]
    details = schema.CustomQuantizationT(custom=[1])
    kind = schema.QuantizationDetails.CustomQuantization
    graph.subgraph.tensors[y].quantization = schema.QuantizationParametersT(details=details, detailsType=kind)
    model.signatureDefs = [signature("s", {"x": x}, {"y": y})]
    model.metadata = [schema.MetadataT(name=b"n")]
    return model


def packed_by_a_newer_writer(model: Any, table: str) -> tuple[bytes, int]:
    """The file as a writer would make it whose schema has one field more in this table, and the field's number."""
    start, end = getattr(schema, f"{table}Start"), getattr(schema, f"{table}End")
    slots = []

    class Counter:
        def StartObject(self, count: int) -> None:  # noqa: N802 (the builder's own name)
            slots.append(count)

    start(Counter())

    def longer_start(builder: Any) -> None:
        builder.StartObject(slots[0] + 1)

    def longer_end(builder: Any) -> Any:
        builder.PrependInt32Slot(slots[0], 7, 0)
        return end(builder)

    with pytest.MonkeyPatch.context() as newer:
        newer.setattr(schema, f"{table}Start", longer_start)
        newer.setattr(schema, f"{table}End", longer_end)
        return packed(model), slots[0]


@pytest.mark.parametrize(
    "table",
    [
        "Model",
        "OperatorCode",
        "SubGraph",
        "Tensor",
        "VariantSubType",
        "QuantizationParameters",
        "CustomQuantization",
        "SparsityParameters",
        "DimensionMetadata",
        "Int32Vector",
        "Operator",
        "FullyConnectedOptions",
        "Buffer",
        "Metadata",
        "SignatureDef",
        "TensorMap",
    ],
)
def test_unknown_field_is_refused_by_table_and_number(table: str) -> None:
    data, field = packed_by_a_newer_writer(model_with_everything(), table)
    with pytest.raises(ModelFormatError, match=f"{table} has field {field} of a newer schema"):
        Model.from_bytes(data)


def test_all_known_fields_are_accepted() -> None:
    assert Model.from_bytes(packed(model_with_everything())).subgraphs


def test_unknown_field_that_is_not_used_is_no_loss() -> None:
    start = schema.TensorStart
    with pytest.MonkeyPatch.context() as newer:
        newer.setattr(schema, "TensorStart", lambda builder: builder.StartObject(40))
        data = packed(model_with_everything())
    assert schema.TensorStart is start
    assert Model.from_bytes(data).to_bytes() == Model.from_bytes(packed(model_with_everything())).to_bytes()


@pytest.mark.parametrize(
    ("union", "holder", "field"),
    [
        ("BuiltinOptions", lambda g: g.operators[0], "builtinOptionsType"),
        ("BuiltinOptions2", lambda g: g.operators[0], "builtinOptions2Type"),
        ("QuantizationDetails", lambda g: g.tensors[1].quantization, "detailsType"),
        ("SparseIndexVector", lambda g: g.tensors[2].sparsity.dimMetadata[0], "arraySegmentsType"),
        ("SparseIndexVector", lambda g: g.tensors[2].sparsity.dimMetadata[0], "arrayIndicesType"),
    ],
)
def test_unknown_union_member_is_refused_by_number(union: str, holder: Any, field: str) -> None:
    model = model_with_everything()
    setattr(holder(model.subgraphs[0]), field, 250)
    with pytest.raises(ModelFormatError, match=f"{union} 250 of a newer schema; update ai-edge-litert"):
        Model.from_bytes(packed(model))


def test_operator_and_element_type_without_a_name_are_carried_through() -> None:
    model = model_with_everything()
    model.operatorCodes[0].builtinCode = 100_000
    model.subgraphs[0].tensors[0].type = 120
    read = Model.from_bytes(packed(model))
    assert read.subgraphs[0].operators[0].name == "BUILTIN_100000"
    assert read.subgraphs[0].tensors[0].type_name == "TYPE_120"
    again = Model.from_bytes(read.to_bytes())
    assert (again.operator_codes[0].builtin, again.subgraphs[0].tensors[0].type) == (100_000, 120)
