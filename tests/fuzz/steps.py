"""What is done with each file. Whatever the bytes are, every step gives a result or a SparseToolError."""

from collections.abc import Callable

from sparsetool.report.inspection import inspect_model
from sparsetool_converters.model import Model
from sparsetool_converters.passes import Canonicalize, Compact, Densify, EncodeSparse
from sparsetool_converters.plan import make_plan
from sparsetool_converters.targets import LITERT, PORTABLE, TFLM
from sparsetool_converters.targets.lint import lint

Step = Callable[[bytes], object]


def inspect(data: bytes) -> None:
    inspect_model(data, name="file")


def densify(data: bytes) -> None:
    model = Model.from_bytes(data)
    Densify()(model)
    model.to_bytes()


def hold_against_targets(data: bytes) -> None:
    model = Model.from_bytes(data)
    for target in (LITERT, PORTABLE, TFLM):
        lint(model, target)


def convert(data: bytes) -> None:
    model = Model.from_bytes(data)
    Canonicalize()(model)
    Compact()(model)
    EncodeSparse(make_plan(model, LITERT))(model)
    Model.from_bytes(model.to_bytes())


def convert_for_microcontrollers(data: bytes) -> None:
    model = Model.from_bytes(data)
    Densify()(model)
    EncodeSparse(make_plan(model, TFLM))(model)
    Model.from_bytes(model.to_bytes())


def copy(data: bytes) -> None:
    saved = Model.from_bytes(data).to_bytes()
    assert Model.from_bytes(saved).to_bytes() == saved, "a second save gives other bytes"


# What else reads files of others belongs here: a function of the file's bytes.
STEPS: tuple[Step, ...] = (copy, inspect, hold_against_targets, densify, convert, convert_for_microcontrollers)
