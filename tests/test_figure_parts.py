"""The parts of the still picture, each by itself: colours, words, places, fog, letters."""

from __future__ import annotations

import json
import warnings
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from attn_widget import Attention, Tokens, samples
from attn_widget.figure import ink, layout, lettering, palette, reading
from attn_widget.figure.fog import Strokes, fog_image, rises
from attn_widget.figure.scene import Scene, read_scene
from attn_widget.filters import COMBINED, Filter
from attn_widget.selection import LinesState

WIRE = Path(__file__).parent / "wire"
THEMES = {"light": palette.LIGHT, "dark": palette.DARK}


def scene_of(attention: Attention, state: LinesState) -> Scene:
    """The scene, with all heads shown where the state names none."""
    heads = state.heads or tuple(range(attention.shape[1]))
    return read_scene(attention, LinesState(**{**vars(state), "heads": heads}))


# --- colours -----------------------------------------------------------------------------------


def linear(colour: palette.Colour) -> NDArray[np.float64]:
    channels = np.asarray(colour)
    return np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)


def contrast(one: palette.Colour, other: palette.Colour) -> float:
    """Contrast after WCAG 2."""
    dark, light = sorted(float(linear(c) @ [0.2126, 0.7152, 0.0722]) for c in (one, other))
    return (light + 0.05) / (dark + 0.05)


# Machado, Oliveira and Fernandes 2009, severity 1, for linear RGB.
VISION = {
    "normal": np.eye(3),
    "protan": np.array(
        [
            [0.152286, 1.052583, -0.204868],
            [0.114503, 0.786281, 0.099216],
            [-0.003882, -0.048116, 1.051998],
        ]
    ),
    "deutan": np.array(
        [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.011820, 0.042940, 0.968881],
        ]
    ),
}


def oklab(rgb: NDArray[np.float64]) -> NDArray[np.float64]:
    """Ottosson 2020, from linear RGB."""
    lms = np.cbrt(
        np.clip(rgb, 0, 1)
        @ np.array(
            [
                [0.4122214708, 0.2119034982, 0.0883024619],
                [0.5363325363, 0.6806995451, 0.2817188376],
                [0.0514459929, 0.1073969566, 0.6299787005],
            ]
        )
    )
    return np.asarray(
        lms
        @ np.array(
            [
                [0.2104542553, 1.9779984951, 0.0259040371],
                [0.7936177850, -2.4285922050, 0.7827717662],
                [-0.0040720468, 0.4505937099, -0.8086757660],
            ]
        )
    )


@pytest.mark.parametrize("name", THEMES)
def test_colours_are_those_of_the_page(name: str) -> None:
    wire = json.loads((WIRE / "palette.json").read_text(encoding="utf-8"))[name]
    theme = THEMES[name]
    ours = [list(palette.head_bytes(head, theme)) for head in range(len(wire["heads"]))]
    assert ours == wire["heads"]
    assert list(palette.head_bytes(COMBINED, theme)) == wire["combined"]


@pytest.mark.parametrize("name", THEMES)
def test_colours_stand_out_from_their_background(name: str) -> None:
    theme = THEMES[name]
    grounds = [theme.surface, (1.0, 1.0, 1.0) if name == "light" else (0x11 / 255,) * 3]
    for ground in grounds:
        for head in (*range(36), COMBINED):
            assert contrast(palette.head_colour(head, theme), ground) >= 3
        for text in (theme.text, theme.muted):
            assert contrast(text, ground) >= 4.5


@pytest.mark.parametrize("name", THEMES)
@pytest.mark.parametrize("vision", VISION)
def test_twelve_heads_stay_apart_for_every_reader(name: str, vision: str) -> None:
    least = 0.085 if vision == "normal" else 0.055
    seen = [
        oklab(VISION[vision] @ linear(palette.head_colour(head, THEMES[name])))
        for head in range(12)
    ]
    assert min(float(np.linalg.norm(a - b)) for a, b in combinations(seen, 2)) >= least


def test_ink_is_that_of_the_page() -> None:
    text = (Path(__file__).parents[1] / "js/src/lines/ink.ts").read_text(encoding="utf-8")
    assert f"FULL_OPACITY = {ink.FULL_OPACITY}" in text
    full = ink.line_width(np.ones(1, np.float32), 24.0)
    np.testing.assert_allclose(full, [7.0])
    np.testing.assert_allclose(ink.line_width(np.zeros(1, np.float32), 24.0), [0.75])
    np.testing.assert_allclose(ink.line_width(np.ones(1, np.float32), 10.0), [3.0])


