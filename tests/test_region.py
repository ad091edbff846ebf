"""Parts of a map, pooled into the cells of a matrix view."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays as drawn_arrays
from numpy.typing import NDArray

from asking import ask, refused, replied, rows_of
from attn_widget import Attention, Tokens
from attn_widget.answers import region as region_module
from attn_widget.codes import WORDS, decode, encode
from attn_widget.filters import merge_heads
from attn_widget.memory import Memory
from attn_widget.methods import merge_words
from attn_widget.overview import Overview
from attn_widget.scale import full_value
from brute import pooled, row_entropy
from counted import CountedArray

REGION: dict[str, Any] = {
    "kind": "region",
    "layer": 0,
    "heads": [0],
    "combine": "mean",
    "rows": [0, 12],
    "cols": [0, 10],
    "size": [4, 5],
    "words": False,
    "exact": True,
}


@pytest.fixture
def rough(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let everything be too much to be read at once."""
    monkeypatch.setattr(region_module, "CHEAP_CELLS", 0)
    monkeypatch.setattr(region_module, "SAMPLED_CELLS", 0)
    monkeypatch.setattr(region_module, "SAMPLED_ROWS", 3)


@st.composite
def cases(draw: st.DrawFn) -> tuple[Attention, dict[str, Any]]:
    kind = draw(st.sampled_from(["weight", "score", "difference", "relevance"]))
    shape = (2, draw(st.integers(1, 3)), draw(st.integers(1, 9)), draw(st.integers(1, 9)))
    numbers = st.one_of(
        st.floats(0 if kind == "weight" else -3, 3, width=32),
        st.sampled_from([float("nan"), float("-inf"), float("inf"), 0.0, 2.0**-27]),
    )
    weights = draw(drawn_arrays(np.float32, shape, elements=numbers))
    heads = draw(st.lists(st.integers(0, shape[1] - 1), min_size=1, unique=True))

    def part(length: int) -> list[int]:
        start = draw(st.integers(0, length - 1))
        return [start, draw(st.integers(start + 1, length))]

    request = {
        **REGION,
        "layer": draw(st.integers(0, 1)),
        "heads": heads,
        "combine": draw(st.sampled_from(["mean", "max"])),
        "rows": part(shape[2]),
        "cols": part(shape[3]),
        "size": [draw(st.integers(1, 12)), draw(st.integers(1, 12))],
    }
    return Attention(weights, kind=kind), request


@settings(deadline=None)
@given(cases())
def test_cells_are_those_of_the_slow_way(case: tuple[Attention, dict[str, Any]]) -> None:
    attention, request = case
    content, arrays = ask(attention, request)
    layer, (top, bottom), (left, right) = request["layer"], request["rows"], request["cols"]
    heads = [attention[layer, head, :, :] for head in request["heads"]]
    merged = heads[0] if len(heads) == 1 else merge_heads(heads, request["combine"])[0]
    part = merged[top:bottom, left:right]
    size = (min(request["size"][0], bottom - top), min(request["size"][1], right - left))
    strongest, means = (np.array(cells, np.float32) for cells in pooled(part, size))
    signed = attention.kind in ("score", "difference")
    seen = np.concatenate([attention[layer].ravel(), part.ravel()])
    full = full_value(seen, attention.kind)
    assert content["full"] == full
    assert (content["size"], content["exact"], content["signed"]) == ([*size], True, signed)
    np.testing.assert_array_equal(arrays["max"], encode(strongest, full, signed))
    assert ("mean" in arrays) == (size != part.shape)
    if "mean" in arrays:
        # Sums of another order may fall on the other side of the border between two codes.
        found = arrays["mean"].astype(int)
        near = np.abs(found - encode(means, full, signed).astype(int)) <= 1
        tiny = np.abs(means) < 1e-6
        assert (near | (tiny & (found <= WORDS.most))).all()
    whole_cols, whole_rows = bottom - top == merged.shape[0], right - left == merged.shape[1]
    assert ("totals" in arrays) == (whole_cols and not signed)
    assert ("entropy" in arrays) == (whole_rows and not signed)
    if "totals" in arrays:
        sums = np.where(np.isfinite(part), part, 0).sum(axis=0, dtype=np.float64)
        of = np.arange(right - left) * size[1] // (right - left)
        expected = [sums[of == bin_].mean() for bin_ in range(size[1])]
        np.testing.assert_allclose(arrays["totals"], expected, rtol=1e-5, atol=1e-6)
    if "entropy" in arrays:
        each = np.array([row_entropy(row) for row in part])
        of = np.arange(bottom - top) * size[0] // (bottom - top)
        for bin_, found_entropy in enumerate(arrays["entropy"]):
            known = each[of == bin_][np.isfinite(each[of == bin_])]
            expected_entropy = known.mean() if len(known) else np.nan
            assert found_entropy == pytest.approx(expected_entropy, nan_ok=True, abs=1e-4)


