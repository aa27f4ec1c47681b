"""Invented pools whose users come from elsewhere, are linked to it, or have factors besides the password."""

from __future__ import annotations

import json
from collections import Counter
from functools import partial
from random import Random

import pytest
from live import attributes_of

from sandbox.cognito import Cognito
from sandbox.in_process import client as client_of
from sandbox.local import add_federated, enrol
from sandbox.made_up.mixing import Mix, invent_mixed
from sandbox.made_up.people import State, invent
from sandbox.made_up.rehearsal import offer_alike
from sandbox.made_up.seed import make_target, seed_source

MIX = Mix(federated=0.08, linked=0.03, sms=0.2, totp=0.05, email=0.02, passkey=0.01)
USERS = 200


@pytest.fixture(scope="module")
def pools():
    """A Cognito of its own, with an old pool of that mix and an empty new one."""
    local = Cognito()
    old = seed_source(
        client_of(local),
        users=USERS,
        random=Random(7),
        mix=MIX,
        add_federated=partial(add_federated, cognito=local),
        enrol=partial(enrol, cognito=local),
    )
    return local, old, make_target(client_of(local), kind="plain", mix=MIX)


def factors_of(local, pool_id, username):
    """Return what AdminGetUserAuthFactors says."""
    return client_of(local).admin_get_user_auth_factors(UserPoolId=pool_id, Username=username)


def test_the_shares_are_those_asked_for():
    """Of 200 there are as many from elsewhere, linked, and with each factor, as the shares say; others have neither."""
    people = invent_mixed(USERS, Random(7), "plain", MIX)
    having = Counter(factor for person in people for factor in person.factors)
    assert having == {"SMS_MFA": 40, "SOFTWARE_TOKEN_MFA": 10, "EMAIL_OTP": 4, "WEB_AUTHN": 2}
    profiles = [person for person in people if person.state is State.EXTERNAL_PROVIDER]
    assert len(profiles) == 16
    assert Counter(person.username.partition("_")[0] for person in profiles) == {"Google": 8, "CorpSaml": 8}
    assert sum(person.disabled for person in people) == 2
    assert sum(bool(person.links) for person in people) == 6
    assert any(person.groups for person in profiles)


def test_a_mix_is_the_same_for_the_same_seed():
    """The same seed and mix give the same people, and without a mix nobody has links or factors."""
    assert invent_mixed(USERS, Random(7), "email", MIX) == invent_mixed(USERS, Random(7), "email", MIX)
    assert {(person.links, person.factors) for person in invent(USERS, Random(7), "plain")} == {((), ())}


def test_the_old_pool_has_what_was_invented(pools):
    """Factors, the preferred one first, links, and the profiles' identities are as invented; some are disabled."""
    local, old, _ = pools
    people = invent_mixed(USERS, Random(7), "plain", MIX)
    for person, username in zip(people, old.usernames, strict=True):
        user = client_of(local).admin_get_user(UserPoolId=old.pool_id, Username=username)
        told = factors_of(local, old.pool_id, username)
        second = [factor for factor in person.factors if factor != "WEB_AUTHN"]
        assert sorted(told.get("UserMFASettingList", [])) == sorted(second)
        assert told.get("PreferredMfaSetting") == next(iter(second), None)
        assert ("WEB_AUTHN" in told["ConfiguredUserAuthFactors"]) == ("WEB_AUTHN" in person.factors)
        identities = json.loads(attributes_of(user).get("identities", "[]"))
        found = [(one["providerName"], one["userId"]) for one in identities if not one["primary"]]
        assert found == list(person.links)
        assert user["Enabled"] is not (person.disabled or person.state is State.DISABLED)


def test_profiles_are_in_the_groups_that_cognito_makes(pools):
    """Every profile of the old pool is in the group of its provider, and nobody else is."""
    local, old, _ = pools
    for user in local.world.pool(old.pool_id).users:
        provider = user.username.partition("_")[0] if user.status == "EXTERNAL_PROVIDER" else None
        own = [name for name in user.groups if name.startswith(old.pool_id)]
        assert own == ([f"{old.pool_id}_{provider}"] if provider else [])


def test_the_new_pool_offers_the_same(pools):
    """The new pool has the providers of the old one, and the same second factors, optional as there."""
    local, old, new = pools
    api = client_of(local)
    offers = []
    for pool_id in (old.pool_id, new):
        providers = api.list_identity_providers(UserPoolId=pool_id)["Providers"]
        mfa = api.get_user_pool_mfa_config(UserPoolId=pool_id)
        offers.append((sorted((one["ProviderName"], one["ProviderType"]) for one in providers), mfa))
    assert offers[0][0] == offers[1][0] == [("CorpSaml", "SAML"), ("Google", "Google")]
    assert offers[0][1]["MfaConfiguration"] == offers[1][1]["MfaConfiguration"] == "OPTIONAL"
    assert offers[0][1].keys() == offers[1][1].keys()


def test_a_pool_can_be_made_to_offer_what_another_does(pools):
    """`offer_alike` gives a pool the other's providers and factors."""
    local, old, _ = pools
    api = client_of(local)
    plain = make_target(api, kind="email")
    offer_alike(local, old.pool_id, plain)
    assert api.get_user_pool_mfa_config(UserPoolId=plain)["MfaConfiguration"] == "OPTIONAL"
    assert {one["ProviderName"] for one in api.list_identity_providers(UserPoolId=plain)["Providers"]} == {
        "Google",
        "CorpSaml",
    }


def test_without_helpers_what_no_administrator_can_set_is_left_out():
    """Seeded over the API alone, there are no profiles, authenticator apps and passkeys, and the rest is there."""
    local = Cognito()
    old = seed_source(client_of(local), users=40, random=Random(7), mix=MIX)
    told = [factors_of(local, old.pool_id, username) for username in old.usernames]
    assert {factor for one in told for factor in one.get("UserMFASettingList", [])} == {"SMS_MFA", "EMAIL_OTP"}
    assert {factor for one in told for factor in one["ConfiguredUserAuthFactors"]} == {"PASSWORD"}
    assert not any(name.startswith(("Google_", "CorpSaml_")) for name in old.usernames)
