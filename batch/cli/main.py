"""The command line's front door: the list of commands. How each kind of error ends is in `terminal`.

A command's module is imported when the command is called, so that `--version`, `--help` and shell completion need
neither boto3 nor the job. Results go to stdout, everything else to stderr.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import takewhile
from pathlib import Path
from pkgutil import resolve_name
from typing import Any, NamedTuple, NoReturn, cast

import click
from click.shell_completion import CompletionItem

from batch.runtime.document import DOCUMENT
from batch.runtime.own_lines import DEFAULT, OWN_LINES

_CLOSED_PIPE = 141  # `Exit.CLOSED_PIPE`, without importing the job for it


class Listed(NamedTuple):
    """A command that is not imported yet: where it is, and the first paragraph of its help."""

    place: str
    help: str


COMMANDS = {
    "check": Listed(
        "batch.cli.check:check",
        "Say what speaks against a run, and the remedy: of both pools, the ledger, the account and this machine.",
    ),
    "close": Listed(
        "batch.cli.close:close_user",
        "Let the old password of USER, by a name of the new pool, count no more: after AdminSetUserPassword, say.",
    ),
    "cutover": Listed(
        "batch.cli.cutover:cutover",
        "Record that the new pool is in use from now on: of the old one only passwords and who is disabled count.",
    ),
    "demo": Listed(
        "batch.cli.demo:demo",
        "Migrate a made-up pool on this machine: no AWS account, no credentials, under a minute.",
    ),
    "explain": Listed(
        "batch.cli.explain:explain", "Say everything that is known of USER, and what to do next. Nothing is changed."
    ),
    "export": Listed("batch.cli.export:export", "Write a list of users to a file of yours alone."),
    "finish": Listed("batch.cli.finish:finish", "Say what is left to do, and end the migration when nothing is."),
    "forget": Listed(
        "batch.cli.forget:forget",
        "Delete what inventory and ledger have of USER, by old user name, old sub or new sub; after an erasure "
        "request.",
    ),
    "init": Listed("batch.cli.init:init", "Write a commented configuration for the pools with the ids OLD and NEW."),
    "plan": Listed(
        "batch.cli.plan:plan",
        "Show what a run would do, and for whom it would not, how long it takes and what it costs. Changes nothing.",
    ),
    "prepare": Listed(
        "batch.cli.prepare:prepare",
        "Add to the new pool the custom attributes and groups that it lacks. `check` says what else is to be done.",
    ),
    "recover": Listed(
        "batch.cli.recover:recover",
        "Let the next run bring back whom the new pool has lost. The new pool itself is not changed.",
    ),
    "report": Listed(
        "batch.cli.report:make_report",
        "Write the plan and the result as one HTML page, beside a run or without one. Neither pool is asked.",
    ),
    "reset": Listed(
        "batch.cli.reset:reset",
        "Lead those who never signed in to a new password: list them, close the capture, or send codes.",
    ),
    "run": Listed(
        "batch.cli.run:run",
        "Create in the new pool what the plan says and is not done yet, and carry over what changed since.",
    ),
    "sandbox": Listed(
        "batch.cli.demo:serve_sandbox",
        "Serve a local Cognito on this machine, to rehearse on. `sandbox --help` lists its options.",
    ),
    "scan": Listed("batch.cli.scan:scan", "Read the old pool into the inventory. It is not changed."),
    "status": Listed(
        "batch.cli.status:show_status",
        "Say where the migration stands, beside a run or without one. Neither pool is asked.",
    ),
    "sync": Listed(
        "batch.cli.sync:sync",
        "Scan, plan and run without asking: for schedulers. Ends with code 3 where a person should look first.",
    ),
    "trigger": Listed(
        "batch.cli.trigger:trigger",
        "Pack the function of the new pool, attach it, and ask why it does not capture somebody.",
    ),
    "undo": Listed(
        "batch.cli.undo:undo",
        "Delete from the new pool what `run` made there and nobody has used since. It is not for after a cut-over.",
    ),
    "verify": Listed(
        "batch.cli.verify:verify", "Compare the new pool with the plan, field by field. Neither pool is changed."
    ),
}

_WITHOUT_CONFIG = {"demo", "sandbox"}
_EPILOG = """\b
Exit codes: 0 all well · 1 some users failed · 2 usage or settings · 3 fatal (access denied, no such pool,
a cut-over too early, a sync that would change too much) · 4 stopped early by --limit, window, or a day's numbers
(reset), rerun to go on · 5 differences, findings, or people left (finish) · 6 another run holds the inventory or
ledger · 130 interrupted · 141 the reader of its output is gone (as in `| head`)
"""


class ReaderGoneError(Exception):
    """Whoever read stdout or stderr has closed it, as `head` does."""


@contextmanager
def _noticing() -> Iterator[None]:
    """Hide a closed pipe from click, which would end with code 1, and that means failed users here."""
    try:
        yield
    except BrokenPipeError:
        raise ReaderGoneError from None


class LazyGroup(click.Group):
    """A group whose commands are listed without being imported. `listed` has them by name."""

    def __init__(self, *args: Any, listed: Mapping[str, Listed], **options: Any) -> None:
        super().__init__(*args, **options)
        self._listed = listed

    def make_context(self, *args: Any, **options: Any) -> click.Context:
        with _noticing():
            return super().make_context(*args, **options)

    def invoke(self, ctx: click.Context) -> Any:
        with _noticing():
            return super().invoke(ctx)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted({*self._listed, *super().list_commands(ctx)})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        listed = self._listed.get(cmd_name)
        if listed is None:
            return super().get_command(ctx, cmd_name)
        return cast("click.Command", resolve_name(listed.place))

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        self._stand_ins().format_commands(ctx, formatter)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        commands = self._stand_ins().commands
        named = [
            CompletionItem(name, help=command.get_short_help_str())
            for name, command in sorted(commands.items())
            if name.startswith(incomplete)
        ]
        return [*named, *click.Command.shell_complete(self, ctx, incomplete)]

    def _stand_ins(self) -> click.Group:
        """Return a group of commands that have a name and a help text and can do nothing."""
        return click.Group(commands={name: click.Command(name, help=one.help) for name, one in self._listed.items()})


@click.group(
    cls=LazyGroup,
    listed=COMMANDS,
    epilog=_EPILOG,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)
@click.option(
    "--config",
    "config_path",
    type=click.Path(path_type=Path),
    default=DEFAULT,
    show_default=True,
    help="The configuration file.",
)
@click.version_option(package_name="cognito-migrate")
@click.pass_context
def cli(context: click.Context, config_path: Path) -> None:
    """Replace an Amazon Cognito user pool: scan the old one, plan, run, verify. Every step can be repeated."""
    context.obj = config_path
    OWN_LINES.use(config_path, COMMANDS.keys() - _WITHOUT_CONFIG)


def main() -> None:
    """Run the command line; every foreseen error is one sentence and an exit code, and a document with `--json`."""
    as_json = "--json" in takewhile(lambda word: word != "--", sys.argv[1:])
    DOCUMENT.expect(due=as_json)
    try:
        _run(as_json=as_json)
    except (ReaderGoneError, BrokenPipeError):
        # Python flushes stdout once more at its end, and would complain there.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        sys.exit(_CLOSED_PIPE)


def _run(*, as_json: bool) -> None:
    try:
        code = _called()
        click.echo(DOCUMENT.success(), nl=False)
        sys.exit(code)
    except click.ClickException as error:
        if as_json:
            _end(error)
        error.show()
        sys.exit(error.exit_code)
    except ReaderGoneError:
        raise
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 -- what is not foreseen is raised again
        _end(error)


def _called() -> int:
    try:
        cli.main(standalone_mode=False)
    except SystemExit as end:
        return int(end.code or 0)
    return 0


def _end(error: BaseException) -> NoReturn:
    # Only a command that ended badly needs the words for it, and with them the errors of the whole job.
    from batch.cli.terminal import say_how_it_ended  # noqa: PLC0415 -- see above

    sys.exit(say_how_it_ended(error))
