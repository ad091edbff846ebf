"""How a map was made from others: the method, its parameters, and what to know of the result."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias, cast

Setting: TypeAlias = "str | int | float | bool | tuple[Setting, ...] | None"
"""What a record can hold of a parameter, and a file keep."""

Notes: TypeAlias = Sequence[str] | Callable[[], Sequence[str]]


class Made:
    """One step on the way to a map.

    Args:
        method: What was done: ``"rollout"``.
        of: The name of the map it was done to; empty where that has none.
        settings: The parameters that decide about the result, by name.
        notes: What to know about the result, each a short phrase; or a function that measures
            them when they are first asked for.
    """

    __slots__ = ("_notes", "method", "of", "settings")

    def __init__(
        self,
        method: str,
        of: str = "",
        settings: Mapping[str, Setting] | None = None,
        notes: Notes = (),
    ) -> None:
        self.method = method
        self.of = of
        self.settings: dict[str, Setting] = dict(settings or {})
        self._notes: Notes = notes if callable(notes) else tuple(notes)

    @property
    def notes(self) -> tuple[str, ...]:
        """What to know about the result; measured now where nobody has asked before."""
        if callable(self._notes):
            self._notes = tuple(self._notes())
        return cast("tuple[str, ...]", self._notes)

    @property
    def call(self) -> str:
        """The method with its parameters, as one would write it: ``rollout(residual=0.5)``."""
        settings = ", ".join(f"{name}={value!r}" for name, value in self.settings.items())
        return f"{self.method}({settings})"

    @property
    def brief(self) -> str:
        """The method with its parameters, and the notes that need no measuring."""
        notes = () if callable(self._notes) else self._notes
        return f"{self.call}: {'; '.join(notes)}" if notes else self.call

    def record(self) -> dict[str, Any]:
        """The step as JSON values; see `of_record`."""
        return {
            "method": self.method,
            "of": self.of,
            "settings": self.settings,
            "notes": list(self.notes),
        }

    @classmethod
    def of_record(cls, record: Mapping[str, Any]) -> Made:
        """The step that `record` described."""
        settings = {str(name): _setting(value) for name, value in record["settings"].items()}
        notes = [str(note) for note in record["notes"]]
        return cls(str(record["method"]), str(record["of"]), settings, notes)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Made):
            return NotImplemented
        return self.record() == other.record()

    def __hash__(self) -> int:
        return hash((self.method, self.of))

    def __str__(self) -> str:
        of = f" of {self.of}" if self.of else ""
        notes = f": {'; '.join(self.notes)}" if self.notes else ""
        return f"{self.call}{of}{notes}"

    def __repr__(self) -> str:
        return f"Made({self.call!r}, of={self.of!r})"


def _setting(value: Any) -> Setting:
    return tuple(map(_setting, value)) if isinstance(value, list) else value
