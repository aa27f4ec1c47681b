"""The stack really runs: zip, handler, environment and roles as the templates say, over the Lambda Invoke API."""

from __future__ import annotations

import json

import pytest
from deployed import SECRET, Deployed, deploy
from mishaps import quietly
from triggering import MARKER, NEW_PASSWORD, OLD_PASSWORD, WRONG_PASSWORD, World, token_groups

from sandbox.triggers.lambdas import FunctionError, run
from trigger.handler import ROUTES
from userpool.person import PersonState


def lines(deployed: Deployed) -> list[dict[str, object]]:
    """What is in the logs, once the functions have ended: JSON lines, and nothing else."""
    return [json.loads(line) for text in deployed.logs.values() for line in text.splitlines()]


def said(deployed: Deployed) -> list[dict[str, object]]:
    """What the functions themselves have logged: one line for each event."""
    return [line for line in lines(deployed) if "source" in line]


def sign_up(world: World, username: str, email: str) -> None:
    """Sign up in the app, and confirm by the code that is sent."""
    attributes = [{"Name": "email", "Value": email}]
    world.cognito.sign_up(ClientId=world.app, Username=username, Password=NEW_PASSWORD, UserAttributes=attributes)
    code = world.user(username).code
    world.cognito.confirm_sign_up(ClientId=world.app, Username=username, ConfirmationCode=code)


def everybody_comes(world: World) -> dict[str, PersonState | None]:
    """Users created ahead, one who was not, one who forgot the password, and a stranger; what became of them."""
    subs = {name: world.add_old(name, groups=["admins"]) for name in ("ada", "bob", "carol")}
    world.publish()
    for name in ("ada", "carol"):
        world.precreate(name)
    world.put(subs["ada"], PersonState.PENDING, enrol=frozenset({"SOFTWARE_TOKEN_MFA"}))
    world.put(subs["carol"], PersonState.PENDING, enrol=frozenset({"WEB_AUTHN"}))
    assert not world.captures("ada", WRONG_PASSWORD)
    assert world.capture("ada", OLD_PASSWORD) == "captured"
    assert token_groups(world.sign_in("ada", OLD_PASSWORD)) == ["admins"]
    assert not world.signs_in("bob", WRONG_PASSWORD)
    assert token_groups(world.sign_in("bob", OLD_PASSWORD)) == ["admins"]
    world.forget("carol")
    assert token_groups(world.sign_in("carol", NEW_PASSWORD)) == ["admins"]
    assert not world.captures("carol", OLD_PASSWORD)
    sign_up(world, "zoe", "zoe@example.com")
    assert world.signs_in("zoe", NEW_PASSWORD)
    with quietly("UserLambdaValidationException"):
        sign_up(world, "Bob", "eve@example.com")
        pytest.fail("a stranger took somebody's name")
    return {name: world.state(sub) for name, sub in subs.items()}


@pytest.mark.parametrize("other_account", [False, True], ids=["one account", "another account"])
def test_two_functions_with_their_own_permissions_do_it_all(tmp_path, *, other_account):
    """Everybody gets in as they should, nothing is denied, every granted right is used, and the logs tell nothing."""
    with deploy(tmp_path, other_account=other_account) as deployed:
        states = everybody_comes(deployed.world)
        assert states == {"ada": PersonState.CAPTURED, "bob": PersonState.CAPTURED, "carol": PersonState.RESET}
        assert deployed.gateway.denied == []
        assert deployed.gateway.allowed == deployed.granted()
    outcomes = {str(line["outcome"]) for line in said(deployed)}
    assert {"captured", "migrated", "refused"} <= outcomes
    assert "fault" not in outcomes
    told = "".join(deployed.logs.values())
    assert not [secret for secret in (OLD_PASSWORD, NEW_PASSWORD, WRONG_PASSWORD, "@", '"ada"') if secret in told]


def test_a_secret_that_cognito_rotates_costs_nobody_their_sign_in(tmp_path):
    """The function reads Cognito's JSON with its own role; a warm one goes on after a rotation as if nothing were."""
    with deploy(tmp_path) as deployed:
        world = deployed.world
        client = world.local.world.moto.pools()[world.old_id].clients[world.old_app]
        for name in ("ada", "bob", "carol"):
            world.add_old(name)
        world.publish()
        world.precreate("ada")
        world.precreate("bob")
        for signs_in, name in ((world.captures, "ada"), (world.captures, "bob"), (world.signs_in, "carol")):
            client.secret = client.secret[::-1]
            values = {"userPoolId": world.old_id, "userPoolClientId": client.id, "clientSecretValue": client.secret}
            deployed.gateway.secrets[SECRET] = json.dumps(values)
            assert signs_in(name, OLD_PASSWORD)
        assert deployed.gateway.denied == []
    assert "fault" not in {str(line["outcome"]) for line in said(deployed)}
    assert client.secret not in "".join(deployed.logs.values())


def test_a_right_that_is_missing_is_missed(tmp_path):
    """Without an action that *capture* is granted the call is denied, and nothing is captured; with it again, it is."""
    with deploy(tmp_path) as deployed:
        world, gateway = deployed.world, deployed.gateway
        sub = world.add_old("ada")
        world.publish()
        world.precreate("ada")
        for action in (
            "secretsmanager:GetSecretValue",
            "cognito-idp:AdminInitiateAuth",
            "cognito-idp:AdminSetUserPassword",
        ):
            with gateway.without(action):
                assert not world.captures("ada", OLD_PASSWORD)
            assert {denied for _, denied, _ in gateway.denied} == {action}
            assert world.state(sub) is PersonState.PENDING
            gateway.denied.clear()
        assert world.captures("ada", OLD_PASSWORD)
    assert [line["detail"] for line in said(deployed) if line["outcome"] == "fault"]


