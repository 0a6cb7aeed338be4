"""What docs/pipelines.md shows is run as it stands, by the shells, compilers and build tools that it is for."""

import ast
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest
import yaml
from c_tools import SOURCES, need, need_compiler
from models_in_memory import mlp

from sparsetool_converters.codec import pack

REPOSITORY = Path(__file__).parents[2]
PAGE = (REPOSITORY / "docs" / "pipelines.md").read_text("utf-8")
ENVIRONMENT = {**os.environ, "PATH": f"{sysconfig.get_path('scripts')}{os.pathsep}{os.environ['PATH']}"}


def blocks(heading, language):
    """The code of this language under a heading."""
    (section,) = re.findall(rf"^#+ {heading}\n(.*?)(?=^#+ [A-Z]|\Z)", PAGE, re.M | re.S)
    found = re.findall(rf"^```{language}\n(.*?)^```$", section, re.M | re.S)
    assert found, (heading, language)
    return found


def model(seed, rows=48):
    rng = np.random.default_rng(seed)
    return mlp([rng.normal(size=(rows, 64)) * (rng.random((rows, 64)) > 0.9), rng.normal(size=(8, rows))])


@pytest.fixture
def folder(tmp_path):
    """A project with two models."""
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "keywords.tflite").write_bytes(model(1))
    (tmp_path / "models" / "gestures.tflite").write_bytes(model(2))
    return tmp_path


def call(folder, *command, environment=ENVIRONMENT):
    return subprocess.run(
        command,
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )


def shell(folder, script):
    return call(folder, "bash", "-euo", "pipefail", "-c", script)


def succeed(finished):
    assert finished.returncode == 0, finished.stdout
    return finished.stdout


def touch(path):
    """As an editor that saves what it read: another time, the same content."""
    os.utime(path)


def grow(path):
    """Another model, beyond the budgets of the page."""
    path.write_bytes(mlp([np.random.default_rng(3).normal(size=(6000, 64))]))


def stamps(folder):
    return {path: path.stat().st_mtime_ns for path in sorted(folder.glob("*.tflite"))}


@pytest.mark.slow
def test_the_gate_passes_accepted_models_and_fails_one_that_grew(folder):
    accept, gate, size = blocks("The gate", "sh")
    succeed(call(folder, "git", "init", "--quiet"))
    succeed(shell(folder, accept))
    assert "sizes.json" in succeed(call(folder, "git", "status", "--short"))
    succeed(shell(folder, gate))
    tests = ET.parse(folder / "junit.xml").findall(".//testcase")
    assert {test.get("classname") for test in tests} == {"keywords", "gestures"}
    assert not [test for test in tests if len(test)]
    assert (
        (folder / "sizes.md").read_text("utf-8").startswith("**0 of 2 artifacts failed; all limits on sizes are kept**")
    )
    succeed(shell(folder, size))

    before = stamps(folder / "build")
    grow(folder / "models" / "keywords.tflite")
    failed = shell(folder, gate)
    assert failed.returncode == 3, failed.stdout
    assert [failure.get("type") for failure in ET.parse(folder / "junit.xml").iter("failure")]
    assert (folder / "sizes.md").read_text("utf-8").startswith("**1 of 2 artifacts failed")
    assert stamps(folder / "build") == before


@pytest.mark.slow
def test_results_come_out_of_the_cache_into_another_folder(folder):
    (cached,) = blocks("One cache for all", "sh")
    succeed(shell(folder, cached))
    first = {path.name: path.read_bytes() for path in (folder / "build").glob("*.tflite")}
    shutil.rmtree(folder / "build")
    entries = sorted((folder / ".sparsetool-cache").rglob("*"))
    succeed(shell(folder, cached))
    assert {path.name: path.read_bytes() for path in (folder / "build").glob("*.tflite")} == first
    assert sorted((folder / ".sparsetool-cache").rglob("*")) == entries


