"""Compare the app clients that have the same name in both pools: tokens, attributes, managed login, scopes. Pure.

An app moves from one to the other, and finds out in production what its new app client does otherwise.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from batch.check.facts import Client, Facts
from batch.check.finding import Finding, Topic, template
from userpool.by_hand import pool_line
from userpool.plural import plural

_TOKENS, _ATTRIBUTES, _LOGIN, _SERVERS = map(
    Topic, ("tokens", "client attributes", "managed login", "resource servers")
)
_SECONDS = {"seconds": 1, "minutes": 60, "hours": 3600, "days": 86400}
_LIFETIMES = {"AccessToken": (1, "hours"), "IdToken": (1, "hours"), "RefreshToken": (30, "days")}
"""The tokens, and how long each is valid if nothing is set (API reference, UserPoolClientType)."""

_SESSION_MINUTES = 3  # AuthSessionValidity, if nothing is set
_MOST = 6  # names in one line
_NOT_WRITTEN_BY_USERS = {"sub", "email_verified", "phone_number_verified", "identities", "updated_at"}
_OAUTH = ("AllowedOAuthFlows", "CallbackURLs", "LogoutURLs", "SupportedIdentityProviders")


class _Difference(NamedTuple):
    """What the new app client does otherwise, and the lines of its template that make it as the old one."""

    client: str
    said: str
    lines: Sequence[str]


def pairs(facts: Facts) -> list[tuple[Client, Client]]:
    """Return the old and the new app client of each name that one client of either pool has.

    If each pool has a single one, the two are a pair, whatever their names are: a template makes names up.
    """
    there = [*_of_apps(facts)], facts.target.clients.value
    if all(len(clients) == 1 for clients in there):
        return [(there[0][0], there[1][0])]
    old, new = map(_by_name, there)
    return [(old[name], new[name]) for name in sorted(old.keys() & new.keys())]


def _of_apps(facts: Facts) -> Iterator[Client]:
    """Yield the old pool's app clients without those that only prove passwords: the function's has no counterpart."""
    for one in facts.source.clients.value:
        only_proves = one.app.flows <= {"ALLOW_ADMIN_USER_PASSWORD_AUTH", "ADMIN_NO_SRP_AUTH"}
        if one.app.client_id != facts.client_id and not only_proves:
            yield one


def without_counterpart(facts: Facts) -> list[str]:
    """Return the names of the old pool's app clients that are not in a pair."""
    paired = {old.app.client_id for old, _ in pairs(facts)}
    return sorted(one.name for one in _of_apps(facts) if one.app.client_id not in paired)


def _by_name(clients: Collection[Client]) -> dict[str, Client]:
    counted = Counter(one.app.name for one in clients)
    return {one.app.name: one for one in clients if one.app.name and counted[one.app.name] == 1}


def _each(facts: Facts, differ: Callable[[Client, Client], _Difference | None]) -> list[_Difference]:
    return [found for old, new in pairs(facts) if (found := differ(old, new))]


_Make = Callable[[str, str, str, str], Finding]


def _finding(make: _Make, code: str, what: str, found: Sequence[_Difference]) -> Iterator[Finding]:
    if found:
        said = "; ".join(f"{one.client} ({one.said})" for one in found)
        lines = [line for one in found for line in (f"# {one.client}", *one.lines)]
        yield make(code, f"{what}: {said}.", "In the new pool's template, on the app client:", template(*lines))


def _name(client: Client) -> str:
    return " ".join(client.name.split())  # a name may have line breaks, which would end a comment


def _listed(names: Iterable[str]) -> str:
    told = sorted(names)
    more = f" and {len(told) - _MOST} more" if len(told) > _MOST else ""
    return ", ".join(told[:_MOST]) + more


