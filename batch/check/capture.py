"""Judge what captures passwords: app clients, triggers and the ledger. Pure: no function makes a call."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from batch.check.facts import Client, Facts
from batch.check.finding import Finding, Topic, template
from batch.check.threats import proving
from batch.lambda_trigger.capture_way import Way, attached, callable_by_cognito, missing_triggers, new_clients, ours
from batch.lambda_trigger.findings import StepVerdict
from userpool.by_hand import make_table, pool_line
from userpool.function import lets_in
from userpool.ledger_table import KEY
from userpool.plural import plural

_OLD_CLIENT, _CLIENTS, _TRIGGERS, _LEDGER = map(Topic, ("old app client", "app clients", "triggers", "ledger"))
_OF_A_PROOF = ("PreAuthentication", "PostAuthentication", "PreTokenGeneration", "CustomEmailSender", "CustomSMSSender")
_ALL_AT_ONCE = "Attach the function to all of them at once, by `cognito-migrate trigger attach` or in the template:"


def old_client(facts: Facts) -> Iterator[Finding]:
    """Yield whether the old pool has an app client with which the function can prove a password.

    Yields nothing without a ledger, because no password is captured then.
    """
    if not facts.captures:
        return
    good = proving(facts.source.clients.value, facts.client_id)
    if not good:
        which = f"its app client {facts.client_id}" if facts.client_id else "an app client"
        yield _OLD_CLIENT.error(
            "old-flow-not-allowed",
            f"the old pool does not have {which} that allows ALLOW_ADMIN_USER_PASSWORD_AUTH: nothing can be proved.",
            "Make one for the function alone, and name it in SOURCE_CLIENT_ID:",
            _make_old_client(facts),
        )
        return
    yield _OLD_CLIENT.ok(f"passwords can be proved as {_names(good)}.")
    yield from _old_secrets(facts, good)


def _old_secrets(facts: Facts, good: Sequence[Client]) -> Iterator[Finding]:
    """Yield where the function reads the secrets. A secret that Cognito keeps is in the account of the old pool."""
    managed = [one for one in good if one.app.secret_arn]
    if secret := [one for one in good if one.has_secret and one not in managed]:
        yield _OLD_CLIENT.note(
            "old-client-has-secret",
            f"{_names(secret)} of the old pool has a secret.",
            "The function reads it from Secrets Manager: SOURCE_CLIENT_SECRET_ARN.",
        )
    account = facts.target.description.account
    for one in managed:
        where = f"{_names([one])} of the old pool: Cognito keeps its secret in Secrets Manager"
        if account and one.app.secret_account not in {"", account}:
            # With another client that fits, this one need not be the function's.
            severity = _OLD_CLIENT.error if len(good) == 1 else _OLD_CLIENT.note
            yield severity(
                "old-client-secret-elsewhere",
                f"{where}, in account {one.app.secret_account}. The function has a role of account {account}, and "
                "cannot read the secret.",
                "Make a client whose secret Cognito does not keep there, and keep it in the account of the new pool:",
                _make_old_client(facts, "--generate-secret"),
            )
        else:
            yield _OLD_CLIENT.note(
                "old-client-secret-rotates",
                f"{where}, and rotates it every 7 days.",
                f"Name that secret, and no copy of it: SOURCE_CLIENT_SECRET_ARN={one.app.secret_arn}",
            )


def _make_old_client(facts: Facts, *words: str) -> str:
    flows = ("--explicit-auth-flows", "ALLOW_ADMIN_USER_PASSWORD_AUTH")
    named = ("--client-name", "cognito-migrate")
    return pool_line(facts.config.source, "create-user-pool-client", *named, *words, *flows)


def app_clients(facts: Facts) -> list[Finding]:
    """Return what is wrong with the new pool's app clients: flows, error messages, managed login, secrets."""
    clients = facts.target.clients.value
    # An empty list would pass every judgement below and be called well.
    if not (clients or facts.captures):  # with a ledger the flows say so
        return [_CLIENTS.note("no-app-client", "the new pool has none, so nobody can sign in yet.", "Make the app's.")]
    found = [
        *_flows(facts, clients),
        *_manners(facts, clients),
        *_without_password(facts, clients),
        *_first_factors(facts),
    ]
    return _CLIENTS.or_ok(
        found, f"the new pool's {plural(len(clients), 'app client is', 'app clients are')} set up for it."
    )


def _flows(facts: Facts, clients: Sequence[Client]) -> Iterator[Finding]:
    if not facts.captures:
        return
    flows = {Way.USER_MIGRATION: "ALLOW_USER_PASSWORD_AUTH", Way.CUSTOM_AUTH: "ALLOW_CUSTOM_AUTH"}
    for way, flow in flows.items():
        # One client that allows the flow is enough: the others may belong to apps that sign in another way.
        judged = new_clients([one.app for one in clients], way)
        if judged.verdict is StepVerdict.WRONG:
            yield _CLIENTS.error(
                f"{flow.removeprefix('ALLOW_').lower().replace('_', '-')}-not-allowed",
                judged.said,
                "On the app client that the app signs in by, beside what it has. In the new pool's template:",
                template("ExplicitAuthFlows:", f"  - {flow}", "  - ALLOW_REFRESH_TOKEN_AUTH"),
            )


