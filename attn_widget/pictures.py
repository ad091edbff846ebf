"""Still pictures of a widget's state: which view is drawn, and by whom."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from .account import Account
from .attention import Attention
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


def picture_png(attention: Attention, state: PictureState) -> bytes:
    """Return a map in some state as a PNG."""
    from .figure import render_png

    return render_png(attention, state)


def plot_picture(attention: Attention, state: PictureState, ax: Axes | None) -> Figure:
    """Draw a map in some state with Matplotlib, into ``ax`` where there is one."""
    from . import figure

    return figure.plot_picture(attention, state, ax)
