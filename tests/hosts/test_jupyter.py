"""The widget in a real JupyterLab and a real Notebook 7."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from hosts.notebooks import Notebook
from hosts.reading import (
    CAT_IN_LAYER,
    CELLS,
    IMPORTS,
    MAPS,
    WIDGET,
    eventually,
    frame,
    ground,
    ink,
    token,
)
from hosts.servers import Server

OpenNotebook = Callable[..., Notebook]
TakePicture = Callable[[str], Path]


def test_draws_lines(open_notebook: OpenNotebook) -> None:
    notebook = open_notebook(CELLS)
    widget = notebook.widget()
    drawn, before = ink(widget), frame(widget)
    notebook.python("w.heads = None")
    eventually(lambda: frame(widget) > before, True)
    assert drawn > ink(widget) + 1000


def test_hovering_a_token_reads_its_weights(open_notebook: OpenNotebook) -> None:
    widget = open_notebook(CELLS).widget()
    expect(widget).not_to_contain_text(CAT_IN_LAYER[0])
    before = frame(widget)
    token(widget, "query", 1).hover()
    expect(widget).to_contain_text(CAT_IN_LAYER[0])
    token(widget, "key", 0).hover()
    expect(widget).to_contain_text("the is attended by the 0.625")
    assert frame(widget) == before, "hovering must not redraw the base"


def test_python_reads_what_is_pinned(open_notebook: OpenNotebook) -> None:
    notebook = open_notebook(CELLS)
    widget = notebook.widget()
    token(widget, "query", 1).click()
    eventually(lambda: notebook.python("print(w.pinned_queries)"), "(1,)")
    assert notebook.python("print(*w.selection()[0])") == "0 0 1 cat 0 the 0.625"
    token(widget, "key", 2).click(modifiers=["Shift"])
    eventually(lambda: notebook.python("print(w.pinned_queries, w.pinned_keys)"), "(1,) (2,)")
    token(widget, "query", 1).press("Escape")
    eventually(lambda: notebook.python("print(w.pinned_queries, w.pinned_keys)"), "() ()")


def test_page_follows_python(open_notebook: OpenNotebook) -> None:
    notebook = open_notebook(CELLS)
    widget = notebook.widget()
    before = frame(widget)
    notebook.python("w.layer = 1")
    eventually(lambda: frame(widget) > before, True)
    token(widget, "query", 1).hover()
    expect(widget).to_contain_text(CAT_IN_LAYER[1])
    notebook.python("w.pinned_queries = (2,)")
    expect(token(widget, "query", 2)).to_have_attribute("aria-selected", "true")
    expect(token(widget, "query", 1)).to_have_attribute("aria-selected", "false")


def test_running_the_cell_again_starts_over(open_notebook: OpenNotebook, page: Page) -> None:
    notebook = open_notebook(CELLS)
    token(notebook.widget(), "query", 1).click()
    eventually(lambda: notebook.python("print(w.pinned_queries)"), "(1,)")
    notebook.run_cell(1)
    eventually(lambda: notebook.python("print(w.pinned_queries)"), "()")
    expect(page.locator(".attn-widget")).to_have_count(1)
    widget = notebook.widget()
    expect(token(widget, "query", 1)).to_have_attribute("aria-selected", "false")
    token(widget, "query", 3).click()
    eventually(lambda: notebook.python("print(w.pinned_queries)"), "(3,)")


def test_reloading_the_page_keeps_the_state(open_notebook: OpenNotebook) -> None:
    notebook = open_notebook(CELLS)
    token(notebook.widget(), "query", 1).click()
    eventually(lambda: notebook.python("print(w.pinned_queries)"), "(1,)")
    notebook.python("w.layer = 1")
    notebook.reload()
    widget = notebook.widget()
    expect(token(widget, "query", 1)).to_have_attribute("aria-selected", "true")
    expect(widget).to_contain_text(CAT_IN_LAYER[1])
    token(widget, "query", 1).click()
    eventually(lambda: notebook.python("print(w.pinned_queries)"), "()")


def test_two_views_share_the_selection_and_two_widgets_do_not(
    open_notebook: OpenNotebook,
) -> None:
    notebook = open_notebook([*CELLS, "w", "other = aw.lines(maps)\nother"])
    first, second, other = (notebook.widget(index) for index in range(3))
    token(first, "query", 1).click()
    expect(token(second, "query", 1)).to_have_attribute("aria-selected", "true")
    eventually(lambda: notebook.python("print(w.pinned_queries)"), "(1,)")
    expect(token(other, "query", 1)).to_have_attribute("aria-selected", "false")
    assert notebook.python("print(other.pinned_queries)") == "()"


def test_keys_stay_in_the_widget(open_notebook: OpenNotebook, page: Page) -> None:
    notebook = open_notebook(CELLS)
    cells = page.locator(".jp-Notebook .jp-Cell")
    before = cells.count()
    focused = token(notebook.widget(), "query", 1)
    focused.focus()
    # Add above, add below, cut, and delete: what these keys do to a selected cell.
    for key in ["a", "b", "x", "d", "d"]:
        page.keyboard.press(key)
        assert cells.count() == before, f"{key} must not reach the cell"
    page.keyboard.press("Enter")
    eventually(lambda: notebook.python("print(w.pinned_queries)"), "(1,)")
    assert cells.count() == before


def test_wheel_scrolls_the_notebook(open_notebook: OpenNotebook, page: Page) -> None:
    notebook = open_notebook([*CELLS, *["print('\\n' * 40)"] * 3])
    box = notebook.widget().bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 40)
    page.mouse.wheel(0, 200)
    eventually(lambda: (notebook.widget().bounding_box() or box)["y"] < box["y"] - 50, True)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_follows_the_theme_of_the_notebook(
    open_notebook: OpenNotebook,
    jupyter: tuple[str, Server],
    picture: TakePicture,
    theme: str,
) -> None:
    pinned = WIDGET.replace("heads=(0,)", "pinned_queries=(1,)")
    widget = open_notebook([f"{IMPORTS}\n{MAPS}", f"{pinned}\nw"], theme=theme).widget()
    expect(widget).to_have_attribute("data-theme", theme)
    picture(f"{jupyter[0]}-{theme}")
    brightness = ground(widget)
    assert brightness > 200 if theme == "light" else brightness < 60


def test_theme_can_change_while_the_widget_is_shown(open_notebook: OpenNotebook) -> None:
    notebook = open_notebook(CELLS)
    widget = notebook.widget()
    expect(widget).to_have_attribute("data-theme", "light")
    notebook.command("apputils:change-theme", theme="JupyterLab Dark")
    expect(widget).to_have_attribute("data-theme", "dark")
    eventually(lambda: ground(widget) < 60, True)


def test_nothing_is_fetched_from_elsewhere(
    open_notebook: OpenNotebook, jupyter: tuple[str, Server], page: Page
) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    open_notebook(CELLS).widget()
    here = (jupyter[1].url, "data:", "blob:")
    assert [url for url in asked if not url.startswith(here)] == []
