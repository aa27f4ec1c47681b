"""What the cut-over changes: of the old pool only who is disabled there is carried over from then on."""

from __future__ import annotations

import csv
import re
import sqlite3
import time
from collections import Counter
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from command_line import step, writes
from hypothesis import given
from hypothesis import strategies as st
from ledger_world import LedgerWorld, put_another_in_its_place
from live import create_user, listed
from migrating import LEGACY_SUB, person
from pools import by_name, read_pool
from signing_in import set_password

from batch.cutover.cutover import stale
from batch.inventory.baseline import Baseline
from batch.inventory.milestones import Cutover
from batch.ledger import lease
from batch.plan.after_cutover import as_applied, record_cutover
from batch.plan.three_way import change
from batch.plan.user_plan import AFTER_CUTOVER
from batch.settings.decisions import Decision
from sandbox.in_process import dynamodb_client
from sandbox.local import backdate
from sandbox.made_up.seed import make_target
from userpool.factors import MAIL, SMS, Preference
from userpool.identities import Identity
from userpool.ledger_table import LedgerTable

HOUR = timedelta(hours=1)
NAMES = ("ada", "bob", "cyd", "dan", "eve")


def add(client, pool_id, name, *groups):
    create_user(client, pool_id, name, {"email": f"{name}@example.com", "email_verified": "true"})
    set_password(client, pool_id, name)
    for group in groups:
        client.admin_add_user_to_group(UserPoolId=pool_id, Username=name, GroupName=group)


def rename(client, pool_id, name, to):
    client.admin_update_user_attributes(UserPoolId=pool_id, Username=name, UserAttributes=listed({"name": to}))


@pytest.fixture
def old(client):
    """An old pool of five, of whom ada and bob are staff; nobody came in the last hour."""
    pool_id = client.create_user_pool(PoolName="old")["UserPool"]["Id"]
    for name in ("staff", "admins"):
        client.create_group(UserPoolId=pool_id, GroupName=name)
    for name in NAMES:
        add(client, pool_id, name, *(["staff"] if name in {"ada", "bob"} else []))
        backdate(pool_id, name, age=HOUR)
    return pool_id


@pytest.fixture
def moving(client, old, migration):
    """A migration of that pool to an empty one, scanned."""
    made = migration(old, make_target(client, kind="plain"), workers=4)
    step(made, "scan")
    return made


@pytest.fixture
def moved(moving):
    """The same, when everybody is over."""
    step(moving, "run", "--yes")
    return moving


@pytest.fixture
def cut_over(moved):
    """The same after the cut-over."""
    step(moved, "cutover", "--yes")
    return moved


def use_the_old_pool(client, old):
    """Change all that can be changed, take all that can be taken, and disable one."""
    rename(client, old, "ada", "Ada")
    client.admin_add_user_to_group(UserPoolId=old, Username="cyd", GroupName="staff")
    client.admin_remove_user_from_group(UserPoolId=old, Username="bob", GroupName="staff")
    client.update_group(UserPoolId=old, GroupName="staff", Description="other")
    client.create_group(UserPoolId=old, GroupName="late")
    client.admin_disable_user(UserPoolId=old, Username="dan")
    add(client, old, "zoe", "admins")


def test_only_who_is_disabled_is_carried_over(client, old, cut_over, sandbox):
    """Of everything that the old pool changes after the cut-over a sync makes one call: it disables who is disabled."""
    use_the_old_pool(client, old)
    sandbox.reset_counts()
    synced = step(cut_over, "sync", "--json").json
    assert writes(sandbox.calls) == Counter(AdminDisableUser=1)
    assert synced["plan"]["reasons"]["skip"] == {AFTER_CUTOVER: 1}
    assert (synced["run"]["disabled"], synced["run"]["conflicts"], synced["run"]["left"]) == (1, [], 0)
    there = read_pool(client, cut_over.target, by_name).users
    assert (sorted(there), there["dan"].enabled) == ([*NAMES], False)
    assert "name" not in there["ada"].attributes
    assert {name: set(user.groups) for name, user in there.items() if user.groups} == {
        "ada": {"staff"},
        "bob": {"staff"},
    }
    assert not step(cut_over, "verify", "--json").json["differences"]
    sandbox.reset_counts()
    step(cut_over, "sync")
    assert writes(sandbox.calls) == Counter()


