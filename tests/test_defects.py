"""Defects of tools that show attention on images, each as a test that ours does not have it."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

import attn_widget as aw
from attn_widget.content import describe
from attn_widget.evidence import saliency
from attn_widget.figure.overlay_scene import read_overlay
from attn_widget.panels import panels_of, roles_of
from attn_widget.selection import OverlayState

ROWS, COLS = 3, 5
WIDTH, HEIGHT = 640, 480
WIDE = Image.new("RGB", (WIDTH, HEIGHT))
"""A Pillow image, whose size is (width, height); NumPy's shape of it is (height, width, 3)."""
TEXT = ["[CLS]", "red", "car", "[SEP]"]


def random_weights(*shape: int, seed: int = 0) -> NDArray[np.float32]:
    weights = np.random.default_rng(seed).random(shape).astype(np.float32)
    return np.asarray(weights / weights.sum(axis=-1, keepdims=True))


def mixed(layers: int = 2, heads: int = 3) -> aw.Attention:
    """Text and patches on one axis that both sides share."""
    length = len(TEXT) + ROWS * COLS
    axis = [aw.Tokens(TEXT), aw.Patches(ROWS, COLS, image=WIDE)]
    return aw.Attention(random_weights(layers, heads, length, length), axis)


def pointing_at(cell: int) -> aw.Attention:
    """A word all of whose weight is on one patch."""
    weights = np.zeros((1, ROWS * COLS))
    weights[0, cell] = 1
    return aw.Attention(weights, ["word"], [aw.Patches(ROWS, COLS, image=WIDE)])


