"""How two models differ, by what stands in their files."""

from dataclasses import dataclass

from sparsetool.report.records import Sizes
from sparsetool.report.verification_record import WeightRecord


@dataclass(frozen=True, kw_only=True)
class ComparedModel:
    """One of the two.

    Attributes:
        name: the file's name.
        sha256: of the .tflite.
        sizes: its sizes in bytes.
    """

    name: str
    sha256: str
    sizes: Sizes


@dataclass(frozen=True, kw_only=True)
class OperatorCount:
    """How often an operator occurs in both.

    Attributes:
        operator: its name and version, as "FULLY_CONNECTED v8".
        before: in the first model.
        after: in the second.
    """

    operator: str
    before: int
    after: int


@dataclass(frozen=True, kw_only=True)
class DiffRecord:
    """Two models side by side.

    Attributes:
        first: one model.
        second: the other.
        identical: whether both are the same bytes.
        operators: every operator of either.
        differences: inputs, outputs, signatures, metadata, wiring and scales of activations, a line each.
        constants: every constant of the first beside that of the second which is read in its place.
        added: constants that the second reads where the first has none of that name.
        notes: how constants were paired.
    """

    first: ComparedModel
    second: ComparedModel
    identical: bool
    operators: tuple[OperatorCount, ...]
    differences: tuple[str, ...]
    constants: tuple[WeightRecord, ...]
    added: tuple[str, ...]
    notes: tuple[str, ...]
