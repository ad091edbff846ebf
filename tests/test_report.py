"""The page of all tests: what it says, what it leaves out, and that labels stay labels."""

from __future__ import annotations

import io
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

import attn_widget as aw
from attn_widget import evidence
from attn_widget.evidence.models import Mask
from attn_widget.evidence.report import Report
from attn_widget.evidence.report_page import page_html, page_text

Numbers = NDArray[np.float64]

EVIL = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "&lt;b&gt;",
    "$\\frac{",
    "[link](javascript:alert(1))",
    "日本",
    "😀",
    "\u202eevil",
]
WEIGHTS = np.array([0.4, 0.2, 0.15, 0.1, 0.05, 0.04, 0.03, 0.03])
VALUES = np.array([2.0, -1.5, 1.0, -0.5, 0.4, 0.3, -0.2, 0.1])


def model(weights: Numbers) -> Any:
    return 1 / (1 + np.exp(-weights.reshape(-1) @ VALUES))


def erased(keep: Mask) -> Any:
    return model(WEIGHTS * keep)


@pytest.fixture(scope="module")
def map() -> aw.Attention:
    return aw.Attention(WEIGHTS[None], ["<i>answer</i>"], EVIL, name="a <b>map</b>")


@pytest.fixture(scope="module")
def full(map: aw.Attention) -> Report:
    """A report of every test there is."""
    other = aw.Attention(WEIGHTS[None, ::-1].copy(), None, EVIL)
    return evidence.report(
        map,
        model=model,
        erased=erased,
        gradients=VALUES,
        truth=np.arange(8) < 2,
        seeds=[other],
        noisy=[map],
        randomised={"<u>head</u>": other},
        n=20,
        orders=5,
    )


