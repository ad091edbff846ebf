"""Is the map one of this model? A model with random weights should have another one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sized
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from ..attention import Attention
from . import leanings
from .comparison import compare
from .divergence import Numbers
from .finding import Finding, Leaning, frozen
from .progress import Progress, closing, collect

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


@dataclass(frozen=True, eq=False, repr=False)
class Randomisation(Finding):
    """How much of a map is left as more and more of the model is random."""

    steps: tuple[str, ...]
    """What was made random last, at each step."""
    correlations: Numbers
    """(n,): Spearman's rank correlation with the map of the real model."""
    divergences: Numbers
    """(n,): JSD to it."""

    title: ClassVar[str] = "Random model"
    source: ClassVar[str] = "Adebayo et al. 2018"

    @property
    def value(self) -> float:
        """The rank correlation once everything asked for is random."""
        return float(self.correlations[-1])

    @property
    def compared_with(self) -> str:
        """The map of the real model."""
        return "1 for the map of the real model, 0 for an unrelated one"

    @property
    def leaning(self) -> Leaning:
        """Against, if the map is still much the same."""
        return leanings.of_randomised(self.value)

    @property
    def told(self) -> str:
        """The rank correlation at the end, and after the first step."""
        first = f" (after the first step {self.correlations[0]:.2f})" if self.n > 1 else ""
        if np.isnan(self.value):
            return "A model with random weights has a map whose keys are in no order."
        return (
            f"With random weights in the model, {self.n} steps down to {self.steps[-1]}, the "
            f"keys keep a rank correlation of {self.value:.2f}{first} with those of the real map."
        )

    def columns(self) -> Mapping[str, Any]:
        """A row each step."""
        return {
            "step": np.array(self.steps, dtype=object),
            "rank_correlation": self.correlations,
            "jsd": self.divergences,
        }

    def plot(self, ax: Axes | None = None) -> Figure:
        """Return a Matplotlib figure of the correlation after each step.

        Args:
            ax: axes to draw into; a new figure without it.
        """
        from .drawing import Curve, draw_curve

        curve = Curve(
            np.arange(1.0, self.n + 1),
            self.correlations,
            across="parts made random, from the output down",
            up="rank correlation",
            level=0.0,
            beside="unrelated map",
        )
        return draw_curve(ax, curve, self.title)


def randomisation(
    attention: Attention | object,
    randomised: Iterable[tuple[str, Attention | object]] | Mapping[str, Attention | object],
    *,
    progress: Progress = None,
) -> Randomisation:
    """Compare a map with those of the model as more and more of it is made random.

    A map that stays much the same can't say what the model has learned. Source: Adebayo et al.
    2018, "Sanity Checks for Saliency Maps": cascading randomisation, from the output down.

    Args:
        attention: the map of the real model, or an array of one.
        randomised: what was made random and the map then, in order; may be made on the way, such
            as by `cascade`.
        progress: told the share done; an interrupt keeps what is done.

    Raises:
        TypeError: if something is no map and no array.
        ValueError: if there are none, or shapes differ.
    """
    pairs = randomised.items() if isinstance(randomised, Mapping) else randomised
    total = len(pairs) if isinstance(pairs, Sized) else None
    with closing(randomised):
        run = collect(
            ((name, compare(attention, map)) for name, map in pairs),
            total,
            progress,
            Randomisation.title,
        )
    found = run.done
    if not found:
        raise ValueError("randomised must give at least one (name, map)")
    return Randomisation(
        **run.extent,
        steps=tuple(str(name) for name, _ in found),
        correlations=frozen([alike.correlation for _, alike in found]),
        divergences=frozen([alike.divergence for _, alike in found]),
    )
