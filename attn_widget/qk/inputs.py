"""What attention from queries and keys is made of: checked, and read in parts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from numbers import Real
from typing import Any, cast

import numpy as np

from ..sources import Shape, float_dtype, is_array, shape_of
from .arithmetic import Arithmetic, NumPyArithmetic, TensorArithmetic
from .rules import Reach, Rules, Table
from .sweep import Floats

DOUBLE = 1 << 24
"""Heads of at most this many multiplications are computed in float64: nobody waits for that."""


class Vectors:
    """Queries, keys or values: (L, H, N, D), leading axes optional, or one array a layer.

    Args:
        array: An array of 2 to 4 axes, or a list or tuple with one (H, N, D) or (1, H, N, D)
            array a layer; nested lists of floats are an array.
        name: What to call it in messages.
        axis: The letter of its third axis in messages.

    Raises:
        TypeError: If the numbers are not floats or it is no array.
        ValueError: If the number of axes does not fit, or layers differ.
    """

    def __init__(self, array: object, name: str, axis: str) -> None:
        if isinstance(array, (list, tuple)) and array and not any(map(is_array, array)):
            array = _nested(array, name)
        listed = isinstance(array, (list, tuple))
        layers = list(cast("list[object]", array)) if listed else [array]
        if not layers or not all(map(is_array, layers)):
            raise TypeError(
                f"{name} must be an array of shape (layers, heads, {axis}, D), leading axes "
                f"optional, or one (heads, {axis}, D) array a layer; got {type(array).__name__}"
            )
        self._layers = [cast(Any, _detached(layer)) for layer in layers]
        sizes = shape_of(layers[0])
        fits = len(sizes) == 3 or (len(sizes) == 4 and sizes[0] == 1) if listed else True
        if not 2 <= len(sizes) <= 4 or not fits:
            raise ValueError(
                f"{name} must have shape (layers, heads, {axis}, D), leading axes optional; got "
                f"{'layers of ' if listed else ''}shape {sizes}"
            )
        if any(shape_of(layer) != sizes for layer in layers):
            found = sorted({shape_of(layer) for layer in layers})
            raise ValueError(f"all layers of {name} must have one shape; got {found}")
        self._listed = listed
        self._axes = len(sizes)
        full = (1,) * (4 - self._axes) + sizes
        if listed:
            full = (len(layers), *full[1:])
        self.shape: Shape = cast(Shape, full)
        if min(self.shape[1], self.shape[3], self.shape[0]) < 1:
            raise ValueError(f"{name} must have a layer, a head and a size; got shape {sizes}")
        try:
            self.dtype, _ = float_dtype(layers[0])
        except TypeError as error:
            raise TypeError(str(error).replace("weights", name, 1).partition(";")[0]) from None

    @property
    def sample(self) -> Any:
        """One of the arrays."""
        return self._layers[0]

    def part(self, layer: int, head: int, positions: slice) -> Any:
        """Vectors of one head, (positions, D), as the array's library slices them."""
        array = self._layers[layer] if self._listed else self._layers[0]
        front = (0, head) if self._listed else (layer, head)
        return array[(*front[len(front) - (self._axes - 2) :], positions, slice(None))]


def arithmetic_for(query: Vectors, key: Vectors) -> Arithmetic:
    """Arithmetic where the queries live, as exact as they are and as patience allows."""
    _, _, count, depth = query.shape
    double = np.float64 in (query.dtype, key.dtype) or count * key.shape[2] * depth <= DOUBLE
    double = double or query.dtype == np.longdouble or key.dtype == np.longdouble
    sample = query.sample
    if not (hasattr(sample, "detach") and hasattr(sample, "device")):
        return NumPyArithmetic(np.float64 if double else np.float32)
    # Not every device has float64.
    double = double and sample.device.type in ("cpu", "cuda")
    return TensorArithmetic(sample, np.float64 if double else np.float32)


