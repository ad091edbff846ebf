from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from attn_widget import Axis, Boxes, Patches, Tokens
from attn_widget.axes import word_runs

PHOTO = np.random.default_rng(0).integers(0, 256, (30, 40, 3), dtype=np.uint8)


def kinds(axis: Axis) -> list[str]:
    return [type(segment).__name__ for segment in axis.segments]


class TestTokens:
    def test_labels_are_kept_exactly(self) -> None:
        labels = [
            "",
            "a",
            "a",
            "<s>",
            "</script>",
            "שלום",
            "👩\u200d👧",
            "x" * 10_000,
            "\x00",
            "\ud800",
        ]
        tokens = Tokens(labels)
        assert tokens.labels == tuple(labels)
        assert len(tokens) == len(tokens.shown) == 10
        assert tokens.shown[-2:] == ("␀", r"\ud800")

    def test_special_is_recognised(self) -> None:
        assert Tokens(["[CLS]", "cls", "[SEP]", "[PAD]"]).special == (0, 2, 3)

    @pytest.mark.parametrize(
        ("special", "expected"),
        [((), ()), ([1], (1,)), ([-1, 0], (0, 3)), (["a"], (0, 2)), (["a", 0, 3], (0, 2, 3))],
    )
    def test_special_can_be_given(
        self, special: list[int | str], expected: tuple[int, ...]
    ) -> None:
        assert Tokens(["a", "[SEP]", "a", "b"], special=special).special == expected

    @pytest.mark.parametrize(
        ("special", "message"),
        [
            ([2], "special position 2 is out of range for 2 labels"),
            (["c"], "special label 'c' is not among the 2 labels"),
            ([1, 1], "special position 1 comes twice; if this is a mask"),
        ],
    )
    def test_special_that_does_not_fit(self, special: list[int | str], message: str) -> None:
        with pytest.raises(ValueError, match=message):
            Tokens(["a", "b"], special=special)

    def test_special_is_no_mask_and_no_string(self) -> None:
        with pytest.raises(TypeError, match="got a mask"):
            Tokens(["a", "b"], special=[True, False])
        with pytest.raises(TypeError, match="got the one string 'ab'"):
            Tokens(["a", "b"], special="ab")

    def test_words_are_derived_from_markers_only(self) -> None:
        assert Tokens(["[CLS]", "un", "##able", "[SEP]"]).words == (-1, 0, 0, -1)
        assert Tokens(["the", "cat"]).words is None

    def test_words_can_be_given_with_none(self) -> None:
        assert Tokens(["[CLS]", "a", "b"], words=[None, 0, 0]).words == (-1, 0, 0)

    def test_words_that_do_not_fit(self) -> None:
        with pytest.raises(ValueError, match="expected one word index a label, 2; got 1"):
            Tokens(["a", "b"], words=[0])
        with pytest.raises(ValueError, match=r"must be -1 \(no word\) or more; got -2"):
            Tokens(["a", "b"], words=[0, -2])

    def test_labels_must_be_strings(self) -> None:
        with pytest.raises(TypeError, match="must be strings; got int at position 1"):
            Tokens(["a", 7])  # type: ignore[list-item]
        with pytest.raises(TypeError, match="got the one string 'the cat'"):
            Tokens("the cat")

    def test_numpy_strings_become_plain_ones(self) -> None:
        assert [type(label) for label in Tokens(np.array(["a", "b"])).labels] == [str, str]

    def test_a_part_keeps_what_the_whole_revealed(self) -> None:
        tokens = Tokens(["<s>", "Ġcat", "âĢĻ", "s"])
        part = tokens.select([2, 0])
        assert part.labels == ("âĢĻ", "<s>")
        assert part.shown == ("’", "<s>")
        assert part.special == (1,)
        assert part.words == (0, -1)

    def test_equality(self) -> None:
        assert Tokens(["a", "b"]) == Tokens(["a", "b"])
        assert hash(Tokens(["a", "b"])) == hash(Tokens(["a", "b"]))
        assert Tokens(["a", "b"]) != Tokens(["a", "c"])
        assert Tokens(["a", "b"]) != Tokens(["a", "b"], special=[0])
        assert Tokens(["a", "b"]) != Tokens(["a", "b"], words=[0, 0])
        assert Tokens(["a"]) != Patches(1, 1)

    def test_repr_is_short(self) -> None:
        assert repr(Tokens(["a", "b", "c", "d"])) == "Tokens(4: 'a', 'b', 'c', …)"
        assert len(repr(Tokens(["x" * 10_000] * 100))) < 80


