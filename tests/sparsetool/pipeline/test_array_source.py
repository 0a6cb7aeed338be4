"""The text of arrays: what C and C++ compilers make of it."""

import hashlib
import os
import re
import subprocess

import pytest
from c_tools import need
from hypothesis import given
from hypothesis import strategies as st

from sparsetool.pipeline.array_source import ArraySource, Contents, Language, check_name, spelled
from sparsetool_converters.errors import UsageError

STRICT = ("-Wall", "-Wextra", "-Wpedantic", "-Werror")
C_STANDARDS, CPP_STANDARDS = ("c99", "c11", "c17"), ("c++11", "c++17", "c++20")
COMPILATIONS = [
    *(("c", compiler, standard) for compiler in ("gcc", "clang") for standard in C_STANDARDS),
    *(("c", compiler, standard) for compiler in ("g++", "clang++") for standard in ("c++98", *CPP_STANDARDS)),
    *(("cpp", compiler, standard) for compiler in ("g++", "clang++") for standard in CPP_STANDARDS),
]
WRITER = """\
#include <stdio.h>
#include "model_data.h"
int main(void)
{{
    if ((size_t)g_model_data % 16 != 0 || sizeof g_model_data != g_model_data_size) {{
        return 1;
    }}
    fwrite(g_model_data, 1, g_model_data_size, stdout);
    fwrite(g_model_data_sha256, 1, sizeof g_model_data_sha256, stdout);
    return {size} != g_model_data_size;
}}
"""


def array(data: bytes, language: Language, name: str = "g_model_data") -> ArraySource:
    return ArraySource(name=name, language=language, contents=Contents.TFLITE, data=data)


@given(st.binary(max_size=70))
def test_the_text_read_back_is_the_bytes(data: bytes) -> None:
    text = spelled(data).decode()
    assert bytes(int(value, 16) for value in re.findall(r"0x(..),", text)) == data
    assert all(line.startswith("  0x") and len(line) <= 82 for line in text.splitlines())


@pytest.mark.parametrize(("language", "compiler", "standard"), COMPILATIONS)
def test_a_strict_compiler_takes_the_array_and_a_program_finds_its_bytes(language, compiler, standard, tmp_path):
    """The array is linked with a program of the same language that holds alignment, size and bytes against it."""
    data = os.urandom(1000)
    made = array(data, Language(language))
    suffix = "c" if compiler in ("gcc", "clang") else "cc"
    (tmp_path / "model_data.h").write_bytes(made.header())
    (tmp_path / f"model_data.{suffix}").write_bytes(made.source("model_data.h"))
    (tmp_path / f"main.{suffix}").write_text(WRITER.format(size=len(data)))
    sources = [str(tmp_path / f"{name}.{suffix}") for name in ("model_data", "main")]
    program = tmp_path / "program"
    command = [need(compiler), f"-std={standard}", *STRICT, *sources, "-o", str(program)]
    compiled = subprocess.run(command, capture_output=True, text=True, check=False)
    assert compiled.returncode == 0, compiled.stderr
    finished = subprocess.run([program], capture_output=True, check=False)
    assert finished.returncode == 0
    assert finished.stdout == data + hashlib.sha256(data).digest()


def test_a_c_array_is_linked_with_a_cxx_program(tmp_path):
    made = array(b"12345", Language.C)
    (tmp_path / "model_data.h").write_bytes(made.header())
    (tmp_path / "model_data.c").write_bytes(made.source("model_data.h"))
    (tmp_path / "main.cc").write_text(WRITER.format(size=5))
    subprocess.run([need("gcc"), "-std=c99", *STRICT, "-c", "model_data.c"], cwd=tmp_path, check=True)
    subprocess.run([need("g++"), *STRICT, "main.cc", "model_data.o", "-o", "program"], cwd=tmp_path, check=True)
    assert subprocess.run([tmp_path / "program"], capture_output=True, check=True).stdout[:5] == b"12345"


def test_two_headers_go_into_one_file_and_one_header_twice(tmp_path):
    for name in ("one", "two"):
        (tmp_path / f"{name}.h").write_bytes(array(b"1234", Language.C, f"g_{name}").header())
    includes = "".join(f'#include "{name}.h"\n' for name in ("one", "two", "one"))
    (tmp_path / "main.c").write_text(f"{includes}int main(void) {{ return g_one_size != g_two_size; }}\n")
    subprocess.run([need("gcc"), "-std=c99", *STRICT, "-c", "main.c"], cwd=tmp_path, check=True)


def test_the_header_tells_what_the_bytes_are():
    data = b"some bytes"
    packed = ArraySource(name="g_x", language=Language.C, contents=Contents.TFLZ, data=data)
    header = packed.header().decode()
    assert "a .tflz file" in header
    assert "size:    10 bytes" in header
    assert f"SHA-256: {hashlib.sha256(data).hexdigest()} */" in header


@pytest.mark.parametrize("name", ["g_model_data", "model", "Model2", "g_model_"])
def test_an_identifier_may_name_an_array(name):
    check_name(name)


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("", "letters, digits"),
        ("2nd", "letters, digits"),
        ("my-model", "letters, digits"),
        ("größe", "letters, digits"),
        ("a b", "letters, digits"),
        ("a\n", "letters, digits"),
        ("int", "no keyword"),
        ("restrict", "no keyword"),
        ("constexpr", "no keyword"),
        ("_model", "reserve"),
        ("my__model", "reserve"),
    ],
)
def test_what_c_or_cxx_cannot_call_an_array_is_refused(name, rule):
    with pytest.raises(UsageError, match=f"{rule}.*--name"):
        check_name(name)
