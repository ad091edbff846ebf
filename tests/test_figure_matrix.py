"""The still picture of a matrix: cells, labels, words and sizes."""

from __future__ import annotations

import io
import subprocess
import sys
import time
from dataclasses import replace
from typing import Any

import matplotlib as mpl
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

from attn_widget import Attention, Tokens, samples
from attn_widget.figure import describe_picture, plot_matrix, png_metadata, render_png
from attn_widget.figure.canvas import PNG_BYTES
from attn_widget.figure.colormap import MAPS, MARKS, colours_at
from attn_widget.figure.grid import cells_of, round_step, ticks_of
from attn_widget.figure.matrix_plan import MatrixPlan, plan_matrix
from attn_widget.figure.matrix_scene import read_matrix
from attn_widget.figure.sampling import WEIGHTS_LIMIT
from attn_widget.selection import MatrixState
from counted import CountedArray

SENTENCE = samples.sentence(0)
TRANSLATION = samples.translation(0)
PARAGRAPH = samples.paragraph()
ONE = MatrixState(heads=(0,))


def pixels(png: bytes) -> NDArray[np.int64]:
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(np.int64)


class Drawn:
    """A picture, and the colours it has in the middle of its cells."""

    def __init__(self, attention: Attention, state: MatrixState) -> None:
        self.plan: MatrixPlan = plan_matrix(read_matrix(attention, state), outlines=True)
        self.image = pixels(render_png(attention, state))
        self.ratio = self.image.shape[1] / self.plan.width

    def cell(self, row: float, column: float) -> NDArray[np.int64]:
        """Colour in the middle of a cell, counted in cells of the picture."""
        rows, columns = self.plan.scene.cells.shape
        x = self.plan.left + (column + 0.5) * self.plan.wide / columns
        y = self.plan.top + (row + 0.5) * self.plan.high / rows
        found: NDArray[np.int64] = self.image[int(y * self.ratio), int(x * self.ratio)]
        return found

    @property
    def area(self) -> NDArray[np.int64]:
        """Pixels of all cells, without the frame."""
        p, r = self.plan, self.ratio
        top, bottom = round((p.top + 1) * r), round((p.top + p.high - 1) * r)
        left, right = round((p.left + 1) * r), round((p.left + p.wide - 1) * r)
        part: NDArray[np.int64] = self.image[top:bottom, left:right]
        return part


def words_of(attention: Attention, state: MatrixState) -> list[str]:
    return [text.get_text() for text in plot_matrix(attention, state).axes[0].texts]


def colour(weight: float, name: str = "auto", theme: str = "light") -> NDArray[np.int64]:
    return colours_at(MAPS[name][theme], weight).astype(np.int64)


# --- cells -------------------------------------------------------------------------------------


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("name", ["auto", "grey", "viridis", "cividis"])
def test_cells_have_the_colours_of_their_weights(name: str, theme: str) -> None:
    weights = np.linspace(0, 1, 30, dtype=np.float32).reshape(5, 6)
    drawn = Drawn(Attention(weights), replace(ONE, colormap=name, theme=theme))
    for row in range(5):
        for column in range(6):
            expected = colour(float(weights[row, column]), name, theme)
            np.testing.assert_allclose(drawn.cell(row, column), expected, atol=6)


@pytest.mark.parametrize(
    ("scale", "share"),
    [("absolute", 0.25), ("sqrt", 0.5), ("log", 1 + np.log10(0.25) / 4), ("row", 0.5)],
)
def test_cells_follow_the_scale(scale: str, share: float) -> None:
    weights = np.array([[0.25, 0.5, 0.0], [1.0, 0.0, 0.0]], np.float32)
    drawn = Drawn(Attention(weights), replace(ONE, scale=scale))
    np.testing.assert_allclose(drawn.cell(0, 0), colour(share), atol=6)
    np.testing.assert_allclose(drawn.cell(1, 0), colour(1.0), atol=6)
    np.testing.assert_array_equal(drawn.cell(1, 2), [255, 255, 255])


