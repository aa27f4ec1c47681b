"""Initiate-, Start-, Cancel-, Describe- and ListPointInTimeRecoveries, as botocore 1.44.8's API model has them.

Which error an unfit status or a spent limit gets, the model does not say; it only lists the codes.
"""

from __future__ import annotations

from typing import Any

from sandbox.errors import CognitoError, invalid_parameter
from sandbox.point_in_time.recoveries import DAY_SECONDS, PREVIEWS, Recovery, Status
from sandbox.world import Operation, Parameters, Pool, World

_DAYS = {"LITE": 0, "ESSENTIALS": 1, "PLUS": 14}
_MOST_ACTIVE = 5
_MOST_PREVIEWS_A_DAY = {"pool": 3, "account": 10}
_MOST_PREVIEWS_A_MONTH = 10
_MONTH_DAYS = 30


def _pool(world: World, parameters: Parameters) -> Pool:
    pool = world.pool(parameters["UserPoolId"])
    if not _DAYS[pool.tier]:
        raise CognitoError(
            "FeatureUnavailableInTierException", "Point-in-time recovery is not available in the LITE tier."
        )
    return pool


def _initiate(world: World, parameters: Parameters) -> dict[str, Any]:
    pool, now = _pool(world, parameters), world.clock.now()
    to = _point(parameters["RestoreTimestamp"])
    _check_point(world, pool, to, now)
    if world.recoveries.active(pool.id):
        raise CognitoError("ConcurrentModificationException", "A point-in-time recovery is already in progress.")
    if world.recoveries.rules.limited:
        _check_limits(world, pool, now)
    return {"Restoration": _described(world.recoveries.begin(pool.id, to, now))}


def _point(given: Any) -> float:
    if not isinstance(given, int | float) or isinstance(given, bool):
        raise CognitoError("SerializationException", f"{type(given).__name__} can not be converted to a timestamp")
    return float(given)


def _check_point(world: World, pool: Pool, to: float, now: float) -> None:
    age = now - to
    if age < world.recoveries.rules.least_age:
        raise invalid_parameter("The recovery point must be at least 15 minutes in the past.")
    if to < pool.users.history.since:
        raise invalid_parameter("The recovery point is earlier than the creation of the user pool.")
    if age > _DAYS[pool.tier] * DAY_SECONDS:
        raise invalid_parameter(f"The recovery point is too old for the {pool.tier} tier.")
    if any(age > _DAYS[tier] * DAY_SECONDS for tier in pool.users.history.tiers_since(to)):
        raise CognitoError(
            "FeatureUnavailableInTierException", "The user pool was not on the required tier at the recovery point."
        )


def _check_limits(world: World, pool: Pool, now: float) -> None:
    def since(recoveries: list[Recovery], days: int) -> list[Recovery]:
        return [one for one in recoveries if now - one.initiated < days * DAY_SECONDS]

    of_pool, of_account = world.recoveries.of(pool.id), world.recoveries.all()
    completed = [one for one in of_pool if one.status is Status.RESTORE_COMPLETED and now - one.since < DAY_SECONDS]
    if (
        completed
        or sum(one.pauses for one in of_account) >= _MOST_ACTIVE
        or len(since(of_pool, 1)) >= _MOST_PREVIEWS_A_DAY["pool"]
        or len(since(of_account, 1)) >= _MOST_PREVIEWS_A_DAY["account"]
        or len(since(of_pool, _MONTH_DAYS)) >= _MOST_PREVIEWS_A_MONTH
    ):
        raise CognitoError("LimitExceededException", "The limit of point-in-time recoveries is reached.")


def _start(world: World, parameters: Parameters) -> dict[str, Any]:
    recovery = _require(world, parameters)
    if recovery.status is not Status.PREVIEW_GENERATED:
        raise invalid_parameter(f"A recovery in status {recovery.status} can not be started.")
    return _moved(world, recovery, Status.RESTORING)


def _cancel(world: World, parameters: Parameters) -> dict[str, Any]:
    recovery = _require(world, parameters)
    if recovery.status not in PREVIEWS:
        raise invalid_parameter(f"A recovery in status {recovery.status} can not be canceled.")
    return _moved(world, recovery, Status.PREVIEW_CANCELLED)


def _moved(world: World, recovery: Recovery, status: Status) -> dict[str, Any]:
    recovery.held = False
    world.recoveries.move(world, recovery, status)
    return {"Restoration": _described(recovery)}


def _describe(world: World, parameters: Parameters) -> dict[str, Any]:
    return {"Restoration": _described(_require(world, parameters))}


def _list(world: World, parameters: Parameters) -> dict[str, Any]:
    pool = _pool(world, parameters)
    page, more = world.listings.page(
        "ListPointInTimeRecoveries",
        parameters,
        lambda: [_summary(one) for one in world.recoveries.of(pool.id)],
        limit="MaxResults",
    )
    return {"Restorations": page, **more}


def _require(world: World, parameters: Parameters) -> Recovery:
    return world.recoveries.require(parameters["RestoreId"], _pool(world, parameters).id)


def _summary(recovery: Recovery) -> dict[str, Any]:
    return {"RestoreId": recovery.id, "RestoreStatus": recovery.status.value, "RestoreTimestamp": recovery.to}


def _described(recovery: Recovery) -> dict[str, Any]:
    preview = {} if recovery.preview is None else {"RestorePreview": recovery.preview}
    return _summary(recovery) | {"TriggerTimestamp": recovery.initiated} | preview


OPERATIONS: dict[str, Operation] = {
    "InitiatePointInTimeRecovery": _initiate,
    "StartPointInTimeRecovery": _start,
    "CancelPointInTimeRecovery": _cancel,
    "DescribePointInTimeRecovery": _describe,
    "ListPointInTimeRecoveries": _list,
}
