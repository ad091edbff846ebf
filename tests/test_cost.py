"""What attention costs: published numbers, and counts made one pair at a time."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import attn_widget as aw
from attn_widget.cost import FORMULAS, cost_line
from attn_widget.qk.rules import Reach
from attn_widget.units import in_units


class TestPublishedNumbers:
    def test_attention_of_a_vision_transformer(self) -> None:
        assert aw.cost(197, heads=12, head_dim=64).attention_flops == 119_221_248

    def test_training_of_a_token(self) -> None:
        """PaLM counts 12 · L · H · Q · T."""
        one = aw.cost(1, heads=1, head_dim=1)
        assert 3 * one.attention_flops == 12
        assert one.training_flops == 12 + 3 * 8 + 3 * 5

    @pytest.mark.parametrize(
        ("sizes", "per_token"),
        [
            ({"heads": 40, "head_dim": 128, "layers": 40}, 819_200),
            ({"heads": 32, "head_dim": 128, "layers": 32}, 524_288),
            ({"heads": 32, "head_dim": 128, "layers": 32, "kv_heads": 8}, 131_072),
        ],
        ids=["OPT-13B", "Llama-2-7B", "Llama-3-8B"],
    )
    def test_cache(self, sizes: dict[str, Any], per_token: int) -> None:
        found = aw.cost(100, batch=2, **sizes)
        assert found.kv_cache_bytes_per_token == per_token
        assert found.kv_cache_bytes == 2 * 100 * per_token

    @pytest.mark.parametrize(
        ("length", "heads", "layers", "dtype", "size"),
        [
            (128, 12, 12, "float32", 9_437_184),
            (197, 12, 12, "float32", 22_353_984),
            (640, 32, 32, "float16", 838_860_800),
            (4096, 32, 32, "float16", 34_359_738_368),
            (4096, 1, 1, "uint8", 16_777_216),
        ],
    )
    def test_maps(self, length: int, heads: int, layers: int, dtype: str, size: int) -> None:
        found = aw.cost(length, heads=heads, head_dim=64, layers=layers, dtype=dtype)
        assert found.map_bytes == size
        assert found.naive_bytes == 2 * size

    def test_crossover(self) -> None:
        assert aw.cost(5, heads=12, head_dim=64).crossover == 1536
        # A causal map has half the pairs: (n + 1) / 2 = 2 · D.
        assert aw.cost(5, heads=12, head_dim=64, causal=True).crossover == 4 * 768 - 1
        assert aw.cost(5, heads=12, head_dim=64, kv_heads=3).crossover == 768 + 3 * 64
        assert aw.cost(5, heads=12, head_dim=64, causal=True, window=1000).crossover is None

    def test_pairs(self) -> None:
        assert aw.cost(8, heads=1, head_dim=1, causal=True).pairs == 36
        assert aw.cost(8, heads=1, head_dim=1, causal=True, window=4).pairs == 26

    def test_fused_attention_holds_output_and_log_sum_exp(self) -> None:
        found = aw.cost(10, 20, heads=3, head_dim=8, batch=2, layers=4, kv_heads=1)
        assert found.fused_bytes == 4 * 2 * 3 * 10 * (8 * 2 + 4)
        assert found.qk_bytes == 4 * 2 * ((3 * 10 + 20) * 8 * 2 + 4 * 3 * 10)

    def test_projections(self) -> None:
        assert aw.cost(7, heads=4, head_dim=8).projection_flops == 8 * 7 * 32**2
        grouped = aw.cost(7, heads=4, head_dim=8, kv_heads=2)
        assert grouped.projection_flops == 4 * 7 * 32**2 + 4 * 7 * 32 * 16
        crossed = aw.cost(7, 9, heads=4, head_dim=8)
        assert crossed.projection_flops == 4 * 7 * 32**2 + 4 * 9 * 32**2
        # Cached keys have been projected before.
        step = aw.cost(1, 9, heads=4, head_dim=8, causal=True)
        assert step.projection_flops == 8 * 32**2
        assert step.attention_flops == 4 * 4 * 9 * 8
        wide = aw.cost(7, heads=4, head_dim=8, model_dim=100)
        assert wide.projection_flops == 8 * 7 * 100 * 32


@given(st.integers(1, 30), st.integers(1, 30), st.booleans(), st.none() | st.integers(1, 40))
def test_pairs_are_those_in_reach(
    queries: int, keys: int, causal: bool, window: int | None
) -> None:
    found = aw.cost(queries, keys, heads=1, head_dim=1, causal=causal, window=window)
    reach = Reach(keys, causal, window, keys - queries if causal else 0)
    first, stop = reach.bounds(np.arange(queries))
    assert found.pairs == (stop - first).sum()


@given(
    st.integers(1, 1000), st.integers(1, 4), st.integers(1, 64), st.booleans(), st.integers(1, 9)
)
def test_layers_and_batch_multiply(
    length: int, heads: int, size: int, causal: bool, times: int
) -> None:
    one = aw.cost(length, heads=heads, head_dim=size, causal=causal)
    many = aw.cost(length, heads=heads, head_dim=size, causal=causal, layers=times)
    batch = aw.cost(length, heads=heads, head_dim=size, causal=causal, batch=times)
    for name in FORMULAS:
        assert getattr(many, name) == times * getattr(one, name)
        factor = 1 if name.endswith("per_token") else times
        assert getattr(batch, name) == factor * getattr(one, name)
    assert many.per_layer == one
    assert many.crossover == batch.crossover == one.crossover


@given(st.integers(1, 200), st.booleans(), st.none() | st.integers(1, 300))
def test_crossover_is_the_first_length(size: int, causal: bool, window: int | None) -> None:
    found = aw.cost(1, heads=1, head_dim=size, causal=causal, window=window)
    length = found.crossover
    if length is None:
        at = found.at(10_000_000)
        assert at.attention_flops < at.projection_flops
    else:
        assert found.at(length).attention_flops >= found.at(length).projection_flops
        if length > 1:
            before = found.at(length - 1)
            assert before.attention_flops < before.projection_flops


@pytest.mark.parametrize("dtype", ["bfloat16", "float16", np.float16, np.dtype("f2")])
def test_names_of_dtypes(dtype: object) -> None:
    assert aw.cost(4, heads=1, head_dim=1, dtype=dtype).map_bytes == 32


def test_dtypes_of_torch() -> None:
    torch = pytest.importorskip("torch")
    for dtype, size in ((torch.bfloat16, 2), (torch.float32, 4), (torch.float8_e4m3fn, 1)):
        assert aw.cost(4, heads=1, head_dim=1, dtype=dtype).map_bytes == 16 * size


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"heads": 0}, ValueError, "heads must be at least 1; got 0"),
        ({"heads": 2.0}, TypeError, "heads must be an int; got 2.0"),
        ({"window": True}, TypeError, "window must be an int; got True"),
        ({"heads": 3, "kv_heads": 2}, ValueError, "multiple of kv_heads; got 3 and 2"),
        ({"dtype": "floot"}, TypeError, "dtype must name a number type; got 'floot'"),
    ],
)
def test_what_is_refused(options: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        aw.cost(3, **{"heads": 1, "head_dim": 4, **options})


class TestWords:
    def test_of_one_layer(self) -> None:
        lines = repr(aw.cost(197, heads=12, head_dim=64)).splitlines()
        assert lines[0] == "Cost: 12 heads × 197 × 197, head_dim 64, float16"
        assert lines[1].split() == ["attention", "flops", "119", "MFLOPs"]
        assert lines[-1].split() == ["crossover", "1,536", "tokens"]

    def test_of_several(self) -> None:
        found = aw.cost(
            4096, heads=32, head_dim=128, kv_heads=8, layers=32, batch=2, causal=True, window=99
        )
        lines = repr(found).splitlines()
        assert lines[0] == (
            "Cost: 32 layers × 32 heads (8 with keys) × 4,096 × 4,096, head_dim 128, float16, "
            "batch 2, causal, window 99"
        )
        assert lines[1].split() == ["a", "layer", "in", "total"]
        assert lines[5].split() == ["map", "bytes", "2.15", "GB", "68.7", "GB"]

    def test_sentence(self) -> None:
        assert aw.cost(121, heads=12, head_dim=32, layers=6, dtype="float32").sentence == (
            "6 layers × 12 heads × 121 × 121 weights: 4.22 MB as float32; attention takes "
            "22.5 MFLOPs a layer"
        )

    def test_line_of_a_map(self) -> None:
        stored = aw.Attention(np.zeros((6, 12, 121, 121), dtype=np.float16))
        line = "6 layers × 12 heads × 121 × 121 weights: 2.11 MB as float16"
        assert cost_line(stored) == line
        double = aw.Attention(np.zeros((2, 3)))
        assert cost_line(double) == "2 × 3 weights: 48 B as float64"
        rng = np.random.default_rng(0)
        computed = aw.Attention.from_qk(*rng.standard_normal((2, 2, 3, 4)))
        assert cost_line(computed) == (
            "2 heads × 3 × 3 weights: 72 B as float32; computing all scores takes 144 FLOPs"
        )

    @pytest.mark.parametrize(
        ("number", "text"),
        [
            (0, "0 B"), (7, "7 B"), (999, "999 B"), (1000, "1.00 kB"), (999_499, "999 kB"),
            (999_500, "1.00 MB"), (9_437_184, "9.44 MB"), (99_949, "99.9 kB"), (99_950, "100 kB"),
            (34_359_738_368, "34.4 GB"), (1.5, "1.50 B"), (0.0312, "31.2 mB"),
            (9.996e-7, "1.00 µB"),
        ],
    )  # fmt: skip
    def test_numbers(self, number: float, text: str) -> None:
        assert in_units(number, "B") == text


def test_frames() -> None:
    pytest.importorskip("pandas")
    found = aw.cost(10, heads=2, head_dim=4, layers=3)
    frame = found.to_frame().set_index("quantity")
    assert [*frame.index] == [*FORMULAS]
    assert frame.loc["map_bytes", "total"] == 3 * frame.loc["map_bytes", "per_layer"] == 1200
    assert frame.loc["attention_flops", "unit"] == "FLOPs"
    lengths = found.to_frame([10, 20])
    assert [*lengths["length"]] == [10, 20]
    assert [*lengths["map_bytes"]] == [1200, 4800]
