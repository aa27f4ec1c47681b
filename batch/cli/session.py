"""One run of a command on the inventory: in its window, stoppable, connected, backed up and recorded."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from batch.cli.terminal import exit_code, tell
from batch.inventory import meta_keys
from batch.inventory.backup import back_up
from batch.inventory.inventory import Inventory, StorageError, fingerprint, inventory_to_read
from batch.inventory.milestones import End
from batch.inventory.runs import Record, new_id, recorded, user_agent
from batch.inventory.stages import refuse
from batch.ledger.own_ledger import still_there
from batch.ledger.table import ledger_as_it_is
from batch.pacing.call_counts import Meter
from batch.pacing.limiter import HaltedError
from batch.pacing.pacer import on_time
from batch.pools.connect import Migration, connect
from batch.recovery.census import Census
from batch.recovery.gate import Gate, Side
from batch.recovery.look_first import LookFirstError
from batch.runtime.document import DOCUMENT
from batch.runtime.progress_bar import ProgressBars
from batch.runtime.stopping import Stop, StoppedError, Why, stop_on_signals
from batch.settings import config as configuration
from batch.settings.config import Config
from batch.settings.window import Window, closed, ended_in_time, require_open
from userpool.client import caller_arn
from userpool.door import call_once
from userpool.errors import FatalError, MigrationError
from userpool.ledger import Ledger

READS_ALL = "Reading the whole ledger: a Scan of its table, which DynamoDB bills by size"


@dataclass(frozen=True, slots=True)
class Session:
    """What a command works with. `record` is what the history of runs keeps of it.

    A command calls `begin` right before it writes for the first time, and after the last refusal.
    """

    command: str
    migration: Migration
    inventory: Inventory
    stop: Stop
    record: Record
    window: Window | None = None

    def begin(self) -> None:
        """Make a backup copy, if this command has one, and record that it begins. Safe to repeat."""
        self.record.begin()


@contextmanager
def session(
    config_path: Path,
    command: str,
    *,
    action: str | None = None,
    create: bool = False,
    backup: bool = False,
    in_window: bool = False,
    after_recovery: bool = False,
) -> Iterator[Session]:
    """Prepare a command, and see to its end. `action` is its row in the table of stages, where that has several.

    `after_recovery`: go on although the old pool was set back to an earlier time. Raises OutOfTurnError if the stage of
    the migration forbids the command, LookFirstError if a recovery of a pool does, and ClosedError outside the window,
    or if the window's end stopped the command.
    """
    config = configuration.load(config_path)
    window = config.window if in_window else None
    # Before anything is connected: outside the window not even a reading call is made.
    require_open(window, command)
    run_id, meter = new_id(), Meter()
    with stop_on_signals() as stop, ended_in_time(window, stop, tell), _in_its_words(stop, window, command):
        migration = connect(config, stop=stop, say=tell, run_id=run_id, meter=meter)
        with migration.open_inventory(create=create) as inventory, ExitStack() as until_the_end:
            refuse(inventory, action or command)
            migration.target.pacer.why_silent = unpaced(migration).why_paused
            _refuse_recoveries(migration, inventory, stop, action or command, after_recovery=after_recovery)
            _warn_of_network(inventory, config)

            def prepare() -> None:
                # An inventory without a scan has nothing worth a copy.
                if backup and inventory.get_meta(meta_keys.SCAN):
                    back_up(inventory)
                # The calls before are counted as well. Of a command that is refused, none are.
                until_the_end.enter_context(meter.kept_in(inventory))

            # Inside `_recording` as well, so that the history records the window's end with its own exit code.
            with (
                _recording(inventory, run_id, command, config, prepare) as record,
                _in_its_words(stop, window, command),
                _unless_paused(migration, command),
            ):
                yield Session(command, migration, inventory, stop, record, window)


def census_of(migration: Migration, inventory: Inventory, stop: Stop) -> Census:
    """Return a look at the new pool: who of this migration's users is still there."""
    return Census(
        migration.target.pool,
        inventory,
        migration.config.loss,
        stop=stop,
        progress=ProgressBars(),
        now=migration.target_now,
    )


def old_pool(migration: Migration) -> Side:
    """Return the old pool, to ask for its recoveries."""
    return Side("source", migration.source.pool, migration.config.source)


def new_pool(migration: Migration) -> Side:
    """Return the new pool, to ask for its recoveries."""
    return Side("target", migration.target.pool, migration.config.target)


def unpaced(migration: Migration) -> Side:
    """Return the new pool, to ask why its calls fail: a pace would refuse that in a command that stops."""
    return replace(new_pool(migration), pool=migration.target.pool.paced_by(call_once))


