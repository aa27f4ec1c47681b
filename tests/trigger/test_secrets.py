"""The secret of the old pool's app client: in either form, and rotated while the function lives."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mishaps import on
from signing_in import FLOWS
from triggering import OLD_PASSWORD, WRONG_PASSWORD, World, new_world

from sandbox.server import Sandbox
from trigger.deadline import NoTimeError
from userpool.app_client import AppClient, secret_in
from userpool.client import secret_text
from userpool.errors import FatalError, SettingsError
from userpool.person import PersonState

CLIENT = "1example23456789"
SECRET = "1n7example0secret9of8an7app6client5"


def published(value: str, client_id: str = CLIENT, **others: Any) -> str:
    """A secret as Cognito writes it."""
    return json.dumps(
        {"userPoolId": "eu-west-1_OldPool01", "userPoolClientId": client_id, "clientSecretValue": value, **others}
    )


@dataclass
class Vault:
    """Secrets Manager with one secret, of the old app client: what is in it, and how often it was read."""

    world: World
    as_json: bool = True
    reads: int = 0
    lags: list[str] = field(default_factory=list)

    def __call__(self, _: str) -> str:
        """Return the secret's text."""
        self.reads += 1
        secret = self.lags.pop(0) if self.lags else self.client.secret
        return published(secret, self.world.old_app) if self.as_json else secret

    @property
    def client(self) -> Any:
        """The app client as the sandbox keeps it."""
        return self.world.local.world.moto.pools()[self.world.old_id].clients[self.world.old_app]

    def rotate(self) -> None:
        """Give the client another secret."""
        self.client.secret = self.client.secret[::-1]


def with_vault(**options: Any) -> tuple[World, Vault, str]:
    """A migration in which bob is published, and the secret of the old app client is in Secrets Manager."""
    world = new_world(old_secret=True)
    vault = Vault(world, **options)
    world.parts.read_secret = vault
    sub = world.add_old("bob")
    world.publish()
    return world, vault, sub


@given(secret=st.from_regex(r"[A-Za-z0-9_+]{24,64}", fullmatch=True), blanks=st.sampled_from(["", "\n", " ", "\r\n"]))
def test_a_secret_is_read_in_both_forms(secret, blanks):
    """Plain text and JSON mean the same, with or without the line's end that a shell adds."""
    assert secret_in(secret + blanks, CLIENT) == secret
    assert secret_in(published(secret) + blanks, CLIENT) == secret
    assert secret_in(json.dumps({"clientSecretValue": secret}), CLIENT) == secret


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "holds no secret"),
        ("\n", "holds no secret"),
        ("None", "holds no secret"),
        ("null\n", "holds no secret"),
        ("{}", "holds no secret"),
        (json.dumps({"client_secret": SECRET}), "holds no secret"),
        (published(""), "holds no secret"),
        (json.dumps({"userPoolClientId": CLIENT, "clientSecretValue": [SECRET]}), "holds no secret"),
        (json.dumps({"userPoolClientId": CLIENT, "clientSecretValue": None}), "holds no secret"),
        (published(SECRET, "another"), "another app client"),
        (published(SECRET, client_id=None), "another app client"),
    ],
)
def test_a_text_without_the_secret_of_the_client_is_told(text, said):
    """What holds no secret, or that of another app client, is an error that quotes nothing of it."""
    with pytest.raises(SettingsError, match=said) as caught:
        secret_in(text, CLIENT)
    assert "SOURCE_CLIENT_SECRET_ARN" in str(caught.value)
    assert SECRET not in repr(caught.value)


@pytest.mark.parametrize("as_json", [True, False], ids=["JSON", "plain"])
def test_a_secret_in_either_form_proves_passwords(as_json):
    """The function reads the secret once, and signs in with it by both ways."""
    world, vault, _ = with_vault(as_json=as_json)
    world.precreate("bob")
    world.add_old("ann")
    world.publish()
    assert world.captures("bob", OLD_PASSWORD)
    assert world.signs_in("ann", OLD_PASSWORD)
    assert vault.reads == 1
    assert vault.client.secret not in f"{world.parts!r}{world.log}"


