from __future__ import annotations

import json
from dataclasses import asdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch.cli.run import run_json, run_lines
from batch.cli.scan import scan_lines
from batch.cli.verify import verify_lines
from batch.run.run import RunSummary
from batch.runtime import text as report
from batch.scan.scan import ScanSummary
from batch.verify.verify import Difference, VerifySummary

CANARIES = {
    "email": "canary.mail@example.com",
    "phone_number": "+31600004711",
    "nickname": "Canary-Nickname",
    "address": "Canary Street 4711",
    "custom:note": "Canary-Note",
    "custom:tenant": "Canary-Tenant-too-long",
}
SCHEMA = [
    {"Name": "note", "AttributeDataType": "String", "Mutable": True},
    {"Name": "gone", "AttributeDataType": "String", "Mutable": True},
    {"Name": "tenant", "AttributeDataType": "String", "Mutable": True},
]
SHORT_TENANT = {**SCHEMA[2], "StringAttributeConstraints": {"MinLength": "1", "MaxLength": "5"}}


@pytest.fixture
def canaries(client, make_pool, migration):
    """A migration of users whose attributes must not be seen: ordinary, colliding, blocked, and one who is there."""
    source = make_pool(Schema=SCHEMA)
    target = make_pool(case_sensitive=False, Schema=[SCHEMA[0], SHORT_TENANT])

    def add(pool, username: str, *names: str, **more: str) -> None:
        values = {**{name: CANARIES[name] for name in names}, **more}
        pool.create(username, {**values, "email_verified": "true"} if "email" in values else values, "Canary-Passw0rd!")

    add(source, "ada", "email", "phone_number", "nickname", "address", "custom:note", **{"custom:gone": "Canary-Gone"})
    add(source, "Bob", "email", "custom:note")
    add(source, "bob", "phone_number", "custom:note")
    add(source, "zoe", "custom:tenant", "email")
    add(source, "tim", "email", "nickname")
    add(target, "tim", "email")
    return migration(source.pool_id, target.pool_id), client


def test_nothing_that_is_said_holds_an_attribute_value(canaries):
    """No command shows a value of any attribute, in words or as JSON, whatever becomes of the users."""
    migrate, client = canaries
    said = [
        migrate(*words)
        for words in (["scan"], ["plan"], ["plan", "--json"], ["run", "--yes"], ["run", "--yes", "--json"])
    ]
    changed = [{"Name": "nickname", "Value": "Canary-Changed"}, {"Name": "email_verified", "Value": "false"}]
    client.admin_update_user_attributes(UserPoolId=migrate.target, Username="ada", UserAttributes=changed)
    said += [migrate("verify"), migrate("verify", "--json")]
    assert [result.code for result in said] == [0, 0, 0, 1, 1, 5, 5]
    texts = [text for result in said for text in (result.out, result.err)]
    assert not any(value in text for text in texts for value in CANARIES.values())
    assert not any("canary" in text.lower() for text in texts)


def test_the_plan_names_everything_that_a_person_must_know(canaries):
    """The plan names lost attributes, each collision with its users, why others are blocked, and its digest."""
    migrate, _ = canaries
    migrate("scan")
    words, values = migrate("plan").out, migrate("plan", "--json").json
    for part in (
        "custom:gone",
        "  Bob  ",
        "  bob  ",
        "custom:tenant is longer than the 5 characters",
        values["digest"],
    ):
        assert part in words
    assert values["actions"] == {"create": 2, "update": 0, "skip": 0, "collide": 2, "blocked": 1}
    assert [[one["username"] for one in some] for some in values["collisions"]] == [["Bob", "bob"]]
    assert values["dropped"] == {"custom:gone": 1}


def test_a_run_names_who_failed_and_why(canaries):
    """Whoever is in the target already is named with the reason, and the others are counted."""
    migrate, _ = canaries
    migrate("scan")
    words = migrate("run", "--yes").out
    assert "Created 1 user," in words
    assert "tim: taken: " in words
    assert "not made by this migration" in words


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
)


@given(anything)
def test_what_is_said_as_json_can_be_read_again(value):
    """Any result reads back as what it was, in letters of every script."""
    assert json.loads(report.as_json(value)) == value


@pytest.mark.parametrize(
    "summary",
    [
        ScanSummary(users=3, groups=2, memberships=1, read_by="group"),
        RunSummary(created=1, done=2, left=3, stopped=True, failed={"taken": 1}),
        VerifySummary(compared=5, differences=[Difference("Ünal", "attributes", "email, nickname")]),
    ],
)
def test_every_summary_can_be_said_as_json(summary):
    """A summary reads back from JSON with every field."""
    assert json.loads(report.as_json(asdict(summary))) == asdict(summary)