def tokens(facts: Facts) -> list[Finding]:
    """Return what ends sessions sooner than in the old pool, or lets them live longer."""
    found = [
        *_finding(
            _TOKENS.warning,
            "tokens-expire-sooner",
            "tokens are valid for a shorter time than in the old pool, and users are signed out sooner",
            _each(facts, lambda old, new: _lifetimes(old, new, shorter=True)),
        ),
        *_finding(
            _TOKENS.note,
            "tokens-expire-later",
            "tokens are valid for a longer time than in the old pool",
            _each(facts, lambda old, new: _lifetimes(old, new, shorter=False)),
        ),
        *_finding(
            _TOKENS.warning,
            "token-revocation-off",
            "tokens cannot be revoked, as in the old pool they can",
            _each(facts, _not_revocable),
        ),
        *_finding(
            _TOKENS.warning,
            "refresh-tokens-rotate",
            "each refresh ends the refresh token, unlike in the old pool: an app that keeps the first one signs its "
            "users out",
            _each(facts, lambda old, new: _rotating(old, new, "ENABLED")),
        ),
        *_finding(
            _TOKENS.note,
            "refresh-tokens-stay",
            "refresh tokens are not rotated, as in the old pool they are",
            _each(facts, lambda old, new: _rotating(old, new, "DISABLED")),
        ),
        *_finding(
            _TOKENS.note,
            "challenges-expire-sooner",
            "a challenge has to be answered sooner than in the old pool",
            _each(facts, _session),
        ),
        *_reuse(facts),
    ]
    return _TOKENS.or_ok(found, "app clients of the same name give tokens as in the old pool.")


def _reuse(facts: Facts) -> Iterator[Finding]:
    """Compare how long managed login reuses a session without asking the user, where both pools track sessions."""
    before, after = (pool.reused_minutes.found or {} for pool in (facts.source, facts.target))
    for old, new in pairs(facts):
        was, now = before.get(old.app.client_id), after.get(new.app.client_id)
        if was is not None and now is not None and was != now:
            yield _TOKENS.note(
                "sessions-reused-otherwise",
                f"managed login reuses a session for {plural(now, 'minute')} instead of {was}: {_name(new)}.",
                "If it is to be as in the old pool:",
                pool_line(
                    facts.config.target,
                    "set-user-pool-client-session-configuration",
                    *("--client-id", new.app.client_id),
                    *("--sso-session", json.dumps({"MaxValidityMinutes": was}, separators=(",", ":"))),
                ),
            )


def _lifetime(settings: Mapping[str, Any], token: str) -> tuple[int, str]:
    """Return how long a token is valid: a number, and its unit."""
    number, unit = _LIFETIMES[token]
    given = settings.get(f"{token}Validity")
    return (int(given), (settings.get("TokenValidityUnits") or {}).get(token) or unit) if given else (number, unit)


def _lifetimes(old: Client, new: Client, *, shorter: bool) -> _Difference | None:
    found = {}
    for token in _LIFETIMES:
        was, now = _lifetime(old.settings, token), _lifetime(new.settings, token)
        longer_by = now[0] * _SECONDS.get(now[1], 0) - was[0] * _SECONDS.get(was[1], 0)
        if longer_by and (longer_by < 0) is shorter:
            found[token] = (was, now)
    if not found:
        return None
    said = [f"{token}: {now[0]} {now[1]} instead of {was[0]} {was[1]}" for token, (was, now) in found.items()]
    lines = [f"{token}Validity: {was[0]}" for token, (was, _) in found.items()]
    # The units stand together, so those of the tokens that do not differ are given as well.
    whose = {token: old if token in found else new for token in _LIFETIMES}
    units = ", ".join(f"{token}: {_lifetime(one.settings, token)[1]}" for token, one in whose.items())
    return _Difference(_name(new), ", ".join(said), [*lines, f"TokenValidityUnits: {{{units}}}"])


def _not_revocable(old: Client, new: Client) -> _Difference | None:
    name = "EnableTokenRevocation"
    lost = old.settings.get(name) and not new.settings.get(name)
    return _Difference(_name(new), f"{name} is off", [f"{name}: true"]) if lost else None


def _rotating(old: Client, new: Client, now: str) -> _Difference | None:
    was, there = ((one.settings.get("RefreshTokenRotation") or {}).get("Feature", "DISABLED") for one in (old, new))
    if was == there or there != now:
        return None
    return _Difference(_name(new), f"RefreshTokenRotation is {there}", [f"RefreshTokenRotation: {{Feature: {was}}}"])


