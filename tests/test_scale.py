"""From weights to the strength that opacity and width carry."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from attn_widget.scale import SCALES, ScaleContext, full_value, strength
from oracle import strength_of

NAN, INF = math.nan, math.inf

weights = hnp.arrays(
    np.float32,
    hnp.array_shapes(min_dims=2, max_dims=2, min_side=0, max_side=5),
    elements=st.floats(width=32),
)


def single(*values: float) -> NDArray[np.float32]:
    return np.array(values, np.float32)


@pytest.mark.parametrize(
    ("scale", "weight", "expected"),
    [
        ("absolute", 0.25, 0.25),
        ("absolute", -0.25, 0.25),
        ("absolute", 1.5, 1.0),
        ("row", 0.25, 0.5),
        ("sqrt", 0.25, 0.5),
        ("log", 1.0, 1.0),
        ("log", 0.01, 0.5),
        ("log", 0.0001, 0.0),
        ("log", 1e-9, 0.0),
        ("times_uniform", 0.05, 0.1),
        ("times_uniform", 0.5, 1.0),
    ],
)
def test_golden(scale: str, weight: float, expected: float) -> None:
    row = single(weight, 0.5 if scale == "row" else weight)
    assert strength(row, scale, ScaleContext(full=1.0, keys=20))[0] == pytest.approx(expected)


@given(values=weights, full=st.sampled_from([1.0, 0.3, 1e-30, 250.0]), axis=st.sampled_from([0, 1]))
@pytest.mark.parametrize("scale", SCALES)
def test_is_that_of_each_cell(
    scale: str, values: NDArray[np.float32], full: float, axis: int
) -> None:
    keys = 7
    got = strength(values, scale, ScaleContext(full=full, keys=keys), axis=axis)
    assert got.dtype == np.float32
    assert got.shape == values.shape
    rows = values if axis == 1 else values.T
    for row, strengths in zip(rows, got if axis == 1 else got.T, strict=True):
        most = max((abs(float(w)) for w in row if np.isfinite(w)), default=0.0)
        for weight, found in zip(row.tolist(), strengths.tolist(), strict=True):
            # A full value is held as float32.
            expected = strength_of(weight, scale, float(np.float32(full)), most, keys)
            assert found == pytest.approx(expected, abs=1e-6, nan_ok=True)


@pytest.mark.parametrize("scale", SCALES)
def test_missing_stays_missing_and_infinite_is_full(scale: str) -> None:
    got = strength(single(NAN, INF, -INF, 0.0), scale, ScaleContext(full=1.0, keys=4))
    assert np.isnan(got[0])
    assert got[1:].tolist() == [1, 1, 0]


@pytest.mark.parametrize("scale", SCALES)
def test_empty_axes_pass(scale: str) -> None:
    for shape in ((0, 3), (3, 0), (2, 0, 4)):
        got = strength(np.zeros(shape, np.float32), scale, ScaleContext(full=1.0, keys=1))
        assert got.shape == shape


def test_unknown_scale_is_named() -> None:
    expected = "scale must be one of absolute, row, sqrt, log, times_uniform; got 'linear'"
    with pytest.raises(ValueError, match=expected):
        strength(single(1.0), "linear", ScaleContext(full=1.0, keys=1))


@pytest.mark.parametrize(
    ("values", "kind", "full"),
    [
        ([0.2, 0.4], "weight", 1.0),
        ([0.2, 1.75], "weight", 1.75),
        ([NAN, INF, 0.5], "weight", 1.0),
        ([], "weight", 1.0),
        ([0.25, -0.5], "difference", 0.5),
        ([12.0, -30.0], "score", 30.0),
        ([0.0, 0.0], "norm", 1.0),
        ([NAN, -INF], "relevance", 1.0),
        ([], "relevance", 1.0),
    ],
)
def test_full_value(values: list[float], kind: str, full: float) -> None:
    assert full_value(single(*values), kind) == full
