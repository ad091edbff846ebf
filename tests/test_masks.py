"""Masks given as the truth: what is taken, what is refused, what the page gets."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray

import attn_widget as aw
from attn_widget.images import image_id
from channel import Channel
from states import Make, attention

PHOTO = np.random.default_rng(0).integers(0, 256, (6, 8, 3), dtype=np.uint8)
OTHER = np.random.default_rng(1).integers(0, 256, (4, 4, 3), dtype=np.uint8)
BOX = np.zeros((6, 8), dtype=bool)
BOX[1:3, 2:5] = True
OUTLINE = "M2 1h3v2h-3z"


class Thing(NamedTuple):
    mask: NDArray[np.bool_]


def vision(**more: Any) -> aw.Attention:
    return aw.Attention(np.full((2, 4), 0.25), ["a", "b"], aw.Patches(2, 2, image=PHOTO), **more)


def two() -> aw.Attention:
    keys = [aw.Patches(2, 2, image=PHOTO, name="left"), aw.Patches(2, 2, image=OTHER, name="right")]
    return aw.Attention(np.full((2, 8), 0.125), ["a", "b"], keys)


def name_of(attention: aw.Attention, segment: int = 0) -> str:
    part = attention.keys.segments[segment]
    assert isinstance(part, aw.Patches)
    assert part.image is not None
    return image_id(part.image)


@pytest.mark.parametrize(
    "given",
    [
        [BOX],
        BOX,
        np.stack([BOX]),
        (mask for mask in [BOX]),
        Thing(BOX),
        [Thing(BOX)],
        {0: [BOX]},
        {0: BOX},
    ],
    ids=["list", "one", "array", "generator", "thing", "things", "by number", "one by number"],
)
def test_are_taken_in_any_form(make: Make, given: Any) -> None:
    widget = make(vision(), masks=given)
    ((name, (mask,)),) = widget.masks.items()
    assert name == name_of(widget.attention)
    np.testing.assert_array_equal(mask, BOX)
    assert widget._masks == {name: OUTLINE}


def test_are_kept_as_they_were(make: Make) -> None:
    given = BOX.copy()
    widget = make(vision(), masks=[given])
    given[:] = True
    assert widget._masks == {name_of(widget.attention): OUTLINE}
    with pytest.raises(ValueError, match="read-only"):
        widget.masks[name_of(widget.attention)][0][:] = True
    widget.masks = widget.masks
    assert len(widget.masks) == 1


@pytest.mark.parametrize("nothing", [None, [], {}, {0: []}], ids=str)
def test_go_again(make: Make, channel: Channel, nothing: Any) -> None:
    widget = make(vision(), masks=[BOX])
    channel.clear()
    widget.masks = nothing
    assert channel.updates(widget) == [{"_masks": {}}]


def test_of_several_images_go_by_number_or_name(make: Make) -> None:
    small = np.ones((4, 4), dtype=bool)
    widget = make(two(), masks={0: BOX, "right": [small, small]})
    assert widget._masks == {
        name_of(widget.attention, 0): OUTLINE,
        name_of(widget.attention, 1): 2 * "M0 0h4v4h-4z",
    }


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (3, "masks must be boolean arrays; got int"),
        (
            [BOX.astype(int)],
            r"boolean arrays of shape \(6, 8\), the pixels of the image; got int64",
        ),
        ([BOX.T], r"of shape \(6, 8\), the pixels of the image; got bool of shape \(8, 6\)"),
        ([BOX[0]], r"got bool of shape \(8,\)"),
        ({"left": BOX}, "masks must be for images of the map, of 0; got 'left'"),
    ],
)
def test_others_are_refused_with_what_was_expected(make: Make, given: Any, message: str) -> None:
    widget = make(vision(), masks=[BOX])
    before = widget.masks
    with pytest.raises(ValueError, match=message):
        widget.masks = given
    assert widget.masks is before
    with pytest.raises(ValueError, match=message):
        aw.overlay(vision(), masks=given)


def test_need_an_image(make: Make) -> None:
    with pytest.raises(ValueError, match=r"for a map of one image.*got a map of 2 images"):
        make(two(), masks=[BOX])
    with pytest.raises(ValueError, match="got a map of no images"):
        make(attention(), masks=[BOX])
    with pytest.raises(ValueError, match="for images of the map, of none; got 0"):
        make(attention(), masks={0: BOX})


def test_travel_with_the_image_they_are_of(make: Make, channel: Channel) -> None:
    widget = make({"photo": vision(), "text": attention()}, map="photo", masks=[BOX])
    ((_, data, _),) = channel.of(widget)
    assert data["state"]["_masks"] == {name_of(widget.attention): OUTLINE}
    widget.map = "text"
    assert widget._masks == {}
    # They are not lost: the picture may come back.
    widget.map = "photo"
    assert widget._masks == {name_of(widget.attention): OUTLINE}


def test_of_samples_work_as_they_are(make: Make) -> None:
    widget = make(aw.samples.recognition(), masks=aw.samples.recognition_truth())
    (path,) = widget._masks.values()
    assert path.count("M") >= len(aw.samples.recognition_truth())


def test_are_in_exported_pages(make: Make, tmp_path: Path) -> None:
    assert OUTLINE in make(vision(), masks=[BOX]).to_html()
