"""Traits that coerce what they accept and say why they refuse the rest."""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable, Mapping, Sequence
from numbers import Real
from reprlib import Repr
from typing import TYPE_CHECKING, Any

from traitlets import TraitError, TraitType

if TYPE_CHECKING:
    _AnyTrait = TraitType[Any, Any]
else:
    # Not subscriptable before traitlets 5.10.
    _AnyTrait = TraitType


class StateError(TraitError, ValueError):
    """A widget state was refused; the widget is as it was before."""


def refuse(name: str, expected: str, got: object) -> StateError:
    """Return the error for a state ``name`` that must be ``expected`` and is not."""
    return StateError(f"{name} must be {expected}; got {_short.repr(got)}")


_short = Repr()
# An array or a long list would bury what was expected.
_short.maxother = _short.maxstring = 60


class Given(_AnyTrait):
    """What its widget makes of a value given; the page gets that in another form."""

    info_text = "a value"

    def __init__(self, default: Any) -> None:
        super().__init__(default_value=default)


class _State(_AnyTrait):
    """A view state: synced with the page, coerced on assignment."""

    info_text = "a value"

    def __init__(self, default: Any) -> None:
        super().__init__(default_value=default)
        self.tag(sync=True)

    def refuse(self, got: object) -> StateError:
        return refuse(self.name or "value", self.info_text, got)


class Name(_State):
    """Any text; None where that is the default, for which the empty text stands too."""

    def __init__(self, default: str | None) -> None:
        super().__init__(default)
        self.optional = default is None
        self.info_text = "a string or None" if self.optional else "a string"

    def validate(self, obj: Any, value: Any) -> str | None:
        """Return the text."""
        if self.optional and (value is None or value == ""):
            return None
        if isinstance(value, str):
            return str(value)
        raise self.refuse(value)


class Choice(_State):
    """One of a few words, and None where that is the default."""

    def __init__(self, options: Sequence[str], default: str | None) -> None:
        super().__init__(default)
        self.options = tuple(options)
        self.optional = default is None
        named = ", ".join(repr(option) for option in self.options)
        self.info_text = f"one of {named}" + (" or None" if self.optional else "")

    def validate(self, obj: Any, value: Any) -> str | None:
        """Return the word."""
        if value is None and self.optional:
            return None
        if isinstance(value, str) and value in self.options:
            return str(value)
        raise self.refuse(value)


class Switch(_State):
    """True or False, and None where ``optional``."""

    def __init__(self, default: bool | None, optional: bool = False) -> None:
        super().__init__(default)
        self.optional = optional
        self.info_text = "True, False or None" if optional else "True or False"

    def validate(self, obj: Any, value: Any) -> bool | None:
        """Return the truth value."""
        if value is None and self.optional:
            return None
        # NumPy calls its own bool_ or bool, by version.
        if type(value).__name__ in ("bool", "bool_"):
            return bool(value)
        raise self.refuse(value)


class Position(_State):
    """A whole number of at least ``least``, and None where ``optional``."""

    def __init__(self, default: int | None, least: int = 0, optional: bool = False) -> None:
        super().__init__(default)
        self.least = least
        self.optional = optional
        self.info_text = f"an int of at least {least}" + (" or None" if optional else "")

    def validate(self, obj: Any, value: Any) -> int | None:
        """Return the number as an int."""
        if value is None and self.optional:
            return None
        number = as_int(value)
        if number is None or number < self.least:
            raise self.refuse(value)
        return number


class Share(_State):
    """A finite number of at least ``least``, at most ``most``."""

    def __init__(self, default: float, least: float = 0.0, most: float = math.inf) -> None:
        super().__init__(default)
        self.least, self.most = least, most
        upper = "" if math.isinf(most) else f", at most {most:g}"
        self.info_text = f"a number of at least {least:g}{upper}"

    def validate(self, obj: Any, value: Any) -> float:
        """Return the number as a float."""
        if isinstance(value, Real) and not isinstance(value, bool):
            number = float(value)
            if math.isfinite(number) and self.least <= number <= self.most:
                return number
        raise self.refuse(value)


