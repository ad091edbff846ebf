"""Real torch modules under test: attention replaced while they run, and weights made random."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest

import attn_widget as aw
from attn_widget import evidence
from minilm import folder as minilm_folder

torch = pytest.importorskip("torch")
from torch import Tensor, nn  # noqa: E402

TOKENS = torch.tensor([[3, 1, 4, 1, 5]])
LABELS = ["the", "film", "was", "not", "bad"]


class Additive(nn.Module):
    """A classifier of two layers of additive attention of one query, as capture can't see it."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(8, 6)
        self.score = nn.Linear(6, 2)
        self.answer = nn.Linear(12, 3)
        self.change: Callable[[Tensor, Any], Tensor] | None = None

    def forward(self, ids: Tensor, keep: Tensor | None = None) -> Tensor:
        states = self.embed(ids)
        scores = self.score(torch.tanh(states))
        if keep is not None:
            scores = scores.masked_fill(~keep[None, :, None], -1e4)
        read = []
        for layer in range(2):
            weights = scores[..., layer].softmax(-1)[:, None, None]
            if self.change is not None:
                weights = self.change(weights, layer)
            read.append((weights[:, 0] @ states)[:, 0])
        answer: Tensor = self.answer(torch.cat(read, dim=-1))
        return answer


@contextmanager
def replace(module: nn.Module, change: Callable[[Tensor, Any], Tensor]) -> Iterator[None]:
    assert isinstance(module, Additive)
    module.change = change
    try:
        yield
    finally:
        module.change = None


def softmax(output: Tensor) -> Tensor:
    return output.softmax(-1)


@pytest.fixture
def module() -> Additive:
    torch.manual_seed(0)
    return Additive().eval()


@pytest.fixture
def model(module: Additive) -> evidence.TorchModel:
    return evidence.TorchModel(
        module,
        (TOKENS,),
        softmax,
        erase=lambda keep: (TOKENS, torch.as_tensor(keep)),
        replace=replace,
    )


class TestOwnAttention:
    def test_the_map_is_the_one_of_the_model(
        self, module: Additive, model: evidence.TorchModel
    ) -> None:
        map = model.attention(["answer"], LABELS)
        assert map.shape == (2, 1, 1, 5)
        assert np.asarray(map).sum(axis=-1) == pytest.approx(1)
        answer = softmax(module(TOKENS)).detach().numpy()
        assert model(np.asarray(map)).numpy() == pytest.approx(answer, abs=1e-6)

    def test_other_weights_are_what_the_model_goes_on_with(
        self, module: Additive, model: evidence.TorchModel
    ) -> None:
        weights = np.zeros((2, 1, 1, 5))
        weights[0, ..., 2] = weights[1, ..., 4] = 1
        states = module.embed(TOKENS)[0]
        expected = softmax(module.answer(torch.cat([states[2], states[4]]))).detach().numpy()
        assert model(weights).numpy()[0] == pytest.approx(expected, abs=1e-6)
        assert module.change is None

    def test_the_gradient_is_that_of_finite_differences(self, model: evidence.TorchModel) -> None:
        weights = np.asarray(model.attention(), dtype=np.float64)
        slopes = model.gradient(weights).numpy()
        assert slopes.shape == (3, 2, 1, 1, 5)
        for place in np.ndindex(2, 1, 1, 5):
            step = np.zeros_like(weights)
            step[place] = 1e-2
            measured = (model(weights + step) - model(weights - step)).numpy()[0] / 2e-2
            assert slopes[(slice(None), *place)] == pytest.approx(measured, abs=1e-3)

    def test_all_tests_of_a_report_run(self, model: evidence.TorchModel) -> None:
        map = model.attention(["answer"], LABELS)
        found = evidence.report(map, model, n=10, orders=3)
        titles = [finding.title for finding in found.findings]
        assert titles == [
            "Shuffled weights",
            "Even weights",
            "Other weights, same answer",
            "Comprehensiveness",
            "Sufficiency",
            "Deletion",
            "Insertion",
            "Agreement with other measures",
        ]
        other = next(f for f in found.findings if isinstance(f, evidence.Counterfactual))
        assert other.change <= 0.01
        assert other.value > 0.05

    def test_a_part_of_the_layers(self, module: Additive) -> None:
        model = evidence.TorchModel(
            module, {"ids": TOKENS}, softmax, where=lambda where: where == 1, replace=replace
        )
        assert model.attention().shape == (1, 1, 1, 5)
        assert model.erased is None
        assert evidence.permutation(model.attention(), model, n=5).changes.max() > 0

    def test_refusals(self, module: Additive, model: evidence.TorchModel) -> None:
        with pytest.raises(ValueError, match="weights have 3 layers; the model ran 2"):
            model(np.ones((3, 1, 1, 5)) / 5)
        with pytest.raises(ValueError, match=r"\(2, 1, 1, 4\) at layer 0"):
            model(np.ones((2, 1, 1, 4)) / 4)
        with pytest.raises(TypeError, match=r"such as \(tokens,\); got Tensor"):
            evidence.TorchModel(module, TOKENS, softmax)
        blind = evidence.TorchModel(
            module, (TOKENS,), softmax, where=lambda where: False, replace=replace
        )
        with pytest.raises(ValueError, match="got none"):
            blind.attention()


