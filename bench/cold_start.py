"""What a cold start of the function costs, where nothing is compiled yet: `python bench/cold_start.py`.

The zip is made and unpacked; each figure is the median of processes that can import boto3 and no more: first boto3,
which Lambda has anyway, then what `trigger.handler` adds. CPU time (user and system) is what counts: on a machine that
has other things to do, time on the wall is longer, and CPU time somewhat. Returns 1 if more is added than may be.
"""
# ruff: noqa: INP001, T201, S603 -- a script beside the packages that prints, and starts our own code

from __future__ import annotations

import argparse
import io
import json
import statistics
import subprocess
import sys
import tempfile
import zipfile
from importlib.util import find_spec
from pathlib import Path

from batch.package import build

_MOST_MILLISECONDS = 30.0
_PROCESSES = 21

_MEASURE = """
import sys, time
sys.path[:0] = {paths!r}
begun = time.perf_counter(), time.process_time()
import boto3
between = time.perf_counter(), time.process_time()
import trigger.handler
ended = time.perf_counter(), time.process_time()
spans = zip(begun + between, between + ended)
print([(later - earlier) * 1000 for earlier, later in spans])
"""


def main() -> int:
    """Measure, print a table, and return whether too much is added."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--processes", type=int, default=_PROCESSES, help="how many processes the median is of")
    processes: int = parser.parse_args().processes
    package = build()
    with tempfile.TemporaryDirectory(prefix="cognito-migrate-bench-") as folder:
        with zipfile.ZipFile(io.BytesIO(package.content)) as unpacked:
            unpacked.extractall(folder)
        spans = [_measured(folder) for _ in range(processes)]
    boto3_wall, boto3_cpu, ours_wall, ours_cpu = (statistics.median(column) for column in zip(*spans, strict=True))
    least = min(span[3] for span in spans)
    print(f"zip              {len(package.content):>8,} bytes")
    print(f"boto3            {boto3_cpu:>8.1f} ms of CPU, {boto3_wall:.1f} ms on the wall")
    print(
        f"trigger.handler  {ours_cpu:>8.1f} ms of CPU, {ours_wall:.1f} ms on the wall; at least {least:.1f} ms of CPU"
    )
    print(f"at most          {_MOST_MILLISECONDS:>8.1f} ms of CPU, on a machine that has nothing else to do")
    return int(ours_cpu > _MOST_MILLISECONDS)


def _measured(folder: str) -> list[float]:
    """Return the spans of one process: boto3 and ours, each on the wall and of CPU."""
    spec = find_spec("boto3")
    assert spec  # noqa: S101 -- the packages need it
    assert spec.origin  # noqa: S101 -- the same
    script = _MEASURE.format(paths=[folder, str(Path(spec.origin).parents[1])])
    command = [sys.executable, "-I", "-S", "-B", "-c", script]
    spans: list[float] = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    return spans


if __name__ == "__main__":
    sys.exit(main())