# --- words -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("value", "text"), json.loads((WIRE / "format.json").read_text()))
def test_weights_read_as_on_the_page(value: float | str, text: str) -> None:
    assert reading.format_weight(float(value)) == text


@given(st.floats(1e-30, 1e30))
def test_three_digits_are_right(value: float) -> None:
    assert float(reading.format_weight(value)) == pytest.approx(value, rel=0.0050001)


def test_answer_of_a_pinned_token() -> None:
    state = LinesState(layer=3, heads=(1,), pinned_queries=(10,))
    said = reading.answer(scene_of(samples.sentence(0), state))
    assert reading.plain(said) == (
        "it attends to trophy 0.614, suitcase 0.199, [CLS] 0.0959, the 0.0221; 12 more share 0.0683"
    )
    assert [piece.text for piece in said if piece.strong] == [
        "it",
        "trophy",
        "suitcase",
        "[CLS]",
        "the",
    ]


W = np.array(
    [
        [[0.5, 0.3, 0.2], [0.1, 0.8, 0.1]],
        [[0.2, 0.2, 0.6], [0.4, 0.4, 0.2]],
    ],
    np.float32,
)
MAP = Attention(W, ["a", "b"], ["x", "y", "z"])


@pytest.mark.parametrize(
    ("state", "said"),
    [
        (LinesState(heads=(0,)), "strongest: b attends to y 0.8"),
        (LinesState(), "strongest: b attends to y 0.8 (head 0)"),
        (LinesState(heads=(0,), pinned_queries=(0,)), "a attends to x 0.5, y 0.3, z 0.2"),
        (
            LinesState(heads=(0,), pinned_queries=(0, 1)),
            "a + b attend to y 0.55, x 0.3, z 0.15 (mean of 2)",
        ),
        (
            LinesState(pinned_queries=(0,)),
            "a attends to z 0.6 (head 1), x 0.5 (head 0), y 0.3 (head 0)",
        ),
        (LinesState(heads=(0,), pinned_keys=(1,)), "y is attended by b 0.8, a 0.3"),
        (
            LinesState(pinned_queries=(0,), filters=Filter(combine="mean")),
            "a attends to z 0.4, x 0.35, y 0.25",
        ),
        (LinesState(heads=(0,), pinned_queries=(1,), pinned_keys=(1,)), "b attends to y 0.8"),
        (
            LinesState(heads=(0,), pinned_queries=(1,), filters=Filter(threshold=0.9)),
            "b attends to nothing that is shown",
        ),
        (LinesState(heads=(0,), filters=Filter(threshold=0.9)), "No weight passes the filters."),
    ],
)
def test_answers(state: LinesState, said: str) -> None:
    assert reading.plain(reading.answer(scene_of(MAP, state))) == said


@pytest.mark.parametrize(
    ("weights", "said"),
    [
        (np.zeros((0, 3), np.float32), "This map has no targets: there is nothing to draw."),
        (np.zeros((3, 0), np.float32), "This map has no sources: there is nothing to draw."),
        (np.zeros((2, 2), np.float32), "All weights are zero."),
        (np.full((2, 2), np.nan, np.float32), "No weight is a number."),
    ],
)
def test_maps_without_lines_say_why(weights: NDArray[np.float32], said: str) -> None:
    assert reading.plain(reading.answer(scene_of(Attention(weights), LinesState()))) == said


def test_no_head_shown_is_said() -> None:
    assert reading.plain(reading.answer(read_scene(MAP, LinesState(heads=())))) == (
        "No head is shown."
    )


def test_special_tokens_are_not_the_strongest_answer() -> None:
    weights = np.array([[0.9, 0.1], [0.7, 0.3]], np.float32)
    tokens = Tokens(["[CLS]", "a"])
    said = reading.answer(scene_of(Attention(weights, tokens), LinesState()))
    assert reading.plain(said) == "strongest apart from special tokens: a attends to a 0.3"


