"""Make ``images.json``: copies of images as they travel, which the page must decode.

``python tests/wire/images.py`` writes it. Encoders of other versions make other bytes of the same
pixels, so it stands apart from what ``make.py`` makes.
"""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from attn_widget import Attention, Patches
from attn_widget.content import describe, describe_images

FILE: Final = Path(__file__).with_name("images.json")

PLACES: Final = ((0.05, 0.05), (0.95, 0.05), (0.5, 0.5), (0.05, 0.95), (0.95, 0.95))
"""Where pixels are compared: shares of width and height."""


def photograph(height: int, width: int) -> NDArray[np.uint8]:
    """Draw something that gets redder downwards and greener to the right, smoothly."""
    down, across = np.mgrid[0:height, 0:width]
    red, green = 255 * down / (height - 1), 255 * across / (width - 1)
    return np.stack([red, green, 255 - (red + green) / 2], axis=-1).astype(np.uint8)


def drawing() -> NDArray[np.uint8]:
    """Draw four fields, one of them transparent."""
    fields = np.array(
        [[[200, 30, 40, 255], [20, 160, 60, 255]], [[30, 60, 220, 255], [0, 0, 0, 0]]], np.uint8
    )
    return np.kron(fields, np.ones((6, 9, 1), np.uint8))


ORIGINALS: Final[dict[str, tuple[NDArray[np.uint8], int]]] = {
    "drawing": (drawing(), 0),
    "photograph": (photograph(280, 400), 6),
    "large photograph": (photograph(170, 1600), 6),
}
"""Images, and by how much a pixel of a copy may differ from them."""


def make() -> list[dict[str, Any]]:
    """Make what is told of each image, its copy, and some pixels of the original."""
    cases = []
    for name, (original, tolerance) in ORIGINALS.items():
        grid = Patches(2, 2, image=original)
        held = Attention(np.full((4, 4), 0.25, np.float32), grid)
        content = describe(held, 1, ["attention"], 1)
        ((key, copy),) = describe_images(held).items()
        height, width = original.shape[:2]
        cases.append(
            {
                "name": name,
                "id": key,
                "sizes": content["images"],
                "copy": {**copy, "data": base64.b64encode(copy["data"]).decode()},
                "tolerance": tolerance,
                "pixels": [
                    [x, y, *original[int(y * height), int(x * width)].tolist()] for x, y in PLACES
                ],
            }
        )
    return cases


if __name__ == "__main__":
    FILE.write_text(json.dumps(make(), indent=1) + "\n", encoding="utf-8")
