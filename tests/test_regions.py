"""Positions on a grid: in an order of their own, with positions on no cell among them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from attn_widget import Attention, Axis, Boxes, Patches, Tokens

PHOTO = np.random.default_rng(0).integers(0, 256, (30, 40, 3), dtype=np.uint8)
NEWLINES = [0, 1, -1, 2, 3, -1]

sides = st.integers(1, 6)
edges = st.tuples(st.floats(-1e4, 1e4), st.floats(-1e4, 1e4)).filter(lambda e: e[1] - e[0] > 1e-2)


def area(regions: NDArray[np.float64]) -> float:
    return float(((regions[:, 2] - regions[:, 0]) * (regions[:, 3] - regions[:, 1])).sum())


class TestOrder:
    def test_positions_follow_their_cells(self) -> None:
        patches = Patches(2, 2, image=PHOTO, order=NEWLINES)
        assert len(patches) == 6
        assert patches.order == (0, 1, -1, 2, 3, -1)
        assert patches.cells.dtype == np.int64
        assert patches.labels[1:4] == ("row 1, column 2", "⏎", "row 2, column 1")
        assert patches.special == (2, 5)
        regions = patches.regions
        assert regions is not None
        assert regions[3].tolist() == [0, 15, 20, 30]
        assert np.flatnonzero(np.isnan(regions).all(axis=1)).tolist() == [2, 5]
        assert not np.isnan(regions[[0, 1, 3, 4]]).any()

    def test_row_by_row_is_raster_however_it_is_said(self) -> None:
        plain = Patches(2, 3)
        assert plain.order == "raster"
        assert plain.cells.tolist() == [0, 1, 2, 3, 4, 5]
        said = Patches(2, 3, order=range(6))
        assert said.order == "raster"
        assert said == plain
        assert hash(said) == hash(plain)

    @given(sides, sides, st.randoms())
    def test_an_order_moves_labels_and_regions_alike(
        self, rows: int, cols: int, random: Any
    ) -> None:
        order = list(range(rows * cols))
        random.shuffle(order)
        raster = Patches(rows, cols, region=(1, 2, 30, 50))
        moved = Patches(rows, cols, region=(1, 2, 30, 50), order=order)
        assert moved.labels == tuple(raster.labels[cell] for cell in order)
        assert raster.regions is not None
        np.testing.assert_array_equal(moved.regions, raster.regions[order])

    def test_names_tell_grids_apart(self) -> None:
        tile = Patches(1, 2, order=[1, -1], separator="[BREAK]", name="tile 2")
        assert tile.labels == ("tile 2, row 1, column 2", "[BREAK]")
        assert repr(tile) == "Patches(1, 2, 'tile 2', 2 positions)"
        assert tile != Patches(1, 2, order=[1, -1], separator="[BREAK]")
        assert tile != Patches(1, 2, order=[1, -1], name="tile 2")

    def test_equality(self) -> None:
        one = Patches(2, 2, image=PHOTO, order=NEWLINES)
        same = Patches(2, 2, image=PHOTO.copy(), order=np.array(NEWLINES, np.int16))
        assert one == same
        assert hash(one) == hash(same)
        assert one != Patches(2, 2, image=PHOTO)
        assert one != Patches(2, 2, image=PHOTO, order=NEWLINES[::-1])

    def test_cells_are_a_snapshot(self) -> None:
        mine = np.array([3, 2, 1, 0])
        patches = Patches(2, 2, order=mine)
        mine[:] = 0
        assert patches.cells.tolist() == [3, 2, 1, 0]
        for cells in (patches.cells, Patches(2, 2).cells):
            with pytest.raises(ValueError, match="read-only"):
                cells[0] = 9

    @pytest.mark.parametrize(
        ("order", "error", "message"),
        [
            ([0, 4], ValueError, "cells 0 … 3 of 2·2, .*; position 1 has 4"),
            ([-2], ValueError, "position 0 has -2"),
            ([0.0, 1.0], TypeError, "integers, one a position; got float64"),
            ([True, False], TypeError, "got bool"),
            ([[0, 1], [2, 3]], TypeError, r"of shape \(2, 2\)"),
        ],
    )
    def test_orders_that_are_not_possible(
        self, order: Any, error: type[Exception], message: str
    ) -> None:
        with pytest.raises(error, match=message):
            Patches(2, 2, order=order)

    def test_labels_must_be_strings(self) -> None:
        with pytest.raises(TypeError, match="separator must be a string; got int"):
            Patches(1, 1, separator=3)  # type: ignore[arg-type]
        with pytest.raises(TypeError, match="name must be a string; got None"):
            Patches(1, 1, name=None)  # type: ignore[arg-type]

    def test_a_part_stays_on_the_grid(self) -> None:
        patches = Patches(2, 2, image=PHOTO, order=NEWLINES, separator="nl", name="a")
        assert patches.select(range(6)) is patches
        part = patches.select([5, 3, 3])
        assert isinstance(part, Patches)
        assert part.order == (-1, 2, 2)
        assert part.labels == ("nl", "a, row 2, column 1", "a, row 2, column 1")
        assert part.image is patches.image
        assert len(patches.select([])) == 0


@given(sides, sides, edges, edges)
def test_patches_tile_their_region_exactly(
    rows: int, cols: int, across: tuple[float, float], down: tuple[float, float]
) -> None:
    left, right = across
    top, bottom = down
    regions = Patches(rows, cols, region=(left, top, right, bottom)).regions
    assert regions is not None
    grid = regions.reshape(rows, cols, 4)
    # Neighbours share their edge to the bit, and the outer edges are the region's own.
    np.testing.assert_array_equal(grid[:, :-1, 2], grid[:, 1:, 0])
    np.testing.assert_array_equal(grid[:-1, :, 3], grid[1:, :, 1])
    assert (grid[:, 0, 0] == left).all()
    assert (grid[:, -1, 2] == right).all()
    assert (grid[0, :, 1] == top).all()
    assert (grid[-1, :, 3] == bottom).all()
    np.testing.assert_allclose(area(regions), (right - left) * (bottom - top), rtol=1e-9)


class TestRegionsOfAnAxis:
    def test_tokens_and_plain_grids_have_none(self) -> None:
        axis = Axis(
            [
                Tokens(["[CLS]"]),
                Patches(1, 2, image=PHOTO, order=[1, -1]),
                Patches(1, 1),
                Boxes([[1, 2, 3, 4]]),
            ]
        )
        assert axis.regions.shape == (5, 4)
        assert axis.regions.dtype == np.float64
        assert axis.regions[1].tolist() == [20, 0, 40, 30]
        assert axis.regions[4].tolist() == [1, 2, 3, 4]
        assert np.isnan(axis.regions[[0, 2, 3]]).all()
        assert axis.special == (0, 2)
        assert Axis([]).regions.shape == (0, 4)

    def test_of_a_selection_are_a_selection_of_regions(self) -> None:
        axis = Axis([Tokens(["a"]), Patches(2, 2, image=PHOTO, order=NEWLINES)])
        attention = Attention(np.full((2, 7), 0.1), None, axis)
        part = attention.select(keys=[6, 4, 0]).keys
        np.testing.assert_array_equal(part.regions, axis.regions[[6, 4, 0]])
        assert part.labels == ("⏎", "row 2, column 1", "a")
        assert part.special == (0,)
