"""The trigger's stack, deployed: the zip with boto3 alone under AWS's runtime client, each function in its role."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import runtime_api
from authorization import Gateway, Role
from templates import ACCOUNT, Stack
from triggering import TRIGGERS, World, new_world
from unpacking import RUNTIME, boto3_alone, unpacked

from sandbox.server import Sandbox
from sandbox.triggers.lambdas import FunctionError, run

OTHER_ACCOUNT, EXTERNAL_ID = "210987654321", "a-text-of-our-own"
SECRET = f"arn:aws:secretsmanager:us-east-1:{ACCOUNT}:secret:old-client-AbCdEf"
LOG_FORMAT = "AWS_LAMBDA_LOG_FORMAT"  # how Lambda tells its runtime client of LoggingConfig


@dataclass
class Deployed:
    """A migration whose new pool calls the stack's functions. `logs` is what they wrote, once they have ended."""

    world: World
    trigger: Stack
    roles: dict[str, Role]
    gateway: Gateway
    logs: dict[str, str] = field(default_factory=dict)

    def granted(self) -> set[tuple[str, str, str]]:
        """What each role is granted, but for the log, which Lambda itself writes."""
        return {
            (role.arn, action, resource)
            for role in self.roles.values()
            for action, resource in role.granted
            if not action.startswith("logs:")
        }


@contextmanager
def deploy(folder: Path, *, other_account: bool = False, asked: str = EXTERNAL_ID) -> Iterator[Deployed]:
    """Deploy it between two pools, the old one with a client that has a secret, and perhaps of another account.

    `asked` is the external id that the roles there ask for.
    """
    world = new_world(old_secret=True, triggers=())
    code, libraries = unpacked(folder / "task"), boto3_alone(folder / "runtime", *RUNTIME)
    account = {"SourceAccount": OTHER_ACCOUNT, "SourceExternalId": EXTERNAL_ID} if other_account else {}
    trigger = Stack(
        "trigger.yaml",
        {
            "PackageBucket": "packages",
            "PackageKey": "trigger.zip",
            "SourceUserPoolId": world.old_id,
            "SourceClientId": world.old_app,
            "SourceClientSecret": SECRET,
            "TargetUserPoolId": world.new_id,
            "LedgerTable": world.table.name,
            "EnrolClaim": "mfa_to_enrol",
            "AlarmTopic": f"arn:aws:sns:us-east-1:{ACCOUNT}:alarms",
            **account,
        },
        stack_name=f"migration-{world.new_id[-6:].lower()}",
    )
    with ExitStack() as stack:
        sandbox = stack.enter_context(Sandbox(cognito=world.local))
        gateway = stack.enter_context(
            _gateway(world, sandbox.endpoint_url, OTHER_ACCOUNT if other_account else ACCOUNT)
        )
        roles = _roles(trigger, asked if other_account else None)
        deployed = Deployed(world, trigger, roles, gateway)
        for role in roles.values():
            gateway.key_of(role)
        for name, one in trigger.resources("AWS::Lambda::Function").items():
            key = gateway.key_of(roles[f"{name}Role"])
            address = stack.enter_context(_process(deployed, one, [code, libraries], key))
            _begin(address)
            world.local.world.functions[one["FunctionName"]] = address
        _attach(world, trigger)
        yield deployed


def _gateway(world: World, behind: str, old_account: str) -> Gateway:
    app = world.cognito.describe_user_pool_client(UserPoolId=world.old_id, ClientId=world.old_app)["UserPoolClient"]
    pool = "arn:aws:cognito-idp:us-east-1:{}:userpool/{}"
    return Gateway(
        behind,
        {world.old_id: pool.format(old_account, world.old_id), world.new_id: pool.format(ACCOUNT, world.new_id)},
        {world.table.name: f"arn:aws:dynamodb:us-east-1:{ACCOUNT}:table/{world.table.name}"},
        {SECRET: app["ClientSecret"]},  # as plain text; a test may put it there as Cognito writes it
    )


def _roles(trigger: Stack, asked: str | None) -> dict[str, Role]:
    """The roles of the stack, and of the one in the other account, if there is one."""
    stacks = [("", trigger)]
    if asked:
        given = {
            "SourceUserPoolId": trigger.values["SourceUserPoolId"],
            "ExternalId": asked,
            **{name: trigger.outputs()[name] for name in ("CaptureRoleArn", "GateRoleArn")},
        }
        stacks.append(("Source", Stack("source-role.yaml", given, account=OTHER_ACCOUNT)))
    return {
        f"{prefix}{name}": Role.of(made.resolve({"Fn::GetAtt": [name, "Arn"]}), properties)
        for prefix, made in stacks
        for name, properties in made.resources("AWS::IAM::Role").items()
    }


@contextmanager
def _process(deployed: Deployed, function: dict[str, Any], paths: list[Path], key: str) -> Iterator[str]:
    """Run a function as Lambda does, until the block ends; yields the address of its Invoke API."""
    environment = {
        **function["Environment"]["Variables"],
        # What Lambda adds to it, and where AWS is.
        **dict.fromkeys(("AWS_REGION", "AWS_DEFAULT_REGION"), "us-east-1"),
        **dict.fromkeys(("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"), "none"),
        "AWS_ACCESS_KEY_ID": key,
        LOG_FORMAT: function["LoggingConfig"]["LogFormat"],
        "AWS_ENDPOINT_URL": deployed.gateway.url,
    }
    name, seconds = function["FunctionName"], function["Timeout"]
    log = paths[0].with_name(f"{name}.log")
    with runtime_api.function(name, function["Handler"], paths, environment, seconds=seconds, log=log) as address:
        yield address
    deployed.logs[name] = log.read_text(encoding="utf-8")


def _begin(address: str) -> None:
    """Let a function make its clients, as a cold start does, on an event that it refuses: this machine may be busy."""
    event = {"triggerSource": "PreSignUp_SignUp", "userPoolId": "us-east-1_Another01"}
    with pytest.raises(FunctionError):
        run("", address, event, seconds=60)


def _attach(world: World, trigger: Stack) -> None:
    """Set the pool's triggers to what the stack's outputs say of them."""
    arns = trigger.outputs()
    world.cognito.update_user_pool(
        UserPoolId=world.new_id,
        AutoVerifiedAttributes=["email"],
        LambdaConfig={name: arns[name] for name in (*TRIGGERS, "PostAuthentication")},
    )
