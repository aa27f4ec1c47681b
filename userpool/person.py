"""A person of the old pool as the ledger knows them: values, and nothing of where they are kept."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Self

PERSON = "person#"
"""What the key of a person's item begins with; the old sub follows."""


class PersonState(StrEnum):
    """How far a person is; `userpool.ledger` draws the way."""

    HELD = "held"
    KNOWN = "known"
    CREATING = "creating"
    PENDING = "pending"
    CAPTURING = "capturing"
    MIGRATING = "migrating"
    CAPTURED = "captured"
    RESET = "reset"
    DEFERRED = "deferred"  # a federated profile, which only its own sign-in can make
    RETURNED = "returned"  # by it

    @property
    def final(self) -> bool:
        """Whether the person has a password of their own in the new pool, and the old one is dead."""
        return self in {PersonState.CAPTURED, PersonState.RESET}


UNCONFIRMED = "unconfirmed"
"""The reason of those who are held because they never confirmed their sign-up: they may sign up anew."""

FORGOTTEN = "forgotten"
"""The reason of a tombstone: of whom nothing is left but the subs and how far they were, and nothing is captured."""

CLOSED = "closed"
"""The reason of those who are `reset` though they may not have chosen a password: somebody, or a run, let them go."""


@dataclass(frozen=True, slots=True)
class Person:
    """One person of the old pool. `username` is the old name as it was, `name` the one planned in the new pool.

    `owed` are groups of the new pool still to be given, `given` those that a token has given; `enrol` second factors
    that do not cross, or not at once, until the user has them in the new pool. `disabled` tells who was disabled in the
    old pool when published; `checked` that the old pool was asked again at the first token. `postponed` tells when the
    last capture proved the password and could not set it, because the new pool did not take it at that moment. `giver`
    is who gives memberships just now, or was cut off in it.
    """

    sub: str
    state: PersonState
    username: str = ""
    name: str | None = None
    reason: str | None = None
    new_sub: str | None = None
    owed: frozenset[str] = frozenset()
    given: frozenset[str] = frozenset()
    enrol: frozenset[str] = frozenset()
    locks: frozenset[str] = field(default=frozenset(), repr=False)
    disabled: bool = False
    checked: bool = False
    epoch: float = 0
    token: str | None = None
    until: float = 0
    postponed: float = 0
    changed: float = 0
    giver: str | None = None

    @classmethod
    def from_item(cls, item: Mapping[str, Any]) -> Self:
        """Read an item of the table."""
        values = {name: item[name] for name in _FIELDS if name in item}
        return cls(sub=str(item["id"]).removeprefix(PERSON), **(values | {"state": PersonState(item["state"])}))

    def to_item(self) -> dict[str, Any]:
        """Return what is stored; false and empty values are left out."""
        return {name: value for name in _FIELDS if (value := getattr(self, name))}


_FIELDS = tuple(name for name in Person.__slots__ if name != "sub")


def lock_id(pool_id: str, identifier: str) -> str:
    """Return the key of the lock on a folded sign-in identifier of a pool."""
    return hashlib.sha256(f"{pool_id}\0{identifier}".encode()).hexdigest()


def federated_lock(pool_id: str, name: str) -> str:
    """Return the key of the lock on a federated profile, by its case-preserved `Provider_id`.

    It is no native user's, whatever they are called: no sign-in identifier has a NUL in it.
    """
    return lock_id(pool_id, f"federated\0{name}")


def linked_lock(pool_id: str, folded: str) -> str:
    """Return the key of the lock on an identity that is linked to a native user, by its folded `Provider_id`.

    Folded as a user name, since the event of a first sign-in has no `identities`, and a name that some pools fold.
    """
    return lock_id(pool_id, f"linked\0{folded}")
