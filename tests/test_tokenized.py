"""Labels of real tokenizers, made here without a network."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest

import attn_widget as aw
from minilm import folder as minilm_folder

tokenizers: Any = pytest.importorskip("tokenizers")
transformers: Any = pytest.importorskip("transformers")

TEXTS = ["the cat sat on the mat.", "unbelievable things happen, don't they?", "hello world"] * 9


@cache
def wordpiece() -> Any:
    """The tokenizer of MiniLM."""
    return _fast(tokenizer_file=str(minilm_folder() / "tokenizer.json"))


def _fast(**source: Any) -> Any:
    return transformers.PreTrainedTokenizerFast(
        **source,
        unk_token="[UNK]",
        sep_token="[SEP]",
        pad_token="[PAD]",
        cls_token="[CLS]",
        mask_token="[MASK]",
    )


@cache
def byte_level() -> Any:
    made = tokenizers.Tokenizer(tokenizers.models.BPE())
    made.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=300,
        special_tokens=["<|endoftext|>"],
        initial_alphabet=tokenizers.pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    made.train_from_iterator(TEXTS, trainer)
    end = "<|endoftext|>"
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=made, bos_token=end, eos_token=end, unk_token=end
    )


@cache
def unigram(split: bool) -> Any:
    """Unigram with ``▁``: words split before it (T5), or never (Llama)."""
    made = tokenizers.Tokenizer(tokenizers.models.Unigram())
    made.pre_tokenizer = tokenizers.pre_tokenizers.Metaspace()
    trainer = tokenizers.trainers.UnigramTrainer(
        vocab_size=60,
        special_tokens=["<s>", "</s>", "<unk>"],
        unk_token="<unk>",
        show_progress=False,
    )
    made.train_from_iterator(TEXTS, trainer)
    if not split:
        made.pre_tokenizer = None
        made.normalizer = tokenizers.normalizers.Sequence(
            [tokenizers.normalizers.Prepend("▁"), tokenizers.normalizers.Replace(" ", "▁")]
        )
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=made, bos_token="<s>", eos_token="</s>", unk_token="<unk>"
    )


def alone(found: list[aw.Tokens]) -> aw.Tokens:
    assert len(found) == 1
    return found[0]


def spelt(tokens: aw.Tokens) -> list[str]:
    """The words that sub-words spell."""
    from attn_widget.axes import Axis, word_runs

    return list(tokens.merge(word_runs(Axis([tokens]))).labels)


class TestEncodings:
    def test_wordpiece(self) -> None:
        tokens = alone(aw.tokens_of(wordpiece()("The unaffable cat.")))
        assert tokens.labels == ("[CLS]", "the", "una", "##ffa", "##ble", "cat", ".", "[SEP]")
        assert tokens.special == (0, 7)
        assert tokens.words == (-1, 0, 1, 1, 1, 2, 3, -1)

    def test_words_are_known_where_no_label_marks_any(self) -> None:
        tokens = alone(aw.tokens_of(wordpiece()("the cat")))
        assert tokens.scheme == "plain"
        assert tokens.words == (-1, 0, 1, -1)

    def test_a_pair_is_two_segments(self) -> None:
        first, second = aw.tokens_of(wordpiece()("the cat.", "it doesn't matter"))
        assert first.labels == ("[CLS]", "the", "cat", ".", "[SEP]")
        assert second.labels == ("it", "doesn", "'", "t", "matter", "[SEP]")
        axis = aw.Attention(np.eye(11), [first, second]).queries
        assert axis.special == (0, 4, 10)
        assert axis.words is not None
        assert len(set(axis.words) - {-1}) == 8

    def test_padding_is_special(self) -> None:
        both = wordpiece()(["the", "the unaffable cat"], padding=True)
        tokens = alone(aw.tokens_of(both, batch=0))
        assert tokens.labels[2:] == ("[SEP]", "[PAD]", "[PAD]", "[PAD]", "[PAD]")
        assert tokens.special == (0, 2, 3, 4, 5, 6)
        assert alone(aw.tokens_of(both, batch=1)).special == (0, 6)
        with pytest.raises(ValueError, match="there are 2 texts: say which one, batch=0"):
            aw.tokens_of(both)

    def test_the_unknown_token_is_text(self) -> None:
        tokens = alone(aw.tokens_of(wordpiece()("the 🙂 cat"), wordpiece()))
        assert tokens.labels[2] == "[UNK]"
        assert tokens.special == (0, 4)
        assert tokens.words == (-1, 0, 1, 2, -1)

    def test_byte_level(self) -> None:
        tokenizer = byte_level()
        tokens = alone(aw.tokens_of(tokenizer("the cats sat, don't<|endoftext|>"), tokenizer))
        assert tokens.labels[:3] == ("the", "Ġcat", "s")
        assert tokens.shown[:3] == ("the", "·cat", "s")
        assert spelt(tokens) == ["the", "cats", "sat", ",", "don", "'t", "<|endoftext|>"]
        # It is the unknown token as well.
        assert tokens.special == (len(tokens) - 1,)

    @pytest.mark.parametrize("split", [True, False])
    def test_words_do_not_run_over_spaces_and_punctuation(self, split: bool) -> None:
        encoding = unigram(split)("the cat sat, hello")
        known = encoding.word_ids()
        assert len(set(known)) == (4 if split else 1)
        assert spelt(alone(aw.tokens_of(encoding))) == ["the", "cat", "sat", ",", "hello"]

    def test_an_encoding_of_the_tokenizers_library(self) -> None:
        backend = wordpiece().backend_tokenizer
        tokens = alone(aw.tokens_of(backend.encode("the cat")))
        assert (tokens.labels, tokens.special) == (("[CLS]", "the", "cat", "[SEP]"), (0, 3))


class TestIds:
    def test_give_what_the_encoding_gives(self) -> None:
        tokenizer = wordpiece()
        encoding = tokenizer(["the unaffable cat.", "the"], padding=True)
        for batch in (0, 1):
            given = alone(aw.tokens_of(encoding, batch=batch))
            for ids in (encoding["input_ids"], np.array(encoding["input_ids"])):
                mask = encoding["attention_mask"]
                made = alone(aw.tokens_of(ids, tokenizer, batch=batch, attention_mask=mask))
                assert (made.labels, made.special) == (given.labels, given.special)
                if batch == 0:
                    assert made.words == given.words

    def test_changed_after_the_encoding(self) -> None:
        tokenizer = wordpiece()
        encoding = tokenizer("the cat")
        encoding["input_ids"][1] = tokenizer.mask_token_id
        tokens = alone(aw.tokens_of(encoding, tokenizer))
        assert tokens.labels == ("[CLS]", "[MASK]", "cat", "[SEP]")
        assert tokens.special == (0, 1, 3)

    def test_of_a_slow_tokenizer(self) -> None:
        tokenizer = transformers.ByT5Tokenizer(extra_ids=0)
        encoding = tokenizer("né", return_tensors="np")
        with pytest.raises(TypeError, match="give the tokenizer that made them"):
            aw.tokens_of(encoding)
        tokens = alone(aw.tokens_of(encoding, tokenizer))
        assert len(tokens) == 4
        assert tokens.labels[3] == "</s>"
        assert tokens.special == (3,)

    def test_of_the_tokenizers_library_and_a_processor(self) -> None:
        backend = wordpiece().backend_tokenizer
        ids = backend.encode("the cat").ids
        assert alone(aw.tokens_of([*ids, 10**6], backend)).labels[-2:] == ("[SEP]", "<1000000>")

        class Processor:
            tokenizer = wordpiece()

        assert alone(aw.tokens_of(ids, Processor())).labels[1:3] == ("the", "cat")

    def test_a_pair_of_a_slow_tokenizer(self) -> None:
        tokenizer = wordpiece()
        encoding = dict(tokenizer("the cat", "it", return_token_type_ids=True))
        first, second = aw.tokens_of(encoding, tokenizer)
        assert first.labels == ("[CLS]", "the", "cat", "[SEP]")
        assert second.labels == ("it", "[SEP]")

    def test_what_is_refused(self) -> None:
        with pytest.raises(TypeError, match=r"what a tokenizer returned.*got str"):
            aw.tokens_of("the cat", wordpiece())
        with pytest.raises(TypeError, match=r"convert_ids_to_tokens .* got int"):
            aw.tokens_of([1, 2], 3)
        with pytest.raises(ValueError, match="attention_mask has 3 positions for 2 tokens"):
            aw.tokens_of([1, 2], wordpiece(), attention_mask=[1, 1, 1])


class TestOfAModel:
    """One line from a model's outputs to labelled maps."""

    def test_of_its_inputs(self) -> None:
        torch: Any = pytest.importorskip("torch")
        tokenizer = wordpiece()
        inputs = tokenizer(["the cat.", "the unaffable cat."], padding=True, return_tensors="pt")
        outputs = torch.rand(2, 2, 8, 8), torch.rand(2, 2, 8, 8)
        for found in (
            aw.from_transformers(outputs, inputs, batch=0),
            aw.from_transformers(
                outputs,
                tokenizer=tokenizer,
                input_ids=inputs["input_ids"],
                attention_mask=inputs["attention_mask"],
                batch=0,
            ),
        ):
            assert isinstance(found, aw.Attention)
            assert found.queries.labels[:5] == ("[CLS]", "the", "cat", ".", "[SEP]")
            assert found.queries.special == (0, 4, 5, 6, 7)
            assert found.keys is found.queries

    def test_of_a_generation(self) -> None:
        pytest.importorskip("torch")
        from models import model

        tokenizer = unigram(True)
        tokenizer.pad_token, tokenizer.padding_side = "</s>", "left"
        inputs = tokenizer(["cat", "the cat sat"], padding=True, return_tensors="pt")
        inputs.pop("token_type_ids", None)
        asked: dict[str, Any] = {
            "max_new_tokens": 3,
            "return_dict_in_generate": True,
            "output_attentions": True,
            "do_sample": False,
            "pad_token_id": 1,
            "eos_token_id": 10**6,
        }
        llama = model("LlamaForCausalLM")
        outputs = llama.generate(**inputs, **asked)
        found = aw.from_transformers(outputs, inputs, tokenizer=tokenizer, batch=0)
        assert isinstance(found, aw.Attention)
        written = alone(aw.tokens_of(outputs.sequences[0], tokenizer)).labels
        assert found.queries.labels == written[:-1]
        padding = int((inputs["attention_mask"][0] == 0).sum())
        assert padding > 0
        assert set(range(padding)) <= set(found.queries.special)
        with pytest.raises(TypeError, match="label only the prompt: give tokenizer="):
            aw.from_transformers(outputs, inputs, batch=0)

        t5 = model("T5ForConditionalGeneration")
        outputs = t5.generate(**inputs, **asked)
        maps = aw.from_transformers(outputs, inputs, tokenizer=tokenizer, batch=1)
        assert isinstance(maps, dict)
        written = alone(aw.tokens_of(outputs.sequences[1], tokenizer)).labels
        assert maps["cross"].queries.labels == written[1:]
        assert maps["decoder"].queries.labels == written[:-1]
        read = tokenizer.convert_ids_to_tokens(inputs["input_ids"][1].tolist())
        assert maps["cross"].keys.labels == maps["encoder"].queries.labels == tuple(read)
