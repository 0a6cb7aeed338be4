import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from sparsetool.verify import (
    IDENTICAL,
    FinishedRun,
    KernelSet,
    RunOutput,
    TensorInfo,
    Tolerance,
    check,
    compare_outputs,
)
from sparsetool_converters.errors import VerificationError

INF = math.inf


def run(*outputs, scale=0.0, zero_point=0):
    found = []
    for values in map(np.asarray, outputs):
        shape = values.shape[1:]
        info = TensorInfo(
            name=f"out{len(found)}",
            signature_name="",
            shape=shape,
            shape_signature=shape,
            dtype=values.dtype.name,
            scale=scale,
            zero_point=zero_point,
        )
        found.append(RunOutput(info=info, values=values))
    return FinishedRun(kernel_set=KernelSet.DEFAULT, inputs=(), outputs=tuple(found), n_samples=len(found[0].values))


def compare(reference, candidate):
    one, other = (item if isinstance(item, FinishedRun) else run(item) for item in (reference, candidate))
    (comparison,) = compare_outputs(one, other, stage="encode")
    return comparison


def test_numbers_of_a_small_case():
    comparison = compare([[1.0, -4.0], [2.0, 0.0]], [[1.0, -4.0], [1.0, 1.0]])
    assert not comparison.identical
    assert comparison.n_samples == 2
    assert comparison.max_abs_error == 1.0
    assert comparison.max_abs_reference == 4.0
    assert comparison.relative_error == 0.25
    assert comparison.sqnr_db == pytest.approx(10 * math.log10(21 / 2))
    assert (comparison.top1.agreeing, comparison.top1.decisions, comparison.top1.share) == (2, 2, 1.0)
    assert comparison.max_lsb is None
    assert str(comparison.first_difference) == "2.0 became 1.0 at [1, 0]"


def test_the_worst_difference_need_not_be_the_first():
    comparison = compare([[1.0, 2.0, 3.0]], [[1.0, 2.5, 9.0]])
    assert comparison.first_difference.index == (0, 1)
    assert comparison.worst_difference.index == (0, 2)


@given(hnp.arrays(np.float32, (3, 4)))
def test_an_output_is_identical_to_itself_nan_and_infinity_included(values):
    comparison = compare(values, values.copy())
    assert comparison.identical
    assert (comparison.max_abs_error, comparison.relative_error, comparison.sqnr_db) == (0.0, 0.0, INF)
    assert comparison.first_difference is None
    check(comparison, IDENTICAL, stage="encode")


def test_negative_zero_equals_zero():
    assert compare(np.float32([[0.0]]), np.float32([[-0.0]])).identical


@pytest.mark.parametrize(
    ("reference", "candidate"),
    [(1.0, np.nan), (np.nan, 1.0), (1.0, INF), (INF, 1.0), (INF, -INF), (INF, np.nan)],
)
def test_nan_or_infinity_on_one_side_is_an_infinite_error(reference, candidate):
    comparison = compare([[reference, 1.0]], [[candidate, 1.0]])
    assert (comparison.max_abs_error, comparison.relative_error, comparison.sqnr_db) == (INF, INF, -INF)
    with pytest.raises(VerificationError):
        check(comparison, Tolerance(max_relative_error=1e9), stage="encode")


def test_an_error_beside_a_reference_of_zeros_is_infinite():
    comparison = compare([[0.0]], [[1e-9]])
    assert (comparison.relative_error, comparison.sqnr_db) == (INF, -INF)


def test_quantized_alike_is_compared_in_stored_steps_too():
    one = run(np.int8([[-128, 5]]), scale=0.5, zero_point=1)
    other = run(np.int8([[127, 4]]), scale=0.5, zero_point=1)
    comparison = compare(one, other)
    assert comparison.max_lsb == 255
    assert comparison.max_abs_error == 127.5
    assert comparison.max_abs_reference == 64.5


def test_quantized_differently_is_compared_in_real_values():
    one, other = run(np.int8([[10, 20]]), scale=0.5), run(np.int8([[5, 10]]), scale=1.0)
    comparison = compare(one, other)
    assert comparison.max_abs_error == 0.0
    assert comparison.max_lsb is None
    assert not comparison.identical
    with pytest.raises(VerificationError, match="another dtype or with another quantization"):
        check(comparison, IDENTICAL, stage="encode")
    check(comparison, Tolerance(max_relative_error=0.0), stage="encode")


def test_int8_is_compared_with_float_in_real_values():
    comparison = compare(np.float32([[5.0, 10.25]]), run(np.int8([[10, 20]]), scale=0.5))
    assert comparison.max_abs_error == 0.25


def test_large_integers_that_floats_cannot_tell_apart_differ():
    comparison = compare(np.int64([[2**60]]), np.int64([[2**60 + 1]]))
    assert not comparison.identical
    assert comparison.first_difference is not None


def test_complex_parts_are_compared_apart():
    comparison = compare(np.complex64([[3 + 4j]]), np.complex64([[3 - 4j]]))
    assert comparison.max_abs_error == 8.0
    assert comparison.first_difference.index == (0, 0, 1)


