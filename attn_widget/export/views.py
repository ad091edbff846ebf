"""What views show of maps too large to be in a page whole: the answers they would ask for."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from itertools import product
from typing import Any, Final

from ..answers import Reply, reply_steps
from ..attention import Attention
from ..content import describe_block
from ..memory import Memory
from ..methods import merge_words
from ..protocol import EDGES_CELLS, EDGES_LIMIT, FOCUS_ABOVE, VERSION
from ..slices import Block, block_plan, can_merge_words, layer_full_value
from .page import Embedded, PageMap

State = Mapping[str, Any]

ALONE_HEADS: Final = 16
"""Heads of such a layer that the matrix also shows alone."""

BLOCKS_ABOVE: Final = 2048
"""With more positions on either side, all lines are those between blocks of them."""

MOST_BLOCKS: Final = 256
"""Blocks on either side that the page asks for."""

OVERVIEW_CELLS: Final = 512
"""Cells on either side of the matrix's overview, as the page asks for it."""

LEAST_CELLS: Final = 64
"""A coarser overview shows little."""

THUMBNAIL_CELLS: Final = 48
"""Cells on either side of a thumbnail at most."""

SAMPLED_WEIGHTS: Final = 1 << 28
"""Most weights that are read for thumbnails, 16 rows of each head at least."""

NEIGHBOURS: Final = 12
"""Columns that the page asks for on either side of a pinned key."""

FILTERS: Final = (
    "heads", "combine", "direction", "mass", "threshold", "top_k", "special", "scale", "words"
)  # fmt: skip
"""The state that lines depend on, beside the layer."""


def keep_held(page: Embedded, entry: PageMap, held: Mapping[str, Any], layer: int) -> None:
    """Take in what is on screen, where it can't be made of the layers that are there."""
    for kind, value in held.items():
        if kind == "mechanism":
            # What there is room for is asked for below, this first.
            continue
        shows = value["request"].get("layer", layer)
        if layer not in entry.layers and shows == layer:
            _add(page, entry, kind, value, held=True)


def add_views(page: Embedded, entry: PageMap, layer: int, state: State, memory: Memory) -> None:
    """Take in what views show of a layer, what is pinned and the heads shown first."""
    before = len(entry.blocks) + len(entry.answers)
    attention = entry.attention
    words = state["words"] and can_merge_words(attention)
    shown = merge_words(attention) if words else attention
    _, count, queries, keys = shown.shape
    pinned, near = _rows(attention, layer, state)
    for block in pinned:
        _add_block(page, entry, block)
    _add_columns(page, entry, layer, state, memory)
    if state["whole"] or (state["whole"] is None and max(queries, keys) <= FOCUS_ABOVE):
        fields = {**{name: state[name] for name in FILTERS}, "layer": layer, "words": words}
        if state["aside"]:
            # As the page asks: only where there are any.
            fields["aside"] = list(state["aside"])
        cells = len(state["heads"]) * queries * keys
        if max(queries, keys) > BLOCKS_ABOVE or cells > EDGES_CELLS:
            fields["blocks"] = [min(queries, MOST_BLOCKS), min(keys, MOST_BLOCKS)]
        _ask(page, entry, "edges", {**fields, "limit": EDGES_LIMIT}, memory, held=True)
    region = {
        "layer": layer,
        "combine": "max" if state["combine"] == "max" else "mean",
        "rows": [0, queries],
        "cols": [0, keys],
        "words": words,
        "exact": False,
    }
    heads = list(state["heads"])
    cells = OVERVIEW_CELLS if heads else 0
    while cells >= LEAST_CELLS:
        fields = {**region, "heads": heads, "size": [min(queries, cells), min(keys, cells)]}
        # The page takes what is held for an overview in whatever size it has.
        if _ask(page, entry, "region", fields, memory, held=True):
            break
        cells //= 2
    add_thumbnails(page, entry, layer, memory)
    for block in near:
        if _add_block(page, entry, block):
            break
    size = [min(queries, OVERVIEW_CELLS), min(keys, OVERVIEW_CELLS)]
    for head in range(min(count, ALONE_HEADS)):
        if not _ask(page, entry, "region", {**region, "heads": [head], "size": size}, memory):
            break
    if len(entry.blocks) + len(entry.answers) > before:
        entry.viewed = layer


def add_thumbnails(page: Embedded, entry: PageMap, layer: int, memory: Memory) -> None:
    """Take in thumbnails of all heads, or of the layer shown where that is too much work."""
    if any(answer["kind"] == "thumbnails" for answer in entry.answers):
        return
    layers, heads, _, keys = entry.attention.shape
    many = layers * heads * keys * 16 > SAMPLED_WEIGHTS
    span = [layer, layer + 1] if many else [0, layers]
    cells = THUMBNAIL_CELLS
    while cells >= 6:
        size = [cells, cells]
        if _ask(page, entry, "thumbnails", {"layers": span, "size": size}, memory):
            return
        cells //= 2


