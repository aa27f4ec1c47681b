"""deploy/trigger.yaml and deploy/source-role.yaml grant what the code calls, and set what it reads."""

from __future__ import annotations

import json
import re

import pytest
from templates import ACCOUNT, DEPLOY, NEW, OLD, Stack, stack, template

from batch.check.permissions import COMMANDS, FUNCTIONS, LAMBDA, Needed, Resource, together
from batch.lambda_trigger.attach import SOURCES
from batch.lambda_trigger.package import HANDLER, environment
from batch.settings.config import Config
from trigger.deadline import COGNITO_SECONDS
from trigger.handler import ROUTES
from trigger.settings import TriggerSettings
from userpool.function import lets_in
from userpool.ledger_table import KEY
from userpool.settings import LedgerSettings, PoolSettings

OTHER_ACCOUNT, EXTERNAL_ID = "210987654321", "a-text-of-our-own"
SECRET = "arn:aws:secretsmanager:us-east-1:123456789012:secret:old-client-AbCdEf"
NEW_POOL_ARN = f"arn:aws:cognito-idp:us-east-1:{ACCOUNT}:userpool/{NEW}"
CAPTURE_ALONE = {"SOURCE_CLIENT_ID", "SOURCE_CLIENT_SECRET_ARN", "MFA_USERS", "FORGOT_PASSWORD"}
LOGICAL = {"capture": "Capture", "gate": "Gate"}


def other_account(**parameters: str) -> Stack:
    """The trigger's stack, with the old pool in another account."""
    return stack(SourceAccount=OTHER_ACCOUNT, SourceExternalId=EXTERNAL_ID, **parameters)


def source_roles(trigger: Stack) -> Stack:
    """The stack in that other account."""
    made = trigger.outputs()
    given = {
        "SourceUserPoolId": OLD,
        "ExternalId": EXTERNAL_ID,
        "CaptureRoleArn": made["CaptureRoleArn"],
        "GateRoleArn": made["GateRoleArn"],
        "JobRoleArn": f"arn:aws:iam::{ACCOUNT}:role/the-job",
    }
    return Stack("source-role.yaml", given, account=OTHER_ACCOUNT)


def granted(made: Stack, role: str) -> dict[str, set[str]]:
    """The actions of a role by what they are allowed on; every statement allows, and under no condition."""
    found: dict[str, set[str]] = {}
    for where, policy in made.policies():
        if where.startswith(f"{role}/"):
            for one in policy["Statement"]:
                assert set(one) == {"Sid", "Effect", "Action", "Resource"}
                assert one["Effect"] == "Allow"
                found.setdefault(one["Resource"], set()).update(one["Action"])
    return found


def on(needed: Needed, arns: dict[Resource, str]) -> dict[str, set[str]]:
    """What is needed, by ARN."""
    assert set(needed) <= set(arns)
    return {arns[resource]: set(actions) for resource, actions in needed.items() if arns[resource]}


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize("secret", ["none", "new", SECRET], ids=["no secret", "a new secret", "a secret"])
def test_a_role_grants_what_its_function_calls(function, secret):
    """Each role is granted what the function calls, on exactly that pool, table, secret and log, and nothing else."""
    made = stack(SourceClientSecret=secret)
    arns = {
        Resource.SOURCE: f"arn:aws:cognito-idp:us-east-1:{ACCOUNT}:userpool/{OLD}",
        Resource.TARGET: NEW_POOL_ARN,
        Resource.LEDGER: f"arn:aws:dynamodb:us-east-1:{ACCOUNT}:table/cognito-migration",
        Resource.SECRET: made.outputs().get("SecretToFillIn", SECRET) if secret != "none" else "",
        Resource.LOG: f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group:/aws/lambda/migration-{function}:*",
        Resource.ROLE: "",
    }
    assert granted(made, f"{LOGICAL[function]}Role") == on(together(FUNCTIONS[function], LAMBDA), arns)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_role_for_an_old_pool_of_another_account(function):
    """There each role may assume the other account's role of its own, instead of what that one may."""
    made = other_account()
    rest = {resource: actions for resource, actions in FUNCTIONS[function].items() if resource is not Resource.SOURCE}
    arns = {
        Resource.TARGET: NEW_POOL_ARN,
        Resource.LEDGER: f"arn:aws:dynamodb:us-east-1:{ACCOUNT}:table/cognito-migration",
        Resource.SECRET: "",
        Resource.LOG: f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group:/aws/lambda/migration-{function}:*",
        Resource.ROLE: f"arn:aws:iam::{OTHER_ACCOUNT}:role/cognito-migrate-{OLD}-{function}",
    }
    assert granted(made, f"{LOGICAL[function]}Role") == on(together(rest, LAMBDA), arns)


