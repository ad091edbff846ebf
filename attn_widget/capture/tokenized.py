"""Labels of what a tokenizer made: its tokens, which of them are special, and their words.

Nothing here imports transformers or tokenizers: what an object is, its attributes tell.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any, cast

from ..axes import Boxes, Patches, Tokens
from ..labels import is_special
from ..sources import batch_index

_NEVER_TEXT = ("bos", "eos", "sep", "cls", "pad", "mask")


def tokens_of(
    inputs: object,
    tokenizer: object = None,
    *,
    batch: int | None = None,
    attention_mask: object = None,
) -> list[Tokens]:
    """The labels of tokenized text, as `Attention` takes them: one segment a text.

    Labels are those of the tokenizer (``##ing``, ``Ġthe``, ``▁the``). Special are the special
    tokens of the tokenizer (but the unknown token, which stands for text) and padding. A word
    ends where the tokenizer says so, or where the labels mark the start of another.

    Args:
        inputs: What a tokenizer or a processor of transformers returned, an ``Encoding`` of
            tokenizers, or token ids: (T,), (B, T), a list or a list of lists.
        tokenizer: A tokenizer of transformers, fast or slow, a processor that has one, or a
            ``Tokenizer`` of tokenizers. Needed for ids, and for what a slow tokenizer returned.
        batch: Which entry, where there are several.
        attention_mask: 0 where there is padding, (T,) or (B, T); None takes that of ``inputs``.

    Raises:
        TypeError: If ``inputs`` or ``tokenizer`` is none of these, or the tokenizer is missing.
        ValueError: If there are several entries and ``batch`` does not say which, or the mask
            does not fit.
    """
    words = getattr(tokenizer, "tokenizer", tokenizer)
    encoding = encoding_of(inputs, batch)
    ids = _ids(inputs, batch)
    mask = mask_of(inputs, attention_mask)
    # Ids that were changed since are no longer what the encoding says.
    if encoding is not None and (ids is None or list(encoding.ids) == ids):
        labels = [str(label) for label in encoding.tokens]
        parts = _parts(encoding.sequence_ids)
        known = encoding.word_ids
        marked = set(_places(encoding.special_tokens_mask))
        ids = list(encoding.ids)
        padding = encoding.attention_mask if mask is None else mask
    else:
        labels = _labels(ids, words, inputs)
        parts = _parts(_row(_field(inputs, "token_type_ids"), batch) or [0] * len(labels))
        known, marked, padding = None, set(), mask
    special = marked | {place for place, label in enumerate(labels) if is_special(label)}
    special |= _special_ids(words, ids or [])
    special -= _unknown(words, ids or [])
    special |= padded(padding, len(labels), batch)
    tokens = Tokens(labels, special=sorted(special))
    if known is not None:
        tokens = Tokens(labels, special=tokens.special, words=_words(known, tokens))
    return [tokens.select(run) for run in _runs(parts)]


def padded(mask: object, count: int, batch: int | None = None) -> set[int]:
    """The positions where an attention mask is 0.

    Args:
        mask: (T,) or (B, T), or None for no padding.
        count: How many positions there are; those beyond the mask are not padding.
        batch: Which entry.

    Raises:
        ValueError: If the mask has more positions, or entries and ``batch`` does not say which.
    """
    row = _row(mask, batch) or []
    if len(row) > count:
        raise ValueError(f"attention_mask has {len(row)} positions for {count} tokens")
    return {place for place, attended in enumerate(row) if not attended}


def encoding_of(inputs: object, batch: int | None = None) -> Any:
    """The ``Encoding`` of the tokenizers library behind what a tokenizer returned, or None."""
    if hasattr(inputs, "special_tokens_mask") and hasattr(inputs, "word_ids"):
        return inputs
    several = getattr(inputs, "encodings", None)
    if not several:
        return None
    return several[_entry(batch, len(several))]


def is_inputs(value: object) -> bool:
    """Whether a value is what a tokenizer or a processor returned, not labels."""
    if hasattr(value, "special_tokens_mask") and hasattr(value, "word_ids"):
        return True
    return isinstance(value, Mapping) and "input_ids" in value


def texts_in(inputs: object) -> int:
    """How many texts a tokenizer's inputs hold."""
    ids = _listed(_field(inputs, "input_ids"))
    return len(ids) if ids and isinstance(ids[0], (list, tuple)) else 1


def mask_of(inputs: object, given: object = None) -> object:
    """The attention mask of a tokenizer's inputs, unless another one is given."""
    return given if given is not None else _field(inputs, "attention_mask")


def length_of(labels: object) -> int:
    """How many positions labels are for: strings, a segment, segments or an axis."""
    if labels is None:
        return 0
    if isinstance(labels, (list, tuple)):
        segments = (Tokens, Patches, Boxes)
        return sum(len(label) if isinstance(label, segments) else 1 for label in labels)
    return len(cast(Any, labels))


def _words(known: Sequence[int | None], marked: Tokens) -> list[int]:
    """Words that end where either side says so.

    Without a pre-tokenizer (Llama) all text is one word to its tokenizer, and SentencePiece
    leaves punctuation to the word before it.
    """
    marks = marked.words
    special = frozenset(marked.special)
    words: list[int] = []
    last: tuple[int | None, int | None] | None = None
    count = -1
    for place, word in enumerate(known):
        if place in special or word is None:
            words.append(-1)
            last = None
            continue
        here = (word, None if marks is None else marks[place])
        count += here != last
        words.append(count)
        last = here
    return words


def _parts(sequence: Iterable[int | None]) -> list[int]:
    """Which text each position belongs to; special tokens belong to the text before them."""
    parts: list[int] = []
    for of in sequence:
        parts.append(max(of or 0, parts[-1] if parts else 0))
    return parts


def _runs(parts: Sequence[int]) -> list[range]:
    runs: list[range] = []
    for _, group in groupby(range(len(parts)), key=parts.__getitem__):
        places = list(group)
        runs.append(range(places[0], places[-1] + 1))
    return runs


def _labels(ids: list[int] | None, tokenizer: object, inputs: object) -> list[str]:
    if ids is None:
        raise TypeError(
            f"inputs must be what a tokenizer returned, or token ids; got {type(inputs).__name__}"
        )
    found: list[str | None] | None = None
    if hasattr(tokenizer, "convert_ids_to_tokens"):
        found = cast(Any, tokenizer).convert_ids_to_tokens(ids)
    elif hasattr(tokenizer, "id_to_token"):
        found = [cast(Any, tokenizer).id_to_token(one) for one in ids]
    if found is not None:
        # A model may have more ids than its tokenizer has tokens.
        return [f"<{one}>" if it is None else it for one, it in zip(ids, found, strict=True)]
    if tokenizer is None:
        raise TypeError("these are only token ids: give the tokenizer that made them, tokenizer=")
    raise TypeError(
        "tokenizer must have convert_ids_to_tokens (transformers) or id_to_token (tokenizers); "
        f"got {type(tokenizer).__name__}"
    )


def _special_ids(tokenizer: object, ids: Sequence[int]) -> set[int]:
    named = set(getattr(tokenizer, "all_special_ids", None) or ())
    added = getattr(tokenizer, "added_tokens_decoder", None)
    if added is None and hasattr(tokenizer, "get_added_tokens_decoder"):
        added = cast(Any, tokenizer).get_added_tokens_decoder()
    named.update(one for one, token in (added or {}).items() if getattr(token, "special", False))
    return {place for place, one in enumerate(ids) if one in named}


def _unknown(tokenizer: object, ids: Sequence[int]) -> set[int]:
    """Where the unknown token stands, unless it is another special token too (GPT-2)."""
    unknown = getattr(tokenizer, "unk_token_id", None)
    also = {getattr(tokenizer, f"{name}_token_id", None) for name in _NEVER_TEXT}
    if unknown is None or unknown in also:
        return set()
    return {place for place, one in enumerate(ids) if one == unknown}


def _places(mask: Sequence[int]) -> list[int]:
    return [place for place, here in enumerate(mask) if here]


def _field(inputs: object, name: str) -> object:
    return inputs[name] if isinstance(inputs, Mapping) and name in inputs else None


def _ids(inputs: object, batch: int | None) -> list[int] | None:
    given = _field(inputs, "input_ids") if isinstance(inputs, Mapping) else inputs
    return _row(given, batch)


def _row(values: object, batch: int | None) -> list[int] | None:
    """One entry of (T,) or (B, T) whole numbers; None for anything else."""
    listed = _listed(values)
    if listed is None:
        return None
    if listed and all(isinstance(one, (list, tuple)) for one in listed):
        listed = listed[_entry(batch, len(listed))]
    return list(listed) if all(isinstance(one, (int, float)) for one in listed) else None


def _entry(batch: int | None, count: int) -> int:
    if batch is None and count > 1:
        raise ValueError(f"there are {count} texts: say which one, batch=0 … {count - 1}")
    return batch_index(batch, count)


def _listed(values: object) -> Sequence[Any] | None:
    listed = cast(Any, values).tolist() if hasattr(values, "tolist") else values
    return listed if isinstance(listed, (list, tuple)) else None
