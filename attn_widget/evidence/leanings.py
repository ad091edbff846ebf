"""When a number speaks for a map and when against it.

No paper draws these lines; `thresholds` says where ours come from. They sort the page that
`evidence.report` shows and change no number on it.
"""

from __future__ import annotations

import math

from ..thresholds import (
    ALIKE,
    CHANCE,
    LIKE_MAP,
    OTHER_MAP,
    SAME_ANSWER,
    STABLE_TOP,
    UNLIKE,
)
from .finding import Leaning


def of_change(change: float) -> Leaning:
    """Other weights should change the answer."""
    return "for" if change > SAME_ANSWER else "against"


def of_counterfactual(divergence: float) -> Leaning:
    """There should be no very different weights with the same answer."""
    return _between(divergence, LIKE_MAP, OTHER_MAP)


def of_random_orders(as_good: float) -> Leaning:
    """Few random orders should do as well."""
    return "neither" if math.isnan(as_good) else _between(as_good, CHANCE, 0.5)


def of_randomised(similarity: float) -> Leaning:
    """The map of a random model should be another."""
    return "neither" if math.isnan(similarity) else _between(similarity, UNLIKE, ALIKE)


def of_stability(same_top: float) -> Leaning:
    """Another run should have the same strongest keys."""
    return "neither" if math.isnan(same_top) else _between(1 - same_top, 1 - STABLE_TOP, 0.5)


def of_truth(share: float, chance: float) -> Leaning:
    """More weight should lie on what decides than would by chance."""
    if math.isnan(share):
        return "neither"
    return _between(chance - share, -chance, 0.0)


def _between(number: float, good: float, bad: float) -> Leaning:
    """Return "for" up to ``good``, "against" from ``bad`` on."""
    slack = 1e-9
    return "for" if number <= good + slack else "against" if number >= bad else "neither"
