"""A map that only a cluster of workers computes, in a real JupyterLab."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest
from playwright.sync_api import Page, expect

from hosts.notebooks import Notebook
from hosts.reading import eventually, token

EXAMPLE = Path(__file__).parents[2] / "examples" / "distributed.ipynb"


def cells(*names: str) -> list[str]:
    """Return cells of the example, by their ids."""
    notebook = nbformat.read(EXAMPLE, as_version=4)
    sources = {cell.id: str(cell.source) for cell in notebook.cells}
    return [sources[name] for name in names]


@pytest.mark.parametrize("jupyter", ["lab"], indirect=True)
def test_the_page_shows_what_workers_compute(
    open_notebook: Callable[..., Notebook], page: Page, picture: Callable[[str], Path]
) -> None:
    notebook = open_notebook(
        [
            *cells("import", "cluster", "map"),
            "w = aw.matrix(attention, layer=2, heads=5, height=500)\nw",
        ]
    )
    widget = notebook.widget()
    expect(widget.locator('[data-view="matrix"]')).to_be_visible()
    whole = "print(w._region.get('exact'), w._region.get('rows'))"
    eventually(lambda: notebook.python(whole), "True [0, 8192]")
    widget.scroll_into_view_if_needed()
    picture("distributed-matrix")
    notebook.python("w.window = (4000, 4040, 3680, 3720)")
    token(widget, "query", 4_010).click()
    eventually(lambda: notebook.python("print(w.pinned_queries)"), "(4010,)")
    notebook.python("w.update(attention.select(layers=range(1, 2))); w.view = 'heads'")
    expect(widget.locator('[data-view="heads"]')).to_be_visible()
    eventually(lambda: notebook.python("print(w._thumbnails.get('layers'))"), "[0, 1]")
    picture("distributed-heads")
    notebook.python("client.close(); cluster.close()")
