"""The example notebooks, as they are stored; `make examples` runs them."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
import pytest

NOTEBOOKS = sorted((Path(__file__).parents[1] / "examples").glob("*.ipynb"))


def test_there_are_a_quickstart_and_what_the_readme_names() -> None:
    names = {path.name for path in NOTEBOOKS}
    assert {
        "quickstart",
        "recognition",
        "captioning",
        "detection",
        "mechanisms",
        "training",
        "explanation",
        "sinks",
    } <= {name.removesuffix(".ipynb") for name in names}
    readme = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
    assert set(re.findall(r"examples/(\w+\.ipynb)", readme)) <= names


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_a_stored_notebook_holds_no_results(path: Path) -> None:
    node = nbformat.read(path, as_version=nbformat.NO_CONVERT)
    nbformat.validate(node)
    assert (node.nbformat, node.nbformat_minor) == (4, 5)
    assert "widgets" not in node.metadata
    for cell in node.cells:
        if cell.cell_type == "code":
            assert cell.outputs == []
            assert cell.execution_count is None
