"""Set the second factors of a user of the target, three-way: what the target changed itself is left as it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from batch.inventory.baseline import Conflict, Kept, Preferred, UpdateFact
from batch.plan.jobs import Job
from batch.plan.three_way import CHANGED_THERE, PREFERRED, REFUSED_FACTOR, factor_names
from userpool.errors import NotFoundError, UserError
from userpool.factors import CROSSING, Preference
from userpool.pool import UserPool
from userpool.user import User

Hold = Callable[[], None]


@dataclass(frozen=True, slots=True)
class FactorChange:
    """What a user's second factors are to become, and which changes of the old pool are left for the target's own."""

    goal: Preference
    left: tuple[str, ...] = ()


def judge(before: Preference, wanted: Preference, there: Preference) -> FactorChange:
    """Compare what was applied, what is wanted and what is there, each factor by itself.

    A change of the old pool is left where the target has another preferred factor by now, or where it would take the
    last factor from a user who is to have one.
    """
    changed = before.on ^ wanted.on
    on = (there.on - changed) | (wanted.on & changed)
    if wanted.on and there.on and not on:
        return FactorChange(there, tuple(sorted(there.on & changed)))
    chosen_there = there.choice not in {before.choice, wanted.choice}
    stays = len(on) > 1 and (chosen_there or before.choice == wanted.choice)
    preferred = there.choice if stays else wanted.preferred
    left = (PREFERRED,) if chosen_there and not changed and before.choice != wanted.choice else ()
    return FactorChange(Preference(on, preferred if preferred in on else None), left)


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
        names, there = factor_names(before, wanted), found.preference
        verdict = judge(before, wanted, there)
        refused = {} if verdict.goal.like(there) else self._write(found.username, there, verdict.goal, hold)
        conflicts = [Conflict(name, CHANGED_THERE) for name in verdict.left]
        conflicts += [Conflict(name, REFUSED_FACTOR.format(code=code), final=False) for name, code in refused.items()]
        if conflicts:
            yield Kept(job.sub, tuple(conflicts))
        left = {conflict.name for conflict in conflicts}
        settled = tuple(name for name in names if name not in left)
        yield Preferred(job.sub, untouched, settled, _reached(before, wanted, refused))

    def _write(self, username: str, there: Preference, goal: Preference, hold: Hold) -> dict[str, str]:
        """Set them by one call, or one by one if that is refused; return what was refused, with Cognito's reason."""
        on, off = goal.on & CROSSING, there.on - goal.on
        if not self._refusal(username, Preference(on, goal.preferred), off, hold):
            return {}
        codes = {
            factor: self._refusal(username, Preference(on & {factor}, goal.preferred), off & {factor}, hold)
            for factor in sorted(on | off)
        }
        return {factor: code for factor, code in codes.items() if code}

    def _refusal(self, username: str, wanted: Preference, off: frozenset[str], hold: Hold) -> str:
        """Make the call; return Cognito's name for the reason if it is refused, or nothing."""
        try:
            self._target.prefer(username, wanted, off=off, before=hold)
        except UserError as error:
            if isinstance(error, NotFoundError) or not error.code:  # the latter is no answer of Cognito's
                raise
            return error.code
        return ""


def _reached(before: Preference, wanted: Preference, refused: Mapping[str, str]) -> Preference:
    """Return what counts as applied: what is wanted, but for what was refused, which the next run tries again."""
    on = frozenset(factor for factor in before.on | wanted.on if factor in (before if factor in refused else wanted).on)
    preferred = (before if refused else wanted).preferred
    return Preference(on, preferred if preferred in on else None)
