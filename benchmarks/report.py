"""Measured cases → one table that says how the two tools compare, and on what machine."""

from __future__ import annotations

import dataclasses
import json
import os
import platform
import re
import statistics
from collections.abc import Callable, Iterable, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from case import Case

TITLES = {
    "bertviz": "BertViz `head_view`",
    "attn_widget": "`aw.lines`",
    "attn_widget_whole": "`aw.lines(whole=True)`",
}
_LABS_OWN = re.compile("/static/")
Reading = Callable[[Case], Sequence[float]]


def _first(name: str) -> Reading:
    return lambda case: [case.first[name]] if name in case.first else []


def _hover(case: Case) -> list[float]:
    return [hover["hover_ms"] for hover in case.hovers]


def _script_bytes(case: Case) -> list[float]:
    # What JupyterLab loads of its own after the first run of any cell is not the tool's.
    own = [file for file in case.first.get("http", ()) if not _LABS_OWN.match(file["address"])]
    return [sum(file["bytes"] for file in own)] if case.first else []


def percentile95(values: Sequence[float]) -> float:
    """Return the smallest value that at least 95 % of the values do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * 95 // 100) - 1)]


@dataclasses.dataclass(frozen=True)
class Measure:
    """One row of the table.

    Attributes:
        title: What is measured.
        read: Its values in one case.
        write: A value as text.
        pool: Several values → the one that is shown.
    """

    title: str
    read: Reading
    write: Callable[[float], str]
    pool: Callable[[Sequence[float]], float] = statistics.median

    def pooled(self, cases: Iterable[Case]) -> float | None:
        """Return the value of all cases together, None where there is none."""
        values = [value for case in cases for value in self.read(case)]
        return self.pool(values) if values else None


def _ms(value: float) -> str:
    return f"{value / 1000:.2f} s" if value >= 1000 else f"{value:.0f} ms"


def _bytes(value: float) -> str:
    return f"{value / 1e6:.2f} MB" if value >= 1e6 else f"{value / 1e3:.1f} kB"


def _count(value: float) -> str:
    return f"{value:,.0f}"


FIRST_MESSAGE = "first message of the output → lines on screen"
KERNEL_BYTES = "bytes to the page, from the kernel"
HOVER_95 = "hover → painted, 95th percentile"
MEASURES = (
    Measure("run → lines on screen (fresh page)", _first("run_to_painted_ms"), _ms),
    Measure("run → first message of the output", _first("run_to_output_ms"), _ms),
    Measure(FIRST_MESSAGE, _first("output_to_painted_ms"), _ms),
    Measure(
        "last message of the output → lines on screen", _first("last_output_to_painted_ms"), _ms
    ),
    Measure(
        "run → lines on screen (same page, run again)",
        lambda case: [case.again_ms] if case.again_ms is not None else [],
        _ms,
    ),
    Measure(KERNEL_BYTES, _first("page_bytes"), _bytes),
    Measure("bytes to the page, scripts over HTTP", _script_bytes, _bytes),
    Measure(
        "saved notebook",
        lambda case: [case.saved["plain"]] if "plain" in case.saved else [],
        _bytes,
    ),
    Measure(
        "saved notebook, widget state kept",
        lambda case: (
            [case.saved.get("with widget state", case.saved["plain"])] if case.saved else []
        ),
        _bytes,
    ),
    Measure("elements in the page", _first("elements"), _count),
    Measure("hover → painted, median", _hover, _ms),
    Measure(HOVER_95, _hover, _ms, percentile95),
    Measure("layer chosen → painted", lambda case: case.layers_ms, _ms),
)


def table(cases: Sequence[Case]) -> str:
    """Lay the cases out as Markdown tables, BertViz's ratio to each other tool beside it.

    Args:
        cases: Every case of every tool.

    Returns:
        One section for each size, one row for each measure.
    """
    lines = []
    for size in sorted({case.size for case in cases if case.tool in TITLES}):
        groups = {t: [c for c in cases if (c.tool, c.size) == (t, size)] for t in TITLES}
        tools = [tool for tool, group in groups.items() if group]
        others = [tool for tool in tools if tool != "bertviz"]
        heading = [TITLES[tool] for tool in tools] + [f"ratio to {TITLES[t]}" for t in others]
        lines += [f"### {size} tokens", "", f"| measure | {' | '.join(heading)} |"]
        lines += [f"|---|{'---:|' * len(heading)}"]
        for measure in MEASURES:
            pooled = {tool: measure.pooled(groups[tool]) for tool in tools}
            theirs = pooled.get("bertviz")
            cells = ["–" if v is None else measure.write(v) for v in pooled.values()]
            cells += [_ratio(theirs, pooled[tool]) for tool in others]
            lines.append(f"| {measure.title} | {' | '.join(cells)} |")
        notes = {
            f"{TITLES[c.tool]} {c.outcome}."
            for group in groups.values()
            for c in group
            if c.outcome != "finished"
        }
        lines += ["", *sorted(notes), *([""] if notes else [])]
    floor = [value for case in cases if case.tool == "floor" for value in _hover(case)]
    if floor:
        lines.append(
            "A hover that only writes one line of text takes, in the same JupyterLab and browser, "
            f"{_ms(statistics.median(floor))} (median) and {_ms(percentile95(floor))} "
            "(95th percentile).\n"
        )
    return "\n".join(lines)


def _ratio(theirs: float | None, ours: float | None) -> str:
    return f"{theirs / ours:.1f} ×" if theirs is not None and ours else ""


def aims(cases: Sequence[Case]) -> str:
    """Say which of the project's aims the cases reach, as a Markdown table."""

    def pooled(title: str, tool: str, size: int) -> float | None:
        group = [case for case in cases if (case.tool, case.size) == (tool, size)]
        return next(m for m in MEASURES if m.title == title).pooled(group)

    rows = []
    for title, least in (("run → lines on screen (fresh page)", 10), (KERNEL_BYTES, 20)):
        theirs, ours = pooled(title, "bertviz", 128), pooled(title, "attn_widget", 128)
        if theirs is not None and ours:
            found = theirs / ours
            rows.append((f"128 tokens, {title}", f"≥ {least} ×", f"{found:.1f} ×", found >= least))
    for size, title, most in (
        (128, HOVER_95, 33),
        (512, FIRST_MESSAGE, 1000),
        (512, HOVER_95, 50),
    ):
        time = pooled(title, "attn_widget", size)
        if time is not None:
            rows.append((f"{size} tokens, {title}", f"< {most} ms", f"{time:.0f} ms", time < most))
    head = "| aim | wanted | measured | reached |\n|---|---:|---:|---|\n"
    body = (
        f"| {aim} | {want} | {got} | {'yes' if ok else '**no**'} |" for aim, want, got, ok in rows
    )
    return head + "\n".join(body)


