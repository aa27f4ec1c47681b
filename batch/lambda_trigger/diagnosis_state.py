"""By which way a person's password would cross, by their state in the ledger and their user in the new pool. Pure."""

from __future__ import annotations

from batch.lambda_trigger.capture_way import Way
from batch.lambda_trigger.findings import DiagnosisStep, held, ok, refused, wrong
from userpool.person import Person, PersonState
from userpool.user import Status, User

_STEP = "state"


def way_of(person: Person, new: User | None, now: float) -> tuple[Way, DiagnosisStep]:
    """Return the way that is open, and why, or why none is."""
    if person.state is PersonState.HELD:
        return Way.NONE, held(_STEP, person.reason or "")
    if person.state in {PersonState.DEFERRED, PersonState.RETURNED}:
        return _of_a_profile(person, new)
    return _of_nobody_yet(person) if new is None else _of_a_user(person, new, now)


def _of_a_profile(person: Person, new: User | None) -> tuple[Way, DiagnosisStep]:
    """Say it of a federated profile, which comes back by itself."""
    if person.disabled:
        return Way.NONE, refused(_STEP, "old-user-disabled")
    if person.state is PersonState.DEFERRED:
        said = f"federated: its first sign-in gives it its old sub and {len(person.owed)} groups."
        return Way.FEDERATED, ok(_STEP, said)
    if new is None or new.sub == person.new_sub or person.new_sub is None:
        return Way.FEDERATED, ok(_STEP, "federated: it came back, and its tokens tell the old sub.")
    return Way.NONE, wrong(
        _STEP,
        "federated: it came back as another profile, deleted since; this one gets neither groups nor old sub.",
        "Give it by hand what it is to have.",
        "another-profile",
    )


def _of_nobody_yet(person: Person) -> tuple[Way, DiagnosisStep]:
    """Say it of a person whom the new pool does not have."""
    if person.state in {PersonState.KNOWN, PersonState.MIGRATING} and person.new_sub is None:
        return Way.USER_MIGRATION, ok(_STEP, "not in the new pool yet: UserMigration captures the password.")
    if person.state is PersonState.CREATING:
        return Way.NONE, refused(_STEP, "person-is-creating")
    return Way.NONE, wrong(
        _STEP,
        f"the ledger says {person.state}, and the new pool has no such user: who is deleted there stays deleted.",
        "Create the user by hand if that was a mistake; the old password is not taken any more.",
        f"person-is-{person.state}",
    )


def _of_a_user(person: Person, new: User, now: float) -> tuple[Way, DiagnosisStep]:
    """Say it of a person whose user exists; UserMigration never fires for one."""
    match person.state:
        case PersonState.CAPTURED | PersonState.RESET:
            return Way.NONE, _has_a_password(person)
        case PersonState.CAPTURING if person.until >= now:
            return Way.NONE, refused(_STEP, "person-is-capturing")
        case PersonState.PENDING | PersonState.CAPTURING:
            return Way.CUSTOM_AUTH, ok(
                _STEP, "in the new pool already, so UserMigration never fires: CUSTOM_AUTH captures the password."
            )
        case PersonState.MIGRATING:
            return Way.NONE, _migrated(new)
        case PersonState.CREATING:
            return Way.NONE, refused(_STEP, "person-is-creating")
        case _:
            return Way.NONE, wrong(
                _STEP,
                "in the new pool already, so UserMigration never fires, and the ledger was never told.",
                "Run `cognito-migrate run`: it finds its own users by the marker.",
                f"person-is-{person.state}",
            )


def _has_a_password(person: Person) -> DiagnosisStep:
    if person.state is PersonState.RESET and person.token is not None:
        return refused(_STEP, "must-reset-again")
    how = "captured" if person.state is PersonState.CAPTURED else "chosen, or to be chosen, by a reset"
    return wrong(
        _STEP,
        f"in the new pool with a password of their own ({how}): the old one is dead, by design.",
        "Sign in with the new pool's password, or choose one by forgot-password.",
        f"person-is-{person.state}",
    )


def _migrated(new: User) -> DiagnosisStep:
    if new.status is Status.CONFIRMED:
        return ok(_STEP, "UserMigration has created the user with the password; the first token settles it.")
    return wrong(
        _STEP,
        f"UserMigration has created the user, who is {new.status} and must choose a password.",
        "The user chooses one by forgot-password.",
        "person-is-migrating",
    )
