"""Patterns of heads and how alike heads are, against published numbers and other libraries."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

import attn_widget as aw
from attn_widget import evidence as e

TOKENS = [0, 5, 7, 9, 5, 7, 9]
A1 = np.array([[0.6, 0.4, 0], [0.2, 0.5, 0.3], [0.1, 0.2, 0.7]])
CAUSAL = np.tril(np.ones((7, 7))) / np.arange(1, 8)[:, None]

HEADS = arrays(
    np.float64,
    st.tuples(st.integers(1, 3), st.integers(1, 6), st.integers(1, 6)),
    elements=st.one_of(
        st.floats(0, 2, allow_subnormal=False), st.sampled_from([0.0, math.nan, math.inf, -0.5])
    ),
)


def test_clarks_smoothing_has_its_known_values() -> None:
    known = [0.673369, 1.029667, 0.801881]
    assert e.entropy(A1, smoothing=0.0001) == pytest.approx(known, abs=1e-6)
    assert np.isnan(e.entropy(np.zeros((1, 3)), smoothing=0.1)).all()
    assert e.entropy(np.eye(3), smoothing=1.0) == pytest.approx([math.log(3)] * 3)
    with pytest.raises(ValueError, match="a share, 0 to 1; got -1"):
        e.entropy(A1, smoothing=-1)


def test_induction_has_its_known_pattern() -> None:
    pattern = e.induction_pattern(TOKENS)
    assert [*zip(*np.nonzero(pattern), strict=True)] == [(4, 2), (5, 3), (6, 4)]
    assert [*zip(*np.nonzero(e.duplicate_pattern(TOKENS)), strict=True)] == [(4, 1), (5, 2), (6, 3)]
    perfect = pattern.astype(float)
    perfect[:4, 0] = 1
    assert e.pattern_score(perfect, pattern) == pytest.approx(0.428571, abs=1e-6)
    np.testing.assert_array_equal(e.induction_pattern(TOKENS, [5, 4]), pattern[[5, 4]])


def test_scores_of_a_pattern_have_their_known_values() -> None:
    previous = np.eye(7, k=-1)
    assert e.pattern_score(CAUSAL, previous) == pytest.approx(0.227551, abs=1e-6)
    assert e.pattern_score(previous, previous, "abs") == 1
    assert e.pattern_score(CAUSAL, previous, "abs") == pytest.approx(
        1 - 7 * np.abs(CAUSAL - previous).mean()
    )
    assert np.isnan(e.pattern_score(np.zeros((7, 7)), previous))


@given(st.lists(st.one_of(st.integers(0, 3), st.none()), max_size=9))
def test_copies_are_those_of_plain_loops(tokens: list[int | None]) -> None:
    duplicate, induction = e.duplicate_pattern(tokens), e.induction_pattern(tokens)
    for q, token in enumerate(tokens):
        for k in range(len(tokens)):
            assert duplicate[q, k] == (token is not None and tokens[k] == token and k < q)
            before = k > 0 and token is not None and tokens[k - 1] == token and k - 1 < q
            assert induction[q, k] == before


def test_diagonals_have_their_known_sums() -> None:
    grid = np.arange(1.0, 10).reshape(3, 3)
    assert e.slash_sums(grid).tolist() == [7, 12, 15, 8, 3]
    assert e.vertical_sums(grid).tolist() == [12, 15, 18]


@given(HEADS)
def test_sums_are_those_of_traces(heads: NDArray[np.float64]) -> None:
    size = np.where(np.isfinite(heads), np.abs(heads), 0)
    _, rows, keys = heads.shape
    traces = np.stack([np.trace(size, d, 1, 2) for d in range(1 - rows, keys)], axis=-1)
    np.testing.assert_allclose(e.slash_sums(heads), traces)
    np.testing.assert_allclose(e.vertical_sums(heads), size.sum(axis=1))
    on = e.diagonal(heads)
    total = size.sum(axis=(1, 2))
    expected = np.where(total > 0, np.trace(size, 0, 1, 2) / np.where(total, total, 1), np.nan)
    np.testing.assert_allclose(on, expected)


def test_distances_have_their_known_values() -> None:
    rows = np.array([[0.7, 0.2, 0.1], [0.1, 0.2, 0.7], [1.4, 0.4, 0.2]])
    found = e.head_distances(aw.Attention(rows[:, None]))
    assert found[0, 1] == pytest.approx(0.253102, abs=1e-6)
    assert found[0, 2] == pytest.approx(0, abs=1e-6)
    apart = e.head_distances(aw.Attention(np.eye(2)[:, None]))
    assert apart[0, 1] == pytest.approx(math.log(2))


def test_heads_are_as_far_as_their_rows(rows: Any) -> None:
    distance = pytest.importorskip("scipy.spatial.distance")
    weights = rows(2, 3, 5, 6)
    weights[1, 0] = weights[0, 2]
    found = e.head_distances(aw.Attention(weights))
    flat = weights.reshape(6, 5, 6)
    expected = [
        [(distance.jensenshannon(one, other, axis=1) ** 2).mean() for other in flat] for one in flat
    ]
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert found[3, 2] == pytest.approx(0, abs=1e-6)
    few = e.head_distances(aw.Attention(weights), queries=2)
    assert not np.allclose(few, found)


def test_heads_without_rows_in_common_are_at_no_distance() -> None:
    weights = np.zeros((1, 2, 2, 2), np.float32)
    weights[0, 0, 0] = weights[0, 1, 1] = 0.5
    found = e.head_distances(aw.Attention(weights))
    assert np.isnan(found[0, 1])
    assert found[0, 0] == 0
    with pytest.raises(ValueError, match="must be finite; leave out heads without weight"):
        e.embed(found)


@given(arrays(np.float64, (5, 2), elements=st.floats(-3, 3)))
def test_places_have_the_distances_given(points: NDArray[np.float64]) -> None:
    away = np.linalg.norm(points[:, None] - points, axis=-1)
    places = e.embed(away)
    np.testing.assert_allclose(np.linalg.norm(places[:, None] - places, axis=-1), away, atol=1e-5)
    assert e.embed(away, 7).shape == (5, 7)


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match=r"shape of a head, \(7, 7\); got \(3, 3\)"):
        e.pattern_score(CAUSAL, np.eye(3))
    with pytest.raises(ValueError, match='measure must be "mul" or "abs"; got \'l2\''):
        e.pattern_score(CAUSAL, np.eye(7), "l2")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"must be square; got shape \(2, 3\)"):
        e.embed(np.zeros((2, 3)))
