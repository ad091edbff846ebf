"""Recorded steps: what is kept, what widgets show of them, and where they come from."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

import attn_widget as aw
from attn_widget.traits import StateError
from channel import Channel

Rows = Callable[..., NDArray[np.float32]]


def of(value: float, size: int = 2) -> aw.Attention:
    return aw.Attention(np.full((1, size, size), value, dtype=np.float32))


class TestWhatIsKept:
    def test_copies(self, rows: Rows) -> None:
        recorder = aw.Recorder()
        weights = rows(2, 3, 3)
        first = weights.copy()
        recorder.add(aw.Attention(weights, list("abc"), kind="norm"), step=0, loss=2.0)
        weights[:] = 0
        recorder.add(aw.Attention(weights, list("abc"), kind="norm"), step=10, loss=1.25678)
        (steps,) = recorder.maps.values()
        np.testing.assert_array_equal(np.asarray(steps[0])[0], first)
        assert [step.name for step in steps] == ["step 0, loss 2", "step 10, loss 1.26"]
        assert (steps[1].kind, steps[1].keys.labels) == ("norm", tuple("abc"))
        assert [dict(step.measured) for step in recorder.steps] == [
            {"step": 0.0, "loss": 2.0},
            {"step": 10.0, "loss": 1.25678},
        ]

    def test_half_precision_stays_half(self, rows: Rows) -> None:
        recorder = aw.Recorder()
        recorder.add(aw.Attention(rows(2, 2).astype(np.float16)), "first")
        recorder.add(aw.Attention.from_qk(rows(2, 4), rows(2, 4)))
        (steps,) = recorder.maps.values()
        assert [step.dtype for step in steps] == [np.float16, np.float32]
        assert [step.name for step in steps] == ["first", "step 1"]

    @given(st.integers(1, 120), st.integers(4, 12))
    def test_first_and_newest_stay_and_the_rest_is_even(self, count: int, most: int) -> None:
        recorder = aw.Recorder(most=most)
        for number in range(count):
            recorder.add(of(0.5), step=number)
            kept = [step.number for step in recorder.steps]
            assert kept[0] == 0
            assert kept[-1] == number
            assert len(kept) <= most
            assert len(set(np.diff(kept[:-1]).tolist())) <= 1
            assert len(kept) == number + 1 or len(kept) >= most // 2
        assert recorder.dropped == count - len(recorder)
        assert (f"of {count}, every" in repr(recorder)) == (recorder.dropped > 0)

    def test_memory_has_a_limit(self) -> None:
        recorder = aw.Recorder(limit_mb=0.1)
        for _ in range(50):
            recorder.add(of(0.5, size=64))
        assert 2 < len(recorder) <= 6
        with pytest.raises(ValueError, match=r"a quarter of limit_mb=0\.1: give a part"):
            recorder.add(of(0.5, size=100))
        assert recorder.steps[-1].number == 49

    def test_what_is_refused(self) -> None:
        recorder = aw.Recorder()
        with pytest.raises(ValueError, match="nothing was recorded yet"):
            recorder.widget()
        with pytest.raises(TypeError, match=r"got ndarray \(wrap an array first"):
            recorder.add(np.eye(2))
        recorder.add({"a": of(0.5), "b": of(0.25)})
        with pytest.raises(ValueError, match="must have the maps a, b; got a"):
            recorder.add({"a": of(0.5)})
        assert len(recorder) == 1
        with pytest.raises(ValueError, match="most must be at least 4"):
            aw.Recorder(most=3)


@pytest.fixture
def recorder() -> aw.Recorder:
    made = aw.Recorder(most=8)
    made.add(of(0.0), step=0)
    return made


class TestWidgets:
    def test_show_the_newest_and_play_all(self, recorder: aw.Recorder) -> None:
        with recorder.widget(view="matrix") as widget:
            for number in range(1, 20):
                recorder.add(of(number / 20), step=number)
                assert widget.attention[0, 0, 0, 0] == np.float32(number / 20)
                assert widget.attention.name == f"step {number}"
            assert widget.step == len(recorder) - 1
            assert widget.maps == recorder.maps
            widget.step = 0
            assert widget.attention[0, 0, 0, 0] == 0
            assert widget.view == "matrix"
        recorder.add(of(0.5))
        assert widget.step == 0

    def test_send_only_what_is_shown(self, channel: Channel, recorder: aw.Recorder) -> None:
        with recorder.widget() as widget:
            channel.clear()
            recorder.add(of(0.5), step=1)
            sent = [state for state in channel.updates(widget) if "_content" in state]
            assert [state["_content"]["name"] for state in sent] == ["step 1"]
            assert sent[0]["_content"]["steps"] == 2

    def test_update_to_a_step(self) -> None:
        with aw.AttentionWidget([of(0.0), of(0.1)], step=1) as widget:
            widget.update([of(0.2), of(0.3), of(0.4)], step=2)
            assert widget.attention[0, 0, 0, 0] == np.float32(0.4)
            with pytest.raises(StateError, match="step"):
                widget.update([of(0.5)], step=1)
            assert widget.attention[0, 0, 0, 0] == np.float32(0.4)
            widget.update({"other": [of(0.6), of(0.7)]}, step=1)
            assert (widget.map, widget.step) == ("other", 1)
            widget.update([of(0.8)])
            assert (widget.map, widget.step) == ("attention", 0)


class TestHooks:
    def test_of_a_module(self) -> None:
        torch: Any = pytest.importorskip("torch")
        torch.manual_seed(0)
        module = torch.nn.MultiheadAttention(8, 2, batch_first=True)
        recorder = aw.Recorder()
        handle = recorder.attach(module, list("abcd"), batch=1, every=3)
        expected = []
        for number in range(7):
            given = torch.rand(2, 4, 8, requires_grad=True)
            _, weights = module(given, given, given)
            if number % 3 == 0:
                expected.append(weights[1].detach().numpy())
        handle.remove()
        module(given, given, given)
        (steps,) = recorder.maps.values()
        assert [step.name for step in steps] == ["step 0", "step 3", "step 6"]
        np.testing.assert_array_equal([np.asarray(step)[0, 0] for step in steps], expected)
        assert steps[0].queries.labels == tuple("abcd")

    def test_of_what_has_to_be_picked(self) -> None:
        torch: Any = pytest.importorskip("torch")

        class Two(torch.nn.Module):  # type: ignore[misc]
            def forward(self, given: Any) -> Any:
                return {"a": given.softmax(-1), "b": given.softmax(-1), "logits": given, "n": 3}

        module, given = Two(), torch.rand(1, 3, 4, 4) - 2
        recorder = aw.Recorder()
        with recorder.attach(module), pytest.raises(TypeError, match=r"2 of \(1, 3, 4, 4\).*, int"):
            module(given)
        with recorder.attach(module, weights=lambda output: output["b"], name="b"):
            module(given)
        (name,) = recorder.maps
        assert (name, recorder.maps["b"][0].shape) == ("b", (1, 3, 4, 4))
        with pytest.raises(ValueError, match="every must be at least 1"):
            recorder.attach(module, every=0)


class TestTrainer:
    """The events of transformers' own callback handler, as its Trainer calls them."""

    def test_records_before_during_and_after(self) -> None:
        torch: Any = pytest.importorskip("torch")
        pytest.importorskip("transformers")
        from importlib import import_module

        trainer: Any = import_module("transformers.trainer_callback")
        model = torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.Dropout(0.5))
        model[1].eval()
        seen = []

        def probe(given: Any) -> aw.Attention:
            seen.append((given.training, torch.is_grad_enabled()))
            return aw.Attention(given(torch.eye(4)).softmax(-1))

        recorder = aw.Recorder()
        state, control = trainer.TrainerState(), trainer.TrainerControl()
        handler = trainer.CallbackHandler(
            [recorder.callback(probe, every=2)], model, None, None, None
        )
        model[0].train()
        handler.on_train_begin(None, state, control)
        for number in range(1, 6):
            with torch.no_grad():
                model[0].weight.fill_(number)
            state.global_step = number
            handler.on_step_end(None, state, control)
            state.log_history.append({"loss": 1 / number, "step": number})
        handler.on_train_end(None, state, control)
        names = [step.name for step in recorder.steps]
        assert names == ["step 0", "step 2, loss 1", "step 4, loss 0.333", "step 5, loss 0.2"]
        assert seen == [(False, False)] * 4
        # Every module is as it was, not just all of them in one mode.
        assert [module.training for module in model] == [True, False]
        handler.on_train_end(None, state, control)
        assert len(recorder) == 4
