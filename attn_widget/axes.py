"""The labelled positions of one side of a map: an axis made of segments."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property
from itertools import accumulate
from typing import TypeAlias, cast

import numpy as np
from numpy.typing import NDArray

from .regions import Boxes as Boxes
from .regions import Patches as Patches
from .tokens import Tokens as Tokens

Segment: TypeAlias = Tokens | Patches | Boxes
"""One kind of positions that follow each other on an axis."""


class Axis:
    """The positions of the query or of the key side, in order.

    Args:
        segments: What the positions are, one stretch after the other. Patches without a name on
            several images are named after them: "image 1", "image 2" ….
    """

    def __init__(self, segments: Sequence[Segment]) -> None:
        for segment in segments:
            if not isinstance(segment, (Tokens, Patches, Boxes)):
                raise TypeError(
                    f"segments must be Tokens, Patches or Boxes; got {type(segment).__name__}"
                )
        self._segments = _told_apart(segments)
        self._starts = tuple(accumulate((len(segment) for segment in segments), initial=0))
        self._stated: tuple[int, ...] | None = None

    @classmethod
    def of(cls, value: object, length: int, side: str) -> Axis:
        """An axis from whatever describes it.

        Args:
            value: A list of strings, a segment, a list of segments, an `Axis`, or None for
                positions counted from 0.
            length: How many positions the weights have on this side.
            side: ``"queries"`` or ``"keys"``, for messages.

        Raises:
            TypeError: If ``value`` is none of these.
            ValueError: If the number of labels differs from ``length``.
        """
        axis = _axis(value, length, side)
        if len(axis) != length:
            raise ValueError(
                f"{side} must have {length} labels to fit the weights; got {_counted(axis)}"
            )
        return axis

    @property
    def segments(self) -> tuple[Segment, ...]:
        """The segments, in order."""
        return self._segments

    @property
    def starts(self) -> tuple[int, ...]:
        """The position at which each segment starts, and the length of the axis at the end."""
        return self._starts

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """The labels of all positions, exactly as given."""
        return tuple(label for segment in self._segments for label in segment.labels)

    @cached_property
    def shown(self) -> tuple[str, ...]:
        """The labels of all positions as a person should read them."""
        return tuple(label for segment in self._segments for label in segment.shown)

    @property
    def has_places(self) -> bool:
        """Whether any position lies on an image or on a grid."""
        return not all(isinstance(segment, Tokens) for segment in self._segments)

    @property
    def has_image(self) -> bool:
        """Whether any position lies on a known image."""
        return any(
            segment.image is not None
            for segment in self._segments
            if not isinstance(segment, Tokens)
        )

    @cached_property
    def regions(self) -> NDArray[np.float64]:
        """(n, 4) left, top, right, bottom in pixels of the original image, NaN for none.

        Tokens, separators and the cells of a grid whose region is not known have none.
        """
        parts = [
            np.full((len(segment), 4), np.nan)
            if isinstance(segment, Tokens) or segment.regions is None
            else segment.regions
            for segment in self._segments
        ]
        regions = np.concatenate(parts) if parts else np.zeros((0, 4))
        regions.flags.writeable = False
        return regions

    @property
    def first_plain(self) -> int:
        """The first position that is not special; 0 where all are."""
        special = set(self.special)
        return next((at for at in range(len(self)) if at not in special), 0)

    @cached_property
    def special(self) -> tuple[int, ...]:
        """The positions of special tokens, ascending."""
        if self._stated is not None:
            return self._stated
        return tuple(
            start + position
            for start, segment in zip(self._starts, self._segments, strict=False)
            for position in segment.special
        )

    @cached_property
    def words(self) -> tuple[int, ...] | None:
        """The word index of each position (-1: none), or None where no segment knows words.

        No word runs across segments.
        """
        if all(segment.words is None for segment in self._segments):
            return None
        words: list[int] = []
        following = 0
        for segment in self._segments:
            own = segment.words
            if own is None:
                words.extend([-1] * len(segment))
                continue
            words.extend(following + word if word >= 0 else -1 for word in own)
            following = max(words, default=-1) + 1
        return tuple(words)

    def with_special(self, positions: Iterable[int]) -> Axis:
        """The same positions, of which exactly some are treated as special.

        Args:
            positions: Those that are, in 0 … len - 1; of any kind, such as patches that are sinks.
        """
        axis = Axis(self._segments)
        axis._stated = tuple(sorted(set(positions)))
        return axis

    def select(self, indices: Sequence[int]) -> Axis:
        """The positions at some indices, in that order; each keeps the kind of its segment.

        Args:
            indices: Positions in 0 … len - 1.
        """
        if len(indices) == len(self) and all(map(int.__eq__, indices, range(len(self)))):
            return self
        positions = np.asarray(indices, dtype=np.intp)
        owner = np.searchsorted(self._starts, positions, side="right") - 1
        breaks = np.flatnonzero(np.diff(owner)) + 1
        parts: list[Segment] = []
        for run, owners in zip(np.split(positions, breaks), np.split(owner, breaks), strict=True):
            if len(run):
                which = int(owners[0])
                parts.append(self._segments[which].select((run - self._starts[which]).tolist()))
        if self._stated is None:
            return Axis(parts)
        return Axis(parts).with_special(np.flatnonzero(np.isin(positions, self._stated)).tolist())

    def __len__(self) -> int:
        return self._starts[-1]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Axis):
            return NotImplemented
        return self._segments == other._segments and self.special == other.special

    def __hash__(self) -> int:
        return hash(self._segments)

    def __repr__(self) -> str:
        return f"Axis({', '.join(map(repr, self._segments))})"


def _told_apart(segments: Sequence[Segment]) -> tuple[Segment, ...]:
    """Name patches by their image where there are several: their rows and columns are alike."""
    numbers: dict[int, int] = {}
    for segment in segments:
        if isinstance(segment, Patches) and segment.image is not None and not segment.name:
            numbers.setdefault(id(segment.image), len(numbers) + 1)
    if len(numbers) < 2:
        return tuple(segments)
    return tuple(
        segment.named(f"image {numbers[id(segment.image)]}")
        if isinstance(segment, Patches) and not segment.name and id(segment.image) in numbers
        else segment
        for segment in segments
    )


def word_runs(axis: Axis) -> list[range]:
    """Neighbouring positions of one word each, in order; positions without a word stand alone."""
    words = axis.words
    starts = frozenset(axis.starts)
    runs: list[range] = []
    for position in range(len(axis)):
        joins = (
            words is not None
            and position not in starts
            and words[position] >= 0
            and words[position] == words[position - 1]
        )
        if joins:
            runs[-1] = range(runs[-1].start, position + 1)
        else:
            runs.append(range(position, position + 1))
    return runs


def _counted(axis: Axis) -> str:
    """The length of an axis; with patches also what it is the sum of: "1 + 14·14 = 197"."""
    terms = [
        f"{segment.rows}·{segment.cols}"
        if isinstance(segment, Patches) and segment.order == "raster"
        else str(len(segment))
        for segment in axis.segments
    ]
    patches = any(isinstance(segment, Patches) for segment in axis.segments)
    return f"{' + '.join(terms)} = {len(axis)}" if patches else str(len(axis))


def _axis(value: object, length: int, side: str) -> Axis:
    if isinstance(value, Axis):
        return value
    if value is None:
        return Axis([Tokens._of(tuple(map(str, range(length))), (), None, "plain")])
    if isinstance(value, (Tokens, Patches, Boxes)):
        return Axis([value])
    if isinstance(value, (str, bytes)) or not hasattr(value, "__iter__"):
        raise TypeError(
            f"{side} must be a list of strings, a segment (Tokens, Patches, Boxes), a list of "
            f"segments or an Axis; got {type(value).__name__}"
        )
    items = list(cast("Sequence[object]", value))
    segments = [isinstance(item, (Tokens, Patches, Boxes)) for item in items]
    if items and all(segments):
        return Axis(cast("list[Segment]", items))
    if any(segments):
        raise TypeError(
            f"{side} must be all strings or all segments; put loose labels into Tokens([...])"
        )
    for position, item in enumerate(items):
        if not isinstance(item, str):
            raise TypeError(
                f"{side} must be strings or segments; got {type(item).__name__} at "
                f"position {position}"
            )
    return Axis([Tokens(cast("list[str]", items))])
