"""Every head as a small picture, and some numbers on each."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays as drawn_arrays

from asking import ask, refused, replied, rows_of
from attn_widget import Attention, evidence, samples
from attn_widget.answers import thumbnails as thumbnails_module
from attn_widget.answers.statistics import STATISTICS
from attn_widget.codes import BYTES, decode, encode
from brute import pooled
from counted import CountedArray

THUMBNAILS: dict[str, Any] = {"kind": "thumbnails", "layers": [0, 2], "size": [48, 48]}


@settings(deadline=None)
@given(
    drawn_arrays(
        np.float32,
        st.tuples(st.just(2), st.integers(1, 3), st.integers(1, 8), st.integers(1, 8)),
        elements=st.one_of(
            st.floats(-2, 2, width=32), st.sampled_from([float("nan"), float("-inf"), 0.0])
        ),
    ),
    st.sampled_from(["weight", "score"]),
    st.tuples(st.integers(1, 9), st.integers(1, 9)),
)
def test_cells_and_numbers_are_those_of_the_slow_way(
    weights: Any, kind: str, asked: tuple[int, int]
) -> None:
    request = {**THUMBNAILS, "size": [*asked]}
    content, arrays = ask(Attention(weights, kind=kind), request)
    _, heads, queries, keys = weights.shape
    size = (min(asked[0], queries), min(asked[1], keys))
    signed = kind == "score"
    assert (content["size"], content["exact"], content["signed"]) == ([*size], True, signed)
    assert arrays["max"].shape == (2, heads, *size)
    for layer in range(2):
        for head in range(heads):
            part = weights[layer, head]
            strongest = np.array(pooled(part, size)[0], np.float32)
            full = np.abs(part[np.isfinite(part)]).max(initial=0) or 1
            assert arrays["full"][layer, head] == np.float32(full)
            expected = encode(strongest, float(np.float32(full)), signed, BYTES)
            np.testing.assert_array_equal(arrays["max"][layer, head], expected)
            relative = evidence.relative_entropy(part)
            known = relative[np.isfinite(relative)]
            numbers = [
                known.mean() if len(known) else np.nan,
                evidence.confidence(part),
                evidence.sink_score(part).max(),
                evidence.mean_distance(part) / keys,
                evidence.previous_token(part),
                evidence.next_token(part),
            ]
            np.testing.assert_allclose(
                arrays["statistics"][layer, head, :6], numbers, rtol=1e-5, atol=1e-6
            )
    assert np.isnan(arrays["statistics"][..., 6:]).all()


@pytest.mark.parametrize(
    ("name", "known_of"),
    [
        ("sentence", {"induction", "special"}),
        ("paragraph", {"induction", "special"}),
        ("captioning", {"image"}),
        ("recognition", {"special", "image"}),
    ],
)
def test_shares_by_what_positions_are_agree_with_the_evidence(
    name: str, known_of: set[str]
) -> None:
    attention = getattr(samples, name)()
    layers = [0, attention.shape[0]]
    _, arrays = ask(attention, {**THUMBNAILS, "layers": layers, "size": [3, 3]})
    found = dict(zip(STATISTICS, np.moveaxis(arrays["statistics"], -1, 0), strict=True))
    record = evidence.describe(attention)
    for statistic, expected in (
        ("induction", record.induction),
        ("special", record.special_share),
        ("image", record.image_share),
    ):
        known = np.isfinite(found[statistic])
        assert known.all() or not known.any()
        np.testing.assert_allclose(found[statistic][known], expected[known], rtol=1e-4, atol=1e-6)
    assert {one for one in STATISTICS[6:] if np.isfinite(found[one]).all()} == known_of


def test_numbers_tell_patterns_apart() -> None:
    length = 40
    previous = np.eye(length, k=-1)
    previous[0, 0] = 1
    sink = np.zeros((length, length))
    sink[:, 0] = 1
    even = np.full((length, length), 1 / length)
    values = np.stack([previous, sink, even, np.eye(length)])[None].astype(np.float32)
    _, arrays = ask(Attention(values), {**THUMBNAILS, "layers": [0, 1]})
    table = dict(zip(STATISTICS, arrays["statistics"][0].T, strict=True))
    assert table["previous"].argmax() == 0
    assert table["sink"].argmax() == 1
    assert table["entropy"].argmax() == 2
    assert table["confidence"].tolist() == pytest.approx([1, 1, 1 / length, 1])
    assert table["distance"].argmin() == 3
    assert table["next"].max() < 0.05


def test_of_large_maps_come_from_some_queries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(thumbnails_module, "CHEAP_CELLS", 1000)
    array = CountedArray(rows_of(2, 3, 400, 50))
    content, arrays = ask(Attention(array), {**THUMBNAILS, "size": [40, 40]})
    assert content["exact"] is False
    assert array.numbers_read == 2 * 3 * 16 * 50
    read = np.asarray(array[0, 1])[12::25]
    full = float(arrays["full"][0, 1])
    assert full == read.max()
    found = decode(arrays["max"][0, 1], full, False, BYTES)
    assert found.max() == pytest.approx(full)
    assert (found > 0).all()
    assert arrays["statistics"][0, 1, 1] == pytest.approx(read.max(axis=1).mean())


@pytest.mark.parametrize(
    "shape", [(48, 48, 64, 64), (48, 48, 2048, 2048), (2, 2, 131_072, 131_072), (60, 60, 50, 50)]
)
def test_messages_stay_small(shape: tuple[int, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    # The numbers take their time, and are tested above.
    monkeypatch.setattr(thumbnails_module, "describe_heads", lambda *_: np.zeros((1, 9)))
    attention = Attention(np.broadcast_to(np.float32(0.5), shape))
    content, arrays = ask(attention, {**THUMBNAILS, "layers": [0, shape[0]]})
    assert arrays["max"].shape == (*shape[:2], *content["size"])
    assert min(content["size"]) >= 30


def test_progress_rises_head_by_head() -> None:
    _, shares = replied(Attention(rows_of(2, 4, 600, 600)), THUMBNAILS)
    assert len(shares) >= 4
    assert shares == sorted(set(shares))
    assert shares[-1] == 1


@pytest.mark.parametrize("shape", [(2, 0, 3, 3), (2, 2, 0, 3), (2, 2, 3, 0)])
def test_of_empty_maps_are_empty(shape: tuple[int, ...]) -> None:
    content, arrays = ask(Attention(np.zeros(shape, np.float32)), THUMBNAILS)
    assert arrays["max"].size == 0
    assert content["size"] == [0, 0]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"layers": [0, 3]}, r"layers must be \[start, stop\] with 0 <= start < stop <= 2; got"),
        ({"layers": 0}, r"layers must be \[start, stop\]"),
        ({"size": [0, 0]}, r"size must be \[rows, cols\], ints of at least 1"),
        ({"size": None}, r"size must be \[rows, cols\], ints of at least 1"),
    ],
)
def test_bad_requests_are_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        raise ValueError(refused(Attention(rows_of(2, 2, 3, 3)), {**THUMBNAILS, **change}))
