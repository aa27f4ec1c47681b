"""What all commands share: how they connect, say their result, and end.

Results go to stdout, everything else to stderr.
"""

from __future__ import annotations

import math
import re
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from enum import IntEnum
from pathlib import Path
from typing import Any

import click

from batch.inventory.inventory import StorageError, explain
from batch.inventory.lock import LockedError
from batch.inventory.missing import REMEDY, Missing
from batch.inventory.stages import OutOfTurnError
from batch.pools.connect import Migration, connect
from batch.recovery.look_first import LookFirstError
from batch.runtime.document import DOCUMENT
from batch.runtime.own_lines import OWN_LINES
from batch.runtime.stopping import INTERRUPTED, StoppedError
from batch.runtime.text import SHOWN, moment, more
from batch.settings import config as configuration
from batch.settings.window import ClosedError
from userpool.errors import MigrationError, SettingsError
from userpool.plural import plural


class Exit(IntEnum):
    """How a command ends; 0 is all well, and `INTERRUPTED` (130) is a stop. Listed in `--help` and in the README.

    `exit_code` gives the code of an error. A command whose result is not well gives its own.
    """

    FAILED = 1
    USAGE = 2
    FATAL = 3
    STOPPED_EARLY = 4
    DIFFERENT = 5
    LOCKED = 6
    CLOSED_PIPE = 141


as_json_option = click.option("--json", "as_json", is_flag=True, help="Write the result as JSON to stdout.")


mfa_users_option = click.option(
    "--mfa-users",
    envvar="MFA_USERS",
    show_envvar=True,
    type=click.Choice(["reset", "capture"]),
    default="reset",
    show_default=True,
    help="What users with MFA get, as the function has it.",
)


class Day(click.ParamType[date]):
    """A day, as YYYY-MM-DD."""

    name = "YYYY-MM-DD"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> date:
        """Return the day. Fails with a usage error for anything else."""
        text = str(value)
        try:
            # `fromisoformat` also takes 20260301 and 2026-W09-7, which a person may have meant otherwise.
            day = date.fromisoformat(text) if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text) else None
        except ValueError:
            day = None
        return day or self.fail(f"{text!r} is no day: write it as YYYY-MM-DD, like 2026-03-01.", param, ctx)


class Number(click.ParamType[float]):
    """A number between two bounds, `most` being None for no bound; a whole one unless `whole` is false."""

    def __init__(self, least: int, most: int | None = None, *, whole: bool = True) -> None:
        self._least, self._most, self._kind = least, most, int if whole else float
        self.name = "number"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return the number. Fails with a usage error that says which numbers are taken."""
        try:
            # Python also reads digits of other scripts, and 1_000.
            number = self._kind(str(value)) if re.fullmatch(r"[-+.0-9]+", str(value)) else math.nan
        except ValueError:
            number = math.nan
        if not self._least <= number <= (math.inf if self._most is None else self._most):
            bounds = f"{self._least} or more" if self._most is None else f"{self._least} to {self._most}"
            kind = "a whole number" if self._kind is int else "a number"
            self.fail(f"{value!r} is not {kind} of {bounds}: give one.", param, ctx)
        return number


ignore_window_option = click.option("--ignore-window", is_flag=True, help="Run now, whatever `window` says.")


def exit_code(error: BaseException) -> int | None:  # noqa: PLR0911 -- one for each kind
    """Return the code that a command ends with after an error; None for a mistake of ours."""
    match error:
        case SystemExit(code=code):
            return int(code or 0)
        case StoppedError() | KeyboardInterrupt() | click.Abort():
            return INTERRUPTED
        case BrokenPipeError():
            return Exit.CLOSED_PIPE
        case ClosedError():
            return Exit.STOPPED_EARLY
        case OutOfTurnError(code=code):
            return code
        case SettingsError():
            return Exit.USAGE
        case LockedError():
            return Exit.LOCKED
        case MigrationError():
            return Exit.FATAL
        case StorageError():
            return exit_code(explain(error, "The inventory"))
        case _:
            return None


def connect_from_file(config_path: Path, stop: threading.Event) -> Migration:
    """Reach both pools as the configuration says."""
    return connect(configuration.load(config_path), stop=stop, say=tell)


def tell(sentence: str) -> None:
    """Say something that is no result."""
    click.echo(OWN_LINES.typed(sentence), err=True)


def confirm(question: str, *, yes: bool) -> None:
    """Ask a person to go on, unless that was said. Raises SettingsError if nobody is there, Abort if they do not."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise SettingsError("Nobody is there to confirm: pass --yes.")
    click.confirm(question, abort=True, err=True)