def test_times_uniform_is_full_at_ten_times_an_even_share() -> None:
    weights = np.full((2, 40), 0.0, np.float32)
    weights[0, :2] = 0.25, 0.125
    drawn = Drawn(Attention(weights), replace(ONE, scale="times_uniform"))
    np.testing.assert_allclose(drawn.cell(0, 0), colour(1.0), atol=6)
    np.testing.assert_allclose(drawn.cell(0, 1), colour(0.5), atol=6)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("kind", ["difference", "score"])
def test_signs_diverge(kind: str, theme: str) -> None:
    weights = np.array([[-2.0, 0.0, 1.0], [2.0, -1.0, 0.5]], np.float32)
    drawn = Drawn(Attention(weights, kind=kind), replace(ONE, theme=theme))
    for row in range(2):
        for column in range(3):
            share = 0.5 + float(weights[row, column]) / 4
            expected = colour(share, "diverging", theme)
            np.testing.assert_allclose(drawn.cell(row, column), expected, atol=6)


def test_a_single_bright_cell_survives() -> None:
    weights = np.zeros((4096, 4096), np.float32)
    weights[3001, 77] = 1.0
    drawn = Drawn(Attention(weights), ONE)
    rows, columns = drawn.plan.scene.cells.shape
    assert max(rows, columns) <= 600
    np.testing.assert_allclose(
        drawn.cell(3001 * rows // 4096, 77 * columns // 4096), colour(1.0), atol=6
    )
    dark = (np.abs(drawn.area - colour(1.0)).max(axis=2) <= 6).sum()
    assert 1 <= dark <= 9
    assert "each cell the strongest of up to 7 × 7 weights" in words_of(Attention(weights), ONE)


def test_a_bright_cell_survives_noise_that_must_be_made_smaller() -> None:
    weights = np.random.default_rng(0).random((600, 600), np.float32) * np.float32(0.6)
    weights[500, 20] = 1.0
    attention = Attention(weights)
    png = render_png(attention, ONE)
    assert len(png) <= PNG_BYTES
    picture = pixels(png)
    assert (np.abs(picture - colour(1.0)).max(axis=2) <= 8).any()


def test_the_mean_of_cells_is_drawn_where_asked() -> None:
    weights = np.zeros((1200, 1200), np.float32)
    weights[:, ::2] = 1.0
    state = replace(ONE, pool="mean")
    drawn = Drawn(Attention(weights), state)
    np.testing.assert_allclose(drawn.cell(5, 5), colour(0.5), atol=6)
    assert "each cell the mean of up to 2 × 2 weights" in words_of(Attention(weights), state)


def test_what_is_no_number_looks_like_nothing_else() -> None:
    weights = np.full((4, 4), 0.5, np.float32)
    weights[0, 1], weights[1, 2], weights[2, 3] = np.nan, np.inf, -np.inf
    drawn = Drawn(Attention(weights, kind="score"), ONE)
    for row, column, name in ((0, 1, "missing"), (1, 2, "infinite"), (2, 3, "masked")):
        mark = MARKS["light"][name]
        near = [drawn.cell(row + dy, column + dx) for dy in (-0.3, 0, 0.3) for dx in (-0.2, 0.2)]
        both = np.array([mark.ground, mark.line])
        for found in near:
            assert np.abs(both - found).max(axis=1).min() <= 6, name
    said = words_of(Attention(weights, kind="score"), ONE)
    assert {"missing", "infinite", "masked", "1 score is missing (NaN)"} <= set(said)


def test_zeros_of_a_causal_mask_are_told_from_weights_that_are_zero() -> None:
    weights = np.tril(np.full((6, 6), 0.2, np.float32))
    weights[5, 0] = 0.0
    drawn = Drawn(Attention(weights), ONE)
    np.testing.assert_array_equal(drawn.cell(5, 0), [255, 255, 255])
    ground, line = np.array(MARKS["light"]["masked"].ground), MARKS["light"]["masked"].line
    assert min(np.abs(drawn.cell(0, 5) - c).max() for c in (ground, line)) <= 4
    assert "masked (causal)" in words_of(Attention(weights), ONE)
    weights[0, 5] = 0.1
    assert "masked (causal)" not in words_of(Attention(weights), ONE)


# --- what is read ------------------------------------------------------------------------------


def test_cells_are_those_of_the_definition() -> None:
    random = np.random.default_rng(1)
    weights = random.standard_normal((2, 700, 1300)).astype(np.float32)
    weights[:, 5:40, 100:130] = np.nan
    scene = read_matrix(
        Attention(weights, kind="difference"), MatrixState(heads=(0, 1), combine="max")
    )
    with np.errstate(invalid="ignore"):
        merged = np.fmax(weights[0], weights[1])
    rows, columns = scene.cells.shape
    assert (rows, columns) == (cells_of(700, 1300).count, cells_of(1300, 700).count)
    row_of, column_of = np.arange(700) * rows // 700, np.arange(1300) * columns // 1300
    for row, column in [*random.integers(0, (rows, columns), (60, 2)).tolist(), [9, 50]]:
        part = merged[np.ix_(row_of == row, column_of == column)].ravel()
        present = part[~np.isnan(part)]
        expected = present[np.argmax(np.abs(present))] if present.size else np.nan
        assert scene.cells[row, column] == pytest.approx(expected, nan_ok=True)


def test_a_window_is_all_that_is_read() -> None:
    held = CountedArray(np.broadcast_to(np.float32(1 / 4000), (4, 4000, 4000)))
    state = replace(ONE, window=(100, 150, 2000, 2040))
    scene = read_matrix(Attention(held), state)
    assert scene.cells.shape == (50, 40)
    assert held.numbers_read == 50 * 40
    assert scene.row_sums is None
    said = words_of(Attention(held), state)
    assert "targets 100 – 149 of 4,000" in said
    assert "sources 2,000 – 2,039 of 4,000" in said


def test_a_window_in_tokens_shows_the_words_it_touches() -> None:
    attention = samples.sentence(3)
    scene = read_matrix(attention, replace(ONE, window=(2, 4, 0, 21), words=True))
    assert [scene.query.labels[position] for position in scene.queries] == ["unbelievably"]
    assert len(scene.keys) == len(scene.key.labels) < 21


def test_of_a_huge_map_evenly_spaced_rows_are_read() -> None:
    held = CountedArray(np.broadcast_to(np.float32(1e-5), (1, 100_000, 100_000)))
    scene = read_matrix(Attention(held), ONE)
    assert held.numbers_read <= WEIGHTS_LIMIT + 1_000_000
    assert scene.every >= 512
    assert scene.every & (scene.every - 1) == 0
    said = words_of(Attention(held), ONE)
    assert any(text.startswith("only every ") and "target read" in text for text in said)
    assert len(render_png(Attention(held), ONE)) <= PNG_BYTES


def test_slow_maps_are_read_in_part() -> None:
    class Slow(CountedArray):
        def __getitem__(self, key: Any) -> Any:
            found = super().__getitem__(key)
            time.sleep(0.002 * found.size / 3000)
            return found

    held = Slow(np.broadcast_to(np.float32(1 / 3000), (1, 3000, 3000)))
    scene = read_matrix(Attention(held), ONE)
    assert scene.every > 1
    assert held.numbers_read < 3000 * 3000


def test_pinned_rows_and_strongest_weights_make_the_answer() -> None:
    state = MatrixState(layer=3, heads=(1,))
    assert describe_picture(SENTENCE, replace(state, pinned_queries=(10,))).startswith(
        "it attends to trophy 0.614, suitcase 0.199"
    )
    assert describe_picture(SENTENCE, replace(state, pinned_keys=(2,))).startswith(
        "trophy is attended by the 0.856, it 0.614"
    )
    both = replace(state, pinned_queries=(10,), pinned_keys=(8,))
    assert describe_picture(SENTENCE, both) == "it attends to suitcase 0.199"
    assert describe_picture(SENTENCE, state).startswith(
        "strongest apart from special tokens: the attends to trophy 0.856"
    )


def test_pins_outside_the_window_say_nothing() -> None:
    state = replace(ONE, window=(0, 5, 0, 5), pinned_queries=(9,), pinned_keys=(9,))
    assert describe_picture(SENTENCE, state).startswith("strongest")


def test_special_tokens_are_left_out_as_asked() -> None:
    tokens = Tokens(["[CLS]", "a", "b"], special=[0])
    weights = np.array([[1.0, 0, 0], [0.5, 0.25, 0.25], [0.5, 0.5, 0.0]], np.float32)
    attention = Attention(weights, tokens)
    hidden = read_matrix(attention, replace(ONE, special="hide"))
    np.testing.assert_array_equal(hidden.cells, [[0, 0, 0], [0, 0.25, 0.25], [0, 0.5, 0]])
    renormalised = read_matrix(attention, replace(ONE, special="renormalise"))
    np.testing.assert_array_equal(renormalised.cells, [[0, 0, 0], [0, 0.5, 0.5], [0, 1, 0]])
    inside = read_matrix(attention, replace(ONE, special="renormalise", window=(1, 3, 1, 2)))
    np.testing.assert_array_equal(inside.cells, [[0.5], [1]])
    assert read_matrix(attention, ONE).special_share == pytest.approx(2 / 3)


def test_the_row_scale_looks_beyond_the_window() -> None:
    weights = np.array([[0.8, 0.2], [0.5, 0.5]], np.float32)
    scene = read_matrix(Attention(weights), replace(ONE, scale="row", window=(0, 2, 1, 2)))
    np.testing.assert_allclose(scene.cells, [[0.25], [1.0]])


def test_heads_are_merged_by_their_mean_unless_by_their_maximum() -> None:
    weights = np.array([[[0.2, 0.8]], [[0.6, 0.4]]], np.float32)
    attention = Attention(weights)
    for combine, expected in (
        ("each", [[0.4, 0.6]]),
        ("mean", [[0.4, 0.6]]),
        ("max", [[0.6, 0.8]]),
    ):
        scene = read_matrix(attention, MatrixState(heads=(0, 1), combine=combine))
        np.testing.assert_allclose(scene.cells, expected, rtol=1e-6)
    assert "mean of 2 of 2 heads" in words_of(attention, MatrixState(heads=(0, 1)))
    assert describe_picture(attention, MatrixState()) == "No head is shown."


# --- any map -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "weights",
    [
        np.full((3, 4), np.nan, np.float32),
        np.full((3, 4), np.inf, np.float32),
        np.full((3, 4), -np.inf, np.float32),
        np.array([[np.inf, -np.inf, np.nan, 1e30, 1e-40]], np.float32),
        np.zeros((3, 4), np.float32),
        np.zeros((0, 0), np.float32),
        np.zeros((0, 4), np.float32),
        np.zeros((4, 0), np.float32),
        np.ones((1, 1), np.float32),
        np.ones((1, 1000), np.float32) / 1000,
        np.ones((1000, 2), np.float32) / 2,
    ],
    ids=lambda weights: f"{weights.shape}, {weights.ravel()[:1]}",
)
@pytest.mark.parametrize("kind", ["weight", "score"])
@pytest.mark.parametrize("scale", ["absolute", "row", "log"])
def test_any_weights_are_drawn(weights: NDArray[np.float32], kind: str, scale: str) -> None:
    attention = Attention(weights, kind=kind)
    state = replace(ONE, scale=scale)
    for pool in ("max", "mean"):
        png = render_png(attention, replace(state, pool=pool))
        assert len(png) <= PNG_BYTES
        assert png_metadata(png)["width"] <= 900
    if weights.size:
        assert render_png(attention, replace(state, pinned_queries=(0,), pinned_keys=(0,)))
    plot_matrix(attention, state)


