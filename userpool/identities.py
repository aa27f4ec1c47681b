"""The identities of a user at other identity providers, as Cognito's `identities` attribute tells them.

A federated profile has one that is `primary`; a native user has those that were linked to it (AdminLinkProviderForUser,
"Linking federated users to an existing user profile", developer guide). Cognito alone writes the attribute.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from userpool.user import Status

ATTRIBUTE = "identities"


class Identity(NamedTuple):
    """A user of an identity provider: its name in the pool, and the user's id there, both case-preserved.

    The `subject` is personal: never in a log, a message or an exception.
    """

    provider: str
    subject: str

    @property
    def username(self) -> str:
        """The user name that Cognito gives the federated profile (some pools fold its case)."""
        return f"{self.provider}_{self.subject}"

    def __repr__(self) -> str:
        """Name the provider alone."""
        return f"Identity({self.provider!r})"


def linked(attributes: Mapping[str, str]) -> frozenset[Identity]:
    """Return the identities that were linked to a user."""
    return frozenset(identity for identity, primary in _identities(attributes) if not primary)


def primary(attributes: Mapping[str, str]) -> Identity | None:
    """Return the identity that a federated profile is of, or None."""
    return next((identity for identity, primary in _identities(attributes) if primary), None)


def is_profile(status: str | None, attributes: Mapping[str, str]) -> bool:
    """Whether a user is a federated profile; a native user who is linked to an identity is none.

    One that an administrator has given a password is CONFIRMED, and still a profile: Cognito makes no other of the
    identity.
    """
    return status == Status.EXTERNAL_PROVIDER or primary(attributes) is not None


def _identities(attributes: Mapping[str, str]) -> Iterator[tuple[Identity, bool]]:
    """Yield each identity, and whether it is primary; what cannot be read is none."""
    try:
        items = json.loads(attributes.get(ATTRIBUTE) or "[]")
    except ValueError:
        return
    for item in items if isinstance(items, list) else ():
        if isinstance(item, Mapping) and item.get("providerName") and item.get("userId"):
            yield Identity(str(item["providerName"]), str(item["userId"])), _is_true(item.get("primary"))


def _is_true(value: Any) -> bool:
    return value is True or str(value).lower() == "true"
