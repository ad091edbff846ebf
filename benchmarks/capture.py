"""What capturing attention costs a forward pass: its time, and its memory.

Each figure is of a process of its own, so that the most memory it held is that of one way of
running the model. Times are of processes in which the ways take turns, so that they meet the same
machine; only their ratios are worth comparing.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import transformers

import attn_widget as aw

WAYS = ("plain", "captured", "eager")
"""The fused forward pass; the same captured; the eager one with ``output_attentions=True``."""


def model_of(name: str, way: str) -> torch.nn.Module:
    """A small model with random weights: 2 layers, 4 heads of 64."""
    torch.manual_seed(0)
    size: dict[str, Any] = {
        "vocab_size": 1000,
        "hidden_size": 256,
        "intermediate_size": 704,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "max_position_embeddings": 16384,
        "attn_implementation": "eager" if way == "eager" else "sdpa",
    }
    if name == "llama":
        config = transformers.LlamaConfig(**size, num_key_value_heads=2)
        return transformers.LlamaModel(config).eval()
    return transformers.BertModel(transformers.BertConfig(**size)).eval()


def runs_of(name: str, tokens: int, padded: bool) -> dict[str, Callable[[], Any]]:
    """A forward pass of each way."""
    fused, eager = model_of(name, "plain"), model_of(name, "eager")
    ids = torch.randint(0, 1000, (1, tokens), generator=torch.Generator().manual_seed(0))
    given: dict[str, Any] = {"input_ids": ids}
    if padded:
        given["attention_mask"] = (torch.arange(tokens) < tokens - tokens // 8).long()[None]

    def captured() -> Any:
        with aw.capture(fused) as found:
            output = fused(**given)
        return found, output

    return {
        "plain": lambda: fused(**given),
        "captured": captured,
        "eager": lambda: eager(**given, output_attentions=True),
    }


def peak_mib() -> float:
    """The most memory that this process has held so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def memory(name: str, tokens: int, padded: bool, way: str) -> float:
    """MiB that one way holds at most beyond what there was before."""
    with torch.no_grad():
        runs_of(name, 16, padded)[way]()
        run = runs_of(name, tokens, padded)[way]
        before = peak_mib()
        kept = run()
        del kept
    return peak_mib() - before


def times(name: str, tokens: int, padded: bool, repeats: int, ways: list[str]) -> dict[str, Any]:
    """Seconds of each way, in turns."""
    runs = runs_of(name, tokens, padded)
    found: dict[str, list[float]] = {way: [] for way in ways}
    with torch.no_grad():
        for turn in range(repeats + 1):
            for way in ways:
                start = time.perf_counter()
                runs[way]()
                if turn:
                    found[way].append(time.perf_counter() - start)
    return found


def apart(*args: str) -> Any:
    """What this script prints in a process of its own."""
    command = [sys.executable, __file__, *args]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def measure(name: str, tokens: int, padded: bool, repeats: int) -> dict[str, Any]:
    """All figures of one case."""
    case = [name, str(tokens), str(int(padded))]
    load = os.getloadavg()[0]
    # What is compared takes turns, and nothing else gets between.
    seconds = apart("--times", *case, str(repeats), "plain", "captured")
    seconds |= apart("--times", *case, "3", "eager")
    mib = {way: apart("--memory", *case, way) for way in WAYS}
    ratios = sorted(
        one / other for one, other in zip(seconds["captured"], seconds["plain"], strict=True)
    )
    return {
        "model": name,
        "tokens": tokens,
        "padded": padded,
        "load": load,
        "seconds": seconds,
        "mib": mib,
        "ratio": ratios[len(ratios) // 2],
    }


def row(case: dict[str, Any]) -> str:
    """One line of the table."""
    seconds = {way: sorted(found)[len(found) // 2] for way, found in case["seconds"].items()}
    extra = {way: case["mib"][way] - case["mib"]["plain"] for way in case["mib"]}
    share = max(0.0, extra["captured"]) / extra["eager"]
    cells = [
        f"{case['model']}{', padded' if case['padded'] else ''}, {case['tokens']:,} tokens",
        f"{seconds['plain']:.3f} s",
        f"{seconds['captured']:.3f} s",
        f"{seconds['eager']:.3f} s",
        f"{case['ratio']:.2f}",
        f"{case['mib']['plain']:.0f} MiB",
        f"{extra['captured']:+.0f} MiB",
        f"{extra['eager']:+.0f} MiB",
        f"{share:.3f}",
    ]
    return f"| {' | '.join(cells)} |"


COLUMNS = (
    "model",
    "fused",
    "captured",
    "eager",
    "captured ÷ fused",
    "memory, fused",
    "captured",
    "eager",
    "of eager's",
)
HEAD = f"| {' | '.join(COLUMNS)} |\n|---|{'---:|' * (len(COLUMNS) - 1)}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[512, 2048, 8192])
    parser.add_argument("--models", nargs="+", default=["llama", "bert"])
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--out", type=Path, default=Path("artifacts"))
    parser.add_argument("--memory", nargs=4, help=argparse.SUPPRESS)
    parser.add_argument("--times", nargs="+", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.memory:
        name, tokens, padded, way = options.memory
        print(json.dumps(memory(name, int(tokens), padded == "1", way)))
        return
    if options.times:
        name, tokens, padded, repeats, *ways = options.times
        print(json.dumps(times(name, int(tokens), padded == "1", int(repeats), ways)))
        return
    cases = []
    print(HEAD, flush=True)
    for name in options.models:
        for padded in (False, True):
            for tokens in options.sizes:
                repeats = options.repeats * min(4, max(1, 8192 // tokens))
                cases.append(measure(name, tokens, padded, repeats))
                print(row(cases[-1]), flush=True)
    options.out.mkdir(exist_ok=True)
    (options.out / "capture.json").write_text(json.dumps(cases, indent=1), encoding="utf-8")
    table = "\n".join([HEAD, *map(row, cases)])
    (options.out / "capture.md").write_text(table + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
