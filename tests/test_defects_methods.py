"""Defects of tools that make maps from maps, each as a test that ours does not have it."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

import attn_widget as aw
from attn_widget.evidence import saliency
from attn_widget.panels import roles_of


def random_weights(*shape: int, seed: int = 0) -> NDArray[np.float64]:
    drawn = np.random.default_rng(seed).exponential(size=shape)
    return np.asarray(drawn / drawn.sum(axis=-1, keepdims=True))


def random_slopes(*shape: int, seed: int = 1) -> NDArray[np.float64]:
    return np.random.default_rng(seed).normal(size=shape)


class TestRowSums:
    """Rows divided by the sums of other rows: a sum without its axis broadcasts along columns."""

    def test_rows_sum_to_one_whatever_is_discarded(self) -> None:
        weights = random_weights(3, 2, 6, 6)
        for discard in np.linspace(0, 0.95, 7):
            found = np.asarray(aw.methods.rollout(weights, discard=float(discard)))
            np.testing.assert_allclose(found.sum(axis=-1), 1, rtol=1e-6)

    def test_rows_that_sum_to_something_else_are_divided_by_their_own_sums(self) -> None:
        weights = random_weights(1, 1, 4, 4) * np.array([1.0, 3.0, 0.5, 0.0])[:, None]
        found = aw.methods.rollout(weights)[0, 0]
        expected = weights[0, 0] + np.eye(4)
        np.testing.assert_allclose(found, expected / expected.sum(axis=1, keepdims=True), rtol=1e-6)


class TestLayersOfGradients:
    """Gradients collected as backward passes meet them, last layer first."""

    def test_each_layer_has_its_own(self) -> None:
        weights, slopes = random_weights(2, 2, 4, 4), random_slopes(2, 2, 4, 4)
        for method in (aw.methods.gradient_rollout, aw.methods.relevance):
            found = np.asarray(method(weights, slopes))
            assert np.abs(found - np.asarray(method(weights, slopes[::-1]))).max() > 1e-3

    def test_a_layer_without_gradient_is_that_layer(self) -> None:
        weights, slopes = random_weights(2, 2, 4, 4), random_slopes(2, 2, 4, 4)
        slopes[1] = 0
        first = aw.methods.gradient_rollout(weights[:1], slopes[:1])
        found = aw.methods.gradient_rollout(weights, slopes)
        np.testing.assert_allclose(found, first, rtol=1e-6)


class TestDiscarding:
    """One entry of a batch cut, and of the class token its own cell alone protected."""

    def test_every_entry_of_a_batch_is_cut(self) -> None:
        batch = random_weights(2, 3, 1, 5, 5)
        for entry in range(2):
            att = aw.Attention(batch, batch=entry)
            found = aw.methods.rollout(att, discard=0.4)
            np.testing.assert_allclose(
                found, aw.methods.rollout(batch[entry], discard=0.4), rtol=1e-6
            )
            assert np.abs(np.asarray(found) - np.asarray(aw.methods.rollout(att))).max() > 1e-3

    def test_a_protected_key_is_kept_in_every_row(self) -> None:
        weights = random_weights(1, 1, 5, 5)
        weights[..., 0] *= 1e-3
        labels = ["[CLS]", "a", "b", "c", "d"]
        kept = aw.methods.rollout(aw.Attention(weights, labels), discard=0.3)[0, 0]
        assert (kept[:, 0] > 0).all()
        cut = aw.methods.rollout(aw.Attention(weights, labels), discard=0.3, protected=())[0, 0]
        assert (cut[1:, 0] == 0).all()
        named = aw.methods.rollout(weights, discard=0.3, protected=[0])[0, 0]
        np.testing.assert_array_equal(named, kept)


class TestUntouchedRelevance:
    """Rows of relevance that nothing touched, divided by their sum of 0."""

    def test_of_two_sides(self) -> None:
        text, image = random_weights(1, 1, 3, 3), random_weights(1, 1, 4, 4)
        out, back = random_weights(1, 1, 3, 4), random_weights(1, 1, 4, 3)
        slopes = [np.zeros_like(text), np.zeros_like(image), np.ones_like(out), np.ones_like(back)]
        found = aw.methods.relevance_co(text, image, out, back, slopes)
        for att in found.values():
            assert np.isfinite(np.asarray(att)).all()
        # Nothing is mixed within either side, so that relevance is what is looked at across.
        np.testing.assert_allclose(found["first to second"], out, rtol=1e-6)

    def test_of_an_encoder_and_a_decoder(self) -> None:
        encoder, decoder = random_weights(1, 1, 4, 4), random_weights(1, 1, 3, 3)
        cross = random_weights(1, 1, 3, 4)
        slopes = [np.zeros_like(encoder), np.zeros_like(decoder), np.ones_like(cross)]
        found = aw.methods.relevance_encoder_decoder(encoder, decoder, cross, slopes)
        np.testing.assert_allclose(found["cross"], cross, rtol=1e-6)


class TestLayersAndHeads:
    """A layer's mean taken over the layers of a head."""

    def test_the_mean_over_heads_has_as_many_maps_as_layers(self) -> None:
        weights = random_weights(2, 5, 3, 3)
        found = aw.methods.mean(weights)
        assert found.shape == (2, 1, 3, 3)
        np.testing.assert_allclose(found[1, 0], weights[1].mean(axis=0), rtol=1e-6)


