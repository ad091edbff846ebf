"""Other weights, the same answer? Shuffled, even and counterfactual weights."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import permutations
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import attn_widget as aw
from attn_widget import evidence
from attn_widget.evidence import corners
from attn_widget.evidence.divergence import answer
from attn_widget.evidence.models import rows_of
from attn_widget.evidence.replacement import even, shuffled

Numbers = NDArray[np.float64]

VALUES = np.array([2.0, -1.0, 0.5])
WEIGHTS = np.array([0.7, 0.2, 0.1])


def sigmoid(logit: Any) -> Any:
    return 1 / (1 + np.exp(-logit))


def classifier(weights: Numbers) -> Any:
    """The model of the golden numbers: a logistic readout of one row."""
    return sigmoid(weights @ VALUES)


@st.composite
def rows_and_readouts(draw: st.DrawFn) -> tuple[Numbers, Numbers]:
    keys, dims = draw(st.integers(1, 9)), draw(st.integers(1, 3))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    weights = random.dirichlet(np.full(keys, draw(st.sampled_from((0.1, 1.0, 10.0)))))
    return weights, random.normal(size=(keys, dims)) * draw(st.sampled_from((1e-3, 1.0, 1e3)))


class TestDivergence:
    def test_golden(self) -> None:
        assert evidence.tvd([0.9, 0.1], [0.6, 0.4]) == pytest.approx(0.3)
        assert evidence.jsd([1, 0], [0, 1]) == pytest.approx(math.log(2))
        assert evidence.jsd([0.7, 0.2, 0.1], [0.1, 0.2, 0.7]) == pytest.approx(0.25310161544280674)

    @given(st.integers(0, 2**32 - 1), st.integers(1, 12))
    def test_is_symmetric_within_bounds_and_the_square_of_a_metric(
        self, seed: int, keys: int
    ) -> None:
        random = np.random.default_rng(seed)
        a, b, c = random.dirichlet(np.full(keys, 0.3), size=3)
        forth, back = evidence.jsd(a, b), evidence.jsd(b, a)
        assert forth == pytest.approx(float(back))
        assert 0 <= forth <= math.log(2) + 1e-12
        root = np.sqrt([forth, evidence.jsd(b, c), evidence.jsd(a, c)])
        assert root[2] <= root[0] + root[1] + 1e-7

    @given(st.integers(0, 2**32 - 1))
    def test_agrees_with_scipy(self, seed: int) -> None:
        distance = pytest.importorskip("scipy.spatial.distance")
        a, b = np.random.default_rng(seed).dirichlet(np.full(6, 0.5), size=2)
        assert evidence.jsd(a, b) == pytest.approx(distance.jensenshannon(a, b) ** 2, abs=1e-9)

    def test_rows_are_compared_by_their_shares(self) -> None:
        partial, whole = np.array([[0.2, 0.2], [0, 0]]), np.array([[0.5, 0.5], [1, 0]])
        assert evidence.jsd(partial, whole) == pytest.approx([0, math.nan], nan_ok=True)

    def test_refusals(self) -> None:
        with pytest.raises(ValueError, match=r"same shape .* got \(2,\) and \(3,\)"):
            evidence.tvd([1, 0], [1, 0, 0])
        with pytest.raises(ValueError, match="negative"):
            evidence.jsd([1, -1], [1, 0])


class TestAnswers:
    def test_of_one_number_and_of_classes(self) -> None:
        assert answer([[0.25]]).shape == ()
        assert answer([[0.25, 0.75]]).tolist() == [0.25, 0.75]

    def test_of_tensors(self) -> None:
        torch = pytest.importorskip("torch")
        probabilities = torch.tensor([[0.5, 0.5]], dtype=torch.bfloat16, requires_grad=True)
        assert answer(probabilities).tolist() == [0.5, 0.5]

    @pytest.mark.parametrize(
        ("value", "message"),
        [
            ([0.4, 0.4], r"sum to 1 .*got 2 that sum to 0\.8"),
            ([1.5, -0.5], "probabilities"),
            ([[0.5, 0.5], [0.5, 0.5]], r"array of shape \(2, 2\)"),
            (math.nan, "finite"),
            ([], "finite"),
        ],
    )
    def test_refusals(self, value: object, message: str) -> None:
        with pytest.raises(ValueError, match=message):
            answer(value)


class TestPermutation:
    def test_golden_exhaustive(self) -> None:
        found = evidence.permutation(WEIGHTS, classifier)
        assert found.exhaustive
        assert found.n == 6
        assert found.value == pytest.approx(0.1554858403792766)
        assert found.changes.max() == pytest.approx(0.3759875212871431)
        assert found.largest_weight == pytest.approx(0.7)
        assert found.leaning == "for"
        assert "0.155 (median of all 6 orders; at most 0.376)" in found.sentence

    @given(st.integers(0, 2**32 - 1), st.integers(1, 8), st.booleans())
    def test_constant_values_change_nothing(self, seed: int, keys: int, rowwise: bool) -> None:
        random = np.random.default_rng(seed)
        shape = (2, 3, keys) if rowwise else (keys,)
        weights = random.dirichlet(np.ones(keys), size=shape[:-1])
        found = evidence.permutation(weights, lambda w: sigmoid((w @ np.full(keys, 3.0)).sum()))
        assert found.changes == pytest.approx(0, abs=1e-12)
        assert found.leaning == "against"

    @given(st.integers(0, 2**32 - 1))
    def test_shuffled_rows_hold_the_same_weights_and_masked_ones_stay(self, seed: int) -> None:
        random = np.random.default_rng(seed)
        weights = random.random((2, 4, 6)) * (random.random((2, 4, 6)) < 0.6)
        rows = rows_of(weights)
        moved = shuffled(rows, random)
        assert np.sort(moved, axis=-1) == pytest.approx(np.sort(weights, axis=-1))
        assert ((moved > 0) == (weights > 0)).all()

    def test_every_order_of_a_row_is_as_likely(self) -> None:
        rows = rows_of(np.array([[1.0, 2.0, 3.0]]))
        random = np.random.default_rng(0)
        drawn = [tuple(shuffled(rows, random)[0]) for _ in range(3000)]
        counts = [drawn.count(order) for order in permutations((1.0, 2.0, 3.0))]
        assert min(counts) > 420
        assert max(counts) < 580

    def test_a_causal_map_stays_causal(self, rows: Callable[..., Any]) -> None:
        weights = np.tril(rows(2, 5, 5))
        seen: list[Numbers] = []

        def model(weights: Numbers) -> float:
            seen.append(weights)
            return 0.5

        evidence.permutation(aw.Attention(weights), model, n=7)
        assert len(seen) == 8
        assert all(each.shape == (1, 2, 5, 5) for each in seen)
        assert all((np.triu(each, 1) == 0).all() for each in seen)
        assert any((each != seen[0]).any() for each in seen)

    def test_a_mask_lets_weights_of_0_move(self) -> None:
        weights = np.array([1.0, 0.0, 0.0])
        assert evidence.permutation(weights, classifier).value == 0
        free = evidence.permutation(weights, classifier, mask=np.ones(3, dtype=bool))
        assert free.changes.max() == pytest.approx(sigmoid(2) - sigmoid(-1))

    def test_is_the_same_for_the_same_seed(self, rows: Callable[..., Any]) -> None:
        weights = rows(9)
        model = lambda w: sigmoid(w @ np.arange(9))  # noqa: E731
        first, second, other = (
            evidence.permutation(weights, model, n=20, seed=seed).changes for seed in (1, 1, 2)
        )
        assert (first == second).all()
        assert (first != other).any()

    @pytest.mark.parametrize(
        ("weights", "options", "message"),
        [
            (np.array([0.5, -0.5]), {}, "finite and 0 or more"),
            (np.array([0.5, np.nan]), {}, "finite and 0 or more"),
            (np.zeros((0,)), {}, r"got shape \(0,\)"),
            (np.ones((1, 1, 1, 1, 2)), {}, "leading axes optional"),
            (np.ones(2), {"mask": [1, 0]}, "boolean"),
            (np.ones(2), {"n": 0}, "n must be 1 or more; got 0"),
            (aw.Attention([[0.5, 0.5]], kind="score"), {}, "kind 'score'"),
        ],
    )
    def test_refusals(self, weights: object, options: dict[str, Any], message: str) -> None:
        with pytest.raises(ValueError, match=message):
            evidence.permutation(weights, lambda w: 0.5, **options)


class TestUniform:
    def test_golden(self) -> None:
        found = evidence.uniform(WEIGHTS, classifier)
        assert found.value == pytest.approx(0.15484052997283648)
        assert found.leaning == "for"

    def test_rows_keep_their_sum_and_their_mask(self) -> None:
        weights = np.array([[0.5, 0.0, 0.3], [0.0, 0.0, 0.0]])
        assert even(rows_of(weights)) == pytest.approx(np.array([[0.4, 0, 0.4], [0, 0, 0]]))

    def test_of_classes_is_the_total_variation(self) -> None:
        def classes(weights: Numbers) -> Numbers:
            p = classifier(weights)
            return np.array([p, 1 - p])

        assert evidence.uniform(WEIGHTS, classes).value == pytest.approx(
            evidence.uniform(WEIGHTS, classifier).value
        )


class TestClosedForm:
    def test_golden(self) -> None:
        found = evidence.counterfactual(WEIGHTS, classifier, readout=VALUES)
        assert found.weights == pytest.approx([0.5, 0.0, 0.5])
        assert found.change == pytest.approx(0, abs=1e-15)
        assert found.moved == pytest.approx(0.4)
        assert found.value == pytest.approx(0.15046285830513845)
        assert found.closed_form
        assert found.farthest
        assert "the most there can be" in found.sentence

    @given(rows_and_readouts())
    def test_leaves_the_answer_and_stays_a_distribution(
        self, pair: tuple[Numbers, Numbers]
    ) -> None:
        weights, readout = pair
        found = evidence.counterfactual(weights, readout=readout)
        assert (found.weights >= 0).all()
        assert found.weights.sum() == pytest.approx(1)
        scale = np.abs(readout).max()
        assert found.weights @ readout == pytest.approx(weights @ readout, abs=1e-9 * scale)
        assert found.change <= 1e-9 * scale
        assert 0 <= found.value <= math.log(2) + 1e-12

    @given(rows_and_readouts())
    def test_others_exist_iff_there_are_more_keys_than_the_rank(
        self, pair: tuple[Numbers, Numbers]
    ) -> None:
        weights, readout = pair
        keys = len(weights)
        rank = np.linalg.matrix_rank(np.column_stack([np.ones(keys), readout / readout.max()]))
        moved = evidence.counterfactual(weights, readout=readout, mask=np.ones(keys, dtype=bool))
        if keys <= rank:
            assert moved.moved == 0
            assert "determines them" in moved.sentence
        elif weights.min() > 1e-6:
            assert moved.moved > 1e-9

    @settings(max_examples=40)
    @given(st.integers(0, 2**32 - 1), st.integers(1, 3))
    def test_nothing_in_the_null_space_is_farther(self, seed: int, dims: int) -> None:
        random = np.random.default_rng(seed)
        weights, readout = random.dirichlet(np.ones(7)), random.normal(size=(7, dims))
        found = evidence.counterfactual(weights, readout=readout)
        fixed = np.column_stack([np.ones(7), readout]).T
        null = np.linalg.svd(fixed)[2][len(fixed) :]
        for way in random.normal(size=(100, len(null))) @ null:
            limit = (weights[way < 0] / -way[way < 0]).min()
            other = np.maximum(weights + limit * way, 0)
            assert evidence.jsd(other, weights) <= found.value + 1e-9

    def test_walks_find_corners_where_there_are_too_many(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        random = np.random.default_rng(3)
        weights, readout = random.dirichlet(np.ones(12)), random.normal(size=(12, 2))
        best = evidence.counterfactual(weights, readout=readout)
        monkeypatch.setattr(corners, "MOST_CORNERS", 1)
        walked = evidence.counterfactual(weights, readout=readout)
        assert best.farthest
        assert not walked.farthest
        assert (walked.weights > 0).sum() <= 3
        assert walked.change < 1e-12
        assert 0.95 * best.value <= walked.value <= best.value + 1e-12

    def test_masked_keys_stay_without_weight(self) -> None:
        weights = np.array([0.4, 0.0, 0.3, 0.3])
        readout = np.array([1.0, 2.0, 0.0, 3.0])
        assert evidence.counterfactual(weights, readout=readout).weights[1] == 0

    def test_is_a_map_with_the_same_labels(self) -> None:
        map = aw.Attention(WEIGHTS[None], ["answer"], ["not", "a", "film"])
        found = evidence.counterfactual(map, readout=VALUES)
        assert found.attention.keys.labels == ("not", "a", "film")
        assert found.attention[0, 0, 0] == pytest.approx([0.5, 0, 0.5], abs=1e-6)
        assert list(found.columns()["key"]) == ["not", "a", "film"]

    def test_refusals(self) -> None:
        with pytest.raises(ValueError, match="needs a model to call, or readout="):
            evidence.counterfactual(WEIGHTS)
        with pytest.raises(ValueError, match=r"shape \(3,\) or \(3, D\); got \(2,\)"):
            evidence.counterfactual(WEIGHTS, readout=[1, 2])
        with pytest.raises(ValueError, match="a readout is of one row; select it first"):
            evidence.counterfactual(np.ones((2, 3)), readout=VALUES)
        with pytest.raises(ValueError, match="epsilon must be 0 or more; got -1"):
            evidence.counterfactual(WEIGHTS, classifier, epsilon=-1)


class TestSearch:
    def test_comes_as_far_as_the_closed_form_on_a_linear_readout(self) -> None:
        random = np.random.default_rng(0)
        weights, readout = random.dirichlet(np.ones(10)), random.normal(size=10)
        exact = evidence.counterfactual(weights, readout=readout)
        found = evidence.counterfactual(weights, lambda w: sigmoid(w @ readout))
        assert found.value >= 0.98 * exact.value
        assert found.change <= 0.01
        assert not found.closed_form

    @settings(max_examples=15)
    @given(st.integers(0, 2**32 - 1))
    def test_keeps_to_the_margin_whatever_the_model(self, seed: int) -> None:
        random = np.random.default_rng(seed)
        values, mix = random.normal(size=(6, 3)), random.normal(size=(3, 2))

        def model(weights: Numbers) -> Numbers:
            odds = np.exp(np.tanh(weights @ values) @ mix * 3)
            return np.asarray(odds / odds.sum())

        weights = random.dirichlet(np.ones(6))
        found = evidence.counterfactual(weights, model, epsilon=0.02, n=6)
        assert found.change <= 0.02
        assert evidence.tvd(model(found.weights), model(weights)) == pytest.approx(found.change)
        assert found.weights.sum() == pytest.approx(1)
        assert (found.weights >= 0).all()
        assert found.value > 0

    def test_follows_a_gradient_over_many_rows(self) -> None:
        random = np.random.default_rng(1)
        weights, values = random.dirichlet(np.ones(5), size=(2, 4)), random.normal(size=5)

        class Model:
            def __call__(self, weights: Numbers) -> Any:
                return sigmoid((weights @ values).mean())

            def gradient(self, weights: Numbers) -> Numbers:
                p = self(weights)
                return np.broadcast_to(p * (1 - p) * values / 8, weights.shape)

        led = evidence.counterfactual(weights, Model())
        alone = evidence.counterfactual(weights, Model().__call__)
        assert led.change <= 0.01
        assert alone.change <= 0.01
        assert led.value > alone.value > 0
        assert led.value > 0.3

    def test_a_gradient_must_fit(self) -> None:
        with pytest.raises(ValueError, match=r"gradient must return shape \(3,\)"):
            evidence.counterfactual(WEIGHTS, classifier, gradient=lambda w: np.ones(2))

    def test_finding_nothing_is_no_support(self) -> None:
        found = evidence.counterfactual(
            np.array([0.5, 0.5]), lambda w: 1e9 * w[0], epsilon=1e-9, n=3
        )
        assert found.value == pytest.approx(0, abs=1e-12)
        assert found.leaning == "neither"
        assert found.told.startswith("No other weights")


class TestStopping:
    def test_an_interrupt_keeps_what_is_done(self, rows: Callable[..., Any]) -> None:
        calls = 0

        def model(weights: Numbers) -> float:
            nonlocal calls
            calls += 1
            if calls == 39:
                raise KeyboardInterrupt
            return float(weights[0])

        found = evidence.permutation(rows(9), model)
        assert found.stopped
        assert (found.n, found.asked) == (37, 100)
        assert found.sentence.endswith("(Stopped after 37 of 100.)")

    def test_progress_is_told_and_may_stop(self, rows: Callable[..., Any]) -> None:
        told: list[float] = []

        def progress(share: float) -> None:
            told.append(share)
            if len(told) == 3:
                raise KeyboardInterrupt

        found = evidence.permutation(rows(9), lambda w: w[0], n=5, progress=progress)
        assert told == [0.2, 0.4, 0.6]
        assert found.n == 3

    def test_with_nothing_done_it_is_raised(self, rows: Callable[..., Any]) -> None:
        def model(weights: Numbers) -> float:
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            evidence.permutation(rows(9), model)

    def test_a_search_keeps_the_best_so_far(self) -> None:
        def stop(share: float) -> None:
            raise KeyboardInterrupt

        found = evidence.counterfactual(WEIGHTS, classifier, progress=stop)
        assert (found.n, found.asked) == (1, 20)
        assert found.value > 0.1
