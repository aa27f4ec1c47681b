"""A tiny model of Cognito, and everybody who acts on a person, as generators that make one call between two yields.

So any of them can be overtaken, sleep, or be dropped at any call. Each does what its production code does, in that
order: `batch.migrate`, and `trigger.migrate`, `capture`, `tokens` and `sign_up`.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from batch.ledger.ledger import BatchLedger
from userpool.person import Person, PersonState

Steps = Generator[None, None, None]

CAPTURE_SECONDS = 20.0
SIGN_IN_SECONDS = 15.0
"""From the look at a password to the token: Cognito calls a trigger three times, five seconds each."""
GIVE_SECONDS = 10.0
LEASE_SECONDS = 60.0
CREATE_SECONDS = 30.0
"""After which Cognito has surely created whom a UserMigration answer described (three calls of five seconds)."""

GROUPS = frozenset({"admins", "staff"})


@dataclass
class User:
    """A user of the new pool. `by_user` counts the passwords that the user, or an administrator, has chosen."""

    sub: str
    marker: str
    status: str
    password: str | None
    groups: set[str] = field(default_factory=set)
    by_user: int = 0


@dataclass
class World:
    """The new pool, the clock, the RUN lease, and what has to be remembered to judge."""

    ledger: BatchLedger
    now: float = 1000.0
    users: dict[str, User] = field(default_factory=dict)
    epoch: int = 0
    lease_until: float = 0.0
    created: Counter[str] = field(default_factory=Counter)
    deleted: Counter[str] = field(default_factory=Counter)
    buried: set[str] = field(default_factory=set)
    taken: set[tuple[str, str]] = field(default_factory=set)
    revoked: set[tuple[str, str]] = field(default_factory=set)
    signed_in: dict[str, tuple[str, int, str | None]] = field(default_factory=dict)
    unsettled: Counter[str] = field(default_factory=Counter)
    writing: Counter[str] = field(default_factory=Counter)
    running: Counter[str] = field(default_factory=Counter)
    died: set[str] = field(default_factory=set)
    during: set[str] = field(default_factory=set)
    unwritten: set[str] = field(default_factory=set)
    wrongs: list[str] = field(default_factory=list)
    numbers: itertools.count[int] = field(default_factory=itertools.count)

    def number(self) -> int:
        """A number nobody has had."""
        return next(self.numbers)

    def state(self, sub: str) -> PersonState | None:
        """What the ledger says, looked up behind everybody's back."""
        person = self.ledger.person(sub)
        return person.state if person else None

    # The new pool. A person's user has one name whatever happens, so the old sub stands for it.

    def create(self, sub: str, status: str, password: str | None, *, deleted: int | None = None) -> bool:
        """Create the user unless there is one. `deleted`: how often it had been when Cognito was told to."""
        if sub in self.users:
            return False
        self.users[sub] = User(f"new-{self.number()}", sub, status, password)
        if self.created[sub] > self.deleted[sub]:
            self.wrongs.append(f"{sub} was created twice")
        # Cognito may have had the answer of a second UserMigration by then, and nothing can take it back.
        if sub in self.buried and deleted in {None, self.deleted[sub]}:
            self.wrongs.append(f"{sub} was deleted, and created again")
        self.created[sub] += 1
        return True

    def stray(self, user: User) -> bool:
        """Whether the user was created from such an answer, and is nobody's: another is on record."""
        person = self.ledger.person(user.marker)
        return bool(self.deleted[user.marker] and person and (person.new_sub or user.sub) != user.sub)

    def delete(self, sub: str) -> None:
        """An administrator deletes the user; on record, it must stay so."""
        del self.users[sub]
        self.deleted[sub] += 1
        self.signed_in.pop(sub, None)
        self._forget_windows(sub)
        self.unsettled[sub] = 0
        person = self.ledger.person(sub)
        if person and person.new_sub:
            self.buried.add(sub)

    def set_password(self, user: User, password: str, setter: str) -> bool:
        """Set a password as AdminSetUserPassword does, permanently, if the user is still there."""
        if self.users.get(user.marker) is not user:
            return False
        if setter == "user":
            user.by_user += 1
            self._forget_windows(user.marker)
        elif user.by_user and not self._in_a_window(user.marker):
            self.wrongs.append(f"{setter} overwrote the password that {user.marker} chose")
        user.password, user.status = password, "CONFIRMED"
        return True

    def _forget_windows(self, sub: str) -> None:
        self.during.discard(sub)
        self.unwritten.discard(sub)
        self.died.discard(sub)

    def _in_a_window(self, sub: str) -> bool:
        """Whether a chosen password may be lost, because Cognito has no compare-and-set on passwords.

        It was chosen while a capture (or run) was between its last look at the ledger and the end of its writing
        (`during`), or before that, and nobody had told the ledger yet (`unwritten`). Nothing can prevent either.
        """
        return sub in self.during or sub in self.unwritten

    def add(self, user: User, group: str) -> bool:
        """Give a membership, as AdminAddUserToGroup does."""
        if self.users.get(user.marker) is not user:
            return False
        if (user.sub, group) in self.revoked:
            self.wrongs.append(f"{group} was revoked from {user.marker}, and given again")
        user.groups.add(group)
        return True

    def revoke(self, user: User, group: str) -> None:
        """An administrator takes a membership away."""
        user.groups.discard(group)
        self.taken.add((user.sub, group))
        person = self.ledger.person(user.marker)
        # Between AdminAddUserToGroup and the write that records it nobody can know that it was given: who dies or
        # sleeps there leaves it owed, and it is given again. That window is documented.
        if person and group not in person.owed:
            self.revoked.add((user.sub, group))

    def new_run(self) -> int | None:
        """Take the RUN lease, if it is free; return its number."""
        if self.now < self.lease_until:
            return None
        self.epoch += 1
        self.lease_until = self.now + LEASE_SECONDS
        return self.epoch


