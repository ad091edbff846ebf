"""The still picture of all heads: thumbnails, order, patterns, words and sizes."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

import attn_widget as aw
from attn_widget import Attention, samples
from attn_widget.answers.statistics import STATISTICS, describe_heads, head_places
from attn_widget.figure import describe_picture, plot_heads, png_metadata, render_png
from attn_widget.figure.canvas import PNG_BYTES
from attn_widget.figure.colormap import MAPS, colours_at
from attn_widget.figure.heads_plan import HeadsPlan, cells_in, plan_heads, tiling_of
from attn_widget.figure.heads_scene import MEANINGS, NAMES, PATTERNS, HeadsScene, read_heads
from attn_widget.figure.palette import LIGHT, head_colour
from attn_widget.pictures import picture_state
from attn_widget.selection import HeadsState, LinesState, MatrixState
from counted import CountedArray

SENTENCE = samples.sentence(0)
PARAGRAPH = samples.paragraph()
HEADS_TS = Path(__file__).parent.parent / "js" / "src" / "heads" / "statistics.ts"


def scene_of(attention: Attention, state: HeadsState) -> HeadsScene:
    return read_heads(
        attention, state, cells_in(tiling_of(state, attention.shape), attention.shape)
    )


class Drawn:
    """A picture, and the colours it has in the cells of its thumbnails."""

    def __init__(self, attention: Attention, state: HeadsState) -> None:
        self.plan: HeadsPlan = plan_heads(scene_of(attention, state), outlines=True)
        image = Image.open(io.BytesIO(render_png(attention, state)))
        self.image = np.asarray(image.convert("RGB")).astype(np.int64)
        self.ratio = self.image.shape[1] / self.plan.width

    def cell(self, place: int, row: float, column: float) -> NDArray[np.int64]:
        """Colour of a cell of the thumbnail in some place."""
        (x, y), (wide, high) = self.plan.place(place), self.plan.tiling.box
        rows, columns = self.plan.scene.cells.shape[2:]
        return self.at(x + (column + 0.5) * wide / columns, y + (row + 0.5) * high / rows)

    def at(self, x: float, y: float) -> NDArray[np.int64]:
        found: NDArray[np.int64] = self.image[int(y * self.ratio), int(x * self.ratio)]
        return found


def words_of(attention: Attention, state: HeadsState) -> list[str]:
    return [text.get_text() for text in plot_heads(attention, state).axes[0].texts]


def patterned() -> Attention:
    """Two layers of three heads: previous, next, sink; uniform, sharp on itself, both halves."""
    weights = np.zeros((2, 3, 8, 8), np.float32)
    queries = np.arange(8)
    weights[0, 0, queries, np.maximum(queries - 1, 0)] = 1
    weights[0, 1, queries, np.minimum(queries + 1, 7)] = 1
    weights[0, 2, :, 0] = 0.7
    weights[0, 2, :, 1:] = 0.3 / 7
    weights[1, 0] = 1 / 8
    weights[1, 1, queries, queries] = 1
    weights[1, 2] = (weights[0, 0] + weights[1, 0]) / 2
    return Attention(weights, name="patterns")


def test_every_head_has_the_colours_of_its_weights() -> None:
    weights = np.random.default_rng(0).random((3, 4, 6, 6), np.float32)
    drawn = Drawn(Attention(weights), HeadsState())
    for layer in range(3):
        for head in range(4):
            for row, column in ((0, 0), (2, 5), (5, 1)):
                weight = float(weights[layer, head, row, column])
                expected = colours_at(MAPS["auto"]["light"], weight)
                found = drawn.cell(4 * layer + head, row, column)
                np.testing.assert_allclose(found, expected.astype(np.int64), atol=7)


def test_a_single_bright_cell_survives() -> None:
    weights = np.zeros((2, 3, 400, 500), np.float32)
    weights[1, 2, 399, 3] = 1.0
    drawn = Drawn(Attention(weights), HeadsState())
    rows, columns = drawn.plan.scene.cells.shape[2:]
    assert max(rows, columns) <= 48
    ink = colours_at(MAPS["auto"]["light"], 1.0).astype(np.int64)
    found = drawn.cell(5, 399 * rows // 400, 3 * columns // 500)
    np.testing.assert_allclose(found, ink, atol=7)


def test_thumbnails_are_pooled_like_those_of_the_page() -> None:
    scene = scene_of(PARAGRAPH, HeadsState())
    rows, columns = scene.cells.shape[2:]
    weights = PARAGRAPH[1, 3, :, :]
    row_of = np.arange(len(weights)) * rows // len(weights)
    column_of = np.arange(weights.shape[1]) * columns // weights.shape[1]
    for row in range(0, rows, 7):
        for column in range(0, columns, 5):
            part = weights[np.ix_(row_of == row, column_of == column)]
            assert scene.cells[1, 3, row, column] == part.max()


def test_statistics_are_those_of_the_page() -> None:
    scene = scene_of(PARAGRAPH, HeadsState())
    rows = np.arange(PARAGRAPH.shape[2])
    for layer, head in ((0, 0), (1, 5), (2, 11)):
        expected = describe_heads(
            PARAGRAPH[layer, head : head + 1, :, :], rows, head_places(PARAGRAPH)
        )[0]
        np.testing.assert_allclose(scene.statistics[layer, head], expected, rtol=1e-6)


def test_names_and_patterns_are_those_of_the_page() -> None:
    text = HEADS_TS.read_text(encoding="utf-8")
    rules = re.findall(r'(\w+): \{ name: "([^"]+)", statistic: "(\w+)", least: ([\d.]+) \}', text)
    assert {key: (name, of, float(least)) for key, name, of, least in rules} == PATTERNS
    for names in (NAMES, MEANINGS):
        assert set(names) == set(STATISTICS)
        for statistic, said in names.items():
            assert f'{statistic}: "{said}"' in text


@pytest.mark.parametrize(
    ("pattern", "heads"),
    [
        ("previous", {(0, 0), (1, 2)}),
        ("next", {(0, 1)}),
        ("sink", {(0, 2)}),
        ("uniform", {(1, 0)}),
        ("sharp", {(0, 0), (0, 1), (1, 1)}),
    ],
)
def test_heads_of_other_patterns_are_faint(pattern: str, heads: set[tuple[int, int]]) -> None:
    attention = patterned()
    state = HeadsState(pattern=pattern, scale="sqrt")
    scene = scene_of(attention, state)
    assert {(int(a), int(b)) for a, b in np.argwhere(scene.strong)} == heads
    strong, faint = Drawn(attention, replace(state, pattern=None)), Drawn(attention, state)
    white = np.array([255, 255, 255])
    for cell in range(6):
        full = white - strong.cell(cell, 7, 6)
        left = white - faint.cell(cell, 7, 6)
        share = 1.0 if divmod(cell, 3) in heads else 0.25
        np.testing.assert_allclose(left, share * full, atol=7)
    name = PATTERNS[pattern][0]
    plural = "" if len(heads) == 1 else "s"
    assert f"{len(heads)} {name} head{plural}, the others faint" in words_of(attention, state)


@pytest.mark.parametrize("sort", STATISTICS[:6])
def test_heads_are_sorted_by_a_statistic_largest_first(sort: str) -> None:
    scene = scene_of(patterned(), HeadsState(sort=sort))
    values = scene.statistic(sort).reshape(-1)[scene.order]
    assert (np.diff(values) <= 0).all()
    assert sorted(scene.order.tolist()) == list(range(6))
    said = words_of(patterned(), HeadsState(sort=sort))
    first = int(scene.order[0])
    assert f"L{first // 3} H{first % 3}" in said
    assert f"by {NAMES[sort]}, largest first" in said


@pytest.mark.parametrize("sort", ["induction", "special"])
def test_heads_are_sorted_by_what_their_tokens_are(sort: str) -> None:
    scene = scene_of(PARAGRAPH, HeadsState(sort=sort))
    record = aw.evidence.describe(PARAGRAPH)
    expected = {"induction": record.induction, "special": record.special_share}[sort]
    np.testing.assert_allclose(scene.statistic(sort), expected, rtol=1e-5)
    assert (np.diff(scene.statistic(sort).reshape(-1)[scene.order]) <= 0).all()


def test_what_is_not_known_is_said() -> None:
    said = describe_picture(patterned(), HeadsState(sort="image"))
    assert said == "image: not known of this map"


def test_the_answer_counts_patterns_or_names_the_first() -> None:
    assert describe_picture(patterned(), HeadsState()) == (
        "of 6 heads: 2 previous token, 1 next token, 1 sink, 1 near uniform, 3 sharp"
    )
    assert describe_picture(patterned(), HeadsState(sort="previous")).startswith(
        "largest previous token: L0 H0 0.875, L1 H2"
    )
    scores = Attention(np.zeros((2, 3, 4, 5), np.float32), kind="score")
    assert describe_picture(scores, HeadsState()) == "6 heads of 4 × 5 scores"


def test_chosen_heads_are_framed_in_their_hues() -> None:
    drawn = Drawn(SENTENCE, HeadsState(layer=2, heads=(1, 4)))
    for head in (1, 4):
        (x, y), (_, high) = drawn.plan.place(2 * 12 + head), drawn.plan.tiling.box
        hue = np.round(255 * np.asarray(head_colour(head, LIGHT)))
        np.testing.assert_allclose(drawn.at(x - 1.25, y + high / 2), hue, atol=6)
    (x, y), (_, high) = drawn.plan.place(2 * 12 + 2), drawn.plan.tiling.box
    np.testing.assert_array_equal(drawn.at(x - 2.5, y + high / 2), [255, 255, 255])


def test_of_a_large_map_some_queries_are_read_and_the_picture_says_so() -> None:
    held = CountedArray(np.broadcast_to(np.float32(1 / 4096), (8, 16, 4096, 4096)))
    scene = scene_of(Attention(held), HeadsState())
    assert scene.rows < 4096
    assert held.numbers_read <= 16_000_000
    said = words_of(Attention(held), HeadsState())
    assert any(re.fullmatch(r"from \d+ of 4,096 targets of each head", text) for text in said)


@pytest.mark.parametrize(
    "weights",
    [
        np.full((2, 3, 4), np.nan, np.float32),
        np.full((2, 3, 4), np.inf, np.float32),
        np.full((2, 3, 4), -np.inf, np.float32),
        np.zeros((2, 3, 4), np.float32),
        np.zeros((2, 0, 4), np.float32),
        np.zeros((2, 4, 0), np.float32),
        np.zeros((0, 2, 4, 4), np.float32),
        np.ones((1, 1, 1), np.float32),
        np.ones((1, 1, 1, 300), np.float32) / 300,
        np.ones((2, 2, 300, 1), np.float32),
        np.random.default_rng(0).random((48, 48, 20, 20), np.float32),
    ],
    ids=lambda weights: str(weights.shape),
)
@pytest.mark.parametrize("kind", ["weight", "difference"])
@pytest.mark.parametrize("sort", ["layer", "entropy"])
def test_any_map_is_drawn(weights: NDArray[np.float32], kind: str, sort: str) -> None:
    attention = Attention(weights, kind=kind)
    state = HeadsState(sort=sort, scale="row", pattern="sink", heads=(0,), theme="dark")
    png = render_png(attention, state)
    assert len(png) <= PNG_BYTES
    assert 400 <= png_metadata(png)["width"] <= 900
    plot_heads(attention, state)


STATES: dict[str, tuple[Attention, HeadsState]] = {
    "layers": (SENTENCE, HeadsState(layer=3, heads=(1,))),
    "all of a layer": (SENTENCE, HeadsState(layer=3, heads=tuple(range(12)), theme="dark")),
    "sorted": (PARAGRAPH, HeadsState(sort="confidence", scale="sqrt")),
    "pattern": (SENTENCE, HeadsState(pattern="previous")),
    "many": (
        Attention(np.random.default_rng(0).random((30, 40, 8, 8), np.float32)),
        HeadsState(),
    ),
}


@pytest.mark.parametrize("name", STATES)
def test_no_label_is_cropped_or_overlaps_another(name: str) -> None:
    figure = plot_heads(*STATES[name])
    boxes = text_boxes(figure)
    assert np.min(boxes) >= 0
    assert np.max(boxes) <= 1
    slack = 3.5 / (96 * max(figure.get_size_inches()))
    for at, one in enumerate(boxes):
        for other in boxes[at + 1 :]:
            wide = min(one[2], other[2]) - max(one[0], other[0])
            high = min(one[3], other[3]) - max(one[1], other[1])
            assert not (wide > slack and high > slack)


@pytest.mark.parametrize("size", [(4.0, 3.5), (7.0, 4.0), (3.5, 6.0)])
@pytest.mark.parametrize("name", ["layers", "sorted", "many"])
def test_a_drawing_fits_the_axes_it_is_given(name: str, size: tuple[float, float]) -> None:
    figure = Figure(figsize=size)
    ax = figure.add_axes((0.1, 0.1, 0.8, 0.8))
    assert plot_heads(*STATES[name], ax) is figure
    boxes = np.array(text_boxes(figure))
    assert boxes.min() >= 0.1 - 0.012
    assert boxes.max() <= 0.9 + 0.012


def text_boxes(figure: Figure) -> list[tuple[float, float, float, float]]:
    """Left, bottom, right, top of every text, as shares of the figure."""
    figure.draw_without_rendering()
    inverse = figure.transFigure.inverted()
    boxes = []
    for text in figure.axes[0].texts:
        (left, bottom), (right, top) = inverse.transform(text.get_window_extent())
        boxes.append((left, bottom, right, top))
    return boxes


# --- the widget's picture ----------------------------------------------------------------------


def test_the_widget_shows_the_picture_of_its_view() -> None:
    sizes = {}
    kinds: dict[str, Any] = {"lines": LinesState, "matrix": MatrixState, "heads": HeadsState}
    for view, kind in kinds.items():
        with aw.AttentionWidget(SENTENCE, view=view, layer=3, heads=(1,), notes=False) as widget:
            state = picture_state(widget)
            assert isinstance(state, kind)
            assert state.layer == 3
            assert state.heads == (1,)
            png = widget.snapshot().png
            assert png == render_png(SENTENCE, state)
            assert widget.plot().get_size_inches()[0] > 4
            sizes[view] = tuple(png_metadata(png).values())
    assert len(set(sizes.values())) == 3


def test_the_picture_follows_every_state_of_the_matrix() -> None:
    with aw.AttentionWidget(SENTENCE, view="matrix", beside="heads", layer=3, heads=(1,)) as widget:
        seen = [widget.snapshot().png]
        for name, value in (
            ("pinned_queries", (10,)),
            ("pinned_keys", (2,)),
            ("scale", "sqrt"),
            ("colormap", "grey"),
            ("window", (0, 12, 2, 16)),
            ("special", "hide"),
            ("theme", "dark"),
            ("heads", (1, 2)),
            ("combine", "max"),
        ):
            setattr(widget, name, value)
            seen.append(widget.snapshot().png)
            assert seen[-1] != seen[-2], name


def test_the_picture_follows_every_state_of_the_heads() -> None:
    with aw.AttentionWidget(SENTENCE, view="heads", layer=3) as widget:
        seen = [widget.snapshot().png]
        for name, value in (
            ("heads", (1, 2)),
            ("layer", 2),
            ("scale", "sqrt"),
            ("colormap", "cividis"),
            ("pattern", "previous"),
            ("sort", "sink"),
            ("theme", "dark"),
        ):
            setattr(widget, name, value)
            seen.append(widget.snapshot().png)
            assert seen[-1] != seen[-2], name
