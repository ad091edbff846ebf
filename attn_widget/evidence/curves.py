"""The answer while keys are erased or put back one after the other, strongest first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from numpy.typing import ArrayLike

from ..attention import Attention
from . import leanings
from .divergence import Numbers, as_numbers
from .finding import Finding, Leaning, frozen
from .followed import Followed, Places, share_as_good
from .models import Erased
from .progress import Progress, collect

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Order = Literal["most", "least"]


def auc(answers: ArrayLike) -> float:
    """Return the area under a curve of evenly spaced points over 0..1, by trapezoids.

    ``(sum - first/2 - last/2) / (n - 1)``. Source: Petsiuk et al. 2018 (RISE).

    Args:
        answers: (n,), two or more.

    Raises:
        ValueError: if there are fewer.
    """
    heights = as_numbers(answers)
    if heights.ndim != 1 or len(heights) < 2:
        raise ValueError(f"a curve must have two points or more, (n,); got shape {heights.shape}")
    return float((heights.sum() - (heights[0] + heights[-1]) / 2) / (len(heights) - 1))


@dataclass(frozen=True, eq=False, repr=False)
class AnswerCurve(Finding):
    """The answer as a function of how many keys are gone or back."""

    shares: Numbers
    """(points,): of the keys, 0 to 1."""
    answers: Numbers
    """(points,): the answer at each."""
    random: Numbers
    """(orders, points): the same in random orders."""
    order: Order
    """Whether the most or the least attended keys come first."""

    _falls: ClassVar[bool]
    _verb: ClassVar[str]

    @property
    def value(self) -> float:
        """The area under the curve."""
        return float(_area(self.answers, self.shares))

    @property
    def random_auc(self) -> Numbers:
        """(orders,): the area under each random curve."""
        return _area(self.random, self.shares)

    @property
    def compared_with(self) -> str:
        """The median of random orders."""
        if not len(self.random):
            return "no random orders"
        return f"{np.median(self.random_auc):.3f}, the median of {len(self.random)} random orders"

    @property
    def as_good(self) -> float:
        """The share of random orders that do at least as well, this one counted; NaN of none."""
        more = self._falls == (self.order == "least")
        return share_as_good(self.random_auc, self.value, more=more)

    @property
    def leaning(self) -> Leaning:
        """For, if hardly any random order does as well; against, if half of them do."""
        return leanings.of_random_orders(self.as_good)

    @property
    def told(self) -> str:
        """The area, beside that of random orders."""
        text = (
            f"{self._verb} the {self.order} attended keys first, the answer goes from "
            f"{self.answers[0]:.3f} to {self.answers[-1]:.3f} with an area of {self.value:.3f}"
        )
        if not len(self.random):
            return f"{text}."
        good = "lower" if self._falls == (self.order == "most") else "higher"
        return (
            f"{text} ({good} is better); in random orders {np.median(self.random_auc):.3f} "
            f"(median of {len(self.random)})."
        )

    def columns(self) -> Mapping[str, Any]:
        """A row each point; the mean of the random orders beside it."""
        table: dict[str, Any] = {"share": self.shares, "answer": self.answers}
        if len(self.random):
            table["random"] = self.random.mean(axis=0)
        return table

    def plot(self, ax: Axes | None = None) -> Figure:
        """Return a Matplotlib figure of the curve and of those of random orders.

        Args:
            ax: axes to draw into; a new figure without it.
        """
        from .drawing import Curve, draw_curve

        curve = Curve(
            self.shares,
            self.answers,
            across=f"share of the keys {self._gone}, {self.order} attended first",
            up="answer",
            bundle=self.random,
            beside="random orders",
        )
        return draw_curve(ax, curve, self.title)

    _gone: ClassVar[str]


class Deletion(AnswerCurve):
    """The answer while keys are erased."""

    title: ClassVar[str] = "Deletion"
    source: ClassVar[str] = "Petsiuk et al. 2018 (RISE)"
    _falls: ClassVar[bool] = True
    _verb: ClassVar[str] = "Erasing"
    _gone: ClassVar[str] = "erased"


class Insertion(AnswerCurve):
    """The answer while keys are put back."""

    title: ClassVar[str] = "Insertion"
    source: ClassVar[str] = "Petsiuk et al. 2018 (RISE)"
    _falls: ClassVar[bool] = False
    _verb: ClassVar[str] = "Putting back"
    _gone: ClassVar[str] = "put back"


def deletion(
    scores: Attention | object,
    model: Erased,
    *,
    order: Order = "most",
    points: int = 20,
    target: int | None = None,
    orders: int = 20,
    query: int | None = None,
    mask: object = None,
    seed: int = 0,
    progress: Progress = None,
) -> Deletion:
    """Erase keys one after the other, strongest first, and follow the answer.

    A small area under the curve is good: the answer falls as soon as what the map marks is gone.
    With ``order="least"`` a large one is. The two sum to 1 for a model that adds its keys up.

    Source: Petsiuk et al. 2018, "RISE".

    Args:
        scores: ``(K,)``; or a map, whose weights are averaged over layers, heads and queries.
        model: called with the keys to keep.
        order: which keys go first, the most or the least attended.
        points: steps at most; with fewer keys one a step.
        target: the class whose probability is followed; the likeliest one if None.
        orders: how many random orders to compare with.
        query: which query's row of a map; the mean over all if None.
        mask: (K,) boolean, True where a key may be erased; None spares a map's special tokens.
        seed: of the random orders.
        progress: told the share done; an interrupt keeps what is done.

    Raises:
        ValueError: if shapes don't fit, ``points`` is below 1, or the model returns neither a
            number nor a distribution.
    """
    followed = Followed(scores, model, query=query, mask=mask, target=target)
    return Deletion(**_curve(followed, Deletion, order, points, orders, seed, progress))


def insertion(
    scores: Attention | object,
    model: Erased,
    *,
    order: Order = "most",
    points: int = 20,
    target: int | None = None,
    orders: int = 20,
    query: int | None = None,
    mask: object = None,
    seed: int = 0,
    progress: Progress = None,
) -> Insertion:
    """Put keys back one after the other, strongest first, and follow the answer.

    A large area under the curve is good: the answer is there as soon as what the map marks is.

    Source: Petsiuk et al. 2018, "RISE".

    Args:
        scores: as for `deletion`.
        model: called with the keys to keep.
        order: which keys come first, the most or the least attended.
        points: steps at most; with fewer keys one a step.
        target: as for `deletion`.
        orders: as for `deletion`.
        query: as for `deletion`.
        mask: as for `deletion`.
        seed: of the random orders.
        progress: told the share done; an interrupt keeps what is done.

    Raises:
        ValueError: as for `deletion`.
    """
    followed = Followed(scores, model, query=query, mask=mask, target=target)
    return Insertion(**_curve(followed, Insertion, order, points, orders, seed, progress))


def _curve(
    model: Followed,
    kind: type[AnswerCurve],
    order: Order,
    points: int,
    orders: int,
    seed: int,
    progress: Progress,
) -> dict[str, Any]:
    if order not in ("most", "least"):
        raise ValueError(f'order must be "most" or "least"; got {order!r}')
    if points < 1:
        raise ValueError(f"points must be 1 or more; got {points}")
    keys = len(model.ranked)
    counts = np.unique(np.linspace(0, keys, min(points, keys) + 1).round().astype(int))
    answered = model.without if kind is Deletion else model.only

    def answers(places: Places) -> list[float]:
        row = places if order == "most" else places[::-1]
        return [answered(row[:count]) for count in counts.tolist()]

    run = collect(map(answers, model.orders(orders, seed)), orders + 1, progress, kind.title)
    found = run.done
    return {
        **run.extent,
        "shares": frozen(counts / keys),
        "answers": frozen(found[0]),
        "random": frozen(np.reshape(found[1:], (len(found) - 1, len(counts)))),
        "order": order,
    }


def _area(heights: Numbers, places: Numbers) -> Numbers:
    """Return the areas under curves (..., points); the steps of many keys may differ by one."""
    return np.asarray(((heights[..., 1:] + heights[..., :-1]) / 2 * np.diff(places)).sum(axis=-1))
