"""The methods that a map alone is enough for: what a switch beside the layers can offer."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Final

from ..attention import Attention
from .aggregate import maximum, mean, minimum
from .chain import MOST_WEIGHTS, WHOLE
from .compare import relative
from .effective import effective
from .flow import flow
from .gradients import attention_gradient
from .lazy import prepared
from .positions import drop_positions
from .relevance import relevance
from .rollout import gradient_rollout, rollout
from .value_norm import value_norm
from .values import value_size

FLOW_POSITIONS: Final = 64
"""Flow takes seconds up to here."""

Build = Callable[[Attention, "Attention | None"], Attention]
Reason = Callable[[Attention, "Attention | None"], str]


@dataclass(frozen=True)
class Method:
    """A method that can be applied to a map as it is, with its usual parameters."""

    name: str
    """What it is called in code: ``"rollout"``."""
    label: str
    """What a reader sees: ``"rollout"``, ``"largest over heads"``."""
    description: str
    """One line: what the result says."""
    kind: str | None
    """What its numbers are; None is what the map's are."""
    keeps_layers: bool
    """Whether the result has the layers of the map, rather than one."""
    keeps_heads: bool
    """Whether the result has the heads of the map, rather than one."""
    build: Build
    """Makes the result, unread: ``build(att, gradients)``."""
    reason: Reason
    """Why it cannot be applied to a map, in a few words; empty where it can."""

    def steps(
        self, att: Attention, gradients: Attention | None = None
    ) -> Generator[float, None, Attention]:
        """Apply it in steps of some 50 ms at most; closing the generator ends it.

        Args:
            att: A map it is available for.
            gradients: Gradients of the map, for methods that need them.

        Yields:
            The share done, 0 … 1, rising.

        Returns:
            The result, ready to be read.

        Raises:
            ValueError: If it cannot be applied.
        """
        why = self.reason(att, gradients)
        if why:
            raise ValueError(f"{self.label} cannot be applied to this map: {why}")
        return (yield from prepared(self.build(att, gradients)))


def available(att: Attention, gradients: Attention | None = None) -> list[Method]:
    """The methods that can be applied to a map as it is, in the order to offer them.

    Args:
        att: The map.
        gradients: Gradients of the map, where they are known.
    """
    return [method for method in METHODS if not method.reason(att, gradients)]


def _any(*_: object) -> str:
    return ""


def _several_heads(att: Attention, _: object) -> str:
    return "" if att.shape[1] > 1 else "it has one head"


def _several_layers(att: Attention, _: object) -> str:
    return "" if att.shape[0] > 1 else "it has one layer"


def _weights(att: Attention, _: object) -> str:
    return "" if att.kind == "weight" else f"it holds no weights, but kind {att.kind!r}"


def _layers_of_weights(att: Attention, _: object) -> str:
    layers, heads, queries, keys = att.shape
    if why := _weights(att, None):
        return why
    if queries != keys:
        return "it is no self-attention: queries and keys are not the same positions"
    if layers < 2:
        return "it has one layer, so there is nothing to follow"
    if queries > WHOLE and layers * heads * queries**2 > MOST_WEIGHTS:
        return f"{queries} positions are too many"
    return ""


def _few_positions(att: Attention, _: object) -> str:
    if att.shape[2] > FLOW_POSITIONS:
        return f"flow of more than {FLOW_POSITIONS} positions takes too long"
    return _layers_of_weights(att, None)


def _values(att: Attention, _: object) -> str:
    return _weights(att, None) or ("" if value_size(att) else "its values are not known")


def _special(att: Attention, _: object) -> str:
    if att.kind == "score":
        return "it holds scores before softmax"
    special = att.queries.special or att.keys.special
    rest = len(att.queries.special) < att.shape[2] and len(att.keys.special) < att.shape[3]
    return "" if special and rest else "it has no special tokens to drop"


def _gradients(att: Attention, given: Attention | None) -> str:
    if given is None:
        return "its gradients are not known"
    return "" if given.shape == att.shape else "its gradients have another shape"


