"""Two groups of maps compared: exact tests, chance, differences that were put there."""

from __future__ import annotations

from itertools import combinations, product
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import attn_widget as aw
from attn_widget.evidence import GroupComparison, compare_groups

RANDOM = np.random.default_rng


def maps(
    count: int, seed: int = 0, shape: tuple[int, ...] = (1, 2, 3, 3), plus: float = 0.0
) -> list[aw.Attention]:
    """Return random maps; in the last head, the last key receives more from the first query."""
    weights = RANDOM(seed).dirichlet(np.ones(shape[-1]), (count, *shape[:-1]))
    weights[:, -1, -1, 0, -1] += plus
    return [aw.Attention(one, [*"abcdefgh"[: shape[-1]]]) for one in weights]


def values(group: list[aw.Attention]) -> NDArray[np.float64]:
    return np.stack([attention[...] for attention in group]).astype(np.float64)


class TestOracles:
    @pytest.mark.parametrize("sizes", [(3, 3), (2, 4)])
    def test_of_one_weight_is_that_of_scipy(self, sizes: tuple[int, int]) -> None:
        stats = pytest.importorskip("scipy.stats")
        one, two = maps(sizes[0], 1, (1, 1, 2, 2)), maps(sizes[1], 2, (1, 1, 2, 2))
        found = compare_groups({"one": one, "two": two})
        assert found.exact
        first, second = values(one), values(two)
        for q, k in product(range(2), range(2)):
            theirs = stats.permutation_test(
                (first[:, 0, 0, q, k], second[:, 0, 0, q, k]),
                lambda a, b: abs(a.mean() - b.mean()),
                alternative="greater",
            )
            assert found.p[0, 0, q, k] == pytest.approx(theirs.pvalue)

    def test_of_pairs_is_that_of_scipy(self) -> None:
        stats = pytest.importorskip("scipy.stats")
        one, two = maps(5, 1), maps(5, 2)
        found = compare_groups({"one": one, "two": two}, paired=True)
        assert (found.exact, found.permutations) == (True, 32)
        theirs = stats.permutation_test(
            (values(one), values(two)),
            lambda a, b, axis: np.abs((a - b).mean(axis=axis)),
            permutation_type="samples",
            alternative="greater",
            vectorized=True,
            axis=0,
        )
        np.testing.assert_allclose(found.p, theirs.pvalue)

    def test_drawn_labels_come_near_all(self) -> None:
        one, two = maps(6, 1, plus=0.1), maps(6, 2)
        every = compare_groups({"one": one, "two": two})
        drawn = compare_groups({"one": one, "two": two}, permutations=900)
        assert (every.exact, every.permutations) == (True, 924)
        assert (drawn.exact, drawn.permutations) == (False, 900)
        np.testing.assert_allclose(drawn.p, every.p, atol=0.06)
        np.testing.assert_allclose(drawn.p_adjusted, every.p_adjusted, atol=0.06)
        again = compare_groups({"one": one, "two": two}, permutations=900)
        np.testing.assert_array_equal(drawn.p, again.p)
        other = compare_groups({"one": one, "two": two}, permutations=900, seed=1)
        assert (drawn.p != other.p).any()

    @settings(max_examples=20)
    @given(st.integers(0, 10_000), st.booleans())
    def test_adjusted_is_that_of_the_largest(self, seed: int, paired: bool) -> None:
        one, two = maps(4, seed), maps(4, seed + 1, plus=0.5)
        found = compare_groups({"one": one, "two": two}, paired=paired)
        assert (found.p_adjusted >= found.p - 1e-12).all()
        # The clearer a weight differs, the less chance explains it.
        least = np.argmin(found.p_adjusted)
        assert found.p_adjusted.flat[least] <= found.p_adjusted.flat[np.argmin(found.p)] + 1e-12

    def test_adjusted_is_how_often_the_largest_is_as_large(self) -> None:
        one, two = maps(3, 5, plus=0.4), maps(3, 6)
        everyone = np.concatenate([values(one), values(two)]).reshape(6, -1)
        slack = np.median(everyone.std(axis=0))

        def statistic(labels: tuple[int, ...]) -> NDArray[np.float64]:
            first, second = everyone[list(labels)], np.delete(everyone, labels, axis=0)
            within = np.sqrt((first.var(axis=0, ddof=1) + second.var(axis=0, ddof=1)) / 2)
            gap = np.abs(first.mean(axis=0) - second.mean(axis=0))
            return np.asarray(gap / (within + slack))

        observed = statistic((0, 1, 2))
        largest = [statistic(labels).max() for labels in combinations(range(6), 3)]
        expected = [np.mean([most >= one * (1 - 1e-9) for most in largest]) for one in observed]
        found = compare_groups({"one": one, "two": two})
        np.testing.assert_allclose(found.p_adjusted.ravel(), expected)

    def test_effects_are_those_of_cohen(self) -> None:
        one, two = maps(4, 1), maps(5, 2)
        first, second = values(one), values(two)
        within = np.sqrt((3 * first.var(axis=0, ddof=1) + 4 * second.var(axis=0, ddof=1)) / 7)
        found = compare_groups({"one": one, "two": two})
        gap = first.mean(axis=0) - second.mean(axis=0)
        np.testing.assert_allclose(found.effect, gap / within, rtol=1e-6)
        np.testing.assert_allclose(found.difference[...], gap, atol=1e-6)
        gaps = first - second[:4]
        pairs = compare_groups({"one": one, "two": two[:4]}, paired=True)
        np.testing.assert_allclose(
            pairs.effect, gaps.mean(axis=0) / gaps.std(axis=0, ddof=1), rtol=1e-6
        )


