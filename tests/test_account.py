"""What the weights of a focus come to: means and sums, shares, the strongest, sinks."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from attn_widget.account import (
    account_of,
    received_of,
    rows_of_focus,
    share_of,
    sinks_of,
)
from attn_widget.panels import Role

CASES: Any = json.loads((Path(__file__).parent / "wire" / "account.json").read_text("utf-8"))


def numbers(values: Any) -> Any:
    if isinstance(values, list):
        return [numbers(value) for value in values]
    return math.nan if values is None else float(values)


def mean_of(values: list[float]) -> float:
    """Add up numbers one by one, those missing left out."""
    present = [value for value in values if not math.isnan(value)]
    return math.fsum(present) / len(present) if present else math.nan


def finite_only(value: float) -> float:
    return abs(value) if math.isfinite(value) else 0.0


def joined(values: list[float], mean: bool) -> float:
    """Return what becomes of numbers of several positions, infinities among them."""
    present = [value for value in values if not math.isnan(value)]
    if not present:
        return math.nan
    total = sum(present)
    return total / len(present) if mean else total


def oracle(case: dict[str, Any]) -> tuple[list[list[float]], list[list[float]]]:
    """Return the weights of a case's focus, painted and as they were, by plain loops."""
    heads, queries, keys = case["shape"]
    weights = numbers(case["weights"])
    if case["combine"] != "each" and heads > 1:
        merge = max if case["combine"] == "max" else lambda found: joined(found, True)
        cells = [
            [
                [weights[h][q][k] for h in range(heads) if not math.isnan(weights[h][q][k])]
                for k in range(keys)
            ]
            for q in range(queries)
        ]
        weights = [[[merge(cell) if cell else math.nan for cell in row] for row in cells]]
    apart = {*case["key_special"], *case["aside"]} if case["special"] != "show" else set()
    drawn = []
    for head in weights:
        rows = []
        for row in head:
            left = [0.0 if k in apart else value for k, value in enumerate(row)]
            total = math.fsum(finite_only(value) for value in left)
            divide = case["special"] == "renormalise" and apart and total > 0
            rows.append([value / total if divide else value for value in left])
        drawn.append(rows)

    def taken(source: list[list[list[float]]], hide: bool) -> list[list[float]]:
        found = []
        for head in source:
            if case["side"] == "query":
                found.append(
                    [joined([head[q][k] for q in case["positions"]], True) for k in range(keys)]
                )
                continue
            row = [joined([head[q][k] for k in case["positions"]], False) for q in range(queries)]
            gone = case["query_special"] if hide and case["special"] != "show" else []
            found.append([0.0 if q in gone else value for q, value in enumerate(row)])
        return found

    return taken(drawn, True), taken(weights, False)


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_cases_are_those_of_plain_loops(case: dict[str, Any]) -> None:
    painted, before = oracle(case)
    expected = case["expected"]
    assert len(expected["painted"]) == len(painted)
    for found, stated in zip(painted, numbers(expected["painted"]), strict=True):
        assert found == pytest.approx(stated, rel=1e-5, abs=1e-9, nan_ok=True)
    row, drawn = (
        [mean_of([part[at] for part in rows]) for at in range(len(rows[0]))]
        if all(math.isfinite(v) or math.isnan(v) for part in rows for v in part)
        else [joined([part[at] for part in rows], True) for at in range(len(rows[0]))]
        for rows in (before, painted)
    )
    magnitudes = [finite_only(value) for value in row]
    total = math.fsum(magnitudes)
    account = expected["account"]
    finite = [value for value in row if math.isfinite(value)]
    assert account["total"] == pytest.approx(math.fsum(finite), abs=1e-5)
    apart = set(expected["apart"])
    shares = {(s["role"], s["aside"]): 0.0 for s in account["shares"]}
    for share in account["shares"]:
        shares[share["role"], share["aside"]] += share["share"]
    for (role, aside), share in shares.items():
        members = [
            at for at, name in enumerate(case["roles"]) if name == role and (at in apart) == aside
        ]
        weight = math.fsum(magnitudes[at] for at in members)
        assert share == pytest.approx(weight / total if total else 0.0, abs=1e-5)
    away = math.fsum(magnitudes[at] for at in apart)
    assert account["set_aside"] == pytest.approx(away / total if total else 0.0, abs=1e-5)
    image = [at for at, role in enumerate(case["roles"]) if role == "image" and at not in apart]
    assert account["of"] == len(image)
    shown = sorted((finite_only(drawn[at]) for at in image), reverse=True)
    if not any(shown):
        assert (account["strongest"], account["half"]) == (-1, 0)
        return
    assert finite_only(drawn[account["strongest"]]) == pytest.approx(shown[0], rel=1e-5)
    enough = [n for n in range(1, len(shown) + 1) if sum(shown[:n]) >= sum(shown) / 2 - 1e-7]
    assert account["half"] in (enough[0], enough[0] + 1)
    if shown[: enough[0]] and abs(sum(shown[: enough[0]]) - sum(shown) / 2) > 1e-4:
        assert account["half"] == enough[0]


