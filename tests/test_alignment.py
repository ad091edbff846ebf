"""Links that heads draw, against people's and against nltk."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

import attn_widget as aw
from attn_widget.evidence import (
    alignment_error_rate,
    alignment_f1,
    alignment_precision,
    alignment_recall,
    extract_alignment,
)
from states import Make

GOLD = {(0, 0), (1, 2), (2, 1)}
LINKS = st.frozensets(st.tuples(st.integers(0, 3), st.integers(0, 3)), max_size=8)
WEIGHTS = arrays(
    np.float64,
    st.tuples(st.integers(1, 5), st.integers(1, 5)),
    elements=st.one_of(st.floats(0, 1), st.sampled_from([0.0, math.nan])),
)
CROSSED = np.array([[0.8, 0.1, 0.1], [0.1, 0.3, 0.6], [0.2, 0.5, 0.3]])


class TestScores:
    def test_known_values(self) -> None:
        found, sure = {(0, 0), (1, 1), (1, 2)}, {(0, 0), (0, 1), (2, 2)}
        assert alignment_error_rate(found, sure) == pytest.approx(2 / 3)
        assert alignment_error_rate(found, sure, {(1, 2)}) == pytest.approx(0.5)
        assert alignment_precision(found, sure, {(1, 2)}) == pytest.approx(2 / 3)
        assert alignment_recall(found, sure, {(1, 2)}) == pytest.approx(1 / 3)
        assert alignment_f1(found, sure, {(1, 2)}) == pytest.approx(0.444444, abs=1e-6)

    @given(LINKS, LINKS, LINKS)
    def test_are_those_of_nltk(self, found: Any, sure: Any, possible: Any) -> None:
        pytest.importorskip("nltk")
        from nltk.metrics import scores
        from nltk.translate.metrics import alignment_error_rate as theirs

        allowed = sure | possible
        if found or sure:
            expected = theirs(sure, found, allowed)
            assert alignment_error_rate(found, sure, possible) == pytest.approx(expected)
        if found and sure:
            precision = scores.precision(allowed, found)
            recall = scores.recall(sure, found)
            assert alignment_precision(found, sure, possible) == pytest.approx(precision)
            assert alignment_recall(found, sure) == pytest.approx(recall)
        if found and sure and not possible:
            expected = scores.f_measure(sure, found)
            assert alignment_f1(found, sure) == pytest.approx(expected or 0)

    @given(LINKS, LINKS)
    def test_are_shares(self, found: Any, sure: Any) -> None:
        for score in (alignment_error_rate, alignment_precision, alignment_recall, alignment_f1):
            value = score(found, sure)
            assert math.isnan(value) or 0 <= value <= 1

    def test_of_many_sentences_are_of_one_set(self) -> None:
        found = {(0, 1, 1), (1, 0, 0), (1, 1, 1)}
        assert alignment_error_rate(found, {(0, 1, 1), (1, 1, 1)}) == pytest.approx(0.2)

    def test_of_nothing_are_unknown(self) -> None:
        assert math.isnan(alignment_error_rate([], []))
        assert math.isnan(alignment_precision([], GOLD))
        assert math.isnan(alignment_recall(GOLD, []))
        assert math.isnan(alignment_f1([], GOLD))
        assert alignment_error_rate([], GOLD) == 1

    @pytest.mark.parametrize("bad", [[3], [(1,)], ["01"], [(1, 2, 3, 4)], [None], [(0.5, 1)]])
    def test_of_other_things_are_refused(self, bad: list[Any]) -> None:
        with pytest.raises(ValueError, match=r"links must be pairs \(query, key\) of ints; got"):
            alignment_error_rate(bad, GOLD)
        with pytest.raises(ValueError, match="possible must be pairs"):
            alignment_precision(GOLD, GOLD, bad)


class TestExtraction:
    def test_the_strongest_key(self) -> None:
        assert extract_alignment(CROSSED) == GOLD
        weights = np.stack([np.eye(3), CROSSED])[None]
        assert extract_alignment(weights, head=1) == GOLD
        assert extract_alignment(weights, head=None) == {(0, 0), (1, 1), (2, 2)}

    def test_both_sides(self) -> None:
        weights = np.array([[0.6, 0.4, 0], [0.5, 0.3, 0.2], [0, 0.1, 0.9]])
        assert extract_alignment(weights) == {(0, 0), (1, 0), (2, 2)}
        assert extract_alignment(weights, direction="attended_by") == {(0, 0), (0, 1), (2, 2)}
        assert extract_alignment(weights, direction="intersection") == {(0, 0), (2, 2)}
        union = {(0, 0), (1, 0), (0, 1), (2, 2)}
        assert extract_alignment(weights, direction="union") == union
        assert extract_alignment(weights, direction="grow_diag") == union

    def test_growing_leaves_out_what_is_far(self) -> None:
        weights = np.zeros((4, 5))
        weights[0, [0, 4]] = 0.9, 0.8
        weights[1, 2] = 0.4
        weights[[2, 3], 1] = 0.9, 0.5
        grown = extract_alignment(weights, direction="grow_diag")
        assert grown == {(0, 0), (1, 2), (2, 1), (3, 1)}
        assert extract_alignment(weights, direction="union") == grown | {(0, 4)}

    @given(WEIGHTS)
    def test_directions_mirror_each_other(self, weights: NDArray[np.float64]) -> None:
        turned = {(k, q) for q, k in extract_alignment(weights.T)}
        assert extract_alignment(weights, direction="attended_by") == turned

    @given(WEIGHTS)
    def test_growing_stays_between(self, weights: NDArray[np.float64]) -> None:
        both, either, grown = (
            extract_alignment(weights, direction=direction)
            for direction in ("intersection", "union", "grow_diag")
        )
        assert both <= grown <= either

    @given(WEIGHTS, st.floats(0, 1))
    def test_thresholds_are_shares_of_rows(
        self, weights: NDArray[np.float64], threshold: float
    ) -> None:
        size = np.nan_to_num(weights.astype(np.float32)).astype(np.float64)
        found = extract_alignment(weights, method="threshold", threshold=threshold)
        expected = {
            (q, k)
            for q in range(len(size))
            for k in range(size.shape[1])
            if size[q, k] > threshold * size[q].sum()
        }
        assert found == expected

    def test_special_positions_link_nothing(self) -> None:
        weights = np.array([[0.1, 0.2, 0.7], [0.2, 0.3, 0.5], [0.5, 0.4, 0.1]])
        attention = aw.Attention(weights, ["un", "deux", "</s>"], ["one", "two", "</s>"])
        assert extract_alignment(attention) == {(0, 1), (1, 1)}
        assert extract_alignment(attention, drop_queries=(), drop_keys=()) == {
            *((0, 2), (1, 2), (2, 0)),
        }
        assert extract_alignment(attention, drop_queries=[0], drop_keys=[-2]) == {(1, 2), (2, 0)}

    def test_rows_can_be_those_of_the_word_read(self) -> None:
        assert extract_alignment(CROSSED, shift=1) == {(0, 2), (1, 1)}
        assert extract_alignment(CROSSED, shift=-1) == {(1, 0), (2, 2)}
        assert extract_alignment(CROSSED, shift=9) == set()

    def test_rows_without_weight_link_nothing(self) -> None:
        assert extract_alignment(np.zeros((2, 2))) == set()
        assert extract_alignment(np.full((2, 2), np.nan)) == set()
        assert extract_alignment(np.zeros((0, 3), np.float32), direction="grow_diag") == set()

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"method": "softmax"}, "method must be one of argmax, threshold; got 'softmax'"),
            ({"direction": "both"}, "direction must be one of attends_to, .*; got 'both'"),
            ({"method": "threshold"}, "needs threshold, a share of 0 to 1; got None"),
            ({"threshold": 0.2}, 'goes with method="threshold"'),
            ({"drop_keys": "eos"}, "drop_keys must be positions or \"special\"; got 'eos'"),
        ],
    )
    def test_other_options_are_refused(self, options: dict[str, Any], message: str) -> None:
        with pytest.raises(ValueError, match=message):
            extract_alignment(CROSSED, **options)

    def test_positions_must_be_there(self) -> None:
        for options in ({"layer": 1}, {"head": 2}, {"drop_queries": [3]}):
            with pytest.raises(IndexError, match="out of range"):
                extract_alignment(CROSSED, **options)


class TestTranslator:
    def test_heads_differ_as_their_model_was_measured_to(self) -> None:
        rates = []
        for head in ((1, 0), (0, 0)):
            found: set[Any] = set()
            sure: set[Any] = set()
            possible: set[Any] = set()
            for index in range(4):
                links = extract_alignment(aw.samples.translation(index), *head)
                gold = aw.samples.translation_links
                found |= {(index, *link) for link in links}
                sure |= {(index, *link) for link in gold(index)}
                possible |= {(index, *link) for link in gold(index, possible=True)}
            rates.append(alignment_error_rate(found, sure, possible))
        assert rates[0] < 0.1
        assert rates[1] > 0.3

    def test_a_widget_takes_the_links_as_they_are(self, make: Make) -> None:
        attention = aw.samples.translation(3)
        widget = make(attention, layer=1, heads=[0])
        widget.links = extract_alignment(attention, 1, 0)
        assert set(widget.links) == aw.samples.translation_links(3)
        widget.links = aw.samples.translation_links(3, possible=True)
        assert (3, 4) in widget.links
