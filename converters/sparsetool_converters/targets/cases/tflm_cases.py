"""Cases of the micro runtime's table."""

from collections.abc import Iterator
from functools import partial

from sparsetool_converters.sparsity import csr
from sparsetool_converters.targets.cases.case import Case
from sparsetool_converters.targets.cases.litert_right import DTYPES, build_twins
from sparsetool_converters.targets.cases.operators import one_op, weight_for
from sparsetool_converters.targets.cases.storing import stored_for_decode
from sparsetool_converters.targets.outcomes import Outcome, Outcomes
from sparsetool_converters.targets.tflm import HYBRID_OPS, TFLM
from sparsetool_converters.weights import WeightUse

_RIGHT = Outcomes(micro=Outcome.RIGHT)
_SPARSE_OPS = {"FULLY_CONNECTED": 2, "CONV_2D": 4, "DEPTHWISE_CONV_2D": 4}


def micro_cases() -> Iterator[Case]:
    """A case of each rule, those of constants at the limits, and the hazards."""
    for rule in TFLM.rules:
        yield Case(name=f"{rule.use}, TFLM_DECODE", expected=_RIGHT, build=partial(decoded_twins, rule.use))
    for dtype, activation in (("FLOAT32", "FLOAT32"), ("INT8", "INT8")):
        use = WeightUse(op="FULLY_CONNECTED", weight=dtype, activation=activation)
        for zeros in (0.0, 1.0):
            build = partial(decoded_twins, use, zeros=zeros)
            yield Case(name=f"{use}, {zeros:.0%} zeros, TFLM_DECODE", expected=_RIGHT, build=build)
    use = WeightUse(op="FULLY_CONNECTED", weight="INT8", activation="INT8")
    build = partial(decoded_twins, use, per_channel=False)
    yield Case(name=f"{use}, one scale, TFLM_DECODE", expected=_RIGHT, build=build)
    yield from _wrong_cases()


def _wrong_cases() -> Iterator[Case]:
    outcomes = {hazard.name: hazard.outcomes for hazard in TFLM.hazards}
    for op, rank in _SPARSE_OPS.items():
        for dtype, activation in (("FLOAT32", "FLOAT32"), ("INT8", "INT8")):
            use = WeightUse(op=op, weight=dtype, activation=activation)
            for row, densify in (("sparsity-ignored", False), ("no-densify", True)):
                expected = outcomes[row]
                assert expected is not None
                build = partial(build_twins, use, csr(rank), densify=densify)
                yield Case(name=f"{use}, csr, {row}", row=row, expected=expected, build=build)
    for op in HYBRID_OPS:
        expected = outcomes["hybrid"]
        assert expected is not None
        yield Case(name=f"{op}, hybrid", row="hybrid", expected=expected, build=partial(_hybrid, op))


def _hybrid(op: str) -> tuple[bytes, bytes]:
    dense = one_op(op, weight_for(op, "int8"))
    return dense, dense


def decoded_twins(use: WeightUse, *, zeros: float = 0.85, per_channel: bool = True) -> tuple[bytes, bytes]:
    """The dense twin, and the model with its weight made by TFLM_DECODE.

    Args:
        use: operator and types.
        zeros: share of zeros.
        per_channel: whether int8 weights have a scale for each channel.
    """
    dense = one_op(
        use.op,
        weight_for(use.op, DTYPES[use.weight], zeros=zeros),
        DTYPES[use.activation],
        dequantized=use.dequantized,
        per_channel=per_channel,
    )
    return dense, stored_for_decode(dense)
