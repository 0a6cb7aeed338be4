"""From a model's file to an array: which files are taken, and what is written."""

import hashlib
import os
import subprocess

import pytest
from command_line import command

from sparsetool.pipeline.embedding import embed
from sparsetool_converters.codec import compress, pack
from sparsetool_converters.errors import ModelFormatError, OutputError, UsageError


@pytest.fixture
def model(tmp_path, dense_model):
    path = tmp_path / "model.tflite"
    path.write_bytes(dense_model)
    return path


def written(folder):
    return sorted(path.name for path in folder.iterdir() if path.suffix != ".tflite")


@pytest.mark.parametrize(
    ("name", "language"), [("a.c", "c"), ("a.cc", "cpp"), ("a.cpp", "cpp"), ("a.cxx", "cpp"), ("a.b.c", "c")]
)
def test_the_suffix_tells_the_language_and_the_header_stands_beside(model, tmp_path, name, language):
    record = embed(model, tmp_path / name, name="g_a")
    header = name.rpartition(".")[0] + ".h"
    assert (record.language, record.name, record.contents) == (language, "g_a", "tflite")
    assert written(tmp_path) == sorted([name, header])
    assert (tmp_path / name).read_text().startswith(f'#include "{header}"\n')
    assert ("constexpr" in (tmp_path / header).read_text()) == (language == "cpp")


def test_the_array_is_called_as_the_file_is(model, tmp_path):
    record = embed(model, tmp_path / "person_detect_model_data.cc")
    assert record.name == "g_person_detect_model_data"
    assert "const unsigned char g_person_detect_model_data[" in (tmp_path / "person_detect_model_data.cc").read_text()


def test_a_container_is_embedded_as_it_is_and_told_from_a_model_by_its_bytes(model, tmp_path):
    packed = pack(model.read_bytes())
    (tmp_path / "packed.bin").write_bytes(packed)
    record = embed(tmp_path / "packed.bin", tmp_path / "model.c")
    assert (record.contents, record.array_bytes) == ("tflz", len(packed))
    assert record.sha256 == hashlib.sha256(packed).hexdigest()


def test_neither_the_folder_nor_the_name_of_the_model_is_in_the_text(model, tmp_path):
    texts = []
    for folder, name in (("one", "model.tflite"), ("two", "other.tflite")):
        (tmp_path / folder).mkdir()
        source = tmp_path / folder / name
        source.write_bytes(model.read_bytes())
        embed(source, tmp_path / folder / "a.c")
        texts.append([(tmp_path / folder / made).read_bytes() for made in ("a.c", "a.h")])
    assert texts[0] == texts[1]


def test_files_that_would_be_the_same_are_left_alone(model, tmp_path):
    output, header = tmp_path / "a.c", tmp_path / "a.h"
    embed(model, output)
    header.write_text("something else")
    for path in (output, header):
        os.utime(path, (1, 1))
    embed(model, output, force=True)
    assert output.stat().st_mtime == 1
    assert header.stat().st_mtime > 1
    assert "g_a_size" in header.read_text()


@pytest.mark.parametrize("there", ["a.c", "a.h"])
def test_what_is_there_is_replaced_with_force_only(model, tmp_path, there):
    (tmp_path / there).write_text("mine")
    with pytest.raises(OutputError, match=f"{there}: exists already; use --force"):
        embed(model, tmp_path / "a.c")
    assert (written(tmp_path), (tmp_path / there).read_text()) == ([there], "mine")
    embed(model, tmp_path / "a.c", force=True)
    assert (tmp_path / there).read_text() != "mine"


def test_where_the_header_cannot_be_written_nothing_is(model, tmp_path):
    (tmp_path / "a.h").mkdir()
    with pytest.raises(OutputError, match=r"a\.h: is a folder"):
        embed(model, tmp_path / "a.c", force=True)
    assert written(tmp_path) == ["a.h"]


def test_where_the_array_does_not_fit_the_header_is_not_written_either(model, tmp_path):
    in_two_kib = 'ulimit -f 2; exec "$@"'  # enough for the header
    embedding = command("embed", model, "-o", tmp_path / "a.c")
    done = subprocess.run(["bash", "-c", in_two_kib, "-", *embedding], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (2, f"error: {tmp_path / 'a.c'}: cannot be written: File too large\n")
    assert written(tmp_path) == []


def test_the_depfile_names_the_output_as_given_and_the_model(model, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    embed("model.tflite", "a.c", depfile="a.d")
    assert (tmp_path / "a.d").read_text().startswith("a.c: \\\n  model.tflite")


def test_a_depfile_that_cannot_be_written_is_refused_before_anything_is(model, tmp_path):
    with pytest.raises(OutputError, match="does not exist"):
        embed(model, tmp_path / "a.c", depfile=tmp_path / "missing" / "a.d")
    assert written(tmp_path) == []


@pytest.mark.parametrize("name", ["model.h", "model", "model.tflite", "model.py"])
def test_a_name_that_tells_of_no_language_is_refused(model, tmp_path, name):
    with pytest.raises(UsageError, match=r"name the output \.c for C, or"):
        embed(model, tmp_path / name, force=True)


@pytest.mark.parametrize("name", ['a"b.c', "a\\b.c", "a\nb.c", "a>b.c"])
def test_a_file_that_no_program_could_include_is_refused(model, tmp_path, name):
    with pytest.raises(UsageError, match="a file to include is named with"):
        embed(model, tmp_path / name, name="g_a")


@pytest.mark.parametrize("content", [b"", b"no model", b"PK\3\4 and so on", b"\0\0\0\0TFL3", b"TFLZ and no more"])
def test_what_is_no_model_is_refused(tmp_path, content):
    (tmp_path / "model.bin").write_bytes(content)
    with pytest.raises(ModelFormatError, match=r"model\.bin: "):
        embed(tmp_path / "model.bin", tmp_path / "a.c")
    assert written(tmp_path) == ["model.bin"]


def test_other_packed_models_and_containers_of_something_else_are_refused(model, tmp_path):
    (tmp_path / "model.bin").write_bytes(compress(model.read_bytes()))
    with pytest.raises(ModelFormatError, match=r"neither a \.tflite nor a \.tflz; make one with sparsetool compress"):
        embed(tmp_path / "model.bin", tmp_path / "a.c")
    (tmp_path / "model.bin").write_bytes(pack(b"no model at all"))
    with pytest.raises(ModelFormatError, match=r"not a \.tflite"):
        embed(tmp_path / "model.bin", tmp_path / "a.c")


def test_a_missing_model_is_refused(tmp_path):
    with pytest.raises(ModelFormatError, match="cannot be read: No such file"):
        embed(tmp_path / "model.tflite", tmp_path / "a.c")