@pytest.mark.parametrize("as_json", [True, False], ids=["JSON", "plain"])
@pytest.mark.parametrize("ahead", [True, False], ids=["challenge", "UserMigration"])
def test_a_rotated_secret_is_read_again_in_the_same_event(as_json, ahead):
    """The first user after a rotation is captured like the others, with one more read and one more sign-in."""
    world, vault, sub = with_vault(as_json=as_json)
    if ahead:
        world.precreate("bob")
    world.warm()
    vault.rotate()
    assert world.captures("bob", OLD_PASSWORD) if ahead else world.signs_in("bob", OLD_PASSWORD)
    assert world.state(sub) is PersonState.CAPTURED
    assert (vault.reads, world.calls["old.AdminInitiateAuth"]) == (2, 2)
    assert "fault" not in {line["outcome"] for line in world.log}


def test_a_wrong_password_after_a_rotation_is_wrong_once():
    """The refused hash is no attempt: the old pool counts one wrong password."""
    world, vault, _ = with_vault()
    world.precreate("bob")
    world.warm()
    vault.rotate()
    assert not world.captures("bob", WRONG_PASSWORD)
    assert "wrong-password" in world.reasons()
    assert world.old_user("bob").wrong_passwords == 1


def test_a_secret_that_stayed_the_same_is_not_tried_again():
    """Where the secret is simply not the client's, each event costs one read and one sign-in, and is a fault."""
    world, vault, sub = with_vault()
    world.precreate("bob")
    world.warm()
    vault.lags = ["of-yesterday"] * 9
    world.parts.forget_app()
    for expected in (2, 4):
        assert not world.captures("bob", OLD_PASSWORD)
        assert vault.reads == 1 + expected
        assert world.calls["old.AdminInitiateAuth"] == expected / 2
    assert "another secret than the one that was read" in world.log[-3]["detail"]
    assert world.state(sub) is PersonState.PENDING
    vault.lags = []
    assert world.captures("bob", OLD_PASSWORD)


def test_two_rotations_in_one_event_are_a_fault_and_the_next_event_goes_on():
    """The function tries once more, and not for ever."""
    world, vault, sub = with_vault()
    world.precreate("bob")
    world.warm()
    vault.rotate()
    vault.lags = ["of-this-morning"]
    assert not world.captures("bob", OLD_PASSWORD)
    assert world.calls["old.AdminInitiateAuth"] == 2
    assert world.captures("bob", OLD_PASSWORD)
    assert world.state(sub) is PersonState.CAPTURED


def test_without_time_the_secret_is_not_read_again():
    """Reading and signing in anew take time; without it the event is a fault, and the next one reads the secret."""
    world, vault, sub = with_vault()
    world.precreate("bob")
    world.warm()
    vault.rotate()
    on(world.source_client, "AdminInitiateAuth", lambda: world.parts.clock.advance(3.2), after=True, times=1)
    on(world.source_client, "AdminInitiateAuth", lambda: world.parts.clock.advance(3.2), times=1)
    assert not world.captures("bob", OLD_PASSWORD)
    assert NoTimeError.__name__ in world.reasons()
    assert vault.reads == 1
    assert world.captures("bob", OLD_PASSWORD)
    assert world.state(sub) is PersonState.CAPTURED


def test_a_secret_that_is_gone_is_a_fault():
    """Where Cognito no longer keeps the secret, nobody is called wrong in the log, and the ARN is named."""
    world, vault, sub = with_vault()
    world.precreate("bob")
    world.warm()
    vault.rotate()

    def gone(arn: str) -> str:
        raise FatalError(f"The secret {arn} cannot be read (ResourceNotFoundException).")

    world.parts.read_secret = gone
    assert not world.captures("bob", OLD_PASSWORD)
    fault = next(line for line in world.log if line["outcome"] == "fault")
    assert "cannot be read" in fault["detail"]
    assert world.state(sub) is PersonState.PENDING


