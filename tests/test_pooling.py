"""Many weights in few cells, against one cell at a time."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from attn_widget.pooling import Pool, bin_means, bin_runs, bin_starts, spread
from brute import pooled

ODD = [float("nan"), float("inf"), float("-inf"), 0.0, -0.0]
NUMBERS = st.one_of(st.sampled_from(ODD), st.floats(-4, 4, width=32))


@st.composite
def cases(draw: st.DrawFn) -> tuple[NDArray[np.float32], tuple[int, int], list[int]]:
    shape = draw(st.tuples(st.integers(1, 13), st.integers(1, 13)))
    plain = draw(st.booleans())
    numbers = st.floats(0, 1, width=32) if plain else NUMBERS
    weights = draw(arrays(np.float32, shape, elements=numbers))
    size = (draw(st.integers(1, shape[0])), draw(st.integers(1, shape[1])))
    cuts = draw(st.lists(st.integers(0, shape[0]), max_size=4))
    return weights, size, sorted(cuts)


@given(cases())
def test_cells_are_those_of_the_slow_way(case: Any) -> None:
    weights, size, cuts = case
    queries, keys = weights.shape
    pool = Pool(queries, keys, size)
    for at in np.split(np.arange(len(weights)), cuts):
        pool.add(at, weights[at])
    strongest, means = pooled(weights, size)
    np.testing.assert_array_equal(pool.strongest(), np.array(strongest, np.float32))
    np.testing.assert_allclose(pool.means(), means, rtol=1e-5, atol=1e-6)


def test_a_single_bright_cell_stays() -> None:
    weights = np.full((1000, 1000), 1e-6, np.float32)
    weights[617, 333] = 1
    pool = Pool(1000, 1000, (48, 48))
    pool.add(np.arange(1000), weights)
    found = pool.strongest()
    assert found[617 * 48 // 1000, 333 * 48 // 1000] == 1
    assert (found == 1).sum() == 1


def test_sampled_rows_fill_the_cells_between_them() -> None:
    pool = Pool(100, 2, (10, 1))
    for query in (15, 85):
        pool.add(np.array([query]), np.full((1, 2), query, np.float32))
    assert pool.strongest()[:, 0].tolist() == [15] * 5 + [85] * 5
    lone = Pool(100, 2, (10, 1))
    lone.add(np.array([50]), np.ones((1, 2), np.float32))
    assert lone.means()[:, 0].tolist() == [1] * 10


def test_float32_that_adds_up_beyond_its_range_stays_finite() -> None:
    pool = Pool(4, 1, (1, 1))
    pool.add(np.arange(4), np.full((4, 1), 3e38, np.float32))
    assert pool.strongest()[0, 0] == np.float32(3e38)
    assert pool.means()[0, 0] == np.float32(3e38)


@given(st.integers(1, 400), st.data())
def test_bins_are_where_positions_fall(length: int, data: st.DataObject) -> None:
    bins = data.draw(st.integers(1, length))
    of = np.arange(length) * bins // length
    assert bin_starts(length, bins).tolist() == [int(np.argmax(of == b)) for b in range(bins)]
    assert [list(run) for run in bin_runs(length, bins)] == [
        np.flatnonzero(of == b).tolist() for b in range(bins)
    ]


@given(st.integers(1, 300), st.integers(1, 300))
def test_spread_is_even_and_reaches_both_ends(length: int, count: int) -> None:
    found = spread(length, count)
    step = -(-length // count)
    assert len(found) <= min(length, count) <= 2 * len(found)
    assert set(np.diff(found)) <= {step}
    assert 0 <= found[0] < step
    assert length - step <= found[-1] < length


@settings(max_examples=50)
@given(arrays(np.float64, st.integers(1, 30), elements=NUMBERS), st.data())
def test_means_of_bins_leave_out_what_is_no_number(
    values: NDArray[np.float64], data: st.DataObject
) -> None:
    bins = data.draw(st.integers(1, len(values)))
    for found, run in zip(bin_means(values, bins), bin_runs(len(values), bins), strict=True):
        finite = values[run.start : run.stop][np.isfinite(values[run.start : run.stop])]
        expected = finite.mean() if len(finite) else np.nan
        assert found == pytest.approx(expected, nan_ok=True, abs=1e-12)
