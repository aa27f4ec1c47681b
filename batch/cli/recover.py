"""The command `recover`: bring back whom the new pool has lost, and write again what it has forgotten."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import click

from batch.cli.session import READS_ALL, Session, census_of, new_pool, session
from batch.cli.terminal import Exit, as_json_option, confirm, say, tell
from batch.inventory.milestones import Cutover
from batch.inventory.missing import MissingTable
from batch.inventory.runs import counting
from batch.ledger.own_ledger import require_no_ledger
from batch.ledger.returns import Returns, ledger_returns
from batch.ledger.table import ledger_table
from batch.recovery.gate import remember, unknown, window
from batch.recovery.recover import Recover, RecoverSummary
from batch.recovery.survey import Extent, SetBackTo
from batch.runtime.progress_bar import ProgressBars
from batch.runtime.stopping import INTERRUPTED
from batch.runtime.text import SHOWN, moment, more
from userpool.by_hand import pool_line
from userpool.cohort import Moment, seconds
from userpool.errors import SettingsError
from userpool.recovery import Recovery

_HOW = (
    "Say one of these: --missing if users were deleted by mistake, --to TIME if the new pool was set back to it, "
    "--stay-deleted if whoever is missing was deleted on purpose."
)


@click.command("recover")
@click.option("--missing", is_flag=True, help="Users were deleted by mistake: bring back everybody who is missing.")
@click.option("--to", "said", metavar="TIME", help="The new pool was set back to this time, like 2026-11-30T22:00:00Z.")
@click.option("--stay-deleted", is_flag=True, help="Whoever is missing was deleted on purpose, and stays so.")
@click.option("--everybody", is_flag=True, help="Bring back, too, who was known to be deleted before.")
@click.option("--dry-run", is_flag=True, help="Count what would be done, and change nothing.")
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@as_json_option
@click.pass_obj
def recover(
    config_path: Path,
    *,
    missing: bool,
    said: str | None,
    stay_deleted: bool,
    everybody: bool,
    dry_run: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Let the next run bring back whom the new pool has lost. The new pool itself is not changed."""
    if missing + (said is not None) + stay_deleted > 1:
        raise SettingsError(_HOW)
    with session(config_path, "recover", backup=True) as now:
        if stay_deleted:
            _let_stay(now, yes=yes, dry_run=dry_run, as_json=as_json)
        else:
            fresh = [] if missing else unknown(now.inventory, "target", new_pool(now.migration).recoveries() or ())
            set_back = SetBackTo() if missing else _window(now, said, fresh)
            _refuse_before_cutover(now, set_back)
            _bring_back(now, replace(set_back, everybody=everybody), fresh, yes=yes, dry_run=dry_run, as_json=as_json)


def _window(now: Session, said: str | None, fresh: Sequence[Recovery]) -> SetBackTo:
    """Return what was taken back, as was said, or as Cognito tells. Raises SettingsError if nobody knows."""
    if said:
        return SetBackTo(_time(now, said))
    if not fresh:
        raise SettingsError(f"No recovery of the new pool is known that is not dealt with. {_HOW}")
    return SetBackTo(*window(new_pool(now.migration), fresh))


def _refuse_before_cutover(now: Session, set_back: SetBackTo) -> None:
    """Raise SettingsError if the pool stands before the cut-over: then the old pool's changes still count."""
    cutover = Cutover.of(now.inventory)
    if cutover and set_back.since is not None and set_back.since < cutover.at:
        raise SettingsError(
            f"The new pool was set back to {moment(set_back.since)}, before the cut-over of {moment(cutover.at)}. What "
            "was carried over until then is carried over again only without a cut-over. Nothing was changed. Take the "
            "cut-over back, then recover, sync and cut over again:\n"
            "  cognito-migrate cutover --undo"
        )


def _time(now: Session, text: str) -> float:
    at = seconds(Moment(text))
    if at is None:
        raise SettingsError(f"--to is {text!r}, which is no time: write one like 2026-03-01T20:05, which is UTC.")
    # Cognito's clock decides: the time is compared with dates that Cognito wrote.
    if at > now.migration.target_now():
        raise SettingsError(f"--to is {moment(at)}, which is to come: say a time in the past, in UTC.")
    return at


def _let_stay(now: Session, *, yes: bool, dry_run: bool, as_json: bool) -> None:
    census = census_of(now.migration, now.inventory, now.stop)
    missing = census.count() if dry_run else census.take()
    if not dry_run and missing.users:
        tell(missing.sentence)
        confirm("Were they deleted on purpose, and stay so?", yes=yes)
        now.begin()
        MissingTable(now.inventory, now.migration.config.loss).let_stay()
    done = "would stay deleted" if dry_run else "stay deleted"
    say(
        lambda: {"stay_deleted": missing.users, "dry_run": dry_run},
        lambda: [f"{missing.users} {'user' if missing.users == 1 else 'users'} {done}."],
        as_json=as_json,
    )


