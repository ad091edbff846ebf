"""The maps that ship with the package: what their docstrings promise, and how they are stored."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from attn_widget import Attention, samples
from attn_widget.mechanisms import panels_of
from attn_widget.overview import SupportsValues

ROOM = Path(samples.__file__).parent
FILES = sorted(ROOM.glob("*.npz"))

SENTENCES = [samples.sentence(index) for index in range(4)]
PAIRS = [samples.sentence_pair(index) for index in range(2)]
TRANSLATIONS = [
    samples.translation(index, model=model)
    for index in range(4)
    for model in ("transformer", "additive")
]
EVERY = [*SENTENCES, *PAIRS, *TRANSLATIONS, samples.paragraph()]


def weight(attention: Attention, layer: int, head: int, query: str, key: str) -> float:
    """The weight between two words, the first of each name."""
    labels = (attention.queries.labels, attention.keys.labels)
    return float(attention[layer, head, labels[0].index(query), labels[1].index(key)])


def test_names_are_functions_that_return_maps() -> None:
    assert set(samples.names()) < set(samples.__all__)
    for name in samples.names():
        assert isinstance(getattr(samples, name)(), Attention)


@pytest.mark.parametrize("attention", EVERY, ids=repr)
def test_maps_are_probabilities_with_a_name(attention: Attention) -> None:
    weights = np.asarray(attention)
    assert np.isfinite(weights).all()
    assert weights.min() >= 0
    np.testing.assert_allclose(weights.sum(axis=-1), 1, atol=6e-4)
    assert attention.name
    assert attention.kind == "weight"
    assert attention.dtype == np.float16


def test_shapes() -> None:
    assert [map.shape for map in SENTENCES] == [(6, 12, n, n) for n in (16, 13, 15, 21)]
    assert [map.shape for map in PAIRS] == [(6, 12, n, n) for n in (14, 15)]
    assert [map.shape for map in TRANSLATIONS[::2]] == [
        (2, 4, 10, 9),
        (2, 4, 17, 15),
        (2, 4, 14, 12),
        (2, 4, 7, 6),
    ]
    assert [map.shape for map in TRANSLATIONS[1::2]] == [
        (1, 1, 9, 9),
        (1, 1, 16, 15),
        (1, 1, 13, 12),
        (1, 1, 6, 6),
    ]
    assert samples.paragraph().shape == (3, 12, 121, 121)


def test_what_to_look_for_is_there() -> None:
    trophy, sister, keys, _ = SENTENCES
    assert weight(trophy, 3, 1, "it", "trophy") == pytest.approx(0.614, abs=5e-4)
    assert weight(sister, 3, 1, "she", "sister") > 0.4
    assert weight(sister, 5, 4, "she", "maria") > 0.6
    assert weight(keys, 3, 1, "are", "keys") == pytest.approx(0.81, abs=5e-3)
    weather, dog = PAIRS
    assert weight(weather, 5, 4, "weather", "freezing") == pytest.approx(0.77, abs=5e-3)
    assert weight(weather, 5, 4, "cold", "freezing") == pytest.approx(0.75, abs=5e-3)
    first, second = dog.queries.segments
    for label in ("dog", "cat", "chased"):
        here = first.labels.index(label)
        strongest = int(dog[2, 9, here, len(first) :].argmax())
        assert second.labels[strongest] == label
    paragraph = samples.paragraph()
    assert weight(paragraph, 1, 1, "its", "lighthouse") == pytest.approx(0.82, abs=5e-3)
    assert weight(paragraph, 1, 1, "them", "stairs") == pytest.approx(0.38, abs=5e-3)


@pytest.mark.parametrize("attention", SENTENCES, ids=repr)
def test_a_head_that_looks_back_and_heads_that_rest_on_the_first_token(
    attention: Attention,
) -> None:
    size = attention.shape[2]
    before = attention[0, 2][np.arange(1, size), np.arange(size - 1)]
    assert before.mean() > 0.99
    # The sink: most heads of the middle layers give [CLS] far more than its share.
    received = np.asarray(attention)[1:5, :, :, 0].mean(axis=-1)
    assert np.mean(received > 3 / size) > 0.5


@pytest.mark.parametrize("attention", [*SENTENCES, *PAIRS, samples.paragraph()], ids=repr)
def test_special_tokens_and_words(attention: Attention) -> None:
    labels = attention.queries.labels
    special = [at for at, label in enumerate(labels) if label in ("[CLS]", "[SEP]")]
    assert list(attention.queries.special) == special
    words = attention.queries.words
    assert words is not None
    assert [at for at, word in enumerate(words) if word < 0] == special
    for at, label in enumerate(labels):
        if label.startswith("##"):
            assert words[at] == words[at - 1]


@pytest.mark.parametrize("index", range(4))
def test_values_of_the_sink_are_short_and_those_of_the_end_are_not(index: int) -> None:
    lengths = samples.value_lengths(index).astype(float)
    assert lengths.shape == (6, 12, SENTENCES[index].shape[3])
    assert lengths.min() > 0
    first, end = (np.median(lengths[..., at], axis=1) for at in (0, -1))
    words = np.median(lengths[..., 1:-1].mean(axis=2), axis=1)
    assert (first[1:] / words[1:] > 0.02).all()
    assert (first[1:] / words[1:] < 0.13).all()
    assert (end / words).max() > 0.9


def test_lengths_are_of_the_values_of_the_mechanism() -> None:
    # The output matrix turns and stretches values, each head its own; it hardly reorders tokens.
    values = samples.mechanism().source
    assert isinstance(values, SupportsValues)
    plain = [
        np.linalg.norm(np.asarray(values.values(0, head, slice(0, 16))), axis=1)
        for head in range(12)
    ]
    stretched = samples.value_lengths()[3].astype(float) / np.array(plain)
    assert stretched.std(axis=1).max() < 0.3 * stretched.mean()


def test_sentence_of_pieces_merges_into_words() -> None:
    words = SENTENCES[3].queries.words
    assert words is not None
    assert len({word for word in words if word >= 0}) == 8


def test_pairs_have_a_segment_for_each_sentence() -> None:
    for attention in PAIRS:
        first, second = attention.queries.segments
        assert first.labels[0] == "[CLS]"
        assert first.labels[-1] == second.labels[-1] == "[SEP]"


@pytest.mark.parametrize("index", range(4))
def test_gold_alignment(index: int) -> None:
    sure = samples.translation_links(index)
    possible = samples.translation_links(index, possible=True)
    assert sure <= possible
    attention = samples.translation(index)
    _, _, queries, keys = attention.shape
    assert all(0 <= query < queries - 1 and 0 <= key < keys for query, key in possible)
    assert attention.queries.labels[-1] == "</s>"
    found = {(query, int(key)) for query, key in enumerate(attention[1, 0].argmax(axis=-1))}
    missed = len(sure - found)
    assert missed <= 2


def test_adjective_changes_places() -> None:
    attention, sure = samples.translation(0), samples.translation_links(0)
    french, english = attention.queries.labels, attention.keys.labels
    assert (french.index("cheval"), english.index("horse")) in sure
    assert (french.index("intelligent"), english.index("clever")) in sure
    assert french.index("cheval") < french.index("intelligent")
    assert english.index("horse") > english.index("clever")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: samples.sentence(4), "index of a sentence must be 0 to 3; got 4"),
        (lambda: samples.value_lengths(4), "index of a sentence must be 0 to 3; got 4"),
        (lambda: samples.sentence_pair(-1), "index of a pair must be 0 to 1; got -1"),
        (lambda: samples.translation(9), "index of a translation must be 0 to 3; got 9"),
        (lambda: samples.translation_links(9), "index of a translation must be 0 to 3; got 9"),
        (
            lambda: samples.translation(model="rnn"),
            "model must be one of transformer, additive; got 'rnn'",
        ),
    ],
)
def test_what_is_not_there_is_refused(call: object, message: str) -> None:
    assert callable(call)
    with pytest.raises(ValueError, match=message):
        call()


def test_files_are_small_and_hold_plain_arrays() -> None:
    assert sum(path.stat().st_size for path in FILES) <= 1_600_000
    for path in FILES:
        with np.load(path, allow_pickle=False) as stored:
            for name in stored.files:
                assert stored[name].dtype.kind in "fiuU"


def test_provenance_names_every_file() -> None:
    text = (ROOM / "README.md").read_text(encoding="utf-8")
    assert len(FILES) == 9
    for path in FILES:
        assert f"`{path.name}`" in text


def test_importing_reads_no_map() -> None:
    program = (
        "import sys\n"
        "opened = []\n"
        "def note(event, args):\n"
        "    if event == 'open': opened.append(str(args[0]))\n"
        "sys.addaudithook(note)\n"
        "from attn_widget import samples\n"
        "early = [path for path in opened if path.endswith('.npz')]\n"
        "samples.sentence()\n"
        "late = [path for path in opened if path.endswith('.npz')]\n"
        "print(len(early), len(late))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["0", "1"]


def test_mechanisms_are_those_of_the_maps() -> None:
    own = samples.mechanism()
    assert own.shape == (1, 12, 16, 16)
    assert own.queries.labels == SENTENCES[0].queries.labels
    np.testing.assert_allclose(own[0], SENTENCES[0][3], atol=1e-3)
    translator = samples.mechanism("translator")
    written = TRANSLATIONS[1]
    assert (translator.queries.labels, translator.keys.labels) == (
        written.queries.labels,
        written.keys.labels,
    )
    np.testing.assert_allclose(translator[0, 0], written[0, 0], atol=1e-3)
    for known in (own, translator):
        (steps,) = panels_of(known.source, 0, 0, 2, [0])
        np.testing.assert_allclose(steps.weights, known[0, 0, 2], atol=1e-6)
        assert steps.output is not None
    with pytest.raises(ValueError, match="model must be one of minilm, translator; got 'bert'"):
        samples.mechanism("bert")
