"""Chromium through its own protocol, with nothing of it switched on that a case does not need.

Playwright asks the browser to report every WebSocket message in full. That costs about 15 ms a
megabyte on the page's own thread, and ends the driver at the hundreds of megabytes that BertViz
sends for 256 tokens, so what is timed here must not be driven by it.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import shutil
import subprocess
import tempfile
import threading
import time
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Any

import psutil
import websocket

WIDTH, HEIGHT = 1280, 1024
FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--no-first-run",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-extensions",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
    "--mute-audio",
    "--remote-debugging-port=0",
    f"--window-size={WIDTH},{HEIGHT}",
)
CONTROL, SHIFT = 2, 8


class PageError(Exception):
    """The page threw, crashed, or took longer than it was given."""


def chromium_path() -> str:
    """Return the Chromium of CHROMIUM_PATH, of PATH, or of Playwright.

    Raises:
        SystemExit: If there is none.
    """
    if path := os.environ.get("CHROMIUM_PATH"):
        return path
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if path := shutil.which(name):
            return path
    try:
        from playwright.sync_api import sync_playwright
    except ImportError as error:
        raise SystemExit("no Chromium found; name one in CHROMIUM_PATH") from error
    with sync_playwright() as playwright:
        return playwright.chromium.executable_path


class Browser:
    """A browser with one page, in a profile of its own.

    Args:
        script: Source that runs in the page before its own scripts do.
        files: What is served in place of files from other hosts, by a part of their address; other
            requests to `intercept` fail.
        intercept: Pattern of the addresses that `files` stands for.
    """

    def __init__(self, script: str, files: dict[str, bytes], intercept: str) -> None:
        self._files = files
        self._profile = tempfile.mkdtemp()
        self._process = subprocess.Popen(
            [chromium_path(), *FLAGS, f"--user-data-dir={self._profile}", "about:blank"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        address = f"http://127.0.0.1:{self._port()}"
        targets = json.load(urllib.request.urlopen(f"{address}/json/list"))
        page = next(target for target in targets if target["type"] == "page")
        self._socket = websocket.create_connection(
            page["webSocketDebuggerUrl"], suppress_origin=True, max_size=None
        )
        self._replies: dict[int, dict[str, Any]] = {}
        self._arrived = threading.Condition()
        self._count = 0
        self._sending = threading.Lock()
        self._closed = ""
        threading.Thread(target=self._read, daemon=True).start()
        self.version = str(self.call("Browser.getVersion")["product"].split("/")[1])
        self.call("Page.enable")
        self.call("Inspector.enable")
        self.call("Emulation.setFocusEmulationEnabled", enabled=True)
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=WIDTH,
            height=HEIGHT,
            deviceScaleFactor=1,
            mobile=False,
        )
        self.call("Page.addScriptToEvaluateOnNewDocument", source=script)
        self.call("Fetch.enable", patterns=[{"urlPattern": intercept}])

    def __enter__(self) -> Browser:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.kill()
        self._process.wait()
        shutil.rmtree(self._profile, ignore_errors=True)

    def _port(self, seconds: float = 30) -> int:
        told = Path(self._profile) / "DevToolsActivePort"
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if told.exists() and "\n" in (text := told.read_text()):
                return int(text.splitlines()[0])
            time.sleep(0.05)
        raise TimeoutError(f"Chromium did not start within {seconds:.0f} s")

    def _read(self) -> None:
        try:
            while True:
                message = json.loads(self._socket.recv())
                if message.get("method") == "Fetch.requestPaused":
                    self._answer(message["params"])
                elif message.get("method") == "Inspector.targetCrashed":
                    raise PageError("the page crashed")
                elif "id" in message:
                    with self._arrived:
                        self._replies[message["id"]] = message
                        self._arrived.notify_all()
        except Exception as error:
            with self._arrived:
                self._closed = str(error) or type(error).__name__
                self._arrived.notify_all()

    def _answer(self, request: dict[str, Any]) -> None:
        name = request["requestId"]
        for part, body in self._files.items():
            if part in request["request"]["url"]:
                headers = {
                    "Content-Type": "application/javascript",
                    "Access-Control-Allow-Origin": "*",
                    "Timing-Allow-Origin": "*",
                }
                self._send(
                    "Fetch.fulfillRequest",
                    requestId=name,
                    responseCode=200,
                    responseHeaders=[{"name": k, "value": v} for k, v in headers.items()],
                    body=base64.b64encode(body).decode(),
                )
                return
        self._send("Fetch.failRequest", requestId=name, errorReason="AddressUnreachable")

    def _send(self, method: str, **params: Any) -> int:
        with self._sending:
            self._count += 1
            self._socket.send(json.dumps({"id": self._count, "method": method, "params": params}))
            return self._count

    def call(self, method: str, *, seconds: float = 60, **params: Any) -> dict[str, Any]:
        """Send one command of the protocol and return its result.

        Raises:
            TimeoutError: If there is no answer in time.
            PageError: If the answer is an error or the page is gone.
        """
        number = self._send(method, **params)
        with self._arrived:
            if not self._arrived.wait_for(
                lambda: number in self._replies or self._closed, timeout=seconds
            ):
                raise TimeoutError
            if self._closed:
                raise PageError(self._closed)
            reply = self._replies.pop(number)
        if "error" in reply:
            raise PageError(reply["error"]["message"])
        result: dict[str, Any] = reply["result"]
        return result

    def run(self, function: str, *arguments: Any, seconds: float = 60) -> Any:
        """Call a JavaScript function in the page, wait for its promise, and return its value."""
        values = ", ".join(json.dumps(value) for value in arguments)
        result = self.call(
            "Runtime.evaluate",
            expression=f"({function})({values})",
            awaitPromise=True,
            returnByValue=True,
            seconds=seconds,
        )
        if "exceptionDetails" in result:
            details = result["exceptionDetails"]
            raise PageError(details.get("exception", {}).get("description", details["text"]))
        return result["result"].get("value")

    def wait(self, expression: str, *, seconds: float = 60) -> None:
        """Ask ten times a second until an expression is true.

        Raises:
            TimeoutError: If it is not true in time.
        """
        end = time.monotonic() + seconds
        while not self.run(f"() => Boolean({expression})", seconds=end - time.monotonic()):
            if time.monotonic() > end:
                raise TimeoutError
            time.sleep(0.1)

    def go(self, address: str) -> None:
        """Navigate; returns before the page has loaded."""
        self.call("Page.navigate", url=address)

    def enter(self, modifier: int) -> None:
        """Press Enter with `CONTROL` or `SHIFT` held."""
        key = {"key": "Enter", "code": "Enter", "windowsVirtualKeyCode": 13, "modifiers": modifier}
        self._send("Input.dispatchKeyEvent", type="rawKeyDown", **key)
        self._send("Input.dispatchKeyEvent", type="keyUp", **key)

    def button(self, kind: str, x: float, y: float) -> None:
        """Press or release the left button: "mousePressed" or "mouseReleased"."""
        self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def click(self, x: float, y: float) -> None:
        """Click with the left button."""
        for kind in ("mousePressed", "mouseReleased"):
            self.button(kind, x, y)

    def move(self, x: float, y: float, held: bool = False) -> None:
        """Move the pointer there at once, the left button held or not."""
        button = {"button": "left", "buttons": 1} if held else {}
        self._send("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y, **button)

    def wheel(self, x: float, y: float, by: float, modifier: int = 0) -> None:
        """Turn the wheel by some pixels, with `CONTROL` held or not."""
        where = {"x": x, "y": y, "deltaX": 0, "deltaY": by, "modifiers": modifier}
        self._send("Input.dispatchMouseEvent", type="mouseWheel", **where)

    def memory(self) -> int:
        """Return the bytes that the browser's processes hold for themselves alone."""
        self.call("HeapProfiler.collectGarbage")
        first = psutil.Process(self._process.pid)
        held = 0
        for process in (first, *first.children(recursive=True)):
            with contextlib.suppress(psutil.Error):
                held += process.memory_full_info().uss
        return held

    def picture(self, path: Path) -> None:
        """Write what is on screen as a PNG."""
        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot", seconds=20)["data"]))
