"""Whether a layout has as many positions as the axis it is for."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..axes import Segment


def checked(
    segments: list[Segment],
    count: int | None,
    arithmetic: str,
    hint: Callable[[int], str] = lambda more: "",
) -> list[Segment]:
    """The segments, if they have as many positions as the axis.

    Args:
        segments: The layout.
        count: The length of the real axis, or None to trust the layout.
        arithmetic: How the layout counts ("1 + 4 + 29·29").
        hint: What may be wrong, from how many positions the axis has more (or less) than the
            layout; nothing where there is no idea.

    Raises:
        ValueError: If they have not.
    """
    expected = sum(map(len, segments))
    if count is None or count == expected:
        return segments
    sum_up = "" if arithmetic == str(expected) else f"{arithmetic} = "
    idea = hint(count - expected)
    raise ValueError(
        f"expected {sum_up}{expected} positions, got {count}" + (f": {idea}" if idea else "")
    )


def summed(terms: Sequence[str | int]) -> str:
    """Terms of a sum, those that are nothing left out."""
    return " + ".join(str(term) for term in terms if term) or "0"


def square(rows: int, cols: int) -> str:
    """A product of sides ("29·29")."""
    return f"{rows}·{cols}"