def _session(old: Client, new: Client) -> _Difference | None:
    was, now = (int(one.settings.get("AuthSessionValidity") or _SESSION_MINUTES) for one in (old, new))
    if now >= was:
        return None
    return _Difference(_name(new), f"{plural(now, 'minute')} instead of {was}", [f"AuthSessionValidity: {was}"])


def client_attributes(facts: Facts) -> list[Finding]:
    """Return which attributes app clients may not read or write any more, and which they may now."""
    found = [
        *_finding(
            _ATTRIBUTES.warning,
            "attributes-not-readable",
            "the app may not read attributes that it reads in the old pool, and its tokens lack those claims",
            _each(facts, lambda old, new: _fewer(facts, old, new, "ReadAttributes", "not read")),
        ),
        *_finding(
            _ATTRIBUTES.warning,
            "attributes-not-writable",
            "the app may not write attributes that it writes in the old pool: its users cannot change them, and where "
            "a provider's attribute is mapped to one, its sign-ins fail",
            _each(facts, lambda old, new: _fewer(facts, old, new, "WriteAttributes", "not written")),
        ),
        *_finding(
            _ATTRIBUTES.warning,
            "attributes-newly-writable",
            "users may write attributes by the app that the old pool keeps from them",
            _each(facts, lambda old, new: _more(facts, old, new)),
        ),
    ]
    return _ATTRIBUTES.or_ok(found, "app clients of the same name read and write what they did in the old pool.")


def _fewer(facts: Facts, old: Client, new: Client, kind: str, how: str) -> _Difference | None:
    was, now = _of_old(facts, old, kind), _of_new(facts, new, kind)
    lost = was - now
    if not lost:
        return None
    return _Difference(_name(new), f"{how}: {_listed(lost)}", [f"{kind}: [{', '.join(sorted(now | lost))}]"])


def _more(facts: Facts, old: Client, new: Client) -> _Difference | None:
    was, now = _of_old(facts, old, "WriteAttributes"), _of_new(facts, new, "WriteAttributes")
    # An attribute that only the new pool has is nobody's loss. `marker` judges the marker.
    gained = (now - was) & _crossed(facts, facts.source.description.schema.attributes) - _NOT_WRITTEN_BY_USERS
    if not gained:
        return None
    # An empty list would mean all standard attributes once more.
    kept = ", ".join(sorted(now - gained or was)) or "…   # at least one, or all standard attributes are written"
    return _Difference(_name(new), f"newly written: {_listed(gained)}", [f"WriteAttributes: [{kept}]"])


def _of_old(facts: Facts, client: Client, kind: str) -> set[str]:
    """Return what the old app client may read or write, by its names in the new pool, as far as it crosses."""
    names = client.settings.get(kind) or _standard(facts.source.description.schema.attributes, kind)
    return _crossed(facts, names)


def _of_new(facts: Facts, client: Client, kind: str) -> set[str]:
    return {*(client.settings.get(kind) or _standard(facts.target.description.schema.attributes, kind))}


def _standard(schema: Collection[str], kind: str) -> set[str]:
    """Return what an app client may read or write if nothing is set: the standard attributes (API reference)."""
    names = {name for name in schema if ":" not in name}
    return names - _NOT_WRITTEN_BY_USERS if kind == "WriteAttributes" else names


def _crossed(facts: Facts, names: Collection[str]) -> set[str]:
    rules, there = facts.config.attributes, facts.target.description.schema.attributes
    named = {rules.rename.get(name, name) for name in names if name not in rules.drop}
    return {name for name in named if name in there} - {"sub", facts.config.users.keep_sub_as or "sub"}


def managed_login(facts: Facts) -> list[Finding]:
    """Return whether the pages and the OAuth settings of the old pool have their place in the new one."""
    found = [*_domain(facts), *_finding(_LOGIN.warning, "oauth-settings-lost", _LOST, _each(facts, _oauth))]
    return _LOGIN.or_ok(found, "the new pool has what the old pool's managed login and OAuth clients have.")


_LOST = "managed login or OAuth lacks what the old app client has"


def domain(settings: Mapping[str, Any]) -> str:
    """Return the domain of a pool's managed login, "" if it has none."""
    return str(settings.get("CustomDomain") or settings.get("Domain") or "")


