"""The cases of ``panels.json`` and ``account.json``: what lies on which picture, and how much."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from attn_widget import Attention, Boxes, Patches, Tokens
from attn_widget.account import (
    Account,
    account_of,
    received_of,
    rows_of_focus,
    share_of,
    sinks_of,
)
from attn_widget.axes import Axis, Segment
from attn_widget.filters import combine_heads, merge_heads
from attn_widget.panels import panels_of, rects_of, region_of, roles_of

Case = dict[str, Any]
Image = NDArray[np.uint8]

WIDE: Final = np.zeros((480, 640, 3), np.uint8)
SMALL: Final = np.full((64, 64, 3), 9, np.uint8)
PLAIN: Final = Tokens(["a", "cat"])
IMAGES: Final = {"wide": WIDE, "small": SMALL}


# --- panels -----------------------------------------------------------------------------------


def name_of(image: Image | None) -> str | None:
    """Return what an image is called in the file."""
    if image is None:
        return None
    return next(name for name, known in IMAGES.items() if np.array_equal(known, image))


def axis_of(axis: Axis) -> Case:
    """Write an axis as the page gets it, beside its labels' text."""
    return {"length": len(axis), "special": list(axis.special), "parts": parts_of(axis)}


def parts_of(axis: Axis) -> list[Case]:
    """Write the segments that lie somewhere."""
    parts = []
    for start, segment in zip(axis.starts, axis.segments, strict=False):
        if isinstance(segment, Tokens):
            continue
        part = {
            "start": start,
            "stop": start + len(segment),
            "image": name_of(segment.image),
        }
        if isinstance(segment, Boxes):
            parts.append({**part, "kind": "boxes", "boxes": segment.regions.tolist()})
            continue
        cells = segment.cells.tolist()
        parts.append(
            {
                **part,
                "kind": "patches",
                "rows": segment.rows,
                "cols": segment.cols,
                "region": list(region_of(segment)),
                "order": None if cells == list(range(segment.rows * segment.cols)) else cells,
            }
        )
    return parts


def panels_case(name: str, queries: list[Segment], keys: list[Segment] | None = None) -> Case:
    """Make a case of ``panels.json``; without keys both sides share an axis."""
    shared = keys is None
    counts = [sum(map(len, side)) for side in (queries, queries if keys is None else keys)]
    attention = Attention(np.zeros(counts, np.float32), queries, keys)
    sides = [attention.queries] if shared else [attention.queries, attention.keys]
    return {
        "name": name,
        "images": {
            name: {"width": image.shape[1], "height": image.shape[0]}
            for name, image in IMAGES.items()
        },
        "queries": axis_of(attention.queries),
        "keys": None if shared else axis_of(attention.keys),
        "panels": [
            {
                "image": name_of(panel.image),
                "size": list(panel.size),
                "extent": list(panel.extent),
                "parts": [
                    {"side": part.side, "start": part.start, "stop": part.stop}
                    for part in panel.parts
                ],
            }
            for panel in panels_of(attention)
        ],
        "rects": [
            [None if np.isnan(rect[0]) else rect.tolist() for rect in rects_of(axis)]
            for axis in sides
        ],
        "roles": [list(roles_of(axis)) for axis in sides],
    }


