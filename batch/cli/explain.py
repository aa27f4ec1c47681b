"""The command `explain`: all that is known of one user, and what to do next, in words or as JSON."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from batch.cli.session import ledger_to_read
from batch.cli.terminal import as_json_option, say
from batch.inventory.inventory import inventory_to_read
from batch.ledger.persons import HELD
from batch.pools import connect
from batch.report.explain import Explaining, InNewPool, InOldPool, UserCase
from batch.report.next_step import next_step
from batch.runtime.text import moment
from batch.settings import config as configuration
from userpool.person import PersonState
from userpool.user import Status


def case_json(case: UserCase) -> dict[str, Any]:
    """Return a case for `--json`, with the differing memberships and the next step."""
    differing = {"missing": case.missing, "taken_away": case.taken_away, "added": case.added}
    values = {**asdict(case), "memberships": differing, "next": next_step(case)._asdict()}
    if ledger := values["ledger"]:  # which has 0 for a time that it does not know
        values["ledger"] = {**ledger, "since": ledger["since"] or None, "until": ledger["until"] or None}
    return {name: _plain(value) for name, value in values.items()}


def _plain(value: Any) -> Any:
    """Return the value with every set as a sorted list, because JSON has no sets and their order would vary."""
    match value:
        case dict():
            return {name: _plain(one) for name, one in value.items()}
        case frozenset():
            return sorted(value)
        case _:
            return value


def cases_lines(cases: Iterable[UserCase]) -> Iterator[str]:
    """Yield the lines of each case, with a blank line between two."""
    for number, case in enumerate(cases):
        if number:
            yield ""
        yield from _lines(case)


def _lines(case: UserCase) -> Iterator[str]:
    yield f"{case.username}{f', old sub {case.sub}' if case.sub else ''}"
    # A user of the new pool that is not of this migration has no old side to tell of.
    if case.sub:
        yield _line("old pool", _old_words(case.old))
        yield _line("scanned", case.seen)
        yield _line("plan", _plan_words(case))
        yield _line("done", _done_words(case))
    yield _line("new pool", _new_words(case.new))
    if differing := _differing_words(case):
        yield _line("memberships", differing)
    if case.conflicts:
        yield _line("conflicts", "; ".join(case.conflicts))
    if case.with_ledger:
        yield _line("ledger", _ledger_words(case))
    step = next_step(case)
    yield f"Next: {step.said}{f' Command: {step.command}' if step.command else ''}"


def _line(name: str, said: str) -> str:
    return f"  {f'{name}:':<13}{said}"


def _old_words(old: InOldPool | None) -> str:
    if old is None:
        return "not there, or another user has the name"
    changed = "; changed since the last scan" if old.changed else ""
    mfa = f"MFA {', '.join(old.mfa)}" if old.mfa else "no MFA"
    return f"{_account_words(old)}, {mfa}{changed}"


def _account_words(user: InOldPool | InNewPool) -> str:
    enabled = "enabled" if user.enabled else "DISABLED"
    verified = f"{' and '.join(user.verified)} verified" if user.verified else "no verified e-mail or phone number"
    groups = f"groups {_listed(user.groups)}" if user.groups else "no groups"
    return f"{user.status}, {enabled}, {verified}, {groups}"


def _plan_words(case: UserCase) -> str:
    plan = case.plan
    if plan is None:
        return "none"
    name = f" as {plan.name}" if plan.name else ""
    reason = f": {plan.reason}" if plan.reason else ""
    channel = "" if plan.reset_channel or not plan.name else "; cannot reset a password alone"
    return f"{plan.action}{name}{reason}{channel}"


def _done_words(case: UserCase) -> str:
    done = case.done
    if done is None:
        return "nothing"
    there = f", new sub {done.new_sub}" if done.new_sub else ""
    problem = f"; {done.problem}: {done.reason}" if done.problem else ""
    return f"{done.state}{there}{problem}"


def _new_words(new: InNewPool | None) -> str:
    if new is None:
        return "not there"
    ours = "made by this migration" if new.ours else "NOT made by this migration for this user"
    # Such a profile is made by Cognito at a federated sign-in, never by this migration.
    if new.status is Status.EXTERNAL_PROVIDER:
        ours = "made by a federated sign-in"
    return f"{new.username}: {ours}, {_account_words(new)}"


def _differing_words(case: UserCase) -> str:
    # The groups of somebody else's user are not compared with what this person should have.
    if not (case.new and case.new.ours):
        return ""
    parts = {
        "still to be given": case.missing,
        "taken away in the new pool": case.taken_away,
        "only in the new pool": case.added,
    }
    return "; ".join(f"{said} {_listed(groups)}" for said, groups in parts.items() if groups)


def _ledger_words(case: UserCase) -> str:
    person = case.ledger
    if person is None:
        return "not there"
    # The ledger does not always say since when, which is 0 here.
    since = f" since {moment(person.since)}" if person.since else ""
    held = f" ({_why_held(person.reason)})" if person.state is PersonState.HELD else ""
    until = f", until {moment(person.until)}" if person.state is PersonState.CAPTURING else ""
    owed = f", owed {_listed(person.owed)}" if person.owed else ""
    run = f"; a run is on, until {moment(case.running_until)} at least" if case.running_until else ""
    return f"{person.state}{since}{until}{held}{owed}, sign-in names locked: {person.locks}{run}"


def _why_held(reason: str | None) -> str:
    # The remedy is left out: the next step below has it.
    said, _ = HELD.get(reason or "", (reason or "no reason", ""))
    return said.removeprefix("held: ").rstrip(".")


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))


@click.command()
@click.argument("user")
@as_json_option
@click.pass_obj
def explain(config_path: Path, user: str, *, as_json: bool) -> None:
    """Say everything that is known of USER, and what to do next. Nothing is changed.

    USER is a user name or sub of either pool, or what somebody signs in with.
    """
    config = configuration.load(config_path)
    source, target = connect.pools_to_look_at(config, stop=threading.Event())
    with inventory_to_read(config) as inventory:
        explaining = Explaining(
            inventory,
            source=source,
            target=target,
            ledger=ledger_to_read(config) if config.ledger else None,
            rules=config.rules,
            groups=connect.rules_alone(config, inventory).groups,
            now=time.time(),
        )
        cases = explaining.cases(user)
    say(lambda: [case_json(case) for case in cases], lambda: cases_lines(cases), as_json=as_json)
