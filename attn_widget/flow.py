"""Updates no faster than pages draw them: of those that come meanwhile, only the newest is sent."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from time import monotonic
from typing import Final

from .tasks import running_loop

PATIENCE_S: Final = 0.5
"""A page that hasn't said by then that it has drawn an update is sent the next one all the same."""

BLOCKED_S: Final = 0.1
"""While a cell is running, pages can't be heard: then updates are sent no faster than this."""


class Flow:
    """At most one update on its way to the page.

    Without an event loop everything is sent at once: nobody could send what waits.

    Args:
        send: sends what is newest, and returns its revision.
    """

    def __init__(self, send: Callable[[], int]) -> None:
        self._send = send
        self._loop: asyncio.AbstractEventLoop | None = None
        self._revision: int | None = None
        self._sent = 0.0
        self._turned = True
        self._waiting = False

    @property
    def waiting(self) -> bool:
        """Whether something newer than what was sent waits."""
        return self._waiting

    def offer(self) -> None:
        """Send what is newest now, or as soon as the page has drawn what was sent before."""
        # A thread has no loop of its own, and its updates go by that of the kernel.
        self._loop = running_loop() or self._loop
        if self._loop is None or self._loop.is_closed() or self._free():
            self._flush()
            return
        if not self._waiting:
            self._waiting = True
            self._loop.call_soon_threadsafe(self._look_again)

    def drawn(self, revision: object) -> None:
        """Note that a page has drawn a revision."""
        if revision == self._revision:
            self._revision = None
            if self._waiting:
                self._flush()

    def stop(self) -> None:
        """Forget what waits."""
        self._waiting = False

    def _free(self) -> bool:
        if self._revision is None:
            return True
        patience = PATIENCE_S if self._turned else BLOCKED_S
        return monotonic() - self._sent >= patience

    def _look_again(self) -> None:
        if self._waiting and self._loop is not None:
            left = self._sent + PATIENCE_S - monotonic()
            self._loop.call_later(max(left, 0.0), self._late)

    def _late(self) -> None:
        if self._waiting and self._free():
            self._flush()
        else:
            self._look_again()

    def _flush(self) -> None:
        self._waiting = False
        self._revision = self._send()
        self._sent = monotonic()
        if self._loop is not None and not self._loop.is_closed():
            # Until the loop has come round, no page can have been heard.
            self._turned = False
            self._loop.call_soon_threadsafe(self._turn)

    def _turn(self) -> None:
        self._turned = True
