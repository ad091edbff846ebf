"""The state of a widget: what it takes, what it refuses, whom it tells."""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import Any

import ipywidgets
import numpy as np
import pytest
import traitlets

import attn_widget as aw
from attn_widget.traits import StateError
from channel import Channel, opened
from states import DEFAULTS, REFUSED, TAKEN, Make, attention

refused = pytest.mark.parametrize(
    ("name", "value", "message"),
    REFUSED,
    ids=[f"{name}={value!r:.20}" for name, value, _ in REFUSED],
)


def state_of(widget: aw.AttentionWidget) -> dict[str, Any]:
    return {name: getattr(widget, name) for name in DEFAULTS}


def test_defaults(make: Make) -> None:
    widget = make()
    assert state_of(widget) == DEFAULTS
    assert widget.hovered is None
    synced = {name for name in widget.traits(sync=True) if not name.startswith("_")}
    assert synced - {"layout", "tabbable", "tooltip"} == set(DEFAULTS)


@pytest.mark.parametrize(
    ("name", "value", "held"), TAKEN, ids=[f"{name}={value!r:.20}" for name, value, _ in TAKEN]
)
def test_values_are_coerced(make: Make, name: str, value: Any, held: Any) -> None:
    widget = make()
    # A generator gives its items once.
    value = list(value) if name == "heads" and hasattr(value, "send") else value
    setattr(widget, name, value)
    found = getattr(widget, name)
    assert found == held
    assert type(found) is type(held)
    assert getattr(make(**{name: value}), name) == held


@refused
def test_bad_values_leave_the_widget_as_it_was(
    make: Make, name: str, value: Any, message: str
) -> None:
    widget = make(layer=1, pinned_queries=[2])
    before = state_of(widget)
    told: list[Any] = []
    widget.observe(told.append)
    for hold in (widget.hold_sync, widget.hold_trait_notifications):
        with pytest.raises(StateError) as raised, hold():  # noqa: PT012
            widget.mass = 0.5
            setattr(widget, name, value)
        assert str(raised.value).startswith(message)
        if hold == widget.hold_sync:
            assert widget.mass == 0.5
            widget.mass = 1.0
            told.clear()
    with pytest.raises(StateError) as raised:
        setattr(widget, name, value)
    assert str(raised.value).startswith(message)
    assert state_of(widget) == before
    assert told == []


@refused
def test_bad_keywords_open_nothing(name: str, value: Any, message: str) -> None:
    held = attention()
    before = opened()
    with pytest.raises(StateError) as raised:
        aw.AttentionWidget(held, **{name: value})
    assert str(raised.value).startswith(message)
    assert opened() == before


def test_state_errors_are_value_errors_and_trait_errors() -> None:
    assert issubclass(StateError, ValueError)
    assert issubclass(StateError, traitlets.TraitError)


def test_long_values_are_told_in_short(make: Make) -> None:
    with pytest.raises(StateError) as raised:
        make().heads = ["x" * 1000] * 1000
    assert len(str(raised.value)) < 600


@pytest.mark.parametrize(
    ("keyword", "hint"),
    [
        ("head", "did you mean 'heads'?"),
        ("layers", "did you mean 'layer'?"),
        ("topk", "did you mean 'top_k'?"),
        ("pinned_query", "did you mean 'pinned_queries'?"),
        ("batches_of", "known are aside, beside, colormap"),
        ("_content", "known are aside, beside, colormap"),
        ("hovered", "known are aside, beside, colormap"),
        ("batch", "give it to the map: Attention(weights, ..., batch=...)"),
        ("queries", "give it to the map: Attention(weights, ..., queries=...)"),
        ("kind", "give it to the map: Attention(weights, ..., kind=...)"),
    ],
)
def test_unknown_keywords_name_the_likely_one(keyword: str, hint: str) -> None:
    before = opened()
    with pytest.raises(TypeError) as raised:
        aw.AttentionWidget(attention(), view=None, **{keyword: 1})
    assert str(raised.value).startswith(f"{keyword!r} is not a keyword of AttentionWidget; ")
    assert hint in str(raised.value)
    assert opened() == before


def test_a_trace_stands_for_its_map(make: Make) -> None:
    vectors = np.eye(3)
    trace = aw.scaled_dot_product_attention(vectors, vectors)
    widget = make({"one": trace, "two": [trace, attention()]})
    assert widget.attention is trace.attention
    assert widget.maps["two"][0] is trace.attention
    with aw.lines(trace) as lines:
        assert lines.maps == {"attention": [trace.attention]}


