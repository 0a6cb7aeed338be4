"""A failure as a document, for whoever asked for one and gets no result."""

from dataclasses import dataclass
from typing import Annotated

from pydantic import WithJsonSchema

from sparsetool_converters.errors import SparseToolError
from sparsetool_converters.exit_codes import FAILURES, ExitCode

FieldValue = str | int | float | bool | None


@dataclass(frozen=True, kw_only=True)
class ErrorRecord:
    """Why a command gave no result.

    Attributes:
        exit_code: what the command returned.
        error: the class of the failure.
        message: the line on stderr: the rule, the value seen, and the way out.
        fields: what the class keeps of it, as far as it is text or a number, such as "tensor" or "limit_bytes".
    """

    exit_code: Annotated[int, WithJsonSchema({"type": "integer", "enum": [int(code) for code in FAILURES]})]
    error: str
    message: str
    fields: dict[str, FieldValue]

    @classmethod
    def of(cls, problem: SparseToolError) -> "ErrorRecord":
        """A deliberate failure."""
        fields = {name: value for name, value in vars(problem).items() if isinstance(value, FieldValue)}
        return cls(exit_code=problem.exit_code, error=type(problem).__name__, message=str(problem), fields=fields)

    @classmethod
    def other(cls, code: ExitCode, error: str, message: str) -> "ErrorRecord":
        """A failure that is none of ours: of the parser, of a library, or of a person who wants no more."""
        return cls(exit_code=code, error=error, message=message, fields={})
