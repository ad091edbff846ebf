"""Whether a map points at the thing it should: scores of a saliency map against a mask.

A saliency map is a number a pixel, ``(height, width)`` like the mask. Pixels that are not finite
were never seen and count nothing, and so do negative values where values are added up.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

if TYPE_CHECKING:
    from ..attention import Attention
    from ..images import Image

Saliency = NDArray[np.float64]
Mask = NDArray[np.bool_]


def saliency(
    attention: Attention,
    query: int,
    *,
    layer: int = 0,
    head: int | None = None,
    segment: int | None = None,
) -> Saliency:
    """Return the weights of a query painted on the image that its keys lie on.

    Each pixel has the weight of the patch or box that its centre lies in, where several do the
    largest. Nothing is interpolated or normalised. Pixels that no key covers (outside a centre
    crop) are NaN: they were not seen, which is not the same as a weight of 0. Weight on padding
    and on tokens lies on no pixel.

    Args:
        attention: a map whose keys hold patches or boxes of a known image.
        query: the position that attends.
        layer: whose weights.
        head: whose weights; the mean over heads if None.
        segment: the segment of the keys to paint; all that lie on the first image if None.

    Returns:
        (height, width) of the original image, in the unit of the map.

    Raises:
        IndexError: if there is no such query, layer, head or segment.
        ValueError: if no key lies on an image.
    """
    weights = attention[layer, :, query] if head is None else attention[layer, head, query][None]
    finite = np.isfinite(weights)
    counts = finite.sum(axis=0)
    sums = np.where(finite, weights, 0).sum(axis=0, dtype=np.float64)
    row = np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)
    image, positions = _on_image(attention, segment)
    height, width = image.shape[:2]
    painted = np.full((height, width), np.nan)
    # A pixel belongs to the region that holds its centre, so that neighbours share no pixel.
    edges = np.ceil(attention.keys.regions[positions] - 0.5)
    known = np.asarray(np.isfinite(edges).all(axis=1))
    limits = np.array([width, height, width, height])
    edges = np.clip(np.where(known[:, None], edges, 0), 0, limits).astype(np.intp)
    for position, (left, top, right, bottom) in zip(
        positions[known], edges[known].tolist(), strict=True
    ):
        patch = painted[top:bottom, left:right]
        np.fmax(patch, row[position], out=patch)
    return painted


def pointing_game(saliency: ArrayLike, mask: ArrayLike, tolerance: float = 15) -> bool:
    """Return whether the strongest pixel lies on the thing, or at most ``tolerance`` pixels away.

    Where pixels share the largest value, as in a patch, the one nearest the middle of all of them
    counts; a map that is the same everywhere points nowhere. The usual 15 pixels are meant for
    photographs of some 500 pixels: on smaller images they hit nearly anything.

    Source: Zhang et al. 2016, "Top-down neural attention by excitation backprop".

    Args:
        saliency: (height, width).
        mask: (height, width), True on the thing.
        tolerance: pixels of the original image, measured from centre to centre.

    Raises:
        ValueError: if the shapes differ, the mask is empty or the tolerance is negative.
    """
    values, thing = checked_pair(saliency, mask)
    if not tolerance >= 0:
        raise ValueError(f"tolerance must be 0 or more pixels; got {tolerance}")
    seen = np.isfinite(values)
    if not seen.any():
        return False
    most = values[seen].max()
    if most == values[seen].min() and seen.sum() > 1:
        return False
    places = np.argwhere(seen & (values == most))
    offsets = ((places - places.mean(axis=0)) ** 2).sum(axis=1)
    point = places[int(np.argmin(offsets))]
    distances = ((np.argwhere(thing) - point) ** 2).sum(axis=1)
    return bool(distances.min() <= tolerance**2)


def energy_pointing(saliency: ArrayLike, mask: ArrayLike) -> float:
    """Return the share of all saliency that lies on the thing: ``sum_mask s / sum s``.

    Source: Wang et al. 2020, "Score-CAM", there called the energy-based pointing game.

    Args:
        saliency: (height, width).
        mask: (height, width), True on the thing.

    Returns:
        0..1, or NaN where there is no saliency at all. A map that is the same everywhere has the
        share of pixels that the thing takes: the score to beat.

    Raises:
        ValueError: if the shapes differ or the mask is empty.
    """
    values, thing = checked_pair(saliency, mask)
    energy = np.where(np.isfinite(values), np.maximum(values, 0), 0)
    total = float(energy.sum())
    return float(energy[thing].sum()) / total if total > 0 else float("nan")


def iou(saliency: ArrayLike, mask: ArrayLike, threshold: float) -> float:
    """Return how well the pixels above a threshold fit the thing: intersection over union.

    Source: the mean of a map as its threshold is that of Chefer, Gur and Wolf 2021:
    ``iou(s, mask, np.nanmean(s))``.

    Args:
        saliency: (height, width).
        mask: (height, width), True on the thing.
        threshold: in the unit of the map; pixels count that are larger than it.

    Returns:
        0..1.

    Raises:
        ValueError: if the shapes differ, the mask is empty or the threshold is not a number.
    """
    values, thing = checked_pair(saliency, mask)
    if np.isnan(threshold):
        raise ValueError("threshold must be a number; got NaN")
    salient = np.isfinite(values) & (np.nan_to_num(values) > threshold)
    return float((salient & thing).sum() / (salient | thing).sum())


def relevance_rank(saliency: ArrayLike, mask: ArrayLike) -> float:
    """Return how many of the strongest pixels lie on the thing, as many taken as it has pixels.

    Where pixels of one value (a patch) are the last to be taken and not all of them are, the share
    of them that lies on the thing counts for each, so that the order of pixels plays no part.

    Source: Arras, Osman and Samek 2021, "CLEVR-XAI", there called relevance rank accuracy.

    Args:
        saliency: (height, width).
        mask: (height, width), True on the thing.

    Returns:
        0..1.

    Raises:
        ValueError: if the shapes differ or the mask is empty.
    """
    values, thing = checked_pair(saliency, mask)
    ranked = np.where(np.isfinite(values), values, -np.inf)
    count = int(thing.sum())
    last = np.partition(ranked, ranked.size - count, axis=None)[ranked.size - count]
    above, level = ranked > last, ranked == last
    if last == -np.inf:
        level &= False
    missing = count - int(above.sum())
    share = missing * float((level & thing).sum()) / max(int(level.sum()), 1)
    return (float((above & thing).sum()) + share) / count


def _on_image(attention: Attention, segment: int | None) -> tuple[Image, NDArray[np.intp]]:
    """Return the image to paint on, and the positions of the keys that lie on it."""
    axis = attention.keys
    images = [getattr(part, "image", None) for part in axis.segments]
    if segment is not None:
        chosen = [range(len(images))[segment]]
    else:
        first = next((image for image in images if image is not None), None)
        chosen = [place for place, image in enumerate(images) if _same(image, first)]
    image = images[chosen[0]] if chosen else None
    if image is None:
        raise ValueError(
            "keys must hold patches or boxes of a known image, such as "
            f"Patches(14, 14, image=image); got {axis!r}"
        )
    runs = [np.arange(axis.starts[place], axis.starts[place + 1]) for place in chosen]
    return image, np.concatenate(runs)


def _same(image: Image | None, other: Image | None) -> bool:
    if image is None or other is None:
        return False
    return image is other or np.array_equal(image, other)


def checked_pair(saliency: ArrayLike, mask: ArrayLike) -> tuple[Saliency, Mask]:
    """Return a saliency map and a mask as arrays that fit each other.

    Raises:
        ValueError: if they do not, or the mask is empty or no mask.
    """
    values = np.asarray(saliency, dtype=np.float64)
    thing: NDArray[Any] = np.asarray(mask)
    if values.ndim != 2 or values.shape != thing.shape:
        hint = ""
        if values.ndim == 2 and values.shape == thing.shape[::-1]:
            hint = (
                "; one of them is (width, height): arrays have rows first, Pillow's size does not"
            )
        raise ValueError(
            "saliency and mask must have the same shape (height, width); got "
            f"{values.shape} and {thing.shape}{hint}"
        )
    if thing.dtype != np.bool_ and not np.isin(thing, (0, 1)).all():
        raise ValueError(f"mask must hold True and False, or 1 and 0; got other {thing.dtype}")
    if not thing.any():
        raise ValueError("mask must mark at least one pixel; got none")
    return values, thing.astype(bool)
