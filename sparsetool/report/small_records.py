"""Documents of a few keys."""

from dataclasses import dataclass

from sparsetool_converters.passes.recipes import Algorithm, QuantizationRecipe


@dataclass(frozen=True, kw_only=True)
class UnpackRecord:
    """A model that was unpacked.

    Attributes:
        output: where it was written.
        disk_bytes: the .tflite.
    """

    output: str
    disk_bytes: int


@dataclass(frozen=True, kw_only=True)
class PlotRecord:
    """Pictures that were drawn.

    Attributes:
        pictures: where each was written.
    """

    pictures: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class QuantizationsRecord:
    """What there is to choose from.

    Attributes:
        recipes: of litert-quantizer, those that are refused among them.
        algorithms: ways to find scales, likewise.
        takes_algorithm: recipes whose name may be followed by one.
    """

    recipes: tuple[QuantizationRecipe, ...]
    algorithms: tuple[Algorithm, ...]
    takes_algorithm: tuple[str, ...]
