"""The document of the format is written to; its worked example is what the code reads and writes."""

import re
from pathlib import Path

from sparsetool_converters.codec import unpack
from sparsetool_converters.codec.container import read_container

DOCUMENT = Path(__file__).parents[3] / "docs" / "FORMAT.md"


def example(kind: str) -> bytes:
    """The bytes of a block of the document: pairs of digits up to the first wide gap of a line."""
    (block,) = re.findall(rf"```{kind}\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)
    return b"".join(bytes.fromhex(line.split("  ")[0]) for line in block.splitlines())


def test_the_example_unpacks_to_what_the_document_says() -> None:
    assert unpack(example("container")) == example("output")


def test_the_example_is_written_as_it_is_read() -> None:
    container = example("container")
    assert read_container(container, max_output_bytes=34).to_bytes() == container
