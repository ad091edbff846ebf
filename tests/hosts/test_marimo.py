"""The widget in a real marimo, as an application and in the editor."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from textwrap import indent

import pytest
from playwright.sync_api import Locator, Page, expect

from hosts import servers
from hosts.notebooks import PATIENCE_MS
from hosts.reading import (
    CAT_IN_LAYER,
    IMAGE_MAPS,
    IMAGE_WIDGET,
    IMPORTS,
    MAPS,
    WIDGET,
    eventually,
    frame,
    ground,
    shows_image,
    token,
)

NOTEBOOK = f"""\
import marimo

app = marimo.App()


@app.cell
def _():
    import marimo as mo
{indent(IMPORTS, "    ")}

    return aw, mo, np


@app.cell
def _(aw, mo, np):
{indent(MAPS, "    ")}
    {WIDGET}
    shown = mo.ui.anywidget(w)
    shown
    return shown, w


@app.cell
def _(mo, shown):
    mo.md(f"Python reads {{list(shown.value['pinned_queries'])}}.")
    return


@app.cell
def _(mo, w):
    def second_layer(_):
        w.layer = 1

    mo.ui.button(label="second layer", on_change=second_layer)
    return


if __name__ == "__main__":
    app.run()
"""


@pytest.fixture
def notebook(tmp_path: Path) -> Path:
    path = tmp_path / "notebook.py"
    path.write_text(NOTEBOOK)
    return path


def widget_on(page: Page) -> Locator:
    widget = page.locator(".attn-widget")
    expect(widget).to_have_attribute("data-status", "ready", timeout=PATIENCE_MS)
    return widget


def test_application_hovers_pins_and_follows_python(page: Page, notebook: Path) -> None:
    with servers.marimo("run", notebook) as server:
        page.goto(server.url)
        widget = widget_on(page)
        token(widget, "query", 1).hover()
        expect(widget).to_contain_text(CAT_IN_LAYER[0])
        token(widget, "query", 1).click()
        expect(page.get_by_text("Python reads [1].")).to_be_visible()
        before = frame(widget)
        page.get_by_role("button", name="second layer").click()
        expect(widget).to_contain_text(CAT_IN_LAYER[1])
        assert frame(widget) > before
        page.reload()
        widget = widget_on(page)
        token(widget, "query", 1).hover()
        expect(widget).to_contain_text(CAT_IN_LAYER[0])


def test_application_shows_images(page: Page, notebook: Path) -> None:
    maps = indent(MAPS, "    ")
    text = NOTEBOOK.replace(maps, indent(IMAGE_MAPS, "    ")).replace(WIDGET, IMAGE_WIDGET)
    assert text.count("opacity=0") == 1
    notebook.write_text(text)
    with servers.marimo("run", notebook) as server:
        page.goto(server.url)
        eventually(lambda: shows_image(widget_on(page)), True)


def test_editor_runs_the_cell_again(page: Page, notebook: Path) -> None:
    with servers.marimo("edit", notebook) as server:
        page.goto(server.url)
        widget = widget_on(page)
        token(widget, "query", 1).click()
        expect(page.get_by_text("Python reads [1].")).to_be_visible()
        page.locator(".cm-content").nth(1).click()
        page.keyboard.press("Control+Enter")
        expect(page.get_by_text("Python reads [].")).to_be_visible()
        widget = widget_on(page)
        expect(token(widget, "query", 1)).to_have_attribute("aria-selected", "false")
        token(widget, "query", 2).click()
        expect(page.get_by_text("Python reads [2].")).to_be_visible()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_follows_the_theme_of_marimo(
    page: Page, notebook: Path, picture: Callable[[str], Path], theme: str
) -> None:
    with servers.marimo("run", notebook, theme=theme) as server:
        page.goto(server.url)
        widget = widget_on(page)
        expect(widget).to_have_attribute("data-theme", theme)
        token(widget, "query", 1).click()
        expect(page.get_by_text("Python reads [1].")).to_be_visible()
        picture(f"marimo-{theme}")
        brightness = ground(widget)
    assert brightness > 200 if theme == "light" else brightness < 60
