"""Exported pages in a real browser, with every request refused."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from html import escape
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import FrameLocator, Locator, Page, Route, expect

import attn_widget as aw
from hosts.reading import (
    CAT_IN_LAYER,
    FIELDS,
    TOKENS,
    colours,
    eventually,
    frame,
    ground,
    shows_image,
    token,
)

POLICY = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:"
)
SHARPNESS = 4.0


def small(layers: int = 2) -> aw.Attention:
    """Every row of a layer is the same; the numbers are exact in float16."""
    weights = np.zeros((layers, 2, 5, 5), np.float32)
    weights[0] = [0.625, 0.375, 0, 0, 0]
    weights[1:] = [0.125, 0.875, 0, 0, 0]
    return aw.Attention(weights, queries=TOKENS)


def large(tokens: int = 1400, heads: int = 2) -> aw.Attention:
    """Sharp attention of one layer, of which no two weights are alike."""
    scores = np.random.default_rng(5).standard_normal((1, heads, tokens, tokens)) * SHARPNESS
    weights = np.exp(scores)
    weights /= weights.sum(axis=-1, keepdims=True)
    return aw.Attention(weights.astype(np.float32), [f"t{index}" for index in range(tokens)])


Open = Callable[[str], Page]


@pytest.fixture
def show(page: Page, tmp_path: Path) -> Iterator[Open]:
    """Opens a page from disk; nothing else may be asked for, and no error may go uncaught."""
    path = tmp_path / "page.html"
    asked: list[str] = []
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(error.message))

    def refuse(route: Route) -> None:
        if route.request.url == path.as_uri():
            route.continue_()
        else:
            asked.append(route.request.url)
            route.abort()

    page.context.route("**/*", refuse)

    def open_it(html: str) -> Page:
        path.write_text(html, encoding="utf-8")
        page.goto(path.as_uri())
        return page

    yield open_it
    assert asked == []
    assert errors == []


def as_it_is(html: str) -> str:
    return html


def with_policy(html: str) -> str:
    meta = f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
    return html.replace("<title>", f"{meta}\n<title>", 1)


def in_sandbox(html: str) -> str:
    frame = f'<iframe sandbox="allow-scripts" width="1100" height="900" srcdoc="{escape(html)}">'
    return f"<!doctype html>\n<title>outside</title>\n{frame}</iframe>\n"


def ready(place: Page | FrameLocator, index: int = 0) -> Locator:
    widget = place.locator(".attn-widget").nth(index)
    expect(widget).to_have_attribute("data-status", "ready")
    return widget


@pytest.mark.parametrize("wrap", [as_it_is, with_policy, in_sandbox])
def test_is_interactive_wherever_it_stands(show: Open, wrap: Callable[[str], str]) -> None:
    page = show(wrap(aw.lines(small()).to_html()))
    widget = ready(page.frame_locator("iframe") if wrap is in_sandbox else page)
    before = frame(widget)
    token(widget, "query", 1).hover()
    expect(widget).to_contain_text("cat attends to the 0.625")
    assert frame(widget) == before, "hovering must not redraw the base"
    token(widget, "query", 1).click()
    expect(token(widget, "query", 1)).to_have_attribute("aria-selected", "true")
    widget.get_by_label("next layer").click()
    expect(widget).to_contain_text("cat attends to cat 0.875")
    for view in ("matrix", "heads", "lines"):
        widget.locator(f'[data-choose="{view}"]').click()
        expect(widget.locator(f'[data-view="{view}"]')).to_be_visible()
        expect(widget).to_have_attribute("data-status", "ready")
    expect(token(widget, "query", 1)).to_have_attribute("aria-selected", "true")


@pytest.mark.parametrize(("wrap", "workers"), [(as_it_is, 1), (with_policy, 0)])
def test_draws_many_lines_in_a_worker_where_it_may(
    show: Open, wrap: Callable[[str], str], workers: int
) -> None:
    page = show(wrap(aw.lines(large(150)).to_html()))
    widget = ready(page)
    _, counts = colours(widget.locator('[data-view="lines"]'))
    assert counts.sum() - counts.max() > 10_000
    # A worker that fails is ended, and the page's own thread draws.
    assert len(page.workers) == workers


def test_opens_in_the_state_of_the_widget(show: Open) -> None:
    widget = aw.lines(small(), layer=1, heads=(0,), pinned_queries=(1,))
    shown = ready(show(widget.to_html()))
    expect(shown).to_contain_text(CAT_IN_LAYER[1])
    expect(shown.get_by_label("layer", exact=True)).to_have_value("1")


def test_several_on_one_page_are_apart(show: Open) -> None:
    page = show(aw.lines(small()).to_html() + aw.lines(small(), layer=1).to_html())
    first, second = ready(page, 0), ready(page, 1)
    token(first, "query", 1).click()
    expect(first).to_contain_text("cat attends to the 0.625")
    expect(token(second, "query", 1)).to_have_attribute("aria-selected", "false")
    token(second, "query", 1).click()
    expect(second).to_contain_text("cat attends to cat 0.875")


def test_maps_and_steps_change(show: Open) -> None:
    wide = aw.Attention(np.full((1, 1, 7, 7), 1 / 8, np.float32), list("abcdefg"))
    maps = {"first": small(), "steps": [small(), wide, small(3)]}
    widget = ready(show(aw.AttentionWidget(maps, pinned_queries=(1,), layer=1).to_html()))
    expect(widget).to_contain_text("cat attends to cat 0.875")
    widget.get_by_label("map", exact=True).select_option("steps")
    step = widget.get_by_label("step", exact=True)
    expect(step).to_be_visible()
    expect(token(widget, "query", 6)).to_have_count(0)
    step.fill("1")
    expect(token(widget, "query", 6)).to_be_visible()
    expect(widget).to_contain_text("b attends to")
    # The layer of the map before is not one of this map.
    step.fill("2")
    expect(widget.get_by_label("layer", exact=True)).to_have_value("0")
    expect(widget).to_contain_text("cat attends to the 0.625")
    widget.get_by_label("map", exact=True).select_option("first")
    expect(step).to_be_hidden()


def test_labels_stay_labels(show: Open) -> None:
    hostile = ["</script><img src=x onerror=alert(1)>", "<!--<script>", "&lt;", "]]>", "'\"`\\"]
    attention = aw.Attention(np.full((1, 1, 5, 5), 0.2, np.float32), hostile, name=hostile[0])
    page = show(aw.lines({hostile[0]: attention, "b": [attention] * 2}).to_html())
    widget = ready(page)
    for index, label in enumerate(hostile):
        expect(token(widget, "query", index)).to_have_text(label)
    assert page.locator("img").count() == 0
    assert page.title() == f"Attention: {hostile[0]}"


def test_says_in_place_what_is_not_there(show: Open) -> None:
    with pytest.warns(UserWarning, match=r"left out to stay below 0\.6 MB: layers 2–5"):
        html = aw.lines(layered(6), layer=0).to_html(limit_mb=0.6)
    page = show(html)
    widget = ready(page)
    expect(page.get_by_text("left out to stay below 0.6 MB: layers 2–5")).to_be_visible()
    widget.get_by_label("next layer").click()
    widget.get_by_label("next layer").click()
    expect(widget).to_contain_text("This page holds layers 0–1")
    expect(widget).to_contain_text("left out to stay below 0.6 MB: layers 2–5")
    expect(widget).to_have_attribute("data-status", "ready")
    widget.get_by_label("previous layer").click()
    expect(widget).not_to_contain_text("This page holds")


def layered(layers: int) -> aw.Attention:
    """Layers that deflate little."""
    weights = np.random.default_rng(2).random((layers, 4, 128, 128)) / 64
    return aw.Attention(weights.astype(np.float16), [f"t{index}" for index in range(128)])


def exported(widget: aw.AttentionWidget, limit_mb: float) -> str:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return widget.to_html(limit_mb=limit_mb)


def test_shows_pictures_of_what_is_too_large(show: Open) -> None:
    attention = large()
    widget = aw.matrix(attention, heads=(0,), pinned_queries=(990,), pinned_keys=(7,))
    shown = ready(show(exported(widget, 4.5)))
    _, counts = colours(shown.locator('[data-view="matrix"]'))
    assert len(counts) > 50
    # Each head alone has an overview too.
    shown.get_by_label("head 1").click(modifiers=["Alt"])
    expect(shown).to_contain_text("(head 1)")
    expect(shown).not_to_contain_text("This page holds")
    _, counts = colours(shown.locator('[data-view="matrix"]'))
    assert len(counts) > 50
    calm = frame(shown)
    shown.page.wait_for_timeout(600)
    assert frame(shown) == calm, "what is here must not be asked for again"
    shown.get_by_label("head 0").click(modifiers=["Alt"])
    shown.locator('[data-choose="lines"]').click()
    expect(shown).to_have_attribute("data-status", "ready")
    weight = attention[0, 0, 990, 7]
    expect(shown).to_contain_text(f"t990 attends to t7 {weight:.6f}")
    token(shown, "query", 985).hover()
    expect(shown).to_contain_text("t985 attends to")
    token(shown, "key", 998).hover()
    expect(shown).to_contain_text("This page holds pictures of layer 0; left out")
    shown.locator('[data-choose="heads"]').click()
    expect(shown).to_have_attribute("data-status", "ready")
    _, counts = colours(shown.locator('[data-view="heads"]'))
    assert len(counts) > 20


@pytest.mark.parametrize(("heads", "tokens"), [(4, 600), (2, 2100)])
def test_shows_the_lines_of_what_is_too_large(show: Open, heads: int, tokens: int) -> None:
    weights = np.random.default_rng(4).random((1, heads, tokens, tokens), np.float32)
    weights *= 2 / tokens
    attention = aw.Attention(weights, [f"t{index}" for index in range(tokens)])
    shown = ready(show(exported(aw.lines(attention, whole=True), 1.6)))
    expect(shown).to_contain_text(f"{tokens} × {tokens} weights")
    expect(shown).not_to_contain_text("This page holds")
    _, counts = colours(shown.locator('[data-view="lines"]'))
    assert counts.sum() - counts.max() > 5000


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_follows_the_theme_of_the_system(show: Open, page: Page, scheme: str) -> None:
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    widget = ready(show(aw.lines(small()).to_html()))
    expect(widget).to_have_attribute("data-theme", scheme)
    assert (ground(page.locator("html")) > 200) == (scheme == "light")
    page.emulate_media(color_scheme="light" if scheme == "dark" else "dark")
    eventually(lambda: widget.get_attribute("data-theme") != scheme, True)


@pytest.mark.parametrize("wrap", [as_it_is, with_policy, in_sandbox])
def test_shows_images(show: Open, wrap: Callable[[str], str]) -> None:
    image = np.kron(np.array(FIELDS, np.uint8), np.ones((200, 300, 1), np.uint8))
    maps = aw.Attention(np.full((1, 2, 4, 4), 0.25, np.float32), aw.Patches(2, 2, image=image))
    page = show(wrap(aw.overlay(maps, opacity=0).to_html()))
    widget = ready(page.frame_locator("iframe") if wrap is in_sandbox else page)
    assert shows_image(widget)
