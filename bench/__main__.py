"""Run every benchmark and write its figures down: `python -m bench`, or `make bench`.

Each is a process of its own. What it told goes to `bench/results.json` as soon as it ends, in place of what it told
before, and from there into the tables of `docs/performance.md`. One that breaks leaves the others' figures alone. The
exit code is 1 if one broke or a figure is out of its bounds.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench import report, scale
from bench.figures import say

RESULTS = Path(__file__).with_name("results.json")
DOCUMENT = Path(__file__).parents[1] / "docs" / "performance.md"

BENCHMARKS: dict[str, tuple[str, ...]] = {
    "run": ("run",),
    "run-whole": ("run", "--whole"),
    "capacity": ("capacity",),
    "shares": ("shares",),
    "stub_server": ("stub_server",),
    "listing": ("listing",),
    "delta": ("delta",),
    "inventory": ("inventory",),
    "memory": ("memory",),
    "report_page": ("report_page",),
    "limiter": ("limiter",),
    "live_traffic": ("live_traffic",),
    "trigger": ("trigger",),
    "cold_start": ("cold_start",),
    "local_cognito": ("local_cognito",),
}
"""What each is started with: its module and options."""

WHOLE = {"run-whole"}
"""What takes too long for every day."""


def main() -> int:
    """Run what was asked for; return 1 if something broke or is out of bounds."""
    options = _options()
    names = options.only or [name for name in BENCHMARKS if options.whole or name not in WHOLE]
    measured = report.measured_now()  # before the first is written down, which changes the tree
    all_well = True
    for name in names:
        say(f"== {name}")
        figures = _figures(name, quick=options.quick, runs=options.runs)
        if figures is None:
            say(f"== {name} broke")
        elif not options.quick:  # whose figures mean nothing
            _keep(name, {"measured": measured, "figures": figures})
        all_well = all_well and figures is not None and (options.quick or all(one["holds"] for one in figures))
    return int(not all_well)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--only", type=_known, help=f"which, by comma: {', '.join(BENCHMARKS)}")
    parser.add_argument("--whole", action="store_true", help=f"also what takes hours: {', '.join(sorted(WHOLE))}")
    parser.add_argument("--runs", type=int, default=3, help="of how many runs the median is (default 3)")
    parser.add_argument("--quick", action="store_true", help="small, to see that they work; nothing is written down")
    return parser.parse_args()


def _known(text: str) -> list[str]:
    names = text.split(",")
    if unknown := [name for name in names if name not in BENCHMARKS]:
        raise argparse.ArgumentTypeError(f"there is no {', '.join(unknown)}; there are {', '.join(BENCHMARKS)}")
    return names


def _figures(name: str, *, quick: bool, runs: int) -> list[dict[str, Any]] | None:
    """Run a benchmark; return its figures, or None if it broke."""
    with tempfile.TemporaryDirectory(prefix="cognito-migrate-bench-") as folder:
        told = Path(folder) / "figures.json"
        module, *options = BENCHMARKS[name]
        words = [*options, "--json", str(told), *(["--quick"] if quick else ["--runs", str(runs)])]
        subprocess.run([sys.executable, "-m", f"bench.{module}", *words], check=False)  # noqa: S603 -- ours
        if not told.exists():
            return None
        figures: list[dict[str, Any]] = json.loads(told.read_text(encoding="utf-8"))
        return figures


def _keep(name: str, result: dict[str, Any]) -> None:
    before = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}
    results = report.merged(before, {name: result}, BENCHMARKS)
    RESULTS.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    text = DOCUMENT.read_text(encoding="utf-8")
    for marker, content in _contents(results):
        text = report.filled(text, marker, content)
    DOCUMENT.write_text(text, encoding="utf-8")


def _contents(results: report.Results) -> Iterator[tuple[str, str]]:
    yield "figures", report.table(results)
    yield "scale", scale.table()


if __name__ == "__main__":
    sys.exit(main())
