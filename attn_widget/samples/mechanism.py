"""Real queries, keys and values: attention of trained models that tells how it comes about."""

from __future__ import annotations

from typing import Final

from ..attention import Attention
from ..axes import Tokens
from ..mechanisms import additive_attention
from .stored import check_choice, load

_MODELS: Final = ("minilm", "translator")


def mechanism(model: str = "minilm") -> Attention:
    """Return attention of a trained model with the vectors it is made of, for the mechanism view.

    ``model="minilm"``: layer 3 of MiniLM on sentence 0 of :func:`sentence`, its queries, keys and
    values; shape (1, 12, 16, 16), scaled dot products. Head 1: *it* attends to *trophy*.

    ``model="translator"``: the additive (Bahdanau) attention of the recurrent translator on
    sentence 0 of :func:`translation`; shape (1, 1, 9, 9). Queries are the states before each word
    is written, keys and values those of the words read. The last number of a query is 1, so that
    the last row of ``w_query`` is the bias of its projection.

    Vectors and weights of the model are float16; what comes of them differs from the maps of
    :func:`sentence` and :func:`translation` by less than 0.001.

    Args:
        model: ``"minilm"`` or ``"translator"``.

    Raises:
        ValueError: If there is no such model.
    """
    check_choice("model", model, _MODELS)
    if model == "minilm":
        parts = load("mechanism", "minilm_query", "minilm_key", "minilm_value")
        tokens = load("sentences", "tokens_0", "words_0")
        labels = Tokens(tokens["tokens_0"].tolist(), words=tokens["words_0"].tolist())
        return Attention.from_qk(
            parts["minilm_query"],
            parts["minilm_key"],
            labels,
            value=parts["minilm_value"],
            name="MiniLM sentence 0, layer 3",
        )
    names = ("query", "key", "w_query", "w_key", "v")
    held = load("mechanism", *(f"translator_{name}" for name in names))
    query, key, w_query, w_key, v = (held[f"translator_{name}"] for name in names)
    words = load("translations", "target_0", "source_0")
    return additive_attention(
        query,
        key,
        w_query,
        w_key,
        v,
        key,
        queries=words["target_0"].tolist()[: len(query)],
        keys=words["source_0"].tolist(),
        name="translator",
    ).attention
