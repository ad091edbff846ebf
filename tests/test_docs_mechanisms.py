"""The examples in the documentation of mechanisms and cost run, one after the other."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

DOCS = Path(__file__).parent.parent / "docs"


def run(name: str) -> tuple[dict[str, Any], str]:
    """Run the Python of a page; return the names it made, and the page."""
    page = (DOCS / name).read_text(encoding="utf-8")
    names: dict[str, Any] = {}
    for code in re.findall(r"```python\n(.*?)```", page, re.DOTALL):
        exec(compile(code, name, "exec"), names)
    return names, page


def test_mechanisms() -> None:
    names, _ = run("mechanisms.md")
    assert (names["near"].weights.sum(axis=-1) < 1).all()
    assert names["found"].w_query.shape == (4, 3)
    np.testing.assert_allclose(names["steps"].weights, names["trace"].weights[4])


def test_cost(capsys: pytest.CaptureFixture[str]) -> None:
    names, page = run("cost.md")
    assert capsys.readouterr().out.partition("naive,")[0] in page
    assert names["measured"].points
