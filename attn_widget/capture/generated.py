"""What `generate` of transformers returned: which rows belong to a sequence, and its tokens."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import Any, cast

from ..axes import Axis
from ..sources import Source, batch_index, shape_of
from .steps import Steps, assembled, rows_of
from .tokenized import length_of, tokens_of


class Generation:
    """One of the sequences that a model generated.

    Args:
        outputs: What ``generate`` returned, or just steps of attention.
        steps: Some steps of it; all kinds of attention have as many.
        batch: Which sequence; None where there is one.

    Raises:
        ValueError: If there are several sequences and ``batch`` does not say which, or the beams
            of a sequence are not known.
    """

    def __init__(self, outputs: object, steps: Steps, batch: int | None) -> None:
        rows = shape_of(steps[0][0])[0]
        sequences = getattr(outputs, "sequences", None)
        beams = getattr(outputs, "beam_indices", None)
        self._count = rows if sequences is None else shape_of(sequences)[0]
        self.entry = batch_index(batch, self._count)
        if beams is None and rows != self._count:
            raise ValueError(
                f"{self._count} sequences came of {rows} beams, and beam_indices does not say "
                "which: generate with output_scores=True as well"
            )
        self._entries = [self.entry] * len(steps)
        if beams is not None:
            # Steps after the end of a beam are -1.
            chosen = cast(Any, beams)[self.entry].tolist()
            self._entries = [beam for beam in islice(chosen, len(steps)) if beam >= 0]
        self._sequence = None if sequences is None else cast(Any, sequences)[self.entry].tolist()

    def source(self, steps: Steps, *, cross: bool) -> Source:
        """The map of all steps; see `assembled`."""
        used = steps[: len(self._entries)]
        positions = None
        if self._sequence is not None:
            # The last token was written and never read.
            rows = sum(map(rows_of, steps))
            before = len(self._sequence) - 1 - rows
            positions = None if before < 0 else before + sum(map(rows_of, used))
        return assembled(used, self._entries, cross=cross, positions=positions)

    def entry_of(self, count: int) -> int:
        """Which of ``count`` inputs the sequence is of; each may have several sequences."""
        return self.entry * count // self._count

    def tokens(self, tokenizer: object, mask: object = None, entry: int | None = None) -> object:
        """The labels of the sequence, or None where its tokens are not known.

        Args:
            tokenizer: See `tokens_of`.
            mask: 0 where the prompt is padding.
            entry: Which row of the mask.
        """
        if self._sequence is None:
            return None
        return tokens_of(self._sequence, tokenizer, batch=entry, attention_mask=mask)

    def axes(self, labels: object, source: Source, *, cross: bool) -> tuple[object, object]:
        """The axes of a map whose rows are the steps.

        Args:
            labels: Those of the sequence, or of the positions read, or None.
            source: The map.
            cross: Whether its keys are those of another sequence.

        Returns:
            Labels of the queries, and of the keys where they are the same sequence. Rows of a
            cross-attention are labelled by the token written, where the labels have it.
        """
        _, _, rows, keys = source.shape
        if labels is None:
            return None, None
        read = rows if cross else keys
        whole = Axis.of(labels, length_of(labels), "queries")
        if len(whole) > read and len(whole) <= len(self._sequence or ()):
            start = 1 if cross else 0
            whole = whole.select(range(start, start + read))
        if cross:
            return whole, None
        axis = Axis.of(whole, keys, "queries")
        return axis.select(range(keys - rows, keys)), axis


def is_nested(value: object) -> bool:
    """Whether a field holds a tuple a step, or a kind, instead of an array a layer."""
    return (
        isinstance(value, (list, tuple))
        and len(value) > 0
        and all(isinstance(item, (list, tuple)) and len(item) > 0 for item in value)
    )


def grows(steps: Sequence[Sequence[object]]) -> bool:
    """Whether nested arrays are the steps of a generation: alike, but for rows and keys."""
    shapes = [[shape_of(layer) for layer in step if layer is not None] for step in steps]
    if any(len(size) != 4 for step in shapes for size in step):
        return False
    fronts = {tuple(size[:2] for size in step) for step in shapes}
    later = {size[2] for step in shapes[1:] for size in step}
    return len(fronts) == 1 and all(shapes) and (later <= {1} or _recomputed(shapes))


def _recomputed(shapes: list[list[tuple[int, ...]]]) -> bool:
    rows = [step[0][2] for step in shapes]
    return rows == list(range(rows[0], rows[0] + len(rows)))
