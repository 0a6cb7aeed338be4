"""What the exit codes of the command line mean: the one list of them."""

from enum import IntEnum


class ExitCode(IntEnum):
    """How a command ended, for whoever started it.

    Attributes:
        meaning: the code in a few words, as `--help` and README.md have them.
    """

    meaning: str

    OK = 0, "ok"
    INTERNAL = 1, "a fault of sparsetool itself"
    USAGE = 2, "usage, recipe, calibration data, unwritable or existing output"
    BUDGET = 3, "budget exceeded"
    VERIFICATION = 4, "verification failed, crashed or timed out"
    MODEL = 5, "unusable model file"
    TARGET = 6, "the target cannot run the model"
    INTERRUPTED = 130, "interrupted"  # 128 + SIGINT, as shells count

    def __new__(cls, value: int, meaning: str = "") -> "ExitCode":
        code = int.__new__(cls, value)
        code._value_ = value
        code.meaning = meaning
        return code


FAILURES = tuple(code for code in ExitCode if code)
