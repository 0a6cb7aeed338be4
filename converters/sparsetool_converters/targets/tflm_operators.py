"""The operators of the micro runtime, tflite-micro 0.dev20261023182759, and the element types that each takes.

The names are those that the wheel knows, each tried in a model of its own; custom operators go by their own name.
The types are all that the kernels name for any of their tensors, sources in tensorflow/lite/micro/kernels @ 90b983c.
Where there are none, the kernel copies what it is given, or its types are for running the model to find.
"""

from collections.abc import Mapping

_FLOAT = ("FLOAT32",)
_FLOAT_INT8 = ("FLOAT32", "INT8")
_COMMON = ("FLOAT32", "INT8", "INT16")
_WITH_INDICES = (*_COMMON, "INT32", "INT64")
_WITH_BOOLEANS = (*_WITH_INDICES, "BOOL")
_WITH_INT4 = (*_WITH_INDICES, "INT4")

_TYPES: Mapping[tuple[str, ...], str] = {
    _FLOAT: "EXP",
    _FLOAT_INT8: "ADD_N DEPTH_TO_SPACE ELU HARD_SWISH L2_NORMALIZATION LOG_SOFTMAX SPACE_TO_DEPTH",
    _COMMON: "AVERAGE_POOL_2D BATCH_MATMUL LEAKY_RELU LOGISTIC MAX_POOL_2D PRELU RELU RELU6 SOFTMAX TANH",
    (*_COMMON, "UINT8"): "DEQUANTIZE",
    (*_COMMON, "INT32", "UINT8"): "QUANTIZE",
    (*_COMMON, "INT32"): "ADD DIV MUL SQUARED_DIFFERENCE SUB",
    _WITH_INDICES: "ARG_MAX ARG_MIN EMBEDDING_LOOKUP GATHER MAXIMUM MINIMUM MIRROR_PAD PACK PAD PADV2 RESIZE_BILINEAR "
    "RESIZE_NEAREST_NEIGHBOR SPLIT SPLIT_V SVDF TRANSPOSE TRANSPOSE_CONV UNIDIRECTIONAL_SEQUENCE_LSTM UNPACK",
    _WITH_BOOLEANS: "CAST CONCATENATION EQUAL GREATER GREATER_EQUAL LESS LESS_EQUAL MEAN NOT_EQUAL REDUCE_MAX "
    "SELECT_V2 SLICE STRIDED_SLICE SUM",
    _WITH_INT4: "CONV_2D DEPTHWISE_CONV_2D FULLY_CONNECTED",
}
_ANY_TYPE = (
    "ABS ASSIGN_VARIABLE BATCH_TO_SPACE_ND BROADCAST_ARGS BROADCAST_TO CALL_ONCE CEIL COS CUMSUM DYNAMIC_UPDATE_SLICE "
    "EXPAND_DIMS FILL FLOOR FLOOR_DIV FLOOR_MOD GATHER_ND IF L2_POOL_2D LOG LOGICAL_AND LOGICAL_NOT LOGICAL_OR NEG "
    "READ_VARIABLE REDUCE_ALL REDUCE_MIN RESHAPE REVERSE_V2 ROUND RSQRT SHAPE SIN SPACE_TO_BATCH_ND SQRT SQUARE "
    "SQUEEZE VAR_HANDLE WHILE ZEROS_LIKE "
    "CIRCULAR_BUFFER SignalDelay SignalEnergy SignalFftAutoScale SignalFilterBank SignalFilterBankLog "
    "SignalFilterBankSpectralSubtraction SignalFilterBankSquareRoot SignalFramer SignalIrfft SignalOverlapAdd "
    "SignalPCAN SignalRfft SignalStacker SignalWindow TFLM_DECODE TFLite_Detection_PostProcess"
)

OPERATORS: Mapping[str, tuple[str, ...]] = {
    **{name: types for types, names in _TYPES.items() for name in names.split()},
    **dict.fromkeys(_ANY_TYPE.split(), ()),
}
