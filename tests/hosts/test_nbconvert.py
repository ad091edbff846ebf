"""Documents made from an executed notebook, for readers without a kernel."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from hosts.reading import CELLS

PNG_START = b"\x89PNG\r\n\x1a\n"
VIEW = "application/vnd.jupyter.widget-view+json"
STATE = "application/vnd.jupyter.widget-state+json"
PICTURE = re.compile(r'<img[^>]* src="data:image/png;base64,')


def convert(notebook: Path, form: str, *options: str) -> None:
    command = (sys.executable, "-m", "jupyter", "nbconvert", "--to", form, *options, notebook.name)
    result = subprocess.run(
        command, cwd=notebook.parent, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr


def execute(folder: Path, *, state: bool) -> Path:
    source = folder / "source.ipynb"
    cells = [nbformat.v4.new_code_cell(cell) for cell in CELLS]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), source)
    options = (f"--ExecutePreprocessor.store_widget_state={state}", "--output", "executed")
    convert(source, "notebook", "--execute", *options)
    return folder / "executed.ipynb"


@pytest.fixture(scope="module")
def executed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A notebook run from top to bottom and saved as JupyterLab saves it: without widget state."""
    return execute(tmp_path_factory.mktemp("executed"), state=False)


def test_output_holds_widget_picture_and_text(executed: Path) -> None:
    output = nbformat.read(executed, as_version=4).cells[1].outputs[0]
    assert {VIEW, "image/png", "text/plain"} == set(output.data)
    assert output.data["text/plain"].startswith("AttentionWidget(")
    assert output.metadata["image/png"]["width"] > 0


def test_html_without_state_shows_the_picture(executed: Path) -> None:
    convert(executed, "html")
    html = executed.with_suffix(".html").read_text(encoding="utf-8")
    assert len(PICTURE.findall(html)) == 1
    assert VIEW not in html


def test_html_with_state_shows_the_widget(tmp_path: Path) -> None:
    document = execute(tmp_path, state=True)
    convert(document, "html")
    html = document.with_suffix(".html").read_text(encoding="utf-8")
    assert VIEW in html
    assert STATE in html
    assert PICTURE.findall(html) == []


@pytest.mark.parametrize(
    ("form", "suffix", "reference"),
    [("markdown", ".md", "![png]("), ("latex", ".tex", r"\includegraphics")],
)
def test_document_shows_the_picture(executed: Path, form: str, suffix: str, reference: str) -> None:
    convert(executed, form)
    assert reference in executed.with_suffix(suffix).read_text(encoding="utf-8")
    pictures = list((executed.parent / "executed_files").glob("*.png"))
    assert len(pictures) == 1
    assert pictures[0].read_bytes().startswith(PNG_START)