@pytest.mark.parametrize(
    ("attention", "filters", "phrases"),
    [
        (MAP, Filter(), []),
        (MAP, Filter(threshold=0.3), ["25 % of the weight is hidden"]),
        (Attention(W * np.nan), Filter(), ["12 weights are missing (NaN)"]),
        (
            Attention(np.array([[0.9, 0.1]], np.float32), ["q"], ["[CLS]", "x"]),
            Filter(),
            ["90 % of the weight is on special tokens"],
        ),
        (
            Attention(np.array([[0.9, 0.1]], np.float32), ["q"], ["[CLS]", "x"]),
            Filter(special="renormalise"),
            ["90 % of the weight is hidden", "special tokens left out, rows renormalised"],
        ),
    ],
)
def test_what_is_left_out_is_said(
    attention: Attention, filters: Filter, phrases: list[str]
) -> None:
    assert reading.accounts(scene_of(attention, LinesState(filters=filters))) == phrases


@pytest.mark.parametrize(
    ("weights", "phrase"),
    [
        (W, "2 × 3 weights · rows sum to 1"),
        (W * 0.5, "2 × 3 weights · rows sum to 0.5"),
        (W * np.array([[[1.0], [0.25]]], np.float32), "2 × 3 weights · rows sum to 0.25 – 1"),
        (np.full((2, 3), np.nan, np.float32), "2 × 3 weights"),
    ],
)
def test_row_sums_are_said(weights: NDArray[np.float32], phrase: str) -> None:
    assert reading.shape_phrase(scene_of(Attention(weights), LinesState())) == phrase


def test_differences_have_no_row_sums() -> None:
    scene = scene_of(Attention(W, kind="difference"), LinesState())
    assert reading.shape_phrase(scene) == "2 × 3 differences"
    assert reading.scale_phrase(scene) == "0 – 0.8, magnitude, absolute"


@pytest.mark.parametrize(
    ("number", "text"),
    [(1, "1st"), (2, "2nd"), (3, "3rd"), (4, "4th"), (11, "11th"), (12, "12th"), (21, "21st")],
)
def test_ordinals(number: int, text: str) -> None:
    assert reading.ordinal(number) == text


# --- places ------------------------------------------------------------------------------------


@given(
    st.integers(0, 400),
    st.integers(0, 400),
    st.booleans(),
    st.none() | st.tuples(st.floats(200, 1500), st.floats(200, 1500)),
)
def test_tokens_stand_in_order_and_inside(
    queries: int, keys: int, vertical: bool, room: tuple[float, float] | None
) -> None:
    placed = (layout.columns if vertical else layout.rows)(
        [30.0] * queries,
        [50.0] * keys,
        font=13.0,
        number_room=(0.0, 40.0),
        wanted=([], []),
        room=room,
    )
    for side, count in ((placed.query, queries), (placed.key, keys)):
        assert len(side.centres) == count
        assert (np.diff(side.centres) > 0).all()
        assert (side.centres > 0).all()
        assert (side.centres < placed.length).all()
        named = side.centres[list(side.named)]
        assert (np.diff(named) >= layout.LABEL_ROOM - 0.01).all()
        if count:
            assert len(side.named) > 0
    assert 0 < placed.query_edge < placed.key_edge < placed.across


def test_wanted_positions_are_named_first() -> None:
    assert layout.named_positions(5, 9.0, []) == (0, 1, 2, 3, 4)
    named = layout.named_positions(100, 3.0, [50, 51, 99])
    assert 50 in named
    assert 99 in named
    assert 51 not in named
    assert min(np.diff(named)) >= 3


# --- fog ---------------------------------------------------------------------------------------


@given(st.lists(st.floats(0.001, 0.999), min_size=1, max_size=20))
def test_rise_is_that_of_the_cubic(parameters: list[float]) -> None:
    t = np.asarray(parameters)
    along = 1.5 * t - 1.5 * t**2 + t**3
    risen, slope = rises(along)
    np.testing.assert_allclose(risen, 3 * t**2 - 2 * t**3, atol=1e-9)
    np.testing.assert_allclose(slope, (6 * t - 6 * t**2) / (1.5 - 3 * t + 3 * t**2), atol=1e-7)


def random_strokes(count: int, length: float, opacity: float, seed: int = 0) -> Strokes:
    random = np.random.default_rng(seed)
    return Strokes(
        start=random.uniform(0.2 * length, 0.8 * length, count),
        end=random.uniform(0.2 * length, 0.8 * length, count),
        opacity=np.full(count, opacity, np.float32),
        width=random.uniform(1, 6, count).astype(np.float32),
        colour=random.random((count, 3)),
    )


