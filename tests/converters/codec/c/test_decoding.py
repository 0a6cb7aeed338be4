"""What Python packs, C unpacks, byte for byte; what one refuses, so does the other."""

import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
from c_tools import Decoder, RefusedError
from containers import MOST_OUTPUT_BYTES, container_number
from seed_models import SEED_MODELS
from small_containers import small_containers
from tensor_files import tensor_file

from sparsetool_converters.codec import Effort, WireFormatError, pack, unpack

LIST_PATH = Path(__file__).parents[3] / "published" / "models.toml"
PUBLISHED = [entry["name"] for entry in tomllib.loads(LIST_PATH.read_text(encoding="utf-8"))["model"]]


@pytest.mark.parametrize("name", small_containers())
def test_every_form_of_telling_places_and_values_unpacks(decoder: Decoder, name: str) -> None:
    container, output = small_containers()[name]
    assert decoder.unpack(container) == output
    assert unpack(container) == output


@pytest.mark.parametrize("data", [b"", b"x", b"no model at all", bytes(100_000)])
def test_any_file_unpacks(decoder: Decoder, data: bytes) -> None:
    assert decoder.unpack(pack(data)) == data


@pytest.mark.parametrize("name", SEED_MODELS)
@pytest.mark.parametrize("effort", Effort)
def test_small_models_unpack(decoder: Decoder, name: str, effort: Effort) -> None:
    data = SEED_MODELS[name]()
    assert decoder.unpack(pack(data, effort=effort)) == data


@pytest.mark.slow
@pytest.mark.parametrize("name", PUBLISHED)
def test_published_models_unpack(decoder: Decoder, published_model: Callable[[str], Path], name: str) -> None:
    data = published_model(name).read_bytes()
    assert decoder.unpack(pack(data, effort=Effort.FAST)) == data


@pytest.mark.slow
def test_hard_tensors_unpack(decoder: Decoder) -> None:
    for number in range(300):
        data = tensor_file(number)
        assert decoder.unpack(pack(data, effort=Effort.FAST)) == data, f"tensor_file({number})"


@pytest.mark.slow
def test_damaged_containers_get_the_same_answer_from_python_and_c(decoder: Decoder) -> None:
    refused = 0
    for number in range(3000):
        container, _ = container_number(number)
        try:
            expected: bytes | None = bytes(unpack(container, max_output_bytes=MOST_OUTPUT_BYTES))
        except WireFormatError:
            expected, refused = None, refused + 1
        try:
            found: bytes | None = decoder.unpack(container, max_output_bytes=MOST_OUTPUT_BYTES)
        except RefusedError:
            found = None
        assert found == expected, f"container_number({number})"
    assert refused > 2000


def test_output_larger_than_accepted_is_refused(decoder: Decoder) -> None:
    container = pack(bytes(1000))
    assert decoder.inspect(container, max_output_bytes=1000).output_size == 1000
    with pytest.raises(RefusedError, match="larger than accepted"):
        decoder.inspect(container, max_output_bytes=999)


def test_less_workspace_than_asked_for_is_refused(decoder: Decoder) -> None:
    container, _ = small_containers()["gaps-turned-1-4-3-6-0.3"]
    with pytest.raises(RefusedError, match="too little workspace"):
        decoder.unpack(container, less_workspace=1)
