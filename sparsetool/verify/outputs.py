"""Compares what two runs of models on one kernel set answered, output by output."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sparsetool.verify.metrics import Agreement, agreement_in_top, cosine, kl_divergence
from sparsetool.verify.runs import FinishedRun, RunOutput
from sparsetool_converters.errors import VerificationError
from sparsetool_converters.targets import KernelSet


@dataclass(frozen=True, kw_only=True)
class Difference:
    """One element that differs.

    Attributes:
        index: its place in [n_samples, *shape].
        reference: the reference's value there, dequantized.
        candidate: the candidate's.
    """

    index: tuple[int, ...]
    reference: float
    candidate: float

    def __str__(self) -> str:
        return f"{self.reference} became {self.candidate} at {list(self.index)}"


@dataclass(frozen=True, kw_only=True)
class OutputComparison:
    """One output of a candidate against the reference's, over all samples.

    Errors are of real values: quantized outputs are dequantized, so that an int8 model can be compared with a
    float one. Where one side is NaN or infinite and the other is not the same, the error is infinite.

    Attributes:
        kernel_set: the kernels that both ran on.
        signature: the signature that was called; empty where the model was run as a whole.
        output: the output's name in the reference.
        candidate_output: its name in the candidate; outputs belong together by position.
        n_samples: how many samples were compared.
        identical: same dtype, same quantization, every stored value equal; NaN equals NaN, -0.0 equals 0.0.
        max_abs_error: largest |candidate - reference|.
        max_abs_reference: largest finite |reference|.
        relative_error: max_abs_error / max_abs_reference.
        sqnr_db: signal to noise, 10 log10(sum reference^2 / sum error^2); inf where there is no error.
        cosine: see `metrics.cosine`.
        kl_divergence: see `metrics.kl_divergence`.
        top1: see `metrics.agreement_in_top`, of 1.
        top5: the same of 5.
        nan: values that are NaN on one side only.
        infinite: values that are infinite on one side only, or with another sign.
        max_lsb: largest difference of stored values where both are quantized alike, else None.
        first_difference: the first element that differs, None where none does.
        worst_difference: the element with the largest error, None where none differs.
    """

    kernel_set: KernelSet
    signature: str
    output: str
    candidate_output: str
    n_samples: int
    identical: bool
    max_abs_error: float
    max_abs_reference: float
    relative_error: float
    sqnr_db: float
    cosine: float | None
    kl_divergence: float | None
    top1: Agreement | None
    top5: Agreement | None
    nan: int
    infinite: int
    max_lsb: int | None
    first_difference: Difference | None
    worst_difference: Difference | None


def compare_outputs(reference: FinishedRun, candidate: FinishedRun, *, stage: str) -> tuple[OutputComparison, ...]:
    """Compares two runs on the same samples, output by output in the reference's order.

    Raises:
        VerificationError: the candidate has another number of outputs, or one of another shape.
    """
    if len(reference.outputs) != len(candidate.outputs):
        raise VerificationError(
            stage, "", f"the model has {len(candidate.outputs)} outputs instead of {len(reference.outputs)}"
        )
    pairs = zip(reference.outputs, candidate.outputs, strict=True)
    return tuple(_compare(one, other, reference, stage) for one, other in pairs)


def _compare(reference: RunOutput, candidate: RunOutput, run: FinishedRun, stage: str) -> OutputComparison:
    name = reference.info.name
    if reference.shapes != candidate.shapes or reference.values.shape != candidate.values.shape:
        shapes = [list(output.values.shape) for output in (candidate, reference)]
        raise VerificationError(stage, name, f"answered [samples, *shape] {shapes[0]} instead of {shapes[1]}")
    expected, found = _reals(reference), _reals(candidate)
    errors = _errors(expected, found)
    alike = reference.info.quantization == candidate.info.quantization
    if alike and reference.values.dtype.kind in "iu" and not reference.info.is_quantized:
        # float64 cannot tell all int64 apart
        errors = np.maximum(errors, reference.values != candidate.values)
    differs = bool(errors.any())
    classes = all(output.values.dtype.kind in "iuf" for output in (reference, candidate))
    max_abs_error = float(errors.max(initial=0.0))
    max_abs_reference = float(np.abs(expected[np.isfinite(expected)]).max(initial=0.0))
    return OutputComparison(
        kernel_set=run.kernel_set,
        signature=run.signature,
        output=name,
        candidate_output=candidate.info.name,
        n_samples=run.n_samples,
        identical=alike and not differs,
        max_abs_error=max_abs_error,
        max_abs_reference=max_abs_reference,
        relative_error=_ratio(max_abs_error, max_abs_reference),
        sqnr_db=_sqnr_db(expected, errors),
        cosine=cosine(expected, found),
        kl_divergence=kl_divergence(expected, found) if classes else None,
        top1=agreement_in_top(expected, found, 1) if classes else None,
        top5=agreement_in_top(expected, found, 5) if classes else None,
        nan=int(np.count_nonzero(np.isnan(expected) != np.isnan(found))),
        infinite=int(np.count_nonzero((np.isinf(expected) | np.isinf(found)) & (expected != found))),
        max_lsb=_max_lsb(reference, candidate) if alike and reference.info.is_quantized else None,
        first_difference=_difference(expected, found, int(np.argmax(errors > 0))) if differs else None,
        worst_difference=_difference(expected, found, int(np.argmax(errors))) if differs else None,
    )


def _reals(output: RunOutput) -> npt.NDArray[np.float64]:
    """Returns real values in the output's shape; complex ones as (real, imaginary) on one axis more."""
    values = output.values
    if values.dtype.kind == "c":
        values = np.stack([values.real, values.imag], axis=-1)
    return output.info.dequantize(values)


def _errors(reference: npt.NDArray[np.float64], candidate: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Returns |candidate - reference|; the same NaN or infinity on both sides is 0, on one side inf."""
    with np.errstate(invalid="ignore", over="ignore"):
        errors = np.abs(candidate - reference)
    same = (reference == candidate) | (np.isnan(reference) & np.isnan(candidate))
    errors[same] = 0.0
    errors[np.isnan(errors)] = np.inf
    return errors


def _ratio(error: float, size: float) -> float:
    if error == 0.0:
        return 0.0
    return error / size if size > 0.0 else float("inf")


def _sqnr_db(reference: npt.NDArray[np.float64], errors: npt.NDArray[np.float64]) -> float:
    with np.errstate(over="ignore"):
        power = float(np.square(reference[np.isfinite(reference)]).sum())
        noise = float(np.square(errors).sum())
    if noise == 0.0:
        return float("inf")
    if power == 0.0 or noise == float("inf"):
        return float("-inf")
    return 10.0 * float(np.log10(power / noise))


def _max_lsb(reference: RunOutput, candidate: RunOutput) -> int:
    steps = candidate.values.astype(np.int64) - reference.values.astype(np.int64)
    return int(np.abs(steps).max(initial=0))


def _difference(expected: npt.NDArray[np.float64], found: npt.NDArray[np.float64], position: int) -> Difference:
    index = np.unravel_index(position, expected.shape)
    return Difference(
        index=tuple(int(place) for place in index),
        reference=float(expected[index]),
        candidate=float(found[index]),
    )
