"""What attention carries: norms, contributions, effective attention; against a real BERT."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

import attn_widget as aw
from attn_widget.methods.values import Sublayer, Values
from counted import CountedArray

Array = NDArray[np.float64]
A1 = [[0.6, 0.4, 0.0], [0.2, 0.5, 0.3], [0.1, 0.2, 0.7]]


class Model(NamedTuple):
    """Arrays of a whole model, layer by layer."""

    att: Array
    value: Array
    output: Array
    hidden: Array
    bias: Array
    gamma: Array

    @property
    def parts(self) -> dict[str, Any]:
        return {"hidden": self.hidden, "bias": self.bias, "gamma": self.gamma}


def random_model(
    layers: int = 2, heads: int = 3, length: int = 4, size: int = 2, seed: int = 0
) -> Model:
    generator = np.random.default_rng(seed)
    drawn = generator.exponential(size=(layers, heads, length, length))
    depth = 5
    return Model(
        drawn / drawn.sum(axis=-1, keepdims=True),
        generator.normal(size=(layers, heads, length, size)),
        generator.normal(size=(layers, heads * size, depth)),
        generator.normal(size=(layers, length, depth)),
        generator.normal(size=(layers, depth)),
        generator.normal(size=(layers, depth)),
    )


def transformed(model: Model) -> Array:
    """f: (L, H, K, D)."""
    layers, heads, _, size = model.value.shape
    output = model.output.reshape(layers, heads, size, -1)
    return np.asarray(model.value @ output)


class TestNorms:
    def test_a_sink_of_short_values_vanishes(self) -> None:
        found = aw.methods.value_norm([[0.9, 0.1]], np.array([[0.01], [1.0]]))
        np.testing.assert_allclose(found[0, 0], [[0.009, 0.1]], rtol=1e-6)
        assert found.kind == "norm"

    def test_each_head_and_their_sum(self) -> None:
        model = random_model()
        f = transformed(model)
        each = aw.methods.value_norm(model.att, model.value, model.output)
        terms = model.att[..., None] * f[:, :, None]
        np.testing.assert_allclose(each, np.linalg.norm(terms, axis=-1), rtol=1e-5)
        summed = aw.methods.value_norm(model.att, model.value, model.output, heads="sum")
        assert summed.shape == (2, 1, 4, 4)
        expected = np.linalg.norm(terms.sum(axis=1), axis=-1)
        np.testing.assert_allclose(np.asarray(summed)[:, 0], expected, rtol=1e-5)

    def test_without_an_output_matrix_heads_stand_side_by_side(self) -> None:
        model = random_model()
        lengths = np.linalg.norm(model.att[..., None] * model.value[:, :, None], axis=-1)
        found = aw.methods.value_norm(model.att, model.value)
        np.testing.assert_allclose(found, lengths, rtol=1e-5)
        summed = aw.methods.value_norm(model.att, model.value, heads="sum")
        expected = np.sqrt((lengths**2).sum(axis=1, keepdims=True))
        np.testing.assert_allclose(summed, expected, rtol=1e-5)

    def test_residual_and_layer_norm(self) -> None:
        model = random_model()
        found = aw.methods.value_norm(
            model.att, model.value, model.output, heads="sum", **model.parts
        )
        terms = (model.att[..., None] * transformed(model)[:, :, None]).sum(axis=1)
        terms[:, np.arange(4), np.arange(4)] += model.hidden
        total = terms.sum(axis=2) + model.bias[:, None]
        deviation = total.std(axis=-1)[:, :, None, None]
        normed = (terms - terms.mean(axis=-1, keepdims=True)) / deviation
        expected = np.linalg.norm(normed * model.gamma[:, None, None], axis=-1)
        np.testing.assert_allclose(np.asarray(found)[:, 0], expected, rtol=1e-5)

    def test_mixing_ratio_by_its_definition(self) -> None:
        model = random_model(layers=1)
        ratio = aw.methods.mixing_ratio(model.att, model.value, model.output, model.hidden)
        terms = (model.att[..., None] * transformed(model)[:, :, None]).sum(axis=1)[0]
        for row in range(4):
            own = np.linalg.norm(terms[row, row] + model.hidden[0, row])
            others = np.linalg.norm(np.delete(terms[row], row, axis=0).sum(axis=0))
            assert ratio[0, row] == pytest.approx(others / (others + own))

    def test_grouped_heads_share_values(self) -> None:
        model = random_model(heads=4)
        shared = model.value[:, ::2]
        found = aw.methods.value_norm(model.att, shared)
        apart = aw.methods.value_norm(model.att, np.repeat(shared, 2, axis=1))
        np.testing.assert_array_equal(np.asarray(found), np.asarray(apart))

    def test_a_map_of_queries_and_keys_knows_its_values(self) -> None:
        generator = np.random.default_rng(0)
        query, key, value = (generator.normal(size=(2, 4, 5, 3)) for _ in range(3))
        att = aw.Attention.from_qk(query, key[:, :2], value=value[:, :2], causal=True)
        expected = aw.methods.value_norm(np.asarray(att), value[:, :2])
        np.testing.assert_allclose(aw.methods.value_norm(att), expected, rtol=1e-5)
        part = aw.methods.value_norm(att.select(layers=1, heads=[3, 0]))
        np.testing.assert_allclose(part[0], np.asarray(expected)[1, [3, 0]], rtol=1e-5)
        with pytest.raises(ValueError, match="this map knows no values"):
            aw.methods.value_norm(att.select(keys=[0, 1]))

    def test_only_what_is_asked_for_is_read(self) -> None:
        model = random_model()
        array = CountedArray(model.att.astype(np.float32))
        found = aw.methods.value_norm(array, model.value)
        assert array.asked == []
        found[1, 2, 0, 1:3]
        assert array.asked == [(1, slice(2, 3), slice(0, 1), slice(1, 3))]

    def test_what_does_not_fit(self) -> None:
        model = random_model()
        norm = aw.methods.value_norm
        with pytest.raises(ValueError, match="this map knows no values: give value="):
            norm(model.att)
        with pytest.raises(ValueError, match=r"value must have shape \(2, 3, 4, D\)"):
            norm(model.att, model.value[:, :2])
        with pytest.raises(ValueError, match=r"output must have shape \(2, 6, 5\) or"):
            norm(model.att, model.value, model.output[:, 1:])
        with pytest.raises(ValueError, match=r"hidden must have shape \(2, 4, 5\)"):
            norm(model.att, model.value, model.output, heads="sum", hidden=model.bias)
        with pytest.raises(ValueError, match='use heads="sum" with hidden and gamma'):
            norm(model.att, model.value, model.output, hidden=model.hidden)
        with pytest.raises(ValueError, match="as many queries as keys; got 2 and 4"):
            norm(model.att[..., :2, :], model.value, heads="sum", hidden=np.zeros((4, 6)))


class TestContributions:
    def test_golden(self) -> None:
        shares = aw.methods.contributions([[3.0, 0.0], [1.0, 0.0]])
        np.testing.assert_allclose(shares, [0.75, 0.25])

    def test_terms_that_cancel_have_no_share(self) -> None:
        np.testing.assert_array_equal(aw.methods.contributions([[1.0, 0], [-1.0, 0]]), [0, 0])

    @given(st.integers(0, 99), st.integers(1, 3), st.integers(1, 4))
    def test_rows_sum_to_one(self, seed: int, layers: int, length: int) -> None:
        model = random_model(layers=layers, length=length, seed=seed)
        for method in (aw.methods.alti, aw.methods.globenc):
            for rollout in (True, False):
                found = method(model.att, model.value, model.output, rollout=rollout, **model.parts)
                assert found.shape == (1 if rollout else layers, 1, length, length)
                sums = np.asarray(found).sum(axis=-1)
                if method is aw.methods.globenc:
                    np.testing.assert_allclose(sums, 1, rtol=1e-5)
                elif not rollout:
                    # A row of terms that all lead away from their sum has no shares.
                    np.testing.assert_allclose(sums, sums.round(), rtol=1e-5)
                assert sums.max() <= 1 + 1e-5

    def test_layers_are_multiplied_without_the_identity(self) -> None:
        model = random_model(layers=3)
        for method in (aw.methods.alti, aw.methods.globenc):
            each = method(model.att, model.value, model.output, rollout=False, **model.parts)
            first, second, third = np.asarray(each)[:, 0].astype(np.float64)
            found = method(model.att, model.value, model.output, **model.parts)
            np.testing.assert_allclose(found[0, 0], third @ second @ first, rtol=1e-5)

    def test_attention_to_oneself_alone_is_left_alone(self) -> None:
        model = random_model()
        alone = np.broadcast_to(np.eye(4), model.att.shape)
        for method in (aw.methods.alti, aw.methods.globenc):
            found = method(alone, model.value, model.output, **model.parts)
            np.testing.assert_allclose(found[0, 0], np.eye(4), atol=1e-12)

    def test_permuting_tokens_permutes_the_result(self) -> None:
        model = random_model()
        order = [2, 0, 3, 1]
        moved = Model(
            model.att[..., order, :][..., order],
            model.value[:, :, order],
            model.output,
            model.hidden[:, order],
            model.bias,
            model.gamma,
        )
        for method in (aw.methods.alti, aw.methods.globenc):
            expected = method(model.att, model.value, model.output, **model.parts)[0, 0]
            found = method(moved.att, moved.value, moved.output, **moved.parts)
            np.testing.assert_allclose(found[0, 0], expected[np.ix_(order, order)], rtol=1e-5)

    def test_globenc_without_the_second_layer_norm_is_norms(self) -> None:
        model = random_model()
        norms = aw.methods.value_norm(
            model.att, model.value, model.output, heads="sum", **model.parts
        )
        shares = np.asarray(norms) / np.asarray(norms).sum(axis=-1, keepdims=True)
        found = aw.methods.globenc(
            model.att, model.value, model.output, rollout=False, **model.parts
        )
        np.testing.assert_allclose(found, shares, rtol=1e-5)

    def test_the_second_layer_norm_scales_every_row(self) -> None:
        model = random_model()
        second = np.random.default_rng(8).normal(size=model.hidden.shape)
        gamma = np.array([1.0, 2.0, 0.5, 1.0, 3.0])
        found = aw.methods.globenc(
            model.att,
            model.value,
            model.output,
            second=second,
            second_gamma=gamma,
            rollout=False,
            **model.parts,
        )
        att = aw.Attention(model.att)
        sublayer = Sublayer(att, Values(att, model.value, model.output), **model.parts)
        terms = sublayer.sums(1, slice(0, 4)).terms
        centred = (terms - terms.mean(axis=-1, keepdims=True)) * gamma
        norms = np.linalg.norm(centred, axis=-1) / second[1].std(axis=-1, keepdims=True)
        np.testing.assert_allclose(found[1, 0], norms / norms.sum(axis=1, keepdims=True), rtol=1e-5)

    def test_rollout_needs_self_attention_but_a_layer_does_not(self) -> None:
        weights, value = [[0.25, 0.75]], np.array([[4.0], [4.0]])
        found = aw.methods.alti(weights, value, rollout=False)
        np.testing.assert_allclose(found[0, 0], [[0.25, 0.75]])
        with pytest.raises(ValueError, match="alti follows attention from layer to layer"):
            aw.methods.alti(weights, value)


class TestValueZeroing:
    def attention_only(self, weights: Array, values: Any = None) -> Any:
        """A layer that adds up values, one-hot ones where none are given, and nothing else."""

        def outputs(layer: int, zeroed: int | None) -> Array:
            value = np.eye(weights.shape[-1]) if values is None else np.array(values)
            if zeroed is not None:
                value[zeroed] = 0
            return np.asarray(weights[layer] @ value)

        return outputs

    def test_golden(self) -> None:
        weights = np.array([A1])
        outputs = self.attention_only(weights, [[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
        shares: list[float] = []
        found = aw.methods.value_zeroing(weights, outputs, progress=shares.append)
        expected = [
            [0.726132, 0.273868, 0],
            [0.137281, 0.753604, 0.109115],
            [0.048467, 0.176727, 0.774806],
        ]
        np.testing.assert_allclose(found[0, 0], expected, atol=5e-7)
        assert found[0, 0, 0, 2] == 0
        assert shares == pytest.approx([1 / 3, 2 / 3, 1])

    def test_layers_are_multiplied_without_the_identity(self) -> None:
        weights = random_model(heads=1).att
        each = aw.methods.value_zeroing(weights, self.attention_only(weights[:, 0]))
        first, second = np.asarray(each)[:, 0].astype(np.float64)
        found = aw.methods.value_zeroing(weights, self.attention_only(weights[:, 0]), rollout=True)
        np.testing.assert_allclose(found[0, 0], second @ first, rtol=1e-5)

    def test_attention_to_oneself_alone_is_left_alone(self) -> None:
        alone = np.eye(3)[None]
        found = aw.methods.value_zeroing(alone, self.attention_only(alone))
        np.testing.assert_array_equal(found[0, 0], np.eye(3))

    def test_what_outputs_must_return(self) -> None:
        with pytest.raises(ValueError, match=r"one vector a position, \(3, D\); got shape \(3,\)"):
            aw.methods.value_zeroing([A1], lambda layer, zeroed: np.zeros(3))


class TestEffective:
    def test_the_output_is_the_same(self) -> None:
        model = random_model(length=6, size=2)
        found = np.asarray(aw.methods.effective(model.att, model.value))
        assert np.abs(found - model.att).max() > 0.1
        np.testing.assert_allclose(found @ model.value, model.att @ model.value, atol=1e-6)
        np.testing.assert_array_equal(aw.methods.free_directions(model.att, model.value), 4)

    def test_where_values_tell_all_keys_apart_nothing_changes(self) -> None:
        model = random_model(length=4, size=4)
        found = aw.methods.effective(model.att, model.value)
        np.testing.assert_allclose(found, model.att, atol=1e-6)
        np.testing.assert_array_equal(aw.methods.free_directions(model.att, model.value), 0)
        assert found.made[-1].notes == (
            "values have full rank (4): attention is determined by the output",
        )

    def test_what_is_left_lies_in_what_values_tell_apart(self) -> None:
        """A⊥ is the row nearest to 0 of all that have the output: the least-squares one."""
        model = random_model(length=7, size=3)
        for output in (None, model.output):
            told = model.value if output is None else transformed(model)
            found = np.asarray(aw.methods.effective(model.att, model.value, output))
            expected = model.att @ told @ np.linalg.pinv(told)
            np.testing.assert_allclose(found, expected, atol=1e-6)

    def test_permuting_tokens_permutes_the_result(self) -> None:
        model = random_model(length=6)
        order = [4, 0, 5, 2, 1, 3]
        found = aw.methods.effective(model.att[..., order, :][..., order], model.value[:, :, order])
        expected = np.asarray(aw.methods.effective(model.att, model.value))
        np.testing.assert_allclose(found, expected[..., order, :][..., order], atol=1e-6)

    def test_parts_are_parts_of_the_whole(self) -> None:
        model = random_model(length=6)
        found = aw.methods.effective(model.att, model.value)
        whole = np.asarray(found)
        np.testing.assert_allclose(found[1, 1:, 2:4, 3:], whole[1, 1:, 2:4, 3:], atol=1e-7)

    def test_its_record_says_what_output_leaves_open(self) -> None:
        value = np.zeros((1, 2, 3, 2))
        value[0, 0, 0] = 1
        value[0, 1] = [[1, 0], [0, 1], [1, 1]]
        found = aw.methods.effective(np.full((1, 2, 3, 3), 1 / 3), value)
        assert found.made[-1].notes == (
            "values have rank 1 … 2 of 3 keys: the output does not determine attention",
        )
        assert found.kind == "difference"


class Run(NamedTuple):
    """A BERT that ran on one sentence."""

    model: Model
    second: Array
    after_first: Array
    layers: Any
    states: Any


@pytest.fixture(scope="module")
def run() -> Run:
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=30,
        hidden_size=24,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=32,
        max_position_embeddings=16,
        attn_implementation="eager",
    )
    bert = transformers.BertModel(config).eval()
    with torch.no_grad():
        for parameter in bert.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.3)
    caught: dict[str, list[Any]] = {"value": [], "second": [], "after": []}
    for layer in bert.encoder.layer:
        layer.attention.self.value.register_forward_hook(
            lambda module, given, out: caught["value"].append(out)
        )
        layer.output.LayerNorm.register_forward_hook(
            lambda module, given, out: caught["second"].append(given[0])
        )
        layer.attention.output.LayerNorm.register_forward_hook(
            lambda module, given, out: caught["after"].append(out)
        )
    with torch.no_grad():
        out = bert(
            torch.tensor([[1, 5, 9, 9, 3, 2, 7]]),
            output_attentions=True,
            output_hidden_states=True,
        )
    dense = [layer.attention.output.dense for layer in bert.encoder.layer]
    norms = [layer.attention.output.LayerNorm for layer in bert.encoder.layer]

    def numbers(tensors: Any) -> Array:
        return np.stack([tensor.detach().double().numpy() for tensor in tensors])

    value = numbers(caught["value"])[:, 0].reshape(2, 7, 4, 6).swapaxes(1, 2)
    model = Model(
        numbers(out.attentions)[:, 0],
        value,
        numbers(one.weight.T for one in dense),
        numbers(out.hidden_states[:2])[:, 0],
        numbers(one.bias for one in dense),
        numbers(one.weight for one in norms),
    )
    after = numbers(caught["after"])[:, 0] - numbers(one.bias for one in norms)[:, None]
    second = numbers(caught["second"])[:, 0]
    return Run(model, second, after, bert.encoder.layer, out.hidden_states)


class TestRealTransformer:
    """A BERT of PyTorch: its terms add up to what it computes."""

    def test_terms_add_up_to_the_output_of_attention(self, run: Run) -> None:
        att = aw.Attention(run.model.att)
        sublayer = Sublayer(
            att, Values(att, run.model.value, run.model.output), bias=run.model.bias
        )
        for layer in range(2):
            torch_output = run.layers[layer].attention.self(run.states[layer])[0]
            expected = run.layers[layer].attention.output.dense(torch_output)[0].detach().numpy()
            found = sublayer.sums(layer, slice(0, 7)).total
            np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)

    def test_terms_add_up_to_the_layer_norm_less_biases(self, run: Run) -> None:
        att = aw.Attention(run.model.att)
        values = Values(att, run.model.value, run.model.output)
        sublayer = Sublayer(att, values, **run.model.parts)
        for layer in range(2):
            sums = sublayer.sums(layer, slice(0, 7))
            bias = run.model.bias[layer]
            left = (bias - bias.mean()) / sums.total.std(axis=1, keepdims=True)
            found = sums.terms.sum(axis=1) + left * run.model.gamma[layer]
            np.testing.assert_allclose(found, run.after_first[layer], rtol=1e-4, atol=1e-5)

    def test_methods_run_on_it(self, run: Run) -> None:
        model = run.model
        alti = aw.methods.alti(model.att, model.value, model.output, **model.parts)
        globenc = aw.methods.globenc(
            model.att, model.value, model.output, second=run.second, **model.parts
        )
        for found in (alti, globenc):
            np.testing.assert_allclose(np.asarray(found).sum(axis=-1), 1, rtol=1e-5)
        ratio = aw.methods.mixing_ratio(
            model.att, model.value, model.output, model.hidden, gamma=model.gamma, bias=model.bias
        )
        assert ((ratio > 0) & (ratio < 1)).all()

    def test_value_zeroing_of_a_real_layer(self, run: Run) -> None:
        """Zeroing by a hook on the values of the real layer."""

        def outputs(layer: int, zeroed: int | None) -> Any:
            def hook(module: Any, given: Any, out: Any) -> Any:
                out = out.clone()
                if zeroed is not None:
                    out[:, zeroed] = 0
                return out

            handle = run.layers[layer].attention.self.value.register_forward_hook(hook)
            try:
                found = run.layers[layer](run.states[layer])
            finally:
                handle.remove()
            return (found if hasattr(found, "detach") else found[0])[0]

        usual = [outputs(layer, None).detach().double().numpy() for layer in range(2)]
        turned = np.zeros((2, 7, 7))
        for layer, position in np.ndindex(2, 7):
            changed = outputs(layer, position).detach().double().numpy()
            lengths = np.linalg.norm(usual[layer], axis=1) * np.linalg.norm(changed, axis=1)
            turned[layer, :, position] = 1 - (usual[layer] * changed).sum(axis=1) / lengths
        shares = turned / turned.sum(axis=2, keepdims=True)
        each = aw.methods.value_zeroing(run.model.att, outputs)
        np.testing.assert_allclose(np.asarray(each)[:, 0], shares, rtol=1e-4)
        found = aw.methods.value_zeroing(run.model.att, outputs, rollout=True)
        np.testing.assert_allclose(found[0, 0], shares[1] @ shares[0], rtol=1e-4)
