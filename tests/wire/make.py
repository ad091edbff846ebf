"""Make the files that pytest and vitest both read, so that Python and the page agree.

``python -m wire.make`` in ``tests`` writes them; ``tests/test_wire.py`` fails when they differ from
what is made here, and checks the numbers in them by other means. Numbers that JSON lacks are the
strings "NaN", "Infinity" and "-Infinity" (JavaScript's ``Number(text)`` reads them); missing
weights in ``edges.json`` and ``words.json`` are null.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import product
from math import isinf, isnan
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from attn_widget import Attention, Tokens
from attn_widget.answers.thumbnails import STATISTICS, describe_head
from attn_widget.axes import word_runs
from attn_widget.codec import pack
from attn_widget.codes import BYTES, WORDS, encode
from attn_widget.filters import Edges, Filter, select_edges
from attn_widget.kinds import ADDS, VERBS
from attn_widget.methods import merge_words
from attn_widget.scale import SCALES, ScaleContext, strength
from attn_widget.slices import Strongest, fog_sizes
from wire.mechanisms import mechanism_cases
from wire.places import account_cases, panels_cases

FOLDER: Final = Path(__file__).parent
NAN, INF = float("nan"), float("inf")

Case = dict[str, Any]


def number(value: np.float32) -> float | str:
    """Write a float32 in the fewest digits that read back as the same."""
    return number_exactly(float(str(value)))


def number_exactly(value: float) -> float | str:
    """Write a double in the fewest digits that read back as the same."""
    if isnan(value):
        return "NaN"
    if isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    return value


def weight(value: np.float32) -> float | str | None:
    """Write a weight of a map, null where it is missing."""
    return None if np.isnan(value) else number(value)


def nested(values: NDArray[Any]) -> list[Any]:
    """Write weights of any shape as nested lists."""
    if values.ndim == 1:
        return [weight(value) for value in values]
    return [nested(part) for part in values]


# --- edges ------------------------------------------------------------------------------------


def softmax_map(heads: int, queries: int, keys: int, seed: int) -> NDArray[np.float32]:
    """Make weights whose rows nearly sum to 1, rounded so that they read well."""
    scores = np.random.default_rng(seed).normal(scale=2.0, size=(heads, queries, keys))
    weights = np.exp(scores)
    shares = (weights / weights.sum(axis=2, keepdims=True)).round(3)
    return np.asarray(shares, dtype=np.float32)


PLAIN: Final = softmax_map(2, 3, 4, seed=1)
WIDE: Final = softmax_map(3, 4, 6, seed=2)
TIES: Final = np.array(
    [
        [[0.25, 0.25, 0.25, 0.25], [0.5, 0.125, 0.125, 0.25], [0.125, 0.5, 0.125, 0.25]],
        [[0.25, 0.25, 0.25, 0.25], [0.25, 0.25, 0.25, 0.25], [0.0, 0.5, 0.0, 0.5]],
    ],
    np.float32,
)
SIGNED: Final = np.array([[[1.5, -2.25, 0.5, 0.0], [-0.5, 0.5, -0.5, 0.5]]], np.float32)
ODD: Final = np.array(
    [
        [[NAN, 0.3, 0.7, 0.0], [INF, 0.1, 0.2, 0.3], [0.0, 0.0, 0.0, 0.0]],
        [[NAN, NAN, 0.5, 0.5], [-INF, 0.9, 0.0, -0.4], [NAN, NAN, NAN, NAN]],
    ],
    np.float32,
)
INFINITE: Final = np.array([[[INF, -INF, INF, 0.5], [0.5, INF, 0.25, NAN]]], np.float32)
TINY: Final = np.array([[[1e-45, 3e-39, 1e-20], [1.0, 1e-7, 1e-8]]], np.float32)


def edges_case(name: str, weights: NDArray[np.float32], **options: Any) -> Case:
    """Make a case of ``edges.json``: what goes in, and the lines expected to come out."""
    heads = options.pop("heads", list(range(len(weights))))
    around = {
        "full": options.pop("full", 1.0),
        "query_special": options.pop("query_special", []),
        "key_special": options.pop("key_special", []),
    }
    filters = Filter(**options)
    edges = select_edges(weights, heads, filters, **around)
    return {
        "name": name,
        "shape": list(weights.shape),
        "weights": nested(weights),
        "heads": heads,
        "filters": vars(filters),
        **around,
        "expected": {
            "query": edges.query.tolist(),
            "key": edges.key.tolist(),
            "head": edges.head.tolist(),
            "weight": [number(value) for value in edges.weight],
            "strength": [number(value) for value in edges.strength],
            "total": float(f"{edges.total:.12g}"),
            "kept": float(f"{edges.kept:.12g}"),
            "special": float(f"{edges.special_share:.12g}"),
            "missing": edges.missing,
        },
    }


def edges_cases() -> list[Case]:
    """Make each option alone, then many combined."""
    special: dict[str, Any] = {"query_special": [0], "key_special": [0, 3]}
    cases = [
        edges_case("nothing hidden", PLAIN),
        edges_case("heads of a model", PLAIN, heads=[3, 11]),
        edges_case("mean of heads", WIDE, combine="mean"),
        edges_case("maximum of heads", WIDE, combine="max"),
        edges_case("mean of one head", WIDE[:1], combine="mean"),
        edges_case("half the mass", PLAIN, mass=0.5),
        edges_case("no mass", PLAIN, mass=0.0),
        edges_case("half the mass of keys", PLAIN, mass=0.5, direction="attended_by"),
        edges_case("half the mass of ties", TIES, mass=0.5),
        edges_case(
            "half the mass of ties between queries", TIES, mass=0.5, direction="attended_by"
        ),
        edges_case("threshold", PLAIN, threshold=0.1),
        edges_case("threshold equal to weights", ODD, threshold=0.7),
        edges_case("threshold above all", PLAIN, threshold=1e300),
        edges_case("top 1", PLAIN, top_k=1),
        edges_case("top 2 of ties", TIES, top_k=2),
        edges_case("top 1 of keys", PLAIN, top_k=1, direction="attended_by"),
        edges_case("top more than there are", PLAIN, top_k=9),
        edges_case("special hidden", PLAIN, special="hide", **special),
        edges_case("special renormalised", PLAIN, special="renormalise", **special),
        edges_case("no special to renormalise", PLAIN, special="renormalise"),
        edges_case("all keys special", PLAIN, special="renormalise", key_special=[0, 1, 2, 3]),
        edges_case("signs don't cancel", SIGNED, special="renormalise", key_special=[3]),
        edges_case("signed", SIGNED, full=2.25),
        edges_case("signed mass", SIGNED, full=2.25, mass=0.6),
        edges_case("missing, infinite and empty", ODD),
        edges_case("mean of missing and infinite", ODD, combine="mean"),
        edges_case("maximum of missing and infinite", ODD, combine="max"),
        edges_case("mass beside infinities", INFINITE, mass=0.5),
        edges_case("top 2 among infinities", INFINITE, top_k=2, mass=0.5),
        edges_case("hidden missing", ODD, special="hide", query_special=[1], key_special=[1]),
        edges_case("renormalised infinite", ODD, special="renormalise", key_special=[1]),
        edges_case("subnormal", TINY, mass=0.999),
        edges_case("no heads", PLAIN[:0], heads=[]),
        edges_case("mean of no heads", PLAIN[:0], heads=[], combine="mean"),
        edges_case("no queries", PLAIN[:, :0]),
        edges_case("no keys", PLAIN[:, :, :0], mass=0.5),
        edges_case("one", np.ones((1, 1, 1), np.float32)),
    ]
    cases += [
        edges_case(
            f"{scale} scale, {direction}, {name}",
            weights,
            scale=scale,
            direction=direction,
            full=full,
        )
        for scale in SCALES
        for direction in ("attends_to", "attended_by")
        for name, weights, full in (
            ("plain", PLAIN, 1.0),
            ("odd", ODD, 1.0),
            ("signed", SIGNED, 2.25),
        )
    ]
    combined = [
        *product(
            ("each", "mean", "max"),
            ("attends_to", "attended_by"),
            (1.0, 0.6),
            (0.0, 0.15),
            (None, 2),
            ("show", "hide", "renormalise"),
        )
    ]
    maps = [PLAIN, WIDE, TIES, ODD, SIGNED]
    for index, (combine, direction, mass, threshold, top_k, what) in enumerate(combined):
        cases.append(
            edges_case(
                f"combined {index}",
                maps[index % len(maps)],
                combine=combine,
                direction=direction,
                mass=mass,
                threshold=threshold,
                top_k=top_k,
                special=what,
                scale=SCALES[(index // 3) % len(SCALES)],
                full=1.0 + index % 2,
                query_special=[0] if index % 4 < 3 else [],
                key_special=[index % 4, 3] if index % 4 else [0],
            )
        )
    return cases


# --- strength ---------------------------------------------------------------------------------

STRENGTHS: Final[list[tuple[list[float], float, int]]] = [
    ([0.817, 0.179, 0.004, 0.0, 1e-05, 3e-09, 1.0], 1.0, 7),
    ([0.25, -0.5, NAN, INF, -INF, 0.0], 1.0, 6),
    ([3.5, -1.25, 0.01, 0.0001, 0.00035], 3.5, 5),
    ([0.0, 0.0, 0.0], 1.0, 3),
    ([NAN, 0.0, INF], 1.0, 3),
    ([NAN, NAN], 1.0, 2),
    ([INF, -INF], 1.0, 2),
    ([0.0009765625, 0.001953125, 0.01953125, 0.5], 1.0, 1024),
    ([2.5, 0.5, 1.7], 1.7, 3),
    ([1e-45, 3e-39, 1e-30], 1.0, 3),
    ([3e38, -1e38, 1.0], 3e38, 3),
    ([0.0001, 0.00010001, 0.00009999], 1.0, 131072),
    ([1.0], 1.0, 1),
    ([], 1.0, 1),
]


def strength_cases() -> list[Case]:
    """Make rows of weights with their strengths on every scale."""
    cases = []
    for weights, full, keys in STRENGTHS:
        row = np.array(weights, np.float32)
        context = ScaleContext(full=full, keys=keys)
        cases.append(
            {
                "weights": [number(value) for value in row],
                "full": full,
                "keys": keys,
                "strengths": {
                    scale: [number(value) for value in strength(row, scale, context)]
                    for scale in SCALES
                },
            }
        )
    return cases


# --- codes ------------------------------------------------------------------------------------

CODED: Final[list[tuple[list[float], float]]] = [
    ([0.0, 1.0, 0.25, 0.5, 0.817, 1e-3, 1e-9, 1e-45, 2.0], 1.0),
    ([-1.0, 1.0, -0.25, 0.0, -0.0, 1e-12, -1e-12, NAN, INF, -INF], 1.0),
    ([12.5, -12.5, 3.125, -0.001, 20.0, -20.0], 12.5),
    # Halves between codes.
    ([6.25, 56.25, 156.25, 1.5625e-2, 0.390625], 250.0**2),
    ([3e38, 1e30, -3e38], 3e38),
    ([], 1.0),
]


def codes_cases() -> list[Case]:
    """Make numbers with their codes, of two bytes and of one, with signs and without."""
    cases = []
    for weights, full in CODED:
        values = np.array(weights, np.float32)
        for signed in (False, True):
            cases.append(
                {
                    "values": [number(value) for value in values],
                    "full": full,
                    "signed": signed,
                    "words": encode(values, full, signed, WORDS).tolist(),
                    "bytes": encode(values, full, signed, BYTES).tolist(),
                }
            )
    return cases


# --- fog --------------------------------------------------------------------------------------


def fog_case(
    queries: int, keys: int, heads: Sequence[int], lines: int, limit: int = 0, room_for: int = 1
) -> Case:
    """Make a case of ``fog.json``: lines, how many are drawn, and the pools of the rest.

    Cells of pools that are not 0 are listed as ``[head, row, col, sum]``.
    """
    rng = np.random.default_rng(queries + keys + lines)
    query, key = (
        # The first and the last position belong to the outermost blocks.
        np.append(rng.integers(0, length, lines), [0, length - 1]).astype(np.uint32)
        for length in (queries, keys)
    )
    head = np.asarray(heads, np.uint16)[np.arange(lines + 2) % len(heads)]
    strengths = np.asarray((rng.permutation(lines + 2) + 1) / 1000, np.float32)
    found = Strongest(limit, queries, keys, room_for)
    found.add(Edges(query, key, head, strengths, strengths, 0.0, 0.0, 0.0, 0))
    haze = found.haze()
    return {
        "size": [queries, keys],
        "query": query.tolist(),
        "key": key.tolist(),
        "head": head.tolist(),
        "strength": [number(value) for value in strengths],
        "limit": limit,
        "sizes": [list(size) for size in fog_sizes(queries, keys, room_for)],
        "heads": haze.heads,
        "pools": [
            [
                [haze.heads[i], row, col, number(pool[i, row, col])]
                for i, row, col in np.argwhere(pool).tolist()
            ]
            for pool in (haze.strength, haze.query, haze.key)
        ],
    }


def fog_cases() -> list[Case]:
    """Make axes shorter than all pools, longer than all, and between; few heads and very many."""
    return [
        fog_case(5, 7, [0, 2], 30),
        fog_case(5, 7, [4], 30, limit=8),
        fog_case(300, 130, [0, 1], 60),
        fog_case(130, 300, [3], 60, limit=20),
        fog_case(1000, 700, [0, 11], 60),
        fog_case(1500, 40, [65535], 40),
        # More lines than finest blocks.
        fog_case(4, 513, [0], 2100, limit=2000),
        fog_case(1000, 700, [0, 63], 40, room_for=64),
    ]


# --- words ------------------------------------------------------------------------------------


def words_case(
    name: str,
    weights: NDArray[np.float32],
    queries: Sequence[int] | None,
    keys: Sequence[int] | None,
) -> Case:
    """Make a case of ``words.json`` from word indices on either side (None: not known)."""
    axes = [
        Tokens([f"{side}{index}" for index in range(count)], words=words)
        for side, count, words in (
            ("q", weights.shape[1], queries),
            ("k", weights.shape[2], keys),
        )
    ]
    attention = Attention(weights, *axes)
    return {
        "name": name,
        "shape": list(weights.shape),
        "weights": nested(weights),
        "query_starts": [run.start for run in word_runs(attention.queries)],
        "key_starts": [run.start for run in word_runs(attention.keys)],
        "merged": nested(merge_words(attention)[0]),
    }


def words_cases() -> list[Case]:
    """Make merges on one side and on both."""
    return [
        words_case("both sides", WIDE, [0, 0, 1, 2], [0, 1, 1, 1, 2, 2]),
        words_case("keys", WIDE, None, [0, 0, 0, 1, 1, 2]),
        words_case("queries", WIDE, [0, 1, 1, 1], None),
        words_case("one word", WIDE, [0, 0, 0, 0], [0, 0, 0, 0, 0, 0]),
        words_case("every token a word", WIDE, [0, 1, 2, 3], [0, 1, 2, 3, 4, 5]),
        words_case("tokens outside words", WIDE, [-1, 0, 0, -1], [-1, 0, 0, 1, -1, -1]),
        words_case("missing and infinite", ODD, [0, 0, 1], [0, 0, 1, 2]),
        words_case("signed", SIGNED, [0, 0], [0, 0, 1, 1]),
    ]


# --- arrays -----------------------------------------------------------------------------------

EDGE_FLOATS: Final = np.array(
    [
        [0.0, -0.0, 1.0, -1.5, 0.1],
        [NAN, INF, -INF, 65504.0, -65504.0],
        [2.0**-14, 2.0**-24, 1e-7, 0.333333, 2.0**-15 + 2.0**-24],
    ]
)


def arrays() -> dict[str, tuple[NDArray[Any], str]]:
    """Make the arrays to pack, of awkward shapes, layouts and byte orders, with their dtypes."""
    stack = np.arange(2 * 3 * 4 * 5, dtype=np.float64).reshape(2, 3, 4, 5) / 128
    single = np.append(EDGE_FLOATS.ravel(), [3.4028234663852886e38, 1e-45, 16777217.0])
    return {
        "f2-edges": (EDGE_FLOATS, "f2"),
        "f4-edges": (single, "f4"),
        "f2-scalar": (np.array(0.25), "f2"),
        "f4-scalar": (np.array(-0.75, np.float32), "f4"),
        "f2-empty": (np.zeros((0, 7)), "f2"),
        "f4-empty": (np.zeros((3, 0, 2), np.float32), "f4"),
        "f2-stack": (stack.astype(np.float16), "f2"),
        "f4-stack": (stack.astype(np.float32), "f4"),
        "f4-strided": (stack[:, ::2, ::-1, 1::2], "f4"),
        "f2-fortran": (np.asfortranarray(stack[0]), "f2"),
        "f4-big-endian": (stack[1].astype(">f4"), "f4"),
        "f2-big-endian": (stack[1].astype(">f2"), "f2"),
        "f8-thirds": (np.append(np.arange(5) / 3, [np.nan, -np.inf, 5e-324]), "f8"),
        "u1-limits": (np.array([[0, 1], [128, 255]]), "u1"),
        "u1-bool": (np.array([True, False, True]), "u1"),
        "u2-limits": (np.array([0, 1, 258, 65535], ">u2"), "u2"),
        "u4-limits": (np.array([0, 1, 16909060, 4294967295], np.int64), "u4"),
        "u4-odd-length": (np.arange(3, dtype=np.uint32), "u4"),
    }


def array_files() -> dict[str, bytes]:
    """Make a ``.json`` of dtype, shape and flat values, and a ``.bin``, for each array."""
    files = {}
    for name, (values, dtype) in arrays().items():
        packed = pack(values, dtype)
        # The values at the precision of the wire, read one by one, in the order of the wire.
        exact = [np.dtype(dtype).type(value) for value in values.flat]
        described = {
            "dtype": dtype,
            "shape": list(values.shape),
            "values": [int(v) if dtype[0] == "u" else number_exactly(float(v)) for v in exact],
        }
        files[f"arrays/{name}.json"] = f"{json.dumps(described)}\n".encode()
        files[f"arrays/{name}.bin"] = packed["data"]
    return files


# --- statistics -------------------------------------------------------------------------------


def statistics_cases() -> list[Case]:
    """Make heads with the numbers that the heads view sorts them by."""
    odd = softmax_map(1, 5, 6, seed=4)
    odd[0, 1] = NAN
    odd[0, 2, :3] = [NAN, INF, -INF]
    odd[0, 3] = 0.0
    maps = [
        softmax_map(3, 7, 7, seed=1),
        softmax_map(2, 4, 9, seed=2),
        softmax_map(2, 9, 4, seed=3),
        odd,
        -softmax_map(1, 3, 3, seed=5),
        np.eye(6, k=-1, dtype=np.float32)[None],
        np.full((1, 5, 8), 1 / 8, np.float32),
        np.zeros((1, 4, 4), np.float32),
        np.ones((1, 3, 1), np.float32),
    ]
    return [
        {
            "shape": list(weights.shape),
            "weights": [number(value) for value in weights.flat],
            "names": list(STATISTICS),
            "statistics": [
                [number(np.float32(n)) for n in describe_head(head, np.arange(weights.shape[1]))]
                for head in weights
            ],
        }
        for weights in maps
    ]


def as_text(cases: list[Case]) -> bytes:
    """Write cases as JSON, one a line."""
    lines = ",\n".join(f" {json.dumps(case, allow_nan=False)}" for case in cases)
    return f"[\n{lines}\n]\n".encode()


# --- kinds ------------------------------------------------------------------------------------


def kinds_cases() -> list[Case]:
    """Say what is said of numbers of each kind."""
    return [
        {"kind": kind, "query": queries, "key": keys, "adds": kind in ADDS}
        for kind, (queries, keys) in VERBS.items()
    ]


def make() -> dict[str, bytes]:
    """Make all files: their paths in this folder, and their contents."""
    return {
        "account.json": as_text(account_cases()),
        "panels.json": as_text(panels_cases()),
        "edges.json": as_text(edges_cases()),
        "codes.json": as_text(codes_cases()),
        "kinds.json": as_text(kinds_cases()),
        "fog.json": as_text(fog_cases()),
        "mechanism.json": as_text(mechanism_cases()),
        "statistics.json": as_text(statistics_cases()),
        "strength.json": as_text(strength_cases()),
        "words.json": as_text(words_cases()),
        **array_files(),
    }


if __name__ == "__main__":
    for path, content in make().items():
        (FOLDER / path).parent.mkdir(exist_ok=True)
        (FOLDER / path).write_bytes(content)
