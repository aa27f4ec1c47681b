"""Make the report: one HTML page that needs nothing else. The one file that knows Jinja2.

It loads nothing, and a Content-Security-Policy says so to the browser: only the page's own style and script are
allowed, by their digests. Every value is escaped, by default.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files

import jinja2

from batch.inventory.runs import config_digest, user_agent
from batch.ledger.count import LedgerCount
from batch.report import page as words
from batch.report import page_pictures as svg
from batch.report.page_calls import Section, Series, sections, series
from batch.report.page_facts import SHOWN, PageFacts
from batch.runtime.days import day
from batch.runtime.text import duration
from batch.settings.config import Config

GENERATOR = '<meta name="generator" content="cognito-migrate'
"""What stands near the beginning of every report, and tells it from other files."""

_MOST_DAYS_LISTED = 14
_NONE = "\N{EN DASH}"


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
    """Return the page. `unread` is why the ledger is not counted; `names` tells whether users are named in `facts`."""
    style, script = _file("page.css"), _file("page.js")
    rows = words.outcome_rows(facts.outcomes)
    states = words.state_rows(counted) if counted else []
    by_day = words.waiting_by_day(counted) if counted else []
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
        plan=facts.plan,
        outcomes=rows,
        outcome_slices=words.slices(rows),
        counted=counted,
        unread=unread,
        states=states,
        state_slices=words.slices(states),
        by_day=by_day,
        listed_days=[*reversed(by_day)][:_MOST_DAYS_LISTED],
        steps=[*words.next_steps(facts, counted)],
        all_calls=_calls(facts),
    )


def _calls(facts: PageFacts) -> list[Calls]:
    owners = sorted({owner for owner, _ in facts.calls})
    found = []
    for owner in owners:
        of_owner = {category: some for (whose, category), some in facts.calls.items() if whose == owner}
        placed = sections(one for some in of_owner.values() for one in some)
        found.append(Calls(owner, placed, {category: series(some, placed) for category, some in of_owner.items()}))
    return found


def _policy(style: str, script: str) -> str:
    """Return the Content-Security-Policy: nothing but these."""
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
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"moment": _moment, "day": _day, "duration": duration, "counts": words.counts_words}
    environment.globals |= {"svg": svg, "PROBLEMS": words.PROBLEMS}
    return environment.from_string(_file("page.html.jinja"))


def _moment(seconds: float | None) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M}" if seconds else _NONE


def _day(seconds: float | None) -> str:
    return str(day(seconds)) if seconds else _NONE
