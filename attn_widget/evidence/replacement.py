"""Other weights, the same model: does the answer change when weights are shuffled or made even?"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import permutations
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from ..attention import Attention
from . import leanings
from .divergence import Numbers, answer, difference
from .finding import Finding, Leaning, frozen
from .models import Reweighted, Rows, rows_of
from .progress import Progress, collect

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


@dataclass(frozen=True, eq=False, repr=False)
class Permutation(Finding):
    """How far the answer moves when the weights are shuffled."""

    changes: Numbers
    """(n,): of the answer, for each shuffle."""
    largest_weight: float
    """Mean over rows of the largest weight: what the median change is set beside in the paper."""
    exhaustive: bool
    """Whether these are all orders there are, the true one included."""

    title: ClassVar[str] = "Shuffled weights"
    source: ClassVar[str] = "Jain and Wallace 2019, section 4.2.1"

    @property
    def value(self) -> float:
        """The median change of the answer."""
        return float(np.median(self.changes))

    @property
    def compared_with(self) -> str:
        """The largest weight."""
        return f"a largest weight of {self.largest_weight:.3g}"

    @property
    def leaning(self) -> Leaning:
        """For, if the median change is more than what counts as the same answer."""
        return leanings.of_change(self.value)

    @property
    def told(self) -> str:
        """The median and the largest change."""
        orders = f"all {self.n} orders" if self.exhaustive else f"{self.n} random orders"
        return (
            f"With its weights shuffled the answer changes by {self.value:.3f} (median of "
            f"{orders}; at most {self.changes.max():.3f}); the largest weight is "
            f"{self.largest_weight:.2f}."
        )

    def columns(self) -> Mapping[str, Any]:
        """The change of each run."""
        return {"run": np.arange(self.n), "change": self.changes}

    def plot(self, ax: Axes | None = None) -> Figure:
        """Return a Matplotlib figure of how the changes spread.

        Args:
            ax: axes to draw into; a new figure without it.
        """
        from .drawing import draw_spread

        return draw_spread(ax, self.changes, "change of the answer", self.title)


@dataclass(frozen=True, eq=False, repr=False)
class Uniform(Finding):
    """How far the answer moves when every weight is the same."""

    change: float
    """Of the answer."""
    largest_weight: float
    """Mean over rows of the largest weight."""

    title: ClassVar[str] = "Even weights"
    source: ClassVar[str] = "Wiegreffe and Pinter 2019, section 3.2"

    @property
    def value(self) -> float:
        """The change of the answer."""
        return self.change

    @property
    def compared_with(self) -> str:
        """The largest weight."""
        return f"a largest weight of {self.largest_weight:.3g}"

    @property
    def leaning(self) -> Leaning:
        """For, if the change is more than what counts as the same answer."""
        return leanings.of_change(self.change)

    @property
    def told(self) -> str:
        """The change."""
        return (
            f"With the same weight on every key the answer changes by {self.change:.3f}; the "
            f"largest weight is {self.largest_weight:.2f}."
        )

    def columns(self) -> Mapping[str, Any]:
        """The change."""
        return {"change": np.array([self.change])}


def permutation(
    attention: Attention | object,
    model: Reweighted,
    *,
    n: int = 100,
    mask: object = None,
    seed: int = 0,
    progress: Progress = None,
) -> Permutation:
    """Shuffle the weights of every row and see how far the answer moves.

    ``median_p |f(alpha_p) - f(alpha)|`` over permutations ``p`` of the keys that a query may attend
    to; the total variation distance where the answer is a distribution. A small change says that
    the answer doesn't depend on which keys the weight is on.

    Source: Jain and Wallace 2019, section 4.2.1.

    Args:
        attention: a map of weights, or an array ``(..., K)`` of them.
        model: called with weights of the same shape.
        n: how many shuffles. A single row that has no more orders than that has each tried once.
        mask: boolean, True where a query may attend; None keeps weights of 0 where they are.
        seed: of the random orders.
        progress: told the share done; an interrupt keeps what is done.

    Raises:
        ValueError: if the weights are no weights, ``n`` is below 1, or the model returns neither
            a number nor a distribution.
    """
    rows = rows_of(attention, mask)
    if n < 1:
        raise ValueError(f"n must be 1 or more; got {n}")
    true = answer(model(rows.weights))
    free = int(rows.mask.sum())
    single = rows.weights.size == rows.weights.shape[-1]
    exhaustive = single and free <= 20 and math.factorial(free) <= n
    total = math.factorial(free) if exhaustive else n
    orders = _all_orders(rows) if exhaustive else _random_orders(rows, n, seed)
    run = collect(
        (difference(answer(model(weights)), true) for weights in orders),
        total,
        progress,
        Permutation.title,
    )
    return Permutation(
        **run.extent,
        changes=frozen(run.done),
        largest_weight=rows.largest,
        exhaustive=exhaustive and not run.stopped,
    )


def uniform(attention: Attention | object, model: Reweighted, *, mask: object = None) -> Uniform:
    """Give every key that a query may attend to the same weight and see how far the answer moves.

    ``|f(uniform) - f(alpha)|``; each row keeps its sum. A small change says that the model needs
    no attention for this answer, so that its weights can't explain it.

    Source: Wiegreffe and Pinter 2019, section 3.2, there with a model trained anew; Jain and
    Wallace 2019.

    Args:
        attention: a map of weights, or an array ``(..., K)`` of them.
        model: called with weights of the same shape.
        mask: boolean, True where a query may attend; None takes weights of 0 as masked.

    Raises:
        ValueError: as for `permutation`.
    """
    rows = rows_of(attention, mask)
    true = answer(model(rows.weights))
    change = difference(answer(model(even(rows))), true)
    return Uniform(n=1, change=change, largest_weight=rows.largest)


def even(rows: Rows) -> Numbers:
    """Return rows of the same sums, even over the keys they may attend to."""
    counts = np.maximum(rows.mask.sum(axis=-1, keepdims=True), 1)
    return np.asarray(rows.mask * (rows.weights.sum(axis=-1, keepdims=True) / counts))


def shuffled(rows: Rows, random: np.random.Generator) -> Numbers:
    """Return the rows, each with the weights it may move in a random order of its own."""
    keys = random.random(rows.weights.shape)
    # Masked weights sort last in both orders, each at its own place, so that they stay.
    places = np.arange(rows.weights.shape[-1])
    from_order = np.argsort(np.where(rows.mask, keys, 2.0 + places), axis=-1)
    to_order = np.argsort(np.where(rows.mask, 0.0, 2.0 + places), axis=-1, kind="stable")
    moved = np.empty_like(rows.weights)
    np.put_along_axis(
        moved, to_order, np.take_along_axis(rows.weights, from_order, axis=-1), axis=-1
    )
    return moved


def _random_orders(rows: Rows, n: int, seed: int) -> Iterator[Numbers]:
    random = np.random.default_rng(seed)
    for _ in range(n):
        yield shuffled(rows, random)


def _all_orders(rows: Rows) -> Iterator[Numbers]:
    weights = rows.weights.reshape(-1)
    places = np.flatnonzero(rows.mask)
    for order in permutations(places.tolist()):
        moved = weights.copy()
        moved[places] = weights[list(order)]
        yield moved.reshape(rows.weights.shape)
