"""`reset` from the command line: what is asked, refused, written and counted."""

from __future__ import annotations

import csv
from datetime import UTC, datetime, timedelta

import direct
import pytest
from live import create_user
from signing_in import set_password

from sandbox.faults import Fault
from sandbox.made_up.seed import make_target
from sandbox.server import Sandbox

PEOPLE = ("ada", "bob", "=cyd", "zoë")


@pytest.fixture(scope="module")
def server():
    """A server of this file's own."""
    with Sandbox() as server, direct.called(server):
        yield server


@pytest.fixture
def moving(client, server, migration, request):
    """A migration of four, of whom one has nothing verified, brought over with a ledger."""
    old = client.create_user_pool(PoolName="old")["UserPool"]["Id"]
    for name in PEOPLE:
        verified = "false" if name == "bob" else "true"
        create_user(client, old, name, {"email": f"{len(name)}{name[-1]}@x.com", "email_verified": verified})
        set_password(client, old, name)
    url = server.endpoint_url
    made = migration(
        old,
        make_target(client, kind="plain"),
        source_endpoint=url,
        target_endpoint=url,
        ledger={"table": f"reset-{abs(hash(request.node.name))}", "endpoint_url": url},
    )
    for command in (("scan",), ("run", "--yes"), ("cutover", "--yes")):
        assert made(*command).code == 0
    return made


def day(later):
    """A day as the command takes it, so many from today."""
    return (datetime.now(UTC) + timedelta(later)).date().isoformat()


def rows(path):
    with path.open(newline="", encoding="utf-8") as file:
        return [*csv.DictReader(file)]


def test_two_lists_are_the_default(moving, tmp_path):
    """Without an option both lists are written, formulas guarded, and nothing is changed; not over what is there."""
    files = ("--output", str(tmp_path / "a.csv"), "--help-desk", str(tmp_path / "b.csv"))
    said = moving("reset", "--per-day", "2", *files)
    assert said.code == 0, said.err
    waiting = rows(tmp_path / "a.csv")
    assert sorted(row["username"] for row in waiting) == ["'=cyd", "ada", "zoë"]
    assert sorted(row["day"] for row in waiting) == [day(0), day(0), day(1)]
    assert [row["username"] for row in rows(tmp_path / "b.csv")] == ["bob"]
    again = moving("reset", *files)
    assert again.code == 2
    assert "--force" in again.err
    (tmp_path / "a.csv").unlink()
    assert "b.csv is there: replace it with --force, or name another with --help-desk" in moving("reset", *files).err
    assert moving("export", "reset", "--output", "-").out.count("\n") == 1


def test_closing_waits_for_its_day(moving):
    """Before the day `--close-by` ends with code 4 and closes nobody; on it everybody who waits is let go, once."""
    early = moving("reset", "--close-by", day(2), "--yes")
    assert early.code == 4
    assert "Nothing is closed before" in early.out
    early = moving("reset", "--close-by", day(2), "--yes", "--json")
    assert (early.code, early.json["let_go"], early.json["over"]) == (4, 0, True)
    wrong = moving("reset", "--close-by", day(-365), "--yes")
    assert (wrong.code, "is in the past: nobody could sign in to the new pool before" in wrong.err) == (2, True)
    assert moving("reset", "--close-by", day(0)).code == 2
    some = moving("reset", "--close-by", day(0), "--yes", "--limit", "1")
    assert (some.code, some.out.splitlines()[-1]) == (4, "More is left: the same command goes on.")
    closed = moving("reset", "--close-by", day(0), "--yes")
    assert (closed.code, closed.out.splitlines()[0][:15]) == (0, "Closed 3 users:")
    assert "Closed 0 users" in moving("reset", "--close-by", day(0), "--yes").out


def test_codes_have_a_price_and_an_end(moving, client):
    """Codes are sent after the price was said, as many as the day's number; more is left to the next run by code 4."""
    refused = moving("reset", "--send-codes")
    assert refused.code == 2
    assert "about $" in refused.err
    some = moving("reset", "--send-codes", "--mail-per-day", "2", "--yes")
    assert (some.code, "Sent 2 codes" in some.out) == (4, True)
    rest = moving("reset", "--send-codes", "--yes", "--json")
    assert (rest.code, rest.json["sent"], rest.json["campaign"]) == (0, 1, {"sent": 3})
    done = moving("reset", "--send-codes", "--yes")
    assert (done.code, "Sent 0 codes" in done.out) == (0, True)
    statuses = [user["UserStatus"] for user in client.list_users(UserPoolId=moving.target)["Users"]]
    assert sorted(statuses) == ["CONFIRMED", *["RESET_REQUIRED"] * 3]


def test_who_waits_for_their_day_is_more_that_is_left(moving, tmp_path):
    """Where everybody has a day that is to come nothing is asked or sent, it is said, and the code is 4."""
    files = ("--output", str(tmp_path / "a.csv"), "--help-desk", str(tmp_path / "b.csv"))
    assert moving("reset", "--per-day", "5", "--from", day(3), *files).code == 0
    said = moving("reset", "--send-codes")
    assert (said.code, "Sent 0 codes" in said.out) == (4, True)
    assert "3 wait for the day that they were given" in said.err


def test_whom_nobody_answered_for_is_for_somebody_to_look_at(moving, server):
    """A run that leaves only persons who may have been sent a code ends with code 1."""
    server.faults.replace([Fault("drop-before", "AdminResetUserPassword")])
    try:
        said = moving("reset", "--send-codes", "--yes", "--limit", "1")
    finally:
        server.faults.replace([])
    assert (said.code, "1 more may have been sent" in said.out) == (1, True)


def test_no_codes_where_administrators_reset_passwords(moving, client):
    """In a pool whose account recovery is `admin_only` codes are refused with what to do instead."""
    admin_only = {"RecoveryMechanisms": [{"Name": "admin_only", "Priority": 1}]}
    client.update_user_pool(UserPoolId=moving.target, AccountRecoverySetting=admin_only)
    refused = moving("reset", "--send-codes", "--yes")
    assert (refused.code, "write to whom `cognito-migrate reset` lists" in refused.err) == (2, True)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--send-codes", "--close-by", "2027-01-01"), "One at a time"),
        (("--send-codes", "--per-day", "3"), "--per-day is not for --send-codes"),
        (("--from", "2027-01-01"), "give both"),
        (("--group", "nobody"), "--group: the old pool has no group 'nobody'"),
        (("--file", "nowhere.txt"), "name another by --file"),
        (("--output", "-"), "name files with --output"),
        (("--output", "x.csv", "--help-desk", "./x.csv"), "Both lists would be"),
    ],
)
def test_what_makes_no_sense_is_refused(moving, options, said):
    """Options that do not go together, and a group that is not there, are named, and nothing is done."""
    refused = moving("reset", *options)
    assert refused.code == 2
    assert said in refused.err


def test_without_a_ledger_there_is_nobody(client, server, migration):
    """Without a ledger nobody waits to be captured, and the command says what to do instead."""
    old = client.create_user_pool(PoolName="old")["UserPool"]["Id"]
    url = server.endpoint_url
    create_user(client, old, "ada", {})
    made = migration(old, make_target(client, kind="plain"), source_endpoint=url, target_endpoint=url)
    assert made("scan").code == made("run", "--yes").code == 0
    refused = made("reset")
    assert refused.code == 2
    assert "Only a ledger knows" in refused.err
