"""The commands `trigger attach` and `trigger detach`: which triggers of the new pool call our functions."""

from __future__ import annotations

import shlex
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from batch.cli.session import refuse_by_file
from batch.cli.terminal import Exit, as_json_option, say, show, tell
from batch.lambda_trigger.attach import SOURCES, Functions, TriggerChange, attaching, detaching, not_of_the_pool, same
from batch.lambda_trigger.attach_text import (
    as_values,
    change_lines,
    detachable,
    finding_lines,
    is_over,
    let_in,
    nobody_waits,
    published,
    taken,
    template_lines,
)
from batch.lambda_trigger.capture_way import callable_by_cognito
from batch.lambda_trigger.findings import DiagnosisStep, StepVerdict, unchecked, wrong
from batch.ledger.count import LedgerCount
from batch.ledger.own_ledger import read_ledger
from batch.ledger.table import ledger_as_it_is
from batch.pools.connect import pool_to_manage
from batch.pools.managed_pool import WITHOUT_UPDATE, ManagedPool, said_of_unknown
from batch.settings import config as configuration
from batch.settings.config import Config
from userpool.client import is_loopback
from userpool.errors import FatalError, NotAllowedError, SettingsError
from userpool.function import lets_in, resource_policy
from userpool.ledger import Ledger
from userpool.terms import Lasting, refuse_another

_TRIGGERS = click.Choice([trigger for triggers in SOURCES.values() for trigger in triggers])


def _options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options that both commands have."""
    # A decorator that is applied last stands first in --help, so the list is from the last to the first.
    for option in (
        as_json_option,
        click.option("--yes", is_flag=True, help="Do not ask for confirmation."),
        click.option("--apply", "write", is_flag=True, help="Change the pool; without it, only show."),
        click.option("--function", metavar="ARN", help="The ARN of the function, if one is both."),
        click.option("--gate", metavar="ARN", help="The ARN of the function for tokens, confirmation and sign-up."),
        click.option("--capture", metavar="ARN", help="The ARN of the function that captures passwords."),
    ):
        command = option(command)
    return command


@dataclass(frozen=True, slots=True)
class _Task:
    """A change of the new pool's triggers, as it is shown: what was found, and the command that undoes it."""

    target: ManagedPool
    settings: Mapping[str, Any]
    functions: Functions
    change: TriggerChange
    found: list[DiagnosisStep]
    undo: str

    def lines(self) -> Iterator[str]:
        """Yield what it would do and what is in its way."""
        if self.change.changed:
            yield from template_lines(self.change, self.target.pool_id)
        yield from change_lines(self.change, self.undo)
        yield from finding_lines(self.found)

    def values(self, *, applied: bool) -> dict[str, Any]:
        """Return the change for `--json`. `applied`: the pool was changed."""
        return as_values(self.change, self.found, self.functions, self.undo, applied=applied)


