"""What attention carries: value vectors, and what an attention layer adds up of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, cast

import numpy as np

from ..attention import Attention
from ..overview import SupportsOutput, SupportsValues
from ..qk.inputs import Vectors
from ..qk.kept import Kept
from ..sources import to_float32
from .inputs import Floats, floats, layered

KEPT_BYTES: Final = 1 << 28
"""Transformed values kept for further reads."""

Output = Callable[[int, int], Floats]
"""A head's part of the output matrix of a layer, (Dv, D)."""

MOST_BYTES: Final = 1 << 30
"""Transformed values of one layer, all heads."""


class Values:
    """Value vectors of each layer and head, times its part of the output matrix where given.

    ``f_h(x_j) = (x_j W_V^h + b_V^h) W_O^h``: what key j would add to the output of the layer at
    weight 1. Source: Kobayashi et al. 2020.

    Args:
        att: The map whose keys they belong to.
        value: (L, Hkv, K, Dv), leading axes optional, or one array a layer, with H % Hkv == 0; None
            takes those that the map was made from (`Attention.from_qk`).
        output: (L, H · Dv, D) or (L, H, Dv, D), layers optional, applied from the right; the
            ``weight`` of a linear layer of PyTorch is its transpose. None takes that of a captured
            map whose own values are taken, and else leaves values alone.
        own_output: Whether to take the output matrix of a captured map where none is given.

    Attributes:
        has_output: Whether values are those behind an output matrix.
        depth: D, numbers in what heads add up to.

    Raises:
        ValueError: If there are none or shapes do not fit.
    """

    def __init__(
        self,
        att: Attention,
        value: object = None,
        output: object = None,
        *,
        own_output: bool = True,
    ) -> None:
        layers, heads, _, keys = att.shape
        self._source: SupportsValues | None = None
        if value is None:
            self.size = value_size(att)
            if not self.size:
                raise ValueError(
                    "this map knows no values: give value=, (layers, heads, keys, D), or make the "
                    "map with Attention.from_qk(..., value=...)"
                )
            self._source = cast(SupportsValues, att.source)
        else:
            self._vectors = Vectors(value, "value", "K")
            shape = self._vectors.shape
            if shape[0] != layers or shape[2] != keys or heads % shape[1]:
                raise ValueError(
                    f"value must have shape ({layers}, {heads}, {keys}, D) to fit the map, heads "
                    f"possibly grouped; got {shape}"
                )
            self._group = heads // shape[1]
            self.size = shape[3]
        self.layers, self.heads, self.keys = layers, heads, keys
        self._output: Output | None = None
        if output is not None:
            given = self._projection(output)
            self._output = lambda layer, head: given[layer, head]
        elif value is None and own_output:
            self._output = own_output_of(att)
        self.has_output = self._output is not None
        self.depth = self.size * heads
        if self._output is not None:
            self.depth = int(self._output(0, 0).shape[-1])
        self._kept = Kept(KEPT_BYTES)

    def plain(self, layer: int, head: int) -> Floats:
        """The values that a head reads, (K, Dv)."""
        if self._source is not None:
            return floats(self._source.values(layer, head, slice(0, self.keys)), "values")
        part = self._vectors.part(layer, head // self._group, slice(0, self.keys))
        if hasattr(part, "detach") or getattr(part, "dtype", None) != np.float64:
            part = to_float32(part)
        return np.asarray(part, dtype=np.float64)

    def head(self, layer: int, head: int) -> Floats:
        """The transformed values of a head, (K, D)."""
        values = self.plain(layer, head)
        return values if self._output is None else values @ self._output(layer, head)

    def norms(self, layer: int, head: int) -> Floats:
        """Their lengths, (K,)."""
        known: Floats | None = self._kept.get(("norms", layer, head))
        if known is None:
            known = np.linalg.norm(self.head(layer, head), axis=1)
            self._kept.put(("norms", layer, head), known, known.nbytes)
        return known

    def layer(self, layer: int) -> Floats:
        """The transformed values of all heads of a layer, (H, K, D).

        Without an output matrix heads stand side by side, as they enter it: D is H · Dv.
        """
        known: Floats | None = self._kept.get(("layer", layer))
        if known is not None:
            return known
        found = np.zeros((self.heads, self.keys, self.depth))
        for head in range(self.heads):
            if self._output is None:
                found[head, :, head * self.size : (head + 1) * self.size] = self.plain(layer, head)
            else:
                found[head] = self.head(layer, head)
        self._kept.put(("layer", layer), found, found.nbytes)
        return found

    def _projection(self, output: object) -> Floats:
        found = floats(output, "output")
        depth = found.shape[-1] if found.ndim else 0
        joined = (self.layers, self.heads * self.size, depth)
        apart = (self.layers, self.heads, self.size, depth)
        return layered(found, "output", joined, apart).reshape(apart)


def own_output_of(att: Attention) -> Output | None:
    """The output matrices of a captured map, read when asked for; None where one is not known."""
    source = att.source
    if not isinstance(source, SupportsOutput):
        return None
    known = cast(SupportsOutput, source)
    if any(known.output(layer, 0) is None for layer in range(att.shape[0])):
        return None
    return lambda layer, head: floats(known.output(layer, head), "output")


def value_size(att: Attention) -> int:
    """How long the values are that a map was made from; 0 where they are not known."""
    if not isinstance(att.source, SupportsValues):
        return 0
    sample = att.source.values(0, 0, slice(0, 1))
    return 0 if sample is None else int(sample.shape[1])


@dataclass(frozen=True)
class Sums:
    """What some queries of a layer add up: one vector a key."""

    terms: Floats
    """(queries, K, D): what each key adds."""
    total: Floats
    """(queries, D): all of it and the bias, before any layer norm."""


class Sublayer:
    """What an attention layer adds up: heads, and where given residual, bias and layer norm.

    ``z_ij = Σ_h α^h_ij f_h(x_j)``, plus ``x_i`` where j = i; then, with a layer norm,
    ``(z_ij − mean z_ij) / sd_i ⊙ γ`` with the standard deviation of the whole sum. Terms add up to
    the output of the layer less what biases contribute. Source: Kobayashi et al. 2021.

    Args:
        att: Attention (L, H, n, m).
        values: Its transformed values.
        hidden: (L, n, D) what enters the residual connection; None leaves it out.
        bias: (L, D) bias of the output matrix.
        gamma: (L, D) weight of the layer norm that follows; None leaves it out.
        epsilon: What that layer norm adds to the variance.

    Raises:
        ValueError: If shapes do not fit, or there is a residual and the map is not square.
    """

    def __init__(
        self,
        att: Attention,
        values: Values,
        *,
        hidden: object = None,
        bias: object = None,
        gamma: object = None,
        epsilon: float = 1e-12,
    ) -> None:
        layers, _, queries, keys = att.shape
        self._att, self._values = att, values
        self.depth = depth = values.depth
        if values.heads * keys * depth * 8 > MOST_BYTES:
            raise ValueError(
                f"transformed values of {values.heads} heads × {keys} keys × {depth} numbers take "
                "more than 1 GiB: select fewer heads or keys"
            )
        if hidden is not None and queries != keys:
            raise ValueError(
                "a residual connection adds each position to itself, so the map must have as many "
                f"queries as keys; got {queries} and {keys}"
            )
        self._hidden = _optional(hidden, "hidden", (layers, keys, depth))
        self._bias = _optional(bias, "bias", (layers, depth))
        self._gamma = _optional(gamma, "gamma", (layers, depth))
        self._epsilon = epsilon

    @property
    def width(self) -> int:
        """Numbers handled for a query."""
        return self._att.shape[3] * self.depth

    def sums(self, layer: int, rows: slice) -> Sums:
        """What some queries of a layer add up."""
        _, heads, _, keys = self._att.shape
        weights = self._att.source.read(layer, slice(0, heads), rows, slice(0, keys))
        terms = np.einsum("hqk,hkd->qkd", weights.astype(np.float64), self._values.layer(layer))
        if self._hidden is not None:
            at = np.arange(rows.start, rows.stop)
            terms[np.arange(len(at)), at] += self._hidden[layer, at]
        total = terms.sum(axis=1)
        if self._bias is not None:
            total = total + self._bias[layer]
        if self._gamma is not None:
            terms = normed(terms, total[:, None], self._gamma[layer], self._epsilon)
        return Sums(terms, total)


def normed(terms: Floats, total: Floats, gamma: Any, epsilon: float) -> Floats:
    """Terms of a sum as a layer norm of the sum scales them.

    Args:
        terms: (…, D).
        total: What the layer norm is given, (…, D).
        gamma: Its weight, (D,).
        epsilon: What it adds to the variance.
    """
    deviation = np.sqrt(total.var(axis=-1, keepdims=True) + epsilon)
    centred: Floats = (terms - terms.mean(axis=-1, keepdims=True)) / deviation * gamma
    return centred


def _optional(value: object, name: str, shape: tuple[int, ...]) -> Floats | None:
    return None if value is None else layered(value, name, shape)
