"""The page of a report, as plain text and as HTML that needs no script and no style sheet.

Labels come from the text that a model read: all of it is escaped, whatever it says.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from html import escape
from textwrap import fill
from typing import TYPE_CHECKING, Final

from .finding import Finding, Leaning

if TYPE_CHECKING:
    from .report import Report

HEADINGS: Final[tuple[tuple[Leaning, str], ...]] = (
    ("for", "What supports it"),
    ("against", "What speaks against it"),
    ("neither", "What decides nothing by itself"),
)
SAYS: Final = "What the map says"
CARE: Final = "Read it with care"
NOT_RUN: Final = "Not run"
READ: Final = (
    "Each test looks at one thing, and none proves a map right. docs/evidence-model.md says what "
    "each asks, how to read it and what it can't say."
)
NOTHING: Final = "Nothing here."
_ALT: Final = "The strongest keys as bars, and the answer as they are erased"
PAGE_WIDTH: Final = 760
"""CSS pixels of the picture."""
_WIDTH: Final = 88
_BAR: Final = 20


def page_text(report: Report) -> str:
    """Return the page as plain text, at most 88 characters a line."""
    return "\n".join(_text_lines(report))


def page_html(report: Report, png: bytes | None = None) -> str:
    """Return the page as HTML of plain elements, with a picture where one is given."""
    parts = [f"<h3>Is this map an explanation? {_safe(report.name)}</h3>", f"<h4>{SAYS}</h4>"]
    parts += [f"<p>{_safe(' '.join(report.facts))}</p>", _table(report)]
    if report.care:
        items = "".join(f"<li>{_safe(note)}</li>" for note in report.care)
        parts += [f"<h4>{CARE}</h4>", f"<ul>{items}</ul>"]
    for leaning, heading in HEADINGS:
        found = report.leaning(leaning)
        parts += [f"<h4>{heading}</h4>", _list(found) if found else f"<p>{NOTHING}</p>"]
    if report.skipped:
        items = "".join(
            f"<li><b>{_safe(title)}</b>: {_safe(why)}</li>" for title, why in report.skipped
        )
        parts += [f"<h4>{NOT_RUN}</h4>", f"<ul>{items}</ul>"]
    parts.append(f"<p><small>{_safe(READ)}</small></p>")
    if png is not None:
        data = base64.b64encode(png).decode("ascii")
        parts.append(
            f'<img width="{PAGE_WIDTH}" alt="{_safe(_ALT)}" src="data:image/png;base64,{data}">'
        )
    return "<div>" + "\n".join(parts) + "</div>"


def _safe(text: str) -> str:
    return escape(text, quote=True)


def _list(findings: tuple[Finding, ...]) -> str:
    items = [
        f"<li><b>{_safe(finding.title)}</b>: {_safe(finding.sentence)} "
        f"<small>[{_safe(finding.source)}]</small></li>"
        for finding in findings
    ]
    return f"<ul>{''.join(items)}</ul>"


def _table(report: Report) -> str:
    rows = [
        f"<tr><td>{key}</td><td>{_safe(label)}</td><td>{weight:.3f}</td><td>{bar}</td></tr>"
        for key, label, weight, bar in _bars(report)
    ]
    return (
        "<table><thead><tr><th>position</th><th>strongest keys</th><th>weight</th><th></th></tr>"
        "</thead>"
        f"<tbody>{''.join(rows)}</tbody></table>"
    )


def _bars(report: Report) -> Iterator[tuple[int, str, float, str]]:
    most = max((weight for *_, weight in report.top), default=0.0)
    for key, label, weight in report.top:
        length = round(_BAR * weight / most) if most > 0 else 0
        yield key, label, weight, "█" * length


def _text_lines(report: Report) -> Iterator[str]:
    yield f"Is this map an explanation? {report.name}"
    yield ""
    yield SAYS
    yield _item(" ".join(report.facts))
    for key, label, weight, bar in _bars(report):
        yield f"    {key:5} {label[:24]:24} {weight:.3f} {bar}"
    if report.care:
        yield ""
        yield CARE
        yield from map(_item, report.care)
    for leaning, heading in HEADINGS:
        yield ""
        yield heading
        found = report.leaning(leaning)
        for finding in found:
            yield _item(f"{finding.title}: {finding.sentence} [{finding.source}]")
        if not found:
            yield f"  {NOTHING}"
    if report.skipped:
        yield ""
        yield NOT_RUN
        for title, why in report.skipped:
            yield _item(f"{title}: {why}")
    yield ""
    yield fill(READ, _WIDTH)


def _item(text: str) -> str:
    return fill(text, _WIDTH, initial_indent="  ", subsequent_indent="    ")
