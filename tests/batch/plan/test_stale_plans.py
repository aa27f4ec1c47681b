from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from planned import ALIASES, ANY_CASE, MARKER, context, person, store, verified

from batch.inventory.baseline import Baseline, BaselineTable
from batch.inventory.inventory import Inventory
from batch.plan.changes import Changes
from batch.plan.plan import make_plan
from batch.plan.summary import PlanSummary
from batch.plan.user_plan import Context
from batch.run.journal import Created, Done, Granted, Journal
from batch.settings.decisions import Decision
from userpool.cohort import CohortRules
from userpool.groups import GroupRules
from userpool.user import Group, Status

MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108 -- a disk would be waited for at each plan
NAMES = ("Ann", "ann", "Bob", "eve")
GROUPS = ("admins", "readers")
CONTEXTS = (
    context(ALIASES),
    context(ANY_CASE, groups=GroupRules(rename={"admins": "staff"})),
    context(ALIASES, only=CohortRules(groups=("admins",))),
)
DECIDED = {"ann": Decision("skip")}
DECISIONS = ({}, DECIDED, {"Ann": Decision("create", "ann2")})

people = st.fixed_dictionaries(
    {
        "there": st.booleans(),
        "email": st.sampled_from(("a@x.example", "A@x.example", "b@x.example", None)),
        "enabled": st.booleans(),
        "status": st.sampled_from((Status.CONFIRMED, Status.CONFIRMED, Status.UNCONFIRMED)),
        "groups": st.sets(st.sampled_from(GROUPS)),
    }
)
names = st.sampled_from(NAMES)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("scan"), st.dictionaries(names, people, max_size=2), st.booleans()),
        st.tuples(st.just("created"), names, st.sampled_from(("created", "secured", "done", "done")), st.booleans()),
        st.tuples(st.just("written"), names, people),
        st.tuples(st.just("granted"), names, st.sampled_from((*GROUPS, "staff")), st.booleans()),
        st.tuples(st.just("refused"), names),
        st.tuples(st.just("undone"), names),
        st.tuples(st.just("finished"), st.sets(names)),
        st.tuples(st.just("planned"), st.integers(0, 2), st.integers(0, 2)),
    ),
    max_size=20,
)


