"""Say in words what the campaign is about to do, and what it did. Knows neither terminals nor files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date

from batch.campaign.campaign import CampaignSummary, Today
from batch.campaign.mailing_lists import ExportSummary, Files
from batch.campaign.recipients import MAIL, SMS, CodeState, Turn
from batch.settings.prices import AS_OF, Prices

_SHOWN = 20
_BY = {MAIL: "e-mail", SMS: "SMS"}


def before_closing(total: int, pool: str) -> Iterator[str]:
    """Say what closing does."""
    yield f"{total} users still wait for a first sign-in to {pool}. Their old passwords would count no more;"
    yield "they are told nothing, and choose a new one by forgot-password."


def before_sending(
    found: Today,
    per_day: Mapping[str, int],
    spent: Mapping[tuple[date, str], int],
    prices: Prices,
    *,
    today: date,
    counts: Mapping[str, int],
) -> Iterator[str]:
    """Say how many messages there will be, by which way, what they cost, and how long they take."""
    each = {MAIL: prices.mail, SMS: prices.sms}
    yield f"{found.channels.total()} users still wait for a first sign-in, and can be sent a code:"
    for by, number in sorted(found.channels.items()):
        most, out = per_day.get(by, 0), spent.get((today, by), 0)
        takes = f"{-(-number // most)} days" if most else f"nobody, without --{'mail' if by == MAIL else 'sms'}-per-day"
        yield (
            f"{number:>9}  by {_BY[by]}, about ${number * each[by]:,.2f}; at most {most} a day (UTC), "
            f"{out} went out today: {takes}"
        )
    yield f"(Prices: {AS_OF} or `prices`.) Their old passwords count no more from then on, and they have to choose one."
    if waiting := found.turns[Turn.HELP_DESK]:
        yield f"{waiting} cannot be reached by a code: `cognito-migrate reset` lists them."
    if later := found.turns[Turn.LATER]:
        yield f"{later} wait for the day that they were given."
    for reason, number in found.left_out.items():
        yield f"{number} are left out: {reason}."
    if doubtful := counts.get(CodeState.DOUBTFUL, 0):
        yield f"{doubtful} of earlier runs may have been sent one, and are sent none again."


def export_lines(summary: ExportSummary, files: Files) -> Iterator[str]:
    """Say what was written."""
    yield f"Wrote {summary.mailing} users who still wait for a first sign-in to {files.mailing}."
    if summary.let_go:
        yield f"{summary.let_go} of them were let go and sent no code (`reset`): they have to choose a password."
    yield f"Wrote {summary.help_desk} whom somebody has to look at, each with the reason, to {files.help_desk}."
    if summary.days:
        first, last = next(iter(summary.days)), next(reversed(summary.days))
        without = summary.mailing - sum(summary.days.values())
        yield f"Days: {first} to {last}" + (f"; {without} have none (--per-day)." if without else ".")
    for reason, number in summary.left_out.items():
        yield f"{number} are in neither: {reason}."


def run_lines(summary: CampaignSummary) -> Iterator[str]:
    """Say what a run did, and what to do next."""
    yield from _done_lines(summary)
    for reason, number in sorted(summary.left.items()):
        yield f"{number} left as they are: each {reason}."
    for name, why in list(summary.why.items())[:_SHOWN]:
        yield f"  {name}: {why}"
    yield from _left_lines(summary)


def _done_lines(summary: CampaignSummary) -> Iterator[str]:
    if summary.let_go is not None:
        yield f"Closed {summary.let_go} users: their old passwords count no more."
    else:
        yield f"Sent {summary.sent} codes; {summary.doubtful} more may have been sent, and are not sent again."
    if summary.refused:
        yield f"{summary.refused} were refused by Cognito; they can use forgot-password, or the help desk sees to them."
    if summary.held:
        yield f"{summary.held} were let go and sent nothing: a later run tries again, after the others."
    if summary.failed:
        yield f"{summary.failed} could not be looked at; a rerun tries again."


def _left_lines(summary: CampaignSummary) -> Iterator[str]:
    if summary.ended:
        yield f"Ended, since the next ones would be refused too: {summary.ended}"
    if summary.capturing:
        yield f"{summary.capturing} are signing in for the first time just now: rerun in a minute."
    if summary.is_unfinished:
        when = "" if summary.let_go is not None else ", once a day has numbers left, or has come"
        yield f"More is left: the same command goes on{when}."
