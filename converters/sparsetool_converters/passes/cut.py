"""Cut a model after one of its operators, so that the runtime shows what it makes of the first part.

x -> CONV_2D -> a -> RELU -> b -> CONV_2D -> y        cut after operator 1:        x -> CONV_2D -> a -> RELU -> b
"""

from collections.abc import Sequence
from dataclasses import replace

from sparsetool_converters.model import Model, Operator, Subgraph, Tensor

ASSIGN_VARIABLE = "ASSIGN_VARIABLE"


def cut(model: Model, *, after: int, outputs: Sequence[Tensor], keep_state: bool = False) -> Model:
    """A model that ends after an operator of the main subgraph; the one given stays as it is, payloads are shared.

    Other subgraphs stay, for operators and initializers that call them. Signatures go, since they name outputs that are
    gone, and so does metadata, which may place tensors by their indices.

    Args:
        model: the model to cut.
        after: index of the last operator to stay, in the main subgraph.
        outputs: what the cut model answers: tensors that its operators make.
        keep_state: whether operators behind the cut stay as far as they make what ASSIGN_VARIABLE stores, without which
            the next sample would not find the state that it finds in the whole model.
    """
    main = model.subgraphs[0]
    operators = main.operators[: after + 1]
    if keep_state:
        operators += _writers_of_state(main.operators[after + 1 :])
    graph = Subgraph(main.fields, main.tensors, list(main.inputs), list(outputs), operators)
    referenced = graph.referenced()
    graph.tensors = [tensor for tensor in main.tensors if tensor in referenced]
    return replace(
        model, subgraphs=[graph, *model.subgraphs[1:]], signatures=None, metadata=None, metadata_buffers=None
    )


def _writers_of_state(operators: Sequence[Operator]) -> list[Operator]:
    """The operators that store something in a variable, and those that make it."""
    needed: set[Tensor | None] = set()
    kept = []
    for operator in reversed(operators):
        if operator.name == ASSIGN_VARIABLE or not needed.isdisjoint(operator.outputs):
            kept.append(operator)
            needed.update(tensor for tensor in operator.inputs if tensor is not None)
    return kept[::-1]
