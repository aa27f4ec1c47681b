"""What a cold start of the function costs, where nothing is compiled yet: `python -m bench.cold_start`.

The zip is made and unpacked; each figure is the median of processes that can import boto3 and no more: first boto3,
which Lambda has anyway, and is the floor, then what `trigger.handler` adds. CPU time (user and system) is what is
judged: on a machine that has other things to do, time on the wall is longer, and CPU time somewhat.
"""

from __future__ import annotations

import io
import json
import statistics
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from batch.lambda_trigger.package import build
from bench.figures import Figure, command

_MOST = 1.3  # of what boto3 costs alone
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


def measure(*, quick: bool) -> Iterator[Figure]:
    """Measure how long the imports take, and how large the zip is."""
    package = build()
    with tempfile.TemporaryDirectory(prefix="cognito-migrate-bench-") as folder:
        with zipfile.ZipFile(io.BytesIO(package.content)) as unpacked:
            unpacked.extractall(folder)
        spans = [_measured(folder) for _ in range(3 if quick else _PROCESSES)]
    boto3_wall, boto3_cpu, ours_wall, ours_cpu = (statistics.median(column) for column in zip(*spans, strict=True))
    note = f"ours {ours_cpu:.1f} ms; on the wall {ours_wall:.1f} ms after {boto3_wall:.1f} ms"
    what = "cold import of boto3 and trigger.handler: CPU"
    yield Figure(what, boto3_cpu + ours_cpu, "ms", boto3_cpu, at_most=_MOST, note=note)
    yield Figure("zip of the function", len(package.content) / 1000, "kB")


def _measured(folder: str) -> list[float]:
    """Return the spans of one process: boto3 and ours, each on the wall and of CPU."""
    spec = find_spec("boto3")
    if spec is None or spec.origin is None:
        raise RuntimeError("boto3 is not installed.")
    script = _MEASURE.format(paths=[folder, str(Path(spec.origin).parents[1])])
    words = [sys.executable, "-I", "-S", "-B", "-c", script]
    told = subprocess.run(words, capture_output=True, text=True, check=True)  # noqa: S603 -- ours
    spans: list[float] = json.loads(told.stdout)
    return spans


if __name__ == "__main__":
    sys.exit(command(measure))
