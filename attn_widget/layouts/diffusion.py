"""Layouts of diffusion models: the levels of a U-Net, and text and image in one sequence."""

from __future__ import annotations

from collections.abc import Sequence

from ..axes import Segment, Tokens
from .counts import checked, square
from .original import Original, original

LEVELS = 4


def unet(
    image: object = None,
    *,
    factor: int = 8,
    level: int | None = None,
    width: int | None = None,
    height: int | None = None,
    count: int | None = None,
) -> list[Segment]:
    """The latent positions of one level of a U-Net, such as the queries of its cross-attention.

    Maps of classifier-free guidance come as [without, with] the prompt along the batch axis:
    give the second half to `Attention`.

    Args:
        image: The generated image; see `Patches`.
        factor: Pixels a latent.
        level: How often the latents were halved; None finds it from ``count``.
        width: Width of the generated image, where the image is not given.
        height: Its height.
        count: Length of the real axis.

    Raises:
        ValueError: If the size of the image is not known, or no level has ``count`` positions.
    """
    whole = original(image, width, height).known()
    if level is None and count is None:
        raise ValueError("give level=, or count= to find it")
    grids = _levels(whole, factor, LEVELS if level is None else level + 1)
    if level is None:
        level = next((at for at, (rows, cols) in enumerate(grids) if rows * cols == count), None)
    if level is None:
        sizes = ", ".join(f"{square(*grid)} = {grid[0] * grid[1]}" for grid in grids)
        raise ValueError(f"expected one of {sizes} positions, got {count}")
    rows, cols = grids[level]
    cell = factor * 2**level
    patches = whole.patches(rows, cols, (0.0, 0.0, float(cols * cell), float(rows * cell)))
    return checked([patches], count, square(rows, cols))


def joint(
    text: int | Sequence[str] | Tokens,
    image: object = None,
    *,
    patch: int = 16,
    text_first: bool = True,
    width: int | None = None,
    height: int | None = None,
    count: int | None = None,
) -> list[Segment]:
    """Text and image in one sequence of joint attention.

    Args:
        text: The text tokens, or how many there are.
        image: The generated image; see `Patches`.
        patch: Pixels a token of the image: 16 in FLUX and Stable Diffusion 3.
        text_first: Whether the text comes first, as in FLUX; the ``diffusers`` processor of
            Stable Diffusion 3 puts it last.
        width: Width of the generated image, where the image is not given.
        height: Its height.
        count: Length of the real axis.

    Raises:
        ValueError: If the size of the image is not known, or ``count`` is not text + image.
    """
    whole = original(image, width, height).known()
    rows, cols = whole.height // patch, whole.width // patch
    if not (rows and cols):
        raise ValueError(f"an image of {whole.width}×{whole.height} has no patch of {patch} pixels")
    region = (0.0, 0.0, float(cols * patch), float(rows * patch))
    if isinstance(text, int):
        words = Tokens([f"text {number + 1}" for number in range(text)], special=())
    else:
        words = text if isinstance(text, Tokens) else Tokens(text)
    patches = whole.patches(rows, cols, region)
    terms = [str(len(words)), square(rows, cols)]

    def hint(more: int) -> str:
        left = len(words) + more
        return f"{len(patches)} of the image leave {left} for the text" if left >= 0 else ""

    if text_first:
        return checked([words, patches], count, " + ".join(terms), hint)
    return checked([patches, words], count, " + ".join(reversed(terms)), hint)


def _levels(whole: Original, factor: int, most: int) -> list[tuple[int, int]]:
    """(rows, columns) of each level; halving rounds up."""
    grids = [(-(-whole.height // factor), -(-whole.width // factor))]
    while len(grids) < most:
        rows, cols = grids[-1]
        grids.append((-(-rows // 2), -(-cols // 2)))
    return grids
