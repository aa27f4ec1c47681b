"""What all commands share: how they connect, say their result, and end.

Results go to stdout, everything else to stderr.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from enum import IntEnum
from pathlib import Path
from typing import Any

import click

from batch import config as configuration
from batch import report
from batch.wiring import Migration, connect


class Exit(IntEnum):
    """How a command ends; 0 is all well. Listed in `--help` and in the README."""

    FAILED = 1
    USAGE = 2
    FATAL = 3
    STOPPED_EARLY = 4
    DIFFERENT = 5
    LOCKED = 6


as_json_option = click.option("--json", "as_json", is_flag=True, help="Write the result as JSON to stdout.")


def connected(config_path: Path, stop: threading.Event) -> Migration:
    """Reach both pools as the configuration says."""
    return connect(configuration.load(config_path), stop=stop, say=tell)


def tell(sentence: str) -> None:
    """Say something that is no result."""
    click.echo(sentence, err=True)


def say(values: Callable[[], Any], lines: Callable[[], Iterable[str]], *, as_json: bool) -> None:
    """Give the result, as JSON or in lines."""
    click.echo(report.as_json(values()) if as_json else "\n".join(lines()))
