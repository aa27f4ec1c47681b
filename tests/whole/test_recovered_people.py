"""What people meet after the new pool went back in time: who signs in, with which password, and as whom."""

from __future__ import annotations

import pytest
from command_line import READS, step
from setting_back import CallOrder, accounts, change, delete, later, set_back
from triggering import NEW_PASSWORD

from sandbox.cognito import shared
from sandbox.faults import Fault
from sandbox.made_up.seed import PASSWORD
from userpool.person import PersonState
from userpool.quotas import CATEGORY

WRITES = {operation for operation in CATEGORY if operation.startswith("Admin") and not operation.startswith(READS)}


def active(pool, *, factors=False):
    """Those who sign in by password: enabled, with an address to reset by, and with second factors or without."""
    return [
        known
        for known in pool.natives
        if known.enabled and known.can_reset and bool(known.factors) == factors and known.status == "CONFIRMED"
    ]


def opens_nothing(pool, known, password=PASSWORD):
    """Whether a password is of no use at a sign-in (UserMigration, where there is no user), and in the challenge."""
    return not pool.signs_in(known.username, password) and pool.offers(known.username, password) == "wrong"


def settle(pool):
    """Carry everything over. An address is free for its next owner only once its last one has another."""
    step(pool.job, "sync")
    step(pool.job, "sync")


def test_who_had_a_password_chooses_one_and_the_old_one_stays_dead(whole_pools):
    """Captured by either way, or reset by themselves: created anew, and the old password opens nothing, at any time."""
    pool = whole_pools()
    assert pool.job("run", "--yes", "--limit", "8").code == 4
    migrated = [known for known in active(pool) if known.sub not in pool.new_users()][:2]
    challenged, reset, waiting = (
        (left := [one for one in active(pool) if one not in migrated])[:2],
        left[2:4],
        left[4],
    )
    for known in migrated:
        assert pool.signs_in(known.username, PASSWORD), "by UserMigration"
    step(pool.job, "run", "--yes")
    for known in challenged:
        assert pool.arrives(known).outcome == "captured"
    for known in reset:
        assert pool.forgets(known.username, "Oth3r-Passw0rd!")
    secured = [known for known in active(pool, factors=True) if known.crossing][:2]
    for known in secured:
        assert pool.forgets(known.username)
        assert pool.signs_in(known.username, NEW_PASSWORD)
    before, used = accounts(pool), [*migrated, *challenged, *reset, *secured]
    set_back(pool.new_id, min(user.created for user in pool.new_users().values()) - 60)
    assert pool.new_users() == {}
    assert all(opens_nothing(pool, known) for known in used)
    told = step(pool.job, "recover", "--yes", "--json").json
    assert (told["lost"], told["used"], told["failed"]) == (len(before), len(used), 0)
    assert all(opens_nothing(pool, known) for known in used)
    step(pool.job, "run", "--yes")
    assert accounts(pool) == before
    for known in used:
        assert pool.state(known) == PersonState.RESET
        assert opens_nothing(pool, known)
        assert pool.forgets(known.username)
        if known.crossing:
            assert pool.is_asked(known.username, NEW_PASSWORD) in known.crossing
        claims = pool.signs_in(known.username, NEW_PASSWORD)
        assert set(claims.get("cognito:groups", ())) >= known.groups
        assert claims["custom:legacy_sub"] == known.sub
        assert opens_nothing(pool, known)
    assert pool.arrives(waiting).outcome == "captured"
    assert step(pool.job, "verify", "--json").json["differences"] == []


def test_who_waits_may_come_by_their_own_sign_in_before_the_next_run(whole_pools):
    """After `recover`, and before the next run, UserMigration takes whoever had no password yet."""
    pool = whole_pools()
    step(pool.job, "run", "--yes")
    one = active(pool)[0]
    before = accounts(pool)
    set_back(pool.new_id, min(user.created for user in pool.new_users().values()) - 60)
    assert not pool.signs_in(one.username, PASSWORD)
    step(pool.job, "recover", "--yes")
    assert pool.signs_in(one.username, PASSWORD)
    assert pool.state(one) == PersonState.CAPTURED
    step(pool.job, "run", "--yes")
    assert accounts(pool) == before
    assert pool.signs_in(one.username, PASSWORD)


