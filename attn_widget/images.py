"""Images that attention lies on, read into pixels."""

from __future__ import annotations

import hashlib
import io
import os
import warnings
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final, cast

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
"""Pixels of shape (height, width, 3) or, with transparency, (height, width, 4)."""

CHANNELS: Final = ("last", "first")

TRANSPARENT: Final = ("LA", "La", "PA", "RGBA", "RGBa")
"""Pillow's modes with an alpha channel."""

STRIP_PIXELS: Final = 1 << 20
"""Images are converted in strips of about so many pixels: no second copy is held of large ones."""

_EXIF_ORIENTATION: Final = 0x0112

_FROM_UPRIGHT: Final[dict[int, Callable[[Image], Image]]] = {
    2: lambda upright: upright[:, ::-1],
    3: lambda upright: upright[::-1, ::-1],
    4: lambda upright: upright[::-1],
    5: lambda upright: upright.transpose(1, 0, 2),
    6: lambda upright: np.rot90(upright, 1),
    7: lambda upright: upright[::-1, ::-1].transpose(1, 0, 2),
    8: lambda upright: np.rot90(upright, -1),
}
"""For each EXIF orientation, an upright image as the file stores it, without a copy."""

_held: weakref.WeakValueDictionary[str, Image] = weakref.WeakValueDictionary()
_names: dict[int, str] = {}


def read_image(image: object, *, channels: str = "last") -> Image:
    """The pixels of an image.

    Images of the same pixels share their memory.

    Args:
        image: A path, the bytes of an image file, a Pillow image, or an array or tensor of shape
            (height, width), (height, width, 1), (height, width, 3) or (height, width, 4): integers
            in 0 … 255, floats in 0 … 1, or booleans. Files are turned the way their EXIF
            orientation says, as viewers show them. A Pillow image is taken as its pixels are, as
            models take it; ``PIL.ImageOps.exif_transpose`` turns it.
        channels: ``"first"`` for an array of shape (1, height, width), (3, height, width) or
            (4, height, width), as PyTorch has them.

    Returns:
        uint8 of shape (height, width, 3) or (height, width, 4), not writeable.

    Raises:
        ValueError: If a file is no image that Pillow reads, or an array has another shape or
            values out of range.
        TypeError: If it is none of these.
        OSError: If a file can't be opened.
    """
    if channels not in CHANNELS:
        raise ValueError(f"channels must be one of {', '.join(CHANNELS)}; got {channels!r}")
    if isinstance(image, (str, os.PathLike)):
        return _shared(_path_pixels(os.fspath(image)))
    if isinstance(image, (bytes, bytearray, memoryview)):
        return _shared(_file_pixels(bytes(image), f"{len(image):,} bytes"))
    if hasattr(image, "convert") and hasattr(image, "getbands"):
        with _refusals("a Pillow image"):
            return _shared(_pillow_pixels(cast(Any, image)))
    if hasattr(image, "shape") or hasattr(image, "__array__"):
        if id(image) in _names and channels == "last":
            return cast(Image, image)
        return _shared(_array_pixels(image, channels))
    raise TypeError(
        "image must be a path, the bytes of an image file, a Pillow image or an array of shape "
        f"(height, width, 3); got {type(image).__name__}"
    )


def image_id(image: Image) -> str:
    """A name of an image: the same for the same pixels and shape."""
    return _names.get(id(image)) or _digest(image)


def _digest(image: Image) -> str:
    digest = hashlib.blake2b(repr(image.shape).encode(), digest_size=8)
    digest.update(np.ascontiguousarray(image).data)
    return digest.hexdigest()


def _shared(pixels: Image) -> Image:
    """Return pixels that nobody else can change; those of an equal image if it is still held."""
    name = _digest(pixels)
    known = _held.get(name)
    if known is not None:
        return known
    pixels.flags.writeable = False
    _held[name] = pixels
    _names[id(pixels)] = name
    weakref.finalize(pixels, _names.pop, id(pixels), None).atexit = False
    return pixels


# --- files and Pillow images ----------------------------------------------------------------------


def _path_pixels(path: str) -> Image:
    if "://" in path or path.startswith("data:"):
        address = path if len(path) <= 60 else path[:59] + "…"
        raise ValueError(
            f"image must be a file; got the address {address!r}: download it first, and give its "
            "path or its bytes"
        )
    with open(path, "rb") as file:
        return _file_pixels(file.read(), repr(path))


def _file_pixels(data: bytes, what: str) -> Image:
    from PIL import Image as pillow

    with _refusals(what, data), warnings.catch_warnings():
        # Photographs and scans of more than 89 megapixels are meant by whoever names them; Pillow
        # refuses those of twice as many.
        warnings.simplefilter("ignore", pillow.DecompressionBombWarning)
        with pillow.open(io.BytesIO(data)) as opened:
            return _pillow_pixels(opened, int(opened.getexif().get(_EXIF_ORIENTATION, 1)))


