"""Second factors by the command line: what is said, counted, listed, and called."""

from __future__ import annotations

import csv
from io import StringIO

import direct
import pytest
from command_line import run_as_planned

from sandbox.made_up.seed import EVERY_FACTOR, make_target
from sandbox.server import Sandbox
from userpool.factors import MAIL, SMS

PREFERENCES = {"keep_sub_as": "custom:legacy_sub", "mfa": "preferences"}


@pytest.fixture(scope="module")
def server():
    """A server of this file's own, whose calls nobody else makes."""
    with Sandbox() as server, direct.called(server):
        yield server


def offer(client, pool_id):
    """Switch MFA on, with every factor, so that whoever has one is asked for it."""
    client.set_user_pool_mfa_config(UserPoolId=pool_id, MfaConfiguration="OPTIONAL", **EVERY_FACTOR)


def offer_no_sms(client, pool_id):
    """Leave SMS out of the factors, as a call that forgets it does."""
    factors = {name: value for name, value in EVERY_FACTOR.items() if not name.startswith("Sms")}
    client.set_user_pool_mfa_config(UserPoolId=pool_id, MfaConfiguration="OPTIONAL", **factors)


def prefer(client, pool_id, username, *, sms=False, mail=False):
    """Set a user's second factors as an administrator does."""
    client.admin_set_user_mfa_preference(
        UserPoolId=pool_id,
        Username=username,
        SMSMfaSettings={"Enabled": sms, "PreferredMfa": sms},
        EmailMfaSettings={"Enabled": mail, "PreferredMfa": mail and not sms},
    )


@pytest.fixture
def pools(client):
    """An old pool of six users, of whom two have SMS, one has e-mail and one has both; and an empty new pool."""
    old = client.create_user_pool(PoolName="old")["UserPool"]["Id"]
    for number in range(6):
        values = {"email": f"user{number}@x.com", "email_verified": "true", "phone_number": f"+1555010{number}"}
        client.admin_create_user(
            UserPoolId=old,
            Username=f"user{number}",
            MessageAction="SUPPRESS",
            UserAttributes=[{"Name": name, "Value": value} for name, value in values.items()],
        )
    for number, (sms, mail) in enumerate([(True, False), (True, False), (False, True), (True, True)]):
        prefer(client, old, f"user{number}", sms=sms, mail=mail)
    new = make_target(client, kind="plain")
    for pool_id in (old, new):
        offer(client, pool_id)
    return old, new


@pytest.fixture
def moving(pools, server, migration):
    """A migration between them that carries second factors."""
    url = server.endpoint_url
    return migration(*pools, source_endpoint=url, target_endpoint=url, users=PREFERENCES)


def test_after_the_cut_over_nobody_is_asked_for_factors_again(moving, server, client):
    """What users of the old pool switch on or off after the cut-over is not asked for, and not carried."""
    for words in (("scan",), ("run", "--yes"), ("cutover", "--yes")):
        assert moving(*words).code == 0
    prefer(client, moving.source, "user0", mail=True)
    server.reset_counts()
    assert moving("sync").code == 0
    assert {name for name in server.calls if name.startswith("AdminGetUser")} == set()
    assert client.admin_get_user(UserPoolId=moving.target, Username="user0")["UserMFASettingList"] == [SMS]


def test_the_calls_of_a_plan_with_factors_are_those_of_the_run_that_follows(moving, server, client):
    """Setting second factors costs the calls that the plan said: the first time, of a change, and of nothing."""
    planned, counted = run_as_planned(moving, server)
    assert planned == counted
    assert counted["UserResourceUpdate"] == 4
    prefer(client, moving.source, "user0")
    prefer(client, moving.source, "user5", mail=True)
    planned, counted = run_as_planned(moving, server)
    assert planned == counted
    assert (counted["UserResourceUpdate"], counted["UserRead"]) == (2, 2)
    planned, counted = run_as_planned(moving, server)
    assert (
        planned
        == counted
        == {"UserPoolRead": 4, "ListIdentityProviders": 1, "GetUserPoolMfaConfig": 2, "ListGroups": 1, "UserList": 1}
    )


