"""Equality with the encoder that ships in the runtime, over random layouts."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from ai_edge_litert import format_converter_wrapper_pybind11 as runtime

from sparsetool_converters.sparsity import BlockFormat, DimensionFormat, decode, encode, encoded_bytes

CONFIGURATIONS = 500  # of each of the four seeds
CODES = {
    DimensionFormat.DENSE: runtime.TfLiteDimensionType.TF_LITE_DIM_DENSE,
    DimensionFormat.SPARSE_CSR: runtime.TfLiteDimensionType.TF_LITE_DIM_SPARSE_CSR,
}


def random_case(rng: np.random.Generator) -> tuple[npt.NDArray[np.float32], BlockFormat]:
    rank = int(rng.choice([2, 4]))
    blocked = [dim for dim in range(rank) if rng.random() < 0.4][:2]
    block_shape = [int(rng.integers(1, 5)) for _ in blocked]
    shape = [int(rng.integers(1, 7 if rank == 2 else 4)) for _ in range(rank)]
    for dim, size in zip(blocked, block_shape, strict=True):
        shape[dim] *= size
    formats = [DimensionFormat(int(rng.integers(2))) for _ in range(rank)]
    order = [*rng.permutation(rank).tolist(), *(rank + rng.permutation(len(blocked))).tolist()]
    array = rng.integers(1, 100, shape).astype(np.float32)
    array[rng.random(shape) < rng.choice([0, 0.3, 0.7, 0.9, 0.98, 1])] = 0
    return array, BlockFormat(
        traversal_order=tuple(order),
        formats=(*formats, *(DimensionFormat.DENSE,) * len(blocked)),
        block_map=tuple(blocked),
        block_shape=tuple(block_shape),
    )


def runtime_encoding(array: npt.NDArray[np.float32], layout: BlockFormat) -> tuple[list[list[int]], list[float]]:
    """Metadata, two lists a level, and values; the runtime takes formats by dimension, not by level."""
    by_dimension = dict(zip(layout.traversal_order, layout.formats, strict=True))
    converter: Any = runtime.FormatConverterFp32(
        list(array.shape),
        list(layout.traversal_order),
        [CODES[by_dimension[dim]] for dim in range(len(by_dimension))],
        list(layout.block_shape),
        list(layout.block_map),
    )
    converter.DenseToSparse(array.data)
    return [list(vector) for vector in converter.GetDimMetadata()], list(converter.GetData())


@pytest.mark.parametrize("seed", range(4))
def test_random_layouts_give_what_the_runtime_gives(seed: int) -> None:
    rng = np.random.default_rng(seed)
    for _ in range(CONFIGURATIONS):
        array, layout = random_case(rng)
        encoded = encode(array, layout)
        metadata: list[list[int]] = []
        for level in encoded.levels:
            if level.segments is None or level.indices is None:
                metadata += [[level.dense_size], []]
            else:
                metadata += [level.segments.tolist(), level.indices.tolist()]
        assert (metadata, encoded.values.tolist()) == runtime_encoding(array, layout), (array, layout)
        assert np.array_equal(decode(encoded), array)
        assert encoded_bytes(array, layout) == encoded.payload_bytes
