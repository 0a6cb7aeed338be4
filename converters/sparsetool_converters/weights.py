"""Which constants of a model are weights, and which operators use them how."""

from dataclasses import dataclass

from sparsetool_converters.model import Model, Operator, Subgraph, Tensor

# Input to gates, recurrent to gates, projection; the vectors beside them are too short to be worth anything.
_LSTM_WEIGHTS = (1, 2, 3, 4, 5, 6, 7, 8, 16)

# Operator -> (inputs that hold weights, tensor whose type is the activation's: an input's position or "output").
# Input order from the operators' Prepare in tflite/kernels/*.cc @ f674577.
_WEIGHT_INPUTS: dict[str, tuple[tuple[int, ...], int | str]] = {
    "FULLY_CONNECTED": ((1,), 0),
    "CONV_2D": ((1,), 0),
    "DEPTHWISE_CONV_2D": ((1,), 0),
    "TRANSPOSE_CONV": ((1,), 2),
    "CONV_3D": ((1,), 0),
    "BATCH_MATMUL": ((1,), 0),
    "GATHER": ((0,), "output"),
    "EMBEDDING_LOOKUP": ((1,), "output"),
    "LSTM": (_LSTM_WEIGHTS, 0),
    "UNIDIRECTIONAL_SEQUENCE_LSTM": (_LSTM_WEIGHTS, 0),
}


@dataclass(frozen=True, kw_only=True)
class WeightUse:
    """How an operator uses a constant.

    Attributes:
        op: the schema's name of the operator.
        weight: element type of the constant, as the schema names it.
        activation: element type of the operator's activation input.
        dequantized: whether a DEQUANTIZE stands between the constant and the operator.
    """

    op: str
    weight: str
    activation: str
    dequantized: bool = False

    def __str__(self) -> str:
        through = " through DEQUANTIZE" if self.dequantized else ""
        return f"{self.op} with {self.weight} weights{through} and {self.activation} activations"


@dataclass(frozen=True, eq=False)
class WeightSite:
    """A constant, and the one operator input where it acts as a weight.

    Attributes:
        subgraph: where it stands.
        tensor: the constant as stored.
        operator: the operator whose weight it is.
        use: the types involved, as the targets' tables name them.
        reader: the operator that reads `tensor` itself: `operator`, or the DEQUANTIZE or DENSIFY before it.
        path: `tensor`, then what is made of it on its way, up to the tensor that `operator` reads.
    """

    subgraph: Subgraph
    tensor: Tensor
    operator: Operator
    use: WeightUse
    reader: Operator
    path: tuple[Tensor, ...]


def weight_sites(model: Model) -> list[WeightSite]:
    """All places where a constant is a weight, in the order of execution.

    A constant that is a weight of several operators appears once for each.
    """
    return [site for graph in model.subgraphs for site in _sites_of(graph)]


def _sites_of(graph: Subgraph) -> list[WeightSite]:
    producers = graph.producers()
    sites = []
    for operator in graph.operators:
        for position in _WEIGHT_INPUTS.get(operator.name, ((), 0))[0]:
            weight = _at(operator.inputs, position)
            if weight is None:
                continue
            path, reader = _trace(weight, operator, producers)
            tensor = path[0]
            if not tensor.is_constant or tensor in producers:
                continue
            dequantized = any(producers[made].name == "DEQUANTIZE" for made in path[1:])
            use = use_of(tensor, operator, position, dequantized=dequantized)
            if use is not None:
                sites.append(WeightSite(graph, tensor, operator, use, reader, path))
    return sites


def use_of(tensor: Tensor, operator: Operator, position: int, *, dequantized: bool) -> WeightUse | None:
    """How an operator uses a constant that comes in at this input; None if no weight belongs there.

    Args:
        tensor: the constant as stored.
        operator: who reads it, or what is made of it.
        position: as which input.
        dequantized: whether a DEQUANTIZE stands between them.
    """
    positions, activation_at = _WEIGHT_INPUTS.get(operator.name, ((), 0))
    if position not in positions:
        return None
    activation = _at(operator.outputs, 0) if isinstance(activation_at, str) else _at(operator.inputs, activation_at)
    if activation is None:
        return None
    return WeightUse(
        op=operator.name, weight=tensor.type_name, activation=activation.type_name, dequantized=dequantized
    )


def _at(tensors: list[Tensor | None], position: int) -> Tensor | None:
    return tensors[position] if position < len(tensors) else None


def _trace(tensor: Tensor, reader: Operator, producers: dict[Tensor, Operator]) -> tuple[tuple[Tensor, ...], Operator]:
    """Back through DEQUANTIZE and DENSIFY to what is stored: the tensors on the way, that one first, and its reader."""
    path = [tensor]
    while (producer := producers.get(path[0])) is not None and producer.name in ("DEQUANTIZE", "DENSIFY"):
        source = _at(producer.inputs, 0)
        if source is None or source in path:
            break
        path.insert(0, source)
        reader = producer
    return tuple(path), reader
