"""Keys set aside: treated like special tokens in whatever is shown or answered."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import attn_widget as aw
from attn_widget.answers.edges import answer_edges
from attn_widget.apart import asking, set_aside, shown_map, words_apart
from attn_widget.axes import Axis
from attn_widget.filters import Filter
from attn_widget.memory import Memory
from attn_widget.selection import LinesState, select_columns

WEIGHTS = np.random.default_rng(3).dirichlet(np.ones(6), size=(1, 2, 5)).astype(np.float32)
QUERIES = aw.Tokens(["[CLS]", "a", "b", "c", "d"], special=[0])
KEYS = [aw.Tokens(["[CLS]", "x"], special=[0]), aw.Patches(2, 2)]


def weights_map() -> aw.Attention:
    return aw.Attention(WEIGHTS, QUERIES, KEYS)


def test_only_keys_are_set_aside() -> None:
    shared = aw.Attention(np.eye(5, dtype=np.float32), QUERIES)
    apart = set_aside(shared, (3,))
    assert apart.keys.special == (0, 3)
    assert apart.queries.special == (0,)
    assert apart.keys.labels == shared.keys.labels
    assert set_aside(shared, ()) is shared
    assert apart.keys != shared.keys


@given(st.sets(st.integers(0, 5)), st.lists(st.integers(0, 5), unique=True))
def test_a_part_of_an_axis_keeps_what_is_special(special: set[int], picked: list[int]) -> None:
    axis = Axis([QUERIES, aw.Patches(1, 1)]).with_special(special)
    assert axis.special == tuple(sorted(special))
    part = axis.select(picked)
    assert [part.labels[at] for at in part.special] == [
        axis.labels[at] for at in picked if at in special
    ]


def test_a_word_is_set_aside_with_all_of_its_tokens() -> None:
    keys = aw.Tokens(["[CLS]", "gir", "affe", "eat"], special=[0], words=[-1, 0, 0, 1])
    attention = aw.Attention(WEIGHTS[:, :, :, :4], QUERIES, keys)
    assert words_apart(attention.keys, (1,)) == [0]
    assert words_apart(attention.keys, (1, 2)) == [0, 1]
    assert words_apart(attention.keys, ()) == []
    assert shown_map(attention, True, (1, 2, 3)).keys.special == (0, 1, 2)
    assert shown_map(attention, True, (2,)).keys.special == (0,)


@pytest.mark.parametrize("special", ["hide", "renormalise"])
def test_selections_leave_out_what_is_set_aside(special: str) -> None:
    state = LinesState(heads=(0, 1), filters=Filter(special=special), aside=(4,))
    columns = select_columns(weights_map(), state)
    assert set(columns["key"].tolist()) == {1, 2, 3, 5}
    assert set(columns["query"].tolist()) == {1, 2, 3, 4}
    sums = np.zeros((2, 5))
    np.add.at(sums, (columns["head"], columns["query"]), columns["weight"])
    left = WEIGHTS[0][:, 1:, [1, 2, 3, 5]].sum(axis=2)
    expected = np.ones((2, 4)) if special == "renormalise" else left
    np.testing.assert_allclose(sums[:, 1:], expected, rtol=1e-6)


def test_special_queries_stay_where_they_ask() -> None:
    assert asking(weights_map()).queries.special == ()
    state = LinesState(
        heads=(0,), filters=Filter(special="renormalise"), pinned_queries=(0,), aside=(2,)
    )
    assert len(select_columns(weights_map(), state)["weight"]) == 0
    widget = aw.AttentionWidget(
        weights_map(), view="overlay", heads=(0,), special="renormalise", aside=(2,),
        pinned_queries=(0,), mass=0.5, top_k=1,
    )  # fmt: skip
    rows = widget.selection()
    assert [row.key for row in rows] == [1, 3, 4, 5]
    left = WEIGHTS[0, 0, 0, [1, 3, 4, 5]]
    np.testing.assert_allclose([row.weight for row in rows], left / left.sum(), rtol=1e-6)
    widget.view = "lines"
    assert widget.selection() == []


def test_frames_of_overlays_hold_what_selections_hold() -> None:
    pytest.importorskip("pandas")
    widget = aw.AttentionWidget(
        weights_map(), view="overlay", heads=(0,), special="hide", aside=(2,), pinned_queries=(0, 3)
    )
    frame = widget.to_frame()
    assert [tuple(row) for row in frame.itertuples(index=False)] == widget.selection()
    assert {2} & {*frame["key"]} == set()


def request(**fields: Any) -> dict[str, Any]:
    state = {
        "kind": "edges", "layer": 0, "heads": [0, 1], "combine": "each", "direction": "attends_to",
        "mass": 1.0, "threshold": 0.0, "top_k": None, "special": "hide", "scale": "absolute",
        "words": False,
    }  # fmt: skip
    return {**state, **fields}


def answered(memory: Memory, **fields: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    steps = answer_edges(weights_map(), request(**fields), memory)
    try:
        while True:
            next(steps)
    except StopIteration as end:
        found: tuple[dict[str, Any], dict[str, Any]] = end.value
        return found


def test_edges_leave_out_what_is_set_aside() -> None:
    memory = Memory()
    for fields in ({}, {"blocks": [5, 6]}):
        plain, _ = answered(memory, **fields)
        for aside, keys in (([4], {1, 2, 3, 5}), ([], {1, 2, 3, 4, 5}), ([1, 2], {3, 4, 5})):
            told, arrays = answered(memory, aside=aside, **fields)
            assert {*np.frombuffer(arrays["key"]["data"], "<u4").tolist()} == keys
            assert told["special"] == pytest.approx(
                WEIGHTS[0][:, 1:, [0, *aside]].sum() / WEIGHTS[0][:, 1:].sum(), rel=1e-5
            )
            assert told["total"] == pytest.approx(plain["total"])
    with pytest.raises(ValueError, match="aside must be an int within 0 and 5; got 6"):
        answered(memory, aside=[6])


def test_matrices_leave_out_what_is_set_aside() -> None:
    from attn_widget.figure.matrix_scene import read_matrix
    from attn_widget.selection import MatrixState

    scene = read_matrix(weights_map(), MatrixState(heads=(0,), special="hide", aside=(4,)))
    assert not scene.cells[:, [0, 4]].any()
    assert (scene.cells[1:, [1, 2, 3, 5]] > 0).all()
