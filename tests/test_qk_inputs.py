"""Queries and keys of any library, in bounded memory; wrong ones are refused in words."""

from __future__ import annotations

import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import attn_widget as aw
from attn_widget.overview import SupportsOverview, SupportsPreview
from attn_widget.qk import QKSource, kept
from attn_widget.qk.source import finish
from counted import CountedArray
from direct import assert_close, blocks, direct, pooled, row_entropy

SHAPE = (2, 4, 11, 8)
KEY_SHAPE = (2, 2, 13, 8)
OPTIONS: list[dict[str, Any]] = [
    {},
    {"causal": True, "window": 5, "sinks": np.arange(4) / 4, "offset": 2},
    {
        "softcap": 3.0,
        "bias": np.linspace(-2, 2, 13),
        "mask": (np.arange(11)[:, None] * 7 + np.arange(13)) % 3 > 0,
    },
]


def drawn(*shape: int, seed: int = 0) -> NDArray[np.float32]:
    return np.random.default_rng(seed).standard_normal(shape, dtype=np.float32)


QUERY, KEY = drawn(*SHAPE), drawn(*KEY_SHAPE, seed=1)


def assert_attends_like(query: Any, key: Any, exact: tuple[Any, Any], **options: Any) -> QKSource:
    """Check reads and overviews against queries and keys in memory."""
    expected = direct(*exact, **options)
    attention = aw.Attention.from_qk(query, key, **options)
    assert_close(attention[1, 2:4, 3:5], expected[1, 2:4, 3:5])
    assert_close(attention[0, :, :, 6], expected[0, :, :, 6])
    assert_close(np.asarray(attention), expected)
    made = attention.source
    assert isinstance(made, QKSource)
    found = finish(made.overview(1, 3, 4, 5))
    largest, mean = pooled(expected[1, 3], 4, 5)
    assert_close(found.max, largest)
    assert_close(found.mean, mean)
    assert_close(found.totals, expected[1, 3].sum(axis=0))
    assert found.entropy is not None
    assert_close(found.entropy, row_entropy(expected[1, 3]))
    return made


