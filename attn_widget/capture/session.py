"""The context in which a model runs, and the maps that are left of it."""

from __future__ import annotations

import sys
import warnings
from contextlib import AbstractContextManager, ExitStack
from types import TracebackType

import torch
from torch import Tensor, nn

from ..attention import Attention
from ..maps import as_maps
from .calls import Keeper
from .groups import grouped
from .labelling import Labelling
from .layers import (
    Layer,
    decoding,
    gradient_source,
    layers,
    picker,
    projection_of,
    runs,
    weights_source,
)
from .mode import CaptureMode, fast_paths_kept
from .recorder import Recorder

Maps = dict[str, "Attention | list[Attention]"]


class Capture:
    """What `capture` returns: see there.

    Attributes:
        model: The model.
    """

    def __init__(
        self,
        model: nn.Module,
        *,
        values: bool,
        gradients: bool,
        device: str | torch.device,
        dtype: torch.dtype | None,
        batch: int | None,
        queries: object,
        keys: object,
    ) -> None:
        if not isinstance(model, nn.Module):
            raise TypeError(f"model must be a torch.nn.Module; got {type(model).__name__}")
        self.model = model
        keeper = Keeper(torch.device(device), dtype)
        self._recorder = Recorder(model, keeper, values, gradients)
        self._wants = gradients
        self._batch = batch
        self._labels = Labelling(queries, keys)
        self._maps: tuple[int, Maps] | None = None
        self._open: list[ExitStack] = []

    def __enter__(self) -> Capture:
        if self._open:
            raise RuntimeError("this capture is at work already; make another with capture(model)")
        stack = ExitStack()
        with stack:
            mode = CaptureMode(self._recorder)
            stack.callback(self._finished, mode)
            stack.enter_context(uncompiled(self.model))
            stack.enter_context(fast_paths_kept())
            stack.enter_context(self._recorder.modules.watched(self._recorder.began))
            stack.enter_context(mode)
            self._open.append(stack.pop_all())
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._open.pop().close()

    @property
    def maps(self) -> Maps:
        """The maps by name, of entry ``batch`` of the batch, or of entry 0.

        Of several forward passes that do not go on from each other, each name has a list, one map
        a pass, which `AttentionWidget` shows as steps.

        Raises:
            RuntimeError: If nothing was captured, with what is known of why.
        """
        count = len(self._recorder.calls)
        if self._maps is None or self._maps[0] != count:
            self._maps = count, self.select(self._entry)
        return self._maps[1]

    @property
    def gradients(self) -> Maps:
        """Gradients with respect to the weights, named and shaped like `maps`.

        They are those of the last ``backward``.

        Raises:
            RuntimeError: If ``gradients=True`` was not given, or nothing was differentiated yet.
        """
        if not self._wants:
            raise RuntimeError("gradients were not kept: capture(model, gradients=True)")
        return self._built(self._entry, gradients=True)

    @property
    def outputs(self) -> dict[str, list[Tensor | None]]:
        """Output projections of each map's layers, (H, Dv, model): head h adds its own share.

        None where the layer has none that is known. They are views of the model's own parameters.
        """
        return {
            name: [projection_of(layer.rows[0]) for layer in group]
            for name, group in self._groups()[-1].items()
        }

    @property
    def missed(self) -> dict[str, str]:
        """What could not be captured, by module, and why."""
        return {**self._recorder.modules.missed(), **self._recorder.missed}

    @property
    def passes(self) -> int:
        """Number of forward passes seen."""
        return self._recorder.modules.forward + 1

    @property
    def batch(self) -> int:
        """Entries of the batch, the most of any attention."""
        return max((call.size[0] for call in self._recorder.calls), default=0)

    @property
    def notes(self) -> list[str]:
        """What was done with what was captured, in words."""
        notes: list[str] = []
        if _compiled(self.model):
            notes.append("what torch.compile made ran as it was written, so that it could be seen")
        if self.batch > 1 and self._batch is None:
            notes.append(f"maps show entry 0 of a batch of {self.batch}; select(n) gives others")
        beams = {
            call.forward
            for call in self._recorder.calls
            if call.continued and not call.cross and list(call.parents) != [*range(call.size[0])]
        }
        if beams:
            notes.append(
                f"entries changed places before {len(beams)} passes (beam search): an entry is one "
                "of the last pass, followed back to those it goes on from"
            )
        count = len(runs(self._recorder.calls))
        if 1 < count < self.passes:
            notes.append(
                f"{self.passes} forward passes make {count} runs: cached keys changed between them "
                "(a cropped cache), or something new began"
            )
        if self._recorder.calls:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UserWarning)
                notes += self._labels.unused(as_maps(self.maps), self._share(self._entry))
        formed = {call.path for call in self._recorder.calls if call.weights is not None}
        if formed:
            notes.append(
                "weights kept as the model formed them, since they are not q·k with known rules: "
                + ", ".join(sorted(formed))
            )
        return notes

    def select(self, batch: int) -> Maps:
        """The maps of one entry of the batch.

        Args:
            batch: The entry.

        Raises:
            IndexError: If there is no such entry.
            RuntimeError: If nothing was captured.
        """
        return self._built(batch, gradients=False)

    def label(self, queries: object, keys: object = None, *, name: str | None = None) -> Capture:
        """Say what positions are.

        Args:
            queries: Labels, a segment, segments or an `Axis`, see `Attention`; or what a tokenizer
                made, whose texts are the entries of the batch.
            keys: The same for keys; None means "same as queries" on a square map.
            name: Of which map; None is all that they fit. What a tokenizer made is of the encoder
                where there is one. A map called ``"cross"`` without labels of its own takes those
                of ``"decoder"`` and ``"encoder"``.

        Returns:
            This capture.

        Raises:
            KeyError: If there is no map of this name.
            ValueError: If the labels fit no map.
        """
        found = self.maps
        if name is not None and name not in found:
            raise KeyError(f"no map is called {name!r}; there are {', '.join(found)}")
        meant = found if name is None else {name: found[name]}
        self._labels.add(as_maps(meant), queries, keys, self._share(self._entry))
        self._maps = None
        return self

    def __repr__(self) -> str:
        try:
            names = ", ".join(self.maps)
        except RuntimeError:
            names = "nothing"
        batch = f", batch of {self.batch}" if self.batch > 1 else ""
        plural = "" if self.passes == 1 else "es"
        missed = f", {len(self.missed)} missed" if self.missed else ""
        return f"Capture({names}; {self.passes} forward pass{plural}{batch}{missed})"

    def _groups(self) -> list[dict[str, list[Layer]]]:
        """For each run the layers of each map."""
        if not self._recorder.calls:
            raise RuntimeError(self._nothing())
        model = type(getattr(self.model, "_orig_mod", self.model)).__name__
        back = decoding(self._recorder.calls)
        return [grouped(layers(run, back), model) for run in runs(self._recorder.calls)]

    def _built(self, entry: int, *, gradients: bool) -> Maps:
        found: dict[str, list[Attention]] = {}
        groups, batch = self._groups(), self.batch
        if not -batch <= entry < batch:
            raise IndexError(f"batch must be in 0 … {batch - 1}; got {entry}")
        for run in groups:
            calls = [call for group in run.values() for layer in group for call in layer.rows]
            most = max(call.size[0] for call in calls)
            pick = picker(calls, entry % batch * most // batch)
            for name, group in run.items():
                last = group[0].rows[-1]
                count = last.size[0]
                source = (gradient_source if gradients else weights_source)(group, pick)
                if source is None:
                    continue
                shown = f"{name}, entry {pick(last)} of {count}" if count > 1 else name
                kind = "relevance" if gradients else "weight"
                found.setdefault(name, []).append(Attention(source, name=shown, kind=kind))
        if not found:
            raise RuntimeError(
                "no gradients yet: call backward() on what is to be explained, of a forward pass "
                "with gradients enabled"
            )
        share = self._share(entry)
        made = self._labels.labelled(found, share)
        for note in self._labels.unused(found, share):
            warnings.warn(note, UserWarning, stacklevel=4)
        return {name: steps[0] if len(steps) == 1 else steps for name, steps in made.items()}

    @property
    def _entry(self) -> int:
        """The entry of the batch that maps show."""
        return 0 if self._batch is None else self._batch

    def _share(self, entry: int) -> float:
        return entry % self.batch / self.batch

    def _nothing(self) -> str:
        if self._recorder.modules.forward < 0:
            return "nothing was captured: the model was not run inside the block"
        reasons = [f"{path}: {why}" for path, why in self.missed.items()]
        detail = "; ".join(reasons) or "no attention was seen in any of its modules"
        return f"nothing was captured: {detail}"

    def _finished(self, mode: CaptureMode) -> None:
        mode.clear()
        self._recorder.forget()


def uncompiled(model: nn.Module) -> AbstractContextManager[object]:
    """Let modules that torch.compile made run as they were written, so that they can be seen."""
    stack = ExitStack()
    stance = getattr(torch.compiler, "set_stance", None)
    if stance is None or "torch._dynamo" not in sys.modules:
        return stack
    if _compiled(model):
        stack.enter_context(warnings.catch_warnings())
        # Our hooks may well be called twice for such a module.
        warnings.filterwarnings("ignore", message=r"Using `torch.compile\(module\)` when there are")
    # A model may compile itself while it runs, as generate() does with some caches.
    stack.enter_context(stance("force_eager"))
    return stack


def _compiled(model: nn.Module) -> bool:
    return any(
        hasattr(module, "_orig_mod") or getattr(module, "_compiled_call_impl", None)
        for module in model.modules()
    )
