"""What comes with ``import attn_widget``, and what waits until it is needed."""

from __future__ import annotations

import subprocess
import sys

import pytest

import attn_widget as aw

HEAVY = (
    "torch",
    "transformers",
    "tensorflow",
    "jax",
    "pandas",
    "matplotlib",
    "PIL",
    "dask",
    "distributed",
    "zarr",
    "h5py",
    "scipy",
)


def modules_after(code: str) -> set[str]:
    """Run code in a fresh interpreter; return the top-level modules it holds afterwards."""
    listing = f"{code}\nimport sys\nprint('\\n'.join(sys.modules))"
    command = [sys.executable, "-c", listing]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return {name.partition(".")[0] for name in done.stdout.split()}


def test_importing_brings_nothing_heavy() -> None:
    found = modules_after("import attn_widget")
    assert "attn_widget" in found
    assert found.isdisjoint(HEAVY)


def test_building_a_widget_brings_nothing_heavy() -> None:
    found = modules_after(
        "import numpy as np, attn_widget as aw\n"
        "w = aw.lines(np.full((2, 3, 3), 0.5, 'f4'), ['a', 'b', 'c'], pinned_keys=[1])\n"
        "w.layer = 0; w.selection(); repr(w)"
    )
    assert found.isdisjoint(HEAVY)


def test_a_picture_brings_matplotlib_but_not_pyplot() -> None:
    code = "import numpy as np, attn_widget as aw\naw.lines(np.full((3, 3), 0.5)).snapshot()"
    assert "matplotlib" in modules_after(code)
    listing = f"{code}\nimport sys\nassert 'matplotlib.pyplot' not in sys.modules"
    modules_after(listing)


@pytest.mark.parametrize(
    "name",
    ["Attention", "AttentionWidget", "Axis", "Boxes", "Patches", "Tokens", "lines", "methods"],
)
def test_public_names_are_there(name: str) -> None:
    assert hasattr(aw, name)


def test_front_end_is_missed_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    from pathlib import Path

    from attn_widget import _assets

    monkeypatch.setattr(_assets, "MODULE", Path("nowhere") / "widget.js")
    _assets.module_text.cache_clear()
    with pytest.raises(FileNotFoundError, match=r"front end \(widget.js\) is missing: in a clone"):
        _assets.module_text()
    monkeypatch.undo()
    assert "export" in _assets.module_text()


@pytest.mark.parametrize(
    ("setting", "kind"), [("1", "Path"), ("0", "property"), (None, "property")]
)
def test_front_end_is_watched_on_request(
    monkeypatch: pytest.MonkeyPatch, setting: str | None, kind: str
) -> None:
    from attn_widget import _assets

    monkeypatch.delenv("ANYWIDGET_HMR", raising=False)
    if setting is not None:
        monkeypatch.setenv("ANYWIDGET_HMR", setting)
    assert type(_assets.module()).__name__.endswith(kind)


def test_a_kernel_imports_matplotlib_while_the_map_is_made() -> None:
    made = "import numpy as np, attn_widget as aw\nfrom attn_widget._warm import warm_up\n"
    waited = "aw.Attention(np.eye(3))\nthread = warm_up()\nthread and thread.join()"
    assert "matplotlib" not in modules_after(made + waited)
    kernel = (
        "import warnings\nwarnings.simplefilter('ignore')\n"
        "from ipykernel.zmqshell import ZMQInteractiveShell\n"
        "ZMQInteractiveShell.instance().kernel = object()\n"
    )
    # Old ipywidgets speak with the kernel when they are imported: it comes after them.
    assert "matplotlib" in modules_after(made + kernel + waited)
