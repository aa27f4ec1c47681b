"""Second factors in the new pool: set before anybody could sign in, carried over, and compared."""

from __future__ import annotations

import threading
from contextlib import suppress

import pytest
from changed import conflicting, planned, verified
from delta_world import calls, writes
from ledger_world import LedgerWorld
from migrating import LEGACY_SUB, PASSWORD, PowerCutError, World, empty, person, refused, unanswered
from second_factors import BOTH, BY_MAIL, BY_SMS, NONE, SETS, OldWithFactors, put, there

from batch.pacing.pacer import Pacer
from userpool.attributes import AttributeRules
from userpool.errors import FatalError
from userpool.factors import MAIL, SMS, TOTP, Factors, Preference
from userpool.person import PersonState
from userpool.pool import UserPool
from userpool.quotas import DEFAULT_RPS
from userpool.settings import Rules, UserRules

ONE, TWO = "sub-0001", "sub-0002"


@pytest.fixture(scope="module")
def pool_id(client):
    """A new pool that can keep the old sub."""
    return client.create_user_pool(PoolName="new", Schema=[LEGACY_SUB])["UserPool"]["Id"]


@pytest.fixture
def world(tmp_path, client, pool_id):
    """A migration into an empty pool that carries second factors."""
    yield World(tmp_path, client, pool_id, rules=Rules(UserRules(mfa="preferences")))
    empty(client, pool_id)


@pytest.fixture
def old(world):
    """An old pool of two users, the first of whom has two factors and a TOTP app; nothing has crossed."""
    old = OldWithFactors(world, person(1), person(2))
    old.change(ONE, phone_number="+15550100")
    old.prefer(ONE, SMS, MAIL, TOTP, preferred=MAIL)
    return old


def test_factors_are_set_between_the_password_and_the_end(world, old):
    """A user is CONFIRMED before the factors are set, which only those have who had them, preferred as they were."""
    old.carry()
    assert (there(world), there(world, "user2")) == (BOTH, NONE)
    of_one = [name for name, params in world.watched.calls if "user1" in str(params)]
    assert of_one == ["AdminCreateUser", "AdminSetUserPassword", SETS]
    assert len(calls(world, SETS)) == 1
    assert verified(world) == ([], [])


def test_unchanged_factors_are_not_set_again(world, old):
    """A second scan and run plan nothing and write nothing."""
    old.carry()
    old.carry()
    assert planned(world) == (0, {})
    assert writes(world) == []


@pytest.mark.parametrize(
    ("now", "words", "expected"),
    [
        (Factors(frozenset({SMS}), SMS), {MAIL: 1}, BY_SMS),
        (Factors(frozenset({SMS, MAIL}), SMS), {"preferred MFA": 1}, Preference(BOTH.on, SMS)),
        (Factors(frozenset({SMS, MAIL, TOTP}), TOTP), {"preferred MFA": 1}, Preference(BOTH.on)),
        (Factors(), {MAIL: 1, SMS: 1}, NONE),
    ],
)
def test_what_the_old_pool_changed_is_carried(world, old, now, words, expected):
    """A factor switched on or off in the old pool, or preferred there, is so in the new one after the next run."""
    old.carry()
    old.factors[ONE] = now
    old.scan()
    assert planned(world) == (1, words)
    old.carry()
    assert there(world) == expected
    assert planned(world) == (0, {})
    assert verified(world) == ([], [])


def test_what_the_new_pool_changed_wins(world, old):
    """A factor that its user switched off in the new pool stays off, whatever the old pool changes then."""
    old.carry()
    put(world, "user1", BY_SMS)
    assert verified(world) == ([], [("user1", "factor lost", MAIL)])
    old.prefer(ONE, MAIL, preferred=MAIL)
    old.carry()
    assert there(world) == BY_SMS
    assert conflicting(world) == [("user1", SMS)]
    assert planned(world) == (0, {})


def test_factors_come_later_to_whom_a_run_without_them_made(world, old):
    """Turned on after a run, users.mfa: preferences gives those who are there their factors, beside their own."""
    old.prefer(TWO, MAIL, preferred=MAIL)
    old.change(TWO, phone_number="+15550101")
    world.use(Rules())
    old.carry()
    put(world, "user2", BY_SMS)
    world.use(Rules(UserRules(mfa="preferences")))
    assert verified(world)[0] == [("user1", "factor lost"), ("user1", "factor lost"), ("user2", "factor lost")]
    old.carry()
    assert (there(world), there(world, "user2")) == (BOTH, Preference(BOTH.on))
    assert conflicting(world) == []


