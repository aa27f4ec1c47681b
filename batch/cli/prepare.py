"""The command `prepare`: give the new pool the attributes and groups that it lacks, each after a person's yes."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from batch.check.prepare import Lacking, attribute_command, attribute_in_words, lacking, template_line
from batch.cli.session import refuse_by_file
from batch.cli.terminal import as_json_option, say
from batch.pools.connect import pool_to_manage, pools_to_look_at
from batch.pools.managed_pool import ManagedPool
from batch.settings import config as configuration
from batch.settings.config import Config
from userpool.attributes import Attribute
from userpool.errors import SettingsError
from userpool.groups import GroupNames, made_for_providers
from userpool.plural import plural
from userpool.settings import PoolSettings
from userpool.user import Group


@click.command("prepare")
@click.option("--dry-run", is_flag=True, help="Say what is lacking, with the commands that add it; change nothing.")
@click.option("--yes", is_flag=True, help="Do not ask: add everything that is lacking.")
@as_json_option
@click.pass_obj
def prepare(config_path: Path, *, dry_run: bool, yes: bool, as_json: bool) -> None:
    """Add to the new pool the custom attributes and groups that it lacks. `check` says what else is to be done."""
    config = configuration.load(config_path)
    if not dry_run:
        refuse_by_file(config, "prepare")
    stop = threading.Event()
    source, _ = pools_to_look_at(config, stop=stop)
    target = pool_to_manage(config, stop=stop)
    found = lacking(
        config.rules,
        source.describe().schema,
        target.describe().schema,
        names=GroupNames(config.groups, made_for_providers(source.pool_id, source.identity_providers())),
        old_groups=[group for page in source.groups() for group in page],
        new_groups=[group for page in target.groups() for group in page],
    )
    # With nothing to add nobody has to confirm.
    if found and not (dry_run or yes or sys.stdin.isatty()):
        raise SettingsError("Nobody is there to confirm: pass --yes, or --dry-run to look only.")
    # A list and not the generator: everything is added before the first line is printed.
    added = [] if dry_run else [*_added(target, found, yes=yes)]

    def values() -> dict[str, Any]:
        return {**asdict(found), "added": added, "dry_run": dry_run}

    say(values, lambda: _lines(config, found, added, dry_run=dry_run), as_json=as_json)


def _added(target: ManagedPool, found: Lacking, *, yes: bool) -> Iterator[str]:
    """Add each attribute and group that a person says yes to. Yields the names of what was added."""
    for attribute in found.attributes:
        # Asked one by one, because Cognito never takes an attribute back.
        question = f"Add the attribute {attribute_in_words(attribute)}? It can never be changed or removed."
        if yes or click.confirm(question, err=True):
            target.add_attribute(attribute)
            yield attribute.name
    for group in found.groups:
        if yes or click.confirm(_group_question(group), err=True):
            target.create_group(group)
            yield f"group {group.name}"


def _group_question(group: Group) -> str:
    role = f" with the role {group.role_arn}" if group.role_arn else ""
    return f"Create the group {group.name}{role}?"


def _lines(config: Config, found: Lacking, added: list[str], *, dry_run: bool) -> Iterator[str]:
    pool_id = config.target.user_pool_id
    for name, reason in found.refused:
        yield f"{name} cannot be added: it {reason}."
    if not found:
        besides = ", besides what cannot be added" if found.refused else ""
        yield f"{pool_id} has every attribute and group that this migration needs{besides}."
    elif dry_run:
        yield from _dry_lines(config.target, found)
    else:
        lacking_still = len(found.attributes) + len(found.groups) - len(added)
        yield f"Added to {pool_id}: {', '.join(added) or 'nothing'}."
        if lacking_still:
            yield f"{plural(lacking_still, 'is', 'are')} lacking still; the same command asks again."
    if not dry_run and any(":" in name for name in added):
        yield "If a template owns the pool, add the attributes there as well, just as they are."
    yield "Everything else: cognito-migrate check"


def _dry_lines(pool: PoolSettings, found: Lacking) -> Iterator[str]:
    for attribute in found.attributes:
        yield from _attribute_lines(pool, attribute)
    for group in found.groups:
        yield f"Lacking: the group {group.name}. `cognito-migrate run` creates it as well (groups.create)."


def _attribute_lines(pool: PoolSettings, attribute: Attribute) -> Iterator[str]:
    yield f"Lacking: {attribute_in_words(attribute)}"
    yield f"  {attribute_command(pool, attribute)}"
    yield f"  or, where CloudFormation owns the pool, one more of its Schema: {template_line(attribute)}"
