"""Long work in steps, and updates as fast as they are drawn."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Generator

import pytest

from attn_widget import flow as flow_module
from attn_widget.flow import Flow
from attn_widget.tasks import Tasks, run_steps


def counting(steps: int, seconds: float = 0.0) -> Generator[float, None, str]:
    for step in range(steps):
        time.sleep(seconds)
        yield (step + 1) / steps
    return "done"


class Heard:
    """What a task tells."""

    def __init__(self) -> None:
        self.shares: list[float] = []
        self.results: list[str] = []

    def start(self, tasks: Tasks[str], name: str, steps: Generator[float, None, str]) -> None:
        tasks.start(name, steps, progress=self.shares.append, done=self.results.append)


class TestTasks:
    def test_run_at_once_without_a_loop(self) -> None:
        tasks: Tasks[str] = Tasks()
        heard = Heard()
        heard.start(tasks, "a", counting(100))
        assert (heard.results, len(tasks)) == (["done"], 0)

    def test_that_are_short_run_at_once_in_a_loop_too(self) -> None:
        async def run() -> None:
            tasks: Tasks[str] = Tasks()
            heard = Heard()
            heard.start(tasks, "a", counting(3))
            assert heard.results == ["done"]

        asyncio.run(run())

    def test_leave_the_loop_free_and_tell_how_far_they_are(self) -> None:
        async def run() -> None:
            tasks: Tasks[str] = Tasks()
            heard = Heard()
            heard.start(tasks, "a", counting(80, 0.01))
            assert len(tasks) == 1
            turns = 0
            while tasks:
                await asyncio.sleep(0)
                turns += 1
            assert turns >= 5
            assert heard.results == ["done"]
            # Some 0.8 s, told at most four times a second.
            assert heard.shares == sorted(heard.shares)
            assert heard.shares
            assert len(heard.shares) < turns

        asyncio.run(run())

    def test_cancelled_from_another_thread_end_after_their_step(self) -> None:
        tasks: Tasks[str] = Tasks()
        heard = Heard()
        inside, go_on, closed = threading.Event(), threading.Event(), threading.Event()

        def blocking() -> Generator[float, None, str]:
            try:
                inside.set()
                assert go_on.wait(10)
                yield 0.5
                return "done"
            finally:
                closed.set()

        thread = threading.Thread(target=heard.start, args=(tasks, "a", blocking()))
        thread.start()
        assert inside.wait(10)
        assert tasks.cancel_all() == ["a"]
        assert not closed.is_set()
        go_on.set()
        thread.join(10)
        assert closed.is_set()
        assert (heard.results, len(tasks)) == ([], 0)

    def test_take_turns(self) -> None:
        async def run() -> None:
            tasks: Tasks[str] = Tasks()
            long, short = Heard(), Heard()
            long.start(tasks, "long", counting(100, 0.01))
            short.start(tasks, "short", counting(10, 0.01))
            while not short.results:
                await asyncio.sleep(0)
            assert long.results == []
            assert tasks.cancel_all() == ["long"]

        asyncio.run(run())

    def test_stop_when_cancelled(self) -> None:
        closed: list[bool] = []

        def steps() -> Generator[float, None, str]:
            try:
                yield from counting(1000, 0.01)
            finally:
                closed.append(True)
            return "never"

        async def run() -> None:
            tasks: Tasks[str] = Tasks()
            heard = Heard()
            heard.start(tasks, "a", steps())
            assert tasks.cancel("a")
            assert not tasks.cancel("a")
            assert closed == [True]
            await asyncio.sleep(0.05)
            assert heard.results == []

        asyncio.run(run())

    def test_of_the_same_name_replace_each_other(self) -> None:
        async def run() -> None:
            tasks: Tasks[str] = Tasks()
            first, second = Heard(), Heard()
            first.start(tasks, "a", counting(1000, 0.01))
            second.start(tasks, "a", counting(10, 0.01))
            while tasks:
                await asyncio.sleep(0)
            assert (first.results, second.results) == ([], ["done"])

        asyncio.run(run())


class Page:
    """Counts what is sent to it."""

    def __init__(self) -> None:
        self.newest = 0
        self.sent: list[int] = []
        self.flow = Flow(self._send)

    def _send(self) -> int:
        self.sent.append(self.newest)
        return len(self.sent)

    def update(self) -> None:
        self.newest += 1
        self.flow.offer()


class TestFlow:
    def test_sends_at_once_without_a_loop(self) -> None:
        page = Page()
        for _ in range(5):
            page.update()
        assert page.sent == [1, 2, 3, 4, 5]

    def test_sends_the_newest_once_the_last_is_drawn(self) -> None:
        async def run() -> None:
            page = Page()
            for _ in range(10):
                page.update()
                await asyncio.sleep(0)
            assert page.sent == [1]
            assert page.flow.waiting
            page.flow.drawn(7)
            assert page.sent == [1]
            page.flow.drawn(1)
            assert page.sent == [1, 10]
            page.flow.drawn(2)
            assert page.sent == [1, 10]
            page.update()
            assert page.sent == [1, 10, 11]

        asyncio.run(run())

    def test_does_not_wait_for_ever(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(flow_module, "PATIENCE_S", 0.05)

        async def run() -> None:
            page = Page()
            for _ in range(3):
                page.update()
                await asyncio.sleep(0)
            assert page.sent == [1]
            while len(page.sent) < 2:
                await asyncio.sleep(0.01)
            assert page.sent == [1, 3]
            await asyncio.sleep(0.15)
            assert page.sent == [1, 3]

        asyncio.run(run())

    def test_goes_on_while_a_cell_is_running(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(flow_module, "BLOCKED_S", 0.02)

        async def run() -> None:
            page = Page()
            for _ in range(50):
                page.update()
                time.sleep(0.005)
            # The loop has not come round; nobody could have heard the page.
            assert 2 <= len(page.sent) < 50
            assert page.sent == sorted(set(page.sent))
            while page.sent[-1] != 50:
                await asyncio.sleep(0.01)

        asyncio.run(run())

    def test_takes_updates_of_a_thread(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(flow_module, "PATIENCE_S", 0.05)

        async def run() -> None:
            page = Page()
            page.update()

            def train() -> None:
                for _ in range(20):
                    page.update()
                    time.sleep(0.001)

            thread = threading.Thread(target=train)
            thread.start()
            while thread.is_alive() or page.sent[-1] != 21:
                await asyncio.sleep(0.01)
            assert len(page.sent) < 21

        asyncio.run(run())

    def test_of_what_was_stopped_sends_nothing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(flow_module, "PATIENCE_S", 0.02)

        async def run() -> None:
            page = Page()
            page.update()
            page.update()
            page.flow.stop()
            await asyncio.sleep(0.08)
            assert page.sent == [1]

        asyncio.run(run())


def test_tasks_fail_where_they_are_told() -> None:
    tasks: Tasks[str] = Tasks()

    def broken() -> Generator[float, None, str]:
        yield 0.5
        raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        Heard().start(tasks, "a", broken())
    assert len(tasks) == 0


def test_steps_run_at_once_tell_their_progress(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[float] = []
    assert run_steps(counting(2), told.append) == "done"
    assert told == []
    monkeypatch.setattr("attn_widget.tasks.PROGRESS_S", 0.0)
    assert run_steps(counting(2), told.append) == "done"
    assert told == [0.5, 1]
