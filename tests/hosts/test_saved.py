"""A notebook saved with widget state, read again when the kernel that drew it is gone."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import nbformat
import pytest
from playwright.sync_api import Page, expect

from hosts.notebooks import PATIENCE_MS, Notebook
from hosts.reading import (
    CAT_IN_LAYER,
    CELLS,
    IMAGE_MAPS,
    IMAGE_WIDGET,
    IMPORTS,
    colours,
    eventually,
    frame,
    shows_image,
    token,
)
from hosts.servers import Server

OpenNotebook = Callable[..., Notebook]
STATE = "application/vnd.jupyter.widget-state+json"

LARGE = """\
import numpy as np
import attn_widget as aw
weights = np.random.default_rng(0).dirichlet(np.full(1200, 0.01), (1, 2, 1200)).astype("float32")
maps = aw.Attention(weights, queries=[f"t{index}" for index in range(1200)])"""


@pytest.fixture
def saving(jupyter: tuple[str, Server]) -> Iterator[None]:
    """Has the host store widget state with every notebook."""
    folder = jupyter[1].folder.parent / "settings" / "@jupyter-widgets" / "jupyterlab-manager"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "plugin.jupyterlab-settings"
    path.write_text(json.dumps({"saveState": True}))
    yield
    path.unlink()


def reopened(notebook: Notebook) -> None:
    """Saves the notebook, ends its kernel, and opens it anew: its widgets come from the file."""
    notebook.command("docmanager:save")
    path = notebook.server.folder / Path(notebook.path.partition("?")[0]).name
    eventually(lambda: STATE in nbformat.read(path, 4).metadata.get("widgets", {}), True)
    notebook.close()
    notebook.open()


@pytest.mark.usefixtures("saving")
def test_images_are_there_again(open_notebook: OpenNotebook) -> None:
    notebook = open_notebook([f"{IMPORTS}\n{IMAGE_MAPS}", f"{IMAGE_WIDGET}\nw"])
    eventually(lambda: shows_image(notebook.widget()), True)
    reopened(notebook)
    eventually(lambda: shows_image(notebook.widget()), True)


@pytest.mark.usefixtures("saving")
def test_small_maps_are_interactive(open_notebook: OpenNotebook) -> None:
    notebook = open_notebook(CELLS)
    notebook.widget()
    reopened(notebook)
    widget = notebook.widget()
    token(widget, "query", 1).click()
    expect(widget).to_contain_text(CAT_IN_LAYER[0])
    widget.get_by_label("next layer").click()
    expect(widget).to_contain_text(CAT_IN_LAYER[1])
    widget.locator('[data-choose="matrix"]').click()
    expect(widget.locator('[data-view="matrix"]')).to_be_visible()
    expect(widget).to_have_attribute("data-status", "ready")


@pytest.mark.usefixtures("saving")
def test_what_was_on_screen_of_large_maps_is_there(open_notebook: OpenNotebook, page: Page) -> None:
    notebook = open_notebook([LARGE, "w = aw.matrix(maps, heads=(1,), beside='heads')\nw"])
    notebook.widget()
    eventually(lambda: notebook.python("print(bool(w._region), bool(w._thumbnails))"), "True True")
    reopened(notebook)
    widget = notebook.widget()
    for view in ("matrix", "heads"):
        _, counts = colours(widget.locator(f'[data-view="{view}"]'))
        assert len(counts) > 50
    # Of the head that was shown, and of no other, there is a picture.
    widget.get_by_label("head 0").click(modifiers=["Alt"])
    expect(widget).to_contain_text("needs a running kernel", timeout=PATIENCE_MS)
    expect(widget).to_have_attribute("data-status", "ready")
    calm = frame(widget)
    page.wait_for_timeout(1000)
    assert frame(widget) == calm, "nothing may go on waiting"
    widget.get_by_label("head 1").click(modifiers=["Alt"])
    expect(widget).not_to_contain_text("needs a running kernel")


EVEN = "maps = aw.Attention(np.full((2, 2, 5, 5), 0.2, 'float32'), queries=[*'abcde'])"


@pytest.mark.usefixtures("saving")
def test_notes_are_there_again(open_notebook: OpenNotebook) -> None:
    notebook = open_notebook([f"{IMPORTS}\n{EVEN}", "w = aw.lines(maps)\nw"])
    note = "Nearly uniform: all 2 heads (relative entropy 1.00)"
    expect(notebook.widget()).to_contain_text(note)
    reopened(notebook)
    widget = notebook.widget()
    expect(widget).to_contain_text(note)
    widget.get_by_text("what does this mean?").click()
    expect(widget).to_contain_text("a head spreads its weight over nearly all keys")
    # What another layer would call for, nobody knows without a kernel.
    widget.get_by_label("next layer").click()
    expect(widget.locator(".notes")).to_be_hidden()
