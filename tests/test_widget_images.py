"""Images on their way to the page: sent once, with what lies on them, within the limit."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

import attn_widget as aw
from attn_widget import copies, protocol
from channel import Channel
from states import Make, attention

PHOTO = np.random.default_rng(0).integers(0, 256, (30, 40, 3), dtype=np.uint8)


def vision(image: Any = PHOTO, grid: int = 2, heads: int = 2, layers: int = 1) -> aw.Attention:
    """Make the attention of a class token and of patches to each other."""
    axis = [aw.Tokens(["[CLS]"]), aw.Patches(grid, grid, image=image)]
    length = 1 + grid * grid
    weights = np.full((layers, heads, length, length), 1 / length, np.float32)
    return aw.Attention(weights, axis)


def noise(side: int, seed: int) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (side, side, 3), dtype=np.uint8)


def carrying(channel: Channel, widget: Any, name: str) -> list[dict[str, Any]]:
    return [state for state in channel.updates(widget) if name in state]


def test_what_is_sent_decodes_to_the_image(channel: Channel, make: Make) -> None:
    widget = make(vision())
    ((_, data, buffers),) = channel.of(widget)
    state = data["state"]
    ((name, size),) = state["_content"]["images"].items()
    assert size == {"width": 40, "height": 30}
    assert {part["image"] for part in state["_content"]["queries"]["parts"]} == {name}
    place = data["buffer_paths"].index(["_images", name, "data"])
    with Image.open(io.BytesIO(bytes(buffers[place]))) as opened:
        np.testing.assert_array_equal(np.asarray(opened), PHOTO)
    assert state["_images"][name] == {"type": "image/png", "width": 40, "height": 30}


def test_maps_without_images_send_none(channel: Channel, make: Make) -> None:
    widget = make(attention())
    assert channel.of(widget)[0][1]["state"]["_images"] == {}
    channel.clear()
    widget.update(attention())
    assert carrying(channel, widget, "_images") == []


def test_the_same_image_is_encoded_and_sent_once(
    channel: Channel, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Any] = []
    whole = copies._encoded

    def counted(picture: Any) -> copies.Copy:
        made.append(picture.size)
        return whole(picture)

    monkeypatch.setattr(copies, "_encoded", counted)
    photo = noise(50, seed=1)
    widget = make(vision(photo))
    channel.clear()
    for _ in range(30):
        widget.update(vision(photo.copy()))
    states = channel.updates(widget)
    assert len(states) == 30
    assert all("_block" in state and "_images" not in state for state in states)
    assert made == [(50, 50)]
    with widget.hold_sync():
        widget.update(vision(photo))
    assert carrying(channel, widget, "_images") == []


def test_other_images_are_sent_with_what_lies_on_them(channel: Channel, make: Make) -> None:
    first, second = noise(20, seed=2), noise(30, seed=3)
    widget = make([vision(first), vision(second), vision(second), attention()])
    channel.clear()
    sent = []
    for step in (1, 2, 3, 0):
        widget.step = step
        (state,) = carrying(channel, widget, "_content")
        assert state.get("_images", state["_content"]["images"]).keys() == (
            state["_content"]["images"].keys()
        )
        sent.append("_images" in state)
        channel.clear()
    assert sent == [True, False, True, True]


def test_messages_stay_below_the_limit(channel: Channel, make: Make) -> None:
    several = aw.Axis([aw.Patches(8, 8, image=noise(1300, seed)) for seed in (4, 5, 6)])
    weights = np.broadcast_to(np.float32(1 / 192), (1, 12, 192, 192))
    widget = make(aw.Attention(weights, several))
    ((_, data, _),) = channel.of(widget)
    assert len(data["state"]["_images"]) == 3
    assert data["state"]["_block"]["weights"]["shape"] == [1, 12, 192, 192]
    (size,) = channel.sizes(widget)
    assert protocol.IMAGES_BYTES < size < protocol.MESSAGE_BYTES


def test_layers_have_the_room_of_images_once_these_are_there(channel: Channel, make: Make) -> None:
    # A layer of 3.3 MB beside an image of 1 MB and more.
    widget = make(vision(noise(1300, seed=7), grid=16, heads=12, layers=2).select(keys=range(256)))
    assert channel.of(widget)[0][1]["state"]["_block"]["weights"]["shape"][2] < 257
    channel.clear()
    widget.layer = 1
    (state,) = carrying(channel, widget, "_block")
    assert state["_block"]["weights"]["shape"] == [1, 12, 257, 256]
    assert max(channel.sizes(widget)) < protocol.MESSAGE_BYTES


class TestOverlay:
    def test_opens_where_there_is_an_image(self, make: Make) -> None:
        assert make(vision()).view == "overlay"
        assert make(vision(image=None)).view == "lines"
        assert make(vision(image=None), view="overlay").view == "overlay"
        assert make([attention(), vision()]).view == "lines"

    def test_leaves_with_the_last_place(self, make: Make) -> None:
        widget = make([vision(), attention()], beside="lines")
        widget.step = 1
        assert (widget.view, widget.beside) == ("lines", None)
        widget.step = 0
        widget.beside = "overlay"
        widget.update(attention())
        assert (widget.view, widget.beside) == ("lines", None)

    def test_state_fits_the_map(self, make: Make) -> None:
        widget = make([vision(grid=3), vision()], aside=[1, 9], paint="dim", opacity=0.5)
        widget.step = 1
        assert (widget.aside, widget.paint, widget.opacity) == ((1,), "dim", 0.5)
