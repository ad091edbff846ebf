"""How far orders agree, and agreement of attention with other measures."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

import attn_widget as aw
from attn_widget import evidence

Numbers = NDArray[np.float64]


@st.composite
def two_orders(draw: st.DrawFn) -> tuple[Numbers, Numbers]:
    size = draw(st.integers(1, 12))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    levels = draw(st.sampled_from((2, 5, 1000)))
    first, second = random.integers(0, levels, size=(2, size)).astype(float)
    return first, second


class TestKendall:
    def test_golden(self) -> None:
        assert evidence.kendall_tau([12, 2, 1, 12, 2], [1, 4, 7, 1, 0]) == pytest.approx(
            -0.4714045207910316
        )
        assert evidence.kendall_tau([1, 2, 3, 4], [1, 2, 4, 3]) == pytest.approx(0.666666666666667)

    @given(two_orders())
    def test_agrees_with_scipy(self, pair: tuple[Numbers, Numbers]) -> None:
        stats = pytest.importorskip("scipy.stats")
        if len(pair[0]) < 2:
            return
        ours, theirs = evidence.kendall_tau(*pair), stats.kendalltau(*pair).statistic
        assert ours == pytest.approx(theirs, nan_ok=True)

    def test_an_order_of_one_key_says_nothing(self) -> None:
        assert math.isnan(evidence.kendall_tau([1.0], [2.0]))


class TestSpearman:
    @given(two_orders())
    def test_agrees_with_scipy(self, pair: tuple[Numbers, Numbers]) -> None:
        stats = pytest.importorskip("scipy.stats")
        if min(len(np.unique(values)) for values in pair) < 2:
            assert math.isnan(evidence.spearman(*pair))
            return
        assert evidence.spearman(*pair) == pytest.approx(stats.spearmanr(*pair).statistic)

    def test_rows_are_alone(self) -> None:
        rows = np.array([[1.0, 2, 3], [3, 2, 1]])
        assert evidence.spearman(rows, rows[[0, 0]]) == pytest.approx([1, -1])


class TestTopK:
    def test_golden_as_published(self) -> None:
        assert evidence.top_k_distance([1, 2, 3, 4, 5], [5, 4, 3, 2, 1], 4) == pytest.approx(0.6)

    def test_as_defined(self) -> None:
        def fagin(first: list[int], second: list[int], k: int) -> float:
            return evidence.top_k_distance(first, second, k, counting="fagin")

        assert fagin([1, 2, 3, 4, 5], [5, 4, 3, 2, 1], 4) == pytest.approx(1)
        # Tops {a, b} and {c, d}: four pairs across contradict, two pairs are unknown at 1/2.
        assert fagin([4, 3, 1, 0], [0, 1, 3, 4], 2) == pytest.approx((4 + 1) / 6)
        # Tops {a, b} and {a, c}: only b and c contradict each other.
        assert fagin([3, 2, 1], [3, 1, 2], 2) == pytest.approx(1 / 3)

    @given(two_orders(), st.integers(1, 12), st.sampled_from(("published", "fagin")))
    def test_is_a_symmetric_distance(
        self, pair: tuple[Numbers, Numbers], k: int, counting: str
    ) -> None:
        options = {"counting": counting}
        distance = evidence.top_k_distance(*pair, k, **options)  # type: ignore[arg-type]
        back = evidence.top_k_distance(*pair[::-1], k, **options)  # type: ignore[arg-type]
        same = evidence.top_k_distance(pair[0], pair[0], k, **options)  # type: ignore[arg-type]
        assert distance == pytest.approx(back)
        assert 0 <= distance <= 1
        assert same == 0

    def test_refusals(self) -> None:
        with pytest.raises(ValueError, match="k must be 1 or more; got 0"):
            evidence.top_k_distance([1], [1], 0)
        with pytest.raises(ValueError, match="penalty must be 0 to 1; got 2"):
            evidence.top_k_distance([1], [1], 1, penalty=2)
        with pytest.raises(ValueError, match=r"same shape \(n,\)"):
            evidence.top_k_distance([1], [1, 2], 1)


class TestAgreement:
    WEIGHTS = np.array([0.5, 0.3, 0.15, 0.05])

    def test_stands_beside_how_far_the_others_agree(self) -> None:
        found = evidence.rank_agreement(
            self.WEIGHTS, gradients=[-4, 3, 1, 2], leave_one_out=[1, 2, 3, 4], k=2
        )
        assert found.pairs == (
            ("attention", "gradients"),
            ("attention", "leave-one-out"),
            ("gradients", "leave-one-out"),
        )
        assert found.tau == pytest.approx([2 / 3, -1, -2 / 3])
        assert found.leaning == "neither"
        assert "-0.67 between the other measures" in found.compared_with
        assert "0.67 with gradients and -1.00 with leave-one-out" in found.sentence

    def test_leave_one_out_is_measured(self) -> None:
        values = np.array([3.0, -1.0, 0.5, 2.0])
        changes = evidence.leave_one_out_changes(lambda keep: (values * keep).sum(), 4)
        assert changes == pytest.approx(np.abs(values))
        found = evidence.rank_agreement(
            np.abs(values) / 10, erased=lambda keep: (values * keep).sum()
        )
        assert found.value == pytest.approx(1)

    def test_special_tokens_are_left_out(self) -> None:
        map = aw.Attention([[0.6, 0.3, 0.1]], ["a"], ["[CLS]", "film", "good"])
        found = evidence.rank_agreement(map, gradients=[0, 1, 2])
        assert found.labels == ("film", "good")
        assert found.value == -1

    def test_what_orders_nothing_is_said(self) -> None:
        found = evidence.rank_agreement(self.WEIGHTS, gradients=np.ones(4))
        assert math.isnan(found.value)
        assert "orders nothing" in found.sentence

    def test_an_interrupt_leaves_no_order(self) -> None:
        def stop(share: float) -> None:
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            evidence.rank_agreement(self.WEIGHTS, erased=lambda keep: keep.mean(), progress=stop)

    def test_refusals(self) -> None:
        with pytest.raises(ValueError, match="needs another measure"):
            evidence.rank_agreement(self.WEIGHTS)
        with pytest.raises(ValueError, match=r"gradients must be finite.*got \(2,\)"):
            evidence.rank_agreement(self.WEIGHTS, gradients=[1, 2])
        with pytest.raises(ValueError, match=r"an Attention; got shape \(1, 4\)"):
            evidence.rank_agreement(self.WEIGHTS[None], gradients=[1, 2, 3, 4])
