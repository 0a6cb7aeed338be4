"""pack, unpack and inspect of packed models, on the command line."""

import json

import numpy as np
import pytest
import zstandard
from models_in_memory import mlp


@pytest.fixture
def model(tmp_path):
    """Nine of ten weights are zero."""
    rng = np.random.default_rng(1)
    weight = np.where(rng.random((96, 300)) < 0.1, rng.standard_normal((96, 300)), 0).astype(np.float32)
    (tmp_path / "model.tflite").write_bytes(mlp([weight]))
    return tmp_path / "model.tflite"


def test_a_model_is_packed_and_unpacked_bit_for_bit(sparsetool, model, tmp_path):
    done = sparsetool("pack", "model.tflite", "--json")
    assert done.code == 0, done.err
    packed = tmp_path / "model.tflz"
    assert done.json == {
        "schema_version": 1,
        "kind": "pack",
        "output": "model.tflz",
        "disk_bytes": model.stat().st_size,
        "wire_bytes": packed.stat().st_size,
    }
    assert packed.stat().st_size < 0.2 * model.stat().st_size
    back = sparsetool("unpack", "model.tflz", "-o", "back.tflite")
    assert back.out == f"back.tflite: {model.stat().st_size:,} bytes\n"
    assert (tmp_path / "back.tflite").read_bytes() == model.read_bytes()


def test_a_model_is_unpacked_beside_its_container(sparsetool, model, tmp_path):
    sparsetool("pack", "model.tflite", "-o", "other.tflz", "--fast")
    assert sparsetool("unpack", "other.tflz").code == 0
    assert (tmp_path / "other.tflite").read_bytes() == model.read_bytes()


def test_any_bytes_of_that_name_come_back(sparsetool, tmp_path):
    (tmp_path / "noise.tflite").write_bytes(b"no model at all")
    assert sparsetool("pack", "noise.tflite").code == 0
    assert sparsetool("unpack", "noise.tflz", "--force").code == 0
    assert (tmp_path / "noise.tflite").read_bytes() == b"no model at all"


def test_a_plain_frame_is_read_by_any_zstd_tool(sparsetool, model, tmp_path):
    assert sparsetool("pack", "model.tflite", "--format", "zst").code == 0
    frame = (tmp_path / "model.tflite.zst").read_bytes()
    assert zstandard.ZstdDecompressor().decompress(frame) == model.read_bytes()


def test_inspecting_shows_where_the_bytes_go(sparsetool, model, tmp_path):
    sparsetool("pack", "model.tflite")
    size = (tmp_path / "model.tflz").stat().st_size
    shown = sparsetool("inspect", "model.tflz")
    assert shown.code == 0, shown.err
    assert "w0" in shown.out
    assert f"model.tflz: {size:,} bytes for {model.stat().st_size:,}" in shown.out
    record = json.loads(sparsetool("inspect", "model.tflz", "--json").out)
    (tensor,) = record["tensors"]
    assert tensor["packed_bytes"] + record["literal_bytes"] + record["directory_bytes"] == size
    assert 0.9 < tensor["packed_bytes"] / tensor["bound_bytes"] < 1.1
    assert tensor["zeros"] == 96 * 300 - np.count_nonzero(_weight(model))


def _weight(model):
    from sparsetool_converters.model import Model

    return Model.from_file(model).subgraphs[0].tensors[1].array()


def test_packed_models_are_sources_like_others(sparsetool, model):
    sparsetool("pack", "model.tflite")
    assert "w0" in sparsetool("plan", "model.tflz").out


@pytest.mark.parametrize("command", ["unpack", "inspect", "plan"])
def test_a_damaged_container_is_refused_with_5(sparsetool, model, tmp_path, command):
    sparsetool("pack", "model.tflite")
    packed = tmp_path / "model.tflz"
    packed.write_bytes(packed.read_bytes()[:-1])
    line = sparsetool(command, "model.tflz", *(["--force"] if command == "unpack" else [])).error(5)
    assert "model.tflz: should have" in line


def test_a_container_of_no_model_has_nothing_to_inspect(sparsetool, tmp_path):
    (tmp_path / "noise.tflite").write_bytes(b"no model at all")
    sparsetool("pack", "noise.tflite")
    assert "what was packed is no model" in sparsetool("inspect", "noise.tflz").error(5)
