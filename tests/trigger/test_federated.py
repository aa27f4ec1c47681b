"""Federated profiles: they come back by their own sign-in, and get what the ledger has kept for them."""

from __future__ import annotations

from dataclasses import replace

import pytest
from botocore.exceptions import ClientError
from federated import DEFER, profile, publish, returning, sign_in
from hypothesis import given
from hypothesis import strategies as st
from signing_in import claims
from triggering import MARKER, NEW_PASSWORD, OLD_PASSWORD, new_world, token_groups

from batch.lambda_trigger.diagnosis import Diagnosis
from batch.lambda_trigger.findings import StepVerdict
from batch.plan.user_plan import DEFERRED, FEDERATED, OUTSIDE, Action, Context, plan_user, put_off
from batch.settings.config import Config
from batch.settings.decisions import Decision
from sandbox.errors import CognitoError
from trigger.outcome import DeniedError
from userpool.errors import SettingsError
from userpool.identities import Identity
from userpool.person import PersonState, federated_lock, lock_id
from userpool.pool import UserPool
from userpool.settings import PoolSettings, Rules, UserRules


@pytest.mark.parametrize("version", [None, "V2_0", "V3_0"])
@pytest.mark.parametrize("case_sensitive", [True, False])
def test_the_first_token_of_a_profile_has_its_groups_and_old_sub(version, case_sensitive):
    """Whatever the event's version, and whether the pool folds the profile's name: groups and old sub are there."""
    world = new_world(token_version=version, case_sensitive=case_sensitive)
    sub = returning(world, groups=("admins", "staff"))
    token = claims(sign_in(world))
    assert {"admins", "staff"} <= set(token["cognito:groups"])
    assert token[MARKER] == sub
    assert {"admins", "staff"} <= set(profile(world).groups)
    person = world.ledger.person(sub)
    assert (person.state, person.new_sub, person.owed) == (PersonState.RETURNED, profile(world).sub, frozenset())


def test_later_tokens_tell_the_old_sub_and_give_nothing_again(world):
    """A membership that was taken away stays so, whatever sign-ins and refreshes follow; the old sub is always told."""
    sub = returning(world)
    first = sign_in(world)
    world.cognito.admin_remove_user_from_group(
        UserPoolId=world.new_id, Username=profile(world).username, GroupName="admins"
    )
    again = sign_in(world)
    assert "admins" not in token_groups(again)
    assert claims(again)[MARKER] == sub
    assert claims(world.refresh(first))[MARKER] == sub
    assert "admins" not in profile(world).groups


def test_a_membership_that_could_not_be_given_comes_with_a_later_token(world):
    """What the first token could not give stays owed, and the next gives it."""
    sub = returning(world)
    world.cognito.delete_group(UserPoolId=world.new_id, GroupName="admins")
    assert "admins" not in token_groups(sign_in(world))
    assert world.ledger.person(sub).owed == {"admins"}
    world.cognito.create_group(UserPoolId=world.new_id, GroupName="admins")
    assert "admins" in token_groups(sign_in(world))
    assert world.ledger.person(sub).owed == frozenset()


@pytest.mark.parametrize("subject", ["ada-1", "ADA-1", "Ada-11", "Ada"])
def test_only_the_very_identity_gets_anything(subject):
    """An id that differs, if only by case, is somebody else's."""
    world = new_world(case_sensitive=True)
    sub = returning(world, "Ada-1")
    token = claims(sign_in(world, subject))
    assert MARKER not in token
    assert "admins" not in token.get("cognito:groups", [])
    assert world.state(sub) is PersonState.DEFERRED


@pytest.mark.parametrize("name", ["Google_Ada-1", "google_ada-1"])
def test_a_native_user_of_that_name_gets_nothing(world, name):
    """A user with a password who is called like the profile is nobody's profile, even with its e-mail address."""
    sub = returning(world)
    world.cognito.admin_create_user(UserPoolId=world.new_id, Username=name, MessageAction="SUPPRESS")
    world.cognito.admin_set_user_password(UserPoolId=world.new_id, Username=name, Password="Native-1!", Permanent=True)
    token = claims(world.sign_in(name, "Native-1!"))
    assert MARKER not in token
    assert "cognito:groups" not in token
    assert world.state(sub) is PersonState.DEFERRED