def test_who_was_found_gets_factors_by_the_next_run(world, old, client, pool_id):
    """A user of this migration's whom its inventory does not know is left as found, and then given the factors."""
    attributes = [{"Name": "custom:legacy_sub", "Value": ONE}, {"Name": "phone_number", "Value": "+15550100"}]
    attributes.append({"Name": "email", "Value": "user1@example.com"})
    client.admin_create_user(UserPoolId=pool_id, Username="user1", UserAttributes=attributes, MessageAction="SUPPRESS")
    client.admin_set_user_password(UserPoolId=pool_id, Username="user1", Password=PASSWORD, Permanent=True)
    assert old.carry().found == 1
    assert there(world) == NONE
    old.carry()
    assert there(world) == BOTH


def test_a_refused_factor_stops_nobody_and_is_tried_again(world, old):
    """Without e-mail MFA in the new pool SMS is set all the same, verify tells the other, and each run tries again."""

    def offers_no_mail(attempt, params):
        if params.get("EmailMfaSettings", {}).get("Enabled"):
            raise refused("InvalidParameterException")
        return attempt()

    world.watched.acts[SETS] = offers_no_mail
    summary = old.carry()
    assert (summary.done, summary.failed) == (2, {})
    assert there(world) == Preference(frozenset({SMS}))
    assert conflicting(world) == [("user1", MAIL)]
    assert verified(world) == ([("user1", "factor lost")], [])
    old.carry()
    assert conflicting(world) == [("user1", MAIL)]
    world.watched.acts.clear()
    old.carry()
    assert there(world) == BOTH
    assert conflicting(world) == []


def test_a_call_that_is_lost_is_made_by_the_rerun(world, old):
    """Where Cognito does not answer, the user is not done, and until a rerun a reset gives a password alone."""

    def gets_lost(_attempt, _params):
        raise unanswered()

    world.watched.acts[SETS] = gets_lost
    summary = old.carry()
    assert (summary.done, summary.failed) == (1, {"unanswered": 1})
    world.watched.acts.clear()
    old.carry()
    assert there(world) == BOTH
    assert verified(world) == ([], [])


def test_a_stop_after_the_password_still_sets_the_factors(world, old):
    """Asked to end right after a password was set, a run sets the factors too: who resets must not get in without."""
    stop = threading.Event()
    pacer = Pacer(dict.fromkeys(DEFAULT_RPS, 1e9), sleep=lambda _seconds: None, stopping=stop)
    world.target = UserPool(world.watched, world.pool_id, pacer.policy())

    def stops(attempt, _params):
        stop.set()
        return attempt()

    world.watched.acts["AdminSetUserPassword"] = stops
    old.carry(workers=1, stop=stop)
    assert there(world) == BOTH


def test_who_left_the_rules_keeps_their_factors(world, old):
    """Of who is not to cross any more nothing is switched off, and users.mfa: ignore touches none."""
    old.carry()
    old.prefer(ONE)
    world.use(Rules())
    old.carry()
    world.use(Rules(UserRules(mfa="preferences", disabled="skip")))
    old.change(ONE, enabled=False)
    old.carry()
    assert there(world) == BOTH


@pytest.mark.parametrize("carried_out", [True, False])
@pytest.mark.parametrize("calls_before", range(8))
def test_a_run_that_is_killed_at_any_call_sets_everybodys_factors(world, old, calls_before, carried_out):
    """Killed before or after any call and rerun, everybody has the factors, and nothing is called a conflict."""
    old.prefer(TWO, MAIL, preferred=MAIL)
    left = iter(range(calls_before))

    def stop(attempt, _params):
        if next(left, None) is not None:
            return attempt()
        if carried_out:
            attempt()
        raise PowerCutError

    world.watched.acts["*"] = stop
    with pytest.raises(PowerCutError):
        old.carry(workers=1)
    world.watched.acts.clear()
    world.run()
    assert (there(world), there(world, "user2")) == (BOTH, BY_MAIL)
    assert conflicting(world) == []
    assert verified(world) == ([], [])
    old.carry()
    assert writes(world) == []


@pytest.mark.parametrize("carried_out", [True, False])
@pytest.mark.parametrize("calls_before", range(3))
def test_an_update_that_is_killed_at_any_call_ends_as_an_undisturbed_one(world, old, calls_before, carried_out):
    """Killed while it carries a changed preference and rerun, a run leaves the factors as the old pool has them."""
    old.carry()
    old.prefer(ONE, SMS, preferred=SMS)
    left = iter(range(calls_before))

    def stop(attempt, _params):
        if next(left, None) is not None:
            return attempt()
        if carried_out:
            attempt()
        raise PowerCutError

    world.watched.acts["*"] = stop
    with pytest.raises(PowerCutError):
        old.carry(workers=1)
    world.watched.acts.clear()
    world.run()
    assert there(world) == BY_SMS
    assert conflicting(world) == []
    assert verified(world) == ([], [])


