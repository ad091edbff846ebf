"""What the host tests show and how they look at it."""

from __future__ import annotations

import io
import time
from collections.abc import Callable

import numpy as np
from PIL import Image
from playwright.sync_api import Locator

TOKENS = ["the", "cat", "sat", "on", "mats"]

IMPORTS = "import numpy as np\nimport attn_widget as aw"

# Every row of a layer is the same; the numbers are exact in float16.
MAPS = f"""\
weights = np.zeros((2, 2, 5, 5), dtype="float32")
weights[0] = [0.625, 0.375, 0, 0, 0]
weights[1] = [0.125, 0.875, 0, 0, 0]
maps = aw.Attention(weights, queries={TOKENS!r})"""

WIDGET = "w = aw.lines(maps, heads=(0,))"

CELLS = [f"{IMPORTS}\n{MAPS}", f"{WIDGET}\nw"]

FIELDS = [[[200, 30, 40], [20, 160, 60]], [[30, 60, 220], [250, 210, 0]]]

IMAGE_MAPS = f"""\
image = np.kron(np.uint8({FIELDS!r}), np.ones((200, 300, 1), "uint8"))
maps = aw.Attention(np.full((1, 2, 4, 4), 0.25, "float32"), aw.Patches(2, 2, image=image))"""

# Weights would lie on the colours.
IMAGE_WIDGET = "w = aw.overlay(maps, opacity=0)"

CAT_IN_LAYER = {
    0: "cat attends to the 0.625, cat 0.375",
    1: "cat attends to cat 0.875, the 0.125",
}

SECONDS = 10.0


def token(widget: Locator, side: str, index: int) -> Locator:
    """The element of one position."""
    return widget.locator(f'[data-side="{side}"][data-index="{index}"]')


def frame(widget: Locator) -> int:
    """How many complete pictures the widget has painted."""
    return int(widget.get_attribute("data-frame") or 0)


def eventually(read: Callable[[], object], expected: object) -> None:
    """Waits until `read` gives `expected`; raises with the last it gave."""
    deadline = time.monotonic() + SECONDS
    while (got := read()) != expected:
        if time.monotonic() > deadline:
            raise AssertionError(f"expected {expected!r} within {SECONDS} s; got {got!r}")
        time.sleep(0.05)


def colours(element: Locator) -> tuple[np.ndarray, np.ndarray]:
    """What a person sees of the element: its colours (n, 3), 0 to 255, and how often each."""
    picture = np.asarray(Image.open(io.BytesIO(element.screenshot())).convert("RGB"))
    return np.unique(picture.reshape(-1, 3), axis=0, return_counts=True)


def shows_image(widget: Locator) -> bool:
    """Whether each of `FIELDS` covers much of the overlay."""
    found, counts = colours(widget.locator('[data-view="overlay"]'))
    fields = np.array(FIELDS).reshape(-1, 3)
    return all(
        counts[np.abs(found.astype(int) - field).max(axis=1) <= 2].sum() > 5_000 for field in fields
    )


def ground(widget: Locator) -> float:
    """Brightness of the colour that covers most of the widget, 0 to 255."""
    found, counts = colours(widget)
    return float(found[counts.argmax()].mean())


def ink(widget: Locator) -> int:
    """How many pixels of the view are not of its ground."""
    _, counts = colours(widget.locator('[data-view="lines"]'))
    return int(counts.sum() - counts.max())
