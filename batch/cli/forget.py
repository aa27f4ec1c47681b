"""The command `forget`, and what `finish --purge` does: take one person, or all, out of inventory and ledger.

Neither pool is asked, because the old one may be gone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import click

from batch.cli.session import Apart, apart
from batch.cli.terminal import as_json_option, confirm, say, tell
from batch.cutover.finish_checklist import refuse_purge
from batch.inventory import meta_keys
from batch.inventory.erasure import forget as forget_here
from batch.inventory.erasure import names_of, scrub, sub_of
from batch.inventory.erasure import purge as purge_here
from batch.inventory.inventory import Inventory
from batch.inventory.milestones import End
from batch.ledger import lease
from batch.ledger.erasure import Emptying, disabled_federated, erase
from batch.ledger.own_ledger import last_ledger, lease_owner, set_finished
from batch.plan.cohort import names_in
from batch.runtime.progress_bar import ProgressBars
from batch.settings.config import Config
from batch.settings.decisions import read_decisions
from userpool.by_hand import pool_line
from userpool.errors import SettingsError
from userpool.ledger import Ledger
from userpool.ledger_table import LedgerTable
from userpool.plural import plural


def purge(now: Apart, *, yes: bool) -> End:
    """Delete all personal data, the ledger's first.

    What a kill leaves in the ledger is found again by the ledger's own keys, without the inventory. Raises
    SettingsError as long as functions may not have noticed the end.
    """
    before, inventory = End.of(now.inventory), now.inventory
    assert before.at is not None  # noqa: S101 -- or it was refused
    table = last_ledger(now.config, inventory, stop=now.stop, agent=now.agent)
    if table:
        refuse_purge(before.at, lease.clock_of(table)())
    tell(
        "Kept: old subs, new subs, how far each person was, and counts. Everything else of persons is deleted for good."
    )
    confirm("Delete it?", yes=yes)
    now.record.begin()
    # Recorded before the first deletion: after a kill every other command is refused, and only a repetition goes on.
    replace(before, purged="begun").save(inventory)
    if table:
        _empty(now, table)
    purge_here(inventory)
    # SQLite leaves deleted rows in its file until it is written anew, and backup copies have them all.
    scrub(inventory)
    done = replace(before, purged="done")
    done.save(inventory)
    return done


def _empty(now: Apart, table: LedgerTable) -> None:
    clock = lease.clock_of(table)
    # No run of another machine may write persons while they are deleted.
    with lease.held(table, lease_owner(now.inventory), now=clock) as held:
        set_finished(table, finished=True, purged=True)
        Emptying(
            table,
            held,
            federated=disabled_federated(now.inventory),
            now=clock(),
            workers=now.config.worker_count,
            stop=now.stop,
            progress=ProgressBars(),
        ).run()


@click.command("forget")
@click.argument("user")
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@as_json_option
@click.pass_obj
def forget(config_path: Path, user: str, *, yes: bool, as_json: bool) -> None:
    """Delete what inventory and ledger have of USER, by old user name, old sub or new sub; after an erasure request."""
    with apart(config_path, "forget") as now:
        inventory = now.inventory
        # An earlier `forget` may have deleted the rows and not rewritten the file. Its name is gone by now, its sub is
        # not.
        begun = inventory.get_meta(meta_keys.TO_SCRUB)
        copies = scrub(inventory) if begun else 0
        sub = sub_of(inventory, user) or begun
        if sub is None:
            raise SettingsError(
                "Nobody in the inventory has that old user name, old sub or new sub. What they sign in with leads to "
                "the old sub (cognito-migrate explain USER); of whom that does not find there is nothing to forget."
            )
        # Raises if `ledger` was taken out of the configuration: the person would stay in it unnoticed.
        table = last_ledger(now.config, inventory, stop=now.stop, agent=now.agent)
        for line in _before(now, sub):
            tell(line)
        confirm("Forget them?", yes=yes)
        now.record.begin()
        # The ledger first, because the inventory's rows are what leads to the person.
        known = _erase(inventory, table, sub) if table else False
        forget_here(inventory, sub)
        copies += scrub(inventory)
        values = {"sub": sub, "in_ledger": known, "backups_deleted": copies}
        said = (
            f"Forgot {sub}; {plural(copies, 'backup copy is', 'backup copies are')} deleted. Exports and "
            "reports made before are yours to delete."
        )
        say(lambda: values, lambda: [said], as_json=as_json)


def _before(now: Apart, sub: str) -> Iterator[str]:
    """Yield who is meant, and what a person should know before the answer."""
    old, new_sub, new = names_of(now.inventory, sub)
    yield f"Old name {old or 'not known'}, old sub {sub}; new name {new or 'not known'}, new sub {new_sub or 'none'}."
    yield "Inventory and ledger forget this person, but for the subs, and the inventory's backup copies are deleted."
    yield "Delete the user in both pools first:"
    for pool, name in ((now.config.source, old), (now.config.target, new)):
        yield f"  {pool_line(pool, 'admin-delete-user', '--username', name or 'NAME')}"
    for path in _naming(now.config, frozenset({old, sub})):
        yield f"A line of {path} names them: take it out, or every plan, run and sync refuses it from now on."


def _naming(config: Config, names: frozenset[str | None]) -> Iterator[str]:
    """Yield the files of the configuration that name the person. They are the operator's, so they are only named."""
    if config.collisions != "report" and not names.isdisjoint(read_decisions(Path(config.collisions))):
        yield config.collisions
    only = config.users.only
    if only and only.file and not names.isdisjoint(names_in(Path(only.file))):
        yield only.file


def _erase(inventory: Inventory, table: LedgerTable, sub: str) -> bool:
    clock = lease.clock_of(table)
    with lease.held(table, lease_owner(inventory), now=clock):
        return erase(Ledger(table), sub, now=clock(), federated=disabled_federated(inventory))
