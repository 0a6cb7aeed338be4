"""A user's model file: plain Python, loaded by its path."""

import importlib.util
import sys
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt

from sparsetool_converters.errors import SparseToolError, UsageError

Arrays = tuple[npt.NDArray[Any], npt.NDArray[Any]]
SPLITS = ("train", "validation", "test")


class UserModel:
    """The file that a recipe names; nothing is loaded before it is needed.

    Args:
        path: a Python file with `build()` and `data()`.

    Raises:
        UsageError: the file does not exist.
    """

    def __init__(self, path: Path) -> None:
        if not path.is_file():
            raise UsageError(f"{path}: no such file; the recipe's model.source must name a Python file")
        self.path = path

    @property
    def source(self) -> bytes:
        """The file's content, which is part of what a result depends on."""
        return self.path.read_bytes()

    @cached_property
    def data(self) -> dict[str, Arrays]:
        """(x, y) of each split, x `[n, ...]` float, y `[n]` class indices.

        Raises:
            UsageError: `data()` returns something else.
        """
        found = self._call("data")
        for split in SPLITS:
            pair = found.get(split) if isinstance(found, dict) else None
            if not _is_pair_of_arrays(pair):
                raise UsageError(
                    f"{self.path}: data() must return a dictionary with {', '.join(SPLITS)}, each a pair of arrays, "
                    f"x [n, ...] and y [n] of integer classes; {split!r} is not"
                )
        return {split: found[split] for split in SPLITS}

    def build(self) -> Any:
        """A new untrained `keras.Model`.

        Raises:
            UsageError: `build()` returns something else.
        """
        model = self._call("build")
        if not callable(getattr(model, "fit", None)):  # Keras itself stays behind its own doors
            raise UsageError(f"{self.path}: build() must return a keras.Model; got {type(model).__name__}")
        return model

    @cached_property
    def _module(self) -> ModuleType:
        return load_module(self.path)

    def _call(self, function: str) -> Any:
        if not callable(getattr(self._module, function, None)):
            raise UsageError(f"{self.path}: has no function {function}()")
        try:
            return getattr(self._module, function)()
        except SparseToolError:
            raise
        except (Exception, SystemExit) as problem:
            raise UsageError(f"{self.path}: {function}() failed: {_one_line(problem)}") from problem


def load_module(path: Path) -> ModuleType:
    """A user's Python file, run.

    Raises:
        UsageError: it cannot be read, or fails.
    """
    name = f"sparsetool_user_model_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses and pickles of the file look themselves up here
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as problem:
        raise UsageError(f"{path}: cannot be loaded: {_one_line(problem)}") from problem
    return module


def _is_pair_of_arrays(pair: Any) -> bool:
    if not isinstance(pair, tuple) or len(pair) != 2 or not all(isinstance(part, np.ndarray) for part in pair):
        return False
    x, y = pair
    return x.ndim > 0 and y.shape == (len(x),) and len(x) > 0 and y.dtype.kind in "iu"


def _one_line(problem: BaseException) -> str:
    return " ".join(f"{type(problem).__name__}: {problem}".split())
