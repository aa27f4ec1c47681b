"""Bring the groups into the target: make what is missing, and carry over what the old pool changed since."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from batch.inventory.baseline import BaselineTable, Kept
from batch.inventory.inventory import Inventory, decoded
from batch.inventory.snapshot import Snapshot
from batch.plan.after_cutover import Cutover
from batch.plan.three_way import CHANGED_THERE, Conflict
from batch.plan.user_plan import DEFERRED, Context
from batch.run.journal import PENDING
from batch.runtime.progress_bar import ProgressBars
from userpool.errors import FatalError, SettingsError, UnansweredError, UserError
from userpool.pool import UserPool
from userpool.user import Group

_UNDEFINED = "could not be taken from the group in the new pool, which can only be given another"
_OWED = (
    "SELECT DISTINCT m.group_name FROM plan p JOIN memberships m ON m.sub = p.sub "  # noqa: S608 -- a constant
    f"LEFT JOIN progress r ON r.sub = p.sub WHERE ({PENDING}) OR p.reason = ?"
)


@dataclass(slots=True)
class Grouped:
    """How many groups were made, and how many got another definition."""

    made: int = 0
    updated: int = 0


class Grouping:
    """Makes and changes groups. Safe to kill and to repeat."""

    def __init__(
        self, target: UserPool, inventory: Inventory, context: Context, *, stop: threading.Event, progress: ProgressBars
    ) -> None:
        self._target = target
        self._inventory = inventory
        self._context = context
        self._stop = stop
        self._progress = progress
        self._grouped = Grouped()

    def run(self) -> Grouped:
        """Make the groups that the target lacks, and change those that it has as they were applied."""
        wanted = groups_wanted(self._inventory, self._context)
        there = {group.name: group for page in self._target.groups() for group in page}
        missing = [group for name, group in wanted.items() if name not in there]
        if missing and not self._context.rules.groups.create:
            names = ", ".join(group.name for group in missing)
            raise SettingsError(
                f"groups.create is false and the target lacks: {names}. Create them there, or drop them."
            )
        with self._progress.bar("groups", total=len(missing)) as bar:
            for group in missing:
                if self._stop.is_set():
                    return self._grouped
                self._make(group)
                bar.advance(1)
        if self._context.rules.groups.create:
            for group in [*groups_to_update(self._inventory, wanted)]:
                if group.name in there and not self._stop.is_set():
                    self._change(group, there[group.name])
        self._take_baselines(wanted, there)
        return self._grouped

    def _make(self, group: Group) -> None:
        try:
            made = self._target.create_group(group)
        except UnansweredError:
            raise
        except UserError as error:
            raise FatalError(f"{error} The group {group.name} cannot be created: correct, rename or drop it.") from None
        with self._inventory.transaction():
            self._inventory.execute(
                "INSERT OR REPLACE INTO target_groups (name, made, definition) VALUES (?, ?, ?)",
                (group.name, int(made), _definition(group)),
            )
        self._grouped.made += made

    def _change(self, wanted: Group, there: Group) -> None:
        """Give a group its new definition, unless the target has changed it: then the target's stays."""
        conflict = ""
        if not differing_fields(wanted, there):
            pass
        elif differing_fields(applied_definition(self._inventory, wanted.name) or wanted, there):
            conflict = CHANGED_THERE
        else:
            try:
                there = self._target.update_group(wanted)
            except UserError as error:
                raise FatalError(
                    f"{error} The group {wanted.name} cannot be changed: correct, rename or drop it."
                ) from None
            self._grouped.updated += 1
            conflict = _UNDEFINED if differing_fields(wanted, there) else ""
        self._record(wanted, conflict)

    def _record(self, wanted: Group, conflict: str) -> None:
        with self._inventory.transaction():
            self._inventory.execute(
                "UPDATE target_groups SET definition = ? WHERE name = ?", (_definition(wanted), wanted.name)
            )
            name = f"group {wanted.name}"
            self._inventory.execute("DELETE FROM conflicts WHERE sub = '' AND name = ?", (name,))
            if conflict:
                BaselineTable(self._inventory).record(Kept("", (Conflict(name, conflict),)), 0)

    def _take_baselines(self, wanted: Mapping[str, Group], there: Mapping[str, Group]) -> None:
        """Let what is wanted now count as applied to a group that was there already: what differs is the target's."""
        rows = [(name, _definition(group)) for name, group in wanted.items() if name in there]
        with self._inventory.transaction():
            self._inventory.execute_many(
                "INSERT INTO target_groups (name, made, definition) VALUES (?, 0, ?) "
                "ON CONFLICT (name) DO UPDATE SET definition = coalesce(definition, excluded.definition)",
                rows,
            )


def groups_wanted(inventory: Inventory, context: Context) -> Mapping[str, Group]:
    """Return the groups that the target ought to have, by name there.

    After the cut-over only those that somebody is still owed, as they were; a deferred profile, too, by its sign-in.
    """
    defined = groups_defined(inventory, context)
    if Cutover.of(inventory) is None:
        return defined
    owed = context.rules.groups.target_names(name for (name,) in inventory.execute(_OWED, (DEFERRED,)))
    return {name: applied_definition(inventory, name) or group for name, group in defined.items() if name in owed}


def groups_defined(inventory: Inventory, context: Context) -> Mapping[str, Group]:
    """Return the groups of the old pool as they would be in the target, by name there."""
    wanted = {}
    for group in Snapshot(inventory).groups():
        name = context.rules.groups.target_name(group.name)
        if name is not None:
            wanted[name] = Group(name, group.description, group.precedence, group.role_arn)
    return wanted


def groups_to_update(inventory: Inventory, wanted: Mapping[str, Group]) -> Iterator[Group]:
    """Yield the groups whose definition is not what was applied last."""
    for name, group in wanted.items():
        applied = applied_definition(inventory, name)
        if applied is not None and differing_fields(group, applied):
            yield group


def applied_definition(inventory: Inventory, name: str) -> Group | None:
    """Return the definition that was applied last, if that is known."""
    row = inventory.execute("SELECT definition FROM target_groups WHERE name = ?", (name,)).fetchone()
    return Group(name, *decoded(row[0])) if row and row[0] is not None else None


def differing_fields(one: Group, other: Group) -> str:
    """Name the fields of two definitions that differ; an empty description is none."""
    fields = {
        "description": (one.description or None, other.description or None),
        "precedence": (one.precedence, other.precedence),
        "role": (one.role_arn, other.role_arn),
    }
    return ", ".join(name for name, (mine, theirs) in fields.items() if mine != theirs)


def _definition(group: Group) -> str:
    return json.dumps([group.description, group.precedence, group.role_arn], ensure_ascii=False)
