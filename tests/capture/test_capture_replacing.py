"""Weights replaced while a model runs."""

from __future__ import annotations

import sys
import warnings
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from capture_models import TEXT, WAYS, ByHand, made, state, tensors, tokens  # noqa: E402
from torch import Tensor, nn  # noqa: E402

import attn_widget as aw  # noqa: E402
from attn_widget.capture import replacing  # noqa: E402


def as_they_are(weights: Tensor, where: Any) -> Tensor:
    return weights


def uniform(weights: Tensor, where: Any) -> Tensor:
    alike: Tensor = torch.ones_like(weights) / weights.shape[-1]
    return alike


@pytest.mark.parametrize("way", WAYS)
def test_attention_by_hand(way: str) -> None:
    torch.manual_seed(0)
    model, x = ByHand(way), torch.randn(2, 7, 16)
    places: list[Any] = []

    def watch(weights: Tensor, where: Any) -> Tensor:
        places.append((where.path, where.layer, where.forward))
        torch.testing.assert_close(weights, model.weights(x), atol=1e-6, rtol=0)
        return weights

    with replacing(model, watch):
        output = model(x)
    torch.testing.assert_close(output, model(x), atol=1e-5, rtol=0)
    assert places == [("", 0, 0)]
    with replacing(model, uniform):
        output = model(x)
    value = model.heads(x)[2].mean(dim=2, keepdim=True).expand(2, 4, 7, 4)
    expected = model.out(value.transpose(1, 2).flatten(2))
    torch.testing.assert_close(output, expected, atol=1e-6, rtol=0)


@pytest.mark.parametrize("need_weights", [True, False])
def test_multihead_attention(need_weights: bool) -> None:
    torch.manual_seed(0)
    model, x = nn.MultiheadAttention(16, 4).eval(), torch.randn(5, 2, 16)
    with torch.no_grad():
        plain = model(x, x, x, need_weights=need_weights)
        with replacing(model, as_they_are):
            same = model(x, x, x, need_weights=need_weights)
        with replacing(model, uniform):
            output, told = model(x, x, x, need_weights=need_weights)
        value = nn.functional.linear(x, model.in_proj_weight[32:], model.in_proj_bias[32:])
        expected = model.out_proj(value.mean(dim=0, keepdim=True).expand(5, 2, 16))
    for one, other in zip(tensors(plain), tensors(same), strict=True):
        torch.testing.assert_close(one, other, atol=1e-6, rtol=0)
    torch.testing.assert_close(output, expected, atol=1e-6, rtol=0)
    assert (told is None) == (not need_weights)
    if told is not None:
        assert bool((told == 0.2).all())


def test_transformer_with_its_fast_path() -> None:
    torch.manual_seed(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        model = nn.Transformer(16, 4, 2, 2, 32, batch_first=True).eval()
        source, target = torch.randn(2, 6, 16), torch.randn(2, 4, 16)
        causal = nn.Transformer.generate_square_subsequent_mask(4)
        padding = torch.arange(6) >= torch.tensor([[6], [4]])
        given = {
            "tgt_mask": causal,
            "src_key_padding_mask": padding,
            "memory_key_padding_mask": padding,
        }
        places: list[Any] = []

        def watch(weights: Tensor, where: Any) -> Tensor:
            places.append((where.path, where.kind, where.layer))
            return weights

        before = state(model)
        with torch.no_grad():
            plain = model(source, target, **given)
            with replacing(model, watch):
                output = model(source, target, **given)
    assert state(model) == before
    torch.testing.assert_close(plain, output, atol=1e-5, rtol=0)
    assert places == [
        ("encoder.layers.0.self_attn", "encoder", 0),
        ("encoder.layers.1.self_attn", "encoder", 1),
        ("decoder.layers.0.self_attn", "decoder", 0),
        ("decoder.layers.0.multihead_attn", "cross", 0),
        ("decoder.layers.1.self_attn", "decoder", 1),
        ("decoder.layers.1.multihead_attn", "cross", 1),
    ]


@pytest.mark.parametrize("implementation", ["eager", "sdpa"])
@pytest.mark.parametrize("name", ["Bert", "Llama", "T5"])
def test_transformers_models(name: str, implementation: str) -> None:
    transformers = pytest.importorskip("transformers")
    sizes: dict[str, Any] = {**TEXT}
    given = {"input_ids": tokens(2, 9), "attention_mask": torch.ones(2, 9, dtype=torch.long)}
    given["attention_mask"][1, 6:] = 0
    if name == "Llama":
        sizes["num_key_value_heads"] = 2
    if name == "T5":
        sizes = {"vocab_size": 99, "d_model": 32, "d_kv": 8, "d_ff": 37}
        sizes |= {"num_layers": 2, "num_heads": 4}
        given["decoder_input_ids"] = tokens(2, 5)
    model = made(
        getattr(transformers, f"{name}Model"), getattr(transformers, f"{name}Config")(**sizes)
    )
    model.set_attn_implementation(implementation)

    def first_layer(weights: Tensor, where: Any) -> Tensor:
        return uniform(weights, where) if where.layer == 0 else weights

    with torch.no_grad():
        plain = tensors(model(**given))
        with replacing(model, as_they_are):
            same = tensors(model(**given))
        with replacing(model, first_layer), aw.capture(model) as captured:
            changed = tensors(model(**given))
    for one, other in zip(plain, same, strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=0)
    assert not torch.allclose(plain[0], changed[0], atol=1e-3)
    assert captured.missed == {}


def test_the_function_is_not_hidden_by_a_module_of_its_name() -> None:
    import attn_widget.capture as package

    with replacing(ByHand("fused"), as_they_are):
        pass
    assert callable(package), "aw.capture is the function"
    assert sys.modules["attn_widget.capture"].replacing is replacing


def test_decoding_steps_are_counted() -> None:
    transformers = pytest.importorskip("transformers")
    config = transformers.LlamaConfig(**TEXT, num_key_value_heads=2)
    model = made(transformers.LlamaForCausalLM, config)
    places: list[Any] = []

    def watch(weights: Tensor, where: Any) -> Tensor:
        places.append((where.forward, where.layer, tuple(weights.shape)))
        return weights

    given = {"max_new_tokens": 3, "min_new_tokens": 3, "do_sample": False}
    plain = model.generate(tokens(1, 5), **given)
    with replacing(model, watch):
        written = model.generate(tokens(1, 5), **given)
    assert torch.equal(plain, written)
    assert places == [
        (step, layer, (1, 4, 5 if step == 0 else 1, 5 + step))
        for step in range(3)
        for layer in range(2)
    ]


def test_a_change_of_shape_is_refused_and_gradients_flow() -> None:
    model, x = ByHand("fused"), torch.randn(2, 5, 16, requires_grad=True)
    message = r"weights of shape \(2, 4, 5, 5\) for the model; got \(1, 4, 5, 5\)"
    with pytest.raises(ValueError, match=message), replacing(model, lambda one, _: one[:1]):
        model(x)
    with replacing(model, as_they_are):
        model(x).sum().backward()
    assert x.grad is not None
