"""Reading back what is pinned and filtered."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from attn_widget import Attention, Tokens
from attn_widget.filters import Filter
from attn_widget.selection import (
    ROWS_LIMIT,
    LinesState,
    Row,
    select_frame,
    select_rows,
    shown_positions,
    word_starts,
)
from attn_widget.slices import layer_edges
from counted import CountedArray

VALUES = np.array(
    [
        [[[0.5, 0.25, 0.25], [0.125, 0.75, 0.125]], [[1.0, 0.0, 0.0], [0.25, 0.25, 0.5]]],
        [[[0.0, 0.5, 0.5], [0.5, 0.0, 0.5]], [[0.25, 0.5, 0.25], [0.125, 0.125, 0.75]]],
    ],
    np.float32,
)
ATTENTION = Attention(VALUES, ["le", "chat"], ["the", "Ġcat", ""])


def rows(attention: Attention = ATTENTION, **state: Any) -> list[Row]:
    state.setdefault("heads", tuple(range(attention.shape[1])))
    return select_rows(attention, LinesState(**state))


def test_rows_name_position_and_exact_label() -> None:
    assert rows(layer=1, heads=(0,), pinned_queries=(1,)) == [
        (1, 0, 1, "chat", 0, "the", 0.5),
        (1, 0, 1, "chat", 2, "", 0.5),
    ]
    row = rows(pinned_keys=(1,))[0]
    assert row._fields == (
        "layer", "head", "query", "query_label", "key", "key_label", "weight",
    )  # fmt: skip
    assert [type(value) for value in row] == [int, int, int, str, int, str, float]


def test_rows_come_by_head_query_and_key() -> None:
    places = [(row.head, row.query, row.key) for row in rows()]
    assert places == sorted(places)
    assert len(places) == 10


def test_pins_on_both_sides_keep_what_lies_between() -> None:
    places = [row[1:3] + row[4:5] for row in rows(pinned_queries=(1, 0), pinned_keys=(2,))]
    assert places == [(0, 0, 2), (0, 1, 2), (1, 1, 2)]


def test_heads_are_those_asked_for() -> None:
    assert {row.head for row in rows(heads=(1,))} == {1}
    assert rows(heads=()) == []


@pytest.mark.parametrize(("combine", "weight"), [("mean", 0.75), ("max", 1.0)])
def test_combined_heads_are_named_by_how(combine: str, weight: float) -> None:
    found = rows(filters=Filter(combine=combine), pinned_queries=(0,), pinned_keys=(0,))
    assert found == [(0, combine, 0, "le", 0, "the", weight)]


def test_filters_apply() -> None:
    assert [row.weight for row in rows(filters=Filter(threshold=0.75))] == [0.75, 1.0]
    assert [row.key for row in rows(heads=(0,), filters=Filter(top_k=1))] == [0, 1]
    # Half of the first row is its first weight; ties go to the lower position.
    by_key = rows(heads=(0,), filters=Filter(mass=0.5, direction="attended_by"))
    assert [(row.query, row.key) for row in by_key] == [(0, 0), (0, 2), (1, 1)]


def test_special_positions_follow_the_state() -> None:
    attention = Attention(VALUES, Tokens(["<s>", "a"], special=[0]), ["b", "c", "d"])
    hidden = rows(attention, filters=Filter(special="hide"))
    assert {row.query for row in hidden} == {1}


def test_words_stand_under_their_first_token() -> None:
    attention = Attention(
        VALUES,
        queries=Tokens(["un", "##til"], words=[0, 0]),
        keys=Tokens(["a", "##b", "c"], words=[0, 0, 1]),
    )
    found = rows(attention, words=True, heads=(0,), pinned_keys=(1,))
    # The mean over two queries of the sum over two keys; a pin on any token pins its word.
    assert [row[:5] for row in found] == [(0, 0, 0, found[0].query_label, 0)]
    assert found[0].weight == pytest.approx((0.5 + 0.25 + 0.125 + 0.75) / 2)
    second = rows(attention, words=True, heads=(0,), pinned_keys=(2,))
    assert [(row.key, row.key_label) for row in second] == [(2, "c")]


def test_missing_weights_are_no_rows_and_infinite_ones_are() -> None:
    values = np.array([[np.nan, np.inf, -0.5]], np.float32)
    assert [row.weight for row in rows(Attention(values))] == [np.inf, -0.5]


@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (0, 0)])
def test_empty_maps_have_no_rows(shape: tuple[int, int]) -> None:
    assert rows(Attention(np.zeros(shape, np.float32))) == []


filters = st.builds(
    Filter,
    combine=st.sampled_from(["each", "mean", "max"]),
    direction=st.sampled_from(["attends_to", "attended_by"]),
    mass=st.sampled_from([0.5, 0.9, 1.0]),
    threshold=st.sampled_from([0.0, 0.2]),
    top_k=st.sampled_from([None, 2]),
    special=st.sampled_from(["show", "hide", "renormalise"]),
)


@given(
    filters=filters,
    queries=st.sets(st.integers(0, 5)),
    keys=st.sets(st.integers(0, 6)),
)
def test_reading_less_changes_nothing(filters: Filter, queries: set[int], keys: set[int]) -> None:
    values = np.random.default_rng(4).random((1, 3, 6, 7), np.float32)
    attention = Attention(
        values, Tokens([*"abcdef"], special=[1]), Tokens([*"tuvwxyz"], special=[0, 5])
    )
    whole = layer_edges(attention, 0, [0, 2], filters)
    expected = [
        (int(query), int(key), float(weight))
        for query, key, weight in zip(whole.query, whole.key, whole.weight, strict=True)
        if (not queries or query in queries) and (not keys or key in keys)
    ]
    found = rows(
        attention,
        heads=(0, 2),
        filters=filters,
        pinned_queries=tuple(queries),
        pinned_keys=tuple(keys),
    )
    assert [(row.query, row.key, row.weight) for row in found] == expected


@pytest.mark.parametrize(
    ("pins", "filters", "read"),
    [
        ({"pinned_queries": (3, 300)}, Filter(), 2 * 512),
        ({"pinned_queries": (3, 300)}, Filter(mass=0.9, top_k=4), 2 * 512),
        ({"pinned_keys": (7,)}, Filter(threshold=0.1), 512),
        ({"pinned_keys": (7,)}, Filter(mass=0.5, direction="attended_by"), 512),
        ({"pinned_keys": (7,)}, Filter(mass=0.5), 512 * 512),
        ({"pinned_queries": (3,)}, Filter(top_k=1, direction="attended_by"), 512 * 512),
        ({"pinned_queries": (3,), "pinned_keys": (7,)}, Filter(), 1),
    ],
)
def test_pins_read_their_rows_alone(pins: dict[str, Any], filters: Filter, read: int) -> None:
    array = CountedArray(np.broadcast_to(np.float32(0.5), (4, 8, 512, 512)))
    rows(Attention(array), layer=2, heads=(1, 6), filters=filters, **pins)
    assert array.numbers_read == 2 * read


def test_too_many_rows_are_refused() -> None:
    attention = Attention(np.broadcast_to(np.float32(0.5), (1, 1, 1000, 1001)))
    with pytest.raises(ValueError, match=f"at most {ROWS_LIMIT} rows; got 1001000"):
        rows(attention)
    assert len(rows(attention, pinned_queries=(0,))) == 1001


class TestFrame:
    def frame(self, **state: Any) -> Any:
        pytest.importorskip("pandas")
        return select_frame(ATTENTION, LinesState(**{"heads": (0, 1), **state}))

    def test_holds_the_same(self) -> None:
        for state in ({}, {"pinned_keys": (2,)}, {"filters": Filter(combine="mean")}):
            frame = self.frame(**state)
            assert list(frame.columns) == list(Row._fields)
            assert [tuple(row) for row in frame.itertuples(index=False)] == rows(**state)

    def test_columns_are_numbers_where_they_can_be(self) -> None:
        frame = self.frame()
        for name in ("layer", "head", "query", "key"):
            assert frame[name].dtype == np.int64
        assert frame["weight"].dtype == np.float64
        assert (frame["query"] - 5).min() == -5

    def test_empty_selections_keep_their_columns(self) -> None:
        frame = self.frame(heads=())
        assert len(frame) == 0
        assert list(frame.columns) == list(Row._fields)

    def test_without_pandas_says_so(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "pandas", None)
        with pytest.raises(ImportError, match=r"to_frame\(\) needs pandas: pip install pandas"):
            select_frame(ATTENTION, LinesState())


def test_positions_of_words() -> None:
    axis = Attention(
        np.zeros((5, 5), np.float32), Tokens([*"abcde"], words=[0, 0, -1, 1, 1])
    ).queries
    assert word_starts(axis, False).tolist() == [0, 1, 2, 3, 4]
    starts = word_starts(axis, True)
    assert starts.tolist() == [0, 2, 3]
    assert shown_positions((4, 1, 0), starts) == (0, 2)
    assert shown_positions((), starts) == ()
