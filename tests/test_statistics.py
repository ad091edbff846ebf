"""Statistics of heads, against the numbers published for them and against plain loops."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from attn_widget import evidence as e
from brute import row_entropy

A1 = np.array([[0.6, 0.4, 0], [0.2, 0.5, 0.3], [0.1, 0.2, 0.7]])
CAUSAL = np.tril(np.ones((7, 7))) / np.arange(1, 8)[:, None]

MAPS = arrays(
    np.float64,
    st.tuples(st.integers(1, 6), st.integers(1, 6)),
    elements=st.one_of(
        st.floats(0, 2, allow_subnormal=False), st.sampled_from([0.0, math.nan, math.inf, -0.5])
    ),
)


def test_entropy_has_its_known_values() -> None:
    assert e.entropy(A1) == pytest.approx([0.673012, 1.029653, 0.801819], abs=1e-6)
    assert e.entropy(np.full((1, 8), 1 / 8)) == pytest.approx([2.079442], abs=1e-6)
    assert e.entropy(np.eye(4)).tolist() == [0, 0, 0, 0]


def test_entropy_is_that_of_shares() -> None:
    assert e.entropy(A1 * 7) == pytest.approx(e.entropy(A1))
    assert np.isnan(e.entropy(np.zeros((1, 3)))).all()
    for tiny in (np.float32(1e-41), np.float64(1e-310)):
        assert e.entropy(np.full((1, 4), tiny)) == pytest.approx([np.log(4)], rel=1e-3)


def test_relative_entropy_is_one_where_all_that_is_allowed_is_even() -> None:
    assert e.relative_entropy(np.full((2, 5), 0.2)) == pytest.approx([1, 1])
    found = e.relative_entropy(CAUSAL, np.arange(1, 8))
    assert found == pytest.approx([0, 1, 1, 1, 1, 1, 1])


def test_confidence_has_its_known_value() -> None:
    assert e.confidence(A1) == pytest.approx(0.6)


def test_sink_score_has_its_known_values() -> None:
    first = np.zeros((4, 4))
    first[:, 0] = 1
    assert e.sink_score(first, causal=True).tolist() == [1, 0, 0, 0]
    causal = np.tril(np.ones((4, 4))) / np.arange(1, 5)[:, None]
    known = [0.520833, 0.361111, 0.291667, 0.25]
    assert e.sink_score(causal, causal=True) == pytest.approx(known, abs=1e-6)
    assert e.sink_score(A1) == pytest.approx(A1.mean(axis=0))


def test_neighbours_have_their_known_shares() -> None:
    assert e.previous_token(CAUSAL) == pytest.approx(0.227551, abs=1e-6)
    assert e.next_token(CAUSAL) == 0
    assert e.next_token(np.eye(5, k=1)) == 1
    assert e.previous_token(np.ones((1, 4)) / 4, positions=[2]) == pytest.approx(0.25)


def test_distance_is_none_on_the_diagonal() -> None:
    assert e.mean_distance(np.eye(5)) == 0
    assert e.mean_distance(np.eye(5, k=2)[:3]) == 2
    assert e.mean_distance(np.full((2, 2), 0.5)) == 0.5


@given(MAPS)
def test_all_agree_with_plain_loops(weights: NDArray[np.float64]) -> None:
    rows, keys = weights.shape
    size = np.where(np.isfinite(weights), np.abs(weights), 0)
    total = size.sum()

    def near(found: object, expected: object) -> None:
        assert found == pytest.approx(expected, nan_ok=True, rel=1e-9, abs=1e-9)

    near(e.entropy(weights).tolist(), [row_entropy(row) for row in weights])
    near(e.confidence(weights), size.max(axis=1).mean())
    near(e.sink_score(weights).tolist(), size.mean(axis=0).tolist())
    for offset, found in ((-1, e.previous_token(weights)), (1, e.next_token(weights))):
        on = sum(size[q, q + offset] for q in range(rows) if 0 <= q + offset < keys)
        near(found, on / total if total else math.nan)
    away = [
        sum(abs(q - k) * size[q, k] for k in range(keys)) / size[q].sum()
        for q in range(rows)
        if size[q].sum() > 0
    ]
    near(e.mean_distance(weights), np.mean(away) if away else math.nan)


@given(arrays(np.float32, (2, 3, 4, 4), elements=st.floats(0, 1, width=32)))
def test_heads_go_together_or_one_by_one(weights: NDArray[np.float32]) -> None:
    for function in (e.entropy, e.confidence, e.sink_score, e.mean_distance, e.previous_token):
        whole = np.asarray(function(weights))
        for layer in range(2):
            for head in range(3):
                np.testing.assert_allclose(
                    whole[layer, head], function(weights[layer, head]), rtol=1e-5, atol=1e-6
                )


def test_some_rows_know_where_they_are() -> None:
    some = [1, 4, 6]
    for function in (e.mean_distance, e.previous_token, e.next_token):
        blanked = np.where(np.isin(np.arange(7), some)[:, None], CAUSAL, 0)
        assert function(CAUSAL[some], positions=some) == pytest.approx(function(blanked))
    assert e.sink_score(CAUSAL[some], causal=True, positions=some)[5] == pytest.approx(1 / 7)
