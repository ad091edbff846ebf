"""How the input of a model lies over the original image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from ..images import Image, read_image
from ..regions import Order, Patches, Region

Size: TypeAlias = int | tuple[int, int]
"""A side in pixels, or (height, width) as models write it."""

Fit: TypeAlias = Literal["squash", "centre_crop", "pad", "pad_end"]
"""How an image was made to fit the input of a model."""

FITS = ("squash", "centre_crop", "pad", "pad_end")


@dataclass(frozen=True)
class Original:
    """The original image, or just its size in pixels; 0 where nothing is known."""

    image: Image | None
    width: int
    height: int

    @property
    def whole(self) -> Region | None:
        """The region of the whole image, or None where its size is not known."""
        return (0.0, 0.0, float(self.width), float(self.height)) if self.width else None

    def patches(
        self,
        rows: int,
        cols: int,
        region: Region | None,
        order: Order = "raster",
        *,
        separator: str = "⏎",
        name: str = "",
    ) -> Patches:
        """A grid over a part of the image."""
        return Patches(
            rows,
            cols,
            image=self.image,
            region=region,
            order=order,
            separator=separator,
            name=name,
        )

    def known(self) -> Original:
        """The same, where its size is known.

        Raises:
            ValueError: If it is not.
        """
        if not self.width:
            raise ValueError(
                "this layout depends on the size of the original image: give image=, or width= "
                "and height="
            )
        return self


def original(image: object, width: int | None, height: int | None) -> Original:
    """The original image of a layout.

    Raises:
        ValueError: If the size is half given, not positive, or not that of the image.
    """
    if (width is None) != (height is None):
        raise ValueError(f"give width and height together; got width={width}, height={height}")
    if width is not None and height is not None and not (width > 0 and height > 0):
        raise ValueError(f"width and height must be positive; got {width} and {height}")
    if image is None:
        return Original(None, width or 0, height or 0)
    pixels = read_image(image)
    tall, wide = pixels.shape[:2]
    if width is not None and (width, height) != (wide, tall):
        swapped = ": are they exchanged?" if (height, width) == (wide, tall) else ""
        raise ValueError(
            f"the image is {wide} wide and {tall} high; got width={width}, height={height}{swapped}"
        )
    return Original(pixels, wide, tall)


def pair(size: Size, name: str) -> tuple[int, int]:
    """A size as (height, width).

    Raises:
        ValueError: If it is not one or two positive whole numbers.
    """
    sides = (size, size) if isinstance(size, int) else tuple(size)
    if len(sides) != 2 or not all(isinstance(side, int) and side > 0 for side in sides):
        raise ValueError(f"{name} must be a number of pixels or (height, width); got {size!r}")
    return sides


def seen(
    whole: Original, height: int, width: int, fit: Fit = "squash", resize: int | None = None
) -> Region | None:
    """The part of the original image that an input of height × width pixels shows.

    Libraries round resized sides differently; this is exact, so that edges may lie up to one
    pixel of the input from where a library put them.

    Args:
        whole: The original image.
        height: Height of the model's input in pixels.
        width: Its width.
        fit: ``"squash"`` resizes both sides; ``"centre_crop"`` resizes the short side to
            ``resize`` and cuts the middle out; ``"pad"`` resizes the long side and pads both
            ends of the other; ``"pad_end"`` pads right and bottom only.
        resize: Pixels of the short side before the crop; None means just the crop.

    Returns:
        (left, top, right, bottom) in pixels of the original image, or None where its size is
        not known. It reaches beyond the image where the input was padded.

    Raises:
        ValueError: If the fit is none of these, or ``resize`` comes without a crop.
    """
    if fit not in FITS:
        raise ValueError(f"fit must be one of {', '.join(FITS)}; got {fit!r}")
    if resize is not None and (fit != "centre_crop" or resize < 1):
        raise ValueError(
            f"resize is the short side before a centre_crop; got {resize} with {fit!r}"
        )
    if whole.whole is None or fit == "squash":
        return whole.whole
    if fit == "centre_crop":
        scale = min(whole.width, whole.height) / (resize or max(height, width))
    else:
        scale = max(whole.width / width, whole.height / height)
    wide, tall = width * scale, height * scale
    if fit == "pad_end":
        return (0.0, 0.0, wide, tall)
    left, top = (whole.width - wide) / 2, (whole.height - tall) / 2
    return (left, top, left + wide, top + tall)


def part(region: Region | None, across: float, down: float) -> Region | None:
    """The left top part of a region, by its share of the width and of the height."""
    if region is None:
        return None
    left, top, right, bottom = region
    return (left, top, left + (right - left) * across, top + (bottom - top) * down)
