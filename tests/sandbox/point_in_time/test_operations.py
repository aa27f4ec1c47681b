"""The five operations of point-in-time recovery, as botocore's API model has them."""

from __future__ import annotations

import pytest
from live import create_user, refused
from recovering import DAY, QUARTER, a_moment, at, described, initiate_recovery, recover

from sandbox.point_in_time.recoveries import PAUSED, Status

UNKNOWN = "00000000-0000-4000-8000-000000000000"


@pytest.fixture
def world(local):
    """What is behind `cognito`."""
    return local.world


@pytest.fixture
def pool_id(new_pool, world):
    """A pool that is an hour old."""
    pool_id = new_pool()
    world.clock.advance(3600)
    return pool_id


@pytest.fixture
def point(world):
    """A recovery point of 20 minutes ago."""
    return float(int(world.clock.now() - 1200))


def listed(cognito, pool_id, **options):
    """Return the recoveries of a pool, one page of them."""
    return cognito.list_point_in_time_recoveries(UserPoolId=pool_id, **options)["Restorations"]


def states(cognito, pool_id):
    """Return the states of a pool's recoveries, newest first."""
    return [one["RestoreStatus"] for one in listed(cognito, pool_id)]


def test_a_recovery_goes_from_preview_to_completion(cognito, pool_id, point):
    """A recovery is initiated, has a preview, is started, and completes."""
    begun = initiate_recovery(cognito, pool_id, point)
    assert begun["RestoreStatus"] == "PREVIEW_GENERATING"
    assert begun["RestoreTimestamp"] == at(point)
    assert begun["TriggerTimestamp"] > at(point)
    assert "RestorePreview" not in begun
    ready = described(cognito, pool_id, begun["RestoreId"])
    assert ready["RestoreStatus"] == "PREVIEW_GENERATED"
    assert {one["Entity"] for one in ready["RestorePreview"]} == {"Users", "Groups", "User MFAs", "Passkeys"}
    started = cognito.start_point_in_time_recovery(UserPoolId=pool_id, RestoreId=begun["RestoreId"])
    assert started["Restoration"]["RestoreStatus"] == "RESTORING"
    assert described(cognito, pool_id, begun["RestoreId"])["RestoreStatus"] == "RESTORE_COMPLETED"


def test_a_status_lasts_as_long_as_the_rules_say(cognito, world, pool_id, point):
    """Preview and restoration take so many seconds of the sandbox's clock."""
    world.recoveries.rules.preview_seconds, world.recoveries.rules.restore_seconds = 60, 600
    restore_id = initiate_recovery(cognito, pool_id, point)["RestoreId"]
    assert states(cognito, pool_id) == ["PREVIEW_GENERATING"]
    with refused("InvalidParameterException"):
        cognito.start_point_in_time_recovery(UserPoolId=pool_id, RestoreId=restore_id)
    world.clock.advance(60)
    assert states(cognito, pool_id) == ["PREVIEW_GENERATED"]
    cognito.start_point_in_time_recovery(UserPoolId=pool_id, RestoreId=restore_id)
    assert states(cognito, pool_id) == ["RESTORING"]
    world.clock.advance(600)
    assert states(cognito, pool_id) == ["RESTORE_COMPLETED"]


def test_a_preview_expires_after_a_day(cognito, world, pool_id, point):
    """A recovery that nobody starts or cancels ends 24 hours after it was initiated."""
    restore_id = initiate_recovery(cognito, pool_id, point)["RestoreId"]
    world.clock.advance(DAY - 60)
    assert states(cognito, pool_id) == ["PREVIEW_GENERATED"]
    world.clock.advance(60)
    assert states(cognito, pool_id) == ["PREVIEW_EXPIRED"]
    with refused("InvalidParameterException"):
        cognito.start_point_in_time_recovery(UserPoolId=pool_id, RestoreId=restore_id)


