"""Whatever a user calls a model, as the bytes of a .tflite; and what is none."""

import numpy as np
import pytest

from sparsetool.pipeline.sources import load_source
from sparsetool_converters.codec import compress, pack
from sparsetool_converters.errors import ModelFormatError
from sparsetool_converters.model import Model


def test_a_tflite_is_taken_byte_for_byte(tmp_path, dense_model):
    path = tmp_path / "model.tflite"
    path.write_bytes(dense_model)
    assert load_source(path) == dense_model


PACKED = pytest.mark.parametrize(("name", "packed"), [("model.tflz", pack), ("model.tflite.zst", compress)])


@PACKED
def test_a_packed_tflite_is_unpacked(tmp_path, dense_model, name, packed):
    path = tmp_path / name
    path.write_bytes(packed(dense_model))
    assert load_source(path) == dense_model


@PACKED
@pytest.mark.parametrize("damage", ["cut", "flipped", "not packed", "more behind it"])
def test_a_damaged_packed_tflite_is_refused(tmp_path, dense_model, damage, name, packed):
    frame = bytearray(packed(dense_model))
    if damage == "flipped":
        frame[len(frame) // 2] ^= 0x10
    content = {"cut": frame[:-5], "not packed": dense_model, "more behind it": frame + b"x"}.get(damage, frame)
    path = tmp_path / name
    path.write_bytes(bytes(content))
    with pytest.raises(ModelFormatError) as caught:
        load_source(path)
    assert caught.value.where == str(path)


@pytest.mark.parametrize("name", ["missing.tflite", "missing.tflz", "missing.keras", "a" * 300 + ".tflite"])
def test_a_source_that_cannot_be_read_is_refused(tmp_path, name):
    with pytest.raises(ModelFormatError, match="cannot be read: "):
        load_source(tmp_path / name)


def test_a_folder_that_is_no_saved_model_is_refused(tmp_path):
    with pytest.raises(ModelFormatError, match=r"is a folder without saved_model\.pb"):
        load_source(tmp_path)


def build():
    import keras

    keras.utils.set_random_seed(5)
    return keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])


@pytest.mark.keras
@pytest.mark.parametrize("kind", ["keras", "saved model"])
def test_a_keras_file_and_a_saved_model_are_converted(tmp_path, kind):
    model = build()
    path = tmp_path / ("model.keras" if kind == "keras" else "saved")
    if kind == "keras":
        model.save(path)
    else:
        model.export(path, verbose=False)
    converted = Model.from_bytes(load_source(path))
    kernel = model.layers[0].get_weights()[0]
    constants = [tensor.array() for tensor in converted.subgraphs[0].tensors if tensor.is_constant]
    assert any(c.shape == (3, 4) and np.array_equal(c, kernel.T) for c in constants)


@pytest.mark.keras
@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 but no archive", b"\x89PNG\r\n\x1a\n"])
def test_a_keras_file_that_keras_cannot_load_is_refused_in_one_line(tmp_path, content):
    path = tmp_path / "model.keras"
    path.write_bytes(content)
    with pytest.raises(ModelFormatError, match="Keras cannot load it: ") as caught:
        load_source(path)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.keras
def test_a_damaged_saved_model_is_refused_in_one_line(tmp_path):
    (tmp_path / "saved_model.pb").write_bytes(b"no protocol buffer")
    with pytest.raises(ModelFormatError, match="cannot be converted to TFLite: ") as caught:
        load_source(tmp_path)
    assert len(str(caught.value).splitlines()) == 1
