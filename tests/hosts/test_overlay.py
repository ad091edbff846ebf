"""Weights on images in a real JupyterLab, a real Notebook 7 and an exported page."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, Route, expect

import attn_widget as aw
from hosts.notebooks import IS_READY, PATIENCE_MS, Notebook
from hosts.reading import IMPORTS, eventually, frame, token
from hosts.servers import Server

OpenNotebook = Callable[..., Notebook]
TakePicture = Callable[[str], Path]

CAPTION = f"{IMPORTS}\nmaps = aw.samples.captioning(0)"
PATCHES = f"{IMPORTS}\nmaps = aw.samples.recognition(1)"
BOXES = f"{IMPORTS}\nmaps = aw.samples.detection(0)"
GRID = (6, 8)

JOINT = f"""\
{IMPORTS}
random = np.random.default_rng(3)
query, key = random.normal(size=(2, 1, 8, 1088, 32)).astype("float32") * 1.5
image = np.kron(random.integers(0, 255, (8, 8, 3)).astype("uint8"), np.ones((64, 64, 1), "uint8"))
words = [f"word{{n}}" for n in range(64)]
axis = [aw.Patches(32, 32, image=image), aw.Tokens(words)]
maps = aw.Attention.from_qk(query, key, axis)
def softmax(position):
    logits = np.einsum("hd,hkd->hk", query[0, :, position], key[0]).astype("float64") / 32**0.5
    weights = np.exp(logits - logits.max(axis=1, keepdims=True))
    return weights / weights.sum(axis=1, keepdims=True)
def strongest(row):
    at = int(row.argmax())
    label = f"row {{at // 32 + 1}}, column {{at % 32 + 1}}" if at < 1024 else words[at - 1024]
    return f"{{label}} {{row[at]:.3g}}\""""

# What the sentence about pinned queries begins with.
STRONGEST = (
    "most = max(w.selection(), key=lambda row: row.weight); "
    "print(f'{most.query_label} attends to {most.key_label} {most.weight:.3g}')"
)

RESTART = """async () => {
  await window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.restart();
}"""


def pictures(widget: Locator) -> Locator:
    return widget.locator('[data-view="overlay"] .picture')


def readout(widget: Locator) -> Locator:
    return widget.locator('[data-role="readout"]')


def pixels(widget: Locator, layer: str, picture: int = 0) -> str:
    """What one canvas of a picture holds: `"base"`, `"heat"` or `"overlay"`."""
    canvas = pictures(widget).nth(picture).locator(f"canvas.{layer}")
    return str(canvas.evaluate("(canvas) => canvas.toDataURL()"))


def painted(widget: Locator, layer: str, picture: int = 0) -> tuple[float, int]:
    """Of one canvas of a picture, the share of pixels that are not clear and the colours."""
    canvas = pictures(widget).nth(picture).locator(f"canvas.{layer}")
    share, colours = canvas.evaluate(
        """(canvas) => {
          const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
          const found = [...new Uint32Array(data.buffer)].filter((pixel) => pixel >>> 24 > 0);
          return [found.length / (data.length / 4), new Set(found).size];
        }"""
    )
    return share, colours


def leave(widget: Locator) -> None:
    """Moves the mouse to where nothing of a view is."""
    widget.locator(".bar").first.hover(position={"x": 2, "y": 2})


def is_painted(widget: Locator, picture: int = 0) -> bool:
    """Whether the picture is there, whole and not of one colour, with weights on some of it."""
    covered, colours = painted(widget, "base", picture)
    weighted, _ = painted(widget, "heat", picture)
    return covered == 1 and colours > 50 and weighted > 0.02


