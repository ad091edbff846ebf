"""Lines of some positions only, and lines between blocks of positions."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays as drawn_arrays
from numpy.typing import NDArray

from asking import ask, refused, rows_of
from attn_widget import Attention, Tokens
from attn_widget.answers import edges as edges_module
from attn_widget.filters import Filter, apply_special, merge_heads, select_edges
from attn_widget.memory import Memory
from attn_widget.pooling import bin_runs
from attn_widget.scale import SCALES
from counted import CountedArray

EDGES: dict[str, Any] = {
    "kind": "edges",
    "layer": 0,
    "heads": [0, 1],
    "combine": "each",
    "direction": "attends_to",
    "mass": 1.0,
    "threshold": 0.0,
    "top_k": None,
    "special": "show",
    "scale": "sqrt",
    "words": False,
}
NUMBERS = st.one_of(
    st.sampled_from([0.0, 0.25, 0.25, 0.5, float("nan")]), st.floats(-2, 2, width=32)
)


@st.composite
def cases(draw: st.DrawFn) -> tuple[Attention, dict[str, Any]]:
    shape = (1, 2, draw(st.integers(1, 7)), draw(st.integers(1, 7)))
    weights = draw(drawn_arrays(np.float32, shape, elements=NUMBERS))

    def special(length: int) -> Tokens:
        marked = draw(st.sets(st.integers(0, length - 1), max_size=2))
        return Tokens([f"t{index}" for index in range(length)], special=sorted(marked))

    request = {
        **EDGES,
        "combine": draw(st.sampled_from(["each", "mean", "max"])),
        "direction": draw(st.sampled_from(["attends_to", "attended_by"])),
        "mass": draw(st.sampled_from([1.0, 0.6])),
        "threshold": draw(st.sampled_from([0.0, 0.3])),
        "top_k": draw(st.sampled_from([None, 2])),
        "special": draw(st.sampled_from(["show", "hide", "renormalise"])),
        "scale": draw(st.sampled_from(SCALES)),
    }
    return Attention(weights, special(shape[2]), special(shape[3])), request


def lines_of(arrays: dict[str, NDArray[Any]]) -> dict[tuple[int, int, int], tuple[float, float]]:
    columns = [arrays[name].tolist() for name in ("head", "query", "key", "weight", "strength")]
    return {(h, q, k): (w, s) for h, q, k, w, s in zip(*columns, strict=True)}


@settings(deadline=None, max_examples=300)
@given(cases(), st.sampled_from(["query", "key"]), st.data())
def test_in_focus_are_those_of_all(
    case: tuple[Attention, dict[str, Any]], side: str, data: st.DataObject
) -> None:
    attention, request = case
    length = attention.shape[2 if side == "query" else 3]
    chosen = data.draw(st.sets(st.integers(0, length - 1), max_size=3))
    focus = {"side": side, "positions": sorted(chosen)}
    content, arrays = ask(attention, {**request, "focus": focus})
    every, all_arrays = ask(attention, request)
    at = 1 if side == "query" else 2
    expected = {p: line for p, line in lines_of(all_arrays).items() if p[at] in chosen}
    found = lines_of(arrays)
    assert list(found) == sorted(expected)
    for place, line in found.items():
        assert line == pytest.approx(expected[place], rel=1e-6, abs=1e-7)
    if len(chosen) == length:
        for name in ("total", "kept", "special", "missing"):
            assert content[name] == pytest.approx(every[name])
    parts = [
        ask(attention, {**request, "focus": {"side": side, "positions": [one]}})[0]
        for one in range(length)
    ]
    for name in ("total", "kept", "missing"):
        assert sum(part[name] for part in parts) == pytest.approx(every[name], abs=1e-6)


@pytest.mark.parametrize(
    ("side", "change", "read"),
    [
        ("query", {"mass": 0.5, "scale": "row", "special": "renormalise"}, 2 * 3 * 40),
        ("key", {"mass": 0.5, "direction": "attended_by"}, 2 * 3 * 50),
        ("key", {"threshold": 0.01}, 2 * 3 * 50),
        ("key", {"mass": 0.5}, 2 * 50 * 40),
        ("query", {"top_k": 1, "direction": "attended_by"}, 2 * 50 * 40),
    ],
)
def test_in_focus_read_no_more_than_they_need(
    side: str, change: dict[str, Any], read: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(edges_module, "layer_full_value", lambda *_: 1.0)
    array = CountedArray(rows_of(1, 2, 50, 40))
    request = {**EDGES, **change, "focus": {"side": side, "positions": [2, 20, 38]}}
    ask(Attention(array), request)
    assert array.numbers_read == read


def test_in_focus_of_layers_too_large_to_filter_are_answered() -> None:
    large = Attention(np.broadcast_to(np.float32(1e-4), (1, 2, 8192, 8192)))
    assert "at most 33554432 weights" in refused(large, EDGES)
    focus = {"side": "query", "positions": [5, 7000]}
    content, arrays = ask(large, {**EDGES, "focus": focus, "limit": 1000})
    assert set(arrays["query"].tolist()) <= {5, 7000}
    assert content["total"] == pytest.approx(4 * 8192 * 1e-4, rel=1e-4)


def test_fog_of_many_heads_fits_into_a_message() -> None:
    heads = 140
    weights = np.broadcast_to(np.float32(1 / 300), (1, heads, 300, 300))
    content, arrays = ask(Attention(weights), {**EDGES, "heads": [*range(heads)]})
    assert content["fog_heads"] == [*range(heads)]
    left = heads * 300 * 300 - 20_000
    for name in ("fog", "fog_query", "fog_key"):
        assert arrays[name].dtype == np.float16
        total = arrays[name].sum(dtype=np.float64)
        assert total == pytest.approx(left / math.sqrt(300), rel=1e-3)


def blocked(weights: NDArray[Any], size: tuple[int, int]) -> NDArray[np.float64]:
    """Sum over the keys of a block, average over its queries, one block at a time."""
    queries, keys = weights.shape
    runs = bin_runs(queries, size[0]), bin_runs(keys, size[1])
    finite = np.where(np.isfinite(weights), weights, 0).astype(np.float64)
    return np.array(
        [
            [finite[q.start : q.stop, k.start : k.stop].sum() / len(q) for k in runs[1]]
            for q in runs[0]
        ]
    )


@settings(deadline=None)
@given(cases(), st.tuples(st.integers(1, 8), st.integers(1, 8)))
def test_between_blocks_are_sums_of_keys_and_means_of_queries(
    case: tuple[Attention, dict[str, Any]], asked: tuple[int, int]
) -> None:
    attention, request = case
    queries, keys = attention.shape[2:]
    size = (min(asked[0], queries), min(asked[1], keys))
    content, arrays = ask(attention, {**request, "blocks": [*asked]})
    assert (content["size"], content["exact"]) == ([*size], True)
    heads = [attention[0, head, :, :] for head in (0, 1)]
    if request["combine"] != "each":
        heads = [merge_heads(heads, request["combine"])[0]]
    filters = Filter(**{name: request[name] for name in vars(Filter())})
    expected: dict[tuple[int, int, int], tuple[float, float]] = {}
    total = kept = 0.0
    lengths = np.array([len(run) for run in bin_runs(queries, size[0])])
    full = max(1.0, float(np.nan_to_num(np.abs(attention[0])).max()))
    for number, head in enumerate(heads):
        special = attention.queries.special, attention.keys.special
        drawn, original = apply_special(head[None], request["special"], *special)
        part = blocked(drawn[0], size).astype(np.float32)[None]
        edges = select_edges(part, [number], replace(filters, special="show"), full=full)
        mass = np.abs(blocked(original[0], size)) * lengths[:, None]
        total += mass.sum()
        kept += mass[edges.query, edges.key].sum()
        for q, k, w, s in zip(edges.query, edges.key, edges.weight, edges.strength, strict=True):
            expected[number, int(q), int(k)] = (float(w), float(s))
    found = lines_of(arrays)
    if request["combine"] != "each":
        found = {(0, q, k): line for (_, q, k), line in found.items()}
    exact_ties = request["mass"] < 1 or request["top_k"] or request["threshold"]
    if not exact_ties:
        assert content["kept"] == pytest.approx(kept, abs=1e-4)
        strong = {place for place, line in expected.items() if abs(line[0]) > 1e-6}
        assert strong <= set(found)
        for place in strong:
            assert found[place] == pytest.approx(expected[place], rel=1e-4, abs=1e-6)
    assert content["total"] == pytest.approx(total, abs=1e-4)


def test_between_blocks_no_weight_is_lost() -> None:
    weights = rows_of(1, 2, 300, 200)
    content, arrays = ask(Attention(weights), {**EDGES, "blocks": [30, 20]})
    assert content["total"] == pytest.approx(600, rel=1e-5)
    assert content["kept"] == pytest.approx(600, rel=1e-5)
    for head in (0, 1):
        found = np.zeros((30, 20))
        mine = arrays["head"] == head
        found[arrays["query"][mine], arrays["key"][mine]] = arrays["weight"][mine]
        np.testing.assert_allclose(found, blocked(weights[0, head], (30, 20)), rtol=1e-5)


def test_between_blocks_of_large_layers_come_from_some_queries(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(edges_module, "BLOCKED_CELLS", 0)
    monkeypatch.setattr(edges_module, "layer_full_value", lambda *_: 1.0)
    weights = rows_of(1, 1, 300, 200)
    array = CountedArray(weights)
    content, arrays = ask(Attention(array), {**EDGES, "heads": [0], "blocks": [30, 20]})
    assert (content["exact"], content["how"]) == (False, "from 30 of 300 queries")
    assert array.numbers_read == 30 * 200
    assert content["total"] == pytest.approx(300, rel=1e-5)
    read = weights[0, 0, 4::10].reshape(30, 20, 10).sum(axis=2)
    found = np.zeros((30, 20))
    found[arrays["query"], arrays["key"]] = arrays["weight"]
    np.testing.assert_allclose(found, read, rtol=1e-5)


@pytest.mark.parametrize("combine", ["each", "mean"])
def test_between_blocks_are_pooled_once(combine: str) -> None:
    weights = rows_of(1, 2, 300, 200)
    array = CountedArray(weights)
    attention = Attention(
        array, Tokens([str(i) for i in range(300)]), Tokens([*"ab" * 100], special=[3])
    )
    memory = Memory()
    request = {**EDGES, "combine": combine, "blocks": [30, 20]}
    ask(attention, request, memory)
    read = array.numbers_read
    # The weights, and before them their largest.
    assert read == 2 * 2 * 300 * 200
    changes: list[dict[str, Any]] = [
        {"focus": {"side": "query", "positions": [3]}},
        {"focus": {"side": "key", "positions": [0, 19]}},
        {"mass": 0.5, "focus": {"side": "key", "positions": [7]}},
        {"scale": "row", "top_k": 2, "direction": "attended_by"},
    ]
    for change in changes:
        content, arrays = ask(attention, {**request, **change}, memory)
        expected, expected_arrays = ask(
            Attention(weights, attention.queries, attention.keys), {**request, **change}
        )
        assert content == expected
        for name, values in expected_arrays.items():
            np.testing.assert_array_equal(arrays[name], values)
    assert array.numbers_read == read
    if combine == "each":
        ask(attention, {**request, "heads": [1], "threshold": 0.01}, memory)
        assert array.numbers_read == read
    changes = [{"special": "hide"}, {"special": "renormalise"}, {"blocks": [30, 10]}]
    for change in changes:
        ask(attention, {**request, **change}, memory)
        read += 2 * 300 * 200
        assert array.numbers_read == read


def test_full_strength_is_read_once_and_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(0).normal(size=(1, 2, 30, 40)).astype(np.float32)
    array = CountedArray(values)
    attention, memory = Attention(array, kind="score"), Memory()
    focus = {"side": "query", "positions": [3]}
    ask(attention, {**EDGES, "focus": focus}, memory)
    assert memory.full == {0: float(np.abs(values).max())}
    read = array.numbers_read
    ask(attention, {**EDGES, "focus": {**focus, "positions": [4]}}, memory)
    assert array.numbers_read == read + 2 * 40

    # Of layers too large, another view may see more, which must not change lines.
    monkeypatch.setattr(edges_module, "FULL_VALUE_BYTES", 0)
    _, before = ask(attention, {**EDGES, "focus": focus}, memory)
    memory.full[0] = 100.0
    _, after = ask(attention, {**EDGES, "focus": focus, "limit": 1000}, memory)
    np.testing.assert_array_equal(after["strength"], before["strength"])


def test_between_blocks_special_and_missing_are_told() -> None:
    weights = np.full((1, 1, 6, 6), 1 / 6, np.float32)
    weights[0, 0, 2, 2] = np.nan
    attention = Attention(weights, Tokens([*"abcdef"], special=[0]))
    for special, shown in (("show", 1.0), ("hide", 0.8), ("renormalise", 0.8)):
        request = {**EDGES, "heads": [0], "blocks": [3, 3], "special": special}
        content, _ = ask(attention, request)
        assert content["missing"] == 1
        assert 0.1 < content["special"] < 0.2
        assert content["kept"] / content["total"] == pytest.approx(shown, abs=0.21)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"focus": {"side": "both", "positions": []}}, "focus must have a side, 'query' or 'key'"),
        ({"focus": [1]}, "focus must have a side, 'query' or 'key', and positions; got"),
        ({"focus": {"side": "key", "positions": [6]}}, "focus must be an int within 0 and 5; got"),
        (
            {"blocks": [2, 2], "focus": {"side": "key", "positions": [2]}},
            "focus must be an int within 0 and 1; got 2",
        ),
        ({"blocks": [0, 2]}, r"blocks must be \[rows, cols\], ints of at least 1; got"),
        ({"blocks": 4}, r"blocks must be \[rows, cols\], ints of at least 1; got 4"),
    ],
)
def test_bad_requests_are_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        raise ValueError(refused(Attention(rows_of(1, 2, 5, 6)), {**EDGES, **change}))


def test_scores_have_no_blocks() -> None:
    attention = Attention(rows_of(1, 2, 5, 6), kind="score")
    assert "can't be summed" in refused(attention, {**EDGES, "blocks": [2, 2]})