def _manners(facts: Facts, clients: Sequence[Client]) -> Iterator[Finding]:
    tells = [one for one in clients if not one.hides_users]
    if tells:
        yield _CLIENTS.warning(
            "tells-who-exists",
            f"{_names(tells)}: the errors tell strangers which users exist (PreventUserExistenceErrors).",
            "In the new pool's template:",
            template("PreventUserExistenceErrors: ENABLED"),
        )
    managed = [one for one in clients if one.app.managed_login]
    domain = facts.target.settings.get("Domain") or facts.target.settings.get("CustomDomain")
    # A client is called managed by its OAuth settings. Without a domain there is no page to sign in on.
    if facts.captures and managed and domain:
        yield _CLIENTS.warning(
            "managed-login",
            f"{_names(managed)} has managed login ({domain}), where there is no CUSTOM_AUTH: who is created ahead is "
            "not captured there, and has to reset the password.",
            "For its sake publish with `run --limit 1`, attach the function, let users come, and create the rest late.",
        )
    if secret := [one for one in clients if one.has_secret]:
        yield _CLIENTS.note("client-has-secret", f"{_names(secret)}: the app has to send a SECRET_HASH with each call.")
    if managed := [one for one in clients if one.app.secret_arn]:
        yield _CLIENTS.note(
            "client-secret-rotates",
            f"{_names(managed)}: Cognito keeps the secret in Secrets Manager, and rotates it every 7 days.",
            "The app has to read it there, and again when a hash is refused.",
        )


def _without_password(facts: Facts, clients: Sequence[Client]) -> Iterator[Finding]:
    """Yield a warning if users may sign in without a password: no event tells, so it ends the capture."""
    policy = (facts.target.settings.get("Policies") or {}).get("SignInPolicy") or {}
    factors = sorted({*(policy.get("AllowedFirstAuthFactors") or ())} - {"PASSWORD"})
    choosing = [one for one in clients if one.app.allows("USER_AUTH")]
    if facts.captures and factors and choosing:
        yield _CLIENTS.warning(
            "sign-in-without-password",
            f"{_names(choosing)} lets users sign in without a password ({', '.join(factors)}): of who does so "
            "first, the old password is never captured, and they choose a new one by forgot-password if they want one.",
            "Leave ALLOW_USER_AUTH out of the app clients until the users have come, or accept it (docs/security.md).",
        )


def _first_factors(facts: Facts) -> Iterator[Finding]:
    """Judge what users may begin a sign-in with: a password at all, and what they begin with in the old pool."""
    old, new = _allowed_first(facts.source.settings), _allowed_first(facts.target.settings)
    if facts.captures and "PASSWORD" not in new:
        yield _CLIENTS.warning(
            "sign-in-by-no-password",
            "the new pool lets no sign-in begin with a password, so none is captured.",
            "In the new pool's template, until the users have come:",
            _first_of({*new, "PASSWORD"}),
        )
    # Only ALLOW_USER_AUTH asks what to begin with.
    choosing = [one for one in facts.source.clients.value if one.app.allows("USER_AUTH")]
    if choosing and (lost := old - new - {"PASSWORD"}):
        yield _CLIENTS.warning(
            "first-factors-lost",
            f"users of the old pool may sign in by {', '.join(sorted(lost))} instead of a password, and not in the new "
            "one: who never had a password has to reset it.",
            "In the new pool's template, once the users have come (before, such a sign-in ends the capture):",
            _first_of(new | lost),
        )


def _allowed_first(settings: Mapping[str, Any]) -> set[str]:
    policy = (settings.get("Policies") or {}).get("SignInPolicy") or {}
    return {*(policy.get("AllowedFirstAuthFactors") or ("PASSWORD",))}


def _first_of(factors: set[str]) -> str:
    return template("Policies:", f"  SignInPolicy: {{AllowedFirstAuthFactors: [{', '.join(sorted(factors))}]}}")


def _names(clients: Sequence[Client]) -> str:
    return "app client " + ", ".join(sorted(one.name for one in clients))


def triggers(facts: Facts) -> Iterator[Finding]:
    """Yield whether the needed triggers are all attached, or none, and whether Cognito may call the function.

    Some but not all of them is an error, because an old password could then count twice.
    """
    there = facts.target.description.triggers
    missing = missing_triggers(there)
    if not facts.captures:
        yield _unneeded(facts)
        return
    # Only these two take an old password. Without them nobody is captured yet, so a missing trigger does no harm.
    challenge_or_migration = {"UserMigration", "VerifyAuthChallengeResponse"} & there.keys()
    if not missing:
        yield from _whole(facts)
    elif challenge_or_migration:
        yield _TRIGGERS.error(
            "triggers-half-attached",
            f"{attached(there).said} Half of them let an old password count twice.",
            _ALL_AT_ONCE,
            _lambda_config(missing, there.get("UserMigration", "")),
        )
    else:
        yield _TRIGGERS.note(
            "triggers-not-attached",
            "the function is not attached yet, and nobody is captured: that comes after `run` has published everybody.",
            _ALL_AT_ONCE,
            _lambda_config(missing, ""),
        )
    if old := [name for name in facts.source.description.triggers if name in _OF_A_PROOF]:
        yield _TRIGGERS.note(
            "old-pools-triggers",
            f"the old pool calls functions of its own ({', '.join(sorted(old))}) whenever a password is proved there, "
            "inside the five seconds that the new pool waits.",
        )


