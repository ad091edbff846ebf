"""Saliency on the image, and its scores against masks: golden numbers and laws."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

import attn_widget as aw
from attn_widget.evidence import energy_pointing, iou, pointing_game, relevance_rank, saliency

Pair = tuple[NDArray[np.float64], NDArray[np.bool_]]

TOY = np.array([[0.1, 0.1, 0.1], [0.1, 0.5, 0.3], [0.0, 0.0, 0.0]])
TOY_MASK = np.array([[0, 0, 0], [0, 1, 1], [0, 0, 0]], dtype=bool)


@st.composite
def pairs(draw: st.DrawFn) -> Pair:
    """A saliency map, some of its pixels unseen, and a mask with at least one pixel."""
    shape = draw(st.tuples(st.integers(1, 6), st.integers(1, 6)))
    levels = st.sampled_from([0.0, 0.25, 0.5, 1.0, math.nan])
    values = draw(arrays(np.float64, shape, elements=levels))
    mask = draw(arrays(np.bool_, shape))
    if not mask.any():
        mask[draw(st.integers(0, shape[0] - 1)), draw(st.integers(0, shape[1] - 1))] = True
    return values, mask


class TestGolden:
    def test_toy(self) -> None:
        assert pointing_game(TOY, TOY_MASK)
        assert pointing_game(TOY, TOY_MASK, tolerance=0)
        assert energy_pointing(TOY, TOY_MASK) == pytest.approx(0.666667, abs=1e-6)
        assert iou(TOY, TOY_MASK, TOY.mean()) == 1.0
        assert relevance_rank(TOY, TOY_MASK) == 1.0

    def test_toy_missed(self) -> None:
        elsewhere = np.roll(TOY_MASK, 1, axis=0)
        assert not pointing_game(TOY, elsewhere, tolerance=0)
        assert pointing_game(TOY, elsewhere, tolerance=1)
        assert energy_pointing(TOY, elsewhere) == 0
        assert iou(TOY, elsewhere, TOY.mean()) == 0
        assert relevance_rank(TOY, elsewhere) == 0

    def test_half_hit(self) -> None:
        mask = np.array([[0, 0, 0], [0, 1, 0], [0, 1, 0]])
        assert energy_pointing(TOY, mask) == pytest.approx(0.5 / 1.2)
        assert iou(TOY, mask, 0.2) == pytest.approx(1 / 3)
        assert relevance_rank(TOY, mask) == 0.5

    def test_the_tolerance_is_a_circle(self) -> None:
        values = np.zeros((40, 40))
        values[3, 4] = 1
        mask = np.zeros((40, 40), dtype=bool)
        mask[12, 16] = True
        assert pointing_game(values, mask, tolerance=15)
        assert not pointing_game(values, mask, tolerance=14.99)


class TestPlateaus:
    def test_a_patch_points_with_its_middle(self) -> None:
        values = np.zeros((8, 8))
        values[0:5, 0:5] = 1
        for row, column, hit in ((2, 2, True), (0, 0, False), (4, 4, False)):
            mask = np.zeros((8, 8), dtype=bool)
            mask[row, column] = True
            assert pointing_game(values, mask, tolerance=0) is hit

    def test_two_patches_point_with_one_of_them_and_not_between(self) -> None:
        values = np.zeros((3, 9))
        values[:, :3] = values[:, 6:] = 1
        between = np.zeros((3, 9), dtype=bool)
        between[:, 3:6] = True
        assert not pointing_game(values, between, tolerance=0)

    def test_a_map_that_is_the_same_everywhere(self) -> None:
        values = np.full((4, 5), 0.05)
        mask = np.zeros((4, 5), dtype=bool)
        mask[1:3, 2] = True
        assert not pointing_game(values, mask)
        assert energy_pointing(values, mask) == pytest.approx(0.1)
        assert iou(values, mask, 0.05) == 0
        assert iou(values, mask, 0.04) == pytest.approx(0.1)
        assert relevance_rank(values, mask) == pytest.approx(0.1)


class TestUnseen:
    def test_nothing_seen(self) -> None:
        values = np.full((2, 2), np.nan)
        mask = np.eye(2, dtype=bool)
        assert not pointing_game(values, mask)
        assert math.isnan(energy_pointing(values, mask))
        assert iou(values, mask, 0.0) == 0
        assert relevance_rank(values, mask) == 0

    def test_unseen_pixels_count_nothing(self) -> None:
        values = np.array([[np.nan, 0.2, 0.6], [np.inf, 0.1, 0.1]])
        mask = np.array([[1, 0, 1], [1, 0, 0]], dtype=bool)
        assert pointing_game(values, mask, tolerance=0)
        assert energy_pointing(values, mask) == pytest.approx(0.6)
        assert iou(values, mask, 0.3) == pytest.approx(1 / 3)
        assert relevance_rank(values, mask) == pytest.approx((1 + 0 + 0) / 3)


class TestLaws:
    @given(pairs())
    def test_scores_are_shares(self, pair: Pair) -> None:
        values, mask = pair
        for score in (
            energy_pointing(values, mask),
            iou(values, mask, 0.3),
            relevance_rank(values, mask),
        ):
            assert math.isnan(score) or 0 <= score <= 1 + 1e-12

    @given(pairs())
    def test_turning_a_picture_changes_nothing(self, pair: Pair) -> None:
        values, mask = pair
        turned, thing = values.T, mask.T
        assert energy_pointing(turned, thing) == pytest.approx(
            energy_pointing(values, mask), nan_ok=True
        )
        assert iou(turned, thing, 0.3) == iou(values, mask, 0.3)
        assert relevance_rank(turned, thing) == pytest.approx(relevance_rank(values, mask))

    @given(pairs(), st.floats(0.01, 100))
    def test_the_unit_changes_nothing(self, pair: Pair, unit: float) -> None:
        values, mask = pair
        scaled = values * unit
        assert energy_pointing(scaled, mask) == pytest.approx(
            energy_pointing(values, mask), nan_ok=True
        )
        assert relevance_rank(scaled, mask) == pytest.approx(relevance_rank(values, mask))
        assert pointing_game(scaled, mask, 1) == pointing_game(values, mask, 1)

    @given(pairs())
    def test_shares_of_a_thing_and_of_the_rest_sum_to_one(self, pair: Pair) -> None:
        values, mask = pair
        if mask.all() or not np.nansum(values) > 0:
            return
        assert energy_pointing(values, mask) + energy_pointing(values, ~mask) == pytest.approx(1)

    @given(pairs())
    def test_the_mask_itself_scores_best(self, pair: Pair) -> None:
        _, mask = pair
        perfect = mask.astype(float)
        assert energy_pointing(perfect, mask) == 1
        assert iou(perfect, mask, 0.5) == 1
        assert relevance_rank(perfect, mask) == 1
        if not mask.all():
            assert pointing_game(perfect, mask, 0)

    @given(pairs(), st.floats(0, 4), st.floats(0, 4))
    def test_more_tolerance_misses_nothing(self, pair: Pair, first: float, second: float) -> None:
        values, mask = pair
        less, more = sorted((first, second))
        assert pointing_game(values, mask, more) or not pointing_game(values, mask, less)

    @settings(max_examples=25)
    @given(pairs())
    def test_ties_are_what_random_order_gives_on_average(self, pair: Pair) -> None:
        values, mask = pair
        known = np.isfinite(values)
        if known.sum() < mask.sum():
            return
        random = np.random.default_rng(0)
        count = int(mask.sum())
        hits = []
        for _ in range(300):
            order = np.lexsort((random.random(values.size), -np.where(known, values, -9).ravel()))
            hits.append(mask.ravel()[order[:count]].mean())
        assert relevance_rank(values, mask) == pytest.approx(float(np.mean(hits)), abs=0.12)


class TestRefusals:
    @pytest.mark.parametrize("score", [pointing_game, energy_pointing, relevance_rank])
    def test_shapes(self, score: object) -> None:
        assert callable(score)
        with pytest.raises(ValueError, match=r"got \(3, 4\) and \(4, 3\); one of them is \(width"):
            score(np.ones((3, 4)), np.ones((4, 3), dtype=bool))
        with pytest.raises(ValueError, match=r"\(height, width\); got \(4,\) and \(4,\)"):
            score(np.ones(4), np.ones(4, dtype=bool))
        with pytest.raises(ValueError, match="at least one pixel"):
            score(np.ones((3, 4)), np.zeros((3, 4), dtype=bool))
        with pytest.raises(ValueError, match="True and False, or 1 and 0; got other int"):
            score(np.ones((3, 4)), np.full((3, 4), 255))

    def test_numbers(self) -> None:
        with pytest.raises(ValueError, match="0 or more pixels; got -1"):
            pointing_game(TOY, TOY_MASK, -1)
        with pytest.raises(ValueError, match="threshold must be a number"):
            iou(TOY, TOY_MASK, math.nan)


IMAGE = np.zeros((48, 64, 3), dtype=np.uint8)


def one_hot(axis: list[aw.Tokens | aw.Patches | aw.Boxes], position: int) -> aw.Attention:
    length = sum(map(len, axis))
    return aw.Attention(np.eye(length)[[position]], ["word"], axis)


class TestSaliency:
    @given(
        st.integers(1, 7),
        st.integers(1, 7),
        st.tuples(st.integers(1, 40), st.integers(1, 40)),
        st.data(),
    )
    def test_patches_tile_the_image(
        self, rows: int, cols: int, size: tuple[int, int], data: st.DataObject
    ) -> None:
        image = np.zeros((*size, 3), dtype=np.uint8)
        patches = aw.Patches(rows, cols, image=image)
        count = rows * cols
        map = aw.Attention(np.arange(1, count + 1)[None] / count, ["word"], [patches])
        painted = saliency(map, 0)
        assert painted.shape == size
        assert np.isfinite(painted).all()
        row = data.draw(st.integers(0, size[0] - 1))
        column = data.draw(st.integers(0, size[1] - 1))
        cell = int((row + 0.5) * rows / size[0]) * cols + int((column + 0.5) * cols / size[1])
        regions = patches.regions
        assert regions is not None
        left, top, right, bottom = regions[cell]
        if left < column + 0.5 < right and top < row + 0.5 < bottom:
            assert painted[row, column] == pytest.approx((cell + 1) / count)

    def test_a_region_leaves_the_rest_unseen(self) -> None:
        patches = aw.Patches(2, 2, image=IMAGE, region=(8, 0, 56, 48))
        painted = saliency(one_hot([aw.Tokens(["[CLS]"]), patches], 2), 0)
        assert np.isnan(painted[:, :8]).all()
        assert np.isnan(painted[:, 56:]).all()
        assert (painted[:24, 32:56] == 1).all()
        assert np.nansum(painted) == 24 * 24

    def test_padding_lies_on_no_pixel(self) -> None:
        patches = aw.Patches(4, 4, image=IMAGE, region=(0, -8, 64, 56))
        assert np.nansum(saliency(one_hot([patches], 0), 0)) == 16 * 8
        assert np.isfinite(saliency(one_hot([patches], 0), 0)).all()

    def test_an_order_is_followed_and_separators_lie_nowhere(self) -> None:
        patches = aw.Patches(2, 2, image=IMAGE, order=[3, -1, 0, 1, 2])
        assert (saliency(one_hot([patches], 0), 0)[24:, 32:] == 1).all()
        assert np.nansum(saliency(one_hot([patches], 1), 0)) == 0
        assert (saliency(one_hot([patches], 2), 0)[:24, :32] == 1).all()

    def test_where_boxes_overlap_the_largest_weight_counts(self) -> None:
        boxes = aw.Boxes([[0, 0, 40, 48], [20, 0, 64, 48]], image=IMAGE)
        for weights in ((0.3, 0.7), (0.7, 0.3)):
            painted = saliency(aw.Attention([weights], ["word"], [boxes]), 0)
            assert painted[0, 10] == pytest.approx(weights[0])
            assert painted[0, 30] == pytest.approx(0.7)
            assert painted[0, 60] == pytest.approx(weights[1])

    def test_heads(self) -> None:
        weights = np.array([[[1.0, 0.0]], [[np.nan, 0.5]], [[0.0, np.nan]]])
        map = aw.Attention(weights, ["word"], [aw.Patches(1, 2, image=IMAGE)])
        mean = saliency(map, 0)
        assert (mean[:, :32] == 0.5).all()
        assert (mean[:, 32:] == 0.25).all()
        assert np.isnan(saliency(map, 0, head=1)[:, :32]).all()
        assert (saliency(map, 0, head=-1)[:, :32] == 0).all()

    def test_several_images(self) -> None:
        other = np.full((10, 10, 3), 7, dtype=np.uint8)
        segments = [
            aw.Patches(1, 1, image=IMAGE),
            aw.Tokens(["and"]),
            aw.Patches(1, 1, image=other),
            aw.Boxes([[0, 0, 8, 8]], image=IMAGE.copy()),
        ]
        map = aw.Attention([[0.1, 0.2, 0.3, 0.4]], ["word"], segments)
        first = saliency(map, 0)
        assert first.shape == (48, 64)
        assert first[0, 0] == pytest.approx(0.4)
        assert first[40, 40] == pytest.approx(0.1)
        second = saliency(map, 0, segment=2)
        assert second.shape == (10, 10)
        assert (second == np.float32(0.3)).all()
        assert (saliency(map, 0, segment=0) == np.float32(0.1)).all()

    def test_refusals(self) -> None:
        words = aw.Attention([[1.0]], ["a"], ["b"])
        grid = aw.Attention([[1.0]], ["a"], [aw.Patches(1, 1)])
        for map in (words, grid):
            with pytest.raises(ValueError, match="patches or boxes of a known image"):
                saliency(map, 0)
        with pytest.raises(ValueError, match="patches or boxes of a known image"):
            saliency(words, 0, segment=0)
        picture = aw.samples.captioning()
        with pytest.raises(IndexError):
            saliency(picture, 9)
        with pytest.raises(IndexError):
            saliency(picture, 0, layer=1)
        with pytest.raises(IndexError):
            saliency(picture, 0, segment=1)
