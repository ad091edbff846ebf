"""A method chosen for the map shown: what is drawn, read back, exported, and how it is computed."""

from __future__ import annotations

import asyncio
from typing import Any

import numpy as np
import pytest
from matplotlib.text import Text
from numpy.typing import NDArray

import attn_widget as aw
from attn_widget import protocol
from attn_widget.applied import Applied
from attn_widget.methods.registry import METHODS, available
from attn_widget.pictures import picture_state
from attn_widget.traits import StateError
from channel import Channel
from states import Make
from test_export import Read

WORDS = ["the", "cat", "sat", "on", "it"]


def weights(*shape: int, seed: int = 0) -> NDArray[np.float32]:
    drawn = np.random.default_rng(seed).exponential(size=shape)
    return np.asarray(drawn / drawn.sum(axis=-1, keepdims=True), np.float32)


def text(seed: int = 0) -> aw.Attention:
    return aw.Attention(weights(4, 3, 5, 5, seed=seed), WORDS, name="text")


def ask(channel: Channel, widget: aw.AttentionWidget, method: Any, name: str = "m-1") -> None:
    channel.send(widget, {"v": protocol.VERSION, "id": name, "kind": "method", "method": method})


def replied(channel: Channel, widget: aw.AttentionWidget) -> list[dict[str, Any]]:
    return [content for content, _ in channel.replies(widget)]


class TestInPython:
    def test_a_method_is_shown_and_read_back_at_once(self, make: Make) -> None:
        att = text()
        widget = make(att, pinned_queries=[1])
        widget.method = "rollout"
        expected = np.asarray(aw.methods.rollout(att))
        assert widget.attention.kind == "relevance"
        assert widget.given is att
        np.testing.assert_array_equal(np.asarray(widget.attention), expected)
        rows = widget.selection()
        assert [row.key_label for row in rows] == WORDS
        np.testing.assert_allclose([row.weight for row in rows], expected[0, 0, 1], rtol=1e-6)
        assert widget.account().total == pytest.approx(1, abs=1e-6)

    def test_it_can_be_chosen_from_the_start(self, make: Make) -> None:
        widget = make(text(), method="rollout")
        assert (widget.method, widget.attention.shape) == ("rollout", (1, 1, 5, 5))

    @pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
    def test_all_that_is_available_can_be_shown(self, make: Make, method: Any) -> None:
        att = aw.samples.sentence()
        widget = make(att)
        if method not in available(att):
            with pytest.raises(StateError, match=r"must be None or one of 'mean', .* for this map"):
                widget.method = method.name
            assert (widget.method, widget.attention) == (None, att)
            return
        widget.method = method.name
        assert widget.method == (None if method.name == "raw" else method.name)
        assert widget.attention.kind == (method.kind or "weight")
        layers, heads, _, _ = widget.attention.shape
        assert (layers == 6, heads == 12) == (method.keeps_layers, method.keeps_heads)
        widget.method = None
        assert widget.attention is att

    @pytest.mark.parametrize("none", [None, "", "raw"])
    def test_without_one_the_map_is_shown_as_it_is(self, make: Make, none: Any) -> None:
        att = text()
        widget = make(att, method="rollout")
        widget.method = none
        assert widget.method is None
        assert widget.attention is att

    def test_what_it_is_not_available_for_is_refused_with_the_reason(self, make: Make) -> None:
        widget = make(text())
        for bad, why in (("value_norm", "its values are not known"), ("magic", "it is not known")):
            with pytest.raises(StateError, match=f"for this map: {why}; got '{bad}'"):
                widget.method = bad
        with pytest.raises(StateError, match="method must be a string or None; got 3"):
            widget.method = 3
        assert widget.method is None
        alone = make(aw.Attention(weights(1, 1, 5, 6), kind="score"))
        with pytest.raises(StateError, match="method must be None for this map: it holds no"):
            alone.method = "relative"

    def test_what_fails_when_read_is_refused_before_anything_changes(self, make: Make) -> None:
        holed = weights(4, 3, 5, 5)
        holed[1, 0, 2, 3] = np.nan
        widget = make(aw.Attention(holed), layer=2)
        with pytest.raises(StateError, match="another one for this map: rollout needs every"):
            widget.method = "rollout"
        assert (widget.method, widget.layer, widget.attention) == (None, 2, widget.given)

    def test_layer_and_heads_come_back(self, make: Make) -> None:
        widget = make(text(), layer=2, heads=[1])
        widget.method = "rollout"
        assert (widget.layer, widget.heads) == (0, ())
        widget.method = "mean"
        assert (widget.layer, widget.heads) == (2, ())
        widget.layer = 3
        widget.method = "flow"
        widget.method = None
        assert (widget.layer, widget.heads) == (3, (1,))

    def test_it_stays_for_other_maps_as_far_as_they_allow_it(self, make: Make) -> None:
        cross = aw.Attention(weights(2, 2, 3, 4), name="cross")
        widget = make({"steps": [text(0), text(1)], "cross": cross}, method="rollout")
        widget.step = 1
        assert widget.method == "rollout"
        expected = np.asarray(aw.methods.rollout(text(1)))
        np.testing.assert_array_equal(np.asarray(widget.attention), expected)
        widget.map = "cross"
        assert (widget.method, widget.attention) == (None, cross)

    def test_an_update_keeps_it(self, make: Make) -> None:
        widget = make(text(0), method="rollout")
        widget.update(text(1))
        expected = np.asarray(aw.methods.rollout(text(1)))
        np.testing.assert_array_equal(np.asarray(widget.attention), expected)
        holed = weights(4, 3, 5, 5)
        holed[0, 0, 0, 0] = np.inf
        widget.update(aw.Attention(holed, WORDS, name="text"))
        assert (widget.method, widget.attention.kind) == (None, "weight")

    def test_pictures_are_of_what_is_shown(self, make: Make) -> None:
        widget = make(text(), pinned_queries=[1])
        before = widget._png()
        widget.method = "rollout"
        assert widget._png() != before
        assert picture_state(widget).layer == 0
        plotted = widget.plot()
        said = [found.get_text() for found in plotted.findobj(Text) if isinstance(found, Text)]
        assert any("draws on" in words for words in said)

    def test_results_are_kept_within_a_limit(self) -> None:
        size = 4 * 5 * 5
        applied = Applied(limit=2 * size)
        maps = [text(seed) for seed in range(3)]
        made = [applied.of(att, "rollout") for att in maps]
        assert applied.of(maps[1], "rollout") is made[1]
        assert applied.of(maps[2], "rollout") is made[2]
        assert applied.of(maps[0], "rollout") is not made[0]


