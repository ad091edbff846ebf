"""The method switch in a real JupyterLab and Notebook 7: the kernel computes, the page waits."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Locator, expect

from hosts.notebooks import Notebook
from hosts.reading import IMPORTS, eventually, frame, token

OpenNotebook = Callable[..., Notebook]
TakePicture = Callable[[str], Path]

# Flow of 60 positions takes many seconds.
MAPS = f"""\
{IMPORTS}
drawn = np.random.default_rng(0).exponential(size=(6, 2, 60, 60))
maps = aw.Attention(drawn / drawn.sum(axis=-1, keepdims=True), name="long")
w = aw.lines(maps, layer=3, heads=(1,), pinned_queries=(5,))"""


def said(widget: Locator, role: str) -> Locator:
    return widget.locator(f'[data-role="{role}"]')


def strongest(notebook: Notebook, weights: str) -> str:
    """The strongest key of the pinned query, and its weight, in words."""
    return notebook.python(
        "from attn_widget.figure.reading import format_weight\n"
        f"row = np.asarray({weights})[5]; print(row.argmax(), format_weight(float(row.max())))"
    )


def test_a_method_is_chosen_cancelled_and_taken_back(
    open_notebook: OpenNotebook, picture: TakePicture
) -> None:
    notebook = open_notebook([MAPS, "w"])
    widget = notebook.widget()
    attends = f"5 attends to {strongest(notebook, 'maps[3, 1]')}"
    expect(said(widget, "readout")).to_contain_text(attends)
    expect(said(widget, "about")).to_have_text(
        "6 layers × 2 heads × 60 × 60 weights: 346 kB as float64"
    )
    method = widget.get_by_label("method", exact=True)

    # While it computes, the old picture stays, and can be left again.
    painted = frame(widget)
    method.select_option("flow")
    expect(said(widget, "progress")).to_have_text(re.compile(r"^\d+ %$"))
    picture("method-flow-computing")
    expect(said(widget, "readout")).to_contain_text(attends)
    token(widget, "query", 5).press("Escape")
    expect(method).to_have_value("raw")
    assert frame(widget) == painted
    assert notebook.python("print(w.method, w.layer, w.pinned_queries)") == "None 3 (5,)"

    method.select_option("rollout")
    eventually(lambda: notebook.python("print(w.method, w.layer, w.heads)"), "rollout 0 ()")
    draws = f"5 draws on {strongest(notebook, 'aw.methods.rollout(maps)[0, 0]')}"
    expect(said(widget, "readout")).to_contain_text(draws)
    expect(said(widget, "about")).to_contain_text("rollout(residual=0.5")
    eventually(lambda: frame(widget) > painted, True)
    assert notebook.python("print(w.attention.kind, len(w.selection()))") == "relevance 60"
    picture("method-rollout")

    # What Python chooses is shown too, and a page that loads again has it.
    notebook.python("w.method = 'mean'")
    expect(method).to_have_value("mean")
    notebook.reload()
    widget = notebook.widget()
    method = widget.get_by_label("method", exact=True)
    expect(method).to_have_value("mean")
    method.select_option("raw")
    expect(said(widget, "readout")).to_contain_text(attends)
    eventually(lambda: notebook.python("print(w.method, w.layer, w.heads)"), "None 3 (1,)")
