"""The micro runtime's interpreter, with the methods of LiteRT's that the workers use.

The one place where tflite-micro is loaded. Its own interpreter knows neither names nor how many inputs there are, so
these come from the file.
"""

import os
import re
import tempfile
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from tflite_micro.python.tflite_micro import runtime

ARENA_BYTES = 2**28  # untouched pages of it are never made
ARENA_PER_MODEL_BYTE = 10
_DTYPES = {
    schema.TensorType.FLOAT32: "float32",
    schema.TensorType.FLOAT16: "float16",
    schema.TensorType.INT8: "int8",
    schema.TensorType.UINT8: "uint8",
    schema.TensorType.INT16: "int16",
    schema.TensorType.INT32: "int32",
    schema.TensorType.INT64: "int64",
    schema.TensorType.BOOL: "bool",
}


class MicroInterpreter:
    """Runs a model of fixed shapes; every shape is the file's."""

    def __init__(self, model: bytes) -> None:
        self._data = model
        self._model = schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(model, 0))
        self._graph = self._model.subgraphs[0]
        self._runtime: Any = None

    def allocate_tensors(self) -> None:
        arena_bytes = max(ARENA_BYTES, ARENA_PER_MODEL_BYTE * len(self._data))
        self._runtime = runtime.Interpreter.from_bytes(self._data, arena_size=arena_bytes)

    def get_input_details(self) -> list[dict[str, Any]]:
        return [self._details(index, place) for place, index in enumerate(self._graph.inputs)]

    def get_output_details(self) -> list[dict[str, Any]]:
        return [self._details(index, place) for place, index in enumerate(self._graph.outputs)]

    def get_signature_list(self) -> dict[str, Any]:
        return {_text(s.signatureKey): s for s in self._model.signatureDefs or []}

    def get_signature_runner(self, key: str) -> "_Signature":
        return _Signature(self.get_signature_list()[key], self._graph)

    def set_tensor(self, place: int, values: Any) -> None:
        self._runtime.set_input(np.ascontiguousarray(values), place)

    def invoke(self) -> None:
        self._runtime.invoke()

    def get_tensor(self, place: int) -> Any:
        return np.array(self._runtime.get_output(place))

    def resize_tensor_input(self, place: int, shape: Any, strict: bool = True) -> None:
        details = self.get_input_details()[place]
        raise ValueError(
            f"the micro runtime has fixed shapes: input {details['name']} is {details['shape'].tolist()}, "
            f"the samples are {list(shape)}"
        )

    def arena_bytes(self) -> int:
        """What the arena holds after the model has run: activations, decoded tensors, and the runtime's own tables."""
        with tempfile.TemporaryFile() as printed:
            kept = os.dup(2)
            os.dup2(printed.fileno(), 2)
            try:
                self._runtime.print_allocations()
            finally:
                os.dup2(kept, 2)
                os.close(kept)
            printed.seek(0)
            found = re.search(rb"Arena allocation total (\d+) bytes", printed.read())
        if found is None:
            raise ValueError("the micro runtime does not say how much of its arena it uses")
        return int(found[1])

    def _details(self, index: int, place: int) -> dict[str, Any]:
        """What LiteRT says of a tensor; its index is its place among the inputs or outputs."""
        tensor = self._graph.tensors[index]
        if tensor.type not in _DTYPES:
            raise ValueError(f"{_text(tensor.name)} holds no numbers; such inputs and outputs cannot be compared")
        shape = [] if tensor.shape is None else tensor.shape
        signature = shape if tensor.shapeSignature is None else tensor.shapeSignature
        parameters = tensor.quantization
        quantized = parameters is not None and parameters.scale is not None and len(parameters.scale) == 1
        zero_points = parameters.zeroPoint if quantized and parameters.zeroPoint is not None else [0]
        return {
            "name": _text(tensor.name),
            "index": place,
            "shape": np.array(shape, np.int32),
            "shape_signature": np.array(signature, np.int32),
            "dtype": np.dtype(_DTYPES[tensor.type]),
            "quantization": (float(parameters.scale[0]) if quantized else 0.0, int(zero_points[0])),
        }


class _Signature:
    """A signature's names, by which LiteRT finds tensors; here by their place, as `_details` has it."""

    def __init__(self, fields: Any, graph: Any) -> None:
        self._fields, self._graph = fields, graph

    def get_input_details(self) -> dict[str, dict[str, Any]]:
        return _places(self._fields.inputs, list(self._graph.inputs))

    def get_output_details(self) -> dict[str, dict[str, Any]]:
        return _places(self._fields.outputs, list(self._graph.outputs))


def _places(entries: Any, ends: list[int]) -> dict[str, dict[str, Any]]:
    return {_text(e.name): {"index": ends.index(e.tensorIndex)} for e in entries or [] if e.tensorIndex in ends}


def _text(raw: Any) -> str:
    return raw.decode("utf-8", "replace") if isinstance(raw, bytes) else str(raw or "")
