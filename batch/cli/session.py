"""One run of a command on the inventory: in its time, stoppable, connected, backed up and recorded."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from batch.cli.terminal import exit_code, tell
from batch.inventory import meta_keys
from batch.inventory.backup import back_up
from batch.inventory.inventory import Inventory, fingerprint
from batch.inventory.milestones import End, refuse_after_the_end
from batch.inventory.runs import Record, new_id, recorded, user_agent
from batch.ledger.own_ledger import still_there
from batch.ledger.table import ledger_as_it_is
from batch.pacing.call_counts import Meter
from batch.pacing.pacer import on_time
from batch.pools.connect import Migration, connect
from batch.runtime.stopping import Stop, StoppedError, Why, stop_on_signals
from batch.settings import config as configuration
from batch.settings.config import Config
from batch.settings.window import Window, closed, ended_in_time, require_open
from userpool.client import caller_arn
from userpool.ledger import Ledger

READS_ALL = "Reading the whole ledger: a Scan of its table, which DynamoDB bills by size"


@dataclass(frozen=True, slots=True)
class Session:
    """What a command works with; `record` is what is kept of it."""

    command: str
    migration: Migration
    inventory: Inventory
    stop: Stop
    record: Record
    window: Window | None = None


@contextmanager
def session(
    config_path: Path, command: str, *, create: bool = False, backup: bool = False, in_window: bool = False
) -> Iterator[Session]:
    """Prepare a command, and see to its end. Raises ClosedError outside the window, or when its end stopped it."""
    config = configuration.load(config_path)
    window = config.window if in_window else None
    require_open(window, command)
    run_id, meter = new_id(), Meter()
    with stop_on_signals() as stop, ended_in_time(window, stop, tell), _in_its_words(stop, window, command):
        migration = connect(config, stop=stop, say=tell, run_id=run_id, meter=meter)
        with migration.open_inventory(create=create) as inventory, meter.kept_in(inventory):
            refuse_after_the_end(inventory, command)
            _warn_of_network(inventory, config)
            if backup and inventory.get_meta(meta_keys.SCAN):
                back_up(inventory)
            with _begun(inventory, run_id, command, config) as record, _in_its_words(stop, window, command):
                yield Session(command, migration, inventory, stop, record, window)


@dataclass(frozen=True, slots=True)
class Apart:
    """What a command works with that asks neither pool; `agent` is what its other calls say of who makes them."""

    config: Config
    inventory: Inventory
    stop: Stop
    record: Record
    agent: str


@contextmanager
def apart(config_path: Path, command: str) -> Iterator[Apart]:
    """Prepare a command that needs neither pool, since the old one may be gone, and see to its end."""
    config, run_id = configuration.load(config_path), new_id()
    with stop_on_signals() as stop, Inventory.open(Path(config.state), fingerprint(config)) as inventory:
        refuse_after_the_end(inventory, command)
        with _begun(inventory, run_id, command, config) as record:
            yield Apart(config, inventory, stop, record, user_agent(run_id))


@contextmanager
def _begun(inventory: Inventory, run_id: str, command: str, config: Config) -> Iterator[Record]:
    """Record the run, and who runs it, as long as persons are on record at all."""
    purged = End.of(inventory).purged
    caller = None if purged else caller_arn(config.source if command == "scan" else config.target)
    with (
        recorded(inventory, run_id, command, config, caller, code_of=exit_code) as record,
        on_time(),
        still_there(config, inventory),
    ):
        yield record


@contextmanager
def _in_its_words(stop: Stop, window: Window | None, command: str) -> Iterator[None]:
    """Tell who was stopped by the window's end from who was interrupted."""
    try:
        yield
    except StoppedError:
        if window and stop.why is Why.WINDOW:
            raise closed(window, command) from None
        raise


def _warn_of_network(inventory: Inventory, config: Config) -> None:
    if inventory.on_network and config.ledger is None:
        tell(
            f"Warning: {inventory.path} is on a network filesystem, where no lock surely keeps another machine's run "
            "away: let one machine alone run, or put `state` on a local disk."
        )


def ledger_to_read(config: Config) -> Ledger:
    """Return the ledger for a command that only reads it. Raises SettingsError without a ledger."""
    return Ledger(ledger_as_it_is(config, stop=threading.Event()))
