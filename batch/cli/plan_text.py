"""The words of a plan, or its JSON: what happens to which users, how long it takes, what it costs, what would help."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from batch.cli.terminal import cut_over_lines, spared_lines
from batch.plan.collisions import Contender
from batch.plan.losses import MFA_IGNORED
from batch.plan.summary import PlanSummary
from batch.plan.user_plan import Context
from batch.pools.connect import Migration
from batch.report.estimate import Estimate
from batch.report.outlook import AskingForFactors, Outlook, Peak
from batch.runtime.text import SHOWN, day, duration, more
from batch.settings.prices import AS_OF
from userpool.factors import PASSKEY, SECOND
from userpool.plural import plural

_ACTION_WORDS = {
    "create": "to be created",
    "update": "to be changed",
    "skip": "left out by rule",
    "collide": "in collisions: a person must decide",
    "blocked": "cannot be created as things are",
}


_CHANNELS = {"email": "e-mail", "phone_number": "phone number"}


@dataclass(frozen=True, slots=True)
class PlanText:
    """A plan, with all that is said about it. `contenders` are sets of users that would be one account."""

    migration: Migration
    summary: PlanSummary
    ahead: Outlook
    contenders: Sequence[Sequence[Contender]]


def plan_json(planned: PlanText) -> dict[str, Any]:
    """Return the plan for `--json`, with every collision."""
    context, ahead = planned.migration.context, asdict(planned.ahead)
    return {
        **asdict(planned.summary),
        "source_signs_in": str(context.naming.source),
        "target_signs_in": str(context.naming.target),
        "usernames": str(context.naming),
        "marker": context.marker,
        **ahead,
        "collisions": [[asdict(contender) for contender in some] for some in planned.contenders],
    }


def plan_lines(planned: PlanText) -> Iterator[str]:
    """Yield what a run would do and for which users it would not, with time and price."""
    summary, context = planned.summary, planned.migration.context
    naming, crossing = context.naming, context.rules.users.mfa == "preferences"
    yield f"Old pool: users sign in {naming.source}. New pool: {naming.target}."
    yield f"Their user names there: {naming}."
    yield from cut_over_lines(summary.cut_over)
    yield from _loss_lines(summary)
    yield ""
    for action, count in summary.actions.items():
        yield f"{count:>9}  {_ACTION_WORDS[action]}"
        for reason, users in summary.reasons.get(action, {}).items():
            yield f"{'':>11}{users} {reason}"
    if summary.gone:
        yield f"{summary.gone:>9}  not in the old pool any more: left as they are (run --disable-gone)"
    yield from spared_lines(summary.spared)
    yield from _notes(summary, context.recovery)
    if crossing:
        yield from _factor_lines(summary, context)
    if planned.ahead.asking:
        yield from _asking_lines(planned.ahead.mfa, planned.ahead.asking, crossing=crossing)
    yield from _collision_lines(planned.contenders)
    yield ""
    yield from _outlook_lines(planned.ahead)
    yield f"Digest of this plan: {summary.digest}"


def _loss_lines(summary: PlanSummary) -> Iterator[str]:
    """Yield what is lost, under a heading of its own: it comes before all that goes well."""
    if not (summary.losses or summary.mfa_ignored):
        return
    yield ""
    yield "Not created, or lost"
    for loss, users in summary.losses.by.items():
        yield f"{users:>9,}  {loss}"
    if summary.mfa_ignored:
        yield f"{'?':>9}  {MFA_IGNORED.format(mfa=summary.mfa_ignored)}"
    if summary.losses:
        yield summary.losses.where


def _notes(summary: PlanSummary, recovery: Sequence[str]) -> Iterator[str]:
    for name, users in summary.dropped.items():
        yield (
            f"Attribute {name}: the target has no place for the old value; "
            f"{plural(users, 'user loses', 'users lose')} it."
        )
    for name, users in summary.lacking.items():
        yield f"Attribute {name}: required in the target; {plural(users, 'user is', 'users are')} created without it."
    for name, role in summary.of_providers.items():
        lost = f"; its role is {role}: give it to the new one, once that is there" if role else ""
        yield f"Group {name} stays behind: Cognito made it for a provider, and makes one of the new pool{lost}."
        if natives := summary.natives.get(name):
            yield (
                f"  {natives} members of it are users of the pool's own, who lose the membership: groups.rename gives "
                "the group to them under another name."
            )
    if summary.links:
        yield f"Links to other identity providers: {_counted(summary.links)}."
    if summary.disabled:
        yield f"{plural(summary.disabled, 'of them is disabled, and stays', 'of them are disabled, and stay')} so."
    # A user whose only channel became a second factor is told in `_factor_lines`, unless nobody gets a code anyway.
    unreachable = summary.without_reset_channel - (summary.one_channel if recovery else 0)
    if unreachable:
        words = " or ".join(words for name, words in _CHANNELS.items() if name in recovery)
        why = f"have no verified {words}" if words else "get no code, since only administrators reset passwords there"
        yield (f"{unreachable} of them {why}: they cannot reset their password by themselves.")


def _asking_lines(mfa: str, asking: AskingForFactors, *, crossing: bool) -> Iterator[str]:
    if not crossing:
        yield (
            f"MFA is {mfa} in the old pool: no second factor crosses, and no listing tells who has one. "
            "With the trigger they reset their password instead of being captured (docs/trigger.md)."
        )
    asks = "Each scan asks" if crossing else "  With users.mfa: preferences each scan would ask"
    yield (
        f"{asks} for each of {plural(asking.users, 'user')}, in {duration(asking.seconds)}. That may "
        "make them monthly active "
        f"users of the old pool: about ${asking.dollars:,.0f} in each month with such a scan."
    )


def _factor_lines(summary: PlanSummary, context: Context) -> Iterator[str]:
    if summary.factors:
        yield f"Second factors that are set in the new pool: {_counted(summary.factors)}."
    # A factor that the new pool does not offer is lost unless it is offered first. Others are merely set up anew.
    for name, users in summary.enrol.items():
        if name in SECOND and name not in context.offered:
            yield (
                f"The new pool does not offer {name}: {plural(users, 'user')} would lose it. Offer it "
                "there, with the factors "
                "that it has already (SetUserPoolMfaConfig), and plan again."
            )
    if enrol := {name: users for name, users in summary.enrol.items() if name in {*context.offered, PASSKEY}}:
        yield f"Not to be carried, so users have to enrol anew: {_counted(enrol)} (cognito-migrate export re-enrol)."
    if summary.one_channel and context.recovery:
        yield (
            f"{summary.one_channel} of them get second factors where they would get the code to reset their password: "
            "Cognito sends none there, so they cannot reset it by themselves "
            "(cognito-migrate export no-second-channel)."
        )


def _counted(users: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in users.items())


def _collision_lines(contenders: Sequence[Sequence[Contender]]) -> Iterator[str]:
    if not contenders:
        return
    yield ""
    yield "Each of these sets would be one account in the target; none is created until a CSV decides (`collisions`):"
    for some in contenders[:SHOWN]:
        yield ""
        for one in some:
            state = one.status if one.enabled else f"{one.status}, disabled"
            groups = ", ".join(one.groups) or "no groups"
            yield f"  {one.username}  {state}, created {day(one.created)}, modified {day(one.modified)}; {groups}"
    yield from more(len(contenders))


def _outlook_lines(ahead: Outlook) -> Iterator[str]:
    if ahead.estimate.seconds:
        yield from _time_lines(ahead)
        yield ""
        yield from _money_lines(ahead)
    else:
        yield "Nothing is left to do."
    if len(ahead.reading) > 1:
        ways = ", ".join(f"{duration(seconds)} by {way}" for way, seconds in ahead.reading.items())
        yield f"Memberships take the next scan {ways} (groups.read)."
    if ahead.peak:
        yield from _peak_lines(ahead.peak)


def _time_lines(ahead: Outlook) -> Iterator[str]:
    yield f"{'quota category':<26}{'calls':>12}{'a second':>11}{'takes':>10}"
    for name, load in ahead.estimate.loads.items():
        yield f"{name:<26}{load.calls:>12,}{load.rps:>11.4g}{duration(load.seconds):>10}"
    slowest = ahead.estimate.slowest
    # None is "no window", which is not the same as none needed.
    nights = "" if ahead.nights is None else f", {ahead.nights} windows"
    yield f"They run at once, so it takes {duration(ahead.estimate.seconds)}{nights}; {slowest} is the slowest."
    for lever in ahead.levers:
        yield f"  {duration(lever.seconds)} with {lever.change}"


def _money_lines(ahead: Outlook) -> Iterator[str]:
    estimated: Estimate = ahead.estimate
    yield (
        f"Cost: {plural(estimated.mau, 'monthly active user')} in the new pool this month; about "
        f"${estimated.dollars:,.0f} on "
        f"the {ahead.feature_plan.capitalize()} plan (list price, {AS_OF}; set `prices` to yours)."
    )
    if estimated.ledger_writes:
        yield f"  That is with some {estimated.ledger_writes:,} writes to the ledger's table."
    sent = ahead.messages
    yield (
        f"  A creation sends no message. If all {sent.resets:,} who can reset their password do: about "
        f"${sent.by_mail:,.2f} by mail, ${sent.by_sms:,.2f} by SMS."
    )
    if sent.proofs:
        yield (
            "  At each proof of an old password the old pool sends an SMS to who has that factor: at most "
            f"${sent.of_proofs:,.2f}, if that is everybody and each comes once."
        )


def _peak_lines(peak: Peak) -> Iterator[str]:
    # Rounded down: the quota must not look greater than it is.
    most = int(peak.most_per_minute)
    yield (
        f"At {plural(peak.per_minute, 'first sign-in')} a minute: the quotas take {plural(most, 'capture')} a minute "
        f"({peak.category}), of the whole account."
    )
    if peak.cohorts > 1:
        yield (
            f"  Too many at once: cut over in {peak.cohorts} cohorts, an hour or more apart, or let the app try again "
            "after a while; who is refused is not lost, but sees an error."
        )
    else:
        yield "  That fits."