def point_at(
    page: Page, widget: Locator, row: float, column: float, grid: tuple[int, int], picture: int = 0
) -> tuple[float, float]:
    """Moves the mouse to the middle of a patch, rows and columns from 0; returns where that is."""
    element = pictures(widget).nth(picture)
    element.scroll_into_view_if_needed()
    box = element.bounding_box()
    assert box is not None
    x = box["x"] + box["width"] * (column + 0.5) / grid[1]
    y = box["y"] + box["height"] * (row + 0.5) / grid[0]
    page.mouse.move(x, y)
    return x, y


def test_words_lie_on_the_picture_they_attend_to(
    open_notebook: OpenNotebook, jupyter: tuple[str, Server], page: Page, picture: TakePicture
) -> None:
    notebook = open_notebook([CAPTION, "w = aw.overlay(maps)\nw"])
    widget = notebook.widget()
    assert is_painted(widget)
    base, mean, before = pixels(widget, "base"), pixels(widget, "heat"), frame(widget)
    token(widget, "query", 2).hover()
    strongest = notebook.python(
        "row = maps[0, 0, 2]; k = int(row.argmax()); print(maps.keys.labels[k], f'{row[k]:.3g}')"
    )
    expect(readout(widget)).to_contain_text(f"circle attends to {strongest}")
    assert pixels(widget, "heat") != mean
    assert (pixels(widget, "base"), frame(widget)) == (base, before), "hover must not redraw it"
    token(widget, "query", 2).click()
    eventually(lambda: notebook.python("print(w.pinned_queries, w.pinned_keys)"), "(2,) ()")
    leave(widget)
    expect(readout(widget)).to_contain_text(notebook.python(STRONGEST))
    notebook.python("w.pinned_queries = (7,)")
    expect(token(widget, "query", 7)).to_have_attribute("aria-selected", "true")
    expect(token(widget, "query", 2)).to_have_attribute("aria-selected", "false")
    expect(readout(widget)).to_contain_text(notebook.python(STRONGEST))
    picture(f"overlay-caption-{jupyter[0]}-light")
    notebook.command("apputils:change-theme", theme="JupyterLab Dark")
    expect(widget).to_have_attribute("data-theme", "dark")
    eventually(lambda: is_painted(widget), True)
    # Which covers the page while the theme changes.
    expect(page.locator("#jupyterlab-splash")).to_have_count(0)
    picture(f"overlay-caption-{jupyter[0]}-dark")


def test_patches_are_walked_pinned_and_read_both_ways(
    open_notebook: OpenNotebook, page: Page
) -> None:
    notebook = open_notebook([PATCHES, "w = aw.overlay(maps, combine='mean', layer=2)\nw"])
    widget = notebook.widget()
    grid = pictures(widget).first
    grid.focus()
    for key in ["ArrowRight", "ArrowDown", "ArrowDown"]:
        grid.press(key)
    at = 3 + 2 * 8 + 1
    expect(grid).to_have_attribute("data-cursor", str(at))
    grid.press("Enter")
    eventually(lambda: notebook.python("print(w.pinned_queries, w.pinned_keys)"), f"({at},) ()")
    expect(readout(widget)).to_contain_text(notebook.python(STRONGEST))
    grid.press("Escape")
    eventually(lambda: notebook.python("print(w.pinned_queries)"), "()")
    x, y = point_at(page, widget, 4, 3, GRID)
    at = 3 + 4 * 8 + 3
    expect(readout(widget)).to_contain_text("row 5, column 4 attends to ")
    attends = pixels(widget, "heat")
    notebook.python("w.direction = 'attended_by'")
    expect(readout(widget)).to_contain_text("row 5, column 4 is attended by ")
    assert pixels(widget, "heat") != attends
    page.mouse.click(x, y)
    eventually(lambda: notebook.python("print(w.pinned_queries, w.pinned_keys)"), f"() ({at},)")
    strongest = notebook.python(
        f"column = maps[2][:, :, {at}].mean(axis=0); q = int(column.argmax()); "
        "print(maps.queries.labels[q], f'{column[q]:.3g}')"
    )
    expect(readout(widget)).to_contain_text(f"row 5, column 4 is attended by {strongest}")


