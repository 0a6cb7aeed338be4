"""What the stock LiteRT CPU runtime, ai-edge-litert 2.3.0, runs right, with and without default delegates.

Each row was executed on x86-64 and on two ARM64 processors, on all three kernel sets. XNNPACK takes a FULLY_CONNECTED
unless its version is exactly 8, whether its weights are sparse or not (tflite/delegates/xnnpack/xnnpack_delegate.cc @
f674577), so every native sparse FULLY_CONNECTED needs version 8; and XNNPACK reads a DENSIFY output as static weights
for float operators and int8 convolutions only, so int8 FULLY_CONNECTED behind DENSIFY needs version 8 as well. It takes
DEQUANTIZE behind DENSIFY for itself even where it leaves the operator behind them to the builtin kernels, which then
read memory that nobody wrote; so these need an operator that XNNPACK takes.
"""

from sparsetool_converters.targets.litert_hazards import HAZARDS
from sparsetool_converters.targets.litert_limits import (
    MAX_BLOCKS_PER_ROW,
    MAX_COLUMNS,
    SPARSE_VERSION,
    XNNPACK_ACTIVATIONS,
)
from sparsetool_converters.targets.rules import Route, Rule, Target
from sparsetool_converters.weights import WeightUse

_FULLY_CONNECTED = "tflite/kernels/fully_connected.cc @ f674577, executed"
_DENSIFY = "tflite/kernels/densify.cc @ f674577, executed"
# Times on x86-64 with AVX512 and executed instructions on cortex-a53 and cortex-a76, both for one row of activations;
# with several the dense kernels win. int8 throughout has no entry: dense has dot product instructions, sparse has none.
_MEASURED = "times on x86-64, executed instructions on ARM64"
_UNPACKED = "unpacked at load: RAM and load time of the dense tensor"
_BUILTIN = f"{_UNPACKED}; the operator leaves XNNPACK for the builtin kernel, at a higher latency"


def _use(op: str, weight: str, activation: str, *, dequantized: bool = False) -> WeightUse:
    return WeightUse(op=op, weight=weight, activation=activation, dequantized=dequantized)


def _densify(use: WeightUse, *, version: int | None = None, asymmetric_quantize_inputs: bool = False) -> Rule:
    return Rule(
        use=use,
        route=Route.DENSIFY,
        version=version,
        not_version=SPARSE_VERSION if use.dequantized and use.op == "FULLY_CONNECTED" else None,
        asymmetric_quantize_inputs=asymmetric_quantize_inputs,
        fused_activations=XNNPACK_ACTIVATIONS if use.dequantized else (),
        cost=_UNPACKED if version is None else _BUILTIN,
        source=_DENSIFY,
    )


_FLOAT_OPS = ("FULLY_CONNECTED", "CONV_2D", "DEPTHWISE_CONV_2D", "TRANSPOSE_CONV", "BATCH_MATMUL")
_BUILTIN_OPS = ("GATHER", "EMBEDDING_LOOKUP", "UNIDIRECTIONAL_SEQUENCE_LSTM", "LSTM")

LITERT = Target(
    name="litert",
    rules=(
        Rule(
            use=_use("FULLY_CONNECTED", "FLOAT32", "FLOAT32"),
            route=Route.NATIVE,
            blocks=((1, 1), (1, 4)),
            version=SPARSE_VERSION,
            faster_from_sparsity=(0.95, 0.80),
            speed_source=_MEASURED,
            source=_FULLY_CONNECTED,
        ),
        Rule(
            use=_use("FULLY_CONNECTED", "INT8", "FLOAT32"),
            route=Route.NATIVE,
            blocks=((1, 16),),
            version=SPARSE_VERSION,
            # The builtin kernels quantize activations symmetrically unless told otherwise; XNNPACK never does.
            asymmetric_quantize_inputs=True,
            max_columns=MAX_COLUMNS,
            max_blocks_per_row=MAX_BLOCKS_PER_ROW,
            faster_from_sparsity=(0.80,),
            speed_source=_MEASURED,
            source=_FULLY_CONNECTED,
        ),
        Rule(
            use=_use("FULLY_CONNECTED", "INT8", "INT8"),
            route=Route.NATIVE,
            blocks=((1, 16),),
            version=SPARSE_VERSION,
            source=_FULLY_CONNECTED,
        ),
        *(_densify(_use(op, "FLOAT32", "FLOAT32")) for op in (*_FLOAT_OPS, *_BUILTIN_OPS)),
        *(_densify(_use(op, "FLOAT16", "FLOAT32", dequantized=True)) for op in _FLOAT_OPS),
        *(_densify(_use(op, "INT8", "FLOAT32", dequantized=True)) for op in _FLOAT_OPS),
        _densify(
            _use("FULLY_CONNECTED", "INT8", "FLOAT32"),
            version=SPARSE_VERSION,
            asymmetric_quantize_inputs=True,
        ),
        _densify(_use("FULLY_CONNECTED", "INT8", "INT8"), version=SPARSE_VERSION),
        _densify(_use("FULLY_CONNECTED", "INT8", "INT16")),
        *(
            _densify(_use(op, "INT8", "INT8"))
            for op in ("CONV_2D", "DEPTHWISE_CONV_2D", "TRANSPOSE_CONV", "BATCH_MATMUL", "GATHER")
        ),
        *(
            _densify(_use(op, "INT8", "FLOAT32"))
            for op in ("DEPTHWISE_CONV_2D", "EMBEDDING_LOOKUP", "UNIDIRECTIONAL_SEQUENCE_LSTM", "LSTM")
        ),
    ),
    hazards=HAZARDS,
)
