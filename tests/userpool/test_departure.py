from __future__ import annotations

import threading

import pytest
from mishaps import FakeTime

from batch.pacing.pacer import Pacer
from batch.plan.jobs import Job
from batch.run.journal import Unbegun
from batch.run.migrate_user import UserMigration
from sandbox.server import Sandbox
from userpool.client import cognito_client
from userpool.departure import departing
from userpool.pool import UserPool
from userpool.quotas import CATEGORY, DEFAULT_RPS
from userpool.settings import PoolSettings
from userpool.user import User


@pytest.fixture(scope="module")
def server():
    """A server of this file's own, which counts its calls."""
    with Sandbox() as server:
        yield server


@pytest.fixture
def client(server):
    """A client as every command makes it."""
    made = cognito_client(PoolSettings("us-east-1_Any", endpoint_url=server.endpoint_url), connections=1)
    yield made
    made.close()


def test_a_request_waits_when_it_is_made_and_before_it_is_sent(client, server):
    """What is to be waited for is called once, and the server hears of the request after that."""
    server.reset_counts()
    heard = []
    with departing(lambda: heard.append(server.calls["ListUserPools"])):
        client.list_user_pools(MaxResults=1)
        client.list_user_pools(MaxResults=1)
    assert heard == [0]
    assert server.calls["ListUserPools"] == 2


def test_a_wait_that_raises_ends_the_request(client, server):
    """Whoever may not leave does not: the error reaches the caller, and the server hears nothing."""

    class StayError(Exception):
        pass

    def stay():
        raise StayError

    server.reset_counts()
    with pytest.raises(StayError), departing(stay):
        client.list_user_pools(MaxResults=1)
    assert not server.calls
    client.list_user_pools(MaxResults=1)  # and the next one is nobody's business
    assert server.calls["ListUserPools"] == 1


def test_a_paced_request_is_made_ahead_of_its_slot_and_leaves_in_it(client, server):
    """Whatever its making takes, a request is sent in its slot; what it asks before is asked ahead of that."""
    time_ = FakeTime()
    asked, sent = [], []
    client.meta.events.register_last("before-send", lambda **_: sent.append(time_.now))
    pacer = Pacer(dict.fromkeys(DEFAULT_RPS, 2.0), ahead=0.05, clock=time_.clock, sleep=time_.sleep)
    pool_id = client.create_user_pool(PoolName="paced")["UserPool"]["Id"]
    sent.clear()
    pool = UserPool(client, pool_id).paced_by(pacer.policy())
    client.admin_create_user(UserPoolId=pool_id, Username="ada", MessageAction="SUPPRESS")
    sent.clear()

    def ask():
        asked.append(time_.now)
        time_.now += 0.02

    for _ in range(4):
        pool.disable("ada", before=ask)
    # The first had no time ahead, and the third leaves a second after it.
    assert sent == pytest.approx([1000.02, 1000.5, 1001.02, 1001.5], abs=1e-6)
    assert asked == pytest.approx([1000, 1000.45, 1000.95, 1001.45], abs=1e-6)


def test_who_asks_cognito_before_it_leaves_asks_in_its_slot(client, server):
    """A call that another one precedes, to look again, keeps to its slot, and the look is no older than that."""
    time_ = FakeTime()
    sent = []
    pool_id = client.create_user_pool(PoolName="asking")["UserPool"]["Id"]
    client.admin_create_user(UserPoolId=pool_id, Username="ada", MessageAction="SUPPRESS")
    client.meta.events.register_last(
        "before-send", lambda event_name, **_: sent.append((event_name.rpartition(".")[2], time_.now))
    )
    rates = {**dict.fromkeys(DEFAULT_RPS, 50.0), CATEGORY["AdminDisableUser"]: 2.0}
    pacer = Pacer(rates, ahead=0.05, clock=time_.clock, sleep=time_.sleep)
    pool = UserPool(client, pool_id).paced_by(pacer.policy())
    for _ in range(3):
        pool.disable("ada", before=lambda: pool.find("ada"))
    assert [name for name, _ in sent] == ["AdminGetUser", "AdminDisableUser"] * 3
    assert [when for _, when in sent] == pytest.approx([1000, 1000, 1000.5, 1000.5, 1001, 1001], abs=1e-6)


def test_a_creation_that_is_stopped_when_it_is_made_was_surely_not_begun(client, server):
    """Stopped between its making and its sending, a creation is not sent, and is recorded as one that was not."""
    time_, stop = FakeTime(), threading.Event()

    def sleep(seconds):
        time_.sleep(seconds)
        if len(time_.slept) == 2:  # the first is until it is made
            stop.set()

    rates = dict.fromkeys(DEFAULT_RPS, 2.0)
    pacer = Pacer(rates, ahead=0.05, stopping=stop, clock=time_.clock, sleep=sleep)
    pool_id = client.create_user_pool(PoolName="stopped")["UserPool"]["Id"]
    pool = UserPool(client, pool_id).paced_by(pacer.policy())
    pacer.limiter("AdminCreateUser").wait()
    server.reset_counts()
    migration = UserMigration(pool, marker=None, password=lambda: "Never-used-1", stop=stop)
    assert list(migration.step(Job(User("ada", "sub of ada", {}), "ada", {}))) == [Unbegun("sub of ada")]
    assert time_.slept == pytest.approx([0.45, 0.05])
    assert not server.calls
