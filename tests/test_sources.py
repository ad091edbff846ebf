from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from attn_widget import Attention
from attn_widget.sources import GAP, SelectionSource, Source, as_source, spans_of
from counted import CountedArray

Rows = Callable[..., NDArray[np.float32]]


def assert_reads_like(attention: Attention, expected: NDArray[Any]) -> None:
    """Check whole reads, single weights, slices and selections against an array in memory."""
    full = np.asarray(expected, dtype=np.float32).reshape(attention.shape)
    np.testing.assert_array_equal(np.asarray(attention), full)
    layers, heads, queries, keys = full.shape
    last = (layers - 1, heads - 1, queries - 1, keys - 1)
    assert float(attention[last]) == full[last]
    np.testing.assert_array_equal(attention[-1, :, 1:3, ::2], full[-1, :, 1:3, ::2])
    np.testing.assert_array_equal(attention[0, 0, ::-1], full[0, 0, ::-1])
    np.testing.assert_array_equal(attention[:, :, 0:0], full[:, :, 0:0])
    part = attention.select(heads=[heads - 1, 0], keys=[0, keys - 1, 0])
    np.testing.assert_array_equal(part[...], full[:, [heads - 1, 0]][..., [0, keys - 1, 0]])


class TestNumPy:
    @pytest.mark.parametrize("order", ["<", ">"])
    @pytest.mark.parametrize("dtype", ["f2", "f4", "f8"])
    def test_floats_of_both_byte_orders(self, rows: Rows, dtype: str, order: str) -> None:
        weights = rows(2, 3, 4, 5).astype(order + dtype)
        attention = Attention(weights)
        assert attention.dtype == np.dtype(order + dtype)
        assert attention[0].dtype == np.dtype(np.float32)
        assert attention[0].dtype.isnative
        assert_reads_like(attention, weights)

    def test_longdouble(self, rows: Rows) -> None:
        weights = rows(2, 3, 4, 5).astype(np.longdouble)
        attention = Attention(weights)
        assert attention.dtype == np.longdouble
        assert_reads_like(attention, weights)

    def test_other_layouts(self, rows: Rows) -> None:
        weights = rows(2, 3, 4, 5)
        assert_reads_like(Attention(np.asfortranarray(weights)), weights)
        assert_reads_like(Attention(weights[:, ::-1, ::2, 1:]), weights[:, ::-1, ::2, 1:])

    def test_masked_weights_are_missing(self) -> None:
        masked = np.ma.array([[0.5, 0.5], [1.0, 7.0]], mask=[[False, False], [False, True]])
        np.testing.assert_array_equal(Attention(masked)[0, 0], [[0.5, 0.5], [1.0, np.nan]])

    def test_memmap(self, rows: Rows, tmp_path: Path) -> None:
        weights = rows(2, 3, 4, 5)
        weights.astype(">f2").tofile(tmp_path / "weights")
        mapped = np.memmap(tmp_path / "weights", dtype=">f2", mode="r", shape=weights.shape)
        assert_reads_like(Attention(mapped), weights.astype(np.float16))
        np.save(tmp_path / "weights.npy", weights)
        assert_reads_like(Attention(np.load(tmp_path / "weights.npy", mmap_mode="r")), weights)


class TestLayers:
    def test_lists_and_tuples(self, rows: Rows) -> None:
        layers = [rows(1, 3, 4, 5, seed=seed) for seed in range(2)]
        stacked = np.concatenate(layers)
        assert_reads_like(Attention(layers), stacked)
        assert_reads_like(Attention(tuple(layers)), stacked)
        assert_reads_like(Attention([layer[0] for layer in layers]), stacked)

    def test_batch(self, rows: Rows) -> None:
        layers = [rows(2, 3, 4, 5, seed=seed) for seed in range(2)]
        assert_reads_like(Attention(layers, batch=1), np.stack([layer[1] for layer in layers]))
        with pytest.raises(ValueError, match="batch axis of length 2: say which one"):
            Attention(layers)
        with pytest.raises(ValueError, match=r"layers \(3, 4, 5\) have no batch axis"):
            Attention([layer[0] for layer in layers], batch=0)

    def test_sizes_must_agree(self, rows: Rows) -> None:
        with pytest.raises(
            ValueError, match=r"layer 0 has \(1, 4, 3, 3\), layer 1 has \(1, 2, 3, 3\)"
        ):
            Attention((rows(1, 4, 3, 3), rows(1, 2, 3, 3)))
        with pytest.raises(ValueError, match=r"layer 0 has \(3, 3\) \(stack plain maps"):
            Attention([rows(3, 3), rows(3, 3)])

    def test_mixed_floats(self, rows: Rows) -> None:
        layers: list[NDArray[Any]] = [
            rows(1, 3, 4, 5).astype(np.float16),
            rows(1, 3, 4, 5).astype(np.float64),
        ]
        attention = Attention(layers)
        assert attention.dtype == np.float64
        assert_reads_like(attention, np.concatenate(layers))

    def test_integers_in_one_layer(self, rows: Rows) -> None:
        with pytest.raises(TypeError, match="got dtype int64"):
            Attention([rows(1, 1, 2, 2), np.ones((1, 1, 2, 2), int)])


