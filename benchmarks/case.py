"""One case: one tool shows one map in a fresh page, and everything about it is measured."""

from __future__ import annotations

import os
import random
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from browser import CONTROL, SHIFT, Browser, PageError
from lab import Lab, open_browser

HEADS = 12
# With more tokens the widget opens with the lines of hovered and pinned tokens only.
FOCUS_ABOVE = 200
FLOOR = """
<div class="hover-floor">
  <p>&nbsp;</p>
  <script>
    const floor = document.currentScript?.parentElement ?? document.querySelector(".hover-floor");
    for (let i = 0; i < 100; i++) {
      const token = document.createElement("span");
      token.textContent = `token ${i}`;
      token.style = "display: inline-block; width: 5em";
      floor.append(token);
    }
    floor.onmouseover = ({ target }) => {
      floor.querySelector("p").textContent = target.textContent;
    };
  </script>
</div>
"""
# The cell that is timed is the last one. What comes before it is what a notebook has anyway:
# imports, and the attention in the form that the tool takes.
CELLS = {
    "bertviz": (
        "import numpy as np, torch\n"
        "from bertviz import head_view\n"
        "data = np.load(PATH)\n"
        "tokens = data['tokens'].tolist()\n"
        "attention = [torch.from_numpy(layer)[None] for layer in data['weights']]",
        "head_view(attention, tokens)",
    ),
    "attn_widget": (
        "import numpy as np\n"
        "import attn_widget as aw\n"
        "data = np.load(PATH)\n"
        "tokens = data['tokens'].tolist()\n"
        "attention = aw.Attention(data['weights'], tokens)",
        "aw.lines(attention)",
    ),
    # All lines, where the widget would open with those of hovered and pinned tokens only.
    "attn_widget_whole": (
        "import numpy as np\n"
        "import attn_widget as aw\n"
        "data = np.load(PATH)\n"
        "tokens = data['tokens'].tolist()\n"
        "attention = aw.Attention(data['weights'], tokens)",
        "aw.lines(attention, whole=True)",
    ),
    # What a hover costs at least in this browser and host: one listener, one line of text.
    "floor": ("from IPython.display import HTML", f"HTML({FLOOR!r})"),
}
IDLE = "jupyterapp.shell.currentWidget?.sessionContext.session?.kernel?.status === 'idle'"


@dataclass
class Case:
    """What was measured; times in milliseconds, sizes in bytes.

    Attributes:
        tool: A key of `CELLS`.
        size: Number of tokens.
        load: Load average of the machine when the case began.
        outcome: "finished", or why not.
        first: The report of the probe for the first run in the page.
        again_ms: Run to painted when the cell is run once more in the same page.
        saved: Size of the saved notebook by setting: "plain", "with widget state".
        hovers: One report of the probe for each hover.
        presented_ms: What the browser's Event Timing says of hovers of at least 16 ms.
        layers_ms: Layer chosen to painted, for each switch.
    """

    tool: str
    size: int
    load: float = field(default_factory=lambda: os.getloadavg()[0])
    outcome: str = "finished"
    first: dict[str, Any] = field(default_factory=dict)
    again_ms: float | None = None
    saved: dict[str, int] = field(default_factory=dict)
    hovers: list[dict[str, float]] = field(default_factory=list)
    presented_ms: list[float] = field(default_factory=list)
    layers_ms: list[float] = field(default_factory=list)


@dataclass(frozen=True)
class Plan:
    """How much to measure.

    Attributes:
        limit_s: Time after which a step counts as not finished.
        hovers: Number of tokens to hover.
        shots: Folder for a picture of each case, or None.
        seed: For the choice of tokens.
    """

    limit_s: float
    hovers: int
    shots: Path | None
    seed: int


def measure(
    lab: Lab, scripts: dict[str, bytes], tool: str, size: int, path: Path, plan: Plan
) -> Case:
    """Measure one tool on one map, in a browser and with a kernel of its own.

    Args:
        lab: The running JupyterLab.
        scripts: What the network would serve to BertViz.
        tool: A key of `CELLS`.
        size: Number of tokens.
        path: The map, as `maps.save` writes it.
        plan: How much to measure.

    Returns:
        What was measured until the end or the first step that did not finish.
    """
    case = Case(tool, size)
    setup, view = CELLS[tool]
    notebook = lab.write(f"{tool}_{size}.ipynb", [setup.replace("PATH", repr(str(path))), view])
    try:
        with open_browser(scripts) as page:
            case.outcome = "did not finish: opening the notebook"
            open_notebook(page, lab.address(notebook))
            case.outcome = "did not finish: lines on screen"
            try:
                _run(page, case, plan)
            except TimeoutError:
                case.outcome += f" ({_stuck(page)})"
                raise
            case.outcome = "did not finish: saving"
            _save(page, case, notebook, plan)
            case.outcome = "did not finish: hovering"
            _hover(page, case, plan)
            case.outcome = "did not finish: changing the layer"
            _switch_layers(page, case, plan)
            case.outcome = "did not finish: running again"
            _run_again(page, case, plan)
            case.outcome = "finished"
    except TimeoutError:
        case.outcome += f" (> {plan.limit_s:.0f} s)"
    except PageError as error:
        case.outcome += f" ({str(error).splitlines()[0]})"
    finally:
        lab.forget()
        notebook.unlink()
    return case