def _unneeded(facts: Facts) -> Finding:
    there = facts.target.description.triggers
    if not there:
        when = "the migration is finished, so" if facts.finished else "without a ledger"
        return _TRIGGERS.ok(f"none, and {when} none is needed.")
    said = f"the new pool calls functions on {', '.join(sorted(there))}."
    if facts.finished:
        return _TRIGGERS.note(
            "triggers-after-the-end",
            f"the migration is finished, and {said}",
            "Detach those of the migration, by `cognito-migrate trigger detach` or in the template.",
        )
    return _TRIGGERS.note("triggers-of-others", said)


def _lambda_config(missing: Sequence[str], arn: str) -> str:
    return template("LambdaConfig:", *(f"  {name}: {arn or '<ARN of the function>'}" for name in missing))


def _whole(facts: Facts) -> Iterator[Finding]:
    pool = facts.target.description
    yield _TRIGGERS.ok("a function is attached to every trigger of the new pool that it needs.")
    # Functions of others on the same pool are not judged: their permissions are not this migration's business.
    policies = {arn: policy for arn, policy in facts.policies.value.items() if arn in ours(pool.triggers)}
    allowed = {arn: bool(policy and lets_in(policy, pool.arn)) for arn, policy in policies.items()}
    judged = callable_by_cognito(allowed, pool.arn, facts.config.target)
    if judged.verdict is StepVerdict.WRONG:
        yield _TRIGGERS.error("invoke-permission-missing", judged.said, "Let it:", judged.remedy)
    else:
        yield _TRIGGERS.ok("Cognito may call the function.")


def ledger(facts: Facts) -> Iterator[Finding]:
    """Yield whether the ledger exists, belongs to this migration, and has every scanned user."""
    if facts.config.ledger is None:
        yield _LEDGER.note(
            "no-ledger",
            "there is no ledger, so passwords are not captured: everybody chooses a new one by forgot-password.",
            "For the trigger set `ledger` in config.yaml (docs/trigger.md).",
        )
        return
    name, region = facts.config.ledger.table, facts.config.ledger.region
    # None is the new pool's Region, which is where the function looks.
    if region not in {None, facts.config.target.region_name}:
        yield _LEDGER.error(
            "ledger-elsewhere",
            f"the ledger {name} is in {region}, and the function looks for it in the new pool's Region.",
            "Leave `ledger.region` out, and keep the table in the new pool's Region.",
        )
    found, create = facts.ledger.value, make_table(facts.config.ledger, facts.config.target, KEY)
    if found.lost:
        yield _LEDGER.error("ledger-lost", f"there is no table {name} any more.", found.lost)
    elif not found.there:
        yield _LEDGER.error("ledger-missing", f"there is no table {name}.", "Make it:", create)
    elif found.whose:
        own_table = replace(facts.config.ledger, table=f"cognito-migration-{facts.config.target.user_pool_id}")
        yield _LEDGER.error(
            "ledger-of-another",
            found.whose,
            f"Set ledger.table to {own_table.table}, and make that table:",
            make_table(own_table, facts.config.target, KEY),
        )
    else:
        yield _published(facts)


def _published(facts: Facts) -> Finding:
    found, attached_already = facts.ledger.value, not missing_triggers(facts.target.description.triggers)
    if found.finished:
        return _LEDGER.ok("the migration is finished: no old password counts any more.")
    # The ledger keeps the identity of the table that it was written to. A restored table has the old content and a new
    # identity. What was captured since the backup is unknown in it, so the function refuses everyone.
    if found.written is not None and found.written != found.identity:
        return _LEDGER.error(
            "ledger-restored",
            "the ledger is a copy, restored from a backup perhaps: the function refuses everybody.",
            "Close whoever is open in it:",
            "cognito-migrate run",
        )
    if found.written is not None and not found.unpublished:
        # `unpublished` is None on a machine without the inventory. That is not an error: the ledger itself is well.
        known = "" if found.unpublished == 0 else "; there is no inventory here to tell whether of everybody"
        return _LEDGER.ok(f"published for these two pools{known}.")
    said = "nothing was published to the ledger yet"
    if found.written is not None:
        said = f"{plural(found.unpublished or 0, 'scanned user is', 'scanned users are')} not published to the ledger"
    # Before the triggers are attached an empty ledger is the normal order of work. Afterwards it locks users out.
    severity = _LEDGER.error if attached_already else _LEDGER.note
    late = ", and the function is attached already: they are refused" if attached_already else ""
    return severity("ledger-not-published", f"{said}{late}.", "`run` does, before it creates anybody:", _RUN)


_RUN = "cognito-migrate run"
