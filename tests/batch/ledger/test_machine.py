from __future__ import annotations

from collections.abc import Callable
from itertools import islice

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from ledger_actors import (
    GROUPS,
    Steps,
    World,
    batch_job,
    capture,
    change_password,
    choose_password,
    forget_migration,
    is_random,
    old_password,
    sign_in,
    user_migration,
)
from ledgers import lock_of, new_table

from batch.ledger.ledger import BatchLedger
from userpool.ledger_table import LedgerTable
from userpool.person import Person, PersonState

SUBS = ("ada", "bob")
SHARED = "shared"  # an identifier that both may be published with
LONG = 100_000.0

subs = st.sampled_from(["ada", "ada", "ada", "bob"])
steps = st.sampled_from([0, 1, 2, 3, 4, 5, 6, 7, 8, 99])


class CrashError(Exception):
    """The process has died."""


class InterruptedTable(LedgerTable):
    """A table that lets something else happen before one of its next writes, or dies there."""

    _countdown = -1

    def interrupt(self, calls: int, happens: Callable[[], None]) -> None:
        """Let this happen before the write after so many others; -1 for never."""
        self._countdown, self._happens = calls, happens

    def write(self, write):
        """Carry it out, after what happens before."""
        self._tick()
        return super().write(write)

    def write_all(self, writes):
        """The same."""
        self._tick()
        return super().write_all(writes)

    def _tick(self):
        self._countdown -= 1
        if self._countdown == -1:
            self._happens()