def _refuse_recoveries(
    migration: Migration, inventory: Inventory, stop: Stop, action: str, *, after_recovery: bool
) -> None:
    look = census_of(migration, inventory, stop).count
    gate = Gate(inventory, new_pool(migration), old_pool(migration), missing=look)
    gate.refuse(action, after_recovery=after_recovery)


@contextmanager
def _unless_paused(migration: Migration, command: str) -> Iterator[None]:
    """Let an error name the recovery that pauses writes, if that is its cause: no code of Cognito's says so."""
    try:
        yield
    except LookFirstError:
        raise
    except FatalError as error:
        if (why := unpaced(migration).why_paused()) is None:
            raise
        remedy = f"Then go on:\n  cognito-migrate {command}"
        raise LookFirstError("writes-paused", why, "What was done until then is recorded.", remedy) from error


@dataclass(frozen=True, slots=True)
class Apart:
    """What a command works with that asks neither pool. `agent` is the user agent of its calls to the ledger."""

    config: Config
    inventory: Inventory
    stop: Stop
    record: Record
    agent: str


@contextmanager
def apart(config_path: Path, command: str, *, action: str | None = None) -> Iterator[Apart]:
    """Prepare a command that needs neither pool, because the old one may be gone, and see to its end."""
    config, run_id = configuration.load(config_path), new_id()
    # Opened directly, because `connect` would describe both pools first.
    with stop_on_signals() as stop, Inventory.open(Path(config.state), fingerprint(config)) as inventory:
        refuse(inventory, action or command)
        with _recording(inventory, run_id, command, config) as record:
            yield Apart(config, inventory, stop, record, user_agent(run_id))


@contextmanager
def recorded_if_free(config: Config, command: str) -> Iterator[Record]:
    """Record a command that needs no inventory, if the inventory is on this machine and no other command has it.

    A help desk may have none, and does not wait for a run. The record's id is in the user agent of the calls, too.
    """
    run_id = new_id()
    with ExitStack() as until_the_end:
        try:
            opened = Inventory.open(Path(config.state), fingerprint(config))
        except (MigrationError, StorageError):
            yield Record(run_id)
            return
        inventory = until_the_end.enter_context(opened)
        yield until_the_end.enter_context(_recording(inventory, run_id, command, config))


@contextmanager
def _recording(
    inventory: Inventory, run_id: str, command: str, config: Config, prepare: Callable[[], None] = lambda: None
) -> Iterator[Record]:
    """Record the run, once it begins, and who runs it. After a purge nobody's ARN is recorded any more."""
    purged = End.of(inventory).purged
    # `scan` is recorded under the old pool's credentials, every other command under the new pool's.
    caller = None if purged else caller_arn(config.source if command == "scan" else config.target)
    with (
        recorded(inventory, run_id, command, config, caller, code_of=exit_code, prepare=prepare) as record,
        on_time(),
        still_there(config, inventory),
    ):
        try:
            yield record
        finally:
            # The document of a failure says what was done until then.
            DOCUMENT.counts = record.counts if record.begun else None


@contextmanager
def _in_its_words(stop: Stop, window: Window | None, command: str) -> Iterator[None]:
    """Turn a stop into a ClosedError if it was the end of the window, and let any other name the command."""
    try:
        yield
    except StoppedError as error:
        if window and stop.why is Why.WINDOW:
            raise closed(window, command) from None
        if isinstance(error, HaltedError):  # which waited for a slot, and knows no command
            raise StoppedError(f"Stopped; what was done is recorded. Go on with: cognito-migrate {command}") from None
        raise


def _warn_of_network(inventory: Inventory, config: Config) -> None:
    # With a ledger, its RUN lease keeps a second machine out, so no warning is needed.
    if inventory.on_network and config.ledger is None:
        tell(
            f"Warning: {inventory.path} is on a network filesystem, where no lock surely keeps another machine's run "
            "away: let one machine alone run, or put `state` on a local disk."
        )


def refuse_by_file(config: Config, action: str) -> None:
    """Raise OutOfTurnError if the inventory on this machine, if there is one, says that an action is out of turn.

    For commands that need no inventory. What is wrong with the file itself is not theirs to judge.
    """
    with suppress(StorageError):
        try:
            opened = inventory_to_read(config)
        except MigrationError:
            return
        with opened as inventory:
            refuse(inventory, action)


def ledger_to_read(config: Config) -> Ledger:
    """Return the ledger for a command that only reads it. A table that is missing is not made.

    Raises SettingsError without a ledger.
    """
    return Ledger(ledger_as_it_is(config, stop=threading.Event()))