def _layers_and_gradients(att: Attention, given: Attention | None) -> str:
    return _gradients(att, given) or _layers_of_weights(att, None)


METHODS: Final[tuple[Method, ...]] = (
    Method(
        name="raw",
        label="attention",
        description="the weights as the model computed them",
        kind=None,
        keeps_layers=True,
        keeps_heads=True,
        build=lambda att, _: att,
        reason=_any,
    ),
    Method(
        name="mean",
        label="mean over heads",
        description="what the heads of a layer attend to on average",
        kind=None,
        keeps_layers=True,
        keeps_heads=False,
        build=lambda att, _: mean(att),
        reason=_several_heads,
    ),
    Method(
        name="maximum",
        label="largest over heads",
        description="what any head of a layer attends to; rows no longer sum to 1",
        kind=None,
        keeps_layers=True,
        keeps_heads=False,
        build=lambda att, _: maximum(att),
        reason=_several_heads,
    ),
    Method(
        name="minimum",
        label="smallest over heads",
        description="what all heads of a layer attend to; rows no longer sum to 1",
        kind=None,
        keeps_layers=True,
        keeps_heads=False,
        build=lambda att, _: minimum(att),
        reason=_several_heads,
    ),
    Method(
        name="mean_layers",
        label="mean over layers",
        description="what a head attends to on average over the layers",
        kind=None,
        keeps_layers=False,
        keeps_heads=True,
        build=lambda att, _: mean(att, over="layers"),
        reason=_several_layers,
    ),
    Method(
        name="rollout",
        label="rollout",
        description="attention followed through all layers; deep rollouts tend to be uniform",
        kind="relevance",
        keeps_layers=False,
        keeps_heads=False,
        build=lambda att, _: rollout(att),
        reason=_layers_of_weights,
    ),
    Method(
        name="flow",
        label="attention flow",
        description="the most that can run through all layers; deep flows saturate",
        kind="relevance",
        keeps_layers=False,
        keeps_heads=False,
        build=lambda att, _: flow(att, max_positions=FLOW_POSITIONS),
        reason=_few_positions,
    ),
    Method(
        name="relative",
        label="relative to the mean",
        description="how many times more than queries attend to a key on average",
        kind="relevance",
        keeps_layers=True,
        keeps_heads=True,
        build=lambda att, _: relative(att),
        reason=_weights,
    ),
    Method(
        name="drop_positions",
        label="without special tokens",
        description="rows divided by what special tokens leave of them",
        kind=None,
        keeps_layers=True,
        keeps_heads=True,
        build=lambda att, _: drop_positions(att),
        reason=_special,
    ),
    Method(
        name="value_norm",
        label="norm of what is carried",
        description="weights times the length of the values: sinks of short values vanish",
        kind="norm",
        keeps_layers=True,
        keeps_heads=True,
        build=lambda att, _: value_norm(att),
        reason=_values,
    ),
    Method(
        name="effective",
        label="effective attention",
        description="the part of the weights that the output depends on",
        kind="difference",
        keeps_layers=True,
        keeps_heads=True,
        build=lambda att, _: effective(att),
        reason=_values,
    ),
    Method(
        name="attention_gradient",
        label="attention × gradient",
        description="which weights of a layer raised the answer",
        kind="relevance",
        keeps_layers=True,
        keeps_heads=False,
        build=lambda att, given: attention_gradient(att, given),
        reason=_gradients,
    ),
    Method(
        name="gradient_rollout",
        label="gradient rollout",
        description="rollout of the weights that raised the answer",
        kind="relevance",
        keeps_layers=False,
        keeps_heads=False,
        build=lambda att, given: gradient_rollout(att, given),
        reason=_layers_and_gradients,
    ),
    Method(
        name="relevance",
        label="relevance",
        description="attention and gradients followed through all layers (Chefer et al. 2021)",
        kind="relevance",
        keeps_layers=False,
        keeps_heads=False,
        build=lambda att, given: relevance(att, given),
        reason=_layers_and_gradients,
    ),
)
"""All of them, in the order to offer them."""
