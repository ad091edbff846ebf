"""What a picture of a matrix says in words."""

from __future__ import annotations

from math import ceil

from .matrix_scene import MatrixScene
from .reading import (
    Piece,
    missing_phrase,
    ordinal,
    sentence,
    special_phrases,
    strongest_sentence,
)


def answer(scene: MatrixScene) -> list[Piece]:
    """Return the answer a picture gives: what is pinned attends to, or the strongest weight."""
    if not scene.query.labels or not scene.key.labels:
        side = "targets" if not scene.query.labels else "sources"
        return [Piece(f"This map has no {side}: there is nothing to draw.")]
    if not scene.state.heads:
        return [Piece("No head is shown.")]
    if scene.joint is not None:
        of_query, joint = scene.joint
        near, far = (scene.query, scene.key) if of_query else (scene.key, scene.query)
        shown = scene.queries if of_query else scene.keys
        return sentence(
            of_query,
            [near.labels[position] for position in near.pinned if position in shown],
            joint,
            far.labels,
            many_heads=False,
            combine=scene.state.combine,
            kind=scene.kind,
        )
    query, key, weight = scene.strongest
    if weight == 0:
        whole = "No weight is a number." if scene.missing else "All weights are zero."
        return [Piece(whole)]
    return strongest_sentence(
        scene.query.labels[query],
        scene.key.labels[key],
        weight,
        apart=scene.special_apart,
        kind=scene.kind,
        among=f" of every {ordinal(scene.every)} target" if scene.every > 1 else "",
    )


def window_phrases(scene: MatrixScene) -> list[str]:
    """Return which targets and sources are shown, where not all are."""
    return [
        f"{side} {span.start:,} – {span.stop - 1:,} of {len(labels):,}"
        for side, span, labels in (
            ("targets", scene.queries, scene.query.labels),
            ("sources", scene.keys, scene.key.labels),
        )
        if len(span) < len(labels)
    ]


def accounts(scene: MatrixScene) -> list[str]:
    """Return how weights were pooled and what the picture leaves out or alters, a phrase each."""
    said = []
    if scene.cells.size:
        per = (
            ceil(len(scene.queries) / scene.every / scene.cells.shape[0]),
            ceil(len(scene.keys) / scene.cells.shape[1]),
        )
        if scene.how:
            said.append(scene.how)
        elif max(per) > 1:
            of = f"up to {per[0]:,} × {per[1]:,} {scene.kind}s"
            strongest = scene.state.pool != "mean"
            said.append(f"each cell the {'strongest' if strongest else 'mean'} of {of}")
    if scene.every > 1 and not scene.how:
        said.append(f"only every {ordinal(scene.every)} target read, the others not shown")
    said += special_phrases(scene.state.special, scene.special_share, scene.kind)
    if scene.missing:
        said.append(missing_phrase(scene.missing, scene.kind))
    return said
