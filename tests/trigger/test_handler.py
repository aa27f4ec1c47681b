"""The function as Lambda calls it: routes, settings, faults and what is agreed on."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from ledgers import new_table
from mishaps import error_of, on, raising, refusal
from signing_in import FLOWS, claims
from triggering import MARKER, OLD_PASSWORD, new_world

from batch.ledger.ledger import BatchLedger
from trigger.deadline import Deadline
from trigger.handler import ROUTES, Handler, handler
from trigger.outcome import DeniedError, RefusalError
from trigger.parts import Parts, Work
from trigger.settings import TriggerSettings
from userpool.errors import FatalError, SettingsError
from userpool.ledger_table import LedgerTable, Write
from userpool.person import Person, PersonState
from userpool.pool import UserPool
from userpool.settings import Rules
from userpool.terms import Terms

NEEDED = {
    "SOURCE_USER_POOL_ID": "eu-west-1_OLD",
    "TARGET_USER_POOL_ID": "eu-central-1_NEW",
    "LEDGER_TABLE": "cognito-migration",
}
ALL = {
    **NEEDED,
    "SOURCE_REGION": "eu-west-1",
    "SOURCE_CLIENT_ID": "client",
    "SOURCE_CLIENT_SECRET_ARN": "arn:aws:secretsmanager:eu-west-1:1:secret:a",
    "SOURCE_ROLE_ARN": "arn:aws:iam::1:role/old",
    "SOURCE_EXTERNAL_ID": "external",
    "SOURCE_ENDPOINT_URL": "http://127.0.0.1:1",
    "TARGET_ENDPOINT_URL": "http://127.0.0.1:2",
    "LEDGER_ENDPOINT_URL": "http://127.0.0.1:3",
    "RULES": '{"groups": {"drop": ["old"]}}',
    "MFA_USERS": "capture",
    "FORGOT_PASSWORD": "off",
}


def test_settings_from_the_environment():
    """Every variable of the environment is read."""
    settings = TriggerSettings.of(ALL)
    source, target, ledger = settings.source, settings.target, settings.ledger
    assert (source.user_pool_id, source.region, source.role_arn) == (
        "eu-west-1_OLD",
        "eu-west-1",
        ALL["SOURCE_ROLE_ARN"],
    )
    assert (source.external_id, source.endpoint_url) == ("external", "http://127.0.0.1:1")
    assert (target.user_pool_id, target.endpoint_url) == ("eu-central-1_NEW", "http://127.0.0.1:2")
    assert (ledger.table, ledger.endpoint_url) == ("cognito-migration", "http://127.0.0.1:3")
    assert (settings.client_id, settings.client_secret_arn) == ("client", ALL["SOURCE_CLIENT_SECRET_ARN"])
    assert settings.rules.groups.drop == ("old",)
    assert (settings.mfa_users, settings.forgot_password) == ("capture", "off")


def test_settings_by_default():
    """Three variables are enough: MFA users reset, forgot-password works, the rules and regions are the batch's."""
    settings = TriggerSettings.of({**NEEDED, "RULES": "", "SOURCE_ROLE_ARN": "", "SOURCE_ENDPOINT_URL": ""})
    assert (settings.mfa_users, settings.forgot_password) == ("reset", "on")
    assert (settings.rules, settings.client_id, settings.source.role_arn) == (None, None, None)
    assert (settings.source.region_name, settings.ledger.region) == ("eu-west-1", "eu-central-1")


@pytest.mark.parametrize("name", NEEDED)
@pytest.mark.parametrize("value", [None, ""])
def test_a_missing_variable_is_named(name, value):
    """A variable that is missing or empty is named."""
    environment = {key: given for key, given in NEEDED.items() if key != name} | (
        {} if value is None else {name: value}
    )
    with pytest.raises(SettingsError, match=name):
        TriggerSettings.of(environment)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MFA_USERS", "ignore"),
        ("FORGOT_PASSWORD", "yes"),
        ("RULES", "{not json"),
        ("RULES", '{"groups": {"dropped": []}}'),
        ("RULES", "[]"),
    ],
)
def test_a_wrong_value_is_named(name, value):
    """A variable with a value that cannot be is named."""
    with pytest.raises(SettingsError, match=name):
        TriggerSettings.of({**NEEDED, name: value})