def test_who_is_enabled_again_there_stays_disabled(client, old, cut_over):
    """The old pool gives nothing back."""
    client.admin_disable_user(UserPoolId=old, Username="dan")
    step(cut_over, "sync")
    client.admin_enable_user(UserPoolId=old, Username="dan")
    step(cut_over, "sync")
    assert not read_pool(client, cut_over.target, by_name).users["dan"].enabled


def test_who_left_the_old_pool_is_disabled_if_told(client, old, cut_over):
    """--disable-gone works after the cut-over as before."""
    client.admin_delete_user(UserPoolId=old, Username="eve")
    step(cut_over, "sync", "--disable-gone", "--max-shrink", "100")
    there = read_pool(client, cut_over.target, by_name).users
    assert [name for name, user in there.items() if not user.enabled] == ["eve"]


def test_taken_back_everything_is_carried_over_again(client, old, cut_over, sandbox):
    """After --undo a sync brings over what the old pool changed meanwhile."""
    use_the_old_pool(client, old)
    step(cut_over, "sync")
    assert "Took back the cut-over of" in step(cut_over, "cutover", "--undo", "--yes").out
    assert step(cut_over, "cutover", "--undo", "--yes").out == "There was no cut-over; nothing is changed.\n"
    step(cut_over, "sync")
    there = read_pool(client, cut_over.target, by_name)
    assert there.users["ada"].attributes["name"] == "Ada"
    assert there.users["cyd"].groups == {"staff"}
    assert there.users["bob"].groups == set()
    assert there.users["zoe"].groups == {"admins"}
    assert "late" in there.groups


def test_a_person_may_decide_that_somebody_still_crosses(client, old, cut_over, tmp_path):
    """Who came later is created if the file of decisions says so, and nobody else is."""
    for name in ("zoe", "yan"):
        add(client, old, name)
    (tmp_path / "decisions.csv").write_text("username,action,target_username\nzoe,create,\n", encoding="utf-8")
    cut_over.configure(collisions="decisions.csv")
    step(cut_over, "sync")
    assert sorted(read_pool(client, cut_over.target, by_name).users) == [*NAMES, "zoe"]


def test_who_is_not_finished_is_counted_first_and_finished_after(client, old, moving):
    """With users left the cut-over is refused, and says how many; decided all the same, a run finishes them."""
    assert moving("run", "--yes", "--limit", "3").code == 4
    refused = moving("cutover", "--yes")
    assert refused.code == 3
    assert "2 users are still to be created in the new pool and 0 to be changed" in refused.err
    assert "--despite-left 2" in refused.err
    assert moving("cutover", "--yes", "--despite-left", "1").code == 3
    done = step(moving, "cutover", "--yes", "--despite-left", "2", "--json").json
    assert done["left"] == {"to_create": 2, "to_change": 0, "failed": 0}
    step(moving, "run", "--yes")
    there = read_pool(client, moving.target, by_name).users
    assert sorted(there) == [*NAMES]
    assert {name for name in there if there[name].groups} == {"ada", "bob"}
    assert not step(moving, "verify", "--json").json["differences"]


def test_changes_that_wait_and_failures_are_left_too(client, old, moved):
    """A change that no run has carried is counted, and so is who failed."""
    rename(client, old, "ada", "Ada")
    add(client, old, "fay")
    create_user(client, moved.target, "fay")
    step(moved, "scan")
    assert moved("run", "--yes").code == 1
    rename(client, old, "ada", "Ada L.")
    step(moved, "scan")
    refused = moved("cutover", "--yes")
    assert refused.code == 3
    assert "1 user is still to be created in the new pool and 1 to be changed; 1 of them failed" in refused.err


def test_too_early(moving):
    """Before any run, and with nobody there to confirm, nothing is recorded."""
    assert moving("cutover", "--yes").code == 3
    step(moving, "run", "--yes")
    asked = moving("cutover")
    assert (asked.code, "pass --yes" in asked.err) == (2, True)
    assert "The old pool was read last at" in asked.err
    assert "Cut over" not in moving("status").out


def test_before_a_scan(moving, client, old):
    """An inventory without a whole scan is refused with what to run."""
    moving.state.unlink()
    refused = moving("cutover", "--yes")
    assert (refused.code, "scan" in refused.err) == (2, True)


def test_once_is_enough(cut_over):
    """Said again, it says since when, and keeps that moment; JSON has it as numbers."""
    first = step(cut_over, "cutover", "--json").json
    assert abs(datetime.fromisoformat(first["cutover"]["at"]).timestamp() - time.time()) < 600
    assert first["cutover"]["scan"] == 1
    assert "Cut over already, since" in step(cut_over, "cutover").out
    assert step(cut_over, "cutover", "--json").json == first