class TestPatches:
    def test_labels_count_from_one_row_by_row(self) -> None:
        patches = Patches(2, 3)
        assert patches.labels == (
            "row 1, column 1", "row 1, column 2", "row 1, column 3",
            "row 2, column 1", "row 2, column 2", "row 2, column 3",
        )  # fmt: skip
        assert len(patches) == 6
        assert patches.shown == patches.labels
        assert (patches.special, patches.words, patches.regions) == ((), None, None)

    def test_regions_cover_the_image(self) -> None:
        patches = Patches(2, 4, image=PHOTO)
        assert patches.region == (0, 0, 40, 30)
        regions = patches.regions
        assert regions is not None
        assert regions.dtype == np.float64
        assert regions[0].tolist() == [0, 0, 10, 15]
        assert regions[5].tolist() == [10, 15, 20, 30]

    @pytest.mark.parametrize(
        ("rows", "cols", "region", "position", "expected"),
        [
            # A 640×480 image: CLIP's centre crop sees x 80 … 560 only.
            (14, 14, (80, 0, 560, 480), 0, (80, 0, 80 + 480 / 14, 480 / 14)),
            # LLaVA-1.5 pads it to 640×640: rows 3 … 20 of 24 lie on the image.
            (24, 24, (0, -80, 640, 560), 3 * 24, (0, 0, 640 / 24, 640 / 24)),
            (24, 24, (0, -80, 640, 560), 20 * 24, (0, 640 * 20 / 24 - 80, 640 / 24, 480)),
            # DETR's 25×34 cells of 32 pixels reach 22 pixels beyond 1066.
            (25, 34, (0, 0, 1088, 800), 33, (1056, 0, 1088, 32)),
        ],
    )
    def test_region_of_real_layouts(
        self,
        rows: int,
        cols: int,
        region: tuple[float, ...],
        position: int,
        expected: tuple[float, ...],
    ) -> None:
        regions = Patches(rows, cols, region=region).regions
        assert regions is not None
        np.testing.assert_allclose(regions[position], expected, atol=1e-9)

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"order": "blocks"}, "order must be \"raster\" or the cell of .*; got 'blocks'"),
            ({"region": (0, 0, 1)}, "four finite numbers"),
            ({"region": (0, 0, np.nan, 1)}, "four finite numbers"),
            ({"region": (5, 0, 5, 1)}, "left < right"),
        ],
    )
    def test_options_that_are_not_possible(self, options: dict[str, object], message: str) -> None:
        with pytest.raises(ValueError, match=message):
            Patches(2, 2, **options)  # type: ignore[arg-type]

    def test_sizes_that_are_not_possible(self) -> None:
        with pytest.raises(ValueError, match="rows must be at least 1; got 0"):
            Patches(0, 2)
        with pytest.raises(TypeError):
            Patches(2, 2.0)  # type: ignore[arg-type]

    def test_a_part_still_knows_its_regions(self) -> None:
        patches = Patches(2, 2, image=PHOTO)
        part = patches.select([3, 0])
        assert part.cells.tolist() == [3, 0]
        assert part.regions is not None
        assert part.labels == ("row 2, column 2", "row 1, column 1")
        assert part.regions.tolist() == [[20, 15, 40, 30], [0, 0, 20, 15]]
        assert part.image is patches.image
        assert patches.select([0, 1, 2, 3]) is patches
        assert len(patches.select([])) == 0

    def test_a_part_without_regions_keeps_its_labels(self) -> None:
        part = Patches(2, 2).select([2])
        assert part.labels == ("row 2, column 1",)
        assert part.special == ()

    def test_equality(self) -> None:
        assert Patches(2, 2, image=PHOTO) == Patches(2, 2, image=PHOTO.copy())
        assert Patches(2, 2, image=PHOTO) != Patches(2, 2, image=255 - PHOTO)
        assert Patches(2, 2, image=PHOTO) != Patches(2, 2, region=(0, 0, 40, 30))
        assert Patches(2, 2) != Patches(1, 4)
        assert hash(Patches(2, 2)) == hash(Patches(2, 2))

    def test_repr(self) -> None:
        assert repr(Patches(2, 3, image=PHOTO)) == "Patches(2, 3, image 40×30)"


