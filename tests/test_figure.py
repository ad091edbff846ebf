"""The still picture: PNG, snapshot and figures for papers."""

from __future__ import annotations

import io
import subprocess
import sys
import zlib
from dataclasses import replace
from typing import Any

import matplotlib as mpl
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

from attn_widget import Attention, samples
from attn_widget.figure import Snapshot, describe_picture, plot_lines, png_metadata, render_png
from attn_widget.figure.canvas import PNG_BYTES, png_of
from attn_widget.figure.drawing import lines_picture
from attn_widget.figure.palette import DARK, LIGHT, Theme, blend, head_colour
from attn_widget.figure.plan import plan
from attn_widget.figure.scene import WEIGHTS_LIMIT, read_scene
from attn_widget.filters import Filter
from attn_widget.selection import LinesState
from counted import CountedArray

SENTENCE = samples.sentence(0)
TRANSLATION = samples.translation(0)
PARAGRAPH = samples.paragraph()
GOLD = tuple(sorted(samples.translation_links(0)))

ODD_LABELS = [
    "$x_1^2$",
    "a_b^c",
    "東京",
    "🙂👩‍👩‍👧",
    "مرحبا",
    "שלום",
    "line\nbreak",
    "\x00\x1b[31m",
    "",
    "w" * 10_000,
    "</script>",
    "हिन्दी",
    "e\u0301",
    "\ud800",
    "  ",
    "\\frac{1}{2}",
]


def opened(png: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(png))
    image.load()
    return image


def pixels(png: bytes) -> NDArray[np.int64]:
    return np.asarray(opened(png).convert("RGB")).astype(np.int64)


def rgb(colour: tuple[float, float, float]) -> NDArray[np.int64]:
    return np.round(255 * np.asarray(colour)).astype(np.int64)


def all_heads(attention: Attention) -> tuple[int, ...]:
    return tuple(range(attention.shape[1]))


def random_map(*shape: int, spread: float = 0.1, seed: int = 0) -> NDArray[np.float32]:
    random = np.random.default_rng(seed)
    drawn = random.dirichlet(np.full(shape[-1], spread), size=shape[:-1])
    return np.asarray(drawn, dtype=np.float32)


STATES = {
    "all heads": (SENTENCE, LinesState(layer=3, heads=all_heads(SENTENCE))),
    "one head": (SENTENCE, LinesState(layer=3, heads=(1,))),
    "pinned": (SENTENCE, LinesState(layer=3, heads=(1,), pinned_queries=(10,))),
    "pinned, all heads": (
        SENTENCE,
        LinesState(layer=3, heads=all_heads(SENTENCE), pinned_queries=(10,), theme="dark"),
    ),
    "attended by": (SENTENCE, LinesState(layer=3, heads=(1,), pinned_keys=(2, 8))),
    "horizontal": (
        SENTENCE,
        LinesState(layer=3, heads=(1,), pinned_queries=(10,), orientation="horizontal"),
    ),
    "horizontal, long": (PARAGRAPH, LinesState(layer=1, heads=(1,), orientation="horizontal")),
    "links": (TRANSLATION, LinesState(layer=1, heads=(0,), links=GOLD)),
    "words": (samples.sentence(3), LinesState(heads=(2,), words=True)),
    "mean": (SENTENCE, LinesState(heads=all_heads(SENTENCE), filters=Filter(combine="mean"))),
    "filtered": (
        SENTENCE,
        LinesState(layer=3, heads=(1,), filters=Filter(mass=0.5, special="renormalise")),
    ),
    "paragraph": (PARAGRAPH, LinesState(layer=1, heads=all_heads(PARAGRAPH))),
}


