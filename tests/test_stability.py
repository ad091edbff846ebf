"""Maps of other runs and of random models, and weight on what is known to decide."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import attn_widget as aw
from attn_widget import evidence
from attn_widget.evidence.comparison import compare


@pytest.fixture
def maps(rows: Callable[..., Any]) -> list[aw.Attention]:
    """Four maps of one shape that have nothing to do with each other."""
    return [aw.Attention(rows(2, 3, 6, 40, seed=seed)) for seed in range(4)]


class TestComparison:
    def test_a_map_is_like_itself(self, maps: list[aw.Attention]) -> None:
        assert compare(maps[0], maps[0]) == pytest.approx((0, 1, 1), abs=1e-12)

    def test_unrelated_maps_correlate_little(self, maps: list[aw.Attention]) -> None:
        alike = compare(maps[0], maps[1])
        assert abs(alike.correlation) < 0.1
        assert alike.same_top < 0.3
        assert 0.05 < alike.divergence < math.log(2)

    def test_keys_that_neither_sees_do_not_count(self, rows: Callable[..., Any]) -> None:
        first, second = (aw.Attention(np.tril(rows(1, 8, 8, seed=seed))) for seed in (0, 1))
        stats = pytest.importorskip("scipy.stats")
        expected = [
            stats.spearmanr(first[0, 0, q, : q + 1], second[0, 0, q, : q + 1]).statistic
            for q in range(1, 8)
        ]
        assert compare(first, second).correlation == pytest.approx(np.mean(expected))

    def test_rows_without_weight_say_nothing(self) -> None:
        empty = aw.Attention(np.zeros((2, 3)))
        assert compare(empty, empty) == pytest.approx((math.nan,) * 3, nan_ok=True)

    def test_refusals(self, maps: list[aw.Attention]) -> None:
        with pytest.raises(ValueError, match=r"same shape .*\(1, 3, 6, 40\) and \(2, 3, 6, 40\)"):
            compare(maps[0].select(layers=0), maps[0])

    def test_arrays_will_do(self) -> None:
        weights = np.array([[0.5, 0.3, 0.2]])
        assert evidence.stability(weights, [weights[:, ::-1]]).same_top.tolist() == [0]
        assert evidence.randomisation(weights, {"all": weights}).value == pytest.approx(1)
        assert evidence.weight_on_truth(weights[0], [(0, 1)]).value == pytest.approx(0.3)


class TestStability:
    def test_the_same_map(self, maps: list[aw.Attention]) -> None:
        found = evidence.stability(maps[0], [maps[0], maps[0]])
        assert found.value == pytest.approx(0, abs=1e-12)
        assert found.leaning == "for"
        assert "100% of rows keep their strongest key" in found.sentence

    def test_other_maps(self, maps: list[aw.Attention]) -> None:
        found = evidence.stability(maps[0], {"seed 1": maps[1], "seed 2": maps[2]})
        assert found.runs == ("seed 1", "seed 2")
        assert found.leaning == "against"
        for run, map in enumerate(maps[1:3]):
            every = evidence.jsd(np.asarray(maps[0]), np.asarray(map))
            assert found.divergences[run] == pytest.approx(every.mean())

    def test_runs_made_on_the_way_may_be_stopped(self, maps: list[aw.Attention]) -> None:
        closed, told = False, 0

        def runs() -> Iterator[aw.Attention]:
            nonlocal closed
            try:
                yield from maps[1:]
            finally:
                closed = True

        def stop(share: float) -> None:
            nonlocal told
            told += 1
            assert math.isnan(share)
            if told == 2:
                raise KeyboardInterrupt

        found = evidence.stability(maps[0], runs(), over="noisy inputs", progress=stop)
        assert found.n == 2
        assert closed
        assert "2 other noisy inputs" in found.sentence
        assert found.sentence.endswith("(Stopped after 2.)")

    def test_refusals(self, maps: list[aw.Attention]) -> None:
        with pytest.raises(ValueError, match="at least one map"):
            evidence.stability(maps[0], [])
        with pytest.raises(TypeError, match="must be several maps"):
            evidence.stability(maps[0], maps[1])  # type: ignore[arg-type]


class TestRandomisation:
    def test_golden(self, maps: list[aw.Attention]) -> None:
        same = evidence.randomisation(maps[0], {"head": maps[0]})
        assert same.value == pytest.approx(1)
        assert same.leaning == "against"
        other = evidence.randomisation(maps[0], [("head", maps[0]), ("body", maps[1])])
        assert other.value == pytest.approx(0, abs=0.1)
        assert other.leaning == "for"
        assert other.correlations[0] == pytest.approx(1)
        assert "2 steps down to body" in other.sentence

    def test_maps_in_no_order(self) -> None:
        flat = aw.Attention(np.full((2, 3), 1 / 3))
        found = evidence.randomisation(flat, {"all": flat})
        assert math.isnan(found.value)
        assert found.leaning == "neither"

    def test_refusals(self, maps: list[aw.Attention]) -> None:
        with pytest.raises(ValueError, match="at least one"):
            evidence.randomisation(maps[0], {})


class TestTruth:
    MAP = aw.Attention([[[0.5, 0.3, 0.2], [0.1, 0.1, 0.8]]] * 2, ["a", "b"], ["x", "y", "z"])

    def test_keys_that_decide(self) -> None:
        found = evidence.weight_on_truth(self.MAP, np.array([True, False, False]))
        assert found.shares == pytest.approx([0.5, 0.1])
        assert found.chances == pytest.approx([1 / 3, 1 / 3])
        assert found.hits.tolist() == [1, 0]
        assert found.value == pytest.approx(0.3)
        assert found.leaning == "against"

    def test_pairs(self) -> None:
        found = evidence.weight_on_truth(self.MAP, {(1, 2)})
        assert found.queries == (1,)
        assert found.value == pytest.approx(0.8)
        assert found.leaning == "for"
        table = np.zeros((2, 3), dtype=bool)
        table[1, 2] = True
        assert evidence.weight_on_truth(self.MAP, table).value == found.value
        assert evidence.weight_on_truth(self.MAP, [(1, 2)]).value == found.value

    @pytest.mark.parametrize("truth", [np.zeros(3, dtype=bool), set(), []])
    def test_nothing_true(self, truth: object) -> None:
        with pytest.raises(ValueError, match="mark at least one key"):
            evidence.weight_on_truth(self.MAP, truth)

    def test_refusals(self) -> None:
        with pytest.raises(IndexError, match=r"pair \(2, 0\)"):
            evidence.weight_on_truth(self.MAP, {(2, 0)})
        with pytest.raises(ValueError, match=r"got bool of shape \(2,\)"):
            evidence.weight_on_truth(self.MAP, np.ones(2, dtype=bool))
        with pytest.raises(ValueError, match="got int64"):
            evidence.weight_on_truth(self.MAP, np.ones(3, dtype=np.int64))
