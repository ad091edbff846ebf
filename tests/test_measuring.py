"""Measuring attention: what is timed computes the same, and nothing measured is lost."""

from __future__ import annotations

import builtins
import math
from typing import Any

import numpy as np
import pytest

import attn_widget as aw
from attn_widget.benches import METHODS, NumPyBench, bench_for, blocked, naive
from attn_widget.measuring import Measured, Point, fitted, flops_of

COST = aw.cost(64, heads=4, head_dim=8, kv_heads=2, layers=3, batch=2)


@pytest.fixture
def without_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let PyTorch be missing."""
    original = builtins.__import__

    def importing(name: str, *rest: Any, **options: Any) -> Any:
        if name == "torch":
            raise ImportError(name)
        return original(name, *rest, **options)

    monkeypatch.setattr(builtins, "__import__", importing)


class TestWhatIsTimed:
    @pytest.mark.parametrize("causal", [False, True])
    @pytest.mark.parametrize("block", [1, 5, 64])
    def test_blocks_and_the_whole_are_attention(self, causal: bool, block: int) -> None:
        rng = np.random.default_rng(0)
        query, key, value = rng.standard_normal((3, 2, 3, 12, 4)).astype(np.float32)
        expected = aw.scaled_dot_product_attention(query, key, value, causal=causal).output
        assert expected is not None
        for found in (
            naive(query, key, value, causal),
            blocked(query, key, value, causal, block),
        ):
            np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)

    @pytest.mark.parametrize("causal", [False, True])
    def test_of_pytorch(self, causal: bool) -> None:
        torch = pytest.importorskip("torch")
        bench = bench_for(aw.cost(1, heads=4, head_dim=8, kv_heads=2, causal=causal), None)
        assert bench.library == f"PyTorch {torch.__version__} on cpu"
        torch.manual_seed(0)
        slow = bench("naive", 33)()
        torch.manual_seed(0)
        assert bench("fused", 33)() == pytest.approx(slow, rel=1e-4)

    def test_a_slice_is_the_last_row_of_each_head(self) -> None:
        weights = NumPyBench(COST)("slice", 50)()
        assert weights.shape == (2, 4, 50)
        np.testing.assert_allclose(weights.sum(axis=-1), 1, rtol=1e-5)


class TestMeasure:
    @pytest.mark.parametrize("missing", [False, True])
    def test_points_of_all_methods(self, missing: bool, request: pytest.FixtureRequest) -> None:
        if missing:
            request.getfixturevalue("without_torch")
        told: list[str] = []
        found = COST.measure([32, 16], seconds=60, progress=told.append)
        places = [(point.length, point.method) for point in found.points]
        assert places == [(length, method) for length in (16, 32) for method in METHODS]
        assert all(point.seconds > 0 for point in found.points)
        assert len(told) == 6
        assert told[0].startswith("naive, 16 tokens: ")
        assert not found.stopped
        assert not found.skipped
        assert [fit.method for fit in found.fits] == [*METHODS]
        if missing:
            assert found.library == f"NumPy {np.__version__}"

    def test_interrupting_keeps_what_is_there(self) -> None:
        told: list[str] = []

        def progress(text: str) -> None:
            told.append(text)
            if len(told) == 2:
                raise KeyboardInterrupt

        found = COST.measure([16, 32], progress=progress)
        assert [point.method for point in found.points] == ["naive", "fused"]
        assert found.stopped
        assert "stopped before the end" in repr(found)

    def test_what_needs_too_much_memory_is_left_out(self) -> None:
        found = COST.measure([16, 32], memory=70_000, progress=None)
        assert [point.method for point in found.points if point.length == 32] == ["fused", "slice"]
        (skipped,) = found.skipped
        assert skipped.startswith("naive from 32 tokens on: needs ")
        assert f"left out: {skipped}" in repr(found)

    def test_what_takes_too_long_is_left_out(self) -> None:
        """A length whose FLOPs are beyond any budget isn't begun."""
        found = COST.measure([16, 1 << 24], seconds=30, memory=1 << 62, progress=None)
        assert {point.length for point in found.points} == {16}
        assert len(found.skipped) == 3
        assert all("would take about" in text for text in found.skipped)

    @pytest.mark.parametrize("options", [{"lengths": []}, {"lengths": [0]}, {"seconds": 0.0}])
    def test_what_is_refused(self, options: dict[str, Any]) -> None:
        with pytest.raises(ValueError, match="needs lengths, seconds and memory above 0"):
            COST.measure(**options)

    def test_windows_are_not_measured(self) -> None:
        with pytest.raises(ValueError, match="without a window; got 3"):
            aw.cost(8, heads=1, head_dim=1, window=3).measure()

    def test_a_device_needs_pytorch(self, without_torch: None) -> None:
        with pytest.raises(ImportError, match="pip install torch"):
            COST.measure(device="cuda")


class TestFit:
    def test_finds_overhead_and_rate(self) -> None:
        flops = [1e6, 4e6, 1e9]
        found = fitted("naive", flops, [2e-3 + one / 5e9 for one in flops])
        assert found.overhead == pytest.approx(2e-3)
        assert found.rate == pytest.approx(5e9)
        assert str(found) == "naive: 2.00 ms + FLOPs at 5.00 GFLOP/s"

    def test_neither_is_below_zero(self) -> None:
        faster = fitted("slice", [1e6, 2e6], [2.0, 1.0])
        assert math.isinf(faster.rate)
        assert 1 < faster.overhead < 2
        assert faster.seconds(1e12) == faster.overhead
        steeper = fitted("slice", [1e6, 2e6], [1.0, 4.0])
        assert steeper.overhead == 0
        assert fitted("slice", [1e6], [2.0]).rate == pytest.approx(5e5)

    def test_flops_of_methods(self) -> None:
        causal = aw.cost(10, heads=2, head_dim=4, layers=5, causal=True)
        assert flops_of("naive", causal) == 2 * 100 * (4 * 4 + 5)
        assert flops_of("fused", causal) == 2 * 55 * (4 * 4 + 5)
        assert flops_of("slice", causal) == 2 * 10 * (2 * 4 + 5)

    def test_frame_and_words(self) -> None:
        pytest.importorskip("pandas")
        points = tuple(Point("fused", n, flops_of("fused", COST.at(n)) / 1e9) for n in (100, 200))
        found = Measured(COST, points, "a library")
        frame = found.to_frame()
        assert [*frame["length"]] == [100, 200]
        np.testing.assert_allclose(frame["predicted"], frame["seconds"])
        assert repr(found).splitlines()[:2] == [
            "Measured: a library, one layer of 4 heads",
            "  fused: 0 s + FLOPs at 1.00 GFLOP/s",
        ]
