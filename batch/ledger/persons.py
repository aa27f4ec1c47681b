"""Decide as what person a user is published to the ledger. Values in, values out."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from batch.inventory.user_state import UserState
from batch.plan.user_plan import DEFERRED, FEDERATED, NEVER_CONFIRMED, OUTSIDE, Action, Context, plan_user
from batch.settings.decisions import Decision
from userpool.factors import MAIL
from userpool.identities import Identity, is_profile, primary
from userpool.identity import SignIn, identifiers
from userpool.person import CLOSED, UNCONFIRMED, Person, PersonState, federated_lock, linked_lock, lock_id
from userpool.user import User

_REASONS = {Action.COLLIDE: "collision", Action.SKIP: "skipped", Action.BLOCKED: "blocked"}
HELD_FEDERATED = "federated"
ONLY_BY_RUN = frozenset({MAIL})
"""Second factors that a run sets and UserMigration cannot. A user that it creates lacks them until the next run."""
_COHORT = "cohort"
HELD: Mapping[str, tuple[str, str]] = {
    "collision": (
        "held: another user of the old pool would be the same account.",
        "Decide in the file of `collisions`, and run.",
    ),
    "conflict": (
        "held: a sign-in name of theirs is another person's in the ledger already.",
        "Decide in the file of `collisions`, and run.",
    ),
    "forgotten": ("held: they were forgotten, and nothing is captured of them.", "They sign up anew in the new pool."),
    "skipped": ("held: left out by a rule or a decision.", "`cognito-migrate plan` names it; change it, and run."),
    "cohort": ("held: outside the cohort that crosses now (users.only).", "Widen `users.only`, and run."),
    "blocked": (
        "held: the user cannot be created as things are.",
        "`cognito-migrate plan` names the reason; then run.",
    ),
    "federated": (
        "the user signs in at another provider, and has no password in the old pool.",
        "Attach that provider to the new pool; the user comes back with the first sign-in there.",
    ),
    "unconfirmed": ("held: the sign-up was never confirmed in the old pool.", "Let them sign up anew."),
    "departed": (
        "held: the user was not in the old pool any more at the last scan.",
        "Run `cognito-migrate scan`, then `plan` and `run`.",
    ),
}


@dataclass(frozen=True, slots=True)
class PlannedUser:
    """What the inventory knows of a user: what is planned, and what was done. Groups are those of the new pool.

    `enrol` are second factors, by Cognito's names, that cannot be migrated, or may not be set yet at the first token.
    """

    user: User
    action: Action
    reason: str | None
    name: str | None
    groups: frozenset[str] = frozenset()
    granted: frozenset[str] = frozenset()
    progress: UserState | None = None
    new_sub: str | None = None
    decision: Decision | None = None
    enrol: frozenset[str] = frozenset()


def introduce(standing: PlannedUser, context: Context, target_pool_id: str) -> Person:
    """Return the person as which a user is published."""
    person = Person(
        sub=standing.user.sub,
        state=PersonState.KNOWN,
        username=standing.user.username,
        name=standing.name,
        owed=standing.groups,
        enrol=standing.enrol,
        locks=_locks(standing, context, target_pool_id),
        disabled=not standing.user.enabled,
    )
    # Asked first, whatever the plan says today: the user exists.
    if standing.new_sub is not None:
        return _there(person, standing)
    if standing.action is Action.CREATE:
        return person
    if standing.reason == DEFERRED:
        return replace(person, state=PersonState.DEFERRED, name=_profile(standing.user))
    return _held(person, _why_held(standing))


def _held(person: Person, reason: str) -> Person:
    return replace(person, state=PersonState.HELD, reason=reason, name=None, owed=frozenset(), enrol=frozenset())


def _there(person: Person, standing: PlannedUser) -> Person:
    """Return a person whose user this migration created when the ledger did not know them.

    The user may have a password of its own by now, so the person is `reset`.
    """
    finished = standing.progress in {UserState.DONE, UserState.GONE}
    owed = frozenset[str]() if finished else standing.groups - standing.granted
    return replace(person, state=PersonState.RESET, reason=CLOSED, new_sub=standing.new_sub, owed=owed)


def _why_held(standing: PlannedUser) -> str:
    if standing.reason == OUTSIDE:
        return _COHORT
    if standing.reason == FEDERATED:
        return HELD_FEDERATED
    return UNCONFIRMED if standing.reason == NEVER_CONFIRMED else _REASONS[standing.action]


def _locks(standing: PlannedUser, context: Context, target_pool_id: str) -> frozenset[str]:
    """Lock what the user signs in with, or would sign in with: nobody else may sign up under it."""
    user = standing.user
    if is_profile(user.status, user.attributes):  # its e-mail address is no sign-in name, and may be a native user's
        return frozenset({federated_lock(target_pool_id, _profile(user))})
    # A user who is not created has no planned name, and is locked under the name that it would have.
    name = standing.name or plan_user(user, context, standing.decision).username or user.username
    return native_locks(target_pool_id, context.target, name, context.translate(user).attributes, context.links(user))


def native_locks(
    pool_id: str, sign_in: SignIn, name: str, attributes: Mapping[str, str], links: Iterable[Identity]
) -> frozenset[str]:
    """Return the locks of a native user: on what it signs in with, and on the identities that it is linked to.

    If an identity signed in before its link is made, Cognito would make a profile that can never be linked again.
    """
    names = (lock_id(pool_id, identifier) for identifier in identifiers(name, attributes, sign_in))
    return frozenset({*names, *(linked_lock(pool_id, sign_in.fold(identity.username)) for identity in links)})


def _profile(user: User) -> str:
    """Return the case-preserved `Provider_id` that a federated profile has in every pool."""
    identity = primary(user.attributes)
    return identity.username if identity else user.username


def conflicting(person: Person, reason: str) -> Person:
    """Return what is published of a person whose identifiers another person has already."""
    if person.state in {PersonState.KNOWN, PersonState.DEFERRED}:
        return _held(person, reason)
    return replace(person, locks=frozenset())  # exists in the target, so it is not held


def departed(sub: str) -> Person:
    """Return what is published of a user who has left the old pool: held, without identifiers."""
    return Person(sub, PersonState.HELD, reason="departed")


def perhaps_returned(person: Person) -> Person:
    """Return what is published of a federated profile that may have come back and got what it was owed.

    Its next token gives it its old sub and nothing else, so that what has ended in the new pool stays ended.
    """
    return replace(person, state=PersonState.RETURNED, owed=frozenset())


def digest(person: Person) -> str:
    """Return a short hash that changes whenever the person does."""
    # Sets have no order of their own. Unsorted, the digest of the same person would change from run to run.
    item = person.to_item() | {"owed": sorted(person.owed), "locks": sorted(person.locks)}
    # Nothing is added for a person without factors to enrol, so that their digest stays what it was.
    if person.enrol:
        item["enrol"] = sorted(person.enrol)
    return hashlib.sha256(json.dumps(item, sort_keys=True).encode()).hexdigest()[:16]
