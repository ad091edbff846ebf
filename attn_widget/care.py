"""The notes on a map as the page shows them, each with what its section of the docs says.

The page of the docs, ``docs/care.md``, travels with the package: it must be there offline.
"""

from __future__ import annotations

import re
from collections.abc import Generator
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from .attention import Attention
from .notes import KINDS, PAGE, Note, notes_steps

_HERE: Final = Path(__file__).parent


def care_steps(
    attention: Attention, shown: dict[str, Any]
) -> Generator[float, None, dict[str, Any]]:
    """Find the notes on what a page shows, in steps of some 50 ms at most.

    Args:
        attention: the map shown.
        shown: the state that the notes are about: ``layer``, ``heads``, and whatever else must be
            the same for the page to show them.

    Yields:
        The share done, 0..1, rising.

    Returns:
        ``shown`` and the notes, as JSON values.
    """
    found = yield from notes_steps(attention, shown["layer"], shown["heads"])
    return {"shown": shown, "notes": [_explained(note) for note in found]}


def _explained(note: Note) -> dict[str, Any]:
    return {**note.to_json(), "about": explanations()[note.kind]}


@lru_cache(maxsize=1)
def explanations() -> dict[str, list[tuple[str, str]]]:
    """Return for each kind of note what the docs say of it: pairs of a heading and its text.

    The headings are ``Means``, ``Misleads`` and ``Do``, and ``Source`` where there is one.
    """
    in_wheel = _HERE / Path(PAGE).name
    page = in_wheel if in_wheel.is_file() else _HERE.parent / PAGE
    sections = re.split(r"^## ", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    texts = dict(section.partition("\n")[::2] for section in sections)
    return {kind: _parts(texts[kind]) for kind in KINDS}


def _parts(section: str) -> list[tuple[str, str]]:
    """Return a section, its marks taken away, cut where it says what comes next."""
    text = " ".join(section.split()).replace("`", "")
    text = re.sub(r"(Sources?):", r"**\1**", text)
    pieces = re.split(r"\*\*(\w+)\*\*", text)[1:]
    return [(name, said.strip()) for name, said in zip(pieces[::2], pieces[1::2], strict=True)]
