"""Attention followed through layers: rollout, gradient rollout and flow."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

import attn_widget as aw
from attn_widget.methods import chain
from attn_widget.methods.maxflow import Layers
from counted import CountedArray

Rows = Callable[..., NDArray[np.float32]]

A1 = [[0.6, 0.4, 0.0], [0.2, 0.5, 0.3], [0.1, 0.2, 0.7]]
A2 = [[0.5, 0.25, 0.25], [0.1, 0.8, 0.1], [0.3, 0.3, 0.4]]
LAYERS = np.array([A1, A2])[:, None]
"""The fixture of the golden numbers: two layers of one head."""

ROLLOUT = [[0.61875, 0.25625, 0.125], [0.1325, 0.69, 0.1775], [0.17, 0.2125, 0.6175]]


def random_layers(layers: int, heads: int, length: int, seed: int = 0) -> NDArray[np.float64]:
    drawn = np.random.default_rng(seed).exponential(size=(layers, heads, length, length))
    return np.asarray(drawn / drawn.sum(axis=-1, keepdims=True))


@st.composite
def layers_of_weights(draw: st.DrawFn) -> NDArray[np.float64]:
    sizes = draw(st.tuples(st.integers(1, 3), st.integers(1, 3), st.integers(1, 5)))
    return random_layers(*sizes, seed=draw(st.integers(0, 999)))


class TestRollout:
    def test_golden(self) -> None:
        found = aw.methods.rollout(LAYERS)
        assert found.shape == (1, 1, 3, 3)
        np.testing.assert_allclose(found[0, 0], ROLLOUT, rtol=1e-6)

    def test_without_residual_it_is_the_product_of_attention(self) -> None:
        found = aw.methods.rollout(LAYERS, residual=0)
        expected = [[0.375, 0.375, 0.25], [0.23, 0.46, 0.31], [0.28, 0.35, 0.37]]
        np.testing.assert_allclose(found[0, 0], expected, rtol=1e-6)

    def test_discarding_golden(self) -> None:
        found = aw.methods.rollout(LAYERS, discard=0.34)
        expected = [
            [0.6857142857, 0.1864661654, 0.1278195489],
            [0.0, 0.8333333333, 0.1666666667],
            [0.12, 0.2286842105, 0.6513157895],
        ]
        np.testing.assert_allclose(found[0, 0], expected, rtol=1e-6, atol=1e-9)

    def test_discarding_nothing_is_plain(self) -> None:
        weights = random_layers(2, 2, 5)
        plain = np.asarray(aw.methods.rollout(weights))
        np.testing.assert_array_equal(np.asarray(aw.methods.rollout(weights, discard=0.0)), plain)
        # Less than one weight's worth.
        np.testing.assert_array_equal(np.asarray(aw.methods.rollout(weights, discard=0.03)), plain)

    def test_it_starts_where_it_is_told(self) -> None:
        weights = random_layers(3, 2, 4)
        found = aw.methods.rollout(weights, start_layer=1)
        np.testing.assert_allclose(found, aw.methods.rollout(weights[1:]), rtol=1e-6)
        last = aw.methods.rollout(weights, start_layer=-1)
        np.testing.assert_allclose(last, aw.methods.rollout(weights[2:]), rtol=1e-6)

    def test_each_layer_is_a_rollout_up_to_it(self) -> None:
        weights = random_layers(3, 2, 4)
        found = aw.methods.rollout(weights, each_layer=True)
        assert found.shape == (3, 1, 4, 4)
        for layer in range(3):
            upto = aw.methods.rollout(weights[: layer + 1])
            np.testing.assert_allclose(found[layer], upto[0], rtol=1e-6)

    @pytest.mark.parametrize(("heads", "fuse"), [("max", np.max), ("min", np.min)])
    def test_heads_are_fused_before(self, heads: str, fuse: Callable[..., NDArray[Any]]) -> None:
        weights = random_layers(2, 3, 4)
        fused = fuse(weights, axis=1, keepdims=True)
        found = aw.methods.rollout(weights, heads=heads)
        np.testing.assert_allclose(found, aw.methods.rollout(fused), rtol=1e-5)

    def test_residual_one_leaves_every_position_alone(self) -> None:
        found = aw.methods.rollout(random_layers(2, 2, 4), residual=1)
        np.testing.assert_array_equal(found[0, 0], np.eye(4))

    def test_a_masked_row_stays_empty_and_is_no_missing_number(self) -> None:
        weights = random_layers(2, 1, 3)
        weights[:, :, 1] = 0
        alone = aw.methods.rollout(weights, residual=0)[0, 0]
        np.testing.assert_array_equal(alone[1], 0)
        np.testing.assert_allclose(aw.methods.rollout(weights)[0, 0, 1], [0, 1, 0])

    @given(layers_of_weights(), st.sampled_from([0.0, 0.3, 0.5, 1.0]), st.floats(0, 0.99))
    def test_rows_sum_to_one(
        self, weights: NDArray[np.float64], residual: float, discard: float
    ) -> None:
        found = np.asarray(aw.methods.rollout(weights, residual=residual, discard=discard))
        sums = found.sum(axis=-1)
        # Without a residual connection a row may lose all it has, and others what led through it.
        least = 1 if residual or not discard else 0
        assert np.all(sums >= least - 1e-5)
        assert np.all(sums <= 1 + 1e-5)

    @given(layers_of_weights(), st.randoms(use_true_random=False))
    def test_permuting_tokens_permutes_the_result(
        self, weights: NDArray[np.float64], random: Random
    ) -> None:
        order = list(range(weights.shape[-1]))
        random.shuffle(order)
        moved = np.ix_(order, order)
        permuted = weights[..., order, :][..., order]
        for method in (aw.methods.rollout, aw.methods.flow):
            expected = method(weights)[0, 0][moved]
            np.testing.assert_allclose(method(permuted)[0, 0], expected, rtol=1e-5, atol=1e-7)

    @pytest.mark.parametrize("method", [aw.methods.rollout, aw.methods.flow])
    def test_identity_is_left_alone(self, method: Callable[..., aw.Attention]) -> None:
        identity = np.broadcast_to(np.eye(4), (3, 2, 4, 4))
        np.testing.assert_array_equal(method(identity)[0, 0], np.eye(4))

    def test_a_real_classifier(self) -> None:
        """The row of [CLS] on the patches is what the sample stores as rollout."""
        for index in range(6):
            found = aw.methods.rollout(aw.samples.recognition(index))[0, 0, 0, 3:]
            stored = aw.samples.recognition_relevance(index, method="rollout")[0, 0]
            np.testing.assert_allclose(stored, np.broadcast_to(found, stored.shape), atol=2e-4)

    def test_deep_rollouts_tend_to_be_uniform(self) -> None:
        weights = np.random.default_rng(0).dirichlet(np.full(10, 0.3), (12, 1, 10))
        entropies = [
            float(aw.evidence.relative_entropy(aw.methods.rollout(weights[:depth])[0, 0]).mean())
            for depth in (1, 4, 12)
        ]
        assert entropies[0] < entropies[1] < entropies[2]
        assert entropies[2] > 0.97


class TestLaziness:
    def test_nothing_is_read_before_the_result_is(self, rows: Rows) -> None:
        array = CountedArray(rows(2, 3, 4, 4))
        found = aw.methods.rollout(aw.Attention(array))
        repr(found)
        part = found.select(queries=[1, 2])
        assert array.asked == []
        part[0, 0, 0]
        assert array.numbers_read == 2 * 3 * 4 * 4
        np.asarray(found)
        assert array.numbers_read == 2 * 3 * 4 * 4

    def test_of_long_maps_only_the_rows_that_are_read_are_followed(
        self, rows: Rows, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        weights = rows(3, 2, 9, 9)
        whole = np.asarray(aw.methods.rollout(weights, each_layer=True))
        monkeypatch.setattr(chain, "WHOLE", 8)
        array = CountedArray(weights)
        found = aw.methods.rollout(array, each_layer=True)
        np.testing.assert_allclose(found[2, 0, 4:6, 1:], whole[2, 0, 4:6, 1:], rtol=1e-5)
        assert array.numbers_read == 2 * (2 * 9) + 2 * (2 * 81)
        np.testing.assert_allclose(found[2, 0, 3:8], whole[2, 0, 3:8], rtol=1e-5)
        np.testing.assert_allclose(found, whole, rtol=1e-5)
        assert list(aw.methods.prepared(found)) == []

    def test_too_long_a_map_is_refused_at_once(self) -> None:
        query = np.broadcast_to(np.float32(0), (32, 32, 100_000, 1))
        long = aw.Attention.from_qk(query, query)
        with pytest.raises(ValueError, match="100000 positions are too many here"):
            aw.methods.rollout(long)

    def test_discarding_needs_all_weights_of_a_layer(self) -> None:
        vectors = np.zeros((1, 1, 3000, 1), np.float32)
        with pytest.raises(ValueError, match=r"goes up to 2048 positions and .* got 3000"):
            aw.methods.rollout(aw.Attention.from_qk(vectors, vectors), discard=0.1)

    def test_steps_tell_a_rising_share_and_can_be_closed(self) -> None:
        att = aw.Attention(random_layers(3, 2, 6))
        found = aw.methods.rollout(att)
        steps = aw.methods.prepared(found)
        shares = [next(steps), next(steps)]
        steps.close()
        shares += [*aw.methods.prepared(found)]
        assert all(0 <= share <= 1 for share in shares)
        assert shares[2:] == sorted(shares[2:])
        assert len(shares) > 6
        assert list(aw.methods.prepared(found)) == []


class TestRefusals:
    def test_cross_attention(self, rows: Rows) -> None:
        for method in (aw.methods.rollout, aw.methods.flow):
            with pytest.raises(ValueError, match="as many queries as keys; got 2 queries and 3"):
                method(rows(1, 2, 3))

    def test_no_layers(self, rows: Rows) -> None:
        nothing = aw.Attention(rows(2, 1, 3, 3)).select(layers=[])
        for method in (aw.methods.rollout, aw.methods.flow):
            with pytest.raises(
                ValueError, match=r"needs a layer and a head; got shape \(0, 1, 3, 3"
            ):
                method(nothing)

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"residual": 1.5}, "residual must lie within 0 and 1; got 1.5"),
            ({"residual": float("nan")}, "residual must lie within 0 and 1; got nan"),
            ({"heads": "median"}, "heads must be one of mean, max, min; got 'median'"),
            ({"start_layer": 2}, "start_layer must be in 0 … 1; got 2"),
            ({"discard": 1.0}, "discard must lie within 0 and below 1; got 1.0"),
            ({"discard": 0.1, "protected": [3]}, "protected: 3 is out of range for 3 positions"),
        ],
    )
    def test_parameters_out_of_range(self, options: dict[str, Any], message: str) -> None:
        with pytest.raises(ValueError, match=message):
            aw.methods.rollout(LAYERS, **options)

    def test_missing_weights(self) -> None:
        weights = LAYERS.copy()
        weights[1, 0, 2, 0] = np.nan
        for found in (
            aw.methods.rollout(weights),
            aw.methods.flow(weights),
            aw.methods.relevance(weights, LAYERS),
            aw.methods.gradient_rollout(LAYERS, weights),
        ):
            with pytest.raises(ValueError, match=r"layer 1 has missing or infinite ones"):
                np.asarray(found)

    def test_what_is_no_map(self) -> None:
        with pytest.raises(TypeError, match="att: weights must be an array"):
            aw.methods.rollout("encoder")
        with pytest.raises(ValueError, match="att: weights must have 2, 3 or 4 axes"):
            aw.methods.rollout(np.zeros(3))


class TestGradientRollout:
    @given(layers_of_weights())
    def test_unit_gradients_reduce_to_rollout(self, weights: NDArray[np.float64]) -> None:
        found = aw.methods.gradient_rollout(weights, np.ones_like(weights))
        np.testing.assert_allclose(found, aw.methods.rollout(weights), rtol=1e-5)

    def test_it_is_the_product_of_what_gradients_leave(self) -> None:
        weights = random_layers(3, 2, 4)
        slopes = np.random.default_rng(1).normal(size=weights.shape)
        product = np.eye(4)
        for layer, slope in zip(weights, slopes, strict=True):
            matrix = np.maximum((layer * slope).mean(axis=0), 0) + np.eye(4)
            product = matrix / matrix.sum(axis=1, keepdims=True) @ product
        found = aw.methods.gradient_rollout(weights, aw.Attention(slopes))
        np.testing.assert_allclose(found[0, 0], product, rtol=1e-5)

    def test_gradients_of_another_shape(self) -> None:
        with pytest.raises(ValueError, match=r"gradients must have the shape of the map"):
            aw.methods.gradient_rollout(LAYERS, LAYERS[:1])


class TestFlow:
    def test_golden(self) -> None:
        found = aw.methods.flow(LAYERS)
        expected = [
            [0.5714285714, 0.2698412698, 0.1587301587],
            [0.16, 0.68, 0.16],
            [0.1935483871, 0.2580645161, 0.5483870968],
        ]
        np.testing.assert_allclose(found[0, 0], expected, rtol=1e-6)

    def test_two_layers_have_a_closed_form(self) -> None:
        weights = random_layers(2, 1, 6)
        halves = weights[:, 0] / 2 + np.eye(6) / 2
        raw = np.minimum(halves[1][:, :, None], halves[0][None]).sum(axis=1)
        expected = raw / raw.sum(axis=1, keepdims=True)
        np.testing.assert_allclose(aw.methods.flow(weights)[0, 0], expected, rtol=1e-6)

    def test_one_layer_is_attention_with_its_residual(self) -> None:
        found = aw.methods.flow(LAYERS[:1], residual=0.25)
        expected = 0.75 * np.array(A1) + 0.25 * np.eye(3)
        np.testing.assert_allclose(found[0, 0], expected, rtol=1e-6)

    def test_more_positions_than_that_are_left_out_and_it_says_so(self) -> None:
        weights = random_layers(3, 2, 7)
        weights[..., 2] += 1
        weights[..., 5] += 2
        weights /= weights.sum(axis=-1, keepdims=True)
        found = aw.methods.flow(aw.Attention(weights, list("abcdefg")), max_positions=2)
        assert found.queries.labels == ("c", "f")
        assert found.keys is found.queries
        (made,) = found.made
        assert made.notes == ("flow capped at 2 of 7 positions, those that receive most",)
        np.testing.assert_allclose(np.asarray(found).sum(axis=-1), 1, rtol=1e-6)

    def test_there_must_be_a_position(self) -> None:
        with pytest.raises(ValueError, match="max_positions must be at least 1; got 0"):
            aw.methods.flow(LAYERS, max_positions=0)

    def test_steps_tell_the_share(self) -> None:
        found = aw.methods.flow(random_layers(6, 2, 16))
        shares = list(aw.methods.prepared(found))
        assert shares == sorted(shares)
        assert np.asarray(found).sum() == pytest.approx(16)


class TestLargestFlow:
    """The largest flow of networkx, on graphs with and without residual connections and zeros."""

    @given(st.integers(1, 5), st.integers(1, 6), st.booleans(), st.integers(0, 999))
    def test_is_that_of_networkx(self, depth: int, size: int, residual: bool, seed: int) -> None:
        networkx = pytest.importorskip("networkx")
        generator = np.random.default_rng(seed)
        layers = list(generator.dirichlet(np.full(size, 0.3), (depth, size)))
        layers = [np.where(layer < 0.02, 0, layer) for layer in layers]
        if residual:
            layers = [layer / 2 + np.eye(size) / 2 for layer in layers]
        graph = networkx.DiGraph()
        graph.add_nodes_from((row, place) for row in range(depth + 1) for place in range(size))
        for row, layer in enumerate(layers):
            for above, below in zip(*np.nonzero(layer), strict=True):
                capacity = float(layer[above, below])
                graph.add_edge((row + 1, int(above)), (row, int(below)), capacity=capacity)
        source, sink = generator.integers(0, size, 2).tolist()
        expected = networkx.maximum_flow_value(graph, (depth, source), (0, sink))
        assert Layers(layers).flow(source, sink) == pytest.approx(expected, abs=1e-10)

    def test_flow_is_taken_back_where_it_stands_in_the_way(self) -> None:
        """Straight down is full at once, and only by going around twice is everything through."""
        around = np.array([[1.0, 1.0], [0.0, 1.0]])
        narrow = np.array([[0.5, 0.5], [0.5, 0.5]])
        bottom = np.array([[0.0, 1.0], [1.0, 0.0]])
        layers = [bottom, around, around.T, narrow]
        assert Layers(layers).flow(0, 0) == pytest.approx(1.0)
        assert Layers(layers).flow(0, 1) == pytest.approx(1.0)
