"""Sign-in by SRP: USER_SRP_AUTH and its PASSWORD_VERIFIER challenge. It never asks the UserMigration trigger."""

from __future__ import annotations

import base64
import hashlib
import secrets
import uuid

from sandbox.errors import invalid_parameter
from sandbox.pools.callers import wrong_credentials
from sandbox.sign_in import challenges, lockout, password_auth, srp
from sandbox.sign_in.challenges import Answer, Asked, SignIn
from sandbox.world import Parameters


def start(sign_in: SignIn, parameters: Parameters) -> Answer:
    """Answer USERNAME and SRP_A with the server's half; for somebody hidden, with one that looks alike."""
    public = srp.client_public(challenges.require(parameters, "SRP_A"))
    if public is None:
        raise invalid_parameter("SRP_A is not a valid value.")
    password_auth.pre_authentication(sign_in)
    if not sign_in.client.hides_existence:
        sign_in.require_user()
    if user := sign_in.user:
        password_auth.check_status(sign_in, user)
        lockout.check(user, sign_in.world.clock.now())
    return _challenge(sign_in, _handshake(sign_in, public))


def verify(asked: Asked, responses: Parameters) -> Answer:
    """Answer PASSWORD_VERIFIER: the proof that the client knows the password."""
    asked.used = True
    sign_in = asked.sign_in
    signature = challenges.require(responses, "PASSWORD_CLAIM_SIGNATURE")
    secret_block = challenges.require(responses, "PASSWORD_CLAIM_SECRET_BLOCK")
    timestamp = challenges.require(responses, "TIMESTAMP")
    if (user := sign_in.user) is None:
        raise wrong_credentials()
    now = sign_in.world.clock.now()
    password_auth.check_status(sign_in, user)
    lockout.check(user, now)
    if not asked.state["handshake"].proves(signature, secret_block, timestamp):
        lockout.wrong(user, now)
        raise wrong_credentials()
    return password_auth.proved(sign_in)


def _handshake(sign_in: SignIn, public: int) -> srp.Handshake:
    """Begin; for a user without a password, or without a user, with a password that nobody knows.

    The salt and the user id are the same every time for one name (developer guide, managing error responses).
    """
    user = sign_in.user
    seed = f"{sign_in.pool.id}:{sign_in.username}".encode()
    stand_in = str(uuid.UUID(bytes=hashlib.sha256(seed).digest()[:16]))
    return srp.Handshake(
        pool_id=sign_in.pool.id,
        user_id=user.username if user else stand_in,
        password=(user.password if user else None) or secrets.token_urlsafe(),
        client_public=public,
        salt=srp.salt(seed),
    )


def _challenge(sign_in: SignIn, handshake: srp.Handshake) -> Answer:
    # No Session: clients send back the secret block instead, as amazon-cognito-identity-js does.
    secret_block = base64.b64encode(secrets.token_bytes(512)).decode()
    challenges.remember(
        sign_in, "PASSWORD_VERIFIER", secret_block, {"handshake": handshake, "names": [handshake.user_id]}
    )
    parameters = {
        "SALT": f"{handshake.salt:x}",
        "SRP_B": f"{handshake.public:x}",
        "SECRET_BLOCK": secret_block,
        "USERNAME": handshake.user_id,
        "USER_ID_FOR_SRP": handshake.user_id,
    }
    return {"ChallengeName": "PASSWORD_VERIFIER", "ChallengeParameters": parameters}
