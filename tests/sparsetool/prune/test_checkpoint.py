import io
import json
import subprocess
import sys
import zipfile

import h5py
import numpy as np
import pytest

from sparsetool import prune
from sparsetool_converters.errors import ModelFormatError, OutputError

pytestmark = pytest.mark.keras

STOCK = """
import sys
sys.modules["sparsetool"] = sys.modules["sparsetool_converters"] = None  # importing them is an error now
import keras, numpy
x, expected = (numpy.load(path) for path in sys.argv[2:])
numpy.testing.assert_array_equal(keras.saving.load_model(sys.argv[1]).predict(x, verbose=0), expected)
"""


@pytest.fixture
def pruned_model(small_model, fit):
    pruner = prune.Pruner(small_model, prune.ConstantSparsity(0.9, 0, 0))
    fit(small_model, pruner.callback(), epochs=1)
    return small_model


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.keras"


def weights_of(path):
    with zipfile.ZipFile(path) as archive:
        return h5py.File(io.BytesIO(archive.read("model.weights.h5")))


def test_stock_keras_loads_it_with_the_same_predictions_where_sparsetool_is_not(pruned_model, samples, path, tmp_path):
    x, expected = tmp_path / "x.npy", tmp_path / "expected.npy"
    np.save(x, samples[0])
    np.save(expected, pruned_model.predict(samples[0], verbose=0))
    prune.save_checkpoint(pruned_model, path)
    subprocess.run([sys.executable, "-c", STOCK, path, x, expected], check=True, capture_output=True)


def test_it_loads_with_the_same_weights(pruned_model, path):
    prune.save_checkpoint(pruned_model, path)
    for loaded, saved in zip(prune.load_checkpoint(path).weights, pruned_model.weights, strict=True):
        np.testing.assert_array_equal(loaded, saved)


def test_members_are_deflated_and_hold_neither_optimizer_nor_time(pruned_model, path):
    prune.save_checkpoint(pruned_model, path)
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        config = json.loads(archive.read("config.json"))
        metadata = json.loads(archive.read("metadata.json"))
    assert [member.filename for member in members] == ["config.json", "metadata.json", "model.weights.h5"]
    assert {member.compress_type for member in members} == {zipfile.ZIP_DEFLATED}
    assert {member.date_time for member in members} == {(1980, 1, 1, 0, 0, 0)}
    assert config["compile_config"] is None
    assert metadata["date_saved"].startswith("1980")
    assert "optimizer" not in weights_of(path)


def test_two_builds_with_the_same_weights_give_the_same_bytes(pruned_model, build, path, tmp_path):
    prune.save_checkpoint(pruned_model, path)
    again = tmp_path / "again.keras"
    other = build()
    other.set_weights(pruned_model.get_weights())
    prune.save_checkpoint(other, again)
    assert again.read_bytes() == path.read_bytes()


def test_negative_zeros_are_written_as_positive_ones(small_model, path):
    kernel = small_model.get_layer("hidden").kernel
    kernel.assign(np.full(kernel.shape, -0.0))
    prune.save_checkpoint(small_model, path)
    saved = prune.load_checkpoint(path).get_layer("hidden").kernel.numpy()
    assert not np.signbit(saved).any()


def test_the_model_stays_compiled_and_trains_on(pruned_model, fit, path):
    prune.save_checkpoint(pruned_model, path)
    assert pruned_model.optimizer is not None
    fit(pruned_model, epochs=1)


def test_a_model_whose_masks_are_still_on_leaves_no_trace_of_them(pruned_model, path):
    prune.save_checkpoint(pruned_model, path)
    names = []
    weights_of(path).visit(names.append)
    assert not [name for name in names if "mask" in name]
    with zipfile.ZipFile(path) as archive:
        assert b"sparsetool" not in archive.read("config.json")


def test_an_existing_file_is_replaced_and_nothing_else_is_left(small_model, path):
    path.write_bytes(b"old")
    prune.save_checkpoint(small_model, path)
    assert zipfile.is_zipfile(path)
    assert list(path.parent.iterdir()) == [path]


def test_a_destination_in_no_folder_is_an_output_error(small_model, tmp_path):
    with pytest.raises(OutputError, match="cannot be written"):
        prune.save_checkpoint(small_model, tmp_path / "missing" / "model.keras")


def test_another_suffix_is_an_output_error(small_model, tmp_path):
    with pytest.raises(OutputError, match=r"must end in \.keras"):
        prune.save_checkpoint(small_model, tmp_path / "model.h5")


def test_a_missing_file_is_no_model(path):
    with pytest.raises(ModelFormatError, match="there is no such file"):
        prune.load_checkpoint(path)


@pytest.mark.parametrize("content", [b"", b"\x89PNG\r\n\x1a\n" + bytes(64)])
def test_bytes_of_another_kind_are_no_model(path, content):
    path.write_bytes(content)
    with pytest.raises(ModelFormatError, match="is not a Keras 3 model"):
        prune.load_checkpoint(path)


def test_half_a_file_is_no_model(small_model, path):
    prune.save_checkpoint(small_model, path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(ModelFormatError):
        prune.load_checkpoint(path)


def test_a_damaged_member_is_no_model(small_model, path):
    prune.save_checkpoint(small_model, path)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(ModelFormatError, match="Keras cannot load it"):
        prune.load_checkpoint(path)


def test_a_zip_of_something_else_is_no_model(path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("hello.txt", "hello")
    with pytest.raises(ModelFormatError, match=r"config\.json"):
        prune.load_checkpoint(path)
