import contextlib
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from sparsetool.verify import RandomSamples, TensorInfo, fit_samples, load_samples
from sparsetool_converters.errors import CalibrationDataError, SparseToolError
from sparsetool_converters.samples import gather_samples, sample_count


def info(name="x", shape=(1, 3), signature=None, dtype="float32", scale=0.0, zero_point=0, signature_name=""):
    return TensorInfo(
        name=name,
        signature_name=signature_name,
        shape=shape,
        shape_signature=shape if signature is None else signature,
        dtype=dtype,
        scale=scale,
        zero_point=zero_point,
    )


@pytest.mark.parametrize(
    ("shape", "signature", "given_shape", "fitted_shape"),
    [
        ((1, 28, 28, 1), None, (7, 28, 28, 1), (7, 1, 28, 28, 1)),
        ((1, 28, 28, 1), None, (7, 1, 28, 28, 1), (7, 1, 28, 28, 1)),
        ((4, 3), None, (7, 4, 3), (7, 4, 3)),
        ((), None, (7,), (7,)),
        ((1,), None, (7,), (7, 1)),
        ((1, 1, 2), (-1, -1, 2), (7, 5, 2), (7, 1, 5, 2)),
        ((1, 1, 2), (-1, -1, 2), (7, 4, 5, 2), (7, 4, 5, 2)),
    ],
)
def test_shapes_that_fit(shape, signature, given_shape, fitted_shape):
    (fitted,) = fit_samples(np.zeros(given_shape, np.float32), [info(shape=shape, signature=signature)])
    assert fitted.shape == fitted_shape


@pytest.mark.parametrize(
    ("shape", "signature", "given_shape", "rule"),
    [
        ((1, 28, 28, 1), None, (7, 28, 28), r"\[n, 1, 28, 28, 1\] or \[n, 28, 28, 1\]; got \[7, 28, 28\]"),
        ((4, 3), None, (8, 3), r"takes samples of shape \[n, 4, 3\]; got \[8, 3\]"),
        ((1, 1, 2), (-1, -1, 2), (7, 5, 3), r"\[n, \?, \?, 2\] or \[n, \?, 2\]; got \[7, 5, 3\]"),
    ],
)
def test_shapes_that_do_not_fit_are_told_with_the_rule(shape, signature, given_shape, rule):
    with pytest.raises(CalibrationDataError, match=rule):
        fit_samples(np.zeros(given_shape, np.float32), [info(shape=shape, signature=signature)])


def test_arrays_by_name_come_in_the_order_of_the_inputs():
    inputs = [info("serving_a:0", signature_name="a"), info("b")]
    arrays = {"b": np.full((2, 3), 2, np.float32), "a": np.full((2, 3), 1, np.float32)}
    assert [array.max() for array in fit_samples(arrays, inputs)] == [1, 2]


def test_arrays_by_position_need_no_names():
    arrays = [np.full((2, 3), value, np.float32) for value in (1, 2)]
    assert [array.max() for array in fit_samples(arrays, [info("a"), info("b")])] == [1, 2]


def test_one_array_under_any_name_fits_one_input():
    assert len(fit_samples({"x_test": np.zeros((2, 3), np.float32)}, [info()])) == 1


@pytest.mark.parametrize("names", [["a"], ["a", "c"], ["a", "b", "c"]])
def test_missing_and_surplus_inputs_are_told_by_name(names):
    arrays = {name: np.zeros((2, 3), np.float32) for name in names}
    with pytest.raises(CalibrationDataError, match=r"inputs are 'a', 'b'; samples are given for 'a'"):
        fit_samples(arrays, [info("a"), info("b")])


def test_a_bare_array_does_not_fit_two_inputs():
    with pytest.raises(CalibrationDataError, match=r"2 inputs \('a', 'b'\); samples are given for 1"):
        fit_samples(np.zeros((2, 3), np.float32), [info("a"), info("b")])


def test_inputs_need_equally_many_samples():
    arrays = {"a": np.zeros((2, 3), np.float32), "b": np.zeros((4, 3), np.float32)}
    with pytest.raises(CalibrationDataError, match="'b' has 4, the first 2"):
        fit_samples(arrays, [info("a"), info("b")])


@pytest.mark.parametrize("samples", [np.zeros((0, 3)), np.float32(1), {}, [], RandomSamples(n_samples=0)])
def test_no_samples_are_refused(samples):
    with pytest.raises(CalibrationDataError, match="no samples"):
        sample_count(samples if not isinstance(samples, np.generic) else np.asarray(samples))


@pytest.mark.parametrize(
    ("given_dtype", "dtype"),
    [
        ("float64", "float32"),
        ("uint8", "float32"),
        ("int64", "int32"),
        ("bool", "float32"),
        ("float32", "float16"),
        ("uint8", "bool"),
    ],
)
def test_numbers_that_survive_are_cast(given_dtype, dtype):
    (fitted,) = fit_samples(np.ones((2, 3), given_dtype), [info(dtype=dtype)])
    assert fitted.dtype == dtype
    assert (fitted == 1).all()