def test_the_failures_are_part_of_a_runs_json():
    """The document has the counts and every failure, however many."""
    failed = [{"username": f"user{number}", "problem": "taken", "reason": "taken"} for number in range(50)]
    said = json.loads(report.as_json(run_json(RunSummary(created=7, failed={"taken": 50}), failed)))
    assert (said["created"], said["failed"], said["failures"]) == (7, {"taken": 50}, failed)


def test_a_scan_is_said_in_one_line():
    """What a scan found is counted in words."""
    [line] = scan_lines(ScanSummary(users=3, groups=2, memberships=1, read_by="user"))
    assert line == "Scanned 3 users, 2 groups and 1 membership (read by user)."


def test_long_lists_are_cut_on_a_terminal():
    """Of many failures or differences the first twenty are shown, and the rest is counted."""
    failed = [{"username": f"user{number:02}", "problem": "taken", "reason": "taken"} for number in range(27)]
    differences = [Difference(f"user{number:02}", "missing", "not created yet") for number in range(27)]
    for text in (
        "\n".join(run_lines(RunSummary(), failed)),
        "\n".join(verify_lines(VerifySummary(differences=differences))),
    ):
        assert "27" in text
        assert "user19" in text
        assert "user20" not in text
        assert "7 more; --json lists all" in text


def test_a_run_without_failures_says_nothing_of_failures():
    """Whoever has nothing to mend reads one line."""
    [line] = run_lines(RunSummary(created=2, groups=1, memberships=3, done=2, left=4), [])
    for part in ("2 users", "1 group and", "3 memberships", "2 users are done", "4 are left"):
        assert part in line


def test_a_quiet_night_is_told_in_one_line():
    """Where nothing was to be done, that is said with how many users are there, and no zeros."""
    assert [*run_lines(RunSummary(there=271), [])] == ["Nothing changed. 271 users are in the new pool."]
    for changed in ({"left": 1}, {"disabled": 1}, {"groups_updated": 1}, {"stopped": True}, {"failed": {"taken": 1}}):
        assert "Nothing changed" not in "\n".join(run_lines(RunSummary(there=271, **changed), []))


def test_a_comparison_says_what_differs_and_where():
    """A difference is said with the user, or the pool, and names; no difference is said as such."""
    same = list(verify_lines(VerifySummary(compared=5, others=1)))
    assert same[-1] == "Everything is as planned."
    found = [
        Difference("", "group missing", "Admins"),
        Difference("ada", "enabled", "is enabled"),
        Difference("eve", "x"),
    ]
    lines = list(verify_lines(VerifySummary(differences=found)))
    assert lines[1:] == [
        "3 differences:",
        "  the pool: group missing: Admins",
        "  ada: enabled: is enabled",
        "  eve: x",
    ]


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"),
        (0.4, "0 s"),
        (89, "89 s"),
        (90, "2 min"),
        (60 * 60, "60 min"),
        (89 * 60, "89 min"),
        (90 * 60, "1.5 h"),
        (33.3 * 3600, "33.3 h"),
    ],
)
def test_a_duration_is_said_as_a_person_would(seconds, words):
    """Seconds up to a minute and a half, minutes up to an hour and a half, then hours."""
    assert report.duration(seconds) == words


def test_who_came_by_their_own_sign_in_is_told_as_that():
    """Users that UserMigration created are counted as such, apart from those that an older inventory may know."""
    said = "\n".join(run_lines(RunSummary(came=4), []))
    assert "4 users came by their own first sign-in." in said
    assert "marker" not in said
    assert "3 users already existed and carry this migration's marker." in "\n".join(run_lines(RunSummary(found=3), []))


def test_users_of_this_migration_that_are_not_compared_are_told_apart_from_others():
    """`verify` says of whose migration the users are that it did not compare."""
    said = "\n".join(verify_lines(VerifySummary(others=1, unplanned=2)))
    assert "1 user of the target is not of this migration." in said
    assert "Not compared: 2 users of this migration in the target" in said


def test_conflicts_of_earlier_runs_do_not_hide_the_new_ones():
    """A run lists its own conflicts. Those that were settled before are counted, with the command that lists them."""
    new, old = ({"username": name, "what": "email", "reason": "was changed"} for name in ("ada", "bob"))
    said = "\n".join(run_lines(RunSummary(conflicts=[new, old], earlier=1), []))
    assert "1 change of the old pool is not carried over:\n  ada: email was changed\n" in said
    assert "bob" not in said
    assert "1 change of earlier runs did not cross either." in said