def test_fog_keeps_all_ink_in_every_column() -> None:
    strokes = random_strokes(300, 200.0, 0.05)
    image = fog_image(strokes, 200.0, 120.0).astype(np.float64)
    depth = -np.log1p(-image[..., 3]).sum(axis=0) * (200.0 / len(image))
    columns = image.shape[1]
    slope = rises((np.arange(columns) + 0.5) / columns)[1]
    ink_of = -np.log1p(-strokes.opacity.astype(np.float64)) * strokes.width
    steep = np.hypot(1, slope[:, None] * (strokes.end - strokes.start) / 120.0)
    np.testing.assert_allclose(depth, steep @ ink_of, rtol=0.02)


def test_fog_follows_the_curve() -> None:
    strokes = Strokes(
        np.array([40.0]),
        np.array([160.0]),
        np.array([0.3], np.float32),
        np.array([3.0], np.float32),
        np.array([[0.2, 0.4, 0.6]]),
    )
    image = fog_image(strokes, 200.0, 120.0).astype(np.float64)
    rows, columns = image.shape[:2]
    places = (np.arange(rows) + 0.5) * 200.0 / rows
    centre = (image[..., 3] * places[:, None]).sum(axis=0) / image[..., 3].sum(axis=0)
    risen = rises((np.arange(columns) + 0.5) / columns)[0]
    np.testing.assert_allclose(centre, 40.0 + 120.0 * risen, atol=2.0)
    np.testing.assert_allclose(
        image[image[..., 3] > 0][:, :3], [[0.2, 0.4, 0.6]] * (image[..., 3] > 0).sum(), atol=1e-6
    )


def test_fog_of_flat_attention_is_seen() -> None:
    # A thousand tokens of a thousandth each: every line by itself would change no pixel.
    places = np.linspace(0, 400, 1000)
    start, end = (grid.ravel() for grid in np.meshgrid(places, places))
    count = len(start)
    strokes = Strokes(
        start,
        end,
        np.full(count, 0.9 / 1000, np.float32),
        np.full(count, 0.75, np.float32),
        np.tile([0.0, 0.45, 0.7], (count, 1)),
    )
    image = fog_image(strokes, 400.0, 270.0)
    assert image[20:-20, :, 3].min() > 0.2


def test_fog_does_not_depend_on_order() -> None:
    strokes = random_strokes(200, 100.0, 0.4)
    order = np.random.default_rng(1).permutation(200)
    shuffled = Strokes(*(getattr(strokes, name)[order] for name in vars(strokes)))
    np.testing.assert_allclose(
        fog_image(strokes, 100.0, 80.0), fog_image(shuffled, 100.0, 80.0), atol=1e-5
    )


def test_fog_of_nothing_is_clear() -> None:
    assert fog_image(random_strokes(0, 10.0, 0.5), 10.0, 10.0)[..., 3].max() == 0


# --- letters -----------------------------------------------------------------------------------


def test_text_without_letters_becomes_boxes() -> None:
    # No font has a letter for these: noncharacters and the private use area.
    assert lettering.drawable("a\uf8f0b") == "a□b"
    assert lettering.drawable("\U0010fffd\u200d\U0010fffd") == "□"
    assert lettering.drawable("\U0010fffd\U0010fffd") == "□□"
    assert lettering.drawable("line\nbreak\x1b") == "line□break□"
    assert lettering.drawable("$x_1^2$ #") == "$x_1^2$ #"


@given(st.text(max_size=60), st.floats(5, 300))
def test_any_text_is_measured_and_fitted(text: str, most: float) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert lettering.width_of(text, 13.0) >= 0
        fitted = lettering.fitted(text, 13.0, most)
    least = lettering.width_of(lettering.ELLIPSIS, 13.0)
    assert lettering.width_of(fitted, 13.0) <= max(most, least) + 1e-6


def test_long_text_is_cut_with_an_ellipsis() -> None:
    fitted = lettering.fitted("w" * 10_000, 13.0, 100.0)
    assert fitted.endswith("…")
    assert 5 < len(fitted) < 30


def test_simple_scripts() -> None:
    assert lettering.is_simple("Straße, 東京, п")
    assert not lettering.is_simple("مرحبا")
    assert not lettering.is_simple("שלום")
    assert not lettering.is_simple("हिन्दी")
    assert not lettering.is_simple("e\u0301")
