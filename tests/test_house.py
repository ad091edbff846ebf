"""The rules of the house: what may know what, and what must be named alike."""

from __future__ import annotations

import ast
import inspect
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import attn_widget as aw
from attn_widget import protocol
from attn_widget.state import WidgetState

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "attn_widget"
PAGE = ROOT / "js" / "src"
MODULES = sorted(PACKAGE.rglob("*.py"))
SCRIPTS = sorted(PAGE.rglob("*.ts"))
MOST_LINES = 450


def named(paths: list[Path]) -> list[str]:
    return [path.relative_to(ROOT).as_posix() for path in paths]


def imported(path: Path) -> set[str]:
    """Return the top-level names of the packages that a Python file imports, anywhere in it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            found.add((node.module or "").partition(".")[0])
    return found


def imported_by_script(path: Path) -> list[str]:
    return re.findall(r'(?:from|import)\s+"([^"]+)"', path.read_text("utf-8"))


def script(name: str) -> str:
    return (PAGE / name).read_text(encoding="utf-8")


def without_comments(text: str) -> str:
    return re.sub(r"/\*.*?\*/|//[^\n]*", "", text, flags=re.DOTALL)


@pytest.mark.parametrize("path", [*MODULES, *SCRIPTS], ids=named([*MODULES, *SCRIPTS]))
def test_files_stay_short(path: Path) -> None:
    lines = len(path.read_text(encoding="utf-8").splitlines())
    assert lines <= MOST_LINES, f"{path.relative_to(ROOT)} has {lines} lines"


class TestWhoKnowsWhat:
    def test_the_widget_has_no_array_code(self) -> None:
        assert "numpy" not in imported(PACKAGE / "widget.py")
        assert "numpy" not in imported(PACKAGE / "traits.py")
        assert "numpy" not in imported(PACKAGE / "state.py")

    def test_only_the_widget_and_its_traits_know_the_host(self) -> None:
        hosts = {"traitlets", "ipywidgets", "anywidget"}
        knowing = [path for path in MODULES if imported(path) & hosts]
        assert named(knowing) == [
            "attn_widget/state.py",
            "attn_widget/traits.py",
            "attn_widget/widget.py",
        ]

    def test_only_the_entry_knows_anywidget(self) -> None:
        knowing = [path for path in SCRIPTS if "@anywidget" in path.read_text(encoding="utf-8")]
        assert named(knowing) == ["js/src/index.ts"]

    def test_the_entry_draws_nothing(self) -> None:
        text = without_comments(script("index.ts"))
        assert not re.search(r"canvas|getContext|createElement|document\.", text, re.IGNORECASE)

    def test_layouts_know_no_page(self) -> None:
        layouts = [path for path in SCRIPTS if path.name == "layout.ts"]
        assert layouts
        for path in layouts:
            text = without_comments(path.read_text(encoding="utf-8"))
            found = re.search(r"\b(document|window|HTML\w*Element|Canvas\w*|\w*Context2D)\b", text)
            assert found is None, f"{path.relative_to(ROOT)} mentions {found}"
            assert "dom.ts" not in text

    def test_the_page_brings_no_library(self) -> None:
        for path in SCRIPTS:
            for name in imported_by_script(path):
                assert name.startswith((".", "@anywidget/types")), f"{path.name} imports {name}"

    def test_the_page_leaves_its_document_alone(self) -> None:
        for path in SCRIPTS:
            text = without_comments(path.read_text(encoding="utf-8"))
            found = re.search(
                r"document\.(querySelector|getElementById)|\binnerHTML\b|\beval\(", text
            )
            assert found is None, f"{path.relative_to(ROOT)} mentions {found}"

    def test_the_bundle_asks_the_network_for_nothing(self) -> None:
        # What widgets load is packed; pages have the same sources behind another entry.
        page = (PACKAGE / "static" / "standalone.js").read_text(encoding="utf-8")
        bundle = page + script("index.ts")
        addresses = set(re.findall(r"(?:https?|wss?):?//[\w./-]*", bundle))
        assert addresses <= {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xhtml"}
        assert not re.search(r"\b(fetch|XMLHttpRequest|importScripts)\s*\(|\bimport\(", bundle)
        loader = (PACKAGE / "static" / "widget.js").read_text(encoding="utf-8")
        assert not re.search(r"\b(fetch|XMLHttpRequest|importScripts)\s*\(|https?:", loader)


class TestSameNames:
    def test_of_the_state(self) -> None:
        body = re.search(r"export interface State \{(.*?)\n\}", script("model.ts"), re.DOTALL)
        assert body is not None
        theirs = re.findall(r"^  (\w+):", without_comments(body[1]), re.MULTILINE)
        assert set(theirs) == set(WidgetState.class_traits(sync=True))

    def test_of_the_data(self) -> None:
        own = {
            name
            for name, trait in aw.AttentionWidget.class_traits(sync=True).items()
            if trait.this_class is aw.AttentionWidget
        }
        listed = re.search(r"export const DATA = \[(.*?)\]", script("model.ts"), re.DOTALL)
        assert listed is not None
        assert set(re.findall(r'"(\w+)"', listed[1])) == own - {"_esm"}

    def test_of_the_defaults(self) -> None:
        body = re.search(r"const DEFAULTS: State = \{(.*?)\n\};", script("model.ts"), re.DOTALL)
        assert body is not None
        theirs = dict(re.findall(r"^  (\w+): (.*),$", body[1], re.MULTILINE))
        traits = aw.AttentionWidget.class_traits(sync=True)
        for name, text in theirs.items():
            default = traits[name].default_value
            stated = json.loads(text)
            assert stated == (list(default) if isinstance(default, tuple) else default), name
            assert isinstance(stated, bool) == isinstance(default, bool), name

    def test_of_choices(self) -> None:
        body = re.search(r"export interface State \{(.*?)\n\}", script("model.ts"), re.DOTALL)
        assert body is not None
        theirs = dict(re.findall(r"^  (\w+):\s([^;]*);", body[1], re.MULTILINE))
        for name, trait in WidgetState.class_traits(sync=True).items():
            options = getattr(trait, "options", None)
            if options is None:
                continue
            same = re.match(r'State\["(\w+)"\]', theirs[name])
            stated = theirs[same[1]] if same else theirs[name]
            assert tuple(re.findall(r'"(\w+)"', stated)) == options
            assert ("null" in theirs[name]) == (trait.default_value is None)

    def test_of_the_protocol(self) -> None:
        text = script("protocol.ts")
        theirs = dict(re.findall(r"^export const ([A-Z_]+) = ([^;]+);", text, re.MULTILINE))
        shared = {name for name in theirs if hasattr(protocol, name)}
        assert {"VERSION", "WHOLE_BYTES", "MESSAGE_BYTES", "EDGES_LIMIT", "FOCUS_ABOVE"} <= shared
        assert shared == set(theirs)
        for name in shared:
            value = 1
            for factor in theirs[name].replace("_", "").split("*"):
                value *= int(factor)
            assert value == getattr(protocol, name), name

    def test_of_the_kinds(self) -> None:
        from attn_widget.attention import KINDS

        stated = re.search(r"export type Kind = ([^;]*);", script("content.ts"))
        assert stated is not None
        assert tuple(re.findall(r'"(\w+)"', stated[1])) == KINDS

    def test_of_the_content(self) -> None:
        from attn_widget.content import describe

        content = describe(aw.Attention([[0.5, 0.5]]), 1, ["a"], 1)
        body = re.search(r"interface WireContent \{(.*?)\n\}", script("content.ts"), re.DOTALL)
        assert body is not None
        theirs = set(re.findall(r"^  (\w+):", body[1], re.MULTILINE))
        assert theirs <= set(content)
        axis = re.search(r"interface WireAxis \{(.*?)\n\}", script("content.ts"), re.DOTALL)
        assert axis is not None
        assert set(re.findall(r"^  (\w+):", axis[1], re.MULTILINE)) == set(content["queries"])


def public_nodes(path: Path) -> Iterator[tuple[str, ast.AST]]:
    """Yield the functions and classes of a file that anyone may use, and their methods."""
    stack: list[tuple[str, ast.AST]] = [(path.stem, ast.parse(path.read_text(encoding="utf-8")))]
    while stack:
        prefix, node = stack.pop()
        yield prefix, node
        if isinstance(node, (ast.Module, ast.ClassDef)):
            stack += [
                (f"{prefix}.{child.name}", child)
                for child in node.body
                if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef))
                and not child.name.startswith("_")
            ]


class TestDocstrings:
    @pytest.mark.parametrize("path", MODULES, ids=named(MODULES))
    def test_of_all_that_is_public(self, path: Path) -> None:
        for name, node in public_nodes(path):
            assert isinstance(
                node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
            )
            assert ast.get_docstring(node), f"{name} has no docstring"

    def test_of_all_that_is_exported(self) -> None:
        exported = [name for name in vars(aw) if not name.startswith("_")]
        described = [name for name in exported if inspect.getdoc(getattr(aw, name))]
        assert described == exported
        assert "AttentionWidget" in exported

    def test_of_every_trait(self) -> None:
        tree = ast.parse((PACKAGE / "state.py").read_text(encoding="utf-8"))
        (widget,) = (node for node in tree.body if isinstance(node, ast.ClassDef))
        described = {
            node.targets[0].id
            for node, after in zip(widget.body, widget.body[1:], strict=False)
            if isinstance(node, ast.Assign)
            and isinstance(node.targets[0], ast.Name)
            and isinstance(after, ast.Expr)
            and isinstance(after.value, ast.Constant)
        }
        assert described >= {*WidgetState.class_traits(sync=True), "hovered"}
