"""The widget: state that Python and the page share, and who is told when it changes."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import anywidget
import traitlets

from . import _assets, protocol
from .answers import answer
from .attention import Attention
from .codec import wire_dtype
from .content import describe, describe_block
from .maps import Maps, as_maps, unknown_keyword
from .scale import SCALES
from .filters import Filter
from .selection import LinesState, Row, select_rows, to_frame
from .slices import block_plan, can_merge_words, read_block
from .traits import Choice, Links, Position, Positions, Share, Switch, refuse

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from .figure import Snapshot

_log = logging.getLogger(__name__)
_log.addHandler(logging.NullHandler())

VIEWS: Final = ("lines",)


class AttentionWidget(anywidget.AnyWidget):
    """Attention maps, drawn as lines from queries to the keys they attend to.

    Every keyword is a trait: set it and the page follows, observe it and Python follows the page.

    Args:
        maps: an ``Attention``, ``{name: Attention}``, or a list (steps of a sequence).
        view: ``"lines"``.
        **state: any other trait of the widget, see below.

    Raises:
        TypeError: for an unknown keyword, or ``maps`` of another type.
        StateError: for a value out of range; the message says what was expected and what came.
    """

    if _assets.watched():
        _esm = _assets.MODULE
    else:

        @property
        def _esm(self) -> str:
            return _assets.module_text()

    view = Choice(VIEWS, "lines")
    """Which view is shown."""
    map = traitlets.Unicode("").tag(sync=True)
    """Name of the map shown."""
    step = Position(0)
    """Which step of a list of maps is shown."""
    layer = Position(0)
    """Layer shown."""
    heads = Positions(optional=True)
    """Heads shown; ``()`` means all, None none."""
    combine = Choice(("each", "mean", "max"), "each")
    """One colour a head, or heads merged by their mean or maximum."""
    direction = Choice(("attends_to", "attended_by"), "attends_to")
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
    special = Choice(("show", "hide", "renormalise"), "show")
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
    hovered = traitlets.Dict(None, allow_none=True, read_only=True)
    """What is hovered: layer, head, query, key, weight; None unless ``observe_hover`` is set."""

    _content = traitlets.Dict().tag(sync=True, echo_update=False)
    _block = traitlets.Dict().tag(sync=True, echo_update=False)

    def __init__(self, maps: Any, *, view: str | None = None, **state: Any) -> None:
        known = [*self._state_names(), "layout"]
        for name in state:
            if name not in known:
                raise unknown_keyword(name, known)
        self._maps: Maps = as_maps(maps)
        self._revision = 0
        self._picture: tuple[object, bytes] | None = None
        state.setdefault("map", next(iter(self._maps)))
        if view is not None:
            state["view"] = view
        super().__init__(**state)

    @classmethod
    def _state_names(cls) -> list[str]:
        return [
            name
            for name, trait in cls.class_traits(sync=True).items()
            if trait.this_class is AttentionWidget and not name.startswith("_")
        ]

    def open(self) -> None:
        """Open the channel to the page, with the first block of weights on board."""
        if self.comm is None:
            self._send_map()
            self.on_msg(self._answer)
        super().open()

    # --- the map shown ------------------------------------------------------------------------

    @property
    def maps(self) -> dict[str, list[Attention]]:
        """The maps held, each name with its steps."""
        return {name: list(steps) for name, steps in self._maps.items()}

    @property
    def attention(self) -> Attention:
        """The map shown."""
        return self._maps[self.map][self.step]

    @property
    def shown_heads(self) -> tuple[int, ...]:
        """The heads shown, as numbers."""
        if self.heads is None:
            return ()
        return tuple(sorted(self.heads)) or tuple(range(self.attention.shape[1]))

    def update(self, maps: Any) -> None:
        """Replace the maps in place and keep the state that still fits.

        Args:
            maps: as for the widget itself.
        """
        replaced = as_maps(maps)
        with self.hold_sync(), self.hold_trait_notifications():
            self._maps = replaced
            if self.map not in replaced:
                self.map = next(iter(replaced))
            self._fit_state()
        self._send_map()

    def _fit_state(self) -> None:
        self.step = min(self.step, len(self._maps[self.map]) - 1)
        layers, heads, queries, keys = self.attention.shape
        self.layer = max(0, min(self.layer, layers - 1))
        if self.heads:
            self.heads = tuple(head for head in self.heads if head < heads)
        self.pinned_queries = tuple(index for index in self.pinned_queries if index < queries)
        self.pinned_keys = tuple(index for index in self.pinned_keys if index < keys)
        self.links = tuple(pair for pair in self.links if pair[0] < queries and pair[1] < keys)

    def _send_map(self) -> None:
        """Send what is on screen: the map's description, and the weights drawn first."""
        self._revision += 1
        content = {
            "v": protocol.VERSION,
            "revision": self._revision,
            "maps": list(self._maps),
            "steps": len(self._maps[self.map]),
            **describe(self.attention),
        }
        with self.hold_sync():
            self._content = content
            self._send_block()

    def _send_block(self) -> None:
        attention = self.attention
        layers, queries = block_plan(attention, self.layer, min(self.pinned_queries, default=0))
        held = self._block
        if (
            held.get("revision") == self._revision
            and held["layers"] == [layers.start, layers.stop]
            and held["queries"] == [queries.start, queries.stop]
        ):
            return
        block = read_block(attention, layers, queries)
        packed = describe_block(block, wire_dtype(attention.dtype))
        self._block = {"revision": self._revision, **packed}

    @traitlets.observe("map", "step")
    def _map_changed(self, _: Any) -> None:
        if self.comm is None:
            return
        with self.hold_sync():
            self._fit_state()
            self._send_map()

    @traitlets.observe("layer")
    def _layer_changed(self, _: Any) -> None:
        if self.comm is not None:
            self._send_block()

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
        return self._below("layer", proposal["value"], self.attention.shape[0])

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
        if not 0 <= value < max(length, 1):
            raise refuse(name, f"within 0 and {length - 1}", value)
        return value

    # --- what the page asks for ---------------------------------------------------------------

    def _answer(self, _: Any, request: Any, __: Any) -> None:
        """Answer a request of the page; an error is an answer too."""
        if not isinstance(request, dict):
            return
        if request.get("kind") == "hover":
            self._report_hover(request.get("hovered"))
            return
        envelope = {"v": protocol.VERSION, "id": request.get("id"), "revision": self._revision}
        try:
            if request.get("v") != protocol.VERSION:
                raise ValueError(
                    f"the page speaks version {request.get('v')!r} and the kernel version "
                    f"{protocol.VERSION}: reload the page"
                )
            fields, arrays = answer(self.attention, request)
        except Exception as error:
            _log.exception("request %r failed", request.get("kind"))
            self.send({**envelope, "ok": False, "error": f"{type(error).__name__}: {error}"})
            return
        described = {
            name: {"dtype": packed["dtype"], "shape": packed["shape"]}
            for name, packed in arrays.items()
        }
        buffers = [packed["data"] for packed in arrays.values()]
        self.send({**envelope, "ok": True, **fields, "arrays": described}, buffers)

    def _report_hover(self, hovered: Any) -> None:
        if self.observe_hover:
            self.set_trait("hovered", hovered if isinstance(hovered, dict) else None)

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
            positions are those of a word's first token.
        """
        return select_rows(self.attention, self.lines_state())

    def to_frame(self) -> pd.DataFrame:
        """Return :meth:`selection` as a pandas DataFrame.

        Raises:
            ImportError: if pandas is not installed.
        """
        return to_frame(self.selection())

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

    # --- lifetime -----------------------------------------------------------------------------

    @contextmanager
    def closing(self) -> Iterator[AttentionWidget]:
        """Close the widget at the end of a ``with`` block."""
        try:
            yield self
        finally:
            self.close()