def machine(browser: str, lab: str) -> dict[str, Any]:
    """Describe the machine and the versions, without its name.

    Args:
        browser: Version of Chromium.
        lab: Version of JupyterLab's server.
    """
    info = Path("/proc/cpuinfo")
    models = (
        [line for line in info.read_text().splitlines() if "model name" in line]
        if (info.exists())
        else []
    )
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    packages = ("attn-widget", "bertviz", "jupyterlab", "anywidget", "ipywidgets", "numpy", "torch")
    return {
        "processor": models[0].split(":", 1)[1].strip() if models else platform.machine(),
        "cores": os.cpu_count(),
        "memory_gib": round(memory, 1),
        "system": f"{platform.system()} {platform.release().split('-')[0]}",
        "python": platform.python_version(),
        "chromium": browser,
        "jupyter_server": lab,
        "drawing": "software, headless, 1280 × 1024",
        "packages": {name: _version(name) for name in packages},
    }


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def write(folder: Path, cases: Sequence[Case], facts: dict[str, Any]) -> str:
    """Write `lines_vs_bertviz.json` and `.md`.

    Args:
        folder: Where to write; made if absent.
        cases: Every case of every tool.
        facts: The machine and the conditions.

    Returns:
        The Markdown.
    """
    folder.mkdir(parents=True, exist_ok=True)
    document = {"facts": facts, "cases": [dataclasses.asdict(case) for case in cases]}
    (folder / "lines_vs_bertviz.json").write_text(json.dumps(document, indent=1))
    about = "\n".join(f"- {name}: {value}" for name, value in facts.items())
    title = "# Lines: attn_widget and BertViz"
    text = f"{title}\n\n{aims(cases)}\n\n{table(cases)}\n## Conditions\n\n{about}\n"
    (folder / "lines_vs_bertviz.md").write_text(text)
    return text