class TestBoxes:
    def test_regions_and_labels(self) -> None:
        boxes = Boxes([[0, 0, 10, 20], [5, 5, 5, 9]])
        assert boxes.regions.dtype == np.float64
        assert boxes.regions.tolist() == [[0, 0, 10, 20], [5, 5, 5, 9]]
        assert boxes.labels == ("box 1", "box 2")
        assert Boxes(np.zeros((1, 4)), labels=["cat\n"]).shown == ("cat⏎",)
        assert len(Boxes([])) == 0
        assert repr(boxes) == "Boxes(2: 'box 1', 'box 2')"

    @pytest.mark.parametrize(
        ("boxes", "labels", "message"),
        [
            ([1, 2, 3, 4], None, r"shape \(n, 4\).*; got \(4,\)"),
            ([[1, 2, 3]], None, r"got \(1, 3\)"),
            ([[0, 0, 1, 1], [2, 0, 1, 1]], None, "box 1 is"),
            ([[0, 0, np.inf, 1]], None, "box 0 is"),
            ([[0, 0, 1, 1]], ["a", "b"], "expected one label a box, 1; got 2"),
        ],
    )
    def test_boxes_that_are_not_possible(
        self, boxes: object, labels: list[str] | None, message: str
    ) -> None:
        with pytest.raises(ValueError, match=message):
            Boxes(boxes, labels=labels)

    def test_boxes_are_a_snapshot(self) -> None:
        mine = np.array([[0.0, 0, 1, 1]])
        boxes = Boxes(mine)
        mine[:] = 9
        assert boxes.regions.tolist() == [[0, 0, 1, 1]]

    def test_a_part(self) -> None:
        boxes = Boxes([[0, 0, 1, 1], [0, 0, 2, 2]], labels=["a", "b"], image=PHOTO)
        assert boxes.select([1]) == Boxes([[0, 0, 2, 2]], labels=["b"], image=PHOTO)