def open_notebook(page: Browser, address: str) -> None:
    """Open a notebook of two cells and run the first; the second is then selected."""
    page.go(address)
    page.wait(f"window.jupyterapp && {IDLE}")
    page.wait("document.querySelector('.jp-CodeCell .cm-content')")
    x, y = page.run(
        """() => {
          const box = document.querySelector(".jp-CodeCell .cm-content").getBoundingClientRect();
          return [box.left + 20, box.top + 10];
        }"""
    )
    page.click(x, y)
    page.enter(SHIFT)
    page.wait(
        f"document.querySelector('.jp-InputPrompt').textContent === '[1]:' && {IDLE}", seconds=120
    )
    time.sleep(1)


def _draw(page: Browser, case: Case, plan: Plan) -> None:
    page.run("(...target) => probe.arm(...target)", case.tool, case.size, HEADS)
    page.enter(CONTROL)
    page.wait("probe.result", seconds=plan.limit_s)


def _run(page: Browser, case: Case, plan: Plan) -> None:
    _draw(page, case, plan)
    # Late messages and whatever is still being drawn belong to the cell too.
    time.sleep(2)
    case.first = page.run("() => probe.report()", seconds=plan.limit_s)
    if plan.shots:
        page.picture(plan.shots / f"{case.tool}_{case.size}.png")


def _stuck(page: Browser) -> str:
    try:
        return str(page.run("() => probe.stuck()", seconds=10))
    except TimeoutError:
        return "the page does not answer"


def _run_again(page: Browser, case: Case, plan: Plan) -> None:
    page.move(5, 5)
    _draw(page, case, plan)
    case.again_ms = page.run("() => probe.result.painted - probe.result.run")


def _save(page: Browser, case: Case, notebook: Path, plan: Plan) -> None:
    save = "await jupyterapp.commands.execute('docmanager:save');"
    page.run(f"async () => {{ {save} }}", seconds=plan.limit_s)
    case.saved["plain"] = notebook.stat().st_size
    if case.tool.startswith("attn_widget"):
        keep = "@jupyter-widgets/jupyterlab-manager:saveWidgetState"
        page.run(f"async () => {{ await jupyterapp.commands.execute('{keep}'); {save} }}")
        case.saved["with widget state"] = notebook.stat().st_size


def _hover(page: Browser, case: Case, plan: Plan) -> None:
    choice = random.Random(f"{plan.seed} {case.size}")
    end = time.monotonic() + plan.limit_s
    while len(case.hovers) < plan.hovers and time.monotonic() < end:
        # Parked outside, so that scrolling does not drag tokens under the pointer.
        page.move(5, 5)
        scroll = "(...where) => probe.scroll(...where)"
        page.run(scroll, case.tool, choice.random(), seconds=plan.limit_s)
        time.sleep(0.4)
        tokens = page.run("tool => probe.reachable(tool)", case.tool, seconds=plan.limit_s)
        for token in choice.sample(tokens, min(6, len(tokens), plan.hovers - len(case.hovers))):
            page.run("tool => probe.armHover(tool)", case.tool, seconds=plan.limit_s)
            # At any moment between two frames.
            time.sleep(0.08 + choice.random() * 0.05)
            page.move(*token)
            page.wait("probe.hovered", seconds=plan.limit_s)
            case.hovers.append(page.run("() => probe.hovered"))
    starts = {round(hover["at"]) for hover in case.hovers}
    presented = page.run("() => probe.presented()")
    case.presented_ms = [ms for start, ms in presented if round(start) in starts]


def _switch_layers(page: Browser, case: Case, plan: Plan) -> None:
    if case.tool == "floor":
        return
    page.move(5, 5)
    if case.tool == "attn_widget" and case.size > FOCUS_ABOVE:
        page.run("tool => probe.pin(tool)", case.tool)
    time.sleep(1)
    end = time.monotonic() + plan.limit_s
    for layer in ("3", "1", "4", "0"):
        if time.monotonic() > end:
            return
        switch = "(...choice) => probe.switchLayer(...choice)"
        case.layers_ms.append(page.run(switch, case.tool, layer, seconds=plan.limit_s))
        time.sleep(0.3)
