"""Positions of several maps that play the same roles, and the weight between those."""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, cast

import numpy as np
from numpy.typing import NDArray

from ..attention import Attention

Roles: TypeAlias = Mapping[str, object]
"""Where each role stands: at one position, or at several."""

Places: TypeAlias = tuple[tuple[int, ...], ...]
"""The positions of each role."""


@dataclass(frozen=True)
class Cast:
    """Who plays which role: on one side of all maps of all groups."""

    names: tuple[str, ...]
    places: tuple[tuple[Places, ...], ...]
    """For each group and map."""


def cast_of(
    roles: Roles | Mapping[str, Sequence[Roles]],
    groups: Sequence[str],
    maps: Sequence[Sequence[Attention]],
    side: int,
) -> Cast:
    """Return where each role stands in every map.

    Args:
        roles: the positions of each role, in all maps; or for each group a list of those.
        groups: the names of the groups.
        maps: the maps of each group.
        side: the axis of a map's shape that positions are of: 2 for queries, 3 for keys.

    Raises:
        TypeError: if roles are no mapping.
        ValueError: if roles differ between maps, or there is not one mapping a map.
        IndexError: if a position is not there.
    """
    if not isinstance(roles, Mapping) or not roles:
        raise TypeError(f"roles must map names to positions; got {roles!r}")
    listed: list[Sequence[Roles]] = [[roles] * len(group) for group in maps]
    if any(_is_list_of_roles(value) for value in roles.values()):
        if set(roles) != set(groups):
            raise ValueError(f"roles must be given for {', '.join(groups)}; got {', '.join(roles)}")
        listed = [cast("Sequence[Roles]", roles[name]) for name in groups]
    for name, given, group in zip(groups, listed, maps, strict=True):
        if len(given) != len(group):
            raise ValueError(f"{name} has {len(group)} maps but roles for {len(given)}")
    names = tuple(listed[0][0])
    places = tuple(
        tuple(
            _places(one, names, attention.shape[side])
            for one, attention in zip(given, group, strict=True)
        )
        for given, group in zip(listed, maps, strict=True)
    )
    return Cast(names, places)


def measure(attention: Attention, queries: Places | None, keys: Places | None) -> NDArray[Any]:
    """Return the weight between roles: summed over the keys of each, averaged over its queries.

    Args:
        attention: the map.
        queries: the positions of each role; None takes all positions, one by one.
        keys: the same for keys.

    Returns:
        (layers, heads, query roles, key roles), float64.
    """
    asked = None if queries is None else sorted({place for role in queries for place in role})
    held = None if keys is None else sorted({place for role in keys for place in role})
    weights = attention.select(queries=asked, keys=held)[...].astype(np.float64)
    if keys is not None and held is not None:
        weights = weights @ _members(keys, held).T
    if queries is not None and asked is not None:
        members = _members(queries, asked)
        weights = (members / members.sum(axis=1, keepdims=True)) @ weights
    return weights


def _members(roles: Places, positions: Sequence[int]) -> NDArray[np.float64]:
    """Return (roles, positions), 1 where a position plays a role."""
    return np.array([[float(place in role) for place in positions] for role in roles])


def _is_list_of_roles(value: object) -> bool:
    return (
        isinstance(value, Sequence)
        and not isinstance(value, str)
        and any(isinstance(item, Mapping) for item in value)
    )


def _places(roles: Roles, names: tuple[str, ...], length: int) -> Places:
    if not isinstance(roles, Mapping) or set(roles) != set(names):
        raise ValueError(f"all maps must have the roles {', '.join(names)}; got {roles!r}")
    return tuple(_positions(name, roles[name], length) for name in names)


def _positions(name: str, value: Any, length: int) -> tuple[int, ...]:
    try:
        given = [operator.index(value)]
    except TypeError:
        try:
            given = [operator.index(place) for place in value]
        except TypeError:
            raise TypeError(f"role {name!r} must be a position or several; got {value!r}") from None
    if not given:
        raise ValueError(f"role {name!r} must stand at one position at least; got none")
    for place in given:
        if not -length <= place < length:
            raise IndexError(
                f"role {name!r} stands at {place}, out of range for {length} positions"
            )
    return tuple(place % length for place in given)
