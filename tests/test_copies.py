"""Copies of images for the page: what they show, how large they are, how long they are kept."""

from __future__ import annotations

import base64
import gc
import io
import json
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

import attn_widget as aw
from attn_widget import copies, images
from attn_widget.copies import Copy, images_of, page_copies, scaled
from attn_widget.images import image_id, read_image
from attn_widget.protocol import IMAGES_BYTES
from wire import images as wire


def noise(height: int, width: int, depth: int = 3, seed: int = 0) -> images.Image:
    made = np.random.default_rng(seed).integers(0, 256, (height, width, depth), np.uint8)
    return read_image(made)


def slope(height: int, width: int) -> images.Image:
    """A picture that gets lighter to the right, redder downwards, as photographs do: slowly."""
    across = np.broadcast_to(np.linspace(0, 255, width), (height, width))
    down = np.broadcast_to(np.linspace(0, 255, height)[:, None], (height, width))
    return read_image(np.stack([down, across, across], axis=-1).astype(np.uint8))


def one(image: images.Image, room: int = IMAGES_BYTES) -> Copy:
    (copy,) = page_copies({"a": image}, room).values()
    assert copy is not None
    return copy


def decoded(copy: Copy) -> NDArray[Any]:
    with Image.open(io.BytesIO(copy.data)) as opened:
        assert Image.MIME[opened.format or ""] == copy.type
        assert opened.size == (copy.width, copy.height)
        return np.asarray(opened)


