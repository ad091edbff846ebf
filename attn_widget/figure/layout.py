"""Where tokens stand and lines run in a still picture, in CSS pixels. Pure numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import Final

import numpy as np
from numpy.typing import NDArray

MOST_PITCH: Final = 24.0
LABEL_ROOM: Final = 9.0
"""Labels closer than this can't be read: of more tokens, every so many are named."""
COMFORTABLE_LENGTH: Final = 620.0
MOST_LENGTH: Final = 760.0
LONGEST_LABEL: Final = 200.0
LINES_ACROSS_COLUMNS: Final = 270.0
LINES_ACROSS_ROWS: Final = 190.0
LEAST_LINES: Final = 40.0
LABEL_GAP: Final = 8.0
"""Between a label and the lines."""
END_PADDING: Final = 4.0


@dataclass(frozen=True)
class SideLayout:
    """The tokens of one side along the direction in which they follow each other."""

    centres: NDArray[np.float64]
    pitch: float
    """Room of one token; of the narrowest where rooms differ."""
    named: tuple[int, ...]
    """The positions whose labels are shown."""
    length: float
    band: float
    """Room that the longest label takes away from the lines."""


@dataclass(frozen=True)
class Layout:
    """Both sides, and the band between them that lines cross.

    Along the tokens, 0 is the start of the first; across them, 0 is the query side's outer edge.
    """

    vertical: bool
    turned: bool
    """Labels of rows stand upright because they don't fit side by side."""
    font: float
    query: SideLayout
    key: SideLayout
    query_edge: float
    key_edge: float

    @property
    def length(self) -> float:
        """Room along the tokens."""
        return max(self.query.length, self.key.length)

    @property
    def across(self) -> float:
        """Room across the tokens, labels and numbers included."""
        return self.key_edge + self.key.band

    @property
    def pitch(self) -> float:
        """What line widths are a share of."""
        return min(self.query.pitch, self.key.pitch)


def pitch_of(count: int, room: float | None = None) -> float:
    """Return the room of one of ``count`` tokens: less of it the more there are.

    Args:
        count: tokens of the longer side.
        room: what there is for all of them; None to grow with their number up to a limit.
    """
    if count == 0:
        return MOST_PITCH
    if room is not None:
        return min(MOST_PITCH, room / count)
    pitch = min(MOST_PITCH, max(LABEL_ROOM, COMFORTABLE_LENGTH / count))
    return min(pitch, MOST_LENGTH / count)


def font_of(pitch: float) -> float:
    """Return the text size for tokens of a pitch, CSS pixels."""
    return min(13.0, max(7.0, 0.55 * pitch))


def columns(
    query_widths: Sequence[float],
    key_widths: Sequence[float],
    *,
    font: float,
    number_room: tuple[float, float],
    wanted: tuple[Sequence[int], Sequence[int]],
    heading: tuple[float, float] = (0.0, 0.0),
    room: tuple[float, float] | None = None,
) -> Layout:
    """Place tokens in two columns, lines from left to right.

    Args:
        query_widths: width of each query's label.
        key_widths: width of each key's label.
        font: text size.
        number_room: room for numbers outside the query labels and outside the key labels.
        wanted: queries and keys to be named where not all can be, the most wanted first.
        heading: width of what stands above the query labels and above the key labels.
        room: width and height to fill; None takes what the tokens need.
    """
    height = None if room is None else room[1] - 2 * END_PADDING
    query, key = (
        _stacked(count, longer, height, named)
        for count, longer, named in (
            (len(query_widths), len(key_widths), wanted[0]),
            (len(key_widths), len(query_widths), wanted[1]),
        )
    )
    bands = [
        max(_longest(widths, side.named) + number, above) + LABEL_GAP
        for widths, side, number, above in zip(
            (query_widths, key_widths), (query, key), number_room, heading, strict=True
        )
    ]
    query, key = _banded(query, bands[0]), _banded(key, bands[1])
    lines = LINES_ACROSS_COLUMNS
    if room is not None:
        lines = max(LEAST_LINES, room[0] - query.band - key.band)
    return Layout(True, False, font, query, key, query.band, query.band + lines)


