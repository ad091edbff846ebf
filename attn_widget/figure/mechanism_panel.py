"""Where the steps of one mechanism stand; ``js/src/mechanism/layout.ts`` and ``row.ts`` alike.

Measures text with Matplotlib, so it is itself imported only when something is drawn.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from .lettering import width_of
from .mechanism_scene import TITLES, MechanismScene, Panel, plus
from .mechanism_sheet import GAP, LINE, SIZE, STRONG, Sheet, largest
from .palette import Colour, head_colour
from .reading import short_number

BESIDE: Final = 640.0
"""Values stand beside the bars from this width on, else below them."""
DIGITS: Final = 54.0
"""Room of a number before its bar."""
THIN: Final = 14.0

Floats = NDArray[np.float64]


def plan_score(sheet: Sheet, scene: MechanismScene, panel: Panel, width: float) -> None:
    """Place the vectors of the pair, what their score is the sum of, and what becomes of it."""
    steps, names = panel.steps, names_room(width)
    room = sheet.strong(0, sheet.y + 10, panel.title) + 12
    sheet.quiet(room, sheet.y + 10, TITLES[steps.mechanism][1], width - room)
    sheet.y += 26

    def strip(name: str, values: Floats, most: float, whose: str = "") -> None:
        middle = sheet.y + 10
        after = sheet.quiet(0, middle, name, names) + 5
        if whose:
            sheet.plain(after, middle, whose, names - after - 8)
        sheet.y += sheet.strip(names, width - names, values, most) + GAP

    key = steps.key[panel.at]
    strip("query", steps.query, largest(steps.query, key), scene.query)
    strip("key", key, largest(steps.query, key), scene.keys[scene.key])
    sheet.y += GAP
    projected_key = None
    if steps.mechanism != "general" and steps.projected_key is not None:
        projected_key = steps.projected_key[panel.at]
    if steps.projected_query is not None:
        both = [part for part in (steps.projected_query, projected_key) if part is not None]
        for name, part in zip(("query W", "key U"), both, strict=False):
            strip(name, part, largest(*both))
        sheet.y += GAP
    terms = panel.terms
    if steps.v is not None:
        strip("sum", terms[0], largest(terms[0]))
        strip("tanh", terms[1], 1.0)
        strip("v", steps.v, largest(steps.v))
    strip("products" if steps.v is None else "tanh × v", terms[-1], largest(terms[-1]))
    _plan_chain(sheet, scene, panel, width, names)


def _plan_chain(
    sheet: Sheet, scene: MechanismScene, panel: Panel, width: float, names: float
) -> None:
    """Place the way from the score to the weight, in one line where it fits."""
    steps, key = panel.steps, scene.key
    accent = head_colour(scene.state.head or 0, sheet.theme)
    scaled = float(panel.row.scaled[key])
    links: list[tuple[str, float, Colour | None]] = [("sum =", float(steps.scores[key]), None)]
    if steps.scale != 1 or steps.mechanism == "scaled_dot_product":
        links.append((f"× {short_number(steps.scale)} =", scaled, None))
    logit = scaled
    if steps.softcap is not None:
        logit = float(steps.softcap * np.tanh(scaled / steps.softcap))
        links.append((f"softcap {short_number(steps.softcap)} →", logit, None))
    if steps.bias is not None:
        bias = float(steps.bias[key])
        logit += bias
        links.append((f"{plus(bias)} =", logit, None))
    if steps.temperature != 1:
        logit /= steps.temperature
        links.append((f"÷ {short_number(steps.temperature)} =", logit, None))
    if panel.forbidden(key) is not None:
        links.append(("masked →", -np.inf, None))
    links.append(("softmax →", float(panel.row.weights[key]), accent))
    sheet.quiet(0, sheet.y + 11, "score", names)
    x = names
    for operation, value, colour in links:
        text = short_number(value)
        before = width_of(operation, SIZE) + 6
        wide = width_of(text, STRONG) * 1.15
        if x > names and x + before + wide > width:
            x, sheet.y = names, sheet.y + LINE
        sheet.quiet(x, sheet.y + 11, operation, width)
        x += before + sheet.strong(x + before, sheet.y + 11, text, colour) + 10
    sheet.y += LINE + 8


def plan_keys(sheet: Sheet, scene: MechanismScene, panel: Panel, width: float) -> None:
    """Place all keys: logits as bars, their exp, the weights, and the values they weigh."""
    names = names_room(width)
    steps, row = panel.steps, panel.row
    accent = head_colour(scene.state.head or 0, sheet.theme)
    exps, peak, total = panel.exps
    beside = steps.value is not None and width >= BESIDE
    table = (width - names) * (0.55 if beside else 1.0)
    column = table / 3
    top = sheet.y

    def bar(
        at: int, value: float, ends: tuple[float, float] = (0, 0), colour: Colour = accent
    ) -> None:
        x, room = names + at * column, column - DIGITS - 14
        sheet.write(x + DIGITS - 5, sheet.y + 11, short_number(value), align=1.0)
        start, end = ends
        if end > start:
            wide = max(1.0, (end - start) * room)
            sheet.fill(x + DIGITS + start * room, sheet.y + 5, wide, LINE - 10, colour)

    sheet.quiet(0, top + 8, "key", names)
    heading = f"exp(logit {plus(-peak)})"
    for at, text in enumerate(
        ("logit", heading if column >= 120 and np.isfinite(peak) else "exp", "weight")
    ):
        sheet.quiet(names + at * column, top + 8, text, column - 6)
    sheet.y += LINE
    finite = [float(row.masked[k]) for k in scene.shown if np.isfinite(row.masked[k])]
    low = min([0.0, *finite])
    span = max([0.0, *finite]) - low or 1.0
    for k in scene.shown:
        logit = float(row.masked[k])
        if k == scene.key:
            sheet.fill(-3, sheet.y, names + table, LINE, sheet.theme.accent_soft)
        sheet.plain(0, sheet.y + 11, scene.keys[k], names - 6)
        zero = -low / span
        place = (logit - low) / span if np.isfinite(logit) else zero
        ends = (min(zero, place), max(zero, place))
        bar(0, logit, ends, sheet.signed(-0.55 if logit < 0 else 0.55))
        bar(1, float(exps[k]), (0.0, float(np.nan_to_num(exps[k]))))
        bar(2, float(row.weights[k]), (0.0, float(np.nan_to_num(row.weights[k]))))
        sheet.y += LINE
    others = np.setdiff1d(np.arange(len(scene.keys)), scene.shown)
    lines = []
    if len(others):
        rest = float(exps[others].sum()), float(row.weights[others].sum())
        lines.append((f"{len(others):,} more", *rest))
    if steps.sink is not None:
        lines.append(("sink", row.leak * total, row.leak))
    lines.append(("sum", total, float(row.weights.sum())))
    for name, e, weight in lines:
        if name == "sum":
            sheet.fill(names, sheet.y, table - 14, 0.8, sheet.hair)
        sheet.quiet(0, sheet.y + 11, name, names)
        bar(1, e)
        bar(2, weight)
        sheet.y += LINE
    end = sheet.y
    if steps.value is not None:
        sheet.y = top if beside else end
        _plan_values(sheet, scene, panel, names + table if beside else names, width, beside)
    sheet.y = max(sheet.y, end) + GAP


def _plan_values(
    sheet: Sheet, scene: MechanismScene, panel: Panel, left: float, right: float, beside: bool
) -> None:
    """Place the weighted sum of values: beside the bars of their keys, or below all of them."""
    steps, weights = panel.steps, panel.row.weights
    assert steps.value is not None
    assert steps.output is not None
    shares = weights[list(scene.shown)][:, None]
    # What has no weight adds nothing, whatever it holds.
    parts = np.where(shares == 0, 0.0, shares * steps.value)
    most = largest(steps.output, parts)
    sheet.quiet(left if beside else 0, sheet.y + 8, "weight × value", right)
    sheet.y += LINE
    rows = [(scene.keys[k], part) for k, part in zip(scene.shown, parts, strict=True)]
    rest = len(scene.keys) - len(scene.shown)
    if rest:
        rows.append((f"{rest:,} more", steps.output - parts.sum(axis=0)))
    for name, part in rows:
        if not beside:
            sheet.quiet(0, sheet.y + 7, name, left - 6)
        start = sheet.y
        sheet.y += (LINE - THIN) / 2 if beside else 0.0
        high = sheet.strip(left, right - left, part, most, THIN)
        sheet.y = start + max(high + 3, LINE if beside else 0.0)
    sheet.y += GAP
    at = left - 6 if beside else 0.0
    label = "output"
    sheet.quiet(at - width_of(label, SIZE) if beside else at, sheet.y + 10, label, left)
    sheet.y += sheet.strip(left, right - left, steps.output, most)


def names_room(width: float) -> float:
    """Return the room for names at the left of a panel."""
    return max(64.0, min(130.0, width * 0.19))
