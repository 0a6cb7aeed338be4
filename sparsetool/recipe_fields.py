"""What may stand in the fields of a recipe: sizes, shares and steps as people write them, and what a section is."""

from collections.abc import Callable
from enum import StrEnum
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from sparsetool.budget import parse_size
from sparsetool.shares import parse_share
from sparsetool.spans import Span, parse_span
from sparsetool_converters.errors import UsageError
from sparsetool_converters.passes.recipes import RECIPES, recipe_named
from sparsetool_converters.targets import TARGETS, target_named


class OnFailure(StrEnum):
    """What becomes of an artifact that a weight breaks."""

    FAIL = "fail"
    """Nothing is written."""
    KEEP_DENSE = "keep-dense"
    """The weight stays as it was before the stage that breaks it."""


Fraction = Annotated[float, Field(ge=0, lt=1)]
Steps = Annotated[int, Field(ge=0)]
Positive = Annotated[int, Field(ge=1)]


def _told(read: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """The function, its UsageError as the ValueError that a section waits for."""

    def tell(value: Any) -> Any:
        try:
            return read(value)
        except UsageError as problem:
            raise ValueError(str(problem)) from problem

    return tell


def _size(value: Any) -> Any:
    return parse_size(value) if isinstance(value, str) else value


def _at_least(least: int) -> Callable[[Any], Any]:
    def check(value: Any) -> Any:
        steps = _told(parse_span)(value)
        if isinstance(steps, int) and steps < least:
            raise ValueError(f"must be {least} or more")
        return value

    return check


def _samples(value: Any) -> Any:
    if isinstance(value, str) and value:
        return value
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ValueError('must be a number of samples, 1 or more, or a source of them, as "samples.npz"')
    return value


def _recipe(value: Any) -> Any:
    return value if not isinstance(value, str) else str(recipe_named(value).name)


def _target(value: Any) -> Any:
    return target_named(value).name if isinstance(value, str) else value


def _number_or_text(kind: str, pattern: str, **limits: float) -> WithJsonSchema:
    """What editors are told of a value that people write as a number or, with its unit, as a text."""
    return WithJsonSchema({"anyOf": [{"type": kind, **limits}, {"type": "string", "pattern": pattern}]})


_A_SPAN = r"^\s*\d+(\.\d+)?\s*(%|epochs?)\s*$"

Share = Annotated[  # 0.005, "0.5%"
    float,
    BeforeValidator(_told(parse_share)),
    _number_or_text("number", r"^\s*(\d+(\.\d*)?|\.\d+)\s*%?\s*$", minimum=0, maximum=1),
]
Limit = Annotated[float, Field(ge=0)]
Size = Annotated[  # 1200000, "1.2MB"
    int,
    BeforeValidator(_told(_size)),
    Field(ge=0),
    _number_or_text("integer", r"^\s*\d+(\.\d+)?\s*([KkMmGg][Ii]?[Bb]|[Bb]|)\s*$", minimum=0),
]
# 500, "2 epochs", "25%"
Moment = Annotated[Span, BeforeValidator(_at_least(0)), _number_or_text("integer", _A_SPAN, minimum=0)]
MomentOrNever = Annotated[Span, BeforeValidator(_at_least(-1)), _number_or_text("integer", _A_SPAN, minimum=-1)]
Interval = Annotated[Span, BeforeValidator(_at_least(1)), _number_or_text("integer", _A_SPAN, minimum=1)]
SampleCountOrSource = Annotated[
    int | str, BeforeValidator(_samples), _number_or_text("integer", r"^(.|\n)+$", minimum=1)
]
Source = Annotated[str, Field(min_length=1)]  # a path, relative to the recipe
Function = Annotated[str, Field(pattern=r"^.+\.py:[A-Za-z_]\w*$")]
QuantizationName = Annotated[
    str,
    AfterValidator(_told(_recipe)),
    # All that need no algorithm, for an editor to offer; "+" and an algorithm may follow.
    WithJsonSchema({"anyOf": [{"enum": [r.name for r in RECIPES if not r.refused]}, {"type": "string"}]}),
]
TargetName = Annotated[str, AfterValidator(_told(_target)), WithJsonSchema({"enum": list(TARGETS)})]


class Section(BaseModel):
    """A part of a recipe: an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
