"""What happened while a model was pruned, as two files that read back the same.

`record.json` holds numbers that people read as well: the refreshes and the metrics over time. `record.npz` holds
arrays: corners of the weights and of their masks over time. The first names the second's SHA-256, so files of two
records are never taken for one.
"""

import io
import json
import zipfile
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter, ValidationError

from sparsetool_converters.errors import ModelFormatError

VERSION = 1
KIND = "pruning record"
NUMBERS, ARRAYS = "record.json", "record.npz"
MOST_ROWS = MOST_COLUMNS = 256  # of a tensor's corner


@dataclass(frozen=True, kw_only=True)
class RecordedVariable:
    """A pruned variable.

    Attributes:
        variable: its path.
        shape: its shape on the TFLite layout, output axis first.
        weights: how many weights it has.
        target_zeros: how many of them are to be zero at the end.
    """

    variable: str
    shape: tuple[int, ...]
    weights: int
    target_zeros: int


@dataclass(frozen=True, kw_only=True)
class Refresh:
    """One refresh of the masks.

    Attributes:
        step: batches done before.
        asked: sparsity that the schedule gives for this step.
        zeros: zero weights of each variable afterwards.
    """

    step: int
    asked: float
    zeros: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class Metrics:
    """Loss and metrics, as Keras tells them: means of the epoch so far.

    Attributes:
        step: batches done before.
        values: by their names; None for one that is not finite.
    """

    step: int
    values: dict[str, float | None]


@dataclass(frozen=True, kw_only=True)
class Numbers:
    """All of a record that is no array.

    Attributes:
        model: its name.
        schedule: as Python would write it, in plain steps.
        steps: batches of the whole run.
        steps_per_epoch: batches of an epoch.
        variables: what was pruned, in the order of the model.
        refreshes: in order; of very many, every second, fourth and so on, and the last.
        metrics: likewise.
        mask_steps: the refreshes whose masks are kept.
        examples: the structures that the same weights are shown pruned in at once, "1x1" and "1x2".
    """

    model: str
    schedule: str
    steps: int
    steps_per_epoch: int
    variables: tuple[RecordedVariable, ...]
    refreshes: tuple[Refresh, ...]
    metrics: tuple[Metrics, ...]
    mask_steps: tuple[int, ...]
    examples: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class Corner:
    """The top left corner of a tensor seen as a matrix, outputs by everything else, on the TFLite layout.

    Attributes:
        weights: float32 `[rows, columns]`, before the first refresh.
        masks: bool `[refreshes, rows, columns]`, True where kept, for each of `mask_steps`.
        examples: bool `[rows, columns]` by the structure's name: what is kept of the whole tensor at the target
            sparsity if these weights are pruned at once; only structures that the shape allows.
    """

    weights: NDArray[np.float32]
    masks: NDArray[np.bool_]
    examples: dict[str, NDArray[np.bool_]]


@dataclass(frozen=True, kw_only=True, eq=False)
class PruningRecord:
    """What happened while a model was pruned.

    Attributes:
        numbers: refreshes and metrics.
        corners: of each variable, in the order of `numbers.variables`.
    """

    numbers: Numbers
    corners: tuple[Corner, ...]


_NUMBERS = TypeAdapter(Numbers)


def corner_of(tensor: NDArray[Any]) -> NDArray[Any]:
    """Return a copy of the corner of `[out, ..., in]`: at most 256 outputs by the first 256 weights of each."""
    rows = tensor[:MOST_ROWS]
    return rows.reshape(len(rows), -1)[:, :MOST_COLUMNS].copy()


def record_files(record: PruningRecord) -> dict[str, bytes]:
    """Return the content of both files by their names; the same record gives the same bytes."""
    arrays: dict[str, NDArray[Any]] = {}
    for index, corner in enumerate(record.corners):
        arrays[f"weights/{index}"] = corner.weights
        arrays[f"masks/{index}"] = np.packbits(corner.masks, axis=-1)  # (refreshes, rows, columns / 8)
        for name, mask in corner.examples.items():
            arrays[f"{name}/{index}"] = np.packbits(mask, axis=-1)
    packed = io.BytesIO()
    np.savez_compressed(packed, allow_pickle=False, **arrays)
    content = packed.getvalue()
    head = {"schema_version": VERSION, "kind": KIND, "arrays_sha256": sha256(content).hexdigest()}
    numbers = json.dumps({**head, **asdict(record.numbers)}, indent=1, allow_nan=False) + "\n"
    return {NUMBERS: numbers.encode(), ARRAYS: content}


def read_record(folder: Path) -> PruningRecord:
    """Read both files of a record.

    Raises:
        ModelFormatError: a file is missing, damaged, of another version or of another record than its sibling.
    """
    try:
        text, content = (folder / NUMBERS).read_bytes(), (folder / ARRAYS).read_bytes()
    except OSError as problem:
        where = problem.filename or folder
        raise ModelFormatError(
            str(where), f"cannot be read: {problem.strerror}; make a record with sparsetool prune RECIPE --record DIR"
        ) from problem
    numbers = _read_numbers(text, str(folder / NUMBERS), content)
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            corners = tuple(_read_corner(arrays, index, numbers) for index in range(len(numbers.variables)))
    except (KeyError, ValueError, EOFError, zipfile.BadZipFile) as problem:
        raise ModelFormatError(str(folder / ARRAYS), f"does not hold what {NUMBERS} tells of: {problem}") from problem
    return PruningRecord(numbers=numbers, corners=corners)


def _read_numbers(text: bytes, where: str, content: bytes) -> Numbers:
    try:
        found = json.loads(text)
    except ValueError as problem:
        raise ModelFormatError(where, f"is damaged: {problem}") from problem
    if not isinstance(found, dict) or found.get("kind") != KIND:
        raise ModelFormatError(where, f"is no {KIND}")
    if found.get("schema_version") != VERSION:
        version = found.get("schema_version")
        raise ModelFormatError(where, f"is a {KIND} of version {version}; this sparsetool reads version {VERSION}")
    if found.get("arrays_sha256") != sha256(content).hexdigest():
        raise ModelFormatError(where, f"and {ARRAYS} beside it are not of one record, or one is damaged; record anew")
    try:
        return _NUMBERS.validate_python(found)
    except ValidationError as problem:
        error = problem.errors(include_url=False)[0]
        raise ModelFormatError(where, f"is damaged: {'.'.join(map(str, error['loc']))}: {error['msg']}") from problem


def _read_corner(arrays: Any, index: int, numbers: Numbers) -> Corner:
    weights = arrays[f"weights/{index}"]
    rows, columns = weights.shape

    def unpacked(name: str, *shape: int) -> NDArray[np.bool_]:
        bits = arrays[name]
        if bits.shape != (*shape, -(-columns // 8)):
            raise ValueError(f"{name} has the shape {bits.shape}")
        return np.unpackbits(bits, axis=-1, count=columns).astype(np.bool_)

    return Corner(
        weights=weights,
        masks=unpacked(f"masks/{index}", len(numbers.mask_steps), rows),
        examples={
            name: unpacked(f"{name}/{index}", rows) for name in numbers.examples if f"{name}/{index}" in arrays.files
        },
    )
