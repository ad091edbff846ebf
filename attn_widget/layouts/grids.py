"""Layouts of one grid over one image: vision transformers, detectors, captioners, windows."""

from __future__ import annotations

from collections.abc import Sequence

from ..axes import Segment, Tokens
from ..regions import Region
from .counts import checked, square, summed
from .orders import windows
from .original import Fit, Original, Size, original, pair, part, seen


def grid(
    rows: int,
    cols: int,
    image: object = None,
    *,
    fit: Fit = "squash",
    width: int | None = None,
    height: int | None = None,
    count: int | None = None,
) -> list[Segment]:
    """A plain grid of cells over one image, such as the 14×14 features of a captioner.

    The default is an image squashed to the shape of the grid, whatever its aspect ratio.

    Args:
        rows: Rows of cells.
        cols: Columns of cells.
        image: The original image; see `Patches`.
        fit: How the image was made to fit square cells; see `seen`.
        width: Width of the original image, where the image is not given.
        height: Its height.
        count: Length of the real axis.

    Raises:
        ValueError: If ``count`` is not rows · cols.
    """
    whole = original(image, width, height)
    patches = whole.patches(rows, cols, seen(whole, rows, cols, fit))
    return checked([patches], count, square(rows, cols))


def vit(
    image: object = None,
    *,
    patch: Size = 16,
    input_size: Size | None = 224,
    fit: Fit = "squash",
    resize: int | None = None,
    prefix: Sequence[str] = ("[CLS]",),
    registers: int = 0,
    suffix: Sequence[str] = (),
    width: int | None = None,
    height: int | None = None,
    count: int | None = None,
) -> list[Segment]:
    """A vision transformer: prefix tokens, registers, patches row by row, suffix tokens.

    Patches that don't fill the input leave its right and bottom edge unseen (DINO, DINOv2).

    Args:
        image: The original image; see `Patches`.
        patch: Pixels a patch of the model's input.
        input_size: Pixels of the model's input, or (height, width); None means the image at its
            own size.
        fit: How the image was made to fit the input: ``"squash"``, ``"centre_crop"`` (CLIP,
            timm), ``"pad"`` (letterbox) or ``"pad_end"`` (SAM); see `seen`.
        resize: Pixels of the short side before a centre crop; None means the input's.
        prefix: Labels of the tokens before the registers; ``()`` for a model without [CLS],
            ``("[CLS]", "[DIST]")`` for a distilled one.
        registers: Number of register tokens.
        suffix: Labels of the tokens after the patches, such as the detection tokens of YOLOS.
        width: Width of the original image, where the image is not given.
        height: Its height.
        count: Length of the real axis.

    Raises:
        ValueError: If the sizes are not possible, or ``count`` is not prefix + registers +
            patches + suffix.
    """
    whole = original(image, width, height)
    tall, wide = pair(patch, "patch")
    if input_size is None:
        whole.known()
        down, across = whole.height, whole.width
    else:
        down, across = pair(input_size, "input_size")
    region = seen(whole, down, across, fit, resize)
    return patched(
        whole,
        (down, across),
        region,
        patch=(tall, wide),
        prefix=prefix,
        registers=registers,
        suffix=suffix,
        count=count,
    )


def patched(
    whole: Original,
    size: tuple[int, int],
    region: Region | None,
    *,
    patch: tuple[int, int],
    prefix: Sequence[str] = (),
    registers: int = 0,
    suffix: Sequence[str] = (),
    count: int | None = None,
) -> list[Segment]:
    """Patches of an input that shows a known part of the original image, and tokens around them.

    Args:
        whole: The original image.
        size: (height, width) of the input in pixels.
        region: The part of the original image that the input shows.
        patch: (height, width) of a patch of the input in pixels.
        prefix: Labels of the tokens before the registers.
        registers: Number of register tokens.
        suffix: Labels of the tokens after the patches.
        count: Length of the real axis.

    Raises:
        ValueError: If no patch fits, or ``count`` is not prefix + registers + patches + suffix.
    """
    down, across = size
    tall, wide = patch
    rows, cols = down // tall, across // wide
    if not (rows and cols):
        raise ValueError(
            f"a patch of {tall}×{wide} pixels is larger than an input of {down}×{across}"
        )
    region = part(region, cols * wide / across, rows * tall / down)
    before = [*prefix, *(f"register {number + 1}" for number in range(registers))]
    segments: list[Segment] = [whole.patches(rows, cols, region)]
    if before:
        segments.insert(0, Tokens(before, special=range(len(before))))
    if suffix:
        segments.append(Tokens(suffix))

    def hint(more: int) -> str:
        if more == -1 and registers:
            return "is a register missing?"
        if more == -registers:
            return "are the registers not among them? Then registers=0"
        if more == -len(prefix):
            return f"was {', '.join(prefix)} removed? Then prefix=()"
        if 0 < more <= 16:
            return f"has the model {more} more register{'s'[: more > 1]} or prefix tokens?"
        return f"are {down}×{across} pixels in patches of {tall}×{wide} what the model saw?"

    terms = summed([len(prefix), registers, square(rows, cols), len(suffix)])
    return checked(segments, count, terms, hint)


