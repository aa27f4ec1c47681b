"""Compare settings of the two pools that no user notices in a test, and that fail or weaken them later. Pure.

What an app client has is compared in `same_client`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from batch.check.facts import Facts, PoolFacts
from batch.check.finding import Finding, Topic, template
from batch.check.own_functions import own
from batch.check.same_client import domain, pairs, without_counterpart
from userpool.by_hand import pool_line

_FUNCTIONS, _MESSAGES, _OTHERS = map(Topic, ("old functions", "messages", "other settings"))
_FOR_THE_TEMPLATE = "If it is to be as in the old pool, in the new pool's template:"
_NO_TRIGGERS = {"KMSKeyID", "UserMigration"}  # a key is no function; and who was migrated to the old pool is there
_TIERS = ("LITE", "ESSENTIALS", "PLUS")
_SESSIONS_IF_UNSET = ("DISABLED", 20)


def functions_lost(facts: Facts) -> list[Finding]:
    """Return which functions that the old pool calls are not called by the new one."""
    return _FUNCTIONS.or_ok(_lost(facts), "the new pool calls a function of yours wherever the old one does.")


def _lost(facts: Facts) -> Iterator[Finding]:
    there = facts.target.description.triggers
    lost = sorted({*facts.source.description.triggers} - _NO_TRIGGERS - own(there))
    if lost:
        said = ", ".join(f"{name} (this migration's is there)" if name in there else name for name in lost)
        yield _FUNCTIONS.warning(
            "functions-lost",
            f"the old pool calls functions of its own that the new one does not call: {said}. Claims, gates and the "
            "words of messages that they add are missing.",
            "Attach them to the new pool. Where this migration's function is, let yours call it "
            '(docs/trigger.md, "Functions of your own"); if it does already, all is well. In the new pool\'s template:',
            template("LambdaConfig:", *(f"  {name}: <ARN of your function>" for name in lost if name not in there))
            if set(lost) - there.keys()
            else "",
        )


def messages(facts: Facts) -> list[Finding]:
    """Return which words, language and sender of the messages differ. A reset wave sends them to everyone."""
    found = [*_words(facts), *_senders(facts)]
    return _MESSAGES.or_ok(found, "what differs in them keeps no code from arriving.")


_TEXTS = (
    *("SmsVerificationMessage", "EmailVerificationMessage", "EmailVerificationSubject", "SmsAuthenticationMessage"),
    "VerificationMessageTemplate",
)


def _words(facts: Facts) -> Iterator[Finding]:
    old, new = _texts(facts.source), _texts(facts.target)
    names = sorted(old.keys() | new.keys())
    if differing := [name for name in names if (old.get(name) or None) != (new.get(name) or None)]:
        yield _MESSAGES.note(
            "messages-differ",
            f"messages have other words than in the old pool: {', '.join(differing)}.",
            "Compare their language and what they promise before users are led to forgot-password.",
        )


def _texts(pool: PoolFacts) -> dict[str, Any]:
    """Return the texts of messages. VerificationMessageTemplate has some a second time, which are left out."""
    settings = pool.settings
    found = {name: settings.get(name) for name in _TEXTS}
    words = dict(found.pop("VerificationMessageTemplate") or {})
    for ours, theirs in (
        ("SmsVerificationMessage", "SmsMessage"),
        ("EmailVerificationMessage", "EmailMessage"),
        ("EmailVerificationSubject", "EmailSubject"),
    ):
        found[ours] = found[ours] or words.pop(theirs, None)
        words.pop(theirs, None)
    found |= {f"VerificationMessageTemplate.{name}": value for name, value in words.items()}
    if found.get("VerificationMessageTemplate.DefaultEmailOption") == "CONFIRM_WITH_CODE":  # as if it were not set
        del found["VerificationMessageTemplate.DefaultEmailOption"]
    found["InviteMessageTemplate"] = (settings.get("AdminCreateUserConfig") or {}).get("InviteMessageTemplate")
    found["EmailMfaConfiguration"] = (pool.mfa.found or {}).get("EmailMfaConfiguration")
    return found


def _senders(facts: Facts) -> Iterator[Finding]:
    old, new = facts.source.settings, facts.target.settings
    was, now = (pool.get("EmailConfiguration") or {} for pool in (old, new))
    # Cognito's own sender has a finding of its own (`mail`).
    if was.get("EmailSendingAccount") == now.get("EmailSendingAccount") == "DEVELOPER":
        names = [
            name
            for name in ("From", "ReplyToEmailAddress", "SourceArn", "ConfigurationSet")
            if was.get(name) != now.get(name)
        ]
        if names:
            yield _MESSAGES.note(
                "mail-sender-differs",
                f"mails come from another sender than in the old pool: {', '.join(names)} of EmailConfiguration.",
                "Tell the users, or they take a reset code for phishing; or set it as in the old pool.",
            )
    if (old.get("SmsConfiguration") or {}).get("EumsSms") and not (new.get("SmsConfiguration") or {}).get("EumsSms"):
        yield _MESSAGES.note(
            "sms-sender-differs",
            "the old pool sends SMS by AWS End User Messaging and the new one does not: where SNS does not send, no "
            "code arrives.",
            _FOR_THE_TEMPLATE,
            template("SmsConfiguration:", "  EumsSms: {CallerArn: …, ExternalId: …, OriginationIdentity: …}"),
        )


def other_settings(facts: Facts) -> list[Finding]:
    """Return what else differs and locks nobody out: devices, passkeys, sessions, issuer, plan, keys, replicas."""
    found = [
        *_devices(facts),
        *_passkeys(facts),
        *_sessions(facts),
        *_issuer(facts),
        *_unprotected(facts),
        *_tier(facts),
        *_key(facts),
        *_replicas(facts),
        *_registrations(facts),
        *_assurance(facts),
        *_not_compared(facts),
        *_not_known(facts),
    ]
    return _OTHERS.or_ok(found, "nothing that differs would lock anybody out.")


def _both(facts: Facts, name: str) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    return facts.source.settings.get(name) or {}, facts.target.settings.get(name) or {}


def _devices(facts: Facts) -> Iterator[Finding]:
    old, new = _both(facts, "DeviceConfiguration")
    if old != new:
        yield _OTHERS.note(
            "devices-differ",
            "devices are remembered otherwise than in the old pool. No device crosses, so users are asked for a second "
            "factor once more on each in any case.",
            _FOR_THE_TEMPLATE,
            template(f"DeviceConfiguration: {_flow(old)}") if old else "",
        )


def _passkeys(facts: Facts) -> Iterator[Finding]:
    old, new = (pool.mfa.found and pool.mfa.found.get("WebAuthnConfiguration") for pool in (facts.source, facts.target))
    if (old or {}) == (new or {}):
        return
    line = pool_line(
        facts.config.target,
        "set-user-pool-mfa-config",
        *("--mfa-configuration", "OFF"),
        *("--web-authn-configuration", json.dumps(old or {}, separators=(",", ":"))),
    )
    # Beside a second factor the line would have to give that as well, since what it leaves out may be turned off.
    alone = old and (facts.target.mfa.found or {}).get("MfaConfiguration", "OFF") == "OFF"
    yield _OTHERS.note(
        "passkeys-differ",
        "passkeys have another domain (RelyingPartyId) or other rules than in the old pool. No passkey crosses; users "
        "register anew.",
        "If it is to be as in the old pool:" if alone else "Set it as in the old pool, with all that MFA has already.",
        line if alone else "",
    )


def _sessions(facts: Facts) -> Iterator[Finding]:
    limits = [_limit(pool) for pool in (facts.source, facts.target)]
    if None in limits or limits[0] == limits[1]:
        return
    (was, most), (now, _) = (limit or _SESSIONS_IF_UNSET for limit in limits)
    yield _OTHERS.note(
        "session-limits-differ",
        f"the limit of sessions for each user is {was}, {most} in the old pool, and otherwise in the new one ({now}).",
        "If it is to be as in the old pool:",
        pool_line(
            facts.config.target,
            "set-user-pool-session-configuration",
            *(
                "--user-session-tracking",
                was,
                "--token-session",
                json.dumps({"MaxPerUser": most}, separators=(",", ":")),
            ),
        ),
    )


def _limit(pool: PoolFacts) -> tuple[str, int] | None:
    """Return whether sessions are tracked, and how many a user may have. None if that is not known."""
    if pool.sessions.found is None:
        return None
    tracking = str(pool.sessions.found.get("UserSessionTracking") or _SESSIONS_IF_UNSET[0])
    most = int((pool.sessions.found.get("TokenSession") or {}).get("MaxPerUser") or _SESSIONS_IF_UNSET[1])
    return (tracking, most) if tracking == "ENABLED" else _SESSIONS_IF_UNSET


def _issuer(facts: Facts) -> Iterator[Finding]:
    old, new = (one.get("Type", "ORIGINAL") for one in _both(facts, "IssuerConfiguration"))
    if old != new:
        yield _OTHERS.note(
            "issuer-differs",
            f"the issuer is of the form {old} in the old pool and {new} in the new one: APIs compare `iss` with the "
            "whole address (docs/runbook.md).",
            "Give the APIs both addresses, or in the new pool's template, before anybody signs in:",
            template(f"IssuerConfiguration: {{Type: {old}}}"),
        )


def _unprotected(facts: Facts) -> Iterator[Finding]:
    if facts.target.settings.get("DeletionProtection") != "ACTIVE":
        yield _OTHERS.note(
            "deletion-protection-off",
            "the new pool has no deletion protection: one call, or a stack that is deleted, ends every account.",
            "In the new pool's template:",
            template("DeletionProtection: ACTIVE"),
        )


def _tier(facts: Facts) -> Iterator[Finding]:
    old, new = (pool.description.feature_plan for pool in (facts.source, facts.target))
    if old in _TIERS and new in _TIERS and _TIERS.index(new) < _TIERS.index(old):
        yield _OTHERS.note(
            "plan-lower",
            f"the new pool's plan is {new} and the old one's {old}: threat protection, point-in-time recovery or "
            "sign-in without a password may be missing.",
            _FOR_THE_TEMPLATE,
            template(f"UserPoolTier: {old}"),
        )


def _key(facts: Facts) -> Iterator[Finding]:
    old, new = (one.get("KeyType", "AWS_OWNED_KEY") for one in _both(facts, "KeyConfiguration"))
    if old != new:
        yield _OTHERS.note(
            "key-differs",
            f"users are encrypted by a key of another kind: {old} in the old pool, {new} in the new one.",
            _FOR_THE_TEMPLATE,
            template(f"KeyConfiguration: {{KeyType: {old}" + (", KmsKeyArn: …}" if old != "AWS_OWNED_KEY" else "}")),
        )


def _replicas(facts: Facts) -> Iterator[Finding]:
    old, new = facts.source.replicas.found or (), facts.target.replicas.found
    if new is not None and (missing := [region for region in old if region not in new]):
        yield _OTHERS.note(
            "replicas-missing",
            f"the old pool has replicas in {', '.join(missing)}, and the new one has none there.",
            "If sign-ins are to go on when a Region fails:",
            pool_line(facts.config.target, "create-user-pool-replica", "--region-name", missing[0]),
        )


def _registrations(facts: Facts) -> Iterator[Finding]:
    old, new = _both(facts, "DcrConfiguration")
    if old.get("EnableStatus") == "Enabled" and old != new:
        yield _OTHERS.note(
            "registrations-differ",
            "clients may register themselves in the old pool (DcrConfiguration), and not alike in the new one. Each "
            "gets a new id, so it has to register anew in any case.",
            _FOR_THE_TEMPLATE,
            template(f"DcrConfiguration: {_flow(old)}"),
        )


def _assurance(facts: Facts) -> Iterator[Finding]:
    old, new = _both(facts, "AcrConfiguration")
    if old and old != new:
        yield _OTHERS.note(
            "step-up-differs",
            "sign-ins at a higher level (AcrConfiguration) are set up otherwise than in the old pool.",
            "Compare the two, if an app asks for levels (acr_values).",
        )


def _not_compared(facts: Facts) -> Iterator[Finding]:
    if names := without_counterpart(facts):
        yield _OTHERS.note(
            "clients-not-compared",
            f"app clients of the old pool of which the new pool has none, or several, of the same name: "
            f"{', '.join(names)}. Their settings were not compared.",
            "Give them the same names to have that done.",
        )
    if lost := [new.name for old, new in pairs(facts) if _analytics(old.settings) and not _analytics(new.settings)]:
        yield _OTHERS.note(
            "analytics-lost", f"app clients send nothing to Amazon Pinpoint, as in the old pool: {', '.join(lost)}."
        )
    if domain(facts.source.settings) and domain(facts.target.settings):
        yield _OTHERS.note(
            "branding-not-compared",
            "branding and terms of managed login, and log delivery, are not compared.",
            "Look yourself.",
        )
    for side, pool in (("old", facts.source), ("new", facts.target)):
        if pool.described.value.unknown:
            yield _OTHERS.note(
                "settings-unknown",
                f"this boto3 does not know {', '.join(pool.described.value.unknown)} of the {side} pool: not compared.",
                "Update it:",
                "pip install -U boto3",
            )


def _analytics(settings: Mapping[str, Any]) -> bool:
    return bool(settings.get("AnalyticsConfiguration"))


def _not_known(facts: Facts) -> Iterator[Finding]:
    problems = {
        f"{what} of the {side} pool": read.problem
        for side, pool in (("old", facts.source), ("new", facts.target))
        for what, read in (
            ("resource servers", pool.resource_servers),
            ("session limits", pool.sessions),
            ("replicas", pool.replicas),
            ("reuse of sessions", pool.reused_minutes),
        )
        if read.problem
    }
    if problems:
        yield _OTHERS.note(
            "settings-not-known",
            f"not compared, because they could not be read: {', '.join(problems)}.",
            " ".join(dict.fromkeys(str(problem) for problem in problems.values())),
        )


def _flow(settings: Mapping[str, Any]) -> str:
    """Return settings as YAML in one line, which JSON is."""
    return json.dumps(settings)
