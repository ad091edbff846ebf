"""Positions that lie on an image: a grid of patches, or boxes."""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable, Sequence
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from .images import Image, read_image
from .labels import shown
from .tokens import few, strings

Region: TypeAlias = tuple[float, float, float, float]
"""(left, top, right, bottom) in pixels of the original image."""

Order: TypeAlias = Literal["raster"] | Sequence[int] | NDArray[np.integer[Any]]
"""``"raster"``, or the cell of each position."""


class Patches:
    """A grid of patches over an image, or a plain grid.

    Labels count rows and columns from 1 ("row 4, column 2"); positions and cells count from 0.
    `attn_widget.layouts` makes the segments of the usual models.

    Args:
        rows: Number of patch rows.
        cols: Number of patch columns.
        image: The original image: path, bytes, PIL image or array; see `read_image`.
        region: (left, top, right, bottom) covered by the grid, in pixels of the original image.
            It may reach beyond the image (padding). None with an image means all of it.
        order: How positions follow each other. ``"raster"`` is row by row from the top left;
            else the cell of each position, counted row by row, or -1 for a position on no cell
            (the newline tokens between the rows of some models). Cells may be left out.
        separator: The label of positions on no cell. They are special.
        name: What the grid is, where several lie on one axis; it begins the label of each patch
            ("tile 2, row 4, column 2").

    Raises:
        TypeError: If an order holds anything but integers.
        ValueError: If the size, the region or the order is not possible.
    """

    __slots__ = ("_cells", "_cols", "_image", "_name", "_raster", "_region", "_rows", "_separator")

    def __init__(
        self,
        rows: int,
        cols: int,
        *,
        image: object = None,
        region: Sequence[float] | None = None,
        order: Order = "raster",
        separator: str = "⏎",
        name: str = "",
    ) -> None:
        self._rows = _count(rows, "rows")
        self._cols = _count(cols, "cols")
        self._cells, self._raster = _cells(order, self._rows, self._cols)
        self._separator = _text(separator, "separator")
        self._name = _text(name, "name")
        self._image = None if image is None else read_image(image)
        self._region: Region | None = None
        if region is not None:
            self._region = _region(region)
        elif self._image is not None:
            height, width = self._image.shape[:2]
            self._region = (0.0, 0.0, float(width), float(height))

    @property
    def rows(self) -> int:
        """Number of patch rows."""
        return self._rows

    @property
    def cols(self) -> int:
        """Number of patch columns."""
        return self._cols

    @property
    def order(self) -> Literal["raster"] | tuple[int, ...]:
        """How positions follow each other: ``"raster"``, or the cell of each, -1 for none."""
        return "raster" if self._raster else tuple(self._cells.tolist())

    @property
    def cells(self) -> NDArray[np.int64]:
        """(n,) the cell of each position, counted row by row from 0; -1 for none."""
        return self._cells

    @property
    def separator(self) -> str:
        """The label of positions on no cell."""
        return self._separator

    @property
    def name(self) -> str:
        """What the grid is, or nothing."""
        return self._name

    @property
    def image(self) -> Image | None:
        """The original image, uint8 of shape (height, width, 3 or 4), or None."""
        return self._image

    @property
    def region(self) -> Region | None:
        """(left, top, right, bottom) covered by the grid, in pixels of the original image."""
        return self._region

    @property
    def labels(self) -> tuple[str, ...]:
        """Row and column of each patch, counted from 1; the separator for positions on none."""
        before = f"{self._name}, " if self._name else ""
        return tuple(
            self._separator
            if cell < 0
            else f"{before}row {cell // self._cols + 1}, column {cell % self._cols + 1}"
            for cell in self._cells.tolist()
        )

    @property
    def shown(self) -> tuple[str, ...]:
        """The labels as a person should read them."""
        return tuple(shown(label) for label in self.labels)

    @property
    def special(self) -> tuple[int, ...]:
        """The positions on no cell, ascending."""
        return tuple(np.flatnonzero(self._cells < 0).tolist())

    @property
    def words(self) -> None:
        """Patches know no words."""
        return None

    @property
    def regions(self) -> NDArray[np.float64] | None:
        """(n, 4) left, top, right, bottom of each patch in original pixels, or None.

        Positions on no cell have NaN.
        """
        if self._region is None:
            return None
        left, top, right, bottom = self._region
        across = np.linspace(left, right, self._cols + 1)
        down = np.linspace(top, bottom, self._rows + 1)
        row, column = np.divmod(np.maximum(self._cells, 0), self._cols)
        regions = np.stack([across[column], down[row], across[column + 1], down[row + 1]], axis=1)
        regions[self._cells < 0] = np.nan
        return regions

    def select(self, indices: Sequence[int]) -> Patches:
        """Some of the positions, in that order; they keep their places on the grid."""
        if list(indices) == list(range(len(self))):
            return self
        return self._like(self._cells[list(indices)], self._name)

    def named(self, name: str) -> Patches:
        """The same positions with another name."""
        return self._like(self._cells, name)

    def _like(self, cells: NDArray[np.int64], name: str) -> Patches:
        return Patches(
            self._rows,
            self._cols,
            image=self._image,
            region=self._region,
            order=cells,
            separator=self._separator,
            name=name,
        )

    def __len__(self) -> int:
        return len(self._cells)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Patches):
            return NotImplemented
        return (
            self._facts() == other._facts()
            and np.array_equal(self._cells, other._cells)
            and _same_image(self._image, other._image)
        )

    def __hash__(self) -> int:
        return hash(self._facts())

    def _facts(self) -> tuple[object, ...]:
        return self._rows, self._cols, len(self), self._region, self._separator, self._name

    def __repr__(self) -> str:
        name = f", {self._name!r}" if self._name else ""
        order = "" if self._raster else f", {len(self)} positions"
        return f"Patches({self._rows}, {self._cols}{name}{order}{_image_note(self._image)})"


