"""Layouts of real models: golden counts, regions in the original image, and what is refused."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import attn_widget as aw
from attn_widget import Attention, Axis, Boxes, Patches, Tokens, layouts
from attn_widget.axes import Segment

PHOTO = np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8)

sides = st.integers(1, 3000)


def total(segments: list[Segment]) -> int:
    return sum(map(len, segments))


def grids(segments: list[Segment]) -> list[Patches]:
    return [segment for segment in segments if isinstance(segment, Patches)]


# What the reference lists, each with the count it lists.
GOLDEN: dict[str, tuple[Callable[..., list[Segment]], dict[str, Any], int, str]] = {
    "ViT-B/16": (layouts.vit, {}, 197, "1 + 14·14"),
    "DINOv2 with registers": (
        layouts.vit,
        {"patch": 14, "input_size": 416, "registers": 4},
        846,
        "1 + 4 + 29·29",
    ),
    "the same without [CLS]": (
        layouts.vit,
        {"patch": 14, "input_size": 416, "registers": 4, "prefix": ()},
        845,
        "4 + 29·29",
    ),
    "DINO at its own size": (
        layouts.vit,
        {"patch": 8, "input_size": None, "height": 427, "width": 488},
        3234,
        "1 + 53·61",
    ),
    "YOLOS": (
        layouts.vit,
        {"input_size": (512, 864), "suffix": ["[DET]"] * 100},
        1829,
        "1 + 32·54 + 100",
    ),
    "LLaVA-1.5": (layouts.llava, {}, 576, "24·24"),
    "DETR": (layouts.detr, {"width": 640, "height": 480}, 850, "25·34"),
    "DETR, resized by hand": (layouts.detr, {"input_size": (800, 1066)}, 850, "25·34"),
    "DETR, padded": (
        layouts.detr,
        {"input_size": (800, 1066), "padded": (1200, 1200)},
        1444,
        "38·38",
    ),
    "Swin, a window": (layouts.swin, {"rows": 56, "cols": 56, "index": 63}, 49, "7·7"),
    "Swin, all windows": (layouts.swin, {"rows": 56, "cols": 56, "shift": 3}, 3136, "64·7·7"),
    "Qwen2-VL": (layouts.qwen2_vl, {"width": 640, "height": 480}, 391, "17·23"),
    "Qwen2-VL, tower": (
        layouts.qwen2_vl,
        {"width": 640, "height": 480, "tower": True},
        34 * 46,
        "34·46",
    ),
    "Qwen2.5-VL, tower": (
        layouts.qwen2_vl,
        {"grid": (1, 34, 46), "tower": True, "window": 4},
        34 * 46,
        "34·46",
    ),
    "Qwen2-VL, video": (layouts.qwen2_vl, {"grid": (4, 34, 46)}, 4 * 391, "4·17·23"),
    "LLaVA-NeXT, 672²": (
        layouts.llava_next,
        {"width": 672, "height": 672},
        2928,
        "24·24 + 48·(48 + 1)",
    ),
    "LLaVA-NeXT, 640×480": (
        layouts.llava_next,
        {"width": 640, "height": 480},
        2340,
        "24·24 + 36·(48 + 1)",
    ),
    "LLaVA-NeXT, 1000×400": (
        layouts.llava_next,
        {"width": 1000, "height": 400},
        2040,
        "24·24 + 24·(60 + 1)",
    ),
    "InternVL": (layouts.internvl, {"width": 3000, "height": 1500}, 9 * 256, "9·16·16"),
    "InternVL, one tile": (layouts.internvl, {"width": 448, "height": 448}, 256, "1·16·16"),
    "Idefics3": (layouts.idefics3, {"width": 640, "height": 480}, 13 * 169, "13·13·13"),
    "SmolVLM": (
        layouts.idefics3,
        {"width": 480, "height": 640, "side": 8, "tile": 512, "longest": 2048},
        13 * 64,
        "13·8·8",
    ),
    "Stable Diffusion": (
        layouts.unet,
        {"width": 512, "height": 512, "level": 3},
        64,
        "8·8",
    ),
    "FLUX": (
        layouts.joint,
        {"text": 512, "width": 1024, "height": 1024},
        4608,
        "512 + 64·64",
    ),
    "Stable Diffusion 3": (
        layouts.joint,
        {"text": 333, "width": 1184, "height": 880, "text_first": False},
        4070 + 333,
        "55·74 + 333",
    ),
    "a captioner": (layouts.grid, {"rows": 14, "cols": 14}, 196, "14·14"),
    "LXMERT": (layouts.boxes, {"boxes": np.tile([0, 0, 1, 1], (36, 1))}, 36, "36"),
}


class TestCounts:
    @pytest.mark.parametrize("name", GOLDEN)
    def test_of_the_reference(self, name: str) -> None:
        layout, options, count, _ = GOLDEN[name]
        assert total(layout(**options, count=count)) == count
        assert total(layout(**options)) == count

    @pytest.mark.parametrize("name", GOLDEN)
    @pytest.mark.parametrize("off", [-1, 1, 1000])
    def test_that_do_not_fit_spell_out_the_arithmetic(self, name: str, off: int) -> None:
        layout, options, count, arithmetic = GOLDEN[name]
        equals = "" if arithmetic == str(count) else f"{arithmetic} = "
        with pytest.raises(ValueError, match="expected") as refused:
            layout(**options, count=count + off)
        said = f"expected {equals}{count} positions, got {count + off}"
        assert str(refused.value).startswith(said)

    @pytest.mark.parametrize(
        ("layout", "options", "message"),
        [
            (
                layouts.vit,
                {"patch": 14, "input_size": 416, "registers": 4, "count": 845},
                "expected 1 + 4 + 29·29 = 846 positions, got 845: is a register missing?",
            ),
            (
                layouts.vit,
                {"registers": 4, "count": 197},
                "are the registers not among them? Then registers=0",
            ),
            (layouts.vit, {"count": 196}, "was [CLS] removed? Then prefix=()"),
            (layouts.vit, {"count": 201}, "has the model 4 more registers or prefix tokens?"),
            (layouts.vit, {"count": 577}, "are 224×224 pixels in patches of 16×16"),
            (
                layouts.qwen2_vl,
                {"width": 640, "height": 480, "count": 34 * 46},
                "are these the patches of the vision tower? Then tower=True",
            ),
            (
                layouts.llava_next,
                {"width": 640, "height": 480, "count": 2304},
                "are the newline tokens missing?",
            ),
            (
                layouts.internvl,
                {"width": 640, "height": 480, "count": 7 * 256},
                "6 tiles too many: give grid=",
            ),
            (
                layouts.joint,
                {"text": 77, "width": 1024, "height": 1024, "count": 4608},
                "4096 of the image leave 512 for the text",
            ),
            (
                layouts.unet,
                {"width": 512, "height": 512, "count": 4097},
                "expected one of 64·64 = 4096, 32·32 = 1024, 16·16 = 256, 8·8 = 64 positions, "
                "got 4097",
            ),
        ],
    )
    def test_that_do_not_fit_suggest_why(
        self, layout: Callable[..., object], options: dict[str, Any], message: str
    ) -> None:
        with pytest.raises(ValueError, match="expected") as refused:
            layout(**options)
        assert message in str(refused.value)

    def test_a_level_of_a_unet_is_found_by_its_count(self) -> None:
        for count, side in [(4096, 64), (1024, 32), (256, 16), (64, 8)]:
            [patches] = grids(layouts.unet(width=512, height=512, count=count))
            assert (patches.rows, patches.cols) == (side, side)


class TestRegions:
    def test_tokens_before_and_after_lie_nowhere(self) -> None:
        segments = layouts.vit(PHOTO, patch=8, input_size=32, registers=2, suffix=["[DET]"])
        axis = Axis(segments)
        assert axis.labels[:4] == ("[CLS]", "register 1", "register 2", "row 1, column 1")
        assert axis.special[:3] == (0, 1, 2)
        assert np.isnan(axis.regions[[0, 1, 2, -1]]).all()
        assert axis.regions[3].tolist() == [0, 0, 16, 12]

    @pytest.mark.parametrize(
        ("options", "expected"),
        [
            # 416 pixels hold 29 patches of 14; the last 10 are cut.
            ({"patch": 14, "input_size": 416}, (0, 0, 640 * 406 / 416, 480 * 406 / 416)),
            ({"fit": "centre_crop"}, (80, 0, 560, 480)),
            ({"fit": "centre_crop", "resize": 256}, (110, 30, 530, 450)),
            ({"fit": "pad"}, (0, -80, 640, 560)),
            ({"fit": "pad_end", "input_size": 1024}, (0, 0, 640, 640)),
            ({"patch": 7, "input_size": None}, (0, 0, 637, 476)),
        ],
    )
    def test_of_what_the_model_saw(
        self, options: dict[str, Any], expected: tuple[float, ...]
    ) -> None:
        [patches] = grids(layouts.vit(width=640, height=480, **options))
        assert patches.region == pytest.approx(expected)

    def test_letterbox_rows_lie_on_the_image_from_3_to_20(self) -> None:
        regions = Axis(layouts.llava(width=640, height=480)).regions
        inside = (regions[:, 3] > 0) & (regions[:, 1] < 480)
        rows = sorted(set((np.flatnonzero(inside) // 24).tolist()))
        assert rows == list(range(3, 21))

    def test_the_last_column_of_detr_reaches_beyond_the_image(self) -> None:
        [patches] = grids(layouts.detr(input_size=(800, 1066), width=1066, height=800))
        assert patches.region == (0, 0, 1088, 800)

    @pytest.mark.parametrize(
        ("size", "expected"),
        [
            ((640, 480), (800, 1066)),
            ((480, 640), (1066, 800)),
            ((1200, 400), (444, 1332)),
            ((800, 800), (800, 800)),
        ],
    )
    def test_detr_resizes_like_its_processor(
        self, size: tuple[int, int], expected: tuple[int, int]
    ) -> None:
        width, height = size
        [patches] = grids(layouts.detr(width=width, height=height))
        rows, cols = -(-expected[0] // 32), -(-expected[1] // 32)
        assert (patches.rows, patches.cols) == (rows, cols)
        assert patches.region is not None
        assert patches.region[3] / rows == pytest.approx(32 * height / expected[0])

    def test_tiles_of_llava_next_lose_their_padding(self) -> None:
        # 1000×400 stands in 1008×336 with 6 columns of padding at each side.
        overview, tiles = grids(layouts.llava_next(width=1000, height=400))
        assert overview.region == (0, 0, 1000, 400)
        assert (tiles.rows, tiles.cols) == (24, 60)
        assert tiles.region == pytest.approx((0, 0, 1000, 400))
        assert tiles.special == tuple(range(60, 24 * 61, 61))

    def test_an_odd_row_of_padding_stays(self) -> None:
        # 33.6 of 48 rows lie on the image: 33 stay, 15 are too many, of which 7 go at each end.
        _, tiles = grids(layouts.llava_next(width=700, height=490))
        assert (tiles.rows, tiles.cols) == (34, 48)
        cell = 700 / 48
        assert tiles.region == pytest.approx((0, 245 - 17 * cell, 700, 245 + 17 * cell))

    def test_tiles_go_row_by_row_with_the_whole_last(self) -> None:
        tiles = grids(layouts.internvl(width=3000, height=1500))
        assert [tile.name for tile in tiles] == [
            *(f"tile {row}.{col}" for row in (1, 2) for col in (1, 2, 3, 4)),
            "thumbnail",
        ]
        assert tiles[5].region == (750, 750, 1500, 1500)
        assert tiles[-1].region == (0, 0, 3000, 1500)
        assert tiles[5].labels[17] == "tile 2.2, row 2, column 2"
        [alone] = grids(layouts.internvl(width=448, height=448))
        assert alone.labels[0] == "row 1, column 1"

    @pytest.mark.parametrize(
        ("size", "expected"),
        [
            ((800, 400), (1, 2)),
            ((3000, 1500), (2, 4)),
            ((448, 448), (1, 1)),
            ((1000, 1000), (3, 3)),
            ((400, 4000), (10, 1)),
        ],
    )
    def test_internvl_chooses_the_nearest_aspect_ratio(
        self, size: tuple[int, int], expected: tuple[int, int]
    ) -> None:
        tiles = layouts.internvl(width=size[0], height=size[1], thumbnail=False)
        assert tiles == layouts.internvl(
            width=size[0], height=size[1], thumbnail=False, grid=expected
        )

    @pytest.mark.parametrize(
        ("size", "expected"),
        [
            ((640, 480), (3, 4)),
            ((480, 640), (4, 3)),
            ((1000, 1000), (4, 4)),
            ((2000, 500), (1, 4)),
            ((300, 3000), (4, 1)),
        ],
    )
    def test_idefics3_cuts_what_it_resized(
        self, size: tuple[int, int], expected: tuple[int, int]
    ) -> None:
        found = layouts.idefics3(width=size[0], height=size[1])
        assert found == layouts.idefics3(width=size[0], height=size[1], grid=expected)
        last = grids(found)[-1]
        assert (last.name, last.region) == ("overview", (0, 0, *size))

    def test_levels_of_a_unet_may_reach_beyond_the_image(self) -> None:
        [patches] = grids(layouts.unet(width=1184, height=880, level=2))
        assert (patches.rows, patches.cols) == (28, 37)
        assert patches.region == (0, 0, 1184, 896)

    def test_groups_of_frames_show_their_first_frame(self) -> None:
        frames = [np.full((4, 6, 3), shade, np.uint8) for shade in range(5)]
        groups = grids(layouts.qwen2_vl(frames=frames, grid=(3, 4, 6)))
        assert [group.name for group in groups] == ["frames 1–2", "frames 3–4", "frame 5"]
        assert [int(group.image[0, 0, 0]) for group in groups if group.image is not None] == [
            0,
            2,
            4,
        ]
        assert groups[0].labels[0] == "frames 1–2, row 1, column 1"

    @pytest.mark.parametrize(
        ("size", "expected"),
        [
            ((480, 640), (476, 644)),
            ((28, 28), (56, 56)),
            ((10, 10), (56, 56)),
            ((3000, 4000), (840, 1148)),
        ],
    )
    def test_smart_resize(self, size: tuple[int, int], expected: tuple[int, int]) -> None:
        assert layouts.smart_resize(*size) == expected

    @given(st.integers(60, 6000), st.floats(0.2, 5), st.sampled_from([28, 32]))
    def test_smart_resize_keeps_its_promises(self, height: int, aspect: float, factor: int) -> None:
        width = round(height * aspect)
        down, across = layouts.smart_resize(height, width, factor)
        assert down % factor == across % factor == 0
        assert 56 * 56 <= down * across <= 14 * 14 * 4 * 1280
        scale = across / width, down / height
        # Each side is rounded by at most one factor.
        assert abs(scale[0] - scale[1]) <= factor / width + factor / height

    def test_boxes_as_models_write_them(self) -> None:
        corners = layouts.boxes([[10, 20, 30, 60]], image=PHOTO)
        for form, numbers in [("xywh", [10, 20, 20, 40]), ("cxcywh", [20, 40, 20, 40])]:
            assert layouts.boxes([numbers], form=form, image=PHOTO) == corners  # type: ignore[arg-type]
        shares = [[20 / 64, 40 / 48, 20 / 64, 40 / 48]]
        [segment] = layouts.boxes(shares, form="cxcywh", normalised=True, image=PHOTO)
        assert isinstance(segment, Boxes)
        np.testing.assert_allclose(segment.regions, [[10, 20, 30, 60]])


class TestRefusals:
    @pytest.mark.parametrize(
        ("call", "message"),
        [
            (lambda: layouts.vit(width=640), "give width and height together"),
            (lambda: layouts.vit(width=0, height=4), "must be positive"),
            (lambda: layouts.vit(PHOTO, width=48, height=64), "are they exchanged?"),
            (lambda: layouts.vit(PHOTO, width=40, height=64), "the image is 64 wide and 48 high"),
            (lambda: layouts.vit(input_size=None), "depends on the size of the original image"),
            (lambda: layouts.vit(fit="stretch"), "fit must be one of squash, centre_crop"),  # type: ignore[arg-type]
            (lambda: layouts.vit(resize=256), "resize is the short side before a centre_crop"),
            (lambda: layouts.vit(patch=0), "patch must be a number of pixels or"),
            (lambda: layouts.vit(patch=300), "larger than an input of 224×224"),
            (lambda: layouts.detr(), "depends on the size of the original image"),
            (lambda: layouts.detr(input_size=800, padded=700), "padded must be at least"),
            (lambda: layouts.swin(rows=4, cols=4, window=2, index=4), "index must be in 0 … 3"),
            (lambda: layouts.windows(4, 4, 2, 2), r"shift in 0 … window - 1; got 2 and 2"),
            (lambda: layouts.merge_order(3, 4), "do not fill a grid of 3·4"),
            (lambda: layouts.qwen2_vl(), "depends on the size of the original image"),
            (lambda: layouts.qwen2_vl(frames=[PHOTO]), "a video needs grid="),
            (lambda: layouts.qwen2_vl(PHOTO, frames=[PHOTO]), "either image= or frames="),
            (lambda: layouts.qwen2_vl(grid=(1, 3, 4)), "must be multiples of merge=2"),
            (lambda: layouts.qwen2_vl(grid=(3, 4)), r"grid must be \(time, rows, columns\)"),
            (lambda: layouts.qwen2_vl(grid=(1, 4, 4), window=4), "give tower=True"),
            (lambda: layouts.smart_resize(10, 3000), "at most 200 times the shorter"),
            (lambda: layouts.llava_next(), "depends on the size of the original image"),
            (lambda: layouts.llava_next(width=1, height=25), "1 wide and 25 high is too narrow"),
            (lambda: layouts.internvl(grid=(0, 1)), "of tiles; got"),
            (lambda: layouts.unet(width=64, height=64), "give level=, or count="),
            (lambda: layouts.joint(1, width=8, height=8), "has no patch of 16 pixels"),
            (lambda: layouts.boxes([[0, 0, 1, 1]], form="yxyx"), "form must be one of"),  # type: ignore[arg-type]
            (lambda: layouts.boxes([0, 0, 1, 1]), r"shape \(n, 4\); got \(4,\)"),
            (lambda: layouts.boxes([[0, 0, 1, 1]], normalised=True), "depends on the size"),
        ],
    )
    def test_what_is_not_possible(self, call: Callable[[], object], message: str) -> None:
        with pytest.raises(ValueError, match=message):
            call()


@given(
    st.sampled_from(["squash", "centre_crop", "pad", "pad_end"]),
    sides,
    sides,
    st.integers(1, 40),
    st.integers(40, 600),
    st.data(),
)
def test_a_pixel_lies_in_the_region_of_its_position(
    fit: Any, width: int, height: int, patch: int, side: int, data: st.DataObject
) -> None:
    segments = layouts.vit(
        patch=patch, input_size=side, fit=fit, width=width, height=height, registers=1
    )
    axis = Axis(segments)
    x, y = data.draw(st.floats(0, width)), data.draw(st.floats(0, height))
    position = layouts.position_at(axis, x, y)
    [patches] = grids(segments)
    assert patches.region is not None
    left, top, right, bottom = patches.region
    if position is None:
        # Unseen: cut off, or the far edge itself.
        assert not (left <= x < right and top <= y < bottom)
        return
    region = axis.regions[position]
    assert region[0] <= x < region[2]
    assert region[1] <= y < region[3]
    row, col = divmod(position - 2, patches.cols)
    assert abs((x - left) / (right - left) * patches.cols - col - 0.5) <= 0.5 + 1e-6
    assert abs((y - top) / (bottom - top) * patches.rows - row - 0.5) <= 0.5 + 1e-6
    # A patch keeps the shape of its pixels, unless the image was squashed.
    if fit != "squash":
        assert region[2] - region[0] == pytest.approx(region[3] - region[1], rel=1e-6)


@given(
    st.sampled_from([layouts.llava_next, layouts.internvl, layouts.idefics3]),
    sides,
    st.floats(1 / 20, 20),
)
def test_every_pixel_has_a_tile(
    layout: Callable[..., list[Segment]], width: int, aspect: float
) -> None:
    height = max(1, round(width / aspect))
    axis = Axis(layout(width=width, height=height))
    for x, y in [(0, 0), (width - 1e-3, 0), (width / 2, height - 1e-3)]:
        position = layouts.position_at(axis, x, y)
        assert position is not None
        left, top, right, bottom = axis.regions[position]
        assert left <= x < right
        assert top <= y < bottom


@given(sides, sides, st.integers(1, 6), st.integers(1, 6))
def test_tiles_tile_the_image_exactly(width: int, height: int, rows: int, cols: int) -> None:
    tiles = grids(
        layouts.internvl(width=width, height=height, grid=(rows, cols), thumbnail=False, side=1)
    )
    edges = np.array([tile.region for tile in tiles]).reshape(rows, cols, 4)
    np.testing.assert_array_equal(edges[:, :-1, 2], edges[:, 1:, 0])
    np.testing.assert_array_equal(edges[:-1, :, 3], edges[1:, :, 1])
    assert edges[0, 0, :2].tolist() == [0, 0]
    assert edges[-1, -1, 2:].tolist() == [width, height]


def test_boxes_come_before_patches_and_small_before_large() -> None:
    axis = Axis([Patches(2, 2, image=PHOTO), Boxes([[0, 0, 64, 48], [0, 0, 9, 9], [0, 0, 9, 9]])])
    assert layouts.position_at(axis, 4, 4) == 5
    assert layouts.position_at(axis, 40, 4) == 4
    assert layouts.position_at(axis.segments[0], 40, 4) == 1
    assert layouts.position_at(list(axis.segments[1:]), 4, 4) == 1
    assert layouts.position_at(axis, 64, 4) is None
    assert layouts.position_at(Tokens(["a"]), 0, 0) is None


ROWS_OF_THE_DOCS = re.findall(
    r"^\| ([^|]+) \| `(\[?(?:aw|layouts)\.[^`]+)` \|$",
    (Path(__file__).parent.parent / "docs" / "layouts.md").read_text(encoding="utf-8"),
    re.MULTILINE,
)


@pytest.mark.parametrize(("model", "code"), ROWS_OF_THE_DOCS)
def test_what_the_docs_say_for_each_model_runs(model: str, code: str) -> None:
    names = {
        "aw": aw,
        "layouts": layouts,
        "image": PHOTO,
        "frames": [PHOTO] * 4,
        "boxes": [[0.5, 0.5, 1, 1]],
    }
    axis = Axis(eval(code, names))
    assert len(axis) > 0, model
    assert axis.has_image


def test_the_docs_name_every_layout() -> None:
    assert len(ROWS_OF_THE_DOCS) == 30
    text = (Path(__file__).parent.parent / "docs" / "layouts.md").read_text(encoding="utf-8")
    public = [name for name, value in vars(layouts).items() if inspect.isfunction(value)]
    assert [name for name in public if not re.search(rf"\b{name}\b", text)] == ["smart_resize"]


def test_a_map_takes_a_layout() -> None:
    segments = layouts.vit(PHOTO, patch=8, input_size=32)
    attention = Attention(np.full((17, 17), 1 / 17, np.float32), segments)
    assert attention.keys.labels[1] == "row 1, column 1"
    assert attention.keys.has_image
