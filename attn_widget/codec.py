"""Arrays to bytes: the form in which numbers travel to the page and into files."""

from __future__ import annotations

from typing import Any, Final, TypedDict

import numpy as np
from numpy.typing import NDArray

_WIRE_DTYPES: Final = {"f2": "<f2", "f4": "<f4", "f8": "<f8", "u1": "|u1", "u2": "<u2", "u4": "<u4"}


class Packed(TypedDict):
    """An array on the wire: ``dtype`` is one of f2, f4, f8, u1, u2, u4; ``data`` is C-ordered."""

    dtype: str
    shape: list[int]
    data: bytes


def pack(values: NDArray[Any], dtype: str) -> Packed:
    """Pack an array of any shape, layout and byte order as little-endian bytes.

    Args:
        values: numbers of any shape; whole ones where ``dtype`` is unsigned.
        dtype: one of ``"f2"``, ``"f4"``, ``"f8"``, ``"u1"``, ``"u2"``, ``"u4"``.

    Raises:
        TypeError: if ``values`` are no numbers.
        ValueError: if ``dtype`` is none of these, or a value has no place in it: a finite one
            beyond its range, or one that is not whole where it is unsigned. NaN and infinities
            travel as floats.
    """
    if dtype not in _WIRE_DTYPES:
        raise ValueError(f"dtype must be one of {', '.join(_WIRE_DTYPES)}; got {dtype!r}")
    values = np.asarray(values)
    if values.dtype.kind not in "buif":
        raise TypeError(f"values must be numbers; got an array of {values.dtype}")
    _check_range(values, dtype)
    # tobytes copies, so that a later in-place edit of the array can't leak into a re-sync.
    laid_out = np.asarray(values, dtype=_WIRE_DTYPES[dtype], order="C")
    return {"dtype": dtype, "shape": list(laid_out.shape), "data": laid_out.tobytes()}


def unpack(packed: Packed) -> NDArray[Any]:
    """Return the array that :func:`pack` packed."""
    flat = np.frombuffer(packed["data"], dtype=_WIRE_DTYPES[packed["dtype"]])
    return flat.reshape(packed["shape"])


def wire_dtype(dtype: np.dtype[Any]) -> str:
    """Return the smallest wire dtype that keeps weights of ``dtype`` exactly.

    Float16 stays float16. Everything else travels as float32, the precision of the contract.
    """
    return "f2" if dtype.type is np.float16 else "f4"


def _check_range(values: NDArray[Any], dtype: str) -> None:
    wire = np.dtype(_WIRE_DTYPES[dtype])
    if values.size == 0 or values.dtype.kind == "b" or np.can_cast(values.dtype, wire):
        return
    floats = values.dtype.kind == "f"
    if dtype[0] == "u" and floats and not np.array_equal(values, np.trunc(values)):
        raise ValueError(f"values must be whole numbers to travel as {dtype}; got {_odd(values)}")
    finite = values[np.isfinite(values)] if floats else values
    limits = np.iinfo(wire) if dtype[0] == "u" else np.finfo(wire)
    low, high = float(limits.min), float(limits.max)
    if (dtype[0] == "u" and finite.size < values.size) or (
        finite.size and (finite.min() < low or finite.max() > high)
    ):
        raise ValueError(
            f"values must lie within {low:.10g} and {high:.10g} to travel as {dtype}; "
            f"got {values.min():.10g} to {values.max():.10g}"
        )


def _odd(values: NDArray[Any]) -> str:
    return f"{values[values != np.trunc(values)][0]:g}"
