"""Saliency scored as segmentation: known values, plain loops, laws."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from attn_widget.evidence import average_precision, iou, mean_iou, pixel_accuracy
from test_localisation import TOY, TOY_MASK, Pair, pairs


def test_known_values() -> None:
    assert pixel_accuracy(TOY, TOY_MASK) == 1
    assert mean_iou(TOY, TOY_MASK) == 1
    assert average_precision(TOY, TOY_MASK) == 1
    elsewhere = np.roll(TOY_MASK, 1, axis=0)
    assert pixel_accuracy(TOY, elsewhere) == pytest.approx(5 / 9)
    assert mean_iou(TOY, elsewhere) == pytest.approx(5 / 9 / 2)
    assert average_precision(TOY, elsewhere) == pytest.approx(2 / 9)


def test_half_told() -> None:
    values, mask = np.array([[0.9, 0.8, 0.7, 0.1]]), np.array([[1, 0, 1, 0]])
    assert average_precision(values, mask) == pytest.approx((1 + 2 / 3) / 2)
    assert pixel_accuracy(values, mask, 0.5) == 0.75
    assert mean_iou(values, mask, 0.5) == pytest.approx((2 / 3 + 1 / 2) / 2)


def test_the_same_everywhere_tells_nothing() -> None:
    values, mask = np.full((4, 5), 0.05), np.zeros((4, 5), dtype=bool)
    mask[1:3, 2] = True
    assert average_precision(values, mask) == pytest.approx(0.1)
    assert pixel_accuracy(values, mask, 0.05) == pytest.approx(0.9)
    assert mean_iou(np.ones((2, 2)), np.ones((2, 2)), 0.5) == 1


@given(pairs())
def test_average_precision_is_that_of_plain_loops(pair: Pair) -> None:
    values, mask = pair
    ranked = np.where(np.isfinite(values), values, -np.inf)
    area, before = 0.0, 0.0
    for level in sorted(set(ranked.ravel().tolist()), reverse=True):
        told = ranked >= level
        recall = float((told & mask).sum() / mask.sum())
        area += (recall - before) * float((told & mask).sum() / told.sum())
        before = recall
    assert average_precision(values, mask) == pytest.approx(area)


@given(pairs(), st.floats(0, 1))
def test_a_mean_is_of_the_thing_and_of_the_rest(pair: Pair, threshold: float) -> None:
    values, mask = pair
    told = np.isfinite(values) & (np.nan_to_num(values) > threshold)
    around = ~told & ~mask
    parts = [iou(values, mask, threshold)]
    if (~told | ~mask).any():
        parts.append(float(around.sum() / (~told | ~mask).sum()))
    assert mean_iou(values, mask, threshold) == pytest.approx(np.mean(parts))
    assert pixel_accuracy(values, mask, threshold) == pytest.approx((told == mask).mean())


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="same shape"):
        average_precision(np.ones((3, 4)), np.ones((4, 3)))
    with pytest.raises(ValueError, match="threshold must be a number; got NaN"):
        mean_iou(TOY, TOY_MASK, math.nan)
    assert pixel_accuracy(np.full((1, 2), np.nan), [[True, False]]) == 0.5
