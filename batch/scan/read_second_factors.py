"""Read the second factors of the old pool's users into the inventory, one user at a time.

No listing returns second factors. Each scan therefore asks Cognito about every user again. No document says whether a
changed preference moves a user's last-modified date, so a scan cannot skip the users whose date is unchanged.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass

from batch.inventory.inventory import Inventory
from batch.inventory.second_factors import Asked, FactorsTable
from batch.inventory.snapshot import Snapshot
from batch.runtime import engine
from batch.runtime.progress_bar import ProgressBars
from batch.runtime.same_cause import SameCause
from userpool.errors import NotAllowedError, NotEnabledError, UnansweredError, UserError
from userpool.factors import Factors, asked_for
from userpool.pool import UserPool
from userpool.user import User

# Cognito answers with one of the two names if it does not know an operation. The empty code is an error that did not
# come from Cognito: this boto3 does not know the operation.
_UNKNOWN = frozenset({"UnknownOperationException", "InvalidAction", ""})
_NO_ANSWER = "no answer"


def read_factors(
    source: UserPool,
    inventory: Inventory,
    *,
    by_phone: bool,
    workers: int,
    stop: threading.Event,
    progress: ProgressBars,
    say: Callable[[str], None],
) -> None:
    """Read the second factors of every user whose factors this scan has not read yet.

    What was read before `stop` is set is kept. If Cognito does not answer for one user, the reason is recorded for that
    user and the scan goes on with the next. `by_phone`: see `userpool.factors.asked_for`.
    """
    snapshot, table = Snapshot(inventory), FactorsTable(inventory)
    # One user is asked before the threads begin. Otherwise each user would cost one refused call more.
    passkeys = _tells_passkeys(source, snapshot.factors_to_read(), say)

    same: SameCause[str] = SameCause(source.last_success)

    def ask(user: User) -> Iterator[_Answer]:
        unlisted = asked_for(user.mfa, user.attributes, by_phone=by_phone)
        try:
            yield _Answer(Asked(user.sub, source.factors(user.username, passkeys=passkeys, unlisted=unlisted)), None)
        except UserError as error:
            # Not an error of the scan. The plan blocks a user whose factors are unread, so that nobody is created
            # without the second factor that protects the account.
            yield _Answer(Asked(user.sub, Factors(unread=error.code or _NO_ANSWER)), error)

    with (
        progress.bar("second factors", total=snapshot.count_factors_to_read()) as bar,
        closing(
            engine.run(same.until_it_shows(snapshot.factors_to_read()), ask, workers=workers, stop=stop, room=same.room)
        ) as batches,
    ):
        for answers in batches:
            batch = [answer.asked for answer in answers]
            # Before they are recorded. Users who were refused in an earlier scan say nothing about everybody.
            before = table.of(one.sub for one in batch)
            # In one transaction: a user who is marked as read but whose factors are not saved would not be asked again,
            # and would count as a user without a second factor.
            with inventory.transaction():
                table.save(batch, snapshot.number)
                snapshot.mark_factors_read(one.sub for one in batch)
            for answer in answers:
                _compare(same, answer, known=before[answer.asked.sub].unread is not None)
            bar.advance(len(batch))
    with inventory.transaction():
        snapshot.mark_factors_unread(same.struck)
    same.end()
    # A plan relies on this mark (`require_read`). A reading that was stopped half-way must not set it.
    if not stop.is_set():
        table.complete(snapshot.number)


@dataclass(frozen=True, slots=True)
class _Answer:
    """What is recorded of one user, and why it could not be read."""

    asked: Asked
    error: UserError | None


def _compare(same: SameCause[str], answer: _Answer, *, known: bool) -> None:
    """Compare a refusal with those before it: many that are equal have a cause that concerns everybody."""
    error = answer.error
    if isinstance(error, UnansweredError):
        same.unanswered(answer.asked.sub, str(error))
    elif error and error.refusal and not known:
        same.refused(answer.asked.sub, error.refusal, str(error))
    else:
        same.answered()


def _tells_passkeys(source: UserPool, users: Iterator[User], say: Callable[[str], None]) -> bool:
    """Return whether AdminGetUserAuthFactors works in the old pool, tried on the first user. Say so if it does not.

    Raises UnansweredError. Without an answer nobody knows whether the operation exists, and the other operation,
    AdminGetUser, may cost money.
    """
    first = next(users, None)
    if first is None:
        return True
    try:
        source.factors(first.username)
    except (NotAllowedError, NotEnabledError) as error:
        said = str(error)
    # UnansweredError is a UserError. Below, it would count as an answer about this user.
    except UnansweredError:
        raise
    except UserError as error:
        if error.code not in _UNKNOWN:
            return True  # the operation exists: Cognito refused it for this user
        said = str(error)
    else:
        return True
    say(
        "Note: second factors are read by AdminGetUser, which does not tell passkeys (who has one is not listed) and "
        "makes each user monthly active in the old pool (`plan` says for how much). AdminGetUserAuthFactors would "
        f"tell. {said}"
    )
    return False
