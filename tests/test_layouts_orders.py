"""Orders of positions, against the tensor operations of the models that make them."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from attn_widget import Patches, layouts

halves = st.integers(1, 12)


def is_permutation(order: np.ndarray[tuple[int, ...], np.dtype[np.int64]], cells: int) -> bool:
    return sorted(order.ravel().tolist()) == list(range(cells))


class TestMergeOrder:
    def test_of_the_reference(self) -> None:
        order = layouts.merge_order(4, 6).tolist()
        assert order[:16] == [0, 1, 6, 7, 2, 3, 8, 9, 4, 5, 10, 11, 12, 13, 18, 19]

    @given(halves, halves, st.integers(1, 3))
    def test_is_what_the_processor_does_to_pixels(self, down: int, across: int, merge: int) -> None:
        rows, cols, patch = down * merge, across * merge, 2
        # Every pixel says in which patch it lies.
        cells = np.arange(rows * cols).reshape(rows, cols)
        pixels = np.kron(cells, np.ones((patch, patch), np.int64))
        frames = np.broadcast_to(pixels, (2, 3, *pixels.shape))
        cut = frames.reshape(
            1, 2, 3, rows // merge, merge, patch, cols // merge, merge, patch
        ).transpose(0, 3, 6, 4, 7, 2, 1, 5, 8)
        flat = cut.reshape(rows * cols, -1)
        assert (flat == flat[:, :1]).all()
        order = layouts.merge_order(rows, cols, merge)
        assert order.tolist() == flat[:, 0].tolist()
        assert is_permutation(order, rows * cols)

    def test_of_one_is_raster(self) -> None:
        assert Patches(3, 5, order=layouts.merge_order(3, 5, 1)).order == "raster"


class TestWindowMergeOrder:
    @given(halves, halves, st.integers(1, 5))
    def test_is_the_window_index_of_the_tower(self, down: int, across: int, window: int) -> None:
        rows, cols = 2 * down, 2 * across
        # The tower pads by a whole window where nothing is missing, and drops it again.
        padded = np.full((down + window - down % window, across + window - across % window), -100)
        padded[:down, :across] = np.arange(down * across).reshape(down, across)
        index = [
            padded[top + row, left + col]
            for top, left in product(
                range(0, padded.shape[0], window), range(0, padded.shape[1], window)
            )
            for row, col in product(range(window), range(window))
        ]
        units = np.array([unit for unit in index if unit >= 0])
        tower = layouts.merge_order(rows, cols).reshape(-1, 4)[units].ravel()
        order = layouts.window_merge_order(rows, cols, window=window)
        assert order.tolist() == tower.tolist()
        assert is_permutation(order, rows * cols)

    def test_by_hand(self) -> None:
        # 2×3 blocks in windows of 2×2 blocks: the third column of blocks comes last.
        order = layouts.window_merge_order(4, 6, window=2)
        assert order.reshape(-1, 4)[:, 0].tolist() == [0, 2, 12, 14, 4, 16]


class TestWindows:
    def test_of_the_reference(self) -> None:
        assert layouts.windows(4, 4, 2, 1).tolist() == [
            [5, 6, 9, 10],
            [7, 4, 11, 8],
            [13, 14, 1, 2],
            [15, 12, 3, 0],
        ]
        [last] = layouts.swin(rows=4, cols=4, window=2, shift=1, index=3)
        assert last.labels == (
            "row 4, column 4", "row 4, column 1", "row 1, column 4", "row 1, column 1"
        )  # fmt: skip

    @given(st.integers(1, 15), st.integers(1, 15), st.integers(1, 7), st.data())
    def test_every_cell_is_in_one_window(
        self, rows: int, cols: int, window: int, data: st.DataObject
    ) -> None:
        shift = data.draw(st.integers(0, window - 1))
        each = layouts.windows(rows, cols, window, shift)
        assert each.shape[1] == window**2
        assert is_permutation(each[each >= 0], rows * cols)
        down, across = -(-rows // window) * window, -(-cols // window) * window
        number = data.draw(st.integers(0, len(each) - 1))
        top, left = np.array(divmod(number, across // window)) * window
        for local, cell in enumerate(each[number].tolist()):
            row = (top + local // window + shift) % down
            col = (left + local % window + shift) % across
            assert cell == (row * cols + col if row < rows and col < cols else -1)

    def test_pairs_from_opposite_edges_are_absent(self) -> None:
        mask = layouts.window_mask(4, 4, 2, 1)
        assert mask[0].all()
        # 7 and 11 stand at the right edge, 4 and 8 at the left.
        assert mask[1].tolist() == [[True, False] * 2, [False, True] * 2] * 2
        assert (
            mask[2].tolist() == [[True, True, False, False]] * 2 + [[False, False, True, True]] * 2
        )
        assert mask[3].tolist() == np.eye(4, dtype=bool).tolist()

    @given(st.integers(1, 12), st.integers(1, 12), st.integers(1, 5), st.data())
    def test_the_mask_is_that_of_the_model(
        self, rows: int, cols: int, window: int, data: st.DataObject
    ) -> None:
        shift = data.draw(st.integers(0, window - 1))
        mask = layouts.window_mask(rows, cols, window, shift)
        down, across = -(-rows // window) * window, -(-cols // window) * window
        stretches = [slice(0, -window), slice(-window, -shift), slice(-shift, None)]
        areas = np.zeros((down, across), np.int64)
        if shift:
            for area, (high, wide) in enumerate(product(stretches, stretches)):
                areas[high, wide] = area
        for number in range(len(mask)):
            top, left = np.array(divmod(number, across // window)) * window
            own = areas[top : top + window, left : left + window].ravel()
            np.testing.assert_array_equal(mask[number], own[:, None] == own[None, :])

    def test_padding_is_on_no_cell(self) -> None:
        [patches] = layouts.swin(rows=3, cols=3, window=2, index=1)
        assert patches.labels == ("row 1, column 3", "padding", "row 2, column 3", "padding")
        assert patches.special == (1, 3)


@given(st.integers(1, 9), st.integers(1, 9))
def test_newlines_end_each_row(rows: int, cols: int) -> None:
    order = layouts.newline_order(rows, cols)
    assert is_permutation(order[order >= 0], rows * cols)
    assert np.flatnonzero(order < 0).tolist() == list(range(cols, rows * (cols + 1), cols + 1))


@pytest.mark.parametrize(("rows", "cols"), [(3, 4), (4, 3)])
def test_blocks_must_fill_the_grid(rows: int, cols: int) -> None:
    for order in (layouts.merge_order, layouts.window_merge_order):
        with pytest.raises(ValueError, match=f"do not fill a grid of {rows}·{cols}"):
            order(rows, cols)
