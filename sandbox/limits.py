"""Request-rate quotas, as the account has them: by category, shared by all its pools, over any one second.

Source: https://docs.aws.amazon.com/cognito/latest/developerguide/quotas.html (July 2026). How AWS measures a second is
not published; here no second, wherever it begins, holds more calls than the quota.
"""

from __future__ import annotations

import threading
from collections import defaultdict, deque
from collections.abc import Mapping
from typing import Any

from sandbox.clock import Clock
from sandbox.errors import CognitoError, invalid_parameter, not_authorized
from sandbox.world import Operation, Parameters, World

DEFAULT_RPS: Mapping[str, float] = {
    "UserAuthentication": 120,
    "UserCreation": 50,
    "UserFederation": 25,
    "UserAccountRecovery": 30,
    "UserRead": 120,
    "UserUpdate": 25,
    "UserToken": 120,
    "UserResourceRead": 50,
    "UserResourceUpdate": 25,
    "UserList": 30,
    "UserPoolRead": 15,
    "UserPoolUpdate": 15,
    "UserPoolResourceRead": 20,
    "UserPoolResourceUpdate": 15,
    "UserPoolClientRead": 15,
    "UserPoolClientUpdate": 15,
    "LimitManagement": 1,
}
ADJUSTABLE = frozenset(
    {"UserAuthentication", "UserCreation", "UserFederation", "UserRead", "UserToken", "UserResourceRead"}
)
_OPERATIONS = {
    "UserAuthentication": ["InitiateAuth", "AdminInitiateAuth"],
    "UserCreation": ["AdminCreateUser", "SignUp", "ConfirmSignUp", "AdminConfirmSignUp"],
    "UserAccountRecovery": [
        "AdminSetUserPassword",
        "AdminResetUserPassword",
        "ForgotPassword",
        "ConfirmForgotPassword",
        "ChangePassword",
    ],
    "UserRead": ["AdminGetUser", "GetUser", "AdminGetUserAuthFactors"],
    "UserUpdate": [
        "AdminAddUserToGroup",
        "AdminRemoveUserFromGroup",
        "AdminUpdateUserAttributes",
        "AdminDeleteUserAttributes",
        "AdminDeleteUser",
        "AdminDisableUser",
        "AdminEnableUser",
        "AdminLinkProviderForUser",
        "AdminDisableProviderForUser",
        "AdminUserGlobalSignOut",
        "UpdateUserAttributes",
        "DeleteUserAttributes",
        "DeleteUser",
        "GlobalSignOut",
    ],
    "UserToken": ["RevokeToken"],
    "UserResourceRead": [
        "AdminListGroupsForUser",
        "AdminListDevices",
        "AdminListUserAuthEvents",
        "ResendConfirmationCode",
    ],
    "UserResourceUpdate": [
        "AdminSetUserMFAPreference",
        "AdminSetUserSettings",
        "SetUserMFAPreference",
        "AssociateSoftwareToken",
        "VerifySoftwareToken",
        "VerifyUserAttribute",
    ],
    "UserList": ["ListUsers", "ListUsersInGroup"],
    "UserPoolRead": ["DescribeUserPool", "ListUserPools"],
    "UserPoolUpdate": ["CreateUserPool", "UpdateUserPool", "DeleteUserPool"],
    "UserPoolResourceRead": [
        "DescribeRiskConfiguration",
        "GetUserPoolSessionConfiguration",
        "ListUserPoolReplicas",
        "ListGroups",
        "GetGroup",
        "GetUserPoolMfaConfig",
        "DescribeIdentityProvider",
        "ListIdentityProviders",
        "DescribeResourceServer",
        "ListResourceServers",
        "DescribeUserPoolDomain",
        # No page says where the operations of point-in-time recovery count.
        "DescribePointInTimeRecovery",
        "ListPointInTimeRecoveries",
    ],
    "UserPoolResourceUpdate": [
        "SetRiskConfiguration",
        "SetUserPoolSessionConfiguration",
        "CreateUserPoolReplica",
        "CreateGroup",
        "UpdateGroup",
        "DeleteGroup",
        "AddCustomAttributes",
        "SetUserPoolMfaConfig",
        "CreateIdentityProvider",
        "UpdateIdentityProvider",
        "DeleteIdentityProvider",
        "CreateResourceServer",
        "CreateUserPoolDomain",
        "UpdateUserPoolDomain",
        "DeleteUserPoolDomain",
        "InitiatePointInTimeRecovery",
        "StartPointInTimeRecovery",
        "CancelPointInTimeRecovery",
    ],
    "UserPoolClientRead": [
        "DescribeUserPoolClient",
        "ListUserPoolClients",
        "ListUserPoolClientSecrets",
        "GetUserPoolClientSessionConfiguration",
    ],
    "UserPoolClientUpdate": [
        "CreateUserPoolClient",
        "UpdateUserPoolClient",
        "DeleteUserPoolClient",
        "AddUserPoolClientSecret",
        "DeleteUserPoolClientSecret",
        "SetUserPoolClientSessionConfiguration",
    ],
    "LimitManagement": ["GetProvisionedLimit", "UpdateProvisionedLimit"],
}
CATEGORY: Mapping[str, str] = {
    operation: category for category, operations in _OPERATIONS.items() for operation in operations
}
_CAPPED_PER_POOL = frozenset(
    {"UserPoolResourceRead", "UserPoolResourceUpdate", "UserPoolClientRead", "UserPoolClientUpdate"}
)
_PER_POOL_RPS = 5.0
_CHALLENGES = {"RespondToAuthChallenge", "AdminRespondToAuthChallenge"}
_CHALLENGE_FACTOR = 3  # challenge responses have three times UserAuthentication to themselves
_WINDOW_SECONDS = 1.0


