"""How much of a map is read for a picture: no more than a picture is worth."""

from __future__ import annotations

from collections.abc import Callable
from math import ceil
from time import perf_counter
from typing import Final

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float32]

WEIGHTS_LIMIT: Final = 24_000_000
"""Most weights read for one picture: about 0.3 s where they lie in memory."""
SECONDS: Final = 0.3
"""Time that reading may take where it is slow."""
_PATIENCE: Final = 1.5
"""Readings within the limit may take so many times as long before queries are left out."""
_LEAST_QUERIES: Final = 16
"""With fewer, a picture would show nothing of a map."""
_TRIAL: Final = 2_000_000
"""Weights read to learn how long reading takes."""


def query_spacing(queries: range, weights: int, read: Callable[[range], object]) -> int:
    """Return every how many queries are to be read, a power of two, so that it doesn't take long.

    Args:
        queries: those that a picture shows.
        weights: how many weights are read of each.
        read: reads some of them.
    """
    if len(queries) * weights <= 2 * _TRIAL:
        return 1
    count = max(1, min(len(queries), _TRIAL // weights))
    step = len(queries) // count
    began = perf_counter()
    read(queries[step // 2 : step * count : step])
    each = (perf_counter() - began) / count
    most = min(len(queries), max(1, WEIGHTS_LIMIT // weights))
    if each * most > _PATIENCE * SECONDS:
        most = max(1, int(SECONDS / each))
    every = ceil(len(queries) / max(_LEAST_QUERIES, most))
    return 1 << (every - 1).bit_length()


def strongest_cell(values: Values, ordinary: NDArray[np.bool_]) -> tuple[int, int, float]:
    """Return the place and value of the weight of largest magnitude among ordinary columns.

    Infinite ones come first; NaN counts as nothing.

    Args:
        values: ``(q, k)``, at least one weight.
        ordinary: ``(k,)``.

    Returns:
        Row, column, and the weight; the weight is 0 where there is none.
    """
    extremes = []
    for pick, least in ((np.fmax, 0.0), (np.fmin, 0.0)):
        found = pick.reduce(values, axis=0, initial=least)
        found[~ordinary] = 0.0
        column = int(np.argmax(np.abs(found)))
        extremes.append((abs(float(found[column])), column, float(found[column])))
    _, column, weight = max(extremes)
    if weight == 0:
        return 0, 0, 0.0
    return int(np.flatnonzero(values[:, column] == np.float32(weight))[0]), column, weight
