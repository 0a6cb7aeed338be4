"""A model file in, what a target makes of each of its weights out."""

from pathlib import Path

from sparsetool.pipeline.findings import finding_record
from sparsetool.pipeline.sources import load_source
from sparsetool.report.target_records import (
    ExplainedWeight,
    ExplanationRecord,
    RefusalRecord,
    WayRecord,
)
from sparsetool_converters.model import Model
from sparsetool_converters.targets import Hazard, Route, Rule, StoredWeight, Target, WeightUse, target_named
from sparsetool_converters.targets.lint import Finding, lint
from sparsetool_converters.targets.readings import readings
from sparsetool_converters.targets.rules import BITMAP, block_name


def explain_file(path: Path, target_name: str) -> ExplanationRecord:
    """Hold a file against a target, without running it.

    Args:
        path: anything that `load_source` reads.
        target_name: the target.

    Raises:
        UsageError: the target is not known.
        ModelFormatError: not a model.
    """
    target = target_named(target_name)
    model = Model.from_bytes(load_source(path), where=str(path))
    findings = lint(model, target)
    verdicts: dict[tuple[int, int | None, str], str] = {}
    for finding in reversed(findings):  # errors stand first, and have the last word
        verdicts[_place(finding)] = str(finding.severity)
    found = sorted(readings(model), key=lambda r: (r.subgraph, -1 if r.operator is None else r.operator))
    return ExplanationRecord(
        name=path.name,
        target=target.name,
        weights=tuple(
            ExplainedWeight(
                tensor=reading.tensor.name,
                use=str(reading.stored.use),
                shape=reading.tensor.shape,
                stored=_stored(reading.stored),
                verdict=verdicts.get((reading.subgraph, reading.operator, reading.tensor.name), "right"),
                ways=_ways(reading.stored.use, target),
                refused=_refused(reading.stored.use, target),
            )
            for reading in found
        ),
        findings=tuple(finding_record(finding) for finding in findings),
    )


def _place(finding: Finding) -> tuple[int, int | None, str]:
    return finding.subgraph, finding.operator, finding.tensor


def _stored(stored: StoredWeight) -> str:
    return "dense" if stored.route is Route.DENSE else _how(stored.layout, stored.route)


_UNPACKERS: dict[Route | None, str] = {Route.DENSIFY: "DENSIFY", Route.DECODE: "TFLM_DECODE"}


def _how(layout: str, route: Route | None) -> str:
    return f"{layout}, behind {_UNPACKERS[route]}" if route in _UNPACKERS else layout


def _ways(use: WeightUse, target: Target) -> tuple[WayRecord, ...]:
    return tuple(
        WayRecord(stored=f"{layout}{_conditions(rule)}", cost=rule.cost, source=rule.source)
        for rule in target.rules_for(use)
        for layout in ([block_name(block) for block in rule.blocks] or [_how(_any_layout(rule), rule.route)])
    )


def _any_layout(rule: Rule) -> str:
    return BITMAP if rule.route is Route.DECODE else "any layout"


def _conditions(rule: Rule) -> str:
    parts = [
        f"version {rule.version}" if rule.version is not None else "",
        f"any version but {rule.not_version}" if rule.not_version is not None else "",
        "asymmetric_quantize_inputs" if rule.asymmetric_quantize_inputs else "",
        f"fused {' or '.join(rule.fused_activations)}" if rule.fused_activations else "",
        f"at most {rule.max_columns:,} inputs" if rule.max_columns is not None else "",
        f"at most {rule.max_blocks_per_row} blocks in a row" if rule.max_blocks_per_row is not None else "",
    ]
    kept = [part for part in parts if part]
    return f" ({', '.join(kept)})" if kept else ""


def _refused(use: WeightUse, target: Target) -> tuple[RefusalRecord, ...]:
    return tuple(_refusal(hazard) for hazard in target.refused_ways(use))


def _refusal(hazard: Hazard) -> RefusalRecord:
    stored = f"behind {_UNPACKERS[hazard.route]}" if hazard.route in _UNPACKERS else "sparse without DENSIFY"
    return RefusalRecord(stored=stored, effect=hazard.effect, source=hazard.source)
