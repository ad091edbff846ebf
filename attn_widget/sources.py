"""Where weights are read from: arrays of any library, one array a layer, parts of either.

Nothing here imports an array library other than NumPy: what an object is, its ``shape``, ``dtype``
and slicing tell.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Protocol, cast, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from .overview import SupportsElsewhere, SupportsSteps

Weights = NDArray[np.float32]
Shape = tuple[int, int, int, int]

GAP = 8
"""Positions this close are read in one go and sorted out afterwards: fewer reads of disk or GPU."""

MANY = 16
"""From more stretches of keys than this, whole rows are read as long as they stay below `BLOCK`."""

BLOCK = 1 << 24
"""Weights read in one go only for the sake of fewer reads: 64 MiB."""


@runtime_checkable
class Source(Protocol):
    """Weights that can be read in parts."""

    @property
    def shape(self) -> Shape:
        """(layer, head, query, key)."""
        ...

    @property
    def dtype(self) -> np.dtype[Any]:
        """What the numbers are stored as."""
        ...

    def read(self, layer: int, head: slice, query: slice, key: slice) -> Weights:
        """Read a block of one layer.

        Args:
            layer: Index of the layer, 0 … L - 1.
            head: Heads, as a slice of step 1 within bounds; so are ``query`` and ``key``.
            query: Queries.
            key: Keys.

        Returns:
            float32 of shape (heads, queries, keys); it may share memory with the weights.
        """
        ...


class ArraySource:
    """One array of shape (Q, K), (H, Q, K), (L, H, Q, K) or (B, L, H, Q, K).

    Args:
        array: Anything with ``shape``, ``dtype`` and slicing.
        batch: Which entry of the batch axis; None where there is none or it has length 1.

    Raises:
        ValueError: If the number of axes or ``batch`` does not fit.
        TypeError: If the numbers are not floats.
    """

    def __init__(self, array: object, batch: int | None = None) -> None:
        self._array = cast(Any, array)
        sizes = shape_of(array)
        self.dtype, self.dtype_name = float_dtype(array)
        if not 2 <= len(sizes) <= 5:
            raise ValueError(
                "weights must have 2, 3 or 4 axes (query, key), (head, query, key) or "
                f"(layer, head, query, key); got shape {sizes}"
            )
        self._front: tuple[int, ...] = ()
        if len(sizes) == 5:
            self._front = (batch_index(batch, sizes[0]),)
        elif batch is not None:
            raise ValueError(f"batch={batch} was given but shape {sizes} has no batch axis")
        self.chunk_rows = chunk_rows_of(array)
        self._axes = min(len(sizes), 4)
        self.shape = cast(Shape, (1,) * (4 - self._axes) + sizes[-self._axes :])

    def read(self, layer: int, head: slice, query: slice, key: slice) -> Weights:
        """Read a block of one layer; see `Source.read`."""
        where = (layer, head, query, key)[-self._axes :]
        block = to_float32(self._array[self._front + where])
        return block[None][head] if self._axes == 2 else block


class LayersSource:
    """One array of shape (H, Q, K) or (B, H, Q, K) a layer, as transformers returns them.

    Args:
        layers: The arrays, all of one size.
        batch: Which entry of the batch axis; None where there is none or it has length 1.

    Raises:
        ValueError: If the layers differ in size or number of axes, or ``batch`` does not fit.
        TypeError: If the numbers are not floats.
    """

    def __init__(self, layers: Sequence[object], batch: int | None = None) -> None:
        self._layers = tuple(layers)
        sizes = shape_of(layers[0])
        if len(sizes) not in (3, 4):
            raise ValueError(
                "each layer must have shape (head, query, key) or (1, head, query, key); "
                f"layer 0 has {sizes} (stack plain maps with np.stack)"
            )
        for index, layer in enumerate(layers):
            if shape_of(layer) != sizes:
                raise ValueError(
                    f"all layers must have one shape; layer 0 has {sizes}, "
                    f"layer {index} has {shape_of(layer)}"
                )
        self.chunk_rows = chunk_rows_of(layers[0])
        self.dtype, self.dtype_name = float_dtype(layers[0])
        for layer in layers[1:]:
            found, name = float_dtype(layer)
            if found != self.dtype:
                self.dtype = np.promote_types(self.dtype, found)
                self.dtype_name = self.dtype.name
            elif name != self.dtype_name:
                self.dtype_name = self.dtype.name
        self._front: tuple[int, ...] = ()
        if len(sizes) == 4:
            self._front = (batch_index(batch, sizes[0]),)
        elif batch is not None:
            raise ValueError(f"batch={batch} was given but layers {sizes} have no batch axis")
        self.shape: Shape = (len(layers), *cast("tuple[int, int, int]", sizes[-3:]))

    def read(self, layer: int, head: slice, query: slice, key: slice) -> Weights:
        """Read a block of one layer; see `Source.read`."""
        return to_float32(cast(Any, self._layers[layer])[(*self._front, head, query, key)])

    def stacked(self) -> object:
        """All layers as one array, where NumPy's ``stack`` is told how by their library."""
        return np.stack(cast(Any, [cast(Any, layer)[self._front] for layer in self._layers]))


