"""Maps made from maps: fused, compared, cut, chained, imported; and the record of how."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

import attn_widget as aw
from attn_widget.made import Made
from attn_widget.methods.diffusion import resized
from counted import CountedArray

Rows = Callable[..., NDArray[np.float32]]
NAN = np.nan


class TestFused:
    @pytest.mark.parametrize(
        ("method", "expected"),
        [
            (aw.methods.mean, np.mean),
            (aw.methods.maximum, np.max),
            (aw.methods.minimum, np.min),
        ],
    )
    def test_over_heads_and_over_layers(self, rows: Rows, method: Any, expected: Any) -> None:
        weights = rows(2, 3, 4, 5)
        heads, layers = method(weights), method(weights, over="layers")
        assert heads.shape == (2, 1, 4, 5)
        assert layers.shape == (1, 3, 4, 5)
        np.testing.assert_allclose(heads, expected(weights, axis=1, keepdims=True), rtol=1e-6)
        np.testing.assert_allclose(layers, expected(weights, axis=0, keepdims=True), rtol=1e-6)
        np.testing.assert_allclose(heads[1, 0, 2:, 1:3], np.asarray(heads)[1, 0, 2:, 1:3])

    def test_the_mean_lies_between(self, rows: Rows) -> None:
        weights = rows(2, 3, 4, 5)
        least, mean, most = (
            np.asarray(method(weights))
            for method in (aw.methods.minimum, aw.methods.mean, aw.methods.maximum)
        )
        assert (least <= mean + 1e-7).all()
        assert (mean <= most + 1e-7).all()
        np.testing.assert_allclose(mean.sum(axis=-1), 1, rtol=1e-6)

    def test_missing_weights_are_left_out(self) -> None:
        weights = np.array([[[0.25, NAN]], [[0.75, NAN]], [[NAN, NAN]]])
        np.testing.assert_array_equal(aw.methods.mean(weights)[0, 0], [[0.5, NAN]])
        np.testing.assert_array_equal(aw.methods.maximum(weights)[0, 0], [[0.75, NAN]])
        np.testing.assert_array_equal(aw.methods.minimum(weights)[0, 0], [[0.25, NAN]])

    def test_one_part_of_one_layer_is_read(self, rows: Rows) -> None:
        array = CountedArray(rows(2, 3, 4, 5))
        found = aw.methods.mean(array)
        found[1, 0, 2]
        assert array.numbers_read == 3 * 5

    def test_says_where_rows_no_longer_sum_to_one(self, rows: Rows) -> None:
        att = aw.Attention(rows(2, 3, 4, 5), name="encoder")
        assert aw.methods.mean(att).made[-1].notes == ()
        found = aw.methods.maximum(att)
        assert found.made[-1].notes == ("rows no longer sum to 1",)
        assert found.name == "maximum over heads of encoder"

    def test_what_can_be_fused(self, rows: Rows) -> None:
        with pytest.raises(ValueError, match="over must be one of heads, layers; got 'queries'"):
            aw.methods.mean(rows(2, 3, 4, 5), over="queries")


class TestRelative:
    def test_golden(self) -> None:
        found = aw.methods.relative([[0.5, 0.3, 0.2]], [[0.5, 0.1, 0.4]])
        np.testing.assert_allclose(found[0, 0], [[1, 3, 0.5]], rtol=1e-6)
        assert found.kind == "relevance"

    def test_the_same_prompt_is_ones_also_where_there_is_nothing(self) -> None:
        weights = np.array([[0.6, 0.4, 0.0], [0.0, 1.0, 0.0]])
        np.testing.assert_array_equal(aw.methods.relative(weights, weights)[0, 0], 1)

    def test_nothing_is_divided_by_nothing(self) -> None:
        found = aw.methods.relative([[0.5, 0.5, 0.0]], [[1.0, 0.0, 0.0]], floor=1e-3)
        np.testing.assert_allclose(found[0, 0], [[0.5, 500, 1]], rtol=1e-6)
        with pytest.raises(ValueError, match="floor must be above 0"):
            aw.methods.relative([[0.5]], [[0.5]], floor=0)

    def test_to_the_mean_over_queries(self, rows: Rows) -> None:
        weights = rows(2, 3, 4, 5)
        found = aw.methods.relative(weights)
        expected = weights / weights.mean(axis=2, keepdims=True)
        np.testing.assert_allclose(found, expected, rtol=1e-5)
        np.testing.assert_allclose(found[1, 2, 1:3, 2:], expected[1, 2, 1:3, 2:], rtol=1e-5)

    def test_a_reference_of_another_length(self, rows: Rows) -> None:
        with pytest.raises(
            ValueError, match=r"reference must have the shape of the map, \(1, 1, 2"
        ):
            aw.methods.relative(rows(2, 2), rows(3, 3))


class TestDifference:
    def test_cell_by_cell_with_its_signs(self, rows: Rows) -> None:
        one, two = rows(2, 3, 4, 5), rows(2, 3, 4, 5, seed=1)
        found = aw.methods.difference(
            aw.Attention(one, name="after"), aw.Attention(two, name="before")
        )
        np.testing.assert_array_equal(np.asarray(found), one - two)
        assert found.kind == "difference"
        assert found.name == "difference to before of after"

    def test_other_labels_are_told(self, rows: Rows) -> None:
        one = aw.Attention(rows(2, 2), ["he", "ran"])
        two = aw.Attention(rows(2, 2), ["she", "ran"])
        (made,) = aw.methods.difference(one, two).made
        assert made.notes == ("the labels of the two maps differ; these are those of the first",)
        norms = aw.Attention(rows(2, 2), ["he", "ran"], kind="norm")
        assert aw.methods.difference(one, norms).made[-1].notes == ("weight minus norm",)


def mixed_axes() -> aw.Attention:
    weights = np.random.default_rng(0).dirichlet(np.ones(7), (2, 2, 7))
    tokens = aw.Tokens(["[CLS]", "red", "car", "[SEP]"])
    return aw.Attention(weights, [tokens, aw.Patches(1, 3)], name="encoder")


class TestDroppedPositions:
    def test_rows_sum_to_one_again(self) -> None:
        whole = mixed_axes()
        found = aw.methods.drop_positions(whole)
        assert found.shape == (2, 2, 5, 5)
        assert found.queries.labels[:3] == ("red", "car", "row 1, column 1")
        assert found.keys is found.queries
        kept = np.asarray(whole)[..., [1, 2, 4, 5, 6], :][..., [1, 2, 4, 5, 6]]
        np.testing.assert_allclose(found, kept / kept.sum(axis=-1, keepdims=True), rtol=1e-5)
        np.testing.assert_allclose(found[1, 0, 2, 1:3], np.asarray(found)[1, 0, 2, 1:3])
        raw = aw.methods.drop_positions(whole, renormalise=False)
        np.testing.assert_array_equal(np.asarray(raw), kept)

    def test_it_states_the_mass_it_took(self) -> None:
        whole = mixed_axes()
        gone = np.asarray(whole)[..., [1, 2, 4, 5, 6], :][..., [0, 3]].sum(axis=-1).mean(axis=-1)
        np.testing.assert_allclose(aw.methods.removed_mass(whole), gone, rtol=1e-5)
        (made,) = aw.methods.drop_positions(whole).made
        assert made.notes == (f"removed mass {gone.mean():.2f}",)

    def test_of_large_maps_it_is_measured_on_some_queries(
        self, rows: Rows, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from attn_widget.methods import positions

        monkeypatch.setattr(positions, "MEASURED", 3 * 2 * 10 * 4)
        array = CountedArray(rows(3, 2, 10, 10))
        found = aw.methods.drop_positions(array, [0])
        assert array.asked == []
        assert found.made[-1].notes[0].endswith("(of 3 of 9 queries)")
        assert array.numbers_read < 3 * 2 * 10 * 10

    def test_keys_alone_go_on_asking_what_dropped_positions_attend_to(self) -> None:
        found = aw.methods.drop_positions(mixed_axes(), side="keys")
        assert found.shape == (2, 2, 7, 5)
        assert found.queries.labels[0] == "[CLS]"
        np.testing.assert_allclose(np.asarray(found).sum(axis=-1), 1, rtol=1e-5)

    def test_queries_alone_change_no_row(self) -> None:
        whole = mixed_axes()
        found = aw.methods.drop_positions(whole, ["car", -1], side="queries")
        assert found.queries.labels == ("[CLS]", "red", "[SEP]", *whole.queries.labels[4:6])
        np.testing.assert_array_equal(np.asarray(found), np.asarray(whole)[:, :, [0, 1, 3, 4, 5]])
        assert found.made[-1].notes == ()

    def test_a_row_of_which_nothing_is_left(self) -> None:
        found = aw.methods.drop_positions([[1.0, 0, 0], [0, 0.5, 0.5], [0.5, 0.5, 0]], [0])
        np.testing.assert_array_equal(found[0, 0], [[0.5, 0.5], [1, 0]])
        nothing = aw.methods.drop_positions([[1.0, 0, 0]], [0], side="keys")
        np.testing.assert_array_equal(nothing[0, 0], [[0, 0]])

    def test_labels_stand_for_all_that_bear_them(self, rows: Rows) -> None:
        att = aw.Attention(rows(3, 3), ["the", "cat", "the"])
        assert aw.methods.drop_positions(att, ["the"]).queries.labels == ("cat",)

    def test_on_two_sides_of_different_positions(self, rows: Rows) -> None:
        att = aw.Attention(rows(3, 2), ["le", "chat", "</s>"], ["the", "cat"])
        assert aw.methods.drop_positions(att).shape == (1, 1, 2, 2)
        with pytest.raises(ValueError, match="say side='queries' or side='keys'"):
            aw.methods.drop_positions(att, [0])
        assert aw.methods.drop_positions(att, [0], side="keys").shape == (1, 1, 3, 1)

    @pytest.mark.parametrize(
        ("positions", "error", "message"),
        [
            ("sinks", ValueError, "positions must be one of special; got 'sinks'"),
            ("special", ValueError, "there are no special tokens to drop"),
            ([], ValueError, "there are no positions to drop"),
            ([3], ValueError, "positions: 3 is out of range for 3 positions"),
            (["dog"], ValueError, "positions: no position is labelled 'dog'"),
            ([True], TypeError, "positions must be numbers or labels; got True"),
        ],
    )
    def test_what_cannot_be_dropped(
        self, rows: Rows, positions: Any, error: type[Exception], message: str
    ) -> None:
        with pytest.raises(error, match=message):
            aw.methods.drop_positions(aw.Attention(rows(3, 3), ["a", "b", "c"]), positions)

    def test_scores_sum_to_nothing(self, rows: Rows) -> None:
        scores = aw.Attention(rows(3, 3), kind="score")
        with pytest.raises(ValueError, match="use renormalise=False"):
            aw.methods.drop_positions(scores, [0])
        assert aw.methods.drop_positions(scores, [0], renormalise=False).kind == "score"


class TestChained:
    def test_rows_sum_to_the_image_mass(self, rows: Rows) -> None:
        text = aw.Attention(rows(2, 3, 4, 9), None, [aw.Tokens(["a", "b", "c"]), aw.Patches(2, 3)])
        vision = rows(2, 2, 6, 6, seed=1)
        found = aw.methods.chained(text, aw.Attention(vision, aw.Patches(2, 3)))
        assert found.shape == (2, 3, 4, 6)
        expected = np.asarray(text)[..., 3:] @ vision[-1].mean(axis=0)
        np.testing.assert_allclose(found, expected, rtol=1e-5)
        np.testing.assert_allclose(found[1, 2, 1:3, 2:4], expected[1, 2, 1:3, 2:4], rtol=1e-5)
        mass = np.asarray(text)[..., 3:].sum(axis=-1)
        np.testing.assert_allclose(np.asarray(found).sum(axis=-1), mass, rtol=1e-5)

    def test_vision_that_looks_at_itself_changes_nothing(self, rows: Rows) -> None:
        text = rows(2, 3, 4, 5)
        found = aw.methods.chained(text, np.eye(2), positions=[1, 3])
        np.testing.assert_array_equal(np.asarray(found), text[..., [1, 3]])

    def test_features_that_are_not_those_of_the_vision_model(self, rows: Rows) -> None:
        text = aw.Attention(rows(4, 9), None, [aw.Tokens(["a", "b", "c"]), aw.Patches(2, 3)])
        with pytest.raises(ValueError, match="got 6 and 7: say which"):
            aw.methods.chained(text, rows(7, 7))


class TestImported:
    def test_scores_are_as_they_were(self, rows: Rows) -> None:
        scores = rows(2, 3, 4, 5)
        found = aw.methods.imported(scores, source="AttnLRP")
        np.testing.assert_array_equal(np.asarray(found), scores)
        assert (found.kind, found.name) == ("relevance", "AttnLRP")
        (made,) = found.made
        assert str(made) == "imported(source='AttnLRP'): computed elsewhere"

    def test_one_row_of_scores(self) -> None:
        found = aw.methods.imported(
            np.array([0.1, -0.4, 0.3]),
            ["positive"],
            ["not", "bad", "!"],
            source="integrated gradients",
            kind="difference",
            name="IG",
        )
        assert found.shape == (1, 1, 1, 3)
        assert found.queries.labels == ("positive",)
        assert (found.kind, found.name) == ("difference", "IG")
        unnamed = aw.methods.imported(np.zeros(3), source="DecompX")
        assert unnamed.queries.labels == ("DecompX",)

    def test_who_computed_them_must_be_said(self) -> None:
        with pytest.raises(ValueError, match="source must name the method"):
            aw.methods.imported(np.zeros((2, 2)), source=" ")
        with pytest.raises(ValueError, match="kind must be one of weight, score"):
            aw.methods.imported(np.zeros((2, 2)), source="x", kind="saliency")


class TestDiffusion:
    def cross(self, rows: int, cols: int, tokens: int = 3, seed: int = 0) -> aw.Attention:
        drawn = np.random.default_rng(seed).dirichlet(np.ones(tokens), (2, 2, rows * cols))
        return aw.Attention(drawn, aw.Patches(rows, cols), list("abcdef"[:tokens]))

    def test_a_constant_map_stays_constant(self) -> None:
        maps = [
            aw.Attention(np.full((1, 2, rows * cols, 3), 1 / 3), aw.Patches(rows, cols))
            for rows, cols in ((2, 3), (4, 6), (8, 12))
        ]
        found = aw.methods.daam(maps)
        assert found.shape == (1, 1, 96, 3)
        np.testing.assert_allclose(found, 1 / 3, rtol=1e-6)
        summed = aw.methods.daam(maps, combine="sum")
        np.testing.assert_allclose(summed, 6 / 3, rtol=1e-6)

    def test_two_scales_agree_on_where(self) -> None:
        """One place that glows, at the same place of two grids, keeps its centre."""
        coarse, fine = np.zeros((1, 1, 16, 1)), np.zeros((1, 1, 256, 1))
        coarse[0, 0, 1 * 4 + 2] = 1
        for row in range(4, 8):
            fine[0, 0, row * 16 + 8 : row * 16 + 12] = 1
        maps = [
            aw.Attention(coarse, aw.Patches(4, 4), ["car"]),
            aw.Attention(fine, aw.Patches(16, 16), ["car"]),
        ]
        heat = aw.methods.daam(maps)[0, 0, :, 0].reshape(16, 16)
        row, column = (np.indices((16, 16)) * heat).sum(axis=(1, 2)) / heat.sum()
        assert row == pytest.approx(5.5, abs=0.05)
        assert column == pytest.approx(9.5, abs=0.05)
        assert heat.min() >= 0

    @pytest.mark.parametrize(("before", "after"), [(4, 16), (7, 13), (16, 4), (1, 3), (5, 5)])
    def test_interpolation_is_that_of_torch(self, before: int, after: int) -> None:
        torch = pytest.importorskip("torch")
        values = np.random.default_rng(0).random((before, before))
        matrix = resized(before, after)
        expected = torch.nn.functional.interpolate(
            torch.tensor(values)[None, None], size=(after, after), mode="bicubic"
        )[0, 0].numpy()
        np.testing.assert_allclose(matrix @ values @ matrix.T, expected, atol=1e-12)

    def test_words_are_the_mean_of_their_tokens(self) -> None:
        att = self.cross(2, 2)
        labelled = aw.Attention(att.source, att.queries, aw.Tokens(["un", "##real", "car"]))
        tokens, words = (aw.methods.daam([labelled], words=asked) for asked in (False, True))
        assert words.keys.labels == ("unreal", "car")
        heat = np.asarray(tokens)[0, 0]
        expected = np.stack([heat[:, :2].mean(axis=1), heat[:, 2]], axis=1)
        np.testing.assert_allclose(words[0, 0], expected, rtol=1e-6)

    def test_what_cannot_be_put_together(self, rows: Rows) -> None:
        with pytest.raises(ValueError, match="daam needs at least one map"):
            aw.methods.daam([])
        with pytest.raises(ValueError, match="the same tokens; got 3 and 2"):
            aw.methods.daam([self.cross(2, 2), self.cross(2, 2, tokens=2)])
        with pytest.raises(ValueError, match=r"must be one grid .* got Tokens"):
            aw.methods.daam([rows(4, 2)])
        with pytest.raises(ValueError, match="combine must be 'mean' or 'sum'"):
            aw.methods.daam([self.cross(2, 2)], combine="max")


class TestRecord:
    def found(self) -> aw.Attention:
        att = aw.Attention(np.full((2, 2, 3, 3), 1 / 3), ["[CLS]", "un", "##like"], name="encoder")
        return aw.methods.drop_positions(aw.methods.rollout(aw.methods.merge_words(att)))

    def test_it_follows_the_map_on_its_way(self) -> None:
        found = self.found()
        assert [made.method for made in found.made] == ["merge_words", "rollout", "drop_positions"]
        assert found.made[1].of == "encoder"
        assert found.made[1].settings["residual"] == 0.5
        assert found.name == "part of rollout of encoder"
        assert found.select(queries=0).made == found.made

    def test_it_is_shown(self) -> None:
        assert repr(self.found()).endswith(
            "relevance, float32, made by merge_words() · rollout(residual=0.5, heads='mean', "
            "start_layer=0, discard=0.0) · drop_positions(positions='special', "
            "renormalise=True, side='both'))"
        )
        assert str(self.found().made[-1]) == (
            "drop_positions(positions='special', renormalise=True, side='both') of rollout of "
            "encoder: removed mass 0.25"
        )

    def test_it_is_kept_in_a_file(self, tmp_path: Path) -> None:
        found = self.found()
        found.save(tmp_path / "map.npz")
        loaded = aw.Attention.load(tmp_path / "map.npz")
        assert loaded.made == found.made
        assert [made.notes for made in loaded.made] == [made.notes for made in found.made]
        np.testing.assert_array_equal(np.asarray(loaded), np.asarray(found))

    def test_a_view_of_it_keeps_it(self) -> None:
        from attn_widget.apart import asking, set_aside

        found = self.found()
        assert asking(set_aside(found, [0])).made == found.made

    @given(st.text(max_size=4), st.lists(st.text(max_size=4), max_size=2))
    def test_a_record_comes_back_as_it_was(self, text: str, notes: list[str]) -> None:
        made = Made(text, text, {"a": 0.5, "b": (1, (text, None)), "c": True}, notes)
        assert Made.of_record(made.record()) == made
        assert hash(Made.of_record(made.record())) == hash(made)
        assert made != Made(text, text, {}, notes)
        assert made != text

    def test_notes_are_measured_once(self) -> None:
        asked: list[int] = []

        def measured() -> list[str]:
            asked.append(1)
            return ["measured"]

        made = Made("method", notes=measured)
        repr(made)
        assert asked == []
        assert made.notes == made.notes == ("measured",)
        assert asked == [1]
