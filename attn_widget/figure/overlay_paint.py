"""The pixels of a picture with weights on it: image, hatching, colours by weight.

``js/src/overlay/heat.ts`` paints the same on the page.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ..axes import Patches
from ..panels import Panel, PanelPart, Rect
from .colormap import MARKS, anchors_of, colours_at, theme_key
from .overlay_scene import LEAST_STRENGTH, OverlayScene
from .palette import Theme
from .sampling import Values

Pixels = NDArray[np.uint8]
Floats = NDArray[np.float64]

_VEIL: Final = 0.62
"""What the model never saw lies under so much of the ground."""
_PITCH: Final = 8
"""CSS pixels from line to line of a hatching, along a row."""
_TRUE_PIXELS: Final = 8
"""An image whose pixels are drawn larger than so many CSS pixels shows them as squares."""


UNSEEN: Final = "not seen: outside the patches"
PADDING: Final = "padding"
_TRIAL: Final = 160
"""Pixels a side on which it is told whether anything is hatched."""


@dataclass(frozen=True)
class View:
    """A panel on so many pixels."""

    panel: Panel
    size: tuple[int, int]
    """Width and height."""
    detail: float
    """Pixels a CSS pixel."""

    def middles(self, axis: int) -> Floats:
        """Return the original pixels in the middle of columns (0) or rows (1)."""
        extent = self.panel.extent
        count = self.size[axis]
        length = extent[axis + 2] - extent[axis]
        return np.asarray(extent[axis] + (np.arange(count) + 0.5) * length / count)

    def span(self, rect: Rect) -> tuple[slice, slice]:
        """Return the rows and columns whose middles lie in a rectangle."""
        spans = []
        for axis in (1, 0):
            middles = self.middles(axis)
            first, last = np.searchsorted(middles, [rect[axis], rect[axis + 2]])
            spans.append(slice(int(first), int(last)))
        return spans[0], spans[1]


def alpha_of(strength: Any, opacity: float) -> Floats:
    """Return the opacity of cells of some strength, where ``opacity`` is that of the strongest."""
    shown = opacity * np.minimum(1, 2 * np.asarray(strength, dtype=np.float64))
    return np.where(np.asarray(strength) > LEAST_STRENGTH, shown, 0.0)


def heat_colours(scene: OverlayScene, values: Values, strengths: Values) -> Pixels:
    """Return the colours of weights of some strengths, ``(…, 3)``."""
    shading = scene.shading
    shares = np.asarray(strengths, dtype=np.float64)
    if shading.signed:
        shares = (1 + np.where(values < 0, -1, 1) * shares) / 2
    return colours_at(anchors_of(shading.colormap, shading.signed, shading.theme), shares)


def ground_of(scene: OverlayScene, view: View, theme: Theme) -> Floats:
    """Return a panel without weights, ``(height, width, 3)`` of 0..1; arguments as below."""
    canvas = _picture(view, theme)
    _hatch_beside(canvas, scene, view, theme)
    return canvas


def compose(
    scene: OverlayScene, row: int, view: View, theme: Theme, ground: Floats | None = None
) -> Pixels:
    """Return a panel with one row of weights on it, ``(height, width, 3)``.

    Args:
        scene: what is shown.
        row: which of the rows painted.
        view: the panel, and on how many pixels.
        theme: the picture's colours.
        ground: what :func:`ground_of` returns, where it is there already.
    """
    canvas = ground_of(scene, view, theme) if ground is None else ground.copy()
    values, strengths = scene.painted[row], scene.strengths[row]
    if scene.state.paint in ("heat", "dim"):
        for part in view.panel.parts:
            if part.side == scene.other and isinstance(part.segment, Patches):
                _paint_grid(canvas, scene, values, part, view, theme, row)
        if scene.state.paint == "heat":
            _paint_boxes(canvas, scene, values, strengths, view)
    _hatch_odd(canvas, scene, values, view, theme)
    return np.asarray(np.floor(255 * canvas + 0.5), dtype=np.uint8)


def _picture(view: View, theme: Theme) -> Floats:
    """Return the image on the ground, 0..1."""
    width, height = view.size
    canvas = np.empty((height, width, 3))
    canvas[:] = theme.surface
    image = view.panel.image
    if image is None:
        return canvas
    from PIL import Image

    rows, columns = view.span((0.0, 0.0, *view.panel.size))
    size = columns.stop - columns.start, rows.stop - rows.start
    if min(size) < 1:
        return canvas
    larger = size[0] / view.detail / image.shape[1]
    how = Image.Resampling
    kind = how.NEAREST if larger > _TRUE_PIXELS else how.BICUBIC if larger > 1 else how.LANCZOS
    # Images much larger than what is shown are halved first: far quicker, and looks the same.
    resized = Image.fromarray(image).resize(size, kind, reducing_gap=3.0)
    pixels = np.asarray(resized, dtype=np.float64) / 255
    opacity = pixels[..., 3:] if pixels.shape[2] == 4 else 1.0
    canvas[rows, columns] = opacity * pixels[..., :3] + (1 - opacity) * np.asarray(theme.surface)
    return canvas


def hatched(scene: OverlayScene) -> list[str]:
    """Return the names of what is hatched on any picture, in the order in which they are told."""
    found: dict[str, bool] = {}
    for panel in scene.panels:
        covered, inside = _covered(View(panel, (_TRIAL, _TRIAL), 1.0))
        unseen = panel.image is not None and any(panel.patches()) and (inside & ~covered).any()
        padding = (covered & ~inside).any()
        for name, there in ((UNSEEN, unseen), (PADDING, padding)):
            found[name] = found.get(name, False) or bool(there)
    placed = ~np.isnan(scene.rects[:, 0])
    for name, where in scene.odd.items():
        found[name] = bool((where & placed).any())
    return [name for name, there in found.items() if there]


def _covered(view: View) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Mark the pixels that patches cover, and those of the image."""
    covered = np.zeros((view.size[1], view.size[0]), dtype=bool)
    for part in view.panel.patches():
        covered[view.span(part.region)] = True
    inside = np.zeros_like(covered)
    inside[view.span((0.0, 0.0, *view.panel.size))] = True
    return covered, inside


