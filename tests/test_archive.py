from __future__ import annotations

import io
import json
import os
import pickle
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from numpy.typing import NDArray

from attn_widget import Attention, Boxes, Patches, Tokens
from attn_widget.attention import KINDS
from attn_widget.axes import Segment

Rows = Callable[..., NDArray[np.float32]]
PHOTO = np.random.default_rng(0).integers(0, 256, (30, 40, 4), dtype=np.uint8)

LABELS = st.one_of(
    st.text(st.characters(), max_size=8),
    st.sampled_from(["[CLS]", "Ġcat", "##ing", "▁x", "\ud83d\ude00", "Ċ", "x" * 10_000]),
)


@st.composite
def segments(draw: st.DrawFn) -> Segment:
    match draw(st.sampled_from(["tokens", "patches", "boxes"])):
        case "tokens":
            labels = draw(st.lists(LABELS, max_size=4))
            return Tokens(
                labels,
                special=draw(st.sampled_from([None, ()])),
                words=draw(st.sampled_from([None, [0] * len(labels), [None] * len(labels)])),
            )
        case "patches":
            region = draw(st.sampled_from([None, (-1.5, 0, 7, 1e6)]))
            image = draw(st.sampled_from([None, PHOTO, PHOTO[..., :3]]))
            return Patches(
                draw(st.integers(1, 2)),
                2,
                image=image,
                region=region,
                order=draw(st.sampled_from(["raster", [1, -1, 0], []])),
                separator=draw(LABELS),
                name=draw(LABELS),
            )
        case _:
            return Boxes([[0, 0.1, 3, 4], [1, 1, 1, 1]], image=draw(st.sampled_from([None, PHOTO])))


def round_trip(attention: Attention) -> Attention:
    with tempfile.TemporaryDirectory() as folder:
        attention.save(Path(folder) / "map.npz")
        return Attention.load(Path(folder) / "map.npz")


@given(st.lists(segments(), max_size=3), st.lists(segments(), max_size=3), st.data())
def test_a_map_comes_back_as_it_was(
    queries: list[Segment], keys: list[Segment], data: st.DataObject
) -> None:
    shape = (
        *data.draw(st.tuples(st.integers(1, 2), st.integers(1, 2))),
        sum(map(len, queries)),
        sum(map(len, keys)),
    )
    dtype = data.draw(st.sampled_from([np.float16, np.float32]))
    weights = data.draw(npst.arrays(dtype, shape))
    name = data.draw(LABELS)
    before = Attention(weights, queries, keys, kind=data.draw(st.sampled_from(KINDS)), name=name)
    after = round_trip(before)
    assert after.queries == before.queries
    assert after.keys == before.keys
    assert (after.queries.shown, after.queries.special) == (
        before.queries.shown,
        before.queries.special,
    )
    assert (after.keys.words, after.queries.words) == (before.keys.words, before.queries.words)
    assert (after.kind, after.name, after.dtype) == (before.kind, before.name, np.dtype(dtype))
    np.testing.assert_array_equal(np.asarray(after), np.asarray(before))


def test_a_part_comes_back_as_shown(rows: Rows) -> None:
    tokens = Tokens(["Ġcat", "âĢĻ", "s", "Ġup"])
    part = round_trip(Attention(rows(4, 4), tokens).select(queries=[1, 2]))
    assert part.queries.shown == ("’", "s")
    assert part.queries.words == (0, 0)


def test_one_axis_for_both_sides_stays_one(rows: Rows) -> None:
    square = round_trip(Attention(rows(4, 4), Patches(2, 2, image=PHOTO)))
    assert square.keys is square.queries
    assert round_trip(square).queries == square.queries


def test_an_image_is_written_once(rows: Rows, tmp_path: Path) -> None:
    patches = Patches(2, 2, image=PHOTO)
    cross = Attention(rows(5, 4), [Tokens(["[CLS]"]), patches], patches)
    cross.save(tmp_path / "map.npz")
    assert sum("image" in name for name in zipfile.ZipFile(tmp_path / "map.npz").namelist()) == 1
    loaded = Attention.load(tmp_path / "map.npz")
    assert loaded.queries.segments[1].image is loaded.keys.segments[0].image  # type: ignore[union-attr]


def test_a_file_of_before_orders_is_read(rows: Rows, tmp_path: Path) -> None:
    path = tmp_path / "map.npz"
    Attention(rows(2, 2)).save(path)
    before = {"segment": "patches", "rows": 1, "cols": 2, "region": None, "order": "raster"}
    _rewrite_header(path, lambda header: {**header, "queries": [before], "keys": None})
    _rewrite_header(path, lambda header: {k: v for k, v in header.items() if k != "made"})
    assert Attention.load(path).made == ()
    assert Attention.load(path).queries.segments == (Patches(1, 2),)


def test_numbers_beyond_float16_and_no_numbers() -> None:
    weights = np.array([[np.nan, np.inf, -np.inf], [70000, -0.0, 1e-45]], np.float32)
    np.testing.assert_array_equal(round_trip(Attention(weights))[0, 0], weights)
    loaded = round_trip(Attention(np.array([[0.1, 1e300]])))
    assert loaded.dtype == np.float32
    assert loaded[0, 0].tolist() == [[np.float32(0.1), np.inf]]


def test_numpy_reads_the_weights_too(rows: Rows, tmp_path: Path) -> None:
    weights = rows(2, 3, 4, 4).astype(np.float16)
    Attention(weights).save(tmp_path / "map.npz")
    with np.load(tmp_path / "map.npz", allow_pickle=False) as arrays:
        np.testing.assert_array_equal(arrays["weights"], weights)
        assert arrays["weights"].dtype == np.float16


