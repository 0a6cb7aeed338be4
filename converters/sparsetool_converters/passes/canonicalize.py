"""Write weights' negative zeros as +0.0.

Magnitude pruning by multiplication leaves -0.0, whose sign bit costs a fifth to a quarter of the compressed size
and makes an encoder keep the element. A weight is only ever multiplied and summed, so no output changes, but for
the sign of an output that is zero itself.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from sparsetool_converters.model import Buffer, Model, Tensor
from sparsetool_converters.passes.change import Change
from sparsetool_converters.weights import weight_sites


@dataclass(frozen=True)
class Canonicalize:
    """Turn -0.0 into +0.0 in float weights."""

    name: str = "canonicalize"

    def __call__(self, model: Model) -> Sequence[Change]:
        weights = [site.tensor for site in weight_sites(model)]
        floats = [t for t in dict.fromkeys(weights) if t.type_name in ("FLOAT32", "FLOAT16") and not t.is_sparse]
        holders = model.users()
        replaced: dict[Buffer, Buffer] = {}
        changes = []
        for tensor in floats:
            if tensor.buffer in replaced:
                continue
            if any(not _reads_alike(other, tensor) for other in holders[tensor.buffer]):
                continue  # somebody reads these bytes as something else
            array = tensor.array()
            negative = (array == 0) & np.signbit(array)
            count = int(np.count_nonzero(negative))
            if count == 0:
                continue
            replaced[tensor.buffer] = Buffer(_without(array, negative))
            size = tensor.buffer.nbytes
            changes.append(Change(tensor=tensor.name, what=f"{count:,} of -0.0", bytes_before=size, bytes_after=size))
        for before, after in replaced.items():
            for tensor in holders[before]:
                tensor.buffer = after
        return changes


def _reads_alike(other: Tensor, tensor: Tensor) -> bool:
    return other.type == tensor.type and not other.is_sparse


def _without(array: npt.NDArray[Any], negative: npt.NDArray[np.bool_]) -> npt.NDArray[np.uint8]:
    changed = array.copy()
    changed[negative] = 0.0
    return changed.reshape(-1).view(np.uint8)
