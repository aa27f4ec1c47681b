"""A whole pool, with profiles, linked users and second factors, from the scan to everybody's first token."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

import pytest
from whole_pool import Arrived, Known, WholePool, whole_pool

from sandbox.cognito import shared
from sandbox.made_up.seed import PASSWORD

EXPECTED = {"RESET_REQUIRED": "wrong", "FORCE_CHANGE_PASSWORD": "reset-needed", "CONFIRMED": "captured"}


@dataclass
class Moved:
    """A migration that has run: the users as it created them, how all came to a first token, and those of profiles.

    `linked` are the states before and after the linked users came from elsewhere, and their tokens.
    """

    whole: WholePool
    created: dict[str, Any]
    linked: dict[str, tuple[str, str, dict[str, Any] | None]]
    arrived: dict[str, Arrived]
    returned: dict[str, dict[str, Any] | None]


def moved(folder, sandbox, size, **settings) -> WholePool:
    """Make the pools, scan and run."""
    whole = whole_pool(folder, sandbox.endpoint_url, size=size, **settings)
    for words in (("scan",), ("run", "--yes")):
        result = whole.job(*words)
        assert result.code == 0, (words, result.err)
    return whole


@pytest.fixture(scope="module")
def all_moved(request, tmp_path_factory, sandbox) -> Moved:
    """A migration of everybody, whom the tests only look at: linked users came from elsewhere before by password."""
    whole = moved(tmp_path_factory.mktemp("whole"), sandbox, request.config.getoption("--users"))
    created = {sub: copy.deepcopy(user) for sub, user in whole.new_users().items()}
    linked = {}
    for known in whole.natives:
        if known.links:
            before, told = whole.state(known), whole.comes_from(*min(known.links))
            linked[known.sub] = (before, whole.state(known), told)
    arrived = {known.sub: whole.arrives(known) for known in whole.natives}
    returned = {known.sub: whole.comes_from(*known.identity) for known in whole.profiles if known.identity}
    return Moved(whole, created, linked, arrived, returned)


@pytest.fixture
def whole(all_moved) -> WholePool:
    """Its pools."""
    return all_moved.whole


def groups(token) -> set[str]:
    """The groups in a token."""
    return set(token.get("cognito:groups", ()))


def test_there_is_somebody_of_every_kind(whole):
    """Among those who cross are linked users, users with each factor and with two, and profiles, some disabled."""
    assert {factor for known in whole.natives for factor in known.factors} == {
        "SMS_MFA",
        "SOFTWARE_TOKEN_MFA",
        "EMAIL_OTP",
    }
    assert {bool(known.crossing) for known in whole.natives if known.links and known.enabled} == {True, False}
    assert any(len(known.links) > 1 for known in whole.natives)
    assert {bool(known.factors) for known in whole.natives if not known.enabled} == {True, False}
    assert any(known.passkey for known in whole.natives)
    assert {known.enabled for known in whole.profiles} == {True, False}
    assert any(len(known.factors) > 1 for known in whole.natives)
    assert {known.status for known in whole.natives} == EXPECTED.keys()


def test_everybody_is_created_once_and_nobody_else(all_moved, whole):
    """All native users are there by their old subs, and nobody by the name of a profile."""
    assert all_moved.created.keys() == {known.sub for known in whole.natives}
    assert len(whole.new_users()) == len(whole.natives)


def test_everybody_is_linked_before_anybody_signs_in(all_moved, whole):
    """Each user is linked to who they were linked to, by the run."""
    for known in whole.natives:
        assert Known.of(all_moved.created[known.sub]).links == known.links


def test_second_factors_that_can_cross_have_crossed(all_moved, whole):
    """Each user has the preferences of SMS and e-mail that they had, and no other factor."""
    for known in whole.natives:
        user = all_moved.created[known.sub]
        assert set(user.mfa) == known.crossing
        if known.preferred in known.crossing:
            assert user.preferred_mfa == known.preferred


def test_a_linked_user_comes_from_elsewhere_with_their_groups_and_can_still_be_captured(all_moved, whole):
    """The token of a linked user has their groups, and the sign-in leaves the person as they were."""
    by_sub = whole.people
    for sub, (before, after, token) in all_moved.linked.items():
        known = by_sub[sub]
        assert (token is not None) is known.enabled
        assert token is None or groups(token) == known.groups
        assert (before, after) == ("pending", "pending")
    assert {all_moved.arrived[sub].outcome for sub in all_moved.linked} & {"captured"}


def test_the_old_password_counts_for_whom_it_was_enough(all_moved, whole):
    """Whoever had no second factor is captured; others, and temporary passwords, are sent to a reset."""
    for known in whole.natives:
        expected = "reset-needed" if known.factors else EXPECTED[known.status]
        assert all_moved.arrived[known.sub].outcome == (expected if known.enabled else "wrong")


def test_everybody_gets_in_with_their_groups(all_moved, whole):
    """The first token has everybody's groups, and so has the pool; only who is disabled or has no channel gets none."""
    there = whole.new_users()
    for known in whole.natives:
        one = all_moved.arrived[known.sub]
        assert set(there[known.sub].groups) == known.groups
        if not known.enabled or (one.outcome != "captured" and not known.can_reset):
            assert one.claims is None
            continue
        assert one.claims is not None
        assert groups(one.claims) == known.groups
        assert whole.state(known) == ("captured" if one.outcome == "captured" else "reset")


