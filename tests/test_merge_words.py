from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from attn_widget import Attention, Boxes, Patches, Tokens
from attn_widget.methods import merge_words
from counted import CountedArray

Rows = Callable[..., NDArray[np.float32]]

# Rows whose two middle tokens are one word; the merged rows are those of reference method
# "mean" in Clark et al. 2019.
TOKENS = np.array(
    [[0.4, 0.3, 0.2, 0.1], [0.1, 0.5, 0.3, 0.1], [0.2, 0.2, 0.4, 0.2], [0.25, 0.2, 0.3, 0.25]]
)
WORDS = [[0.4, 0.5, 0.1], [0.15, 0.7, 0.15], [0.25, 0.5, 0.25]]


def test_four_tokens_to_three_words() -> None:
    merged = merge_words(Attention(TOKENS, ["a", "be", "##st", "c"]))
    assert merged.shape == (1, 1, 3, 3)
    np.testing.assert_allclose(merged[0, 0], WORDS, rtol=1e-6)
    assert merged.queries.labels == ("a", "best", "c")
    assert merged.keys is merged.queries


@given(st.data())
def test_merging_is_the_matrix_product(data: st.DataObject) -> None:
    def words(name: str) -> list[int]:
        lengths = data.draw(st.lists(st.integers(1, 3), min_size=1, max_size=5), label=name)
        return [word for word, length in enumerate(lengths) for _ in range(length)]

    queries, keys = words("queries"), words("keys")
    seed = data.draw(st.integers(0, 99))
    weights = np.random.default_rng(seed).random((2, 2, len(queries), len(keys)))
    merged = merge_words(
        Attention(
            weights,
            Tokens(["q"] * len(queries), words=queries),
            Tokens(["k"] * len(keys), words=keys),
        )
    )
    belongs = np.array(keys)[:, None] == np.arange(keys[-1] + 1)
    means = np.array(queries) == np.arange(queries[-1] + 1)[:, None]
    expected = (means / means.sum(axis=1, keepdims=True)) @ weights @ belongs
    np.testing.assert_allclose(np.asarray(merged), expected, rtol=2e-6)
    np.testing.assert_allclose(merged[1, 0, -1:, -1:], expected[1, 0, -1:, -1:], rtol=2e-6)


@given(st.lists(st.sampled_from([-1, 0, 1, 2]), min_size=1, max_size=8), st.integers(0, 99))
def test_rows_keep_their_sum(words: list[int], seed: int) -> None:
    weights = np.random.default_rng(seed).dirichlet(np.ones(len(words)), len(words))
    merged = merge_words(Attention(weights, Tokens(["t"] * len(words), words=words)))
    np.testing.assert_allclose(np.asarray(merged).sum(axis=-1), 1, rtol=1e-6)


def test_tokens_outside_words_stay(rows: Rows) -> None:
    weights = rows(5, 5)
    attention = Attention(weights, ["[CLS]", "un", "##able", "[SEP]", "[SEP]"])
    merged = merge_words(attention)
    assert merged.queries.labels == ("[CLS]", "unable", "[SEP]", "[SEP]")
    assert merged.queries.special == (0, 2, 3)
    assert merged.queries.words == (-1, 0, -1, -1)
    np.testing.assert_array_equal(merged[0, 0][np.ix_([0, 2, 3], [0, 2, 3])],
                                  weights[np.ix_([0, 3, 4], [0, 3, 4])])  # fmt: skip


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (["un", "##believ", "##ably", "good"], ("unbelievably", "good")),
        (["<|im_start|>", "Ġun", "believ", "ably", "Ċ"], ("<|im_start|>", "unbelievably", "⏎")),
        (["It", "âĢ", "Ļ", "s", "Ġtrue"], ("It’s", "true")),
        (["<s>", "▁un", "able", "."], ("<s>", "unable", ".")),
    ],
)
def test_labels_are_the_words_spelt(
    rows: Rows, labels: list[str], expected: tuple[str, ...]
) -> None:
    merged = merge_words(Attention(rows(len(labels), len(labels)), labels))
    assert merged.queries.shown == expected


def test_one_side_is_enough(rows: Rows) -> None:
    image = np.zeros((8, 8, 3), np.uint8)
    keys = [Tokens(["[CLS]"]), Patches(1, 2, image=image), Boxes([[0, 0, 1, 1]])]
    weights = rows(2, 4)
    merged = merge_words(Attention(weights, ["un", "##able"], keys))
    assert merged.shape == (1, 1, 1, 4)
    assert [type(segment) for segment in merged.keys.segments] == [Tokens, Patches, Boxes]
    np.testing.assert_allclose(merged[0, 0, 0], weights.mean(axis=0), rtol=1e-6)


def test_merging_twice_changes_nothing(rows: Rows) -> None:
    once = merge_words(Attention(rows(4, 4), ["a", "be", "##st", "##er"]))
    twice = merge_words(once)
    assert twice.queries == once.queries
    np.testing.assert_array_equal(np.asarray(twice), np.asarray(once))


def test_missing_and_infinite_weights_stay_so() -> None:
    weights = np.array([[np.nan, 0.5, 0.5], [np.inf, -np.inf, 0.0], [0.0, np.inf, 1.0]])
    merged = merge_words(Attention(weights, None, Tokens(["a", "##b", "c"])))
    np.testing.assert_array_equal(
        merged[0, 0], np.array([[np.nan, 0.5], [np.nan, 0.0], [np.inf, 1.0]], np.float32)
    )


def test_merging_is_lazy(rows: Rows) -> None:
    array = CountedArray(rows(2, 3, 4, 4))
    merged = merge_words(Attention(array, ["a", "be", "##st", "c"]))
    assert array.asked == []
    merged[1, 2, 1, 1:]
    assert array.asked == [(1, slice(2, 3), slice(1, 3), slice(1, 4))]


def test_many_tokens_sum_without_loss() -> None:
    length = 20_000
    weights = np.full((1, length), 1 / length, np.float32)
    merged = merge_words(Attention(weights, None, Tokens(["x"] * length, words=[0] * length)))
    np.testing.assert_allclose(merged[0, 0], [[1.0]], rtol=1e-6)


def test_without_words(rows: Rows) -> None:
    with pytest.raises(ValueError, match="needs word indices on at least one side"):
        merge_words(Attention(rows(2, 2), ["a", "b"]))


def test_scores_have_no_word_level(rows: Rows) -> None:
    with pytest.raises(ValueError, match="scores before softmax cannot be summed"):
        merge_words(Attention(rows(2, 2), ["a", "##b"], kind="score"))


def test_an_empty_side(rows: Rows) -> None:
    attention = Attention(np.zeros((0, 2), np.float32), [], ["a", "##b"])
    assert merge_words(attention)[0, 0].shape == (0, 1)