@click.command("attach")
@click.option(
    "--keep",
    multiple=True,
    type=_TRIGGERS,
    metavar="TRIGGER",
    help="Leave a trigger to the function there, which calls ours.",
)
@click.option(
    "--replace",
    multiple=True,
    type=_TRIGGERS,
    metavar="TRIGGER",
    help="Take a trigger from the function that is there.",
)
@_options
@click.pass_obj
def attach(
    config_path: Path,
    *,
    capture: str | None,
    gate: str | None,
    function: str | None,
    keep: tuple[str, ...],
    replace: tuple[str, ...],
    write: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Show how the new pool's triggers call our functions; with --apply, let them."""
    config = configuration.load(config_path)
    if write:
        refuse_by_file(config, "trigger attach")
    functions = _functions(capture, gate, function)
    if both := sorted({*keep} & {*replace}):
        raise SettingsError(f"{', '.join(both)} cannot be kept and replaced: leave one of the options out.")
    stop = threading.Event()
    table = ledger_as_it_is(config, stop=stop)
    target = pool_to_manage(config, stop=stop)
    settings = target.settings()
    # Before anything is shown or written: Cognito calls functions of its own Region only.
    _refuse_others(functions, settings["Arn"])
    change = attaching(settings.get("LambdaConfig") or {}, functions, keep=keep, replace=replace)
    elsewhere = bool(config.ledger and config.ledger.region not in {None, config.target.region_name})
    found = [
        *_passable(target, change),
        *taken(change),
        published(read_ledger(config, table), table.name, elsewhere=elsewhere),
        *_permission(config, functions, settings["Arn"]),
    ]
    task = _Task(target, settings, functions, change, found, _command("detach", functions))
    _carry_out(task, write=write, yes=yes, as_json=as_json)


@click.command("detach")
@click.option("--force", is_flag=True, help="Detach although people wait for the function; the ledger is not asked.")
@_options
@click.pass_obj
def detach(
    config_path: Path,
    *,
    capture: str | None,
    gate: str | None,
    function: str | None,
    force: bool,
    write: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Show the new pool's triggers without our functions; with --apply, let none call them."""
    config = configuration.load(config_path)
    functions = _functions(capture, gate, function)
    stop = threading.Event()
    target = pool_to_manage(config, stop=stop)
    settings = target.settings()
    change = detaching(settings.get("LambdaConfig") or {}, functions)
    found = [*_passable(target, change), *detachable(change, force=force)]
    # --force is for a ledger that is gone as well, so it is not even asked.
    if not force:
        counted, finished = _counted(config, stop)
        found += [*(is_over(counted) if finished else [nobody_waits(counted)]), *let_in(counted)]
    task = _Task(target, settings, functions, change, found, _command("attach", functions))
    _carry_out(task, write=write, yes=yes, as_json=as_json)


def _functions(capture: str | None, gate: str | None, function: str | None) -> Functions:
    if function and (capture or gate):
        raise SettingsError("--function is both functions in one: leave --capture and --gate out.")
    named = {"capture": capture or function, "gate": gate or function}
    given = {name: arn for name, arn in named.items() if arn}
    if given.keys() != named.keys():
        raise SettingsError(
            "It is both functions or none: name them with --capture and --gate, or one with --function."
        )
    return given


def _refuse_others(functions: Functions, pool_arn: str) -> None:
    for arn in functions.values():
        if problem := not_of_the_pool(arn, pool_arn):
            raise SettingsError(f"{arn} {problem} (docs/trigger.md).")


def _passable(target: ManagedPool, change: TriggerChange) -> Iterator[DiagnosisStep]:
    """Yield that this command cannot make a change, if the pool has settings that this boto3 does not know."""
    if change.changed and (unknown := target.unknown_settings()):
        yield wrong("settings", said_of_unknown(unknown), WITHOUT_UPDATE, "unknown-setting")


def _permission(config: Config, functions: Functions, pool_arn: str) -> Iterator[DiagnosisStep]:
    """Yield whether Cognito may call the functions, by their resource-based policies."""
    if is_loopback(config.target.endpoint_url):
        yield unchecked("permission", "a stand-in has no Lambda to ask.")
        return
    allowed = {}
    # One function may be both, and is asked about once.
    for arn in dict.fromkeys(functions.values()):
        try:
            policy = resource_policy(arn, config.target)
        except NotAllowedError as error:
            yield unchecked("permission", str(error))
        else:
            allowed[arn] = bool(policy and lets_in(policy, pool_arn))
    if allowed:
        yield callable_by_cognito(allowed, pool_arn, config.target)


def _counted(config: Config, stop: threading.Event) -> tuple[LedgerCount, bool]:
    """Return the count of the ledger, and whether the ledger says that the migration is finished.

    Only the inventory knows which users are linked to a provider. Without one they are not among those kept out.
    """
    if config.ledger is None:
        raise SettingsError("There is no ledger to tell who waits for the function: set `ledger`, or pass --force.")
    table = ledger_as_it_is(config, stop=stop)
    # Numbers of another migration's ledger would say that nobody waits.
    refuse_another(table, config.source.user_pool_id, config.target.user_pool_id)
    tell("Reading the whole ledger: a Scan of its table, which DynamoDB bills by size.")
    # Not `count`, which needs an inventory: detaching must work on a machine without one.
    counted, ledger = LedgerCount(time.time()), Ledger(table)
    for people in ledger.persons():
        for person in people:
            counted.add(person)
    lasting = Lasting.of(table)
    return counted, lasting is not None and lasting.finished


def _command(name: str, functions: Functions) -> str:
    """Return the command line that undoes a change, with --function if one function is both."""
    named = [word for option, arn in functions.items() for word in (f"--{option}", arn)]
    if len({*functions.values()}) == 1:
        named = ["--function", functions["gate"]]
    return shlex.join(["cognito-migrate", "trigger", name, *named, "--apply"])


def _carry_out(task: _Task, *, write: bool, yes: bool, as_json: bool) -> None:
    """Show the change. Make it if it is wanted and nothing is in its way. Exits with code 5 if it is refused."""
    refused = any(one.verdict is StepVerdict.WRONG for one in task.found)
    wanted = write and not refused and task.change.changed
    if wanted and not (yes or sys.stdin.isatty()):
        raise SettingsError("Nobody is there to confirm: pass --yes, or leave --apply out to look only.")
    # A person who is asked must see what for, also with --json, whose document has stdout for itself.
    if not as_json or (wanted and not yes):
        (tell if as_json else show)("\n".join(task.lines()))
    if wanted:
        if not yes:
            click.confirm(f"Change the triggers of {task.target.pool_id}?", abort=True, err=True)
        write_triggers(task.target, task.settings, task.change)
    say(
        lambda: task.values(applied=wanted),
        lambda: [_conclusion(task, write=write, refused=refused)],
        as_json=as_json,
    )
    if refused:
        sys.exit(Exit.DIFFERENT)


def write_triggers(target: ManagedPool, seen: Mapping[str, Any], change: TriggerChange) -> None:
    """Change the triggers of a pool whose settings were `seen`.

    Raises FatalError if somebody else changes them as well.
    """
    after = target.change(seen=seen, LambdaConfig=dict(change.after))
    # UpdateUserPool has no condition. Only reading again shows that another writer came between.
    if not same(after.get("LambdaConfig") or {}, change.after):
        raise FatalError(
            f"Somebody else has changed the triggers of {target.pool_id} at the same time: "
            "give the command again without --apply, and look at what stands there."
        )


def _conclusion(task: _Task, *, write: bool, refused: bool) -> str:
    if refused:
        return "Refused; nothing was changed." if write else "It would be refused; nothing was changed."
    if not task.change.changed:
        return f"The triggers of {task.target.pool_id} are so already."
    if not write:
        return "Nothing was changed: the same command with --apply does it."
    return f"Changed the triggers of {task.target.pool_id}. Whether all is right: cognito-migrate check"
