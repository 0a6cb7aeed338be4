"""A whole recipe on a toy, as its user runs it: every figure is checked against the files that were published."""

import html
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from command_line import Finished, command, run

from sparsetool.pipeline.user_model import UserModel
from sparsetool.verify import ALL_KERNEL_SETS, FinishedRun, KernelSet, run_model
from sparsetool_converters.codec import unpack

pytestmark = [pytest.mark.keras, pytest.mark.slow]

TOY = Path(__file__).with_name("toy")
ARTIFACTS = ("dense", "small", "float16", "dynamic", "int8")
STEPS = ("train dense", "train pruned", "export", *(f"make {name}" for name in ARTIFACTS), "accuracy")
REUSED = [f"{step}: unchanged, reused" for step in STEPS]
MODELS = {f"{name}{suffix}" for name in ARTIFACTS for suffix in (".tflite", ".tflz")}
PUBLISHED = {"run.json", "pruned.keras", "record.json", "record.npz", *MODELS}


def place(folder, *changes):
    """The toy in a folder of its own, with changes of the recipe's text."""
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(TOY / "model.py", folder)
    text = (TOY / "recipe.toml").read_text()
    for right, wrong in changes:
        assert right in text
        text = text.replace(right, wrong, 1)
    (folder / "recipe.toml").write_text(text)
    return folder


def state(folder):
    """Content and time of every published file."""
    files = [path for path in folder.iterdir() if path.is_file()]
    return {path.name: (sha256(path.read_bytes()).hexdigest(), path.stat().st_mtime_ns) for path in files}


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    """A first run: its folder, and what the process said. Tests that change anything copy it."""
    folder = place(tmp_path_factory.mktemp("first") / "toy")  # reports call a recipe as its folder
    finished = run(folder, "run", "recipe.toml", "--json", PYTHONHASHSEED="1", TZ="UTC")
    assert finished.code == 0, finished.err
    return SimpleNamespace(folder=folder, finished=finished, record=finished.json)


@pytest.fixture
def again(first, tmp_path):
    """Puts a changed recipe beside a copy of the first run's results."""

    def prepare(*changes):
        folder = place(tmp_path / "again" / "toy", *changes)
        shutil.copytree(first.folder / "runs", folder / "runs")
        return folder

    return prepare


def test_everything_is_published_and_nothing_else(first):
    assert set(state(first.folder / "runs")) == PUBLISHED
    assert sorted(path.name for path in first.folder.iterdir()) == ["model.py", "recipe.toml", "runs"]


def test_progress_is_on_stderr_and_nothing_else(first):
    tasks = {line.partition(":")[0] for line in first.finished.err.splitlines()}
    assert {"train dense", "train pruned", "export", "calibrate", "accuracy"} <= tasks
    assert first.finished.said == []


def test_sizes_are_those_of_the_files_on_disk(first):
    runs = first.folder / "runs"
    assert first.record["kind"] == "run"
    assert first.record["training"]["checkpoint_bytes"] == (runs / "pruned.keras").stat().st_size
    assert [artifact["name"] for artifact in first.record["artifacts"]] == list(ARTIFACTS)
    for artifact in first.record["artifacts"]:
        model, packed = runs / f"{artifact['name']}.tflite", runs / f"{artifact['name']}.tflz"
        assert artifact["sizes"]["disk"] == model.stat().st_size
        assert artifact["sizes"]["wire"] == packed.stat().st_size <= artifact["sizes"]["zstd"] + 300
        assert unpack(packed.read_bytes()) == model.read_bytes()


def test_the_record_that_is_published_is_the_one_that_is_printed(first):
    assert (first.folder / "runs" / "run.json").read_text() == first.finished.out
    assert first.finished.out.endswith("}\n")


def test_every_stage_has_its_sizes_and_its_accuracy(first):
    for artifact in first.record["artifacts"]:
        for stage in artifact["stages"]:
            assert stage["sizes"]["disk"] == stage["disk_bytes"]
            assert stage["accuracy"]["samples"] == artifact["accuracy"]["samples"]
        assert artifact["stages"][-1]["sizes"] == artifact["sizes"]
        assert artifact["stages"][-1]["accuracy"] == artifact["accuracy"]
    int8 = first.record["artifacts"][-1]
    wire = {stage["name"]: stage["sizes"]["wire"] for stage in int8["stages"]}
    assert wire["quantize"] < wire["source"] / 2
    x, y = UserModel(TOY / "model.py").data["test"]
    answer = run_model(first.folder / "runs" / ".work" / "_pruned.tflite", x, KernelSet.DEFAULT, timeout_s=60.0)
    scores = answer.outputs[0].values.reshape(len(x), -1)
    assert int8["stages"][0]["accuracy"]["correct"] == int(np.sum(scores.argmax(axis=1) == y))