def test_cases_hold_what_matters() -> None:
    assert len({case["name"] for case in CASES}) == len(CASES)
    assert {case["special"] for case in CASES} == {"show", "hide", "renormalise"}
    assert {case["side"] for case in CASES} == {"query", "key"}
    assert {case["combine"] for case in CASES} == {"each", "mean", "max"}
    assert any(case["expected"]["sinks"] for case in CASES)


def test_special_tokens_are_named_by_what_they_share() -> None:
    labels = ["[CLS]", "[REG1]", "[REG2]", "row 1, column 1", "cat", "register 1", "7", "[PAD]"]
    roles: list[Role] = ["special", "special", "special", "image", "text", "special", "special",
                         "special"]  # fmt: skip
    row = np.array([0.1, 0.2, 0.05, 0.3, 0.1, 0.05, 0.15, 0.05], np.float32)
    account = account_of(row, row, roles, labels)
    assert [(s.name, round(s.share, 3)) for s in account.shares] == [
        ("image", 0.3), ("text", 0.1), ("[CLS]", 0.1), ("[REG]", 0.25), ("register 1", 0.05),
        ("7", 0.15), ("[PAD]", 0.05),
    ]  # fmt: skip
    assert math.fsum(s.share for s in account.shares) == pytest.approx(1)


def test_half_counts_the_fewest() -> None:
    row = np.array([0.05, 0.55, 0.05, 0.25, 0.1], np.float32)
    account = account_of(row, row, ["image"] * 5, list("abcde"))
    assert (account.strongest, account.half, account.of) == (1, 1, 5)
    even = np.full(8, 0.125, np.float32)
    assert account_of(even, even, ["image"] * 8, list("abcdefgh")).half == 4


@given(st.integers(0, 2**32 - 1), st.sampled_from(["show", "hide", "renormalise"]))
def test_nothing_is_lost(seed: int, special: str) -> None:
    rng = np.random.default_rng(seed)
    weights = rng.dirichlet(np.ones(9), size=(3, 5)).astype(np.float32)
    roles: list[Role] = rng.choice(["image", "padding", "special", "text"], size=9).tolist()
    aside = [int(at) for at in rng.choice(9, size=2, replace=False)]
    painted, before = rows_of_focus(weights, "each", "query", [0, 3], special, (), aside)
    apart = [] if special == "show" else aside
    row, drawn = before.mean(axis=0), painted.mean(axis=0)
    account = account_of(row, drawn, roles, [f"t{at}" for at in range(9)], apart)
    assert math.fsum(s.share for s in account.shares) == pytest.approx(1)
    assert math.fsum(s.share for s in account.shares if s.aside) == pytest.approx(account.set_aside)
    assert account.total == pytest.approx(1, abs=1e-5)
    left = (
        1.0
        if special == "renormalise"
        else float(np.delete(weights, apart, axis=2)[:, [0, 3]].sum() / 6)
    )
    assert drawn.sum() == pytest.approx(left, abs=1e-5)


def sunk(share: float, queries: int = 40) -> NDArray[np.float32]:
    """Make patches that attend evenly to all but one, which takes a share."""
    weights = np.full((2, queries, 50), (1 - share) / 49, np.float32)
    weights[:, :, 17] = share
    return weights


def test_sinks_take_much_whoever_asks() -> None:
    roles: list[Role] = ["image"] * 50
    received = received_of(sunk(0.6))
    assert sinks_of(received, roles, 40) == (17,)
    assert share_of(received, (17,)) == pytest.approx(0.6)
    assert sinks_of(received_of(sunk(0.03)), roles, 40) == ()
    assert sinks_of(received, roles, 15) == ()
    assert sinks_of(received, ["text"] * 50, 40) == ()
    assert sinks_of(received, [*roles[:17], "special", *roles[18:]], 40) == ()
    assert sinks_of(np.full(50, np.nan, np.float32), roles, 40) == ()


def test_missing_weights_are_left_out_of_what_is_received() -> None:
    weights = np.array([[[0.2, np.nan], [0.4, np.nan]], [[np.inf, np.nan], [0.6, np.nan]]])
    received = received_of(weights.astype(np.float32))
    assert received[0] == pytest.approx(0.4)
    assert np.isnan(received[1])
    assert share_of(np.array([np.nan, 0, np.inf], np.float32), (0,)) == 0
