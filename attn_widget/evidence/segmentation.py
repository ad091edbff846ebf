"""How well a saliency map cuts a thing out of its image, as segmentation is scored.

Saliency and masks are those of :mod:`.localisation`; the three scores are those that Chefer, Gur
and Wolf 2021 report. Pixels that were never seen (not finite) are background.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .localisation import Mask, checked_pair


def pixel_accuracy(saliency: ArrayLike, mask: ArrayLike, threshold: float | None = None) -> float:
    """Return the share of pixels told rightly to be the thing, or not to be.

    Args:
        saliency: (height, width).
        mask: (height, width), True on the thing.
        threshold: in the unit of the map; larger pixels are told to be the thing. None is the mean
            of what was seen.

    Returns:
        0..1.

    Raises:
        ValueError: if the shapes differ, the mask is empty or the threshold is not a number.
    """
    told, thing = _told(saliency, mask, threshold)
    return float((told == thing).mean())


def mean_iou(saliency: ArrayLike, mask: ArrayLike, threshold: float | None = None) -> float:
    """Return the mean of the intersections over unions of the thing and of all around it.

    Args:
        saliency: (height, width).
        mask: (height, width), True on the thing.
        threshold: see :func:`pixel_accuracy`.

    Returns:
        0..1; that of the thing alone where it fills the image and all of it is told.

    Raises:
        ValueError: if the shapes differ, the mask is empty or the threshold is not a number.
    """
    told, thing = _told(saliency, mask, threshold)
    parts = [(told & thing, told | thing), (~told & ~thing, ~told | ~thing)]
    return float(np.mean([both.sum() / either.sum() for both, either in parts if either.any()]))


def average_precision(saliency: ArrayLike, mask: ArrayLike) -> float:
    """Return the mean precision as ever more of the strongest pixels are told to be the thing.

    ``sum_n (R_n - R_(n-1)) P_n`` over all thresholds ``n``, pixels of one value together.

    Args:
        saliency: (height, width).
        mask: (height, width), True on the thing.

    Returns:
        0..1; a map that is the same everywhere has the share of pixels that the thing takes.

    Raises:
        ValueError: if the shapes differ or the mask is empty.
    """
    values, thing = checked_pair(saliency, mask)
    ranked = np.where(np.isfinite(values), values, -np.inf).ravel()
    order = np.argsort(-ranked, kind="stable")
    hits = np.cumsum(thing.ravel()[order])
    falling = ranked[order]
    ends = np.flatnonzero(np.append(falling[1:] != falling[:-1], True))
    recall = hits[ends] / hits[-1]
    precision = hits[ends] / (ends + 1)
    return float((np.diff(recall, prepend=0.0) * precision).sum())


def _told(
    saliency: ArrayLike, mask: ArrayLike, threshold: float | None
) -> tuple[NDArray[np.bool_], Mask]:
    values, thing = checked_pair(saliency, mask)
    finite = np.isfinite(values)
    if threshold is None:
        threshold = float(values[finite].mean()) if finite.any() else 0.0
    if np.isnan(threshold):
        raise ValueError("threshold must be a number; got NaN")
    return finite & (np.where(finite, values, 0) > threshold), thing
