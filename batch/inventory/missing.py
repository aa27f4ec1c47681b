"""Who this migration has made in the new pool and who is not there any more; how many of them are a loss.

A user may be deleted on purpose, and stays deleted. Many at once, between two looks at the new pool, are a loss: the
pool went back to an earlier time, or somebody deleted them by mistake.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from batch.inventory import meta_keys
from batch.inventory.inventory import Inventory
from batch.settings.config import LossSettings
from userpool.plural import plural

SAMPLE = 400
"""Of so many users it is asked, in a large pool, whether one is missing: it costs as many calls as the pages of 24,000.

A loss of one in a hundred is met so in 98 of 100 looks. Smaller pools are listed whole.
"""
MADE = (
    "(r.new_sub IS NOT NULL AND r.state <> 'undoing' OR r.state = 'gone') "
    "AND NOT EXISTS (SELECT 1 FROM forgotten f WHERE f.sub = r.sub)"
)
"""A condition on a progress r: the user is, or was, in the new pool by this migration, and has not been taken back."""
AWAY = f"{MADE} AND NOT EXISTS (SELECT 1 FROM temp.listed l WHERE l.new_sub = r.new_sub)"  # noqa: S608 -- a constant
"""A condition on the same: no user that the last listing showed. For who has begun one."""


@dataclass(frozen=True, slots=True)
class Missing:
    """`users` are missing in the new pool since the last look, of `made` that this migration has made there.

    Those who stay deleted are not counted. `at` is when the new pool was looked at, in Unix seconds, None if never.
    """

    users: int
    made: int
    at: float | None = None
    is_loss: bool = False

    @property
    def sentence(self) -> str:
        """Say how many are missing. It is true of one user, and of all."""
        return (
            f"{self.users} of the {plural(self.made, 'user')} that this migration has created are "
            "missing in the new pool: they "
            "were deleted there, or the pool was set back to an earlier time."
        )


REMEDY = (
    "If that was a mistake, or a recovery of the pool, bring them back:\n"
    "  cognito-migrate recover --missing\n"
    "If they were deleted on purpose, say so:\n"
    "  cognito-migrate recover --stay-deleted"
)


class MissingTable:
    """Keeps who is missing in the new pool."""

    def __init__(self, inventory: Inventory, loss: LossSettings) -> None:
        self._inventory = inventory
        self._loss = loss

    def made(self) -> int:
        """Count the users that this migration has made in the new pool, missing or not."""
        return self._inventory.number(f"SELECT count(*) FROM progress r WHERE {MADE}")  # noqa: S608 -- a constant

    def sample(self, size: int) -> list[str]:
        """Return the new subs of so many users, at random, who were there as far as is known."""
        rows = self._inventory.execute(
            f"SELECT r.new_sub FROM progress r WHERE {MADE} AND r.new_sub IS NOT NULL "  # noqa: S608 -- a constant
            "AND NOT EXISTS (SELECT 1 FROM missing m WHERE m.sub = r.sub) ORDER BY random() LIMIT ?",
            (size,),
        )
        return [new_sub for (new_sub,) in rows]

    def begin_listing(self) -> None:
        """Forget what an earlier listing of the new pool has shown."""
        self._inventory.execute("CREATE TEMP TABLE IF NOT EXISTS listed (new_sub TEXT PRIMARY KEY) WITHOUT ROWID")
        self._inventory.execute("DELETE FROM temp.listed")

    def listed(self, new_subs: Iterable[str]) -> None:
        """Note users that are in the new pool."""
        self._inventory.execute_many("INSERT OR IGNORE INTO temp.listed VALUES (?)", [(sub,) for sub in new_subs])

    def unlisted(self, most: int | None = None) -> list[tuple[str | None, str | None]]:
        """Return the new sub and name of each user made here that the listing did not show; of `most`, at random."""
        return self._inventory.execute(
            f"SELECT r.new_sub, r.username FROM progress r WHERE {AWAY} ORDER BY random() LIMIT ?",  # noqa: S608 -- a constant
            (-1 if most is None else most,),
        ).fetchall()

    def count(self, at: float) -> Missing:
        """Return what is to be said if who is not listed is missing. Nothing is kept."""
        return self._of(
            self._inventory.number(
                f"SELECT count(*) FROM progress r WHERE {AWAY} "  # noqa: S608 -- a constant
                "AND NOT EXISTS (SELECT 1 FROM missing m WHERE m.sub = r.sub AND m.stays)"
            ),
            at,
        )

    def keep(self, at: float) -> Missing:
        """Keep who is not listed as missing, and return what is to be said."""
        with self._inventory.transaction():
            self._inventory.execute(
                f"DELETE FROM missing WHERE sub NOT IN (SELECT r.sub FROM progress r WHERE {AWAY})"  # noqa: S608 -- a constant
            )
            self._inventory.execute(
                f"INSERT OR IGNORE INTO missing (sub, since) SELECT r.sub, ? FROM progress r WHERE {AWAY}",  # noqa: S608 -- a constant
                (at,),
            )
            self._inventory.set_meta(meta_keys.LOOKED_THERE, at)
            # Few at a time were deleted on purpose, and do not count towards a later loss.
            if not (missing := self.known()).is_loss:
                self._inventory.execute("UPDATE missing SET stays = 1")
        return missing

    def known(self) -> Missing:
        """Return what the last look at the new pool has shown."""
        away = self._inventory.number("SELECT count(*) FROM missing WHERE NOT stays")
        return self._of(away, self._inventory.get_meta(meta_keys.LOOKED_THERE))

    def _of(self, away: int, at: float | None) -> Missing:
        made = self.made()
        return Missing(away, made, at, self._loss.is_loss(away, made))

    def staying(self) -> set[str]:
        """Return the old subs of those who are missing and stay deleted."""
        return {sub for (sub,) in self._inventory.execute("SELECT sub FROM missing WHERE stays")}

    def let_stay(self) -> int:
        """Record that all who are missing stay away. Return how many they are."""
        with self._inventory.transaction():
            return self._inventory.execute("UPDATE missing SET stays = 1 WHERE NOT stays").rowcount
