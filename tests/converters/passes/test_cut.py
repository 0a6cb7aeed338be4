import numpy as np
from kernel_sets import run_here
from models_in_memory import mlp

from sparsetool_converters.model import Model
from sparsetool_converters.passes.cut import cut

WEIGHTS = [np.random.default_rng(seed).standard_normal((4, 4)).astype(np.float32) for seed in range(3)]
X = np.linspace(-1, 1, 4, dtype=np.float32).reshape(1, 4)


def test_a_cut_model_answers_what_the_operator_made():
    model = Model.from_bytes(mlp(WEIGHTS))
    before = model.to_bytes()
    operator = model.subgraphs[0].operators[1]
    part = cut(model, after=1, outputs=[operator.outputs[0]]).to_bytes()
    (found,) = run_here(part, X)
    wanted = np.maximum(np.maximum(X @ WEIGHTS[0].T, 0) @ WEIGHTS[1].T, 0)
    np.testing.assert_allclose(found, wanted, rtol=1e-5)
    assert model.to_bytes() == before


def test_what_only_the_rest_reads_is_not_in_a_cut_model():
    model = Model.from_bytes(mlp(WEIGHTS))
    part = Model.from_bytes(cut(model, after=0, outputs=model.subgraphs[0].operators[0].outputs).to_bytes())
    assert [tensor.name for tensor in part.subgraphs[0].tensors] == ["x", "w0", "h0"]
    assert sum(buffer.nbytes for buffer in part.buffers) == WEIGHTS[0].nbytes
