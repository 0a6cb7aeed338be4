"""Samples: what users and calibration files give, made to fit a model's inputs exactly."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn, TypeAlias

import numpy as np

from sparsetool_converters.errors import CalibrationDataError
from sparsetool_converters.tensor_info import Array, TensorInfo


@dataclass(frozen=True, kw_only=True)
class RandomSamples:
    """A request for samples made up from a seed, for a model that comes without data.

    A value depends on (seed, input position, sample index) alone. Floats are uniform in [0, 1): a negative
    number under a square root or a logarithm is NaN in the reference and in the candidate, and two NaNs agree
    whatever the weights are. Integers of 8 or 16 bits take their whole range, being quantized values, pixels
    or sound. Wider ones are 0 or 1, since they are mostly indices, and any table of two rows has these.

    Attributes:
        n_samples: how many.
        seed: any non-negative integer.
    """

    n_samples: int
    seed: int = 0


@dataclass(frozen=True, eq=False)
class RaggedSamples:
    """Samples of different shapes, for a model whose inputs may be resized.

    Attributes:
        samples: one after the other, each an array for each input, by its name or its position.
    """

    samples: tuple[Mapping[str, Array] | Sequence[Array], ...]


@dataclass(frozen=True)
class ImageFolder:
    """Pictures, to be made to fit a model's only input.

    Attributes:
        paths: the files, in the order in which they are run.
    """

    paths: tuple[Path, ...]


Samples: TypeAlias = RandomSamples | RaggedSamples | ImageFolder | Array | Sequence[Array] | Mapping[str, Array]
"""Arrays by input name (the tensor's or the signature's), by input position, or one bare array for one input.

