"""The second factors of the old pool's users, as stored in the inventory.

No listing of Cognito tells them. So each scan asks for every user again: it is documented nowhere that a changed
preference moves a user's last-modified date.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass

from batch.inventory import meta_keys
from batch.inventory.inventory import Inventory, decoded
from batch.inventory.snapshot import Snapshot
from userpool.errors import SettingsError
from userpool.factors import Factors


@dataclass(frozen=True, slots=True)
class Asked:
    """What Cognito told of one user's factors. None means that the user has left the old pool."""

    sub: str
    factors: Factors | None


class FactorsTable:
    """Reads and writes the factors of the old pool's users. Writing is part of the open transaction."""

    def __init__(self, inventory: Inventory) -> None:
        self._inventory = inventory

    def of(self, subs: Iterable[str]) -> dict[str, Factors]:
        """Return the factors of each of these users, by sub. A user without a row has only a password."""
        subs = list(subs)
        rows = self._inventory.execute(
            "SELECT f.sub, f.second, f.preferred, f.passkey, f.unread "
            "FROM json_each(?) j JOIN factors f ON f.sub = j.value",
            (json.dumps(subs),),
        )
        found = {sub: Factors(frozenset(decoded(on)), chosen, bool(key), why) for sub, on, chosen, key, why in rows}
        return {sub: found.get(sub, Factors()) for sub in subs}

    def save(self, asked: Iterable[Asked], scan: int) -> None:
        """Record what Cognito told. A user that has only a password, or has left the old pool, gets no row."""
        for one in asked:
            if one.factors in {None, Factors()}:
                self._inventory.execute("DELETE FROM factors WHERE sub = ?", (one.sub,))
            elif one.factors:
                has = one.factors
                row = (one.sub, json.dumps(sorted(has.second)), has.preferred, int(has.passkey), has.unread, scan)
                self._inventory.execute(
                    "INSERT INTO factors (sub, second, preferred, passkey, unread, read) VALUES (?, ?, ?, ?, ?, ?) "
                    "ON CONFLICT (sub) DO UPDATE SET second = excluded.second, preferred = excluded.preferred, "
                    "passkey = excluded.passkey, unread = excluded.unread, read = excluded.read",
                    row,
                )

    def complete(self, scan: int) -> None:
        """Record that this scan has asked for the factors of all users."""
        self._inventory.set_meta(meta_keys.FACTORS_SCAN, scan)


def require_read(inventory: Inventory) -> None:
    """Raise SettingsError unless the last scan read all users' factors. A factor that is not known would be lost."""
    if inventory.get_meta(meta_keys.FACTORS_SCAN) != Snapshot(inventory).number:
        raise SettingsError(
            "users.mfa is preferences, and the last scan did not read second factors: run `cognito-migrate scan`."
        )
