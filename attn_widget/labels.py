r"""Token labels: shown readably, recognised as special, and grouped into words.

A label is kept exactly as it was given. What is *shown* follows these rules:

* ``·`` stands for a space at the start or end of a token. The word-start markers of byte-level
  BPE (``Ġ``) and SentencePiece (``▁``) are spaces, and so is the ``</w>`` that ends a word.
* ``##ing`` and ``believ@@`` stay as they are: they already say that the word goes on.
* ``⏎`` is a line feed, other control characters are Unicode control pictures (``␉``, ``␀``).
* Byte tokens are decoded: ``<0x41>`` is ``A``, and ``âĢĻ`` is ``’`` where the token list as a
  whole is byte-level. Bytes that are no complete UTF-8 are shown as ``\xe2``.
* ``∅`` is the empty token. Characters that draw nothing are named (``U+200D``) when a token
  holds nothing else; within a token they are left alone, so joined emoji stay joined.
* A token that begins with a combining mark leans on a dotted circle (``◌́``).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Sequence
from typing import Literal

Scheme = Literal["plain", "byte_level", "sentencepiece", "wordpiece", "end_of_word", "continued"]
"""How a tokenizer marks where words begin: not at all, ``Ġ``, ``▁``, ``##``, ``</w>``, ``@@``."""

SCHEMES: tuple[Scheme, ...] = (
    "plain",
    "byte_level",
    "sentencepiece",
    "wordpiece",
    "end_of_word",
    "continued",
)

_SPACE = "·"
# Letters and symbols by category that draw nothing: Hangul fillers and the empty Braille cell.
_BLANK_LETTERS = "\u115f\u1160\u2800\u3164\uffa0"
_SPECIAL = re.compile(
    r"""
    \[(?:CLS|SEP|PAD|MASK|BOS|EOS|EOD|EOT|gMASK|sMASK|/?INST|unused\d+)\]
    | </?(?:s|pad|bos|eos|eod|eot|eop|sop|cls|sep|mask|special\d+|unused\d+|extra_id_\d+)>
    | <(?:BOS|EOS|PAD|CLS|SEP|MASK)>
    | <(?:image|video|audio|image_soft_token|fake_token_around_image|global-img)>
    | </?(?:start|end|begin)_of_[a-z]+>
    | <\|[^|\s][^\s]*\|>
    | <｜[^｜\s][^\s]*｜>
    """,
    re.VERBOSE,
)
_BYTE_TOKEN = re.compile(r"<0x([0-9A-Fa-f]{2})>")


def _byte_alphabet() -> dict[str, int]:
    """The printable stand-ins that byte-level BPE writes for the 256 bytes (GPT-2)."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in printable]
    alphabet = {chr(byte): byte for byte in printable}
    alphabet.update({chr(256 + rank): byte for rank, byte in enumerate(others)})
    return alphabet


_BYTES = _byte_alphabet()


def is_special(label: str) -> bool:
    """Whether a label is a special token by its form: ``[CLS]``, ``</s>``, ``<|im_start|>`` ….

    ``[UNK]`` and ``<unk>`` are not special here: they stand for a piece of the text.
    """
    return _SPECIAL.fullmatch(label) is not None


def scheme_of(labels: Sequence[str], special: Collection[int] = ()) -> Scheme:
    """How the tokenizer behind a whole list of labels marks words.

    A list is byte-level only if some token begins with ``Ġ`` or holds ``Ċ`` *and* every ordinary
    token is spelt in the byte alphabet, so that names such as Ġanni in running text stay.

    Args:
        labels: The labels of a whole sequence.
        special: Positions to leave out.
    """
    ordinary = [
        label
        for position, label in enumerate(labels)
        if position not in special and not is_special(label)
    ]
    if any(label.startswith("Ġ") or "Ċ" in label for label in ordinary) and all(
        character in _BYTES for label in ordinary for character in label
    ):
        return "byte_level"
    if any(label.startswith("▁") for label in ordinary):
        return "sentencepiece"
    if any(label.startswith("##") and len(label) > 2 for label in ordinary):
        return "wordpiece"
    if any(label.endswith("</w>") for label in ordinary):
        return "end_of_word"
    if any(label.endswith("@@") and len(label) > 2 for label in ordinary):
        return "continued"
    return "plain"


def shown(label: str, scheme: Scheme = "plain") -> str:
    """A label as a person should read it; the rules are at the head of this module."""
    if is_special(label):
        return _drawn(label)
    return _drawn(_text(label, scheme))


def joined(labels: Sequence[str], scheme: Scheme = "plain") -> str:
    """The readable word that sub-word tokens spell: ``un``, ``##ab``, ``##le`` → ``unable``."""
    if scheme == "byte_level" and all(c in _BYTES for label in labels for c in label):
        text = _decoded(bytes(_BYTES[c] for label in labels for c in label))
    elif any(_BYTE_TOKEN.fullmatch(label) for label in labels):
        text = _decoded(b"".join(_raw(label, scheme) for label in labels))
    elif scheme == "wordpiece":
        text = labels[0] + "".join(label.removeprefix("##") for label in labels[1:])
    elif scheme == "continued":
        text = "".join(label.removesuffix("@@") for label in labels[:-1]) + labels[-1]
    else:
        text = "".join(_text(label, scheme) for label in labels)
    return text.strip(" ") or text


