"""From source distribution to wheel to a bare environment, all without npm."""

from __future__ import annotations

import json
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

from distribution.checkouts import ROOT, succeed

# Every file that is not Python, by name: one that is lost shows here, not in a user's notebook.
ASSETS = {
    "py.typed",
    "samples/README.md",
    "samples/captioning.npz",
    "samples/detection.npz",
    "samples/mechanism.npz",
    "samples/paragraph.npz",
    "samples/recognition_photographs.npz",
    "samples/recognition_shapes.npz",
    "samples/sentence_pairs.npz",
    "samples/sentences.npz",
    "samples/translations.npz",
    "static/standalone.js",
    "static/widget.js",
}
BUILT_FROM = {
    "hatch_build.py",
    "js/build.mjs",
    "js/src/index.ts",
    "js/src/standalone.ts",
    "package-lock.json",
    "package.json",
    "pyproject.toml",
    "tsconfig.json",
}

CONSTRUCT = """
import json, sys
from importlib.metadata import version
import numpy as np
import attn_widget as aw
loaded = sorted({name.partition(".")[0] for name in sys.modules})
widget = aw.AttentionWidget(aw.Attention(np.eye(3)))
print(json.dumps({
    "file": aw.__file__,
    "loaded": loaded,
    "esm": len(str(widget._esm)),
    "version": version("attn-widget"),
}))
"""


def test_source_distribution_holds_bundle_and_sources(sdist: Path) -> None:
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert names >= BUILT_FROM
    assert {f"attn_widget/{asset}" for asset in ASSETS} <= names
    assert not any("node_modules" in name for name in names)


def test_wheel_holds_every_asset_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        sizes = {entry.filename: entry.file_size for entry in archive.infolist()}
    package = {name.removeprefix("attn_widget/") for name in sizes if ".dist-info/" not in name}
    assert {name for name in package if not name.endswith(".py")} == {*ASSETS, "care.md"}
    modules = {path.relative_to(ROOT / "attn_widget") for path in ROOT.glob("attn_widget/**/*.py")}
    assert {name for name in package if name.endswith(".py")} == {str(path) for path in modules}
    # The marker of a typed package is empty by definition.
    assert all(sizes[f"attn_widget/{asset}"] > 0 for asset in ASSETS - {"py.typed"})


def test_bare_environment_without_npm_constructs_a_widget(wheel: Path, tmp_path: Path) -> None:
    environment = tmp_path / "bare"
    venv.create(environment, with_pip=True)
    python = environment / "bin" / "python"
    pip = (python, "-m", "pip", "--disable-pip-version-check")
    succeed(*pip, "install", "--quiet", wheel, cwd=tmp_path, npm=False)
    printed = succeed(python, "-c", CONSTRUCT, cwd=tmp_path, npm=False)
    found = json.loads(printed.splitlines()[-1])
    assert Path(found["file"]).is_relative_to(environment)
    assert found["esm"] > 1000
    assert found["version"] == json.loads((ROOT / "package.json").read_text())["version"]
    assert not {"torch", "transformers", "pandas", "matplotlib", "dask"} & set(found["loaded"])
    assert sys.prefix not in printed