def test_layout_is_a_keyword(make: Make) -> None:
    layout = ipywidgets.Layout(width="50%")
    assert make(layout=layout).layout is layout
    layout.close()
    widget = make(layout={"width": "40%"})
    assert widget.layout.width == "40%"


@pytest.mark.parametrize(
    ("maps", "error", "message"),
    [
        (np.zeros((2, 3, 3), np.float32), TypeError, "maps must be an Attention or a list of them; "
         "got ndarray (wrap an array first: Attention(weights, queries, keys))"),
        ([], ValueError, "maps must hold at least one Attention; got an empty list"),
        ({}, ValueError, "maps must hold at least one Attention; got an empty mapping"),
        ({"a": []}, ValueError, "maps['a'] must hold at least one Attention; got an empty list"),
        ({"a": np.zeros((3, 3))}, TypeError, "maps['a'] must be an Attention or a list of them"),
        ([attention(), None], TypeError, "maps[1] must be an Attention; got NoneType"),
        ({1: attention()}, TypeError, "maps must be named by strings; got the name 1"),
        (None, TypeError, "maps must be an Attention or a list of them; got NoneType"),
        ("attention", TypeError, "maps must be an Attention or a list of them; got str"),
    ],
)  # fmt: skip
def test_other_maps_are_refused(maps: Any, error: type[Exception], message: str) -> None:
    before = opened()
    with pytest.raises(error) as raised:
        aw.AttentionWidget(maps)
    assert str(raised.value).startswith(message)
    assert opened() == before


def test_maps_are_named(make: Make) -> None:
    one, two = attention(), attention(name="cross")
    assert make(one).map == "attention"
    assert make(two).map == "cross"
    named = make({"b": one, "a": [two, one]})
    assert (named.map, named.maps) == ("b", {"b": [one], "a": [two, one]})
    named.map = "a"
    named.step = 1
    assert named.attention is one
    assert make({"b": one, "a": [two, one]}, map="a", step=1).attention is one
    steps = make((two, one), step=1)
    assert (steps.map, steps.attention) == ("cross", one)


def test_heads_are_shown_in_the_order_of_the_model(make: Make) -> None:
    widget = make(heads=[3, 1], pinned_queries=[0], top_k=1)
    assert widget.heads == (3, 1)
    assert widget.shown_heads == (1, 3)
    assert [row.head for row in widget.selection()] == [1, 3]
    assert make(heads=[]).shown_heads == (0, 1, 2, 3)
    assert make(heads=None).shown_heads == ()
    assert make(heads=None).selection() == []


class TestObservers:
    def observed(self, widget: aw.AttentionWidget) -> list[tuple[str, Any]]:
        told: list[tuple[str, Any]] = []
        names = [*DEFAULTS, "hovered"]
        widget.observe(lambda change: told.append((change["name"], change["new"])), names)
        return told

    @pytest.mark.parametrize(
        ("name", "value", "held"),
        [case for case in TAKEN if case[2] != DEFAULTS[case[0]]],
        ids=[f"{name}={value!r:.20}" for name, value, held in TAKEN if held != DEFAULTS[name]],
    )
    def test_hear_once_of_a_change(self, make: Make, name: str, value: Any, held: Any) -> None:
        widget = make()
        told = self.observed(widget)
        value = list(held) if hasattr(value, "send") else value
        setattr(widget, name, value)
        assert told == [(name, held)]
        setattr(widget, name, value)
        setattr(widget, name, list(held) if isinstance(held, tuple) else held)
        assert told == [(name, held)]

    def test_hear_of_no_change_to_what_is_held(self, make: Make) -> None:
        widget = make(**{name: value for name, value in DEFAULTS.items() if name != "map"})
        told = self.observed(widget)
        for name, value in DEFAULTS.items():
            setattr(widget, name, list(value) if isinstance(value, tuple) else value)
        assert told == []

    def test_hear_once_of_what_a_new_map_brings_about(self, make: Make) -> None:
        small = aw.Attention(np.full((1, 2, 2, 3), 0.5, np.float32))
        widget = make(
            {"large": attention(), "small": small},
            layer=2,
            heads=[0, 3],
            pinned_queries=[1, 4],
            pinned_keys=[2, 5],
            links=[(1, 1), (4, 5)],
            words=True,
        )
        told = self.observed(widget)
        widget.map = "small"
        assert sorted(told) == [
            ("heads", (0,)),
            ("layer", 0),
            ("links", ((1, 1),)),
            ("map", "small"),
            ("pinned_keys", (2,)),
            ("pinned_queries", (1,)),
            ("words", False),
        ]

    @pytest.mark.parametrize("how", ["map", "update", "held"])
    def test_may_read_the_widget_while_it_changes(self, make: Make, how: str) -> None:
        small = aw.Attention(np.full((1, 1, 2, 2), 0.5, np.float32), name="small")
        widget = make(
            {"large": [attention(), attention()], "small": small},
            step=1,
            layer=2,
            heads=[3],
            pinned_queries=[4],
            pinned_keys=[5],
            links=[(4, 5)],
            words=True,
        )
        read: list[int] = []
        for name in DEFAULTS:
            widget.observe(lambda _: read.append(len(widget.selection())), name)
        if how == "map":
            widget.map = "small"
        elif how == "update":
            widget.update(small)
        else:
            with widget.hold_trait_notifications():
                widget.map = "small"
                widget.layer = 0
        assert (widget.map, widget.step, widget.layer) == ("small", 0, 0)
        assert read == [4] * 8