class TestTorch:
    @pytest.mark.parametrize("name", ["float64", "float32", "float16", "bfloat16"])
    def test_floats(self, rows: Rows, name: str) -> None:
        torch = pytest.importorskip("torch")
        tensor = torch.from_numpy(rows(2, 3, 4, 5)).to(getattr(torch, name))
        attention = Attention(tensor)
        assert attention.dtype == np.dtype("float32" if name == "bfloat16" else name)
        assert repr(attention).endswith(f"weight, {name})")
        assert_reads_like(attention, tensor.float().numpy())

    def test_requires_grad(self, rows: Rows) -> None:
        torch = pytest.importorskip("torch")
        tensor = torch.from_numpy(rows(2, 3, 4, 5)).requires_grad_()
        attention = Attention(torch.relu(tensor))
        assert_reads_like(attention, tensor.detach().numpy())
        assert tensor.grad is None

    def test_views_that_are_not_contiguous(self, rows: Rows) -> None:
        torch = pytest.importorskip("torch")
        tensor = torch.from_numpy(rows(3, 2, 5, 4)).permute(1, 0, 3, 2)
        assert_reads_like(Attention(tensor), tensor.numpy())

    def test_reading_slices_before_it_converts(self, rows: Rows) -> None:
        torch = pytest.importorskip("torch")
        weights = rows(2, 3, 40, 50)
        tensor = CountedArray(torch.from_numpy(weights).requires_grad_())
        np.testing.assert_array_equal(Attention(tensor)[1, 2, 3:5, :7], weights[1, 2, 3:5, :7])
        assert tensor.asked == [(1, slice(2, 3), slice(3, 5), slice(0, 7))]

    def test_layers_as_transformers_returns_them(self, rows: Rows) -> None:
        torch = pytest.importorskip("torch")
        attentions = tuple(torch.from_numpy(rows(1, 3, 4, 4, seed=seed)) for seed in range(2))
        assert_reads_like(Attention(attentions), torch.cat(attentions).numpy())

    @pytest.mark.parametrize("name", ["int64", "bool", "complex64"])
    def test_what_is_no_float(self, name: str) -> None:
        torch = pytest.importorskip("torch")
        with pytest.raises(TypeError, match=f"weights must be floats; got dtype {name}"):
            Attention(torch.zeros((2, 2), dtype=getattr(torch, name)))

    def test_saving_bfloat16(self, rows: Rows, tmp_path: Path) -> None:
        torch = pytest.importorskip("torch")
        tensor = torch.from_numpy(rows(2, 3, 4, 5)).to(torch.bfloat16)
        Attention(tensor).save(tmp_path / "map.npz")
        assert_reads_like(Attention.load(tmp_path / "map.npz"), tensor.float().numpy())


class TestJax:
    @pytest.mark.parametrize("name", ["float32", "float16", "bfloat16"])
    def test_floats(self, rows: Rows, name: str) -> None:
        jnp = pytest.importorskip("jax.numpy")
        array = jnp.asarray(rows(2, 3, 4, 5), dtype=name)
        attention = Attention(array)
        assert attention.dtype == np.dtype("float32" if name == "bfloat16" else name)
        assert repr(attention).endswith(f"weight, {name})")
        assert_reads_like(attention, np.asarray(array.astype(jnp.float32)))

    def test_integers(self) -> None:
        jnp = pytest.importorskip("jax.numpy")
        with pytest.raises(TypeError, match="got dtype int32; convert"):
            Attention(jnp.ones((2, 2), dtype="int32"))


