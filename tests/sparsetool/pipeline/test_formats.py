"""What a file's name says of its format."""

from pathlib import Path

import pytest

from sparsetool.pipeline.formats import Format, format_of_output, format_of_source, output_path
from sparsetool_converters.errors import UsageError


@pytest.mark.parametrize(
    ("name", "written"), [("a.tflite", Format.TFLITE), ("a.tflz", Format.TFLZ), ("a.tflite.zst", Format.ZST)]
)
def test_an_output_is_what_its_name_ends_in(name, written):
    assert format_of_output(Path("folder.tflite", name)) is written
    assert name.endswith(written.suffix)


@pytest.mark.parametrize("name", ["a", "a.zst", "a.tflz.gz", "tflite", "a.keras"])
def test_an_output_of_another_name_is_refused(name):
    with pytest.raises(UsageError, match=f"^{name}: name the output "):
        format_of_output(Path(name))


def test_a_source_is_packed_only_if_its_name_says_so():
    read = {name: format_of_source(Path(name)) for name in ("a.tflite", "a.bin", "a.tflz", "a.tflite.zst", "a.zst")}
    assert list(read.values()) == [Format.TFLITE, Format.TFLITE, Format.TFLZ, Format.ZST, Format.ZST]


@pytest.mark.parametrize("name", ["a.b.tflite", "a.b.tflz", "a.b.tflite.zst", "a.b.keras", "a.b"])
def test_an_output_without_a_name_has_the_source_s(name):
    assert output_path(Path("folder", name), None, None) == Path("folder/a.b.tflz")
    assert output_path(Path("folder", name), None, Format.ZST) == Path("folder/a.b.tflite.zst")


def test_an_output_of_a_folder_that_is_only_a_dot_is_a_model():
    assert output_path(Path(), None, None) == Path("model.tflz")


def test_a_name_and_a_format_that_contradict_each_other_are_refused():
    assert output_path(Path("a.tflite"), Path("b.tflz"), Format.TFLZ) == Path("b.tflz")
    with pytest.raises(UsageError, match=r"^b\.tflz: the name of a file in the format zst ends in \.tflite\.zst$"):
        output_path(Path("a.tflite"), Path("b.tflz"), Format.ZST)
