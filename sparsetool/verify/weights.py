"""Compare the constants of two models without any runtime."""

from typing import Any

import numpy as np
import numpy.typing as npt

from sparsetool.verify.scaling import scaling
from sparsetool_converters.errors import VerificationError
from sparsetool_converters.model import Model, Tensor
from sparsetool_converters.passes import Densify
from sparsetool_converters.passes.densify import MAX_OUTPUT_BYTES


def check_constants(reference: bytes, candidate: bytes, *, stage: str, signed_zeros: bool = True) -> None:
    """Raise VerificationError for the first constant whose decoded values are not those of the reference.

    Sparse constants are decoded, behind DENSIFY or not, so only the values count and not how they are stored.

    Args:
        reference: bytes of the .tflite before the stage.
        candidate: bytes of the .tflite after it.
        stage: the stage, for the error.
        signed_zeros: whether -0.0 and +0.0 differ.
    """
    wanted, found = _dense_model(reference), _dense_model(candidate)
    if len(wanted.subgraphs) != len(found.subgraphs):
        raise VerificationError(
            stage, "", f"the model has {len(found.subgraphs)} subgraphs, not {len(wanted.subgraphs)}"
        )
    for graph, other in zip(wanted.subgraphs, found.subgraphs, strict=True):
        constants = [t for t in graph.tensors if t.is_constant]
        others = [t for t in other.tensors if t.is_constant]
        if [t.name for t in constants] != [t.name for t in others]:
            missing = sorted({t.name for t in constants} ^ {t.name for t in others})
            raise VerificationError(stage, "", f"constants appeared, went or moved: {', '.join(missing[:5])}")
        for tensor, candidate_tensor in zip(constants, others, strict=True):
            _check(tensor, candidate_tensor, stage, signed_zeros)


def _dense_model(data: bytes) -> Model:
    model = Model.from_bytes(data)
    Densify(max_output_bytes=MAX_OUTPUT_BYTES)(model)
    return model


def _check(tensor: Tensor, other: Tensor, stage: str, signed_zeros: bool) -> None:
    if (tensor.type, tensor.shape) != (other.type, other.shape):
        raise VerificationError(
            stage,
            tensor.name,
            f"is {other.type_name} {list(other.shape)}, not {tensor.type_name} {list(tensor.shape)}",
        )
    if scaling(tensor) != scaling(other):
        raise VerificationError(stage, tensor.name, "has other quantization scales or zero points")
    wanted, found = _values(tensor, signed_zeros), _values(other, signed_zeros)
    if wanted.shape == found.shape and np.array_equal(wanted, found):
        return
    if wanted.shape != found.shape:
        raise VerificationError(stage, tensor.name, f"has {found.size} values, not {wanted.size}")
    different = np.flatnonzero(wanted != found)
    first = int(different[0])
    at = [int(i) for i in np.unravel_index(first, tensor.shape)] if wanted.size == np.prod(tensor.shape) else first
    raise VerificationError(
        stage,
        tensor.name,
        f"{len(different):,} of {wanted.size:,} values differ, first at {at}: "
        f"bits {int(found[first]):#x}, not {int(wanted[first]):#x}",
    )


def _values(tensor: Tensor, signed_zeros: bool) -> npt.NDArray[Any]:
    """The values as unsigned integers of their width, so that NaN equals itself; else the bytes as stored."""
    if tensor.buffer.data is not None and not tensor.is_sparse and tensor.element_dtype is None:
        return tensor.buffer.data
    values = tensor.array()
    if values.dtype.kind == "f" and not signed_zeros:
        values = values + values.dtype.type(0)  # -0.0 + 0.0 is +0.0
    width = values.dtype.itemsize
    return np.ascontiguousarray(values).reshape(-1).view(f"u{width}" if width <= 8 else np.uint8)