def test_what_is_set_aside_is_the_same_in_python(
    open_notebook: OpenNotebook, picture: TakePicture
) -> None:
    notebook = open_notebook(
        [PATCHES, "w = aw.overlay(maps, combine='mean', pinned_queries=(0,))\nw"]
    )
    widget = notebook.widget()
    expect(readout(widget)).to_contain_text(notebook.python(STRONGEST))
    # The strongest patch of the row and all special tokens.
    share = notebook.python(
        "row = maps[0].mean(axis=0)[0]; k = 3 + int(row[3:].argmax()); "
        "w.set_trait('aside', (k,)); w.special = 'renormalise'; "
        "print(f'{100 * (row[:3].sum() + row[k]) / row.sum():.3g} % set aside')"
    )
    expect(widget.locator(".account")).to_contain_text(share)
    expect(readout(widget)).to_contain_text(notebook.python(STRONGEST))
    total = float(notebook.python("print(sum(row.weight for row in w.selection()))"))
    assert total == pytest.approx(1, abs=1e-5)
    picture("overlay-aside")
    widget.locator(".account").get_by_role("button", name="put back").click()
    eventually(lambda: notebook.python("print(w.aside, w.special)"), "() show")


def test_lines_beside_a_picture_share_pins_and_light_up_patches(
    open_notebook: OpenNotebook, picture: TakePicture
) -> None:
    notebook = open_notebook([PATCHES, "w = aw.overlay(maps, combine='mean', beside='lines')\nw"])
    widget = notebook.widget()
    lines, overlay = (widget.locator(f'[data-view="{name}"]') for name in ("lines", "overlay"))
    marks, mean = pixels(widget, "overlay"), pixels(widget, "heat")
    token(lines, "query", 12).hover()
    eventually(lambda: pixels(widget, "heat") != mean, True)
    assert pixels(widget, "overlay") != marks
    token(lines, "query", 12).click()
    eventually(lambda: notebook.python("print(w.pinned_queries)"), "(12,)")
    token(overlay, "query", 0).click()
    expect(token(lines, "query", 0)).to_have_attribute("aria-selected", "true")
    expect(token(lines, "query", 12)).to_have_attribute("aria-selected", "false")
    picture("overlay-and-lines")


def test_each_head_shows_what_a_box_attends_to(
    open_notebook: OpenNotebook, page: Page, picture: TakePicture
) -> None:
    notebook = open_notebook([BOXES, "w = aw.overlay(maps, layer=2, combine='each')\nw"])
    widget = notebook.widget()
    expect(pictures(widget)).to_have_count(4)
    means = [pixels(widget, "heat", number) for number in range(4)]
    left, top, right, bottom = map(
        float, notebook.python("print(*maps.queries.segments[0].regions[3])").split()
    )
    # In pixels of the image, of which there are 64 × 64.
    middle = ((top + bottom - 1) / 2, (left + right - 1) / 2)
    point_at(page, widget, *middle, (64, 64), picture=1)
    expect(readout(widget)).to_contain_text("star 1.00 attends to row ")
    assert all(is_painted(widget, number) for number in range(4))
    heats = [pixels(widget, "heat", number) for number in range(4)]
    assert len({*means, *heats}) == 8
    picture("overlay-boxes-and-heads")
    notebook.python("w.combine = 'mean'")
    expect(pictures(widget)).to_have_count(1)
    page.mouse.click(*point_at(page, widget, *middle, (64, 64)))
    eventually(lambda: notebook.python("print(w.pinned_queries)"), "(3,)")
    expect(readout(widget)).to_contain_text(notebook.python(STRONGEST))
    picture("overlay-boxes")


