"""Matplotlib, imported in the background of a notebook: the first picture would wait for it."""

from __future__ import annotations

import sys
import threading
from contextlib import suppress
from functools import lru_cache


@lru_cache(maxsize=1)
def warm_up() -> threading.Thread | None:
    """Import what draws pictures, in a thread, where a picture will be wanted soon: in a kernel.

    A map made in one cell is displayed in the same or the next, and its PNG needs Matplotlib, whose
    import takes longer than all the rest. Elsewhere nothing is imported until it is used.

    Returns:
        The thread at work, None outside a kernel or where Matplotlib is there already.
    """
    # Old ipywidgets import ipykernel everywhere: only a shell with a kernel tells of one.
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    if getattr(shell, "kernel", None) is None or "matplotlib.figure" in sys.modules:
        return None
    thread = threading.Thread(target=_import_figure, name="attn_widget pictures", daemon=True)
    thread.start()
    return thread


def _import_figure() -> None:
    # Whatever is wrong with Matplotlib is said when a picture is asked for.
    with suppress(Exception):
        from .figure import pictures  # noqa: F401
