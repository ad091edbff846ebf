"""Where positions stand: queries among the keys, tokens in a text, patches in space."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ..attention import Attention
from ..axes import Axis, Tokens
from ..panels import rects_of, roles_of
from ..qk.rules import Reach
from ..sources import SelectionSource, Source
from .patterns import Ids, ids_of

Unit = Literal["tokens", "pixels"]


@dataclass(frozen=True)
class Centres:
    """Where positions lie on pictures."""

    points: NDArray[np.float64]
    """(n, 2) the middle of each, in pixels of the original image; NaN for none."""
    pictures: NDArray[np.int64]
    """(n,) which picture each lies on, -1 for none."""


@dataclass(frozen=True)
class Places:
    """What a map's statistics must know of its positions."""

    positions: Ids
    """(Q,) where each query stands among the keys; -1 where it is none of them."""
    reach: Reach | None
    """Which keys a query may attend to; None where that has to be seen from the weights."""
    tokens: tuple[Ids, Ids] | None
    """(Q,) and (K,) the same number for the same token, -1 for none; None where not known."""
    centres: tuple[Centres, Centres] | None
    """Of queries and keys, where distances are measured in space."""
    special: NDArray[np.intp]
    """Special keys."""
    image: NDArray[np.intp]
    """Keys that lie on an image, at least in part."""
    padding: NDArray[np.intp]
    """Keys of a grid that lie wholly outside its image."""

    @property
    def unit(self) -> Unit:
        """What distances are measured in."""
        return "tokens" if self.centres is None else "pixels"


def places_of(
    attention: Attention,
    tokens: Iterable[Hashable | None] | None = None,
    *,
    texts: bool = True,
) -> Places:
    """Return where the positions of a map stand.

    Distances are in space where all keys but special ones lie on pictures; else along the text.

    Args:
        attention: the map.
        tokens: the token at each key, text or ids; the labels of the axis if None.
        texts: whether tokens are wanted at all.

    Raises:
        ValueError: if there is not one token a key.
    """
    keys = attention.keys
    positions = _positions(attention)
    roles = np.array(roles_of(keys), dtype=object)
    in_space = bool((roles == "image").any()) and not (roles == "text").any()
    return Places(
        positions=positions,
        reach=_reach(attention.source),
        tokens=_tokens(attention, positions, tokens) if texts else None,
        centres=_centres(attention) if in_space else None,
        special=np.asarray(keys.special, dtype=np.intp),
        image=np.flatnonzero(roles == "image"),
        padding=np.flatnonzero(roles == "padding"),
    )


def _reach(source: Source) -> Reach | None:
    if isinstance(source, SelectionSource):
        whole, picks = source.origin
        # A part of the queries keeps its keys; a part of the keys no longer knows its own.
        return _reach(whole) if list(picks[3]) == list(range(whole.shape[3])) else None
    reach = getattr(source, "reach", None)
    return reach if isinstance(reach, Reach) else None


def _positions(attention: Attention) -> Ids:
    standing = _standing(attention.source)
    if standing is not None:
        return standing
    _, _, queries, keys = attention.shape
    # With cached keys the queries are the last positions, and their labels say so.
    behind = keys - queries
    if behind > 0 and attention.queries.labels == attention.keys.labels[behind:]:
        return np.arange(behind, keys)
    return np.arange(queries)


def _standing(source: Source) -> Ids | None:
    """Return where queries stand, as far as their source knows."""
    if isinstance(source, SelectionSource):
        whole, (_, _, queries, keys) = source.origin
        before = _standing(whole)
        if before is None:
            before = np.arange(whole.shape[2])
        place = np.full(max(whole.shape[3], int(before.max(initial=0)) + 1), -1)
        place[list(keys)] = np.arange(len(keys))
        return np.where(before < 0, -1, place[before])[list(queries)]
    reach = getattr(source, "reach", None)
    if isinstance(reach, Reach):
        return np.arange(source.shape[2]) + reach.offset
    return None


def _tokens(
    attention: Attention, positions: Ids, given: Iterable[Hashable | None] | None
) -> tuple[Ids, Ids] | None:
    """Return ids of the tokens of both sides, where they are one text."""
    queries, keys = attention.queries, attention.keys
    inside = (positions >= 0) & (positions < len(keys))
    if given is not None:
        (ids,) = ids_of(given)
        if len(ids) != len(keys):
            raise ValueError(f"tokens must be one a key, {len(keys)}; got {len(ids)}")
        return np.where(inside, ids[np.where(inside, positions, 0)], -1), ids
    asked, held = ids_of(texts_of(queries), texts_of(keys))
    same = asked[inside] == held[positions[inside]]
    counted = keys.labels == tuple(map(str, range(len(keys))))
    known = (held >= 0).any() and inside.any() and same.all() and not counted
    return (asked, held) if known else None


def texts_of(axis: Axis) -> list[str | None]:
    """Return the label of each token; special ones repeat without meaning and count as none."""
    special = frozenset(axis.special)
    return [
        label if isinstance(segment, Tokens) and start + place not in special else None
        for start, segment in zip(axis.starts, axis.segments, strict=False)
        for place, label in enumerate(segment.labels)
    ]


def _centres(attention: Attention) -> tuple[Centres, Centres]:
    pictures: list[object] = []
    return _centres_of(attention.queries, pictures), _centres_of(attention.keys, pictures)


def _centres_of(axis: Axis, pictures: list[object]) -> Centres:
    """Return where the positions of an axis lie; pictures met are kept for the next one."""
    rects = rects_of(axis)
    which = np.full(len(axis), -1, dtype=np.int64)
    for start, segment in zip(axis.starts, axis.segments, strict=False):
        if isinstance(segment, Tokens):
            continue
        picture = segment if segment.image is None else segment.image
        known = [index for index, other in enumerate(pictures) if other is picture]
        if not known:
            pictures.append(picture)
        which[start : start + len(segment)] = known[0] if known else len(pictures) - 1
    points = (rects[:, :2] + rects[:, 2:]) / 2
    which[np.isnan(points).any(axis=1)] = -1
    return Centres(points, which)
