"""Attention weighted by what it carries: norms of transformed values."""

from __future__ import annotations

import numpy as np

from ..attention import Attention
from ..made import Setting
from .inputs import Floats, as_attention, check_choice, derived
from .lazy import Part, PartSource, chunk_rows
from .values import Sublayer, Values


def value_norm(
    att: object,
    value: object = None,
    output: object = None,
    *,
    heads: str = "each",
    hidden: object = None,
    bias: object = None,
    gamma: object = None,
    epsilon: float = 1e-12,
) -> Attention:
    """Norm-based attention: how long the vector is that a key adds to the output at a query.

    For each head ``‖α^h_ij f_h(x_j)‖`` with ``f_h(x_j) = (x_j W_V^h + b_V^h) W_O^h``; summed,
    ``‖Σ_h α^h_ij f_h(x_j)‖``; with ``hidden`` (and ``gamma``) the residual connection (and layer
    norm) are part of what is summed. A sink of large weight and short values all but vanishes.
    Read when asked for. Source: Kobayashi et al. 2020 (EMNLP main.574) and 2021 (main.373).

    Args:
        att: Attention (L, H, Q, K), or an array that makes such a map.
        value: Values ``x_j W_V^h + b_V^h``, (L, Hkv, K, Dv), leading axes optional, H % Hkv == 0;
            None takes those that the map was made from.
        output: The output matrix W_O, (L, H · Dv, D) or (L, H, Dv, D), applied from the right: the
            transposed ``weight`` of a linear layer of PyTorch. None takes that of a captured map
            together with its values; where it is not known, values as they are.
        heads: ``"each"``, or ``"sum"`` for the norm of all heads together.
        hidden: (L, n, D) what the residual connection adds, with ``heads="sum"``.
        bias: (L, D) bias of the output matrix; it matters for the layer norm only.
        gamma: (L, D) weight of the layer norm behind the residual connection.
        epsilon: What that layer norm adds to the variance.

    Returns:
        A map (L, H, Q, K), or (L, 1, Q, K) summed, of kind ``"norm"``: rows do not sum to 1.

    Raises:
        ValueError: If there are no values or shapes do not fit.
    """
    att = as_attention(att)
    check_choice("heads", heads, ("each", "sum"))
    values = Values(att, value, output)
    if heads == "each":
        if hidden is not None or gamma is not None:
            raise ValueError(
                'residual and layer norm are of all heads together: use heads="sum" with hidden '
                "and gamma"
            )
        source = PartSource(att.shape, _each(att, values), chunk_rows(att))
    else:
        sublayer = Sublayer(att, values, hidden=hidden, bias=bias, gamma=gamma, epsilon=epsilon)
        source = PartSource((att.shape[0], 1, *att.shape[2:]), _summed(sublayer), chunk_rows(att))
    settings: dict[str, Setting] = {"heads": heads}
    parts = {
        "output": values.has_output,
        "residual": hidden is not None,
        "layer_norm": gamma is not None,
    }
    settings.update({name: True for name, given in parts.items() if given})
    notes = ["rows do not sum to 1"]
    if not values.has_output:
        notes.append("without the output matrix")
    title = "norm of what attention carries"
    return derived(
        att, source, "value_norm", title=title, settings=settings, notes=notes, kind="norm"
    )


def mixing_ratio(
    att: object,
    value: object = None,
    output: object = None,
    hidden: object = None,
    *,
    bias: object = None,
    gamma: object = None,
    epsilon: float = 1e-12,
) -> Floats:
    """How much each position is mixed with others, rather than kept, by an attention layer.

    ``‖Σ_{j≠i} z_ij‖ / (‖Σ_{j≠i} z_ij‖ + ‖z_ii‖)``: 0 where a position keeps what it was, 1 where
    nothing of it is left. Source: Kobayashi et al. 2021 (EMNLP main.373).

    Args:
        att: Self-attention (L, H, n, n).
        value: As `value_norm` takes it.
        output: Likewise.
        hidden: Likewise.
        bias: Likewise.
        gamma: Likewise.
        epsilon: Likewise.

    Returns:
        (L, n), 0 … 1.

    Raises:
        ValueError: If the map is not square, there are no values or shapes do not fit.
    """
    att = as_attention(att)
    layers, _, queries, keys = att.shape
    if queries != keys:
        raise ValueError(
            f"the mixing ratio is of self-attention; got {queries} queries and {keys} keys"
        )
    values = Values(att, value, output)
    sublayer = Sublayer(att, values, hidden=hidden, bias=bias, gamma=gamma, epsilon=epsilon)
    found = np.zeros((layers, queries))
    for layer in range(layers):
        for row in range(queries):
            terms = sublayer.sums(layer, slice(row, row + 1)).terms[0]
            kept = np.linalg.norm(terms[row])
            mixed = np.linalg.norm(terms.sum(axis=0) - terms[row])
            found[layer, row] = mixed / (mixed + kept) if mixed + kept > 0 else 0.0
    return found


def _each(att: Attention, values: Values) -> Part:
    def part(layer: int, head: slice, query: slice, key: slice) -> Floats:
        weights = att.source.read(layer, head, query, key)
        heads = range(att.shape[1])[head]
        lengths = np.array([values.norms(layer, one)[key] for one in heads])
        return np.asarray(np.abs(weights) * lengths.reshape(len(heads), 1, -1))

    return part


def _summed(sublayer: Sublayer) -> Part:
    def part(layer: int, head: slice, query: slice, key: slice) -> Floats:
        rows = [
            np.linalg.norm(sublayer.sums(layer, slice(row, row + 1)).terms[0], axis=1)[key]
            for row in range(query.start, query.stop)
        ]
        return np.array(rows).reshape(1, len(rows), -1)[head]

    return part
