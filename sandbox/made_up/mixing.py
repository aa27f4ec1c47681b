"""Invented users who come from elsewhere, are linked to it, or have a factor besides the password."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sandbox.made_up.people import Person, PoolKind, State, invent

if TYPE_CHECKING:
    from random import Random

GOOGLE, CORPORATE = "Google", "CorpSaml"
PROVIDERS = {GOOGLE: "Google", CORPORATE: "SAML"}
"""The other providers of the invented pools, and their types."""

_FACTORS = ("SOFTWARE_TOKEN_MFA", "SMS_MFA", "EMAIL_OTP", "WEB_AUTHN")  # the first that a user has is preferred
_NATIVE = (State.CONFIRMED, State.DISABLED)
_DISABLED_SHARE = 0.1  # of the profiles
_LINKED_TWICE_SHARE = 0.2  # of those who are linked


@dataclass(frozen=True)
class Mix:
    """Which shares of all users come from other providers, are linked to them, or have a factor besides a password."""

    federated: float = 0.03
    linked: float = 0.0
    sms: float = 0.0
    totp: float = 0.0
    email: float = 0.0
    passkey: float = 0.0

    @property
    def factors(self) -> dict[str, float]:
        """The share of users who have each factor."""
        return dict(zip(_FACTORS, (self.totp, self.sms, self.email, self.passkey), strict=True))


def invent_mixed(users: int, random: Random, kind: PoolKind, mix: Mix) -> list[Person]:
    """Invent users as `invent` does, with links and factors; the same `random` and mix always give the same.

    Factors are dealt independently, so that some have two. Those with SMS have a verified phone number.
    """
    people = invent(users, random, kind, federated=mix.federated)
    people = _from_elsewhere(people, random)
    for number, place in enumerate(_chosen(people, mix.linked, random, _NATIVE)):
        people[place] = dataclasses.replace(people[place], links=_links(number, random))
    for factor, share in mix.factors.items():
        for place in _chosen(people, share, random, _NATIVE):
            people[place] = _with_factor(people[place], factor, place)
    return people


def _chosen(people: list[Person], share: float, random: Random, states: Iterable[State]) -> list[int]:
    """Choose a share of all from those in some states; their places. If there are any to be, there is at least one."""
    places = [place for place, person in enumerate(people) if person.state in states]
    wanted = max(1, round(share * len(people))) if share else 0
    return random.sample(places, min(wanted, len(places)))


def _from_elsewhere(people: list[Person], random: Random) -> list[Person]:
    """Let half of the profiles be of the corporate provider, and disable some."""
    places = [place for place, person in enumerate(people) if person.state is State.EXTERNAL_PROVIDER]
    for place in random.sample(places, len(places) // 2):
        people[place] = _corporate(people[place], place)
    for place in random.sample(places, round(_DISABLED_SHARE * len(places))):
        people[place] = dataclasses.replace(people[place], disabled=True)
    return people


def _corporate(person: Person, number: int) -> Person:
    subject = f"{person.attributes['given_name']}.{number}@Corp.example.com".replace(" ", "_")
    identity = {**json.loads(person.attributes["identities"])[0], "userId": subject}
    identity |= {"providerName": CORPORATE, "providerType": PROVIDERS[CORPORATE]}
    attributes = {**person.attributes, "identities": json.dumps([identity])}
    return dataclasses.replace(person, username=f"{CORPORATE}_{subject}", attributes=attributes)


def _links(number: int, random: Random) -> tuple[tuple[str, str], ...]:
    links = [(GOOGLE, str(random.randrange(10**20, 10**21))), (CORPORATE, f"Linked.{number}@Corp.example.com")]
    random.shuffle(links)
    return tuple(links if random.random() < _LINKED_TWICE_SHARE else links[:1])


def _with_factor(person: Person, factor: str, number: int) -> Person:
    """Give a person a factor, and the verified number or address that it needs."""
    needs = {"SMS_MFA": ("phone_number", f"+1556{number:07d}"), "EMAIL_OTP": ("email", f"mfa.{number}@example.com")}
    attributes = dict(person.attributes)
    if factor in needs:
        name, value = needs[factor]
        attributes |= {name: attributes.get(name, value), f"{name}_verified": "true"}
    return dataclasses.replace(person, attributes=attributes, factors=(*person.factors, factor))
