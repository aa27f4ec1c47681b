"""Fill an old user pool from a real scan, so that a team rehearses with its own groups, kinds and collisions."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from sandbox.cognito import Cognito
from sandbox.made_up.disguise import Disguise
from sandbox.made_up.seed import EVERY_FACTOR, PASSWORD
from sandbox.sign_in import totp
from sandbox.users.directory import User
from sandbox.world import Pool

_COGNITOS_OWN = ("identities", "cognito:")
_PROVIDER_TYPES = {"Facebook", "Google", "LoginWithAmazon", "SignInWithApple", "SAML"}  # else OIDC
_CURRENT = "scan = (SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'scan')"  # not who left the pool since


class RehearsalError(ValueError):
    """The file is not an inventory with a complete scan."""


def fill_from_inventory(cognito: Cognito, inventory: Path, *, real: bool = False) -> str:
    """Make an old, case-sensitive pool of plain user names with the scanned users, and return its id.

    Everybody's password is `seed.PASSWORD`. Every custom attribute becomes text of any length. Personal values, user
    names included, are replaced by made-up ones unless `real`; the names of identity providers are kept. Second factors
    are there if the scan read them; MFA is optional, too, if `plan` found it. The inventory is only read. Raises
    RehearsalError if it is not one.
    """
    if not inventory.is_file():
        raise RehearsalError(f"There is no inventory at {inventory}: scan the old pool first.")
    disguise = None if real else Disguise()
    try:
        with closing(sqlite3.connect(f"{inventory.resolve().as_uri()}?mode=ro", uri=True)) as database:
            _require_complete(database, inventory)
            return _fill(cognito, database, disguise)
    except sqlite3.DatabaseError as error:
        raise RehearsalError(f"{inventory} is not an inventory of cognito-migrate ({error}).") from None


def _require_complete(database: sqlite3.Connection, inventory: Path) -> None:
    meta = dict(database.execute("SELECT key, value FROM meta"))
    if "scan" not in meta or meta.get("scan_started", "null") != "null":
        raise RehearsalError(f"The scan in {inventory} is not complete: finish it first.")


def _fill(cognito: Cognito, database: sqlite3.Connection, disguise: Disguise | None) -> str:
    pool_id = _make_pool(cognito, database)
    with cognito.world.lock:
        pool = cognito.world.pool(pool_id)
        for user in _users(database, disguise):
            pool.users.add(user)
            _link(pool, user)
        _join(pool, database)
        _enrol(pool, database)
    if any(user.mfa for user in pool.users) or _has_mfa(database):
        cognito.call("SetUserPoolMfaConfig", {"UserPoolId": pool_id, "MfaConfiguration": "OPTIONAL", **EVERY_FACTOR})
    return pool_id


def _has_mfa(database: sqlite3.Connection) -> bool:
    """Return whether `plan` found MFA in an old pool whose factors the scan did not read."""
    kept = database.execute("SELECT value ->> 'mfa_ignored' FROM meta WHERE key = 'plan_summary'").fetchone()
    return kept is not None and bool(kept[0])


def offer_alike(cognito: Cognito, source_pool_id: str, target_pool_id: str) -> None:
    """Let a new pool offer the identity providers and second factors that another does."""
    with cognito.world.lock:
        source, target = (cognito.world.pool(pool_id).moto for pool_id in (source_pool_id, target_pool_id))
        target.identity_providers.update(source.identity_providers)
        for name in ("mfa_config", "sms_mfa_config", "token_mfa_config", "email_mfa_config"):
            setattr(target, name, getattr(source, name, None))


def _make_pool(cognito: Cognito, database: sqlite3.Connection) -> str:
    custom = sorted(name for name in _attribute_names(database) if name.startswith("custom:"))
    schema = [{"Name": name.removeprefix("custom:"), "AttributeDataType": "String", "Mutable": True} for name in custom]
    answer = cognito.call(
        "CreateUserPool",
        {"PoolName": "rehearsal", "Schema": schema, "UsernameConfiguration": {"CaseSensitive": True}},
    )
    pool_id = str(answer["UserPool"]["Id"])
    for name, description, precedence, role_arn in database.execute(
        f"SELECT name, description, precedence, role_arn FROM groups WHERE {_CURRENT} ORDER BY name"  # noqa: S608 -- a constant
    ):
        given = {"Description": description, "Precedence": precedence, "RoleArn": role_arn}
        definition = {key: value for key, value in given.items() if value is not None}
        cognito.call("CreateGroup", {"UserPoolId": pool_id, "GroupName": name, **definition})
    for name, kind in _providers(database).items():
        cognito.call(
            "CreateIdentityProvider",
            {"UserPoolId": pool_id, "ProviderName": name, "ProviderType": kind, "ProviderDetails": {}},
        )
    return pool_id


def _providers(database: sqlite3.Connection) -> dict[str, str]:
    """Return the identity providers that users come from or are linked to, with their types."""
    found = database.execute(
        "SELECT DISTINCT j.value ->> 'providerName', j.value ->> 'providerType' "
        "FROM users u, json_each(u.attributes ->> 'identities') j "
        "WHERE u.attributes ->> 'identities' IS NOT NULL"
    )
    return {name: kind if kind in _PROVIDER_TYPES else "OIDC" for name, kind in found}


def _attribute_names(database: sqlite3.Connection) -> set[str]:
    return {name for (name,) in database.execute("SELECT DISTINCT j.key FROM users u, json_each(u.attributes) j")}


def _users(database: sqlite3.Connection, disguise: Disguise | None) -> Iterator[User]:
    for sub, username, status, enabled, created, modified, text in database.execute(
        "SELECT sub, username, status, enabled, created, modified, attributes "  # noqa: S608 -- a constant
        f"FROM users WHERE {_CURRENT} ORDER BY sub"
    ):
        attributes: dict[str, Any] = json.loads(text)
        identities = _identities(attributes, disguise)
        shown = {name: value for name, value in attributes.items() if not name.startswith(_COGNITOS_OWN)}
        if disguise is not None:
            shown = {name: disguise.value(name, value) for name, value in shown.items()}
        if identities:
            shown["identities"] = json.dumps(identities)
        yield User(
            username=_username(username, sub, identities, disguise),
            sub=sub,
            attributes={**shown, "sub": sub},
            status=status,
            enabled=bool(enabled),
            created=created,
            modified=modified,
            password=PASSWORD,
            federated=status == "EXTERNAL_PROVIDER",
        )


def _identities(attributes: dict[str, Any], disguise: Disguise | None) -> list[dict[str, Any]]:
    """Return a user's identities at other providers; who somebody is there is as personal as a name."""
    found: list[dict[str, Any]] = json.loads(attributes.get("identities") or "[]")
    return [{**one, "userId": one["userId"] if disguise is None else disguise.text(one["userId"])} for one in found]


