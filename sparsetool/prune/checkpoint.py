"""Small `.keras` checkpoints that stock Keras loads.

A `.keras` file is a zip of `config.json`, `metadata.json`, `model.weights.h5` and assets. Keras stores its
members as they are, with the optimizer's state (two thirds of the file for Adam), the time of day, and ids
that are memory addresses. Here the same members are written without those, and deflated, which Keras reads
as readily.
"""

import io
import itertools
import json
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import h5py  # type: ignore[import-untyped]
import keras
import numpy as np

from sparsetool_converters.errors import ModelFormatError, OutputError

SUFFIX = ".keras"
CONFIG, METADATA, WEIGHTS = "config.json", "metadata.json", "model.weights.h5"  # keras 3.15, saving_lib.py
OPTIMIZER_GROUP = "optimizer"
EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest time that a zip member can have
NO_DATE = "1980-01-01@00:00:00"


def save_checkpoint(model: keras.Model, path: str | Path) -> None:
    """Write a model to a `.keras` file without optimizer and training configuration, whole or not at all.

    The same weights in a model that was made the same way give the same bytes. A weight of -0.0 is written as
    +0.0. A file that is there already is replaced.

    Args:
        model: a built Keras model; it is left as it is.
        path: the destination, which must end in `.keras`.

    Raises:
        OutputError: the destination has another suffix or cannot be written.
    """
    path = Path(path)
    if path.suffix != SUFFIX:
        raise OutputError(str(path), f"a checkpoint's name must end in {SUFFIX}")
    try:
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.stem}.") as folder:
            full, small = Path(folder, f"full{SUFFIX}"), Path(folder, f"small{SUFFIX}")
            model.save(full)
            _rewrite(full, small)
            small.replace(path)
    except OSError as error:
        raise OutputError(str(path), f"cannot be written: {error.strerror or error}") from error


def load_checkpoint(path: str | Path) -> keras.Model:
    """Read a `.keras` file, of this module or of Keras itself, without compiling the model.

    Raises:
        ModelFormatError: the file is missing, no `.keras` file, damaged, or needs unregistered classes.
    """
    path = Path(path)
    if not path.is_file():
        raise ModelFormatError(str(path), "there is no such file")
    if path.suffix != SUFFIX or not zipfile.is_zipfile(path):
        raise ModelFormatError(str(path), f"is not a Keras 3 model: that is a zip whose name ends in {SUFFIX}")
    try:
        return keras.saving.load_model(path, compile=False)
    except Exception as error:  # Keras, h5py, zipfile and zlib each raise their own kinds on damaged files
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise ModelFormatError(str(path), f"Keras cannot load it: {lines[0]}") from error


def _rewrite(source: Path, destination: Path) -> None:
    with zipfile.ZipFile(source) as full, zipfile.ZipFile(destination, "w") as small:
        for name in sorted(full.namelist()):
            info = zipfile.ZipInfo(name, date_time=EPOCH)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = 0o644 << 16
            small.writestr(info, _clean(name, full.read(name)), compresslevel=9)


def _clean(name: str, member: bytes) -> bytes:
    if name == CONFIG:
        return _clean_config(member)
    if name == METADATA:
        return json.dumps({**json.loads(member), "date_saved": NO_DATE}).encode()
    if name == WEIGHTS:
        return _clean_weights(member)
    return member


def _clean_config(member: bytes) -> bytes:
    config = json.loads(member)
    config["compile_config"] = None
    numbers: dict[int, int] = {}
    counter = itertools.count(1)

    def renumber(node: Any) -> None:  # shared_object_id is an address; only which are equal matters
        if isinstance(node, dict):
            if isinstance(address := node.get("shared_object_id"), int):
                if address not in numbers:
                    numbers[address] = next(counter)
                node["shared_object_id"] = numbers[address]
            node = list(node.values())
        if isinstance(node, list):
            for child in node:
                renumber(child)

    renumber(config)
    return json.dumps(config).encode()


def _clean_weights(member: bytes) -> bytes:
    cleaned = io.BytesIO()
    with h5py.File(io.BytesIO(member)) as full, h5py.File(cleaned, "w") as small:
        small.attrs.update(full.attrs)
        for name in full:
            if name != OPTIMIZER_GROUP:
                full.copy(name, small)

        def clear_signs(_: str, node: Any) -> None:
            if isinstance(node, h5py.Dataset) and node.dtype.kind == "f":
                weights = node[()]
                node[...] = np.where(weights == 0, np.zeros_like(weights), weights)

        small.visititems(clear_signs)
    return cleaned.getvalue()
