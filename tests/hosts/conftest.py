"""Real hosts in a real browser: JupyterLab, Notebook 7 and marimo."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

from hosts import notebooks, servers

SCREENSHOTS = Path(__file__).parents[2] / "artifacts" / "screenshots"

# Software rendering, and no look-ups of the browser's own while tests run.
CHROMIUM_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
# Where Jupyter and marimo load a widget's module from. Their own scripts leave errors of their own.
WIDGET_SCRIPTS = ("blob:", "/@file/")
# JupyterLab would also open what an earlier test had open.
PATHS = {"lab": "lab/tree/{name}?reset", "notebook": "notebooks/{name}"}


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict[str, Any]) -> dict[str, Any]:
    path = os.environ.get("CHROMIUM_PATH") or shutil.which("chromium")
    executable = {"executable_path": path} if path else {}
    return {**browser_type_launch_args, **executable, "args": CHROMIUM_ARGUMENTS}


@pytest.fixture(scope="session")
def browser_context_args(browser_context_args: dict[str, Any]) -> dict[str, Any]:
    return {**browser_context_args, "viewport": {"width": 1280, "height": 960}}


@pytest.fixture
def page(page: Page) -> Iterator[Page]:
    """A page on which no error of the widget may go uncaught."""
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(f"{error.message}\n{error.stack}"))
    yield page
    assert [error for error in errors if any(place in error for place in WIDGET_SCRIPTS)] == []


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[servers.Server]:
    with servers.jupyter("lab", tmp_path_factory.mktemp("lab")) as server:
        yield server


@pytest.fixture(scope="session")
def notebook7(tmp_path_factory: pytest.TempPathFactory) -> Iterator[servers.Server]:
    with servers.jupyter("notebook", tmp_path_factory.mktemp("notebook")) as server:
        yield server


@pytest.fixture(params=["lab", "notebook"])
def jupyter(request: pytest.FixtureRequest) -> tuple[str, servers.Server]:
    """Each Jupyter host in turn: its name and its server."""
    fixture = {"lab": "lab", "notebook": "notebook7"}[request.param]
    return request.param, request.getfixturevalue(fixture)


@pytest.fixture
def open_notebook(
    page: Page, jupyter: tuple[str, servers.Server], request: pytest.FixtureRequest
) -> Iterator[Callable[..., notebooks.Notebook]]:
    """Opens a notebook of the given cells and runs them all; its kernel ends with the test."""
    host, server = jupyter

    opened: list[notebooks.Notebook] = []

    def open_it(cells: list[str], *, theme: str = "light") -> notebooks.Notebook:
        name = re.sub(r"\W+", "-", request.node.name).strip("-") + ".ipynb"
        notebooks.write(server, name, cells)
        servers.set_theme(server, theme)
        notebook = notebooks.Notebook(page, server, PATHS[host].format(name=name))
        notebook.open()
        opened.append(notebook)
        notebook.run_all()
        return notebook

    yield open_it
    for notebook in opened:
        notebook.close()


@pytest.fixture
def picture(page: Page, request: pytest.FixtureRequest) -> Callable[..., Path]:
    """Keeps a screenshot of the page among the build artefacts."""

    def take(name: str) -> Path:
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        path = SCREENSHOTS / f"{name}.png"
        page.screenshot(path=path)
        return path

    return take
