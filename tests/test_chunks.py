"""Maps stored in chunks: what is read of them, and how often."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from asking import ask, rows_of
from attn_widget import Attention
from attn_widget.memory import Memory
from attn_widget.sources_chunked import stretches

zarr = pytest.importorskip("zarr", minversion="3")

REGION = {
    "kind": "region",
    "layer": 1,
    "heads": [2],
    "combine": "mean",
    "rows": [0, 300],
    "cols": [0, 256],
    "size": [30, 25],
    "words": False,
    "exact": True,
}


class Reads(Counter[str]):
    """How often each chunk was read."""

    def once(self) -> int:
        """Return how many were read; none may have been twice."""
        assert set(self.values()) <= {1}, self
        return len(self)


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> Reads:
    reads = Reads()
    get = zarr.storage.LocalStore.get

    async def counted(self: Any, key: str, *args: Any, **kwargs: Any) -> Any:
        if not key.endswith(".json"):
            reads[key] += 1
        return await get(self, key, *args, **kwargs)

    monkeypatch.setattr(zarr.storage.LocalStore, "get", counted)
    return reads


def stored(path: Path, weights: NDArray[np.float32], chunks: tuple[int, ...]) -> Any:
    array = zarr.open(
        str(path / "w.zarr"), mode="w", shape=weights.shape, chunks=chunks, dtype=weights.dtype
    )
    array[:] = weights
    return zarr.open(str(path / "w.zarr"), mode="r")


def known() -> Memory:
    """Nothing is read for the sake of the scale."""
    memory = Memory()
    memory.full.update({0: 1.0, 1: 1.0})
    return memory


@pytest.mark.parametrize(
    "chunks", [(1, 1, 100, 64), (1, 1, 300, 16), (1, 3, 7, 256), (2, 1, 64, 50)]
)
@pytest.mark.parametrize(
    "change",
    [
        {},
        {"heads": [0, 2], "combine": "max"},
        {"heads": [0, 1, 2]},
        {"rows": [90, 210], "cols": [60, 200]},
    ],
)
def test_each_chunk_of_a_part_is_read_once(
    tmp_path: Path,
    reads: Reads,
    monkeypatch: pytest.MonkeyPatch,
    chunks: tuple[int, ...],
    change: dict[str, Any],
) -> None:
    monkeypatch.setattr("attn_widget.sources_chunked.TILE_CELLS", 20_000)
    weights = rows_of(2, 3, 300, 256)
    lazy = Attention(stored(tmp_path, weights, chunks))
    request = {**REGION, **change}
    reads.clear()
    fields, arrays = ask(lazy, request, known())
    heads, rows, cols = request["heads"], request["rows"], request["cols"]
    touched = [
        len({head // chunks[1] for head in heads}),
        -(-rows[1] // chunks[2]) - rows[0] // chunks[2],
        -(-cols[1] // chunks[3]) - cols[0] // chunks[3],
    ]
    count = int(np.prod(touched))
    if heads == [0, 2] and chunks[1] == 3:
        # Heads that aren't neighbours are read apart.
        assert set(reads.values()) == {2}
        assert len(reads) == count
    else:
        assert reads.once() == count
    expected = ask(Attention(weights), request, known())
    assert fields == expected[0]
    for name, array in expected[1].items():
        np.testing.assert_allclose(arrays[name], array, rtol=1e-5, atol=1, err_msg=name)


def test_rows_touch_their_chunks(tmp_path: Path, reads: Reads) -> None:
    weights = rows_of(2, 3, 300, 256)
    lazy = Attention(stored(tmp_path, weights, (1, 1, 100, 64)))
    reads.clear()
    request = {"kind": "rows", "layer": 1, "side": "query", "start": 120, "stop": 121}
    np.testing.assert_array_equal(ask(lazy, request)[1]["weights"], weights[1][:, 120:121])
    assert sorted(reads) == [f"c/1/{head}/1/{col}" for head in range(3) for col in range(4)]
    assert reads.once() == 12
    reads.clear()
    assert ask(lazy, {**request, "side": "key"})[1]["weights"].shape == (3, 300, 1)
    assert reads.once() == 9


def test_thumbnails_read_chunks_once_and_of_large_maps_few(tmp_path: Path, reads: Reads) -> None:
    request = {"kind": "thumbnails", "layers": [0, 1], "size": [48, 48]}
    small = stored(tmp_path, rows_of(1, 3, 300, 256), (1, 1, 100, 64))
    reads.clear()
    assert ask(Attention(small), request)[0]["exact"] is True
    assert reads.once() == 3 * 3 * 4
    # Chunks that were never written are even.
    large = zarr.open(
        str(tmp_path / "large.zarr"),
        mode="w",
        shape=(1, 2, 8192, 4096),
        chunks=(1, 1, 128, 1024),
        dtype="f4",
        fill_value=0.25,
    )
    reads.clear()
    fields, arrays = ask(Attention(large), request)
    assert fields["exact"] is False
    assert reads.once() <= 2 * 16 * 4
    assert (arrays["max"] == 250).all()


def test_a_rough_part_is_read_from_whole_chunks(tmp_path: Path, reads: Reads) -> None:
    large = zarr.open(
        str(tmp_path / "large.zarr"),
        mode="w",
        shape=(1, 1, 8192, 8192),
        chunks=(1, 1, 512, 1024),
        dtype="f4",
        fill_value=0.25,
    )
    request = {**REGION, "layer": 0, "heads": [0], "rows": [0, 8192], "cols": [0, 8192]}
    reads.clear()
    fields, arrays = ask(Attention(large), {**request, "exact": False}, known())
    assert fields["exact"] is False
    assert fields["how"] == f"from {512 * reads.once() // 8} of 8192 queries"
    assert len(np.unique(arrays["max"])) == 1
    assert len(reads) < 128


@pytest.mark.parametrize("chunk", [3, 64, 1000])
@pytest.mark.parametrize("most", [0, 1, 10, 10**6])
def test_stretches_end_where_chunks_do(chunk: int, most: int) -> None:
    parts = stretches(slice(5, 207), chunk, most)
    assert [position for part in parts for position in part] == list(range(5, 207))
    assert all(part.stop % chunk == 0 for part in parts[:-1])
    assert all(len(part) <= max(chunk, most) for part in parts)


def test_reading_goes_on_within_a_loop(tmp_path: Path) -> None:
    weights = rows_of(1, 1, 40, 30)
    lazy = Attention(stored(tmp_path, weights, (1, 1, 16, 16)))

    async def read() -> NDArray[np.float32]:
        return lazy[0, 0]

    np.testing.assert_array_equal(asyncio.run(read()), weights[0, 0])
