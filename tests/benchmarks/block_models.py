"""Models whose zeros come in blocks, made from one that has none."""

from pathlib import Path

import numpy as np

from sparsetool_converters.model import Model

LEAST_BYTES = 20_000  # of a weight that is pruned


def blocks_pruned(source: Path, destination: Path, *, width: int = 16, density: float = 0.1) -> None:
    """Keep the largest blocks of 1 by `width` of each large float32 weight, all others become zero."""
    model = Model.from_file(source)
    for tensor in model.subgraphs[0].tensors:
        if tensor.is_constant and tensor.type_name == "FLOAT32" and tensor.buffer.nbytes >= LEAST_BYTES:
            blocks = tensor.array().reshape(-1, width)
            strength = np.square(blocks).sum(axis=1)
            kept = strength >= np.quantile(strength, 1 - density)
            tensor.buffer.data = np.where(kept[:, None], blocks, np.float32(0)).reshape(-1).view(np.uint8)
    model.save(destination)
