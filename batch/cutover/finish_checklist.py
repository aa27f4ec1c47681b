"""What is still in the way of the end of a migration, and what somebody has to look at before it.

Values in, values out. The counts come from the inventory, the ledger and the new pool.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field

from batch.ledger.count import KEEP_OUT, KEPT_OUT
from userpool.errors import SettingsError
from userpool.person import PersonState
from userpool.plural import plural
from userpool.terms import FRESH_SECONDS

DETACH = "cognito-migrate trigger detach --capture ARN --gate ARN --apply (if one function is both: --function ARN)"
_OPEN = {
    PersonState.PENDING: ("wait for a first sign-in", "cognito-migrate reset"),
    PersonState.KNOWN: ("are known to the ledger and not in the new pool", "cognito-migrate sync"),
    PersonState.CREATING: ("are being created", "cognito-migrate sync"),
    PersonState.CAPTURING: ("are signing in for the first time", "rerun this in a minute"),
    PersonState.MIGRATING: ("began to come over by their own sign-in, and did not end it", "cognito-migrate sync"),
    PersonState.DEFERRED: ("are federated profiles that have not come back", "cognito-migrate export deferred"),
}


@dataclass(frozen=True, slots=True)
class Remaining:
    """What is left to do.

    `people` counts everybody of whom something is left, each once: one person may be in several of the other numbers.
    `states` counts the persons of the ledger by state. `owing` counts those of them who are owed memberships. `again`
    counts persons who have to reset their password once more. `kept_out` counts disabled profiles of other providers.
    `attached` are the triggers of the new pool that call functions. `clients` are app clients of the new pool that may
    send a password.
    """

    cut_over: bool
    people: int = 0
    to_create: int = 0
    to_change: int = 0
    failed: int = 0
    states: Mapping[PersonState, int] = field(default_factory=dict)
    owing: int = 0
    again: int = 0
    kept_out: int = 0
    has_ledger: bool = True
    attached: Collection[str] = ()
    clients: Collection[str] = ()


@dataclass(frozen=True, slots=True)
class ChecklistItem:
    """A line of the checklist. `left` counts what is in the way. With 0, somebody has to look at the line."""

    said: str
    remedy: str
    left: int = 0


def checklist(standing: Remaining) -> Iterator[ChecklistItem]:
    """Yield what is in the way, then what has to be done or looked at."""
    if standing.to_create:
        yield ChecklistItem("are still to be created in the new pool", "cognito-migrate sync", standing.to_create)
    # After the cut-over, changes of the old pool are not carried over any more, so they are in nobody's way.
    if standing.to_change and not standing.cut_over:
        yield ChecklistItem("are still to be changed there", "cognito-migrate sync", standing.to_change)
    if standing.failed:
        yield ChecklistItem("failed", "cognito-migrate export failed", standing.failed)
    # All states that are not final, except `held`: held persons are left out on purpose.
    for state, (said, remedy) in _OPEN.items():
        if count := standing.states.get(state, 0):
            yield ChecklistItem(said, remedy, count)
    if standing.owing:
        yield ChecklistItem(
            "are owed memberships, which their next token gives them", "cognito-migrate status", standing.owing
        )
    if standing.again:
        yield ChecklistItem(
            "have to reset their password once more: the old one may stand, and the function alone refuses it",
            "forgot-password (docs/security.md, Windows that remain)",
            standing.again,
        )
    yield from _to_look_at(standing)


def _to_look_at(standing: Remaining) -> Iterator[ChecklistItem]:
    if held := standing.states.get(PersonState.HELD, 0):
        said = plural(held, "person is held", "persons are held")
        yield ChecklistItem(f"{said}: left out by a rule, a collision or a decision.", "cognito-migrate export held")
    if standing.kept_out:
        yield ChecklistItem(KEPT_OUT.format(count=standing.kept_out), KEEP_OUT)
    if standing.has_ledger:
        yield ChecklistItem(
            "No fault in the last days? The trigger's dashboard, or its metric `Faults`, says so.",
            "docs/trigger.md, Logs and metrics",
        )
    if standing.attached:
        names = ", ".join(sorted(standing.attached))
        yield ChecklistItem(
            f"Functions are attached to the new pool: {names}. Those of the migration are detached after the end.",
            DETACH,
        )
    if standing.clients:
        names = ", ".join(sorted(standing.clients))
        yield ChecklistItem(
            f"App clients that may still send the password itself: {names}. They can go back to SRP.",
            "let the apps use USER_SRP_AUTH, then take ALLOW_USER_PASSWORD_AUTH from ExplicitAuthFlows",
        )
    yield ChecklistItem(
        "The old pool can be retired when nothing accepts its tokens any more, and nobody needs the way back.",
        "docs/runbook.md",
    )


class EndError(SettingsError):
    """Something is in the way of the end."""


def refuse_left(standing: Remaining, despite: int) -> None:
    """Raise EndError before the cut-over, or if more than `despite` people are left."""
    if not standing.cut_over:
        raise EndError("There was no cut-over yet: cognito-migrate cutover, when the new pool is in use.")
    left = standing.people
    if left > despite:
        raise EndError(
            f"{plural(left, 'person is', 'people are')} left, each counted once, though some stand in "
            "several lines above. To finish all the "
            f"same: --despite-left {left}; no old password counts after "
            "that, and nobody is created; what is owed is still given with a token while the function is attached, and "
            "forgot-password stays open."
        )


def refuse_purge(finished: float, now: float) -> None:
    """Raise SettingsError for two minutes after the end.

    So long, a function may go by the terms that it read before the end, and ask the old pool by user name.
    """
    # Twice the time for which a function keeps its terms, so that one that read them at the last moment has noticed.
    if now < finished + 2 * FRESH_SECONDS:
        raise SettingsError(
            "The migration was finished just now, and functions may take a minute to notice: rerun this in two minutes."
        )