# Said again, and what a verify has seen


def test_a_lost_cut_over_is_said_again(client, old, migration):
    """After --rebuild, --at leaves out who came since and what changed, and does not count them; a sync stays so."""
    made = migration(old, make_target(client, kind="plain"), workers=4)
    for words in (("scan",), ("run", "--yes")):
        step(made, *words)
    began = datetime.now(UTC) - timedelta(minutes=30)
    use_the_old_pool(client, old)
    made.state.unlink()
    assert "cognito-migrate cutover --at TIME" in step(made, "scan", "--rebuild").out
    assert "1 user is still to be created" in made("cutover", "--yes").err
    done = step(made, "cutover", "--yes", "--at", f"{began:%Y-%m-%dT%H:%M:%S}", "--json").json
    assert (done["left"]["to_create"], datetime.fromisoformat(done["cutover"]["at"]).timestamp()) == (
        0,
        int(began.timestamp()),
    )
    step(made, "sync")
    there = read_pool(client, made.target, by_name).users
    assert (sorted(there), there["dan"].enabled) == ([*NAMES], False)
    assert (there["cyd"].groups, "name" in there["ada"].attributes) == (set(), False)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--at", "yesterday"), "--at is 'yesterday', which is no time: write one like 2026-03-01T20:05"),
        (("--at", "2999-01-01"), "--at is 2999-01-01 00:00 UTC, which is to come"),
        (("--at", "2026-01-01", "--undo"), "leave one out"),
    ],
)
def test_what_is_no_moment_of_a_cut_over(moved, words, said):
    """An unreadable time, one to come, or one of what is taken back, is refused in a sentence, and nothing recorded."""
    refused = moved("cutover", "--yes", *words)
    assert (refused.code, refused.err.count("\n")) == (2, 1)
    assert said in refused.err
    assert "Cut over" not in moved("status").out


def test_what_was_seen_before_counts_no_more(client, cut_over):
    """Taken back and said again, a cut-over knows of nothing that was revoked until a `verify` looks again."""
    client.admin_disable_user(UserPoolId=cut_over.target, Username="cyd")
    step(cut_over, "verify")
    step(cut_over, "cutover", "--undo", "--yes")
    for what in ("revoked", "new-passwords"):
        assert cut_over("export", what).code == 2
    step(cut_over, "cutover", "--yes")
    for what in ("revoked", "new-passwords"):
        assert cut_over("export", what).code == 2


def test_conflicts_that_stand_are_named_as_such(client, old, moved):
    """What every run is refused again keeps the cut-over waiting, which says where such changes are listed."""
    rename(client, old, "ada", "Ada")
    step(moved, "scan")
    assert "conflicts that stand (cognito-migrate export conflicts)" in moved("cutover", "--yes").err


@pytest.mark.parametrize("words", [("scan",), ("plan",), ("sync",), ("status",)])
def test_commands_say_so_in_a_line(cut_over, words):
    """Whoever scans, plans, syncs or asks is told what counts of the old pool."""
    said = [line for line in step(cut_over, *words).out.splitlines() if line.startswith("Cut over since")]
    assert len(said) == 1
    assert "only passwords and who is disabled there count" in said[0]


def test_the_report_says_so(cut_over, tmp_path):
    """The page has the moment."""
    step(cut_over, "report", "--output", str(tmp_path / "report.html"))
    assert "Cut over since" in (tmp_path / "report.html").read_text(encoding="utf-8")


# What the new pool took away


def revoked(migration, folder):
    path = folder / "revoked.csv"
    step(migration, "export", "revoked", "--output", str(path), "--force")
    with path.open(newline="") as file:
        return {(row["username"], row["what"], row["detail"]): row["since"] for row in csv.DictReader(file)}


def test_what_was_revoked_is_listed_until_the_old_pool_has_followed(client, old, cut_over, tmp_path):
    """Each is listed with when it was seen first, until the old pool has taken it away, too."""
    new = cut_over.target
    refused = cut_over("export", "revoked")
    assert (refused.code, "cognito-migrate verify" in refused.err) == (2, True)
    client.admin_disable_user(UserPoolId=new, Username="cyd")
    client.admin_delete_user(UserPoolId=new, Username="dan")
    client.admin_remove_user_from_group(UserPoolId=new, Username="ada", GroupName="staff")
    client.admin_add_user_to_group(UserPoolId=new, Username="eve", GroupName="staff")
    rename(client, new, "eve", "Eve")
    assert step(cut_over, "verify", "--json").json["differences"] == []
    first = revoked(cut_over, tmp_path)
    assert set(first) == {("cyd", "disabled", ""), ("dan", "deleted", ""), ("ada", "membership ended", "staff")}
    client.admin_disable_user(UserPoolId=old, Username="cyd")
    client.admin_remove_user_from_group(UserPoolId=old, Username="ada", GroupName="staff")
    step(cut_over, "sync")
    step(cut_over, "verify")
    assert revoked(cut_over, tmp_path) == {("dan", "deleted", ""): first["dan", "deleted", ""]}


