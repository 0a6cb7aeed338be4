"""README's way from a .tflite to a gated step: every command as it is printed, and the step fails when it should."""

import re
import shlex
import tomllib
from pathlib import Path

import numpy as np
import pytest
import yaml
from command_line import run
from models_in_memory import mlp

README = (Path(__file__).parents[2] / "README.md").read_text("utf-8")
SECTION = README.partition("## In a build\n")[2].partition("\n| command | does |")[0]
COMMANDS = re.findall(r"^    sparsetool (.+)$", SECTION, re.M)
ACCEPT, GATE, RUN, CONFIG, MANY = COMMANDS


def block(first_line):
    (found,) = re.findall(rf"((?:^    {re.escape(first_line)}.*\n)(?:^    .*\n|^\n)+)", SECTION, re.M)
    return re.sub(r"^    ", "", found, flags=re.M)


def network(columns=64):
    rng = np.random.default_rng(3)
    return mlp([rng.normal(size=(48, columns)) * (rng.random((48, columns)) > 0.9), rng.normal(size=(8, 48))])


@pytest.fixture
def folder(tmp_path):
    """What a new user has: a model, and others in a folder."""
    (tmp_path / "model.tflite").write_bytes(network())
    (tmp_path / "models").mkdir()
    for name in ("one", "two"):
        (tmp_path / "models" / f"{name}.tflite").write_bytes(network())
    return tmp_path


def printed(folder, command):
    """Run a command as a shell would."""
    words = [
        word
        for part in shlex.split(command)
        for word in (sorted(str(p.relative_to(folder)) for p in folder.glob(part)) if "*" in part else [part])
    ]
    return run(folder, *words)


@pytest.mark.slow
def test_every_command_runs_as_it_is_printed(folder):
    toml = block("[model]")
    (folder / "sparsetool.toml").write_text(toml)
    for command in COMMANDS:
        done = printed(folder, command)
        assert done.code == 0, (command, done.err)
    assert (folder / "build" / "small.tflz").is_file()
    assert sorted(path.name for path in (folder / "build").glob("*.tflz")) == ["one.tflz", "small.tflz", "two.tflz"]


@pytest.mark.slow
def test_the_step_tells_sizes_when_it_passes_and_ends_with_3_when_the_model_grew(folder):
    assert printed(folder, ACCEPT).code == 0
    passed = printed(folder, GATE)
    assert passed.code == 0
    assert "all limits on sizes are kept" in passed.out
    before = (folder / "small.tflite").read_bytes()
    (folder / "model.tflite").write_bytes(network(columns=80))
    line = printed(folder, GATE).error(3)
    assert re.fullmatch(r"small: disk size is [\d,]+ bytes, [\d,]+ over the [\d,]+ that its baseline of .*", line)
    assert (folder / "small.tflite").read_bytes() == before


def test_the_workflow_s_step_is_the_command_above_but_for_the_budget():
    steps = yaml.safe_load(block("on: pull_request"))["jobs"]["sizes"]["steps"]
    assert steps[-1]["run"] == f"sparsetool {GATE}".removesuffix(" --budget wire=600KB")


def test_the_recipe_says_what_the_flags_say():
    recipe = tomllib.loads(block("[model]"))
    assert recipe["sizes"] == {"baseline": "sizes.json", "max_regression": "1%", "budget": {"wire": "600KB"}}
    assert "--baseline sizes.json --max-regression 1% --budget wire=600KB" in GATE
