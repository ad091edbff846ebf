"""What an exported page holds: as much as there is room for, what is shown first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import prod
from typing import Any, Final

import numpy as np

from ..attention import Attention
from ..codec import Packed, pack, unpack
from ..content import describe, describe_block
from ..copies import LONGEST_SIDE, images_of, page_copies
from ..maps import Maps
from ..memory import Memory
from ..protocol import IMAGES_BYTES, WHOLE_BYTES
from ..slices import read_block
from .page import Embedded, PageMap, deflate, json_bytes
from .views import State, add_mechanisms, add_thumbnails, add_views, keep_held

READ_TIMES: Final = 8
"""Layers are read until they come to so many times the room there is, in float32."""

VIEWED_MAPS: Final = 4
"""Maps whose layer is too large to be held, of which the page holds pictures."""

WORDS_BYTES: Final = 400
"""Room for what is said of a map in words."""


def embed(maps: Maps, state: State, held: Mapping[str, Any], memory: Memory, room: int) -> Embedded:
    """Choose what a page holds and pack it.

    First the images of the map shown and its layer, or pictures of it where it is too large, and
    thumbnails of all heads; then the same of all other maps and steps; then the neighbours of
    these layers, outwards.

    Args:
        maps: named lists of maps.
        state: the traits of the widget, ``heads`` as numbers of the heads shown.
        held: what is on screen, by the kind of request.
        memory: answers given before, of the map shown.
        room: bytes there are. Less than nothing may be left: then not even the names have room.
    """
    page = Embedded(room)
    for name, step in _in_order(maps, state):
        _describe(page, maps, name, step)
    layers = _Layers(page, READ_TIMES * max(room, 0))
    for number, entry in enumerate(page.maps):
        if 0 in entry.attention.shape:
            continue
        _add_images(page, entry)
        layer = min(int(state["layer"]), entry.attention.shape[0] - 1)
        shown = number == 0
        whole = layers.add(entry, layer)
        if shown:
            keep_held(page, entry, held, layer)
        own = memory if shown else Memory()
        if not whole and number < VIEWED_MAPS:
            heads = state["heads"] if shown else tuple(range(entry.attention.shape[1]))
            add_views(page, entry, layer, {**state, "heads": heads}, own)
        if _weights_bytes(entry.attention) > WHOLE_BYTES:
            add_thumbnails(page, entry, layer, own)
        if shown:
            add_mechanisms(page, entry, [layer], state, own)
    for entry, layer in _neighbours(page, int(state["layer"])):
        layers.add(entry, layer)
    for number, entry in enumerate(page.maps):
        count = entry.attention.shape[0]
        first = min(int(state["layer"]), count - 1)
        near = [first, *(at for by in range(1, count) for at in (first + by, first - by))]
        near = [layer for layer in near if 0 <= layer < count]
        add_mechanisms(page, entry, near, state, memory if number == 0 else Memory())
    return page


def halved(packed: Packed) -> Packed | None:
    """Return float32 weights rounded to float16; None where one is too large for it."""
    weights = unpack(packed)
    largest = np.abs(weights[np.isfinite(weights)]).max(initial=0.0)
    if largest > np.finfo(np.float16).max:
        return None
    # Numbers that round to nothing are slow to round.
    tiny = np.abs(weights) < np.finfo(np.float16).smallest_subnormal / 2
    return pack(np.where(tiny, np.float32(0), weights).astype(np.float16), "f2")


class _Layers:
    """Whole layers for a page, as long as there is room and not too much has been read.

    Args:
        page: the page.
        affordable: bytes that may be read, in float32.
    """

    def __init__(self, page: Embedded, affordable: int) -> None:
        self._page = page
        self._affordable = affordable
        self._rounding: bool | None = None

    def add(self, entry: PageMap, layer: int) -> bool:
        """Take in a layer; return whether it is there. After one that isn't, none of its map is."""
        entry.full = entry.full or not self._add(entry, layer)
        return layer in entry.layers

    def _add(self, entry: PageMap, layer: int) -> bool:
        attention = entry.attention
        size = 4 * prod(attention.shape[1:])
        if size > self._affordable:
            return False
        self._affordable -= size
        block = read_block(attention, slice(layer, layer + 1), slice(0, attention.shape[2]))
        described = describe_block(block, attention.dtype)
        weights = described.pop("weights")
        rounded = halved(weights) if weights["dtype"] == "f4" and self._rounds(weights) else None
        added = self._page.add(described, {"weights": rounded or weights})
        if added is None:
            return False
        entry.blocks.append(added)
        entry.layers.add(layer)
        entry.rounded = entry.rounded or rounded is not None
        return True

    def _rounds(self, weights: Packed) -> bool:
        """Return whether all layers have room only as float16, to judge by the first one."""
        if self._rounding is None:
            density = len(deflate(weights)) / max(1, len(weights["data"]))
            all_bytes = sum(_weights_bytes(entry.attention) for entry in self._page.maps)
            self._rounding = density * all_bytes > 0.95 * self._page.room
        return self._rounding


def _in_order(maps: Maps, state: State) -> Iterator[tuple[str, int]]:
    """Yield all maps and steps: the one shown, then the nearest steps of the same name."""
    shown = state["map"], int(state["step"])
    for name in sorted(maps, key=lambda name: name != shown[0]):
        for step in sorted(range(len(maps[name])), key=lambda step: abs(step - shown[1])):
            yield name, step


def _describe(page: Embedded, maps: Maps, name: str, step: int) -> None:
    """Say what the page must know of a map beside its weights."""
    attention = maps[name][step]
    room, axes = page.room, len(page.axes)
    content = describe(attention, 0, list(maps), len(maps[name]))
    content["queries"] = page.axis(content["queries"])
    content["keys"] = page.axis(content["keys"])
    entry = PageMap(attention, name, step, content)
    page.room -= json_bytes(entry.as_json()) + WORDS_BYTES
    if page.room < 0 and page.maps:
        page.room = room
        del page.axes[axes:]
        page.left_out.append(entry.told())
    else:
        page.maps.append(entry)


def _add_images(page: Embedded, entry: PageMap) -> None:
    """Take in copies of a map's images, which take at most a third of the room there is."""
    here = {image["id"] for image in page.images}
    images = images_of(entry.attention.queries, entry.attention.keys)
    new = {name: image for name, image in images.items() if name not in here}
    room = max(0, page.room) // 4
    left, coarse = 0, 0
    for name, copy in page_copies(new, min(IMAGES_BYTES, room)).items():
        if copy is None or not page.add_image(name, copy):
            left += 1
        elif 2 * max(copy.width, copy.height) < min(LONGEST_SIDE, max(new[name].shape[:2])):
            coarse += 1
    for count, what in ((left, ""), (coarse, "details of ")):
        if count:
            which = "the image" if count == 1 else f"{count} images"
            page.left_out.append(f"{what}{which} of {entry.told()}")


def _neighbours(page: Embedded, layer: int) -> Iterator[tuple[PageMap, int]]:
    """Yield the other layers of all maps, the nearest of each before the next of any."""
    most = max(entry.attention.shape[0] for entry in page.maps)
    for distance in range(1, most):
        for entry in page.maps:
            count = entry.attention.shape[0]
            centre = min(layer, count - 1)
            for near in (centre + distance, centre - distance):
                if not entry.full and 0 <= near < count and 0 not in entry.attention.shape:
                    yield entry, near


def _weights_bytes(attention: Attention) -> int:
    return 4 * prod(attention.shape)
