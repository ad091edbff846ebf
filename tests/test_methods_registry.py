"""The methods a switch can offer: which, for which map, and in steps."""

from __future__ import annotations

from collections.abc import Callable
from inspect import isfunction
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

import attn_widget as aw
from attn_widget.methods.lazy import SupportsPrepare
from attn_widget.methods.registry import METHODS
from attn_widget.qk.source import finish

Rows = Callable[..., NDArray[np.float32]]


def names(att: aw.Attention, gradients: aw.Attention | None = None) -> list[str]:
    return [method.name for method in aw.methods.available(att, gradients)]


def of_queries_and_keys() -> aw.Attention:
    generator = np.random.default_rng(0)
    query, key, value = (generator.normal(size=(3, 2, 6, 4)) for _ in range(3))
    return aw.Attention.from_qk(query, key, [f"w{n}" for n in range(6)], value=value, name="lm")


class TestAvailable:
    def test_of_self_attention(self) -> None:
        assert names(aw.samples.sentence()) == [
            "raw",
            "mean",
            "maximum",
            "minimum",
            "mean_layers",
            "rollout",
            "flow",
            "relative",
            "drop_positions",
        ]

    def test_of_more_positions_there_is_no_flow(self) -> None:
        found = names(aw.samples.paragraph())
        assert "rollout" in found
        assert "flow" not in found

    def test_of_cross_attention(self) -> None:
        assert names(aw.samples.translation(0)) == [
            "raw",
            "mean",
            "maximum",
            "minimum",
            "mean_layers",
            "relative",
            "drop_positions",
        ]

    def test_of_one_layer_and_head(self, rows: Rows) -> None:
        assert names(aw.Attention(rows(3, 3))) == ["raw", "relative"]

    def test_of_a_map_that_knows_its_values(self) -> None:
        found = names(of_queries_and_keys())
        assert "value_norm" in found
        assert "effective" in found

    def test_with_gradients(self, rows: Rows) -> None:
        att, slopes = aw.Attention(rows(2, 2, 4, 4)), aw.Attention(rows(2, 2, 4, 4, seed=1))
        found = names(att, slopes)
        assert found[-3:] == ["attention_gradient", "gradient_rollout", "relevance"]
        assert "relevance" not in names(att, aw.Attention(rows(2, 2, 3, 3)))

    def test_of_what_holds_no_weights(self, rows: Rows) -> None:
        for kind in ("score", "relevance", "norm", "difference"):
            att = aw.Attention(rows(2, 2, 3, 3), ["[CLS]", "a", "b"], kind=kind)
            dropping = [] if kind == "score" else ["drop_positions"]
            assert names(att) == ["raw", "mean", "maximum", "minimum", "mean_layers", *dropping]

    def test_asking_reads_no_weight(self) -> None:
        query = np.broadcast_to(np.float32(0), (32, 32, 100_000, 1))
        long = aw.Attention.from_qk(query, query)
        assert names(long) == ["raw", "mean", "maximum", "minimum", "mean_layers", "relative"]


class TestSteps:
    @pytest.mark.parametrize("method", METHODS, ids=[method.name for method in METHODS])
    def test_every_method_does_what_it_says(self, method: aw.methods.Method) -> None:
        att = of_queries_and_keys()
        if method.name == "drop_positions":
            att = aw.Attention(att.source, ["[CLS]", *"abcde"], name="lm")
        gradients = aw.Attention(np.random.default_rng(1).normal(size=att.shape))
        steps = method.steps(att, gradients)
        shares = []
        while True:
            try:
                shares.append(next(steps))
            except StopIteration as end:
                found: aw.Attention = end.value
                break
        assert shares == sorted(shares)
        assert found.kind == (method.kind or att.kind)
        assert (found.shape[0] == att.shape[0]) == method.keeps_layers
        assert (found.shape[1] == att.shape[1]) == method.keeps_heads
        assert np.isfinite(np.asarray(found)).all()
        if method.name == "raw":
            assert found is att
        else:
            assert found.made[-1].of == "lm"
        # What it took is done: nothing is left for the first read.
        if isinstance(found.source, SupportsPrepare):
            assert list(aw.methods.prepared(found)) == []

    def test_a_method_can_be_stopped_and_begun_again(self) -> None:
        (method,) = (one for one in METHODS if one.name == "rollout")
        att = of_queries_and_keys()
        steps = method.steps(att)
        next(steps)
        steps.close()
        again = finish(method.steps(att))
        np.testing.assert_array_equal(np.asarray(again), np.asarray(aw.methods.rollout(att)))

    def test_what_does_not_fit_says_why(self, rows: Rows) -> None:
        (method,) = (one for one in METHODS if one.name == "rollout")
        for att, why in (
            (aw.Attention(rows(1, 3, 3)), "it has one layer, so there is nothing to follow"),
            (aw.samples.translation(0), "it is no self-attention"),
            (aw.Attention(rows(2, 1, 3, 3), kind="norm"), "it holds no weights, but kind 'norm'"),
        ):
            with pytest.raises(ValueError, match=f"rollout cannot be applied to this map: {why}"):
                finish(method.steps(att))

    def test_the_page_of_methods_has_them_all(self) -> None:
        text = (Path(__file__).parent.parent / "docs" / "methods.md").read_text(encoding="utf-8")
        for name, value in vars(aw.methods).items():
            if isfunction(value):
                assert f"`{name}" in text, name

    def test_names_are_those_of_functions(self) -> None:
        for method in METHODS:
            if method.name not in ("raw", "mean_layers"):
                assert callable(getattr(aw.methods, method.name))
        assert len({method.label for method in METHODS}) == len(METHODS)
