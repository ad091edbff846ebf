"""Small real attention maps that ship with the package, for teaching and tests.

Every map comes from a trained model; ``README.md`` beside this file states models, licences and
precision. A map is read from disk when its function is called, and not before.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ..attention import Attention
from ..axes import Tokens
from .mechanism import mechanism
from .stored import check_choice, check_index, joined_bytes, load
from .vision import (
    Truth,
    captioning,
    captioning_truth,
    detection,
    detection_truth,
    recognition,
    recognition_relevance,
    recognition_truth,
)

__all__ = [
    "Truth",
    "captioning",
    "captioning_truth",
    "detection",
    "detection_truth",
    "mechanism",
    "names",
    "paragraph",
    "recognition",
    "recognition_relevance",
    "recognition_truth",
    "sentence",
    "sentence_pair",
    "translation",
    "translation_links",
    "value_lengths",
]

_SENTENCES: Final = 4
_PAIRS: Final = 2
_TRANSLATIONS: Final = 4
_TRANSLATORS: Final = ("transformer", "additive")


def names() -> tuple[str, ...]:
    """Return the names of the samples, each a function of this module that returns a map."""
    return (
        "sentence",
        "sentence_pair",
        "translation",
        "paragraph",
        "recognition",
        "recognition_relevance",
        "captioning",
        "detection",
        "mechanism",
    )


def sentence(index: int = 0) -> Attention:
    """Return the self-attention of MiniLM on one sentence: all 6 layers, all 12 heads.

    ===== ====== =====================================================================
    index tokens sentence, and where to look
    ===== ====== =====================================================================
    0     16     "The trophy does not fit in the suitcase because it is too big." Layer
                 3, head 1: *it* attends to *trophy* (0.61).
    1     13     "Maria gave her sister the keys because she was leaving." *She* attends
                 to *sister* in layer 3, head 1, and to *maria* in layer 5, head 4: the
                 heads disagree as readers might.
    2     15     "The keys to the cabinet in the hallway are on the table." Layer 3,
                 head 1: the verb *are* finds its subject *keys* (0.81), past two nouns
                 that stand nearer.
    3     21     "Unbelievably, the tokenization of hyperparameters misbehaved." Five
                 words in pieces: try ``words=True``.
    ===== ====== =====================================================================

    In any of them: layer 0, head 2 attends to the token before (1.00); most heads of layers 1 to 4
    rest on [CLS], the *sink*, which says little about the sentence.

    Shape (6, 12, tokens, tokens), float16. Model: sentence-transformers/all-MiniLM-L6-v2
    (Apache-2.0). The sentences were written for this package.

    Args:
        index: Which sentence, 0 to 3.

    Raises:
        ValueError: If there is no such sentence.
    """
    check_index(index, _SENTENCES, "sentence")
    stored = load("sentences", f"weights_{index}", f"tokens_{index}", f"words_{index}")
    tokens = _tokens(stored[f"tokens_{index}"], stored[f"words_{index}"])
    return Attention(stored[f"weights_{index}"], tokens, name=f"MiniLM sentence {index}")


def value_lengths(index: int = 0) -> NDArray[np.float16]:
    """Return how long the vectors are that each token of :func:`sentence` passes on.

    ``‖f_h(x_j)‖`` with ``f_h(x_j) = (x_j W_V^h + b_V^h) W_O^h``: what token j adds to the output of
    an attention layer through head h at weight 1. Weight times length is norm-based attention, see
    :func:`attn_widget.methods.value_norm`. In layers 1 to 5 the vectors of [CLS], where most heads
    rest, are 0.03 to 0.11 times as long as those of the words. Source: Kobayashi et al. 2020 (EMNLP
    main.574).

    Args:
        index: Which sentence, 0 to 3.

    Returns:
        (6, 12, tokens), float16, within 0.0005 of the model's in ratio.

    Raises:
        ValueError: If there is no such sentence.
    """
    check_index(index, _SENTENCES, "sentence")
    name = f"lengths_{index}"
    return np.asarray(load("sentences", name)[name])


def sentence_pair(index: int = 0) -> Attention:
    """Return the self-attention of MiniLM on two sentences read together.

    ===== ====== =====================================================================
    index tokens sentences, and where to look
    ===== ====== =====================================================================
    0     14     "The weather is cold today. It is freezing outside." Layer 5, head 4:
                 *weather* and *cold* attend to *freezing* (0.77, 0.75).
    1     15     "The dog chased the cat. The cat chased the dog." Layer 2, head 9: each
                 word attends to itself in the other sentence. The model rates the two
                 as nearly the same (cosine 0.99): who chased whom is lost.
    ===== ====== =====================================================================

    Either axis has two segments, one a sentence. Shape (6, 12, tokens, tokens), float16. Model:
    sentence-transformers/all-MiniLM-L6-v2 (Apache-2.0), which was trained on single sentences. The
    sentences were written for this package.

    Args:
        index: Which pair, 0 or 1.

    Raises:
        ValueError: If there is no such pair.
    """
    check_index(index, _PAIRS, "pair")
    stored = load(
        "sentence_pairs",
        *(f"{part}_{index}" for part in ("weights", "tokens", "words", "first")),
    )
    tokens, words = stored[f"tokens_{index}"], stored[f"words_{index}"]
    # The second sentence begins here; [CLS] and the first [SEP] belong to the first.
    second = int(stored[f"first_{index}"])
    segments = [_tokens(tokens[:second], words[:second]), _tokens(tokens[second:], words[second:])]
    return Attention(stored[f"weights_{index}"], segments, name=f"MiniLM sentence pair {index}")


def translation(index: int = 0, *, model: str = "transformer") -> Attention:
    """Return the cross-attention of a small English to French translator.

    Queries are the French words written, keys the English words read; the row of a word is the
    attention used to write it. :func:`translation_links` has the gold alignment.

    ===== =================================================================================
    index sentence, and where to look
    ===== =================================================================================
    0     "my beautiful clever horse sees the old gardens": *beau* stays before the noun,
          *intelligent* goes behind it, and its line crosses that of *cheval*.
    1     "my small white cat does not see my tired girls near these blue doors": *ne* …
          *pas* for *does not*; three adjectives change places.
    2     "my old girl 's small teacher does not see some dresses": owner and owned change
          places as whole phrases.
    3     "the young girl sees her": the pronoun *la* moves before its verb.
    ===== =================================================================================

    ``model="transformer"``: shape (2, 4, queries, keys), an encoder-decoder transformer whose last
    query is the end sign. Layer 1, head 0 follows the gold alignment best (alignment error rate
    0.07 over its test set); layer 0, head 0 hardly does (0.40): heads of one model differ.
    ``model="additive"``: shape (1, 1, queries, keys), a recurrent translator with additive
    (Bahdanau) attention, one head, error rate 0.10.

    Float16. Both models were trained for this package on a grammar of its own; no third-party data.

    Args:
        index: Which sentence, 0 to 3.
        model: ``"transformer"`` or ``"additive"``.

    Raises:
        ValueError: If there is no such sentence or model.
    """
    check_index(index, _TRANSLATIONS, "translation")
    check_choice("model", model, _TRANSLATORS)
    stored = load("translations", f"{model}_{index}", f"target_{index}", f"source_{index}")
    weights = stored[f"{model}_{index}"]
    target = stored[f"target_{index}"][: weights.shape[-2]]
    return Attention(
        weights,
        Tokens(target.tolist()),
        Tokens(stored[f"source_{index}"].tolist()),
        name=f"{model} translation {index}",
    )


def translation_links(index: int = 0, *, possible: bool = False) -> set[tuple[int, int]]:
    """Return the gold alignment of :func:`translation`: pairs (query, key) that translate.

    Args:
        index: Which sentence, 0 to 3.
        possible: Also the links that a judge may accept but need not, such as *ne* to *does*.

    Raises:
        ValueError: If there is no such sentence.
    """
    check_index(index, _TRANSLATIONS, "translation")
    name = f"{'possible' if possible else 'sure'}_{index}"
    return {(int(query), int(key)) for query, key in load("translations", name)[name]}


def paragraph() -> Attention:
    """Return the self-attention of MiniLM on a paragraph of 121 tokens: 3 of 6 layers, 12 heads.

    The layers are the model's layers 0, 3 and 5, numbered 0, 1 and 2 here. In layer 1 (the model's
    3), head 1, pronouns find what they stand for: *its* attends to *lighthouse* (0.82), *them* to
    *stairs* (0.38); of the last *it*, a letter, it is unsure. Drawn whole, twelve heads of 121
    tokens are 175,692 lines: hover or pin a token, or look at one head.

    Shape (3, 12, 121, 121), float16, within 0.0001 of the model's weights: to stay small they are
    stored to four decimals. Model: sentence-transformers/all-MiniLM-L6-v2 (Apache-2.0). The text
    was written for this package.
    """
    stored = load("paragraph", "high", "low", "tokens", "words")
    weights = joined_bytes(stored["high"], stored["low"])
    return Attention(weights, _tokens(stored["tokens"], stored["words"]), name="MiniLM paragraph")


def _tokens(labels: NDArray[Any], words: NDArray[Any]) -> Tokens:
    return Tokens(labels.tolist(), words=words.tolist())
