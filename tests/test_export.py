"""What an exported page holds, and what it says of the rest."""

from __future__ import annotations

import base64
import contextlib
import io
import json
import re
import warnings
import zlib
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

import attn_widget as aw
from attn_widget.export import write_page
from attn_widget.export.page import layers_text
from counted import CountedArray

DTYPES = {"f2": "<f2", "f4": "<f4", "f8": "<f8", "u1": "u1", "u2": "<u2", "u4": "<u4"}


VIEWS = st.sampled_from(["lines", "heads"])


class Elements(HTMLParser):
    """The elements of a page, as a browser's parser finds them, with the text of scripts."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.scripts: list[tuple[str, str]] = []
        self._type: str | None = None
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag == "script":
            self.scripts.append((dict(attrs).get("type") or "", ""))
            self._type = tag

    def handle_endtag(self, tag: str) -> None:
        self._type = None

    def handle_data(self, data: str) -> None:
        if self._type is not None:
            kind, text = self.scripts[-1]
            self.scripts[-1] = (kind, text + data)
        else:
            self.text += data


class Read:
    """A page as its script reads it."""

    def __init__(self, html: str) -> None:
        self.elements = Elements(html)
        (first, *others) = self.elements.scripts
        assert first[0] == "application/json"
        self.manifest: dict[str, Any] = json.loads(first[1])
        self.maps: list[dict[str, Any]] = self.manifest["maps"]
        self.blobs = [text for kind, text in others if kind == "text/plain"]

    def array(self, stored: dict[str, Any]) -> NDArray[Any]:
        planes = zlib.decompress(base64.b64decode(self.blobs[stored["data"]]), wbits=-15)
        size = int(stored["dtype"][1:])
        data = np.frombuffer(planes, np.uint8).reshape(size, -1).T.tobytes()
        return np.frombuffer(data, DTYPES[stored["dtype"]]).reshape(stored["shape"])

    def layers(self, number: int = 0) -> dict[int, NDArray[Any]]:
        """The whole layers of a map."""
        shown = self.maps[number]
        return {
            block["layers"][0]: self.array(block["arrays"]["weights"])[0]
            for block in shown["blocks"]
            if block["queries"] == [0, shown["content"]["shape"][2]]
        }


def random(shape: tuple[int, ...], dtype: Any = np.float32) -> aw.Attention:
    values = np.random.default_rng(3).random(shape, np.float32) / shape[-1]
    return aw.Attention(values.astype(dtype))


def quietly(widget: aw.AttentionWidget, limit_mb: float) -> str:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return widget.to_html(limit_mb=limit_mb)


def least_mb(widget: aw.AttentionWidget) -> float:
    """The limit that the widget asks for when there is none."""
    with pytest.raises(ValueError, match="limit_mb must be at least") as refusal:
        widget.to_html(limit_mb=0.001)
    found = re.search(r"at least ([\d.]+) for", str(refusal.value))
    assert found is not None
    return float(found[1])


class TestWhatIsHeld:
    @pytest.mark.parametrize("dtype", [np.float16, np.float32])
    def test_small_maps_are_there_whole_as_they_are(self, dtype: Any) -> None:
        attention = random((3, 2, 8, 9), dtype)
        page = Read(aw.lines(attention, layer=2).to_html())
        layers = page.layers()
        assert sorted(layers) == [0, 1, 2]
        for layer, weights in layers.items():
            assert weights.dtype == dtype
            np.testing.assert_array_equal(weights, attention[layer])
        assert page.maps[0]["missing"] == ""

    def test_odd_numbers_stay_what_they_are(self) -> None:
        values = np.array([[[np.nan, np.inf, -np.inf, 0.0, 1e-30]]], np.float32)
        page = Read(aw.lines(aw.Attention(values)).to_html())
        np.testing.assert_array_equal(page.layers()[0], values)

    def test_the_state_is_that_of_the_widget(self) -> None:
        state = {"layer": 1, "heads": (1,), "pinned_queries": (2, 0), "mass": 0.5, "top_k": 3}
        page = Read(aw.lines(random((2, 2, 4, 4)), **state).to_html())
        for name, value in state.items():
            expected = list(value) if isinstance(value, tuple) else value
            assert page.manifest["state"][name] == expected

    def test_all_maps_and_steps_are_there_and_share_their_axes(self) -> None:
        first, second = random((2, 1, 4, 4)), random((1, 1, 4, 4))
        other = aw.Attention(np.ones((1, 1, 2, 3), np.float32), ["a", "b"], ["c", "d", "e"])
        widget = aw.AttentionWidget({"one": other, "two": [first, second, second]}, map="two")
        widget.step = 2
        page = Read(widget.to_html())
        places = [(held["name"], held["step"]) for held in page.maps]
        assert places == [("two", 2), ("two", 1), ("two", 0), ("one", 0)]
        assert len(page.manifest["axes"]) == 3
        assert [sorted(page.layers(number)) for number in range(4)] == [[0], [0], [0, 1], [0]]
        axes = page.manifest["axes"]
        assert axes[page.maps[3]["content"]["keys"]]["labels"] == ["c", "d", "e"]

    def test_deflated_is_smaller_than_raw(self) -> None:
        attention = aw.samples.paragraph()
        page = Read(aw.lines(attention).to_html())
        assert sorted(page.layers()) == [0, 1, 2]
        deflated = sum(len(base64.b64decode(blob)) for blob in page.blobs)
        assert deflated < 0.75 * sum(weights.nbytes for weights in page.layers().values())

    def test_maps_without_positions_or_layers_have_a_page(self) -> None:
        for shape in [(0, 2, 3, 3), (1, 0, 3, 3), (1, 1, 0, 0), (1, 1, 3, 0)]:
            page = Read(aw.lines(aw.Attention(np.zeros(shape, np.float32))).to_html())
            assert page.maps[0]["content"]["shape"] == list(shape)
            assert page.maps[0]["missing"] == ""


class TestLimit:
    @settings(max_examples=25, deadline=None)
    @given(
        limit=st.floats(0.22, 6), layer=st.integers(0, 5), view=st.sampled_from(["lines", "heads"])
    )
    def test_no_page_is_larger(self, limit: float, layer: int, view: str) -> None:
        widget = aw.AttentionWidget(MIDDLING, layer=layer, view=view, pinned_queries=(3,))
        page = quietly(widget, max(limit, least_mb(widget)))
        assert len(page.encode()) <= max(limit, least_mb(widget)) * 1_000_000
        layers = set(Read(page).layers())
        missing = set(range(6)) - layers
        said = Read(page).maps[0]["missing"].removesuffix(" in full")
        assert said == (layers_text(missing) if missing else "")
        # What is shown comes first, then its neighbours outwards.
        far = max((abs(held - layer) for held in layers), default=0)
        assert far <= min((abs(other - layer) for other in missing), default=6)

    def test_what_is_left_out_is_said(self) -> None:
        widget = aw.lines(random((6, 4, 64, 64), np.float16), layer=2)
        with pytest.warns(UserWarning, match=r"left out to stay below 0\.35 MB: layers? ") as said:
            html = widget.to_html(limit_mb=0.35)
        (warning,) = said
        assert warning.filename == __file__
        page = Read(html)
        missing = set(range(6)) - set(page.layers())
        assert 0 < len(missing) < 6
        assert f"left out to stay below 0.35 MB: {layers_text(missing)}" in page.elements.text

    def test_weights_are_rounded_where_more_of_them_fit_then(self) -> None:
        attention = random((4, 4, 64, 64))
        with pytest.warns(UserWarning, match="rounded to float16, about three digits") as said:
            page = Read(aw.lines(attention).to_html(limit_mb=0.45))
        # Old libraries warn of other things.
        assert [warning.category for warning in said].count(UserWarning) == 1
        layers = page.layers()
        assert sorted(layers) == [0, 1, 2, 3]
        for layer, weights in layers.items():
            np.testing.assert_array_equal(weights, attention[layer].astype(np.float16))
        assert "rounded to float16" in page.elements.text
        assert page.maps[0]["content"]["exact"] is False

    def test_scores_too_large_for_float16_stay_float32(self) -> None:
        values = np.random.default_rng(1).random((2, 4, 64, 64), np.float32) * 1e6
        widget = aw.lines(aw.Attention(values, kind="score"))
        layers = Read(quietly(widget, 0.3)).layers()
        assert {weights.dtype for weights in layers.values()} <= {np.dtype("f4")}

    def test_less_than_a_page_needs_is_refused_with_what_it_needs(self) -> None:
        widget = aw.lines(random((1, 1, 3, 3)))
        page = widget.to_html(limit_mb=least_mb(widget) + 0.001)
        assert len(page.encode()) <= (least_mb(widget) + 0.001) * 1_000_000

    @pytest.mark.parametrize("limit", [0, -1, float("nan"), True, "25", None])
    def test_a_limit_is_a_number_above_0(self, limit: Any) -> None:
        with pytest.raises(ValueError, match="limit_mb must be a number above 0; got"):
            aw.lines(random((1, 1, 3, 3))).to_html(limit_mb=limit)

    def test_maps_without_room_for_their_names_are_left_out(self) -> None:
        maps = {
            f"map {number}": aw.Attention(
                np.eye(2, dtype=np.float32), [f"{number}" + "x" * 190, "y" * 190]
            )
            for number in range(500)
        }
        widget = aw.AttentionWidget(maps)
        with pytest.warns(UserWarning, match=r"left out .* and more of \d+ other maps"):
            html = widget.to_html(limit_mb=0.31)
        assert len(html.encode()) <= 310_000
        assert 1 < len(Read(html).maps) < 500


MIDDLING = random((6, 4, 96, 96))


class TestWhatIsTooLarge:
    def test_no_more_is_read_than_is_needed(self) -> None:
        array = CountedArray(np.broadcast_to(np.float32(0.25), (24, 4, 8192, 8192)))
        widget = aw.matrix(aw.Attention(array), heads=(1,))
        before = array.numbers_read
        page = Read(quietly(widget, 1.0))
        assert page.maps[0]["missing"] == "layers 0–23 in full"
        # Of 6 billion: overviews and sampled thumbnails.
        assert array.numbers_read - before < 300_000_000

    def test_pictures_of_it_are_there(self) -> None:
        attention = random((2, 2, 900, 1000))
        widget = aw.matrix(
            attention, heads=(1,), layer=1, pinned_queries=(5, 890), pinned_keys=(7,)
        )
        page = Read(quietly(widget, 2.6))
        shown = page.maps[0]
        assert shown["here"] == "pictures of layer 1"
        rows = {tuple(block["queries"]): block for block in shown["blocks"]}
        for query in (5, 890):
            weights = page.array(rows[query, query + 1]["arrays"]["weights"])
            np.testing.assert_array_equal(weights[0], attention[1, :, query : query + 1])
        assert len({tuple(block["full"]) for block in shown["blocks"]}) == 1
        (column,) = [answer for answer in shown["answers"] if answer["kind"] == "rows"]
        np.testing.assert_array_equal(
            page.array(column["arrays"]["weights"]), attention[1, :, :, 0:20]
        )
        held = [answer for answer in shown["answers"] if answer["held"]]
        assert [(answer["kind"], answer["fields"]["heads"]) for answer in held] == [("region", [1])]
        assert any(answer["kind"] == "thumbnails" for answer in shown["answers"])

    def test_what_is_on_screen_is_kept(self) -> None:
        widget = aw.matrix(random((1, 2, 600, 600)))
        request = {
            "layer": 0, "heads": [0, 1], "combine": "mean", "rows": [10, 50], "cols": [20, 60],
            "size": [40, 40], "words": False, "exact": True,
        }  # fmt: skip
        message = {"v": 1, "id": "a", "kind": "region", "hold": True, **request}
        widget._receive(None, message, [])
        page = Read(quietly(widget, 1.5))
        held = [answer for answer in page.maps[0]["answers"] if answer["held"]]
        assert [answer["request"] for answer in held] == [request]


class TestText:
    HOSTILE = (
        "</script><img src=x onerror=alert(1)>",
        "<!--<script>",
        "&lt;b&gt;",
        "\ud800",
        "]]>",
    )

    def test_no_label_or_name_becomes_an_element(self) -> None:
        attention = aw.Attention(np.full((5, 5), 0.2, np.float32), list(self.HOSTILE))
        maps = {self.HOSTILE[0]: attention, self.HOSTILE[1]: random((9, 4, 64, 64), np.float16)}
        html = quietly(aw.AttentionWidget(maps), 0.32)
        page = Read(html)
        assert set(page.elements.tags) == {
            "html", "meta", "title", "style", "div", "script", "p", "noscript",
        }  # fmt: skip
        assert page.maps[0]["name"] == self.HOSTILE[0]
        labels = page.manifest["axes"][0]["labels"]
        assert labels == [*self.HOSTILE[:3], r"\ud800", self.HOSTILE[4]]
        assert "of <!--<script>" in page.elements.text

    def test_the_script_ends_no_script(self) -> None:
        from attn_widget._assets import standalone_text

        assert not re.search(r"</script|<!--", standalone_text(), re.IGNORECASE)

    def test_the_script_asks_the_network_for_nothing(self) -> None:
        from attn_widget._assets import standalone_text

        script = standalone_text()
        addresses = set(re.findall(r"(?:https?|wss?):?//[\w./-]*", script))
        assert addresses <= {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xhtml"}
        assert not re.search(r"\b(fetch|XMLHttpRequest|importScripts)\s*\(|\bimport\(", script)


class TestFile:
    def test_is_what_is_returned(self, tmp_path: Path) -> None:
        path = tmp_path / "page.html"
        path.write_text("before")
        html = aw.lines(random((1, 1, 3, 3))).to_html(path)
        assert path.read_text(encoding="utf-8") == html
        assert html.startswith("<!doctype html>")
        assert [file.name for file in tmp_path.iterdir()] == ["page.html"]

    def test_a_page_that_cannot_be_written_leaves_nothing(self, tmp_path: Path) -> None:
        target = tmp_path / "page.html"
        target.mkdir()
        with pytest.raises(OSError, match=r"page\.html"):
            write_page("<!doctype html>", target)
        assert [file.name for file in tmp_path.iterdir()] == ["page.html"]


class TestImages:
    def vision(self, image: NDArray[np.uint8], **options: Any) -> aw.Attention:
        keys = [aw.Tokens(["[CLS]"]), aw.Patches(2, 2, image=image)]
        return aw.Attention(np.full((2, 1, 5, 5), 0.2, np.float32), keys, **options)

    def image(self, page: Read, name: str) -> NDArray[np.uint8]:
        (held,) = (image for image in page.manifest["images"] if image["id"] == name)
        with Image.open(io.BytesIO(page.array(held["arrays"]["bytes"]).tobytes())) as opened:
            assert Image.MIME[opened.format or ""] == held["fields"]["type"]
            assert opened.size == (held["fields"]["width"], held["fields"]["height"])
            return np.asarray(opened)

    def test_are_in_the_page(self) -> None:
        photo = np.random.default_rng(0).integers(0, 256, (30, 40, 3), np.uint8)
        widget = aw.overlay(self.vision(photo), opacity=0.5)
        page = Read(widget.to_html())
        content = page.maps[0]["content"]
        ((name, size),) = content["images"].items()
        assert size == {"width": 40, "height": 30}
        np.testing.assert_array_equal(self.image(page, name), photo)
        assert page.manifest["axes"][content["queries"]]["parts"][0]["image"] == name
        assert page.manifest["state"]["view"] == "overlay"
        assert page.manifest["state"]["opacity"] == 0.5
        assert {*page.elements.tags} == {
            "html", "meta", "title", "style", "div", "script", "noscript",
        }  # fmt: skip

    def test_are_there_once_for_all_maps_and_steps(self) -> None:
        first, second = np.zeros((8, 9, 3), np.uint8), np.ones((7, 9, 3), np.uint8)
        maps = {"a": [self.vision(first)] * 3, "b": self.vision(second), "c": random((1, 1, 3, 3))}
        page = Read(aw.AttentionWidget(maps).to_html())
        names = [image["id"] for image in page.manifest["images"]]
        assert len(names) == 2
        held = [list(entry["content"]["images"]) for entry in page.maps]
        assert held == [names[:1], names[:1], names[:1], names[1:], []]
        np.testing.assert_array_equal(self.image(page, names[1]), second)

    def test_are_scaled_down_where_there_is_little_room(self) -> None:
        noise = np.random.default_rng(1).integers(0, 256, (900, 900, 3), np.uint8)
        widget = aw.overlay(self.vision(noise))
        whole = quietly(widget, 3)
        limit = least_mb(widget) + 0.2
        with pytest.warns(UserWarning, match="left out .* details of the image of"):
            small = widget.to_html(limit_mb=limit)
        assert len(small.encode()) <= limit * 1_000_000
        sides = []
        for html in (whole, small):
            page = Read(html)
            (name,) = page.maps[0]["content"]["images"]
            sides.append(len(self.image(page, name)))
            assert sorted(page.layers()) == [0, 1]
        assert 900 >= sides[0] > sides[1] > 100

    def test_without_room_are_said_to_be_left_out(self) -> None:
        noise = np.random.default_rng(2).integers(0, 256, (300, 300, 3), np.uint8)
        widget = aw.overlay(self.vision(noise, name="ViT"))
        limit = least_mb(widget)
        # What is asked for is rounded up, and may leave room for a small image.
        for less in (0.008, 0.006, 0.004, 0.002, 0):
            with contextlib.suppress(ValueError):
                quietly(widget, limit - less)
                limit -= less
                break
        with pytest.warns(UserWarning, match="left out to stay below .* the image of ViT"):
            html = widget.to_html(limit_mb=limit)
        page = Read(html)
        assert page.manifest["images"] == []
        assert "the image of ViT" in page.elements.text
