"""A query of a map from queries and keys, step by step: the numbers that the map itself has."""

from __future__ import annotations

from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import attn_widget as aw
from attn_widget.mechanisms import SupportsMechanism, panels_of, recompute
from attn_widget.qk import QKSource
from attn_widget.qk import steps as qk_steps
from direct import Case, assert_close, cases, direct


@settings(max_examples=150)
@given(cases(), st.data())
def test_weights_are_those_of_the_map(case: Case, data: st.DataObject) -> None:
    layers, heads, queries, keys = case.shape
    layer, head, query = (data.draw(st.integers(0, size - 1)) for size in (layers, heads, queries))
    asked = data.draw(st.lists(st.integers(0, keys - 1), max_size=4))
    value = np.random.default_rng(0).standard_normal((layers, case.key.shape[1], keys, 3))
    source = QKSource(case.query, case.key, value=value, **case.options)
    with patch.object(qk_steps, "_HELD", data.draw(st.sampled_from([1, 8, 1 << 20]))):
        steps = source.steps(layer, head, query, asked)
    expected = direct(case.query, case.key, **case.options)[layer, head, query]
    np.testing.assert_allclose(steps.weights, expected, rtol=1e-9, atol=1e-12)
    group = head // (heads // case.key.shape[1])
    key = case.key[layer, group].astype(np.float64)
    np.testing.assert_allclose(
        steps.scores, key @ case.query[layer, head, query].astype(np.float64), atol=1e-9
    )
    np.testing.assert_array_equal(steps.key, key[asked])
    assert steps.value is not None
    assert steps.output is not None
    np.testing.assert_array_equal(steps.value, value[layer, group][asked])
    np.testing.assert_allclose(steps.output, expected @ value[layer, group], atol=1e-9)
    np.testing.assert_array_equal(recompute(steps).weights, steps.weights)
    with_sink = "sinks" in case.options
    assert recompute(steps).leak == pytest.approx(1 - expected.sum() if with_sink else 0, abs=1e-9)


@settings(max_examples=50)
@given(cases(tables=False))
def test_masks_switched_off_are_options_left_out(case: Case) -> None:
    steps = QKSource(case.query, case.key, **case.options).steps(0, 0, 0, [])
    assert set(steps.masks) == {"causal", "window"} & set(case.options)
    options = {name: case.options[name] for name in case.options if name not in steps.masks}
    expected = direct(case.query, case.key, **options)[0, 0, 0]
    np.testing.assert_allclose(recompute(steps, masks=()).weights, expected, atol=1e-12)


def test_another_scale_and_temperature() -> None:
    rng = np.random.default_rng(0)
    query, key = rng.standard_normal((2, 1, 1, 5, 4))
    steps = QKSource(query, key, causal=True).steps(0, 0, 3, [0])
    row = recompute(steps, scale=1.0, temperature=2.0)
    np.testing.assert_allclose(row.weights, direct(query, key, causal=True, scale=0.5)[0, 0, 3])
    np.testing.assert_array_equal(row.scaled, steps.scores)
    np.testing.assert_array_equal(np.isneginf(row.masked), [0, 0, 0, 0, 1])
    with pytest.raises(ValueError, match="temperature must be above 0; got 0"):
        recompute(steps, temperature=0)
    with pytest.raises(ValueError, match=r"among those of the query \('causal'\); got 'window'"):
        recompute(steps, masks=["window"])


def test_of_tensors() -> None:
    torch = pytest.importorskip("torch")
    query, key = torch.randn(2, 4, 6, 8, dtype=torch.bfloat16), torch.randn(2, 2, 9, 8)
    query.requires_grad_()
    mask = torch.rand(6, 9) < 0.5
    att = aw.Attention.from_qk(query, key.bfloat16(), mask=mask, bias=torch.randn(4, 1, 9))
    assert isinstance(att.source, SupportsMechanism)
    steps = att.source.steps(1, 3, 2, [4, 0])
    assert_close(steps.weights, att[1, 3, 2])
    np.testing.assert_array_equal(steps.masks["mask"], mask[2].numpy())
    assert steps.key.dtype == steps.weights.dtype == np.float64


class TestSelections:
    def make(self) -> aw.Attention:
        rng = np.random.default_rng(0)
        return aw.Attention.from_qk(
            rng.standard_normal((3, 4, 6, 5)), rng.standard_normal((3, 2, 7, 5)), sinks=np.zeros(4)
        )

    def test_of_layers_heads_and_queries(self) -> None:
        whole = self.make()
        part = whole.select(layers=[2, 1], heads=slice(3, 1, -1)).select(queries=[5, 0])
        (found,) = panels_of(part.source, 1, 0, 1, [6, 2])
        (expected,) = panels_of(whole.source, 1, 3, 0, [6, 2])
        np.testing.assert_array_equal(found.weights, expected.weights)
        np.testing.assert_array_equal(found.key, expected.key)

    def test_without_all_keys_nothing_is_explained(self) -> None:
        """What the softmax sums over would be missing."""
        part = self.make().select(keys=slice(0, 6))
        assert not isinstance(part.source, SupportsMechanism)
        assert panels_of(part.source, 0, 0, 0, []) == ()


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ((1, 0, 0, []), "layer must be in 0 … 0; got 1"),
        ((0, -1, 0, []), "head must be in 0 … 0; got -1"),
        ((0, 0, 2, []), "query must be in 0 … 1; got 2"),
        ((0, 0, 0, [0, 3]), "keys must be in 0 … 2; got 3"),
    ],
)
def test_places_beyond_the_map_are_refused(
    place: tuple[int, int, int, list[int]], message: str
) -> None:
    source = QKSource(np.ones((2, 1)), np.ones((3, 1)))
    with pytest.raises(IndexError, match=message):
        source.steps(*place)
