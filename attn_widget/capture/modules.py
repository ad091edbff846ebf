"""Which modules of a model are at work, and what they were given."""

from __future__ import annotations

import re
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.nn.modules.module import (
    register_module_forward_hook,
    register_module_forward_pre_hook,
)

_QUERY = re.compile(r"^(to_|w_?|lin(ear)?_?|in_)?(q|query)(_[ab])?(_?(proj|proj_layer|lin|attn))?$")
_CROSS = re.compile(r"cross|encoder_attn|encdec|enc_attn|src_attn|multihead_attn|attn2\b", re.I)
_ATTENTION = re.compile(r"att(entio)?n", re.I)
_PROJECTIONS = (
    "o_proj", "out_proj", "proj", "c_proj", "to_out.0", "to_out", "out_lin", "wo", "o",
    "dense", "output.dense", "attn_out", "output_proj", "out", "fc_out", "w_o", "W_o", "w_out",
)  # fmt: skip


@dataclass
class Running:
    """A module at work.

    Attributes:
        module: The module.
        path: Its name in the model.
        given: The linear maps it has called so far, by the last part of their names, with what they
            were given.
        seen: Whether an attention was seen in it.
    """

    module: nn.Module
    path: str
    given: dict[str, weakref.ref[Tensor]] = field(default_factory=dict)
    seen: bool = False


class Modules:
    """The modules of a model, watched without touching them.

    Args:
        model: The model.

    Attributes:
        forward: Number of the forward pass, from 0; −1 before the first.
        stack: The modules at work, outermost first.
        unseen: Paths of attention modules that ran without an attention being seen in them.
    """

    def __init__(self, model: nn.Module) -> None:
        self._names: dict[int, str] = {}
        self._model = model
        self._tops: set[int] = set()
        self._thread = 0
        self.forward = -1
        self.stack: list[Running] = []
        self._others: list[nn.Module] = []
        self.unseen: dict[str, nn.Module] = {}
        self.seen: set[str] = set()

    @contextmanager
    def watched(self, began: Callable[[], None]) -> Iterator[None]:
        """Follow the modules; hooks are PyTorch's own for all modules, so the model has none.

        Args:
            began: Called where a forward pass begins.
        """

        def enter(module: nn.Module, given: tuple[object, ...]) -> None:
            # What backward() runs again (checkpoints) was seen before.
            if threading.get_ident() != self._thread or in_backward():
                return
            path = self._names.get(id(module))
            if path is None:
                if not self.stack:
                    self._others.append(module)
                return
            if not self.stack and self._begins(module):
                began()
            if self.stack and given and isinstance(given[0], Tensor) and _linear(module):
                name = path.rpartition(".")[2]
                self.stack[-1].given.setdefault(name, weakref.ref(given[0]))
            self.stack.append(Running(module, path))

        def leave(module: nn.Module, given: object, output: object) -> None:
            if threading.get_ident() != self._thread:
                return
            if any(running.module is module for running in self.stack):
                while self._finish(self.stack.pop()) is not module:
                    pass
            elif self._others and self._others[-1] is module:
                self._others.pop()

        self._thread = threading.get_ident()
        paths = self._model.named_modules()
        self._names = {id(module): _plain(path) for path, module in paths}
        handles = [
            register_module_forward_pre_hook(enter),
            register_module_forward_hook(leave, always_call=True),
        ]
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()
            self.stack.clear()
            self._others.clear()

    @property
    def elsewhere(self) -> bool:
        """Whether another model is at work."""
        return not self.stack and bool(self._others)

    @property
    def path(self) -> str:
        """Name of the innermost module at work."""
        return self.stack[-1].path if self.stack else ""

    @property
    def module(self) -> nn.Module:
        """The innermost module at work."""
        return self.stack[-1].module if self.stack else self._model

    def saw(self, path: str) -> None:
        """Tell that an attention was seen in the modules at work, the innermost of this path."""
        for running in self.stack:
            running.seen = True
        self.seen.add(path)
        self.unseen.pop(path, None)

    def crosses(self, queries: int, keys: int) -> bool:
        """Whether keys of the attention at work come from another sequence than its queries.

        What its projections were given tells; else its name does, or the numbers of positions.

        Args:
            queries: Number of queries.
            keys: Number of keys.
        """
        near = (running.given for running in reversed(self.stack[-2:]) if running.given)
        given = {name: ref() for name, ref in next(near, {}).items()}
        asking = [name for name in given if _QUERY.match(name)]
        others = [name for name in given if name not in asking]
        named = _CROSS.search(self.path) is not None
        if asking and not others:
            # Keys of a cache that this call did not add to.
            return True
        if asking:
            same = given[asking[0]] is given[others[0]]
            return not same and (named or queries != keys)
        if others:
            return False
        return named or (queries != keys and queries > 1)

    def projection(self, width: int) -> Tensor | None:
        """The weight of the output projection of the attention at work, (model, H · Dv).

        It is looked for by the names that models use, in the module and beside it.

        Args:
            width: H · Dv.
        """
        for running in reversed(self.stack[-2:]):
            for name in _PROJECTIONS:
                module: nn.Module | None = running.module
                for part in name.split("."):
                    module = getattr(module, part, None)
                weight = getattr(module, "weight", None)
                if isinstance(weight, Tensor) and weight.ndim == 2:
                    turned = type(module).__name__ == "Conv1D"
                    weight = weight.detach().T if turned else weight.detach()
                    if weight.shape[1] == width:
                        return weight
        return None

    def missed(self) -> dict[str, str]:
        """Attention modules that ran unseen, with the likely reason."""
        return {
            path or type(module).__name__: _reason(module) for path, module in self.unseen.items()
        }

    def _begins(self, module: nn.Module) -> bool:
        """Whether a module called from outside begins a forward pass."""
        root = id(self._model)
        first = id(module) == root or root in self._tops or id(module) in self._tops
        if first or self.forward < 0:
            self._tops = set()
            self.forward += 1
        self._tops.add(id(module))
        return first or self.forward == 0

    def _finish(self, running: Running) -> nn.Module:
        module = running.module
        if not running.seen and _attends(module) and running.path not in self.seen:
            inner = f"{running.path}." if running.path else ""
            if not any(path.startswith(inner) for path in (*self.unseen, *self.seen)):
                self.unseen[running.path] = module
        return module


def in_backward() -> bool:
    """Whether gradients are being computed in this thread."""
    return torch._C._current_graph_task_id() != -1


def _linear(module: nn.Module) -> bool:
    weight = getattr(module, "weight", None)
    table = isinstance(module, nn.Embedding)
    return isinstance(weight, Tensor) and weight.ndim == 2 and not table


def _attends(module: nn.Module) -> bool:
    if isinstance(module, torch.jit.ScriptModule):
        return any(_ATTENTION.search(str(one.original_name)) for one in module.modules())
    name = type(module).__name__
    return _ATTENTION.search(name) is not None and any(True for _ in module.parameters())


def _reason(module: nn.Module) -> str:
    if isinstance(module, torch.jit.ScriptModule):
        return "TorchScript tells nothing of what it computes"
    return (
        "it ran, but no attention was seen in it: a kernel of its own, TorchScript, another "
        "thread, or weights that are not softmax over the keys"
    )


def _plain(path: str) -> str:
    """A module's name without what torch.compile puts in."""
    return ".".join(part for part in path.split(".") if part != "_orig_mod")
