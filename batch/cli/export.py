"""The commands that only look, beside a run that may be on: `status`, `explain` and `export`."""

from __future__ import annotations

import sys
import threading
import time
from pathlib import Path

import click

from batch.cli.explain import case_json, cases_lines
from batch.cli.status import not_read, status_json, status_lines
from batch.cli.terminal import as_json_option, say, tell
from batch.cutover.finish_checklist import refuse_after_a_purge
from batch.inventory.inventory import Inventory
from batch.ledger.count import LedgerCount, count
from batch.ledger.own_ledger import still_there
from batch.pools import connect as wiring
from batch.report.explain import Explaining
from batch.report.export import EXPORTS, OF_SUBS
from batch.report.status import status
from batch.runtime import text as report
from batch.runtime.output_file import Format, whole_file, write_rows
from batch.runtime.progress_bar import ProgressBars
from batch.settings import config as configuration
from batch.settings.config import Config
from userpool.errors import MigrationError, SettingsError
from userpool.ledger import Ledger
from userpool.ledger_table import MissingTableError

READS_ALL = "Reading the whole ledger: a Scan of its table, which DynamoDB bills by size"


@click.command("status")
@click.option("--offline", is_flag=True, help="Do not read the ledger, only the inventory.")
@as_json_option
@click.pass_obj
def show_status(config_path: Path, *, offline: bool, as_json: bool) -> None:
    """Say where the migration stands, beside a run or without one. Neither pool is asked."""
    config = configuration.load(config_path)
    with wiring.inventory_to_read(config) as inventory:
        standing = status(inventory, wiring.rules_alone(config), wiring.default_rps(config))
        counted, failure = None, None
        if config.ledger and not offline:
            try:
                counted = _count(config, inventory)
            except MigrationError as error:
                failure = error
    said = not_read(failure, offline=bool(config.ledger) and offline)
    say(lambda: status_json(standing, counted, said), lambda: status_lines(standing, counted, said), as_json=as_json)
    if failure and not isinstance(failure, MissingTableError):  # said, but it is no good end
        raise failure


def _count(config: Config, inventory: Inventory) -> LedgerCount:
    tell(f"{READS_ALL}; --offline leaves it out.")
    with still_there(config, inventory):
        return count(ledger_to_read(config), inventory, ProgressBars(), now=time.time())


def ledger_to_read(config: Config) -> Ledger:
    return Ledger(wiring.ledger_as_it_is(config, stop=threading.Event()))


@click.command()
@click.argument("user")
@as_json_option
@click.pass_obj
def explain(config_path: Path, user: str, *, as_json: bool) -> None:
    """Say everything that is known of USER, and what to do next. Nothing is changed.

    USER is a user name or sub of either pool, or what somebody signs in with.
    """
    config = configuration.load(config_path)
    source, target = wiring.pools_to_look_at(config, stop=threading.Event())
    with wiring.inventory_to_read(config) as inventory:
        explaining = Explaining(
            inventory,
            source=source,
            target=target,
            ledger=ledger_to_read(config) if config.ledger else None,
            rules=config.rules,
            now=time.time(),
        )
        cases = explaining.cases(user)
    say(lambda: [case_json(case) for case in cases], lambda: cases_lines(cases), as_json=as_json)


@click.command()
@click.argument("what", type=click.Choice(list(EXPORTS)))
@click.option(
    "--format",
    "as_",
    type=click.Choice(["csv", "jsonl"]),
    default="csv",
    show_default=True,
    help="In CSV, a value that begins with = + - @ ' or a tab gets a ' before it; jsonl has every value as it is.",
)
@click.option("--output", help="The file, or - for stdout.  [default: WHAT.csv]")
@click.option("--force", is_flag=True, help="Replace the file if it is there.")
@as_json_option
@click.pass_obj
def export(config_path: Path, what: str, *, as_: Format, output: str | None, force: bool, as_json: bool) -> None:
    """Write a list of users to a file of yours alone.

    pending, captured, reset, deferred, returned and new-passwords read the whole ledger, the others only the inventory.
    """
    if as_json and output == "-":
        raise SettingsError("--json and the rows would both go to stdout: name a file with --output, or leave one out.")
    config = configuration.load(config_path)
    name = output or f"{what}.{as_}"
    exported = EXPORTS[what]
    ledger = None
    with wiring.inventory_to_read(config) as inventory:
        if what not in OF_SUBS:
            refuse_after_a_purge(inventory)
        if exported.of_ledger and (config.ledger or not exported.without_ledger):
            ledger = ledger_to_read(config)
            tell(f"{READS_ALL}.")
        rows = exported.rows(inventory, ledger)
        if name == "-":
            written = write_rows(sys.stdout, exported.columns, rows, as_=as_)
        else:
            with whole_file(Path(name), replace=force) as out:
                written = write_rows(out, exported.columns, rows, as_=as_)
    _say_written(what, name, written, as_json=as_json)


def _say_written(what: str, name: str, rows: int, *, as_json: bool) -> None:
    """Say it; on stderr if stdout has the rows."""
    values = {"what": what, "output": name, "rows": rows}
    said = report.as_json(values) if as_json else f"Wrote {rows} rows to {'stdout' if name == '-' else name}."
    click.echo(said, err=name == "-")


COMMANDS = (show_status, explain, export)
