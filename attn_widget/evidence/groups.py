"""Whether heads look elsewhere for one group of inputs than for another: a check for bias."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..attention import Attention
from ..axes import Axis, Tokens
from ..frames import frame_of
from ..tasks import run_steps
from .permuted import Tested, compare, compare_pairs
from .roles import Cast, Roles, cast_of, measure

if TYPE_CHECKING:
    import pandas as pd

Numbers = NDArray[np.float64]

MOST_NUMBERS: Final = 1 << 26
"""Weights held at most: one a map, layer, head, query and key."""

SIGNIFICANT: Final = 0.05


class Contrast(NamedTuple):
    """How two groups differ in the weight of one query on one key."""

    layer: int
    head: int
    query: str
    key: str
    first: float
    """Mean weight in the first group."""
    second: float
    """Mean weight in the second group."""
    effect: float
    p: float
    p_adjusted: float


@dataclass(frozen=True, repr=False)
class GroupComparison:
    """Where the heads of two groups of maps look differently; arrays are (L, H, Q, K).

    Differences are the first group less the second.
    """

    groups: tuple[str, str]
    """The names of the groups."""
    sizes: tuple[int, int]
    """How many maps each has."""
    paired: bool
    """Whether the maps were compared pair by pair."""
    first: Numbers
    """The mean weight in the first group."""
    second: Numbers
    """The mean weight in the second group."""
    difference: Attention
    """The first less the second, as a map to look at, of kind ``"difference"``."""
    effect: Numbers
    """Cohen's d: the difference in units of the standard deviation within groups; of pairs, in
    units of that of their differences. NaN where nothing varies or differs."""
    p: Numbers
    """How often labels dealt at random give a difference as large, of this cell alone."""
    p_adjusted: Numbers
    """How often the largest difference of all cells is as large: holds for all of them at once."""
    permutations: int
    """How many ways of dealing the labels were looked at."""
    exact: bool
    """Whether these are all ways there are."""

    @property
    def head_p(self) -> Numbers:
        """(L, H) the smallest adjusted p of each head: whether it looks differently anywhere."""
        return np.asarray(
            np.nanmin(np.where(np.isnan(self.p_adjusted), 1.0, self.p_adjusted), (2, 3))
        )

    def strongest(self, count: int | None = 10) -> list[Contrast]:
        """Return the cells that differ most clearly: by adjusted p, then by p, then by how much.

        Args:
            count: how many; all if None.
        """
        gap = np.abs(np.nan_to_num(self.first - self.second))
        keys = (-gap, _last(self.p), _last(self.p_adjusted))
        order = np.lexsort([key.ravel() for key in keys])[:count]
        places = np.unravel_index(order, self.effect.shape)
        numbers = (self.first, self.second, self.effect, self.p, self.p_adjusted)
        asked, held = self.difference.queries.shown, self.difference.keys.shown
        return [
            Contrast(
                int(layer),
                int(head),
                asked[query],
                held[key],
                *(float(values[layer, head, query, key]) for values in numbers),
            )
            for layer, head, query, key in zip(*places, strict=True)
        ]

    def to_frame(self) -> pd.DataFrame:
        """Return one row a cell: where it is, and its numbers.

        Raises:
            ImportError: if pandas is not installed.
        """
        layer, head, query, key = (index.ravel() for index in np.indices(self.effect.shape))
        asked, held = (
            np.array([*axis.shown], dtype=object)
            for axis in (self.difference.queries, self.difference.keys)
        )
        columns: dict[str, NDArray[Any]] = {
            "layer": layer,
            "head": head,
            "query": query,
            "query_label": asked[query],
            "key": key,
            "key_label": held[key],
            "first": self.first.ravel(),
            "second": self.second.ravel(),
            "difference": (self.first - self.second).ravel(),
            "effect": self.effect.ravel(),
            "p": self.p.ravel(),
            "p_adjusted": self.p_adjusted.ravel(),
        }
        return frame_of(columns)

    def __repr__(self) -> str:
        layers, heads, queries, keys = self.effect.shape
        found = int((self.p_adjusted < SIGNIFICANT).sum())
        names = " − ".join(
            f"{name} ({size})" for name, size in zip(self.groups, self.sizes, strict=True)
        )
        lines = [
            f"GroupComparison({names}{', paired' if self.paired else ''}: {layers} layers × "
            f"{heads} heads × {queries} queries × {keys} keys, "
            f"{'all' if self.exact else 'random'} {self.permutations:,} permutations)",
            f"{found:,} of {self.effect.size:,} weights differ (adjusted p < {SIGNIFICANT})",
        ]
        lines += [
            f"  layer {cell.layer}, head {cell.head}, {cell.query} → {cell.key}: "
            f"{cell.first:.3f} and {cell.second:.3f}, d = {cell.effect:.2f}, "
            f"p = {cell.p:.3g}, adjusted {cell.p_adjusted:.3g}"
            for cell in self.strongest(5)
        ]
        return "\n".join(lines)


def compare_groups(
    groups: Mapping[str, Sequence[Attention]],
    *,
    roles: Roles | Mapping[str, Sequence[Roles]] | None = None,
    key_roles: Roles | Mapping[str, Sequence[Roles]] | None = None,
    paired: bool = False,
    permutations: int = 10_000,
    seed: int = 0,
    progress: Callable[[float], object] | None = None,
) -> GroupComparison:
    """Compare where heads look for two groups of inputs, such as sentences that differ in a word.

    Each weight from a query to a key is compared: its difference, Cohen's d, and a permutation test
    of the studentised difference. The adjusted p asks how often the largest of all weights differs
    as much (Westfall and Young 1993, single step): where nothing differs, any is below 0.05 in one
    comparison of twenty, however many weights there are. So that weights that hardly vary do not
    decide, the median spread is added to each (after Tusher et al. 2001).

    Positions are compared by index, for which all maps must have one shape; or by the roles they
    play, where inputs differ in length: weight is summed over the keys of a role and averaged over
    its queries, as in merged words.

    Args:
        groups: two names, each with the maps of its inputs, two or more.
        roles: the positions of each role, ``{"pronoun": 4, "doctor": [1, 2]}``, in all maps; or
            ``{group: [roles of its first map, …], …}``. None compares all positions.
        key_roles: the same for keys, where these play other roles than queries.
        paired: whether the first map of one group belongs to the first of the other, and so on.
        permutations: ways of dealing the labels to look at; all where there are no more, and fewer
            (not below 999) where there are very many weights.
        seed: of the permutations drawn.
        progress: told the share done, 0..1, now and then.

    Raises:
        TypeError: if maps or roles are of another type.
        ValueError: if groups, shapes or roles do not fit, or there is too much to compare.
        IndexError: if a role stands at a position that is not there.
    """
    names, maps = _checked(groups, paired)
    if permutations < 1:
        raise ValueError(f"permutations must be at least 1; got {permutations}")
    asked = None if roles is None else cast_of(roles, names, maps, side=2)
    held = asked if key_roles is None else cast_of(key_roles, names, maps, side=3)
    if key_roles is None and roles is not None:
        held = cast_of(roles, names, maps, side=3)
    _check_size(maps, asked, held)
    first, second = (_measured(group, index, asked, held) for index, group in enumerate(maps))
    test = compare_pairs if paired else compare
    flat = [values.reshape(len(values), -1) for values in (first, second)]
    found: Tested = run_steps(test(flat[0], flat[1], permutations, seed), progress)
    shape = first.shape[1:]
    means = first.mean(axis=0), second.mean(axis=0)
    return GroupComparison(
        groups=names,
        sizes=(len(first), len(second)),
        paired=paired,
        first=means[0],
        second=means[1],
        difference=Attention(
            (means[0] - means[1]).astype(np.float32),
            _axis(maps, asked, "queries"),
            _axis(maps, held, "keys"),
            kind="difference",
            name=f"{names[0]} − {names[1]}",
        ),
        effect=found.effect.reshape(shape),
        p=found.p.reshape(shape),
        p_adjusted=found.p_adjusted.reshape(shape),
        permutations=found.permutations,
        exact=found.exact,
    )


def _checked(
    groups: Mapping[str, Sequence[Attention]], paired: bool
) -> tuple[tuple[str, str], list[list[Attention]]]:
    if not isinstance(groups, Mapping) or len(groups) != 2:
        raise ValueError(f"groups must be two names, each with its maps; got {groups!r}")
    names = tuple(map(str, groups))
    maps = [[*group] for group in groups.values()]
    for name, group in zip(names, maps, strict=True):
        if len(group) < 2:
            raise ValueError(
                f"{name} must have at least 2 maps to tell chance by; got {len(group)}"
            )
        for attention in group:
            if not isinstance(attention, Attention):
                raise TypeError(f"{name} must hold maps; got {type(attention).__name__}")
    if paired and len(maps[0]) != len(maps[1]):
        raise ValueError(
            f"pairs need as many maps in each group; got {len(maps[0])} and {len(maps[1])}"
        )
    heads = {attention.shape[:2] for group in maps for attention in group}
    if len(heads) > 1:
        raise ValueError(f"all maps must have one number of layers and heads; got {sorted(heads)}")
    return (names[0], names[1]), maps


def _check_size(maps: Sequence[Sequence[Attention]], asked: Cast | None, held: Cast | None) -> None:
    """Check that positions compared by index are the same in all maps, and not too many."""
    sizes = []
    for cast, side, name in ((asked, 2, "queries"), (held, 3, "keys")):
        lengths = {attention.shape[side] for group in maps for attention in group}
        if cast is None and len(lengths) > 1:
            raise ValueError(
                f"positions can be compared by index only where all maps have as many {name}; got "
                f"{sorted(lengths)} (say which play the same part with roles=)"
            )
        sizes.append(len(cast.names) if cast else lengths.pop())
    layers, heads = maps[0][0].shape[:2]
    numbers = sum(map(len, maps)) * layers * heads * sizes[0] * sizes[1]
    if numbers > MOST_NUMBERS:
        raise ValueError(
            f"at most {MOST_NUMBERS:,} weights of all maps together can be compared; got "
            f"{numbers:,} (name the positions that matter with roles=, or select layers)"
        )


def _measured(
    group: Sequence[Attention], index: int, asked: Cast | None, held: Cast | None
) -> Numbers:
    """Return the weights compared, (maps, layers, heads, queries, keys)."""
    return np.stack(
        [
            measure(
                attention,
                None if asked is None else asked.places[index][place],
                None if held is None else held.places[index][place],
            )
            for place, attention in enumerate(group)
        ]
    )


def _axis(maps: Sequence[Sequence[Attention]], cast: Cast | None, side: str) -> Axis:
    """Return what is compared as an axis: roles, or positions with all labels they have."""
    if cast is not None:
        return Axis([Tokens(cast.names, special=())])
    axes: list[Axis] = [getattr(attention, side) for group in maps for attention in group]
    if all(axis == axes[0] for axis in axes) or axes[0].has_places:
        return axes[0]
    special = set(axes[0].special).intersection(*(axis.special for axis in axes))
    together = [
        [*dict.fromkeys(labels)] for labels in zip(*(axis.shown for axis in axes), strict=True)
    ]
    labels = [" / ".join(found[:2]) + (" …" if len(found) > 2 else "") for found in together]
    return Axis([Tokens(labels, special=sorted(special))])


def _last(values: Numbers) -> Numbers:
    return np.where(np.isnan(values), np.inf, values)
