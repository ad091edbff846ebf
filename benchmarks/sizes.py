"""Measure every view of `attn_widget` at every size in one JupyterLab; see README.md."""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path

import maps
import report
import sizes_report
from lab import Lab, bertviz_scripts, open_browser
from views import OTHERS, OWN, Ladder, View
from visit import Plan, Visit, visit

ROOT = Path(__file__).parent.parent


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--data", type=Path, help="an .npz with q, k (layer, head, position, d) and tokens")
    names = [case.name for case in (*OWN, *OTHERS)]
    add("--only", nargs="+", metavar="NAME", help=f"cases by how they begin: {', '.join(names)}")
    add("--repeats", type=int, default=1, help="fresh pages for each case")
    add("--limit", type=float, default=60, help="seconds within which a picture must be there")
    add("--exact", type=float, default=10, help="seconds to wait for an exact picture")
    add("--hovers", type=int, default=24, help="hovers in each case")
    add("--out", type=Path, default=ROOT / "artifacts", help="where the results go")
    add("--screenshots", action="store_true", help="keep a picture of each case")
    return parser.parse_args()


def main() -> None:
    options = arguments()
    options.out.mkdir(parents=True, exist_ok=True)
    chosen = tuple(options.only or ("",))
    own = [view for view in OWN if view.name.startswith(chosen)]
    others = [ladder for ladder in OTHERS if ladder.name.startswith(chosen)]
    if not own and not others:
        raise SystemExit(f"--only {' '.join(chosen)} names no case")
    scripts = bertviz_scripts() if any("bertviz" in ladder.tool for ladder in others) else {}
    found: list[tuple[View, Visit]] = []
    with tempfile.TemporaryDirectory() as name:
        path = maps.save_query_key(options.data, Path(name) / "minilm.npz")
        with open_browser(scripts) as browser:
            chromium = browser.version
        lab = Lab(Path(name))
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
            sizes_report.write(options.out, found, facts)
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
        print(sizes_report.write(options.out, found, facts))


if __name__ == "__main__":
    main()
