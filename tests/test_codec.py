"""Arrays to bytes and back."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from attn_widget.codec import pack, unpack, wire_dtype
from wire import make

DTYPES = {
    "f2": np.float16,
    "f4": np.float32,
    "f8": np.float64,
    "u1": np.uint8,
    "u2": np.uint16,
    "u4": np.uint32,
}


@pytest.mark.parametrize("name", sorted(make.arrays()))
def test_packs_any_shape_layout_and_byte_order(name: str) -> None:
    values, dtype = make.arrays()[name]
    packed = pack(values, dtype)
    assert (packed["dtype"], packed["shape"]) == (dtype, list(values.shape))
    assert len(packed["data"]) == values.size * np.dtype(dtype).itemsize
    expected = [DTYPES[dtype](value) for value in values.flat]
    got = np.frombuffer(packed["data"], f"<{dtype}")
    np.testing.assert_array_equal(got, np.array(expected, DTYPES[dtype]))


@given(
    values=hnp.arrays(
        st.sampled_from([np.float16, np.float32, np.float64, np.uint8, np.uint16, np.uint32]),
        hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4),
    ),
    big_endian=st.booleans(),
    backwards=st.booleans(),
)
def test_round_trip_keeps_every_bit(
    values: NDArray[Any], big_endian: bool, backwards: bool
) -> None:
    dtype = values.dtype.str[1:]
    given = values.astype(values.dtype.newbyteorder(">")) if big_endian else values
    if backwards and values.ndim:
        given = np.asfortranarray(given)[::-1][::-1]
    packed = pack(given, dtype)
    assert packed["data"] == values.tobytes()
    assert unpack(packed).tobytes() == values.tobytes()
    assert unpack(packed).shape == values.shape


def test_bytes_are_a_snapshot() -> None:
    values = np.ones(3, np.float32)
    packed = pack(values, "f4")
    values[:] = 2
    assert unpack(packed).tolist() == [1, 1, 1]


@pytest.mark.parametrize(
    ("values", "dtype", "message"),
    [
        ([65505.0], "f2", "within -65504 and 65504 to travel as f2; got 65505 to 65505"),
        ([-1e6, 0.0], "f2", "within -65504 and 65504"),
        ([1e39], "f4", r"within -3.402823466e\+38 and 3.402823466e\+38 to travel as f4"),
        ([-1], "u1", "within 0 and 255 to travel as u1; got -1 to -1"),
        ([256], "u1", "within 0 and 255"),
        ([65536], "u2", "within 0 and 65535"),
        ([2**32], "u4", "within 0 and 4294967295"),
        ([0.5], "u1", "whole numbers to travel as u1; got 0.5"),
        ([1.0, np.nan], "u2", "whole numbers to travel as u2; got nan"),
        ([np.inf], "u4", "within 0 and 4294967295 to travel as u4; got inf to inf"),
        ([1.0], "i8", "dtype must be one of f2, f4, f8, u1, u2, u4; got 'i8'"),
    ],
)
def test_refuses_what_has_no_place(values: list[float], dtype: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        pack(np.array(values), dtype)


@pytest.mark.parametrize("values", [["a"], [1j], [None], [{}]])
def test_refuses_what_is_no_number(values: list[Any]) -> None:
    with pytest.raises(TypeError, match="values must be numbers; got an array of"):
        pack(np.array(values), "f4")


def test_largest_numbers_pass_without_a_warning() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert unpack(pack(np.array([65504.0, -65504.0]), "f2")).tolist() == [65504, -65504]
        most = float(np.finfo(np.float32).max)
        assert unpack(pack(np.array([most, np.inf, np.nan]), "f4"))[0] == most
        assert unpack(pack(np.array([255.0, 0.0]), "u1")).tolist() == [255, 0]


@pytest.mark.parametrize("size", [0, 1, 7])
def test_size_limits_hold_for_every_integer_kind(size: int) -> None:
    packed = pack(np.full(size, 200, np.int64), "u1")
    assert unpack(packed).tolist() == [200] * size


@pytest.mark.parametrize(
    ("dtype", "wire"),
    [("f2", "f2"), (">f2", "f2"), ("f4", "f4"), ("f8", "f4"), (">f4", "f4")],
)
def test_wire_dtype_keeps_stored_precision(dtype: str, wire: str) -> None:
    assert wire_dtype(np.dtype(dtype)) == wire
