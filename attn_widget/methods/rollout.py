"""Attention followed through the layers: rollout, and rollout weighted by gradients."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from typing import Literal

import numpy as np

from ..attention import Attention
from ..made import Setting
from .aggregate import fused_rows
from .chain import ChainSource, check_finite, normalised, with_identity
from .gradients import weighted_rows
from .inputs import (
    FUSIONS,
    Floats,
    as_attention,
    as_fitting,
    check_choice,
    check_layer,
    check_share,
    check_square,
    derived,
)
from .positions import positions_of

Protected = Iterable[int] | Literal["special"]


def rollout(
    att: object,
    *,
    residual: float = 0.5,
    heads: str = "mean",
    start_layer: int = 0,
    discard: float = 0.0,
    protected: Protected = "special",
    each_layer: bool = False,
) -> Attention:
    """Attention rollout: how much of each input position reaches a position through all layers.

    ``R = Â_L · … · Â_1`` with ``Â_l = (1 − r) A̅_l + r I``, rows divided by their sums (½ A̅ + ½ I
    for r = ½). It takes the mean for what a layer does and knows nothing of values: deep rollouts
    tend to be uniform. Computed when first read; of maps beyond 2,048 positions only the rows
    that are read. Source: Abnar and Zuidema 2020, arXiv 2005.00928; ``discard`` as in vit-explain.

    Args:
        att: Self-attention (L, H, n, n), or an array that makes such a map.
        residual: The share r of the residual connection, 0 … 1; 0 multiplies attention alone.
        heads: How heads become one: ``"mean"``, ``"max"`` or ``"min"``.
        start_layer: The first layer multiplied.
        discard: Of the ``discard · n²`` smallest weights of each layer those are set to 0 whose key
            is not protected, before rows are divided by their sums. Up to 2,048 positions.
        protected: Keys that are never discarded: positions, or ``"special"`` for special tokens.
        each_layer: Whether to return the rollout up to each layer instead of the last.

    Returns:
        A map (1, 1, n, n), or (L − start_layer, 1, n, n), of kind ``"relevance"``; rows sum to 1.

    Raises:
        ValueError: If the map is not square or a parameter is out of range; on reading, if weights
            are missing.
    """
    att = as_attention(att)
    check_square(att, "rollout")
    check_choice("heads", heads, FUSIONS)
    share = check_share("residual", residual)
    ratio = check_share("discard", discard, below=1)
    first = check_layer("start_layer", start_layer, att.shape[0])
    length = att.shape[3]
    spared = positions_of(att.keys, protected, "protected") if ratio else ()

    def fused(layer: int, at: slice) -> Generator[None, None, Floats]:
        found = yield from fused_rows(att, heads, layer, at)
        return check_finite(found, att, "rollout", layer)

    def joined(found: Floats, at: slice) -> Floats:
        return normalised(with_identity((1 - share) * found, at, share))

    def rows(layer: int, at: slice) -> Generator[None, None, Floats]:
        return joined((yield from fused(layer, at)), at)

    def whole(found: Floats) -> Floats:
        return joined(_discarded(found, ratio, spared), slice(0, length))

    notes = [] if share == 0.5 else [f"residual share {share:g}"]
    if ratio:
        notes.append(f"the smallest {ratio:.0%} of the weights of each layer left out")
    settings: dict[str, Setting] = {
        "residual": share,
        "heads": heads,
        "start_layer": first,
        "discard": ratio,
    }
    layers, count, _, _ = att.shape
    source = ChainSource(
        fused if ratio else rows,
        range(first, layers),
        length,
        each=each_layer,
        width=length,
        heads=count,
        whole=whole if ratio else None,
    )
    return derived(att, source, "rollout", settings=settings, notes=notes, kind="relevance")


def gradient_rollout(
    att: object, gradients: object, *, start_layer: int = 0, each_layer: bool = False
) -> Attention:
    """Rollout of attention weighted by the gradient of what is to be explained.

    ``Â_l = relu(mean_h(A_l ⊙ G_l)) + I``, rows divided by their sums; ``R = Â_L · … · Â_1``. The
    gradients of a layer belong to that layer: index l of both is one layer, whatever order a
    backward pass went through them. Computed as `rollout` is. Source: vit-explain.

    Args:
        att: Self-attention (L, H, n, n), or an array that makes such a map.
        gradients: ``G = ∂y/∂A`` of the same shape: an array or a map.
        start_layer: The first layer multiplied.
        each_layer: Whether to return the rollout up to each layer instead of the last.

    Returns:
        A map (1, 1, n, n), or (L − start_layer, 1, n, n), of kind ``"relevance"``; rows sum to 1.

    Raises:
        ValueError: If the map is not square or shapes differ; on reading, if weights are missing.
    """
    att = as_attention(att)
    check_square(att, "gradient_rollout")
    slopes = as_fitting(gradients, att, "gradients")
    first = check_layer("start_layer", start_layer, att.shape[0])

    def rows(layer: int, at: slice) -> Generator[None, None, Floats]:
        found = yield from weighted_rows(att, slopes, layer, at, each_positive=False)
        check_finite(found, att, "gradient_rollout", layer)
        return normalised(with_identity(np.maximum(found, 0.0), at))

    layers, count, _, length = att.shape
    source = ChainSource(
        rows, range(first, layers), length, each=each_layer, width=2 * length, heads=count
    )
    settings: dict[str, Setting] = {"start_layer": first}
    return derived(att, source, "gradient_rollout", settings=settings, kind="relevance")


def _discarded(fused: Floats, ratio: float, spared: Iterable[int]) -> Floats:
    """A layer without its smallest weights; of equals the first go."""
    count = int(ratio * fused.size)
    if not count:
        return fused
    least = np.partition(fused, count - 1, axis=None)[count - 1]
    gone = fused < least
    equal = np.flatnonzero(fused == least)
    gone.flat[equal[: count - int(gone.sum())]] = True
    gone[:, list(spared)] = False
    return np.where(gone, 0.0, fused)
