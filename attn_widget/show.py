"""One call from weights to a view of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .attention import Attention
from .maps import MAP_LIKE, held_maps
from .widget import AttentionWidget


def lines(maps: Any, queries: Any = None, keys: Any = None, **state: Any) -> AttentionWidget:
    """Show attention as lines from queries to the keys they attend to.

    Args:
        maps: an ``Attention``, ``{name: Attention}``, a list of ``Attention``, what holds such (a
            capture), or weights ``(Q, K)``, ``(H, Q, K)`` or ``(L, H, Q, K)`` to be wrapped in one.
        queries: labels of the query side, for weights only.
        keys: labels of the key side, for weights only; the query labels without it where square.
        **state: traits of :class:`AttentionWidget`.

    Raises:
        TypeError: for labels beside an ``Attention``, which has its own, or an unknown keyword.
        ValueError: for weights or state out of range.
    """
    return AttentionWidget(_as_maps(maps, queries, keys), view="lines", **state)


def matrix(maps: Any, queries: Any = None, keys: Any = None, **state: Any) -> AttentionWidget:
    """Show attention as a zoomable heat map, a row a query and a column a key.

    Args:
        maps: as for :func:`lines`.
        queries: labels of the query side, for weights only.
        keys: labels of the key side, for weights only.
        **state: traits of :class:`AttentionWidget`.

    Raises:
        TypeError: as for :func:`lines`.
        ValueError: for weights or state out of range.
    """
    return AttentionWidget(_as_maps(maps, queries, keys), view="matrix", **state)


def heads(maps: Any, queries: Any = None, keys: Any = None, **state: Any) -> AttentionWidget:
    """Show every head of every layer as a small heat map, to find those worth a closer look.

    Args:
        maps: as for :func:`lines`.
        queries: labels of the query side, for weights only.
        keys: labels of the key side, for weights only.
        **state: traits of :class:`AttentionWidget`; ``heads=`` those selected.

    Raises:
        TypeError: as for :func:`lines`.
        ValueError: for weights or state out of range.
    """
    return AttentionWidget(_as_maps(maps, queries, keys), view="heads", **state)


def overlay(maps: Any, queries: Any = None, keys: Any = None, **state: Any) -> AttentionWidget:
    """Show attention on the image that it lies on, with the words, boxes or patches it comes from.

    Args:
        maps: as for :func:`lines`; at least one axis holds ``Patches`` or ``Boxes``.
        queries: labels of the query side, for weights only.
        keys: labels of the key side, for weights only.
        **state: traits of :class:`AttentionWidget`. Heads are merged by their mean unless
            ``combine=`` says otherwise; ``combine="each"`` draws a picture a head.

    Raises:
        TypeError: as for :func:`lines`.
        ValueError: for weights or state out of range, or a map without patches and boxes.
    """
    return AttentionWidget(_as_maps(maps, queries, keys), view="overlay", **state)


def _as_maps(maps: Any, queries: Any, keys: Any) -> Any:
    maps = held_maps(maps)
    made = isinstance(maps, (*MAP_LIKE, Mapping)) or (
        isinstance(maps, (list, tuple)) and any(isinstance(item, MAP_LIKE) for item in maps)
    )
    if not made:
        return Attention(maps, queries, keys)
    if queries is not None or keys is not None:
        raise TypeError(
            "queries and keys label plain weights; an Attention has its own labels "
            "(make it with Attention(weights, queries, keys))"
        )
    return maps
