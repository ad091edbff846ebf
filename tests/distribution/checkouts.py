"""A copy of the project as a clone would have it, and commands run in it."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]


def run(*command: str | Path, cwd: Path, npm: bool = True) -> subprocess.CompletedProcess[str]:
    """Runs a command; without npm it runs without any PATH at all."""
    environment = dict(os.environ)
    environment.pop("PYTHONPATH", None)
    if not npm:
        environment["PATH"] = str(cwd / "no-such-folder")
    return subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )


def succeed(*command: str | Path, cwd: Path, npm: bool = True) -> str:
    """Runs a command that must succeed; returns what it prints."""
    result = run(*command, cwd=cwd, npm=npm)
    assert result.returncode == 0, result.stdout
    return result.stdout


def copy_sources(target: Path) -> Path:
    """Copies what git knows or would add: no bundle, no node_modules."""
    listed = succeed(
        *("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"), cwd=ROOT
    )
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, target / name)
    return target
