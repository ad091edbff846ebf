"""Maps of caches of activations, by the names that TransformerLens gives them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import attn_widget as aw

Rows = Callable[..., NDArray[np.float32]]


class Cache:
    """What an ActivationCache offers: keys and [], and short names."""

    def __init__(self, held: dict[Any, Any]) -> None:
        self.held = held

    def keys(self) -> Iterator[Any]:
        return iter(self.held)

    def __getitem__(self, key: Any) -> Any:
        return self.held[key]


def one(found: Any) -> aw.Attention:
    assert isinstance(found, aw.Attention)
    return found


def named(what: str, arrays: Any, stack: str = "blocks", block: str = "attn") -> dict[str, Any]:
    return {f"{stack}.{at}.{block}.hook_{what}": array for at, array in enumerate(arrays)}


def test_patterns_with_and_without_a_batch(rows: Rows) -> None:
    weights = rows(3, 2, 4, 5, 5)
    others = {"hook_embed": weights, "blocks.0.hook_resid_pre": weights}
    found = one(aw.from_cache(Cache({**others, **named("pattern", weights)}), batch=1))
    np.testing.assert_array_equal(np.asarray(found), weights[:, 1])
    with pytest.raises(ValueError, match="length 2: say which one"):
        aw.from_cache(named("pattern", weights))
    alone = one(aw.from_cache(named("pattern", weights[:, 0]), list("abcde"), name="tiny"))
    np.testing.assert_array_equal(np.asarray(alone), weights[:, 0])
    assert (alone.kind, alone.name, alone.keys.labels) == ("weight", "tiny", tuple("abcde"))


def test_layers_are_in_the_order_of_their_numbers(rows: Rows) -> None:
    weights = rows(11, 1, 2, 2)
    shuffled = dict(sorted(named("pattern", weights).items()))
    assert list(shuffled)[1].startswith("blocks.1.")
    assert list(shuffled)[2].startswith("blocks.10.")
    np.testing.assert_array_equal(np.asarray(aw.from_cache(shuffled)), weights)


def test_nothing_is_copied(rows: Rows) -> None:
    weights = rows(1, 1, 2, 3, 3)
    found = one(aw.from_cache(named("pattern", weights), batch=0))
    weights[0, 0, 1, 2, 0] = 0.125
    assert found[0, 1, 2, 0] == 0.125


def test_short_names(rows: Rows) -> None:
    weights = rows(2, 1, 3, 3)
    held = {("pattern", 1): weights[1], ("pattern", 0, "attn"): weights[0], ("mlp_out", 0): 1}
    np.testing.assert_array_equal(np.asarray(aw.from_cache(held)), weights)


def test_scores_where_there_are_no_patterns(rows: Rows) -> None:
    scores = np.log(rows(2, 1, 2, 3, 3))
    scores[..., 0, 2] = -np.inf
    found = one(aw.from_cache(named("attn_scores", scores)))
    assert found.kind == "score"
    np.testing.assert_array_equal(np.asarray(found), scores[:, 0])
    both = one(aw.from_cache({**named("attn_scores", scores), **named("pattern", np.exp(scores))}))
    assert both.kind == "weight"


@pytest.mark.parametrize("causal", [True, False])
def test_queries_and_keys_where_there_is_nothing_else(causal: bool) -> None:
    drawn = np.random.default_rng(0)
    query = drawn.normal(size=(2, 1, 6, 4, 8)).astype(np.float32)
    key = drawn.normal(size=(2, 1, 6, 2, 8)).astype(np.float32)
    turned = {**named("rot_q", query + 1), **named("rot_k", key)}
    logits = np.einsum("lqhd,lkhd->lhqk", query[:, 0], key[:, 0].repeat(2, axis=2)) * 0.5
    if causal:
        logits = np.where(np.tri(6, dtype=bool), logits, -np.inf)
    expected = np.exp(logits - logits.max(axis=-1, keepdims=True))
    expected /= expected.sum(axis=-1, keepdims=True)
    plain = {**named("q", query), **named("k", key)}
    found = one(aw.from_cache(plain, causal=causal, scale=0.5))
    np.testing.assert_allclose(np.asarray(found), expected, atol=1e-6)
    rotary = one(aw.from_cache({**plain, **turned}, causal=causal, scale=0.5))
    assert np.abs(np.asarray(rotary) - expected).max() > 0.01


def test_an_encoder_and_a_decoder(rows: Rows) -> None:
    encoder, decoder, cross = rows(2, 1, 2, 4, 4), rows(2, 1, 2, 3, 3), rows(2, 1, 2, 3, 4)
    held = {
        **named("pattern", encoder, "encoder"),
        **named("pattern", decoder, "decoder"),
        **named("pattern", cross, "decoder", "cross_attn"),
    }
    found = aw.from_cache(held, list("xyz"), list("abcd"))
    assert isinstance(found, dict)
    for name, weights in (("encoder", encoder), ("decoder", decoder), ("cross", cross)):
        np.testing.assert_array_equal(np.asarray(found[name]), weights[:, 0])
    assert found["encoder"].queries.labels == found["cross"].keys.labels == tuple("abcd")
    assert found["decoder"].keys.labels == found["cross"].queries.labels == tuple("xyz")


def test_missing_layers_are_said(rows: Rows) -> None:
    weights = rows(2, 1, 2, 2)
    held = {f"blocks.{at}.attn.hook_pattern": weights[place] for place, at in enumerate((3, 7))}
    with pytest.warns(UserWarning, match="layers 3, 7 only; they are layers 0 … 1 here") as said:
        np.testing.assert_array_equal(np.asarray(aw.from_cache(held)), weights)
    assert said[0].filename == __file__


def test_what_is_there_is_listed_when_attention_is_not(rows: Rows) -> None:
    held = {f"blocks.{at}.hook_resid_post": rows(2, 2) for at in range(20)}
    held["blocks.0.attn.hook_q"] = rows(1, 2, 2, 2)
    with pytest.raises(ValueError, match=r"it holds blocks.0.attn.hook_q, blocks.0.*and 13 more"):
        aw.from_cache(held)
    with pytest.raises(ValueError, match="it holds nothing"):
        aw.from_cache({})
    with pytest.raises(TypeError, match=r"keys and \[\].*got list"):
        aw.from_cache([rows(2, 2)])
    with pytest.raises(ValueError, match=r"hook_pattern must have 3 axes.*got shape \(2, 2\)"):
        aw.from_cache({"blocks.0.attn.hook_pattern": rows(2, 2)})


class TestOtherLibraries:
    def test_caches_of_torch(self, rows: Rows) -> None:
        torch: Any = pytest.importorskip("torch")
        weights = rows(2, 1, 2, 3, 3)
        found = aw.from_cache(named("pattern", torch.tensor(weights)))
        np.testing.assert_array_equal(np.asarray(found), weights[:, 0])
        query, key = torch.rand(2, 2, 1, 5, 3, 8).unbind()
        shares = one(aw.from_cache({**named("q", query), **named("k", key)}))
        logits = torch.einsum("lqhd,lkhd->lhqk", query[:, 0], key[:, 0]) / 8**0.5
        masked = logits.masked_fill(~torch.ones(5, 5, dtype=torch.bool).tril(), -torch.inf)
        np.testing.assert_allclose(np.asarray(shares), masked.softmax(-1).numpy(), atol=1e-6)

    def test_caches_and_outputs_of_jax(self, rows: Rows) -> None:
        jnp = pytest.importorskip("jax.numpy")
        weights = rows(2, 2, 2, 3, 3)
        layers = [jnp.asarray(layer) for layer in weights]
        for found in (
            aw.from_cache(named("pattern", layers), batch=1),
            aw.from_transformers({"last_hidden_state": 1, "attentions": tuple(layers)}, batch=1),
        ):
            np.testing.assert_array_equal(np.asarray(found), weights[:, 1])

    def test_one_layer_with_a_batch_as_keras_and_flax_return_it(self, rows: Rows) -> None:
        jnp = pytest.importorskip("jax.numpy")
        scores = rows(3, 2, 4, 5)
        found = aw.Attention([jnp.asarray(scores)], list("abcd"), list("vwxyz"), batch=2)
        assert found.shape == (1, 2, 4, 5)
        np.testing.assert_array_equal(np.asarray(found)[0], scores[2])
        alone = aw.Attention(jnp.asarray(scores)[1, 0])
        np.testing.assert_array_equal(np.asarray(alone)[0, 0], scores[1, 0])
