"""Whatever is packed comes back, is never much larger than plain zstd, and smaller where something is known of it."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from models_in_memory import Graph, mlp, new_model, packed
from round_trips import faults, most_bytes
from tensor_files import tensor_file

from sparsetool_converters.codec import Effort, pack, packing, unpack
from sparsetool_converters.codec.container import read_container
from sparsetool_converters.codec.regions import Coding, Places, Region
from sparsetool_converters.model import Model
from sparsetool_converters.model.sparsity_fields import write_sparsity
from sparsetool_converters.sparsity import encode
from sparsetool_converters.sparsity.format import BlockFormat, DimensionFormat, block_csr, csr


def regions(container: bytes) -> list[Region]:
    return [p.region for p in read_container(container, max_output_bytes=2**31).regions]


def pruned(shape: tuple[int, ...], density: float, *, block: int = 1, seed: int = 0) -> npt.NDArray[np.float32]:
    rng = np.random.default_rng(seed)
    keep = np.repeat(rng.random((shape[0], shape[1] // block)) < density, block, axis=1)
    return np.where(keep, rng.standard_normal(shape), 0).astype(np.float32)


def one_tensor(array: npt.NDArray[np.generic], dtype: str = "float32") -> bytes:
    model = new_model()
    graph = Graph(model)
    weight = graph.constant("w", array) if dtype == "float32" else graph.tensor("w", array.shape, dtype, data=array)
    graph.ends([], [weight])
    return packed(model)


def encoded(data: bytes, layout: BlockFormat) -> bytes:
    model = Model.from_bytes(data)
    (tensor,) = (t for t in model.subgraphs[0].tensors if t.is_constant)
    write_sparsity(tensor, encode(tensor.array(), layout))
    return model.to_bytes()


@settings(deadline=None, max_examples=100)
@given(st.integers(0, 2**32))
def test_models_with_hard_tensors_come_back(number: int) -> None:
    assert faults(tensor_file(number)) == []


@settings(deadline=None, max_examples=50)
@given(st.binary(max_size=3000))
def test_any_bytes_come_back(data: bytes) -> None:
    assert faults(data) == []
    assert faults(data[:4] + b"TFL3" + data[8:]) == []


@pytest.mark.parametrize("size", [0, 1, 255, 2**17, 10**6])
def test_random_bytes_take_hardly_more_than_themselves(size: int) -> None:
    data = np.random.default_rng(size).integers(0, 256, size, np.uint8).tobytes()
    assert unpack(pack(data)) == data
    assert len(pack(data)) <= most_bytes(data)


@pytest.mark.parametrize("effort", Effort)
def test_a_pruned_model_is_smaller_than_by_zstd(effort: Effort) -> None:
    data = mlp([pruned((128, 300), 0.1), pruned((16, 128), 0.1)], [np.ones(128), None])
    container = pack(data, effort=effort)
    assert unpack(container) == data
    assert len(container) < 0.85 * most_bytes(data)
    assert regions(container)[0].places is Places.GAPS


def test_a_weight_takes_the_same_stored_dense_or_encoded() -> None:
    dense = one_tensor(pruned((256, 500), 0.1))
    sizes = {len(pack(data)) for data in (dense, encoded(dense, csr(2)))}
    assert max(sizes) < 1.01 * min(sizes) + 200  # for the tables of the encoding


@pytest.mark.parametrize("block", [4, 16])
def test_blocks_are_kept_as_wholes(block: int) -> None:
    dense = one_tensor(pruned((64, 640), 0.1, block=block))
    for data in (dense, encoded(dense, block_csr((1, block)))):
        (region,) = regions(pack(data))
        assert region.unit == block
        assert unpack(pack(data)) == data


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (1, 2, 3, 0), (3, 0, 2, 1)])
def test_indices_along_any_axis_are_rebuilt(order: tuple[int, ...]) -> None:
    levels = (DimensionFormat.DENSE,) * 3 + (DimensionFormat.SPARSE_CSR,)
    weight = pruned((32, 9 * 24), 0.1).reshape(32, 3, 3, 24)
    data = encoded(one_tensor(weight), BlockFormat(traversal_order=order, formats=levels))
    container = pack(data)
    assert unpack(container) == data
    assert [region.index is not None for region in regions(container)] == [True]


def test_indices_that_do_not_ascend_travel_as_they_are() -> None:
    model = Model.from_bytes(encoded(one_tensor(pruned((32, 100), 0.2)), csr(2)))
    indices = model.subgraphs[0].tensors[0].fields.sparsity.dimMetadata[1].arrayIndices
    indices.values = indices.values.copy()
    indices.values[:2] = indices.values[1::-1]
    data = model.to_bytes()
    assert unpack(pack(data)) == data
    assert regions(pack(data)) == []


def test_units_too_far_apart_for_the_limits_travel_as_they_are() -> None:
    weight = np.zeros((256, 100_000), np.float32)
    weight[:, 60_000] = 1
    model = Model.from_bytes(one_tensor(np.ones((256, 1), np.float32)))
    tensor = model.subgraphs[0].tensors[0]
    tensor.shape = weight.shape
    write_sparsity(tensor, encode(weight, csr(2)))
    data = model.to_bytes()
    assert unpack(pack(data)) == data


def test_values_out_of_a_short_list_travel_as_choices() -> None:
    rng = np.random.default_rng(0)
    weight = rng.standard_normal(200).astype(np.float32)[rng.integers(0, 200, (64, 300))]
    (region,) = regions(pack(one_tensor(weight)))
    assert region.coding is Coding.LIST
    assert region.places is Places.ALL


def test_floats_travel_in_planes() -> None:
    (region,) = regions(pack(one_tensor(pruned((100, 200), 1.0))))
    assert region.coding in (Coding.PLANES, Coding.TURNED)


@pytest.mark.parametrize("piece_bytes", [512, 5000])
@pytest.mark.parametrize("density", [0.1, 1.0])
def test_large_tensors_come_in_several_regions(
    piece_bytes: int, density: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packing, "_PIECE_BYTES", piece_bytes)
    dense = one_tensor(pruned((60, 400), density))
    for data in (dense, encoded(dense, csr(2)), encoded(dense, block_csr((1, 4)))):
        assert unpack(pack(data)) == data


def test_a_large_tensor_in_several_regions_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packing, "_PIECE_BYTES", 2**17)
    dense = one_tensor(pruned((300, 1000), 0.2))
    for data in (dense, encoded(dense, csr(2))):
        container = pack(data, effort=Effort.FAST)
        assert len(regions(container)) > 2
        assert unpack(container) == data


def test_the_same_file_gives_the_same_bytes_from_any_memory() -> None:
    data = mlp([pruned((64, 300), 0.1)])
    assert pack(data) == pack(bytearray(data)) == pack(memoryview(b"x" + data)[1:])


def test_a_model_stored_twice_is_not_sent_twice() -> None:
    weight = pruned((128, 300), 1.0)
    data = mlp([weight, np.ones((300, 128), np.float32), weight])
    assert len(pack(data)) <= most_bytes(data)


PUBLISHED = ("face_detection_full_range_sparse", "hand_landmark_full", "melspectrogram", "nmp", "okay_nabu")


@pytest.mark.parametrize("name", [f"{name}.tflite" for name in PUBLISHED])
def test_published_models_come_back(name: str, published_model: Callable[[str], Path]) -> None:
    data = published_model(name).read_bytes()
    container = pack(data, effort=Effort.FAST)
    assert unpack(container) == data
    assert pack(data, effort=Effort.FAST) == container
