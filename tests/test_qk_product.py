"""Plain products of vectors, read in parts."""

from __future__ import annotations

import numpy as np
import pytest

from attn_widget import Attention
from attn_widget.qk.product import ProductSource


@pytest.mark.parametrize("tensors", [True, False])
def test_products_are_read_in_parts(tensors: bool) -> None:
    rng = np.random.default_rng(0)
    left, right = rng.standard_normal((2, 4, 5, 3)), rng.standard_normal((2, 2, 6, 3))
    expected = left @ np.repeat(right, 2, axis=1).swapaxes(2, 3)
    parts: tuple[object, object] = (left, right)
    if tensors:
        torch = pytest.importorskip("torch")
        parts = (torch.from_numpy(left), torch.from_numpy(right))
    found = Attention(ProductSource(*parts), kind="relevance")
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    np.testing.assert_allclose(found[1, 3, 2:4, 1], expected[1, 3, 2:4, 1], rtol=1e-6)


def test_parts_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="one D, their last axis"):
        ProductSource(np.zeros((2, 3, 4)), np.zeros((2, 3, 5)))