def word_indices(
    labels: Sequence[str], scheme: Scheme, special: Collection[int] = ()
) -> tuple[int, ...] | None:
    """The word each token belongs to, counted from 0; -1 for special tokens.

    Punctuation is a word of its own under every scheme, as WordPiece has it, so that the same
    sentence falls into the same words whatever the tokenizer.

    Returns:
        One index a label, or None where the labels carry no marker.
    """
    if scheme == "plain":
        return None
    words: list[int] = []
    word = -1
    ended = True
    for position, label in enumerate(labels):
        if position in special:
            words.append(-1)
            ended = True
            continue
        if ended or _begins_word(label, scheme):
            word += 1
        words.append(word)
        ended = _ends_word(label, scheme)
    return tuple(words)


def _begins_word(label: str, scheme: Scheme) -> bool:
    if scheme == "wordpiece":
        return not label.startswith("##") or label == "##"
    if scheme == "continued":
        return False
    text = _text(label, scheme)
    if scheme == "end_of_word":
        return _is_punctuation(text)
    return text[:1].isspace() or _is_punctuation(text)


def _ends_word(label: str, scheme: Scheme) -> bool:
    if scheme == "wordpiece":
        return False
    if scheme == "continued":
        return not label.endswith("@@")
    text = _text(label, scheme)
    return (scheme == "end_of_word" and label.endswith("</w>")) or _is_punctuation(text)


def _is_punctuation(text: str) -> bool:
    """Whether a token is only signs; an apostrophe alone belongs to the word it stands in."""
    core = text.strip()
    signs = bool(core) and all(unicodedata.category(c)[0] in "PS" for c in core)
    return signs and core not in ("'", "’")


def _text(label: str, scheme: Scheme) -> str:
    """The text that a token stands for, its marker turned into the space it means."""
    if scheme == "byte_level" and all(character in _BYTES for character in label):
        return _decoded(bytes(_BYTES[character] for character in label))
    byte = _BYTE_TOKEN.fullmatch(label)
    if byte:
        return _decoded(bytes([int(byte[1], 16)]))
    if scheme == "sentencepiece":
        core = label.lstrip("▁")
        return " " * (len(label) - len(core)) + core
    if scheme == "end_of_word" and label.endswith("</w>"):
        return label.removesuffix("</w>") + " "
    return label


def _raw(label: str, scheme: Scheme) -> bytes:
    byte = _BYTE_TOKEN.fullmatch(label)
    return bytes([int(byte[1], 16)]) if byte else _text(label, scheme).encode("utf-8", "replace")


def _decoded(raw: bytes) -> str:
    return raw.decode("utf-8", errors="backslashreplace")


def _drawn(text: str) -> str:
    """Text with every character that would draw nothing made visible."""
    if not text:
        return "∅"
    core = text.strip(" ")
    before = len(text) - len(text.lstrip(" "))
    after = len(text) - before - len(core)
    if not core:
        return _SPACE * len(text)
    if all(_is_invisible(character) for character in core):
        drawn = " ".join(f"U+{ord(character):04X}" for character in core)
    else:
        lean = "◌" if unicodedata.category(core[0]) in ("Mn", "Me", "Mc") else ""
        drawn = lean + "".join(_picture(character) for character in core)
    return _SPACE * before + drawn + _SPACE * after


def _is_invisible(character: str) -> bool:
    category = unicodedata.category(character)
    if category in ("Cf", "Zs", "Zl", "Zp") or character in _BLANK_LETTERS:
        return True
    return "\ufe00" <= character <= "\ufe0f" or "\U000e0100" <= character <= "\U000e01ef"


def _picture(character: str) -> str:
    code = ord(character)
    if character == "\n":
        return "⏎"
    if code < 0x20:
        return chr(0x2400 + code)
    if code == 0x7F:
        return "␡"
    if unicodedata.category(character) in ("Cc", "Cs"):
        return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
    return character
