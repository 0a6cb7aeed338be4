"""Cases of the rules of LiteRT's table: each use, route and block that it allows."""

from collections.abc import Iterator
from functools import partial

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from sparsetool_converters.sparsity import BlockFormat, block_csr, csr
from sparsetool_converters.targets.cases.case import Case
from sparsetool_converters.targets.cases.operators import WEIGHT_SHAPES, one_op, weight_for
from sparsetool_converters.targets.cases.shared import (
    gather_and_fully_connected,
    two_fully_connected,
    two_native_fully_connected,
)
from sparsetool_converters.targets.cases.storing import stored_sparse
from sparsetool_converters.targets.litert import LITERT
from sparsetool_converters.targets.litert_limits import MAX_BLOCKS_PER_ROW, MAX_COLUMNS
from sparsetool_converters.targets.outcomes import RIGHT
from sparsetool_converters.targets.rules import Route, Rule, block_name
from sparsetool_converters.weights import WeightUse

DTYPES = {"FLOAT32": "float32", "FLOAT16": "float16", "INT8": "int8", "INT16": "int16"}


def right_cases() -> Iterator[Case]:
    """A case for each block of each rule, then those at the limits."""
    for rule in LITERT.rules:
        for block in rule.blocks or ((1, 1),):
            yield _of_rule(rule, block)
            if rule.route is Route.NATIVE and rule.use.weight == "INT8":
                yield _of_rule(rule, block, per_channel=False)
    for name, rule in (("float32", LITERT.rules[0]), ("hybrid", LITERT.rules[1]), ("int8", LITERT.rules[2])):
        build = partial(build_twins, rule.use, block_csr(rule.blocks[-1]), rule=rule, zeros=1.0)
        yield Case(name=f"{name} FULLY_CONNECTED, all weights zero, native", expected=RIGHT, build=build)
    yield Case(
        name=f"hybrid FULLY_CONNECTED, {MAX_COLUMNS} inputs and {MAX_BLOCKS_PER_ROW} blocks in a row",
        expected=RIGHT,
        build=partial(hybrid_twins, MAX_COLUMNS, MAX_BLOCKS_PER_ROW),
    )
    for fused in ("RELU", "RELU_N1_TO_1", "RELU6"):
        use = WeightUse(op="CONV_2D", weight="FLOAT16", activation="FLOAT32", dequantized=True)
        build = partial(build_twins, use, csr(4), densify=True, fused=fused)
        yield Case(name=f"{use}, fused {fused}, behind DENSIFY", expected=RIGHT, build=build)
    for axis in range(4):
        order = (*(d for d in range(4) if d != axis), axis)
        layout = BlockFormat(traversal_order=order, formats=csr(4).formats)
        use = WeightUse(op="CONV_2D", weight="FLOAT32", activation="FLOAT32")
        yield Case(
            name=f"{use}, csr on axis {axis}, behind DENSIFY",
            expected=RIGHT,
            build=partial(build_twins, use, layout, densify=True),
        )
    for dtype in ("float32", "int8"):
        yield Case(
            name=f"{dtype} table of a GATHER and a FULLY_CONNECTED, behind one DENSIFY",
            expected=RIGHT,
            build=partial(gather_and_fully_connected, dtype),
        )
    for dtype in ("float32", "float16", "int8"):
        yield Case(
            name=f"{dtype} weight of two FULLY_CONNECTED, behind one DENSIFY",
            expected=RIGHT,
            build=partial(two_fully_connected, dtype),
        )
    for dtype, activation in (("float32", "float32"), ("int8", "float32"), ("int8", "int8")):
        yield Case(
            name=f"{dtype} weight of two FULLY_CONNECTED with {activation} activations, native",
            expected=RIGHT,
            build=partial(two_native_fully_connected, dtype, activation),
        )


def _of_rule(rule: Rule, block: tuple[int, int], *, per_channel: bool = True) -> Case:
    rank = len(WEIGHT_SHAPES[rule.use.op])
    densify = rule.route is Route.DENSIFY
    layout = csr(rank) if densify else block_csr(block)
    how = "behind DENSIFY" if densify else f"{block_name(block)}, native"
    scales = "" if per_channel else ", one scale"
    return Case(
        name=f"{rule.use}{scales}, {how}",
        expected=RIGHT,
        build=partial(build_twins, rule.use, layout, densify=densify, rule=rule, per_channel=per_channel),
    )


def build_twins(
    use: WeightUse,
    layout: BlockFormat,
    *,
    densify: bool = False,
    rule: Rule | None = None,
    version: int | None = None,
    fused: str = "NONE",
    zeros: float = 0.85,
    per_channel: bool = True,
    asymmetric: bool = True,
    shape: tuple[int, ...] | None = None,
) -> tuple[bytes, bytes]:
    """The dense twin, with the operator's usual version, and the model with its weight in this layout.

    Args:
        use: operator and types.
        layout: how the weight is laid out.
        densify: whether DENSIFY stands before the operator, or before its DEQUANTIZE.
        rule: gives the version, where the rule asks for one.
        version: of the sparse model's operator; None for that of the dense twin, or of the rule.
        fused: the activation, as the schema names it.
        zeros: share of zero blocks of 1x16.
        per_channel: whether int8 weights have a scale for each channel.
        asymmetric: whether a hybrid FULLY_CONNECTED quantizes its inputs asymmetrically.
        shape: of the weight, by default the operator's usual one.
    """
    shape = shape or WEIGHT_SHAPES[use.op]
    block = 16 if use.op == "FULLY_CONNECTED" else 1
    weight = weight_for(use.op, DTYPES[use.weight], shape=shape, zeros=zeros, block=block)
    dense = one_op(
        use.op,
        weight,
        DTYPES[use.activation],
        dequantized=use.dequantized,
        per_channel=per_channel,
        fused=getattr(schema.ActivationFunctionType, fused),
        asymmetric=asymmetric,
    )
    if version is None and rule is not None:
        version = rule.version
    return dense, stored_sparse(dense, layout, densify=densify, version=version)


def hybrid_twins(columns: int, blocks_per_row: int) -> tuple[bytes, bytes]:
    """A native hybrid FULLY_CONNECTED with so many inputs, whose first rows have so many blocks, the last ones."""
    weight = np.zeros((40, columns), np.int8)
    weight[:, -16 * blocks_per_row :] = weight_for(
        "FULLY_CONNECTED", "int8", shape=(40, 16 * blocks_per_row), zeros=0.0
    )
    dense = one_op("FULLY_CONNECTED", weight)
    return dense, stored_sparse(dense, block_csr((1, 16)), densify=False, version=LITERT.rules[1].version)