class Positions(_State):
    """Distinct positions, kept in the order given; a single int is taken as one position."""

    info_text = "ints of at least 0"

    def __init__(self, optional: bool = False) -> None:
        super().__init__(())
        self.optional = optional

    def validate(self, obj: Any, value: Any) -> tuple[int, ...] | None:
        """Return the positions as a tuple of ints."""
        if value is None and self.optional:
            return None
        single = as_int(value)
        numbers = _positions(value if single is None else (single,))
        if numbers is None:
            raise self.refuse(value)
        return tuple(dict.fromkeys(numbers))


class Shares(_State):
    """Distinct shares of a whole, each above 0 and below 1, ascending."""

    info_text = "numbers above 0 and below 1"

    def validate(self, obj: Any, value: Any) -> tuple[float, ...]:
        """Return the shares as a tuple of floats."""
        items = _items((value,) if isinstance(value, Real) else value)
        if items is None or not all(
            isinstance(item, Real) and not isinstance(item, bool) and 0 < float(item) < 1
            for item in items
        ):
            raise self.refuse(value)
        return tuple(sorted({float(item) for item in items}))


class Chosen(_State):
    """Distinct words of a few, kept in the order given."""

    def __init__(self, options: Sequence[str]) -> None:
        super().__init__(())
        self.choices = tuple(options)
        self.info_text = f"any of {', '.join(repr(option) for option in options)}"

    def validate(self, obj: Any, value: Any) -> tuple[str, ...]:
        """Return the words as a tuple; a single one is taken as such."""
        items = [value] if isinstance(value, str) else _items(value)
        if items is None or not all(item in self.choices for item in items):
            raise self.refuse(value)
        return tuple(dict.fromkeys(str(item) for item in items))


class Window(_State):
    """A part of a map, in tokens: (first query, last query + 1, first key, last key + 1), or None.

    It holds at least one query and one key.
    """

    info_text = "None or (first query, last query + 1, first key, last key + 1), not empty"

    def __init__(self) -> None:
        super().__init__(None)

    def validate(self, obj: Any, value: Any) -> tuple[int, int, int, int] | None:
        """Return the bounds as a tuple of ints."""
        if value is None:
            return None
        numbers = _positions(value)
        if numbers is None or len(numbers) != 4:
            raise self.refuse(value)
        top, bottom, left, right = numbers
        if top >= bottom or left >= right:
            raise self.refuse(value)
        return top, bottom, left, right


class Links(_State):
    """Pairs (query, key) drawn as rings, such as a gold alignment."""

    info_text = "pairs (query, key) of ints of at least 0"

    def __init__(self) -> None:
        super().__init__(())

    def validate(self, obj: Any, value: Any) -> tuple[tuple[int, int], ...]:
        """Return the pairs, sorted."""
        given = _items(value)
        if given is None:
            raise self.refuse(value)
        pairs: set[tuple[int, int]] = set()
        for item in given:
            pair = _positions(item)
            if pair is None or len(pair) != 2:
                raise self.refuse(item)
            pairs.add((pair[0], pair[1]))
        return tuple(sorted(pairs))


def as_int(value: object) -> int | None:
    """Return ``value`` as an int where it is a whole number of any integer type, else None."""
    if type(value).__name__ in ("bool", "bool_"):
        return None
    try:
        return operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        return None


def _positions(value: object) -> list[int] | None:
    """Return the ints that a collection holds, None where it holds anything else."""
    items = _items(value)
    if items is None:
        return None
    numbers = [number for number in map(as_int, items) if number is not None and number >= 0]
    return numbers if len(numbers) == len(items) else None


def _items(value: object) -> list[Any] | None:
    """Return what a collection holds, None for text, mappings and what is no collection."""
    if isinstance(value, (str, bytes, bytearray, Mapping)) or not isinstance(value, Iterable):
        return None
    try:
        return list(value)
    except TypeError:
        # An array without axes calls itself iterable.
        return None
