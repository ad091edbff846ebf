"""Attention of real models, captured while they run."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

    from .replacement import Where
    from .session import Capture


def capture(
    model: torch.nn.Module,
    *,
    values: bool = False,
    gradients: bool = False,
    device: str | torch.device = "cpu",
    dtype: torch.dtype | None = None,
    batch: int | None = None,
    queries: object = None,
    keys: object = None,
) -> Capture:
    """Keep what a PyTorch model attends with while it runs in a ``with`` block."""
    from .session import Capture

    return Capture(
        model,
        values=values,
        gradients=gradients,
        device=device,
        dtype=dtype,
        batch=batch,
        queries=queries,
        keys=keys,
    )


def replacing(
    model: torch.nn.Module, change: Callable[[torch.Tensor, Where], torch.Tensor]
) -> AbstractContextManager[None]:
    """Let a model attend with other weights than its own, in a ``with`` block."""
    from .replacement import replacing

    return replacing(model, change)
