"""Which quota category each operation counts in, and how many requests a second (RPS) AWS allows by default.

Source: https://docs.aws.amazon.com/cognito/latest/developerguide/quotas.html (July 2026). A category is shared by
every user pool of an AWS account in a Region, live sign-ins included.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

DEFAULT_RPS: Mapping[str, float] = MappingProxyType(
    {
        "UserAuthentication": 120,
        "UserCreation": 50,
        "UserAccountRecovery": 30,
        "UserRead": 120,
        "UserUpdate": 25,
        "UserResourceRead": 50,
        "UserResourceUpdate": 25,
        "UserList": 30,
        "UserPoolRead": 15,
        "UserPoolUpdate": 15,
        "UserPoolClientRead": 15,
        "UserPoolClientUpdate": 15,
        "UserPoolResourceRead": 20,
        "UserPoolResourceUpdate": 15,
        "LimitManagement": 1,
    }
)

ADJUSTABLE = frozenset({"UserCreation", "UserRead", "UserResourceRead"})

CATEGORY: Mapping[str, str] = MappingProxyType(
    {
        "AdminInitiateAuth": "UserAuthentication",
        "InitiateAuth": "UserAuthentication",
        "AdminCreateUser": "UserCreation",
        "SignUp": "UserCreation",
        "AdminSetUserPassword": "UserAccountRecovery",
        "AdminResetUserPassword": "UserAccountRecovery",
        "ForgotPassword": "UserAccountRecovery",
        "AdminGetUser": "UserRead",
        "AdminGetUserAuthFactors": "UserRead",
        "AdminAddUserToGroup": "UserUpdate",
        "AdminDisableUser": "UserUpdate",
        "AdminDeleteUser": "UserUpdate",
        "AdminEnableUser": "UserUpdate",
        "AdminUpdateUserAttributes": "UserUpdate",
        "AdminDeleteUserAttributes": "UserUpdate",
        "AdminRemoveUserFromGroup": "UserUpdate",
        "AdminLinkProviderForUser": "UserUpdate",
        "AdminDisableProviderForUser": "UserUpdate",
        "AdminListGroupsForUser": "UserResourceRead",
        "AdminSetUserMFAPreference": "UserResourceUpdate",
        "ListUsers": "UserList",
        "ListUsersInGroup": "UserList",
        "DescribeUserPool": "UserPoolRead",
        "ListUserPools": "UserPoolRead",
        # No document says which category these two are in. One call at the start of a command is little in any.
        "ListPointInTimeRecoveries": "UserPoolRead",
        "DescribePointInTimeRecovery": "UserPoolRead",
        "ListUserPoolClients": "UserPoolClientRead",
        "DescribeUserPoolClient": "UserPoolClientRead",
        "GetUserPoolClientSessionConfiguration": "UserPoolClientRead",  # no page names its category
        "ListUserPoolClientSecrets": "UserPoolClientRead",
        "CreateUserPoolClient": "UserPoolClientUpdate",
        "ListGroups": "UserPoolResourceRead",
        "GetUserPoolMfaConfig": "UserPoolResourceRead",
        "ListIdentityProviders": "UserPoolResourceRead",
        "ListResourceServers": "UserPoolResourceRead",
        # Of these no page names the category. This one has the least room.
        **dict.fromkeys(
            ("DescribeRiskConfiguration", "GetUserPoolSessionConfiguration", "ListUserPoolReplicas"),
            "UserPoolResourceRead",
        ),
        "CreateGroup": "UserPoolResourceUpdate",
        "DeleteGroup": "UserPoolResourceUpdate",
        "UpdateGroup": "UserPoolResourceUpdate",
        "AddCustomAttributes": "UserPoolResourceUpdate",
        "SetUserPoolMfaConfig": "UserPoolResourceUpdate",
        "CreateUserPool": "UserPoolUpdate",
        "UpdateUserPool": "UserPoolUpdate",
        "DeleteUserPool": "UserPoolUpdate",
        "GetProvisionedLimit": "LimitManagement",
    }
)

# Operations of these categories are also held to 5 RPS each, per user pool.
PER_POOL_RPS = 5.0
CAPPED_PER_POOL = frozenset({"UserPoolResourceRead", "UserPoolResourceUpdate"})


def pace_key(operation: str) -> str:
    """Return the name of what limits an operation: its category, or the operation where it has a cap of its own."""
    category = CATEGORY[operation]
    return operation if category in CAPPED_PER_POOL else category
