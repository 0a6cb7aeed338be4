"""One tensor of a packed model is read without the others."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from models_in_memory import mlp

from sparsetool_converters import codec
from sparsetool_converters.codec.container import Packed, read_container
from sparsetool_converters.errors import ModelFormatError
from sparsetool_converters.model import Model
from sparsetool_converters.passes import EncodeSparse
from sparsetool_converters.plan import make_plan
from sparsetool_converters.targets import LITERT

RNG = np.random.default_rng(0)
FIRST, SECOND = (
    np.where(RNG.random(shape) < 0.1, RNG.standard_normal(shape), 0).astype(np.float32)
    for shape in ((96, 300), (64, 96))
)
DENSE = mlp([FIRST, SECOND], [np.arange(96), None])


def encoded() -> bytes:
    model = Model.from_bytes(DENSE)
    EncodeSparse(make_plan(model, LITERT))(model)
    assert any(t.is_sparse for t in model.subgraphs[0].tensors)
    return model.to_bytes()


@pytest.mark.parametrize("data", [DENSE, encoded()], ids=["dense", "encoded"])
def test_each_constant_is_read_by_its_name(data: bytes) -> None:
    packed = codec.open(codec.pack(data))
    first, second = ("w0" if "w0" in packed else "w0/sparse"), "w1"  # what DENSIFY unpacks is named so
    assert set(packed) == {first, second, "b0"}
    assert np.array_equal(packed[second], SECOND)
    assert np.array_equal(packed[first], FIRST)
    assert np.array_equal(packed[first], FIRST)
    assert np.array_equal(packed["b0"], np.arange(96))


def test_a_tensor_is_read_though_another_is_damaged() -> None:
    container = read_container(codec.pack(DENSE), max_output_bytes=2**20)
    regions = [Packed(region=p.region, frames=list(p.frames)) for p in container.regions]
    damaged = bytearray(regions[0].frames[-1])
    damaged[-1] ^= 1
    regions[0].frames[-1] = bytes(damaged)  # type: ignore[index]
    packed = codec.open(replace(container, regions=regions).to_bytes())
    failing = []
    for name in packed:
        try:
            packed[name]
        except codec.WireFormatError:
            failing.append(name)
    assert failing in (["w0"], ["w1"])


def test_values_are_not_for_writing() -> None:
    with pytest.raises(ValueError, match="read-only"):
        codec.open(codec.pack(DENSE))["w0"][0, 0] = 1


def test_a_name_that_there_is_not_is_a_key_error() -> None:
    packed = codec.open(codec.pack(DENSE))
    assert "w2" not in packed
    with pytest.raises(KeyError):
        packed["w2"]


def test_a_file_is_opened_and_named_in_errors(tmp_path: Path) -> None:
    path = tmp_path / "model.tflz"
    path.write_bytes(codec.pack(DENSE))
    assert len(codec.open(path)) == 3
    path.write_bytes(codec.pack(b"no model"))
    with pytest.raises(ModelFormatError, match=r"model\.tflz: is packed, but what was packed is no model"):
        codec.open(path)
    path.write_bytes(b"TFLZ")
    with pytest.raises(codec.WireFormatError, match=r"model\.tflz: 4 bytes are too few"):
        codec.open(path)
