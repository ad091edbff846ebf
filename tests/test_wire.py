"""The files that hold Python and the page to the same numbers."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from attn_widget import codec
from attn_widget.filters import Filter
from attn_widget.scale import SCALES
from oracle import lines_of, strength_of
from wire import make

AGAIN = "run python -m wire.make in tests"
FOLDER = Path(make.__file__).parent


def read(name: str) -> Any:
    return json.loads((FOLDER / name).read_text(encoding="utf-8"))


def number(value: float | str | None) -> float:
    return math.nan if value is None else float(value)


def same(left: Any, right: Any) -> bool:
    """Compare JSON values, floats to within what libraries of mathematics differ by."""
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(same(left[k], right[k]) for k in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, float) and isinstance(right, float):
        return math.isclose(left, right, rel_tol=1e-6, abs_tol=1e-6 * (left != 0))
    return bool(left == right)


def test_files_are_those_that_are_made() -> None:
    made = make.make()
    for name, content in made.items():
        held = (FOLDER / name).read_bytes()
        if name.endswith(".json"):
            assert same(json.loads(held), json.loads(content)), f"{name}: {AGAIN}"
        else:
            assert held == content, f"{name}: {AGAIN}"
    held_arrays = {f"arrays/{path.name}" for path in (FOLDER / "arrays").iterdir()}
    assert held_arrays == {name for name in made if name.startswith("arrays/")}


def test_comparison_notices_differences() -> None:
    assert same({"a": [1.0, "NaN", None]}, {"a": [1.0 + 1e-9, "NaN", None]})
    others: list[Any] = [{"a": [1.001, "NaN", None]}, {"a": [1.0, "NaN"]}, {"b": []}, None]
    for other in others:
        assert not same({"a": [1.0, "NaN", None]}, other)


EDGES = read("edges.json")


@pytest.mark.parametrize("case", EDGES, ids=[case["name"] for case in EDGES])
def test_edges_are_those_of_the_oracle(case: dict[str, Any]) -> None:
    heads, queries, keys = case["shape"]
    stated = iter(np.array(case["weights"], dtype=object).ravel())
    weights = [
        [[float(np.float32(number(next(stated)))) for _ in range(keys)] for _ in range(queries)]
        for _ in range(heads)
    ]
    lines = lines_of(
        weights,
        case["heads"],
        Filter(**case["filters"]),
        full=case["full"],
        query_special=case["query_special"],
        key_special=case["key_special"],
    )
    expected = case["expected"]
    places = list(zip(expected["head"], expected["query"], expected["key"], strict=True))
    assert places == sorted(lines.drawn)
    drawn = [lines.drawn[place] for place in places]
    assert [number(w) for w in expected["weight"]] == pytest.approx([w for w, _ in drawn], rel=1e-6)
    assert [number(s) for s in expected["strength"]] == pytest.approx(
        [s for _, s in drawn], abs=1e-6
    )
    assert expected["total"] == pytest.approx(lines.total)
    assert expected["kept"] == pytest.approx(lines.kept)
    share = lines.special / lines.total if lines.total else 0.0
    assert expected["special"] == pytest.approx(share)
    assert expected["missing"] == lines.missing


def test_edges_cover_every_option() -> None:
    seen: dict[str, set[Any]] = {}
    for case in EDGES:
        for name, value in case["filters"].items():
            seen.setdefault(name, set()).add(value)
    assert seen["combine"] == {"each", "mean", "max"}
    assert seen["direction"] == {"attends_to", "attended_by"}
    assert seen["special"] == {"show", "hide", "renormalise"}
    assert seen["scale"] == set(SCALES)
    assert {0.0, 0.5, 1.0} <= seen["mass"]
    assert len({case["name"] for case in EDGES}) == len(EDGES)


def test_strengths_are_those_of_the_oracle() -> None:
    for case in read("strength.json"):
        row = [float(np.float32(number(weight))) for weight in case["weights"]]
        most = max((abs(w) for w in row if math.isfinite(w)), default=0.0)
        assert case["strengths"].keys() == set(SCALES)
        for scale, strengths in case["strengths"].items():
            expected = [strength_of(w, scale, case["full"], most, case["keys"]) for w in row]
            assert [number(s) for s in strengths] == pytest.approx(expected, abs=1e-6, nan_ok=True)


def test_codes_are_those_of_the_formula() -> None:
    for case in read("codes.json"):
        for name, most, odd in (
            ("words", 65_000, {"Infinity": 65_001, "-Infinity": 65_002, "NaN": 65_003}),
            ("bytes", 250, {"Infinity": 251, "-Infinity": 253, "NaN": 255}),
        ):
            for stated, code in zip(case["values"], case[name], strict=True):
                if isinstance(stated, str):
                    assert code == odd[stated]
                    continue
                value, zero = float(np.float32(stated)), most // 2 if case["signed"] else 0
                share = math.sqrt(abs(value) / case["full"])
                size = min(most - zero, math.floor((most - zero) * share + 0.5))
                size = max(size, 1) if value else 0
                assert code == (zero - size if case["signed"] and value < 0 else zero + size)


def test_fog_is_the_sum_of_the_lines_left() -> None:
    cases = read("fog.json")
    assert {len(case["heads"]) for case in cases} == {1, 2}
    for case in cases:
        count = len(case["strength"])
        order = sorted(range(count), key=lambda i: -case["strength"][i])
        assert len(set(case["strength"])) == count
        for (rows, cols), pool in zip(case["sizes"], case["pools"], strict=True):
            sums: dict[tuple[int, int, int], float] = {}
            for i in order[case["limit"] :]:
                row = case["query"][i] * rows // case["size"][0]
                col = case["key"][i] * cols // case["size"][1]
                at = case["head"][i], row, col
                sums[at] = sums.get(at, 0.0) + case["strength"][i]
            assert {(h, r, c): s for h, r, c, s in pool} == pytest.approx(sums, rel=1e-6)
            assert sorted({head for head, *_ in pool}) == case["heads"]


def test_words_sum_over_keys_and_average_over_queries() -> None:
    for case in read("words.json"):
        heads, queries, keys = case["shape"]
        weights = np.vectorize(number)(np.array(case["weights"], dtype=object))
        query_ends = [*case["query_starts"][1:], queries]
        key_ends = [*case["key_starts"][1:], keys]
        for head in range(heads):
            for q, (first, last) in enumerate(zip(case["query_starts"], query_ends, strict=True)):
                for k, (left, right) in enumerate(zip(case["key_starts"], key_ends, strict=True)):
                    with np.errstate(invalid="ignore"):
                        expected = sum(
                            weights[head, row, left:right].sum() for row in range(first, last)
                        ) / (last - first)
                    merged = number(case["merged"][head][q][k])
                    assert merged == pytest.approx(expected, rel=1e-6, nan_ok=True)


@pytest.mark.parametrize("name", sorted(path.stem for path in FOLDER.glob("arrays/*.json")))
def test_packed_arrays_unpack_to_what_is_stated(name: str) -> None:
    described = read(f"arrays/{name}.json")
    data = (FOLDER / "arrays" / f"{name}.bin").read_bytes()
    packed: codec.Packed = {"dtype": described["dtype"], "shape": described["shape"], "data": data}
    values = codec.unpack(packed)
    assert list(values.shape) == described["shape"]
    stated = np.array([float(v) for v in described["values"]]).reshape(values.shape)
    np.testing.assert_array_equal(values.astype(np.float64), stated)
    np.testing.assert_array_equal(np.signbit(values), np.signbit(stated))
