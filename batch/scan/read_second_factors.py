"""The second factors of the old pool's users: read one user at a time, and kept in the inventory.

No listing tells them, so each scan asks Cognito for every user anew; that a changed preference would move a user's
last-modified date is documented nowhere.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import closing

from batch.inventory.inventory import Inventory
from batch.inventory.second_factors import Asked, FactorsTable
from batch.inventory.snapshot import Snapshot
from batch.runtime import engine
from batch.runtime.progress_bar import ProgressBars
from userpool.errors import NotAllowedError, NotEnabledError, UnansweredError, UserError
from userpool.factors import Factors, asked_for
from userpool.pool import UserPool
from userpool.user import User

# What Cognito answers where it does not know an operation, and what the door says where boto3 does not.
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
    """Read the factors of everybody whose this scan has not read; what was read before `stop` is set is kept.

    `by_phone`: see `userpool.factors.asked_for`. Of whom Cognito does not tell, that is kept: nobody else waits for it.
    """
    snapshot, table = Snapshot(inventory), FactorsTable(inventory)
    passkeys = _tells_passkeys(source, snapshot.factors_to_read(), say)

    def ask(user: User) -> Iterator[Asked]:
        unlisted = asked_for(user.mfa, user.attributes, by_phone=by_phone)
        try:
            found = source.factors(user.username, passkeys=passkeys, unlisted=unlisted)
        except UserError as error:
            found = Factors(unread=error.code or _NO_ANSWER)
        yield Asked(user.sub, found)

    with (
        progress.bar("second factors", total=snapshot.count_factors_to_read()) as bar,
        closing(engine.run(snapshot.factors_to_read(), ask, workers=workers, stop=stop)) as batches,
    ):
        for batch in batches:
            with inventory.transaction():
                table.save(batch, snapshot.number)
                snapshot.mark_factors_read(one.sub for one in batch)
            bar.advance(len(batch))
    if not stop.is_set():
        table.complete(snapshot.number)


def _tells_passkeys(source: UserPool, users: Iterator[User], say: Callable[[str], None]) -> bool:
    """Try the operation that tells passkeys on the first user; if there is none, say so.

    Raises UnansweredError: whether there is one is not known then, and the other may cost money.
    """
    first = next(users, None)
    if first is None:
        return True
    try:
        source.factors(first.username)
    except (NotAllowedError, NotEnabledError) as error:
        said = str(error)
    except UnansweredError:
        raise
    except UserError as error:
        if error.code not in _UNKNOWN:
            return True  # there is one, and it is about this user
        said = str(error)
    else:
        return True
    say(
        "Note: second factors are read by AdminGetUser, which does not tell passkeys (who has one is not listed) and "
        "makes each user monthly active in the old pool (`plan` says for how much). AdminGetUserAuthFactors would "
        f"tell. {said}"
    )
    return False
