"""The second factors of the old pool's users: read one user at a time, and kept in the inventory.

No listing tells them, so each scan asks Cognito for every user anew; that a changed preference would move a user's
last-modified date is documented nowhere.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass

from batch.inventory.inventory import Inventory, decoded
from batch.inventory.snapshot import Snapshot
from batch.runtime import engine
from batch.runtime.progress_bar import ProgressBars
from userpool.errors import NotAllowedError, NotEnabledError, SettingsError, UnansweredError, UserError
from userpool.factors import Factors, asked_for
from userpool.pool import UserPool
from userpool.user import User

_READ = "factors_scan"
"""The key under which stands the number of the scan that read everybody's last."""

# What Cognito answers where it does not know an operation, and what the door says where boto3 does not.
_UNKNOWN = frozenset({"UnknownOperationException", "InvalidAction", ""})
_NO_ANSWER = "no answer"


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
        self._inventory.set_meta(_READ, scan)


def require_read(inventory: Inventory) -> None:
    """Raise SettingsError unless the last scan read everybody's factors: who is not known to have one would lose it."""
    if inventory.get_meta(_READ) != Snapshot(inventory).number:
        raise SettingsError(
            "users.mfa is preferences, and the last scan did not read second factors: run `cognito-migrate scan`."
        )


def read_factors(
    source: UserPool,
    inventory: Inventory,
    *,
    by_phone: bool,
    workers: int,
    stop: threading.Event,
    progress: ProgressBars,
    say: Callable[[str], None],
) -> None:
    """Read the factors of everybody whose this scan has not read; what was read before `stop` is set is kept.

    `by_phone`: see `userpool.factors.asked_for`. Of whom Cognito does not tell, that is kept: nobody else waits for it.
    """
    snapshot, table = Snapshot(inventory), FactorsTable(inventory)
    passkeys = _tells_passkeys(source, snapshot.factors_to_read(), say)

    def ask(user: User) -> Iterator[Asked]:
        unlisted = asked_for(user.mfa, user.attributes, by_phone=by_phone)
        try:
            found = source.factors(user.username, passkeys=passkeys, unlisted=unlisted)
        except UserError as error:
            found = Factors(unread=error.code or _NO_ANSWER)
        yield Asked(user.sub, found)

    with (
        progress.bar("second factors", total=snapshot.count_factors_to_read()) as bar,
        closing(engine.run(snapshot.factors_to_read(), ask, workers=workers, stop=stop)) as batches,
    ):
        for batch in batches:
            with inventory.transaction():
                table.save(batch, snapshot.number)
                snapshot.mark_factors_read(one.sub for one in batch)
            bar.advance(len(batch))
    if not stop.is_set():
        table.complete(snapshot.number)


def _tells_passkeys(source: UserPool, users: Iterator[User], say: Callable[[str], None]) -> bool:
    """Try the operation that tells passkeys on the first user; if there is none, say so.

    Raises UnansweredError: whether there is one is not known then, and the other may cost money.
    """
    first = next(users, None)
    if first is None:
        return True
    try:
        source.factors(first.username)
    except (NotAllowedError, NotEnabledError) as error:
        said = str(error)
    except UnansweredError:
        raise
    except UserError as error:
        if error.code not in _UNKNOWN:
            return True  # there is one, and it is about this user
        said = str(error)
    else:
        return True
    say(
        "Note: second factors are read by AdminGetUser, which does not tell passkeys (who has one is not listed) and "
        "makes each user monthly active in the old pool (`plan` says for how much). AdminGetUserAuthFactors would "
        f"tell. {said}"
    )
    return False