def _bring_back(
    now: Session, set_back: SetBackTo, fresh: Sequence[Recovery], *, yes: bool, dry_run: bool, as_json: bool
) -> None:
    migration = now.migration
    with _returns(now) as returns:
        recovering = Recover(
            migration.target.pool,
            now.inventory,
            migration.context,
            MissingTable(now.inventory, migration.config.loss),
            set_back,
            workers=migration.config.worker_count,
            stop=now.stop,
            progress=ProgressBars(),
            now=migration.target_now,
        )
        survey = recovering.look(returns)
        if dry_run or not survey.anything:
            if not dry_run:
                remember(now.inventory, "target", fresh)
            values, lines = {"dry_run": dry_run, **asdict(survey)}, [*_would(survey), *_to_look_at(now, survey)]
            say(lambda: values, lambda: lines, as_json=as_json)
            return
        for line in _would(survey):
            tell(line)
        confirm("Go on, and let the next run do so?", yes=yes)
        now.begin()
        with counting(now.record, lambda: asdict(recovering.summary)):
            summary = recovering.run(returns, survey)
        # Only a recovery of which everything was brought back is dealt with: until then, no run is begun.
        if not (summary.stopped or summary.failed):
            remember(now.inventory, "target", fresh)
    say(
        lambda: _values(recovering, survey),
        lambda: [*_lines(recovering), *_to_look_at(now, survey)],
        as_json=as_json,
    )
    if summary.stopped:
        tell("Stopped; what was done is recorded. Give the same command again: it goes on from there.")
        sys.exit(INTERRUPTED)
    if summary.failed:
        sys.exit(Exit.FAILED)


def _returns(now: Session) -> AbstractContextManager[Returns]:
    if now.migration.config.ledger is None:
        # If the inventory was published to a ledger, only that ledger knows whose old password is dead.
        require_no_ledger(now.inventory)
        return nullcontext(Returns())
    tell(f"{READS_ALL}.")
    table = ledger_table(now.migration.config, stop=now.stop)
    return ledger_returns(table, now.inventory, now=now.migration.target_now)


def _would(survey: Extent) -> Iterator[str]:
    """Yield what is to be done, and for whom."""
    if not survey.anything:
        yield "Nothing is to be brought back."
    if survey.lost:
        yield f"{_users(survey.lost)} missing in the new pool will be created anew by the next run."
        yield f"  {survey.used} had a password of their own, or may have had: they choose a new one by forgot-password."
        if survey.federated:
            yield f"  {survey.federated} are profiles of other providers: their next federated sign-in makes them."
        waiting = survey.lost - survey.used - survey.federated
        yield f"  {waiting} had none yet: as before, the first sign-in with the old password captures it."
    if survey.set_back:
        yield (
            f"{_users(survey.set_back)} may be there as they were earlier: the next run writes what came later again."
        )
    if survey.back:
        yield (
            f"{_users(survey.back)} are there again in the place of the ones that were made since: the next run brings "
            "them to what the old pool has, and they choose a new password by forgot-password."
        )
    if survey.departed:
        yield (
            f"{_users(survey.departed)} missing in the new pool are not in the old pool any more: nobody can create "
            "them, and they stay deleted."
        )
    if survey.others:
        yield f"{_users(survey.others)} missing for another reason stay deleted. --everybody brings them back, too."


def _to_look_at(now: Session, survey: Extent) -> Iterator[str]:
    """Yield what only a person can decide, or do."""
    if survey.passwords:
        yield (
            f"{_users(survey.passwords)} got a password of their own since then. Where the recovery has taken it back, "
            "they choose a new one by forgot-password; without an address, through the help desk."
        )
    if survey.again:
        yield f"{_users(len(survey.again))} were deleted in the new pool and are there again. Delete again who must go:"
        yield from (f"  {name}" for name in survey.again[:SHOWN])
        yield from more(len(survey.again))
    if survey.forgotten:
        pool = now.migration.config.target
        yield f"{_users(len(survey.forgotten))} were forgotten on request, and are there again. Erase them once more:"
        for one in survey.forgotten:
            yield f"  {pool_line(pool, 'admin-delete-user', '--username', one.new_sub)}"
            yield f"  cognito-migrate forget {one.sub}"


def _users(number: int) -> str:
    return f"{number} user" if number == 1 else f"{number} users"


def _values(recovering: Recover, survey: Extent) -> dict[str, Any]:
    failures = [{"sub": one.sub, "reason": one.reason} for one in recovering.failures]
    seen = {name: value for name, value in asdict(survey).items() if name not in {"lost", "used", "set_back", "back"}}
    return {"dry_run": False, **seen, **asdict(recovering.summary), "failures": failures}


def _lines(recovering: Recover) -> Iterator[str]:
    summary: RecoverSummary = recovering.summary
    yield (
        f"{_users(summary.lost)} will be created anew ({summary.used} choose a new password), and {summary.set_back} "
        "written again, by the next run:"
    )
    yield "  cognito-migrate run"
    if summary.failed:
        yield f"{_users(summary.failed)} not yet; the same command tries again:"
        yield from (f"  {one.sub}: {one.reason}" for one in recovering.failures[:SHOWN])
        yield from more(summary.failed)