@pytest.mark.parametrize("name", ["SOURCE_USER_POOL_ID", "TARGET_USER_POOL_ID", "SOURCE_ENDPOINT_URL", "LEDGER_TABLE"])
def test_a_value_that_nothing_can_have_is_refused(name):
    """An impossible pool, endpoint or table is refused before any call."""
    with pytest.raises(SettingsError):
        TriggerSettings.of({**NEEDED, name: "?"})


def test_without_settings_every_event_is_denied(monkeypatch, capsys):
    """A function that is set up wrongly denies what it knows, tells why in the log, and nothing to the user."""
    for name in ALL:
        monkeypatch.delenv(name, raising=False)
    for source in ROUTES:
        with pytest.raises(DeniedError, match=r"^This is not possible at the moment\.$"):
            handler({"triggerSource": source, "userPoolId": "eu-west-1_NEW", "request": {}, "response": {}}, None)
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["source"] for line in lines] == list(ROUTES)
    assert all("SOURCE_USER_POOL_ID" in line["detail"] or "TARGET_USER_POOL_ID" in line["detail"] for line in lines)


@pytest.mark.parametrize("source", ["CustomMessage_SignUp", "PreAuthentication_Authentication", "", None])
def test_an_unknown_source_passes_untouched(monkeypatch, capsys, source):
    """An event of a source that the function does not know, and that is no token's, comes back, set up or not."""
    for name in ALL:
        monkeypatch.delenv(name, raising=False)
    event = {"triggerSource": source, "userPoolId": "another", "request": {"a": 1}, "response": {"b": None}}
    assert handler(json.loads(json.dumps(event)), None) == event
    assert Handler(new_world().parts)(json.loads(json.dumps(event)), None) == event
    assert handler({}, None) == {}
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("named", [{}, {"userName": None}, {"userName": "bob"}], ids=["absent", "null", "a name"])
def test_a_token_of_no_user_passes_untouched(world, named):
    """An app's own token is given, published or not: it is no user's (event V3_0; @types/aws-lambda 8.10.164)."""
    event = {"version": "3", "triggerSource": "TokenGeneration_ClientCredentials", "userPoolId": world.new_id, **named}
    event |= {"request": {"scopes": ["orders/read"]}, "response": {"claimsAndScopeOverrideDetails": None}}
    assert world.handler(json.loads(json.dumps(event)), None) == event


def test_a_handler_of_ones_own_may_call_ours(world):
    """An app's function changes what ours returned, and Cognito takes both."""
    world.add_old("bob", groups=["admins"])
    world.publish()
    ours = world.handler

    def own(event, context):
        event = ours(event, context)
        if event["triggerSource"].startswith("TokenGeneration"):
            event["response"]["claimsOverrideDetails"]["claimsToAddOrOverride"] = {"plan": "gold"}
        return event

    world.handler = own
    token = claims(world.sign_in("bob", OLD_PASSWORD))
    assert (token["plan"], token["cognito:groups"]) == ("gold", ["admins"])


@pytest.fixture
def environment(sandbox, client):
    """The environment of a function that works on a server, with bob published."""
    old, new = (
        client.create_user_pool(
            PoolName=name,
            Schema=[{"Name": "legacy_sub", "AttributeDataType": "String"}],
            UsernameConfiguration={"CaseSensitive": False},
        )["UserPool"]["Id"]
        for name in ("old", "new")
    )
    app = client.create_user_pool_client(UserPoolId=old, ClientName="old", ExplicitAuthFlows=FLOWS)
    client.admin_create_user(UserPoolId=old, Username="bob", UserAttributes=[{"Name": "email", "Value": "b@x.com"}])
    client.admin_set_user_password(UserPoolId=old, Username="bob", Password=OLD_PASSWORD, Permanent=True)
    table, described = new_table(), UserPool(client, new).describe()
    terms = Terms(old, new, MARKER, described.sign_in, described.schema, Rules(), table.identity(), "a key")
    terms.save(table)
    sub = UserPool(client, old).find("bob").sub
    person = Person(sub, PersonState.KNOWN, username="bob", name="bob", locks=frozenset({terms.lock("bob")}))
    assert BatchLedger(table).publish([person]) == []
    return {
        "SOURCE_USER_POOL_ID": old,
        "TARGET_USER_POOL_ID": new,
        "SOURCE_CLIENT_ID": app["UserPoolClient"]["ClientId"],
        "LEDGER_TABLE": table.name,
        **dict.fromkeys(("SOURCE_ENDPOINT_URL", "TARGET_ENDPOINT_URL", "LEDGER_ENDPOINT_URL"), sandbox.endpoint_url),
    }


