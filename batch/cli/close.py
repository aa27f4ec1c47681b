"""The command `close`: after an administrator set a password, let a user's old password count no more."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import click

from batch.cli.session import recorded_if_free
from batch.cli.terminal import as_json_option, say, tell
from batch.ledger.close import Closed, close
from batch.ledger.table import ledger_table
from batch.pools.connect import connect
from batch.settings import config as configuration
from userpool.ledger import Ledger


@click.command("close")
@click.argument("user")
@as_json_option
@click.pass_obj
def close_user(config_path: Path, user: str, *, as_json: bool) -> None:
    """Let the old password of USER, by a name of the new pool, count no more: after AdminSetUserPassword, say."""
    # Never set: a handful of calls for one user needs no stop.
    stop, config = threading.Event(), configuration.load(config_path)
    with recorded_if_free(config, "close") as record:
        migration = connect(config, stop=stop, say=tell, run_id=record.id)
        ledger = Ledger(ledger_table(config, stop=stop, agent=migration.agent))
        marker, now = migration.context.marker, migration.target_now()
        closed = close(user, migration.target.pool, ledger, marker, now=now, begin=record.begin)
        record.counts = {"closed": int(closed.was != closed.state)}
    say(lambda: asdict(closed), lambda: close_lines(closed), as_json=as_json)


def close_lines(closed: Closed) -> Iterator[str]:
    """Yield what became of the person, and what to do if a first sign-in was under way."""
    if closed.was == closed.state:
        yield f"{closed.username} is closed already ({closed.was}): the old password counts no more."
    else:
        yield f"{closed.username} is closed (it was {closed.was}): the old password counts no more."
    if closed.under_way:
        yield "A first sign-in of theirs is under way, or was cut off, so they get no token yet:"
        yield "in a minute set the password, and close again."
