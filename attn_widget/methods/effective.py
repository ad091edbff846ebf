"""Effective attention: the part of the weights that the output depends on."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..attention import Attention
from ..qk.kept import Kept
from .inputs import Floats, as_attention, derived
from .lazy import PartSource, chunk_rows
from .values import KEPT_BYTES, Values


def effective(att: object, value: object = None, output: object = None) -> Attention:
    """Effective attention: weights without what the values cancel out.

    ``A⊥ = A − A Π`` where Π projects on the left null space of ``T = V W_O`` (keys × numbers), so
    that ``A⊥ T = A T``: another map with the same output. It differs from A where T has fewer
    independent rows than there are keys; the record of the result states the rank, and
    `free_directions` how many directions each row could move in unseen. Weights may be negative.
    Read when asked for. Source: Brunner et al. 2020, arXiv 1908.04211.

    Args:
        att: Attention (L, H, Q, K), or an array that makes such a map.
        value: Values, as `value_norm` takes them.
        output: The output matrix, likewise; it matters only where its rank is below Dv.

    Returns:
        A map (L, H, Q, K) of kind ``"difference"``: what is left of A, with its signs.

    Raises:
        ValueError: If there are no values or shapes do not fit.
    """
    att = as_attention(att)
    basis = _Basis(att, Values(att, value, output, own_output=False))
    _, heads, _, keys = att.shape

    def part(layer: int, head: slice, query: slice, key: slice) -> Floats:
        weights = att.source.read(layer, head, query, slice(0, keys)).astype(np.float64)
        blocks = []
        for rows, one in zip(weights, range(heads)[head], strict=True):
            vectors = basis.of(layer, one)
            blocks.append(rows @ vectors @ vectors[key].T)
        return np.array(blocks).reshape(len(blocks), query.stop - query.start, key.stop - key.start)

    def notes() -> list[str]:
        ranks = np.unique(basis.ranks())
        rank = str(ranks[0]) if len(ranks) == 1 else f"{ranks[0]} … {ranks[-1]}"
        if ranks[0] == keys:
            return [f"values have full rank ({keys}): attention is determined by the output"]
        return [f"values have rank {rank} of {keys} keys: the output does not determine attention"]

    source = PartSource(att.shape, part, chunk_rows(att))
    title = "effective attention"
    return derived(att, source, "effective", title=title, notes=notes, kind="difference")


def free_directions(att: object, value: object = None, output: object = None) -> NDArray[np.int64]:
    """In how many directions the weights of a row could move without changing the output.

    ``K − rank T`` with ``T = V W_O``: attention is identifiable only where it is 0. (Weights must
    also stay positive and sum to 1, which leaves one direction less and bounds the rest.) Source:
    Brunner et al. 2020, arXiv 1908.04211.

    Args:
        att: Attention (L, H, Q, K).
        value: Values, as `value_norm` takes them.
        output: The output matrix, likewise.

    Returns:
        (L, H).

    Raises:
        ValueError: If there are no values or shapes do not fit.
    """
    att = as_attention(att)
    return att.shape[3] - _Basis(att, Values(att, value, output, own_output=False)).ranks()


class _Basis:
    """An orthonormal basis of what the values of each head tell apart among the keys."""

    def __init__(self, att: Attention, values: Values) -> None:
        self._layers, self._heads = att.shape[:2]
        self._values = values
        self._kept = Kept(KEPT_BYTES)

    def of(self, layer: int, head: int) -> Floats:
        """(K, rank): left singular vectors of the transformed values."""
        known: Floats | None = self._kept.get((layer, head))
        if known is None:
            transformed = self._values.head(layer, head)
            vectors, sizes, _ = np.linalg.svd(transformed, full_matrices=False)
            # Values come as float32 at best: what is smaller than their rounding is none.
            least = sizes.max(initial=0.0) * max(transformed.shape) * np.finfo(np.float32).eps
            known = vectors[:, sizes > least]
            self._kept.put((layer, head), known, known.nbytes)
        return known

    def ranks(self) -> NDArray[np.int64]:
        """(L, H)."""
        return np.array(
            [
                [self.of(layer, head).shape[1] for head in range(self._heads)]
                for layer in range(self._layers)
            ],
            dtype=np.int64,
        )