def test_the_function_works_as_it_is_deployed(environment):
    """With nothing but its environment, `trigger.handler.handler` migrates a user and writes one line."""
    event = {
        "version": "1",
        "triggerSource": "UserMigration_Authentication",
        "userPoolId": environment["TARGET_USER_POOL_ID"],
        "userName": "bob",
        "request": {"password": OLD_PASSWORD},
        "response": {"userAttributes": None, "finalUserStatus": None},
    }
    program = (
        "import json, sys; from trigger.handler import handler; event = json.load(sys.stdin);"
        "handler(json.loads(json.dumps(event)), None); print(json.dumps(handler(event, None)['response']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        input=json.dumps(event),
        env={"PATH": os.environ["PATH"], **environment},
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
    )
    first, again, response = (json.loads(line) for line in done.stdout.splitlines())
    assert [first["outcome"], again["outcome"]] == ["migrated", "migrated"]
    assert response["finalUserStatus"] == "CONFIRMED"
    assert response["userAttributes"]["email"] == "b@x.com"
    assert done.stderr == ""


def test_a_mistake_of_ours_tells_nobody_anything(world):
    """An error that nobody foresaw denies the event; the log says its type and place, not its words."""
    world.add_old("bob")
    world.publish()
    stranger = error_of(world.sign_in, "stranger", OLD_PASSWORD)
    on(world.source_client, "AdminInitiateAuth", raising(KeyError("bob@x.com")))
    assert error_of(world.sign_in, "bob", OLD_PASSWORD) == stranger
    line = world.log[-1]
    assert (line["outcome"], line["reason"]) == ("fault", "KeyError")
    assert line["detail"].startswith("mishaps.py, line ")
    with pytest.raises(DeniedError) as caught:
        world.send(world.event("UserMigration_Authentication", "bob", password=OLD_PASSWORD))
    assert str(caught.value) == "This is not possible at the moment."
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


@pytest.mark.parametrize("request_", [[], "text"])
@pytest.mark.parametrize("source", ["TokenGeneration_Authentication", "PreSignUp_SignUp"])
def test_an_event_that_is_not_as_cognito_makes_it_is_denied(world, source, request_):
    """An event whose request is no object is a fault, and denied."""
    event = {"triggerSource": source, "userPoolId": world.new_id, "userName": "bob", "request": request_ or [1]}
    with pytest.raises(DeniedError):
        world.send(event)
    assert world.log[-1]["reason"] == "AttributeError"


# What batch and trigger agreed on.


def test_before_anything_is_published_everybody_is_refused():
    """A ledger without terms refuses sign-ins, tokens and sign-ups."""
    world = new_world()
    world.add_old("bob")
    parts = Parts(world.parts.settings, world.parts.source, world.parts.target, new_table(), clock=world.parts.clock)
    with pytest.raises(RefusalError, match="nothing-published"):
        parts.terms()
    world.handler = Handler(parts, say=lambda line: world.log.append(json.loads(line)))
    assert not world.signs_in("bob", OLD_PASSWORD)
    assert world.reasons() == ["nothing-published"]


@pytest.mark.parametrize("pool", ["source_pool_id", "target_pool_id"])
def test_the_ledger_of_other_pools_is_refused(world, pool):
    """A ledger that was written for another old or new pool is a fault that names the setting."""
    world.add_old("bob")
    world.publish()
    there = json.loads(world.table.get("terms")["terms"])
    world.table.write(Write("terms", item={"terms": json.dumps(there | {pool: "eu-west-1_X"})}))
    assert not world.signs_in("bob", OLD_PASSWORD)
    assert "LEDGER_TABLE" in world.log[0]["detail"]
    assert world.new_users() == []


def test_terms_that_cannot_be_read_are_a_fault(world):
    """A ledger with other content than the batch writes refuses everybody, and the log says what to do."""
    world.add_old("bob")
    world.publish()
    world.table.write(Write("terms", item={"terms": "{"}))
    assert not world.signs_in("bob", OLD_PASSWORD)
    assert "cognito-migrate run" in world.log[0]["detail"]


