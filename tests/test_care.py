"""Notes on their way to the page: found in the background, explained, kept."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Callable, Generator
from typing import Any, TypeAlias

import numpy as np
import pytest

import attn_widget as aw
from attn_widget.care import care_steps, explanations
from attn_widget.figure import png_metadata
from attn_widget.notes import KINDS
from attn_widget.tasks import Background, run_steps
from channel import Channel
from states import Make

Until: TypeAlias = Callable[[], bool]
EVEN = np.full((2, 2, 8, 8), 1 / 8)
DIAGONAL = np.broadcast_to(np.eye(8), (2, 2, 8, 8))


def mixed() -> aw.Attention:
    """A layer of even heads and one of heads that call for no note."""
    return aw.Attention(np.stack([EVEN[0], np.roll(DIAGONAL[0], 1, axis=-1)]))


def kinds(widget: aw.AttentionWidget) -> list[str]:
    return [note["kind"] for note in widget._notes.get("notes", [])]


def noted(widget: aw.AttentionWidget) -> Until:
    """Wait for the notes on what is shown."""
    return lambda: widget._notes.get("shown") == widget._noted_state()


def looped(run: Callable[[], Generator[Until | None]]) -> None:
    """Run a test in an event loop, which gets to work until what the test yields is true.

    For None, which stands for what must not happen, it works for a while.
    """

    async def main() -> None:
        for until in run():
            end = time.monotonic() + 10
            await asyncio.sleep(0.2 if until is None else 0)
            while until is not None and not until():
                assert time.monotonic() < end
                await asyncio.sleep(0.01)

    asyncio.run(main())


class TestExplanations:
    def test_every_kind_has_one(self) -> None:
        for kind in KINDS:
            headings = [heading for heading, _ in explanations()[kind]]
            assert headings[:3] == ["Means", "Misleads", "Do"]
            assert all(text[-1] == "." for _, text in explanations()[kind])

    def test_are_plain_text(self) -> None:
        texts = [text for parts in explanations().values() for _, text in parts]
        assert not any(mark in text for text in texts for mark in ("**", "`", "\n", "  "))

    def test_travel_with_their_note(self) -> None:
        shown = {"map": "m", "layer": 0, "heads": ()}
        found = run_steps(care_steps(mixed(), shown))
        assert json.loads(json.dumps(found["shown"])) == {"map": "m", "layer": 0, "heads": []}
        (note,) = found["notes"]
        assert (note["kind"], note["page"]) == ("near-uniform", "docs/care.md#near-uniform")
        assert note["text"].startswith("Nearly uniform: all 2 heads")
        assert note["about"] == explanations()["near-uniform"]


class TestBackground:
    def steps(self, heard: list[str], count: int = 3) -> Generator[float, None, str]:
        for _ in range(count):
            heard.append("step")
            yield 0.0
        return "done"

    def test_begins_when_the_loop_is_free(self) -> None:
        def run() -> Generator[Until | None]:
            heard: list[str] = []
            work = Background(lambda: False, heard.append)
            work.start(self.steps(heard))
            assert heard == []
            yield lambda: "done" in heard
            assert heard == ["step", "step", "step", "done"]

        looped(run)

    def test_lets_others_go_first(self) -> None:
        def run() -> Generator[Until | None]:
            heard: list[str] = []
            others = ["waiting"]
            work = Background(lambda: bool(others), heard.append)
            work.start(self.steps(heard))
            yield None
            assert heard == []
            others.clear()
            yield lambda: "done" in heard
            assert heard == ["step", "step", "step", "done"]

        looped(run)

    def test_leaves_the_loop_free(self) -> None:
        def slow() -> Generator[float, None, str]:
            for _ in range(8):
                time.sleep(0.04)
                yield 0.0
            return "done"

        async def main() -> None:
            heard: list[str] = []
            work = Background(lambda: False, heard.append)
            work.start(slow())
            turns = 0
            while not heard:
                await asyncio.sleep(0.01)
                turns += 1
            assert turns > 8

        asyncio.run(main())

    def test_is_replaced_and_stopped(self) -> None:
        def run() -> Generator[Until | None]:
            heard: list[str] = []
            work = Background(lambda: False, heard.append)
            work.start(self.steps(heard, 5))
            work.start(self.steps(heard, 1))
            yield lambda: "done" in heard
            assert heard == ["step", "done"]
            work.start(self.steps(heard))
            work.stop()
            yield None
            assert heard == ["step", "done"]

        looped(run)

    def test_that_stops_itself_tells_nothing(self) -> None:
        def run() -> Generator[Until | None]:
            heard: list[str] = []
            work = Background(lambda: False, heard.append)

            def stopping() -> Generator[float, None, str]:
                work.stop()
                yield 0.0
                return "done"

            work.start(stopping())
            yield None
            assert heard == []

        looped(run)

    def test_is_not_done_without_a_loop(self) -> None:
        heard: list[str] = []
        Background(lambda: False, heard.append).start(self.steps(heard))
        assert heard == []

    def test_goes_by_the_loop_it_knows_in_threads(self) -> None:
        def run() -> Generator[Until | None]:
            heard: list[str] = []
            work = Background(lambda: False, heard.append)
            work.start(self.steps(heard, 0))
            yield lambda: "done" in heard
            thread = threading.Thread(target=lambda: work.start(self.steps(heard, 1)))
            thread.start()
            thread.join()
            yield lambda: len(heard) == 3
            assert heard == ["done", "step", "done"]

        looped(run)


class TestWidget:
    def test_notes_follow_the_picture(self, channel: Channel, make: Make) -> None:
        def run() -> Generator[Until | None]:
            widget = make(mixed())
            ((_, data, _),) = channel.of(widget)
            assert data["state"]["_notes"] == {}
            assert data["state"]["_block"]
            yield noted(widget)
            (update,) = channel.updates(widget)
            assert update["_notes"]["shown"] == {
                "map": "attention", "step": 0, "method": None, "layer": 0, "heads": (),
            }  # fmt: skip
            assert kinds(widget) == ["near-uniform"]
            # A reload asks for all of the state.
            assert widget.get_state(["_notes"])["_notes"] == update["_notes"]

        looped(run)

    def test_notes_are_found_anew_for_what_is_shown(self, make: Make) -> None:
        def run() -> Generator[Until | None]:
            widget = make({"a": mixed(), "b": aw.Attention(DIAGONAL)}, map="a")
            yield noted(widget)
            assert kinds(widget) == ["near-uniform"]
            widget.layer = 1
            yield noted(widget)
            assert (widget._notes["shown"]["layer"], kinds(widget)) == (1, [])
            widget.layer = 0
            widget.heads = [1]
            yield noted(widget)
            assert "this head" in widget._notes["notes"][0]["text"]
            widget.heads = None
            yield noted(widget)
            assert kinds(widget) == []
            widget.heads = ()
            widget.map = "b"
            assert widget._notes == {}
            yield noted(widget)
            assert (widget._notes["shown"]["map"], kinds(widget)) == ("b", [])
            widget.update(mixed())
            yield noted(widget)
            assert kinds(widget) == ["near-uniform"]

        looped(run)

    def test_notes_go_off_with_one_trait(self, channel: Channel, make: Make) -> None:
        def run() -> Generator[Until | None]:
            widget = make(mixed(), notes=False)
            yield None
            assert channel.updates(widget) == []
            widget.notes = True
            yield noted(widget)
            assert kinds(widget) == ["near-uniform"]
            widget.notes = False
            assert widget._notes == {}
            assert "near-uniform" in [note.kind for note in widget.read_with_care()]

        looped(run)

    def test_notes_of_a_closed_widget_are_not_looked_for(self, make: Make) -> None:
        def run() -> Generator[Until | None]:
            widget = make(mixed())
            widget.close()
            yield None
            assert widget._notes == {}

        looped(run)

    def test_notes_wait_for_what_the_page_waits_for(self, make: Make, channel: Channel) -> None:
        def run() -> Generator[Until | None]:
            widget = make(mixed())

            def forever() -> Generator[float, None, Any]:
                while True:
                    time.sleep(0.01)
                    yield 0.0

            widget._tasks.start("slow", forever(), progress=str, done=str)
            yield None
            assert widget._notes == {}
            widget._tasks.cancel("slow")
            yield noted(widget)
            assert kinds(widget) == ["near-uniform"]

        looped(run)

    def test_python_gets_them_all_the_same(self, make: Make) -> None:
        widget = make(mixed(), dismissed=["near-uniform"])
        (note,) = widget.read_with_care()
        assert note.kind == "near-uniform"
        widget.layer = 1
        assert widget.read_with_care() == []

    @pytest.mark.parametrize("notes", [True, False])
    def test_exported_pages_have_those_of_what_is_shown(self, make: Make, notes: bool) -> None:
        widget = make(mixed(), notes=notes, heads=[1])
        text = "Nearly uniform: this head (relative entropy 1.00)"
        assert (text in widget.to_html()) == notes
        widget.layer = 1
        assert text not in widget.to_html()

    @pytest.mark.parametrize("show", [aw.lines, aw.matrix])
    def test_still_pictures_have_them_below(self, show: Any) -> None:
        with show(mixed()) as widget:
            height = {}
            for name, value in (("notes", False), ("notes", True), ("dismissed", "near-uniform")):
                setattr(widget, name, value)
                png = widget.snapshot().png
                height[name, str(value)] = png_metadata(png)["height"]
            plain, noted, dismissed = height.values()
            assert plain + 10 < noted < plain + 60
            assert dismissed == plain
