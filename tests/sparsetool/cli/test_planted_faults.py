"""One fault planted in a model: `verify` finds it, names it, and lives."""

import re

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from models_in_memory import Graph, mlp, new_model, packed

from sparsetool.pipeline.conversion import Settings, convert
from sparsetool.pipeline.events import Silence
from sparsetool_converters.model import Buffer, Model

KERNELS = ("default", "no-delegates", "reference")


def sparse(shape, zeros, block=1):
    rng = np.random.default_rng(sum(shape))
    kept = np.repeat(rng.random((shape[0], shape[1] // block)) >= zeros, block, axis=1)
    return (rng.normal(size=shape) * kept).astype(np.float32)


DENSE = mlp(
    [sparse((96, 64), 0.8, block=16), sparse((96, 96), 0.8), sparse((32, 96), 0.5)],
    [np.linspace(-1, 1, 96), np.linspace(0, 1, 96), np.linspace(-1, 0, 32)],
)


def converted(**settings):
    samples = np.random.default_rng(17).random((16, 64), np.float32)
    settings = Settings(compact=False, **settings)
    return convert(DENSE, settings, calibration=samples, where="model", listener=Silence()).result


@pytest.fixture(scope="module")
def files():
    """The same network as float, encoded, and in int8, encoded and not."""
    return {
        "dense": DENSE,
        "encoded": converted(),
        "int8": converted(quantize="int8", encode=False),
        "encoded int8": converted(quantize="int8"),
    }


@pytest.fixture
def judged(sparsetool, tmp_path):
    """Runs `verify` on two models, of which the second must fail with this code; returns its record."""

    def judge(reference, candidate, code, *options):
        paths = []
        for name, model in (("reference.tflite", reference), ("candidate.tflite", candidate)):
            if isinstance(model, bytes):
                (tmp_path / name).write_bytes(model)
            paths.append(name if isinstance(model, bytes) else model)
        done = sparsetool("verify", *paths, "--json", *options)
        line, record = done.failure(code), done.json
        first = record["findings"][0]
        assert line.startswith(f"verify: {first['kind']}: ")
        assert (record["verdict"], record["exit_code"], first["exit_code"]) == ("fail", code, code)
        return record

    return judge


def found(record, kind):
    """What is said of each place by findings of this kind."""
    return {f["where"]: f["problem"] for f in record["findings"] if f["kind"] == kind}


def edited(data, name, edit):
    model = Model.from_bytes(data)
    (tensor,) = (t for t in model.subgraphs[0].tensors if t.name == name)
    edit(tensor)
    return model.to_bytes()


def with_bit_flipped(tensor, place, bit):
    """Flips a bit of the stored value at this place of the buffer."""
    values = tensor.buffer.data.view(tensor.dtype()).copy()
    values.view(f"uint{8 * values.itemsize}")[place] ^= np.asarray(1 << bit, f"uint{8 * values.itemsize}")
    tensor.buffer = Buffer(values.view(np.uint8))


def scaled(factor, place=0):
    def edit(tensor):
        scales = np.array(tensor.quantization.scale)
        scales[place] *= np.float32(factor)
        tensor.quantization.scale = scales

    return edit


@pytest.mark.parametrize(
    ("stored", "name", "bit"),
    [("dense", "w0", 0), ("dense", "w0", 31), ("encoded", "w0/sparse", 0), ("encoded", "w1", 22)],
)
def test_one_bit_of_a_float_weight(judged, files, stored, name, bit):
    def flip(tensor):
        assert tensor.is_sparse == (stored == "encoded")
        place = np.flatnonzero(tensor.buffer.data.view(np.float32))[7]
        with_bit_flipped(tensor, place, bit)

    record = judged(DENSE, edited(files[stored], name, flip), 4)
    problem = found(record, "weight")[name]
    assert re.match(r"1 of (6,144|9,216) values differ, first at \[", problem)
    assert problem.endswith(f", bit {bit} flipped")
    assert [w["name"] for w in record["weights"] if w["relation"] == "changed"] == [name.removesuffix("/sparse")]


@pytest.mark.parametrize("beside", ["dense", "int8"])
def test_one_bit_of_an_integer_weight(judged, files, beside):
    def flip(tensor):
        with_bit_flipped(tensor, np.flatnonzero(tensor.buffer.data)[7], 1)

    record = judged(files[beside], edited(files["int8"], "w1", flip), 4)
    problem = found(record, "weight")["w1"]
    assert problem.startswith("1 of 9,216 values " + ("differ" if beside == "int8" else "are not the nearest step"))
    assert list(found(record, "weight")) == ["w1"]


def test_a_tensor_swapped_with_another(judged, files):
    model = Model.from_bytes(files["encoded"])
    tensors = {t.name: t for t in model.subgraphs[0].tensors}
    tensors["b0"].buffer, tensors["b1"].buffer = tensors["b1"].buffer, tensors["b0"].buffer
    weights = found(judged(DENSE, model.to_bytes(), 4), "weight")
    assert weights["b0"].startswith("holds the values of b1; ")
    assert weights["b1"].startswith("holds the values of b0; ")


def test_an_operator_that_reads_another_operators_output(judged, files):
    weights = [np.random.default_rng(seed).normal(size=(16, 16)) for seed in range(3)]
    model = Model.from_bytes(mlp(weights))
    model.subgraphs[0].operators[2].inputs[0] = model.subgraphs[0].operators[0].outputs[0]
    graph = found(judged(mlp(weights), model.to_bytes(), 4), "graph")
    assert graph == {
        "operator 2 FULLY_CONNECTED": "input 0 comes from operator 0 FULLY_CONNECTED "
        "instead of operator 1 FULLY_CONNECTED"
    }


def test_a_stale_index_vector(judged, files):
    def stale(tensor):
        (level,) = (level for level in tensor.fields.sparsity.dimMetadata if level.arrayIndices is not None)
        indices = np.array(level.arrayIndices.values)
        indices[np.flatnonzero(np.diff(indices.astype(int)) > 1)[0]] += 1
        level.arrayIndices.values = indices

    weights = found(judged(DENSE, edited(files["encoded"], "w1", stale), 4), "weight")
    assert list(weights) == ["w1"]
    assert "values differ, first at [" in weights["w1"]


def test_an_operator_version_that_knows_no_sparse_weights(judged, files):
    model = Model.from_bytes(files["encoded"])
    operators = {o.inputs[1].name: o for _, o in model.operators() if o.name == "FULLY_CONNECTED"}
    assert (operators["w1"].code.fields.version, operators["w1"].inputs[1].is_sparse) == (8, True)
    operators["w1"].code.fields.version = 4
    record = judged(DENSE, model.to_bytes(), 4)
    assert "with default kernels" in " ".join(f["problem"] for f in record["findings"] if f["kind"] == "output")
    lint = found(record, "target")
    effect = "FULLY_CONNECTED: XNNPACK reads sparse weights as dense unless the operator's version is 8"
    assert lint == {"w1": effect, "w2": effect}  # one version for both operators


@pytest.mark.parametrize("beside", ["dense", "int8"])
def test_a_weights_scale_off_by_one_percent(judged, files, beside):
    record = judged(files[beside], edited(files["int8"], "w1", scaled(1.01, 3)), 4)
    problem = found(record, "quantization")["w1"]
    assert float(re.search(r"off by \+([\d.]+)%", problem)[1]) == pytest.approx(1.0, abs=0.3)
    assert ("scale 3 of 96" if beside == "int8" else "channel 3") in problem


@pytest.mark.parametrize(("beside", "named"), [("int8", "h0"), ("dense", "b1")])
def test_an_activations_scale_off_by_one_percent(judged, files, beside, named):
    problems = found(judged(files[beside], edited(files["int8"], "h0", scaled(1.01)), 4), "quantization")
    assert "its scale" in problems[named]
    assert re.search(r"off by [+-](1\.0|0\.99)", problems[named])


def test_an_output_of_another_name(judged, files):
    def rename(tensor):
        tensor.fields.name = b"z"

    record = judged(DENSE, edited(files["dense"], "y", rename), 4)
    assert found(record, "structure") == {"y": "output 0 is z [1, 32] FLOAT32 instead of y [1, 32] FLOAT32"}
    assert [(o["kernel_set"], o["identical"]) for o in record["outputs"]] == [(kernels, True) for kernels in KERNELS]


def test_a_custom_operator_without_a_kernel(judged, models):
    record = judged(models.fully_connected(np.eye(4), output="out"), models.custom_op(), 6)
    assert "Unheard" in record["findings"][0]["problem"]


def test_a_candidate_that_crashes_the_interpreter(judged, models):
    ones = np.ones((512, 256), np.float32)
    record = judged(models.fully_connected(ones), models.blocks_of_four_rows(ones), 4)
    assert record["findings"][0]["problem"].startswith("the model crashed with SIGSEGV")
    ends = {run["kernel_set"]: run["ended"] for run in record["runs"] if run["model"] == "candidate"}
    assert ends == {"default": "crashed", "no-delegates": "crashed", "reference": "finished"}
    assert [(o["kernel_set"], o["identical"]) for o in record["outputs"]] == [("reference", True)]
    assert "w" in found(record, "target")


def test_a_candidate_that_never_returns(judged, models):
    model = new_model()
    graph = Graph(model)
    x, out = graph.tensor("x", (1,)), graph.tensor("out", (1,))
    graph.op(schema.BuiltinOperator.ABS, [x], [out], schema.AbsOptionsT())
    graph.ends([x], [out])
    record = judged(packed(model), models.endless(), 4, "--timeout", "2")
    ends = [run["ended"] for run in record["runs"] if run["model"] == "candidate"]
    assert ends == 3 * ["timed out"]
    assert "did not end within 2 s" in " ".join(found(record, "run").values())


def test_a_candidate_that_is_no_model(sparsetool, tmp_path):
    (tmp_path / "dense.tflite").write_bytes(DENSE)
    (tmp_path / "text.tflite").write_bytes(b"no model, but some text that is long enough")
    assert sparsetool("verify", "dense.tflite", "text.tflite").error(5).startswith("text.tflite: is no")


def test_a_reference_that_runs_nowhere(sparsetool, models):
    path = models.custom_op()
    line = sparsetool("verify", path, path).error(6)
    assert "the reference model runs on no kernel set" in line
    assert "Unheard" in line
