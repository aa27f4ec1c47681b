"""Judge passwords, second factors, recovery, mail and sign-up. Pure: no function makes a call.

Sources: "Customizing user pool MFA", "Password recovery" and "Quotas" of the Amazon Cognito developer guide.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from batch.check.facts import Facts
from batch.check.finding import Finding, Topic, template
from batch.check.own_functions import own
from userpool.by_hand import pool_line
from userpool.factors import MAIL, SMS, TOTP, offered
from userpool.plural import plural

_PASSWORDS, _MFA, _RECOVERY, _MAIL, _SIGN_UP = map(Topic, ("passwords", "MFA", "recovery", "mail", "sign-up"))
_CLASSES = {
    "RequireUppercase": "an upper-case letter",
    "RequireLowercase": "a lower-case letter",
    "RequireNumbers": "a number",
    "RequireSymbols": "a symbol",
}
_DEFAULT_LENGTH = 8
_FACTORS = {SMS: "SMS", TOTP: "TOTP", MAIL: "e-mail"}
_CROSSING = ("SMS", "e-mail")  # what `users.mfa: preferences` carries
DEFAULT_SENDER_A_DAY = 50
"""Mails that Cognito's own sender sends a day, for the whole account (Quotas, "Email messages sent daily")."""


def passwords(facts: Facts) -> Iterator[Finding]:
    """Yield which demands of the new pool's password policy the old pool did not make, or made alone."""
    yield from _stricter(facts)
    yield from _history(facts)


def _history(facts: Facts) -> Iterator[Finding]:
    policies = (facts.source.description.password_policy, facts.target.description.password_policy)
    was, now = (int(policy.get("PasswordHistorySize") or 0) for policy in policies)
    if was != now:
        yield _PASSWORDS.note(
            "password-history-differs",
            f"the new pool remembers {now} former passwords of each user, and the old one {was}. No history crosses: a "
            "reset may choose what the user had before.",
            "If it is to be as in the old pool, in the new pool's template:",
            template("Policies:", f"  PasswordPolicy: {{PasswordHistorySize: {was}}}   # beside the rest"),
        )


def _stricter(facts: Facts) -> Iterator[Finding]:
    old, new = facts.source.description.password_policy, facts.target.description.password_policy
    stricter = [words for name, words in _CLASSES.items() if new.get(name) and not old.get(name)]
    was, wanted = (int(policy.get("MinimumLength", _DEFAULT_LENGTH)) for policy in (old, new))
    if wanted > was:
        stricter.insert(0, f"{wanted} characters instead of {was}")
    if not stricter:
        yield _PASSWORDS.ok("the new pool's policy takes every password of the old pool.")
        return
    # A captured password is set by AdminSetUserPassword, which enforces the new policy. Without capture everyone
    # chooses a new password anyway. UserMigration does not enforce the policy, so only CUSTOM_AUTH is named.
    severity = _PASSWORDS.warning if facts.captures else _PASSWORDS.note
    yield severity(
        "policy-stricter",
        f"the new pool also demands {', '.join(stricter)}: who has a weaker password is not captured by CUSTOM_AUTH, "
        "and has to reset it.",
        "If that is not wanted, in the new pool's template until the migration is over:",
        template("Policies:", "  PasswordPolicy:", *(f"    {name}: {value}" for name, value in _as_template(old))),
    )