class Protocol(RuleBasedStateMachine):
    """Whatever happens in whatever order: what must hold is in the invariants, and in `World.wrongs`."""

    def __init__(self):
        super().__init__()
        self.table = self.new_table()
        self.world = World(BatchLedger(self.table))
        self.actors: list[Steps] = []
        self.jobs: set[tuple[int, str]] = set()
        self.finals: dict[str, PersonState] = {}
        self.closed: set[str] = set()  # the new subs of those who were seen at rest without their old password

    def new_table(self):
        """A table that lets things happen in the midst of publishing."""
        return new_table(InterruptedTable)

    @initialize(
        state=st.sampled_from(
            [
                "",
                PersonState.KNOWN,
                PersonState.CREATING,
                PersonState.PENDING,
                PersonState.PENDING,
                PersonState.MIGRATING,
            ]
        )
    )
    def begin(self, state):
        """Somebody is as far as this."""
        if state:
            self.publish(sub="ada", held=False, shared=True, calls=-1, dies=False)
        if state is PersonState.MIGRATING:
            list(islice(user_migration(self.world, "ada", old_password("ada"), answered=True, mfa=False), 5))
        elif state in {PersonState.CREATING, PersonState.PENDING}:
            self.job(sub="ada", new=True, refused=False, steps=3 if state is PersonState.CREATING else 99)

    # What happens

    @rule(sub=subs, held=st.booleans(), shared=st.booleans(), calls=st.integers(-1, 4), dies=st.booleans())
    def publish(self, sub, held, shared, calls, dies):
        """A run publishes a person, perhaps overtaken by somebody in its midst, or killed."""
        state = PersonState.HELD if held else PersonState.KNOWN
        locks = frozenset({sub, SHARED} if shared else {sub})
        person = Person(sub, state, username=sub, locks=locks, owed=GROUPS)
        self.table.interrupt(calls, self._die if dies else self._go_on)
        try:
            if self.world.ledger.publish([person]):
                held_person = Person(sub, PersonState.HELD, username=sub, reason="collision", locks=locks)
                assert self.world.ledger.publish([held_person]) == []
        except CrashError:
            pass
        finally:
            self.table.interrupt(-1, self._die)

    @rule(sub=subs, new=st.booleans(), refused=st.sampled_from([False, False, True]), steps=steps)
    def job(self, sub, new, refused, steps):
        """A run, this one or a later one, comes to a person; a run does so once."""
        world = self.world
        if new or not world.epoch:
            world.now = max(world.now, world.lease_until)
            world.new_run()
        if (world.epoch, sub) not in self.jobs:
            self.jobs.add((world.epoch, sub))
            self._start(batch_job(world, sub, world.epoch, refused=refused), steps)

    @rule(sub=subs, steps=steps)
    def forget(self, sub, steps):
        """A run looks at a person who is migrating."""
        self._start(forget_migration(self.world, sub), steps)

    @rule(
        sub=subs,
        lock=st.sampled_from([*SUBS, SHARED]),
        right=st.sampled_from([True, True, False]),
        answered=st.sampled_from([True, True, False]),
        mfa=st.booleans(),
        steps=steps,
    )
    def migrate(self, *, sub, lock, right, answered, mfa, steps):
        """Somebody signs in by a name that the new pool does not have (as anybody may believe who looked before)."""
        password = old_password(sub) if right else "wrong"
        self._start(user_migration(self.world, lock, password, answered=answered, mfa=mfa), steps)

    @rule(sub=subs, right=st.sampled_from([True, True, False]), steps=steps)
    def capture(self, sub, right, steps):
        """A client sends the old password, or a wrong one, as the answer of a challenge."""
        self._start(capture(self.world, sub, old_password(sub) if right else "wrong"), steps)

    @rule(sub=subs, writes=st.integers(0, 2), help_desk=st.booleans(), steps=steps)
    def choose(self, sub, writes, help_desk, steps):
        """A user confirms a forgotten password, or the help desk sets one."""
        self._start(choose_password(self.world, sub, writes, help_desk=help_desk), steps)

    @rule(sub=subs, steps=steps)
    def sign_in(self, sub, steps):
        """A user signs in."""
        self._start(sign_in(self.world, sub), steps)

    @rule(sub=subs)
    def change(self, sub):
        """A user who has signed in chooses another password."""
        change_password(self.world, sub)

    @rule(sub=subs, group=st.sampled_from(sorted(GROUPS)))
    def revoke(self, sub, group):
        """An administrator takes a membership away."""
        if (user := self.world.users.get(sub)) and group in user.groups:
            self.world.revoke(user, group)

    @rule(sub=subs)
    def delete(self, sub):
        """An administrator deletes a user."""
        if sub in self.world.users:
            self.world.delete(sub)

    @rule(seconds=st.sampled_from([1.0, 12.0, 21.0, 61.0]))
    def wait(self, seconds):
        """Time goes by."""
        self.world.now += seconds

    @precondition(lambda self: self.actors)
    @rule(which=st.integers(0, 99), steps=steps)
    def go_on(self, which, steps):
        """Somebody goes on, after whatever others did meanwhile."""
        self._go_on(which, steps)

    @precondition(lambda self: self.actors)
    @rule(which=st.integers(0, 99))
    def crash(self, which):
        """Somebody dies where they are."""
        self.actors.pop(which % len(self.actors)).close()

    @precondition(lambda self: self.actors)
    @rule(finish=st.booleans())
    def come_to_rest(self, finish):
        """Everybody ends, one after another, or dies."""
        while self.actors:
            actor = self.actors.pop()
            if finish:
                for _ in actor:
                    pass
            actor.close()

    def _start(self, actor, steps):
        self.actors.append(actor)
        self._go_on(len(self.actors) - 1, steps)

    def _go_on(self, which=0, steps=2):
        if self.actors:
            actor = self.actors[which % len(self.actors)]
            if len(list(islice(actor, steps))) < steps:
                self.actors.remove(actor)

    def _die(self):
        raise CrashError

    # What must hold

    @invariant()
    def nobody_did_wrong(self):
        """Nobody was created twice, given a revoked membership, or had a chosen password overwritten by the old one."""
        assert self.world.wrongs == []

    @invariant()
    def what_is_final_stays(self):
        """A final state never changes; an identifier is firmly one person's."""
        for sub in SUBS:
            person = self.world.ledger.person(sub)
            if person is None:
                continue
            assert self.finals.get(sub, person.state) is person.state
            if person.state.final:
                self.finals[sub] = person.state
            if person.state is not PersonState.HELD:
                assert {lock_of(self.table, lock) for lock in person.locks} == {(sub, True)}

    @invariant()
    def at_rest_all_is_well(self):
        """When nobody is under way, passwords are what they ought to be."""
        if self.actors:
            return
        for sub, user in self.world.users.items():
            if self.world.stray(user):
                assert sub not in self.world.signed_in
                continue
            state = self.world.state(sub)
            assert state not in {PersonState.HELD, None}
            assert not (state is PersonState.CAPTURED and is_random(user.password))
            chosen = user.by_user and sub not in self.world.died  # who dies after the write cannot take it back
            assert not (state is PersonState.RESET and chosen and user.password == old_password(sub))
            if state.final and user.password != old_password(sub):
                self.closed.add(user.sub)
            assert not (user.sub in self.closed and user.password == old_password(sub))
            new_sub, version, password = self.world.signed_in.get(sub, (user.sub, -1, None))
            assert new_sub == user.sub
            if version == user.by_user:
                assert user.password == password

    def teardown(self):
        """In the end whoever has a user can get in, and nobody else was harmed."""
        self.come_to_rest(finish=False)
        world = self.world
        world.now += LONG
        for sub in SUBS:
            world.new_run()
            for actor in (forget_migration(world, sub), batch_job(world, sub, world.epoch)):
                list(actor)
            world.now += LONG
            if (user := world.users.get(sub)) and not world.stray(user):
                list(choose_password(world, sub, 1))
                list(sign_in(world, sub))
                assert world.signed_in[sub] == (user.sub, user.by_user, user.password)
                assert all(group in user.groups or (user.sub, group) in world.taken for group in GROUPS)
        self.nobody_did_wrong()
        self.what_is_final_stays()
        self.at_rest_all_is_well()


def test_the_protocol_holds_whatever_happens():
    """Whoever is overtaken, sleeps or dies at whatever call: nobody is lost, doubled, let in or locked out."""
    run_state_machine_as_test(
        Protocol,
        settings=settings(
            max_examples=30,
            stateful_step_count=30,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
        ),
    )
