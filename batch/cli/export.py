"""The command `export`: write one of the lists to a file. It only looks, and may do so beside a run."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from batch.cli.session import READS_ALL, ledger_to_read
from batch.cli.terminal import as_json_option, say, tell
from batch.inventory.inventory import inventory_to_read
from batch.inventory.stages import refuse
from batch.report.export import EXPORTS, OF_SUBS
from batch.runtime.output_file import Format, whole_file, write_rows
from batch.settings import config as configuration
from userpool.errors import SettingsError
from userpool.plural import plural


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

    held, pending, captured, reset, deferred, returned and new-passwords read the ledger, the others only the inventory.
    """
    if as_json and output == "-":
        raise SettingsError("--json and the rows would both go to stdout: name a file with --output, or leave one out.")
    config = configuration.load(config_path)
    name = output or f"{what}.{as_}"
    exported = EXPORTS[what]
    ledger = None
    with inventory_to_read(config) as inventory:
        # A purge deletes names. A list without them would look complete and lack most users.
        refuse(inventory, "export map" if what in OF_SUBS else "export")
        # Without `ledger` in the configuration this raises, unless the list can do without.
        if exported.of_ledger and (config.ledger or not exported.without_ledger):
            ledger = ledger_to_read(config)
            tell(f"{READS_ALL}.")
        rows = exported.rows(inventory, ledger)
        if name == "-":
            written = write_rows(sys.stdout, exported.columns, rows, as_=as_)
            # Here, where it is noticed if the reader is gone; at the end of the process it would be an ugly warning.
            sys.stdout.flush()
        else:
            # The file appears when it is whole: an export that is stopped half-way leaves none that looks complete.
            with whole_file(Path(name), replace=force) as out:
                written = write_rows(out, exported.columns, rows, as_=as_)
    _say_written(what, name, written, as_json=as_json)


def _say_written(what: str, name: str, rows: int, *, as_json: bool) -> None:
    """Say how many rows were written. The sentence goes to stderr if the rows went to stdout."""
    if name == "-":
        tell(f"Wrote {plural(rows, 'row')} to stdout.")
        return
    values = {"what": what, "output": name, "rows": rows}
    say(lambda: values, lambda: [f"Wrote {plural(rows, 'row')} to {name}."], as_json=as_json)
