"""Parts of maps that the page asks of a widget: held, cancelled, told how far, forgotten."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import numpy as np
import pytest

import attn_widget as aw
from asking import rows_of
from attn_widget import protocol
from attn_widget.codec import unpack
from channel import Channel
from counted import CountedArray
from states import Make

REGION: dict[str, Any] = {
    "v": protocol.VERSION,
    "id": "r-1",
    "kind": "region",
    "layer": 0,
    "heads": [0],
    "combine": "mean",
    "rows": [0, 6],
    "cols": [0, 6],
    "size": [3, 3],
    "words": False,
    "exact": True,
}
REQUESTS: dict[str, dict[str, Any]] = {
    "_region": REGION,
    "_thumbnails": {"v": 1, "id": "t", "kind": "thumbnails", "layers": [0, 1], "size": [4, 4]},
    "_rows": {"v": 1, "id": "o", "kind": "rows", "layer": 0, "side": "key", "start": 1, "stop": 3},
    "_edges": {
        "v": 1, "id": "e", "kind": "edges", "layer": 0, "heads": [0], "combine": "each",
        "direction": "attends_to", "mass": 1, "threshold": 0, "top_k": None, "special": "show",
        "scale": "sqrt", "words": False,
    },
}  # fmt: skip


def attention(**options: Any) -> aw.Attention:
    return aw.Attention(rows_of(2, 2, 6, 6), **options)


def slow(rows: int = 400) -> aw.Attention:
    """Make a map of which a region takes many steps."""
    return aw.Attention(np.broadcast_to(np.float32(1e-6), (1, 1, rows, 1 << 16)))


SLOW = {**REGION, "rows": [0, 400], "cols": [0, 1 << 16], "size": [4, 4]}


def in_loop(run: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(run())


async def settled(channel: Channel, widget: aw.AttentionWidget) -> list[dict[str, Any]]:
    """Wait until all that was asked is answered; return the answers."""
    while widget._tasks:
        await asyncio.sleep(0)
    return [content for content, _ in channel.replies(widget) if "ok" in content]


class TestHeld:
    @pytest.mark.parametrize("name", REQUESTS)
    def test_answers_come_as_a_trait(self, channel: Channel, make: Make, name: str) -> None:
        widget = make(attention())
        request = REQUESTS[name]
        channel.send(widget, request)
        ((content, buffers),) = channel.replies(widget)
        channel.clear()
        channel.send(widget, {**request, "hold": True})
        (state,) = channel.updates(widget)
        assert set(state) == {name}
        held = getattr(widget, name)
        assert held["revision"] == 1
        asked = {key: value for key, value in request.items() if key not in ("v", "id", "kind")}
        assert held["request"] == asked
        assert list(held["arrays"]) == list(content["arrays"])
        for packed, data in zip(held["arrays"].values(), buffers, strict=True):
            assert packed["data"] == bytes(data)
        fields = set(content) - {"v", "id", "ok", "arrays", "revision"}
        assert {key: held[key] for key in fields} == {key: content[key] for key in fields}
        ((answer, none),) = channel.replies(widget)
        assert (answer["ok"], answer["held"], answer["id"]) == (True, True, request["id"])
        assert "arrays" not in answer
        assert none == []

    def test_answers_travel_once_and_before_they_are_told(
        self, channel: Channel, make: Make
    ) -> None:
        widget = make(attention())
        channel.clear()
        channel.send(widget, {**REGION, "hold": True})
        kinds = [data["method"] for _, data, _ in channel.of(widget)]
        assert kinds == ["update", "custom"]
        channel.clear()
        channel.send(widget, {**REGION, "hold": True, "id": "r-2"})
        # What is held already is not sent again.
        assert channel.updates(widget) == []
        assert len(channel.replies(widget)) == 1

    def test_answers_are_in_the_state_that_is_saved(self, make: Make, channel: Channel) -> None:
        widget = make(attention())
        channel.send(widget, {**REGION, "hold": True})
        saved = widget.get_state()
        packed = saved["_region"]["arrays"]["max"]
        assert unpack(packed).shape == (3, 3)
        assert widget._block["revision"] == saved["_region"]["revision"]

    def test_answers_go_with_their_map(self, channel: Channel, make: Make) -> None:
        widget = make({"one": attention(), "two": attention()})
        for request in REQUESTS.values():
            channel.send(widget, {**request, "hold": True})
        channel.clear()
        widget.map = "two"
        carrying = [state for state in channel.updates(widget) if "_content" in state]
        (state,) = carrying
        assert {name: state[name] for name in REQUESTS} == {name: {} for name in REQUESTS}
        channel.clear()
        channel.send(widget, {**REGION, "hold": True})
        widget.layer = 1
        assert widget._region["revision"] == 2
        widget.update(attention())
        assert widget._region == {}

    def test_errors_are_told(self, channel: Channel, make: Make) -> None:
        widget = make(attention())
        channel.clear()
        channel.send(widget, {**REGION, "hold": True, "layer": 9})
        ((answer, _),) = channel.replies(widget)
        assert answer["ok"] is False
        assert widget._region == {}


class TestSteps:
    def test_tell_how_far_they_are(
        self, channel: Channel, make: Make, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from attn_widget import tasks

        monkeypatch.setattr(tasks, "PROGRESS_S", 0.0)
        monkeypatch.setattr(tasks, "STEP_S", 0.0)
        widget = make(slow())

        async def run() -> None:
            channel.send(widget, SLOW)
            (answer,) = await settled(channel, widget)
            assert answer["ok"] is True
            told = [content for content, _ in channel.replies(widget) if "progress" in content]
            shares = [content["progress"] for content in told]
            assert len(shares) >= 3
            assert shares == sorted(shares)
            assert all(0 <= share <= 1 for share in shares)
            assert {content["id"] for content in told} == {"r-1"}

        in_loop(run)

    def test_stop_when_cancelled(self, channel: Channel, make: Make) -> None:
        array = CountedArray(np.broadcast_to(np.float32(1e-6), (1, 1, 20_000, 1 << 16)))
        widget = make(aw.Attention(array))

        async def run() -> None:
            array.asked.clear()
            channel.clear()
            channel.send(widget, {**SLOW, "rows": [0, 20_000]})
            channel.send(widget, {"v": 1, "kind": "cancel", "id": "r-1"})
            channel.send(widget, {"v": 1, "kind": "cancel", "id": "unknown"})
            read = len(array.asked)
            assert read < 1000
            await asyncio.sleep(0.05)
            assert len(array.asked) == read
            assert channel.replies(widget) == []

        in_loop(run)

    def test_let_short_answers_pass(self, channel: Channel, make: Make) -> None:
        widget = make(slow(20_000))

        async def run() -> None:
            channel.send(widget, {**SLOW, "rows": [0, 20_000]})
            row = {"kind": "region", "rows": [3, 4], "cols": [0, 5], "size": [1, 5], "id": "r-2"}
            channel.send(widget, {**SLOW, **row})
            answers = [c["id"] for c, _ in channel.replies(widget) if "ok" in c]
            assert answers == ["r-2"]
            widget.close()

        in_loop(run)

    def test_end_with_their_map(self, channel: Channel, make: Make) -> None:
        widget = make(slow(20_000))

        async def run() -> None:
            channel.send(widget, {**SLOW, "rows": [0, 20_000]})
            widget.update(attention())
            (answer,) = await settled(channel, widget)
            assert (answer["ok"], answer["id"]) == (False, "r-1")
            assert answer["error"] == "the map has changed"

        in_loop(run)

    def test_end_with_their_widget(self, channel: Channel, make: Make) -> None:
        widget = make(slow(20_000))

        async def run() -> None:
            channel.send(widget, {**SLOW, "rows": [0, 20_000]})
            widget.close()
            assert not widget._tasks
            channel.clear()
            await asyncio.sleep(0.05)
            assert channel.sent == []

        in_loop(run)

    def test_are_not_needed_without_a_loop(self, channel: Channel, make: Make) -> None:
        widget = make(slow())
        channel.send(widget, SLOW)
        ((content, _),) = channel.replies(widget)
        assert content["ok"] is True


class TestUpdates:
    def maps(self, count: int) -> list[aw.Attention]:
        values = np.full((count, 1, 1, 64, 64), 1 / 64, np.float32)
        return [aw.Attention(values[step] * (step + 1) / count) for step in range(count)]

    def contents(self, channel: Channel, widget: aw.AttentionWidget) -> list[int]:
        return [
            state["_content"]["revision"]
            for state in channel.updates(widget)
            if "_content" in state
        ]

    def test_are_dropped_while_the_page_draws(self, channel: Channel, make: Make) -> None:
        maps = self.maps(30)

        async def run() -> None:
            widget = make(maps[0])
            channel.clear()
            for held in maps[1:]:
                widget.update(held)
                await asyncio.sleep(0)
            assert self.contents(channel, widget) == [2]
            assert widget.attention is maps[-1]
            channel.send(widget, {"v": 1, "kind": "drawn", "revision": 2})
            assert self.contents(channel, widget) == [2, 3]
            block = widget._block["weights"]
            assert unpack(block).max() == np.asarray(maps[-1]).max()
            channel.send(widget, {"v": 1, "kind": "drawn", "revision": 3})
            assert self.contents(channel, widget) == [2, 3]

        in_loop(run)

    def test_that_wait_leave_answers_to_what_is_drawn(self, channel: Channel, make: Make) -> None:
        async def run() -> None:
            first, second = attention(), aw.Attention(rows_of(1, 1, 3, 3))
            widget = make(aw.Attention(rows_of(1, 1, 2, 2)))
            widget.update(first)
            widget.update(second)
            channel.clear()
            channel.send(widget, {**REGION, "layer": 1})
            ((content, _),) = channel.replies(widget)
            assert (content["ok"], content["revision"]) == (True, 2)
            channel.send(widget, {"v": 1, "kind": "drawn", "revision": 2})
            channel.clear()
            channel.send(widget, {**REGION, "layer": 1})
            ((content, _),) = channel.replies(widget)
            assert (content["ok"], content["revision"]) == (False, 3)

        in_loop(run)

    def test_show_in_pictures_and_selections_at_once(self, make: Make) -> None:
        async def run() -> None:
            maps = self.maps(3)
            widget = make(maps[0])
            widget.update(maps[1])
            before = widget._png()
            widget.update(maps[2])
            assert widget._png() != before
            assert max(row.weight for row in widget.selection()) == np.asarray(maps[2]).max()

        in_loop(run)

    def test_of_steps_flow_alike(self, channel: Channel, make: Make) -> None:
        async def run() -> None:
            widget = make(self.maps(20), heads=[0], pinned_queries=[3])
            channel.clear()
            for step in range(1, 20):
                widget.step = step
                await asyncio.sleep(0)
            assert self.contents(channel, widget) == [2]
            channel.send(widget, {"v": 1, "kind": "drawn", "revision": 2})
            assert self.contents(channel, widget) == [2, 3]
            assert (widget.heads, widget.pinned_queries) == ((0,), (3,))

        in_loop(run)

    def test_without_a_loop_are_sent_at_once(self, channel: Channel, make: Make) -> None:
        maps = self.maps(4)
        widget = make(maps[0])
        channel.clear()
        for held in maps[1:]:
            widget.update(held)
        assert self.contents(channel, widget) == [2, 3, 4]
