"""What the tests of point-in-time recovery share: its steps over boto3, and a pool old enough for them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

QUARTER = 15 * 60
DAY = 86_400


def at(seconds: float) -> datetime:
    """Return a time as boto3 takes one; it sends whole seconds."""
    return datetime.fromtimestamp(seconds, UTC)


def initiate_recovery(cognito: Any, pool_id: str, to: float) -> dict[str, Any]:
    """Call InitiatePointInTimeRecovery; return the `Restoration`."""
    answer = cognito.initiate_point_in_time_recovery(UserPoolId=pool_id, RestoreTimestamp=at(to))
    return answer["Restoration"]


def described(cognito: Any, pool_id: str, restore_id: str) -> dict[str, Any]:
    """Call DescribePointInTimeRecovery; return the `Restoration`."""
    answer = cognito.describe_point_in_time_recovery(UserPoolId=pool_id, RestoreId=restore_id)
    return answer["Restoration"]


def recover(cognito: Any, pool_id: str, to: float) -> dict[str, Any]:
    """Bring a pool back by the calls that an administrator makes; return the `Restoration` at the end."""
    restore_id = initiate_recovery(cognito, pool_id, to)["RestoreId"]
    assert described(cognito, pool_id, restore_id)["RestoreStatus"] == "PREVIEW_GENERATED"
    cognito.start_point_in_time_recovery(UserPoolId=pool_id, RestoreId=restore_id)
    return described(cognito, pool_id, restore_id)


def a_moment(world: Any) -> float:
    """Let a minute pass on both sides of a moment, and return it: a whole second, as boto3 sends it."""
    world.clock.advance(60)
    moment = float(int(world.clock.now()))
    world.clock.advance(60)
    return moment
