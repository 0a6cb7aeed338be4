"""Undo sparse encoding: what DENSIFY would unpack at load is stored unpacked."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sparsetool_converters.model import Buffer, Model
from sparsetool_converters.passes.change import Change


@dataclass(frozen=True)
class Densify:
    """Replace each DENSIFY of a constant by the dense constant.

    Weights that a kernel reads sparse by itself stay as they are.
    """

    name: str = "densify"

    def __call__(self, model: Model) -> Sequence[Change]:
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
                output.buffer = Buffer(np.ascontiguousarray(source.array()).reshape(-1).view(np.uint8))
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
            needed = {*graph.consumers(), *interface}
            graph.tensors = [t for t in graph.tensors if t not in gone or t in needed]
        return changes