class SelectionSource:
    """A part of another source; with all queries and keys in order it offers what that offers.

    Args:
        source: Where the weights are.
        picks: For layers, heads, queries and keys: the indices to take, in order.
    """

    def __init__(self, source: Source, picks: Sequence[Sequence[int]]) -> None:
        if isinstance(source, SelectionSource):
            source, whole = source.origin
            picks = [compose(mine, later) for mine, later in zip(whole, picks, strict=True)]
        self.origin: tuple[Source, tuple[Sequence[int], ...]] = source, tuple(picks)
        """The whole that this is a part of, and what is taken of each of its axes."""
        self.dtype = source.dtype
        self.dtype_name = dtype_name(source)
        self.shape = cast(Shape, tuple(len(pick) for pick in picks))
        layers, heads, queries, keys = picks
        rows = _in_order(queries, source.shape[2])
        self.chunk_rows = int(getattr(source, "chunk_rows", 0) or 0) if rows else 0
        if _in_order(keys, source.shape[3]):
            from .shortcuts import offers

            # Methods of the class would tell of offers that most sources don't make.
            vars(self).update(offers(source, layers, heads, None if rows else queries))

    def read(self, layer: int, head: slice, query: slice, key: slice) -> Weights:
        """Read a block of one layer; see `Source.read`."""
        source, (layers, heads, queries, keys) = self.origin
        return gather_layer(source, layers[layer], heads[head], queries[query], keys[key])

    def select(self, picks: Sequence[Sequence[int]]) -> SelectionSource:
        """A part of this part."""
        return SelectionSource(self, picks)


def select(source: Source, picks: Sequence[Sequence[int]]) -> Source:
    """A part of a source; see `SelectionSource`. What computes elsewhere still does."""
    if isinstance(source, SupportsElsewhere) and all(map(_ascending, picks)):
        return source.select(picks)
    return SelectionSource(source, picks)


def as_source(weights: object, batch: int | None = None) -> Source:
    """The source behind whatever holds weights.

    Args:
        weights: A `Source`, an array of 2 to 5 axes, nested lists of floats, or a list or tuple
            with one array a layer.
        batch: Which entry of a batch axis to read.

    Raises:
        TypeError: If it is none of these, or the numbers are not floats.
        ValueError: If shapes do not fit.
    """
    if isinstance(weights, Source):
        if batch is not None:
            raise ValueError(f"batch={batch} was given but the source has no batch axis")
        return weights
    if is_array(weights):
        return _array_source(weights, batch)
    if isinstance(weights, (list, tuple)) and weights:
        missing = [index for index, layer in enumerate(weights) if layer is None]
        if missing:
            raise TypeError(
                f"layer {missing[0]} is None: the model returned no attention there (transformers "
                'needs attn_implementation="eager" with output_attentions=True)'
            )
        if all(map(is_array, weights)):
            layers = LayersSource(weights, batch)
            if not all(map(is_dask, weights)):
                return layers
            # One array is read in one go: (layer, head, query, key) in the end.
            return _array_source(layers.stacked())
    if isinstance(weights, (list, tuple)) or hasattr(weights, "__array__"):
        return ArraySource(_listed(weights), batch)
    raise TypeError(
        "weights must be an array with shape, dtype and slicing, or a list or tuple of one such "
        f"array a layer; got {type(weights).__name__}"
    )


