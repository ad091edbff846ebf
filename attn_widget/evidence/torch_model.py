"""A PyTorch model as the tests call it: its attention replaced during a real forward pass.

Imports torch, so it is itself imported only when it is used.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from ..attention import Attention
from .divergence import Numbers
from .models import Mask

Output = Callable[[Any], Tensor]
"""From what the module returns to one number or to probabilities of classes."""


Change = Callable[[Tensor, Any], Tensor]
"""From weights (B, H, Q, K) and where they are formed to those to go on with."""

Replace = Callable[[nn.Module, Change], AbstractContextManager[object]]
"""While it is open, weights of a module pass through a change; see `capture.replacing`."""


class Erase(Protocol):
    """How input is taken away."""

    def __call__(self, keep: Mask, /) -> Mapping[str, Any] | tuple[Any, ...]:
        """Return the inputs of the module with only some keys left."""


class TorchModel:
    """A module, its inputs and what is read off its output; called with weights by every test.

    Nothing of the module is changed but during a call. Every attention that `capture` can see can
    be replaced.

    Args:
        module: in evaluation mode, unless its dropout is meant.
        inputs: its arguments, by name or in order; a batch of one.
        output: from what it returns to one number or to probabilities of classes.
        where: which attention the map is of: called with the place that `capture.replacing` names;
            all of it if None. What is chosen must have one shape, a layer each, in the order it
            runs.
        erase: from the keys to keep to the inputs without the others, for tests that erase.
        replace: how weights are replaced, for attention that `capture` can't see;
            `capture.replacing` if None.

    Raises:
        TypeError: if the inputs are neither named nor in order.
    """

    def __init__(
        self,
        module: nn.Module,
        inputs: Mapping[str, Any] | tuple[Any, ...],
        output: Output,
        *,
        where: Callable[[Any], bool] | None = None,
        erase: Erase | None = None,
        replace: Replace | None = None,
    ) -> None:
        self._module = module
        self._replace = replace
        self._inputs = _checked(inputs)
        self._output = output
        self._where = where
        self._erase = erase
        self.erased: Callable[[Mask], Tensor] | None = self._erased if erase is not None else None

    def attention(
        self, queries: object = None, keys: object = None, *, name: str = "attention"
    ) -> Attention:
        """Return the map that the tests replace, as the model computes it.

        Args:
            queries: what the query positions are; see `Attention`.
            keys: the same for the key side.
            name: a name to show.

        Raises:
            ValueError: if no attention was seen, or layers differ in shape.
        """
        layers: list[Tensor] = []

        def keep(weights: Tensor, layer: int) -> Tensor:
            layers.append(weights.detach()[0].clone())
            return weights

        with torch.no_grad():
            self._answer(keep)
        shapes = {tuple(layer.shape) for layer in layers}
        if len(shapes) != 1:
            raise ValueError(
                "the attention chosen by where= must be one or more layers of the same shape; got "
                f"{sorted(shapes) or 'none'}"
            )
        return Attention(layers, queries, keys, name=name)

    def __call__(self, weights: Numbers) -> Tensor:
        """Return the answer with other weights.

        Args:
            weights: (L, H, Q, K).
        """
        with torch.no_grad():
            return self._with(torch.tensor(np.asarray(weights)))

    def gradient(self, weights: Numbers) -> Tensor:
        """Return ``d answer / d weights`` at some weights.

        Args:
            weights: (L, H, Q, K).

        Returns:
            (L, H, Q, K), with the classes first where the answer is a distribution.
        """
        given = torch.tensor(np.asarray(weights)).requires_grad_(True)
        with torch.enable_grad():
            answer = self._with(given)
            flat = answer.reshape(-1)
            slopes = [torch.autograd.grad(one, given, retain_graph=True)[0] for one in flat]
        return slopes[0] if len(slopes) == 1 else torch.stack(slopes)

    def _erased(self, keep: Mask) -> Tensor:
        assert self._erase is not None
        with torch.no_grad():
            return self._output(_call(self._module, _checked(self._erase(keep))))

    def _with(self, weights: Tensor) -> Tensor:
        ran = 0

        def change(own: Tensor, layer: int) -> Tensor:
            nonlocal ran
            ran += 1
            if layer >= len(weights) or weights.shape[1:] != own.shape[1:]:
                raise ValueError(
                    f"weights must be (layers, *{tuple(own.shape[1:])}) to stand for the attention "
                    f"of this model; got {tuple(weights.shape)} at layer {layer}"
                )
            return weights[layer].to(own).expand_as(own)

        answer = self._answer(change)
        if ran != len(weights):
            raise ValueError(f"weights have {len(weights)} layers; the model ran {ran}")
        return answer

    def _answer(self, change: Callable[[Tensor, int], Tensor]) -> Tensor:
        from ..capture import replacing

        replace = self._replace or replacing
        layer = -1

        def counted(weights: Tensor, where: Any) -> Tensor:
            nonlocal layer
            if self._where is not None and not self._where(where):
                return weights
            layer += 1
            return change(weights, layer)

        with replace(self._module, counted):
            return self._output(_call(self._module, self._inputs))


def cascade(
    module: nn.Module,
    attend: Callable[[], Attention],
    *,
    parts: Sequence[str] | None = None,
    seed: int = 0,
) -> Iterator[tuple[str, Attention]]:
    """Make a module random part by part, from the output down, and give its map after each.

    The entries of every parameter are shuffled, so that their spread stays; at the end, or when the
    generator is closed, all are as they were. Source: Adebayo et al. 2018, cascading randomisation.

    Args:
        module: whose parameters are shuffled in place meanwhile.
        attend: returns the map of the module as it is, such as ``model.attention``.
        parts: names of submodules, in the order to take them; all that have parameters of their
            own, the last first, if None.
        seed: of the shuffling.

    Yields:
        The part made random last, and the map then.

    Raises:
        ValueError: if there is no such part, or none has parameters.
    """
    modules = dict(module.named_modules())
    if parts is None:
        own = [name for name, part in modules.items() if any(True for _ in part.parameters(False))]
        parts = own[::-1]
    unknown = [name for name in parts if name not in modules]
    if unknown or not parts:
        raise ValueError(f"parts must be submodules with parameters; got {unknown or 'none'}")
    random = torch.Generator().manual_seed(seed)
    kept: dict[nn.Parameter, Tensor] = {}
    try:
        for name in parts:
            for parameter in modules[name].parameters():
                if parameter not in kept:
                    kept[parameter] = parameter.detach().clone()
                    _shuffle(parameter, random)
            yield name or type(module).__name__, attend()
    finally:
        with torch.no_grad():
            for parameter, values in kept.items():
                parameter.copy_(values)


def _shuffle(parameter: nn.Parameter, random: torch.Generator) -> None:
    order = torch.randperm(parameter.numel(), generator=random).to(parameter.device)
    with torch.no_grad():
        parameter.copy_(parameter.detach().reshape(-1)[order].reshape(parameter.shape))


def _checked(inputs: Any) -> Mapping[str, Any] | tuple[Any, ...]:
    if not isinstance(inputs, (Mapping, tuple)):
        raise TypeError(
            "inputs must be a mapping of names or a tuple, such as (tokens,); got "
            f"{type(inputs).__name__}"
        )
    return inputs


def _call(module: nn.Module, inputs: Mapping[str, Any] | tuple[Any, ...]) -> Any:
    return module(**inputs) if isinstance(inputs, Mapping) else module(*inputs)
