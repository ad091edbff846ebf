"""What a picture of an overlay says in words; ``js/src/overlay/telling.ts`` says the same."""

from __future__ import annotations

import numpy as np

from ..filters import COMBINED
from .overlay_scene import OverlayScene
from .reading import Joint, Piece, format_weight, missing_phrase, ordinal, sentence

FAR_FROM_ONE = 0.005
"""A row's sum is worth a word where it differs from 1 by more."""


def answer(scene: OverlayScene) -> list[Piece]:
    """Return the answer a picture gives: "*orange* attends to *row 4, column 2* 0.455, …"."""
    if not len(scene.queries) or not len(scene.keys):
        side = "targets" if not len(scene.queries) else "sources"
        return [Piece(f"This map has no {side}: there is nothing to draw.")]
    if not scene.numbers:
        return [Piece("No head is shown.")]
    own, other = scene.own_axis.shown, scene.axis.shown
    named = [own[position] for position in scene.focus]
    if not named:
        named = [own[0] if len(own) == 1 else f"the mean of {scene.count:,} queries"]
    if scene.side == "key" and set(scene.focus) <= _apart_keys(scene):
        return [
            *(Piece(label, strong=True) for label in named[:1]),
            Piece(" is set aside" if len(named) == 1 else " and others are set aside"),
        ]
    joint = _strongest_heads(scene)
    pieces = sentence(
        scene.side == "query",
        named,
        joint,
        other,
        many_heads=len(scene.numbers) > 1,
        combine=scene.state.combine,
        kind=scene.kind,
        how="mean" if scene.side == "query" else "sum",
    )
    where = _where(scene)
    return [*pieces, *([Piece(f" · {where}")] if where else [])]


def _apart_keys(scene: OverlayScene) -> set[int]:
    if scene.state.special == "show":
        return set()
    return {*scene.keys.special, *scene.state.aside}


def _strongest_heads(scene: OverlayScene) -> Joint:
    """Return the strongest head at each position; nothing where the weight is 0."""
    painted = np.where(np.isfinite(scene.painted), scene.painted, 0)
    rows = np.abs(painted).argmax(axis=0)
    weights = np.take_along_axis(painted, rows[None], axis=0)[0]
    return Joint(
        np.where(weights == 0, np.nan, weights).astype(np.float32),
        np.zeros(len(weights), np.float32),
        np.asarray(scene.numbers, np.uint16)[rows],
    )


def _where(scene: OverlayScene) -> str:
    """Return "62 % on the image, 12 % set aside": where there is an image, and weight beside it."""
    shares = [s for s in scene.account.shares if s.role == "image" and not s.aside]
    said = [f"{percent(s.share)} on the image" for s in shares]
    if scene.account.set_aside > 0:
        said.append(f"{percent(scene.account.set_aside)} set aside")
    return ", ".join(said)


def percent(share: float) -> str:
    """Return a share with three digits at most: "62.1 %", "0.04 %"."""
    return f"{format_weight(float(f'{100 * share:.3g}'))} %"


def places_name(scene: OverlayScene) -> str:
    """Return what the weight on the image lies in: "patches", "boxes"."""
    kinds = {
        type(part.segment).__name__
        for panel in scene.panels
        for part in panel.parts
        if part.side == scene.other
    }
    return "boxes" if kinds == {"Boxes"} else "patches"


def context(scene: OverlayScene) -> list[str]:
    """Return what is shown: the map's name and the layer."""
    return [*([scene.name] if scene.name else []), f"layer {scene.state.layer}"]


def heads_phrase(scene: OverlayScene) -> str:
    """Return which heads are shown as one; nothing where each is shown by itself."""
    heads = scene.state.heads
    if not heads:
        return "no head"
    if len(heads) == 1:
        return f"head {heads[0]}"
    if scene.numbers[0] != COMBINED:
        return ""
    what = "maximum" if scene.state.combine == "max" else "mean"
    return f"{what} of {len(heads)} of {scene.heads} heads"


def scale_phrase(scene: OverlayScene) -> str:
    """Return what stands for what on the picture."""
    state = scene.state
    if state.paint in ("contours", "outline"):
        shares = ", ".join(percent(share) for share in sorted(state.contours))
        how = "lines enclose" if state.paint == "contours" else "outlined: the strongest, with"
        return f"{how} {shares} of the {scene.kind} on the image"
    named = scene.shading.phrase()
    if state.scale == "absolute":
        named += ", absolute"
    return f"{named} · {state.interpolation}"


def accounts(scene: OverlayScene) -> list[str]:
    """Return what the picture leaves out or alters, a phrase each."""
    side = "what is attended to (source)" if scene.side == "query" else "what attends (target)"
    said = [f"shown: {side}"]
    if scene.every > 1 and (not scene.focus or scene.side == "key"):
        others = ", the others not shown" if scene.side == "key" else ""
        said.append(f"only every {ordinal(scene.every)} query read{others}")
    if scene.missing:
        said.append(missing_phrase(scene.missing, scene.kind))
    return said
