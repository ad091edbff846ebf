"""One number of a model, followed while parts of its input are taken away."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from ..attention import Attention
from .divergence import Numbers, answer
from .models import Erased, Mask, scores_of

Places = NDArray[np.intp]


class Followed:
    """A model, the keys in the order of their scores, and the number that is followed.

    Args:
        scores: ``(K,)``; or a map, whose weights are averaged over layers, heads and queries.
        model: called with the keys to keep.
        query: which query's row of a map; the mean over all if None.
        mask: (K,) boolean, True where a key may be erased; None spares a map's special tokens.
        target: the class whose probability is followed; the likeliest one if None.

    Raises:
        ValueError: if shapes don't fit, there is no such class, or the model returns neither a
            number nor a distribution.
    """

    def __init__(
        self,
        scores: Attention | object,
        model: Erased,
        *,
        query: int | None,
        mask: object,
        target: int | None,
    ) -> None:
        values, self._eligible = scores_of(scores, query, mask)
        self._model = model
        everything = answer(model(np.ones(len(values), dtype=bool)))
        self._target = _target(everything, target)
        self.full = self._followed(everything)
        places = np.flatnonzero(self._eligible)
        self.ranked: Places = places[np.argsort(-values[places], kind="stable")]
        """The keys that may be erased, the strongest first, of equal ones the first."""

    def without(self, chosen: Places) -> float:
        """Return the answer without some keys."""
        return self._answer(chosen, erase=True)

    def only(self, chosen: Places) -> float:
        """Return the answer with no others of the keys that may be erased."""
        return self._answer(chosen, erase=False)

    def orders(self, count: int, seed: int) -> Iterator[Places]:
        """Yield the order of the scores, then as many random ones.

        Raises:
            ValueError: if ``count`` is negative.
        """
        if count < 0:
            raise ValueError(f"orders must be 0 or more; got {count}")
        random = np.random.default_rng(seed)
        yield self.ranked
        for _ in range(count):
            yield random.permutation(self.ranked)

    def _answer(self, chosen: Places, *, erase: bool) -> float:
        keep: Mask = np.ones(len(self._eligible), dtype=bool) if erase else ~self._eligible
        keep[chosen] = not erase
        return self._followed(answer(self._model(keep)))

    def _followed(self, found: Numbers) -> float:
        if bool(found.ndim) != (self._target is not None):
            raise ValueError("the model must always return the same shape")
        return float(found if self._target is None else found[self._target])


def share_as_good(random: Numbers, value: float, *, more: bool) -> float:
    """Return the share of random orders that do at least as well, the one at hand counted."""
    if not random.size:
        return float("nan")
    slack = 1e-12
    as_good = random >= value - slack if more else random <= value + slack
    return float((as_good.sum() + 1) / (random.size + 1))


def _target(everything: Numbers, target: int | None) -> int | None:
    if not everything.ndim:
        if target is not None:
            raise ValueError("target chooses a class; the model returned one number")
        return None
    if target is None:
        return int(everything.argmax())
    if not 0 <= target < len(everything):
        raise ValueError(f"target must be a class 0 … {len(everything) - 1}; got {target}")
    return target
