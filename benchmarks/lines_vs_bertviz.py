"""Compare `attn_widget.lines` with BertViz's `head_view` in one JupyterLab; see README.md."""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path

import maps
import report
from case import FOCUS_ABOVE, Case, Plan, measure
from lab import Lab, bertviz_scripts, open_browser

ROOT = Path(__file__).parent.parent


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--data", type=Path, help="an .npz with q, k (layer, head, position, d) and tokens")
    add("--sizes", type=int, nargs="+", default=[32, 64, 128, 256, 512], help="numbers of tokens")
    add("--tools", nargs="+", choices=list(report.TITLES), default=list(report.TITLES))
    add("--repeats", type=int, default=3, help="fresh pages for each case up to 128 tokens")
    add("--limit", type=float, default=120, help="seconds after which a step is given up")
    add("--hovers", type=int, default=36, help="tokens hovered in each case")
    add("--out", type=Path, default=ROOT / "artifacts", help="where the results go")
    add("--screenshots", action="store_true", help="keep a picture of each case")
    return parser.parse_args()


def wanted(tool: str, size: int, repeat: int, sizes: list[int]) -> bool:
    """Return whether a case is worth its time: slow ones are measured once."""
    if tool == "floor":
        return size == sizes[0]
    if tool == "attn_widget_whole" and size <= FOCUS_ABOVE:
        return False
    return tool != "bertviz" or size <= 128 or repeat == 0


def main() -> None:
    options = arguments()
    options.out.mkdir(parents=True, exist_ok=True)
    source = maps.from_query_key(options.data, options.sizes) if options.data else None
    found = source or maps.rerun_model(options.sizes)
    scripts = bertviz_scripts() if "bertviz" in options.tools else {}
    cases: list[Case] = []
    with tempfile.TemporaryDirectory() as name:
        files = maps.save(found, Path(name))
        with open_browser(scripts) as browser:
            chromium = browser.version
        lab = Lab(Path(name))
        facts = report.machine(chromium, lab.version) | {
            "map": f"6 layers × 12 heads, float32; {next(iter(found.values())).source}",
            "scripts of BertViz": "from npm packages, served by intercepting its requests: "
            + ", ".join(
                f"{address.split('/')[0]} {len(body):,} B" for address, body in scripts.items()
            ),
            "repeats": options.repeats,
            "load average before": round(os.getloadavg()[0], 2),
        }
        try:
            for repeat in range(options.repeats):
                order = [*options.tools, "floor"][:: -1 if repeat % 2 else 1]
                for size in options.sizes:
                    for tool in order:
                        if not wanted(tool, size, repeat, options.sizes):
                            continue
                        shots = options.out if options.screenshots and repeat == 0 else None
                        plan = Plan(options.limit, options.hovers, shots, seed=repeat)
                        case = measure(lab, scripts, tool, size, files[size], plan)
                        cases.append(case)
                        told = case.first.get("run_to_painted_ms", float("nan")) / 1000
                        print(f"{tool} {size}: {told:.2f} s on screen, {case.outcome}", flush=True)
                        report.write(options.out, cases, facts)
        finally:
            lab.close()
    facts["load average after"] = round(os.getloadavg()[0], 2)
    print(report.write(options.out, cases, facts))


if __name__ == "__main__":
    main()
