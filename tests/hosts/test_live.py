"""A recorder in a real host: its steps appear while a cell runs, and are played afterwards."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import expect

from hosts.notebooks import Notebook
from hosts.reading import IMPORTS, eventually

OpenNotebook = Callable[..., Notebook]

RECORDER = f"""\
{IMPORTS}
import time
def step(n):
    return aw.Attention(np.full((3, 3), 1 / (n + 3), dtype="float32"))
recorder = aw.Recorder()
recorder.add(step(0), step=0)
w = recorder.widget()"""

WATCH = """(root) => {
  window.seen = [];
  const look = () => window.seen.push(root.textContent.match(/ · step (\\d+)/)?.[1] ?? "none");
  new MutationObserver(look).observe(root, { subtree: true, childList: true, characterData: true });
}"""


def test_steps_appear_while_a_cell_runs(open_notebook: OpenNotebook) -> None:
    notebook = open_notebook([RECORDER, "w"])
    widget = notebook.widget()
    widget.evaluate(WATCH)
    notebook.python(
        "for n in range(1, 13):\n    recorder.add(step(n), step=n)\n    time.sleep(0.2)\n"
    )
    expect(widget).to_contain_text("12 of 0–12 · step 12")
    seen = {number for number in notebook.page.evaluate("() => window.seen") if number != "none"}
    assert len(seen - {"0", "12"}) >= 4, f"saw only {sorted(seen)} while the cell was running"
    widget.get_by_role("slider", name="step").fill("3")
    expect(widget).to_contain_text("3 of 0–12 · step 3")
    eventually(lambda: notebook.python("print(w.step, w.attention.name)"), "3 step 3")
