"""Layer by layer: how sparse, stored how, and why."""

from sparsetool.report.figures import count, percent, plural, shape, smaller
from sparsetool.report.records import ArtifactRecord, QuantizedRecord
from sparsetool.report.report_record import ReportRecord
from sparsetool.report.sheets import Cell, Column, Section, Sheet, Tone, section, sheet

_TENSORS = (
    Column("layer"), Column("operator"), Column("shape"), Column("type"), "sparsity", Column("stored"),
    "dense bytes", "stored bytes", "ratio", Column("why", wide=True),
)  # fmt: skip
_QUANTIZED = (Column("layer"), Column("type"), "weights", "zeros before", "zeros after")
_STAGES = (Column("stage"), Column("what it did", wide=True))


def layers_section(record: ReportRecord) -> Section:
    """Of each artifact the decision about each layer, what quantization did to zeros, and what each stage did."""
    sheets = [made for artifact in record.run.artifacts for made in _sheets(record, artifact)]
    plain = [a.name for a in record.run.artifacts if not a.tensors]
    said = ["Each weight is stored in the smallest form that the target is known to run right, or dense."]
    if plain:
        said.append(f"No form was chosen for the weights of {', '.join(plain)}: nothing was to be encoded there.")
    return section("layers", "Layers", said, sheets)


def _sheets(record: ReportRecord, artifact: ArtifactRecord) -> list[Sheet]:
    folded = len(record.run.artifacts) > 2 and artifact is not record.run.artifacts[-1]
    made = []
    if artifact.tensors:
        made.append(_tensors(artifact, folded=folded))
    if artifact.quantized:
        rows = [_quantized(weight) for weight in artifact.quantized]
        made.append(sheet(f"{artifact.name}: quantized weights", _QUANTIZED, rows, folded=True))
    changes = [(stage.name, change) for stage in artifact.stages for change in stage.changes]
    if changes:
        title = f"{artifact.name}: {plural(len(changes), 'change')} of the stages"
        made.append(sheet(title, _STAGES, changes, folded=True))
    return made


def _tensors(artifact: ArtifactRecord, *, folded: bool) -> Sheet:
    encoded = sum(tensor.encoded for tensor in artifact.tensors)
    rows = [
        (
            tensor.name,
            tensor.op,
            shape(tensor.shape),
            tensor.type.lower(),
            percent(tensor.sparsity),
            Cell("sparse", Tone.GOOD) if tensor.encoded else Cell("dense", Tone.QUIET),
            count(tensor.dense_bytes),
            count(tensor.stored_bytes),
            smaller(tensor.dense_bytes, tensor.stored_bytes),
            tensor.reason,
        )
        for tensor in artifact.tensors
    ]
    title = f"{artifact.name}: {count(encoded)} of {plural(len(rows), 'layer')} stored sparse"
    return sheet(title, _TENSORS, rows, folded=folded)


def _quantized(weight: QuantizedRecord) -> tuple[Cell | str, ...]:
    lost = weight.zeros_after < weight.zeros_before
    return (
        weight.name,
        f"{weight.type_before.lower()} to {weight.type_after.lower()}",
        count(weight.weights),
        count(weight.zeros_before),
        Cell(count(weight.zeros_after), Tone.BAD if lost else Tone.PLAIN),
    )
