"""The command line, in a folder of the test's own."""

from functools import partial

import pytest
from command_line import run


@pytest.fixture
def sparsetool(tmp_path):
    """Runs `sparsetool` there with the arguments that it is given."""
    return partial(run, tmp_path)