@pytest.mark.parametrize("role", ["capture", "gate", "job"])
def test_a_role_of_the_other_account(role):
    """Each is named as is expected, trusts one role with the external id, and may what that one calls there."""
    trigger = other_account()
    made = source_roles(trigger)
    logical = f"{role.capitalize()}Role"
    properties = made.resources("AWS::IAM::Role")[logical]
    caller = {**trigger.outputs(), "JobRoleArn": f"arn:aws:iam::{ACCOUNT}:role/the-job"}[f"{logical}Arn"]
    assert properties["RoleName"] == f"cognito-migrate-{OLD}-{role}"
    assert properties["AssumeRolePolicyDocument"]["Statement"] == [
        {
            "Effect": "Allow",
            "Principal": {"AWS": caller},
            "Action": "sts:AssumeRole",
            "Condition": {"StringEquals": {"sts:ExternalId": EXTERNAL_ID}},
        }
    ]
    needed = {**FUNCTIONS, "job": COMMANDS["sync"]}[role]
    there = {resource: needed[resource] for resource in (Resource.SOURCE, Resource.ACCOUNT) if resource in needed}
    pool = f"arn:aws:cognito-idp:us-east-1:{OTHER_ACCOUNT}:userpool/{OLD}"
    assert granted(made, logical) == on(there, {Resource.SOURCE: pool, Resource.ACCOUNT: "*"})


def test_another_account_asks_for_an_external_id():
    """CloudFormation refuses the stack where an account is named and no external id."""
    (rule,) = stack().template["Rules"].values()
    (assertion,) = rule["Assertions"]
    for made, refused in ((stack(SourceAccount=OTHER_ACCOUNT), True), (other_account(), False), (stack(), False)):
        assert (made.resolve(rule["RuleCondition"]) and not made.resolve(assertion["Assert"])) is refused


def test_only_the_roles_that_are_asked_for():
    """Without the ARN of who assumes it, a role is not made: IAM would trust nobody, or everybody."""
    made = Stack("source-role.yaml", {"SourceUserPoolId": OLD, "ExternalId": EXTERNAL_ID})
    assert made.resources("AWS::IAM::Role") == {}


def test_only_lambda_takes_the_functions_roles():
    """Nobody but Lambda can act as a function's role."""
    for role in stack().resources("AWS::IAM::Role").values():
        (statement,) = role["AssumeRolePolicyDocument"]["Statement"]
        assert statement == {
            "Effect": "Allow",
            "Principal": {"Service": "lambda.amazonaws.com"},
            "Action": "sts:AssumeRole",
        }


def variables(made: Stack, function: str) -> dict[str, str]:
    """The environment of a function."""
    found: dict[str, str] = made.resources("AWS::Lambda::Function")[LOGICAL[function]]["Environment"]["Variables"]
    return found


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize("other", [False, True], ids=["one account", "another account"])
def test_the_environment_is_what_the_package_needs(function, *, other):
    """Each function has what `trigger package` names, and *capture* alone the old app client and its secret."""
    made = other_account(SourceClientSecret=SECRET) if other else stack(SourceClientSecret=SECRET)
    role = f"arn:aws:iam::{OTHER_ACCOUNT}:role/cognito-migrate-{OLD}-{function}"
    source = PoolSettings(OLD, role_arn=role, external_id=EXTERNAL_ID) if other else PoolSettings(OLD)
    configured = Config(source=source, target=PoolSettings(NEW), ledger=LedgerSettings("cognito-migration"))
    wanted = environment(configured) | {
        "SOURCE_CLIENT_ID": "4k2vexample1h6c1b0pq9m3rtd",
        "SOURCE_CLIENT_SECRET_ARN": SECRET,
    }
    if function == "gate":
        wanted = {name: value for name, value in wanted.items() if name not in CAPTURE_ALONE}
    assert variables(made, function) == wanted
    settings = TriggerSettings.of(variables(made, function))
    assert (settings.source.role_arn, settings.source.external_id) == (source.role_arn, source.external_id)
    assert settings.ledger == LedgerSettings("cognito-migration", region="us-east-1")