def _username(username: str, sub: str, identities: list[dict[str, Any]], disguise: Disguise | None) -> str:
    own = next((one for one in identities if one.get("primary")), None)
    if own:
        return f"{own['providerName']}_{own['userId']}"
    # A name made up by Cognito is the sub, and not personal.
    return username if disguise is None or username == sub else disguise.text(username)


def _link(pool: Pool, user: User) -> None:
    for one in json.loads(user.attributes.get("identities", "[]")):
        if not one.get("primary"):
            pool.users.link(user, one["providerName"], one["userId"])


def _enrol(pool: Pool, database: sqlite3.Connection) -> None:
    """Give users the factors that a scan has read; a database of before it did has no table of them."""
    if not database.execute("SELECT 1 FROM sqlite_master WHERE name = 'factors'").fetchone():
        return
    for sub, second, preferred, passkey in database.execute("SELECT sub, second, preferred, passkey FROM factors"):
        user = pool.users.by_sub(sub)
        if user is None:
            continue
        user.mfa, user.preferred_mfa, user.passkey = json.loads(second), preferred, bool(passkey)
        user.totp_secret = totp.new_secret() if "SOFTWARE_TOKEN_MFA" in user.mfa else None
    if any(user.passkey for user in pool.users):
        pool.config.setdefault("Policies", {})["SignInPolicy"] = {"AllowedFirstAuthFactors": ["PASSWORD", "WEB_AUTHN"]}


def _join(pool: Pool, database: sqlite3.Connection) -> None:
    for sub, group in database.execute("SELECT sub, group_name FROM memberships ORDER BY sub, group_name"):
        user = pool.users.by_sub(sub)
        if user is not None and group in pool.groups:
            pool.users.join(user, group)
