"""Tokens: what a sign-in grants, refreshing it, revoking it, and who an access token is of."""

from __future__ import annotations

import json
import secrets
import uuid
from dataclasses import dataclass
from typing import Any

from joserfc import jws, jwt
from joserfc.errors import JoseError

from sandbox.errors import CognitoError, not_authorized, user_not_found
from sandbox.sign_in import claims, keys
from sandbox.sign_in.challenges import SignIn
from sandbox.sign_in.claims import Groups, Override
from sandbox.triggers import triggers
from sandbox.users.directory import User
from sandbox.users.users import require_user
from sandbox.world import AppClient, Operation, Parameters, Pool, World

_UNITS = {"seconds": 1, "minutes": 60, "hours": 3600, "days": 86_400}
_VALIDITIES = {"AccessToken": (1, "hours"), "IdToken": (1, "hours"), "RefreshToken": (30, "days")}


@dataclass
class Grant:
    """What one sign-in granted: the refresh token, and every token made with it."""

    pool_id: str
    client_id: str
    sub: str
    username: str  # as typed
    refresh_token: str
    origin_jti: str
    signed_in: float
    expires: float
    revoked: bool = False


def issue(sign_in: SignIn) -> dict[str, Any]:
    """Return the `AuthenticationResult` of a sign-in, with a refresh token. Raises CognitoError."""
    grant = _grant(sign_in)
    result = _pair(sign_in, grant)
    sign_in.world.refresh_tokens[grant.refresh_token] = grant
    sign_in.world.grants[grant.origin_jti] = grant
    return {**result, "RefreshToken": grant.refresh_token}


def refresh(sign_in: SignIn, grant: Grant) -> dict[str, Any]:
    """Return the `AuthenticationResult` of a refresh: both tokens anew, of the same sign-in."""
    sign_in.source = "TokenGeneration_RefreshTokens"
    return _pair(sign_in, grant)


def require_grant(world: World, client: AppClient, token: str) -> Grant:
    """Return what a refresh token belongs to. Raises NotAuthorizedException if it is no longer good."""
    grant: Grant | None = world.refresh_tokens.get(token)
    if grant is None or grant.client_id != client.id:
        raise not_authorized("Invalid Refresh Token")
    user = world.pool(grant.pool_id).users.by_sub(grant.sub)
    if grant.expires <= world.clock.now():
        raise not_authorized("Refresh Token has expired")
    if user is None or _is_revoked(grant, user):
        raise not_authorized("Refresh Token has been revoked")
    if not user.enabled:
        raise not_authorized("User is disabled.")
    return grant


def bearer(world: World, access_token: str) -> tuple[Pool, AppClient, User]:
    """Return whose an access token is, with pool and app client. Raises NotAuthorizedException if it is no good."""
    grant, found = _read(world, access_token)
    if found["exp"] <= world.clock.now():
        raise not_authorized("Access Token has expired")
    pool, client = world.app_client(grant.client_id)
    user = pool.users.by_sub(grant.sub)
    if user is None:
        raise user_not_found()
    if not user.enabled:
        raise not_authorized("User is disabled.")
    if _is_revoked(grant, user):
        raise not_authorized("Access Token has been revoked")
    if claims.SCOPE not in found["scope"].split():
        raise not_authorized("Access Token does not have required scopes")
    return pool, client, user


def _grant(sign_in: SignIn) -> Grant:
    now = sign_in.world.clock.now()
    return Grant(
        pool_id=sign_in.pool.id,
        client_id=sign_in.client.id,
        sub=sign_in.require_user().sub,
        username=sign_in.username,
        refresh_token=secrets.token_urlsafe(800),
        origin_jti=str(uuid.uuid4()),
        signed_in=now,
        expires=now + _seconds(sign_in.client, "RefreshToken"),
    )


