"""Still pictures of a widget's state: which view is drawn, and by whom."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from .account import Account
from .attention import Attention
from .notes import notes
from .selection import HeadsState, MatrixState, MechanismState, OverlayState, PictureState
from .state import WidgetState

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def picture_state(state: WidgetState) -> PictureState:
    """Return what a still picture of a widget's view depends on; equal ones look alike.

    Of two views side by side it is the first.
    """
    theme = "light" if state.theme == "auto" else state.theme
    if state.view == "matrix":
        return MatrixState(
            layer=state.layer,
            heads=state.shown_heads,
            combine=state.combine,
            pinned_queries=state.pinned_queries,
            pinned_keys=state.pinned_keys,
            scale=state.scale,
            colormap=state.colormap,
            pool=state.pool,
            window=state.window,
            words=state.words,
            special=state.special,
            aside=state.aside,
            links=state.links,
            theme=theme,
        )
    if state.view == "overlay":
        return overlay_state(state)
    if state.view == "heads":
        return HeadsState(
            layer=state.layer,
            heads=state.shown_heads,
            sort=state.sort,
            pattern=state.pattern,
            scale=state.scale,
            colormap=state.colormap,
            theme=theme,
        )
    if state.view == "mechanism":
        return MechanismState(
            layer=state.layer,
            head=next(iter(state.shown_heads), None),
            query=state.chosen_query,
            key=next(iter(state.pinned_keys), None),
            theme=theme,
        )
    return state.lines_state()


def overlay_state(state: WidgetState) -> OverlayState:
    """Return what an overlay in a widget's state depends on, whatever view it shows."""
    return OverlayState(
        layer=state.layer,
        heads=state.shown_heads,
        combine=state.combine,
        direction=state.direction,
        pinned_queries=state.pinned_queries,
        pinned_keys=state.pinned_keys,
        special=state.special,
        aside=state.aside,
        scale=state.scale,
        colormap=state.colormap,
        opacity=state.opacity,
        interpolation=state.interpolation,
        paint=state.paint,
        contours=state.contours,
        masks=tuple(state.masks.outlines.items()),
        theme="light" if state.theme == "auto" else state.theme,
    )


def shown_account(attention: Attention, state: WidgetState) -> Account:
    """Return where the weight lies that an overlay in a widget's state shows."""
    from .figure.overlay_scene import read_overlay

    scene = read_overlay(attention, overlay_state(state))
    return replace(scene.account, sinks=scene.sinks, sinks_share=scene.sinks_share)


def picture_png(attention: Attention, state: WidgetState) -> bytes:
    """Return the view that a widget's state shows of a map as a PNG."""
    from .figure import render_png

    return render_png(attention, picture_state(state), _notes_below(attention, state))


NOTED_WEIGHTS: Final = 600_000
"""Of larger layers pictures have no notes: finding them would keep the reader waiting."""


def _notes_below(attention: Attention, state: WidgetState) -> list[str]:
    """Return the notes on the heads of a still picture."""
    _, _, queries, keys = attention.shape
    of_layer = state.view in ("lines", "matrix", "overlay")
    cheap = len(state.shown_heads) * queries * keys <= NOTED_WEIGHTS
    if not (state.notes and of_layer and cheap):
        return []
    found = notes(attention, state.layer, state.heads)
    return [note.text for note in found if note.kind not in state.dismissed]


def plot_picture(attention: Attention, state: PictureState, ax: Axes | None) -> Figure:
    """Draw a map in some state with Matplotlib, into ``ax`` where there is one."""
    from . import figure

    return figure.plot_picture(attention, state, ax)