def test_a_preview_is_cancelled(cognito, pool_id, point):
    """CancelPointInTimeRecovery ends a recovery before it changed anything."""
    create_user(cognito, pool_id, "bob")
    restore_id = initiate_recovery(cognito, pool_id, point)["RestoreId"]
    answer = cognito.cancel_point_in_time_recovery(UserPoolId=pool_id, RestoreId=restore_id)
    assert answer["Restoration"]["RestoreStatus"] == "PREVIEW_CANCELLED"
    assert cognito.admin_get_user(UserPoolId=pool_id, Username="bob")
    with refused("InvalidParameterException"):
        cognito.cancel_point_in_time_recovery(UserPoolId=pool_id, RestoreId=restore_id)


def test_the_newest_recovery_comes_first(cognito, world, pool_id, point):
    """ListPointInTimeRecoveries tells ID, status and recovery point, newest first, page by page."""
    made = []
    for number in range(3):
        made.append(initiate_recovery(cognito, pool_id, point + number)["RestoreId"])
        cognito.cancel_point_in_time_recovery(UserPoolId=pool_id, RestoreId=made[-1])
        world.clock.advance(60)
    first = cognito.list_point_in_time_recoveries(UserPoolId=pool_id, MaxResults=2)
    assert [one["RestoreId"] for one in first["Restorations"]] == [made[2], made[1]]
    assert all(set(one) == {"RestoreId", "RestoreStatus", "RestoreTimestamp"} for one in first["Restorations"])
    rest = cognito.list_point_in_time_recoveries(UserPoolId=pool_id, MaxResults=2, NextToken=first["NextToken"])
    assert [one["RestoreTimestamp"] for one in rest["Restorations"]] == [at(point)]
    assert "NextToken" not in rest


def test_a_pool_without_a_recovery_lists_none(cognito, pool_id):
    """The list of a pool that was never recovered is empty."""
    assert listed(cognito, pool_id) == []


def test_a_page_has_1_to_60_recoveries(cognito, pool_id):
    """MaxResults above 60 is refused."""
    with refused("InvalidParameterException", "maxResults"):
        cognito.list_point_in_time_recoveries(UserPoolId=pool_id, MaxResults=61)


def test_botocore_has_no_paginator_for_them(cognito):
    """A caller has to follow NextToken by itself."""
    assert not cognito.can_paginate("list_point_in_time_recoveries")


def test_recoveries_of_another_pool_are_not_told(cognito, new_pool, pool_id, point):
    """A recovery is found under its own pool only."""
    other = new_pool()
    restore_id = initiate_recovery(cognito, pool_id, point)["RestoreId"]
    assert listed(cognito, other) == []
    with refused("ResourceNotFoundException"):
        described(cognito, other, restore_id)
    with refused("ResourceNotFoundException"):
        described(cognito, pool_id, UNKNOWN)


def test_a_pool_that_is_not_there_has_no_recoveries(cognito, world):
    """A pool that does not exist gets ResourceNotFoundException."""
    with refused("ResourceNotFoundException"):
        listed(cognito, "us-east-1_missing00")


@pytest.mark.parametrize(
    ("operation", "parameters"),
    [
        ("initiate_point_in_time_recovery", {"RestoreTimestamp": at(0)}),
        ("start_point_in_time_recovery", {"RestoreId": UNKNOWN}),
        ("cancel_point_in_time_recovery", {"RestoreId": UNKNOWN}),
        ("describe_point_in_time_recovery", {"RestoreId": UNKNOWN}),
        ("list_point_in_time_recoveries", {}),
    ],
)
def test_a_lite_pool_cannot_be_recovered(cognito, new_pool, operation, parameters):
    """Every operation is refused for a pool on the Lite plan."""
    pool_id = new_pool(UserPoolTier="LITE")
    with refused("FeatureUnavailableInTierException"):
        getattr(cognito, operation)(UserPoolId=pool_id, **parameters)