class TestAxis:
    def test_joins_its_segments(self) -> None:
        axis = Axis([Tokens(["[CLS]"]), Patches(1, 2), Tokens(["a", "[SEP]"])])
        assert len(axis) == 5
        assert axis.labels == ("[CLS]", "row 1, column 1", "row 1, column 2", "a", "[SEP]")
        assert axis.shown == axis.labels
        assert axis.special == (0, 4)
        assert axis.words is None
        assert axis.starts == (0, 1, 3, 5)

    def test_words_never_run_across_segments(self) -> None:
        axis = Axis([Tokens(["un", "##able"]), Patches(1, 1), Tokens(["b", "c"], words=[0, 0])])
        assert axis.words == (0, 0, -1, 1, 1)
        assert word_runs(axis) == [range(2), range(2, 3), range(3, 5)]

    def test_a_word_index_that_comes_back_is_another_word(self) -> None:
        pair = Axis([Tokens(["a", "b", "[SEP]", "c", "d"], words=[0, 0, None, 0, 0])])
        assert word_runs(pair) == [range(2), range(2, 3), range(3, 5)]

    @pytest.mark.parametrize(
        "value",
        [["a", "b"], ("a", "b"), Tokens(["a", "b"]), [Tokens(["a"]), Tokens(["b"])],
         Axis([Tokens(["a", "b"])]), np.array(["a", "b"]), iter(["a", "b"])],
    )  # fmt: skip
    def test_of_anything_that_labels(self, value: object) -> None:
        assert Axis.of(value, 2, "keys").labels == ("a", "b")

    def test_of_nothing_counts_positions(self) -> None:
        assert Axis.of(None, 3, "keys").labels == ("0", "1", "2")
        assert Axis.of(None, 0, "keys").labels == ()
        assert Axis.of([], 0, "keys").labels == ()

    def test_of_an_axis_is_the_axis(self) -> None:
        axis = Axis([Tokens(["a"])])
        assert Axis.of(axis, 1, "keys") is axis

    def test_length_must_fit(self) -> None:
        with pytest.raises(
            ValueError, match="queries must have 3 labels to fit the weights; got 2"
        ):
            Axis.of(["a", "b"], 3, "queries")

    @pytest.mark.parametrize(
        ("value", "message"),
        [
            ("ab", "keys must be a list of strings.*; got str"),
            (b"ab", "got bytes"),
            (7, "got int"),
            ([1, 2], "keys must be strings or segments; got int at position 0"),
            (["a", Tokens(["b"])], "keys must be all strings or all segments"),
        ],
    )
    def test_what_does_not_label(self, value: object, message: str) -> None:
        with pytest.raises(TypeError, match=message):
            Axis.of(value, 2, "keys")
        with pytest.raises(TypeError, match="got str"):
            Axis(["a"])  # type: ignore[list-item]

    def test_patches_of_several_images_are_told_apart(self) -> None:
        other = 255 - PHOTO
        axis = Axis([Tokens(["a"]), Patches(1, 2, image=PHOTO), Patches(1, 1, image=other)])
        assert axis.labels == (
            "a",
            "image 1, row 1, column 1",
            "image 1, row 1, column 2",
            "image 2, row 1, column 1",
        )
        assert axis.select([3, 0]).labels == ("image 2, row 1, column 1", "a")
        assert axis == Axis(axis.segments)
        same = Axis([Patches(1, 1, image=PHOTO), Patches(1, 1, image=PHOTO.copy())])
        assert same.labels == ("row 1, column 1",) * 2
        left = Axis([Patches(1, 1, image=PHOTO, name="left"), Patches(1, 1, image=other)])
        assert left.labels == ("left, row 1, column 1", "row 1, column 1")

    def test_select_keeps_kinds(self) -> None:
        axis = Axis([Tokens(["[CLS]", "a"]), Patches(1, 2, image=PHOTO), Tokens(["b"])])
        part = axis.select([0, 2, 3, 4])
        assert kinds(part) == ["Tokens", "Patches", "Tokens"]
        assert part.special == (0,)
        mixed = axis.select([3, 0, 2])
        assert kinds(mixed) == ["Patches", "Tokens", "Patches"]
        assert axis.select(range(5)) is axis
        assert len(axis.select([])) == 0

    @given(st.data())
    def test_select_picks_labels_special_and_regions(self, data: st.DataObject) -> None:
        axis = Axis(
            [Tokens(["[CLS]", "un", "##able"]), Patches(2, 2, image=PHOTO), Tokens(["[SEP]", "e"])]
        )
        picks = data.draw(st.lists(st.integers(0, len(axis) - 1)))
        part = axis.select(picks)
        assert part.labels == tuple(axis.labels[pick] for pick in picks)
        assert part.shown == tuple(axis.shown[pick] for pick in picks)
        assert [pick in axis.special for pick in picks] == [
            place in part.special for place in range(len(picks))
        ]

    def test_equality_and_repr(self) -> None:
        assert Axis([Tokens(["a"])]) == Axis([Tokens(["a"])])
        assert hash(Axis([Tokens(["a"])])) == hash(Axis([Tokens(["a"])]))
        assert Axis([Tokens(["a"])]) != Axis([Tokens(["b"])])
        assert Axis([Tokens(["a"])]) != "a"
        assert repr(Axis([Tokens(["a"]), Patches(2, 2)])) == "Axis(Tokens(1: 'a'), Patches(2, 2))"
