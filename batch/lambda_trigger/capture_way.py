"""Whether the function can capture a user's password: triggers, app clients, password policy, state. Values only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any

from batch.lambda_trigger.findings import DiagnosisStep, held, ok, refused, wrong
from userpool.app_client import AppClient
from userpool.by_hand import function_line
from userpool.passwords import has_settable_form
from userpool.person import Person, PersonState
from userpool.plural import plural
from userpool.settings import PoolSettings
from userpool.user import Status, User

CHALLENGES = ("DefineAuthChallenge", "CreateAuthChallenge", "VerifyAuthChallengeResponse")
INSTEAD = {"PreTokenGeneration": "PostAuthentication"}  # where an app has a PreTokenGeneration of its own
_STEP = "state"


class Way(StrEnum):
    """The way by which the new pool gets a user's old password."""

    USER_MIGRATION = "UserMigration"
    CUSTOM_AUTH = "CUSTOM_AUTH"
    FEDERATED = "federated sign-in"  # without a password
    NONE = "none"


# PostAuthentication is not needed: it only stands in for PreTokenGeneration.
NEEDED = ("UserMigration", *CHALLENGES, "PreTokenGeneration", "PostConfirmation", "PreSignUp")


_FLOWS = {Way.USER_MIGRATION: ("USER_PASSWORD_AUTH", "ADMIN_USER_PASSWORD_AUTH"), Way.CUSTOM_AUTH: ("CUSTOM_AUTH",)}


def missing_triggers(triggers: Mapping[str, str]) -> list[str]:
    """Return the needed triggers that have no function. A stand-in counts as well."""
    return [name for name in NEEDED if name not in triggers and INSTEAD.get(name) not in triggers]


def attached(triggers: Mapping[str, str]) -> DiagnosisStep:
    """Return a step that names the needed triggers of the new pool that have no function."""
    missing = missing_triggers(triggers)
    if not missing:
        return ok("triggers", "a function is attached to every trigger of the new pool that it needs.")
    return wrong(
        "triggers",
        f"no function is attached to {', '.join(missing)} of the new pool.",
        "Attach the function to all of them at once: cognito-migrate trigger attach (docs/trigger.md).",
        "trigger-not-attached",
    )


def ours(triggers: Mapping[str, str]) -> list[str]:
    """Return the ARNs of the functions that a migration needs. A function on another trigger is the app's own."""
    return sorted({arn for name, arn in triggers.items() if name in NEEDED or name in INSTEAD.values()})


def callable_by_cognito(allowed: Mapping[str, bool], pool_arn: str, pool: PoolSettings) -> DiagnosisStep:
    """Return a step that names the functions that Cognito may not call for the `pool`. `allowed` is by ARN."""
    refusing = sorted(arn for arn, lets_in in allowed.items() if not lets_in)
    if not refusing:
        return ok("permission", "Cognito may call the function.")
    return wrong(
        "permission",
        f"Cognito may not call {', '.join(refusing)} for this pool, by its policy; or there is no such function.",
        function_line(
            refusing[0],
            pool,
            "add-permission",
            *("--statement-id", f"cognito-migrate-{pool.user_pool_id}", "--action", "lambda:InvokeFunction"),
            *("--principal", "cognito-idp.amazonaws.com", "--source-arn", pool_arn),
        ),
        "invoke-permission-missing",
    )


def new_clients(clients: Sequence[AppClient], way: Way) -> DiagnosisStep:
    """Return a step that says whether some app client lets users sign in in a way that the function sees."""
    flows = _FLOWS[way]
    managed = way is Way.USER_MIGRATION  # managed login calls UserMigration, and has no CUSTOM_AUTH
    good = [one for one in clients if any(map(one.allows, flows)) or (managed and one.managed_login)]
    others = sorted(one.name or one.client_id for one in clients if one not in good)
    named = " or ".join(f"ALLOW_{flow}" for flow in flows)
    # One client is enough, but a user of another app would not be captured, so the others are named.
    if good:
        said = f"{len(good)} of {plural(len(clients), 'app client')} of the new pool let {way} happen"
        return ok("app clients", f"{said}; these do not: {', '.join(others)}." if others else f"{said}.")
    why = "; with SRP, UserMigration never fires" if managed else ""
    return wrong(
        "app clients",
        f"no app client of the new pool allows {named}{why}.",
        f"Allow {'ALLOW_USER_PASSWORD_AUTH' if managed else named} on the client that the app uses, and sign in by it.",
        "flow-not-allowed",
    )


def strong_enough(password: str, policy: Mapping[str, Any]) -> DiagnosisStep:
    """Return a step that says whether the new pool's policy accepts a password.

    CUSTOM_AUTH sets it with AdminSetUserPassword, which enforces the policy. UserMigration does not (developer guide).
    """
    # Without a word in the policy a kind of character is not demanded.
    demands = {
        "RequireLowercase": str.islower,
        "RequireUppercase": str.isupper,
        "RequireNumbers": str.isdigit,
        "RequireSymbols": lambda character: not character.isalnum(),
    }
    met = has_settable_form(password) and all(
        any(map(kind, password)) for name, kind in demands.items() if policy.get(name)
    )
    if met and len(password) >= int(policy.get("MinimumLength", 0)):
        return ok("password", "the old pool proves it, and the new pool's policy takes it.")
    return refused("password", "too-weak-for-the-new-pool")


def way_of(person: Person, new: User | None, now: float) -> tuple[Way, DiagnosisStep]:
    """Return the way that is open to a person, with the reason. `new` is the user in the new pool.

    `now` is in seconds.
    """
    if person.state is PersonState.HELD:
        return Way.NONE, held(_STEP, person.reason or "")
    if person.state in {PersonState.DEFERRED, PersonState.RETURNED}:
        return _of_a_profile(person, new)
    return _of_nobody_yet(person) if new is None else _of_a_user(person, new, now)


def _of_a_profile(person: Person, new: User | None) -> tuple[Way, DiagnosisStep]:
    """Return the way of a federated profile, which comes back with its own sign-in and has no password."""
    if person.disabled:
        return Way.NONE, refused(_STEP, "old-user-disabled")
    if person.state is PersonState.DEFERRED:
        said = f"federated: its first sign-in gives it its old sub and {plural(len(person.owed), 'group')}."
        return Way.FEDERATED, ok(_STEP, said)
    # A profile that was deleted and signed in again has a new sub. What the ledger knows is not that profile's.
    if new is None or new.sub == person.new_sub or person.new_sub is None:
        return Way.FEDERATED, ok(_STEP, "federated: it came back, and its tokens tell the old sub.")
    return Way.NONE, wrong(
        _STEP,
        "federated: it came back as another profile, deleted since; this one gets neither groups nor old sub.",
        "Give it by hand what it is to have.",
        "another-profile",
    )


def _of_nobody_yet(person: Person) -> tuple[Way, DiagnosisStep]:
    """Return the way of a person that the new pool does not have."""
    # A person with a new sub was created once, so the user was deleted since and stays deleted.
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
    """Return the way of a person whose user exists. UserMigration is never called for an existing user."""
    match person.state:
        case PersonState.CAPTURED | PersonState.RESET:
            return Way.NONE, _has_a_password(person)
        # The order matters: only a capture whose turn has ended may be taken up by the next case.
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
    # A capture was cut off when the person was closed, so the old password may have been set after all.
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