def _hatch_beside(canvas: Floats, scene: OverlayScene, view: View, theme: Theme) -> None:
    """Hatch what no patch covers, and what lies beside the image."""
    covered, inside = _covered(view)
    if any(view.panel.patches()) and view.panel.image is not None:
        unseen = inside & ~covered
        _mix(canvas, unseen, theme.surface, _VEIL)
        _mix(canvas, unseen & _lines(view, canvas.shape[:2]), theme.muted, 0.5)
    padding = covered & ~inside
    mark = MARKS[theme_key(scene.state.theme)]["masked"]
    _mix(canvas, padding, _unit(mark.ground), 1.0)
    _mix(canvas, padding & _lines(view, canvas.shape[:2], back=True), _unit(mark.line), 1.0)


def _paint_grid(
    canvas: Floats,
    scene: OverlayScene,
    values: Values,
    part: PanelPart,
    view: View,
    theme: Theme,
    row: int,
) -> None:
    rows, columns = view.span(part.region)
    if rows.stop <= rows.start or columns.stop <= columns.start:
        return
    grid, odd = grid_of(scene, values, part)
    smooth = scene.state.interpolation == "bilinear"
    places = [
        _places(view.middles(axis)[span], part, axis) for axis, span in ((1, rows), (0, columns))
    ]
    found = _sampled(grid, places, smooth)
    strengths = scene.strengths_of(row, found)
    target = canvas[rows, columns]
    if scene.state.paint == "dim":
        veil = scene.state.opacity * (1 - strengths.astype(np.float64))
        colours: Floats = np.broadcast_to(np.asarray(theme.surface), target.shape)
    else:
        veil = alpha_of(strengths, scene.state.opacity)
        colours = heat_colours(scene, found, strengths) / 255
    hidden = odd[
        np.ix_(*(_nearest(at, length) for at, length in zip(places, odd.shape, strict=True)))
    ]
    veil = np.where(hidden, 0.0, veil)[..., None]
    target[:] = veil * colours + (1 - veil) * target


def grid_of(
    scene: OverlayScene, values: Values, part: PanelPart
) -> tuple[Values, NDArray[np.bool_]]:
    """Return the weights of a grid, and which of its cells hold none that is painted.

    Those hold the mean of the cells around them, so that these blend into nothing else.
    """
    assert isinstance(part.segment, Patches)
    flat = np.full(part.segment.rows * part.segment.cols, np.nan, np.float32)
    cells = part.segment.cells
    here = np.arange(part.start, part.stop)
    shown = (cells >= 0) & ~np.isin(here, sorted(scene.apart))
    flat[cells[shown]] = values[part.start : part.stop][shown]
    grid = flat.reshape(part.segment.rows, part.segment.cols)
    odd = ~np.isfinite(grid)
    return _filled(grid, odd), odd


def _filled(grid: Values, odd: NDArray[np.bool_]) -> Values:
    if not odd.any():
        return grid
    known = np.pad(np.where(odd, 0, grid), 1).astype(np.float64)
    there = np.pad(~odd, 1).astype(np.float64)
    sums, counts = (
        field[:-2, 1:-1] + field[2:, 1:-1] + field[1:-1, :-2] + field[1:-1, 2:]
        for field in (known, there)
    )
    means = sums / np.maximum(counts, 1)
    return np.where(odd, means, grid).astype(np.float32)


