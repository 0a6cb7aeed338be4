"""Whether a model remembers what it was given before."""

from sparsetool_converters.model.objects import Model

_OF_VARIABLES = ("VAR_HANDLE", "ASSIGN_VARIABLE", "READ_VARIABLE", "CALL_ONCE")


def is_stateful(model: Model) -> bool:
    """Whether the model keeps state from one inference to the next: variable tensors, or resources."""
    if any(operator.name in _OF_VARIABLES for _, operator in model.operators()):
        return True
    return any(bool(tensor.fields.isVariable) for graph in model.subgraphs for tensor in graph.tensors)
