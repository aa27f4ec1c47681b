"""InitiateAuth and RespondToAuthChallenge, with their Admin forms: which flow, whose challenge."""

from __future__ import annotations

from collections.abc import Callable

from sandbox.errors import invalid_parameter, not_there
from sandbox.pools import app_clients
from sandbox.sign_in import challenges, custom_auth, mfa, password_auth, srp_auth, tokens
from sandbox.sign_in.challenges import Answer, Asked, SignIn, require
from sandbox.world import AppClient, Operation, Parameters, Pool, World

_ADMIN_FLOWS = frozenset({"ADMIN_USER_PASSWORD_AUTH", "ADMIN_NO_SRP_AUTH"})
_REFRESH_FLOWS = frozenset({"REFRESH_TOKEN_AUTH", "REFRESH_TOKEN"})

_STARTS: dict[str, Callable[[SignIn, Parameters], Answer]] = {
    "USER_PASSWORD_AUTH": password_auth.start,
    "ADMIN_USER_PASSWORD_AUTH": password_auth.start,
    "ADMIN_NO_SRP_AUTH": password_auth.start,
    "USER_SRP_AUTH": srp_auth.start,
    "CUSTOM_AUTH": custom_auth.start,
}
_RESPONSES: dict[str, Callable[[Asked, Parameters], Answer]] = {
    "NEW_PASSWORD_REQUIRED": password_auth.change,
    "PASSWORD_VERIFIER": srp_auth.verify,
    "CUSTOM_CHALLENGE": custom_auth.answer,
    "SMS_MFA": mfa.verify,
    "EMAIL_OTP": mfa.verify,
    "SOFTWARE_TOKEN_MFA": mfa.verify,
    "SELECT_MFA_TYPE": mfa.select,
    "MFA_SETUP": mfa.finish_set_up,
}


def _initiate_auth(world: World, parameters: Parameters) -> Answer:
    pool, client = world.app_client(parameters["ClientId"])
    flow = parameters["AuthFlow"]
    if flow in _ADMIN_FLOWS:
        raise invalid_parameter("Initiate Auth method not supported.")
    if flow in app_clients.FLOWS and not app_clients.allows(client, flow):
        raise invalid_parameter(f"{flow} flow not enabled for this client")
    return _start(world, pool, client, parameters)


def _admin_initiate_auth(world: World, parameters: Parameters) -> Answer:
    pool, client = client_of(world, parameters)
    flow = parameters["AuthFlow"]
    if flow in app_clients.FLOWS and not app_clients.allows(client, flow):
        raise invalid_parameter("Auth flow not enabled for this client")
    return _start(world, pool, client, parameters)


def _start(world: World, pool: Pool, client: AppClient, parameters: Parameters) -> Answer:
    flow, given = parameters["AuthFlow"], parameters.get("AuthParameters") or {}
    if flow in _REFRESH_FLOWS:
        return _refresh(world, pool, client, given)
    if flow not in _STARTS:
        raise invalid_parameter(f"The sandbox does not implement {flow}.")
    username = require(given, "USERNAME")
    app_clients.check_secret_hash(client, given.get("SECRET_HASH"), [username])
    user = pool.users.find(username)
    data = parameters.get("ClientMetadata") or {}
    sign_in = SignIn(world, pool, client, username, user.sub if user else None, validation_data=data)
    return _STARTS[flow](sign_in, given)


def _refresh(world: World, pool: Pool, client: AppClient, given: Parameters) -> Answer:
    grant = tokens.require_grant(world, client, require(given, "REFRESH_TOKEN"))
    sign_in = SignIn(world, pool, client, grant.username, grant.sub)
    app_clients.check_secret_hash(client, given.get("SECRET_HASH"), challenges.names(sign_in))
    return {"AuthenticationResult": tokens.refresh(sign_in, grant), "ChallengeParameters": {}}


def _respond_to_auth_challenge(world: World, parameters: Parameters) -> Answer:
    _, client = world.app_client(parameters["ClientId"])
    return _respond(world, client, parameters)


def _admin_respond_to_auth_challenge(world: World, parameters: Parameters) -> Answer:
    _, client = client_of(world, parameters)
    return _respond(world, client, parameters)


def _respond(world: World, client: AppClient, parameters: Parameters) -> Answer:
    challenge, responses = parameters["ChallengeName"], parameters.get("ChallengeResponses") or {}
    if challenge not in _RESPONSES:
        raise invalid_parameter(f"The sandbox does not implement the challenge {challenge}.")
    username = require(responses, "USERNAME")
    app_clients.check_secret_hash(client, responses.get("SECRET_HASH"), [username])
    in_place_of_session = responses.get("PASSWORD_CLAIM_SECRET_BLOCK") if challenge == "PASSWORD_VERIFIER" else None
    session = in_place_of_session or parameters.get("Session")
    asked = challenges.recall(world, session, challenge=challenge, client=client)
    challenges.check_name(asked, username)
    asked.sign_in.metadata = parameters.get("ClientMetadata") or {}
    return _RESPONSES[challenge](asked, responses)


def client_of(world: World, parameters: Parameters) -> tuple[Pool, AppClient]:
    """Return the app client and its pool. Raises ResourceNotFoundException unless it is of the pool named."""
    world.pool(parameters["UserPoolId"])
    pool, client = world.app_client(parameters["ClientId"])
    if pool.id != parameters["UserPoolId"]:
        raise not_there(f"User pool client {client.id} does not exist.")
    return pool, client


OPERATIONS: dict[str, Operation] = {
    "InitiateAuth": _initiate_auth,
    "AdminInitiateAuth": _admin_initiate_auth,
    "RespondToAuthChallenge": _respond_to_auth_challenge,
    "AdminRespondToAuthChallenge": _admin_respond_to_auth_challenge,
}
