"""A headless Chromium before the web page of a cluster, used as a person uses it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException, WebDriverException
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement

from tests.system.harness import Cluster

CHROMIUM, DRIVER = "/usr/bin/chromium", "/usr/bin/chromedriver"
SECONDS = 20.0
_FLAGS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run")


class Browser:
    """Chromium, logged in by the link of `slurm web`."""

    def __init__(self, cluster: Cluster, profile: Path) -> None:
        found = json.loads(cluster.ok("slurm", "web", "--json"))
        self.address = found["address"].rstrip("/")
        options = Options()
        options.binary_location = CHROMIUM
        for flag in (*_FLAGS, f"--user-data-dir={profile}"):
            options.add_argument(flag)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        self.driver = webdriver.Chrome(options=options, service=Service(DRIVER))
        self.size(1280, 900)
        self.driver.get(found["link"])

    def close(self) -> None:
        """End Chromium."""
        self.driver.quit()

    def size(self, width: int, height: int, *, dark: bool = False) -> None:
        """How large the window is, and whether the user likes it dark."""
        self.driver.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride", {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False})
        self.driver.execute_cdp_cmd(
            "Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]})

    def go(self, place: str) -> None:
        """Load a page."""
        self.driver.get(self.address + place)

    def find(self, selector: str) -> WebElement:
        """An element by its CSS selector."""
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def all(self, selector: str) -> list[WebElement]:
        """Every element of a CSS selector."""
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def write(self, selector: str, text: str) -> None:
        """Put a text into a field, in place of what is there."""
        def written() -> None:
            field = self.find(selector)
            field.clear()
            field.send_keys(text)

        self._steadily(written)

    def click(self, selector: str) -> None:
        """Click on an element."""
        self._steadily(lambda: self.find(selector).click())

    def follow(self, words: str) -> None:
        """Click on the link that has these words."""
        self._steadily(lambda: self.driver.find_element(By.LINK_TEXT, words).click())

    def _steadily(self, act: Callable[[], None]) -> None:
        """Do something to an element, again where the page has just put another in its place."""
        for _ in range(5):
            try:
                act()
                return
            except StaleElementReferenceException:
                continue
        act()

    def press(self, words: str, *, sure: bool = False) -> None:
        """Press the button that has these words; with `sure` agree to the question that comes."""
        self._steadily(lambda: self.driver.find_element(By.XPATH, f"//main//button[normalize-space()='{words}']").click())
        if sure:
            self.driver.switch_to.alert.accept()

    def text(self, selector: str = "main") -> str:
        """What can be read there."""
        script = "const found = document.querySelector(arguments[0]); return found ? (found.innerText ?? found.textContent) : ''"
        text: str = self.driver.execute_script(script, selector)
        return text

    def until(self, what: Callable[[], Any], why: str) -> None:
        """Wait for something without loading the page again; what is on it is shown when that does not come."""
        deadline = time.monotonic() + SECONDS
        while time.monotonic() < deadline:
            try:
                if what():
                    return
            except (StaleElementReferenceException, WebDriverException):
                time.sleep(0.05)
                continue
            time.sleep(0.05)
        raise AssertionError(f"{why}; the page at {self.driver.current_url} says:\n{self.text('body')}")

    def says(self, words: str) -> None:
        """Wait until the page says something."""
        self.until(lambda: words in self.text("main"), f"the page does not say {words!r}")

    def complaints(self) -> list[str]:
        """What the browser wrote to its console: errors of scripts, refusals of the security policy, things that did not load."""
        return [one["message"] for one in self.driver.get_log("browser") if one["level"] in ("SEVERE", "WARNING")]
