"""The claims of ID and access tokens, and what PreTokenGeneration may change of them."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sandbox.users.directory import VERIFIABLE, User
from sandbox.world import AppClient, Pool

SCOPE = "aws.cognito.signin.user.admin"
"""The scope of tokens from sign-ins with the API, and what GetUser and its like demand."""

Claims = dict[str, Any]

# "You can't modify these claims" (developer guide, pre token generation).
_FIXED = frozenset(
    {
        *("acr", "amr", "aud", "at_hash", "auth_time", "azp", "client_id", "cognito:username", "event_id", "exp"),
        *("iat", "identities", "iss", "jti", "nbf", "nonce", "origin_jti", "sub", "token_use", "username", "version"),
    }
)
_GROUP_CLAIMS = frozenset({"cognito:groups", "cognito:roles", "cognito:preferred_role"})


@dataclass(frozen=True)
class Groups:
    """What the tokens say of a user's groups."""

    names: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    preferred_role: str | None = None

    @classmethod
    def of(cls, pool: Pool, user: User) -> Groups:
        """Return a user's groups; the preferred role is that of the group with the lowest precedence."""
        groups = [pool.groups[name] for name in user.groups if name in pool.groups]
        with_role = sorted((group for group in groups if group.role_arn), key=_precedence)
        best = {group.role_arn for group in with_role if _precedence(group) == _precedence(with_role[0])}
        return cls(
            names=tuple(group.group_name for group in groups),
            roles=tuple(group.role_arn for group in with_role),
            # "If two groups with the same precedence have different roles, the claim isn't set" (developer guide).
            preferred_role=best.pop() if len(best) == 1 else None,
        )

    @classmethod
    def given(cls, details: Mapping[str, Any] | None) -> Groups:
        """Return the groups a trigger wants instead; an empty or null object suppresses them."""
        details = details or {}
        return cls(
            names=tuple(details.get("groupsToOverride") or ()),
            roles=tuple(details.get("iamRolesToOverride") or ()),
            preferred_role=details.get("preferredRole"),
        )

    def configuration(self) -> dict[str, Any]:
        """Return them as `groupConfiguration` of the trigger's request."""
        return {
            "groupsToOverride": list(self.names),
            "iamRolesToOverride": list(self.roles),
            "preferredRole": self.preferred_role,
        }


@dataclass(frozen=True)
class Changes:
    """What a trigger changes of one token."""

    add: Mapping[str, Any]
    suppress: frozenset[str]
    scopes_to_add: tuple[str, ...] = ()
    scopes_to_suppress: frozenset[str] = frozenset()

    @classmethod
    def given(cls, details: Mapping[str, Any] | None) -> Changes:
        """Return the changes of `idTokenGeneration`, `accessTokenGeneration` or `claimsOverrideDetails`."""
        details = details or {}
        return cls(
            add=details.get("claimsToAddOrOverride") or {},
            suppress=frozenset(details.get("claimsToSuppress") or ()),
            scopes_to_add=tuple(details.get("scopesToAdd") or ()),
            scopes_to_suppress=frozenset(details.get("scopesToSuppress") or ()),
        )

    def apply(self, claims: Claims) -> Claims:
        """Return changed claims. "If a value is both suppressed and replaced, then it will be suppressed"."""
        closed = _FIXED | _GROUP_CLAIMS | {"scope"}
        added = {name: value for name, value in self.add.items() if name not in closed}
        gone = self.suppress - closed
        return {name: value for name, value in {**claims, **added}.items() if name not in gone} | self._scope(claims)

    def _scope(self, claims: Claims) -> Claims:
        if "scope" not in claims:
            return {}
        scopes = [scope for scope in claims["scope"].split() if scope not in self.scopes_to_suppress]
        return {"scope": " ".join(dict.fromkeys([*scopes, *self.scopes_to_add]))}


@dataclass(frozen=True)
class Override:
    """What a trigger changes of a pair of tokens."""

    id_token: Changes
    access_token: Changes
    groups: Groups | None  # None: as they are

    @classmethod
    def given(cls, version: str | None, response: Mapping[str, Any] | None) -> Override:
        """Return the changes of a trigger's response. Version 1 changes the ID token alone, but groups in both."""
        if version in {None, "1"}:
            details = (response or {}).get("claimsOverrideDetails") or {}
            return cls(Changes.given(details), Changes.given(None), _groups(details))
        details = (response or {}).get("claimsAndScopeOverrideDetails") or {}
        return cls(
            Changes.given(details.get("idTokenGeneration")),
            Changes.given(details.get("accessTokenGeneration")),
            _groups(details),
        )


def shared(pool: Pool, user: User, *, origin_jti: str, auth_time: int, now: int) -> Claims:
    """Return the claims that both tokens of a pair have."""
    return {
        "sub": user.sub,
        "iss": f"https://cognito-idp.{pool.region}.amazonaws.com/{pool.id}",
        "origin_jti": origin_jti,
        "event_id": str(uuid.uuid4()),
        "auth_time": auth_time,
        "iat": now,
    }


def of_id_token(client: AppClient, user: User) -> Claims:
    """Return the ID token's own claims: the attributes that the app client may read."""
    readable = client.config.get("ReadAttributes")
    return {
        **{name: _typed(name, value) for name, value in user.attributes.items() if not readable or name in readable},
        "cognito:username": user.username,
        "aud": client.id,
        "token_use": "id",
        "jti": str(uuid.uuid4()),
    }


def of_access_token(client: AppClient, user: User, scope: str) -> Claims:
    """Return the access token's own claims."""
    return {
        "client_id": client.id,
        "username": user.username,
        "scope": scope,
        "token_use": "access",
        "jti": str(uuid.uuid4()),
    }


def of_groups(groups: Groups, *, with_roles: bool) -> Claims:
    """Return the claims about groups; roles are the ID token's. What is empty is no claim."""
    claims: Claims = {"cognito:groups": list(groups.names)}
    if with_roles:
        claims |= {"cognito:roles": list(groups.roles), "cognito:preferred_role": groups.preferred_role}
    return {name: value for name, value in claims.items() if value}


def _groups(details: Mapping[str, Any]) -> Groups | None:
    return Groups.given(details["groupOverrideDetails"]) if "groupOverrideDetails" in details else None


def _precedence(group: Any) -> float:
    return float("inf") if group.precedence is None else float(group.precedence)


def _typed(name: str, value: str) -> Any:
    """Return an attribute as the ID token has it: the two verified flags as JSON booleans, identities as a list."""
    if name.removesuffix("_verified") in VERIFIABLE and name.endswith("_verified"):
        return value == "true"
    return json.loads(value) if name == "identities" else value
