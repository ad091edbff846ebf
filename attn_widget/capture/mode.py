"""Sees every function of PyTorch that a forward pass calls, and lets it do what it does."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode

from . import multihead
from .recorder import Recorder, Seen
from .trace import Trace

_TOLD = ("scaled_dot_product_attention", "_nested_tensor_from_mask", "flex_attention")
_ASKING = ("torch.nn.modules.activation", "torch.nn.modules.transformer")


class CaptureMode(TorchFunctionMode):
    """Tells a recorder of each attention.

    Args:
        recorder: Whom to tell.
    """

    def __init__(self, recorder: Recorder) -> None:
        super().__init__()
        self._recorder = recorder
        self._trace = Trace()
        self._length = 0
        self._whole: dict[object, Callable[..., multihead.Heads]] = {
            F.multi_head_attention_forward: multihead.multi_head,
            torch._native_multi_head_attention: self._native,
            torch._transformer_encoder_layer_fwd: self._layer,
        }

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Call a function and take down what it did."""
        named = kwargs or {}
        result = func(*args, **named)
        name = name_of(func)
        # Most functions of a model are no matter here, and asking must cost next to nothing.
        if not name or not (name in _TOLD or func in self._whole or self._trace.cares(name)):
            return result
        try:
            with torch.no_grad():
                self._see(func, name, args, named, result)
        except Exception as error:  # The model must not fail for what is only looked at.
            self._recorder.failed(f"{type(error).__name__} while reading {name}: {error}")
        return result

    def clear(self) -> None:
        """Hold no tensor of the model any longer."""
        self._trace.clear()

    def _see(
        self,
        func: Callable[..., Any],
        name: str,
        args: Sequence[Any],
        named: Mapping[str, Any],
        result: Any,
    ) -> None:
        if name == "scaled_dot_product_attention":
            self._fused(result, *args, **named)
        elif func in self._whole:
            self._heads(self._whole[func](*args, **named), result)
        elif name == "_nested_tensor_from_mask":
            self._length = args[1].shape[1]
        elif name == "flex_attention":
            self._recorder.failed("flex_attention computes its logits in a function of its own")
        else:
            self._eager(name, args, named, result)

    def _eager(self, name: str, args: Sequence[Any], named: Mapping[str, Any], result: Any) -> None:
        target = named.get("out", args[0] if writes(name) and args else None)
        if isinstance(target, Tensor):
            self._trace.written(target)
            self._recorder.written(target)
        if name == "__setitem__":
            self._trace.assigned(args)
            return
        found = self._trace.attended(name, args, named)
        if found is None:
            self._trace.follow(name, args, named, result)
            return
        weights, scores = found.weights, found.weights.scores
        shape = self._trace.folded(found.used if scores is None else scores.query)
        if scores is None or weights.open_sinks or weights.formed is not None:
            used = found.used if weights.formed is None else weights.formed
            self._recorder.formed(used, found.value, result, found.arrange, shape)
            return
        self._recorder.saw(
            Seen(
                scores.query,
                scores.key,
                found.value,
                result,
                found.arrange,
                scores.scale,
                tables=scores.tables,
                softcap=scores.softcap,
                sinks=scores.sinks,
                shape=shape,
                lead=weights.lead,
            )
        )

    def _fused(
        self,
        result: Tensor,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        attn_mask: Tensor | None = None,
        dropout_p: float = 0.0,
        is_causal: bool = False,
        scale: float | None = None,
        enable_gqa: bool = False,
    ) -> None:
        if query.is_nested or key.is_nested:
            self._recorder.failed("nested tensors have no one shape")
            return
        lead = tuple(result.shape[:-2])
        self._recorder.saw(
            Seen(
                query,
                key,
                value,
                result,
                lambda gradient: gradient,
                query.shape[-1] ** -0.5 if scale is None else float(scale),
                tables=() if attn_mask is None else ((attn_mask, lead),),
                causal=is_causal,
                shape=self._trace.folded(query),
            )
        )

    def _heads(self, heads: multihead.Heads, result: Any) -> None:
        lead = tuple(heads.query.shape[:2])
        self._recorder.saw(
            Seen(
                heads.query,
                heads.key,
                heads.value,
                result[0] if isinstance(result, tuple) else None,
                heads.arrange,
                heads.query.shape[-1] ** -0.5,
                tables=[(table, lead) for table in heads.tables],
                causal=heads.causal,
                cross=heads.cross,
                projection=heads.projection,
                inner=heads.inner,
            )
        )

    def _native(self, *args: Any, **named: Any) -> multihead.Heads:
        return multihead.native(*args, **{**named, "length": self._length})

    def _layer(self, *args: Any, **named: Any) -> multihead.Heads:
        return multihead.encoder_layer(*args, **{**named, "length": self._length})


def name_of(func: Callable[..., Any]) -> str:
    """Name of a function of PyTorch; "" for attributes of tensors that are no such thing."""
    name: str = getattr(func, "__name__", "")
    if name != "__get__":
        return name
    name = getattr(getattr(func, "__self__", None), "__name__", "")
    return name if name in ("T", "mT") else ""


def writes(name: str) -> bool:
    """Whether a function changes its first argument."""
    return name == "__setitem__" or (name.endswith("_") and not name.endswith("__"))


_open = 0
_asked = torch.overrides.has_torch_function


@contextmanager
def fast_paths_kept() -> Iterator[None]:
    """Let nn.MultiheadAttention and nn.Transformer take the fast paths they take without us.

    They ask whether some function handles PyTorch's, and say no to their fast paths then. Ours
    handles nothing, so they, and only they, are told what they would be told without it.
    """
    global _open
    if not _open:
        torch.overrides.has_torch_function = _without_us
    _open += 1
    try:
        yield
    finally:
        _open -= 1
        if not _open:
            torch.overrides.has_torch_function = _asked


def _without_us(args: Iterable[Any]) -> bool:
    if sys._getframe(1).f_globals.get("__name__") not in _ASKING:
        return bool(_asked(args))
    modes: list[TorchFunctionMode] = []
    while isinstance(torch.overrides._get_current_function_mode(), CaptureMode):
        modes.append(torch.overrides._pop_mode())
    try:
        return bool(_asked(args))
    finally:
        for mode in reversed(modes):
            torch.overrides._push_mode(mode)
