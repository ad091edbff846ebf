"""Draws a planned overlay on Matplotlib axes.

Imports Matplotlib, so it is itself imported only when something is drawn.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Final, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.path import Path

from ..axes import Patches
from ..filters import COMBINED
from ..panels import Panel, Rects, rects_of
from .canvas import Picture
from .ink import MOST_TINT
from .lettering import BOLD, MONO, PLAIN, Label, draw_labels, points_of, width_of
from .marks import draw_cells, draw_footer, draw_notes, frame, prepare
from .notes import NOTE
from .overlay_chips import FONT, HEIGHT, INSET, NUMBER, Chip
from .overlay_contours import lines_of
from .overlay_notes import bar_colours, share_colours
from .overlay_paint import Floats, Pixels, View, compose, ground_of
from .overlay_plan import CAPTION, OverlayPlan, Place, plan_overlay
from .overlay_reading import percent
from .overlay_scene import OverlayScene
from .palette import Colour, blend, head_colour, theme_of
from .plan import LEAST_NUMBER, PADDING
from .reading import short_number
from .shapes import Box, fill, stroke

_DETAILS: Final = (2.0, 1.0)
"""Pixels of the pictures a CSS pixel: fewer where a photograph makes a bitmap too large."""
_FIGURE_DETAIL: Final = 3.0
_WHITE: Final[Colour] = (1.0, 1.0, 1.0)
_GREY: Final[Colour] = (0.5, 0.5, 0.5)
_DARK: Final[Colour] = (0.08, 0.09, 0.1)
_CELL: Final = (34.0, 16.0)
"""Least width and height of a cell that holds its number, in CSS pixels."""
_NAMED_BOXES: Final = 12
"""Of more boxes, only the pinned and the strong are named."""
_STRONG: Final = 0.5


def overlay_picture(scene: OverlayScene) -> Picture[OverlayPlan]:
    """Return the picture of an overlay."""
    return _with_detail(scene, 0)


def _with_detail(scene: OverlayScene, step: int) -> Picture[OverlayPlan]:
    theme = theme_of(scene.state.theme)
    return Picture(
        plan=lambda outlines, room: plan_overlay(
            scene,
            outlines=outlines,
            detail=_DETAILS[step] if outlines else _FIGURE_DETAIL,
            room=room,
        ),
        draw=draw_overlay,
        photograph=True,
        colours=[
            *theme.neutrals,
            *(head_colour(head, theme) for head in _hues(scene)),
            *bar_colours(scene),
            *share_colours(scene.account.shares[:_EXACT_HEADS], theme),
            _WHITE,
            _DARK,
        ],
        coarser=lambda: None if step + 1 == len(_DETAILS) else _with_detail(scene, step + 1),
    )


def _hues(scene: OverlayScene) -> list[int]:
    """Return the heads whose colours a picture shows."""
    return [COMBINED, *scene.numbers[:_EXACT_HEADS]]


_EXACT_HEADS: Final = 24


def draw_overlay(ax: Axes, plan: OverlayPlan) -> None:
    """Draw a planned overlay on axes; their limits become its width and height in CSS pixels.

    Args:
        ax: the axes; whatever they show stays below.
        plan: what to draw.
    """
    prepare(ax, plan.width, plan.height)
    labels: list[Label] = []
    grounds: dict[tuple[int, int, int], Floats] = {}
    for place in plan.places:
        labels += _draw_place(ax, plan, place, grounds)
    labels += _draw_chips(ax, plan)
    labels += _draw_column(ax, plan)
    labels += draw_notes(ax, plan.header, PADDING, PADDING)
    labels += draw_footer(ax, plan, PADDING)
    draw_labels(ax, labels, outlines=plan.outlines)


def _draw_place(
    ax: Axes, plan: OverlayPlan, place: Place, grounds: dict[tuple[int, int, int], Floats]
) -> list[Label]:
    scene, panel = plan.scene, plan.scene.panels[place.panel]
    labels: list[Label] = []
    if len(scene.numbers) > 1:
        labels.append(_caption(ax, plan, place))
    size = round(place.width * plan.detail), round(place.height * plan.detail)
    view = View(panel, (max(1, size[0]), max(1, size[1])), plan.detail)
    if not scene.numbers:
        scene = replace(scene, painted=np.zeros((1, len(scene.axis)), np.float32), fulls=(1.0,))
    key = place.panel, *view.size
    if key not in grounds:
        grounds[key] = ground_of(scene, view, plan.theme)
    pixels = compose(scene, place.row, view, plan.theme, grounds[key])
    draw_cells(ax, pixels, place.box)
    if not plan.scene.numbers:
        return labels
    if scene.state.paint in ("contours", "outline"):
        labels += _draw_lines(ax, plan, place, panel)
    _draw_truth(ax, plan, place, panel)
    labels += _draw_numbers(plan, place, panel, pixels)
    labels += _draw_boxes(ax, plan, place, panel)
    labels += _draw_marks(ax, plan, place, panel)
    return labels


def _caption(ax: Axes, plan: OverlayPlan, place: Place) -> Label:
    """Return the name of the head above its picture, beside its colour."""
    number = plan.scene.numbers[place.row]
    y = place.y - CAPTION / 2 + 1
    fill(ax, (place.x, y - 4, place.x + 8, y + 4), head_colour(number, plan.theme), 1.0, radius=4.0)
    return Label(f"head {number}", place.x + 13, y, NOTE, plan.theme.text)


class _Map:
    """From original pixels to CSS pixels of a place."""

    def __init__(self, place: Place, panel: Panel) -> None:
        left, top, right, bottom = panel.extent
        self._origin = place.x, place.y
        self._start = left, top
        self.scale = place.width / (right - left), place.height / (bottom - top)

    def point(self, x: float, y: float) -> tuple[float, float]:
        return (
            self._origin[0] + (x - self._start[0]) * self.scale[0],
            self._origin[1] + (y - self._start[1]) * self.scale[1],
        )

    def box(self, rect: Sequence[float]) -> Box:
        return (*self.point(rect[0], rect[1]), *self.point(rect[2], rect[3]))


def _draw_lines(ax: Axes, plan: OverlayPlan, place: Place, panel: Panel) -> list[Label]:
    """Draw contours or outlines, light on a dark rim so that they show on any picture."""
    to = _Map(place, panel)
    labels: list[Label] = []
    shares = [*lines_of(plan.scene, place.row, panel)]
    for index, (share, pieces, boxes) in reversed([*enumerate(shares)]):
        segments = [(to.point(*start), to.point(*end)) for start, end in pieces]
        for rect in boxes:
            left, top, right, bottom = to.box(rect)
            corners = [(left, top), (right, top), (right, bottom), (left, bottom), (left, top)]
            segments += [*pairwise(corners)]
        if not segments:
            continue
        width, rim = (2.0, 2.0) if index == 0 else (1.0, 1.4)
        for colour, extra, order in ((_DARK, rim, 2.0), (_WHITE, 0.0, 2.1)):
            ax.add_collection(
                LineCollection(
                    segments,
                    colors=[colour],
                    linewidths=(width + extra) * points_of(ax),
                    capstyle="projecting" if not extra else "round",
                    zorder=order + 0.2 * (index == 0),
                ),
                autolim=False,
            )
        labels.append(_tag(ax, plan, place, min(segments)[0], percent(share)))
    return labels


def _draw_truth(ax: Axes, plan: OverlayPlan, place: Place, panel: Panel) -> None:
    """Draw the outlines of masks given as the truth: dashes, unlike those of shares."""
    to = _Map(place, panel)
    outlines = plan.scene.truth(panel)
    paths = [Path([to.point(*at) for at in (*line, line[0])], closed=True) for line in outlines]
    if paths:
        stroke(ax, paths, [_DARK], 3.5, order=2.35)
        stroke(ax, paths, [_WHITE], 1.75, dash=(5.0, 4.0), order=2.36)


def _tag(ax: Axes, plan: OverlayPlan, place: Place, at: tuple[float, float], text: str) -> Label:
    """Return a small label on a dark ground, kept inside its picture."""
    wide, high = width_of(text, 9.5, BOLD) + 8, 14.0
    x = min(max(place.x, at[0] - wide / 2), place.x + place.width - wide)
    y = min(max(place.y, at[1] - high / 2), place.y + place.height - high)
    fill(ax, (x, y, x + wide, y + high), _DARK, 0.85, radius=3.0)
    return Label(text, x + 4, y + high / 2, 9.5, _WHITE, BOLD)


def _draw_numbers(plan: OverlayPlan, place: Place, panel: Panel, pixels: Pixels) -> list[Label]:
    """Return the weights of the strongest cells that have room for them, and no boxes over them."""
    scene = plan.scene
    if any(not isinstance(part.segment, Patches) for part in panel.parts):
        return []
    to = _Map(place, panel)
    strengths = np.nan_to_num(scene.strengths[place.row])
    labels: list[Label] = []
    for part in panel.parts:
        if part.side != scene.other or not isinstance(part.segment, Patches):
            continue
        wide, high = part.cell[0] * to.scale[0], part.cell[1] * to.scale[1]
        if wide < _CELL[0] or high < _CELL[1]:
            continue
        tagged = {*scene.state.pinned_keys} if scene.other == "key" else set()
        here = [
            position
            for position in range(part.start, part.stop)
            if strengths[position] > _LEAST_SHOWN and position not in tagged
        ]
        here.sort(key=lambda p: -float(strengths[p]))
        for position in here[:_NUMBERS]:
            rect = scene.rects[position]
            weight = float(scene.painted[place.row, position])
            if position in scene.apart or np.isnan(rect[0]) or not np.isfinite(weight):
                continue
            left, top, right, bottom = to.box(rect.tolist())
            size = min(10.0, 0.28 * wide, 0.6 * high)
            x, y = (left + right) / 2, (top + bottom) / 2
            ground = _ground(
                pixels, place, (x - wide / 3, y - 0.6 * size, x + wide / 3, y + 0.6 * size)
            )
            labels.append(Label(short_number(weight), x, y, size, _ink_on(ground), MONO, 0.5))
    return labels


_LEAST_SHOWN: Final = 0.1
_NUMBERS: Final = 12
"""Most cells of a grid that carry their number: more would hide the picture."""


def _ground(pixels: Pixels, place: Place, box: Box) -> Pixels:
    """Return the pixels of a picture behind a number."""
    scale = pixels.shape[1] / place.width, pixels.shape[0] / place.height
    left, right = (int((x - place.x) * scale[0]) for x in (box[0], box[2]))
    top, bottom = (int((y - place.y) * scale[1]) for y in (box[1], box[3]))
    return pixels[max(0, top) : bottom + 1, max(0, left) : right + 1]


def _ink_on(ground: Pixels) -> Colour:
    """Return black or white, whichever reads better on some pixels."""
    colour = ground.reshape(-1, 3).mean(axis=0)
    return _DARK if float(colour @ (0.299, 0.587, 0.114)) > 135 else _WHITE


def _draw_boxes(ax: Axes, plan: OverlayPlan, place: Place, panel: Panel) -> list[Label]:
    """Draw the frames of all boxes on a picture, with the labels of few, strong or pinned ones."""
    scene, to = plan.scene, _Map(place, panel)
    frames = _frames(scene, place.row, panel)
    some = any(one.pinned for one in frames)
    tags: list[tuple[Box, str, bool]] = []
    lines: list[tuple[Path, Colour, Colour, float]] = []
    for one in frames:
        quiet = some and not one.pinned and not one.painted
        ink, ground = plan.theme.accent if one.pinned else _WHITE, _DARK
        if quiet:
            ink, ground = blend(ink, _GREY, 0.4), blend(ground, _GREY, 0.4)
        box = to.box(one.rect)
        lines.append((frame(box), ink, ground, 2.0 if one.pinned else 1.2))
        strong = one.strength > _STRONG
        if one.pinned or (not quiet and (len(frames) <= _NAMED_BOXES or strong)):
            tags.append((box, one.text, one.pinned))
    # Pinned ones lie on top, and a hundred strokes at once take no longer than one.
    stroke(ax, [path for path, *_ in lines], [ground for _, _, ground, _ in lines], 3.0, order=2.4)
    for width, order in ((1.2, 2.5), (2.0, 2.6)):
        some_lines = [line for line in lines if line[3] == width]
        if some_lines:
            paths, inks = [path for path, *_ in some_lines], [ink for _, ink, _, _ in some_lines]
            stroke(ax, paths, inks, width, order=order)
    return _box_labels(ax, plan, place, tags)


class _Frame(NamedTuple):
    """A box on a picture."""

    rect: list[float]
    text: str
    painted: bool
    """Whether it has a weight."""
    pinned: bool
    strength: float


def _frames(scene: OverlayScene, row: int, panel: Panel) -> list[_Frame]:
    """Return the boxes of a panel, those to be named first at the front."""
    pinned = {"query": set(scene.state.pinned_queries), "key": set(scene.state.pinned_keys)}
    found: list[_Frame] = []
    for part in panel.parts:
        if isinstance(part.segment, Patches) or (scene.shared and part.side != scene.other):
            continue
        painted = part.side == scene.other
        chosen = pinned["query"] | pinned["key"] if scene.shared else pinned[part.side]
        axis = scene.queries if part.side == "query" else scene.keys
        for at, rect in enumerate(part.segment.regions.tolist()):
            position = part.start + at
            text, strength = axis.shown[position], 0.0
            if painted and position not in scene.apart:
                strength = float(np.nan_to_num(scene.strengths[row, position]))
                text += f" {short_number(float(scene.painted[row, position]))}"
            found.append(_Frame(rect, text, painted, position in chosen, strength))
    return sorted(found, key=lambda one: (-one.pinned, -one.strength))


def _box_labels(
    ax: Axes, plan: OverlayPlan, place: Place, tags: Sequence[tuple[Box, str, bool]]
) -> list[Label]:
    """Return the labels of boxes above or below their corners, where none is there before."""
    taken: list[Box] = []
    labels: list[Label] = []
    for box, text, pinned in tags:
        face = BOLD if pinned else PLAIN
        wide, high = width_of(text, 10.5, face) + 8, 15.0
        x = min(max(place.x, box[0]), max(place.x, place.x + place.width - wide))
        for y in (box[1] - high, box[3], box[1], box[3] - high):
            ground = (x, y, x + wide, y + high)
            inside = place.y - 0.5 <= y and y + high <= place.y + place.height + 0.5
            if inside and not any(_meet(ground, other) for other in taken):
                taken.append(ground)
                colour = plan.theme.accent if pinned else _DARK
                fill(ax, ground, colour, 1.0, radius=2.0)
                ink = _DARK if pinned and plan.theme is theme_of("dark") else _WHITE
                labels.append(Label(text, x + 4, y + high / 2, 10.5, ink, face))
                break
    return labels


def _meet(first: Box, second: Box) -> bool:
    return (
        first[0] < second[2]
        and second[0] < first[2]
        and first[1] < second[3]
        and second[1] < first[3]
    )


def _draw_marks(ax: Axes, plan: OverlayPlan, place: Place, panel: Panel) -> list[Label]:
    """Frame the strongest cell, what is in focus, and pinned keys with their numbers."""
    scene = plan.scene
    to = _Map(place, panel)
    labels: list[Label] = []
    strongest = _strongest(scene, place.row, panel)
    if strongest is not None and scene.state.paint == "heat":
        box = to.box(scene.rects[strongest].tolist())
        stroke(ax, [frame(box)], [_DARK], 2.6, order=2.2)
        stroke(ax, [frame(box)], [_WHITE], 1.4, order=2.3)
    for side, positions in (
        ("query", scene.state.pinned_queries),
        ("key", scene.state.pinned_keys),
    ):
        for part in panel.parts:
            if part.side != side or not isinstance(part.segment, Patches):
                continue
            rects = _rects_of(scene, side)
            for position in positions:
                if not part.start <= position < part.stop or np.isnan(rects[position, 0]):
                    continue
                box = to.box(rects[position].tolist())
                stroke(ax, [frame(box)], [plan.theme.surface], 4.0, order=2.6)
                stroke(ax, [frame(box)], [plan.theme.accent], 2.2, order=2.7)
                if side == scene.other:
                    number = short_number(float(scene.painted[place.row, position]))
                    labels.append(_tag(ax, plan, place, (box[2], box[1]), number))
    return labels


def _rects_of(scene: OverlayScene, side: str) -> Rects:
    return scene.rects if side == scene.other else rects_of(scene.own_axis)


def _strongest(scene: OverlayScene, row: int, panel: Panel) -> int | None:
    """Return the strongest position of a row, where it is a patch of this panel."""
    values = np.abs(np.where(np.isfinite(scene.painted[row]), scene.painted[row], 0))
    here = [
        position
        for part in panel.patches()
        if part.side == scene.other
        for position in range(part.start, part.stop)
        if position not in scene.apart and not np.isnan(scene.rects[position, 0])
    ]
    if not here:
        return None
    best = max(here, key=lambda position: (float(values[position]), -position))
    return best if values[best] > 0 else None


def _draw_chips(ax: Axes, plan: OverlayPlan) -> list[Label]:
    theme = plan.theme
    top = PADDING + plan.header.height
    labels: list[Label] = []
    hue = head_colour(plan.scene.numbers[0] if len(plan.scene.numbers) == 1 else COMBINED, theme)
    for chip in plan.chips:
        x, y = chip.x + PADDING, chip.y + top
        if chip.position is None:
            labels.append(Label(chip.text, x, y, NOTE, theme.muted))
            continue
        box = (x, y - HEIGHT / 2, x + chip.width, y + HEIGHT / 2)
        if chip.pinned:
            fill(ax, box, theme.accent_soft, 1.0, edge=theme.accent)
        elif chip.strength > LEAST_NUMBER and not chip.apart:
            fill(ax, box, hue, MOST_TINT * chip.strength)
        labels += _chip_labels(ax, plan, chip, x, y)
    return labels


def _chip_labels(ax: Axes, plan: OverlayPlan, chip: Chip, x: float, y: float) -> list[Label]:
    theme = plan.theme
    face = BOLD if chip.pinned else PLAIN
    quiet = (chip.special or chip.apart) and not chip.pinned
    label = Label(chip.text, x + INSET, y, FONT, theme.muted if quiet else theme.text, face)
    labels = [label]
    wide = width_of(chip.text, FONT, face)
    if chip.apart and not chip.pinned:
        stroke(ax, [Path([(x + INSET, y), (x + INSET + wide, y)])], [theme.muted])
    if chip.number and not chip.apart:
        right = x + chip.width - INSET
        labels.append(Label(chip.number, right, y, NUMBER, theme.muted, MONO, 1.0))
    return labels


def _draw_column(ax: Axes, plan: OverlayPlan) -> list[Label]:
    left, top = plan.column_at
    for (x0, y0, x1, y1), colour in plan.column.boxes:
        swatch = x1 - x0 == y1 - y0
        fill(ax, (left + x0, top + y0, left + x1, top + y1), colour, 1.0, radius=2.0 * swatch)
    return draw_notes(ax, plan.column.notes, left, top)
