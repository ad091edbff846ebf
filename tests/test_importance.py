"""Heads that an answer hangs on, keys that receive out of proportion, heads that find things."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import attn_widget as aw
from attn_widget import evidence as e

Rows = Callable[..., NDArray[np.float32]]


class TestImportance:
    def test_is_how_a_loss_changes_with_a_gate_on_the_head(self) -> None:
        torch: Any = pytest.importorskip("torch")
        torch.manual_seed(0)
        weights = torch.softmax(torch.randn(2, 3, 4, 5, dtype=torch.float64), -1)
        weights.requires_grad_()
        values = torch.randn(2, 3, 5, 6, dtype=torch.float64)
        gates = torch.ones(2, 3, 1, 1, dtype=torch.float64, requires_grad=True)
        loss = torch.tanh(gates * (weights @ values)).square().sum()
        loss.backward()
        found = e.head_importance(weights.detach().numpy(), weights.grad.numpy(), normalise=False)
        np.testing.assert_allclose(found, gates.grad.abs().squeeze().numpy(), rtol=1e-5)

    def test_of_a_layer_has_length_one(self, rows: Rows) -> None:
        weights, gradients = rows(2, 3, 4, 4), rows(2, 3, 4, 4, seed=1)
        found = e.head_importance(weights, gradients)
        np.testing.assert_allclose((found**2).sum(axis=1), 1)

    def test_of_a_head_that_changes_nothing_is_zero(self, rows: Rows) -> None:
        assert not e.head_importance(rows(1, 2, 3, 3), np.zeros((1, 2, 3, 3))).any()

    def test_needs_gradients_of_the_same_shape(self, rows: Rows) -> None:
        with pytest.raises(ValueError, match=r"gradients must have the shape of the map"):
            e.head_importance(rows(1, 2, 3, 3), rows(1, 2, 3, 4))


class TestOutliers:
    def test_of_even_weights_are_none(self) -> None:
        assert e.outlier_keys(np.full((30, 30), 1 / 30)) == ()

    def test_are_found_at_the_border(self) -> None:
        weights = np.full((64, 64), 0.5 / 62)
        weights[:, 63], weights[:, 7] = 0.4, 0.1
        assert e.outlier_keys(weights) == (63, 7)
        assert e.outlier_keys(weights, factor=20) == (63,)

    def test_need_a_factor_above_one(self) -> None:
        with pytest.raises(ValueError, match="factor must be above 1; got 1"):
            e.outlier_keys(np.eye(3), factor=1)


class TestSpatialEntropy:
    def test_of_one_part_is_zero(self) -> None:
        grid = np.zeros((6, 6))
        grid[1:3, 1:3] = 1
        grid[3, 3] = 1  # touches at a corner
        assert e.spatial_entropy(grid) == 0

    def test_of_two_like_parts_is_ln_2(self) -> None:
        grid = np.zeros((6, 6))
        grid[0, 0] = grid[5, 5] = 1
        assert e.spatial_entropy(grid) == pytest.approx(math.log(2))

    def test_of_diffuse_maps_is_not_nothing(self) -> None:
        # All below any absolute threshold of 0.001.
        grid = np.full((24, 24), 1e-5)
        grid[::6, ::6] = 3e-5
        assert e.spatial_entropy(grid) == pytest.approx(math.log(16))

    @pytest.mark.parametrize("grid", [np.zeros((3, 3)), np.full((2, 2), 0.25), np.zeros((0, 3))])
    def test_of_even_maps_is_zero(self, grid: NDArray[np.float64]) -> None:
        assert e.spatial_entropy(grid) == 0

    def test_needs_a_grid(self) -> None:
        with pytest.raises(ValueError, match=r"grid must have shape \(rows, cols\)"):
            e.spatial_entropy([0.5, 0.5])


class TestLocalisingHeads:
    def test_look_at_few_places_of_the_image(self) -> None:
        weights = np.full((1, 4, 1, 17), 1e-3)
        weights[0, 0, 0, 0] = 1  # at the token before the patches
        weights[0, 1, 0, 6] = 1  # at one place
        weights[0, 2, 0, [1, 16]] = 0.5  # at two
        weights[0, 3, 0, 0] = 1
        att = aw.Attention(weights, ["?"], [aw.Tokens(["[CLS]"]), aw.Patches(4, 4)])
        found = e.localising_heads(att, 0)
        assert [(one.layer, one.head) for one in found] == [(0, 1), (0, 2)]
        assert found[0].spatial_entropy == 0
        assert found[1].spatial_entropy == pytest.approx(math.log(2), abs=1e-3)
        assert found[0].image_share > 0.9

    def test_of_a_captioner_are_a_part_of_its_heads(self) -> None:
        caption = aw.samples.captioning(6)
        layers, heads = caption.shape[:2]
        found = e.localising_heads(caption, 2)
        assert 0 < len(found) <= layers * heads
        entropies = [one.spatial_entropy for one in found]
        assert entropies == sorted(entropies)

    def test_need_patches(self, rows: Rows) -> None:
        with pytest.raises(ValueError, match="needs Patches among the keys"):
            e.localising_heads(aw.Attention(rows(3, 3)), 0)
