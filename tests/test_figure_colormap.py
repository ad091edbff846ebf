"""Colours of cells: the same in Python and on the page."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from attn_widget.figure import colormap

WIRE: Any = json.loads((Path(__file__).parent / "wire" / "colormaps.json").read_text("utf-8"))


def test_anchors_are_those_of_the_page() -> None:
    assert colormap.MAPS.keys() == WIRE["anchors"].keys()
    for name, themes in WIRE["anchors"].items():
        for theme, anchors in themes.items():
            np.testing.assert_array_equal(colormap.MAPS[name][theme], anchors)


def test_marks_are_those_of_the_page() -> None:
    for theme, marks in WIRE["marks"].items():
        held = colormap.MARKS[theme]
        stated = {**{name: mark.ground for name, mark in held.items()}}
        stated |= {f"{name}_line": mark.line for name, mark in held.items()}
        assert {name: list(colour) for name, colour in stated.items()} == marks


def test_colours_are_those_of_the_page() -> None:
    assert len(WIRE["samples"]) > 40
    for sample in WIRE["samples"]:
        anchors = colormap.MAPS[sample["map"]][sample["theme"]]
        found = colormap.colours_at(anchors, sample["at"])
        assert found.tolist() == sample["colour"], sample


def test_shares_beyond_the_ends_are_the_ends() -> None:
    anchors = colormap.MAPS["viridis"]["light"]
    found = colormap.colours_at(anchors, np.array([-1.0, 0.0, 1.0, 2.0]))
    np.testing.assert_array_equal(found, anchors[[0, 0, -1, -1]])


@pytest.mark.parametrize("theme", ["light", "dark", "auto"])
def test_signed_maps_diverge_unless_another_map_is_chosen(theme: str) -> None:
    key = "dark" if theme == "dark" else "light"
    assert colormap.anchors_of("auto", True, theme) is colormap.MAPS["diverging"][key]
    assert colormap.anchors_of("auto", False, theme) is colormap.MAPS["auto"][key]
    assert colormap.anchors_of("grey", True, theme) is colormap.MAPS["grey"][key]
