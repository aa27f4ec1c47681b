"""`users.only`: who crosses now, and that nothing else is decided by it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from ledger_world import LedgerWorld
from migrating import LEGACY_SUB, empty
from migrating import person as numbered
from planned import another_inventory, context, mark_created, person, reason, store

from batch.inventory.inventory import Inventory
from batch.plan.collisions import collisions
from batch.plan.plan import make_plan
from batch.plan.summary import PlanSummary
from batch.settings.config import load
from trigger.settings import TriggerSettings
from userpool.cohort import CohortRules
from userpool.errors import SettingsError
from userpool.settings import Rules, UserRules, read
from userpool.user import Group, Status, User

STAFF = Group("staff")
DAY = 86_400.0
MARCH = datetime(2026, 3, 1, tzinfo=UTC).timestamp()
OUTSIDE = "outside the cohort (users.only)"


@pytest.fixture
def inventory(tmp_path) -> Iterator[Inventory]:
    """An empty inventory."""
    with Inventory.open(tmp_path / "migration.db", {}, create=True) as inventory:
        yield inventory


def plan(inventory: Inventory, **only) -> PlanSummary:
    return make_plan(inventory, context(only=CohortRules(**only)), {})


def crossing(inventory: Inventory, **only) -> set[str]:
    """Name those who cross under a cohort; the others are left out because of it."""
    plan(inventory, **only)
    rows = list(inventory.execute("SELECT u.username, p.action, p.reason FROM plan p JOIN users u ON u.sub = p.sub"))
    assert {(action, why) for _, action, why in rows} <= {("create", None), ("skip", OUTSIDE)}
    return {name for name, action, _ in rows if action == "create"}


def listed(folder: Path, *lines: str) -> str:
    path = folder / "cohort.csv"
    path.write_text("\n".join(lines), encoding="utf-8")
    return str(path)


def seen(name: str, *, created: float = 0.0, modified: float = 0.0) -> User:
    return person(name, created=created, modified=modified)


def test_a_cohort_of_groups_is_whoever_is_in_one_of_them(inventory):
    """Any of the old groups will do, whether it crosses or not."""
    store(inventory, map(person, ["ada", "bob", "eve"]), [STAFF, Group("vip")], [("ada", "staff"), ("bob", "vip")])
    assert crossing(inventory, groups=("staff",)) == {"ada"}
    assert crossing(inventory, groups=("staff", "vip")) == {"ada", "bob"}
    assert crossing(inventory) == {"ada", "bob", "eve"}


def test_a_day_begins_at_midnight_utc_and_belongs_to_what_is_after(inventory):
    """Created or modified at a moment is after it, and not before it; a zone is heeded."""
    store(
        inventory,
        [
            seen("before", created=MARCH - 1, modified=MARCH - 1),
            seen("at", created=MARCH, modified=MARCH),
            seen("after", created=MARCH + DAY, modified=MARCH + DAY),
        ],
    )
    assert crossing(inventory, created_after="2026-03-01") == {"at", "after"}
    assert crossing(inventory, modified_after="2026-03-01T01:00:01+01:00") == {"after"}
    assert crossing(inventory, modified_before="2026-03-01") == {"before"}
    assert crossing(inventory, modified_after="2026-03-01", modified_before="2026-03-02") == {"at"}


def test_a_file_names_users_by_name_or_sub(inventory, tmp_path):
    """A line is a user name or a sub; a heading, empty lines, blanks and quotes are no part of it."""
    store(inventory, map(person, ["ada", "b,ob", "eve", "mal"]))
    file = listed(tmp_path, "username", " ada ", "", '"b,ob"', "sub of eve", "ada")
    assert crossing(inventory, file=file) == {"ada", "b,ob", "eve"}


def test_a_user_called_as_a_heading_is_not_overlooked(inventory, tmp_path):
    """A first line that is somebody's name is that user."""
    store(inventory, map(person, ["username", "ada"]))
    assert crossing(inventory, file=listed(tmp_path, "username")) == {"username"}


def test_all_that_is_given_must_hold(inventory, tmp_path):
    """Conditions are joined by and."""
    users = [seen("ada", created=MARCH), seen("bob", created=MARCH), seen("eve")]
    store(inventory, users, [STAFF], [("ada", "staff"), ("eve", "staff")])
    assert crossing(inventory, groups=("staff",), created_after="2026-03-01") == {"ada"}
    file = listed(tmp_path, "bob", "eve")
    assert crossing(inventory, created_after="2026-03-01", file=file) == {"bob"}
    assert crossing(inventory, groups=("staff",), created_after="2026-03-01", file=file) == set()


