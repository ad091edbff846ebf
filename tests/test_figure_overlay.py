"""The still picture of an overlay: colours on the picture, hatching, contours, words and sizes."""

from __future__ import annotations

import io
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

import attn_widget as aw
from attn_widget.figure import describe_picture, plot_overlay, png_metadata, render_png
from attn_widget.figure.canvas import PNG_BYTES
from attn_widget.figure.colormap import MAPS, colours_at
from attn_widget.figure.overlay_contours import enclosing, lines_of
from attn_widget.figure.overlay_paint import View, alpha_of, between_middles, compose, hatched
from attn_widget.figure.overlay_plan import OverlayPlan, arranged, plan_overlay
from attn_widget.figure.overlay_scene import OverlayScene, read_overlay
from attn_widget.figure.palette import LIGHT
from attn_widget.pictures import picture_state
from attn_widget.scale import SCALES
from attn_widget.selection import OverlayState
from counted import CountedArray

Pixels = NDArray[np.int64]
GREY = np.full((60, 80, 3), 128, np.uint8)
WORDS = ["a", "red", "cat"]


def softmax(*shape: int, seed: int = 0) -> NDArray[np.float32]:
    found = np.random.default_rng(seed).dirichlet(np.ones(shape[-1]), size=shape[:-1])
    return np.asarray(found, dtype=np.float32)


def captions(weights: NDArray[np.float32] | None = None, **options: Any) -> aw.Attention:
    """Words on a grey picture of 3 × 4 patches."""
    weights = softmax(2, 3, 12) if weights is None else weights
    return aw.Attention(weights, WORDS, aw.Patches(3, 4, **{"image": GREY, **options}))


def vision() -> aw.Attention:
    """[CLS], a register and 3 × 4 patches among themselves."""
    axis = [aw.Tokens(["[CLS]", "[REG]"], special=[0, 1]), aw.Patches(3, 4, image=GREY)]
    return aw.Attention(softmax(2, 2, 14, 14), axis, name="ViT")


def state(**options: Any) -> OverlayState:
    return OverlayState(**{"heads": (0, 1), "pinned_queries": (1,), **options})


def painted(attention: aw.Attention, shown: OverlayState, row: int = 0, panel: int = 0) -> Pixels:
    """A panel's pixels, one an original pixel."""
    scene = read_overlay(attention, shown)
    one = scene.panels[panel]
    left, top, right, bottom = one.extent
    view = View(one, (round(right - left), round(bottom - top)), 1.0)
    return compose(scene, row, view, LIGHT).astype(np.int64)


def middle(pixels: Pixels, row: float, column: float, cells: tuple[int, int] = (3, 4)) -> Pixels:
    """The colour in the middle of a cell of a grid over all of a picture."""
    y = int((row + 0.5) * pixels.shape[0] / cells[0])
    return np.asarray(pixels[y, int((column + 0.5) * pixels.shape[1] / cells[1])])


def blended(strength: float, opacity: float, ground: int = 128, name: str = "image") -> Pixels:
    """The colour of a strength over a ground, by the formula."""
    alpha = opacity * min(1, 2 * strength) if strength > 0.004 else 0.0
    colour = colours_at(MAPS[name]["light"], strength).astype(np.float64)
    return np.floor(alpha * colour + (1 - alpha) * ground + 0.5).astype(np.int64)


