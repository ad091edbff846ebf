"""All tests that can be run on a map, on one page: what it says, what supports it, what doesn't."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ..attention import Attention
from ..tasks import run_steps
from .agreement import rank_agreement
from .counterfactual import counterfactual
from .curves import deletion, insertion
from .divergence import Numbers
from .erasure import comprehensiveness, sufficiency
from .finding import Finding, Leaning
from .heads import describe_steps
from .models import Erased, Reweighted, map_of, received
from .progress import Progress
from .randomisation import randomisation
from .replacement import permutation, uniform
from .stability import stability
from .statistics import mean_of
from .truth import weight_on_truth

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Maps = Iterable[Attention | object] | Mapping[str, Attention | object]

TOP_KEYS: Final = 8
"""How many of the strongest keys the page names."""

_ERASING: Final[dict[str, Callable[..., Finding]]] = {
    "Comprehensiveness": comprehensiveness,
    "Sufficiency": sufficiency,
    "Deletion": deletion,
    "Insertion": insertion,
}


@dataclass(frozen=True, eq=False, repr=False)
class Report:
    """What a map says and what is to be thought of it; shows itself as a page in a notebook."""

    name: str
    """What the map is called."""
    facts: tuple[str, ...]
    """What the map says, a sentence each."""
    top: tuple[tuple[int, str, float], ...]
    """The strongest keys: position, label, and weight in the mean over layers, heads, queries."""
    care: tuple[str, ...]
    """Where the map itself must be read with care; see ``docs/care.md``."""
    findings: tuple[Finding, ...]
    """Every result, in the order the tests ran."""
    skipped: tuple[tuple[str, str], ...]
    """Tests that did not run, and why."""

    def leaning(self, leaning: Leaning) -> tuple[Finding, ...]:
        """Return the findings for the map, against it, or neither."""
        return tuple(finding for finding in self.findings if finding.leaning == leaning)

    def plot(self) -> Figure:
        """Return the page as a Matplotlib figure."""
        from .report_figure import report_figure

        return report_figure(self)

    def _repr_mimebundle_(self, **kwargs: object) -> tuple[dict[str, Any], dict[str, Any]]:
        from .report_figure import report_png
        from .report_page import PAGE_WIDTH, page_html, page_text

        bundle = {
            "text/plain": page_text(self),
            "text/html": page_html(self, report_png(self, text=False)),
            "image/png": report_png(self),
        }
        return bundle, {"image/png": {"width": PAGE_WIDTH}}

    def __str__(self) -> str:
        from .report_page import page_text

        return page_text(self)

    def __repr__(self) -> str:
        counts = ", ".join(
            f"{len(self.leaning(leaning))} {leaning}" for leaning in ("for", "against", "neither")
        )
        return f"Report({self.name!r}: {counts}; {len(self.skipped)} not run)"


def report(
    attention: Attention | object,
    model: Reweighted | None = None,
    *,
    erased: Erased | None = None,
    readout: object = None,
    gradients: object = None,
    leave_one_out: object = None,
    truth: object = None,
    seeds: Maps | None = None,
    noisy: Maps | None = None,
    randomised: Iterable[tuple[str, Attention]] | Mapping[str, Attention] | None = None,
    query: int | None = None,
    target: int | None = None,
    n: int = 100,
    orders: int = 20,
    seed: int = 0,
    progress: Progress = None,
) -> Report:
    """Run every test that there is something to run with, and put what they find on one page.

    With a map alone the page says what the map says. Each argument adds tests; those that lack one
    are named with what they lack. A test that fails says so and the others run; an interrupt ends
    with what is done.

    Args:
        attention: a map of weights, or an array ``(..., K)`` of them.
        model: called with other weights: shuffled, even and counterfactual ones.
        erased: called with the keys to keep: comprehensiveness, sufficiency, deletion, insertion,
            leave-one-out. ``model.erased`` where the model has it.
        readout: (K,) or (K, D) where the answer depends on ``weights @ readout`` only: the
            counterfactual in closed form.
        gradients: (K,), the size of the gradient at each key: agreement.
        leave_one_out: (K,), instead of calling ``erased`` for it.
        truth: which keys are known to decide; see `weight_on_truth`.
        seeds: maps of the same input by models trained from other seeds.
        noisy: maps of the same model for slightly other input.
        randomised: (what, map) of a model made random step by step; see `randomisation`.
        query: which query's row to erase by and to name keys of; the mean over all if None.
        target: the class whose probability erasing follows; the likeliest one if None.
        n: how many shuffles.
        orders: how many random orders erasing is compared with.
        seed: of all that is random.
        progress: told the share done of each test.

    Raises:
        IndexError: if there is no such query.
        TypeError: if ``attention`` is no map and no array.
        ValueError: if the weights have a wrong shape.
    """
    map = map_of(attention)
    scores = received(map, query)
    if erased is None:
        erased = getattr(model, "erased", None)
    reference = [given for given in (gradients, leave_one_out, erased) if given is not None]
    erasing: dict[str, Any] = {"query": query, "target": target, "orders": orders}
    always: dict[str, Any] = {"progress": progress}
    random: dict[str, Any] = {"seed": seed, **always}
    tests = _Tests()
    tests.run("Weight on the truth", "truth", truth, partial(weight_on_truth, map, query=query))
    tests.run("Shuffled weights", "model", model, partial(permutation, attention, n=n, **random))
    tests.run("Even weights", "model", model, partial(uniform, attention))
    tests.run(
        "Other weights, same answer",
        "model or readout",
        model if readout is None else readout,
        lambda _: counterfactual(attention, model, readout=readout, **random),
    )
    for title, test in _ERASING.items():
        tests.run(title, "erased", erased, partial(test, map, **erasing, **random))
    tests.run(
        "Agreement with other measures",
        "gradients, leave_one_out or erased",
        reference or None,
        lambda _: rank_agreement(
            map,
            gradients=gradients,
            leave_one_out=leave_one_out,
            erased=erased,
            query=query,
            **always,
        ),
    )
    tests.run("Random model", "randomised", randomised, partial(randomisation, map, **always))
    for over, name, runs in (("seeds", "seeds", seeds), ("noisy inputs", "noisy", noisy)):
        title = f"Stability over {over}"
        tests.run(title, name, runs, partial(stability, map, over=over, **always))
    return Report(
        name=map.name or "attention",
        facts=_facts(map),
        top=_top(map, scores),
        care=_care(map),
        findings=tuple(tests.findings),
        skipped=tuple(tests.skipped),
    )


class _Tests:
    """Runs tests one after the other until the user stops one."""

    def __init__(self) -> None:
        self.findings: list[Finding] = []
        self.skipped: list[tuple[str, str]] = []
        self._stopped = False

    def run(self, title: str, needs: str, given: object, test: Callable[[Any], Finding]) -> None:
        """Run a test on what it needs, or say why it did not run."""
        if given is None:
            self.skipped.append((title, f"needs {needs}"))
            return
        if self._stopped:
            self.skipped.append((title, "stopped before it began"))
            return
        try:
            finding = test(given)
        except KeyboardInterrupt:
            self.skipped.append((title, "stopped before there was a result"))
            self._stopped = True
        except Exception as error:
            # What one test can't do is no reason to lose what the others found.
            self.skipped.append((title, f"failed: {type(error).__name__}: {error}"))
        else:
            self.findings.append(finding)
            self._stopped = finding.stopped


def _facts(map: Attention) -> tuple[str, ...]:
    layers, heads, queries, keys = map.shape
    size = ", ".join(
        f"{count} {word if count == 1 else plural}"
        for count, word, plural in (
            (layers, "layer", "layers"),
            (heads, "head", "heads"),
            (queries, "query", "queries"),
            (keys, "key", "keys"),
        )
    )
    numbers = run_steps(describe_steps(map, distances=False))
    facts = [f"The map has {size}."]
    top = _mean(numbers.confidence)
    even = f"where {1 / keys:.2g} would be even"
    facts.append(f"The strongest key of a row has {top:.2f} in the mean, {even}.")
    entropy = _mean(numbers.relative_entropy)
    if not math.isnan(entropy):
        facts.append(f"The entropy of a row is {entropy:.0%} of the most it could be.")
    if map.keys.special:
        facts.append(f"{_mean(numbers.special_share):.0%} of the weight is on special tokens.")
    return tuple(facts)


def _mean(values: Numbers) -> float:
    return float(mean_of(values.reshape(-1)))


def _care(map: Attention) -> tuple[str, ...]:
    """Return the notes on each layer, the first of each kind."""
    # Notes know statistics, which this package holds.
    from ..notes import notes

    first: dict[str, str] = {}
    for layer in range(map.shape[0]):
        where = f"Layer {layer}: " if map.shape[0] > 1 else ""
        for note in notes(map, layer):
            first.setdefault(note.kind, where + note.text)
    return tuple(first.values())


def _top(map: Attention, scores: Numbers) -> tuple[tuple[int, str, float], ...]:
    order = np.argsort(-scores, kind="stable")[:TOP_KEYS]
    return tuple((key, map.keys.shown[key], float(scores[key])) for key in order.tolist())