def test_rows_of_a_long_joint_sequence_come_from_the_kernel(
    open_notebook: OpenNotebook, page: Page, picture: TakePicture
) -> None:
    notebook = open_notebook([JOINT, "w = aw.overlay(maps, combine='mean')\nw"])
    widget = notebook.widget()
    point_at(page, widget, 10, 21, (32, 32))
    strongest = notebook.python("print(strongest(softmax(10 * 32 + 21).mean(axis=0)))")
    expect(readout(widget)).to_contain_text(f"row 11, column 22 attends to {strongest}")
    assert is_painted(widget)
    token(widget, "query", 1024 + 5).hover()
    strongest = notebook.python("print(strongest(softmax(1024 + 5).mean(axis=0)))")
    expect(readout(widget)).to_contain_text(f"word5 attends to {strongest}")
    share = notebook.python("print(f'image{100 * softmax(1029).mean(axis=0)[:1024].sum():.3g} %')")
    expect(widget.locator(".account")).to_contain_text(share)
    picture("overlay-joint")
    token(widget, "query", 1024 + 5).click()
    eventually(lambda: notebook.python("print(w.pinned_queries)"), "(1029,)")
    notebook.python("w.direction = 'attended_by'; w.pinned_queries = (); w.pinned_keys = (40,)")
    column = "np.array([softmax(q).mean(axis=0)[40] for q in range(1088)])"
    strongest = notebook.python(f"print(strongest({column}))")
    leave(widget)
    expect(readout(widget)).to_contain_text(f"row 2, column 9 is attended by {strongest}")


def test_pictures_outlive_updates_the_page_and_the_kernel(
    open_notebook: OpenNotebook, page: Page
) -> None:
    notebook = open_notebook(
        [CAPTION, "w = aw.overlay(maps, pinned_queries=(2, 8), opacity=0.5, paint='dim')\nw"]
    )
    widget = notebook.widget()
    base = pixels(widget, "base")
    # A shorter caption, on another picture.
    notebook.python("w.update(aw.samples.captioning(2))")
    eventually(lambda: pixels(widget, "base") != base, True)
    assert notebook.python("print(w.pinned_queries, w.opacity, w.paint)") == "(2,) 0.5 dim"
    expect(readout(widget)).to_contain_text(notebook.python(STRONGEST))
    base, cross = pixels(widget, "base"), pixels(widget, "heat")
    notebook.reload()
    widget = notebook.widget()
    expect(token(widget, "query", 2)).to_have_attribute("aria-selected", "true")
    eventually(lambda: (pixels(widget, "base"), pixels(widget, "heat")) == (base, cross), True)
    page.evaluate(RESTART)
    page.wait_for_function(IS_READY, timeout=PATIENCE_MS)
    assert notebook.python("print('w' in globals())") == "False"
    assert (pixels(widget, "base"), pixels(widget, "heat")) == (base, cross)
    token(widget, "query", 6).hover()
    expect(readout(widget)).to_contain_text("circle attends to row ")
    assert pixels(widget, "heat") != cross
    expect(widget).to_have_attribute("data-status", "ready")


def test_an_exported_picture_needs_no_network(page: Page, tmp_path: Path) -> None:
    path = tmp_path / "overlay.html"
    maps = aw.samples.recognition(1)
    asked: list[str] = []

    def refuse(route: Route) -> None:
        if route.request.url == path.as_uri():
            route.continue_()
        else:
            asked.append(route.request.url)
            route.abort()

    page.context.route("**/*", refuse)
    path.write_text(aw.overlay(maps, combine="mean", layer=2).to_html(), encoding="utf-8")
    page.goto(path.as_uri())
    widget = page.locator(".attn-widget")
    expect(widget).to_have_attribute("data-status", "ready")
    assert is_painted(widget)
    point_at(page, widget, 4, 3, GRID)
    row = maps[2][:, 3 + 4 * 8 + 3].mean(axis=0)
    strongest = f"{maps.keys.labels[int(row.argmax())]} {row.max():.3g}"
    expect(readout(widget)).to_contain_text(f"row 5, column 4 attends to {strongest}")
    assert asked == []
