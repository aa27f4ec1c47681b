from __future__ import annotations

import pytest
from operations import DOORS, POOLS, methods, operations_of

from userpool.quotas import ADJUSTABLE, CAPPED_PER_POOL, CATEGORY, DEFAULT_RPS, pace_key


def operations_called() -> set[str]:
    """The operations that pools call, as the source of each kind of pool names them."""
    pools = [door for door in DOORS if door.name.endswith(POOLS)]
    return {operation for door in pools for name in methods(door) for operation in operations_of(door, name)}


def test_every_operation_is_paced_and_none_is_listed_in_vain():
    """Each call of the pool counts in a quota category, and each category entry is of a call that is made."""
    called = operations_called()
    assert "AdminCreateUser" in called
    assert called == set(CATEGORY)


def test_every_category_has_a_default_rate():
    """Whatever category a call counts in, it is known how many a second AWS allows, and no rate is nothing."""
    assert set(CATEGORY.values()) == set(DEFAULT_RPS)
    assert all(rate > 0 for rate in DEFAULT_RPS.values())
    assert set(DEFAULT_RPS) >= ADJUSTABLE | CAPPED_PER_POOL


@pytest.mark.parametrize(
    ("one", "other", "together"),
    [
        ("AdminAddUserToGroup", "AdminDisableUser", True),
        ("ListUsers", "ListUsersInGroup", True),
        ("AdminCreateUser", "AdminSetUserPassword", False),
        ("ListGroups", "CreateGroup", False),
    ],
)
def test_calls_of_one_category_share_a_pace(one, other, together):
    """Operations that AWS counts together are paced together, and others are not."""
    assert (pace_key(one) == pace_key(other)) is together


def test_an_operation_with_a_cap_of_its_own_is_paced_by_itself():
    """Where each operation is capped for each pool, the operation is what is paced."""
    for operation, category in CATEGORY.items():
        assert pace_key(operation) == (operation if category in CAPPED_PER_POOL else category)