def _places(middles: Floats, part: PanelPart, axis: int) -> Floats:
    """Return where pixels lie along a grid, in cells from its start."""
    region = part.region
    return np.asarray((middles - region[axis]) / part.cell[axis])


def _nearest(places: Floats, count: int) -> NDArray[np.intp]:
    return np.clip(np.floor(places), 0, count - 1).astype(np.intp)


def _sampled(grid: Values, places: list[Floats], smooth: bool) -> Values:
    """Return values at pixels: of the cell there, or between the middles of cells."""
    if smooth:
        return np.asarray(between_middles(grid, places), dtype=np.float32)
    index = np.ix_(*(_nearest(at, n) for at, n in zip(places, grid.shape, strict=True)))
    return np.asarray(grid[index])


def between_middles(grid: Values, places: list[Floats]) -> Floats:
    """Return values between the middles of cells (half-pixel bilinear), flat beyond them.

    Args:
        grid: ``(rows, cols)``.
        places: how far down and how far across values are wanted, in cells.
    """
    found = grid.astype(np.float64)
    for axis, at in enumerate(places):
        place = np.clip(at - 0.5, 0, grid.shape[axis] - 1)
        before = np.minimum(place.astype(np.intp), max(0, grid.shape[axis] - 2))
        after = np.minimum(before + 1, grid.shape[axis] - 1)
        share = np.expand_dims(place - before, 1 - axis)
        found = (1 - share) * found.take(before, axis) + share * found.take(after, axis)
    return found


def boxes_of(scene: OverlayScene, panel: Panel) -> Iterator[tuple[PanelPart, int, Rect]]:
    """Yield the boxes that are painted on a panel: part, position, rectangle."""
    for part in panel.parts:
        if part.side == scene.other and not isinstance(part.segment, Patches):
            for at, rect in enumerate(part.segment.regions.tolist()):
                yield part, part.start + at, (rect[0], rect[1], rect[2], rect[3])


def _paint_boxes(
    canvas: Floats, scene: OverlayScene, values: Values, strengths: Values, view: View
) -> None:
    """Fill boxes by weight, the strongest last."""
    boxes = sorted(boxes_of(scene, view.panel), key=lambda box: float(strengths[box[1]]))
    for _, position, rect in boxes:
        strength = float(strengths[position])
        if position in scene.apart or not np.isfinite(values[position]):
            continue
        colour = heat_colours(scene, values[position], strengths[position]) / 255
        alpha = float(alpha_of(strength, scene.state.opacity))
        part = canvas[view.span(rect)]
        part[:] = alpha * colour + (1 - alpha) * part


def _hatch_odd(
    canvas: Floats, scene: OverlayScene, values: Values, view: View, theme: Theme
) -> None:
    """Hatch cells that hold no number, and those set aside."""
    marks = MARKS[theme_key(scene.state.theme)]
    for part in view.panel.parts:
        if part.side != scene.other:
            continue
        here = slice(part.start, part.stop)
        for name, where in scene.odd_of(values).items():
            if not where[here].any():
                continue
            cells = _cells(view, scene.rects[here][where[here]])
            lines = cells & _lines(view, canvas.shape[:2])
            if name in marks:
                _mix(canvas, cells, _unit(marks[name].ground), 1.0)
                _mix(canvas, lines, _unit(marks[name].line), 1.0)
            else:
                _mix(canvas, cells, _unit(marks["masked"].ground), 0.75)
                _mix(canvas, lines, theme.muted, 1.0)


def _cells(view: View, rects: Floats) -> NDArray[np.bool_]:
    mask = np.zeros((view.size[1], view.size[0]), dtype=bool)
    for left, top, right, bottom in rects[~np.isnan(rects[:, 0])].tolist():
        mask[view.span((left, top, right, bottom))] = True
    return mask


def _mix(canvas: Floats, where: NDArray[np.bool_], colour: Any, share: float) -> None:
    canvas[where] = share * np.asarray(colour) + (1 - share) * canvas[where]


def _lines(view: View, shape: tuple[int, ...], *, back: bool = False) -> NDArray[np.bool_]:
    """Mark the pixels of diagonal lines."""
    down, across = np.arange(shape[0])[:, None], np.arange(shape[1])[None, :]
    pitch = max(4, round(_PITCH * view.detail))
    width = max(1, round(1.2 * view.detail))
    return np.asarray((across - down if back else across + down) % pitch < width)


def _unit(colour: tuple[int, int, int]) -> Floats:
    return np.asarray(colour, dtype=np.float64) / 255
