"""The page as a browser shows it, at the width of a phone and of a desk."""

import numpy as np
import pytest
from browser import Page, chromium
from hand_made_report import hand_made_report

from sparsetool.report.html import Curve, MaskPicture, Pictures, render
from sparsetool.report.plots import layers_over_time, ramp_up
from sparsetool.report.plots.weights import kept_shares, weight_picture

pytestmark = pytest.mark.slow

WIDTHS = (400, 1400)
SECTIONS = ["summary", "sizes", "limits", "layers", "training", "accuracy", "verification", "timing", "findings"]


@pytest.fixture(scope="module")
def driver():
    with chromium() as found:
        yield found


@pytest.fixture(params=[True, False], ids=["trained", "converted"])
def path(request, tmp_path, pruning_record):
    """A page with all that one can hold, and with long names."""
    weight = np.random.default_rng(3).normal(size=(300, 700)) > 1
    mask = MaskPicture(
        artifact="small", layer=f"model/{'long_' * 40}", shape=weight.shape, png=weight_picture(kept_shares(weight)),
        width=117, height=100,
    )  # fmt: skip
    drawn = (ramp_up(pruning_record), layers_over_time(pruning_record)) if request.param else ()
    curves = tuple(Curve(title=f"curve {index}", svg=svg) for index, svg in enumerate(drawn))
    path = tmp_path / "report.html"
    path.write_text(
        render(hand_made_report(trained=request.param), Pictures(masks=(mask,) * 5, curves=curves)), "utf-8"
    )
    return path


@pytest.mark.parametrize("width", WIDTHS)
def test_page_says_nothing_asks_for_nothing_and_fits(driver, path, width):
    page = Page(driver, path, width)
    assert page.messages == []
    assert page.requests == [path.as_uri()]
    assert page.ask("window.innerWidth") == width
    assert page.ask("document.scrollingElement.scrollWidth") <= width


@pytest.mark.parametrize("width", WIDTHS)
def test_every_section_is_seen_with_its_heading_and_something_in_it(driver, path, width):
    page = Page(driver, path, width)
    found = page.ask("[...document.querySelectorAll('main > section')].map(s => s.id)")
    assert found == SECTIONS
    headings = page.ask("[...document.querySelectorAll('section > h2')].map(h => h.innerText.trim().length > 3)")
    assert headings == [True] * len(SECTIONS)
    rest = page.ask(
        "[...document.querySelectorAll('main > section')].map(s => s.innerText.length - s.children[0].innerText.length)"
    )
    assert min(rest) > 30
    assert page.ask("[...document.querySelectorAll('main > section')].every(s => s.offsetHeight > 40)")


def test_every_picture_is_drawn(driver, path):
    page = Page(driver, path, WIDTHS[1])
    sizes = page.ask("[...document.images].map(i => i.complete && i.naturalWidth > 0 && i.clientWidth > 10)")
    assert len(sizes) >= 5
    assert all(sizes)
    assert page.ask("document.querySelectorAll('svg rect').length") > 4


def test_what_is_folded_opens_without_making_the_page_wider(driver, path):
    page = Page(driver, path, WIDTHS[0])
    assert page.ask("document.querySelectorAll('details').length") > 0
    page.ask("document.querySelectorAll('details').forEach(d => d.open = true)")
    assert page.ask("document.scrollingElement.scrollWidth") <= WIDTHS[0]


def test_a_page_that_asks_for_something_or_is_too_wide_would_be_seen(driver, tmp_path):
    path = tmp_path / "bad.html"
    path.write_text("<img src='file:///nowhere.png'><script>console.error('oh')</script><p style='width:2000px'>wide")
    page = Page(driver, path, WIDTHS[0])
    assert page.requests == [path.as_uri(), "file:///nowhere.png"]
    assert any("oh" in message for message in page.messages)
    assert page.ask("document.scrollingElement.scrollWidth") > WIDTHS[0]
