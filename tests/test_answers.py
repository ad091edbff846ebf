"""What the page asks for, and what it gets."""

from __future__ import annotations

import json
import logging
from typing import Any

import numpy as np
import pytest

from attn_widget import Attention, Tokens, protocol
from attn_widget.answers import hovered_at, reply
from attn_widget.codec import Packed, unpack
from attn_widget.filters import COMBINED, Filter
from attn_widget.methods import merge_words
from attn_widget.slices import layer_edges
from counted import CountedArray

EDGES: dict[str, Any] = {
    "v": protocol.VERSION,
    "id": "a-1",
    "kind": "edges",
    "layer": 1,
    "heads": [0, 2],
    "combine": "each",
    "direction": "attends_to",
    "mass": 0.8,
    "threshold": 0.01,
    "top_k": 3,
    "special": "show",
    "scale": "sqrt",
    "words": False,
    "shape": [5, 6],
    "limit": 20_000,
}
ROWS: dict[str, Any] = {
    "v": protocol.VERSION,
    "id": "a-2",
    "kind": "rows",
    "layer": 1,
    "side": "query",
    "start": 1,
    "stop": 4,
}


def attention(dtype: str = "f4", **options: Any) -> Attention:
    values = np.random.default_rng(5).random((2, 3, 5, 6)).astype(dtype)
    return Attention(values, **options)


def ask(
    asked: Attention, request: dict[str, Any]
) -> tuple[dict[str, Any], dict[str, np.ndarray[Any, Any]]]:
    content, buffers = reply(asked, request, 7)
    # The page gets JSON.
    content = json.loads(json.dumps(content, allow_nan=False))
    assert content["ok"] is True, content.get("error")
    assert (content["v"], content["id"], content["revision"]) == (
        protocol.VERSION,
        request["id"],
        7,
    )
    arrays = {}
    for (name, described), data in zip(content["arrays"].items(), buffers, strict=True):
        packed = Packed(dtype=described["dtype"], shape=described["shape"], data=data)
        arrays[name] = unpack(packed)
    return content, arrays


def refused(asked: Attention, request: dict[str, Any]) -> str:
    content, buffers = reply(asked, request, 7)
    assert content["ok"] is False
    assert content["id"] == request.get("id")
    assert buffers == []
    return str(json.loads(json.dumps(content))["error"])


class TestRows:
    @pytest.mark.parametrize("dtype", ["f2", "f4", "f8"])
    @pytest.mark.parametrize("side", ["query", "key"])
    def test_are_exact(self, side: str, dtype: str) -> None:
        asked = attention(dtype)
        content, arrays = ask(asked, {**ROWS, "side": side})
        part = asked[1, :, 1:4, :] if side == "query" else asked[1, :, :, 1:4]
        np.testing.assert_array_equal(arrays["weights"], part)
        assert arrays["weights"].dtype == (np.float16 if dtype == "f2" else np.float32)
        assert [content[name] for name in ("layer", "side", "start", "stop")] == [1, side, 1, 4]

    def test_read_nothing_else(self) -> None:
        array = CountedArray(np.zeros((2, 3, 5, 6), np.float32))
        ask(Attention(array), ROWS)
        assert array.numbers_read == 3 * 3 * 6

    @pytest.mark.parametrize(("start", "stop"), [(2, 2), (4, 1), (5, 5)])
    def test_none_are_none(self, start: int, stop: int) -> None:
        _, arrays = ask(attention(), {**ROWS, "start": start, "stop": stop})
        assert arrays["weights"].size == 0

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"layer": 2}, "layer must be an int within 0 and 1; got 2"),
            ({"layer": -1}, "layer must be an int within 0 and 1; got -1"),
            ({"layer": True}, "layer must be an int within 0 and 1; got True"),
            ({"layer": 0.5}, "layer must be an int within 0 and 1; got 0.5"),
            ({"layer": None}, "layer must be an int within 0 and 1; got None"),
            ({"side": "both"}, "side must be 'query' or 'key'; got 'both'"),
            ({"side": ["query"]}, r"side must be 'query' or 'key'; got \['query'\]"),
            ({"start": -1}, "start must be an int within 0 and 5; got -1"),
            ({"stop": 6}, "stop must be an int within 0 and 5; got 6"),
            ({"stop": "4"}, "stop must be an int within 0 and 5; got '4'"),
        ],
    )
    def test_bad_requests_are_refused(self, change: dict[str, Any], message: str) -> None:
        with pytest.raises(ValueError, match=message):
            raise ValueError(refused(attention(), {**ROWS, **change}))

    def test_too_large_is_refused_before_it_is_read(self) -> None:
        array = CountedArray(np.broadcast_to(np.float32(0), (1, 32, 40_000, 40_000)))
        error = refused(Attention(array), {**ROWS, "layer": 0, "start": 0, "stop": 1})
        assert error == (
            "rows must fit into 4000000 bytes; got 1 of 32 heads, 5120000 bytes "
            "(show fewer heads: attention.select(heads=...))"
        )
        assert array.asked == []