class TestColours:
    @pytest.mark.parametrize("opacity", [0.8, 0.3, 1.0, 0.0])
    def test_every_patch_has_the_colour_of_its_weight(self, opacity: float) -> None:
        weights = softmax(2, 3, 12)
        pixels = painted(captions(weights), state(opacity=opacity))
        mean = weights.mean(axis=0)
        full = float(mean.max())
        for row in range(3):
            for column in range(4):
                strength = float(mean[1, row * 4 + column]) / full
                np.testing.assert_allclose(
                    middle(pixels, row, column), blended(strength, opacity), atol=1
                )

    def test_weights_that_are_next_to_nothing_leave_the_picture(self) -> None:
        weights = np.zeros((1, 3, 12), np.float32)
        weights[0, 1] = [0.002] * 11 + [0.978]
        weights[0, 0, 0] = 1
        pixels = painted(captions(weights), state(heads=(0,)))
        assert (middle(pixels, 0, 0) == 128).all()
        assert not (middle(pixels, 2, 3) == 128).all()

    def test_edges_between_patches_are_sharp(self) -> None:
        weights = np.zeros((1, 3, 12), np.float32)
        weights[0, 1, 5] = 1
        pixels = painted(captions(weights), state(heads=(0,)))
        inside = np.zeros((60, 80), dtype=bool)
        inside[20:40, 20:40] = True
        assert (pixels[~inside] == 128).all()
        assert (pixels[inside] == pixels[30, 30]).all()

    def test_smooth_values_are_coloured_after_they_are_interpolated(self) -> None:
        weights = np.zeros((1, 3, 12), np.float32)
        weights[0, 1, [5, 6]] = [1, 0.5]
        weights[0, 1, [9, 10]] = [1, 0.5]
        weights[0, 1, [1, 2]] = [1, 0.5]
        pixels = painted(captions(weights), state(heads=(0,), interpolation="bilinear"))
        # Columns 30 and 50 are the middles of the cells: half-way in value, not in colour.
        np.testing.assert_allclose(pixels[30, 29], blended(1.0, 0.8), atol=20)
        np.testing.assert_allclose(pixels[30, 30], blended(0.9875, 0.8), atol=1)
        np.testing.assert_allclose(pixels[30, 40], blended(0.7375, 0.8), atol=1)
        assert np.abs(pixels[30, 40] - (pixels[30, 29] + pixels[30, 50]) / 2).max() > 12

    @pytest.mark.parametrize(("theme", "veil"), [("light", 255), ("dark", 24)])
    def test_dimming_leaves_the_strongest_as_it_is(self, theme: str, veil: int) -> None:
        weights = np.zeros((1, 3, 12), np.float32)
        weights[0, 1, 5] = 1
        shown = state(heads=(0,), paint="dim", opacity=0.5, theme=theme)
        scene = read_overlay(captions(weights), shown)
        view = View(scene.panels[0], (80, 60), 1.0)
        from attn_widget.figure.palette import theme_of

        pixels = compose(scene, 0, view, theme_of(theme)).astype(np.int64)
        assert (middle(pixels, 1, 1) == 128).all()
        assert np.abs(middle(pixels, 0, 0) - (128 + veil) / 2).max() <= 2

    def test_signed_weights_diverge(self) -> None:
        weights = np.zeros((1, 3, 12), np.float32)
        weights[0, 1, :3] = [1, -1, -0.5]
        weights[0, 1, 3] = -np.inf
        attention = aw.Attention(weights, WORDS, aw.Patches(3, 4, image=GREY), kind="difference")
        pixels = painted(attention, state(heads=(0,), opacity=1.0))
        assert middle(pixels, 0, 0).tolist() == MAPS["diverging"]["light"][-1].tolist()
        assert middle(pixels, 0, 1).tolist() == MAPS["diverging"]["light"][0].tolist()
        scene = read_overlay(attention, state(heads=(0,)))
        assert hatched(scene) == ["masked"]

    @pytest.mark.parametrize("scale", SCALES)
    def test_scales(self, scale: str) -> None:
        weights = softmax(1, 3, 12)
        scene = read_overlay(captions(weights), state(heads=(0,), scale=scale))
        row, full = weights[0, 1], float(weights[0].max())
        expected = {
            "absolute": row / full,
            "row": row / row.max(),
            "sqrt": np.sqrt(row / full),
            "log": np.clip(1 + np.log10(row / full) / 4, 0, 1),
            "times_uniform": np.clip(row * 12 / 10, 0, 1),
        }[scale]
        np.testing.assert_allclose(scene.strengths[0], expected, rtol=1e-5)

    @given(st.floats(0, 1), st.floats(0, 1))
    def test_opacity_grows_with_weight(self, strength: float, opacity: float) -> None:
        found = float(alpha_of(strength, opacity))
        assert 0 <= found <= opacity
        assert found <= float(alpha_of(min(1.0, strength + 0.01), opacity)) + 1e-12


