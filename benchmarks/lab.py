"""A real JupyterLab, and a Chromium that looks at it with the probe in its page."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any

import psutil
from browser import Browser

HERE = Path(__file__).parent
# What BertViz asks a content network for, and the npm package that holds the same file.
SCRIPTS = {
    "require.js/2.3.6/require.min.js": ("requirejs@2.3.6", "requirejs/require.js"),
    "jquery/2.0.0/jquery.min": ("jquery@2.1.0", "jquery/dist/jquery.min.js"),
    "d3/5.7.0/d3.min": ("d3@5.7.0", "d3/dist/d3.min.js"),
}
SETTINGS = {
    "@jupyterlab/apputils-extension:notification": {"fetchNews": "false", "checkForUpdates": False},
}


class Lab:
    """A JupyterLab server with its own settings and an empty folder of notebooks.

    Attributes:
        folder: Where the notebooks are.
        version: Of JupyterLab.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "notebooks"
        self.folder.mkdir()
        self._config = folder / "config"
        overrides = self._config / "labconfig"
        overrides.mkdir(parents=True)
        (overrides / "default_setting_overrides.json").write_text(json.dumps(SETTINGS))
        self._token = "benchmark"
        self._address = f"http://127.0.0.1:{_free_port()}"
        self._process = subprocess.Popen(
            [
                *(sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"),
                f"--ServerApp.port={self._address.rsplit(':', 1)[1]}",
                f"--IdentityProvider.token={self._token}",
                f"--ServerApp.root_dir={self.folder}",
                f"--LabApp.user_settings_dir={self._config / 'settings'}",
                f"--LabApp.workspaces_dir={self._config / 'workspaces'}",
                "--LabApp.expose_app_in_browser=True",
            ],
            env=os.environ
            | {
                "JUPYTER_CONFIG_DIR": str(self._config),
                "IPYTHONDIR": str(folder / "ipython"),
                "HF_HUB_OFFLINE": "1",
            },
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self.version = str(self._wait()["version"])

    def _wait(self, seconds: float = 60) -> Any:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            with contextlib.suppress(OSError):
                return self._ask("api/status") | self._ask("api")
            time.sleep(0.2)
        raise TimeoutError(f"JupyterLab did not answer within {seconds:.0f} s")

    def _ask(self, path: str, method: str = "GET") -> Any:
        request = urllib.request.Request(
            f"{self._address}/{path}",
            method=method,
            headers={"Authorization": f"token {self._token}"},
        )
        with urllib.request.urlopen(request, timeout=30) as reply:
            body = reply.read()
        return json.loads(body) if body else None

    def write(self, name: str, cells: list[str]) -> Path:
        """Write a notebook with these code cells."""
        path = self.folder / name
        notebook = {
            "nbformat": 4,
            "nbformat_minor": 5,
            "metadata": {
                "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}
            },
            "cells": [
                {
                    "cell_type": "code",
                    "id": f"cell-{index}",
                    "metadata": {},
                    "source": source,
                    "outputs": [],
                    "execution_count": None,
                }
                for index, source in enumerate(cells)
            ],
        }
        path.write_text(json.dumps(notebook))
        return path

    def address(self, notebook: Path) -> str:
        """Return the address of a notebook in a JupyterLab that opens nothing else."""
        return f"{self._address}/lab/tree/{notebook.name}?reset&token={self._token}"

    def kernel(self) -> psutil.Process:
        """Return the process of the only kernel.

        Raises:
            RuntimeError: If there is none or more than one.
        """
        running = psutil.Process(self._process.pid).children(recursive=True)
        found = [process for process in running if _is_kernel(process)]
        if len(found) != 1:
            raise RuntimeError(f"expected one kernel; found {len(found)}")
        return found[0]

    def forget(self) -> None:
        """End every kernel and drop what a case changed in the settings."""
        for session in self._ask("api/sessions"):
            self._ask(f"api/sessions/{session['id']}", "DELETE")
        shutil.rmtree(self._config / "settings", ignore_errors=True)

    def close(self) -> None:
        """Stop the server and its kernels."""
        self._process.terminate()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()


def _is_kernel(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.Error):
        return any("ipykernel_launcher" in part for part in process.cmdline())
    return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def open_browser(scripts: dict[str, bytes]) -> Browser:
    """Open a browser with the probe in its page.

    Args:
        scripts: What `bertviz_scripts` returns; every other request to another host fails.
    """
    script = "\n".join((HERE / name).read_text() for name in ("probe.js", "probe_views.js"))
    return Browser(script, scripts, "https://*")


@functools.cache
def bertviz_scripts() -> dict[str, bytes]:
    """Fetch what BertViz loads from a content network, from npm packages of the same name.

    Returns:
        Body of each script by the end of the address that BertViz asks for. RequireJS is minified
        here, since its package holds only the source; jQuery 2.0.0 was never an npm package, so the
        nearest one, 2.1.0, stands in for it.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "package.json").write_text("{}")
        packages = [package for package, _ in SCRIPTS.values()]
        npm = [*("npm", "install", "--silent", "--no-audit", "--no-fund"), *packages, "terser@5"]
        subprocess.run(npm, cwd=folder, check=True, stdout=subprocess.DEVNULL)
        scripts = {}
        for address, (_, file) in SCRIPTS.items():
            path = folder / "node_modules" / file
            if not path.name.endswith(".min.js"):
                command = [str(folder / "node_modules/.bin/terser"), str(path), "-c", "-m"]
                scripts[address] = subprocess.run(command, check=True, capture_output=True).stdout
            else:
                scripts[address] = path.read_bytes()
        return scripts
