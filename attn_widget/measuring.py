"""How long attention takes on this machine: naive, fused, and the slice that is looked at."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from .benches import METHODS, bench_for
from .cost import Cost
from .frames import frame_of
from .units import in_units

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_SHORTEST: Final = 128
_LONGEST: Final = 131_072
_REPEATS: Final = 5
_ENOUGH: Final = 0.3
"""Seconds after which a method is not repeated at a length."""


@dataclass(frozen=True)
class Point:
    """One measurement: the shortest of a few runs.

    Attributes:
        method: one of `METHODS`.
        length: tokens of the sequence, which attends to itself.
        seconds: how long one layer took.
    """

    method: str
    length: int
    seconds: float


@dataclass(frozen=True)
class Fit:
    """What a method takes on this machine: ``overhead + FLOPs / rate``.

    Attributes:
        method: one of `METHODS`.
        overhead: seconds.
        rate: FLOPs a second; inf where time did not grow with them.
    """

    method: str
    overhead: float
    rate: float

    def seconds(self, flops: float) -> float:
        """Return how long some FLOPs take."""
        return self.overhead + flops / self.rate

    def __str__(self) -> str:
        rate = "no time for FLOPs" if math.isinf(self.rate) else in_units(self.rate, "FLOP/s")
        return f"{self.method}: {in_units(self.overhead, 's')} + FLOPs at {rate}"


@dataclass(frozen=True)
class Measured:
    """Measured points, and the predicted curves fitted to them.

    Attributes:
        cost: the sizes; one layer was measured.
        points: what was measured.
        library: what computed, and where.
        skipped: what was left out, and why, in words.
        stopped: whether the measurement was interrupted.
    """

    cost: Cost
    points: tuple[Point, ...]
    library: str
    skipped: tuple[str, ...] = ()
    stopped: bool = False

    @property
    def fits(self) -> tuple[Fit, ...]:
        """For each method measured, the least squares of relative errors over its points."""
        found = []
        for method in METHODS:
            points = [point for point in self.points if point.method == method]
            if points:
                flops = [flops_of(method, self.cost.at(point.length)) for point in points]
                found.append(fitted(method, flops, [point.seconds for point in points]))
        return tuple(found)

    def to_frame(self) -> pd.DataFrame:
        """Return a DataFrame with columns ``method``, ``length``, ``seconds`` and ``predicted``.

        Raises:
            ImportError: if pandas is not installed.
        """
        fits = {fit.method: fit for fit in self.fits}
        return frame_of(
            {
                "method": [point.method for point in self.points],
                "length": [point.length for point in self.points],
                "seconds": [point.seconds for point in self.points],
                "predicted": [
                    fits[point.method].seconds(flops_of(point.method, self.cost.at(point.length)))
                    for point in self.points
                ],
            }
        )

    def plot(self, ax: Axes | None = None, *, theme: str = "light") -> Figure:
        """Draw the points over the fitted curves, both axes logarithmic.

        Neither pyplot nor any global setting is touched.

        Args:
            ax: axes to draw into; None makes a figure.
            theme: ``"light"`` or ``"dark"``.
        """
        from .figure.cost import plot_measured

        return plot_measured(self, ax, theme)

    def __repr__(self) -> str:
        lines = [f"Measured: {self.library}, one layer of {self.cost.heads} heads"]
        for fit in self.fits:
            points = [point for point in self.points if point.method == fit.method]
            times = ", ".join(f"{p.length:,}: {in_units(p.seconds, 's')}" for p in points)
            lines += [f"  {fit}", f"    {times}"]
        lines += [f"  left out: {text}" for text in self.skipped]
        return "\n".join(lines + ["  stopped before the end"] * self.stopped)


def measure(
    cost: Cost,
    lengths: Sequence[int] | None = None,
    *,
    seconds: float = 20.0,
    memory: int = 2_000_000_000,
    device: object = None,
    progress: Callable[[str], None] | None = print,
) -> Measured:
    """Time one layer of attention by three methods at several lengths, shortest first.

    Random queries, keys and values, float32, a sequence that attends to itself. ``"naive"`` forms
    all weights; ``"fused"`` is PyTorch's ``scaled_dot_product_attention``, or NumPy in blocks
    where PyTorch is missing; ``"slice"`` reads the weights of the last query of each head from an
    `Attention.from_qk`, as hover does. What would go beyond the time or memory left is left out,
    and said. Ctrl-C stops; what was measured by then is kept.

    Args:
        cost: the sizes.
        lengths: tokens; None doubles from 128 up to 131,072, as far as time and memory reach.
        seconds: time to take, about.
        memory: bytes to use at most.
        device: where PyTorch computes, such as ``"cuda"``; None is the processor. On others than
            the processor numbers are of the dtype of the cost.
        progress: told a line for each point; None for silence.

    Raises:
        ImportError: if a device is given and PyTorch is not installed.
        ValueError: if a length, ``seconds`` or ``memory`` is not above 0, or there is a window.
    """
    if cost.window is not None:
        raise ValueError(f"measure() times attention without a window; got {cost.window}")
    powers = range(_SHORTEST.bit_length() - 1, _LONGEST.bit_length())
    chosen = [1 << power for power in powers] if lengths is None else sorted(lengths)
    if not chosen or chosen[0] < 1 or not seconds > 0 or not memory > 0:
        raise ValueError(
            "measure() needs lengths, seconds and memory above 0; "
            f"got lengths {list(chosen)}, {seconds} s and {memory} B"
        )
    bench = bench_for(cost, device)
    points: list[Point] = []
    skipped: dict[str, str] = {}
    stopped = False
    until = time.perf_counter() + seconds
    try:
        for length in chosen:
            for method in METHODS:
                if method in skipped:
                    continue
                why = _beyond(cost.at(length), method, points, until, memory)
                if why:
                    skipped[method] = f"{method} from {length:,} tokens on: {why}"
                    continue
                points.append(Point(method, length, _shortest(bench(method, length))))
                if progress is not None:
                    taken = in_units(points[-1].seconds, "s")
                    progress(f"{method}, {length:,} tokens: {taken}")
    except KeyboardInterrupt:
        stopped = True
    return Measured(cost, tuple(points), bench.library, tuple(skipped.values()), stopped)


def flops_of(method: str, cost: Cost) -> int:
    """Return the FLOPs of one layer that a method computes, softmax included."""
    one = replace(cost, layers=1)
    if method == "slice":
        one = replace(one, queries=1)
        return one.attention_flops // 2 + one.softmax_flops
    if method == "naive":
        # It computes masked pairs like others.
        one = replace(one, causal=False)
    return one.attention_flops + one.softmax_flops


def fitted(method: str, flops: Sequence[float], seconds: Sequence[float]) -> Fit:
    """Return overhead and rate, neither below 0, by least squares of relative errors.

    Args:
        method: one of `METHODS`.
        flops: of each point.
        seconds: of each point.
    """
    share = np.asarray(flops) / np.asarray(seconds)
    one = 1 / np.asarray(seconds)
    overhead, pace = 0.0, float(share.sum() / (share**2).sum())
    if len(share) > 1:
        found, *_ = np.linalg.lstsq(np.stack([one, share], axis=1), np.ones(len(one)), rcond=None)
        if found[1] <= 0:
            overhead, pace = float(one.sum() / (one**2).sum()), 0.0
        elif found[0] > 0:
            overhead, pace = float(found[0]), float(found[1])
    return Fit(method, overhead, 1 / pace if pace > 0 else math.inf)


def _beyond(
    cost: Cost, method: str, points: Sequence[Point], until: float, memory: int
) -> str | None:
    """Why a method is not measured at a length, in words; None if it is."""
    spread = replace(cost, kv_heads=cost.heads, layers=1, dtype="float32")
    needed = 2 * spread.kv_cache_bytes + (spread.naive_bytes if method == "naive" else 0)
    if needed > memory:
        return f"needs {in_units(needed, 'B')} of memory"
    left = until - time.perf_counter()
    if left <= 0:
        return "no time left"
    last = next((point for point in reversed(points) if point.method == method), None)
    if last is not None:
        before = flops_of(method, cost.at(last.length))
        likely = last.seconds * flops_of(method, cost) / before
        if likely > left:
            return f"would take about {in_units(likely, 's')}"
    return None


def _shortest(run: Callable[[], object]) -> float:
    """Seconds of the shortest of a few runs; of one, where that takes long."""
    found: list[float] = []
    while len(found) < _REPEATS and sum(found) < _ENOUGH:
        start = time.perf_counter()
        run()
        found.append(time.perf_counter() - start)
    return min(found)
