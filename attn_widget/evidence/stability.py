"""Would another training run, or slightly other input, have given another map?"""

from __future__ import annotations

import math
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
class Stability(Finding):
    """How far a map moves from one run to another."""

    over: str
    """What the runs differ in, such as "seeds"."""
    runs: tuple[str, ...]
    """The name of each run."""
    divergences: Numbers
    """(n,): JSD of each run's map to the one tested, the mean over rows."""
    same_top: Numbers
    """(n,): share of rows that have the same strongest key."""

    title: ClassVar[str] = "Stability"
    source: ClassVar[str] = "Wiegreffe and Pinter 2019, section 3.3"

    @property
    def value(self) -> float:
        """The median divergence."""
        return float(np.median(self.divergences))

    @property
    def compared_with(self) -> str:
        """The range of the divergence."""
        return f"0 for the same map, ln 2 = {math.log(2):.3f} for one that shares nothing"

    @property
    def leaning(self) -> Leaning:
        """For, if most rows keep their strongest key; against, if half of them do not."""
        return leanings.of_stability(float(np.mean(self.same_top)))

    @property
    def told(self) -> str:
        """The median and the range of the divergence, and how often the strongest key stays."""
        return (
            f"Over {self.n} other {self.over} the map moves by a JSD of {self.value:.3f} (median; "
            f"{self.divergences.min():.3f} to {self.divergences.max():.3f}), and "
            f"{np.mean(self.same_top):.0%} of rows keep their strongest key."
        )

    def columns(self) -> Mapping[str, Any]:
        """A row each run."""
        return {
            "run": np.array(self.runs, dtype=object),
            "jsd": self.divergences,
            "same_top": self.same_top,
        }

    def plot(self, ax: Axes | None = None) -> Figure:
        """Return a Matplotlib figure of how the divergences spread.

        Args:
            ax: axes to draw into; a new figure without it.
        """
        from .drawing import draw_spread

        return draw_spread(ax, self.divergences, "JSD to the map tested", self.title)


def stability(
    attention: Attention | object,
    runs: Iterable[Attention | object] | Mapping[str, Attention | object],
    *,
    over: str = "seeds",
    progress: Progress = None,
) -> Stability:
    """Compare a map with those of other runs: trained from other seeds, or on input with noise.

    ``JSD(a_run, a)`` of each row and the strongest key of each. A map that another seed of an
    equally good model doesn't have is one story of several. Source: Wiegreffe and Pinter 2019,
    section 3.3, for seeds; the same measure serves for noise.

    Args:
        attention: the map tested, or an array of one.
        runs: the maps of the other runs, of the same shape; may be made on the way.
        over: what the runs differ in, for the sentence: ``"seeds"``, ``"noisy inputs"`` ….
        progress: told the share done; an interrupt keeps what is done.

    Raises:
        TypeError: if something is no map and no array.
        ValueError: if there are none, or shapes differ.
    """
    if isinstance(runs, Attention):
        raise TypeError("runs must be several maps, such as [map]; got one Attention")
    named = runs.items() if isinstance(runs, Mapping) else enumerate(runs, start=1)
    total = len(runs) if isinstance(runs, Sized) else None
    with closing(runs):
        run = collect(
            ((str(name), compare(attention, map)) for name, map in named),
            total,
            progress,
            Stability.title,
        )
    found = run.done
    if not found:
        raise ValueError("runs must give at least one map")
    return Stability(
        **run.extent,
        over=over,
        runs=tuple(name for name, _ in found),
        divergences=frozen([np.nan_to_num(alike.divergence) for _, alike in found]),
        same_top=frozen([alike.same_top for _, alike in found]),
    )
