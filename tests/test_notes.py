"""Notes that say where a map must be read with care."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import attn_widget as aw
from attn_widget import thresholds
from attn_widget.notes import KINDS, Note, notes, notes_steps, unseen_share
from counted import CountedArray

PAGE = Path(__file__).parent.parent / "docs" / "care.md"
IMAGE = np.zeros((48, 64, 3), np.uint8)


def told(weights: Any, *labels: Any, kind: str = "weight", **options: Any) -> dict[str, str]:
    """Return the notes on a map by their kind."""
    attention = aw.Attention(np.asarray(weights, dtype=np.float64), *labels, kind=kind)
    found = notes(attention, **options)
    assert len({note.kind for note in found}) == len(found)
    return {note.kind: note.text for note in found}


def peaked(count: int) -> Any:
    """Return weights that call for no note: each query on a key of its own."""
    return np.roll(np.eye(count), 1, axis=0) * 0.7 + np.roll(np.eye(count), 3, axis=0) * 0.3


class TestKinds:
    def test_none(self) -> None:
        assert told(peaked(8)) == {}

    def test_near_uniform(self) -> None:
        even = np.full((8, 8), 1 / 8)
        assert told([even, peaked(8)]) == {
            "near-uniform": "Nearly uniform: 1 of 2 heads (relative entropy 1.00). Small "
            "differences between weights say little here."
        }
        assert "all 2 heads" in told([even, even])["near-uniform"]
        assert "this head" in told(even)["near-uniform"]
        assert told(np.tril(np.ones((8, 8))) / np.arange(1, 9)[:, None]).keys() >= {"near-uniform"}

    def test_sink(self) -> None:
        weights = peaked(8) * 0.4
        weights[:, 0] += 0.6
        labels = ["[CLS]", "a", "b", ",", "c", "d", "e", "[SEP]"]
        assert told(weights, labels)["sink"] == (
            "Sink: [CLS] (a special token) takes 0.65 of the weight of this head, whichever query "
            "asks."
        )
        assert "1 (the first token)" in told(weights, [*"12345678"])["sink"]
        moved = np.roll(weights, 3, axis=1)
        assert ", (punctuation)" in told(moved, labels)["sink"]
        assert "4 (token 3)" in told(moved, [*"12345678"])["sink"]
        both = told([weights, weights, moved], labels)["sink"]
        assert "of 2 of 3 heads, whichever query asks; 1 more key is a sink." in both

    def test_no_sink_of_few(self) -> None:
        weights = np.tile([0.05, 0.9, 0.02, 0.01, 0.01, 0.01], (3, 1))
        assert "sink" not in told(weights)
        assert "sink" in told(np.tile(weights, (2, 1)))
        # What three keys receive of an even row is no sink.
        assert "sink" not in told(np.full((9, 3), 1 / 3))

    def test_patches_that_are_sinks(self) -> None:
        grid = aw.Patches(4, 8, image=IMAGE)
        weights = np.full((32, 32), 0.6 / 31)
        weights[:, 9] = 0.4
        assert "row 2, column 2 (a patch) takes 0.40" in told(weights, grid)["sink"]
        several = np.full((32, 32), 0.4 / 29)
        several[:, [3, 9, 12]] = 0.2
        assert told(several, grid)["sink"] == (
            "Sink: 3 patches take 0.60 of the weight, whichever query asks."
        )
        # Nine words of a caption may all ask for one thing.
        assert "sink" not in told(weights[:9], None, grid)

    def test_special_tokens(self) -> None:
        resting = peaked(8) * 0.4
        resting[:, 0] += 0.6
        assert told(resting, ["[CLS]", *"abcdef", "[SEP]"]).keys() == {"sink"}
        shared = peaked(8) * 0.4
        shared[:, [0, 3, 7]] += 0.2
        found = told(shared, ["[CLS]", "a", "b", "[SEP]", "c", "d", "e", "[SEP]"])
        assert found["special-tokens"] == (
            "Special tokens ([CLS], [SEP]) take 0.75 of the weight of this head. What is left for "
            "the text is small."
        )

    def test_row_sums(self) -> None:
        leaking = peaked(8) * np.linspace(0.5, 0.9, 8)[:, None]
        assert told(leaking)["row-sums"] == (
            "Rows sum to less than 1 in this head: 0.70 on average, 0.50 at least. The rest went "
            "elsewhere, such as to a learned sink, or was cut away."
        )
        assert "Rows sum to up to 2 in 1 of 2 heads" in told([leaking, 2 * peaked(8)])["row-sums"]
        half = peaked(8).astype(np.float16)
        assert notes(aw.Attention(half)) == []
        assert told(leaking, kind="norm") == {}

    def test_masked_rows(self) -> None:
        weights = peaked(8)
        weights[:3] = 0
        found = told(weights)
        assert found == {
            "masked-rows": "3 queries attend to nothing, of 8: masked, padding or missing."
        }

    def test_not_finite(self) -> None:
        weights = peaked(8)
        weights[2, 5] = np.nan
        weights[3, 5] = np.inf
        assert told([weights, peaked(8)])["not-finite"] == (
            "2 weights are missing or infinite in 1 of 2 heads; they count nothing."
        )
        assert told(np.where(weights > 0, weights, -np.inf), kind="score").keys() == {"not-finite"}
        assert told(np.where(peaked(8) > 0, 1.0, -np.inf), kind="score") == {}

    def test_flattened(self) -> None:
        even = np.full((8, 8), 1 / 8)
        even[:, 2] += 0.025
        found = told(even, kind="relevance")
        assert found.keys() == {"flattened"}
        assert re.search(r"this map is nearly even .* are 1\.2 times the mean", found["flattened"])
        assert told(peaked(8), kind="relevance") == {}

    def test_cropped(self) -> None:
        grid = aw.Patches(2, 4, image=IMAGE, region=(8, 0, 56, 48))
        assert told(peaked(8), grid)["cropped"] == (
            "25% of the image lies outside what the model saw. Nothing is known there, which is "
            "not a weight of 0."
        )
        assert told(peaked(8), aw.Patches(2, 4, image=IMAGE)) == {}
        assert told(peaked(8), grid, kind="difference").keys() == {"cropped"}

    def test_padding(self) -> None:
        grid = aw.Patches(4, 2, image=IMAGE, region=(0, -48, 64, 144))
        found = told(peaked(8), None, grid)
        assert (
            found["padding"] == "Padding outside the image takes 0.75 of the weight of this head."
        )
        assert "cropped" not in found


class TestReach:
    def test_only_of_the_heads_shown(self) -> None:
        attention = aw.Attention(np.stack([peaked(8), np.full((8, 8), 1 / 8)])[None])
        assert [note.kind for note in notes(attention)] == ["near-uniform"]
        assert notes(attention, 0, [0]) == []
        assert notes(attention, 0, None) == []
        with pytest.raises(IndexError, match="layer 1 is out of range"):
            notes(attention, 1)
        with pytest.raises(IndexError, match="head 2 is out of range"):
            notes(attention, 0, [2])

    def test_long_maps_are_not_read_whole(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("attn_widget.notes.CELLS", 20 * 50)
        array = CountedArray(np.full((1, 1, 400, 50), 1 / 50, np.float32))
        (found,) = notes(aw.Attention(array))
        assert found.text.endswith("say little here (from 20 of 400 queries).")
        assert array.numbers_read == 20 * 50

    def test_progress_rises_and_can_be_stopped(self) -> None:
        steps = notes_steps(aw.Attention(np.full((1, 8, 400, 400), 1 / 400, np.float32)))
        shares = [next(steps) for _ in range(4)]
        assert shares == sorted(shares)
        steps.close()

    @pytest.mark.parametrize("shape", [(1, 0, 3, 3), (1, 2, 0, 3), (1, 2, 3, 0)])
    def test_of_nothing_there_are_none(self, shape: tuple[int, ...]) -> None:
        assert notes(aw.Attention(np.zeros(shape, np.float32))) == []

    def test_of_real_maps(self) -> None:
        kinds = {
            (name, layer): [note.kind for note in notes(sample, layer)]
            for name, sample, layers in (
                ("sentence", aw.samples.sentence(0), (0, 2)),
                ("translation", aw.samples.translation(0), (1,)),
                ("caption", aw.samples.captioning(0), (0,)),
            )
            for layer in layers
        }
        assert kinds == {
            ("sentence", 0): ["sink", "near-uniform"],
            ("sentence", 2): ["sink"],
            ("translation", 1): [],
            ("caption", 0): [],
        }


class TestUnseen:
    def test_tiles_together_cover_their_image(self) -> None:
        tiles = [
            aw.Patches(1, 1, image=IMAGE, region=(left, 0, left + 32, 48), name=f"tile {left}")
            for left in (0, 32)
        ]
        assert unseen_share(aw.Attention(np.eye(2), tiles).keys) == 0
        assert unseen_share(aw.Attention(np.eye(1), tiles[:1]).keys) == 0.5

    def test_boxes_and_texts_see_all(self) -> None:
        boxes = aw.Boxes([(0, 0, 5, 5)], image=IMAGE)
        assert unseen_share(aw.Attention(np.eye(2), [aw.Tokens(["a"]), boxes]).keys) == 0


class TestPages:
    def test_notes_are_json(self) -> None:
        (note,) = notes(aw.Attention(np.full((8, 8), 1 / 8)))
        assert json.loads(json.dumps(note.to_json())) == {
            "kind": "near-uniform",
            "text": note.text,
            "page": "docs/care.md#near-uniform",
        }
        assert Note(**note.to_json()) == note

    def test_every_kind_is_explained(self) -> None:
        headings = re.findall(r"^## (.*)$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
        assert tuple(headings) == KINDS

    def test_every_threshold_has_its_reason(self) -> None:
        text = Path(thresholds.__file__).read_text(encoding="utf-8")
        parts = re.findall(r'^(\w+): Final = [\d.]+\n"""(.*?)"""', text, re.MULTILINE | re.DOTALL)
        assert {name for name, _ in parts} == {name for name in vars(thresholds) if name.isupper()}
