"""Sources of traces: weights that know how they came about, alone or side by side."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..sources import ArraySource, Shape, Source
from .computed import Computed
from .steps import Steps, SupportsMechanism, check_place


class TraceSource(ArraySource):
    """The weights of a trace, each of which it can explain.

    Args:
        computed: the trace.
    """

    def __init__(self, computed: Computed) -> None:
        super().__init__(computed.weights)
        self._computed = computed

    def steps(self, layer: int, head: int, query: int, keys: Sequence[int]) -> Steps:
        """Return one query, step by step; see `SupportsMechanism.steps`.

        Raises:
            IndexError: if an index is out of range.
        """
        found, scored, conditions = self._computed, self._computed.scored, self._computed.conditions
        places = check_place(self.shape, layer, head, query, keys)
        row = (layer, head, query)
        group = head // (self.shape[1] // scored.key.shape[1])
        bias, queries, keyed, value = (
            conditions.bias, scored.projected_query, scored.projected_key, found.value
        )  # fmt: skip
        return Steps(
            mechanism=scored.mechanism,
            query=scored.query[row],
            keys=places,
            key=scored.key[layer, group, places],
            scores=scored.scores[row],
            weights=found.weights[row],
            scale=conditions.scale,
            temperature=conditions.temperature,
            softcap=conditions.softcap,
            bias=None if bias is None else np.broadcast_to(bias, self.shape)[row],
            masks={
                name: np.broadcast_to(mask, self.shape)[row]
                for name, mask in conditions.masks.items()
            },
            sink=conditions.sink(layer, head),
            locality=None if found.locality is None else found.locality.factor[row],
            projected_query=None if queries is None else queries[row],
            projected_key=None if keyed is None else keyed[layer, group, places],
            v=scored.v,
            value=None if value is None else value[layer, group, places],
            output=None if found.output is None else found.output[row],
            name=found.name,
        )


class BesideSource:
    """The weights of the first of several sources, and the mechanisms of all of them.

    Args:
        sources: at least one, of one shape; each tells how its weights come about.

    Raises:
        ValueError: if shapes differ.
    """

    def __init__(self, sources: Sequence[Source]) -> None:
        shapes = {source.shape for source in sources}
        if len(shapes) != 1:
            raise ValueError(
                "mechanisms side by side must have one shape (layers, heads, queries, keys); "
                f"got {' and '.join(map(str, sorted(shapes)))}"
            )
        self._sources = tuple(sources)
        self.shape: Shape = sources[0].shape
        self.dtype = sources[0].dtype
        self.read = sources[0].read

    def steps(self, layer: int, head: int, query: int, keys: Sequence[int]) -> Steps:
        """Return one query of the first source; see `SupportsMechanism.steps`."""
        return self.panels(layer, head, query, keys)[0]

    def panels(self, layer: int, head: int, query: int, keys: Sequence[int]) -> tuple[Steps, ...]:
        """Return one query of each source; see `SupportsPanels.panels`."""
        return tuple(
            source.steps(layer, head, query, keys)
            for source in self._sources
            if isinstance(source, SupportsMechanism)
        )
