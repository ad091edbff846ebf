"""Attention from queries and keys equals the full softmax, whatever the options and the part."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import attn_widget as aw
from attn_widget.qk import QKSource
from attn_widget.qk.rules import Reach
from attn_widget.qk.source import finish
from direct import Case, assert_close, blocks, cases, direct, pooled, row_entropy


def source(case: Case) -> QKSource:
    return QKSource(case.query, case.key, **case.options)


@settings(max_examples=300, deadline=None)
@given(cases(), st.data())
def test_equals_the_full_softmax(case: Case, data: st.DataObject) -> None:
    expected = direct(case.query, case.key, **case.options)
    with blocks(case.rows, case.keys, single=case.single):
        attention = aw.Attention.from_qk(case.query, case.key, **case.options)
        # A part first: what it computes of its rows is kept and used by the whole.
        part = tuple(
            slice(*sorted((data.draw(st.integers(0, size)), data.draw(st.integers(0, size)))))
            for size in case.shape
        )
        assert_close(attention[part], expected[part])
        whole = np.asarray(attention)
    assert whole.dtype == np.float32
    assert_close(whole, expected)
    np.testing.assert_allclose(
        whole.sum(axis=-1, dtype=np.float64), expected.sum(axis=-1), rtol=1e-5, atol=1e-5
    )
    assert np.array_equal(whole == 0, expected.astype(np.float32) == 0)


@settings(max_examples=100, deadline=None)
@given(cases(), st.data())
def test_every_nth_query_is_that_of_the_whole(case: Case, data: st.DataObject) -> None:
    layers, heads, queries, keys = case.shape
    layer, first = data.draw(st.integers(0, layers - 1)), data.draw(st.integers(0, queries - 1))
    every = slice(first, queries, data.draw(st.integers(1, queries)))
    expected = direct(case.query, case.key, **case.options)[layer]
    with blocks(case.rows, case.keys, single=case.single):
        found = source(case).read_every(layer, slice(0, heads), every, slice(0, keys))
    assert_close(found, expected[:, every])


@settings(max_examples=200, deadline=None)
@given(cases(), st.data())
def test_overview_equals_pooling_the_whole(case: Case, data: st.DataObject) -> None:
    layers, heads, queries, keys = case.shape
    layer, head = data.draw(st.integers(0, layers - 1)), data.draw(st.integers(0, heads - 1))
    bins = data.draw(st.integers(1, queries)), data.draw(st.integers(1, keys))
    weights = direct(case.query, case.key, **case.options)[layer, head]
    with blocks(case.rows, case.keys, single=case.single):
        made = source(case)
        found = finish(made.overview(layer, head, *bins))
        largest, mean = pooled(weights, *bins)
        assert_close(found.max, largest)
        assert_close(found.mean, mean)
        np.testing.assert_allclose(found.totals, weights.sum(axis=0), rtol=1e-5, atol=1e-5)
        assert found.entropy is not None
        np.testing.assert_allclose(found.entropy, row_entropy(weights), rtol=1e-5, atol=1e-5)
        assert found.max.dtype == found.mean.dtype == np.dtype(np.float32)
        # What it kept serves later reads.
        read = made.read(layer, slice(head, head + 1), slice(0, queries), slice(0, keys))[0]
        assert_close(read, weights)


class TestByHand:
    def test_sinks_take_their_share(self) -> None:
        att = aw.Attention.from_qk(np.ones((1, 1)), np.array([[1.0], [2.0]]), sinks=[0.0])
        np.testing.assert_allclose(att[0, 0, 0], [0.244728, 0.665241], atol=1e-6)

    def test_softcap(self) -> None:
        logits = np.array([[10.0], [-10.0]])
        att = aw.Attention.from_qk(np.ones((1, 1)), logits, softcap=5.0)
        expected = np.exp(-2 * 4.8201379)
        np.testing.assert_allclose(
            att[0, 0, 0], [1 / (1 + expected), expected / (1 + expected)], rtol=1e-5
        )

    def test_softcap_comes_before_bias(self) -> None:
        bias = np.array([0.0, 7.0])
        att = aw.Attention.from_qk(np.ones((1, 1)), np.full((2, 1), 1e3), softcap=1.0, bias=bias)
        np.testing.assert_allclose(att[0, 0, 0, 1], np.exp(7) / (1 + np.exp(7)), rtol=1e-5)

    def test_window_of_a_causal_map(self) -> None:
        ones = np.ones((8, 1))
        att = aw.Attention.from_qk(ones, ones, causal=True, window=4)
        assert np.count_nonzero(att[0, 0]) == 26
        assert np.count_nonzero(aw.Attention.from_qk(ones, ones, causal=True)[0, 0]) == 36

    def test_window_looks_both_ways_without_causal(self) -> None:
        ones = np.ones((5, 1))
        found = aw.Attention.from_qk(ones, ones, window=2)[0, 0] > 0
        apart = abs(np.subtract.outer(np.arange(5), np.arange(5)))
        np.testing.assert_array_equal(found, apart < 2)

    def test_grouped_heads_share_keys(self) -> None:
        rng = np.random.default_rng(0)
        query, key = rng.standard_normal((8, 3, 4)), rng.standard_normal((2, 5, 4))
        att = aw.Attention.from_qk(query, key)
        for head in range(8):
            alone = aw.Attention.from_qk(query[head], key[head // 4])
            np.testing.assert_allclose(att[0, head], alone[0, 0], rtol=1e-6)

    def test_alibi(self) -> None:
        """Both forms of the bias: −slope · distance, and its part that varies along keys alone."""
        rng = np.random.default_rng(1)
        query, key = rng.standard_normal((2, 8, 6, 4))
        slopes = 2.0 ** -np.arange(1, 9)
        apart = np.arange(6)[:, None] - np.arange(6)
        spread = aw.Attention.from_qk(
            query, key, causal=True, bias=-slopes[:, None, None] * np.abs(apart)
        )
        short = aw.Attention.from_qk(
            query, key, causal=True, bias=(slopes[:, None] * np.arange(6))[:, None]
        )
        assert_close(spread[...], short[...])

    def test_first_query_stands_at_the_first_key_unless_offset(self) -> None:
        query, key = np.ones((2, 1)), np.ones((5, 1))
        first = aw.Attention.from_qk(query, key, causal=True)[0, 0] > 0
        np.testing.assert_array_equal(first, [[1, 0, 0, 0, 0], [1, 1, 0, 0, 0]])
        cached = aw.Attention.from_qk(query, key, causal=True, offset=3)[0, 0] > 0
        np.testing.assert_array_equal(cached, [[1, 1, 1, 1, 0], [1, 1, 1, 1, 1]])

    def test_queries_beyond_the_keys(self) -> None:
        query, key = np.ones((6, 1)), np.ones((2, 1))
        found = aw.Attention.from_qk(query, key, causal=True, window=2)[0, 0]
        np.testing.assert_array_equal(found, [[1, 0], [0.5, 0.5], [0, 1], [0, 0], [0, 0], [0, 0]])


class TestExtremes:
    @pytest.mark.parametrize("single", [False, True])
    @pytest.mark.parametrize("shift", [-3e4, 0.0, 3e4])
    def test_large_logits_neither_overflow_nor_vanish(self, shift: float, single: bool) -> None:
        """The largest logit comes in any block of keys, first, last or between."""
        base = np.zeros(12)
        base[[2, 7, 11]] = shift + np.array([300.0, 301.0, 299.0])
        base[base == 0] = shift
        for turn in range(12):
            logits = np.roll(base, turn)
            with blocks(2, 3, single=single):
                made = QKSource(np.ones((2, 1)), logits[:, None].astype("f4"), scale=1.0)
                found = made.read(0, slice(0, 1), slice(0, 2), slice(0, 12))[0]
                view = finish(
                    QKSource(np.ones((2, 1)), logits[:, None], scale=1.0).overview(0, 0, 1, 12)
                )
            expected = direct(np.ones((1, 1, 2, 1)), logits[None, None, :, None], scale=1.0)[0, 0]
            assert_close(found, expected)
            assert_close(view.max[0], expected[0])

    @pytest.mark.parametrize("low", [-np.inf, -1e30, np.finfo("f4").min])
    def test_biases_that_mean_never_mask(self, low: float) -> None:
        bias = np.zeros((3, 4))
        bias[0], bias[1, 1:] = low, low
        made = aw.Attention.from_qk(np.ones((3, 2)), np.ones((4, 2)), bias=bias)
        assert_close(made[0, 0], np.array([[0, 0, 0, 0], [1, 0, 0, 0], [0.25] * 4]))

    def test_a_row_without_keys_is_zeros(self) -> None:
        mask = np.array([[True, True], [False, False]])
        for sinks in (None, [0.0]):
            made = QKSource(np.ones((2, 1)), np.ones((2, 1)), mask=mask, sinks=sinks)
            found = made.read(0, slice(0, 1), slice(0, 2), slice(0, 2))[0]
            np.testing.assert_array_equal(found[1], 0)
            view = finish(made.overview(0, 0, 2, 1))
            np.testing.assert_array_equal(view.max[1], 0)
            assert view.entropy is not None
            assert view.entropy[1] == 0

    @pytest.mark.parametrize("bad", [np.nan, np.inf])
    @pytest.mark.parametrize("single", [False, True])
    def test_a_row_that_is_no_number_says_so_where_it_may_attend(
        self, bad: float, single: bool
    ) -> None:
        query, key = np.ones((4, 2)), np.ones((6, 2))
        query[2, 0] = bad
        with blocks(2, 3, single=single):
            made = QKSource(query, key, causal=True)
            found = made.read(0, slice(0, 1), slice(0, 4), slice(0, 6))[0]
            np.testing.assert_array_equal(np.isnan(found[2]), [1, 1, 1, 0, 0, 0])
            np.testing.assert_array_equal(found[[2]][:, 3:], 0)
            np.testing.assert_allclose(found[3], [0.25] * 4 + [0, 0])
            view = finish(made.overview(0, 0, 4, 2))
        np.testing.assert_array_equal(np.isnan(view.max).all(axis=1), [0, 0, 1, 0])
        assert view.entropy is not None
        np.testing.assert_array_equal(np.isnan(view.entropy), [0, 0, 1, 0])
        # Queries with values are counted, those without are not.
        np.testing.assert_allclose(view.totals, np.nansum(found, axis=0), atol=1e-6)
        joined = finish(made.overview(0, 0, 2, 1))
        np.testing.assert_allclose(joined.mean[1], 1 / 6, rtol=1e-6)

    def test_masked_keys_may_hold_anything(self) -> None:
        key = np.ones((3, 2))
        key[1] = np.nan
        for option in (
            {"mask": np.array([True, False, True])},
            {"bias": np.array([0, -np.inf, 0])},
        ):
            found = aw.Attention.from_qk(np.ones((2, 2)), key, **option)  # type: ignore[arg-type]
            np.testing.assert_allclose(found[0, 0], [[0.5, 0, 0.5]] * 2)

    def test_nothing_to_read(self) -> None:
        made = aw.Attention.from_qk(np.ones((0, 2)), np.ones((3, 2)))
        assert made[...].shape == (1, 1, 0, 3)
        assert aw.Attention.from_qk(np.ones((2, 2)), np.ones((0, 2)))[...].shape == (1, 1, 2, 0)


@given(
    st.integers(1, 12),
    st.integers(1, 12),
    st.booleans(),
    st.none() | st.integers(1, 8),
    st.integers(-15, 15),
)
def test_reach_of_blocks_is_that_of_their_pairs(
    queries: int, keys: int, causal: bool, window: int | None, offset: int
) -> None:
    reach = Reach(keys, causal, window, offset)
    apart = np.arange(queries)[:, None] + offset - np.arange(keys)
    allowed = np.ones((queries, keys), dtype=bool)
    if causal:
        allowed &= apart >= 0
    if window is not None:
        allowed &= (apart if causal else abs(apart)) < window
    beyond = reach.beyond(slice(0, queries), slice(0, keys))
    np.testing.assert_array_equal(allowed, ~(np.zeros_like(allowed) if beyond is None else beyond))
    span = reach.span(slice(0, queries))
    assert not allowed[:, : span.start].any()
    assert not allowed[:, span.stop :].any()
    assert (beyond is None) == bool(allowed.all())
