"""Methods applied to the maps of a widget: which there are, and their results, kept."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Generator
from math import prod
from typing import Final

from .attention import Attention
from .maps import Maps
from .methods.lazy import SupportsPrepare
from .methods.registry import METHODS, Method, available
from .tasks import run_steps

RESULTS_BYTES: Final = 256 * 1024 * 1024
"""Results kept, those that are held whole; what was used longest ago goes first."""

_BY_NAME: Final = {method.name: method for method in METHODS}
AS_IT_IS: Final = METHODS[0].name
"""The method that leaves a map as it is; None stands for it."""


def method_of(name: str | None) -> Method:
    """Return a method by its name; None is the one that leaves a map as it is."""
    return _BY_NAME[name or AS_IT_IS]


class Applied:
    """The results of methods by map and method: a second look at one is instant.

    Args:
        limit: bytes of results kept at most, beside the one used last.
    """

    def __init__(self, limit: int = RESULTS_BYTES) -> None:
        self._limit = limit
        # With the map it was made of, so that no other one takes its id.
        self._results: OrderedDict[tuple[int, str], tuple[Attention, Attention]] = OrderedDict()

    def of(self, att: Attention, name: str | None) -> Attention:
        """Return what a method makes of a map, maybe unread; the map where it can't be applied."""
        method = _BY_NAME.get(name or AS_IT_IS)
        if method is None or method.name == AS_IT_IS:
            return att
        key = id(att), method.name
        if key not in self._results:
            if method.reason(att, None):
                return att
            self._results[key] = att, method.build(att, None)
            self._forget()
        self._results.move_to_end(key)
        return self._results[key][1]

    def of_all(self, maps: Maps, name: str | None) -> Maps:
        """Return what a method makes of each of some maps, unread."""
        return {of: [self.of(att, name) for att in steps] for of, steps in maps.items()}

    def steps(self, att: Attention, name: object) -> Generator[float, None, str]:
        """Make a result ready to be read, in steps of some 50 ms at most.

        Args:
            att: the map.
            name: the name of the method.

        Yields:
            The share done, 0..1.

        Returns:
            The name of the method.

        Raises:
            ValueError: if it can't be applied.
        """
        method = _BY_NAME.get(str(name))
        why = "it is not known" if method is None else method.reason(att, None)
        if method is None or why:
            names = ", ".join(repr(other.name) for other in available(att)[1:])
            raise ValueError(f"None{names and f' or one of {names}'} for this map: {why}")
        made = self.of(att, method.name)
        if isinstance(made.source, SupportsPrepare):
            try:
                yield from made.source.prepare()
            except ValueError as error:
                raise ValueError(f"another one for this map: {error}") from error
        return method.name

    def why_not(self, att: Attention, name: str) -> str:
        """Make a result ready now; return what was expected instead where it can't be made."""
        try:
            run_steps(self.steps(att, name))
        except ValueError as error:
            return str(error)
        return ""

    def _forget(self) -> None:
        """Drop the oldest results beyond the limit."""
        held = {
            key: 4 * prod(made.shape) if isinstance(made.source, SupportsPrepare) else 0
            for key, (_, made) in self._results.items()
        }
        for key in [*held][:-1]:
            if sum(held.values()) <= self._limit:
                break
            del self._results[key], held[key]


def offered(att: Attention) -> list[Method]:
    """Return the methods to choose from for a map; none where only the map itself is there."""
    found = available(att)
    return found if len(found) > 1 else []
