"""The state of a training that is under way, in one file: a run that is killed goes on where it was.

The file is an uncompressed `.npz`: a member `header`, which is JSON, and one array for each variable, each with the
checksum that zip files have. Pruned weights are +0.0 in it, and what an optimizer keeps of them is cleared. What a
recorder has seen so far may be in it as well: one file, so that neither is ever there without the other.
"""

import json
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from sparsetool.prune.errors import PruningError
from sparsetool.prune.optimizer_state import synchronize
from sparsetool.prune.pruner import Pruner
from sparsetool.prune.recorder import PruningRecorder
from sparsetool.prune.torch_generator import generator_state, set_generator_state
from sparsetool_converters.errors import ModelFormatError, OutputError

_METRICS, _RECORDED = "metrics/", "recorded/"
FORMAT, VERSION = "sparsetool training state", 2
Array = NDArray[Any]


def save_training_state(
    path: str | Path,
    model: keras.Model,
    pruner: Pruner | None = None,
    *,
    steps_done: int | None = None,
    optimizer: keras.optimizers.Optimizer | None = None,
    recorded: Mapping[str, Array] | None = None,
) -> None:
    """Write all that training needs to go on with the same bits, whole or not at all.

    That is every variable of the model (weights, moving statistics, the state of random layers), every variable of
    the optimizer (with its count of steps, scale of the loss, averages and gathered gradients), the pruner's masks and
    the number of steps; on torch, whose `Dropout` may draw from it, also the state of its generator. It is not what
    lives outside of these: random numbers that a layer of yours draws without a `SeedGenerator` of its own, and where
    your data stand. Running metrics are in the file, but it is `train` that goes on with them.

    Pruned weights and what the optimizer keeps of them are cleared first, in training too: else training that goes on
    from the file would not be the one that was saved. The same state gives the same bytes.

    Args:
        path: the destination; a file that is there already is replaced.
        model: a built model. Call this between two batches: after `train_on_batch`, in `on_train_batch_end`, or where
            a loop of your own has written its values back to the variables.
        pruner: what prunes it, None if nothing does.
        steps_done: batches so far; None for the pruner's count.
        optimizer: of a loop of your own; None for that of the pruner or else of the model.
        recorded: what a recorder has seen, `PruningRecorder.state`.

    Raises:
        PruningError: no number of steps, or masks that were stripped.
        OutputError: the destination cannot be written.
    """
    path = Path(path)
    if steps_done is None:
        if pruner is None:
            raise PruningError("steps_done", "must be given where there is no pruner that counts steps")
        steps_done = pruner.steps_done
    synchronize(model)
    if pruner is not None:
        pruner.apply()
    optimizer = _optimizer(model, pruner, optimizer)
    variables, arrays = [], {}
    for index, (group, variable) in enumerate(_variables(model, pruner, optimizer)):
        array: Array = keras.ops.convert_to_numpy(variable)
        variables.append({**_describe(group, variable), "stored": array.dtype.name})
        arrays[str(index)] = array if array.dtype.isbuiltin == 1 else array.view(f"u{array.itemsize}")
    header = {
        "format": FORMAT,
        "version": VERSION,
        "backend": keras.backend.backend(),
        "optimizer": _kind(optimizer),
        "steps_done": steps_done,
        "variables": variables,
    }
    arrays["random"] = generator_state()
    for i, variable in enumerate(model.metrics_variables):
        arrays[f"{_METRICS}{i}"] = keras.ops.convert_to_numpy(variable)
    arrays |= {f"{_RECORDED}{name}": array for name, array in (recorded or {}).items()}
    encoded = np.frombuffer(json.dumps(header).encode(), np.uint8)
    try:
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}.") as folder:
            written = Path(folder, path.name)
            with written.open("wb") as file:
                np.savez(file, allow_pickle=False, header=encoded, **arrays)
            written.replace(path)
    except OSError as error:
        raise OutputError(str(path), f"cannot be written: {error.strerror or error}") from error


