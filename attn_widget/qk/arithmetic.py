"""The arithmetic of logits, on NumPy arrays and on tensors where they live.

Blocks of logits are (keys, queries): what is summed over keys then runs along whole rows of memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from ..mechanisms.softmax import FLOOR as FLOOR
from ..sources import to_float32

Block = Any
"""A NumPy array or a tensor."""


class Arithmetic(Protocol):
    """What is done with blocks; names ending in ``_`` change their first argument."""

    rows: int
    keys: int
    held: int
    """Queries and keys of one block, and how many numbers may be held for a set of queries."""

    def bring(self, part: object) -> Block:
        """A part of any array, here and in the dtype that is computed in."""
        ...

    def bring_mask(self, part: object) -> Block:
        """A part of a boolean array, here."""
        ...

    def empty(self, rows: int, columns: int) -> Block:
        """Room for a block."""
        ...

    def product(self, left: Block, right: Block, out: Block | None = None) -> Block:
        """``left @ right.T``, which may be written to ``out``."""
        ...

    def softcap_(self, block: Block, cap: float) -> None:
        """``cap · tanh(block / cap)``."""
        ...

    def fill_(self, block: Block, where: Block, value: float) -> None:
        """Set what ``where``, which broadcasts to the block, marks."""
        ...

    def exp(self, block: Block, out: Block) -> None:
        """``e ** block``."""
        ...

    def largest(self, block: Block, edges: Sequence[int]) -> NDArray[Any]:
        """Largest of each stretch of the first axis between two edges, as NumPy."""
        ...

    def sums(self, block: Block, edges: Sequence[int]) -> NDArray[Any]:
        """Sum of each stretch of the first axis between two edges, as NumPy."""
        ...

    def paired(self, left: Block, right: Block) -> NDArray[Any]:
        """Sum over the first axis of ``left · right``, as NumPy."""
        ...

    def dot(self, block: Block, vector: NDArray[Any]) -> NDArray[Any]:
        """``block @ vector``, as NumPy."""
        ...

    def host(self, block: Block) -> NDArray[Any]:
        """The block as NumPy."""
        ...

    def size(self, block: Block, part: object) -> int:
        """Bytes that a block brought from a part takes beside it; 0 where it is the part itself."""
        ...


class NumPyArithmetic:
    """Arithmetic of NumPy in float32 or float64.

    A block of 512 queries × 2,048 keys is 4 MiB in float32: several passes over it stay in a
    processor's cache.
    """

    rows = 512
    keys = 2048
    held = 1 << 26

    def __init__(self, dtype: type[np.floating[Any]]) -> None:
        self._dtype = np.dtype(dtype)

    def bring(self, part: object) -> NDArray[Any]:
        """A part of any array as NumPy; see `Arithmetic.bring`."""
        return _numbers(part).astype(self._dtype, copy=False)

    def bring_mask(self, part: object) -> NDArray[np.bool_]:
        """A part of a boolean array as NumPy."""
        found = cast(Any, part)
        if hasattr(found, "detach"):
            found = found.detach().cpu().numpy()
        return np.asarray(found, dtype=np.bool_)

    def empty(self, rows: int, columns: int) -> NDArray[Any]:
        """Room for a block."""
        return np.empty((rows, columns), dtype=self._dtype)

    def product(
        self, left: NDArray[Any], right: NDArray[Any], out: NDArray[Any] | None = None
    ) -> NDArray[Any]:
        """``left @ right.T``."""
        return np.asarray(np.matmul(left, right.T, out=out))

    def softcap_(self, block: NDArray[Any], cap: float) -> None:
        """``cap · tanh(block / cap)``."""
        np.divide(block, cap, out=block)
        np.tanh(block, out=block)
        np.multiply(block, cap, out=block)

    def fill_(self, block: NDArray[Any], where: NDArray[np.bool_], value: float) -> None:
        """Set what ``where`` marks."""
        np.copyto(block, block.dtype.type(value), where=where)

    def exp(self, block: NDArray[Any], out: NDArray[Any]) -> None:
        """``e ** block``."""
        np.exp(block, out=out)

    def largest(self, block: NDArray[Any], edges: Sequence[int]) -> NDArray[Any]:
        """Largest of each stretch between two edges."""
        found = np.empty((len(edges) - 1, block.shape[1]), dtype=block.dtype)
        for place in range(len(edges) - 1):
            np.maximum.reduce(block[edges[place] : edges[place + 1]], axis=0, out=found[place])
        return found

    def sums(self, block: NDArray[Any], edges: Sequence[int]) -> NDArray[Any]:
        """Sum of each stretch between two edges."""
        found = np.empty((len(edges) - 1, block.shape[1]), dtype=block.dtype)
        for place in range(len(edges) - 1):
            np.add.reduce(block[edges[place] : edges[place + 1]], axis=0, out=found[place])
        return found

    def paired(self, left: NDArray[Any], right: NDArray[Any]) -> NDArray[Any]:
        """Sum over the first axis of ``left · right``."""
        return np.asarray(np.einsum("kq,kq->q", left, right))

    def dot(self, block: NDArray[Any], vector: NDArray[Any]) -> NDArray[Any]:
        """``block @ vector``."""
        return np.asarray(block @ vector.astype(block.dtype, copy=False))

    def host(self, block: NDArray[Any]) -> NDArray[Any]:
        """The block itself."""
        return block

    def size(self, block: NDArray[Any], part: object) -> int:
        """Bytes beside the part."""
        same = isinstance(part, np.ndarray) and np.may_share_memory(block, part)
        return 0 if same else block.nbytes


class TensorArithmetic:
    """Arithmetic of the methods of PyTorch's tensors, on the device of one of them."""

    rows = 512
    keys = 2048
    held = 1 << 26

    def __init__(self, like: object, dtype: type[np.floating[Any]]) -> None:
        tensor = cast(Any, like).detach()[..., :0, :0].reshape(0)
        self._like = tensor.double() if dtype is np.float64 else tensor.float()
        self._places, self._marks = tensor.long(), tensor.bool()
        if tensor.device.type != "cpu":
            # A device is kept busy only by larger blocks than a processor's cache holds.
            self.rows, self.keys, self.held = 1024, 16384, 1 << 27

    def bring(self, part: object) -> Block:
        """A part of any array as a tensor; see `Arithmetic.bring`."""
        if hasattr(part, "detach"):
            return cast(Any, part).detach().to(device=self._like.device, dtype=self._like.dtype)
        return self._like.new_tensor(_numbers(part))

    def bring_mask(self, part: object) -> Block:
        """A part of a boolean array as a tensor."""
        if hasattr(part, "detach"):
            return cast(Any, part).detach().to(device=self._like.device)
        return self._marks.new_tensor(np.asarray(part))

    def empty(self, rows: int, columns: int) -> Block:
        """Room for a block."""
        return self._like.new_empty((rows, columns))

    def product(self, left: Block, right: Block, out: Block | None = None) -> Block:
        """``left @ right.T``."""
        return left.matmul(right.T)

    def softcap_(self, block: Block, cap: float) -> None:
        """``cap · tanh(block / cap)``."""
        block.div_(cap).tanh_().mul_(cap)

    def fill_(self, block: Block, where: Block, value: float) -> None:
        """Set what ``where`` marks."""
        block.masked_fill_(where, value)

    def exp(self, block: Block, out: Block) -> None:
        """``e ** block``."""
        out.copy_(block).exp_()

    def largest(self, block: Block, edges: Sequence[int]) -> NDArray[Any]:
        """Largest of each stretch between two edges."""
        first, widths = edges[0], np.diff(edges)
        width = int(widths.max())
        if int(widths.min()) < width:
            # Stretches are brought to one width by their last members, which change no maximum.
            inside = np.minimum(np.arange(width), widths[:, None] - 1)
            places = np.asarray(edges[:-1])[:, None] + inside
            block = block[self._places.new_tensor(places.ravel())]
        else:
            block = block[first : edges[-1]]
        return self.host(block.reshape(len(widths), width, -1).amax(1))

    def sums(self, block: Block, edges: Sequence[int]) -> NDArray[Any]:
        """Sum of each stretch between two edges."""
        first, widths = edges[0], np.diff(edges)
        width = int(widths.max())
        block = block[first : edges[-1]]
        if int(widths.min()) == width:
            return self.host(block.reshape(len(widths), width, -1).sum(1))
        places = self._places.new_tensor(np.repeat(np.arange(len(widths)), widths))
        found = self._like.new_zeros((len(widths), block.shape[1]))
        return self.host(found.index_add_(0, places, block))

    def paired(self, left: Block, right: Block) -> NDArray[Any]:
        """Sum over the first axis of ``left · right``."""
        return self.host((left * right).sum(0))

    def dot(self, block: Block, vector: NDArray[Any]) -> NDArray[Any]:
        """``block @ vector``."""
        return self.host(block.matmul(self._like.new_tensor(vector)))

    def host(self, block: Block) -> NDArray[Any]:
        """The block as NumPy."""
        return cast("NDArray[Any]", block.detach().cpu().numpy())

    def size(self, block: Block, part: object) -> int:
        """Bytes beside the part."""
        same = hasattr(part, "data_ptr") and cast(Any, part).data_ptr() == block.data_ptr()
        return 0 if same else int(block.numel() * block.element_size())


def _numbers(part: object) -> NDArray[Any]:
    """A part of any array as floats of NumPy, float64 only where it is that already."""
    if isinstance(part, np.ndarray) and not isinstance(part, np.ma.MaskedArray):
        found = np.asarray(part)
    elif hasattr(part, "detach") and "float64" in str(cast(Any, part).dtype):
        found = cast(Any, part).detach().cpu().numpy()
    elif str(getattr(part, "dtype", "")) == "float64" and not hasattr(part, "mask"):
        found = np.asarray(part)
    else:
        found = to_float32(part)
    with np.errstate(over="ignore", invalid="ignore"):
        single = found.dtype.itemsize < 8 and found.dtype.kind == "f"
        return found.astype(np.float32 if single else np.float64, copy=False)
