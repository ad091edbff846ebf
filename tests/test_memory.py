"""What is kept of answers, and what is forgotten."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from asking import ask, rows_of
from attn_widget import Attention
from attn_widget.codec import pack
from attn_widget.memory import Answer, Memory
from counted import CountedArray


def answer(size: int) -> Answer:
    return {"size": size}, {"data": pack(np.zeros(size, np.uint8), "u1")}


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 60)), max_size=40))
def test_memory_stays_within_its_limit(items: list[tuple[int, int]]) -> None:
    memory = Memory(100)
    for name, size in items:
        memory.keep_answer(str(name), answer(size))
        assert memory.bytes <= 100
        kept = memory.answer(str(name))
        assert kept is not None
        assert kept[0]["size"] == size


def test_what_was_used_longest_ago_goes_first() -> None:
    memory = Memory(100)
    for name in "abc":
        memory.keep_answer(name, answer(30))
    assert memory.answer("a")
    memory.keep_answer("d", answer(30))
    assert memory.answer("b") is None
    assert all(memory.answer(name) for name in "acd")
    memory.keep_answer("e", answer(101))
    assert memory.answer("e") is None
    assert memory.bytes == 90


def test_vectors_are_known_in_parts() -> None:
    memory = Memory()
    memory.keep_vector(("totals",), 5, slice(0, 2), np.array([1.0, np.nan]))
    assert memory.vector(("totals",), slice(0, 3)) is None
    memory.keep_vector(("totals",), 5, slice(2, 4), np.array([3.0, 4.0]))
    found = memory.vector(("totals",), slice(1, 4))
    assert found is not None
    np.testing.assert_array_equal(found, [np.nan, 3, 4])
    assert memory.vector(("entropy",), slice(0, 1)) is None


def test_going_back_costs_nothing() -> None:
    array = CountedArray(rows_of(2, 2, 12, 10))
    attention, memory = Attention(array), Memory()
    request = {"kind": "region", "heads": [0, 1], "rows": [0, 12], "cols": [0, 10], "size": [3, 3]}
    first = ask(attention, {**request, "layer": 0}, memory)
    ask(attention, {**request, "layer": 1}, memory)
    array.asked.clear()
    again = ask(attention, {**request, "layer": 0}, memory)
    assert array.asked == []
    assert again[0] == first[0]
    np.testing.assert_array_equal(again[1]["max"], first[1]["max"])
