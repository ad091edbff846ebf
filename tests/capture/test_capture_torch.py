"""Capture of PyTorch's own modules, and of attention written by hand."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any, cast

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from capture_models import WAYS, ByHand, later, one, only, same, state  # noqa: E402
from torch import Tensor, nn  # noqa: E402

import attn_widget as aw  # noqa: E402
from attn_widget.qk import QKSource  # noqa: E402

Grad = Any


@pytest.mark.parametrize("grad", [torch.no_grad, torch.enable_grad, torch.inference_mode])
@pytest.mark.parametrize("way", WAYS)
def test_attention_by_hand(way: str, grad: Grad) -> None:
    torch.manual_seed(0)
    model, x = ByHand(way).eval(), torch.randn(2, 7, 16)
    with grad():
        plain = model(x)
        with aw.capture(model, values=True) as captured:
            output = model(x)
        expected = model.weights(x).numpy(force=True)
    assert torch.equal(plain, output)
    assert captured.missed == {}
    assert list(captured.maps) == ["ByHand"]
    for entry in range(2):
        np.testing.assert_allclose(only(captured, entry)[0], expected[entry], atol=1e-6)
    source = one(captured.maps["ByHand"]).source
    assert isinstance(source, QKSource), "the weights themselves were kept"
    assert source.value is not None


@pytest.mark.parametrize("way", WAYS)
def test_a_causal_mask_is_kept_as_a_rule(way: str) -> None:
    model, x = ByHand(way), torch.randn(1, 64, 16)
    with aw.capture(model) as captured:
        model(x)
    source = one(captured.maps["ByHand"]).source
    rules = vars(source)["_rules"]
    assert (rules.reach.causal, rules.mask, rules.bias) == (True, None, None)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("need_weights", [True, False])
@pytest.mark.parametrize("batch_first", [True, False])
@pytest.mark.parametrize("grad", [torch.no_grad, torch.enable_grad])
def test_multihead_attention(
    batch_first: bool, need_weights: bool, training: bool, grad: Grad
) -> None:
    torch.manual_seed(0)
    model = nn.MultiheadAttention(16, 4, batch_first=batch_first).train(training)
    x = torch.randn(2, 5, 16)
    padding = torch.tensor([[False] * 5, [False, False, False, True, True]])
    given = x if batch_first else x.transpose(0, 1)
    with grad():
        plain = model(given, given, given, padding, need_weights)
        with aw.capture(model) as captured:
            output = model(given, given, given, padding, need_weights)
    assert same(plain, output)
    expected = explicit(model, x, padding)
    for entry in range(2):
        np.testing.assert_allclose(only(captured, entry)[0], expected[entry], atol=1e-6)


def test_multihead_attention_of_other_keys_with_all_that_is_appended() -> None:
    torch.manual_seed(0)
    model = nn.MultiheadAttention(
        16, 4, batch_first=True, add_bias_kv=True, add_zero_attn=True, kdim=6, vdim=7
    ).eval()
    q, k, v = torch.randn(2, 3, 16), torch.randn(2, 5, 6), torch.randn(2, 5, 7)
    mask = torch.tensor([[False, False, True, False, False]]).expand(3, 5)
    expected = model(q, k, v, attn_mask=mask, average_attn_weights=False)[1].detach()
    with aw.capture(model) as captured:
        model(q, k, v, attn_mask=mask, need_weights=False)
    assert only(captured).shape == (1, 4, 3, 7)
    for entry in range(2):
        np.testing.assert_allclose(only(captured, entry)[0], expected[entry], atol=1e-6)


def test_multihead_attention_without_a_batch_and_with_a_mask_a_head() -> None:
    torch.manual_seed(0)
    model, x = nn.MultiheadAttention(16, 4), torch.randn(5, 16)
    bias = torch.randn(4, 5, 5)
    expected = model(x, x, x, attn_mask=bias, average_attn_weights=False)[1].detach()
    with aw.capture(model) as captured:
        model(x, x, x, attn_mask=bias)
    np.testing.assert_allclose(only(captured)[0], expected, atol=1e-6)


def explicit(layer: nn.MultiheadAttention, x: Tensor, padding: Tensor | None) -> Any:
    """Weights of a layer of 4 heads, (batch, H, Q, K)."""
    with torch.no_grad():
        packed = torch.nn.functional.linear(x, layer.in_proj_weight, layer.in_proj_bias)
        q, k, _ = (part.unflatten(2, (4, -1)).transpose(1, 2) for part in packed.chunk(3, -1))
        logits = q @ k.mT / q.shape[-1] ** 0.5
        if padding is not None:
            logits = logits.masked_fill(padding[:, None, None], -torch.inf)
        return logits.softmax(-1).numpy()


@pytest.mark.parametrize("padded", [True, False])
@pytest.mark.parametrize("norm_first", [True, False])
def test_the_fast_path_of_an_encoder_is_taken_and_seen(norm_first: bool, padded: bool) -> None:
    torch.manual_seed(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        layer = nn.TransformerEncoderLayer(16, 4, 32, batch_first=True, norm_first=norm_first)
        model = nn.TransformerEncoder(layer, 2).eval()
        x = torch.randn(2, 6, 16)
        padding = None
        if padded:
            padding = torch.arange(6) >= torch.tensor([[5], [3]])
        before = state(model)
        with torch.no_grad():
            plain = model(x, src_key_padding_mask=padding)
            with aw.capture(model) as captured:
                output = model(x, src_key_padding_mask=padding)
        assert state(model) == before
        # Nested tensors leave zeros at padding: only the fast path does.
        assert torch.equal(plain, output)
        assert bool((output[1, 3:] == 0).all()) == (padded and not norm_first)
        states = x
        expected = []
        for one_layer in model.layers:
            given = one_layer.norm1(states) if norm_first else states
            expected.append(explicit(one_layer.self_attn, given, padding))
            states = one_layer(states, src_key_padding_mask=padding)
    assert list(captured.maps) == ["encoder"]
    (first, _) = captured.outputs["encoder"]
    assert first is not None
    assert torch.equal(first.flatten(0, 1), model.layers[0].self_attn.out_proj.weight.T)
    for entry, real in ((0, 5), (1, 3)):
        rows = real if padded else 6
        found = np.asarray(captured.select(entry)["encoder"])
        for place in range(2):
            np.testing.assert_allclose(
                found[place, :, :rows], expected[place][entry][:, :rows], atol=1e-6
            )


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("batch_first", [True, False])
def test_transformer(batch_first: bool, training: bool) -> None:
    torch.manual_seed(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        model = nn.Transformer(16, 4, 2, 2, 32, 0.0, batch_first=batch_first).train(training)
    source, target = torch.randn(2, 6, 16), torch.randn(2, 4, 16)
    if not batch_first:
        source, target = source.transpose(0, 1), target.transpose(0, 1)
    causal = nn.Transformer.generate_square_subsequent_mask(4)
    weights: dict[str, list[Any]] = {"encoder": [], "decoder": [], "cross": []}

    def keep(name: str) -> Any:
        def hook(module: nn.Module, args: Any, kwargs: Any, output: Any) -> None:
            again = {**kwargs, "need_weights": True, "average_attn_weights": False}
            weights[name].append(
                nn.MultiheadAttention.forward(cast(Any, module), *args, **again)[1]
            )

        return hook

    with torch.no_grad():
        plain = model(source, target, tgt_mask=causal)
        with aw.capture(model) as captured:
            output = model(source, target, tgt_mask=causal)
        handles = [
            module.register_forward_hook(keep(name), with_kwargs=True)
            for name, places in (
                ("encoder", [layer.self_attn for layer in model.encoder.layers]),
                ("decoder", [layer.self_attn for layer in model.decoder.layers]),
                ("cross", [layer.multihead_attn for layer in model.decoder.layers]),
            )
            for module in places
        ]
        model(source, target, tgt_mask=causal)
        for handle in handles:
            handle.remove()
    assert torch.equal(plain, output)
    assert list(captured.maps) == ["encoder", "decoder", "cross"]
    for name, found in weights.items():
        for entry in range(2):
            expected = np.stack([layer[entry].numpy() for layer in found])
            np.testing.assert_allclose(captured.select(entry)[name], expected, atol=1e-6)


def test_grouped_heads_of_fused_attention_keep_their_few_keys() -> None:
    torch.manual_seed(0)

    class Grouped(nn.Module):
        def __init__(self, repeat: bool) -> None:
            super().__init__()
            self.project, self.repeat = nn.Linear(16, 16 + 2 * 8), repeat

        def parts(self, x: Tensor) -> list[Tensor]:
            parts = self.project(x).split((16, 8, 8), dim=-1)
            return [part.unflatten(2, (-1, 4)).transpose(1, 2) for part in parts]

        def forward(self, x: Tensor) -> Tensor:
            q, k, v = self.parts(x)
            if self.repeat:
                k, v = (part.repeat_interleave(2, dim=1) for part in (k, v))
            attend = torch.nn.functional.scaled_dot_product_attention
            attended: Tensor = attend(q, k, v, scale=0.3, enable_gqa=not self.repeat)
            return attended

    for repeat in (True, False):
        model, x = Grouped(repeat), torch.randn(1, 5, 16)
        with aw.capture(model, values=True) as captured:
            model(x)
        q, k, _ = (part.detach()[0] for part in model.parts(x))
        expected = (q @ k.repeat_interleave(2, dim=0).mT * 0.3).softmax(-1)
        np.testing.assert_allclose(only(captured)[0], expected, atol=1e-6)
        source = one(captured.maps["Grouped"]).source
        assert isinstance(source, QKSource)
        assert source.value is not None
        assert source.value.shape == (1, 2, 5, 4)


def test_additive_attention_of_a_decoder_keeps_the_weights_it_formed() -> None:
    torch.manual_seed(0)

    class Bahdanau(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.query, self.key, self.score = nn.Linear(8, 8), nn.Linear(8, 8), nn.Linear(8, 1)

        def forward(self, state: Tensor, memory: Tensor) -> tuple[Tensor, Tensor]:
            hidden = torch.tanh(self.query(state)[:, None] + self.key(memory))
            weights = torch.softmax(self.score(hidden).squeeze(-1), dim=1)
            return torch.bmm(weights.unsqueeze(1), memory).squeeze(1), weights

    class Decoder(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.attention = Bahdanau()

        def forward(self, memory: Tensor, steps: int) -> Tensor:
            state, rows = memory.mean(dim=1), []
            for _ in range(steps):
                state, weights = self.attention(state, memory)
                rows.append(weights)
            told: Tensor = torch.stack(rows, dim=1)
            return told

    model, memory = Decoder(), torch.randn(2, 6, 8)
    with aw.capture(model) as captured:
        expected = model(memory, 4).detach()
    assert list(captured.maps) == ["attention"]
    for entry in range(2):
        np.testing.assert_array_equal(only(captured, entry)[0, 0], expected[entry])
    assert any("formed" in note for note in captured.notes)


def clamped(logits: Tensor) -> Tensor:
    return logits.clamp_(max=0.5)


def reversed_sign(logits: Tensor) -> Tensor:
    turned: Tensor = 1 - logits
    return turned


def partly_written(logits: Tensor) -> Tensor:
    logits[..., 1] = 3.0
    return logits


def written_through_a_view(logits: Tensor) -> Tensor:
    logits[:, :, 2:].mul_(2)
    return logits


def written_into(logits: Tensor) -> Tensor:
    torch.exp(logits, out=logits)
    return logits


def softly_masked(logits: Tensor) -> Tensor:
    return logits.masked_fill(later(logits.shape[-1]), -3.0)


def masked_by_numbers(logits: Tensor) -> Tensor:
    # A boolean tensor that is added is numbers.
    return logits + ~later(logits.shape[-1])


def bent(logits: Tensor) -> Tensor:
    flattened: Tensor = torch.tanh(logits + 1)
    return flattened


@pytest.mark.parametrize(
    "change",
    [
        clamped,
        reversed_sign,
        partly_written,
        written_through_a_view,
        written_into,
        softly_masked,
        masked_by_numbers,
        bent,
    ],
)
def test_whatever_is_done_to_logits_the_map_is_true(change: Callable[[Tensor], Tensor]) -> None:
    torch.manual_seed(0)

    class Odd(ByHand):
        def forward(self, x: Tensor) -> Tensor:
            q, k, v = self.heads(x)
            self.formed = torch.softmax(change(q @ k.mT), dim=-1)
            attended: Tensor = self.formed @ v
            return attended

    model, x = Odd("fused"), torch.randn(2, 5, 16)
    with torch.no_grad(), aw.capture(model) as captured:
        model(x)
    for entry in range(2):
        np.testing.assert_allclose(only(captured, entry)[0], model.formed[entry], atol=1e-6)


def test_weights_changed_after_softmax_are_kept_as_they_are_used() -> None:
    torch.manual_seed(0)

    class Gated(ByHand):
        def forward(self, x: Tensor) -> Tensor:
            q, k, v = self.heads(x)
            self.formed = torch.softmax(q @ k.mT, dim=-1) * torch.tensor([0.0, 0.5, 1, 2]).view(
                4, 1, 1
            )
            attended: Tensor = self.formed @ v
            return attended

    model = Gated("fused")
    with torch.no_grad(), aw.capture(model) as captured:
        model(torch.randn(1, 5, 16))
    np.testing.assert_array_equal(only(captured), model.formed)


def test_heads_that_queries_are_shared_by() -> None:
    class Shared(nn.Module):
        def forward(self, q: Tensor, k: Tensor) -> Tensor:
            attended: Tensor = torch.nn.functional.scaled_dot_product_attention(q, k, k)
            return attended

    q, k = torch.randn(1, 1, 3, 4), torch.randn(2, 2, 5, 4)
    with aw.capture(Shared()) as captured:
        captured.model(q, k)
    for entry in range(2):
        expected = (q[0] @ k[entry].mT / 2).softmax(-1)
        np.testing.assert_allclose(only(captured, entry)[0], expected, atol=1e-6)


def test_shared_layers_are_layers() -> None:
    torch.manual_seed(0)

    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.block = ByHand("fused")

        def forward(self, x: Tensor) -> Tensor:
            attended: Tensor = self.block(self.block(x))
            return attended

    model, x = Twice(), torch.randn(1, 5, 16)
    with aw.capture(model) as captured:
        model(x)
    first, second = model.block.weights(x), model.block.weights(model.block(x))
    expected = torch.cat([first, second]).detach()
    np.testing.assert_allclose(only(captured), expected, atol=1e-6)
