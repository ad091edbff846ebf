"""How long attention from queries and keys takes at sizes where the matrix could not be held.

Everything runs in this one process. The bound is a matrix product of the same arithmetic in the
same blocks; it takes turns with what is held against it, so that both meet the same machine.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import time
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

import attn_widget as aw
from attn_widget.qk import QKSource
from attn_widget.qk.arithmetic import NumPyArithmetic

T = TypeVar("T")
Row = dict[str, Any]


def peak_mib() -> float:
    """The most memory that this process has held so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def timed(work: Callable[[], T], repeats: int) -> tuple[T, list[float]]:
    """What some work returns, and its seconds each time."""
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        found = work()
        seconds.append(time.perf_counter() - start)
    return found, seconds


def products(
    query: np.ndarray[Any, Any], key: np.ndarray[Any, Any], causal: bool
) -> Iterator[float]:
    """q·kᵀ of one head in the blocks that the overview computes; yields the share that is done."""
    rows, keys = NumPyArithmetic.rows, NumPyArithmetic.keys
    room = np.empty((keys, rows), dtype=np.float32)
    work = len(query) * len(key) / (2 if causal else 1)
    done = 0
    for first in range(0, len(query), rows):
        part = query[first : first + rows]
        stop = min(first + rows, len(key)) if causal else len(key)
        for begin in range(0, stop, keys):
            some = key[begin : min(begin + keys, stop)]
            np.matmul(some, part.T, out=room[: len(some), : len(part)])
        done += len(part) * stop
        yield done / work


def against(
    steps: Generator[float, None, T], bound: Iterator[float]
) -> tuple[T, float, float, float]:
    """What a generator returns, its seconds, those of its longest step, and those of the bound."""
    seconds = longest = bound_seconds = bound_share = 0.0
    while True:
        start = time.perf_counter()
        try:
            share = next(steps)
        except StopIteration as end:
            share, found, over = 1.0, end.value, True
        else:
            over = False
        took = time.perf_counter() - start
        seconds, longest = seconds + took, max(longest, took)
        start = time.perf_counter()
        while bound_share < share and (next_share := next(bound, None)) is not None:
            bound_share = next_share
        bound_seconds += time.perf_counter() - start
        if over:
            return found, seconds, longest, bound_seconds


def measure(tokens: int, heads: int, depth: int, grid: int, causal: bool) -> dict[str, Any]:
    """All figures of one size."""
    rng = np.random.default_rng(0)
    shape = (1, heads, tokens, depth)
    query, key = (rng.standard_normal(shape, dtype=np.float32) for _ in range(2))
    attention = aw.Attention.from_qk(query, key, causal=causal)
    source = attention.source
    assert isinstance(source, QKSource)
    middle, grid = tokens // 2, min(grid, tokens)
    rows: list[Row] = []

    def note(what: str, seconds: list[float], **more: Any) -> None:
        median = float(np.median(seconds))
        rows.append({"what": what, "seconds": median, "peak_mib": peak_mib(), **more})
        print(f"{what:44} {median:10.4f} s   peak {peak_mib():7.0f} MiB", flush=True)

    note("start: queries, keys and the library", [0.0])
    places = iter(rng.integers(0, tokens, 30).tolist())
    note("row at hover, one head", timed(lambda: attention[0, 0, next(places)], 15)[1])
    note(f"row at hover, all {heads} heads", timed(lambda: attention[0, :, next(places)], 9)[1])
    block = slice(middle, min(tokens, middle + 512))
    note("512-row block, first read", timed(lambda: attention[0, 1, block], 1)[1])
    note("512-row block, once more", timed(lambda: attention[0, 1, block], 3)[1])
    window = slice(middle - 512, middle)
    finished = timed(lambda: attention[0, 1, block, window], 1)[1]
    note("512 × 512 window, its rows known", finished)
    everything = slice(0, tokens)
    shown = timed(lambda: source.preview(0, 0, everything, everything, grid, grid), 3)
    note(f"preview {grid} × {grid}", shown[1])

    def bound() -> Iterator[float]:
        return products(query[0, 0], key[0, 0], causal)

    overview, seconds, longest, product = against(source.overview(0, 0, grid, grid), bound())
    note(f"overview {grid} × {grid} of one head", [seconds], product=product, longest_step=longest)
    note("matrix product of one head, meanwhile", [product])
    note("column, log-sum-exp known", timed(lambda: attention[0, 0, :, next(places)], 5)[1])
    _, streamed, step, other = against(source.log_sum_exp(0, 2), bound())
    note("log-sum-exp of one head", [streamed], product=other, longest_step=step)
    note("matrix product of one head, meanwhile", [other])
    note("column, first read", timed(lambda: attention[0, 3, :, middle], 1)[1])
    np.testing.assert_allclose(overview.totals.sum(), tokens, rtol=1e-5)
    correlation = np.corrcoef(shown[0][0].ravel(), overview.mean.ravel())[0, 1]
    print(f"overview: {seconds / product:.2f} × the product; longest step {longest * 1e3:.0f} ms")
    print(f"log-sum-exp: {streamed / other:.2f} × the product")
    print(f"preview against overview (means): correlation {correlation:.2f}")
    return {
        "tokens": tokens,
        "heads": heads,
        "depth": depth,
        "causal": causal,
        "cores": os.cpu_count(),
        "machine": platform.machine(),
        "numpy": np.__version__,
        "load": os.getloadavg(),
        "overview_to_product": seconds / product,
        "preview_correlation": float(correlation),
        "full_map_gib": 4 * heads * tokens**2 / 2**30,
        "rows": rows,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tokens", type=int, nargs="+", default=[131_072])
    parser.add_argument("--heads", type=int, default=8)
    parser.add_argument("--depth", type=int, default=64)
    parser.add_argument("--grid", type=int, default=1024)
    parser.add_argument("--causal", action="store_true")
    parser.add_argument("--out", type=Path, default=Path("artifacts/from_qk.json"))
    given = parser.parse_args()
    results = []
    for tokens in given.tokens:
        print(f"{tokens:,} tokens × {given.heads} heads, D = {given.depth}")
        results.append(measure(tokens, given.heads, given.depth, given.grid, given.causal))
        given.out.parent.mkdir(parents=True, exist_ok=True)
        given.out.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
