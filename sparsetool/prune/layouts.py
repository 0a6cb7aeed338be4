"""How the weights of each Keras layer lie on the TFLite layout, output axis first.

Masks are made on the TFLite layout `[out, ..., in]`, so that a block (r, c) is r consecutive outputs by c consecutive
inputs of the weight that the exported file holds. Which operator a weight goes to, and in which order of axes, was
found by exporting each layer with Keras 3.15 and TensorFlow 2.21 and reading the file.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import keras

Shape = tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class Layout:
    """The way between a Keras array and the TFLite layout: split axes, reorder them, merge neighbours.

    A Dense kernel `[in, out]` of 3 inputs and 2 outputs is transposed, (0, 1) to (1, 0):

        Keras      TFLite
        a b        a c e
        c d   ->   b d f
        e f

    Attributes:
        keras_shape: what the variable has.
        split: `keras_shape` with axes that hold two things in one, such as gates by units, taken apart.
        order: where each axis of the reordered array comes from in `split`.
        tflite_shape: `[out, ..., in]`, with neighbours of the reordered array merged.
        operator: the TFLite operator whose weight it becomes, as the schema names it; empty where that is not known.
    """

    keras_shape: Shape
    split: Shape
    order: Shape
    tflite_shape: Shape
    operator: str = ""

    def to_tflite(self, array: NDArray[Any]) -> NDArray[Any]:
        """An array of `keras_shape` on the TFLite layout; a view where numpy can make one."""
        return array.reshape(self.split).transpose(self.order).reshape(self.tflite_shape)

    def from_tflite(self, array: NDArray[Any]) -> NDArray[Any]:
        """An array of `tflite_shape` as Keras holds it; a view where numpy can make one."""
        reordered = array.reshape(tuple(self.split[axis] for axis in self.order))
        return reordered.transpose(np.argsort(self.order)).reshape(self.keras_shape)


def layout_of(layer: "keras.Layer | None", variable: "keras.Variable") -> Layout | None:
    """How this weight of this layer lies on the TFLite layout; None if it is no matrix that inputs are multiplied with.

    A layer is known by the nearest base class that Keras itself defines, so subclasses count as their base. A weight
    that such a base does not have, and any of a layer that Keras does not know, counts as `[..., in, out]`, unless
    fewer than two of its axes are longer than 1, or it has the name of what is added or scales element by element.

    Args:
        layer: the one that holds the variable, None if no layer does.
        variable: its shape and its name are looked at.
    """
    shape: Shape = tuple(variable.shape)
    if len(shape) < 2:
        return None
    weights = _KERNELS.get(_keras_base(layer), {})
    if variable.name in weights:
        make, operator = weights[variable.name]
        return make(layer, shape, operator)
    if _is_of_keras(layer) or variable.name in _ELEMENTWISE or variable.name.startswith("lora_"):
        return None
    return _last_axis_first(layer, shape, "") if sum(length > 1 for length in shape) > 1 else None


def why_no_layout(layer: "keras.Layer | None", variable: "keras.Variable") -> str:
    """Why `layout_of` has none, a clause that begins with a verb."""
    axes = len(variable.shape)
    if axes < 2:
        return f"has {axes} {'axis' if axes == 1 else 'axes'}, as a bias or a scale has"
    if variable.name.startswith("lora_"):
        return "is a low-rank adapter (LoRA), which is added to a kernel"
    if variable.name in _ELEMENTWISE:
        article = "an" if variable.name[0] in "aeiou" else "a"
        return f"is {article} {variable.name}, which is added or scales, and is multiplied with no inputs"
    if variable.name in _KERNELS.get(_keras_base(layer), {}):
        return f"is multiplied element by element, by the equation of its {type(layer).__name__}"
    if _is_of_keras(layer):
        return f"is the {variable.name} of a {type(layer).__name__}, which is not pruned"
    return f"is a vector: of its shape {tuple(variable.shape)} one axis at most is longer than 1"


def has_kernels(layer: "keras.Layer") -> bool:
    """Whether this layer has weights of its own that can be pruned, once it is built."""
    return bool(_KERNELS.get(_keras_base(layer)))


def _keras_base(layer: "keras.Layer | None") -> str:
    """Name of the nearest base class that Keras defines; empty if that is one of `_PLAIN_BASES`, or there is none."""
    base = next((base for base in type(layer).__mro__ if _defined_by_keras(base)), None)
    return "" if base is None or base.__name__ in _PLAIN_BASES else base.__name__


def _is_of_keras(layer: "keras.Layer | None") -> bool:
    """Whether Keras itself defines this layer, so that all of its weights are known."""
    return _defined_by_keras(type(layer)) and type(layer).__name__ not in _PLAIN_BASES


def _defined_by_keras(kind: type) -> bool:
    return kind.__module__.partition(".")[0] == "keras"


# What layers and models of a user's own derive from, or are.
_PLAIN_BASES = ("Layer", "Model", "Functional", "Sequential", "Wrapper")
# What Keras calls weights that are added or scale, whatever their shape.
_ELEMENTWISE = ("bias", "gamma", "beta", "alpha")


def _layout(split: Shape, order: Shape, tflite_shape: Shape, operator: str, keras_shape: Shape | None = None) -> Layout:
    return Layout(
        keras_shape=split if keras_shape is None else keras_shape,
        split=split,
        order=order,
        tflite_shape=tflite_shape,
        operator=operator,
    )


def _last_axis_first(_: Any, shape: Shape, operator: str) -> Layout:
    """`[..., in, out]` to `[out, ..., in]`: a convolution's `[h, w, in, out]` to `[out, h, w, in]`."""
    last = len(shape) - 1
    return _layout(shape, (last, *range(last)), (shape[-1], *shape[:-1]), operator)


