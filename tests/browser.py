"""A real browser for tests: Debian's chromium, driven by its chromedriver over WebDriver, which is HTTP and JSON."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any, Final

import httpx

from tests.processes import free_port

NEEDED: Final = ("chromium", "chromedriver")
START_S: Final = 60.0
ELEMENT: Final = "element-6066-11e4-a52e-4f735466cecf"  # WebDriver's name of what refers to an element
QUIET: Final = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-dev-shm-usage",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip


def missing() -> list[str]:
    """Return the programs that a browser needs and that are not there."""
    return [name for name in NEEDED if shutil.which(name) is None]


class Browser:
    """One window."""

    def __init__(self, folder: Path, *, width: int = 1280, height: int = 900, dark: bool = False) -> None:
        port = free_port()
        self._driver = subprocess.Popen(
            ["chromedriver", f"--port={port}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        self._http = httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=START_S)
        options = {"args": [*QUIET, f"--user-data-dir={folder}", f"--window-size={width},{height}"]}
        capabilities = {
            "browserName": "chrome", "goog:chromeOptions": options,
            "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"},
        }  # fmt: skip
        self._wait_for_driver()
        self._session = ""
        self._session = "/session/" + self._send("/session", capabilities={"alwaysMatch": capabilities})["sessionId"]
        screen = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        self.devtools("Emulation.setDeviceMetricsOverride", **screen)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.devtools("Emulation.setEmulatedMedia", features=[scheme])

    def _wait_for_driver(self) -> None:
        end = time.monotonic() + START_S
        while True:
            try:
                self._http.get("/status").raise_for_status()
                return
            except httpx.TransportError:
                if time.monotonic() > end or self._driver.poll() is not None:
                    raise
                time.sleep(0.05)

    def _send(self, path: str, **body: Any) -> Any:
        answer = self._http.post(self._session + path, json=body).json()["value"]
        if isinstance(answer, dict) and "error" in answer:
            raise RuntimeError(f"{path}: {answer['message']}")
        return answer

    def devtools(self, command: str, **parameters: Any) -> Any:
        """Send a command of Chromium's own protocol."""
        return self._send("/goog/cdp/execute", cmd=command, params=parameters)

    def open(self, url: str) -> None:
        """Go to a page."""
        self._send("/url", url=url)

    def run(self, script: str, *arguments: Any) -> Any:
        """Return what a function's body in JavaScript returns."""
        return self._send("/execute/sync", script=script, args=arguments)

    def _element(self, selector: str) -> str:
        return str(self._send("/element", using="css selector", value=selector)[ELEMENT])

    def click(self, selector: str) -> None:
        """Click, as a person does: what is hidden or covered cannot be clicked."""
        self._send(f"/element/{self._element(selector)}/click")

    def type(self, selector: str, text: str) -> None:
        """Write into a field, which is emptied first."""
        element = self._element(selector)
        self._send(f"/element/{element}/clear")
        self._send(f"/element/{element}/value", text=text)

    def text(self, selector: str) -> str:
        """Return what of an element is shown."""
        return str(self._http.get(f"{self._session}/element/{self._element(selector)}/text").json()["value"])

    def wait_for_text(self, selector: str, words: str, seconds: float = 20.0) -> str:
        """Return what is shown, as soon as it has these words."""
        end = time.monotonic() + seconds
        while words not in (shown := self.text(selector)) and time.monotonic() < end:
            time.sleep(0.05)
        assert words in shown, shown
        return shown

    def complaints(self) -> list[str]:
        """Return what the browser wrote to its console since it was last asked."""
        return [entry["message"] for entry in self._send("/se/log", type="browser")]

    def requested(self) -> list[str]:
        """Return the addresses that were asked for since it was last asked."""
        events = (json.loads(entry["message"])["message"] for entry in self._send("/se/log", type="performance"))
        return [one["params"]["request"]["url"] for one in events if one["method"] == "Network.requestWillBeSent"]

    def screenshot(self, file: Path) -> None:
        """Save what is seen."""
        file.write_bytes(base64.b64decode(self._http.get(f"{self._session}/screenshot").json()["value"]))

    def close(self) -> None:
        """End the browser and its driver."""
        self._http.delete(self._session)
        self._driver.terminate()
        self._driver.wait(START_S)
        self._http.close()

    def __enter__(self) -> Browser:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
