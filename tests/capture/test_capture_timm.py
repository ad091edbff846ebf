"""Capture of timm, in a process of its own: a torchvision comes with it that may not load."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch")

FOLDER = Path(sys.prefix) / "timm"

SCRIPT = """
import json, sys
import torch
sys.path.insert(0, sys.argv[1])
registered = torch.library.register_fake
torch.library.register_fake = lambda name, *args, **named: (
    (lambda function: function)
    if str(name).startswith("torchvision::")
    else registered(name, *args, **named)
)
import timm
torch.library.register_fake = registered
import numpy as np
import attn_widget as aw

torch.manual_seed(0)
torch.set_num_threads(1)
found = {}
for fused in (True, False):
    model = timm.create_model("vit_tiny_patch16_224", img_size=64, reg_tokens=2, depth=2).eval()
    expected = []
    for block in model.blocks:
        block.attn.fused_attn = fused
        block.attn.qkv.register_forward_hook(lambda *given: expected.append(given[2].detach()))
    pixels = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        plain = model(pixels)
        expected.clear()
        with aw.capture(model) as captured:
            output = model(pixels)
        pieces = [qkv.unflatten(2, (3, 3, 64)).permute(2, 0, 3, 1, 4) for qkv in expected]
        maps = torch.cat([(q @ k.mT / 8).softmax(-1) for q, k, _ in pieces])
    difference = np.abs(np.asarray(captured.maps["encoder"]) - maps.numpy()).max()
    found[str(fused)] = [
        bool(torch.equal(plain, output)),
        list(captured.maps["encoder"].shape),
        float(difference),
        captured.missed,
        list(captured.outputs["encoder"][0].shape),
    ]
print(json.dumps(found))
"""


def test_vision_transformer_fused_and_not() -> None:
    if not (FOLDER / "timm").is_dir():
        pytest.importorskip("timm")
    command = [sys.executable, "-c", SCRIPT, str(FOLDER)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert set(found) == {"True", "False"}
    for same, shape, difference, missed, output in found.values():
        assert same
        # 16 patches, [CLS] and two registers.
        assert (shape, missed, output) == ([2, 3, 19, 19], {}, [3, 64, 192])
        assert difference < 1e-6
