"""Other weights with the same answer: how different can a map be and explain the answer as well?"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Final

import numpy as np

from ..attention import Attention
from . import leanings
from .corners import farthest
from .divergence import Numbers, answer, as_numbers, difference, jsd, tvd
from .finding import Finding, Leaning, frozen
from .models import Reweighted, Rows, map_of, rows_of
from .progress import Progress, collect
from .replacement import shuffled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Gradient = Callable[[Numbers], object]
"""Called with weights: ``d answer / d weights``, of the shape of the weights, a class axis first
where the answer is a distribution."""

MEASURED_KEYS: Final = 512
"""Up to so many keys of a single row the gradient is measured where none is given."""
_STEP: Final = 1e-3
_HALVINGS: Final = 7
_THERE: Final = 1e-3
"""Weights this near to the farthest ones are there."""
_WALKS: Final = 2
"""For each row and try: the next try starts elsewhere."""


@dataclass(frozen=True, eq=False, repr=False)
class Counterfactual(Finding):
    """The most different weights found with the same answer."""

    weights: Numbers
    """The other weights, of the shape that was tested."""
    attention: Attention
    """The same as a map, with the labels of the one tested."""
    original: Numbers
    """The weights tested."""
    divergence: float
    """Mean over rows of the JSD between both, 0 to ln 2."""
    moved: float
    """Mean over rows of the share of weight that lies elsewhere (total variation distance)."""
    change: float
    """Of the answer."""
    epsilon: float
    """How far the answer might move; 0 where it can't."""
    closed_form: bool
    """Whether the weights were computed, not searched: the answer is then exactly the same."""
    farthest: bool
    """Whether it is known that none are more different."""

    title: ClassVar[str] = "Other weights, same answer"
    source: ClassVar[str] = "Jain and Wallace 2019, section 4.2.2; Brunner et al. 2020"

    @property
    def value(self) -> float:
        """The JSD between both."""
        return self.divergence

    @property
    def compared_with(self) -> str:
        """The largest divergence there is."""
        return f"at most ln 2 = {math.log(2):.3f}"

    @property
    def leaning(self) -> Leaning:
        """Against, if the weights are very different; for, if all found are alike."""
        found = leanings.of_counterfactual(self.divergence)
        # A search that finds nothing proves nothing.
        return "neither" if found == "for" and not self.farthest else found

    @property
    def told(self) -> str:
        """How different the weights are and how far the answer moved."""
        if self.moved < 5e-4:
            if self.farthest:
                return "No other weights give the same answer: the readout determines them."
            return f"No other weights with the same answer were found in {self.n} tries."
        same = "exactly the same answer" if self.closed_form else "the same answer"
        known = ", the most there can be" if self.farthest else ""
        return (
            f"Other weights, with {self.moved:.0%} of the weight elsewhere, give {same} (it moves "
            f"by {_small(self.change)}). Their JSD to the true ones is {self.divergence:.3f} of at "
            f"most {math.log(2):.3f}{known}."
        )

    def columns(self) -> Mapping[str, Any]:
        """Both weights, a row each key of each query."""
        labels = self.attention.keys.labels
        return {
            "key": np.tile(np.array(labels, dtype=object), self.weights.size // len(labels)),
            "weight": self.original.reshape(-1),
            "counterfactual": self.weights.reshape(-1),
        }

    def plot(self, ax: Axes | None = None) -> Figure:
        """Return a Matplotlib figure of both weights, of the row that differs most.

        Args:
            ax: axes to draw into; a new figure without it.
        """
        from .drawing import draw_pairs

        keys = self.weights.shape[-1]
        before, after = self.original.reshape(-1, keys), self.weights.reshape(-1, keys)
        row = int(np.nan_to_num(jsd(before, after)).argmax())
        pair = {"weights": before[row], "counterfactual": after[row]}
        return draw_pairs(ax, self.attention.keys.shown, pair, self.title)


def counterfactual(
    attention: Attention | object,
    model: Reweighted | None = None,
    *,
    readout: object = None,
    gradient: Gradient | None = None,
    epsilon: float = 0.01,
    n: int = 20,
    mask: object = None,
    seed: int = 0,
    progress: Progress = None,
) -> Counterfactual:
    """Find the most different weights that leave the answer as it is.

    ``max JSD(b, a)  subject to  TVD(f(b), f(a)) <= epsilon``, ``b`` a distribution like ``a``.

    With a *linear readout*, an answer that depends on ``a @ h`` only, this has a closed form:
    ``b = a + eta z`` with ``z`` at right angles to ``[1, h]`` and ``b >= 0`` leaves the answer
    exactly as it is. Such ``z`` exist iff there are more keys than ``rank [1, h]`` (Brunner et al.
    2020). JSD is convex, so the farthest such weights are a corner of that set: all corners are
    tried where they are few, else walked to from several sides.

    Any other model is searched: its gradient (given, or measured on a single row, a call a key)
    stands for the readout, and the way to the farthest weights is followed as far as the answer
    allows; without a gradient, ways to shuffled weights are. Jain and Wallace use 500 steps of Adam
    for the same.

    Source: Jain and Wallace 2019, section 4.2.2; Brunner et al. 2020, "On Identifiability in
    Transformers", for what a readout determines. Wiegreffe and Pinter 2019 object that weights
    changed afterwards are none the model would have learned.

    Args:
        attention: a map of weights, or an array ``(..., K)`` of them.
        model: called with weights of the same shape; needed without ``readout``, and with it used
            to measure the change.
        readout: ``(K,)`` or ``(K, D)``: the answer depends on ``weights @ readout`` only. For a
            map or array of a single row.
        gradient: ``d answer / d weights`` at some weights; ``model.gradient`` where there is one.
        epsilon: how far the answer may move: 0.01 in the paper for classifiers.
        n: how many ways are tried.
        mask: boolean, True where a query may attend; None takes weights of 0 as masked.
        seed: of random ways.
        progress: told the share done; an interrupt keeps what is found.

    Raises:
        ValueError: if there is neither model nor readout, or shapes do not fit.
    """
    rows = rows_of(attention, mask)
    if readout is None and model is None:
        raise ValueError(
            "counterfactual needs a model to call, or readout= where the answer depends on "
            "weights @ readout only"
        )
    if not epsilon >= 0:
        raise ValueError(f"epsilon must be 0 or more; got {epsilon}")
    if n < 1:
        raise ValueError(f"n must be 1 or more; got {n}")
    if readout is not None:
        found, change, known = _closed_form(rows, as_numbers(readout), model, seed)
        extent = {"n": 1, "epsilon": 0.0, "closed_form": True, "farthest": known}
        return _result(attention, rows, found, change, extent)
    assert model is not None
    if gradient is None:
        gradient = getattr(model, "gradient", None)
    search = _Search(rows, model, gradient, epsilon, seed)
    run = collect(search.tries(n), n, progress, Counterfactual.title)
    extent = {**run.extent, "epsilon": epsilon, "closed_form": False, "farthest": False}
    return _result(attention, rows, search.at, search.change, extent)


def _small(change: float) -> str:
    """Return a change of the answer in words; what rounding leaves is none."""
    return "0" if change < 1e-9 else f"{change:.4f}" if change >= 1e-4 else "less than 0.0001"


def _closed_form(
    rows: Rows, readout: Numbers, model: Reweighted | None, seed: int
) -> tuple[Numbers, float, bool]:
    keys = rows.weights.shape[-1]
    if rows.weights.size != keys:
        raise ValueError(
            "a readout is of one row; select it first, such as attention.select(layers=0, heads=0, "
            f"queries=0): got weights of shape {rows.weights.shape}"
        )
    if readout.ndim not in (1, 2) or len(readout) != keys or not np.isfinite(readout).all():
        raise ValueError(
            f"readout must be finite and of shape ({keys},) or ({keys}, D); got {readout.shape}"
        )
    row, free = rows.weights.reshape(-1), rows.mask.reshape(-1)
    other = row.copy()
    other[free], known = farthest(row[free], readout[free], seed=seed)
    found = other.reshape(rows.weights.shape)
    if model is None:
        change = float(np.abs((other - row) @ readout).max(initial=0.0))
    else:
        change = difference(answer(model(found)), answer(model(rows.weights)))
    return found, change, known


class _Search:
    """The way from a map to another one along which the answer hardly moves."""

    def __init__(
        self,
        rows: Rows,
        model: Reweighted,
        gradient: Gradient | None,
        epsilon: float,
        seed: int,
    ) -> None:
        self._rows = rows
        self._model = model
        self._gradient = gradient
        self._epsilon = epsilon
        self._random = np.random.default_rng(seed)
        self._true = answer(model(rows.weights))
        single = rows.weights.size == rows.weights.shape[-1]
        self._measured = single and rows.mask.sum() <= MEASURED_KEYS
        self.at = rows.weights
        self.change = 0.0

    def tries(self, n: int) -> Iterator[float]:
        """Yield the divergence reached after each try, at most ``n``."""
        follows = self._gradient is not None or self._measured
        stuck = False
        for tried in range(1, n + 1):
            before = self.at
            end = self._linear() if follows and not stuck else self._shuffled()
            if follows and not stuck and np.abs(end - self.at).max() < _THERE:
                yield self._distance(self.at)
                return
            # All the margin at once would leave none for further steps.
            self._follow(end, self._epsilon * tried / n)
            stuck = not stuck and self.at is before
            yield self._distance(self.at)

    def _distance(self, weights: Numbers) -> float:
        return float(np.nan_to_num(jsd(weights, self._rows.weights)).mean())

    def _follow(self, end: Numbers, margin: float) -> None:
        """Go towards some weights, as far as the answer stays and the map is more different."""
        start, best = self.at, self._distance(self.at)
        low, high, share = 0.0, 1.0, 1.0
        for _ in range(_HALVINGS):
            weights = start + share * (end - start)
            change = difference(answer(self._model(weights)), self._true)
            if change <= margin:
                if self._distance(weights) > best:
                    self.at, self.change, best = weights, change, self._distance(weights)
                low = share
            else:
                high = share
            if low == 1.0:
                break
            share = (low + high) / 2

    def _shuffled(self) -> Numbers:
        moved = shuffled(Rows(self.at, self._rows.mask), self._random)
        some = self._random.random(moved.shape[:-1]) < self._random.random()
        return np.where(np.asarray(some)[..., None], moved, self.at) if moved.ndim > 1 else moved

    def _linear(self) -> Numbers:
        """Return the farthest weights if the model were as linear as it is at the weights now."""
        keys = self.at.shape[-1]
        slopes = self._slopes().reshape(-1, self.at.size // keys, keys)
        end = self.at.copy().reshape(-1, keys)
        original, free = self._rows.weights.reshape(-1, keys), self._rows.mask.reshape(-1, keys)
        for row, allowed in enumerate(free):
            if allowed.any():
                end[row, allowed], _ = farthest(
                    original[row, allowed],
                    slopes[:, row, allowed].T,
                    end[row, allowed],
                    seed=int(self._random.integers(2**31)),
                    walks=_WALKS,
                )
        return end.reshape(self.at.shape)

    def _slopes(self) -> Numbers:
        """Return ``d answer / d weights``, (classes, ...); of one row up to a constant."""
        if self._gradient is not None:
            slopes = as_numbers(self._gradient(self.at))
            shape = self.at.shape
            if slopes.shape not in (shape, (*self._true.shape, *shape)):
                raise ValueError(
                    f"gradient must return shape {shape}, with the classes first where there are "
                    f"several; got {slopes.shape}"
                )
            return slopes
        places = np.flatnonzero(self._rows.mask)
        here = answer(self._model(self.at))
        slopes = np.zeros((max(here.size, 1), self.at.size))
        total = self.at.sum()
        for place in places:
            # A step towards all weight on one key is a distribution like the others; that it
            # takes weight from all keys adds the same to every slope, which the sum absorbs.
            moved = self.at * (1 - _STEP)
            moved.reshape(-1)[place] += _STEP * total
            slopes[:, place] = (answer(self._model(moved)) - here).reshape(-1) / _STEP
        return slopes


def _result(
    attention: Attention | object,
    rows: Rows,
    found: Numbers,
    change: float,
    extent: dict[str, Any],
) -> Counterfactual:
    map = map_of(attention)
    name = Counterfactual.title.lower()
    return Counterfactual(
        weights=frozen(found),
        attention=Attention(found.reshape(map.shape), map.queries, map.keys, name=name),
        original=frozen(rows.weights),
        divergence=float(np.nan_to_num(jsd(found, rows.weights)).mean()),
        moved=float(tvd(found, rows.weights).mean()),
        change=change,
        **extent,
    )
