"""The mechanism view from Python: what it may show, what it asks for, what travels and is kept."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import attn_widget as aw
from asking import ask, refused, replied
from attn_widget import protocol
from attn_widget.answers import mechanism as mechanism_module
from attn_widget.content import describe
from attn_widget.mechanisms import panels_of
from attn_widget.memory import Memory
from channel import Channel
from states import Make, attention
from test_export import Read, least_mb, quietly

ASK: dict[str, Any] = {"kind": "mechanism", "layer": 0, "head": 0}


def vectors(*shape: int, seed: int = 0) -> NDArray[np.float32]:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def known(asking: int = 5, asked: int = 6, depth: int = 4, **options: Any) -> aw.Attention:
    """Make a map of 3 layers and 4 heads that knows how its weights come about."""
    options.setdefault("value", vectors(3, 4, asked, depth, seed=2))
    query, key = vectors(3, 4, asking, depth, seed=0), vectors(3, 4, asked, depth, seed=1)
    return aw.Attention.from_qk(query, key, **options)


def long() -> aw.Attention:
    """Make a map too large for its heads to travel whole."""
    return aw.Attention.from_qk(vectors(2, 700, 8), vectors(2, 1600, 8), value=vectors(2, 1600, 8))


class TestWhichMaps:
    def test_have_the_view(self, make: Make) -> None:
        assert make(known(), view="mechanism").view == "mechanism"
        widget = make(known())
        widget.view = "mechanism"
        assert widget.view == "mechanism"
        assert make(known(), beside="mechanism").beside == "mechanism"

    @pytest.mark.parametrize("name", ["view", "beside"])
    def test_that_are_weights_alone_refuse_it_in_words(self, make: Make, name: str) -> None:
        widget = make(attention())
        with pytest.raises(ValueError, match=f"{name} must be another view for a map without a"):
            setattr(widget, name, "mechanism")
        assert (widget.view, widget.beside) == ("lines", None)

    def test_lose_it_with_the_map(self, make: Make) -> None:
        maps = {"known": known(), "plain": attention()}
        widget = make(maps, map="known", view="mechanism")
        widget.map = "plain"
        assert widget.view == "lines"
        widget = make(maps, map="known", beside="mechanism")
        widget.map = "plain"
        assert widget.beside is None

    def test_of_several_mechanisms_open_in_it(self, make: Make) -> None:
        query, key = vectors(2, 3), vectors(4, 3)
        dot = aw.scaled_dot_product_attention(query, key)
        additive = aw.additive_attention(query, key, vectors(3, 2), vectors(3, 2), vectors(2))
        assert make(dot.attention).view == "lines"
        assert make(dot.beside(additive)).view == "mechanism"

    def test_without_weights_have_none(self) -> None:
        empty = aw.Attention.from_qk(np.zeros((0, 4)), np.zeros((3, 4)))
        assert describe(empty, 1, ["a"], 1)["mechanism"] is None

    def test_say_whether_a_head_travels_whole(self) -> None:
        assert describe(attention(), 1, ["a"], 1)["mechanism"] is None
        assert describe(known(), 1, ["a"], 1)["mechanism"] == "whole"
        assert describe(long(), 1, ["a"], 1)["mechanism"] == "row"
        # Tables of biases count too.
        bias = np.broadcast_to(np.float32(0), (400, 500))
        assert describe(known(400, 500), 1, ["a"], 1)["mechanism"] == "whole"
        assert describe(known(400, 500, bias=bias), 1, ["a"], 1)["mechanism"] == "row"


class TestAnswers:
    def test_hold_a_head_whole(self) -> None:
        held = known(causal=True)
        fields, arrays = ask(held, {**ASK, "layer": 2, "head": 3})
        assert (fields["layer"], fields["head"]) == (2, 3)
        (panel,) = fields["panels"]
        assert panel == {
            "mechanism": "scaled_dot_product",
            "name": "",
            "scale": 0.5,
            "temperature": 1.0,
            "softcap": None,
            "masks": ["causal"],
        }
        assert set(arrays) == {"0 query", "0 key", "0 value", "0 causal"}
        np.testing.assert_array_equal(arrays["0 query"], vectors(3, 4, 5, 4)[2, 3])
        np.testing.assert_array_equal(arrays["0 key"], vectors(3, 4, 6, 4, seed=1)[2, 3])
        np.testing.assert_array_equal(arrays["0 causal"], np.tri(5, 6))

    def test_hold_a_row_and_the_strongest_keys(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(mechanism_module, "STRONGEST", 3)
        held = known()
        fields, arrays = ask(held, {**ASK, "query": 4, "keys": [1]})
        (steps,) = panels_of(held.source, 0, 0, 4, [])
        strongest = np.argsort(-steps.weights)[:3]
        assert fields["keys"] == sorted({1, *strongest.tolist()})
        np.testing.assert_array_equal(arrays["0 scores"], steps.scores[None])
        np.testing.assert_array_equal(arrays["0 output"], np.asarray(steps.output)[None])
        key = vectors(3, 4, 6, 4, seed=1)[0, 0]
        np.testing.assert_array_equal(arrays["0 key"], key[fields["keys"]])
        assert arrays["0 scores"].dtype == np.float64

    def test_send_rows_that_are_alike_once(self) -> None:
        padding = np.array([1, 1, 1, 1, 0, 0], bool)
        _, arrays = ask(known(mask=padding, sinks=[0.5, 1.5, 2.5, 3.5]), {**ASK, "head": 1})
        np.testing.assert_array_equal(arrays["0 mask"], padding[None])
        np.testing.assert_array_equal(arrays["0 sink"], [[1.5]])

    def test_keep_numbers_exactly(self) -> None:
        third = vectors(4, 3).astype(np.float64) / 3
        _, arrays = ask(aw.Attention.from_qk(third, third), ASK)
        assert arrays["0 query"].dtype == np.float64
        np.testing.assert_array_equal(arrays["0 query"], third)

    def test_hold_all_mechanisms_of_a_map(self) -> None:
        query, key, value = vectors(2, 3), vectors(4, 3, seed=1), vectors(4, 5, seed=2)
        weights = vectors(3, 2), vectors(3, 2, seed=3), vectors(2)
        dot = aw.scaled_dot_product_attention(query, key, value, name="dot")
        both = dot.beside(aw.additive_attention(query, key, *weights, value))
        fields, arrays = ask(both, ASK)
        assert [panel["mechanism"] for panel in fields["panels"]] == [
            "scaled_dot_product",
            "additive",
        ]
        assert fields["panels"][0]["name"] == "dot"
        assert {"0 value", "1 value", "1 projected_key", "1 v"} <= set(arrays)
        assert arrays["1 projected_query"].shape == (2, 2)

    def test_tell_how_far_they_are_and_are_remembered(self) -> None:
        memory, held = Memory(), known(200, 6)
        first, shares = replied(held, ASK, memory)
        assert len(shares) >= 2
        again, none = replied(held, ASK, memory)
        assert none == []
        assert again.buffers == first.buffers

    @pytest.mark.parametrize(
        ("request_", "message"),
        [
            ({"layer": 3}, "layer must be an int within 0 and 2; got 3"),
            ({"head": 4}, "head must be an int within 0 and 3; got 4"),
            ({"query": 5}, "query must be an int within 0 and 4; got 5"),
            ({"query": 0, "keys": [6]}, "keys must be an int within 0 and 5; got 6"),
        ],
    )
    def test_refuse_what_is_not_there(self, request_: dict[str, Any], message: str) -> None:
        assert refused(known(), {**ASK, **request_}) == message

    def test_refuse_what_is_not_known_or_too_large(self) -> None:
        assert refused(attention(), ASK) == "how the weights of this map come about is not known"
        assert "must have a query" in refused(long(), ASK)


class TestKept:
    def test_answers_come_as_a_trait_and_are_forgotten_with_the_map(
        self, channel: Channel, make: Make
    ) -> None:
        widget = make(known(), view="mechanism")
        message = {"v": protocol.VERSION, "id": "m", "hold": True, **ASK}
        channel.send(widget, message)
        assert widget._mechanism["request"] == {"layer": 0, "head": 0}
        assert widget.get_state()["_mechanism"]["arrays"]["0 query"]["shape"] == [5, 4]
        widget.update(known(4))
        assert widget._mechanism == {}

    def test_small_pages_hold_all_heads(self, make: Make) -> None:
        page = Read(make(known(), view="mechanism", heads=[2], layer=1).to_html())
        held = [answer for answer in page.maps[0]["answers"] if answer["kind"] == "mechanism"]
        places = [(answer["request"]["layer"], answer["request"]["head"]) for answer in held]
        assert places[:4] == [(1, 2), (1, 0), (1, 1), (1, 3)]
        assert set(places) == {(layer, head) for layer in range(3) for head in range(4)}
        assert [answer["held"] for answer in held] == [True, *[False] * 11]
        assert "the mechanism of 12 heads" in page.maps[0]["here"]
        np.testing.assert_array_equal(
            page.array(held[0]["arrays"]["0 key"]), vectors(3, 4, 6, 4, seed=1)[1, 2]
        )

    def test_pages_hold_rows_of_large_heads(self, make: Make) -> None:
        widget = make(long(), view="mechanism", pinned_queries=[9, 3], pinned_keys=[5])
        page = Read(quietly(widget, 25))
        held = [answer for answer in page.maps[0]["answers"] if answer["kind"] == "mechanism"]
        asked = [(answer["request"]["query"], answer["request"]["keys"]) for answer in held]
        assert asked == [(9, [5]), (9, []), (3, [5]), (3, [])]
        assert held[0]["held"]

    def test_pages_stay_within_their_limit(self, make: Make) -> None:
        widget = make(known(40, 40, 64), view="mechanism")
        limit = least_mb(widget) + 0.15
        page = quietly(widget, limit)
        assert len(page.encode()) <= limit * 1_000_000
        held = [answer["kind"] for answer in Read(page).maps[0]["answers"]].count("mechanism")
        assert 0 < held < 12
        assert f"the mechanism of {held} head" in Read(page).maps[0]["here"]

    def test_pages_of_maps_without_a_mechanism_are_what_they_were(self, make: Make) -> None:
        page = Read(make(attention()).to_html())
        assert page.maps[0]["answers"] == []
        assert page.maps[0]["content"]["mechanism"] is None


class TestSelection:
    def test_is_the_row_that_is_shown(self, make: Make) -> None:
        held = known()
        widget = make(held, view="mechanism", heads=[3, 1], layer=2, pinned_queries=[4, 0],
                      pinned_keys=[2], mass=0.5, top_k=1)  # fmt: skip
        rows = widget.selection()
        assert [(row.layer, row.head, row.query, row.key) for row in rows] == [
            (2, 1, 4, key) for key in range(6)
        ]
        np.testing.assert_array_equal([row.weight for row in rows], held[2, 1, 4])
        widget.pinned_queries = []
        assert {row.query for row in widget.selection()} == {0}

    def test_asks_the_first_query_that_is_not_special(self, make: Make) -> None:
        labels = aw.Tokens(["[CLS]", "a", "b", "c", "[SEP]"], special=[0, 4])
        widget = make(known(5, 5, queries=labels, keys=labels), view="mechanism")
        assert widget.chosen_query == 1
        assert {row.query_label for row in widget.selection()} == {"a"}

    def test_is_empty_without_heads(self, make: Make) -> None:
        assert make(known(), view="mechanism", heads=None).selection() == []


def test_the_content_stays_json() -> None:
    assert json.loads(json.dumps(describe(known(), 1, ["a"], 1)))["mechanism"] == "whole"
