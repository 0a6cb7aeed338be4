"""Compare the constants of any two models without a runtime, and say what is wrong with the candidate's.

A constant of the same type and scales must be equal. One of another type must be what rounding makes of the
reference's: the nearest float16, or the nearest step of its scale. Few values that are not are faults and are named; a
quantizer that does not round to the nearest leaves many, which only outputs can judge, unless hardly anything is left
of the weight. With other operators, such as a rotation of the input, even that is no fault.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from sparsetool.report.verification_record import VerificationFinding, WeightRecord
from sparsetool.verify.blocks import block_of, blocks_kept
from sparsetool.verify.pairing import Constant, Pairing, pair_constants, real_values, scale_of_each
from sparsetool.verify.rounding import FEW, Rounding, examine_rounding
from sparsetool_converters.errors import EncodingError, ModelFormatError, SparseToolError, VerificationError
from sparsetool_converters.model import Model, Tensor
from sparsetool_converters.passes import Canonicalize, Compact, Densify
from sparsetool_converters.passes.densify import MAX_OUTPUT_BYTES
from sparsetool_converters.passes.kept_zeros import PRUNED_SHARE
from sparsetool_converters.targets.rules import layout_name

IDENTICAL, ROUNDED, CHANGED = "identical", "rounded", "changed"
RESTRUCTURED, MISSING, UNREADABLE = "restructured", "missing", "unreadable"
WEIGHT, QUANTIZATION = "weight", "quantization"
# Signal to noise that is left of a weight whatever quantizes it, by the bits of its type.
LEAST_SQNR_DB = {16: 30.0, 8: 12.0, 4: 3.0, 2: 0.0}
_SWAPPED_SQNR_DB = 20.0


@dataclass(frozen=True, kw_only=True)
class WeightComparison:
    """All constants of a reference beside the candidate's.

    Attributes:
        records: one for each constant of the reference that an operator reads.
        findings: what is wrong.
        notes: how they were paired, and what could not be compared.
        restructured: whether constants of the candidate have other shapes than the reference's.
    """

    records: tuple[WeightRecord, ...]
    findings: tuple[VerificationFinding, ...]
    notes: tuple[str, ...]
    restructured: bool


def compare_weights(reference: bytes, candidate: bytes) -> WeightComparison:
    """Compare the constants of two .tflite models, decoded, by who reads them.

    Where the candidate's have other shapes, the reference is compacted as `Compact` does it, and compared once more.

    Raises:
        ModelFormatError, EncodingError: the reference cannot be decoded, or the candidate is no model.
    """
    wanted, found = Model.from_bytes(reference, where="reference"), Model.from_bytes(candidate, where="candidate")
    pairing = pair_constants(wanted, found)
    compacted = False
    if pairing.aligned and _reshaped(pairing):
        smaller = _compacted(reference)
        other = pair_constants(smaller, found)
        if len(_reshaped(other)) < len(_reshaped(pairing)):
            pairing, compacted = other, True
    reshaped = _reshaped(pairing)
    comparer = _Comparer([one for one, _ in pairing.pairs if one is not None], aligned=pairing.aligned)
    for one, two in pairing.pairs:
        comparer.compare(one, two, only_weights=bool(reshaped) or not pairing.aligned)
    notes = []
    if not pairing.aligned:
        notes.append("the models have other operators than each other, so constants were compared by name")
    if compacted:
        notes.append("the reference was compacted for this, as compress does it; constants were compared after that")
    if reshaped:
        notes.append(
            f"{len(reshaped):,} constants have another shape than the reference's, so only outputs can judge them: "
            f"{_some(reshaped)}"
        )
    return WeightComparison(
        records=tuple(comparer.records),
        findings=tuple(comparer.findings),
        notes=(*notes, *comparer.notes),
        restructured=compacted or bool(reshaped),
    )


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3:,} more" if len(names) > 3 else "")


def _reshaped(pairing: Pairing) -> list[str]:
    return [a.name for a, b in pairing.pairs if a is not None and b is not None and a.tensor.shape != b.tensor.shape]


def _compacted(reference: bytes) -> Model:
    model = Model.from_bytes(reference, where="reference")
    for step in (Densify(max_output_bytes=MAX_OUTPUT_BYTES), Canonicalize(), Compact()):
        step(model)
    return model


@dataclass(kw_only=True)
class _Fields:
    """What is measured of one pair, in the words of `WeightRecord`."""

    relation: str
    differing: int = 0
    max_abs_error: float | None = None
    sqnr_db: float | None = None
    max_steps: float | None = None
    faults: list[tuple[str, str]] = field(default_factory=list)  # (kind, problem)


class _Comparer:
    """Compares pair by pair, and knows all constants of the reference, of which one may stand in another's place."""

    def __init__(self, known: Sequence[Constant], *, aligned: bool) -> None:
        self._known, self._aligned = known, aligned
        self.records: list[WeightRecord] = []
        self.findings: list[VerificationFinding] = []
        self.notes: list[str] = []

    def compare(self, one: Constant | None, two: Constant | None, *, only_weights: bool) -> None:
        """Compare a pair.

        Args:
            one: the reference's constant, None if it has none there.
            two: the candidate's, likewise.
            only_weights: whether other constants than weights may differ, since those of other layers moved into them.
        """
        if one is None:
            assert two is not None
            self._added(two, judged=not only_weights)
            return
        wanted = one.array() if _is_numeric(one.tensor) else None
        if wanted is None:
            return  # strings and the like are no weights
        if two is None:
            self._record(one, None, wanted, None, _Fields(relation=MISSING))
            return
        try:
            found = two.array()
        except SparseToolError as damage:
            reason = damage.reason if isinstance(damage, EncodingError) else str(damage)
            self._record(one, two, wanted, None, _Fields(relation=UNREADABLE))
            self._fault(two, WEIGHT, f"cannot be decoded: {reason}")
            return
        if wanted.shape != found.shape:
            self._record(one, two, wanted, None, _Fields(relation=RESTRUCTURED))
            return
        fields = self._measure(one, two, wanted, found)
        self._record(one, two, wanted, found, fields)
        if one.op or not only_weights:
            for kind, problem in fields.faults:
                self._fault(two, kind, problem)

    def _added(self, two: Constant, *, judged: bool) -> None:
        try:
            nothing = not _is_numeric(two.tensor) or not np.any(two.array())
        except SparseToolError as problem:
            self._fault(two, WEIGHT, f"cannot be decoded: {problem}")
            return
        if judged and not nothing:
            self._fault(two, WEIGHT, "is read where the reference has no constant")

    def _measure(self, one: Constant, two: Constant, wanted: npt.NDArray[Any], found: npt.NDArray[Any]) -> _Fields:
        before, after = one.tensor, two.tensor
        if before.type == after.type and scaling(before) == scaling(after):
            fields = _equal_or_not(wanted, found)
            _add_errors(fields, real_values(one, wanted), real_values(two, found))
        elif before.type == after.type and wanted.dtype.kind in "iu":
            fields = _Fields(relation=CHANGED, differing=int(np.count_nonzero(wanted != found)))
            fields.faults.append((QUANTIZATION, other_scaling(before, after)))
            _add_errors(fields, real_values(one, wanted), real_values(two, found))
        else:
            fields = self._rounded_or_not(one, two, wanted, found)
        if fields.relation == CHANGED and fields.faults:
            self._name_what_stands_there(one, fields, found, two)
        zeros = wanted == _zero(before)
        if self._aligned and fields.relation == CHANGED and not fields.faults and one.op and _is_pruned(zeros):
            lost = int(np.count_nonzero(zeros & (found != _zero(after))))
            if lost:
                fields.faults.append((WEIGHT, f"{lost:,} of the {np.count_nonzero(zeros):,} zeros are lost"))
        return fields

    def _rounded_or_not(
        self, one: Constant, two: Constant, wanted: npt.NDArray[Any], found: npt.NDArray[Any]
    ) -> _Fields:
        reals, others = real_values(one, wanted), real_values(two, found)
        if reals is None or others is None:
            self.notes.append(f"{two.name}: its blockwise scales are not looked into; only outputs can judge it")
            return _Fields(relation=CHANGED)
        fields = _Fields(relation=CHANGED)
        _add_errors(fields, reals, others)
        fields.differing = int(np.count_nonzero(reals != others))
        steps = scale_of_each(two.tensor)
        if steps is not None:
            bits = _bits(two.tensor)
            rounding = examine_rounding(reals, found, *steps, bits)
            fields.max_steps = rounding.max_steps
            fault = _rounding_fault(rounding, found, two)
            astray = rounding.astray
        else:
            nearest = reals.astype(found.dtype) if found.dtype.kind == "f" else np.rint(reals).astype(found.dtype)
            bits = 8 * found.dtype.itemsize
            same = (nearest == found) | ((nearest != nearest) & (found != found))
            astray = int(np.count_nonzero(~same))
            fault = (
                (WEIGHT, _unequal(nearest, found, ~same, "are not the nearest that its type holds")) if astray else None
            )
        if not astray:
            fields.relation = ROUNDED if fields.differing else IDENTICAL
            return fields
        if fault is not None:
            fields.faults.append(fault)
        elif (
            self._aligned and fields.sqnr_db is not None and fields.sqnr_db < LEAST_SQNR_DB.get(bits, LEAST_SQNR_DB[16])
        ):
            problem = f"has little to do with the reference's: {fields.sqnr_db:.1f} dB of signal over noise"
            fields.faults.append((WEIGHT, problem))
        return fields

    def _name_what_stands_there(self, one: Constant, fields: _Fields, found: npt.NDArray[Any], two: Constant) -> None:
        """If the candidate's values are those of another constant of the reference, say of which."""
        if fields.differing < 0.5 * found.size or found.size < 2:
            return
        values = real_values(two, found)
        for other in self._known:
            if other is one or other.tensor is one.tensor or other.tensor.shape != found.shape or values is None:
                continue
            reals = real_values(other, other.array())
            measured = _Fields(relation=CHANGED)
            _add_errors(measured, reals, values)
            if measured.max_abs_error is not None and (measured.sqnr_db or np.inf) > _SWAPPED_SQNR_DB:
                kind, problem = fields.faults[0]
                fields.faults[0] = kind, f"holds the values of {other.name}; {problem}"
                return

    def _record(
        self,
        one: Constant,
        two: Constant | None,
        wanted: npt.NDArray[Any],
        found: npt.NDArray[Any] | None,
        fields: _Fields,
    ) -> None:
        zeros = wanted == _zero(one.tensor)
        kept = found == _zero(two.tensor) if two is not None and found is not None else np.zeros_like(zeros)
        block = block_of(zeros) if one.op and _is_pruned(zeros) else None
        self.records.append(
            WeightRecord(
                name=one.name,
                op=one.op,
                shape=one.tensor.shape,
                type_before=one.tensor.type_name,
                type_after="" if two is None else two.tensor.type_name,
                relation=fields.relation,
                weights=wanted.size,
                differing=fields.differing,
                max_abs_error=fields.max_abs_error,
                sqnr_db=fields.sqnr_db,
                max_steps=fields.max_steps,
                zeros=int(np.count_nonzero(zeros)),
                zeros_kept=int(np.count_nonzero(zeros & kept)),
                stored_before=_stored(one),
                stored="" if two is None else _stored(two),
                bytes_before=one.stored_bytes,
                bytes_after=0 if two is None else two.stored_bytes,
                block_size=block or (),
                blocks_kept=None if block is None or found is None else blocks_kept(zeros, kept, block),
            )
        )

    def _fault(self, constant: Constant, kind: str, problem: str) -> None:
        self.findings.append(
            VerificationFinding(kind=kind, where=constant.name, problem=problem, exit_code=VerificationError.exit_code)
        )


