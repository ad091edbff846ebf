"""Parts of a map know the short cuts of the map they are of."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, TypeVar

import numpy as np
import pytest
from numpy.typing import NDArray

from asking import ask, rows_of
from attn_widget import Attention
from attn_widget.overview import (
    SupportsElsewhere,
    SupportsOverview,
    SupportsPreview,
    SupportsReduction,
    SupportsSteps,
)
from attn_widget.reduction import largest_magnitude

T = TypeVar("T")
OFFERS = (SupportsOverview, SupportsPreview, SupportsSteps, SupportsReduction, SupportsElsewhere)
WEIGHTS = rows_of(3, 4, 40, 30) * np.arange(1, 13, dtype=np.float32).reshape(3, 4, 1, 1)


def finish(steps: Generator[float, None, T]) -> T:
    while True:
        try:
            next(steps)
        except StopIteration as end:
            found: T = end.value
            return found


def offers(attention: Attention) -> set[str]:
    return {offer.__name__ for offer in OFFERS if isinstance(attention.source, offer)}


def qk_map() -> Attention:
    rng = np.random.default_rng(0)
    query, key = (rng.normal(size=(3, heads, 40, 8)).astype(np.float32) for heads in (4, 2))
    return Attention.from_qk(query, key, causal=True)


def dask_map() -> Attention:
    array = pytest.importorskip("dask.array")
    return Attention(array.from_array(WEIGHTS, chunks=(1, 2, 16, 16)))


def assert_same(found: Any, expected: Any) -> None:
    for name, values in vars(expected).items():
        np.testing.assert_array_equal(getattr(found, name), values)


@pytest.mark.parametrize("make", [qk_map, dask_map])
def test_are_those_of_the_whole_where_queries_and_keys_are(make: Any) -> None:
    whole: Attention = make()
    every = offers(whole)
    assert every
    keys = whole.shape[3]
    for part in (
        whole.select(),
        whole.select(layers=1),
        whole.select(layers=[2, 0], heads=[3, 1]).select(heads=0),
        whole.select(queries=slice(None), keys=range(keys)),
    ):
        assert offers(part) == every
    # What stays on a cluster keeps all it offers, whichever its queries and keys.
    kept = every if SupportsElsewhere.__name__ in every else set()
    assert offers(whole.select(queries=slice(0, 39))) == kept
    for part in (
        whole.select(queries=slice(None, None, -1)),
        whole.select(keys=[*range(keys - 1), 0]),
    ):
        assert offers(part) == set()
        np.testing.assert_array_equal(part[0, 1], np.asarray(part)[0, 1])


def test_plain_arrays_offer_none() -> None:
    assert offers(Attention(WEIGHTS).select(layers=1, heads=[2])) == set()


def test_of_queries_and_keys_answer_for_the_heads_picked() -> None:
    whole = qk_map()
    part = whole.select(layers=[2, 1], heads=[3, 0, 2])
    mine: Any = part.source
    theirs: Any = whole.source
    assert_same(finish(mine.overview(0, 2, 5, 6)), finish(theirs.overview(2, 2, 5, 6)))
    where = slice(4, 40), slice(0, 30)
    found, how = mine.preview(1, 0, *where, 6, 5)
    expected, expected_how = theirs.preview(1, 3, *where, 6, 5)
    np.testing.assert_array_equal(found, expected)
    assert how == expected_how
    rows: NDArray[np.float32] = mine.read_every(1, slice(1, 3), slice(3, 40, 7), slice(0, 20))
    np.testing.assert_array_equal(rows, np.asarray(part)[1, 1:3, 3:40:7, :20])
    one = mine.read_every(0, slice(0, 1), slice(0, 40, 4), slice(0, 40))
    np.testing.assert_array_equal(one, np.asarray(part)[0, :1, ::4])


def test_of_dask_arrays_answer_for_the_heads_picked() -> None:
    whole = dask_map()
    part = whole.select(layers=[2, 1], heads=[3, 0, 2])
    taken = WEIGHTS[[2, 1]][:, [3, 0, 2]]
    mine: Any = part.source
    theirs: Any = whole.source
    assert_same(finish(mine.overview(0, 2, 5, 6)), finish(theirs.overview(2, 2, 5, 6)))
    where = slice(8, 40), slice(0, 30)
    found, read = finish(mine.reduce(1, [0, 1], "max", *where, (4, 5)))
    expected, _ = finish(theirs.reduce(1, [3, 0], "max", *where, (4, 5)))
    assert_same(found, expected)
    assert read == 32
    picks = [2, 0], [5, 1], [7, 29]
    np.testing.assert_array_equal(mine.gather(1, *picks), taken[1][np.ix_(*picks)])
    parts = [(0, [1], range(40), range(30)), (1, [2, 0], [3], range(30))]
    largest = finish(mine.elsewhere(largest_magnitude, parts))
    assert largest == [taken[0, 1].max(), taken[1, [2, 0], 3].max()]
    assert [mine.largest(layer) for layer in (0, 1)] == [taken[0].max(), taken[1].max()]
    smaller: Any = whole.select(heads=[0, 1]).source
    assert smaller.largest(1) == WEIGHTS[1, :2].max() < WEIGHTS[1].max()
    shuffled: Any = whole.select(heads=[1, 0, 3, 2]).source
    assert shuffled.largest(1) == WEIGHTS[1].max()


@pytest.mark.parametrize("make", [qk_map, dask_map])
@pytest.mark.parametrize("kind", ["region", "edges", "thumbnails", "rows"])
def test_answers_are_those_of_the_numbers(make: Any, kind: str) -> None:
    part = make().select(layers=[2, 1], heads=[3, 0])
    plain = Attention(np.asarray(part))
    keys = part.shape[3]
    fields: dict[str, dict[str, Any]] = {
        "region": {"combine": "max", "rows": [0, 40], "cols": [0, keys], "size": [8, 10]},
        "edges": {"combine": "mean", "direction": "attends_to", "mass": 0.9, "threshold": 0.0},
        "thumbnails": {"layers": [0, 2], "size": [12, 12]},
        "rows": {"side": "query", "start": 3, "stop": 9},
    }
    fields["edges"] |= {"top_k": None, "special": "show", "scale": "sqrt"}
    asked = {"kind": kind, "layer": 1, "heads": [1, 0], "words": False, "exact": True}
    request = {**asked, **fields[kind]}
    _, found = ask(part, request)
    _, expected = ask(plain, request)
    assert found.keys() == expected.keys()
    for name, values in expected.items():
        tolerance = 1.01 if values.dtype.kind == "u" and kind != "edges" else 1e-5
        np.testing.assert_allclose(
            found[name].astype(np.float64), values.astype(np.float64), rtol=1e-5, atol=tolerance
        )


def test_stored_chunks_are_known_of_parts() -> None:
    whole = dask_map()
    assert getattr(whole.select(layers=1, keys=[0, 3]).source, "chunk_rows", None) == 16
    assert getattr(whole.select(queries=slice(3, 20)).source, "chunk_rows", None) == 13


def test_every_nth_query_is_read_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = qk_map()
    expected = np.asarray(whole)
    # Row by row it would take a pass over the keys each.
    monkeypatch.setattr(type(whole.source), "read", lambda *_: pytest.fail("read one by one"))
    np.testing.assert_allclose(whole[1, :, 3::10], expected[1, :, 3::10], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(
        whole[2, 1:3, 5:36:15, 4:20], expected[2, 1:3, 5:36:15, 4:20], rtol=1e-5, atol=1e-6
    )
