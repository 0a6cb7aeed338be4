"""The action's own scripts, taken out of action.yml and run as a runner of GitHub Actions runs them."""

import json
import os
import re
import subprocess
import sys
import sysconfig
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest
import yaml
from jsonschema import Draft202012Validator
from models_in_memory import mlp

pytestmark = pytest.mark.slow

REPOSITORY = Path(__file__).parents[2]
ACTION = yaml.safe_load((REPOSITORY / "action.yml").read_text("utf-8"))
SCHEMA = json.loads((REPOSITORY / "docs" / "schemas" / "sizes.json").read_text("utf-8"))


class Runner:
    """A runner with a workspace of two models, one in a folder whose name has a space."""

    def __init__(self, folder):
        self.workspace, self.temp = folder / "workspace", folder / "temp"
        self.temp.mkdir()
        for path, rows in (("models/small.tflite", 8), ("models/of others/large one.tflite", 80)):
            (self.workspace / path).parent.mkdir(parents=True, exist_ok=True)
            (self.workspace / path).write_bytes(mlp([np.random.default_rng(1).normal(size=(rows, 64))]))

    def step(self, name, **inputs):
        """Run the script of a step with these inputs, whose names have _ for -."""
        (step,) = (step for step in ACTION["runs"]["steps"] if step["name"] == name)
        given = {key.replace("_", "-"): value for key, value in inputs.items()}
        assert set(given) <= set(ACTION["inputs"])
        values = {key: given.get(key, each.get("default")) for key, each in ACTION["inputs"].items()}
        script = self.temp / "script.sh"
        script.write_text(step["run"])
        assert step["shell"] == "bash"
        return subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", script],  # what `shell: bash` stands for
            cwd=self.workspace,
            env={**self.environment(), **{key: evaluated(text, values) for key, text in step["env"].items()}},
            capture_output=True,
            text=True,
            check=False,
        )

    def environment(self):
        """A runner's, where pip brings nothing of what this package needs: it is there already."""
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.temp),
            "PIP_NO_DEPS": "1",
            "PYTHONPATH": sysconfig.get_path("purelib"),
            "GITHUB_ACTIONS": "true",
            "RUNNER_TEMP": str(self.temp),
            "GITHUB_OUTPUT": str(self.temp / "output"),
            "GITHUB_STEP_SUMMARY": str(self.temp / "summary"),
        }

    @property
    def sizes(self):
        """The document that the action's output names."""
        (name,) = re.findall(r"^sizes=(.+)$", (self.temp / "output").read_text(), re.M)
        document = json.loads(Path(name).read_text("utf-8"))
        Draft202012Validator(SCHEMA).validate(document)
        return document


def evaluated(text, inputs):
    """An expression of the only two kinds that there are, `inputs.a` and `inputs.a || github.action_path`."""
    name, otherwise = re.fullmatch(r"\$\{\{ inputs\.([a-z-]+)( \|\| github\.action_path)? \}\}", text).groups()
    return inputs[name] or (str(REPOSITORY) if otherwise else "")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "wheel", "--no-deps", "--wheel-dir", folder, REPOSITORY], check=True)
    (path,) = folder.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def installed(tmp_path_factory, wheel):
    """A runner on which the action's first step has run."""
    runner = Runner(tmp_path_factory.mktemp("runner"))
    finished = runner.step("Install sparsetool", package=str(wheel))
    assert finished.returncode == 0, finished.stderr
    return runner


@pytest.fixture
def runner(installed):
    """It, with nothing left by the step before."""
    for name in ("output", "summary"):
        (installed.temp / name).unlink(missing_ok=True)
    return installed


def gate(runner, **inputs):
    return runner.step("Gate the sizes", **inputs)


def test_the_package_is_by_default_the_one_that_the_action_came_with():
    (step,) = (step for step in ACTION["runs"]["steps"] if step["name"] == "Install sparsetool")
    inputs = {name: each.get("default") for name, each in ACTION["inputs"].items()}
    assert evaluated(step["env"]["PACKAGE"], inputs) == str(REPOSITORY)


def test_models_within_their_limits_pass(runner):
    finished = gate(
        runner,
        models="models/**/*.tflite\n",
        budget="disk=40KB\n\n  small:disk=10KB,wire=9KB\n",
        junit="junit report.xml",
        markdown="sizes.md",
    )
    assert finished.returncode == 0, finished.stderr
    assert finished.stdout == ""
    (annotation,) = (line for line in finished.stderr.splitlines() if line.startswith("::"))
    assert annotation == "::notice title=sparsetool::0 of 2 artifacts failed; all limits on sizes are kept"
    limits = {each["name"]: [limit["limit_bytes"] for limit in each["limits"]] for each in runner.sizes["artifacts"]}
    assert limits == {"small": [10_000, 9_000], "large one": [40_000]}
    assert len(ET.parse(runner.workspace / "junit report.xml").findall(".//testcase")) == 5
    table = (runner.workspace / "sizes.md").read_text("utf-8")
    assert (runner.temp / "summary").read_text("utf-8") == f"{table}\n"


def test_a_model_over_its_budget_fails_the_step_and_all_reports_are_there(runner):
    finished = gate(
        runner, models="models/small.tflite\nmodels/of others/*.tflite", budget="disk=20KB", markdown="a.md"
    )
    assert finished.returncode == 3, finished.stderr
    (annotation,) = (line for line in finished.stderr.splitlines() if line.startswith("::"))
    assert annotation.startswith("::error title=sparsetool%3A too large::large one: disk size is ")
    assert [limit["kept"] for each in runner.sizes["artifacts"] for limit in each["limits"]] == [True, False]
    assert "over by" in (runner.workspace / "a.md").read_text("utf-8")
    assert "over by" in (runner.temp / "summary").read_text("utf-8")


def test_a_pattern_that_no_file_matches_fails_by_its_name(runner):
    finished = gate(runner, models="models/small.tflite\nmodels/*.tflz")
    assert finished.returncode not in (0, 1)
    assert "models/*.tflz" in finished.stderr


def test_growth_over_the_baseline_fails_beyond_what_is_allowed(runner):
    baseline = runner.workspace / "sizes.json"
    small = runner.workspace / "models" / "small.tflite"
    before = small.read_bytes()
    command = [runner.temp / "sparsetool" / "bin" / "sparsetool", "size", small, "--baseline", baseline]
    environment = {**os.environ, "PYTHONPATH": sysconfig.get_path("purelib")}
    subprocess.run([*command, "--update-baseline"], env=environment, capture_output=True, check=True)
    try:
        small.write_bytes(mlp([np.random.default_rng(1).normal(size=(9, 64))]))
        inputs = {"models": "models/small.tflite", "baseline": "sizes.json"}
        assert gate(runner, **inputs, max_regression="1%").returncode == 3
        assert gate(runner, **inputs, max_regression="50%").returncode == 0
    finally:
        small.write_bytes(before)


def test_what_inputs_hold_is_never_run(runner):
    for name in ACTION["inputs"]:
        mark = runner.workspace / "run"
        gate(runner, **{"models": "models/small.tflite", name.replace("-", "_"): f"$(touch {mark}); `touch {mark}`"})
        assert not mark.exists()
    assert not [step for step in ACTION["runs"]["steps"] if "${{" in step["run"]]