def test_what_a_night_carried_over_is_carried_over_again_the_disabling_first(whole_pools, sandbox):
    """Eight changes of one night are undone and done again. A recycled address signs in its new owner only."""
    pool = whole_pools(target_kind="alias")
    old = pool.old_id
    for name in ("night-a", "night-b"):
        pool.cognito.create_group(UserPoolId=old, GroupName=name)
    ends = active(pool)[-1]
    pool.cognito.admin_add_user_to_group(UserPoolId=old, Username=ends.username, GroupName="night-a")
    step(pool.job, "sync")
    # Whoever is called by an address would sign in by it all the same.
    moved, recycles, banned, joins, links, renamed, *_ = sorted(active(pool), key=lambda one: "@" in one.username)
    switches_off = next(known for known in active(pool, factors=True) if known.factors == {"SMS_MFA"})
    pool.cognito.admin_set_user_password(
        UserPoolId=old, Username=recycles.username, Password=NEW_PASSWORD, Permanent=True
    )
    point = later()
    later()
    pool.cognito.admin_remove_user_from_group(UserPoolId=old, Username=ends.username, GroupName="night-a")
    pool.cognito.admin_disable_user(UserPoolId=old, Username=banned.username)
    address = shared().world.pool(old).users.named(moved.username).attributes["email"]
    change(pool, moved.username, email="moved-away@example.com")
    change(pool, recycles.username, email=address)
    for name in ("night-a", "night-b"):
        pool.cognito.admin_add_user_to_group(UserPoolId=old, Username=joins.username, GroupName=name)
    source = {"ProviderName": "Google", "ProviderAttributeName": "Cognito_Subject", "ProviderAttributeValue": "9"}
    user = {"ProviderName": "Cognito", "ProviderAttributeValue": links.username}
    pool.cognito.admin_link_provider_for_user(UserPoolId=old, DestinationUser=user, SourceUser=source)
    change(pool, renamed.username, given_name="Changed")
    pool.cognito.admin_set_user_mfa_preference(
        UserPoolId=old, Username=switches_off.username, SMSMfaSettings={"Enabled": False}
    )
    settle(pool)
    after = accounts(pool)
    set_back(pool.new_id, point)
    assert pool.new_users()[banned.sub].enabled
    assert pool.offers(address, NEW_PASSWORD) == "wrong", "it is the address of the account of its last owner again"
    told = step(pool.job, "recover", "--yes", "--json").json
    assert (told["set_back"], told["failed"]) == (8, 0)
    sandbox.faults = calls = CallOrder()
    settle(pool)
    assert next(name for name in calls.operations if name in WRITES) == "AdminDisableUser"
    assert accounts(pool) == after
    verified = step(pool.job, "verify", "--json").json
    assert (verified["differences"], verified["notes"]) == ([], [])
    assert pool.offers(address, PASSWORD) == "wrong"
    assert pool.offers(address, NEW_PASSWORD) == "captured"
    assert pool.signs_in(address, NEW_PASSWORD)["custom:legacy_sub"] == recycles.sub
    assert pool.state(moved) == PersonState.PENDING
    assert pool.comes_from("Google", "9")["custom:legacy_sub"] == links.sub


def half_created(pool, sandbox, people):
    """Create these users without a password, the others whole; return a time at which it was so, and finish them."""
    names = [known.username for known in people]
    sandbox.faults.replace([Fault("error", "AdminSetUserPassword", usernames=names, code="InternalErrorException")])
    assert pool.job("run", "--yes").code == 1
    sandbox.faults.replace([])
    point = later()
    later()
    step(pool.job, "run", "--yes")
    return point


@pytest.mark.parametrize("answers", [{}, {"admin_set_is_changed": True, "status_is_kept": False}])
def test_a_temporary_password_gives_way_to_a_random_one(whole_pools, recovery_rules, sandbox, answers):
    """Who stands in FORCE_CHANGE_PASSWORD again gets in again: by the old password if it was never captured."""
    vars(recovery_rules).update(answers)
    pool = whole_pools()
    waits, captured, chose = people = active(pool)[:3]
    point = half_created(pool, sandbox, people)
    assert pool.arrives(captured).outcome == "captured"
    assert pool.forgets(chose.username)
    before = accounts(pool)
    set_back(pool.new_id, point)
    assert pool.new_users()[waits.sub].status == "FORCE_CHANGE_PASSWORD"
    assert pool.offers(waits.username, PASSWORD) == "wrong"
    step(pool.job, "recover", "--yes")
    step(pool.job, "run", "--yes")
    assert accounts(pool) == before
    assert pool.arrives(waits).outcome == "captured"
    assert pool.state(captured) == PersonState.RESET
    assert opens_nothing(pool, captured)
    assert pool.forgets(captured.username)
    assert pool.signs_in(captured.username, NEW_PASSWORD)
    assert opens_nothing(pool, chose)
    assert pool.forgets(chose.username)
    assert step(pool.job, "verify", "--json").json["differences"] == []