def test_nobody_with_a_factor_that_crossed_gets_in_without_it(all_moved, whole):
    """Whoever had SMS or e-mail as second factor is asked for it after their new password too."""
    asked = 0
    for known in whole.natives:
        one = all_moved.arrived[known.sub]
        if one.claims is not None and one.password is not None:
            assert (whole.is_asked(known.username, one.password) is not None) is bool(known.crossing)
            asked += bool(known.crossing)
    assert asked


def test_who_has_to_enrol_again_is_told_in_the_ledger(whole):
    """The ledger knows who had an app, a passkey, or mail as factor, which UserMigration cannot set; nobody else."""
    for known in whole.natives:
        person = whole.ledger.person(known.sub)
        wanted = (known.factors & {"SOFTWARE_TOKEN_MFA", "EMAIL_OTP"}) | ({"WEB_AUTHN"} if known.passkey else set())
        assert person is not None
        assert person.enrol == wanted


def test_profiles_come_back_with_groups_and_old_sub(all_moved, whole):
    """The first token of a profile has its groups and old sub, and the next too; who is disabled gets none."""
    for known in whole.profiles:
        token = all_moved.returned[known.sub]
        if not known.enabled:
            assert token is None
            continue
        assert token is not None
        expected = known.groups | {f"{whole.new_id}_{known.identity[0]}"}
        assert groups(token) == groups(whole.comes_from(*known.identity)) == expected
        assert token["custom:legacy_sub"] == known.sub
        assert set(whole.profile(known).groups) == expected
    assert not any(name.startswith(whole.old_id) for name in shared().world.pool(whole.new_id).groups)


def test_the_groups_that_cognito_made_for_providers_are_named_and_stay_behind(whole):
    """The plan names each of them; that none crosses is seen where profiles come back."""
    said = whole.job("plan").out
    assert f"Group {whole.old_id}_Google stays behind: Cognito made it for a provider" in said


@pytest.mark.parametrize("commands", [["verify"], ["scan", "run --yes", "verify"]], ids=["at once", "after a rerun"])
def test_verify_is_clean(all_moved, whole, commands):
    """After everybody's first token nothing differs, nor after another scan and run."""
    for words in commands:
        result = whole.job(*words.split())
        assert result.code == 0, (words, result.out[-2000:], result.err[-2000:])
    assert len(whole.new_users()) == len(all_moved.created)


def test_without_the_rules_a_factor_still_keeps_the_password_from_being_captured(tmp_path, sandbox):
    """With the rules as they are by default nobody who has a factor is captured, and no preference is set."""
    whole = moved(tmp_path, sandbox, size=20, users={})
    asked = [known for known in whole.natives if known.factors and known.enabled]
    assert asked
    for known in asked:
        assert whole.offers(known.username, PASSWORD) == "reset-needed"
        assert whole.signs_in(known.username, PASSWORD) is None
    assert not any(user.mfa for user in whole.new_users().values())
