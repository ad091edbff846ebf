"""What happens to scores before softmax: scale, softcap, bias, temperature, masks, sinks."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Real
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from ..sources import Shape
from .inputs import as_floats
from .softmax import Booleans, Floats, masked_logits, softmax


@dataclass(frozen=True, eq=False)
class Conditions:
    """Options of attention, checked; arrays broadcast to (L, H, Q, K).

    Attributes:
        scale: factor of the scores.
        temperature: divisor of the logits.
        softcap: largest absolute logit before bias, or None.
        bias: all that is added to the logits, or None.
        masks: True where a query may attend, by name.
        sinks: (L, H): a logit a head, or None.
    """

    scale: float
    temperature: float
    softcap: float | None
    bias: Floats | None
    masks: Mapping[str, Booleans]
    sinks: Floats | None

    def logits(self, scaled: Floats) -> Floats:
        """Return what softmax is taken of, (L, H, Q, K)."""
        return masked_logits(
            scaled,
            softcap=self.softcap,
            bias=self.bias,
            temperature=self.temperature,
            masks=self.masks.values(),
        )

    def weights(self, logits: Floats) -> Floats:
        """Return the softmax of the logits beside the sinks, (L, H, Q, K)."""
        if self.sinks is None:
            return softmax(logits)
        return softmax(logits, self.sinks[..., None, None] / self.temperature)

    def sink(self, layer: int, head: int) -> float | None:
        """Return the sink of a head, or None."""
        return None if self.sinks is None else float(self.sinks[layer, head])


def conditions_for(
    shape: Shape,
    *,
    mask: object,
    causal: bool,
    scale: float,
    temperature: float,
    bias: object,
    alibi: object,
    window: int | None,
    softcap: float | None,
    sinks: object,
    offset: int,
) -> Conditions:
    """Check the options of attention for scores (L, H, Q, K).

    `scaled_dot_product_attention` says what they are.

    Raises:
        TypeError: if an option is of a wrong type.
        ValueError: if an option is out of range or does not broadcast.
    """
    from ..qk.arithmetic import NumPyArithmetic
    from ..qk.inputs import rules_for, sinks_for
    from ..qk.steps import reach_masks

    rules = rules_for(
        shape,
        1,
        scale=scale,
        causal=causal,
        mask=mask,
        bias=bias,
        window=window,
        softcap=softcap,
        offset=offset,
    )
    bring = NumPyArithmetic(np.float64)
    added = None if rules.bias is None else cast(Floats, bring.bring(rules.bias.whole()))
    places = np.arange(shape[2])
    slopes = _slopes(alibi, shape[1])
    if slopes is not None:
        away = np.abs(places[:, None] + rules.reach.offset - np.arange(shape[3]))
        distance_bias = -slopes[:, None, None] * away
        added = distance_bias if added is None else added + distance_bias
    masks = reach_masks(rules.reach, places)
    if rules.mask is not None:
        masks["mask"] = bring.bring_mask(rules.mask.whole())
    if isinstance(sinks, Real):
        sinks = np.full(shape[1], float(sinks))
    return Conditions(
        scale=rules.scale,
        temperature=_positive(temperature, "temperature"),
        softcap=rules.softcap,
        bias=added,
        masks=masks,
        sinks=sinks_for(sinks, shape[0], shape[1]),
    )


def alibi_slopes(heads: int) -> Floats:
    """Return the slopes of attention with linear biases: ``2 ** (-8 (i + 1) / heads)``.

    Where the number of heads is no power of 2, those of the power below come first, then every
    second one of the power above. Source: Press et al. 2022 and their code.

    Args:
        heads: number of heads, at least 1.

    Returns:
        (heads,): what a head loses of its logit with each position of distance.

    Raises:
        ValueError: if there is no head.
    """
    if heads < 1:
        raise ValueError(f"heads must be at least 1; got {heads}")
    below = 1 << (heads.bit_length() - 1)
    own, finer = (2.0 ** (-8 * np.arange(1, n + 1) / n) for n in (below, 2 * below))
    return np.concatenate([own, finer[::2][: heads - below]])


def _slopes(alibi: object, heads: int) -> NDArray[np.float64] | None:
    if isinstance(alibi, (bool, np.bool_)):
        return alibi_slopes(heads) if alibi else None
    slopes = as_floats(cast(Any, alibi), "alibi")
    if slopes.shape != (heads,):
        raise ValueError(
            f"alibi must be True, False or one slope a head, shape ({heads},); "
            f"got shape {slopes.shape}"
        )
    return slopes


def _positive(value: object, name: str) -> float:
    number = isinstance(value, Real) and not isinstance(value, bool)
    if not number or not 0 < cast(float, value) < math.inf:
        raise ValueError(f"{name} must be a finite number above 0; got {value!r}")
    return float(cast(float, value))