def test_a_second_profile_of_the_identity_gets_nothing(world):
    """Once a profile has come back, another of the same identity signs in, and gets neither groups nor old sub."""
    sub = returning(world)
    sign_in(world)
    world.cognito.admin_delete_user(UserPoolId=world.new_id, Username=profile(world).username)
    token = claims(sign_in(world))
    assert MARKER not in token
    assert "admins" not in token.get("cognito:groups", [])
    assert world.ledger.person(sub).new_sub != profile(world).sub


@pytest.mark.parametrize("rules", [DEFER, Rules()])
def test_who_was_disabled_when_scanned_gets_no_token(world, rules):
    """Disabled stays disabled though the profile is made anew, with either setting."""
    returning(world, rules=rules, enabled=False)
    for _ in range(2):
        with pytest.raises(CognitoError):
            sign_in(world)


def test_who_was_disabled_after_the_scan_gets_no_token(world):
    """The old pool is asked at the first token: who is disabled or gone there by now is refused."""
    sub = returning(world)
    world.disable_old("Google_Ada-1")
    with pytest.raises(CognitoError):
        sign_in(world)
    world.delete_old("Google_Ada-1")
    with pytest.raises(CognitoError):
        sign_in(world)
    assert world.state(sub) is PersonState.DEFERRED


def test_the_old_pool_is_asked_once(world):
    """Who has come back is not looked up in the old pool again, so it may be retired."""
    returning(world)
    sign_in(world)
    world.calls.clear()
    sign_in(world)
    assert not [name for name in world.calls if name.startswith("old.")]


def test_a_finished_migration_asks_no_old_pool(world):
    """Once it is finished, what the ledger knows decides."""
    world.save_terms(finished=True)
    returning(world)
    world.calls.clear()
    assert "admins" in token_groups(sign_in(world))
    assert not [name for name in world.calls if name.startswith("old.")]


def test_skipped_profiles_sign_in_without_anything(world):
    """With `skip` a profile comes back alone: no groups, no claim, and it is held in the ledger."""
    sub = returning(world, rules=Rules())
    token = claims(sign_in(world))
    assert MARKER not in token
    assert "admins" not in token.get("cognito:groups", [])
    assert (world.state(sub), world.ledger.person(sub).reason) == (PersonState.HELD, "federated")


def test_a_strangers_profile_costs_two_reads_of_the_ledger(world):
    """Who was never in the old pool signs in, after a look at whose profile it is, and one at whose link."""
    returning(world)
    sign_in(world, "Somebody")
    world.calls.clear()
    sign_in(world, "Somebody")
    assert world.calls["DynamoDB.GetItem"] == 2


def test_without_the_ledger_nobody_signs_in(world):
    """A first token is refused while the ledger cannot be read: fail closed."""
    returning(world)
    sign_in(world)
    event = world.event("TokenGeneration_HostedAuth", profile(world).username)
    world.ledger_client.delete_table(TableName=world.table.name)
    with pytest.raises(DeniedError):
        world.send(event)


def test_the_rule_can_be_changed_until_the_profile_is_back(world):
    """From skip to defer and back the ledger follows, until the profile has come back."""
    sub = returning(world, rules=Rules())
    publish(world, "Google_Ada-1", DEFER)
    assert world.state(sub) is PersonState.DEFERRED
    publish(world, "Google_Ada-1", Rules())
    assert world.state(sub) is PersonState.HELD
    publish(world, "Google_Ada-1", DEFER)
    sign_in(world)
    publish(world, "Google_Ada-1", Rules())
    assert world.state(sub) is PersonState.RETURNED


def test_a_decision_to_skip_leaves_a_profile_out(world):
    """Who is left out by a decision is held, whatever the rule for profiles."""
    sub = returning(world)
    publish(world, "Google_Ada-1", decision=Decision("skip"))
    assert world.state(sub) is PersonState.HELD