class TestPlaces:
    def test_transparent_images_show_the_ground(self) -> None:
        image = np.zeros((60, 80, 4), np.uint8)
        image[:, 40:] = [10, 20, 30, 255]
        nothing = np.zeros((1, 3, 12), np.float32)
        pixels = painted(captions(nothing, image=image), state(heads=(0,)))
        assert (pixels[:, :30] == 255).all()
        assert (pixels[:, 50:] == [10, 20, 30]).all()

    def test_what_the_model_never_saw_is_hatched(self) -> None:
        nothing = np.zeros((1, 3, 12), np.float32)
        attention = captions(nothing, region=(10, 0, 70, 60))
        pixels = painted(attention, state(heads=(0,)))
        assert (pixels[:, 12:68] == 128).all()
        for side in (pixels[:, :10], pixels[:, 70:]):
            assert len(np.unique(side.reshape(-1, 3), axis=0)) == 2
            assert (side > 128).any()
        assert hatched(read_overlay(attention, state(heads=(0,)))) == [
            "not seen: outside the patches"
        ]

    def test_padding_is_no_image(self) -> None:
        nothing = np.zeros((1, 3, 12), np.float32)
        attention = captions(nothing, region=(0, -10, 80, 70))
        pixels = painted(attention, state(heads=(0,)))
        assert pixels.shape == (80, 80, 3)
        assert (pixels[10:70] == 128).all()
        assert not (pixels[:10] == 128).any()
        assert hatched(read_overlay(attention, state(heads=(0,)))) == ["padding"]

    def test_positions_on_no_cell_and_in_another_order(self) -> None:
        order = [3, 2, -1, 1, 0]
        weights = np.array([[[0, 0, 0.75, 0.25, 0]]], np.float32)
        attention = aw.Attention(weights, ["a"], aw.Patches(2, 2, image=GREY, order=order))
        shown = state(heads=(0,), pinned_queries=(0,))
        pixels = painted(attention, shown)
        changed = [
            (r, c) for r in (0, 1) for c in (0, 1) if (middle(pixels, r, c, (2, 2)) != 128).any()
        ]
        assert changed == [(0, 1)]
        account = read_overlay(attention, shown).account
        assert {share.role: round(share.share, 6) for share in account.shares} == {
            "image": 0.25,
            "special": 0.75,
        }
        assert account.strongest == 3

    def test_a_key_side_on_no_picture_leaves_it_alone(self) -> None:
        attention = aw.Attention(softmax(1, 12, 3), aw.Patches(3, 4, image=GREY), WORDS)
        assert (painted(attention, state(heads=(0,))) == 128).all()
        by_key = state(heads=(0,), pinned_queries=(), pinned_keys=(2,))
        assert (painted(attention, by_key) != 128).any()

    def test_boxes_are_filled_by_weight_and_named(self) -> None:
        boxes = aw.Boxes([[0, 0, 20, 20], [40, 20, 80, 60]], labels=["cat", "dog"], image=GREY)
        weights = np.array([[[0.25, 0.75]]], np.float32)
        attention = aw.Attention(weights, ["a"], boxes)
        pixels = painted(attention, state(heads=(0,), pinned_queries=(0,)))
        np.testing.assert_allclose(pixels[40, 60], blended(1.0, 0.8), atol=1)
        np.testing.assert_allclose(pixels[10, 10], blended(1 / 3, 0.8), atol=1)
        assert (pixels[50, 10] == 128).all()
        texts = words_of(attention, state(heads=(0,), pinned_queries=(0,)))
        assert "dog 0.750" in texts
        assert "cat 0.250" in texts

    @pytest.mark.parametrize("counts", [(1, 1), (1, 4), (2, 3), (1, 30)])
    def test_pictures_fill_their_room_without_overlap(self, counts: tuple[int, int]) -> None:
        segments = [aw.Patches(2, 2, image=GREY[: 60 - 9 * at]) for at in range(counts[0])]
        keys = sum(map(len, segments))
        attention = aw.Attention(softmax(counts[1], 3, keys), WORDS, segments)
        panels = read_overlay(attention, state(heads=(0,))).panels
        assert len(panels) == counts[0]
        places, wide, high = arranged(panels, counts[1], 500.0, 400.0)
        assert len(places) == counts[0] * counts[1]
        assert wide <= 500.5
        boxes = np.array([place.box for place in places])
        assert boxes[:, 2].max() <= wide + 1e-9
        assert boxes[:, 3].max() == pytest.approx(high)
        for at, one in enumerate(boxes):
            others = np.delete(boxes, at, axis=0)
            apart = (
                (others[:, 0] >= one[2]) | (others[:, 2] <= one[0])
                | (others[:, 1] >= one[3]) | (others[:, 3] <= one[1])
            )  # fmt: skip
            assert apart.all()
        for place in places:
            left, top, right, bottom = panels[place.panel].extent
            assert place.height == pytest.approx(
                place.width * (bottom - top) / (right - left), abs=1
            )