@pytest.mark.parametrize(
    ("samples", "dtype", "reason"),
    [
        (np.full((2, 3), 0.5), "int32", "give int32"),
        (np.full((2, 3), 2**40), "int32", "some values would change"),
        (np.full((2, 3), 2**24 + 1), "float32", "some values would change"),
        (np.full((2, 3), 2), "bool", "some values would change"),
        (np.full((2, 3), "text"), "float32", "give float32"),
        (np.full((2, 3), 1), "bytes", "give bytes"),
        (np.full((2, 3), 1j), "float32", "give float32"),
    ],
)
def test_numbers_that_would_change_are_refused(samples, dtype, reason):
    with pytest.raises(CalibrationDataError, match=reason):
        fit_samples(samples, [info(dtype=dtype)])


def test_text_for_a_string_input_is_encoded():
    (fitted,) = fit_samples(np.full((2, 3), "ä"), [info(dtype="bytes")])
    assert fitted[0, 0, 0] == "ä".encode()


def test_real_values_are_quantized_and_saturate():
    given_values = np.array([[0.0, 0.5, 1.24], [-100.0, 100.0, -0.26]], np.float32)
    (fitted,) = fit_samples(given_values, [info(dtype="int8", scale=0.5, zero_point=3)])
    assert fitted.dtype == np.int8
    assert fitted[:, 0].tolist() == [[3, 4, 5], [-128, 127, 2]]


def test_stored_values_for_a_quantized_input_pass_unchanged():
    stored = np.array([[-128, 0, 127]], np.int8)
    (fitted,) = fit_samples(stored, [info(dtype="int8", scale=0.5, zero_point=3)])
    assert fitted[0].tolist() == stored.tolist()


def test_integers_of_another_width_are_ambiguous_for_a_quantized_input():
    with pytest.raises(CalibrationDataError, match=r"give int8 \(stored values\) or float32 \(real values\)"):
        fit_samples(np.zeros((2, 3), np.uint8), [info(dtype="int8", scale=0.5)])


def test_nan_cannot_be_quantized():
    with pytest.raises(CalibrationDataError, match="NaN"):
        fit_samples(np.full((2, 3), np.nan), [info(dtype="int8", scale=0.5)])


@given(
    stored=hnp.arrays(np.int16, 20),
    scale=st.floats(1e-6, 1e3),
    zero_point=st.integers(-(2**15), 2**15 - 1),
)
def test_quantize_undoes_dequantize(stored, scale, zero_point):
    tensor = info(dtype="int16", scale=scale, zero_point=zero_point)
    np.testing.assert_array_equal(tensor.quantize(tensor.dequantize(stored)), stored)


@pytest.mark.parametrize("dtype", ["float32", "float16", "int8", "uint8", "int16", "int32", "int64", "bool"])
def test_random_samples_depend_on_seed_position_and_index_alone(dtype):
    inputs = [info("a", (1, 50), dtype=dtype), info("b", (1, 50), dtype=dtype)]
    few = fit_samples(RandomSamples(n_samples=2, seed=5), inputs)
    many = fit_samples(RandomSamples(n_samples=4, seed=5), inputs)
    other = fit_samples(RandomSamples(n_samples=4, seed=6), inputs)
    assert few[0].dtype == dtype
    for position in range(2):
        np.testing.assert_array_equal(few[position], many[position][:2])
    drawn = [array[index].tobytes() for arrays in (many, other) for array in arrays for index in range(4)]
    assert len(set(drawn)) == 16


@pytest.mark.parametrize(
    ("dtype", "low", "high"),
    [("float32", 0, 1), ("int8", -128, 127), ("uint8", 0, 255), ("int32", 0, 1), ("int64", 0, 1)],
)
def test_random_samples_fill_their_range(dtype, low, high):
    (array,) = fit_samples(RandomSamples(n_samples=2), [info(shape=(1, 5000), dtype=dtype)])
    assert low <= array.min() < low + 0.01 * (high - low) + 0.001
    assert high - 0.01 * (high - low) - 0.001 < array.max() <= high


def test_random_values_are_the_same_everywhere():
    (array,) = fit_samples(RandomSamples(n_samples=1, seed=1), [info(shape=(1, 2))])
    assert array.tolist() == [[[0.4731886386871338, 0.5118215680122375]]]


def test_strings_cannot_be_made_up():
    with pytest.raises(CalibrationDataError, match=r"'x' is bytes.*give samples as an \.npz"):
        fit_samples(RandomSamples(n_samples=1), [info(dtype="bytes")])


