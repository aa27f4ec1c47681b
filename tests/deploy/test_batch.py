from __future__ import annotations

import json
import re
import tomllib
from typing import Any

import pytest
from moto.events.models import EventPattern
from task import NEW, OLD, ROOT, Task, batch, container, instructions, properties
from templates import ACCOUNT, Stack, template

from batch.check.permissions import COMMANDS, Resource, statements
from batch.cli.terminal import Exit
from batch.settings.config import load

ROLE = "arn:aws:iam::210987654321:role/old-pool"
SOON = 20  # seconds in which a run promises to end after SIGTERM


def pool(pool_id: str) -> str:
    return f"arn:aws:cognito-idp:{pool_id.partition('_')[0]}:{ACCOUNT}:userpool/{pool_id}"


def table(name: str) -> str:
    return f"arn:aws:dynamodb:eu-central-1:{ACCOUNT}:table/{name}"


def needed(arns: dict[Resource, Any]) -> dict[str, set[str]]:
    """What `sync` needs, by what it needs it on."""
    found: dict[str, set[str]] = {}
    for statement in statements(COMMANDS["sync"], arns):
        on = statement["Resource"]
        for resource in on if isinstance(on, list) else [on]:
            found.setdefault(resource, set()).update(statement["Action"])
    return found


def fleet(**parameters: str) -> Stack:
    """The fleet's stack, beside that of the nightly job."""
    given = {
        "BatchStack": "migration",
        "SourcePools": pool(OLD),
        "TargetPools": pool(NEW),
        "LedgerTables": table("one"),
    }
    return Stack("fleet.yaml", given | parameters, stack_name="fleet", imports=batch().exports())


def granted(stack: Stack, role: str) -> dict[str, set[str]]:
    """What a role's policies allow, by what it is allowed on."""
    found: dict[str, set[str]] = {}
    for policy in properties(stack, role)["Policies"]:
        for statement in policy["PolicyDocument"]["Statement"]:
            assert statement["Effect"] == "Allow"
            on = statement["Resource"]
            for resource in on if isinstance(on, list) else [on]:
                found.setdefault(resource, set()).update(statement["Action"])
    return found


def but_for_the_folder(stack: Stack) -> dict[str, set[str]]:
    """What a task is allowed, but for its folder, which it may mount and write by the one access point."""
    made = batch().outputs()
    (mounting,) = (
        one
        for one in properties(stack, "TaskRole")["Policies"][0]["PolicyDocument"]["Statement"]
        if one["Resource"] == made["FileSystem"]
    )
    assert set(mounting["Action"]) == {"elasticfilesystem:ClientMount", "elasticfilesystem:ClientWrite"}
    assert mounting["Condition"] == {"ArnEquals": {"elasticfilesystem:AccessPointArn": made["AccessPoint"]}}
    found = granted(stack, "TaskRole")
    del found[made["FileSystem"]]
    return found


# What the templates grant.


@pytest.mark.parametrize("ledger", [{}, {"LedgerTable": "one"}])
@pytest.mark.parametrize("account", [{}, {"SourceRoleArn": ROLE, "SourceExternalId": "x-1"}])
def test_the_task_may_do_what_sync_does(ledger, account):
    """The task's role grants what sync needs on these pools and this table, its folder, and nothing else."""
    arns: dict[Resource, Any] = {Resource.TARGET: pool(NEW)}
    arns |= {Resource.ROLE: ROLE} if account else {Resource.SOURCE: pool(OLD)}
    arns |= {Resource.LEDGER: table("one")} if ledger else {}
    assert but_for_the_folder(batch(**ledger, **account)) == needed(arns)


@pytest.mark.parametrize("roles", [[], [ROLE]])
def test_a_task_of_the_fleet_may_do_what_sync_does(roles):
    """The fleet's role grants what sync needs on the listed pools, tables and roles, its folder, and nothing else."""
    arns: dict[Resource, Any] = {
        Resource.SOURCE: [pool(OLD), pool("us-east-1_OldPool02")],
        Resource.TARGET: [pool(NEW)],
        Resource.LEDGER: [table("one"), table("two")],
    }
    made = fleet(
        SourcePools=",".join(arns[Resource.SOURCE]),
        TargetPools=",".join(arns[Resource.TARGET]),
        LedgerTables=",".join(arns[Resource.LEDGER]),
        AssumedRoles=",".join(roles),
    )
    assert but_for_the_folder(made) == needed({**arns, **({Resource.ROLE: roles} if roles else {})})