def test_the_functions_are_as_the_guide_says():
    """Both are the one zip with its handler, 512 MB, arm64, Cognito's five seconds; *capture* alone is capped."""
    functions = stack(CaptureConcurrency="20").resources("AWS::Lambda::Function")
    for one in functions.values():
        assert one["Code"] == {"S3Bucket": "packages", "S3Key": "trigger.zip"}
        assert (one["Handler"], one["MemorySize"], one["Timeout"]) == (HANDLER, 512, COGNITO_SECONDS)
        assert one["Architectures"] == ["arm64"]
    assert {name: one.get("ReservedConcurrentExecutions") for name, one in functions.items()} == {
        "Capture": "20",
        "Gate": None,
    }


@pytest.mark.parametrize("function", FUNCTIONS)
def test_only_the_new_pool_may_call_them(function):
    """What the permission becomes in the function's policy lets in the new pool of this account, and no other."""
    permission = stack().resources("AWS::Lambda::Permission")[f"{LOGICAL[function]}ForThePool"]
    policy = {
        "Statement": [
            {
                "Effect": "Allow",
                "Action": permission["Action"],
                "Principal": {"Service": permission["Principal"]},
                "Condition": {
                    "ArnLike": {"AWS:SourceArn": permission["SourceArn"]},
                    "StringEquals": {"AWS:SourceAccount": permission["SourceAccount"]},
                },
            }
        ]
    }
    assert permission["FunctionName"].endswith(f":function:migration-{function}")
    assert lets_in(json.dumps(policy), NEW_POOL_ARN)
    assert not lets_in(json.dumps(policy), NEW_POOL_ARN.replace(NEW, OLD))
    assert not lets_in(json.dumps(policy), NEW_POOL_ARN.replace(ACCOUNT, OTHER_ACCOUNT))


def test_each_trigger_has_its_function():
    """The outputs name, for each trigger of the pool that the handler knows, the function that may do it."""
    outputs = stack().outputs()
    for function, triggers in SOURCES.items():
        for trigger in triggers:
            assert outputs[trigger].endswith(f":function:migration-{function}")
    known = {source.partition("_")[0].replace("TokenGeneration", "PreTokenGeneration") for source in ROUTES}
    assert {name for name in outputs if outputs[name].startswith("arn:aws:lambda:")} == known


def test_what_is_to_be_enrolled_is_told_by_gate_alone():
    """The claim's name goes to *gate*, and only where there is one."""
    made = stack(EnrolClaim="mfa_to_enrol")
    assert [variables(made, function).get("ENROL_CLAIM") for function in ("capture", "gate")] == [None, "mfa_to_enrol"]
    assert "ENROL_CLAIM" not in variables(stack(), "gate")


def test_the_ledger_outlives_the_stack():
    """The table has the ledger's key, is on demand, encrypted, restorable and never expiring, and is always kept."""
    declared = stack().template["Resources"]["Ledger"]
    assert declared["DeletionPolicy"] == declared["UpdateReplacePolicy"] == "Retain"
    (table,) = stack().resources("AWS::DynamoDB::Table").values()
    assert table == {
        "TableName": "cognito-migration",
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [{"AttributeName": KEY, "AttributeType": "S"}],
        "KeySchema": [{"AttributeName": KEY, "KeyType": "HASH"}],
        "SSESpecification": {"SSEEnabled": True},
        "PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": True},
        "DeletionProtectionEnabled": True,
    }
    assert stack(MakeLedger="no").resources("AWS::DynamoDB::Table") == {}


def test_no_template_holds_a_secret():
    """The secret is made without a value, and only where one is wanted; none can be given as a parameter."""
    (secret,) = stack(SourceClientSecret="new").resources("AWS::SecretsManager::Secret").values()
    assert set(secret) == {"Description"}
    for given in ("none", SECRET):
        assert stack(SourceClientSecret=given).resources("AWS::SecretsManager::Secret") == {}
    allowed = stack().template["Parameters"]["SourceClientSecret"]["AllowedPattern"]
    assert not re.fullmatch(allowed, "1n7example0secret9of8an7app6client5")


def test_the_guide_names_every_parameter():
    """docs/deploy.md names each parameter of the two templates."""
    guide = (DEPLOY.parent / "docs" / "deploy.md").read_text(encoding="utf-8")
    for name in ("trigger.yaml", "source-role.yaml"):
        assert {one for one in template(name)["Parameters"] if one not in guide} == set()