class TestEdges:
    def test_are_those_of_the_layer(self) -> None:
        asked = attention()
        filters = Filter(mass=0.8, threshold=0.01, top_k=3, scale="sqrt")
        expected = layer_edges(asked, 1, [0, 2], filters)
        content, arrays = ask(asked, EDGES)
        for name in ("query", "key", "head", "weight", "strength"):
            np.testing.assert_array_equal(arrays[name], getattr(expected, name))
        assert content["total"] == pytest.approx(expected.total)
        assert content["kept"] == pytest.approx(expected.kept)
        assert content["missing"] == 0
        assert content["fog_heads"] == []

    def test_beyond_the_limit_are_pooled(self) -> None:
        asked = attention()
        content, arrays = ask(asked, {**EDGES, "mass": 1, "top_k": None, "limit": 10})
        whole = layer_edges(asked, 1, [0, 2], Filter(threshold=0.01, scale="sqrt"))
        assert len(arrays["weight"]) == 10
        assert content["fog_heads"] == [0, 2]
        assert arrays["fog"].shape == (2, 5, 6)
        total = arrays["fog"].sum(dtype=np.float64) + arrays["strength"].sum(dtype=np.float64)
        assert total == pytest.approx(whole.strength.sum(dtype=np.float64), rel=1e-3)

    def test_full_strength_is_that_of_the_layer(self) -> None:
        values = np.full((1, 2, 2, 2), 0.5, np.float32)
        values[0, 1, 0, 0] = 4
        asked = Attention(values)
        request = {**EDGES, "layer": 0, "heads": [0], "scale": "absolute", "top_k": None, "mass": 1}
        _, arrays = ask(asked, request)
        assert set(arrays["strength"].tolist()) == {0.125}

    def test_merged_heads_stand_under_one_number(self) -> None:
        _, arrays = ask(attention(), {**EDGES, "combine": "max"})
        assert set(arrays["head"].tolist()) == {COMBINED}

    def test_words_are_merged(self) -> None:
        asked = attention(
            queries=Tokens([*"abcde"], words=[0, 0, 1, 2, 2]),
            keys=Tokens([*"uvwxyz"], words=[0, 1, 1, 1, 2, 2]),
        )
        filters = Filter(mass=0.8, threshold=0.01, top_k=3, scale="sqrt")
        expected = layer_edges(merge_words(asked), 1, [0, 2], filters)
        # The lengths of the merged axes are the kernel's to know, whatever the page says.
        _, arrays = ask(asked, {**EDGES, "words": True, "shape": [1, 1], "limit": 2})
        order = np.argsort(-expected.strength, kind="stable")[:2]
        np.testing.assert_array_equal(arrays["query"], expected.query[np.sort(order)])
        assert arrays["fog"].shape == (2, 3, 3)

    def test_special_share_is_told(self) -> None:
        asked = Attention(np.full((2, 3, 4, 4), 0.25, np.float32), Tokens([*"abcd"], special=[3]))
        for special in ("show", "hide", "renormalise"):
            content, _ = ask(asked, {**EDGES, "special": special})
            assert content["special"] == pytest.approx(0.25)

    def test_missing_and_infinite_travel(self) -> None:
        values = np.full((2, 3, 2, 2), 0.25, np.float32)
        values[1, 0, 0, 0] = np.nan
        values[1, 2, 1, 1] = np.inf
        content, arrays = ask(Attention(values), EDGES)
        assert content["missing"] == 1
        assert np.isinf(arrays["weight"]).sum() == 1
        assert arrays["strength"].max() == 1

    def test_no_heads_are_no_edges(self) -> None:
        content, arrays = ask(attention(), {**EDGES, "heads": []})
        assert content["total"] == 0
        assert len(arrays["query"]) == 0

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"heads": [3]}, "heads must be an int within 0 and 2; got 3"),
            ({"heads": [-1]}, "heads must be an int within 0 and 2; got -1"),
            ({"heads": ["0"]}, "heads must be an int within 0 and 2; got '0'"),
            ({"heads": None}, "TypeError"),
            ({"combine": "median"}, "combine must be one of each, mean, max; got 'median'"),
            ({"direction": None}, "direction must be one of attends_to, attended_by; got None"),
            ({"special": "drop"}, "special must be one of show, hide, renormalise; got 'drop'"),
            ({"scale": "linear"}, "scale must be one of absolute"),
            ({"mass": 2}, "mass must lie within 0 and 1; got 2.0"),
            ({"mass": None}, "TypeError"),
            ({"threshold": -1}, "threshold must be at least 0; got -1.0"),
            ({"top_k": 0}, "top_k must be at least 1, or None; got 0"),
            ({"top_k": 1.5}, "top_k must be an int"),
            ({"limit": -1}, "limit must be an int within 0 and 20000; got -1"),
            ({"limit": 20_001}, "limit must be an int within 0 and 20000; got 20001"),
            (
                {"words": True},
                "words must be False for scores and for maps without words",
            ),
            ({"layer": 2}, "layer must be an int within 0 and 1; got 2"),
        ],
    )
    def test_bad_requests_are_refused(self, change: dict[str, Any], message: str) -> None:
        with pytest.raises(ValueError, match=message):
            raise ValueError(refused(attention(), {**EDGES, **change}))

    @pytest.mark.parametrize(
        "name", ["heads", "combine", "direction", "mass", "threshold", "special", "scale"]
    )
    def test_what_lacks_is_named(self, name: str) -> None:
        request = {key: value for key, value in EDGES.items() if key != name}
        assert f"must have {name}; got v, id, kind" in refused(attention(), request)

    def test_too_large_is_refused_before_it_is_read(self) -> None:
        array = CountedArray(np.broadcast_to(np.float32(0), (1, 64, 2048, 2048)))
        request = {**EDGES, "layer": 0, "heads": list(range(64))}
        assert refused(Attention(array), request).startswith(
            "lines are drawn all at once from at most 33554432 weights; this layer has 268435456"
        )
        assert array.asked == []


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        (
            {**ROWS, "kind": "weights"},
            "kind must be one of thumbnails, region, edges, rows, mechanism; got 'we",
        ),
        (
            {**ROWS, "kind": ["rows"]},
            "kind must be one of thumbnails, region, edges, rows, mechanism; got ['",
        ),
        ({"v": 1}, "kind must be one of thumbnails, region, edges, rows, mechanism; got None"),
        ({**ROWS, "v": 0}, "the page speaks version 0 and the kernel version 1: reload the page"),
        ({"id": "x"}, "the page speaks version None"),
        ({}, "the page speaks version None"),
    ],
)
def test_unknown_requests_are_refused(request_: dict[str, Any], message: str) -> None:
    assert message in refused(attention(), request_)


def test_failures_are_logged_and_told(caplog: pytest.LogCaptureFixture) -> None:
    class Broken(CountedArray):
        def __getitem__(self, key: Any) -> Any:
            raise OSError("the disk is gone")

    with caplog.at_level(logging.ERROR, logger="attn_widget"):
        error = refused(Attention(Broken(np.zeros((2, 3, 5, 6), np.float32))), ROWS)
    assert error == "OSError: the disk is gone"
    assert "request 'rows' failed" in caplog.text
    assert "Traceback" in caplog.text


@pytest.mark.parametrize("reported", [None, 3, "x", [1]])
def test_what_is_no_report_is_nothing_hovered(reported: object) -> None:
    assert hovered_at(reported) is None


def test_reports_keep_what_is_promised() -> None:
    reported = {"layer": 0, "head": 1, "query": 2, "key": 3, "weight": 0.5, "more": "x"}
    assert hovered_at(reported) == {"layer": 0, "head": 1, "query": 2, "key": 3, "weight": 0.5}
    assert hovered_at({"query": 2}) == {
        "layer": None, "head": None, "query": 2, "key": None, "weight": None,
    }  # fmt: skip
