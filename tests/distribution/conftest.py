"""A copy of the project as a clone would have it, and what is built from it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from distribution.checkouts import ROOT, copy_sources, succeed


@pytest.fixture(scope="session")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A source distribution made in a clean copy, front end and all."""
    checkout = copy_sources(tmp_path_factory.mktemp("checkout"))
    succeed(sys.executable, "-m", "build", "--sdist", cwd=checkout)
    return next((checkout / "dist").glob("*.tar.gz"))


@pytest.fixture(scope="session")
def wheel(sdist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel built from the source distribution where there is no npm."""
    folder = tmp_path_factory.mktemp("wheel")
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check")
    succeed(*pip, "wheel", "--no-deps", "--wheel-dir", folder, sdist, cwd=folder, npm=False)
    return next(folder.glob("*.whl"))


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A clean copy that borrows the installed node_modules, to be built in many ways."""
    copied = copy_sources(tmp_path / "checkout")
    (copied / "node_modules").symlink_to(ROOT / "node_modules", target_is_directory=True)
    return copied
