"""What the permissions grant is what the code calls: neither less nor more."""

from __future__ import annotations

import ast
import re

import boto3
import pytest
from command_line import commands
from operations import (
    ROOT,
    SERVICES,
    Symbol,
    methods_called,
    modules,
    of_ledger,
    of_others,
    of_pools,
    receiver,
    symbols,
    tree,
)

from batch.check import permissions
from batch.check.permissions import COMMANDS, FUNCTIONS, ONLY_IF_ALLOWED, Resource, statements, table, together
from batch.cli.main import cli
from batch.lambda_trigger.attach import SOURCES
from trigger.handler import ROUTES
from userpool.quotas import CATEGORY

ACCOUNT_WIDE = {"GetProvisionedLimit", "CreateUserPool", "ListUserPools"}
IMPLIED = {"CreateUserPool": {"TagResource"}}
WITHOUT_AWS = {"init", "demo", "sandbox", "trigger package"}
REBUILD = "scan --rebuild"
LIVE = "check --live"
PUBLIC = {"SignUp", "InitiateAuth", "ForgotPassword"}
SECRETS = {"secretsmanager:GetSecretValue": Resource.SECRET, "lambda:GetPolicy": Resource.FUNCTION}
CALLER = {"iam:GetRole": Resource.CALLER, "iam:SimulatePrincipalPolicy": Resource.CALLER}
OTHERS = {"sts:AssumeRole": Resource.ROLE, **SECRETS, **CALLER}


def start(name: str) -> Symbol:
    """Where a command begins in the source."""
    callback = commands(cli)[name].callback
    return Symbol(callback.__module__, callback.__name__)


def function_starts(name: str) -> list[Symbol]:
    """Where a function of the trigger begins: its handler, and what it does for its sources."""
    sources = tuple("TokenGeneration" if one == "PreTokenGeneration" else one for one in SOURCES[name])
    actions = [route.action.partition(".") for source, route in ROUTES.items() if source.startswith(sources)]
    assert actions
    handler = [Symbol("trigger.handler", "Handler"), Symbol("trigger.handler", "_made")]
    return handler + [Symbol(f"trigger.{module}", action) for module, _, action in actions]


def granted(needed, resource: Resource, service: str) -> set[str]:
    """The operations of a service that are granted on a resource."""
    return {action.partition(":")[2] for action in needed.get(resource, ()) if action.startswith(f"{service}:")}


def check(needed, *starts: Symbol) -> None:
    """Compare what is granted with what is called, on each pool and everything else."""
    called = of_pools(*starts)
    account_wide = ACCOUNT_WIDE & set().union(*called.values())
    called = {side: operations - ACCOUNT_WIDE for side, operations in called.items()}
    on = {
        side: granted(needed, resource, "cognito-idp")
        for side, resource in (
            ("source", Resource.SOURCE),
            ("target", Resource.TARGET),
            ("throw-away", Resource.THROW_AWAY),
        )
    }
    called["throw-away"] -= PUBLIC
    either = called["pool"]
    for side, operations in on.items():
        assert called[side] <= operations, f"called on the {side} and not granted"
        assert operations <= called[side] | either, f"granted on the {side} and never called"
    assert either <= on["source"] | on["target"]
    implied = {other for operation in account_wide for other in IMPLIED.get(operation, ())}
    assert granted(needed, Resource.ACCOUNT, "cognito-idp") == account_wide | implied
    assert granted(needed, Resource.LEDGER, "dynamodb") == of_ledger(*starts)
    found = {(resource, action) for action, resource in OTHERS.items() if action in needed.get(resource, ())}
    assert found == {(OTHERS[action], action) for action in of_others(*starts)}


def test_every_command_says_what_it_needs():
    """Each command that talks to AWS is in the data; of what is not a command yet nothing is compared."""
    assert set(commands(cli)) - WITHOUT_AWS - {"trigger"} <= set(COMMANDS)
    assert len(commands(cli)) > len(COMMANDS) / 2
    assert not WITHOUT_AWS & set(COMMANDS)


@pytest.mark.parametrize("name", sorted(set(COMMANDS) & set(commands(cli)) - {"scan", "check"}))
def test_a_command_is_granted_what_it_calls(name):
    """Followed through the source, a command calls what it is granted on each resource, and nothing else."""
    check(COMMANDS[name], start(name))


