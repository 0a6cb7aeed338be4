"""The figures of `verify` are those of a short script that knows nothing of it."""

import json
import subprocess
import sys

import numpy as np
import pytest
from models_in_memory import mlp

from sparsetool.pipeline.conversion import Settings, convert
from sparsetool.pipeline.events import Silence

RNG = np.random.default_rng(31)
SAMPLES = RNG.normal(size=(200, 16)).astype(np.float32)
DENSE = mlp([RNG.normal(size=(32, 16)), RNG.normal(size=(10, 32)) / 8])

# Only the interpreter and numpy: what anybody would write to check a figure.
SCRIPT = """\
import json, numpy as np
from ai_edge_litert.interpreter import Interpreter
answers = []
for path in ("dense.tflite", "small.tflite"):
    model = Interpreter(path, num_threads=1)
    model.allocate_tensors()
    (i,), (o,) = model.get_input_details(), model.get_output_details()
    one = lambda x: (model.set_tensor(i["index"], x[None]), model.invoke(), model.get_tensor(o["index"])[0])[2]
    answers.append(np.array([one(x) for x in np.load("samples.npy")], np.float64))
a, b = answers
p, q = (np.exp(x) / np.exp(x).sum(1, keepdims=True) for x in answers)
print(json.dumps({
    "top1": int((a.argmax(1) == b.argmax(1)).sum()),
    "top5": int((np.argsort(-b, 1)[:, :5] == a.argmax(1)[:, None]).any(1).sum()),
    "accuracy": [float((x.argmax(1) == np.load("labels.npy")).mean()) for x in answers],
    "max_abs_error": np.abs(b - a).max(),
    "relative_error": np.abs(b - a).max() / np.abs(a).max(),
    "sqnr_db": 10 * np.log10((a**2).sum() / ((b - a)**2).sum()),
    "cosine": (a * b).sum() / np.sqrt((a**2).sum() * (b**2).sum()),
    "kl_divergence": (p * np.log(p / q)).sum(1).mean(),
}))
"""


@pytest.mark.parametrize("quantize", ["dynamic", "dynamic_wi4_afp32"])
def test_every_figure_is_that_of_a_short_script(sparsetool, tmp_path, quantize):
    (tmp_path / "dense.tflite").write_bytes(DENSE)
    small = convert(DENSE, Settings(quantize=quantize, encode=False), where="model", listener=Silence()).result
    (tmp_path / "small.tflite").write_bytes(small)
    np.save(tmp_path / "samples.npy", SAMPLES)
    np.save(tmp_path / "labels.npy", RNG.integers(0, 10, 200))
    command = [sys.executable, "-c", SCRIPT]
    wanted = json.loads(subprocess.run(command, cwd=tmp_path, capture_output=True, check=True).stdout)
    arguments = ("verify", "dense.tflite", "small.tflite", "--samples", "samples.npy", "--labels", "labels.npy")
    done = sparsetool(*arguments, "--json")
    assert done.code == 0, done.err
    # Of all kernel sets, that on which accuracy falls most; the script ran one of them.
    reference, candidate = wanted.pop("accuracy")
    assert done.json["metric"][0] == {"name": "accuracy", "value": reference, "samples": 200}
    assert done.json["metric"][1]["value"] == pytest.approx(candidate, abs=0.011)
    told = [metric["value"] for metric in done.json["metric"]]
    assert f"accuracy: reference {told[0]:.6g}, candidate {told[1]:.6g}, on 200 samples" in sparsetool(*arguments).out
    (found,) = (o for o in done.json["outputs"] if o["kernel_set"] == "default")
    for places in ("top1", "top5"):
        assert (found[places]["agreeing"], found[places]["samples"]) == (wanted.pop(places), 200)
        assert found[places]["low"] < found[places]["agreeing"] / 200 <= found[places]["high"]
    assert {name: found[name] for name in wanted} == pytest.approx(wanted, rel=1e-9)
    assert found["max_abs_error"] > 0
