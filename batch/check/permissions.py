"""Which IAM actions each command and each function of the trigger needs, and on which resource.

This is the one place that says so. `check` asks for these actions, docs/permissions.md lists them, and a test compares
them with the calls that the code makes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Any

ONLY_IF_ALLOWED = frozenset(
    {
        "cognito-idp:GetProvisionedLimit",
        "cognito-idp:AdminGetUserAuthFactors",
        "cognito-idp:ListPointInTimeRecoveries",
        "cognito-idp:DescribePointInTimeRecovery",
        "cognito-idp:ListUserPoolClientSecrets",
        "cognito-idp:ListUserPools",
        "cognito-idp:DescribeRiskConfiguration",
        "cognito-idp:ListResourceServers",
        "cognito-idp:GetUserPoolSessionConfiguration",
        "cognito-idp:GetUserPoolClientSessionConfiguration",
        "cognito-idp:ListUserPoolReplicas",
        "lambda:GetPolicy",
        "iam:GetRole",
        "iam:SimulatePrincipalPolicy",
    }
)
"""Actions that no command insists on.

Without them AWS's default quotas are used, or something is named as not checked.
"""
_COMPARED = (
    "ListUserPoolClients DescribeUserPoolClient ListIdentityProviders "
    "ListResourceServers GetUserPoolSessionConfiguration GetUserPoolClientSessionConfiguration ListUserPoolReplicas"
)
_READ_USERS = "ListUsers ListGroups ListUsersInGroup AdminListGroupsForUser"


class Resource(StrEnum):
    """What an action is allowed on, in the order of the tables. `ACCOUNT` is `*`, for actions that know no resource."""

    SOURCE = "old pool"
    TARGET = "new pool"
    THROW_AWAY = "throw-away pools, by their tag"
    LEDGER = "ledger's table"
    SECRET = "secret of the old pool's app client"  # noqa: S105 -- what it is, not what is in it
    FUNCTION = "functions of the new pool"
    LOG = "function's log group"
    CALLER = "role that runs the job"
    ROLE = "`role_arn`, where it is set"
    ACCOUNT = "`*`"


Needed = Mapping[Resource, frozenset[str]]
"""IAM actions, such as `cognito-idp:ListUsers`, by what they are allowed on."""


_SERVICE = {Resource.LEDGER: "dynamodb", Resource.SECRET: "secretsmanager", Resource.FUNCTION: "lambda"}


def _needed(*parts: Needed, **operations: str) -> Needed:
    """Merge what is needed.

    `operations` has a resource's operations in one line; `cognito-idp:` and the like may be left out.
    """
    found: dict[Resource, set[str]] = {}
    for part in parts:
        for resource, actions in part.items():
            found.setdefault(resource, set()).update(actions)
    for name, line in operations.items():
        resource = Resource[name.upper()]
        service = _SERVICE.get(resource, "cognito-idp")
        found.setdefault(resource, set()).update(
            operation if ":" in operation else f"{service}:{operation}" for operation in line.split()
        )
    return MappingProxyType({resource: frozenset(actions) for resource, actions in found.items()})


def _as_a_role() -> Needed:
    return _needed(role="sts:AssumeRole")


_RECOVERIES = "ListPointInTimeRecoveries DescribePointInTimeRecovery"
_REACH = _needed(
    _as_a_role(),
    source="DescribeUserPool GetUserPoolMfaConfig ListIdentityProviders",
    target="DescribeUserPool GetUserPoolMfaConfig",
    account="cognito-idp:GetProvisionedLimit",
)
# What a command asks before it begins: was a pool set back to an earlier time, and who is missing then?
_BEGINNING = _needed(_REACH, source=_RECOVERIES, target=f"{_RECOVERIES} ListUsers AdminGetUser")


# Of the old pool no command ever needs more than reading, so nothing that writes may be added to a `source`.
_SCAN = _needed(_BEGINNING, source=f"{_READ_USERS} AdminGetUser AdminGetUserAuthFactors")


_RUN = _needed(
    _BEGINNING,
    target="ListUsers ListGroups AdminGetUser AdminListGroupsForUser "
    "AdminCreateUser AdminSetUserPassword AdminDisableUser AdminEnableUser AdminUpdateUserAttributes "
    "AdminDeleteUserAttributes AdminAddUserToGroup AdminRemoveUserFromGroup CreateGroup UpdateGroup "
    "AdminLinkProviderForUser AdminDisableProviderForUser AdminSetUserMFAPreference",
    ledger="DescribeTable GetItem PutItem UpdateItem DeleteItem Scan",
)


COMMANDS: Mapping[str, Needed] = MappingProxyType(
    {
        "check": _needed(
            _BEGINNING,
            source=f"{_COMPARED} DescribeRiskConfiguration",
            target=f"{_COMPARED} ListUsers AdminGetUser",
            ledger="DescribeTable GetItem",
            function="GetPolicy",
            caller="iam:GetRole iam:SimulatePrincipalPolicy",
        ),
        "check --live": _needed(
            _as_a_role(),
            throw_away="DescribeUserPool UpdateUserPool DeleteUserPool CreateUserPoolClient "
            "GetUserPoolMfaConfig SetUserPoolMfaConfig ListUsers AdminGetUser AdminCreateUser AdminSetUserPassword "
            "AdminResetUserPassword AdminDisableUser AdminUpdateUserAttributes AdminDeleteUserAttributes "
            "ListGroups CreateGroup UpdateGroup AdminAddUserToGroup AdminListGroupsForUser",
            # TagResource: CreateUserPool with a tag is refused without it (aws-saas-factory-bootcamp#58).
            account="cognito-idp:CreateUserPool cognito-idp:TagResource cognito-idp:ListUserPools",
        ),
        "prepare": _needed(
            _as_a_role(),
            source="DescribeUserPool ListGroups ListIdentityProviders",
            target="DescribeUserPool ListGroups AddCustomAttributes CreateGroup",
        ),
        "scan": _SCAN,
        "scan --rebuild": _needed(
            _SCAN, target="ListUsers ListGroups AdminGetUser", ledger="DescribeTable GetItem UpdateItem Scan"
        ),
        "plan": _REACH,
        "run": _RUN,
        "sync": _needed(_SCAN, _RUN),
        "verify": _needed(_BEGINNING, target=f"{_READ_USERS} AdminGetUser", ledger="GetItem"),
        "cutover": _needed(
            _BEGINNING, target="ListUserPoolClients DescribeUserPoolClient", ledger="DescribeTable GetItem UpdateItem"
        ),
        "status": _needed(_as_a_role(), ledger="Scan"),
        "explain": _needed(
            _as_a_role(),
            source="AdminGetUser AdminListGroupsForUser",
            target="DescribeUserPool AdminGetUser AdminListGroupsForUser",
            ledger="GetItem",
        ),
        "export": _needed(_as_a_role(), ledger="Scan"),
        "report": _needed(_as_a_role(), ledger="Scan"),
        "close": _needed(_REACH, target="AdminGetUser", ledger="DescribeTable UpdateItem"),
        "reset": _needed(
            _BEGINNING, target="ListUsers AdminResetUserPassword", ledger="DescribeTable GetItem UpdateItem Scan"
        ),
        "finish": _needed(
            _BEGINNING,
            target="ListUserPoolClients DescribeUserPoolClient",
            ledger="DescribeTable GetItem PutItem UpdateItem DeleteItem Scan",
        ),
        "recover": _needed(
            _BEGINNING, target=f"{_READ_USERS} AdminGetUser", ledger="DescribeTable GetItem UpdateItem Scan"
        ),
        "forget": _needed(_as_a_role(), ledger="DescribeTable GetItem PutItem UpdateItem DeleteItem"),
        "undo": _needed(
            _BEGINNING,
            target="ListGroups ListUsersInGroup AdminGetUser AdminListGroupsForUser AdminDeleteUser DeleteGroup",
            ledger="DescribeTable GetItem UpdateItem",
        ),
        "trigger test": _needed(
            _as_a_role(),
            source="AdminGetUser AdminListGroupsForUser AdminInitiateAuth DescribeUserPoolClient "
            "ListUserPoolClientSecrets",
            target="DescribeUserPool ListUserPoolClients DescribeUserPoolClient AdminGetUser",
            ledger="DescribeTable GetItem",
            secret="GetSecretValue",  # noqa: S106 -- an operation
            function="GetPolicy",
        ),
        "trigger attach": _needed(
            _as_a_role(),
            target="DescribeUserPool UpdateUserPool",
            ledger="DescribeTable GetItem",
            function="GetPolicy",
        ),
        "trigger detach": _needed(_as_a_role(), target="DescribeUserPool UpdateUserPool", ledger="GetItem Scan"),
    }
)
"""What each command needs. `LEDGER` counts only where there is a ledger.

