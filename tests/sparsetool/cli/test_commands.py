"""Each command: its help, its results on stdout, its progress on stderr."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from command_line import run, run_redirected
from models_in_memory import mlp

from sparsetool import __version__
from sparsetool_converters.codec import pack
from sparsetool_converters.exit_codes import ExitCode

COMMANDS = (
    "run", "config", "prune", "plot", "report", "compress", "size", "plan", "densify", "pack", "unpack",
    "embed", "verify", "bench", "inspect", "explain", "diff", "cmake-dir", "schema",
)  # fmt: skip


@pytest.fixture
def model(tmp_path):
    """Half of its weights are zero in rows that the kernel can leave out."""
    weight = np.random.default_rng(1).uniform(0.5, 1, (32, 64)).astype(np.float32)
    weight[:, 8:] = 0.0
    (tmp_path / "model.tflite").write_bytes(mlp([weight]))
    return "model.tflite"


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_every_command_shows_an_example(sparsetool, command):
    shown = sparsetool(command, "--help")
    assert (shown.code, shown.err) == (0, "")
    assert shown.out.startswith(f"Usage: sparsetool {command} ")
    assert re.search(rf"\n    sparsetool {command}[ \n]", shown.out.partition("Example")[2])


def test_help_names_every_command_and_exit_code(sparsetool):
    shown = sparsetool("--help")
    assert (shown.code, shown.err) == (0, "")
    assert all(f"\n  {command} " in shown.out for command in COMMANDS)
    codes = [line.split(maxsplit=1) for line in shown.out.partition("Exit codes:")[2].splitlines() if line.strip()]
    assert codes == [[str(int(code)), code.meaning] for code in ExitCode]


def test_the_readme_has_the_same_exit_codes():
    table = (
        (Path(__file__).parents[3] / "README.md").read_text("utf-8").partition("| exit code | means |\n|---|---|\n")[2]
    )
    rows = [row.strip("| ").split(" | ") for row in table.partition("\n\n")[0].splitlines()]
    assert rows == [[str(int(code)), code.meaning] for code in ExitCode]


def test_version_is_that_of_the_package(sparsetool):
    shown = sparsetool("--version")
    assert (shown.code, shown.out, shown.err) == (0, f"sparsetool {__version__}\n", "")


def test_the_installed_command_is_the_module(tmp_path):
    command = os.path.join(os.path.dirname(sys.executable), "sparsetool")  # noqa: PTH118, PTH120
    if not os.access(command, os.X_OK):
        pytest.skip("not installed as a command")
    shown = subprocess.run([command, "--version"], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert shown.stdout == f"sparsetool {__version__}\n"


def test_compress_gives_figures_of_the_file_on_disk(sparsetool, model, tmp_path):
    done = sparsetool("compress", model, "-o", "small.tflite", "--json")
    assert done.code == 0, done.err
    record = done.json
    assert (record["schema_version"], record["kind"], record["name"]) == (1, "compress", "small.tflite")
    data = (tmp_path / "small.tflite").read_bytes()
    assert (record["sizes"]["disk"], record["sizes"]["wire"]) == (len(data), len(pack(data)))
    assert [stage["name"] for stage in record["stages"]] == ["source", "encode"]
    assert all(output["relative_error"] <= 1e-5 for output in record["outputs"])
    assert done.said == []


def test_compress_unpack_verify_and_inspect_go_together(sparsetool, model, tmp_path):
    packed = sparsetool("compress", model, "--output", "small.tflz")
    assert packed.code == 0, packed.err
    size = (tmp_path / "small.tflz").stat().st_size
    assert f"wire {size:,} bytes" in packed.out
    unpacked = sparsetool("unpack", "small.tflz", "--json")
    assert unpacked.json == {
        "schema_version": 1,
        "kind": "unpack",
        "output": "small.tflite",
        "disk_bytes": (tmp_path / "small.tflite").stat().st_size,
    }
    verified = sparsetool("verify", model, "small.tflite", "--json")
    assert verified.code == 0, verified.err
    assert (verified.json["kind"], verified.json["verdict"]) == ("verify", "pass")
    assert {output["kernel_set"] for output in verified.json["outputs"]} == {"default", "no-delegates", "reference"}
    inspected = sparsetool("inspect", "small.tflite", "--json")
    assert inspected.json["kind"] == "inspect"
    assert (inspected.json["weights"], inspected.json["zeros"]) == (32 * 64, 32 * 56)
    assert [tensor["encoded"] for tensor in inspected.json["tensors"]] == [True]


@pytest.mark.parametrize(
    ("options", "name"),
    [([], "model.tflz"), (["--format", "zst"], "model.tflite.zst"), (["-o", "x.tflite"], "x.tflite")],
)
def test_compress_writes_tflz_unless_told_otherwise(sparsetool, model, tmp_path, options, name):
    done = sparsetool("compress", model, *options)
    assert done.code == 0, done.err
    assert done.out.splitlines()[-1].startswith(f"{name}: disk ")
    assert sparsetool("verify", model, name).code == 0


def test_without_json_results_are_tables_and_figures(sparsetool, model):
    inspected = sparsetool("inspect", model)
    assert (inspected.code, inspected.err) == (0, "")
    assert "weights: 2,048, 87.5% zeros" in inspected.out
    assert "operators: 1 FULLY_CONNECTED v1" in inspected.out
    verified = sparsetool("verify", model, model)
    assert verified.out.splitlines()[-1] == "pass: model.tflite answers as model.tflite does"
    constants, _, outputs = verified.out.partition("Outputs of the candidate")
    assert (constants.count("identical"), outputs.count("identical")) == (2, 3)


def test_a_long_path_stays_on_one_line(sparsetool, model, tmp_path):
    folder = tmp_path / ("a" * 120) / ("b" * 120)
    folder.mkdir(parents=True)
    destination = folder / "model.tflite"
    (tmp_path / "model.tflz").write_bytes(pack((tmp_path / model).read_bytes()))
    done = sparsetool("unpack", "model.tflz", "-o", destination)
    assert done.out == f"{destination}: {destination.stat().st_size:,} bytes\n"


def test_stdin_is_never_read(model, tmp_path):
    """Neither an empty stdin nor a closed one changes anything."""
    arguments = ("inspect", model, "--json")
    closed = run_redirected(tmp_path, *arguments, streams="<&-")
    assert closed.returncode == 0, closed.stderr
    assert closed.stdout == run(tmp_path, *arguments).out


def test_given_samples_are_those_that_are_compared(sparsetool, model, tmp_path):
    np.save(tmp_path / "samples.npy", np.ones((3, 64), np.float32))
    done = sparsetool("verify", model, model, "--samples", "samples.npy", "--json")
    assert {output["samples"] for output in done.json["outputs"]} == {3}


def test_progress_is_told_on_stderr_once_a_task(sparsetool, model):
    done = sparsetool("verify", model, model)
    lines = done.err.splitlines()
    assert lines == [line for line in lines if line.startswith("verify: ")]
    assert len(lines) == len(set(lines)) == 2
    assert "48 of 48 (100%)" in lines[-1]


def test_two_runs_give_the_same_bytes_wherever_and_whenever(sparsetool, model, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    for name, seed, zone in (("one", "1", "UTC"), ("elsewhere/two", "2", "Asia/Tokyo")):
        assert sparsetool("compress", model, "-o", f"{name}.tflite", PYTHONHASHSEED=seed, TZ=zone).code == 0
    assert (tmp_path / "one.tflite").read_bytes() == (tmp_path / "elsewhere" / "two.tflite").read_bytes()


@pytest.mark.parametrize("objective", ["disk", "ram", "speed"])
def test_plan_prints_and_saves_what_each_choice_costs(sparsetool, model, tmp_path, objective):
    shown = sparsetool("plan", model, "--target", "litert", "--objective", objective)
    assert (shown.code, shown.err) == (0, "")
    assert "block 1x4, native" in shown.out
    assert shown.out.splitlines()[-1].startswith(f"litert, for {objective}: 8,192 bytes dense; as planned ")
    saved = sparsetool("plan", model, "--objective", objective, "-o", "plan.json", "--json")
    assert saved.code == 0, saved.err
    assert json.loads((tmp_path / "plan.json").read_text()) == saved.json
    assert (saved.json["kind"], saved.json["objective"]) == ("plan", objective)
    (tensor,) = saved.json["tensors"]
    assert [c["route"] for c in tensor["choices"]][:1] == ["dense"]


def test_compress_follows_the_objective(sparsetool, tmp_path):
    weight = np.random.default_rng(1).uniform(0.5, 1, (32, 64)).astype(np.float32)
    weight[:, 16:] = 0.0  # three in four blocks: saves bytes, but is not known to be faster
    (tmp_path / "model.tflite").write_bytes(mlp([weight]))
    stages = []
    for objective in ("disk", "speed"):
        done = sparsetool("compress", "model.tflite", "-o", f"{objective}.tflite", "--objective", objective, "--json")
        stages.append([stage["name"] for stage in done.json["stages"]])
    assert stages == [["source", "encode"], ["source"]]


def test_densify_undoes_compress(sparsetool, model, tmp_path):
    assert sparsetool("compress", model, "-o", "small.tflite").code == 0
    done = sparsetool("densify", "small.tflite", "-o", "dense.tflite", "--max-output", "1MB", "--json")
    assert done.code == 0, done.err
    assert (done.json["kind"], done.said) == ("densify", [])
    assert {output["kernel_set"] for output in done.json["outputs"]} == {"default", "no-delegates", "reference"}
    inspected = sparsetool("inspect", "dense.tflite", "--json")
    assert [tensor["encoded"] for tensor in inspected.json["tensors"]] == [False]
    shown = sparsetool("densify", "small.tflite", "-o", "dense.tflite", "--force")
    assert shown.out.splitlines()[-1].endswith(" bytes, 1 weights made dense")
    assert sparsetool("verify", model, "dense.tflite").code == 0


def test_compressing_twice_says_that_the_second_time_nothing_is_gained(sparsetool, model, tmp_path):
    assert sparsetool("compress", model, "-o", "small.tflite").code == 0
    again = sparsetool("compress", "small.tflite", "-o", "again.tflite", "--json")
    assert (tmp_path / "again.tflite").read_bytes() == (tmp_path / "small.tflite").read_bytes()
    (line,) = again.said
    assert line.startswith("small.tflite: stays as it is, ")


def test_a_file_that_grew_is_not_called_smaller(sparsetool, model, tmp_path):
    sparsetool("compress", model, "-o", "small.tflite")
    done = sparsetool("compress", "small.tflite", "-o", "dense.tflite", "--target", "portable")
    small, dense = ((tmp_path / name).stat().st_size for name in ("small.tflite", "dense.tflite"))
    assert small < dense
    assert f"dense.tflite: disk {dense:,} bytes ({dense / small:.1f}x larger)" in done.out


def test_compress_quantizes_by_layer_with_samples_of_a_function_and_tells_of_zeros(sparsetool, model, tmp_path):
    (tmp_path / "data.py").write_text("import numpy as np\ndef some():\n    yield np.ones((1, 64), np.float32)\n")
    wanted = ("compress", model, "-o", "small.tflite", "--calibration", "data.py:some")
    done = sparsetool(*wanted, "--quantize", "none", "--quantize-layer", "w0=int8", "--json")
    assert done.code == 0, done.err
    (weight,) = done.json["quantized"]
    assert (weight["name"], weight["type_before"], weight["type_after"]) == ("w0", "FLOAT32", "INT8")
    assert (weight["weights"], weight["zeros_before"], weight["zeros_after"]) == (32 * 64, 32 * 56, 32 * 56)
    table = sparsetool(*wanted, "--quantize", "int8", "--force")
    assert "zeros before" in table.out
    assert "1,792" in table.out


def test_quantizations_lists_what_is_offered_and_what_is_not_with_the_reason(sparsetool):
    listed = sparsetool("quantizations")
    assert (listed.code, listed.err) == (0, "")
    assert "dynamic_wi4_afp32" in listed.out
    assert "not offered: hadamard_rotation: " in listed.out
    as_json = sparsetool("quantizations", "--json").json
    assert as_json["kind"] == "quantizations"
    offered = {r["name"]: r for r in as_json["recipes"] if not r["refused"]}
    assert offered["int8"]["needs_calibration"]
    assert not offered["dynamic_wi8c_hr_afp32"]["keeps_zeros"]
