"""Prices of each way of storing a constant are what it really takes."""

import numpy as np
import pytest
from models_in_memory import mlp
from one_op_models import one_op, weight_for

from sparsetool_converters.costs import NATIVE_OVERHEAD_BYTES, Candidate, Choice, candidates, stored_choice
from sparsetool_converters.model import Model, Tensor
from sparsetool_converters.model.sparsity_fields import write_sparsity
from sparsetool_converters.sparsity import csr, encode
from sparsetool_converters.targets import LITERT, Route, Rule, WeightUse


def weight_of(data: bytes) -> Tensor:
    return next(t for t in Model.from_bytes(data).subgraphs[0].tensors if t.name in ("weight", "w0"))


def rule(route: Route, weight: str = "FLOAT32", activation: str = "FLOAT32", op: str = "FULLY_CONNECTED") -> Rule:
    use = WeightUse(op=op, weight=weight, activation=activation)
    return next(r for r in LITERT.rules_for(use) if r.route is route)


def named(found: list[Candidate]) -> dict[str, Choice]:
    return {candidate.choice.layout: candidate.choice for candidate in found}


@pytest.mark.parametrize("route", [Route.NATIVE, Route.DENSIFY])
def test_ram_is_values_and_indices_of_four_bytes_and_what_densify_unpacks(route: Route) -> None:
    tensor = weight_of(mlp([weight_for("", "float32", shape=(48, 96))]))
    for candidate in candidates(tensor, rule(route), rows=1):
        encoded = encode(tensor.array(), candidate.block_format)
        vectors = [v for level in encoded.levels for v in (level.segments, level.indices) if v is not None]
        held = encoded.values.nbytes + 4 * sum(v.size for v in vectors)
        unpacked = tensor.array().nbytes if route is Route.DENSIFY else 0
        assert candidate.choice.ram_bytes == held + unpacked
        assert candidate.choice.left_out == 1 - encoded.values.nbytes / tensor.array().nbytes
        assert encoded.payload_bytes < candidate.choice.disk_bytes < encoded.payload_bytes + 500


def test_dense_costs_its_bytes() -> None:
    tensor = weight_of(mlp([np.ones((48, 96))]))
    assert stored_choice(tensor) == Choice(layout="dense", disk_bytes=18432, ram_bytes=18432)


def test_what_arrived_encoded_costs_what_its_encoding_takes() -> None:
    tensor = weight_of(mlp([weight_for("", "float32", shape=(48, 96))]))
    csr_choice = named(candidates(tensor, rule(Route.NATIVE), rows=1))["csr"]
    write_sparsity(tensor, encode(tensor.array(), csr(2)))
    stored = stored_choice(tensor)
    assert (stored.layout, stored.ram_bytes) == ("encoded", csr_choice.ram_bytes)
    assert stored.disk_bytes == csr_choice.disk_bytes - NATIVE_OVERHEAD_BYTES


def test_densify_takes_less_of_the_file_and_more_of_the_ram() -> None:
    tensor = weight_of(one_op("CONV_2D", weight_for("CONV_2D", "float32")))
    dense = stored_choice(tensor)
    for candidate in candidates(tensor, rule(Route.DENSIFY, op="CONV_2D"), rows=1):
        assert candidate.choice.disk_bytes < dense.disk_bytes
        assert candidate.choice.ram_bytes > dense.ram_bytes
        assert not candidate.choice.faster


def in_blocks(columns: int, kept: float) -> bytes:
    weight = np.zeros((40, 1024), np.float32)
    whole = weight.reshape(40, -1, columns)  # (rows, blocks, columns)
    blocks = np.arange(whole.shape[0] * whole.shape[1])
    whole.reshape(-1, columns)[blocks < round(kept * blocks.size)] = 1
    return mlp([weight])


@pytest.mark.parametrize(
    ("block", "kept", "fast"),
    [
        (4, 0.21, {"csr": False, "block 1x4": False}),
        (4, 0.20, {"csr": False, "block 1x4": True}),
        (4, 0.05, {"csr": True, "block 1x4": True}),
        (1, 0.05, {"csr": True, "block 1x4": True}),
    ],
)
def test_a_kernel_is_faster_from_the_share_that_its_block_leaves_out(
    block: int, kept: float, fast: dict[str, bool]
) -> None:
    tensor = weight_of(in_blocks(block, kept))
    found = named(candidates(tensor, rule(Route.NATIVE), rows=1))
    assert {layout: choice.faster for layout, choice in found.items()} == fast


def test_nothing_is_known_to_be_faster_for_several_rows_or_for_int8_throughout() -> None:
    tensor = weight_of(in_blocks(4, 0.01))
    assert not any(c.choice.faster for c in candidates(tensor, rule(Route.NATIVE), rows=2))
    weight = np.zeros((48, 96), np.int8)
    weight[0, 0] = 1
    for activation, faster in (("int8", False), ("float32", True)):
        tensor = weight_of(one_op("FULLY_CONNECTED", weight, activation))
        (found,) = candidates(tensor, rule(Route.NATIVE, "INT8", activation.upper()), rows=1)
        assert (found.choice.layout, found.choice.faster) == ("block 1x16", faster)


def test_every_speed_of_the_table_has_a_source_and_a_block() -> None:
    for entry in LITERT.rules:
        assert bool(entry.faster_from_sparsity) == bool(entry.speed_source)
        assert len(entry.faster_from_sparsity) in (0, len(entry.blocks))
        assert all(0 < share < 1 for share in entry.faster_from_sparsity)
        assert entry.route is Route.NATIVE or not entry.faster_from_sparsity
