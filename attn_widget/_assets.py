"""The built front end, read once."""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path
from typing import Any

MODULE = Path(__file__).parent / "static" / "widget.js"
STANDALONE = MODULE.with_name("standalone.js")


def watched() -> bool:
    """Return whether the front end is reloaded when it changes on disk."""
    return os.environ.get("ANYWIDGET_HMR") == "1"


def module() -> Any:
    """Return the module as anywidget takes it: a path while watched, else text once needed."""
    return MODULE if watched() else property(lambda _: module_text())


@lru_cache(maxsize=1)
def module_text() -> str:
    """Return the widget's JavaScript module as text: a path would keep closed widgets alive.

    Raises:
        FileNotFoundError: if the front end has not been built.
    """
    return _text(MODULE)


@lru_cache(maxsize=1)
def standalone_text() -> str:
    """Return the script of exported pages.

    Raises:
        FileNotFoundError: if the front end has not been built.
    """
    return _text(STANDALONE)


def _text(path: Path) -> str:
    if not path.is_file():
        raise FileNotFoundError(
            f"attn_widget's front end ({path.name}) is missing: in a clone, run "
            "`npm ci && npm run build`; otherwise install attn-widget again"
        )
    return path.read_text(encoding="utf-8")