def gather(source: Source, picks: Sequence[Sequence[int]]) -> Weights:
    """Read the weights at some layers, heads, queries and keys, and no others.

    Args:
        source: Where the weights are.
        picks: For each axis the indices to take, in order.

    Returns:
        float32 of shape (layers, heads, queries, keys), sharing no memory with the source.
    """
    layers, heads, queries, keys = picks
    weights = np.empty(tuple(len(pick) for pick in picks), dtype=np.float32)
    if weights.size:
        for place, layer in enumerate(layers):
            weights[place] = gather_layer(source, layer, heads, queries, keys)
    return weights


def gather_layer(
    source: Source, layer: int, heads: Sequence[int], queries: Sequence[int], keys: Sequence[int]
) -> Weights:
    """Read the weights of one layer at some heads, queries and keys."""
    if isinstance(source, SupportsElsewhere):
        return source.gather(layer, heads, queries, keys)
    spans = [spans_of(heads, 1), spans_of(queries, GAP), spans_of(keys, GAP)]
    stepped = isinstance(queries, range) and len(queries) > 1 and queries.step > GAP
    if stepped and isinstance(source, SupportsSteps) and len(spans[0]) == len(spans[2]) == 1:
        every = slice(queries[0], queries[-1] + 1, cast(range, queries).step)
        block = source.read_every(layer, spans[0][0], every, spans[2][0])
        picked = [_members(heads, spans[0][0])[1], _members(keys, spans[2][0])[1]]
        return block[np.ix_(picked[0], np.arange(len(queries)), picked[1])]
    if all(len(found) == 1 for found in spans):
        taken = [
            _within(pick, span[0]) for pick, span in zip((heads, queries, keys), spans, strict=True)
        ]
        if all(isinstance(index, slice) for index in taken):
            block = source.read(layer, spans[0][0], spans[1][0], spans[2][0])
            return block[tuple(cast("list[slice]", taken))]
    rows = max(span.stop - span.start for span in spans[1])
    columns = slice(spans[2][0].start, spans[2][-1].stop)
    if len(spans[2]) > MANY and rows * (columns.stop - columns.start) <= BLOCK:
        spans[2] = [columns]
    weights = np.empty((len(heads), len(queries), len(keys)), dtype=np.float32)
    places = [
        [_members(pick, span) for span in found]
        for pick, found in zip((heads, queries, keys), spans, strict=True)
    ]
    for head, (to_head, from_head) in zip(spans[0], places[0], strict=True):
        for query, (to_query, from_query) in zip(spans[1], places[1], strict=True):
            for key, (to_key, from_key) in zip(spans[2], places[2], strict=True):
                block = source.read(layer, head, query, key)
                weights[np.ix_(to_head, to_query, to_key)] = block[
                    np.ix_(from_head, from_query, from_key)
                ]
    return weights


def spans_of(indices: Sequence[int], gap: int) -> list[slice]:
    """The slices of step 1 that hold some indices, ascending, joined where closer than ``gap``."""
    if isinstance(indices, range) and abs(indices.step) <= gap and len(indices):
        first, last = sorted((indices[0], indices[-1]))
        return [slice(first, last + 1)]
    ordered = np.unique(np.asarray(indices, dtype=np.intp))
    if not len(ordered):
        return [slice(0, 0)]
    parts = np.split(ordered, np.flatnonzero(np.diff(ordered) > gap) + 1)
    return [slice(int(part[0]), int(part[-1]) + 1) for part in parts]


def compose(first: Sequence[int], then: Sequence[int]) -> Sequence[int]:
    """The indices that picking ``first`` and then ``then`` of those comes to."""
    if isinstance(first, range) and isinstance(then, range) and len(then):
        start = first[then.start]
        step = first.step * then.step
        return range(start, start + step * len(then), step)
    return tuple(first[index] for index in then)


def to_float32(block: object) -> Weights:
    """A block of any array library as a NumPy array of float32.

    Values beyond float32 become ±inf, masked ones NaN.
    """
    found = cast(Any, block)
    if hasattr(found, "detach"):
        found = found.detach().float().cpu().numpy()
    elif isinstance(found, np.ma.MaskedArray):
        found = np.ma.filled(cast(Any, found).astype(np.float32), np.nan)
    elif hasattr(found, "toarray"):
        found = found.toarray()
    with np.errstate(over="ignore", invalid="ignore"):
        return np.asarray(found).astype(np.float32, copy=False)


def shape_of(array: object) -> tuple[int, ...]:
    """The shape of an array, as plain ints.

    Raises:
        ValueError: If a size is unknown, as in a dask array after boolean indexing.
    """
    sizes = tuple(cast(Any, array).shape)
    try:
        return tuple(int(size) for size in sizes)
    except (TypeError, ValueError):
        raise ValueError(f"weights must have a known shape; got {sizes}") from None


