from __future__ import annotations

import gc
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from numpy.typing import NDArray

from attn_widget import Attention, Axis, Patches, Tokens
from counted import CountedArray

Rows = Callable[..., NDArray[np.float32]]


class TestConstruction:
    @pytest.mark.parametrize(
        ("given", "expected"),
        [((3, 4), (1, 1, 3, 4)), ((2, 3, 4), (1, 2, 3, 4)), ((5, 2, 3, 4), (5, 2, 3, 4)),
         ((1, 5, 2, 3, 4), (5, 2, 3, 4))],
    )  # fmt: skip
    def test_shape(self, rows: Rows, given: tuple[int, ...], expected: tuple[int, ...]) -> None:
        weights = rows(*given)
        attention = Attention(weights)
        assert attention.shape == expected
        np.testing.assert_array_equal(np.asarray(attention), weights.reshape(expected))

    @pytest.mark.parametrize("shape", [(), (5,), (1, 1, 1, 1, 2, 2)])
    def test_wrong_rank(self, shape: tuple[int, ...]) -> None:
        with pytest.raises(ValueError, match=r"weights must have 2, 3 or 4 axes .*; got shape \("):
            Attention(np.zeros(shape))

    def test_axes(self, rows: Rows) -> None:
        attention = Attention(rows(2, 3), ["a", "b"], [Tokens(["x"]), Patches(1, 2)])
        assert attention.queries.labels == ("a", "b")
        assert attention.keys.labels == ("x", "row 1, column 1", "row 1, column 2")

    def test_keys_of_a_square_map_are_its_queries(self, rows: Rows) -> None:
        square = Attention(rows(2, 2), ["a", "b"])
        assert square.keys is square.queries
        assert Attention(rows(2, 2), ["a", "b"], ["x", "y"]).keys.labels == ("x", "y")
        assert Attention(rows(2, 3), ["a", "b"]).keys.labels == ("0", "1", "2")
        assert Attention(rows(2, 2)).queries.labels == ("0", "1")

    @pytest.mark.parametrize(
        ("queries", "keys", "message"),
        [
            (["a"], None, "queries must have 2 labels to fit the weights; got 1"),
            (None, ["a"] * 4, "keys must have 3 labels to fit the weights; got 4"),
            (None, Patches(2, 2), "keys must have 3 labels to fit the weights; got 2·2 = 4"),
            (None, [Tokens(["[CLS]"]), Patches(2, 2, order=[1])], r"weights; got 1 \+ 1 = 2"),
        ],
    )
    def test_label_counts_must_fit(
        self, rows: Rows, queries: object, keys: object, message: str
    ) -> None:
        with pytest.raises(ValueError, match=message):
            Attention(rows(2, 3), queries, keys)

    def test_kind_and_name(self, rows: Rows) -> None:
        attention = Attention(rows(2, 2), kind="relevance", name="rollout")
        assert (attention.kind, attention.name) == ("relevance", "rollout")
        with pytest.raises(
            ValueError, match="one of weight, score, relevance, norm, difference; got 'w'"
        ):
            Attention(rows(2, 2), kind="w")
        with pytest.raises(TypeError, match="name must be a string; got int"):
            Attention(rows(2, 2), name=3)  # type: ignore[arg-type]
        with pytest.raises(TypeError, match="labels"):
            Attention(rows(2, 2), labels=["a", "b"])  # type: ignore[call-arg]

    @pytest.mark.parametrize(
        ("weights", "message"),
        [
            (np.eye(2, dtype=int), r"got dtype int64; convert with \.astype\(float\)"),
            (np.eye(2, dtype=np.uint8), "got dtype uint8; convert"),
            (np.eye(2, dtype=bool), "got dtype bool; convert"),
            ([[1, 0], [0, 1]], "got dtype int64; convert"),
            (np.eye(2, dtype=complex), "got dtype complex128$"),
            (np.array([["a"]]), "weights must be floats; got dtype str"),
            (np.array([[None]]), "got dtype object$"),
            ("weights", "one such array a layer; got str"),
            (None, "got NoneType"),
            (3.5, "got float"),
            ({"a": 1}, "got dict"),
            ([np.ones((1, 2, 2)), None], "layer 1 is None"),
        ],
    )
    def test_what_is_no_weights(self, weights: object, message: str) -> None:
        with pytest.raises(TypeError, match=message):
            Attention(weights)

    def test_ragged_lists(self) -> None:
        with pytest.raises(ValueError, match="weights must be one rectangular array"):
            Attention([[0.5, 0.5], [1.0]])

    def test_nested_lists(self) -> None:
        assert np.asarray(Attention([[0.5, 0.5], [1.0, 0.0]])).tolist() == [[[[0.5, 0.5], [1, 0]]]]

    def test_batch(self, rows: Rows) -> None:
        weights = rows(3, 2, 2, 4, 4)
        for batch in (0, 2, -1):
            np.testing.assert_array_equal(Attention(weights, batch=batch)[...], weights[batch])
        assert Attention(weights, batch=np.int64(1)).shape == (2, 2, 4, 4)  # type: ignore[arg-type]
        with pytest.raises(ValueError, match=r"batch axis of length 3: say which one, batch=0 … 2"):
            Attention(weights)
        with pytest.raises(ValueError, match=r"batch must be in 0 … 2; got 3"):
            Attention(weights, batch=3)
        with pytest.raises(
            ValueError, match=r"batch=0 was given but shape \(4, 4\) has no batch axis"
        ):
            Attention(rows(4, 4), batch=0)
        with pytest.raises(TypeError, match="batch must be an int; got True"):
            Attention(weights, batch=True)

    def test_repr_is_short_and_reads_nothing(self, rows: Rows) -> None:
        array = CountedArray(rows(2, 3, 4, 5).astype(np.float16))
        attention = Attention(array, name="cross")
        assert repr(attention) == (
            "Attention('cross', 2 layers × 3 heads × 4 queries × 5 keys, weight, float16)"
        )
        assert array.asked == []