class TestInThePage:
    def test_hears_what_there_is_to_choose(self, channel: Channel, make: Make) -> None:
        att = text()
        content = make(att)._content
        assert content["methods"][0] == [
            "raw", "attention", "the weights as the model computed them",
        ]  # fmt: skip
        assert [name for name, *_ in content["methods"]] == [one.name for one in available(att)]
        assert make(aw.Attention(weights(1, 1, 3, 4), kind="score"))._content["methods"] == []

    def test_hears_how_the_map_was_made_and_what_it_costs(self, make: Make) -> None:
        widget = make(text())
        assert widget._content["made"] == ""
        assert widget._content["cost"] == "4 layers × 3 heads × 5 × 5 weights: 1.20 kB as float32"
        widget.method = "relative"
        assert widget._content["made"].startswith("relative(")
        assert widget._content["made"].endswith(
            "1 is as much as in the reference; rows do not sum to 1"
        )
        widget.method = "rollout"
        assert widget._content["cost"] == "5 × 5 relevances: 100 B as float32"

    def test_chooses_and_python_follows(self, channel: Channel, make: Make) -> None:
        widget = make(text(), layer=2)
        channel.clear()
        ask(channel, widget, "rollout")
        assert [reply["ok"] for reply in replied(channel, widget)] == [True]
        assert (widget.method, widget.layer) == ("rollout", 0)
        (state,) = [one for one in channel.updates(widget) if "_content" in one]
        assert state["layer"] == 0
        assert state["_content"]["kind"] == "relevance"
        # What is told reaches the page before the answer.
        kinds = [data.get("method") for _, data, _ in channel.of(widget)]
        assert kinds.index("update") < kinds.index("custom")
        ask(channel, widget, "raw")
        assert (widget.method, widget.layer) == (None, 2)

    def test_may_set_the_trait_too(self, channel: Channel, make: Make) -> None:
        widget = make(text())
        channel.set(widget, method="rollout")
        assert widget.attention.kind == "relevance"
        channel.set(widget, method="value_norm")
        assert widget.method == "rollout"

    @pytest.mark.parametrize(("bad", "why"), [("value_norm", "values"), (None, "not known")])
    def test_is_refused_in_words(self, channel: Channel, make: Make, bad: Any, why: str) -> None:
        widget = make(text())
        ask(channel, widget, bad)
        (reply,) = replied(channel, widget)
        assert reply["ok"] is False
        assert reply["error"].startswith("None or one of 'mean', ")
        assert why in reply["error"]
        assert widget.method is None

    def test_second_time_is_read_nothing(self, channel: Channel, make: Make) -> None:
        widget = make(text())
        widget.method = "rollout"
        made = widget.attention
        widget.method = None
        widget.method = "rollout"
        assert widget.attention is made