def test_other_claims_of_a_handler_before_ours_stay(world):
    """Claims and groups that another function has decided are added to."""
    sub = returning(world)
    sign_in(world)
    for version, key in (("1", "claimsOverrideDetails"), ("2", "claimsAndScopeOverrideDetails")):
        event = world.event("TokenGeneration_HostedAuth", profile(world).username, version=version)
        theirs = {"claimsToAddOrOverride": {"plan": "gold"}}
        event["response"] = {key: theirs if version == "1" else {"idTokenGeneration": theirs}}
        said = world.send(event)[key]
        added = said if version == "1" else said["idTokenGeneration"]
        assert added["claimsToAddOrOverride"] == {"plan": "gold", MARKER: sub}


def test_deferring_needs_a_ledger():
    """Without a ledger nothing could be kept for a first sign-in, and the configuration says so."""
    pools = PoolSettings("eu-west-1_Old000001"), PoolSettings("eu-west-1_New000001")
    with pytest.raises(SettingsError, match="ledger"):
        Config(*pools, users=UserRules(external_provider="defer"))


def test_a_profile_outside_the_cohort_is_put_off(world):
    """Who crosses later gets nothing yet, deferred or not."""
    returning(world)
    source, target = UserPool(world.cognito, world.old_id), UserPool(world.cognito, world.new_id)
    for rules, later in ((DEFER, OUTSIDE), (Rules(), FEDERATED)):
        context = Context.of(rules, source.describe(), target.describe())
        plan = plan_user(source.find("Google_Ada-1"), context)
        assert (plan.action, put_off(plan).reason) == (Action.SKIP, later)
    assert plan_user(source.find("Google_Ada-1"), replace(context, rules=DEFER)).reason == DEFERRED


@given(st.text(), st.text())
def test_no_sign_in_name_owns_a_profile(name, subject):
    """The lock of a profile is that of no user name, address or number, whatever they are."""
    identity = Identity("Google", subject)
    native = {lock_id("pool", name), lock_id("pool", identity.username)}
    assert "\0" in name or federated_lock("pool", identity.username) not in native


@pytest.mark.parametrize("rules", [DEFER, Rules()])
def test_who_is_disabled_after_coming_back_gets_no_more_tokens(world, rules):
    """A later run that finds the old profile disabled ends tokens of the new one, and one that does not allows them."""
    returning(world, rules=DEFER)
    first = sign_in(world)
    world.disable_old("Google_Ada-1")
    publish(world, "Google_Ada-1", rules)
    for token in (lambda: sign_in(world), lambda: world.refresh(first)):
        with pytest.raises((CognitoError, ClientError)):
            token()
    world.cognito.admin_enable_user(UserPoolId=world.old_id, Username="Google_Ada-1")
    publish(world, "Google_Ada-1", rules)
    assert MARKER in claims(sign_in(world))


def test_skipped_profiles_are_looked_up_in_the_old_pool_once(world):
    """With `skip`, too, who was disabled or deleted after the scan is refused; who was not is asked about once."""
    for subject, change in (("Ada-1", world.disable_old), ("Bob-1", world.delete_old)):
        returning(world, subject, rules=Rules())
        change(f"Google_{subject}")
        with pytest.raises(CognitoError):
            sign_in(world, subject)
    sub = returning(world, "Eve-1", rules=Rules())
    sign_in(world, "Eve-1")
    assert world.ledger.person(sub).checked
    world.calls.clear()
    sign_in(world, "Eve-1")
    assert not world.calls["old.AdminGetUser"]


def test_a_refresh_settles_nobody(world):
    """A session from before the profile was deferred gets its groups with the next sign-in, not with a refresh."""
    sub = returning(world, rules=Rules())
    first = sign_in(world)
    publish(world, "Google_Ada-1", DEFER)
    assert MARKER not in claims(world.refresh(first))
    assert world.state(sub) is PersonState.DEFERRED
    assert claims(sign_in(world))[MARKER] == sub
    assert claims(world.refresh(first))[MARKER] == sub


def test_a_refresh_does_not_fail_with_the_ledger(world):
    """A refresh is given, without groups and old sub, while the ledger cannot be read."""
    returning(world)
    sign_in(world)
    event = world.event("TokenGeneration_RefreshTokens", profile(world).username)
    world.ledger_client.delete_table(TableName=world.table.name)
    assert world.send(event) == event["response"]