class TestContours:
    def test_the_smallest_sets(self) -> None:
        weights = np.array([0.1, 0.5, np.nan, 0.2, 0.0, 0.2], np.float32)
        assert enclosing(weights, range(6), (0.5, 0.7, 0.9, 1.0)) == [
            [1], [1, 3], [1, 3, 5], [1, 3, 5, 0],
        ]  # fmt: skip
        assert enclosing(weights, [2, 4], (0.5,)) == [[]]

    def test_lines_run_along_cells(self) -> None:
        weights = np.zeros((1, 3, 12), np.float32)
        weights[0, 1, [5, 6]] = [0.6, 0.4]
        shown = state(heads=(0,), paint="contours", contours=(0.5, 0.9))
        scene = read_overlay(captions(weights), shown)
        (small, inner, _), (large, outer, _) = lines_of(scene, 0, scene.panels[0])
        assert (small, large) == (0.5, 0.9)
        assert {point for piece in inner for point in piece} == {
            (20, 20), (40, 20), (20, 40), (40, 40),
        }  # fmt: skip
        length = sum(abs(a[0] - b[0]) + abs(a[1] - b[1]) for a, b in outer)
        assert length == pytest.approx(2 * (40 + 20))

    def test_outlines_run_around_every_cell(self) -> None:
        weights = np.zeros((1, 3, 12), np.float32)
        weights[0, 1, [5, 6]] = [0.6, 0.4]
        scene = read_overlay(captions(weights), state(heads=(0,), paint="outline", contours=(0.9,)))
        ((_, pieces, _),) = lines_of(scene, 0, scene.panels[0])
        length = sum(abs(a[0] - b[0]) + abs(a[1] - b[1]) for a, b in pieces)
        assert length == pytest.approx(2 * (40 + 20) + 20)

    def test_smooth_lines_enclose_the_same_peak(self) -> None:
        weights = np.zeros((1, 3, 12), np.float32)
        weights[0, 1, [5, 6]] = [0.75, 0.25]
        shown = state(heads=(0,), paint="contours", interpolation="bilinear", contours=(0.5,))
        scene = read_overlay(captions(weights), shown)
        ((_, pieces, _),) = lines_of(scene, 0, scene.panels[0])
        points = np.array([point for piece in pieces for point in piece])
        assert len(points) > 8
        distances = np.hypot(*(points - [32, 30]).T)
        assert distances.min() > 8
        assert distances.max() < 16
        # A line around a peak comes back to where it began.
        ends = np.array([[piece[0], piece[1]] for piece in pieces])
        assert sorted(map(tuple, ends[:, 0].tolist())) == sorted(map(tuple, ends[:, 1].tolist()))

    def test_smooth_lines_hold_their_share(self) -> None:
        attention = captions(softmax(1, 3, 12, seed=4))
        shown = state(heads=(0,), paint="contours", interpolation="bilinear", contours=(0.5,))
        scene = read_overlay(attention, shown)
        ((_, pieces, _),) = lines_of(scene, 0, scene.panels[0])
        # The area under a line by the shoelace formula, signs of holes opposite.
        around = abs(sum(x0 * y1 - x1 * y0 for (x0, y0), (x1, y1) in pieces)) / 2
        assert 0.05 < around / (80 * 60) < 0.5

    @given(st.integers(1, 5), st.integers(1, 5), st.integers(0, 99))
    def test_interpolation_invents_nothing(self, rows: int, cols: int, seed: int) -> None:
        grid = np.random.default_rng(seed).random((rows, cols), np.float32)
        places = [np.linspace(0, count, 31) for count in grid.shape]
        found = between_middles(grid, places)
        assert found.min() >= grid.min() - 1e-6
        assert found.max() <= grid.max() + 1e-6
        exact = between_middles(grid, [np.arange(0.5, count) for count in grid.shape])
        np.testing.assert_allclose(exact, grid, rtol=1e-6)


