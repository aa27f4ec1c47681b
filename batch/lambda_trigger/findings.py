"""The findings of a diagnosis, and each reason for which the function refuses, in plain words. Values only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from batch.ledger.persons import HELD

_ADMIN = "Mend it in the old pool, or let the user reset the password in the new one."
SCAN_AGAIN = "Run `cognito-migrate scan`, then `plan` and `run`."
_FORGOT = "The user chooses a new password by forgot-password."


class StepVerdict(StrEnum):
    """Whether a step is right. UNCHECKED is not an error: nobody could look, or it was not needed."""

    OK = "ok"
    WRONG = "wrong"
    UNCHECKED = "not checked"


@dataclass(frozen=True, slots=True)
class DiagnosisStep:
    """What was found at one step, and the remedy if it is wrong. `code` is the word in the function's log."""

    step: str
    verdict: StepVerdict
    said: str
    remedy: str = ""
    code: str = ""

    def __str__(self) -> str:
        """Return the step as one line of the terminal, without its remedy."""
        return f"{self.verdict:<11}  {self.step}: {self.said}"


def ok(step: str, said: str) -> DiagnosisStep:
    """Return a step that is right."""
    return DiagnosisStep(step, StepVerdict.OK, said)


def wrong(step: str, said: str, remedy: str, code: str = "") -> DiagnosisStep:
    """Return a step that keeps the user from being captured."""
    return DiagnosisStep(step, StepVerdict.WRONG, said, remedy, code)


def unchecked(step: str, said: str) -> DiagnosisStep:
    """Return a step that was not looked at, with the reason."""
    return DiagnosisStep(step, StepVerdict.UNCHECKED, said)


def first_wrong(findings: Sequence[DiagnosisStep]) -> DiagnosisStep | None:
    """Return the first wrong step, which is what to correct first. None if no step is wrong."""
    return next((finding for finding in findings if finding.verdict is StepVerdict.WRONG), None)


def conclusion(findings: Sequence[DiagnosisStep]) -> str:
    """Return the last words of a diagnosis: the first thing that is wrong, with its remedy, or that nothing is."""
    if first := first_wrong(findings):
        return f"First thing wrong: {first.said}" + (f"\nRemedy: {first.remedy}" if first.remedy else "")
    if any(finding.verdict is StepVerdict.UNCHECKED for finding in findings):
        return "Nothing that was checked is wrong: the user would be captured, if the rest is right, too."
    return "Nothing is wrong: the user would be captured."


def as_values(findings: Sequence[DiagnosisStep]) -> dict[str, Any]:
    """Return a diagnosis for `--json`. `would_be_captured` is true also if some steps were not checked."""
    first = first_wrong(findings)
    return {
        "would_be_captured": first is None,
        "first_wrong": asdict(first) if first else None,
        "findings": [asdict(finding) for finding in findings],
    }


def refused(step: str, reason: str) -> DiagnosisStep:
    """Return a wrong step for a reason of the function. An unknown reason is named as it is."""
    said, remedy = REASONS.get(reason, (f"the function refuses it: {reason}.", "See docs/trigger.md for the reason."))
    return wrong(step, said, remedy, reason)


