"""What is said of numbers of each kind; ``js/src/scale/kinds.ts`` says the same."""

from __future__ import annotations

from typing import Final

VERBS: Final[dict[str, tuple[tuple[str, str], tuple[str, str]]]] = {
    "weight": (("attends to", "attend to"), ("is attended by", "are attended by")),
    "score": (("scores", "score"), ("is scored by", "are scored by")),
    "relevance": (("draws on", "draw on"), ("is drawn on by", "are drawn on by")),
    "norm": (("receives from", "receive from"), ("gives to", "give to")),
    "difference": (("towards", "towards"), ("from", "from")),
}
"""What queries do to keys, and keys to queries: one of them, and several."""

ADDS: Final = ("weight", "relevance", "difference")
"""Kinds whose numbers may be added up: shares of a whole, and changes of them."""


def verb(kind: str, of_query: bool, count: int = 1) -> str:
    """Return what ``count`` queries do to keys, or keys to queries: "attends to"."""
    return VERBS[kind][0 if of_query else 1][0 if count == 1 else 1]