class Elements(HTMLParser):
    """What elements and attributes a page is made of, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data: str) -> None:
        self.text += data


class TestRunning:
    def test_every_test_runs_that_can(self, full: Report) -> None:
        titles = {finding.title for finding in full.findings}
        assert titles == {
            "Weight on the truth",
            "Shuffled weights",
            "Even weights",
            "Other weights, same answer",
            "Comprehensiveness",
            "Sufficiency",
            "Deletion",
            "Insertion",
            "Agreement with other measures",
            "Random model",
            "Stability",
        }
        assert full.skipped == ()
        kinds = [full.leaning(leaning) for leaning in ("for", "against", "neither")]
        assert sorted(f.title for group in kinds for f in group) == sorted(
            finding.title for finding in full.findings
        )

    def test_with_a_map_alone_it_says_what_each_test_needs(self, map: aw.Attention) -> None:
        found = evidence.report(map)
        assert found.findings == ()
        assert dict(found.skipped)["Shuffled weights"] == "needs model"
        assert len(found.skipped) == 12
        assert "strongest key of a row has 0.40" in found.facts[1]
        assert [weight for *_, weight in found.top] == pytest.approx(np.sort(WEIGHTS)[::-1])

    def test_the_numbers_are_those_of_the_tests(self, map: aw.Attention, full: Report) -> None:
        alone = evidence.permutation(map, model, n=20)
        assert next(
            finding for finding in full.findings if isinstance(finding, evidence.Permutation)
        ).changes == pytest.approx(alone.changes)

    def test_what_fails_is_said_and_the_others_run(self, map: aw.Attention) -> None:
        def broken(weights: Numbers) -> float:
            raise RuntimeError("no <b>device</b>")

        found = evidence.report(map, broken, truth=np.arange(8) < 2)
        assert len(found.findings) == 1
        assert dict(found.skipped)["Even weights"] == "failed: RuntimeError: no <b>device</b>"
        assert "<b>device</b>" not in page_html(found)

    def test_an_interrupt_keeps_what_is_done(self, map: aw.Attention) -> None:
        def stop(share: float) -> None:
            if share > 0.025:
                raise KeyboardInterrupt

        found = evidence.report(map, model, erased=erased, progress=stop)
        assert [finding.title for finding in found.findings] == ["Shuffled weights"]
        assert found.findings[0].stopped
        assert dict(found.skipped)["Even weights"] == "stopped before it began"
        assert "(Stopped after 3 of 100.)" in re.sub(r"\s+", " ", page_text(found))

    def test_of_many_heads_and_special_tokens(self) -> None:
        map = aw.samples.sentence(0)
        found = evidence.report(map, seeds=[map], query=1)
        assert "special tokens" in found.facts[3]
        row = np.asarray(map)[:, :, 1].mean(axis=(0, 1))
        assert found.top[0][2] == pytest.approx(float(row.max()), rel=1e-5)

    def test_of_a_map_to_read_with_care(self, map: aw.Attention) -> None:
        flat = aw.Attention(np.full((2, 1, 12, 12), 1 / 12), list("abcdefghijkl"))
        found = evidence.report(flat)
        assert len(found.care) == 1
        assert found.care[0].startswith("Layer 0: ")
        assert found.care[0] in " ".join(page_text(found).split())
        assert found.care[0] in page_html(found)

    def test_of_one_key(self) -> None:
        found = evidence.report(np.array([1.0]), lambda weights: 0.5)
        assert len(found.facts) == 2
        assert {finding.value for finding in found.findings} == {0}

    def test_of_one_query(self) -> None:
        map = aw.Attention([[0.6, 0.4], [0.1, 0.9]], ["a", "b"])
        found = evidence.report(map, truth={(0, 0), (1, 0)}, query=1)
        assert [finding.value for finding in found.findings] == [pytest.approx(0.1)]
        assert found.top[0][:2] == (1, "b")

    def test_of_an_array(self) -> None:
        found = evidence.report(WEIGHTS, lambda weights: float(weights @ np.abs(VALUES) / 3))
        assert [finding.title for finding in found.findings][:2] == [
            "Shuffled weights",
            "Even weights",
        ]


class TestPage:
    def test_labels_are_escaped(self, full: Report) -> None:
        page = Elements(page_html(full, b"png"))
        assert page.tags <= {
            *("div", "h3", "h4", "p", "ul", "li", "b", "small", "img"),
            *("table", "thead", "tbody", "tr", "th", "td"),
        }
        assert page.attributes <= {"alt", "src", "width"}
        for label in (*EVIL[:5], "a <b>map</b>"):
            assert label in page.text

    def test_every_finding_stands_with_its_source(self, full: Report) -> None:
        text = " ".join(page_text(full).split())
        html = " ".join(Elements(page_html(full)).text.split())
        for finding in full.findings:
            assert finding.sentence in text
            assert finding.sentence in html
            assert finding.source in html

    def test_lines_are_short(self, full: Report) -> None:
        assert max(len(line) for line in page_text(full).splitlines()) <= 88

    def test_a_notebook_gets_text_a_page_and_a_picture(self, full: Report) -> None:
        bundle, metadata = full._repr_mimebundle_()
        assert set(bundle) == {"text/plain", "text/html", "image/png"}
        assert metadata["image/png"]["width"] == 760
        image = Image.open(io.BytesIO(bundle["image/png"]))
        assert image.width == pytest.approx(1.5 * 760, abs=1)
        assert len(bundle["image/png"]) < 150_000
        json.dumps(bundle["text/html"])

    def test_says_in_short_what_it_holds(self, full: Report) -> None:
        counts = [len(full.leaning(leaning)) for leaning in ("for", "against", "neither")]
        assert repr(full) == (
            f"Report('a <b>map</b>': {counts[0]} for, {counts[1]} against, {counts[2]} neither; "
            "0 not run)"
        )
        assert str(full) == page_text(full)


class TestFindings:
    def test_each_has_a_picture_a_frame_and_a_sentence(self, full: Report) -> None:
        pandas = pytest.importorskip("pandas")
        from matplotlib.figure import Figure

        for finding in full.findings:
            frame = finding.to_frame()
            assert isinstance(frame, pandas.DataFrame)
            assert len(frame)
            assert finding.sentence.endswith(".")
            assert finding.compared_with
            assert repr(finding).startswith(f"{type(finding).__name__}(")
            plot = getattr(finding, "plot", None)
            if plot is not None:
                given = Figure().add_subplot()
                assert plot(given) is given.figure
                assert plot()._repr_png_()[0][:4] == b"\x89PNG"

    def test_records_stay_as_found(self, full: Report) -> None:
        found = full.findings[1]
        with pytest.raises(AttributeError):
            found.n = 3  # type: ignore[misc]
        assert isinstance(found, evidence.Permutation)
        with pytest.raises(ValueError, match="read-only"):
            found.changes[0] = 1

    def test_labels_are_drawn_as_they_are(self) -> None:
        map = aw.Attention([[0.6, 0.4]], ["a"], ["$x^2$", "_b_"])
        found = evidence.counterfactual(map, lambda weights: 0.5)
        figure = found.plot()
        labels = [text for text in figure.axes[0].get_xticklabels() if text.get_text()]
        assert [text.get_text() for text in labels] == ["$x^2$", "_b_"]
        assert not any(text.get_parse_math() for text in labels)

    def test_the_docs_explain_each(self, full: Report) -> None:
        docs = (Path(__file__).parents[1] / "docs" / "evidence-model.md").read_text("utf-8")
        headings = set(re.findall(r"^## (.+)$", docs, re.MULTILINE))
        parts = {part for heading in headings for part in (heading, *heading.split(" and "))}
        lower = {part.lower() for part in parts}
        for finding in full.findings:
            assert finding.title.lower() in lower, finding.title


class TestProgress:
    def test_a_terminal_shows_a_line_after_a_while(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        from attn_widget.evidence import progress

        monkeypatch.setattr(progress, "PATIENCE_S", 0.0)
        monkeypatch.setattr(progress, "EVERY_S", 0.0)
        monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
        assert progress.collect(range(3), 3, None, "test").done == [0, 1, 2]
        assert capsys.readouterr().err == (
            "\rtest: 1 of 3\x1b[K\rtest: 2 of 3\x1b[K\rtest: 3 of 3\x1b[K\rtest: 3 of 3\x1b[K\n"
        )

    def test_nothing_is_shown_where_nobody_looks(self, capsys: pytest.CaptureFixture[str]) -> None:
        from attn_widget.evidence import progress

        progress.collect(range(3), 3, None, "test")
        progress.collect(range(3), None, False, "test")
        assert capsys.readouterr() == ("", "")

    def test_a_notebook_shows_one_output_that_changes(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from IPython.core.interactiveshell import InteractiveShell

        from attn_widget.evidence import progress

        shown: list[tuple[str, dict[str, str]]] = []

        class Publisher:
            def publish(self, data: dict[str, str], update: bool = False, **kw: object) -> None:
                shown.append(("update" if update else "new", data))

        shell = InteractiveShell.instance()
        try:
            monkeypatch.setattr(shell, "kernel", object(), raising=False)
            monkeypatch.setattr(shell, "display_pub", Publisher())
            monkeypatch.setattr(progress, "PATIENCE_S", 0.0)
            monkeypatch.setattr(progress, "EVERY_S", 0.0)
            progress.collect(range(2), 2, None, "test")
        finally:
            InteractiveShell.clear_instance()
        assert [kind for kind, _ in shown] == ["new", "update", "update"]
        assert shown[-1][1] == {"text/plain": "test: 2 of 2"}
