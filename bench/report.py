"""What becomes of the figures: one file of results, and from it the table of `docs/performance.md`.

Results map a benchmark's name to {"measured": {"date", "commit", machine and versions}, "figures": [...]}.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from bench.figures import machine

Results = Mapping[str, Mapping[str, Any]]

_HEAD = ("figure", "value", "floor", "ratio", "bound", "holds", "runs")
_ROOT = Path(__file__).parents[1]


def measured_now() -> dict[str, str]:
    """Say when, of which commit and on what the figures are."""
    libraries = {name: version(name) for name in ("boto3", "botocore")}
    return {"date": f"{datetime.now(UTC):%Y-%m-%d}", "commit": _commit(), **machine(), **libraries}


def _commit() -> str:
    words = ["git", "-C", str(_ROOT), "describe", "--always", "--dirty"]
    try:
        return subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip()  # noqa: S603 -- as it stands
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def merged(before: Results, new: Results, order: Iterable[str]) -> dict[str, Mapping[str, Any]]:
    """Return the results with the new ones in place of the old of the same benchmarks, in this order.

    A benchmark that is not in the order is no more, and left out.
    """
    together = {**before, **new}
    return {name: together[name] for name in order if name in together}


def table(results: Results) -> str:
    """Return the figures as a table in Markdown, and below it when and on what each benchmark was measured."""
    lines = [_row(_HEAD), _row("---" for _ in _HEAD)]
    for name, result in results.items():
        lines += [_row((f"**{name}**", *("" for _ in _HEAD[1:])))]
        lines += [_row(_cells(figure)) for figure in result["figures"]]
    return "\n".join([*lines, "", *_provenance(results)])


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |"


def _cells(figure: Mapping[str, Any]) -> Iterable[str]:
    note = f" ({figure['note']})" if figure["note"] else ""
    bounds = [
        f"{sign} {figure[name]:g}" for sign, name in (("≤", "at_most"), ("≥", "at_least")) if _is_set(figure, name)
    ]
    return (
        f"{figure['what']}{note}",
        f"{_number(figure['value'])} {figure['unit']}".rstrip(),
        _number(figure["floor"]) if figure["floor"] else "",
        f"{figure['ratio']:.3f}" if figure["ratio"] is not None else "",
        " ".join(bounds),
        ("yes" if figure["holds"] else "**no**") if bounds else "",
        _runs(figure["runs"]),
    )


def _is_set(figure: Mapping[str, Any], name: str) -> bool:
    return figure[name] is not None


def _runs(values: list[float]) -> str:
    if len(values) < 2:  # noqa: PLR2004 -- of one there is no spread
        return str(len(values))
    return f"{len(values)}: {_number(min(values))} to {_number(max(values))}"


def _number(value: float) -> str:
    most = 100
    if abs(value) >= most:
        return f"{value:,.0f}"
    return f"{value:.2f}" if abs(value) >= 1 or not value else f"{value:.3g}"


def _provenance(results: Results) -> Iterable[str]:
    places: dict[str, list[str]] = {}
    for name, result in results.items():
        places.setdefault(_place(result["measured"]), []).append(name)
    for place, names in places.items():
        yield f"Measured {place}: {', '.join(names)}."


def _place(measured: Mapping[str, str]) -> str:
    return (
        f"{measured['date']} at {measured['commit']}, on {measured['cores']} cores of {measured['processor']}, "
        f"{measured['system']}, Python {measured['python']}, boto3 {measured['boto3']}, botocore {measured['botocore']}"
    )


def filled(document: str, name: str, content: str) -> str:
    """Return the document with the content between its markers `<!-- NAME -->` and `<!-- end of NAME -->`.

    Raises ValueError if a marker is not there.
    """
    begin, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
    before, found, rest = document.partition(begin)
    _, found_end, after = rest.partition(end)
    if not (found and found_end):
        raise ValueError(f"The document lacks {begin} or {end}.")
    return f"{before}{begin}\n{content}\n{end}{after}"
