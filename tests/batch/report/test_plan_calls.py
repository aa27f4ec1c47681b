from __future__ import annotations

import csv
import itertools
from collections import Counter
from random import Random

import direct
import pytest
from command_line import run_as_planned
from hypothesis import given
from hypothesis import strategies as st

from batch.report.estimate import Estimate, Load
from batch.report.outlook import levers, peak
from batch.settings.prices import Prices
from sandbox.local import add_federated, local_client
from sandbox.made_up.seed import make_target, seed_source
from sandbox.server import Sandbox
from userpool.errors import SettingsError
from userpool.quotas import DEFAULT_RPS

NUMBERS = itertools.count()


@pytest.fixture(scope="module")
def server():
    """A server of this file's own, whose calls nobody else makes."""
    with Sandbox() as server, direct.called(server):
        yield server


@pytest.fixture(scope="module")
def old_pools():
    """Two old pools of more than a page: one without groups, one with many."""
    with local_client() as client:
        plain = client.create_user_pool(PoolName="without-groups")["UserPool"]["Id"]
        for number in range(61):
            client.admin_create_user(UserPoolId=plain, Username=f"user{number}", MessageAction="SUPPRESS")
            client.admin_set_user_password(
                UserPoolId=plain, Username=f"user{number}", Password="Passw0rd!", Permanent=True
            )
        grouped = seed_source(client, users=66, random=Random(11), add_federated=add_federated).pool_id
    return {"no groups": plain, "many groups": grouped}


@pytest.fixture
def moving(request, server, client, old_pools, migration):
    """A migration with or without a ledger from one of the pools into an empty one."""
    pool, ledger = request.param
    url = server.endpoint_url
    more = {"ledger": {"table": f"plan-{next(NUMBERS)}", "endpoint_url": url}} if ledger else {}
    target = make_target(client, kind="plain")
    return migration(old_pools[pool], target, source_endpoint=url, target_endpoint=url, **more)


@pytest.mark.parametrize(
    "moving",
    [(pool, ledger) for pool in ("no groups", "many groups") for ledger in (False, True)],
    indirect=True,
    ids=lambda it: f"{it[0]}, {'a' if it[1] else 'no'} ledger",
)
def test_the_calls_of_a_plan_are_those_of_the_run_that_follows(moving, server):
    """Category for category the server counts what the plan said, the first time and when nothing is left to do."""
    planned, counted = run_as_planned(moving, server)
    assert planned == counted
    planned, counted = run_as_planned(moving, server)
    assert planned == counted
    pages = counted.pop("UserList")
    assert pages in {1, 2}  # of users that are looked for in the new pool
    assert counted == {"UserPoolRead": 4, "ListIdentityProviders": 1, "ListGroups": 1}


@pytest.mark.parametrize("moving", [("many groups", False), ("many groups", True)], indirect=True, ids=["", "ledger"])
def test_the_calls_of_a_delta_are_those_of_the_run_that_follows(moving, server, client):
    """Users who were disabled, enabled, changed, and taken out of groups cost the calls that the plan said."""
    run_as_planned(moving, server)
    listed = client.list_users(UserPoolId=moving.source, Limit=60)["Users"]
    nickname = [{"Name": "nickname", "Value": f"x{next(NUMBERS)}"}]
    for number, (name, enabled) in enumerate(sorted((user["Username"], user["Enabled"]) for user in listed)):
        user = {"UserPoolId": moving.source, "Username": name}
        match number % 3:
            case 0 if enabled:
                client.admin_disable_user(**user)
            case 0:
                client.admin_enable_user(**user)
            case 1:
                client.admin_update_user_attributes(**user, UserAttributes=nickname)
            case 2:
                for group in client.admin_list_groups_for_user(**user)["Groups"][:1]:
                    client.admin_remove_user_from_group(**user, GroupName=group["GroupName"])
    client.create_group(UserPoolId=moving.source, GroupName=f"new-{next(NUMBERS)}")
    planned, counted = run_as_planned(moving, server)
    assert counted["UserUpdate"] > 20
    assert planned == counted


def rows(path):
    with path.open(encoding="utf-8") as file:
        return [*csv.DictReader(file)]


@pytest.mark.parametrize("moving", [("many groups", False)], indirect=True, ids=[""])
def test_a_plan_can_be_taken_to_a_spreadsheet(moving, tmp_path):
    """--csv writes everybody's fate, the calls and the collisions, for the owner's eyes alone."""
    moving("scan")
    folder = tmp_path / "plan"
    said = moving("plan", "--csv", str(folder), "--json")
    assert said.code == 0
    users = rows(folder / "users.csv")
    assert Counter(user["action"] for user in users) == {name: n for name, n in said.json["actions"].items() if n}
    calls = {row["quota_category"]: int(row["calls"]) for row in rows(folder / "calls.csv")}
    assert calls == {name: load["calls"] for name, load in said.json["estimate"]["loads"].items()}
    assert {*folder.iterdir()} == {folder / name for name in ("users.csv", "calls.csv", "collisions.csv")}
    assert {path.stat().st_mode & 0o077 for path in (folder, *folder.iterdir())} == {0}
    (folder / "users.csv").unlink()
    (folder / "users.csv").mkdir()
    refused = moving("plan", "--csv", str(folder))
    assert (refused.code, "is no file: name another with --csv." in refused.err) == (2, True)