def test_a_list_may_be_saved_as_utf_16(inventory, tmp_path):
    """Excel's "Unicode text" is a list like any other."""
    store(inventory, [person("Jörg"), person("bob")])
    (tmp_path / "list.txt").write_bytes("username\r\nJörg\r\n".encode("utf-16"))
    assert crossing(inventory, file=str(tmp_path / "list.txt")) == {"Jörg"}


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (["ada", "", "adda"], "'adda' or has it as sub: mend .*, line 3"),
        (["ada", "username"], "'username' .*, line 2"),
        (["ada,staff"], "line 1: one user name or sub a line"),
        (["ada\tstaff"], "line 1: one user name or sub a line"),
        (["ada;staff"], "the file must have one column"),
    ],
)
def test_a_name_that_nobody_has_is_refused_with_its_line(inventory, tmp_path, lines, said):
    """A misspelt name would quietly leave somebody out."""
    store(inventory, [person("ada")])
    with pytest.raises(SettingsError, match=said):
        plan(inventory, file=listed(tmp_path, *lines))


def test_who_was_deleted_from_the_old_pool_is_nobody(inventory, tmp_path):
    """The last scan decides who there is."""
    store(inventory, [person("ada"), person("bob")])
    store(inventory, [person("ada")])
    with pytest.raises(SettingsError, match="'bob'"):
        plan(inventory, file=listed(tmp_path, "bob"))


def test_what_cannot_be_read_is_refused(inventory, tmp_path):
    """A file that is missing or is no text, and a group that the old pool has not, are each a sentence."""
    store(inventory, [person("ada")])
    with pytest.raises(SettingsError, match=r"No such file.*users\.only\.file"):
        plan(inventory, file=str(tmp_path / "nowhere.csv"))
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SettingsError, match="cannot be read: it begins as UTF-16 and is damaged"):
        plan(inventory, file=str(tmp_path / "binary"))
    with pytest.raises(SettingsError, match="no group 'Staff'"):
        plan(inventory, groups=("Staff",))


@pytest.mark.parametrize("inside", [["Bob"], ["bob"], ["Bob", "bob"], []])
def test_collisions_are_of_the_whole_pool(inventory, tmp_path, inside):
    """Two users who would be one account collide, whoever of them is in the cohort."""
    store(inventory, map(person, ["Bob", "bob", "ada"]))
    plan(inventory, file=listed(tmp_path, "ada", *inside))
    assert [[one.username for one in some] for some in collisions(inventory)] == [["Bob", "bob"]]
    assert dict(inventory.execute("SELECT action, count(*) FROM plan GROUP BY 1")) == {"collide": 2, "create": 1}


def test_who_was_begun_stays_in(inventory, tmp_path):
    """Who exists in the target, or may, is planned as before in a narrower cohort; who was refused or undone is not."""
    users = {name: person(name) for name in ("made", "begun", "refused", "undone", "ada")}
    store(inventory, users.values())
    mark_created(inventory, users["made"], "made")
    for name, state in {"begun": "intended", "refused": "refused", "undone": "undone"}.items():
        inventory.execute("INSERT INTO progress (sub, state) VALUES (?, ?)", (users[name].sub, state))
    assert crossing(inventory, file=listed(tmp_path, "ada")) == {"made", "begun", "ada"}


def test_other_reasons_to_be_left_out_come_first(inventory):
    """Who never crosses is not said to cross later; who is blocked, and outside, is outside."""
    users = [person("fed", status=Status.EXTERNAL_PROVIDER), person("new", status=Status.UNCONFIRMED), person("b b")]
    store(inventory, users, [STAFF])
    plan(inventory, groups=("staff",))
    assert "federated" in reason(inventory, "fed")
    assert "never confirmed" in reason(inventory, "new")
    assert reason(inventory, "b b") == OUTSIDE


def test_the_plan_counts_who_is_outside_and_what_only_the_others_lose(inventory, tmp_path):
    """Outsiders are a reason of their own, and none of what the new pool has no place for is counted for them."""
    users = [person(name, attributes={"custom:x": "x"}) for name in ("ada", "Bob", "bob", "eve")]
    store(inventory, users)
    summary = plan(inventory, file=listed(tmp_path, "ada", "Bob"))
    assert summary.reasons["skip"] == {OUTSIDE: 1}
    assert (summary.dropped, summary.lacking) == ({"custom:x": 1}, {"email": 1})


def test_the_digest_changes_with_the_cohort():
    """Another cohort of the same pool is another plan; the same one is the same."""

    def digest(**only) -> str:
        with another_inventory() as inventory:
            store(inventory, [person("ada"), person("bob")], [STAFF], [("ada", "staff")])
            return plan(inventory, **only).digest

    assert digest(groups=("staff",)) == digest(groups=("staff",))
    assert digest(groups=("staff",)) != digest()


