"""Who may call the function, and the secret that it reads: with a stand-in for Lambda and Secrets Manager."""

from __future__ import annotations

import json

import pytest
from function_policy import ALLOWS, FUNCTION, policy

from userpool.client import secret_text
from userpool.errors import FatalError, NotAllowedError
from userpool.function import lets_in, resource_policy
from userpool.settings import PoolSettings

POOL_ARN = "arn:aws:cognito-idp:eu-west-1:123456789012:userpool/eu-west-1_AbCdEf123"
SECRET = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:old-client"
OWNER = PoolSettings("eu-west-1_AbCdEf123")


def test_a_policy_is_read(aws):
    """The policy of the function is asked for by its ARN."""
    aws["body"] = {"Policy": "{}"}
    assert resource_policy(FUNCTION, OWNER) == "{}"
    assert "function%3Acapture" in aws["asked"][0]


def test_a_function_without_a_policy_or_none_at_all(aws):
    """Lambda answers the same for both, and for both it is true that nobody may call it."""
    aws.update(status=404, body={"__type": "ResourceNotFoundException"})
    assert resource_policy(FUNCTION, OWNER) is None


@pytest.mark.parametrize(
    ("code", "kind"), [("AccessDeniedException", NotAllowedError), ("InvalidParameterValueException", FatalError)]
)
def test_a_policy_that_is_not_told(aws, code, kind):
    """Not to be allowed to ask is told apart from all else, and names the call."""
    aws.update(status=403, body={"__type": code})
    with pytest.raises(FatalError, match="lambda:GetPolicy") as raised:
        resource_policy(FUNCTION, OWNER)
    assert type(raised.value) is kind


def test_a_policy_where_nobody_answers(aws, monkeypatch):
    """A network that does not get there is one sentence."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_LAMBDA", "http://127.0.0.1:9")
    with pytest.raises(FatalError, match="network"):
        resource_policy(FUNCTION, OWNER)


def test_a_stand_in_has_no_lambda():
    """For a pool on this machine nobody is asked."""
    with pytest.raises(FatalError, match="stand-in"):
        resource_policy(FUNCTION, PoolSettings("eu-west-1_AbCdEf123", endpoint_url="http://127.0.0.1:5000"))


def test_a_secret_is_read_with_the_credentials_of_a_pool(aws, monkeypatch, tmp_path):
    """A pool's profile counts for the secret beside it, and its endpoint does not."""
    profiles = tmp_path / "profiles"
    profiles.write_text("[profile owner]\naws_access_key_id = OWNER\naws_secret_access_key = s\n", encoding="utf-8")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(profiles))
    aws["body"] = {"SecretString": "the secret"}
    owner = PoolSettings("eu-west-1_AbCdEf123", profile="owner", endpoint_url="http://127.0.0.1:9")
    assert secret_text(SECRET, owner) == secret_text(SECRET) == "the secret"


@pytest.mark.parametrize(
    ("code", "kind"), [("AccessDeniedException", NotAllowedError), ("ResourceNotFoundException", FatalError)]
)
def test_a_secret_that_cannot_be_read(aws, code, kind):
    """A secret that these credentials may not read is told apart from one that is not there."""
    aws.update(status=400, body={"__type": code})
    with pytest.raises(FatalError, match=code) as raised:
        secret_text(SECRET)
    assert type(raised.value) is kind


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, True),
        ({"Principal": {"Service": ["s3.amazonaws.com", "cognito-idp.amazonaws.com"]}}, True),
        ({"Principal": "*"}, True),
        ({"Principal": {"AWS": "arn:aws:iam::123456789012:root"}}, False),
        ({"Principal": {"Service": "s3.amazonaws.com"}}, False),
        ({"Action": ["lambda:GetFunction", "lambda:Invoke*"]}, True),
        ({"Action": "lambda:GetFunction"}, False),
        ({"Condition": {"ArnLike": {"AWS:SourceArn": POOL_ARN}}}, True),
        ({"Condition": {"ArnLike": {"AWS:SourceArn": "arn:aws:cognito-idp:*:*:userpool/*"}}}, True),
        ({"Condition": {"ArnLike": {"AWS:SourceArn": f"{POOL_ARN}4"}}}, False),
        ({"Condition": {"StringEquals": {"AWS:SourceAccount": "123456789012"}}}, True),
        ({"Condition": {"StringEquals": {"AWS:SourceAccount": "999999999999"}}}, False),
        ({"Condition": {"StringEquals": {"aws:PrincipalOrgID": "o-1"}}}, False),
        ({"Condition": {"ArnNotLike": {"AWS:SourceArn": POOL_ARN}}}, False),
    ],
)
def test_who_a_policy_lets_in(changes, expected):
    """A statement counts for the pool if principal, action and every condition fit."""
    assert lets_in(policy(ALLOWS | changes), POOL_ARN) is expected


def test_a_denial_counts_more_and_an_empty_policy_allows_nothing():
    """One statement that denies is enough, and none that allows is too little."""
    assert not lets_in(policy(ALLOWS, ALLOWS | {"Effect": "Deny"}), POOL_ARN)
    assert not lets_in(policy(), POOL_ARN)
    assert lets_in(json.dumps({"Statement": ALLOWS}), POOL_ARN)
