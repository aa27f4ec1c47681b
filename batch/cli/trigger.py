"""The commands `trigger package`, `attach`, `detach` and `test`, about the function of the new pool."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Literal

import click

from batch.cli.terminal import Exit, as_json_option, mfa_users_option, say, show, tell
from batch.cli.trigger_attach import attach, detach
from batch.lambda_trigger.diagnosis import AsDeployed, diagnose
from batch.lambda_trigger.findings import DiagnosisStep, as_values, conclusion, first_wrong
from batch.lambda_trigger.package import HANDLER, Package, build, environment
from batch.settings import config as configuration
from batch.settings.config import Config
from userpool.errors import SettingsError

_COSTS = (
    "Proving the password is a sign-in to the old pool: a wrong one counts towards its lockout, the user becomes a "
    "monthly active user there, the pool's own triggers run, and an MFA code may be sent."
)


@click.group("trigger")
def trigger() -> None:
    """Pack the function of the new pool, attach it, and ask why it does not capture somebody."""


trigger.add_command(attach)
trigger.add_command(detach)


@trigger.command("package")
@click.option(
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("cognito-migrate-trigger.zip"),
    show_default=True,
    help="Where the zip is written; one that is there is replaced.",
)
@as_json_option
@click.pass_obj
def package(config_path: Path, output: Path, *, as_json: bool) -> None:
    """Write the zip for AWS Lambda, and say which settings the function needs."""
    # The zip is the same for every migration, so it can be made before there is a configuration.
    config = configuration.load(config_path) if config_path.exists() else None
    made = build()
    try:
        output.write_bytes(made.content)
    except OSError as error:
        raise SettingsError(f"{output} cannot be written ({error.strerror}): name another with --output.") from None
    needed = environment(config)
    values = {"name": str(output), "bytes": len(made.content), "sha256": made.sha256}
    say(
        lambda: {**values, "handler": HANDLER, "environment": needed},
        lambda: _package_lines(output, made, config, needed),
        as_json=as_json,
    )


def _package_lines(output: Path, made: Package, config: Config | None, needed: dict[str, str | None]) -> Iterator[str]:
    yield f"Wrote {output}: {len(made.content):,} bytes, sha256 {made.sha256}"
    yield f"Handler {HANDLER}, Python 3.11 or newer, 512 MB, timeout 5 seconds. Its environment:"
    for name, value in needed.items():
        yield f"  {name}={'<to be filled in>' if value is None else shlex.quote(value)}"
    if config is None:
        yield "There is no configuration here to take more of them from; docs/trigger.md lists all."


@trigger.command("test")
@click.option("--username", required=True, help="What the user types to sign in.")
@click.option("--password-stdin", is_flag=True, help="Prove the password, read from stdin up to the end of its line.")
@click.option("--client-id", envvar="SOURCE_CLIENT_ID", show_envvar=True, help="The old pool's app client.")
@click.option(
    "--secret-arn",
    envvar="SOURCE_CLIENT_SECRET_ARN",
    show_envvar=True,
    help="Where its secret is, if it has one.",
)
@mfa_users_option
@as_json_option
@click.pass_obj
def explain(
    config_path: Path,
    username: str,
    *,
    password_stdin: bool,
    client_id: str | None,
    secret_arn: str | None,
    mfa_users: Literal["reset", "capture"],
    as_json: bool,
) -> None:
    """Say why a user is, or is not, captured. Changes nothing in the new pool or the ledger."""
    deployed = AsDeployed(client_id or None, secret_arn or None, mfa_users)
    findings: list[DiagnosisStep] = []
    config = configuration.load(config_path)
    for finding in diagnose(config, username, deployed, partial(_password, from_stdin=password_stdin)):
        findings.append(finding)
        # Each step is shown when it is known: the walk may take a while, and may end at a question.
        if not as_json:
            show(str(finding))
    say(lambda: as_values(findings), lambda: [f"\n{conclusion(findings)}"], as_json=as_json)
    if first_wrong(findings):
        sys.exit(Exit.DIFFERENT)


def _password(*, from_stdin: bool) -> str | None:
    """Return the password, after saying what proving it costs. None if nobody gives one."""
    if from_stdin:
        tell(_COSTS)
        # Only the end of the line goes: a password may end in blanks.
        return sys.stdin.readline().rstrip("\r\n") or None
    # Without a terminal nobody can be asked. A script passes --password-stdin.
    if not sys.stdin.isatty():
        return None
    tell(_COSTS)
    given: str = click.prompt(
        "The old password (nothing: do not prove it)", hide_input=True, default="", show_default=False, err=True
    )
    return given or None