@pytest.mark.parametrize("name", STATES)
def test_a_picture_is_sharp_and_small(name: str) -> None:
    attention, state = STATES[name]
    png = render_png(attention, state)
    assert len(png) <= PNG_BYTES
    image = opened(png)
    shown = png_metadata(png)
    assert 400 <= shown["width"] <= 1000
    assert 300 <= shown["height"] <= 1100
    assert image.width / shown["width"] >= (1.0 if attention is PARAGRAPH else 1.4)
    assert image.width / shown["width"] == pytest.approx(image.height / shown["height"], rel=0.01)
    ground = rgb(DARK.surface if state.theme == "dark" else LIGHT.surface)
    corners = pixels(png)[[0, 0, -1, -1], [0, -1, 0, -1]]
    np.testing.assert_array_equal(corners, np.tile(ground, (4, 1)))
    assert render_png(attention, state) == png


@pytest.mark.parametrize(("theme", "name"), [(LIGHT, "light"), (DARK, "dark")])
@pytest.mark.parametrize("weight", [1.0, 0.5, 0.25])
def test_a_line_has_the_ink_of_its_weight(theme: Theme, name: str, weight: float) -> None:
    attention = Attention(np.array([[weight]], np.float32), ["a"], ["b"])
    state = LinesState(heads=(0,), theme=name)
    planned = plan(read_scene(attention, state), 600, outlines=True)
    x = planned.left + (planned.layout.query_edge + planned.layout.key_edge) / 2
    y = planned.top + float(planned.layout.query.centres[0])
    picture = pixels(png_of(lines_picture(planned.scene)))
    ratio = picture.shape[1] / planned.width
    found = picture[round(y * ratio), round(x * ratio)]
    expected = rgb(blend(head_colour(0, theme), theme.surface, 0.9 * weight))
    np.testing.assert_allclose(found, expected, atol=4)
    column = picture[:, round(x * ratio)]
    around = column[round((y - 10) * ratio) : round((y + 10) * ratio)]
    near = np.abs(around - found).max(axis=1) <= 4
    width = (0.75 + (7 - 0.75) * weight) * ratio
    assert near.sum() == pytest.approx(width, abs=2.1)


def test_a_line_runs_from_its_query_to_its_key() -> None:
    weights = np.zeros((3, 3), np.float32)
    weights[0, 2] = 1
    planned = plan(read_scene(Attention(weights), LinesState(heads=(0,))), 600, outlines=True)
    picture = pixels(png_of(lines_picture(planned.scene)))
    ratio = picture.shape[1] / planned.width
    hue = rgb(blend(head_colour(0, LIGHT), LIGHT.surface, 0.9))
    layout = planned.layout
    for share, risen in ((0.02, 0.0), (0.5, 0.5), (0.98, 1.0)):
        x = planned.left + layout.query_edge + share * (layout.key_edge - layout.query_edge)
        start, end = float(layout.query.centres[0]), float(layout.key.centres[2])
        y = planned.top + (1 - risen) * start + risen * end
        found = picture[round(y * ratio), round(x * ratio)]
        np.testing.assert_allclose(found, hue, atol=4)


def test_heads_of_a_crowd_keep_their_colours() -> None:
    attention = Attention(random_map(12, 30, 30))
    picture = pixels(render_png(attention, LinesState(heads=all_heads(attention))))
    for head in range(12):
        distance = np.abs(picture - rgb(head_colour(head, LIGHT))).max(axis=2)
        assert (distance <= 4).sum() >= 20


def test_beyond_the_strongest_lines_the_rest_is_haze() -> None:
    # All weights alike: no line is stronger than another, and together they are seen.
    flat = Attention(np.full((60, 60), 1 / 60, np.float32))
    planned = plan(read_scene(flat, LinesState(heads=(0,))), 600, outlines=True)
    picture = pixels(png_of(lines_picture(planned.scene)))
    ratio = picture.shape[1] / planned.width
    x = round((planned.left + (planned.layout.query_edge + planned.layout.key_edge) / 2) * ratio)
    top = round((planned.top + planned.layout.length * 0.3) * ratio)
    bottom = round((planned.top + planned.layout.length * 0.7) * ratio)
    assert picture[top:bottom, x].max(axis=1).mean() < 245


