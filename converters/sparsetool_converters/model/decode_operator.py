"""The micro runtime's TFLM_DECODE: which constants it unpacks, and to what.

It takes two constants for each of its outputs, uint8 both: the encoded one, and one that starts with 16 bytes which say
how, of which the pruned form uses three, and goes on with the stored values.

    byte 0    2    the kind: pruned; 0 is a look-up table, 1 Huffman's code
    byte 1    1    version of these 16 bytes
    byte 4    1    version of the pruned form

tflite-micro tensorflow/lite/micro/kernels/decode_state.h and decode_state_prune.cc @ 90b983c.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from ai_edge_litert import schema_py_generated as schema

from sparsetool_converters.errors import EncodingError, ModelFormatError
from sparsetool_converters.model.objects import Model, Operator
from sparsetool_converters.model.tensors import MAX_RANK, Buffer, Tensor
from sparsetool_converters.sparsity import Bitmap, decode_bitmap, encode_bitmap

DECODE = "TFLM_DECODE"
HEADER_BYTES = 16
_PRUNED = 2
_VERSION = 1
_KIND_AT, _VERSION_AT, _PRUNED_VERSION_AT = 0, 1, 4
DECODED_TYPES = ("BOOL", "FLOAT32", "INT8", "INT16", "INT32", "INT64")


@dataclass(frozen=True, kw_only=True, eq=False)
class Decoded:
    """One output of a TFLM_DECODE that unpacks a pruned constant.

    Attributes:
        bitmap: the encoded constant.
        values: the header and the stored values.
        output: what is made of them.
    """

    bitmap: Tensor
    values: Tensor
    output: Tensor

    @property
    def stored_bytes(self) -> int:
        """Payload bytes of both constants, header included."""
        return self.bitmap.buffer.nbytes + self.values.buffer.nbytes

    def array(self) -> npt.NDArray[Any]:
        """The dense values, in the output's shape and dtype; at most 8 elements for each byte of the bitmap.

        Raises:
            ModelFormatError: the header, the output's type or its quantization is none that the operator knows.
            EncodingError: bits, values and shape do not fit each other.
        """
        problem = decode_obstacle(self.output)
        bits, values = self.bitmap.buffer.data, self.values.buffer.data
        if bits is None or values is None or self.bitmap.is_sparse or self.values.is_sparse:
            problem = "is decoded from what is no dense constant"
        elif values[_VERSION_AT] != _VERSION or values[_PRUNED_VERSION_AT] != _VERSION:
            problem = f"is decoded from version {values[_VERSION_AT]}.{values[_PRUNED_VERSION_AT]}; only 1.1 is known"
        if problem or bits is None or values is None:
            raise ModelFormatError(self.output.name, problem)
        dtype = self.output.dtype()
        whole = (values.size - HEADER_BYTES) // dtype.itemsize * dtype.itemsize
        stored = values[HEADER_BYTES : HEADER_BYTES + whole].view(dtype)
        if min(self.output.shape, default=0) < 0 or len(self.output.shape) > MAX_RANK:
            raise ModelFormatError(self.output.name, "is damaged: no constant has its shape")
        try:
            return decode_bitmap(Bitmap(bits=bits, values=stored), self.output.shape, _fill(self.output))
        except EncodingError as damage:
            raise EncodingError(self.output.name, damage.reason) from damage


def decoded_constants(operator: Operator) -> tuple[Decoded, ...]:
    """What a TFLM_DECODE unpacks; empty for any other operator, and for one that unpacks something not pruned.

    Raises:
        ModelFormatError: its inputs are not two constants for each output.
    """
    if operator.name != DECODE:
        return ()
    outputs, inputs = operator.outputs, operator.inputs
    if not outputs or len(inputs) != 2 * len(outputs) or None in outputs or None in inputs:
        raise ModelFormatError(DECODE, f"has {len(inputs)} inputs for {len(outputs)} outputs, and takes two for each")
    found = []
    for bitmap, values, output in zip(inputs[::2], inputs[1::2], outputs, strict=True):
        assert bitmap is not None
        assert values is not None
        assert output is not None
        header = values.buffer.data
        if header is None or header.size < HEADER_BYTES:
            raise ModelFormatError(output.name, f"is decoded without the {HEADER_BYTES} bytes that say how")
        if header[_KIND_AT] != _PRUNED:
            return ()
        found.append(Decoded(bitmap=bitmap, values=values, output=output))
    return tuple(found)


def has_decode(model: Model) -> bool:
    """Whether the model has a TFLM_DECODE, which no runtime but the micro runtime knows."""
    return any(operator.name == DECODE for _, operator in model.operators())


def decode_obstacle(tensor: Tensor) -> str:
    """Why TFLM_DECODE could not make this tensor from a pruned constant, a clause; empty if it can."""
    if tensor.type_name not in DECODED_TYPES:
        return f"{DECODE} makes no {tensor.type_name}, only {', '.join(DECODED_TYPES)}"
    scales, zero_points = _quantization(tensor)
    if scales == 0:
        return ""
    axis, rank = int(tensor.quantization.quantizedDimension), len(tensor.shape)
    if axis != 0 and not (scales > 1 and axis == rank - 1):
        return f"its scales run along axis {axis}, and {DECODE} takes the first or, of several, the last axis"
    if not zero_points.any():
        return ""
    if tensor.type_name != "INT8":
        return f"its zero point is not 0, and {DECODE} takes that for INT8 only"
    if scales > 1 and (rank == 0 or scales != tensor.shape[axis]):
        return f"it has {scales:,} scales for the shape {list(tensor.shape)}"
    if zero_points.min() < -128 or zero_points.max() > 127:
        return "it has zero points that INT8 cannot hold"
    return ""


def encode_pruned(tensor: Tensor) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
    """The payloads that TFLM_DECODE makes a dense constant from: the encoded one, then header and values.

    Raises:
        ModelFormatError: the operator does not know the type or the quantization.
    """
    problem = decode_obstacle(tensor)
    if problem:
        raise ModelFormatError(tensor.name, problem)
    bitmap = encode_bitmap(tensor.array(), _fill(tensor))
    header = np.zeros(HEADER_BYTES, np.uint8)
    header[[_KIND_AT, _VERSION_AT, _PRUNED_VERSION_AT]] = _PRUNED, _VERSION, _VERSION
    return bitmap.bits, np.concatenate([header, bitmap.values.view(np.uint8)])


def stored_constant(payload: npt.NDArray[np.uint8]) -> Tensor:
    """A uint8 constant without a name, of which the micro runtime has no use and which would only take space."""
    fields = schema.TensorT(type=schema.TensorType.UINT8, shape=np.array([payload.size], np.int32))
    return Tensor(fields, Buffer(payload))


def _quantization(tensor: Tensor) -> tuple[int, npt.NDArray[np.int64]]:
    """How many scales, and as many zero points; (0, none) where the micro runtime takes the tensor for not quantized.

    It does so without scales or without zero points, and where their numbers differ it takes the first zero point for
    all (micro_allocator.cc:275-343 @ 90b983c).
    """
    if tensor.scales is None or tensor.quantization.zeroPoint is None or len(tensor.quantization.zeroPoint) == 0:
        return 0, np.zeros(0, np.int64)
    zero_points = np.asarray(tensor.quantization.zeroPoint, np.int64)
    scales = len(tensor.scales)
    return scales, zero_points if len(zero_points) == scales else np.full(scales, zero_points[0])


def _fill(tensor: Tensor) -> npt.NDArray[Any]:
    """What the operator writes for an element that is left out, broadcasting to the tensor's shape."""
    scales, zero_points = _quantization(tensor)
    if scales < 2 or not zero_points.any():
        return np.array(zero_points[0] if scales else 0).astype(tensor.dtype())
    axis = int(tensor.quantization.quantizedDimension)
    shape = [1] * len(tensor.shape)
    shape[axis] = scales
    return zero_points.astype(tensor.dtype()).reshape(shape)
