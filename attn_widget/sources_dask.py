"""Weights held as a ``dask.array``: computed where dask computes, reduced there, read in slices.

Imported only when such an array comes. With a ``dask.distributed`` client its workers compute;
they need this package too. Without one, dask's own scheduler does it here, some chunks at a time.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator, Sequence
from functools import partial
from itertools import accumulate
from typing import Any, Final, TypeVar, cast

import numpy as np
from dask import base
from dask.delayed import delayed

from .overview import Overview, Picks
from .pooling import spread
from .reduction import (
    Reduction,
    finish_reduction,
    join_pieces,
    largest_magnitude,
    reduce_tile,
)
from .sources import ArraySource, Weights, to_float32

POLL_S: Final = 0.01
"""How long a step waits for the cluster."""

TOGETHER: Final = 8
"""Chunks computed in one step, where no cluster does; and pieces that are joined at a time."""

ROUGH_BANDS: Final = 4
"""Rows of chunks that a rough reduction is made from at least."""

T = TypeVar("T")
Lazy = Any

_dask: Any = base


class DaskSource(ArraySource):
    """A ``dask.array`` of shape (Q, K), (H, Q, K), (L, H, Q, K) or (B, L, H, Q, K).

    Args:
        array: The array.
        batch: Which entry of the batch axis; None where there is none or it has length 1.

    Raises:
        ValueError: If the number of axes or ``batch`` does not fit, or a size is unknown.
        TypeError: If the numbers are not floats.
    """

    def __init__(self, array: object, batch: int | None = None) -> None:
        super().__init__(array, batch)
        picked = cast(Any, array)[self._front]
        self._weights: Lazy = picked[(None,) * (4 - self._axes)]

    def read(self, layer: int, head: slice, query: slice, key: slice) -> Weights:
        """Read a block of one layer; see `Source.read`."""
        return to_float32(self._weights[layer, head, query, key].compute())

    def gather(
        self, layer: int, heads: Sequence[int], queries: Sequence[int], keys: Sequence[int]
    ) -> Weights:
        """Read the weights at some heads, queries and keys in one go."""
        return to_float32(self._picked((layer, heads, queries, keys)).compute())

    def overview(
        self, layer: int, head: int, rows: int, cols: int
    ) -> Generator[float, None, Overview]:
        """Reduce a head on the workers; see `SupportsOverview`."""
        _, _, queries, keys = self.shape
        everywhere = slice(0, queries), slice(0, keys)
        found, _ = yield from self.reduce(layer, [head], "mean", *everywhere, (rows, cols))
        return found

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
        """Reduce a part on the workers, chunk by chunk; see `SupportsReduction`.

        What travels is the cells, a number a key and a number a query.
        """
        plan = Reduction(query.stop - query.start, key.stop - key.start, size, combine)
        part = self._weights[layer, :, query, key]
        chosen = [part[head] for head in heads]
        # Chunks of one array are the same for all its heads.
        bands = list(_starts(chosen[0].chunks[0]))
        if most is not None:
            enough = max(ROUGH_BANDS, most * len(bands) // (plan.rows * plan.cols * len(heads)))
            bands = [bands[band] for band in spread(len(bands), enough)]
        reduced = _later(partial(reduce_tile, plan=plan))
        tiles = []
        for start, stop in bands:
            rows = [head[start:stop].to_delayed(optimize_graph=True)[0] for head in chosen]
            columns = _starts(chosen[0].chunks[1])
            for column, (first, _) in enumerate(columns):
                blocks = [row[column] for row in rows]
                tiles.append(reduced(blocks, start, first))
        found = yield from self._overview(tiles, plan)
        return found, sum(stop - start for start, stop in bands)

    def elsewhere(
        self, function: Callable[[Any], T], parts: Sequence[Picks]
    ) -> Generator[float, None, list[T]]:
        """Call a function with each of some parts, on the workers; see `SupportsElsewhere`."""
        calls = [_later(function)(self._picked(part)) for part in parts]
        return (yield from self._computed(calls))

    def largest(self, layer: int) -> float:
        """Return the largest finite magnitude of a layer."""
        chunks = self._weights[layer].to_delayed(optimize_graph=True).ravel()
        steps = self._computed([_later(largest_magnitude)(chunk) for chunk in chunks])
        return max(_finished(steps), default=0.0)

    def _picked(self, part: Picks) -> Lazy:
        layer, heads, queries, keys = part
        found = self._weights[layer]
        for axis, pick in enumerate((heads, queries, keys)):
            found = found[(slice(None),) * axis + (_index(pick),)]
        return found

    def _client(self) -> Any | None:
        """The client of the cluster that computes, None where dask's own scheduler does."""
        client = getattr(_dask.get_scheduler(collections=[self._weights]), "__self__", None)
        return client if hasattr(client, "scheduler_info") else None

    def _overview(self, tiles: list[Lazy], plan: Reduction) -> Generator[float, None, Overview]:
        client = self._client()
        if client is None:
            pieces = yield from self._computed(tiles)
            return finish_reduction(pieces, plan)
        pieces = tiles
        while len(pieces) > TOGETHER:
            pieces = [
                _later(join_pieces)(pieces[first : first + TOGETHER])
                for first in range(0, len(pieces), TOGETHER)
            ]
        whole = _later(partial(finish_reduction, plan=plan))(pieces)
        return cast(Overview, (yield from _awaited(client, [*tiles, whole], last=1))[0])

    def _computed(self, calls: list[Lazy]) -> Generator[float, None, list[Any]]:
        client = self._client()
        if client is not None:
            return (yield from _awaited(client, calls, last=len(calls)))
        found: list[Any] = []
        while len(found) < len(calls):
            found.extend(_dask.compute(*calls[len(found) : len(found) + TOGETHER]))
            yield len(found) / len(calls)
        return found


def _awaited(client: Any, calls: list[Lazy], last: int) -> Generator[float, None, list[Any]]:
    """Let a cluster compute, and wait for it in short steps; left early, it stops there too.

    Args:
        client: the client of the cluster.
        calls: what to compute.
        last: how many of the last are brought here.
    """
    futures = client.compute(calls)
    pending = futures
    try:
        while pending:
            time.sleep(POLL_S)
            done = [future for future in pending if future.done()]
            for future in done:
                if future.status != "finished":
                    future.result()
            pending = [future for future in pending if future not in done]
            yield 1 - len(pending) / len(futures)
        return list(client.gather(futures[len(futures) - last :]))
    finally:
        # What nobody waits for any more is not computed.
        for future in futures:
            future.release()


def _later(function: Callable[..., Any]) -> Callable[..., Lazy]:
    return cast("Callable[..., Lazy]", delayed(function, pure=False))


def _starts(lengths: Sequence[int]) -> Iterator[tuple[int, int]]:
    """First and last + 1 position of each chunk."""
    ends = list(accumulate(lengths))
    return zip([0, *ends], ends, strict=False)


def _index(pick: Sequence[int]) -> slice | np.ndarray[Any, Any]:
    """Return a pick as dask likes it best."""
    if isinstance(pick, range) and pick.step > 0:
        return slice(pick.start, pick.stop, pick.step)
    return np.asarray(pick, dtype=np.intp)


def _finished(steps: Generator[float, None, T]) -> T:
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return cast(T, end.value)
