"""The ledger that an inventory was published to, and whether it is still the same table."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace

from batch.inventory import meta_keys
from batch.inventory.inventory import Inventory, StorageError, inventory_to_read
from batch.inventory.snapshot import Snapshot
from batch.inventory.user_state import IS_LOST
from batch.ledger import lease
from batch.ledger.lease import Clock
from batch.ledger.table import ledger_table
from batch.settings.config import Config
from userpool.errors import FatalError, MigrationError, SettingsError
from userpool.ledger_table import LedgerTable, MissingTableError
from userpool.terms import Lasting, Terms, refuse_another

_UNPUBLISHED = (
    "SELECT count(*) FROM users u LEFT JOIN published l ON l.sub = u.sub "  # noqa: S608 -- constants
    f"WHERE u.scan = ? AND (l.sub IS NULL OR {IS_LOST})"
)


class LostTableError(FatalError):
    """The table that everyone was published to does not exist."""


@contextmanager
def still_there(config: Config, inventory: Inventory) -> Iterator[None]:
    """Tell a table that does not exist any more from one that was never made. A new table would know nobody.

    Raises LostTableError in place of MissingTableError if the inventory was published to a table.
    """
    try:
        yield
    except MissingTableError:
        if said := lost(config, inventory):
            raise LostTableError(said) from None
        raise


def lost(config: Config, inventory: Inventory) -> str:
    """Return what to do about a missing table that everyone was published to. Empty if nobody ever was."""
    if config.ledger is None or inventory.get_meta(meta_keys.PUBLISHED_TO) is None:
        return ""
    return (
        f"Everybody is published to the ledger, and there is no table {config.ledger.table} in this account and "
        "region: correct `ledger` (table, region), or restore the table from its backup. Make a new one only if there "
        "is none: it would know nobody, and all who still wait would have to reset their password."
    )


def last_ledger(config: Config, inventory: Inventory, *, stop: threading.Event, agent: str) -> LedgerTable | None:
    """Return the table of the last run. None if nothing was ever published to any table.

    Raises SettingsError if the table is another migration's, or is not the one of the last run.
    """
    table = any_ledger(config, inventory, stop=stop, agent=agent)
    if table is None or (inventory.get_meta(meta_keys.PUBLISHED_TO) is None and Terms.of(table) is None):
        return None
    require_last_ledger(table, inventory)
    return table


def require_last_ledger(table: LedgerTable, inventory: Inventory) -> Terms:
    """Return the terms. Raise SettingsError unless the ledger knows all users that this inventory created."""
    # A table made anew has no terms. One restored from a backup has the terms of the table that was backed up, under
    # another identity. And the inventory may have been published to a third one.
    identity, terms = table.identity(), Terms.of(table)
    if terms is None or terms.table != identity or inventory.get_meta(meta_keys.PUBLISHED_TO) != identity:
        raise SettingsError(
            f"The ledger {table.name} is not the one of the last run (another one, new, or restored from a backup), so "
            "it cannot tell who has been used: correct `ledger`, or run `cognito-migrate run` once, which settles that "
            "(after the end: finish --reopen first), and rerun this."
        )
    return terms


def require_no_ledger(inventory: Inventory) -> None:
    """Raise SettingsError if this migration had a ledger, which knows who has been used."""
    if inventory.get_meta(meta_keys.PUBLISHED_TO) is not None:
        raise SettingsError("This migration has a ledger, which knows who has been used: set `ledger` and rerun.")


def any_ledger(config: Config, inventory: Inventory, *, stop: threading.Event, agent: str) -> LedgerTable | None:
    """Return the configured table, whatever became of it. None if no ledger is configured and none ever was.

    Raises SettingsError if the table is another migration's.
    """
    if config.ledger is None:
        require_no_ledger(inventory)
        return None
    table = ledger_table(config, stop=stop, agent=agent)
    refuse_another(table, config.source.user_pool_id, config.target.user_pool_id)
    return table


def set_finished(table: LedgerTable, *, finished: bool, purged: bool = False) -> None:
    """Tell the trigger's functions that the migration has ended, or goes on. Nothing happens without terms.

    Raises FinishedError if it is to go on after a purge.
    """
    if terms := Terms.of(table):
        replace(terms, finished=finished, purged=terms.purged or purged).save(table, reopen=not finished)


def in_turn(table: LedgerTable | None, inventory: Inventory, now: Clock) -> AbstractContextManager[object]:
    """Keep every other run out meanwhile, whatever machine it is on, if the migration has a ledger.

    Raises LeasedError if another run goes on.
    """
    return lease.held(table, lease_owner(inventory), now=now) if table else nullcontext()


def lease_owner(inventory: Inventory) -> str:
    """Return the name of this inventory in the lease, or a new name each time if it never ran."""
    return str(inventory.get_meta(meta_keys.LEASE_OWNER) or secrets.token_hex(8))


def read_ledger(config: Config, table: LedgerTable) -> LedgerFacts:
    """Read whether the table exists, whether it is this migration's, and whether everyone is published to it."""
    try:
        identity = table.identity()
    except MissingTableError:
        return LedgerFacts(there=False, lost=_lost(config))
    try:
        refuse_another(table, config.source.user_pool_id, config.target.user_pool_id)
    except SettingsError as error:
        return LedgerFacts(there=True, identity=identity, whose=str(error))
    lasting = Lasting.of(table)
    return LedgerFacts(
        there=True,
        identity=identity,
        written=lasting.table if lasting else None,
        unpublished=_unpublished(config),
        finished=bool(lasting and lasting.finished),
    )


def _lost(config: Config) -> str:
    """Return what to do if everyone was published to the missing table. Empty if the table was never made."""
    try:
        with inventory_to_read(config) as inventory:
            return lost(config, inventory)
    except (MigrationError, StorageError):
        return ""  # `state_problem` says why


def _unpublished(config: Config) -> int | None:
    try:
        with inventory_to_read(config) as inventory:
            return inventory.number(_UNPUBLISHED, (Snapshot(inventory).number,))
    except (MigrationError, StorageError):
        return None  # `state_problem` says why


@dataclass(frozen=True, slots=True)
class LedgerFacts:
    """The ledger's table. `written` is the identity that it had when it was published to, None if it never was.

    `whose` is why it is not this migration's. `lost` is what to do if it does not exist any more. `unpublished` counts
    scanned users whom the ledger does not know, None if there is no inventory to tell. `finished`: nobody is captured.
    """

    there: bool
    identity: str = ""
    written: str | None = None
    whose: str = ""
    unpublished: int | None = None
    lost: str = ""
    finished: bool = False
