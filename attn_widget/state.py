"""The state that Python and the page share: its values, what fits a map, what is refused."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

import traitlets

from .answers.statistics import STATISTICS
from .applied import AS_IT_IS, Applied, method_of
from .attention import Attention
from .filters import COMBINES, DIRECTIONS, SPECIALS, Filter
from .maps import Maps
from .masks import Masks, read_masks
from .mechanisms.steps import SupportsPanels, has_mechanism
from .notes import KINDS
from .scale import SCALES
from .selection import LinesState
from .slices import can_merge_words
from .traits import (
    Choice,
    Chosen,
    Given,
    Links,
    Name,
    Position,
    Positions,
    Share,
    Shares,
    StateError,
    Switch,
    Window,
    refuse,
)

VIEWS: Final = ("lines", "matrix", "heads", "overlay", "mechanism")
POOLS: Final = ("max", "mean")
COLORMAPS: Final = ("auto", "viridis", "cividis", "grey", "inferno")
INTERPOLATIONS: Final = ("nearest", "bilinear")
PAINTS: Final = ("heat", "dim", "contours", "outline")
SORTS: Final = ("layer", *STATISTICS)
PATTERNS: Final = ("previous", "next", "sink", "uniform", "sharp", "induction")

MATRIX_ABOVE: Final = 2048
"""Maps with more tokens on either side open in the matrix view: so many lines tell little."""


def suiting_view(attention: Attention) -> str:
    """Return the view that suits a map.

    The overlay where it knows an image, the mechanism where it holds several side by side; else
    lines, or the matrix above 2,048 tokens on a side.
    """
    if has_mechanism(attention.source) and isinstance(attention.source, SupportsPanels):
        return "mechanism"
    if any(axis.has_image for axis in (attention.queries, attention.keys)):
        return "overlay"
    return "matrix" if max(attention.shape[2:]) > MATRIX_ABOVE else "lines"


_NEEDS: Final = {
    "overlay": "Patches and Boxes",
    "mechanism": "a mechanism (Attention.from_qk and the functions of aw.mechanisms know it)",
}
"""What a map must have for some views."""


def can_show(attention: Attention, view: str | None) -> bool:
    """Return whether a map has what a view needs."""
    if view == "mechanism":
        return has_mechanism(attention.source)
    return view != "overlay" or attention.has_places


class WidgetState(traitlets.HasTraits):
    """The traits of :class:`AttentionWidget`; each value fits the map shown, or is refused."""

    view = Choice(VIEWS, "lines")
    """Which view is shown."""
    beside = Choice(VIEWS, None)
    """A second view, shown at the side of the first; None for none."""
    map = Name("")
    """Name of the map shown."""
    step = Position(0)
    """Which step of a list of maps is shown."""
    method = Name(None)
    """A method applied to it, a name of ``methods.available(map)``; None shows it as it is."""
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
    """What to do with special positions, and with those set ``aside``."""
    aside = Positions()
    """Keys treated like special tokens, such as patches that are sinks."""
    words = Switch(False)
    """Merge sub-words: summed over keys, averaged over queries."""
    links = Links()
    """Pairs (query, key) marked with rings, such as a gold alignment."""
    whole = Switch(None, optional=True)
    """Draw all lines, not only those of hovered and pinned tokens; None decides by length."""
    orientation = Choice(("vertical", "horizontal"), "vertical")
    """Tokens in two columns, or in two rows."""
    scale = Choice(SCALES, "absolute")
    """How a weight becomes opacity, width and colour."""
    pool = Choice(POOLS, "max")
    """How the matrix shows several weights in one cell: the strongest of them, or their mean."""
    colormap = Choice(COLORMAPS, "auto")
    """Colours of the matrix and of the overlay; ``"auto"`` runs from the notebook's background to
    its ink in the matrix, and is inferno on images."""
    opacity = Share(0.8, 0.0, 1.0)
    """Opacity of the strongest weight on an image."""
    interpolation = Choice(INTERPOLATIONS, "nearest")
    """Whether weights on an image stay patches, or run between their middles."""
    paint = Choice(PAINTS, "heat")
    """How weights show on an image: as colours, by dimming the rest, as contours, or as outlines of
    the strongest patches."""
    contours = Shares((0.5, 0.9))
    """Shares of the weight on the image that contours and outlines enclose."""
    masks = Given(Masks())
    """Boolean masks of the image drawn over the overlay, such as where a thing is; see
    :func:`attn_widget.masks.read_masks` for what is taken."""
    window = Window()
    """The part the matrix shows: (first query, last query + 1, first key, last key + 1), or None
    for all."""
    sort = Choice(SORTS, "layer")
    """Order of the heads view: by layer, or by a statistic."""
    pattern = Choice(PATTERNS, None)
    """The heads view shows only heads of this pattern as strong; None for all."""
    notes = Switch(True)
    """Whether the page says where the map must be read with care."""
    dismissed = Chosen(KINDS)
    """Kinds of notes that the page no longer shows; ``()`` brings them back."""
    theme = Choice(("auto", "light", "dark"), "auto")
    """Colours; ``"auto"`` follows the notebook."""
    height = Position(None, least=120, optional=True)
    """Height of the view in CSS pixels; None fits the content up to a limit."""
    observe_hover = Switch(False)
    """Whether the page reports what is hovered."""
    hovered = traitlets.Dict(default_value=None, allow_none=True, read_only=True)
    """What is hovered: layer, head, query, key, weight; None unless ``observe_hover`` is set."""

    _maps: Maps
    _applied: Applied
    _left: tuple[int, tuple[int, ...] | None] = (0, ())
    """The layer and heads shown before a method made one of them."""

    @classmethod
    def _state_names(cls) -> list[str]:
        return [
            name
            for name, trait in cls.class_traits(sync=True).items()
            if trait.this_class is WidgetState
        ]

    @property
    def maps(self) -> dict[str, list[Attention]]:
        """The maps held, each name with its steps."""
        return {name: list(steps) for name, steps in self._maps.items()}

    @property
    def given(self) -> Attention:
        """The map shown, before a method is applied to it."""
        # A name of no map is refused, maybe after what depends on the map.
        steps = self._maps.get(self.map) or next(iter(self._maps.values()))
        # While the name has changed and the step has yet to follow, the nearest step counts.
        shown: Attention = steps[min(self.step, len(steps) - 1)]
        return shown

    @property
    def attention(self) -> Attention:
        """The map shown: what the method makes of the one given."""
        return self._applied.of(self.given, self.method)

    @property
    def shown_heads(self) -> tuple[int, ...]:
        """The heads shown, as numbers."""
        if self.heads is None or self.attention.shape[0] == 0:
            return ()
        return tuple(sorted(self.heads)) or tuple(range(self.attention.shape[1]))

    @property
    def chosen_query(self) -> int:
        """The query whose mechanism is shown: the first pinned one, else the first plain one."""
        return next(iter(self.pinned_queries), self.attention.queries.first_plain)

    def lines_state(self) -> LinesState:
        """Return what a selection, and a still picture of the lines view, depend on.

        The overlay has no filters, merges no words and asks special queries too. The mechanism
        shows one row of one head, whole.
        """
        theme = "light" if self.theme == "auto" else self.theme
        if self.view == "mechanism":
            return LinesState(
                layer=self.layer,
                heads=self.shown_heads[:1],
                pinned_queries=(self.chosen_query,),
                theme=theme,
            )
        overlay = self.view == "overlay"
        filters = Filter(
            combine=self.combine, direction=self.direction, special=self.special, scale=self.scale
        )
        if not overlay:
            filters = replace(filters, mass=self.mass, threshold=self.threshold, top_k=self.top_k)
        return LinesState(
            layer=self.layer,
            heads=self.shown_heads,
            filters=filters,
            pinned_queries=self.pinned_queries,
            pinned_keys=self.pinned_keys,
            words=self.words and not overlay,
            aside=self.aside,
            asking=overlay,
            links=self.links,
            whole=self.whole,
            orientation=self.orientation,
            theme=theme,
        )

    def _return_from(self, method: str | None) -> None:
        """Show the layer and heads again that a method had made one of."""
        kept, (layer, heads) = method_of(method), self._left
        self._left = (
            self.layer if kept.keeps_layers else layer,
            self.heads if kept.keeps_heads else heads,
        )
        with self.hold_trait_notifications():
            self.layer, self.heads = self._left
            self._fit_state()

    def _fit_state(self) -> None:
        if self.method is not None and self._applied.why_not(self.given, self.method):
            self.method = None
        attention = self.attention
        layers, heads, queries, keys = attention.shape
        self.step = min(self.step, len(self._maps[self.map]) - 1)
        self.layer = max(0, min(self.layer, layers - 1))
        if not can_show(attention, self.beside):
            self.beside = None
        if not can_show(attention, self.view):
            self.view = suiting_view(attention)
        if self.heads:
            self.heads = tuple(head for head in self.heads if head < heads)
        self.pinned_queries = tuple(index for index in self.pinned_queries if index < queries)
        self.pinned_keys = tuple(index for index in self.pinned_keys if index < keys)
        self.aside = tuple(index for index in self.aside if index < keys)
        self.links = tuple(pair for pair in self.links if pair[0] < queries and pair[1] < keys)
        self.words = self.words and can_merge_words(attention)
        if self.window is not None:
            top, bottom, left, right = self.window
            inside = top < queries and left < keys
            self.window = (top, min(bottom, queries), left, min(right, keys)) if inside else None

    @traitlets.observe("view")
    def _view_changed(self, _: Any) -> None:
        if self.beside == self.view:
            self.beside = None

    @traitlets.observe("observe_hover")
    def _observe_hover_changed(self, change: Any) -> None:
        if not change["new"]:
            self.set_trait("hovered", None)

    # --- what is refused ----------------------------------------------------------------------

    @traitlets.validate("view")
    def _valid_view(self, proposal: Any) -> str:
        return self._possible("view", str(proposal["value"]))

    @traitlets.validate("beside")
    def _valid_beside(self, proposal: Any) -> str | None:
        value: str | None = proposal["value"]
        if value is None:
            return None
        if value == self.view:
            raise refuse("beside", f"another view than {self.view!r}, which is shown", value)
        return self._possible("beside", value)

    def _possible(self, name: str, view: str) -> str:
        if not can_show(self.attention, view):
            raise refuse(name, f"another view for a map without {_NEEDS[view]}", view)
        return view

    @traitlets.validate("map")
    def _valid_map(self, proposal: Any) -> str:
        if proposal["value"] not in self._maps:
            names = ", ".join(repr(name) for name in self._maps)
            raise refuse("map", f"one of {names}", proposal["value"])
        return str(proposal["value"])

    @traitlets.validate("method")
    def _valid_method(self, proposal: Any) -> str | None:
        value: str | None = proposal["value"]
        if value is None or value == AS_IT_IS:
            return None
        if expected := self._applied.why_not(self.given, value):
            raise refuse("method", expected, value)
        return value

    @traitlets.validate("step")
    def _valid_step(self, proposal: Any) -> int:
        return self._below("step", proposal["value"], len(self._maps[self.map]))

    @traitlets.validate("layer")
    def _valid_layer(self, proposal: Any) -> int:
        # A map without layers shows its first one, which is empty.
        return self._below("layer", proposal["value"], max(1, self.attention.shape[0]))

    @traitlets.validate("heads", "pinned_queries", "pinned_keys", "aside")
    def _valid_positions(self, proposal: Any) -> tuple[int, ...] | None:
        name, value = proposal["trait"].name, proposal["value"]
        axis = {"heads": 1, "pinned_queries": 2}.get(name, 3)
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

    @traitlets.validate("masks")
    def _valid_masks(self, proposal: Any) -> Masks:
        try:
            return read_masks(proposal["value"], self.attention)
        except ValueError as error:
            raise StateError(f"masks must be {error}") from None

    @traitlets.validate("window")
    def _valid_window(self, proposal: Any) -> tuple[int, int, int, int] | None:
        value: tuple[int, int, int, int] | None = proposal["value"]
        _, _, queries, keys = self.attention.shape
        if value is not None and (value[1] > queries or value[3] > keys):
            raise refuse("window", f"within {queries} queries and {keys} keys", value)
        return value

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