@pytest.mark.parametrize(("stack", "role"), [(batch(), "SchedulerRole"), (fleet(), "FleetRole")])
def test_who_begins_tasks_may_begin_no_others(stack, role):
    """Scheduler and fleet may run the one task definition, and hand on no roles but those of its tasks."""
    nightly = batch().outputs()
    on: dict[str, set[str]] = {}
    for resource, actions in granted(stack, role).items():
        for action in actions:
            on.setdefault(action, set()).add(resource)
    family = properties(batch(), "TaskDefinition")["Family"]
    newest = f"arn:aws:ecs:us-east-1:{ACCOUNT}:task-definition/{family}:*"
    assert on["ecs:RunTask"] == {newest if role == "FleetRole" else nightly["TaskDefinition"]}
    own = f"arn:aws:iam::{ACCOUNT}:role/fleet-TaskRole"
    assert on["iam:PassRole"] - {own} == {nightly["TaskRole"], nightly["ExecutionRole"]}


def test_the_fleet_asks_for_what_the_batch_stack_gives():
    """What the nightly job's stack exports is what the fleet imports."""
    wanted = set(re.findall(r"\$\{BatchStack\}(-\w+)", json.dumps(template("fleet.yaml"))))
    assert {name.removeprefix("migration") for name in batch().exports()} == wanted


# The image, and the task that runs it.


def test_what_is_written_is_the_image_users_alone():
    """The inventory is encrypted, on disk and on its way, in a folder of the image's user; nothing else is writable."""
    stack, user = batch(), instructions("USER")[0]
    assert user == "{Uid}:{Gid}".format(**properties(stack, "AccessPoint")["PosixUser"])
    created = properties(stack, "AccessPoint")["RootDirectory"]["CreationInfo"]
    assert (f"{created['OwnerUid']}:{created['OwnerGid']}", created["Permissions"]) == (user, "0700")
    assert properties(stack, "FileSystem")["Encrypted"] is True
    volumes = {one["Name"]: one.get("EFSVolumeConfiguration") for one in properties(stack, "TaskDefinition")["Volumes"]}
    assert volumes["inventory"]["TransitEncryption"] == "ENABLED"
    assert volumes["inventory"]["AuthorizationConfig"] == {
        "AccessPointId": stack.resolve({"Ref": "AccessPoint"}),
        "IAM": "ENABLED",
    }
    job = container(stack)
    assert job["ReadonlyRootFilesystem"] is True
    assert {mount["ContainerPath"] for mount in job["MountPoints"]} == {
        "/migration",
        *json.loads(instructions("VOLUME")[0]),
    }


def test_one_task_a_night_has_time_to_stop():
    """The scheduler begins one task, at the minute, never twice; it is killed only long after it should have ended."""
    night = properties(batch(), "ScheduledNight")
    assert night["FlexibleTimeWindow"] == {"Mode": "OFF"}
    assert night["Target"]["RetryPolicy"]["MaximumRetryAttempts"] == 0
    assert night["Target"]["EcsParameters"]["TaskCount"] == 1
    assert 2 * SOON < container(batch())["StopTimeout"] <= 120


def test_the_image_is_made_of_what_is_installed():
    """What is let into the image is each package that is installed, with what the installation reads."""
    let_in = {
        line[1:] for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines() if line.startswith("!")
    }
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    installed = {
        *(name.removesuffix("*") for name in project["tool"]["setuptools"]["packages"]["find"]["include"]),
        project["project"]["readme"],
        *project["project"]["license-files"],
    }
    assert let_in == installed | {"pyproject.toml", "constraints.txt", "deploy/entrypoint.py"}


def test_the_parameters_are_the_configuration(tmp_path):
    """What the stack is given, and what only config.yaml knows, is what the job is configured with."""
    stack = batch(
        LedgerTable="cognito-migration",
        SourceRoleArn=ROLE,
        SourceExternalId="x-1",
        TimeZone="Europe/Amsterdam",
        Share="0.3",
        Shares="{UserCreation: 0.9}",
        Settings="users: {unconfirmed: create}\ngroups: {drop: [old]}",
    )
    environment = Task(stack, tmp_path, "").environment()
    (tmp_path / "config.yaml").write_text(environment["COGNITO_MIGRATE_CONFIG"], encoding="utf-8")
    config = load(tmp_path / "config.yaml")
    assert (config.source.user_pool_id, config.source.role_arn, config.source.external_id) == (OLD, ROLE, "x-1")
    assert (config.target.user_pool_id, config.target.role_arn) == (NEW, None)
    assert config.ledger
    assert config.ledger.table == "cognito-migration"
    assert str(config.window) == "22:00 to 06:00 Europe/Amsterdam"
    assert properties(stack, "ScheduledNight")["ScheduleExpressionTimezone"] == config.window.timezone
    assert (config.rate.share, config.rate.shares) == (0.3, {"UserCreation": 0.9})
    assert (config.users.unconfirmed, config.groups.drop) == ("create", ("old",))


