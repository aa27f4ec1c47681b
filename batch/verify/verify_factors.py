"""The second factors that users of the target have, for `verify`: one user at a time, since no listing tells."""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterator
from contextlib import closing

from batch.inventory.inventory import Inventory
from batch.runtime import engine
from batch.runtime.progress_bar import ProgressBars
from userpool.pool import UserPool
from userpool.user import User

_PAGE = 500
_FROM = (
    "FROM progress r JOIN plan p ON p.sub = r.sub AND p.action IN ('create', 'update') "
    "LEFT JOIN applied a ON a.sub = r.sub WHERE r.new_sub > ? AND (p.factors IS NOT NULL OR a.factors IS NOT NULL)"
)


def with_factors(
    target: UserPool, inventory: Inventory, *, workers: int, stop: threading.Event, progress: ProgressBars
) -> Generator[list[User]]:
    """Yield who is to have a second factor, or was given one, as they are now; not all of them if `stop` is set.

    Who is not there, or is somebody else by now, is left out.
    """

    def look(made: tuple[str, str]) -> Iterator[User]:
        username, new_sub = made
        found = target.find(username)
        if found and found.sub == new_sub:
            yield found

    count = inventory.number(f"SELECT count(*) {_FROM}", ("",))
    with (
        progress.bar("verify second factors", total=count) as bar,
        closing(engine.run(_made(inventory), look, workers=workers, stop=stop)) as batches,
    ):
        for batch in batches:
            bar.advance(len(batch))
            yield batch


def _made(inventory: Inventory) -> Iterator[tuple[str, str]]:
    """Walk by key, not by one long cursor, so that rows can be written meanwhile."""
    after = ""
    statement = f"SELECT r.username, r.new_sub {_FROM} ORDER BY r.new_sub LIMIT ?"
    while rows := inventory.execute(statement, (after, _PAGE)).fetchall():
        yield from rows
        after = rows[-1][1]
