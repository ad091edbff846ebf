"""Does the order of the weights agree with other measures of what matters? Evidence, no verdict."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from ..attention import Attention
from .divergence import Numbers, answer, as_numbers, difference
from .finding import Finding, Leaning, frozen
from .models import Erased, scores_of
from .progress import Progress, collect
from .ranks import kendall_tau, top_k_distance

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ATTENTION = "attention"
GRADIENTS = "gradients"
LEAVE_ONE_OUT = "leave-one-out"


@dataclass(frozen=True, eq=False, repr=False)
class RankAgreement(Finding):
    """How far several measures put the keys into the same order."""

    pairs: tuple[tuple[str, str], ...]
    """Which two measures; those with attention come first."""
    tau: Numbers
    """(pairs,): Kendall's tau-b over the keys."""
    top: Numbers
    """(pairs,): distance of the strongest keys, 0 the same; see `top_k_distance`."""
    k: int
    """How many are the strongest."""
    scores: Mapping[str, Numbers]
    """Each measure: a number for each key that was compared."""
    labels: tuple[str, ...]
    """The keys that were compared, as a person should read them."""

    title: ClassVar[str] = "Agreement with other measures"
    source: ClassVar[str] = (
        "Jain and Wallace 2019, section 4.1; Neely et al. 2022, “A Song of (Dis)agreement”"
    )

    @property
    def value(self) -> float:
        """The tau of attention with the first other measure."""
        return float(self.tau[0])

    @property
    def compared_with(self) -> str:
        """How far the other measures agree with each other."""
        others = [tau for pair, tau in zip(self.pairs, self.tau, strict=True) if _other(pair)]
        if not others:
            return "1 for the same order, 0 for a random one"
        return f"{others[0]:.2f} between the other measures themselves"

    @property
    def leaning(self) -> Leaning:
        """Neither: measures that explain a model disagree with each other as well."""
        return "neither"

    @property
    def told(self) -> str:
        """Each tau, and that of the other measures with each other."""
        with_attention = [
            f"{self._tau(place)} with {pair[1]}"
            for place, pair in enumerate(self.pairs)
            if not _other(pair)
        ]
        text = (
            f"The order of the {len(self.labels)} keys by attention has a Kendall τ of "
            f"{' and '.join(with_attention)}"
        )
        between = [
            f"{pair[0]} and {pair[1]} reach {self._tau(place)} with each other"
            for place, pair in enumerate(self.pairs)
            if _other(pair)
        ]
        return f"{text}; {', '.join(between)}." if between else f"{text}."

    def _tau(self, place: int) -> str:
        tau = float(self.tau[place])
        return "none (one of them orders nothing)" if math.isnan(tau) else f"{tau:.2f}"

    def columns(self) -> Mapping[str, Any]:
        """A row each pair of measures."""
        return {
            "first": np.array([pair[0] for pair in self.pairs], dtype=object),
            "second": np.array([pair[1] for pair in self.pairs], dtype=object),
            "tau": self.tau,
            f"top_{self.k}_distance": self.top,
        }

    def plot(self, ax: Axes | None = None) -> Figure:
        """Return a Matplotlib figure of the measures, each as shares of its sum.

        Args:
            ax: axes to draw into; a new figure without it.
        """
        from .drawing import draw_pairs

        shares = {
            name: np.abs(scores) / max(float(np.abs(scores).sum()), 1e-300)
            for name, scores in self.scores.items()
        }
        return draw_pairs(ax, self.labels, shares, self.title)


def rank_agreement(
    attention: Attention | object,
    *,
    gradients: object = None,
    leave_one_out: object = None,
    erased: Erased | None = None,
    others: Mapping[str, object] | None = None,
    k: int = 5,
    query: int | None = None,
    mask: object = None,
    progress: Progress = None,
) -> RankAgreement:
    """Compare the order of the keys by weight with their order by other measures.

    Kendall's tau-b over all keys, and the distance of the ``k`` strongest. Low values don't show
    that attention is wrong: gradients and leave-one-out disagree with each other as well, which
    stands beside. (Neely et al. 2022 call for no verdict from agreement.) Source: Jain and Wallace
    2019, section 4.1.

    Args:
        attention: ``(K,)``; or a map, whose weights are averaged over layers, heads and queries.
        gradients: (K,), such as ``|gradient · input|`` of each key; signs play no part.
        leave_one_out: (K,), the change of the answer without each key; see `leave_one_out_changes`.
        erased: called once a key, to measure the same.
        others: further measures by name, (K,) each; of those too the size counts.
        k: how many are the strongest.
        query: which query's row of a map; the mean over all if None.
        mask: (K,) boolean, True for the keys to compare; None leaves out a map's special tokens.
        progress: told the share done; an interrupt ends the test.

    Raises:
        ValueError: if there is nothing to compare with, or shapes don't fit.
    """
    weights, eligible = scores_of(attention, query, mask)
    if erased is not None and leave_one_out is None:
        leave_one_out = leave_one_out_changes(erased, len(weights), progress=progress)
    given = {GRADIENTS: gradients, LEAVE_ONE_OUT: leave_one_out, **(others or {})}
    measures = {ATTENTION: weights[eligible]}
    for name, scores in given.items():
        if scores is None:
            continue
        values = as_numbers(scores)
        if values.shape != weights.shape or not np.isfinite(values).all():
            raise ValueError(
                f"{name} must be finite, one number a key, {weights.shape}; got {values.shape}"
            )
        measures[name] = np.abs(values[eligible])
    if len(measures) < 2:
        raise ValueError(
            "rank_agreement needs another measure: gradients=, leave_one_out=, erased= or others="
        )
    if isinstance(attention, Attention):
        labels = np.array(attention.keys.shown, dtype=object)[eligible]
    else:
        labels = np.flatnonzero(eligible).astype(str)
    pairs = tuple(combinations(measures, 2))
    return RankAgreement(
        n=len(pairs),
        pairs=pairs,
        tau=frozen([kendall_tau(measures[a], measures[b]) for a, b in pairs]),
        top=frozen([top_k_distance(measures[a], measures[b], k) for a, b in pairs]),
        k=k,
        scores={name: frozen(scores) for name, scores in measures.items()},
        labels=tuple(labels.tolist()),
    )


def leave_one_out_changes(erased: Erased, keys: int, *, progress: Progress = None) -> Numbers:
    """Return how far the answer moves without each key.

    ``TVD(f(x without k), f(x))``. Source: Jain and Wallace 2019, section 4.1.

    Args:
        erased: called once with everything and once a key.
        keys: how many there are.
        progress: told the share done.

    Returns:
        (keys,).

    Raises:
        KeyboardInterrupt: if interrupted: a part of the keys can't be put into an order.
    """
    full = answer(erased(np.ones(keys, dtype=bool)))
    run = collect(
        (difference(answer(erased(np.arange(keys) != key)), full) for key in range(keys)),
        keys,
        progress,
        "leave one out",
        least=keys,
    )
    return np.array(run.done)


def _other(pair: tuple[str, str]) -> bool:
    return ATTENTION not in pair
