"""JSON Schemas of the documents that the command line prints, made from the records themselves."""

import inspect
from typing import Any

from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from sparsetool.docstrings import attributes_of
from sparsetool.report.records import SCHEMA_VERSION

DIALECT = "https://json-schema.org/draft/2020-12/schema"


class _Generator(GenerateJsonSchema):
    """Every key is always there; a number that is no finite one is null, since JSON has no word for it."""

    def float_schema(self, schema: core_schema.FloatSchema) -> JsonSchemaValue:
        return {"type": ["number", "null"]}

    def field_is_required(self, field: Any, total: bool) -> bool:
        return True

    def dataclass_schema(self, schema: core_schema.DataclassSchema) -> JsonSchemaValue:
        made = super().dataclass_schema(schema)
        documentation = inspect.getdoc(schema["cls"]) or ""
        made["description"] = documentation.partition("\n\n")[0].replace("\n", " ")
        for name, text in attributes_of(documentation).items():
            if name in made["properties"]:
                made["properties"][name].pop("default", None)
                made["properties"][name]["description"] = text
        return made


def schema_of(kind: str, record: Any) -> dict[str, Any]:
    """The JSON Schema, 2020-12, of a document of this kind that holds this record.

    Keys may be added to a document without a new version; none goes or changes its meaning.

    Args:
        kind: as `as_json` is given it.
        record: the record's dataclass.
    """
    made = TypeAdapter(record).json_schema(mode="serialization", schema_generator=_Generator)
    head = {"schema_version": {"const": SCHEMA_VERSION}, "kind": {"const": kind}}
    return {
        "$schema": DIALECT,
        **made,
        "title": f"sparsetool {kind}",
        "properties": {**head, **made["properties"]},
        "required": [*head, *made["required"]],
    }