class TestCascade:
    def test_parts_become_random_and_all_come_back(
        self, module: Additive, model: evidence.TorchModel
    ) -> None:
        before = {name: value.clone() for name, value in module.state_dict().items()}
        real = model.attention()
        names = []
        for name, map in evidence.cascade(module, model.attention):
            names.append(name)
            same = np.array_equal(np.asarray(map), np.asarray(real))
            # The answer is read after attention: nothing of it reaches the map.
            assert same == (name == "answer")
        assert names == ["answer", "score", "embed"]
        assert all(torch.equal(before[name], value) for name, value in module.state_dict().items())

    def test_all_come_back_when_stopped(self, module: Additive, model: evidence.TorchModel) -> None:
        before = module.embed.weight.clone()

        def stop(share: float) -> None:
            raise KeyboardInterrupt

        found = evidence.randomisation(
            model.attention(),
            evidence.cascade(module, model.attention, parts=["embed", "score"]),
            progress=stop,
        )
        assert found.steps == ("embed",)
        assert torch.equal(before, module.embed.weight)

    def test_refusals(self, module: Additive, model: evidence.TorchModel) -> None:
        with pytest.raises(ValueError, match=r"got \['head'\]"):
            next(evidence.cascade(module, model.attention, parts=["head"]))
        with pytest.raises(ValueError, match="got none"):
            next(evidence.cascade(nn.Identity(), model.attention))


def test_names_that_need_torch_are_there() -> None:
    assert "TorchModel" in dir(evidence)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        evidence.nothing  # noqa: B018
    assert aw.evidence.TorchModel is evidence.TorchModel


