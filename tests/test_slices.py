"""What a view needs of a map, and what is read for it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from attn_widget import Attention, Tokens, protocol
from attn_widget.filters import Filter, select_edges
from attn_widget.slices import (
    FOG_COARSE,
    LINE_BYTES,
    block_plan,
    can_merge_words,
    edge_parts,
    element_bytes,
    fog_sizes,
    layer_edges,
    layer_full_value,
    read_block,
    read_heads,
    read_rows,
    strongest_edges,
)
from counted import CountedArray


def sized(*shape: int, dtype: str = "f4") -> Attention:
    """Make a map of any size without its weights."""
    return Attention(np.broadcast_to(np.zeros((), dtype), shape))


def counted(*shape: int, seed: int = 0) -> tuple[Attention, CountedArray, NDArray[np.float32]]:
    values = np.random.default_rng(seed).random(shape, np.float32)
    array = CountedArray(values)
    return Attention(array), array, values


few = st.sampled_from([0, 1, 2, 12, 32, 80])
many = st.sampled_from([0, 1, 2, 30, 200, 1000, 5000, 131_072])


def block_bytes(attention: Attention, layers: slice, queries: slice) -> int:
    heads, keys = attention.shape[1], attention.shape[3]
    count: int = (layers.stop - layers.start) * heads * (queries.stop - queries.start) * keys
    return count * element_bytes(attention)


class TestBlockPlan:
    def test_small_maps_go_whole(self) -> None:
        assert block_plan(sized(6, 12, 64, 64), 3) == (slice(0, 6), slice(0, 64))

    def test_limit_of_whole_maps(self) -> None:
        # 2 layers × 4 heads × 256 × 256 × 4 bytes = 2 MiB, the limit.
        assert block_plan(sized(2, 4, 256, 256), 1)[0] == slice(0, 2)
        assert block_plan(sized(2, 4, 256, 257), 1)[0] == slice(1, 2)
        assert block_plan(sized(4, 4, 256, 256, dtype="f2"), 1)[0] == slice(0, 4)

    def test_middling_maps_go_by_layer(self) -> None:
        attention = sized(6, 12, 256, 256)
        assert block_plan(attention, 4) == (slice(4, 5), slice(0, 256))

    def test_large_layers_go_by_rows_near_the_focus(self) -> None:
        attention = sized(6, 12, 512, 512)
        layers, queries = block_plan(attention, 2, focus=300)
        assert layers == slice(2, 3)
        assert queries.start < 300 < queries.stop
        assert queries.stop - queries.start == protocol.ROWS_BYTES // (12 * 512 * 4)

    @pytest.mark.parametrize("focus", [0, 511])
    def test_rows_stay_within_the_map(self, focus: int) -> None:
        _, queries = block_plan(sized(1, 12, 512, 512), 0, focus)
        assert 0 <= queries.start <= focus < queries.stop <= 512

    def test_one_row_may_take_a_message(self) -> None:
        attention = sized(1, 16, 40_000, 40_000)
        layers, queries = block_plan(attention, 0, 7)
        assert block_bytes(attention, layers, queries) == 16 * 40_000 * 4
        assert queries.start <= 7 < queries.stop

    def test_no_row_where_one_is_too_large(self) -> None:
        attention = sized(1, 32, 131_072, 131_072)
        layers, queries = block_plan(attention, 0, 7)
        assert queries.start == queries.stop
        assert read_block(attention, layers, queries).weights.shape == (1, 32, 0, 131_072)

    @given(
        shape=st.tuples(few, few, many, many),
        place=st.floats(0, 1, exclude_max=True),
        room=st.sampled_from([0, 1000, 1_000_000, protocol.LAYER_BYTES]),
        dtype=st.sampled_from(["f2", "f4", "f8"]),
    )
    def test_blocks_lie_in_the_map_and_fit(
        self, shape: tuple[int, ...], place: float, room: int, dtype: str
    ) -> None:
        attention = sized(*shape, dtype=dtype)
        layer, focus = int(place * shape[0]), int(place * shape[2])
        layers, queries = block_plan(attention, layer, focus, room)
        assert 0 <= queries.start <= queries.stop <= shape[2]
        assert 0 <= layers.start <= layers.stop <= max(shape[0], 1)
        assert layers.start <= layer
        assert block_bytes(attention, layers, queries) <= min(room, protocol.MESSAGE_BYTES)


class TestReading:
    def test_a_block_reads_itself_alone(self) -> None:
        attention, array, values = counted(3, 2, 8, 8)
        block = read_block(attention, slice(1, 2), slice(0, 8))
        np.testing.assert_array_equal(block.weights, values[1:2])
        assert array.numbers_read == 2 * 8 * 8
        assert block.full == [1.0]

    def test_full_value_is_that_of_the_whole_layer(self) -> None:
        attention, array, values = counted(2, 2, 6, 6)
        values[1, 1, 5, 5] = 3.5
        block = read_block(attention, slice(1, 2), slice(0, 2))
        assert block.full == [3.5]
        assert array.numbers_read == 2 * 2 * 6 + 2 * 6 * 6

    def test_full_value_of_large_layers_is_that_of_what_is_read(self) -> None:
        attention = sized(1, 40, 1024, 1024)
        read = np.full((40, 1, 1024), 2.0, np.float32)
        assert layer_full_value(attention, 0, read) == 2.0

    def test_full_value_without_heads(self) -> None:
        assert layer_full_value(sized(1, 0, 3, 3), 0) == 1.0

    def test_of_huge_layers_is_not_read_for(self) -> None:
        huge = Attention(CountedArray(np.broadcast_to(np.float32(2), (1, 2, 100_000, 50_000))))
        assert layer_full_value(huge, 0) == 1.0
        long = CountedArray(np.broadcast_to(np.float32(-3), (1, 2, 100_000, 500)))
        assert layer_full_value(Attention(long, kind="score"), 0) == 3.0
        assert long.numbers_read <= 2 * 16 * 500

    @pytest.mark.parametrize(("side", "part"), [("query", 2 * 3 * 9), ("key", 2 * 8 * 3)])
    def test_rows_read_themselves_alone(self, side: str, part: int) -> None:
        attention, array, values = counted(2, 2, 8, 9)
        rows = read_rows(attention, 1, side, 4, 7)
        expected = values[1, :, 4:7, :] if side == "query" else values[1, :, :, 4:7]
        np.testing.assert_array_equal(rows, expected)
        assert array.numbers_read == part

    @pytest.mark.parametrize("heads", [[], [2], [0, 1, 2], [2, 0]])
    def test_heads_read_themselves_alone(self, heads: list[int]) -> None:
        attention, array, values = counted(2, 3, 4, 5)
        np.testing.assert_array_equal(read_heads(attention, 1, heads), values[1, heads])
        assert array.numbers_read == len(heads) * 20

    @pytest.mark.parametrize("combine", ["each", "mean", "max"])
    def test_edges_hold_one_head_at_a_time(self, combine: str) -> None:
        attention, array, values = counted(2, 3, 4, 5)
        filters = Filter(combine=combine, mass=0.6)
        edges = layer_edges(attention, 1, [0, 2], filters)
        whole = select_edges(values[1, [0, 2]], [0, 2], filters)
        for name in ("query", "key", "head", "weight", "strength"):
            np.testing.assert_array_equal(getattr(edges, name), getattr(whole, name))
        assert edges.total == pytest.approx(whole.total)
        assert array.numbers_read == 2 * 20
        assert all(key[1].stop - key[1].start == 1 for key in array.asked)

    def test_no_heads_have_no_edges(self) -> None:
        for combine in ("each", "mean"):
            edges = layer_edges(sized(1, 2, 3, 3), 0, [], Filter(combine=combine))
            assert len(edges.query) == 0
            assert edges.total == 0

    def test_special_positions_are_those_of_the_map(self) -> None:
        tokens = Tokens(["[CLS]", "a", "b"], special=[0])
        attention = Attention(np.full((1, 1, 3, 3), 0.25, np.float32), tokens)
        edges = layer_edges(attention, 0, [0], Filter(special="hide"))
        assert sorted(zip(edges.query.tolist(), edges.key.tolist(), strict=True)) == [
            (1, 1), (1, 2), (2, 1), (2, 2),
        ]  # fmt: skip


class TestStrongest:
    def edges(self, seed: int, heads: int = 3) -> tuple[Attention, list[int]]:
        attention, _, _ = counted(1, heads, 6, 7, seed=seed)
        return attention, list(range(heads))

    @given(
        weights=st.lists(
            st.sampled_from([0.0, 0.125, 0.25, 0.5, 1.0, math.inf]), min_size=24, max_size=24
        ),
        limit=st.integers(0, 26),
    )
    def test_parts_give_what_the_whole_gives(self, weights: list[float], limit: int) -> None:
        values = np.array(weights, np.float32).reshape(1, 2, 3, 4)
        attention = Attention(values)
        whole = layer_edges(attention, 0, [0, 1], Filter())
        strong, haze = strongest_edges(edge_parts(attention, 0, [0, 1], Filter()), limit, 3, 4)
        order = sorted(range(len(whole.query)), key=lambda i: (-whole.strength[i], i))
        chosen = sorted(order[:limit])
        np.testing.assert_array_equal(strong.query, whole.query[chosen])
        np.testing.assert_array_equal(strong.key, whole.key[chosen])
        np.testing.assert_array_equal(strong.head, whole.head[chosen])
        np.testing.assert_array_equal(strong.weight, whole.weight[chosen])
        pooled = np.zeros((2, 3, 4))
        for i in order[limit:]:
            pooled[whole.head[i], whole.query[i], whole.key[i]] += whole.strength[i]
        assert haze.heads == [head for head in (0, 1) if pooled[head].any()]
        for pool in (haze.strength, haze.query, haze.key):
            np.testing.assert_array_equal(pool, pooled[haze.heads])
        assert (strong.total, strong.kept) == (whole.total, whole.kept)

    def test_haze_pools_long_axes(self) -> None:
        rng = np.random.default_rng(3)
        attention = Attention(rng.random((1, 1, 300, 130), np.float32))
        whole = layer_edges(attention, 0, [0], Filter())
        strong, haze = strongest_edges([whole], 100, 300, 130)
        assert haze.strength.shape == (1, protocol.FOG_CELLS, protocol.FOG_CELLS)
        assert haze.query.shape == (1, 300, FOG_COARSE)
        assert haze.key.shape == (1, FOG_COARSE, 130)
        for pool in (haze.strength, haze.query, haze.key):
            total = pool.sum(dtype=np.float64) + strong.strength.sum(dtype=np.float64)
            assert total == pytest.approx(whole.strength.sum(dtype=np.float64), rel=1e-6)
        # A query of 300 lies in the block of its share of the axis.
        only = np.zeros((1, 1, 300, 130), np.float32)
        only[0, 0, 299, 64] = 1
        _, haze = strongest_edges([layer_edges(Attention(only), 0, [0], Filter())], 0, 300, 130)
        assert np.argwhere(haze.strength[0]).tolist() == [[127, 63]]
        assert np.argwhere(haze.query[0]).tolist() == [[299, 15]]
        assert np.argwhere(haze.key[0]).tolist() == [[31, 64]]

    def test_many_lines_are_pooled_as_few_are(self) -> None:
        weights = np.zeros((1, 1, 600, 700), np.float32)
        weights[0, 0, 1::3, 5::7] = 0.5
        dense = np.full_like(weights, 0.25)
        hazes = [
            strongest_edges([layer_edges(Attention(w), 0, [0], Filter())], 0, 600, 700)[1]
            for w in (weights, dense, np.maximum(weights, dense))
        ]
        for name in ("strength", "query", "key"):
            few, many, both = (getattr(haze, name) for haze in hazes)
            # Of lines of 0.5, half is there already.
            np.testing.assert_allclose(both, many + few / 2, rtol=1e-5)

    @given(queries=st.integers(1, 2000), keys=st.integers(1, 2000), heads=st.integers(1, 65_536))
    def test_blocks_of_any_number_of_heads_fit(self, queries: int, keys: int, heads: int) -> None:
        sizes = fog_sizes(queries, keys, heads)
        lines = protocol.EDGES_LIMIT * LINE_BYTES
        cells = sum(rows * cols for rows, cols in sizes)
        assert min(min(size) for size in sizes) >= 1
        assert heads * (2 * cells + 16) + lines < protocol.MESSAGE_BYTES
        if heads <= 32:
            assert sizes == (
                (min(queries, 128), min(keys, 128)),
                (min(queries, 512), min(keys, 32)),
                (min(queries, 32), min(keys, 512)),
            )

    def test_nothing_beyond_the_limit_is_no_haze(self) -> None:
        attention, heads = self.edges(1)
        strong, haze = strongest_edges(edge_parts(attention, 0, heads, Filter()), 1000, 6, 7)
        assert len(strong.query) == 3 * 6 * 7
        assert haze.heads == []
        assert haze.strength.shape == (0, 6, 7)

    @pytest.mark.parametrize("shape", [(0, 3), (3, 0), (0, 0)])
    def test_empty_axes(self, shape: tuple[int, int]) -> None:
        attention = sized(1, 2, *shape)
        strong, haze = strongest_edges(edge_parts(attention, 0, [0, 1], Filter()), 5, *shape)
        assert len(strong.query) == 0
        assert haze.strength.size == 0

    def test_merged_heads_are_pooled_under_their_stand_in(self) -> None:
        attention, heads = self.edges(2)
        parts = edge_parts(attention, 0, heads, Filter(combine="mean"))
        strong, haze = strongest_edges(parts, 3, 6, 7)
        assert set(strong.head.tolist()) == set(haze.heads) == {0xFFFF}


@pytest.mark.parametrize(
    ("queries", "keys", "kind", "merges"),
    [
        (None, None, "weight", False),
        ([0, 0, 1], None, "weight", True),
        (None, [0, 1, 1], "relevance", True),
        ([0, 0, 1], [0, 1, 1], "score", False),
    ],
)
def test_words_can_be_merged_where_known(queries: Any, keys: Any, kind: str, merges: bool) -> None:
    labels = ["a", "b", "c"]
    attention = Attention(
        np.zeros((3, 3), np.float32),
        Tokens(labels, words=queries),
        Tokens(labels, words=keys),
        kind=kind,
    )
    assert can_merge_words(attention) is merges
