"""What `sizes.py` shows: views of the widget at several sizes, and what other packages offer."""

from __future__ import annotations

import re
from dataclasses import dataclass

TILED = (
    "def tiled(times):\n"
    "    return [np.tile(data[name], (1, 1, times, 1)) for name in ('q', 'k')]\n"
    "def softmax(q, k):\n"
    "    logits = q @ k.swapaxes(-1, -2) / np.sqrt(q.shape[-1])\n"
    "    weights = np.exp(logits - logits.max(-1, keepdims=True))\n"
    "    return weights / weights.sum(-1, keepdims=True)\n"
    "def first(n):\n"
    "    return softmax(data['q'][:, :, :n], data['k'][:, :, :n])\n"
    "def normal(seed, *shape, dtype=np.float32):\n"
    "    drawn = np.random.default_rng(seed).standard_normal(shape, np.float32)\n"
    "    return drawn.astype(dtype, copy=False)\n"
)
IMPORTS = "import numpy as np\ndata = np.load(PATH)\ntokens = data['tokens'].tolist()\n" + TILED
OURS = "import attn_widget as aw\n" + IMPORTS
REAL = "MiniLM's weights"
REPEATED = "MiniLM's queries and keys, repeated along the text"
RANDOM = "normally distributed queries and keys"


@dataclass(frozen=True)
class View:
    """One picture of one map.

    Attributes:
        name: Short and unique; what `--only` selects by.
        group: "lines", "matrix", "heads" or "overlay".
        tool: What probe.js knows it by.
        title: What is shown, for the tables.
        source: Where its numbers come from.
        weights: Numbers in the map, if it were written out.
        tokens: Number of positions.
        heads: Number of heads shown at once.
        setup: The cell before; imports and the map in the form that the tool takes.
        show: The cell that is timed.
        layers: Values of the layer control to switch to, in turn.
        drag: Whether the picture is zoomed in and dragged.
        scroll: Whether the picture is scrolled.
        pin: Whether a token is pinned before the layer is switched.
    """

    name: str
    group: str
    tool: str
    title: str
    source: str
    weights: int
    tokens: int
    heads: int
    setup: str
    show: str
    layers: tuple[str, ...] = ()
    drag: bool = False
    scroll: bool = False
    pin: bool = False

    @property
    def ours(self) -> bool:
        """Whether it is a view of the widget."""
        return self.tool in ("lines", "matrix", "heads", "overlay", "overlay_words")


def _lines(name: str, title: str, source: str, shape: tuple[int, int, int], map_: str) -> View:
    layers, heads, tokens = shape
    whole = "whole" in name
    return View(
        name,
        "lines",
        "lines",
        title,
        source,
        layers * heads * tokens**2,
        tokens,
        heads,
        OURS + map_,
        "aw.lines(attention, whole=True)" if whole else "aw.lines(attention)",
        layers=("1", "0", "1", "0"),
        pin=not whole,
    )


def _matrix(
    name: str, title: str, source: str, shape: tuple[int, int, int], map_: str, heads: str
) -> View:
    layers, count, tokens = shape
    return View(
        name,
        "matrix",
        "matrix",
        title,
        source,
        layers * count * tokens**2,
        tokens,
        count if heads == "()" else 1,
        OURS + map_,
        f"aw.matrix(attention, heads={heads})",
        layers=("1", "0", "1", "0") if layers > 1 else (),
        drag=True,
    )


def _heads(name: str, title: str, source: str, shape: tuple[int, int, int], map_: str) -> View:
    layers, heads, tokens = shape
    weights = layers * heads * tokens**2
    return View(
        name,
        "heads",
        "heads",
        title,
        source,
        weights,
        tokens,
        layers * heads,
        OURS + map_,
        "aw.heads(attention)",
        scroll=True,
    )


