"""Bad input: one clear line, the documented exit code, and a destination that stays as it was."""

import subprocess
import sys

import numpy as np
import pytest
from command_line import Finished, run_redirected
from models_in_memory import mlp

from sparsetool_converters.codec import compress as pack

WEIGHT = np.random.default_rng(3).uniform(0.5, 1, (4, 16)).astype(np.float32)
BEFORE = b"result of another day"
RECIPE = """\
[model]
source = "model.py"
[train]
epochs = 1
[prune]
epochs = 1
schedule = { type = "ConstantSparsity", target_sparsity = 0.5, begin_step = 0 }
[[artifacts]]
name = "small"
"""


@pytest.fixture
def model(tmp_path):
    path = tmp_path / "model.tflite"
    path.write_bytes(mlp([WEIGHT]))
    return path


@pytest.fixture
def untouched(tmp_path):
    """A destination that has to stay as it is, alone in its folder."""
    destination = tmp_path / "results" / "small.tflite"
    destination.parent.mkdir()
    destination.write_bytes(BEFORE)
    yield destination
    assert destination.read_bytes() == BEFORE
    assert list(destination.parent.iterdir()) == [destination]


def png():
    return b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + bytes(100)


def flipped(data, place):
    changed = bytearray(data)
    changed[place] ^= 0xFF
    return bytes(changed)


