"""Numbers large and small as short text."""

from __future__ import annotations

from typing import Final

_PREFIXES: Final = ("n", "µ", "m", "", "k", "M", "G", "T", "P", "E")
_NONE: Final = _PREFIXES.index("")


def in_units(number: float, unit: str) -> str:
    """Return a number of at least 0 in three digits, with the prefix of 1,000 that suits it.

    "9.44 MB", "119 MFLOPs", "31.2 µs"; whole numbers below 1,000 have all of their digits.

    Args:
        number: how many.
        unit: of what.
    """
    if number < 1000 and number == int(number):
        return f"{int(number)} {unit}"
    prefix = _NONE
    # What rounds to 1,000 takes the next prefix.
    while number >= 999.5 and prefix < len(_PREFIXES) - 1:
        number, prefix = number / 1000, prefix + 1
    while number < 0.9995 and prefix > 0:
        number, prefix = number * 1000, prefix - 1
    digits = 0 if number >= 99.95 else 1 if number >= 9.995 else 2
    return f"{number:.{digits}f} {_PREFIXES[prefix]}{unit}"
