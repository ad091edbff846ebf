"""Capture of transformers models, held against their own eager attentions."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from capture_models import (  # noqa: E402
    SEQ2SEQ,
    TEXT,
    VISION,
    made,
    one,
    same,
    stacked,
    state,
    tokens,
)

import attn_widget as aw  # noqa: E402
from attn_widget.capture.sources import RaggedSource  # noqa: E402
from minilm import folder as minilm_folder  # noqa: E402

BOTH = ("eager", "sdpa")
IDS = tokens(1, 12)
PADDED = {
    "input_ids": tokens(2, 12),
    "attention_mask": (torch.arange(12) < torch.tensor([[12], [8]])).long(),
}
PIXELS = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(0))

Case = tuple[Callable[[], Any], dict[str, Any], dict[str, str], tuple[str, ...]]
"""A model; what it is given; which of its attentions are which map; implementations it has."""


def sliding(name: str) -> dict[str, Any]:
    return {**TEXT, "num_key_value_heads": 2, "head_dim": 8, "sliding_window": 4, **OPTIONS[name]}


OPTIONS: dict[str, dict[str, Any]] = {
    "gemma2": {"attn_logit_softcapping": 5.0, "query_pre_attn_scalar": 8},
    "gemma3": {"layer_types": ["sliding_attention", "full_attention"]},
    "gpt_oss": {
        "num_local_experts": 2,
        "num_experts_per_tok": 1,
        "experts_implementation": "eager",
    },
}
TEXTS = {"attentions": "encoder"}
DECODER = {"attentions": "decoder"}
THREE = {
    "encoder_attentions": "encoder",
    "decoder_attentions": "decoder",
    "cross_attentions": "cross",
}


def of(name: str, **config: Any) -> Callable[[], Any]:
    """A model by its name, made when it is wanted."""

    def make() -> Any:
        found = transformers
        return made(getattr(found, f"{name}Model"), getattr(found, f"{name}Config")(**config))

    return make


CASES: dict[str, Case] = {
    "bert": (of("Bert", **TEXT), {"input_ids": IDS}, TEXTS, BOTH),
    "bert padded": (of("Bert", **TEXT), PADDED, TEXTS, BOTH),
    "modernbert": (
        of("ModernBert", **TEXT, local_attention=6, pad_token_id=0),
        {"input_ids": IDS},
        TEXTS,
        BOTH,
    ),
    "deberta": (
        of("DebertaV2", **TEXT, relative_attention=True, pos_att_type=["p2c", "c2p"]),
        {"input_ids": IDS},
        TEXTS,
        ("eager",),
    ),
    "albert": (of("Albert", **TEXT, embedding_size=16), {"input_ids": IDS}, TEXTS, BOTH),
    "gpt2": (
        of("GPT2", vocab_size=99, n_embd=32, n_layer=2, n_head=4),
        {"input_ids": IDS},
        DECODER,
        BOTH,
    ),
    "bloom": (
        of("Bloom", vocab_size=99, hidden_size=32, n_layer=2, n_head=4),
        {"input_ids": IDS},
        DECODER,
        ("eager",),
    ),
    "llama": (of("Llama", **TEXT, num_key_value_heads=2), {"input_ids": IDS}, DECODER, BOTH),
    "llama padded": (of("Llama", **TEXT, num_key_value_heads=2), PADDED, DECODER, BOTH),
    "qwen3": (
        of("Qwen3", **TEXT, num_key_value_heads=2, head_dim=8),
        {"input_ids": IDS},
        DECODER,
        BOTH,
    ),
    "gemma2": (of("Gemma2", **sliding("gemma2")), {"input_ids": IDS}, DECODER, ("eager",)),
    "gemma3": (of("Gemma3Text", **sliding("gemma3")), {"input_ids": IDS}, DECODER, BOTH),
    "gpt-oss": (of("GptOss", **sliding("gpt_oss")), {"input_ids": IDS}, DECODER, ("eager",)),
    "t5": (
        of("T5", vocab_size=99, d_model=32, d_kv=8, d_ff=37, num_layers=2, num_heads=4),
        {"input_ids": IDS, "decoder_input_ids": IDS[:, :7]},
        THREE,
        BOTH,
    ),
    "bart": (
        of("Bart", **SEQ2SEQ),
        {**PADDED, "decoder_input_ids": PADDED["input_ids"][:, :7]},
        THREE,
        BOTH,
    ),
    "vit": (
        of("ViT", **VISION, intermediate_size=37),
        {"pixel_values": PIXELS},
        TEXTS,
        BOTH,
    ),
    "dinov2 with registers": (
        of("Dinov2WithRegisters", **VISION),
        {"pixel_values": PIXELS},
        TEXTS,
        BOTH,
    ),
}


@pytest.mark.parametrize(
    ("name", "implementation"),
    [(name, implementation) for name, case in CASES.items() for implementation in case[3]],
)
def test_maps_are_those_of_the_model(name: str, implementation: str) -> None:
    make, given, names, _ = CASES[name]
    model = make()
    model.set_attn_implementation("eager")
    with torch.no_grad():
        expected = model(**given, output_attentions=True)
        model.set_attn_implementation(implementation)
        plain = model(**given)
        before = state(model)
        with aw.capture(model) as captured:
            output = model(**given)
    assert same(plain, output)
    assert state(model) == before
    assert captured.missed == {}
    assert sorted(captured.maps) == sorted(names.values())
    for entry in range(len(next(iter(given.values())))):
        for field, map_name in names.items():
            found = one(captured.select(entry)[map_name])
            assert not isinstance(found.source, RaggedSource)
            np.testing.assert_allclose(found, stacked(expected[field], entry), atol=1e-5)
    assert not any("formed" in note for note in captured.notes)


def test_minilm_with_its_real_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    model = transformers.AutoModel.from_pretrained(minilm_folder()).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(minilm_folder())
    given = tokenizer("The cat sat on the mat because it was tired.", return_tensors="pt")
    words = tokenizer.convert_ids_to_tokens(given["input_ids"][0].tolist())
    with torch.no_grad():
        with aw.capture(model, queries=words) as captured:
            model(**given)
        model.set_attn_implementation("eager")
        expected = model(**given, output_attentions=True).attentions
    found = one(captured.maps["encoder"])
    np.testing.assert_allclose(found, stacked(expected), atol=1e-5)
    assert found.queries.labels[0] == "[CLS]"
    assert found.keys is found.queries


def test_windows_of_swin_are_entries_of_the_batch_and_stages_are_maps() -> None:
    config = transformers.SwinConfig(
        image_size=32, patch_size=2, embed_dim=16, depths=[2, 2], num_heads=[2, 4], window_size=4
    )
    model = made(transformers.SwinModel, config)
    model.set_attn_implementation("eager")
    with torch.no_grad():
        expected = model(PIXELS, output_attentions=True).attentions
        model.set_attn_implementation("sdpa")
        with aw.capture(model) as captured:
            model(PIXELS)
    assert list(captured.maps) == ["encoder.layers.0", "encoder.layers.1"]
    for window in range(16):
        for stage, found in enumerate(captured.select(window).values()):
            # The model returns the last layer of each stage; the second has four windows.
            place = window if stage == 0 else window // 4
            weights = np.asarray(one(found))[1]
            np.testing.assert_allclose(weights, expected[stage][place], atol=1e-6)


@pytest.mark.parametrize("implementation", BOTH)
def test_both_towers_of_clip(implementation: str) -> None:
    config = transformers.CLIPConfig(
        text_config={**TEXT}, vision_config={**VISION, "intermediate_size": 37}, projection_dim=16
    )
    model = made(transformers.CLIPModel, config)
    model.set_attn_implementation("eager")
    given = {"input_ids": IDS, "pixel_values": PIXELS}
    with torch.no_grad():
        expected = model(**given, output_attentions=True)
        model.set_attn_implementation(implementation)
        with aw.capture(model) as captured:
            model(**given)
    text, vision = expected.text_model_output, expected.vision_model_output
    np.testing.assert_allclose(captured.maps["decoder"], stacked(text.attentions), atol=1e-6)
    np.testing.assert_allclose(captured.maps["encoder"], stacked(vision.attentions), atol=1e-6)


def test_detr() -> None:
    backbone = transformers.ResNetConfig(
        embedding_size=8, hidden_sizes=[8, 8, 16, 16], depths=[1] * 4, out_features=["stage4"]
    )
    config = transformers.DetrConfig(
        use_timm_backbone=False,
        backbone=None,
        use_pretrained_backbone=False,
        backbone_config=backbone,
        num_queries=5,
        **{name: size for name, size in SEQ2SEQ.items() if name != "vocab_size"},
    )
    model = made(transformers.DetrForObjectDetection, config)
    model.set_attn_implementation("eager")
    pixels = torch.rand(1, 3, 128, 128, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        expected = model(pixels, output_attentions=True)
        with aw.capture(model) as captured:
            model(pixels)
    assert list(captured.maps) == ["encoder", "decoder", "cross"]
    for name in captured.maps:
        field = "cross_attentions" if name == "cross" else f"{name}_attentions"
        np.testing.assert_allclose(captured.maps[name], stacked(expected[field]), atol=1e-6)


@pytest.mark.parametrize("implementation", BOTH)
def test_llava(implementation: str) -> None:
    config = transformers.LlavaConfig(
        vision_config=transformers.CLIPVisionConfig(**VISION, intermediate_size=37),
        text_config=transformers.LlamaConfig(**TEXT, num_key_value_heads=2),
        image_token_id=98,
        vision_feature_layer=-1,
    )
    model = made(transformers.LlavaForConditionalGeneration, config)
    model.set_attn_implementation("eager")
    ids = torch.cat([IDS[:, :4], torch.full((1, 16), 98), IDS[:, 4:]], dim=1)
    given = {"input_ids": ids, "pixel_values": PIXELS}
    with torch.no_grad():
        expected = model(**given, output_attentions=True)
        model.set_attn_implementation(implementation)
        with aw.capture(model) as captured:
            model(**given)
    assert sorted(captured.maps) == ["decoder", "encoder"]
    np.testing.assert_allclose(captured.maps["decoder"], stacked(expected.attentions), atol=1e-5)
    assert one(captured.maps["encoder"]).shape == (2, 4, 17, 17)


def test_half_precision_stays_and_is_converted_on_request() -> None:
    model = CASES["llama"][0]().bfloat16()
    with torch.no_grad():
        with aw.capture(model, values=True) as captured:
            model(IDS)
        with aw.capture(model, dtype=torch.float32) as converted:
            model(IDS)
    source = vars(one(captured.maps["decoder"]).source)
    assert source["_query"].sample.dtype == torch.bfloat16
    assert source["value"].sample.dtype == torch.bfloat16
    assert vars(one(converted.maps["decoder"]).source)["_key"].sample.dtype == torch.float32
    rows = np.asarray(captured.maps["decoder"]).sum(axis=-1)
    np.testing.assert_allclose(rows, 1, atol=1e-5)


@pytest.mark.parametrize("name", ["bert", "gpt2", "llama", "bloom"])
def test_values_and_output_projections_make_the_output(name: str) -> None:
    model, kind = CASES[name][0](), next(iter(CASES[name][2].values()))
    outputs: list[Any] = []
    endings = ("attention.output.dense", "attn.c_proj", "o_proj", "attention.dense")
    hooks = [
        module.register_forward_hook(lambda *given: outputs.append(given[2]))
        for path, module in model.named_modules()
        if path.endswith(endings)
    ]
    with torch.no_grad(), aw.capture(model, values=True) as captured:
        model(IDS)
    for hook in hooks:
        hook.remove()
    found = one(captured.maps[kind])
    value = vars(found.source)["value"]
    for layer, projection in enumerate(captured.outputs[kind]):
        assert projection is not None
        total = torch.zeros(12, 32)
        for head in range(4):
            one_head = value.part(layer, head * value.shape[1] // 4, slice(0, 12))
            total += torch.from_numpy(found[layer, head]) @ one_head @ projection[head]
        # What is left is the bias of the projection, the same for every token.
        bias = outputs[layer][0] - total
        torch.testing.assert_close(bias, bias[:1].expand_as(bias), atol=1e-5, rtol=0)


def test_what_the_docs_say_runs() -> None:
    text = (Path(__file__).parents[2] / "docs" / "capture.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    config = transformers.LlamaConfig(**{**TEXT, "num_hidden_layers": 4})
    known = {
        "torch": torch,
        "model": made(transformers.LlamaForCausalLM, config),
        "inputs": {"input_ids": IDS},
        "words": [f"w{place}" for place in range(12)],
        "answer": 7,
    }
    for block in blocks:
        # Models and tokenizers that would have to be fetched.
        lines = [line for line in block.splitlines() if "tokenizer" not in line.lower()]
        exec("\n".join(line for line in lines if "from_pretrained" not in line), known)
    assert len(blocks) == 4
    captured: Any = known["captured"]
    assert captured.gradients["decoder"].shape == (4, 4, 12, 12)
