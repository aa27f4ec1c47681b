"""Findings as lines of a terminal: columns aligned, text wrapped, commands whole, so that they can be copied."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator, Sequence

from batch.check.finding import Finding, Severity

Paint = Callable[[Severity, str], str]

_FIRST = max(len(severity) for severity in Severity) + 2
_NARROWEST = 30  # what is left for text where the terminal is narrow
_SHALLOW = 4


def plain(_: Severity, text: str) -> str:
    """Paint nothing."""
    return text


def lines(found: Sequence[Finding], width: int, paint: Paint = plain) -> Iterator[str]:
    """Yield the lines of findings, no text beyond the width; `paint` colours a severity's word."""
    second = max((len(finding.topic) for finding in found), default=0) + 2
    for finding in found:
        head = f"{finding.severity:<{_FIRST}}{finding.topic:<{second}}"
        yield from _of_finding(finding, head, width, paint)


def _of_finding(finding: Finding, head: str, width: int, paint: Paint) -> Iterator[str]:
    coloured = paint(finding.severity, head[:_FIRST]) + head[_FIRST:]
    if width - len(head) >= _NARROWEST:
        indent = " " * len(head)
        first, *rest = _wrapped(finding.what, width, indent)
        yield coloured + first[len(indent) :]
    else:
        indent = " " * _SHALLOW
        yield coloured.rstrip()
        rest = _wrapped(finding.what, width, indent)
    yield from rest
    if finding.remedy:
        yield from _wrapped(f"Remedy: {finding.remedy}", width, indent)
    yield from (f"{' ' * _SHALLOW}{line}" for line in finding.command.splitlines())


def _wrapped(text: str, width: int, indent: str) -> list[str]:
    return textwrap.wrap(
        text,
        width,
        initial_indent=indent,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
