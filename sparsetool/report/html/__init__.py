"""A report as one page that needs nothing beside it."""

from sparsetool.report.html.page import Curve, MaskPicture, Pictures, render

__all__ = ["Curve", "MaskPicture", "Pictures", "render"]
