"""Users of other identity providers, and their links to users of the pool."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from typing import Any

from sandbox.errors import CognitoError, invalid_parameter, not_there, user_not_found
from sandbox.pools import schema
from sandbox.users.directory import User
from sandbox.users.users import require_user
from sandbox.world import Operation, Parameters, Pool, World

_MOST_LINKS = 5  # quotas, "Identities linked to a user"
_SUBJECT = "Cognito_Subject"
_SOCIAL = {"Facebook", "Google", "LoginWithAmazon", "SignInWithApple"}

Identity = dict[str, Any]


def make_profile(world: World, pool: Pool, provider: str, subject: str, attributes: Mapping[str, str]) -> User:
    """Make the profile that a first sign-in through another provider makes, which no call to Cognito can.

    Raises UsernameExistsException, and InvalidParameterException for an attribute that the schema does not allow.
    """
    schema.check_new(pool, attributes)
    sub, now = str(uuid.uuid4()), world.clock.now()
    identity = _identity(provider, _type_of(pool, provider), subject, now, primary=True)
    user = User(
        username=profile_name(pool, provider, subject),
        sub=sub,
        attributes={"sub": sub, **schema.stored(pool, attributes), "identities": json.dumps([identity])},
        status="EXTERNAL_PROVIDER",
        created=now,
        modified=now,
        federated=True,
    )
    pool.users.add(user)
    return user


def profile_name(pool: Pool, provider: str, subject: str) -> str:
    """Return the user name of a profile: `Provider_subject` in every kind of pool.

    In a case-insensitive pool it is folded to lower case; `identities` keep the case (amplify-js#13844).
    """
    return pool.users.fold(f"{provider}_{subject}")


def profile(pool: Pool, provider: str, subject: str) -> User | None:
    """Return the profile of a subject, which counts with its case in every pool, if it has signed in before."""
    user = pool.users.named(f"{provider}_{subject}")
    own = [] if user is None else _identities(user)
    return user if any((one["providerName"], one["userId"]) == (provider, subject) for one in own) else None


def require_provider(pool: Pool, provider: str) -> None:
    """Raise ResourceNotFoundException for a provider that the pool does not have."""
    _type_of(pool, provider)


def _admin_link_provider_for_user(world: World, parameters: Parameters) -> dict[str, Any]:
    pool = world.pool(parameters["UserPoolId"])
    user = _destination(pool, parameters["DestinationUser"])
    provider, subject = _source(pool, parameters["SourceUser"])
    if pool.users.linked_to(provider, subject):
        raise invalid_parameter("SourceUser is already linked to DestinationUser")
    identities = _identities(user)
    if len(identities) >= _MOST_LINKS:
        raise CognitoError("LimitExceededException", f"A user can have at most {_MOST_LINKS} linked identities.")
    now = world.clock.now()
    identities.append(_identity(provider, _type_of(pool, provider), subject, now, primary=False))
    pool.users.link(user, provider, subject)
    pool.users.update(user, {"identities": json.dumps(identities)}, now)
    return {}


def _destination(pool: Pool, who: Parameters) -> User:
    provider, value = who.get("ProviderName", ""), who.get("ProviderAttributeValue", "")
    return require_user(pool, value if provider == "Cognito" else f"{provider}_{value}")


def _source(pool: Pool, who: Parameters) -> tuple[str, str]:
    """Return the provider and the subject of who is to be linked, who must not have signed in yet."""
    provider, subject = who.get("ProviderName", ""), who.get("ProviderAttributeValue", "")
    if provider == "Cognito":
        raise invalid_parameter(
            "Invalid SourceUser: Cognito users with a username/password may not be passed in as a SourceUser, "
            "only as a DestinationUser"
        )
    if _type_of(pool, provider) in _SOCIAL and who.get("ProviderAttributeName") != _SUBJECT:
        raise invalid_parameter(f"ProviderAttributeName of a {provider} user must be {_SUBJECT}.")
    if profile(pool, provider, subject):
        raise invalid_parameter(
            "Merging is not currently supported, provide a SourceUser that has not been signed up in order to link"
        )
    return provider, subject


def _type_of(pool: Pool, provider: str) -> str:
    found = pool.moto.identity_providers.get(provider)
    if found is None:
        raise not_there(f"Identity provider {provider} does not exist.")
    return str(found.extended_config["ProviderType"])


def _identity(provider: str, kind: str, subject: str, now: float, *, primary: bool) -> Identity:
    return {
        "userId": subject,
        "providerName": provider,
        "providerType": kind,
        "issuer": None,
        "primary": primary,
        "dateCreated": int(now * 1000),
    }


def _identities(user: User) -> list[Identity]:
    identities: list[Identity] = json.loads(user.attributes.get("identities", "[]"))
    return identities


def _admin_disable_provider_for_user(world: World, parameters: Parameters) -> dict[str, Any]:
    pool = world.pool(parameters["UserPoolId"])
    who = parameters["User"]
    provider, subject = who.get("ProviderName", ""), who.get("ProviderAttributeValue", "")
    if provider == "Cognito":
        require_user(pool, subject).password = None
        return {}
    require_provider(pool, provider)
    if user := pool.users.linked_to(provider, subject):
        _unlink(world, pool, user, provider, subject)
    elif user := profile(pool, provider, subject):
        user.enabled = False
    else:
        raise user_not_found()
    return {}


def _unlink(world: World, pool: Pool, user: User, provider: str, subject: str) -> None:
    pool.users.unlink(provider, subject)
    left = [item for item in _identities(user) if (item["providerName"], item["userId"]) != (provider, subject)]
    pool.users.update(user, {"identities": json.dumps(left) if left else None}, world.clock.now())


OPERATIONS: dict[str, Operation] = {
    "AdminLinkProviderForUser": _admin_link_provider_for_user,
    "AdminDisableProviderForUser": _admin_disable_provider_for_user,
}
