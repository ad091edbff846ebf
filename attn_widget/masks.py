"""Masks given as the truth: which pixels of an image a map should lie on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from .attention import Attention
from .axes import Axis, Patches
from .copies import images_of
from .images import Image, image_id
from .outlines import Mask, Outline, outlines_of, path_of


class Masks(Mapping[str, tuple[Mask, ...]]):
    """Masks by the names of the images they lie on, and their outlines."""

    def __init__(self, masks: Mapping[str, tuple[Mask, ...]] | None = None) -> None:
        self._masks = dict(masks or {})

    def __getitem__(self, name: str) -> tuple[Mask, ...]:
        return self._masks[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._masks)

    def __len__(self) -> int:
        return len(self._masks)

    def __repr__(self) -> str:
        return f"Masks({ {name: len(masks) for name, masks in self.items()} })"

    @cached_property
    def outlines(self) -> dict[str, tuple[Outline, ...]]:
        """The outlines of all masks of each image."""
        return {name: outlines_of(masks) for name, masks in self.items()}


def read_masks(given: Any, attention: Attention) -> Masks:
    """Return masks as they were given for the images of a map.

    Args:
        given: boolean arrays ``(height, width)`` on the pixels of the only image, or one of them;
            ``{image: masks}`` for several, by number (0 is the first picture), by the ``name`` of
            their patches, or as :class:`Masks` name them. Whatever has such an array as ``mask``
            will do. None, or nothing in it, stands for no masks.
        attention: the map.

    Raises:
        ValueError: for anything else; the message says what was expected and what came.
    """
    if isinstance(given, Masks) or given is None:
        return given or Masks()
    images = images_of(attention.keys, attention.queries)
    if isinstance(given, Mapping):
        named = _names(attention, images)
        unknown = [key for key in given if key not in named]
        if unknown:
            some = ", ".join(repr(name) for name in named if name not in images) or "none"
            raise ValueError(f"for images of the map, of {some}; got {unknown[0]!r}")
        by_image = {named[key]: _listed(masks) for key, masks in given.items()}
    else:
        masks = _listed(given)
        if masks and len(images) != 1:
            raise ValueError(
                "for a map of one image, or {image: masks}; got a map of "
                f"{len(images) or 'no'} images"
            )
        by_image = dict.fromkeys(images, masks)
    return Masks(
        {
            name: tuple(_mask(mask, images[name]) for mask in masks)
            for name, masks in by_image.items()
            if masks
        }
    )


def page_masks(masks: Masks, attention: Attention) -> dict[str, str]:
    """Return the outlines of masks on the images of a map, for the page: a path an image."""
    images = images_of(attention.keys, attention.queries)
    return {name: path_of(found) for name, found in masks.outlines.items() if name in images}


def _listed(given: Any) -> Sequence[Any]:
    if hasattr(given, "mask") or getattr(given, "ndim", 0) == 2:
        return [given]
    try:
        return [*given]
    except TypeError:
        raise ValueError(f"boolean arrays; got {type(given).__name__}") from None


def _mask(given: Any, image: Image) -> Mask:
    mask = np.array(getattr(given, "mask", given))
    if mask.dtype != bool or mask.shape != image.shape[:2]:
        raise ValueError(
            f"boolean arrays of shape {image.shape[:2]}, the pixels of the image; got "
            f"{mask.dtype} of shape {mask.shape}"
        )
    mask.flags.writeable = False
    return mask


def _names(attention: Attention, images: Mapping[str, Image]) -> dict[Any, str]:
    """Return what images may be called, and the names they have."""
    axes: tuple[Axis, ...] = (attention.keys, attention.queries)
    called = {
        segment.name: image_id(segment.image)
        for axis in axes
        for segment in axis.segments
        if isinstance(segment, Patches) and segment.image is not None and segment.name
    }
    return {**dict(enumerate(images)), **called, **{name: name for name in images}}
