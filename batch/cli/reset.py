"""The command `reset`: list the users that never signed in, close their old passwords, or send them codes."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from batch.campaign.campaign import Campaign, CampaignSummary, Today, standing
from batch.campaign.end_capture import letting, require_own
from batch.campaign.journal import CampaignRecords
from batch.campaign.mailing_lists import ExportSummary, Files, export
from batch.campaign.recipients import DEFAULT_MAILS, MAIL, SMS, Budget, CodeState, Turn, day_of
from batch.campaign.send_code import SendingCodes
from batch.cli.session import Session, session
from batch.cli.terminal import Day, Exit, Number, as_json_option, confirm, say, tell
from batch.cutover.way_back import first_run
from batch.inventory.milestones import Cutover
from batch.inventory.runs import counting
from batch.ledger.table import ledger_table
from batch.plan.cohort import Cohort
from batch.runtime.progress_bar import ProgressBars
from batch.runtime.stopping import INTERRUPTED
from batch.runtime.text import SHOWN
from batch.settings.prices import AS_OF, Prices
from userpool.cohort import CohortRules
from userpool.errors import SettingsError
from userpool.ledger import Ledger
from userpool.ledger_table import LedgerTable
from userpool.plural import plural

_ONLY_WITH = {
    "export": ("per_day", "first", "output", "help_desk", "force"),
    "close_by": ("yes", "limit"),
    "send_codes": ("yes", "limit", "mail_per_day", "sms_per_day"),
}
_WITHOUT_LEDGER = (
    "Only a ledger knows who still waits for a first sign-in, and this migration has none: nobody's password is "
    "captured, and everybody resets theirs by forgot-password. Write to those of `cognito-migrate export map`."
)
_BY = {MAIL: "e-mail", SMS: "SMS"}


@click.command("reset")
@click.option("--export", "to_export", is_flag=True, help="List who still waits, for your own mailing.  [default]")
@click.option("--close-by", type=Day(), help="From this day on (UTC), let their old passwords count no more.")
@click.option("--send-codes", is_flag=True, help="Let Cognito send each a code to choose a password with.")
@click.option("--group", "groups", multiple=True, help="Only members of this group of the old pool; may be repeated.")
@click.option("--file", "names", type=click.Path(), help="Only those whose old user names or subs it has, one a line.")
@click.option("--per-day", type=Number(1), help="Give each a day for the mailing, so many a day.")
@click.option("--from", "first", type=Day(), help="The first such day.  [default: today, UTC]")
@click.option("--output", default="reset.csv", show_default=True, help="The list.")
@click.option("--help-desk", default="help-desk.csv", show_default=True, help="The list of whom no code can reach.")
@click.option("--force", is_flag=True, help="Replace the files if they are there.")
@click.option(
    "--mail-per-day",
    type=Number(0),
    default=DEFAULT_MAILS,
    show_default=True,
    help="With --send-codes, so many e-mails a day (UTC) at most.",
)
@click.option(
    "--sms-per-day",
    type=Number(0),
    default=0,
    show_default=True,
    help="With --send-codes, so many SMS a day (UTC) at most.",
)
@click.option("--limit", type=Number(1), help="So many persons at most.")
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@as_json_option
@click.pass_context
def reset(
    context: click.Context, /, *, groups: tuple[str, ...], names: str | None, as_json: bool, **options: Any
) -> None:
    """Lead those who never signed in to a new password: list them, close the capture, or send codes."""
    mode = _mode(context, options)
    action = "reset" if mode == "export" else f"reset --{mode.replace('_', '-')}"
    with session(context.obj, "reset", action=action) as now:
        if now.migration.config.ledger is None:
            raise SettingsError(_WITHOUT_LEDGER)
        table = ledger_table(now.migration.config, stop=now.stop, agent=now.migration.agent)
        # Before the survey, which reads the whole ledger: a scheduler may call this every day.
        if mode == "close_by" and _is_early(now, options["close_by"], as_json=as_json):
            sys.exit(Exit.STOPPED_EARLY)
        # Before anything is read: another migration's ledger would name other people.
        require_own(table, now.inventory)
        records = CampaignRecords(now.inventory, now.migration.context)
        cohort = Cohort(now.inventory, CohortRules(groups=groups, file=names), groups_by="--group", file_by="--file")
        records.survey(Ledger(table), cohort, ProgressBars(), now=now.migration.target_now())
        match mode:
            case "export":
                _export(now, records, options, as_json=as_json)
            case "close_by":
                _close(now, table, records, options, as_json=as_json)
            case _:
                _send(now, table, records, options, as_json=as_json)


def _mode(context: click.Context, options: dict[str, Any]) -> str:
    """Return what to do.

    Raises SettingsError for two things at once, and for an option that belongs to another thing.
    """
    modes = {"export": options["to_export"], "close_by": options["close_by"], "send_codes": options["send_codes"]}
    # Listing is the default, because it changes nothing.
    chosen = [name for name, wanted in modes.items() if wanted] or ["export"]
    if len(chosen) > 1:
        raise SettingsError("One at a time: --export, --close-by or --send-codes.")
    others = {name for names in _ONLY_WITH.values() for name in names} - set(_ONLY_WITH[chosen[0]])
    for parameter in context.command.params:
        # Only what was typed counts: most of these options have defaults.
        if parameter.name in others and context.get_parameter_source(parameter.name) is ParameterSource.COMMANDLINE:
            raise SettingsError(f"{parameter.opts[0]} is not for --{chosen[0].replace('_', '-')}: leave it out.")
    if options["first"] and not options["per_day"]:
        raise SettingsError("--from is the first day of --per-day: give both.")
    return chosen[0]


def _is_early(now: Session, day: date, *, as_json: bool) -> bool:
    """Return whether the day is still to come, and say so. A scheduler can call this every day.

    Raises SettingsError for a day before anybody could sign in, which is a wrong year.
    """
    today = day_of(now.migration.target_now())
    if day < (began := _began(now, today)):
        raise SettingsError(
            f"--close-by {day} is in the past: nobody could sign in to the new pool before {began}. Nothing was "
            "changed. Give that day or a later one (UTC), as YYYY-MM-DD."
        )
    if today < day:
        said = f"Nothing is closed before {day} (UTC); today is {today}."
        say(lambda: asdict(CampaignSummary(let_go=0, over=True)), lambda: [said], as_json=as_json)
    return today < day


def _began(now: Session, today: date) -> date:
    """Return the day of the cut-over, or of the first run if there was none. Today if nothing was run."""
    cutover = Cutover.of(now.inventory)
    at = cutover.at if cutover else first_run(now.inventory)
    return today if at is None else day_of(at)


def _export(now: Session, records: CampaignRecords, options: dict[str, Any], *, as_json: bool) -> None:
    files = Files(Path(options["output"]), Path(options["help_desk"]), options["force"])
    per_day, first = options["per_day"], options["first"] or day_of(now.migration.target_now())
    target = now.migration.target
    now.begin()
    # The new pool says now which addresses are verified. The plan only knows what the old pool said.
    records.look(target.pool, ProgressBars(), about=target.description.estimated_users)
    summary = export(records, target.description.recovery, files, first=first, per_day=per_day)
    now.record.counts = asdict(summary)
    say(lambda: asdict(summary), lambda: export_lines(summary, files), as_json=as_json)


def _close(
    now: Session, table: LedgerTable, records: CampaignRecords, options: dict[str, Any], *, as_json: bool
) -> None:
    total = records.waiting()
    if total:
        _tell(before_closing(total, now.migration.config.target.user_pool_id))
        confirm("Close the capture for them?", yes=options["yes"])
        now.begin()
    # The question comes before the lease: nobody should hold it while a person thinks.
    with letting(table, now.inventory, now=now.migration.target_now) as closing:
        campaign = _campaign(now, records)
        with counting(now.record, lambda: _counts(campaign.summary)):
            summary = campaign.close(closing, limit=options["limit"], total=total)
    _end(records, summary, as_json=as_json)


def _send(
    now: Session, table: LedgerTable, records: CampaignRecords, options: dict[str, Any], *, as_json: bool
) -> None:
    migration = now.migration
    # With `admin_only` Cognito refuses every code, so nobody is asked and nobody is closed.
    recovery = migration.target.description.recovery
    if not recovery:
        raise SettingsError(
            f"In {migration.target.pool.pool_id} only administrators reset passwords (its account recovery is "
            "`admin_only`), so Cognito sends nobody a code: write to whom `cognito-migrate reset` lists yourself."
        )
    per_day = {MAIL: options["mail_per_day"], SMS: options["sms_per_day"]}
    found = standing(records.queue(), recovery, migration.target_now())
    spent = records.spent()
    money = migration.config.prices or Prices()
    today = day_of(migration.target_now())
    _tell(before_sending(found, per_day, spent, money, today=today, counts=records.counts()))
    # Nothing to send needs no yes: everyone has a later day, or cannot be reached.
    if found.channels or found.turns[Turn.ASK]:
        confirm("Send the codes?", yes=options["yes"])
        now.begin()
    budget = Budget(per_day, spent, options["limit"])
    with letting(table, now.inventory, now=migration.target_now) as let:
        sending = SendingCodes(
            migration.target.pool,
            let,
            budget,
            recovery=recovery,
            now=migration.target_now,
        )
        total = _most(found, budget, now)
        campaign = _campaign(now, records)
        with counting(now.record, lambda: _counts(campaign.summary)):
            summary = campaign.send(sending, budget, recovery, total)
    _end(records, summary, as_json=as_json)


def _most(found: Today, budget: Budget, now: Session) -> int:
    """Return how many messages there can be at most today, for the progress bar."""
    today = day_of(now.migration.target_now())
    # What exceeds the numbers of a day goes out on later days.
    return sum(min(number, budget.left(by, today)) for by, number in found.channels.items())


def _campaign(now: Session, records: CampaignRecords) -> Campaign:
    return Campaign(
        now.inventory,
        records,
        now=now.migration.target_now,
        workers=now.migration.writers,
        stop=now.stop,
        progress=ProgressBars(),
        succeeded=now.migration.target.pool.last_success,
    )


def _tell(said: Iterator[str]) -> None:
    for line in said:
        tell(line)


def _counts(summary: CampaignSummary) -> dict[str, Any]:
    # `why` has user names, and the history of runs keeps nobody's.
    return {name: value for name, value in asdict(summary).items() if name != "why"}


def _end(records: CampaignRecords, summary: CampaignSummary, *, as_json: bool) -> None:
    values = {**asdict(summary), "campaign": records.counts()}
    say(lambda: values, lambda: run_lines(summary), as_json=as_json)
    if summary.stopped:
        sys.exit(INTERRUPTED)
    # Before "unfinished": what needs a person must not hide behind "call again tomorrow".
    if summary.failed or summary.refused or summary.doubtful:
        sys.exit(Exit.FAILED)
    if summary.is_unfinished:
        sys.exit(Exit.STOPPED_EARLY)


def before_closing(total: int, pool: str) -> Iterator[str]:
    """Yield what closing does, before the question."""
    yield (
        f"{plural(total, 'user still waits', 'users still wait')} for a first sign-in to {pool}. Their "
        "old passwords would count no more;"
    )
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
    """Yield how many messages there will be, by which way, what they cost and how many days they take."""
    each = {MAIL: prices.mail, SMS: prices.sms}
    yield (
        f"{plural(found.channels.total(), 'user still waits', 'users still wait')} for a first sign-in, "
        "and can be sent a code:"
    )
    for by, number in sorted(found.channels.items()):
        most, out = per_day.get(by, 0), spent.get((today, by), 0)
        # Rounded up: the last day may be a short one.
        takes = (
            plural(-(-number // most), "day")
            if most
            else f"nobody, without --{'mail' if by == MAIL else 'sms'}-per-day"
        )
        yield (
            f"{number:>9}  by {_BY[by]}, about ${number * each[by]:,.2f}; at most {most} a day (UTC), "
            f"{out} went out today: {takes}"
        )
    yield f"(Prices: {AS_OF} or `prices`.) Their old passwords count no more from then on, and they have to choose one."
    if waiting := found.turns[Turn.HELP_DESK]:
        yield f"{waiting} cannot be reached by a code: `cognito-migrate reset` lists them."
    if later := found.turns[Turn.LATER]:
        yield f"{plural(later, 'waits', 'wait')} for the day that they were given."
    for reason, number in found.left_out.items():
        yield f"{plural(number, 'is', 'are')} left out: {reason}."
    if doubtful := counts.get(CodeState.DOUBTFUL, 0):
        yield f"{doubtful} of earlier runs may have been sent one, and are sent none again."


def export_lines(summary: ExportSummary, files: Files) -> Iterator[str]:
    """Yield which lists were written, and who is in neither."""
    yield (
        f"Wrote {plural(summary.mailing, 'user who still waits', 'users who still wait')} for a first "
        f"sign-in to {files.mailing}."
    )
    if summary.let_go:
        yield (
            f"{plural(summary.let_go, 'of them was', 'of them were')} let go and sent no code (`reset`): "
            "they have to choose a password."
        )
    yield f"Wrote {summary.help_desk} whom somebody has to look at, each with the reason, to {files.help_desk}."
    if summary.days:
        first, last = next(iter(summary.days)), next(reversed(summary.days))
        without = summary.mailing - sum(summary.days.values())
        yield f"Days: {first} to {last}" + (f"; {plural(without, 'has', 'have')} none (--per-day)." if without else ".")
    for reason, number in summary.left_out.items():
        yield f"{plural(number, 'is', 'are')} in neither: {reason}."


def run_lines(summary: CampaignSummary) -> Iterator[str]:
    """Yield what a run did, why single users were left, and how to go on."""
    yield from _done_lines(summary)
    for reason, number in sorted(summary.left.items()):
        yield f"{number} left as they are: each {reason}."
    for name, why in list(summary.why.items())[:SHOWN]:
        yield f"  {name}: {why}"
    yield from _left_lines(summary)


def _done_lines(summary: CampaignSummary) -> Iterator[str]:
    if summary.let_go is not None:
        yield f"Closed {plural(summary.let_go, 'user')}: their old passwords count no more."
    else:
        yield (
            f"Sent {plural(summary.sent, 'code')}; {summary.doubtful} more may have been sent, and are not sent again."
        )
    if summary.refused:
        yield (
            f"{plural(summary.refused, 'was', 'were')} refused by Cognito; they can use forgot-password, "
            "or the help desk sees to them."
        )
    if summary.held:
        yield (
            f"{plural(summary.held, 'was', 'were')} let go and sent nothing: a later run tries again, after the others."
        )
    if summary.failed:
        yield f"{summary.failed} could not be looked at; a rerun tries again."


def _left_lines(summary: CampaignSummary) -> Iterator[str]:
    if summary.ended:
        yield f"Ended, since the next ones would be refused too: {summary.ended}"
    if summary.capturing:
        yield f"{plural(summary.capturing, 'is', 'are')} signing in for the first time just now: rerun in a minute."
    if summary.is_unfinished:
        when = "" if summary.let_go is not None else ", once a day has numbers left, or has come"
        yield f"More is left: the same command goes on{when}."
