"""Text tokens: the labels of a run of positions, which of them are special, and their words."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Sequence
from itertools import count

import numpy as np

from .labels import Scheme, is_special, joined, scheme_of, shown, word_indices


class Tokens:
    """A run of text tokens.

    Args:
        labels: The tokens exactly as the tokenizer writes them.
        special: Which of them are special ([CLS], <s>, <pad> …): indices or labels. None
            recognises them by their form; ``()`` means none.
        words: The word index of each token, -1 or None for a token outside any word, as
            ``BatchEncoding.word_ids()`` of transformers gives them. None derives them where the
            labels carry sub-word markers (``##``, ``Ġ``, ``▁`` …).

    Raises:
        TypeError: If a label is not a string.
        ValueError: If ``special`` or ``words`` does not fit the labels.
    """

    __slots__ = ("_labels", "_scheme", "_shown", "_special", "_words")

    def __init__(
        self,
        labels: Iterable[str],
        *,
        special: Iterable[int | str] | None = None,
        words: Iterable[int | None] | None = None,
    ) -> None:
        exact = strings(labels, "labels")
        positions = _special_positions(exact, special)
        scheme = scheme_of(exact, frozenset(positions))
        indices = (
            word_indices(exact, scheme, frozenset(positions))
            if words is None
            else _word_indices(words, len(exact))
        )
        self._fill(exact, positions, indices, scheme)

    @classmethod
    def _of(
        cls,
        labels: tuple[str, ...],
        special: tuple[int, ...],
        words: tuple[int, ...] | None,
        scheme: Scheme,
    ) -> Tokens:
        """Tokens whose properties are known, so that a part keeps what the whole revealed."""
        tokens = cls.__new__(cls)
        tokens._fill(labels, special, words, scheme)
        return tokens

    def _fill(
        self,
        labels: tuple[str, ...],
        special: tuple[int, ...],
        words: tuple[int, ...] | None,
        scheme: Scheme,
    ) -> None:
        self._labels = labels
        self._special = special
        self._words = words
        self._scheme = scheme
        self._shown: tuple[str, ...] | None = None

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels exactly as given."""
        return self._labels

    @property
    def shown(self) -> tuple[str, ...]:
        """The labels as a person should read them; see `attn_widget.labels`."""
        if self._shown is None:
            self._shown = tuple(shown(label, self._scheme) for label in self._labels)
        return self._shown

    @property
    def special(self) -> tuple[int, ...]:
        """The positions of special tokens, ascending."""
        return self._special

    @property
    def words(self) -> tuple[int, ...] | None:
        """The word index of each token (-1: none), or None where words are not known."""
        return self._words

    @property
    def scheme(self) -> Scheme:
        """How the labels mark where words begin."""
        return self._scheme

    def select(self, indices: Sequence[int]) -> Tokens:
        """The tokens at some positions, in that order."""
        special = frozenset(self._special)
        return Tokens._of(
            tuple(self._labels[index] for index in indices),
            tuple(place for place, index in enumerate(indices) if index in special),
            None if self._words is None else tuple(self._words[index] for index in indices),
            self._scheme,
        )

    def merge(self, runs: Sequence[range]) -> Tokens:
        """The words that runs of neighbouring tokens spell, one label a run.

        Tokens that know no words stay as they are.
        """
        if self._words is None:
            return self
        special = frozenset(self._special)
        fresh = count()
        return Tokens._of(
            tuple(joined([self._labels[index] for index in run], self._scheme) for run in runs),
            tuple(place for place, run in enumerate(runs) if special.issuperset(run)),
            tuple(next(fresh) if self._words[run[0]] >= 0 else -1 for run in runs),
            "plain",
        )

    def __len__(self) -> int:
        return len(self._labels)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Tokens):
            return NotImplemented
        return (self._labels, self._special, self._words, self._scheme) == (
            other._labels,
            other._special,
            other._words,
            other._scheme,
        )

    def __hash__(self) -> int:
        return hash((self._labels, self._special))

    def __repr__(self) -> str:
        return f"Tokens({len(self)}: {few(self._labels)})"


def strings(labels: Iterable[str], name: str) -> tuple[str, ...]:
    """Labels as a tuple, every one of them checked to be a string."""
    if isinstance(labels, str):
        raise TypeError(f"{name} must be a sequence of strings; got the one string {labels[:20]!r}")
    exact = tuple(labels)
    for position, label in enumerate(exact):
        if not isinstance(label, str):
            raise TypeError(
                f"{name} must be strings; got {type(label).__name__} at position {position}"
            )
    return tuple(map(str, exact))


def few(labels: Sequence[str]) -> str:
    """The first labels, short enough for a repr."""
    start = ", ".join(repr(label if len(label) <= 12 else label[:11] + "…") for label in labels[:3])
    return f"{start}, …" if len(labels) > 3 else start


def _special_positions(
    labels: tuple[str, ...], special: Iterable[int | str] | None
) -> tuple[int, ...]:
    if special is None:
        return tuple(place for place, label in enumerate(labels) if is_special(label))
    if isinstance(special, str):
        raise TypeError(f"special must be indices or labels; got the one string {special!r}")
    positions: set[int] = set()
    named: set[int] = set()
    for item in special:
        if isinstance(item, str):
            found = [place for place, label in enumerate(labels) if label == item]
            if not found:
                raise ValueError(f"special label {item!r} is not among the {len(labels)} labels")
            named.update(found)
            continue
        if isinstance(item, (bool, np.bool_)):
            raise TypeError("special must be indices or labels; got a mask, use np.flatnonzero")
        place = operator.index(item)
        if not -len(labels) <= place < len(labels):
            raise ValueError(f"special position {place} is out of range for {len(labels)} labels")
        if place % len(labels) in positions:
            raise ValueError(
                f"special position {place} comes twice; if this is a mask, use np.flatnonzero"
            )
        positions.add(place % len(labels))
    return tuple(sorted(positions | named))


def _word_indices(words: Iterable[int | None], length: int) -> tuple[int, ...]:
    indices = tuple(-1 if word is None else operator.index(word) for word in words)
    if len(indices) != length:
        raise ValueError(f"expected one word index a label, {length}; got {len(indices)}")
    if any(index < -1 for index in indices):
        raise ValueError(f"a word index must be -1 (no word) or more; got {min(indices)}")
    return indices
