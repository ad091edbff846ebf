"""Weights as codes of one or two bytes, fit for colour and not for numbers.

The square root keeps small weights apart. ``js/src/scale/codes.ts`` reads the same;
``tests/wire/codes.json`` holds both to it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Coding:
    """The codes of a size: the largest of finite numbers, and those of what is no number."""

    most: int
    infinite: int
    masked: int
    missing: int
    dtype: str


WORDS: Final = Coding(most=65_000, infinite=65_001, masked=65_002, missing=65_003, dtype="u2")
"""Codes of a region."""

BYTES: Final = Coding(most=250, infinite=251, masked=253, missing=255, dtype="u1")
"""Codes of thumbnails."""


def is_signed(kind: str) -> bool:
    """Return whether the signs of a kind of map are shown."""
    return kind in ("score", "difference")


def encode(
    values: NDArray[np.floating[Any]],
    full: float | NDArray[np.floating[Any]],
    signed: bool,
    coding: Coding = WORDS,
) -> NDArray[np.uint16]:
    """Return the codes of weights: ``round(most * sqrt(|value| / full))``, at most ``most``.

    Where numbers have signs, zero is in the middle and either sign has half the codes. Only zero
    has the code of zero. +inf, -inf (what a mask leaves out) and NaN have codes of their own.

    Args:
        values: any shape.
        full: the magnitude drawn at full strength, above 0; it broadcasts with ``values``.
        signed: see :func:`is_signed`; otherwise signs are dropped.
        coding: :data:`WORDS` or :data:`BYTES`.
    """
    most = coding.most // 2 if signed else coding.most
    given = np.asarray(values, dtype=np.float64)
    finite = np.isfinite(given)
    magnitude = np.where(finite, np.abs(given), 0.0)
    # Rounds halves up, as JavaScript does.
    size = np.floor(most * np.sqrt(magnitude / full) + 0.5)
    size = np.where(magnitude > 0, np.clip(size, 1, most), 0)
    codes = np.where(given < 0, most - size, most + size) if signed else size
    codes = np.where(finite, codes, coding.missing)
    codes = np.where(given == np.inf, coding.infinite, codes)
    codes = np.where(given == -np.inf, coding.masked, codes)
    return codes.astype(np.uint16)


def decode(
    codes: NDArray[Any], full: float, signed: bool, coding: Coding = WORDS
) -> NDArray[np.float64]:
    """Return about the numbers that codes stand for; see :func:`encode`."""
    given = np.asarray(codes, dtype=np.float64)
    middle = coding.most // 2
    share = (given - middle) / middle if signed else given / coding.most
    values = np.asarray(full * share * np.abs(share))
    values[given == coding.infinite] = np.inf
    values[given == coding.masked] = -np.inf
    values[given == coding.missing] = np.nan
    return values