# What is told.


def is_told(code: int | None, stop_code: str = "EssentialContainerExited") -> bool:
    """Whether the rule matches the end of a task; moto's matcher wants the one container without its list."""
    rule = EventPattern.load(json.dumps(properties(batch(), "Failed")["EventPattern"]))
    ended = {"clusterArn": batch().outputs()["Cluster"], "lastStatus": "STOPPED", "stopCode": stop_code}
    one = {"name": "sync"} if code is None else {"name": "sync", "exitCode": code}
    event = {"source": "aws.ecs", "detail-type": "ECS Task State Change", "detail": {**ended, "containers": one}}
    return bool(rule.matches_event(event))


@pytest.mark.parametrize("code", [1, *(int(code) for code in Exit), 130, 137, 143])
def test_what_has_to_be_looked_at_is_told(code):
    """Every exit code is told but those of a night that went well and of a window that ended."""
    assert is_told(code) == (code != Exit.STOPPED_EARLY)
    assert not is_told(0)


def test_a_task_that_never_began_is_told():
    """A task without an exit code is told, too: its image could not be had, or somebody stopped it before."""
    assert is_told(None, "TaskFailedToStart")


# The documentation.


def section(heading: str) -> str:
    """A section of docs/deploy.md."""
    text = (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8")
    return re.split(r"\n## ", text.partition(f"\n## {heading}\n")[2])[0]


def test_what_the_task_may_run_besides_is_documented():
    """The guide names the very commands that need no more than the task's role grants."""
    granted = COMMANDS["sync"]
    able = {name for name, needs in COMMANDS.items() if all(needs[one] <= granted.get(one, set()) for one in needs)}
    sentence = re.search(r"may do what `sync` does, and so (.*?)\.\n", section("The nightly job"), re.DOTALL)
    assert sentence
    assert set(re.findall(r"`([\w -]+)`", sentence[1])) == able


@pytest.mark.parametrize(("heading", "name"), [("The nightly job", "batch.yaml"), ("A fleet", "fleet.yaml")])
def test_the_documented_stack_can_be_made(heading, name):
    """The command that is to be copied gives the template parameters that it knows, and all that have no default."""
    (copied,) = re.findall(rf"--template-file deploy/{name}.*?```", section(heading), re.DOTALL)
    known = template(name)["Parameters"]
    given = re.findall(r"\s([A-Z]\w+)=", copied)
    assert set(given) <= known.keys()
    assert {key for key, what in known.items() if "Default" not in what} <= set(given)


# The fleet.


def test_the_fleet_s_example_is_a_list_of_configurations(tmp_path):
    """Each entry of the documented list, handed over as the map does it, is a configuration in a folder of its own."""
    (text,) = re.findall(r"```json\n(.*?)```", section("A fleet"), re.DOTALL)
    entries = json.loads(text)
    assert len({entry["name"] for entry in entries}) == len(entries) > 1
    each = template("fleet.yaml")["Resources"]["Fleet"]["Properties"]["Definition"]["States"]["Each"]
    overrides = each["ItemProcessor"]["States"]["Migrate"]["Parameters"]["Overrides"]["ContainerOverrides"][0]
    handed = {one["Name"]: one["Value.$"] for one in overrides["Environment"]}
    assert handed == {
        "COGNITO_MIGRATE_FOLDER": "States.Format('/migration/{}', $.name)",
        "COGNITO_MIGRATE_CONFIG": "States.JsonToString($.config)",
    }
    assert overrides["Name"] == container(batch())["Name"]
    for entry in entries:
        assert re.fullmatch(r"[\w-]+", entry["name"])
        (tmp_path / "config.yaml").write_text(json.dumps(entry["config"]), encoding="utf-8")
        config = load(tmp_path / "config.yaml")
        assert config.ledger
        assert config.window


def test_a_window_that_ended_is_no_failure_of_the_fleet():
    """What ends with code 4 is collected with its code among those that went well; any other code is a failure."""
    states = template("fleet.yaml")["Resources"]["Fleet"]["Properties"]["Definition"]["States"]["Each"][
        "ItemProcessor"
    ]["States"]
    (choice,) = states["Code"]["Choices"]
    assert [one["NumericEquals"] for one in choice["And"] if "NumericEquals" in one] == [Exit.STOPPED_EARLY]
    assert states[choice["Next"]]["Parameters"]["code"] == Exit.STOPPED_EARLY
    assert states[states["Code"]["Default"]]["Type"] == "Fail"
