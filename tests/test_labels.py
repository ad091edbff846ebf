from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attn_widget.labels import (
    SCHEMES,
    Scheme,
    is_special,
    joined,
    scheme_of,
    shown,
    word_indices,
)


@pytest.mark.parametrize(
    ("label", "scheme", "expected"),
    [
        ("cat", "plain", "cat"),
        ("", "plain", "∅"),
        (" cat", "plain", "·cat"),
        ("cat ", "plain", "cat·"),
        ("   ", "plain", "···"),
        ("New York", "plain", "New York"),
        ("##ing", "wordpiece", "##ing"),
        ("##", "plain", "##"),
        ("believ@@", "continued", "believ@@"),
        ("photo</w>", "end_of_word", "photo·"),
        ("Ġcat", "byte_level", "·cat"),
        ("Ġcat", "plain", "Ġcat"),
        ("ĠĠ", "byte_level", "··"),
        ("Ċ", "byte_level", "⏎"),
        ("ĊĊ", "byte_level", "⏎⏎"),
        ("ĉ", "byte_level", "␉"),
        ("čĊ", "byte_level", "␍⏎"),
        ("âĢĻ", "byte_level", "’"),
        ("âĢĻ", "plain", "âĢĻ"),
        ("âĢ", "byte_level", r"\xe2\x80"),
        ("Ļ", "byte_level", r"\x99"),
        ("Ġä½łå¥½", "byte_level", "·你好"),
        ("ĠðŁ", "byte_level", r"·\xf0\x9f"),
        ("naÃ¯ve", "byte_level", "naïve"),
        ("日本", "byte_level", "日本"),
        ("▁cat", "sentencepiece", "·cat"),
        ("▁▁▁", "sentencepiece", "···"),
        ("▁", "sentencepiece", "·"),
        ("▁cat", "plain", "▁cat"),
        ("<0x0A>", "sentencepiece", "⏎"),
        ("<0x41>", "sentencepiece", "A"),
        ("<0x20>", "sentencepiece", "·"),
        ("<0xE4>", "sentencepiece", r"\xe4"),
        ("[CLS]", "wordpiece", "[CLS]"),
        ("</s>", "sentencepiece", "</s>"),
        ("<|endoftext|>", "byte_level", "<|endoftext|>"),
        ("<｜begin▁of▁sentence｜>", "byte_level", "<｜begin▁of▁sentence｜>"),
        ("</script>", "plain", "</script>"),
        ("a\nb", "plain", "a⏎b"),
        ("\x00", "plain", "␀"),
        ("\x1b[31m", "plain", "␛[31m"),
        ("\x7f", "plain", "␡"),
        ("\x85", "plain", r"\x85"),
        ("\ud800", "plain", r"\ud800"),
        ("\u200d", "plain", "U+200D"),
        ("\u200b\u202e", "plain", "U+200B U+202E"),
        ("\ufeff", "plain", "U+FEFF"),
        ("\ufe0f", "plain", "U+FE0F"),
        ("\u00a0", "plain", "U+00A0"),
        ("\u3000", "plain", "U+3000"),
        ("\u3164", "plain", "U+3164"),
        (" \u200b", "plain", "·U+200B"),
        ("\u0301", "plain", "◌\u0301"),
        ("\u093f", "plain", "◌\u093f"),
        ("e\u0301", "plain", "e\u0301"),
        ("👩\u200d👩\u200d👧", "plain", "👩\u200d👩\u200d👧"),
        ("❤\ufe0f", "plain", "❤\ufe0f"),
        ("می\u200cخواهم", "plain", "می\u200cخواهم"),
        ("شالوم", "plain", "شالوم"),
        ("שלום", "plain", "שלום"),
        ("x" * 10_000, "plain", "x" * 10_000),
    ],
)
def test_shown(label: str, scheme: Scheme, expected: str) -> None:
    assert shown(label, scheme) == expected


@given(st.text(st.characters()), st.sampled_from(SCHEMES))
def test_something_visible_is_always_shown(label: str, scheme: Scheme) -> None:
    text = shown(label, scheme)
    assert text.strip(" ") == text != ""
    assert not any(ord(c) < 0x20 or 0xD800 <= ord(c) < 0xE000 for c in text)
    text.encode()


@given(st.text(st.characters(categories=["L", "N", "P"]), min_size=1))
def test_letters_and_numbers_stay(label: str) -> None:
    blank = set("\u115f\u1160\u3164\uffa0")
    if not set(label) <= blank and not label.startswith("<0x"):
        assert shown(label) == label


@pytest.mark.parametrize("label", ["[CLS]", "[SEP]", "[PAD]", "[MASK]", "<s>", "</s>", "<pad>"])
def test_special_of_encoders(label: str) -> None:
    assert is_special(label)


@pytest.mark.parametrize(
    "label",
    [
        "<bos>", "<eos>", "<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|begin_of_text|>",
        "<|start_header_id|>", "<start_of_turn>", "<end_of_turn>", "<mask>", "<extra_id_0>",
        "[INST]", "[/INST]", "<｜begin▁of▁sentence｜>", "<|startoftranscript|>", "<image>",
        "<|vision_start|>", "[unused3]", "<unused99>", "[BOS]", "[EOS]",
    ],
)  # fmt: skip
def test_special_of_decoders(label: str) -> None:
    assert is_special(label)


