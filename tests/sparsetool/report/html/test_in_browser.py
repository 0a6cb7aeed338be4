"""The page in a real browser: nothing is fetched, nothing fails, nothing is wider than the window."""

import pytest
from browser import opened

from sparsetool.report.html import render

pytestmark = pytest.mark.slow


@pytest.fixture
def page_path(tmp_path, report, pictures):
    path = tmp_path / "report.html"
    path.write_text(render(report, pictures), encoding="utf-8")
    return path


def test_a_browser_has_nothing_to_complain_of_and_asks_for_nothing(page_path):
    with opened(page_path) as page:
        assert page.console() == []
        asked = page.requests()
        assert asked[0] == page_path.as_uri()
        assert all(address.startswith("data:") for address in asked[1:])
        sections = page.run(
            "return [...document.querySelectorAll('main > section')].map(s => [s.id, s.innerText.trim().length])"
        )
        names = ["summary", "sizes", "layers", "training", "accuracy", "verification", "timing", "findings"]
        assert [name for name, _ in sections] == names
        assert min(length for _, length in sections) > 60
        images = page.run("return [...document.images].map(i => [i.complete, i.naturalWidth, i.alt.length])")
        assert len(images) == 2
        assert all(complete and width > 0 and alt > 0 for complete, width, alt in images)


@pytest.mark.parametrize("width", [400, 1400])
def test_the_page_is_never_wider_than_the_window(page_path, width):
    with opened(page_path) as page:
        page.resize(width)
        assert page.run("return document.scrollingElement.scrollWidth") <= width
        # Wide tables move in boxes of their own.
        over = page.run(
            "return [...document.querySelectorAll('main *')].filter(e => !e.closest('.scroll') && !e.closest('svg') && "
            "e.getBoundingClientRect().right > window.innerWidth + 1).map(e => e.tagName + '.' + e.className)"
        )
        assert over == []
        smallest = page.run(
            "return Math.min(...[...document.querySelectorAll('td, th, p, dd')].map(e => "
            "parseFloat(getComputedStyle(e).fontSize)))"
        )
        assert smallest >= 11
