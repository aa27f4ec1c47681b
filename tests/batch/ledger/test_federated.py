"""The two states of a federated profile, whoever is overtaken, sleeps or dies at whatever write."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count, islice

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from ledgers import new_table

from batch.ledger.ledger import BatchLedger
from userpool.person import Person, PersonState

SUB, LOCK = "fay", "a profile's"
GROUPS = frozenset({"admins", "staff"})
GIVE_SECONDS = 20.0

Steps = Iterator[None]
steps = st.sampled_from([1, 2, 3, 99])


class Profiles(RuleBasedStateMachine):
    """An identity whose profile can be made, deleted and made again; runs that publish; and others in the ledger."""

    def __init__(self):
        super().__init__()
        self.ledger = BatchLedger(new_table())
        self.now = 1000.0
        self.numbers = count()
        self.profile = self.new_profile()
        self.members: dict[str, set[str]] = {}
        self.revoked: set[tuple[str, str]] = set()
        self.returned: str | None = None
        self.wrongs: list[str] = []
        self.actors: list[Steps] = []

    def new_profile(self):
        """The sub of a profile that a federated sign-in makes."""
        return f"profile-{next(self.numbers)}"

    @rule(state=st.sampled_from([PersonState.DEFERRED, PersonState.DEFERRED, PersonState.HELD]), disabled=st.booleans())
    def publish(self, state, disabled):
        """A run publishes the profile, by this rule or that."""
        owed = GROUPS if state is PersonState.DEFERRED else frozenset()
        person = Person(SUB, state, username="G_1", locks=frozenset({LOCK}), owed=owed, disabled=disabled)
        assert self.ledger.publish([person]) == []
        there = self.ledger.person(SUB)
        assert there.disabled is disabled
        assert there.state in {state, PersonState.RETURNED}

    @rule(steps=steps)
    def sign_in(self, steps):
        """The profile signs in."""
        self.actors.append(self._sign_in(self.profile))
        self.go_on(-1, steps)

    def _sign_in(self, profile) -> Steps:
        person = self.ledger.person(SUB)
        yield
        if person is None or person.disabled:
            return
        if person.state is PersonState.DEFERRED:
            turn = self.ledger.come_back(SUB, profile, self.now)
            if turn.done:
                self.returned = self.returned or profile
            if turn.done and turn.before.disabled:
                self.wrongs.append("who is disabled came back")
            yield
            if self.returned != profile:
                return
        elif person.state is not PersonState.RETURNED or person.new_sub != profile:
            return
        yield from self._give(profile)

    def _give(self, profile) -> Steps:
        giver, until = f"giver-{next(self.numbers)}", self.now + GIVE_SECONDS
        turn = self.ledger.begin_giving(SUB, giver, now=self.now, until=until)
        yield
        given = set()
        for group in sorted(turn.before.owed if turn.done else ()):
            if self.now >= until:
                break
            if profile != self.ledger.person(SUB).new_sub:
                self.wrongs.append(f"{group} was given to another profile")
            if (profile, group) in self.revoked:
                self.wrongs.append(f"{group} was taken away, and given again")
            self.members.setdefault(profile, set()).add(group)
            given.add(group)
        # Between a membership and its record nobody can know that it was given; that window is documented.
        if turn.done:
            self.ledger.end_giving(SUB, giver, frozenset(given))
        yield

    @precondition(lambda self: self.actors)
    @rule(which=st.integers(0, 9), steps=steps)
    def go_on(self, which, steps):
        """Somebody goes on, after whatever others did meanwhile."""
        actor = self.actors[which % len(self.actors)]
        if len(list(islice(actor, steps))) < steps:
            self.actors.remove(actor)

    @precondition(lambda self: self.actors)
    @rule(which=st.integers(0, 9))
    def crash(self, which):
        """Somebody dies where they are."""
        self.actors.pop(which % len(self.actors)).close()

    @rule(group=st.sampled_from(sorted(GROUPS)))
    def revoke(self, group):
        """An administrator takes a membership away."""
        if group in self.members.get(self.profile, ()):
            self.members[self.profile].discard(group)
            self.revoked.add((self.profile, group))

    @rule()
    def delete(self):
        """An administrator deletes the profile; the next sign-in makes another."""
        self.profile = self.new_profile()

    @rule(seconds=st.sampled_from([1.0, 21.0]))
    def wait(self, seconds):
        """Time goes by."""
        self.now += seconds

    @rule()
    def others_try(self):
        """What is for native users changes nothing of a profile."""
        before = self.ledger.person(SUB)
        if before is None or before.state is PersonState.HELD:
            return
        ledger, now = self.ledger, self.now
        assert not any(
            turn.done
            for turn in (
                ledger.claim(SUB, 99, now),
                ledger.migrate(SUB, GROUPS, now),
                ledger.begin_capture(SUB, self.profile, "t", now=now, until=now + 1),
                ledger.reset(SUB, now),
                ledger.reset(SUB, now, self.profile),
                ledger.retire(SUB, self.profile, now),
                ledger.looked_at(SUB),
            )
        )
        assert ledger.person(SUB) == before

    @invariant()
    def nobody_did_wrong(self):
        """A membership goes to the profile that came back first, and once."""
        assert self.wrongs == []
        assert not any(groups for profile, groups in self.members.items() if profile != self.returned)

    @invariant()
    def who_came_back_stays_so(self):
        """The first profile to come back is on record for good."""
        person = self.ledger.person(SUB)
        if self.returned is not None:
            assert (person.state, person.new_sub) == (PersonState.RETURNED, self.returned)


def test_a_profile_comes_back_once_whatever_happens():
    """Whatever runs, sign-ins and administrators do, one profile gets what is owed, each membership once."""
    run_state_machine_as_test(
        Profiles,
        settings=settings(
            max_examples=25,
            stateful_step_count=25,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
        ),
    )
