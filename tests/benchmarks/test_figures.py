"""When a benchmark fails."""

import pytest
from figures import Figure


@pytest.mark.parametrize(("value", "holds"), [(-0.11, False), (-0.10, True), (0.0, True), (0.5, True), (0.51, False)])
def test_a_figure_holds_from_its_least_value_to_its_limit(value: float, holds: bool) -> None:
    assert Figure(name="", value=value, unit="points", least=-0.10, limit=0.5).holds == holds


def test_what_was_not_measured_breaks_no_limit() -> None:
    assert Figure(name="", value=None, unit="points", least=0, limit=0).holds
