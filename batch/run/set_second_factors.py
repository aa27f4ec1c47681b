"""Set the second factors of a user of the new pool, three-way. What the new pool changed itself stays as it is."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, replace

from batch.inventory.baseline import Baseline, Conflict, Kept, Preferred, Theirs, UpdateFact, Writing, factor_key
from batch.plan.jobs import Job
from batch.plan.three_way import CHANGED_THERE, PREFERRED, REFUSED_FACTOR, factor_names, factors_as_written
from userpool.errors import NotFoundError, UserError
from userpool.factors import CROSSING, SECOND, Preference
from userpool.pool import UserPool
from userpool.user import User

Hold = Callable[[], None]
_NAMES = (*SECOND, PREFERRED)


@dataclass(frozen=True, slots=True)
class FactorChange:
    """What the second factors of a user become (`goal`).

    `left` are changes of the old pool that are not carried over. `own` are changes that the new pool has made itself,
    just as the old pool did.
    """

    goal: Preference
    left: tuple[str, ...] = ()
    own: tuple[str, ...] = ()


def judge(
    before: Preference, wanted: Preference, there: Preference, theirs: Collection[str] = frozenset()
) -> FactorChange:
    """Compare what was applied, what is wanted and what the new pool has, each factor by itself.

    Three changes of the old pool are not carried over. One is a factor that the new pool has switched itself, just as
    the old pool did before (`theirs`). One is a preferred factor, if the new pool has chosen another one or has
    switched that one off. The last is a change that would take the last factor from a user who has to have one.
    """
    switched = before.on ^ wanted.on
    own = switched - (wanted.on ^ there.on)
    left = (switched & frozenset(theirs)) - own
    change = _judge(before, wanted, there, switched - left, chosen=PREFERRED in theirs)
    chosen = there.choice is not None and there.choice == wanted.choice != before.choice
    return replace(
        change,
        left=tuple(sorted(left)) or change.left,
        own=(*sorted(own), PREFERRED) if chosen else tuple(sorted(own)),
    )


def _judge(
    before: Preference, wanted: Preference, there: Preference, changed: frozenset[str], *, chosen: bool
) -> FactorChange:
    on = (there.on - changed) | (wanted.on & changed)
    # The old pool switched one factor off and keeps another, which the user has switched off in the new pool. With the
    # change carried over, a password alone would be enough.
    if wanted.on and there.on and not on:
        return FactorChange(there, tuple(sorted(there.on & changed)))
    chosen_there = there.choice not in {before.choice, wanted.choice} or (chosen and there.choice != wanted.choice)
    switched_off = wanted.preferred is not None and wanted.preferred not in on
    # With a single factor, Cognito asks for it whether it is preferred or not. Its preference need not be kept.
    stays = len(on) > 1 and (chosen_there or switched_off or before.choice == wanted.choice)
    # The new pool's own choice may be what the old pool has switched off now.
    preferred = there.choice if stays and there.choice in {None, *on} else wanted.preferred
    asked = not changed and before.choice != wanted.choice
    left = (PREFERRED,) if asked and (chosen_there or switched_off) else ()
    return FactorChange(Preference(on, preferred if preferred in on else None), left)


class SecondFactors:
    """Sets second factors in the new pool."""

    def __init__(self, target: UserPool) -> None:
        self._target = target

    def set(
        self, job: Job, found: User, applied: Baseline, wanted: Preference, *, untouched: bool, hold: Hold
    ) -> Iterator[UpdateFact]:
        """Bring a user from the factors that were applied to the wanted ones. `hold` is called right before each call.

        A refusal stops nothing. It is recorded as a conflict, and the next run tries again. Raises NotFoundError if the
        user does not exist.
        """
        there = found.preference
        before = factors_as_written(applied, there)
        names = factor_names(applied.factors, wanted) or factor_names(before, wanted)
        verdict = judge(before, wanted, there, [name for name in _NAMES if factor_key(name) in applied.theirs])
        if verdict.own:
            yield Theirs(job.sub, tuple(map(factor_key, verdict.own)))
        refused: Mapping[str, UserError] = {}
        # No call if the new pool already has what is wanted: a rerun after a kill writes nothing.
        if not verdict.goal.like(there):
            yield Writing(job.sub, _states(there, verdict.goal))
            refused = self._write(found.username, there, verdict.goal, hold)
        conflicts = [Conflict(name, CHANGED_THERE) for name in verdict.left]
        conflicts += [
            Conflict(name, REFUSED_FACTOR.format(code=error.code), final=False) for name, error in refused.items()
        ]
        if conflicts:
            refusal = next((error.refusal for error in refused.values()), None)
            yield Kept(job.sub, tuple(conflicts), refusal)
        left = {conflict.name for conflict in conflicts}
        settled = tuple(name for name in names if name not in left)
        yield Preferred(job.sub, untouched, settled, _reached(before, wanted, refused))

    def _write(self, username: str, there: Preference, goal: Preference, hold: Hold) -> dict[str, UserError]:
        """Set all factors by one call, or each by itself if that call is refused.

        Returns the factors that were refused, with the refusal of each.
        """
        # Only SMS and e-mail can be set by a call. A TOTP app of the new pool is not named in the call, and stays as it
        # is.
        on, off = goal.on & CROSSING, there.on - goal.on
        if not self._refusal(username, Preference(on, goal.preferred), off, hold):
            return {}
        refusals = {
            factor: self._refusal(username, Preference(on & {factor}, goal.preferred), off & {factor}, hold)
            for factor in sorted(on | off)
        }
        return {factor: error for factor, error in refusals.items() if error}

    def _refusal(self, username: str, wanted: Preference, off: frozenset[str], hold: Hold) -> UserError | None:
        """Make the call. Return Cognito's refusal, or None if it was carried out."""
        try:
            self._target.prefer(username, wanted, off=off, before=hold)
        except UserError as error:
            if (
                isinstance(error, NotFoundError) or not error.code
            ):  # without a code, the error is no answer from Cognito
                raise
            return error
        return None


def _states(there: Preference, goal: Preference) -> dict[str, bool | str]:
    states: dict[str, bool | str] = {factor_key(name): name in goal.on for name in there.on ^ goal.on}
    return states if there.preferred == goal.preferred else {**states, factor_key(PREFERRED): goal.preferred or ""}


def _reached(before: Preference, wanted: Preference, refused: Mapping[str, UserError]) -> Preference:
    """Return what counts as applied: everything wanted except what was refused, which the next run tries again."""
    on = frozenset(factor for factor in before.on | wanted.on if factor in (before if factor in refused else wanted).on)
    preferred = (before if refused else wanted).preferred
    return Preference(on, preferred if preferred in on else None)