LONG = aw.Attention(weights(4, 2, 30, 30))


class TestWhileItComputes:
    def test_the_old_picture_stays_and_progress_is_told(self, channel: Channel, make: Make) -> None:
        async def run() -> None:
            widget = make(LONG, layer=3)
            channel.clear()
            ask(channel, widget, "flow")
            await asyncio.sleep(0.01)
            assert (widget.method, widget.layer) == (None, 3)
            assert not channel.updates(widget)
            while widget.method is None:
                await asyncio.sleep(0)
            *told, last = replied(channel, widget)
            shares = [reply["progress"] for reply in told]
            assert shares == sorted(shares)
            assert last["ok"] is True
            assert widget.attention.kind == "relevance"

        asyncio.run(run())

    def test_it_can_be_cancelled(self, channel: Channel, make: Make) -> None:
        async def run() -> None:
            widget = make(LONG)
            ask(channel, widget, "flow", "m-2")
            channel.send(widget, {"v": protocol.VERSION, "id": "m-2", "kind": "cancel"})
            for _ in range(5):
                await asyncio.sleep(0.01)
            assert widget.method is None
            assert not [reply for reply in replied(channel, widget) if "ok" in reply]
            ask(channel, widget, "rollout", "m-3")
            while widget.method is None:
                await asyncio.sleep(0)
            assert widget.method == "rollout"

        asyncio.run(run())

    def test_of_a_map_that_has_changed_nothing_comes(self, channel: Channel, make: Make) -> None:
        async def run() -> None:
            widget = make([LONG, text()])
            ask(channel, widget, "flow", "m-4")
            await asyncio.sleep(0)
            widget.step = 1
            for _ in range(5):
                await asyncio.sleep(0.01)
            assert widget.method is None
            (reply,) = [reply for reply in replied(channel, widget) if "ok" in reply]
            assert (reply["ok"], reply["error"]) == (False, "the map has changed")

        asyncio.run(run())


def test_an_exported_page_has_what_is_shown_and_nothing_to_choose(make: Make) -> None:
    att = text()
    widget = make({"one": [att, text(1)], "two": aw.Attention(weights(2, 2, 3, 4))})
    widget.method = "rollout"
    page = Read(widget.to_html())
    contents = {(held["name"], held["step"]): held["content"] for held in page.maps}
    assert all(content["methods"] == [] for content in contents.values())
    kinds = {place: content["kind"] for place, content in contents.items()}
    assert kinds == {("one", 0): "relevance", ("one", 1): "relevance", ("two", 0): "weight"}
    assert contents["one", 0]["made"].startswith("rollout(")
    assert page.manifest["state"]["method"] == "rollout"
    (block,) = page.maps[0]["blocks"]
    np.testing.assert_allclose(
        page.array(block["arrays"]["weights"])[0],
        np.asarray(aw.methods.rollout(att))[0],
        atol=1e-6,
    )