An input of shape [1, 28, 28, 1] takes [n, 1, 28, 28, 1], or [n, 28, 28, 1] since its first dimension is 1.
"""


def sample_count(samples: Samples) -> int:
    """Returns how many samples there are, by the first array's first dimension.

    Raises:
        CalibrationDataError: there is none.
    """
    if isinstance(samples, RandomSamples):
        n_samples = samples.n_samples
    elif isinstance(samples, RaggedSamples | ImageFolder):
        n_samples = len(samples.samples if isinstance(samples, RaggedSamples) else samples.paths)
    else:
        first = next(iter(_arrays(samples)), None)
        n_samples = 0 if first is None or first.ndim == 0 else first.shape[0]
    if n_samples < 1:
        raise CalibrationDataError("no samples: give at least one, along the first dimension of every array")
    return n_samples


SampleSource: TypeAlias = Samples | Callable[[], Any]
"""Samples, or a function that returns them, or one that yields them one by one; see `gather_samples`."""


def gather_samples(source: SampleSource) -> Samples:
    """The samples themselves, from whatever gives them.

    Args:
        source: samples; or a function without arguments that returns samples or yields one sample after the other:
            an array, a sequence of arrays by input position, or a mapping from input names.

    Raises:
        CalibrationDataError: the function fails, or gives something else.
    """
    if isinstance(source, RandomSamples | RaggedSamples | ImageFolder) or not callable(source):
        return source
    name = getattr(source, "__name__", "the function")
    try:
        found = source()
        if isinstance(found, Iterator):
            found = _joined(list(found))
    except CalibrationDataError as problem:
        raise CalibrationDataError(f"{name}(): {problem}") from problem
    except Exception as problem:  # whatever a user's function raises
        text = " ".join(f"{type(problem).__name__}: {problem}".split())
        raise CalibrationDataError(f"{name}() failed: {text}") from problem
    arrays = list(found.values()) if isinstance(found, Mapping) else found
    if isinstance(found, (RandomSamples, RaggedSamples, ImageFolder, np.ndarray)):
        return found
    if not isinstance(arrays, (list, tuple)) or not all(isinstance(a, np.ndarray) for a in arrays):
        raise CalibrationDataError(
            f"{name}() must return an array, or arrays by input, or yield samples; got {type(found).__name__}"
        )
    return found  # type: ignore[no-any-return]


def _joined(samples: list[Any]) -> Samples:
    """Samples that came one by one, as one array for each input, or as they came where their shapes differ."""
    if not samples:
        raise CalibrationDataError("gives no sample; give at least one")
    first = samples[0]
    if isinstance(first, Mapping):
        if any(not isinstance(s, Mapping) or set(s) != set(first) for s in samples):
            raise CalibrationDataError("gives samples with different inputs; every one needs all of them")
        columns = {str(key): [np.asarray(s[key]) for s in samples] for key in first}
        if all(map(_have_one_shape, columns.values())):
            return {key: np.stack(arrays) for key, arrays in columns.items()}
        return RaggedSamples(tuple({str(key): np.asarray(s[key]) for key in first} for s in samples))
    if isinstance(first, (list, tuple)):
        if any(not isinstance(s, (list, tuple)) or len(s) != len(first) for s in samples):
            raise CalibrationDataError("gives samples with different inputs; every one needs all of them")
        by_input = [[np.asarray(s[i]) for s in samples] for i in range(len(first))]
        if all(map(_have_one_shape, by_input)):
            return [np.stack(arrays) for arrays in by_input]
        return RaggedSamples(tuple(tuple(map(np.asarray, s)) for s in samples))
    return _of_one_input([np.asarray(s) for s in samples])


def _of_one_input(arrays: Sequence[Array]) -> Samples:
    return np.stack(arrays) if _have_one_shape(arrays) else RaggedSamples(tuple((array,) for array in arrays))


def _have_one_shape(arrays: Sequence[Array]) -> bool:
    return len({array.shape for array in arrays}) == 1


IMAGES = (".png", ".jpg", ".jpeg", ".bmp", ".webp")


def load_samples(path: str | os.PathLike[str]) -> Samples:
    """Reads samples from a file or a folder; never unpickles.

    An .npz file holds an array for each input, by its name. An .npy file holds the samples of a model's only input. A
    folder holds a sample in each .npy file, in the order of their names; or a folder of such files for each input,
    named as the input; or pictures, at any depth, in the order of their paths.

    Raises:
        CalibrationDataError: it cannot be read, is none of these, or holds no plain arrays.
    """
    path = Path(path)
    return _load_folder(path) if path.is_dir() else _load_file(path)


def _load_folder(folder: Path) -> Samples:
    files = sorted(folder.glob("*.npy"))
    if files:
        return _of_one_input([_load_array(file) for file in files])
    images = sorted(p for p in folder.rglob("*") if p.suffix.lower() in IMAGES and p.is_file())
    if images:
        return ImageFolder(tuple(images))
    folders = sorted(inside for inside in folder.iterdir() if any(inside.glob("*.npy")))
    if not folders:
        raise CalibrationDataError(
            f"{folder}: holds no .npy files and no pictures; put one in it for each sample, or a folder of .npy files "
            "for each input"
        )
    columns = {inside.name: [_load_array(file) for file in sorted(inside.glob("*.npy"))] for inside in folders}
    if all(map(_have_one_shape, columns.values())):
        return {name: np.stack(arrays) for name, arrays in columns.items()}
    counts = {len(arrays) for arrays in columns.values()}
    if len(counts) > 1:
        raise CalibrationDataError(f"{folder}: inputs need equally many samples; there are {sorted(counts)}")
    numbers = range(counts.pop())
    return RaggedSamples(tuple({name: arrays[i] for name, arrays in columns.items()} for i in numbers))


def _load_array(file: Path) -> Array:
    found = _load_file(file)
    if not isinstance(found, np.ndarray):
        raise CalibrationDataError(f"{file}: holds several arrays; an .npy file holds one")
    return found


def _load_file(path: Path) -> Array | dict[str, Array]:
    try:
        found = np.load(path, allow_pickle=False)
        if isinstance(found, np.ndarray):
            return found
        with found:
            arrays = {key: found[key] for key in found.files}
    except OSError as error:
        raise CalibrationDataError(f"{path}: cannot be read: {error.strerror or error}") from error
    except Exception as error:  # a damaged file makes numpy and zipfile raise almost anything
        raise CalibrationDataError(
            f"{path}: not an .npz or .npy file of plain arrays; write one with numpy.savez"
        ) from error
    if not all(isinstance(array, np.ndarray) for array in arrays.values()):
        raise CalibrationDataError(f"{path}: holds members that are not arrays; write it with numpy.savez")
    if not arrays:
        raise CalibrationDataError(f"{path}: holds no array; give one for each input of the model")
    return arrays


def fit_samples(samples: Samples, inputs: Sequence[TensorInfo]) -> tuple[Array, ...]:
    """Returns one array for each input, [n_samples, *sample_shape], of exactly the input's dtype.

    Real values for a quantized input are quantized with its scale and zero point. Other numbers are cast only
    where every value survives, floats to any width.

    Raises:
        CalibrationDataError: an input is missing or surplus, has another shape, or a dtype that does not fit.
    """
    if isinstance(samples, RandomSamples):
        return tuple(_made_up(samples, position, info) for position, info in enumerate(inputs))
    if isinstance(samples, ImageFolder):
        from sparsetool_converters.image_samples import fit_images

        return (fit_images(samples.paths, inputs),)
    if isinstance(samples, RaggedSamples):
        raise CalibrationDataError("samples differ in shape; all need the same here")
    n_samples = sample_count(samples)
    fitted = []
    for array, info in zip(in_order(samples, inputs), inputs, strict=True):
        fit = _with_dtype(_with_shape(array, info), info)
        if fit.shape[0] != n_samples:
            raise CalibrationDataError(
                f"inputs need equally many samples; {info.name!r} has {fit.shape[0]}, the first {n_samples}"
            )
        fitted.append(fit)
    return tuple(fitted)


def fit_ragged(samples: RaggedSamples, inputs: Sequence[TensorInfo]) -> list[tuple[Array, ...]]:
    """Returns one array for each input of each sample, in the input's dtype, as `fit_samples` does.

    Raises:
        CalibrationDataError: as `fit_samples`.
    """
    fitted = []
    for sample in samples.samples:
        named = sample.items() if isinstance(sample, Mapping) else enumerate(sample)
        alone = [(key, array[np.newaxis]) for key, array in named]
        one = {str(k): a for k, a in alone} if isinstance(sample, Mapping) else [a for _, a in alone]
        fitted.append(tuple(array[0] for array in fit_samples(one, inputs)))
    return fitted


def samples_for(samples: Samples, signature: str, inputs: Sequence[str], *, first: bool) -> Samples | None:
    """The samples for one of a model's several signatures; None if none of them are.

    Keys of a mapping may be `signature/input`. A mapping with other keys is for the signature whose inputs they name,
    samples without names are for the first one; random ones do for all.

    Args:
        samples: what was given for the model.
        signature: the signature's key.
        inputs: the names of its inputs.
        first: whether it is the model's first.
    """
    if isinstance(samples, RandomSamples):
        return samples
    if not isinstance(samples, Mapping):
        return samples if first else None
    prefix = f"{signature}/"
    own = {key.removeprefix(prefix): array for key, array in samples.items() if key.startswith(prefix)}
    if own:
        return own
    return samples if sorted(samples) == sorted(inputs) else None


def _arrays(samples: Array | Sequence[Array] | Mapping[str, Array]) -> list[Array]:
    if isinstance(samples, np.ndarray):
        return [samples]
    return list(samples.values()) if isinstance(samples, Mapping) else list(samples)


def in_order(samples: Array | Sequence[Array] | Mapping[str, Array], inputs: Sequence[TensorInfo]) -> list[Array]:
    """Returns the arrays in the order of the inputs.

    Raises:
        CalibrationDataError: an input is missing or surplus.
    """
    arrays = _arrays(samples)
    if isinstance(samples, Mapping) and not (len(arrays) == len(inputs) == 1):
        keys = [info.name if info.name in samples else info.signature_name for info in inputs]
        if sorted(keys) != sorted(samples):
            wanted = ", ".join(repr(info.signature_name or info.name) for info in inputs)
            given = ", ".join(repr(key) for key in samples)
            raise CalibrationDataError(f"the model's inputs are {wanted}; samples are given for {given}")
        return [samples[key] for key in keys]
    if len(arrays) != len(inputs):
        names = ", ".join(repr(info.signature_name or info.name) for info in inputs)
        raise CalibrationDataError(f"the model has {len(inputs)} inputs ({names}); samples are given for {len(arrays)}")
    return arrays


def _with_shape(array: Array, info: TensorInfo) -> Array:
    """Returns the array as [n_samples, *sample_shape], or says what shape it should have."""
    leading_one = info.shape[:1] == (1,)
    shaped = array[:, np.newaxis] if leading_one and array.ndim == len(info.shape) else array
    rule = info.shape_signature or info.shape
    if shaped.ndim != len(info.shape) + 1 or any(
        want not in (-1, size) for want, size in zip(rule, shaped.shape[1:], strict=True)
    ):
        sizes = ["?" if size == -1 else str(size) for size in rule]
        shapes = [f"[{', '.join(['n', *sizes[skip:]])}]" for skip in range(1 + leading_one)]
        raise CalibrationDataError(
            f"input {info.name!r} takes samples of shape {' or '.join(shapes)}; got {list(array.shape)}"
        )
    return shaped


def _with_dtype(array: Array, info: TensorInfo) -> Array:
    """Returns the array in the input's dtype, or says why that would change its meaning."""
    want, got = np.dtype(info.dtype), array.dtype
    if got == want or (want.kind == "S" and got.kind == "S"):
        return array
    if want.kind == "S" and got.kind == "U":
        return np.char.encode(array.astype(np.str_), "utf-8")
    if "S" in (want.kind, got.kind) or got.kind not in "biuf":
        _refuse(array, info, f"give {want.name}")
    if info.is_quantized:
        if got.kind != "f":
            _refuse(array, info, f"give {want.name} (stored values) or float32 (real values)")
        reals = array.astype(np.float64)
        if not np.isfinite(reals).all():
            _refuse(array, info, "they hold NaN or infinity, which cannot be quantized")
        return info.quantize(reals)
    with np.errstate(invalid="ignore", over="ignore"):
        cast = array.astype(want)
        if want.kind not in "fc" or got.kind != "f":
            if got.kind == "f":
                _refuse(array, info, f"give {want.name}")
            if not np.array_equal(cast.astype(got), array):
                _refuse(array, info, f"some values would change; give {want.name}")
    return cast


def _refuse(array: Array, info: TensorInfo, way_out: str) -> NoReturn:
    raise CalibrationDataError(
        f"input {info.name!r} is {np.dtype(info.dtype).name}; samples of {array.dtype.name} do not fit it: {way_out}"
    )


def _made_up(samples: RandomSamples, position: int, info: TensorInfo) -> Array:
    dtype = np.dtype(info.dtype)
    if dtype.kind not in "biufc":
        raise CalibrationDataError(
            f"input {info.name!r} is {dtype.name}, for which no samples can be made up; give samples as an .npz file"
        )
    made = np.empty((samples.n_samples, *info.shape), dtype)
    for index in range(samples.n_samples):
        generator = np.random.Generator(np.random.PCG64([samples.seed, position, index]))
        if dtype.kind in "fc":
            made[index] = generator.random(info.shape, np.float32)
        elif dtype.kind in "iu" and dtype.itemsize <= 2:
            limits = np.iinfo(dtype)
            made[index] = generator.integers(limits.min, limits.max, info.shape, dtype, endpoint=True)
        else:
            made[index] = generator.integers(0, 2, info.shape)
    return made
