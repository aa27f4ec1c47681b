"""Every template of deploy/ is what CloudFormation takes, and every policy in one what IAM takes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from templates import DEPLOY, Stack, template

# What a parameter without a default is here, and what one that may be left out is with everything in it.
_ROLE = "arn:aws:iam::210987654321:role/reader"
GIVEN = {
    "PackageBucket": "packages",
    "PackageKey": "trigger.zip",
    "SourceUserPoolId": "us-east-1_OldPool01",
    "SourceClientId": "4k2vexample1h6c1b0pq9m3rtd",
    "TargetUserPoolId": "us-east-1_NewPool01",
    "AlarmTopic": "arn:aws:sns:us-east-1:123456789012:alarms",
    "ExternalId": "a-text-of-our-own",
    "ImageDigest": f"sha256:{'0' * 64}",
    "BatchStack": "batch",
    "SourcePools": "arn:aws:cognito-idp:us-east-1:123456789012:userpool/us-east-1_OldPool01",
    "TargetPools": "arn:aws:cognito-idp:us-east-1:123456789012:userpool/us-east-1_NewPool01",
    "LedgerTables": "arn:aws:dynamodb:us-east-1:123456789012:table/cognito-migration",
}
OPTIONAL = {
    "SourceAccount": "210987654321",
    "SourceExternalId": "a-text-of-our-own",
    "SourceClientSecret": "arn:aws:secretsmanager:us-east-1:123456789012:secret:old-client-AbCdEf",
    "SourceRoleArn": _ROLE,
    "CaptureRoleArn": _ROLE,
    "GateRoleArn": _ROLE,
    "JobRoleArn": _ROLE,
    "LedgerTable": "cognito-migration",
    "AssumedRoles": _ROLE,
}
TEMPLATES = sorted(path.name for path in DEPLOY.glob("*.yaml"))
NEWER = ("ListPointInTimeRecoveries", "DescribePointInTimeRecovery")
MISTAKEN = {
    "Unknown action cognito-idp:GetProvisionedLimit",  # of July 2026, and newer than parliament's list
    "Unknown action cognito-idp:AdminGetUserAuthFactors",  # the same
    *(f"Unknown action cognito-idp:{one}" for one in NEWER),  # of November 2026
    # An execution of a state machine that is not express has the other form, which the action takes as well.
    "[{'action': 'states:DescribeExecution', 'required_format': 'arn:*:states:*:*:express:*:*:*'}]",
}


def filled(name: str, *, whole: bool) -> Stack:
    """A template with values: only for what has no default, or for all that may be left out, too."""
    declared = template(name)["Parameters"]
    needed = {key: GIVEN.get(key, f"some-{key.lower()}") for key, one in declared.items() if "Default" not in one}
    more = {key: value for key, value in OPTIONAL.items() if whole and key in declared}
    imports = filled("batch.yaml", whole=whole).exports() if name != "batch.yaml" else None
    return Stack(name, needed | more, stack_name=name.removesuffix(".yaml"), imports=imports)


def findings_of(policy):
    """What parliament finds in a policy."""
    import parliament  # noqa: PLC0415 -- a second, which every other file would wait for

    return parliament.analyze_policy_string(json.dumps(policy)).findings


@pytest.mark.parametrize("name", TEMPLATES)
def test_cfn_lint_finds_nothing(name):
    """cfn-lint has no error and no warning for any template, in two Regions; none needs a transform."""
    from cfnlint.api import ManualArgs, lint  # noqa: PLC0415 -- two seconds, which every other file would wait for

    text = (DEPLOY / name).read_text(encoding="utf-8")
    assert "Transform" not in template(name)
    found = lint(text, config=ManualArgs(regions=["us-east-1", "eu-west-1"]))
    # Its list of actions is of before November 2026.
    newer = tuple(f"'{one.lower()}' is not one of" for one in NEWER)
    assert [one for one in found if not (one.rule.id == "W3037" and one.message.startswith(newer))] == []


@pytest.mark.parametrize("whole", [False, True], ids=["the least", "with everything"])
@pytest.mark.parametrize("name", TEMPLATES)
def test_parliament_finds_nothing(name, *, whole):
    """Each action of each policy exists and goes with its resource, and no pattern is a bad one."""
    for where, policy in filled(name, whole=whole).policies():
        assert [(where, one.issue, one.detail) for one in findings_of(policy) if str(one.detail) not in MISTAKEN] == []


@pytest.mark.parametrize(
    ("issue", "mistake"),
    [
        ("UNKNOWN_ACTION", {"Action": "cognito-idp:AdminGetUsers", "Resource": "*"}),
        ("RESOURCE_MISMATCH", {"Resource": "arn:aws:cognito-idp:us-east-1:123456789012:userpool/us-east-1_New"}),
        ("UNKNOWN_CONDITION_FOR_ACTION", {"Condition": {"StringEquals": {"dynamodb:LeadingKey": "a"}}}),
        (None, {}),
    ],
    ids=["a misspelt action", "a resource of another service", "a misspelt condition", "no mistake"],
)
def test_parliament_would_find_something(issue, mistake):
    """A misspelt action, an action on a resource that it does not know, and a misspelt condition are findings."""
    right = {"Action": "dynamodb:GetItem", "Resource": "arn:aws:dynamodb:us-east-1:123456789012:table/ledger"}
    policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow"} | right | mistake]}
    found = [one.issue for one in findings_of(policy)]
    assert found == ([issue] if issue else [])


def test_every_template_is_looked_at():
    """There are templates in the folder, and no other file that looks like one."""
    assert {"trigger.yaml", "source-role.yaml"} <= set(TEMPLATES)
    assert [path.name for path in Path(DEPLOY).rglob("*.y*ml") if path.name not in TEMPLATES] == []
