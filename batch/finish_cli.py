"""`finish`: the closing checklist, the end of the migration, and the deletion of personal data; `forget` of one's."""

from __future__ import annotations

import secrets
import sys
from collections.abc import Iterable, Iterator
from dataclasses import asdict, replace
from pathlib import Path

import click

from batch import lease
from batch.cutover import Cutover
from batch.cutover_cli import left_in
from batch.end import End, EndError, Finding, Standing, checklist, refuse_left
from batch.erasure import Emptying, erase
from batch.inventory import Inventory
from batch.ledger_count import count
from batch.personal import forget as forget_here
from batch.personal import purge, scrub
from batch.planning import make_plan
from batch.progress import Progress
from batch.session import Session, session
from batch.status_words import moment
from batch.terminal import Exit, as_json_option, say, tell
from batch.wiring import ledger_table
from userpool.errors import SettingsError
from userpool.ledger import Ledger
from userpool.ledger_table import LedgerTable
from userpool.person import State
from userpool.pool import UserPool
from userpool.terms import Terms

_PASSWORD = "USER_PASSWORD_AUTH"  # noqa: S105 -- a flow


@click.command("finish")
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@click.option(
    "--despite-left", type=click.IntRange(min=0), default=0, help="Go on although so many, or fewer, are left."
)
@click.option(
    "--purge", "to_purge", is_flag=True, help="After the end: delete personal data from inventory and ledger."
)
@click.option("--reopen", is_flag=True, help="Take the end back; not after --purge.")
@as_json_option
@click.pass_obj
def finish(config_path: Path, *, yes: bool, despite_left: int, to_purge: bool, reopen: bool, as_json: bool) -> None:
    """Say what is left to do, and end the migration when nothing is."""
    if to_purge and reopen:
        raise SettingsError("One at a time: --purge or --reopen.")
    with session(config_path, "finish") as now:
        before, findings = End.of(now.inventory), list[Finding]()
        table = _table(now)
        if to_purge:
            done = _purge(now, table, before, yes=yes)
        elif reopen:
            done = _reopen(now, table, before, yes=yes)
        elif before.at is None:
            done, findings = _finish(now, table, despite_left, yes=yes)
        else:
            done = before
        now.record.counts = {"left": sum(finding.left for finding in findings)}
        values = {**asdict(done), "findings": [asdict(finding) for finding in findings]}
        say(lambda: values, lambda: _lines(before, done), as_json=as_json)
        if findings and done.at is None:
            sys.exit(Exit.DIFFERENT)


def _table(now: Session) -> LedgerTable | None:
    config = now.migration.config
    return ledger_table(config, stop=now.stop, agent=now.migration.agent) if config.ledger else None


def _finish(now: Session, table: LedgerTable | None, despite: int, *, yes: bool) -> tuple[End, list[Finding]]:
    standing = _standing(now, table)
    findings = [*checklist(standing)]
    for line in _checklist_lines(findings):
        tell(line)
    try:
        refuse_left(standing, despite)
    except EndError as error:
        tell(str(error))
        return End(None), findings
    _ask("End the migration? No old password counts any more, and nobody is created.", yes=yes)
    end = End(now.migration.target_now())
    _set_finished(table, finished=True)
    end.save(now.inventory)
    return end, findings


def _standing(now: Session, table: LedgerTable | None) -> Standing:
    make_plan(now.inventory, now.migration.context, now.migration.decisions())
    left, target = left_in(now), now.migration.target
    counted = count(Ledger(table), now.inventory, Progress(), now=now.migration.target_now()) if table else None
    return Standing(
        cut_over=Cutover.of(now.inventory) is not None,
        to_create=left.to_create,
        to_change=left.to_change,
        failed=left.failed,
        states={State(name): number for name, number in counted.states.items()} if counted else {},
        owing=counted.owing if counted else 0,
        has_ledger=table is not None,
        attached=[*target.description.triggers],
        clients=[*_sending_passwords(target.pool)],
    )


def _sending_passwords(pool: UserPool) -> Iterator[str]:
    ids = dict.fromkeys(client_id for page in pool.app_clients() for client_id in page)
    for client_id in ids:
        client = pool.app_client(client_id)
        if client.allows(_PASSWORD):
            yield client.name or client.client_id


def _set_finished(table: LedgerTable | None, *, finished: bool) -> None:
    if table and (terms := Terms.of(table)):
        _save(replace(terms, finished=finished), table)