UNUSABLE = {
    "an empty file": lambda data: b"",
    "a PNG": lambda data: png(),
    "a file cut in half": lambda data: data[: len(data) // 2],
    **{f"byte {place} of the root offset flipped": lambda data, p=place: flipped(data, p) for place in range(4)},
}


@pytest.mark.parametrize("damage", UNUSABLE)
def test_an_unusable_model_is_refused_with_5(sparsetool, model, untouched, damage):
    model.write_bytes(UNUSABLE[damage](model.read_bytes()))
    line = sparsetool("compress", "model.tflite", "-o", untouched, "--force").error(5)
    assert line.startswith("model.tflite: is ")


@pytest.mark.parametrize("command", [("inspect",), ("verify", "good.tflite"), ("unpack",)])
def test_every_command_refuses_an_unusable_model_with_5(sparsetool, tmp_path, command):
    (tmp_path / "good.tflite").write_bytes(mlp([WEIGHT]))
    name = "bad.tflz" if command == ("unpack",) else "bad.tflite"
    (tmp_path / name).write_bytes(png())
    assert sparsetool(*command, name).error(5).startswith(f"{name}: ")
    assert not (tmp_path / "bad").exists()


def test_a_damaged_frame_is_refused_with_5_and_nothing_unpacked(sparsetool, tmp_path, untouched):
    frame = pack(mlp([WEIGHT]))
    (tmp_path / "model.tflite.zst").write_bytes(flipped(frame, len(frame) // 2))
    line = sparsetool("unpack", "model.tflite.zst", "-o", untouched, "--force").error(5)
    assert line.startswith("model.tflite.zst: is not a whole Zstandard frame")


def test_a_source_that_is_missing_is_refused_with_5(sparsetool, untouched):
    line = sparsetool("compress", "missing.tflite", "-o", untouched, "--force").error(5)
    assert line == "missing.tflite: cannot be read: No such file or directory"


def test_a_recipe_with_a_misspelt_key_is_refused_with_2(sparsetool, tmp_path):
    (tmp_path / "recipe.toml").write_text(RECIPE.replace("[train]\nepochs", "[train]\nepocs"))
    line = sparsetool("run", "recipe.toml").error(2)
    assert line == "recipe.toml: train.epocs: is not a known key; did you mean 'epochs'?"
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("command", ["run", "prune"])
def test_a_recipe_without_its_model_is_refused_with_2(sparsetool, tmp_path, command):
    (tmp_path / "recipe.toml").write_text(RECIPE)
    line = sparsetool(command, "recipe.toml").error(2)
    assert line == "model.py: no such file; the recipe's model.source must name a Python file"
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("out", ["/proc/results", "a_file", "a_file/results"])
def test_results_that_cannot_be_written_are_refused_with_2(sparsetool, tmp_path, out):
    (tmp_path / "a_file").touch()
    (tmp_path / "recipe.toml").write_text(RECIPE)
    (tmp_path / "model.py").touch()
    assert sparsetool("run", "recipe.toml", "--out", out).error(2).startswith(f"{out}: cannot be written: ")


def test_calibration_data_of_another_shape_is_refused_with_2(sparsetool, model, tmp_path, untouched):
    np.save(tmp_path / "samples.npy", np.zeros((5, 15), np.float32))
    options = ("--quantize", "int8", "--calibration", "samples.npy", "--force")
    line = sparsetool("compress", model, "-o", untouched, *options).error(2)
    assert line == "input 'x' takes samples of shape [n, 1, 16] or [n, 16]; got [5, 15]"


def test_calibration_data_that_is_none_is_refused_with_2(sparsetool, model, tmp_path, untouched):
    (tmp_path / "samples.npy").write_bytes(png())
    options = ("--quantize", "int8", "--calibration", "samples.npy", "--force")
    line = sparsetool("compress", model, "-o", untouched, *options).error(2)
    assert line == "samples.npy: not an .npz or .npy file of plain arrays; write one with numpy.savez"


def test_int8_without_calibration_data_is_refused_with_2(sparsetool, model, untouched):
    line = sparsetool("compress", model, "-o", untouched, "--quantize", "int8", "--force").error(2)
    assert line.startswith("int8 needs calibration data")


@pytest.mark.parametrize(
    "destination", ["missing/small.tflite", "model.tflite/small.tflite", "/proc/small.tflite", "small.bin"]
)
def test_a_destination_that_cannot_be_written_is_refused_with_2(sparsetool, model, tmp_path, destination):
    line = sparsetool("compress", model, "-o", destination).error(2)
    assert line.startswith(f"{destination}: ")
    assert [path.name for path in tmp_path.iterdir()] == ["model.tflite"]


def test_an_existing_output_is_refused_with_2_without_force(sparsetool, model, tmp_path, untouched):
    line = sparsetool("compress", model, "-o", untouched).error(2)
    assert line == f"{untouched}: exists already; use --force to replace it"
    (tmp_path / "model.tflite.zst").write_bytes(pack(model.read_bytes()))
    assert "use --force" in sparsetool("unpack", "model.tflite.zst", "-o", untouched).error(2)


@pytest.mark.parametrize("budget", ["", "1MB", "disk=1.2megabytes", "flash=1MB"])
def test_a_budget_that_is_none_is_refused_with_2(sparsetool, model, untouched, budget):
    assert "1.2MB" in sparsetool("compress", model, "-o", untouched, "--budget", budget, "--force").error(2)


@pytest.mark.parametrize(
    "arguments",
    [
        ["unheard"],
        ["compress"],
        ["compress", "model.tflite", "--format", "zip"],
        ["inspect", "model.tflite", "--unheard"],
    ],
)
def test_wrong_usage_is_refused_with_2(sparsetool, arguments):
    done = sparsetool(*arguments)
    assert (done.code, done.out) == (2, "")
    assert "Traceback" not in done.err
    told = sparsetool(*arguments, "--json").json
    assert (told["error"], told["exit_code"]) == ("UsageError", 2)


def test_with_json_a_failure_is_a_document_with_what_its_class_keeps(sparsetool, model, tmp_path):
    done = sparsetool("compress", model, "-o", "small.tflite", "--budget", "disk=100", "--json")
    line = done.error(3)
    told = done.json
    assert (told["error"], told["exit_code"], told["message"]) == ("SizeLimitError", 3, line)
    assert told["fields"]["limit_bytes"] == 100 < told["fields"]["actual_bytes"]
    assert (told["fields"]["artifact"], told["fields"]["kind"]) == ("small", "disk")


@pytest.mark.parametrize("source", ["", ".", "model.tflite", "model"])
def test_what_is_no_packed_model_is_refused_with_2(sparsetool, model, source):
    assert "a packed model ends in .tflz or .zst" in sparsetool("unpack", source).error(2)


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_results_that_cannot_be_printed_are_2(model, tmp_path, options):
    done = run_redirected(tmp_path, "inspect", "model.tflite", *options, streams="> /dev/full")
    assert done.returncode == 2
    assert done.stderr == "error: standard output: cannot be written: No space left on device\n"


def test_a_process_without_stderr_keeps_its_exit_codes(model, tmp_path):
    for name, code in (("model.tflite", 0), ("missing.tflite", 5)):
        arguments = ("inspect", name, "--json")
        done = run_redirected(tmp_path, *arguments, streams="2>&-")
        assert Finished(arguments, done.returncode, done.stdout, None).code == code


@pytest.mark.parametrize("streams", ["> /dev/full", "| true"])
def test_a_failure_keeps_its_exit_code_and_its_line_where_its_document_cannot_be_printed(tmp_path, streams):
    done = run_redirected(tmp_path, "inspect", "missing.tflite", "--json", streams=streams)
    assert done.returncode == (5 if ">" in streams else 0)  # of `true`
    assert done.stderr == "error: missing.tflite: cannot be read: No such file or directory\n"


def test_an_exceeded_budget_is_3(sparsetool, model, untouched):
    line = sparsetool("compress", model, "-o", untouched, "--budget", "disk=100", "--force").error(3)
    assert line.startswith("small: disk size is ")
    assert line.endswith(" over the budget of 100")


def test_two_different_models_are_4(sparsetool, model, tmp_path):
    (tmp_path / "other.tflite").write_bytes(mlp([-WEIGHT]))
    done = sparsetool("verify", model, "other.tflite")
    assert done.failure(4).startswith("verify: weight: w0: 64 of 64 values differ")
    assert done.out.count("\noutput: y: error ") == 3


def test_a_model_that_crashes_the_runtime_is_4(sparsetool, models):
    weight = np.ones((512, 256), np.float32)
    line = sparsetool("verify", models.fully_connected(weight), models.blocks_of_four_rows(weight)).failure(4)
    assert line.startswith("verify: run: the model crashed with SIGSEGV at sample 0")


def test_a_model_that_does_not_end_is_4(sparsetool, models, untouched):
    line = sparsetool("compress", models.endless(), "-o", untouched, "--timeout", "1", "--force").error(4)
    assert "did not end within 1 s" in line


def test_a_model_that_the_target_cannot_run_is_6(sparsetool, models, untouched):
    custom = models.custom_op()
    line = sparsetool("compress", custom, "-o", untouched, "--force").error(6)
    assert line.startswith("target litert: the reference model runs on no kernel set (default: failed at ")
    assert "Unheard" in line
    assert "Unheard" in sparsetool("verify", custom, custom).error(6)


def test_a_fault_of_our_own_is_1_with_what_a_developer_needs(model, tmp_path):
    code = (
        "import sys, sparsetool.pipeline.sources as sources\n"
        "def broken(path): raise RuntimeError('planted')\n"
        "sources.load_source = broken\n"
        "from sparsetool.cli import main\n"
        "sys.argv[0] = 'sparsetool'\n"
        "sys.exit(main())\n"
    )
    for options in ((), ("--json",)):
        arguments = ("inspect", str(model), *options)
        whole = [sys.executable, "-c", code, *arguments]
        ended = subprocess.run(whole, cwd=tmp_path, capture_output=True, text=True, check=False)
        done = Finished(arguments, ended.returncode, ended.stdout, ended.stderr)
        assert done.code == 1
        assert done.out == "" or done.json["error"] == "RuntimeError"
        assert "RuntimeError: planted" in done.err
        assert done.err.splitlines()[-1].startswith("error: this is a fault of sparsetool itself")


def test_more_dense_weights_than_allowed_are_refused_with_5(sparsetool, model, tmp_path, untouched):
    model.write_bytes(mlp([np.zeros((64, 64), np.float32)]))
    assert sparsetool("compress", model, "-o", "sparse.tflite").code == 0
    line = sparsetool("densify", "sparse.tflite", "-o", untouched, "--max-output", "16KB", "--force").error(5)
    assert line.startswith("w0: takes 16,384 bytes unpacked, and 16,000 are left of the 16,000 allowed")


def test_a_plan_that_exists_is_refused_with_2(sparsetool, model, untouched):
    assert "use --force" in sparsetool("plan", model, "-o", untouched).error(2)


@pytest.mark.parametrize("command", ["plan", "compress"])
def test_an_unknown_target_is_refused_with_2(sparsetool, model, untouched, command):
    line = sparsetool(command, model, "--target", "teapot", "-o", untouched, "--force").error(2)
    assert "target 'teapot' is not known; known targets: litert" in line


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (["--quantize", "int7"], "no quantization recipe 'int7'; did you mean 'int8'?"),
        (["--quantize", "gemma4_mixed48"], "a set of recipes for the models inside a .litertlm file"),
        (["--quantize", "int8"], "int8 needs calibration data"),
        (["--quantize", "static_wi8_ai16"], "static_wi8_ai16 needs calibration data"),
        (["--quantize", "dynamic_wi4_afp32+gptq"], "dynamic_wi4_afp32+gptq needs calibration data"),
        (["--quantize-layer", "w0=int8"], "int8 needs calibration data"),
        (["--quantize-layer", "w0"], "'w0' is not PATTERN=NAME"),
        (["--quantize-layer", "logits=dynamic"], "no layer matches 'logits'; layers here are 'y'"),
        (["--quantize", "int8", "--calibration", "nothing.npz"], "nothing.npz: cannot be read"),
        (["--quantize", "int8", "--calibration", "data.py"], "name the function that gives samples"),
    ],
)
def test_a_quantization_that_cannot_be_done_is_refused_in_one_line(sparsetool, model, untouched, options, problem):
    done = sparsetool("compress", model, "-o", untouched, "--force", *options)
    assert done.code == 2, done.err
    assert problem in done.err
    assert len(done.err.strip().splitlines()) == 1
