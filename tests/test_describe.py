"""Every head of a map in numbers: known values, the slow way, and maps too long to read whole."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

import attn_widget as aw
from attn_widget import evidence as e
from attn_widget.evidence import heads as heads_module
from attn_widget.evidence.record import STATISTICS
from brute import row_entropy
from counted import CountedArray

A1 = np.array([[0.6, 0.4, 0], [0.2, 0.5, 0.3], [0.1, 0.2, 0.7]])
CAUSAL = np.tril(np.ones((7, 7))) / np.arange(1, 8)[:, None]
TOKENS = ["a", "b", "c", "d", "b", "c", "d"]


def described(weights: Any, *labels: Any, **options: Any) -> dict[str, float]:
    """Describe one head, as plain numbers."""
    record = e.describe(aw.Attention(np.asarray(weights, dtype=np.float64), *labels), **options)
    assert record.shape[:2] == (1, 1)
    return {name: float(getattr(record, name)[0, 0]) for name in STATISTICS}


class TestKnownValues:
    def test_of_a_small_map(self) -> None:
        found = described(A1)
        assert found["entropy"] == pytest.approx(np.mean([0.673012, 1.029653, 0.801819]), abs=1e-6)
        assert found["relative_entropy"] == pytest.approx(found["entropy"] / math.log(3))
        assert found["confidence"] == pytest.approx(0.6)
        assert found["sink_score"] == pytest.approx(1.1 / 3)
        assert found["sink_position"] == 1
        assert found["diagonal"] == pytest.approx(1.8 / 3)
        assert found["vertical"] == pytest.approx(1.1 / 3)
        assert found["slash"] == pytest.approx(0.6)
        assert found["slash_offset"] == 0
        assert found["row_sum"] == pytest.approx(1)

    def test_of_causal_maps(self) -> None:
        found = described(CAUSAL)
        assert found["relative_entropy"] == pytest.approx(1)
        assert found["previous_token"] == pytest.approx(0.227551, abs=1e-6)
        assert found["next_token"] == 0
        four = described(CAUSAL[:4, :4])
        assert four["sink_score"] == pytest.approx(0.520833, abs=1e-6)
        assert four["sink_position"] == 0
        against_all = described(CAUSAL, causal=False)["relative_entropy"]
        assert against_all == pytest.approx(
            np.mean([math.log(seen) for seen in range(1, 8)]) / math.log(7)
        )

    def test_of_an_attention_sink(self) -> None:
        first = np.zeros((8, 8))
        first[:, 0] = 1
        record = e.describe(first)
        assert record.sink_score[0, 0] == 1
        assert record.sinks == (((0,),),)
        # The last key is seen by one query only: that it is attended to makes it no sink.
        assert e.describe(np.eye(8)).sinks == (((),),)

    def test_of_induction(self) -> None:
        perfect = e.induction_pattern(TOKENS).astype(float)
        perfect[:4, 0] = 1
        found = described(perfect, TOKENS)
        assert found["induction"] == pytest.approx(0.428571, abs=1e-6)
        assert described(perfect, tokens=[0, 5, 7, 9, 5, 7, 9])["induction"] == found["induction"]
        copies = e.duplicate_pattern(TOKENS).astype(float)
        assert described(copies, TOKENS)["duplicate"] == 1

    def test_of_patches(self) -> None:
        def uniform(rows: int, cols: int, size: int) -> float:
            grid = aw.Patches(rows, cols, region=(0, 0, cols * size, rows * size))
            count = rows * cols
            record = e.describe(aw.Attention(np.full((count, count), 1 / count), grid))
            assert record.unit == "pixels"
            return float(record.mean_distance[0, 0])

        assert uniform(14, 14, 16) == pytest.approx(116.492227, rel=1e-6)
        assert uniform(10, 20, 14) == pytest.approx(112.413060, rel=1e-6)
        assert uniform(2, 2, 1) == pytest.approx((2 + math.sqrt(2)) / 4, rel=1e-6)

    def test_of_patches_behind_a_class_token(self) -> None:
        axis = [aw.Tokens(["[CLS]"]), aw.Patches(14, 14, region=(0, 0, 224, 224))]
        found = described(np.full((197, 197), 1 / 197), axis)
        assert found["mean_distance"] == pytest.approx(116.492227, rel=1e-6)
        assert found["special_share"] == pytest.approx(1 / 197)
        assert found["image_share"] == pytest.approx(196 / 197)
        assert math.isnan(found["induction"])

    def test_of_a_real_head(self) -> None:
        record = e.describe(aw.samples.paragraph())
        assert record.rank("previous_token", count=1)[0][:2] == (0, 2)
        assert record.previous_token[0, 2] == pytest.approx(0.99, abs=0.005)
        assert record.mean_distance[0, 2] == pytest.approx(1.0, abs=0.01)
        assert record.unit == "tokens"


MAPS = arrays(
    np.float32,
    st.tuples(st.integers(1, 2), st.integers(1, 3), st.integers(1, 6), st.integers(1, 6)),
    elements=st.one_of(
        st.floats(0, 2, width=32, allow_subnormal=False),
        st.sampled_from([0.0, math.nan, math.inf, -0.5]),
    ),
)


def slowly(weights: NDArray[np.float32], tokens: list[str] | None) -> dict[str, float]:
    """Describe one head with plain loops."""
    rows, keys = weights.shape
    size = np.where(np.isfinite(weights), np.abs(weights), 0).astype(np.float64)
    total = size.sum()
    pairs = [(q, k) for q in range(rows) for k in range(keys)]
    later = any(size[q, k] for q, k in pairs if k > q)
    seen = [[k for k in range(keys) if later or k <= q] for q in range(rows)]
    share = (lambda part: part / total) if total else (lambda _: math.nan)
    relative = [
        row_entropy(weights[q]) / math.log(len(seen[q])) for q in range(rows) if len(seen[q]) > 1
    ]
    received = [
        size[:, k].sum() / len(who) if 2 * len(who) >= rows and who else 0
        for k in range(keys)
        for who in [[q for q in range(rows) if k in seen[q]]]
    ]
    full = [q for q in range(rows) if size[q].sum()]
    sums = [float(np.where(np.isfinite(weights[q]), weights[q], 0).sum()) for q in full]
    away = [sum(abs(q - k) * size[q, k] for k in range(keys)) / size[q].sum() for q in full]
    diagonals = {d: sum(size[q, k] for q, k in pairs if k - q == d) for d in range(-rows, keys)}
    found = {
        "entropy": mean([row_entropy(weights[q]) for q in full]),
        "relative_entropy": mean([value for value in relative if not math.isnan(value)]),
        "confidence": size.max(axis=1).mean(),
        "sink_score": max(received) if total else math.nan,
        "mean_distance": mean(away),
        "previous_token": share(diagonals[-1]),
        "next_token": share(diagonals.get(1, 0)),
        "diagonal": share(diagonals[0]),
        "vertical": share(size.sum(axis=0).max()),
        "slash": share(max(diagonals.values())),
        "row_sum": mean(sums),
        "row_sum_least": min(sums, default=math.nan),
        "row_sum_most": max(sums, default=math.nan),
        "empty_rows": 1 - len(full) / rows,
        "not_finite": float((~np.isfinite(weights)).sum()),
    }
    if tokens is not None:
        for name, shift in (("duplicate", 0), ("induction", 1)):
            found[name] = share(
                sum(
                    size[q, k]
                    for q, k in pairs
                    if k >= shift and tokens[k - shift] == tokens[q] and k - shift < q
                )
            )
    return found


def mean(values: list[float]) -> float:
    return float(np.mean(values)) if values else math.nan


@settings(max_examples=60)
@given(MAPS, st.integers(0, 5))
def test_numbers_are_those_of_the_slow_way(weights: NDArray[np.float32], seed: int) -> None:
    layers, heads, queries, keys = weights.shape
    tokens = None
    if queries == keys:
        tokens = np.random.default_rng(seed).choice(["x", "y", "z"], keys).tolist()
    record = e.describe(aw.Attention(weights, tokens))
    for layer in range(layers):
        # Whether a map is causal is seen from all heads of a layer; here from the one.
        for head in range(heads):
            one = e.describe(aw.Attention(weights[layer, head], tokens))
            for name, value in slowly(weights[layer, head], tokens).items():
                found = float(getattr(one, name)[0, 0])
                assert found == pytest.approx(value, nan_ok=True, rel=1e-5, abs=1e-5), name
                if name not in ("relative_entropy", "sink_score"):
                    assert getattr(record, name)[layer, head] == pytest.approx(found, nan_ok=True)


class TestLongMaps:
    def test_blocks_do_not_matter(self, monkeypatch: pytest.MonkeyPatch, rows: Any) -> None:
        attention = aw.Attention(rows(2, 3, 40, 40), TOKENS * 5 + TOKENS[:5])
        whole = e.describe(attention)
        monkeypatch.setattr("attn_widget.streams.BLOCK_CELLS", 100)
        monkeypatch.setattr(heads_module, "BLOCK_CELLS", 100)
        parts = e.describe(attention)
        for name in (*STATISTICS, "distances"):
            np.testing.assert_allclose(getattr(parts, name), getattr(whole, name), rtol=1e-5)
        assert parts.sinks == whole.sinks

    def test_only_some_queries_are_read(self, monkeypatch: pytest.MonkeyPatch, rows: Any) -> None:
        monkeypatch.setattr(heads_module, "EXACT_CELLS", 3200)
        array = CountedArray(rows(1, 2, 320, 40))
        record = e.describe(aw.Attention(array))
        assert not record.exact
        assert len(record.queries) == 40
        assert set(np.diff(record.queries)) == {8}
        assert array.numbers_read <= 2 * 2 * 40 * 40
        read = np.asarray(array[0, 1])[record.queries]
        assert record.confidence[0, 1] == pytest.approx(read.max(axis=1).mean())
        assert record.previous_token[0, 1] == pytest.approx(
            float(e.previous_token(read, record.queries))
        )

    def test_a_number_of_queries_can_be_asked_for(self, rows: Any) -> None:
        record = e.describe(rows(1, 1, 100, 20), queries=10)
        assert (record.exact, len(record.queries)) == (False, 10)
        assert e.describe(rows(1, 1, 100, 20), queries=100).exact
        bad: Any
        for bad in (0, -3, 2.5, True):
            with pytest.raises(ValueError, match="queries must be an int of at least 1; got"):
                e.describe(rows(1, 1, 4, 4), queries=bad)

    @pytest.mark.parametrize("options", [{}, {"causal": True}, {"causal": True, "window": 3}])
    def test_of_queries_and_keys_as_of_their_weights(self, options: dict[str, Any]) -> None:
        random = np.random.default_rng(1)
        query, key = random.normal(size=(2, 1, 2, 24, 4))
        computed = aw.Attention.from_qk(query, key, TOKENS * 3 + TOKENS[:3], **options)
        held = aw.Attention(computed[...], computed.queries)
        found = e.describe(computed)
        expected = e.describe(held)
        for name in STATISTICS:
            if name in ("relative_entropy", "sink_score", "sink_position") and "window" in options:
                continue
            np.testing.assert_allclose(
                getattr(found, name), getattr(expected, name), rtol=1e-4, atol=1e-6, err_msg=name
            )

    def test_windows_bound_what_may_be_attended_to(self) -> None:
        same = np.zeros((1, 1, 10, 2))
        even = aw.Attention.from_qk(same, same, causal=True, window=3)
        record = e.describe(even)
        assert record.relative_entropy[0, 0] == pytest.approx(1)
        assert record.sink_score[0, 0] == pytest.approx(11 / 18)

    def test_progress_rises_and_can_be_stopped(self, rows: Any) -> None:
        steps = e.describe_steps(aw.Attention(rows(4, 2, 30, 30)))
        shares = [next(steps) for _ in range(3)]
        steps.close()
        assert shares == sorted(shares)
        every = [*e.describe_steps(aw.Attention(rows(2, 2, 30, 30)))]
        assert every == sorted(every)
        assert 0 < every[0] < every[-1] <= 1


class TestPlaces:
    def test_queries_of_cached_keys_are_the_last(self) -> None:
        labels = [*"abcdefg"]
        previous = np.eye(7, k=-1)[4:]
        assert described(previous, labels[4:], labels)["previous_token"] == 1
        query = np.zeros((1, 1, 3, 2))
        record = e.describe(
            aw.Attention.from_qk(query, np.zeros((1, 1, 7, 2)), causal=True, offset=4)
        )
        assert record.relative_entropy[0, 0] == pytest.approx(1)
        assert record.previous_token[0, 0] == pytest.approx(np.mean([1 / 5, 1 / 6, 1 / 7]))

    def test_a_part_knows_where_it_was(self) -> None:
        attention = aw.Attention(np.eye(9, k=-1) + 1e-9)
        assert e.describe(attention.select(queries=[7, 3, 5])).previous_token == pytest.approx(1)
        part = attention.select(queries=slice(4, 8), keys=slice(3, 9))
        assert e.describe(part).previous_token == pytest.approx(1)
        same = np.zeros((1, 1, 9, 2))
        computed = aw.Attention.from_qk(same, same, causal=True)
        found = e.describe(computed.select(queries=[8, 2])).relative_entropy
        assert found == pytest.approx(1)

    def test_special_tokens_are_no_copies(self) -> None:
        labels = ["[SEP]", "a", "[SEP]", "a"]
        found = described(np.full((4, 4), 0.25), labels)
        assert found["duplicate"] == pytest.approx(1 / 16)
        assert found["special_share"] == pytest.approx(1 / 2)

    def test_copies_are_not_known_without_a_text(self) -> None:
        assert math.isnan(described(CAUSAL)["induction"])
        assert math.isnan(described(CAUSAL, [*"abcdefg"], [*"tuvwxyz"])["duplicate"])
        assert described(CAUSAL, [*"abcdefg"])["duplicate"] == 0

    def test_masked_padding_is_no_key(self) -> None:
        labels = ["a", "b", "[PAD]", "[PAD]"]
        weights = np.zeros((4, 4))
        weights[:, :2] = 0.5
        assert described(weights, labels)["relative_entropy"] == pytest.approx(1)

    def test_padding_is_told_apart_from_the_image(self) -> None:
        image = np.zeros((4, 8, 3), np.uint8)
        grid = aw.Patches(2, 2, image=image, region=(0, 0, 8, 8))
        found = described([[0.1, 0.2, 0.3, 0.4]], None, grid)
        assert found["padding_share"] == pytest.approx(0.7)
        assert found["image_share"] == pytest.approx(0.3)

    def test_pictures_are_not_near_each_other(self) -> None:
        grids = [aw.Patches(1, 2, image=np.full((2, 4, 3), shade, np.uint8)) for shade in (0, 9)]
        found = described(np.full((4, 4), 0.25), grids)
        assert found["mean_distance"] == pytest.approx(1)

    def test_masked_scores_are_not_missing(self) -> None:
        scores = np.where(CAUSAL > 0, 1.0, -np.inf)
        record = e.describe(aw.Attention(scores, kind="score"))
        assert record.not_finite[0, 0] == 0
        assert e.describe(aw.Attention(scores)).not_finite[0, 0] == 21


class TestRecord:
    def test_order(self) -> None:
        weights = np.stack([np.full((3, 3), 1 / 3), np.eye(3), np.zeros((3, 3))])[None]
        record = e.describe(weights)
        assert [found.head for found in record.rank("confidence")] == [1, 0, 2]
        assert [found.head for found in record.rank("entropy")] == [0, 1, 2]
        assert [found.head for found in record.rank("entropy", largest=False)] == [1, 0, 2]
        assert record.rank("diagonal", count=1) == (e.HeadValue(0, 1, 1.0),)
        with pytest.raises(ValueError, match=r"by must be one of entropy, .*; got 'size'"):
            record.rank("size")

    def test_frame(self) -> None:
        pytest.importorskip("pandas")
        record = e.describe(aw.samples.sentence(0))
        frame = record.to_frame()
        assert len(frame) == 72
        assert list(frame.columns) == ["layer", "head", *STATISTICS]
        row = frame[(frame["layer"] == 3) & (frame["head"] == 5)].iloc[0]
        assert row["entropy"] == record.entropy[3, 5]

    def test_repr_says_what_was_read(self, rows: Any) -> None:
        told = repr(e.describe(aw.samples.sentence(0)))
        assert told.startswith("HeadStatistics('MiniLM sentence 0', 6 layers × 12 heads, all 16 ")
        assert "55 of 72 heads have a sink (> 0.3)" in told
        assert "padding_share" not in told
        assert "8 of 32 queries × 4 keys" in repr(e.describe(rows(1, 1, 32, 4), queries=8))

    @pytest.mark.parametrize("shape", [(2, 0, 3, 3), (2, 2, 0, 3), (2, 2, 3, 0), (0, 2, 3, 3)])
    def test_of_nothing_is_nothing(self, shape: tuple[int, ...]) -> None:
        record = e.describe(np.zeros(shape, np.float32))
        assert record.entropy.shape == shape[:2]
        assert not np.isfinite(record.entropy).any()
        assert (record.sink_position == -1).all()
        assert "queries" in repr(record)

    def test_tokens_must_fit(self) -> None:
        with pytest.raises(ValueError, match="tokens must be one a key, 3; got 2"):
            e.describe(A1, tokens=["a", "b"])
