"""The second factor at sign-in: which one is asked for, and its challenges."""

from __future__ import annotations

import json

from sandbox.errors import CognitoError
from sandbox.sign_in import challenges, totp
from sandbox.sign_in.challenges import Answer, Asked, SignIn
from sandbox.sign_in.finish import finish
from sandbox.users import codes
from sandbox.users.directory import User
from sandbox.world import Parameters, Pool

_SENT_TO = {"SMS_MFA": "phone_number", "EMAIL_OTP": "email"}
_RESPONSES = {
    "SMS_MFA": "SMS_MFA_CODE",
    "EMAIL_OTP": "EMAIL_OTP_CODE",
    "SOFTWARE_TOKEN_MFA": "SOFTWARE_TOKEN_MFA_CODE",
}


def next_step(sign_in: SignIn) -> Answer:
    """After the password: ask for a second factor if the pool and the user have one, else finish."""
    user = sign_in.require_user()
    factors = _factors(sign_in.pool, user)
    if sign_in.pool.mfa == "OFF" or (sign_in.pool.mfa == "OPTIONAL" and not factors):
        return finish(sign_in)
    if not factors:
        return _ask_to_set_up(sign_in, user)
    if user.preferred_mfa in factors:
        return _ask(sign_in, user, user.preferred_mfa)
    if len(factors) == 1:
        return _ask(sign_in, user, factors[0])
    return challenges.ask(sign_in, "SELECT_MFA_TYPE", {"MFAS_CAN_CHOOSE": json.dumps(factors), **_of(user)})


def select(asked: Asked, responses: Parameters) -> Answer:
    """Answer SELECT_MFA_TYPE: ask for the factor that was chosen."""
    user = asked.sign_in.require_user()
    chosen = challenges.require(responses, "ANSWER")
    if chosen not in _factors(asked.sign_in.pool, user):
        raise CognitoError("MFAMethodNotFoundException", f"The user has not set up {chosen}.")
    asked.used = True
    return _ask(asked.sign_in, user, chosen)


def verify(asked: Asked, responses: Parameters) -> Answer:
    """Answer SMS_MFA, EMAIL_OTP or SOFTWARE_TOKEN_MFA. After a wrong code another may be tried."""
    sign_in = asked.sign_in
    given = challenges.require(responses, _RESPONSES[asked.challenge])
    if asked.challenge == "SOFTWARE_TOKEN_MFA":
        totp.check(sign_in.require_user(), given, sign_in.world.clock.now())
    elif given != asked.state["code"]:
        raise CognitoError("CodeMismatchException", "Invalid code or auth state for the user.")
    asked.used = True
    return finish(sign_in)


def finish_set_up(asked: Asked, _: Parameters) -> Answer:
    """Answer MFA_SETUP, once VerifySoftwareToken has been called in its session."""
    user = asked.sign_in.require_user()
    if not user.totp_secret:
        raise CognitoError("SoftwareTokenMFANotFoundException", "The user has not verified a software token.")
    asked.used = True
    if "SOFTWARE_TOKEN_MFA" not in user.mfa:
        user.mfa.append("SOFTWARE_TOKEN_MFA")
    return finish(asked.sign_in)


def _factors(pool: Pool, user: User) -> list[str]:
    """Return the factors the user has active; where MFA is required, a phone number is one by itself.

    A preference for a factor that the pool does not offer is taken, and not asked for (amplify-js#11260).
    """
    offered = _of_pool(pool)
    mine = user.mfa or ["SMS_MFA"] * user.sms_by_settings
    there = [name for name in mine if name not in _SENT_TO or user.attributes.get(_SENT_TO[name])]
    active = [name for name in there if name in offered]
    if not active and pool.mfa == "ON" and user.attributes.get("phone_number") and "SMS_MFA" in offered:
        return ["SMS_MFA"]
    return active


def _of_pool(pool: Pool) -> list[str]:
    """Return the factors the pool offers; MFA switched on with CreateUserPool alone is by SMS."""
    has_tokens = (pool.moto.token_mfa_config or {}).get("Enabled")
    has_mail = getattr(pool.moto, "email_mfa_config", None)
    has_sms = pool.moto.sms_mfa_config or pool.config.get("SmsConfiguration") or not (has_tokens or has_mail)
    offered = {"SMS_MFA": has_sms, "SOFTWARE_TOKEN_MFA": has_tokens, "EMAIL_OTP": has_mail}
    return [name for name, there in offered.items() if there]


def _ask(sign_in: SignIn, user: User, factor: str) -> Answer:
    if factor not in _SENT_TO:
        return challenges.ask(sign_in, factor, {"FRIENDLY_DEVICE_NAME": "", **_of(user)})
    attribute = _SENT_TO[factor]
    parameters = {
        "CODE_DELIVERY_DELIVERY_MEDIUM": codes.MEDIA[attribute],
        "CODE_DELIVERY_DESTINATION": codes.masked(user.attributes[attribute]),
    }
    minutes = challenges.minutes(sign_in.client)
    code = codes.send(sign_in.world, user, factor, 60 * minutes)
    return challenges.ask(sign_in, factor, {**parameters, **_of(user)}, code=code)


def _ask_to_set_up(sign_in: SignIn, user: User) -> Answer:
    return challenges.ask(sign_in, "MFA_SETUP", {"MFAS_CAN_SETUP": json.dumps(_of_pool(sign_in.pool)), **_of(user)})


def _of(user: User) -> dict[str, str]:
    return {"USER_ID_FOR_SRP": user.username}
