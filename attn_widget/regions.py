"""Positions that lie on an image: a grid of patches, or boxes."""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from .images import Image, read_image
from .labels import shown
from .tokens import Tokens, few, strings

ORDERS = ("raster",)
"""Orders in which patches may follow each other."""


class Patches:
    """A grid of patches over an image, or a plain grid.

    Labels count rows and columns from 1 ("row 4, column 2"); positions count from 0.

    Args:
        rows: Number of patch rows.
        cols: Number of patch columns.
        image: The original image: path, bytes, PIL image or array; see `read_image`.
        region: (left, top, right, bottom) covered by the grid, in pixels of the original image.
            It may reach beyond the image (padding). None with an image means all of it.
        order: How positions follow each other; ``"raster"`` is row by row from the top left.

    Raises:
        ValueError: If a size, the region or the order is not possible.
    """

    __slots__ = ("_cols", "_image", "_order", "_region", "_rows")

    def __init__(
        self,
        rows: int,
        cols: int,
        *,
        image: object = None,
        region: Sequence[float] | None = None,
        order: str = "raster",
    ) -> None:
        self._rows = _count(rows, "rows")
        self._cols = _count(cols, "cols")
        if order not in ORDERS:
            raise ValueError(f"order must be one of {', '.join(ORDERS)}; got {order!r}")
        self._order = order
        self._image = None if image is None else read_image(image)
        self._region: tuple[float, float, float, float] | None = None
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
    def order(self) -> str:
        """How positions follow each other."""
        return self._order

    @property
    def image(self) -> Image | None:
        """The original image, uint8 of shape (height, width, 3 or 4), or None."""
        return self._image

    @property
    def region(self) -> tuple[float, float, float, float] | None:
        """(left, top, right, bottom) covered by the grid, in pixels of the original image."""
        return self._region

    @property
    def labels(self) -> tuple[str, ...]:
        """Row and column of each patch, counted from 1."""
        return tuple(
            f"row {row}, column {column}"
            for row in range(1, self._rows + 1)
            for column in range(1, self._cols + 1)
        )

    @property
    def shown(self) -> tuple[str, ...]:
        """The labels."""
        return self.labels

    @property
    def special(self) -> tuple[int, ...]:
        """No patch is special."""
        return ()

    @property
    def words(self) -> None:
        """Patches know no words."""
        return None

    @property
    def regions(self) -> NDArray[np.float64] | None:
        """(n, 4) left, top, right, bottom of each patch in original pixels, or None."""
        if self._region is None:
            return None
        left, top, right, bottom = self._region
        across = np.linspace(left, right, self._cols + 1)
        down = np.linspace(top, bottom, self._rows + 1)
        row, column = np.divmod(np.arange(len(self)), self._cols)
        return np.stack([across[column], down[row], across[column + 1], down[row + 1]], axis=1)

    def select(self, indices: Sequence[int]) -> Patches | Boxes | Tokens:
        """Some of the patches: boxes where the regions are known, labelled positions otherwise."""
        if list(indices) == list(range(len(self))):
            return self
        every = self.labels
        labels = tuple(every[index] for index in indices)
        regions = self.regions
        if regions is None:
            return Tokens._of(labels, (), None, "plain")
        return Boxes._of(regions[list(indices)], labels, self._image)

    def __len__(self) -> int:
        return self._rows * self._cols

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Patches):
            return NotImplemented
        return (self._rows, self._cols, self._order, self._region) == (
            other._rows,
            other._cols,
            other._order,
            other._region,
        ) and _same_image(self._image, other._image)

    def __hash__(self) -> int:
        return hash((self._rows, self._cols, self._order, self._region))

    def __repr__(self) -> str:
        return f"Patches({self._rows}, {self._cols}{_image_note(self._image)})"


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


def _region(region: Sequence[float]) -> tuple[float, float, float, float]:
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
