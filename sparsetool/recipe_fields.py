"""What may stand in the fields of a recipe: sizes, shares and steps as people write them, and what a section is."""

from enum import StrEnum
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from sparsetool.budget import parse_size
from sparsetool.shares import parse_share
from sparsetool.spans import Span, parse_span
from sparsetool_converters.errors import UsageError
from sparsetool_converters.passes.recipes import recipe_named


class OnFailure(StrEnum):
    """What becomes of an artifact that a weight breaks."""

    FAIL = "fail"
    """Nothing is written."""
    KEEP_DENSE = "keep-dense"
    """The weight stays as it was before the stage that breaks it."""


Fraction = Annotated[float, Field(ge=0, lt=1)]
Steps = Annotated[int, Field(ge=0)]
Positive = Annotated[int, Field(ge=1)]


def _size(value: Any) -> Any:
    try:
        return parse_size(value) if isinstance(value, str) else value
    except UsageError as problem:
        raise ValueError(str(problem)) from problem


def _at_least(least: int) -> BeforeValidator:
    def check(value: Any) -> Any:
        try:
            steps = parse_span(value)
        except UsageError as problem:
            raise ValueError(str(problem)) from problem
        if isinstance(steps, int) and steps < least:
            raise ValueError(f"must be {least} or more")
        return value

    return BeforeValidator(check)


def _share(value: Any) -> Any:
    try:
        return parse_share(value)
    except UsageError as problem:
        raise ValueError(str(problem)) from problem


Share = Annotated[float, BeforeValidator(_share)]  # 0.005, "0.5%"
Limit = Annotated[float, Field(ge=0)]
Size = Annotated[int, BeforeValidator(_size), Field(ge=0)]
Moment = Annotated[Span, _at_least(0)]  # 500, "2 epochs", "25%"
MomentOrNever = Annotated[Span, _at_least(-1)]
Interval = Annotated[Span, _at_least(1)]
Function = Annotated[str, Field(pattern=r"^.+\.py:[A-Za-z_]\w*$")]


def _recipe(value: Any) -> Any:
    try:
        return value if not isinstance(value, str) else str(recipe_named(value).name)
    except UsageError as problem:
        raise ValueError(str(problem)) from problem


QuantizationName = Annotated[str, AfterValidator(_recipe)]


class Section(BaseModel):
    """A part of a recipe: an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
