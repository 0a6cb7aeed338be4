"""What the micro runtime for microcontrollers, tflite-micro 0.dev20261023182759, runs right and what it does not.

It knows no sparsity: no kernel looks at a tensor's sparse metadata, and there is no DENSIFY. Pruned weights are stored
for its custom operator TFLM_DECODE instead, which makes the dense tensor in the arena, right before its reader, in
every invocation. Each row was executed on the wheel.
"""

from sparsetool_converters.targets.outcomes import MICRO_KERNEL_SETS, Outcome, Outcomes
from sparsetool_converters.targets.rules import MALFORMED, Hazard, Route, Rule, Target
from sparsetool_converters.targets.tflm_operators import OPERATORS
from sparsetool_converters.weights import WeightUse

_DECODE = "tensorflow/lite/micro/kernels/decode.cc @ 90b983c, executed"
_COST = "decoded into the arena in every invocation"
_WAY_OUT = "sparsetool compress --target tflm stores it for TFLM_DECODE where that saves bytes"

_FLOAT_OPS = (
    "FULLY_CONNECTED",
    "CONV_2D",
    "DEPTHWISE_CONV_2D",
    "TRANSPOSE_CONV",
    "BATCH_MATMUL",
    "GATHER",
    "EMBEDDING_LOOKUP",
)
_MATRIX_OPS = HYBRID_OPS = ("FULLY_CONNECTED", "CONV_2D", "DEPTHWISE_CONV_2D", "TRANSPOSE_CONV", "BATCH_MATMUL")


def _rule(op: str, weight: str, activation: str, *, dequantized: bool = False) -> Rule:
    use = WeightUse(op=op, weight=weight, activation=activation, dequantized=dequantized)
    return Rule(use=use, route=Route.DECODE, cost=_COST, source=_DECODE)


TFLM = Target(
    name="tflm",
    rules=(
        *(_rule(op, "FLOAT32", "FLOAT32") for op in _FLOAT_OPS),
        *(_rule(op, "INT8", "FLOAT32", dequantized=True) for op in _MATRIX_OPS),
        *(
            _rule(op, "INT8", "INT8")
            for op in ("FULLY_CONNECTED", "CONV_2D", "DEPTHWISE_CONV_2D", "TRANSPOSE_CONV", "BATCH_MATMUL", "GATHER")
        ),
        *(_rule(op, "INT8", "INT16") for op in ("FULLY_CONNECTED", "CONV_2D", "DEPTHWISE_CONV_2D", "TRANSPOSE_CONV")),
        _rule("EMBEDDING_LOOKUP", "INT8", "FLOAT32"),
    ),
    hazards=(
        Hazard(
            name="malformed-bitmap",
            route=Route.DECODE,
            layouts=(MALFORMED,),
            outcomes=None,
            effect="TFLM_DECODE trusts these constants, and reads outside of them",
            way_out="encode the weight anew",
            source="tensorflow/lite/micro/kernels/decode_state_prune.cc @ 90b983c: no length is checked",
        ),
        Hazard(
            name="sparsity-ignored",
            route=Route.NATIVE,
            outcomes=Outcomes(micro=Outcome.GARBAGE),
            effect="the micro runtime reads sparse weights as dense, without an error",
            way_out=_WAY_OUT,
            source="tensorflow/lite/micro/kernels @ 90b983c: no kernel looks at sparsity; executed",
        ),
        Hazard(
            name="no-densify",
            route=Route.DENSIFY,
            outcomes=Outcomes(micro=Outcome.FAILS_AT_LOAD),
            effect="the micro runtime has no DENSIFY",
            way_out=_WAY_OUT,
            source="python/tflite_micro/python_ops_resolver.cc @ 90b983c, executed",
        ),
        Hazard(
            name="hybrid",
            ops=HYBRID_OPS,
            weights=("INT8", "INT4"),
            activations=("FLOAT32",),
            dequantized=False,
            outcomes=Outcomes(micro=Outcome.FAILS_AT_LOAD),
            effect="the micro runtime runs no integer weights with float activations",
            way_out="quantize to int8 throughout, or leave the model float",
            source="tensorflow/lite/micro/kernels/conv_common.cc:161, fully_connected.cc:53 @ 90b983c, executed",
        ),
    ),
    kernel_sets=MICRO_KERNEL_SETS,
    operators=OPERATORS,
)