def test_top1_agreement_is_the_share_of_samples():
    one, other = np.float32([[1, 2], [2, 1], [1, 2], [1, 2]]), np.float32([[1, 2], [1, 2], [1, 3], [0, 2]])
    top1 = compare(one, other).top1
    assert (top1.agreeing, top1.decisions, top1.share) == (3, 4, 0.75)
    assert 0.0 < top1.low < 0.75 < top1.high < 1.0
    assert compare(one[:, :1], other[:, :1]).top1 is None


def test_outputs_belong_together_by_position():
    one, other = run([[1.0]], [[2.0]]), run([[1.0]], [[3.0]])
    assert [item.identical for item in compare_outputs(one, other, stage="encode")] == [True, False]
    with pytest.raises(VerificationError, match="encode: the model has 1 outputs instead of 2"):
        compare_outputs(one, run([[1.0]]), stage="encode")


def test_another_shape_names_the_output():
    with pytest.raises(VerificationError, match=r"encode: out0: .* \[1, 3\] instead of \[1, 2\]"):
        compare([[1.0, 2.0]], [[1.0, 2.0, 3.0]])


@pytest.mark.parametrize(
    ("tolerance", "problem"),
    [
        (IDENTICAL, "not identical, error 1"),
        (Tolerance(max_relative_error=0.2), "error 1 is 0.25 of the largest value 4, 0.2 allowed"),
        (Tolerance(min_sqnr_db=12.5), "signal to noise 12.0 dB, at least 12.5 needed"),
        (Tolerance(min_top1_agreement=1.0), "top-1 agreement 50.00%, at least 100.00% needed"),
        (Tolerance(max_lsb=3), "not identical, error 1"),  # speaks of quantized outputs, and this one is not
    ],
)
def test_a_broken_limit_is_told_with_numbers(tolerance, problem):
    comparison = compare([[4.0, 0.0], [0.0, 0.0]], [[4.0, 0.0], [0.0, 1.0]])
    with pytest.raises(VerificationError) as caught:
        check(comparison, tolerance, stage="encode")
    assert (caught.value.stage, caught.value.tensor) == ("encode", "out0")
    assert caught.value.problem == (
        f"{problem} on 2 samples with default kernels; worst: 0.0 became 1.0 at [1, 1]; first: 0.0 became 1.0 at [1, 1]"
    )


@pytest.mark.parametrize(
    "tolerance",
    [
        Tolerance(max_relative_error=0.25),
        Tolerance(max_relative_error=0.25, max_lsb=0),
        Tolerance(min_sqnr_db=12.0),
        Tolerance(min_top1_agreement=0.5, min_sqnr_db=0.0),
    ],
)
def test_a_kept_limit_passes(tolerance):
    check(compare([[4.0, 0.0], [0.0, 0.0]], [[4.0, 0.0], [0.0, 1.0]]), tolerance, stage="encode")


def test_lsb_stands_in_for_the_relative_error_of_quantized_outputs():
    one, other = run(np.int8([[1, 0]]), scale=0.5), run(np.int8([[1, 1]]), scale=0.5)
    check(compare(one, other), Tolerance(max_lsb=1, max_relative_error=0.0), stage="encode")
    with pytest.raises(VerificationError, match="1 LSB off, 0 allowed"):
        check(compare(one, other), Tolerance(max_lsb=0, max_relative_error=1.0), stage="encode")


def test_class_numbers_are_not_allowed_an_lsb():
    with pytest.raises(VerificationError, match="not identical"):
        check(compare(np.int32([[3]]), np.int32([[4]])), Tolerance(max_lsb=1), stage="encode")


@given(
    reference=hnp.arrays(np.float32, (4, 5), elements=st.floats(-100, 100, width=32)),
    noise=hnp.arrays(np.float32, (4, 5), elements=st.floats(-1, 1, width=32)),
)
def test_relative_error_is_at_least_what_the_noise_ratio_implies(reference, noise):
    comparison = compare(reference, reference + noise)
    if comparison.sqnr_db < INF and comparison.relative_error < INF:
        # root mean square error <= max error, and max |reference| * sqrt(n) >= its norm
        bound = 10 ** (comparison.sqnr_db / 20) * comparison.max_abs_error * math.sqrt(20)
        assert bound >= comparison.max_abs_reference * (1 - 1e-9)


@given(hnp.arrays(np.float32, (3, 4)), hnp.arrays(np.float32, (3, 4)))
def test_nan_and_infinities_are_counted_where_the_other_side_has_none(ours, theirs):
    comparison = compare(ours, theirs)
    assert comparison.nan == sum(math.isnan(a) != math.isnan(b) for a, b in zip(ours.flat, theirs.flat, strict=True))
    infinite = [(a, b) for a, b in zip(ours.flat, theirs.flat, strict=True) if math.isinf(a) or math.isinf(b)]
    assert comparison.infinite == sum(a != b for a, b in infinite)


def test_a_nan_or_an_infinity_on_one_side_breaks_any_tolerance():
    comparison = compare([[1.0, 2.0, 3.0]], [[1.0, np.nan, INF]])
    assert (comparison.nan, comparison.infinite) == (1, 1)
    with pytest.raises(VerificationError, match="1 NaN and 1 infinities on one side only"):
        check(comparison, Tolerance(min_top1_agreement=0.0), stage="encode")