def check_build(folder, build, runs_of):
    """A build tool does all, then nothing, then what changed and no more, and fails for what is too large.

    Args:
        build: builds, and gives what the tool printed.
        runs_of: how often sparsetool ran, by that.
    """
    keywords = folder / "models" / "keywords.tflite"
    assert runs_of(succeed(build())) > 0
    assert runs_of(succeed(build())) == 0
    touch(keywords)
    assert runs_of(succeed(build())) == 1
    assert runs_of(succeed(build())) == 0
    made = (folder / "build" / "keywords.tflite").read_bytes()
    keywords.write_bytes(model(4))
    assert runs_of(succeed(build())) == 1
    small = (folder / "build" / "keywords.tflite").read_bytes()
    assert small != made
    grow(keywords)
    failed = build()
    assert failed.returncode != 0
    assert "over the budget of 1,200,000" in failed.stdout
    assert (folder / "build" / "keywords.tflite").read_bytes() == small


@pytest.mark.slow
def test_make_builds_what_changed_and_no_more(folder):
    (makefile,) = blocks("Make", "make")
    (folder / "Makefile").write_text(makefile)
    make = need("make")
    check_build(folder, lambda: call(folder, make), lambda said: said.count("sparsetool compress "))


@pytest.mark.slow
def test_ninja_builds_what_changed_and_no_more(folder):
    (rules,) = blocks("Ninja", "ninja")
    (folder / "build.ninja").write_text(rules)
    ninja = need("ninja")
    check_build(
        folder,
        lambda: call(folder, ninja, "--verbose"),
        lambda said: said.count("sparsetool compress ") if "no work to do" not in said else 0,
    )


@pytest.mark.slow
def test_cmake_finds_the_package_and_compiles_the_model_in(folder):
    need("cmake")
    need("ninja")
    (lists,), (build,) = blocks("CMake", "cmake"), blocks("CMake", "sh")
    (folder / "CMakeLists.txt").write_text(lists)
    (folder / "main.c").write_text(
        "#include \"keywords_model_data.h\"\nint main(void) { return g_keywords_model_data[4] != 'T'; }\n"
    )
    succeed(shell(folder, build))
    succeed(call(folder, folder / "cmake-build" / "firmware"))
    assert "no work to do" in succeed(shell(folder, build))


def test_bazels_command_runs_without_a_home(folder):
    trees = [ast.parse(block) for block in blocks("Bazel", "starlark")]  # Starlark is Python, as far as this goes
    calls = [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Call)]
    (rule,) = (node for node in calls if isinstance(node.func, ast.Name) and node.func.id == "genrule")
    given = {keyword.arg: ast.literal_eval(keyword.value) for keyword in rule.keywords}
    ((source,), (output,), (tool,)) = given["srcs"], given["outs"], given["tools"]
    command = given["cmd"].replace(f"$(execpath {tool})", "sparsetool").replace("$(SRCS)", f"models/{source}")
    bare = {name: ENVIRONMENT[name] for name in ("PATH", "PYTHONPATH") if name in ENVIRONMENT}
    before = {path for path in folder.rglob("*") if path.is_file()}
    succeed(call(folder, "bash", "-euo", "pipefail", "-c", command.replace("$@", output), environment=bare))
    assert {path for path in folder.rglob("*") if path.is_file()} - before == {folder / output}


JAVA = """
package com.example.model;

public class Tflz {
    native byte[] unpack(byte[] packed);

    public static void main(String[] names) throws java.io.IOException {
        System.load(names[0]);
        byte[] unpacked = new Tflz().unpack(java.nio.file.Files.readAllBytes(java.nio.file.Path.of(names[1])));
        if (unpacked == null) System.exit(9);
        java.nio.file.Files.write(java.nio.file.Path.of(names[2]), unpacked);
    }
}
"""