_REGROUPED = (
    "weights = first(512).reshape(72, 512, 512)[:64].reshape(2, 32, 512, 512)\n"
    "attention = aw.Attention(weights, tokens)"
)
_LONG = (
    "times = {0} // len(tokens)\nattention = aw.Attention.from_qk(*tiled(times), tokens * times)"
)
_HUGE = "attention = aw.Attention.from_qk(*(normal(seed, 8, 131072, 64) for seed in (0, 1)))"
_LLAMA = (
    "q, k = (normal(seed, 32, n, 4096, 64, dtype=np.float16) for seed, n in ((0, 32), (1, 8)))\n"
    "attention = aw.Attention.from_qk(q, k, causal=True)"
)
_MANY = (
    "weights = first({0}).astype(np.float16).reshape(72, {0}, {0})\n"
    "weights = np.tile(weights, ({1}, 1, 1)).reshape({2}, {2}, {0}, {0})\n"
    "attention = aw.Attention(weights, tokens[:{0}])"
)
OWN = (
    _lines("lines-512", "32 heads × 512 tokens, one token's lines", REAL, (2, 32, 512), _REGROUPED),
    _lines("lines-512-whole", "32 heads × 512 tokens, all lines", REAL, (2, 32, 512), _REGROUPED),
    _lines(
        "lines-2048",
        "12 heads × 2,048 tokens, one token's lines",
        REPEATED,
        (6, 12, 2048),
        _LONG.format(2048),
    ),
    _lines(
        "lines-2048-whole",
        "12 heads × 2,048 tokens, all lines",
        REPEATED,
        (6, 12, 2048),
        _LONG.format(2048),
    ),
    _matrix(
        "matrix-512",
        "one head, 512 tokens",
        REAL,
        (6, 12, 512),
        "attention = aw.Attention(first(512), tokens)",
        "(0,)",
    ),
    _matrix(
        "matrix-4096",
        "one head, 4,096 tokens",
        REPEATED,
        (6, 12, 4096),
        _LONG.format(4096),
        "(0,)",
    ),
    _matrix("matrix-131072", "one head, 131,072 tokens", RANDOM, (1, 8, 131072), _HUGE, "(0,)"),
    _matrix(
        "matrix-131072-all", "mean of 8 heads, 131,072 tokens", RANDOM, (1, 8, 131072), _HUGE, "()"
    ),
    _heads(
        "heads-12",
        "12 × 12 heads, 128 tokens",
        REAL + ", each head twice, float16",
        (12, 12, 128),
        _MANY.format(128, 2, 12),
    ),
    _heads(
        "heads-32",
        "32 × 32 heads, 4,096 tokens",
        RANDOM + ", causal, 8 key heads a layer, float16",
        (32, 32, 4096),
        _LLAMA,
    ),
    _heads(
        "heads-48",
        "48 × 48 heads, 256 tokens",
        REAL + ", each head 32 times, float16",
        (48, 48, 256),
        _MANY.format(256, 32, 48),
    ),
)


@dataclass(frozen=True)
class Ladder:
    """One picture of another package, larger and larger until it takes too long.

    Attributes:
        name: Short and unique; what `--only` selects by.
        title: The package's function.
        heads: Heads in a picture.
        sizes: Numbers of tokens.
        setup: The cell before, `N` standing for the tokens.
        show: The cell that is timed.
        tool: What probe.js knows it by.
        group: The view of ours that it stands against.
    """

    name: str
    title: str
    heads: int
    sizes: tuple[int, ...]
    setup: str
    show: str
    tool: str
    group: str

    def view(self, size: int) -> View:
        """Return the picture for some number of tokens."""
        return View(
            f"{self.name}-{size}",
            self.group,
            self.tool,
            f"{self.title}, {size:,} tokens",
            REAL if size <= 512 else REPEATED,
            self.heads * size**2,
            size,
            self.heads,
            IMPORTS + re.sub(r"\bN\b", str(size), self.setup),
            self.show,
        )


_HEADS_OF = "weights = first(N).reshape(72, N, N)"
_ONE = "weights = softmax(*(a[0, 0, :N] for a in tiled(-(-N // len(tokens))))).astype(np.float32)"
OTHERS = (
    Ladder(
        "bertviz",
        "BertViz `head_view`, 32 heads",
        32,
        (64, 128, 256),
        f"import torch\nfrom bertviz import head_view\n{_HEADS_OF}\n"
        "attention = [torch.from_numpy(weights[:32])[None]]\ntokens = tokens[:N]",
        "head_view(attention, tokens)",
        "bertviz",
        "lines",
    ),
    Ladder(
        "treescope",
        "treescope `render_array`, one head",
        1,
        (512, 1024, 2048, 4096),
        f"import treescope\n{_ONE}",
        "treescope.render_array(weights)",
        "treescope",
        "matrix",
    ),
    Ladder(
        "circuitsvis",
        "CircuitsVis `attention_pattern`, one head",
        1,
        (128, 256, 512, 1024),
        f"import circuitsvis\nfrom circuitsvis.attention import attention_pattern\n{_ONE}\n"
        "tokens = (tokens * -(-N // len(tokens)))[:N]",
        "attention_pattern(tokens, weights, mask_upper_tri=False)",
        "circuitsvis",
        "matrix",
    ),
    Ladder(
        "circuitsvis-heads",
        "CircuitsVis `attention_heads`, 144 heads",
        144,
        (32, 64, 128),
        f"import circuitsvis\nfrom circuitsvis.attention import attention_heads\n{_HEADS_OF}\n"
        "weights = np.tile(weights, (2, 1, 1))\ntokens = tokens[:N]",
        "attention_heads(weights, tokens, mask_upper_tri=False)",
        "circuitsvis",
        "heads",
    ),
    Ladder(
        "bertviz-heads",
        "BertViz `model_view`, 12 × 12 heads",
        144,
        (16, 32, 64),
        f"import torch\nfrom bertviz import model_view\n{_HEADS_OF}\n"
        "weights = np.tile(weights, (2, 1, 1)).reshape(12, 12, N, N)\n"
        "attention = [torch.from_numpy(layer)[None] for layer in weights]\ntokens = tokens[:N]",
        "model_view(attention, tokens)",
        "bertviz_heads",
        "heads",
    ),
)
