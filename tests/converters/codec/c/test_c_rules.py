"""Every rule of docs/FORMAT.md, broken by one container, is noticed by the C decoder."""

import pytest
from broken_containers import broken_containers, sound_containers
from c_tools import Decoder, RefusedError

SOUND, BROKEN = sound_containers(), broken_containers()


@pytest.mark.parametrize("name", SOUND)
def test_a_sound_container_unpacks(decoder: Decoder, name: str) -> None:
    container, output = SOUND[name]
    assert decoder.unpack(container) == output


@pytest.mark.parametrize("rule", BROKEN)
def test_a_broken_rule_is_refused(decoder: Decoder, rule: str) -> None:
    with pytest.raises(RefusedError):
        decoder.unpack(BROKEN[rule])


@pytest.mark.parametrize(
    ("rule", "error"),
    [
        ("magic", "not a .tflz container"),
        ("version", "an unknown version"),
        ("container too short", "cut off"),
        ("a terabyte", "larger than accepted"),
        ("directory checksum", "directory is damaged"),
        ("frame with another checksum", "a frame is damaged"),
        ("too few values", "contradicts the directory"),
        ("output hash", "checksum of the output differs"),
    ],
)
def test_errors_say_what_is_wrong(decoder: Decoder, rule: str, error: str) -> None:
    with pytest.raises(RefusedError, match=error):
        decoder.unpack(BROKEN[rule])
