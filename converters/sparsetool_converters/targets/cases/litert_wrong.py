"""Cases of the hazards of LiteRT's table: each way of storing a weight that it warns of."""

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from sparsetool_converters.model import Buffer, Model, Tensor
from sparsetool_converters.sparsity import BlockFormat, DimensionFormat, block_csr, csr
from sparsetool_converters.targets.cases.case import Case
from sparsetool_converters.targets.cases.litert_right import build_twins, hybrid_twins
from sparsetool_converters.targets.cases.operators import WEIGHT_SHAPES, one_op, weight_for
from sparsetool_converters.targets.cases.shared import gather_and_fully_connected
from sparsetool_converters.targets.cases.storing import WEIGHT, behind_densify, stored_for_decode, stored_sparse
from sparsetool_converters.targets.litert_hazards import HAZARDS
from sparsetool_converters.targets.litert_limits import MAX_BLOCKS_PER_ROW, MAX_COLUMNS, SPARSE_VERSION
from sparsetool_converters.targets.outcomes import Outcomes
from sparsetool_converters.weights import WeightUse

_DENSE, _CSR = DimensionFormat.DENSE, DimensionFormat.SPARSE_CSR
FC = "FULLY_CONNECTED"
FLOAT, HYBRID, INT8 = (
    WeightUse(op=FC, weight=weight, activation=activation)
    for weight, activation in (("FLOAT32", "FLOAT32"), ("INT8", "FLOAT32"), ("INT8", "INT8"))
)
INT16 = WeightUse(op=FC, weight="INT8", activation="INT16")
SQUARE = (64, 64)  # a kernel that takes columns for rows finds as many as it expects

_OUTCOMES: dict[str, Outcomes] = {h.name: h.outcomes for h in HAZARDS if h.outcomes is not None}


def _transposed(block: tuple[int, int]) -> BlockFormat:
    plain = block_csr(block)
    order = (1, 0, *plain.traversal_order[2:])
    return BlockFormat(
        traversal_order=order, formats=plain.formats, block_map=plain.block_map, block_shape=plain.block_shape
    )


LAYOUTS: dict[str, BlockFormat] = {
    **{
        f"block {r}x{c}": block_csr((r, c))
        for r, c in ((1, 2), (1, 4), (1, 8), (1, 16), (2, 4), (4, 1), (4, 4), (16, 1))
    },
    "csr": csr(2),
    "transposed csr": _transposed((1, 1)),
    "transposed block 1x4": _transposed((1, 4)),
    "transposed block 4x1": _transposed((4, 1)),
    "transposed block 1x16": _transposed((1, 16)),
    "transposed block 16x1": _transposed((16, 1)),
    "rows compressed": BlockFormat(traversal_order=(0, 1), formats=(_CSR, _DENSE)),
    "rows and columns compressed": BlockFormat(traversal_order=(0, 1), formats=(_CSR, _CSR)),
    "nothing compressed": BlockFormat(traversal_order=(0, 1), formats=(_DENSE, _DENSE)),
}


def wrong_cases() -> Iterator[Case]:
    """All cases, row by row of the table."""
    yield from _sparse_fully_connected()
    yield from _limits_and_options()
    yield from _sparse_elsewhere()
    yield from _densify()
    yield from _dequantized()


def _case(row: str, name: str, build: Callable[[], tuple[bytes, bytes]]) -> Case:
    return Case(name=name, row=row, expected=_OUTCOMES[row], build=build)


