"""What each key contributes to the output of whole layers, followed through the layers."""

from __future__ import annotations

from collections.abc import Callable, Generator

import numpy as np

from ..attention import Attention
from ..made import Setting
from .chain import ChainSource, check_finite, normalised
from .inputs import Floats, as_attention, check_square, derived, floats, layered
from .lazy import PartSource
from .values import Sublayer, Sums, Values, normed

Outputs = Callable[[int, "int | None"], object]
"""The output (n, D) of a layer, with the values of a position set to zero, or of none."""


def alti(
    att: object,
    value: object = None,
    output: object = None,
    hidden: object = None,
    *,
    bias: object = None,
    gamma: object = None,
    epsilon: float = 1e-12,
    rollout: bool = True,
) -> Attention:
    """ALTI: how much of each layer's output comes from each position, rolled out.

    With the terms ``T_i(x_j)`` that position j adds at position i, residual and layer norm
    included, and their sum y_i: ``c_ij ∝ max(0, ‖y_i‖₁ − ‖y_i − T_i(x_j)‖₁)``, rows divided by
    their sums; layers multiplied without adding I, which the residual connection already is.
    Computed when read. Source: Ferrando, Gállego and Costa-jussà 2022, arXiv 2203.04212.

    Args:
        att: Self-attention (L, H, n, n), or an array that makes such a map.
        value: Values, as `value_norm` takes them.
        output: The output matrix, likewise.
        hidden: (L, n, D) what the residual connection adds; None leaves it out.
        bias: (L, D) bias of the output matrix; it matters for the layer norm only.
        gamma: (L, D) weight of the layer norm behind the residual connection (post-norm models).
        epsilon: What that layer norm adds to the variance.
        rollout: Whether layers are multiplied; else each has a map of its own.

    Returns:
        A map (1, 1, n, n), or (L, 1, Q, K), of kind ``"relevance"``; rows sum to 1, or less where
        no term brings a sum nearer.

    Raises:
        ValueError: If there are no values, shapes do not fit, or the map is not square.
    """
    att = as_attention(att)
    sublayer = Sublayer(
        att, Values(att, value, output), hidden=hidden, bias=bias, gamma=gamma, epsilon=epsilon
    )

    def score(_: int, __: slice, sums: Sums) -> Floats:
        return contributions(sums.terms)

    settings = _given(rollout, residual=hidden, layer_norm=gamma)
    return _followed(att, sublayer, score, "alti", "ALTI", settings, rollout)


def contributions(terms: object) -> Floats:
    """The share of each term in a sum of vectors, as ALTI counts it.

    ``c_j ∝ max(0, ‖y‖₁ − ‖y − T_j‖₁)`` with ``y = Σ_j T_j``: what a term brings the sum nearer to
    where it is. Terms (3, 0) and (1, 0) have shares of 0.75 and 0.25.

    Args:
        terms: (…, K, D).

    Returns:
        (…, K): shares that sum to 1, all 0 where no term brings the sum nearer.
    """
    parts = floats(terms, "terms")
    total = parts.sum(axis=-2, keepdims=True)
    size = np.abs(total).sum(axis=-1)
    return normalised(np.maximum(size - np.abs(total - parts).sum(axis=-1), 0.0))


def globenc(
    att: object,
    value: object = None,
    output: object = None,
    hidden: object = None,
    *,
    bias: object = None,
    gamma: object = None,
    second: object = None,
    second_gamma: object = None,
    epsilon: float = 1e-12,
    rollout: bool = True,
) -> Attention:
    """GlobEnc: norms of what each position adds to a whole encoder layer, rolled out.

    The terms of `value_norm` with residual and layer norm are scaled once more as the second layer
    norm scales its input: ``N_ij = ‖(z̃_ij − mean z̃_ij) / sd(second_i) ⊙ γ₂‖``; what the
    feed-forward part adds is approximated by its residual connection. Rows are divided by their
    sums and layers multiplied without adding I. Without ``second`` this is norm-based attention
    with residual and layer norm (Kobayashi et al. 2021). Computed when read. Source: Modarressi et
    al. 2022 (NAACL main.19).

    Args:
        att: Self-attention (L, H, n, n), or an array that makes such a map.
        value: Values, as `value_norm` takes them.
        output: The output matrix, likewise.
        hidden: (L, n, D) what the residual connection adds.
        bias: (L, D) bias of the output matrix.
        gamma: (L, D) weight of the first layer norm.
        second: (L, n, D) what the second layer norm is given; None leaves it out.
        second_gamma: (L, D) its weight; ones where none is given.
        epsilon: What both layer norms add to the variance.
        rollout: Whether layers are multiplied; else each has a map of its own.

    Returns:
        A map (1, 1, n, n), or (L, 1, Q, K), of kind ``"relevance"``; rows sum to 1.

    Raises:
        ValueError: If there are no values, shapes do not fit, or the map is not square.
    """
    att = as_attention(att)
    sublayer = Sublayer(
        att, Values(att, value, output), hidden=hidden, bias=bias, gamma=gamma, epsilon=epsilon
    )
    layers, _, queries, _ = att.shape
    depth = sublayer.depth
    given = None if second is None else layered(second, "second", (layers, queries, depth))
    scale = np.ones((layers, depth))
    if second_gamma is not None:
        scale = layered(second_gamma, "second_gamma", (layers, depth))

    def score(layer: int, rows: slice, sums: Sums) -> Floats:
        terms = sums.terms
        if given is not None:
            terms = normed(terms, given[layer, rows][:, None], scale[layer], epsilon)
        return normalised(np.linalg.norm(terms, axis=-1))

    settings = _given(rollout, residual=hidden, layer_norm=gamma, second_layer_norm=second)
    return _followed(att, sublayer, score, "globenc", "GlobEnc", settings, rollout)


