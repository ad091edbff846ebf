"""Attention with gradients: against autograd of PyTorch, finite differences and golden numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

import attn_widget as aw

Array = NDArray[np.float64]

A1 = [[0.6, 0.4, 0.0], [0.2, 0.5, 0.3], [0.1, 0.2, 0.7]]
A2 = [[0.5, 0.25, 0.25], [0.1, 0.8, 0.1], [0.3, 0.3, 0.4]]
LAYERS = np.array([A1, A2])[:, None]


def weights_and_slopes(*shape: int, seed: int = 0) -> tuple[Array, Array]:
    generator = np.random.default_rng(seed)
    drawn = generator.exponential(size=shape)
    return drawn / drawn.sum(axis=-1, keepdims=True), generator.normal(size=shape)


def mixed(weights: Array, slopes: Array) -> Array:
    """Equation (5): Ā of each layer."""
    return np.asarray(np.maximum(weights * slopes, 0).mean(axis=1))


class TestRelevance:
    def test_unit_gradients_golden(self) -> None:
        found = aw.methods.relevance(LAYERS, np.ones_like(LAYERS))
        np.testing.assert_allclose(found[0, 0, 0], [2.475, 1.025, 0.5], rtol=1e-6)
        twice = 4 * aw.methods.rollout(LAYERS)[0, 0]
        np.testing.assert_allclose(found[0, 0], twice, rtol=1e-6)

    @given(st.integers(1, 4), st.integers(1, 5), st.integers(0, 99))
    def test_unit_gradients_of_one_head_are_rollout(self, depth: int, size: int, seed: int) -> None:
        weights, _ = weights_and_slopes(depth, 1, size, size, seed=seed)
        found = aw.methods.relevance(weights, np.ones_like(weights))
        expected = 2**depth * np.asarray(aw.methods.rollout(weights))
        np.testing.assert_allclose(found, expected, rtol=1e-5)

    def test_what_lowers_the_answer_counts_nothing(self) -> None:
        weights, slopes = weights_and_slopes(2, 3, 4, 4)
        found = aw.methods.relevance(weights, -np.abs(slopes))
        np.testing.assert_array_equal(found[0, 0], np.eye(4))

    def test_each_layer_and_without_the_identity(self) -> None:
        weights, slopes = weights_and_slopes(3, 2, 4, 4)
        found = aw.methods.relevance(weights, slopes, identity=False, each_layer=True)
        assert found.shape == (3, 1, 4, 4)
        product = np.eye(4)
        for layer, matrix in enumerate(mixed(weights, slopes)):
            product = product + matrix @ product
            np.testing.assert_allclose(found[layer, 0], product - np.eye(4), rtol=1e-5, atol=1e-7)

    def test_permuting_tokens_permutes_the_result(self) -> None:
        weights, slopes = weights_and_slopes(3, 2, 5, 5)
        order = [3, 0, 4, 1, 2]
        moved = aw.methods.relevance(
            *(part[..., order, :][..., order] for part in (weights, slopes))
        )
        expected = aw.methods.relevance(weights, slopes)[0, 0][np.ix_(order, order)]
        np.testing.assert_allclose(moved[0, 0], expected, rtol=1e-5)


def bar(part: Array) -> Array:
    """Equations (8) and (9): R̄ of R."""
    rest = part - np.eye(len(part))
    sums = rest.sum(axis=1, keepdims=True)
    shares = np.divide(rest, sums, out=np.zeros_like(rest), where=sums > 0)
    return np.asarray(shares + np.eye(len(part)))


def by_rules(
    own: list[Array], other: list[Array], out: list[Array], back: list[Array], cross_first: bool
) -> dict[str, Array]:
    """Equations (6) to (11), one line each."""
    n, m = len(own[0]), len(other[0])
    ss, qq, sq, qs = np.eye(n), np.eye(m), np.zeros((n, m)), np.zeros((m, n))

    def attend(one: Array, two: Array) -> None:
        nonlocal ss, qq, sq, qs
        ss, sq = ss + one @ ss, sq + one @ sq
        qq, qs = qq + two @ qq, qs + two @ qs

    for matrix in own[: len(own) - len(out)]:
        ss, sq = ss + matrix @ ss, sq + matrix @ sq
    for matrix in other[: len(other) - len(out)]:
        qq, qs = qq + matrix @ qq, qs + matrix @ qs
    selves = zip(own[len(own) - len(out) :], other[len(other) - len(out) :], strict=True)
    for pair, to, fro in zip(selves, out, back, strict=True):
        if not cross_first:
            attend(*pair)
        ss, sq, qq, qs = (
            ss + to @ qs,
            sq + bar(ss).T @ to @ bar(qq),
            qq + fro @ sq,
            qs + bar(qq).T @ fro @ bar(ss),
        )
        if cross_first:
            attend(*pair)
    return {"first": ss, "second": qq, "first to second": sq, "second to first": qs}


class TestTwoSides:
    @pytest.mark.parametrize("order", ["cross first", "self first"])
    def test_relevance_follows_the_rules(self, order: str) -> None:
        shapes = [(4, 2, 3, 3), (3, 2, 4, 4), (2, 2, 3, 4), (2, 2, 4, 3)]
        pairs = [weights_and_slopes(*shape, seed=seed) for seed, shape in enumerate(shapes)]
        one, two, to, fro = (weights for weights, _ in pairs)
        slopes = [slopes for _, slopes in pairs]
        found = aw.methods.relevance_co(one, two, to, fro, slopes, order=order)
        own, other, out, back = (list(mixed(*pair)) for pair in pairs)
        expected = by_rules(own, other, out, back, cross_first=order == "cross first")
        assert list(found) == list(expected)
        for name, att in found.items():
            np.testing.assert_allclose(att[0, 0], expected[name], rtol=1e-5, atol=1e-7)
            assert att.kind == "relevance"
        assert found["first to second"].name == "relevance, first to second"

    def test_axes_are_those_of_the_maps(self) -> None:
        text, image = ["a", "red", "car"], aw.Patches(2, 2)
        maps = (
            aw.Attention(weights_and_slopes(1, 1, 3, 3)[0], text),
            aw.Attention(weights_and_slopes(1, 1, 4, 4)[0], image),
            aw.Attention(weights_and_slopes(1, 1, 3, 4)[0], text, image),
            aw.Attention(weights_and_slopes(1, 1, 4, 3)[0], image, text),
        )
        found = aw.methods.relevance_co(*maps, [np.ones(att.shape) for att in maps])
        assert found["first to second"].queries.labels == tuple(text)
        assert found["first to second"].keys.segments == (image,)
        assert found["second to first"].keys.labels == tuple(text)
        aw.AttentionWidget(found).close()

    def test_encoder_and_decoder(self) -> None:
        shapes = [(3, 2, 4, 4), (2, 2, 3, 3), (2, 2, 3, 4)]
        pairs = [weights_and_slopes(*shape, seed=seed) for seed, shape in enumerate(shapes)]
        source, target, between = (weights for weights, _ in pairs)
        slopes = [slopes for _, slopes in pairs]
        found = aw.methods.relevance_encoder_decoder(source, target, between, slopes)
        encoder, decoder, cross = (mixed(*pair) for pair in pairs)
        ii, qq, qi = np.eye(4), np.eye(3), np.zeros((3, 4))
        for matrix in encoder:
            ii = ii + matrix @ ii

        for own, to in zip(decoder, cross, strict=True):
            qq, qi = qq + own @ qq, qi + own @ qi
            qi = qi + bar(qq).T @ to @ bar(ii)
        for name, expected in (("encoder", ii), ("decoder", qq), ("cross", qi)):
            np.testing.assert_allclose(found[name][0, 0], expected, rtol=1e-5, atol=1e-7)

    def test_shapes_that_do_not_belong_together(self) -> None:
        one, _ = weights_and_slopes(2, 1, 3, 3)
        two, _ = weights_and_slopes(2, 1, 4, 4)
        out, _ = weights_and_slopes(2, 1, 3, 4)
        maps = one, two, out, out.swapaxes(-1, -2)
        with pytest.raises(ValueError, match="gradients must be four"):
            aw.methods.relevance_co(*maps, maps[:3])
        with pytest.raises(ValueError, match=r"first_to_second must be 3 × 4 .* got 4 × 3"):
            aw.methods.relevance_co(one, two, maps[3], out, [one, two, maps[3], out])
        with pytest.raises(ValueError, match="got 2 and 1 co-attention layers"):
            aw.methods.relevance_co(*maps[:3], maps[3][:1], [*maps[:3], maps[3][:1]])
        with pytest.raises(ValueError, match="order must be one of"):
            aw.methods.relevance_co(*maps, maps, order="both")
        with pytest.raises(ValueError, match="gradients must be three"):
            aw.methods.relevance_encoder_decoder(two, one, out, maps)
        with pytest.raises(ValueError, match="one number of layers; got 2 and 1"):
            aw.methods.relevance_encoder_decoder(two, one, out[:1], [two, one, out[:1]])


class TestAttentionGradient:
    def test_product_counts_what_raises_the_answer(self) -> None:
        weights, slopes = weights_and_slopes(2, 3, 4, 5)
        found = aw.methods.attention_gradient(weights, slopes)
        assert found.shape == (2, 1, 4, 5)
        expected = np.maximum(weights * slopes, 0)
        np.testing.assert_allclose(found, expected.mean(axis=1, keepdims=True), rtol=1e-5)
        each = aw.methods.attention_gradient(weights, slopes, heads="each")
        np.testing.assert_allclose(each, expected, rtol=1e-5)
        assert found.kind == each.kind == "relevance"

    def test_gradcam_weights_heads_by_their_mean_gradient(self) -> None:
        weights, slopes = weights_and_slopes(2, 3, 4, 5)
        weighted = weights * slopes.mean(axis=(2, 3), keepdims=True)
        found = aw.methods.attention_gradient(weights, slopes, form="gradcam")
        expected = np.maximum(weighted.mean(axis=1, keepdims=True), 0)
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-9)
        each = aw.methods.attention_gradient(weights, slopes, form="gradcam", heads="each")
        np.testing.assert_allclose(each, np.maximum(weighted, 0), rtol=1e-5, atol=1e-9)

    def test_a_tiny_softmax_model_by_finite_differences(self) -> None:
        """y = Σ_ij u_i α_ij v_j · w, whose gradient with respect to the weights is known."""
        generator = np.random.default_rng(4)
        scores, value = generator.normal(size=(3, 3)), generator.normal(size=(3, 2))
        reading = generator.normal(size=(3, 2))
        alpha = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)

        def answer(attention: Array) -> float:
            return float(np.tanh(attention @ value * reading).sum())

        slopes = np.zeros_like(alpha)
        for place in np.ndindex(3, 3):
            step = np.zeros_like(alpha)
            step[place] = 1e-6
            slopes[place] = (answer(alpha + step) - answer(alpha - step)) / 2e-6
        exact = ((1 - np.tanh(alpha @ value * reading) ** 2) * reading) @ value.T
        np.testing.assert_allclose(slopes, exact, rtol=1e-6)
        found = aw.methods.attention_gradient(alpha, slopes)
        np.testing.assert_allclose(found[0, 0], np.maximum(alpha * exact, 0), rtol=1e-5)

    def test_options(self) -> None:
        with pytest.raises(ValueError, match="form must be one of product, gradcam"):
            aw.methods.attention_gradient(LAYERS, LAYERS, form="lrp")
        with pytest.raises(ValueError, match="heads must be one of mean, each"):
            aw.methods.attention_gradient(LAYERS, LAYERS, heads="max")


@pytest.fixture(scope="module")
def run() -> Any:
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=30,
        hidden_size=24,
        num_hidden_layers=3,
        num_attention_heads=4,
        intermediate_size=32,
        max_position_embeddings=16,
        num_labels=2,
        attn_implementation="eager",
    )
    model = transformers.BertForSequenceClassification(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(6) if parameter.ndim > 1 else None
    out = model(torch.tensor([[1, 5, 9, 9, 3, 2, 7]]), output_attentions=True)
    slopes = torch.autograd.grad(out.logits[0, 1], out.attentions)
    return out.attentions, slopes


class TestRealTransformer:
    """A BERT of PyTorch: attention and gradients as autograd has them."""

    def test_relevance_is_what_autograd_gives(self, run: Any) -> None:
        attentions, slopes = run
        product = np.eye(7)
        for layer, slope in zip(attentions, slopes, strict=True):
            step = (layer * slope).clamp(min=0).mean(dim=1)[0].detach().double().numpy()
            product = product + step @ product
        found = aw.methods.relevance(attentions, list(slopes))
        np.testing.assert_allclose(found[0, 0], product, rtol=1e-5, atol=1e-8)
        assert np.abs(product - np.eye(7)).max() > 1e-4

    def test_tensors_and_maps_are_gradients_alike(self, run: Any) -> None:
        attentions, slopes = run
        maps = aw.Attention(attentions), aw.Attention(slopes)
        for method in (aw.methods.gradient_rollout, aw.methods.attention_gradient):
            np.testing.assert_array_equal(
                np.asarray(method(attentions, slopes)), np.asarray(method(*maps))
            )