class TestLibraries:
    @pytest.mark.parametrize("options", OPTIONS)
    def test_memory_maps(self, options: dict[str, Any], tmp_path: Path) -> None:
        for name, array in (("q", QUERY), ("k", KEY)):
            np.save(tmp_path / f"{name}.npy", array)
        query, key = (np.load(tmp_path / f"{name}.npy", mmap_mode="r") for name in "qk")
        assert_attends_like(query, key, (QUERY, KEY), **options)

    def test_other_layouts_and_byte_orders(self) -> None:
        query = np.asfortranarray(QUERY).astype(">f4")
        key = np.ascontiguousarray(KEY.transpose(0, 2, 1, 3)).transpose(0, 2, 1, 3)
        assert_attends_like(query, key, (QUERY, KEY), causal=True)

    @pytest.mark.parametrize("options", OPTIONS)
    def test_zarr(self, options: dict[str, Any], tmp_path: Path) -> None:
        zarr = pytest.importorskip("zarr")
        stores = []
        for name, array in (("q", QUERY), ("k", KEY)):
            store = zarr.open(
                str(tmp_path / name), mode="w", shape=array.shape, dtype="f4", chunks=(1, 1, 4, 8)
            )
            store[:] = array
            stores.append(store)
        assert_attends_like(stores[0], stores[1], (QUERY, KEY), **options)

    @pytest.mark.parametrize("options", OPTIONS)
    def test_dask(self, options: dict[str, Any]) -> None:
        da = pytest.importorskip("dask.array")
        query, key = da.from_array(QUERY, chunks=(1, 2, 4, 8)), da.from_array(KEY, chunks=3)
        lazy = {
            name: da.from_array(value, chunks=4) if name in ("mask", "bias") else value
            for name, value in options.items()
        }
        expected = direct(QUERY, KEY, **options)
        assert_close(np.asarray(aw.Attention.from_qk(query, key, **lazy)), expected)

    @pytest.mark.parametrize("options", OPTIONS)
    @pytest.mark.parametrize("name", ["float16", "bfloat16", "float32", "float64"])
    def test_torch(self, name: str, options: dict[str, Any]) -> None:
        torch = pytest.importorskip("torch")
        query, key = (torch.from_numpy(a).to(getattr(torch, name)) for a in (QUERY, KEY))
        exact = query.double().numpy(), key.double().numpy()
        query.requires_grad_()
        assert_attends_like(query, key, exact, **options)
        tensors = {
            option: torch.from_numpy(value) if isinstance(value, np.ndarray) else value
            for option, value in options.items()
        }
        for single in (False, True):
            with blocks(5, 4, single=single):
                made = aw.Attention.from_qk(query, key, **tensors)
                assert_close(np.asarray(made), direct(*exact, **options))
                source = made.source
                assert isinstance(source, QKSource)
                found = finish(source.overview(0, 1, 4, 6))
                largest, mean = pooled(direct(*exact, **options)[0, 1], 4, 6)
                assert_close(found.max, largest)
                assert_close(found.mean, mean)

    @pytest.mark.parametrize("bad", [np.nan, np.inf])
    def test_torch_rows_that_are_no_numbers(self, bad: float) -> None:
        torch = pytest.importorskip("torch")
        query = torch.ones(4, 2)
        query[2, 0] = bad
        with blocks(2, 3, single=True):
            made = QKSource(query, torch.ones(6, 2), causal=True)
            view = finish(made.overview(0, 0, 4, 2))
            found = made.read(0, slice(0, 1), slice(0, 4), slice(0, 6))[0]
        np.testing.assert_array_equal(np.isnan(found[2]), [1, 1, 1, 0, 0, 0])
        np.testing.assert_array_equal(np.isnan(view.mean).all(axis=1), [0, 0, 1, 0])
        assert_close(view.totals, np.nansum(found, axis=0))

    def test_jax(self) -> None:
        jnp = pytest.importorskip("jax.numpy")
        query, key = jnp.asarray(QUERY).astype("bfloat16"), jnp.asarray(KEY)
        exact = np.asarray(query, dtype=np.float64), KEY
        assert_attends_like(query, key, exact, causal=True)

    def test_one_array_a_layer(self) -> None:
        assert_attends_like(list(QUERY), [layer[None] for layer in KEY], (QUERY, KEY), causal=True)

    def test_nested_lists(self) -> None:
        found = aw.Attention.from_qk([[1.0, 0.0], [0.0, 1.0]], [[2.0, 0.0], [0.0, 2.0]], scale=1.0)
        share = float(np.exp(2) / (1 + np.exp(2)))
        assert_close(found[0, 0], np.array([[share, 1 - share], [1 - share, share]]))