def _equal_or_not(wanted: npt.NDArray[Any], found: npt.NDArray[Any]) -> _Fields:
    """-0.0 equals 0.0, since canonicalizing makes one of the other, and any NaN equals the same bits."""
    same = wanted == found
    if wanted.dtype.kind == "f":
        same |= np.isnan(wanted) & np.isnan(found)
    differing = int(np.count_nonzero(~same))
    if not differing:
        return _Fields(relation=IDENTICAL)
    faults = [(WEIGHT, _unequal(wanted, found, ~same, "differ"))]
    return _Fields(relation=CHANGED, differing=differing, faults=faults)


def _unequal(wanted: npt.NDArray[Any], found: npt.NDArray[Any], where: npt.NDArray[np.bool_], verb: str) -> str:
    place = np.unravel_index(int(np.argmax(where)), where.shape)
    count = int(np.count_nonzero(where))
    text = f"{count:,} of {where.size:,} values {verb}, first at {[int(i) for i in place]}: "
    text += f"{found[place]} instead of {wanted[place]}"
    flipped = _flipped_bit(wanted[place], found[place]) if count == 1 else None
    return text if flipped is None else f"{text}, bit {flipped} flipped"


def _flipped_bit(wanted: Any, found: Any) -> int | None:
    one, other = (int.from_bytes(np.asarray(value).tobytes(), "little") for value in (wanted, found))
    changed = one ^ other
    return changed.bit_length() - 1 if changed and changed & (changed - 1) == 0 else None