class History:
    """An old pool and what was done of it, written to an inventory as a scan and a run would, or somebody else."""

    def __init__(self, inventory: Inventory) -> None:
        self.inventory = inventory
        self.old = {name: {"there": True, "email": None, "enabled": True, "groups": set()} for name in NAMES}
        self.rules, self.decisions = 0, 0
        self.scan({}, True)  # noqa: FBT003 -- as it is drawn

    def scan(self, changed: dict, whole: bool) -> None:  # noqa: FBT001 -- as it was drawn
        """Read the old pool, with all its groups or with one of them."""
        self.old |= changed
        users = [
            person(
                name,
                attributes=verified(one["email"]) if one["email"] else {},
                enabled=one["enabled"],
                status=one.get("status", Status.CONFIRMED),
            )
            for name, one in self.old.items()
            if one["there"]
        ]
        groups = GROUPS if whole else GROUPS[:1]
        pairs = [(user.username, group) for user in users for group in self.old[user.username]["groups"]]
        store(self.inventory, users, map(Group, groups), [pair for pair in pairs if pair[1] in groups])

    def created(self, name: str, state: str, as_planned: bool) -> None:  # noqa: FBT001 -- as it was drawn
        """The user is in the target, under the name that was planned or another."""
        row = self._one("SELECT username FROM plan WHERE sub = ?", name)
        with self.inventory.transaction():
            self.inventory.execute(
                "INSERT INTO progress (sub, state, new_sub, username) VALUES (?, ?, ?, ?) ON CONFLICT (sub) DO UPDATE "
                "SET state = excluded.state, new_sub = excluded.new_sub, username = excluded.username",
                (f"sub of {name}", state, f"new {name}", row[0] if as_planned and row and row[0] else "b@x.example"),
            )

    def written(self, name: str, one: dict) -> None:
        """These are the attributes and groups that the target was given."""
        attributes = {**(verified(one["email"]) if one["email"] else {}), MARKER: f"sub of {name}"}
        with self.inventory.transaction():
            table = BaselineTable(self.inventory)
            table.save(f"sub of {name}", Baseline(attributes, one["enabled"], frozenset(one["groups"])))

    def granted(self, name: str, group: str, given: bool) -> None:  # noqa: FBT001 -- as it was drawn
        """A membership was given, or taken."""
        give, take = (
            "INSERT OR IGNORE INTO granted (sub, group_name) VALUES (?, ?)",
            "DELETE FROM granted WHERE (sub, group_name) = (?, ?)",
        )
        self.inventory.execute(give if given else take, (f"sub of {name}", group))

    def refused(self, name: str) -> None:
        """The user was begun, and is not in the target."""
        self.inventory.execute(
            "INSERT OR REPLACE INTO progress (sub, state) VALUES (?, 'refused')", (f"sub of {name}",)
        )

    def undone(self, name: str) -> None:
        """The user was taken back."""
        with self.inventory.transaction():
            for table in ("granted", "applied"):
                self.inventory.execute(f"DELETE FROM {table} WHERE sub = ?", (f"sub of {name}",))  # noqa: S608 -- ours
            self.inventory.execute(
                "UPDATE progress SET state = 'undone', new_sub = NULL, username = NULL WHERE sub = ?",
                (f"sub of {name}",),
            )

    def finished(self, some: set[str]) -> None:
        """A run notes that it is done with users."""
        with self.inventory.transaction():
            Changes(self.inventory, CONTEXTS[self.rules]).note_done(f"sub of {name}" for name in some)

    def planned(self, rules: int, decisions: int) -> None:
        """The rules or decisions are others."""
        self.rules, self.decisions = rules, decisions

    def compare(self) -> None:
        """The plan is what it would be if it were made anew."""
        decided = {k: v for k, v in DECISIONS[self.decisions].items() if self.old[k]["there"]}
        here = outcome(self.inventory, make_plan(self.inventory, CONTEXTS[self.rules], decided))
        with anew(self.inventory) as copy:
            assert here == outcome(copy, make_plan(copy, CONTEXTS[self.rules], decided))

    def _one(self, statement: str, name: str) -> tuple | None:
        return self.inventory.execute(statement, (f"sub of {name}",)).fetchone()


@contextmanager
def anew(inventory: Inventory) -> Iterator[Inventory]:
    """A copy of an inventory that has no plan."""
    with tempfile.TemporaryDirectory(dir=MEMORY) as folder:
        inventory.copy_to(Path(folder) / "copy.db")
        with Inventory.open(Path(folder) / "copy.db", {}) as copy:
            with copy.transaction():
                for statement in ("DELETE FROM plan", "DELETE FROM identifiers", "DELETE FROM changes"):
                    copy.execute(statement)
                copy.execute("DELETE FROM meta WHERE key = 'planned'")
            yield copy


def outcome(inventory: Inventory, summary: PlanSummary) -> tuple:
    """Everything that a plan comes to."""
    tables = [
        sorted(inventory.execute(f"SELECT * FROM {table}"), key=repr)  # noqa: S608 -- ours
        for table in ("plan", "identifiers", "changes", "stale")
    ]
    return asdict(summary), tables


@pytest.fixture
def inventory(tmp_path) -> Iterator[Inventory]:
    """An empty inventory."""
    with Inventory.open(tmp_path / "migration.db", {}, create=True) as inventory:
        yield inventory


@given(steps=steps)
@settings(max_examples=30)
def test_a_plan_is_what_it_would_be_if_it_were_made_anew(steps):
    """Whatever is scanned, done, undone or decided between two plans, the second one is as if it were the first."""
    with (
        tempfile.TemporaryDirectory(dir=MEMORY) as folder,
        Inventory.open(Path(folder) / "x.db", {}, create=True) as inventory,
    ):
        history = History(inventory)
        history.compare()
        for what, *arguments in steps:
            getattr(history, what)(*arguments)
            if what in {"scan", "planned", "finished"}:
                history.compare()
        history.compare()