def _sparse_fully_connected() -> Iterator[Case]:
    for use, block, versions in (
        (FLOAT, (1, 4), (1, 3, 5, 7, 9, 12)),
        (HYBRID, (1, 16), (3, 9, 12)),
        (INT8, (1, 16), (4,)),
    ):
        for version in versions:
            build = partial(build_twins, use, block_csr(block), version=version)
            yield _case("sparse-version", f"{use}, block 1x{block[1]}, version {version}", build)
    misread = {
        "float-block-misread": (FLOAT, ("transposed csr", "block 4x1", "transposed block 1x4", "transposed block 4x1")),
        "int8-block-misread": (INT8, ("block 16x1", "transposed block 1x16", "transposed block 16x1")),
    }
    for row, (use, layouts) in misread.items():
        for layout in layouts:
            build = partial(build_twins, use, LAYOUTS[layout], version=SPARSE_VERSION, shape=SQUARE)
            yield _case(row, f"{use}, {layout}", build)
    understood = {
        "float-block": (FLOAT, ("csr", "block 1x4", *misread["float-block-misread"][1])),
        "hybrid-block": (HYBRID, ("block 1x16",)),
        "int8-block": (INT8, ("block 1x16", *misread["int8-block-misread"][1])),
    }
    for row, (use, known) in understood.items():
        for layout, block_format in LAYOUTS.items():
            if layout not in known:
                yield _case(row, f"{use}, {layout}", partial(build_twins, use, block_format, version=SPARSE_VERSION))
    for layout in ("csr", "block 1x4", "block 1x16"):
        build = partial(build_twins, INT16, LAYOUTS[layout], version=SPARSE_VERSION)
        yield _case("int16-activations", f"{INT16}, {layout}", build)
    yield _case("int4-direct", "FULLY_CONNECTED with INT4 weights, block 1x16", partial(int4_twins, densify=False))


def _decoded_twins(use: WeightUse) -> tuple[bytes, bytes]:
    dense, _ = build_twins(use, csr(2))
    return dense, stored_for_decode(dense)


def _limits_and_options() -> Iterator[Case]:
    for use in (FLOAT, INT8):
        yield _case("micro-decode", f"{use}, TFLM_DECODE", partial(_decoded_twins, use))
    columns = MAX_COLUMNS + 16
    yield _case("hybrid-columns", f"{HYBRID}, {columns} inputs", partial(hybrid_twins, columns, 3))
    blocks = MAX_BLOCKS_PER_ROW + 1
    yield _case(
        "hybrid-blocks-per-row", f"{HYBRID}, {blocks} blocks in a row", partial(hybrid_twins, MAX_COLUMNS, blocks)
    )
    for densify in (False, True):
        build = partial(
            build_twins, HYBRID, block_csr((1, 16)), densify=densify, version=SPARSE_VERSION, asymmetric=False
        )
        how = "behind DENSIFY" if densify else "block 1x16"
        yield _case("hybrid-symmetric-inputs", f"{HYBRID}, symmetric inputs, {how}", build)
    build = partial(build_twins, FLOAT, csr(2), densify=True, version=SPARSE_VERSION)
    yield _case("leaves-xnnpack-densify", f"{FLOAT}, behind DENSIFY, version {SPARSE_VERSION}", build)
    for use in (FLOAT, INT8):
        yield _case("leaves-xnnpack-dense", f"{use}, dense, version {SPARSE_VERSION}", partial(_dense_twins, use))


def _sparse_elsewhere() -> Iterator[Case]:
    for op, shape in WEIGHT_SHAPES.items():
        layout = csr(len(shape))
        lstm = op.endswith("LSTM")
        types = [("FLOAT32", "FLOAT32"), ("INT8", "FLOAT32"), ("INT8", "INT8")]
        if op in ("EMBEDDING_LOOKUP", "UNIDIRECTIONAL_SEQUENCE_LSTM", "LSTM"):
            types.remove(("INT8", "INT8"))
        if op == "GATHER":
            types.remove(("INT8", "FLOAT32"))
        for weight, activation in types if op != FC else ():
            use = WeightUse(op=op, weight=weight, activation=activation)
            row = "sparse-ignored" if not lstm else f"{'hybrid' if weight == 'INT8' else 'float'}-lstm-sparse"
            yield _case(row, f"{use}, csr", partial(build_twins, use, layout))
        for weight in ("FLOAT16", "INT8"):
            use = WeightUse(op=op, weight=weight, activation="FLOAT32", dequantized=True)
            yield _case("sparse-dequantize", f"{use}, csr", partial(build_twins, use, layout))
    yield _case("hybrid-lstm-sparse", "LSTM with INT8 weights, output gate in blocks of 1x16", _sparse_output_gate)
    yield _case(
        "sparse-output", "a sparse constant that is an output", partial(_output_twins, "FLOAT32", densify=False)
    )


