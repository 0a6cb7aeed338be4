"""LSTMs of one layer, whose weight is that from the input to the cell gate."""

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from sparsetool_converters.targets.cases.parts import Parts

STEPS = 3
TANH = schema.ActivationFunctionType.TANH
NONE = -1  # an optional input that is left out
WEIGHT_GATE = 2  # of input, forget, cell and output gate


def sequence(p: Parts) -> None:
    """UNIDIRECTIONAL_SEQUENCE_LSTM over a few steps."""
    cells, inputs = p.weight.shape
    x, y = p.graph.tensor("x", (1, STEPS, inputs)), p.graph.tensor("y", (1, STEPS, cells))
    options = schema.UnidirectionalSequenceLSTMOptionsT(fusedActivationFunction=TANH)
    p.add("UNIDIRECTIONAL_SEQUENCE_LSTM", [x, *_weights(p)], x, y, options)


def step(p: Parts) -> None:
    """LSTM, one step."""
    cells, inputs = p.weight.shape
    x, y = p.graph.tensor("x", (1, inputs)), p.graph.tensor("y", (1, cells))
    options = schema.LSTMOptionsT(fusedActivationFunction=TANH, kernelType=schema.LSTMKernelType.FULL)
    p.add("LSTM", [x, *_weights(p)], x, y, options)


def _weights(p: Parts) -> list[int]:
    """Inputs 1 to 19: weights, no peepholes, biases, no projection, and the two states."""
    cells, inputs = p.weight.shape
    rng = np.random.default_rng(9)

    def other(name: str, columns: int) -> int:
        values = rng.integers(-40, 40, (cells, columns))
        if p.hybrid:
            return p.graph.constant(name, values.astype(np.int8), scale=1 / 128)
        return p.graph.constant(name, (values / 128).astype(np.float32))

    from_input = [p.w if gate == WEIGHT_GATE else other(f"input{gate}", inputs) for gate in range(4)]
    recurrent = [other(f"recurrent{gate}", cells) for gate in range(4)]
    biases = [p.graph.constant(f"bias{gate}", np.full(cells, gate / 8, np.float32)) for gate in range(4)]
    states = [p.graph.tensor(name, (1, cells), variable=True) for name in ("output_state", "cell_state")]
    return [*from_input, *recurrent, NONE, NONE, NONE, *biases, NONE, NONE, *states]


LSTM_BUILDERS = {"UNIDIRECTIONAL_SEQUENCE_LSTM": sequence, "LSTM": step}
