"""Weights stored in chunks, as zarr and h5py hold them: reduced chunk by chunk, each read once."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from itertools import pairwise
from typing import Any, Final, cast

from .overview import Overview
from .pooling import spread
from .reduction import Reduced, Reduction, reduce_tile
from .sources import ArraySource, gather_layer

TILE_CELLS: Final = 1 << 20
"""Chunks smaller than that are read some at a time: some 10 ms, and 4 MiB."""

LEAST_BANDS: Final = 4
"""Rows of chunks that a rough reduction is made from at least."""

MOST_BANDS: Final = 16
"""Rows of chunks that a rough reduction is made from at most."""

STORED: Final = 8
"""How many times as many weights are read where they are stored together."""


class ChunkedSource(ArraySource):
    """A stored array with ``chunks``: how many positions along each axis are stored together.

    Args:
        array: anything with ``shape``, ``dtype``, ``chunks`` and slicing.
        batch: Which entry of the batch axis; None where there is none or it has length 1.

    Raises:
        ValueError: If the number of axes or ``batch`` does not fit.
        TypeError: If the numbers are not floats.
    """

    def __init__(self, array: object, batch: int | None = None) -> None:
        super().__init__(array, batch)
        self._chunk = cast("tuple[int, int]", tuple(map(int, cast(Any, array).chunks[-2:])))

    def reduce(
        self,
        layer: int,
        heads: Sequence[int],
        combine: str,
        query: slice,
        key: slice,
        size: tuple[int, int],
        most: int | None = None,
    ) -> Generator[float, None, tuple[Overview, int]]:
        """Reduce a part chunk by chunk; see `SupportsReduction`."""
        plan = Reduction(query.stop - query.start, key.stop - key.start, size, combine)
        room = TILE_CELLS // len(heads)
        bands = stretches(query, self._chunk[0], room // plan.cols)
        columns = stretches(key, self._chunk[1], room // max(map(len, bands)))
        if most is not None:
            affordable = STORED * most // (max(map(len, bands)) * plan.cols * len(heads))
            chosen = spread(len(bands), max(LEAST_BANDS, min(MOST_BANDS, affordable)))
            bands = [bands[band] for band in chosen]
        reduced = Reduced(plan)
        for done, band in enumerate(bands):
            for at, column in enumerate(columns, 1):
                blocks = gather_layer(self, layer, heads, band, column)
                place = band.start - query.start, column.start - key.start
                reduced.add(reduce_tile(list(blocks), *place, plan))
                yield (done + at / len(columns)) / len(bands)
        return reduced.overview(), sum(map(len, bands))


def stretches(part: slice, chunk: int, most: int) -> list[range]:
    """Cut positions at the borders of chunks, as many chunks at a time as ``most`` holds."""
    step = max(1, most // chunk) * chunk
    inner = range(part.start - part.start % step + step, part.stop, step)
    return [range(*ends) for ends in pairwise([part.start, *inner, part.stop])]
