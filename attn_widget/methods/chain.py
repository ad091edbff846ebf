"""Products of one square matrix a layer: what rollouts and relevance come to.

A short map is multiplied out whole, once. Of a long one only the rows that are read are
followed down through the layers, so that no matrix of all positions is ever held.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Sequence
from typing import Any, Final

import numpy as np

from ..attention import Attention
from ..qk.kept import Kept
from ..qk.source import finish
from ..sources import Shape, Weights
from ..streams import BLOCK_CELLS
from .inputs import Floats
from .lazy import Steps, WholeSource, blocks, told

WHOLE: Final = 2048
"""Positions up to which products are made whole: two matrices of 32 MiB."""

RESULT_BYTES: Final = 1 << 28
"""What the products of all layers may take."""

MOST_WEIGHTS: Final = 1 << 33
"""Weights of all layers and heads that are gone through for a row: some minutes."""

PRODUCT: Final = 1 << 27
"""Multiplications in one step: some 10 ms."""

ROWS_BYTES: Final = 1 << 26
"""Rows of long maps that are kept."""

LayerRows = Callable[[int, slice], Generator[None, None, Floats]]
"""Computes some rows of the matrix of a layer, (rows, n), in steps: one a head."""

Rows = Callable[[Floats, slice], Floats]
"""Makes other rows of rows, and of where they stand."""


class ChainSource:
    """``M_l … M_1`` of the layers up to l, for the last layer or for each.

    Args:
        rows: Computes rows of the matrix of a layer.
        layers: Which layers, first to last.
        length: Positions.
        each: Whether there is a result for each layer.
        width: Numbers handled for a row of a layer in one step.
        heads: Steps that a row of a layer takes.
        whole: Makes the matrix of a layer of all of its rows, where rows alone don't; for short
            maps only.
        ending: Makes of rows of a product those of the result.

    Raises:
        ValueError: If a row alone would take minutes, or rows alone don't do and the map is long.
    """

    def __init__(
        self,
        rows: LayerRows,
        layers: Sequence[int],
        length: int,
        *,
        each: bool = False,
        width: int,
        heads: int = 1,
        whole: Callable[[Floats], Floats] | None = None,
        ending: Rows | None = None,
    ) -> None:
        self._rows = rows
        self._whole_layer = whole
        self._ending = ending or (lambda found, _: found)
        self._layers = layers
        self._length = length
        self._width = max(1, width)
        self._each = each
        self.shape: Shape = (len(layers) if each else 1, 1, length, length)
        self.dtype: np.dtype[Any] = np.dtype(np.float32)
        self._kept = Kept(ROWS_BYTES)
        short = length <= WHOLE and math.prod(self.shape) * 4 <= RESULT_BYTES
        self._product = WholeSource(self.shape, self._products) if short else None
        if whole is not None and not short:
            raise ValueError(
                f"all weights of a layer are needed at once, which goes up to {WHOLE} positions "
                f"and {RESULT_BYTES >> 20} MiB of results; got {length} positions"
            )
        weights = len(layers) * heads * length * self._width
        if self._product is None and weights > MOST_WEIGHTS:
            raise ValueError(
                f"{length} positions are too many here: every row of the result would go through "
                f"{weights:.1e} numbers; select fewer positions, heads or layers"
            )

    def prepare(self) -> Steps:
        """Multiply a short map out; see `SupportsPrepare.prepare`."""
        if self._product is not None:
            yield from self._product.prepare()

    def read(self, layer: int, head: slice, query: slice, key: slice) -> Weights:
        """Read a block of one layer; see `Source.read`."""
        if self._product is not None:
            return self._product.read(layer, head, query, key)
        top = layer if self._each else len(self._layers) - 1
        asked = range(self._length)[query]
        rows = {row: self._kept.get((top, row)) for row in asked}
        missing = [row for row in asked if rows[row] is None]
        if missing:
            part = slice(missing[0], missing[-1] + 1)
            for row, values in enumerate(self._followed(top, part).astype(np.float32), part.start):
                rows[row] = values.copy()
                self._kept.put((top, row), rows[row], values.nbytes)
        block = np.array([rows[row][key] for row in asked], dtype=np.float32)
        return block.reshape(1, len(asked), key.stop - key.start)[head]

    def _products(self) -> Generator[float, None, Weights]:
        size, count = self._length, len(self._layers)
        found = np.empty(self.shape, dtype=np.float32)
        product = np.eye(size)
        for place, layer in enumerate(self._layers):
            matrix = np.empty((size, size))
            for part in blocks(size, self._width):
                share = (place + 0.5 * part.start / size) / count
                matrix[part] = yield from told(self._rows(layer, part), share)
            if self._whole_layer is not None:
                matrix = self._whole_layer(matrix)
            if place:
                below, product = product, np.empty_like(product)
                for share in _multiplied(matrix, below, product):
                    yield (place + 0.5 + 0.5 * share) / count
            else:
                product = matrix
            if self._each or place == count - 1:
                at = place if self._each else 0
                found[at, 0] = self._ending(product, slice(0, size))
        return found

    def _followed(self, top: int, rows: slice) -> Floats:
        """Rows of the product up to a layer, from the top down."""
        found = finish(told(self._rows(self._layers[top], rows), 0.0))
        for layer in reversed(self._layers[:top]):
            below = np.zeros_like(found)
            for part in blocks(self._length, self._width, BLOCK_CELLS):
                below += found[:, part] @ finish(told(self._rows(layer, part), 0.0))
            found = below
        return self._ending(found, rows)


def _multiplied(left: Floats, right: Floats, out: Floats) -> Steps:
    """``left @ right`` tile by tile, so that no step takes long."""
    size = len(left)
    side = max(1, math.isqrt(PRODUCT // max(size, 1)))
    tiles = [slice(start, start + side) for start in range(0, size, side)]
    for row, rows in enumerate(tiles):
        for column, columns in enumerate(tiles):
            out[rows, columns] = left[rows] @ right[:, columns]
            yield (row * len(tiles) + column + 1) / len(tiles) ** 2


def with_identity(rows: Floats, at: slice, share: float = 1.0) -> Floats:
    """Rows with a number added to their own position."""
    found = rows.copy()
    found[np.arange(len(rows)), np.arange(at.start, at.stop)] += share
    return found


def normalised(rows: Floats) -> Floats:
    """Rows divided by their sums; one without any stays zero."""
    sums = rows.sum(axis=-1, keepdims=True)
    return np.asarray(rows / np.where(sums > 0, sums, 1.0))


def check_finite(rows: Floats, att: Attention, method: str, layer: int) -> Floats:
    """Check that no weight is missing that a product would spread over all others.

    Raises:
        ValueError: If one is NaN or infinite.
    """
    if not np.isfinite(rows).all():
        name = f" of {att.name}" if att.name else ""
        raise ValueError(
            f"{method} needs every weight; layer {layer}{name} has missing or infinite ones (NaN, "
            "inf): select the positions that have weights"
        )
    return rows