def load_training_state(
    path: str | Path,
    model: keras.Model,
    pruner: Pruner | None = None,
    *,
    optimizer: keras.optimizers.Optimizer | None = None,
) -> int:
    """Put a model, its optimizer and its pruner where `save_training_state` found them.

    Variables are told apart by order, name and shape; the numbers that Keras gives to layers of the same kind are no
    part of a name. An optimizer that has no variables yet gets them.

    Args:
        path: the file.
        model: a built model, made and compiled as the saved one was, on the same backend.
        pruner: made as the saved one was, None if there was none.
        optimizer: of a loop of your own; None for that of the pruner or else of the model.

    Returns:
        The number of batches that were trained on.

    Raises:
        ModelFormatError: the file is missing, damaged or of another kind.
        PruningError: another model, optimizer or pruner; the first variable that differs is named. Nothing is changed.
    """
    path = Path(path)
    header, arrays, random, _ = _read(path)
    optimizer = _optimizer(model, pruner, optimizer)
    _check_same(path, "backend", header["backend"], keras.backend.backend())
    _check_same(path, "optimizer", header["optimizer"], _kind(optimizer))
    synchronize(model)
    here = list(_variables(model, pruner, optimizer))
    there = header["variables"]
    for group in ("model", "optimizer", "mask"):
        saved = [described for described in there if described["group"] == group]
        own = [_describe(owner, variable) for owner, variable in here if owner == group]
        _check_variables(path, group, saved, own)
    masks = []
    for (group, variable), array in zip(here, arrays, strict=True):
        if group == "mask":
            masks.append(array)
        else:
            variable.assign(array)
    if pruner is not None:
        pruner.restore(masks, header["steps_done"])
    set_generator_state(random)
    return int(header["steps_done"])


def saved_steps(path: str | Path) -> int:
    """Return the number of batches that a saved training was trained on, once the whole file was found intact.

    Raises:
        ModelFormatError: the file is missing, damaged or of another kind.
    """
    header, _, _, _ = _read(Path(path))
    return int(header["steps_done"])


def saved_metrics(path: Path) -> list[Array]:
    """The model's running metrics, in the order of `metrics_variables`.

    Raises:
        ModelFormatError: as `saved_steps`.
    """
    others = _read(path)[3]
    return [others[name] for name in sorted(others, key=lambda n: (len(n), n)) if name.startswith(_METRICS)]


def saved_recording(path: Path) -> dict[str, Array]:
    """What a recorder had seen; empty if there was none.

    Raises:
        ModelFormatError: as `saved_steps`.
    """
    others = _read(path)[3]
    return {name.removeprefix(_RECORDED): array for name, array in others.items() if name.startswith(_RECORDED)}


class TrainingStateCallback(keras.callbacks.Callback):  # type: ignore[misc]
    """Saves the state of training every so many batches of `model.fit`.

    To go on from it, load it and train on from that step, as `train` does:

        done = load_training_state(path, model, pruner) if path.exists() else 0
        saving = TrainingStateCallback(path, pruner, every_steps=500, steps_done=done)
        fit_batches(model, batches, epochs=10, first_step=done, callbacks=[pruner.callback(), saving])

    With `steps_per_execution` above 1, a state that is due inside a group of batches is saved after the group.

    Args:
        path: the file; each state replaces the one before.
        pruner: what prunes the model, None if nothing does.
        every_steps: batches from one state to the next, counted from the beginning of training.
        steps_done: batches that were trained on before this callback comes in; a pruner knows that itself.
        recorder: what it has seen is saved as well.

    Raises:
        PruningError: a number of steps below 1.
    """

    def __init__(
        self,
        path: str | Path,
        pruner: Pruner | None = None,
        *,
        every_steps: int = 500,
        steps_done: int = 0,
        recorder: PruningRecorder | None = None,
    ) -> None:
        super().__init__()
        if every_steps < 1:
            raise PruningError("every_steps", f"must be 1 or more; got {every_steps}")
        self._path, self._pruner, self._every_steps = Path(path), pruner, every_steps
        self._steps_done = steps_done if pruner is None else pruner.steps_done
        self._epoch_start, self._recorder = self._steps_done, recorder

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Note where the epoch starts, since Keras counts batches within it."""
        del epoch, logs
        self._epoch_start = self._steps_done

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Save the state if that is due."""
        del logs
        before, steps = self._steps_done, self.params.get("steps") or batch + 1
        self._steps_done = self._epoch_start + min(batch + 1, steps)  # batch overshoots in a last, smaller group
        if self._steps_done // self._every_steps > before // self._every_steps:
            recorded = None if self._recorder is None else self._recorder.state()
            save_training_state(self._path, self.model, self._pruner, steps_done=self._steps_done, recorded=recorded)