class Boxes:
    """Regions of an image.

    Args:
        boxes: (n, 4) left, top, right, bottom in pixels of the original image.
        labels: One label a box; None counts them ("box 1").
        image: The original image: path, bytes, PIL image or array; see `read_image`.

    Raises:
        ValueError: If the boxes have another shape, are not finite or are inside out, or the
            number of labels differs.
    """

    __slots__ = ("_image", "_labels", "_regions")

    def __init__(
        self, boxes: object, *, labels: Iterable[str] | None = None, image: object = None
    ) -> None:
        regions = np.array(boxes, dtype=np.float64)
        if regions.size == 0:
            regions = regions.reshape(0, 4)
        if regions.ndim != 2 or regions.shape[1] != 4:
            raise ValueError(
                "boxes must have shape (n, 4): left, top, right, bottom in pixels; "
                f"got {regions.shape}"
            )
        bad = ~(
            np.isfinite(regions).all(axis=1)
            & (regions[:, 0] <= regions[:, 2])
            & (regions[:, 1] <= regions[:, 3])
        )
        if bad.any():
            first = int(np.argmax(bad))
            raise ValueError(
                "each box must be finite with left <= right and top <= bottom; "
                f"box {first} is {regions[first].tolist()}"
            )
        exact = (
            tuple(f"box {number}" for number in range(1, len(regions) + 1))
            if labels is None
            else strings(labels, "labels")
        )
        if len(exact) != len(regions):
            raise ValueError(f"expected one label a box, {len(regions)}; got {len(exact)}")
        self._fill(regions, exact, None if image is None else read_image(image))

    @classmethod
    def _of(
        cls, regions: NDArray[np.float64], labels: tuple[str, ...], image: Image | None
    ) -> Boxes:
        boxes = cls.__new__(cls)
        boxes._fill(regions, labels, image)
        return boxes

    def _fill(
        self, regions: NDArray[np.float64], labels: tuple[str, ...], image: Image | None
    ) -> None:
        regions.flags.writeable = False
        self._regions = regions
        self._labels = labels
        self._image = image

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels exactly as given."""
        return self._labels

    @property
    def shown(self) -> tuple[str, ...]:
        """The labels as a person should read them."""
        return tuple(shown(label) for label in self._labels)

    @property
    def special(self) -> tuple[int, ...]:
        """No box is special."""
        return ()

    @property
    def words(self) -> None:
        """Boxes know no words."""
        return None

    @property
    def image(self) -> Image | None:
        """The original image, uint8 of shape (height, width, 3 or 4), or None."""
        return self._image

    @property
    def regions(self) -> NDArray[np.float64]:
        """(n, 4) left, top, right, bottom in pixels of the original image."""
        return self._regions

    def select(self, indices: Sequence[int]) -> Boxes:
        """Some of the boxes, in that order."""
        labels = tuple(self._labels[index] for index in indices)
        return Boxes._of(self._regions[list(indices)], labels, self._image)

    def __len__(self) -> int:
        return len(self._labels)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Boxes):
            return NotImplemented
        return (
            self._labels == other._labels
            and np.array_equal(self._regions, other._regions)
            and _same_image(self._image, other._image)
        )

    def __hash__(self) -> int:
        return hash(self._labels)

    def __repr__(self) -> str:
        return f"Boxes({len(self)}: {few(self._labels)}{_image_note(self._image)})"


def _count(value: int, name: str) -> int:
    count = operator.index(value)
    if count < 1:
        raise ValueError(f"{name} must be at least 1; got {count}")
    return count


def _text(value: str, name: str) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{name} must be a string; got {type(value).__name__}")
    return value


def _cells(order: Order, rows: int, cols: int) -> tuple[NDArray[np.int64], bool]:
    """The cell of each position, and whether this is row by row."""
    raster = np.arange(rows * cols, dtype=np.int64)
    raster.flags.writeable = False
    if isinstance(order, str):
        if order != "raster":
            raise ValueError(f'order must be "raster" or the cell of each position; got {order!r}')
        return raster, True
    given = np.asarray(order)
    if given.ndim != 1 or (given.size and given.dtype.kind not in "iu"):
        raise TypeError(
            f"order must be a row of integers, one a position; got {given.dtype} of shape "
            f"{given.shape}"
        )
    cells = given.astype(np.int64)
    bad = (cells < -1) | (cells >= rows * cols)
    if bad.any():
        first = int(np.argmax(bad))
        raise ValueError(
            f"order must hold cells 0 … {rows * cols - 1} of {rows}·{cols}, or -1 for a position "
            f"on none; position {first} has {cells[first]}"
        )
    if np.array_equal(cells, raster):
        return raster, True
    cells.flags.writeable = False
    return cells, False


def _region(region: Sequence[float]) -> Region:
    values = tuple(float(value) for value in region)
    if len(values) != 4 or not all(map(math.isfinite, values)):
        raise ValueError(
            f"region must be four finite numbers (left, top, right, bottom); got {values}"
        )
    left, top, right, bottom = values
    if not (left < right and top < bottom):
        raise ValueError(f"region must have left < right and top < bottom; got {values}")
    return left, top, right, bottom


def _same_image(first: Image | None, second: Image | None) -> bool:
    if first is None or second is None:
        return first is second
    return first is second or np.array_equal(first, second)


def _image_note(image: Image | None) -> str:
    return "" if image is None else f", image {image.shape[1]}×{image.shape[0]}"