def llava(
    image: object = None,
    *,
    patch: int = 14,
    input_size: int = 336,
    fit: Fit = "pad",
    width: int | None = None,
    height: int | None = None,
    count: int | None = None,
) -> list[Segment]:
    """The image tokens of LLaVA-1.5: 24×24 over the letterboxed image, without [CLS].

    Padding carries attention but shows nothing. The checkpoints of ``llava-hf`` cut the middle
    out instead: ``fit="centre_crop"``.

    Args:
        image: The original image; see `Patches`.
        patch: Pixels a patch of the model's input.
        input_size: Pixels a side of the model's input.
        fit: ``"pad"`` or ``"centre_crop"``; see `seen`.
        width: Width of the original image, where the image is not given.
        height: Its height.
        count: Length of the real axis.

    Raises:
        ValueError: If ``count`` is not the number of patches.
    """
    return vit(
        image,
        patch=patch,
        input_size=input_size,
        fit=fit,
        prefix=(),
        width=width,
        height=height,
        count=count,
    )


def detr(
    image: object = None,
    *,
    stride: int = 32,
    input_size: Size | None = None,
    padded: Size | None = None,
    shortest: int = 800,
    longest: int = 1333,
    width: int | None = None,
    height: int | None = None,
    count: int | None = None,
) -> list[Segment]:
    """The features of a detector: cells of ``stride`` pixels, as many as cover the input.

    The last row and column may reach beyond the image; nothing is stretched.

    Args:
        image: The original image; see `Patches`.
        stride: Pixels a cell of the model's input.
        input_size: (height, width) of the image after resizing. None works it out from
            ``shortest`` and ``longest``.
        padded: (height, width) of the batch, where it was padded for larger images.
        shortest: Pixels of the short side after resizing.
        longest: Most pixels of the long side.
        width: Width of the original image, where the image is not given.
        height: Its height.
        count: Length of the real axis.

    Raises:
        ValueError: If ``count`` is not the number of cells.
    """
    whole = original(image, width, height)
    if input_size is None:
        whole.known()
        down, across = _resized(whole.height, whole.width, shortest, longest)
    else:
        down, across = pair(input_size, "input_size")
    tall, wide = (down, across) if padded is None else pair(padded, "padded")
    if tall < down or wide < across:
        raise ValueError(
            f"padded must be at least the input, {down}×{across}; got {tall}×{wide} "
            "(height × width)"
        )
    rows, cols = -(-tall // stride), -(-wide // stride)
    region = part(whole.whole, cols * stride / across, rows * stride / down)

    def hint(more: int) -> str:
        return f"were it {down}×{across} pixels (height × width), {stride} a cell?"

    return checked([whole.patches(rows, cols, region)], count, square(rows, cols), hint)


def swin(
    image: object = None,
    *,
    rows: int,
    cols: int,
    window: int = 7,
    shift: int = 0,
    index: int | None = None,
    width: int | None = None,
    height: int | None = None,
    count: int | None = None,
) -> list[Segment]:
    """The positions of windowed attention with a cyclic shift: one window or all of them.

    Use `window_mask` to make the pairs that may not attend NaN.

    Args:
        image: The original image, squashed to the model's input; see `Patches`.
        rows: Patch rows of the layer.
        cols: Patch columns of the layer.
        window: Sides of a window in patches.
        shift: How far the grid is rolled: 0 or ``window // 2``.
        index: Which window; None means all, one after the other.
        width: Width of the original image, where the image is not given.
        height: Its height.
        count: Length of the real axis.

    Raises:
        ValueError: If ``count`` is not the number of positions, or there is no such window.
    """
    whole = original(image, width, height)
    each = windows(rows, cols, window, shift)
    if index is not None and not 0 <= index < len(each):
        raise ValueError(f"index must be in 0 … {len(each) - 1}, one of the windows; got {index}")
    order = (each if index is None else each[index]).ravel()
    patches = whole.patches(rows, cols, whole.whole, order, separator="padding")
    inside = square(window, window)
    return checked([patches], count, inside if index is not None else f"{len(each)}·{inside}")


def _resized(height: int, width: int, shortest: int, longest: int) -> tuple[int, int]:
    """(height, width) with the short side at ``shortest``, unless the long one gets too long."""
    small, large = min(height, width), max(height, width)
    side = shortest
    if large * shortest / small > longest:
        side = round(longest * small / large)
    long = int(side * large / small)
    return (side, long) if height <= width else (long, side)
