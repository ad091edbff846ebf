"""Maps of what real transformers models return, against their tuples read directly."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import attn_widget as aw

torch = pytest.importorskip("torch")
transformers: Any = pytest.importorskip("transformers")

from models import VOCABULARY, ids, model, pixels  # noqa: E402

PHOTO = np.zeros((32, 32, 3), dtype=np.uint8)


def stacked(layers: Any, entry: int = 0) -> NDArray[np.float32]:
    return np.asarray(torch.stack([layer[entry] for layer in layers]).detach().float().numpy())


def one(found: Any) -> aw.Attention:
    assert isinstance(found, aw.Attention)
    return found


def several(found: Any) -> dict[str, aw.Attention]:
    assert isinstance(found, dict)
    return found


class TestForward:
    def test_of_an_encoder(self) -> None:
        given = {"input_ids": ids(), "output_attentions": True}
        outputs = model("BertModel")(**given)
        found = one(aw.from_transformers(outputs, list("abcdef"), name="bert"))
        assert found.shape == (2, 2, 6, 6)
        assert found.keys is found.queries
        assert found.name == "bert"
        np.testing.assert_array_equal(np.asarray(found), stacked(outputs.attentions))
        bare = one(aw.from_transformers(outputs.attentions, list("abcdef")))
        np.testing.assert_array_equal(np.asarray(bare), np.asarray(found))

    def test_nothing_is_copied(self) -> None:
        outputs = model("BertModel")(input_ids=ids(), output_attentions=True)
        found = one(aw.from_transformers(outputs))
        with torch.no_grad():
            outputs.attentions[1].fill_(0.25)
        assert found[1, 0, 3, 2] == 0.25

    def test_of_a_batch(self) -> None:
        outputs = model("GPT2LMHeadModel")(input_ids=ids(batch=3), output_attentions=True)
        with pytest.raises(ValueError, match="batch axis of length 3: say which one"):
            aw.from_transformers(outputs)
        found = one(aw.from_transformers(outputs, batch=2))
        np.testing.assert_array_equal(np.asarray(found), stacked(outputs.attentions, 2))

    def test_of_an_encoder_and_a_decoder(self) -> None:
        outputs = model("T5ForConditionalGeneration")(
            input_ids=ids(6), decoder_input_ids=ids(4), output_attentions=True
        )
        found = several(aw.from_transformers(outputs, list("wxyz"), list("abcdef")))
        assert list(found) == ["decoder", "cross", "encoder"]
        for name, layers in (
            ("encoder", outputs.encoder_attentions),
            ("decoder", outputs.decoder_attentions),
            ("cross", outputs.cross_attentions),
        ):
            np.testing.assert_array_equal(np.asarray(found[name]), stacked(layers))
        assert found["cross"].queries.labels == found["decoder"].keys.labels == tuple("wxyz")
        assert found["cross"].keys.labels == found["encoder"].queries.labels == tuple("abcdef")
        with aw.AttentionWidget(found, map="cross") as widget:
            assert widget.attention is found["cross"]

    def test_labels_that_do_not_fit(self) -> None:
        outputs = model("T5ForConditionalGeneration")(
            input_ids=ids(6), decoder_input_ids=ids(4), output_attentions=True
        )
        with pytest.raises(ValueError, match=r"decoder: queries must have 4 labels .* got 6"):
            aw.from_transformers(outputs, list("abcdef"))

    def test_of_a_vision_model(self) -> None:
        outputs = model("ViTModel")(pixel_values=pixels(), output_attentions=True)
        layout = aw.layouts.vit(PHOTO, patch=8, input_size=32)
        found = one(aw.from_transformers(outputs, layout))
        np.testing.assert_array_equal(np.asarray(found), stacked(outputs.attentions))
        assert found.has_places

    def test_of_two_towers(self) -> None:
        outputs = model("CLIPModel")(input_ids=ids(), pixel_values=pixels(), output_attentions=True)
        layout = aw.layouts.vit(PHOTO, patch=8, input_size=32)
        found = several(aw.from_transformers(outputs, list("abcdef"), layout))
        assert {name: att.shape for name, att in found.items()} == {
            "text": (2, 2, 6, 6),
            "vision": (3, 2, 17, 17),
        }
        expected = stacked(outputs.vision_model_output.attentions)
        np.testing.assert_array_equal(np.asarray(found["vision"]), expected)
        assert found["vision"].queries.has_image
        assert found["text"].queries.labels == tuple("abcdef")

    def test_of_a_detector(self) -> None:
        outputs = model("DetrForObjectDetection")(
            pixel_values=pixels(96, 64), output_attentions=True
        )
        objects = aw.layouts.boxes(np.tile([1.0, 2.0, 9.0, 9.0], (5, 1)))
        found = several(
            aw.from_transformers(
                outputs, objects, aw.layouts.detr(width=64, height=96, input_size=(96, 64))
            )
        )
        assert found["cross"].shape == (2, 2, 5, 6)
        assert len(found["encoder"].queries.segments[0]) == 6
        np.testing.assert_array_equal(np.asarray(found["cross"]), stacked(outputs.cross_attentions))

    def test_of_text_and_an_image_in_one_sequence(self) -> None:
        image = torch.full((1, 16), VOCABULARY - 1)
        outputs = model("LlavaForConditionalGeneration")(
            input_ids=torch.cat([ids(2), image, ids(3)], dim=1),
            pixel_values=pixels(),
            output_attentions=True,
        )
        layout = aw.layouts.llava(PHOTO, patch=8, input_size=32)
        tokens = ["a", "b", *["<image>"] * 16, "c", "d", "e"]
        mixed = aw.layouts.mixed(tokens, {"<image>": layout})
        found = aw.from_transformers(outputs, mixed)
        found = found["attention"] if isinstance(found, dict) else found
        np.testing.assert_array_equal(np.asarray(found), stacked(outputs.attentions))
        assert found.queries.has_image

    def test_layers_of_different_shape_are_maps_of_their_own(self) -> None:
        outputs = model("PerceiverForMaskedLM")(inputs=ids(10), output_attentions=True)
        found = several(aw.from_transformers(outputs, list("abcd"), list("0123456789")))
        assert {name: att.shape for name, att in found.items()} == {
            "attention": (2, 2, 4, 4),
            "cross, layer 0": (1, 2, 4, 10),
            "cross, layer 1": (1, 8, 10, 4),
        }
        assert found["cross, layer 0"].queries.labels == tuple("abcd")
        assert found["cross, layer 0"].keys.labels == tuple("0123456789")
        np.testing.assert_array_equal(
            np.asarray(found["cross, layer 1"])[0], stacked(outputs.cross_attentions[1:])[0]
        )

    def test_of_windows(self) -> None:
        outputs = model("SwinModel")(pixel_values=pixels(), output_attentions=True)
        with pytest.raises(ValueError, match=r"length 16: say which one.*see aw.layouts.swin"):
            aw.from_transformers(outputs)
        found = several(aw.from_transformers(outputs, batch=3))
        assert [att.shape for att in found.values()] == [(1, 2, 16, 16), (1, 4, 16, 16)]
        np.testing.assert_array_equal(
            np.asarray(found["attention, layer 1"])[0], outputs.attentions[1][3].detach().numpy()
        )


class TestWhatIsNoMap:
    def test_points_are_left_out_and_said(self) -> None:
        outputs = model("DeformableDetrForObjectDetection")(
            pixel_values=pixels(96, 64), output_attentions=True
        )
        with pytest.warns(UserWarning, match="is no map .* aw.layouts.deformable") as said:
            found = one(aw.from_transformers(outputs))
        assert [str(one.message).split(",")[0] for one in said] == ["cross", "encoder"]
        assert {warning.filename for warning in said} == {__file__}
        np.testing.assert_array_equal(np.asarray(found), stacked(outputs.decoder_attentions))

    def test_windows_around_each_query(self) -> None:
        outputs = model("LongformerModel")(input_ids=ids(12), output_attentions=True)
        with pytest.raises(ValueError, match="window around each query"):
            aw.from_transformers(outputs)

    @pytest.mark.parametrize(("attention", "asked"), [("sdpa", True), ("eager", False)])
    def test_no_attention_says_how_to_get_some(self, attention: str, asked: bool) -> None:
        outputs = model("BertModel", attention)(input_ids=ids(), output_attentions=asked)
        with pytest.raises(ValueError, match=r"hold no attention.*eager.*aw.capture\(model\)"):
            aw.from_transformers(outputs)

    def test_layers_without_weights(self) -> None:
        layers = (None, torch.rand(1, 2, 3, 3), None, torch.rand(1, 2, 3, 3))
        with pytest.warns(UserWarning, match="only 2 of 4 layers hold weights.* layers 1, 3 of"):
            found = one(aw.from_transformers(layers))
        np.testing.assert_array_equal(np.asarray(found), stacked(layers[1::2]))

    def test_tuples_and_other_things(self) -> None:
        outputs = model("BertModel")(input_ids=ids(), return_dict=False)
        with pytest.raises(TypeError, match="return_dict=True"):
            aw.from_transformers((outputs, 3))
        with pytest.raises(TypeError, match="a transformers model returned"):
            aw.from_transformers(SimpleNamespace(loss=1))


def generated(name: str, given: Any, **options: Any) -> Any:
    torch.manual_seed(0)
    return model(name).generate(
        given,
        max_new_tokens=5,
        return_dict_in_generate=True,
        output_attentions=True,
        pad_token_id=0,
        eos_token_id=2,
        **{"do_sample": False, **options},
    )


WAYS: list[dict[str, Any]] = [
    {},
    {"use_cache": False},
    {"cache_implementation": "static"},
    {"num_beams": 3},
    {"do_sample": True, "num_return_sequences": 2},
    {"num_beams": 3, "num_return_sequences": 2},
]


@pytest.mark.parametrize("way", WAYS, ids=lambda way: "-".join(way) or "greedy")
class TestGenerate:
    """A generation is one pass over what it generated."""

    @pytest.mark.parametrize("name", ["LlamaForCausalLM", "MistralForCausalLM"])
    def test_of_a_decoder(self, name: str, way: dict[str, Any]) -> None:
        given = ids(batch=2)
        outputs = generated(name, given, **way)
        for batch in range(len(outputs.sequences)):
            found = one(aw.from_transformers(outputs, batch=batch))
            read = outputs.sequences[[batch], : found.shape[3]]
            with torch.no_grad():
                whole = model(name)(read, output_attentions=True).attentions
            np.testing.assert_allclose(np.asarray(found), stacked(whole), atol=1e-6)
            assert found.shape[2] > given.shape[1]

    def test_of_an_encoder_and_a_decoder(self, way: dict[str, Any]) -> None:
        given = ids(batch=2)
        name = "T5ForConditionalGeneration"
        outputs = generated(name, given, **way)
        for batch in range(len(outputs.sequences)):
            found = several(aw.from_transformers(outputs, batch=batch))
            entry = batch * 2 // len(outputs.sequences)
            with torch.no_grad():
                whole = model(name)(
                    input_ids=given[[entry]],
                    decoder_input_ids=outputs.sequences[[batch], : found["cross"].shape[2]],
                    output_attentions=True,
                )
            for kind in ("encoder", "decoder", "cross"):
                expected = stacked(getattr(whole, f"{kind}_attentions"))
                np.testing.assert_allclose(np.asarray(found[kind]), expected, atol=1e-6)


class TestSteps:
    def test_any_part_is_read_like_the_whole(self) -> None:
        found = one(aw.from_transformers(generated("MistralForCausalLM", ids())))
        whole = np.asarray(found)
        for queries in (slice(0, 3), slice(4, 8), slice(7, 8), slice(2, None), slice(3, 3)):
            for keys in (slice(None), slice(0, 1), slice(5, 9), slice(9, 10)):
                np.testing.assert_array_equal(
                    found[1, :, queries, keys], whole[1, :, queries, keys]
                )
        picked = found.select(heads=[1], queries=[9, 0, 6], keys=[0, 8])
        np.testing.assert_array_equal(
            np.asarray(picked)[:, 0], whole[:, 1][:, [9, 0, 6]][:, :, [0, 8]]
        )

    def test_bare_steps_are_a_generation_too(self) -> None:
        outputs = generated("LlamaForCausalLM", ids())
        bare = one(aw.from_transformers(outputs.attentions))
        np.testing.assert_array_equal(np.asarray(bare), np.asarray(aw.from_transformers(outputs)))

    def test_after_a_prompt_that_was_cached(self) -> None:
        given = ids(8)
        with torch.no_grad():
            whole = model("LlamaForCausalLM")(given[:, :7], output_attentions=True).attentions
        # Three positions were cached; three more were read at once, then one.
        steps = tuple(
            tuple(layer[:, :, start:stop, :stop] for layer in whole)
            for start, stop in ((3, 6), (6, 7))
        )
        outputs = transformers.generation.GenerateDecoderOnlyOutput(
            sequences=given, attentions=steps
        )
        found = one(aw.from_transformers(outputs, list("abcdefgh")))
        assert found.shape == (2, 2, 4, 7)
        np.testing.assert_array_equal(np.asarray(found), stacked(whole)[:, :, 3:])
        assert found.queries.labels == tuple("defg")
        assert found.keys.labels == tuple("abcdefg")
        alone = one(aw.from_transformers(steps))
        np.testing.assert_array_equal(np.asarray(alone), np.asarray(found))

    def test_labels_of_all_tokens_or_of_those_read(self) -> None:
        outputs = generated("T5ForConditionalGeneration", ids())
        every = ["<pad>", "un", "deux", "trois", "quatre", "cinq"]
        found = several(aw.from_transformers(outputs, every, list("abcdef")))
        assert found["decoder"].queries.labels == tuple(every[:-1])
        assert found["cross"].queries.labels == tuple(every[1:])
        assert found["cross"].keys.labels == tuple("abcdef")
        read = several(aw.from_transformers(outputs, every[:-1]))
        assert read["cross"].queries.labels == tuple(every[:-1])
        with pytest.raises(ValueError, match=r"(decoder|cross): queries must have"):
            aw.from_transformers(outputs, every[:3])

    def test_beams_that_are_not_known(self) -> None:
        outputs = generated("GPT2LMHeadModel", ids(), num_beams=3)
        outputs.beam_indices = None
        with pytest.raises(ValueError, match=r"came of 3 beams.*output_scores=True"):
            aw.from_transformers(outputs)

    def test_steps_that_differ(self) -> None:
        from attn_widget.capture.steps import StepsSource

        steps = [[torch.rand(1, 2, 3, 3)] * 2, [torch.rand(1, 2, 1, 4)]]
        with pytest.raises(ValueError, match="every step must have 2 layers of 2 heads"):
            StepsSource(steps, [0, 0], [3, 4])
