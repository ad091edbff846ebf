"""The truth in still pictures: rings on given links, dashes around given masks."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

import attn_widget as aw
from attn_widget.figure import plot_matrix, plot_overlay, render_png
from attn_widget.figure.matrix_plan import plan_matrix
from attn_widget.figure.matrix_scene import read_matrix
from attn_widget.figure.overlay_plan import plan_overlay
from attn_widget.figure.overlay_scene import read_overlay
from attn_widget.masks import read_masks
from attn_widget.pictures import picture_state
from attn_widget.selection import MatrixState, OverlayState

GREY = np.full((60, 80, 3), 128, np.uint8)
EMPTY = aw.Attention(np.zeros((6, 8), np.float32), [*"abcdef"], [*"ABCDEFGH"])
CAPTION = aw.Attention(np.zeros((2, 12), np.float32), ["a", "b"], aw.Patches(3, 4, image=GREY))
MASK = np.zeros((60, 80), dtype=bool)
MASK[20:40, 30:60] = True


def pixels(png: bytes) -> NDArray[np.int64]:
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(np.int64)


def words(figure: object) -> str:
    (ax,) = figure.axes  # type: ignore[attr-defined]
    return " ".join(text.get_text() for text in ax.texts)


class TestLinks:
    def inked(self, state: MatrixState, attention: aw.Attention = EMPTY) -> set[tuple[int, int]]:
        """The cells with any ink in their inner half, where a ring is and no frame."""
        plan = plan_matrix(read_matrix(attention, state), outlines=True)
        image = pixels(render_png(attention, state))
        ratio = image.shape[1] / plan.width
        ground = np.round(255 * np.array(plan.theme.surface))
        rows, columns = plan.scene.cells.shape
        high, wide = plan.high / rows, plan.wide / columns
        found = set()
        for row in range(rows):
            for column in range(columns):
                top, left = plan.top + row * high, plan.left + column * wide
                spots = [
                    top + high * 0.05,
                    top + high * 0.95,
                    left + wide * 0.05,
                    left + wide * 0.95,
                ]
                y0, y1, x0, x1 = (round(spot * ratio) for spot in spots)
                if np.abs(image[y0:y1, x0:x1] - ground).max() > 100:
                    found.add((row, column))
        return found

    @pytest.mark.parametrize("theme", ["light", "dark"])
    def test_have_a_ring_on_their_cell(self, theme: str) -> None:
        state = MatrixState(heads=(0,), links=((0, 0), (2, 5), (5, 7)), theme=theme)
        assert self.inked(state) == {(0, 0), (2, 5), (5, 7)}
        assert self.inked(replace(state, links=())) == set()

    def test_follow_the_window(self) -> None:
        links = ((0, 0), (2, 5), (5, 7))
        state = MatrixState(heads=(0,), links=links, window=(1, 4, 2, 7))
        assert read_matrix(EMPTY, state).links == ((1, 3),)
        assert self.inked(state) == {(1, 3)}

    def test_follow_merged_words(self) -> None:
        axis = aw.Tokens([*"abcd"], words=[0, 0, 1, 2])
        attention = aw.Attention(np.zeros((4, 4)), axis)
        state = MatrixState(heads=(0,), links=((0, 3), (1, 3), (2, 1)), words=True)
        assert read_matrix(attention, state).links == ((0, 2), (1, 0))

    def test_are_explained(self) -> None:
        state = MatrixState(heads=(0,), links=((0, 0),))
        assert "given link" in words(plot_matrix(EMPTY, state))
        assert "given link" not in words(plot_matrix(EMPTY, MatrixState(heads=(0,))))

    def test_of_a_widget_are_drawn(self) -> None:
        widget = aw.matrix(EMPTY, links=[(2, 5)])
        state = picture_state(widget)
        assert isinstance(state, MatrixState)
        assert state.links == ((2, 5),)


class TestMasks:
    def state(self, **more: object) -> OverlayState:
        masks = tuple(read_masks([MASK], CAPTION).outlines.items())
        return replace(OverlayState(heads=(0,), masks=masks), **more)  # type: ignore[arg-type]

    @pytest.mark.parametrize("theme", ["light", "dark"])
    @pytest.mark.parametrize("paint", ["heat", "contours"])
    def test_have_dashes_along_their_edges(self, paint: str, theme: str) -> None:
        state = self.state(paint=paint, theme=theme)
        plan = plan_overlay(read_overlay(CAPTION, state), outlines=True, detail=2.0)
        image = pixels(render_png(CAPTION, state))
        ratio = image.shape[1] / plan.width
        (place,) = plan.places
        scale = place.width / 80
        light, dark, ground = 0, 0, 0
        y = round((place.y + 20 * scale) * ratio)
        for x in range(32, 58):
            colour = image[y, round((place.x + x * scale) * ratio)].mean()
            light += colour > 200
            dark += colour < 60
        assert light > 5
        assert dark > 5
        # Away from the edges there is the picture alone.
        for x, y in ((45, 30), (10, 30), (45, 50)):
            at = (place.y + y * scale) * ratio, (place.x + x * scale) * ratio
            ground += abs(image[round(at[0]), round(at[1])].mean() - 128) < 20
        assert ground == 3

    def test_are_explained(self) -> None:
        assert "mask given as the truth" in words(plot_overlay(CAPTION, self.state()))
        assert "mask given" not in words(plot_overlay(CAPTION, self.state(masks=())))

    def test_of_another_image_are_not_drawn(self) -> None:
        state = self.state(masks=(("other", self.state().masks[0][1]),))
        assert render_png(CAPTION, state) == render_png(CAPTION, self.state(masks=()))

    def test_of_a_widget_are_drawn(self) -> None:
        widget = aw.overlay(CAPTION, masks=[MASK])
        assert picture_state(widget) == self.state(heads=(0,))
        before = widget.snapshot().png
        widget.masks = None
        assert widget.snapshot().png != before
