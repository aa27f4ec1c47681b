"""Whatever happens to both pools, recoveries included, nobody is locked out and no old password lives twice."""

from __future__ import annotations

import tempfile
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from recovering_world import Losing
from triggering import NEW_PASSWORD, OLD_PASSWORD
from undoing import PowerCutError

from userpool.person import PersonState

NAMES = ("user000", "user001", "user002")
GROUPS = ("readers", "staff")
CHOSEN = {PersonState.CAPTURED, PersonState.RESET}

names, back = st.sampled_from(NAMES), st.integers(0, 9)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("sign in"), names),
        st.tuples(st.just("forget"), names),
        st.tuples(st.just("disable"), names),
        st.tuples(st.just("enable"), names),
        st.tuples(st.just("join"), names),
        st.tuples(st.just("leave"), names),
        st.tuples(st.just("revoke"), names),
        st.tuples(st.just("delete"), names),
        st.tuples(st.just("run")),
        st.tuples(st.just("run"), st.integers(0, 20)),
        st.tuples(st.just("set back"), back),
        st.tuples(st.just("set back"), back, st.integers(0, 20)),
        st.tuples(st.just("set old back"), back),
    ),
    max_size=12,
)


class Story:
    """A migration, what happens to it, and what must be true of it for ever."""

    def __init__(self, folder: Path, *, ledger: bool) -> None:
        self.moved = Losing(folder, ledger=ledger)
        self.moved.people(len(NAMES), *GROUPS)
        before = self.moved.later()
        self.moved.scan()
        self.moved.run()
        self.moments = [before, self.moved.later()]
        self.chose: set[str] = set()  # who has, or had, a password in the new pool
        self.own: dict[str, tuple[str, float]] = {}  # who chose one: as which user, when
        self.back = False  # whether a former user was taken up, who only resets
        self.revoked: dict[str, float] = {}  # whose `staff` was ended in the new pool, and when

    def step(self, what: str, *more: object) -> None:
        """Let one thing happen, and some time pass."""
        {
            "sign in": self.sign_in,
            "forget": self.forget,
            "revoke": self.revoke,
            "delete": self.delete,
            "run": self.run,
            "set back": self.set_back,
            "set old back": self.set_old_back,
        }.get(what, lambda name: self.edit(what, name))(*more)
        self.check()
        self.moments.append(self.moved.later())

    def edit(self, what: str, name: str) -> None:
        """Change a user of the old pool."""
        operation, more = {
            "disable": ("admin_disable_user", {}),
            "enable": ("admin_enable_user", {}),
            "join": ("admin_add_user_to_group", {"GroupName": "staff"}),
            "leave": ("admin_remove_user_from_group", {"GroupName": "staff"}),
        }[what]
        getattr(self.moved.world.cognito, operation)(UserPoolId=self.moved.world.old_id, Username=name, **more)

    def there(self, name: str) -> bool:
        return name in self.moved.subs()

    def sign_in(self, name: str) -> None:
        """Sign in with the old password, by whatever way there is."""
        if self.moved.with_ledger and self.moved.world.captures(name, OLD_PASSWORD):
            assert name not in self.chose
            self.chose.add(name)
            self.own[name] = self.moved.subs()[name], self.moved.now()

    def forget(self, name: str) -> None:
        """Choose a password of one's own by a code."""
        if self.there(name) and self.moved.world.user(name).enabled:
            with suppress(self.moved.world.cognito.exceptions.ClientError):
                self.moved.world.forget(name)
                self.chose.add(name)

    def revoke(self, name: str) -> None:
        """End a membership in the new pool."""
        if self.there(name) and "staff" in self.moved.world.new_groups(name):
            self.moved.in_pool("admin_remove_user_from_group", Username=name, GroupName="staff")
            self.revoked[name] = self.moved.now()

    def delete(self, name: str) -> None:
        """Delete a user by mistake."""
        if self.there(name):
            self.moved.in_pool("admin_delete_user", Username=name)
            # What was ended in the new pool is on record there alone, until somebody looks.
            self.revoked.pop(name, None)

    def run(self, calls: int | None = None) -> None:
        """Scan and run, or be killed after so many calls."""
        self.moved.scan()
        self.killed_after(calls, self.moved.run)

    def killed_after(self, calls, command) -> None:
        if calls is not None:
            left = iter(range(calls))

            def cut(attempt, _params):
                if next(left, None) is None:
                    raise PowerCutError
                return attempt()

            self.moved.watched.acts["*"] = cut
        with suppress(PowerCutError):
            command()
        self.moved.watched.acts.clear()

    def set_back(self, which: int, calls: int | None = None) -> None:
        """Set the new pool back, and recover: at once, or after one that was killed."""
        to = self.moments[-1 - which % len(self.moments)]
        since = self.moved.set_back(to)
        self.revoked = {name: at for name, at in self.revoked.items() if at < to}
        if calls is not None:
            self.killed_after(calls, lambda: self.moved.recover(since, workers=1))
            self.back |= self.moved.survey.back > 0
        self.moved.recover(since)
        self.back |= self.moved.survey.back > 0

    def set_old_back(self, which: int) -> None:
        """Set the old pool back."""
        world = self.moved.world
        world.local.world.recover(world.old_id, to=self.moments[-1 - which % len(self.moments)])

    def check(self) -> None:
        """Whoever chose a password, or was captured, is never captured again."""
        if self.moved.with_ledger:
            for name, person in self.moved.persons().items():
                assert name not in self.chose or person.state in CHOSEN, (name, person.state)

    def end(self) -> None:
        """Recover whoever is missing, scan and run to the end."""
        self.moved.scan()
        self.moved.run()
        self.moved.recover(everybody=True)
        self.moved.run()
        self.check()
        self.moved.later(7200)  # Cognito takes only so many codes an hour
        for name in NAMES:
            self.check_end_of(name)

    def check_end_of(self, name: str) -> None:
        """Check that nobody is lost, gained anything, or is locked out."""
        world = self.moved.world
        old, new = world.old_user(name), world.user(name)
        assert new is not None, name
        assert old.enabled or not new.enabled
        assert world.new_groups(name) <= set(old.groups)
        assert name not in self.revoked or "staff" not in world.new_groups(name)
        if not new.enabled:
            return
        if self.moved.with_ledger and name not in self.chose:
            assert world.captures(name, OLD_PASSWORD) or self.back, name
        elif self.moved.with_ledger:
            assert world.capture(name, OLD_PASSWORD) != "captured"
        world.forget(name)
        assert world.signs_in(name, NEW_PASSWORD), name


@pytest.mark.parametrize("ledger", [True, False], ids=["ledger", "alone"])
@settings(max_examples=4)
@given(happens=steps)
def test_whatever_is_set_back_nobody_is_locked_out_and_nobody_gains(ledger, happens):
    """Runs, sign-ins, edits, deletions and recoveries of either pool, killed or not, in any order."""
    with tempfile.TemporaryDirectory() as folder:
        story = Story(Path(folder), ledger=ledger)
        for what, *more in happens:
            story.step(what, *more)
        story.end()
