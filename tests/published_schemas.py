"""The JSON Schemas in docs/schemas, as somebody who reads the documents of the command line has them."""

import json
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jsonschema import Draft202012Validator

FOLDER = Path(__file__).parents[1] / "docs" / "schemas"


def strict(schema: Any) -> Any:
    """The schema, refusing keys that it does not tell of."""
    if isinstance(schema, dict):
        closed = {"additionalProperties": False} if "properties" in schema else {}
        return {**closed, **{key: strict(value) for key, value in schema.items()}}
    return [strict(each) for each in schema] if isinstance(schema, list) else schema


def validate(document: dict[str, Any]) -> None:
    """Raise unless a document keeps the schema that is published for its kind, and has no other keys."""
    _validator(document["kind"]).validate(document)


@cache
def _validator(kind: str) -> "Draft202012Validator":
    from jsonschema import Draft202012Validator  # where tests run that validate nothing, it need not be installed

    path = FOLDER / f"{kind.replace(' ', '-')}.json"
    return Draft202012Validator(strict(json.loads(path.read_text("utf-8"))))
