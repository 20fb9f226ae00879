"""A small client of the WebDriver protocol (W3C) for headless Chromium: what the tests need, nothing more."""

import base64
import json
import re
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ELEMENT = "element-6066-11e4-a52e-4f735466cecf"  # the key of an element's reference, fixed by the standard
START_SECONDS = 30.0
CALL_SECONDS = 60.0


class BrowserError(Exception):
    """The browser refused a command, or a page never came to what was waited for."""


def is_installed() -> bool:
    """True if this machine has Chromium and its driver."""
    return bool(_chromium() and shutil.which("chromedriver"))


def _chromium() -> str | None:
    return shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


class Browser:
    """One session of a headless browser."""

    def __init__(self, base: str) -> None:
        self._base = base

    def go(self, url: str) -> None:
        """Open the page and return once it is loaded."""
        self._call("POST", "/url", {"url": url})

    @property
    def url(self) -> str:
        """The address of the page."""
        return str(self._call("GET", "/url"))

    @property
    def title(self) -> str:
        """The title of the page."""
        return str(self._call("GET", "/title"))

    def find(self, selector: str) -> str:
        """Return the reference of the first element that fits the CSS selector. Raises: BrowserError."""
        return str(self._call("POST", "/element", {"using": "css selector", "value": selector})[ELEMENT])

    def count(self, selector: str) -> int:
        """Return how many elements fit the selector."""
        return len(self._call("POST", "/elements", {"using": "css selector", "value": selector}))

    def text(self, selector: str) -> str:
        """Return the visible text of the first element that fits."""
        return str(self._call("GET", f"/element/{self.find(selector)}/text"))

    def click(self, selector: str) -> None:
        """Click the first element that fits."""
        self._call("POST", f"/element/{self.find(selector)}/click", {})

    def type(self, selector: str, text: str) -> None:
        """Type into the first element that fits."""
        self._call("POST", f"/element/{self.find(selector)}/value", {"text": text})

    def run(self, script: str) -> Any:
        """Return what the script, the body of a function, returns."""
        return self._call("POST", "/execute/sync", {"script": script, "args": []})

    def wait(self, script: str, *, seconds: float = 20.0) -> Any:
        """Return the script's first true value. Raises: BrowserError when none came in time."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if value := self.run(script):
                return value
        raise BrowserError(f"waited {seconds} s for {script!r} on {self.url}")

    def resize(self, width: int, height: int) -> None:
        """Give the window this size in pixels."""
        self._call("POST", "/window/rect", {"width": width, "height": height})

    def devtools(self, command: str, **parameters: Any) -> Any:
        """Return the answer to a command of Chromium's own DevTools protocol."""
        return self._call("POST", "/goog/cdp/execute", {"cmd": command, "params": parameters})

    def colours(self, scheme: str) -> None:
        """Prefer `light` or `dark`, as the system's setting would."""
        self.devtools("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])

    def screenshot(self, path: Path, *, whole_page: bool = False) -> None:
        """Write the page as PNG: the window, or all of it."""
        answer = self.devtools("Page.captureScreenshot", format="png", captureBeyondViewport=whole_page)
        path.write_bytes(base64.b64decode(answer["data"]))

    def complaints(self) -> list[str]:
        """Return what the console said at the levels warning and severe since the last call."""
        return [entry["message"] for entry in self._call("POST", "/se/log", {"type": "browser"})]

    def _call(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        return _request(method, self._base + path, body)


@contextmanager
def browser(*, width: int = 1440, height: int = 900) -> Iterator[Browser]:
    """Yield a browser with a profile of its own; it and its driver end with the context."""
    with tempfile.TemporaryDirectory(prefix="quarry-browser-", ignore_cleanup_errors=True) as profile:
        port = _free_port()
        driver = subprocess.Popen(
            ["chromedriver", f"--port={port}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            address = f"http://127.0.0.1:{port}"
            _wait_ready(address, driver)
            session = _request("POST", f"{address}/session", _wanted(profile, width, height))["sessionId"]
            try:
                yield Browser(f"{address}/session/{session}")
            finally:
                _request("DELETE", f"{address}/session/{session}")
        finally:
            driver.terminate()
            driver.wait(timeout=10)


def _wanted(profile: str, width: int, height: int) -> dict[str, Any]:
    arguments = [
        "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
        "--disable-background-networking", "--disable-component-update", "--disable-sync",
        "--disable-dev-shm-usage", f"--user-data-dir={profile}", f"--window-size={width},{height}",
    ]  # fmt: skip
    options = {"args": arguments, "binary": _chromium()}
    wanted = {"browserName": "chrome", "goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "WARNING"}}
    return {"capabilities": {"alwaysMatch": wanted}}


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def _wait_ready(address: str, driver: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and driver.poll() is None:
        try:
            if _request("GET", f"{address}/status")["ready"]:
                return
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.05)
    raise BrowserError("chromedriver did not start")


def _request(method: str, url: str, body: dict[str, Any] | None = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"}, method=method)
    try:
        with urllib.request.urlopen(request, timeout=CALL_SECONDS) as answer:
            return json.load(answer)["value"]
    except urllib.error.HTTPError as error:
        with error:
            detail = json.load(error)["value"]
        raise BrowserError(f"{detail['error']}: {re.split('Stacktrace', detail['message'])[0].strip()}") from None