# By the reason that the function's code refuses with. A reason without words here is shown as it is.
REASONS: Mapping[str, tuple[str, str]] = {
    "nothing-published": ("nothing was published to the ledger.", "Run `cognito-migrate run`: it publishes everybody."),
    "migration-is-finished": (
        "the migration is finished: no password is captured any more.",
        f"{_FORGOT} If that was too early: cognito-migrate finish --reopen",
    ),
    "unknown-name": ("the ledger knows nobody who signs in with that name.", SCAN_AGAIN),
    "unknown-person": ("the name is in the ledger, but its person is not.", SCAN_AGAIN),
    "nobody-of-this-migration": (
        "the new pool has a user of that name whom this migration did not make.",
        "Find out whose it is; it is left alone, and the old user cannot sign in under this name.",
    ),
    "another-persons-marker": (
        "the new pool's user has the marker of somebody else, as far as the ledger knows.",
        "Find out who wrote the marker, and let no app client write it.",
    ),
    "new-user-is-not-confirmed": (
        "the new pool's user is not CONFIRMED.",
        f"{_FORGOT} Or rerun `cognito-migrate run`.",
    ),
    "no-user-name": ("the event names nobody.", "Such events do not come from Cognito: see what calls the function."),
    "no-such-new-user": ("the new pool does not have the user of the event.", "See what calls the function."),
    "new-user-is-not-as-recorded": (
        "the new pool's user is disabled, or not the one that the ledger knows.",
        "Enable the user if that is wanted; `cognito-migrate verify` compares the rest.",
    ),
    "old-user-gone": ("the user is not in the old pool any more, or another has the name.", SCAN_AGAIN),
    "old-user-disabled": ("the user is disabled in the old pool.", "Enable the user there if they may sign in."),
    "old-user-unconfirmed": ("the user never confirmed the sign-up in the old pool.", "Let them sign up anew."),
    "old-user-must-reset": ("the user has to reset the password in the old pool, so none of theirs is good.", _FORGOT),
    "old-user-federated": (
        "the user signs in at another provider, and has no password in the old pool.",
        "Attach that provider to the new pool; the user comes back with the first sign-in there.",
    ),
    "temporary-password": ("the user has only a temporary password in the old pool.", _FORGOT),
    "mfa": (
        "the user has a second factor in the old pool, so the password alone is not taken.",
        f"{_FORGOT} Or set MFA_USERS=capture on the function, if the password alone shall be enough.",
    ),
    "attributes-the-new-pool-refuses": (
        "the new pool's schema refuses attributes of the user.",
        "Correct them in the old pool, or set `attributes` in config.yaml; then `plan` and `run`.",
    ),
    "no-verified-channel-to-reset-by": (
        "the user must reset the password, and has no verified e-mail or phone number.",
        "Verify one in the old pool, or set a password by hand and run `cognito-migrate close`.",
    ),
    "typed-name-is-not-exactly-theirs": (
        "the name looks like the user's, but differs from it by more than its case.",
        "Sign in with the name exactly as it is in the old pool.",
    ),
    "sign-in-name-taken-after-the-scan": (
        "the user has taken another person's sign-in name in the old pool since the scan.",
        f"{SCAN_AGAIN} `plan` shows the collision, for a person to decide.",
    ),
    "no-password": ("no password was given.", "Give one."),
    "wrong-password": (
        "the old pool says that the password is wrong.",
        f"Try it in the old app; if it fails there, too, it is wrong. {_FORGOT}",
    ),
    "locked-out": ("the old pool has locked the user out after wrong passwords.", "Wait up to 15 minutes; then again."),
    "old-pool-asked-for-something-else": ("the old pool asked for a challenge that proves no password.", _ADMIN),
    "old-pools-trigger-refused": (
        "a trigger of the old pool refused the sign-in.",
        "Let that trigger pass the app client of SOURCE_CLIENT_ID.",
    ),
    "old-pool-refused": ("the old pool refused the sign-in for a reason of its own.", _ADMIN),
    "too-weak-for-the-new-pool": (
        "the password is right, but the new pool does not take it: too weak, with a blank, or over 256 characters.",
        _FORGOT,
    ),
    "person-is-creating": (
        "the batch job has begun to create the user and has not ended.",
        "Let the run that is on end; if none is, it was killed: run `cognito-migrate run`.",
    ),
    "person-is-capturing": ("a capture of this user is on at this moment.", "Try again in ten seconds."),
    "must-reset-again": (
        "closed, and a capture that was cut off may have set the old password: no token is given.",
        "Choose a password by forgot-password; or set one by hand, and run `cognito-migrate close` again.",
    ),
}


def held(step: str, reason: str) -> DiagnosisStep:
    """Return a wrong step that says why a person is held."""
    said, remedy = HELD.get(reason, (f"held: {reason}.", "`cognito-migrate plan` names the reason."))
    return wrong(step, said, remedy, "person-is-held")
