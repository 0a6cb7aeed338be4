"""The JSON Schema of a recipe, for editors: made from the sections themselves."""

import inspect
from typing import Any

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from sparsetool.docstrings import attributes_of
from sparsetool.recipe.whole import Recipe

DIALECT = "https://json-schema.org/draft/2020-12/schema"


class _Generator(GenerateJsonSchema):
    """What may be left out is left out: TOML has no null."""

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False

    def model_schema(self, schema: core_schema.ModelSchema) -> JsonSchemaValue:
        made = super().model_schema(schema)
        section = schema["cls"]
        made.pop("title", None)
        made["description"] = (inspect.getdoc(section) or "").partition("\n\n")[0].replace("\n", " ")
        told: dict[str, str] = {}
        for base in reversed(section.__mro__):
            told |= attributes_of(inspect.cleandoc(base.__doc__ or ""))
        for name, key in made["properties"].items():
            key["description"] = told[name]
            if key.get("default") is None or isinstance(key["default"], dict):
                key.pop("default", None)
        return made


def recipe_schema() -> dict[str, Any]:
    """The JSON Schema, 2020-12, of what `load_recipe` reads.

    What keys say together is not in it: it knows types, ranges and names.
    """
    made = Recipe.model_json_schema(schema_generator=_Generator)
    return {"$schema": DIALECT, "title": "sparsetool recipe", **made}
