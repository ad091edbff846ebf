"""Layouts of transformers models, from their image processor and configuration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

from ..axes import Segment
from ..regions import Region
from .grids import detr, patched
from .original import Original, original
from .qwen import qwen2_vl
from .tiles import llava_next

_CLS: Final = ("[CLS]",)

_PREFIX: Final[dict[str, tuple[str, ...]]] = {
    **dict.fromkeys(
        (
            "vit",
            "vit_msn",
            "beit",
            "data2vec-vision",
            "dinov2",
            "dinov2_with_registers",
            "dinov3_vit",
            "yolos",
            "clip_vision_model",
            "chinese_clip_vision_model",
            "altclip_vision_model",
            "metaclip_2_vision_model",
            "blip_vision_model",
            "blip_2_vision_model",
            "owlvit_vision_model",
            "owlv2_vision_model",
        ),
        _CLS,
    ),
    "deit": ("[CLS]", "[DIST]"),
    "siglip_vision_model": (),
    "ijepa": (),
    "sam_vision_model": (),
}
"""The tokens before the patches, by type of model."""

_DETECTORS: Final = frozenset({"detr", "conditional_detr", "table-transformer"})
_LLAVA: Final = frozenset({"llava", "vipllava"})
_LLAVA_NEXT: Final = frozenset({"llava_next"})
_QWEN: Final = frozenset({"qwen2_vl", "qwen2_5_vl", "qwen3_vl", "qwen3_vl_moe"})


@dataclass(frozen=True)
class View:
    """An image on its way into a model: its size in pixels, and the part it shows."""

    height: int
    width: int
    region: Region
    """The part of the original image; it reaches beyond the image where there is padding."""

    def resized(self, height: int, width: int) -> View:
        """The same part in another number of pixels."""
        return View(height, width, self.region)

    def cut(self, top: int, left: int, height: int, width: int) -> View:
        """A part of it, or more than it where that reaches beyond."""
        start, above, right, below = self.region
        across, down = (right - start) / self.width, (below - above) / self.height
        x, y = start + left * across, above + top * down
        return View(height, width, (x, y, x + width * across, y + height * down))

    def centred(self, height: int, width: int) -> View:
        """Its middle; with padding where it is smaller."""
        return self.cut((self.height - height) // 2, (self.width - width) // 2, height, width)


def from_processor(
    image: object,
    processor: object,
    config: object,
    *,
    width: int | None = None,
    height: int | None = None,
    count: int | None = None,
) -> list[Segment]:
    """The positions of one image in a model of transformers, as its processor prepares it.

    Sizes are rounded as the processor rounds them. Of a CLIP-like model these are the positions
    of its vision tower, of a LLaVA-like one the image tokens of its language model (see `mixed`),
    of a detector the keys of its encoder.

    Args:
        image: The original image; see `Patches`.
        processor: Its image processor, or the processor that has one.
        config: The configuration of the model.
        width: Width of the original image, where the image is not given.
        height: Its height.
        count: Length of the real axis.

    Raises:
        ValueError: If the two do not say enough (the message says what is missing), the size of
            the original image is not known, or ``count`` is not the number of positions.
    """
    steps = getattr(processor, "image_processor", processor)
    whole = original(image, width, height).known()
    kind = str(getattr(config, "model_type", None))
    tower = getattr(config, "vision_config", None) or config
    if kind in _QWEN:
        least, most = _area(steps)
        return qwen2_vl(
            image,
            patch=_needed(steps, "patch_size"),
            merge=_needed(steps, "merge_size"),
            min_pixels=least,
            max_pixels=most,
            width=width,
            height=height,
            count=count,
        )
    if kind in _LLAVA_NEXT:
        return llava_next(
            image,
            patch=_needed(tower, "patch_size"),
            tile=_pair(_needed(steps, "crop_size"), "crop_size")[0],
            resolutions=[tuple(each) for each in _needed(steps, "image_grid_pinpoints")],
            width=width,
            height=height,
            count=count,
        )
    view, unpadded = _prepared(whole, steps, 16 if kind == "yolos" else 1)
    if kind in _DETECTORS:
        return detr(
            image,
            stride=16 if getattr(config, "dilation", False) else 32,
            input_size=(unpadded.height, unpadded.width),
            padded=(view.height, view.width),
            width=width,
            height=height,
            count=count,
        )
    detections = getattr(config, "num_detection_tokens", 0) if kind == "yolos" else 0
    return patched(
        whole,
        (view.height, view.width),
        view.region,
        patch=_pair(_needed(tower, "patch_size"), "patch_size"),
        prefix=_prefix(config, tower),
        registers=getattr(tower, "num_register_tokens", 0) or 0,
        suffix=[f"detection {number + 1}" for number in range(detections)],
        count=count,
    )


def _prefix(config: object, tower: object) -> tuple[str, ...]:
    kind = str(getattr(tower, "model_type", None))
    found = _PREFIX.get(kind)
    if found is None:
        raise ValueError(
            f"which tokens stand before the patches of a {kind!r} model is not known: use "
            "aw.layouts.vit with prefix="
        )
    if getattr(config, "model_type", None) in _LLAVA:
        whole = getattr(config, "vision_feature_select_strategy", "default") == "full"
        return found if whole else ()
    return found


def _prepared(whole: Original, steps: Any, multiple: int) -> tuple[View, View]:
    """What the model sees, and what it was before padding at the right and below.

    Resized sides are cut off to multiples of ``multiple``.
    """
    view = View(whole.height, whole.width, (0.0, 0.0, float(whole.width), float(whole.height)))
    pads = bool(getattr(steps, "do_pad", False))
    before = hasattr(steps, "pad_to_square")
    if pads and before:
        side = max(view.height, view.width)
        # The library rounds the padding before it down.
        top, left = (side - view.height) // 2, (side - view.width) // 2
        view = view.cut(-top, -left, side, side)
    if getattr(steps, "crop_pct", None):
        raise ValueError("crop_pct of this processor is not understood: use aw.layouts.vit")
    if _needed(steps, "do_resize"):
        tall, wide = _resized(view, _size(_needed(steps, "size"), "size"))
        view = view.resized(tall - tall % multiple, wide - wide % multiple)
    if getattr(steps, "do_center_crop", False):
        view = view.centred(*_pair(_needed(steps, "crop_size"), "crop_size"))
    padded = getattr(steps, "pad_size", None)
    if pads and not before and padded is not None:
        return view.cut(0, 0, *_pair(padded, "pad_size")), view
    return view, view


def _resized(view: View, size: Mapping[str, int]) -> tuple[int, int]:
    """(height, width) after resizing, rounded as the library rounds."""
    if "height" in size and "width" in size:
        return size["height"], size["width"]
    short, long = min(view.height, view.width), max(view.height, view.width)
    if "shortest_edge" in size:
        least: float = size["shortest_edge"]
        most = size.get("longest_edge")
        # The short side is rounded, the long one cut off from what was not rounded.
        if most is not None and long / short * least > most:
            least = most * short / long
        sides = round(least), int(least * long / short)
    elif "longest_edge" in size:
        sides = int(size["longest_edge"] * (short / long)), size["longest_edge"]
    else:
        raise ValueError(
            "size of the processor must have height and width, shortest_edge or longest_edge; "
            f"got {', '.join(size) or 'none of them'}"
        )
    return sides if view.height <= view.width else (sides[1], sides[0])


def _area(steps: object) -> tuple[int, int]:
    size = _size(_needed(steps, "size"), "size")
    least = getattr(steps, "min_pixels", None) or size.get("shortest_edge")
    most = getattr(steps, "max_pixels", None) or size.get("longest_edge")
    if least is None or most is None:
        raise ValueError("the processor has no min_pixels and max_pixels: give the layout its grid")
    return least, most


def _needed(source: object, name: str) -> Any:
    found = getattr(source, name, None)
    if found is None:
        raise ValueError(f"{type(source).__name__} has no {name}, which says where patches lie")
    return found


def _size(size: object, name: str) -> dict[str, int]:
    """A size as transformers writes it, as a plain dict without what is not set."""
    if isinstance(size, int):
        return {"height": size, "width": size}
    try:
        items = dict(cast(Any, size))
    except (TypeError, ValueError):
        raise ValueError(
            f"{name} of the processor must be a dict of pixels; got {size!r}"
        ) from None
    return {key: value for key, value in items.items() if value is not None}


def _pair(size: object, name: str) -> tuple[int, int]:
    if isinstance(size, (list, tuple)) and len(size) == 2:
        return size[0], size[1]
    sides = _size(size, name)
    if not {"height", "width"} <= sides.keys():
        raise ValueError(f"{name} must have height and width; got {', '.join(sides) or 'nothing'}")
    return sides["height"], sides["width"]