def _rounding_fault(rounding: Rounding, found: npt.NDArray[Any], two: Constant) -> tuple[str, str] | None:
    """What the analysis proves; None where the quantizer may have meant it."""
    if not rounding.astray:
        return None
    assert rounding.first is not None
    if rounding.scale_error:
        scales = two.tensor.scales
        assert scales is not None
        of_channel = f" of channel {rounding.scale_channel}" if scales.size > 1 else ""
        return QUANTIZATION, (
            f"its scale{of_channel} is off by {rounding.scale_error:+.2%}: the values that it stores fit "
            f"{scales[rounding.scale_channel if scales.size > 1 else 0] / (1 + rounding.scale_error):.6g} instead of "
            f"{scales[rounding.scale_channel if scales.size > 1 else 0]:.6g}"
        )
    if rounding.astray > max(1, FEW * found.size):
        return None
    return WEIGHT, (
        f"{rounding.astray:,} of {found.size:,} values are not the nearest step to the reference's, first at "
        f"{list(rounding.first)}: {found[rounding.first]} instead of {rounding.nearest}"
    )


def _add_errors(fields: _Fields, reals: npt.NDArray[np.float64] | None, others: npt.NDArray[np.float64] | None) -> None:
    if reals is None or others is None:
        return
    with np.errstate(invalid="ignore", over="ignore"):
        alike = (reals == others) | (np.isnan(reals) & np.isnan(others))
        errors = np.where(alike, 0.0, np.abs(others - reals))
        noise, power = float(np.square(errors).sum()), float(np.square(reals).sum())
    fields.max_abs_error = float(errors.max(initial=0.0))
    if noise > 0.0 and power > 0.0 and np.isfinite(noise) and np.isfinite(power):
        fields.sqnr_db = 10.0 * float(np.log10(power / noise))