@pytest.fixture(scope="module")
def java_app(tmp_path_factory):
    """Folder of a Java program that unpacks as the page's Kotlin does, by the C of the page."""
    folder = tmp_path_factory.mktemp("java")
    home = Path(need("javac")).resolve().parents[1]
    (code,) = blocks("Unpacking at first start", "c")
    (folder / "glue.c").write_text(code)
    (folder / "Tflz.java").write_text(JAVA)
    includes = [f"-I{path}" for path in (SOURCES, home / "include", home / "include" / "linux")]
    flags = ["-std=c99", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", *includes]
    succeed(
        call(folder, need_compiler("gcc"), *flags, "glue.c", SOURCES / "tflz.c", "-o", "libmodel.so", "-lzstd"),
    )
    succeed(call(folder, "javac", "-d", ".", "Tflz.java"))
    return folder


def unpack_in_java(app, packed):
    (app / "model.tflz").write_bytes(packed)
    return call(
        app, "java", "-Xcheck:jni", "-cp", ".", "com.example.model.Tflz", app / "libmodel.so", "model.tflz", "out"
    )


@pytest.mark.slow
def test_the_app_unpacks_a_model_bit_for_bit_and_refuses_a_damaged_one(java_app):
    packed = pack(model(1))
    assert succeed(unpack_in_java(java_app, packed)) == ""
    assert (java_app / "out").read_bytes() == model(1)
    assert unpack_in_java(java_app, packed[:-1]).returncode == 9


def test_kotlin_and_c_agree_on_the_name_of_the_function():
    (code,), (kotlin,) = blocks("Unpacking at first start", "c"), blocks("Unpacking at first start", "kotlin")
    package = re.search(r"^package (.+)$", kotlin, re.M)[1]
    name = re.search(r"^object (\w+)", kotlin, re.M)[1]
    function = re.search(r"external fun (\w+)\(", kotlin)[1]
    assert f"Java_{package.replace('.', '_')}_{name}_{function}(" in code


def test_the_workflow_uses_inputs_that_the_action_has():
    (workflow,) = map(yaml.safe_load, blocks("GitHub", "yaml"))
    steps = workflow["jobs"]["sizes"]["steps"]
    (step,) = (step for step in steps if "/sparsetool@" in step.get("uses", ""))
    inputs = yaml.safe_load((REPOSITORY / "action.yml").read_text("utf-8"))["inputs"]
    assert set(step["with"]) <= set(inputs)
    assert {name for name, each in inputs.items() if each.get("required")} <= set(step["with"])
    assert step["with"]["markdown"] in steps[-1]["run"]


@pytest.mark.slow
def test_the_gitlab_job_runs_and_leaves_its_report(folder):
    (page,) = map(yaml.safe_load, blocks("GitLab and Jenkins", "yaml"))
    installs, *script = page["sizes"]["script"]
    assert installs.startswith("pip install ")
    for line in script:
        succeed(shell(folder, line))
    for path in (page["sizes"]["artifacts"]["reports"]["junit"], *page["sizes"]["artifacts"]["paths"]):
        assert (folder / path).exists()
    assert all((folder / path).is_dir() for path in page["sizes"]["cache"]["paths"])


@pytest.fixture(scope="module")
def hook_repository(tmp_path_factory):
    """What a hook is installed from: a repository of the package and the hook's entry."""
    copy = tmp_path_factory.mktemp("hook") / "sparsetool"
    leave = shutil.ignore_patterns("__pycache__")
    for name in ("sparsetool", "converters"):
        shutil.copytree(REPOSITORY / name, copy / name, ignore=leave)
    for name in (".pre-commit-hooks.yaml", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(REPOSITORY / name, copy)
    return copy, commit(copy)


def commit(folder):
    """Make a folder a repository with one commit, and name it."""
    who = ("-c", "user.name=a", "-c", "user.email=a@example.com")
    succeed(call(folder, "git", "init", "--quiet"))
    succeed(call(folder, "git", "add", "--all", "--force"))
    succeed(call(folder, "git", *who, "commit", "--quiet", "--no-verify", "--message", "all"))
    return succeed(call(folder, "git", "rev-parse", "HEAD")).strip()


@pytest.mark.slow
def test_pre_commit_installs_the_hook_and_fails_a_commit_that_is_too_large(folder, hook_repository, tmp_path_factory):
    source, revision = hook_repository
    (config,) = map(yaml.safe_load, blocks("Before a commit", "yaml"))
    config["repos"][0] |= {"repo": str(source), "rev": revision}
    (folder / ".pre-commit-config.yaml").write_text(yaml.safe_dump(config))
    commit(folder)
    pre_commit = [sys.executable, "-m", "pre_commit", "run", "--all-files"]
    # the hook's own environment, not the one that tests run in
    alone = {name: value for name, value in ENVIRONMENT.items() if name != "PYTHONPATH"}
    alone["PRE_COMMIT_HOME"] = str(tmp_path_factory.mktemp("pre-commit"))
    assert "Passed" in succeed(call(folder, *pre_commit, environment=alone))
    grow(folder / "models" / "keywords.tflite")
    failed = call(folder, *pre_commit, environment=alone)
    assert failed.returncode == 1
    assert "exit code: 3" in failed.stdout
    assert "over the budget of 1,200,000" in failed.stdout
