"""Give the memberships that a person is still owed, each once."""

from __future__ import annotations

import uuid
from contextlib import suppress

from trigger.parts import Work
from userpool.errors import MigrationError, UserError
from userpool.person import Person

_LEASE_SECONDS = 20.0  # longer than Cognito waits for all its tries of one event
_EACH = 0.8  # seconds for a membership and for the write that ends the giving


def give_owed(work: Work, person: Person) -> frozenset[str]:
    """Give what there is time for, and return it; what is left stays owed. Nothing while somebody else is giving."""
    if not person.owed:
        return frozenset()
    giver, now = uuid.uuid4().hex, work.now()
    turn = work.ledger.begin_giving(person.sub, giver, now=now, until=now + _LEASE_SECONDS)
    if not turn.done or turn.before is None:
        return frozenset()
    given = frozenset(_given(work, sorted(turn.before.owed)))
    # Given all the same: at worst it is given again when the lease has run out.
    with suppress(MigrationError):
        work.ledger.end_giving(person.sub, giver, given)
    return given


def _given(work: Work, groups: list[str]) -> list[str]:
    given = []
    for group in groups:
        if work.deadline.left < _EACH:
            break
        try:
            work.target.add_to_group(work.username, group)
        except UserError:
            continue  # the group is not there (yet): still owed
        except MigrationError:
            break
        given.append(group)
    return given