def old_password(sub: str) -> str:
    """The old pool's password of a person."""
    return f"old-{sub}"


def is_random(password: str | None) -> bool:
    """Whether nobody knows the password."""
    return password is not None and password.startswith("random")


def batch_job(world: World, sub: str, epoch: int, *, refused: bool = False) -> Steps:
    """Bring one person, as a run with this number does. Nothing is written once the run's lease is over.

    `refused`: Cognito does not create the user, because of a name that is taken, say.
    """
    until = world.lease_until
    turn = world.ledger.claim(sub, epoch, world.now)
    yield
    if not turn.done or turn.before is None:
        return
    user = world.users.get(sub)
    status = user.status if user else "FORCE_CHANGE_PASSWORD"
    yield
    if user is None:
        yield from _create(world, turn.before, epoch, until, refused=refused)
        user = world.users.get(sub)
    if user is None:
        return
    if status == "FORCE_CHANGE_PASSWORD":
        with writing(world.running, world, sub):
            claimed = world.ledger.still_claimed(sub, epoch)
            yield
            if not claimed or world.now >= until:
                return
            if not world.set_password(user, f"random-{world.number()}", "batch"):
                return
        yield
    created = world.ledger.created(sub, epoch, user.sub, world.now)
    yield
    if created.done:
        yield from give(world, user)


def _create(world: World, person: Person, epoch: int, until: float, *, refused: bool) -> Steps:
    if person.new_sub:  # created by this migration, and deleted since
        return
    if person.state is PersonState.CREATING:  # the user may have been there when this began
        claimed = world.ledger.still_claimed(person.sub, epoch)
        yield
        if not claimed:
            return
    if world.now >= until:
        return
    if refused:
        world.ledger.unclaim(person.sub, epoch, world.now)
    else:
        world.create(person.sub, "FORCE_CHANGE_PASSWORD", f"random-{world.number()}")
    yield


def give(world: World, user: User) -> Steps:
    """Give what is owed, each once, and only while the right to do so has time left."""
    giver, until = f"giver-{world.number()}", world.now + GIVE_SECONDS
    turn = world.ledger.begin_giving(user.marker, giver, now=world.now, until=until)
    yield
    if not turn.done or turn.before is None:
        return
    given = set()
    for group in sorted(turn.before.owed):
        if world.now >= until or not world.add(user, group):
            break
        given.add(group)
        yield
    world.ledger.end_giving(user.marker, giver, frozenset(given))
    yield


def forget_migration(world: World, sub: str) -> Steps:
    """What a run makes of `migrating`: note the user, or, if Cognito surely created none, forget the migration."""
    person = world.ledger.person(sub)
    yield
    if person is None or person.state is not PersonState.MIGRATING or person.new_sub:
        return
    if world.now < person.changed + CREATE_SECONDS:
        return
    user = world.users.get(sub)
    yield
    if user:
        world.ledger.note_user(sub, user.sub)
    else:
        world.ledger.forget_migration(person, world.now)
    yield


def user_migration(world: World, lock: str, password: str, *, answered: bool, mfa: bool) -> Steps:
    """A sign-in of whom the new pool does not have. `answered`: Cognito gets the answer, and creates in time."""
    sub = world.ledger.owner(lock)
    yield
    person = world.ledger.person(sub) if sub else None
    yield
    if (
        sub is None
        or person is None
        or person.new_sub
        or person.state not in {PersonState.KNOWN, PersonState.MIGRATING}
    ):
        return
    if password != old_password(sub):
        return
    yield
    began, deleted = world.now, world.deleted[sub]
    turn = world.ledger.migrate(sub, GROUPS, world.now)
    yield
    if not turn.done or not answered or world.now >= began + CREATE_SECONDS:
        return
    status, known = ("RESET_REQUIRED", None) if mfa else ("CONFIRMED", password)
    if not world.create(sub, status, known, deleted=deleted):
        return
    yield
    if not mfa:
        yield from sign_in(world, sub)


