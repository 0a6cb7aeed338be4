"""Whatever a user calls samples on the command line."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sparsetool.pipeline.user_model import load_module
from sparsetool_converters.errors import CalibrationDataError
from sparsetool_converters.samples import Samples, gather_samples, load_samples


def samples_named(text: str) -> Samples:
    """The samples in a file or folder, or those that a function gives.

    Args:
        text: an .npz or .npy file or a folder of .npy files, see `load_samples`; or `file.py:function`, a function
            without arguments, see `gather_samples`.

    Raises:
        CalibrationDataError: there are none, or they are damaged.
        UsageError: the Python file cannot be run.
    """
    file, colon, function = text.rpartition(":")
    if not colon or not file.endswith(".py"):
        if text.endswith(".py"):
            raise CalibrationDataError(f"{text}: name the function that gives samples, as in {text}:samples")
        return load_samples(Path(text))
    path = Path(file)
    if not path.is_file():
        raise CalibrationDataError(f"{path}: cannot be read: no such file")
    found = getattr(load_module(path), function, None)
    if not callable(found):
        raise CalibrationDataError(f"{path}: has no function {function}()")
    return gather_samples(found)


def labels_named(text: str) -> npt.NDArray[Any]:
    """The right answers to samples, one for each, from what `samples_named` reads.

    Raises:
        CalibrationDataError: as `samples_named`, or they are no single array.
        UsageError: as `samples_named`.
    """
    labels = samples_named(text)
    if not isinstance(labels, np.ndarray):
        raise CalibrationDataError(f"{text}: holds several arrays; labels are one, an entry for each sample")
    return labels
