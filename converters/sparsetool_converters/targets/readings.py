"""Find out how the operators of any model come to their weights, in the words of the targets' tables."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from sparsetool_converters.errors import SparseToolError
from sparsetool_converters.model import Model, Operator, Subgraph, Tensor
from sparsetool_converters.model.decode_operator import DECODE, decoded_constants
from sparsetool_converters.sparsity import DimensionFormat, EncodedTensor
from sparsetool_converters.targets.rules import (
    BITMAP,
    DENSIFY_OP,
    MALFORMED,
    MODEL_OUTPUT,
    NOBODY,
    NOT_SPARSE,
    Route,
    StoredWeight,
    layout_name,
)
from sparsetool_converters.weights import WeightUse, use_of, weight_sites

ACTIVATION_NAMES: dict[int, str] = {
    value: name for name, value in vars(schema.ActivationFunctionType).items() if not name.startswith("_")
}


@dataclass(frozen=True, kw_only=True, eq=False)
class Reading:
    """One operator that comes to one constant.

    Attributes:
        stored: how.
        subgraph: index of the subgraph.
        operator: index of the operator there; None where the reader is the model's caller.
        op: the operator's name, or that of the reader.
        tensor: the constant as stored.
    """

    stored: StoredWeight
    subgraph: int
    operator: int | None
    op: str
    tensor: Tensor


@dataclass(frozen=True)
class _Layout:
    """What the metadata of one sparse tensor say."""

    name: str
    most_blocks_per_row: int = 0
    problem: str = ""


def readings(model: Model) -> list[Reading]:
    """All readers of sparse constants, and all weights that are stored dense, in no special order.

    A sparse constant that nobody reads does nothing, and has a reading only if its metadata are malformed.
    """
    found = [reading for g, graph in enumerate(model.subgraphs) for reading in _Graph(model, g, graph).readings()]
    return [*found, *_dense_weights(model)]


class _Graph:
    """One subgraph, and what is asked of it again and again."""

    def __init__(self, model: Model, index: int, graph: Subgraph) -> None:
        self.index, self.graph = index, graph
        self.readers, self.interface = graph.consumers(), model.interface()
        self.places = {id(operator): place for place, operator in enumerate(graph.operators)}

    def readings(self) -> Iterator[Reading]:
        for tensor in self.graph.tensors:
            if tensor.is_sparse:
                layout = _layout(tensor)
                yield from self._follow(tensor, tensor, layout, Route.NATIVE, dequantized=False)
                if layout.name == MALFORMED and tensor not in self.readers:
                    use = _other_use(NOBODY, tensor)
                    stored = StoredWeight(use=use, route=Route.NATIVE, layout=MALFORMED, problem=layout.problem)
                    yield self._reading(tensor, None, stored)
        for operator in self.graph.operators:
            source = operator.inputs[0] if operator.name == "DENSIFY" and operator.inputs else None
            if source is not None and not source.is_sparse:
                yield self._reading(
                    source,
                    operator,
                    StoredWeight(use=_other_use(DENSIFY_OP, source), route=Route.DENSIFY, layout=NOT_SPARSE),
                )
            if operator.name == DECODE:
                yield from self._decoded(operator)

    def _decoded(self, operator: Operator) -> Iterator[Reading]:
        """Whoever reads what a TFLM_DECODE makes, or the operator itself where it is damaged."""
        try:
            constants = decoded_constants(operator)
        except SparseToolError as problem:
            outputs = [tensor for tensor in operator.outputs if tensor is not None] or self.graph.tensors
            for tensor in outputs[:1]:
                use = _other_use(DECODE, tensor)
                stored = StoredWeight(use=use, route=Route.DECODE, layout=MALFORMED, problem=str(problem))
                yield self._reading(tensor, operator, stored)
            return
        for constant in constants:
            layout = _Layout(BITMAP)
            try:
                constant.array()
            except SparseToolError as problem:
                layout = _Layout(MALFORMED, problem=str(problem))
            yield from self._follow(constant.output, constant.output, layout, Route.DECODE, dequantized=False, depth=1)

    def _follow(
        self, stored: Tensor, made: Tensor, layout: _Layout, route: Route, *, dequantized: bool, depth: int = 0
    ) -> Iterator[Reading]:
        """Whoever reads `made`, which is the constant or what DENSIFY or DEQUANTIZE made of it."""
        if made in self.interface:
            use = _other_use(MODEL_OUTPUT, stored, dequantized=dequantized)
            handed_out = StoredWeight(use=use, route=route, layout=layout.name, problem=layout.problem)
            yield self._reading(stored, None, handed_out)
        for operator, position in self.readers.get(made, []):
            output = operator.outputs[0] if operator.outputs else None
            is_step = (depth == 0 and operator.name == "DENSIFY") or (not dequantized and operator.name == "DEQUANTIZE")
            if is_step and output is not None and position == 0:
                densified = operator.name == "DENSIFY"
                yield from self._follow(
                    stored,
                    output,
                    layout,
                    Route.DENSIFY if densified else route,
                    dequantized=dequantized or not densified,
                    depth=depth + 1,
                )
                continue
            known_use = use_of(stored, operator, position, dequantized=dequantized)
            use = known_use or _other_use(f"{operator.name} input {position}", stored, dequantized=dequantized)
            yield self._reading(
                stored,
                operator,
                StoredWeight(
                    use=use,
                    route=route,
                    layout=layout.name,
                    version=operator.code.version,
                    fused_activation=fused_activation(operator),
                    asymmetric_quantize_inputs=_is_asymmetric(operator),
                    columns=stored.shape[-1] if stored.shape else 0,
                    most_blocks_per_row=layout.most_blocks_per_row,
                    problem=layout.problem,
                ),
            )

    def _reading(self, tensor: Tensor, operator: Operator | None, stored: StoredWeight) -> Reading:
        return Reading(
            stored=stored,
            subgraph=self.index,
            operator=None if operator is None else self.places[id(operator)],
            op=stored.use.op if operator is None else operator.name,
            tensor=tensor,
        )


def _dense_weights(model: Model) -> Iterator[Reading]:
    for site in weight_sites(model):
        if site.tensor.is_sparse:
            continue
        yield Reading(
            stored=StoredWeight(
                use=site.use,
                route=Route.DENSE,
                layout=NOT_SPARSE,
                version=site.operator.code.version,
                fused_activation=fused_activation(site.operator),
                asymmetric_quantize_inputs=_is_asymmetric(site.operator),
                columns=site.tensor.shape[-1] if site.tensor.shape else 0,
            ),
            subgraph=next(g for g, graph in enumerate(model.subgraphs) if graph is site.subgraph),
            operator=next(i for i, operator in enumerate(site.subgraph.operators) if operator is site.operator),
            op=site.operator.name,
            tensor=site.tensor,
        )


def fused_activation(operator: Operator) -> str:
    """The schema's name of the activation that the operator has fused; "NONE" where it can have none."""
    value = getattr(operator.fields.builtinOptions, "fusedActivationFunction", schema.ActivationFunctionType.NONE)
    return ACTIVATION_NAMES.get(value, f"activation {value}")


def _is_asymmetric(operator: Operator) -> bool:
    return bool(getattr(operator.fields.builtinOptions, "asymmetricQuantizeInputs", False))


def _other_use(op: str, tensor: Tensor, *, dequantized: bool = False) -> WeightUse:
    return WeightUse(op=op, weight=tensor.type_name, activation=tensor.type_name, dequantized=dequantized)


def _layout(tensor: Tensor) -> _Layout:
    """The layout; MALFORMED unless the values can be decoded by it."""
    if tensor.element_dtype is None:  # no target runs these, whatever their layout is
        return _Layout(f"of {tensor.type_name}")
    try:
        encoded = tensor.checked_encoding()
    except SparseToolError as problem:
        return _Layout(MALFORMED, problem=str(problem))
    return _Layout(layout_name(encoded.block_format), _most_blocks_per_row(encoded))


def _most_blocks_per_row(encoded: EncodedTensor) -> int:
    """Most blocks under one row, where rows are dense and their columns compressed; else 0."""
    for level, above in zip(encoded.levels[1:2], encoded.levels[:1], strict=True):
        if above.format is DimensionFormat.DENSE and level.segments is not None:
            return int(np.diff(level.segments.astype(np.int64)).max(initial=0))
    return 0
