import subprocess
import sys

import pytest

from sparsetool import prune


def test_importing_the_package_brings_in_neither_keras_nor_tensorflow():
    code = "import sys, sparsetool.prune; sys.exit(any(m in sys.modules for m in ('keras', 'tensorflow', 'h5py')))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'Prunner'"):
        _ = prune.Prunner


@pytest.mark.keras
def test_every_public_name_resolves():
    assert all(getattr(prune, name) is not None for name in prune.__all__)
