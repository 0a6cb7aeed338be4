"""Encode one weight, against the format converter in C++ that ships in the runtime."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from ai_edge_litert import format_converter_wrapper_pybind11 as runtime
from figures import Figure, median_ratio

from sparsetool_converters.sparsity import BlockFormat, DimensionFormat, block_csr, csr, encode

SHAPES = ((2048, 2048), (256, 3, 3, 1024))
BLOCKS = ((1, 1), (1, 4), (1, 16))
ZEROS = (0.5, 0.9)
ROUNDS = 7
CODES = {
    DimensionFormat.DENSE: runtime.TfLiteDimensionType.TF_LITE_DIM_DENSE,
    DimensionFormat.SPARSE_CSR: runtime.TfLiteDimensionType.TF_LITE_DIM_SPARSE_CSR,
}


def measure(folder: Path) -> list[Figure]:
    return [_figure(shape, block, zeros) for shape in SHAPES for block in BLOCKS for zeros in ZEROS]


def _figure(shape: tuple[int, ...], block: tuple[int, int], zeros: float) -> Figure:
    rank = len(shape)
    layout = csr(rank) if block == (1, 1) else block_csr(block, rank)
    rng = np.random.default_rng(0)
    keep = np.repeat(rng.random((*shape[:-1], shape[-1] // block[1])) >= zeros, block[1], axis=-1)
    array = np.where(keep, rng.random(shape, np.float32), np.float32(0))
    return Figure(
        name=f"encode {list(shape)} in {block[0]}x{block[1]}, {zeros:.0%} zeros, over the format converter in C++",
        value=median_ratio(lambda: encode(array, layout), lambda: encode_in_cpp(array, layout), ROUNDS),
        unit="x",
        limit=1.0,
    )


def encode_in_cpp(array: npt.NDArray[np.float32], layout: BlockFormat) -> None:
    """The conversion alone; its results stay in C++."""
    by_dimension = dict(zip(layout.traversal_order, layout.formats, strict=True))
    converter: Any = runtime.FormatConverterFp32(
        list(array.shape),
        list(layout.traversal_order),
        [CODES[by_dimension[dim]] for dim in range(len(by_dimension))],
        list(layout.block_shape),
        list(layout.block_map),
    )
    converter.DenseToSparse(array.data)
