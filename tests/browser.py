"""Headless Chromium, as a user without a network has it."""

import base64
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

REQUIRED = "SPARSETOOL_REQUIRE_BROWSER"
FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip


class Page:
    """An open page."""

    def __init__(self, driver: Any) -> None:
        self._driver = driver

    def resize(self, width: int) -> None:
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
        self._driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)

    def run(self, script: str) -> Any:
        return self._driver.execute_script(script)

    def console(self) -> list[Any]:
        """Everything that was logged, errors and warnings."""
        return list(self._driver.get_log("browser"))

    def requests(self) -> list[str]:
        """Every address that was asked for."""
        messages = [json.loads(entry["message"])["message"] for entry in self._driver.get_log("performance")]
        return [m["params"]["request"]["url"] for m in messages if m["method"] == "Network.requestWillBeSent"]

    def screenshot(self) -> bytes:
        taken = self._driver.execute_cdp_cmd("Page.captureScreenshot", {"format": "png"})
        return base64.b64decode(taken["data"])


@contextmanager
def opened(path: Path) -> Iterator[Page]:
    """The file in a browser of its own; skips the test where there is none, unless SPARSETOOL_REQUIRE_BROWSER is 1."""
    browser, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if browser is None or driver is None:
        missing = "chromium and chromedriver are not installed (Debian: apt-get install chromium chromium-driver)"
        if os.environ.get(REQUIRED) == "1":
            raise FileNotFoundError(missing)
        pytest.skip(missing)
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = browser
    for flag in FLAGS:
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    chrome = webdriver.Chrome(options=options, service=Service(driver))
    try:
        chrome.get(path.as_uri())
        yield Page(chrome)
    finally:
        chrome.quit()
