"""What batch and trigger have to agree on, kept in the ledger: the batch writes it, the trigger reads it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, is_dataclass
from typing import Any, NamedTuple, Self, get_args, get_origin

from userpool.attributes import Schema
from userpool.errors import SettingsError
from userpool.factors import SECOND
from userpool.identity import SignIn
from userpool.ledger_table import Item, LedgerTable, Write
from userpool.person import lock_id
from userpool.settings import Rules, read, types_of

_KEY = "terms"
_OURS = "#source = :source AND #target = :target"

FINISHED = (
    "The migration is finished: nobody is created, changed or captured any more. If that was too early: "
    "cognito-migrate finish --reopen"
)
PURGED = (
    "The personal data of this migration was deleted (`finish --purge`), which is for good: there is nothing left to "
    "work with but the sub map, `cognito-migrate export map`, and who has no password chooses one by forgot-password."
)
FRESH_SECONDS = 60.0
"""For so long a function goes by the terms that it has read."""


class FinishedError(SettingsError):
    """The migration is over."""


@dataclass(frozen=True, slots=True)
class Terms:
    """The two pools, and what a user of the one becomes in the other.

    `marker` is the attribute of the new pool that keeps the old sub; `sign_in`, `schema` and `offered`, its second
    factors, are the new pool's. `by_phone`: the old pool takes a phone number for one (`userpool.factors.asked_for`).
    `of_providers`: the old pool's groups that Cognito made for its identity providers (`userpool.groups`).
    `table` is the identity of the table they were written to; `log_key` keys the hashes of persons in logs; once
    `finished`, the old pool is not asked any more; once `purged`, that cannot be taken back.
    """

    source_pool_id: str
    target_pool_id: str
    marker: str
    sign_in: SignIn
    schema: Schema
    rules: Rules
    table: str
    log_key: str
    finished: bool = False
    offered: tuple[str, ...] = SECOND
    by_phone: bool = False
    of_providers: tuple[str, ...] = ()
    purged: bool = False

    def lock(self, identifier: str) -> str:
        """Return the lock on a sign-in identifier as somebody typed it."""
        return lock_id(self.target_pool_id, self.sign_in.fold(identifier))

    @classmethod
    def of(cls, table: LedgerTable) -> Self | None:
        """Read the terms, or None if nothing was ever published. Raises SettingsError for what cannot be read."""
        item = table.get(_KEY)
        if item is None:
            return None
        try:
            values = _known(cls, json.loads(item["terms"]))
        except (KeyError, TypeError, ValueError):
            raise SettingsError(
                f"The terms in the ledger {table.name} cannot be read: `cognito-migrate run` writes them anew."
            ) from None
        return read(cls, values, "the ledger's terms")

    def save(self, table: LedgerTable, *, reopen: bool = False) -> None:
        """Write the terms. Raises SettingsError if the ledger is another migration's.

        What is finished stays so unless it is to `reopen`, and not even then once it is purged: FinishedError, also
        for a run that began before. Of a cut-over what is noted stays.
        """
        state = "purged" if reopen else "finished"
        still_open = "" if self.finished else f" AND (attribute_not_exists(#{state}) OR #{state} = :no)"
        text = json.dumps(asdict(self), ensure_ascii=False, sort_keys=True)
        values = {
            "terms": text,
            "source": self.source_pool_id,
            "target": self.target_pool_id,
            "table": self.table,
            "log_key": self.log_key,
            "finished": self.finished,
            "purged": self.purged,
        }
        turn = table.write(
            Write(
                _KEY,
                change="SET " + ", ".join(f"#{name} = :{name}" for name in values),
                condition=f"attribute_not_exists(#id) OR ({_OURS}{still_open})",
                values={**values, "no": False},
            )
        )
        if not turn.done:
            before = turn.before or {}
            same = (before.get("source"), before.get("target")) == (self.source_pool_id, self.target_pool_id)
            if not same:
                raise _another(table, before)
            raise FinishedError(PURGED if before.get("purged") else FINISHED)


def note_cut_over(table: LedgerTable, source_pool_id: str, target_pool_id: str, at: float | None) -> None:
    """Record since when the new pool is the one in use, or that it is not, for the runs of other inventories.

    Whatever became of the table and the terms; nothing where nothing was ever published, or by another migration.
    """
    change = "REMOVE #cut_over" if at is None else "SET #cut_over = :at"
    table.write(
        Write(
            _KEY, change=change, condition=_OURS, values={"source": source_pool_id, "target": target_pool_id, "at": at}
        )
    )


def refuse_another(table: LedgerTable, source_pool_id: str, target_pool_id: str) -> None:
    """Raise SettingsError if the ledger is another migration's."""
    item = table.get(_KEY)
    if item and (item.get("source"), item.get("target")) != (source_pool_id, target_pool_id):
        raise _another(table, item)


class Lasting(NamedTuple):
    """What of the terms outlives a change of their form."""

    table: str
    log_key: str
    finished: bool
    cut_over: float | None

    @classmethod
    def of(cls, table: LedgerTable) -> Self | None:
        """Read it, or None if nothing was ever published."""
        item = table.get(_KEY)
        if item is None:
            return None
        return cls(item.get("table", ""), item.get("log_key", ""), bool(item.get("finished")), item.get("cut_over"))


def _known(kind: Any, values: Any) -> Any:
    """Leave out what a later version may have added: the function that reads it may be older than the job."""
    if get_origin(kind) is Mapping and isinstance(values, dict):
        return {name: _known(get_args(kind)[1], value) for name, value in values.items()}
    if not (is_dataclass(kind) and isinstance(values, dict)):
        return values
    hints = types_of(kind)
    return {name: _known(hints[name], value) for name, value in values.items() if name in hints}


def _another(table: LedgerTable, there: Item) -> SettingsError:
    return SettingsError(
        f"The ledger {table.name} is of another migration ({there.get('source')} to {there.get('target')}): "
        "set `ledger` to another table."
    )