def test_factors_cross_from_command_to_command(moving, client):
    """Scan, plan, run and verify say what is set, who cannot reset any more, and that everything is as planned."""
    assert "4 of the users have a second factor" in moving("scan").out
    said = moving("plan").out
    assert f"set in the new pool: {MAIL} 2, {SMS} 3." in said
    assert "2 of them get second factors where" in said
    assert moving("run", "--yes").code == 0
    assert moving("verify").code == 0
    rows = [*csv.DictReader(StringIO(moving("export", "no-second-channel", "--output", "-").out))]
    assert sorted((row["username"], row["factors"]) for row in rows) == [("user2", MAIL), ("user3", f"{MAIL}, {SMS}")]
    there = client.admin_get_user(UserPoolId=moving.target, Username="user3")
    assert (there["UserMFASettingList"], there["PreferredMfaSetting"]) == ([SMS, MAIL], SMS)
    client.admin_set_user_mfa_preference(
        UserPoolId=moving.target, Username="user0", SMSMfaSettings={"Enabled": False, "PreferredMfa": False}
    )
    looked = moving("verify")
    assert looked.code == 0
    assert "factor lost" in looked.out


def test_whom_the_old_pool_asks_by_phone_alone_is_asked_by_phone_in_the_new_one(moving, client):
    """Where MFA was required, who listed no factor and has a number has SMS after the run."""
    client.set_user_pool_mfa_config(UserPoolId=moving.source, MfaConfiguration="ON", **EVERY_FACTOR)
    assert "6 of the users have a second factor" in moving("scan").out
    assert moving("run", "--yes").code == 0
    assert client.admin_get_user(UserPoolId=moving.target, Username="user5")["UserMFASettingList"] == [SMS]


def test_a_factor_that_the_new_pool_does_not_offer_is_said_to_be_lost(moving, client):
    """It is not set, since no sign-in would ask for it: the plan counts who would lose it, and how that is mended."""
    offer_no_sms(client, moving.target)
    moving("scan")
    said = moving("plan").out
    assert f"set in the new pool: {MAIL} 2." in said
    assert f"does not offer {SMS}: 3 users would lose it." in said
    assert "SetUserPoolMfaConfig" in said
    assert moving("run", "--yes").code == 0
    assert "UserMFASettingList" not in client.admin_get_user(UserPoolId=moving.target, Username="user0")
    offer(client, moving.target)
    assert f"{SMS} 3." in moving("plan").out
    assert moving("run", "--yes").code == 0
    assert client.admin_get_user(UserPoolId=moving.target, Username="user0")["UserMFASettingList"] == [SMS]


def test_a_factor_that_is_not_offered_any_more_stays_set(moving, client):
    """Taken out of the new pool after a run, a factor is switched off for nobody: once it is back, it protects."""
    moving("scan")
    assert moving("run", "--yes").code == 0
    offer_no_sms(client, moving.target)
    moving("scan")
    assert moving("plan", "--json").json["actions"]["update"] == 0
    assert moving("run", "--yes").code == 0
    there = client.admin_get_user(UserPoolId=moving.target, Username="user0")
    assert there["UserMFASettingList"] == [SMS]


def test_both_modes_say_what_asking_costs(moving):
    """The plan tells the hours and the dollars of asking also where each scan does ask."""
    moving("scan")
    assert "Each scan asks for each of 6 users" in moving("plan").out


def test_a_plan_says_what_reading_factors_would_cost(moving):
    """With users.mfa: ignore, and MFA in the old pool, the plan says how long each scan would ask, and for whom."""
    moving.configure(users={**PREFERENCES, "mfa": "ignore"})
    moving("scan")
    assert "each of 6 users" in moving("plan").out
    assert moving("plan", "--json").json["asking"]["users"] == 6
    moving.configure(users=PREFERENCES)
    refused = moving("plan")
    assert refused.code == 2
    assert "cognito-migrate scan" in refused.err


def test_without_mfa_in_the_new_pool_nothing_begins(moving, client):
    """MFA that is OFF where factors are to be set is a setting to mend, and an error of check."""
    client.set_user_pool_mfa_config(UserPoolId=moving.target, MfaConfiguration="OFF")
    refused = moving("scan")
    assert refused.code == 2
    assert "users.mfa" in refused.err
    assert not moving.state.exists()
    assert "mfa-preferences-nowhere" in [one["code"] for one in moving("check", "--json").json["findings"]]
