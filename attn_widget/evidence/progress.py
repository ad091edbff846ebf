"""Long tests: they tell how far they are, stop at will, and keep what is done."""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from time import perf_counter
from typing import Any, Final, Generic, TypeAlias, TypeVar

Progress: TypeAlias = Callable[[float], object] | bool | None
"""Told the share done, 0..1, after each step (NaN where it isn't known how many there will be).
None shows a line of text in terminals and notebooks once a second has passed; False nothing."""

PATIENCE_S: Final = 1.0
"""What is done within a second needs no progress shown."""
EVERY_S: Final = 0.2

T = TypeVar("T")


@dataclass(frozen=True)
class Run(Generic[T]):
    """What was done of a test, up to its end or to where the user stopped it."""

    done: list[T]
    """What each step gave."""
    asked: int | None
    """How many steps there were to be, None if that wasn't known."""
    stopped: bool
    """Whether there were to be more."""

    @property
    def extent(self) -> dict[str, Any]:
        """What a finding says of it."""
        return {"n": len(self.done), "asked": self.asked, "stopped": self.stopped}


def collect(
    steps: Iterable[T], total: int | None, progress: Progress, name: str, least: int = 1
) -> Run[T]:
    """Do the steps, up to where the user interrupts them.

    Args:
        steps: each takes a while.
        total: how many there will be, if that is known.
        progress: see `Progress`.
        name: what to call it.
        least: with fewer done, an interrupt is raised again: there is nothing to keep.

    Raises:
        KeyboardInterrupt: if interrupted before ``least`` steps.
    """
    line = _Line(name) if progress is None or progress is True else None
    done: list[T] = []
    stopped = False
    try:
        for step in steps:
            done.append(step)
            if callable(progress):
                progress(len(done) / total if total else float("nan"))
            elif line is not None:
                line.tell(len(done), total)
    except KeyboardInterrupt:
        if len(done) < least:
            raise
        stopped = len(done) != total
    finally:
        if line is not None:
            line.close()
    return Run(done, total, stopped)


@contextmanager
def closing(maps: Iterable[Any]) -> Iterator[None]:
    """Close a generator at the end, so that what it borrowed (weights of a model) is given back."""
    try:
        yield
    finally:
        if isinstance(maps, Generator):
            maps.close()


class _Line:
    """One line of text that is rewritten: in a terminal, or in the output of a notebook cell."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._next = perf_counter() + PATIENCE_S
        self._write = _writer()
        self._text = ""
        self._shown = False

    def tell(self, done: int, total: int | None) -> None:
        """Show how many steps are done, if anybody waits for them."""
        self._text = f"{self._name}: {done}" + ("" if total is None else f" of {total}")
        now = perf_counter()
        if self._write is not None and now >= self._next:
            self._next = now + EVERY_S
            self._shown = True
            self._write(self._text, False)

    def close(self) -> None:
        """Leave the last count standing."""
        if self._write is not None and self._shown:
            self._write(self._text, True)


def _writer() -> Callable[[str, bool], None] | None:
    """Return what shows a line and whether it is the last, None where nobody looks."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    if getattr(shell, "kernel", None) is not None:
        return _notebook_writer()
    if sys.stderr is not None and sys.stderr.isatty():
        return _write_terminal
    return None


def _write_terminal(text: str, last: bool) -> None:
    sys.stderr.write(f"\r{text}\x1b[K" + ("\n" if last else ""))
    sys.stderr.flush()


def _notebook_writer() -> Callable[[str, bool], None]:
    from IPython.display import display

    handles: list[Any] = []

    def write(text: str, last: bool) -> None:
        bundle = {"text/plain": text}
        if handles:
            handles[0].update(bundle, raw=True)
        else:
            handles.append(display(bundle, raw=True, display_id=True))  # type: ignore[no-untyped-call]

    return write
