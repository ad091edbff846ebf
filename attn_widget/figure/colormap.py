"""Colour maps by evenly spaced anchors, between which the channels run linearly.

``js/src/scale/colormap.ts`` holds the same anchors; ``tests/wire/colormaps.json`` holds both to it.
``"auto"`` and ``"grey"`` run from the background to ink in steps that look even (OKLab),
``"diverging"`` from orange through the background to blue; viridis, inferno and cividis are
samples of the maps published under these names (van der Walt and Smith 2015; Nuñez, Anderton and
Renslow 2018).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from .palette import Colour

Anchors = NDArray[np.int64]
"""(n, 3): red, green, blue, 0..255."""


def _read(colours: str) -> Anchors:
    return np.array([[int(c[i : i + 2], 16) for i in (0, 2, 4)] for c in colours.split()])


def _both(colours: str) -> dict[str, Anchors]:
    return dict.fromkeys(("light", "dark"), _read(colours))


MAPS: Final[dict[str, dict[str, Anchors]]] = {
    "auto": {
        "light": _read("ffffff cce7f8 99cdf0 70b0df 4893ce 2175bb 1e5896 173d72 0d244f"),
        "dark": _read("17191c 1e2f44 1f476f 286294 3a80b4 4ba0d5 72bee5 a3daf0 d5f5fd"),
    },
    "diverging": {
        "light": _read(
            "601a08 802e12 a1441c c35b25 d57d47 e59f6c f4c094 fbe0ca ffffff "
            "d0e9f9 a0d2f3 7ab8e5 549dd6 3182c5 2666a5 1a4c86 0f3467"
        ),
        "dark": _read(
            "fad8ab edb57c e29151 c8723a a8572c 883e1e 5f3219 392518 17191c "
            "1f2e3f 254466 295d8d 3778ab 4695ca 60b2e1 8ccdea bae7f5"
        ),
    },
    "grey": {
        "light": _read("ffffff dedede bebebe 9e9e9e 808080 636363 484848 2e2e2e 161616"),
        "dark": _read("17191c 2d3032 464a49 616462 7e7f7d 9c9c9a babab9 d9d8d8 f8f8f8"),
    },
    "viridis": _both(
        "440154 48186a 472d7b 424086 3b528b 33638d 2c728e 26828e 21918c "
        "1fa088 28ae80 3fbc73 5ec962 84d44b addc30 d8e219 fde725"
    ),
    "cividis": _both(
        "00224e 002e6a 1a386f 32436d 434e6c 535a6d 61656f 6f7073 7d7c78 "
        "8c8878 9b9476 aba072 bcae6c cdbb63 dec958 f0d846 fee838"
    ),
    # Inferno without its darkest quarter, which would look like shadow on an image.
    "image": _both(
        "57106e 71196e 8a226a a32c61 bc3754 d24644 e45a31 f1731d f98e09 fcac11 f9cb35 f2ea69 fcffa4"
    ),
    "inferno": _both(
        "000004 0b0724 210c4a 3d0965 57106e 71196e 8a226a a32c61 "
        "bc3754 d24644 e45a31 f1731d f98e09 fcac11 f9cb35 f2ea69 fcffa4"
    ),
}


@dataclass(frozen=True)
class Mark:
    """Ground and hatching of cells that hold no finite number."""

    ground: tuple[int, int, int]
    line: tuple[int, int, int]


MARKS: Final[dict[str, dict[str, Mark]]] = {
    "light": {
        "masked": Mark((238, 240, 243), (221, 225, 230)),
        "missing": Mark((228, 228, 228), (138, 138, 138)),
        "infinite": Mark((204, 0, 122), (255, 255, 255)),
    },
    "dark": {
        "masked": Mark((36, 40, 46), (52, 57, 65)),
        "missing": Mark((58, 58, 58), (150, 150, 150)),
        "infinite": Mark((232, 62, 160), (23, 25, 28)),
    },
}


def anchors_of(name: str, signed: bool, theme: str) -> Anchors:
    """Return the anchors of a map; of signed values from the most negative to the most positive.

    Args:
        name: one of ``"auto"``, ``"viridis"``, ``"cividis"``, ``"grey"``, ``"inferno"``.
        signed: whether values have signs.
        theme: ``"dark"``; anything else is light.
    """
    return MAPS["diverging" if signed and name == "auto" else name][theme_key(theme)]


def theme_key(theme: str) -> str:
    """Return ``"dark"`` for it, and ``"light"`` for every other name."""
    return "dark" if theme == "dark" else "light"


def colours_at(anchors: Anchors, shares: Any) -> NDArray[np.uint8]:
    """Return the colours at shares of the way along anchors, uint8 ``(…, 3)``.

    Args:
        anchors: (n, 3).
        shares: numbers of any shape; beyond 0..1 the ends go on.
    """
    place = np.clip(np.asarray(shares, dtype=np.float64), 0, 1) * (len(anchors) - 1)
    before = np.minimum(place.astype(np.intp), len(anchors) - 2)
    part = (place - before)[..., None]
    start, end = anchors[before], anchors[before + 1]
    return np.asarray(np.floor(start + (end - start) * part + 0.5), dtype=np.uint8)


def as_colour(rgb: tuple[int, int, int] | NDArray[np.uint8]) -> Colour:
    """Return bytes as a colour of 0..1."""
    red, green, blue = (int(channel) / 255 for channel in rgb)
    return red, green, blue
