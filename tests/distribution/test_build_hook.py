"""When the build hook bundles, when it goes on without, and when it refuses."""

from __future__ import annotations

import os
import sys
import venv
import zipfile
from pathlib import Path

import pytest

from distribution.checkouts import run, succeed

BUNDLE = "attn_widget/static/widget.js"
BUNDLES = (BUNDLE, "attn_widget/static/standalone.js")
LONG_AGO = 946_684_800.0


def build(checkout: Path, target: str, *, npm: bool) -> tuple[int, str]:
    command = (sys.executable, "-m", "hatchling", "build", "--target", target)
    result = run(*command, cwd=checkout, npm=npm)
    return result.returncode, result.stdout


def bundled(checkout: Path) -> str:
    with zipfile.ZipFile(next((checkout / "dist").glob("*.whl"))) as archive:
        return archive.read(BUNDLE).decode()


def put_bundle(checkout: Path, text: str, *, old: bool) -> None:
    for name in BUNDLES:
        path = checkout / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        if old:
            os.utime(path, (LONG_AGO, LONG_AGO))


def test_missing_bundle_is_built(checkout: Path) -> None:
    code, printed = build(checkout, "wheel", npm=True)
    assert code == 0, printed
    assert "export default" in bundled(checkout)


def test_bundle_older_than_its_sources_is_built_again(checkout: Path) -> None:
    put_bundle(checkout, "// old", old=True)
    code, printed = build(checkout, "wheel", npm=True)
    assert code == 0, printed
    assert bundled(checkout) != "// old"


def test_current_bundle_is_left_alone(checkout: Path) -> None:
    put_bundle(checkout, "// current", old=False)
    code, printed = build(checkout, "wheel", npm=True)
    assert code == 0, printed
    assert bundled(checkout) == "// current"


@pytest.mark.parametrize("target", ["wheel", "sdist"])
def test_distribution_without_bundle_or_npm_is_refused(checkout: Path, target: str) -> None:
    code, printed = build(checkout, target, npm=False)
    assert code != 0
    assert "expected npm to bundle the front end; got no npm, and widget.js" in printed


def test_editable_install_without_npm_warns(checkout: Path, tmp_path: Path) -> None:
    venv.create(tmp_path / "venv", with_pip=True)
    pip = (tmp_path / "venv" / "bin" / "python", "-m", "pip", "--verbose")
    printed = succeed(*pip, "install", "--no-deps", "--editable", ".", cwd=checkout, npm=False)
    assert "No npm found and widget.js" in printed
    assert "Successfully installed attn-widget" in printed


def test_old_bundle_without_npm_is_shipped_with_a_warning(checkout: Path) -> None:
    put_bundle(checkout, "// old", old=True)
    code, printed = build(checkout, "wheel", npm=False)
    assert code == 0, printed
    assert "No npm found and the bundles are out of date" in printed
    assert bundled(checkout) == "// old"