def test_npz_and_npy_files_are_read(tmp_path):
    array = np.arange(6, dtype=np.float32).reshape(2, 3)
    np.save(tmp_path / "one.npy", array)
    np.savez_compressed(tmp_path / "two.npz", a=array, b=array + 1)
    np.testing.assert_array_equal(load_samples(tmp_path / "one.npy"), array)
    two = load_samples(tmp_path / "two.npz")
    assert list(two) == ["a", "b"]
    np.testing.assert_array_equal(two["b"], array + 1)


def test_nothing_is_unpickled(tmp_path):
    np.save(tmp_path / "objects.npy", np.array([{}], object), allow_pickle=True)
    (tmp_path / "pickle.npy").write_bytes(pickle.dumps([1.0]))
    for name in ("objects.npy", "pickle.npy"):
        with pytest.raises(CalibrationDataError, match="plain arrays"):
            load_samples(tmp_path / name)


def test_a_file_without_arrays_is_refused(tmp_path):
    np.savez(tmp_path / "none.npz")
    with pytest.raises(CalibrationDataError, match="holds no array"):
        load_samples(tmp_path / "none.npz")


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(CalibrationDataError, match="cannot be read"):
        load_samples(tmp_path / "missing.npz")


def test_a_folder_of_npy_files_holds_a_sample_in_each_in_the_order_of_their_names(tmp_path):
    for i in (2, 0, 1):
        np.save(tmp_path / f"{i:03}.npy", np.full((3,), i, np.float32))
    (tmp_path / "README.txt").write_text("not a sample")
    assert load_samples(tmp_path).tolist() == [[0, 0, 0], [1, 1, 1], [2, 2, 2]]


def test_a_folder_of_folders_holds_the_samples_of_each_input(tmp_path):
    for name, value in (("image", 1.0), ("mask", 2.0)):
        (tmp_path / name).mkdir()
        for i in range(2):
            np.save(tmp_path / name / f"{i}.npy", np.full((3,), value))
    found = load_samples(tmp_path)
    assert {name: array.shape for name, array in found.items()} == {"image": (2, 3), "mask": (2, 3)}


@pytest.mark.parametrize(
    ("files", "problem"),
    [
        ({}, "holds no .npy files and no pictures; put one in it for each sample"),
        ({"a.npy": np.zeros(2), "b.npy": b"no array"}, "b.npy: not an .npz or .npy file of plain arrays"),
    ],
)
def test_a_folder_that_is_no_set_of_samples_is_refused(tmp_path, files, problem):
    for name, content in files.items():
        if isinstance(content, bytes):
            (tmp_path / name).write_bytes(content)
        else:
            np.save(tmp_path / name, content)
    with pytest.raises(CalibrationDataError, match=problem) as caught:
        load_samples(tmp_path)
    assert "\n" not in str(caught.value)


def one_by_one():
    yield {"a": np.zeros(3), "b": [1, 2]}
    yield {"a": np.ones(3), "b": [3, 4]}


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (lambda: np.ones((2, 3)), [[1, 1, 1], [1, 1, 1]]),
        (lambda: iter([np.zeros(2), np.ones(2)]), [[0, 0], [1, 1]]),
        (lambda: {"a": np.ones((1, 1))}, {"a": [[1]]}),
        (one_by_one, {"a": [[0, 0, 0], [1, 1, 1]], "b": [[1, 2], [3, 4]]}),
        (lambda: iter([[np.zeros(1), np.ones(2)]]), [[[0]], [[1, 1]]]),
    ],
)
def test_a_function_returns_samples_or_yields_them_one_by_one(source, expected):
    found = gather_samples(source)
    if isinstance(expected, dict):
        assert {name: array.tolist() for name, array in found.items()} == expected
    elif isinstance(found, np.ndarray):
        assert found.tolist() == expected
    else:
        assert [array.tolist() for array in found] == expected


def failing():
    yield np.zeros(2)
    raise RuntimeError("disk\nfull")


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        (failing, r"failing\(\) failed: RuntimeError: disk full"),
        (lambda: None, "must return an array, or arrays by input, or yield samples; got NoneType"),
        (lambda: iter([]), "gives no sample"),
        (lambda: iter([{"a": 1}, {"b": 1}]), "different inputs"),
        (lambda argument: argument, "failed: TypeError"),
    ],
)
def test_a_function_that_gives_no_samples_is_refused_in_one_line(source, problem):
    with pytest.raises(CalibrationDataError, match=problem) as caught:
        gather_samples(source)
    assert "\n" not in str(caught.value)


@given(cut=st.integers(0, 600), place=st.integers(0, 600), value=st.integers(0, 255))
def test_a_damaged_file_raises_only_typed_errors(tmp_path_factory, cut, place, value):
    path = tmp_path_factory.getbasetemp() / "damaged.npz"
    np.savez_compressed(path, a=np.arange(9), b=np.ones(3))
    data = bytearray(path.read_bytes())
    if place < len(data):
        data[place] = value
    path.write_bytes(data[: len(data) - cut] if cut < len(data) else b"")
    with contextlib.suppress(SparseToolError):
        load_samples(path)
