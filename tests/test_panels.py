"""Which picture a position lies on, where, and what it is for the account of weights."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import attn_widget as aw
from attn_widget.axes import Axis, Segment
from attn_widget.panels import Panel, panels_of, rects_of, roles_of
from wire import places

WIDE = np.zeros((480, 640, 3), np.uint8)
SMALL = np.full((64, 64, 3), 9, np.uint8)


def panels(queries: list[Segment], keys: list[Segment] | None = None) -> tuple[Panel, ...]:
    counts = [sum(map(len, side)) for side in (queries, keys if keys is not None else queries)]
    return panels_of(aw.Attention(np.zeros(counts, np.float32), queries, keys))


def parts(panel: Panel) -> list[tuple[str, int, int]]:
    return [(part.side, part.start, part.stop) for part in panel.parts]


def test_both_sides_of_self_attention_lie_on_one_picture() -> None:
    cls = aw.Tokens(["[CLS]"], special=[0])
    (panel,) = panels([cls, aw.Patches(2, 3, image=WIDE)])
    assert parts(panel) == [("key", 1, 7), ("query", 1, 7)]
    assert panel.size == (640, 480)
    assert panel.extent == (0, 0, 640, 480)


def test_tiles_share_a_picture_and_an_overview_does_not() -> None:
    overview = aw.Patches(2, 2, image=WIDE)
    tiles = [aw.Patches(2, 2, image=WIDE, region=(x, 0, x + 320, 480)) for x in (0, 320)]
    first, second = panels([aw.Tokens(["a"])], [overview, *tiles])
    assert parts(first) == [("key", 0, 4)]
    assert parts(second) == [("key", 4, 8), ("key", 8, 12)]


def test_neighbours_may_touch_for_want_of_precision() -> None:
    third = 640 / 3
    edge = third + 1e-9 * third
    both = [
        aw.Patches(1, 1, image=WIDE, region=(0, 0, edge, 480)),
        aw.Patches(1, 1, image=WIDE, region=(third, 0, 640, 480)),
    ]
    assert len(panels([aw.Tokens(["a"])], [*both])) == 1
    far = aw.Patches(1, 1, image=WIDE, region=(third - 1, 0, 640, 480))
    assert len(panels([aw.Tokens(["a"])], [both[0], far])) == 2


def test_boxes_open_a_picture_only_where_there_is_none() -> None:
    boxes = aw.Boxes([[10, 10, 20, 20]], image=WIDE)
    (panel,) = panels([boxes], [aw.Patches(2, 2, image=WIDE.copy())])
    assert parts(panel) == [("key", 0, 4), ("query", 0, 1)]
    assert len(panels([boxes], [aw.Patches(2, 2, image=SMALL)])) == 2
    assert len(panels([boxes])) == 1
    assert panels([aw.Boxes([])], [aw.Tokens(["a"])]) == ()


def test_grids_without_an_image_stand_alone() -> None:
    first, second = panels([aw.Patches(2, 2)], [aw.Patches(3, 5, region=(-5, 0, 5, 6))])
    assert parts(first) == [("key", 0, 15)]
    assert first.image is None
    assert first.size == (5, 6)
    assert first.extent == (-5, 0, 5, 6)
    assert second.size == (2, 2)


def test_padding_lies_in_the_extent() -> None:
    (panel,) = panels(
        [aw.Tokens(["a"])], [aw.Patches(24, 24, image=WIDE, region=(0, -80, 640, 560))]
    )
    assert panel.extent == (0, -80, 640, 560)
    axis = Axis([aw.Patches(24, 24, image=WIDE, region=(0, -80, 640, 560))])
    roles = np.array(roles_of(axis)).reshape(24, 24)
    assert (roles[3:21] == "image").all()
    assert (roles[:3] == "padding").all()
    assert (roles[21:] == "padding").all()


def test_roles() -> None:
    axis = Axis(
        [
            aw.Tokens(["[CLS]", "cat", "[PAD]"], special=[0, 2]),
            aw.Patches(1, 2, image=SMALL, order=[0, 1, -1]),
            aw.Boxes([[-5, 0, 0, 9], [-5, 0, 1, 9], [3, 3, 3, 3]], image=SMALL),
        ]
    )
    assert roles_of(axis) == (
        "special", "text", "special", "image", "image", "special", "padding", "image", "image",
    )  # fmt: skip
    assert roles_of(axis.with_special([1])) == (
        "text", "special", "text", "image", "image", "special", "padding", "image", "image",
    )  # fmt: skip


@given(
    rows=st.integers(1, 9),
    cols=st.integers(1, 9),
    left=st.floats(-90, 90),
    top=st.floats(-90, 90),
    wide=st.floats(1, 500),
    high=st.floats(1, 500),
    data=st.data(),
)
def test_cells_tile_their_region(
    rows: int, cols: int, left: float, top: float, wide: float, high: float, data: Any
) -> None:
    order = data.draw(st.permutations(range(rows * cols)))
    region = (left, top, left + wide, top + high)
    axis = Axis([aw.Tokens(["a"]), aw.Patches(rows, cols, region=region, order=order)])
    rects = rects_of(axis)
    assert np.isnan(rects[0]).all()
    placed = rects[1:]
    sizes = (placed[:, 2] - placed[:, 0]) * (placed[:, 3] - placed[:, 1])
    assert sizes.sum() == pytest.approx(wide * high, rel=1e-6)
    column, row = ((placed[:, 0] - left) / wide * cols, (placed[:, 1] - top) / high * rows)
    np.testing.assert_allclose(np.round(row) * cols + np.round(column), order)
    segment = axis.segments[1]
    assert isinstance(segment, aw.Patches)
    assert segment.regions is not None
    np.testing.assert_allclose(placed, segment.regions, atol=1e-9 * (abs(left) + wide + high))


def test_the_file_for_both_languages_holds_what_matters() -> None:
    cases = places.panels_cases()
    assert len({case["name"] for case in cases}) == len(cases)
    roles = {role for case in cases for side in case["roles"] for role in side}
    assert roles == {"image", "padding", "special", "text"}
    assert {len(case["panels"]) for case in cases} >= {0, 1, 2, 3}
