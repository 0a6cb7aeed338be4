"""Carry out a plan: store weights block-sparse, in the form that the target reads."""

from collections.abc import Sequence
from dataclasses import dataclass

from ai_edge_litert import schema_py_generated as schema

from sparsetool_converters.model import Model, Operator, Tensor
from sparsetool_converters.model.sparsity_fields import write_sparsity
from sparsetool_converters.passes.asymmetric_inputs import quantize_inputs_asymmetrically
from sparsetool_converters.passes.change import Change
from sparsetool_converters.passes.decode_operators import empty_buffer, insert_decodes
from sparsetool_converters.plan import Encode, Plan
from sparsetool_converters.sparsity import BlockFormat, encode
from sparsetool_converters.targets import Route
from sparsetool_converters.weights import WeightSite, weight_sites

DENSIFY = schema.BuiltinOperator.DENSIFY
DENSIFY_VERSION = 1


@dataclass(frozen=True)
class EncodeSparse:
    """Encode what the plan says; the plan must have been made from the same model.

    Behind DENSIFY the dense tensor keeps its name and place as the operator's output, and the stored tensor gets
    the name with `/sparse` behind it. Operator versions stand in the operator code, so an operator that needs
    another one moves to an entry of its own and dense operators keep theirs. What TFLM_DECODE is to unpack is stored
    by `insert_decodes`.
    """

    plan: Plan
    name: str = "encode"

    def __call__(self, model: Model) -> Sequence[Change]:
        sites: dict[Tensor, list[WeightSite]] = {}
        for site in weight_sites(model):
            sites.setdefault(site.tensor, []).append(site)
        chosen = [(model.subgraphs[d.subgraph].tensors[d.tensor], d) for d in self.plan.encoded()]
        insert_decodes(model, [tensor for tensor, d in chosen if d.rule.route is Route.DECODE])
        for tensor, decision in chosen:
            if decision.block_format is not None:
                _encode(model, sites[tensor], decision, decision.block_format)
        return [
            Change(tensor=d.name, what=d.reason, bytes_before=d.dense_bytes, bytes_after=d.encoded_bytes)
            for _, d in chosen
        ]


def _encode(model: Model, sites: Sequence[WeightSite], decision: Encode, block_format: BlockFormat) -> None:
    stored = sites[0].tensor
    encoded = encode(stored.array(), block_format)
    if decision.rule.route is Route.DENSIFY:
        stored = _insert_densify(model, sites[0])
    write_sparsity(stored, encoded)
    for site in sites:
        if decision.rule.version is not None:
            code = site.operator.code
            site.operator.code = model.operator_code(code.builtin, decision.rule.version)
        if decision.rule.asymmetric_quantize_inputs:
            quantize_inputs_asymmetrically(site.operator)


def _insert_densify(model: Model, site: WeightSite) -> Tensor:
    """Put DENSIFY between the constant and its first reader; returns the tensor that is to hold the encoding."""
    dense = site.tensor
    fields = schema.TensorT()
    vars(fields).update(vars(dense.fields))
    fields.name = f"{dense.name}/sparse"
    # Quantization stands on both: kernels read the output's, decoders the stored tensor's.
    stored = Tensor(fields, dense.buffer)
    dense.buffer = empty_buffer(model)
    site.subgraph.tensors.append(stored)
    operator = Operator(
        schema.OperatorT(
            builtinOptionsType=schema.BuiltinOptions.DensifyOptions, builtinOptions=schema.DensifyOptionsT()
        ),
        model.operator_code(DENSIFY, DENSIFY_VERSION),
        [stored],
        [dense],
    )
    site.subgraph.operators.insert(site.subgraph.operators.index(site.reader), operator)
    return stored
