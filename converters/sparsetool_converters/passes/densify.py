"""Undo sparse encoding: what DENSIFY would unpack at load is stored unpacked."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from sparsetool_converters.errors import EncodingError
from sparsetool_converters.model import Buffer, Model, Tensor
from sparsetool_converters.passes.change import Change

# A few bytes of metadata can declare any size. Unless told otherwise, so much is made of a model:
OUTPUT_PER_PAYLOAD_BYTE = 4
OUTPUT_IN_ANY_CASE_BYTES = 2**24
MAX_OUTPUT_BYTES = 2**31  # what one flatbuffer holds; for models that are to be unpacked whatever they declare


@dataclass(frozen=True)
class Densify:
    """Replace each DENSIFY of a constant by the dense constant.

    Weights that a kernel reads sparse by itself stay as they are.

    Attributes:
        max_output_bytes: what all dense constants together may take; by default 16 MiB, or 4 times the model's
            payloads if that is more.

    Raises:
        EncodingError: they would take more, or a constant's metadata contradict themselves.
    """

    name: str = "densify"
    max_output_bytes: int | None = None

    def __call__(self, model: Model) -> Sequence[Change]:
        left_bytes = allowed_bytes = self._allowed_bytes(model)
        changes = []
        interface = model.interface()
        for graph in model.subgraphs:
            kept, gone = [], set()
            for operator in graph.operators:
                source = operator.inputs[0] if operator.inputs else None
                output = operator.outputs[0] if operator.outputs else None
                if operator.name != "DENSIFY" or source is None or output is None or not source.is_constant:
                    kept.append(operator)
                    continue
                dense_bytes = source.nbytes_of(math.prod(source.shape))
                if dense_bytes > left_bytes:
                    raise _too_large(source, dense_bytes, left_bytes, allowed_bytes)
                left_bytes -= dense_bytes
                output.buffer = Buffer(source.payload_of(source.array(max_elements=MAX_OUTPUT_BYTES)))
                gone.add(source)
                changes.append(
                    Change(
                        tensor=output.name,
                        what="stored dense",
                        bytes_before=source.buffer.nbytes,
                        bytes_after=output.buffer.nbytes,
                    )
                )
            graph.operators = kept
            needed = graph.referenced() | interface
            graph.tensors = [t for t in graph.tensors if t not in gone or t in needed]
        return changes

    def _allowed_bytes(self, model: Model) -> int:
        if self.max_output_bytes is not None:
            return self.max_output_bytes
        return max(OUTPUT_IN_ANY_CASE_BYTES, OUTPUT_PER_PAYLOAD_BYTE * sum(b.nbytes for b in model.buffers))


def _too_large(tensor: Tensor, dense_bytes: int, left_bytes: int, allowed_bytes: int) -> EncodingError:
    return EncodingError(
        tensor.name,
        f"takes {dense_bytes:,} bytes unpacked, and {left_bytes:,} are left of the {allowed_bytes:,} allowed for the "
        "model; allow more (--max-output) if you trust it",
    )