def rules_for(
    shape: Shape,
    depth: int,
    *,
    scale: float | None,
    causal: bool,
    mask: object,
    bias: object,
    window: int | None,
    softcap: float | None,
    offset: int,
) -> Rules:
    """Check the options of attention; see `QKSource`.

    Raises:
        TypeError: If an option is of a wrong type.
        ValueError: If an option is out of range or does not broadcast.
    """
    if not isinstance(causal, (bool, np.bool_)):
        raise TypeError(f"causal must be True or False; got {causal!r}")
    if window is not None and _whole(window, "window") < 1:
        raise ValueError(f"window must be at least 1; got {window}")
    if softcap is not None and not _finite(softcap, "softcap") > 0:
        raise ValueError(f"softcap must be above 0; got {softcap}")
    reach = Reach(
        shape[3], bool(causal), None if window is None else int(window), _whole(offset, "offset")
    )
    return Rules(
        reach,
        1 / math.sqrt(depth) if scale is None else _finite(scale, "scale"),
        None if softcap is None else float(softcap),
        None if bias is None else _table(bias, shape, "bias"),
        None if mask is None else _table(mask, shape, "mask"),
    )


def sinks_for(sinks: object, layers: int, heads: int) -> Floats | None:
    """One logit a head, spread to (layers, heads).

    Raises:
        ValueError: If the shape is neither (heads,) nor (layers, heads).
    """
    if sinks is None:
        return None
    if hasattr(sinks, "detach"):
        sinks = cast(Any, sinks).detach().double().cpu().numpy()
    found = np.asarray(sinks, dtype=np.float64)
    if found.shape not in ((heads,), (layers, heads)):
        raise ValueError(
            f"sinks must have shape ({heads},) or ({layers}, {heads}), one logit a head; "
            f"got {found.shape}"
        )
    return np.broadcast_to(found, (layers, heads))


def check_fit(query: Vectors, key: Vectors, value: Vectors | None) -> None:
    """Check that queries, keys and values belong together.

    Raises:
        ValueError: If sizes do not fit.
    """
    layers, heads, _, depth = query.shape
    shapes = f"query {query.shape} and key {key.shape} as (layers, heads, positions, D)"
    if key.shape[0] != layers:
        raise ValueError(f"query and key must have one number of layers; got {shapes}")
    if key.shape[3] != depth:
        raise ValueError(f"query and key must have one D, their last axis; got {shapes}")
    if heads % key.shape[1]:
        raise ValueError(
            f"heads of query must be a multiple of those of key (grouped heads); got {shapes}"
        )
    if value is not None and value.shape[:3] != key.shape[:3]:
        raise ValueError(
            "value must have the layers, heads and positions of key, "
            f"{key.shape[:3]}; got shape {value.shape}"
        )


def _table(array: object, shape: Shape, name: str) -> Table:
    if not is_array(array):
        if not isinstance(array, Sequence):
            raise TypeError(f"{name} must be an array; got {type(array).__name__}")
        array = np.asarray(array)
    dtype = str(cast(Any, array).dtype).removeprefix("torch.")
    if name == "mask" and dtype != "bool":
        raise TypeError(
            f"mask must be boolean, True where a query may attend; got dtype {dtype} "
            "(what is added to logits goes to bias)"
        )
    if name == "bias" and dtype == "bool":
        raise TypeError("bias must hold numbers added to logits; got dtype bool (that is mask)")
    return Table(_detached(array), shape, name)


def _nested(numbers: Sequence[object], name: str) -> object:
    try:
        return np.asarray(numbers)
    except ValueError as error:
        raise ValueError(f"{name} must be one rectangular array: {error}") from None


def _detached(array: object) -> object:
    return cast(Any, array).detach() if hasattr(array, "detach") else array


def _whole(value: object, name: str) -> int:
    if isinstance(value, (bool, np.bool_)) or not hasattr(value, "__index__"):
        raise TypeError(f"{name} must be an int; got {value!r}")
    return int(cast(Any, value).__index__())


def _finite(value: object, name: str) -> float:
    number = isinstance(value, Real) and not isinstance(value, bool)
    if not number or not math.isfinite(cast(float, value)):
        raise ValueError(f"{name} must be a finite number; got {value!r}")
    return float(cast(float, value))
