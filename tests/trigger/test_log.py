"""The line that each event leaves, and the time that it may take."""

from __future__ import annotations

import hmac
import json
from itertools import pairwise

import pytest
from mishaps import Watch, on, raising, refusal
from triggering import OLD_PASSWORD, WRONG_PASSWORD, new_world

from sandbox.triggers.lambdas import Context
from trigger import log
from trigger.deadline import COGNITO_SECONDS, Deadline, InTime, NoTimeError
from trigger.outcome import Outcome
from userpool.errors import DroppedError, FatalError, ThrottledError, UnansweredError, UnreachableError, UserError

SOURCE = "UserMigration_Authentication"


def line(outcome, **options):
    """A line, read back."""
    text = log.line(SOURCE, outcome, **{"pool_id": "eu-west-1_NEW", "seconds": 0.25, **options})
    assert "\n" not in text
    return json.loads(text)


def test_a_line_says_what_came_of_an_event():
    """Source, outcome, reason, milliseconds and pool are in every line."""
    assert line(Outcome("passed", "new-name")) == {
        "source": SOURCE,
        "outcome": "passed",
        "reason": "new-name",
        "milliseconds": 250,
        "TargetPool": "eu-west-1_NEW",
    }


def test_a_person_is_a_keyed_hash():
    """Instead of the person there is a hash under the migration's key, and without a key nothing."""
    expected = hmac.digest(b"a key", b"old-sub", "sha256").hex()[:16]
    assert line(Outcome("captured", sub="old-sub"), log_key="a key")["person"] == expected
    assert line(Outcome("captured", sub="old-sub"), log_key="another")["person"] != expected
    assert "person" not in line(Outcome("captured", sub="old-sub"))
    assert "person" not in line(Outcome("captured"), log_key="a key")


@pytest.mark.parametrize(
    ("outcome", "metric"),
    [("captured", "Captured"), ("migrated", "Captured"), ("refused", "Refused"), ("fault", "Faults")],
)
def test_a_line_is_a_metric(outcome, metric):
    """Captures, refusals and faults are counted in the embedded metric format; refusals by reason too."""
    found = line(Outcome(outcome, "a-reason"))
    assert found[metric] == 1
    directive = found["_aws"]["CloudWatchMetrics"]
    assert directive[0]["Namespace"] == "CognitoMigrate"
    assert directive[0]["Metrics"] == [{"Name": metric, "Unit": "Count"}]
    by_reason = [["TargetPool", "reason"]] if outcome in {"refused", "fault"} else []
    assert directive[0]["Dimensions"] == [["TargetPool"], *by_reason]
    assert {name for names in directive[0]["Dimensions"] for name in names} <= found.keys()
    assert found["_aws"]["Timestamp"] > 1_600_000_000_000


def test_what_is_measured_beside():
    """The time spent on the old pool and the memberships still owed are metrics of their own."""
    found = line(Outcome("settled", "captured", owed=2), old_pool_seconds=0.5)
    assert (found["OldPoolLatency"], found["OwedMemberships"]) == (500, 2)
    assert found["_aws"]["CloudWatchMetrics"][0]["Metrics"] == [
        {"Name": "OldPoolLatency", "Unit": "Milliseconds"},
        {"Name": "OwedMemberships", "Unit": "Count"},
    ]


def test_an_event_without_metrics_has_none():
    """Where there is nothing to count, CloudWatch is told nothing."""
    assert "_aws" not in line(Outcome("asked"))


def test_lines_hold_nobodys_values():
    """Whatever happens to a person, no name, address, password or sub of theirs is in the log."""
    world = new_world("alias")
    sub = world.add_old("bobby", {"email": "Bob@x.com", "email_verified": "true"}, groups=["admins"])
    world.publish()
    world.signs_in("bobby", WRONG_PASSWORD)
    quoting = refusal("InvalidParameterException", "Value 'bobby' at 'username' failed to satisfy constraint")
    on(world.source_client, "AdminGetUser", raising(quoting), times=1)
    world.signs_in("bob@x.com", OLD_PASSWORD)
    world.signs_in("bobby", OLD_PASSWORD)
    world.forget("bobby")
    world.captures("bobby", OLD_PASSWORD)
    assert len(world.log) > 5
    text = json.dumps(world.log).lower()
    secret = (OLD_PASSWORD.lower(), WRONG_PASSWORD.lower())
    for value in ("bobby", "bob@x.com", "admins", sub, world.user("bobby").sub, *secret):
        assert value not in text


def test_the_old_pools_share_of_the_time():
    """The seconds spent waiting for the old pool are logged apart."""
    watch = Watch()
    world = new_world(watch=watch)
    world.add_old("bob")
    world.publish()
    on(world.source_client, "AdminInitiateAuth", lambda: watch.advance(0.7), times=1)
    on(world.ledger_client, "UpdateItem", lambda: watch.advance(0.2), times=1)
    world.sign_in("bob", OLD_PASSWORD)
    assert (world.log[0]["OldPoolLatency"], world.log[0]["milliseconds"]) == (700, 900)


