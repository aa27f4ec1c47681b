"""The command line. A command reads its options, wires the parts, runs one of them and says the result.

Results go to stdout, everything else to stderr. The one file that knows click.
"""

from __future__ import annotations

import sqlite3
import sys
import threading
from dataclasses import asdict
from pathlib import Path

import click

from batch.cli.check import check
from batch.cli.cutover import cutover
from batch.cli.export import COMMANDS as LOOKING
from batch.cli.finish import finish
from batch.cli.forget import forget
from batch.cli.init import init
from batch.cli.plan import plan, show_plan
from batch.cli.prepare import prepare
from batch.cli.report import make_report
from batch.cli.reset import reset
from batch.cli.run import carry_out, leave
from batch.cli.scan import scan
from batch.cli.session import session
from batch.cli.sync import sync
from batch.cli.terminal import Exit, as_json_option, connect_from_file, exit_code, ignore_window_option, say, tell
from batch.cli.trigger import trigger
from batch.cli.undo import undo
from batch.cli.verify import compare_pools
from batch.inventory.inventory import Inventory, explain
from batch.ledger.close import close
from batch.plan.plan import make_plan
from batch.plan.summary import PlanSummary
from batch.pools.connect import Migration, ledger_table
from batch.runtime import text as report
from batch.runtime.stopping import INTERRUPTED, StoppedError
from batch.settings.window import ClosedError
from userpool.errors import MigrationError, SettingsError
from userpool.ledger import Ledger

_EPILOG = """\b
Exit codes: 0 all well · 1 some users failed · 2 usage or settings · 3 fatal (access denied, no such pool,
a cut-over too early, a sync that would change too much) · 4 stopped early by --limit, window, or a day's numbers
(reset), rerun to go on · 5 differences, findings, or people left (finish) · 6 another run holds the inventory or
ledger · 130 interrupted
"""


