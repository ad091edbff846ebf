"""What a picture of a mechanism shows, as numbers and words: nothing of it is drawn here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from ..attention import Attention
from ..mechanisms import Row, Steps, panels_of, recompute, strongest_keys
from ..mechanisms.softmax import Floats
from ..selection import MechanismState
from .reading import Piece, short_number

MOST_KEYS: Final = 16
"""Keys that have a line of their own; ``js/src/mechanism/sight.ts`` shows as many."""

TITLES: Final = {
    "scaled_dot_product": ("scaled dot product", "scale × query · key"),
    "dot": ("dot product", "query · key"),
    "general": ("general", "query W · key"),
    "concat": ("concat", "v · tanh(query W + key U)"),
    "additive": ("additive", "v · tanh(query W + key U)"),
}
"""The name of a mechanism, and how its score arises."""


@dataclass(frozen=True)
class Panel:
    """One query in one mechanism."""

    steps: Steps
    row: Row
    at: int
    """Which of the keys in ``steps`` is the chosen one."""

    @property
    def title(self) -> str:
        """What to call it."""
        return self.steps.name or TITLES[self.steps.mechanism][0]

    @property
    def terms(self) -> list[Floats]:
        """What the score is the sum of, as it arises; see `js/src/mechanism/steps.ts`."""
        steps = self.steps
        left = steps.query if steps.projected_query is None else steps.projected_query
        right = (steps.key if steps.projected_key is None else steps.projected_key)[self.at]
        if steps.v is None:
            return [left * right]
        bent = np.tanh(left + right)
        return [left + right, bent, bent * steps.v]

    @property
    def log_sum(self) -> float:
        """The log-sum-exp of the logits, the sink's among them."""
        peak, total = self.exps[1:]
        return peak + float(np.log(total)) if total > 0 else peak

    @property
    def sink(self) -> float | None:
        """The logit of the sink."""
        sink = self.steps.sink
        return None if sink is None else sink / self.steps.temperature

    @property
    def exps(self) -> tuple[Floats, float, float]:
        """``exp(logit − peak)`` of each key, the peak, and the sum with that of the sink."""
        masked, sink = self.row.masked, self.sink
        peak = float(max(masked.max(initial=-np.inf), -np.inf if sink is None else sink))
        with np.errstate(invalid="ignore", over="ignore"):
            exps = np.exp(masked - (peak if np.isfinite(peak) else 0.0))
        total = float(exps.sum()) + (0.0 if sink is None else float(np.exp(sink - peak)))
        return exps, peak, total

    def forbidden(self, key: int) -> str | None:
        """Return the name of what masks a key, None where nothing does."""
        if not np.isneginf(self.row.masked[key]):
            return None
        names = [name for name, mask in self.steps.masks.items() if not mask[key]]
        return names[0] if names else "bias"

    def weight_text(self, key: int) -> str:
        """Return how a weight comes from logits, in words."""
        mask = self.forbidden(key)
        if mask is not None:
            return f"0: masked ({mask})"
        return f"exp({short_number(float(self.row.masked[key]))} {plus(-self.log_sum)})"


@dataclass(frozen=True)
class MechanismScene:
    """A query, a key, and how the weight between them arises in each mechanism."""

    state: MechanismState
    name: str
    query: str
    keys: tuple[str, ...]
    key: int
    shown: tuple[int, ...]
    """Keys that have a line of their own, in order."""
    panels: tuple[Panel, ...]


def plus(value: float) -> str:
    """Return a number to be added: "+ 0.5" or "− 0.5"."""
    return f"{'−' if value < 0 else '+'} {short_number(abs(value))}"


def read_mechanism(attention: Attention, state: MechanismState) -> MechanismScene:
    """Read what a picture of a mechanism shows.

    Args:
        attention: the map.
        state: what is shown of it.
    """
    query, keys = attention.queries.shown[state.query], attention.keys.shown
    if state.head is None:
        return MechanismScene(state, attention.name, query, keys, 0, (), ())
    place = (state.layer, state.head, state.query)
    first = panels_of(attention.source, *place, [])
    key = int(np.nanargmax(_ranked(first[0].weights))) if state.key is None else state.key
    shown = strongest_keys(first, MOST_KEYS)
    if key not in shown:
        shown[-1] = key
    shown.sort()
    panels = panels_of(attention.source, *place, shown)
    at = shown.index(key)
    read = tuple(Panel(steps, recompute(steps), at) for steps in panels)
    return MechanismScene(state, attention.name, query, keys, key, tuple(shown), read)


def answer(scene: MechanismScene) -> list[Piece]:
    """Return the answer a picture gives: the weight, and how it comes about."""
    if not scene.panels:
        return [Piece("No head is shown.")]
    pieces = [Piece(scene.query, True), Piece(" attends to "), Piece(scene.keys[scene.key], True)]
    for at, panel in enumerate(scene.panels):
        weight = short_number(float(panel.row.weights[scene.key]))
        whose = f" ({panel.title})" if len(scene.panels) > 1 else ""
        pieces += [
            Piece("; " if at else " "),
            Piece(weight, True),
            Piece(f" = {panel.weight_text(scene.key)}{whose}"),
        ]
    return pieces


def _ranked(weights: Floats) -> Floats:
    return np.asarray(np.where(np.isnan(weights), -np.inf, weights))