# The time that is left.


class Given:
    """A Lambda context with so many seconds left."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def get_remaining_time_in_millis(self) -> int:
        """Return it in milliseconds."""
        return int(self._seconds * 1000)


@pytest.mark.parametrize(("context", "granted"), [(None, 5.0), (Given(60), 5.0), (Given(2), 2.0)])
def test_an_event_has_what_cognito_waits_and_lambda_grants(context, granted):
    """The time is Cognito's five seconds or less if the function has less, and a reserve is kept."""
    watch = Watch()
    deadline = Deadline(context, watch)
    assert granted - 1 < deadline.left < granted <= COGNITO_SECONDS
    left = deadline.left
    watch.advance(1.5)
    assert deadline.left == pytest.approx(left - 1.5)
    assert deadline.spent == 1.5
    deadline.require(deadline.left)
    with pytest.raises(NoTimeError):
        deadline.require(deadline.left + 0.01)


def trying(*results, seconds=5.0, costs=0.0):
    """A policy, its watch, and an attempt that has these results one after the other."""
    watch, attempts = Watch(), []
    policy = InTime(Deadline(Given(seconds), watch), watch, watch.sleep)

    def attempt():
        attempts.append(watch.now)
        watch.advance(costs)
        result = results[len(attempts) - 1]
        if isinstance(result, Exception):
            raise result
        return result

    return policy, attempt, watch, attempts


@pytest.mark.parametrize("error", [ThrottledError("busy"), UnreachableError("away")])
@pytest.mark.parametrize("repeatable", [True, False])
def test_what_was_not_carried_out_is_tried_three_times(error, repeatable):
    """A call that surely was not carried out is made again after growing waits, whatever it is."""
    policy, attempt, watch, attempts = trying(error, error, "done")
    assert policy("AdminGetUser", attempt, repeatable=repeatable) == "done"
    assert len(attempts) == 3
    first, second = (later - earlier for earlier, later in pairwise(attempts))
    assert 0 < first < second
    assert sum(watch.slept) == attempts[-1]


@pytest.mark.parametrize("error", [ThrottledError("busy"), DroppedError("gone")])
def test_the_last_error_is_told(error):
    """After the third attempt the error is the caller's."""
    policy, attempt, _, attempts = trying(error, error, error, "never")
    with pytest.raises(type(error)):
        policy("AdminGetUser", attempt, repeatable=True)
    assert len(attempts) == 3


@pytest.mark.parametrize("before", [0, 1, 2])
def test_a_doubt_is_told_where_repeating_is_no_option(before):
    """A call that must not be repeated blindly, and was not answered, raises UnansweredError at whatever attempt."""
    policy, attempt, _, attempts = trying(*[ThrottledError("busy")] * before, DroppedError("gone"), "never")
    with pytest.raises(UnansweredError):
        policy("AdminSetUserPassword", attempt, repeatable=False)
    assert len(attempts) == before + 1


@pytest.mark.parametrize("error", [UserError("no"), FatalError("denied"), ValueError("a mistake")])
def test_other_errors_end_it_at_once(error):
    """What would fail again is not tried again."""
    policy, attempt, watch, attempts = trying(error, "never")
    with pytest.raises(type(error)):
        policy("AdminGetUser", attempt, repeatable=True)
    assert (len(attempts), watch.slept) == (1, [])


def test_no_call_is_begun_without_time():
    """A call is not begun unless there is time for it: more for a password than for a look."""
    policy, attempt, *_ = trying("done", seconds=1.0)
    assert policy("AdminGetUser", attempt, repeatable=True) == "done"
    policy, attempt, _, attempts = trying("done", seconds=1.0)
    with pytest.raises(NoTimeError):
        policy("AdminSetUserPassword", attempt, repeatable=False)
    assert attempts == []


def test_no_wait_is_begun_without_time_to_try_again():
    """A failed call is not waited for if there would be no time left to repeat it."""
    policy, attempt, watch, attempts = trying(ThrottledError("busy"), "never", seconds=2.0, costs=1.3)
    with pytest.raises(NoTimeError):
        policy("AdminGetUser", attempt, repeatable=True)
    assert (len(attempts), watch.slept) == (1, [])


def test_the_seconds_of_calls_are_counted():
    """The policy counts what calls took, failed ones too, without the waits between."""
    policy, attempt, *_ = trying(ThrottledError("busy"), "done", costs=0.5)
    policy("AdminGetUser", attempt, repeatable=True)
    assert policy.seconds == 1.0


def test_an_event_out_of_time_is_refused_before_any_call(world):
    """A function with no time left asks neither pool, and answers as for a stranger."""
    world.add_old("bob")
    world.publish()
    world.warm()
    event = world.event(SOURCE, "bob", password=OLD_PASSWORD)
    assert world.send(event, Context("function", ends=0)) == event["response"]
    assert (world.calls, world.log[-1]["reason"]) == ({"DynamoDB.GetItem": 2}, "NoTimeError")