@pytest.mark.parametrize("orientation", ["vertical", "horizontal"])
@pytest.mark.parametrize("pins", [{}, {"pinned_queries": (0, 3)}, {"pinned_keys": (4,)}])
def test_any_label_is_drawn_literally_and_without_warning(
    orientation: str, pins: dict[str, tuple[int, ...]]
) -> None:
    size = len(ODD_LABELS)
    attention = Attention(random_map(2, size, size), ODD_LABELS, name="$n$_1 \x07")
    state = LinesState(heads=(0, 1), orientation=orientation, **pins)  # type: ignore[arg-type]
    assert len(render_png(attention, state)) <= PNG_BYTES
    figure = plot_lines(attention, state)
    figure.savefig(io.BytesIO(), format="pdf")
    written = [text.get_text() for text in figure.axes[0].texts]
    for label in ("$x_1^2$", "a_b^c", "</script>", "\\frac{1}{2}", "مرحبا"):
        assert label in written
    assert not any(text.get_parse_math() for text in figure.axes[0].texts)


def broken(**cells: float) -> NDArray[np.float32]:
    weights = random_map(5, 6)
    for place, value in cells.items():
        row, column = (int(digit) for digit in place[1:])
        weights[row, column] = value
    return weights


@pytest.mark.parametrize(
    "weights",
    [
        broken(_00=np.nan, _12=np.nan),
        broken(_00=np.inf, _11=-np.inf),
        broken(_00=-0.4, _32=-3.0),
        broken(_00=1e30),
        broken(_00=1e-40),
        np.full((3, 4), np.nan, np.float32),
        np.full((3, 4), np.inf, np.float32),
        np.zeros((3, 4), np.float32),
        np.zeros((0, 0), np.float32),
        np.zeros((0, 4), np.float32),
        np.zeros((4, 0), np.float32),
        np.ones((1, 1), np.float32),
        np.ones((1, 300), np.float32) / 300,
        np.ones((300, 2), np.float32) / 2,
    ],
    ids=lambda weights: str(weights.shape),
)
@pytest.mark.parametrize("kind", ["weight", "difference"])
@pytest.mark.parametrize("orientation", ["vertical", "horizontal"])
def test_any_weights_are_drawn(weights: NDArray[np.float32], kind: str, orientation: str) -> None:
    attention = Attention(weights, kind=kind)
    state = LinesState(heads=(0,), orientation=orientation)
    assert len(render_png(attention, state)) <= PNG_BYTES
    if weights.shape[0]:
        assert render_png(attention, replace(state, pinned_queries=(0,)))


@pytest.mark.parametrize("scale", ["absolute", "row", "sqrt", "log", "times_uniform"])
def test_every_scale_is_drawn_and_named(scale: str) -> None:
    state = LinesState(heads=(0,), filters=Filter(scale=scale))
    texts = {text.get_text() for text in plot_lines(TRANSLATION, state).axes[0].texts}
    named = {"times_uniform": "times uniform", "row": "row's largest", "sqrt": "square root"}
    assert any(named.get(scale, scale[:3]) in text for text in texts)


@settings(deadline=None, max_examples=25)
@given(
    st.integers(1, 14),
    st.integers(1, 14),
    st.integers(1, 3),
    st.booleans(),
    st.booleans(),
    st.data(),
)
def test_any_state_is_drawn(
    queries: int, keys: int, heads: int, vertical: bool, dark: bool, data: st.DataObject
) -> None:
    attention = Attention(random_map(heads, queries, keys))
    state = LinesState(
        heads=tuple(data.draw(st.sets(st.integers(0, heads - 1)))),
        pinned_queries=tuple(data.draw(st.sets(st.integers(0, queries - 1), max_size=3))),
        pinned_keys=tuple(data.draw(st.sets(st.integers(0, keys - 1), max_size=3))),
        orientation="vertical" if vertical else "horizontal",
        theme="dark" if dark else "light",
        filters=Filter(
            combine=data.draw(st.sampled_from(["each", "mean", "max"])),
            top_k=data.draw(st.none() | st.integers(1, 5)),
        ),
    )
    assert opened(render_png(attention, state)).width > 0


