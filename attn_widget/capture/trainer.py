"""A callback of transformers that records attention while a model trains."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..live import resting

if TYPE_CHECKING:
    from ..live import Recorder


def trainer_callback(recorder: Recorder, probe: Callable[[Any], object], every: int) -> Any:
    """See `Recorder.callback`."""
    try:
        from transformers import TrainerCallback
    except ImportError as error:
        raise ImportError(
            "this callback is one of transformers, which is not installed: pip install "
            "'attn-widget[transformers]'"
        ) from error

    class Recording(TrainerCallback):  # type: ignore[misc, unused-ignore]
        """Records what ``probe`` finds before, during and after training."""

        def __init__(self) -> None:
            self._last: int | None = None

        def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            """Record the model as it comes."""
            self._record(state, kwargs["model"])

        def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            """Record each n-th step."""
            if state.global_step % every == 0:
                self._record(state, kwargs["model"])

        def on_train_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            """Record the model as it is in the end."""
            if state.global_step != self._last:
                self._record(state, kwargs["model"])

        def _record(self, state: Any, model: Any) -> None:
            with resting(model):
                maps = probe(model)
            self._last = state.global_step
            logged = [entry["loss"] for entry in state.log_history if "loss" in entry]
            loss = {"loss": logged[-1]} if logged else {}
            recorder.add(maps, step=state.global_step, **loss)

    return Recording()
