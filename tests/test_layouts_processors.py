"""Layouts from image processors, against what the processors do to marked images."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import attn_widget as aw
from attn_widget.axes import Axis

transformers: Any = pytest.importorskip("transformers")


def processor(name: str, **options: Any) -> Any:
    """The variant that needs no torchvision, where there is one."""
    made = getattr(transformers, f"{name}Pil", None) or getattr(transformers, name)
    return made(**options)


def tower(patch: int, **more: Any) -> Any:
    return transformers.CLIPVisionConfig(patch_size=patch, **more)


Case = tuple[Callable[[], Any], Callable[[], Any], int, int]
"""Processor, configuration, tokens before the patches, pixels a cell of the input."""

CASES: dict[str, Case] = {
    "vit": (
        lambda: processor("ViTImageProcessor"),
        lambda: transformers.ViTConfig(),
        1,
        16,
    ),
    "deit, squashed and cropped": (
        lambda: processor("DeiTImageProcessor"),
        lambda: transformers.DeiTConfig(),
        2,
        16,
    ),
    "clip": (
        lambda: processor("CLIPImageProcessor"),
        lambda: transformers.CLIPConfig(vision_config={"patch_size": 32}),
        1,
        32,
    ),
    "dinov2 with registers": (
        lambda: processor(
            "BitImageProcessor",
            size={"shortest_edge": 256},
            crop_size={"height": 224, "width": 224},
        ),
        lambda: transformers.Dinov2WithRegistersConfig(patch_size=14, num_register_tokens=4),
        5,
        14,
    ),
    "siglip": (
        lambda: processor("SiglipImageProcessor"),
        lambda: transformers.SiglipConfig(vision_config={"patch_size": 16}),
        0,
        16,
    ),
    "llava": (
        lambda: processor(
            "CLIPImageProcessor",
            size={"shortest_edge": 336},
            crop_size={"height": 336, "width": 336},
        ),
        lambda: transformers.LlavaConfig(vision_config=tower(14, image_size=336)),
        0,
        14,
    ),
    "llava, padded": (
        lambda: processor(
            "LlavaImageProcessor",
            do_pad=True,
            size={"shortest_edge": 336},
            crop_size={"height": 336, "width": 336},
        ),
        lambda: transformers.LlavaConfig(vision_config=tower(14, image_size=336)),
        0,
        14,
    ),
    "sam": (
        lambda: processor("SamImageProcessor"),
        lambda: transformers.SamConfig(),
        0,
        16,
    ),
    "yolos": (
        lambda: processor("YolosImageProcessor", size={"shortest_edge": 256, "longest_edge": 400}),
        lambda: transformers.YolosConfig(patch_size=16, num_detection_tokens=7),
        1,
        16,
    ),
    "detr": (
        lambda: processor("DetrImageProcessor", size={"shortest_edge": 240, "longest_edge": 333}),
        lambda: transformers.DetrConfig(
            use_timm_backbone=False,
            use_pretrained_backbone=False,
            backbone_config=transformers.ResNetConfig(),
            backbone=None,
        ),
        0,
        32,
    ),
}


def prepared(steps: Any, image: NDArray[np.uint8]) -> NDArray[np.float64]:
    """(height, width) brightness of what the model sees, before normalisation."""
    found = steps(image, return_tensors="np", do_normalize=False, do_rescale=False)
    pixels: NDArray[np.float64] = np.asarray(found["pixel_values"][0], dtype=np.float64)
    return np.asarray(pixels.mean(axis=0))


@pytest.mark.parametrize("size", [(300, 460), (430, 310)], ids=["wide", "tall"])
@pytest.mark.parametrize("name", CASES)
def test_a_marked_region_arrives_at_its_position(name: str, size: tuple[int, int]) -> None:
    make_steps, make_config, before, cell = CASES[name]
    steps, config = make_steps(), make_config()
    tall, wide = size
    blank = np.zeros((tall, wide, 3), dtype=np.uint8)
    background = prepared(steps, blank)
    axis = Axis(aw.layouts.from_processor(blank, steps, config))
    # A last cell that is not full counts for DETR only.
    more = cell - 1 if name == "detr" else 0
    rows, cols = ((side + more) // cell for side in background.shape)
    after = getattr(config, "num_detection_tokens", 0) if name == "yolos" else 0
    assert len(axis) == before + rows * cols + after
    cells = axis.regions[before : before + rows * cols]
    within = (cells[:, :2] >= 0).all(axis=1) & (cells[:, 2:] <= (wide, tall)).all(axis=1)
    inside = np.flatnonzero(within)
    assert len(inside) > rows * cols / 3
    for at in np.random.default_rng(0).choice(inside, size=3, replace=False):
        left, top, right, bottom = np.round(cells[at]).astype(int)
        image = blank.copy()
        image[top:bottom, left:right] = 255
        light = prepared(steps, image) - background
        row, col = divmod(int(at), cols)
        y, x = (np.arange(side) + 0.5 for side in light.shape)
        centre = (light.sum(axis=1) @ y / light.sum(), light.sum(axis=0) @ x / light.sum())
        # Half a pixel of the original image is up to two of an enlarged one.
        expected = ((row + 0.5) * cell, (col + 0.5) * cell)
        assert np.abs(np.subtract(centre, expected)).max() < 2.2
        part = light[row * cell : (row + 1) * cell, col * cell : (col + 1) * cell]
        assert part.sum() > 0.75 * light.sum()


def test_what_lies_outside_is_seen_nowhere() -> None:
    make_steps, make_config, _, _ = CASES["clip"]
    image = np.zeros((300, 460, 3), dtype=np.uint8)
    axis = Axis(aw.layouts.from_processor(image, make_steps(), make_config(), count=50))
    left, top = np.nanmin(axis.regions[:, :2], axis=0)
    assert round(top) == 0
    assert left > 70
    image[:, : int(left) - 2] = 255
    assert prepared(make_steps(), image).max() == 0


def test_a_processor_that_has_one_and_the_size_alone() -> None:
    class Processor:
        image_processor = CASES["siglip"][0]()

    (patches,) = aw.layouts.from_processor(
        None, Processor(), CASES["siglip"][1](), width=460, height=300, count=196
    )
    assert len(patches) == 196
    with pytest.raises(ValueError, match="width= and height="):
        aw.layouts.from_processor(None, Processor(), CASES["siglip"][1]())


def test_qwen_and_llava_next_have_layouts_of_their_own() -> None:
    image = np.zeros((480, 640, 3), dtype=np.uint8)
    steps = processor("Qwen2VLImageProcessor")
    config = transformers.Qwen2VLConfig()
    found = aw.layouts.from_processor(image, steps, config, count=391)
    assert found == aw.layouts.qwen2_vl(image)
    grid = steps(image, return_tensors="np")["image_grid_thw"][0]
    assert len(found[0]) == int(np.prod(grid)) // 4
    steps = processor(
        "LlavaNextImageProcessor",
        size={"shortest_edge": 336},
        crop_size={"height": 336, "width": 336},
    )
    config = transformers.LlavaNextConfig(vision_config=tower(14, image_size=336))
    found = aw.layouts.from_processor(image, steps, config)
    assert found == aw.layouts.llava_next(image)


class TestWhatIsMissing:
    def test_the_tokens_before_the_patches(self) -> None:
        config = transformers.BlipConfig().vision_config
        config.model_type = "sculpture"
        with pytest.raises(ValueError, match="before the patches of a 'sculpture' model"):
            aw.layouts.from_processor(np.zeros((9, 9)), CASES["vit"][0](), config)

    def test_the_size_of_a_patch(self) -> None:
        with pytest.raises(ValueError, match="BertConfig has no patch_size"):
            aw.layouts.from_processor(
                np.zeros((9, 9)), CASES["vit"][0](), transformers.BertConfig()
            )

    def test_what_the_processor_does(self) -> None:
        config = CASES["vit"][1]()
        with pytest.raises(ValueError, match="int has no do_resize"):
            aw.layouts.from_processor(np.zeros((9, 9)), 3, config)
        steps = CASES["vit"][0]()
        steps.size = {"max_width": 3}
        with pytest.raises(ValueError, match=r"height and width, shortest_edge.*got max_width"):
            aw.layouts.from_processor(np.zeros((9, 9)), steps, config)

    def test_the_wrong_length(self) -> None:
        with pytest.raises(ValueError, match=r"1 \+ 14·14 = 197 positions, got 198"):
            aw.layouts.from_processor(
                np.zeros((9, 9)), CASES["vit"][0](), CASES["vit"][1](), count=198
            )