def test_weights_larger_than_needed_are_not_read() -> None:
    held = CountedArray(np.broadcast_to(np.float32(1 / 4000), (4, 4000, 4000)))
    state = LinesState(heads=(0, 1, 2, 3))
    said = describe_picture(Attention(held), state)
    assert said.startswith("strongest: ")
    assert 0 < held.numbers_read <= WEIGHTS_LIMIT + 4 * 4000


def test_of_a_large_map_only_pinned_rows_are_read() -> None:
    held = CountedArray(np.broadcast_to(np.float32(1 / 4000), (4, 4000, 4000)))
    state = LinesState(heads=(0, 1, 2, 3), pinned_queries=(17, 3000))
    scene = read_scene(Attention(held), state)
    assert set(scene.edges.query.tolist()) == {17, 3000}
    assert held.numbers_read == 4 * 2 * 4000


def test_a_large_map_says_what_it_leaves_out() -> None:
    attention = Attention(random_map(2, 900, 900, spread=0.01))
    figure = plot_lines(attention, LinesState(heads=(0, 1)))
    texts = {text.get_text() for text in figure.axes[0].texts}
    assert "every 3rd target drawn" in texts
    assert any("lines drawn, the others as haze" in text for text in texts)
    assert any("token named" in text for text in texts)


def test_words_are_merged() -> None:
    attention, state = STATES["words"]
    scene = read_scene(attention, replace(state, pinned_queries=(2,), links=((2, 13),)))
    assert "unbelievably" in scene.query.labels
    assert scene.query.pinned == (scene.query.labels.index("unbelievably"),)
    assert scene.links == (
        (scene.query.labels.index("unbelievably"), scene.key.labels.index("hyperparameters")),
    )


# --- metadata and snapshots --------------------------------------------------------------------


def test_metadata_is_the_size_in_css_pixels() -> None:
    def png(size: tuple[int, int], dpi: float | None) -> bytes:
        stream = io.BytesIO()
        image = Image.new("RGB", size)
        image.save(stream, "PNG", **({} if dpi is None else {"dpi": (dpi, dpi)}))
        return stream.getvalue()

    assert png_metadata(png((300, 200), 192)) == {"width": 150, "height": 100}
    assert png_metadata(png((300, 200), 96)) == {"width": 300, "height": 200}
    assert png_metadata(png((300, 200), None)) == {"width": 300, "height": 200}


def test_snapshot_is_a_picture_and_words_only() -> None:
    png = render_png(*STATES["one head"])
    snapshot = Snapshot(png, "a sentence")
    data, metadata = snapshot._repr_mimebundle_()
    assert data == {"image/png": png, "text/plain": "a sentence"}
    assert metadata == {"image/png": png_metadata(png)}
    assert repr(snapshot) == "a sentence"


def test_snapshot_is_saved(tmp_path: object) -> None:
    path = f"{tmp_path}/picture.png"
    png = render_png(*STATES["one head"])
    Snapshot(png, "").save(path)
    with open(path, "rb") as stream:
        assert stream.read() == png


# --- figures for papers ------------------------------------------------------------------------


def text_boxes(figure: Figure) -> list[tuple[float, float, float, float]]:
    """Left, bottom, right, top of every text, as shares of the figure."""
    figure.draw_without_rendering()
    inverse = figure.transFigure.inverted()
    boxes = []
    for ax in figure.axes:
        for text in ax.texts:
            (left, bottom), (right, top) = inverse.transform(text.get_window_extent())
            boxes.append((left, bottom, right, top))
    return boxes


@pytest.mark.parametrize("name", STATES)
def test_no_label_of_a_figure_is_cropped(name: str) -> None:
    figure = plot_lines(*STATES[name])
    boxes = np.array(text_boxes(figure))
    assert len(boxes) > 8
    assert boxes.min() >= 0
    assert boxes.max() <= 1