class TestLaziness:
    def test_constructing_reads_nothing(self, rows: Rows) -> None:
        array = CountedArray(rows(2, 3, 4, 4))
        layers = [CountedArray(rows(1, 3, 4, 4)) for _ in range(2)]
        for attention in (Attention(array, list("abcd")), Attention(layers, list("abcd"))):
            attention.select(heads=[0, 2], queries=slice(1, 3)).select(layers=0)
            assert attention.shape == (2, 3, 4, 4)
            assert attention.dtype == np.float32
        assert array.asked == []
        assert [layer.asked for layer in layers] == [[], []]

    def test_a_part_reads_that_part(self, rows: Rows) -> None:
        array = CountedArray(rows(6, 8, 20, 30))
        Attention(array)[4, 2, 5:9, 10:13]
        assert array.asked == [(4, slice(2, 3), slice(5, 9), slice(10, 13))]

    def test_a_part_reads_its_layer_only(self, rows: Rows) -> None:
        layers = [CountedArray(rows(1, 4, 5, 5)) for _ in range(3)]
        Attention(layers)[1, :, -1, 2:]
        assert [layer.asked for layer in layers] == [
            [],
            [(0, slice(0, 4), slice(4, 5), slice(2, 5))],
            [],
        ]

    def test_a_selection_reads_what_is_asked_of_it(self, rows: Rows) -> None:
        array = CountedArray(rows(3, 8, 20, 20))
        part = Attention(array).select(layers=-1, heads=[6, 1], queries=slice(5, 15))
        part[0, 1, 2:4, :7]
        assert array.asked == [(2, slice(1, 2), slice(7, 9), slice(0, 7))]

    def test_no_other_heads_are_read(self, rows: Rows) -> None:
        array = CountedArray(rows(1, 8, 4, 4))
        np.asarray(Attention(array).select(heads=[0, 3, 7]))
        assert array.numbers_read == 3 * 4 * 4

    def test_far_positions_are_read_apart(self, rows: Rows) -> None:
        array = CountedArray(rows(1, 1, 500, 500))
        Attention(array).select(queries=[3, 400], keys=[0, 250, 499])[...]
        assert array.numbers_read == 6

    def test_scattered_keys_are_read_as_rows(self, rows: Rows) -> None:
        weights = rows(1, 1, 400, 400)
        array = CountedArray(weights)
        np.testing.assert_array_equal(Attention(array)[0, 0, ::20, ::20], weights[0, 0, ::20, ::20])
        assert len(array.asked) == 20
        assert array.numbers_read == 20 * 381

    def test_a_step_reads_at_most_what_it_spans(self, rows: Rows) -> None:
        array = CountedArray(rows(1, 1, 100, 100))
        Attention(array)[0, 0, 20:40:2, 50:60:3]
        assert array.asked == [(0, slice(0, 1), slice(20, 39), slice(50, 60))]

    def test_importing_imports_no_array_library(self) -> None:
        heavy = ["torch", "jax", "tensorflow", "dask", "zarr", "h5py", "pandas", "transformers"]
        code = f"""
import sys, numpy as np
import attn_widget as aw
from attn_widget.attention import Attention
a = Attention(np.eye(3), [aw.Tokens(["a"]), aw.Patches(1, 2, image=np.zeros((4, 4, 3), "u1"))])
np.asarray(a.select(keys=[0]))
found = [name for name in {[*heavy, "matplotlib", "PIL"]} if name in sys.modules]
assert not found, found
"""
        subprocess.run([sys.executable, "-c", code], check=True)