@pytest.mark.parametrize("carried_out", [True, False])
@pytest.mark.parametrize("calls_before", range(0, 40, 2))
def test_with_a_ledger_nobody_is_pending_without_their_factors(tmp_path, client, pool_id, calls_before, carried_out):
    """Killed before or after any call, also to the ledger, who is `pending` there has their factors; a rerun ends."""
    world = LedgerWorld(tmp_path, client, pool_id, rules=Rules(UserRules(mfa="preferences")))
    old = OldWithFactors(world, person(1))
    old.prefer(ONE, MAIL, preferred=MAIL)
    left = iter(range(calls_before))

    def stop(attempt, _params):
        if next(left, None) is not None:
            return attempt()
        if carried_out:
            attempt()
        raise PowerCutError

    world.watched.acts["*"] = stop
    with suppress(PowerCutError):
        old.carry(workers=1)
    world.watched.acts.clear()
    kept = world.persons().get(ONE)
    if kept and kept.state is PersonState.PENDING:
        assert there(world) == BY_MAIL
    world.time += 10_000
    world.run()
    assert (world.persons()[ONE].state, there(world)) == (PersonState.PENDING, BY_MAIL)
    assert conflicting(world) == []
    empty(client, pool_id)


@pytest.mark.parametrize("wanted", [(MAIL,), (SMS, MAIL)])
def test_who_was_made_by_their_own_sign_in_gets_all_factors_by_the_next_run(tmp_path, client, pool_id, wanted):
    """UserMigration gives SMS at most: the run that finds the user sets e-mail beside it, and calls nothing theirs."""
    world = LedgerWorld(tmp_path, client, pool_id, rules=Rules(UserRules(mfa="preferences")))
    old = OldWithFactors(world, person(1))
    old.change(ONE, phone_number="+15550100")
    old.prefer(ONE, *wanted, preferred=MAIL)
    world.watched.acts["AdminCreateUser"] = lambda _attempt, _params: (_ for _ in ()).throw(refused("Anything"))
    old.carry()
    world.watched.acts.clear()
    assert world.ledger.migrate(ONE, frozenset(), world.time).done
    attributes = [{"Name": "custom:legacy_sub", "Value": ONE}, {"Name": "phone_number", "Value": "+15550100"}]
    client.admin_create_user(UserPoolId=pool_id, Username="user1", UserAttributes=attributes, MessageAction="SUPPRESS")
    client.admin_set_user_password(UserPoolId=pool_id, Username="user1", Password=PASSWORD, Permanent=True)
    put(world, "user1", BY_SMS if SMS in wanted else NONE)
    world.direct.update_attributes("user1", {"email": "user1@example.com", "email_verified": "true"})
    old.carry()
    assert there(world) == (BOTH if SMS in wanted else BY_MAIL)
    assert conflicting(world) == []
    empty(client, pool_id)


def test_a_rule_that_drops_the_number_later_switches_no_factor_off(world, old):
    """A second factor that only a changed rule would switch off stays on, and is counted apart."""
    old.carry()
    world.use(Rules(UserRules(mfa="preferences"), AttributeRules(drop=("phone_number",))))
    for _ in range(2):
        assert dict(old.carry().spared) == {SMS: 1, "phone_number": 1}
        old.change(ONE, nickname="Zoe")
    assert there(world) == BOTH
    assert verified(world) == ([], [])


def test_factors_that_a_rule_leaves_alone_later_stay_on(world, old):
    """With `users.mfa: ignore` after a run, the factors that were set stay as they are."""
    old.carry()
    world.use(Rules())
    old.carry()
    assert there(world) == BOTH
    assert writes(world) == []


def test_a_refusal_of_everybody_ends_the_run_and_leaves_no_conflict(world):
    """25 users in a row who are refused their factors: the run ends, none has a conflict, and a rerun sets them."""
    old = OldWithFactors(world, *(person(number) for number in range(40)))
    for number in range(40):
        old.prefer(f"sub-{number:04}", MAIL, preferred=MAIL)

    def fails(_attempt, _params):
        raise refused("LimitExceededException")

    world.watched.acts[SETS] = fails
    with pytest.raises(FatalError, match="concerns everybody"):
        old.carry()
    assert conflicting(world) == []
    assert world.failures() == {}
    world.watched.acts.clear()
    old.carry()
    assert {there(world, f"user{number}") for number in range(40)} == {BY_MAIL}