def _densify() -> Iterator[Case]:
    for use in (HYBRID, INT8):
        name = f"{use}, behind DENSIFY, another version than {SPARSE_VERSION}"
        yield _case("int8-densify-version", name, partial(build_twins, use, csr(2), densify=True))
    for op, row in (
        ("CONV_2D", "hybrid-densify"),
        ("TRANSPOSE_CONV", "hybrid-densify"),
        ("BATCH_MATMUL", "hybrid-densify-matmul"),
    ):
        use = WeightUse(op=op, weight="INT8", activation="FLOAT32")
        build = partial(build_twins, use, csr(len(WEIGHT_SHAPES[op])), densify=True)
        yield _case(row, f"{use}, behind DENSIFY", build)
    yield _case("densify-type", "FULLY_CONNECTED with INT4 weights, behind DENSIFY", partial(int4_twins, densify=True))
    yield _case("densify-of-dense", "DENSIFY of a dense constant", _densify_of_dense)
    for weight in ("FLOAT32", "FLOAT16", "INT8"):
        build = partial(_output_twins, weight, densify=True)
        yield _case("densify-output", f"a {weight} constant behind DENSIFY that is an output", build)


def _dequantized() -> Iterator[Case]:
    for weight in ("FLOAT16", "INT8"):
        for op in ("GATHER", "EMBEDDING_LOOKUP", "UNIDIRECTIONAL_SEQUENCE_LSTM", "LSTM"):
            use = WeightUse(op=op, weight=weight, activation="FLOAT32", dequantized=True)
            yield _case(
                "dequantized-builtin", f"{use}, behind DENSIFY", partial(build_twins, use, csr(2), densify=True)
            )
        for op in ("CONV_2D", "DEPTHWISE_CONV_2D"):
            use = WeightUse(op=op, weight=weight, activation="FLOAT32", dequantized=True)
            build = partial(build_twins, use, csr(4), densify=True, fused="TANH")
            yield _case("dequantized-activation", f"{use}, fused TANH, behind DENSIFY", build)
        use = WeightUse(op=FC, weight=weight, activation="FLOAT32", dequantized=True)
        build = partial(build_twins, use, csr(2), densify=True, version=SPARSE_VERSION)
        yield _case("dequantized-version", f"{use}, behind DENSIFY, version {SPARSE_VERSION}", build)
    name = "float16 table of a GATHER and a FULLY_CONNECTED, behind one DENSIFY"
    yield _case("dequantized-builtin", name, partial(gather_and_fully_connected, "float16"))


def _dense_twins(use: WeightUse) -> tuple[bytes, bytes]:
    weight = weight_for(FC, use.weight.lower())
    return (
        one_op(FC, weight, use.activation.lower()),
        one_op(FC, weight, use.activation.lower(), version=SPARSE_VERSION),
    )


def int4_twins(*, densify: bool) -> tuple[bytes, bytes]:
    """Weights that int8 can hold as well, which is how the dense twin has them."""
    weight = np.clip(weight_for(FC, "int8", block=16), -7, 7)
    dense = one_op(FC, weight)
    model = Model.from_bytes(
        stored_sparse(dense, block_csr((1, 16)), densify=densify, version=None if densify else SPARSE_VERSION)
    )
    for tensor in model.subgraphs[0].tensors:
        if tensor.name.startswith(WEIGHT):
            tensor.fields.type = schema.TensorType.INT4
            if tensor.buffer.data is not None and tensor.buffer.nbytes:
                nibbles = tensor.buffer.data & np.uint8(15)  # (elements,), an even number of them
                tensor.buffer = Buffer(nibbles[0::2] | nibbles[1::2] << np.uint8(4))
    return dense, model.to_bytes()


def _sparse_output_gate() -> tuple[bytes, bytes]:
    dense = one_op("LSTM", weight_for("LSTM", "int8", block=16))
    return dense, stored_sparse(dense, block_csr((1, 16)), densify=False, names=("input3",))


def _densify_of_dense() -> tuple[bytes, bytes]:
    dense = one_op(FC, weight_for(FC, "float32"))
    model = Model.from_bytes(dense)
    behind_densify(model, _weight(model))
    return dense, model.to_bytes()


def _output_twins(weight: str, *, densify: bool) -> tuple[bytes, bytes]:
    model = Model.from_bytes(one_op(FC, weight_for(FC, weight.lower()), dequantized=weight != "FLOAT32"))
    graph = model.subgraphs[0]
    graph.outputs.append(_weight(model))
    dense = model.to_bytes()
    version = None if densify else SPARSE_VERSION
    return dense, stored_sparse(dense, csr(2), densify=densify, version=version)


def _weight(model: Model) -> Tensor:
    return next(tensor for tensor in model.subgraphs[0].tensors if tensor.name == WEIGHT)