def _variables(
    model: keras.Model, pruner: Pruner | None, optimizer: keras.optimizers.Optimizer | None
) -> Iterator[tuple[str, keras.Variable]]:
    """Yield each variable once, with what it belongs to; on JAX an optimizer carries the masks with its own."""
    masks: Sequence[keras.Variable] = () if pruner is None else pruner.masks
    seen = {id(mask) for mask in masks}
    if optimizer is not None and not optimizer.built:
        optimizer.build(model.trainable_variables)
    for group, variables in (("model", model.variables), ("optimizer", optimizer.variables if optimizer else ())):
        for variable in variables:
            if id(variable) not in seen:
                seen.add(id(variable))
                yield group, variable
    yield from (("mask", mask) for mask in masks)


def _read(path: Path) -> tuple[dict[str, Any], list[Array], Array, dict[str, Array]]:
    """Read the header, the variables, the state of the generator, and by their names what else there is."""
    if not path.is_file():
        raise ModelFormatError(str(path), "there is no such file")
    try:
        with np.load(path, allow_pickle=False) as members:
            header = json.loads(members["header"].tobytes())
            if header["format"] != FORMAT or header["version"] != VERSION:
                raise ValueError(f"its header tells of {header['format']!r}, version {header['version']!r}")
            arrays = []
            for index, variable in enumerate(header["variables"]):
                array = members[str(index)]
                stored = np.dtype(variable["stored"])
                arrays.append(array if stored.isbuiltin == 1 else array.view(stored))
                if list(arrays[-1].shape) != variable["shape"] or arrays[-1].dtype != stored:
                    raise ValueError(f"its array {index} is not the one that its header tells of")
            random = members["random"]
            others = {name: members[name] for name in members.files if name.startswith((_METRICS, _RECORDED))}
    except Exception as error:  # numpy, zipfile, zlib and json each raise their own kinds on damaged files
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise ModelFormatError(str(path), f"is no {FORMAT}, or a damaged one: {lines[0]}") from error
    return header, arrays, random, others


def _check_same(path: Path, what: str, saved: str, own: str) -> None:
    if saved != own:
        raise PruningError(str(path), f"was saved with {what} {saved}, but here it is {own}; make it as it was then")


def _check_variables(path: Path, group: str, saved: list[dict[str, Any]], own: list[dict[str, Any]]) -> None:
    for index in range(max(len(saved), len(own))):
        a, b = _text(saved[index : index + 1]), _text(own[index : index + 1])
        if a != b:
            raise PruningError(
                str(path), f"is of another training: {group} variable {index} is {a} in the file, but {b} here"
            )


def _text(variables: list[dict[str, Any]]) -> str:
    if not variables:
        return "none"
    (variable,) = variables
    return f"{variable['name']} {variable['dtype']} {tuple(variable['shape'])}"


def _describe(group: str, variable: keras.Variable) -> dict[str, Any]:
    """Names without numbers: dense_2/kernel is the dense/kernel of a model that was made before in the process."""
    path = variable.path.split("/")[-1] if group == "optimizer" else variable.path  # that depends on where it was built
    return {
        "group": group,
        "name": re.sub(r"_\d+(?=[_/]|$)", "", path),
        "dtype": keras.backend.standardize_dtype(variable.dtype),
        "shape": [int(length) for length in variable.shape],
    }


def _optimizer(
    model: keras.Model, pruner: Pruner | None, optimizer: keras.optimizers.Optimizer | None
) -> keras.optimizers.Optimizer | None:
    if optimizer is not None:
        return optimizer
    return pruner.optimizer if pruner is not None else getattr(model, "optimizer", None)


def _kind(optimizer: keras.optimizers.Optimizer | None) -> str:
    if optimizer is None:
        return "none"
    inner = getattr(optimizer, "inner_optimizer", None)
    return type(optimizer).__name__ + (f" of {_kind(inner)}" if inner is not None else "")
