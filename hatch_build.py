"""Build hook: has the front end bundled before Python is packaged."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

BUNDLES = ("attn_widget/static/widget.js", "attn_widget/static/standalone.js")
PAGES = {"docs/care.md": "attn_widget/care.md"}
"""Pages of the docs that the package shows offline, and where it has them."""
SOURCES = ("js/src/**/*", "js/*.mjs", "package-lock.json")


def bundles(root: Path) -> list[Path]:
    """The bundles that the sources under `root` make."""
    return [root / name for name in BUNDLES]


def is_current(root: Path) -> bool:
    """Whether every bundle is there and as new as the newest source.

    Files unpacked from a source distribution all bear the same date, so equal dates are current.
    """
    sources = [path for pattern in SOURCES for path in root.glob(pattern) if path.is_file()]
    newest = max((path.stat().st_mtime for path in sources), default=0.0)
    return all(path.is_file() and path.stat().st_mtime >= newest for path in bundles(root))


class BundleHook(BuildHookInterface[Any]):
    """Bundles with npm where the bundles are missing or older than their sources.

    Without npm an editable install goes on with a warning. A distribution goes on too if a bundle
    is there, however old, and raises if there is none.
    """

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Bundles before hatchling collects the files."""
        root = Path(self.root)
        if self.target_name == "wheel" and version != "editable":
            build_data["force_include"].update(PAGES)
        if is_current(root):
            return
        npm = shutil.which("npm")
        if npm is not None:
            if not (root / "node_modules" / ".bin" / "esbuild").exists():
                subprocess.run([npm, "ci"], cwd=root, check=True)
            subprocess.run([npm, "run", "build"], cwd=root, check=True)
            return
        missing = [path.name for path in bundles(root) if not path.is_file()]
        state = f"{' and '.join(missing)} missing" if missing else "the bundles are out of date"
        advice = "install Node.js 20 or newer, then run `npm ci && npm run build`"
        if missing and version != "editable":
            raise RuntimeError(
                f"expected npm to bundle the front end; got no npm, and {state}: {advice}"
            )
        self.app.display_warning(f"No npm found and {state}: {advice}.")
