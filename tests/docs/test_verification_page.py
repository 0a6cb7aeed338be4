"""Every command of the page runs as it stands, on two models and their samples, and its recipe is one."""

import re
import shlex
import tomllib
from pathlib import Path

import numpy as np
import pytest
from command_line import run
from models_in_memory import mlp

from sparsetool.pipeline.conversion import Settings, convert
from sparsetool.pipeline.events import Silence
from sparsetool.recipe import ArtifactSection, GatesSection, VerifySection

PAGE = (Path(__file__).parents[2] / "docs" / "verification.md").read_text("utf-8")
COMMANDS = re.findall(r"^    sparsetool (.+)$", PAGE, re.M)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A model whose first layer is pruned, the same with that layer encoded, and samples with the right answers."""
    made = tmp_path_factory.mktemp("page")
    rng = np.random.default_rng(12)
    dense = mlp([rng.normal(size=(48, 64)) * (rng.random((48, 64)) > 0.9), rng.normal(size=(8, 48))])
    (made / "dense.tflite").write_bytes(dense)
    (made / "small.tflite").write_bytes(convert(dense, Settings(), where="dense", listener=Silence()).result)
    np.save(made / "samples.npy", rng.random((16, 64), np.float32))
    np.save(made / "labels.npy", rng.integers(0, 8, 16))
    return made


def test_the_page_shows_commands():
    assert len(COMMANDS) == 10


@pytest.mark.slow
def test_every_command_runs_as_it_stands(folder):
    for command in COMMANDS:
        quick = ["--time", "2"] if command.startswith("bench") else []
        finished = run(folder, *shlex.split(command), *quick)
        assert finished.code == 0, (command, finished.err)
    assert (folder / "record" / "report.html").is_file()


def test_the_recipe_of_the_page_is_one():
    (block,) = re.findall(r"((?:^    .*\n|^\n)+)", PAGE[PAGE.index("    [verify]") :], re.M)[:1]
    found = tomllib.loads(re.sub(r"^    ", "", block, flags=re.M))
    VerifySection.model_validate(found["verify"])
    for artifact in found["artifacts"]:
        ArtifactSection.model_validate(artifact)


def test_every_gate_is_told_of():
    for name in GatesSection.model_fields:
        assert f"`{name}`" in PAGE or f"{name} =" in PAGE
