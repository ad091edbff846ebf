"""What a widget costs while it lives, what it shows without a page, and what it leaves behind."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import numpy as np
import pytest

import attn_widget as aw
from attn_widget import protocol
from attn_widget.widget import AttentionWidget
from channel import Channel, opened
from counted import CountedArray
from states import Make, attention

VIEW = "application/vnd.jupyter.widget-view+json"


def alive(*references: weakref.ref[Any]) -> list[Any]:
    gc.collect()
    return [reference() for reference in references if reference() is not None]


class TestClosing:
    def test_frees_widget_and_maps(self) -> None:
        held = attention()
        widget = aw.AttentionWidget(held, pinned_keys=[1])
        widget.observe(lambda _: None, "layer")
        widget.layer = 1
        widget._repr_mimebundle_()
        references = (weakref.ref(widget), weakref.ref(held))
        widget.close()
        del widget, held
        assert alive(*references) == []

    def test_of_what_an_attention_shows_itself_with_frees_both(self) -> None:
        held = attention()
        held._repr_mimebundle_()
        widget = held._widget
        assert widget is not None
        references = (weakref.ref(widget), weakref.ref(held))
        widget.close()
        del widget, held
        assert alive(*references) == []

    def test_tells_the_page(self, channel: Channel) -> None:
        widget = aw.AttentionWidget(attention())
        model_id = widget.model_id
        channel.clear()
        widget.close()
        assert (model_id, "comm_close") in [(comm_id, kind) for comm_id, kind, *_ in channel.sent]
        # The layout that came with it goes with it.
        assert [kind for _, kind, *_ in channel.sent] == ["comm_close"] * 2

    def test_leaves_nothing_registered(self) -> None:
        gc.collect()
        before = opened()
        for layer in range(100):
            aw.AttentionWidget(attention(), layer=layer % 3).close()
        assert opened() == before

    def test_twice_is_no_error(self) -> None:
        widget = aw.AttentionWidget(attention())
        widget.close()
        widget.close()
        assert repr(widget).startswith("AttentionWidget(")

    def test_keeps_a_layout_that_was_given(self) -> None:
        from ipywidgets import Layout

        layout = Layout()
        aw.AttentionWidget(attention(), layout=layout).close()
        assert layout.comm is not None
        layout.close()

    def test_comes_at_the_end_of_a_with_block(self) -> None:
        with aw.lines(attention()) as widget:
            assert isinstance(widget, AttentionWidget)
            assert widget.comm is not None
        assert widget.comm is None

    def test_comes_at_the_end_of_a_failing_block_too(self) -> None:
        with pytest.raises(RuntimeError, match="inside"), aw.lines(attention()) as widget:
            raise RuntimeError("inside")
        assert widget.comm is None

    def test_leaves_python_state_to_be_read(self) -> None:
        widget = aw.AttentionWidget(attention(), pinned_queries=[1])
        widget.close()
        widget.layer = 2
        assert {row.layer for row in widget.selection()} == {2}
        widget.update(aw.Attention(np.full((1, 2, 2, 2), 0.5, np.float32)))
        assert (widget.layer, {row.layer for row in widget.selection()}) == (0, {0})


class TestShowing:
    def test_carries_view_picture_and_text(self, make: Make) -> None:
        widget = make(pinned_keys=[1])
        data, metadata = widget._repr_mimebundle_()
        assert set(data) == {VIEW, "text/plain", "image/png"}
        assert data[VIEW]["model_id"] == widget.model_id
        assert data["image/png"].startswith(b"\x89PNG\r\n")
        assert data["text/plain"] == repr(widget)
        assert set(metadata["image/png"]) == {"width", "height"}

    def test_draws_the_picture_once_for_a_state(self, make: Make) -> None:
        widget = make()
        picture = widget._repr_mimebundle_()[0]["image/png"]
        assert widget._repr_mimebundle_()[0]["image/png"] is picture
        # What a still picture doesn't show changes nothing.
        widget.observe_hover = True
        widget.height = 300
        assert widget._repr_mimebundle_()[0]["image/png"] is picture
        widget.layer = 2
        other = widget._repr_mimebundle_()[0]["image/png"]
        assert other != picture
        widget.layer = 0
        assert widget._repr_mimebundle_()[0]["image/png"] == picture

    def test_draws_new_maps_anew(self, make: Make) -> None:
        values = np.full((1, 1, 3, 3), 0.1, np.float32)
        held = aw.Attention(values)
        widget = make(held)
        picture = widget._repr_mimebundle_()[0]["image/png"]
        values[:] = 0.9
        widget.update(held)
        assert widget._repr_mimebundle_()[0]["image/png"] != picture

    def test_serialises_nothing(
        self, make: Make, channel: Channel, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        widget = make()
        channel.clear()

        def never(*_: Any, **__: Any) -> None:
            raise AssertionError("state was serialised")

        monkeypatch.setattr(AttentionWidget, "get_state", never)
        assert repr(widget) == (
            "AttentionWidget(view='lines', map='attention', layers=3, heads=4, queries=5, keys=6)"
        )
        widget._repr_mimebundle_()
        widget.snapshot()
        assert channel.sent == []

    def test_reads_the_layer_shown_and_no_other(self, make: Make) -> None:
        array = CountedArray(np.full((8, 2, 300, 300), 0.5, np.float32))
        widget = make(aw.Attention(array), layer=5)
        array.asked.clear()
        widget._repr_mimebundle_()
        assert {key[0] for key in array.asked} == {5}

    @pytest.mark.parametrize(
        "shape", [(0, 2, 3, 3), (2, 0, 3, 3), (2, 2, 0, 3), (2, 2, 3, 0), (0, 0, 0, 0), (1,) * 4]
    )
    def test_of_odd_shapes(self, make: Make, shape: tuple[int, ...]) -> None:
        data, _ = make(aw.Attention(np.zeros(shape, np.float32)))._repr_mimebundle_()
        assert data["image/png"].startswith(b"\x89PNG\r\n")

    def test_of_missing_and_infinite_weights(self, make: Make) -> None:
        values = np.array([[np.nan, np.inf], [-np.inf, -2.0]], np.float32)
        for scale in ("absolute", "row", "log"):
            data, _ = make(aw.Attention(values), scale=scale)._repr_mimebundle_()
            assert data["image/png"].startswith(b"\x89PNG\r\n")

    def test_snapshot_is_the_picture_alone(self, make: Make) -> None:
        widget = make()
        snapshot = widget.snapshot()
        data, _ = snapshot._repr_mimebundle_()
        assert set(data) == {"text/plain", "image/png"}
        assert data["image/png"] is widget._repr_mimebundle_()[0]["image/png"]

    def test_plot_draws_the_current_state(self, make: Make) -> None:
        widget = make(pinned_queries=[2], layer=1)
        figure = widget.plot()
        assert figure.get_axes()
        axes = figure.get_axes()[0]
        assert widget.plot(axes) is figure


class TestAttention:
    def test_shown_twice_has_one_widget(self) -> None:
        held = attention()
        first, second = (held._repr_mimebundle_() for _ in range(2))
        assert isinstance(first, tuple)
        assert isinstance(second, tuple)
        assert first[0][VIEW]["model_id"] == second[0][VIEW]["model_id"]
        widget = held._widget
        assert widget is not None
        widget.close()
        third = held._repr_mimebundle_()
        assert isinstance(third, tuple)
        assert third[0][VIEW]["model_id"] != first[0][VIEW]["model_id"]
        newer = held._widget
        assert newer is not None
        newer.close()


class TestLargeMaps:
    """32 heads of 512 tokens: a layer is 32 MiB."""

    SHAPE = (4, 32, 512, 512)

    def test_open_below_the_message_limit_and_read_one_layer(
        self, make: Make, channel: Channel
    ) -> None:
        array = CountedArray(np.broadcast_to(np.float32(1 / 512), self.SHAPE))
        widget = make(aw.Attention(array), layer=2, pinned_queries=[100])
        (size,) = channel.sizes(widget)
        assert size < protocol.MESSAGE_BYTES
        assert {key[0] for key in array.asked} == {2}

    def test_give_a_pinned_selection_without_reading_the_rest(self, make: Make) -> None:
        array = CountedArray(np.broadcast_to(np.float32(1 / 512), self.SHAPE))
        widget = make(aw.Attention(array), layer=2)
        array.asked.clear()
        widget.pinned_queries = [100]
        rows = widget.selection()
        assert len(rows) == 32 * 512
        assert array.numbers_read == 32 * 512

    def test_refuse_a_list_of_millions_of_rows(self, make: Make) -> None:
        widget = make(aw.Attention(np.broadcast_to(np.float32(1 / 512), self.SHAPE)))
        with pytest.raises(ValueError, match="at most 1000000 rows; got 8388608"):
            widget.selection()
        widget.threshold = 0.5
        assert widget.selection() == []
