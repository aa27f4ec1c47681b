"""The invented users of an old user pool: who they are, what state they are in, which groups they are in.

Nothing here calls Cognito, and the same `random.Random` always invents the same people.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping
    from random import Random

PoolKind = Literal["plain", "email"]


class State(StrEnum):
    """The state a user is left in: a Cognito user status, or disabled (and confirmed)."""

    CONFIRMED = "CONFIRMED"
    FORCE_CHANGE_PASSWORD = "FORCE_CHANGE_PASSWORD"  # noqa: S105 - a status, not a password
    RESET_REQUIRED = "RESET_REQUIRED"
    UNCONFIRMED = "UNCONFIRMED"
    DISABLED = "DISABLED"
    EXTERNAL_PROVIDER = "EXTERNAL_PROVIDER"


@dataclass(frozen=True)
class Group:
    """A group of the old user pool; None is an argument CreateGroup is not given."""

    name: str
    description: str | None = None
    precedence: int | None = None
    role_arn: str | None = None


@dataclass(frozen=True)
class Person:
    """A user to be made: the username asked for, the attributes, the state and the memberships.

    `links` are providers and subjects; `factors` have Cognito's names, the preferred one first, and WEB_AUTHN is a
    passkey. `disabled` is for profiles of other providers, who are of no other state.
    """

    username: str
    attributes: dict[str, str]
    state: State
    groups: tuple[str, ...] = ()
    links: tuple[tuple[str, str], ...] = ()
    factors: tuple[str, ...] = ()
    disabled: bool = False


EVERYONE = "everyone"
EMPTY = "retired"
_ROLE = "arn:aws:iam::123456789012:role/"
GROUPS = (
    Group("admins", "May do everything", 0, _ROLE + "pool-admin"),
    Group("billing", "Sees invoices", 10, _ROLE + "pool-billing"),
    Group("editors", "Edits content", 20, _ROLE + "pool-editor"),
    Group("support", "Answers customers", 30),
    Group("beta", "Tries new things first", 40),
    Group("partners", "Outside companies", 50),
    Group("team:Zürich", "Büro Zürich", 60),
    Group("readers", "Reads content", 60),
    Group("auditors", "Reads everything", 70),
    Group(EVERYONE, "Half the company", 100),
    Group(EMPTY, "Nobody any more", 200),
    Group("bare"),
)
_CHOSEN_GROUPS = tuple(group.name for group in GROUPS if group.name not in (EVERYONE, EMPTY))
_ALL_GROUPS = (*_CHOSEN_GROUPS, EVERYONE)

# What is left over is CONFIRMED. A share is a number of users, not a chance, so that even a small pool has every state.
_SHARES = {
    State.FORCE_CHANGE_PASSWORD: 0.06,
    State.RESET_REQUIRED: 0.04,
    State.UNCONFIRMED: 0.04,
    State.DISABLED: 0.03,
}
_SMALLEST_MIXED_POOL = 20
_USERS_PER_CASE_PAIR = 200

# Given and family name, and how each is typed in an e-mail address.
_GIVEN = (
    *(("Zoë", "Zoe"), ("Bob", "Bob"), ("小龙", "Xiaolong"), ("Åsa", "Asa"), ("Jürgen", "Juergen"), ("Ana", "Ana")),
    *(("Søren", "Soren"), ("Николай", "Nikolai"), ("फ़ातिमा", "Fatima"), ("Mary-Jane", "Mary-Jane")),
)
_FAMILY = (
    *(("Ångström", "Angstrom"), ("李", "Li"), ("Müller", "Mueller"), ("O'Brien", "OBrien"), ("Núñez", "Nunez")),
    *(("Smith", "Smith"), ("Иванов", "Ivanov"), ("Şahin", "Sahin"), ("de la Cruz", "delaCruz")),
)


@dataclass(frozen=True)
class _Name:
    given: str
    family: str
    ascii_given: str
    ascii_family: str

    @property
    def attributes(self) -> dict[str, str]:
        chinese = self.given == "小龙" and self.family == "李"
        full = self.family + self.given if chinese else f"{self.given} {self.family}"
        return {"name": full, "given_name": self.given, "family_name": self.family}

    def email(self, number: int) -> str:
        return f"{self.ascii_given}.{self.ascii_family}.{number}@example.com"


def invent(users: int, random: Random, kind: PoolKind, *, federated: float = 0.03) -> list[Person]:
    """Invent this many users with different usernames for a user pool of this kind.

    `federated` is the share of those who come from another provider. Nobody has links or factors: see `mixing`.
    """
    shares = {**_SHARES, State.EXTERNAL_PROVIDER: federated}
    pairs = max(1, users // _USERS_PER_CASE_PAIR) if users >= _SMALLEST_MIXED_POOL else 0
    singles = users - 2 * pairs
    states = _states(singles, users, shares, random)
    people = [_person(number, state, random, kind) for number, state in enumerate(states)]
    people = [_with_groups(person, random) for person in people]
    if people:
        people[0] = dataclasses.replace(people[0], groups=_ALL_GROUPS)
    for number in range(pairs):
        people += _case_pair(singles + number, random)
    random.shuffle(people)
    return people


def _states(singles: int, users: int, shares: Mapping[State, float], random: Random) -> list[State]:
    smallest = 1 if users >= _SMALLEST_MIXED_POOL else 0
    states = [state for state, share in shares.items() for _ in range(max(smallest, round(share * users)))]
    states += [State.CONFIRMED] * (singles - len(states))
    random.shuffle(states)
    return states[:singles]


def _person(number: int, state: State, random: Random, kind: PoolKind) -> Person:
    name = _name(random)
    email = _as_typed(name.email(number), random)
    attributes = name.attributes | _custom(random) | _contact(email, number, state, random, kind)
    if state is State.EXTERNAL_PROVIDER:
        return _external(attributes, state, random)
    return Person(_username(name, number, attributes, random, kind), attributes, state)


def _name(random: Random) -> _Name:
    (given, ascii_given), (family, ascii_family) = random.choice(_GIVEN), random.choice(_FAMILY)
    return _Name(given, family, ascii_given, ascii_family)


def _as_typed(email: str, random: Random) -> str:
    local = email.partition("@")[0]
    spellings = (email, email, email.lower(), f"{local.lower()}@Example.com", f"{local.upper()}@example.com")
    return random.choice(spellings)


def _custom(random: Random) -> dict[str, str]:
    custom = {"custom:tenant": f"tenant-{random.randrange(40)}", "custom:level": str(random.randrange(100))}
    if random.random() < 0.7:  # noqa: PLR2004 - a share
        custom["custom:plan"] = random.choice(("free", "pro", "team"))
    if random.random() < 0.3:  # noqa: PLR2004
        custom["custom:obsolete"] = random.choice(("yes", "2014-import", "n/a"))
    return custom


def _contact(email: str, number: int, state: State, random: Random, kind: PoolKind) -> dict[str, str]:
    draw = random.random()
    phone = f"+1555{number:07d}"
    if state is State.UNCONFIRMED:
        return {"email": email}  # SignUp lets nobody claim to be verified
    if state is State.RESET_REQUIRED or draw < 0.82:  # noqa: PLR2004 - a reset code needs a verified address
        return {"email": email, "email_verified": "true"}
    if draw < 0.92 or kind == "email":  # noqa: PLR2004
        return {"email": email, "email_verified": "false"}
    return {"phone_number": phone, "phone_number_verified": random.choice(("true", "false"))}


def _username(name: _Name, number: int, attributes: dict[str, str], random: Random, kind: PoolKind) -> str:
    email, draw = attributes.get("email"), random.random()
    if email is not None and (kind == "email" or draw < 0.75):  # noqa: PLR2004 - a share
        return email
    if draw < 0.9:  # noqa: PLR2004
        return f"{name.ascii_given.lower()}{number}"
    return f"{name.given}.{name.family}.{number}".replace(" ", "_")


def _external(attributes: dict[str, str], state: State, random: Random) -> Person:
    google_id = str(random.randrange(10**20, 10**21))
    provider = {"providerName": "Google", "providerType": "Google", "issuer": None}
    identity = {"userId": google_id, **provider, "primary": True, "dateCreated": 1600000000000}
    return Person(f"Google_{google_id}", {**attributes, "identities": json.dumps([identity])}, state)


def _with_groups(person: Person, random: Random) -> Person:
    groups: tuple[str, ...] = ()
    if random.random() < 0.6:  # noqa: PLR2004 - a share
        groups = tuple(random.sample(_CHOSEN_GROUPS, random.randint(1, 3)))
    if random.random() < 0.5:  # noqa: PLR2004
        groups += (EVERYONE,)
    return dataclasses.replace(person, groups=groups)


def _case_pair(number: int, random: Random) -> list[Person]:
    """Two confirmed users, different people to a case-sensitive pool and one and the same to any other."""
    typed = f"Bob.{number}@example.com"
    pair = []
    for email, group in ((typed, "editors"), (typed.lower(), "readers")):
        attributes = _name(random).attributes | _custom(random) | {"email": email, "email_verified": "true"}
        pair.append(Person(email, attributes, State.CONFIRMED, (group, random.choice(("beta", "bare")))))
    return pair
