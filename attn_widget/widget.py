"""The widget: state that Python and the page share, and who is told when it changes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import anywidget
import traitlets

from . import _assets
from .answers import hovered_at, reply
from .attention import Attention
from .content import block_room, describe, describe_block
from .filters import COMBINES, DIRECTIONS, SPECIALS, Filter
from .maps import Maps, as_maps, unknown_keyword
from .scale import SCALES
from .selection import LinesState, Row, select_frame, select_rows
from .slices import block_plan, can_merge_words, read_block
from .traits import (
    Choice,
    Links,
    Name,
    Position,
    Positions,
    Share,
    StateError,
    Switch,
    refuse,
)

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from .figure import Snapshot

VIEWS: Final = ("lines",)


class AttentionWidget(anywidget.AnyWidget):
    """Attention maps, drawn as lines from queries to the keys they attend to.

    Every keyword is a trait: set it and the page follows, observe it and Python follows the page.
    A widget and its maps stay in memory until it is closed: by :meth:`close`, or by the end of a
    ``with`` block.

    Args:
        maps: an ``Attention``, ``{name: Attention}``, or a list (steps of a sequence).
        view: ``"lines"``.
        **state: any other trait of the widget, see below; also ``layout`` of ipywidgets.

    Raises:
        TypeError: for an unknown keyword, or ``maps`` of another type.
        StateError: for a value out of range; the message says what was expected and what came.
    """

    _esm = _assets.module()

    view = Choice(VIEWS, "lines")
    """Which view is shown."""
    map = Name("")
    """Name of the map shown."""
    step = Position(0)
    """Which step of a list of maps is shown."""
    layer = Position(0)
    """Layer shown."""
    heads = Positions(optional=True)
    """Heads shown; ``()`` means all, None none."""
    combine = Choice(COMBINES, "each")
    """One colour a head, or heads merged by their mean or maximum."""
    direction = Choice(DIRECTIONS, "attends_to")
    """Whether filters and row scales work on each query's keys or on each key's queries."""
    pinned_queries = Positions()
    """Queries whose lines stay: the locked selection."""
    pinned_keys = Positions()
    """Keys whose lines stay: the locked selection."""
    mass = Share(1.0, 0.0, 1.0)
    """Draw the strongest keys of each query until this share of the row is covered."""
    threshold = Share(0.0)
    """Draw only weights of at least this magnitude."""
    top_k = Position(None, least=1, optional=True)
    """Draw at most this many keys of each query; None for no limit."""
    special = Choice(SPECIALS, "show")
    """What to do with special positions."""
    words = Switch(False)
    """Merge sub-words: summed over keys, averaged over queries."""
    links = Links()
    """Pairs (query, key) marked with rings, such as a gold alignment."""
    whole = Switch(None, optional=True)
    """Draw all lines, not only those of hovered and pinned tokens; None decides by length."""
    orientation = Choice(("vertical", "horizontal"), "vertical")
    """Tokens in two columns, or in two rows."""
    scale = Choice(SCALES, "absolute")
    """How a weight becomes opacity and width."""
    theme = Choice(("auto", "light", "dark"), "auto")
    """Colours; ``"auto"`` follows the notebook."""
    height = Position(None, least=120, optional=True)
    """Height of the view in CSS pixels; None fits the content up to a limit."""
    observe_hover = Switch(False)
    """Whether the page reports what is hovered."""
    hovered = traitlets.Dict(default_value=None, allow_none=True, read_only=True)
    """What is hovered: layer, head, query, key, weight; None unless ``observe_hover`` is set."""

    # A widget whose construction fails is closed too.
    _own_layout: Any = None

    _content = traitlets.Dict().tag(sync=True, echo_update=False)
    _block = traitlets.Dict().tag(sync=True, echo_update=False)

    def __init__(self, maps: Any, *, view: str | None = None, **state: Any) -> None:
        known = [*self._state_names(), "layout"]
        for name in state:
            if name not in known:
                raise unknown_keyword(name, known)
        self._maps: Maps = as_maps(maps)
        self._sent: Attention | None = None
        self._opened = False
        self._revision = 0
        self._picture: tuple[object, bytes] | None = None
        state.setdefault("map", next(iter(self._maps)))
        if view is not None:
            state["view"] = view
        own_layout = "layout" not in state
        super().__init__(**state)
        self._own_layout = self.layout if own_layout else None

    @classmethod
    def _state_names(cls) -> list[str]:
        return [
            name
            for name, trait in cls.class_traits(sync=True).items()
            if trait.this_class is AttentionWidget and not name.startswith("_")
        ]

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

    @property
    def maps(self) -> dict[str, list[Attention]]:
        """The maps held, each name with its steps."""
        return {name: list(steps) for name, steps in self._maps.items()}

    @property
    def attention(self) -> Attention:
        """The map shown."""
        steps = self._maps[self.map]
        # While the name has changed and the step has yet to follow, the nearest step counts.
        shown: Attention = steps[min(self.step, len(steps) - 1)]
        return shown

    @property
    def shown_heads(self) -> tuple[int, ...]:
        """The heads shown, as numbers."""
        if self.heads is None or self.attention.shape[0] == 0:
            return ()
        return tuple(sorted(self.heads)) or tuple(range(self.attention.shape[1]))

    def update(self, maps: Any) -> None:
        """Replace the maps in place and keep the state that still fits.

        Args:
            maps: as for the widget itself.

        Raises:
            TypeError: for ``maps`` of another type.
            ValueError: if there are none.
        """
        replaced = as_maps(maps)
        with self.hold_sync():
            self._maps, self._sent = replaced, None
            if self.map not in replaced:
                self.map = next(iter(replaced))
            self._show_map()

    def _fit_state(self) -> None:
        attention = self.attention
        layers, heads, queries, keys = attention.shape
        self.step = min(self.step, len(self._maps[self.map]) - 1)
        self.layer = max(0, min(self.layer, layers - 1))
        if self.heads:
            self.heads = tuple(head for head in self.heads if head < heads)
        self.pinned_queries = tuple(index for index in self.pinned_queries if index < queries)
        self.pinned_keys = tuple(index for index in self.pinned_keys if index < keys)
        self.links = tuple(pair for pair in self.links if pair[0] < queries and pair[1] < keys)
        self.words = self.words and can_merge_words(attention)

    def _show_map(self) -> None:
        """Let the state fit the map shown and send the map, once however many traits changed."""
        with self.hold_sync():
            # Nobody hears of a part of it while the rest doesn't fit yet.
            with self.hold_trait_notifications():
                self._fit_state()
            if self._is_open and self.attention is not self._sent:
                self._send_map()

    def _send_map(self) -> None:
        """Send what is on screen: the map's description, and the weights drawn first."""
        self._sent = self.attention
        self._revision += 1
        content = describe(self._sent, self._revision, list(self._maps), len(self._maps[self.map]))
        with self.hold_sync():
            self._content = content
            self._send_block(block_room(content))

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

    @traitlets.observe("map", "step")
    def _map_changed(self, _: Any) -> None:
        self._show_map()

    @traitlets.observe("layer")
    def _layer_changed(self, _: Any) -> None:
        # A layer that changes with its map travels with it.
        if self._is_open and self.attention is self._sent:
            self._send_block(block_room({}))

    # --- what is refused ----------------------------------------------------------------------

    @traitlets.validate("map")
    def _valid_map(self, proposal: Any) -> str:
        if proposal["value"] not in self._maps:
            names = ", ".join(repr(name) for name in self._maps)
            raise refuse("map", f"one of {names}", proposal["value"])
        return str(proposal["value"])

    @traitlets.validate("step")
    def _valid_step(self, proposal: Any) -> int:
        return self._below("step", proposal["value"], len(self._maps[self.map]))

    @traitlets.validate("layer")
    def _valid_layer(self, proposal: Any) -> int:
        # A map without layers shows its first one, which is empty.
        return self._below("layer", proposal["value"], max(1, self.attention.shape[0]))

    @traitlets.validate("heads", "pinned_queries", "pinned_keys")
    def _valid_positions(self, proposal: Any) -> tuple[int, ...] | None:
        name, value = proposal["trait"].name, proposal["value"]
        axis = {"heads": 1, "pinned_queries": 2, "pinned_keys": 3}[name]
        for position in value or ():
            self._below(name, position, self.attention.shape[axis])
        return None if value is None else tuple(value)

    @traitlets.validate("links")
    def _valid_links(self, proposal: Any) -> tuple[tuple[int, int], ...]:
        _, _, queries, keys = self.attention.shape
        for query, key in proposal["value"]:
            self._below("links (query)", query, queries)
            self._below("links (key)", key, keys)
        return tuple(proposal["value"])

    @traitlets.validate("words")
    def _valid_words(self, proposal: Any) -> bool:
        if proposal["value"] and not can_merge_words(self.attention):
            raise refuse(
                "words", "False for scores and for maps without words, see Tokens(words=)", True
            )
        return bool(proposal["value"])

    @staticmethod
    def _below(name: str, value: int, length: int) -> int:
        if not 0 <= value < length:
            raise refuse(name, f"within 0 and {length - 1}" if length else "empty", value)
        return value

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
        if message.get("kind") == "hover":
            if self.observe_hover:
                self.set_trait("hovered", hovered_at(message.get("hovered")))
            return
        self.send(*reply(self.attention, message, self._revision))

    @traitlets.observe("observe_hover")
    def _observe_hover_changed(self, change: Any) -> None:
        if not change["new"]:
            self.set_trait("hovered", None)

    # --- reading the selection back -----------------------------------------------------------

    def lines_state(self) -> LinesState:
        """Return what a still picture of the view depends on."""
        return LinesState(
            layer=self.layer,
            heads=self.shown_heads,
            filters=Filter(
                combine=self.combine,
                direction=self.direction,
                mass=self.mass,
                threshold=self.threshold,
                top_k=self.top_k,
                special=self.special,
                scale=self.scale,
            ),
            pinned_queries=self.pinned_queries,
            pinned_keys=self.pinned_keys,
            words=self.words,
            links=self.links,
            whole=self.whole,
            orientation=self.orientation,
            theme="light" if self.theme == "auto" else self.theme,
        )

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

    # --- pictures -----------------------------------------------------------------------------

    def plot(self, ax: Axes | None = None) -> Figure:
        """Return a Matplotlib figure of the current state, for papers.

        Args:
            ax: axes to draw into; a new figure without it.
        """
        from .figure import plot_lines

        return plot_lines(self.attention, self.lines_state(), ax)

    def snapshot(self) -> Snapshot:
        """Return a plain picture of the current state, shown by every reader of notebooks."""
        from .figure import Snapshot

        return Snapshot(self._png(), repr(self))

    def _png(self) -> bytes:
        from .figure import render_png

        state = (self._revision, self.lines_state())
        if self._picture is None or self._picture[0] != state:
            self._picture = (state, render_png(self.attention, state[1]))
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