class TestDroppedTokens:
    """Special tokens dropped, then text told from image by where the border was before."""

    def test_no_patch_becomes_text(self) -> None:
        image = np.zeros((20, 30, 3), np.uint8)
        axis = [aw.Tokens(["[CLS]", "red", "car", "[SEP]"]), aw.Patches(2, 3, image=image)]
        whole = aw.Attention(random_weights(1, 1, 10, 10), axis)
        part = aw.methods.drop_positions(whole)
        assert list(roles_of(part.keys)) == ["text"] * 2 + ["image"] * 6
        for query in range(2):
            row = saliency(part, query)
            before = saliency(whole, query + 1)
            np.testing.assert_allclose(row / row.sum(), before / before.sum(), rtol=1e-5)


class TestWords:
    """The weight of a word taken from its first token alone."""

    def test_a_word_has_the_weight_of_all_of_its_tokens(self) -> None:
        weights = np.array([[0.4, 0.3, 0.2, 0.1], [0.1, 0.5, 0.3, 0.1], [0.2, 0.2, 0.4, 0.2]])
        att = aw.Attention(weights, list("abc"), aw.Tokens(["a", "be", "##st", "c"]))
        merged = aw.methods.merge_words(att)
        np.testing.assert_allclose(
            merged[0, 0], [[0.4, 0.5, 0.1], [0.1, 0.8, 0.1], [0.2, 0.6, 0.2]]
        )

    def test_of_norms_by_the_same_rule(self) -> None:
        labels = aw.Tokens(["a", "be", "##st", "c"])
        norms = aw.methods.value_norm(
            aw.Attention(random_weights(4, 4), labels), np.array([[1.0], [2.0], [3.0], [4.0]])
        )
        merged = aw.methods.merge_words(norms)
        assert merged.kind == "norm"
        expected = np.add.reduceat(norms[0, 0], [0, 1, 3], axis=1)
        expected = np.stack([expected[0], expected[1:3].mean(axis=0), expected[3]])
        np.testing.assert_allclose(merged[0, 0], expected, rtol=1e-5)


class TestDirection:
    """Who attends to a place, given as what the place attends to."""

    def test_a_row_is_what_its_query_depends_on(self) -> None:
        """Query 0 alone looks at key 2: row 0 says so, and row 2 says nothing."""
        weights = np.eye(3)[None, None].repeat(2, axis=0)
        weights[:, :, 0] = [0, 0, 1]
        for found in (
            aw.methods.rollout(weights),
            aw.methods.flow(weights),
            aw.methods.relevance(weights, np.ones_like(weights)),
            aw.methods.gradient_rollout(weights, np.ones_like(weights)),
        ):
            assert found[0, 0, 0, 2] > 0.2
            assert found[0, 0, 2, 0] == 0

    def test_layers_are_applied_from_the_first_up(self) -> None:
        """The last layer looks at 1, where the first has put what was in 2."""
        first, last = np.eye(3), np.eye(3)
        first[1], last[0] = [0, 0, 1], [0, 1, 0]
        found = aw.methods.rollout(np.stack([first, last])[:, None], residual=0)[0, 0]
        np.testing.assert_array_equal(found[0], [0, 0, 1])