@settings(deadline=None)
@given(
    drawn_arrays(np.float64, (3, 4), elements=st.floats(-5, 5)),
    st.floats(0.5, 8),
    st.booleans(),
)
def test_codes_tell_about_the_weight(
    values: NDArray[np.float64], full: float, signed: bool
) -> None:
    values = values if signed else np.abs(values)
    back = decode(encode(values, full, signed), full, signed)
    shown = np.clip(values, -full, full)
    # Half a code of the square root.
    steps = WORDS.most // 2 if signed else WORDS.most
    share = np.sqrt(np.abs(shown) / full)
    assert (np.abs(back - shown) <= full * (share + 1 / steps) * 1.01 / steps + 1e-12).all()
    assert ((back == 0) == (values == 0)).all()


def test_long_readings_come_in_blocks_and_tell_how_far_they_are() -> None:
    array = CountedArray(rows_of(1, 1, 3000, 2048))
    request = {**REGION, "rows": [0, 3000], "cols": [0, 2048], "size": [64, 64]}
    reply, shares = replied(Attention(array), request)
    assert reply.content["ok"]
    assert len(shares) >= 4
    assert shares == sorted(set(shares))
    assert shares[-1] == 1
    assert max(key[-2].stop - key[-2].start for key in array.asked[: len(shares)]) <= 512


def test_vectors_once_known_come_with_every_part() -> None:
    weights = rows_of(1, 2, 12, 10)
    memory = Memory()
    attention = Attention(weights)
    part = {**REGION, "rows": [3, 9], "cols": [2, 8], "size": [6, 6]}
    assert set(ask(attention, part, memory)[1]) == {"max"}
    ask(attention, REGION, memory)
    found = ask(attention, {**part, "size": [3, 6]}, memory)[1]
    np.testing.assert_allclose(found["totals"], weights[0, 0].sum(axis=0)[2:8], rtol=1e-5)
    each = [row_entropy(row) for row in weights[0, 0, 3:9]]
    np.testing.assert_allclose(found["entropy"], np.reshape(each, (3, 2)).mean(axis=1), rtol=1e-5)
    other = ask(attention, {**part, "heads": [1]}, memory)[1]
    assert set(other) == {"max"}


def test_words_are_merged() -> None:
    tokens = Tokens([*"abcdefghij"], words=[0, 0, 1, 2, 2, 2, 3, 4, 4, 5])
    attention = Attention(rows_of(1, 2, 10, 10), tokens)
    request = {**REGION, "words": True, "rows": [1, 6], "cols": [0, 6], "size": [5, 6]}
    content, arrays = ask(attention, request)
    expected = merge_words(attention)[0, 0, 1:6, 0:6]
    np.testing.assert_array_equal(arrays["max"], encode(expected, content["full"], False))
    assert content["words"] is True
    with pytest.raises(ValueError, match="words must be False"):
        raise ValueError(refused(Attention(rows_of(12, 10)), {**REGION, "words": True}))


@pytest.mark.usefixtures("rough")
class TestRough:
    def test_answers_are_made_from_some_queries(self) -> None:
        array = CountedArray(rows_of(1, 1, 12, 10))
        memory = Memory()
        memory.full[0] = 1.0
        content, arrays = ask(Attention(array), {**REGION, "exact": False}, memory)
        assert (content["exact"], content["how"]) == (False, "from 3 of 12 queries")
        assert array.numbers_read == 3 * 10
        assert set(arrays) == {"max", "mean"}
        rows = np.asarray(array[...][0, 0])[[1, 5, 9]]
        strongest, _ = pooled(rows, (3, 5))
        found = decode(arrays["max"], content["full"], False)
        np.testing.assert_allclose(found[[0, 2, 3]], strongest, atol=1e-4)

    def test_answers_are_exact_where_few_queries_are_asked(self) -> None:
        request = {**REGION, "exact": False, "rows": [4, 7]}
        content, _ = ask(Attention(rows_of(1, 1, 12, 10)), request)
        assert (content["exact"], content["how"]) == (True, "")

    def test_answers_of_the_source_come_first(self) -> None:
        source = Overlooked(rows_of(12, 10))
        content, arrays = ask(Attention(source), {**REGION, "exact": False})
        assert (content["exact"], content["how"]) == (False, "a guess")
        assert source.read_cells <= 12 * 10
        found = decode(arrays["mean"], content["full"], False)
        np.testing.assert_allclose(found, 0.25, atol=1e-4)