def _as_template(policy: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    yield "MinimumLength", str(policy.get("MinimumLength", _DEFAULT_LENGTH))
    for name in _CLASSES:
        yield name, str(bool(policy.get(name))).lower()


def second_factors(facts: Facts) -> list[Finding]:
    """Return which users lose a second factor, or are asked for one they do not have, and what follows for capture."""
    found = [
        *_lost(facts),
        *_released(facts),
        *_left_behind(facts),
        *_preferences(facts),
        *_demanded(facts),
        *_captured(facts),
    ]
    return _MFA.or_ok(found, "nobody loses a second factor.")


def _mode(facts: Facts, side: str) -> str:
    mode: str = (facts.source if side == "source" else facts.target).mfa.value.get("MfaConfiguration", "OFF")
    return mode


def factors(mfa: Mapping[str, Any]) -> frozenset[str]:
    """Return the second factors that an answer of GetUserPoolMfaConfig allows, in the words of the findings."""
    return frozenset(_FACTORS[name] for name in offered(mfa))


def _lost(facts: Facts) -> Iterator[Finding]:
    old, new = _mode(facts, "source"), _mode(facts, "target")
    allowed = factors(facts.source.mfa.value)
    if old != "OFF" and new == "OFF":
        # ON in the old pool means that nobody signs in there by the password alone. In the new pool everyone would.
        severity = _MFA.error if old == "ON" else _MFA.warning
        yield severity(
            "mfa-lost",
            f"MFA is {old} in the old pool and OFF in the new one: everybody who has a second factor loses it.",
            "Set it as in the old pool; SMS and e-mail need a sender first.",
            _offer_totp(facts, old),
        )
        return
    # A pool with MFA OFF may still have senders set up. Nobody is asked for a factor, so nobody loses one.
    missing = sorted(allowed - factors(facts.target.mfa.value)) if old != "OFF" else []
    crossing = facts.config.users.mfa == "preferences"
    if unasked := [name for name in missing if crossing and name in _CROSSING]:
        # AdminSetUserMFAPreference may take it all the same, and no sign-in ask for it (amplify-js issue 11260).
        yield _MFA.error(
            "mfa-preference-unasked",
            f"users.mfa is preferences, and the new pool does not offer {' and '.join(unasked)}: whoever has that in "
            "the old pool may be given it, and is not asked for it.",
            "Allow it in the new pool, with everything that its MFA has already, or set users.mfa: ignore.",
        )
    # What is an error already is not named a second time as a warning.
    if lost := [name for name in missing if name not in unasked]:
        yield _MFA.warning(
            "mfa-factor-lost",
            f"the new pool does not offer {' and '.join(lost)} as a second factor, which users of the old one have.",
            "Allow it in the new pool, with everything that its MFA has already; or announce it.",
        )
    if old != "OFF" and "TOTP" in allowed:
        yield _MFA.note("totp-does-not-cross", "authenticator apps do not cross: their users enrol again (Cognito).")


def _released(facts: Facts) -> Iterator[Finding]:
    """Judge the users without a second factor: only the old pool's demand keeps them from signing in without one."""
    if (_mode(facts, "source"), _mode(facts, "target")) != ("ON", "OPTIONAL"):
        return
    said = "MFA is ON in the old pool and OPTIONAL in the new one: "
    # Preferences carry over the factors that exist, so only users without a factor are weakened. Without preferences
    # all are.
    if facts.config.users.mfa == "preferences":
        yield _MFA.warning(
            "mfa-not-required",
            f"{said}who has not set up a second factor yet is not asked for one any more.",
            "Set it to ON in the new pool, or decide that it may be so.",
        )
    else:
        yield _MFA.error(
            "mfa-not-required",
            f"{said}no second factor crosses, so nobody is asked for one any more who does not set it up anew.",
            "Set it to ON in the new pool, or carry second factors over (users.mfa: preferences).",
        )


def _left_behind(facts: Facts) -> Iterator[Finding]:
    """Judge rules that carry no second factor, where both pools have some. What is an error already is not repeated."""
    old, new = _mode(facts, "source"), _mode(facts, "target")
    if facts.config.users.mfa == "preferences" or "OFF" in {old, new} or (old, new) == ("ON", "OPTIONAL"):
        return
    then = "has to set one up anew at the first sign-in" if new == "ON" else "signs in without it"
    yield _MFA.warning(
        "mfa-not-carried",
        f"users.mfa is ignore: no second factor crosses, and whoever has one in the old pool {then}.",
        "Set users.mfa: preferences, which carries SMS and e-mail (apps and passkeys never cross), or announce it.",
    )


def _preferences(facts: Facts) -> Iterator[Finding]:
    if facts.config.users.mfa == "preferences" and _mode(facts, "target") == "OFF":
        yield _MFA.error(
            "mfa-preferences-nowhere",
            "users.mfa is preferences, and MFA is OFF in the new pool, where no second factor can be set: "
            "scan, plan and run refuse.",
            "Set MFA to OPTIONAL or ON there with the factors of the old pool, or set users.mfa: ignore.",
        )


def _offer_totp(facts: Facts, mode: str) -> str:
    """Return the line that sets MFA of the new pool to a mode and offers TOTP, beside the factors that it has."""
    # What is left out of SetUserPoolMfaConfig may be turned off.
    there = facts.target.mfa.value
    options = {"SmsMfaConfiguration": "--sms-mfa-configuration", "EmailMfaConfiguration": "--email-mfa-configuration"}
    kept = {option: json.dumps(there[key], separators=(",", ":")) for key, option in options.items() if there.get(key)}
    words = [word for pair in kept.items() for word in pair]
    totp = ("--software-token-mfa-configuration", "Enabled=true")
    return pool_line(facts.config.target, "set-user-pool-mfa-config", "--mfa-configuration", mode, *totp, *words)


def _demanded(facts: Facts) -> Iterator[Finding]:
    """Judge a demand for a second factor that some users cannot meet, such as users with only an e-mail address."""
    offered = factors(facts.target.mfa.value)
    mode = _mode(facts, "target")
    # A user without a phone number cannot set up SMS while signing in, but can set up TOTP.
    if mode == "ON" and not offered & {"TOTP", "e-mail"}:
        yield _MFA.error(
            "mfa-by-sms-alone",
            "the new pool demands a second factor and offers SMS alone: who has no phone number cannot sign in.",
            "Offer TOTP besides, which users set up at the first sign-in.",
            _offer_totp(facts, "ON"),
        )
    elif mode == "ON" and _mode(facts, "source") != "ON":
        yield _MFA.warning(
            "mfa-newly-required",
            "the new pool demands a second factor, which the old one did not: users set one up at the first sign-in.",
            "Announce it, or set it to OPTIONAL until the migration is over.",
        )
    # "can't receive MFA and password reset codes at the same email address" (developer guide, passwords).
    if mode != "OFF" and "e-mail" in offered:
        # If MFA is OPTIONAL, only users that chose e-mail as their factor are concerned.
        severity = _MFA.warning if mode == "ON" else _MFA.note
        yield severity(
            "mfa-by-email-no-reset",
            "the new pool sends second factors by e-mail: who has that, and no phone number, gets no code to reset "
            "the password, and a user who is not captured cannot get in.",
            "Leave e-mail MFA out until people are captured, or collect phone numbers first.",
        )


def _captured(facts: Facts) -> Iterator[Finding]:
    # Without capture everyone chooses a new password, with or without a second factor.
    if not facts.captures or _mode(facts, "source") == "OFF":
        return
    if facts.mfa_users == "capture":
        yield _MFA.warning(
            "mfa-users-captured",
            "MFA_USERS=capture: of who has a second factor in the old pool the password alone is taken.",
            "Leave MFA_USERS out, unless that was decided.",
        )
    else:
        yield _MFA.note(
            "mfa-users-reset",
            "who has a second factor in the old pool is not captured: they choose a new password by forgot-password.",
        )


def recovery(facts: Facts) -> Iterator[Finding]:
    """Yield how a user that is not captured gets a reset code. This is the way back for everyone."""
    settings = facts.target.settings
    wanted = (settings.get("AccountRecoverySetting") or {}).get("RecoveryMechanisms") or ()
    # Cognito tries the mechanism of the lowest priority number first.
    ways = [way["Name"] for way in sorted(wanted, key=lambda way: way.get("Priority", 1))]
    both = template(
        "AccountRecoverySetting:",
        "  RecoveryMechanisms:",
        "    - {Name: verified_email, Priority: 1}",
        "    - {Name: verified_phone_number, Priority: 2}",
    )
    if ways == ["admin_only"]:
        yield _RECOVERY.error(
            "recovery-by-admins-only",
            "in the new pool only an administrator resets passwords: whoever is not captured is locked out.",
            "In the new pool's template:",
            both,
        )
    elif ways and "verified_email" not in ways:
        yield _RECOVERY.warning(
            "recovery-not-by-email",
            "the new pool sends codes to phone numbers alone: who has only an e-mail address cannot reset.",
            "In the new pool's template:",
            both,
        )
    else:
        yield _RECOVERY.ok(f"codes are sent by {', '.join(ways) or 'phone, else e-mail (nothing is set)'}.")
    yield from _failing(facts)
    if ("verified_phone_number" in ways or not ways) and not settings.get("SmsConfiguration"):
        # Without AccountRecoverySetting nobody decided on SMS: phone first is only Cognito's default, with e-mail after
        # it.
        severity = _RECOVERY.warning if ways else _RECOVERY.note
        yield severity(
            "no-sms-sender",
            "the new pool may reset by SMS and has no SmsConfiguration: no code is sent to phone numbers.",
            "Give the new pool SMS, or recover by verified_email alone. In its template:",
            template("SmsConfiguration: {SnsCallerArn: …, ExternalId: …}   # where SNS does not send: EumsSms"),
        )


def _failing(facts: Facts) -> Iterator[Finding]:
    """Judge what Cognito itself says about senders that do not work (SmsConfigurationFailure and the like)."""
    settings = facts.target.settings
    if why := settings.get("SmsConfigurationFailure"):
        resets = "phone_number" in facts.target.description.recovery
        make = _RECOVERY.error if resets else _RECOVERY.warning
        sandbox = "SNSSandbox" in why
        yield make(
            "sms-fails",
            f"Cognito says that the new pool cannot send SMS ({why}): "
            + ("codes reach nobody except the test numbers of the account" if sandbox else "codes reach nobody")
            + (", and forgot-password sends them to phone numbers." if resets else "."),
            "Ask AWS to move the account out of the SMS sandbox, which takes days."
            if sandbox
            else "Let cognito-idp.amazonaws.com assume the role of SmsConfiguration with its ExternalId, and let that "
            "role call sns:Publish.",
        )
    if why := settings.get("EmailConfigurationFailure"):
        yield _RECOVERY.error(
            "mail-fails",
            f"Cognito says that the new pool cannot send mail ({why}): no code reaches an e-mail address.",
            "Correct EmailConfiguration: its SES identity must be verified, and allow Cognito to send.",
        )


def mail(facts: Facts) -> Iterator[Finding]:
    """Yield whether the sender of mails can bear a morning on which many users reset their passwords."""
    sender = facts.target.settings.get("EmailConfiguration") or {}
    users = facts.source.description.estimated_users
    if sender.get("EmailSendingAccount") == "DEVELOPER":
        yield _MAIL.ok("the new pool sends by Amazon SES.")
        return
    enough = users <= DEFAULT_SENDER_A_DAY
    severity = _MAIL.note if enough else _MAIL.warning
    yield severity(
        "default-sender",
        f"the new pool sends by Cognito's own address: {DEFAULT_SENDER_A_DAY} mails a day for the whole account, and "
        f"the old pool has about {plural(users, 'user')} who may have to reset their password.",
        "Let it send by Amazon SES, out of its sandbox. In the new pool's template:",
        template("EmailConfiguration:", "  EmailSendingAccount: DEVELOPER", "  SourceArn: …", "  From: …"),
    )


def sign_up(facts: Facts) -> Iterator[Finding]:
    """Yield whether a stranger may sign up with the name of a user that is not migrated yet.

    UserMigration is not called for a sign-up, so the name's owner could not be migrated afterwards.
    """
    admins_only = (facts.target.settings.get("AdminCreateUserConfig") or {}).get("AllowAdminCreateUserOnly")
    if admins_only:
        yield _SIGN_UP.ok("nobody signs up in the new pool by themselves.")
    elif facts.finished:
        yield _SIGN_UP.ok("the migration is finished: no name waits for its owner any more.")
    # The customer's own function has a finding of its own (`own_functions`).
    elif "PreSignUp" in own(facts.target.description.triggers):
        return
    # What that function decides cannot be read, so any function counts.
    elif "PreSignUp" in facts.target.description.triggers:
        yield _SIGN_UP.ok("a function on PreSignUp decides who may sign up in the new pool.")
    else:
        yield _SIGN_UP.warning(
            "sign-up-open",
            "anybody may sign up in the new pool: a stranger could take the name of a user who is not there yet.",
            "Close it until `run` is through, or the function is attached. In the new pool's template:",
            template("AdminCreateUserConfig: {AllowAdminCreateUserOnly: true}"),
        )
