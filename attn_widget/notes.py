"""Notes that say where a map must be read with care: short, with numbers, each with its page.

``docs/care.md`` has a section for each kind of note. What calls for one is in `thresholds`.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from .account import sinks_of
from .attention import Attention
from .axes import Axis, Patches
from .evidence.heads import LayerNumbers, read_layer
from .evidence.places import places_of
from .panels import Role, rects_of, roles_of
from .streams import sampled_rows
from .tasks import run_steps
from .thresholds import (
    FEW_QUERIES,
    FLATTENED,
    NEAR_UNIFORM,
    PADDING_SHARE,
    ROW_SUM,
    SINK_QUERIES,
    SINK_SCORE,
    SINK_TIMES_UNIFORM,
    SPECIAL_SHARE,
    UNSEEN_SHARE,
)

PAGE: Final = "docs/care.md"
"""Where the notes are explained, each under its kind."""

KINDS: Final = (
    "not-finite",
    "cropped",
    "row-sums",
    "masked-rows",
    "padding",
    "flattened",
    "sink",
    "special-tokens",
    "near-uniform",
)
"""The kinds of notes, in the order in which they are given: what is wrong before what misleads."""

CELLS: Final = 1 << 22
"""Weights read of the heads shown at most, beyond some queries."""

LEAST_QUERIES: Final = 16
"""Queries read of each head at least."""

_RASTER: Final = 256
"""Places on each side of an image where it is asked whether a patch covers them."""


@dataclass(frozen=True)
class Note:
    """Something to know about a map before believing it."""

    kind: str
    """What it is about; one of `KINDS`."""
    text: str
    """One or two sentences, with numbers."""
    page: str
    """Where it is explained: a page of the documentation, and the place on it."""

    def to_json(self) -> dict[str, str]:
        """Return the note as a dict of strings."""
        return asdict(self)


def notes(att: Attention, layer: int = 0, heads: Sequence[int] | None = ()) -> list[Note]:
    """Return what to take care of in some heads of a layer.

    Of long maps some queries are read, spread evenly, and the notes say so.

    Args:
        att: the map.
        layer: the layer.
        heads: the heads; ``()`` means all, None none, as in the widget.

    Raises:
        IndexError: if there is no such layer or head.
    """
    return run_steps(notes_steps(att, layer, heads))


def notes_steps(
    att: Attention, layer: int = 0, heads: Sequence[int] | None = ()
) -> Generator[float, None, list[Note]]:
    """Do the work of :func:`notes` in steps of some 50 ms at most.

    Args:
        att: the map.
        layer: the layer.
        heads: the heads; ``()`` means all, None none.

    Yields:
        The share done, 0..1, rising.

    Returns:
        The notes, in the order of `KINDS`; none where all is well.
    """
    if heads is None or 0 in att.shape:
        return []
    shown = att.select(layers=layer, heads=list(heads) if len(heads) else None)
    _, count, queries, keys = shown.shape
    wanted = max(LEAST_QUERIES, CELLS // (count * keys))
    rows = sampled_rows(shown, slice(0, queries), wanted, count * keys)
    yield 0.0
    places = places_of(shown, texts=False)
    yield 0.0
    numbers = yield from read_layer(shown, 0, rows, places)
    look = _Look(shown, rows, numbers)
    found = {kind: [*_RULES[kind](look)] for kind in KINDS if shown.kind in _ABOUT[kind]}
    return [
        Note(kind, _full_stop(text, look), f"{PAGE}#{kind}")
        for kind, texts in found.items()
        for text in texts
    ]


@dataclass(frozen=True)
class _Look:
    """What the rules look at: the heads shown, the queries read, and their numbers."""

    shown: Attention
    rows: NDArray[np.intp]
    numbers: LayerNumbers

    def __getitem__(self, name: str) -> NDArray[Any]:
        return self.numbers.statistics[name]

    @property
    def keys(self) -> int:
        return self.shown.shape[3]

    @cached_property
    def roles(self) -> tuple[Role, ...]:
        """What each key is."""
        return roles_of(self.shown.keys)

    def heads(self, which: NDArray[np.bool_]) -> str:
        """Return how many heads these are: "3 of 12 heads", "all 12 heads", "this head"."""
        count, every = int(which.sum()), len(which)
        if every == 1:
            return "this head"
        return f"all {every} heads" if count == every else f"{count} of {every} heads"


def _near_uniform(look: _Look) -> Iterator[str]:
    values = look["relative_entropy"]
    flat = values >= NEAR_UNIFORM
    if flat.any():
        yield (
            f"Nearly uniform: {look.heads(flat)} (relative entropy "
            f"{_span(values[flat])}). Small differences between weights say little here"
        )


def _sink(look: _Look) -> Iterator[str]:
    score, where = look["sink_score"], look["sink_position"]
    asking = [SINK_QUERIES if look.roles[key] == "image" else FEW_QUERIES for key in where]
    resting = (score > SINK_SCORE) & (score * look.keys > SINK_TIMES_UNIFORM)
    resting &= np.array(asking) <= look.shown.shape[2]
    positions, counts = np.unique(where[resting], return_counts=True)
    if len(positions):
        # Of several sinks the one that most heads rest on; the first of equals.
        position = int(positions[counts.argmax()])
        here = resting & (where == position)
        others = len(positions) - 1
        more = f"; {others} more {'key is a sink' if others == 1 else 'keys are sinks'}"
        yield (
            f"Sink: {_named(look, position)} takes {_span(score[here])} of the weight "
            f"of {look.heads(here)}, whichever query asks{more if others else ''}"
        )
    patches = _patch_sinks(look)
    if patches and not len(positions):
        share = float(look.numbers.received[list(patches)].sum())
        count = _counted(len(patches), "patch takes", "patches take")
        yield f"Sink: {count} {share:.2f} of the weight, whichever query asks"


def _patch_sinks(look: _Look) -> tuple[int, ...]:
    received = look.numbers.received.astype(np.float32)
    return sinks_of(received, look.roles, look.shown.shape[2])


def _special_tokens(look: _Look) -> Iterator[str]:
    share = look["special_share"]
    taken = share > SPECIAL_SHARE
    # What the note on sinks says already.
    rest_on_special = (
        np.isin(look["sink_position"], look.shown.keys.special)
        & (look["sink_score"] > SINK_SCORE)
        & (look.shown.kind in _ABOUT["sink"])
    )
    if (taken & ~rest_on_special).any():
        labels = dict.fromkeys(look.shown.keys.shown[key] for key in look.shown.keys.special)
        yield (
            f"Special tokens ({_few([*labels])}) take {_span(share[taken])} of the weight of "
            f"{look.heads(taken)}. What is left for the text is small"
        )


def _padding(look: _Look) -> Iterator[str]:
    share = look["padding_share"]
    taken = share > PADDING_SHARE
    if taken.any():
        yield (
            f"Padding outside the image takes {_span(share[taken])} of the weight of "
            f"{look.heads(taken)}"
        )


def _row_sums(look: _Look) -> Iterator[str]:
    least, most = look["row_sum_least"], look["row_sum_most"]
    known = np.isfinite(least)
    low, high = (least < 1 - ROW_SUM) & known, (most > 1 + ROW_SUM) & known
    if high.any():
        yield (
            f"Rows sum to up to {most[high].max():.3g} in {look.heads(high)}: these weights are no "
            "shares of a whole"
        )
    elif low.any():
        yield (
            f"Rows sum to less than 1 in {look.heads(low)}: {_span(look['row_sum'][low])} on "
            f"average, {least[low].min():.2f} at least. The rest went elsewhere, such as to a "
            "learned sink, or was cut away"
        )


def _masked_rows(look: _Look) -> Iterator[str]:
    empty = np.rint(look["empty_rows"] * len(look.rows)).astype(int)
    if empty.any():
        count = _counted(int(empty.max()), "query attends", "queries attend")
        yield f"{count} to nothing, of {len(look.rows):,}: masked, padding or missing"


def _not_finite(look: _Look) -> Iterator[str]:
    bad = int(look["not_finite"].sum())
    if bad:
        which = look["not_finite"] > 0
        yield (
            f"{_counted(bad, 'weight is', 'weights are')} missing or infinite in "
            f"{look.heads(which)}; they count nothing"
        )


_OF_POSITIONS: Final = ("merge_words", "drop_positions")
"""What is done to the positions of a map makes it no flatter."""


def _flattened(look: _Look) -> Iterator[str]:
    values = look["relative_entropy"]
    flat = values >= FLATTENED
    if flat.any():
        steps = [
            step.method.replace("_", " ")
            for step in look.shown.made
            if step.method not in _OF_POSITIONS
        ]
        what = f"this {steps[-1]}" if steps else "this map"
        peak = float((look["confidence"] / look["row_sum"])[flat].max()) * look.keys
        yield (
            f"Flattened: {what} is nearly even over all positions (relative entropy "
            f"{_span(values[flat])}); its strongest are {peak:.1f} times the mean"
        )


def _cropped(look: _Look) -> Iterator[str]:
    unseen = max(map(unseen_share, {look.shown.keys, look.shown.queries}), default=0.0)
    if unseen > UNSEEN_SHARE:
        yield (
            f"{unseen:.0%} of the image lies outside what the model saw. Nothing is known there, "
            "which is not a weight of 0"
        )


def unseen_share(axis: Axis) -> float:
    """Return the share of an image that no patch of an axis covers; of several, the largest.

    Images that only boxes lie on count as seen: boxes are not meant to cover them.
    """
    rects = rects_of(axis)
    by_image: dict[int, tuple[tuple[int, int], list[NDArray[np.float64]]]] = {}
    for start, segment in zip(axis.starts, axis.segments, strict=False):
        if isinstance(segment, Patches) and segment.image is not None:
            size = segment.image.shape[1], segment.image.shape[0]
            _, parts = by_image.setdefault(id(segment.image), (size, []))
            parts.append(rects[start : start + len(segment)])
    shares = [_uncovered(np.concatenate(parts), size) for size, parts in by_image.values()]
    return max(shares, default=0.0)


def _uncovered(rects: NDArray[np.float64], size: tuple[int, int]) -> float:
    """Return the share of places of an image, evenly spread, that no rectangle covers."""
    seen = np.zeros((_RASTER, _RASTER), dtype=bool)
    known = rects[np.isfinite(rects).all(axis=1)]
    scale = _RASTER / np.array([*size, *size])
    edges = np.clip(np.ceil(known * scale - 0.5), 0, _RASTER).astype(int)
    for left, top, right, bottom in np.unique(edges, axis=0).tolist():
        seen[top:bottom, left:right] = True
    return float(1 - seen.mean())


def _named(look: _Look, position: int) -> str:
    """Return a key as it can be found, and what it is."""
    label, role = look.shown.keys.shown[position], look.roles[position]
    if role == "special":
        what = "a special token"
    elif role != "text":
        what = "a patch"
    elif position == 0:
        what = "the first token"
    elif not any(character.isalnum() for character in label):
        what = "punctuation"
    else:
        what = f"token {position}"
    return f"{label} ({what})"


def _span(values: NDArray[np.float64]) -> str:
    """Return the range of some values, as one number where they are the same when rounded."""
    least, most = (f"{value:.2f}" for value in (values.min(), values.max()))
    return least if least == most else f"{least} to {most}"


def _counted(count: int, one: str, several: str) -> str:
    return f"{count:,} {one if count == 1 else several}"


def _few(labels: Sequence[str]) -> str:
    return ", ".join(labels[:3]) + (" …" if len(labels) > 3 else "")


def _full_stop(text: str, look: _Look) -> str:
    queries = look.shown.shape[2]
    read = "" if len(look.rows) == queries else f" (from {len(look.rows):,} of {queries:,} queries)"
    return f"{text}{read}."


_RULES: Final[dict[str, Callable[[_Look], Iterator[str]]]] = {
    "not-finite": _not_finite,
    "cropped": _cropped,
    "row-sums": _row_sums,
    "masked-rows": _masked_rows,
    "padding": _padding,
    "flattened": _flattened,
    "sink": _sink,
    "special-tokens": _special_tokens,
    "near-uniform": _near_uniform,
}

_SHARES: Final = ("weight", "relevance", "norm")
_ABOUT: Final[dict[str, tuple[str, ...]]] = {
    "not-finite": ("weight", "score", "relevance", "norm", "difference"),
    "cropped": ("weight", "score", "relevance", "norm", "difference"),
    "row-sums": ("weight",),
    "masked-rows": ("weight",),
    "padding": _SHARES,
    "flattened": ("relevance",),
    "sink": ("weight",),
    "special-tokens": _SHARES,
    "near-uniform": ("weight",),
}
"""What kinds of maps each note is about."""
