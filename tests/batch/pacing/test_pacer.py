from __future__ import annotations

import json
import sys
import threading
from bisect import bisect_left
from contextlib import contextmanager, suppress
from dataclasses import replace
from http.server import BaseHTTPRequestHandler
from itertools import pairwise
from math import ceil
from urllib.request import Request, urlopen

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from listening import listening
from mishaps import FakeTime

from batch.pacing.limiter import HaltedError, Limiter
from batch.pacing.pacer import ATTEMPTS, Pacer
from batch.pacing.rate import usable_share
from batch.pools.connect import connect, default_rps
from batch.settings.config import Config, RateSettings
from sandbox.local import local_client
from sandbox.server import Sandbox
from userpool.errors import (
    DroppedError,
    FatalError,
    NotFoundError,
    SettingsError,
    ThrottledError,
    UnansweredError,
    UnreachableError,
    UserError,
)
from userpool.quotas import CATEGORY, DEFAULT_RPS
from userpool.settings import PoolSettings, UserRules


@pytest.fixture
def time_():
    return FakeTime()


def limiter(time_: FakeTime, rate: float) -> Limiter:
    return Limiter(rate, clock=time_.clock, sleep=time_.sleep)


def slots(paced: Limiter, time_: FakeTime, count: int) -> list[float]:
    """Take slots as fast as they are given and say when each came."""
    usable_share = []
    for _ in range(count):
        paced.wait()
        usable_share.append(time_.now)
    return usable_share


def most_in(times: list[float], seconds: float) -> int:
    """The most slots in any stretch of time that begins with one of them."""
    return max(bisect_left(times, begin + seconds - 1e-6) - index for index, begin in enumerate(times))


def most_in_a_second(times: list[float]) -> int:
    """The most slots in any second that begins with one of them."""
    return most_in(times, 1)


@pytest.mark.parametrize("rate", [0.5, 1, 2.5, 5, 60, 1000])
def test_slots_are_exactly_as_far_apart_as_the_rate_says(time_, rate):
    """Slots that are taken at once come one after the other, 1/rate seconds apart, from the first on."""
    usable_share = slots(limiter(time_, rate), time_, 50)
    assert usable_share == pytest.approx([usable_share[0] + number / rate for number in range(50)])


@given(
    rate=st.floats(0.5, 200),
    pauses=st.lists(st.floats(0, 30), min_size=2, max_size=80),
    throttled=st.sets(st.integers(0, 79)),
)
@settings(max_examples=100)
def test_no_second_ever_has_more_slots_than_the_rate(rate, pauses, throttled):
    """However slots are asked for, idle times and throttles included, two are never closer than 1/rate."""
    fake = FakeTime()
    paced = limiter(fake, rate)
    usable_share = []
    for number, pause in enumerate(pauses):
        fake.now += pause
        left = paced.wait()
        usable_share.append(fake.now)
        if number in throttled:
            paced.slow_down(left)
    assert min(later - earlier for earlier, later in pairwise(usable_share)) >= 1 / rate - 1e-6
    assert most_in_a_second(usable_share) <= max(1, rate + 1)


def test_idle_time_gives_no_burst(time_):
    """An hour without calls does not add up to calls: the next ones are as far apart as ever."""
    paced = limiter(time_, 10)
    slots(paced, time_, 5)
    time_.now += 3600
    usable_share = slots(paced, time_, 30)
    assert most_in_a_second(usable_share) == 10
    assert usable_share[-1] - usable_share[0] == pytest.approx(2.9)


class LateTime(FakeTime):
    """A clock under which who sleeps wakes late, by these seconds, one after the other."""

    def __init__(self, *late: float) -> None:
        super().__init__()
        self.late = [*late]

    def sleep(self, seconds: float) -> None:
        """Let time pass, and some more."""
        super().sleep(seconds + (self.late.pop(0) if self.late else 0.0))


@given(rate=st.floats(0.5, 200), late=st.lists(st.floats(0, 2), max_size=60))
@settings(max_examples=100)
def test_who_wakes_late_makes_no_burst(rate, late):
    """However late threads wake for their slots, no second, or little more, is given more calls than it may have."""
    time_ = LateTime(*late)
    paced = limiter(time_, rate)
    given_ = [paced.wait() for _ in range(2 * ceil(rate) + 60)]
    assert most_in(given_, ceil(rate) / rate) <= ceil(rate)


