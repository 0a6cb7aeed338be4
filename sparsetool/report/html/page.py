"""A report as one HTML page: from its record and pictures, and nothing else, by a template that escapes every text.

The page asks the network for nothing, and forbids itself to: style and drawings are in it, pictures are data URIs.
"""

import base64
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sparsetool.report.figures import legible, percent, shape
from sparsetool.report.html.waterfall import Waterfall, waterfall
from sparsetool.report.ledger import entries, steps
from sparsetool.report.records import ArtifactRecord
from sparsetool.report.report_record import ReportRecord
from sparsetool.report.sections import sections_of
from sparsetool.report.sections.summary import key_figures, smallest, verdict
from sparsetool_converters.errors import MissingExtraError

_FOLDER = Path(__file__).parent
TEMPLATE, STYLE = "page.html.j2", "style.css"


@dataclass(frozen=True, kw_only=True)
class MaskPicture:
    """The zeros of one weight.

    Attributes:
        artifact: whose weight it is.
        layer: its name.
        shape: its shape, output axis first.
        png: the picture.
        width: on the page, in pixels.
        height: likewise.
    """

    artifact: str
    layer: str
    shape: tuple[int, ...]
    png: bytes
    width: int
    height: int


@dataclass(frozen=True, kw_only=True)
class Curve:
    """A drawing of the training.

    Attributes:
        title: what it shows.
        svg: the drawing.
    """

    title: str
    svg: bytes


@dataclass(frozen=True, kw_only=True)
class Pictures:
    """All pictures of a page.

    Attributes:
        masks: of layers, artifact by artifact.
        curves: of the training.
        missing: what is not drawn, and why.
    """

    masks: tuple[MaskPicture, ...] = ()
    curves: tuple[Curve, ...] = ()
    missing: tuple[str, ...] = ()


def render(record: ReportRecord, pictures: Pictures) -> str:
    """The page; the same record and pictures give the same text.

    Raises:
        MissingExtraError: jinja2 is not installed.
    """
    try:
        from jinja2 import Environment, FileSystemLoader, StrictUndefined
        from markupsafe import Markup
    except ImportError as problem:
        raise MissingExtraError("jinja2", "report") from problem
    environment = Environment(
        autoescape=True,
        loader=FileSystemLoader(_FOLDER),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    summary, *sections = sections_of(record)
    run = record.run
    return environment.get_template(TEMPLATE).render(
        style=Markup((_FOLDER / STYLE).read_text("utf-8")),
        title=legible(run.recipe),
        verdict=verdict(run),
        smallest=legible(smallest(run).name),
        first=legible(run.artifacts[0].name),
        figures=[replace(f, gain=legible(f.gain)) for f in key_figures(record)],
        summary=summary,
        sections=sections,
        waterfalls=[_waterfalls(record, artifact) for artifact in run.artifacts],
        masks=[(legible(a.name), found) for a in run.artifacts if (found := _masks(a, pictures))],
        missing=[legible(problem) for problem in pictures.missing],
        curves=[{"title": legible(c.title), "uri": _uri("svg+xml", c.svg)} for c in pictures.curves],
    )


def _waterfalls(record: ReportRecord, artifact: ArtifactRecord) -> list[Waterfall]:
    found = [replace(entry, stage=legible(entry.stage)) for entry in entries(record.run, artifact)]
    drawn = [(size, steps(found, size)) for size in ("disk", "wire")]
    return [waterfall(f"{size} bytes", bars) for size, bars in drawn if bars]


def _masks(artifact: ArtifactRecord, pictures: Pictures) -> list[dict[str, Any]]:
    sparsities = {tensor.name: tensor.sparsity for tensor in artifact.tensors}
    found = []
    for picture in pictures.masks:
        if picture.artifact != artifact.name:
            continue
        told = [shape(picture.shape)]
        if picture.layer in sparsities:
            told.append(f"{percent(sparsities[picture.layer])} zeros")
        found.append(
            {
                "layer": legible(picture.layer),
                "told": ", ".join(told),
                "uri": _uri("png", picture.png),
                "width": picture.width,
                "height": picture.height,
            }
        )
    return found


def _uri(kind: str, content: bytes) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(content).decode('ascii')}"
