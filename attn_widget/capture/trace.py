"""Eager attention, followed from q·k through what is done to the logits to weights · value.

Nothing is computed here but a few comparisons of small tensors: what each operation makes of the
logits is written down beside its result, for as long as that lives.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import torch
from torch import Tensor

from .calls import Alive, storage_of
from .operations import RESHAPES, is_low, masked, scores_after, weights_after
from .parts import Arguments, Attended, Named, Scores, Weights, flat
from .products import PRODUCTS
from .shapes import lead_of

_NAMES: Final = {
    "multiply": "mul",
    "divide": "div",
    "true_divide": "div",
    "subtract": "sub",
    "__rmul__": "mul",
    "__radd__": "add",
    "concat": "cat",
    "concatenate": "cat",
}

_BEGINNINGS: Final = frozenset(
    (*PRODUCTS, *RESHAPES, "softmax", "mul", "div", "contiguous", "to", "__rmul__")
)


class Trace:
    """Follows logits and weights from operation to operation."""

    def __init__(self) -> None:
        self._known = Alive()
        self._shapes = Alive()

    def clear(self) -> None:
        """Forget everything."""
        self._known.clear()
        self._shapes.clear()

    def cares(self, name: str) -> bool:
        """Whether a function of this name can begin or change anything that is followed."""
        return len(self._known) > 0 or name in _BEGINNINGS or name[-1] == "_"

    def weights(self, tensor: object) -> Weights | None:
        """What is known of a tensor of weights."""
        found = self._known.get(tensor)
        return found if isinstance(found, Weights) else None

    def folded(self, tensor: Tensor) -> tuple[int, ...] | None:
        """The shape that a tensor was given by, before it was reshaped to this one."""
        found = self._shapes.get(tensor)
        return found if isinstance(found, tuple) else None

    def written(self, tensor: Tensor) -> None:
        """Tell that a tensor was written to: what shares its memory is not known any longer."""
        storage = storage_of(tensor) if len(self._known) else 0
        for other, what in self._known.items():
            parts = [other]
            if isinstance(what, Scores):
                parts += [what.query, what.key, *(table for table, _ in what.tables)]
            if other is not tensor and any(storage_of(part) == storage for part in parts):
                self._known.drop(other)

    def attended(self, name: str, args: Arguments, named: Named) -> Attended | None:
        """The attention that an operation completes, before or after it runs; None if it does not.

        Args:
            name: Name of the function.
            args: Its arguments.
            named: Its keyword arguments.
        """
        args = _positional(args, named)
        pair = PRODUCTS[name](args, named) if name in PRODUCTS and len(self._known) else None
        if pair is None or pair.added is not None or pair.left.ndim != pair.right.ndim:
            return None
        weights = self.weights(pair.given)
        if weights is not None and not weights.turned and pair.straight:
            if weights.scores is None and _parameter(pair.right):
                return None
            return Attended(weights, pair.given, False, pair.left, pair.right, pair.arrange)
        weights = self.weights(pair.right)
        if weights is None or not weights.turned:
            return None
        return Attended(
            weights,
            pair.right,
            True,
            pair.right.transpose(-1, -2),
            pair.left.transpose(-1, -2),
            lambda output: output.transpose(-1, -2),
        )

    def follow(self, name: str, args: Arguments, named: Named, result: object) -> None:
        """Take down what an operation did.

        Args:
            name: Name of the function.
            args: Its arguments.
            named: Its keyword arguments.
            result: What it returned.
        """
        args = _positional(args, named)
        if not isinstance(result, Tensor) or not args:
            return
        inplace = name.endswith("_") and not name.endswith("__")
        name = name[:-1] if inplace else name
        name = _NAMES.get(name, name)
        if name in PRODUCTS:
            self._product(name, args, named, result)
            return
        first = args[0]
        if isinstance(first, Tensor) and result.is_floating_point():
            if name in RESHAPES and first.shape[-1:] == result.shape[-1:]:
                self._shapes.put(result, tuple(first.shape))
            elif name in ("mul", "div", "contiguous", "to") and first.shape == result.shape:
                shape = self._shapes.get(first)
                if shape is not None:
                    self._shapes.put(result, shape)
        if name == "softmax":
            self._softmax(args, named, result)
        elif len(self._known):
            self._step(name, args, named, result)

    def assigned(self, args: Arguments) -> None:
        """Take down ``scores[mask] = value``."""
        scores, index, value = args
        what = self._known.get(scores)
        if what is None:
            return
        whole = isinstance(index, Tensor) and index.dtype == torch.bool
        if isinstance(what, Scores) and whole and is_low(value) and index.shape == scores.shape:
            self._known.put(scores, masked(what, ~index))
        else:
            self._known.drop(scores)

    def _product(self, name: str, args: Arguments, named: Named, result: Tensor) -> None:
        pair = PRODUCTS[name](args, named)
        if pair is None or not pair.left.is_floating_point() or not pair.ordered:
            return
        left, right = pair.left, pair.right
        learned = left.ndim == 2 and (_parameter(left) or _parameter(right))
        if learned or left.ndim < 2 or left.ndim != right.ndim:
            return
        lead = lead_of(left, right)
        if result.shape == (*lead, left.shape[-2], right.shape[-1]):
            scores = Scores(left, right.transpose(-1, -2), lead)
            self._known.put(result, scores if pair.added is None else pair.added(scores))

    def _softmax(self, args: Arguments, named: Named, result: Tensor) -> None:
        logits = args[0]
        axis = args[1] if len(args) > 1 else named.get("dim")
        if axis not in (-1, result.ndim - 1) or result.ndim < 2:
            return
        what = self._known.get(logits)
        if isinstance(what, Scores) and not what.lost and not what.bent:
            self._known.put(result, Weights(what, what.lead, what.sinks is not None))
        else:
            self._known.put(result, Weights(None, tuple(result.shape[:-2])))

    def _step(self, name: str, args: Arguments, named: Named, result: Tensor) -> None:
        traced = [(place, self._known.get(one)) for place, one in enumerate(flat(args))]
        found = [(place, what) for place, what in traced if what is not None]
        if not found:
            return
        place, what = found[0]
        source = flat(args)[place]
        if isinstance(what, Weights):
            after: Scores | Weights | None = weights_after(name, what, source, result)
        elif len(found) == 1 and isinstance(what, Scores):
            after = what if what.lost else scores_after(name, what, place, args, named, result)
            if after is None and result.shape == source.shape:
                after = replace(what, lost=True)
        else:
            after = None
        if after is None:
            self._known.drop(result)
        else:
            self._known.put(result, after)


def _positional(args: Arguments, named: Named) -> Arguments:
    """Arguments with the first of them in its place, however it was given."""
    return (named["input"], *args) if "input" in named else args


def _parameter(tensor: Tensor) -> bool:
    return isinstance(tensor, torch.nn.Parameter) or (
        tensor._base is not None and isinstance(tensor._base, torch.nn.Parameter)
    )
