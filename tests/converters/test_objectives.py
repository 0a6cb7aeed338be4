"""What is taken for the file, for RAM and for speed, and what every choice costs."""

import numpy as np
import pytest
from kernel_sets import assert_alike
from models_in_memory import mlp
from one_op_models import one_op, weight_for

from sparsetool_converters.costs import Objective
from sparsetool_converters.model import Model
from sparsetool_converters.passes import EncodeSparse
from sparsetool_converters.plan import Encode, Keep, make_plan
from sparsetool_converters.targets import LITERT


def decisions(data: bytes, objective: Objective = Objective.DISK) -> list[Encode | Keep]:
    return list(make_plan(Model.from_bytes(data), LITERT, objective).decisions)


def reason(data: bytes, objective: Objective) -> str:
    """Why the only constant of note stays as it is."""
    (decision,) = decisions(data, objective)
    assert isinstance(decision, Keep)
    return decision.reason


HYBRID = one_op("FULLY_CONNECTED", weight_for("FULLY_CONNECTED", "int8", block=16, zeros=0.9, shape=(48, 960)))
INT8 = one_op("FULLY_CONNECTED", weight_for("FULLY_CONNECTED", "int8", block=16, zeros=0.9, shape=(48, 960)), "int8")
FLOAT_BLOCKS = mlp([weight_for("FULLY_CONNECTED", "float32", block=4, zeros=0.9)])
FLOAT_RANDOM = mlp([weight_for("FULLY_CONNECTED", "float32", zeros=0.97, shape=(480, 960))])
CONV = one_op("CONV_2D", weight_for("CONV_2D", "float32"))


def taken(data: bytes, objective: Objective) -> str:
    (decision,) = decisions(data, objective)
    return str(decision.choice) if isinstance(decision, Encode) else "dense"


@pytest.mark.parametrize(
    ("data", "disk", "ram", "speed"),
    [
        (FLOAT_BLOCKS, "block 1x4, native", "block 1x4, native", "block 1x4, native"),
        (FLOAT_RANDOM, "csr, native", "csr, native", "block 1x4, native"),
        (HYBRID, "block 1x16, native", "block 1x16, native", "block 1x16, native"),
        (INT8, "block 1x16, native", "block 1x16, native", "dense"),
        (CONV, "csr on axis 0, densify", "dense", "dense"),
    ],
    ids=["float blocks", "float random", "hybrid", "int8", "convolution"],
)
def test_each_objective_takes_what_serves_it(data: bytes, disk: str, ram: str, speed: str) -> None:
    assert [taken(data, objective) for objective in Objective] == [disk, ram, speed]


@pytest.mark.parametrize("objective", Objective)
@pytest.mark.parametrize("data", [FLOAT_BLOCKS, FLOAT_RANDOM, HYBRID, INT8, CONV])
def test_what_is_taken_is_the_best_of_all_choices_and_runs_right(data: bytes, objective: Objective) -> None:
    (decision,) = decisions(data, objective)
    dense, *others = decision.choices
    assert (dense.layout, dense.disk_bytes, dense.route) == ("dense", decision.dense_bytes, None)
    assert others
    if isinstance(decision, Encode):
        assert decision.choice in others
        assert decision.choice.disk_bytes <= dense.disk_bytes
        if objective is Objective.DISK:
            assert decision.choice.disk_bytes == min(c.disk_bytes for c in others)
        elif objective is Objective.RAM:
            assert decision.choice.ram_bytes == min(c.ram_bytes for c in others) < 0.9 * dense.ram_bytes
        else:
            assert decision.choice.faster
    model = Model.from_bytes(data)
    EncodeSparse(make_plan(model, LITERT, objective))(model)
    assert_alike(data, model.to_bytes())


def test_ram_is_told_in_the_reason() -> None:
    (decision,) = decisions(FLOAT_BLOCKS, Objective.RAM)
    assert isinstance(decision, Encode)
    assert decision.reason == f"block 1x4, native: {decision.choice.ram_bytes:,} of 18,432 bytes of RAM"
    found = reason(CONV, Objective.RAM)
    assert "zeros: the smallest encoding (csr on axis 0, densify) takes" in found
    assert found.endswith("bytes of RAM, and less than 10% saved is not worth it")


def test_ram_is_not_bought_with_a_larger_file() -> None:
    tiny = np.zeros((1, 48), np.float32)
    tiny[0, :4] = 1
    assert reason(mlp([tiny]), Objective.RAM).endswith("of 192 bytes of RAM, but 239 of 192 on disk")


def test_speed_says_from_which_share_a_kernel_is_faster() -> None:
    (decision,) = decisions(FLOAT_BLOCKS, Objective.SPEED)
    assert "out, and from 80% it is faster than dense (times on x86-64" in decision.reason
    found = reason(mlp([weight_for("", "float32", shape=(48, 96), zeros=0.5)]), Objective.SPEED)
    assert found.startswith("dense is faster until enough is left out: csr, native leaves ")
    assert "of 80% out" in found


def test_speed_is_known_for_one_row_of_activations_only() -> None:
    many = mlp([weight_for("FULLY_CONNECTED", "float32", block=4, zeros=0.9)], batch=8)
    assert reason(many, Objective.SPEED).endswith("with 8 rows of activations")
    assert reason(INT8, Objective.SPEED) == (
        "nothing sparse is known to be faster than dense for FULLY_CONNECTED with INT8 weights and INT8 activations"
    )


def test_a_constant_that_nothing_can_be_done_with_still_tells_what_it_costs() -> None:
    for data in (one_op("CONV_2D", weight_for("CONV_2D", "int8")), mlp([np.ones((48, 96), np.float32)])):
        (decision,) = decisions(data)
        assert decision.choices[0].disk_bytes == decision.choices[0].ram_bytes == decision.dense_bytes
