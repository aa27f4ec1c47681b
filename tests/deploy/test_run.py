"""The stack really runs: zip, handler, environment and roles as the templates say, over the Lambda Invoke API."""

from __future__ import annotations

import json

import pytest
from deployed import Deployed, deploy
from mishaps import quietly
from triggering import NEW_PASSWORD, OLD_PASSWORD, WRONG_PASSWORD, World, token_groups

from userpool.person import PersonState


def said(deployed: Deployed) -> list[dict[str, object]]:
    """What the functions have logged, once they have ended: one JSON line an event, and nothing else."""
    return [json.loads(line) for text in deployed.logs.values() for line in text.splitlines()]


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
    lines = said(deployed)
    assert {"captured", "migrated", "refused"} <= {str(line["outcome"]) for line in lines}
    assert not [line for line in lines if line["outcome"] == "fault"]
    told = "".join(deployed.logs.values())
    assert not [secret for secret in (OLD_PASSWORD, NEW_PASSWORD, WRONG_PASSWORD, "@", '"ada"') if secret in told]


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