class Overlooked:
    """A source that reduces by itself."""

    def __init__(self, weights: NDArray[Any]) -> None:
        self._weights = weights
        self.shape = (1, 1, *weights.shape)
        self.dtype = weights.dtype
        self.read_cells = 0

    def read(self, layer: int, head: slice, query: slice, key: slice) -> NDArray[np.float32]:
        found = self._weights[query, key][None]
        self.read_cells += found.size
        return np.asarray(found, np.float32)

    def overview(
        self, layer: int, head: int, rows: int, cols: int
    ) -> Generator[float, None, Overview]:
        yield 0.5
        half = np.full((rows, cols), 0.5, np.float32)
        return Overview(half, half, np.arange(self.shape[3]) * 1.0, None)

    def preview(
        self, layer: int, head: int, query: slice, key: slice, rows: int, cols: int
    ) -> tuple[NDArray[np.float32], str]:
        return np.full((rows, cols), 0.25, np.float32), "a guess"


def test_overviews_of_the_source_are_used() -> None:
    source = Overlooked(rows_of(12, 10))
    content, arrays = ask(Attention(source), REGION)
    assert content["exact"] is True
    assert set(arrays) == {"max", "mean", "totals"}
    np.testing.assert_allclose(decode(arrays["max"], content["full"], False), 0.5, atol=1e-4)
    np.testing.assert_allclose(arrays["totals"], np.arange(10).reshape(5, 2).mean(axis=1))
    # Parts are read as they are.
    part = {**REGION, "rows": [0, 6]}
    assert decode(ask(Attention(source), part)[1]["max"], 1.0, False).max() < 0.5


def test_a_slow_source_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(10**6))
    monkeypatch.setattr(region_module, "perf_counter", lambda: float(next(clock)))
    array = CountedArray(rows_of(1, 1, 3000, 2048))
    request = {**REGION, "rows": [0, 3000], "cols": [0, 2048], "exact": False}
    content, _ = ask(Attention(array), request)
    assert content["exact"] is False
    # A single block is never given up.
    assert ask(Attention(rows_of(1, 1, 12, 10)), {**REGION, "exact": False})[0]["exact"] is True


def test_full_value_grows_with_what_is_seen_of_large_layers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(region_module, "FULL_VALUE_BYTES", 0)
    scores = np.zeros((1, 1, 12, 10), np.float32)
    scores[..., 5, 5], scores[..., 11, 9] = 3, -7
    attention, memory = Attention(scores, kind="score"), Memory()

    def full(rows: list[int]) -> Any:
        return ask(attention, {**REGION, "rows": rows}, memory)[0]["full"]

    assert [full([0, 3]), full([4, 7]), full([8, 12]), full([0, 4])] == [1, 3, 7, 7]


@pytest.mark.parametrize(
    ("shape", "size"),
    [((1, 1, 2000, 2000), [2000, 2000]), ((1, 2, 3, 300_000), [3, 300_000])],
)
def test_messages_stay_small(shape: tuple[int, ...], size: list[int]) -> None:
    attention = Attention(np.broadcast_to(np.float32(0.5), shape))
    request = {**REGION, "rows": [0, shape[2]], "cols": [0, shape[3]], "size": size}
    content, arrays = ask(attention, request)
    assert arrays["max"].shape == tuple(content["size"])
    assert arrays["max"].size > 500_000


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"layer": 1}, "layer must be an int within 0 and 0; got 1"),
        ({"heads": [2]}, "heads must be an int within 0 and 1; got 2"),
        ({"heads": []}, "heads must hold at least one head; got none"),
        ({"combine": "each"}, "combine must be 'mean' or 'max'; got 'each'"),
        ({"rows": [0, 13]}, r"rows must be \[start, stop\] with 0 <= start < stop <= 12; got"),
        ({"rows": [3, 3]}, r"rows must be \[start, stop\]"),
        ({"cols": [-1, 3]}, r"cols must be \[start, stop\] with 0 <= start < stop <= 10; got"),
        ({"cols": None}, r"cols must be \[start, stop\]"),
        ({"cols": [0.5, 3]}, r"cols must be \[start, stop\]"),
        ({"size": [0, 3]}, r"size must be \[rows, cols\], ints of at least 1; got \[0, 3\]"),
        ({"size": 5}, r"size must be \[rows, cols\], ints of at least 1; got 5"),
    ],
)
def test_bad_requests_are_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        raise ValueError(refused(Attention(rows_of(1, 2, 12, 10)), {**REGION, **change}))


@pytest.mark.parametrize("name", ["heads", "rows", "cols", "size"])
def test_what_lacks_is_named(name: str) -> None:
    request = {key: value for key, value in REGION.items() if key != name}
    error = refused(Attention(rows_of(1, 1, 12, 10)), request)
    assert error.startswith(f"a request for region must have {name}; got v, id, kind")
