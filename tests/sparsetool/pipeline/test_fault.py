"""A weight that breaks verification or a gate stays as it was, alone, and everybody is told."""

from dataclasses import replace

import numpy as np
import pytest
from models_in_memory import mlp

from sparsetool.pipeline.artifact import make_artifact
from sparsetool.pipeline.compress import compress
from sparsetool.pipeline.conversion import Settings
from sparsetool.pipeline.output_gates import BrokenGateError
from sparsetool.pipeline.proof import Prover
from sparsetool.recipe_fields import OnFailure
from sparsetool.verify import Tolerance
from sparsetool_converters.errors import VerificationError
from sparsetool_converters.model import Model
from sparsetool_converters.passes.quantize import Quantization
from sparsetool_converters.targets import LITERT, TARGETS, Route

KEEP = OnFailure.KEEP_DENSE
SAMPLES = np.random.default_rng(4).random((8, 64), np.float32)


def blocks(shape, block, *, seed, kept=0.1):
    """A weight whose zeros come in whole blocks [rows, columns]."""
    rng = np.random.default_rng(seed)
    mask = rng.random((shape[0] // block[0], shape[1] // block[1])) < kept
    return np.where(np.kron(mask, np.ones(block, bool)), rng.uniform(0.2, 1, shape), 0.0).astype(np.float32)


@pytest.fixture
def wrong_table(monkeypatch):
    """LiteRT's table, but for a layout that its hybrid kernel takes for another: blocks of 1x4."""
    use = next(r.use for r in LITERT.rules if (r.use.weight, r.use.activation, r.use.dequantized) == HYBRID)
    rules = tuple(
        replace(rule, blocks=((1, 4), (1, 16)), faster_from_sparsity=())
        if (rule.use, rule.route) == (use, Route.NATIVE)
        else rule
        for rule in LITERT.rules
    )
    table = replace(LITERT, name="wrong", rules=rules, hazards=tuple(h for h in LITERT.hazards if not h.concerns(use)))
    monkeypatch.setitem(TARGETS, "wrong", table)


HYBRID = ("INT8", "FLOAT32", False)


def made(model, settings, heard, *, limits=None):
    return make_artifact(
        model,
        settings,
        name="small",
        where="model",
        prover=Prover(SAMPLES, timeout_s=60.0, listener=heard),
        calibration=SAMPLES,
        listener=heard,
        limits=limits or Tolerance(),
    )


@pytest.fixture(scope="module")
def two_kinds_of_blocks():
    """Float32: a layer pruned in blocks of 1x16, then one in blocks of 1x4, then a dense one."""
    last = np.random.default_rng(9).uniform(-1, 1, (10, 64)).astype(np.float32)
    return mlp([blocks((64, 64), (1, 16), seed=5), blocks((64, 64), (1, 4), seed=6), last])


@pytest.mark.usefixtures("wrong_table")
class TestAWeightThatTheRuntimeGarbles:
    settings = Settings(quantize=Quantization.DYNAMIC, compact=False, target="wrong")

    def test_fails_its_stage(self, two_kinds_of_blocks, heard):
        with pytest.raises(VerificationError) as caught:
            made(two_kinds_of_blocks, self.settings, heard)
        assert caught.value.stage == "encode"

    def test_stays_dense_where_that_is_asked_for_and_no_other_does(self, two_kinds_of_blocks, heard):
        artifact = made(two_kinds_of_blocks, replace(self.settings, on_failure=KEEP), heard)
        (kept,) = artifact.record.kept
        assert (kept.tensor, kept.stage) == ("w1", "encode")
        assert "verification: encode: " in kept.reason
        tensors = {tensor.name: tensor for tensor in artifact.record.tensors}
        assert tensors["w0"].encoded
        assert not tensors["w1"].encoded
        assert tensors["w1"].reason == f"kept dense: {kept.reason}"
        assert heard.notes == [f"small: w1 stays dense: {kept.reason}"]
        stored = {t.name: t.is_sparse for g in Model.from_bytes(artifact.model).subgraphs for t in g.tensors}
        assert (stored["w0"], stored["w1"]) == (True, False)
        assert {output.stage for output in artifact.record.outputs} == {"quantize", "encode"}


@pytest.fixture(scope="module")
def hard_to_quantize():
    """Float32, three layers; the middle one's rows have one weight fifty times larger than what counts."""
    rng = np.random.default_rng(12)
    first, last = (rng.uniform(-1, 1, shape).astype(np.float32) for shape in ((32, 64), (10, 32)))
    middle = rng.uniform(-1, 1, (32, 32)).astype(np.float32)
    first[0] = 0.0  # so that what the large weights multiply is always 0
    middle[:, 0] = 50.0
    return mlp([first, middle, last])


class TestALayerThatDoesNotBearQuantization:
    settings = Settings(quantize=Quantization.DYNAMIC, compact=False, encode=False)
    limits = Tolerance(min_sqnr_db=25.0)

    def test_breaks_the_gate(self, hard_to_quantize, heard):
        with pytest.raises(BrokenGateError, match=r"small: min_sqnr_db must be at least 25"):
            made(hard_to_quantize, self.settings, heard, limits=self.limits)

    def test_stays_in_float_where_that_is_asked_for_and_the_gate_holds(self, hard_to_quantize, heard):
        artifact = made(
            hard_to_quantize, replace(self.settings, on_failure=KEEP, encode=True), heard, limits=self.limits
        )
        (kept,) = artifact.record.kept
        assert (kept.tensor, kept.stage) == ("w1", "quantize")
        assert "dB of signal over noise, and break gate: y: small: min_sqnr_db must be at least 25" in kept.reason
        assert [weight.name for weight in artifact.record.quantized] == ["w0", "w2"]
        (gate,) = artifact.record.gates
        assert gate.kept
        assert gate.value >= 25.0
        assert heard.notes == [f"small: w1 stays unquantized: {kept.reason}"]
        (told,) = [tensor.reason for tensor in artifact.record.tensors if tensor.name == "w1"]
        assert told.endswith(f"kept unquantized: {kept.reason}")

    def test_what_no_weight_can_mend_fails_as_it_would_have(self, hard_to_quantize, heard):
        settings = replace(self.settings, on_failure=KEEP)
        with pytest.raises(BrokenGateError) as caught:
            made(hard_to_quantize, settings, heard, limits=Tolerance(max_abs_error=-1.0))
        with pytest.raises(BrokenGateError) as first:
            made(hard_to_quantize, self.settings, heard, limits=Tolerance(max_abs_error=-1.0))
        assert str(first.value) == str(caught.value)


@pytest.mark.usefixtures("wrong_table")
def test_compress_takes_it_from_its_settings(two_kinds_of_blocks, tmp_path):
    source = tmp_path / "model.tflite"
    source.write_bytes(two_kinds_of_blocks)
    settings = Settings(quantize=Quantization.DYNAMIC, compact=False, target="wrong", on_failure=KEEP)
    record = compress(source, tmp_path / "small.tflite", settings, samples=SAMPLES)
    assert [kept.tensor for kept in record.kept] == ["w1"]
