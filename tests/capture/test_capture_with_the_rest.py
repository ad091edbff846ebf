"""Captured maps where the rest of the package takes maps: views, methods, evidence, cost."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
tokenizers = pytest.importorskip("tokenizers")
transformers = pytest.importorskip("transformers")

from capture_models import SEQ2SEQ, TEXT, made, one, tokens  # noqa: E402

import attn_widget as aw  # noqa: E402

WORDS = ["[PAD]", "[CLS]", "[SEP]", "the", "cat", "sat", "mat"]
VIEWS = (aw.lines, aw.matrix, aw.heads, aw.AttentionWidget)


@cache
def bert() -> Any:
    return made(transformers.BertModel, transformers.BertConfig(**TEXT))


@cache
def bart() -> Any:
    return made(transformers.BartModel, transformers.BartConfig(**SEQ2SEQ))


@cache
def gemma() -> Any:
    """A model whose layers have rules of their own."""
    config = transformers.Gemma3TextConfig(
        **TEXT,
        num_key_value_heads=2,
        head_dim=8,
        sliding_window=3,
        layer_types=["sliding_attention", "full_attention"],
    )
    return made(transformers.Gemma3ForCausalLM, config)


def tokenized(*texts: str) -> Any:
    """What a fast tokenizer of transformers makes of texts: two words and special tokens."""
    tokenizer = tokenizers.Tokenizer(
        tokenizers.models.WordLevel({word: at for at, word in enumerate(WORDS)}, "[PAD]")
    )
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    tokenizer.post_processor = tokenizers.processors.BertProcessing(("[SEP]", 2), ("[CLS]", 1))
    fast = transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="[PAD]", cls_token="[CLS]", sep_token="[SEP]"
    )
    return fast(list(texts), return_tensors="pt", padding=True)


def capture(model: Any, *inputs: Any, **options: Any) -> Any:
    """A capture of one forward pass."""
    with torch.no_grad(), aw.capture(model, **options) as captured:
        model(*inputs)
    return captured


def labels(att: Any) -> str:
    return " ".join(one(att).queries.labels)


class TestWhereMapsAreTaken:
    @pytest.mark.parametrize("view", VIEWS)
    def test_a_capture_is_shown_as_its_maps_are(self, view: Any) -> None:
        captured = capture(bart(), tokens(1, 5), None, tokens(1, 3))
        with view(captured) as shown, view(captured.maps) as plain:
            assert shown.map == plain.map == "encoder"
            shown.map = "cross"
            assert shown.attention.shape == captured.maps["cross"].shape
            shown.update(capture(bart(), tokens(1, 4), None, tokens(1, 2)))
            assert shown.attention.shape[2:] == (2, 4)

    def test_methods_and_statistics_take_a_capture_of_one_map(self) -> None:
        captured = capture(bert(), tokens(1, 5))
        att = captured.maps["encoder"]
        for given in (captured, captured.maps):
            np.testing.assert_array_equal(
                aw.methods.rollout(given)[...], aw.methods.rollout(att)[...]
            )
            np.testing.assert_array_equal(
                aw.evidence.describe(given).sink_score, aw.evidence.describe(att).sink_score
            )

    def test_of_several_maps_or_steps_one_must_be_chosen(self) -> None:
        captured = capture(bart(), tokens(1, 5), None, tokens(1, 3))
        with pytest.raises(ValueError, match=r"got 3, encoder, .*such as maps\['encoder'\]"):
            aw.methods.rollout(captured)
        with torch.no_grad(), aw.capture(bert()) as twice:
            bert()(tokens(1, 5))
            bert()(tokens(1, 4))
        with pytest.raises(ValueError, match="got 2 steps of 'encoder'"):
            aw.evidence.describe(twice)

    def test_a_recorder_takes_captures_and_is_shown(self) -> None:
        recorder = aw.Recorder()
        for step in range(3):
            recorder.add(capture(bert(), tokens(1, 5)), step=step)
        with aw.AttentionWidget(recorder) as shown:
            shown.step = 2
            assert shown.attention.name == "step 2"

    def test_a_model_is_needed(self) -> None:
        with pytest.raises(TypeError, match=r"model must be a torch\.nn\.Module; got str"):
            aw.capture("bert")  # type: ignore[arg-type]


class TestLabels:
    def test_inputs_label_the_entry_that_is_shown(self) -> None:
        inputs = tokenized("the cat", "mat sat the mat")
        captured = capture(bert(), inputs["input_ids"], inputs["attention_mask"], queries=inputs)
        assert labels(captured.maps["encoder"]) == "[CLS] the cat [SEP] [PAD] [PAD]"
        assert labels(captured.select(1)["encoder"]) == "[CLS] mat sat the mat [SEP]"
        assert one(captured.maps["encoder"]).keys.special == (0, 3, 4, 5)
        later = capture(bert(), inputs["input_ids"], inputs["attention_mask"]).label(inputs)
        assert labels(later.select(-1)["encoder"]) == "[CLS] mat sat the mat [SEP]"

    def test_inputs_are_of_the_encoder_where_there_is_one(self) -> None:
        inputs = tokenized("the cat sat")
        ids = inputs["input_ids"]
        captured = capture(bart(), ids, None, ids, queries=inputs)
        maps = {name: one(att) for name, att in captured.maps.items()}
        assert labels(maps["encoder"]) == "[CLS] the cat sat [SEP]"
        assert maps["cross"].keys == maps["encoder"].keys
        assert labels(maps["decoder"]) == labels(maps["cross"]) == "0 1 2 3 4"
        same = capture(bart(), ids, None, ids).label(inputs)
        assert {name: one(att).keys for name, att in same.maps.items()} == {
            name: att.keys for name, att in maps.items()
        }

    @pytest.mark.parametrize("named", [True, False])
    def test_both_sequences_label_three_maps(self, named: bool) -> None:
        both = {"decoder": list("xyz"), "encoder": list("abcde")}
        given = {"queries": both} if named else {"queries": list("xyz"), "keys": list("abcde")}
        maps = capture(bart(), tokens(1, 5), None, tokens(1, 3), **given).maps
        assert labels(maps["encoder"]) == "a b c d e"
        assert labels(maps["decoder"]) == labels(maps["cross"]) == "x y z"
        assert one(maps["cross"]).keys.labels == tuple("abcde")
        assert one(maps["decoder"]).keys is one(maps["decoder"]).queries

    def test_labels_that_fit_nothing_are_told_and_nothing_is_lost(self) -> None:
        for wrong, told in (
            (list("abc"), r"labels given as queries= fit no map: got 3; .* encoder \(5, 5\)"),
            ({"vision": list("abcde")}, "labels given for 'vision' fit no map"),
        ):
            captured = capture(bert(), tokens(1, 5), queries=wrong)
            with pytest.warns(UserWarning, match=told):
                assert one(captured.maps["encoder"]).shape == (2, 4, 5, 5)
        with pytest.raises(ValueError, match=r"got 6; .* was never read: leave it out"):
            capture(bert(), tokens(1, 5)).label(list("abcdef"))
        with pytest.raises(ValueError, match="labels fit no map: got 2"):
            capture(bert(), tokens(1, 5)).label(list("ab"), name="encoder")
        with pytest.raises(TypeError, match=r"keys must be \{map name: labels\}"):
            aw.capture(bert(), queries={"encoder": list("ab")}, keys=list("ab"))


class TestWhatIsCarried:
    @pytest.mark.parametrize("model", [bert, gemma])
    def test_norms_are_of_the_models_own_values_and_output(self, model: Any) -> None:
        captured = capture(model(), tokens(1, 7), values=True)
        ((name, att),) = captured.maps.items()
        norms = aw.methods.value_norm(att)
        assert norms.made[-1].settings == {"heads": "each", "output": True}
        for layer, output in enumerate(captured.outputs[name]):
            for head in range(4):
                value = torch.from_numpy(att.source.values(layer, head, slice(0, 7)))
                length = torch.linalg.vector_norm(value @ output[head], dim=1).numpy()
                expected = att[layer, head] * length
                np.testing.assert_allclose(norms[layer, head], expected, atol=1e-6)
        part = att.select(layers=1, heads=[3, 0])
        np.testing.assert_allclose(
            aw.methods.value_norm(part)[0], norms[1][[3, 0]], atol=1e-6, rtol=0
        )

    def test_without_values_there_are_no_norms(self) -> None:
        with pytest.raises(ValueError, match="this map knows no values"):
            aw.methods.value_norm(capture(bert(), tokens(1, 5)))

    def test_layers_with_rules_of_their_own_have_a_mechanism(self) -> None:
        captured = capture(gemma(), tokens(1, 7), values=True)
        (att,) = captured.maps.values()
        with aw.AttentionWidget(captured, view="mechanism", pinned_queries=6):
            for layer, known in ((0, range(4, 7)), (1, range(7))):
                (steps,) = aw.mechanisms.panels_of(att.source, layer, 1, 6, list(range(7)))
                np.testing.assert_allclose(steps.weights, att[layer, 1, 6], atol=1e-6)
                assert set(np.flatnonzero(att[layer, 1, 6])) == set(known)


def test_a_captured_map_knows_its_cost() -> None:
    att = capture(gemma(), tokens(1, 7)).maps["decoder"]
    found = aw.cost(att)
    assert (found.queries, found.heads, found.kv_heads, found.head_dim) == (7, 4, 2, 8)
    assert found == aw.cost(7, heads=4, head_dim=8, kv_heads=2, layers=2)
    assert aw.cost(att, 70, layers=1).keys == 70


def test_replacing_is_a_function_however_often_it_is_called() -> None:
    for _ in range(2):
        from attn_widget.capture import replacing

        with torch.no_grad(), replacing(bert(), lambda weights, where: weights):
            bert()(tokens(1, 5))
