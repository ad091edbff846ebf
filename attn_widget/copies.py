"""Copies of images for the page: scaled down, encoded, kept as long as the image is."""

from __future__ import annotations

import io
import math
import weakref
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from .axes import Axis, Tokens
from .images import STRIP_PIXELS, Image, image_id
from .protocol import IMAGES_BYTES

LONGEST_SIDE: Final = 1536
"""Pixels of a copy's longest side at most."""

LEAST_SIDE: Final = 32
"""A copy of fewer pixels shows nothing; the image is left out then."""

LOSSLESS_PIXELS: Final = 1 << 16
"""Copies of so many pixels are not compressed with loss: each pixel may be looked at."""

LOSSLESS_COLOURS: Final = 256
"""Copies of so few colours are drawings, which lossless compression suits."""

JPEG_QUALITY: Final = 88


@dataclass(frozen=True)
class Copy:
    """An encoded copy of an image: ``width`` and ``height`` are its own."""

    type: str
    data: bytes
    width: int
    height: int


_kept: dict[str, list[tuple[float, Copy]]] = {}
"""Copies of each image with the bytes that each was made to fit in, the first in any number."""


def images_of(*axes: Axis) -> dict[str, Image]:
    """Return the images that positions of some axes lie on, by their names."""
    found = {}
    for axis in axes:
        for segment in axis.segments:
            if not isinstance(segment, Tokens) and segment.image is not None:
                found[image_id(segment.image)] = segment.image
    return found


def page_copies(images: Mapping[str, Image], room: int = IMAGES_BYTES) -> dict[str, Copy | None]:
    """Return copies of some images that take at most ``room`` bytes together.

    Each may take an equal share, and what small ones leave of it goes to the others. None stands
    for an image that has no room.
    """
    by_size = sorted(images, key=lambda name: len(_copies(images[name])[0][1].data))
    copies: dict[str, Copy | None] = {}
    for name in by_size:
        copies[name] = copy = _fitting(images[name], room // (len(images) - len(copies)))
        room -= len(copy.data) if copy else 0
    return {name: copies[name] for name in images}


def scaled(image: Image, longest: int) -> Any:
    """Return an image as a Pillow image whose sides are at most ``longest`` pixels long."""
    from PIL import Image as pillow

    height, width = image.shape[:2]
    # A second copy of a large image would take more memory than the first.
    factor = max(height, width) // longest
    reduced = pillow.fromarray(_reduced(image, factor) if factor > 1 else image)
    if max(height, width) <= longest:
        return reduced
    share = longest / max(height, width)
    size = (max(1, round(width * share)), max(1, round(height * share)))
    # The last blocks of a reduced image may lie on its edge in part.
    box = (0, 0, width / max(1, factor), height / max(1, factor))
    return reduced.resize(size, pillow.Resampling.LANCZOS, box=box)


def _reduced(image: Image, factor: int) -> Image:
    """Return the mean of each block of ``factor`` × ``factor`` pixels."""
    from PIL import Image as pillow

    height, width, depth = image.shape
    reduced = np.empty((-(-height // factor), -(-width // factor), depth), np.uint8)
    rows = max(1, STRIP_PIXELS // (width * factor))
    for top in range(0, len(reduced), rows):
        strip = pillow.fromarray(image[top * factor : (top + rows) * factor])
        reduced[top : top + rows] = np.asarray(strip.reduce(factor))
    return reduced


def _copies(image: Image) -> list[tuple[float, Copy]]:
    """Return the copies made of an image so far, the largest one at least and first."""
    name = image_id(image)
    copies = _kept.get(name)
    if copies is None:
        copies = _kept[name] = [(math.inf, _encoded(scaled(image, LONGEST_SIDE)))]
        weakref.finalize(image, _kept.pop, name, None).atexit = False
    return copies


def _fitting(image: Image, room: int) -> Copy | None:
    """Return a copy of at most ``room`` bytes: one made before, or a new one.

    One that was made for less room serves where it fills at least half of it.
    """
    copies = _copies(image)
    for made_for, copy in copies:
        if len(copy.data) <= room and (room <= made_for or 2 * len(copy.data) > room):
            return copy
    larger = (copy for _, copy in copies if len(copy.data) > room)
    last = min(larger, key=lambda copy: len(copy.data))
    while len(last.data) > room:
        share = 0.95 * math.sqrt(room / len(last.data))
        side = int(max(last.width, last.height) * share)
        if side < LEAST_SIDE:
            return None
        last = _encoded(scaled(image, side))
        copies.append((room, last))
    return last


def _encoded(picture: Any) -> Copy:
    if picture.mode == "RGBA" and picture.getextrema()[3][0] == 255:
        picture = picture.convert("RGB")
    lossless = (
        picture.mode == "RGBA"
        or picture.width * picture.height <= LOSSLESS_PIXELS
        or picture.getcolors(LOSSLESS_COLOURS) is not None
    )
    file = io.BytesIO()
    if lossless:
        picture.save(file, "png")
    else:
        picture.save(file, "jpeg", quality=JPEG_QUALITY)
    kind = "image/png" if lossless else "image/jpeg"
    return Copy(kind, file.getvalue(), picture.width, picture.height)
