"""The widget: state that Python and the page share, and who is told when it changes."""

from __future__ import annotations

import os
from collections.abc import Generator
from typing import TYPE_CHECKING, Any

import anywidget
import traitlets

from . import _assets, protocol
from .account import Account
from .answers import Reply, hovered_at, reply_steps
from .applied import Applied, offered
from .attention import Attention
from .care import care_steps
from .content import block_room, describe, describe_block, describe_images
from .export import export_page, write_page
from .flow import Flow
from .maps import Maps, as_maps, unknown_keyword
from .masks import page_masks
from .memory import Memory
from .notes import Note, notes
from .pictures import picture_png, picture_state, plot_picture, shown_account
from .selection import Row, select_frame, select_rows
from .slices import block_plan, read_block
from .state import WidgetState, suiting_view
from .tasks import Background, Tasks, run_steps
from .traits import StateError

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from .figure import Snapshot


class AttentionWidget(WidgetState, anywidget.AnyWidget):
    """Attention maps: lines from queries to keys, the matrix, all heads, or weights on images.

    Every keyword is a trait: set it and the page follows, observe it and Python follows the page.
    A widget and its maps stay in memory until it is closed: by :meth:`close`, or by the end of a
    ``with`` block.

    Args:
        maps: an ``Attention``, ``{name: Attention}``, a list (steps of a sequence), or what holds
            such: a capture, a recorder.
        view: ``"lines"``, ``"matrix"``, ``"heads"``, ``"overlay"`` or ``"mechanism"``. None takes
            what suits the first map: the overlay where it has an image, the mechanism where it
            holds several, else lines, or the matrix above 2,048 tokens on either side. The
            overlay merges heads by their mean unless ``combine`` says
            otherwise.
        **state: any other trait of :class:`WidgetState`; also ``layout`` of ipywidgets.

    Raises:
        TypeError: for an unknown keyword, or ``maps`` of another type.
        StateError: for a value out of range; the message says what was expected and what came.
    """

    _esm = _assets.module()

    # A widget whose construction fails is closed too.
    _own_layout: Any = None
    _opened = False

    _content = traitlets.Dict().tag(sync=True, echo_update=False)
    _block = traitlets.Dict().tag(sync=True, echo_update=False)
    _images = traitlets.Dict().tag(sync=True, echo_update=False)
    # What the page asked for and shows: kept for reload, a second view and the saved notebook.
    _thumbnails = traitlets.Dict().tag(sync=True, echo_update=False)
    _region = traitlets.Dict().tag(sync=True, echo_update=False)
    _edges = traitlets.Dict().tag(sync=True, echo_update=False)
    _rows = traitlets.Dict().tag(sync=True, echo_update=False)
    _mechanism = traitlets.Dict().tag(sync=True, echo_update=False)
    _notes = traitlets.Dict().tag(sync=True, echo_update=False)
    _masks = traitlets.Dict().tag(sync=True, echo_update=False)

    def __init__(self, maps: Any, *, view: str | None = None, **state: Any) -> None:
        known = [*self._state_names(), "masks", "layout"]
        for name in state:
            if name not in known:
                raise unknown_keyword(name, known)
        self._maps: Maps = as_maps(maps)
        self._applied = Applied()
        self._sent: Attention | None = None
        self._stale = True
        self._revision = 0
        self._updates = 0
        self._memory = Memory()
        self._tasks: Tasks[Reply] = Tasks()
        self._flow = Flow(self._send_map)
        self._care: Background[dict[str, Any]] = Background(
            lambda: len(self._tasks) > 0, lambda found: self.set_trait("_notes", found)
        )
        self._picture: tuple[object, bytes] | None = None
        state.setdefault("map", next(iter(self._maps)))
        # A map of no such name is refused in words below.
        first = self._maps.get(state["map"], next(iter(self._maps.values())))[0]
        state["view"] = suiting_view(first) if view is None else view
        if state["view"] == "overlay":
            # One picture first: a panel a head is for those who ask for it.
            state.setdefault("combine", "mean")
        own_layout = "layout" not in state
        super().__init__(**state)
        self._own_layout = self.layout if own_layout else None

    def open(self) -> None:
        """Open the channel to the page, with the first block of weights on board."""
        # Not known by the channel: marimo opens it before this is called.
        if not self._opened:
            self._opened = True
            self._send_map()
            self.on_msg(self._receive)
        super().open()

    def close(self) -> None:
        """Close the channel: views leave the page, and nothing holds the widget any more."""
        if self._opened:
            self._tasks.cancel_all()
            self._flow.stop()
            self._care.stop()
        super().close()
        if self._own_layout is not None:
            self._own_layout.close()

    def __enter__(self) -> AttentionWidget:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def _is_open(self) -> bool:
        return self.comm is not None and self._opened

    # --- the map shown ------------------------------------------------------------------------

    def update(self, maps: Any, *, step: int | None = None) -> None:
        """Replace the maps in place and keep the state that still fits.

        The page gets the newest maps as fast as it draws them: those that come while it draws are
        left out, not queued.

        Args:
            maps: as for the widget itself.
            step: the step to show; None keeps the one shown.

        Raises:
            TypeError: for ``maps`` of another type.
            ValueError: if there are none.
            StateError: if there is no such step.
        """
        replaced = as_maps(maps)
        shown = self.map if self.map in replaced else next(iter(replaced))
        if step is not None:
            self._below("step", step, len(replaced[shown]))
        with self.hold_sync():
            self._maps, self._stale = replaced, True
            self._applied = Applied()
            self._updates += 1
            # The map and its step change as one, so that no other step is sent in between.
            with self.hold_trait_notifications():
                self.map = shown
                self.step = self.step if step is None else step
            self._show_map()

    def _show_map(self) -> None:
        """Let the state fit the map shown and send the map, once however many traits changed."""
        with self.hold_sync():
            # Nobody hears of a part of it while the rest doesn't fit yet.
            with self.hold_trait_notifications():
                self._fit_state()
            if self._is_open and not self._is_sent:
                self._flow.offer()

    @property
    def _is_sent(self) -> bool:
        return self.attention is self._sent and not self._stale

    def _send_map(self) -> int:
        """Send what is on screen: the map's description, and the weights drawn first.

        Returns:
            The revision sent.
        """
        for name in self._tasks.cancel_all():
            self._send_reply(name, {"ok": False, "error": "the map has changed"})
        # A new one: what another thread still computes of the old map belongs to the old one.
        self._memory = Memory()
        self._sent, self._stale = self.attention, False
        self._revision += 1
        steps = len(self._maps[self.map])
        content = describe(self._sent, self._revision, list(self._maps), steps, offered(self.given))
        images = describe_images(self._sent)
        new = images if images.keys() != self._images.keys() else {}
        with self.hold_sync():
            self._content = content
            if new or not images:
                self._images = images
            self._send_block(block_room(content, new))
            for kind in protocol.KINDS:
                self.set_trait(f"_{kind}", {})
            self._notes, self._masks = {}, page_masks(self.masks, self._sent)
        self._look_for_notes()
        return self._revision

    def _send_block(self, room: int) -> None:
        attention = self.attention
        focus = min(self.pinned_queries, default=0)
        layers, queries = block_plan(attention, self.layer, focus, room)
        held = self._block
        if (
            held.get("revision") == self._revision
            and held["layers"] == [layers.start, layers.stop]
            and held["queries"] == [queries.start, queries.stop]
        ):
            return
        block = read_block(attention, layers, queries)
        self._block = {"revision": self._revision, **describe_block(block, attention.dtype)}

    @traitlets.observe("map", "step", "method")
    def _map_changed(self, change: Any) -> None:
        with self.hold_sync():
            if change["name"] == "method":
                self._return_from(change["old"])
            self._show_map()

    @traitlets.observe("layer")
    def _layer_changed(self, _: Any) -> None:
        # A layer that changes with its map travels with it.
        if self._is_open and self._is_sent:
            self._send_block(block_room({}))

    def _look_for_notes(self) -> None:
        if self.notes:
            self._care.start(care_steps(self.attention, self._noted_state()))
        else:
            self._care.stop()
            self._notes = {}

    def _noted_state(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in ("map", "step", "method", "layer", "heads")}

    @traitlets.observe("masks")
    def _masks_changed(self, _: Any) -> None:
        if self._is_open and self._is_sent:
            self._masks = page_masks(self.masks, self.attention)

    @traitlets.observe("layer", "heads", "notes")
    def _noted_changed(self, _: Any) -> None:
        if self._is_open and self._is_sent:
            self._look_for_notes()

    def set_state(self, sync_data: dict[str, Any]) -> None:
        """Take over what the page has set; what does not fit the map is put right in the page."""
        try:
            super().set_state(sync_data)
        except StateError:
            # A page that has yet to hear of new maps may point beyond them.
            self.send_state([name for name in sync_data if name in self.keys])

    # --- what the page asks for ---------------------------------------------------------------

    def _receive(self, _: Any, message: Any, __: Any) -> None:
        if not isinstance(message, dict):
            return
        kind, name = message.get("kind"), message.get("id")
        if kind == "hover":
            if self.observe_hover:
                self.set_trait("hovered", hovered_at(message.get("hovered")))
        elif kind == "drawn":
            self._flow.drawn(message.get("revision"))
        elif kind == "cancel":
            self._tasks.cancel(str(name))
        elif self._sent is not None:
            # Of newer maps the page has yet to hear.
            self._tasks.start(
                str(name),
                self._apply_steps(message)
                if kind == "method"
                else reply_steps(self._sent, message, self._revision, self._memory),
                progress=lambda share: self._send_reply(name, {"progress": share}),
                done=self._answer,
            )

    def _apply_steps(self, message: dict[str, Any]) -> Generator[float, None, Reply]:
        """Apply the method that the page has chosen: the map shown stays until that is done."""
        envelope = {"v": protocol.VERSION, "id": message.get("id"), "revision": self._revision}
        given = self.given
        try:
            name = yield from self._applied.steps(given, message.get("method"))
        except ValueError as error:
            return Reply({**envelope, "ok": False, "error": str(error.__cause__ or error)})
        if given is not self.given:
            return Reply({**envelope, "ok": False, "error": "the map has changed"})
        return Reply({**envelope, "ok": True}, held=("method", name))

    def _answer(self, reply: Reply) -> None:
        if reply.held is not None:
            self.set_trait(*reply.held)
        self.send(reply.content, reply.buffers)

    def _send_reply(self, name: object, content: dict[str, Any]) -> None:
        envelope = {"v": protocol.VERSION, "id": name, "revision": self._revision}
        self.send({**envelope, **content})

    # --- reading the selection back -----------------------------------------------------------

    def selection(self) -> list[Row]:
        """Return the weights of what is pinned and filtered.

        Returns:
            Rows ``(layer, head, query, query_label, key, key_label, weight)``, by head, query and
            key. ``head`` is ``"mean"`` or ``"max"`` where heads are combined. With words merged,
            positions are those of a word's first token. With nothing pinned, all that the filters
            keep.

        Raises:
            ValueError: for more than a million rows; :meth:`to_frame` holds them.
        """
        return select_rows(self.attention, self.lines_state())

    def to_frame(self) -> pd.DataFrame:
        """Return :meth:`selection` as a pandas DataFrame.

        Raises:
            ImportError: if pandas is not installed.
        """
        return select_frame(self.attention, self.lines_state())

    def account(self) -> Account:
        """Return where the weight lies: on the image, padding, text and each special token.

        These are the numbers beside the pictures of the overlay, whatever view is shown: of what
        is pinned (the mean of several queries, the sum of several keys), else of the mean over
        all queries; of the heads shown, their mean where each has a panel. Of maps that take long
        to read some queries stand for all.

        Returns:
            A record: ``shares`` (each with ``name``, ``role``, ``share`` and ``aside``), the
            ``total`` of the row, the share ``set_aside``, the ``strongest`` position on the image,
            ``half`` ``of`` the patches that hold half of the weight on the image, and ``sinks``
            with ``sinks_share``. Shares are 0..1, of magnitudes.
        """
        return shown_account(self.attention, self)

    def read_with_care(self) -> list[Note]:
        """Return what to take care of in the heads shown: the notes under the views, all of them.

        Returns:
            Notes, each with a ``kind``, a ``text`` and the ``page`` of the docs that explains it.
        """
        return notes(self.attention, self.layer, self.heads)

    # --- pictures -----------------------------------------------------------------------------

    def plot(self, ax: Axes | None = None) -> Figure:
        """Return a Matplotlib figure of the current state, for papers.

        Args:
            ax: axes to draw into; a new figure without it.
        """
        return plot_picture(self.attention, picture_state(self), ax)

    def snapshot(self) -> Snapshot:
        """Return a plain picture of the current state, shown by every reader of notebooks."""
        from .figure import Snapshot

        return Snapshot(self._png(), repr(self))

    def to_html(self, path: str | os.PathLike[str] | None = None, *, limit_mb: float = 25) -> str:
        """Return a page that shows this widget anywhere, interactive, without kernel or network.

        It holds the maps as far as there is room, the layer shown first; of a layer too large for
        it, what is on screen. What it leaves out it says, and a ``UserWarning`` says it here.

        Args:
            path: a file to write the page to as well; it appears whole or not at all.
            limit_mb: size of the page at most, in MB (1,000,000 bytes).

        Raises:
            ValueError: if not even an empty page of the map shown has room.
        """
        state = {name: getattr(self, name) for name in self._state_names()}
        if self.notes:
            state["_notes"] = run_steps(care_steps(self.attention, self._noted_state()))
        state["_masks"] = page_masks(self.masks, self.attention)
        held = {
            kind: value
            for kind in protocol.KINDS
            if self._is_sent and (value := getattr(self, f"_{kind}"))
        }
        memory = self._memory if self._is_sent else Memory()
        maps = self._applied.of_all(self._maps, self.method)
        page = export_page(maps, state, self.shown_heads, held, memory, limit_mb)
        if path is not None:
            write_page(page, path)
        return page

    def _png(self) -> bytes:
        shown = (self.map, self.step, self.method, self.notes, self.dismissed)
        state = (self._updates, *shown, picture_state(self))
        if self._picture is None or self._picture[0] != state:
            self._picture = (state, picture_png(self.attention, self))
        return self._picture[1]

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        from .figure import png_metadata

        bundle = super()._repr_mimebundle_(**kwargs)
        if bundle is None:
            return None
        data, metadata = bundle if isinstance(bundle, tuple) else (bundle, {})
        picture = self._png()
        return (
            {**data, "text/plain": repr(self), "image/png": picture},
            {**metadata, "image/png": png_metadata(picture)},
        )

    def __repr__(self) -> str:
        layers, heads, queries, keys = self.attention.shape
        return (
            f"AttentionWidget(view={self.view!r}, map={self.map!r}, layers={layers}, "
            f"heads={heads}, queries={queries}, keys={keys})"
        )
