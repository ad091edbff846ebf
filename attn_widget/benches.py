"""What is timed: attention of random queries and keys by three methods, with PyTorch or NumPy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from .attention import Attention

if TYPE_CHECKING:
    from .cost import Cost

METHODS: Final = ("naive", "fused", "slice")
"""``"naive"`` forms all weights, ``"fused"`` none, ``"slice"`` those of one query in each head."""

_BLOCK: Final = 1024

Single = NDArray[np.float32]
Run = Callable[[], Any]


class Bench(Protocol):
    """What computes, and where."""

    @property
    def library(self) -> str:
        """Its name, version and place."""
        ...

    def __call__(self, method: str, length: int) -> Run:
        """Return what runs a method once on a sequence of some length."""
        ...


@dataclass(frozen=True)
class NumPyBench:
    """Attention with NumPy; fused is computed in blocks, with a running softmax."""

    cost: Cost

    @property
    def library(self) -> str:
        """NumPy and its version."""
        return f"NumPy {np.__version__}"

    def __call__(self, method: str, length: int) -> Run:
        """Return what runs a method once; see `Bench`."""
        rng = np.random.default_rng(0)
        query, key, value = (
            rng.standard_normal(shape, dtype=np.float32) for shape in _shapes(self.cost, length)
        )
        causal = self.cost.causal
        if method == "slice":
            return lambda: _slice(query, key, causal)
        times = self.cost.heads // self.cost.kv_heads
        key, value = (np.repeat(part, times, axis=1) for part in (key, value))
        run = naive if method == "naive" else blocked
        return lambda: run(query, key, value, causal)


@dataclass(frozen=True)
class TorchBench:
    """Attention with PyTorch, on the processor in float32, elsewhere in the dtype of the cost."""

    cost: Cost
    torch: Any
    device: Any

    @property
    def library(self) -> str:
        """PyTorch, its version and device."""
        return f"PyTorch {self.torch.__version__} on {self.device}"

    def __call__(self, method: str, length: int) -> Run:
        """Return what runs a method once; see `Bench`."""
        torch, causal = self.torch, self.cost.causal
        dtype = torch.float32 if self.device.type == "cpu" else getattr(torch, self.cost.dtype)
        query, key, value = (
            torch.randn(shape, device=self.device).to(dtype) for shape in _shapes(self.cost, length)
        )
        if method == "slice":
            return lambda: _slice(query, key, causal)
        times = self.cost.heads // self.cost.kv_heads
        key, value = (part.repeat_interleave(times, dim=1) for part in (key, value))
        beyond = None
        if causal and method == "naive":
            ones = torch.ones(length, length, dtype=torch.bool, device=self.device)
            beyond = ones.triu(1)

        def run() -> float:
            with torch.no_grad():
                if method == "fused":
                    attend = torch.nn.functional.scaled_dot_product_attention
                    output = attend(query, key, value, is_causal=causal)
                else:
                    logits = query @ key.mT * query.shape[-1] ** -0.5
                    if beyond is not None:
                        logits = logits.masked_fill_(beyond, -torch.inf)
                    output = logits.softmax(dim=-1) @ value
                # A number read waits for the device.
                return float(output[0, 0, -1, 0])

        return run


def bench_for(cost: Cost, device: Any) -> Bench:
    """Return PyTorch on a device, or NumPy where PyTorch is missing and no device is asked for.

    Raises:
        ImportError: if a device is asked for and PyTorch is missing.
    """
    try:
        import torch
    except ImportError as error:
        if device is not None:
            raise ImportError("device= needs PyTorch: pip install torch") from error
        return NumPyBench(cost)
    return TorchBench(cost, torch, torch.device("cpu" if device is None else device))


def naive(query: Single, key: Single, value: Single, causal: bool) -> Single:
    """Return attention of (B, H, n, d), all weights formed."""
    logits = query @ np.swapaxes(key, 2, 3)
    logits *= np.float32(query.shape[3] ** -0.5)
    if causal:
        logits[:, :, np.triu(np.ones(logits.shape[2:], dtype=np.bool_), 1)] = -np.inf
    logits -= logits.max(axis=-1, keepdims=True)
    np.exp(logits, out=logits)
    total = logits.sum(axis=-1, keepdims=True)
    return np.asarray(logits @ value / total)


def blocked(query: Single, key: Single, value: Single, causal: bool, block: int = _BLOCK) -> Single:
    """Return the same, a block of queries and keys at a time, with a running softmax.

    Source: Milakov and Gimelshein 2018; Dao et al. 2022.
    """
    output = np.empty_like(query)
    length, scale = query.shape[2], np.float32(query.shape[3] ** -0.5)
    for start in range(0, length, block):
        rows = slice(start, min(start + block, length))
        part = query[:, :, rows] * scale
        peak = np.full((*part.shape[:3], 1), -np.inf, dtype=np.float32)
        total, summed = np.zeros_like(peak), np.zeros_like(part)
        for first in range(0, rows.stop if causal else length, block):
            keys = slice(first, min(first + block, length))
            logits = part @ np.swapaxes(key[:, :, keys], 2, 3)
            if causal and keys.stop > rows.start:
                places = np.arange(rows.start, rows.stop)[:, None]
                logits[:, :, np.arange(keys.start, keys.stop) > places] = -np.inf
            higher = np.maximum(peak, logits.max(axis=-1, keepdims=True))
            shrunk = np.exp(peak - higher)
            shares = np.exp(logits - higher)
            total = total * shrunk + shares.sum(axis=-1, keepdims=True)
            summed = summed * shrunk + shares @ value[:, :, keys]
            peak = higher
        output[:, :, rows] = summed / total
    return output


def _slice(query: Any, key: Any, causal: bool) -> Any:
    """Weights of the last query in each head, as hover reads them of a map never read before."""
    return Attention.from_qk(query, key, causal=causal)[:, :, -1]


def _shapes(cost: Cost, length: int) -> list[tuple[int, int, int, int]]:
    heads = (cost.heads, cost.kv_heads, cost.kv_heads)
    return [(cost.batch, count, length, cost.head_dim) for count in heads]
