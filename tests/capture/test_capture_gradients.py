"""Gradients with respect to weights that were never formed, against those of weights that were."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from capture_models import TEXT, WAYS, ByHand, made, one, stacked, tokens  # noqa: E402
from torch import nn  # noqa: E402
from torch.utils.checkpoint import checkpoint  # noqa: E402

import attn_widget as aw  # noqa: E402


@pytest.mark.parametrize("way", WAYS)
def test_gradients_of_weights_by_hand(way: str) -> None:
    torch.manual_seed(0)
    model, x = ByHand(way), torch.randn(2, 7, 16)
    with aw.capture(model, gradients=True) as captured:
        model(x).pow(2).sum().backward()
    weights = model.weights(x).detach().requires_grad_()
    _, _, value = model.heads(x)
    model.out((weights @ value).transpose(1, 2).flatten(2)).pow(2).sum().backward()
    assert weights.grad is not None
    for entry in range(2):
        # The other entries' gradients are those of their own weights.
        name = next(iter(captured.select(entry)))
        found = one(captured.gradients[name]) if entry == 0 else None
        if found is not None:
            assert found.kind == "relevance"
            np.testing.assert_allclose(np.asarray(found)[0], weights.grad[0], atol=1e-5)


def test_gradients_of_multihead_attention_after_the_block() -> None:
    torch.manual_seed(0)
    model, x = nn.MultiheadAttention(16, 4), torch.randn(5, 2, 16)
    with aw.capture(model, gradients=True, batch=1) as captured:
        output, _ = model(x, x, x, need_weights=False)
    with pytest.raises(RuntimeError, match="call backward"):
        _ = captured.gradients
    output.pow(2).sum().backward()
    packed = nn.functional.linear(x, model.in_proj_weight, model.in_proj_bias)
    q, k, v = (part.unflatten(2, (4, 4)).permute(1, 2, 0, 3) for part in packed.chunk(3, -1))
    weights = (q @ k.mT / 2).softmax(-1).detach().requires_grad_()
    joined = (weights @ v).permute(2, 0, 1, 3).flatten(2)
    model.out_proj(joined).pow(2).sum().backward()
    assert weights.grad is not None
    (found,) = captured.gradients.values()
    np.testing.assert_allclose(np.asarray(one(found))[0], weights.grad[1], atol=1e-5)


@pytest.mark.parametrize("implementation", ["eager", "sdpa"])
def test_gradients_of_grouped_heads_are_those_of_the_eager_model(implementation: str) -> None:
    transformers = pytest.importorskip("transformers")
    config = transformers.LlamaConfig(**TEXT, num_key_value_heads=2)
    model: Any = made(transformers.LlamaForCausalLM, config)
    ids = tokens(1, 9)
    model.set_attn_implementation("eager")
    output = model(ids, output_attentions=True)
    expected = torch.autograd.grad(output.logits[0, -1, 7], output.attentions)
    model.set_attn_implementation(implementation)
    with aw.capture(model, gradients=True) as captured:
        model(ids).logits[0, -1, 7].backward()
    found = captured.gradients["decoder"]
    visible = np.asarray(captured.maps["decoder"]) > 0
    np.testing.assert_allclose(
        np.asarray(one(found)) * visible, stacked(expected) * visible, atol=1e-6
    )
    model(ids).logits[0, -1, 3].backward()
    np.testing.assert_array_equal(captured.gradients["decoder"], found)


@pytest.mark.parametrize("reentrant", [True, False])
def test_what_backward_runs_again_is_no_pass(reentrant: bool) -> None:
    torch.manual_seed(0)
    model, x = ByHand("fused"), torch.randn(1, 5, 16, requires_grad=True)
    with aw.capture(model) as captured:
        checkpoint(model, x, use_reentrant=reentrant).sum().backward()
    assert captured.passes == 1
    assert one(captured.maps["ByHand"]).shape == (1, 4, 5, 5)


def test_the_last_backward_wins() -> None:
    torch.manual_seed(0)
    model, x = ByHand("fused"), torch.randn(1, 5, 16)
    with aw.capture(model, gradients=True) as captured:
        output = model(x)
    output[0, -1, 0].backward(retain_graph=True)
    first = np.asarray(captured.gradients["ByHand"])
    output[0, -1, 1].backward(retain_graph=True)
    second = np.asarray(captured.gradients["ByHand"])
    output[0, -1, 0].backward()
    assert not np.allclose(first, second)
    np.testing.assert_array_equal(captured.gradients["ByHand"], first)
