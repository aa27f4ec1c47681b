"""Rules and old users that change in any order between runs: only what the old pool changed is ever taken away."""

from __future__ import annotations

import tempfile
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from changed import planned
from delta_world import Old, attributes_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from migrating import LEGACY_SUB, PowerCutError, World, empty, person

from userpool.attributes import AttributeRules
from userpool.errors import SettingsError
from userpool.groups import GroupNames, GroupRules
from userpool.settings import Rules, UserRules

ONE, TWO = "sub-0001", "sub-0002"
NAMES = {ONE: "user1", TWO: "user2"}
GROUPS = ("admins", "readers")
RENAMED = {"nickname": "middle_name", "birthdate": "zoneinfo", "phone_number": "custom:phone", "email": "custom:mail"}
ATTRIBUTES = ("nickname", "birthdate", "email", "email_verified", "phone_number", "phone_number_verified")
SCHEMA = [LEGACY_SUB, *({"Name": name, "AttributeDataType": "String", "Mutable": True} for name in ("phone", "mail"))]

subs = st.sampled_from(sorted(NAMES))
values = {
    "nickname": st.sampled_from(["a", "b", None]),
    "birthdate": st.sampled_from(["1985-01-01", "1990-01-01", None]),
    "email": st.sampled_from(["one@example.com", "two@example.com"]),
    "phone_number": st.sampled_from(["+15550100", "+15550101", None]),
    "email_verified": st.sampled_from(["true", "false"]),
    "phone_number_verified": st.sampled_from(["true", "false"]),
}


@st.composite
def rules(draw: Any) -> Rules:
    """Rules for attributes and groups of any kind that a configuration may have."""
    drop = draw(st.sets(st.sampled_from(ATTRIBUTES), max_size=2))
    rename = draw(st.sets(st.sampled_from(sorted(RENAMED)), max_size=2)) - drop
    made = {RENAMED[name] for name in rename}
    constants = draw(st.dictionaries(st.sampled_from(["locale", "nickname"]), st.sampled_from(["x", "y"]), max_size=1))
    attributes = AttributeRules(
        tuple(sorted(drop)),
        {name: RENAMED[name] for name in sorted(rename)},
        {name: value for name, value in constants.items() if name not in made},
    )
    groups = GroupRules(
        drop=tuple(draw(st.sets(st.sampled_from(GROUPS), max_size=1))),
        rename=draw(st.sampled_from([{}, {"admins": "chiefs"}, {"admins": "readers", "readers": "admins"}])),
    )
    return Rules(UserRules(disabled=draw(st.sampled_from(["keep", "skip"]))), attributes, groups)


changes = st.one_of(
    st.sampled_from(sorted(values)).flatmap(lambda name: st.tuples(st.just(name), values[name])),
    st.tuples(st.sampled_from(GROUPS), st.booleans()),
    st.tuples(st.just("enabled"), st.booleans()),
)
steps = st.one_of(
    st.tuples(st.just("rules"), rules()),
    st.tuples(st.just("old"), subs, changes),
    st.tuples(st.just("run")),
)
killed = st.tuples(st.just("killed"), st.integers(0, 12), st.booleans())


@pytest.fixture(scope="module")
def pool_id(client):
    """A new pool that can keep the old sub, shared by the examples."""
    return client.create_user_pool(PoolName="new", Schema=SCHEMA)["UserPool"]["Id"]