@pytest.mark.parametrize("marked", ["old-sub", ""])
def test_who_has_an_attribute_is_outside(inventory, marked):
    """`lacking` lets in who has no value of it, and refuses a name that nobody has."""
    users = [person("ada", attributes={"custom:legacy_sub": "old-ada"}), person("zoe")]
    users += [person("eve", attributes={"custom:legacy_sub": marked})]
    store(inventory, users)
    assert crossing(inventory, lacking="custom:legacy_sub") == {"zoe", *([] if marked else ["eve"])}
    with pytest.raises(SettingsError, match="nobody in the old pool has the attribute 'custom:legacy-sub'"):
        plan(inventory, lacking="custom:legacy-sub")


# Settings


def test_dates_may_be_dates_or_text(tmp_path):
    """YAML makes dates of what looks like one; both ways it is the same setting, and the file is beside config.yaml."""
    path = tmp_path / "config.yaml"
    path.write_text(
        "source: {user_pool_id: eu-west-1_OldPool01}\n"
        "target: {user_pool_id: eu-west-1_NewPool01}\n"
        "users:\n  only:\n    groups: [staff]\n    created_after: 2026-03-01\n"
        "    modified_after: '2026-03-01'\n    modified_before: 2026-04-01T10:00:00+02:00\n    file: who.csv\n",
        encoding="utf-8",
    )
    assert load(path).users.only == CohortRules(
        ("staff",), "2026-03-01", "2026-03-01", "2026-04-01T10:00:00+02:00", str(tmp_path / "who.csv")
    )


@pytest.mark.parametrize(
    ("only", "said"),
    [
        ({"created_after": "yesterday"}, "users.only: created_after is 'yesterday', which is no date"),
        ({"created_after": 2026}, "users.only.created_after must be text"),
        ({"groups": "staff"}, "users.only.groups must be a list"),
        ({"since": "2026-03-01"}, "users.only.since is not a setting"),
        ({"modified_after": date(2026, 3, 1), "modified_before": "2026-03-01T00:00"}, "nobody would cross"),
        ("staff", "users.only must hold keys and values"),
    ],
)
def test_a_cohort_that_makes_no_sense_is_refused(only, said):
    """What is no date, no list or no setting is named with the remedy."""
    with pytest.raises(SettingsError) as refused:
        read(Rules, {"users": {"only": only}}, "")
    assert said in str(refused.value)


def test_the_trigger_takes_a_cohort_and_makes_nothing_of_it():
    """RULES as the batch prints them, cohort and all, are read back as they were."""
    rules = Rules(UserRules(only=CohortRules(("staff",), "2026-03-01", file="/somewhere/who.csv")))
    environment = {
        "SOURCE_USER_POOL_ID": "eu-west-1_OldPool01",
        "TARGET_USER_POOL_ID": "eu-west-1_NewPool01",
        "LEDGER_TABLE": "cognito-migration",
        "RULES": json.dumps(asdict(rules)),
    }
    assert TriggerSettings.of(environment).rules == rules


# With a ledger


@pytest.fixture
def world(tmp_path, client):
    """A migration with a ledger into an empty pool."""
    pool_id = client.create_user_pool(PoolName="new", Schema=[LEGACY_SUB])["UserPool"]["Id"]
    yield LedgerWorld(tmp_path, client, pool_id)
    empty(client, pool_id)


def use(world: LedgerWorld, **only) -> None:
    world.use(Rules(UserRules(only=CohortRules(**only))))


def test_who_is_outside_is_held_with_its_names_until_the_cohort_is_wider(world):
    """Held by the ledger under every sign-in name, never created; a wider cohort lets it go, and the run creates it."""
    world.scanned([numbered(1), numbered(2)], [STAFF], [("sub-0001", "staff")])
    use(world, groups=("staff",))
    assert world.run().done == 1
    assert world.states() == {"sub-0001": "pending", "sub-0002": "cohort"}
    assert world.owner("user2") == "sub-0002"
    assert list(world.there()) == ["user1"]
    use(world)
    assert world.run().done == 1
    assert world.states() == {"sub-0001": "pending", "sub-0002": "pending"}


def test_a_narrower_cohort_holds_who_is_not_begun_and_nobody_else(world):
    """Who was created goes on; who was only known is held."""
    world.scanned([numbered(1), numbered(2)], [STAFF], [("sub-0002", "staff")])
    world.run(limit=1)
    assert world.states() == {"sub-0001": "pending", "sub-0002": "known"}
    world.scanned([numbered(1), numbered(2), numbered(3)], [STAFF, Group("vip")], [("sub-0003", "vip")])
    use(world, groups=("vip",))
    world.run()
    assert world.states() == {"sub-0001": "pending", "sub-0002": "cohort", "sub-0003": "pending"}