class TestUpdate:
    def test_keeps_what_fits_and_drops_the_rest(self, make: Make) -> None:
        widget = make(
            layer=2, heads=[1, 3], pinned_queries=[0, 4], mass=0.5, theme="dark", words=True
        )
        told: list[str] = []
        widget.observe(lambda change: told.append(change["name"]), list(DEFAULTS))
        widget.update(aw.Attention(np.full((2, 2, 3, 3), 0.5, np.float32)))
        assert sorted(told) == ["heads", "layer", "pinned_queries", "words"]
        assert (widget.layer, widget.heads, widget.pinned_queries) == (1, (1,), (0,))
        assert (widget.mass, widget.theme, widget.words) == (0.5, "dark", False)
        assert widget.attention.shape == (2, 2, 3, 3)

    def test_keeps_all_where_all_fits(self, make: Make) -> None:
        widget = make(layer=2, heads=[1, 3], pinned_keys=[5], words=True)
        told: list[Any] = []
        widget.observe(told.append, list(DEFAULTS))
        newer = attention()
        widget.update(newer)
        assert told == []
        assert widget.attention is newer

    def test_keeps_map_and_step_where_they_are(self, make: Make) -> None:
        widget = make({"a": attention(), "b": [attention()] * 3}, map="b", step=2)
        widget.update({"b": [attention()] * 2})
        assert (widget.map, widget.step) == ("b", 1)
        widget.update([attention(name="c")] * 2)
        assert (widget.map, widget.step) == ("c", 1)
        widget.update(attention())
        assert (widget.map, widget.step) == ("attention", 0)

    def test_of_heads_that_are_gone_shows_all(self, make: Make) -> None:
        widget = make(heads=[2, 3])
        widget.update(aw.Attention(np.full((1, 2, 3, 3), 0.5, np.float32)))
        assert widget.heads == ()
        widget.heads = None
        widget.update(attention())
        assert widget.heads is None

    @pytest.mark.parametrize("maps", [None, [], {}, np.zeros((3, 3))])
    def test_refuses_other_maps_and_keeps_its_own(self, make: Make, maps: Any) -> None:
        widget = make(layer=1)
        held = widget.attention
        with pytest.raises((TypeError, ValueError), match="maps must"):
            widget.update(maps)
        assert widget.attention is held
        assert widget.layer == 1


class TestHovered:
    def test_is_read_only(self, make: Make) -> None:
        widget = make(observe_hover=True)
        with pytest.raises(traitlets.TraitError, match="read-only"):
            widget.hovered = {"query": 1}

    def test_is_not_for_the_page(self, make: Make) -> None:
        assert "hovered" not in make().keys


class TestWords:
    def test_need_words(self, make: Make) -> None:
        message = "words must be False for scores and for maps without words, see Tokens"
        for maps in (aw.Attention(np.zeros((2, 2))), attention(kind="score")):
            with pytest.raises(StateError, match=message):
                make(maps, words=True)


class TestEmptyMaps:
    @pytest.mark.parametrize(
        "shape", [(0, 2, 3, 3), (2, 0, 3, 3), (2, 2, 0, 3), (2, 2, 3, 0), (0, 0, 0, 0)]
    )
    def test_are_shown(self, make: Make, shape: tuple[int, ...]) -> None:
        widget = make(aw.Attention(np.zeros(shape, np.float32)))
        assert widget.selection() == []
        assert f"layers={shape[0]}" in repr(widget)
        for name, axis in (("heads", 1), ("pinned_queries", 2), ("pinned_keys", 3)):
            if shape[axis] == 0:
                with pytest.raises(StateError, match=f"{name} must be empty; got 0"):
                    setattr(widget, name, [0])

    def test_of_one_cell(self, make: Make) -> None:
        widget = make(aw.Attention(np.ones((1, 1), np.float32)), pinned_queries=0, pinned_keys=0)
        assert [row.weight for row in widget.selection()] == [1.0]