class TestFiles:
    def test_zarr(self, rows: Rows, tmp_path: Path) -> None:
        zarr = pytest.importorskip("zarr")
        weights = rows(2, 3, 40, 50)
        store = zarr.open(
            str(tmp_path / "w.zarr"),
            mode="w",
            shape=weights.shape,
            chunks=(1, 1, 16, 16),
            dtype="f4",
        )
        store[:] = weights
        assert_reads_like(Attention(zarr.open(str(tmp_path / "w.zarr"), mode="r")), weights)

    def test_zarr_reads_the_chunks_it_needs(self, rows: Rows, tmp_path: Path) -> None:
        zarr = pytest.importorskip("zarr")
        weights = rows(2, 3, 40, 50)
        path = tmp_path / "w.zarr"
        store = zarr.open(
            str(path), mode="w", shape=weights.shape, chunks=(1, 1, 20, 25), dtype="f4"
        )
        store[:] = weights
        attention = Attention(zarr.open(str(path), mode="r"))
        chunks = [file for file in path.rglob("*") if file.is_file() and file.stat().st_size > 900]
        needed = [file for file in chunks if _chunk(file, path) == (1, 2, 0, 1)]
        assert (len(chunks), len(needed)) == (24, 1)
        for file in chunks:
            if file not in needed:
                file.write_bytes(b"unreadable")
        np.testing.assert_array_equal(attention[1, 2, 3:17, 25:], weights[1, 2, 3:17, 25:])

    @pytest.mark.parametrize("dtype", ["f2", ">f4", "f8"])
    def test_h5py(self, rows: Rows, tmp_path: Path, dtype: str) -> None:
        h5py = pytest.importorskip("h5py")
        weights = rows(2, 3, 40, 50).astype(dtype)
        with h5py.File(tmp_path / "w.h5", "w") as file:
            file.create_dataset("weights", data=weights, chunks=(1, 1, 16, 16))
        with h5py.File(tmp_path / "w.h5") as file:
            attention = Attention(file["weights"])
            assert attention.dtype == np.dtype(dtype)
            assert_reads_like(attention, weights)

    def test_h5py_with_a_batch(self, rows: Rows, tmp_path: Path) -> None:
        h5py = pytest.importorskip("h5py")
        weights = rows(2, 2, 3, 4, 5)
        with h5py.File(tmp_path / "w.h5", "w") as file:
            dataset = file.create_dataset("weights", data=weights)
            assert_reads_like(Attention(dataset, batch=1), weights[1])


class TestDask:
    @staticmethod
    def lazily(weights: NDArray[np.float32], computed: Path) -> Any:
        """Weights as a dask array of 16×16 chunks that leave a file when they are computed."""
        array = pytest.importorskip("dask.array")

        def note(block: NDArray[np.float32], block_info: Any = None) -> NDArray[np.float32]:
            (computed / " ".join(map(str, block_info[0]["chunk-location"]))).touch()
            return block

        chunked = array.from_array(weights, chunks=(1, 1, 16, 16))
        return chunked.map_blocks(note, dtype=weights.dtype, meta=np.empty((0,) * 4, weights.dtype))

    def test_values(self, rows: Rows, tmp_path: Path) -> None:
        weights = rows(2, 3, 40, 50)
        assert_reads_like(Attention(self.lazily(weights, tmp_path)), weights)

    def test_computes_the_chunks_it_needs(self, rows: Rows, tmp_path: Path) -> None:
        weights = rows(2, 3, 40, 50)
        attention = Attention(self.lazily(weights, tmp_path))
        repr(attention.select(heads=[0, 2]))
        assert os.listdir(tmp_path) == []
        np.testing.assert_array_equal(attention[1, 2, 10:20, 40:45], weights[1, 2, 10:20, 40:45])
        assert sorted(os.listdir(tmp_path)) == ["1 2 0 2", "1 2 1 2"]

    def test_layers(self, rows: Rows) -> None:
        array = pytest.importorskip("dask.array")
        layers = [rows(1, 3, 4, 5, seed=seed) for seed in range(2)]
        lazy = [array.from_array(layer, chunks=2) for layer in layers]
        assert_reads_like(Attention(lazy), np.concatenate(layers))

    def test_unknown_sizes(self, rows: Rows) -> None:
        array = pytest.importorskip("dask.array")
        lazy = array.from_array(rows(4, 4), chunks=2)
        with pytest.raises(ValueError, match=r"weights must have a known shape; got \(nan, 4\)"):
            Attention(lazy[lazy[:, 0] > 0.1])

    def test_on_a_cluster(self, rows: Rows, tmp_path: Path) -> None:
        distributed = pytest.importorskip("distributed")
        weights = rows(2, 3, 40, 50)
        with (
            distributed.LocalCluster(
                n_workers=2, threads_per_worker=1, processes=False, dashboard_address=":0"
            ) as cluster,
            distributed.Client(cluster),
        ):
            attention = Attention(self.lazily(weights, tmp_path))
            np.testing.assert_array_equal(attention[0, 1, 0:10, 0:10], weights[0, 1, 0:10, 0:10])
            assert os.listdir(tmp_path) == ["0 1 0 0"]
            np.testing.assert_array_equal(np.asarray(attention), weights)