def test_a_secret_of_another_client_proves_nothing():
    """A secret that names another app client is a fault, and the old pool is not even asked."""
    world, vault, _ = with_vault()
    world.parts.settings = replace(world.parts.settings, client_id="another")
    world.precreate("bob")
    world.calls.clear()
    assert not world.captures("bob", OLD_PASSWORD)
    assert world.calls["old.AdminInitiateAuth"] == 0
    assert vault.client.secret not in str(world.log)


def test_what_cognito_tells_of_a_clients_secret():
    """A client whose secret is in Secrets Manager has one, though its value is not told."""
    told = {"ClientId": CLIENT, "ClientSecretArn": "arn:aws:secretsmanager:eu-west-1:111122223333:secret:x-AbCdEf"}
    managed = AppClient.from_api(told)
    assert (managed.has_secret, managed.secret, managed.secret_arn) == (True, None, told["ClientSecretArn"])
    assert AppClient.from_api({"ClientId": CLIENT, "ClientSecret": SECRET}).has_secret
    assert not AppClient.from_api({"ClientId": CLIENT}).has_secret


# With the sandbox's Secrets Manager: Cognito rotates a secret that it keeps there.

WEEK = 7 * 86_400


@pytest.fixture
def managed(monkeypatch):
    """A migration in which Cognito keeps the secret of the old app client; the function reads it over HTTP."""
    world = new_world(old_secret=True)
    client = {"UserPoolId": world.old_id, "ClientId": world.old_app}
    publish(world, published=True)
    arn = world.cognito.describe_user_pool_client(**client)["UserPoolClient"]["ClientSecretArn"]
    world.parts.settings = replace(world.parts.settings, client_secret_arn=arn)
    world.parts.read_secret = secret_text
    for name in ("ann", "bob", "cat"):
        world.add_old(name)
    world.publish()
    world.precreate("ann")
    world.precreate("bob")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    with Sandbox(cognito=world.local) as served:
        monkeypatch.setenv("AWS_ENDPOINT_URL_SECRETS_MANAGER", served.endpoint_url)
        yield world


def publish(world: World, *, published: bool) -> None:
    """Let Cognito keep the old app client's secret in Secrets Manager, or not any more."""
    world.cognito.update_user_pool_client(
        UserPoolId=world.old_id,
        ClientId=world.old_app,
        ExplicitAuthFlows=FLOWS,
        PublishSecretsInAWSSecretsManager=published,
    )


def test_a_secret_that_cognito_keeps_and_rotates(managed):
    """The secret of last week is still good; after the next rotation it is read again in the event that finds out."""
    assert managed.captures("ann", OLD_PASSWORD)
    assert managed.calls["old.AdminInitiateAuth"] == 1
    managed.local.world.clock.advance(WEEK)
    assert managed.captures("bob", OLD_PASSWORD)
    assert managed.calls["old.AdminInitiateAuth"] == 2
    managed.local.world.clock.advance(WEEK)
    assert managed.signs_in("cat", OLD_PASSWORD)
    assert managed.calls["old.AdminInitiateAuth"] == 4
    assert "fault" not in {line["outcome"] for line in managed.log}


def test_a_secret_that_cognito_keeps_no_more(managed):
    """A warm function goes on with the secret that it has; a cold one says which secret cannot be read."""
    assert managed.captures("ann", OLD_PASSWORD)
    publish(managed, published=False)
    assert managed.captures("bob", OLD_PASSWORD)
    managed.parts.forget_app()
    assert not managed.signs_in("cat", OLD_PASSWORD)
    assert managed.log[-1]["outcome"] == "fault"
    assert "secretsmanager" in managed.log[-1]["detail"]
