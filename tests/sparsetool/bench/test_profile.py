"""What the runtime's own profiler tells."""

import numpy as np
import pytest
from models_in_memory import mlp

from sparsetool.bench import Contestant, Setup, profile_operators
from sparsetool.bench.profile import operators_of
from sparsetool_converters.model import Model
from sparsetool_converters.samples import RandomSamples
from sparsetool_converters.targets import KernelSet

TABLE = """\
============================ Run Order ============================
      [node type]    [start]    [first]   [avg ms]        [%]     [cdf%]   [mem KB] [times called]   [Name]
      Delegate/Fully Connected (NC, F32) GEMM      0.000      0.139      0.130    60.115%    60.115%      0.000    20   [Delegate]:1
      FULLY_CONNECTED      0.000      0.229      0.188    24.356%    24.356%      0.000             20   [scores]:0

============================ Top by Computation Time ============================
      FULLY_CONNECTED      0.000      0.229      0.188    24.356%    24.356%      0.000             20   [scores]:0
"""  # noqa: E501


DENSE = mlp([np.ones((512, 512), np.float32), np.ones((4, 512), np.float32)])


def profile(kernel_set: KernelSet, model: bytes = DENSE):
    return profile_operators(
        Contestant(name="dense", model=model),
        samples=RandomSamples(n_samples=1),
        setup=Setup(kernel_set=kernel_set, threads=1, timeout_s=60),
        steady_ms=1.0,
    )


def test_the_table_is_read_once_and_the_slowest_come_first():
    found = [(operator.name, operator.ms) for operator in operators_of(TABLE.splitlines())]
    assert found == [
        ("FULLY_CONNECTED, operator 0", 0.188),
        ("Fully Connected (NC, F32) GEMM, delegate operator 1", 0.130),
    ]


@pytest.mark.parametrize(
    ("kernel_set", "name"),
    [
        (KernelSet.DEFAULT, "Fully Connected (NC, F32) GEMM, delegate operator 1"),
        (KernelSet.NO_DELEGATES, "FULLY_CONNECTED, operator 0"),
    ],
)
def test_the_profile_names_the_operators_of_its_kernel_set(kernel_set, name):
    found = profile(kernel_set)
    assert found.problem == ""
    assert name in [operator.name for operator in found.operators]


def test_the_reference_kernels_have_no_profile_and_it_says_so():
    found = profile(KernelSet.REFERENCE)
    assert found.operators == ()
    assert found.problem.endswith("the runtime's profiler does not run the reference kernels")


def test_a_batch_that_may_be_resized_is_profiled_as_the_file_gives_it():
    model = Model.from_bytes(DENSE)
    graph = model.subgraphs[0]
    for tensor in (*graph.inputs, *graph.outputs):
        tensor.fields.shapeSignature = np.array([-1, *tensor.shape[1:]], np.int32)
    found = profile(KernelSet.DEFAULT, model.to_bytes())
    assert (found.problem, len(found.operators) > 0) == ("", True)
