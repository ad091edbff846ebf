"""The other views, and maps too large for the page, in a real JupyterLab and a real Notebook 7."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Locator, Page, expect

from hosts.notebooks import Notebook
from hosts.reading import CELLS, IMPORTS, eventually, frame, token

OpenNotebook = Callable[..., Notebook]
TakePicture = Callable[[str], Path]

LONG = f"""\
{IMPORTS}
random = np.random.default_rng(0)
query, key = random.normal(size=(2, 2, 3, 4096, 16)).astype("float32")
maps = aw.Attention.from_qk(query, key, causal=True)"""


def view(widget: Locator, name: str) -> Locator:
    return widget.locator(f'[data-view="{name}"]')


def test_a_long_map_is_a_matrix_with_exact_weights(
    open_notebook: OpenNotebook, page: Page, picture: TakePicture
) -> None:
    notebook = open_notebook(
        [LONG, "w = aw.matrix(maps, heads=(1,), window=(100, 120, 80, 100))\nw"]
    )
    widget = notebook.widget()
    expect(view(widget, "matrix")).to_be_visible()
    eventually(lambda: notebook.python("print(bool(w._region))"), "True")
    token(widget, "query", 110).click()
    eventually(lambda: notebook.python("print(w.pinned_queries)"), "(110,)")
    strongest = notebook.python(
        "row = maps[0, 1, 110]; k = int(row.argmax()); print(k, f'{row[k]:.3g}')"
    ).split()
    expect(widget.locator('[data-role="readout"]')).to_contain_text(" ".join(strongest))
    picture("matrix-4096")
    # What is on screen is state: a page that loads again has it at once.
    notebook.reload()
    expect(view(notebook.widget(), "matrix")).to_be_visible()
    expect(token(notebook.widget(), "query", 110)).to_have_attribute("aria-selected", "true")


def test_heads_of_a_long_map_lead_to_their_lines(
    open_notebook: OpenNotebook, page: Page, picture: TakePicture
) -> None:
    notebook = open_notebook([LONG, "w = aw.heads(maps)\nw"])
    widget = notebook.widget()
    grid = view(widget, "heads").locator("[data-cursor]")
    expect(grid).to_be_visible()
    picture("heads-4096")
    grid.focus()
    for key in ["End", "ArrowDown", "Enter"]:
        grid.press(key)
    eventually(lambda: notebook.python("print(w.layer, w.heads)"), "1 (2,)")
    eventually(lambda: notebook.python("print(w.view)"), "matrix")
    expect(view(widget, "matrix")).to_be_visible()


def test_views_change_and_stand_side_by_side_with_the_same_pins(
    open_notebook: OpenNotebook, picture: TakePicture
) -> None:
    notebook = open_notebook(CELLS)
    widget = notebook.widget()
    token(view(widget, "lines"), "query", 1).click()
    widget.locator('[data-choose="matrix"]').click()
    eventually(lambda: notebook.python("print(w.view, w.pinned_queries)"), "matrix (1,)")
    expect(token(view(widget, "matrix"), "query", 1)).to_have_attribute("aria-selected", "true")
    expect(view(widget, "lines")).to_have_count(0)
    notebook.python("w.beside = 'lines'")
    expect(token(view(widget, "lines"), "query", 1)).to_have_attribute("aria-selected", "true")
    token(view(widget, "lines"), "query", 2).click()
    expect(token(view(widget, "matrix"), "query", 2)).to_have_attribute("aria-selected", "true")
    picture("matrix-and-lines")


def test_maps_and_steps_change_in_the_page(open_notebook: OpenNotebook) -> None:
    many = f"""\
{IMPORTS}
def epoch(n):
    return aw.Attention(np.eye(4, dtype="float32")[:, (np.arange(4) + n) % 4], list("abcd"))
maps = {{"encoder": [epoch(n) for n in range(3)], "decoder": epoch(1)}}"""
    notebook = open_notebook([many, "w = aw.lines(maps, pinned_queries=(0,))\nw"])
    widget = notebook.widget()
    readout = widget.locator('[data-role="readout"]')
    expect(readout).to_contain_text("a attends to a 1")
    widget.get_by_role("button", name="play").click()
    eventually(lambda: notebook.python("print(w.step)"), "2")
    expect(readout).to_contain_text("a attends to c 1")
    widget.get_by_label("map", exact=True).select_option("decoder")
    eventually(lambda: notebook.python("print(w.map, w.step)"), "decoder 0")
    expect(readout).to_contain_text("a attends to d 1")


def test_updates_come_faster_than_pictures_and_none_waits(open_notebook: OpenNotebook) -> None:
    training = f"""\
{IMPORTS}
import asyncio, time
random = np.random.default_rng(0)
def epoch(n):
    weights = random.random((1, 4, 64, 64), dtype="float32")
    weights[0, 0, 0] = np.arange(64) == n % 64
    return aw.Attention(weights)"""
    notebook = open_notebook([training, "w = aw.lines(epoch(0), pinned_queries=(0,))\nw"])
    widget = notebook.widget()
    before = frame(widget)
    # A loop that lets others run, as live decoding does: thirty updates a second for two seconds.
    notebook.python(
        "async def live():\n"
        "    for n in range(61):\n"
        "        w.update(epoch(n))\n"
        "        await asyncio.sleep(1 / 30)\n"
        "task = asyncio.ensure_future(live())"
    )
    expect(widget.locator('[data-role="readout"]')).to_contain_text("0 attends to 60 1")
    drawn = frame(widget) - before
    assert 1 < drawn < 200
    # A training loop, which hears nothing while it runs.
    notebook.python("for n in range(61):\n    w.update(epoch(n + 1))\n    time.sleep(1 / 30)")
    expect(widget.locator('[data-role="readout"]')).to_contain_text("0 attends to 61 1")
    expect(widget).to_have_attribute("data-status", "ready")
