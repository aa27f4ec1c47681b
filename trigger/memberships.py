"""Give the memberships that a person is still owed, each once."""

from __future__ import annotations

import uuid
from contextlib import suppress

from trigger.parts import Work
from userpool.errors import DroppedError, MigrationError, UserError
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
    # What the user has before anybody gave it is the new pool's own: it does not end when the old pool ends its own.
    # Whoever was cut off while giving may have given any of these.
    own = turn.before.owed & _memberships(work) if turn.before.giver is None else frozenset[str]()
    given, cut_off = _given(work, sorted(turn.before.owed - own))
    # Given all the same: at worst it is given again when the lease has run out. So is what was cut off.
    if not cut_off:
        with suppress(MigrationError):
            work.ledger.end_giving(person.sub, giver, given, settled=own)
    return given


def _memberships(work: Work) -> frozenset[str]:
    """Return the groups that the user has by the event; none where it does not tell them (PostAuthentication)."""
    configuration = work.request.get("groupConfiguration") or {}
    return frozenset(configuration.get("groupsToOverride") or ())


def _given(work: Work, groups: list[str]) -> tuple[frozenset[str], bool]:
    """Give these; return what was given, and whether a call was cut off, which may have been carried out."""
    given = set[str]()
    for group in groups:
        if work.deadline.left < _EACH:
            break
        try:
            work.target.add_to_group(work.username, group)
        except UserError:
            continue  # the group is not there (yet): still owed
        except DroppedError:
            return frozenset(given), True
        except MigrationError:
            break
        given.add(group)
    return frozenset(given), False