@pytest.mark.parametrize(
    "label",
    ["cls", "CLS", "[UNK]", "<unk>", "<b>", "</script>", "[", "<|", "|>", "<||>", "[CLS] x", "",
     "[1]", "<0x0A>", "<| a |>"],
)  # fmt: skip
def test_not_special(label: str) -> None:
    assert not is_special(label)


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ([], "plain"),
        (["the", "cat"], "plain"),
        (["The", "Ġcat", "âĢĻ", "s"], "byte_level"),
        (["a", "Ċ"], "byte_level"),
        (["<|im_start|>", "user", "Ċ", "<｜end▁of▁turn｜>"], "byte_level"),
        (["âĢĻ"], "plain"),
        (["Ġanni", "lagħab", "日"], "plain"),
        (["▁The", "▁cat", "s", "</s>"], "sentencepiece"),
        (["[CLS]", "un", "##believ", "[SEP]"], "wordpiece"),
        (["##", "Title"], "plain"),
        (["lo", "w</w>"], "end_of_word"),
        (["un@@", "able"], "continued"),
        (["@@"], "plain"),
    ],
)
def test_scheme(labels: list[str], expected: Scheme) -> None:
    assert scheme_of(labels) == expected


def test_a_special_position_does_not_decide_the_scheme() -> None:
    assert scheme_of(["The", "Ġcat", "«図»"], special={2}) == "byte_level"
    assert scheme_of(["The", "Ġcat", "«図»"]) == "plain"


@pytest.mark.parametrize(
    ("labels", "special", "expected"),
    [
        (["[CLS]", "un", "##believ", "##ably", ".", "[SEP]"], {0, 5}, (-1, 0, 0, 0, 1, -1)),
        # As the MiniLM tokenizer itself numbers the words of "Don't panic: it's 3.14159".
        (["[CLS]", "don", "'", "t", "panic", ":", "it", "'", "s", "3", ".", "141", "##59", "[SEP]"],
         {0, 13}, (-1, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 10, -1)),
        (["##ing", "on"], (), (0, 1)),
        (["[SEP]", "##ing"], {0}, (-1, 0)),
        (["The", "Ġanimal", "Ġdidn", "'t", "Ġcross", "."], (), (0, 1, 2, 2, 3, 4)),
        (["Ġ(", "un", "able", ")", "Ċ", "ĊA"], (), (0, 1, 1, 2, 3, 4)),
        (["Itâ", "Ģ", "Ļs", "Ġcat", "âĢĻ", "s"], (), (0, 0, 0, 1, 1, 1)),
        (["Ġ'", "a", "'", "Ġ\"", "b", '"'], (), (0, 0, 0, 1, 2, 3)),
        (["▁state", "-", "of", "▁art"], (), (0, 1, 2, 3)),
        (["<s>", "▁un", "believ", "able", "</s>"], {0, 4}, (-1, 0, 0, 0, -1)),
        (["lo", "w</w>", "er</w>", "!"], (), (0, 0, 1, 2)),
        (["un@@", "believ@@", "able", "news"], (), (0, 0, 0, 1)),
        (["the", "cat"], (), None),
    ],
)  # fmt: skip
def test_word_indices(
    labels: list[str], special: set[int], expected: tuple[int, ...] | None
) -> None:
    assert word_indices(labels, scheme_of(labels), special) == expected


@pytest.mark.parametrize(
    ("labels", "scheme", "expected"),
    [
        (["un", "##believ", "##ably"], "wordpiece", "unbelievably"),
        (["##believ", "##ably"], "wordpiece", "##believably"),
        (["Ġun", "believ", "ably"], "byte_level", "unbelievably"),
        (["âĢ", "Ļ"], "byte_level", "’"),
        (["Ġ"], "byte_level", " "),
        (["▁un", "able"], "sentencepiece", "unable"),
        (["<0xE4>", "<0xBD>", "<0xA0>"], "sentencepiece", "你"),
        (["▁", "<0xE4>", "<0xBD>", "<0xA0>", "!"], "sentencepiece", "你!"),
        (["un@@", "able"], "continued", "unable"),
        (["lo", "w</w>"], "end_of_word", "low"),
        (["un", "able"], "plain", "unable"),
        ([" un", "able"], "plain", "unable"),
    ],
)
def test_joined(labels: list[str], scheme: Scheme, expected: str) -> None:
    assert joined(labels, scheme) == expected


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1), st.data())
def test_byte_level_pieces_join_to_the_text_they_were_cut_from(
    text: str, data: st.DataObject
) -> None:
    stand_in = _gpt2_alphabet()
    spelt = "".join(stand_in[byte] for byte in text.encode())
    cuts = sorted(data.draw(st.sets(st.integers(1, max(1, len(spelt) - 1)), max_size=4)))
    pieces = [spelt[a:b] for a, b in zip([0, *cuts], [*cuts, len(spelt)], strict=True) if a < b]
    assert joined(pieces, "byte_level") == (text.strip(" ") or text)


def _gpt2_alphabet() -> list[str]:
    """GPT-2's table written out by its own rule, as an oracle apart from the code under test."""
    kept = set(range(ord("!"), ord("~") + 1)) | set(range(ord("¡"), ord("¬") + 1))
    kept |= set(range(ord("®"), ord("ÿ") + 1))
    table, following = [], 256
    for byte in range(256):
        table.append(chr(byte) if byte in kept else chr(following))
        following += byte not in kept
    return table