def test_who_woke_late_together_leave_a_second_after_as_many_before_them():
    """Threads whose slots passed in one stall leave at once while the second has room; who has none waits for it."""
    time_ = FakeTime()
    left = []

    def sleep(seconds):
        if len(left) == 1:  # while the first waits for 1000.5, the second waits for 1001, and wakes too late
            left.append(None)
            paced.wait()
            left[1] = time_.now
        else:
            time_.sleep(seconds if left[1:] and left[1] else seconds + 0.3)

    paced = Limiter(2, clock=time_.clock, sleep=sleep)
    for _ in range(2):
        paced.wait()
        left.append(time_.now)
    assert left == pytest.approx([1000, 1001.3, 1001.3])
    assert paced.wait() == pytest.approx(1002.3)


def test_after_a_stall_slots_are_given_from_when_calls_can_leave_again(time_):
    """Who comes when a stall has left many waiting gets a slot near which it leaves: what it asks before stays true."""
    paced = Limiter(2, clock=time_.clock, sleep=lambda _: None)  # others wait meanwhile, so the clock stands
    stalled = [paced.approach(ahead=60) for _ in range(12)]
    time_.now += 60
    assert [paced.leave(slot) for slot in stalled] == [1060 + number // 2 for number in range(12)]
    for _ in range(6):
        slot = paced.approach(ahead=60)
        assert slot <= paced.leave(slot) <= slot + 1


def test_a_throttle_halves_the_rate(time_):
    """After a throttle the slots come half as often."""
    paced = limiter(time_, 40)
    slots(paced, time_, 5)
    paced.slow_down(time_.now)
    assert paced.rate == pytest.approx(20)
    first, second = slots(paced, time_, 2)
    assert second - first == pytest.approx(1 / 20, rel=0.02)


def test_a_throttle_slows_those_who_wait_already():
    """A slot that was promised before a throttle is not given: who wakes for it waits for one at the new rate."""
    time_ = FakeTime()

    def sleep(seconds):
        time_.sleep(seconds)
        if not throttled:
            throttled.append(time_.now)
            paced.slow_down(time_.now)

    throttled: list[float] = []
    paced = Limiter(2, clock=time_.clock, sleep=sleep)
    assert slots(paced, time_, 2) == pytest.approx([1000, 1001.5])  # promised for 1000.5, when one was throttled


def test_throttles_of_one_event_count_once(time_):
    """Calls that left before a throttle was known, or within a second after, and are throttled too, change nothing."""
    paced = limiter(time_, 40)
    left = time_.now
    for _ in range(30):
        paced.slow_down(left)
        time_.now += 0.1
    assert 20 < paced.rate < 28  # halved once, and growing since
    paced.slow_down(left + 0.9)
    paced.slow_down(time_.now)
    assert 10 < paced.rate < 14


def test_a_throttled_category_never_stands_still(time_):
    """However often it is throttled, a twentieth of the ceiling is left."""
    paced = limiter(time_, 40)
    rates = []
    for _ in range(100):
        paced.slow_down(time_.now)
        rates.append(paced.rate)
        time_.now += 1
    assert min(rates) >= 2


def test_the_rate_recovers_to_its_ceiling_and_no_further(time_):
    """Without throttles the slots come more often again, up to the ceiling and never beyond it."""
    paced = limiter(time_, 40)
    paced.slow_down(time_.now)
    rates = []
    for _ in range(4000):
        paced.wait()
        rates.append(paced.rate)
    assert rates == sorted(rates)
    assert rates[0] < 21
    assert rates[-1] == 40
    assert paced.ceiling == 40
    time_.now += 1e6
    paced.wait()
    assert paced.rate == 40


def test_many_threads_take_different_slots(time_):
    """Threads that ask at the same moment get different slots, all as far apart as the rate says."""
    promised, lock = [], threading.Lock()

    def sleep(seconds):
        with lock:
            promised.append(seconds)

    paced = Limiter(100, clock=lambda: 0.0, sleep=sleep)
    start = threading.Barrier(16)

    def take():
        start.wait()
        for _ in range(500):
            paced.wait()

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)  # threads take turns as often as they can, so that races show
    threads = [threading.Thread(target=take) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    sys.setswitchinterval(before)
    # Time stands still, so each waits for its slot twice, and besides for the hundredth call before its own.
    slots_ = [number / 100 for number in range(1, 16 * 500)]
    assert sorted(promised) == pytest.approx(sorted([*slots_, *slots_, *(n // 100 for n in range(100, 16 * 500))]))


class Attempts:
    """What a call meets, one thing after the other; then it is answered."""

    def __init__(self, *meets) -> None:
        self.meets = list(meets)
        self.made = 0

    def __call__(self):
        """Meet the next thing."""
        self.made += 1
        if self.meets:
            met = self.meets.pop(0)
            if isinstance(met, Exception):
                raise met
        return "answer"


def pacer(time_: FakeTime, rps: float = 1000.0, **more) -> Pacer:
    return Pacer(dict.fromkeys(DEFAULT_RPS, rps), clock=time_.clock, sleep=time_.sleep, **more)


def carry_out(paced: Pacer, attempts: Attempts, *, operation: str = "AdminGetUser", repeatable: bool = True):
    return paced.policy()(operation, attempts, repeatable=repeatable)


def test_each_attempt_takes_a_slot(time_):
    """A repeated call is paced like a new one, so that repeating never exceeds the quota."""
    waits = []
    paced = Pacer(dict.fromkeys(DEFAULT_RPS, 2.0), clock=time_.clock, sleep=waits.append)
    carry_out(paced, Attempts(*[DroppedError("no")] * 3))
    assert {0.5, 1.0, 1.5} <= set(waits)  # the slots of the second to the fourth attempt, on a clock that stands still


@pytest.mark.parametrize("repeatable", [True, False])
def test_a_throttled_call_is_repeated_for_as_long_as_it_takes(time_, repeatable):
    """A throttle was not carried out, so it is waited out, also for what must not be repeated blindly."""
    attempts = Attempts(*[ThrottledError("slow down")] * 60)
    assert carry_out(pacer(time_), attempts, repeatable=repeatable) == "answer"
    assert attempts.made == 61


@pytest.mark.parametrize("rps", [0.1, 50.0])
def test_a_quota_of_nothing_ends_in_one_sentence(time_, rps):
    """Where not one call of a category gets through for half an hour, the command ends, and says why it may be."""
    attempts, began = Attempts(*[ThrottledError("AdminGetUser was throttled.")] * 10_000), time_.now
    with pytest.raises(FatalError, match=r"Every such call was throttled.*quota of this account is 0.*rerun"):
        carry_out(pacer(time_, rps=rps), attempts)
    assert 1800 < time_.now - began < 1800 + 60 + 20 / rps


@pytest.mark.parametrize("answer", ["answer", UserError("no"), NotFoundError("nobody")])
def test_a_call_that_gets_through_begins_the_half_hour_anew(time_, answer):
    """A category that lets a call through now and then does not stand still, whatever the answer is."""
    paced = pacer(time_)
    for _ in range(8):
        with suppress(UserError, NotFoundError):
            carry_out(paced, Attempts(*[ThrottledError("slow down")] * 60, answer))


def test_another_category_is_no_sign_of_life(time_):
    """Calls of another category that get through do not hide that this one stands still."""
    paced = pacer(time_)

    def throttled():
        carry_out(paced, Attempts(), operation="ListUsers")
        raise ThrottledError("AdminGetUser was throttled")

    with pytest.raises(FatalError, match="half an hour"):
        carry_out(paced, throttled)


def test_a_throttle_slows_its_category_alone(time_):
    """Only the category that was throttled becomes slower."""
    paced = pacer(time_, rps=100)
    carry_out(paced, Attempts(ThrottledError("slow down")), operation="AdminCreateUser")
    assert paced.limiter("AdminCreateUser").rate < 100
    assert paced.limiter("AdminGetUser").rate == 100


def test_throttles_are_not_waited_out_when_stopping(time_):
    """Once a stop is asked for, a call that is still throttled is given up after a few attempts."""
    stopping = threading.Event()
    attempts = Attempts(*[ThrottledError("slow down")] * 1000)

    def counted():
        if attempts.made == 50:
            stopping.set()
        return attempts()

    with pytest.raises(UnansweredError):
        pacer(time_, stopping=stopping).policy()("AdminGetUser", counted, repeatable=True)
    assert 50 < attempts.made < 60


def test_a_call_that_is_only_throttled_a_little_is_finished_when_stopping(time_):
    """A stop does not fail a call that goes through within a few attempts."""
    stopping = threading.Event()
    stopping.set()
    assert carry_out(pacer(time_, stopping=stopping), Attempts(*[ThrottledError("slow down")] * 3)) == "answer"


@pytest.mark.parametrize("kind", [DroppedError, UnreachableError])
def test_trouble_that_passes_in_time_is_not_noticed(time_, kind):
    """Seven attempts may fail on the way; the eighth counts."""
    attempts = Attempts(*[kind("no")] * (ATTEMPTS - 1))
    assert carry_out(pacer(time_), attempts) == "answer"
    assert attempts.made == ATTEMPTS == 8


def test_a_call_that_is_never_answered_is_given_up(time_):
    """After eight attempts without an answer it is not known what was done."""
    attempts = Attempts(*[DroppedError("no answer")] * 100)
    with pytest.raises(UnansweredError, match="no answer"):
        carry_out(pacer(time_), attempts)
    assert attempts.made == 8


@pytest.mark.parametrize("repeatable", [True, False])
def test_a_pool_that_cannot_be_reached_ends_the_run(time_, repeatable):
    """What cannot be reached after eight attempts is fatal, and says that a rerun goes on."""
    attempts = Attempts(*[UnreachableError("Cognito cannot be reached.")] * 100)
    with pytest.raises(FatalError, match="Rerun"):
        carry_out(pacer(time_), attempts, repeatable=repeatable)
    assert attempts.made == 8


@pytest.mark.parametrize("kind", [DroppedError, UnreachableError])
def test_throttles_do_not_use_up_the_patience_for_other_trouble(time_, kind):
    """A call that waited out many throttles is still tried eight times when its connection fails."""
    throttles = [ThrottledError("slow down")] * 30
    attempts = Attempts(*throttles, *[kind("no")] * (ATTEMPTS - 1))
    assert carry_out(pacer(time_), attempts) == "answer"
    hopeless = Attempts(*throttles, *[kind("no")] * 100)
    with pytest.raises((UnansweredError, FatalError)):
        carry_out(pacer(time_), hopeless)
    assert hopeless.made == 30 + 8


def test_what_must_not_be_repeated_blindly_is_called_once(time_):
    """A dropped call that is not repeatable is not made again: whoever called has to look first."""
    attempts = Attempts(DroppedError("gone"))
    with pytest.raises(UnansweredError, match="may have been carried out"):
        carry_out(pacer(time_), attempts, operation="AdminCreateUser", repeatable=False)
    assert attempts.made == 1


def test_what_was_never_sent_is_repeated_even_if_not_repeatable(time_):
    """A call that never left this machine was not carried out, so it is made again."""
    attempts = Attempts(UnreachableError("no route"), ThrottledError("slow down"))
    assert carry_out(pacer(time_), attempts, operation="AdminCreateUser", repeatable=False) == "answer"
    assert attempts.made == 3


@pytest.mark.parametrize("error", [UserError("rejected"), FatalError("denied"), ValueError("a mistake of ours")])
def test_a_definite_answer_is_not_argued_with(time_, error):
    """What was refused, for one user or for all, is not tried again, and neither is a bug."""
    attempts = Attempts(error)
    with pytest.raises(type(error)) as raised:
        carry_out(pacer(time_), attempts)
    assert (raised.value, attempts.made) == (error, 1)


def test_waits_between_attempts_grow_but_stay_bearable(time_):
    """No wait between two attempts is longer than 20 seconds."""
    carry_out(pacer(time_), Attempts(*[ThrottledError("slow down")] * 100))
    assert max(time_.slept) <= 20
    assert max(time_.slept) > 1


def test_categories_have_their_own_pace(time_):
    """Each category has its own limiter; operations of one category share it."""
    paced = pacer(time_)
    assert paced.limiter("AdminAddUserToGroup") is paced.limiter("AdminDisableUser")
    assert paced.limiter("ListUsers") is paced.limiter("ListUsersInGroup")
    assert paced.limiter("AdminCreateUser") is not paced.limiter("AdminSetUserPassword")


@pytest.mark.parametrize("share", [0.1, 0.5, 1.0])
def test_without_other_limits_a_share_of_the_defaults_is_taken(share):
    """Every operation gets what its share is of its category's default, or of 5 a second where each has a cap."""
    paced = Pacer({}, share=share)
    for operation, category in CATEGORY.items():
        capped = category in {"UserPoolResourceRead", "UserPoolResourceUpdate"}
        assert paced.limiter(operation).ceiling == pytest.approx(
            (5 if capped else DEFAULT_RPS[category]) * usable_share(share)
        )


@pytest.mark.parametrize("share", [0.1, 0.5, 1.0])
def test_operations_with_a_cap_of_their_own_keep_to_their_share_of_it(share):
    """ListGroups and CreateGroup are held to the share of 5 a second, not of their category, each by itself."""
    paced = Pacer({category: rps * share for category, rps in DEFAULT_RPS.items()})
    assert paced.limiter("ListGroups").ceiling == pytest.approx(5 * share)
    assert paced.limiter("CreateGroup").ceiling == pytest.approx(5 * share)
    assert paced.limiter("ListGroups") is not paced.limiter("CreateGroup")
    assert paced.limiter("AdminCreateUser").ceiling == pytest.approx(50 * share)


@pytest.fixture(scope="module")
def pools():
    """The ids of two user pools of one account."""
    with local_client() as client:
        yield [client.create_user_pool(PoolName=name)["UserPool"]["Id"] for name in ("old", "new")]


def config(pools, *endpoints: str, **rate) -> Config:
    source, target = (
        PoolSettings(pool, endpoint_url=endpoint) for pool, endpoint in zip(pools, endpoints, strict=True)
    )
    return Config(source, target, rate=RateSettings(**rate), workers=4, users=UserRules(keep_sub_as=None))


def connected(settings: Config):
    said: list[str] = []
    return connect(settings, stop=threading.Event(), say=said.append), said


def test_two_pools_of_one_account_share_their_quotas(sandbox, pools):
    """Two pools of an account and Region have one set of limiters, so that together they keep to the share."""
    migration, _ = connected(config(pools, sandbox.endpoint_url, sandbox.endpoint_url, limits={"UserList": 10.0}))
    assert migration.source.pacer is migration.target.pacer
    assert migration.target.rps("ListUsers") == 5.0


def test_two_stand_ins_have_quotas_of_their_own(sandbox, pools):
    """Pools behind different endpoints do not slow each other."""
    with Sandbox() as other:
        migration, _ = connected(config(pools, sandbox.endpoint_url, other.endpoint_url, limits={"UserList": 10.0}))
    assert migration.source.pacer is not migration.target.pacer
    assert migration.source.rps("ListUsers") == migration.target.rps("ListUsers") == 5.0


@contextmanager
def in_front_of(url: str, *, account: str = "123456789012", quotas: dict[str, float] | str | None = None):
    """A server that passes calls on, for pools of an account, and tells quotas, or the error it is given instead."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if quotas is not None and self.headers["X-Amz-Target"].endswith(".GetProvisionedLimit"):
                asked.append(json.loads(body)["LimitDefinition"]["Attributes"]["Category"])
                self.tell(asked[-1])
                return
            with urlopen(Request(url, data=body, headers=dict(self.headers))) as passed_on:
                self.answer(200, passed_on.read().replace(b"123456789012", account.encode()))

        def tell(self, category):
            if isinstance(quotas, str):
                self.answer(400, json.dumps({"__type": quotas, "message": "no"}).encode())
            else:
                self.answer(200, json.dumps({"Limit": {"ProvisionedLimitValue": quotas[category]}}).encode())

        def answer(self, status, body):
            self.send_response(status)
            self.send_header("Content-Type", "application/x-amz-json-1.1")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    with listening(Handler) as own:
        yield own, asked


def test_pools_of_two_accounts_have_quotas_of_their_own(sandbox, pools):
    """Quotas belong to the account: pools of two accounts do not slow each other."""
    with (
        in_front_of(sandbox.endpoint_url) as (one, _),
        in_front_of(sandbox.endpoint_url, account="999999999999") as (other, _),
    ):
        migration, _ = connected(config(pools, one, other, limits={"UserList": 10.0}))
    assert (migration.source.description.account, migration.target.description.account) == (
        "123456789012",
        "999999999999",
    )
    assert migration.source.pacer is not migration.target.pacer


def test_quotas_that_cognito_tells_are_used(sandbox, pools):
    """With rate.limits auto, the account's raised quotas count, of which the share is taken."""
    raised = {"UserCreation": 200, "UserRead": 300, "UserResourceRead": 100}
    with in_front_of(sandbox.endpoint_url, quotas=raised) as (url, asked):
        migration, said = connected(config(pools, url, url, share=0.5))
    assert said == []
    assert sorted(asked) == sorted(raised)  # once, for both pools
    assert migration.target.rps("AdminCreateUser") == 100
    assert migration.target.rps("AdminGetUser") == 150
    assert migration.source.rps("AdminListGroupsForUser") == 50
    assert migration.source.rps("ListUsers") == DEFAULT_RPS["UserList"] / 2


def test_the_rates_that_are_told_are_those_in_force(sandbox, pools):
    """What is told of a rate, connected or not, is what is kept to: the share, and at most all but the margin."""
    chosen = config(pools, *[sandbox.endpoint_url] * 2, share=1.0, shares={"UserList": 0.5}, limits={"UserRead": 200.0})
    migration, _ = connected(chosen)
    usual = default_rps(chosen)
    for operation, rps in (("AdminCreateUser", 48.5), ("AdminGetUser", 194), ("ListUsers", 15), ("ListGroups", 4.85)):
        assert migration.target.rps(operation) == usual(operation) == pytest.approx(rps)


@pytest.mark.parametrize("share", [0.1, 1.0])
def test_the_workers_are_as_many_as_the_slowest_category_needs(sandbox, pools, share):
    """At 300 ms a call nobody has to wait for a worker, and a stop finishes whom they have begun in eight seconds."""
    chosen = config(pools, *[sandbox.endpoint_url] * 2, share=share, limits=dict(DEFAULT_RPS))
    migration, _ = connected(replace(chosen, workers="auto"))
    memberships, users = migration.target.rps("AdminAddUserToGroup"), migration.target.rps("AdminSetUserPassword")
    for groups in range(4):
        users_a_second = min(users, memberships / groups if groups else users)
        assert migration.writers > users_a_second * 0.3 * (2 + groups)
    assert migration.writers <= memberships * 8


def defaults_at_half(migration) -> bool:
    return migration.target.rps("AdminCreateUser") == 25 and migration.source.rps("ListUsers") == 15


def test_a_quota_of_zero_that_cognito_tells_is_a_sentence(sandbox, pools):
    """Where no call of a category may be made, nothing begins, and the sentence names the category."""
    quotas = {**DEFAULT_RPS, "UserCreation": 0}
    with (
        in_front_of(sandbox.endpoint_url, quotas=quotas) as (url, _),
        pytest.raises(SettingsError, match=r"The quota UserCreation of this account is 0 .*rate\.limits"),
    ):
        connected(config(pools, url, url))


@pytest.mark.parametrize(
    "code",
    ["AccessDeniedException", "TooManyRequestsException", "InvalidParameterException", "UnknownOperationException"],
)
def test_quotas_that_cognito_does_not_tell_are_the_defaults(sandbox, pools, code):
    """Where asking for the quotas is refused, AWS's defaults are used, and a note says so."""
    with in_front_of(sandbox.endpoint_url, quotas=code) as (url, asked):
        migration, said = connected(config(pools, url, url))
    # Only a throttle may pass: another command may have used up this second's only request.
    assert len(asked) == (3 if code == "TooManyRequestsException" else 1)
    assert defaults_at_half(migration)
    assert len(said) == 1
    assert "rate.limits" in said[0]


class Stopping(FakeTime):
    """A clock under which somebody asks to stop at a moment; whoever sleeps then is woken."""

    def __init__(self, at: float) -> None:
        super().__init__()
        self.event = threading.Event()
        self.at = self.now + at

    def sleep(self, seconds: float) -> None:
        """Let time pass, up to the stop at most, at once."""
        end = self.now + seconds
        if self.now < self.at <= end:
            self.event.set()
            end = self.at
        super().sleep(end - self.now)


def stopped_while_waiting(operation: str, *, at: float, wait: float) -> tuple[float, int]:
    """Ask to stop while a call waits for its slot; return when that call ended, and how many were made."""
    time_ = Stopping(at)
    paced = Pacer(dict.fromkeys(DEFAULT_RPS, 1 / wait), stopping=time_.event, clock=time_.clock, sleep=time_.sleep)
    attempts = Attempts()
    carry_out(paced, attempts, operation=operation)
    began = time_.now
    with suppress(HaltedError):
        carry_out(paced, attempts, operation=operation)
    return time_.now - began, attempts.made


@pytest.mark.parametrize("operation", ["AdminCreateUser", "AdminAddUserToGroup", "ListUsers", "DescribeUserPool"])
def test_what_begins_something_is_not_waited_for_when_stopping(operation):
    """A call that waits for its slot when everything is to end is not made, and the wait ends there and then."""
    assert stopped_while_waiting(operation, at=3, wait=100) == (3, 1)


@pytest.mark.parametrize(
    "operation",
    ["AdminSetUserPassword", "AdminDisableUser", "AdminGetUser", "AdminSetUserMFAPreference", "AdminResetUserPassword"],
)
def test_what_finishes_something_gets_its_slot_when_stopping(operation):
    """A call that finishes a user who is begun still waits for its slot, and never for less than the rate asks."""
    assert stopped_while_waiting(operation, at=3, wait=12) == (12, 2)


@pytest.mark.parametrize("operation", ["AdminSetUserPassword", "AdminDisableUser", "AdminGetUser"])
def test_nothing_is_waited_for_longer_than_a_stop_may_take(operation):
    """A slot that is further away than fifteen seconds from the stop is not waited for, whatever it is for."""
    assert stopped_while_waiting(operation, at=3, wait=18.5) == (3, 1)


def test_the_time_for_finishing_counts_from_the_stop(time_):
    """Every later wait has what is left of the fifteen seconds, not fifteen of its own."""
    stopping = threading.Event()
    paced = Pacer(dict.fromkeys(DEFAULT_RPS, 1 / 6), stopping=stopping, clock=time_.clock, sleep=time_.sleep)
    stopping.set()
    began, attempts = time_.now, Attempts()
    with suppress(HaltedError):
        while True:
            carry_out(paced, attempts, operation="AdminSetUserPassword")
    assert (time_.now - began, attempts.made) == (12, 3)


def test_a_backoff_does_not_outlast_a_stop(time_):
    """Between the attempts of a call that begins something nothing is waited for once everything is to end."""
    stopping = threading.Event()

    def throttled_while_stopping():
        stopping.set()
        raise ThrottledError("slow down")

    began = time_.now
    with pytest.raises(HaltedError):
        carry_out(pacer(time_, stopping=stopping), throttled_while_stopping, operation="AdminCreateUser")
    assert time_.now == began


def test_a_real_stop_wakes_who_waits():
    """Threads that wait for slots hours away all end when somebody asks to stop."""
    stopping = threading.Event()
    paced = Pacer(dict.fromkeys(DEFAULT_RPS, 1 / 36_000), stopping=stopping)
    paced.limiter("AdminCreateUser").wait()
    halted = threading.Semaphore(0)

    def wait():
        try:
            paced.limiter("AdminCreateUser").wait()
        except HaltedError:
            halted.release()

    threads = [threading.Thread(target=wait, daemon=True) for _ in range(8)]
    for thread in threads:
        thread.start()
    stopping.set()
    assert all(halted.acquire(timeout=60) for _ in threads)