def _domain(facts: Facts) -> Iterator[Finding]:
    old, new = domain(facts.source.settings), domain(facts.target.settings)
    if not old or new:
        return
    # Users of a provider have no other way in than these pages.
    federated = bool(facts.source.providers.found)
    yield (_LOGIN.error if federated else _LOGIN.warning)(
        "domain-missing",
        f"the old pool has the domain {old} and the new one has none: no managed login, no OAuth endpoints"
        + (", and nobody signs in by an identity provider." if federated else "."),
        "Give the new pool one. In its template:",
        template(
            "Type: AWS::Cognito::UserPoolDomain",
            "Properties:",
            f"  UserPoolId: {facts.config.target.user_pool_id}",
            "  Domain: …   # a prefix of its own, or a name of yours with CustomDomainConfig",
        ),
    )


def _oauth(old: Client, new: Client) -> _Difference | None:
    if not old.app.managed_login:
        return None
    missing = {
        name: [one for one in old.settings.get(name) or () if one not in (new.settings.get(name) or ())]
        for name in _OAUTH
    }
    said = [f"{name}: {', '.join(values)}" for name, values in missing.items() if values]
    switch = "AllowedOAuthFlowsUserPoolClient"
    if not new.settings.get(switch):
        said.insert(0, f"{switch}: true")
    if not said:
        return None
    lines = [f"{switch}: true"]
    for name in (*_OAUTH, "AllowedOAuthScopes"):
        values = [*dict.fromkeys([*(new.settings.get(name) or ()), *(old.settings.get(name) or ())])]
        lines += [f"{name}: {json.dumps(values)}"] if values else []
    return _Difference(_name(new), "; ".join(said), lines)


def resource_servers(facts: Facts) -> list[Finding]:
    """Return which scopes of the old pool are not in the new one, or not allowed for the app client."""
    found = [
        *_servers(facts),
        *_finding(
            _SERVERS.warning,
            "scopes-not-allowed",
            "the app client does not get scopes that it has in the old pool, and APIs refuse its tokens",
            _each(facts, _scopes),
        ),
    ]
    return _SERVERS.or_ok(found, "every scope of the old pool is in the new one, as far as that is known.")


def _servers(facts: Facts) -> Iterator[Finding]:
    old, new = facts.source.resource_servers.found or {}, facts.target.resource_servers.found
    if new is None:  # `settings_not_known` says so
        return
    missing = {name: sorted(scopes - new.get(name, frozenset())) for name, scopes in sorted(old.items())}
    missing = {name: scopes for name, scopes in missing.items() if scopes or name not in new}
    if missing:
        said = ", ".join(f"{name}/{scope}" for name, scopes in missing.items() for scope in scopes or ["(no scope)"])
        yield _SERVERS.warning(
            "resource-server-missing",
            f"the new pool lacks scopes of the old pool's resource servers: {said}.",
            "In the new pool's template:",
            template(*(line for name, scopes in missing.items() for line in _server_lines(facts, name, scopes))),
        )


def _server_lines(facts: Facts, name: str, scopes: Sequence[str]) -> Iterator[str]:
    yield "Type: AWS::Cognito::UserPoolResourceServer"
    yield "Properties:"
    yield f"  UserPoolId: {facts.config.target.user_pool_id}"
    yield f"  Identifier: {json.dumps(name)}"
    yield f"  Name: {json.dumps(name)}"
    if scopes:
        yield "  Scopes:   # beside those that are there"
    yield from (f"    - {{ScopeName: {json.dumps(scope)}, ScopeDescription: …}}" for scope in scopes)


def _scopes(old: Client, new: Client) -> _Difference | None:
    # Without OAuth at all, `managed_login` says so.
    if not (old.app.managed_login and new.settings.get("AllowedOAuthFlowsUserPoolClient")):
        return None
    was, now = (one.settings.get("AllowedOAuthScopes") or () for one in (old, new))
    lost = [scope for scope in was if scope not in now]
    if not lost:
        return None
    return _Difference(_name(new), ", ".join(lost), [f"AllowedOAuthScopes: {json.dumps([*now, *lost])}"])