class TestViews:
    def large(self) -> aw.Attention:
        return aw.Attention(np.broadcast_to(np.float32(0), (1, 1, 4, 2049)))

    def test_suit_the_map(self, make: Make) -> None:
        assert make().view == "lines"
        large = self.large()
        assert make(large).view == "matrix"
        assert make(large.select(keys=slice(2048))).view == "lines"
        assert make({"small": attention(), "large": large}).view == "lines"
        assert make({"small": attention(), "large": large}, map="large").view == "matrix"
        large._repr_mimebundle_()
        assert large._widget is not None
        assert large._widget.view == "matrix"
        large._widget.close()

    def test_are_as_told(self, make: Make) -> None:
        assert make(self.large(), view="lines").view == "lines"
        assert make(view="heads").view == "heads"
        for name in ("lines", "matrix", "heads"):
            with getattr(aw, name)(np.full((2, 3), 0.5), ["a", "b"], ["x", "y", "z"]) as widget:
                assert widget.view == name
                assert widget.attention.queries.labels == ("a", "b")

    def test_beside_each_other_differ(self, make: Make) -> None:
        widget = make(beside="matrix")
        widget.view = "matrix"
        assert (widget.view, widget.beside) == ("matrix", None)
        widget.beside = "lines"
        with widget.hold_trait_notifications():
            widget.view, widget.beside = "lines", "matrix"
        assert (widget.view, widget.beside) == ("lines", "matrix")

    def test_change_places_as_the_page_says(self, channel: Channel, make: Make) -> None:
        widget = make(beside="heads")
        channel.set(widget, beside="lines", view="heads")
        assert (widget.view, widget.beside) == ("heads", "lines")

    @pytest.mark.parametrize(
        ("window", "fitting"),
        [
            ((0, 2, 0, 3), (0, 2, 0, 3)),
            ((1, 5, 2, 6), (1, 2, 2, 3)),
            ((2, 5, 0, 6), None),
            ((0, 5, 3, 6), None),
        ],
    )
    def test_keep_of_a_window_what_fits(
        self, make: Make, window: tuple[int, ...], fitting: tuple[int, ...] | None
    ) -> None:
        widget = make(window=window)
        widget.update(aw.Attention(np.full((1, 2, 2, 3), 0.5, np.float32)))
        assert widget.window == fitting


class TestLines:
    def test_takes_weights_and_labels(self) -> None:
        with aw.lines(np.full((2, 3), 0.5), ["a", "b"], ["x", "y", "z"], layer=0) as widget:
            assert widget.attention.keys.labels == ("x", "y", "z")
            assert widget.view == "lines"

    @pytest.mark.parametrize("wrap", [lambda a: a, lambda a: {"a": a}, lambda a: [a, a]])
    def test_takes_maps(self, wrap: Callable[[aw.Attention], Any]) -> None:
        held = attention()
        with aw.lines(wrap(held), pinned_keys=[1]) as widget:
            assert widget.attention is held

    def test_takes_layers(self) -> None:
        with aw.lines([np.full((2, 3, 3), 0.5)] * 4) as widget:
            assert widget.attention.shape == (4, 2, 3, 3)

    def test_refuses_labels_beside_a_map(self) -> None:
        with pytest.raises(TypeError, match="queries and keys label plain weights; an Attention"):
            aw.lines(attention(), ["a"])

    def test_refuses_labels_that_do_not_fit(self) -> None:
        gc.collect()
        before = opened()
        with pytest.raises(
            ValueError, match="queries must have 2 labels to fit the weights; got 1"
        ):
            aw.lines(np.zeros((2, 3)), ["a"])
        assert opened() == before


def test_frame_holds_the_selection(make: Make) -> None:
    pytest.importorskip("pandas")
    widget = make(pinned_keys=[2], layer=1, mass=0.8)
    rows = [tuple(row) for row in widget.to_frame().itertuples(index=False)]
    assert rows == widget.selection()
    assert rows


def test_the_overlay_opens_with_one_picture() -> None:
    patches = aw.Patches(2, 2, image=np.zeros((4, 4, 3), np.uint8))
    attention = aw.Attention(np.full((1, 3, 4, 4), 0.25, np.float32), patches)
    with aw.AttentionWidget(attention) as suiting, aw.overlay(attention) as asked:
        assert [suiting.view, suiting.combine, asked.combine] == ["overlay", "mean", "mean"]
    with aw.overlay(attention, combine="each") as each, aw.lines(attention) as lines:
        assert [each.combine, lines.combine] == ["each", "each"]