@settings(deadline=None, max_examples=25)
@given(st.integers(1, 40), st.integers(1, 40), st.booleans(), st.data())
def test_any_state_is_drawn(queries: int, keys: int, dark: bool, data: st.DataObject) -> None:
    random = np.random.default_rng(queries)
    attention = Attention(random.random((2, queries, keys), np.float32))
    top, left = data.draw(st.integers(0, queries - 1)), data.draw(st.integers(0, keys - 1))
    window = (
        top,
        data.draw(st.integers(top + 1, queries)),
        left,
        data.draw(st.integers(left + 1, keys)),
    )
    state = MatrixState(
        heads=tuple(data.draw(st.sets(st.integers(0, 1)))),
        combine=data.draw(st.sampled_from(["each", "mean", "max"])),
        pinned_queries=tuple(data.draw(st.sets(st.integers(0, queries - 1), max_size=3))),
        pinned_keys=tuple(data.draw(st.sets(st.integers(0, keys - 1), max_size=3))),
        window=data.draw(st.none() | st.just(window)),
        theme="dark" if dark else "light",
    )
    assert render_png(attention, state)


# --- labels ------------------------------------------------------------------------------------

STATES = {
    "sentence": (SENTENCE, MatrixState(layer=3, heads=(1,), pinned_queries=(10,))),
    "translation": (TRANSLATION, MatrixState(layer=1, heads=(0,), pinned_keys=(3,))),
    "paragraph": (PARAGRAPH, MatrixState(layer=1, heads=(0,), pinned_queries=(60, 61))),
    "counted": (
        Attention(np.eye(700, dtype=np.float32)),
        MatrixState(heads=(0,), pinned_queries=(333,)),
    ),
    "long tokens": (
        Attention(np.eye(3000, dtype=np.float32), [f"token{i}" for i in range(3000)]),
        MatrixState(heads=(0,), pinned_keys=(1500,)),
    ),
}


