"""Cross-attention of a diffusion model, put together from its steps, levels and heads."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ..attention import Attention
from ..axes import Axis, Patches, word_runs
from .inputs import Floats, as_attention, derived
from .lazy import WholeSource
from .words import merged_axis

CUBIC: Final = -0.75
"""The usual sharpness of cubic interpolation (PyTorch, OpenCV)."""


def daam(
    maps: Iterable[object],
    *,
    size: tuple[int, int] | None = None,
    combine: str = "mean",
    words: bool = False,
) -> Attention:
    """DAAM: how much each place of a generated image attended to each token of the prompt.

    ``D[p, k] = mean_m (bicubic A_m[:, k])⁺[p]`` over all steps, levels and heads m: maps of every
    resolution are brought to one grid, where cubic interpolation that falls below 0 counts 0. Pin a
    token to see its heat map. Computed when first read. Source: Tang et al. 2022, arXiv 2210.04885.

    Args:
        maps: Cross-attention of each step and level, (L, H, rows · cols, tokens) with `Patches` as
            queries; of images made with guidance the conditional half.
        size: (rows, cols) of the result; None is that of the finest map.
        combine: ``"mean"``, or ``"sum"`` as in the paper.
        words: Whether keys become words: the heat of a word is the mean of those of its tokens.

    Returns:
        A map (1, 1, rows · cols, tokens) of kind ``"relevance"``, its queries on the image.

    Raises:
        ValueError: If there is no map, tokens differ, or queries are no grid.
    """
    every = [as_attention(one, "maps") for one in maps]
    if not every:
        raise ValueError("daam needs at least one map; got none")
    if combine not in ("mean", "sum"):
        raise ValueError(f"combine must be 'mean' or 'sum'; got {combine!r}")
    grids = [_grid(att) for att in every]
    tokens = every[0].shape[3]
    for att in every:
        if att.shape[3] != tokens:
            raise ValueError(
                f"all maps must attend to the same tokens; got {tokens} and {att.shape[3]}"
            )
    finest = max(grids, key=lambda grid: grid.rows * grid.cols)
    rows, cols = size or (finest.rows, finest.cols)

    def steps() -> Generator[float, None, NDArray[np.float64]]:
        total = np.zeros((rows, cols, tokens))
        count = 0
        for place, (att, grid) in enumerate(zip(every, grids, strict=True)):
            down = resized(grid.rows, rows)
            across = resized(grid.cols, cols)
            for layer in range(att.shape[0]):
                for head in range(att.shape[1]):
                    weights = att[layer, head].reshape(grid.rows, grid.cols, tokens)
                    wide = np.einsum("rc,cyk->ryk", down, weights.astype(np.float64))
                    total += np.maximum(np.einsum("sy,ryk->rsk", across, wide), 0.0)
                    count += 1
                    yield place / len(every)
        if words:
            total = np.add.reduceat(total, [run.start for run in runs], axis=2) / lengths
        return total / (count if combine == "mean" else 1)

    first = every[0]
    runs = word_runs(first.keys)
    lengths = np.array([len(run) for run in runs])
    keys = merged_axis(first.keys, runs) if words else first.keys
    patches = Patches(rows, cols, image=finest.image, region=finest.region)
    source = WholeSource((1, 1, rows * cols, len(keys)), steps)
    return derived(
        first,
        source,
        "daam",
        title="DAAM",
        settings={"maps": len(every), "size": (rows, cols), "combine": combine, "words": words},
        notes=("rows do not sum to 1 exactly: interpolation below 0 counts 0",),
        kind="relevance",
        queries=Axis([patches]),
        keys=keys,
    )


def resized(before: int, after: int) -> Floats:
    """The matrix of cubic interpolation along one side, pixel centres at halves, borders repeated.

    Args:
        before: Cells that are there.
        after: Cells that are wanted.

    Returns:
        (after, before); rows sum to 1.
    """
    centres = (np.arange(after) + 0.5) * before / after - 0.5
    first = np.floor(centres).astype(np.int64)
    found = np.zeros((after, before))
    for offset in range(-1, 3):
        distance = np.abs(centres - (first + offset))
        near = (CUBIC + 2) * distance**3 - (CUBIC + 3) * distance**2 + 1
        far = CUBIC * (distance**3 - 5 * distance**2 + 8 * distance - 4)
        weight = np.where(distance <= 1, near, np.where(distance < 2, far, 0.0))
        np.add.at(found, (np.arange(after), np.clip(first + offset, 0, before - 1)), weight)
    return found


def _grid(att: Attention) -> Patches:
    segments = att.queries.segments
    segment = segments[0] if len(segments) == 1 else None
    if not isinstance(segment, Patches) or segment.order != "raster":
        raise ValueError(
            "queries of each map must be one grid in reading order, Patches(rows, cols); got "
            f"{', '.join(type(one).__name__ for one in segments)}"
        )
    return segment
