"""Prints the lowest supported version of each runtime dependency, as pip requirements.

The floors are those of pyproject.toml. NumPy publishes wheels for a Python only from the first
release that supports it, so on a newer Python its floor is that release.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

PYPROJECT = Path(__file__).parents[1] / "pyproject.toml"
FIRST_NUMPY = {12: "1.26.0", 13: "2.1.0", 14: "2.3.2"}


def floors(pyproject: str) -> dict[str, str]:
    """The version behind each `name>=version` under `dependencies`."""
    table = re.search(r"^dependencies = \[(.*?)^\]", pyproject, re.MULTILINE | re.DOTALL)
    if table is None:
        raise ValueError("pyproject.toml must list `dependencies = [...]`; found no such list")
    return dict(re.findall(r'"([\w-]+)>=([\d.]+)"', table[1]))


def main() -> None:
    """Prints one `name==version` a line."""
    lowest = floors(PYPROJECT.read_text(encoding="utf-8"))
    minor = sys.version_info.minor
    lowest["numpy"] = FIRST_NUMPY.get(minor, lowest["numpy"])
    for name, version in sorted(lowest.items()):
        print(f"{name}=={version}")


if __name__ == "__main__":
    main()
