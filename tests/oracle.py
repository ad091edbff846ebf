"""What the filters must decide, cell by cell in plain Python."""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from attn_widget.filters import COMBINED, Filter

Map = list[list[list[float]]]
Place = tuple[int, int, int]


@dataclass
class Lines:
    """Lines by (head, query, key), with weight and strength; and where the weight went."""

    drawn: dict[Place, tuple[float, float]] = field(default_factory=dict)
    total: float = 0.0
    kept: float = 0.0
    special: float = 0.0
    missing: int = 0


def single(value: float) -> float:
    """Round to float32."""
    try:
        return float(struct.unpack("<f", struct.pack("<f", value))[0])
    except OverflowError:
        return math.copysign(math.inf, value)


def lines_of(
    weights: Map,
    heads: Sequence[int],
    filters: Filter,
    *,
    full: float = 1.0,
    query_special: Sequence[int] = (),
    key_special: Sequence[int] = (),
) -> Lines:
    """Decide which weights become lines; see ``select_edges``."""
    numbers = list(heads)
    if filters.combine != "each":
        numbers = [COMBINED] * min(len(weights), 1)
        weights = [_combined(weights, filters.combine)] if len(weights) > 1 else weights
    lines = Lines()
    for number, original in zip(numbers, weights, strict=True):
        _add_head(lines, number, original, filters, full, set(query_special), set(key_special))
    return lines


def _combined(weights: Map, combine: str) -> list[list[float]]:
    def merge(cells: list[float]) -> float:
        there = [cell for cell in cells if not math.isnan(cell)]
        if not there:
            return math.nan
        return max(there) if combine == "max" else single(sum(there) / len(there))

    return [
        [merge([head[q][k] for head in weights]) for k in range(len(weights[0][q]))]
        for q in range(len(weights[0]))
    ]


def _add_head(
    lines: Lines,
    number: int,
    original: list[list[float]],
    filters: Filter,
    full: float,
    query_special: set[int],
    key_special: set[int],
) -> None:
    changed = filters.special != "show"
    drawn: dict[tuple[int, int], float] = {}
    for q, row in enumerate(original):
        if changed and q in query_special:
            continue
        hidden = key_special if changed else set()
        left = sum(abs(w) for k, w in enumerate(row) if k not in hidden and math.isfinite(w))
        divide = filters.special == "renormalise" and (query_special or key_special) and left > 0
        for k, weight in enumerate(row):
            lines.missing += math.isnan(weight)
            if math.isfinite(weight):
                lines.total += abs(weight)
                lines.special += abs(weight) * (k in key_special)
            if k not in hidden and not math.isnan(weight) and weight != 0:
                drawn[q, k] = single(weight / left) if divide else weight

    side = 0 if filters.direction == "attends_to" else 1
    for index in {place[side] for place in drawn}:
        row_of = {place: abs(w) for place, w in drawn.items() if place[side] == index}
        row_of = {place: magnitude for place, magnitude in row_of.items() if magnitude > 0}
        finite = [magnitude for magnitude in row_of.values() if math.isfinite(magnitude)]
        for place in _kept(row_of, filters):
            weight = drawn[place]
            if row_of[place] < single(filters.threshold):
                continue
            keys = len(original[0])
            strength = strength_of(weight, filters.scale, full, max(finite, default=0.0), keys)
            lines.drawn[(number, *place)] = (weight, strength)
            source = original[place[0]][place[1]]
            lines.kept += abs(source) if math.isfinite(source) else 0.0


def _kept(row: dict[Any, float], filters: Filter) -> list[Any]:
    ranked = sorted(row, key=lambda place: (-row[place], place))
    most = len(ranked) if filters.top_k is None else filters.top_k
    total = 0.0
    for place in ranked:
        total += row[place] if math.isfinite(row[place]) else 0.0
    kept = []
    before = 0.0
    for place in ranked[:most]:
        infinite = math.isinf(row[place])
        if filters.mass >= 1 or infinite or before < filters.mass * total:
            kept.append(place)
        before += 0.0 if infinite else row[place]
    return kept


def strength_of(weight: float, scale: str, full: float, row_most: float, keys: int) -> float:
    """Map a weight to 0..1; see ``scale.strength``."""
    magnitude = abs(weight)
    if math.isnan(magnitude):
        return math.nan
    if math.isinf(magnitude):
        return 1.0
    if magnitude == 0:
        return 0.0
    share = {
        "absolute": lambda: magnitude / full,
        "row": lambda: magnitude / row_most,
        "sqrt": lambda: math.sqrt(magnitude / full),
        "log": lambda: 1 + math.log10(magnitude / full) / 4,
        "times_uniform": lambda: magnitude * keys / 10,
    }[scale]()
    return min(1.0, max(0.0, share))
