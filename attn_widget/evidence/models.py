"""What a model must be to be tested, and the rows of a map that a test replaces.

Two callables are all there is to give; neither needs any library:

* `Reweighted`: the answer of the model when its attention is what it is handed;
* `Erased`: the answer of the model when only some of its input is there.

The answer is one number (the probability of a class, say) or a distribution over classes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ..attention import Attention
from .divergence import Numbers, as_numbers

Mask = NDArray[np.bool_]


class Reweighted(Protocol):
    """A model whose attention can be replaced."""

    def __call__(self, weights: Numbers, /) -> object:
        """Return the answer with other weights.

        Args:
            weights: of the shape of the map that is tested: ``(L, H, Q, K)`` for an `Attention`,
                for an array its own, such as ``(K,)``.

        Returns:
            One number, or probabilities that sum to 1.
        """


class Erased(Protocol):
    """A model parts of whose input can be taken away."""

    def __call__(self, keep: Mask, /) -> object:
        """Return the answer with part of the input.

        Args:
            keep: (K,), False for each key that is to be taken away: dropped, replaced by a mask
                token, zeroed. Which of them is for the model to say, and part of the result.

        Returns:
            Probabilities that sum to 1; or one number, which should be the probability of what the
            model predicts: it counts as lost where it falls.
        """


@dataclass(frozen=True)
class Rows:
    """The weights of a map, and where they may lie."""

    weights: Numbers
    """(..., K), in the shape the model is called with."""
    mask: Mask
    """(..., K), True where a query may attend."""

    @property
    def largest(self) -> float:
        """The largest weight, in the mean over rows."""
        return float(self.weights.max(axis=-1).mean())


def rows_of(attention: Attention | object, mask: object = None) -> Rows:
    """Return the rows of a map that a test replaces.

    Args:
        attention: a map of weights, or an array ``(..., K)`` of them.
        mask: boolean, True where a query may attend; broadcasts. None takes weights of exactly 0
            as masked, so that nothing moves where the model can't look.

    Raises:
        ValueError: if the map is of another kind, empty, or holds negative or missing numbers.
    """
    if isinstance(attention, Attention):
        if attention.kind != "weight":
            raise ValueError(
                f"only weights can be replaced in a model; got a map of kind {attention.kind!r}"
            )
        weights = np.asarray(attention, dtype=np.float64)
    else:
        weights = as_numbers(attention)
    if not 1 <= weights.ndim <= 4 or not weights.size:
        raise ValueError(
            f"weights must be (L, H, Q, K), leading axes optional; got shape {weights.shape}"
        )
    if not np.isfinite(weights).all() or (weights < 0).any():
        raise ValueError("weights must be finite and 0 or more to be replaced")
    if mask is None:
        return Rows(weights, weights > 0)
    allowed = np.asarray(mask)
    if allowed.dtype != np.bool_:
        raise ValueError(f"mask must be boolean, True = may attend; got {allowed.dtype}")
    return Rows(weights, np.broadcast_to(allowed, weights.shape))


def map_of(attention: Attention | object) -> Attention:
    """Return what is tested as a map; a single row ``(K,)`` is a map of one query."""
    if isinstance(attention, Attention):
        return attention
    weights = as_numbers(attention)
    return Attention(weights[None] if weights.ndim == 1 else weights)


def scores_of(scores: Attention | object, query: int | None, mask: object) -> tuple[Numbers, Mask]:
    """Return a score for each key, and which keys may be erased.

    Args:
        scores: ``(K,)``; or a map, whose weights are averaged over layers, heads and queries.
        query: which query's row of a map; all of them if None.
        mask: (K,) boolean, True where a key may be erased. None takes all but special tokens of a
            map, and all keys of an array.

    Raises:
        IndexError: if there is no such query.
        ValueError: if shapes do not fit or a score is not a number.
    """
    special: tuple[int, ...] = ()
    if isinstance(scores, Attention):
        special = scores.keys.special
        values = received(scores, query)
    else:
        values = as_numbers(scores)
        if values.ndim != 1:
            raise ValueError(
                "scores must be one number a key, (keys,), or an Attention; got shape "
                f"{values.shape}"
            )
        if query is not None:
            raise ValueError("query chooses a row of an Attention; scores have none")
    if not np.isfinite(values).all():
        raise ValueError("scores must be finite")
    if mask is None:
        eligible = np.ones(len(values), dtype=bool)
        eligible[list(special)] = False
    else:
        eligible = np.asarray(mask)
        if eligible.dtype != np.bool_ or eligible.shape != values.shape:
            raise ValueError(
                f"mask must be boolean of shape {values.shape}; got {eligible.dtype} of shape "
                f"{eligible.shape}"
            )
    if not eligible.any():
        raise ValueError("at least one key must be left to erase; got none")
    return values, eligible


def received(attention: Attention, query: int | None = None) -> Numbers:
    """Return the weight of each key, the mean over layers, heads and queries.

    Args:
        attention: a map; a layer of it is held at a time.
        query: a position that attends; all of them if None.

    Returns:
        (K,).
    """
    layers, _, _, keys = attention.shape
    total = np.zeros(keys)
    for layer in range(layers):
        part = attention[layer] if query is None else attention[layer, :, query][:, None]
        total += np.asarray(part.mean(axis=(0, 1), dtype=np.float64))
    return total / max(layers, 1)
