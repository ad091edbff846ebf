"""Images, however they are given, become pixels; what is none is refused in words."""

from __future__ import annotations

import gc
import io
import re
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from numpy.typing import NDArray
from PIL import Image, ImageOps

import attn_widget as aw
from attn_widget import images
from attn_widget.images import image_id, read_image

PHOTO = np.random.default_rng(0).integers(0, 256, (30, 40, 3), dtype=np.uint8)
SVG = b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg" width="4" height="4"/>'


def png(pixels: NDArray[np.uint8], **options: Any) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "png", **options)
    return file.getvalue()


class TestArrays:
    @pytest.mark.parametrize(
        ("array", "shape", "first"),
        [
            (np.full((2, 3, 3), 7, np.uint8), (2, 3, 3), [7, 7, 7]),
            (np.full((2, 3, 4), 7, np.int64), (2, 3, 4), [7, 7, 7, 7]),
            (np.full((2, 3, 3), 255, np.uint16), (2, 3, 3), [255, 255, 255]),
            (np.full((2, 3), 7, np.int16), (2, 3, 3), [7, 7, 7]),
            (np.full((2, 3, 1), 1.0), (2, 3, 3), [255, 255, 255]),
            (np.full((2, 3, 3), 0.5, np.float16), (2, 3, 3), [128, 128, 128]),
            (np.full((2, 3, 4), 0.25, np.float32), (2, 3, 4), [64, 64, 64, 64]),
            (np.full((2, 3), True), (2, 3, 3), [255, 255, 255]),
            (np.zeros((2, 3, 3), bool), (2, 3, 3), [0, 0, 0]),
        ],
    )
    def test_of_all_kinds(
        self, array: NDArray[Any], shape: tuple[int, ...], first: list[int]
    ) -> None:
        found = read_image(array)
        assert found.dtype == np.uint8
        assert found.shape == shape
        assert (found == first).all()

    @given(
        arrays(
            np.uint8, array_shapes(min_dims=2, max_dims=2, max_side=9), elements=st.integers(0, 255)
        ),
        st.sampled_from([1, 3, 4]),
    )
    def test_of_either_order_of_channels(self, plane: NDArray[np.uint8], depth: int) -> None:
        last = np.stack([plane // (channel + 1) for channel in range(depth)], axis=-1)
        found = aw.read_image(np.moveaxis(last, -1, 0), channels="first")
        np.testing.assert_array_equal(found, np.broadcast_to(last, found.shape))
        np.testing.assert_array_equal(found, read_image(last))

    def test_larger_than_a_strip(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(images, "STRIP_PIXELS", 90)
        np.testing.assert_array_equal(read_image(PHOTO / np.float32(255)), PHOTO)
        np.testing.assert_array_equal(read_image(png(PHOTO)), PHOTO)

    @pytest.mark.parametrize("order", ["C", "F"])
    def test_are_snapshots(self, order: Any) -> None:
        mine = np.array(PHOTO, order=order)
        found = read_image(mine)
        mine[:] = 0
        np.testing.assert_array_equal(found, PHOTO)
        with pytest.raises(ValueError, match="read-only"):
            found[0, 0, 0] = 1

    def test_tensors(self) -> None:
        torch = pytest.importorskip("torch")
        first = torch.from_numpy(PHOTO).permute(2, 0, 1)
        np.testing.assert_array_equal(read_image(first, channels="first"), PHOTO)
        floats = (first.float() / 255).requires_grad_()
        np.testing.assert_array_equal(read_image(floats, channels="first"), PHOTO)
        half = torch.full((2, 3, 3), 0.5, dtype=torch.bfloat16)
        assert (read_image(half) == 128).all()
        with pytest.raises(ValueError, match=r"got \(3, 30, 40\); where channels come first, give"):
            read_image(first)
        with pytest.raises(ValueError, match="undo the normalisation of the model first"):
            read_image((floats - 0.5) / 0.2, channels="first")

    @pytest.mark.parametrize(
        ("array", "error", "message"),
        [
            (np.zeros((3, 8, 8)), ValueError, r'got \(3, 8, 8\); where .*, channels="first"\)'),
            (
                np.zeros((1, 3, 8, 8)),
                ValueError,
                r"got \(1, 3, 8, 8\); give one image of the batch",
            ),
            (np.zeros((8,)), ValueError, r"got \(8,\)"),
            (np.zeros((0, 8, 3)), ValueError, r"got \(0, 8, 3\)"),
            (np.zeros((8, 8, 2)), ValueError, r"got \(8, 8, 2\)"),
            (np.full((2, 2, 3), 2.1), ValueError, r"0 … 1; got 2\.1 … 2\.1 \(divide it by 255\)"),
            (np.full((2, 2, 3), -1.0), ValueError, "undo the normalisation of the model first"),
            (np.full((2, 2, 3), np.nan), ValueError, "0 … 1; got nan .*not all of them are finite"),
            (np.full((2, 2, 3), 256), ValueError, "values in 0 … 255; got 256"),
            (np.full((2, 2, 3), -1), ValueError, "values in 0 … 255; got -1"),
            (
                np.zeros((2, 2, 3), complex),
                TypeError,
                "integers, floats or booleans; got complex128",
            ),
            (np.full((2, 2, 3), "a"), TypeError, "integers, floats or booleans; got <U1"),
        ],
    )
    def test_that_are_none(self, array: NDArray[Any], error: type[Exception], message: str) -> None:
        with pytest.raises(error, match=message):
            read_image(array)

    def test_whose_channels_do_not_come_first(self) -> None:
        with pytest.raises(
            ValueError, match=r"channels first must have shape .*; got \(30, 40, 3\)"
        ):
            read_image(PHOTO, channels="first")
        with pytest.raises(ValueError, match="channels must be one of last, first; got 'middle'"):
            read_image(PHOTO, channels="middle")


class TestFiles:
    def test_paths_bytes_and_pillow_agree(self, tmp_path: Path) -> None:
        path = tmp_path / "photo.png"
        path.write_bytes(png(PHOTO))
        opened = Image.fromarray(PHOTO)
        data = path.read_bytes()
        for image in (path, str(path), data, bytearray(data), memoryview(data), opened):
            np.testing.assert_array_equal(read_image(image), PHOTO)

    @pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "PA", "CMYK", "YCbCr", "RGBA", "RGBX"])
    def test_of_all_modes_are_as_pillow_has_them(self, mode: str) -> None:
        first = Image.fromarray(PHOTO)
        opened = first.convert("P").convert("PA") if mode == "PA" else first.convert(mode)
        target = "RGBA" if "A" in opened.getbands() else "RGB"
        np.testing.assert_array_equal(read_image(opened), np.asarray(opened.convert(target)))

    def test_a_band_of_the_name_is_no_transparency(self) -> None:
        file = io.BytesIO()
        Image.fromarray(PHOTO).convert("LAB").save(file, "tiff")
        with Image.open(file) as opened:
            expected = np.asarray(opened.convert("RGB"))
        np.testing.assert_array_equal(read_image(file.getvalue()), expected)

    @pytest.mark.parametrize("kind", ["gif", "webp", "png"])
    def test_of_animations_is_the_first_picture(self, kind: str) -> None:
        first, second = np.zeros((4, 5, 3), np.uint8), np.full((4, 5, 3), 255, np.uint8)
        file = io.BytesIO()
        others = [Image.fromarray(second)]
        Image.fromarray(first).save(file, kind, save_all=True, append_images=others)
        np.testing.assert_array_equal(read_image(file.getvalue()), first)

    def test_with_a_transparent_colour(self) -> None:
        opened = Image.fromarray(PHOTO).convert("P")
        file = io.BytesIO()
        opened.save(file, "png", transparency=opened.getpixel((0, 0)))
        found = read_image(file.getvalue())
        assert found.shape == (30, 40, 4)
        assert found[0, 0, 3] == 0

    @pytest.mark.parametrize("orientation", range(1, 9))
    @pytest.mark.parametrize("kind", ["png", "jpeg"])
    def test_are_turned_as_exif_says(self, orientation: int, kind: str) -> None:
        exif = Image.Exif()
        exif[0x0112] = orientation
        file = io.BytesIO()
        Image.fromarray(PHOTO).save(file, kind, exif=exif)
        with Image.open(file) as opened:
            upright = np.asarray(ImageOps.exif_transpose(opened))
            # A Pillow image is what a model was given.
            np.testing.assert_array_equal(read_image(opened), np.asarray(opened))
        assert upright.shape == ((30, 40, 3) if orientation < 5 else (40, 30, 3))
        np.testing.assert_array_equal(read_image(file.getvalue()), upright)
        patches = aw.Patches(2, 2, image=file.getvalue())
        assert patches.region == (0, 0, *upright.shape[1::-1])

    def test_of_many_pixels_are_read_without_a_warning(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1_000)
        data = png(PHOTO)
        with pytest.warns(Image.DecompressionBombWarning), Image.open(io.BytesIO(data)):
            pass
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert read_image(data).shape == PHOTO.shape
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 500)
        with pytest.raises(
            ValueError, match=r"must be scaled down first: [\d,]+ bytes is too large"
        ):
            read_image(data)

    def test_that_are_none_are_named(self, tmp_path: Path) -> None:
        drawing = tmp_path / "drawing.svg"
        drawing.write_bytes(SVG)
        with pytest.raises(
            ValueError, match=r"drawing\.svg' is an SVG drawing, .* render it as PNG"
        ):
            read_image(drawing)
        with pytest.raises(ValueError, match=r"; \d+ bytes is an SVG drawing"):
            read_image(SVG)
        with pytest.raises(ValueError, match=r"; 7 bytes is none: it begins with b'not one'"):
            read_image(b"not one")
        with pytest.raises(ValueError, match=r"; 0 bytes is none"):
            read_image(b"")
        with pytest.raises(ValueError, match=r"\d+ bytes can't be read: .*truncated"):
            read_image(png(PHOTO)[:900])
        with pytest.raises(ValueError, match="a Pillow image can't be read: its size is 0×4"):
            read_image(Image.new("RGB", (0, 4)))
        with pytest.raises(FileNotFoundError, match=r"missing\.png"):
            read_image(tmp_path / "missing.png")
        with pytest.raises(
            ValueError, match=r"got the address 'https://a/b\.png': download it first"
        ):
            read_image("https://a/b.png")
        with pytest.raises(ValueError, match=r"got the address 'data:image/png;base64,A+…'"):
            read_image("data:image/png;base64," + 5000 * "A")
        with pytest.raises(ValueError, match=r"is HEIC, AVIF or a video, .* as JPEG first"):
            read_image(b"\0\0\0\x18ftypheic" + bytes(40))
        with pytest.raises(IsADirectoryError, match=re.escape(tmp_path.name)):
            read_image(tmp_path)
        with pytest.raises(ValueError, match=r"mode I;16, whose range .* / 65535"):
            read_image(Image.new("I;16", (2, 2)))
        with pytest.raises(TypeError, match=r"a Pillow image or an array of .*; got int"):
            read_image(3)

    @given(st.binary(max_size=40), st.integers(0, 80))
    def test_that_are_damaged_are_refused(self, noise: bytes, place: int) -> None:
        data = png(PHOTO)
        refusal = ""
        try:
            read_image(data[:place] + noise + data[place + len(noise) :])
        except ValueError as error:
            refusal = str(error)
        assert refusal == "" or refusal.startswith("image must be")


class TestSharing:
    def test_equal_images_share_their_pixels(self) -> None:
        first = read_image(PHOTO)
        assert read_image(PHOTO.copy()) is first
        assert read_image(png(PHOTO)) is first
        assert read_image(first) is first
        assert aw.Patches(2, 2, image=PHOTO).image is aw.Boxes([], image=png(PHOTO)).image

    def test_images_are_named_by_pixels_and_shape(self) -> None:
        first = read_image(PHOTO)
        assert image_id(first) == image_id(PHOTO) == image_id(first.copy())
        assert image_id(first) != image_id(read_image(255 - PHOTO))
        assert image_id(first) != image_id(read_image(PHOTO.reshape(40, 30, 3)))

    def test_nothing_is_held_that_nobody_needs(self) -> None:
        found = read_image(np.full((5, 5, 3), 33, np.uint8))
        name = image_id(found)
        assert name in images._held
        assert sys.getrefcount(found) <= 3
        del found
        gc.collect()
        assert name not in images._held
        assert name not in images._names.values()
