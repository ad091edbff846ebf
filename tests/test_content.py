"""What the page is told of a map beside its weights."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

import attn_widget as aw
from attn_widget import protocol
from attn_widget.content import block_room, describe, describe_block
from attn_widget.slices import Block


def described(queries: Any, keys: Any = None, **options: Any) -> dict[str, Any]:
    axes = [len(axis) for axis in (queries, queries if keys is None else keys)]
    weights = np.broadcast_to(np.float32(0), (1, 1, *axes))
    content = describe(aw.Attention(weights, queries, keys, **options), 3, ["a", "b"], 2)
    # The page gets UTF-8.
    text = json.dumps(content, ensure_ascii=False, allow_nan=False).encode("utf-8")
    assert json.loads(text) == content
    return content


def test_names_the_map_and_its_neighbours() -> None:
    content = described(["x"], ["y", "z"], kind="score", name="cross")
    assert {key: content[key] for key in ("v", "revision", "maps", "steps", "name", "kind")} == {
        "v": protocol.VERSION, "revision": 3, "maps": ["a", "b"], "steps": 2,
        "name": "cross", "kind": "score",
    }  # fmt: skip
    assert content["shape"] == [1, 1, 1, 2]


def test_an_axis_both_sides_share_is_told_once() -> None:
    assert described(["x", "y"])["keys"] is None
    assert described(["x", "y"], ["x", "y"])["keys"]["labels"] == ["x", "y"]


def test_labels_are_readable_and_exact_where_they_differ() -> None:
    axis = described(["<s>", "Ġcat", "s", ""])["queries"]
    assert axis["labels"][1] != "Ġcat"
    assert axis["exact"]["1"] == "Ġcat"
    assert "2" not in axis["exact"]
    assert axis["special"] == [0]


@pytest.mark.parametrize(
    "label",
    ["</script>", "שלום", "👩‍👩‍👧", "\x00\x1b", "\ud800", "a\udfffb", '"\\', "e\u0301", "\u2028"],
)
def test_any_unicode_reaches_the_page(label: str) -> None:
    axis = described([label, "x"])["queries"]
    assert len(axis["labels"]) == 2
    assert axis["labels"][1] == "x"


def test_labels_that_json_can_carry_are_kept() -> None:
    for label in ("</script>", "שלום", "👩‍👩‍👧", "漢字", "e\u0301"):
        assert described([label])["queries"]["labels"] == [label]


PHOTO = np.random.default_rng(0).integers(0, 256, (30, 40, 3), dtype=np.uint8)


def test_places_are_told_with_their_images() -> None:
    keys = aw.Axis(
        [
            aw.Tokens(["[CLS]"]),
            aw.Patches(2, 3, image=PHOTO, region=(-4, 0, 40, 30)),
            aw.Patches(1, 2),
            aw.Boxes([[1, 2, 3, 4.5]], image=255 - PHOTO),
        ]
    )
    content = described(["x"], keys)
    first, second = content["images"]
    assert content["images"] == {
        first: {"width": 40, "height": 30},
        second: {"width": 40, "height": 30},
    }
    assert content["queries"]["parts"] == []
    assert content["keys"]["parts"] == [
        {
            "kind": "patches", "start": 1, "stop": 7, "image": first,
            "rows": 2, "cols": 3, "region": [-4, 0, 40, 30], "order": None,
        },
        {
            "kind": "patches", "start": 7, "stop": 9, "image": None,
            "rows": 1, "cols": 2, "region": [0, 0, 2, 1], "order": None,
        },
        {"kind": "boxes", "start": 9, "stop": 10, "image": second, "boxes": [[1, 2, 3, 4.5]]},
    ]  # fmt: skip


def test_patches_in_another_order_are_told_with_their_cells() -> None:
    content = described(["x"], aw.Patches(2, 2, order=[3, 1, -1, 0, 2]))
    (part,) = content["keys"]["parts"]
    assert (part["start"], part["stop"], part["order"]) == (0, 5, [3, 1, -1, 0, 2])


def test_long_labels_are_cut() -> None:
    content = described(["x" * 10_000, "y" * 200])
    first, second = content["queries"]["labels"]
    assert first == "x" * 199 + "…"
    assert second == "y" * 200


@pytest.mark.parametrize("label", ["Ġword", "注意注意"])
def test_many_labels_are_cut_further(label: str) -> None:
    count = 131_072
    labels = [f"{label}{index}" for index in range(count)]
    content = described(labels)
    size = len(json.dumps(content["queries"]["labels"], ensure_ascii=False).encode())
    assert size <= protocol.LABELS_BYTES
    assert len(content["queries"]["labels"]) == count
    assert content["queries"]["exact"] == {}


def test_short_labels_of_a_long_axis_stay_whole() -> None:
    labels = [str(index) for index in range(100_000)]
    assert described(labels)["queries"]["labels"] == labels


def test_words_are_told_on_both_sides_or_on_none() -> None:
    known = aw.Tokens(["un", "##til", "x"], words=[0, 0, 1])
    content = described(known, ["a", "b"])
    assert content["queries"]["words"]["starts"] == [0, 2]
    assert len(content["queries"]["words"]["labels"]) == 2
    # The other side's words are its tokens.
    assert content["keys"]["words"]["starts"] == [0, 1]
    assert described(["a"], ["b", "c"])["queries"]["words"] is None
    assert described(known, ["a", "b"], kind="score")["queries"]["words"] is None


def test_special_words_are_told() -> None:
    tokens = aw.Tokens(["[CLS]", "un", "##til"], special=[0], words=[-1, 0, 0])
    axis = described(tokens)["queries"]
    assert axis["special"] == [0]
    assert axis["words"]["special"] == [0]
    assert axis["words"]["starts"] == [0, 1]


def test_room_is_what_content_leaves() -> None:
    assert block_room({}) == protocol.MESSAGE_BYTES - protocol.MODULE_BYTES
    assert block_room({}) >= protocol.LAYER_BYTES
    assert block_room({"a": "注" * 100}) == block_room({}) - len('{"a": ""}') - 300
    assert block_room({"a": "x" * 5_000_000}) == 0
    assert block_room({}, {"a": {"data": b"x" * 300}, "b": None}) == block_room({}) - 300
    assert block_room({"a": ""}, {"a": {"data": b"x" * 5_000_000}}) == 0
    # A map that is sent whole has room beside its images.
    images = {"a": {"data": bytes(protocol.IMAGES_BYTES)}}
    assert block_room({"a": "x" * 90_000}, images) >= protocol.WHOLE_BYTES


def test_module_has_room_in_the_first_message() -> None:
    from attn_widget._assets import module_text

    assert len(module_text().encode()) <= protocol.MODULE_BYTES // 2


@pytest.mark.parametrize(("dtype", "wire"), [("f2", "f2"), ("f4", "f4"), ("f8", "f4")])
def test_blocks_travel_as_they_are_stored(dtype: str, wire: str) -> None:
    block = Block((1, 2), (0, 3), np.zeros((1, 2, 3, 3), np.float32), [1.0])
    content = describe_block(block, np.dtype(dtype))
    assert content["weights"]["dtype"] == wire
    assert content["weights"]["shape"] == [1, 2, 3, 3]
    assert (content["layers"], content["queries"], content["full"]) == ([1, 2], [0, 3], [1.0])