def _pair(sign_in: SignIn, grant: Grant) -> dict[str, Any]:
    override = _ask_trigger(sign_in)
    user, client, pool = sign_in.require_user(), sign_in.client, sign_in.pool
    groups = Groups.of(pool, user) if override.groups is None else override.groups
    now = int(sign_in.world.clock.now())
    shared = claims.shared(pool, user, origin_jti=grant.origin_jti, auth_time=int(grant.signed_in), now=now)
    of_id = {**claims.of_id_token(client, user), **claims.of_groups(groups, with_roles=True)}
    of_access = {**claims.of_access_token(client, user, claims.SCOPE), **claims.of_groups(groups, with_roles=False)}
    lasts = _seconds(client, "AccessToken")
    return {
        "AccessToken": _signed(sign_in, override.access_token.apply({**of_access, **shared, "exp": now + lasts})),
        "IdToken": _signed(
            sign_in, override.id_token.apply({**of_id, **shared, "exp": now + _seconds(client, "IdToken")})
        ),
        "ExpiresIn": lasts,
        "TokenType": "Bearer",
    }


def _ask_trigger(sign_in: SignIn) -> Override:
    """Ask PreTokenGeneration what to change of the tokens."""
    version = triggers.version(sign_in.pool, "PreTokenGeneration")
    if version is None:
        return Override.given(None, None)
    groups = Groups.of(sign_in.pool, sign_in.require_user())
    request: dict[str, Any] = {"groupConfiguration": groups.configuration()}
    if version != "1":
        request["scopes"] = [claims.SCOPE]
    field = "claimsOverrideDetails" if version == "1" else "claimsAndScopeOverrideDetails"
    return Override.given(version, sign_in.trigger("PreTokenGeneration", sign_in.source, request, {field: None}))


def _signed(sign_in: SignIn, payload: claims.Claims) -> str:
    header = {"kid": keys.kid_of(sign_in.pool), "alg": "RS256"}
    token: str = jwt.encode(header, payload, keys.key_of(sign_in.world, sign_in.pool))
    return token


def _read(world: World, access_token: str) -> tuple[Grant, claims.Claims]:
    """Return an access token's claims, and what granted it. Raises NotAuthorizedException if we did not sign it."""
    try:
        unproved = json.loads(jws.extract_compact(access_token.encode()).payload)
        grant: Grant = world.grants[unproved["origin_jti"]]
        found: claims.Claims = jwt.decode(access_token, keys.key_of(world, world.pool(grant.pool_id))).claims
    except (JoseError, ValueError, LookupError, TypeError) as error:
        raise not_authorized("Invalid Access Token") from error
    if found["token_use"] != "access":  # noqa: S105 -- the claim's value
        raise not_authorized("Invalid Access Token")
    return grant, found


def _is_revoked(grant: Grant, user: User) -> bool:
    return grant.revoked or grant.signed_in <= user.signed_out


def _seconds(client: AppClient, kind: str) -> int:
    amount, unit = _VALIDITIES[kind]
    units = client.config.get("TokenValidityUnits") or {}
    return int(client.config.get(f"{kind}Validity") or amount) * _UNITS[units.get(kind, unit)]


def _revoke_token(world: World, parameters: Parameters) -> dict[str, Any]:
    _, client = world.app_client(parameters["ClientId"])
    if client.secrets and parameters.get("ClientSecret") not in client.secrets:
        raise CognitoError("UnauthorizedException", "Client secret does not match.")
    grant: Grant | None = world.refresh_tokens.get(parameters["Token"])
    if grant and grant.client_id != client.id:
        raise CognitoError("UnsupportedTokenTypeException", "The token was not issued to this client.")
    if grant:
        grant.revoked = True
    return {}


def _global_sign_out(world: World, parameters: Parameters) -> dict[str, Any]:
    _, _, user = bearer(world, parameters["AccessToken"])
    user.signed_out = world.clock.now()
    return {}


def _admin_user_global_sign_out(world: World, parameters: Parameters) -> dict[str, Any]:
    user = require_user(world.pool(parameters["UserPoolId"]), parameters["Username"])
    user.signed_out = world.clock.now()
    return {}


OPERATIONS: dict[str, Operation] = {
    "RevokeToken": _revoke_token,
    "GlobalSignOut": _global_sign_out,
    "AdminUserGlobalSignOut": _admin_user_global_sign_out,
}
