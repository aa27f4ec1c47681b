"""`scan`: read the old pool, and what was done if the inventory is lost."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from batch.cli.read_old_pool import read_old_pool
from batch.cli.rebuild_words import rebuilt_lines
from batch.cli.session import session
from batch.cli.status import cut_over_lines
from batch.cli.terminal import as_json_option, say
from batch.plan.after_cutover import Cutover
from batch.pools.connect import Migration
from batch.runtime import text as report
from batch.scan.rebuild import Rebuild, Rebuilt, rebuild_of
from batch.scan.scan import ScanSummary
from userpool.errors import SettingsError


@click.command()
@click.option("--rebuild", is_flag=True, help="The inventory is lost: find out what was done.")
@click.option("--give-missing", is_flag=True, help="With --rebuild, without a ledger: give what is missing.")
@as_json_option
@click.pass_obj
def scan(config_path: Path, *, rebuild: bool, give_missing: bool, as_json: bool) -> None:
    """Read the old pool into the inventory. It is not changed."""
    if give_missing and not rebuild:
        raise SettingsError("--give-missing goes with --rebuild: a run gives what the inventory knows to be missing.")
    with session(config_path, "scan", create=True, backup=True) as now:
        migration = now.migration
        rebuilding = rebuild_of(migration, now.inventory, stop=now.stop) if rebuild else None
        if rebuilding:
            rebuilding.begin()
        summary = read_old_pool(now)
        rebuilt = _rebuilt(rebuilding, migration, give_missing=give_missing) if rebuilding else None
        now.record.counts = _counts(summary, rebuilt)
        cutover = Cutover.of(now.inventory)
        say(lambda: _values(summary, rebuilt), lambda: _lines(summary, rebuilt, cutover), as_json=as_json)


def _rebuilt(rebuilding: Rebuild, migration: Migration, *, give_missing: bool) -> Rebuilt:
    return rebuilding.run(
        migration.read_memberships_by(migration.target),
        give_missing=give_missing,
        expected_users=migration.target.description.estimated_users,
    )


def _values(summary: ScanSummary, rebuilt: Rebuilt | None) -> dict[str, Any]:
    return asdict(summary) | ({"rebuilt": asdict(rebuilt)} if rebuilt else {})


def _counts(summary: ScanSummary, rebuilt: Rebuilt | None) -> dict[str, Any]:
    found = asdict(rebuilt) if rebuilt else {}
    counted = {name: len(value) if isinstance(value, list) else value for name, value in found.items()}
    return asdict(summary) | ({"rebuilt": counted} if rebuilt else {})


def _lines(summary: ScanSummary, rebuilt: Rebuilt | None, cutover: Cutover | None) -> Iterator[str]:
    yield from report.scan_lines(summary)
    yield from cut_over_lines(cutover.at if cutover else None)
    if rebuilt:
        yield from rebuilt_lines(rebuilt)
