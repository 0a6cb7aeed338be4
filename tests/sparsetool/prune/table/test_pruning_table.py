"""Model kinds by training loops by backends: target reached exactly, zeros kept at every step, loss falls."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

TABLE = Path(__file__).with_name("pruning_table.py")
BACKENDS = {"tensorflow": 20, "jax": 8, "torch": 8}  # fewest model kinds on each
LOOPS = 3

pytestmark = [pytest.mark.keras, pytest.mark.slow]


@pytest.fixture(scope="module", params=BACKENDS)
def table(request):
    """Rows of one backend, each from a process that knows no other backend."""
    backend = request.param
    environment = {**os.environ, "KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run(
        [sys.executable, TABLE],
        env=environment,
        capture_output=True,
        text=True,
        timeout=1800,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return backend, [json.loads(line) for line in done.stdout.splitlines()]


def test_every_row_reaches_its_target_keeps_its_zeros_and_learns(table):
    _, rows = table
    wrong = [
        row
        for row in rows
        if row["zeros"] != row["asked"]
        or row["leaks"]
        or not row["loss_after"] < row["loss_before"]
        or not row["pruned"]
    ]
    assert not wrong, "\n".join(map(str, wrong))


def test_the_table_is_as_large_as_promised(table):
    backend, rows = table
    by_kind: dict[str, set[str]] = {}
    for row in rows:
        by_kind.setdefault(row["kind"], set()).add(row["loop"])
    assert sum(len(loops) >= LOOPS for loops in by_kind.values()) >= BACKENDS[backend]