class TestLaws:
    def test_chance_is_found_as_often_as_said(self) -> None:
        for paired in (False, True):
            found = [
                compare_groups({"a": maps(4, 2 * seed), "b": maps(4, 2 * seed + 1)}, paired=paired)
                for seed in range(150)
            ]
            smallest = np.array([one.p_adjusted.min() for one in found])
            alone = np.concatenate([one.p.ravel() for one in found])
            for level in (0.2, 0.5):
                assert np.mean(smallest <= level) <= level + 0.1
                assert np.mean(alone <= level) == pytest.approx(level, abs=0.1)

    @pytest.mark.parametrize("paired", [False, True])
    def test_a_difference_that_is_there_is_found(self, paired: bool) -> None:
        groups = {"more": maps(8, 1, plus=1.0), "less": maps(8, 2)}
        found = compare_groups(groups, paired=paired)
        assert found.p_adjusted[0, 1, 0, 2] < 0.05
        assert (found.p_adjusted < 0.05).sum() == 1
        cell = found.strongest(1)[0]
        assert cell[:4] == (0, 1, "a", "c")
        assert cell.first - cell.second == pytest.approx(found.difference[0, 1, 0, 2], abs=1e-6)
        assert cell.effect > 1
        assert found.head_p.shape == (1, 2)
        assert found.head_p[0, 1] == found.p_adjusted.min()

    @given(st.integers(0, 10_000), st.booleans())
    @settings(max_examples=20)
    def test_changed_groups_change_the_sign(self, seed: int, paired: bool) -> None:
        one, two = maps(3, seed), maps(3, seed + 1)
        found = compare_groups({"one": one, "two": two}, paired=paired)
        turned = compare_groups({"two": two, "one": one}, paired=paired)
        np.testing.assert_allclose(turned.effect, -found.effect, rtol=1e-6, atol=1e-9)
        np.testing.assert_allclose(turned.difference[...], -found.difference[...])
        np.testing.assert_allclose(turned.p, found.p)
        np.testing.assert_allclose(turned.p_adjusted, found.p_adjusted)

    def test_the_order_within_groups_does_not_matter(self) -> None:
        one, two = maps(3, 1), maps(4, 2)
        found = compare_groups({"one": one, "two": two})
        mixed = compare_groups({"one": one[::-1], "two": two[::-1]})
        np.testing.assert_allclose(mixed.p, found.p)
        np.testing.assert_allclose(mixed.effect, found.effect)

    def test_what_does_not_vary_tells_nothing(self) -> None:
        causal = [aw.Attention(np.tril(one[0, 0])) for one in maps(6)]
        found = compare_groups({"one": causal[:3], "two": causal[3:]})
        assert np.isnan(found.effect[0, 0, 0, 2])
        assert found.p[0, 0, 0, 2] == 1
        gone = np.where(np.eye(3) > 0, np.nan, causal[0][0, 0])
        found = compare_groups({"one": [aw.Attention(gone), *causal[1:3]], "two": causal[3:]})
        assert np.isnan(found.p[0, 0, 1, 1])
        assert np.isfinite(found.p[0, 0, 1, 0])
        assert np.isfinite(found.head_p).all()


class TestRoles:
    def test_weight_is_summed_over_keys_and_averaged_over_queries(self) -> None:
        one, two = maps(2, 1), maps(2, 2)
        roles = {"whole": [0, 1], "end": -1}
        found = compare_groups({"one": one, "two": two}, roles=roles)
        first = values(one).mean(axis=0)
        assert found.first[0, 0, 0, 0] == pytest.approx(first[0, 0, :2, :2].sum() / 2)
        assert found.first[0, 1, 1, 0] == pytest.approx(first[0, 1, 2, :2].sum())
        assert found.first[0, 1, 0, 1] == pytest.approx(first[0, 1, :2, 2].mean())
        assert found.difference.queries.labels == ("whole", "end")
        assert found.difference.kind == "difference"

    def test_inputs_of_different_length_are_compared_by_roles(self) -> None:
        short, long = maps(2, 1), maps(2, 2, (1, 2, 5, 5))
        roles = {
            "short": [{"he": 1, "doctor": 0}, {"doctor": 2, "he": 0}],
            "long": [{"he": 4, "doctor": [1, 2]}] * 2,
        }
        found = compare_groups({"short": short, "long": long}, roles=roles)
        assert found.effect.shape == (1, 2, 2, 2)
        expected = (short[0][0, 0, 1, 0] + short[1][0, 0, 0, 2]) / 2
        assert found.first[0, 0, 0, 1] == pytest.approx(expected)
        assert found.second[0, 0, 0, 1] == pytest.approx(
            np.mean([one[0, 0, 4, 1:3].sum() for one in long])
        )

    def test_keys_can_play_other_roles(self) -> None:
        one, two = maps(2, 1), maps(2, 2)
        found = compare_groups(
            {"one": one, "two": two}, roles={"asking": 0}, key_roles={"a": 0, "rest": [1, 2]}
        )
        assert found.effect.shape == (1, 2, 1, 2)
        assert found.difference.keys.labels == ("a", "rest")

    def test_labels_say_what_differs(self) -> None:
        one = [aw.Attention(attention[...], ["[CLS]", "she", "ran"]) for attention in maps(2)]
        two = [
            aw.Attention(attention[...], ["[CLS]", word, "ran"])
            for attention, word in zip(maps(2, 1), ("he", "it"), strict=True)
        ]
        axis = compare_groups({"one": one, "two": two}).difference.queries
        assert axis.labels == ("[CLS]", "she / he …", "ran")
        assert axis.special == (0,)


