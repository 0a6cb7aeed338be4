"""Published models beside what was made of them: the verdict is known beforehand."""

import numpy as np
import pytest

from sparsetool.pipeline.conversion import Settings, convert
from sparsetool.pipeline.events import Silence
from sparsetool.pipeline.verify_pair import verify_pair
from sparsetool.verify.pairing import constants_of
from sparsetool_converters.codec import pack
from sparsetool_converters.model import Buffer, Model
from sparsetool_converters.model.state import is_stateful
from sparsetool_converters.passes import Canonicalize, Compact, Densify, EncodeSparse
from sparsetool_converters.passes.densify import MAX_OUTPUT_BYTES
from sparsetool_converters.plan import make_plan
from sparsetool_converters.samples import RandomSamples, fit_samples
from sparsetool_converters.targets import LITERT

pytestmark = pytest.mark.slow
TWO = RandomSamples(n_samples=2)
WORDS, EMBEDDING = "okay_nabu.tflite", "embedding_model.tflite"
DETECTOR, HAND = "face_detection_full_range_sparse.tflite", "hand_landmark_full.tflite"


def quantized(mode):
    def make(data):
        inputs = [tensor.info() for tensor in Model.from_bytes(data).subgraphs[0].inputs]
        samples = fit_samples(RandomSamples(n_samples=8, seed=1), inputs)
        settings = Settings(quantize=mode, encode=False, compact=False)
        return convert(data, settings, calibration=list(samples), where="model", listener=Silence()).result

    return make


def by(*passes):
    def make(data):
        model = Model.from_bytes(data)
        for step in passes:
            step(model)
        return model.to_bytes()

    return make


def encoded(model):
    return EncodeSparse(make_plan(model, LITERT))(model)


DENSE = Densify(max_output_bytes=MAX_OUTPUT_BYTES)
GOOD = {
    "equal": (WORDS, bytes, {"identical"}),
    "float16": (EMBEDDING, quantized("float16"), {"identical", "rounded"}),
    "dynamic": (EMBEDDING, quantized("dynamic"), {"identical", "rounded"}),
    "int8": (EMBEDDING, quantized("int8"), {"identical", "rounded"}),
    "made dense": (DETECTOR, by(DENSE), {"identical"}),
    "encoded anew": (DETECTOR, by(DENSE, encoded), {"identical"}),
    "compacted": (HAND, by(DENSE, Canonicalize(), Compact()), {"identical"}),
    "packed": (WORDS, pack, {"identical"}),
}


@pytest.fixture
def judged(published_model, tmp_path):
    def judge(name, candidate):
        path = tmp_path / ("candidate.tflz" if candidate[4:8] != b"TFL3" else "candidate.tflite")
        path.write_bytes(candidate)
        return verify_pair(published_model(name), path, samples=TWO)

    return judge


@pytest.mark.parametrize("pair", GOOD)
def test_what_was_made_of_a_model_passes(published_model, judged, pair):
    name, make, relations = GOOD[pair]
    data = published_model(name).read_bytes()
    record = judged(name, make(data))
    assert record.findings == ()
    assert (record.verdict, record.exit_code) == ("pass", 0)
    assert {o.kernel_set for o in record.outputs} == {"default", "no-delegates", "reference"}
    assert {w.relation for w in record.weights} == relations
    assert all(w.zeros_kept == w.zeros for w in record.weights if w.relation != "restructured")


@pytest.mark.parametrize("pair", ["made dense", "encoded anew"])
def test_the_other_way_round_passes_too(published_model, tmp_path, pair):
    name, make, _ = GOOD[pair]
    source, other = published_model(name), tmp_path / "other.tflite"
    other.write_bytes(make(source.read_bytes()))
    record = verify_pair(other, source, samples=TWO)
    assert (record.verdict, record.findings) == ("pass", ())


def damaged(data, seed):
    """The model with a byte of one weight changed, and that weight's name."""
    rng = np.random.default_rng(seed)
    model = Model.from_bytes(data)
    weights = [c for c in constants_of(model) if c.op and not c.is_sparse and c.tensor.buffer.data is not None]
    tensor = weights[rng.integers(len(weights))].tensor
    before = tensor.array()
    raw = tensor.buffer.data.copy()
    raw[rng.integers(raw.size)] ^= np.uint8(rng.integers(1, 256))
    tensor.buffer = Buffer(raw)
    assert np.count_nonzero(tensor.array() != before) == 1  # 0.0 that became -0.0 would be none
    return model.to_bytes(), tensor.name


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("name", [WORDS, EMBEDDING])
def test_a_random_byte_of_a_random_weight_is_found_and_named(published_model, judged, name, seed):
    candidate, weight = damaged(published_model(name).read_bytes(), seed)
    record = judged(name, candidate)
    assert (record.verdict, record.exit_code) == ("fail", 4)
    assert [f.where for f in record.findings if f.kind == "weight"] == [weight]
    (changed,) = (w for w in record.weights if w.relation == "changed")
    assert (changed.name, changed.differing) == (weight, 1)


@pytest.mark.parametrize(("name", "wrong"), [(WORDS, EMBEDDING), (DETECTOR, "face_detection_full_range.tflite")])
def test_another_model_fails(published_model, judged, name, wrong):
    record = judged(name, published_model(wrong).read_bytes())
    assert (record.verdict, record.exit_code) == ("fail", 4)
    assert {"structure"} <= {f.kind for f in record.findings}


def test_a_custom_operator_that_only_the_delegate_has_is_compared_there_and_noted_elsewhere(published_model):
    path = published_model("selfie_segmentation.tflite")
    assert "Convolution2DTransposeBias" in {
        operator.name for _, operator in Model.from_bytes(path.read_bytes()).operators()
    }
    record = verify_pair(path, path, samples=TWO)
    assert record.verdict == "pass"
    assert {output.kernel_set for output in record.outputs} == {"default"}
    assert {(run.kernel_set, run.ended) for run in record.runs} == {
        ("default", "finished"),
        ("no-delegates", "failed"),
        ("reference", "failed"),
    }
    assert sum("Convolution2DTransposeBias" in note for note in record.notes) == 2


@pytest.mark.parametrize(("name", "remembers"), [(WORDS, True), (EMBEDDING, False)])
def test_a_streaming_model_is_told_from_one_that_forgets(published_model, name, remembers):
    assert is_stateful(Model.from_bytes(published_model(name).read_bytes())) is remembers
