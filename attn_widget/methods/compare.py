"""Maps set against each other: their ratio, their difference, one seen through another."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from ..attention import Attention
from ..axes import Axis, Patches
from ..pooling import finite_sums
from ..sources import Weights
from ..streams import row_blocks
from .inputs import as_attention, as_fitting, check_layer, derived
from .lazy import PartSource, chunk_rows
from .positions import Positions, positions_of

FLOOR: Final = 1e-6
"""Weights below count as this much in a ratio: float16 cannot tell them apart."""


def relative(att: object, reference: object = None, *, floor: float = FLOOR) -> Attention:
    """How many times more attention than in a reference: what is special about this input.

    ``A[i, j] / R[i, j]`` with the map R of a generic input, of the same layers and positions; or
    ``A[i, j] / mean_i' A[i', j]``, what a query attends to more than queries do on average. Weights
    below ``floor`` count as ``floor``, on either side, so that nothing is divided by 0 and two
    absent weights are equal. Read when asked for. Source: Zhang et al. 2025, arXiv 2502.17422.

    Args:
        att: A map (L, H, Q, K), or an array that makes one.
        reference: A map or an array of the same shape; None is the mean over queries.
        floor: The least weight told from 0, above 0.

    Returns:
        A map of the same shape and of kind ``"relevance"``: 1 is as much as in the reference.

    Raises:
        ValueError: If shapes differ or ``floor`` is not above 0.
    """
    att = as_attention(att)
    if not floor > 0:
        raise ValueError(f"floor must be above 0; got {floor!r}")
    against = None if reference is None else as_fitting(reference, att, "reference")
    means: dict[tuple[int, int], NDArray[np.float64]] = {}

    def mean_of(layer: int, head: int) -> NDArray[np.float64]:
        if (layer, head) not in means:
            means[layer, head] = _key_means(att, layer, head)
        return means[layer, head]

    def part(layer: int, head: slice, query: slice, key: slice) -> NDArray[np.float64]:
        weights = att.source.read(layer, head, query, key).astype(np.float64)
        below: NDArray[np.float64]
        if against is None:
            heads = range(att.shape[1])[head]
            below = np.array([mean_of(layer, one)[key] for one in heads])[:, None]
        else:
            below = against.source.read(layer, head, query, key).astype(np.float64)
        ratio: NDArray[np.float64] = np.maximum(weights, floor) / np.maximum(below, floor)
        return ratio

    others = [] if against is None else [against]
    what = "the mean over queries" if against is None else against.name or "a reference"
    return derived(
        att,
        PartSource(att.shape, part, chunk_rows(att, *others)),
        "relative",
        title="relative attention",
        settings={"reference": what, "floor": floor},
        notes=("1 is as much as in the reference", "rows do not sum to 1"),
        kind="relevance",
    )


def difference(a: object, b: object) -> Attention:
    """One map minus another of the same positions: ``A − B``, cell by cell.

    Compare maps of one kind and scale: before and after training, two heads, two inputs that differ
    in a word. Read when asked for.

    Args:
        a: A map (L, H, Q, K), or an array that makes one; the result has its axes.
        b: One of the same shape.

    Returns:
        A map of the same shape and of kind ``"difference"``.

    Raises:
        ValueError: If shapes differ.
    """
    one = as_attention(a, "a")
    two = as_fitting(b, one, "b")

    def part(layer: int, head: slice, query: slice, key: slice) -> Weights:
        where = (layer, head, query, key)
        return one.source.read(*where) - two.source.read(*where)

    notes = []
    if one.kind != two.kind:
        notes.append(f"{one.kind} minus {two.kind}")
    if one.queries.labels != two.queries.labels or one.keys.labels != two.keys.labels:
        notes.append("the labels of the two maps differ; these are those of the first")
    names = one.name or "a", two.name or "b"
    return derived(
        one,
        PartSource(one.shape, part, chunk_rows(one, two)),
        "difference",
        title=f"difference to {two.name}" if two.name else "difference",
        settings={"a": names[0], "b": names[1]},
        notes=notes,
        kind="difference",
    )


def chained(
    llm: object, vit: object, *, positions: Positions | None = None, layer: int = -1
) -> Attention:
    """Attention of a language model to image features, seen through what the features attended to.

    ``A[t, p] = Σ_k A_llm[t, k] · A_vit[k, p]``: an image feature k stands for what the vision model
    mixed into it. Rows sum to the share of the text's attention that is on the image. Both maps
    are taken for the whole of what their models do. Read when asked for. Source: VLM-Visualizer.

    Args:
        llm: Attention of the language model (L, H, T, K) over text and image features.
        vit: Attention of the vision model (L', H', n, P) whose queries are those features; its
            heads are averaged. Roll it out first to have all of its layers.
        positions: The keys of ``llm`` that are image features, as `drop_positions` takes them; None
            takes its patches.
        layer: The layer of ``vit``.

    Returns:
        A map (L, H, T, P) of kind ``"weight"``.

    Raises:
        ValueError: If there are not as many image features as queries of ``vit``.
    """
    text = as_attention(llm, "llm")
    image = as_attention(vit, "vit")
    depth = check_layer("layer", layer, image.shape[0])
    features = _patches(text.keys) if positions is None else positions_of(text.keys, positions)
    if len(features) != image.shape[2]:
        raise ValueError(
            "the image features among the keys of llm must be the queries of vit; got "
            f"{len(features)} and {image.shape[2]}: say which, positions=[...], or select those of "
            "vit without [CLS]"
        )
    looked = text.select(keys=features)
    heads = range(image.shape[1])

    def seen(key: slice) -> NDArray[np.float64]:
        every = slice(0, len(features))
        total = np.zeros((len(features), key.stop - key.start))
        for head in heads:
            total += image.source.read(depth, slice(head, head + 1), every, key)[0]
        return total / max(len(heads), 1)

    def part(layer: int, head: slice, query: slice, key: slice) -> NDArray[np.float64]:
        weights = looked.source.read(layer, head, query, slice(0, len(features)))
        return np.asarray(weights @ seen(key))

    return derived(
        text,
        PartSource((*text.shape[:3], image.shape[3]), part, chunk_rows(text)),
        "chained",
        title=f"{image.name or 'vision'} seen through attention",
        settings={"vit": image.name or "vit", "layer": depth},
        notes=("rows sum to the share of attention on the image",),
        kind="weight",
        keys=image.keys,
    )


def _patches(axis: Axis) -> tuple[int, ...]:
    places: list[int] = []
    for start, segment in zip(axis.starts, axis.segments, strict=False):
        if isinstance(segment, Patches):
            special = frozenset(segment.special)
            places += [start + place for place in range(len(segment)) if place not in special]
    return tuple(places)


def _key_means(att: Attention, layer: int, head: int) -> NDArray[np.float64]:
    """What each key receives on average, (K,), read in blocks."""
    _, _, queries, keys = att.shape
    totals = np.zeros(keys)
    for rows in row_blocks(att, np.arange(queries), max(keys, 1)):
        where = slice(int(rows[0]), int(rows[-1]) + 1)
        totals += finite_sums(
            att.source.read(layer, slice(head, head + 1), where, slice(0, keys))[0]
        )
    return totals / max(queries, 1)