class Story:
    """An old pool and rules that change, and what of the new pool each change of the old one may take away."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.old = Old(world, person(1), person(2))
        for sub, birthdate in ((ONE, "1985-01-01"), (TWO, "1990-01-01")):
            self.old.change(sub, nickname="a", birthdate=birthdate, phone_number="+15550100")
        self.old.members = {(ONE, "admins"), (ONE, "readers"), (TWO, "readers")}
        self.touched: dict[str, set[str]] = {ONE: set(), TWO: set()}
        self.old.carry()

    def step(self, what: str, *more: Any) -> None:
        """Let one thing happen."""
        {"rules": self.world.use, "old": self.change, "run": self.run, "killed": self.kill}[what](*more)

    def change(self, sub: str, change: tuple[str, Any]) -> None:
        """Change a user of the old pool, and note what of the new pool may follow."""
        name, value = change
        if name in GROUPS:
            (self.old.members.add if value else self.old.members.discard)((sub, name))
            self.touched[sub] |= {f"-{name}", "-chiefs"}
            return
        self.old.change(sub, **{name: value})
        address = name.removesuffix("_verified")
        self.touched[sub] |= {name, address, f"{address}_verified", RENAMED.get(address, name)}

    def there(self) -> dict[str, tuple[dict[str, str], set[str]]]:
        """What the new pool has, by old sub."""
        return {sub: (attributes_of(self.world, name), set(self.world.groups_of(name))) for sub, name in NAMES.items()}

    def run(self) -> None:
        """Scan and run to the end, and check."""
        self._checked(lambda: self.old.carry(workers=1))

    def kill(self, survived: int, carried_out: bool) -> None:  # noqa: FBT001 -- from a list of steps
        """Scan and run, be killed before or after a call, and check."""

        def cut(attempt: Any, _params: Any) -> Any:
            if len(self.world.watched.calls) <= survived:
                return attempt()
            if carried_out:
                attempt()
            raise PowerCutError

        self.world.watched.acts["*"] = cut
        with suppress(PowerCutError):
            self._checked(lambda: self.old.carry(workers=1))
        self.world.watched.acts.clear()

    def _checked(self, carry: Any) -> None:
        before = self.there()
        with suppress(SettingsError):  # rules that no plan takes change nothing
            carry()
        after = self.there()
        for sub, (attributes, groups) in before.items():
            kept = {name: value for name, value in attributes.items() if name not in self.touched[sub]}
            flags = {name for name in kept if name.endswith("_verified") and kept[name] == "false"}
            assert {name: after[sub][0].get(name) for name in kept.keys() - flags} == {
                name: value for name, value in kept.items() if name not in flags
            }
            assert {group for group in groups if f"-{group}" not in self.touched[sub]} <= after[sub][1]


def told(story: Story, happens: list[tuple[Any, ...]]) -> None:
    """Let all this happen."""
    for what, *more in happens:
        story.step(what, *more)


PATIENT = settings(
    max_examples=40,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@PATIENT
@given(happens=st.lists(st.one_of(steps, killed), max_size=10))
def test_only_what_the_old_pool_changed_is_ever_taken_away(client, pool_id, happens):
    """Whatever the rules become, a run takes nothing that no change in the old pool concerns."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            told(Story(World(Path(folder), client, pool_id)), happens)
        finally:
            empty(client, pool_id)


@PATIENT
@given(happens=st.lists(steps, max_size=8), last=rules())
def test_with_removals_the_new_pool_becomes_what_the_rules_say(client, pool_id, happens, last):
    """After anything, the run with removals leaves exactly what a first run under the last rules would have made."""
    with tempfile.TemporaryDirectory() as folder:
        story = Story(World(Path(folder), client, pool_id))
        try:
            told(story, [*happens, ("rules", last)])
            for sub in NAMES:
                story.old.change(sub, enabled=True)
            story.world.context = replace(story.world.context, removals=True)
            with suppress(SettingsError):
                story.old.carry(workers=1)
                story.old.carry(workers=1)
                for sub, (attributes, groups) in story.there().items():
                    wanted = dict(story.world.context.translate(story.old.users[sub]).attributes)
                    names = [name for member, name in story.old.members if member == sub]
                    assert groups == GroupNames(last.groups).target_names(names)
                    assert with_flags(attributes) == with_flags(wanted)
                assert planned(story.world) == (0, {})
        finally:
            empty(client, pool_id)


def with_flags(attributes: dict[str, str]) -> dict[str, str]:
    """The attributes, with a flag that is not there as false, and without the marker."""
    flags = {f"{name}_verified": "false" for name in ("email", "phone_number") if attributes.get(name)}
    return {name: value for name, value in {**flags, **attributes}.items() if value and name != "custom:legacy_sub"}