def rows(
    query_widths: Sequence[float],
    key_widths: Sequence[float],
    *,
    font: float,
    number_room: tuple[float, float],
    wanted: tuple[Sequence[int], Sequence[int]],
    heading: tuple[float, float] = (0.0, 0.0),
    room: tuple[float, float] | None = None,
    most_length: float = 860.0,
) -> Layout:
    """Place tokens in two rows, queries above keys; arguments as for :func:`columns`.

    Labels stand side by side while they fit, and turned upright otherwise.
    """
    length = most_length if room is None else room[0] - 2 * END_PADDING
    spaced = [
        _side_by_side(widths, beside)
        for widths, beside in zip((query_widths, key_widths), number_room, strict=True)
    ]
    turned = max(side.length for side in spaced) > length + 2 * END_PADDING
    if turned:
        query, key = (
            _stacked(len(near), len(far), length if room is not None else None, named)
            for near, far, named in (
                (query_widths, key_widths, wanted[0]),
                (key_widths, query_widths, wanted[1]),
            )
        )
        bands = [
            _longest(widths, side.named) + LABEL_GAP + beside
            for widths, side, beside in (
                (query_widths, query, number_room[0]),
                (key_widths, key, number_room[1]),
            )
        ]
    else:
        query, key = (_centred(side, max(s.length for s in spaced)) for side in spaced)
        bands = [1.6 * font + LABEL_GAP + (1.3 * font if beside else 0) for beside in number_room]
    query, key = _banded(query, bands[0]), _banded(key, bands[1])
    lines = LINES_ACROSS_ROWS
    if room is not None:
        lines = max(LEAST_LINES, room[1] - query.band - key.band)
    return Layout(False, turned, font, query, key, query.band, query.band + lines)


def named_positions(count: int, pitch: float, wanted: Sequence[int]) -> tuple[int, ...]:
    """Return the positions whose labels fit: wanted ones first, then others evenly spaced.

    Args:
        count: how many positions there are.
        pitch: room of one.
        wanted: positions to be named, the most wanted first.
    """
    step = ceil(LABEL_ROOM / pitch - 1e-6)
    if step <= 1:
        return tuple(range(count))
    taken = np.zeros(count, dtype=bool)
    named = []
    for position in (*wanted, *range(0, count, step)):
        if not taken[position]:
            named.append(position)
            taken[max(0, position - step + 1) : position + step] = True
    return tuple(sorted(named))


def _stacked(count: int, other: int, room: float | None, wanted: Sequence[int]) -> SideLayout:
    """Tokens of equal room, the shorter side at the pitch of the longer or spread along it."""
    longest = max(count, other)
    pitch = pitch_of(longest, room)
    extent = pitch * longest
    offset = 0.0
    if 0 < count < longest / 2:
        own = min(2 * MOST_PITCH, extent / count)
        offset = (extent - own * count) / 2
        pitch = own
    centres = END_PADDING + offset + pitch * (np.arange(count, dtype=np.float64) + 0.5)
    named = named_positions(count, pitch, wanted)
    return SideLayout(centres, pitch, named, extent + 2 * END_PADDING, 0.0)


def _side_by_side(widths: Sequence[float], number: float) -> SideLayout:
    room = np.minimum(np.asarray(widths, dtype=np.float64), LONGEST_LABEL) + 14.0
    extents = np.maximum(room, max(MOST_PITCH, number))
    ends = END_PADDING + np.cumsum(extents)
    length = float(ends[-1]) + END_PADDING if len(ends) else 2 * END_PADDING
    pitch = float(extents.min()) if len(extents) else MOST_PITCH
    return SideLayout(
        np.asarray(ends - extents / 2, dtype=np.float64),
        pitch,
        tuple(range(len(extents))),
        length,
        0.0,
    )


def _centred(side: SideLayout, length: float) -> SideLayout:
    offset = (length - side.length) / 2
    return SideLayout(side.centres + offset, side.pitch, side.named, length, side.band)


def _banded(side: SideLayout, band: float) -> SideLayout:
    return SideLayout(side.centres, side.pitch, side.named, side.length, band)


def _longest(widths: Sequence[float], named: Sequence[int]) -> float:
    return min(LONGEST_LABEL, max((widths[position] for position in named), default=0.0))
