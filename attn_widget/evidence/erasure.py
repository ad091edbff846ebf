"""Does the answer rest on what the map marks? Take that away, or leave nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Final

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

SHARES: Final = (0.01, 0.05, 0.1, 0.2, 0.5)
"""Shares of the keys that count as marked: DeYoung et al. 2020, section 4.2."""


def aopc(full: float, erased: ArrayLike) -> float:
    """Return the area over the perturbation curve: the mean of ``f(x) - f(erased x)``.

    Source: Samek et al. 2017; of the five default shares, DeYoung et al. 2020 (ERASER).

    Args:
        full: the answer with everything there.
        erased: (n,), the answers with less.

    Raises:
        ValueError: if there are none.
    """
    answers = as_numbers(erased)
    if answers.ndim != 1 or not answers.size:
        raise ValueError(f"erased must hold answers, (n,); got shape {answers.shape}")
    return float((full - answers).mean())


@dataclass(frozen=True, eq=False, repr=False)
class Erasure(Finding):
    """What the answer loses when keys are erased, most attended first."""

    full: float
    """The answer with everything there: the probability of the class that is followed."""
    shares: Numbers
    """(n,): of the keys."""
    counts: Numbers
    """(n,): how many keys that is, one at least."""
    answers: Numbers
    """(n,): the answer at each share."""
    random: Numbers
    """(orders,): AOPC of random orders."""

    @property
    def value(self) -> float:
        """The mean loss over the shares (AOPC)."""
        return aopc(self.full, self.answers)

    @property
    def compared_with(self) -> str:
        """The median of random orders."""
        if not self.random.size:
            return "no random orders"
        return f"{np.median(self.random):.3f}, the median of {self.random.size} random orders"

    @property
    def as_good(self) -> float:
        """The share of random orders that do at least as well, this one counted; NaN of none."""
        return share_as_good(self.random, self.value, more=self._more)

    @property
    def leaning(self) -> Leaning:
        """For, if hardly any random order does as well; against, if half of them do."""
        return leanings.of_random_orders(self.as_good)

    _more: ClassVar[bool]

    def columns(self) -> Mapping[str, Any]:
        """A row each share."""
        return {
            "share": self.shares,
            "keys": self.counts.astype(int),
            "answer": self.answers,
            "loss": self.full - self.answers,
        }

    def plot(self, ax: Axes | None = None) -> Figure:
        """Return a Matplotlib figure of the loss at each share.

        Args:
            ax: axes to draw into; a new figure without it.
        """
        from .drawing import Curve, draw_curve

        return draw_curve(
            ax,
            Curve(
                self.shares,
                self.full - self.answers,
                across="share of the keys",
                up="loss of the answer",
                level=float(np.median(self.random)) if self.random.size else None,
                beside="random orders, mean",
            ),
            self.title,
        )


class Comprehensiveness(Erasure):
    """What the answer loses without the keys that the map marks."""

    title: ClassVar[str] = "Comprehensiveness"
    source: ClassVar[str] = "DeYoung et al. 2020 (ERASER), section 4.2"
    _more: ClassVar[bool] = True

    @property
    def told(self) -> str:
        """The loss, beside that of random orders."""
        return (
            f"Without its most attended keys the answer of {self.full:.3f} {_moves(self.value)} "
            f"(mean over {len(self.shares)} shares){_beside(self, 'erased')}"
        )


class Sufficiency(Erasure):
    """What the answer loses with nothing but the keys that the map marks."""

    title: ClassVar[str] = "Sufficiency"
    source: ClassVar[str] = "DeYoung et al. 2020 (ERASER), section 4.2"
    _more: ClassVar[bool] = False

    @property
    def told(self) -> str:
        """The loss, beside that of random orders."""
        return (
            f"With nothing but its most attended keys the answer of {self.full:.3f} "
            f"{_moves(self.value)} (mean over {len(self.shares)} shares){_beside(self, 'kept')}"
        )


def comprehensiveness(
    scores: Attention | object,
    model: Erased,
    *,
    shares: Sequence[float] = SHARES,
    target: int | None = None,
    orders: int = 20,
    query: int | None = None,
    mask: object = None,
    seed: int = 0,
    progress: Progress = None,
) -> Comprehensiveness:
    """Erase the strongest keys and see what the answer loses: ``f(x) - f(x without r)``.

    Averaged over shares of the keys (AOPC). High is good: the answer needs what the map marks. The
    same for random orders stands beside, since long inputs lose little whatever is erased.

    Source: DeYoung et al. 2020, "ERASER", section 4.2.

    Args:
        scores: ``(K,)``; or a map, whose weights are averaged over layers, heads and queries.
        model: called with the keys to keep.
        shares: of the keys that may be erased, 0..1; at least one key is.
        target: the class whose probability is followed; the likeliest one if None.
        orders: how many random orders to compare with.
        query: which query's row of a map; the mean over all if None.
        mask: (K,) boolean, True where a key may be erased; None spares a map's special tokens.
        seed: of the random orders.
        progress: told the share done; an interrupt keeps what is done.

    Raises:
        ValueError: if shapes or shares don't fit, or the model returns neither a number nor a
            distribution.
    """
    followed = Followed(scores, model, query=query, mask=mask, target=target)
    return Comprehensiveness(**_loss(followed, shares, orders, seed, progress, Comprehensiveness))


def sufficiency(
    scores: Attention | object,
    model: Erased,
    *,
    shares: Sequence[float] = SHARES,
    target: int | None = None,
    orders: int = 20,
    query: int | None = None,
    mask: object = None,
    seed: int = 0,
    progress: Progress = None,
) -> Sufficiency:
    """Keep nothing but the strongest keys and see what the answer loses: ``f(x) - f(r)``.

    Averaged over shares of the keys (AOPC). Low is good: what the map marks is enough.

    Source: DeYoung et al. 2020, "ERASER", section 4.2.

    Args:
        scores: as for `comprehensiveness`.
        model: called with the keys to keep; those outside ``mask`` always are.
        shares: of the keys that may be erased, 0..1; at least one key is kept.
        target: as for `comprehensiveness`.
        orders: as for `comprehensiveness`.
        query: as for `comprehensiveness`.
        mask: as for `comprehensiveness`.
        seed: of the random orders.
        progress: told the share done; an interrupt keeps what is done.

    Raises:
        ValueError: as for `comprehensiveness`.
    """
    followed = Followed(scores, model, query=query, mask=mask, target=target)
    return Sufficiency(**_loss(followed, shares, orders, seed, progress, Sufficiency))


def _loss(
    model: Followed, shares: Sequence[float], orders: int, seed: int, progress: Progress, kind: Any
) -> dict[str, Any]:
    if not len(shares) or not all(0 < share <= 1 for share in shares):
        raise ValueError(f"shares must be above 0 and at most 1; got {tuple(shares)}")
    counts = [max(1, int(np.ceil(share * len(model.ranked) - 1e-9))) for share in shares]
    answered = model.without if kind is Comprehensiveness else model.only

    def answers(order: Places) -> Numbers:
        # Short inputs have the same count at several shares.
        known = {count: answered(order[:count]) for count in dict.fromkeys(counts)}
        return np.array([known[count] for count in counts])

    run = collect(map(answers, model.orders(orders, seed)), orders + 1, progress, kind.title)
    found = run.done
    return {
        **run.extent,
        "full": model.full,
        "shares": frozen(shares),
        "counts": frozen(counts),
        "answers": frozen(found[0]),
        "random": frozen([aopc(model.full, row) for row in found[1:]]),
    }


def _beside(found: Erasure, verb: str) -> str:
    if not found.random.size:
        return "."
    median = _moves(float(np.median(found.random)))
    return f"; with random keys {verb} it {median} (median of {found.random.size} orders)."


def _moves(loss: float) -> str:
    return f"falls by {loss:.3f}" if loss >= 0 else f"rises by {-loss:.3f}"
