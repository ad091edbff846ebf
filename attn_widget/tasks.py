"""Long work in short steps: on the event loop of the kernel where one runs, else at once."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Generator
from time import perf_counter
from typing import Any, Final, Generic, TypeVar

STEP_S: Final = 0.05
"""About how long the kernel hears nothing else."""

PROGRESS_S: Final = 0.25
"""Least time between two tellings of the progress."""

REST_S: Final = 0.05
"""How long the loop is left to others before and between the steps of work nobody waits for."""

T = TypeVar("T")
Steps = Generator[float, None, T]


def run_steps(steps: Steps[T], progress: Callable[[float], Any] | None = None) -> T:
    """Run a generator to its end, here and now; return what it returns.

    Args:
        steps: it yields the share done, 0..1.
        progress: told the share done, at most four times a second.
    """
    told = perf_counter()
    while True:
        try:
            share = next(steps)
        except StopIteration as end:
            result: T = end.value
            return result
        if progress is not None and perf_counter() - told >= PROGRESS_S:
            told = perf_counter()
            progress(share)


def running_loop() -> asyncio.AbstractEventLoop | None:
    """Return the event loop that runs here, None without one."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


class Tasks(Generic[T]):
    """Generators under way, by name; each is run until it returns or is cancelled.

    They may be started and cancelled from different threads: Jupyter hears pages in a thread beside
    the one that runs cells.
    """

    def __init__(self) -> None:
        self._running: dict[object, Steps[T]] = {}

    def __len__(self) -> int:
        return len(self._running)

    def start(
        self,
        name: object,
        steps: Steps[T],
        *,
        progress: Callable[[float], Any],
        done: Callable[[T], Any],
    ) -> None:
        """Run a generator: its first step now, the others when the loop is free.

        Args:
            name: what it is cancelled by; one of the same name is cancelled.
            steps: it yields the share done, 0..1, at least every 50 ms or so.
            progress: told the share done, at most four times a second.
            done: told what the generator returns.
        """
        self.cancel(name)
        self._running[name] = steps
        loop = running_loop()
        told = perf_counter()

        def step() -> None:
            nonlocal told
            if self._running.get(name) is not steps:
                steps.close()
                return
            until = perf_counter() + STEP_S
            share = 0.0
            while True:
                try:
                    share = max(share, next(steps))
                except StopIteration as end:
                    # One that was cancelled in between ends without a result.
                    if self._running.get(name) is steps:
                        del self._running[name]
                        done(end.value)
                    return
                except BaseException:
                    self._running.pop(name, None)
                    raise
                if self._running.get(name) is not steps:
                    steps.close()
                    return
                if loop is not None and perf_counter() >= until:
                    break
            if perf_counter() - told >= PROGRESS_S:
                told = perf_counter()
                progress(share)
            loop.call_soon(step)

        step()

    def cancel(self, name: object) -> bool:
        """Stop a generator, after its step where one runs; return whether there was one."""
        steps = self._running.pop(name, None)
        if steps is None:
            return False
        # A step that runs in another thread can't be ended from here: that thread ends it.
        with contextlib.suppress(ValueError):
            steps.close()
        return True

    def cancel_all(self) -> list[object]:
        """Stop all generators; return their names."""
        names = list(self._running)
        for name in names:
            self.cancel(name)
        return names


class Background(Generic[T]):
    """One piece of work that nobody waits for: begun when the loop is free, one step at a time.

    Whatever somebody waits for goes first. Without an event loop nothing is done.

    Args:
        busy: whether somebody waits for something.
        done: told what the generator returns.
    """

    def __init__(self, busy: Callable[[], bool], done: Callable[[T], Any]) -> None:
        self._busy = busy
        self._done = done
        self._steps: Steps[T] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def start(self, steps: Steps[T]) -> None:
        """Run a generator in place of the one under way."""
        self.stop()
        # A thread has no loop of its own, and goes by that of the kernel.
        self._loop = running_loop() or self._loop
        if self._loop is not None and not self._loop.is_closed():
            self._steps = steps
            self._loop.call_soon_threadsafe(self._rest, self._loop, steps)

    def stop(self) -> None:
        """Stop what is under way; nobody is told of it."""
        self._steps = None

    def _rest(self, loop: asyncio.AbstractEventLoop, steps: Steps[T]) -> None:
        loop.call_later(REST_S, self._step, loop, steps)

    def _step(self, loop: asyncio.AbstractEventLoop, steps: Steps[T]) -> None:
        until = perf_counter() + STEP_S
        while self._steps is steps and not self._busy() and perf_counter() < until:
            try:
                next(steps)
            except StopIteration as end:
                # One that was stopped meanwhile, in another thread, ends without a result.
                if self._steps is steps:
                    self._steps = None
                    self._done(end.value)
                return
            except BaseException:
                self._steps = None
                raise
        if self._steps is steps:
            self._rest(loop, steps)
        else:
            steps.close()
