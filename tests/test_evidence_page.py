"""The page on evidence says what is there, and its examples run."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import attn_widget as aw
from attn_widget.evidence.record import STATISTICS

PAGE = (Path(__file__).parent.parent / "docs" / "evidence.md").read_text(encoding="utf-8")


def test_every_statistic_is_explained() -> None:
    table = "".join(re.findall(r"^\| `.*$", PAGE, re.MULTILINE))
    named = set(re.findall(r"`(\w+)`", table.replace("record.unit", "")))
    assert named == {*STATISTICS, "sinks", "distances"}


def test_every_name_is_there() -> None:
    names = set(re.findall(r"\be\.(\w+)", PAGE)) - {"g"}
    assert len(names) > 15
    assert {name for name in names if not hasattr(aw.evidence, name)} == set()


def test_examples_run() -> None:
    pytest.importorskip("pandas")
    blocks = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    here: dict[str, Any] = {
        "aw": aw,
        "e": aw.evidence,
        "np": np,
        "att": aw.samples.sentence(0),
        "gradients": aw.samples.sentence(0),
        "maps_she": [aw.samples.sentence(0), aw.samples.sentence(1)],
        "maps_he": [aw.samples.sentence(2), aw.samples.sentence(3)],
        "roles_she": [{"pronoun": 6, "job": 2}] * 2,
        "roles_he": [{"pronoun": 5, "job": 3}] * 2,
    }
    for block in blocks:
        exec(block, here)
    here["w"].close()
    assert here["e"].alignment_error_rate(here["links"], here["sure"], here["possible"]) == 0
    assert here["found"].difference.shape == (6, 12, 2, 2)
