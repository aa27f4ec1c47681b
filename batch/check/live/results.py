"""`check --live`: ask Cognito itself what the documents leave open, and put the answers into findings.

Nothing is adapted to an answer. A finding says which setting to choose, and a person decides.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from batch.check.finding import Finding, Severity
from batch.check.live.made_up_users import MOST_USERS, USERS, Pause, Stage
from batch.check.live.password_probes import PASSWORDS
from batch.check.live.probe import Probe, ProbeOutcome, Result, tried
from batch.check.live.probes import NAMES
from batch.check.live.settings_probes import SETTINGS
from batch.check.live.throw_away_pools import LeftOver, Making
from batch.settings.prices import AS_OF, Prices

PROBES: Sequence[Probe] = (*PASSWORDS, *NAMES, *SETTINGS)
# The users of a check are counted beyond the free ones, so the sum is the most that can be charged.
_FREE = 10_000  # monthly active users (`prices`)
_PLAN = "ESSENTIALS"  # of a pool that is made without a word about it
_SEVERITY = {
    ProbeOutcome.EXPECTED: Severity.OK,
    ProbeOutcome.HARMLESS: Severity.NOTE,
    ProbeOutcome.CHOOSE: Severity.WARNING,
    ProbeOutcome.UNTOLD: Severity.NOTE,
}
_ORDER = list(Severity)
_FUNCTION = "it needs a Lambda function, and none is made"
_MAIL = "it sends a mail"
_UNUSED = "Nothing: it is not used."


@dataclass(frozen=True, slots=True)
class Outcome:
    """The results of all probes, and the pools that could not be deleted."""

    results: tuple[Result, ...]
    left: tuple[LeftOver, ...] = ()

    def has(self, verdict: ProbeOutcome) -> bool:
        """Whether at least one probe ended so."""
        return any(result.verdict is verdict for result in self.results)

    @property
    def is_well(self) -> bool:
        """Whether every probe got an answer, and nothing depends on an unexpected one. Decides the exit code."""
        return not (self.has(ProbeOutcome.CHOOSE) or self.has(ProbeOutcome.UNTOLD))


def probed(making: Making, pause: Pause, probes: Iterable[Probe] = PROBES) -> tuple[Result, ...]:
    """Make the pools and ask every probe, in order. The caller deletes the pools, also after an error.

    Raises StoppedError, and what CreateUserPool may raise.
    """
    stage = Stage.made_by(making, pause)
    return tuple(tried(probe, stage) for probe in probes)


def cost(prices: Prices | None) -> str:
    """Return what the check may cost, in a sentence for the question before it begins."""
    # `prices` is None where nobody configured prices of their own.
    known = prices or Prices()
    dollars = known.of_users(_FREE + MOST_USERS, _PLAN) - known.of_users(_FREE, _PLAN)
    said = f"your prices: ${dollars:.2f}" if known.mau is not None else f"${dollars:.2f} (list price, {AS_OF})"
    return (
        f"{USERS} monthly active users, {MOST_USERS} if Cognito lets in whom it should refuse: nothing below the "
        f"account's free users, else at most {said}."
    )


def findings(outcome: Outcome) -> list[Finding]:
    """Return the results as findings of `check`, the worst first."""
    found = [_finding(result) for result in outcome.results]
    return sorted(found, key=lambda finding: _ORDER.index(finding.severity))


def _finding(result: Result) -> Finding:
    probe, severity = result.probe, _SEVERITY[result.verdict]
    if result.verdict is ProbeOutcome.EXPECTED:
        what = f"{probe.question} Expected and observed: {probe.expected} ({probe.basis})."
        return Finding(severity, probe.id, "as-expected", what)
    expected = f"{probe.question} Expected: {probe.expected} ({probe.basis})."
    if result.problem:
        return Finding(severity, probe.id, "not-told", f"{expected} Not told: {result.problem}")
    what = f"{expected} Observed: {result.observed}."
    if result.verdict is ProbeOutcome.HARMLESS:
        return Finding(severity, probe.id, "harmless", f"{what} Nothing depends on it.")
    return Finding(severity, probe.id, "otherwise", what, result.advice)


def not_tested() -> list[Finding]:
    """Return a note for each point that is not tested, with how to test it by hand."""
    return [
        Finding(
            Severity.NOTE,
            point.id,
            "not-tested",
            f"{point.question} Not tested: {point.why}. What depends on it: {point.matters} By hand: {point.how}",
        )
        for point in BY_HAND
    ]


def as_values(outcome: Outcome) -> dict[str, Any]:
    """Return everything for `--json`.

    A pool that could not be deleted is under `not_deleted`, so that a program can do it.
    """
    return {
        "results": [_result_as_values(result) for result in outcome.results],
        "not_tested": [asdict(point) for point in BY_HAND],
        "not_deleted": [asdict(pool) for pool in outcome.left],
    }


def _result_as_values(result: Result) -> dict[str, Any]:
    probe = result.probe
    return {
        "id": probe.id,
        "question": probe.question,
        "expected": probe.expected,
        "basis": str(probe.basis),
        "observed": result.observed or None,
        "verdict": str(result.verdict),
        "choose": result.advice or None,
        "problem": result.problem or None,
    }


def conclusion(outcome: Outcome) -> str:
    """Return the last line of the output: how many results of each kind, and what to do."""
    counts = Counter(result.verdict for result in outcome.results)
    said = ", ".join(f"{counts[verdict]} {verdict}" for verdict in ProbeOutcome if counts[verdict])
    if outcome.has(ProbeOutcome.CHOOSE):
        return f"{said}. Nothing was adapted: set what the remedies say."
    if outcome.has(ProbeOutcome.UNTOLD):
        return f"{said}. Mend what is said there, and ask again."
    return f"{said}. No setting need be another."


@dataclass(frozen=True, slots=True)
class ByHand:
    """A question that is not tested.

    `why` it is not, `how` a person would test it, and what `matters`: what depends on it.
    """

    id: str
    question: str
    why: str
    how: str
    matters: str


BY_HAND = (
    ByHand(
        "confirmed.mail",
        "Whether a CONFIRMED user with a verified e-mail address gets a code by ForgotPassword, and in by it.",
        _MAIL,
        "In a pool of your own, for a mailbox of your own: admin-create-user --message-action SUPPRESS with "
        "email_verified=true, admin-set-user-password --permanent, forgot-password, confirm-forgot-password.",
        "Whoever is not captured comes back this way alone.",
    ),
    ByHand(
        "reset.sign-in",
        "What signing in answers in RESET_REQUIRED, also with PreventUserExistenceErrors.",
        _MAIL,
        "After admin-reset-user-password, for a mailbox of your own: initiate-auth by USER_PASSWORD_AUTH.",
        "The app opens forgot-password after PasswordResetRequiredException; let it do so after another answer, too, "
        "if that is the one.",
    ),
    ByHand(
        "custom-auth.reset",
        "Whether CUSTOM_AUTH lets a user in RESET_REQUIRED in.",
        f"{_FUNCTION}, and it sends a mail",
        "With the trigger attached to a pool of your own, after admin-reset-user-password: initiate-auth --auth-flow "
        "CUSTOM_AUTH.",
        "Nothing: the trigger captures nobody in that status, whatever Cognito does.",
    ),
    ByHand(
        "custom-auth.expired",
        "Whether CUSTOM_AUTH works in FORCE_CHANGE_PASSWORD when the temporary password has expired.",
        f"{_FUNCTION}, and it takes a day",
        "With the trigger attached, and TemporaryPasswordValidityDays=1, a day after admin-create-user.",
        "Nothing: `run` leaves nobody in that status.",
    ),
    ByHand(
        "custom-auth.pre-auth",
        "Whether PreAuthentication runs in CUSTOM_AUTH.",
        _FUNCTION,
        "With a PreAuthentication function of yours that logs, and the trigger: initiate-auth --auth-flow CUSTOM_AUTH.",
        "If your own PreAuthentication refuses users, it may not refuse them there.",
    ),
    ByHand(
        "pre-auth.set-password",
        "Whether a password that PreAuthentication sets counts in the same sign-in.",
        _FUNCTION,
        "With such a function on a pool of your own.",
        _UNUSED,
    ),
    ByHand(
        "migration.answers",
        "What becomes of a sign-in when UserMigration answers a sub, an attribute that the schema lacks, or the "
        "literal RESET_REQUIRED; and when somebody else makes the user meanwhile.",
        _FUNCTION,
        "With a UserMigration function of yours on a pool of your own: initiate-auth by USER_PASSWORD_AUTH.",
        "Nothing: the trigger answers none of these, and claims a person before it answers.",
    ),
    ByHand(
        "migration.managed-login",
        "Which triggers follow UserMigration in managed login, and whether the first token has the groups.",
        _FUNCTION,
        "With the trigger attached to a pool of your own that has managed login: sign in once, and look at the token's "
        "cognito:groups and at the functions' logs.",
        "If the groups are not in it, let managed login's users cross by `run`, and reset their passwords.",
    ),
    ByHand(
        "listing.token-life",
        "How long a page token of ListUsers lives.",
        "it takes an hour",
        "Ask for a page, and for the next an hour later.",
        "Nothing: a listing whose token has expired begins anew.",
    ),
    ByHand(
        "groups.most",
        "What the hundred-and-first group of a user answers.",
        "it takes 200 calls",
        "create-group and admin-add-user-to-group in a pool of your own.",
        "Nothing: such a user is named as failed.",
    ),
    ByHand(
        "groups.active",
        "Whether AdminListGroupsForUser makes a user monthly active.",
        "only the bill tells",
        "Call it in a month in which nobody signs in, and read the bill.",
        "If so, and your old pool has many idle users: `groups: {read: group}`.",
    ),
    ByHand(
        "import.hash",
        "What CSV import with the hash of a random secret leaves: status, ForgotPassword, monthly active users.",
        "it needs a role and a file",
        "create-user-import-job with PasswordHashingAlgorithm, in a pool of your own.",
        _UNUSED,
    ),
    ByHand(
        "federation",
        "Links to identity providers, of disabled users as well; whether a linked user who never came from there can "
        "sign in with a password; and profiles of federated users.",
        "it needs an identity provider",
        "admin-link-provider-for-user in a pool of your own with a provider; then initiate-auth.",
        "If they cannot, let linked users come from their provider first. Refused links are conflicts, tried again.",
    ),
    ByHand(
        "mfa.preference",
        "Whether AdminSetUserMFAPreference is refused in RESET_REQUIRED and UNCONFIRMED.",
        "it needs a sender of SMS, and a mail",
        "admin-set-user-mfa-preference in a pool of your own.",
        _UNUSED,
    ),
)
