"""Tiny models with random weights, and what they say themselves about their attention."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

import attn_widget as aw

# Tiny models gain nothing by threads, and lose much where others are at work.
torch.set_num_threads(1)

TEXT = {
    "vocab_size": 99,
    "hidden_size": 32,
    "intermediate_size": 37,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
}
VISION = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "image_size": 32,
    "patch_size": 8,
}
SEQ2SEQ = {
    "vocab_size": 99,
    "d_model": 32,
    "encoder_layers": 2,
    "decoder_layers": 2,
    "encoder_attention_heads": 4,
    "decoder_attention_heads": 4,
    "encoder_ffn_dim": 37,
    "decoder_ffn_dim": 37,
}


def tokens(batch: int, count: int, seed: int = 0) -> Tensor:
    """Random tokens, none of them special."""
    return torch.randint(5, 90, (batch, count), generator=torch.Generator().manual_seed(seed))


def made(cls: Any, config: Any) -> Any:
    """A model with random weights, ready to run."""
    torch.manual_seed(0)
    return cls(config).eval()


def stacked(layers: Any, entry: int = 0) -> NDArray[np.float32]:
    """Attentions that a model returned, as one map."""
    return np.stack([layer[entry].float().numpy() for layer in layers])


def tensors(output: Any) -> list[Tensor]:
    """All tensors in what a model returned, however deep."""
    if isinstance(output, Tensor):
        return [output]
    if isinstance(output, Mapping):
        output = list(output.values())
    if isinstance(output, (list, tuple)):
        return [one for part in output for one in tensors(part)]
    return []


def same(one: Any, other: Any) -> bool:
    """Whether two outputs hold the same bits."""
    pairs = list(zip(tensors(one), tensors(other), strict=True))
    return bool(pairs) and all(torch.equal(left, right) for left, right in pairs)


def state(model: nn.Module) -> list[Any]:
    """What a model is, its hooks and buffers included."""
    return [
        (name, module.training, {key: repr(value) for key, value in vars(module).items()})
        for name, module in model.named_modules()
    ]


def one(value: Any) -> aw.Attention:
    """A map that is no list of steps."""
    assert isinstance(value, aw.Attention), value
    return value


def only(captured: Any, entry: int = 0) -> NDArray[np.float32]:
    """The weights of the one map there is."""
    (found,) = captured.select(entry).values()
    return np.asarray(one(found))


class ByHand(nn.Module):
    """Causal attention of 4 heads of 4, written in one of the ways that people write it."""

    def __init__(self, way: str) -> None:
        super().__init__()
        self.query, self.key, self.value = (nn.Linear(16, 16) for _ in range(3))
        self.out = nn.Linear(16, 16)
        self.way = way

    def heads(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        q, k, v = (
            part(x).view(*x.shape[:2], 4, 4).transpose(1, 2)
            for part in (self.query, self.key, self.value)
        )
        return q, k, v

    def weights(self, x: Tensor) -> Tensor:
        """What it attends with."""
        q, k, _ = self.heads(x)
        logits = (q @ k.transpose(-1, -2) / 2).masked_fill(later(x.shape[1]), -torch.inf)
        return logits.softmax(-1)

    def forward(self, x: Tensor) -> Tensor:
        attended = WAYS[self.way](*self.heads(x))
        return self.out(attended.transpose(1, 2).flatten(2))  # type: ignore[no-any-return]


def later(count: int) -> Tensor:
    """Which keys come after their query."""
    return torch.ones(count, count).triu(1).bool()


def fused(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    return F.scaled_dot_product_attention(q, k, v, is_causal=True)


def fused_bias(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    bias = torch.zeros(q.shape[2], q.shape[2]).masked_fill(later(q.shape[2]), -torch.inf)
    return F.scaled_dot_product_attention(q, k, v, attn_mask=bias)


def matmul(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    logits = (q @ k.transpose(-1, -2)) / math.sqrt(4)
    return logits.masked_fill(later(q.shape[2]), float("-inf")).softmax(-1) @ v


def einsum(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    logits = torch.einsum("bhqd,bhkd->bhqk", q, k) * 0.5
    logits = torch.where(~later(q.shape[2]), logits, torch.tensor(-1e9))
    weights = F.dropout(F.softmax(logits, dim=-1), 0.1, training=False)
    return torch.einsum("bhqk,bhkd->bqhd", weights, v).transpose(1, 2)


def bmm(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    batch, heads, count, _ = q.shape
    q, k, v = (part.reshape(batch * heads, count, 4) for part in (q, k, v))
    logits = torch.bmm(q, k.transpose(1, 2))
    logits *= 0.5
    logits += torch.full((count, count), float("-inf")).triu(1)
    return torch.bmm(torch.softmax(logits, 2), v).view(batch, heads, count, 4)


def baddbmm(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    batch, heads, count, _ = q.shape
    q, k, v = (part.reshape(batch * heads, count, 4) for part in (q, k, v))
    bias = torch.full((1, count, count), float("-inf")).triu(1)
    logits = torch.baddbmm(bias, q, k.mT, beta=1, alpha=0.5).view(batch, heads, count, count)
    weights = logits.float().softmax(dim=3, dtype=torch.float32).type_as(q)
    attended = weights.view(batch * heads, count, count) @ v
    return attended.reshape(batch, heads, count, 4)


def assigned(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    logits = q.mul(0.5) @ k.mT
    logits[later(q.shape[2]).expand_as(logits)] = float("-inf")
    weights: Tensor = nn.Softmax(dim=-1)(logits)
    return weights @ v


def shifted(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    logits = (0.5 * torch.matmul(q, k.mT)).masked_fill(later(q.shape[2]), -1e10)
    return torch.softmax(logits - logits.amax(-1, keepdim=True), -1).nan_to_num() @ v


def turned(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    weights = ((q @ k.mT) * 0.5).masked_fill(later(q.shape[2]), -torch.inf).softmax(-1)
    return (v.mT @ weights.mT).mT


def grouped(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    # Two groups of two heads, each with keys of its own: (batch, group, head, …).
    q, k, v = (part.unflatten(1, (2, 2)) for part in (q, k, v))
    logits = ((q @ k.mT) * 0.5).flatten(1, 2).masked_fill(later(q.shape[3]), -torch.inf)
    return logits.softmax(-1) @ v.flatten(1, 2)


def keywords(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    logits = torch.matmul(input=q, other=k.mT) * torch.tensor(0.5)
    logits = torch.masked_fill(input=logits, mask=later(q.shape[2]), value=-torch.inf)
    return torch.matmul(torch.softmax(input=logits, dim=-1), v)


WAYS: dict[str, Callable[[Tensor, Tensor, Tensor], Tensor]] = {
    way.__name__: way
    for way in (
        fused,
        fused_bias,
        matmul,
        einsum,
        bmm,
        baddbmm,
        assigned,
        shifted,
        turned,
        grouped,
        keywords,
    )
}
