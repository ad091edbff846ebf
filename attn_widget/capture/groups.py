"""Which layers make one map, and what it is called."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from os.path import commonprefix

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
        groups.setdefault((_template(layer.path), layer.kind, layer.size), []).append(layer)
    kinds = Counter(one[0].kind for one in groups.values() if _in_stack(one))
    named: dict[str, list[Layer]] = {}
    for group in groups.values():
        kind = group[0].kind
        alone = _in_stack(group) and kinds[kind] == 1
        name = kind if alone else (_common(group) or model)
        named[_free(name, group, named)] = group
    return named


def _template(path: str) -> str:
    return ".".join("*" if part.isdigit() else part for part in path.split("."))


def _in_stack(group: Sequence[Layer]) -> bool:
    return "*" in _template(group[0].path) or len(group) > 1


def _common(group: Sequence[Layer]) -> str:
    """The path of one layer; of several what their paths begin with."""
    if len(group) == 1:
        return group[0].path
    parts = commonprefix([layer.path.split(".") for layer in group])
    while parts and _CONTAINERS.match(parts[-1]):
        parts = parts[:-1]
    return ".".join(parts) or group[0].path


def _free(name: str, group: Sequence[Layer], taken: dict[str, list[Layer]]) -> str:
    """A name that no other map has."""
    _, queries, keys = group[0].size
    choices = [name, f"{name} {group[0].kind}", f"{name} {queries} × {keys}"]
    choices += [f"{name} {count}" for count in range(2, len(taken) + 3)]
    return next(choice for choice in choices if choice not in taken)