class TestWhatIsShown:
    @pytest.mark.parametrize("depth", [3, 4])
    def test_small_images_travel_pixel_by_pixel(self, depth: int) -> None:
        image = noise(224, 224, depth)
        copy = one(image)
        assert copy.type == "image/png"
        np.testing.assert_array_equal(decoded(copy), image)

    def test_drawings_travel_pixel_by_pixel(self) -> None:
        image = read_image(np.kron(noise(4, 5), np.ones((150, 150, 1), np.uint8)))
        copy = one(image)
        assert copy.type == "image/png"
        np.testing.assert_array_equal(decoded(copy), image)

    def test_photographs_travel_as_jpeg_that_looks_the_same(self) -> None:
        image = slope(600, 800)
        copy = one(image)
        assert copy.type == "image/jpeg"
        assert np.abs(decoded(copy).astype(int) - image).max() <= 6

    def test_what_is_not_transparent_travels_as_if_it_could_not_be(self) -> None:
        opaque = np.dstack([slope(600, 800), np.full((600, 800), 255, np.uint8)])
        assert one(read_image(opaque)).type == "image/jpeg"
        opaque[5, 5, 3] = 254
        copy = one(read_image(opaque))
        assert copy.type == "image/png"
        assert decoded(copy)[5, 5, 3] == 254

    @pytest.mark.parametrize(
        ("height", "width", "size"),
        [
            (1600, 1200, (1152, 1536)),
            (1000, 4610, (1536, 333)),
            (4, 6000, (1536, 1)),
            (1536, 1536, (1536, 1536)),
        ],
    )
    def test_large_images_keep_their_shape(
        self, height: int, width: int, size: tuple[int, int]
    ) -> None:
        copy = one(slope(height, width))
        assert (copy.width, copy.height) == size
        assert decoded(copy).shape == (*size[::-1], 3)

    def test_every_place_stays_where_it_is(self, monkeypatch: pytest.MonkeyPatch) -> None:
        # Neither side is a multiple of the blocks, nor of the strips.
        monkeypatch.setattr(copies, "STRIP_PIXELS", 20_000)
        height, width = 1301, 4003
        for side in (1536, 700, 333):
            found = np.asarray(scaled(slope(height, width), side), dtype=np.float64)
            rows, cols = found.shape[:2]
            assert max(rows, cols) == side
            down = ((np.arange(rows) + 0.5) / rows * height - 0.5) / (height - 1) * 255
            across = ((np.arange(cols) + 0.5) / cols * width - 0.5) / (width - 1) * 255
            np.testing.assert_allclose(found[:, cols // 2, 0], down - 0.5, atol=1.2)
            np.testing.assert_allclose(found[rows // 2, :, 1], across - 0.5, atol=1.2)


class TestSize:
    def test_noise_is_scaled_down_until_it_fits(self) -> None:
        image = noise(1500, 1500)
        copy = one(image)
        assert 0.6 * IMAGES_BYTES < len(copy.data) <= IMAGES_BYTES
        assert copy.width == copy.height < 1500
        decoded(copy)

    def test_several_share_the_room_and_small_ones_leave_theirs(self) -> None:
        many = {"a": noise(900, 900), "b": slope(500, 500), "c": noise(900, 900, seed=1)}
        room = 400_000
        found = page_copies(many, room)
        assert list(found) == ["a", "b", "c"]
        sizes = [len(copy.data) for copy in found.values() if copy]
        assert len(sizes) == 3
        assert sum(sizes) <= room
        assert min(sizes) == sizes[1] < room / 10
        assert max(sizes) > room / 3

    @pytest.mark.parametrize("room", [0, 50])
    def test_without_room_there_is_none(self, room: int) -> None:
        assert page_copies({"a": noise(300, 300)}, room) == {"a": None}

    def test_of_none(self) -> None:
        assert page_copies({}) == {}


class TestKeeping:
    def test_copies_are_made_once(self, monkeypatch: pytest.MonkeyPatch) -> None:
        image = noise(300, 300, seed=2)
        sides: list[int] = []
        whole = copies.scaled

        def counted(image: images.Image, side: int) -> Any:
            sides.append(side)
            return whole(image, side)

        monkeypatch.setattr(copies, "scaled", counted)
        first = one(image)
        assert one(read_image(image.copy())) is first
        small = one(image, len(first.data) // 4)
        assert small.width < first.width
        made = len(sides)
        assert one(image, len(first.data) // 4) is small
        assert one(image) is first
        assert len(sides) == made

    def test_a_copy_made_for_little_room_is_not_used_where_there_is_more(self) -> None:
        image = noise(300, 300, seed=4)
        whole = len(one(image).data)
        tiny = one(image, whole // 10)
        larger = one(image, whole - 1)
        assert larger.width > tiny.width
        assert whole / 2 < len(larger.data) < whole
        assert one(image, whole // 10) is tiny
        assert one(image, int(1.5 * len(tiny.data))) is tiny

    def test_copies_go_with_their_image(self) -> None:
        image = noise(40, 40, seed=3)
        name = image_id(image)
        one(image)
        assert name in copies._kept
        del image
        gc.collect()
        assert name not in copies._kept


def test_images_of_axes_are_each_found_once() -> None:
    first, second = noise(8, 8), noise(9, 9)
    keys = aw.Axis([aw.Tokens(["x"]), aw.Patches(2, 2, image=first), aw.Patches(1, 1)])
    queries = aw.Axis([aw.Boxes([[0, 0, 4, 4]], image=second), aw.Patches(2, 1, image=first)])
    found = images_of(queries, keys)
    assert found == {image_id(second): second, image_id(first): first}


class TestWire:
    """The file by which the page's tests know copies: ``js/test/browser/pictures.test.ts``."""

    HELD = json.loads(wire.FILE.read_text(encoding="utf-8"))

    def test_the_file_holds_what_is_made(self) -> None:
        made = wire.make()
        assert [case["name"] for case in made] == [case["name"] for case in self.HELD]
        for held, new in zip(self.HELD, made, strict=True):
            for name in ("id", "sizes", "pixels", "tolerance"):
                assert held[name] == new[name]
            old, fresh = (
                decoded(Copy(**{**case["copy"], "data": base64.b64decode(case["copy"]["data"])}))
                for case in (held, new)
            )
            assert old.shape == fresh.shape
            assert np.abs(old.astype(int) - fresh).max() <= held["tolerance"]

    @pytest.mark.parametrize("case", HELD, ids=[case["name"] for case in HELD])
    def test_copies_show_their_originals(self, case: dict[str, Any]) -> None:
        copy = Copy(**{**case["copy"], "data": base64.b64decode(case["copy"]["data"])})
        pixels = decoded(copy)
        assert case["sizes"].keys() == {case["id"]}
        for x, y, *colour in case["pixels"]:
            found = pixels[int(y * copy.height), int(x * copy.width)]
            assert np.abs(found.astype(int) - colour).max() <= case["tolerance"]
