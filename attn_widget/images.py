"""Images that attention lies on, read into pixels."""

from __future__ import annotations

import io
import os
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
"""Pixels of shape (height, width, 3) or, with transparency, (height, width, 4)."""


def read_image(image: object) -> Image:
    """The pixels of an image.

    Args:
        image: A path, the bytes of an image file, a PIL image, or an array of shape (height,
            width), (height, width, 1), (height, width, 3) or (height, width, 4): integers in
            0 … 255 or floats in 0 … 1. Files are turned the way their EXIF orientation says, as
            viewers show them; a PIL image is taken as its pixels are.

    Returns:
        uint8 of shape (height, width, 3) or (height, width, 4), not writeable.

    Raises:
        ValueError: If an array has another shape or values out of range.
        TypeError: If it is none of these.
    """
    if isinstance(image, (str, os.PathLike)):
        pixels = _file_pixels(os.fspath(image))
    elif isinstance(image, (bytes, bytearray, memoryview)):
        pixels = _file_pixels(io.BytesIO(bytes(image)))
    elif hasattr(image, "convert") and hasattr(image, "getbands"):
        pixels = _pil_pixels(image)
    elif hasattr(image, "shape") or hasattr(image, "__array__"):
        pixels = _array_pixels(image)
    else:
        raise TypeError(
            "image must be a path, the bytes of an image file, a PIL image or an array of shape "
            f"(height, width, 3); got {type(image).__name__}"
        )
    if pixels.base is not None or pixels.flags.writeable:
        pixels = pixels.copy()
        pixels.flags.writeable = False
    return pixels


def _file_pixels(file: object) -> Image:
    from PIL import Image as pil
    from PIL import ImageOps

    with pil.open(cast(Any, file)) as opened:
        return _pil_pixels(ImageOps.exif_transpose(opened))


def _pil_pixels(image: object) -> Image:
    opened = cast(Any, image)
    if opened.mode.startswith(("I", "F")):
        raise ValueError(
            f"image has mode {opened.mode}, whose range is not known; give an array of floats in "
            "0 … 1 or integers in 0 … 255"
        )
    transparent = "A" in opened.getbands() or "transparency" in opened.info
    return np.asarray(opened.convert("RGBA" if transparent else "RGB"), dtype=np.uint8)


def _array_pixels(image: object) -> Image:
    tensor = cast(Any, image)
    if hasattr(tensor, "detach"):
        tensor = tensor.detach().cpu().numpy()
    array = np.asarray(tensor)
    if array.ndim == 2:
        array = array[:, :, None]
    if array.ndim != 3 or array.shape[2] not in (1, 3, 4) or 0 in array.shape:
        hint = ""
        if array.ndim == 3 and array.shape[0] in (1, 3, 4):
            hint = "; channels come last: np.moveaxis(image, 0, -1)"
        raise ValueError(
            "image must have shape (height, width), (height, width, 3) or (height, width, 4); "
            f"got {array.shape}{hint}"
        )
    if array.dtype.kind == "f":
        if not (array.min() >= 0 and array.max() <= 1):
            raise ValueError(
                "a float image must have values in 0 … 1; got "
                f"{array.min()} … {array.max()} (undo the normalisation of the model first)"
            )
        array = np.rint(array * 255)
    elif array.dtype.kind not in "ui":
        raise TypeError(f"an image array must be integers or floats; got {array.dtype}")
    elif array.dtype != np.uint8 and (array.min() < 0 or array.max() > 255):
        raise ValueError(
            f"an integer image must have values in 0 … 255; got {array.min()} … {array.max()}"
        )
    array = array.astype(np.uint8, copy=False)
    return np.repeat(array, 3, axis=2) if array.shape[2] == 1 else array
