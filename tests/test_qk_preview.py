"""Previews: exact where a cell is one pair, and true to position and average elsewhere."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from attn_widget.qk import QKSource
from direct import Case, assert_close, blocks, cases, direct, pooled


@settings(max_examples=150, deadline=None)
@given(cases(), st.data())
def test_cells_of_one_pair_are_exact(case: Case, data: st.DataObject) -> None:
    layers, heads, queries, keys = case.shape
    layer, head = data.draw(st.integers(0, layers - 1)), data.draw(st.integers(0, heads - 1))
    first_query, first_key = (
        data.draw(st.integers(0, queries - 1)),
        data.draw(st.integers(0, keys - 1)),
    )
    query, key = slice(first_query, queries), slice(first_key, keys)
    expected = direct(case.query, case.key, **case.options)[layer, head, query, key]
    with blocks(case.rows, case.keys, single=case.single):
        source = QKSource(case.query, case.key, **case.options)
        found, how = source.preview(layer, head, query, key, *expected.shape)
    assert found.dtype == np.float32
    assert_close(found, expected)
    assert how.startswith("approximate: ")


@settings(max_examples=100, deadline=None)
@given(cases(tables=False), st.data())
def test_cells_of_equal_pairs_are_exact(case: Case, data: st.DataObject) -> None:
    """Where queries and keys are the same throughout a bin, averaging them changes nothing."""
    _, _, queries, keys = case.shape
    bins = data.draw(st.integers(1, queries)), data.draw(st.integers(1, keys))
    for array, count in ((case.query, bins[0]), (case.key, bins[1])):
        size = array.shape[2]
        array[:] = array[:, :, np.arange(size) * count // size]
    for name in ("causal", "window", "offset"):
        case.options.pop(name, None)
    expected = pooled(direct(case.query, case.key, **case.options)[0, 0], *bins)[1]
    source = QKSource(case.query, case.key, **case.options)
    found, _ = source.preview(0, 0, slice(0, queries), slice(0, keys), *bins)
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-5)


def smooth(size: int, seed: int) -> NDArray[np.float32]:
    """Vectors that change slowly from one position to the next."""
    steps = np.random.default_rng(seed).standard_normal((size, 16)) / 8
    found = np.cumsum(steps, axis=0)
    return np.asarray(found / np.abs(found).max() * 4, dtype=np.float32)


@pytest.mark.parametrize(
    "options", [{}, {"causal": True}, {"window": 150}, {"causal": True, "window": 100}]
)
@pytest.mark.parametrize("library", ["numpy", "torch"])
def test_larger_cells_follow_the_exact_mean(library: str, options: dict[str, Any]) -> None:
    query, key = smooth(900, 0), smooth(900, 1)
    source = QKSource(query, key, **options)
    if library == "torch":
        torch = pytest.importorskip("torch")
        source = QKSource(torch.from_numpy(query), torch.from_numpy(key), **options)
    exact = pooled(direct(query[None, None], key[None, None], **options)[0, 0], 64, 50)[1]
    found, how = source.preview(0, 0, slice(0, 900), slice(0, 900), 64, 50)
    assert np.corrcoef(found.ravel(), exact.ravel())[0, 1] > 0.97
    # Out of reach is never shown as attended to; a few queries of each row stand for the others.
    np.testing.assert_array_equal(found[exact == 0], 0)
    assert "up to 15 queries × 18 keys a cell" in how


def test_a_part_is_normalised_over_all_keys() -> None:
    query, key = smooth(600, 2), smooth(1200, 3)
    exact = direct(query[None, None], key[None, None])[0, 0, 100:200, 500:800]
    found, _ = QKSource(query, key).preview(0, 0, slice(100, 200), slice(500, 800), 20, 30)
    np.testing.assert_allclose(found.mean(), exact.mean(), rtol=0.1)
    assert np.corrcoef(found.ravel(), pooled(exact, 20, 30)[1].ravel())[0, 1] > 0.97


def test_bias_and_mask_are_those_at_the_middle_of_cells_and_said_so() -> None:
    ones = np.ones((12, 2))
    mask = np.repeat([True, False, True], 4)
    bias = np.repeat([0.0, 0.0, 1.0], 4)[None].repeat(12, axis=0)
    found, how = QKSource(ones, ones, mask=mask, bias=bias).preview(
        0, 0, slice(0, 12), slice(0, 12), 2, 3
    )
    share = np.exp(1.0)
    expected = np.array([1, 0, share]) / (4 * (1 + share))
    assert_close(found, np.stack([expected, expected]))
    assert how.endswith("bias and mask as in the middle of each cell")
