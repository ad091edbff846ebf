"""Trace: attention with every intermediate, which shows itself step by step."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..attention import Attention
from ..frames import frame_of
from .computed import Computed
from .gradients import Gradients, gradients_of
from .inputs import as_floats
from .softmax import Booleans, Floats
from .source import BesideSource, TraceSource

if TYPE_CHECKING:
    import pandas as pd

    from ..widget import AttentionWidget

FORMULAS = {
    "scaled_dot_product": "query · key",
    "dot": "query · key",
    "general": "(query @ w) · key",
    "concat": "v · tanh([query; key] @ w)",
    "additive": "v · tanh(query @ w_query + key @ w_key)",
}
"""How a score arises, by mechanism."""


class Trace:
    """Attention, step by step: every intermediate in float64, leading axes as they were given.

    Made by `scaled_dot_product_attention`, `additive_attention` and `multiplicative_attention`.
    At the end of a cell it shows itself in the mechanism view.

    Args:
        computed: what was computed, (L, H, …).
        axes: how many axes the queries were given with, 2 to 4.
        attention: the weights as a map; its source tells how they come about.
    """

    def __init__(self, computed: Computed, axes: int, attention: Attention) -> None:
        self._computed = computed
        self._axes = axes
        self._attention = attention
        self._widget: AttentionWidget | None = None

    @property
    def mechanism(self) -> str:
        """How a score arises: one of the names in `Mechanism`."""
        return self._computed.scored.mechanism

    @property
    def query(self) -> Floats:
        """(…, Q, Dq): the queries."""
        return self._kept(self._computed.scored.query)

    @property
    def key(self) -> Floats:
        """(…, K, Dk): the keys; of grouped heads those given."""
        return self._kept(self._computed.scored.key)

    @property
    def value(self) -> Floats | None:
        """(…, K, Dv): the values, or None."""
        return self._optional(self._computed.value)

    @property
    def projected_query(self) -> Floats | None:
        """(…, Q, A): ``query @ w_query``, ``query @ w`` of ``"general"``; None of dot products."""
        return self._optional(self._computed.scored.projected_query)

    @property
    def projected_key(self) -> Floats | None:
        """(…, K, A): ``key @ w_key``, the keys of ``"general"``; None of dot products."""
        return self._optional(self._computed.scored.projected_key)

    @property
    def scores(self) -> Floats:
        """(…, Q, K): the raw score of each pair."""
        return self._kept(self._computed.scored.scores)

    @property
    def scaled(self) -> Floats:
        """(…, Q, K): ``scale · scores``."""
        return self._kept(self._computed.scaled)

    @property
    def masked(self) -> Floats:
        """(…, Q, K): the logits: after softcap, bias, temperature; −inf where none may attend."""
        return self._kept(self._computed.masked)

    @property
    def allowed(self) -> Booleans:
        """(…, Q, K): where a query may attend. Rows without any have no weights: all zeros."""
        return ~np.isneginf(self.masked)

    @property
    def weights(self) -> Floats:
        """(…, Q, K): the weights."""
        return self._kept(self._computed.weights)

    @property
    def leak(self) -> Floats:
        """(…, Q): what a row lacks of 1: what sinks and locality take; 1 of a row without keys."""
        return np.asarray(1.0 - self.weights.sum(axis=-1))

    @property
    def positions(self) -> Floats | None:
        """(…, Q): the position around which a query looks (local-p), or None."""
        locality = self._computed.locality
        return None if locality is None else self._kept(locality.positions)

    @property
    def weighted_values(self) -> Floats | None:
        """(…, Q, K, Dv): ``weight · value`` of each pair, computed anew on each call: it is large.

        None where there are no values.
        """
        if self._computed.value is None:
            return None
        groups = self._computed.value.shape[1]
        layers, heads, queries, keys = self._computed.weights.shape
        weights = self._computed.weights.reshape(layers, groups, heads // groups, queries, keys, 1)
        found = weights * self._computed.value[:, :, None, None]
        return self._kept(found.reshape(layers, heads, queries, keys, -1))

    @property
    def output(self) -> Floats | None:
        """(…, Q, Dv): ``weights @ value``, or None where there are no values."""
        return self._optional(self._computed.output)

    @property
    def attention(self) -> Attention:
        """The weights as a map, which knows how they came about."""
        return self._attention

    def gradients(self, grad_output: object = None, *, grad_weights: object = None) -> Gradients:
        """Return how a loss changes with all that the attention was made of, in closed form.

        Args:
            grad_output: (…, Q, Dv): how the loss changes with the output.
            grad_weights: (…, Q, K): how it changes with the weights, beside what comes through the
                output.

        Raises:
            TypeError: if neither is given, or there are no values for ``grad_output``.
            ValueError: if shapes are others.
        """
        computed = self._computed
        if grad_output is None and grad_weights is None:
            raise TypeError("gradients() needs grad_output or grad_weights; got neither")
        if grad_output is not None and computed.output is None:
            raise TypeError("grad_output needs values; the attention was given none")
        of_output = self._grad(grad_output, computed.output, "grad_output")
        of_weights = self._grad(grad_weights, computed.weights, "grad_weights")
        found = gradients_of(computed, of_output, of_weights)
        return Gradients(
            **{name: self._kept(grad) if grad.ndim == 4 else grad for name, grad in found.items()}
        )

    def beside(self, *others: Trace) -> Attention:
        """Return one map that shows several mechanisms side by side, on the same pair.

        Its weights, in every view, are those of this trace; the mechanism view has a panel for
        each. `SupportsPanels` is how its source tells.

        Args:
            others: traces with as many layers, heads, queries and keys.

        Raises:
            TypeError: if one of them is no trace.
            ValueError: if shapes differ.
        """
        for other in others:
            if not isinstance(other, Trace):
                raise TypeError(f"beside() takes traces; got {type(other).__name__}")
        traces = (self, *others)
        return Attention(
            BesideSource([TraceSource(trace._computed) for trace in traces]),
            self._attention.queries,
            self._attention.keys,
            name=" beside ".join(trace._title for trace in traces),
        )

    def to_frame(self) -> pd.DataFrame:
        """Return a DataFrame with a row for each layer, head, query and key.

        Columns: layer, head, query, query_label, key, key_label, score, scaled, masked, weight.

        Raises:
            ImportError: if pandas is not installed.
        """
        layer, head, query, key = (
            index.ravel() for index in np.indices(self._computed.weights.shape)
        )
        labels = (
            np.asarray([*axis.labels], dtype=object)
            for axis in (self._attention.queries, self._attention.keys)
        )
        query_labels, key_labels = labels
        return frame_of(
            {
                "layer": layer,
                "head": head,
                "query": query,
                "query_label": query_labels[query],
                "key": key,
                "key_label": key_labels[key],
                "score": self.scores.ravel(),
                "scaled": self.scaled.ravel(),
                "masked": self.masked.ravel(),
                "weight": self.weights.ravel(),
            }
        )

    def __repr__(self) -> str:
        layers, heads, queries, keys = self._attention.shape
        counts = [f"{layers} layers"] * (self._axes > 3) + [f"{heads} heads"] * (self._axes > 2)
        counts += [f"{queries} queries", f"{keys} keys"]
        lines = [
            (name, made, getattr(self, name))
            for name, made in (
                ("query", ""),
                ("key", ""),
                ("value", ""),
                ("projected_query", ""),
                ("projected_key", ""),
                ("scores", FORMULAS[self.mechanism]),
                ("scaled", f"{self._computed.conditions.scale:.4g} · scores"),
                ("masked", self._masked_formula),
                ("weights", self._weights_formula),
                ("output", "weights @ value"),
            )
        ]
        shown = [
            f"  {name:<15} {array.shape!s:<20} {made}".rstrip()
            for name, made, array in lines
            if array is not None
        ]
        return "\n".join([f"Trace: {self._title}, {' × '.join(counts)}", *shown])

    def _repr_mimebundle_(self, **kwargs: object) -> object:
        """Show the trace as a widget, in the mechanism view; one widget, however often shown."""
        from ..state import VIEWS
        from ..widget import AttentionWidget

        if self._widget is None or self._widget.comm is None:
            view = "mechanism" if "mechanism" in VIEWS else None
            self._widget = AttentionWidget(self._attention, view=view)
        return self._widget._repr_mimebundle_(**kwargs)

    @property
    def _title(self) -> str:
        return self._computed.name or f"{self.mechanism.replace('_', ' ')} attention"

    @property
    def _masked_formula(self) -> str:
        conditions = self._computed.conditions
        made = "scaled"
        if conditions.softcap is not None:
            made = f"{conditions.softcap:.4g} · tanh(scaled / {conditions.softcap:.4g})"
        if conditions.bias is not None:
            made += " + bias"
        if conditions.temperature != 1:
            made = f"({made}) / {conditions.temperature:.4g}"
        return ", ".join([made, *conditions.masks])

    @property
    def _weights_formula(self) -> str:
        made = "softmax(masked)"
        if self._computed.conditions.sinks is not None:
            made = "softmax([masked; sink])"
        if self._computed.locality is not None:
            made += " · locality"
        return made

    def _kept(self, array: Floats) -> Floats:
        """An array (L, H, …) with as many leading axes as were given."""
        return np.asarray(array[(0,) * (4 - self._axes)])

    def _optional(self, array: Floats | None) -> Floats | None:
        return None if array is None else self._kept(array)

    def _grad(self, grad: object, like: Floats | None, name: str) -> Floats | None:
        if grad is None or like is None:
            return None
        found = as_floats(grad, name)
        wanted = self._kept(like).shape
        if found.shape != wanted:
            raise ValueError(f"{name} must have shape {wanted}; got {found.shape}")
        return found.reshape(like.shape)
