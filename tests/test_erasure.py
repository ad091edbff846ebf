"""What the answer loses without what a map marks, and curves of erasing and putting back."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

import attn_widget as aw
from attn_widget import evidence
from attn_widget.evidence.models import Mask

Numbers = NDArray[np.float64]

LINEAR = np.array([4.0, 2.0, 1.0, 0.0])


def linear(keep: Mask) -> float:
    return float((LINEAR * keep).sum() / LINEAR.sum())


@st.composite
def linear_models(draw: st.DrawFn) -> Numbers:
    size = draw(st.integers(1, 30))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    values: Numbers = random.exponential(size=size)
    shares: Numbers = values / values.sum()
    return shares


class TestSums:
    def test_golden(self) -> None:
        assert evidence.aopc(0.8, [0.8, 0.7, 0.6, 0.4, 0.3]) == pytest.approx(0.24)
        assert evidence.auc([1, 0.8, 0.3, 0.1, 0]) == pytest.approx(0.425)

    def test_refusals(self) -> None:
        with pytest.raises(ValueError, match=r"got shape \(0,\)"):
            evidence.aopc(1, [])
        with pytest.raises(ValueError, match="two points or more"):
            evidence.auc([1])


class TestErasure:
    def test_by_hand(self) -> None:
        # 10 keys: shares of .01, .05 and .1 are one key, .2 two and .5 five.
        values = np.arange(10, 0, -1) / 55
        found = evidence.comprehensiveness(values, lambda keep: (values * keep).sum())
        lost = np.array([10, 10, 10, 19, 40]) / 55
        assert found.counts.tolist() == [1, 1, 1, 2, 5]
        assert found.full - found.answers == pytest.approx(lost)
        assert found.value == pytest.approx(lost.mean())
        left = evidence.sufficiency(values, lambda keep: (values * keep).sum())
        assert left.value == pytest.approx(1 - lost.mean())

    @given(linear_models(), st.integers(0, 5))
    def test_bounds(self, values: Numbers, seed: int) -> None:
        def model(keep: Mask) -> float:
            return float((values * keep).sum())

        comprehensive = evidence.comprehensiveness(values, model, seed=seed)
        sufficient = evidence.sufficiency(values, model, seed=seed)
        for found in (comprehensive, sufficient):
            assert -1e-12 <= found.value <= 1 + 1e-12
            assert found.full == pytest.approx(1)
        # The true order is the best of a model that adds up.
        assert (comprehensive.random <= comprehensive.value + 1e-9).all()
        assert (sufficient.random >= sufficient.value - 1e-9).all()

    def test_beside_random_orders(self) -> None:
        values = np.linspace(1, 0, 20) ** 3
        found = evidence.comprehensiveness(values, lambda keep: float((values * keep).sum()))
        assert found.as_good == pytest.approx(1 / 21)
        assert found.leaning == "for"
        worst = evidence.comprehensiveness(-values, lambda keep: float((values * keep).sum()))
        assert worst.leaning == "against"
        assert evidence.sufficiency(-values, lambda keep: float((values * keep).sum())).leaning == (
            "against"
        )

    def test_without_random_orders_there_is_no_leaning(self) -> None:
        found = evidence.comprehensiveness(LINEAR, linear, orders=0)
        assert found.leaning == "neither"
        assert found.compared_with == "no random orders"

    def test_the_likeliest_class_is_followed(self) -> None:
        def model(keep: Mask) -> Numbers:
            p = 0.2 * keep[0]
            return np.array([p, 1 - p])

        assert evidence.comprehensiveness(LINEAR, model).full == pytest.approx(0.8)
        other = evidence.comprehensiveness(LINEAR, model, target=0)
        assert other.full == pytest.approx(0.2)
        assert other.value == pytest.approx(0.2)

    def test_special_tokens_are_spared(self) -> None:
        map = aw.Attention([[0.6, 0.3, 0.1]], ["a"], ["[CLS]", "film", "good"])
        seen: list[list[bool]] = []

        def model(keep: Mask) -> float:
            seen.append(keep.tolist())
            return 0.5

        evidence.sufficiency(map, model, orders=0, shares=[0.5, 1.0])
        assert seen == [[True, True, True], [True, True, False], [True, True, True]]

    def test_a_row_of_a_map(self) -> None:
        map = aw.Attention([[0.9, 0.1], [0.2, 0.8]], ["a", "b"])
        first, last, mean = (
            evidence.comprehensiveness(
                map, lambda keep: float(keep[0]), shares=[0.5], orders=0, query=query
            ).value
            for query in (0, 1, None)
        )
        assert (first, last, mean) == (1, 0, 1)
        assert evidence.received(map) == pytest.approx([0.55, 0.45])

    def test_an_interrupt_keeps_the_orders_so_far(self) -> None:
        def stop(share: float) -> None:
            if share > 3.5 / 21:
                raise KeyboardInterrupt

        found = evidence.sufficiency(LINEAR, linear, progress=stop)
        assert found.random.size == 3
        assert found.sentence.endswith("(Stopped after 4 of 21.)")

    def test_refusals(self) -> None:
        with pytest.raises(ValueError, match=r"shares must be above 0 and at most 1; got \(0,\)"):
            evidence.comprehensiveness(LINEAR, linear, shares=[0])
        with pytest.raises(ValueError, match="orders must be 0 or more; got -1"):
            evidence.comprehensiveness(LINEAR, linear, orders=-1)
        with pytest.raises(ValueError, match="the model returned one number"):
            evidence.comprehensiveness(LINEAR, linear, target=1)
        with pytest.raises(ValueError, match="target must be a class 0 … 1; got 2"):
            evidence.comprehensiveness(LINEAR, lambda keep: [0.5, 0.5], target=2)
        with pytest.raises(ValueError, match="at least one key must be left"):
            evidence.comprehensiveness(LINEAR, linear, mask=np.zeros(4, dtype=bool))
        with pytest.raises(ValueError, match="query chooses a row of an Attention"):
            evidence.comprehensiveness(LINEAR, linear, query=0)
        with pytest.raises(ValueError, match="always return the same shape"):
            evidence.comprehensiveness(LINEAR, lambda keep: 0.5 if keep.all() else [0.5, 0.5])


class TestCurves:
    def test_golden(self) -> None:
        most = evidence.deletion(LINEAR, linear)
        least = evidence.deletion(LINEAR, linear, order="least")
        assert most.answers == pytest.approx([1.0, 3 / 7, 1 / 7, 0.0, 0.0])
        assert most.value == pytest.approx(0.26785714285714285)
        assert least.value == pytest.approx(0.7321428571428571)
        assert most.value == pytest.approx(evidence.auc(most.answers))

    @given(linear_models(), st.integers(1, 40))
    def test_both_orders_sum_to_one_for_a_model_that_adds_up(
        self, values: Numbers, points: int
    ) -> None:
        def model(keep: Mask) -> float:
            return float((values * keep).sum())

        most = evidence.deletion(values, model, points=points, orders=0)
        least = evidence.deletion(values, model, order="least", points=points, orders=0)
        back = evidence.insertion(values, model, points=points, orders=0)
        if len(values) % (len(most.shares) - 1) == 0:
            assert most.value + least.value == pytest.approx(1)
        assert most.value + back.value == pytest.approx(1)
        assert most.value <= 0.5 + 1e-9

    def test_random_orders_stand_beside(self) -> None:
        values = np.linspace(1, 0, 12) ** 3 / 3
        model = lambda keep: float((values * keep).sum())  # noqa: E731
        assert evidence.deletion(values, model).leaning == "for"
        assert evidence.insertion(values, model).leaning == "for"
        assert evidence.deletion(values, model, order="least").leaning == "for"
        assert evidence.deletion(-values, model).leaning == "against"
        assert evidence.insertion(-values, model).leaning == "against"
        found = evidence.insertion(values, model)
        assert found.random.shape == (20, 13)
        assert f"{np.median(found.random_auc):.3f}" in found.compared_with

    def test_long_inputs_take_few_steps(self) -> None:
        calls = 0

        def model(keep: Mask) -> float:
            nonlocal calls
            calls += 1
            return float(keep.mean())

        found = evidence.deletion(np.arange(1000.0), model, orders=0)
        assert len(found.shares) == 21
        assert calls == 22
        assert found.value == pytest.approx(0.5)

    def test_refusals(self) -> None:
        with pytest.raises(ValueError, match='order must be "most" or "least"'):
            evidence.deletion(LINEAR, linear, order="first")  # type: ignore[arg-type]
        with pytest.raises(ValueError, match="points must be 1 or more; got 0"):
            evidence.insertion(LINEAR, linear, points=0)
