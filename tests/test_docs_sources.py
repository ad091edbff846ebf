"""The examples of docs/transformers.md and docs/live.md run as they stand."""

from __future__ import annotations

import re
from inspect import signature
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import attn_widget as aw

torch: Any = pytest.importorskip("torch")
pytest.importorskip("transformers")

DOCS = Path(__file__).parents[1] / "docs"


def blocks(name: str) -> list[str]:
    return re.findall(r"```python\n(.*?)```", (DOCS / name).read_text(encoding="utf-8"), re.DOTALL)


def test_of_what_a_model_returns() -> None:
    from models import model
    from test_tokenized import unigram

    tokenizer = unigram(True)
    made = blocks("transformers.md")
    assert len(made) == 5
    count = len(tokenizer("The cat sat on the mat.")["input_ids"])
    assert "The cat sat on the mat." in made[0]
    shares = torch.rand(2, 2, count, count).softmax(-1)
    names: dict[str, Any] = {
        "aw": aw,
        "model": model("LlamaForCausalLM"),
        "tokenizer": tokenizer,
        "cache": {f"blocks.{layer}.attn.hook_pattern": shares[:1] for layer in range(2)},
        "scores": shares,
        "alignment": shares[0],
    }
    for block in made:
        exec(block, names)
    assert names["outputs"].sequences.shape[1] > count


def test_of_live_maps() -> None:
    from models import ids, model

    llama = model("LlamaForCausalLM")
    module = torch.nn.MultiheadAttention(8, 2, batch_first=True)

    def advance(outputs: Any) -> dict[str, Any]:
        # Its name differs between versions of transformers.
        given = "cache" if "cache" in signature(llama.forward).parameters else "past_key_values"
        held = outputs.get("past_key_values", outputs.get("cache"))
        return {"input_ids": outputs.logits[:, -1:].argmax(-1), "use_cache": True, given: held}

    names: dict[str, Any] = {
        "aw": aw,
        "model": module,
        "attention": lambda _: aw.Attention(np.full((3, 3), 1 / 3)),
        "train": lambda _: 0.5,
        "module": module,
        "recorder_of_module": aw.Recorder(),
        "recorder_of_trainer": aw.Recorder(),
        "decoder": llama,
        "following": {"input_ids": ids(), "use_cache": True},
        "advance": advance,
    }
    made = blocks("live.md")
    assert len(made) == 4
    for block in made:
        exec(block, names)
    assert names["recorder"].steps[-1].name == "step 100, loss 0.5"
    assert len(names["recorder"]) == 11
    assert names["view"].attention.shape == (2, 2, 10, 10)
    names["handle"].remove()
