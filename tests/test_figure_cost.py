"""Charts of cost: what they mark, and what they leave alone."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import matplotlib as mpl
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

import attn_widget as aw
from attn_widget.figure.chart import spread_labels
from attn_widget.figure.palette import DARK
from attn_widget.measuring import Measured, Point

COST = aw.cost(512, heads=12, head_dim=64, layers=12)


def drawn(line: Line2D) -> Any:
    """Return (points, 2)."""
    return np.transpose([np.asarray(part, dtype=float) for part in line.get_data()])


def texts(ax: Axes) -> list[str]:
    return [text.get_text() for text in ax.texts]


def test_both_charts_over_length() -> None:
    flops, size = COST.plot().axes
    assert flops.get_title("left") == "FLOPs of one layer"
    assert size.get_title("left") == "Bytes of one layer"
    for ax in (flops, size):
        assert (ax.get_xscale(), ax.get_yscale()) == ("log", "log")
    assert texts(flops) == [
        "attention",
        "projections",
        "attention overtakes\nat 1,536 tokens",
        "512 tokens\n805 MFLOPs",
    ]
    assert texts(size) == ["scores and weights", "KV cache", "fused", "512 tokens\n12.6 MB"]


def test_curves_are_the_quantities_of_one_layer() -> None:
    flops, _ = COST.plot().axes
    attention, projections = flops.lines[:2]
    for line, name in ((attention, "attention_flops"), (projections, "projection_flops")):
        lengths, values = drawn(line).T
        expected = [getattr(COST.per_layer.at(int(length)), name) for length in lengths]
        np.testing.assert_array_equal(values, expected)


def test_marks_lie_where_the_curves_cross() -> None:
    flops, _ = COST.plot().axes
    crossing, own = (drawn(line).tolist() for line in flops.lines[2:])
    one = COST.per_layer
    assert crossing == [[1536, one.at(1536).projection_flops]]
    assert own == [[512, one.attention_flops]]


def test_no_crossover_no_mark() -> None:
    flops, _ = aw.cost(99, heads=2, head_dim=64, window=9, causal=True).plot().axes
    assert texts(flops)[:2] == ["attention", "projections"]
    assert texts(flops)[2].startswith("99 tokens")
    assert len(texts(flops)) == len(flops.lines) == 3


@pytest.mark.parametrize("length", [1, 5, 40_000, 3_000_000])
def test_marks_of_any_length_are_inside(length: int) -> None:
    for ax in COST.at(length).plot().axes:
        for line in ax.lines:
            lengths, values = drawn(line).T
            for part, (low, high) in ((lengths, ax.get_xlim()), (values, ax.get_ylim())):
                assert ((part >= low) & (part <= high)).all()


def test_into_axes_of_others_and_no_settings_touched() -> None:
    before = dict(mpl.rcParams)
    figure = Figure()
    left, right = figure.subplots(1, 2)
    assert COST.plot(left) is figure
    assert COST.plot(right, of="bytes", theme="dark") is figure
    assert left.get_title("left") == "FLOPs of one layer"
    assert right.get_title("left") == "Bytes of one layer"
    assert right.get_facecolor()[:3] == pytest.approx(DARK.surface)
    assert dict(mpl.rcParams) == before
    with pytest.raises(ValueError, match="of must be one of 'flops', 'bytes' or None; got 'time'"):
        COST.plot(of="time")


def test_measured_points_over_fitted_curves() -> None:
    points = [Point("naive", n, 1e-3 + n * n / 1e9) for n in (128, 256, 512)]
    points += [Point("slice", n, 2e-3) for n in (128, 1024)]
    measured = Measured(COST, tuple(points), "NumPy 2")
    (ax,) = measured.plot().axes
    assert ax.get_title("left") == "Seconds for one layer, NumPy 2"
    dots = [line for line in ax.lines if line.get_marker() == "o"]
    for line, method in zip(dots, ("naive", "slice"), strict=True):
        expected = np.array([(p.length, p.seconds) for p in points if p.method == method])
        np.testing.assert_allclose(drawn(line), expected)
    assert texts(ax)[0].startswith("naive\n1.00 ms +\n")
    (beyond,) = (drawn(line)[:, 0] for line in ax.lines if line.is_dashed())
    assert (beyond.min(), beyond.max()) == (512, 1024)


def test_nothing_measured_is_an_empty_chart() -> None:
    (ax,) = Measured(COST, (), "NumPy 2").plot().axes
    assert not ax.lines


@given(st.lists(st.tuples(st.floats(0, 200), st.floats(5, 40)), max_size=4))
def test_labels_keep_their_order_and_their_distance(labels: Sequence[tuple[float, float]]) -> None:
    wanted, sizes = [at for at, _ in labels], [size for _, size in labels]
    middles = spread_labels(wanted, sizes)
    order = sorted(range(len(labels)), key=lambda place: wanted[place])
    for below, above in pairwise(order):
        assert middles[above] - middles[below] >= (sizes[below] + sizes[above]) / 2 - 0.5