def test_who_comes_from_another_provider_comes_again(whole_pools):
    """A profile that is gone waits for its next federated sign-in, and a linked user is linked again."""
    pool = whole_pools(size=60)
    step(pool.job, "run", "--yes")
    profile = next(known for known in pool.profiles if known.enabled)
    links = next(known for known in pool.natives if known.links and known.enabled)
    first = pool.comes_from(*profile.identity)
    assert pool.comes_from(*min(links.links))["custom:legacy_sub"] == links.sub
    before = accounts(pool)
    set_back(pool.new_id, min(user.created for user in pool.new_users().values()) - 60)
    assert not pool.comes_from(*min(links.links)), "or it would be a profile, which cannot be linked any more"
    told = step(pool.job, "recover", "--yes", "--json").json
    assert told["failed"] == 0
    assert pool.state(profile) == PersonState.DEFERRED
    step(pool.job, "run", "--yes")
    assert accounts(pool) == before
    again = pool.comes_from(*profile.identity)
    assert set(again["cognito:groups"]) == set(first["cognito:groups"]) >= profile.groups
    assert again["custom:legacy_sub"] == profile.sub
    assert pool.state(profile) == PersonState.RETURNED
    assert pool.comes_from(*min(links.links))["custom:legacy_sub"] == links.sub
    assert opens_nothing(pool, links), "a token was given already, so nobody knows who has the password"


def test_who_was_forgotten_and_is_there_again_is_named(whole_pools):
    """Somebody who was erased on request has to be erased once more; nothing is carried over to them."""
    pool = whole_pools()
    step(pool.job, "run", "--yes")
    one = active(pool)[0]
    assert pool.arrives(one).outcome == "captured"
    point = later()
    later()
    for pool_id in (pool.old_id, pool.new_id):
        pool.cognito.admin_delete_user(UserPoolId=pool_id, Username=one.username)
    step(pool.job, "forget", one.sub, "--yes")
    step(pool.job, "sync")
    set_back(pool.new_id, point)
    assert one.sub in pool.new_users()
    told = step(pool.job, "recover", "--yes")
    assert pool.new_users()[one.sub].sub in told.out
    assert f"forget {one.sub}" in told.out
    step(pool.job, "run", "--yes")


def sets_up_totp(pool, known):
    """Let a user set up a TOTP app in the new pool, and sign in with it. Return the claims."""
    user = shared().world.pool(pool.new_id).users.find(known.username)
    user.totp_secret, user.mfa, user.preferred_mfa = "A" * 32, ["SOFTWARE_TOKEN_MFA"], "SOFTWARE_TOKEN_MFA"
    return pool.signs_in(known.username, NEW_PASSWORD)


@pytest.mark.parametrize("gone", [True, False])
def test_a_second_factor_that_only_the_user_can_set_up_is_asked_for_again(whole_pools, gone):
    """A TOTP app is lost with the user, or with the time since it was set up. The function asks for it again."""
    pool = whole_pools(environment={"ENROL_CLAIM": "to_enrol"})
    known = next(one for one in active(pool, factors=True) if one.factors == {"SOFTWARE_TOKEN_MFA"})
    before = later()
    step(pool.job, "run", "--yes")
    point = later()
    later()
    assert pool.forgets(known.username)
    assert pool.signs_in(known.username, NEW_PASSWORD)["to_enrol"] == "SOFTWARE_TOKEN_MFA"
    assert "to_enrol" not in sets_up_totp(pool, known)
    set_back(pool.new_id, before if gone else point)
    step(pool.job, "recover", "--yes")
    step(pool.job, "run", "--yes")
    assert pool.forgets(known.username)
    assert pool.signs_in(known.username, NEW_PASSWORD)["to_enrol"] == "SOFTWARE_TOKEN_MFA"
    assert "to_enrol" not in sets_up_totp(pool, known)


def test_a_pool_set_back_to_before_the_cut_over_needs_the_cut_over_taken_back(whole_pools):
    """What was carried over before the cut-over is carried over again only without one: `recover` says so."""
    pool = whole_pools()
    step(pool.job, "run", "--yes")
    point = later()
    later()
    banned, moved, waits = active(pool)[:3]
    pool.cognito.admin_disable_user(UserPoolId=pool.old_id, Username=banned.username)
    change(pool, moved.username, email="moved-away@example.com")
    step(pool.job, "sync")
    after = accounts(pool)
    later()
    step(pool.job, "cutover", "--yes")
    set_back(pool.new_id, point)
    refused = pool.job("recover", "--yes")
    assert (refused.code, "cognito-migrate cutover --undo" in refused.err) == (2, True)
    step(pool.job, "cutover", "--undo", "--yes")
    step(pool.job, "recover", "--yes")
    step(pool.job, "sync")
    assert accounts(pool) == after
    step(pool.job, "cutover", "--yes")
    assert pool.arrives(waits).outcome == "captured"


