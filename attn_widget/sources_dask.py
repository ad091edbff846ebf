"""Weights held as a ``dask.array``: computed where dask computes, reduced there, read in slices.

Imported only when such an array comes. With a ``dask.distributed`` client its workers compute;
they need this package too. Without one, dask's own scheduler does it here, some chunks at a time.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from functools import partial
from itertools import accumulate
from typing import Any, Final, TypeVar, cast
from weakref import WeakSet

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

TOGETHER: Final = max(1, min(8, os.cpu_count() or 1))
"""Chunks computed in one step, where no cluster does."""

TILES: Final = 256
"""Chunks whose results are joined where they are, before those are joined."""

ROUGH_BANDS: Final = 4
"""Rows of chunks that a rough reduction is made from at least."""

T = TypeVar("T")
Lazy = Any

_PACKAGE: Final = __name__.partition(".")[0]

_dask: Any = base
_checked: WeakSet[Any] = WeakSet()
"""Clients whose workers have this package."""


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

    def select(self, picks: Sequence[Sequence[int]]) -> DaskSource:
        """A part of the array, still to be computed where it is; see `SelectionSource`."""
        return DaskSource(_picked(self._weights, picks))

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
        bands = list(_bounds(chosen[0].chunks[0]))
        if most is not None:
            enough = max(ROUGH_BANDS, most * len(bands) // (plan.rows * plan.cols * len(heads)))
            bands = [bands[band] for band in spread(len(bands), enough)]
        columns = [first for first, _ in _bounds(chosen[0].chunks[1])]
        found = yield from self._overview(chosen, bands, columns, plan)
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
        return _picked(self._weights[part[0]], part[1:])

    def _client(self) -> Any | None:
        """The client of the cluster that computes, None where dask's own scheduler does."""
        client = getattr(_dask.get_scheduler(collections=[self._weights]), "__self__", None)
        if not hasattr(client, "scheduler_info"):
            return None
        _check_workers(client)
        return client

    def _overview(
        self,
        heads: Sequence[Lazy],
        bands: Sequence[tuple[int, int]],
        columns: Sequence[int],
        plan: Reduction,
    ) -> Generator[float, None, Overview]:
        tile = _later(partial(reduce_tile, plan=plan))
        finish = partial(finish_reduction, plan=plan)

        def tiles_of(start: int, stop: int) -> list[Lazy]:
            rows = [head[start:stop].to_delayed(optimize_graph=True)[0] for head in heads]
            return [
                tile([row[column] for row in rows], start, first)
                for column, first in enumerate(columns)
            ]

        count = max(1, TILES // len(columns))
        groups = [bands[first : first + count] for first in range(0, len(bands), count)]
        total = len(bands) * len(columns) + len(groups) + 1
        client = self._client()
        pieces = []
        with _Flight(client) as flight:
            for group in groups:
                tiles: list[Lazy] = []
                for start, stop in group:
                    tiles.extend(tiles_of(start, stop))
                    yield flight.done / total
                if client is None:
                    found = yield from _here(tiles, flight, total)
                    pieces.append(join_pieces(found))
                    continue
                pieces.append(flight.start([*tiles, _later(join_pieces)(tiles)])[-1])
                while flight.pending > TILES // 2:
                    yield flight.wait() / total
            if client is None:
                return finish(pieces)
            whole = flight.submit(finish, pieces)
            while flight.pending:
                yield flight.wait() / total
            return cast(Overview, flight.results([whole])[0])

    def _computed(self, calls: list[Lazy]) -> Generator[float, None, list[Any]]:
        client = self._client()
        with _Flight(client) as flight:
            if client is None:
                return (yield from _here(calls, flight, len(calls)))
            futures = flight.start(calls)
            while flight.pending:
                yield flight.wait() / len(calls)
            return flight.results(futures)


class _Flight:
    """What a cluster computes for one answer; when it is left, what is still to do is dropped."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._held: list[Any] = []
        self._pending: list[Any] = []
        self.done = 0

    def __enter__(self) -> _Flight:
        return self

    def __exit__(self, *_: object) -> None:
        # Nobody waits for them any more: the cluster forgets them, and what they would need.
        for future in self._held:
            future.release()

    @property
    def pending(self) -> int:
        """How many results are still to come."""
        return len(self._pending)

    def start(self, calls: list[Lazy]) -> list[Any]:
        return self._watched(self._client.compute(calls))

    def submit(self, function: Callable[..., Any], argument: Any) -> Any:
        return self._watched([self._client.submit(function, argument, pure=False)])[0]

    def results(self, futures: list[Any]) -> list[Any]:
        return list(self._client.gather(futures))

    def wait(self) -> int:
        """Wait a moment; return how much is done. What failed there is raised here."""
        time.sleep(POLL_S)
        pending = []
        for future in self._pending:
            if not future.done():
                pending.append(future)
            elif future.status != "finished":
                future.result()
        self.done += len(self._pending) - len(pending)
        self._pending = pending
        return self.done

    def _watched(self, futures: list[Any]) -> list[Any]:
        self._held.extend(futures)
        self._pending.extend(futures)
        return futures


def _check_workers(client: Any) -> None:
    """Check once that workers have this package: what they can't load, they would wait for.

    Raises:
        RuntimeError: If one has not.
    """
    if client in _checked:
        return

    # Being local, it travels as code, not as a name in this package.
    def has_package(name: str) -> bool:
        from importlib.util import find_spec

        return find_spec(name) is not None

    missing = [worker for worker, found in client.run(has_package, _PACKAGE).items() if not found]
    if missing:
        raise RuntimeError(
            f"workers of the cluster must have {_PACKAGE} installed; {', '.join(missing)} "
            f"{'have' if len(missing) > 1 else 'has'} not"
        )
    _checked.add(client)


def _here(calls: list[Lazy], flight: _Flight, total: int) -> Generator[float, None, list[Any]]:
    """Compute without a cluster, a few at a time."""
    found: list[Any] = []
    for first in range(0, len(calls), TOGETHER):
        found.extend(_dask.compute(*calls[first : first + TOGETHER]))
        flight.done += len(calls[first : first + TOGETHER])
        yield flight.done / total
    return found


def _later(function: Callable[..., Any]) -> Callable[..., Lazy]:
    return cast("Callable[..., Lazy]", delayed(function, pure=False))


def _bounds(lengths: Sequence[int]) -> Iterator[tuple[int, int]]:
    """First and last + 1 position of each chunk."""
    ends = list(accumulate(lengths))
    return zip([0, *ends], ends, strict=False)


def _picked(array: Lazy, picks: Sequence[Sequence[int]]) -> Lazy:
    for axis, pick in enumerate(picks):
        array = array[(slice(None),) * axis + (_index(pick),)]
    return array


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
