"""The still picture of a mechanism: the same steps, numbers and words as on the page."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

import attn_widget as aw
from attn_widget.figure import (
    describe_picture,
    mechanism_panel,
    mechanism_scene,
    mechanism_sheet,
    plot_picture,
    png_metadata,
    render_png,
)
from attn_widget.figure import mechanism as mechanism_module
from attn_widget.figure.canvas import PNG_BYTES
from attn_widget.figure.colormap import anchors_of, colours_at
from attn_widget.figure.mechanism import plan_mechanism
from attn_widget.figure.mechanism_scene import read_mechanism
from attn_widget.figure.reading import short_number
from attn_widget.pictures import picture_state
from attn_widget.selection import LinesState, MechanismState

PAGE = Path(__file__).parent.parent / "js" / "src" / "mechanism"
LABELS = ["the", "cat", "sat", "down", "."]


def vectors(*shape: int, seed: int = 0) -> NDArray[np.float64]:
    return np.random.default_rng(seed).normal(size=shape).round(2)


def dot(**options: Any) -> aw.Trace:
    return aw.scaled_dot_product_attention(
        vectors(5, 4), vectors(5, 4, seed=1), vectors(5, 3, seed=2), queries=LABELS, **options
    )


def additive() -> aw.Trace:
    weights = vectors(4, 2), vectors(4, 2, seed=3), vectors(2, seed=4)
    value = vectors(5, 3, seed=2)
    return aw.additive_attention(
        vectors(5, 4), vectors(5, 4, seed=1), *weights, value, queries=LABELS
    )


def words(attention: aw.Attention, state: MechanismState) -> list[str]:
    return [text.get_text() for text in plot_picture(attention, state).axes[0].texts]


def test_says_the_weight_and_how_it_comes_about() -> None:
    trace = dot()
    said = describe_picture(trace.attention, MechanismState(query=1, key=3))
    logits, weight = trace.masked[1], trace.weights[1, 3]
    log_sum = np.log(np.exp(logits).sum())
    sign = "−" if log_sum > 0 else "+"
    expected = f"exp({short_number(logits[3])} {sign} {short_number(abs(log_sum))})"
    assert said == f"cat attends to down {short_number(weight)} = {expected}"


def test_takes_the_strongest_key_where_none_is_chosen() -> None:
    trace = dot()
    scene = read_mechanism(trace.attention, MechanismState(query=2))
    assert scene.key == trace.weights[2].argmax()


def test_names_the_mask_of_a_key() -> None:
    said = describe_picture(dot(causal=True).attention, MechanismState(query=1, key=3))
    assert said == "cat attends to down 0 = 0: masked (causal)"


def test_writes_every_number_that_has_room() -> None:
    trace = additive()
    seen = words(trace.attention, MechanismState(query=1, key=2))
    row = trace.weights[1]
    assert trace.projected_query is not None
    assert trace.projected_key is not None
    assert trace.output is not None
    for values in (
        trace.query[1],
        trace.key[2],
        np.tanh(trace.projected_query[1] + trace.projected_key[2]),
        trace.masked[1],
        row,
        trace.output[1],
        row[:, None] * trace.value,
    ):
        for value in np.ravel(values):
            assert short_number(float(value)) in seen, value
    assert {"query W", "key U", "sum", "tanh", "v", "tanh × v"} <= set(seen)


def test_shows_what_each_rule_does() -> None:
    bias = np.zeros((5, 5))
    bias[1, 2] = -0.5
    trace = dot(softcap=2.0, bias=bias, temperature=2.0, sinks=np.array([0.25]))
    seen = " ".join(words(trace.attention, MechanismState(query=1, key=2)))
    assert re.search(r"sum = .* × 0\.500 = .* softcap 2\.000 → .* − 0\.500 = .* ÷ 2\.000 = ", seen)
    sink = np.exp(0.125) / (np.exp(0.125) + np.exp(trace.masked[1]).sum())
    assert re.search(rf"sink .* {short_number(float(sink))}", seen)


def test_pools_the_keys_beyond_the_strongest() -> None:
    held = aw.Attention.from_qk(vectors(2, 8), vectors(300, 8, seed=1), value=vectors(300, 8))
    scene = read_mechanism(held, MechanismState(query=1, key=7))
    assert len(scene.shown) == 16
    assert 7 in scene.shown
    assert list(scene.shown) == sorted(scene.shown)
    seen = words(held, MechanismState(query=1, key=7))
    assert "284 more" in seen
    others = np.setdiff1d(np.arange(300), scene.shown)
    assert short_number(float(held[0, 0, 1][others].sum())) in seen


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_cells_have_the_colours_of_their_numbers(theme: str) -> None:
    trace = dot()
    state = MechanismState(query=1, key=2, theme=theme)
    plan = plan_mechanism(read_mechanism(trace.attention, state), outlines=True)
    image = Image.open(io.BytesIO(render_png(trace.attention, state))).convert("RGB")
    pixels = np.asarray(image).astype(int)
    ratio = pixels.shape[1] / plan.width
    strip = plan.sheet.strips[2]
    products = trace.query[1] * trace.key[2]
    left, top, right, _ = strip.box
    expected = colours_at(
        anchors_of("auto", True, theme), 0.5 + products / np.abs(products).max() / 2
    )
    for at, colour in enumerate(expected.astype(int)):
        x = left + (at + 0.06) * (right - left) / len(products)
        found = pixels[int((top + 3) * ratio), int(x * ratio)]
        assert np.abs(found - colour).max() <= 6


def test_panels_stand_side_by_side_with_keys_in_line() -> None:
    both = dot().beside(additive())
    plan = plan_mechanism(read_mechanism(both, MechanismState(query=1, key=2)), outlines=False)
    # Each panel names it as a key, and again beside its value.
    first, _, second, _ = [label for label in plan.sheet.labels if label.text == "."]
    assert first.y == second.y
    assert first.x < second.x
    said = describe_picture(both, MechanismState(query=1, key=2))
    assert "(scaled dot product); " in said
    assert said.endswith("(additive)")


@pytest.mark.parametrize("depth", [4, 64, 300])
@pytest.mark.parametrize("keys", [1, 5, 500])
def test_pictures_are_small_and_all_is_within(depth: int, keys: int) -> None:
    held = aw.Attention.from_qk(
        vectors(3, depth), vectors(keys, depth, seed=1), value=vectors(keys, depth, seed=2)
    )
    state = MechanismState(query=2)
    png = render_png(held, state)
    assert len(png) <= PNG_BYTES
    plan = plan_mechanism(read_mechanism(held, state), outlines=True)
    assert plan.fits
    size = png_metadata(png)
    assert abs(size["width"] - plan.width) <= 1
    for left, top, right, bottom in [strip.box for strip in plan.sheet.strips]:
        assert left >= 0
        assert right <= plan.width - 13
        assert plan.header.height < top < bottom < plan.height - plan.footer.height


def test_fills_axes_of_others() -> None:
    figure = Figure(figsize=(6, 5))
    ax = figure.add_axes((0, 0, 1, 1))
    assert plot_picture(dot().attention, MechanismState(), ax) is figure


def test_rows_without_keys_and_missing_numbers_are_drawn() -> None:
    masked = aw.Attention.from_qk(vectors(2, 3), vectors(4, 3), mask=np.zeros((2, 4), bool))
    assert "masked (mask)" in describe_picture(masked, MechanismState())
    assert render_png(masked, MechanismState())
    odd = vectors(4, 3)
    odd[1, 0] = np.nan
    missing = aw.Attention.from_qk(vectors(2, 3), odd, value=vectors(4, 3))
    assert render_png(missing, MechanismState())


def test_no_head_is_said() -> None:
    assert describe_picture(dot().attention, MechanismState(head=None)) == "No head is shown."
    assert render_png(dot().attention, MechanismState(head=None))


def test_the_state_of_a_widget_is_drawn() -> None:
    with aw.AttentionWidget(dot().attention, view="mechanism", pinned_keys=[3]) as widget:
        assert picture_state(widget) == MechanismState(key=3)
        widget.pinned_queries = [4, 1]
        assert picture_state(widget) == MechanismState(query=4, key=3)
        before = widget.snapshot().png
        widget.pinned_keys = [0]
        assert widget.snapshot().png != before
        widget.view = "lines"
        assert isinstance(picture_state(widget), LinesState)


def test_the_page_has_the_same_measures() -> None:
    def held(name: str) -> dict[str, str]:
        text = (PAGE / name).read_text("utf-8")
        return dict(re.findall(r"const ([A-Z_]+) = ([\d.]+);", text))

    sheet, row, view = held("sheet.ts"), held("row.ts"), held("view.ts")
    for name in ("LINE", "STRIP", "GAP", "WIDEST", "ROOMY", "LEAST"):
        assert float(sheet[name]) == getattr(mechanism_sheet, name), name
    assert float(row["BESIDE"]) == mechanism_panel.BESIDE
    assert float(row["THIN"]) == mechanism_panel.THIN
    assert float(view["SIDE_BY_SIDE"]) == mechanism_module.SIDE_BY_SIDE
    assert float(view["GAP"]) == mechanism_module.BETWEEN
    assert float(held("sight.ts")["LINES"]) == mechanism_scene.MOST_KEYS
    text = (PAGE / "layout.ts").read_text("utf-8")
    theirs = dict(re.findall(r'^  (\w+): \["([^"]+)", "[^"]+"\],$', text, re.MULTILINE))
    assert theirs == {name: title for name, (title, _) in mechanism_scene.TITLES.items()}
