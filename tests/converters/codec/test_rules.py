"""Every rule of docs/FORMAT.md, broken by one container, is noticed by the Python decoder."""

import pytest
from broken_containers import broken_containers, sound_containers

from sparsetool_converters.codec import WireFormatError, unpack

SOUND, BROKEN = sound_containers(), broken_containers()


@pytest.mark.parametrize("name", SOUND)
def test_a_sound_container_unpacks(name: str) -> None:
    container, output = SOUND[name]
    assert unpack(container) == output


@pytest.mark.parametrize("rule", BROKEN)
def test_a_broken_rule_is_refused(rule: str) -> None:
    with pytest.raises(WireFormatError):
        unpack(BROKEN[rule])