def scaling(tensor: Tensor) -> tuple[bytes, bytes, int] | None:
    """Scales, zero points and the dimension that they run along; None if the tensor is not quantized."""
    if tensor.scales is None:
        return None
    parameters = tensor.quantization
    zero_points = np.asarray([] if parameters.zeroPoint is None else parameters.zeroPoint, np.int64)
    axis = int(parameters.quantizedDimension) if tensor.scales.size > 1 else 0
    return tensor.scales.tobytes(), zero_points.tobytes(), axis


def other_scaling(before: Tensor, after: Tensor) -> str:
    """How the quantization of two tensors differs, a clause."""
    ours, theirs = before.scales, after.scales
    if ours is None or theirs is None or ours.shape != theirs.shape:
        counts = [0 if scales is None else scales.size for scales in (theirs, ours)]
        return f"has {counts[0]:,} scales instead of {counts[1]:,}"
    different = np.flatnonzero(ours != theirs)
    if different.size:
        at = int(different[0])
        with np.errstate(divide="ignore", invalid="ignore"):
            share = float(theirs[at] / ours[at] - 1)
        which = f"scale {at} of {ours.size:,}" if ours.size > 1 else "its scale"
        more = f", and {different.size - 1:,} more" if different.size > 1 else ""
        return f"{which} is off by {share:+.2%}: {theirs[at]:.6g} instead of {ours[at]:.6g}{more}"
    if scaling(before) == scaling(after):
        return ""
    return "has other zero points, or scales along another dimension"


def _zero(tensor: Tensor) -> Any:
    """The stored value of 0.0, broadcasting to the tensor's shape."""
    steps = scale_of_each(tensor)
    return 0 if steps is None else steps[1]


def _is_pruned(zeros: npt.NDArray[np.bool_]) -> bool:
    return bool(np.count_nonzero(zeros) >= PRUNED_SHARE * zeros.size > 0)


def _bits(tensor: Tensor) -> int:
    narrow: Mapping[str, int] = {"INT4": 4, "UINT4": 4, "INT2": 2}
    return narrow.get(tensor.type_name, 8 * (tensor.element_dtype or np.dtype(np.int8)).itemsize)


def _is_numeric(tensor: Tensor) -> bool:
    return tensor.packing is not None or (tensor.element_dtype is not None and tensor.element_dtype.kind in "biuf")


def _stored(constant: Constant) -> str:
    if not constant.is_sparse:
        return "dense"
    if constant.decoded is not None:
        return "bitmap"
    try:
        return layout_name(constant.tensor.encoded().block_format)
    except ModelFormatError:
        return "malformed"
