"""What can be exported, by name: rows of the inventory or of the ledger.

Rows are read in pages. Each page is a statement of its own, so that a run beside it never waits for a reader.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from batch.inventory.baseline import conflicts
from batch.inventory.inventory import Inventory
from batch.inventory.user_state import FAILED
from batch.plan.collisions import collisions
from batch.plan.losses import losses
from batch.plan.summary import BLOCKED, NO_CHANNEL, ONE_CHANNEL
from batch.runtime.text import iso
from batch.verify.new_passwords import new_passwords
from batch.verify.revoked import revoked
from userpool.ledger import Ledger
from userpool.person import PersonState

Row = tuple[Any, ...]

_PAGE = 1000


@dataclass(frozen=True, slots=True)
class Export:
    """The columns of an export and a function that yields its rows.

    `of_ledger`: it reads the whole ledger. `without_ledger`: it does so only if the migration has one.
    """

    columns: tuple[str, ...]
    rows: Callable[[Inventory, Ledger | None], Iterator[Row]]
    of_ledger: bool = False
    without_ledger: bool = False


def _paged(
    columns: str, tables: str, condition: str, *, of: str = "s"
) -> Callable[[Inventory, Ledger | None], Iterator[Row]]:
    """Return a function that yields the rows for which the condition holds, ordered by the old sub in table `of`."""
    statement = (
        f"SELECT {of}.sub, {columns} FROM {tables} WHERE {of}.sub > ? AND {condition} "  # noqa: S608 -- constants
        f"ORDER BY {of}.sub LIMIT {_PAGE}"
    )

    def rows(inventory: Inventory, _: Ledger | None) -> Iterator[Row]:
        after = ""
        # Paged by the last sub and not by OFFSET: rows that a run adds meanwhile then neither repeat nor hide others.
        while page := inventory.execute(statement, (after,)).fetchall():
            for _, *row in page:
                yield tuple(row)
            after = page[-1][0]

    return rows


# The ledger has no index by state, so each of these exports reads every person.
def _of_state(state: PersonState) -> Export:
    def rows(_: Inventory, ledger: Ledger | None) -> Iterator[Row]:
        for people in ledger.persons() if ledger else ():
            for one in people:
                if one.state is state:
                    yield (
                        one.username,
                        one.sub,
                        one.name,
                        one.new_sub,
                        _moment(one.changed),
                        ", ".join(sorted(one.owed)),
                    )

    return Export(("username", "sub", "new_username", "new_sub", "since", "owed"), rows, of_ledger=True)


def _collisions(inventory: Inventory, _: Ledger | None) -> Iterator[Row]:
    for number, contenders in enumerate(collisions(inventory), 1):
        for one in contenders:
            yield (
                # The two empty columns are the person's to fill in: the export is then the file of decisions.
                *(one.username, "", "", number, one.status, bool(one.enabled)),
                *(_moment(one.created), _moment(one.modified), ", ".join(one.groups)),
            )


def _conflicts(inventory: Inventory, _: Ledger | None) -> Iterator[Row]:
    # A change of a group is nobody's, so its row has neither user name nor sub.
    return ((row["username"] or None, sub or None, name, row["reason"]) for (sub, name), row in conflicts(inventory))


def _revoked(inventory: Inventory, _: Ledger | None) -> Iterator[Row]:
    return ((*row, _moment(since)) for *row, since in revoked(inventory))


def _moment(seconds: float) -> str | None:
    return iso(seconds) if seconds else None


# `username` first, as in the file of decisions.
_OLD = ("username", "sub")
_NEW = ("new_username", "new_sub")
_MADE = "progress s LEFT JOIN users u ON u.sub = s.sub"
_PLANNED = "plan s JOIN users u ON u.sub = s.sub LEFT JOIN progress r ON r.sub = s.sub"

_held_by_plan = _paged(
    "u.username, s.sub, s.action, s.reason",
    _PLANNED,
    # A user that was created before the plan changed is not held: it exists.
    "s.action IN ('collide', 'skip', 'blocked') AND r.new_sub IS NULL",
)


def _held(inventory: Inventory, ledger: Ledger | None) -> Iterator[Row]:
    """Yield who is held by the ledger, as `status` and `finish` count them; without a ledger, by the plan."""
    if ledger is None:
        return _held_by_plan(inventory, None)
    people = (one for some in ledger.persons() for one in some if one.state is PersonState.HELD)
    return ((one.username, one.sub, str(one.state), one.reason) for one in people)


EXPORTS = {
    # A user that was deleted in the new pool has no account to map to.
    "map": Export(
        (*_OLD, *_NEW),
        _paged("u.username, s.sub, s.username, s.new_sub", _MADE, "s.new_sub IS NOT NULL AND s.state <> 'gone'"),
    ),
    "created": Export(
        (*_OLD, *_NEW, "state"),
        _paged("u.username, s.sub, s.username, s.new_sub, s.state", _MADE, "s.new_sub IS NOT NULL"),
    ),
    "failed": Export(
        (*_OLD, "problem", "reason"),
        _paged(
            "u.username, r.sub, r.problem_kind, r.problem",
            "progress r JOIN plan p ON p.sub = r.sub JOIN users u ON u.sub = r.sub",
            FAILED,
            of="r",
        ),
    ),
    "held": Export((*_OLD, "action", "reason"), _held, of_ledger=True, without_ledger=True),
    "blocked": Export((*_OLD, "reason"), _paged("u.username, s.sub, s.reason", _PLANNED, BLOCKED)),
    "skipped": Export(
        (*_OLD, "reason"), _paged("u.username, s.sub, s.reason", _PLANNED, "s.action = 'skip' AND r.new_sub IS NULL")
    ),
    "collisions": Export(
        ("username", "action", "target_username", "set", "status", "enabled", "created", "modified", "groups"),
        _collisions,
    ),
    "conflicts": Export((*_OLD, "what", "reason"), _conflicts),
    "no-reset-channel": Export(
        (*_OLD, *_NEW),
        _paged(
            # The name that the user got comes before the planned one, which a later plan may have changed.
            "u.username, s.sub, coalesce(r.username, s.username), r.new_sub",
            _PLANNED,
            NO_CHANNEL,
        ),
    ),
    "re-enrol": Export(
        (*_OLD, *_NEW, "factors"),
        _paged(
            "u.username, s.sub, coalesce(r.username, s.username), r.new_sub, "
            "(SELECT group_concat(value, ', ') FROM json_each(s.enrol))",
            _PLANNED,
            "s.enrol IS NOT NULL",
        ),
    ),
    "no-second-channel": Export(
        (*_OLD, *_NEW, "factors"),
        _paged(
            "u.username, s.sub, coalesce(r.username, s.username), r.new_sub, "
            "(SELECT group_concat(value, ', ') FROM json_each(s.factors))",
            _PLANNED,
            ONE_CHANNEL,
        ),
    ),
    "losses": Export((*_OLD, "loss", "detail"), lambda inventory, _: losses(inventory)),
    "gone": Export((*_OLD, *_NEW), _paged("u.username, s.sub, s.username, s.new_sub", _MADE, "s.state = 'gone'")),
    "revoked": Export((*_OLD, "what", "detail", "since"), _revoked),
    "new-passwords": Export((*_OLD, *_NEW, "certainty", "why"), new_passwords, of_ledger=True, without_ledger=True),
    **{state: _of_state(PersonState(state)) for state in ("pending", "captured", "reset", "deferred", "returned")},
}
"""Every export by name. `map` is for apps that store old subs.

`collisions` can be filled in and named by `collisions:`.
"""

OF_SUBS = frozenset({"map", "created", "gone"})
"""Exports that are still right after a purge, without names. The others would lack users and not say so."""