class Fused(nn.Module):
    """Two layers of fused causal attention, and a classifier at the last position."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(8, 8)
        self.projections = nn.ModuleList(nn.Linear(8, 24) for _ in range(2))
        self.answer = nn.Linear(8, 2)

    def forward(self, ids: Tensor) -> Tensor:
        states = self.embed(ids)
        for projection in self.projections:
            query, key, value = projection(states).unflatten(-1, (3, 2, 4)).permute(2, 0, 3, 1, 4)
            read = nn.functional.scaled_dot_product_attention(query, key, value, is_causal=True)
            states = states + read.transpose(1, 2).flatten(2)
        answer: Tensor = self.answer(states[:, -1])
        return answer


@pytest.fixture
def fused() -> Fused:
    torch.manual_seed(1)
    return Fused().eval()


class TestFusedAttention:
    def test_the_map_is_replaced_during_a_real_forward_pass(self, fused: Fused) -> None:
        model = evidence.TorchModel(fused, (TOKENS,), softmax)
        map = model.attention(LABELS)
        assert map.shape == (2, 2, 5, 5)
        own = softmax(fused(TOKENS)).detach().numpy()
        assert model(np.asarray(map)).numpy() == pytest.approx(own, abs=1e-6)
        assert (np.triu(np.asarray(map), 1) == 0).all()

        # With all weight on itself a position reads its own value and nothing else.
        states = fused.embed(TOKENS)[0, -1]
        for projection in fused.projections:
            states = states + projection(states)[16:]
        expected = softmax(fused.answer(states)).detach().numpy()
        alone = np.broadcast_to(np.eye(5), (2, 2, 5, 5))
        assert model(alone).numpy()[0] == pytest.approx(expected, abs=1e-6)
        assert softmax(fused(TOKENS)).detach().numpy() == pytest.approx(own)

    def test_the_gradient_leads_farther_than_chance(self, fused: Fused) -> None:
        model = evidence.TorchModel(fused, (TOKENS,), softmax)
        map = model.attention(LABELS)
        led = evidence.counterfactual(map, model, n=10)
        alone = evidence.counterfactual(map, model.__call__, n=10)
        for found in (led, alone):
            assert found.change <= 0.01
            assert (np.triu(found.weights, 1) == 0).all()
            assert found.weights.sum(axis=-1) == pytest.approx(1, abs=1e-5)
        assert led.value > alone.value

    def test_a_report_with_random_weights(self, fused: Fused) -> None:
        model = evidence.TorchModel(fused, (TOKENS,), softmax)
        map = model.attention(LABELS)
        cascade = evidence.cascade(fused, model.attention)
        found = evidence.report(map, model, randomised=cascade, n=20)
        random = next(f for f in found.findings if isinstance(f, evidence.Randomisation))
        assert random.steps == ("answer", "projections.1", "projections.0", "embed")
        assert random.correlations[0] == pytest.approx(1)
        assert random.correlations[-1] < 1
        uniform = next(f for f in found.findings if isinstance(f, evidence.Uniform))
        assert 0 < uniform.value < 1


@pytest.fixture(scope="module")
def minilm() -> tuple[Any, Any]:
    """The real MiniLM with its weights, and its tokenizer."""
    transformers = pytest.importorskip("transformers")
    options = {"local_files_only": True}
    model = transformers.AutoModel.from_pretrained(minilm_folder(), **options).eval()
    return model, transformers.AutoTokenizer.from_pretrained(minilm_folder(), **options)


class TestMiniLM:
    TEXTS = ("The film was not bad at all.", "It was a good film.")

    @staticmethod
    def embedded(output: Any) -> Tensor:
        mean: Tensor = output.last_hidden_state[0].mean(dim=0)
        return nn.functional.normalize(mean, dim=0)

    def test_weights_of_a_real_model_are_replaced(self, minilm: tuple[Any, Any]) -> None:
        module, tokenizer = minilm
        first, second = (tokenizer(text, return_tensors="pt") for text in self.TEXTS)
        with torch.no_grad():
            other = self.embedded(module(**second))

        def similarity(output: Any) -> Tensor:
            return self.embedded(output) @ other

        model = evidence.TorchModel(module, dict(first), similarity)
        tokens = tokenizer.convert_ids_to_tokens(first["input_ids"][0])
        map = model.attention(tokens)
        weights = np.asarray(map)
        assert map.shape == (6, 12, len(tokens), len(tokens))
        assert weights.sum(axis=-1) == pytest.approx(1, abs=1e-5)
        with torch.no_grad():
            own = float(similarity(module(**first)))
        assert float(model(weights)) == pytest.approx(own, abs=1e-5)

        uniform = evidence.uniform(map, model)
        assert 0.05 < uniform.value < 1
        shuffled = evidence.permutation(map, model, n=5)
        assert shuffled.value > 0.05

        slopes = model.gradient(weights).numpy()
        assert slopes.shape == weights.shape
        step = np.zeros_like(weights)
        step[3, 2, 1] = np.sign(slopes[3, 2, 1]) * 0.05
        risen = float(model(weights + step)) - float(model(weights - step))
        assert risen / 2 == pytest.approx(float((slopes * step).sum()), rel=0.05, abs=1e-5)

        with torch.no_grad():
            assert float(similarity(module(**first))) == own
