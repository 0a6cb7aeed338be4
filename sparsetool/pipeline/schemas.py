"""The published schema of every JSON document: what commands print with --json, and what files they write.

A number that may be no finite one is null where it is not. Fields may be added within a version; a field that goes or
changes its meaning makes another version.
"""

import json
from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from sparsetool.pipeline.certificate import RepetitionRecord
from sparsetool.pipeline.pack import PackRecord
from sparsetool.report.bench_record import BenchRecord
from sparsetool.report.diff_record import DiffRecord
from sparsetool.report.inspection import InspectionRecord
from sparsetool.report.measured_record import MeasuredRecord
from sparsetool.report.plans import PlanRecord
from sparsetool.report.pruning_plan import PruningPlan
from sparsetool.report.pruning_record import Numbers
from sparsetool.report.records import SCHEMA_VERSION, ArtifactRecord, RunRecord, TrainingRecord
from sparsetool.report.report_record import ReportRecord
from sparsetool.report.target_records import ExplanationRecord, TargetCheckRecord
from sparsetool.report.verification_record import VerificationRecord
from sparsetool_converters.codec import Accounting
from sparsetool_converters.errors import UsageError
from sparsetool_converters.passes.recipes import Algorithm, QuantizationRecipe

DIALECT = "https://json-schema.org/draft/2020-12/schema"


@dataclass(frozen=True, kw_only=True)
class UnpackRecord:
    """What `sparsetool unpack` wrote.

    Attributes:
        output: the file.
        disk_bytes: its size.
    """

    output: str
    disk_bytes: int


@dataclass(frozen=True, kw_only=True)
class QuantizationsRecord:
    """What `sparsetool quantizations` lists.

    Attributes:
        recipes: every recipe.
        algorithms: every way to find scales.
        takes_algorithm: recipes that an algorithm may be chosen for.
    """

    recipes: tuple[QuantizationRecipe, ...]
    algorithms: tuple[Algorithm, ...]
    takes_algorithm: tuple[str, ...]


KINDS: dict[str, Any] = {
    "bench": BenchRecord,
    "compress": ArtifactRecord,
    "densify": ArtifactRecord,
    "diff": DiffRecord,
    "explain": ExplanationRecord,
    "inspect": InspectionRecord,
    "measured": MeasuredRecord,
    "pack": PackRecord,
    "packing": Accounting,
    "plan": PlanRecord,
    "prune": TrainingRecord,
    "prune plan": PruningPlan,
    "pruning record": Numbers,
    "quantizations": QuantizationsRecord,
    "report": ReportRecord,
    "run": RunRecord,
    "targets check": TargetCheckRecord,
    "unpack": UnpackRecord,
    "verify": VerificationRecord,
    "verify against": RepetitionRecord,
}
"""What each kind of document holds, beside its `kind` and `schema_version`."""


class _WithoutInfinities(GenerateJsonSchema):
    """JSON has no word for NaN and infinities, so any number with a point may be null."""

    def float_schema(self, schema: core_schema.FloatSchema) -> JsonSchemaValue:
        return {"type": ["number", "null"]}


def schema_of(kind: str) -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of a kind of document.

    Raises:
        UsageError: there is no such kind.
    """
    if kind not in KINDS:
        raise UsageError(f"there is no document of the kind {kind!r}; there are {', '.join(KINDS)}")
    made = TypeAdapter(KINDS[kind]).json_schema(
        mode="serialization", schema_generator=_WithoutInfinities, ref_template="#/$defs/{model}"
    )
    properties = {"schema_version": {"const": SCHEMA_VERSION}, "kind": {"const": kind}, **made.pop("properties")}
    return {
        "$schema": DIALECT,
        "title": f"sparsetool {kind}",
        "description": made.pop("description", ""),
        **{key: value for key, value in made.items() if key not in ("title", "required")},
        "properties": properties,
        "required": list(properties),
    }


def file_name(kind: str) -> str:
    """The name of a kind's schema among the published ones."""
    return f"{kind.replace(' ', '-')}.schema.json"


def schema_files() -> dict[str, str]:
    """The published schemas by the names of their files: what docs/schemas holds."""
    return {file_name(kind): json.dumps(schema_of(kind), indent=1) + "\n" for kind in KINDS}
