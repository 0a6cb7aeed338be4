"""What a recipe's steps are called and what they are made of; whole runs are in tests/integration."""

import re
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from sparsetool.pipeline import training
from sparsetool.pipeline.material import FLOATS
from sparsetool.pipeline.recipe_run import run_recipe
from sparsetool.pipeline.training import DENSE, PRUNED
from sparsetool.pipeline.versions import installed_versions, source_digest
from sparsetool.recipe import ArtifactSection
from sparsetool_converters.errors import MissingExtraError, UsageError

TOY = Path(__file__).parents[2] / "integration" / "toy"


@pytest.mark.parametrize("file", [*FLOATS.values(), DENSE, PRUNED])
def test_no_artifact_has_a_file_of_the_name_of_what_it_is_made_from(file):
    """They lie in one folder, and an artifact may be called after its checkpoint."""
    stem, dot, suffix = file.partition(".")
    if f"{dot}{suffix}" == ".tflite":
        with pytest.raises(ValidationError, match="name"):
            ArtifactSection(name=stem)
    else:
        assert not file.endswith((".tflite", ".tflite.zst"))


def test_a_package_that_is_not_installed_has_no_version():
    assert installed_versions("numpy", "no-such-package-at-all") == {
        "numpy": np.__version__,
        "no-such-package-at-all": None,
    }


def test_training_without_tensorflow_says_which_extra_brings_it(tmp_path, heard, monkeypatch):
    monkeypatch.setattr(training, "installed_versions", lambda *names: dict.fromkeys(names))
    with pytest.raises(MissingExtraError, match=re.escape("pip install 'sparsetool[train]'")):
        run_recipe(TOY / "recipe.toml", tmp_path / "runs", listener=heard)


def test_a_recipe_is_refused_before_anything_is_made(tmp_path, heard):
    recipe = tmp_path / "recipe.toml"
    recipe.write_text((TOY / "recipe.toml").read_text())
    with pytest.raises(UsageError, match=r"no such file; the recipe's model\.source must name a Python file"):
        run_recipe(recipe, listener=heard)
    assert [path.name for path in tmp_path.iterdir()] == ["recipe.toml"]


def test_a_packages_digest_changes_with_the_name_and_the_content_of_its_files(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    digests = []
    for i, (name, content) in enumerate([("a.py", "x = 1"), ("a.py", "x = 2"), ("b.py", "x = 1")]):
        package = tmp_path / f"package{i}"
        package.mkdir()
        (package / "__init__.py").write_text("")
        (package / name).write_text(content)
        digests.append(source_digest(f"package{i}"))
    assert len(set(digests)) == 3
    assert source_digest("package0") == digests[0]