def test_pruned_layers_have_the_zeros_that_were_asked_for(first):
    assert len(first.record["training"]["layers"]) == 3
    for layer in first.record["training"]["layers"]:
        assert layer["zeros"] == layer["target_zeros"] == pytest.approx(0.8 * layer["weights"], abs=1)


def test_accuracy_is_what_the_published_files_answer(first):
    x, y = UserModel(TOY / "model.py").data["test"]
    for artifact in first.record["artifacts"]:
        path = first.folder / "runs" / f"{artifact['name']}.tflite"
        answer = run_model(path, x, KernelSet.DEFAULT, timeout_s=60.0)
        assert isinstance(answer, FinishedRun)
        scores = answer.outputs[0].values.reshape(len(x), -1)
        accuracy = artifact["accuracy"]
        assert (accuracy["correct"], accuracy["samples"]) == (int(np.sum(scores.argmax(axis=1) == y)), len(y))
        assert accuracy["low"] < accuracy["correct"] / len(y) < accuracy["high"]


# Only the interpreter and numpy, on files that anybody can read.
ACCURACY = """\
import json, sys, numpy as np
from ai_edge_litert.interpreter import Interpreter
x, y, found = np.load("x.npy"), np.load("y.npy"), {}
for path in sys.argv[1:]:
    model = Interpreter(path, num_threads=1)
    model.allocate_tensors()
    (i,), (o,) = model.get_input_details(), model.get_output_details()
    step, zero = i["quantization"]
    stored = np.clip(np.rint(x / step) + zero, -128, 127).astype(np.int8) if step else x
    one = lambda s: (model.set_tensor(i["index"], s[None]), model.invoke(), model.get_tensor(o["index"]))[2]
    found[path] = int(sum(one(s).argmax() == label for s, label in zip(stored, y)))
print(json.dumps(found))
"""


def test_accuracy_in_every_face_is_that_of_a_short_script(first, tmp_path):
    runs = shutil.copytree(first.folder / "runs", tmp_path / "runs")
    x, y = UserModel(TOY / "model.py").data["test"]
    np.save(runs / "x.npy", x)
    np.save(runs / "y.npy", y)
    files = [f"{name}.tflite" for name in ARTIFACTS]
    script = [sys.executable, "-c", ACCURACY, *files]
    wanted = json.loads(subprocess.run(script, cwd=runs, capture_output=True, check=True).stdout)
    report = run(tmp_path, "report", "runs")
    assert report.code == 0, report.err
    printed = run(first.folder, "run", "recipe.toml").out
    page = html.unescape(re.sub(r"<[^>]*>", " ", (runs / "report.html").read_text()))
    for artifact, file in zip(first.record["artifacts"], files, strict=True):
        correct = wanted[file]
        assert artifact["accuracy"]["correct"] == correct
        assert artifact["stages"][-1]["accuracy"] == artifact["accuracy"]
        told = f"{100 * correct / len(y):.2f} %"
        for face in (report.out, page, printed):
            rows = re.findall(rf"\b{artifact['name']}\s[^\n]*", face) if face is not page else [page]
            assert any(told in row for row in rows), (artifact["name"], told)


def test_every_stage_was_verified_on_every_kernel_set(first):
    for artifact in first.record["artifacts"]:
        stages = [stage["name"] for stage in artifact["stages"]][1:] or ["source"]
        compared = {(output["stage"], output["kernel_set"]) for output in artifact["outputs"]}
        assert compared == {(stage, kernels) for stage in stages for kernels in ALL_KERNEL_SETS}
        assert artifact["skipped"] == []
        assert all(tensor["reason"] for tensor in artifact["tensors"])


def test_the_checkpoint_loads_where_sparsetool_is_not_importable(first):
    code = (
        "import sys; sys.modules['sparsetool'] = sys.modules['sparsetool_converters'] = None\n"
        "import keras; model = keras.saving.load_model(sys.argv[1]); print(model.count_params())"
    )
    path = first.folder / "runs" / "pruned.keras"
    finished = subprocess.run(
        [command()[0], "-c", code, str(path)], capture_output=True, text=True, check=False, cwd=first.folder
    )
    assert finished.returncode == 0, finished.stderr
    assert finished.stdout.split()[-1] == str(8 * 9 + 8 + 512 * 64 + 64 + 64 * 3 + 3)


