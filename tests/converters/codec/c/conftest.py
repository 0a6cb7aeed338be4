"""The decoder, built once."""

from pathlib import Path

import pytest
from c_tools import SOURCES, Decoder, build, need_compiler


@pytest.fixture(scope="session")
def decoder(tmp_path_factory: pytest.TempPathFactory) -> Decoder:
    compiler = need_compiler("gcc")
    library = tmp_path_factory.mktemp("tflz") / "libtflz.so"
    return Decoder(build(compiler, [SOURCES / "tflz.c"], library, "-O2", "-shared", "-fPIC"))


@pytest.fixture(scope="session")
def tflz(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The command."""
    compiler = need_compiler("gcc")
    sources = [SOURCES / "tflz.c", SOURCES / "tflz_main.c"]
    return build(compiler, sources, tmp_path_factory.mktemp("tflz") / "tflz", "-O2")