def test_a_right_of_the_gate_that_is_missing_is_missed(tmp_path):
    """Without the right to add to groups the membership is denied and stays owed; with it again, it is given."""
    with deploy(tmp_path) as deployed:
        world, gateway = deployed.world, deployed.gateway
        world.add_old("ada", groups=["admins"])
        world.publish()
        with gateway.without("cognito-idp:AdminAddUserToGroup"):
            world.signs_in("ada", OLD_PASSWORD)
        gate = deployed.roles["GateRole"].arn
        assert {(role, action) for role, action, _ in gateway.denied} == {(gate, "cognito-idp:AdminAddUserToGroup")}
        assert world.new_groups("ada") == set()
        assert token_groups(world.sign_in("ada", OLD_PASSWORD)) == ["admins"]


def test_another_external_id_is_not_enough(tmp_path):
    """Where the roles of the other account ask for another external id nobody is let in, and the log has the remedy."""
    with deploy(tmp_path, other_account=True, asked="another-text") as deployed:
        world = deployed.world
        world.add_old("bob")
        world.publish()
        assert not world.signs_in("bob", OLD_PASSWORD)
        assert world.new_users() == []
        capture, there = (deployed.roles[name].arn for name in ("CaptureRole", "SourceCaptureRole"))
        assert (capture, "the trust of", there) in deployed.gateway.denied
        assert {what for _, what, _ in deployed.gateway.denied} == {"the trust of"}
    assert "check its trust policy, the external id" in str(said(deployed)[0]["detail"])


REQUESTS: dict[str, dict[str, object]] = {
    "UserMigration_Authentication": {"password": WRONG_PASSWORD},
    "DefineAuthChallenge_Authentication": {"session": []},
    "CreateAuthChallenge_Authentication": {"session": []},
    "VerifyAuthChallengeResponse_Authentication": {
        "privateChallengeParameters": {"asked": "password"},
        "challengeAnswer": WRONG_PASSWORD,
    },
}
# What Cognito is told of a name that nobody has, and of somebody who has bob's marker.
SAYS_NO = {
    "DefineAuthChallenge_Authentication": {"issueTokens": False},
    "VerifyAuthChallengeResponse_Authentication": {"answerCorrect": False},
}
DENIED = {
    *(source for source in ROUTES if source.startswith(("TokenGeneration", "PostAuthentication"))),
    "PostConfirmation_ConfirmForgotPassword",
    "PreSignUp_SignUp",
}
PASSED = {"PostConfirmation_ConfirmSignUp", "PreSignUp_ExternalProvider", "CreateAuthChallenge_Authentication"}


def told(deployed: Deployed, event: dict[str, object]) -> dict[str, object] | str:
    """What a function answers to an event as Lambda gives it to Cognito, or the text of its error."""
    gate = str(event["triggerSource"]).startswith(("TokenGeneration", "Post", "PreSignUp"))
    addresses = deployed.world.local.world.functions.items()
    address = next(address for name, address in addresses if name.endswith("gate" if gate else "capture"))
    try:
        answer = run("", address, event, seconds=60)
    except FunctionError as error:
        return str(error)
    assert {**answer, "response": None} == {**event, "response": None}
    response: dict[str, object] = answer["response"]
    return response


def test_each_source_under_the_runtime_client_of_aws(tmp_path):
    """Each answer is the event with its response, an error tells nothing, and every log line is JSON."""
    with deploy(tmp_path) as deployed:
        world = deployed.world
        sub = world.add_old("bob", {"email": "bob@example.com", "email_verified": "true"})
        world.publish()
        world.precreate("bob")
        deployed.world.log.clear()
        for source in ROUTES:
            event = world.event(source, "bob" if source == "PreSignUp_SignUp" else "eve", **REQUESTS.get(source, {}))
            attributes = {} if source.startswith("PreSignUp") else {MARKER: sub}
            event["request"]["userAttributes"] = {"sub": "another", "cognito:user_status": "CONFIRMED", **attributes}
            answer = told(deployed, event)
            if source in DENIED:
                assert answer == "This is not possible at the moment.", source
                continue
            assert isinstance(answer, dict), source
            for name, value in SAYS_NO.get(source, {}).items():
                assert answer[name] is value
            assert source in {*SAYS_NO, *PASSED} or not any(answer.values()), source
    at_cold_start = "event-of-another-pool"  # once for each function
    by_us = [line for line in said(deployed) if line["reason"] != at_cold_start]
    assert sorted(str(line["source"]) for line in by_us) == sorted(ROUTES)
    assert {str(line["source"]) for line in by_us if line["outcome"] == "refused"} >= DENIED
    by_runtime = [line for line in lines(deployed) if "source" not in line]
    assert len(by_runtime) == 2 + len(DENIED)
    for line in by_runtime:
        assert line.keys() == {"timestamp", "level", "errorMessage", "errorType", "requestId", "stackTrace"}
        assert (line["level"], line["errorType"]) == ("ERROR", "DeniedError")
    assert not [secret for secret in (WRONG_PASSWORD, "bob", sub) if secret in str(by_runtime)]