def panels_cases() -> list[Case]:
    """Make pictures shared and not shared, crops, padding, tiles, boxes and bare grids."""
    grid = Patches(2, 3, image=WIDE)
    text = Tokens(["[CLS]", "a", "cat"], special=[0])
    tiles: list[Segment] = [
        Patches(2, 2, image=WIDE),
        Patches(2, 3, image=WIDE, region=(0, 0, 320, 240)),
        Patches(2, 3, image=WIDE, region=(320, 0, 640, 240)),
        Patches(2, 3, image=WIDE, region=(0, 240, 320, 480)),
        Patches(2, 3, image=WIDE, region=(320, 240, 640, 480)),
    ]
    third = 640 / 3
    boxes = Boxes([[10, 10, 50, 60], [0, 0, 640, 480]], image=WIDE)
    return [
        panels_case("words on a picture", [PLAIN], [grid]),
        panels_case("patches among themselves", [text, grid]),
        panels_case("two sides that know the same picture", [text, grid], [grid]),
        panels_case("text alone", [PLAIN], [Tokens(["x", "y", "z"])]),
        panels_case("centre crop", [PLAIN], [Patches(3, 3, image=WIDE, region=(80, 0, 560, 480))]),
        panels_case("letterbox", [PLAIN], [Patches(24, 24, image=WIDE, region=(0, -80, 640, 560))]),
        panels_case(
            "cells beyond the right and lower edges",
            [PLAIN],
            [Patches(2, 2, image=SMALL, region=(0, 0, 66, 80))],
        ),
        panels_case("overview, then tiles", [text, *tiles]),
        panels_case(
            "neighbours that touch",
            [PLAIN],
            [
                Patches(1, 1, image=WIDE, region=(0, 0, third, 480)),
                Patches(1, 1, image=WIDE, region=(third, 0, 2 * third, 480)),
                Patches(1, 1, image=WIDE, region=(third + third, 0, 640, 480)),
            ],
        ),
        panels_case("two pictures", [text, grid, Tokens(["and"]), Patches(2, 2, image=SMALL)]),
        panels_case(
            "text between patches", [Patches(1, 2, image=SMALL), PLAIN, Patches(2, 2, image=SMALL)]
        ),
        panels_case("bare grids", [Patches(2, 2)], [Patches(3, 4), Patches(2, 5)]),
        panels_case("a bare grid that asks itself", [Patches(3, 2)]),
        panels_case("boxes on patches", [boxes], [grid]),
        panels_case("boxes among themselves", [boxes]),
        panels_case(
            "boxes as keys, on two pictures",
            [PLAIN],
            [boxes, Boxes([[1, 2, 3, 4]], image=SMALL), Tokens(["none"])],
        ),
        panels_case(
            "boxes outside, at the edge, and flat",
            [Boxes([[-9, 0, 0, 9], [-9, 0, 1, 9], [5, 5, 5, 9], [64, 0, 70, 9]], image=SMALL)],
            [grid],
        ),
        panels_case(
            "boxes without a picture", [Boxes([[2, 3, 40, 50], [1, 1, 7, 60]])], [Patches(2, 2)]
        ),
        panels_case("no boxes", [Boxes([])], [grid]),
        panels_case(
            "another order, with newlines between rows",
            [text, Patches(2, 3, image=WIDE, order=[3, 4, 5, -1, 0, 1, 2, -1]), PLAIN],
        ),
        panels_case(
            "some cells of a grid",
            [PLAIN],
            [Patches(3, 4, image=SMALL, region=(0, -16, 64, 80), order=[11, 5, 6, -1, 0])],
        ),
    ]


# --- account ----------------------------------------------------------------------------------

SPECIALS: Final = ("show", "hide", "renormalise")


def account_json(account: Account) -> Case:
    """Write an account."""
    return {
        "shares": [
            {"name": s.name, "role": s.role, "share": rounded(s.share), "aside": s.aside}
            for s in account.shares
        ],
        "total": rounded(account.total),
        "set_aside": rounded(account.set_aside),
        "strongest": account.strongest,
        "half": account.half,
        "of": account.of,
    }


def rounded(value: float) -> float:
    """Write a sum, whose last digits depend on how it is summed up."""
    return float(f"{value:.12g}")


def written(values: NDArray[np.float32]) -> list[Any]:
    """Write weights; null is missing, strings are infinities."""
    if values.ndim > 1:
        return [written(part) for part in values]
    return [
        None
        if np.isnan(value)
        else float(str(value))
        if np.isfinite(value)
        else "Infinity"
        if value > 0
        else "-Infinity"
        for value in values
    ]


def account_case(
    name: str,
    weights: NDArray[np.float32],
    queries: Axis,
    keys: Axis,
    side: str,
    positions: list[int],
    *,
    combine: str = "mean",
    special: str = "show",
    aside: tuple[int, ...] = (),
) -> Case:
    """Make a case of ``account.json``: weights and a focus, and what they come to."""
    other = keys if side == "query" else queries
    key_special = sorted({*keys.special, *aside})
    painted, before = rows_of_focus(
        weights, combine, "query" if side == "query" else "key", positions, special,
        queries.special, key_special,
    )  # fmt: skip
    row, drawn = (merge_heads(part[:, None], "mean")[0, 0] for part in (before, painted))
    hidden = key_special if side == "query" else queries.special
    apart = [] if special == "show" else [*hidden]
    received = received_of(combine_heads(weights, combine))
    sinks = sinks_of(received, roles_of(keys), len(queries))
    return {
        "name": name,
        "shape": list(weights.shape),
        "weights": written(weights),
        "query_special": list(queries.special),
        "key_special": list(keys.special),
        "roles": list(roles_of(other)),
        "labels": list(other.shown),
        "key_roles": list(roles_of(keys)),
        "side": side,
        "positions": positions,
        "combine": combine,
        "special": special,
        "aside": list(aside),
        "expected": {
            "painted": written(painted),
            "apart": apart,
            "account": account_json(account_of(row, drawn, roles_of(other), other.shown, apart)),
            "received": written(received),
            "sinks": list(sinks),
            "sinks_share": rounded(share_of(row, sinks)) if side == "query" else None,
        },
    }