def show(said: str) -> None:
    """Give a part of the result, as text."""
    click.echo(OWN_LINES.typed(said))


def say(values: Callable[[], Any], lines: Callable[[], Iterable[str]], *, as_json: bool) -> None:
    """Give the result: in lines now, or as JSON when the command has ended."""
    if as_json:
        DOCUMENT.result = values()
    else:
        show("\n".join(lines()))


def cut_over_lines(at: float | None) -> Iterator[str]:
    """Say that the cut-over was, if it was; `at` is when."""
    if at is not None:
        yield (
            f"Cut over since {moment(at)}: of the old pool only passwords and who is disabled there count; "
            "nothing else of it crosses."
        )


removals_option = click.option(
    "--with-removals",
    "removals",
    is_flag=True,
    help="Also take from users of the new pool what only your changed settings no longer want.",
)
"""For commands whose plan may take something away although the old pool still has it."""


def spared_lines(spared: Mapping[str, int]) -> Iterator[str]:
    """Yield what users of the new pool keep although the changed settings would take it away, and how to take it."""
    if spared:
        yield "Your changed settings, not a change in the old pool, would take this from users of the new pool:"
        yield from (f"  {name}: {plural(users, 'user')}" for name, users in spared.items())
        yield "They keep it. To see the plan that takes it away, run:"
        yield "  cognito-migrate plan --with-removals"


def gone_lines(gone: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Say which users have left the old pool."""
    if gone:
        yield f"Not in the old pool any more, and left in the new one: {plural(len(gone), 'user')}."
        yield from (f"  {one['username']}{', disabled' if one['disabled'] else ''}" for one in gone[:SHOWN])
        yield from more(len(gone))


def missing_lines(missing: Missing) -> Iterator[str]:
    """Say how many users the new pool has lost, and what to do, if that is a loss."""
    if missing.is_loss:
        yield missing.sentence
        yield from REMEDY.splitlines()


def say_how_it_ended(error: BaseException) -> int:
    """Say why a command ended early, and return its exit code. A mistake of ours is raised again.

    stderr has the sentence. With `--json`, stdout has the document, unless that was written already.
    """
    if isinstance(error, StorageError):
        return say_how_it_ended(explain(error, "The inventory"))
    code, name, said, remedy = _ending(error)
    if isinstance(error, OutOfTurnError | LookFirstError):
        document = DOCUMENT.failure(code, name, error.why, unchanged=error.unchanged, remedy=error.remedy)
    else:
        document = DOCUMENT.failure(code, name, said, remedy=remedy)
    with _though_full():
        click.echo(document, nl=False)
    with _though_full():
        match error:
            case click.ClickException():
                error.show()
            case _ if name == "unexpected":
                raise error
            case click.Abort() | KeyboardInterrupt() | StoppedError() | ClosedError():
                tell(said)
            case _:
                tell(f"Error: {said}")
    return code


@contextmanager
def _though_full() -> Iterator[None]:
    """Go on if nothing can be written: the exit code still tells the error. A reader that is gone ends it all."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError:
        pass


_AGAIN = "Mend what the message names, and give the same command again."


def _ending(error: BaseException) -> tuple[int, str, str, str]:  # noqa: PLR0911 -- one for each kind
    """Return the exit code of an error, its name in the document, the sentence, and what to do."""
    code = exit_code(error) or 1
    match error:
        case click.ClickException():
            return (
                error.exit_code,
                "usage",
                error.format_message(),
                "Add --help to the command: it lists what it takes.",
            )
        case click.Abort() | KeyboardInterrupt():
            return code, "interrupted", "Nothing was begun.", "Give the same command again."
        case StoppedError():
            return code, "interrupted", str(error), "Give the same command again: it goes on from there."
        case ClosedError():
            return code, "outside-window", str(error), "Give it within the window, or with --ignore-window."
        case OutOfTurnError() | LookFirstError():
            return code, "out-of-turn" if isinstance(error, OutOfTurnError) else error.name, str(error), error.remedy
        case LockedError():
            return code, "locked", str(error), "Give the same command again when the other has ended."
        case SettingsError():
            return code, "settings", str(error), _AGAIN
        case MigrationError():
            return code, "fatal", str(error), _AGAIN
        case OSError():  # a full disk, mostly, to which the output goes
            what = error.filename or "The output"
            said = f"{what} cannot be written or read ({error.strerror or error}): mend that, and run it again."
            return Exit.FATAL, "output", said, _AGAIN
        case _:
            # The name of its kind alone: the text of a mistake may hold anybody's values.
            said = f"A mistake in cognito-migrate ({type(error).__name__}): stderr has where."
            return code, "unexpected", said, "Report it with what stderr says."
