"""Attention of real models, captured while they run.

Importing this package imports no library: PyTorch is imported where it is used.
"""

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
    """Keep what a PyTorch model attends with while it runs in a ``with`` block.

    The model needs no ``output_attentions`` and no other attention implementation, and is left as
    it was found, also where its forward pass raises. Seen are PyTorch's fused attention,
    ``nn.MultiheadAttention`` and ``nn.Transformer`` with their fast paths, and attention written
    with products of matrices and softmax. Queries and keys are kept (after rotary embedding) with
    scale, masks, biases, softcap and sinks, never the Q × K weights; these are computed for the
    part that is read. Dropout of weights in training is left out.

    Args:
        model: Any ``torch.nn.Module``.
        values: Whether to keep values, for methods that need them.
        gradients: Whether to keep gradients with respect to the weights of what ``backward()`` is
            called on, in the block or after it.
        device: Where to keep it all.
        dtype: In which precision; None leaves that of the model.
        batch: Which entry of the batch ``maps`` shows; None is entry 0, and the maps' names say so.
            All entries are kept: see `Capture.select`.
        queries: Labels of the decoder, of the text or of the only sequence: as `Attention` takes
            them, or the model's inputs as a tokenizer made them, whose texts are the entries of the
            batch; or ``{map name: labels}``. Maps take what fits them; a warning tells what fits
            none. See `Capture.label`.
        keys: The same for the other sequence: the encoder's. Without it inputs of a tokenizer are
            those of the encoder where there is one.

    Returns:
        A context manager whose ``maps`` is ``{name: Attention}``: ``"encoder"``, ``"decoder"`` and
        ``"cross"`` where a stack of layers is the only one of its kind, else module paths.

    Raises:
        ImportError: If PyTorch is not installed.
    """
    _check_torch("capture")
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
    """Let a model attend with other weights than its own, in a ``with`` block.

    Weights are formed where they are to be changed, Q × K of each layer: for fused attention that
    takes the time and memory which fusing saves. The model itself is not changed.

    Args:
        model: Any ``torch.nn.Module``.
        change: Called with the weights of each attention, (batch, H, Q, K) after softmax, and where
            they are (``path``, ``kind``, ``layer``, ``forward``); returns what to use in their
            place, of the same shape. Gradients flow through it.

    Returns:
        A context manager.

    Raises:
        ImportError: If PyTorch is not installed.
        ValueError: If what ``change`` returns has another shape.
    """
    _check_torch("replacing")
    from .replacement import replacing

    return replacing(model, change)


def _check_torch(name: str) -> None:
    from importlib.util import find_spec

    if find_spec("torch") is None:
        raise ImportError(f'{name} needs PyTorch: pip install "attn-widget[torch]"')
