"""Draws planned thumbnails of heads on Matplotlib axes.

Imports Matplotlib, so it is itself imported only when something is drawn.
"""

from __future__ import annotations

from math import ceil, sqrt
from typing import Final

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from ..attention import Attention
from ..selection import HeadsState
from .canvas import Picture
from .heads_plan import LABEL, HeadsPlan, cells_in, plan_heads, tiling_of
from .heads_scene import HeadsScene, coarser_heads, head_name, read_heads
from .lettering import PLAIN, Label, draw_labels, width_of
from .marks import draw_cells, draw_footer, draw_notes, frame, prepare
from .palette import head_colour, theme_of
from .plan import PADDING
from .shading import SHADES, hatching
from .shapes import stroke

_FAINT: Final = 0.25
"""What remains of heads that are not of the pattern asked for."""
_LEAST_CELLS: Final = 6
_MOST_CELLS: Final = 300_000
"""Cells of all thumbnails of a bitmap."""
_PIXELS: Final = 2
"""Pixels a CSS pixel in which thumbnails are drawn."""


def heads_picture(attention: Attention, state: HeadsState) -> Picture[HeadsPlan]:
    """Return the picture of a heads view."""
    tiling = tiling_of(state, attention.shape)
    scene = read_heads(attention, state, cells_in(tiling, attention.shape))
    # So many cells never fit: the bitmap needn't be drawn to know.
    return _with_detail(scene, len(SHADES) * (ceil(sqrt(scene.cells.size / _MOST_CELLS)) - 1))


