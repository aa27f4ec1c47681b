"""Find out what these credentials may do, without doing it.

IAM is asked first, where that is allowed. For what IAM did not tell, calls are made that can change nothing.

A call about a user or group with a random name ends in "no such user", or in a refusal, because AWS decides about
permission first. A write to the ledger has a condition that no item meets. Creating (AdminCreateUser, CreateGroup) has
no such form, and stays "not known".
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol

from batch.check.facts import Allowed, Rights
from batch.check.permissions import COMMANDS, Needed, Resource, together
from userpool.description import Description
from userpool.errors import MigrationError, NotAllowedError, UserError
from userpool.ledger_table import LedgerTable, Write
from userpool.passwords import random_password

Simulate = Callable[[frozenset[str], str], Mapping[str, bool]]
"""Asks IAM which of some actions are allowed on an ARN. Raises MigrationError if IAM cannot be asked."""

NEEDED = together(*(COMMANDS[name] for name in ("scan", "run", "verify")))
READ_ANYHOW = frozenset(
    {
        "cognito-idp:DescribeUserPool",
        "cognito-idp:GetUserPoolMfaConfig",
        "cognito-idp:ListIdentityProviders",
        "cognito-idp:ListPointInTimeRecoveries",
        "cognito-idp:DescribePointInTimeRecovery",  # nobody misses it: a sentence is shorter without it
    }
)
"""Actions that `check` uses itself. If one is denied, the unread pool is a finding already."""

_SIDES = {"source": Resource.SOURCE, "target": Resource.TARGET}


class Ask(Protocol):
    """A call to one pool that is made only to see whether it is refused."""

    def __call__(self, operation: str, **parameters: Any) -> None:
        """Make the call and throw the answer away. Raises NotAllowedError if these credentials may not make it."""


def harmless(password: str) -> Mapping[str, Mapping[str, Any]]:
    """Return the calls that change nothing, with their parameters, by operation.

    No user, group or provider has the names in them, and each call of this function makes new names.
    """
    nobody = f"cognito-migrate-check-{uuid.uuid4()}"
    user, group = {"Username": nobody}, {"GroupName": nobody}
    # A provider's name has 32 characters at most, and a hexadecimal id has just those.
    subject = {
        "ProviderName": uuid.uuid4().hex,
        "ProviderAttributeName": "Cognito_Subject",
        "ProviderAttributeValue": nobody,
    }
    return {
        "ListUsers": {"Limit": 1},
        "ListGroups": {"Limit": 1},
        "ListUsersInGroup": group,
        "AdminListGroupsForUser": user,
        "AdminGetUser": user,
        "AdminGetUserAuthFactors": user,
        # Writes follow. Should a user of this random name exist after all, each of them still does as little as it can.
        "AdminSetUserMFAPreference": {**user, "SMSMfaSettings": {"Enabled": False}},
        "AdminLinkProviderForUser": {
            "DestinationUser": {"ProviderName": "Cognito", "ProviderAttributeValue": nobody},
            "SourceUser": subject,
        },
        "AdminDisableProviderForUser": {"User": subject},
        "AdminSetUserPassword": {**user, "Password": password, "Permanent": True},
        "AdminDisableUser": user,
        "AdminEnableUser": user,
        "AdminUpdateUserAttributes": {**user, "UserAttributes": [{"Name": "locale", "Value": "en"}]},
        "AdminDeleteUserAttributes": {**user, "UserAttributeNames": ["locale"]},
        "AdminAddUserToGroup": {**user, **group},
        "AdminRemoveUserFromGroup": {**user, **group},
        "UpdateGroup": group,
    }


def rights(
    pools: Mapping[str, tuple[Ask, Description]],
    table: LedgerTable | None,
    simulate: Mapping[str, Simulate],
    needed: Needed = NEEDED,
) -> Rights:
    """Return for each action that is needed whether it is allowed. A pool that could not be described is left out."""
    found: dict[tuple[Resource, str], Allowed] = {}
    for side, (ask, described) in pools.items():
        actions = needed[_SIDES[side]] - READ_ANYHOW
        told = _simulated(simulate.get(side), actions, described.arn)
        # One set of random names for each pool, and a password that its policy takes.
        calls = harmless(random_password(described.password_policy))
        for action in sorted(actions):
            found[_SIDES[side], action] = told.get(action) or _asked(ask, action, calls)
    if table is not None:
        found |= {(Resource.LEDGER, action): allowed for action, allowed in _of_ledger(table, needed)}
    return found


def _simulated(simulate: Simulate | None, actions: frozenset[str], arn: str) -> dict[str, Allowed]:
    try:
        told = simulate(actions, arn) if simulate else {}
    # Asking IAM needs a permission of its own. Without it, the harmless calls tell.
    except MigrationError:
        return {}
    return {action: Allowed.YES if allowed else Allowed.NO for action, allowed in told.items()}


def _asked(ask: Ask, action: str, calls: Mapping[str, Mapping[str, Any]]) -> Allowed:
    operation = action.partition(":")[2]
    # AdminCreateUser and CreateGroup: they would leave something behind.
    if operation not in calls:
        return Allowed.UNKNOWN
    return _judged(lambda: ask(operation, **calls[operation]))


def _judged(call: Callable[[], object]) -> Allowed:
    try:
        call()
    # The order matters: a refusal is a MigrationError, too, but it is an answer.
    except NotAllowedError:
        return Allowed.NO
    except UserError:  # "no such user" is told only to a caller that may ask
        return Allowed.YES
    # A call that was throttled or dropped says nothing about permission.
    except MigrationError:
        return Allowed.UNKNOWN
    return Allowed.YES


def _of_ledger(table: LedgerTable, needed: Needed) -> Iterator[tuple[str, Allowed]]:
    key = f"check:{uuid.uuid4()}"
    # DynamoDB decides about permission before it looks at the condition, so an unmet condition means allowed.
    unmet = "attribute_exists(#id)"  # and nothing has that key
    calls: dict[str, Callable[[], object]] = {
        "DescribeTable": table.identity,
        "GetItem": lambda: table.get(key),
        "Scan": lambda: next(table.items(key), None),  # a page of it
        "PutItem": lambda: table.write(Write(key, item={"check": True}, condition=unmet)),
        "UpdateItem": lambda: table.write(Write(key, change="SET #check = :id", condition=unmet, values={"id": key})),
        "DeleteItem": lambda: table.write(Write(key, condition=unmet)),
    }
    for action in sorted(needed[Resource.LEDGER]):
        call = calls.get(action.partition(":")[2])
        yield action, _judged_of_ledger(call) if call else Allowed.UNKNOWN


def _judged_of_ledger(call: Callable[[], object]) -> Allowed:
    try:
        call()
    except NotAllowedError:
        return Allowed.NO
    # Any other failure, such as a missing table, says nothing about permission.
    except MigrationError:
        return Allowed.UNKNOWN
    return Allowed.YES
