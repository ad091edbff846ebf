"""Outlines of masks: exact, closed, and few enough."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis.extra.numpy import array_shapes, arrays
from matplotlib.path import Path

from attn_widget import outlines
from attn_widget.outlines import Mask, Outline, outlines_of, path_of

masks = arrays(np.bool_, array_shapes(min_dims=2, max_dims=2, max_side=9))


def area(line: Outline) -> float:
    """The area that a line encloses, below 0 for one around a hole."""
    x, y = np.array([*line, line[0]]).T
    return float((x[:-1] * y[1:] - x[1:] * y[:-1]).sum() / 2)


def filled(lines: tuple[Outline, ...], shape: tuple[int, ...]) -> Mask:
    """What lines enclose, by Matplotlib: pixels inside an odd number of them."""
    height, width = shape
    middles = np.stack(np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5), -1)
    inside = np.zeros(height * width, dtype=int)
    for line in lines:
        inside += Path([*line, line[0]], closed=True).contains_points(middles.reshape(-1, 2))
    return np.asarray(inside.reshape(shape) % 2 == 1)


@settings(deadline=None)
@given(masks)
def test_enclose_what_is_marked_and_nothing_else(mask: Mask) -> None:
    lines = outlines_of([mask])
    np.testing.assert_array_equal(filled(lines, mask.shape), mask)
    # Each line turns at each of its corners, and what is marked lies at its right hand.
    assert sum(map(area, lines)) == mask.sum()
    for line in lines:
        across = [a[1] == b[1] for a, b in zip(line, (*line[1:], line[0]), strict=True)]
        assert across == [across[0] ^ bool(at % 2) for at in range(len(line))]


def test_pixels_that_meet_in_a_corner_stay_apart() -> None:
    mask = np.eye(2, dtype=bool)
    assert path_of(outlines_of([mask])) == "M0 0h1v1h-1zM1 1h1v1h-1z"
    assert path_of(outlines_of([~mask])) == "M1 0h1v1h-1zM0 1h1v1h-1z"


def test_holes_have_lines_of_their_own() -> None:
    mask = np.ones((3, 3), dtype=bool)
    mask[1, 1] = False
    assert sorted(map(area, outlines_of([mask]))) == [-1, 9]


def test_several_masks_keep_theirs() -> None:
    mask = np.ones((2, 3), dtype=bool)
    assert outlines_of([mask, mask]) == 2 * outlines_of([mask])
    assert outlines_of([]) == outlines_of([np.zeros((4, 4), bool)]) == ()


@given(masks)
def test_paths_lead_through_the_corners(mask: Mask) -> None:
    lines = outlines_of([mask])
    walked = []
    for text in re.findall(r"M([^z]*)z", path_of(lines)):
        start, *_ = re.split(r"[hv]", text)
        at = tuple(int(number) for number in start.split())
        line = [at]
        for way, step in re.findall(r"([hv])(-?\d+)", text):
            x, y = line[-1]
            line.append((x + int(step), y) if way == "h" else (x, y + int(step)))
        walked.append(tuple(line))
    assert tuple(walked) == lines


@pytest.mark.parametrize("most", [400, 40, 0])
def test_of_noise_are_coarser(most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    mask = np.random.default_rng(0).random((60, 90)) < 0.3
    mask[10:40, 20:70] = True
    assert sum(map(len, outlines_of([mask]))) > 400
    monkeypatch.setattr(outlines, "MOST_POINTS", most)
    lines = outlines_of([mask])
    assert sum(map(len, lines)) <= most
    if most:
        # What is solid is still there, within the pixels of the image.
        assert filled(lines, mask.shape)[16:32, 32:64].all()
        assert np.array(lines[0]).max(axis=0)[0] <= 90
