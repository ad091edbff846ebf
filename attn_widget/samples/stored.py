"""How samples are stored: arrays of one file, read one by one."""

from __future__ import annotations

from importlib.resources import files
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

_UNIT: Final = 10_000
"""Weights stored in two bytes are whole ten-thousandths."""


def load(file: str, *members: str) -> dict[str, NDArray[Any]]:
    """Read some arrays of a stored file, and only those."""
    with (
        files(__package__).joinpath(f"{file}.npz").open("rb") as stream,
        np.load(stream, allow_pickle=False) as stored,
    ):
        return {member: stored[member] for member in members}


def joined_bytes(high: NDArray[np.uint8], low: NDArray[np.uint8]) -> NDArray[np.float16]:
    """Return weights stored as the high and the low byte of whole ten-thousandths."""
    parts = high.astype(np.uint16) * 256 + low
    return np.asarray((parts.astype(np.float32) / _UNIT).astype(np.float16))


def unpacked(masks: NDArray[np.uint8], width: int) -> NDArray[np.bool_]:
    """Return masks (n, height, width) stored as one bit a pixel, rows filled up to whole bytes."""
    return np.unpackbits(masks, axis=-1, count=width).astype(bool)


def check_index(index: int, count: int, what: str) -> None:
    """Refuse an index that no sample has.

    Raises:
        ValueError: If it is not 0 … ``count - 1``.
    """
    if not 0 <= index < count:
        raise ValueError(f"index of a {what} must be 0 to {count - 1}; got {index}")


def check_choice(name: str, value: str, choices: tuple[str, ...]) -> None:
    """Refuse a name that is not among those there are.

    Raises:
        ValueError: If it is none of ``choices``.
    """
    if value not in choices:
        raise ValueError(f"{name} must be one of {', '.join(choices)}; got {value!r}")
