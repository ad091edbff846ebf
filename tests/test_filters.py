"""Which weights become lines."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from attn_widget.filters import (
    COMBINED,
    Edges,
    Filter,
    combine_heads,
    join_edges,
    merge_heads,
    select_edges,
    take_edges,
)
from attn_widget.scale import SCALES
from oracle import lines_of

NAN, INF = math.nan, math.inf
Map = NDArray[np.float32]

# Few distinct magnitudes make ties; halves and quarters make sums that reach a share exactly.
cells = st.one_of(
    st.sampled_from([0.0, 0.25, 0.5, -0.25, 1.0, NAN, INF, -INF]),
    st.floats(-4, 4, width=32),
)
maps = hnp.arrays(
    np.float32, hnp.array_shapes(min_dims=3, max_dims=3, min_side=0, max_side=4), elements=cells
)
filters = st.builds(
    Filter,
    combine=st.sampled_from(["each", "mean", "max"]),
    direction=st.sampled_from(["attends_to", "attended_by"]),
    mass=st.sampled_from([0.0, 0.25, 0.5, 0.75, 0.9, 1.0]),
    threshold=st.sampled_from([0.0, 0.25, 0.3, 1e300]),
    top_k=st.sampled_from([None, 1, 2, 9]),
    special=st.sampled_from(["show", "hide", "renormalise"]),
    scale=st.sampled_from(SCALES),
)
positive = hnp.arrays(
    np.float32,
    hnp.array_shapes(min_dims=3, max_dims=3, min_side=1, max_side=5),
    elements=st.floats(0, 1, width=32),
)


def as_map(edges: Edges, shape: tuple[int, ...]) -> Map:
    """Lay lines out as a map, zero where there is none."""
    laid_out = np.zeros(shape, np.float32)
    laid_out[edges.head, edges.query, edges.key] = edges.weight
    return laid_out


def positions(length: int) -> st.SearchStrategy[list[int]]:
    return st.lists(st.integers(0, length - 1), max_size=3) if length else st.just([])


def places(edges: Edges) -> set[tuple[int, int, int]]:
    columns = (edges.head.tolist(), edges.query.tolist(), edges.key.tolist())
    return set(zip(*columns, strict=True))


def rows_of(weights: Map, kept: Map, across: bool = False) -> Iterator[tuple[Map, Map]]:
    """Go through the rows of both maps, or through their columns."""
    for head, drawn in zip(weights, kept, strict=True):
        yield from zip(*((head.T, drawn.T) if across else (head, drawn)), strict=True)


def select(weights: Map, filters: Filter, **options: Any) -> Map:
    edges = select_edges(weights, range(len(weights)), filters, **options)
    return as_map(edges, weights.shape)


@given(weights=maps, filters=filters, data=st.data())
def test_agrees_with_the_oracle(weights: Map, filters: Filter, data: st.DataObject) -> None:
    heads, queries, keys = weights.shape
    special: dict[str, Any] = {
        "query_special": data.draw(positions(queries)),
        "key_special": data.draw(positions(keys)),
    }
    numbers = [10 * head for head in range(heads)]
    edges = select_edges(weights, numbers, filters, full=2.0, **special)
    expected = lines_of(weights.tolist(), numbers, filters, full=2.0, **special)
    columns = (edges.head.tolist(), edges.query.tolist(), edges.key.tolist())
    in_order = list(zip(*columns, strict=True))
    assert in_order == sorted(expected.drawn)
    drawn = [expected.drawn[place] for place in in_order]
    assert edges.weight.tolist() == pytest.approx([weight for weight, _ in drawn], rel=1e-6)
    assert edges.strength.tolist() == pytest.approx([found for _, found in drawn], abs=2e-6)
    assert edges.total == pytest.approx(expected.total)
    assert edges.kept == pytest.approx(expected.kept)
    assert edges.special == pytest.approx(expected.special)
    assert edges.missing == expected.missing
    assert 0 <= edges.hidden_share <= 1
    assert 0 <= edges.special_share <= 1


@given(
    weights=positive, mass=st.floats(0, 1), direction=st.sampled_from(["attends_to", "attended_by"])
)
def test_mass_keeps_the_fewest_strongest(weights: Map, mass: float, direction: str) -> None:
    kept = select(weights, Filter(mass=mass, direction=direction))
    across = direction == "attended_by"
    for row, drawn in rows_of(weights, kept, across):
        total = math.fsum(row.tolist())
        share = math.fsum(drawn.tolist())
        assert share >= mass * total - 1e-9
        chosen = drawn > 0
        if chosen.any():
            # One fewer would fall short, and nothing left out is stronger.
            if mass < 1:
                assert share - drawn[chosen].min() < mass * total + 1e-9
            assert row[~chosen].max(initial=0) <= drawn[chosen].min()


@given(weights=positive, top_k=st.integers(1, 7))
def test_top_k_keeps_the_strongest(weights: Map, top_k: int) -> None:
    kept = select(weights, Filter(top_k=top_k))
    for row, drawn in zip(
        weights.reshape(-1, weights.shape[2]), kept.reshape(-1, weights.shape[2]), strict=True
    ):
        assert (drawn > 0).sum() == min(top_k, (row > 0).sum())
        assert sorted(drawn[drawn > 0]) == sorted(row[row > 0])[-top_k:]


@given(weights=positive, threshold=st.floats(0, 1, width=32))
def test_threshold_keeps_all_that_reach_it(weights: Map, threshold: float) -> None:
    kept = select(weights, Filter(threshold=threshold))
    np.testing.assert_array_equal(kept, np.where(weights >= np.float32(threshold), weights, 0))


@given(weights=maps, filters=filters)
def test_attended_by_is_the_transpose(weights: Map, filters: Filter) -> None:
    turned = {"attends_to": "attended_by", "attended_by": "attends_to"}[filters.direction]
    there = select_edges(weights, range(len(weights)), filters, query_special=(), key_special=())
    other = Filter(**{**vars(filters), "direction": turned, "scale": "absolute"})
    back = select_edges(np.swapaxes(weights, 1, 2), range(len(weights)), other)
    assert places(there) == {(head, query, key) for head, key, query in places(back)}


@given(weights=positive, special=st.sets(st.integers(0, 4)))
def test_renormalised_rows_sum_to_one(weights: Map, special: set[int]) -> None:
    keys = sorted(key for key in special if key < weights.shape[2])
    kept = select(weights, Filter(special="renormalise"), key_special=keys)
    assert not kept[:, :, keys].any()
    left = np.delete(weights, keys, axis=2).astype(np.float64).sum(axis=2)
    sums = kept.sum(axis=2, dtype=np.float64)
    if keys:
        # A share below the least float32 draws nothing.
        np.testing.assert_allclose(sums, left > 0, atol=1e-5)
    else:
        np.testing.assert_array_equal(kept, weights)


def test_renormalising_signed_rows_does_not_blow_up() -> None:
    row = np.array([[[0.5, -0.5, 0.001, 3.0]]], np.float32)
    kept = select(row, Filter(special="renormalise"), key_special=[3])
    assert np.abs(kept).sum() == pytest.approx(1)
    assert (np.sign(kept) == [[[1, -1, 1, 0]]]).all()


@given(weights=maps, filters=filters, order=st.permutations(range(4)))
def test_heads_do_not_depend_on_their_order(
    weights: Map, filters: Filter, order: list[int]
) -> None:
    heads = [head for head in order if head < len(weights)]
    there = select_edges(weights, range(len(weights)), filters)
    mixed = select_edges(weights[heads], heads, filters)

    assert there.total == pytest.approx(mixed.total)
    if filters.combine == "mean":
        # Sums of other orders round otherwise, so that ties may fall otherwise.
        assert there.missing == mixed.missing
        return
    assert places(there) == places(mixed)


@pytest.mark.parametrize(
    ("combine", "expected"),
    [
        ("mean", [0.5, 1.0, NAN, INF, NAN]),
        ("max", [0.75, 1.0, NAN, INF, INF]),
    ],
)
def test_missing_heads_are_left_out(combine: str, expected: list[float]) -> None:
    weights = np.array([[[0.25, NAN, NAN, INF, INF]], [[0.75, 1.0, NAN, 1.0, -INF]]], np.float32)
    np.testing.assert_array_equal(combine_heads(weights, combine), [[expected]])
    np.testing.assert_array_equal(merge_heads(iter(weights), combine), [[expected]])


def test_combined_heads_have_no_number() -> None:
    weights = np.full((1, 1, 2), 0.5, np.float32)
    for combine in ("mean", "max"):
        assert select_edges(weights, [7], Filter(combine=combine)).head.tolist() == [COMBINED] * 2
    assert select_edges(weights, [7], Filter()).head.tolist() == [7, 7]


def test_merging_no_heads_says_so() -> None:
    with pytest.raises(ValueError, match="at least one head; got none"):
        merge_heads([], "mean")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"combine": "median"}, "combine must be one of each, mean, max; got 'median'"),
        ({"direction": "both"}, "direction must be one of attends_to, attended_by; got 'both'"),
        ({"special": None}, "special must be one of show, hide, renormalise; got None"),
        ({"scale": "linear"}, "scale must be one of absolute, row"),
        ({"mass": 1.5}, "mass must lie within 0 and 1; got 1.5"),
        ({"mass": NAN}, "mass must lie within 0 and 1; got nan"),
        ({"threshold": -1}, "threshold must be at least 0; got -1"),
        ({"top_k": 0}, "top_k must be at least 1, or None; got 0"),
    ],
)
def test_unknown_options_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Filter(**options)


@given(weights=maps, filters=filters)
def test_joined_heads_are_the_whole(weights: Map, filters: Filter) -> None:
    each = Filter(**{**vars(filters), "combine": "each"})
    whole = select_edges(weights, range(len(weights)), each)
    parts = [select_edges(weights[h : h + 1], [h], each) for h in range(len(weights))]
    joined = join_edges(parts)
    for name in ("query", "key", "head", "weight", "strength"):
        np.testing.assert_array_equal(getattr(joined, name), getattr(whole, name))
        assert getattr(joined, name).dtype == getattr(whole, name).dtype
    for name in ("total", "kept", "special", "missing"):
        assert getattr(joined, name) == pytest.approx(getattr(whole, name))


def test_taken_edges_keep_the_accounts() -> None:
    edges = select_edges(np.full((1, 2, 2), 0.25, np.float32), [3], Filter())
    some = take_edges(edges, edges.query == 1)
    assert some.key.tolist() == [0, 1]
    assert some.head.tolist() == [3, 3]
    assert (some.total, some.kept) == (1.0, 1.0)


def test_ties_go_to_the_lower_position() -> None:
    # Long enough for sorts that keep no order to lose it.
    weights = np.random.default_rng(8).choice([0.25, 0.5, 1.0], size=(1, 2, 300)).astype("f4")
    for filters in (Filter(top_k=40), Filter(mass=0.3)):
        edges = select_edges(weights, [0], filters)
        expected = lines_of(weights.tolist(), [0], filters)
        assert places(edges) == set(expected.drawn)


def test_weights_are_left_as_they_are() -> None:
    weights = np.full((2, 2, 2), 0.25, np.float32)
    weights.flags.writeable = False
    for special in ("show", "hide", "renormalise"):
        for combine in ("each", "mean", "max"):
            options = Filter(special=special, combine=combine, mass=0.5)
            select_edges(weights, [0, 1], options, query_special=[0], key_special=[1])
