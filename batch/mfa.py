"""Set the second factors of a user of the target, three-way: what the target changed itself is left as it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from enum import Enum, auto

from batch.applied import Kept, Preferred, UpdateFact
from batch.delta import CHANGED_THERE, REFUSED_FACTOR, Conflict, factor_names
from batch.journal import Job
from userpool.errors import NotFoundError, UserError
from userpool.factors import Preference
from userpool.pool import UserPool
from userpool.user import User

Hold = Callable[[], None]


class Verdict(Enum):
    """What is to be done about a user's second factors."""

    THERE = auto()  # they are as wanted
    WRITE = auto()
    LEAVE = auto()  # the user, or somebody else, has changed them


def judge(before: Preference, wanted: Preference, there: Preference) -> Verdict:
    """Compare what was applied, what is wanted and what is there."""
    if there == wanted:
        return Verdict.THERE
    return Verdict.WRITE if there.like(before) or there.like(wanted) else Verdict.LEAVE


def preference_of(user: User) -> Preference:
    """Return the second factors of a user whom AdminGetUser told."""
    return Preference(frozenset(user.mfa), user.preferred_mfa)


class SecondFactors:
    """Sets second factors in the target."""

    def __init__(self, target: UserPool) -> None:
        self._target = target

    def set(
        self, job: Job, found: User, before: Preference, wanted: Preference, *, untouched: bool, hold: Hold
    ) -> Iterator[UpdateFact]:
        """Bring a user from what was applied to what is wanted; `hold` is called right before each call.

        A refusal stops nothing: it is kept as a conflict, and tried again by the next run. Raises NotFoundError.
        """
        names, there, reached = factor_names(before, wanted), preference_of(found), wanted
        conflicts: tuple[Conflict, ...] = ()
        match judge(before, wanted, there):
            case Verdict.LEAVE:
                conflicts = tuple(Conflict(name, CHANGED_THERE) for name in names)
            case Verdict.WRITE:
                reached, conflicts = self._write(found.username, there, wanted, hold)
        if conflicts:
            yield Kept(job.sub, conflicts)
        left = {conflict.name for conflict in conflicts}
        yield Preferred(job.sub, untouched, tuple(name for name in names if name not in left), reached)

    def _write(
        self, username: str, there: Preference, wanted: Preference, hold: Hold
    ) -> tuple[Preference, tuple[Conflict, ...]]:
        """Set them by one call, or one by one if that is refused; return what is there now, and what was refused."""
        off = there.on - wanted.on
        if not self._refusal(username, wanted, off, hold):
            return wanted, ()
        now, conflicts = there, []
        for factor in sorted(wanted.on | off):
            one = Preference(wanted.on & {factor}, wanted.preferred)
            if code := self._refusal(username, one, off & {factor}, hold):
                conflicts.append(Conflict(factor, REFUSED_FACTOR.format(code=code), final=False))
            else:
                preferred = None if now.preferred == factor else now.preferred
                now = Preference(now.on - {factor} | one.on, factor if wanted.preferred == factor else preferred)
        return now, tuple(conflicts)

    def _refusal(self, username: str, wanted: Preference, off: frozenset[str], hold: Hold) -> str:
        """Make the call; return Cognito's name for the reason if it is refused, or nothing."""
        try:
            self._target.prefer(username, wanted, off=off, before=hold)
        except UserError as error:
            if isinstance(error, NotFoundError) or not error.code:  # the latter is no answer of Cognito's
                raise
            return error.code
        return ""
