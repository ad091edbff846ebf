"""Gradients of attention in closed form equal those that PyTorch finds."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import attn_widget as aw
from attn_widget.mechanisms import LocalPosition

torch = pytest.importorskip("torch")

HEADS, GROUPS, QUERIES, KEYS, SIZE = 4, 2, 5, 6, 3


class Additive(torch.nn.Module):  # type: ignore[misc, name-defined]
    """Bahdanau's score as it is written with PyTorch's layers."""

    def __init__(self, size: int, hidden: int) -> None:
        super().__init__()
        self.query = torch.nn.Linear(size, hidden, bias=False, dtype=torch.float64)
        self.key = torch.nn.Linear(size, hidden, bias=False, dtype=torch.float64)
        self.v = torch.nn.Linear(hidden, 1, bias=False, dtype=torch.float64)

    def forward(self, query: Any, key: Any) -> Any:
        """Return the scores."""
        sums = self.query(query)[..., :, None, :] + self.key(key)[..., None, :, :]
        return self.v(torch.tanh(sums))[..., 0]


def drawn(*shape: int) -> Any:
    return torch.randn(*shape, dtype=torch.float64, requires_grad=True)


def spread(grouped: Any) -> Any:
    return grouped.repeat_interleave(HEADS // GROUPS, dim=-3)


@pytest.fixture
def given() -> tuple[Any, Any, Any, Any]:
    torch.manual_seed(0)
    query, key = drawn(2, HEADS, QUERIES, SIZE), drawn(2, GROUPS, KEYS, SIZE)
    return query, key, drawn(2, GROUPS, KEYS, 7), torch.randn(2, HEADS, QUERIES, 7).double()


def attend(scores: Any, value: Any, options: dict[str, Any]) -> tuple[Any, Any]:
    """Return weights and output of scores, with whichever options there are."""
    logits = scores
    if "softcap" in options:
        logits = options["softcap"] * torch.tanh(logits / options["softcap"])
    logits = logits / options.get("temperature", 1)
    if "mask" in options:
        logits = logits.masked_fill(~options["mask"], -torch.inf)
    if "sinks" in options:
        sinks = torch.as_tensor(options["sinks"]).double().reshape(-1, 1, 1)
        sinks = sinks.expand(*logits.shape[:-1], 1) / options.get("temperature", 1)
        weights = torch.cat([logits, sinks], dim=-1).softmax(-1)[..., :-1]
    else:
        weights = logits.softmax(-1)
    return weights, weights @ spread(value)


def check(found: Any, **expected: Any) -> None:
    for name, tensor in expected.items():
        np.testing.assert_allclose(
            getattr(found, name), tensor.grad.numpy(), rtol=1e-9, atol=1e-11, err_msg=name
        )


MASK = torch.tril(torch.ones(QUERIES, KEYS, dtype=torch.bool))
OPTIONS: list[dict[str, Any]] = [
    {},
    {"mask": MASK},
    {"temperature": 2.0, "softcap": 1.5},
    {"sinks": [0.0, 1.0, -1.0, 2.0], "mask": MASK, "temperature": 0.7},
]


@pytest.mark.parametrize("options", OPTIONS)
def test_scaled_dot_product(given: Any, options: dict[str, Any]) -> None:
    query, key, value, grad = given
    weights, output = attend(query @ spread(key).mT * 0.4, value, options)
    weights.retain_grad()
    output.backward(grad)
    trace = aw.scaled_dot_product_attention(query, key, value, scale=0.4, **options)
    found = trace.gradients(grad)
    check(found, query=query, key=key, value=value, weights=weights)
    assert not found.masked[~trace.allowed].any()


def test_the_function_of_pytorch(given: Any) -> None:
    query, key, value, grad = given
    torch.nn.functional.scaled_dot_product_attention(
        query, key, value, attn_mask=MASK, enable_gqa=True
    ).backward(grad)
    found = aw.scaled_dot_product_attention(query, key, value, mask=MASK).gradients(grad)
    check(found, query=query, key=key, value=value)


@pytest.mark.parametrize("options", OPTIONS)
def test_additive(given: Any, options: dict[str, Any]) -> None:
    query, key, value, grad = given
    module = Additive(SIZE, 4)
    weights, output = attend(module(query, spread(key)), value, options)
    weights.retain_grad()
    output.backward(grad)
    layers = module.query.weight, module.key.weight, module.v.weight
    trace: Any = aw.additive_attention(
        query, key, layers[0].T, layers[1].T, layers[2][0], value, **options
    )
    np.testing.assert_allclose(trace.output, output.detach().numpy(), atol=1e-12)
    found = trace.gradients(grad)
    check(found, query=query, key=key, value=value, weights=weights)
    for grads, layer in ((found.w_query, layers[0]), (found.w_key, layers[1])):
        np.testing.assert_allclose(grads.T, layer.grad.numpy(), atol=1e-11)
    np.testing.assert_allclose(found.v, layers[2].grad.numpy()[0], atol=1e-11)


def test_general(given: Any) -> None:
    query, key, value, grad = given
    w = drawn(SIZE, SIZE)
    attend(query @ w @ spread(key).mT, value, {})[1].backward(grad)
    found = aw.multiplicative_attention(query, key, w, value).gradients(grad)
    check(found, query=query, key=key, value=value, w=w)


def test_concat(given: Any) -> None:
    query, key, value, grad = given
    w, v = drawn(2 * SIZE, 4), drawn(4)
    pairs = torch.cat(
        [
            query[..., :, None, :].expand(-1, -1, -1, KEYS, -1),
            spread(key)[..., None, :, :].expand(-1, -1, QUERIES, -1, -1),
        ],
        dim=-1,
    )
    attend(torch.tanh(pairs @ w) @ v, value, {})[1].backward(grad)
    found = aw.multiplicative_attention(query, key, w, value, v=v).gradients(grad)
    check(found, query=query, key=key, value=value, w=w, v=v)


def test_local(given: Any) -> None:
    query, key, value, grad = given
    w, v = drawn(SIZE, 4), drawn(4)
    positions = KEYS * torch.sigmoid(torch.tanh(query @ w) @ v)
    away = torch.arange(KEYS) - positions[..., None]
    shares, _ = attend(query @ spread(key).mT, value, {})
    weights = shares * torch.exp(-(away**2) / (2 * 1.5**2))
    (weights @ spread(value)).backward(grad)
    trace = aw.multiplicative_attention(query, key, value=value, local=LocalPosition(w, v, 3.0))
    np.testing.assert_allclose(trace.weights, weights.detach().numpy(), atol=1e-12)
    check(trace.gradients(grad), query=query, key=key, value=value, position_w=w, position_v=v)


def test_of_a_loss_on_the_weights(given: Any) -> None:
    query, key, _, _ = given
    trace = aw.multiplicative_attention(query[0], key[0])
    of_weights = np.random.default_rng(0).standard_normal(trace.weights.shape)
    (query[0] @ spread(key[0]).mT).softmax(-1).backward(torch.from_numpy(of_weights))
    found = trace.gradients(grad_weights=of_weights)
    np.testing.assert_allclose(found.query, query.grad[0].numpy(), atol=1e-12)
    np.testing.assert_allclose(found.key, key.grad[0].numpy(), atol=1e-12)
    assert found.value is None


def test_what_is_missing_is_said() -> None:
    trace = aw.multiplicative_attention(np.ones((2, 1)), np.ones((3, 1)))
    with pytest.raises(TypeError, match="needs grad_output or grad_weights; got neither"):
        trace.gradients()
    with pytest.raises(TypeError, match="grad_output needs values"):
        trace.gradients(np.ones((2, 1)))
    with pytest.raises(ValueError, match=r"grad_weights must have shape \(2, 3\); got \(3, 2\)"):
        trace.gradients(grad_weights=np.ones((3, 2)))
