"""Models of transformers, tiny and random, one for each family of outputs."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib import import_module
from typing import Any

import torch

# Untyped: configurations take more than their signatures say.
transformers: Any = import_module("transformers")

TINY: dict[str, Any] = {
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 16,
}
VISION: dict[str, Any] = {**TINY, "image_size": 32, "patch_size": 8}
VOCABULARY = 60


@cache
def model(name: str, attention: str = "eager") -> Any:
    """A model by the name of its class, with the same weights every time."""
    torch.manual_seed(0)
    made = getattr(transformers, name)._from_config(CONFIGS[name](), attn_implementation=attention)
    return made.eval()


def ids(count: int = 6, batch: int = 1) -> torch.Tensor:
    """Random token ids without special ones."""
    drawn = torch.Generator().manual_seed(count + batch)
    return torch.randint(5, VOCABULARY - 5, (batch, count), generator=drawn)


def pixels(height: int = 32, width: int = 32) -> torch.Tensor:
    """A random image, as models take it."""
    return torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(0))


def _resnet() -> Any:
    return transformers.ResNetConfig(
        embedding_size=8,
        hidden_sizes=[8, 8, 8, 8],
        depths=[1, 1, 1, 1],
        layer_type="basic",
        out_features=["stage4"],
    )


def _detr(name: str, **more: Any) -> Any:
    return getattr(transformers, name)(
        use_timm_backbone=False,
        use_pretrained_backbone=False,
        backbone=None,
        backbone_config=_resnet(),
        d_model=32,
        encoder_layers=2,
        decoder_layers=2,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=16,
        decoder_ffn_dim=16,
        num_queries=5,
        **more,
    )


def _llama() -> Any:
    return transformers.LlamaConfig(
        vocab_size=VOCABULARY, num_key_value_heads=1, head_dim=8, **TINY
    )


CONFIGS: dict[str, Callable[[], Any]] = {
    "BertModel": lambda: transformers.BertConfig(vocab_size=VOCABULARY, **TINY),
    "GPT2LMHeadModel": lambda: transformers.GPT2Config(
        vocab_size=VOCABULARY, n_embd=16, n_layer=2, n_head=2, n_positions=64
    ),
    "LlamaForCausalLM": _llama,
    "MistralForCausalLM": lambda: transformers.MistralConfig(
        vocab_size=VOCABULARY, num_key_value_heads=1, head_dim=8, sliding_window=4, **TINY
    ),
    "T5ForConditionalGeneration": lambda: transformers.T5Config(
        vocab_size=VOCABULARY,
        d_model=16,
        d_kv=8,
        d_ff=16,
        num_layers=2,
        num_heads=2,
        decoder_start_token_id=0,
    ),
    "ViTModel": lambda: transformers.ViTConfig(**VISION),
    "CLIPModel": lambda: transformers.CLIPConfig(
        text_config={"vocab_size": VOCABULARY, "eos_token_id": 2, **TINY},
        vision_config={**VISION, "num_hidden_layers": 3},
        projection_dim=8,
    ),
    "DetrForObjectDetection": lambda: _detr("DetrConfig"),
    "DeformableDetrForObjectDetection": lambda: _detr("DeformableDetrConfig", num_feature_levels=1),
    "LlavaForConditionalGeneration": lambda: transformers.LlavaConfig(
        vision_config=transformers.CLIPVisionConfig(**VISION),
        text_config=_llama(),
        image_token_index=VOCABULARY - 1,
        vision_feature_layer=-1,
    ),
    "PerceiverForMaskedLM": lambda: transformers.PerceiverConfig(
        num_latents=4,
        d_latents=16,
        d_model=16,
        num_blocks=1,
        num_self_attends_per_block=2,
        num_self_attention_heads=2,
        num_cross_attention_heads=2,
        vocab_size=VOCABULARY,
        max_position_embeddings=10,
    ),
    "SwinModel": lambda: transformers.SwinConfig(
        image_size=32, patch_size=2, embed_dim=8, depths=[1, 1], num_heads=[2, 4], window_size=4
    ),
    "LongformerModel": lambda: transformers.LongformerConfig(
        vocab_size=VOCABULARY, attention_window=4, max_position_embeddings=64, **TINY
    ),
}