def _outputs_before_inputs(_: Any, shape: Shape, operator: str) -> Layout:
    """`[..., out, in]` to `[out, ..., in]`: a transposed convolution's `[h, w, out, in]` to `[out, h, w, in]`."""
    *front, out, last = range(len(shape))
    return _layout(shape, (out, *front, last), (shape[out], *shape[:out], shape[last]), operator)


def _as_it_is(_: Any, shape: Shape, operator: str) -> Layout:
    """Rows of an embedding, `[vocabulary, dim]`: a block is a part of one row, or of consecutive rows."""
    return _layout(shape, tuple(range(len(shape))), shape, operator)


def _one_output(_: Any, shape: Shape, operator: str) -> Layout:
    """A depthwise kernel's `[h, w, in, multiplier]` to `[1, h, w, in * multiplier]`: all channels side by side.

    With 2 inputs a, b and multiplier 2, one place of the kernel becomes one row:

        Keras      TFLite
        a0 a1  ->  a0 a1 b0 b1
        b0 b1
    """
    return _layout(shape, tuple(range(len(shape))), (1, *shape[:-2], shape[-2] * shape[-1]), operator)


def _gates(layer: Any, shape: Shape, operator: str) -> Layout:
    """`[..., in, gates * units]` to `[units, gates, ..., in]`, so that no block straddles two gates.

    The file holds the gates together, `[gates * units, in]`, or each for itself, as for ConvLSTM and for a GRU with
    `reset_after=False`; the same blocks are found in both. With 1 input, 2 gates f, g and 3 units:

        Keras                  here, [unit, gate, in]
        f0 f1 f2 g0 g1 g2  ->  f0 g0
                               f1 g1
                               f2 g2
    """
    *front, last = shape
    units = layer.units if hasattr(layer, "units") else layer.filters
    if last % units:  # a subclass with another idea of its kernel
        return _last_axis_first(layer, shape, "")
    gates, axes = last // units, len(front)
    split = (*front, gates, units)
    return _layout(split, (axes + 1, axes, *range(axes)), (units, gates, *front), operator, keras_shape=shape)


def _convolution_gates(layer: Any, shape: Shape, operator: str) -> Layout:
    """As `_gates`; a ConvLSTM3D, of five axes, goes to a CONV_3D, whose weight the file holds as Keras does."""
    return _gates(layer, shape, _CONVOLUTION_3D if len(shape) == 5 else operator)


