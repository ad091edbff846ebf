"""What a picture says in words; ``js/src/lines/reading.ts`` says the same on the page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from math import floor, isinf, isnan
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..filters import COMBINED, Edges
from ..kinds import ADDS, verb
from ..scale import LOG_DECADES, TIMES_UNIFORM_FULL
from .scene import Scene, pick_edges

_NAMED: Final = 4
_LARGE_SPECIAL_SHARE: Final = 0.3
"""From this share on, what special tokens receive is stated: they may be sinks."""
_ROUNDING: Final = 0.005
"""Sums of float16 weights stray this far."""


class Piece(NamedTuple):
    """A piece of a sentence; ``strong`` pieces are tokens."""

    text: str
    strong: bool = False


@dataclass(frozen=True)
class Joint:
    """Joint attention of some tokens of one side: a number for each position of the other.

    ``weights`` is NaN where there is no line; ``heads`` is the head each number belongs to.
    """

    weights: NDArray[np.float32]
    strengths: NDArray[np.float32]
    heads: NDArray[np.uint16]


def format_weight(weight: float) -> str:
    """Return a weight with three significant digits and no trailing zeros.

    Decimal from 0.0001 up to a million (0.817, 0.00412, 1), scientific beyond (1.23e-7); ties round
    away from zero.
    """
    if isnan(weight):
        return "NaN"
    if weight == 0:
        return "0"
    sign = "−" if weight < 0 else ""
    if isinf(weight):
        return f"{sign}∞"
    exact = Decimal(abs(float(weight)))
    rounded = exact.quantize(Decimal(1).scaleb(exact.adjusted() - 2), rounding=ROUND_HALF_UP)
    exponent = rounded.adjusted()
    if -4 <= exponent < 6:
        text = f"{rounded:f}"
        return sign + (text.rstrip("0").rstrip(".") if "." in text else text)
    mantissa = f"{rounded.scaleb(-exponent):f}".rstrip("0").rstrip(".")
    return f"{sign}{mantissa}e{exponent}"


def short_number(weight: float) -> str:
    """Return a weight with three decimals where they say enough: for numbers in a column."""
    if 0.001 <= abs(weight) < 10:
        return f"{weight:.3f}".replace("-", "−")
    return format_weight(weight)


def joint_of(edges: Edges, of_query: bool, focus: int, length: int) -> Joint:
    """Return the joint attention that lines state.

    For each head the mean over the tokens in focus, a weight without a line counting as 0; then,
    position by position, the strongest head.

    Args:
        edges: the lines of the tokens in focus.
        of_query: whether the tokens in focus are queries.
        focus: how many they are.
        length: how many positions the other side has.
    """
    other = edges.key if of_query else edges.query
    joint = Joint(
        np.full(length, np.nan, np.float32),
        np.zeros(length, np.float32),
        np.full(length, COMBINED, np.uint16),
    )
    for head in np.unique(edges.head):
        mine = edges.head == head
        sums = np.zeros((2, length))
        with np.errstate(invalid="ignore"):
            np.add.at(sums[0], other[mine], edges.weight[mine])
        np.add.at(sums[1], other[mine], edges.strength[mine])
        means = sums / max(1, focus)
        stronger = np.isin(np.arange(length), other[mine]) & (
            np.isnan(joint.weights) | (np.abs(means[0]) > np.abs(joint.weights))
        )
        joint.weights[stronger] = means[0][stronger]
        joint.strengths[stronger] = means[1][stronger]
        joint.heads[stronger] = head
    return joint


def focus_joint(scene: Scene) -> tuple[bool, Joint] | None:
    """Return whose the joint attention is (True: of queries) and its numbers, if any are pinned."""
    if scene.focus is None:
        return None
    of_query = bool(scene.query.pinned)
    near, far = (scene.query, scene.key) if of_query else (scene.key, scene.query)
    edges = pick_edges(scene.edges, scene.focus)
    return of_query, joint_of(edges, of_query, len(near.pinned), len(far.labels))


def answer(scene: Scene) -> list[Piece]:
    """Return the answer a picture gives: "*mon* attends to *my* 0.817; 8 more share 0.183".

    With nothing pinned it names the strongest line.
    """
    found = focus_joint(scene)
    if found is None:
        return _strongest(scene)
    of_query, joint = found
    near, far = (scene.query, scene.key) if of_query else (scene.key, scene.query)
    return sentence(
        of_query,
        [near.labels[position] for position in near.pinned],
        joint,
        far.labels,
        many_heads=_many_heads(scene),
        combine=scene.state.filters.combine,
        kind=scene.kind,
    )


def sentence(
    of_query: bool,
    focus: Sequence[str],
    joint: Joint,
    labels: Sequence[str],
    *,
    many_heads: bool,
    combine: str,
    kind: str = "weight",
    how: str = "mean",
) -> list[Piece]:
    """Return the joint attention (``how`` it is joined) of the tokens ``focus`` as a sentence."""
    present = np.flatnonzero(~np.isnan(joint.weights))
    order = present[np.argsort(-np.abs(joint.weights[present]), kind="stable")]
    pieces = [*_listed(focus), Piece(f" {verb(kind, of_query, len(focus))} ")]
    if len(order) == 0:
        return [*pieces, Piece("nothing that is shown")]
    for index, position in enumerate(order[:_NAMED]):
        head = f" (head {joint.heads[position]})" if many_heads else ""
        pieces += [
            Piece(", " if index else ""),
            Piece(labels[position], strong=True),
            Piece(f" {format_weight(float(joint.weights[position]))}{head}"),
        ]
    rest = order[_NAMED:]
    if len(rest) and (many_heads or combine == "max" or kind not in ADDS):
        most = format_weight(abs(float(joint.weights[rest[0]])))
        pieces.append(Piece(f"; {len(rest)} more, at most {most}"))
    elif len(rest):
        share = format_weight(float(joint.weights[rest].sum(dtype=np.float64)))
        pieces.append(Piece(f"; {len(rest)} more share {share}"))
    if len(focus) > 1:
        pieces.append(Piece(f" ({how} of {len(focus)})"))
    return [piece for piece in pieces if piece.text]


def _strongest(scene: Scene) -> list[Piece]:
    edges = scene.edges
    if not scene.query.labels or not scene.key.labels:
        side = "targets" if not scene.query.labels else "sources"
        return [Piece(f"This map has no {side}: there is nothing to draw.")]
    if not scene.state.heads:
        return [Piece("No head is shown.")]
    if len(edges.weight) == 0:
        return [Piece(_why_empty(edges))]
    # A sink is seldom the answer: where it takes the most, the strongest of the others is named.
    ordinary = ~np.isin(edges.key, list(scene.key.special))
    magnitude = np.where(ordinary, np.abs(edges.weight), 0)
    apart = not ordinary.all() and bool(magnitude.any())
    strongest = int(np.argmax(magnitude if magnitude.any() else np.abs(edges.weight)))
    return strongest_sentence(
        scene.query.labels[edges.query[strongest]],
        scene.key.labels[edges.key[strongest]],
        float(edges.weight[strongest]),
        apart=apart,
        head=int(edges.head[strongest]) if _many_heads(scene) else None,
        kind=scene.kind,
    )


def strongest_sentence(
    query: str,
    key: str,
    weight: float,
    *,
    apart: bool,
    head: int | None = None,
    among: str = "",
    kind: str = "weight",
) -> list[Piece]:
    """Return the sentence that names the strongest weight.

    Args:
        query: the label of its query.
        key: that of its key.
        weight: its value.
        apart: whether special tokens, left out, have stronger ones.
        head: its head, where several are shown.
        among: among which it is the strongest, after a space, where not all are known.
        kind: what the numbers are.
    """
    return [
        Piece(f"strongest{among}{' apart from special tokens' if apart else ''}: "),
        Piece(query, strong=True),
        Piece(f" {verb(kind, True)} "),
        Piece(key, strong=True),
        Piece(f" {format_weight(weight)}"),
        *([Piece(f" (head {head})")] if head is not None else []),
    ]


def _why_empty(edges: Edges) -> str:
    if edges.total:
        return "No weight passes the filters."
    return "No weight is a number." if edges.missing else "All weights are zero."


def accounts(scene: Scene) -> list[str]:
    """Return what the picture leaves out or alters, a phrase each; empty where nothing is."""
    edges = scene.edges
    said = []
    if edges.hidden_share > 0.0005:
        said.append(f"{_percent(edges.hidden_share)} of the {scene.kind} is hidden")
    said += special_phrases(scene.state.filters.special, scene.special_share, scene.kind)
    if edges.missing:
        said.append(missing_phrase(edges.missing, scene.kind))
    if scene.every > 1:
        said.append(f"every {ordinal(scene.every)} target drawn")
    return said


def special_phrases(special: str, share: float, kind: str) -> list[str]:
    """Return what is done to special tokens, or what share they receive where that is much."""
    if special != "show":
        done = "hidden" if special == "hide" else "left out, rows renormalised"
        return [f"special tokens {done}"]
    if share >= _LARGE_SPECIAL_SHARE:
        return [f"{_percent(share)} of the {kind} is on special tokens"]
    return []


def missing_phrase(count: int, kind: str) -> str:
    """Return how many weights are no number."""
    return f"{count:,} {kind}{' is' if count == 1 else 's are'} missing (NaN)"


def shape_phrase(scene: Scene) -> str:
    """Return the size of a map and what its rows sum to: "9 × 9 weights · rows sum to 1"."""
    size = f"{len(scene.query.labels):,} × {len(scene.key.labels):,} {scene.kind}s"
    sums = sums_phrase(scene.row_sums)
    return f"{size} · {sums}" if sums else size


def sums_phrase(row_sums: tuple[float, float] | None) -> str:
    """Return what rows sum to, between a least and a largest sum; nothing where that is None."""
    if row_sums is None:
        return ""
    least, most = row_sums
    if least > 1 - _ROUNDING and most < 1 + _ROUNDING:
        return "rows sum to 1"
    span = format_weight(most)
    if most - least >= _ROUNDING:
        span = f"{format_weight(least)} – {span}"
    return f"rows sum to {span}"


def scale_phrase(scene: Scene) -> str:
    """Return what faint and strong stand for: "0 – 1, absolute"."""
    full = format_weight(scene.full)
    of = "magnitude, " if scene.kind in ("score", "difference") else ""
    least = format_weight(scene.full / 10**LOG_DECADES)
    return {
        "absolute": f"0 – {full}, {of}absolute",
        "row": f"0 – 1, {of}share of the row's largest",
        "sqrt": f"0 – {full}, {of}square root",
        "log": f"{least} – {full}, {of}logarithmic; below {least} nothing is drawn",
        "times_uniform": f"0 – {TIMES_UNIFORM_FULL:g}, {of}times uniform; "
        f"{TIMES_UNIFORM_FULL:g} and more look alike",
    }[scene.state.filters.scale]


def _percent(share: float) -> str:
    return "less than 1 %" if 0 < share < 0.01 else f"{floor(100 * share + 0.5)} %"


def ordinal(number: int) -> str:
    """Return 1st, 2nd, 3rd, 4th … 11th …."""
    last = number % 10 if number % 100 not in (11, 12, 13) else 0
    return f"{number:,}{({1: 'st', 2: 'nd', 3: 'rd'}).get(last, 'th')}"


def plain(pieces: Sequence[Piece]) -> str:
    """Return a sentence without its emphasis."""
    return "".join(piece.text for piece in pieces)


def _many_heads(scene: Scene) -> bool:
    return len(scene.state.heads) > 1 and scene.state.filters.combine == "each"


def _listed(labels: Sequence[str]) -> list[Piece]:
    named = [piece for label in labels[:3] for piece in (Piece(" + "), Piece(label, strong=True))]
    more = [Piece(f" + {len(labels) - 3} more")] if len(labels) > 3 else []
    return named[1:] + more
