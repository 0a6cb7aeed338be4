"""What the target is known not to run right is refused before it is run."""

from sparsetool_converters.errors import TargetError
from sparsetool_converters.model import Model
from sparsetool_converters.targets import Target
from sparsetool_converters.targets.lint import lint_errors


def check_lint(data: bytes, target: Target, *, name: str) -> None:
    """Raise TargetError, naming the first, if the lint of a .tflite finds errors."""
    errors = lint_errors(Model.from_bytes(data, where=name), target)
    if errors:
        more = f"; and {len(errors) - 1:,} more" if len(errors) > 1 else ""
        raise TargetError(target.name, f"{name}: {errors[0]}{more}")
