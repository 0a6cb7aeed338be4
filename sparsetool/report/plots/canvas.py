"""A figure in the manner of all plots, and the bytes that it is written as: no date, no chance, no user's own style.

Colours are those of Okabe and Ito and the maps viridis and Blues: readers who see few colours tell them apart.
"""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from sparsetool_converters.errors import MissingExtraError

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from PIL.Image import Image

BLUE, ORANGE, GREEN, GREY = "#0072B2", "#D55E00", "#009E73", "#5f5f5f"
DOTS_PER_INCH = 130
_STYLE = {
    "font.family": "DejaVu Sans",  # comes with matplotlib
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 11,
    "axes.titlelocation": "left",
    "svg.fonttype": "path",
    "svg.hashsalt": "sparsetool",
}


@contextmanager
def figure(width: float, height: float) -> Iterator["Figure"]:
    """A figure of this size, in inches.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    try:
        import matplotlib as mpl
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as problem:
        raise MissingExtraError("matplotlib", "report") from problem
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(_STYLE)
        made = Figure(figsize=(width, height), dpi=DOTS_PER_INCH, layout="constrained")
        FigureCanvasAgg(made)
        yield made


def as_svg(made: "Figure") -> bytes:
    """The figure as SVG."""
    written = io.BytesIO()
    made.savefig(written, format="svg", metadata={"Date": None, "Creator": None})
    return written.getvalue()


def as_png(made: "Figure") -> bytes:
    """The figure as PNG."""
    written = io.BytesIO()
    made.savefig(written, format="png", metadata={"Software": None})
    return written.getvalue()


def as_image(made: "Figure") -> "Image":
    """The figure as RGB pixels."""
    import numpy as np
    from PIL import Image

    made.canvas.draw()
    pixels = np.asarray(made.canvas.buffer_rgba())  # type: ignore[attr-defined]
    return Image.fromarray(pixels).convert("RGB")
