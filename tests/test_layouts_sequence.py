"""Text and images on one axis, and attention to points."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from attn_widget import Attention, Axis, Boxes, Patches, Tokens, layouts

PHOTO = np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8)


class TestMixed:
    def test_a_placeholder_for_each_position(self) -> None:
        tokens = ["<s>", "▁USER", *["<image>"] * 4, "▁a", "▁cat"]
        segments = layouts.mixed(tokens, {"<image>": layouts.grid(2, 2, PHOTO)}, count=8)
        axis = Axis(segments)
        assert [type(segment) for segment in segments] == [Tokens, Patches, Tokens]
        assert axis.starts == (0, 2, 6, 8)
        assert axis.labels[1:3] == ("▁USER", "row 1, column 1")
        assert axis.shown[-2:] == Tokens(tokens).shown[-2:]
        assert axis.special == (0,)
        assert axis.has_image

    def test_a_placeholder_for_each_image(self) -> None:
        one, two = layouts.grid(1, 2, PHOTO), layouts.grid(2, 2)
        axis = Axis(layouts.mixed(["<image>", "vs", "<image>"], {"<image>": [one, two]}))
        assert axis.starts == (0, 2, 3, 7)
        assert axis.segments[0].image is not None  # type: ignore[union-attr]
        assert axis.segments[2] == Patches(2, 2)

    def test_one_image_of_several_segments(self) -> None:
        image = layouts.llava_next(width=672, height=672)
        for placeholders in (1, 2928):
            axis = Axis(layouts.mixed(["<image>"] * placeholders + ["?"], {"<image>": image}))
            assert axis.starts == (0, 576, 2928, 2929)

    def test_text_between_tiles_stays(self) -> None:
        tiles = layouts.idefics3(grid=(1, 2), side=2)
        tokens = ["a", *["<image>"] * 4, "<row_1_col_2>", *["<image>"] * 4, "\n", *["<image>"] * 4]
        axis = Axis(layouts.mixed(tokens, {"<image>": tiles}))
        assert axis.labels[5] == "<row_1_col_2>"
        assert axis.labels[6] == "tile 1.2, row 1, column 1"
        assert axis.labels[11] == "overview, row 1, column 1"
        assert len(axis) == len(tokens)

    def test_placeholders_of_two_kinds(self) -> None:
        axis = Axis(
            layouts.mixed(
                ["<image>", "<video>", "<video>", "end"],
                {"<image>": layouts.grid(2, 1), "<video>": layouts.qwen2_vl(grid=(2, 2, 2))},
            )
        )
        assert axis.starts == (0, 2, 3, 4, 5)
        assert axis.labels[2] == "group 1, row 1, column 1"

    def test_words_and_special_tokens_are_kept(self) -> None:
        tokens = Tokens(["un", "##able", "[IMG]", "x"], special=[3], words=[0, 0, None, 1])
        axis = Axis(layouts.mixed(tokens, {"[IMG]": layouts.grid(1, 1)}))
        assert axis.special == (3,)
        assert axis.words == (0, 0, -1, 2)

    @pytest.mark.parametrize(
        ("tokens", "message"),
        [
            (
                ["<image>"] * 9,
                r"expected <image> 4 \+ 6 = 10 times, one a position, or 2 times, one an image; "
                "got 9",
            ),
            (["a"], "got 0"),
            (
                [*["<image>"] * 5, "a", *["<image>"] * 5],
                "<image> comes 5 times in a row, which ends 1 positions into a segment of 6",
            ),
        ],
    )
    def test_placeholders_that_do_not_fit(self, tokens: list[str], message: str) -> None:
        images = [layouts.grid(2, 2), layouts.grid(2, 3)]
        with pytest.raises(ValueError, match=message):
            layouts.mixed(tokens, {"<image>": images})

    def test_a_length_that_does_not_fit(self) -> None:
        with pytest.raises(ValueError, match=r"expected 1 \+ 4 \+ 2 = 7 positions, got 8"):
            layouts.mixed(["a", "<i>", "b", "c"], {"<i>": layouts.grid(2, 2)}, count=8)

    def test_what_placeholders_cannot_stand_for(self) -> None:
        mixture: Any = [Patches(1, 1), [Patches(1, 1)]]
        with pytest.raises(TypeError, match="a list of segments or for a list of such lists"):
            layouts.mixed(["<i>"], {"<i>": mixture})

    @given(st.lists(st.one_of(st.sampled_from("ab"), st.integers(1, 3)), max_size=8))
    def test_text_and_images_stay_in_order(self, parts: list[str | int]) -> None:
        images = [layouts.grid(part, 2) for part in parts if isinstance(part, int)]
        labels = [
            label
            for part in parts
            for label in ([part] if isinstance(part, str) else Patches(part, 2).labels)
        ]
        brief = ["<i>" if isinstance(part, int) else part for part in parts]
        full = [
            token
            for part in parts
            for token in (["<i>"] * 2 * part if isinstance(part, int) else [part])
        ]
        for tokens in (brief, full):
            axis = Axis(layouts.mixed(tokens, {"<i>": images}, count=len(labels)))
            assert axis.labels == tuple(labels)


class TestDeformable:
    def test_a_map_times_values_is_what_the_model_computes(self) -> None:
        torch = pytest.importorskip("torch")
        random = np.random.default_rng(1)
        shapes = [(5, 7), (3, 4)]
        number, heads, points, channels = 6, 2, 3, 4
        # Some points lie outside the picture, where the model reads zeros.
        locations = random.uniform(-0.3, 1.3, (number, heads, 2, points, 2))
        weights = random.dirichlet(np.ones(2 * points), (number, heads)).reshape(
            number, heads, 2, points
        )
        attention = layouts.deformable(locations, weights, shapes)
        assert attention.shape == (1, heads, number, 35 + 12)
        expected = np.zeros((heads, number, channels))
        values = []
        for level, (rows, cols) in enumerate(shapes):
            value = random.normal(size=(heads, channels, rows, cols))
            values.append(value.reshape(heads, channels, -1))
            # (heads, channels, queries, points), half a pixel in as in the model.
            sampled = torch.nn.functional.grid_sample(
                torch.tensor(value),
                torch.tensor(2 * locations[:, :, level].transpose(1, 0, 2, 3) - 1),
                align_corners=False,
                padding_mode="zeros",
            ).numpy()
            expected += np.einsum("hcqp,qhp->hqc", sampled, weights[:, :, level])
        found = np.asarray(attention)[0] @ np.concatenate(values, axis=2).transpose(0, 2, 1)
        np.testing.assert_allclose(found, expected, atol=1e-6)

    def test_a_point_at_the_centre_of_a_cell_is_that_cell(self) -> None:
        # Cell (1, 2) of 2×4 and the corner between four cells of it.
        locations = np.array([[5 / 8, 3 / 4], [1 / 2, 1 / 2]])[None, None, None]
        attention = layouts.deformable(locations, [[[[0.7, 0.2]]]], [(2, 4)], ["dog"], image=PHOTO)
        expected = np.array([[0, 0.05, 0.05, 0], [0, 0.05, 0.75, 0]])
        np.testing.assert_allclose(attention[0, 0, 0].reshape(2, 4), expected, atol=1e-7)
        assert attention.keys == Axis([Patches(2, 4, image=PHOTO)])
        assert attention.queries.labels == ("dog",)

    def test_levels_may_reach_beyond_the_image(self) -> None:
        attention = layouts.deformable(
            np.full((1, 1, 2, 1, 2), 0.5),
            np.full((1, 1, 2, 1), 0.5),
            [(2, 3), (1, 2)],
            strides=[8, 16],
            input_size=(12, 20),
            width=200,
            height=120,
        )
        regions = [segment.region for segment in attention.keys.segments]  # type: ignore[union-attr]
        assert regions == [(0, 0, 240, 160), (0, 0, 320, 160)]
        assert attention.keys.labels[6] == "level 2, row 1, column 1"

    def test_dots_lie_at_their_points(self) -> None:
        locations = np.array([[[[0.5, 0.5], [0.25, 0]]], [[[1, 1], [0, 0.5]]]])
        weights = np.array([[[0.9, 0.1]], [[0.3, 0.7]]])
        attention = layouts.dots(locations, weights, "dog", image=PHOTO, radius=2)
        assert attention.shape == (1, 2, 1, 4)
        np.testing.assert_allclose(
            attention[0, :, 0], [[0.9, 0.1, np.nan, np.nan], [np.nan, np.nan, 0.3, 0.7]], rtol=1e-6
        )
        [boxes] = attention.keys.segments
        assert isinstance(boxes, Boxes)
        assert boxes.regions.tolist()[:2] == [[30, 22, 34, 26], [14, -2, 18, 2]]
        assert boxes.labels[3] == "head 2, level 1, point 2"
        assert isinstance(attention, Attention)

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"locations": np.zeros((1, 1, 1, 2, 3))}, r"got \(1, 1, 1, 2, 3\)"),
            ({"shapes": [(1, 1), (2, 2)]}, r"of 1 levels; got 2"),
            ({"strides": [8], "width": 9, "height": 9}, "strides need input_size"),
        ],
    )
    def test_what_does_not_fit(self, options: dict[str, Any], message: str) -> None:
        fitting = {
            "locations": np.zeros((1, 1, 1, 2, 2)),
            "weights": np.zeros((1, 1, 1, 2)),
            "shapes": [(1, 1)],
        }
        with pytest.raises(ValueError, match=message):
            layouts.deformable(**{**fitting, **options})
