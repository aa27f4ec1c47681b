"""The HTML page: what each number means, what to do next, and the rendering. Pure: it reads only its own files."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple

import jinja2

from batch.inventory.runs import config_digest, user_agent
from batch.ledger.count import LedgerCount
from batch.plan.losses import MFA_IGNORED
from batch.report import page_pictures as svg
from batch.report.next_step import PLAN, RUN, SCAN, NextStep
from batch.report.page_facts import SHOWN, PageFacts
from batch.report.page_pictures import Section, Series, Slice, sections, series
from batch.runtime.text import day, duration
from batch.settings.config import Config
from userpool.person import PersonState
from userpool.plural import plural

OUTCOMES: Mapping[str, tuple[str, str]] = {
    "done": ("done", "in the new pool, with attributes and memberships"),
    "changed": ("changed since", "in the new pool; the old one changed since, and a run carries that over"),
    "begun": ("begun", "created, not finished: a run goes on there"),
    "create": ("to be created", "a run creates them"),
    "failed": ("failed", "somebody has to look; the reasons are below"),
    "collide": ("collision", "would be one account with another user: a person decides"),
    "blocked": ("blocked", "cannot be created as things are; the reasons are below"),
    "skip": ("left out", "by a rule or a decision"),
    "gone": ("deleted", "were brought over and deleted in the new pool; they stay deleted"),
    "unplanned": ("not planned", "scanned since the last plan"),
}
PROBLEMS: Mapping[str, str] = {
    "taken": "The name or alias is another user's in the new pool: rename or delete that one, or give this one another "
    "name in the file of decisions; then run.",
    "rejected": "Cognito refused the user: mend what the reason names in the old pool or in config.yaml, then scan "
    "and run.",
    "unanswered": "Cognito gave no answer: the next run looks whether the user is there, and goes on.",
    "signing-in": "Their own sign-in is bringing them over just now: no failure.",
    "undoing": "undo began with them and did not end: rerun it.",
    "gone": "Deleted in the new pool by somebody: they stay deleted.",
}
STATES: Mapping[PersonState, str] = {
    PersonState.HELD: "refused at sign-in until a person decides or a rule changes",
    PersonState.KNOWN: "not in the new pool yet: their own sign-in creates them, or a run",
    PersonState.CREATING: "a run is creating them",
    PersonState.PENDING: "in the new pool; the first sign-in captures the password",
    PersonState.CAPTURING: "a sign-in is capturing the password now",
    PersonState.MIGRATING: "their own sign-in is creating them now",
    PersonState.CAPTURED: "sign in with the password that they had",
    PersonState.RESET: "have chosen a new password, or choose one by forgot-password",
    PersonState.DEFERRED: "federated; their own sign-in brings them back, with groups and old sub",
    PersonState.RETURNED: "federated, and came back",
}
GENERATOR = '<meta name="generator" content="cognito-migrate'
"""The text near the beginning of every page. By it `report` tells its own file from others before it replaces one."""
_MOST_DAYS_LISTED = 14
_NONE = "\N{EN DASH}"


class OutcomeRow(NamedTuple):
    """A number of users, what they are, and what that means. `kind` decides colour and pattern."""

    kind: str
    label: str
    number: int
    meaning: str = ""


def outcome_rows(outcomes: Mapping[str, int]) -> list[OutcomeRow]:
    """Return what became of all users, in the order of the migration.

    An unknown kind comes last, under its own name.
    """
    named = ((kind, *OUTCOMES.get(kind, (kind, ""))) for kind in sorted(outcomes, key=_place))
    return [OutcomeRow(kind, label, outcomes[kind], meaning) for kind, label, meaning in named]


def _place(kind: str) -> int:
    return [*OUTCOMES, kind].index(kind)


def state_rows(counted: LedgerCount) -> list[OutcomeRow]:
    """Return the persons of the ledger by state, in the order in which a person goes through the states."""
    return [
        OutcomeRow(state, str(state), counted.states[state], STATES[state])
        for state in PersonState
        if state in counted.states
    ]


def slices(rows: Iterable[OutcomeRow]) -> list[Slice]:
    """Return the rows as parts of a picture, without their meaning."""
    return [Slice(row.kind, row.label, row.number) for row in rows]


def waiting_by_day(counted: LedgerCount) -> list[tuple[str, list[Slice]]]:
    """Return for each day how many users were captured, reset, and still waiting at its end.

    Counted back from today, of the persons that the ledger knows today and that are neither held nor federated. Days
    before anything happened are left out.
    """
    captured, reset = (counted.states.get(state, 0) for state in (PersonState.CAPTURED, PersonState.RESET))
    others = sum(
        counted.states.get(state, 0) for state in (PersonState.HELD, PersonState.DEFERRED, PersonState.RETURNED)
    )
    waiting = counted.persons - others - captured - reset
    found = []
    # The ledger stores when a person settled, not how many waited on a day. So the days are counted back from the
    # numbers of today: what settled on a day was still waiting the evening before.
    for date, settled in reversed(counted.settled.items()):
        numbers = {PersonState.CAPTURED: captured, PersonState.RESET: reset, PersonState.PENDING: waiting}
        found.append((date, [Slice(state, str(state), number) for state, number in numbers.items()]))
        captured -= settled.get(PersonState.CAPTURED, 0)
        reset -= settled.get(PersonState.RESET, 0)
        waiting += sum(settled.values())
    return _from_the_first(found[::-1], counted.settled)


def _from_the_first(
    found: list[tuple[str, list[Slice]]], settled: Mapping[str, Mapping[str, int]]
) -> list[tuple[str, list[Slice]]]:
    """Leave out the days before the first capture or reset, but keep at least a week."""
    first = next((place for place, day in enumerate(settled) if settled[day]), len(found))
    return found[min(max(0, first - 1), max(0, len(found) - 7)) :]


def next_steps(facts: PageFacts, counted: LedgerCount | None) -> Iterator[NextStep]:
    """Yield what to do, the most urgent step first."""
    standing, scan = facts.standing, facts.standing.scan
    # Nothing that follows is true of a pool that was only partly read.
    if scan.completed is None:
        yield NextStep("The scan of the old pool is not complete.", SCAN)
        return
    if not standing.actions:
        yield NextStep("Nothing is planned yet.", PLAN)
        return
    if facts.plan is None or facts.plan["scan"] != scan.number:
        yield NextStep("The plan was made of an earlier scan, or by an earlier version.", PLAN)
    yield from _about_users(facts)
    if standing.left:
        time = f", {duration(standing.estimate.seconds)} at the configured pace" if standing.estimate else ""
        yield NextStep(f"{plural(standing.left, 'user is', 'users are')} left to do{time}.", RUN)
    elif not facts.failures.total:
        yield NextStep("Nothing is left to do: compare the new pool with the plan.", "cognito-migrate verify")
    if counted and (pending := counted.states.get(PersonState.PENDING, 0)):
        yield NextStep(
            f"{plural(pending, 'person waits', 'persons wait')} for the first sign-in. If one fails, ask why.",
            "cognito-migrate trigger test --username NAME",
        )


def _about_users(facts: PageFacts) -> Iterator[NextStep]:
    if colliding := facts.standing.colliding:
        yield NextStep(
            f"{plural(colliding, 'user')} would be one account with another, and a person decides who gets it: fill in "
            "the file, and name it in config.yaml, under collisions.",
            "cognito-migrate export collisions",
        )
    if facts.failures.total:
        yield NextStep(f"{plural(facts.failures.total, 'user')} failed.", "cognito-migrate export failed")
    if facts.blocked:
        said = plural(facts.blocked, "user is blocked", "users are blocked")
        yield NextStep(f"{said}: mend what the reasons name.", "cognito-migrate export blocked")
    if facts.without_reset_channel:
        yield NextStep(
            f"{plural(facts.without_reset_channel, 'user')} cannot reset a password alone, because no verified e-mail "
            "address or phone number gets the code: tell your help desk.",
            "cognito-migrate export no-reset-channel",
        )


def counts_words(counts: Mapping[str, Any]) -> str:
    """Return what a run did, in words: the counts that are not 0, those of parts in brackets."""
    words = []
    for name, value in counts.items():
        # A bool is an int in Python: True would become "1".
        if isinstance(value, bool) or not value:
            continue
        if isinstance(value, int):
            words.append(f"{name.replace('_', ' ')} {value:,}")
        elif isinstance(value, dict) and (inner := counts_words(value)):
            words.append(f"{name.replace('_', ' ')} ({inner})")
    return ", ".join(words)


@dataclass(frozen=True, slots=True)
class Calls:
    """The calls of one owner of quotas (an account in a Region), by category, on one line of time."""

    owner: str
    placed: Sequence[Section]
    categories: Mapping[str, Series]


def page(
    config: Config,
    facts: PageFacts,
    counted: LedgerCount | None,
    unread: str | None,
    *,
    names: bool,
    made: float,
    title: str | None = None,
) -> str:
    """Return the page as HTML. `unread` is why the ledger could not be counted.

    `names` says whether `facts` name users.
    """
    style, script = _file("page.css"), _file("page.js")
    rows = outcome_rows(facts.outcomes)
    states = state_rows(counted) if counted else []
    by_day = waiting_by_day(counted) if counted else []
    return _template().render(
        title=title or f"Migration of {config.source.user_pool_id} to {config.target.user_pool_id}",
        policy=_policy(style, script),
        style=style,
        script=script,
        version=user_agent().removeprefix("cognito-migrate/"),
        config=config,
        config_digest=config_digest(config),
        made=made,
        names=names,
        most=SHOWN,
        facts=facts,
        standing=facts.standing,
        mfa_ignored=MFA_IGNORED.format(mfa=facts.standing.mfa_ignored),
        plan=facts.plan,
        outcomes=rows,
        outcome_slices=slices(rows),
        counted=counted,
        unread=unread,
        states=states,
        state_slices=slices(states),
        by_day=by_day,
        listed_days=[*reversed(by_day)][:_MOST_DAYS_LISTED],
        steps=[*next_steps(facts, counted)],
        all_calls=_calls(facts),
    )


def _calls(facts: PageFacts) -> list[Calls]:
    owners = sorted({owner for owner, _ in facts.calls})
    found = []
    for owner in owners:
        of_owner = {category: some for (whose, category), some in facts.calls.items() if whose == owner}
        # All categories of an owner share the sections, so that their pictures can be compared by eye.
        placed = sections(one for some in of_owner.values() for one in some)
        found.append(Calls(owner, placed, {category: series(some, placed) for category, some in of_owner.items()}))
    return found


def _policy(style: str, script: str) -> str:
    """Return the Content-Security-Policy: only this style and this script, by digest, and nothing from elsewhere."""
    return (
        f"default-src 'none'; style-src '{_digest(style)}'; script-src '{_digest(script)}'; base-uri 'none'; "
        "form-action 'none'"
    )


def _digest(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def _file(name: str) -> str:
    return files("batch.report").joinpath(name).read_text(encoding="utf-8")


@cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        # User names come from strangers: escaped always, and a misspelt name in the template fails instead of leaving a
        # gap.
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "moment": _moment,
        "day": _day,
        "duration": duration,
        "counts": counts_words,
        "plural": plural,
    }
    environment.globals |= {"svg": svg, "PROBLEMS": PROBLEMS}
    return environment.from_string(_file("page.html.jinja"))


def _moment(seconds: float | None) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M}" if seconds else _NONE


def _day(seconds: float | None) -> str:
    return str(day(seconds)) if seconds else _NONE
