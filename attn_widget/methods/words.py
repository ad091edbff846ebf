"""Sub-words merged into words."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..attention import Attention
from ..axes import Axis, Segment, Tokens, word_runs
from ..made import Made
from ..sources import Shape, Source, Weights, dtype_name


def merge_words(att: Attention) -> Attention:
    """Merge the sub-words of each word: the sum over key tokens, the mean over query tokens.

    ``W = P · A · M`` with ``M[k, w] = 1`` where key token k belongs to word w and ``P[w, q]`` one
    over the number of tokens of word w. Rows that sum to 1 still do. Tokens outside any word stay
    as they are. Norms merge by the same rule (Kobayashi et al. 2020). Read when asked for, like any
    map. Source: Clark et al. 2019, section 4.1.

    Args:
        att: A map where at least one side knows words; see `Tokens`.

    Returns:
        A map (L, H, query words, key words).

    Raises:
        ValueError: If neither side knows words, or the map holds scores before softmax.
    """
    if att.queries.words is None and att.keys.words is None:
        raise ValueError(
            "merging words needs word indices on at least one side: Tokens(labels, words=...)"
        )
    if att.kind == "score":
        raise ValueError("scores before softmax cannot be summed into words; merge the weights")
    query_runs, key_runs = word_runs(att.queries), word_runs(att.keys)
    queries = merged_axis(att.queries, query_runs)
    keys = queries if att.keys is att.queries else merged_axis(att.keys, key_runs)
    source = WordSource(att.source, query_runs, key_runs)
    made = [*att.made, Made("merge_words", att.name)]
    return Attention(source, queries, keys, kind=att.kind, name=att.name, made=made)


class WordSource:
    """Weights between words, from weights between tokens.

    Args:
        source: The weights between tokens.
        queries: The query tokens of each word, neighbours that together cover all.
        keys: The key tokens of each word, likewise.
    """

    def __init__(self, source: Source, queries: Sequence[range], keys: Sequence[range]) -> None:
        self._source = source
        self._queries = queries
        self._keys = keys
        self.dtype = source.dtype
        self.dtype_name = dtype_name(source)
        self.shape: Shape = (*source.shape[:2], len(queries), len(keys))

    def read(self, layer: int, head: slice, query: slice, key: slice) -> Weights:
        """Read a block of one layer; see `Source.read`."""
        query_runs, key_runs = self._queries[query], self._keys[key]
        if not query_runs or not key_runs:
            return np.zeros((head.stop - head.start, len(query_runs), len(key_runs)), np.float32)
        tokens = self._source.read(layer, head, _span(query_runs), _span(key_runs))
        with np.errstate(invalid="ignore"):
            summed = np.add.reduceat(tokens, _starts(key_runs), axis=2, dtype=np.float64)
            merged = np.add.reduceat(summed, _starts(query_runs), axis=1)
            lengths = np.array([len(run) for run in query_runs])
            return np.asarray(merged / lengths[:, None], dtype=np.float32)


def merged_axis(axis: Axis, runs: Sequence[range]) -> Axis:
    """The axis of the words that runs of neighbouring positions are; see `axes.word_runs`."""
    segments: list[Segment] = []
    for start, stop, segment in zip(axis.starts, axis.starts[1:], axis.segments, strict=False):
        if isinstance(segment, Tokens):
            inside = [run for run in runs if start <= run.start < stop]
            own = [range(run.start - start, run.stop - start) for run in inside]
            segments.append(segment.merge(own))
        else:
            segments.append(segment)
    return Axis(segments)


def _span(runs: Sequence[range]) -> slice:
    return slice(runs[0].start, runs[-1].stop)


def _starts(runs: Sequence[range]) -> list[int]:
    return [run.start - runs[0].start for run in runs]