def test_a_pool_in_use_that_is_set_back_gets_its_bans_again(whole_pools):
    """After the cut-over a recovery takes back only what came since, and whom the old pool disabled is disabled."""
    pool = whole_pools()
    step(pool.job, "run", "--yes")
    later()
    step(pool.job, "cutover", "--yes")
    point = later()
    later()
    banned, chose = active(pool)[:2]
    pool.cognito.admin_disable_user(UserPoolId=pool.old_id, Username=banned.username)
    step(pool.job, "sync")
    assert pool.forgets(chose.username)
    after = accounts(pool)
    set_back(pool.new_id, point)
    assert pool.new_users()[banned.sub].enabled
    told = step(pool.job, "recover", "--yes", "--json").json
    assert (told["set_back"], told["passwords"]) == (1, 1)
    step(pool.job, "sync")
    assert accounts(pool) == after


def test_an_old_pool_set_back_undoes_no_ban_and_names_who_is_missing(whole_pools):
    """A scan refuses once. Then no ban is lifted; who signed up since is named, and gets no token until `finish`."""
    pool = whole_pools()
    old = pool.old_id
    step(pool.job, "run", "--yes")
    point = later()
    later()
    banned, stays = active(pool)[:2]
    pool.cognito.admin_disable_user(UserPoolId=old, Username=banned.username)
    for number in range(12):
        pool.cognito.admin_create_user(UserPoolId=old, Username=f"late-{number}", MessageAction="SUPPRESS")
        pool.cognito.admin_set_user_password(
            UserPoolId=old, Username=f"late-{number}", Password=PASSWORD, Permanent=True
        )
    step(pool.job, "sync")
    assert pool.offers("late-0", PASSWORD) == "captured"
    before = accounts(pool)
    set_back(old, point)
    refused = pool.job("sync")
    assert (refused.code, "scan --after-recovery" in refused.err) == (3, True)
    assert "who was disabled since may be enabled again" in refused.err
    told = step(pool.job, "scan", "--after-recovery", "--json").json
    assert {one["username"] for one in told["gone"]} == {f"late-{number}" for number in range(12)}
    for _ in range(2):
        step(pool.job, "sync")
        assert accounts(pool) == before
    assert banned.username in step(pool.job, "export", "conflicts", "--output", "-").out
    assert not pool.signs_in(banned.username, PASSWORD)
    assert pool.offers("late-1", PASSWORD) == "wrong"
    assert not pool.signs_in("late-0", PASSWORD), "captured before, and not yet looked at in the old pool"
    assert pool.log[-1]["reason"] == "old-user-gone"
    assert pool.arrives(stays).outcome == "captured"


def test_users_deleted_by_mistake_are_named_and_brought_back_and_one_deleted_on_purpose_is_not(whole_pools):
    """A fifth of all is a difference, named one by one; the question says how many had a password of their own."""
    pool = whole_pools(size=60)
    step(pool.job, "run", "--yes")
    people = active(pool)
    on_purpose, captured, waiting = people[0], people[1:4], people[4:14]
    for known in captured:
        assert pool.arrives(known).outcome == "captured"
    before = accounts(pool)
    delete(pool, [on_purpose.sub])
    step(pool.job, "verify")
    delete(pool, [known.sub for known in (*captured, *waiting)])
    verified = pool.job("verify", "--json")
    assert verified.code == 5
    missing = {one["username"] for one in verified.json["differences"] if one["what"] == "missing"}
    assert missing == {known.username for known in (*captured, *waiting)}
    asked = pool.job("recover", "--missing")
    assert (asked.code, "3 had a password of their own" in asked.err) == (2, True)
    step(pool.job, "recover", "--missing", "--yes")
    step(pool.job, "run", "--yes")
    assert accounts(pool) == {sub: user for sub, user in before.items() if sub != on_purpose.sub}
    assert all(opens_nothing(pool, known) for known in captured)
    assert pool.arrives(waiting[0]).outcome == "captured"
    assert step(pool.job, "verify", "--json").json["differences"] == []
    assert opens_nothing(pool, on_purpose)