class _Window:
    """The calls of the last second."""

    def __init__(self) -> None:
        self._calls: deque[float] = deque()

    def has_room(self, rps: float, now: float) -> bool:
        while self._calls and self._calls[0] <= now - _WINDOW_SECONDS:
            self._calls.popleft()
        return len(self._calls) < rps

    def take(self, now: float) -> None:
        self._calls.append(now)


class Quotas:
    """Admits calls within the quotas. A call that is refused takes nothing of them.

    `provisioned` are the quotas that differ from AWS's defaults, by category; it may change at any time.
    """

    def __init__(self, clock: Clock, provisioned: Mapping[str, float]) -> None:
        self._clock = clock
        self._provisioned = provisioned
        self._windows: defaultdict[tuple[str, ...], _Window] = defaultdict(_Window)
        self._lock = threading.Lock()

    def admit(self, operation: str, parameters: Parameters) -> None:
        """Count the call, or raise TooManyRequestsException."""
        with self._lock:
            now = self._clock.now()
            for needed in self._alternatives(operation, parameters):
                if all(self._windows[key].has_room(rps, now) for key, rps in needed):
                    for key, _ in needed:
                        self._windows[key].take(now)
                    return
        raise CognitoError("TooManyRequestsException", "Rate exceeded")

    def _alternatives(self, operation: str, parameters: Parameters) -> list[list[tuple[tuple[str, ...], float]]]:
        """Return the sets of windows, any one of which must have room."""
        authentication = self._rps("UserAuthentication")
        if operation in _CHALLENGES:
            if parameters.get("ChallengeName") == "NEW_PASSWORD_REQUIRED":
                return [[(("UserAccountRecovery",), self._rps("UserAccountRecovery"))]]
            own = ((operation.removeprefix("Admin"),), authentication * _CHALLENGE_FACTOR)
            return [[own], [(("UserAuthentication",), authentication)]]
        category = CATEGORY.get(operation)
        if category is None:
            return [[]]
        needed: list[tuple[tuple[str, ...], float]] = [((category,), self._rps(category))]
        if category in _CAPPED_PER_POOL:
            needed.append(((operation, str(parameters.get("UserPoolId"))), _PER_POOL_RPS))
        return [needed]

    def _rps(self, category: str) -> float:
        return self._provisioned.get(category, DEFAULT_RPS[category])


def _limit(world: World, definition: dict[str, Any]) -> dict[str, Any]:
    category = _category(definition)
    return {
        "Limit": {
            "LimitDefinition": definition,
            "ProvisionedLimitValue": int(world.provisioned.get(category, DEFAULT_RPS[category])),
            "FreeLimitValue": int(DEFAULT_RPS[category]),
        }
    }


def _category(definition: dict[str, Any]) -> str:
    category = str(definition.get("Attributes", {}).get("Category"))
    if definition.get("LimitClass") != "API_CATEGORY" or category not in DEFAULT_RPS:
        raise invalid_parameter("Invalid limit definition.")
    return category


def _get_provisioned_limit(world: World, parameters: Parameters) -> dict[str, Any]:
    return _limit(world, parameters["LimitDefinition"])


def _update_provisioned_limit(world: World, parameters: Parameters) -> dict[str, Any]:
    category = _category(parameters["LimitDefinition"])
    if category not in ADJUSTABLE:
        raise not_authorized(f"The limit of {category} cannot be changed.")
    world.provisioned[category] = float(parameters["RequestedLimitValue"])
    return _limit(world, parameters["LimitDefinition"])


OPERATIONS: dict[str, Operation] = {
    "GetProvisionedLimit": _get_provisioned_limit,
    "UpdateProvisionedLimit": _update_provisioned_limit,
}
