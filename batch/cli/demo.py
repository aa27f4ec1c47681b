"""The commands `demo` and `sandbox`. Both need an extra, and say so if it is not installed."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from batch.cli.init import write
from batch.cli.terminal import Number
from batch.settings.config import template
from userpool.errors import SettingsError

if TYPE_CHECKING:
    from sandbox.with_trigger import Place  # an extra


@click.command()
@click.option("--users", type=Number(20, 5000), default=500, show_default=True, help="How many to make up.")
@click.pass_context
def demo(context: click.Context, users: int) -> None:
    """Migrate a made-up pool on this machine: no AWS account, no credentials, under a minute."""
    try:
        from sandbox.demo import run_demo  # noqa: PLC0415 -- the sandbox is an extra
    except ImportError:
        raise SettingsError("The demo needs the sandbox: pip install 'cognito-migrate[sandbox]'.") from None
    sys.exit(run_demo(users, partial(context.find_root().command.main, standalone_mode=False)))


@click.command(
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
    sys.exit(serve(options, _write_config))


def _write_config(place: Place) -> Path:
    """Write the configuration of a rehearsal with the trigger, and return where it is. Nothing is replaced."""
    path = Path("config.yaml")
    content = template(place.old_pool, place.new_pool, endpoint_url=place.endpoint_url, ledger=place.table)
    try:
        write(path, content, option="--config")
    except SettingsError as error:
        raise ValueError(str(error)) from None
    return path
