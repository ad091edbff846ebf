"""What attention costs: FLOPs, and bytes of maps, of naive and fused attention, of the KV cache.

A multiplication and an addition are two FLOPs. Letters in formulas: B batch, L layers, H heads,
Hkv key heads, n queries, m keys, d head_dim, D model_dim, b bytes a number.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, cast

import numpy as np

from .frames import frame_of
from .sources import dtype_name
from .units import in_units

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from .attention import Attention
    from .measuring import Measured

_SOFTMAX: Final = 5
"""FLOPs a pair of softmax, roughly: maximum, subtraction, exponential, sum, division."""

_LONGEST: Final = 1 << 40

FORMULAS: Final = {
    "attention_flops": "4 · L · B · H · pairs · d",
    "softmax_flops": "5 · L · B · H · pairs",
    "projection_flops": "4 · L · B · (n · D · H · d + m · D · Hkv · d)",
    "map_bytes": "L · B · H · n · m · b",
    "naive_bytes": "2 · L · B · H · n · m · b",
    "fused_bytes": "L · B · H · n · (d · b + 4)",
    "qk_bytes": "L · B · ((H · n + Hkv · m) · d · b + 4 · H · n)",
    "kv_cache_bytes": "2 · L · B · Hkv · m · d · b",
    "kv_cache_bytes_per_token": "2 · L · Hkv · d · b",
}
"""How each quantity is computed; ``pairs`` is n · m, fewer with ``causal`` or ``window``."""


@dataclass(frozen=True)
class Cost:
    """What attention costs, as a record of what it was computed from; see :func:`cost`.

    Quantities are for all layers and the whole batch; :attr:`per_layer` has those of one layer.

    Attributes:
        queries: n.
        keys: m.
        heads: H.
        head_dim: d.
        kv_heads: Hkv.
        layers: L.
        batch: B.
        dtype: what numbers are stored as.
        causal: whether queries attend to no later key.
        window: keys in reach of a query, or None.
        model_dim: D.
    """

    queries: int
    keys: int
    heads: int
    head_dim: int
    kv_heads: int
    layers: int = 1
    batch: int = 1
    dtype: str = "float16"
    causal: bool = False
    window: int | None = None
    model_dim: int = 0

    @property
    def pairs(self) -> int:
        """Pairs of query and key that a head computes; n(n + 1)/2 of a square causal map."""
        start = self.keys - self.queries if self.causal else 0
        beyond = start + 1 if self.causal else self.window
        if beyond is None:
            return self.queries * self.keys
        pairs = _clipped_sum(beyond, self.queries, self.keys)
        if self.window is not None:
            pairs -= _clipped_sum(start - self.window + 1, self.queries, self.keys)
        return pairs

    @property
    def attention_flops(self) -> int:
        """FLOPs of QKᵀ and PV, forward: ``4 · L · B · H · pairs · d``."""
        return 4 * self._all_heads * self.pairs * self.head_dim

    @property
    def softmax_flops(self) -> int:
        """FLOPs of softmax, roughly: ``5 · L · B · H · pairs``."""
        return _SOFTMAX * self._all_heads * self.pairs

    @property
    def projection_flops(self) -> int:
        """FLOPs of the query, key, value and output projections, forward.

        ``4 · L · B · (n · D · H · d + m · D · Hkv · d)``, which is ``8 · B · n · D²`` a layer where
        all heads have keys of their own. Of a causal map with more keys than queries, whose first
        keys are cached, only the last n keys are projected.
        """
        projected = min(self.queries, self.keys) if self.causal else self.keys
        widths = self.queries * self.heads + projected * self.kv_heads
        return 4 * self.layers * self.batch * self.model_dim * self.head_dim * widths

    @property
    def training_flops(self) -> int:
        """FLOPs of attention, projections and softmax, forward and backward: three times."""
        return 3 * (self.attention_flops + self.projection_flops + self.softmax_flops)

    @property
    def map_bytes(self) -> int:
        """Bytes of all weights: ``L · B · H · n · m · b``."""
        return self._all_heads * self.queries * self.keys * self._bytes

    @property
    def naive_bytes(self) -> int:
        """Bytes of scores and weights, which naive attention holds: twice the map.

        Training holds those of all layers; without gradients one layer's are held at a time.
        """
        return 2 * self.map_bytes

    @property
    def fused_bytes(self) -> int:
        """Bytes of the output and a float32 log-sum-exp a row, all that fused kernels write.

        ``L · B · H · n · (d · b + 4)``. Source: Dao et al. 2022 (FlashAttention).
        """
        return self._all_heads * self.queries * (self.head_dim * self._bytes + 4)

    @property
    def qk_bytes(self) -> int:
        """Bytes of queries, keys and log-sum-exps, from which any part of the map is computed.

        It is what `Attention.from_qk` holds instead of the map.
        """
        rows = self.heads * self.queries + self.kv_heads * self.keys
        held = rows * self.head_dim * self._bytes + 4 * self.heads * self.queries
        return self.layers * self.batch * held

    @property
    def kv_cache_bytes(self) -> int:
        """Bytes of cached keys and values of all m positions: ``2 · L · B · Hkv · m · d · b``."""
        return self.batch * self.keys * self.kv_cache_bytes_per_token

    @property
    def kv_cache_bytes_per_token(self) -> int:
        """Bytes of cache that one more token of one sequence takes: ``2 · L · Hkv · d · b``."""
        return 2 * self.layers * self.kv_heads * self.head_dim * self._bytes

    @property
    def crossover(self) -> int | None:
        """Tokens from which attention takes as many FLOPs as the projections; None if never.

        It is for a sequence that attends to itself: ``n = 2 · D`` where all heads have keys of
        their own and nothing is masked.
        """
        if not self._attention_leads(_LONGEST):
            return None
        low, high = 0, _LONGEST
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if self._attention_leads(middle) else (middle, high)
        return high

    @property
    def per_layer(self) -> Cost:
        """The same for one layer."""
        return replace(self, layers=1)

    def at(self, length: int) -> Cost:
        """Return the same for a sequence of some length that attends to itself."""
        return replace(self, queries=length, keys=length)

    @property
    def sentence(self) -> str:
        """One line: how many weights there are, what they take, and what computing them takes."""
        one = self.per_layer
        weights = f"{self.heads} heads × {self.queries:,} × {self.keys:,} weights"
        layers = f"{self.layers} layers × " if self.layers > 1 else ""
        return (
            f"{layers}{weights}: {in_units(self.map_bytes, 'B')} as {self.dtype}; attention takes "
            f"{in_units(one.attention_flops, 'FLOPs')}{' a layer' if self.layers > 1 else ''}"
        )

    def to_frame(self, lengths: Sequence[int] | None = None) -> pd.DataFrame:
        """Return the quantities as a pandas DataFrame.

        Args:
            lengths: None for one row a quantity, with columns ``per_layer``, ``total``, ``unit``
                and ``formula``; else one row a sequence length and one column a quantity, in total.

        Raises:
            ImportError: if pandas is not installed.
        """
        if lengths is not None:
            costs = [self.at(length) for length in lengths]
            columns = {name: [getattr(one, name) for one in costs] for name in FORMULAS}
            return frame_of({"length": list(lengths), **columns})
        one = self.per_layer
        return frame_of(
            {
                "quantity": list(FORMULAS),
                "per_layer": [getattr(one, name) for name in FORMULAS],
                "total": [getattr(self, name) for name in FORMULAS],
                "unit": [_unit(name) for name in FORMULAS],
                "formula": list(FORMULAS.values()),
            }
        )

    def plot(
        self, ax: Axes | None = None, *, of: str | None = None, theme: str = "light"
    ) -> Figure:
        """Draw FLOPs and bytes of one layer over sequence length, both axes logarithmic.

        Marked are the length at hand and the crossover from which attention takes more FLOPs than
        the projections. Neither pyplot nor any global setting is touched.

        Args:
            ax: axes to draw into; None makes a figure.
            of: ``"flops"`` or ``"bytes"``; None is both in a new figure, FLOPs in ``ax``.
            theme: ``"light"`` or ``"dark"``.

        Raises:
            ValueError: if ``of`` is none of these.
        """
        from .figure.cost import plot_cost

        return plot_cost(self, ax, of, theme)

    def measure(self, lengths: Sequence[int] | None = None, **options: Any) -> Measured:
        """Time attention of these sizes on this machine; see `attn_widget.measuring.measure`."""
        from .measuring import measure

        return measure(self, lengths, **options)

    def __repr__(self) -> str:
        several = self.layers > 1
        rows = [["", "a layer", "in total"]] if several else []
        for name in FORMULAS:
            costs = [self.per_layer, self] if several else [self]
            amounts = [in_units(getattr(each, name), _unit(name)) for each in costs]
            rows.append([name.replace("_", " "), *amounts])
        if self.crossover is not None:
            rows.append(["crossover", f"{self.crossover:,} tokens"])
        lines = [
            f"  {name:<24}" + "".join(f"{text:>16}" for text in texts) for name, *texts in rows
        ]
        return "\n".join([f"Cost: {self.sizes}", *lines])

    @property
    def sizes(self) -> str:
        """What the cost is of, in words."""
        own = "" if self.kv_heads == self.heads else f" ({self.kv_heads} with keys)"
        parts = [f"{self.layers} layers × "] if self.layers > 1 else []
        parts.append(f"{self.heads} heads{own} × {self.queries:,} × {self.keys:,}")
        options = [f"head_dim {self.head_dim}", self.dtype]
        options += [f"batch {self.batch}"] * (self.batch > 1) + ["causal"] * self.causal
        options += [] if self.window is None else [f"window {self.window:,}"]
        return ", ".join(["".join(parts), *options])

    @property
    def _all_heads(self) -> int:
        return self.layers * self.batch * self.heads

    @property
    def _bytes(self) -> int:
        return _item_bytes(self.dtype)

    def _attention_leads(self, length: int) -> bool:
        at = self.at(length)
        return at.attention_flops >= at.projection_flops


def cost(
    queries: int | Attention,
    keys: int | None = None,
    *,
    heads: int | None = None,
    head_dim: int | None = None,
    kv_heads: int | None = None,
    layers: int | None = None,
    batch: int = 1,
    dtype: object = "float16",
    causal: bool | None = None,
    window: int | None = None,
    model_dim: int | None = None,
) -> Cost:
    """Return what attention costs: FLOPs and bytes, for all layers and for each.

    Args:
        queries: n, positions that attend; or a map, such as a captured one, whose sizes are taken
            where no others are given.
        keys: m, positions attended to; None is as many. With ``causal`` and more keys than
            queries the queries are the last positions, as when keys are cached.
        heads: H; needed without a map.
        head_dim: d, the size of a query or key of one head; needed unless the map is made of such.
        kv_heads: Hkv, heads with keys of their own (grouped heads); None is ``heads``.
        layers: L; None is 1, or those of the map.
        batch: B.
        dtype: what numbers are stored as: a name, or a dtype of NumPy or PyTorch.
        causal: whether queries attend to no later key; None is False, or what the map says.
        window: keys in reach: with ``causal`` 0 <= query − key < window, else
            abs(query − key) < window.
        model_dim: D, the size of what is projected; None is ``heads · head_dim``.

    Raises:
        TypeError: if a size is no int or the dtype is unknown.
        ValueError: if a size is below 1, or heads are no multiple of kv_heads.
    """
    given = {
        "queries": queries,
        "keys": keys,
        "heads": heads,
        "head_dim": head_dim,
        "kv_heads": kv_heads,
        "layers": layers,
        "causal": causal,
        "window": window,
    }
    sizes: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    if hasattr(queries, "source"):
        sizes = {**_sizes_of(cast("Attention", queries)), **sizes}
        sizes["queries"] = cast("Attention", queries).shape[2]
    for name in ("heads", "head_dim"):
        if name not in sizes:
            raise TypeError(f"cost needs {name}=, an int")
    count, depth = _size(sizes["heads"], "heads"), _size(sizes["head_dim"], "head_dim")
    reach = sizes.get("window")
    found = Cost(
        queries=_size(sizes["queries"], "queries"),
        keys=_size(sizes.get("keys", sizes["queries"]), "keys"),
        heads=count,
        head_dim=depth,
        kv_heads=_size(sizes.get("kv_heads", count), "kv_heads"),
        layers=_size(sizes.get("layers", 1), "layers"),
        batch=_size(batch, "batch"),
        dtype=_dtype_name(dtype),
        causal=bool(sizes.get("causal", False)),
        window=None if reach is None else _size(reach, "window"),
        model_dim=_size(count * depth if model_dim is None else model_dim, "model_dim"),
    )
    _item_bytes(found.dtype)
    if found.heads % found.kv_heads:
        raise ValueError(f"heads must be a multiple of kv_heads; got {count} and {found.kv_heads}")
    return found


def _sizes_of(attention: Attention) -> dict[str, object]:
    """What a map says of its cost: its shape; and of queries and keys their size and reach."""
    layers, heads, _, keys = attention.shape
    source = attention.source
    reach = getattr(source, "reach", None)
    known = {
        "keys": keys,
        "heads": heads,
        "layers": layers,
        "head_dim": getattr(source, "head_dim", None),
        "kv_heads": getattr(source, "kv_heads", None),
        "causal": getattr(reach, "causal", None),
        "window": getattr(reach, "window", None),
    }
    return {name: value for name, value in known.items() if value is not None}


def cost_line(attention: Attention) -> str:
    """Return one line on what a map takes and what computing its scores took.

    What computing took is known where the source knows the size of its vectors (``head_dim``).

    Args:
        attention: any map; nothing is read.
    """
    layers, heads, queries, keys = attention.shape
    counts = [f"{layers} layers"] * (layers > 1) + [f"{heads} heads"] * (heads > 1)
    counts += [f"{queries:,}", f"{keys:,} {attention.kind}s"]
    stored = dtype_name(attention.source)
    size = layers * heads * queries * keys * _item_bytes(stored)
    line = f"{' × '.join(counts)}: {in_units(size, 'B')} as {stored}"
    head_dim = getattr(attention.source, "head_dim", None)
    if head_dim is None:
        return line
    flops = 2 * heads * queries * keys * head_dim
    per = " a layer" if layers > 1 else ""
    return f"{line}; computing all scores takes {in_units(flops, 'FLOPs')}{per}"


def _clipped_sum(first: int, count: int, most: int) -> int:
    """Return the sum of ``count`` consecutive ints from ``first``, each clipped to 0 … most."""

    def below(last: int) -> int:
        inside = min(max(last, 0), most)
        return inside * (inside + 1) // 2 + most * max(0, last - most)

    return below(first + count - 1) - below(first - 1)


def _size(value: object, name: str) -> int:
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise TypeError(f"{name} must be an int; got {value!r}")
    size = int(cast(Any, value))
    if size < 1:
        raise ValueError(f"{name} must be at least 1; got {size}")
    return size


def _dtype_name(dtype: object) -> str:
    if isinstance(dtype, str):
        return dtype
    if isinstance(dtype, type):
        return np.dtype(dtype).name
    return str(getattr(dtype, "name", dtype)).removeprefix("torch.")


def _item_bytes(name: str) -> int:
    """Return the bytes of one number; those that NumPy does not know say their bits."""
    if name.startswith(("bfloat", "float8_", "float6_", "float4_")):
        return 2 if name.startswith("bfloat") else 1
    try:
        return int(np.dtype(cast(Any, name)).itemsize)
    except TypeError:
        raise TypeError(f"dtype must name a number type; got {name!r}") from None


def _unit(name: str) -> str:
    return "FLOPs" if name.endswith("flops") else "B"
