"""Attention: weights, the two axes they run over, and what the numbers are."""

from __future__ import annotations

import operator
import os
from collections.abc import Iterable, Sequence
from types import EllipsisType
from typing import TYPE_CHECKING, Any, TypeAlias, cast

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ._warm import warm_up
from .axes import Axis
from .made import Made
from .sources import Shape, Source, Weights, as_source, dtype_name, gather, select

if TYPE_CHECKING:
    from .widget import AttentionWidget

KINDS = ("weight", "score", "relevance", "norm", "difference")
"""What the numbers of a map may be."""

Index: TypeAlias = int | slice | EllipsisType
Pick: TypeAlias = int | slice | Iterable[int] | None

_AXES = ("layer", "head", "query", "key")


class Attention:
    """One attention map: ``A[layer, head, query, key]`` and what its positions are.

    Nothing is copied or read until a part is asked for.

    Args:
        weights: (Q, K), (H, Q, K) or (L, H, Q, K); or a list or tuple with one (H, Q, K) or
            (1, H, Q, K) array a layer. Anything with ``shape``, ``dtype`` and slicing: NumPy,
            PyTorch, JAX, TensorFlow, zarr, h5py, dask. Floats only; rows need not sum to 1.
        queries: What the query positions are: a list of strings, a segment (`Tokens`,
            `Patches`, `Boxes`), a list of segments or an `Axis`. None counts them from 0.
        keys: The same for the key side. None on a square map means "same as queries".
        kind: What the numbers are: ``"weight"``, ``"score"`` (before softmax),
            ``"relevance"``, ``"norm"`` or ``"difference"``.
        name: A name to show.
        batch: Which entry to read where the weights have a batch axis.
        made: How the map was made from others, first step first; `methods` say so.

    Raises:
        TypeError: If the weights are not floats or not an array.
        ValueError: If shape, number of labels, kind or batch do not fit.
    """

    def __init__(
        self,
        weights: object,
        queries: object = None,
        keys: object = None,
        *,
        kind: str = "weight",
        name: str = "",
        batch: int | None = None,
        made: Iterable[Made] = (),
    ) -> None:
        if kind not in KINDS:
            raise ValueError(f"kind must be one of {', '.join(KINDS)}; got {kind!r}")
        if not isinstance(name, str):
            raise TypeError(f"name must be a string; got {type(name).__name__}")
        self._source: Source = as_source(weights, batch)
        self._kind = kind
        self._name = name
        self._made = tuple(made)
        _, _, query_count, key_count = self._source.shape
        self._queries = Axis.of(queries, query_count, "queries")
        if keys is None and query_count == key_count:
            self._keys = self._queries
        else:
            self._keys = Axis.of(keys, key_count, "keys")
        self._widget: AttentionWidget | None = None
        warm_up()

    @classmethod
    def from_qk(
        cls,
        query: object,
        key: object,
        queries: object = None,
        keys: object = None,
        *,
        value: object = None,
        scale: float | None = None,
        causal: bool = False,
        mask: object = None,
        bias: object = None,
        window: int | None = None,
        softcap: float | None = None,
        sinks: object = None,
        name: str = "",
        offset: int = 0,
    ) -> Attention:
        """Attention of queries and keys, computed for the part that is read.

        The Q × K matrix is never held. Rows and blocks take a pass over their own keys; columns
        and overviews a pass over the head, whose log-sum-exp is kept.

        Args:
            query: (L, H, Q, D), leading axes optional, or a list with one (H, Q, D) array a
                layer; after rotary embedding, if there is one. NumPy, memory maps, PyTorch on any
                device (computed there), zarr, h5py, dask, JAX; floats.
            key: (L, Hkv, K, D) likewise with H % Hkv == 0: head h reads key head h // (H // Hkv).
            queries: What the query positions are; see `Attention`.
            keys: The same for the key side.
            value: (L, Hkv, K, Dv), kept for methods that need it.
            scale: Factor of q·k; None is 1 / sqrt(D).
            causal: Whether a query attends to no later key. Query i stands at position i + offset.
            mask: Boolean, True where a query may attend; broadcasts to (L, H, Q, K).
            bias: Added to the logits (ALiBi, T5 …); broadcasts to (L, H, Q, K).
            window: With ``causal`` 0 <= position − key < window, else
                abs(position − key) < window.
            softcap: softcap · tanh(logit / softcap), before bias and masks.
            sinks: One logit a head, (H,) or (L, H), whose share leaves the row.
            name: A name to show.
            offset: Position of the first query among the keys. 0 is what PyTorch's ``is_causal``
                means; with cached keys it is K − Q.

        Raises:
            TypeError: If something is of a wrong type.
            ValueError: If shapes, labels or options do not fit.
        """
        from .qk import QKSource

        source = QKSource(
            query,
            key,
            value=value,
            scale=scale,
            causal=causal,
            mask=mask,
            bias=bias,
            window=window,
            softcap=softcap,
            sinks=sinks,
            offset=offset,
        )
        return cls(source, queries, keys, name=name)

    @property
    def has_places(self) -> bool:
        """Whether any position of either axis lies on an image or on a grid."""
        return self.queries.has_places or self.keys.has_places

    @property
    def shape(self) -> Shape:
        """(layers, heads, queries, keys)."""
        return self._source.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """What the weights are stored as; slices are read as float32."""
        return self._source.dtype

    @property
    def queries(self) -> Axis:
        """The positions that attend: the rows."""
        return self._queries

    @property
    def keys(self) -> Axis:
        """The positions attended to: the columns."""
        return self._keys

    @property
    def kind(self) -> str:
        """What the numbers are; one of `KINDS`."""
        return self._kind

    @property
    def name(self) -> str:
        """The name to show, possibly empty."""
        return self._name

    @property
    def made(self) -> tuple[Made, ...]:
        """How the map was made from others, first step first; empty for one that was given."""
        return self._made

    @property
    def source(self) -> Source:
        """Where the weights are read from."""
        return self._source

    def __getitem__(self, index: Index | tuple[Index, ...]) -> Weights:
        """Read a part, with NumPy's basic indexing.

        Args:
            index: Up to four ints, slices and one Ellipsis: layer, head, query, key.

        Returns:
            A fresh float32 array; ints take their axis away.

        Raises:
            IndexError: If an index is out of range or of another sort.
        """
        parts = _expanded(index if isinstance(index, tuple) else (index,))
        picks = [
            range(size)[part] if isinstance(part, slice) else _one(_place(part, size, axis))
            for part, size, axis in zip(parts, self.shape, _AXES, strict=True)
        ]
        weights = gather(self._source, picks)
        kept = (slice(None) if isinstance(part, slice) else 0 for part in parts)
        return weights[(*kept, ...)]

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> NDArray[Any]:
        """All weights, (layers, heads, queries, keys), float32 unless asked otherwise."""
        if copy is False:
            raise ValueError("the weights are read from their source, which makes a copy")
        weights = self[...]
        return weights if dtype is None else weights.astype(dtype, copy=False)

    def select(
        self, *, layers: Pick = None, heads: Pick = None, queries: Pick = None, keys: Pick = None
    ) -> Attention:
        """A part of the map as a map, still unread.

        Args:
            layers: An int, a slice or ints, in the order wanted; None takes all. An int keeps
                its axis, of length 1.
            heads: The same for heads.
            queries: The same for queries; the axis keeps its labels.
            keys: The same for keys.

        Raises:
            IndexError: If an index is out of range.
            TypeError: If a pick is none of these.
        """
        asked = (layers, heads, queries, keys)
        picks = [
            _picked(pick, size, axis)
            for pick, size, axis in zip(asked, self.shape, _AXES, strict=True)
        ]
        query_axis = self._queries.select(picks[2])
        shared = self._keys is self._queries and list(picks[2]) == list(picks[3])
        return Attention(
            select(self._source, picks),
            query_axis,
            query_axis if shared else self._keys.select(picks[3]),
            kind=self._kind,
            name=self._name,
            made=self._made,
        )

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the map with its labels, images and kind to one ``.npz`` file.

        Weights stored as float16 stay so; all others are written as float32. The file appears
        whole or not at all.

        Args:
            path: Where to write; an existing file is replaced.
        """
        from .archive import save

        save(self, path)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Attention:
        """Read a map written by `save`; nothing in the file is ever executed.

        Raises:
            FileNotFoundError: If there is no such file.
            ValueError: If the file is not one of ours, is damaged, or is of a newer version.
        """
        from .archive import load

        return load(path)

    def __repr__(self) -> str:
        layers, heads, queries, keys = self.shape
        name = f"{self._name!r}, " if self._name else ""
        made = f", made by {' · '.join(step.call for step in self._made)}" if self._made else ""
        return (
            f"Attention({name}{layers} layers × {heads} heads × {queries} queries × {keys} keys, "
            f"{self._kind}, {dtype_name(self._source)}{made})"
        )

    def _repr_mimebundle_(self, **kwargs: object) -> object:
        """Show the map as a widget; one widget a map, however often it is shown."""
        from .widget import AttentionWidget

        if self._widget is None or self._widget.comm is None:
            self._widget = AttentionWidget(self)
        return self._widget._repr_mimebundle_(**kwargs)


def _expanded(parts: tuple[Index, ...]) -> tuple[int | slice, ...]:
    """Four ints or slices, what was left out filled with whole axes."""
    for part in parts:
        if not (isinstance(part, slice) or part is Ellipsis or _integer(part) is not None):
            raise IndexError(
                "an index must be an int, a slice or an Ellipsis (lists go to .select); "
                f"got {type(part).__name__}"
            )
    gaps = sum(part is Ellipsis for part in parts)
    if gaps > 1:
        raise IndexError("an index can have only one Ellipsis")
    given = len(parts) - gaps
    if given > 4:
        raise IndexError(f"a map has 4 axes (layer, head, query, key); got {given} indices")
    at = next((place for place, part in enumerate(parts) if part is Ellipsis), len(parts))
    whole = (slice(None),) * (4 - given)
    return cast("tuple[int | slice, ...]", parts[:at] + whole + parts[at + 1 :])


def _one(place: int) -> range:
    return range(place, place + 1)


def _integer(value: object) -> int | None:
    """A value as an int, or None if it is no integer; True and False are none here."""
    if isinstance(value, (bool, np.bool_)):
        return None
    try:
        return operator.index(cast(Any, value))
    except TypeError:
        return None


def _place(index: object, size: int, axis: str) -> int:
    place = operator.index(cast(Any, index))
    if not -size <= place < size:
        raise IndexError(f"{axis} {place} is out of range for {size} ({axis}s 0 … {size - 1})")
    return place % size


def _picked(pick: Pick, size: int, axis: str) -> Sequence[int]:
    if pick is None:
        return range(size)
    if isinstance(pick, slice):
        return range(size)[pick]
    if _integer(pick) is not None:
        return _one(_place(pick, size, axis))
    if isinstance(pick, str) or not isinstance(pick, Iterable):
        raise TypeError(f"{axis} must be an int, a slice or ints; got {pick!r}")
    items = list(pick)
    for item in items:
        if _integer(item) is None:
            raise TypeError(f"{axis} must be ints; got {item!r}")
    return tuple(_place(item, size, axis) for item in items)
