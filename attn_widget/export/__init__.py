"""A page of its own: a widget with what it shows, for readers without a kernel or a network."""

from __future__ import annotations

import contextlib
import os
import secrets
import warnings
from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any, Final

from .._assets import standalone_text
from ..maps import Maps
from ..memory import Memory
from ..protocol import VERSION
from .choice import embed
from .page import BLOB, Embedded, PageMap, script_json

__all__ = ["export_page", "write_page"]

MB: Final = 1_000_000

MOST_TOLD: Final = 6
"""Maps whose missing layers are said; of more, how many there are."""

NOTES: Final = "x" * 2000
"""Room for what a page says of what it lacks."""

# The widget itself brings its colours; the bare page must not be white around a dark one.
_STYLE: Final = (
    "html{background:#fff;color:#1f2328;color-scheme:light}"
    "body{margin:16px;font:13px/1.45 system-ui,sans-serif}"
    "@media (prefers-color-scheme:dark){"
    "html{background:#101214;color:#e6e8eb;color-scheme:dark}}"
)


def export_page(
    maps: Maps,
    state: Mapping[str, Any],
    heads: tuple[int, ...],
    held: Mapping[str, Any],
    memory: Memory,
    limit_mb: float,
) -> str:
    """Return a page that shows maps in some state, interactive as far as there is room.

    Args:
        maps: named lists of maps.
        state: the traits of the widget.
        heads: the heads shown, as numbers.
        held: what is on screen, by the kind of request.
        memory: answers given before, of the map shown.
        limit_mb: size of the page at most, in MB of 1,000,000 bytes.

    Raises:
        ValueError: if not even the names of the map shown have room.
    """
    if isinstance(limit_mb, bool) or not isinstance(limit_mb, (int, float)) or not limit_mb > 0:
        raise ValueError(f"limit_mb must be a number above 0; got {limit_mb!r}")
    shell = _page(Embedded(0), state, limit_mb, [NOTES])
    room = int(limit_mb * MB) - len(shell.encode())
    page = embed(maps, {**state, "heads": heads}, held, memory, room)
    if page.room < 0:
        least = (int(limit_mb * MB) - page.room) / MB
        raise ValueError(
            f"limit_mb must be at least {least + 0.005:.2f} for this map, without any of its "
            f"weights; got {limit_mb!r}"
        )
    notes = _notes(page, limit_mb)
    for note in notes:
        warnings.warn(f"to_html: {note}", UserWarning, stacklevel=3)
    return _page(page, state, limit_mb, notes)


def write_page(page: str, path: str | os.PathLike[str]) -> None:
    """Write a page to a file that appears whole or not at all."""
    target = Path(path)
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(8)}.tmp")
    try:
        temporary.write_text(page, encoding="utf-8", newline="\n")
        os.replace(temporary, target)
    finally:
        with contextlib.suppress(FileNotFoundError):
            temporary.unlink()


def _page(page: Embedded, state: Mapping[str, Any], limit_mb: float, notes: list[str]) -> str:
    """Return the text of a page: one element that holds all, so that several can stand together."""
    axes = ",".join(page.axes)
    images = ",".join(map(script_json, page.images))
    described = ",".join(script_json(entry.as_json()) for entry in page.maps)
    head = script_json({"v": VERSION, "limit": limit_mb, "state": dict(state)})[:-1]
    manifest = f'{head},"axes":[{axes}],"images":[{images}],"maps":[{described}]}}'
    start, end = BLOB
    blobs = "".join(f"{start}{blob}{end}" for blob in page.blobs)
    told = "".join(f"<p>{escape(note)}</p>\n" for note in notes)
    title = escape(f"Attention: {state['map']}")
    text = (
        f'<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n<title>{title}</title>\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<style>{_STYLE}</style>\n"
        f'<div>\n<script type="application/json">{manifest}</script>\n{blobs}'
        f"<script>{standalone_text()}</script>\n{told}"
        "<noscript>This page draws attention maps with JavaScript.</noscript>\n</div>\n"
    )
    # A lone surrogate can't be written.
    return text.encode("utf-8", "replace").decode()


def _notes(page: Embedded, limit_mb: float) -> list[str]:
    """Return what a reader of the page must know is not there, in sentences."""
    several = len(page.maps) > 1
    left = [
        missing + _pictures(entry) + (f" of {entry.told()}" if several else "")
        for entry in page.maps
        if (missing := entry.missing())
    ]
    left += page.left_out
    notes = []
    if left:
        more = len(left) - MOST_TOLD
        listed = left if more <= 1 else [*left[:MOST_TOLD], f"and more of {more} other maps"]
        notes.append(f"left out to stay below {limit_mb:g} MB: {'; '.join(listed)}")
    if any(entry.rounded for entry in page.maps):
        notes.append(
            f"weights are rounded to float16, about three digits, to stay below {limit_mb:g} MB"
        )
    return notes


def _pictures(entry: PageMap) -> str:
    return "" if entry.viewed is None else f" (pictures of layer {entry.viewed} are here)"
