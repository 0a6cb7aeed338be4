"""Store constants for the micro runtime's TFLM_DECODE, and store them dense again.

    x, w                     w/bits, w/values -> TFLM_DECODE -> w
      FULLY_CONNECTED   ->   x, w
                               FULLY_CONNECTED

What the operator makes may lie in memory that the next TFLM_DECODE overwrites (SetDecompressionMemory, tflite-micro
tensorflow/lite/micro/kernels/decode.cc @ 90b983c). So each reader has one of its own right before it, which unpacks all
that this reader needs; a constant with several readers is stored once and unpacked for each.
"""

from collections.abc import Mapping, Sequence

from ai_edge_litert import schema_py_generated as schema

from sparsetool_converters.model import Buffer, Model, Operator, Subgraph, Tensor
from sparsetool_converters.model.decode_operator import (
    DECODE,
    Decoded,
    decoded_constants,
    encode_pruned,
    stored_constant,
)


def insert_decodes(model: Model, tensors: Sequence[Tensor]) -> None:
    """Store dense constants for TFLM_DECODE; each becomes the output of the first operator that unpacks it.

    Raises:
        ModelFormatError: TFLM_DECODE does not know the type or the quantization of one.
    """
    stored = {tensor: [stored_constant(payload) for payload in encode_pruned(tensor)] for tensor in tensors}
    for graph in model.subgraphs:
        here = [tensor for tensor in graph.tensors if tensor in stored]
        if here:
            graph.tensors += [part for tensor in here for part in stored[tensor]]
            _insert(model, graph, {tensor: stored[tensor] for tensor in here})
            for tensor in here:
                tensor.buffer = empty_buffer(model)


def _insert(model: Model, graph: Subgraph, stored: Mapping[Tensor, list[Tensor]]) -> None:
    code = model.custom_code(DECODE)
    unpacked: set[Tensor] = set()
    operators: list[Operator] = []
    for reader in graph.operators:
        wanted = list(dict.fromkeys(t for t in reader.inputs if t is not None and t in stored))
        if wanted:
            outputs = {tensor: _copy(tensor) if tensor in unpacked else tensor for tensor in wanted}
            graph.tensors += [made for tensor, made in outputs.items() if made is not tensor]
            unpacked |= set(wanted)
            inputs: list[Tensor | None] = [part for tensor in wanted for part in stored[tensor]]
            operators.append(Operator(schema.OperatorT(), code, inputs, list(outputs.values())))
            reader.inputs = [t if t is None else outputs.get(t, t) for t in reader.inputs]
        operators.append(reader)
    graph.operators = operators


def _copy(tensor: Tensor) -> Tensor:
    fields = schema.TensorT()
    vars(fields).update(vars(tensor.fields))
    return Tensor(fields, Buffer())


def empty_buffer(model: Model) -> Buffer:
    """Buffer 0 is the empty one by the schema's convention, but a file may break it."""
    if model.buffers and model.buffers[0].nbytes == 0:
        return model.buffers[0]
    return Buffer()


def decoded_tensors(model: Model) -> list[Decoded]:
    """All that some TFLM_DECODE makes of pruned constants.

    Raises:
        ModelFormatError: one of these operators is damaged.
    """
    return [constant for _, operator in model.operators() for constant in decoded_constants(operator)]


def take_decodes_away(model: Model, dense: Mapping[Tensor, Buffer]) -> list[Decoded]:
    """Let each output of a TFLM_DECODE hold its dense payload, and take these operators away.

    Outputs that are made of the same constants and look alike become one tensor, the first, unless the model's caller
    sees them.

    Args:
        model: the model, edited in place.
        dense: the payload of each output.

    Returns:
        What was made dense, each constant once.
    """
    interface = model.interface()
    found: list[Decoded] = []
    for graph in model.subgraphs:
        first: dict[tuple[Tensor, Tensor], Tensor] = {}
        replaced: dict[Tensor, Tensor] = {}
        remaining: list[Operator] = []
        sources: set[Tensor] = set()
        for operator in graph.operators:
            constants = decoded_constants(operator)
            if not constants:
                remaining.append(operator)
            for constant in constants:
                sources |= {constant.bitmap, constant.values}
                output = constant.output
                original = first.setdefault((constant.bitmap, constant.values), output)
                if original is not output and output not in interface and _alike(original, output):
                    replaced[output] = original
                    continue
                output.buffer = dense[output]
                found.append(constant)
        for operator in remaining:
            operator.inputs = [t if t is None else replaced.get(t, t) for t in operator.inputs]
        graph.operators = remaining
        needed = graph.referenced() | interface
        graph.tensors = [t for t in graph.tensors if t in needed or (t not in sources and t not in replaced)]
    return found


def _alike(one: Tensor, other: Tensor) -> bool:
    return one.name == other.name and one.type == other.type and one.shape == other.shape
