"""What the positions of captured maps are, told by labels or by what a tokenizer made."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from ..attention import Attention
from ..axes import Axis
from .tokenized import is_inputs, length_of, texts_in, tokens_of

Found = Mapping[str, list[Attention]]
"""Maps without labels by name, each with its steps."""

Sides = tuple[object, object]
"""Labels of queries and of keys; None where they are not known."""


class Labelling:
    """Labels as they are given, and the maps they are meant for.

    Args:
        queries: Labels of the decoder, of the text or of the only sequence; or what a tokenizer
            made; or ``{map name: labels}``.
        keys: The same of the other sequence: the encoder's. Without it, what a tokenizer made is
            of the encoder where there is one.
    """

    def __init__(self, queries: object = None, keys: object = None) -> None:
        self._named: dict[str, Sides] = {}
        self._given: Sides = (queries, keys)
        if _is_named(queries) or _is_named(keys):
            own, other = _named(queries, "queries"), _named(keys, "keys")
            self._named = {name: (own.get(name), other.get(name)) for name in {**own, **other}}
            self._given = (None, None)

    def add(self, found: Found, queries: object, keys: object, share: float) -> None:
        """Label all of some maps that labels fit.

        Args:
            found: The maps.
            queries: Labels, or what a tokenizer made.
            keys: The same for keys; None means "same as queries" on a square map.
            share: The entry that is shown, as a share of the batch.

        Raises:
            ValueError: If they fit none.
        """
        own, other = _told(queries, share), _told(keys, share)
        names = [name for name, steps in found.items() if any(_fit(it, own, other) for it in steps)]
        if is_inputs(queries) and _encodes(found):
            names = [name for name in names if name == "encoder"]
        if not names:
            given = length_of(own) if keys is None else (length_of(own), length_of(other))
            raise ValueError(
                f"labels fit no map: got {given}; (queries, keys) are {_sizes(found)} (the last "
                "token of a generated text was never read: leave it out)"
            )
        self._named |= dict.fromkeys(names, (queries, keys))

    def labelled(self, found: Found, share: float) -> dict[str, list[Attention]]:
        """The maps, with those labels that fit them.

        Args:
            found: The maps.
            share: The entry that is shown, as a share of the batch.
        """
        made: dict[str, list[Attention]] = {}
        for name, steps in found.items():
            queries, keys = self._sides(name, _encodes(found))
            own, other = _told(queries, share), _told(keys, share)
            made[name] = [_labelled(step, own, other, name == "cross") for step in steps]
        return made

    def unused(self, found: Found, share: float) -> list[str]:
        """What was given and fits no map, in words; see `labelled`."""
        sizes = {size for steps in found.values() for step in steps for size in step.shape[2:]}
        given = [("as queries=", self._given[0], True), ("as keys=", self._given[1], True)]
        given += [
            (f"for {name!r}", side, name in found)
            for name, sides in self._named.items()
            for side in sides
        ]
        counts = [
            (how, length_of(_told(side, share)), known)
            for how, side, known in given
            if side is not None
        ]
        return [
            f"labels given {how} fit no map: got {count}; (queries, keys) are {_sizes(found)}"
            for how, count, known in counts
            if not known or count not in sizes
        ]

    def _sides(self, name: str, encodes: bool) -> Sides:
        """What is meant for a map."""
        queries, keys = self._given
        if encodes and keys is None and is_inputs(queries):
            queries, keys = None, queries
        if name in self._named:
            return self._named[name]
        if name == "cross":
            target, source = self._named.get("decoder"), self._named.get("encoder")
            return queries if target is None else target[0], keys if source is None else source[0]
        if encodes:
            return (keys if name == "encoder" else queries), None
        return queries, keys


def _encodes(found: Found) -> bool:
    return {"encoder", "cross"} <= found.keys()


def _is_named(given: object) -> bool:
    return isinstance(given, Mapping) and not is_inputs(given)


def _named(given: object, side: str) -> Mapping[str, object]:
    if given is None:
        return {}
    if not _is_named(given):
        raise TypeError(
            f"{side} must be {{map name: labels}} where the other side is; got "
            f"{type(given).__name__}"
        )
    return cast("Mapping[str, object]", given)


def _told(given: object, share: float) -> object:
    """Labels, of one text where a tokenizer made several."""
    if not is_inputs(given):
        return given
    texts = texts_in(given)
    return tokens_of(given, batch=int(share * texts) if texts > 1 else None)


def _labelled(plain: Attention, queries: object, keys: object, crosses: bool) -> Attention:
    """A map with the labels that fit: of one sequence where its positions attend to each other."""
    _, _, rows, columns = plain.shape
    own = queries if _fits(queries, rows) else None
    other = keys if _fits(keys, columns) else None
    if own is None and rows == columns and not crosses:
        own, other = other, None
    if own is None and other is None:
        return plain
    return Attention(plain.source, own, other, name=plain.name, kind=plain.kind)


def _fit(plain: Attention, queries: object, keys: object) -> bool:
    return _fits(queries, plain.shape[2]) and (keys is None or _fits(keys, plain.shape[3]))


def _fits(labels: object, size: int) -> bool:
    try:
        return len(Axis.of(labels, size, "labels")) == size
    except ValueError:
        return False


def _sizes(found: Found) -> str:
    return ", ".join(f"{name} {steps[0].shape[2:]}" for name, steps in found.items())
