"""How a weight becomes a strength: the 0 to 1 that opacity, width and colour carry.

``js/src/scale/scale.ts`` computes the same; ``tests/wire/strength.json`` holds both to it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, get_args

import numpy as np
from numpy.typing import NDArray

Scale = Literal["absolute", "row", "sqrt", "log", "times_uniform"]
SCALES: Final[tuple[str, ...]] = get_args(Scale)

LOG_DECADES: Final = 4
TIMES_UNIFORM_FULL: Final = 10.0


@dataclass(frozen=True)
class ScaleContext:
    """What a scale needs to know beyond the weight: the map's full value and its key count."""

    full: float
    """Magnitude drawn at full strength on the absolute, sqrt and log scales."""
    keys: int


def full_value(weights: NDArray[np.float32], kind: str) -> float:
    """Return the magnitude drawn at full strength.

    Args:
        weights: any shape.
        kind: the map's kind. Weights are drawn against 1 unless some exceed it; every other kind
            against its largest finite magnitude.
    """
    finite = np.abs(weights[np.isfinite(weights)])
    largest = float(finite.max()) if finite.size else 0.0
    if kind == "weight":
        return max(1.0, largest)
    return largest if largest > 0 else 1.0


def strength(
    weights: NDArray[np.float32], scale: str, context: ScaleContext, axis: int = -1
) -> NDArray[np.float32]:
    """Return strengths in 0..1 for weights of any shape.

    Args:
        weights: any shape; NaN stays NaN, infinities become 1, signs are dropped.
        scale: one of :data:`SCALES`. ``"row"`` divides by the largest magnitude along ``axis``;
            ``"log"`` covers four decades below the full value; ``"times_uniform"`` is full where a
            weight is ten times what uniform attention would give.
        context: see :class:`ScaleContext`.
        axis: the axis that makes a row.
    """
    magnitude = np.abs(weights).astype(np.float32)
    infinite = np.isinf(magnitude)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        if scale == "row":
            finite = np.where(np.isfinite(magnitude), magnitude, 0)
            top = finite.max(axis=axis, keepdims=True, initial=0.0)
            share = np.where(top > 0, magnitude / top, magnitude * 0)
        elif scale == "times_uniform":
            share = magnitude * (context.keys / TIMES_UNIFORM_FULL)
        else:
            share = magnitude / np.float32(context.full)
            if scale == "sqrt":
                share = np.sqrt(share)
            elif scale == "log":
                share = 1 + np.log10(share) / LOG_DECADES
            elif scale != "absolute":
                raise ValueError(f"scale must be one of {', '.join(SCALES)}; got {scale!r}")
    share = np.where(infinite, 1.0, np.clip(share, 0.0, 1.0))
    return np.asarray(share, dtype=np.float32)