class TestRecord:
    def record(self) -> GroupComparison:
        return compare_groups({"she": maps(5, 1, plus=1.0), "he": maps(4, 2)})

    def test_frame(self) -> None:
        pytest.importorskip("pandas")
        found = self.record()
        frame = found.to_frame().set_index(["layer", "head", "query", "key"])
        assert len(frame) == 18
        row = frame.loc[(0, 1, 0, 2)]
        assert row["query_label"] == "a"
        assert row["p_adjusted"] == found.p_adjusted[0, 1, 0, 2]
        assert row["difference"] == pytest.approx(row["first"] - row["second"])

    def test_repr(self) -> None:
        told = repr(self.record()).splitlines()
        assert told[0].startswith(
            "GroupComparison(she (5) − he (4): 1 layers × 2 heads × 3 queries"
        )
        assert told[0].endswith("all 126 permutations)")
        assert told[1] == "1 of 18 weights differ (adjusted p < 0.05)"
        assert told[2].startswith("  layer 0, head 1, a → c: ")
        assert len(told) == 7

    def test_progress(self) -> None:
        shares: list[float] = []
        compare_groups({"a": maps(8, 1), "b": maps(8, 2)}, progress=shares.append)
        assert shares == sorted(shares)


@pytest.mark.parametrize(
    ("groups", "options", "error", "message"),
    [
        ({"a": 2}, {}, ValueError, "groups must be two names, each with its maps"),
        ({"a": 2, "b": 1}, {}, ValueError, "b must have at least 2 maps to tell chance by; got 1"),
        ({"a": 2, "b": 3}, {"paired": True}, ValueError, "pairs need as many maps in each group"),
        ({"a": 2, "b": 2}, {"permutations": 0}, ValueError, "permutations must be at least 1"),
        ({"a": 2, "b": 2}, {"roles": [0, 1]}, TypeError, "roles must map names to positions"),
        ({"a": 2, "b": 2}, {"roles": {"x": 3}}, IndexError, "role 'x' stands at 3, out of range"),
        ({"a": 2, "b": 2}, {"roles": {"x": []}}, ValueError, "role 'x' must stand at one position"),
        ({"a": 2, "b": 2}, {"roles": {"x": "1"}}, TypeError, "must be a position or several"),
        (
            {"a": 2, "b": 2},
            {"roles": {"a": [{"x": 1}] * 2, "c": [{"x": 1}] * 2}},
            ValueError,
            "roles must be given for a, b; got a, c",
        ),
        (
            {"a": 2, "b": 2},
            {"roles": {"a": [{"x": 1}], "b": [{"x": 1}] * 2}},
            ValueError,
            "a has 2 maps but roles for 1",
        ),
        (
            {"a": 2, "b": 2},
            {"roles": {"a": [{"x": 1}] * 2, "b": [{"y": 1}] * 2}},
            ValueError,
            "all maps must have the roles x; got",
        ),
    ],
)
def test_what_does_not_fit_is_refused(
    groups: dict[str, int], options: dict[str, Any], error: type[Exception], message: str
) -> None:
    given = {name: maps(count, seed) for seed, (name, count) in enumerate(groups.items())}
    with pytest.raises(error, match=message):
        compare_groups(given, **options)


def test_maps_must_fit_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match=r"as many queries; got \[3, 4\] \(say which play"):
        compare_groups({"a": maps(2), "b": maps(2, shape=(1, 2, 4, 4))})
    with pytest.raises(ValueError, match=r"one number of layers and heads; got \[\(1, 2\), \(1, 3"):
        compare_groups({"a": maps(2), "b": maps(2, shape=(1, 3, 3, 3))})
    bare: Any = [np.eye(3)] * 2
    with pytest.raises(TypeError, match="a must hold maps; got ndarray"):
        compare_groups({"a": bare, "b": bare})
    monkeypatch.setattr("attn_widget.evidence.groups.MOST_NUMBERS", 71)
    with pytest.raises(ValueError, match=r"at most 71 weights .* got 72"):
        compare_groups({"a": maps(2), "b": maps(2)})
