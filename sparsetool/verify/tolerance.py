"""How far an output may be from the reference's before the candidate is refused."""

from dataclasses import dataclass

from sparsetool.verify.outputs import OutputComparison
from sparsetool_converters.errors import VerificationError


@dataclass(frozen=True, kw_only=True)
class Tolerance:
    """Limits for one output; all that are given and apply must be kept. With none, it must be identical.

    Attributes:
        max_abs_error: largest error of a real value.
        max_relative_error: largest error, as a share of the largest |reference|.
        max_lsb: largest difference of stored values. It applies to outputs quantized alike on both sides, and
            stands in for `max_relative_error` there.
        min_sqnr_db: least signal to noise ratio, for lossy stages.
        min_cosine: least cosine of the angle between all values.
        max_kl_divergence: largest mean Kullback-Leibler divergence in nats; applies to outputs with classes.
        min_top1_agreement: least share of agreeing argmaxes, likewise.
        min_top5_agreement: least share of argmaxes among the candidate's five largest; of more than 5 classes.
    """

    max_abs_error: float | None = None
    max_relative_error: float | None = None
    max_lsb: int | None = None
    min_sqnr_db: float | None = None
    min_cosine: float | None = None
    max_kl_divergence: float | None = None
    min_top1_agreement: float | None = None
    min_top5_agreement: float | None = None


IDENTICAL = Tolerance()
"""Every stored value equal."""


def check(comparison: OutputComparison, tolerance: Tolerance, *, stage: str) -> None:
    """Returns if the output is within the tolerance.

    Raises:
        VerificationError: it is not; the text is that of `problem_with`.
    """
    problem = problem_with(comparison, tolerance)
    if problem:
        raise VerificationError(stage, comparison.output, problem)


def problem_with(comparison: OutputComparison, tolerance: Tolerance) -> str:
    """Each limit that is broken, the worst and the first element that differ; empty if the output is within it."""
    if comparison.identical:
        return ""
    broken = _broken(comparison, tolerance)
    if not broken:
        return ""
    places = [
        f"{word} {difference}"
        for word, difference in (
            ("worst:", comparison.worst_difference),
            ("first:", comparison.first_difference),
        )
        if difference is not None
    ]
    where = f"on {comparison.n_samples} samples with {comparison.kernel_set} kernels"
    if comparison.signature:
        where = f"by signature {comparison.signature} {where}"
    return "; ".join([f"{', '.join(broken)} {where}", *places])


def _broken(comparison: OutputComparison, tolerance: Tolerance) -> list[str]:
    """Returns a clause for each limit that does not hold."""
    clauses: list[tuple[bool, str]] = []
    if tolerance.max_abs_error is not None:
        kept = comparison.max_abs_error <= tolerance.max_abs_error
        clauses.append((kept, f"error {comparison.max_abs_error:.3g}, {tolerance.max_abs_error:g} allowed"))
    if tolerance.max_lsb is not None and comparison.max_lsb is not None:
        kept = comparison.max_lsb <= tolerance.max_lsb
        clauses.append((kept, f"{comparison.max_lsb} LSB off, {tolerance.max_lsb} allowed"))
    elif tolerance.max_relative_error is not None:
        kept = comparison.relative_error <= tolerance.max_relative_error
        size = f"{comparison.relative_error:.3g} of the largest value {comparison.max_abs_reference:.3g}"
        text = f"error {comparison.max_abs_error:.3g} is {size}, {tolerance.max_relative_error:g} allowed"
        clauses.append((kept, text))
    if tolerance.min_sqnr_db is not None:
        kept = comparison.sqnr_db >= tolerance.min_sqnr_db
        text = f"signal to noise {comparison.sqnr_db:.1f} dB, at least {tolerance.min_sqnr_db:g} needed"
        clauses.append((kept, text))
    if tolerance.min_cosine is not None and comparison.cosine is not None:
        kept = comparison.cosine >= tolerance.min_cosine
        clauses.append((kept, f"cosine {comparison.cosine:.6f}, at least {tolerance.min_cosine:g} needed"))
    if tolerance.max_kl_divergence is not None and comparison.kl_divergence is not None:
        kept = comparison.kl_divergence <= tolerance.max_kl_divergence
        text = f"KL divergence {comparison.kl_divergence:.3g}, {tolerance.max_kl_divergence:g} allowed"
        clauses.append((kept, text))
    for places, found, limit in (
        (1, comparison.top1, tolerance.min_top1_agreement),
        (5, comparison.top5, tolerance.min_top5_agreement),
    ):
        if limit is not None and found is not None:
            text = f"top-{places} agreement {found.share:.2%}, at least {limit:.2%} needed"
            clauses.append((found.share >= limit, text))
    if comparison.nan or comparison.infinite:
        appeared = f"{comparison.nan:,} NaN and {comparison.infinite:,} infinities on one side only"
        clauses.append((False, appeared))
    if not clauses and comparison.first_difference is None:
        clauses.append((False, "not identical: stored in another dtype or with another quantization"))
    elif not clauses:
        clauses.append((False, f"not identical, error {comparison.max_abs_error:.3g}"))
    return [text for kept, text in clauses if not kept]
