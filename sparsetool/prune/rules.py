"""What a user says about some variables only."""

from dataclasses import dataclass

from sparsetool.prune.errors import PruningError
from sparsetool.prune.structures import Structure


@dataclass(frozen=True, kw_only=True)
class Rule:
    """What holds for some variables only.

    A variable is meant if the pattern fits its path and, where `layers` or `operators` are given, one of these fits,
    too. What a rule leaves at None stays as an earlier one has it; of several that say something, the last wins:

        Rule(layers=("Conv2D",), prune=False, reason="is small"),
        Rule(pattern="*/head/*", target_sparsity=0.8)

    Attributes:
        pattern: glob on the path of a variable, such as "*/encoder_?/*/kernel"; a leading "*/" may stand for nothing.
        layers: class names, of which the layer that holds the variable, a layer around it, or a base class of either
            must have one: "LSTM" means the weights of an LSTM inside a Bidirectional, too. Empty for any.
        operators: TFLite operators, of which the variable must become the weight of one (`Layout.operator`); "" is the
            one that is not known. Empty for any.
        target_sparsity: sparsity at the end of the schedule, in [0, 1); None for the schedule's own.
        structure: what is pruned or kept as one; None for the one that holds everywhere.
        max_columns: most inputs per output that the structure is meant for, on the TFLite layout; a variable with more
            is left alone. None for any.
        leave_misfits: whether a variable that the structure does not divide is left alone; else it is an error.
        prune: False leaves the variable alone, True takes it back.
        reason: why it is left alone, a clause that begins with a verb.

    Raises:
        PruningError: a sparsity outside [0, 1), no column allowed, limits of no structure, or a text where a tuple of
            names belongs.
    """

    pattern: str = "*"
    layers: tuple[str, ...] = ()
    operators: tuple[str, ...] = ()
    target_sparsity: float | None = None
    structure: Structure | None = None
    max_columns: int | None = None
    leave_misfits: bool = False
    prune: bool | None = None
    reason: str = ""

    def __post_init__(self) -> None:
        subject = f"rule {self.pattern!r}"
        for field, names in (("layers", self.layers), ("operators", self.operators)):
            if isinstance(names, str):
                raise PruningError(subject, f"{field} must be several names, as in ({names!r},); got {names!r}")
        if self.structure is not None:
            check_structure(self.structure, subject)
        elif self.max_columns is not None or self.leave_misfits:
            raise PruningError(subject, "max_columns and leave_misfits say where a structure fits; give it, too")
        if self.target_sparsity is not None and not 0.0 <= self.target_sparsity < 1.0:
            raise PruningError(subject, f"target_sparsity must be at least 0 and below 1; got {self.target_sparsity}")
        if self.max_columns is not None and self.max_columns < 1:
            raise PruningError(subject, f"max_columns must be 1 or more; got {self.max_columns}")


def check_structure(structure: object, subject: str) -> None:
    """Refuse what is no structure.

    Args:
        structure: what was given as one.
        subject: what it was given to, for the error.

    Raises:
        PruningError: it is none.
    """
    if not isinstance(structure, Structure):
        raise PruningError(subject, f"structure must be a Block, an NOfM or Channels; got {structure!r}")