@contextmanager
def _refusals(what: str, data: bytes = b"") -> Iterator[None]:
    """Say what Pillow could not read, and why."""
    from PIL import Image as pillow
    from PIL import UnidentifiedImageError

    try:
        yield
    except (MemoryError, _RangeUnknown):
        raise
    except pillow.DecompressionBombError as error:
        raise ValueError(
            f"image must be scaled down first: {what} is too large ({error})"
        ) from error
    # What damaged files make of Pillow's readers has no common ancestor.
    except Exception as error:
        if b"<svg" in data[:4096].lower():
            why = "is an SVG drawing, which has no pixels: render it as PNG first"
        elif data[4:8] == b"ftyp":
            why = "is HEIC, AVIF or a video, which this Pillow does not read: save it as JPEG first"
        elif isinstance(error, UnidentifiedImageError):
            why = f"is none: it begins with {data[:12]!r}" if data else "is none"
        else:
            why = f"can't be read: {error}"
        raise ValueError(
            f"image must be one that Pillow reads, such as PNG or JPEG; {what} {why}"
        ) from error


class _RangeUnknown(ValueError):
    """An image of numbers whose range the file does not say."""


def _pillow_pixels(opened: Any, orientation: int = 1) -> Image:
    # The mode of some files is known only then.
    opened.load()
    if 0 in opened.size:
        raise ValueError(f"its size is {opened.width}×{opened.height}")
    if opened.mode.startswith(("I", "F")):
        raise _RangeUnknown(
            f"image has mode {opened.mode}, whose range is not known; give an array of floats in "
            "0 … 1, such as numpy.asarray(image) / 65535, or integers in 0 … 255"
        )
    # Bands don't tell: LAB has one of that name.
    transparent = opened.mode in TRANSPARENT or "transparency" in opened.info
    mode = "RGBA" if transparent else "RGB"
    width, height = opened.size
    size = (width, height) if orientation in (5, 6, 7, 8) else (height, width)
    pixels = np.empty((*size, len(mode)), np.uint8)
    as_stored = _FROM_UPRIGHT.get(orientation)
    stored = as_stored(pixels) if as_stored else pixels
    for rows in _strips(height, width):
        strip = opened.crop((0, rows.start, width, rows.stop))
        stored[rows] = np.asarray(strip if strip.mode == mode else strip.convert(mode))
    return pixels


def _strips(height: int, width: int) -> Iterator[slice]:
    rows = max(1, STRIP_PIXELS // max(1, width))
    for top in range(0, height, rows):
        yield slice(top, min(top + rows, height))


# --- arrays ---------------------------------------------------------------------------------------


def _array_pixels(image: object, channels: str) -> Image:
    array = _array(image)
    if channels == "first":
        if array.ndim != 3 or array.shape[0] not in (1, 3, 4) or 0 in array.shape:
            raise ValueError(
                "image with channels first must have shape (1, height, width), (3, height, width) "
                f"or (4, height, width); got {array.shape}"
            )
        array = np.moveaxis(array, 0, -1)
    elif array.ndim == 2:
        array = array[:, :, None]
    if array.ndim != 3 or array.shape[2] not in (1, 3, 4) or 0 in array.shape:
        raise ValueError(
            "image must have shape (height, width), (height, width, 3) or (height, width, 4); "
            f"got {array.shape}{_shape_hint(array.shape)}"
        )
    _check_range(array)
    height, width, depth = array.shape
    pixels = np.empty((height, width, max(3, depth)), np.uint8)
    for rows in _strips(height, width):
        part = array[rows]
        if array.dtype.kind == "f":
            part = np.rint(part * 255)
        elif array.dtype.kind == "b":
            part = part * np.uint8(255)
        pixels[rows] = part
    return pixels


def _array(image: object) -> NDArray[Any]:
    tensor = cast(Any, image)
    if hasattr(tensor, "detach"):
        tensor = tensor.detach().cpu()
        # NumPy has no bfloat16.
        tensor = (tensor.float() if tensor.is_floating_point() else tensor).numpy()
    return np.asarray(tensor)


def _shape_hint(shape: tuple[int, ...]) -> str:
    if len(shape) == 4:
        return "; give one image of the batch: image[0]"
    if len(shape) == 3 and shape[0] in (1, 3, 4):
        return '; where channels come first, give attn_widget.read_image(image, channels="first")'
    return ""


def _check_range(array: NDArray[Any]) -> None:
    if array.dtype.kind == "b" or array.dtype == np.uint8:
        return
    if array.dtype.kind not in "uif":
        raise TypeError(f"an image array must be integers, floats or booleans; got {array.dtype}")
    low, high = array.min(), array.max()
    if array.dtype.kind == "f":
        if not (low >= 0 and high <= 1):
            hint = "undo the normalisation of the model first"
            if low >= 0 and high <= 255:
                hint = "divide it by 255"
            elif not (np.isfinite(low) and np.isfinite(high)):
                hint = "not all of them are finite"
            raise ValueError(
                f"a float image must have values in 0 … 1; got {low} … {high} ({hint})"
            )
    elif low < 0 or high > 255:
        raise ValueError(f"an integer image must have values in 0 … 255; got {low} … {high}")