class Diagonal:
    """Weights that are computed when they are read."""

    shape = (1, 1, 1_000_000, 1_000_000)
    dtype: np.dtype[Any] = np.dtype(np.float32)

    def read(self, layer: int, head: slice, query: slice, key: slice) -> NDArray[np.float32]:
        rows = np.arange(query.start, query.stop)
        columns = np.arange(key.start, key.stop)
        return np.asarray((rows[:, None] == columns)[None], dtype=np.float32)


class TestSources:
    def test_a_source_of_one_s_own(self) -> None:
        assert isinstance(Diagonal(), Source)
        attention = Attention(Diagonal())
        assert attention[0, 0, 999_999, 999_997:].tolist() == [0, 0, 1]
        assert attention.select(queries=[5, 800_000])[0, 0, :, 5].tolist() == [1, 0]
        with pytest.raises(ValueError, match="the source has no batch axis"):
            Attention(Diagonal(), batch=0)

    def test_selections_of_selections_are_one(self, rows: Rows) -> None:
        source = Attention(rows(2, 8, 9, 9)).select(heads=slice(2, 7)).select(heads=[4, 0]).source
        assert source.shape == (2, 2, 9, 9)
        assert isinstance(source, SelectionSource)
        assert type(source.origin[0]).__name__ == "ArraySource"
        assert [*source.origin[1][1]] == [6, 2]

    @pytest.mark.parametrize(
        ("indices", "gap", "expected"),
        [
            (range(3, 9), 1, [(3, 9)]),
            (range(9, 3, -1), 1, [(4, 10)]),
            (range(0, 10, 4), 1, [(0, 1), (4, 5), (8, 9)]),
            (range(0, 10, 4), GAP, [(0, 9)]),
            ((7, 1, 2, 7), 1, [(1, 3), (7, 8)]),
            ((0, GAP, 2 * GAP + 1), GAP, [(0, GAP + 1), (2 * GAP + 1, 2 * GAP + 2)]),
            ((), GAP, [(0, 0)]),
            (range(0), 1, [(0, 0)]),
        ],
    )
    def test_spans(self, indices: Any, gap: int, expected: list[tuple[int, int]]) -> None:
        assert [(span.start, span.stop) for span in spans_of(indices, gap)] == expected

    def test_things_that_only_become_arrays(self, rows: Rows) -> None:
        pandas = pytest.importorskip("pandas")
        weights = rows(4, 5)
        assert_reads_like(Attention(pandas.DataFrame(weights)), weights)

    def test_nothing_else_is_a_source(self) -> None:
        with pytest.raises(TypeError, match="got module"):
            as_source(sys)


def _chunk(file: Path, root: Path) -> tuple[int, ...]:
    """The place of a chunk in the grid, from its path (``c/1/2/0/1`` or ``1.2.0.1``)."""
    name = "/".join(file.relative_to(root).parts).removeprefix("c/").replace(".", "/")
    return tuple(int(part) for part in name.split("/")) if name[0].isdigit() else ()