@click.group(epilog=_EPILOG, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.option(
    "--config",
    "config_path",
    type=click.Path(path_type=Path),
    default=Path("config.yaml"),
    show_default=True,
    help="The configuration file.",
)
@click.version_option(package_name="cognito-migrate")
@click.pass_context
def cli(context: click.Context, config_path: Path) -> None:
    """Replace an Amazon Cognito user pool: scan the old one, plan, run, verify. Every step can be repeated."""
    context.obj = config_path


@cli.command()
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@click.option("--limit", type=click.IntRange(min=1), help="Bring over so many users at most.")
@click.option("--plan", "digest", help="Run only if the plan still has this digest.")
@click.option("--disable-gone", is_flag=True, help="Disable who left the old pool and was never used in the new one.")
@ignore_window_option
@as_json_option
@click.pass_obj
def run(
    config_path: Path,
    *,
    yes: bool,
    limit: int | None,
    digest: str | None,
    disable_gone: bool,
    ignore_window: bool,
    as_json: bool,
) -> None:
    """Create in the new pool what the plan says and is not done yet, and carry over what changed since."""
    with session(config_path, "run", backup=True, in_window=not ignore_window) as now:
        planned = make_plan(now.inventory, now.migration.context, now.migration.decisions())
        now.record.plan_digest = planned.digest
        _approve(now.migration, now.inventory, planned, yes=yes, digest=digest)
        carried = carry_out(now, limit=limit, disable_gone=disable_gone)
        now.record.counts = dict(carried.values)
        summary, failed = carried.summary, carried.failed
        say(lambda: report.run_json(summary, failed), lambda: report.run_lines(summary, failed), as_json=as_json)
        leave(now, carried)


@cli.command("close")
@click.argument("user")
@as_json_option
@click.pass_obj
def close_user(config_path: Path, user: str, *, as_json: bool) -> None:
    """Let the old password of USER, by a name of the new pool, count no more: after AdminSetUserPassword, say."""
    stop = threading.Event()
    migration = connect_from_file(config_path, stop)
    ledger = Ledger(ledger_table(migration.config, stop=stop))
    closed = close(user, migration.target.pool, ledger, migration.context.marker, now=migration.target_now())
    say(lambda: asdict(closed), lambda: report.close_lines(closed), as_json=as_json)


@cli.command()
@as_json_option
@click.pass_obj
def verify(config_path: Path, *, as_json: bool) -> None:
    """Compare the new pool with the plan, field by field. Neither pool is changed."""
    with session(config_path, "verify") as now:
        migration = now.migration
        planned = make_plan(now.inventory, migration.context, migration.decisions())
        now.record.plan_digest = planned.digest
        summary = compare_pools(now)
        now.record.counts = dict(summary.counts)
        say(lambda: asdict(summary), lambda: report.verify_lines(summary), as_json=as_json)
        if summary.differences:
            sys.exit(Exit.DIFFERENT)


@cli.command()
@click.option("--users", type=click.IntRange(20, 5000), default=500, show_default=True, help="How many to make up.")
def demo(users: int) -> None:
    """Migrate a made-up pool on this machine: no AWS account, no credentials, under a minute."""
    try:
        from batch.cli.demo import run_demo  # noqa: PLC0415 -- the sandbox is an extra
    except ImportError:
        raise SettingsError("The demo needs the sandbox: pip install 'cognito-migrate[sandbox]'.") from None
    sys.exit(run_demo(users))


@cli.command(
    "sandbox",
    add_help_option=False,
    context_settings={"ignore_unknown_options": True},
    help="Serve a local Cognito on this machine, to rehearse on. `sandbox --help` lists its options.",
)
@click.argument("options", nargs=-1, type=click.UNPROCESSED)
def serve_sandbox(options: tuple[str, ...]) -> None:
    """Hand the options on: the sandbox is a program of its own, and an extra."""
    try:
        from sandbox.__main__ import main as serve  # noqa: PLC0415 -- an extra
    except ImportError:
        raise SettingsError("The sandbox is an extra: pip install 'cognito-migrate[sandbox]'.") from None
    sys.exit(serve(options))


cli.add_command(check)
cli.add_command(cutover)
cli.add_command(finish)
cli.add_command(forget)
cli.add_command(init)
cli.add_command(plan)
cli.add_command(prepare)
cli.add_command(make_report)
cli.add_command(reset)
cli.add_command(scan)
cli.add_command(sync)
cli.add_command(trigger)
cli.add_command(undo)
for looking in LOOKING:
    cli.add_command(looking)


def _approve(
    migration: Migration, inventory: Inventory, planned: PlanSummary, *, yes: bool, digest: str | None
) -> None:
    if digest and digest != planned.digest:
        raise SettingsError(
            f"The plan is not the one approved: its digest is {planned.digest}. Look at it with `cognito-migrate plan`."
        )
    if yes or digest:
        return
    if not sys.stdin.isatty():
        raise SettingsError("Nobody is there to confirm: pass --yes, or --plan DIGEST of an approved plan.")
    show_plan(migration, inventory, planned)
    click.confirm(f"Go on, and change {migration.config.target.user_pool_id}?", abort=True, err=True)


def main() -> None:
    """Run the command line; every foreseen error is one sentence and an exit code."""
    try:
        cli.main(standalone_mode=False)
    except (click.Abort, KeyboardInterrupt):
        tell("Nothing was begun.")
        sys.exit(INTERRUPTED)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except MigrationError as error:
        tell(str(error) if isinstance(error, StoppedError | ClosedError) else f"Error: {error}")
        sys.exit(exit_code(error))
    except sqlite3.Error as error:
        known = explain(error, "The inventory")
        tell(f"Error: {known}")
        sys.exit(exit_code(known))
    except OSError as error:  # a full disk, mostly, to which the output goes
        what = error.filename or "The output"
        tell(f"Error: {what} cannot be written or read ({error.strerror or error}): mend that, and run it again.")
        sys.exit(Exit.FATAL)
