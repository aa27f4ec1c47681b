"""What an answer has and the service model does not: the parser drops it, and it is named all the same."""

from __future__ import annotations

import json

import botocore.session
import pytest

from userpool.answers.parser import StrictFactory
from userpool.answers.unknown import UNKNOWN, unknown_members

MODEL = botocore.session.Session().get_service_model("cognito-idp")
DESCRIBED = MODEL.operation_model("DescribeUserPool").output_shape
POOL = DESCRIBED.members["UserPool"]
# What an update cannot be given, because the pool was made with it or Cognito works it out.
READ_ONLY = {
    *("Id", "Name", "Arn", "Status", "CreationDate", "LastModifiedDate", "EstimatedNumberOfUsers"),
    *("SchemaAttributes", "AliasAttributes", "UsernameAttributes", "UsernameConfiguration", "Domain", "CustomDomain"),
    *("SmsConfigurationFailure", "EmailConfigurationFailure"),
}


@pytest.mark.parametrize(
    ("pool", "names"),
    [
        ({"Id": "p", "Rounds": 7}, ["Rounds"]),
        ({"Policies": {"PasswordPolicy": {"MinimumLength": 8, "Rounds": 7}}}, ["Policies.PasswordPolicy.Rounds"]),
        ({"LambdaConfig": {"PreSleep": "arn", "PreSignUp": "arn"}}, ["LambdaConfig.PreSleep"]),
        ({"SchemaAttributes": [{"Name": "a"}, {"Name": "b", "Hidden": True}]}, ["SchemaAttributes.Hidden"]),
        ({"Rounds": {"Of": {"What": 1}}, "Turns": False}, ["Rounds", "Turns"]),
        ({"UserPoolTags": {"Rounds": "7"}}, []),
        ({"Rounds": None}, []),
        ({"ada@example.com": 1}, ["a member whose name is none"]),
    ],
    ids=json.dumps,
)
def test_what_the_model_lacks_is_named_at_every_depth(pool, names):
    """Each unknown member is named by its path, no value is, and neither a tag nor what is null is one."""
    assert [*unknown_members(POOL, pool)] == names


def test_the_parser_tells_what_it_drops():
    """An answer of DescribeUserPool says what botocore has left out of it, and one that is whole says nothing."""

    def parsed(pool):
        body = json.dumps({"UserPool": {"Id": "p", **pool}}).encode()
        response = {"status_code": 200, "headers": {}, "body": body, "context": {}}
        return StrictFactory().create_parser("json").parse(response, DESCRIBED)

    assert parsed({"UserPoolAddOns": {"Guard": "ON"}})[UNKNOWN] == ["UserPool.UserPoolAddOns.Guard"]
    assert UNKNOWN not in parsed({"UserPoolAddOns": {"AdvancedSecurityMode": "OFF"}})


def test_every_setting_that_is_described_can_be_given_to_an_update():
    """A setting that a newer boto3 describes and its update does not take, at any depth, is noticed here."""
    accepted = MODEL.operation_model("UpdateUserPool").input_shape.members
    assert POOL.members.keys() - accepted.keys() == READ_ONLY
    for name in POOL.members.keys() & accepted.keys():
        assert [*described_only(POOL.members[name], accepted[name])] == []


def described_only(described, accepted, path=""):
    """The members of one structure that the other lacks."""
    if described.name != accepted.name and described.type_name == "structure":
        for name, member in described.members.items():
            if name in accepted.members:
                yield from described_only(member, accepted.members[name], f"{path}.{name}")
            else:
                yield f"{path}.{name}"