def test_a_second_run_reuses_everything_and_touches_nothing(again):
    folder = again()
    before = state(folder / "runs")
    finished = run(folder, "run", "recipe.toml")
    assert finished.code == 0, finished.err
    assert finished.err.splitlines() == REUSED
    assert state(folder / "runs") == before
    for name in ARTIFACTS:
        size = (folder / "runs" / f"{name}.tflite").stat().st_size
        assert re.search(rf"^ +{name} +{size:,} ", finished.out, re.MULTILINE)


def test_only_what_depends_on_a_changed_artifact_is_made_again(again):
    folder = again(('quantize = "float16"', 'quantize = "float16"\nencode = false'))
    before = state(folder / "runs")
    finished = run(folder, "run", "recipe.toml")
    assert finished.code == 0, finished.err
    assert finished.said == [line for line in REUSED if not line.startswith(("make float16", "accuracy"))]
    after = state(folder / "runs")
    assert {name for name in PUBLISHED if before[name] != after[name]} == {"run.json", "float16.tflite", "float16.tflz"}


def test_only_what_depends_on_changed_pruning_is_trained_again(again):
    folder = again(("final_sparsity = 0.8", "final_sparsity = 0.75"))
    finished = run(folder, "prune", "recipe.toml", "--json")
    assert finished.code == 0, finished.err
    assert finished.said == ["train dense: unchanged, reused"]
    assert "train dense: 1 of" not in finished.err
    zeros, weights = (sum(layer[key] for layer in finished.json["layers"]) for key in ("zeros", "weights"))
    assert zeros / weights == pytest.approx(0.75, abs=0.001)


def test_a_damaged_result_is_made_again(again):
    folder = again()
    (folder / "runs" / ".work" / "small.tflite").write_bytes(b"damaged")
    before = state(folder / "runs")
    finished = run(folder, "run", "recipe.toml")
    assert finished.code == 0, finished.err
    assert finished.said == [line for line in REUSED if not line.startswith("make small")]
    assert state(folder / "runs") == before


@pytest.mark.parametrize(
    ("change", "code", "problem"),
    [
        (
            ("min_accuracy = 50.0", "min_accuracy = 99.99"),
            4,
            r"gate: small has [\d.]+ % on the test set; at least 99.99 % asked by min_accuracy",
        ),
        (
            ("[verify]\n", "[verify]\nmin_metric = 0.9999\n"),
            4,
            r"gate: dense has [\d.]+ % on the test set; at least 0.9999 asked by min_metric",
        ),
        (
            ('quantize = "int8"', 'quantize = "int8"\nmin_sqnr_db = 90.0'),
            4,
            r"gate: [^ ]+: int8: min_sqnr_db must be at least 90 against the float model; "
            r"measured [\d.]+, with [\w-]+ kernels",
        ),
        (('disk = "100KB"', 'disk = "1KB"'), 3, r"small: disk size is [\d,]+ bytes, [\d,]+ over the budget of 1,000"),
        (('wire = "60KB"', 'wire = "1KB"'), 3, r"small: wire size is [\d,]+ bytes, [\d,]+ over the budget of 1,000"),
    ],
    ids=["accuracy", "metric", "outputs", "disk", "wire"],
)
def test_an_artifact_that_fails_its_gate_is_named_and_nothing_is_published(again, change, code, problem):
    folder = again(change)
    before = state(folder / "runs")
    assert re.fullmatch(problem, run(folder, "run", "recipe.toml").error(code))
    assert state(folder / "runs") == before


