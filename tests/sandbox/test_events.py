"""The events that Lambda functions get."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import sample_triggers as sample
from live import create_user, listed
from signing_in import NEW_PASSWORD, PASSWORD, code_of, initiate, new_client, respond, set_password, sign_in

from sandbox.sign_in import managed_login

EVENTS = Path(__file__).parents[1] / "events"
NOT_OURS = {"TokenGeneration_AuthenticateDevice"}  # remembered devices
FREE = {"userAttributes", "validationData", "clientMetadata", "privateChallengeParameters"}

METADATA = {"device": "kiosk"}
VALIDATION = [{"Name": "captcha", "Value": "17"}]
TRIGGERS = {
    **dict.fromkeys(
        ("PreSignUp", "PreAuthentication", "PostAuthentication", "PostConfirmation", "PreTokenGeneration"),
        sample.pass_on,
    ),
    **sample.CHALLENGES,
    "UserMigration": sample.migrate,
}


def example(name):
    """Return the example of an event."""
    return json.loads((EVENTS / f"{name}.json").read_text(encoding="utf-8"))


def shape(value, name=""):
    """Return names and types, of maps with names of the app's own the types alone."""
    if isinstance(value, dict) and name in FREE:
        return {shape(item) for item in value.values()}
    if isinstance(value, dict):
        return {key: shape(item, key) for key, item in value.items()}
    if isinstance(value, list):
        return [shape(item) for item in value[:1]]
    return type(value).__name__


@dataclass
class Tour:
    """Everything that runs a trigger, with the app's data wherever it can be given."""

    cognito: Any
    local: Any
    pool_id: str
    client_id: str

    def sign_up(self):
        """Ann signs up and confirms."""
        ann = {"ClientId": self.client_id, "Username": "ann", "ClientMetadata": METADATA}
        address = listed({"email": "ann@example.com"})
        self.cognito.sign_up(**ann, Password=PASSWORD, UserAttributes=address, ValidationData=VALIDATION)
        self.cognito.confirm_sign_up(**ann, ConfirmationCode=code_of(self.local, self.pool_id, "ann"))

    def first_sign_in(self):
        """Bob is created, put into a group, and changes the temporary password."""
        options = {"ValidationData": VALIDATION, "ClientMetadata": METADATA}
        address = {"email": "bob@example.com"}
        create_user(self.cognito, self.pool_id, "bob", address, TemporaryPassword=PASSWORD, **options)
        group = {"UserPoolId": self.pool_id, "GroupName": "staff"}
        self.cognito.create_group(**group, RoleArn="arn:aws:iam::123456789012:role/staff")
        self.cognito.admin_add_user_to_group(**group, Username="bob")
        asked = sign_in(self.cognito, self.client_id, ClientMetadata=METADATA)
        respond(self.cognito, self.client_id, asked, {"NEW_PASSWORD": NEW_PASSWORD}, ClientMetadata=METADATA)

    def later_sign_ins(self):
        """Bob answers a challenge wrong, signs in, and refreshes."""
        asked = initiate(self.cognito, self.client_id, "CUSTOM_AUTH", {"USERNAME": "bob"})
        respond(self.cognito, self.client_id, asked, {"ANSWER": "herring"}, ClientMetadata=METADATA)
        answer = sign_in(self.cognito, self.client_id, password=NEW_PASSWORD, ClientMetadata=METADATA)
        token = answer["AuthenticationResult"]["RefreshToken"]
        initiate(self.cognito, self.client_id, "REFRESH_TOKEN_AUTH", {"REFRESH_TOKEN": token})

    def on_the_page(self):
        """Bob signs in on the page of managed login."""
        world = self.local.world
        with world.lock:
            managed_login.sign_in_with_password(world, self.client_id, "bob", NEW_PASSWORD)

    def take_over(self):
        """Carol is taken over at sign-in, is deleted, and is taken over when she forgets the password."""
        sign_in(self.cognito, self.client_id, "carol", sample.OLD_POOL["carol"], ClientMetadata=METADATA)
        self.cognito.admin_delete_user(UserPoolId=self.pool_id, Username="carol")
        carol = {"ClientId": self.client_id, "Username": "carol", "ClientMetadata": METADATA}
        self.cognito.forgot_password(**carol)
        code = code_of(self.local, self.pool_id, "carol")
        self.cognito.confirm_forgot_password(**carol, Password=NEW_PASSWORD, ConfirmationCode=code)


@pytest.fixture
def all_events(cognito, lambdas, local, new_pool):
    """One event of each source that the sandbox has, by the name of its example; bob's, who has groups, if there is."""
    pool_id = new_pool(LambdaConfig=lambdas.config(**TRIGGERS), AutoVerifiedAttributes=["email"])
    client_id = new_client(cognito, pool_id, PreventUserExistenceErrors="ENABLED")
    tour = Tour(cognito, local, pool_id, client_id)
    for step in (tour.sign_up, tour.first_sign_in, tour.on_the_page, tour.later_sign_ins, tour.take_over):
        step()
    of_bob_last = sorted(lambdas.events, key=lambda event: event["userName"] == "bob")
    found = {event["triggerSource"]: event for event in of_bob_last}
    second = {"LambdaArn": lambdas.arn("second", sample.pass_on), "LambdaVersion": "V2_0"}
    cognito.update_user_pool(UserPoolId=pool_id, LambdaConfig={"PreTokenGenerationConfig": second})
    sign_in(cognito, client_id, password=NEW_PASSWORD)
    return {**found, "TokenGeneration_Authentication_V2": lambdas.events[-1]}


def test_events_are_as_aws_makes_them(all_events):
    """Each event has the fields of AWS's for its source, with values of the same types."""
    names = {path.stem for path in EVENTS.glob("*.json")} - NOT_OURS
    assert all_events.keys() == names
    assert {name: shape(all_events[name]) for name in names} == {name: shape(example(name)) for name in names}


@pytest.mark.parametrize("name", sorted(NOT_OURS))
def test_events_of_other_ways_to_sign_in_look_alike(name):
    """TokenGeneration events of remembered devices differ in their source alone."""
    event = example(name)
    assert event.pop("triggerSource") == name
    usual = example("TokenGeneration_Authentication")
    del usual["triggerSource"]
    assert event == usual


def test_an_event_says_what_is_missing(cognito, lambdas, new_pool):
    """A required attribute that nobody gave reads `cognito:default_val` in events, and is not kept."""
    pool_id = new_pool(
        Schema=[{"Name": "name", "Required": True, "Mutable": True}],
        LambdaConfig=lambdas.config(PostAuthentication=sample.pass_on),
    )
    create_user(cognito, pool_id, "bob")
    set_password(cognito, pool_id, "bob")
    sign_in(cognito, new_client(cognito, pool_id))
    request = lambdas.request("PostAuthentication_Authentication")
    assert request["userAttributes"]["name"] == "cognito:default_val"
    user = cognito.admin_get_user(UserPoolId=pool_id, Username="bob")
    assert [item["Name"] for item in user["UserAttributes"]] == ["sub"]
