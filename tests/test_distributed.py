"""Maps on a cluster of two workers: they compute, only slices and cells travel."""

from __future__ import annotations

import os
import pickle
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from asking import ask, refused, rows_of
from attn_widget import Attention, Tokens

dask = pytest.importorskip("dask")
dask_array = pytest.importorskip("dask.array")
distributed = pytest.importorskip("distributed")

SHAPE = (2, 3, 600, 500)
CHUNKS = ((1, 1), (1, 1, 1), (130,) * 4 + (80,), (200, 200, 100))
REGION = {
    "kind": "region",
    "layer": 1,
    "heads": [2],
    "combine": "mean",
    "rows": [0, 600],
    "cols": [0, 500],
    "size": [60, 45],
    "words": False,
    "exact": True,
}
EDGES = {
    "kind": "edges",
    "layer": 1,
    "heads": [0, 2],
    "combine": "each",
    "direction": "attends_to",
    "mass": 1.0,
    "threshold": 0.0,
    "top_k": 5,
    "special": "show",
    "scale": "absolute",
    "words": False,
    "focus": {"side": "query", "positions": [3, 599]},
}
# The strongest lines of a key take its own weights only where they are ranked by key.
KEY_EDGES = {**EDGES, "direction": "attended_by", "focus": {"side": "key", "positions": [7]}}
ROWS = {"kind": "rows", "layer": 1, "side": "query", "start": 299, "stop": 300}
THUMBNAILS = {"kind": "thumbnails", "layers": [0, 2], "size": [48, 48]}
PART = {**REGION, "rows": [100, 350], "cols": [150, 420], "size": [50, 50]}


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    with (
        distributed.LocalCluster(
            n_workers=2, processes=True, threads_per_worker=1, dashboard_address=":0"
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


@pytest.fixture
def travelled(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The bytes of every result that was brought to the client."""
    sizes: list[int] = []
    gather = distributed.Client.gather

    def counted(self: Any, *args: Any, **kwargs: Any) -> Any:
        found = gather(self, *args, **kwargs)
        sizes.append(len(pickle.dumps(found)))
        return found

    monkeypatch.setattr(distributed.Client, "gather", counted)
    return sizes


def chunk(
    block_info: Any = None, client: int = 0, seconds: float = 0.0, log: str = ""
) -> NDArray[np.float32]:
    """Compute a chunk of the map, never in the process of the client."""
    if os.getpid() == client:
        raise AssertionError("a chunk was computed in the client")
    time.sleep(seconds)
    place = block_info[None]
    if log:
        (Path(log) / " ".join(map(str, place["chunk-location"]))).touch()
    drawn = np.random.default_rng(place["chunk-location"]).exponential(size=place["chunk-shape"])
    return np.asarray(drawn / 500, np.float32)


def broken(block: NDArray[np.float32], block_info: Any = None) -> NDArray[np.float32]:
    if block_info[0]["chunk-location"][2] == 3:
        raise RuntimeError("the disk of this worker is full")
    return block


def lazily(**options: Any) -> Any:
    made = partial(chunk, **options)
    meta = np.empty((0,) * 4, np.float32)
    return dask_array.map_blocks(made, chunks=CHUNKS, dtype=np.float32, meta=meta)


def labelled(weights: object) -> Attention:
    return Attention(weights, Tokens([f"q{n}" for n in range(600)], special=[0]), range_of(500))


def range_of(count: int) -> list[str]:
    return [f"k{n}" for n in range(count)]


@pytest.fixture(scope="module")
def plain() -> NDArray[np.float32]:
    with dask.config.set(scheduler="sync"):
        return np.asarray(lazily().compute())


def assert_alike(lazy: Attention, plain: NDArray[Any], request: dict[str, Any]) -> None:
    """Check that an answer is that of the same map in memory."""
    fields, arrays = ask(lazy, request)
    expected_fields, expected = ask(labelled(plain), request)
    for content in (fields, expected_fields):
        content.pop("how", None)
    assert fields.keys() == expected_fields.keys()
    for name, value in expected_fields.items():
        assert fields[name] == (pytest.approx(value) if isinstance(value, float) else value), name
    assert arrays.keys() == expected.keys()
    for name, array in expected.items():
        if array.dtype.kind == "u":
            # Means are summed in another order: a code may fall on the other side.
            assert np.abs(arrays[name].astype(int) - array.astype(int)).max(initial=0) <= 1, name
        else:
            np.testing.assert_allclose(arrays[name], array, rtol=1e-5, atol=1e-7, err_msg=name)


@pytest.mark.parametrize(
    ("request_", "most"),
    [
        # Cells of 8 bytes, and a number a key and a query.
        (REGION, 60 * 45 * 8 + 1100 * 8),
        ({**REGION, "heads": [0, 2], "combine": "max"}, 60 * 45 * 8 + 1100 * 8),
        (PART, 50 * 50 * 8 + 520 * 8),
        (ROWS, 3 * 500 * 4),
        ({**ROWS, "side": "key"}, 3 * 600 * 4),
        ({**ROWS, "heads": [2, 0]}, 2 * 500 * 4),
        (THUMBNAILS, 6 * (48 * 48 * 2 + 7 * 4)),
        (EDGES, 2 * 2 * 500 * 4),
        (KEY_EDGES, 2 * 600 * 4),
    ],
    ids=["head", "heads", "part", "row", "column", "chosen", "thumbnails", "queries", "keys"],
)
def test_answers_are_those_of_an_array_and_only_they_travel(
    client: Any,
    travelled: list[int],
    plain: NDArray[np.float32],
    request_: dict[str, Any],
    most: int,
) -> None:
    lazy = labelled(lazily(client=os.getpid()))
    ask(lazy, request_)
    # Arrays take some bytes beside their numbers, and the scale a number a chunk.
    assert 0 < sum(travelled) < most + 4096
    assert_alike(lazy, plain, request_)


def test_reading_takes_what_is_asked_for(
    client: Any, travelled: list[int], plain: NDArray[np.float32]
) -> None:
    lazy = labelled(lazily(client=os.getpid()))
    np.testing.assert_array_equal(lazy[1, 2, 5:9, 498:], plain[1, 2, 5:9, 498:])
    part = lazy.select(layers=1, heads=[2, 0], queries=[590, 3, 3, 250], keys=slice(None, None, 90))
    found = plain[1][[2, 0]][:, [590, 3, 3, 250]][:, :, ::90][None]
    np.testing.assert_array_equal(part[...], found)
    assert sum(travelled) < found.nbytes + 4 * 2 * 4 + 1024


def test_parts_of_a_map_stay_on_the_cluster(
    client: Any, travelled: list[int], plain: NDArray[np.float32]
) -> None:
    picks: dict[str, Any] = {
        "layers": 1,
        "heads": [0, 2],
        "queries": slice(3, 590, 2),
        "keys": slice(100, 300),
    }
    request = {**REGION, "layer": 0, "heads": [1], "rows": [0, 294], "cols": [0, 200]}
    lazy = labelled(lazily(client=os.getpid())).select(**picks)
    fields, arrays = ask(lazy, request)
    assert sum(travelled) < 60 * 45 * 8 + 494 * 8 + 4096
    expected = ask(labelled(plain).select(**picks), request)
    assert fields == expected[0]
    np.testing.assert_allclose(arrays["max"], expected[1]["max"], atol=1)


def test_rough_answers_come_from_some_chunks(client: Any, tmp_path: Path) -> None:
    lazy = Attention(lazily(log=str(tmp_path)))
    steps = lazy.source.reduce(0, [1], "mean", slice(0, 600), slice(0, 500), (6, 5), 1)  # type: ignore[attr-defined]
    overview, read = finished(steps)
    computed = [tuple(map(int, path.name.split())) for path in tmp_path.iterdir()]
    bands = {row for _, _, row, _ in computed}
    assert sorted(computed) == [(0, 1, row, col) for row in sorted(bands) for col in range(3)]
    assert read == sum(CHUNKS[2][row] for row in bands) < 600
    assert np.isfinite(overview.max).all()


def finished(steps: Any) -> Any:
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value


def test_what_is_cancelled_is_not_computed(client: Any, tmp_path: Path) -> None:
    lazy = Attention(lazily(seconds=0.1, log=str(tmp_path)))
    steps = lazy.source.overview(0, 1, 60, 45)  # type: ignore[attr-defined]
    while next(steps) == 0:
        pass
    steps.close()
    while client.run_on_scheduler(lambda dask_scheduler: len(dask_scheduler.tasks)):
        time.sleep(0.05)
    computed = len(list(tmp_path.iterdir()))
    assert 1 <= computed < 15
    assert ask(lazy, {**ROWS, "layer": 0})[1]["weights"].shape == (3, 1, 500)


@pytest.mark.parametrize("request_", [REGION, THUMBNAILS, {**ROWS, "start": 400, "stop": 401}])
def test_what_fails_on_a_worker_is_told(
    client: Any, caplog: pytest.LogCaptureFixture, request_: dict[str, Any]
) -> None:
    lazy = Attention(lazily().map_blocks(broken, dtype=np.float32))
    assert refused(lazy, request_) == "RuntimeError: the disk of this worker is full"
    # Other parts are there.
    assert ask(lazy, {**ROWS, "start": 0, "stop": 1})[1]["weights"].shape == (3, 1, 500)


def without_package() -> None:
    import sys

    sys.modules["attn_widget"] = None  # type: ignore[assignment]


def with_package() -> None:
    import sys

    del sys.modules["attn_widget"]


def test_workers_without_the_package_are_told(
    client: Any, caplog: pytest.LogCaptureFixture
) -> None:
    lazy = Attention(lazily())
    with distributed.Client(client.cluster) as other:
        first = next(iter(other.scheduler_info()["workers"]))
        other.run(without_package, workers=[first])
        assert refused(lazy, REGION) == (
            f"RuntimeError: workers of the cluster must have attn_widget installed; {first} has not"
        )
        other.run(with_package, workers=[first])
        assert ask(lazy, REGION)[0]["exact"] is True


def test_layers_are_one_map(client: Any, plain: NDArray[np.float32]) -> None:
    lazy = lazily(client=os.getpid())
    assert_alike(labelled([lazy[:1, ...][0][None], lazy[1:]]), plain, REGION)


@pytest.mark.parametrize("scheduler", ["threads", "sync"])
@pytest.mark.parametrize("request_", [REGION, PART, ROWS, THUMBNAILS, EDGES])
def test_no_cluster_is_needed(
    plain: NDArray[np.float32], scheduler: str, request_: dict[str, Any]
) -> None:
    with dask.config.set(scheduler=scheduler):
        assert_alike(labelled(lazily()), plain, request_)


@pytest.mark.parametrize("kind", ["weight", "score", "difference"])
@pytest.mark.parametrize("chunks", [(1, 1, 7, 9), (1, 2, 50, 3), (1, 2, 50, 40), (1, 1, 1, 40)])
@pytest.mark.parametrize("size", [[1, 1], [3, 40], [50, 7], [13, 11]])
def test_cells_do_not_depend_on_chunks(kind: str, chunks: tuple[int, ...], size: list[int]) -> None:
    weights = rows_of(1, 2, 50, 40, seed=3) - np.float32(0 if kind == "weight" else 0.02)
    draw = np.random.default_rng(5)
    for strange in (np.nan, -np.inf, np.inf):
        weights[0, :, draw.integers(0, 50, 12), draw.integers(0, 40, 12)] = strange
    weights[0, :, 20:27, 9:15] = np.nan
    weights[0, :, 30:37] = -np.inf
    request = {**REGION, "layer": 0, "rows": [0, 50], "cols": [0, 40], "size": size}
    for heads in ([1], [0, 1]):
        asked = {**request, "heads": heads}
        expected = ask(Attention(weights, kind=kind), asked)
        with dask.config.set(scheduler="sync"):
            lazy = dask_array.from_array(weights, chunks=chunks)
            found = ask(Attention(lazy, kind=kind), asked)
        assert found[0] == expected[0]
        assert found[1].keys() == expected[1].keys()
        for name, array in expected[1].items():
            np.testing.assert_allclose(found[1][name], array, rtol=1e-5, atol=1e-6, err_msg=name)
