"""What the new pool has taken away since the cut-over and the old pool has not, as far as `verify` saw it.

Apps that still use the old pool let those users go on. The rows are kept in the inventory for `export revoked`, and for
`export new-passwords`, which needs to know when users of the new pool were modified.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from batch.inventory import meta_keys
from batch.inventory.inventory import Inventory, decoded
from batch.inventory.milestones import Cutover
from batch.verify.comparison import Difference
from batch.verify.verify import VerifySummary
from userpool.errors import SettingsError
from userpool.groups import GroupNames
from userpool.identities import linked
from userpool.ledger import Ledger
from userpool.user import Status, User

_PAGE = 1000
_OF_PAGE = "INSERT OR REPLACE INTO modified_there SELECT sub, ?, ? FROM progress WHERE new_sub = ?"
_PERSON = (
    "SELECT u.sub, u.enabled, u.attributes FROM users u JOIN plan p ON p.sub = u.sub "
    "WHERE u.username = ? AND u.scan = (SELECT value FROM meta WHERE key = ?)"
)
_SOME = (
    "SELECT r.sub, r.what, r.detail, u.username, r.since FROM revoked r JOIN users u ON u.sub = r.sub "
    "WHERE (r.sub, r.what, r.detail) > (?, ?, ?) ORDER BY r.sub, r.what, r.detail LIMIT ?"
)


class Revoked(NamedTuple):
    """Something that the new pool took from the user with this old sub. `detail` is the old group or the provider."""

    sub: str
    what: str
    detail: str = ""


class Sightings:
    """What a `verify` after the cut-over sees. Call `begin`, then `page` for each page, then `keep`."""

    def __init__(self, inventory: Inventory, groups: GroupNames, ledger: Ledger | None) -> None:
        self._inventory = inventory
        self._groups = groups
        self._ledger = ledger
        self._is_cut_over = Cutover.of(inventory) is not None

    def begin(self) -> None:
        """Forget when users were modified. A user that is not seen again does not exist any more."""
        with self._inventory.transaction():
            self._inventory.execute("DELETE FROM modified_there")
            self._inventory.set_meta(meta_keys.SEEN_THERE, None)

    def page(self, users: Sequence[User]) -> None:
        """Note when users of the new pool were modified. Users that are not this migration's are passed over."""
        with self._inventory.transaction():
            rows = [(user.modified, user.status is Status.CONFIRMED, user.sub) for user in users]
            self._inventory.execute_many(_OF_PAGE, rows)

    def keep(self, summary: VerifySummary, at: float) -> None:
        """Record what was taken away. What was seen before keeps its date. `at` is the new pool's time."""
        found = {one for note in summary.notes for one in self._of(note)}
        # Read before the rows are deleted: a right that was taken away long ago keeps the date on which that was first
        # seen.
        since = {
            Revoked(*row): at for *row, at in self._inventory.execute("SELECT sub, what, detail, since FROM revoked")
        }
        with self._inventory.transaction():
            self._inventory.execute("DELETE FROM revoked")
            rows = [(*one, since.get(one, at)) for one in sorted(found)]
            self._inventory.execute_many("INSERT INTO revoked VALUES (?, ?, ?, ?)", rows)
            self._inventory.set_meta(meta_keys.SEEN_THERE, at)

    def settle_given(self, summary: VerifySummary) -> None:
        """Turn memberships that a first token gave and that are lost now from differences into notes.

        The inventory does not know that such a membership was given. The ledger does.
        """
        if self._ledger is None:
            return
        given = {one for one in summary.differences if one.what == "membership lost" and self._was_given(one)}
        summary.notes = sorted([*summary.notes, *given], key=lambda one: (one.username, one.what))
        summary.differences = [one for one in summary.differences if one not in given]

    def _was_given(self, lost: Difference) -> bool:
        person = self._ledger.person(sub) if self._ledger and (sub := self._sub(lost.username)) else None
        if person is None or person.new_sub is None:
            return False
        # After the cut-over nothing new is wanted, so whatever is owed no more was given.
        return lost.detail in person.given or (self._is_cut_over and lost.detail not in person.owed)

    def _of(self, note: Difference) -> Iterator[Revoked]:
        row = self._inventory.execute(_PERSON, (note.username, meta_keys.SCAN)).fetchone()
        # A user who is disabled in the old pool as well can do nothing there.
        if row is None or not row[1]:
            return
        match note.what, note.detail:
            case "missing", _:
                yield Revoked(row[0], "deleted")
            case "enabled", "is disabled":
                yield Revoked(row[0], "disabled")
            case "membership lost", group:
                yield from (Revoked(row[0], "membership ended", name) for name in self._old_groups(row[0], group))
            # Only a link that still exists in the old pool lets somebody go on there.
            case "link lost", provider if provider in {one.provider for one in linked(decoded(row[2]))}:
                yield Revoked(row[0], "link ended", provider)

    def _sub(self, username: str) -> str | None:
        row = self._inventory.execute(_PERSON, (username, meta_keys.SCAN)).fetchone()
        return row[0] if row else None

    def _old_groups(self, sub: str, group: str) -> Iterator[str]:
        """Yield the old groups of this user that have the name `group` in the new pool."""
        rows = self._inventory.execute("SELECT group_name FROM memberships WHERE sub = ?", (sub,)).fetchall()
        yield from (name for (name,) in rows if self._groups.target_name(name) == group)


def require_seen(inventory: Inventory) -> None:
    """Raise SettingsError unless `verify` has looked at the new pool since the cut-over."""
    if Cutover.of(inventory) is None:
        raise SettingsError("There was no cut-over: this list is of what the new pool has changed since.")
    if inventory.get_meta(meta_keys.SEEN_THERE) is None:
        raise SettingsError("Nobody has looked at the new pool since the cut-over: cognito-migrate verify first.")


def revoked(inventory: Inventory) -> Iterator[tuple[Any, ...]]:
    """Yield (old user name, old sub, what was taken, old group or provider, when that was first seen).

    Raises SettingsError as `require_seen` does.
    """
    require_seen(inventory)
    return _pages(inventory)


def _pages(inventory: Inventory) -> Iterator[tuple[Any, ...]]:
    after = ("", "", "")
    while page := inventory.execute(_SOME, (*after, _PAGE)).fetchall():
        yield from ((username, sub, what, detail, since) for sub, what, detail, username, since in page)
        after = page[-1][:3]


class ModifiedThere(NamedTuple):
    """When a user of the new pool was modified, when this migration last wrote to it, and whether it is CONFIRMED.

    `written` is None if the last write is unknown.
    """

    modified: float
    written: float | None
    confirmed: bool = True


def modified_there(inventory: Inventory, subs: Sequence[str]) -> dict[str, ModifiedThere]:
    """Return what `verify` saw of users of the new pool, by old sub. Users that it did not see are left out."""
    rows = inventory.execute(
        "SELECT m.sub, m.at, w.at, m.confirmed FROM json_each(?) j JOIN modified_there m ON m.sub = j.value "
        "LEFT JOIN last_write w ON w.sub = m.sub",
        (json.dumps(list(subs)),),
    )
    return {sub: ModifiedThere(at, written, bool(confirmed)) for sub, at, written, confirmed in rows}