def add_mechanisms(
    page: Embedded, entry: PageMap, layers: Iterable[int], state: State, memory: Memory
) -> None:
    """Take in how the weights of some layers come about, the heads shown first.

    Of heads too large for it, the rows of the pinned queries, else that of the first plain one.
    """
    attention = entry.attention
    travels = entry.content["mechanism"]
    if travels is None or entry.unexplained:
        return
    _, count, queries, _ = attention.shape
    heads = list(dict.fromkeys([*state["heads"], *range(count)]))
    pinned = [query for query in state["pinned_queries"] if query < queries]
    for layer, head in product(layers, heads if travels == "whole" else heads[:1]):
        if (layer, head) in entry.explained:
            continue
        asked: list[dict[str, Any]] = [{"layer": layer, "head": head}]
        if travels == "row":
            keys = [[], *([key] for key in state["pinned_keys"] if key < attention.shape[3])]
            rows = product(pinned or [attention.queries.first_plain], reversed(keys))
            asked = [{**asked[0], "query": query, "keys": of} for query, of in rows]
        for fields in asked:
            page.reading -= queries if travels == "whole" else 1
            if page.reading < 0 or not _ask(page, entry, "mechanism", fields, memory, held=True):
                entry.unexplained = True
                return
            entry.explained.add((layer, head))


def _rows(attention: Attention, layer: int, state: State) -> tuple[list[Block], list[Block]]:
    """Read the rows of the pinned queries, and those that a page gets unasked: all, or fewer."""
    pinned = [query for query in state["pinned_queries"] if query < attention.shape[2]]
    focus = min(pinned, default=0)
    _, near = block_plan(attention, layer, focus, _rows_room(attention))
    largest = attention[layer : layer + 1, :, near, :]
    # The same for all rows: a page draws the layer by the last it hears.
    full = [layer_full_value(attention, layer, largest[0])]
    blocks = []
    for query in pinned:
        row = attention[layer : layer + 1, :, query : query + 1, :]
        blocks.append(Block((layer, layer + 1), (query, query + 1), row, full))
    smaller = []
    start, stop = near.start, near.stop
    while stop > start:
        part = largest[:, :, start - near.start : stop - near.start]
        smaller.append(Block((layer, layer + 1), (start, stop), part, full))
        start, stop = (start + focus + 1) // 2, (stop + focus) // 2
    return blocks, smaller


def _rows_room(attention: Attention) -> int:
    """Return less room than a layer takes: the page has none for it."""
    _, heads, queries, keys = attention.shape
    return heads * queries * keys - 1


def _add_block(page: Embedded, entry: PageMap, block: Block) -> bool:
    described = describe_block(block, entry.attention.dtype)
    weights = described.pop("weights")
    added = page.add(described, {"weights": weights})
    if added is not None:
        entry.blocks.append(added)
    return added is not None


def _add_columns(page: Embedded, entry: PageMap, layer: int, state: State, memory: Memory) -> None:
    """Take in the columns of pinned keys, and those that are asked for with them."""
    keys = entry.attention.shape[3]
    for key in state["pinned_keys"]:
        if key < keys:
            start, stop = max(0, key - NEIGHBOURS), min(keys, key + 1 + NEIGHBOURS)
            fields = {"layer": layer, "side": "key", "start": start, "stop": stop}
            _ask(page, entry, "rows", fields, memory)


def _ask(
    page: Embedded,
    entry: PageMap,
    kind: str,
    fields: dict[str, Any],
    memory: Memory,
    *,
    held: bool = False,
) -> bool:
    """Take in an answer; return whether there was one and room for it."""
    asked = _key(kind, fields)
    if any(_key(answer["kind"], answer["request"]) == asked for answer in entry.answers):
        return True
    request = {"v": VERSION, "id": "page", "kind": kind, "hold": True, **fields}
    steps = reply_steps(entry.attention, request, 0, memory)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            reply: Reply = end.value
            break
    # What is on screen is held already.
    held = held and not any(known["held"] for known in entry.answers if known["kind"] == kind)
    _, value = reply.held or ("", "")
    return isinstance(value, dict) and _add(page, entry, kind, value, held=held)


def _add(page: Embedded, entry: PageMap, kind: str, value: dict[str, Any], *, held: bool) -> bool:
    apart = ("request", "arrays", "revision")
    fields = {name: item for name, item in value.items() if name not in apart}
    described = {"kind": kind, "request": value["request"], "fields": fields, "held": held}
    added = page.add(described, value["arrays"])
    if added is not None:
        entry.answers.append(added)
    return added is not None


def _key(kind: str, request: Mapping[str, Any]) -> str:
    """Return the same for the same request; an exact answer serves for a preview."""
    fields = {name: value for name, value in request.items() if name != "exact"}
    return json.dumps([kind, fields], sort_keys=True)
