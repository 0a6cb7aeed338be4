"""A page in headless Chromium: what it draws, says and asks the network for.

Where the browser is missing a test is skipped, or fails if SPARSETOOL_REQUIRE_BROWSER is 1.
"""

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-dev-shm-usage",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--hide-scrollbars",
)  # fmt: skip


def need(*names: str) -> str:
    """Path of the first of these programs that is installed, or the end of the test."""
    path = next((path for name in names if (path := shutil.which(name))), None)
    if path is None:
        problem = f"{names[0]} is not installed (Debian: apt-get install chromium chromium-driver)"
        if os.environ.get("SPARSETOOL_REQUIRE_BROWSER") == "1":
            pytest.fail(problem)
        pytest.skip(problem)
    return path


@contextmanager
def chromium() -> Iterator[Any]:
    """A driver of a browser with a profile of its own."""
    binary, driver = need("chromium", "chromium-browser", "google-chrome"), need("chromedriver")
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    with tempfile.TemporaryDirectory(prefix="sparsetool-browser-") as profile:
        options = webdriver.ChromeOptions()
        options.binary_location = binary
        for flag in (*FLAGS, f"--user-data-dir={profile}"):
            options.add_argument(flag)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        found = webdriver.Chrome(options=options, service=Service(driver))
        try:
            yield found
        finally:
            found.quit()


class Page:
    """One page at one width.

    Args:
        driver: of the browser.
        path: the page.
        width: of the window, in CSS pixels.
    """

    def __init__(self, driver: Any, path: Path, width: int) -> None:
        self._driver = driver
        metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
        driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        for kind in ("browser", "performance"):
            driver.get_log(kind)  # what came before
        driver.get(path.as_uri())
        self.messages = [entry["message"] for entry in driver.get_log("browser")]
        events = [json.loads(entry["message"])["message"] for entry in driver.get_log("performance")]
        sent = [e["params"]["request"]["url"] for e in events if e["method"] == "Network.requestWillBeSent"]
        self.requests = [url for url in sent if not url.startswith("data:")]

    def ask(self, expression: str) -> Any:
        """What JavaScript makes of an expression there."""
        return self._driver.execute_script(f"return {expression}")
