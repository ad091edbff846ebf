"""Measure the overlay of `attn_widget` on grids of patches and a joint sequence; see README.md."""

from __future__ import annotations

from sizes import parser, survey
from views import View

# Soft shapes and noise stand in for a photograph: they compress like one. Queries and keys know
# where their patch lies (waves along both sides): weights fall around it, as in vision models.
SETUP = """
import numpy as np
import attn_widget as aw

def photograph(height, width):
    drawn = np.random.default_rng(0)
    y, x = np.ogrid[:height, :width]
    waves = [np.sin(a * y / height + b * x / width) for a, b in ((7, 3), (4, 9), (11, 5))]
    return np.stack([
        (128 + 80 * wave + 8 * drawn.standard_normal((height, width), np.float32)).astype(np.uint8)
        for wave in waves
    ], axis=-1)

def places(rows, cols):
    y, x = np.divmod(np.arange(rows * cols), cols)
    turns = np.arange(1, 9) / 3
    angles = [side[:, None] * turns for side in (y / rows * np.pi, x / cols * np.pi)]
    waves = [turn(angle) for angle in angles for turn in (np.sin, np.cos)]
    return np.concatenate(waves, axis=1).astype(np.float32)

def vectors(seed, layers, heads, words, rows, cols):
    drawn = np.random.default_rng(seed)
    noise = drawn.standard_normal((layers, heads, words + rows * cols, 64), np.float32)
    sharp = np.linspace(0.5, 3, heads, dtype=np.float32)[:, None, None]
    noise[..., words:, :32] += sharp * places(rows, cols)
    return noise

def attention(layers, heads, words, rows, cols, image):
    axis = [aw.Patches(rows, cols, image=image)]
    if words:
        axis.insert(0, aw.Tokens(words))
    q, k = (vectors(seed, layers, heads, len(words), rows, cols) for seed in (0, 1))
    return aw.Attention.from_qk(q, k, axis)

def held(map_):
    return aw.Attention(np.asarray(map_), list(map_.queries.segments))
"""
HEADS = 16
SOURCE = "queries and keys that know their patch"


def _view(
    name: str, title: str, words: int, side: int, map_: str, state: str = 'combine="mean"'
) -> View:
    tokens = words + side * side
    return View(
        name,
        "overlay",
        "overlay_words" if name.endswith("words") else "overlay",
        title,
        SOURCE,
        2 * HEADS * tokens**2,
        tokens,
        1 if "mean" in state else HEADS,
        f"{SETUP}\nshown = {map_}",
        f"aw.overlay(shown, {state})",
        layers=("1", "0", "1", "0"),
        drag="words" not in name,
    )


def _grid(side: int, height: int = 1024, width: int = 1024) -> str:
    return f'held(attention(2, {HEADS}, ["[CLS]"], {side}, {side}, photograph({height}, {width})))'


_SAM = f"attention(2, {HEADS}, [], 64, 64, photograph(1024, 1024))"
_WORDS = '[f"word{at}" for at in range(512)]'
_JOINT = f"attention(2, {HEADS}, {_WORDS}, 64, 64, photograph(1024, 1024))"
# Where the layer isn't in the page, one query is what a picture can be of.
_PINNED = 'combine="mean", pinned_queries=({},)'
CASES = (
    _view("overlay-14", "[CLS] and 14 × 14 patches, mean of 16 heads", 1, 14, _grid(14)),
    _view(
        "overlay-14-each",
        "[CLS] and 14 × 14 patches, 16 heads side by side",
        1,
        14,
        _grid(14),
        'combine="each"',
    ),
    _view("overlay-24", "[CLS] and 24 × 24 patches, mean of 16 heads", 1, 24, _grid(24)),
    _view(
        "overlay-64",
        "64 × 64 patches, mean of 16 heads",
        0,
        64,
        _SAM,
        _PINNED.format(2080),
    ),
    _view(
        "overlay-joint",
        "512 words and 64 × 64 patches, mean of 16 heads, pointing at patches",
        512,
        64,
        _JOINT,
        _PINNED.format(3),
    ),
    _view(
        "overlay-joint-words",
        "512 words and 64 × 64 patches, mean of 16 heads, pointing at words",
        512,
        64,
        _JOINT,
        _PINNED.format(3),
    ),
    _view(
        "overlay-24mp",
        "[CLS] and 14 × 14 patches on 24 megapixels, mean of 16 heads",
        1,
        14,
        _grid(14, 4000, 6000),
    ),
)


def main() -> None:
    survey(parser(__doc__, [case.name for case in CASES]).parse_args(), "overlay", CASES)


if __name__ == "__main__":
    main()