class TestIndexing:
    @given(st.data())
    def test_indexing_is_numpy_s(self, data: st.DataObject) -> None:
        shape = data.draw(
            st.tuples(*[st.integers(1, 4), st.integers(1, 4)], *[st.integers(0, 24)] * 2)
        )
        values = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
        index = data.draw(npst.basic_indices(shape, allow_newaxis=False))
        found = Attention(values)[index]
        assert isinstance(found, np.ndarray)
        np.testing.assert_array_equal(found, values[index])
        assert found.shape == values[index].shape

    @given(st.data())
    def test_selecting_is_numpy_s(self, data: st.DataObject) -> None:
        shape = data.draw(st.tuples(*[st.integers(1, 4)] * 2, *[st.integers(1, 40)] * 2))
        values = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
        attention = Attention(values)
        expected = values
        for _ in range(2):
            picks = {}
            for axis, name in enumerate(("layers", "heads", "queries", "keys")):
                size = expected.shape[axis]
                indices = st.integers(-size, size - 1) if size else st.nothing()
                pick = data.draw(
                    st.one_of(st.none(), st.slices(size), st.lists(indices, max_size=6), indices)
                    if size
                    else st.none()
                )
                picks[name] = pick
                if pick is not None:
                    whole: list[Any] = [slice(None)] * 4
                    whole[axis] = [pick] if isinstance(pick, int) else pick
                    expected = expected[tuple(whole)]
            attention = attention.select(**picks)
            assert attention.shape == expected.shape
        np.testing.assert_array_equal(np.asarray(attention), expected)
        query = data.draw(npst.basic_indices(expected.shape, allow_newaxis=False))
        np.testing.assert_array_equal(attention[query], expected[query])

    def test_ints_of_every_kind(self, rows: Rows) -> None:
        weights = rows(2, 3, 4, 4)
        found = Attention(weights)[np.int8(1), np.array(2), -1, 0]  # type: ignore[index]
        assert isinstance(found, np.ndarray)
        assert found.shape == ()
        assert found.dtype == np.float32
        assert float(found) == weights[1, 2, -1, 0]

    @pytest.mark.parametrize(
        ("index", "message"),
        [
            ((2,), r"layer 2 is out of range for 2 \(layers 0 … 1\)"),
            ((0, -4), r"head -4 is out of range for 3 \(heads 0 … 2\)"),
            ((0, 0, 4), "query 4 is out of range"),
            ((0, 0, 0, 4), "key 4 is out of range"),
            ((0, 0, 0, 0, 0), "a map has 4 axes .*; got 5 indices"),
            (([0, 1],), r"lists go to \.select\); got list"),
            ((None,), "got NoneType"),
            ((True,), "got bool"),
            ((np.array([True, False]),), "got ndarray"),
            ((1.0,), "got float"),
            (("0",), "got str"),
            ((..., ...), "only one Ellipsis"),
        ],
    )
    def test_what_is_no_index(self, rows: Rows, index: Any, message: str) -> None:
        with pytest.raises(IndexError, match=message):
            Attention(rows(2, 3, 4, 4))[index]

    @pytest.mark.parametrize(
        ("picks", "error", "message"),
        [
            ({"layers": 2}, IndexError, "layer 2 is out of range for 2"),
            ({"heads": [0, 3]}, IndexError, "head 3 is out of range for 3"),
            ({"queries": -5}, IndexError, "query -5 is out of range"),
            ({"keys": [0.0]}, TypeError, r"key must be ints; got 0\.0"),
            ({"keys": [True, False]}, TypeError, "key must be ints; got True"),
            ({"keys": "0"}, TypeError, "key must be an int, a slice or ints; got '0'"),
            ({"layers": 0.5}, TypeError, "layer must be an int, a slice or ints; got 0.5"),
            ({"layer": 0}, TypeError, "layer"),
        ],
    )
    def test_what_cannot_be_selected(
        self, rows: Rows, picks: dict[str, Any], error: type[Exception], message: str
    ) -> None:
        with pytest.raises(error, match=message):
            Attention(rows(2, 3, 4, 4)).select(**picks)

    def test_what_is_read_is_a_copy(self, rows: Rows) -> None:
        weights = rows(1, 1, 3, 3)
        before = weights.copy()
        attention = Attention(weights)
        attention[0, 0][:] = 9
        np.asarray(attention)[:] = 9
        np.testing.assert_array_equal(weights, before)

    def test_asarray(self, rows: Rows) -> None:
        weights = rows(2, 3, 4, 4)
        attention = Attention(weights)
        assert np.asarray(attention, dtype=np.float64).dtype == np.float64
        np.testing.assert_array_equal(np.array(attention), weights)
        np.testing.assert_array_equal(attention[...], weights)
        with pytest.raises(ValueError, match="makes a copy"):
            attention.__array__(copy=False)

    def test_select_takes_the_labels_along(self, rows: Rows) -> None:
        attention = Attention(rows(2, 2, 3, 3), ["[CLS]", "un", "##able"], kind="norm", name="n")
        part = attention.select(queries=[2, 0], keys=slice(1, None))
        assert part.queries.labels == ("##able", "[CLS]")
        assert part.queries.special == (1,)
        assert part.keys.labels == ("un", "##able")
        assert (part.kind, part.name) == ("norm", "n")
        assert part.dtype == np.float32

    def test_select_keeps_one_axis_for_both_sides(self, rows: Rows) -> None:
        attention = Attention(rows(3, 3), list("abc"))
        whole = attention.select(heads=0)
        assert whole.keys is whole.queries is attention.queries
        part = attention.select(queries=[0, 2], keys=[0, 2])
        assert part.keys is part.queries
        other = attention.select(queries=[0, 2], keys=[0, 1])
        assert other.keys is not other.queries


