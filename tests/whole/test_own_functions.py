"""Functions of the customer's own on the new pool, met by whole commands."""

from __future__ import annotations

import pytest

from sandbox.cognito import shared
from sandbox.made_up.seed import PASSWORD, make_target
from sandbox.server import Sandbox

FUNCTION = "arn:aws:lambda:us-east-1:123456789012:function:{}"
USERS = 54


@pytest.fixture
def old_pool(client):
    """An old pool of more users than meet one cause in a row."""
    pool_id = client.create_user_pool(PoolName="plain")["UserPool"]["Id"]
    for number in range(USERS):
        whom = {"UserPoolId": pool_id, "Username": f"user{number:02}"}
        pairs = {"email": f"Ada.Lovelace{number:02}@Example.com", "phone_number": f"+49170123456{number:02}"}
        attributes = [{"Name": name, "Value": value} for name, value in pairs.items()]
        client.admin_create_user(**whom, UserAttributes=attributes, MessageAction="SUPPRESS")
        client.admin_set_user_password(**whom, Password=PASSWORD, Permanent=True)
    return pool_id


def parses_strictly(event, _):
    """Refuse whatever a model of the event does not know, as pydantic does, with what it was given."""
    email = event["request"]["userAttributes"]["email"]
    if event["triggerSource"] != "PreSignUp_SignUp":
        raise ValueError(
            "1 validation error for CognitoPreSignupTriggerModel\ntriggerSource\n  Input should be 'PreSignUp_SignUp' "
            f"[type=literal_error, input_value='{event['triggerSource']}', input_type=str]\n for {email.lower()} "
            f"{email[:12]} {event['request']['userAttributes']['phone_number'][1:]}"
        )
    return event


def test_a_function_that_refuses_every_creation_stops_the_run(client, old_pool, migration):
    """The run stops after 25 in a row with one sentence, marks nobody, and a rerun brings everybody."""
    shared().world.functions["strict"] = parses_strictly
    target = make_target(client, kind="plain")
    client.update_user_pool(UserPoolId=target, LambdaConfig={"PreSignUp": FUNCTION.format("strict")})
    with Sandbox() as server:
        moving = migration(old_pool, target, target_endpoint=server.endpoint_url)
        warned = moving("check").out
        assert "PreSignUp_AdminCreateUser" in warned
        assert "ok       sign-up" not in warned
        assert moving("scan").code == 0
        ended = moving("run", "--yes")
        assert ended.code == 3
        assert "on PreSignUp" in ended.err
        assert "PreSignUp_AdminCreateUser" in ended.err
        assert len([line for line in ended.err.splitlines() if "PreSignUp" in line]) == 1
        assert server.calls["AdminCreateUser"] == 25
        assert not server.created
        listed = moving("export", "failed", "--output", "-")
        assert "user" not in listed.out.partition("\n")[2]
        told = f"{ended.out}{ended.err}{listed.out}".lower()
        assert "lovelace" not in told
        assert "0123456" not in told

        client.update_user_pool(UserPoolId=target, LambdaConfig={})
        again = moving("run", "--yes", "--json")
        assert (again.code, again.json["done"], again.json["left"]) == (0, USERS, 0)


def test_one_user_whom_a_function_refuses_is_named_in_one_line(client, old_pool, migration):
    """A refusal that is one user's stays that user's, without a word of the function's."""

    def picky(event, context):
        return event if event["userName"] != "user07" else parses_strictly(event, context)

    shared().world.functions["picky"] = picky
    target = make_target(client, kind="plain")
    client.update_user_pool(UserPoolId=target, LambdaConfig={"PreSignUp": FUNCTION.format("picky")})
    with Sandbox() as server:
        moving = migration(old_pool, target, target_endpoint=server.endpoint_url)
        assert moving("scan").code == 0
        ended = moving("run", "--yes", "--json")
        assert (ended.code, ended.json["done"]) == (1, USERS - 1)
        (failure,) = ended.json["failures"]
        assert failure["username"] == "user07"
        assert "UserLambdaValidationException" in failure["reason"]
        assert "\n" not in failure["reason"]
        assert "lovelace" not in failure["reason"].lower()