class TestHeightAndWidth:
    """Pillow's size taken for a shape: maps of 640 × 480 where 480 × 640 was meant."""

    def test_saliency_has_the_shape_of_the_image(self) -> None:
        painted = saliency(pointing_at(0), 0)
        assert painted.shape == (HEIGHT, WIDTH) == np.asarray(WIDE).shape[:2]

    def test_a_cell_takes_its_width_from_the_width(self) -> None:
        painted = saliency(pointing_at(1), 0)
        rows, columns = np.nonzero(painted)
        assert (columns.min(), columns.max() + 1) == (WIDTH // COLS, 2 * WIDTH // COLS)
        assert (rows.min(), rows.max() + 1) == (0, HEIGHT // ROWS)

    def test_the_page_is_told_width_and_height_by_name(self) -> None:
        content = describe(pointing_at(0), 1, ["map"], 1)
        assert [*content["images"].values()] == [{"width": WIDTH, "height": HEIGHT}]
        (part,) = content["keys"]["parts"]
        assert (part["rows"], part["cols"]) == (ROWS, COLS)
        assert part["region"] == [0, 0, WIDTH, HEIGHT]

    def test_a_picture_has_the_aspect_of_the_image(self) -> None:
        (panel,) = panels_of(pointing_at(0))
        assert panel.size == (WIDTH, HEIGHT)
        assert panel.extent == (0, 0, WIDTH, HEIGHT)

    def test_a_mask_of_the_wrong_way_round_is_refused(self) -> None:
        mask = np.ones(WIDE.size, dtype=bool)
        with pytest.raises(ValueError, match=r"one of them is \(width, height\)"):
            aw.evidence.pointing_game(saliency(pointing_at(0), 0), mask)


class TestOrigin:
    """Pictures flipped by an origin at the bottom left."""

    def test_the_first_patch_is_at_the_top_left(self) -> None:
        painted = saliency(pointing_at(0), 0)
        assert painted[0, 0] == 1
        assert painted[-1, 0] == painted[0, -1] == painted[-1, -1] == 0

    def test_the_last_patch_is_at_the_bottom_right(self) -> None:
        assert saliency(pointing_at(ROWS * COLS - 1), 0)[-1, -1] == 1

    def test_the_scene_of_a_picture_agrees(self) -> None:
        scene = read_overlay(pointing_at(COLS), OverlayState(heads=(0,), pinned_queries=(0,)))
        left, top, right, bottom = scene.rects[int(np.nanargmax(scene.mean))]
        assert (left, top) == (0, HEIGHT / ROWS)
        assert (right, bottom) == (WIDTH / COLS, 2 * HEIGHT / ROWS)
        assert scene.axis.labels[scene.account.strongest] == "row 2, column 1"


class TestDroppedTokens:
    """Special tokens dropped, then text told from image by where the border was before."""

    def test_dropping_them_moves_no_patch(self) -> None:
        whole = mixed()
        kept = [place for place in range(19) if place not in whole.keys.special]
        part = whole.select(keys=kept, queries=kept)
        assert part.keys.labels[:3] == ("red", "car", "row 1, column 1")
        np.testing.assert_array_equal(saliency(part, 0), saliency(whole, 1))
        roles = ["text", "text", *["image"] * (ROWS * COLS)]
        assert list(roles_of(part.keys)) == roles

    def test_dropping_them_loses_no_weight_of_the_image(self) -> None:
        whole = mixed()
        part = whole.select(keys=range(1, 19))
        on_image = np.array([role == "image" for role in roles_of(part.keys)])
        np.testing.assert_array_equal(part[0, 0][:, on_image], whole[0, 0][:, len(TEXT) :])

    def test_some_patches_stay_where_they_are(self) -> None:
        whole = mixed()
        chosen = [17, 5, 9]
        part = whole.select(keys=chosen)
        np.testing.assert_array_equal(part.keys.regions, whole.keys.regions[chosen])
        here = np.isfinite(saliency(part, 2))
        np.testing.assert_array_equal(saliency(part, 2)[here], saliency(whole, 2)[here])

    def test_merging_words_before_the_image_moves_no_patch(self) -> None:
        tokens = aw.Tokens(["un", "##likely", "car"], words=[0, 0, 1])
        axis = [tokens, aw.Patches(ROWS, COLS, image=WIDE)]
        whole = aw.Attention(random_weights(1, 1, 18, 18), axis)
        merged = aw.methods.merge_words(whole)
        assert merged.keys.labels[:3] == ("unlikely", "car", "row 1, column 1")
        np.testing.assert_allclose(saliency(merged, 1), saliency(whole, 2))
        np.testing.assert_array_equal(merged.keys.regions[2:], whole.keys.regions[3:])

    def test_special_tokens_are_set_aside_in_every_row(self) -> None:
        """Not in the first row or cell alone, and with rows divided by their own sums."""
        whole = mixed()
        view = aw.overlay(whole, special="renormalise", pinned_queries=range(19), heads=1)
        sums = np.zeros(19)
        for row in view.selection():
            assert row.key not in whole.keys.special
            sums[row.query] += row.weight
        np.testing.assert_allclose(sums, 1, atol=1e-6)


class TestRepeatedWords:
    """Tokens looked up by their text, so that a word that comes twice is the last one only."""

    WORDS = ("a", "red", "star", "right", "of", "a", "black", "star", "</s>")

    def test_each_has_its_own_row(self) -> None:
        caption = aw.samples.captioning(6)
        assert caption.queries.labels == self.WORDS
        rows = aw.overlay(caption, pinned_queries=(2, 7)).selection()
        for query in (2, 7):
            weights = np.zeros(64)
            for row in rows:
                if row.query == query:
                    weights[row.key] = row.weight
            np.testing.assert_allclose(weights, caption[0, 0, query], atol=1e-7)
        assert not np.allclose(caption[0, 0, 2], caption[0, 0, 7], atol=0.3)
        assert {row.query_label for row in rows} == {"star"}

    def test_each_points_at_its_own_thing(self) -> None:
        caption = aw.samples.captioning(6)
        truths = {truth.query: truth.mask for truth in aw.samples.captioning_truth(6)}
        for own, other in ((2, 7), (7, 2)):
            painted = saliency(caption, own)
            assert aw.evidence.pointing_game(painted, truths[own], tolerance=4)
            assert not aw.evidence.pointing_game(painted, truths[other], tolerance=4)

    def test_no_word_is_lost_in_merging_the_last_one_neither(self) -> None:
        tokens = aw.Tokens(["▁the", "▁c", "ar", "▁the", "▁c", "ar"])
        patches = aw.Patches(1, 2, image=WIDE)
        map = aw.Attention(random_weights(6, 8), tokens, [tokens, patches])
        merged = aw.methods.merge_words(map)
        assert merged.queries.shown == ("the", "car", "the", "car")
        assert merged.keys.shown[:4] == ("the", "car", "the", "car")
        assert merged.shape == (1, 1, 4, 6)


class TestStretchedGrids:
    """A grid whose cells reach beyond the image, stretched to fit it."""

    def test_cells_keep_the_stride_of_the_model(self) -> None:
        image = np.zeros((800, 1066, 3), dtype=np.uint8)
        (patches,) = aw.layouts.detr(image, count=850)
        assert isinstance(patches, aw.Patches)
        assert (patches.rows, patches.cols) == (25, 34)
        assert patches.region == (0, 0, 1088, 800)
        last = np.zeros((1, 850))
        last[0, 33] = 1
        painted = saliency(aw.Attention(last, ["query"], [patches]), 0)
        (columns,) = np.nonzero(painted[0])
        assert (columns.min(), columns.max()) == (33 * 32, 1065)

    def test_a_crop_is_not_stretched_over_what_was_cut_off(self) -> None:
        patches = aw.Patches(2, 2, image=WIDE, region=(80, 0, 560, 480))
        painted = saliency(aw.Attention([[1.0, 0, 0, 0]], ["word"], [patches]), 0)
        assert np.isnan(painted[:, :80]).all()
        assert np.isnan(painted[:, 560:]).all()
        assert (painted[:240, 80:320] == 1).all()

    def test_a_missing_register_is_not_guessed_away(self) -> None:
        """The side of the grid as the root of the length: 29 × 29 + 4 is no square."""
        with pytest.raises(ValueError, match=r"1 \+ 4 \+ 29·29 = 846 positions, got 845"):
            aw.layouts.vit(WIDE, input_size=(416, 416), patch=14, registers=4, count=845)


class TestQueriesAndKeys:
    """Who attends to a place, shown as what the place attends to."""

    def test_a_pinned_query_shows_its_row_and_a_pinned_key_its_column(self) -> None:
        map = mixed(1, 1)
        weights = map[0, 0]
        assert not np.allclose(weights, weights.T, atol=1e-3)
        row = OverlayState(heads=(0,), pinned_queries=(6,))
        column = OverlayState(heads=(0,), pinned_keys=(6,))
        for state, expected in ((row, weights[6]), (column, weights[:, 6])):
            np.testing.assert_allclose(read_overlay(map, state).mean, expected, atol=1e-7)
            pins = {"pinned_queries": state.pinned_queries, "pinned_keys": state.pinned_keys}
            rows = aw.overlay(map, **pins).selection()
            np.testing.assert_allclose([each.weight for each in rows], expected, atol=1e-7)

    def test_saliency_is_of_what_a_query_attends_to(self) -> None:
        map = mixed(1, 1)
        painted = saliency(map, 6)
        assert painted[0, 0] == pytest.approx(map[0, 0, 6, len(TEXT)])
        assert painted[-1, -1] == pytest.approx(map[0, 0, 6, -1])


class TestLayersAndHeads:
    """A mean "over heads" taken over layers, or over another head's weights."""

    def test_the_mean_of_a_layer_is_over_its_heads(self) -> None:
        map = mixed(layers=2, heads=3)
        expected = np.asarray(map)[1].mean(axis=0)
        rows = aw.overlay(map, layer=1, pinned_queries=5).selection()
        np.testing.assert_allclose([row.weight for row in rows], expected[5], rtol=1e-5)
        assert {row.head for row in rows} == {"mean"}
        painted = saliency(map, 5, layer=1)
        assert painted[0, 0] == pytest.approx(expected[5, len(TEXT)])
        scene = read_overlay(map, OverlayState(layer=1, heads=(0, 1, 2), pinned_queries=(5,)))
        np.testing.assert_allclose(scene.mean, expected[5], rtol=1e-5)

    def test_the_entry_of_a_batch_is_chosen_and_never_assumed(self) -> None:
        batch = np.stack([random_weights(2, 4, 15, seed=1), random_weights(2, 4, 15, seed=2)])[None]
        keys = [aw.Patches(ROWS, COLS, image=WIDE)]
        second = aw.Attention(list(batch[0][None]), None, keys, batch=1)
        painted = saliency(second, 3, head=1)
        assert painted[0, 0] == pytest.approx(batch[0, 1, 1, 3, 0])
        with pytest.raises(ValueError, match="batch"):
            aw.Attention(list(batch[0][None]), None, keys)


class TestScale:
    """Each word divided by its own largest weight: next to nothing looks like much."""

    FAINT, STRONG = 0, 1

    def map(self) -> aw.Attention:
        weights = np.zeros((2, 1 + ROWS * COLS))
        weights[self.FAINT, 0], weights[self.FAINT, 3] = 0.9999, 1e-4
        weights[self.STRONG, 0], weights[self.STRONG, 3] = 0.5, 0.5
        axis = [aw.Tokens(["[CLS]"]), aw.Patches(ROWS, COLS, image=WIDE)]
        return aw.Attention(weights, ["faint", "strong"], axis)

    def test_a_word_that_hardly_looks_at_the_image_paints_nothing(self) -> None:
        for query, strongest in ((self.FAINT, 2e-4), (self.STRONG, 1.0)):
            scene = read_overlay(self.map(), OverlayState(heads=(0,), pinned_queries=(query,)))
            assert scene.full == pytest.approx(0.5)
            assert scene.strengths[0, 3] == pytest.approx(strongest, rel=1e-3)

    def test_the_account_says_where_the_weight_is_instead(self) -> None:
        scene = read_overlay(self.map(), OverlayState(heads=(0,), pinned_queries=(self.FAINT,)))
        shares = {share.name: share.share for share in scene.account.shares}
        assert shares["image"] == pytest.approx(1e-4, rel=1e-3)
        assert shares["[CLS]"] == pytest.approx(0.9999, rel=1e-3)

    def test_saliency_keeps_the_unit(self) -> None:
        assert np.nanmax(saliency(self.map(), self.FAINT)) == pytest.approx(1e-4, rel=1e-3)

    def test_a_row_without_weight_is_no_missing_number(self) -> None:
        weights = np.zeros((1, ROWS * COLS))
        map = aw.Attention(weights, ["word"], [aw.Patches(ROWS, COLS, image=WIDE)])
        state = OverlayState(heads=(0,), pinned_queries=(0,), special="renormalise")
        scene = read_overlay(map, state)
        assert (scene.painted == 0).all()
        assert (scene.strengths == 0).all()
        assert scene.account.total == 0


class TestCallersArrays:
    """Weights edited in place in the hands of the caller."""

    def test_looking_changes_nothing(self) -> None:
        weights = random_weights(2, 3, 19, 19)
        pixels = np.random.default_rng(1).integers(0, 255, (HEIGHT, WIDTH, 3), dtype=np.uint8)
        before = weights.copy(), pixels.copy()
        axis = [aw.Tokens(TEXT), aw.Patches(ROWS, COLS, image=pixels)]
        map = aw.Attention(weights, axis)
        view = aw.overlay(map, special="renormalise", aside=(7,), pinned_queries=(2, 5))
        view.selection()
        view.plot()
        saliency(map, 3)[:] = 0
        map.select(keys=[5, 6])[...][:] = 0
        np.asarray(map)[:] = 0
        np.testing.assert_array_equal(weights, before[0])
        np.testing.assert_array_equal(pixels, before[1])

    def test_nor_do_the_callers_later_edits_move_the_image(self) -> None:
        pixels = np.zeros((HEIGHT, WIDTH, 3), dtype=np.uint8)
        patches = aw.Patches(ROWS, COLS, image=pixels)
        pixels[:] = 255
        assert patches.image is not None
        assert patches.image.max() == 0
