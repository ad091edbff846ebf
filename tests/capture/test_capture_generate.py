"""Capture of decoding: steps of a cache assembled into one map."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from capture_models import SEQ2SEQ, TEXT, made, one, stacked, tokens  # noqa: E402

import attn_widget as aw  # noqa: E402

CACHE = "cache" if hasattr(transformers, "Gemma4Config") else "past_key_values"
LENGTH = {"max_new_tokens": 6, "min_new_tokens": 6, "do_sample": False}


def llama() -> Any:
    config = transformers.LlamaConfig(**TEXT, num_key_value_heads=2)
    return made(transformers.LlamaForCausalLM, config)


def gemma(window: int) -> Any:
    config = transformers.Gemma3TextConfig(
        **TEXT,
        num_key_value_heads=2,
        head_dim=8,
        sliding_window=window,
        layer_types=["sliding_attention", "full_attention"],
        eos_token_id=None,
    )
    return made(transformers.Gemma3ForCausalLM, config)


def gpt2() -> Any:
    config = transformers.GPT2Config(vocab_size=99, n_embd=32, n_layer=2, n_head=4)
    return made(transformers.GPT2LMHeadModel, config)


def t5() -> Any:
    sizes = {"vocab_size": 99, "d_model": 32, "d_kv": 8, "d_ff": 37}
    config = transformers.T5Config(**sizes, num_layers=2, num_heads=4, decoder_start_token_id=0)
    return made(transformers.T5ForConditionalGeneration, config)


def bart() -> Any:
    special = {"bos_token_id": 1, "pad_token_id": 0, "eos_token_id": 2}
    config = transformers.BartConfig(
        **SEQ2SEQ, **special, decoder_start_token_id=2, forced_eos_token_id=None
    )
    return made(transformers.BartForConditionalGeneration, config)


DECODERS: dict[str, tuple[Any, int, dict[str, Any]]] = {
    "llama": (llama, 12, {}),
    "llama, static cache": (llama, 12, {"cache_implementation": "static", "disable_compile": True}),
    "gpt2": (gpt2, 5, {}),
    "gemma, window shorter than the prompt": (lambda: gemma(4), 12, {}),
    "gemma, window longer than the prompt": (lambda: gemma(5), 3, {}),
}


@pytest.mark.parametrize("implementation", ["eager", "sdpa"])
@pytest.mark.parametrize("name", DECODERS)
def test_steps_make_one_causal_map(name: str, implementation: str) -> None:
    make, count, more = DECODERS[name]
    model, ids = make(), tokens(1, count)
    model.set_attn_implementation(implementation)
    plain = model.generate(ids, **LENGTH, **more)
    with aw.capture(model) as captured:
        written = model.generate(ids, **LENGTH, **more)
    assert torch.equal(plain, written)
    assert captured.passes == 6
    model.set_attn_implementation("eager")
    with torch.no_grad():
        expected = model(written[:, :-1], output_attentions=True).attentions
    found = one(captured.maps["decoder"])
    np.testing.assert_allclose(found, stacked(expected), atol=1e-6)
    # One source with an overview of its own, not a pile of steps.
    assert hasattr(found.source, "overview")


@pytest.mark.parametrize("implementation", ["eager", "sdpa"])
def test_a_batch_padded_on_the_left(implementation: str) -> None:
    model, ids = llama(), tokens(2, 12)
    real = torch.arange(12) >= torch.tensor([[0], [4]])
    model.set_attn_implementation(implementation)
    with aw.capture(model) as captured:
        written = model.generate(ids, attention_mask=real.long(), **LENGTH)
    model.set_attn_implementation("eager")
    mask = torch.cat([real, torch.ones(2, 5, dtype=torch.bool)], dim=1).long()
    places = (mask.cumsum(-1) - 1).clamp(min=0)
    with torch.no_grad():
        expected = model(
            written[:, :-1], attention_mask=mask, position_ids=places, output_attentions=True
        ).attentions
    for entry, first in ((0, 0), (1, 4)):
        found = np.asarray(captured.select(entry)["decoder"])
        np.testing.assert_allclose(
            found[:, :, first:], stacked(expected, entry)[:, :, first:], atol=1e-6
        )
        assert not found[:, :, :first].any(), "padding attends to nothing"


@pytest.mark.parametrize("implementation", ["eager", "sdpa"])
@pytest.mark.parametrize("make", [t5, bart])
def test_encoder_decoders(make: Any, implementation: str) -> None:
    model, ids = make(), tokens(1, 9)
    model.set_attn_implementation(implementation)
    with aw.capture(model) as captured:
        written = model.generate(ids, **LENGTH)
    model.set_attn_implementation("eager")
    with torch.no_grad():
        expected = model(ids, decoder_input_ids=written[:, :-1], output_attentions=True)
    for name, found in captured.maps.items():
        field = "cross_attentions" if name == "cross" else f"{name}_attentions"
        np.testing.assert_allclose(one(found), stacked(expected[field]), atol=1e-6)
    assert list(captured.maps) == ["encoder", "decoder", "cross"]


@pytest.mark.parametrize("make", [llama, t5])
def test_beams_are_followed_back(make: Any) -> None:
    model, ids = make(), tokens(2, 7)
    with aw.capture(model) as captured:
        written = model.generate(ids, **LENGTH, num_beams=3, num_return_sequences=3)
    model.set_attn_implementation("eager")
    assert captured.batch == 6
    assert any("beam search" in note for note in captured.notes)
    maps = [np.asarray(one(captured.select(entry)["decoder"])) for entry in range(6)]
    for place, sequence in enumerate(written):
        with torch.no_grad():
            if model.config.is_encoder_decoder:
                source = ids[place // 3][None]
                given = {"input_ids": source, "decoder_input_ids": sequence[None, :-1]}
                expected = model(**given, output_attentions=True).decoder_attentions
            else:
                expected = model(sequence[None, :-1], output_attentions=True).attentions
        beams = maps[3 * (place // 3) : 3 * (place // 3) + 3]
        distances = [float(np.abs(beam - stacked(expected)).max()) for beam in beams]
        assert min(distances) < 1e-6, "no beam ends in this sequence"


def test_unrelated_passes_are_steps() -> None:
    model = llama()
    with torch.no_grad(), aw.capture(model) as captured:
        model(tokens(1, 5))
        model(tokens(1, 8, seed=1))
        model.generate(tokens(1, 5), **LENGTH)
    steps = captured.maps["decoder"]
    assert isinstance(steps, list)
    assert [step.shape[2:] for step in steps] == [(5, 5), (8, 8), (10, 10)]
    assert aw.AttentionWidget(captured.maps).step in (0, 2)


def test_keys_of_a_cache_are_kept_once() -> None:
    model = llama()
    with aw.capture(model, values=True) as captured:
        model.generate(tokens(1, 20), **LENGTH)
    source = one(captured.maps["decoder"]).source
    assert vars(source)["value"].shape == (2, 2, 25, 8)
    memories = {id(call.memory): call.memory for call in captured._recorder.calls}
    assert [len(memory) for memory in memories.values() if memory is not None] == [25, 25]


def test_a_chunked_prefill_goes_on() -> None:
    model, ids = llama(), tokens(1, 12)
    with torch.no_grad(), aw.capture(model) as captured:
        cache = {CACHE: transformers.DynamicCache(config=model.config)}
        model(ids[:, :5], use_cache=True, **cache)
        model(ids[:, 5:], **cache)
    model.set_attn_implementation("eager")
    with torch.no_grad():
        expected = model(ids, output_attentions=True).attentions
    found = one(captured.maps["decoder"])
    np.testing.assert_allclose(found, stacked(expected), atol=1e-6)
    assert hasattr(found.source, "overview")


def test_one_prompt_padded_on_the_left() -> None:
    model, ids, real = llama(), tokens(1, 8), torch.tensor([[0, 0, 0, 1, 1, 1, 1, 1]])
    with aw.capture(model) as captured:
        model.generate(ids, attention_mask=real, **LENGTH)
    found = one(captured.maps["decoder"])
    assert hasattr(found.source, "overview")
    weights = np.asarray(found)
    assert not weights[..., :3].any()
    np.testing.assert_allclose(weights[:, :, 3:].sum(axis=-1), 1, atol=1e-5)