def chunk_rows_of(array: object) -> int:
    """How many queries a stored chunk holds, 0 where the array is not in chunks."""
    chunks = getattr(array, "chunks", None)
    if not isinstance(chunks, tuple) or len(chunks) < 2:
        return 0
    rows = chunks[-2]
    # dask has the lengths of all chunks along each axis.
    return int(rows[0] if isinstance(rows, tuple) else rows)


def dtype_name(array: object) -> str:
    """The name of an array's dtype in its own library: ``float32``, ``bfloat16`` …."""
    known = getattr(array, "dtype_name", None)
    if isinstance(known, str):
        return known
    dtype = cast(Any, array).dtype
    return str(getattr(dtype, "name", None) or dtype).removeprefix("torch.")


def float_dtype(array: object) -> tuple[np.dtype[Any], str]:
    """The NumPy dtype of an array and the name of its true one.

    Floats that NumPy has no dtype for (bfloat16, float8) are float32 here.

    Raises:
        TypeError: If the numbers are not floats.
    """
    name = dtype_name(array)
    dtype = cast(Any, array).dtype
    if name.startswith(("bfloat", "float8_", "float6_", "float4_")):
        return np.dtype(np.float32), name
    try:
        found: np.dtype[Any] = dtype if isinstance(dtype, np.dtype) else np.dtype(name)
    except TypeError:
        raise TypeError(f"weights must be floats; got dtype {name}") from None
    if found.kind != "f":
        hint = "; convert with .astype(float) if they are weights" if found.kind in "iub" else ""
        raise TypeError(f"weights must be floats; got dtype {name}{hint}")
    return found, name


def is_array(value: object) -> bool:
    """Whether a value has what a slice can be read from."""
    return all(hasattr(value, name) for name in ("shape", "dtype", "__getitem__"))


def is_dask(value: object) -> bool:
    """Whether a value is a dask array: sliced and computed elsewhere, later."""
    return is_array(value) and hasattr(value, "__dask_graph__") and hasattr(value, "chunks")


def _array_source(array: object, batch: int | None = None) -> Source:
    if is_dask(array):
        from .sources_dask import DaskSource

        return DaskSource(array, batch)
    if chunk_rows_of(array):
        from .sources_chunked import ChunkedSource

        return ChunkedSource(array, batch)
    return ArraySource(array, batch)


def batch_index(batch: int | None, size: int) -> int:
    """The entry of a batch axis to read.

    Raises:
        ValueError: If there are several and ``batch`` says none, or it is out of range.
    """
    if batch is None:
        if size != 1:
            raise ValueError(
                f"weights have a batch axis of length {size}: say which one, batch=0 … {size - 1}"
            )
        return 0
    if isinstance(batch, bool) or not hasattr(batch, "__index__"):
        raise TypeError(f"batch must be an int; got {batch!r}")
    index = batch.__index__()
    if not -size <= index < size:
        raise ValueError(f"batch must be in 0 … {size - 1}; got {index}")
    return index % size


def _listed(weights: object) -> NDArray[Any]:
    try:
        return np.asarray(weights)
    except ValueError as error:
        raise ValueError(f"weights must be one rectangular array: {error}") from None


def _in_order(pick: Sequence[int], size: int) -> bool:
    """Whether a pick takes all positions of an axis as they are."""
    return len(pick) == size and all(index == place for place, index in enumerate(pick))


def _ascending(pick: Sequence[int]) -> bool:
    return pick.step > 0 if isinstance(pick, range) else all(a < b for a, b in pairwise(pick))


def _within(pick: Sequence[int], span: slice) -> slice | None:
    """How a pick reads from the block of its only span, where a slice can say it."""
    if isinstance(pick, range) and len(pick):
        stop = pick[-1] - span.start + (1 if pick.step > 0 else -1)
        return slice(pick[0] - span.start, None if stop < 0 else stop, pick.step)
    return slice(None) if not len(pick) else None


def _members(pick: Sequence[int], span: slice) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Which places of a pick a span holds, and where in its block they are."""
    indices = np.asarray(pick, dtype=np.intp)
    places = np.flatnonzero((indices >= span.start) & (indices < span.stop))
    return places, indices[places] - span.start