def text_boxes(figure: Figure) -> list[tuple[float, float, float, float]]:
    """Left, bottom, right, top of every text, as shares of the figure."""
    figure.draw_without_rendering()
    inverse = figure.transFigure.inverted()
    boxes = []
    for text in figure.axes[0].texts:
        if text.get_text().strip():
            (left, bottom), (right, top) = inverse.transform(text.get_window_extent())
            boxes.append((left, bottom, right, top))
    return boxes


def overlaps(boxes: list[tuple[float, float, float, float]], slack: float) -> int:
    count = 0
    for at, one in enumerate(boxes):
        for other in boxes[at + 1 :]:
            wide = min(one[2], other[2]) - max(one[0], other[0])
            high = min(one[3], other[3]) - max(one[1], other[1])
            count += wide > slack and high > slack
    return count


@pytest.mark.parametrize("name", STATES)
def test_no_label_is_cropped_or_overlaps_another(name: str) -> None:
    figure = plot_matrix(*STATES[name])
    boxes = text_boxes(figure)
    assert len(boxes) > 12
    assert np.min(boxes) >= 0
    assert np.max(boxes) <= 1
    # Boxes of text are as high as letters may be: a pixel or two more than these are.
    assert overlaps(boxes, 3.5 / (96 * max(figure.get_size_inches()))) == 0


