from __future__ import annotations

import tempfile
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ledger_world import LedgerWorld
from linking import add_providers, identities
from migrating import LEGACY_SUB, PASSWORD, PowerCutError, World, empty, person
from second_factors import OldWithFactors, put

from batch.plan.plan import make_plan
from userpool.factors import MAIL, SMS, Preference
from userpool.identities import Identity, linked
from userpool.ledger_table import Write
from userpool.person import PERSON, PersonState
from userpool.settings import Rules, UserRules
from userpool.user import User

NUMBERS, GROUPS, VALUES = (1, 2, 3), ("admins", "readers"), ("a", "b", "c", None)
FLAG, LINK = "email_verified", "link"
FIELDS = ("nickname", "enabled", *GROUPS, FLAG, LINK, SMS)

numbers = st.sampled_from(NUMBERS)
fields = st.one_of(
    st.tuples(st.just("nickname"), st.sampled_from(VALUES)),
    st.tuples(st.sampled_from(FIELDS[1:]), st.booleans()),
)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("old"), numbers, fields),
        st.tuples(st.just("new"), numbers, fields),
        *[st.tuples(st.just("both"), numbers, fields)] * 3,
        st.tuples(st.just("old deletes"), numbers),
        st.tuples(st.just("new deletes"), numbers),
        st.tuples(st.just("password"), numbers),
        st.tuples(st.just("killed"), st.integers(0, 25), st.booleans()),
        st.tuples(st.just("whole")),
    ),
    max_size=14,
)


@pytest.fixture(scope="module")
def pool_id(client):
    """A new pool that can keep the old sub, shared by the examples."""
    pool_id = client.create_user_pool(PoolName="new", Schema=[LEGACY_SUB])["UserPool"]["Id"]
    add_providers(client, pool_id)
    return pool_id


@dataclass(frozen=True)
class Standing:
    """What counts as applied, whether the new pool came to that itself, and whether a killed run may have written."""

    base: Any
    theirs: bool = False
    doubt: bool = False

    def carried(self, name: str, wanted: Any, before: Any) -> tuple[Any, set[bool]]:
        """Return what a run makes of a field, and whether the state may count as the new pool's own after it."""
        if self.base == wanted:
            return before, {self.theirs}
        if name == "enabled":
            if wanted:  # a ban that the new pool came to itself stays
                return (before if self.theirs else wanted), {self.theirs}
            return wanted, {not before, False} if self.doubt else {not before}  # a new ban always counts
        if self.theirs:
            return before, {True}
        if before == self.base:
            return wanted, {False}
        # Both pools changed it. If they made the same of it, that is the new pool's own, or what a killed run wrote.
        alike = before == wanted
        return before, {alike, False} if self.doubt else {alike}


@dataclass
class Model:
    """What the three-way rules allow, field by field, for users who were finished by a whole run.

    Of a run that was killed nobody knows what it recorded, so several standings may be true.
    """

    bases: dict[int, dict[str, set[Standing]]] = field(default_factory=dict)

    def check_whole(self, number: int, wanted: dict, before: dict, after: dict) -> None:
        """A run that was not killed carries exactly what the rules say; from then on what was wanted is applied."""
        bases = self.bases.get(number, {})
        self.bases[number] = {}
        for name in FIELDS:
            if name not in bases:
                assert after[name] == wanted[name], (number, name)
                self.bases[number][name] = {Standing(wanted[name])}
                continue
            ends = [standing.carried(name, wanted[name], before[name]) for standing in bases[name]]
            assert after[name] in {end for end, _ in ends}, (number, name)
            self.bases[number][name] = {Standing(wanted[name], own) for _, owns in ends for own in owns}

    def check_killed(self, number: int, wanted: dict, before: dict, after: dict) -> None:
        """A killed run carries a field as the rules say, or leaves it."""
        for name, bases in self.bases[number].items():
            ends = [standing.carried(name, wanted[name], before[name]) for standing in bases]
            assert after[name] in {before[name]} | {end for end, _ in ends}, (number, name)
            self.bases[number][name] = {Standing(one.base, one.theirs, doubt=True) for one in bases} | {
                Standing(wanted[name], own, doubt=True) for _, owns in ends for own in owns
            }