def test_scan_with_its_option():
    """`scan --rebuild` is granted what `scan` calls in all; without it, only what reads the old pool."""
    check(COMMANDS[REBUILD], start("scan"))
    check(COMMANDS["scan"], Symbol("batch.cli.scan", "read_old_pool"), Symbol("batch.cli.session", "session"))


def test_check_with_its_option():
    """`check` is granted what reads; with --live what throw-away pools need, and nothing on any other pool."""
    check(COMMANDS["check"], Symbol("batch.cli.check", "check_by_reading"))
    live = [Symbol("batch.cli.check_live", name) for name in ("check_live", "delete_left_over")]
    check(COMMANDS[LIVE], *live)
    assert set(COMMANDS[LIVE]) == {Resource.THROW_AWAY, Resource.ACCOUNT, Resource.ROLE}


def test_what_everybody_may_call():
    """What is called without a permission is what AWS does not ask for one: it goes unsigned."""
    model = boto3.client("cognito-idp", region_name="us-east-1").meta.service_model
    assert {name for name in CATEGORY if model.operation_model(name).auth_type == "none"} == PUBLIC


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_a_function_is_granted_what_it_calls(name):
    """Each function of the trigger calls what it is granted for the sources that it is for, and nothing else."""
    check(FUNCTIONS[name], *function_starts(name))


def test_every_source_belongs_to_one_function():
    """The two functions share the handler's trigger sources between them, none in both."""
    owned = [source for name in SOURCES for source in ROUTES if _of_function(source, name)]
    assert sorted(owned) == sorted(ROUTES)


def _of_function(source: str, name: str) -> bool:
    return source.startswith(tuple("TokenGeneration" if one == "PreTokenGeneration" else one for one in SOURCES[name]))


def test_nothing_changes_the_old_pool():
    """On the old pool no command or function is granted anything but reading, and signing in."""
    for needed in (*COMMANDS.values(), *FUNCTIONS.values()):
        for operation in granted(needed, Resource.SOURCE, "cognito-idp"):
            assert (
                operation.startswith(("Describe", "Get", "List", "AdminGet", "AdminList"))
                or operation == "AdminInitiateAuth"
            )


def test_no_other_service_is_called_in_secret():
    """Whoever makes a client of another service calls only what is known here; the names of calls are AWS's own."""
    for module in modules():
        for symbol in (Symbol(module, name) for name in symbols(module)):
            for name, of in methods_called(symbol):
                if name in SERVICES:
                    assert module.startswith("userpool."), f"{symbol} calls {ast.unparse(of)}.{name}"
    made = [
        node.args[1].value
        for module in modules()
        for node in ast.walk(tree(module))
        if isinstance(node, ast.Call) and receiver(node.func) == "made" and len(node.args) > 1
        if isinstance(node.args[1], ast.Constant)
    ]
    assert set(made) == {"cognito-idp", "dynamodb", "lambda", "iam", "sts"}


def test_a_policy_of_what_is_needed():
    """Statements are by resource, sorted, with the ARN that was given; what has none is left out."""
    needed = together(COMMANDS["scan"], COMMANDS["verify"])
    made = statements(needed, {Resource.SOURCE: "arn:old", Resource.TARGET: ["arn:new"]})
    assert [one["Resource"] for one in made] == ["arn:old", ["arn:new"], "*"]
    assert all(one["Action"] == sorted(one["Action"]) for one in made)
    assert "cognito-idp:ListUsers" in made[0]["Action"]
    assert made[-1]["Action"] == ["cognito-idp:GetProvisionedLimit"]


def test_what_is_gone_without_is_granted_somewhere():
    """Each optional action is of some command."""
    everything = together(*COMMANDS.values())
    assert not ONLY_IF_ALLOWED - {action for actions in everything.values() for action in actions}


@pytest.mark.parametrize(("name", "needed"), [("commands", COMMANDS), ("functions", FUNCTIONS)])
def test_the_documentation_has_the_very_table(name, needed):
    """docs/permissions.md has the tables that are made of the data, line by line."""
    text = (ROOT / "docs" / "permissions.md").read_text(encoding="utf-8")
    found = re.search(rf"<!-- {name} -->\n(.*?)\n<!-- end -->", text, re.DOTALL)
    assert found
    assert found[1].splitlines() == list(table(needed)), f"python -m {permissions.__name__} prints it"
