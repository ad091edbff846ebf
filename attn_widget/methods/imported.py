"""Scores that were computed elsewhere, as maps."""

from __future__ import annotations

from ..attention import KINDS, Attention
from ..made import Made
from .inputs import check_choice


def imported(
    scores: object,
    queries: object = None,
    keys: object = None,
    *,
    source: str,
    kind: str = "relevance",
    name: str = "",
) -> Attention:
    """Scores of another tool (AttnLRP, integrated gradients, DecompX …) as a map.

    Args:
        scores: (Q, K), (H, Q, K) or (L, H, Q, K); for scores of one output, (K,), which becomes one
            query. Anything that `Attention` reads.
        queries: What the query positions are; for (K,) one label, such as the class explained.
        keys: The same for the key side.
        source: The method that computed them: ``"AttnLRP"``.
        kind: What the numbers are; signs are shown for ``"difference"`` and ``"score"``.
        name: A name to show; ``source`` where none is given.

    Returns:
        A map with the scores as they are, and ``source`` in its record.

    Raises:
        TypeError: If the scores are not floats.
        ValueError: If shapes do not fit, or the source is not named.
    """
    if not isinstance(source, str) or not source.strip():
        raise ValueError(f"source must name the method that computed the scores; got {source!r}")
    check_choice("kind", kind, KINDS)
    shape = getattr(scores, "shape", None)
    if shape is not None and len(shape) == 1:
        scores = scores[None]  # type: ignore[index]
        queries = [name or source] if queries is None else queries
    made = Made("imported", "", {"source": source}, ["computed elsewhere"])
    return Attention(scores, queries, keys, kind=kind, name=name or source, made=[made])