def _save(terms: Terms, table: LedgerTable) -> None:
    terms.save(table, reopen=not terms.finished)


def _reopen(now: Session, table: LedgerTable | None, before: End, *, yes: bool) -> End:
    if before.purged:
        raise SettingsError("Personal data was deleted: there is nothing to go on with.")
    _ask("Let the migration go on? Who waits is captured again.", yes=yes)
    _set_finished(table, finished=False)
    End(None).save(now.inventory)
    return End(None)


def _purge(now: Session, table: LedgerTable | None, before: End, *, yes: bool) -> End:
    """Delete, the ledger first: what is left there after a kill is found by its own keys, without the inventory."""
    if before.at is None:
        raise SettingsError("The migration is not finished: cognito-migrate finish, then --purge.")
    inventory = now.inventory
    tell(
        "Kept: old subs, new subs, how far each person was, and counts. Everything else of persons is deleted for good."
    )
    _ask("Delete it?", yes=yes)
    replace(before, purged="begun").save(inventory)
    if table:
        with lease.held(table, _owner(inventory), now=now.migration.target_now) as held:
            _set_finished(table, finished=True)
            Emptying(
                table,
                held,
                now=now.migration.target_now(),
                workers=now.migration.writers,
                stop=now.stop,
                progress=Progress(),
            ).run()
    purge(inventory)
    scrub(inventory)
    done = replace(before, purged="done")
    done.save(inventory)
    return done


@click.command("forget")
@click.argument("user")
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@as_json_option
@click.pass_obj
def forget(config_path: Path, user: str, *, yes: bool, as_json: bool) -> None:
    """Delete what inventory and ledger have of USER, by old user name, old sub or new sub; after an erasure request."""
    with session(config_path, "forget") as now:
        sub = _sub_of(now.inventory, user)
        tell(
            "Inventory and ledger forget this person, but for the subs, and the inventory's backup copies are deleted."
        )
        tell("Delete the user in both pools first: aws cognito-idp admin-delete-user --user-pool-id ID --username NAME")
        _ask("Forget them?", yes=yes)
        table, known = _table(now), False
        if table:
            with lease.held(table, _owner(now.inventory), now=now.migration.target_now):
                known = erase(Ledger(table), sub, now=now.migration.target_now())
        forget_here(now.inventory, sub)
        copies = scrub(now.inventory)
        values = {"sub": sub, "in_ledger": known, "backups_deleted": copies}
        said = f"Forgot {sub}; {copies} backup copies are deleted. Exports and reports made before are yours to delete."
        say(lambda: values, lambda: [said], as_json=as_json)


def _sub_of(inventory: Inventory, user: str) -> str:
    """Return the old sub. Raises SettingsError for nobody."""
    row = inventory.execute(
        "SELECT sub FROM users WHERE sub = ?1 OR username = ?1 UNION SELECT sub FROM progress WHERE sub = ?1 "
        "OR new_sub = ?1 OR username = ?1 LIMIT 1",
        (user,),
    ).fetchone()
    if row is None:
        raise SettingsError("Nobody in the inventory has that old user name, old sub or new sub.")
    return str(row[0])


def _owner(inventory: Inventory) -> str:
    return str(inventory.get_meta("lease_owner") or secrets.token_hex(8))


def _ask(question: str, *, yes: bool) -> None:
    if yes:
        return
    if not sys.stdin.isatty():
        raise SettingsError("Nobody is there to confirm: pass --yes.")
    click.confirm(question, abort=True, err=True)


def _checklist_lines(findings: Iterable[Finding]) -> Iterator[str]:
    for finding in findings:
        yield f"{finding.left:>9}  {finding.said}" if finding.left else f"  look at  {finding.said}"
        yield f"           {finding.remedy}"


def _lines(before: End, done: End) -> Iterator[str]:
    if done.purged == "done":
        yield "Personal data is deleted from inventory and ledger; the sub map stays: cognito-migrate export map"
        yield "Not known here, and yours to delete: exports, reports, copies elsewhere, the ledger's backups, the logs."
    elif done.at is None:
        yield "The migration goes on." if before.at else "Not finished."
    else:
        yield f"{'Finished already, since' if before.at else 'Finished at'} {moment(done.at)}."
        yield "Then: cognito-migrate trigger detach --apply; cognito-migrate finish --purge"
