"""What quantization made of each weight's zeros."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from sparsetool_converters.errors import UsageError
from sparsetool_converters.model import Model, Tensor
from sparsetool_converters.passes.change import Change
from sparsetool_converters.weights import weight_sites

# A weight is pruned from this share of zeros on: training leaves next to none by chance.
PRUNED_SHARE = 0.1


class ZerosLostError(UsageError):
    """A recipe that makes other numbers of a pruned weight's zeros.

    Attributes:
        tensor: the weight.
        recipe: the recipe.
        zeros: how many it had.
        kept: how many of these are still stored as zero.
    """

    def __init__(self, tensor: str, recipe: str, zeros: int, kept: int) -> None:
        self.tensor, self.recipe, self.zeros, self.kept = tensor, recipe, zeros, kept
        super().__init__(
            f"{recipe} keeps {kept:,} of the {zeros:,} zeros of {tensor}, which is pruned: choose another recipe for "
            f"it, or allow the loss (compress --allow-zero-loss)"
        )


@dataclass(frozen=True, kw_only=True)
class QuantizedWeight(Change):
    """A weight that has another type now.

    Attributes:
        recipe: the recipe that was asked for.
        type_before: element type, as the schema names it.
        type_after: the same after.
        elements: how many elements it has.
        zeros_before: how many were zero.
        zeros_after: how many are stored as zero.
    """

    recipe: str
    type_before: str
    type_after: str
    elements: int
    zeros_before: int
    zeros_after: int


def quantized_weights(
    before: Mapping[str, Tensor], model: Model, recipe: str, *, allow_loss: bool
) -> Sequence[QuantizedWeight]:
    """Every weight whose type changed, with its zeros before and after.

    Args:
        before: the float model's weights by name.
        model: the quantized model.
        recipe: what was asked for.
        allow_loss: whether a pruned weight may lose zeros.

    Raises:
        ZerosLostError: a weight with at least `PRUNED_SHARE` zeros has lost some of them, or stores them as
            something else than 0.
    """
    found = []
    for tensor in dict.fromkeys(site.tensor for site in weight_sites(model)):
        old = before.get(tensor.name.removesuffix("_duplicated"))
        if old is None or old.type == tensor.type or old.is_sparse or old.shape != tensor.shape:
            continue
        if tensor.type_name == "FLOAT32":
            continue  # widened for the quantizer, and about to be float16 again
        zero, stored_zero = old.array() == 0, tensor.array() == 0
        zeros, kept = int(zero.sum()), int((zero & stored_zero).sum())
        if not _is_symmetric(tensor):
            kept = 0
        if zeros >= PRUNED_SHARE * zero.size and kept < zeros and not allow_loss:
            raise ZerosLostError(tensor.name, recipe, zeros, kept)
        after = int(np.count_nonzero(stored_zero))
        found.append(
            QuantizedWeight(
                tensor=tensor.name,
                what=f"{recipe}: {old.type_name} to {tensor.type_name}, zeros {zeros:,} to {after:,}",
                bytes_before=old.buffer.nbytes,
                bytes_after=tensor.buffer.nbytes,
                recipe=recipe,
                type_before=old.type_name,
                type_after=tensor.type_name,
                elements=zero.size,
                zeros_before=zeros,
                zeros_after=after,
            )
        )
    return found


def _is_symmetric(tensor: Tensor) -> bool:
    points = None if tensor.quantization is None else tensor.quantization.zeroPoint
    return points is None or not np.any(points)
