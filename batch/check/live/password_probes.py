"""The probes about statuses, passwords, sign-in and forgotten passwords. No code is ever sent."""

from __future__ import annotations

from batch.check.live.made_up_users import Stage
from batch.check.live.probe import ACCEPTED, DENIED, INVALID, TOKENS, Basis, Probe, answer_to
from batch.check.live.throw_away_pools import LivePool

CONFIRMED = "CONFIRMED"
_NEW = "FORCE_CHANGE_PASSWORD"
_WEAK = "short"
_GONE = "not there"

_STOP = (
    "Do not `run`: by FORCE_CHANGE_PASSWORD it tells whom nobody has used yet, and to whom it may give a random "
    "password."
)
_NO_FALLBACK = (
    "Whoever is not captured may not be able to choose a new password. Try confirmed.mail (below) by hand; if that "
    "fails as well, set `ledger` and attach the trigger, and let nobody cross without it."
)
_AS_STRICT = "Make the new pool's password policy no stricter than the old one's: a weaker password may not be told."
_WITHOUT_DISABLED = "Set `users.disabled: skip`, and see to these users by hand."


def _signs_in(stage: Stage, username: str, password: str) -> str:
    return answer_to(lambda: stage.by_name.sign_in_with(username, password))


def _status(live: LivePool, username: str) -> str:
    user = live.find(username)
    return str(user.status) if user else _GONE


def _set(stage: Stage, username: str, password: str) -> str:
    return answer_to(lambda: stage.by_name.set_password(username, password))


def _set_and_status(stage: Stage, username: str) -> str:
    answer = _set(stage, username, stage.password)
    return _status(stage.by_name, username) if answer == ACCEPTED else answer


PASSWORDS = (
    Probe(
        "created.status",
        "The status after AdminCreateUser, without a message.",
        _NEW,
        Basis.DOCUMENTED,
        lambda stage: _status(stage.by_name, stage.newcomer.username),
        otherwise=_STOP,
    ),
    Probe(
        "created.sign-in",
        "Signing in with the temporary password.",
        "NEW_PASSWORD_REQUIRED",
        Basis.DOCUMENTED,
        lambda stage: _signs_in(stage, stage.newcomer.username, stage.password),
    ),
    Probe(
        "created.forgot",
        "ForgotPassword in FORCE_CHANGE_PASSWORD, of a user without an address.",
        DENIED,
        Basis.REPORTED,
        lambda stage: answer_to(lambda: stage.by_name.forget_password(stage.newcomer.username)),
    ),
    Probe(
        "created.reset",
        "AdminResetUserPassword in FORCE_CHANGE_PASSWORD, of a user without an address.",
        DENIED,
        Basis.REPORTED,
        lambda stage: answer_to(lambda: stage.by_name.reset_password(stage.newcomer.username)),
    ),
    Probe(
        "permanent.status",
        "The status after AdminSetUserPassword with a permanent password.",
        CONFIRMED,
        Basis.DOCUMENTED,
        lambda stage: _status(stage.by_name, stage.settled.username),
        otherwise=_NO_FALLBACK,
    ),
    Probe(
        "permanent.sign-in",
        "Signing in with a permanent password that AdminSetUserPassword set.",
        TOKENS,
        Basis.DOCUMENTED,
        lambda stage: _signs_in(stage, stage.settled.username, stage.password),
        otherwise="Set `ledger: null` and let users reset their passwords: a captured password would not let them in.",
    ),
    Probe(
        "permanent.wrong",
        "Signing in with a wrong password.",
        DENIED,
        Basis.DOCUMENTED,
        # Reversed, the password still fits the policy, so only its value is wrong.
        lambda stage: _signs_in(stage, stage.settled.username, stage.password[::-1]),
        otherwise="Let the app try CUSTOM_AUTH after this answer, too: it may mean an uncaptured password.",
    ),
    Probe(
        "confirmed.forgot",
        "ForgotPassword in CONFIRMED, of a user without an address: refused for want of one, and not for the status.",
        INVALID,
        Basis.REPORTED,
        # What matters is that the error is not DENIED: then CONFIRMED itself permits the reset, and an address would
        # get a code.
        lambda stage: answer_to(lambda: stage.by_name.forget_password(stage.settled.username)),
        otherwise=_NO_FALLBACK,
    ),
    Probe(
        "password.weak",
        "AdminSetUserPassword with a password against the policy.",
        "InvalidPasswordException",
        Basis.DOCUMENTED,
        lambda stage: _set(stage, stage.settled.username, _WEAK),
        otherwise=_AS_STRICT,
    ),
    Probe(
        "disabled.set-password",
        "AdminSetUserPassword of a disabled user, as `run` does it.",
        ACCEPTED,
        Basis.NOWHERE,
        lambda stage: _set(stage, stage.disabled.username, stage.password),
        otherwise=_WITHOUT_DISABLED,
    ),
    Probe(
        "disabled.sign-in",
        "Signing in with the right password of a disabled user.",
        DENIED,
        Basis.REPORTED,
        lambda stage: _signs_in(stage, stage.disabled.username, stage.password),
        otherwise=_WITHOUT_DISABLED,
    ),
    Probe(
        "unconfirmed.sign-in",
        "Signing in after a sign-up that was never confirmed.",
        "UserNotConfirmedException",
        Basis.REPORTED,
        lambda stage: _signs_in(stage, stage.signed_up, stage.password),
    ),
    Probe(
        "unconfirmed.set-password",
        "The status after AdminSetUserPassword of a user who never confirmed the sign-up.",
        CONFIRMED,
        Basis.NOWHERE,
        lambda stage: _set_and_status(stage, stage.signed_up),
    ),
)
"""In this order, because an answer may depend on what the probes before it left behind."""
