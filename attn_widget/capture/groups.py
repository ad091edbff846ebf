"""Which layers make one map, and what it is called."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from itertools import takewhile

from .layers import Layer

_CONTAINERS = re.compile(r"^(layers?|blocks?|h|resblocks)$")


def grouped(layers: Sequence[Layer], model: str) -> dict[str, list[Layer]]:
    """Layers of one size and kind that follow each other in a model, named.

    Args:
        layers: The layers, in order.
        model: What to call a model that is an attention itself.

    Returns:
        ``"encoder"``, ``"decoder"`` and ``"cross"`` where a stack of layers is the only one of its
        kind; else what its paths have in common.
    """
    groups: dict[tuple[object, ...], list[Layer]] = {}
    for layer in layers:
        groups.setdefault((template(layer.path), layer.kind, layer.size), []).append(layer)
    kinds = Counter(one[0].kind for one in groups.values() if _in_stack(one))
    alone = {key: _in_stack(one) and kinds[one[0].kind] == 1 for key, one in groups.items()}
    short = Counter(_common(one) for key, one in groups.items() if not alone[key])
    named: dict[str, list[Layer]] = {}
    for key, group in groups.items():
        common = _common(group)
        name = group[0].kind if alone[key] else common if short[common] == 1 else _pattern(group)
        named[_free(name or model, group, named)] = group
    return named


def template(path: str) -> str:
    """A path with a star for each number."""
    return ".".join("*" if part.isdigit() else part for part in path.split("."))


def _in_stack(group: Sequence[Layer]) -> bool:
    return "*" in template(group[0].path) or len(group) > 1


def _common(group: Sequence[Layer]) -> str:
    """The path of one layer; of several what their paths begin with."""
    if len(group) == 1:
        return group[0].path
    columns = zip(*(layer.path.split(".") for layer in group), strict=False)
    parts = [column[0] for column in takewhile(lambda column: len(set(column)) == 1, columns)]
    while parts and _CONTAINERS.match(parts[-1]):
        parts = parts[:-1]
    return ".".join(parts) or _pattern(group)


def _pattern(group: Sequence[Layer]) -> str:
    """What the paths have in common, with a star for what they have not."""
    parts = zip(*(layer.path.split(".") for layer in group), strict=True)
    return ".".join(part[0] if len(set(part)) == 1 else "*" for part in parts)


def _free(name: str, group: Sequence[Layer], taken: dict[str, list[Layer]]) -> str:
    """A name that no other map has."""
    _, queries, keys = group[0].size
    choices = [name, f"{name} {queries} × {keys}"]
    choices += [f"{name} {count}" for count in range(2, len(taken) + 3)]
    return next(choice for choice in choices if choice not in taken)