class TestScale:
    """Each token's heat divided by its own largest: next to nothing looks like much."""

    def test_heat_keeps_its_unit(self) -> None:
        weights = np.zeros((1, 1, 6, 2))
        weights[..., 0], weights[..., 1] = 0.9999, 1e-4
        heat = aw.methods.daam([aw.Attention(weights, aw.Patches(2, 3), ["a", "b"])], size=(4, 6))
        np.testing.assert_allclose(heat[0, 0, :, 1], 1e-4, rtol=1e-5)
        np.testing.assert_allclose(heat[0, 0, :, 0], 0.9999, rtol=1e-5)


class TestHeightAndWidth:
    """Width and height changed over where maps of several sizes are put together."""

    def test_rows_stay_rows(self) -> None:
        weights = np.zeros((1, 1, 6, 1))
        weights[0, 0, 1 * 3 + 2] = 1
        image = np.zeros((40, 60, 3), np.uint8)
        maps = [aw.Attention(weights, aw.Patches(2, 3, image=image), ["car"])]
        found = aw.methods.daam(maps, size=(4, 6))
        (patches,) = found.queries.segments
        assert isinstance(patches, aw.Patches)
        assert (patches.rows, patches.cols) == (4, 6)
        heat = found[0, 0, :, 0].reshape(4, 6)
        assert np.argwhere(heat == heat.max()).tolist() == [[3, 5]]
        assert heat[:2, :3].max() < 0.05


class TestCallersArrays:
    """Weights edited in place in the hands of the caller."""

    def test_no_method_changes_what_it_is_given(self) -> None:
        labels = ["[CLS]", "a", "##b", "c"]
        arrays = {
            "weights": random_weights(2, 2, 4, 4),
            "slopes": random_slopes(2, 2, 4, 4),
            "value": random_slopes(2, 2, 4, 3),
            "output": random_slopes(2, 6, 5),
            "hidden": random_slopes(2, 4, 5),
        }
        before = {name: array.copy() for name, array in arrays.items()}
        att, slopes = aw.Attention(arrays["weights"], labels), arrays["slopes"]
        carried = arrays["value"], arrays["output"]
        m = aw.methods
        made = [
            m.mean(att),
            m.maximum(att),
            m.minimum(att, over="layers"),
            m.rollout(att, discard=0.3),
            m.flow(att),
            m.gradient_rollout(att, slopes),
            m.attention_gradient(att, slopes),
            m.relevance(att, slopes, each_layer=True),
            m.relative(att),
            m.difference(att, slopes),
            m.drop_positions(att),
            m.merge_words(att),
            m.value_norm(att, *carried),
            m.value_norm(att, *carried, heads="sum", hidden=arrays["hidden"]),
            m.alti(att, *carried, arrays["hidden"]),
            m.effective(att, *carried),
            *m.relevance_co(att, att, att, att, [slopes] * 4).values(),
        ]
        for found in made:
            np.asarray(found)[:] = 0
            found[...][:] = 0
        for name, array in arrays.items():
            np.testing.assert_array_equal(array, before[name])


def test_what_is_uniform_says_so() -> None:
    """Maps that were flattened, drawn from their least to their largest at full contrast."""
    weights = np.random.default_rng(0).dirichlet(np.full(10, 0.3), (4, 1, 10))
    for method in (aw.methods.rollout, aw.methods.flow):
        found = method(weights)[0, 0, 0]
        evenness = float(aw.evidence.relative_entropy(found[None])[0])
        assert evenness > 0.9 > 0.8 > float(aw.evidence.relative_entropy(weights[3, 0, :1])[0])
        assert found.max() * len(found) == pytest.approx(1, abs=1.5)
