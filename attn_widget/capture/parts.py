"""What is written down beside a tensor of eager attention: logits, weights, and how they arose."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from .shapes import Lead

Table = tuple[Tensor, Lead]
"""A mask (boolean, True may attend) or bias, and the leading axes it broadcasts to."""


@dataclass(frozen=True)
class Scores:
    """What a tensor of logits is made of.

    Attributes:
        query: (…, Q, D).
        key: (…, K, D).
        lead: Leading axes of the logits.
        scale: Factor of q·k.
        softcap: Largest logit, once tanh was taken and multiplied again.
        bent: Whether tanh was taken and nothing multiplied yet.
        tables: Masks and biases.
        sinks: (H,) where a column of sinks was appended.
        shifted: Whether a number a row was taken away, which softmax does not notice.
        lost: Whether something was done to them that is not known here.
    """

    query: Tensor
    key: Tensor
    lead: Lead
    scale: float = 1.0
    softcap: float | None = None
    bent: bool = False
    tables: tuple[Table, ...] = ()
    sinks: Tensor | None = None
    shifted: bool = False
    lost: bool = False


@dataclass(frozen=True)
class Weights:
    """What a tensor of weights is made of.

    Attributes:
        scores: What softmax was taken of, where it is known.
        lead: Leading axes.
        open_sinks: Whether the column of sinks is still there.
        formed: The weights themselves, where what softmax was taken of is not known.
        turned: Whether their last axes are (K, Q).
    """

    scores: Scores | None
    lead: Lead
    open_sinks: bool = False
    formed: Tensor | None = None
    turned: bool = False


@dataclass(frozen=True)
class Attended:
    """Weights · value: an attention, complete.

    Attributes:
        weights: What is known of the weights.
        given: The weights as they were given to the product, perhaps with (K, Q) at their end.
        turned: Whether they have.
        used: The same, (…, Q, K).
        value: (…, K, Dv).
        arrange: Brings what is laid out like the product to (…, Q, Dv).
    """

    weights: Weights
    given: Tensor
    turned: bool
    used: Tensor
    value: Tensor
    arrange: Callable[[Tensor], Tensor]


Arguments = Sequence[Any]
Named = Mapping[str, Any]


def flat(args: Arguments) -> list[Any]:
    """Arguments with those of lists and tuples in their place."""
    found: list[Any] = []
    for one in args:
        found += one if isinstance(one, (list, tuple)) else [one]
    return found
