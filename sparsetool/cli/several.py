"""What a command ends with that goes on after a failure."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sparsetool_converters.errors import SparseToolError
from sparsetool_converters.exit_codes import ExitCode

if TYPE_CHECKING:
    from sparsetool.report.size_records import FailureRecord


class SeveralFailedError(SparseToolError):
    """Some of several models failed; the results tell of each.

    Attributes:
        exit_code: that of the first.
    """

    def __init__(self, failures: "Sequence[FailureRecord]", models: int) -> None:
        first = failures[0]
        self.exit_code = ExitCode(first.exit_code)  # type: ignore[misc]
        super().__init__(f"{len(failures):,} of {models:,} models failed; the first: {first.told}")
