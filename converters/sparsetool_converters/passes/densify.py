"""Undo sparse encoding: every sparse constant is stored dense, for readers that know no sparsity.

    x, w/sparse -> DENSIFY -> w          x, w
              FULLY_CONNECTED     ->     FULLY_CONNECTED
    x, w (sparse, version 8)             x, w
              FULLY_CONNECTED     ->     FULLY_CONNECTED (version 1)

So is what the micro runtime's TFLM_DECODE unpacks from a bitmap and values.

What the file computes stays: in particular `asymmetric_quantize_inputs` stays as it is, since it says how a builtin
kernel rounds its input, and that is the same for sparse weights and for dense ones.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sparsetool_converters.errors import EncodingError
from sparsetool_converters.model import Buffer, Model, Subgraph, Tensor
from sparsetool_converters.passes.change import Change
from sparsetool_converters.passes.decode_operators import decoded_tensors, take_decodes_away
from sparsetool_converters.passes.dense_version import dense_version

# A few bytes of metadata can declare any size. Unless told otherwise, so much is made of a model:
OUTPUT_PER_PAYLOAD_BYTE = 4
OUTPUT_IN_ANY_CASE_BYTES = 2**24
MAX_OUTPUT_BYTES = 2**31  # what one flatbuffer holds; for models that are to be unpacked whatever they declare


@dataclass(frozen=True)
class Densify:
    """Store every sparse constant dense, and take away each DENSIFY and TFLM_DECODE that unpacked one.

    A FULLY_CONNECTED of version 8, which XNNPACK leaves to the builtin kernels, gets the version that it has with
    dense weights. What a DENSIFY unpacks keeps the name of its output.

    Attributes:
        max_output_bytes: what all constants made dense may take together; by default 16 MiB, or 4 times the model's
            payloads if that is more.
    """

    name: str = "densify"
    max_output_bytes: int | None = None

    def __call__(self, model: Model) -> Sequence[Change]:
        """Edit the model in place.

        Raises:
            EncodingError: the dense constants would take more than is allowed, or one is damaged; the model is then
                as it was.
            ModelFormatError: a sparse constant has a type that no DENSIFY unpacks, or a TFLM_DECODE is damaged.
        """
        sparse = [t for graph in model.subgraphs for t in graph.tensors if t.is_sparse]
        decoded = decoded_tensors(model)
        self._check_size(model, [*sparse, *(constant.output for constant in decoded)])
        payloads = {c.output: Buffer(c.output.payload_of(c.array())) for c in decoded}
        dense = {t: Buffer(t.payload_of(t.array(max_elements=MAX_OUTPUT_BYTES))) for t in sparse}
        stored_bytes = {t: t.encoded().payload_bytes for t in sparse}
        interface = model.interface()
        changes = [
            Change(
                tensor=constant.output.name,
                what="stored dense",
                bytes_before=constant.stored_bytes,
                bytes_after=payloads[constant.output].nbytes,
            )
            for constant in take_decodes_away(model, payloads)
        ]
        for graph in model.subgraphs:
            made_dense = _take_densify_away(graph, dense, interface)
            made_dense |= {t: t for t in graph.tensors if t in dense}  # those that somebody reads as they are
            changes += [
                Change(
                    tensor=tensor.name,
                    what="stored dense",
                    bytes_before=stored_bytes.get(source, source.buffer.nbytes),
                    bytes_after=dense.get(source, source.buffer).nbytes,
                )
                for tensor, source in made_dense.items()
            ]
            for operator in graph.operators:
                version = dense_version(operator)
                if version != operator.code.version and operator.inputs[1] in made_dense:
                    operator.code = model.operator_code(operator.code.builtin, version)
        for tensor, buffer in dense.items():
            tensor.buffer, tensor.fields.sparsity = buffer, None
        return changes

    def _check_size(self, model: Model, sparse: Sequence[Tensor]) -> None:
        allowed_bytes = self.max_output_bytes
        if allowed_bytes is None:
            payload_bytes = sum(buffer.nbytes for buffer in model.buffers)
            allowed_bytes = max(OUTPUT_IN_ANY_CASE_BYTES, OUTPUT_PER_PAYLOAD_BYTE * payload_bytes)
        left_bytes = allowed_bytes
        for tensor in sparse:
            dense_bytes = tensor.array_bytes
            if dense_bytes > left_bytes:
                raise EncodingError(
                    tensor.name,
                    f"takes {dense_bytes:,} bytes unpacked, and {left_bytes:,} are left of the {allowed_bytes:,} "
                    "allowed for the model; raise the largest output (densify --max-output) if you trust it",
                )
            left_bytes -= dense_bytes


def _take_densify_away(graph: Subgraph, dense: dict[Tensor, Buffer], interface: set[Tensor]) -> dict[Tensor, Tensor]:
    """Let each output of a DENSIFY of a constant hold the dense one; returns these outputs with their sources.

    A source that nobody else needs goes with its DENSIFY.
    """
    unpacked: dict[Tensor, Tensor] = {}
    remaining = []
    for operator in graph.operators:
        source = operator.inputs[0] if operator.inputs else None
        output = operator.outputs[0] if operator.outputs else None
        if operator.name != "DENSIFY" or source is None or not source.is_constant or output is None:
            remaining.append(operator)
            continue
        output.buffer = dense.get(source, source.buffer)
        unpacked[output] = source
    graph.operators = remaining
    needed = graph.referenced() | interface
    graph.tensors = [t for t in graph.tensors if t not in unpacked.values() or t in needed]
    return unpacked