@pytest.mark.parametrize(("tier", "days"), [("ESSENTIALS", 1), ("PLUS", 14)])
def test_a_plan_says_how_far_back_a_recovery_goes(cognito, world, new_pool, tier, days):
    """Essentials goes back a day, Plus 14 days."""
    pool_id = new_pool(UserPoolTier=tier)
    world.clock.advance(20 * DAY)
    now = world.clock.now()
    with refused("InvalidParameterException"):
        initiate_recovery(cognito, pool_id, now - days * DAY - 60)
    assert initiate_recovery(cognito, pool_id, now - days * DAY + 60)


def test_a_plan_must_have_been_there_at_the_recovery_point(cognito, world, new_pool):
    """A pool that came to Plus lately cannot go back to a time when it was on Essentials for more than a day."""
    pool_id = new_pool(UserPoolTier="ESSENTIALS")
    world.clock.advance(5 * DAY)
    cognito.update_user_pool(UserPoolId=pool_id, UserPoolTier="PLUS")
    world.clock.advance(5 * DAY)
    now = world.clock.now()
    with refused("FeatureUnavailableInTierException"):
        initiate_recovery(cognito, pool_id, now - 6 * DAY)
    assert initiate_recovery(cognito, pool_id, now - 4 * DAY)


def test_a_recovery_point_is_15_minutes_old(cognito, world, pool_id):
    """A later recovery point is refused, unless a test waives it."""
    now = world.clock.now()
    with refused("InvalidParameterException", "15 minutes"):
        initiate_recovery(cognito, pool_id, now - QUARTER + 60)
    world.recoveries.rules.least_age = 0
    assert initiate_recovery(cognito, pool_id, now - 60)


def test_a_recovery_point_is_not_before_the_pool(cognito, pool_id, world):
    """A recovery point earlier than the pool is refused."""
    with refused("InvalidParameterException", "creation"):
        initiate_recovery(cognito, pool_id, world.clock.now() - 7200)


def test_one_recovery_is_active_at_a_time(cognito, pool_id, point):
    """A second recovery of the pool is refused until the first has ended."""
    restore_id = initiate_recovery(cognito, pool_id, point)["RestoreId"]
    with refused("ConcurrentModificationException"):
        initiate_recovery(cognito, pool_id, point)
    cognito.cancel_point_in_time_recovery(UserPoolId=pool_id, RestoreId=restore_id)
    assert initiate_recovery(cognito, pool_id, point)


def test_a_pool_is_recovered_once_a_day(cognito, world, pool_id, point):
    """After a completed recovery the next one waits for 24 hours."""
    recover(cognito, pool_id, point)
    with refused("LimitExceededException"):
        initiate_recovery(cognito, pool_id, point)
    world.clock.advance(DAY)
    assert initiate_recovery(cognito, pool_id, a_moment(world) - QUARTER)


def test_a_pool_has_three_previews_a_day(cognito, world, pool_id, point):
    """The fourth preview of a pool in 24 hours is refused, unless a test waives the limits."""
    for _ in range(3):
        restore_id = initiate_recovery(cognito, pool_id, point)["RestoreId"]
        cognito.cancel_point_in_time_recovery(UserPoolId=pool_id, RestoreId=restore_id)
    with refused("LimitExceededException"):
        initiate_recovery(cognito, pool_id, point)
    world.recoveries.rules.limited = False
    assert initiate_recovery(cognito, pool_id, point)


@pytest.mark.parametrize("status", Status)
def test_every_status_can_be_set(cognito, world, pool_id, status):
    """A test gives a recovery any status; it lasts until the test gives another."""
    restore_id = world.pause_writes(pool_id)
    world.set_recovery(restore_id, status)
    world.clock.advance(2 * DAY)
    assert states(cognito, pool_id) == [status]
    assert world.recoveries.require(restore_id).pauses == (status in PAUSED)


def test_a_status_is_one_that_cognito_has(world, pool_id):
    """A status that Cognito does not have is refused."""
    restore_id = world.pause_writes(pool_id)
    with pytest.raises(ValueError, match="DONE"):
        world.set_recovery(restore_id, "DONE")
