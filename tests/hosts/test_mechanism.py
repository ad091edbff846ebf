"""The mechanism view in a real JupyterLab and Notebook 7: a kernel tells how weights arise."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Locator, expect

from hosts.notebooks import Notebook
from hosts.reading import IMPORTS, eventually, token

OpenNotebook = Callable[..., Notebook]
TakePicture = Callable[[str], Path]

VECTORS = f"""\
{IMPORTS}
random = np.random.default_rng(4)
words = ["I", "am", "very", "happy"]
query, key, value = random.normal(size=(3, 4, 4)).round(1)"""

TRACE = f"""\
{VECTORS}
trace = aw.scaled_dot_product_attention(query, key, value, queries=words, keys=words)"""

HEADS = f"""\
{IMPORTS}
random = np.random.default_rng(4)
query, key = random.normal(size=(2, 2, 2, 1500, 16)).astype("float32")
maps = aw.Attention.from_qk(query, key, causal=True)
w = aw.lines(maps, layer=1, heads=(1,), pinned_queries=(40,), pinned_keys=(7,))"""


def readout(widget: Locator) -> Locator:
    return widget.locator('[data-role="readout"]')


def test_a_trace_displays_itself_and_sliders_recompute(
    open_notebook: OpenNotebook, picture: TakePicture
) -> None:
    notebook = open_notebook([TRACE, "trace"])
    widget = notebook.widget()
    expect(widget.locator('[data-view="mechanism"]')).to_be_visible()
    token(widget, "query", 2).click()
    token(widget, "key", 1).click()
    weight = notebook.python("print(f'{trace.weights[2, 1]:.3f}')")
    expect(readout(widget)).to_contain_text(f"very attends to am {weight} = exp(")
    picture("mechanism-trace")
    slider = widget.get_by_label("temperature", exact=True)
    slider.press("End")
    hot = notebook.python("hot = np.exp(trace.scaled[2] / 16); print(f'{hot[1] / hot.sum():.3f}')")
    expect(readout(widget)).to_contain_text(f"very attends to am {hot} = exp(")
    expect(widget).to_contain_text("what-if: not the numbers of the model")
    widget.get_by_role("button", name="what-if").click()
    expect(readout(widget)).to_contain_text(f"very attends to am {weight} = exp(")


def test_why_this_weight_opens_the_mechanism_of_a_long_map_and_goes_back(
    open_notebook: OpenNotebook, picture: TakePicture
) -> None:
    notebook = open_notebook([HEADS, "w"])
    widget = notebook.widget()
    widget.get_by_role("button", name="why?").click()
    eventually(lambda: notebook.python("print(w.view, w.heads)"), "mechanism (1,)")
    weight = notebook.python(
        "from attn_widget.figure.reading import short_number as short; "
        "print(short(float(maps[1, 1, 40, 7])))"
    )
    expect(readout(widget)).to_contain_text(f"40 attends to 7 {weight} = exp(")
    eventually(lambda: notebook.python("print(w._mechanism['request']['query'])"), "40")
    picture("mechanism-1500")
    # What is on screen is state: a page that loads again has it at once.
    notebook.reload()
    widget = notebook.widget()
    expect(readout(widget)).to_contain_text(f"40 attends to 7 {weight} = exp(")
    notebook.python("w.view = 'lines'")
    widget.get_by_role("button", name="why?").click()
    expect(widget.locator('[data-view="mechanism"]')).to_be_visible()
    token(widget, "key", 7).press("Escape")
    eventually(lambda: notebook.python("print(w.view, w.pinned_queries)"), "lines (40,)")
