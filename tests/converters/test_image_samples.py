"""Pictures become samples of a model that takes pictures."""

import numpy as np
import pytest

from sparsetool_converters.errors import CalibrationDataError
from sparsetool_converters.samples import ImageFolder, fit_samples, load_samples, sample_count
from sparsetool_converters.tensor_info import TensorInfo

Image = pytest.importorskip("PIL.Image")
PIXELS = np.random.default_rng(2).integers(0, 256, (2, 6, 8, 3), np.uint8)


def model_input(channels, dtype="float32", *, size=(6, 8), scale=0.0, zero_point=0):
    shape = (1, *size, channels)
    return TensorInfo(
        name="x",
        signature_name="",
        shape=shape,
        shape_signature=shape,
        dtype=dtype,
        scale=scale,
        zero_point=zero_point,
    )


@pytest.fixture
def pictures(tmp_path):
    """Two pictures of 8 by 6 pixels, one of them in a folder inside."""
    (tmp_path / "inside").mkdir()
    Image.fromarray(PIXELS[0]).save(tmp_path / "a.png")
    Image.fromarray(PIXELS[1]).save(tmp_path / "inside" / "b.PNG")
    (tmp_path / "README.txt").write_text("no picture")
    return tmp_path


def test_pictures_come_in_the_order_of_their_paths_with_values_from_0_to_1(pictures):
    samples = load_samples(pictures)
    assert isinstance(samples, ImageFolder)
    assert sample_count(samples) == 2
    (fitted,) = fit_samples(samples, [model_input(3)])
    assert (fitted.shape, fitted.dtype) == ((2, 1, 6, 8, 3), np.float32)
    np.testing.assert_array_equal(fitted[:, 0], PIXELS.astype(np.float32) / np.float32(255))


def test_a_plain_uint8_input_gets_the_pixels(pictures):
    (fitted,) = fit_samples(load_samples(pictures), [model_input(3, "uint8")])
    np.testing.assert_array_equal(fitted[:, 0], PIXELS)


@pytest.mark.parametrize(("dtype", "zero_point"), [("uint8", 0), ("int8", -128)])
def test_a_quantized_input_gets_values_from_0_to_1_quantized(pictures, dtype, zero_point):
    info = model_input(3, dtype, scale=1 / 255, zero_point=zero_point)
    (fitted,) = fit_samples(load_samples(pictures), [info])
    assert fitted.dtype == dtype
    np.testing.assert_array_equal(fitted[:, 0].astype(int) - zero_point, PIXELS)


def test_gray_is_made_of_colours_and_colours_of_gray(tmp_path):
    Image.fromarray(PIXELS[0]).save(tmp_path / "a.png")
    Image.fromarray(PIXELS[1, :, :, 0]).save(tmp_path / "b.png")
    colours, gray = (fit_samples(load_samples(tmp_path), [model_input(n, "uint8")])[0][:, 0] for n in (3, 1))
    assert gray.shape == (2, 6, 8, 1)
    np.testing.assert_array_equal(gray[1, :, :, 0], PIXELS[1, :, :, 0])
    np.testing.assert_array_equal(colours[1], np.repeat(PIXELS[1, :, :, :1], 3, axis=-1))
    luma = PIXELS[0] @ np.array([0.299, 0.587, 0.114])
    assert np.abs(gray[0, :, :, 0] - luma).max() <= 1


def test_a_picture_of_another_size_is_resized_as_a_whole(tmp_path):
    Image.fromarray(np.full((40, 30, 3), 77, np.uint8)).save(tmp_path / "a.jpg", quality=95)
    (fitted,) = fit_samples(load_samples(tmp_path), [model_input(3, "uint8", size=(10, 20))])
    assert fitted.shape == (1, 1, 10, 20, 3)
    assert np.abs(fitted.astype(int) - 77).max() <= 2


@pytest.mark.parametrize("data", [b"", b"no picture at all", "cut"])
def test_a_damaged_picture_is_named_in_one_line(pictures, data):
    path = pictures / "inside" / "b.PNG"
    path.write_bytes(path.read_bytes()[:60] if data == "cut" else data)
    with pytest.raises(CalibrationDataError, match=r"b\.PNG: cannot be read as a picture: ") as caught:
        fit_samples(load_samples(pictures), [model_input(3)])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("inputs", "problem"),
    [
        ([model_input(4)], r"'x' \[1, 6, 8, 4\]"),
        ([model_input(3), model_input(3)], "one input of shape"),
        ([], "one input of shape"),
        ([model_input(3, "int32")], "is plain int32, which says nothing of pixels"),
        ([model_input(3, "int8")], "is plain int8, which says nothing of pixels"),
    ],
)
def test_a_model_that_takes_no_pictures_is_told_what_does(pictures, inputs, problem):
    with pytest.raises(CalibrationDataError, match=problem):
        fit_samples(load_samples(pictures), inputs)


def test_no_size_is_guessed_where_the_model_leaves_it_open(pictures):
    info = TensorInfo(
        name="x",
        signature_name="",
        shape=(1, 1, 1, 3),
        shape_signature=(1, -1, -1, 3),
        dtype="float32",
        scale=0.0,
        zero_point=0,
    )
    with pytest.raises(CalibrationDataError, match="takes pictures of any size; give arrays of one"):
        fit_samples(load_samples(pictures), [info])