def test_a_link_that_ended_is_listed_while_the_old_pool_has_it(client, old, migration, tmp_path):
    """Whoever is linked no more in the new pool is listed by provider, until the link has ended in the old one too."""
    provider = {
        "ProviderName": "Google",
        "ProviderType": "Google",
        "ProviderDetails": {"client_id": "x", "client_secret": "x", "authorize_scopes": "openid"},
    }
    new = make_target(client, kind="plain")
    for pool_id in (old, new):
        client.create_identity_provider(UserPoolId=pool_id, **provider)
    link = {"ProviderName": "Google", "ProviderAttributeName": "Cognito_Subject", "ProviderAttributeValue": "g-1"}
    client.admin_link_provider_for_user(
        UserPoolId=old,
        DestinationUser={"ProviderName": "Cognito", "ProviderAttributeValue": "ada"},
        SourceUser=link,
    )
    made = migration(old, new, workers=4)
    for words in (("scan",), ("run", "--yes"), ("cutover", "--yes")):
        step(made, *words)
    client.admin_disable_provider_for_user(UserPoolId=new, User=link)
    step(made, "verify")
    assert set(revoked(made, tmp_path)) == {("ada", "link ended", "Google")}
    client.admin_disable_provider_for_user(UserPoolId=old, User=link)
    for words in (("scan",), ("verify",)):
        step(made, *words)
    assert revoked(made, tmp_path) == {}


def test_without_a_ledger_new_passwords_are_told_by_date(client, cut_over, tmp_path):
    """Whoever was modified in the new pool after the migration's last write may have another password."""
    client.admin_set_user_password(UserPoolId=cut_over.target, Username="ada", Password="N3w-Passw0rd!", Permanent=True)
    backdate(cut_over.target, "ada", age=-HOUR)
    step(cut_over, "verify")
    written = step(cut_over, "export", "new-passwords", "--output", str(tmp_path / "new.csv"), "--json").json
    assert written["rows"] == 1
    assert "ada," in (tmp_path / "new.csv").read_text()
    assert "perhaps" in (tmp_path / "new.csv").read_text()


# The decision itself


GROUPS = st.frozensets(st.sampled_from(["a", "b", "c"]))
LINKS = st.frozensets(st.sampled_from([Identity("Google", "1"), Identity("Okta", "2")]))
PREFERENCES = st.builds(Preference, st.frozensets(st.sampled_from([SMS, MAIL])), st.none())
APPLIED = st.builds(
    Baseline,
    st.dictionaries(st.sampled_from(["name", "email", "custom:x"]), st.sampled_from(["", "1", "2"])),
    enabled=st.booleans(),
    groups=st.none() | GROUPS,
    giving=GROUPS,
    links=LINKS,
    factors=PREFERENCES,
)


@given(APPLIED, GROUPS, st.booleans(), st.none() | PREFERENCES)
def test_nothing_but_disabling_and_factors_owed_is_ever_a_change(applied, granted, enabled, factors):
    """Whatever was applied, all that is left is that somebody is disabled who was not, and gets factors still owed."""
    kept = as_applied(applied, granted, enabled=enabled, factors=factors)
    found = change(applied, kept, granted, None)
    assert found.words() == (
        *(("disabled",) if applied.enabled and not enabled else ()),
        *sorted((factors.on if factors else frozenset()) - applied.factors.on),
    )


# With a ledger


@pytest.fixture
def world(tmp_path, client):
    """A migration with a ledger, into an empty pool, whose old pool had one user."""
    pool_id = client.create_user_pool(PoolName="new", Schema=[LEGACY_SUB])["UserPool"]["Id"]
    world = LedgerWorld(tmp_path, client, pool_id)
    world.scanned([person(1), person(2)])
    world.run(limit=1)
    with world.inventory() as inventory, inventory.transaction():
        record_cutover(inventory, Cutover(world.time, 1))
    return world


