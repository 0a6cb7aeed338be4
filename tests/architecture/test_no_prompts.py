"""Nothing ever prompts: no code asks, and no command waits for a person at the terminal."""

import ast
import os
import pty
import subprocess
from pathlib import Path

import numpy as np
import pytest
from command_line import command
from models_in_memory import mlp

from sparsetool_converters.codec import pack

REPOSITORY = Path(__file__).parents[2]
SOURCES = sorted(path for root in ("sparsetool", "converters") for path in (REPOSITORY / root).rglob("*.py"))
# Their stdin is a pipe from the process that starts them, never what the command line was given.
WORKERS = {
    "sparsetool/bench/profile_worker.py",
    "sparsetool/bench/worker.py",
    "sparsetool/pipeline/conversion_worker.py",
    "sparsetool/verify/worker.py",
}
ASKS = {"input", "getpass", "prompt", "confirm", "Prompt", "Confirm"}
LONGEST_WAIT_S = 120.0


def asked(tree):
    """Names in a module by which a person is asked, or stdin is read."""
    for node in ast.walk(tree):
        name = getattr(node, "id", getattr(node, "attr", None)) if isinstance(node, ast.Name | ast.Attribute) else None
        if name in {"stdin", "__stdin__"} and isinstance(node, ast.Attribute):
            owner = node.value
            if isinstance(owner, ast.Name) and owner.id == "sys":
                yield f"sys.{name}"
        if isinstance(node, ast.Call):
            method = isinstance(node.func, ast.Attribute)
            called = getattr(node.func, "id", getattr(node.func, "attr", None))
            if called in ASKS and not (method and called == "input"):  # a graph has inputs, too
                yield f"{called}()"
        if isinstance(node, ast.Constant) and node.value == "/dev/tty":
            yield node.value


@pytest.mark.parametrize(
    "text",
    ["input()", "getpass.getpass()", "click.prompt('x')", "typer.confirm('x')", "sys.stdin.read()", "open('/dev/tty')"],
)
def test_what_asks_is_seen(text):
    assert list(asked(ast.parse(text)))


def test_no_code_asks_or_reads_stdin_but_workers_that_are_fed():
    found = {
        path.relative_to(REPOSITORY).as_posix(): set(asked(ast.parse(path.read_text("utf-8")))) for path in SOURCES
    }
    assert {name: names for name, names in found.items() if names and name not in WORKERS} == {}
    assert {name for name in found if found[name]} == WORKERS
    assert all(found[name] <= {"sys.stdin"} for name in WORKERS)


def test_every_process_that_is_started_has_a_stdin_of_its_own():
    """What inherits a terminal could wait for it."""
    without = [
        f"{path.relative_to(REPOSITORY)}:{node.lineno}"
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call)
        and ast.unparse(node.func) in {"subprocess.run", "subprocess.Popen", "subprocess.check_output"}
        and "stdin" not in {keyword.arg for keyword in node.keywords}
    ]
    assert without == []


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A model, packed and not, and something in the way of every output."""
    made = tmp_path_factory.mktemp("asked")
    model = mlp([np.ones((4, 16), np.float32)])
    (made / "model.tflite").write_bytes(model)
    (made / "model.tflz").write_bytes(pack(model))
    (made / "there.tflite").write_bytes(b"of another day")
    (made / "there.tflz").write_bytes(b"of another day")
    (made / "there.json").write_bytes(b"of another day")
    return made


# Where other tools ask: an output exists, or an argument is missing.
UNANSWERED = (
    ("compress", "model.tflite", "-o", "there.tflite"),
    ("compress", "model.tflite", "-o", "there.tflite", "--check-reproducible"),
    ("plan", "model.tflite", "-o", "there.json"),
    ("densify", "model.tflite", "-o", "there.tflite"),
    ("pack", "model.tflite", "-o", "there.tflz"),
    ("unpack", "model.tflz", "-o", "there.tflite"),
    ("verify", "model.tflite", "model.tflz", "--certificate", "there.json"),
    *((name,) for name in ("run", "prune", "plot", "report", "diff", "bench", "inspect", "explain", "compress")),
    ("schema", "unheard"),
    ("targets", "check", "--kernel-set", "unheard"),
    ("quantizations", "unheard"),
)


@pytest.mark.parametrize("arguments", UNANSWERED, ids=" ".join)
def test_at_a_terminal_where_nobody_types_a_command_ends_with_2(folder, arguments):
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    parent, child = pty.openpty()
    process = subprocess.Popen(
        command(*arguments), cwd=folder, stdin=child, stdout=child, stderr=child, start_new_session=True
    )
    os.close(child)
    said = b""
    try:
        while chunk := os.read(parent, 4096):
            said += chunk
    except OSError:  # how a terminal ends
        pass
    code = process.wait(LONGEST_WAIT_S)
    os.close(parent)
    assert code == 2, said
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
