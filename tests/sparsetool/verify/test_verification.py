import numpy as np
import pytest

from sparsetool.verify import (
    ALL_KERNEL_SETS,
    IDENTICAL,
    KernelSet,
    RandomSamples,
    Tolerance,
    compare_runs,
    run_on_kernel_sets,
    verify_outputs,
)
from sparsetool_converters.errors import CalibrationDataError, TargetError, VerificationError

SAMPLES = RandomSamples(n_samples=3)


def verify(reference, candidate, samples=SAMPLES, tolerance=IDENTICAL, timeout_s=60.0, **more):
    return verify_outputs(
        reference, candidate, samples, tolerance=tolerance, stage="encode", timeout_s=timeout_s, **more
    )


def test_equal_models_are_identical_on_every_kernel_set(models, weight):
    seen = []
    verification = verify(
        models.fully_connected(weight),
        models.fully_connected(weight, output="renamed"),
        on_progress=lambda done, total: seen.append((done, total)),
    )
    assert [comparison.kernel_set for comparison in verification.comparisons] == list(ALL_KERNEL_SETS)
    assert all(comparison.identical for comparison in verification.comparisons)
    assert {(item.output, item.candidate_output) for item in verification.comparisons} == {("scores", "renamed")}
    assert verification.skipped == ()
    assert seen == sorted(seen)
    assert (seen[0], seen[-1]) == ((0, 18), (18, 18))


def test_a_changed_weight_is_found_with_its_place(models, weight):
    changed = weight.copy()
    changed[2, 5] += 1
    samples = np.ones((3, 16), np.float32)
    with pytest.raises(VerificationError) as caught:
        verify(models.fully_connected(weight), models.fully_connected(changed), samples)
    sums = weight.sum(axis=1)[2], changed.sum(axis=1)[2]
    assert (caught.value.stage, caught.value.tensor) == ("encode", "scores")
    assert f"first: {sums[0]} became {sums[1]} at [0, 0, 2]" in caught.value.problem
    assert "on 3 samples with default kernels" in caught.value.problem


def test_a_changed_weight_within_the_tolerance_passes(models, weight):
    changed = weight * np.float32(1.001)
    tolerance = Tolerance(max_relative_error=0.0011)
    verification = verify(models.fully_connected(weight), models.fully_connected(changed), tolerance=tolerance)
    assert not any(comparison.identical for comparison in verification.comparisons)
    assert all(item.relative_error > 0.0009 for item in verification.comparisons)


def test_a_nan_weight_is_outside_any_tolerance(models, weight):
    broken = weight.copy()
    broken[0, 0] = np.nan
    with pytest.raises(VerificationError, match="became nan at"):
        verify(
            models.fully_connected(weight),
            models.fully_connected(broken),
            tolerance=Tolerance(max_relative_error=1e6),
        )


def test_a_quantized_model_is_compared_with_the_float_one_on_the_same_real_values(models, weight):
    quantized, dense = models.quantized_fully_connected(weight), models.fully_connected(weight)
    tolerance = Tolerance(min_sqnr_db=25.0)
    for reference, candidate in ((dense, quantized), (quantized, dense)):
        verification = verify(reference, candidate, tolerance=tolerance)
        assert all(25.0 < item.sqnr_db < 80.0 for item in verification.comparisons)
        assert all(item.max_lsb is None for item in verification.comparisons)
    assert all(item.max_lsb == 0 for item in verify(quantized, quantized).comparisons)


def test_a_reference_that_runs_nowhere_is_what_the_target_cannot_run(models, weight):
    with pytest.raises(TargetError, match="Unheard") as caught:
        verify(models.custom_op(), models.fully_connected(weight))
    assert caught.value.target == "litert"


def test_a_kernel_set_that_cannot_run_the_reference_is_skipped(models):
    weight = np.random.default_rng(3).integers(-4, 5, (512, 256)).astype(np.float32)
    verification = verify(models.blocks_of_four_rows(weight), models.fully_connected(weight))
    assert [item.kernel_set for item in verification.comparisons] == [KernelSet.REFERENCE]
    assert [item.kernel_set for item in verification.skipped] == [KernelSet.DEFAULT, KernelSet.NO_DELEGATES]
    assert "SIGSEGV" in verification.skipped[0].problem


def test_a_candidate_that_crashes_where_the_reference_runs_fails(models):
    weight = np.ones((512, 256), np.float32)
    with pytest.raises(VerificationError, match="crashed with SIGSEGV at sample 0, with default kernels"):
        verify(models.fully_connected(weight), models.blocks_of_four_rows(weight))


def test_a_candidate_that_cannot_be_loaded_fails(models, weight):
    candidate = models.fully_connected(weight)
    candidate.write_bytes(candidate.read_bytes()[:100])
    with pytest.raises(VerificationError, match="failed at load"):
        verify(models.fully_connected(weight), candidate)


def test_a_timeout_of_either_side_fails(models, weight):
    dense, endless = models.fully_connected(weight[:1, :1]), models.endless()
    with pytest.raises(VerificationError, match=r"the reference did not end within 1 s"):
        verify(endless, dense, timeout_s=1.0)
    samples = [np.zeros((1, 1), np.float32)]
    reference = run_on_kernel_sets(dense, samples, timeout_s=60.0)
    candidate = run_on_kernel_sets(endless, samples, timeout_s=1.0)
    with pytest.raises(VerificationError, match=r"the model did not end within 1 s"):
        compare_runs(reference, candidate, tolerance=IDENTICAL, stage="encode")


def test_samples_that_fit_the_reference_alone_mean_a_changed_model(models, weight):
    with pytest.raises(VerificationError, match="the inputs are not the reference's"):
        verify(models.fully_connected(weight), models.fully_connected(weight[:, :8]))
    with pytest.raises(CalibrationDataError):
        verify(models.fully_connected(weight), models.fully_connected(weight), np.zeros((3, 7), np.float32))


def test_runs_of_the_reference_serve_many_candidates(models, weight):
    reference = models.fully_connected(weight)
    runs = run_on_kernel_sets(reference, SAMPLES, timeout_s=60.0)
    reference.unlink()
    assert tuple(runs) == ALL_KERNEL_SETS
    candidate = run_on_kernel_sets(models.fully_connected(weight), SAMPLES, timeout_s=60.0)
    verification = compare_runs(runs, candidate, tolerance=IDENTICAL, stage="encode")
    assert len(verification.comparisons) == 3


def test_only_the_kernel_sets_asked_for_are_run(models, weight):
    model = models.fully_connected(weight)
    verification = verify(model, model, kernel_sets=[KernelSet.REFERENCE])
    assert [comparison.kernel_set for comparison in verification.comparisons] == [KernelSet.REFERENCE]
