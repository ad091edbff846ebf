"""What an exported page is made of: its maps, their axes and images, and deflated arrays.

``js/src/embedded.ts`` reads what is written here.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from ..attention import Attention
from ..codec import Packed
from ..copies import Copy

BLOB: Final = ('<script type="text/plain">', "</script>\n")

EXPLAINED_ROWS: Final = 4096
"""Queries whose mechanism is read for a page at most: more would take long."""

NAME_CHARACTERS: Final = 40
"""Longer names are cut in sentences."""


@dataclass
class PageMap:
    """A map in the page: ``blocks`` are weights, ``answers`` what its views would ask for."""

    attention: Attention
    name: str
    step: int
    content: dict[str, Any]
    blocks: list[dict[str, Any]] = field(default_factory=list)
    answers: list[dict[str, Any]] = field(default_factory=list)
    layers: set[int] = field(default_factory=set)
    """Layers held whole."""
    rounded: bool = False
    viewed: int | None = None
    """The layer of which there are pictures, being too large."""
    full: bool = False
    """Whether a layer had no room."""
    explained: set[tuple[int, int]] = field(default_factory=set)
    """Layers and heads of which the page holds how their weights come about."""
    unexplained: bool = False
    """Whether one of these had no room."""

    def as_json(self) -> dict[str, Any]:
        """Return the map as the page reads it."""
        return {
            "name": self.name,
            "step": self.step,
            "content": {**self.content, "exact": self.content["exact"] and not self.rounded},
            "blocks": self.blocks,
            "answers": self.answers,
            "here": self.here(),
            "missing": self.missing(),
        }

    def told(self) -> str:
        """Return the map's name and step in words."""
        name = self.name[:NAME_CHARACTERS]
        return name if self.content["steps"] == 1 else f"step {self.step} of {name}"

    def here(self) -> str:
        """Return what of the map is in the page, in words; empty for nothing."""
        parts = [layers_text(self.layers)] if self.layers else []
        if self.viewed is not None:
            parts.append(f"pictures of layer {self.viewed}")
        elif any(answer["kind"] == "thumbnails" for answer in self.answers):
            parts.append("thumbnails of all heads")
        if self.explained:
            one = len(self.explained) == 1
            parts.append(f"the mechanism of {len(self.explained)} head{'' if one else 's'}")
        return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)

    def missing(self) -> str:
        """Return the layers that are not in the page whole, in words; empty for none."""
        left = set(range(self.attention.shape[0])) - self.layers
        if not left or 0 in self.attention.shape:
            return ""
        return layers_text(left) + ("" if self.viewed is None else " in full")


@dataclass
class Embedded:
    """What a page holds: its maps, their axes and images, and deflated arrays in base64."""

    room: int
    """Bytes that are left."""
    axes: list[str] = field(default_factory=list)
    images: list[dict[str, Any]] = field(default_factory=list)
    maps: list[PageMap] = field(default_factory=list)
    blobs: list[str] = field(default_factory=list)
    reading: int = EXPLAINED_ROWS
    """Queries whose mechanism may still be read."""
    left_out: list[str] = field(default_factory=list)
    """Maps that have no place at all."""

    def add(self, described: dict[str, Any], arrays: Mapping[str, Packed]) -> dict[str, Any] | None:
        """Take in some arrays with what is said of them; None where there is no room for them."""
        if sum(len(packed["data"]) for packed in arrays.values()) > 64 * max(self.room, 0):
            return None
        texts = [deflate(packed) for packed in arrays.values()]
        stored = {
            name: {
                "dtype": packed["dtype"],
                "shape": packed["shape"],
                "data": len(self.blobs) + number,
            }
            for number, (name, packed) in enumerate(arrays.items())
        }
        entry = {**described, "arrays": stored}
        size = sum(len(text) + len("".join(BLOB)) for text in texts) + json_bytes(entry) + 2
        if size > self.room:
            return None
        self.room -= size
        self.blobs += texts
        return entry

    def add_image(self, name: str, copy: Copy) -> bool:
        """Take in a copy of an image; return whether there is room for it."""
        fields = {"type": copy.type, "width": copy.width, "height": copy.height}
        stored: Packed = {"dtype": "u1", "shape": [len(copy.data)], "data": copy.data}
        added = self.add({"id": name, "fields": fields}, {"bytes": stored})
        if added is not None:
            self.images.append(added)
        return added is not None

    def axis(self, described: dict[str, Any] | None) -> int | None:
        """Return the number of an axis among those of the page."""
        if described is None:
            return None
        text = script_json(described)
        if text not in self.axes:
            self.axes.append(text)
            self.room -= len(text.encode()) + 2
        return self.axes.index(text)


def deflate(packed: Packed) -> str:
    """Return an array deflated, in base64: its bytes as planes of equal significance.

    Bytes of the same significance are alike, and come out some 10 % smaller.
    """
    size = int(packed["dtype"][1:])
    planes = np.frombuffer(packed["data"], np.uint8).reshape(-1, size).T
    packer = zlib.compressobj(1, zlib.DEFLATED, -zlib.MAX_WBITS)
    return base64.b64encode(packer.compress(planes.tobytes()) + packer.flush()).decode()


def script_json(value: Any) -> str:
    """Return JSON that can stand in a script element: nothing in it ends the element."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=_plain)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def json_bytes(value: Any) -> int:
    """Return the bytes that a value takes as JSON in a script element."""
    return len(script_json(value).encode("utf-8", "replace"))


def layers_text(layers: Iterable[int]) -> str:
    """Return layers in words: ``layer 3``, ``layers 0–2 and 5``."""
    runs: list[list[int]] = []
    for layer in sorted(layers):
        if runs and runs[-1][1] == layer - 1:
            runs[-1][1] = layer
        else:
            runs.append([layer, layer])
    parts = [str(first) if first == last else f"{first}–{last}" for first, last in runs]
    several = len(runs) > 1 or runs[0][0] != runs[0][1]
    text = parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
    return f"layer{'s' if several else ''} {text}"


def _plain(value: Any) -> Any:
    """Return a NumPy number as a plain one."""
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"expected JSON values; got {type(value).__name__}")