@pytest.mark.parametrize("size", [(4.0, 3.0), (7.0, 4.0), (3.0, 6.0), (10.0, 2.5)])
@pytest.mark.parametrize("name", ["pinned", "horizontal", "links", "paragraph"])
def test_a_drawing_fits_the_axes_it_is_given(name: str, size: tuple[float, float]) -> None:
    figure = Figure(figsize=size)
    ax = figure.add_axes((0.1, 0.1, 0.8, 0.8))
    assert plot_lines(*STATES[name], ax) is figure
    boxes = np.array(text_boxes(figure))
    assert boxes.min() >= 0.1 - 0.012
    assert boxes.max() <= 0.9 + 0.012


def test_axes_of_a_subfigure_lead_to_the_figure() -> None:
    figure = Figure(figsize=(8, 4))
    halves: Any = figure.subfigures(1, 2)
    half = halves[0]
    assert plot_lines(*STATES["links"], half.subplots()) is figure


def test_a_figure_stays_text_and_lines_in_vector_formats() -> None:
    figure = plot_lines(*STATES["pinned"])
    stream = io.BytesIO()
    with mpl.rc_context({"svg.fonttype": "none"}):
        figure.savefig(stream, format="svg")
    svg = stream.getvalue().decode()
    assert ">trophy</text>" in svg
    assert ">0.614</text>" in svg
    assert "<image" not in svg
    assert svg.count("<path") > 100


def test_a_figure_shows_itself_without_pyplot() -> None:
    figure = plot_lines(*STATES["links"])
    before = figure.canvas, figure.dpi
    png, metadata = figure._repr_png_()  # type: ignore[attr-defined]
    assert (figure.canvas, figure.dpi) == before
    assert opened(png).size == pytest.approx((2 * metadata["width"], 2 * metadata["height"]), abs=2)


def test_others_axes_keep_what_they_show() -> None:
    figure = Figure()
    ax: Axes = figure.add_subplot()
    ax.plot([0, 1], [0, 1])
    plot_lines(*STATES["links"], ax)
    assert len(ax.lines) == 1


def test_settings_of_the_user_do_not_reach_the_picture() -> None:
    plain = render_png(*STATES["pinned"])
    hostile: Any = {
        "text.usetex": True,
        "font.size": 40,
        "figure.constrained_layout.use": True,
        "figure.dpi": 30,
        "savefig.transparent": True,
        "axes.facecolor": "red",
        "axes.edgecolor": "red",
        "text.color": "red",
        "lines.linewidth": 20,
        "image.cmap": "jet",
        "axes.grid": True,
    }
    with mpl.rc_context(hostile):
        before = dict(mpl.rcParams)
        assert render_png(*STATES["pinned"]) == plain
        assert dict(mpl.rcParams) == before


def test_drawing_is_imported_when_needed_and_pyplot_never() -> None:
    program = (
        "import sys\n"
        "from attn_widget import samples\n"
        "from attn_widget.figure import render_png, plot_lines\n"
        "from attn_widget.selection import LinesState\n"
        "early = [name for name in ('matplotlib', 'PIL') if name in sys.modules]\n"
        "state = LinesState(heads=(0,))\n"
        "render_png(samples.translation(), state)\n"
        "plot_lines(samples.translation(), state)\n"
        "print(early, 'matplotlib' in sys.modules, 'matplotlib.pyplot' in sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.split("\n")[0] == "[] True False"


def test_a_picture_has_no_needless_parts() -> None:
    # A PNG whose data are those of its pixels alone: no text, no time, no profile.
    png = render_png(*STATES["one head"])
    at, kinds, data = 8, [], b""
    while at < len(png):
        length, kind = int.from_bytes(png[at : at + 4], "big"), png[at + 4 : at + 8].decode()
        if kind == "IDAT":
            data += png[at + 8 : at + 8 + length]
        kinds.append(kind)
        at += 12 + length
    assert set(kinds) == {"IHDR", "PLTE", "pHYs", "IDAT", "IEND"}
    width, height = opened(png).size
    assert len(zlib.decompress(data)) == height * (width + 1)