def rows_with(heads: int, queries: int, keys: int, seed: int) -> NDArray[np.float32]:
    """Make weights whose rows nearly sum to 1, rounded so that they read well."""
    scores = np.random.default_rng(seed).normal(scale=1.5, size=(heads, queries, keys))
    weights = np.exp(scores)
    shares = (weights / weights.sum(axis=2, keepdims=True)).round(3)
    return np.asarray(shares, dtype=np.float32)


def account_cases() -> list[Case]:
    """Make foci on either side, with special tokens, padding, text, sinks and missing weights."""
    vit = Axis([Tokens(["[CLS]", "[REG1]", "[REG2]"], special=[0, 1, 2]), Patches(2, 3)])
    mixed = Axis(
        [
            Tokens(["<s>", "a", "<img>"], special=[0, 2]),
            Patches(2, 2, image=SMALL, region=(0, 0, 64, 128)),
            Tokens(["cat", "[PAD]", "[PAD]"], special=[1, 2]),
        ]
    )
    words, image = Axis([Tokens(["a", "red", "cat"])]), Axis([Patches(2, 4)])
    boxes = Axis([Boxes([[0, 0, 9, 9], [70, 0, 90, 9], [5, 5, 60, 60]], image=SMALL)])
    own, cross = rows_with(2, 9, 9, 1), rows_with(3, 3, 8, 2)
    joint, detector = rows_with(2, 10, 10, 3), rows_with(1, 3, 8, 4)
    many = Axis([Tokens([f"word {at}" for at in range(18)])])
    grid = Axis([Patches(3, 8)])
    sunk = (rows_with(1, 18, 24, 5) * np.float32(0.25)).round(3)
    sunk[:, :, 7] = 0.75
    odd = cross.copy()
    odd[0, 1] = np.nan
    odd[:, 2, 3] = np.nan
    odd[1, 0, 5] = np.inf
    masked = np.where(np.tri(10, dtype=bool), joint * 7 - 3, -np.inf).astype(np.float32)
    every = list(range(9))
    cases = [
        account_case("a word", cross, words, image, "query", [1]),
        account_case("two words", cross, words, image, "query", [0, 2]),
        account_case("each head", cross, words, image, "query", [1], combine="each"),
        account_case("strongest head", cross, words, image, "query", [1], combine="max"),
        account_case("a patch attended by words", cross, words, image, "key", [3]),
        account_case("patches attended by words", cross, words, image, "key", [3, 4, 5]),
        account_case("all queries", own, vit, vit, "query", every),
        account_case("boxes ask", detector, boxes, image, "query", [0, 2]),
        account_case("who attends to patches: boxes", detector, boxes, image, "key", [1]),
        account_case("missing and infinite", odd, words, image, "query", [0, 1]),
        account_case("missing in all heads", odd, words, image, "query", [2]),
        account_case("infinite, attended by", odd, words, image, "key", [3, 5], combine="max"),
        account_case("scores, masked", masked, mixed, mixed, "query", [4, 9]),
        account_case("nothing at all", np.zeros((1, 3, 8), np.float32), words, image, "query", [0]),
        account_case("a sink", sunk, many, grid, "query", [1]),
    ]
    for special in SPECIALS:
        for side in ("query", "key"):
            cases += [
                account_case(f"{special}, {side}, its own", own, vit, vit, side, [0, 4],
                             special=special, combine="each"),
                account_case(f"{special}, {side}, mixed", joint, mixed, mixed, side, [5],
                             special=special, aside=(4,)),
                account_case(f"{special}, {side}, a sink aside", sunk, many, grid, side, [1],
                             special=special, aside=(7,)),
            ]  # fmt: skip
    return cases
