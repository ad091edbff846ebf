"""Masks read as rules, keys kept once, leading axes brought into one form."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

from torch import Tensor  # noqa: E402

from attn_widget import Attention  # noqa: E402
from attn_widget.capture.masks import read_masking  # noqa: E402
from attn_widget.capture.memory import Memory  # noqa: E402
from attn_widget.capture.shapes import relead, repeats  # noqa: E402
from attn_widget.capture.sources import RaggedSource  # noqa: E402
from attn_widget.qk.rules import Reach  # noqa: E402
from attn_widget.sources import ArraySource  # noqa: E402


@st.composite
def masks(draw: st.DrawFn) -> tuple[Tensor, int, int]:
    """Masks of the sort that models make, and others, (batch, 1, queries, keys)."""
    queries, keys = draw(st.integers(1, 9)), draw(st.integers(1, 9))
    rows, columns = torch.arange(queries)[:, None], torch.arange(keys)
    allowed = torch.ones(queries, keys, dtype=torch.bool)
    offset = draw(st.sampled_from([0, keys - queries, draw(st.integers(-3, 8))]))
    if draw(st.booleans()):
        allowed &= columns <= rows + offset
    if draw(st.booleans()):
        window = draw(st.integers(1, 9))
        allowed &= (columns > rows + offset - window) & (columns < rows + offset + window)
    batch = allowed.expand(draw(st.integers(1, 3)), 1, queries, keys).clone()
    if draw(st.booleans()):
        for entry in batch:
            entry[..., draw(st.integers(0, keys)) :] = False
    if draw(st.booleans()):
        batch[draw(st.integers(0, len(batch) - 1)), 0, draw(st.integers(0, queries - 1))] = True
    return batch, queries, keys


@given(masks(), st.booleans())
def test_rules_and_what_is_left_say_what_the_mask_said(
    mask: tuple[Tensor, int, int], added: bool
) -> None:
    allowed, queries, keys = mask
    table = torch.zeros(allowed.shape).masked_fill(~allowed, -torch.inf) if added else allowed
    found = read_masking([table], queries, keys, lambda kept: kept)
    assert found.bias is None
    reach = Reach(keys, found.causal, found.window, found.offset)
    beyond = reach.beyond(slice(0, queries), slice(0, keys))
    said = np.ones((queries, keys), dtype=bool) if beyond is None else ~beyond
    left = True if found.allowed is None else found.allowed.numpy()
    np.testing.assert_array_equal(np.broadcast_to(said & left, allowed.shape), allowed)


@pytest.mark.parametrize("window", [None, 3])
@pytest.mark.parametrize("offset", [0, 4])
def test_plain_rules_leave_no_table(offset: int, window: int | None) -> None:
    queries, keys = 8, 8 + offset
    places = torch.arange(queries)[:, None] + offset
    allowed = torch.arange(keys) <= places
    if window is not None:
        allowed &= torch.arange(keys) > places - window
    found = read_masking([allowed[None, None]], queries, keys, lambda kept: kept)
    expected_keys = None if window is None or offset == 0 else (1, 1, 1, keys)
    assert (found.causal, found.offset, found.window) == (True, offset, window)
    assert (None if found.allowed is None else found.allowed.shape) == expected_keys
    around = (torch.arange(8) - torch.arange(8)[:, None]).abs() < 3
    found = read_masking([around[None, None]], 8, 8, lambda kept: kept)
    assert (found.causal, found.window, found.allowed) == (False, 3, None)


def test_padding_is_kept_by_key_and_biases_as_they_are_given() -> None:
    padding = torch.arange(6) < torch.tensor([6, 4])[:, None]
    table = padding[:, None, None].expand(2, 4, 6, 6)
    found = read_masking([table], 6, 6, lambda kept: kept)
    assert found.allowed is not None
    assert found.allowed.shape == (2, 1, 1, 6)
    bias = torch.randn(1, 4, 6, 6)
    causal = torch.ones(6, 6, dtype=torch.bool).tril()[None, None]
    found = read_masking([bias, causal], 6, 6, lambda kept: kept)
    assert found.bias is not None
    assert (found.causal, found.allowed, found.bias.shape) == (True, None, (1, 4, 6, 6))
    both = bias.masked_fill(~causal, -torch.inf)
    found = read_masking([both], 6, 6, lambda kept: kept)
    assert found.causal, "how far a bias reaches is known"


def test_a_memory_takes_only_what_goes_on_from_it() -> None:
    key = torch.randn(2, 3, 5, 4)
    new = torch.randn(2, 3, 2, 4)
    memory = Memory(key, None)
    assert memory.extend(torch.cat([key + 1e-7, new], dim=2), None, 2, torch.clone) is None
    assert memory.extend(torch.cat([key, new], dim=2), None, 1, torch.clone) is None
    assert len(memory) == 5
    # Only the last three are in the cache any longer.
    found = memory.extend(torch.cat([key[:, :, 2:], new], dim=2), None, 2, torch.clone)
    assert found is not None
    assert (found[0], list(found[1]), len(memory)) == (2, [0, 1], 7)
    every = torch.cat([key, new], dim=2)
    torch.testing.assert_close(memory.keys(1, memory.step), every[1])
    # Entries that changed places are followed back.
    last = torch.randn(2, 3, 1, 4)
    turned = torch.cat([every.flip(0), last], dim=2)
    found = memory.extend(turned, None, 1, torch.clone)
    assert found is not None
    assert (found[0], list(found[1])) == (0, [1, 0])
    torch.testing.assert_close(memory.keys(0, memory.step), turned[0])
    torch.testing.assert_close(memory.keys(0, 1), every[0])


@given(st.data())
def test_tables_keep_their_meaning_under_other_leading_axes(data: st.DataObject) -> None:
    lead = tuple(data.draw(st.lists(st.integers(1, 3), min_size=1, max_size=3)))
    total = int(np.prod(lead))
    heads = data.draw(st.sampled_from([size for size in range(1, total + 1) if total % size == 0]))
    own = [data.draw(st.sampled_from([1, size])) for size in lead]
    table = torch.arange(int(np.prod(own)) * 6).reshape(*own, 2, 3)
    found = relead(table, lead, (total // heads, heads))
    expected = table.expand(*lead, 2, 3).reshape(total // heads, heads, 2, 3)
    torch.testing.assert_close(found.expand_as(expected), expected)


@given(st.sampled_from([1, 2, 3, 6]))
def test_repeated_heads_are_recognised(count: int) -> None:
    few = torch.randn(2, 6 // count, 4, 3, generator=torch.Generator().manual_seed(count))
    assert repeats(few.repeat_interleave(count, dim=1)) == count
    one_differs = few.repeat_interleave(count, dim=1).clone()
    one_differs[1, -1, -1, -1] += 1
    assert repeats(one_differs) == 1 or count == 1 or 6 // count > 1


def test_rows_below_each_other_with_keys_of_their_own() -> None:
    rng = np.random.default_rng(0)
    first, second = (rng.random((2, 3, 4)).astype("f4"), rng.random((2, 1, 3)).astype("f4"))
    source = RaggedSource([(ArraySource(first), 0), (ArraySource(second), 2)])
    expected = np.zeros((1, 2, 4, 5), dtype="f4")
    expected[0, :, :3, :4] = first
    expected[0, :, 3:, 2:] = second
    found = Attention(source)
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(found[0, 1, 1:, 1:4], expected[0, 1, 1:, 1:4])
