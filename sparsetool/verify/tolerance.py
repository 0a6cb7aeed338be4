"""How far an output may be from the reference's before the candidate is refused."""

from dataclasses import dataclass

from sparsetool.verify.outputs import OutputComparison
from sparsetool_converters.errors import VerificationError


@dataclass(frozen=True, kw_only=True)
class Tolerance:
    """Limits for one output; all that are given and apply must be kept. With none, it must be identical.

    Attributes:
        max_relative_error: largest error, as a share of the largest |reference|.
        max_lsb: largest difference of stored values. It applies to outputs quantized alike on both sides, and
            stands in for `max_relative_error` there.
        min_sqnr_db: least signal to noise ratio, for lossy stages.
        min_top1_agreement: least share of agreeing argmaxes, for lossy stages; applies to outputs whose last
            axis is at least 2 long.
    """

    max_relative_error: float | None = None
    max_lsb: int | None = None
    min_sqnr_db: float | None = None
    min_top1_agreement: float | None = None


IDENTICAL = Tolerance()
"""Every stored value equal."""


def check(comparison: OutputComparison, tolerance: Tolerance, *, stage: str) -> None:
    """Returns if the output is within the tolerance.

    Raises:
        VerificationError: it is not; the text has each limit that is broken, the worst and the first element.
    """
    if comparison.identical:
        return
    broken = _broken(comparison, tolerance)
    if not broken:
        return
    places = [
        f"{word} {difference}"
        for word, difference in (
            ("worst:", comparison.worst_difference),
            ("first:", comparison.first_difference),
        )
        if difference is not None
    ]
    where = f"on {comparison.n_samples} samples with {comparison.kernel_set} kernels"
    raise VerificationError(stage, comparison.output, "; ".join([f"{', '.join(broken)} {where}", *places]))


def _broken(comparison: OutputComparison, tolerance: Tolerance) -> list[str]:
    """Returns a clause for each limit that does not hold."""
    clauses: list[tuple[bool, str]] = []
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
    if tolerance.min_top1_agreement is not None and comparison.top1_agreement is not None:
        kept = comparison.top1_agreement >= tolerance.min_top1_agreement
        text = f"{comparison.top1_agreement:.2%}, at least {tolerance.min_top1_agreement:.2%} needed"
        clauses.append((kept, f"top-1 agreement {text}"))
    if not clauses and comparison.first_difference is None:
        clauses.append((False, "not identical: stored in another dtype or with another quantization"))
    elif not clauses:
        clauses.append((False, f"not identical, error {comparison.max_abs_error:.3g}"))
    return [text for kept, text in clauses if not kept]
