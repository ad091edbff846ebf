"""nn.MultiheadAttention and the fast paths of nn.Transformer: q, k and v as they make them.

These functions take whole layers, so their projections are computed once more beside them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor


@dataclass(frozen=True)
class Heads:
    """An attention of several heads.

    Attributes:
        query: (batch, H, Q, D).
        key: (batch, H, K, D).
        value: (batch, H, K, D).
        tables: Masks and biases that broadcast to (batch, H, Q, K).
        causal: Whether it is causal beside.
        cross: Whether the keys come from another sequence.
        projection: The weight of the output projection, (model, H · D).
        arrange: Brings a gradient of the layer's output to (batch, H, Q, D), before projection.
        inner: Where the attention is in the module whose function this is.
        dropout: Share of weights that training leaves out.
        finish: Makes what the function returns of (batch, H, Q, D) and weights (batch, H, Q, K).
    """

    query: Tensor
    key: Tensor
    value: Tensor
    tables: list[Tensor]
    causal: bool
    cross: bool
    projection: Tensor
    arrange: Callable[[Tensor], Tensor]
    inner: str = ""
    dropout: float = 0.0
    finish: Callable[[Tensor, Tensor], tuple[Tensor, Tensor | None]] = lambda *parts: parts


def multi_head(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    embed_dim_to_check: int,
    num_heads: int,
    in_proj_weight: Tensor | None,
    in_proj_bias: Tensor | None,
    bias_k: Tensor | None,
    bias_v: Tensor | None,
    add_zero_attn: bool,
    dropout_p: float,
    out_proj_weight: Tensor,
    out_proj_bias: Tensor | None,
    training: bool = True,
    key_padding_mask: Tensor | None = None,
    need_weights: bool = True,
    attn_mask: Tensor | None = None,
    use_separate_proj_weight: bool = False,
    q_proj_weight: Tensor | None = None,
    k_proj_weight: Tensor | None = None,
    v_proj_weight: Tensor | None = None,
    static_k: Tensor | None = None,
    static_v: Tensor | None = None,
    average_attn_weights: bool = True,
    is_causal: bool = False,
) -> Heads:
    """What ``torch.nn.functional.multi_head_attention_forward`` attends with; see there."""
    cross = key is not query
    batched = query.ndim == 3
    if not batched:
        query, key, value = (part.unsqueeze(1) for part in (query, key, value))
        key_padding_mask = None if key_padding_mask is None else key_padding_mask[None]
    maps: Sequence[Any] = (q_proj_weight, k_proj_weight, v_proj_weight)
    if in_proj_weight is not None and not use_separate_proj_weight:
        maps = in_proj_weight.chunk(3)
    biases: Sequence[Tensor | None] = (None,) * 3 if in_proj_bias is None else in_proj_bias.chunk(3)
    parts = [
        F.linear(part, weight, bias)
        for part, weight, bias in zip((query, key, value), maps, biases, strict=True)
    ]
    batch, depth = query.shape[1], query.shape[2] // num_heads
    for place, row in ((1, bias_k), (2, bias_v)):
        if row is not None:
            parts[place] = torch.cat([parts[place], row.expand(1, batch, -1)])
    q, k, v = (part.unflatten(2, (num_heads, -1)).permute(1, 2, 0, 3) for part in parts)
    if static_k is not None:
        k = static_k.unflatten(0, (batch, num_heads))
    if static_v is not None:
        v = static_v.unflatten(0, (batch, num_heads))
    if add_zero_attn:
        k, v = (F.pad(part, (0, 0, 0, 1)) for part in (k, v))
    tables = []
    if attn_mask is not None and not (is_causal and key_padding_mask is None and not need_weights):
        table = attn_mask.unflatten(0, (batch, num_heads)) if attn_mask.ndim == 3 else attn_mask
        tables.append(table)
    if key_padding_mask is not None:
        tables.append(key_padding_mask[:, None, None, :])
    causal = is_causal and not tables
    tables = [_allowing(table, k.shape[2]) for table in tables]

    def arrange(gradient: Tensor) -> Tensor:
        found: Tensor = (gradient if batched else gradient.unsqueeze(1)) @ out_proj_weight
        return found.reshape(*found.shape[:2], num_heads, depth).permute(1, 2, 0, 3)

    def finish(output: Tensor, weights: Tensor) -> tuple[Tensor, Tensor | None]:
        found = F.linear(output.permute(2, 0, 1, 3).flatten(2), out_proj_weight, out_proj_bias)
        told = weights.mean(dim=1) if average_attn_weights else weights
        if not batched:
            found, told = found.squeeze(1), told.squeeze(0)
        return found, told if need_weights else None

    return Heads(
        q,
        k,
        v,
        tables,
        causal,
        cross,
        out_proj_weight,
        arrange,
        dropout=dropout_p if training else 0.0,
        finish=finish,
    )


def native(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    embed_dim: int,
    num_head: int,
    qkv_weight: Tensor,
    qkv_bias: Tensor,
    proj_weight: Tensor,
    proj_bias: Tensor,
    mask: Tensor | None = None,
    need_weights: bool = True,
    average_attn_weights: bool = True,
    mask_type: int | None = None,
    length: int = 0,
) -> Heads:
    """What ``torch._native_multi_head_attention``, the fast path of a layer, attends with.

    Args:
        query: (batch, positions, model), possibly nested; key and value are the same.
        key: The same.
        value: The same.
        embed_dim: Size of the model.
        num_head: Number of heads.
        qkv_weight: (3 · model, model).
        qkv_bias: (3 · model).
        proj_weight: (model, model).
        proj_bias: (model).
        mask: True, or other than 0, where a query may not attend.
        need_weights: Not used.
        average_attn_weights: Not used.
        mask_type: 0 for (Q, K), 1 for (batch, K), 2 for (batch, H, Q, K).
        length: How many positions a nested tensor had.
    """
    tables = []
    if query.is_nested:
        sizes = [part.shape[0] for part in query.unbind()]
        query = torch.nested.to_padded_tensor(query, 0.0)
        query = F.pad(query, (0, 0, 0, max(0, length - query.shape[1])))
        places = torch.arange(query.shape[1], device=query.device)
        tables.append(places < torch.tensor(sizes, device=query.device)[:, None, None, None])
    elif mask is not None:
        table = mask[:, None, None, :] if mask_type == 1 else mask
        tables.append(~table.bool())
    parts = F.linear(query, qkv_weight, qkv_bias).chunk(3, dim=-1)
    q, k, v = (part.unflatten(2, (num_head, -1)).transpose(1, 2) for part in parts)
    return Heads(q, k, v, tables, False, False, proj_weight, lambda gradient: gradient)


def encoder_layer(
    src: Tensor,
    embed_dim: int,
    num_heads: int,
    qkv_weight: Tensor,
    qkv_bias: Tensor,
    proj_weight: Tensor,
    proj_bias: Tensor,
    use_gelu: bool,
    norm_first: bool,
    eps: float,
    norm_weight_1: Tensor,
    norm_bias_1: Tensor,
    *rest: Any,
    length: int = 0,
) -> Heads:
    """What ``torch._transformer_encoder_layer_fwd``, the fast path of a layer, attends with."""
    mask, mask_type = (*rest[6:], None, None)[:2]
    if norm_first:
        src = F.layer_norm(src, (embed_dim,), norm_weight_1, norm_bias_1, eps)
    attended = (src, src, src, embed_dim, num_heads, qkv_weight, qkv_bias, proj_weight, proj_bias)
    found = native(*attended, mask, mask_type=mask_type, length=length)
    return replace(found, inner="self_attn")


def _allowing(table: Tensor, keys: int) -> Tensor:
    """A mask of nn.MultiheadAttention, True where masked or added, as ours; appended keys free."""
    table = ~table if table.dtype == torch.bool else table
    missing = keys - table.shape[-1]
    return F.pad(table, (0, missing), value=int(table.dtype == torch.bool)) if missing else table