def plans_again(inventory: Inventory) -> Callable[..., set[str]]:
    """A plan that returns whom it was made for."""
    inventory.execute("CREATE TEMP TABLE planned (sub)")
    inventory.execute("CREATE TEMP TRIGGER noted AFTER INSERT ON plan BEGIN INSERT INTO planned VALUES (new.sub); END")

    def plan(rules: Context, decisions: Mapping[str, Decision]) -> set[str]:
        inventory.execute("DELETE FROM planned")
        make_plan(inventory, rules, decisions)
        return {sub.removeprefix("sub of ") for (sub,) in inventory.execute("SELECT sub FROM planned")}

    return plan


def test_only_who_has_changed_is_planned_again(inventory):
    """A scan that finds nothing new leaves the plan alone; afterwards, it is made for who changed, came or moved."""
    users = [person(name) for name in ("ann", "bob", "eve")]
    plan = plans_again(inventory)
    store(inventory, users, [Group("admins")], [("ann", "admins")])
    assert plan(context(), {}) == {"ann", "bob", "eve"}
    store(inventory, users, [Group("admins")], [("ann", "admins")])
    assert plan(context(), {}) == set()
    users = [person("ann"), person("bob", enabled=False), person("eve"), person("new")]
    store(inventory, users, [Group("admins")], [("eve", "admins")])
    assert plan(context(), {}) == {"ann", "bob", "eve", "new"}


def test_who_collides_is_planned_again_each_time(inventory):
    """What somebody else is called decides about who collides, so they are looked at whatever was written."""
    plan = plans_again(inventory)
    store(inventory, [person("Bob"), person("bob"), person("eve")])
    plan(context(), {})
    assert plan(context(), {}) == {"Bob", "bob"}


def test_everybody_is_planned_again_if_what_all_share_is_another(inventory, tmp_path):
    """Another rule, decision, list or group may change everybody's plan, so it is made for all."""
    plan, users, file = plans_again(inventory), [person("ann"), person("bob")], tmp_path / "some.txt"
    file.write_text("ann\n")
    store(inventory, users, [Group("admins")])
    some = context(only=CohortRules(file=str(file)))
    for rules, decisions in ((context(), {}), (context(disabled="skip"), {}), (some, {}), (some, DECIDED)):
        assert plan(rules, decisions) == {"ann", "bob"}
        assert plan(rules, decisions) == set()
    file.write_text("bob\n")
    assert plan(some, DECIDED) == {"ann", "bob"}
    store(inventory, users, [Group("admins"), Group("readers")])
    assert plan(some, DECIDED) == {"ann", "bob"}


@pytest.mark.parametrize("as_planned", [True, False])
def test_whom_a_run_finishes_as_planned_is_not_planned_again(inventory, as_planned):
    """After a run that was killed, the next plan looks at who was in hand, and at who got something else."""
    users = [person("ann", attributes=verified("a@x.example")), person("bob")]
    store(inventory, users, [Group("admins")], [("ann", "admins")])
    plan, rules = plans_again(inventory), context(ALIASES)
    plan(rules, {})
    journal, changes = Journal(inventory, rules), Changes(inventory, rules)
    for job in journal.jobs(now=lambda: 1.0, chunk=1):
        attributes = {**job.attributes} if as_planned else {"email": "b@x.example"}
        applied = Baseline(attributes, groups=job.wanted.groups)
        with inventory.transaction():
            journal.record(Created(job.sub, f"new {job.sub}", job.username, applied=applied))
            if job.user.username == "bob":
                continue
            for group in job.owed:
                journal.record(Granted(job.sub, group))
            journal.record(Done(job.sub, job.wanted.groups))
            changes.note_done([job.sub])
    assert plan(rules, {}) == ({"bob"} if as_planned else {"ann", "bob"})


def test_who_is_finished_under_another_name_than_the_plan_knew_is_planned_again():
    """A plan that was made while a user had another name does not stand, though the name is the planned one by now."""
    with (
        tempfile.TemporaryDirectory(dir=MEMORY) as folder,
        Inventory.open(Path(folder) / "x.db", {}, create=True) as inventory,
    ):
        history = History(inventory)
        history.compare()
        history.created("Ann", "created", as_planned=False)
        history.compare()
        history.created("Ann", "done", as_planned=True)
        history.finished({"Ann"})
        history.compare()
        assert inventory.execute("SELECT action FROM plan WHERE sub = 'sub of ann'").fetchone() == ("collide",)