def test_who_comes_later_is_held_until_a_person_decides(world):
    """The ledger holds later users under their names, lets who was known before cross, and whom a person decides on."""
    late = [replace(person(number), created=world.time + 1) for number in (3, 4)]
    world.scanned([person(1), person(2), *late])
    assert world.run().done == 1
    held = {"sub-0003": "skipped", "sub-0004": "skipped"}
    assert world.states() == {"sub-0001": "pending", "sub-0002": "pending", **held}
    assert world.owner("user3") == "sub-0003"
    assert world.run(decisions={"user3": Decision("create")}).done == 1
    assert world.states()["sub-0003"] == "pending"


def test_who_is_pending_is_disabled_as_the_old_pool_says(world):
    """Disabled in the old pool after the cut-over, a user who waits for the first sign-in is disabled; groups stay."""
    world.scanned([replace(person(1), enabled=False), person(2)])
    assert world.run().disabled == 1
    assert not world.direct.find("user1").enabled


@pytest.fixture
def older(client, old, migration, own_server, request):
    """A migration with a ledger after its cut-over, on a copy of the inventory of before; somebody came since.

    The ledger is in a table that was restored from a backup of after the cut-over.
    """
    url, name = own_server.endpoint_url, f"cut-over-{abs(hash(request.node.name))}"
    moving = migration(
        old,
        make_target(client, kind="plain"),
        source_endpoint=url,
        target_endpoint=url,
        ledger={"table": name, "endpoint_url": url},
        workers=4,
    )
    step(moving, "scan")
    step(moving, "run", "--yes")
    before = moving.state.read_bytes()
    step(moving, "cutover", "--yes")
    step(moving, "run", "--yes")
    add(client, old, "late")
    moving.state.write_bytes(before)
    step(moving, "scan")
    put_another_in_its_place(dynamodb_client(), name)
    return moving


def test_an_inventory_that_does_not_know_of_the_cut_over_brings_nobody(client, older):
    """With a ledger no older copy of the inventory runs after the cut-over, until it is said there, too."""
    refused = older("run", "--yes")
    assert refused.code == 2
    (said,) = re.findall(r"cutover --at (\S+)\.", " ".join(refused.err.split()))
    assert "late" not in read_pool(client, older.target, by_name).users
    step(older, "cutover", "--at", said, "--yes")
    step(older, "run", "--yes")
    assert "late" not in read_pool(client, older.target, by_name).users
    step(older, "cutover", "--undo", "--yes")
    step(older, "run", "--yes")
    assert "late" in read_pool(client, older.target, by_name).users


def test_a_cut_over_waits_for_a_run_elsewhere(older):
    """While another inventory's run has the lease, no cut-over is recorded or taken back, and nothing is written."""
    name = older.settings["ledger"]["table"]
    with lease.held(LedgerTable(dynamodb_client(), name), "elsewhere", now=time.time):
        for words in (("--at", "2026-03-01T20:05"), ("--undo",)):
            refused = older("cutover", *words, "--yes")
            assert (refused.code, "Another run" in refused.err) == (6, True)
    assert older("status", "--json").json["cut_over"] is None


def test_what_the_ledger_alone_knows_of_a_cut_over_can_be_taken_back(client, older):
    """Where the cut-over was taken back, and the table restored from before that, one command settles it."""
    assert older("run", "--yes").code == 2
    assert "Took back the cut-over of" in step(older, "cutover", "--undo", "--yes").out
    assert "There was no cut-over" in step(older, "cutover", "--undo", "--yes").out
    step(older, "run", "--yes")
    assert "late" in read_pool(client, older.target, by_name).users


@pytest.mark.parametrize(("hours", "said"), [(24, []), (25, ["1 day old"]), (80, ["3 days old"])])
def test_an_old_scan_is_told_before_the_cut_over(hours, said):
    """A scan that is older than a day is said to be so, with what to do first."""
    told = [*stale(1e9, 1e9 + hours * 3600)]
    assert len(told) == len(said)
    assert all(age in one and "sync first" in one for age, one in zip(said, told, strict=True))


def test_the_age_of_the_scan_is_told_with_the_question(moved):
    """`cutover` warns of a scan of long ago before it asks."""
    assert "days old" not in moved("cutover").err
    with closing(sqlite3.connect(moved.state)) as file, file:
        file.execute("UPDATE meta SET value = value - 3e5 WHERE key = 'scan_completed'")
    assert "The last scan is 3 days old: sync first" in moved("cutover").err
