"""Starts the notebook servers that the tests visit, each in a folder of its own."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

START_SECONDS = 90.0


@dataclass(frozen=True)
class Server:
    """A running host: where it answers and where it keeps its notebooks."""

    url: str
    folder: Path


def free_port() -> int:
    """A TCP port that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextlib.contextmanager
def running(
    command: list[str], url: str, folder: Path, environment: dict[str, str]
) -> Iterator[Server]:
    """Runs a server until the block ends; raises with its log if it does not come to answer."""
    log = folder / "server.log"
    with log.open("wb") as sink:
        # A session of its own, so that the kernels it starts end with it.
        process = subprocess.Popen(
            command,
            cwd=folder,
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            wait_until_it_answers(process, url, log)
            yield Server(url, folder)
        finally:
            stop(process)


def wait_until_it_answers(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(urllib.error.URLError, ConnectionError, TimeoutError):
            urllib.request.urlopen(url, timeout=5).close()
            return
        time.sleep(0.2)
    text = log.read_text(errors="replace")
    raise RuntimeError(f"expected {url} to answer within {START_SECONDS:.0f} s; got:\n{text}")


def stop(process: subprocess.Popen[bytes]) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=10)
            return


@contextlib.contextmanager
def jupyter(application: str, folder: Path) -> Iterator[Server]:
    """JupyterLab (`"lab"`) or Notebook (`"notebook"`), untouched by the user's own settings."""
    settings = settings_of(folder)
    settings.mkdir(parents=True)
    # Without this the first visit asks whether to fetch news.
    (settings / "notification.jupyterlab-settings").write_text(
        json.dumps({"fetchNews": "false", "checkForUpdates": False})
    )
    notebooks = folder / "notebooks"
    notebooks.mkdir()
    environment = {
        "IPYTHONDIR": str(folder / "ipython"),
        "JUPYTER_CONFIG_DIR": str(folder / "config"),
        "JUPYTER_DATA_DIR": str(folder / "data"),
        "JUPYTER_PREFER_ENV_PATH": "1",
        "JUPYTER_RUNTIME_DIR": str(folder / "runtime"),
        "JUPYTERLAB_SETTINGS_DIR": str(folder / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(folder / "workspaces"),
    }
    port = free_port()
    command = [
        *(sys.executable, "-m", "jupyter", application),
        *("--no-browser", "--allow-root", "--expose-app-in-browser"),
        f"--ServerApp.port={port}",
        "--ServerApp.port_retries=0",
        f"--ServerApp.root_dir={notebooks}",
        "--IdentityProvider.token=",
        "--ServerApp.disable_check_xsrf=True",
    ]
    url = f"http://127.0.0.1:{port}"
    with running(command, f"{url}/api", folder, environment):
        yield Server(url, notebooks)


def set_theme(server: Server, theme: str) -> None:
    """Has the pages that a Jupyter server serves from now on be `"light"` or `"dark"`."""
    path = settings_of(server.folder.parent) / "themes.jupyterlab-settings"
    path.write_text(json.dumps({"theme": f"JupyterLab {theme.title()}"}))


def settings_of(folder: Path) -> Path:
    return folder / "settings" / "@jupyterlab" / "apputils-extension"


@contextlib.contextmanager
def marimo(mode: str, notebook: Path, *, theme: str = "light") -> Iterator[Server]:
    """One marimo notebook, to be edited (`"edit"`) or used as an application (`"run"`)."""
    folder = notebook.parent
    config = folder / "xdg" / "marimo" / "marimo.toml"
    config.parent.mkdir(parents=True, exist_ok=True)
    config.write_text(f'[display]\ntheme = "{theme}"\n\n[runtime]\nauto_instantiate = true\n')
    environment = {"XDG_CONFIG_HOME": str(folder / "xdg"), "MARIMO_SKIP_UPDATE_CHECK": "1"}
    port = free_port()
    command = [
        *(sys.executable, "-m", "marimo", "--yes", mode, str(notebook)),
        *("--headless", "--no-token", "--host", "127.0.0.1", "--port", str(port)),
    ]
    with running(command, f"http://127.0.0.1:{port}", folder, environment) as server:
        yield server