@pytest.mark.parametrize("size", [(4.0, 3.5), (7.0, 4.0), (3.5, 6.0), (10.0, 4.0)])
@pytest.mark.parametrize("name", ["sentence", "translation", "paragraph", "counted"])
def test_a_drawing_fits_the_axes_it_is_given(name: str, size: tuple[float, float]) -> None:
    figure = Figure(figsize=size)
    ax = figure.add_axes((0.1, 0.1, 0.8, 0.8))
    assert plot_matrix(*STATES[name], ax) is figure
    boxes = np.array(text_boxes(figure))
    assert boxes.min() >= 0.1 - 0.012
    assert boxes.max() <= 0.9 + 0.012


def test_long_axes_are_counted_and_pinned_tokens_named() -> None:
    said = words_of(*STATES["long tokens"])
    assert {"400", "1,000", "token1500"} <= set(said)
    assert "token500" not in said


@given(st.integers(1, 5000), st.floats(20, 600), st.booleans(), st.data())
def test_labels_keep_their_distance(
    count: int, length: float, counted: bool, data: st.DataObject
) -> None:
    wanted = data.draw(st.lists(st.integers(0, count - 1), max_size=4, unique=True))
    first = data.draw(st.integers(0, 1000))
    ticks = ticks_of(["x"] * count, first, length, counted, wanted)
    gaps = np.diff(ticks.positions) * length / count
    assert (gaps >= 9 - 1e-6).all()
    assert not wanted or wanted[0] in ticks.positions