class TestFocus:
    def test_pinned_queries_are_averaged(self) -> None:
        attention = captions()
        scene = read_overlay(attention, state(combine="mean", pinned_queries=(0, 2)))
        expected = attention[0].mean(axis=0)[[0, 2]].mean(axis=0)
        np.testing.assert_allclose(scene.painted, expected[None], rtol=1e-6)
        said = describe_picture(attention, state(pinned_queries=(0, 2)))
        assert "(mean of 2)" in said
        assert said.startswith("a + cat attend to row")
        assert said.endswith("· 100 % on the image")

    def test_pinned_keys_are_summed_up(self) -> None:
        attention = captions()
        shown = state(pinned_queries=(), pinned_keys=(4, 5))
        scene = read_overlay(attention, shown)
        assert scene.other == "query"
        expected = attention[0].mean(axis=0)[:, [4, 5]].sum(axis=1)
        np.testing.assert_allclose(scene.painted, expected[None], rtol=1e-6)
        assert "(sum of 2)" in describe_picture(attention, shown)

    def test_pins_on_both_sides_show_the_queries(self) -> None:
        scene = read_overlay(captions(), state(pinned_keys=(4,)))
        assert (scene.side, scene.focus) == ("query", (1,))

    def test_nothing_pinned_is_the_mean_over_all_queries(self) -> None:
        attention = captions()
        scene = read_overlay(attention, state(pinned_queries=()))
        np.testing.assert_allclose(scene.painted, attention[0].mean(axis=(0, 1))[None], rtol=1e-6)
        said = describe_picture(attention, state(pinned_queries=()))
        assert said.startswith("the mean of 3 queries attends to")

    def test_the_only_query_is_named(self) -> None:
        attention = aw.Attention(softmax(1, 1, 12), ["cat"], aw.Patches(3, 4, image=GREY))
        said = describe_picture(attention, state(heads=(0,), pinned_queries=()))
        assert said.startswith("cat attends to")

    def test_hidden_queries_are_left_out_of_the_mean(self) -> None:
        attention = vision()
        scene = read_overlay(attention, state(pinned_queries=(), special="hide"))
        assert scene.count == 12
        expected = attention[0].mean(axis=0)[2:].mean(axis=0)
        np.testing.assert_allclose(scene.painted[0, 2:], expected[2:], rtol=1e-6)
        assert (scene.painted[0, :2] == 0).all()

    def test_each_head_has_its_own_picture(self) -> None:
        attention = captions()
        shown = state(combine="each")
        scene = read_overlay(attention, shown)
        assert scene.numbers == (0, 1)
        np.testing.assert_array_equal(scene.painted, attention[0, :, 1])
        texts = words_of(attention, shown)
        assert "head 0" in texts
        assert "head 1" in texts
        assert "(head " in describe_picture(attention, shown)

    def test_rows_are_renormalised_without_what_is_set_aside(self) -> None:
        attention = vision()
        shown = state(special="renormalise", aside=(7,), pinned_queries=(0,))
        scene = read_overlay(attention, shown)
        row = attention[0].mean(axis=0)[0]
        left = np.delete(row, [0, 1, 7])
        np.testing.assert_allclose(
            np.delete(scene.painted[0], [0, 1, 7]), left / left.sum(), rtol=1e-5
        )
        assert scene.account.set_aside == pytest.approx(1 - left.sum() / row.sum(), rel=1e-5)
        assert "set aside" in hatched(scene)
        pixels = painted(attention, shown)
        cell = pixels[20:40, 20:40].reshape(-1, 3)
        assert len(np.unique(cell, axis=0)) == 2
        assert describe_picture(attention, replace(shown, pinned_queries=(), pinned_keys=(7,))) == (
            "row 2, column 2 is set aside"
        )

    def test_large_maps_are_sampled_and_say_so(self) -> None:
        rows = np.zeros((1, 1, 9000, 900), np.float32)
        rows[..., :450] = 1 / 450
        weights = CountedArray(rows)
        attention = aw.Attention(weights, None, aw.Patches(30, 30, image=GREY))
        shown = OverlayState(heads=(0,))
        scene = read_overlay(attention, shown)
        if scene.every == 1:
            assert scene.count == 9000
        else:
            assert "only every" in " ".join(words_of(attention, shown))
        np.testing.assert_allclose(scene.painted[0, :450], 1 / 450, rtol=1e-5)

    def test_sampled_queries(self, monkeypatch: pytest.MonkeyPatch) -> None:
        from attn_widget.figure import overlay_scene

        monkeypatch.setattr(overlay_scene, "query_spacing", lambda *_: 4)
        weights = softmax(1, 1, 40, 12)
        attention = aw.Attention(weights, None, aw.Patches(3, 4, image=GREY))
        scene = read_overlay(attention, OverlayState(heads=(0,)))
        read = range(2, 40, 4)
        assert (scene.every, scene.count) == (4, len(read))
        np.testing.assert_allclose(
            scene.painted[0], weights[0, 0, list(read)].mean(axis=0), rtol=1e-5
        )
        assert "only every 4th query read" in words_of(attention, OverlayState(heads=(0,)))
        pinned = read_overlay(attention, OverlayState(heads=(0,), pinned_queries=(3,)))
        np.testing.assert_array_equal(pinned.painted[0], weights[0, 0, 3])
        by_key = read_overlay(attention, OverlayState(heads=(0,), pinned_keys=(3,)))
        found = np.flatnonzero(by_key.painted[0])
        assert found.tolist() == list(read)