def capture(world: World, sub: str, password: str) -> Steps:
    """CUSTOM_AUTH: prove the password in the old pool, and set it in the new one."""
    user = world.users.get(sub)
    if user is None or user.status != "CONFIRMED":
        return
    yield
    token, until = f"token-{world.number()}", world.now + CAPTURE_SECONDS
    begun = world.ledger.begin_capture(sub, user.sub, token, now=world.now, until=until)
    yield
    if not begun.done:
        return
    proved = password == old_password(sub)
    yield
    if not proved:
        world.ledger.give_up_capture(sub, token)
        yield
        return
    if world.now >= until or user.status != "CONFIRMED":
        return
    with writing(world.writing, world, sub):
        yield from _set_and_record(world, user, token, password, until)


@contextmanager
def writing(writers: Counter[str], world: World, sub: str) -> Iterator[None]:
    """The time from the last look at the ledger to the end of what is written after it."""
    writers[sub] += 1
    if world.unsettled[sub]:
        world.unwritten.add(sub)
    try:
        yield
    except GeneratorExit:
        world.died.add(sub)
        raise
    finally:
        writers[sub] -= 1


def _set_and_record(world: World, user: User, token: str, password: str, until: float) -> Steps:
    again = world.ledger.begin_capture(user.marker, user.sub, token, now=world.now, until=until)
    yield
    if not again.done or world.now >= until:
        return
    if not world.set_password(user, password, "capture"):
        return
    yield
    turn = world.ledger.captured(user.marker, token, world.now)
    yield
    if not turn.done and turn.state is PersonState.RESET:
        if world.now < until:
            world.set_password(user, f"random-{world.number()}", "capture")
            yield
        else:  # as if it had died before: whoever has signed in since must not lose their password
            world.died.add(user.marker)


def choose_password(world: World, sub: str, writes: int, *, help_desk: bool = False) -> Steps:
    """The user confirms a forgotten password; PostConfirmation says so then, later, not at all, or twice.

    Or the help desk sets one, and `close` says so.
    """
    user = world.users.get(sub)
    if user is None or (not help_desk and user.status not in {"CONFIRMED", "RESET_REQUIRED"}):
        return
    world.set_password(user, f"chosen-{world.number()}", "user")
    if world.writing[sub]:
        world.during.add(sub)
    if world.running[sub]:  # by a help desk, or thanks to one; and no sign-in waits for a run as it does for a capture
        world.unwritten.add(sub)
    world.unsettled[sub] += 1
    yield
    for _ in range(writes):
        turn = world.ledger.reset(sub, world.now, None if help_desk else user.sub, chosen=not help_desk)
        if turn.done or turn.state is PersonState.CAPTURED:
            world.unsettled[sub] = 0
        yield


def sign_in(world: World, sub: str) -> Steps:
    """A sign-in with the password that the user has, up to the token."""
    user = world.users.get(sub)
    if user is None or user.status != "CONFIRMED" or is_random(user.password):
        return
    version, password, began = user.by_user, user.password, world.now
    yield
    for _ in range(3):
        person = world.ledger.person(sub)
        yield
        if person is None or (person.new_sub or user.sub) != user.sub or person.state is PersonState.HELD:
            return
        # A capture that is under way may still write a password, or take back the one it wrote.
        if person.state is not PersonState.CAPTURED and person.until >= world.now:
            return
        state = final_state(person)
        if person.checked and state is person.state:
            break
        settled = world.ledger.settle(person, state, user.sub, world.now)
        yield
        if settled.done:
            break
    else:
        return
    if world.now >= began + SIGN_IN_SECONDS:
        return
    world.unsettled[sub] = 0
    if world.users.get(sub) is user and sub not in world.unwritten:
        world.signed_in[sub] = (user.sub, version, password)
    yield from give(world, user)


def final_state(person: Person) -> PersonState:
    """What a person becomes by a sign-in, as `trigger.tokens` has it."""
    if person.state.final:
        return person.state
    return PersonState.CAPTURED if person.state in {PersonState.MIGRATING, PersonState.CAPTURING} else PersonState.RESET


def change_password(world: World, sub: str) -> None:
    """Who has signed in, and has the password of then, chooses another."""
    user, signed_in = world.users.get(sub), world.signed_in.get(sub)
    if user and signed_in and signed_in[0] == user.sub and signed_in[1] == user.by_user:
        world.set_password(user, f"chosen-{world.number()}", "user")
