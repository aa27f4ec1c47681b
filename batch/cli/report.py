"""The command `report`: the plan before and the result after, as one HTML page to look at and to send."""

from __future__ import annotations

import html
import threading
import time
from pathlib import Path

import click

from batch.cli.status import not_read
from batch.cli.terminal import as_json_option, say, tell
from batch.inventory.inventory import Inventory, inventory_to_read
from batch.ledger.count import LedgerCount, count
from batch.ledger.own_ledger import still_there
from batch.ledger.table import ledger_as_it_is
from batch.pools import connect
from batch.report.page import GENERATOR, page
from batch.report.page_facts import gather
from batch.runtime.output_file import whole_file
from batch.runtime.own_lines import OWN_LINES
from batch.runtime.progress_bar import ProgressBars
from batch.settings import config as configuration
from batch.settings.config import Config
from userpool.errors import MigrationError, SettingsError
from userpool.ledger import Ledger
from userpool.ledger_table import MissingTableError

_DAYS = 92  # that are counted back
_BEGINNING = 2000  # bytes in which a report says that it is one


@click.command("report")
@click.option(
    "--output", "--out", default="report.html", show_default=True, help="The file; a report that is there is replaced."
)
@click.option("--with-names", is_flag=True, help="Name users who failed, collide or conflict: personal data.")
@click.option("--title", help="The title of the page.  [default: the two pools]")
@click.option("--offline", is_flag=True, help="Do not read the ledger, only the inventory.")
@as_json_option
@click.pass_obj
def make_report(
    config_path: Path, *, output: str, with_names: bool, title: str | None, offline: bool, as_json: bool
) -> None:
    """Write the plan and the result as one HTML page, beside a run or without one. Neither pool is asked."""
    config, path = configuration.load(config_path), Path(output)
    # Before anything is read: a Scan of the ledger costs money and minutes.
    _refuse(path, GENERATOR)
    counted, failure = None, None
    with inventory_to_read(config) as inventory:
        # Neither pool is asked, so rules and quotas are as far as the configuration alone tells.
        facts = gather(inventory, connect.rules_alone(config, inventory), connect.default_rps(config), names=with_names)
        if config.ledger and not offline:
            try:
                counted = _count(config, inventory)
            except MigrationError as error:
                failure = error
    unread = not_read(failure, offline=bool(config.ledger) and offline)
    # Made wholly before the file is touched: an error in between leaves the old page.
    written = page(config, facts, counted, unread, names=with_names, made=time.time(), title=title)
    written = OWN_LINES.typed(written, html.escape)
    with whole_file(path, replace=True) as out:
        out.write(written)
    values = {"output": output, "bytes": len(written.encode()), "names": with_names, "ledger_not_read": unread}
    say(lambda: values, lambda: [f"Wrote {output}: open it in a browser."], as_json=as_json)
    if failure and not isinstance(failure, MissingTableError):  # the page says so, but it is no good end
        raise failure


def _count(config: Config, inventory: Inventory) -> LedgerCount:
    tell("Reading the whole ledger: a Scan of its table, which DynamoDB bills by size; --offline leaves it out.")
    ledger = Ledger(ledger_as_it_is(config, stop=threading.Event()))
    with still_there(config, inventory):
        return count(ledger, inventory, ProgressBars(), now=time.time(), days=_DAYS)


def _refuse(path: Path, mark: str) -> None:
    """Raise SettingsError if the file exists and is no report, or if it is meant to be stdout."""
    if str(path) == "-":
        raise SettingsError("A report is a file, for a browser to open: name one with --output.")
    if not path.is_file():
        return
    try:
        with path.open("rb") as file:
            is_report = mark.encode() in file.read(_BEGINNING)
    except OSError as error:
        raise SettingsError(f"{path} cannot be read ({error.strerror}): name another with --output.") from None
    if not is_report:
        raise SettingsError(f"{path} is there and is no report: name another file with --output, or remove it.")
