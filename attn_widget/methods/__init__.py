"""Maps made from maps: each takes an `Attention` and returns an `Attention`."""

from __future__ import annotations

from .words import merge_words as merge_words
