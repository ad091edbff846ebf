"""Visits → tables."""

from __future__ import annotations

import dataclasses
import json
import statistics
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from report import percentile95
from views import View
from visit import Visit

Found = Sequence[tuple[View, Visit]]
NONE = "–"
FIRST_MS, HOVER_MS = 1000, 50


def _ms(value: float | None) -> str:
    if value is None:
        return NONE
    return f"{value / 1000:.2f} s" if value >= 1000 else f"{value:.0f} ms"


def _bytes(value: float | None) -> str:
    if value is None:
        return NONE
    for size, unit in ((1e9, "GB"), (1e6, "MB")):
        if abs(value) >= size:
            return f"{value / size:,.1f} {unit}"
    return f"{value / 1e3:,.0f} kB"


def _median(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.median(known) if known else None


def _spread(values: Sequence[float]) -> str:
    return f"{_ms(statistics.median(values))} / {_ms(percentile95(values))}" if values else NONE


def _joined(visits: Sequence[Visit], name: str) -> list[float]:
    return [value for visit in visits for value in getattr(visit, name)]


def _one(visits: Sequence[Visit], name: str) -> float | None:
    return _median([getattr(visit, name) for visit in visits])


def _exact(visits: Sequence[Visit]) -> str:
    first, exact = _one(visits, "first_ms"), _one(visits, "exact_ms")
    if first is None:
        return NONE
    return "later" if exact is None else "at once" if exact - first < 50 else _ms(exact)


def _settled(visits: Sequence[Visit]) -> str:
    settled = _one(visits, "settled_ms")
    return (
        _ms(settled) if settled is not None else "later" if _joined(visits, "frames_ms") else NONE
    )


def _aim(visits: Sequence[Visit]) -> str:
    first, hovers = _one(visits, "first_ms"), _joined(visits, "answers_ms")
    missed = []
    if first is None or first >= FIRST_MS:
        missed.append("first")
    if any(visit.unanswered for visit in visits) or (hovers and percentile95(hovers) >= HOVER_MS):
        missed.append("hover")
    return f"**no** ({', '.join(missed)})" if missed else "yes"


Column = tuple[str, Callable[[View, Sequence[Visit]], str]]


def _table(columns: Sequence[Column], groups: dict[str, tuple[View, list[Visit]]]) -> str:
    lines = ["| " + " | ".join(title for title, _ in columns) + " |"]
    lines.append("|---|" + "---:|" * (len(columns) - 1))
    for view, visits in groups.values():
        lines.append("| " + " | ".join(read(view, visits) for _, read in columns) + " |")
    return "\n".join(lines)


SPEED: tuple[Column, ...] = (
    ("view", lambda view, _: f"`{view.group}`, {view.title}"),
    ("first picture (< 1 s)", lambda _, visits: _ms(_one(visits, "first_ms"))),
    ("exact", lambda _, visits: _exact(visits)),
    (
        "hover → first change, median / p95 (< 50 ms)",
        lambda _, visits: _spread(_joined(visits, "answers_ms")),
    ),
    ("hover → exact numbers", lambda _, visits: _spread(_joined(visits, "hovers_ms"))),
    ("frame while dragged or scrolled", lambda _, visits: _spread(_joined(visits, "frames_ms"))),
    (
        "dragged → exact",
        lambda view, visits: _settled(visits) if view.drag else NONE,
    ),
    ("layer chosen → painted", lambda _, visits: _ms(_median(_joined(visits, "layers_ms")))),
    ("aims reached", lambda _, visits: _aim(visits)),
)
SIZE: tuple[Column, ...] = (
    ("view", lambda view, _: f"`{view.group}`, {view.title}"),
    ("the map as float32", lambda view, _: _bytes(4 * view.weights)),
    ("bytes with the first picture", lambda _, visits: _bytes(_one(visits, "first_bytes"))),
    ("… and 2 s after", lambda _, visits: _bytes(_one(visits, "all_bytes"))),
    (
        "bytes a hover",
        lambda _, visits: _bytes(
            _median([v.hover_bytes / len(v.hovers_ms) for v in visits if v.hovers_ms])
        ),
    ),
    ("browser's memory for it", lambda _, visits: _bytes(_one(visits, "page_memory"))),
    ("JavaScript heap", lambda _, visits: _bytes(_one(visits, "heap"))),
    ("kernel before", lambda _, visits: _bytes(_one(visits, "kernel_before"))),
    ("kernel after", lambda _, visits: _bytes(_one(visits, "kernel_after"))),
    ("kernel at most", lambda _, visits: _bytes(_one(visits, "kernel_peak"))),
)
OTHER: tuple[Column, ...] = (
    ("picture", lambda view, _: view.title),
    ("stands against", lambda view, _: f"`{view.group}`"),
    ("first picture", lambda _, visits: _ms(_one(visits, "first_ms"))),
    ("bytes from the kernel", lambda _, visits: _bytes(_one(visits, "all_bytes"))),
    ("scripts", lambda _, visits: _bytes(_one(visits, "http"))),
    ("elements", lambda _, visits: f"{_one(visits, 'elements') or 0:,.0f}"),
    ("browser's memory for it", lambda _, visits: _bytes(_one(visits, "page_memory"))),
    ("outcome", lambda _, visits: visits[0].outcome),
)


def tables(found: Found) -> str:
    """Lay all visits out as Markdown: how fast, how much, and how others do."""
    groups: dict[str, tuple[View, list[Visit]]] = {}
    for view, visit in found:
        groups.setdefault(view.name, (view, []))[1].append(visit)
    own = {name: group for name, group in groups.items() if group[0].ours}
    others = {name: group for name, group in groups.items() if not group[0].ours}
    parts = []
    if own:
        parts += ["### How soon", _table(SPEED, own), "### How much", _table(SIZE, own)]
        parts += [
            f"{view.title}: {visit.outcome}."
            for view, visits in own.values()
            for visit in visits
            if visit.outcome != "finished"
        ]
    if others:
        parts += ["### Other packages", _table(OTHER, others)]
    return "\n\n".join(parts)


def write(folder: Path, name: str, found: Found, facts: dict[str, Any]) -> str:
    """Write every single value as JSON and tables as Markdown.

    Args:
        folder: Where to write; it exists.
        name: Of both files.
        found: Every view and what was measured of it.
        facts: The machine and the conditions.

    Returns:
        The Markdown.
    """
    visits = [
        {"view": dataclasses.asdict(view), "visit": dataclasses.asdict(visit)}
        for view, visit in found
    ]
    (folder / f"{name}.json").write_text(json.dumps({"facts": facts, "visits": visits}, indent=1))
    loads = [visit.load for _, visit in found]
    about = "\n".join(f"- {name}: {value}" for name, value in facts.items())
    about += f"\n- load average before a case: {min(loads)} to {max(loads)}"
    text = f"# Every view at every size\n\n{tables(found)}\n\n## Conditions\n\n{about}\n"
    (folder / f"{name}.md").write_text(text)
    return text