@given(st.floats(0.01, 1e9))
def test_steps_are_round_and_no_smaller_than_asked(least: float) -> None:
    step = round_step(least)
    assert step >= least
    assert str(step).rstrip("0") in ("1", "2", "5")
    assert step == 1 or step / 2.5 < least + 1e-9


@given(st.integers(1, 200_000), st.integers(1, 200_000))
def test_cells_fill_whole_pixels_and_stay_within_bounds(rows: int, columns: int) -> None:
    high, wide = cells_of(rows, columns), cells_of(columns, rows)
    for cells, count in ((high, rows), (wide, columns)):
        assert 1 <= cells.count <= min(count, 600)
        assert min(120, 24 * count) / 2 <= cells.length <= 600
        assert (2 * cells.length) % 1 == 0
        assert cells.count < count or (2 * cells.length / count) % 1 == 0


# --- files -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", STATES)
def test_a_picture_is_sharp_and_small(name: str) -> None:
    attention, state = STATES[name]
    png = render_png(attention, state)
    shown = png_metadata(png)
    image = Image.open(io.BytesIO(png))
    assert len(png) <= PNG_BYTES
    assert image.width == pytest.approx(2 * shown["width"], abs=2)
    assert 400 <= shown["width"] <= 900
    assert render_png(attention, state) == png


@pytest.mark.parametrize("name", STATES)
def test_text_stays_text_in_vector_formats(name: str) -> None:
    figure = plot_matrix(*STATES[name])
    stream = io.BytesIO()
    with mpl.rc_context({"svg.fonttype": "none"}):
        figure.savefig(stream, format="svg")
    svg = stream.getvalue().decode()
    assert ">layer " in svg
    assert "<image" in svg
    figure.savefig(io.BytesIO(), format="pdf")


def test_settings_of_the_user_do_not_reach_the_picture() -> None:
    plain = render_png(*STATES["sentence"])
    hostile: Any = {
        "image.cmap": "jet",
        "image.interpolation": "bicubic",
        "image.origin": "lower",
        "image.aspect": "equal",
        "image.resample": False,
        "axes.grid": True,
        "text.usetex": True,
        "savefig.transparent": True,
    }
    with mpl.rc_context(hostile):
        assert render_png(*STATES["sentence"]) == plain


def test_pyplot_is_never_imported() -> None:
    program = (
        "import sys\n"
        "from attn_widget import samples\n"
        "from attn_widget.figure import plot_heads, plot_matrix, render_png\n"
        "from attn_widget.selection import HeadsState, MatrixState\n"
        "early = [name for name in ('matplotlib', 'PIL') if name in sys.modules]\n"
        "for state, plot in ((MatrixState(heads=(0,)), plot_matrix), (HeadsState(), plot_heads)):\n"
        "    render_png(samples.translation(), state)\n"
        "    plot(samples.translation(), state)\n"
        "print(early, 'matplotlib.pyplot' in sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-W", "ignore::DeprecationWarning", "-c", program],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "[] False"


def test_of_a_map_never_computed_the_mean_is_what_its_source_knows() -> None:
    random = np.random.default_rng(0)
    query, key = random.standard_normal((2, 1, 30_000, 4)).astype(np.float32)
    attention = Attention.from_qk(query, key, causal=True)
    mean = read_matrix(attention, replace(ONE, pool="mean"))
    source: Any = attention.source
    expected, how = source.preview(0, 0, slice(0, 30_000), slice(0, 30_000), *mean.cells.shape)
    assert mean.every > 1
    assert mean.how == how
    below = ~np.isneginf(mean.cells)
    np.testing.assert_array_equal(mean.cells[below], expected[below])
    said = "".join(words_of(attention, replace(ONE, pool="mean")))
    assert how.replace(" ", "") in said.replace(" ", "")
    strongest = read_matrix(attention, ONE)
    assert strongest.how == ""
    assert describe_picture(attention, ONE).startswith("strongest of every ")