def words_of(attention: aw.Attention, shown: OverlayState) -> list[str]:
    return [text.get_text() for text in plot_overlay(attention, shown).axes[0].texts]


class TestWords:
    def test_the_account_is_told(self) -> None:
        weights = np.zeros((1, 1, 14, 14), np.float32)
        weights[..., 0], weights[..., 1] = 0.5, 0.125
        weights[..., 7] = 0.25
        axis = [aw.Tokens(["[CLS]", "[REG]"], special=[0, 1]), aw.Patches(3, 4, image=GREY)]
        attention = aw.Attention(weights, axis)
        texts = words_of(attention, OverlayState(heads=(0,), pinned_queries=(0,)))
        joined = " ".join(texts)
        for expected in ("28.6 %", "57.1 %", "14.3 %", "[CLS]", "[REG]", "row 2, column 2 0.25"):
            assert expected in joined
        assert "the weights sum to 0.875" in joined
        assert "1 of 12" in joined
        assert "weight, absolute · nearest" in joined

    def test_tokens_carry_their_weights(self) -> None:
        texts = words_of(vision(), state(pinned_queries=(0,)))
        weight = float(vision()[0].mean(axis=0)[0, 1])
        assert f"{weight:.3f}" in texts

    def test_of_very_many_tokens_the_strongest_are_named(self) -> None:
        weights = np.zeros((1, 1, 1, 512), np.float32)
        weights[..., 400], weights[..., 511] = 0.75, 0.25
        keys = [aw.Tokens([f"word{at}" for at in range(500)]), aw.Patches(3, 4, image=GREY)]
        attention = aw.Attention(weights, ["a"], keys)
        texts = words_of(attention, OverlayState(heads=(0,), pinned_queries=(0,)))
        assert "word400" in texts
        assert "…" in texts
        assert sum(text.startswith("word") for text in texts) < 60

    def test_no_head_and_nothing_to_draw(self) -> None:
        assert describe_picture(captions(), state(heads=())) == "No head is shown."
        assert render_png(captions(), state(heads=())).startswith(b"\x89PNG")
        empty = aw.Attention(np.zeros((1, 0, 12), np.float32), [], aw.Patches(3, 4, image=GREY))
        shown = OverlayState(heads=(0,))
        assert describe_picture(empty, shown).startswith("This map has no targets")
        assert render_png(empty, shown).startswith(b"\x89PNG")


STATES = [
    state(combine=combine, paint=paint, interpolation=smooth, theme=theme, special=special)
    for combine, paint, smooth, theme, special in (
        ("mean", "heat", "nearest", "light", "show"),
        ("max", "dim", "bilinear", "dark", "hide"),
        ("each", "contours", "bilinear", "light", "renormalise"),
        ("mean", "outline", "nearest", "dark", "show"),
        ("each", "heat", "bilinear", "dark", "show"),
    )
]