def with_phone(number: int) -> User:
    user = person(number)
    return replace(user, attributes={**user.attributes, "phone_number": f"+1555010{number}"})


def identity(number: int) -> Identity:
    return Identity("Google", str(number))


def word(value: bool) -> str:  # noqa: FBT001 -- what a flag says
    return "true" if value else "false"


def factors(sms: bool) -> frozenset[str]:  # noqa: FBT001 -- from a list of steps
    return frozenset({SMS, MAIL} if sms else {MAIL})


class Story:
    """Two pools, what happens to them, and the model that looks on."""

    def __init__(self, world: Any) -> None:
        self.world = world
        self.old = OldWithFactors(world, *map(with_phone, NUMBERS))
        for sub in self.old.users:
            self.old.prefer(sub, MAIL, preferred=MAIL)
        self.model = Model()
        self.deleted: set[int] = set()
        self.passwords: set[str] = set()

    def wanted(self, number: int) -> dict[str, Any] | None:
        """What the old pool comes to; None for who is not in it."""
        sub = f"sub-{number:04}"
        if sub not in self.old.users:
            return None
        user = self.old.users[sub]
        return {
            "nickname": user.attributes.get("nickname"),
            "enabled": user.enabled,
            FLAG: user.attributes[FLAG] == "true",
            LINK: bool(linked(user.attributes)),
            SMS: SMS in self.old.factors[sub].second,
        } | {name: (sub, name) in self.old.members for name in GROUPS}

    def there(self, number: int) -> dict[str, Any] | None:
        """What the new pool has."""
        found = self.world.direct.find(f"user{number}")
        if found is None:
            return None
        groups = self.world.groups_of(found.username)
        return {
            "nickname": found.attributes.get("nickname"),
            "enabled": found.enabled,
            FLAG: found.attributes[FLAG] == "true",
            LINK: bool(linked(found.attributes)),
            SMS: SMS in found.preference.on,
        } | {name: name in groups for name in GROUPS}

    def step(self, what: str, *more: Any) -> None:
        """Let one thing happen."""
        {
            "old": self.change_old,
            "new": self.change_new,
            "both": self.change_both,
            "old deletes": self.delete_old,
            "new deletes": self.delete_new,
            "password": self.choose_password,
            "killed": self.killed,
            "whole": self.whole,
        }[what](*more)

    def change_old(self, number: int, change: tuple[str, Any]) -> None:
        """Change a user of the old pool."""
        (name, value), sub = change, f"sub-{number:04}"
        if sub not in self.old.users:
            return
        if name in GROUPS:
            (self.old.members.add if value else self.old.members.discard)((sub, name))
        elif name == FLAG:
            self.old.change(sub, email_verified=word(value))
        elif name == LINK:
            self.old.change(sub, identities=identities(identity(number)) if value else None)
        elif name == SMS:
            self.old.prefer(sub, *factors(value), preferred=MAIL)
        else:
            self.old.change(sub, **{name: value})

    def finished(self, number: int) -> bool:
        """Whether a whole run has finished the user, and nobody deleted it."""
        return number in self.model.bases and number not in self.deleted

    def change_new(self, number: int, change: tuple[str, Any]) -> None:
        """Change a user of the new pool, as its own people would."""
        (name, value), username, target = change, f"user{number}", self.world.direct
        if not self.finished(number):
            return
        if name == "nickname":
            if value is None:
                target.delete_attributes(username, ["nickname"])
            else:
                target.update_attributes(username, {"nickname": value})
        elif name == "enabled":
            (target.enable if value else target.disable)(username)
        elif name == FLAG:
            target.update_attributes(username, {FLAG: word(value)})
        elif name == LINK:
            self.link_there(number, made=value)
        elif name == SMS:
            put(self.world, username, Preference(factors(value), MAIL))
        else:
            (target.add_to_group if value else target.remove_from_group)(username, name)

    def change_both(self, number: int, change: tuple[str, Any]) -> None:
        """Let both pools come to the same, each by itself, and the migration hear of it; then the old pool go back."""
        wanted = self.wanted(number)
        if wanted is None or not self.finished(number):
            return
        self.change_new(number, change)
        self.change_old(number, change)
        self.whole()
        self.change_old(number, (change[0], wanted[change[0]]))

    def link_there(self, number: int, *, made: bool) -> None:
        """Link a user of the new pool, or end its link."""
        user = self.world.direct.find(f"user{number}")
        if made and not linked(user.attributes):
            self.world.direct.link(user.username, identity(number))
        elif not made and linked(user.attributes):
            self.world.direct.unlink(identity(number))

    def delete_old(self, number: int) -> None:
        """Delete a user of the old pool."""
        sub = f"sub-{number:04}"
        self.old.users.pop(sub, None)
        self.old.members = {(member, name) for member, name in self.old.members if member != sub}

    def delete_new(self, number: int) -> None:
        """Delete a user of the new pool."""
        if self.finished(number):
            self.world.watched.client.admin_delete_user(UserPoolId=self.world.pool_id, Username=f"user{number}")
            self.deleted.add(number)

    def choose_password(self, number: int) -> None:
        """Give a user a password of its own."""
        if not self.finished(number):
            return
        self.world.direct.set_password(f"user{number}", PASSWORD)
        self.passwords.add(f"user{number}")
        if isinstance(self.world, LedgerWorld):
            write = Write(
                f"{PERSON}sub-{number:04}", change="SET #state = :state", values={"state": PersonState.CAPTURED}
            )
            assert self.world.table.write(write).done

    def killed(self, survived: int, carried_out: bool) -> None:  # noqa: FBT001 -- from a list of steps
        """Scan and run, and be killed before or after a call."""
        before = {number: self.there(number) for number in NUMBERS}

        def cut(attempt, _params):
            if len(self.world.watched.calls) <= survived:
                return attempt()
            if carried_out:
                attempt()
            raise PowerCutError

        self.world.watched.acts["*"] = cut
        with suppress(PowerCutError):
            self.old.carry(workers=1)
        self.world.watched.acts.clear()
        for number in NUMBERS:
            wanted, now, after = self.wanted(number), before[number], self.there(number)
            if wanted and self.finished(number):
                assert now
                assert after
                self.model.check_killed(number, wanted, now, after)
        self.check_what_never_happens(before)

    def whole(self) -> None:
        """Scan and run to the end."""
        before = {number: self.there(number) for number in NUMBERS}
        self.old.carry(workers=1)
        for number in NUMBERS:
            wanted, after = self.wanted(number), self.there(number)
            if wanted and number not in self.deleted:
                assert after
                self.model.check_whole(number, wanted, before[number] or {}, after)
        self.check_what_never_happens(before)
        with self.world.inventory() as inventory:
            assert make_plan(inventory, self.world.context, {}).actions["update"] == 0

    def check_what_never_happens(self, before: dict[int, Any]) -> None:
        """Nobody deleted comes back, nobody gone changes, and nobody's own password is overwritten."""
        assert all(self.there(number) is None for number in self.deleted)
        for number in NUMBERS:
            if self.wanted(number) is None and number not in self.deleted:
                assert self.there(number) == before[number]
        written = {params["Username"] for name, params in self.world.watched.calls if name == "AdminSetUserPassword"}
        assert not written & self.passwords


@pytest.mark.parametrize("kind", [World, LedgerWorld])
@settings(
    max_examples=20,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(begun=st.booleans(), happens=steps)
def test_whatever_happens_both_pools_end_as_the_three_way_rules_say(client, pool_id, kind, begun, happens):
    """Changes of both pools between runs, killed or not, end as an independent model of the rules says they may."""
    with tempfile.TemporaryDirectory() as folder:
        story = Story(kind(Path(folder), client, pool_id, rules=Rules(UserRules(mfa="preferences"))))
        try:
            if begun:
                story.whole()
            for what, *more in happens:
                story.step(what, *more)
            story.whole()
            story.whole()
            per_user = {name for name, _ in story.world.watched.calls if name.startswith("Admin")}
            assert per_user == set()
        finally:
            empty(client, pool_id)
