"""Measure every view of `attn_widget` at every size in one JupyterLab; see README.md."""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import maps
import report
import sizes_report
from lab import Lab, bertviz_scripts, open_browser
from views import OTHERS, OWN, Ladder, View
from visit import Plan, Visit, visit

ROOT = Path(__file__).parent.parent


def parser(about: str | None, names: Sequence[str]) -> argparse.ArgumentParser:
    """The options of this command and of `overlay.py`."""
    made = argparse.ArgumentParser(description=about)
    add = made.add_argument
    add("--only", nargs="+", metavar="NAME", help=f"cases by how they begin: {', '.join(names)}")
    add("--repeats", type=int, default=1, help="fresh pages for each case")
    add("--limit", type=float, default=60, help="seconds within which a picture must be there")
    add("--exact", type=float, default=10, help="seconds to wait for an exact picture")
    add("--hovers", type=int, default=24, help="hovers in each case")
    add("--out", type=Path, default=ROOT / "artifacts", help="where the results go")
    add("--screenshots", action="store_true", help="keep a picture of each case")
    return made


def survey(
    options: argparse.Namespace,
    name: str,
    own: Sequence[View],
    others: Sequence[Ladder] = (),
    data: Callable[[Path], Path] = lambda folder: folder,
) -> None:
    """Visit each case that `--only` names, and write what was measured.

    Args:
        options: As `parser` reads them.
        name: Of the files with the results.
        own: Views of the widget.
        others: Pictures of other packages.
        data: Writes what the cases load into a folder and returns its path.
    """
    options.out.mkdir(parents=True, exist_ok=True)
    chosen = tuple(options.only or ("",))
    own = [view for view in own if view.name.startswith(chosen)]
    others = [ladder for ladder in others if ladder.name.startswith(chosen)]
    if not own and not others:
        raise SystemExit(f"--only {' '.join(chosen)} names no case")
    scripts = bertviz_scripts() if any("bertviz" in ladder.tool for ladder in others) else {}
    found: list[tuple[View, Visit]] = []
    with tempfile.TemporaryDirectory() as folder:
        path = data(Path(folder))
        with open_browser(scripts) as browser:
            chromium = browser.version
        lab = Lab(Path(folder))
        facts = report.machine(chromium, lab.version) | {
            "repeats": options.repeats,
            "load average before": round(os.getloadavg()[0], 2),
        }

        def measure(view: View, repeat: int) -> Visit:
            shots = options.out if options.screenshots and repeat == 0 else None
            plan = Plan(options.limit, options.exact, options.hovers, shots, seed=repeat)
            told = visit(lab, scripts, view, path, plan)
            found.append((view, told))
            seconds = (told.first_ms or float("nan")) / 1000
            print(f"{view.name}: {seconds:.2f} s, {told.outcome}, load {told.load}", flush=True)
            sizes_report.write(options.out, name, found, facts)
            return told

        def climb(ladder: Ladder, repeat: int) -> None:
            for size in ladder.sizes:
                took = measure(ladder.view(size), repeat).first_ms
                # Twice the tokens are four times the weights.
                if took is None or 4 * took > 1000 * options.limit:
                    return

        try:
            for repeat in range(options.repeats):
                for view in own:
                    measure(view, repeat)
                for ladder in others:
                    climb(ladder, repeat)
        finally:
            lab.close()
        facts["load average after"] = round(os.getloadavg()[0], 2)
        print(sizes_report.write(options.out, name, found, facts))


def main() -> None:
    made = parser(__doc__, [case.name for case in (*OWN, *OTHERS)])
    about = "an .npz with q, k (layer, head, position, d) and tokens"
    made.add_argument("--data", type=Path, help=about)
    options = made.parse_args()

    def data(folder: Path) -> Path:
        return maps.save_query_key(options.data, folder / "minilm.npz")

    survey(options, "sizes", OWN, OTHERS, data)


if __name__ == "__main__":
    main()