class TestPicture:
    @pytest.mark.parametrize("shown", STATES)
    @pytest.mark.parametrize("make", [captions, vision])
    def test_pictures_are_small_and_fit(self, shown: OverlayState, make: Any) -> None:
        attention = make()
        png = render_png(attention, shown)
        assert len(png) < PNG_BYTES
        size = png_metadata(png)
        plan = planned(attention, shown)
        assert plan.fits
        assert abs(size["width"] - plan.width) <= 1
        assert abs(size["height"] - plan.height) <= 1

    def test_a_photograph_of_any_size_makes_a_small_picture(self) -> None:
        noise = np.random.default_rng(0).integers(0, 256, (600, 800, 3), dtype=np.uint8)
        png = render_png(captions(image=noise), state())
        assert len(png) <= PNG_BYTES
        image = Image.open(io.BytesIO(png))
        assert image.width >= png_metadata(png)["width"] // 2 - 1

    def test_the_bitmap_shows_what_is_composed(self) -> None:
        attention, shown = captions(), state()
        plan = planned(attention, shown)
        image = np.asarray(Image.open(io.BytesIO(render_png(attention, shown))).convert("RGB"))
        ratio = image.shape[1] / plan.width
        place = plan.places[0]
        pixels = painted(attention, shown)
        for row, column in ((0, 0), (1, 2), (2, 3)):
            x = place.x + (column + 0.12) * place.width / 4
            y = place.y + (row + 0.12) * place.height / 3
            found = image[round(y * ratio), round(x * ratio)].astype(np.int64)
            assert np.abs(found - middle(pixels, row, column)).max() <= 12

    @pytest.mark.parametrize("size", [(6, 4), (4, 6), (3.5, 3)])
    def test_axes_of_others_are_filled(self, size: tuple[float, float]) -> None:
        figure = Figure(figsize=size)
        ax = figure.subplots()
        assert plot_overlay(vision(), state(), ax) is figure
        figure.canvas.draw()
        assert "[CLS]" in [text.get_text() for text in ax.texts]

    @pytest.mark.parametrize("kind", ["svg", "pdf"])
    def test_papers_get_text_as_text(self, kind: str) -> None:
        stream = io.BytesIO()
        with mpl.rc_context({"svg.fonttype": "none"}):
            plot_overlay(vision(), state(paint="contours")).savefig(stream, format=kind)
        if kind == "svg":
            text = stream.getvalue().decode()
            assert ">[CLS]<" in text
            assert "<image" in text
        assert stream.getvalue()

    def test_the_widget_shows_it(self) -> None:
        with_notes = aw.AttentionWidget(vision(), view="overlay", pinned_queries=(0,))
        widget = aw.AttentionWidget(vision(), view="overlay", pinned_queries=(0,), notes=False)
        shown = picture_state(widget)
        assert isinstance(shown, OverlayState)
        assert widget.snapshot().png == render_png(vision(), shown)
        told = [note.text for note in with_notes.read_with_care()]
        assert with_notes.snapshot().png == render_png(vision(), shown, told)
        assert isinstance(widget.plot(), Figure)

    @settings(max_examples=25, deadline=None)
    @given(
        st.integers(1, 3), st.integers(1, 40), st.integers(1, 9), st.integers(1, 9), st.booleans(),
        st.floats(0.2, 5.0),
    )  # fmt: skip
    def test_anything_fits(
        self, heads: int, queries: int, rows: int, cols: int, each: bool, aspect: float
    ) -> None:
        image = np.full((max(1, round(40 / aspect)), 40, 3), 90, np.uint8)
        attention = aw.Attention(
            softmax(heads, queries, rows * cols), None, aw.Patches(rows, cols, image=image)
        )
        shown = OverlayState(
            heads=tuple(range(heads)), combine="each" if each else "mean", pinned_queries=(0,)
        )
        plan = planned(attention, shown)
        assert plan.fits
        assert plan.width < 900


def planned(attention: aw.Attention, shown: OverlayState) -> OverlayPlan:
    return plan_overlay(scene_of(attention, shown), outlines=True, detail=2.0)


def scene_of(attention: aw.Attention, shown: OverlayState) -> OverlayScene:
    return read_overlay(attention, shown)