class TestAgainstTorch:
    """The output of ``scaled_dot_product_attention`` is our weights times the values."""

    @pytest.mark.parametrize("case", ["plain", "causal", "mask", "bias", "scale", "grouped"])
    def test_output(self, case: str) -> None:
        torch = pytest.importorskip("torch")
        heads = 2 if case == "grouped" else 4
        queries, keys = (9, 9) if case == "plain" else (9, 14)
        query, key = drawn(2, 4, queries, 8), drawn(2, heads, keys, 8, seed=1)
        value = drawn(2, heads, keys, 5, seed=2)
        ours: dict[str, Any] = {}
        theirs: dict[str, Any] = {}
        if case == "causal":
            ours["causal"] = theirs["is_causal"] = True
        elif case == "mask":
            ours["mask"] = drawn(queries, keys, seed=3) > -0.5
            theirs["attn_mask"] = torch.from_numpy(ours["mask"])
        elif case == "bias":
            ours["bias"] = drawn(4, queries, keys, seed=3)
            theirs["attn_mask"] = torch.from_numpy(ours["bias"])
        elif case == "scale":
            ours["scale"] = theirs["scale"] = 0.3
        elif case == "grouped":
            theirs["enable_gqa"] = True
        tensors = [torch.from_numpy(array) for array in (query, key, value)]
        expected = torch.nn.functional.scaled_dot_product_attention(*tensors, **theirs).numpy()
        for given in ((query, key), tensors[:2]):
            weights = aw.Attention.from_qk(*given, value=value, **ours)[...]
            output = weights @ np.repeat(value, 4 // heads, axis=1)
            np.testing.assert_allclose(output, expected, rtol=1e-5, atol=1e-6)


class TestLaziness:
    def test_making_it_reads_nothing(self) -> None:
        query, key = CountedArray(QUERY), CountedArray(KEY)
        aw.Attention.from_qk(query, key, causal=True).select(heads=[1])
        assert query.numbers_read == key.numbers_read == 0

    def test_a_row_reads_its_query_and_the_keys_of_its_head(self) -> None:
        query, key = CountedArray(QUERY), CountedArray(KEY)
        attention = aw.Attention.from_qk(query, key)
        attention[1, 3, 5]
        assert key.numbers_read == 13 * 8
        # Once for the log-sum-exp, once for the weights.
        assert query.numbers_read == 2 * 8
        assert attention.source.shape == (2, 4, 11, 13)

    def test_selections_and_files(self, tmp_path: Path) -> None:
        expected = direct(QUERY, KEY, causal=True)
        attention = aw.Attention.from_qk(
            QUERY,
            KEY,
            [f"q{i}" for i in range(11)],
            [f"k{i}" for i in range(13)],
            causal=True,
            name="a",
        )
        part = attention.select(layers=1, heads=[3, 0], queries=[10, 2], keys=slice(1, None, 3))
        assert_close(part[...], expected[1:, [3, 0]][:, :, [10, 2]][..., 1::3])
        assert part.keys.labels == ("k1", "k4", "k7", "k10")
        attention.save(tmp_path / "a.npz")
        loaded = aw.Attention.load(tmp_path / "a.npz")
        np.testing.assert_array_equal(np.asarray(loaded), np.asarray(attention))
        assert loaded.name == "a"
        assert loaded.queries.labels == attention.queries.labels
        assert attention.kind == "weight"
        assert attention.dtype == np.dtype(np.float32)
        assert repr(attention) == (
            "Attention('a', 2 layers × 4 heads × 11 queries × 13 keys, weight, float32)"
        )

    def test_it_reduces_by_itself(self) -> None:
        source = aw.Attention.from_qk(QUERY, KEY).source
        assert isinstance(source, SupportsOverview)
        assert isinstance(source, SupportsPreview)

    def test_values_are_kept(self) -> None:
        source = QKSource(QUERY, KEY, value=drawn(*KEY_SHAPE[:3], 3))
        assert source.value is not None
        assert source.value.shape == (2, 2, 13, 3)

    def test_a_map_beyond_memory_is_read_in_bounded_memory(self) -> None:
        size = 16_384
        query, key = drawn(size, 16), drawn(size, 16, seed=1)
        source = QKSource(query, key, causal=True)
        tracemalloc.start()
        try:
            row = source.read(0, slice(0, 1), slice(9_000, 9_001), slice(0, size))
            column = source.read(0, slice(0, 1), slice(0, size), slice(7, 8))[0, :, 0]
            view = finish(source.overview(0, 0, 100, 128))
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert peak < 4 * size * size / 16
        assert row.sum() == pytest.approx(1, abs=1e-5)
        assert column[9_000] == pytest.approx(row[0, 0, 7], rel=1e-5)
        assert view.totals[7] == pytest.approx(column.sum(), rel=1e-4)
        assert view.totals.sum() == pytest.approx(size, rel=1e-5)
        alone = direct(
            query[None, None, 12_345:12_346], key[None, None], causal=True, offset=12_345
        )
        read = source.read(0, slice(0, 1), slice(12_345, 12_346), slice(0, size))
        assert_close(read, alone[0])
        assert view.entropy is not None
        assert view.entropy[12_345] == pytest.approx(row_entropy(alone)[0, 0, 0], rel=1e-5)

    @pytest.mark.parametrize("options", [{}, {"causal": True}, {"window": 3}])
    def test_progress_grows_to_the_end(self, options: dict[str, Any]) -> None:
        source = QKSource(QUERY, KEY, **options)
        with blocks(4, 3, single=False):
            shares = list(source.overview(0, 0, 10, 10))
        assert 0 < shares[0] < shares[-1] == 1
        assert shares == sorted(shares)

    def test_a_stream_may_be_left(self) -> None:
        source = QKSource(QUERY, KEY)
        with blocks(4, 3, single=False):
            steps = source.overview(0, 0, 10, 10)
            next(steps)
            steps.close()
            assert_close(
                source.read(0, slice(0, 4), slice(0, 11), slice(0, 13)), direct(QUERY, KEY)[0]
            )


class TestKept:
    def test_forgets_what_was_used_longest_ago(self) -> None:
        cache = kept.Kept(100)
        cache.put("a", 1, 40)
        cache.put("b", 2, 40)
        assert cache.get("a") == 1
        cache.put("c", 3, 40)
        assert (cache.get("a"), cache.get("b"), cache.get("c")) == (1, None, 3)
        cache.put("a", 4, 10)
        assert (cache.get("a"), cache.bytes) == (4, 50)
        cache.put("d", 5, 101)
        assert cache.get("d") is None
        assert cache.get("c") == 3

    def test_columns_are_streamed_once(self) -> None:
        query = CountedArray(QUERY)
        source = QKSource(query, KEY)
        finish(source.log_sum_exp(0, 1))
        before = query.numbers_read
        source.read(0, slice(1, 2), slice(0, 11), slice(4, 5))
        assert query.numbers_read - before == 11 * 8

    def test_a_small_cache_changes_no_weight(self) -> None:
        source = QKSource(QUERY.astype("f2"), KEY.astype("f2"), cache_bytes=0)
        expected = direct(QUERY.astype("f2"), KEY.astype("f2"))[1]
        found = source.read(1, slice(0, 4), slice(0, 11), slice(0, 13))
        assert_close(found, expected)


class TestRefused:
    @pytest.mark.parametrize(
        ("key", "message"),
        [
            (np.ones((2, 2, 13, 7)), "must have one D, their last axis; got query"),
            (np.ones((1, 2, 13, 8)), "one number of layers"),
            (np.ones((2, 3, 13, 8)), "multiple of those of key"),
            (
                np.ones(8),
                r"key must have shape \(layers, heads, K, D\), leading axes optional; got",
            ),
            ([[1.0, 2.0], [3.0]], "key must be one rectangular array"),
            ([np.ones((2, 13, 8)), np.ones((2, 12, 8))], "all layers of key must have one shape"),
        ],
    )
    def test_keys_that_do_not_fit(self, key: Any, message: str) -> None:
        with pytest.raises(ValueError, match=message):
            aw.Attention.from_qk(QUERY, key)

    @pytest.mark.parametrize("key", [KEY.astype(int), [[1, 0]], [["a"]], "keys", None, []])
    def test_keys_that_are_none(self, key: Any) -> None:
        with pytest.raises(TypeError, match=r"^key must be"):
            aw.Attention.from_qk(QUERY, key)

    @pytest.mark.parametrize(
        ("options", "error", "message"),
        [
            (
                {"value": np.ones((2, 2, 12, 3))},
                ValueError,
                r"value must have .* \(2, 2, 13\); got",
            ),
            ({"mask": np.ones((11, 13))}, TypeError, "mask must be boolean, True where"),
            ({"mask": np.ones((13, 11), bool)}, ValueError, r"mask must broadcast to .*\(13, 11\)"),
            ({"mask": True}, TypeError, "mask must be an array; got bool"),
            ({"bias": np.ones((11, 13), bool)}, TypeError, "bias must hold numbers"),
            ({"bias": np.ones((3, 1, 1))}, ValueError, r"bias must broadcast to .*\(3, 1, 1\)"),
            ({"bias": np.ones((1, 2, 4, 11, 13))}, ValueError, "bias must broadcast"),
            ({"sinks": [1.0, 2.0]}, ValueError, r"sinks must have shape \(4,\) or \(2, 4\)"),
            ({"window": 0}, ValueError, "window must be at least 1; got 0"),
            ({"window": 2.0}, TypeError, "window must be an int"),
            ({"softcap": 0.0}, ValueError, "softcap must be above 0; got 0"),
            ({"softcap": np.nan}, ValueError, "softcap must be a finite number"),
            ({"scale": np.inf}, ValueError, "scale must be a finite number; got inf"),
            ({"scale": "large"}, ValueError, "scale must be a finite number"),
            ({"causal": 1}, TypeError, "causal must be True or False; got 1"),
            ({"offset": 0.5}, TypeError, "offset must be an int"),
        ],
    )
    def test_options(self, options: dict[str, Any], error: type[Exception], message: str) -> None:
        with pytest.raises(error, match=message):
            aw.Attention.from_qk(QUERY, KEY, **options)

    @pytest.mark.parametrize("bins", [(0, 1), (1, 0), (12, 13), (11, 14)])
    def test_grids_larger_than_the_map(self, bins: tuple[int, int]) -> None:
        source = QKSource(QUERY, KEY)
        with pytest.raises(ValueError, match="must have 1 … 11 rows and 1 … 13 columns; got"):
            finish(source.overview(0, 0, *bins))
        with pytest.raises(ValueError, match="must have 1 … 11 rows and 1 … 13 columns; got"):
            source.preview(0, 0, slice(0, 11), slice(0, 13), *bins)
