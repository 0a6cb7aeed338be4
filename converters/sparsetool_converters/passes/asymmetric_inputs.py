"""One option of hybrid FULLY_CONNECTED, int8 weights under float activations."""

from ai_edge_litert import schema_py_generated as schema

from sparsetool_converters.model import Operator


def quantize_inputs_asymmetrically(operator: Operator) -> None:
    """Make a hybrid FULLY_CONNECTED quantize its input as XNNPACK does, whichever kernel runs it.

    The builtin kernels do so only when asked (`asymmetric_quantize_inputs`), XNNPACK always does: without the
    option one file gives different numbers with and without delegates.
    """
    fields = operator.fields
    if fields.builtinOptions is None:  # absent means all defaults
        fields.builtinOptionsType = schema.BuiltinOptions.FullyConnectedOptions
        fields.builtinOptions = schema.FullyConnectedOptionsT()
    fields.builtinOptions.asymmetricQuantizeInputs = True