@pytest.mark.parametrize("moving", [("many groups", False)], indirect=True, ids=[""])
def test_a_peak_is_compared_with_the_quotas(moving):
    """--peak says how many captures a minute the account takes, and in how many cohorts to cut over."""
    moving("scan")
    assert "That fits" in moving("plan", "--peak", "1000").out
    said = moving("plan", "--peak", "4000").out
    assert "1,800 captures a minute" in said
    assert "3 cohorts" in said


def an_estimate(**seconds: float) -> Estimate:
    """An estimate in which each category makes ten calls a second for so long."""
    loads = {name: Load(int(10 * time), 10.0, time) for name, time in seconds.items()}
    slowest = max(loads, key=lambda name: loads[name].seconds)
    calls = {"AdminAddUserToGroup": loads["UserUpdate"].calls if "UserUpdate" in loads else 0}
    return Estimate(calls, loads[slowest].seconds, slowest, 0, 0.0, loads)


def helped(estimated, share):
    return [(lever.change.split(":")[0], lever.seconds) for lever in levers(estimated, lambda _: share, Prices())]


def test_what_would_help_is_about_the_slowest_category():
    """The share, if it is not whole; provisioned limits, if the category can be raised; fewer memberships."""
    assert helped(an_estimate(UserAccountRecovery=100.0, UserCreation=10.0), 0.5) == [("rate.shares", 50.0)]
    assert helped(an_estimate(UserAccountRecovery=100.0), 1.0) == []
    assert helped(an_estimate(UserRead=100.0), 1.0) == [("provisioned limits (UpdateProvisionedLimit)", 50.0)]
    assert helped(an_estimate(UserUpdate=100.0, UserRead=30.0), 1.0) == [("no memberships at all", 30.0)]


@given(
    st.dictionaries(st.sampled_from(["UserCreation", "UserUpdate", "UserRead"]), st.floats(1, 1e6), min_size=1),
    st.floats(0.01, 1),
)
def test_no_lever_makes_a_run_longer_or_faster_than_its_other_categories(seconds, share):
    """Whatever is pulled, the time is less than before, and not less than the second slowest category's."""
    estimated = an_estimate(**seconds)
    second = sorted(seconds.values())[-2] if len(seconds) > 1 else 0.0
    for lever in levers(estimated, lambda _: share, Prices()):
        assert second <= lever.seconds < estimated.seconds


@given(st.integers(1, 10**6))
def test_each_cohort_of_a_peak_fits(per_minute):
    """The cohorts that are proposed are the fewest of which none asks for more than the tightest quota gives."""
    found = peak(per_minute, DEFAULT_RPS.__getitem__)
    assert per_minute / found.cohorts <= found.most_per_minute
    assert found.cohorts == 1 or per_minute / (found.cohorts - 1) > found.most_per_minute


@pytest.mark.parametrize(
    ("plan", "users", "dollars"),
    [
        ("ESSENTIALS", 10_000, 0.0),
        ("ESSENTIALS", 1_000_000, 14_850.0),
        ("PLUS", 10_000, 200.0),
        ("LITE", 850_000, 90_000 * 0.0055 + 750_000 * 0.0046),
        ("A_NEW_ONE", 20_000, 150.0),
    ],
)
def test_active_users_cost_what_the_feature_plan_says(plan, users, dollars):
    """Free users are free, tiers add up, and a plan that is not known costs as the default one."""
    assert Prices().of_users(users, plan) == pytest.approx(dollars)


def test_a_price_of_ones_own_counts():
    """Whoever pays another price says so; a negative one is refused."""
    assert Prices(mau=0.01).of_users(5, "PLUS") == pytest.approx(0.05)
    for price in (-1, float("nan"), float("inf")):
        with pytest.raises(SettingsError, match="mail"):
            Prices(mail=price)


@pytest.mark.parametrize(
    ("moving", "proofs"),
    [(("many groups", True), True), (("many groups", False), False)],
    indirect=["moving"],
    ids=["ledger", ""],
)
def test_a_plan_tells_what_messages_cost(moving, proofs, client):
    """If everybody resets it costs so many mails or SMS at one's own prices; proofs, only with MFA and a trigger."""
    client.set_user_pool_mfa_config(
        UserPoolId=moving.source, SoftwareTokenMfaConfiguration={"Enabled": True}, MfaConfiguration="OPTIONAL"
    )
    moving.configure(prices={"mail": 0.5, "sms": 2})
    moving("scan")
    plan = moving("plan", "--json").json
    create, sent = plan["actions"]["create"], plan["messages"]
    assert 0 < sent["resets"] == create - plan["without_reset_channel"]
    assert (sent["by_mail"], sent["by_sms"]) == (sent["resets"] * 0.5, sent["resets"] * 2)
    assert (sent["proofs"], sent["of_proofs"]) == ((create, create * 2) if proofs else (0, 0))
    assert ("At each proof" in moving("plan").out) is proofs
    client.set_user_pool_mfa_config(UserPoolId=moving.source, MfaConfiguration="OFF")