class TestNumbers:
    @pytest.mark.parametrize(
        "values",
        [
            [[np.nan, 0.5], [0.5, 0.5]],
            [[np.inf, -np.inf], [0.0, 1.0]],
            [[-0.5, 1.5], [-3e38, 3e38]],
            [[0.0, 0.0], [0.0, 0.0]],
            [[70000.0, 1e-30], [1e-45, 65520.0]],
        ],
    )
    def test_float32_survives_exactly(self, values: list[list[float]]) -> None:
        weights = np.array(values, dtype=np.float32)
        np.testing.assert_array_equal(Attention(weights)[0, 0], weights)

    @pytest.mark.parametrize("shape", [(0, 0), (0, 3), (3, 0), (2, 0, 4), (2, 2, 4, 0), (1, 1)])
    def test_small_maps(self, shape: tuple[int, ...]) -> None:
        attention = Attention(np.zeros(shape, np.float32))
        full = (1,) * (4 - len(shape)) + shape
        assert np.asarray(attention).shape == full
        assert attention.select(layers=0)[0, 0].shape == shape[-2:]
        assert len(attention.queries) == shape[-2]
        assert len(attention.keys) == shape[-1]
        repr(attention)

    def test_beyond_float32_is_infinite(self) -> None:
        assert Attention(np.array([[1e300, -1e300]]))[0, 0].tolist() == [[np.inf, -np.inf]]

    @given(npst.arrays(np.float64, npst.array_shapes(min_dims=2, max_dims=4, max_side=4)))
    def test_float64_is_rounded_to_float32(self, values: NDArray[np.float64]) -> None:
        with np.errstate(over="ignore"):
            expected = values.astype(np.float32)
        np.testing.assert_array_equal(np.asarray(Attention(values)).reshape(values.shape), expected)


class TestDisplay:
    def test_a_map_shows_itself_as_one_widget(self, rows: Rows) -> None:
        attention = Attention(rows(1, 2, 3, 3), list("abc"))
        first, second = attention._repr_mimebundle_(), attention._repr_mimebundle_()
        view = "application/vnd.jupyter.widget-view+json"
        assert first[0][view]["model_id"] == second[0][view]["model_id"]  # type: ignore[index]
        assert attention._widget is not None
        attention._widget.close()
        third = attention._repr_mimebundle_()
        assert third[0][view]["model_id"] != first[0][view]["model_id"]  # type: ignore[index]
        attention._widget.close()

    def test_a_map_that_is_not_shown_is_let_go(self, rows: Rows) -> None:
        axis = Axis([Tokens(["a", "b"])])
        attention = Attention(rows(2, 2), axis)
        part = attention.select(queries=0)
        del attention
        gc.collect()
        assert part[0, 0].shape == (1, 2)
