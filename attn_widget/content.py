"""What the page must know of a map beside its weights: names, axes, shape."""

from __future__ import annotations

from typing import Any

from . import protocol
from .attention import Attention
from .axes import Axis, word_runs
from .codec import pack, wire_dtype
from .methods import merge_words
from .slices import Block, can_merge_words

JsonAxis = dict[str, Any]


def describe(attention: Attention) -> dict[str, Any]:
    """Return what the page must know of a map, as JSON values."""
    same = attention.keys is attention.queries
    merged = merge_words(attention) if can_merge_words(attention) else None
    return {
        "name": attention.name,
        "kind": attention.kind,
        "shape": list(attention.shape),
        "exact": wire_dtype(attention.dtype) == "f4",
        "queries": describe_axis(attention.queries, merged and merged.queries),
        "keys": None if same else describe_axis(attention.keys, merged and merged.keys),
    }


def describe_axis(axis: Axis, merged: Axis | None) -> JsonAxis:
    """Return an axis as JSON values: readable labels, exact ones where they differ, roles.

    ``merged`` is the same axis with its sub-words merged, if words are known on either side.
    """
    shown = [_cut(label) for label in axis.shown]
    exact = {
        str(index): _cut(label)
        for index, label in enumerate(axis.labels)
        if label != axis.shown[index]
    }
    return {
        "labels": shown,
        "exact": exact,
        "special": list(axis.special),
        "words": None
        if merged is None
        else {
            "starts": [run.start for run in word_runs(axis)],
            "labels": [_cut(label) for label in merged.shown],
            "special": list(merged.special),
        },
    }


def describe_block(block: Block, dtype: str) -> dict[str, Any]:
    """Return a block of weights for the wire."""
    return {
        "layers": list(block.layers),
        "queries": list(block.queries),
        "full": block.full,
        "weights": dict(pack(block.weights, dtype)),
    }


def _cut(label: str) -> str:
    # A lone surrogate can't be encoded for the page.
    safe = label.encode("utf-8", "replace").decode("utf-8") if not label.isascii() else label
    if len(safe) <= protocol.LABEL_CHARACTERS:
        return safe
    return safe[: protocol.LABEL_CHARACTERS - 1] + "…"