@pytest.mark.parametrize("warm", [True, False])
def test_a_restored_ledger_is_refused(world, warm):
    """A copy of the ledger is a fault until the batch has closed who was open, for a warm function a minute later."""
    world.add_old("bob")
    world.publish()
    if warm:
        world.warm()
    world.save_terms(table="another table")
    world.local.world.clock.advance(61)
    assert not world.signs_in("bob", OLD_PASSWORD)
    assert "is a copy" in world.log[-1]["detail"]
    world.save_terms()
    assert world.signs_in("bob", OLD_PASSWORD)


def test_a_ledger_restored_under_its_old_name_is_refused(world):
    """A warm function notices within a minute that the table is another one with the same content."""
    world.add_old("bob")
    world.publish()
    world.warm()
    items = [item for page in world.table.items("") for item in page]
    client = world.ledger_client
    client.delete_table(TableName=world.table.name)
    world.table.create()
    for item in items:
        world.table.write(Write(item["id"], item={key: value for key, value in item.items() if key != "id"}))
    world.local.world.clock.advance(61)
    assert not world.signs_in("bob", OLD_PASSWORD)
    assert "is a copy" in world.log[-1]["detail"]


def test_terms_are_read_again_after_a_minute(world):
    """What the batch changes holds for warm functions a minute later, and not before."""
    world.add_old("bob")
    world.publish()
    first = world.parts.terms()
    world.save_terms(finished=True)
    world.local.world.clock.advance(59)
    assert world.parts.terms() is first
    world.local.world.clock.advance(2)
    assert world.parts.terms().finished


def test_terms_that_cannot_be_read_again_are_not_relied_upon(world):
    """Once a minute is over, a ledger that does not answer is a fault, not the terms of before."""
    world.parts.terms()
    world.local.world.clock.advance(61)
    on(world.ledger_client, "GetItem", raising(refusal("AccessDeniedException")))
    with pytest.raises(FatalError):
        world.parts.terms()


def test_the_functions_own_rules_go_before_the_batchs():
    """RULES decides what crosses; the marker stays the batch's."""
    rules = json.dumps({"groups": {"drop": ["old"]}, "users": {"keep_sub_as": "custom:tenant"}})
    world = new_world(environment={"RULES": rules})
    sub = world.add_old("bob", groups=["old", "admins"])
    world.publish()
    world.sign_in("bob", OLD_PASSWORD)
    assert world.new_groups("bob") == {"admins"}
    assert world.new_user("bob")["attributes"][MARKER] == sub
    assert "custom:tenant" not in world.new_user("bob")["attributes"]


def test_a_function_without_an_app_client_proves_nothing():
    """The gate function has no app client: a password that comes to it is a fault that names the setting."""
    world = new_world(environment={"SOURCE_CLIENT_ID": ""})
    world.add_old("bob")
    world.publish()
    assert not world.signs_in("bob", OLD_PASSWORD)
    assert "SOURCE_CLIENT_ID" in world.log[0]["detail"]
    assert world.calls["old.AdminInitiateAuth"] == 0


def test_a_missing_table_is_a_fault():
    """A ledger that is not there refuses everybody, and the log says how to make it."""
    world = new_world()
    table = LedgerTable(world.ledger_client, "no-such-table")
    parts = Parts(world.parts.settings, world.parts.source, world.parts.target, table, clock=world.parts.clock)
    world.handler = Handler(parts, say=lambda line: world.log.append(json.loads(line)))
    assert not world.signs_in("bob", OLD_PASSWORD)
    assert "cognito-migrate check" in world.log[0]["detail"]


def test_an_event_is_in_no_repr(world):
    """What is worked on may stand in a traceback; the event, with its password, does not."""
    event = world.event("UserMigration_Authentication", "bob", password=OLD_PASSWORD)
    assert OLD_PASSWORD not in repr(Work.of(event, Deadline(None), world.parts))


def test_a_role_that_cannot_be_assumed_tells_the_caller_nothing(monkeypatch, capsys):
    """A failure while the parts are made is in the log, and Cognito hears that it is not possible."""
    for name, value in {**NEEDED, "SOURCE_ROLE_ARN": "arn:aws:iam::123456789012:role/reader"}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(DeniedError) as caught:
        handler({"triggerSource": "UserMigration_Authentication", "request": {}, "response": {}}, None)
    assert "reader" not in str(caught.value)
    assert json.loads(capsys.readouterr().out)["outcome"] == "fault"