def test_without_identities_the_exact_name_counts():
    """Where the event does not tell the identity, the profile's name does, with its case."""
    world = new_world(case_sensitive=True)
    sub = returning(world)
    sign_in(world, "Somebody")
    event = world.event("TokenGeneration_HostedAuth", "Google_Somebody")
    del event["request"]["userAttributes"]["identities"]
    world.send(event)
    assert world.state(sub) is PersonState.DEFERRED
    world.send(event | {"userName": "Google_Ada-1"})
    assert world.state(sub) is PersonState.RETURNED


def test_a_profile_with_somebodys_marker_is_nobody_elses(world):
    """A marker that a provider's attribute mapping has written gives a profile nothing, and touches nobody."""
    bob = world.add_old("bob", groups=["admins"])
    world.publish()
    returning(world)
    sign_in(world, "Somebody")
    event = world.event("TokenGeneration_HostedAuth", profile(world, "Somebody").username)
    event["request"]["userAttributes"] |= {MARKER: bob, "email": "bob@example.com", "email_verified": "true"}
    before = world.everything()
    assert world.send(event) == event["response"]
    assert world.everything() == before


def test_a_native_user_with_a_profiles_marker_gets_no_token(world):
    """A native user who carries the old sub of a profile, which no run writes, is refused."""
    sub = returning(world)
    world.cognito.admin_create_user(
        UserPoolId=world.new_id, Username="mallory", UserAttributes=[{"Name": MARKER, "Value": sub}]
    )
    for _ in range(2):
        with pytest.raises(DeniedError):
            world.send(world.event("TokenGeneration_Authentication", "mallory"))
        world.put(sub, PersonState.RETURNED, new_sub=world.user("mallory").sub)


def test_a_new_profile_does_not_sign_up_for_anybody(world):
    """The address of a federated profile is no sign-up of the old user who has the same, and was never confirmed."""
    world.cognito.sign_up(
        ClientId=world.old_app,
        Username="una",
        Password="Never-Conf1rmed!",
        UserAttributes=[{"Name": "email", "Value": "una@example.com"}],
    )
    una = world.old_user("una").sub
    world.publish()
    assert world.state(una) is PersonState.HELD
    returning(world)
    sign_in(world, email="una@example.com")
    assert world.state(una) is PersonState.HELD


def test_a_ledger_that_was_lost_gives_no_membership_again(world):
    """Whom a new table tells as returned, perhaps, gets the old sub with the next token, and nothing else."""
    sub = returning(world)
    world.put(sub, PersonState.RETURNED, owed=frozenset())
    token = claims(sign_in(world))
    assert token[MARKER] == sub
    assert "admins" not in token.get("cognito:groups", [])
    assert world.ledger.person(sub).new_sub == profile(world).sub


def test_what_tokens_of_a_profile_cost(world):
    """The first is four calls and three for a membership, each later one two reads, a native user's none."""
    returning(world)
    sign_in(world, "Somebody")
    event = world.event("TokenGeneration_HostedAuth", profile(world, "Somebody").username)
    event["request"]["userAttributes"]["identities"] = '[{"providerName":"Google","userId":"Ada-1","primary":true}]'
    for cost in (
        {"DynamoDB.GetItem": 2, "old.AdminGetUser": 1, "DynamoDB.UpdateItem": 3, "new.AdminAddUserToGroup": 1},
        {"DynamoDB.GetItem": 2},
    ):
        world.calls.clear()
        world.send(event)
        assert world.calls == cost
    world.cognito.admin_create_user(UserPoolId=world.new_id, Username="native", MessageAction="SUPPRESS")
    world.calls.clear()
    world.send(world.event("TokenGeneration_HostedAuth", "native"))
    assert not world.calls