def _with_detail(whole: HeadsScene, step: int) -> Picture[HeadsPlan]:
    """Return the picture with the detail of a step: fewer shades first, then half the cells …."""
    part, few = divmod(max(0, step), len(SHADES))
    longer = max(whole.cells.shape[2:])
    scene = coarser_heads(whole, -(-longer // (part + 1))) if part else whole
    shades = SHADES[few] // (2 if scene.shading.signed else 1)
    theme = theme_of(scene.state.theme)
    hues = [head_colour(head, theme) for head in scene.state.heads[:_EXACT_HEADS]]
    ends = (step + 1) % len(SHADES) == 0 and longer / (part + 2) < _LEAST_CELLS
    return Picture(
        plan=lambda outlines, room: plan_heads(
            scene, outlines=outlines, shades=shades if outlines else None, room=room
        ),
        draw=draw_heads,
        colours=[*theme.neutrals, *hues, *scene.shading.table(shades)],
        coarser=lambda: None if ends else _with_detail(whole, step + 1),
    )


_EXACT_HEADS: Final = 24


def draw_heads(ax: Axes, plan: HeadsPlan) -> None:
    """Draw planned thumbnails on axes; their limits become its width and height in CSS pixels.

    Args:
        ax: the axes; whatever they show stays below.
        plan: what to draw.
    """
    prepare(ax, plan.width, plan.height)
    tiling = plan.tiling
    if plan.scene.cells.size:
        high, wide = tiling.lines * tiling.pitch[1], tiling.columns * tiling.pitch[0]
        box = (plan.left, plan.top, plan.left + wide, plan.top + high)
        draw_cells(ax, _atlas(plan, (round(_PIXELS * high), round(_PIXELS * wide))), box)
        _draw_frames(ax, plan)
    labels = _flow_labels(plan) if plan.scene.flowing else _grid_labels(plan)
    labels += draw_notes(ax, plan.header, PADDING, PADDING)
    labels += draw_footer(ax, plan, PADDING)
    draw_labels(ax, labels, outlines=plan.outlines)


def _atlas(plan: HeadsPlan, size: tuple[int, int]) -> NDArray[np.uint8]:
    """Return all thumbnails as one image: far fewer marks than one each."""
    scene, tiling = plan.scene, plan.tiling
    ground = np.round(255 * np.asarray(plan.theme.surface))
    image = np.empty((*size, 3), np.uint8)
    image[:] = ground
    high, wide = (max(1, round(_PIXELS * side)) for side in (tiling.box[1], tiling.box[0]))
    rows, columns = (
        np.minimum((np.arange(pixels) + 0.5) * cells / pixels, cells - 1).astype(np.intp)
        for pixels, cells in zip((high, wide), scene.cells.shape[2:], strict=True)
    )
    strong, shading = scene.strong, scene.shading
    coloured = shading.colours(scene.cells, shades=plan.shades)
    marked = bool(shading.marks(scene.cells))
    for at, cell in enumerate(plan.places):
        layer, head = divmod(cell, scene.shape[1])
        if layer >= scene.read:
            continue
        tile = coloured[layer, head][rows][:, columns]
        hatched = hatching(scene.cells[layer, head], shading, (high, wide)) if marked else None
        if hatched is not None:
            tile = np.where(hatched[..., 3:] > 0, hatched[..., :3], tile)
        if not strong[layer, head]:
            tile = np.round(_FAINT * tile + (1 - _FAINT) * ground).astype(np.uint8)
        line, column = divmod(at, tiling.columns)
        top, left = (
            round(_PIXELS * line * tiling.pitch[1]),
            round(_PIXELS * column * tiling.pitch[0]),
        )
        part = image[top : top + high, left : left + wide]
        part[:] = tile[: part.shape[0], : part.shape[1]]
    return image


def _draw_frames(ax: Axes, plan: HeadsPlan) -> None:
    """Draw a hairline around every thumbnail, and the hue of those that are shown."""
    scene, tiling = plan.scene, plan.tiling
    wide, high = tiling.box
    first = scene.state.layer * scene.shape[1]
    whole = scene.all_heads
    selected = set() if whole else {first + head for head in scene.state.heads}
    hairlines, frames, hues = [], [], []
    out = 0.5 if tiling.pitch[0] < 16 else 1.25
    for at, cell in enumerate(plan.places):
        x, y = plan.place(at)
        if cell in selected:
            frames.append(frame((x - out, y - out, x + wide + out, y + high + out)))
            hues.append(head_colour(cell % scene.shape[1], plan.theme))
        elif tiling.pitch[0] >= 16:
            hairlines.append(frame((x, y, x + wide, y + high)))
    if whole and not scene.flowing:
        # All heads of a layer: one frame around them.
        (x, y), (right, _) = plan.place(first), plan.place(first + scene.shape[1] - 1)
        out += 0.5
        frames.append(frame((x - out, y - out, right + wide + out, y + high + out)))
        hues.append(plan.theme.text)
    if hairlines:
        stroke(ax, hairlines, [plan.theme.line], 0.5)
    if frames:
        stroke(ax, frames, hues, 1.0 if tiling.pitch[0] < 16 else 2.0)


def _grid_labels(plan: HeadsPlan) -> list[Label]:
    """Return the names of layers and heads, as many as fit."""
    layers, heads, _, _ = plan.scene.shape
    if not plan.scene.cells.size:
        return []
    tiling, muted = plan.tiling, plan.theme.muted
    across = _step(tiling.pitch[0], width_of(f"H{heads - 1}", LABEL) + 5)
    down = _step(tiling.pitch[1], LABEL + 2)
    y = plan.top - 9
    labels = [
        Label(f"H{head}", plan.place(head)[0] + tiling.box[0] / 2, y, LABEL, muted, PLAIN, 0.5)
        for head in range(0, heads, across)
    ]
    for layer in range(0, layers, down):
        middle = plan.place(layer * tiling.columns)[1] + tiling.box[1] / 2
        labels.append(Label(f"L{layer}", plan.left - 8, middle, LABEL, muted, PLAIN, 1.0))
    return labels


def _flow_labels(plan: HeadsPlan) -> list[Label]:
    """Return the name and the number of each head."""
    scene, tiling = plan.scene, plan.tiling
    values = scene.statistic(scene.state.sort).reshape(-1)
    size = min(LABEL, 0.13 * tiling.pitch[0])
    labels = []
    for at, cell in enumerate(plan.places):
        x, y = plan.place(at)
        y += tiling.box[1] + 0.85 * size
        value = float(values[cell])
        number = "" if np.isnan(value) else f"{value:.2f}"
        labels += [
            Label(head_name(scene, cell), x, y, size, plan.theme.text),
            Label(number, x + tiling.box[0], y, size, plan.theme.muted, PLAIN, 1.0),
        ]
    return labels


def _step(pitch: float, room: float) -> int:
    """Return every how many labels of ``room`` one fits into places of ``pitch``."""
    step = 1
    while step * pitch < room:
        step *= 2
    return step
