"""Capture leaves everything as it was, says what it missed, and never shows an empty map."""

from __future__ import annotations

import gc
import warnings
import weakref
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from capture_models import ByHand, one, only, state  # noqa: E402
from torch import Tensor, nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402
from torch.nn.modules import module as torch_module  # noqa: E402

import attn_widget as aw  # noqa: E402


def world() -> list[Any]:
    """What PyTorch holds for all models."""
    return [
        dict(torch_module._global_forward_hooks),
        dict(torch_module._global_forward_pre_hooks),
        torch.overrides.has_torch_function,
        torch.overrides._get_current_function_mode_stack(),
        torch.random.get_rng_state().tolist(),
    ]


class Failing(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.attn = ByHand("matmul")

    def forward(self, x: Tensor, fail: bool) -> Tensor:
        found = self.attn(x)
        if fail:
            raise RuntimeError("as asked")
        return found  # type: ignore[no-any-return]


def test_a_forward_pass_that_raises_leaves_all_as_it_was() -> None:
    model, x = Failing(), torch.randn(1, 5, 16)
    before, there = state(model), world()
    with pytest.raises(RuntimeError, match="as asked"), aw.capture(model) as captured:
        model(x, fail=True)
    assert state(model) == before
    assert world() == there
    assert one(captured.maps["attn"]).shape == (1, 4, 5, 5)


def test_errors_caught_in_a_model_do_not_mix_up_paths() -> None:
    class Patient(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.attn = Failing(), ByHand("fused")

        def forward(self, x: Tensor) -> Tensor:
            try:
                self.first(x, True)
            except RuntimeError:
                return self.attn(x)  # type: ignore[no-any-return]
            return x

    model = Patient()
    with aw.capture(model) as captured:
        model(torch.randn(1, 5, 16))
    assert list(captured.maps) == ["first.attn", "attn"]


def test_weights_parameters_and_random_numbers_are_untouched() -> None:
    model, x = nn.MultiheadAttention(16, 4, dropout=0.5, batch_first=True), torch.randn(2, 5, 16)
    kept = {name: value.clone() for name, value in model.state_dict().items()}
    torch.manual_seed(1)
    plain = model(x, x, x)[0]
    after = torch.random.get_rng_state()
    torch.manual_seed(1)
    with aw.capture(model) as captured:
        output = model(x, x, x)[0]
    assert torch.equal(plain, output)
    assert torch.equal(after, torch.random.get_rng_state())
    assert all(torch.equal(value, kept[name]) for name, value in model.state_dict().items())
    # Dropout is no matter of where a query looks.
    np.testing.assert_allclose(only(captured).sum(axis=-1), 1, atol=1e-6)


def test_captures_within_each_other_and_one_after_the_other() -> None:
    model, x = ByHand("fused"), torch.randn(1, 5, 16)
    there = world()
    with aw.capture(model) as outer:
        with aw.capture(model) as inner:
            model(x)
        model(x + 1)
    assert world()[:-1] == there[:-1]
    assert isinstance(outer.maps["ByHand"], list)
    np.testing.assert_array_equal(outer.maps["ByHand"][0], one(inner.maps["ByHand"]))
    again = aw.capture(model)
    for _ in range(2):
        with again:
            model(x)
    assert isinstance(again.maps["ByHand"], list)
    with again, pytest.raises(RuntimeError, match="at work already"), again:
        pass


def test_only_the_model_given_is_captured() -> None:
    model, other, x = ByHand("fused"), ByHand("fused"), torch.randn(1, 5, 16)
    with aw.capture(model) as captured:
        other(x)
        model(x)
    assert one(captured.maps["ByHand"]).shape[0] == 1


def test_what_was_kept_does_not_change_with_the_model() -> None:
    class Cached(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.cache = torch.zeros(1, 1, 4, 8)

        def forward(self, x: Tensor) -> Tensor:
            self.cache.copy_(x)
            return F.scaled_dot_product_attention(x, self.cache, self.cache)

    model, x = Cached(), torch.randn(1, 1, 4, 8)
    with torch.no_grad(), aw.capture(model) as captured:
        model(x)
        expected = (x @ x.mT * 8**-0.5).softmax(-1)[0]
        model(x.flip(2) * 3)
        x.zero_()
    steps = captured.maps["Cached"]
    assert isinstance(steps, list)
    np.testing.assert_allclose(np.asarray(steps[0])[0], expected, atol=1e-6)


@pytest.mark.parametrize("grad", [torch.no_grad, torch.inference_mode])
def test_masks_written_to_between_layers_are_read_again(grad: Any) -> None:
    class Growing(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            mask = torch.zeros(1, 1, 5, 5)
            mask[..., 1:] = -torch.inf
            for _ in range(3):
                x = F.scaled_dot_product_attention(x, x, x, attn_mask=mask)
                mask[..., 2] = 0
            return x

    model = Growing()
    with grad(), aw.capture(model) as captured:
        model(torch.randn(1, 1, 5, 8))
    found = only(captured)
    assert found.shape == (3, 1, 5, 5)
    reached = found[:, 0].any(axis=1)
    assert reached.tolist() == [[True, False, False, False, False]] + 2 * [
        [True, False, True, False, False]
    ]


def test_no_tensor_of_the_model_is_held_afterwards() -> None:
    model, held = ByHand("matmul"), []
    hook = model.out.register_forward_hook(lambda *given: held.append(weakref.ref(given[1][0])))
    with torch.no_grad(), aw.capture(model) as captured:
        model(torch.randn(1, 5, 16))
    hook.remove()
    gc.collect()
    assert captured.maps
    assert [ref() for ref in held] == [None]


def test_nothing_captured_is_said_with_the_reason() -> None:
    model = ByHand("fused")
    with aw.capture(model) as captured:
        pass
    with pytest.raises(RuntimeError, match="was not run inside the block"):
        _ = captured.maps
    plain = nn.Linear(2, 2)
    with aw.capture(plain) as captured:
        plain(torch.zeros(1, 2))
    with pytest.raises(RuntimeError, match="no attention was seen"):
        captured.select(0)
    assert "nothing" in repr(captured)


class SigmoidAttention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.query = nn.Linear(16, 16)

    def forward(self, x: Tensor) -> Tensor:
        weights: Tensor = torch.sigmoid(self.query(x) @ x.mT)
        return weights @ x


def test_attention_that_was_not_seen_is_named() -> None:
    model = nn.Sequential(ByHand("fused"), SigmoidAttention())
    with aw.capture(model) as captured:
        model(torch.randn(1, 5, 16))
    assert list(captured.maps) == ["decoder"]
    assert list(captured.missed) == ["1"]
    alone = SigmoidAttention()
    with aw.capture(alone) as captured:
        alone(torch.randn(1, 5, 16))
    with pytest.raises(RuntimeError, match="SigmoidAttention: it ran, but no attention"):
        _ = captured.maps


class FusedAttention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.qkv = nn.Linear(16, 48)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.qkv(x).chunk(3, dim=-1)
        return F.scaled_dot_product_attention(q, k, v)


def test_scripted_modules_are_named() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = nn.Sequential(torch.jit.script(FusedAttention()))
    with aw.capture(model) as captured:
        model(torch.randn(1, 5, 16))
    assert "TorchScript" in captured.missed["0"]
    with pytest.raises(RuntimeError, match="TorchScript"):
        _ = captured.maps


def test_compiled_modules_run_as_they_were_written() -> None:
    written, x = FusedAttention(), torch.randn(1, 5, 16)
    compiled = torch.compile(written, backend="eager")
    plain = compiled(x)
    with aw.capture(compiled) as captured:
        output = compiled(x)
    assert torch.equal(plain, output)
    assert torch.equal(plain, compiled(x))
    assert list(captured.maps) == ["FusedAttention"]
    assert any("torch.compile" in note for note in captured.notes)


def test_replicas_of_one_device_are_captured() -> None:
    model = nn.DataParallel(FusedAttention())
    with aw.capture(model) as captured:
        model(torch.randn(2, 5, 16))
    assert one(captured.maps["module"]).shape == (1, 1, 5, 5)


def test_flex_attention_is_named() -> None:
    flex = pytest.importorskip("torch.nn.attention.flex_attention")

    class Flexible(FusedAttention):
        def forward(self, x: Tensor) -> Tensor:
            q, k, v = (part[:, None] for part in self.qkv(x).chunk(3, dim=-1))
            return flex.flex_attention(q, k, v)  # type: ignore[no-any-return]

    model = Flexible()
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        with aw.capture(model) as captured:
            model(torch.randn(1, 128, 16))
    assert "flex_attention" in captured.missed["Flexible"]


def test_labels_go_to_the_maps_that_they_fit() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        model = nn.Transformer(16, 4, 2, 2, 32, batch_first=True).eval()
    with aw.capture(model, queries={"encoder": list("abc")}) as captured:
        model(torch.randn(1, 3, 16), torch.randn(1, 2, 16))
    assert list(one(captured.maps["encoder"]).keys.labels) == list("abc")
    captured.label(list("ABC"), name="encoder").label(["x", "y"], name="decoder")
    cross = one(captured.maps["cross"])
    assert (list(cross.queries.labels), list(cross.keys.labels)) == (["x", "y"], list("ABC"))
    with pytest.raises(KeyError, match="no map is called 'other'"):
        captured.label(["x"], name="other")
    with pytest.raises(ValueError, match="fit no map"):
        captured.label(list("too many"))


def test_labels_that_fit_nothing_are_told_of() -> None:
    model = ByHand("fused")
    with aw.capture(model, queries=list("abc")) as captured:
        model(torch.randn(1, 5, 16))
    with pytest.warns(UserWarning, match="labels given as queries= fit no map: got 3"):
        assert list(one(captured.maps["ByHand"]).queries.labels) == ["0", "1", "2", "3", "4"]
    assert any("fit no map" in note for note in captured.notes)


def test_what_is_asked_for_is_checked() -> None:
    with pytest.raises(TypeError, match=r"model must be a torch.nn.Module; got str"):
        aw.capture("model")  # type: ignore[arg-type]
    model = ByHand("fused")
    with aw.capture(model, batch=3) as captured:
        model(torch.randn(2, 5, 16))
    with pytest.raises(IndexError, match="batch must be in 0 … 1; got 3"):
        _ = captured.maps
    with pytest.raises(RuntimeError, match="capture\\(model, gradients=True\\)"):
        _ = captured.gradients
    assert one(captured.select(1)["ByHand"]).name == "ByHand, entry 1 of 2"


def test_modules_called_one_by_one_are_one_pass() -> None:
    model = nn.Sequential(ByHand("fused"), ByHand("matmul"))
    x = torch.randn(1, 5, 16)
    with aw.capture(model) as captured:
        model.forward(x)
        model.forward(x)
    assert captured.passes == 2
    steps = captured.maps["decoder"]
    assert isinstance(steps, list)
    assert [step.shape[0] for step in steps] == [2, 2]
