"""Networks of any number of operators, whose signal neither dies nor grows, and faults to plant in them."""

from dataclasses import replace

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from models_in_memory import Graph, new_model, packed

from sparsetool.verify import Tolerance
from sparsetool_converters.sparsity import BlockFormat, DimensionFormat

EXACT = Tolerance(max_relative_error=1e-4, max_lsb=1)
OPS = schema.BuiltinOperator
WIDTH = 16
LEVELS = (DimensionFormat.DENSE, DimensionFormat.SPARSE_CSR, DimensionFormat.DENSE)
BLOCKS_OF_FOUR_COLUMNS = BlockFormat(traversal_order=(0, 1, 2), formats=LEVELS, block_map=(1,), block_shape=(4,))
# Right for the reference kernels. The optimized ones take any third level of size 4 for blocks of 1x4, and read a row
# of blocks for each row of the weight, four times as many as there are.
BLOCKS_OF_FOUR_ROWS = BlockFormat(traversal_order=(0, 1, 2), formats=LEVELS, block_map=(0,), block_shape=(4,))


class Layers:
    """Operators one after the other, float32 [1, 16] between them, whose signal neither dies nor explodes."""

    def __init__(self, seed=0):
        self.rng = np.random.default_rng(seed)
        self.model = new_model()
        self.graph = Graph(self.model)
        self.x = self.graph.tensor("x", (1, WIDTH))

    @property
    def count(self):
        return len(self.graph.subgraph.operators)

    def made(self, *shape):
        return self.graph.tensor(f"t{self.count}", shape or (1, WIDTH))

    def weight(self):
        return np.linalg.qr(self.rng.standard_normal((WIDTH, WIDTH)))[0].astype(np.float32)

    def constant(self, kind, array):
        return self.graph.constant(f"{kind}{self.count}", array.astype(np.float32))

    def dense(self, x):
        y, bias = self.made(), self.constant("b", self.rng.uniform(-0.1, 0.1, WIDTH))
        self.graph.fully_connected(x, self.constant("w", self.weight()), bias, y)
        return y

    def conv(self, x):
        y, bias = self.made(1, 1, 1, WIDTH), self.constant("b", self.rng.uniform(-0.1, 0.1, WIDTH))
        weight = self.constant("w", self.weight().reshape(WIDTH, 1, 1, WIDTH))
        self.graph.op(OPS.CONV_2D, [x, weight, bias], [y], schema.Conv2DOptionsT(strideH=1, strideW=1))
        return y

    def reshape(self, x, *shape):
        y = self.made(*shape)
        numbers = self.graph.constant(f"shape{self.count}", np.array(shape, np.int32))
        self.graph.op(OPS.RESHAPE, [x, numbers], [y], schema.ReshapeOptionsT(newShape=list(shape)))
        return y

    def relu(self, x):
        y = self.made()
        self.graph.op(OPS.RELU, [x], [y])
        return y

    def add(self, a, b):
        y = self.made()
        self.graph.op(OPS.ADD, [a, b], [y], schema.AddOptionsT())
        return y

    def shrink(self, x):
        y = self.made()
        self.graph.op(OPS.MUL, [x, self.constant("c", np.full(1, 0.65))], [y], schema.MulOptionsT())
        return y

    def loop(self, x, *, endless):
        """WHILE that halves as long as the largest number is 9 or more, or is itself or more."""
        y, options = self.made(), schema.WhileOptionsT(condSubgraphIndex=1, bodySubgraphIndex=2)
        self.graph.op(OPS.WHILE, [x], [y], options)
        test, body = Graph(self.model), Graph(self.model)
        tested, largest, out = test.tensor("x", (1, WIDTH)), test.tensor("largest", ()), test.tensor("out", (), "bool")
        axes = test.constant("axes", np.array([0, 1], np.int32))
        test.op(OPS.REDUCE_MAX, [tested, axes], [largest], schema.ReducerOptionsT(keepDims=False))
        nine = test.constant("nine", np.array(9, np.float32))
        other = largest if endless else nine
        test.op(OPS.GREATER_EQUAL, [largest, other], [out], schema.GreaterEqualOptionsT())
        test.ends([tested], [out])
        before, after = body.tensor("x", (1, WIDTH)), body.tensor("half", (1, WIDTH))
        half = body.constant("by", np.array([0.5], np.float32))
        body.op(OPS.MUL, [before, half], [after], schema.MulOptionsT())
        body.ends([before], [after])
        return y

    def finished(self, *outputs):
        self.graph.ends([self.x], outputs)
        return packed(self.model)


def chain(operators):
    """FULLY_CONNECTED, RELU, ADD of both, MUL, RESHAPE, CONV_2D, RESHAPE, and again."""
    net = Layers()
    steps = (
        lambda: net.dense(state[-1]),
        lambda: net.relu(state[-1]),
        lambda: net.add(state[-1], state[-2]),
        lambda: net.shrink(state[-1]),
        lambda: net.reshape(state[-1], 1, 1, 1, WIDTH),
        lambda: net.conv(state[-1]),
        lambda: net.reshape(state[-1], 1, WIDTH),
    )
    state = [net.x]
    while net.count < operators:
        state.append(steps[net.count % len(steps)]())
    return net.finished(state[-1])


def two_branches(operators):
    """Two chains that take turns, and an ADD of both at the end."""
    net = Layers()
    ends = [net.x, net.x]
    while net.count < operators - 1:
        ends[net.count % 2] = net.dense(ends[net.count % 2])
    return net.finished(net.add(*ends))


def operators_of(model, *names):
    return [i for i, o in enumerate(model.subgraphs[0].operators) if o.name in names]


def near(places, share):
    return places[min(len(places) - 1, int(share * len(places)))]


def rewrite(tensor, change):
    array = tensor.array().copy()
    change(array.reshape(-1))
    tensor.buffer = replace(tensor.buffer, data=array.reshape(-1).view(np.uint8))


def plant(model, kind, share):
    """Damage an operator near that share of the model, and return its index."""
    operators = model.subgraphs[0].operators
    dense = operators_of(model, "FULLY_CONNECTED")
    places = {
        "weight": operators_of(model, "FULLY_CONNECTED", "CONV_2D"),
        "bias": operators_of(model, "FULLY_CONNECTED", "CONV_2D"),
        "activation": operators_of(model, "ADD"),
        "swap": dense[:-1],
    }[kind]
    index = near(places, share)
    operator = operators[index]
    if kind == "weight":
        rewrite(operator.inputs[1], lambda values: values.__setitem__(7, values[7] + 0.5))
    elif kind == "bias":
        rewrite(operator.inputs[2], lambda values: values.__setitem__(3, values[3] - 0.5))
    elif kind == "activation":
        operator.fields.builtinOptions.fusedActivationFunction = schema.ActivationFunctionType.RELU
    else:
        other = operators[dense[dense.index(index) + 1]]
        operator.inputs[1], other.inputs[1] = other.inputs[1], operator.inputs[1]
    return index
