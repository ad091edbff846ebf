"""Attention as it is taught: golden numbers, PyTorch, and what must hold of any numbers."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import attn_widget as aw
from attn_widget.mechanisms import LocalPosition, alibi_slopes, masked_logits, recompute, softmax
from attn_widget.state import suiting_view
from direct import Case, assert_close, cases, direct

QUERY = np.array([[0.5, -0.5]])
KEY = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
IDENTITY = np.eye(2)


def close(found: Any, expected: Any) -> None:
    """Compare with numbers of six decimals."""
    np.testing.assert_allclose(found, expected, atol=6e-7)


class TestPublishedNumbers:
    def test_additive(self) -> None:
        trace = aw.additive_attention(QUERY, KEY, IDENTITY, IDENTITY / 2, [1, -1])
        close(trace.scores, [[1.223711, 0.462117, 0.761594]])
        close(trace.weights, [[0.476901, 0.222675, 0.300423]])
        np.testing.assert_array_equal(trace.projected_query, QUERY)
        np.testing.assert_array_equal(trace.projected_key, KEY / 2)

    def test_dot_and_scaled_dot(self) -> None:
        dot = aw.multiplicative_attention(QUERY, KEY)
        close(dot.weights, [[0.50648, 0.186324, 0.307196]])
        scaled = aw.scaled_dot_product_attention(QUERY, KEY)
        close(scaled.weights, [[0.455527, 0.224606, 0.319866]])
        np.testing.assert_array_equal(dot.scores, scaled.scores)
        np.testing.assert_allclose(scaled.scaled, dot.scores / np.sqrt(2))

    def test_general_with_identity_is_dot(self) -> None:
        dot = aw.multiplicative_attention(QUERY, KEY)
        general = aw.multiplicative_attention(QUERY, KEY, IDENTITY)
        assert (dot.mechanism, general.mechanism) == ("dot", "general")
        np.testing.assert_array_equal(general.weights, dot.weights)

    def test_concat_is_additive_with_both_matrices_in_one(self) -> None:
        w = np.concatenate([IDENTITY, IDENTITY / 2])
        trace = aw.multiplicative_attention(QUERY, KEY, w, v=[1, -1], score="concat")
        close(trace.weights, [[0.476901, 0.222675, 0.300423]])
        assert trace.mechanism == "concat"

    def test_slopes_of_linear_biases(self) -> None:
        np.testing.assert_array_equal(alibi_slopes(8), 2.0 ** -np.arange(1, 9))
        close(alibi_slopes(12)[-4:], [0.707107, 0.353553, 0.176777, 0.088388])
        np.testing.assert_array_equal(alibi_slopes(12)[:8], alibi_slopes(8))
        assert [len(alibi_slopes(heads)) for heads in range(1, 20)] == [*range(1, 20)]

    def test_softcap(self) -> None:
        logits = masked_logits(np.array([100.0, 0.0, -100.0]), softcap=50)
        close(logits, [48.201379, 0.0, -48.201379])

    def test_sink(self) -> None:
        trace = aw.scaled_dot_product_attention([[1.0]], [[1.0], [2.0]], sinks=0.0)
        close(trace.weights, [[0.244728, 0.665241]])
        close(trace.leak, [0.090031])
        raised = np.exp([1.0, 2.0])
        np.testing.assert_allclose(trace.weights[0], raised / (1 + raised.sum()))

    def test_grouped_heads(self) -> None:
        key = np.arange(2.0)[:, None, None] + np.zeros((2, 3, 1))
        trace = aw.scaled_dot_product_attention(np.ones((8, 1, 1)), key)
        np.testing.assert_array_equal(trace.scores[:, 0, 0], [0, 0, 0, 0, 1, 1, 1, 1])

    def test_pairs_of_causal_maps_and_windows(self) -> None:
        ones = np.ones((8, 1))
        assert aw.scaled_dot_product_attention(ones, ones, causal=True).allowed.sum() == 36
        window = aw.scaled_dot_product_attention(ones, ones, causal=True, window=4)
        assert window.allowed.sum() == np.count_nonzero(window.weights) == 26


class TestLocal:
    rng = np.random.default_rng(0)
    query, key = rng.standard_normal((2, 5, 4)), rng.standard_normal((2, 9, 4))
    w, v = rng.standard_normal((4, 3)), rng.standard_normal(3)

    def test_weights_are_softmax_times_a_gaussian(self) -> None:
        local = LocalPosition(self.w, self.v, width=4)
        trace: Any = aw.multiplicative_attention(self.query, self.key, local=local)
        everywhere = aw.multiplicative_attention(self.query, self.key)
        position = 9 / (1 + np.exp(-np.tanh(self.query @ self.w) @ self.v))
        np.testing.assert_allclose(trace.positions, position)
        gaussian = np.exp(-((np.arange(9) - position[..., None]) ** 2) / (2 * 2**2))
        np.testing.assert_allclose(trace.weights, everywhere.weights * gaussian)
        assert (trace.weights.max(axis=-1) <= everywhere.weights.max(axis=-1)).all()
        assert (trace.weights.sum(axis=-1) < 1).all()
        assert everywhere.positions is None

    def test_truncated_to_the_window_of_the_paper(self) -> None:
        local = LocalPosition(self.w, self.v, width=2, truncate=True)
        trace: Any = aw.multiplicative_attention(self.query, self.key, local=local)
        inside = abs(np.arange(9) - trace.positions[..., None]) <= 2
        np.testing.assert_array_equal(trace.allowed, inside)
        steps = trace.attention.source.steps(0, 1, 3, [])
        assert list(steps.masks) == ["local"]
        np.testing.assert_array_equal(recompute(steps).weights, trace.weights[1, 3])


class TestPyTorch:
    """The same numbers as the functions that models are made of."""

    @pytest.mark.parametrize("option", ["none", "causal", "bool", "float", "scale", "grouped"])
    @pytest.mark.parametrize("shape", [(5, 8), (4, 5, 8), (2, 4, 5, 8)])
    def test_scaled_dot_product(self, shape: tuple[int, ...], option: str) -> None:
        torch = pytest.importorskip("torch")
        heads = shape[-3] if len(shape) > 2 else 1
        grouped = option == "grouped" and len(shape) > 2
        lead = (*shape[:-3], heads // 2) if grouped else shape[:-2]
        query = torch.randn(*shape, dtype=torch.float64)
        key, value = torch.randn(2, *lead, 7, 8, dtype=torch.float64)
        mine: dict[str, Any] = {}
        theirs: dict[str, Any] = {"enable_gqa": True} if grouped else {}
        if option == "causal":
            mine, theirs = {"causal": True}, {"is_causal": True}
        elif option == "bool":
            mask = torch.rand(*shape[:-1], 7) < 0.6
            mask[..., 0] = True
            mine, theirs = {"mask": mask}, {"attn_mask": mask}
        elif option == "float":
            bias = torch.randn(5, 7, dtype=torch.float64)
            mine, theirs = {"bias": bias}, {"attn_mask": bias}
        elif option == "scale":
            mine = theirs = {"scale": 0.3}
        trace: Any = aw.scaled_dot_product_attention(query, key, value, **mine)
        expected = torch.nn.functional.scaled_dot_product_attention(query, key, value, **theirs)
        np.testing.assert_allclose(trace.output, expected.numpy(), rtol=1e-9, atol=1e-12)

    def test_tensors_of_any_precision_that_need_gradients(self) -> None:
        torch = pytest.importorskip("torch")
        query = torch.randn(3, 4, dtype=torch.bfloat16, requires_grad=True)
        trace = aw.scaled_dot_product_attention(query, torch.randn(5, 4).half())
        np.testing.assert_array_equal(trace.query, query.detach().double().numpy())
        assert trace.weights.dtype == np.float64


class TestLeadingAxes:
    @pytest.mark.parametrize("lead", [(), (4,), (3, 4)])
    def test_are_kept(self, lead: tuple[int, ...]) -> None:
        rng = np.random.default_rng(0)
        grouped = (*lead[:-1], 2) if lead else ()
        query = rng.standard_normal((*lead, 5, 3))
        key = rng.standard_normal((*grouped, 6, 2))
        value = rng.standard_normal((*grouped, 6, 7))
        parameters = (
            rng.standard_normal((3, 4)),
            rng.standard_normal((2, 4)),
            rng.standard_normal(4),
        )
        trace: Any = aw.additive_attention(query, key, *parameters, value)
        shapes = {
            "query": (*lead, 5, 3),
            "key": (*grouped, 6, 2),
            "value": (*grouped, 6, 7),
            "projected_query": (*lead, 5, 4),
            "projected_key": (*grouped, 6, 4),
            "scores": (*lead, 5, 6),
            "scaled": (*lead, 5, 6),
            "masked": (*lead, 5, 6),
            "weights": (*lead, 5, 6),
            "leak": (*lead, 5),
            "weighted_values": (*lead, 5, 6, 7),
            "output": (*lead, 5, 7),
        }
        assert {name: getattr(trace, name).shape for name in shapes} == shapes
        np.testing.assert_allclose(trace.weighted_values.sum(axis=-2), trace.output, atol=1e-12)
        assert trace.attention.shape == (*(1, 1, *lead)[-2:], 5, 6)
        spread = np.repeat(key, 2, axis=-3) if lead else key
        sums = (query @ parameters[0])[..., None, :] + (spread @ parameters[1])[..., None, :, :]
        np.testing.assert_allclose(trace.scores, np.tanh(sums) @ parameters[2], atol=1e-12)

    def test_blocks_are_as_the_whole(self, monkeypatch: pytest.MonkeyPatch) -> None:
        from attn_widget.mechanisms import scores

        rng = np.random.default_rng(1)
        given = [rng.standard_normal(size) for size in ((2, 5, 3), (1, 4, 3), (3, 2), (3, 2), (2,))]
        whole = aw.additive_attention(*given)
        monkeypatch.setattr(scores, "_HELD", 17)
        np.testing.assert_array_equal(aw.additive_attention(*given).scores, whole.scores)


@settings(max_examples=100)
@given(cases())
def test_equals_attention_from_queries_and_keys(case: Case) -> None:
    trace = aw.scaled_dot_product_attention(case.query, case.key, **case.options)
    expected = direct(case.query, case.key, **case.options)
    np.testing.assert_allclose(trace.weights, expected, rtol=1e-9, atol=1e-12)
    assert_close(
        trace.attention[...], np.asarray(aw.Attention.from_qk(case.query, case.key, **case.options))
    )


@settings(max_examples=100)
@given(cases(), st.sampled_from(["dot", "general", "concat"]), st.data())
def test_of_any_numbers(case: Case, score: str, data: st.DataObject) -> None:
    rng = np.random.default_rng(0)
    size = case.query.shape[3]
    parameters: dict[str, Any] = {
        "dot": {},
        "general": {"w": rng.standard_normal((size, size))},
        "concat": {"w": rng.standard_normal((2 * size, 3)), "v": rng.standard_normal(3)},
    }[score]
    temperature = data.draw(st.sampled_from([0.5, 1.0, 3.0]))
    options = {**case.options, **parameters, "temperature": temperature}
    trace: Any = aw.multiplicative_attention(case.query, case.key, **options)
    sums = trace.weights.sum(axis=-1)
    there = trace.allowed.any(axis=-1)
    if "sinks" in options:
        assert (sums <= there + 1e-12).all()
    else:
        np.testing.assert_allclose(sums, there)
    np.testing.assert_array_equal(trace.weights[~trace.allowed], 0)
    np.testing.assert_array_equal(trace.weights, softmax_of(trace, options))
    # Each step can be recomputed from what one query tells.
    place = tuple(data.draw(st.integers(0, n - 1)) for n in case.shape[:3])
    steps = trace.attention.source.steps(*place, [0])
    row = recompute(steps)
    np.testing.assert_array_equal(row.masked, trace.masked[place])
    np.testing.assert_array_equal(row.weights, trace.weights[place])
    np.testing.assert_array_equal(steps.weights, row.weights)


def softmax_of(trace: aw.Trace, options: dict[str, Any]) -> Any:
    sinks = options.get("sinks")
    heads = trace.weights.shape[:2]
    if sinks is None:
        return softmax(trace.masked)
    return softmax(
        trace.masked, np.broadcast_to(sinks, heads)[..., None, None] / options["temperature"]
    )


@given(st.permutations(range(6)))
def test_keys_in_another_order_have_the_same_weights(order: list[int]) -> None:
    rng = np.random.default_rng(0)
    query, key, value = (rng.standard_normal((n, 4)) for n in (3, 6, 6))
    mask = rng.random((3, 6)) < 0.7
    trace: Any = aw.scaled_dot_product_attention(query, key, value, mask=mask)
    other: Any = aw.scaled_dot_product_attention(
        query, key[order], value[order], mask=mask[:, order]
    )
    np.testing.assert_allclose(other.weights, trace.weights[:, order], atol=1e-12)
    np.testing.assert_allclose(other.output, trace.output, atol=1e-12)


class TestConditions:
    def test_a_row_without_keys_is_zeros(self) -> None:
        trace: Any = aw.scaled_dot_product_attention(
            np.ones((2, 1)), np.ones((3, 1)), np.ones((3, 2)), mask=[[True] * 3, [False] * 3]
        )
        np.testing.assert_allclose(trace.weights, [[1 / 3] * 3, [0.0] * 3])
        np.testing.assert_allclose(trace.output, [[1, 1], [0, 0]])
        np.testing.assert_allclose(trace.leak, [0, 1], atol=1e-12)

    def test_a_mask_of_keys_is_for_all_queries(self) -> None:
        trace = aw.additive_attention(
            np.ones((2, 3, 2)), np.ones((2, 4, 2)), IDENTITY, IDENTITY, [1, 1],
            mask=[True, True, False, False],
        )  # fmt: skip
        np.testing.assert_allclose(trace.weights, np.tile([0.5, 0.5, 0, 0], (2, 3, 1)))

    def test_temperature_divides_logits(self) -> None:
        rng = np.random.default_rng(0)
        query, key = rng.standard_normal((2, 4, 3))
        hot = aw.scaled_dot_product_attention(query, key, bias=np.arange(4.0), temperature=2)
        cold = aw.scaled_dot_product_attention(query, key, bias=np.arange(4.0))
        np.testing.assert_array_equal(hot.scaled, cold.scaled)
        np.testing.assert_allclose(hot.masked, cold.masked / 2)

    def test_linear_biases_are_those_given_as_bias(self) -> None:
        rng = np.random.default_rng(0)
        query, key = rng.standard_normal((6, 5, 3)), rng.standard_normal((6, 7, 3))
        away = np.abs(np.arange(5)[:, None] + 2 - np.arange(7))
        slopes = alibi_slopes(6)
        spread = aw.Attention.from_qk(
            query, key, bias=-slopes[:, None, None] * away, offset=2, causal=True
        )
        for alibi in (True, slopes, slopes.tolist()):
            trace = aw.scaled_dot_product_attention(query, key, alibi=alibi, offset=2, causal=True)
            assert_close(trace.weights[None], spread[...])
        both = aw.scaled_dot_product_attention(query, key, alibi=True, bias=np.ones(7), offset=2)
        bias = both.masked - both.scaled
        np.testing.assert_allclose(bias, 1 - slopes[:, None, None] * away, atol=1e-12)

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"mask": np.ones(3)}, "mask must be boolean, True where a query may attend"),
            ({"mask": np.ones((4, 3), bool)}, r"mask must broadcast to .* = \(1, 1, 2, 3\)"),
            ({"temperature": 0}, "temperature must be a finite number above 0; got 0"),
            ({"scale": float("nan")}, "scale must be a finite number; got nan"),
            ({"alibi": [1, 2]}, r"one slope a head, shape \(1,\); got shape \(2,\)"),
            ({"sinks": [1, 2]}, r"sinks must have shape \(1,\)"),
            ({"window": 0}, "window must be at least 1; got 0"),
            ({"softcap": 0.0}, "softcap must be above 0; got 0.0"),
            ({"keys": ["a"]}, "keys"),
        ],
    )
    def test_wrong_options_are_refused(self, options: dict[str, Any], message: str) -> None:
        with pytest.raises((TypeError, ValueError), match=message):
            aw.scaled_dot_product_attention(np.ones((2, 1)), np.ones((3, 1)), **options)


class TestWrongInputs:
    @pytest.mark.parametrize(
        ("query", "key", "value", "message"),
        [
            (
                np.ones(3),
                np.ones((2, 3)),
                None,
                r"query must have shape \(Q, D\).*got shape \(3,\)",
            ),
            (np.ones((2, 3)), np.ones((2, 4)), None, "query and key must have one D"),
            (np.ones((1, 2, 3)), np.ones((2, 3)), None, "the same number of axes"),
            (np.ones((3, 2, 3)), np.ones((2, 2, 3)), None, "multiple of those of key"),
            (np.ones((3, 1, 2, 3)), np.ones((2, 1, 2, 3)), None, "one number of layers"),
            (np.ones((2, 3)), np.ones((4, 3)), np.ones((2, 3)), r"value must have .* \(4, 'Dv'\)"),
            ([[1.0], [1.0, 2.0]], np.ones((4, 3)), None, "query must be one rectangular array"),
            (np.array([["a"]]), np.ones((4, 3)), None, "query must be numbers; got dtype"),
        ],
    )
    def test_vectors(self, query: Any, key: Any, value: Any, message: str) -> None:
        with pytest.raises((TypeError, ValueError), match=message):
            aw.scaled_dot_product_attention(query, key, value)

    @pytest.mark.parametrize(
        ("parameters", "message"),
        [
            ((np.ones((3, 2)), IDENTITY, [1, 1]), r"w_query must have shape \(Dq, A\) = \(2, …\)"),
            ((IDENTITY, np.ones((2, 3)), [1, 1]), "must have one A, their last axis"),
            ((IDENTITY, IDENTITY, [1]), r"v must have shape \(A,\) = \(2,\); got shape \(1,\)"),
        ],
    )
    def test_of_additive(self, parameters: Any, message: str) -> None:
        with pytest.raises(ValueError, match=message):
            aw.additive_attention(QUERY, KEY, *parameters)

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"score": "bilinear"}, "score must be one of 'dot', 'general', 'concat'"),
            ({"score": "general"}, "score 'general' takes w alone; got neither"),
            ({"score": "dot", "w": IDENTITY}, "score 'dot' takes neither w nor v; got w"),
            ({"v": [1, 1]}, "score 'concat' takes w and v; got v"),
            ({"w": np.ones((2, 3))}, r"w must have shape \(Dq, Dk\) = \(2, 2\); got \(2, 3\)"),
            ({"w": IDENTITY, "v": [1, 1]}, r"w must have shape \(Dq \+ Dk, A\) = \(4, …\)"),
            ({"local": LocalPosition(IDENTITY, [1, 1], 0)}, "width of local must be .* above 0"),
            ({"local": LocalPosition(IDENTITY, [1], 1)}, r"v of local must have shape \(A,\)"),
        ],
    )
    def test_of_multiplicative(self, options: dict[str, Any], message: str) -> None:
        with pytest.raises(ValueError, match=message):
            aw.multiplicative_attention(QUERY, KEY, **options)

    def test_different_sizes_need_a_matrix_between_them(self) -> None:
        with pytest.raises(ValueError, match="unless w maps between them"):
            aw.multiplicative_attention(QUERY, np.ones((2, 3)))
        trace = aw.multiplicative_attention(QUERY, np.ones((2, 3)), np.ones((2, 3)))
        np.testing.assert_allclose(trace.weights, [[0.5, 0.5]])


class TestTrace:
    def make(self, **options: Any) -> aw.Trace:
        return aw.additive_attention(
            QUERY, KEY, IDENTITY, IDENTITY / 2, [1, -1], KEY,
            queries=["q"], keys=["a", "b", "c"], **options,
        )  # fmt: skip

    def test_does_not_share_memory_with_what_it_was_given(self) -> None:
        query = QUERY.copy()
        trace = aw.scaled_dot_product_attention(query, KEY)
        query[:] = 0
        np.testing.assert_array_equal(trace.query, QUERY)

    def test_survives_pickling(self) -> None:
        trace = self.make()
        again = pickle.loads(pickle.dumps(trace))
        np.testing.assert_array_equal(again.weights, trace.weights)
        grad = np.ones((1, 2))
        np.testing.assert_array_equal(again.gradients(grad).v, trace.gradients(grad).v)

    def test_map(self) -> None:
        trace = self.make(name="bahdanau")
        assert trace.attention.name == "bahdanau"
        assert trace.attention.kind == "weight"
        assert [*trace.attention.keys.labels] == ["a", "b", "c"]
        np.testing.assert_allclose(trace.attention[0, 0], trace.weights, rtol=1e-6)

    def test_in_words(self) -> None:
        assert repr(self.make()).splitlines() == [
            "Trace: additive attention, 1 queries × 3 keys",
            "  query           (1, 2)",
            "  key             (3, 2)",
            "  value           (3, 2)",
            "  projected_query (1, 2)",
            "  projected_key   (3, 2)",
            "  scores          (1, 3)               v · tanh(query @ w_query + key @ w_key)",
            "  scaled          (1, 3)               1 · scores",
            "  masked          (1, 3)               scaled",
            "  weights         (1, 3)               softmax(masked)",
            "  output          (1, 2)               weights @ value",
        ]
        trace = aw.scaled_dot_product_attention(
            np.ones((2, 3, 4)), np.ones((1, 5, 4)),
            causal=True, softcap=3, alibi=True, temperature=2, sinks=0.0, name="mine",
        )  # fmt: skip
        first, *lines = repr(trace).splitlines()
        assert first == "Trace: mine, 2 heads × 3 queries × 5 keys"
        assert lines[-2].endswith("  (3 · tanh(scaled / 3) + bias) / 2, causal")
        assert lines[-1].endswith("  softmax([masked; sink])")

    def test_as_a_frame(self) -> None:
        pytest.importorskip("pandas")
        trace = self.make()
        frame = trace.to_frame()
        assert [*frame["key_label"]] == ["a", "b", "c"]
        assert [*frame["query_label"]] == ["q"] * 3
        np.testing.assert_array_equal(frame["score"], trace.scores[0])
        np.testing.assert_array_equal(frame["weight"], trace.weights[0])

    def test_shows_itself(self) -> None:
        trace = self.make()
        shown = trace._repr_mimebundle_()
        assert isinstance(shown, tuple)
        assert "application/vnd.jupyter.widget-view+json" in shown[0]
        again = trace._repr_mimebundle_()
        assert isinstance(again, tuple)
        view = "application/vnd.jupyter.widget-view+json"
        assert again[0][view]["model_id"] == shown[0][view]["model_id"]
        assert suiting_view(trace.attention) == "lines"

    def test_side_by_side(self) -> None:
        additive, dot = self.make(), aw.multiplicative_attention(QUERY, KEY)
        both = additive.beside(dot)
        assert both.name == "additive attention beside dot attention"
        assert [*both.keys.labels] == ["a", "b", "c"]
        np.testing.assert_array_equal(both[...], additive.attention[...])
        for part in (both, both.select(queries=[0])):
            panels = aw.mechanisms.panels_of(part.source, 0, 0, 0, [2])
            assert [panel.mechanism for panel in panels] == ["additive", "dot"]
            np.testing.assert_array_equal(panels[1].weights, dot.weights[0])
        with pytest.raises(ValueError, match=r"must have one shape .* got \(1, 1, 1, 2\) and"):
            additive.beside(aw.multiplicative_attention(QUERY, KEY[:2]))
        with pytest.raises(TypeError, match="beside\\(\\) takes traces; got Attention"):
            additive.beside(dot.attention)  # type: ignore[arg-type]
