"""What the page must know of a map beside its weights: names, axes, shape."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from . import protocol
from .answers.mechanism import mechanism_travels
from .attention import Attention
from .axes import Axis, Boxes, Tokens, word_runs
from .codec import pack, wire_dtype
from .copies import images_of, page_copies
from .cost import cost_line
from .images import image_id
from .methods import Method, merge_words
from .slices import Block, can_merge_words

JsonAxis = dict[str, Any]


def describe(
    attention: Attention,
    revision: int,
    maps: list[str],
    steps: int,
    methods: Sequence[Method] = (),
) -> dict[str, Any]:
    """Return what the page must know of a map, as JSON values.

    Args:
        attention: the map shown.
        revision: counts the maps shown, so that late answers are known as such.
        maps: names of all maps.
        steps: how many steps the map shown has.
        methods: the methods to choose from.
    """
    merged = merge_words(attention) if can_merge_words(attention) else None
    same = attention.keys is attention.queries
    images = images_of(attention.queries, attention.keys)
    return {
        "v": protocol.VERSION,
        "revision": revision,
        "maps": maps,
        "steps": steps,
        "name": attention.name,
        "kind": attention.kind,
        "made": " · ".join(step.brief for step in attention.made),
        "cost": cost_line(attention),
        "methods": [[method.name, method.label, method.description] for method in methods],
        "shape": list(attention.shape),
        "mechanism": mechanism_travels(attention),
        "exact": wire_dtype(attention.dtype) == "f4",
        "images": {
            name: {"width": image.shape[1], "height": image.shape[0]}
            for name, image in images.items()
        },
        "queries": describe_axis(attention.queries, merged.queries if merged else None),
        "keys": None if same else describe_axis(attention.keys, merged.keys if merged else None),
    }


def describe_images(attention: Attention) -> dict[str, Any]:
    """Return copies of the images of a map for the wire; None for one that has no room."""
    copies = page_copies(images_of(attention.queries, attention.keys))
    return {name: None if copy is None else vars(copy) for name, copy in copies.items()}


def block_room(content: dict[str, Any], images: dict[str, Any] | None = None) -> int:
    """Return the bytes left for weights in a message that also carries ``content``.

    ``images`` are those that travel with them, if any.
    """
    taken = len(json.dumps(content, ensure_ascii=False).encode()) if content else 0
    taken += sum(len(copy["data"]) for copy in (images or {}).values() if copy)
    return max(0, protocol.MESSAGE_BYTES - protocol.MODULE_BYTES - taken)


def describe_axis(axis: Axis, merged: Axis | None) -> JsonAxis:
    """Return an axis as JSON values: readable labels, exact ones where they differ, roles.

    ``merged`` is the same axis with its sub-words merged, if words are known on either side.
    """
    most = _characters(axis.shown)
    shown = [_cut(label, most) for label in axis.shown]
    exact = {
        str(index): _cut(label, most)
        for index, label in enumerate(axis.labels)
        if label != axis.shown[index]
    }
    return {
        "labels": shown,
        "exact": exact if most == protocol.LABEL_CHARACTERS else {},
        "special": list(axis.special),
        "parts": [*_parts(axis)],
        "words": None
        if merged is None
        else {
            "starts": [run.start for run in word_runs(axis)],
            "labels": [_cut(label, most) for label in merged.shown],
            "special": list(merged.special),
        },
    }


def _parts(axis: Axis) -> Iterator[dict[str, Any]]:
    """Yield the stretches of positions that lie on an image or on a grid of their own."""
    for start, segment in zip(axis.starts, axis.segments, strict=False):
        if isinstance(segment, Tokens):
            continue
        image = None if segment.image is None else image_id(segment.image)
        place = {"start": start, "stop": start + len(segment), "image": image}
        if isinstance(segment, Boxes):
            yield {**place, "kind": "boxes", "boxes": segment.regions.tolist()}
            continue
        region = segment.region or (0.0, 0.0, float(segment.cols), float(segment.rows))
        yield {
            **place,
            "kind": "patches",
            "rows": segment.rows,
            "cols": segment.cols,
            "region": list(region),
            "order": None if segment.order == "raster" else segment.cells.tolist(),
        }


def describe_block(block: Block, dtype: np.dtype[Any]) -> dict[str, Any]:
    """Return a block of weights, stored as ``dtype``, for the wire."""
    return {
        "layers": list(block.layers),
        "queries": list(block.queries),
        "full": block.full,
        "weights": dict(pack(block.weights, wire_dtype(dtype))),
    }


def _characters(labels: Sequence[str]) -> int:
    """Return the length to which labels are cut: less than usual on very long axes."""
    most = protocol.LABEL_CHARACTERS
    # Quotes, comma and space.
    around = 4 * len(labels)
    if sum(len(label[:most].encode("utf-8", "replace")) for label in labels) + around <= (
        protocol.LABELS_BYTES
    ):
        return most
    widest = 1 if all(label.isascii() for label in labels) else 4
    return max(1, min(most, (protocol.LABELS_BYTES - around) // (widest * len(labels))))


def _cut(label: str, most: int) -> str:
    # A lone surrogate can't be encoded for the page.
    safe = label.encode("utf-8", "replace").decode("utf-8") if not label.isascii() else label
    return safe if len(safe) <= most else safe[: most - 1] + "…"
