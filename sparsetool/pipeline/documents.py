"""The kinds of JSON documents that the command line prints or that files hold, and the schema of each."""

import difflib
import json
from typing import Any

from sparsetool.pipeline.certificate import RepetitionRecord
from sparsetool.pipeline.embedding import EmbedRecord
from sparsetool.pipeline.pack import PackRecord
from sparsetool.recipe import recipe_schema
from sparsetool.report.bench_record import BenchRecord
from sparsetool.report.config_record import ConfigRecord
from sparsetool.report.diff_record import DiffRecord
from sparsetool.report.error_record import ErrorRecord
from sparsetool.report.inspection import InspectionRecord
from sparsetool.report.measured_record import MeasuredRecord
from sparsetool.report.plans import PlanRecord
from sparsetool.report.pruning_plan import PruningPlan
from sparsetool.report.pruning_record import Numbers
from sparsetool.report.records import ArtifactRecord, RunRecord, TrainingRecord
from sparsetool.report.report_record import ReportRecord
from sparsetool.report.schemas import schema_of
from sparsetool.report.size_records import BaselineRecord, BatchRecord, SizesRecord
from sparsetool.report.small_records import PlotRecord, QuantizationsRecord, UnpackRecord
from sparsetool.report.target_records import ExplanationRecord, TargetCheckRecord
from sparsetool.report.verification_record import VerificationRecord
from sparsetool_converters.codec import Accounting
from sparsetool_converters.errors import UsageError

DOCUMENTS: dict[str, Any] = {
    "baseline": BaselineRecord,
    "bench": BenchRecord,
    "compress": ArtifactRecord,
    "compress many": BatchRecord,
    "config": ConfigRecord,
    "densify": ArtifactRecord,
    "diff": DiffRecord,
    "embed": EmbedRecord,
    "error": ErrorRecord,
    "explain": ExplanationRecord,
    "inspect": InspectionRecord,
    "measured": MeasuredRecord,
    "pack": PackRecord,
    "packing": Accounting,
    "plan": PlanRecord,
    "plot": PlotRecord,
    "prune": TrainingRecord,
    "prune plan": PruningPlan,
    "pruning record": Numbers,
    "quantizations": QuantizationsRecord,
    "report": ReportRecord,
    "run": RunRecord,
    "sizes": SizesRecord,
    "targets check": TargetCheckRecord,
    "unpack": UnpackRecord,
    "verify": VerificationRecord,
    "verify against": RepetitionRecord,
}
RECIPE = "recipe"  # no document of ours, but one that people write
KINDS = (*DOCUMENTS, RECIPE)  # of schemas


def document_schema(kind: str) -> dict[str, Any]:
    """The JSON Schema of a kind of document.

    Raises:
        UsageError: there is no such kind.
    """
    if kind == RECIPE:
        return recipe_schema()
    if kind not in DOCUMENTS:
        near = difflib.get_close_matches(kind, KINDS, 1)
        hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(KINDS)}"
        raise UsageError(f"no document is of the kind {kind!r}; {hint}")
    return schema_of(kind, DOCUMENTS[kind])


def schema_text(kind: str) -> str:
    """The schema as it is printed, and kept in docs/schemas.

    Raises:
        UsageError: there is no such kind.
    """
    return json.dumps(document_schema(kind), indent=2) + "\n"


def file_name(kind: str) -> str:
    """The name of the file in docs/schemas."""
    return f"{kind.replace(' ', '-')}.json"
