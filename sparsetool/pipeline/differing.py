"""Two model files in, how they differ out; neither is run."""

import hashlib
from collections import Counter
from pathlib import Path

from sparsetool.pipeline.sources import load_source
from sparsetool.report.diff_record import ComparedModel, DiffRecord, OperatorCount
from sparsetool.report.records import Sizes
from sparsetool.verify.pairing import constants_of
from sparsetool.verify.scales import scale_findings
from sparsetool.verify.structure import structure_findings
from sparsetool.verify.weight_comparison import compare_weights
from sparsetool.verify.wiring import wiring_findings
from sparsetool_converters.codec import pack
from sparsetool_converters.model import Model


def diff(first: Path, second: Path) -> DiffRecord:
    """Compare two models by what stands in their files.

    Args:
        first: one model, anything that `load_source` reads.
        second: the other, likewise.

    Raises:
        ModelFormatError, EncodingError: either is not a model, or the first cannot be decoded.
    """
    data = load_source(first), load_source(second)
    models = tuple(Model.from_bytes(d, where=str(p)) for d, p in zip(data, (first, second), strict=True))
    before, after = models
    compared = compare_weights(*data)
    findings = (*structure_findings(before, after), *wiring_findings(before, after), *scale_findings(before, after))
    known = {constant.name for constant in constants_of(before)}
    counts = [Counter(f"{op.name} v{op.code.version}" for _, op in model.operators()) for model in models]
    return DiffRecord(
        first=_described(first, data[0]),
        second=_described(second, data[1]),
        identical=data[0] == data[1],
        operators=tuple(
            OperatorCount(operator=name, before=counts[0][name], after=counts[1][name])
            for name in sorted({*counts[0], *counts[1]})
        ),
        differences=tuple(map(str, findings)),
        constants=compared.records,
        added=tuple(constant.name for constant in constants_of(after) if constant.name not in known),
        notes=compared.notes,
    )


def _described(path: Path, data: bytes) -> ComparedModel:
    return ComparedModel(name=path.name, sha256=hashlib.sha256(data).hexdigest(), sizes=Sizes.of(data, pack(data)))
