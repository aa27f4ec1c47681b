"""Users with short names for an old pool, at least one of each kind that a migration treats in its own way."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator

from sandbox.made_up.mixing import GOOGLE, PROVIDERS
from sandbox.made_up.people import Person, PoolKind, State
from sandbox.users.directory import User


def cast(kind: PoolKind) -> list[Person]:
    """Return the users to be made in an old pool of this kind, in the order of `KINDS`."""
    return [
        _person("ada", kind),
        _person("grace", kind, groups=("admins", "editors")),
        _person("dora", kind, State.DISABLED),
        _person("mona", kind, factors=("SMS_MFA",), phone_number="+15550100001", phone_number_verified="true"),
        _person("toto", kind, factors=("SOFTWARE_TOKEN_MFA",)),
        _person("tess", kind, State.FORCE_CHANGE_PASSWORD),
        _person("rhea", kind, State.RESET_REQUIRED),
        _person("lina", kind, links=((GOOGLE, "100000000000000000001"),)),
        _person("uma", kind, State.UNCONFIRMED, email_verified=None),
        _person("nora", kind, email_verified="false"),
        _person("Bob", kind),
        _person("bob", kind),
        _profile("100000000000000000002"),
    ]


def _person(
    name: str,
    kind: PoolKind,
    state: State = State.CONFIRMED,
    *,
    groups: tuple[str, ...] = (),
    factors: tuple[str, ...] = (),
    links: tuple[tuple[str, str], ...] = (),
    **attributes: str | None,
) -> Person:
    email = f"{name}@example.com"
    wanted = {"email": email, "email_verified": "true", "name": name.title(), **attributes}
    given = {key: value for key, value in wanted.items() if value is not None}
    return Person(email if kind == "email" else name, given, state, groups, links=links, factors=factors)


def _profile(subject: str) -> Person:
    identity = {"userId": subject, "providerName": GOOGLE, "providerType": PROVIDERS[GOOGLE], "primary": True}
    attributes = {"email": "gus@example.com", "name": "Gus", "identities": json.dumps([identity])}
    return Person(f"{GOOGLE}_{subject}", attributes, State.EXTERNAL_PROVIDER, ("readers",))


def _is_plain(user: User) -> bool:
    return _can_sign_in(user) and _has_channel(user) and not (user.groups or user.mfa or _is_linked(user))


def _can_sign_in(user: User) -> bool:
    return user.status == "CONFIRMED" and user.enabled and not user.federated


def _has_channel(user: User) -> bool:
    return user.is_verified("email") or user.is_verified("phone_number")


def _is_linked(user: User) -> bool:
    return "identities" in user.attributes and not user.federated


def _with(factor: str) -> Callable[[User], bool]:
    return lambda user: _can_sign_in(user) and factor in user.mfa


KINDS: dict[str, tuple[Callable[[User], bool], str]] = {
    "plain": (_is_plain, "the first sign-in captures the password"),
    "in groups": (
        lambda user: _can_sign_in(user) and bool(user.groups) and not user.mfa,
        "the same, and the token names the groups",
    ),
    "disabled": (lambda user: not user.enabled and not user.federated, "created, and stays disabled"),
    "SMS as second factor": (_with("SMS_MFA"), "must choose a new password"),
    "authenticator app": (_with("SOFTWARE_TOKEN_MFA"), "must choose a new password"),
    "temporary password": (lambda user: user.status == "FORCE_CHANGE_PASSWORD", "must choose a new password"),
    "password must be reset": (lambda user: user.status == "RESET_REQUIRED", "refused; must choose a new password"),
    "linked to a provider": (_is_linked, "the link is made in the new pool"),
    "unconfirmed": (lambda user: user.status == "UNCONFIRMED", "left out by rule"),
    "no verified channel": (
        lambda user: _can_sign_in(user) and not _has_channel(user),
        "captured, but cannot choose a new password alone",
    ),
    "federated profile": (lambda user: user.federated, "comes back with the first federated sign-in"),
}
"""Each kind of user: how to tell one, and what a migration does with it."""
COLLIDING = "colliding", "left out until a person decides"


def one_of_each(users: Iterable[User], signed_in_by: Iterable[str] = ()) -> Iterator[tuple[str, str, str]]:
    """Give the first user of each kind that there is: what it types to sign in, the kind, and what becomes of it.

    `signed_in_by` are the attributes that the pool has in place of user names, such as `email`.
    """
    everybody, attributes = [*users], [*signed_in_by]

    def typed(user: User) -> str:
        values = (user.attributes.get(name) for name in attributes)
        return user.username if user.federated else next(filter(None, values), user.username)

    folded = Counter(typed(user).lower() for user in everybody)
    alone = [user for user in everybody if folded[typed(user).lower()] == 1]
    for kind, (is_one, becomes) in KINDS.items():
        if found := next((user for user in alone if is_one(user)), None):
            yield typed(found), kind, becomes
    if several := next((user for user in everybody if folded[typed(user).lower()] > 1), None):
        yield typed(several), *COLLIDING
