"""The command `check`: will it work? Changes nothing. With --live it makes and deletes throw-away pools."""

from __future__ import annotations

import os
import shutil
import sys
import textwrap
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Literal

import click

from batch.check.check import as_values, conclusion, findings, has_errors
from batch.check.finding import Finding, Severity
from batch.check.reading import read_facts, where
from batch.cli.check_live import check_live, delete_left_over
from batch.cli.terminal import Exit, as_json_option, mfa_users_option, say
from batch.runtime.own_lines import OWN_LINES
from batch.settings import config as configuration
from batch.settings.config import Config
from userpool.errors import SettingsError

_COLOURS = {Severity.ERROR: "red", Severity.WARNING: "yellow", Severity.NOTE: "cyan", Severity.OK: "green"}
_WIDEST = 120
_WITHOUT_TERMINAL = 100
_FIRST = max(len(severity) for severity in Severity) + 2
_NARROWEST = 30  # what is left for text where the terminal is narrow
_SHALLOW = 4


@click.command()
@click.option("--client-id", envvar="SOURCE_CLIENT_ID", show_envvar=True, help="The old pool's app client.")
@mfa_users_option
@click.option("--live", is_flag=True, help="Instead, test Cognito itself in two throw-away pools; asks first.")
@click.option("--yes", is_flag=True, help="With --live: do not ask.")
@click.option(
    "--clean-up", is_flag=True, help="With --live: only delete throw-away pools that an earlier check has left."
)
@as_json_option
@click.pass_obj
def check(
    config_path: Path,
    *,
    client_id: str | None,
    mfa_users: Literal["reset", "capture"],
    live: bool,
    yes: bool,
    clean_up: bool,
    as_json: bool,
) -> None:
    """Say what speaks against a run, and the remedy: of both pools, the ledger, the account and this machine.

    Nothing is changed, without --live. Ends with code 5 if there is an error, or with --live a setting to change.
    """
    config = configuration.load(config_path)
    if (yes or clean_up) and not live:
        raise SettingsError("--yes and --clean-up go with --live: without it nothing is changed.")
    if clean_up:
        delete_left_over(config, yes=yes, as_json=as_json)
    elif live:
        # `check_live` is handed the layout, because importing this module from there would be a circle.
        check_live(config, yes=yes, as_json=as_json, in_lines=_lines)
    else:
        check_by_reading(config, client_id, mfa_users, as_json=as_json)


def check_by_reading(
    config: Config, client_id: str | None, mfa_users: Literal["reset", "capture"], *, as_json: bool
) -> None:
    """Read everything and print the findings. Exits with code 5 if one of them is an error."""
    found = findings(read_facts(where(config, client_id=client_id or None, mfa_users=mfa_users)))
    say(lambda: as_values(found), lambda: _lines(found, conclusion(found)), as_json=as_json)
    if has_errors(found):
        sys.exit(Exit.DIFFERENT)


def _lines(found: list[Finding], end: str) -> list[str]:
    terminal = sys.stdout.isatty()
    # Without a terminal there is no width to fit, so logs get a fixed one.
    width = min(shutil.get_terminal_size().columns, _WIDEST) if terminal else _WITHOUT_TERMINAL
    # NO_COLOR is a convention of many programs: any value but an empty one means no colours.
    paint = _coloured if terminal and not os.environ.get("NO_COLOR") else plain
    return [*lines(found, width, paint), "", *textwrap.wrap(OWN_LINES.typed(end), width)]


def _coloured(severity: Severity, text: str) -> str:
    return click.style(text, fg=_COLOURS[severity], bold=severity is Severity.ERROR)


Paint = Callable[[Severity, str], str]


def plain(_: Severity, text: str) -> str:
    """Return the text without colour, as for a pipe or a log."""
    return text


def lines(found: Sequence[Finding], width: int, paint: Paint = plain) -> Iterator[str]:
    """Yield the lines of the findings. No text is wider than `width`. `paint` colours the word of a severity."""
    second = max((len(finding.topic) for finding in found), default=0) + 2
    for finding in found:
        head = f"{finding.severity:<{_FIRST}}{finding.topic:<{second}}"
        yield from _of_finding(finding, head, width, paint)


def _of_finding(finding: Finding, head: str, width: int, paint: Paint) -> Iterator[str]:
    coloured = paint(finding.severity, head[:_FIRST]) + head[_FIRST:]
    if width - len(head) >= _NARROWEST:
        indent = " " * len(head)
        first, *rest = _wrapped(finding.what, width, indent)
        # The indent was only needed for wrapping: on the first line the head stands in its place.
        yield coloured + first[len(indent) :]
    else:
        indent = " " * _SHALLOW
        # On a narrow terminal the text would have no room beside its topic, so it begins on the next line.
        yield coloured.rstrip()
        rest = _wrapped(finding.what, width, indent)
    yield from rest
    if finding.remedy:
        yield from _wrapped(f"Remedy: {finding.remedy}", width, indent)
    # A command is never wrapped: it is to be copied in one piece.
    yield from (f"{' ' * _SHALLOW}{line}" for line in finding.command.splitlines())


def _wrapped(text: str, width: int, indent: str) -> list[str]:
    return textwrap.wrap(
        OWN_LINES.typed(text),  # before it is measured
        width,
        initial_indent=indent,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
