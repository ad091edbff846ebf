"""The account of weights in Python: the numbers that stand beside the pictures of an overlay."""

from __future__ import annotations

import numpy as np
import pytest

import attn_widget as aw
from attn_widget.figure import describe_picture
from attn_widget.pictures import overlay_state
from states import Make

PHOTO = np.random.default_rng(0).integers(0, 256, (30, 40, 3), dtype=np.uint8)
PREFIX = ["[CLS]", "[REG 1]", "[REG 2]"]


def vision(layers: int = 2) -> aw.Attention:
    """[CLS], two registers and 3 × 4 patches among themselves, the last patch a sink."""
    strength = np.ones(15)
    strength[-1] = 40
    weights = np.random.default_rng(1).dirichlet(strength, size=(layers, 2, 15))
    return aw.Attention(
        weights.astype(np.float32),
        [aw.Tokens(PREFIX, special=PREFIX), aw.Patches(3, 4, image=PHOTO)],
    )


def shares(widget: aw.AttentionWidget) -> dict[str, float]:
    return {share.name: share.share for share in widget.account().shares}


def test_of_a_pinned_query(make: Make) -> None:
    attention = vision()
    widget = make(attention, view="overlay", layer=1, pinned_queries=(4,))
    row = attention[1].mean(axis=0)[4]
    total = float(row.sum())
    found = shares(widget)
    assert [*found] == ["image", "[CLS]", "[REG]"]
    assert found["image"] == pytest.approx(row[3:].sum() / total, rel=1e-5)
    assert found["[CLS]"] == pytest.approx(row[0] / total, rel=1e-5)
    assert found["[REG]"] == pytest.approx(row[1:3].sum() / total, rel=1e-5)
    account = widget.account()
    assert account.total == pytest.approx(total, rel=1e-5)
    assert account.strongest == 3 + int(row[3:].argmax())
    ordered = np.sort(row[3:])[::-1].cumsum()
    assert account.half == int(np.argmax(ordered >= ordered[-1] / 2)) + 1
    assert (account.of, account.set_aside) == (12, 0.0)


def test_is_the_same_in_every_view_and_says_what_the_picture_says(make: Make) -> None:
    attention = vision()
    widget = make(attention, view="overlay", pinned_queries=(0,))
    account = widget.account()
    said = describe_picture(attention, overlay_state(widget))
    assert said.endswith(f"{100 * account.shares[0].share:.3g} % on the image")
    for view in ("lines", "matrix", "heads"):
        widget.view = view
        assert widget.account() == account


def test_of_heads_with_a_panel_each_is_of_their_mean(make: Make) -> None:
    widget = make(vision(), view="overlay", combine="each", pinned_queries=(0,))
    of_each = shares(widget)
    widget.combine = "mean"
    assert of_each == pytest.approx(shares(widget), rel=1e-5)


def test_of_keys_and_of_nothing_pinned(make: Make) -> None:
    attention = vision()
    widget = make(attention, view="overlay")
    mean = attention[0].mean(axis=(0, 1))
    assert shares(widget)["image"] == pytest.approx(mean[3:].sum() / mean.sum(), rel=1e-5)
    widget.pinned_keys = (5, 6)
    column = attention[0].mean(axis=0)[:, 5:7].sum(axis=1)
    assert widget.account().total == pytest.approx(column.sum(), rel=1e-5)
    assert shares(widget)["image"] == pytest.approx(column[3:].sum() / column.sum(), rel=1e-5)


def test_sinks_and_what_is_set_aside(make: Make) -> None:
    attention = sinking()
    widget = make(attention, view="overlay", pinned_queries=(3,))
    account = widget.account()
    row = attention[0, 0, 3]
    assert account.sinks == (20,)
    assert account.sinks_share == pytest.approx(row[20] / row.sum(), rel=1e-5)
    widget.aside, widget.special = account.sinks, "renormalise"
    account = widget.account()
    assert (account.sinks, account.sinks_share) == ((), 0.0)
    assert account.set_aside == pytest.approx((row[0] + row[20]) / row.sum(), rel=1e-5)
    assert sum(share.share for share in account.shares if share.aside) == pytest.approx(
        account.set_aside
    )


def sinking() -> aw.Attention:
    """[CLS] and 6 × 6 patches of which one takes a third of every row."""
    weights = np.full((1, 1, 37, 37), 1 / 54, np.float32)
    weights[..., 20] = 1 / 3
    return aw.Attention(weights, [aw.Tokens(["[CLS]"]), aw.Patches(6, 6, image=PHOTO)])


def test_of_text_alone_and_of_no_heads(make: Make) -> None:
    widget = make(aw.Attention(np.full((3, 3), 1 / 3), ["a", "b", "c"]), pinned_queries=(0,))
    (share,) = widget.account().shares
    assert share.role == "text"
    assert share.share == pytest.approx(1)
    assert widget.account().strongest == -1
    widget.heads = None
    assert widget.account().total == 0
