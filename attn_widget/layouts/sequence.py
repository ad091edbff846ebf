"""Text and images on one axis, boxes as models write them, and what lies at a pixel."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import Literal, TypeAlias, cast

import numpy as np

from ..axes import Axis, Boxes, Patches, Segment, Tokens
from .counts import checked
from .original import original

BoxForm: TypeAlias = Literal["xyxy", "xywh", "cxcywh"]
"""Corners; left top corner and size; centre and size."""

BOX_FORMS = ("xyxy", "xywh", "cxcywh")

Places: TypeAlias = Mapping[str, "Sequence[Segment] | Sequence[Sequence[Segment]]"]
"""For each placeholder the segments of its image, or of each of its images."""


def mixed(
    tokens: Sequence[str] | Tokens, places: Places, *, count: int | None = None
) -> list[Segment]:
    """A sequence of text and images: each placeholder becomes the segments of its image.

    Processors write either one placeholder a position (``<image>`` 576 times) or one an image;
    both are understood. Text between the placeholders of an image, such as the row and column
    marks of tiles, stays where it is.

    Args:
        tokens: The tokens of the whole sequence, placeholders among them.
        places: For each placeholder the segments that take its place, as the other functions
            of this module make them: a list of segments, or a list of such lists for several
            images.
        count: Length of the real axis.

    Returns:
        The segments of the whole axis, text in between as `Tokens`.

    Raises:
        ValueError: If the placeholders are not as many as the positions of the segments or as
            the images, if a run of them ends within a segment, or ``count`` is not the length.
    """
    text = tokens if isinstance(tokens, Tokens) else Tokens(tokens)
    waiting = {
        label: _units(label, text.labels.count(label), images) for label, images in places.items()
    }
    segments: list[Segment] = []
    terms: list[str] = []
    for label, run in groupby(range(len(text)), key=lambda at: _placeholder(text, at, waiting)):
        positions = list(run)
        if label is None:
            segments.append(text.select(positions))
            terms.append(str(len(positions)))
            continue
        taken = _taken(label, len(positions), waiting[label])
        segments.extend(taken)
        terms.append(str(sum(map(len, taken))))
    return checked(segments, count, " + ".join(terms))


def boxes(
    boxes: object,
    *,
    form: BoxForm = "xyxy",
    normalised: bool = False,
    labels: Iterable[str] | None = None,
    image: object = None,
    width: int | None = None,
    height: int | None = None,
    count: int | None = None,
) -> list[Segment]:
    """Boxes as detectors write them: the object queries of DETR, the regions of LXMERT.

    Args:
        boxes: (n, 4).
        form: ``"xyxy"`` for corners, ``"xywh"`` for the left top corner and the size,
            ``"cxcywh"`` for the centre and the size.
        normalised: Whether the numbers are shares of the image instead of pixels.
        labels: One label a box.
        image: The original image; see `Boxes`.
        width: Width of the original image, where the image is not given.
        height: Its height.
        count: Length of the real axis.

    Raises:
        ValueError: If the form is none of these, the boxes have another shape or are inside
            out, the size of the image is needed and not known, or ``count`` is not n.
    """
    if form not in BOX_FORMS:
        raise ValueError(f"form must be one of {', '.join(BOX_FORMS)}; got {form!r}")
    whole = original(image, width, height)
    given = np.array(boxes, dtype=np.float64)
    if given.ndim != 2 or given.shape[1] != 4:
        raise ValueError(f"boxes must have shape (n, 4); got {given.shape}")
    if form != "xyxy":
        centre, size = given[:, :2], given[:, 2:]
        corner = centre - size / 2 if form == "cxcywh" else centre
        given = np.concatenate([corner, corner + size], axis=1)
    if normalised:
        whole.known()
        given = given * np.tile([whole.width, whole.height], 2)
    segment = Boxes(given, labels=labels, image=whole.image)
    return checked([segment], count, str(len(segment)), lambda more: f"{abs(more)} boxes differ")


def position_at(where: Axis | Segment | Sequence[Segment], x: float, y: float) -> int | None:
    """The position whose region holds a point of the original image.

    Boxes come before patches and smaller regions before larger ones. Of several images give the
    segments of one.

    Args:
        where: An axis, a segment or a list of segments.
        x: Pixels from the left edge of the original image.
        y: Pixels from its top edge.

    Returns:
        A position, or None where no region holds the point. Edges belong to the region at
        their right or below.
    """
    if isinstance(where, (Tokens, Patches, Boxes)):
        where = [where]
    axis = where if isinstance(where, Axis) else Axis(list(where))
    left, top, right, bottom = axis.regions.T
    hits = np.flatnonzero((left <= x) & (x < right) & (top <= y) & (y < bottom))
    if not len(hits):
        return None
    owner = np.searchsorted(axis.starts, hits, side="right") - 1
    patches = np.array([not isinstance(axis.segments[at], Boxes) for at in owner])
    area = ((right - left) * (bottom - top))[hits]
    return int(hits[np.lexsort((hits, area, patches))[0]])


def _placeholder(text: Tokens, position: int, places: Mapping[str, object]) -> str | None:
    label = text.labels[position]
    return label if label in places else None


def _units(
    label: str, found: int, images: Sequence[Segment] | Sequence[Sequence[Segment]]
) -> list[tuple[int, list[Segment]]]:
    """What placeholders stand for, in order: how many of them, and for which segments."""
    kinds = [isinstance(item, (Tokens, Patches, Boxes)) for item in images]
    if any(kinds) and not all(kinds):
        raise TypeError(f"{label} must stand for a list of segments or for a list of such lists")
    groups = [list(cast("Sequence[Segment]", images))] if any(kinds) else []
    if not any(kinds):
        groups = [list(group) for group in cast("Sequence[Sequence[Segment]]", images)]
    each = [segment for group in groups for segment in group]
    positions = sum(map(len, each))
    if found == positions:
        return [(len(segment), [segment]) for segment in each]
    if found == len(groups):
        return [(1, group) for group in groups]
    sums = " + ".join(str(len(segment)) for segment in each)
    total = f"{sums} = {positions}" if len(each) > 1 else str(positions)
    raise ValueError(
        f"expected {label} {total} times, one a position, or {len(groups)} times, one an image; "
        f"got {found}"
    )


def _taken(label: str, run: int, waiting: list[tuple[int, list[Segment]]]) -> list[Segment]:
    """The segments that a run of placeholders stands for, taken off the list of those waiting."""
    taken: list[Segment] = []
    left = run
    while left:
        placeholders, segments = waiting[0]
        if placeholders > left:
            raise ValueError(
                f"{label} comes {run} times in a row, which ends {left} positions into a segment "
                f"of {placeholders}: are the segments in the order of the sequence?"
            )
        left -= placeholders
        taken.extend(segments)
        del waiting[0]
    return taken
