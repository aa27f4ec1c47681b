"""The second factors of the old pool's users: read one user at a time, and kept in the inventory.

No listing tells them, so each scan asks Cognito for every user anew; that a changed preference would move a user's
last-modified date is documented nowhere.
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
    """What a user can prove themselves by; None if they are gone."""

    sub: str
    factors: Factors | None


class FactorsTable:
    """Reads and writes what users of the old pool have; writing is part of the transaction that is open."""

    def __init__(self, inventory: Inventory) -> None:
        self._inventory = inventory

    def of(self, subs: Iterable[str]) -> dict[str, Factors]:
        """Return the factors of each of these users."""
        subs = list(subs)
        rows = self._inventory.execute(
            "SELECT f.sub, f.second, f.preferred, f.passkey, f.unread "
            "FROM json_each(?) j JOIN factors f ON f.sub = j.value",
            (json.dumps(subs),),
        )
        found = {sub: Factors(frozenset(decoded(on)), chosen, bool(key), why) for sub, on, chosen, key, why in rows}
        return {sub: found.get(sub, Factors()) for sub in subs}

    def save(self, asked: Iterable[Asked], scan: int) -> None:
        """Record what was told; who has no more than a password has no row."""
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
        """Record that this scan has asked for everybody's."""
        self._inventory.set_meta(meta_keys.FACTORS_SCAN, scan)


def require_read(inventory: Inventory) -> None:
    """Raise SettingsError unless the last scan read everybody's factors: who is not known to have one would lose it."""
    if inventory.get_meta(meta_keys.FACTORS_SCAN) != Snapshot(inventory).number:
        raise SettingsError(
            "users.mfa is preferences, and the last scan did not read second factors: run `cognito-migrate scan`."
        )
