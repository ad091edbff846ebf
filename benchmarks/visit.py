"""One picture in a page of its own: how soon it is there, how it answers, what it takes."""

from __future__ import annotations

import contextlib
import os
import random
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from browser import CONTROL, Browser, PageError
from case import open_notebook
from lab import Lab, open_browser
from views import View

# What a hover is given before it counts as unanswered.
HOVER_LIMIT_S = 5.0
DRAG_S = 2.0
ZOOM_STEPS = 4
WHEEL = 240


@dataclass
class Visit:
    """What was measured of a `View`; times in milliseconds, sizes in bytes.

    Attributes:
        name: Of the view.
        load: Load average of the machine when the visit began.
        outcome: "finished", or why not.
        first_ms: The key press that runs the cell → the first picture painted.
        exact_ms: The same → nothing is approximate or missing; None where not within the limit.
        first_bytes: What had come from the kernel with the first picture.
        all_bytes: What had come when the picture was exact, or waiting for it ended.
        http: Scripts that the page loaded for it.
        answers_ms: Hover → its first change painted.
        hovers_ms: Hover → the complete answer painted.
        hover_bytes: What came from the kernel for all hovers together.
        unanswered: Hovers without a complete answer within the limit.
        layers_ms: Layer chosen → painted.
        frames_ms: Time from frame to frame while the picture was dragged or scrolled.
        settled_ms: End of the drag → nothing is approximate; None where not within the limit.
        page_memory: What the browser's processes hold more than before the cell was run.
        heap: Bytes of JavaScript objects in the page at the end.
        kernel_before: Memory of the kernel before the cell.
        kernel_after: Memory of the kernel at the end.
        kernel_peak: The most it held since the cell was run; None where the system does not tell.
        elements: Elements in the page for it.
        notes: What the picture says about itself with its first paint.
    """

    name: str
    load: float = field(default_factory=lambda: round(os.getloadavg()[0], 2))
    outcome: str = "finished"
    first_ms: float | None = None
    exact_ms: float | None = None
    first_bytes: int | None = None
    all_bytes: int | None = None
    http: int = 0
    answers_ms: list[float] = field(default_factory=list)
    hovers_ms: list[float] = field(default_factory=list)
    hover_bytes: int = 0
    unanswered: int = 0
    layers_ms: list[float] = field(default_factory=list)
    frames_ms: list[float] = field(default_factory=list)
    settled_ms: float | None = None
    page_memory: int | None = None
    heap: int | None = None
    kernel_before: int | None = None
    kernel_after: int | None = None
    kernel_peak: int | None = None
    elements: int | None = None
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Plan:
    """How much to measure.

    Attributes:
        limit_s: Time within which a picture must be there.
        exact_s: Time to wait for an exact picture.
        hovers: Number of hovers.
        shots: Folder for pictures, or None.
        seed: For places to hover.
    """

    limit_s: float
    exact_s: float
    hovers: int
    shots: Path | None
    seed: int


def visit(lab: Lab, scripts: dict[str, bytes], view: View, path: Path, plan: Plan) -> Visit:
    """Show a picture in a new browser with a new kernel, and measure it.

    Args:
        lab: The running JupyterLab.
        scripts: What the network would serve.
        view: The picture.
        path: The file with queries, keys and tokens.
        plan: How much to measure.

    Returns:
        What was measured until the end or the first step that did not finish.
    """
    told = Visit(view.name)
    # In a file, so that the picture stands near the top of the window.
    setup = lab.folder / f"{view.name}.py"
    setup.write_text(view.setup.replace("PATH", repr(str(path))))
    notebook = lab.write(f"{view.name}.ipynb", [f"%run -i {setup.name}", view.show])
    steps = (("run", _run), ("hover", _hover), ("drag", _drag), ("layer", _layers), ("end", _end))
    try:
        with open_browser(scripts) as page:
            told.outcome = "did not open"
            open_notebook(page, lab.address(notebook))
            try:
                for name, step in steps:
                    told.outcome = f"did not finish: {name}"
                    step(page, lab, view, told, plan)
            except TimeoutError:
                _picture(page, view, plan)
                raise
            told.outcome = "finished"
    except TimeoutError:
        told.outcome += f" (> {plan.limit_s:.0f} s)"
    except PageError as error:
        told.outcome += f" ({str(error).splitlines()[0]})"
    finally:
        lab.forget()
        notebook.unlink()
        setup.unlink()
    return told


def _picture(page: Browser, view: View, plan: Plan) -> None:
    # A page that hangs can't be drawn either.
    if plan.shots:
        with contextlib.suppress(TimeoutError, PageError):
            page.picture(plan.shots / f"{view.name}.png")


