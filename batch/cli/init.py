"""The command `init`: write a configuration for the migration, or for the way back."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from batch.cli.terminal import show
from batch.cutover.way_back import Newcomers, reverse, text
from batch.inventory.inventory import inventory_to_read
from batch.inventory.milestones import Cutover
from batch.inventory.stages import refuse
from batch.settings import config as configuration
from userpool.errors import SettingsError


@click.command()
@click.argument("old", required=False)
@click.argument("new", required=False)
@click.option("--endpoint-url", metavar="URL", help="The address of a stand-in for both pools, such as the sandbox.")
@click.option("--reverse", "is_reverse", is_flag=True, help="The way back, from the configuration and its cut-over.")
@click.option(
    "--output", type=click.Path(path_type=Path), help="With --reverse, the file.  [default: NAME-reverse.yaml]"
)
@click.pass_obj
def init(
    config_path: Path,
    old: str | None,
    new: str | None,
    *,
    endpoint_url: str | None,
    is_reverse: bool,
    output: Path | None,
) -> None:
    """Write a commented configuration for the pools with the ids OLD and NEW."""
    if is_reverse:
        if old:
            raise SettingsError("--reverse takes the pools from the configuration: leave the ids out.")
        if endpoint_url:
            raise SettingsError("--reverse takes the addresses from the configuration: leave --endpoint-url out.")
        path = output or config_path.with_name(f"{config_path.stem}-reverse{config_path.suffix}")
        write(path, _way_back(config_path, path), option="--output")
    elif old and new:
        if output:
            raise SettingsError("--output goes with --reverse: name the file with --config, before `init`.")
        path = config_path
        write(path, configuration.template(old, new, endpoint_url=endpoint_url), option="--config")
    else:
        raise SettingsError("Two pool ids are needed: cognito-migrate init OLD_ID NEW_ID.")
    words = f" --config {shlex.quote(str(path))}" if is_reverse else ""
    show(f"Wrote {path}. Next: cognito-migrate{words} check")


def _way_back(config_path: Path, path: Path) -> str:
    """Return the configuration of the way back. Raises SettingsError if no cut-over is recorded, or after a purge."""
    config = configuration.load(config_path)
    with inventory_to_read(config) as inventory:
        refuse(inventory, "init --reverse")
        cutover = Cutover.of(inventory)
        assert cutover  # noqa: S101 -- or it was refused
        newcomers = Newcomers.of(inventory, cutover, config.users.keep_sub_as)
    return text(config, reverse(config, newcomers), path.parent)


def write(path: Path, content: str, *, option: str) -> None:
    """Write a configuration. Raises SettingsError, naming the option for another name, if the file exists."""
    try:
        # Mode x never replaces: a configuration may hold decisions that are nowhere else.
        with path.open("x", encoding="utf-8") as file:
            file.write(content)
    except FileExistsError:
        raise SettingsError(f"{path} exists: remove it, or name another with {option}.") from None
    except OSError as error:
        raise SettingsError(f"{path} cannot be written ({error.strerror}): name another with {option}.") from None
