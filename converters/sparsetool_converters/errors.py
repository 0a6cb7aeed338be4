"""Every deliberate failure, under one root.

The class tells what kind of failure it is, its fields tell which one, and `exit_code` is what the command
line returns for it.
"""

from typing import ClassVar

from sparsetool_converters.exit_codes import ExitCode


class SparseToolError(Exception):
    """Root of all deliberate failures; its text is one line that names the rule, the value and the way out."""

    exit_code: ClassVar[ExitCode] = ExitCode.INTERNAL


class UsageError(SparseToolError):
    """What the caller asked for cannot be done as asked."""

    exit_code: ClassVar[ExitCode] = ExitCode.USAGE


class RecipeError(UsageError):
    """A recipe that is not valid.

    Attributes:
        path: the recipe file.
        key: dotted name of the key at fault, empty for the file as a whole.
        problem: what is wrong, and what would be right.
    """

    def __init__(self, path: str, key: str, problem: str) -> None:
        self.path, self.key, self.problem = path, key, problem
        super().__init__(f"{path}: {key}: {problem}" if key else f"{path}: {problem}")


class CalibrationDataError(UsageError):
    """Calibration data is missing, or does not fit the model's inputs."""


class OutputError(UsageError):
    """A destination that exists already or cannot be written.

    Attributes:
        path: the destination.
        problem: what is wrong, and the way out.
    """

    def __init__(self, path: str, problem: str) -> None:
        self.path, self.problem = path, problem
        super().__init__(f"{path}: {problem}")


class MissingExtraError(UsageError):
    """An optional dependency that this step needs is not installed.

    Attributes:
        package: the package that could not be imported.
        extra: the extra that brings it.
    """

    def __init__(self, package: str, extra: str) -> None:
        self.package, self.extra = package, extra
        super().__init__(f"{package} is not installed; this step needs it: pip install 'sparsetool[{extra}]'")


class BudgetExceededError(SparseToolError):
    """An artifact is larger than it may be.

    Attributes:
        artifact: its name.
        kind: which size, such as "disk" or "wire".
        limit_bytes: what was allowed.
        actual_bytes: what it takes.
        baseline_bytes: what it took before, where growth was limited; None where the size as such was.
    """

    exit_code: ClassVar[ExitCode] = ExitCode.BUDGET

    def __init__(
        self, artifact: str, kind: str, limit_bytes: int, actual_bytes: int, baseline_bytes: int | None = None
    ) -> None:
        self.artifact, self.kind = artifact, kind
        self.limit_bytes, self.actual_bytes, self.baseline_bytes = limit_bytes, actual_bytes, baseline_bytes
        if baseline_bytes is None:
            allowed = f"the budget of {limit_bytes:,}"
        else:
            growth = f"{actual_bytes / baseline_bytes - 1:+.2%}" if baseline_bytes else "from nothing"
            allowed = f"the {limit_bytes:,} that its baseline of {baseline_bytes:,} allows ({growth})"
        super().__init__(
            f"{artifact}: {kind} size is {actual_bytes:,} bytes, {actual_bytes - limit_bytes:,} over {allowed}"
        )


class VerificationError(SparseToolError):
    """A produced model is not the model it should be, or could not be run.

    Attributes:
        stage: the stage whose result failed.
        tensor: the tensor or output at fault, empty where none can be named.
        problem: what was expected and what was seen.
    """

    exit_code: ClassVar[ExitCode] = ExitCode.VERIFICATION

    def __init__(self, stage: str, tensor: str, problem: str) -> None:
        self.stage, self.tensor, self.problem = stage, tensor, problem
        super().__init__(f"{stage}: {tensor}: {problem}" if tensor else f"{stage}: {problem}")


class ModelFormatError(SparseToolError):
    """Bytes that are not a model, or not one that can be carried through without loss.

    Attributes:
        where: the file or the place in it.
        problem: the rule that is broken and the value seen.
    """

    exit_code: ClassVar[ExitCode] = ExitCode.MODEL

    def __init__(self, where: str, problem: str) -> None:
        self.where, self.problem = where, problem
        super().__init__(f"{_legible(where)}: {problem}")


class EncodingError(SparseToolError):
    """A tensor that cannot be encoded or decoded as asked.

    Attributes:
        tensor: the tensor's name, empty for a bare array.
        reason: the rule that is broken and the value seen.
    """

    exit_code: ClassVar[ExitCode] = ExitCode.MODEL

    def __init__(self, tensor: str, reason: str) -> None:
        self.tensor, self.reason = tensor, reason
        super().__init__(f"{_legible(tensor)}: {reason}" if tensor else reason)


class TargetError(SparseToolError):
    """The target cannot run the model.

    Attributes:
        target: name of the target.
        problem: what it cannot run and why.
    """

    exit_code: ClassVar[ExitCode] = ExitCode.TARGET

    def __init__(self, target: str, problem: str) -> None:
        self.target, self.problem = target, problem
        super().__init__(f"target {target}: {problem}")


_LONGEST_NAME = 200


def _legible(name: str) -> str:
    """A name out of a file, which may hold anything: in one line, and not without end."""
    shown = name if name.isprintable() else ascii(name)[1:-1]
    return shown if len(shown) <= _LONGEST_NAME else f"{shown[:_LONGEST_NAME]}..."