def _run(page: Browser, lab: Lab, view: View, told: Visit, plan: Plan) -> None:
    kernel = lab.kernel()
    told.kernel_before = kernel.memory_info().rss
    _forget_peak(kernel.pid)
    before = page.memory()
    page.run("(...picture) => probe.arm(...picture)", view.tool, view.tokens, view.heads)
    page.enter(CONTROL)
    page.wait(f"probe.result || probe.refusal({view.tool!r})", seconds=plan.limit_s)
    if refusal := page.run("name => probe.refusal(name)", view.tool):
        _picture(page, view, plan)
        raise PageError(f"instead of a picture: {refusal}")
    result = page.run("() => probe.result", seconds=plan.limit_s)
    told.first_ms = result["painted"] - result["run"]
    told.first_bytes = page.run("run => probe.bytes(run)", result["run"])
    if view.ours:
        told.notes = page.run("name => probe.notes(name)", view.tool)
        with contextlib.suppress(TimeoutError):
            page.wait(f"probe.exact({view.tool!r})", seconds=plan.exact_s)
            exact = page.run("name => probe.exact(name)", view.tool)
            told.exact_ms = max(told.first_ms, exact - result["run"])
    # Late messages and whatever is still being drawn belong to the cell too.
    time.sleep(2)
    _picture(page, view, plan)
    report = page.run("() => probe.report()", seconds=plan.limit_s)
    told.all_bytes, told.elements = report["page_bytes"], report["elements"]
    own = [file for file in report["http"] if not file["address"].startswith("/static/")]
    told.http = sum(file["bytes"] for file in own)
    told.page_memory = page.memory() - before


def _hover(page: Browser, lab: Lab, view: View, told: Visit, plan: Plan) -> None:
    if not view.ours:
        return
    choice = random.Random(f"{plan.seed} {view.name}")
    began = page.run("() => probe.now()")
    for _ in range(-(-plan.hovers // 6)):
        page.move(5, 5)
        if view.group == "lines":
            page.run("(...where) => probe.scroll(...where)", view.tool, choice.random())
        time.sleep(0.4)
        places = page.run("name => probe.places(name)", view.tool)
        for place in choice.sample(places, min(6, len(places))):
            page.run("name => probe.armBoth(name)", view.tool)
            # At any moment between two frames.
            time.sleep(0.08 + choice.random() * 0.05)
            page.move(*place)
            try:
                page.wait("probe.hovered", seconds=HOVER_LIMIT_S)
            except TimeoutError:
                told.unanswered += 1
                continue
            found = page.run("() => probe.hovered")
            told.answers_ms.append(found["first_ms"] or found["hover_ms"])
            told.hovers_ms.append(found["hover_ms"])
    told.hover_bytes = page.run("began => probe.bytes(began)", began)


def _drag(page: Browser, lab: Lab, view: View, told: Visit, plan: Plan) -> None:
    if view.scroll and page.run("name => probe.scrolls(name)", view.tool):
        x, y = page.run("name => probe.centre(name)", view.tool)
        page.move(x, y)
        _over_frames(page, told, lambda share: page.wheel(x, y, 40 if share < 0.5 else -40))
    if not view.drag:
        return
    x, y = page.run("name => probe.centre(name)", view.tool)
    for _ in range(ZOOM_STEPS):
        page.wheel(x, y, -WHEEL, CONTROL)
        time.sleep(0.1)
    time.sleep(1)
    page.move(x, y)
    page.button("mousePressed", x, y)
    # Around a circle's half and back: every step moves the picture.
    reach = 100

    def step(share: float) -> None:
        far = 2 * (share if share < 0.5 else 1 - share)
        page.move(x - reach * far, y - reach * far, held=True)

    _over_frames(page, told, step)
    page.button("mouseReleased", x, y)
    ended = time.monotonic()
    with contextlib.suppress(TimeoutError):
        page.wait(f"probe.exact({view.tool!r})", seconds=plan.exact_s)
        told.settled_ms = (time.monotonic() - ended) * 1000


def _over_frames(page: Browser, told: Visit, step: Any) -> None:
    page.run("() => probe.startFrames()")
    began = time.monotonic()
    while (share := (time.monotonic() - began) / DRAG_S) < 1:
        step(share)
        time.sleep(0.012)
    told.frames_ms = page.run("() => probe.stopFrames()")


def _layers(page: Browser, lab: Lab, view: View, told: Visit, plan: Plan) -> None:
    page.move(5, 5)
    if view.layers and view.pin:
        page.run("name => probe.pin(name)", view.tool)
    if view.layers:
        time.sleep(1)
    for layer in view.layers:
        switch = "(...choice) => probe.switchLayer(...choice)"
        told.layers_ms.append(page.run(switch, view.tool, layer, seconds=plan.limit_s))
        time.sleep(0.3)


def _end(page: Browser, lab: Lab, view: View, told: Visit, plan: Plan) -> None:
    told.heap = page.run("() => probe.heap()")
    kernel = lab.kernel()
    told.kernel_after = kernel.memory_info().rss
    told.kernel_peak = _peak(kernel.pid)


def _forget_peak(process: int) -> None:
    with contextlib.suppress(OSError):
        Path(f"/proc/{process}/clear_refs").write_text("5")


def _peak(process: int) -> int | None:
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{process}/status").read_text().splitlines():
            if line.startswith("VmHWM"):
                return 1024 * int(line.split()[1])
    return None