def _labelled(layer: Any, shape: Shape, operator: str) -> Layout | None:
    """By the equation of an EinsumDense: labels that only the output has are outputs, those that it lacks inputs.

    The kernel "cde" `[c, d, e]` of "abc,cde->abde" becomes `[d * e, c]`; that of "abcd,cde->abe", `[e, c * d]`: outputs
    in the order of the kernel, inputs in that of the activations. Labels that activations, kernel and output all have
    stay in the middle: "bhi,hio->bho" has `[o, h, i]`, and becomes a BATCH_MATMUL whose weight the file holds as Keras
    does, `[h, i, o]`. Where nothing is summed, there is no layout.
    """
    operands, _, output = layer.equation.replace(" ", "").partition("->")
    activations, _, kernel = operands.partition(",")
    if len(kernel) != len(shape):  # a subclass with another idea of its kernel
        return _last_axis_first(layer, shape, "")
    summed = sorted((i for i, x in enumerate(kernel) if x not in output), key=lambda i: activations.find(kernel[i]))
    shared = [i for i, label in enumerate(kernel) if label in output and label in activations]
    outputs = [i for i, label in enumerate(kernel) if label in output and label not in activations]
    if not summed:
        return None
    middle = tuple(shape[i] for i in shared)
    tflite_shape = (prod(shape[i] for i in outputs), *middle, prod(shape[i] for i in summed))
    return _layout(shape, (*outputs, *shared, *summed), tflite_shape, _PER_LABEL if shared else operator)


_Make = Callable[[Any, Shape, str], Layout | None]
_Weights = dict[str, tuple[_Make, str]]
_DENSE, _CONVOLUTION, _DEPTHWISE = "FULLY_CONNECTED", "CONV_2D", "DEPTHWISE_CONV_2D"
_PER_LABEL, _CONVOLUTION_3D = "BATCH_MATMUL", "CONV_3D"

_MATRIX: _Weights = {"kernel": (_last_axis_first, _DENSE)}
_CONV: _Weights = {"kernel": (_last_axis_first, _CONVOLUTION)}
_SEPARABLE: _Weights = {
    "depthwise_kernel": (_one_output, _DEPTHWISE),
    "pointwise_kernel": (_last_axis_first, _CONVOLUTION),
}
_OF_CELLS = ("kernel", "recurrent_kernel")
_TABLE: _Weights = {"embeddings": (_as_it_is, "GATHER")}

# Layer of Keras -> its weights by their names -> how they lie on the TFLite layout, and the operator they go to.
_KERNELS: dict[str, _Weights] = {
    "Dense": _MATRIX,
    "EinsumDense": {"kernel": (_labelled, _DENSE)},
    "Embedding": _TABLE,
    "ReversibleEmbedding": {**_TABLE, "reverse_embeddings": (_last_axis_first, _DENSE)},
    "Conv1D": _CONV,
    "Conv2D": _CONV,
    "Conv3D": {"kernel": (_last_axis_first, _CONVOLUTION_3D)},  # the file has it as Keras does, [d, h, w, in, out]
    "Conv1DTranspose": {"kernel": (_outputs_before_inputs, "TRANSPOSE_CONV")},
    "Conv2DTranspose": {"kernel": (_outputs_before_inputs, "TRANSPOSE_CONV")},
    "Conv3DTranspose": {"kernel": (_outputs_before_inputs, "CONV_3D_TRANSPOSE")},  # as Keras, [d, h, w, out, in]
    "DepthwiseConv1D": {"kernel": (_one_output, _DEPTHWISE)},
    "DepthwiseConv2D": {"kernel": (_one_output, _DEPTHWISE)},
    "SeparableConv1D": _SEPARABLE,
    "SeparableConv2D": _SEPARABLE,
    "SimpleRNNCell": dict.fromkeys(_OF_CELLS, (_last_axis_first, _DENSE)),
    "LSTMCell": dict.fromkeys(_OF_CELLS, (_gates, _DENSE)),
    "GRUCell": dict.fromkeys(_OF_CELLS, (_gates, _DENSE)),
    "ConvLSTMCell": dict.fromkeys(_OF_CELLS, (_convolution_gates, _CONVOLUTION)),
}

OPERATORS = tuple(
    dict.fromkeys((*(operator for weights in _KERNELS.values() for _, operator in weights.values()), _PER_LABEL))
)
"""The operators that a weight of a layer of Keras may go to."""