All but the old pool's actions are called with the new pool's credentials.
"""


FUNCTIONS: Mapping[str, Needed] = MappingProxyType(
    {
        "capture": _needed(
            _as_a_role(),
            source="AdminInitiateAuth AdminGetUser AdminListGroupsForUser",
            target="AdminGetUser AdminSetUserPassword",
            ledger="DescribeTable GetItem UpdateItem",
            secret="GetSecretValue",  # noqa: S106 -- an operation
        ),
        "gate": _needed(
            _as_a_role(),
            source="AdminGetUser",
            target="AdminAddUserToGroup AdminGetUser AdminGetUserAuthFactors",
            ledger="DescribeTable GetItem UpdateItem",
        ),
    }
)
"""What each function of the trigger needs: `capture` takes over old passwords, `gate` looks at each token."""


LAMBDA = _needed(log="logs:CreateLogStream logs:PutLogEvents")
"""What Lambda itself does with the role of each function."""


def together(*parts: Needed) -> Needed:
    """Return what several commands or functions need together."""
    return _needed(*parts)


def statements(needed: Needed, arns: Mapping[Resource, str | list[str]]) -> list[dict[str, Any]]:
    """Return the statements of an IAM policy that allows what is needed.

    A resource without an ARN gets no statement.
    """
    everywhere = {Resource.ACCOUNT: "*", **arns}
    return [
        {"Effect": "Allow", "Action": sorted(needed[resource]), "Resource": everywhere[resource]}
        for resource in Resource
        if resource in needed and resource in everywhere
    ]


def table(all_needed: Mapping[str, Needed]) -> Iterator[str]:
    """Yield the lines of a Markdown table, one row for each command and resource. A `*` marks an optional action."""
    yield "| | on | IAM actions |"
    yield "|---|---|---|"
    for name, needed in all_needed.items():
        first = f"`{name}`"
        for resource in Resource:
            # Every command may assume `role_arn`. A row for it under each of them would say nothing.
            if resource in needed and resource is not Resource.ROLE:
                yield f"| {first} | {resource} | {_listed(needed[resource])} |"
                # The command's name stands in the first of its rows only.
                first = ""


def _listed(actions: Iterable[str]) -> str:
    return ", ".join(f"`{action}`{'*' if action in ONLY_IF_ALLOWED else ''}" for action in sorted(actions))