def test_a_metric_of_the_users_own_takes_the_place_of_accuracy(again):
    folder = again(
        ("min_accuracy = 50.0\n", ""), ("[verify]\n", '[verify]\nmetric = "metrics.py:recall"\nmin_cosine = 0.5\n')
    )
    (folder / "metrics.py").write_text(
        "def recall(outputs, labels):\n    return (outputs.argmax(axis=1) == labels)[labels == 1].mean()\n"
    )
    finished = run(folder, "run", "recipe.toml", "--json")
    assert finished.code == 0, finished.err
    x, y = UserModel(TOY / "model.py").data["test"]
    for artifact in finished.json["artifacts"]:
        answer = run_model(folder / "runs" / f"{artifact['name']}.tflite", x, KernelSet.DEFAULT, timeout_s=60.0)
        right = answer.outputs[0].values.reshape(len(x), -1).argmax(axis=1) == y
        assert artifact["metric"] == {"name": "recall", "value": right[y == 1].mean(), "samples": len(y)}
        assert artifact["accuracy"] is None
        assert artifact["stages"][-1]["metric"] == artifact["metric"]
    gates = {
        artifact["name"]: {gate["metric"]: gate for gate in artifact["gates"]}
        for artifact in finished.json["artifacts"]
    }
    assert gates["small"].keys() == {"min_cosine", "max_drop"}
    assert gates["int8"]["min_cosine"]["kept"]
    (folder / "metrics.py").write_text("def recall(outputs, labels):\n    return None\n")
    assert "must return a finite number; got None" in run(folder, "run", "recipe.toml").error(2)


def test_an_interrupted_run_leaves_nothing_half_written_and_the_next_gives_the_same_bytes(first, tmp_path):
    """Elsewhere, at another time zone and with another seed of hashes."""
    folder = place(tmp_path / "elsewhere" / "toy")
    environment = {**os.environ, "PYTHONHASHSEED": "7", "TZ": "Asia/Tokyo"}
    arguments = ("run", folder / "recipe.toml", "--out", folder / "out", "--json")
    with subprocess.Popen(
        command(*arguments), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env=environment, cwd=tmp_path,
    ) as process:  # fmt: skip
        assert process.stderr is not None
        heard = []
        for line in process.stderr:
            heard.append(line)
            if line.startswith("train pruned: "):
                process.send_signal(signal.SIGINT)
                break
        out, err = process.communicate()
    interrupted = Finished(arguments, process.returncode, out, "".join(heard) + err)
    assert interrupted.error(130).startswith("interrupted; nothing is half written")
    left = sorted(path.name for path in (folder / "out").rglob("*"))
    assert left == [".gitignore", ".work", "dense.keras", "lock", "steps.json"]

    resumed = run(tmp_path, *arguments, PYTHONHASHSEED="7", TZ="Asia/Tokyo")
    assert resumed.code == 0, resumed.err
    assert resumed.said == ["train dense: unchanged, reused"]
    contents = [
        {name: found[0] for name, found in state(runs).items()} for runs in (first.folder / "runs", folder / "out")
    ]
    assert contents[0] == contents[1]


def test_the_published_checkpoint_compresses_to_the_published_artifact(first, tmp_path):
    runs = first.folder / "runs"
    done = run(tmp_path, "compress", runs / "pruned.keras", "-o", "small.tflite", "--json")
    assert done.code == 0, done.err
    assert (tmp_path / "small.tflite").read_bytes() == (runs / "small.tflite").read_bytes()
    assert done.said == []


def test_a_packed_artifact_is_verified_against_the_checkpoint_it_was_made_from(first, tmp_path):
    runs = first.folder / "runs"
    done = run(tmp_path, "verify", runs / "pruned.keras", runs / "int8.tflz", "--json")
    assert done.code == 0, done.err
    assert all(output["sqnr_db"] > 10 for output in done.json["outputs"])


def test_a_keras_file_that_is_none_is_refused_in_one_line(tmp_path):
    (tmp_path / "model.keras").write_bytes(b"\x89PNG\r\n\x1a\n")
    line = run(tmp_path, "compress", "model.keras", "-o", "small.tflite").error(5)
    assert line.startswith("model.keras: Keras cannot load it: ")


def test_recipe_for_microcontrollers_is_verified_and_measured_on_the_micro_runtime(again):
    pytest.importorskip("tflite_micro")
    others = [f'[[artifacts]]\nname = "{name}"\nquantize = "{name}"\n\n' for name in ("float16", "dynamic")]
    folder = again(("[convert]\n", '[convert]\ntarget = "tflm"\n'), *((text, "") for text in others))
    finished = run(folder, "run", "recipe.toml", "--json")
    assert finished.code == 0, finished.err
    for artifact in finished.json["artifacts"][1:]:
        stages = {(output["stage"], output["kernel_set"]) for output in artifact["outputs"]}
        assert {("encode", "micro"), ("micro runtime", "micro")} <= stages
        assert artifact["accuracy"]["correct"] > 150