def test_a_map_of_many_blocks(rows: Rows, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("attn_widget.archive._BLOCK_BYTES", 100)
    weights = rows(2, 3, 17, 11)
    np.testing.assert_array_equal(np.asarray(round_trip(Attention(weights))), weights)


def test_saving_over_a_file_that_fails_leaves_it(rows: Rows, tmp_path: Path) -> None:
    class Broken:
        shape = (1, 1, 3, 3)
        dtype: np.dtype[Any] = np.dtype(np.float32)

        def read(self, *where: object) -> NDArray[np.float32]:
            raise ConnectionError("the disk went away")

    path = tmp_path / "map.npz"
    Attention(rows(2, 2), name="first").save(path)
    with pytest.raises(ConnectionError):
        Attention(Broken()).save(path)
    assert Attention.load(path).name == "first"
    assert os.listdir(tmp_path) == ["map.npz"]
    Attention(rows(2, 2), name="second").save(str(path))
    assert Attention.load(str(path)).name == "second"


def test_a_folder_that_is_not_there(rows: Rows, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Attention(rows(2, 2)).save(tmp_path / "none" / "map.npz")
    with pytest.raises(FileNotFoundError):
        Attention.load(tmp_path / "map.npz")


class TestFilesThatAreNotOurs:
    def test_no_zip(self, tmp_path: Path) -> None:
        path = tmp_path / "map.npz"
        path.write_text("attention")
        with pytest.raises(ValueError, match=r"map\.npz is not a file of attn_widget"):
            Attention.load(path)

    def test_another_npz(self, tmp_path: Path) -> None:
        np.savez(tmp_path / "map.npz", weights=np.eye(2))
        with pytest.raises(ValueError, match="is not a file of attn_widget: no header"):
            Attention.load(tmp_path / "map.npz")

    def test_a_newer_version(self, rows: Rows, tmp_path: Path) -> None:
        path = tmp_path / "map.npz"
        Attention(rows(2, 2)).save(path)
        _rewrite_header(path, lambda header: {**header, "version": 2, "queries": "new"})
        with pytest.raises(ValueError, match=r"of version 2 .* reads up to 1: update it"):
            Attention.load(path)

    @pytest.mark.parametrize(
        "change",
        [
            {"format": "other"},
            {"version": "1"},
            {"queries": [{"segment": "video"}]},
            {"queries": [{"segment": "tokens", "labels": ["a"], "special": [], "words": None}]},
            {"queries": [{"segment": "tokens", "labels": [1, 2], "special": [], "words": None,
                          "scheme": "plain"}]},
            {"queries": [{"segment": "tokens", "labels": ["a", "b"], "special": [5], "words": None,
                          "scheme": "plain"}]},
            {"queries": [{"segment": "tokens", "labels": ["a"], "special": [], "words": None,
                          "scheme": "plain"}]},
            {"queries": [{"segment": "patches", "rows": 1, "cols": 2, "region": None,
                          "order": "raster", "image": 3}]},
            {"kind": "magic"},
            {"name": None},
        ],
    )  # fmt: skip
    def test_damaged_headers(self, rows: Rows, tmp_path: Path, change: dict[str, Any]) -> None:
        path = tmp_path / "map.npz"
        Attention(rows(2, 2)).save(path)
        _rewrite_header(path, lambda header: {**header, **change})
        with pytest.raises(ValueError, match=r"map\.npz is damaged"):
            Attention.load(path)

    @given(st.data())
    def test_damaged_bytes(self, data: st.DataObject) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "map.npz"
            Attention(np.full((2, 2), 0.5), ["a", "b"]).save(path)
            raw = bytearray(path.read_bytes())
            place = data.draw(st.integers(0, len(raw) - 1))
            raw[place] ^= data.draw(st.integers(1, 255))
            path.write_bytes(raw)
            try:
                loaded = Attention.load(path)
            except ValueError as error:
                assert "map.npz" in str(error)  # noqa: PT017
            else:
                assert loaded[0, 0].tolist() == [[0.5, 0.5], [0.5, 0.5]]

    def test_nothing_is_unpickled(self, rows: Rows, tmp_path: Path) -> None:
        path = tmp_path / "map.npz"
        Attention(rows(2, 2)).save(path)
        harmful = io.BytesIO()
        np.lib.format.write_array(harmful, np.array([_Harmful()], dtype=object), allow_pickle=True)
        _replace(path, "weights.npy", harmful.getvalue())
        with pytest.raises(ValueError, match=r"is damaged.*must hold plain numbers"):
            Attention.load(path)
        assert not _Harmful.woken


class _Harmful:
    woken = False

    def __reduce__(self) -> tuple[object, ...]:
        return _wake, ()


def _wake() -> None:
    _Harmful.woken = True


def test_the_harmful_object_would_have_done_harm() -> None:
    pickle.loads(pickle.dumps(_Harmful()))
    woken, _Harmful.woken = _Harmful.woken, False
    assert woken


def _rewrite_header(path: Path, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    with np.load(path) as arrays:
        header = json.loads(arrays["header"].tobytes())
    changed = io.BytesIO()
    np.save(changed, np.frombuffer(json.dumps(change(header)).encode(), np.uint8))
    _replace(path, "header.npy", changed.getvalue())


def _replace(path: Path, name: str, content: bytes) -> None:
    with zipfile.ZipFile(path) as archive:
        entries = {entry: archive.read(entry) for entry in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for entry, kept in entries.items():
            archive.writestr(entry, content if entry == name else kept)
