"""The commands `demo` and `sandbox`. Both need an extra, and say so if it is not installed."""

from __future__ import annotations

import sys
from functools import partial

import click

from userpool.errors import SettingsError


@click.command()
@click.option("--users", type=click.IntRange(20, 5000), default=500, show_default=True, help="How many to make up.")
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
    sys.exit(serve(options))