def value_zeroing(
    att: object,
    outputs: Outputs,
    *,
    rollout: bool = False,
    progress: Callable[[float], object] | None = None,
) -> Attention:
    """Value zeroing: how far the output of a layer turns without the value of a position.

    ``C_ij = 1 − cos(x̃_i^¬j, x̃_i)`` where x̃^¬j is the output of the layer with ``v_j = 0`` in all
    heads; rows divided by their sums. Computed at once: n + 1 passes of each layer. Source: Mohebbi
    et al. 2023, arXiv 2301.12971.

    Args:
        att: Self-attention (L, H, n, n): its shape and positions, not its weights, are used.
        outputs: Called with a layer and a position, or None for no position: runs that layer on its
            usual input, the value of the position set to zero in all heads, and returns (n, D).
        rollout: Whether layers are multiplied, without adding I; else each has a map of its own.
        progress: Told the share done, 0 … 1, after each pass.

    Returns:
        A map (L, 1, n, n), or (1, 1, n, n), of kind ``"relevance"``; rows sum to 1, or are
        zeros where nothing turned.

    Raises:
        ValueError: If the map is not square or an output has another shape.
    """
    att = as_attention(att)
    check_square(att, "value_zeroing")
    layers, _, length, _ = att.shape
    turned = np.zeros((layers, length, length))
    for layer in range(layers):
        usual = _output(outputs, layer, None, length)
        for position in range(length):
            changed = _output(outputs, layer, position, length)
            turned[layer, :, position] = 1.0 - _cosine(changed, usual)
            if progress is not None:
                progress((layer * length + position + 1) / (layers * length))
    # Rounding leaves a little either side of 0 where nothing turned.
    found = normalised(np.where(turned > 1e-12, turned, 0.0))
    if rollout:
        product = found[0]
        for matrix in found[1:]:
            product = matrix @ product
        found = product[None]
    settings: dict[str, Setting] = {"rollout": rollout}
    weights = found[:, None].astype(np.float32)
    return derived(att, weights, "value_zeroing", settings=settings, kind="relevance")


def _followed(
    att: Attention,
    sublayer: Sublayer,
    score: Callable[[int, slice, Sums], Floats],
    method: str,
    title: str,
    settings: dict[str, Setting],
    rollout: bool,
) -> Attention:
    """Scores of each layer, multiplied or as they are."""
    layers, _, queries, keys = att.shape

    def rows(layer: int, at: slice) -> Floats:
        found = score(layer, at, sublayer.sums(layer, at))
        return check_finite(found, att, method, layer)

    def in_steps(layer: int, at: slice) -> Generator[None, None, Floats]:
        found = rows(layer, at)
        yield
        return found

    def part(layer: int, head: slice, query: slice, key: slice) -> Floats:
        each = [rows(layer, slice(row, row + 1))[0] for row in range(query.start, query.stop)]
        return np.array(each).reshape(1, len(each), keys)[head, :, key]

    source: ChainSource | PartSource
    if rollout:
        check_square(att, method)
        source = ChainSource(in_steps, range(layers), keys, width=sublayer.width)
    else:
        source = PartSource((layers, 1, queries, keys), part)
    return derived(att, source, method, title=title, settings=settings, kind="relevance")


def _given(rollout: bool, **parts: object) -> dict[str, Setting]:
    return {"rollout": rollout, **{name: True for name, part in parts.items() if part is not None}}


def _output(outputs: Outputs, layer: int, position: int | None, length: int) -> Floats:
    found = floats(outputs(layer, position), "outputs")
    if found.ndim != 2 or len(found) != length:
        raise ValueError(
            f"outputs must return one vector a position, ({length}, D); got shape {found.shape}"
        )
    return found


def _cosine(one: Floats, other: Floats) -> Floats:
    """The cosine of each pair of rows: 1 of two zeros, 0 of one."""
    lengths = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
    both = (np.abs(one).sum(axis=1) + np.abs(other).sum(axis=1)) == 0
    cosine = (one * other).sum(axis=1) / np.where(lengths > 0, lengths, 1.0)
    return np.asarray(np.where(both, 1.0, cosine))