def test_the_diagnosis_walks_the_same_way(world):
    """`trigger test` says of a profile what its sign-in would, before and after, and needs no password."""
    returning(world)
    returning(world, "Bob-1", enabled=False)
    returning(world, "Eve-1", rules=Rules())
    before = diagnosed(world, "Google_Ada-1")
    assert ("old sub and 1 group" in before["state"].said, before["old user"].verdict) == (True, StepVerdict.OK)
    assert before["password"].verdict is StepVerdict.UNCHECKED
    assert diagnosed(world, "Google_Bob-1")["state"].code == "old-user-disabled"
    assert diagnosed(world, "Google_Eve-1")["state"].code == "person-is-held"
    sign_in(world)
    assert "came back" in diagnosed(world, profile(world).username)["state"].said
    world.cognito.admin_delete_user(UserPoolId=world.new_id, Username=profile(world).username)
    sign_in(world)
    assert diagnosed(world, profile(world).username)["state"].code == "another-profile"


def diagnosed(world, name):
    """The findings of `trigger test`, by step."""
    found = Diagnosis(world.parts, name, lambda: None, lambda _: None).findings()
    return {finding.step: finding for finding in found}


@pytest.mark.parametrize("state", [PersonState.PENDING, PersonState.CAPTURING])
def test_a_federated_sign_in_of_a_linked_user_leaves_the_capture_open(world, state):
    """It proves no password, so the old one can still be captured; what is owed is given at once."""
    returning(world)  # for the provider
    sub = linked(world)
    if state is PersonState.CAPTURING:
        world.put(sub, state, token="t", until=1.0)
    token = claims(sign_in(world, "Bob-1"))
    assert "staff" in token["cognito:groups"]
    assert token[MARKER] == sub
    assert world.state(sub) is state
    assert world.capture("bob", OLD_PASSWORD) == "captured"
    assert world.state(sub) is PersonState.CAPTURED
    assert world.signs_in("bob", OLD_PASSWORD)


def test_a_federated_sign_in_before_the_run_has_finished_the_user_leaves_the_rest_to_the_run(world):
    """Between link and password a linked user gets a token and its groups, and the run goes on as if nothing were."""
    returning(world)  # for the provider
    sub = linked(world)
    world.put(sub, PersonState.CREATING, epoch=1)
    assert "staff" in claims(sign_in(world, "Bob-1"))["cognito:groups"]
    assert (world.state(sub), world.ledger.person(sub).owed) == (PersonState.CREATING, frozenset())
    assert world.ledger.created(sub, 1, world.user("bob").sub, world.parts.now()).done
    assert world.capture("bob", OLD_PASSWORD) == "captured"


def test_a_linked_user_whom_the_run_is_about_to_disable_gets_no_token(world):
    """Who is disabled in the old pool, and not finished by the run, is refused though the new pool has them enabled."""
    returning(world)  # for the provider
    sub = linked(world)
    world.put(sub, PersonState.CREATING, disabled=True)
    with pytest.raises(CognitoError):
        sign_in(world, "Bob-1")
    assert (world.state(sub), world.new_groups("bob")) == (PersonState.CREATING, set())


def test_an_attribute_that_names_no_identity_is_no_link(world):
    """Managed login with a password closes the capture of who is linked to nobody, whatever `identities` says."""
    for name, identities in (("bob", "[]"), ("eve", "no json")):
        sub = world.add_old(name)
        world.publish()
        world.precreate(name, password=NEW_PASSWORD)
        event = world.event("TokenGeneration_HostedAuth", name)
        event["request"]["userAttributes"]["identities"] = identities
        world.send(event)
        assert world.state(sub) is PersonState.RESET


@pytest.mark.parametrize("way", ["password", "reset"])
def test_a_password_of_a_linked_users_own_closes_the_capture(world, way):
    """A sign-in with a password, or a reset, says that the user has one: the old one counts no more."""
    returning(world)
    sub = linked(world)
    sign_in(world, "Bob-1")
    if way == "password":
        assert world.signs_in("bob", NEW_PASSWORD)
    else:
        world.forget("bob", "Ch0sen-Passw0rd!")
    assert world.state(sub) is PersonState.RESET
    assert not world.captures("bob", OLD_PASSWORD)


def linked(world):
    """Make a native user, created ahead and linked to an account at Google, who is owed a group; return the old sub."""
    sub = world.add_old("bob", groups=["staff"])
    world.publish()
    world.precreate("bob", password=NEW_PASSWORD)
    UserPool(world.cognito, world.new_id).link("bob", Identity("Google", "Bob-1"))
    world.warm()
    return sub
