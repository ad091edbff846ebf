"""What a widget sends to the page, and what it does with what the page sends."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import attn_widget as aw
from attn_widget import protocol
from attn_widget.codec import unpack
from channel import Channel
from counted import CountedArray
from states import DEFAULTS, REFUSED, Make, attention


def weights_of(block: dict[str, Any], buffers: list[Any]) -> np.ndarray[Any, Any]:
    """Decode the block of a message that carries it alone."""
    (data,) = buffers
    packed = block["weights"]
    return unpack({"dtype": packed["dtype"], "shape": packed["shape"], "data": bytes(data)})


def carrying_data(channel: Channel, widget: aw.AttentionWidget) -> list[dict[str, Any]]:
    return [state for state in channel.updates(widget) if {"_content", "_block"} & set(state)]


def middling() -> aw.Attention:
    """Make a map whose layers are sent one by one."""
    values = np.random.default_rng(1).random((3, 8, 256, 256), np.float32)
    return aw.Attention(values)


class TestOpening:
    def test_sends_one_message_with_all_on_board(self, channel: Channel, make: Make) -> None:
        held = attention()
        widget = make(held, layer=1, pinned_keys=[2])
        ((kind, data, buffers),) = channel.of(widget)
        assert kind == "comm_open"
        state = data["state"]
        assert {name: state[name] for name in ("layer", "pinned_keys", "mass")} == {
            "layer": 1, "pinned_keys": (2,), "mass": 1.0,
        }  # fmt: skip
        assert state["_content"]["shape"] == [3, 4, 5, 6]
        assert state["_block"]["revision"] == state["_content"]["revision"]
        assert state["_block"]["layers"] == [0, 3]
        np.testing.assert_array_equal(weights_of(state["_block"], buffers), np.asarray(held))
        # The widget, and its layout.
        assert len({comm_id for comm_id, *_ in channel.sent}) == 2

    def test_reads_what_it_sends_and_no_more(self, channel: Channel, make: Make) -> None:
        array = CountedArray(np.full((6, 12, 256, 256), 0.5, np.float32))
        widget = make(aw.Attention(array), layer=3)
        assert array.numbers_read == 12 * 256 * 256
        repr(widget)
        assert array.numbers_read == 12 * 256 * 256

    @pytest.mark.parametrize(
        ("shape", "dtype", "layers", "rows"),
        [
            ((6, 12, 64, 64), "f4", 6, 64),
            ((12, 12, 64, 64), "f2", 12, 64),
            ((6, 12, 256, 256), "f4", 1, 256),
            ((6, 12, 512, 512), "f4", 1, 42),
            ((32, 32, 512, 512), "f4", 1, 16),
            ((1, 16, 40_000, 40_000), "f4", 1, 1),
            ((1, 32, 131_072, 131_072), "f4", 1, 0),
        ],
    )
    def test_stays_below_the_message_limit(
        self,
        channel: Channel,
        make: Make,
        shape: tuple[int, ...],
        dtype: str,
        layers: int,
        rows: int,
    ) -> None:
        widget = make(aw.Attention(np.broadcast_to(np.zeros((), dtype), shape)))
        (size,) = channel.sizes(widget)
        assert size < protocol.MESSAGE_BYTES
        block = channel.of(widget)[0][1]["state"]["_block"]
        assert block["weights"]["shape"] == [layers, shape[1], rows, shape[3]]

    def test_long_labels_leave_room(self, channel: Channel, make: Make) -> None:
        labels = ["注意" * 150] * 20_000
        widget = make(aw.Attention(np.broadcast_to(np.float32(0), (1, 1, 1, 20_000)), None, labels))
        (size,) = channel.sizes(widget)
        assert size < protocol.MESSAGE_BYTES
        assert widget.attention.keys.labels[0] == "注意" * 150


class TestMapChanges:
    def test_send_content_and_block_together(self, channel: Channel, make: Make) -> None:
        other = aw.Attention(np.full((1, 2, 2, 2), 0.5, np.float32), name="other")
        widget = make({"one": attention(), "other": other}, layer=2, heads=[3])
        channel.clear()
        widget.map = "other"
        carrying = [
            state for state in channel.updates(widget) if {"_content", "_block"} & set(state)
        ]
        (state,) = carrying
        assert state["_content"]["revision"] == state["_block"]["revision"]
        assert state["_content"]["name"] == "other"
        assert (state["layer"], state["heads"]) == (0, ())

    def test_of_several_traits_send_once(self, channel: Channel, make: Make) -> None:
        widget = make({"one": attention(), "many": [attention(), middling()]})
        channel.clear()
        with widget.hold_trait_notifications():
            widget.map = "many"
            widget.step = 1
            widget.layer = 2
        carrying = [
            state for state in channel.updates(widget) if {"_content", "_block"} & set(state)
        ]
        (state,) = carrying
        assert state["_block"]["layers"] == [2, 3]
        channel.clear()
        with widget.hold_sync():
            widget.map = "one"
            widget.step = 0
        (state,) = channel.updates(widget)
        assert {"map", "step", "_content", "_block"} <= set(state)

    def test_of_steps_send_the_step(self, channel: Channel, make: Make) -> None:
        steps = [aw.Attention(np.full((1, 1, 2, 2), value, np.float32)) for value in (0.25, 0.5)]
        widget = make(steps)
        channel.clear()
        widget.step = 1
        states = [
            (data["state"], buffers)
            for _, data, buffers in channel.of(widget)
            if "_block" in data["state"]
        ]
        ((state, buffers),) = states
        assert weights_of(state["_block"], buffers).max() == 0.5
        assert state["_content"]["steps"] == 2

    @pytest.mark.parametrize("step", [0, 1])
    def test_read_each_block_once(self, channel: Channel, make: Make, step: int) -> None:
        array = CountedArray(np.full((2, 2, 4, 4), 0.5, np.float32))
        held = {"one": [attention(), attention()], "counted": aw.Attention(array)}
        # The layer changes with the map, and the step may.
        widget = make(held, layer=2, step=step)
        widget.map = "counted"
        assert (widget.layer, widget.step) == (1, 0)
        assert array.numbers_read == 2 * 2 * 4 * 4
        assert widget._content["revision"] == 2

    def test_by_update_send_once(self, channel: Channel, make: Make) -> None:
        widget = make(layer=2, pinned_keys=[5])
        channel.clear()
        widget.update(aw.Attention(np.full((1, 2, 2, 2), 0.5, np.float32)))
        (state,) = channel.updates(widget)
        assert set(state) == {"_content", "_block", "layer", "pinned_keys"}

    def test_by_update_of_the_same_map_send_new_numbers(self, channel: Channel, make: Make) -> None:
        values = np.full((1, 1, 2, 2), 0.25, np.float32)
        held = aw.Attention(values)
        widget = make(held)
        channel.clear()
        values[:] = 0.75
        widget.update(held)
        ((_, data, buffers),) = channel.of(widget)
        assert weights_of(data["state"]["_block"], buffers).max() == 0.75
        assert data["state"]["_content"]["revision"] == 2

    def test_after_closing_send_and_read_nothing(self, channel: Channel, make: Make) -> None:
        array = CountedArray(np.full((3, 2, 4, 4), 0.5, np.float32))
        widget = make({"one": attention(), "counted": aw.Attention(array)})
        widget.close()
        channel.clear()
        widget.map = "counted"
        widget.layer = 1
        widget.update(attention())
        assert channel.sent == []
        assert array.asked == []


class TestLayerChanges:
    def test_of_small_maps_send_the_layer_alone(self, channel: Channel, make: Make) -> None:
        widget = make()
        channel.clear()
        widget.layer = 2
        assert channel.updates(widget) == [{"layer": 2}]

    def test_of_larger_maps_send_one_block(self, channel: Channel, make: Make) -> None:
        held = middling()
        widget = make(held)
        channel.clear()
        widget.layer = 2
        states = channel.updates(widget)
        assert [set(state) for state in states] == [{"layer"}, {"_block"}]
        assert states[1]["_block"]["layers"] == [2, 3]
        assert max(channel.sizes(widget)) < protocol.MESSAGE_BYTES
        channel.clear()
        widget.layer = 2
        assert channel.sent == []

    def test_of_large_maps_send_rows_near_the_pins(self, channel: Channel, make: Make) -> None:
        shape = (2, 12, 1024, 1024)
        widget = make(aw.Attention(np.broadcast_to(np.float32(0.5), shape)))
        widget.pinned_queries = [700, 900]
        channel.clear()
        widget.layer = 1
        first, last = channel.updates(widget)[1]["_block"]["queries"]
        assert first <= 700 < last


class TestFromThePage:
    def test_state_is_taken_and_told_once(self, channel: Channel, make: Make) -> None:
        widget = make()
        told: list[tuple[str, Any]] = []
        widget.observe(lambda change: told.append((change["name"], change["new"])), [*DEFAULTS])
        channel.set(widget, layer=2, pinned_queries=[1, 3], mass=1, heads=[2])
        assert sorted(told) == [("heads", (2,)), ("layer", 2), ("pinned_queries", (1, 3))]
        channel.set(widget, layer=2, pinned_queries=[1, 3])
        assert len(told) == 3

    def test_state_is_not_sent_back(self, channel: Channel, make: Make) -> None:
        widget = make()
        channel.clear()
        channel.set(widget, layer=1, pinned_keys=[2], links=[[0, 1]])
        assert channel.updates(widget) == []
        assert sorted(channel.echoes(widget)) == ["layer", "links", "pinned_keys"]

    def test_data_is_not_echoed(self, channel: Channel, make: Make) -> None:
        widget = make()
        channel.clear()
        channel.set(widget, _content={}, _block={})
        assert channel.echoes(widget) == []

    def test_what_is_set_otherwise_is_sent_back(self, channel: Channel, make: Make) -> None:
        widget = make()
        channel.clear()
        channel.set(widget, links=[[3, 1], [0, 1], [3, 1]])
        assert channel.updates(widget) == [{"links": ((0, 1), (3, 1))}]

    @pytest.mark.parametrize(
        ("name", "value"),
        [(name, value) for name, value, _ in REFUSED if isinstance(value, (int, str, type(None)))],
    )
    def test_bad_state_is_put_right(
        self, channel: Channel, make: Make, name: str, value: Any
    ) -> None:
        widget = make(layer=1, pinned_queries=[2])
        before = {known: getattr(widget, known) for known in DEFAULTS}
        told: list[Any] = []
        widget.observe(told.append, [*DEFAULTS])
        channel.clear()
        channel.set(widget, **{"theme": "dark", name: value})
        assert {known: getattr(widget, known) for known in DEFAULTS} == before
        assert told == []
        assert channel.updates(widget) == [{known: before[known] for known in {"theme", name}}]

    def test_map_brings_its_weights(self, channel: Channel, make: Make) -> None:
        widget = make({"one": attention(), "other": middling()})
        channel.clear()
        channel.set(widget, map="other", layer=2)
        (state,) = channel.updates(widget)
        assert state["_block"]["layers"] == [2, 3]
        assert "map" not in state
        assert widget.attention.shape == (3, 8, 256, 256)

    def test_requests_are_answered(self, channel: Channel, make: Make) -> None:
        held = attention()
        widget = make(held)
        channel.clear()
        request = {"kind": "rows", "layer": 2, "side": "key", "start": 1, "stop": 3}
        channel.send(widget, {"v": 1, "id": "r-1", **request})
        ((content, (data,)),) = channel.replies(widget)
        assert (content["id"], content["ok"], content["revision"]) == ("r-1", True, 1)
        got = np.frombuffer(data, np.float32).reshape(content["arrays"]["weights"]["shape"])
        np.testing.assert_array_equal(got, held[2, :, :, 1:3])

    def test_requests_are_answered_from_the_map_shown(self, channel: Channel, make: Make) -> None:
        widget = make([attention(), aw.Attention(np.full((1, 1, 1, 1), 0.5, np.float32))])
        widget.step = 1
        channel.clear()
        request = {"kind": "rows", "layer": 0, "side": "query", "start": 0, "stop": 1}
        channel.send(widget, {"v": 1, "id": "r-2", **request})
        ((content, buffers),) = channel.replies(widget)
        assert content["revision"] == 2
        assert np.frombuffer(buffers[0], np.float32).tolist() == [0.5]

    @pytest.mark.parametrize(
        ("request_", "message"),
        [
            ({"v": 1, "id": "e", "kind": "weights"}, "kind must be one of thumbnails"),
            ({"v": 2, "id": "e", "kind": "rows"}, "the page speaks version 2 and the kernel"),
            (
                {"v": 1, "id": "e", "kind": "rows", "layer": 9},
                "layer must be an int within 0 and 2",
            ),
        ],
    )
    def test_bad_requests_are_told(
        self, channel: Channel, make: Make, request_: dict[str, Any], message: str
    ) -> None:
        widget = make()
        channel.clear()
        channel.send(widget, request_)
        ((content, buffers),) = channel.replies(widget)
        assert content["ok"] is False
        assert content["id"] == "e"
        assert message in content["error"]
        assert buffers == []

    @pytest.mark.parametrize("message", [None, 3, "hover", []])
    def test_what_is_no_request_is_passed_over(
        self, channel: Channel, make: Make, message: Any
    ) -> None:
        widget = make()
        channel.clear()
        channel.send(widget, message)
        assert channel.sent == []


class TestHover:
    REPORT = {"layer": 0, "head": 1, "query": 2, "key": 3, "weight": 0.5}  # noqa: RUF012

    def test_is_reported_when_asked_for(self, channel: Channel, make: Make) -> None:
        widget = make(observe_hover=True)
        told: list[Any] = []
        widget.observe(lambda change: told.append(change["new"]), "hovered")
        channel.clear()
        channel.send(widget, {"kind": "hover", "hovered": self.REPORT})
        channel.send(widget, {"kind": "hover", "hovered": self.REPORT})
        assert widget.hovered == self.REPORT
        channel.send(widget, {"kind": "hover", "hovered": None})
        assert widget.hovered is None
        assert told == [self.REPORT, None]
        # Nothing about it goes back.
        assert channel.sent == []

    def test_is_unknown_unless_asked_for(self, channel: Channel, make: Make) -> None:
        widget = make()
        channel.send(widget, {"kind": "hover", "hovered": self.REPORT})
        assert widget.hovered is None

    def test_is_forgotten_when_no_longer_asked_for(self, channel: Channel, make: Make) -> None:
        widget = make(observe_hover=True)
        channel.send(widget, {"kind": "hover", "hovered": self.REPORT})
        widget.observe_hover = False
        assert widget.hovered is None
