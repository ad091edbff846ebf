"""Attention times the gradient of what is to be explained."""

from __future__ import annotations

from collections.abc import Generator

import numpy as np

from ..attention import Attention
from ..sources import Weights
from ..streams import row_blocks
from .inputs import Floats, as_attention, as_fitting, check_choice, derived
from .lazy import PartSource, chunk_rows

FORMS = ("product", "gradcam")


def attention_gradient(
    att: object, gradients: object, *, form: str = "product", heads: str = "mean"
) -> Attention:
    """Attention times its gradient, layer by layer: which weights raised the answer.

    ``form="product"``: ``mean_h (A ⊙ G)⁺``. ``form="gradcam"``: ``(mean_h (A · mean_ij G))⁺``, each
    head weighted by its mean gradient, as Grad-CAM weights channels. A single layer says nothing
    about what the layers below mixed; see `relevance` for that. Read when asked for. Source:
    Selvaraju et al. 2017; Chefer, Gur and Wolf 2021, arXiv 2103.15679.

    Args:
        att: A map (L, H, Q, K), or an array that makes one.
        gradients: ``G = ∂y/∂A`` of the same shape: an array or a map.
        form: ``"product"`` or ``"gradcam"``.
        heads: ``"mean"``, or ``"each"`` to keep heads apart.

    Returns:
        A map (L, 1, Q, K), or (L, H, Q, K), of kind ``"relevance"``.

    Raises:
        ValueError: If shapes differ or an option is none of those there are.
    """
    att = as_attention(att)
    slopes = as_fitting(gradients, att, "gradients")
    check_choice("form", form, FORMS)
    check_choice("heads", heads, ("mean", "each"))
    layers, count, queries, keys = att.shape
    means: dict[tuple[int, int], float] = {}

    def block(layer: int, head: int, query: slice, key: slice) -> Floats:
        one = slice(head, head + 1)
        weights = att.source.read(layer, one, query, key)[0].astype(np.float64)
        if form == "product":
            slope = slopes.source.read(layer, one, query, key)[0]
            return np.asarray(np.maximum(weights * slope, 0.0))
        if (layer, head) not in means:
            means[layer, head] = _mean_gradient(slopes, layer, head)
        found: Floats = weights * means[layer, head]
        return found

    def part(layer: int, head: slice, query: slice, key: slice) -> Floats:
        if heads == "each":
            blocks = [block(layer, one, query, key) for one in range(count)[head]]
            return np.maximum(np.array(blocks), 0.0)
        total = sum(block(layer, one, query, key) for one in range(count))
        return np.maximum(np.asarray(total) / max(count, 1), 0.0)[None][head]

    source = PartSource(
        (layers, count if heads == "each" else 1, queries, keys), part, chunk_rows(att, slopes)
    )
    title = "Grad-CAM" if form == "gradcam" else "attention × gradient"
    settings = {"form": form, "heads": heads}
    return derived(
        att, source, "attention_gradient", title=title, settings=settings, kind="relevance"
    )


def weighted_rows(
    att: Attention, gradients: Attention, layer: int, rows: slice, *, each_positive: bool
) -> Generator[None, None, Floats]:
    """``mean_h (A ⊙ G)`` of some queries of a layer, or ``mean_h (A ⊙ G)⁺``, a head a step.

    Args:
        att: The map.
        gradients: One of the same shape.
        layer: The layer.
        rows: The queries, a slice of step 1 within bounds.
        each_positive: Whether negative products count 0 before heads are averaged.

    Returns:
        (rows, keys).
    """
    _, heads, _, keys = att.shape
    total = np.zeros((rows.stop - rows.start, keys))
    for head in range(heads):
        where = (layer, slice(head, head + 1), rows, slice(0, keys))
        weights: Weights = att.source.read(*where)[0]
        product = weights.astype(np.float64) * gradients.source.read(*where)[0]
        total += np.maximum(product, 0.0) if each_positive else product
        yield
    return total / max(heads, 1)


def _mean_gradient(gradients: Attention, layer: int, head: int) -> float:
    """The mean of all gradients of a head, read in blocks."""
    _, _, queries, keys = gradients.shape
    total = 0.0
    for rows in row_blocks(gradients, np.arange(queries), max(keys, 1)):
        where = slice(int(rows[0]), int(rows[-1]) + 1)
        block = gradients.source.read(layer, slice(head, head + 1), where, slice(0, keys))
        total += float(block.sum(dtype=np.float64))
    return total / max(queries * keys, 1)
