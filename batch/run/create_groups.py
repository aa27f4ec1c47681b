"""Create the groups that the new pool lacks, and carry over what the old pool changed in the others since."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass

from batch.inventory.baseline import BaselineTable, Conflict, Kept
from batch.inventory.inventory import Inventory
from batch.plan.groups import Definition, differing_fields, groups_to_update, groups_wanted, old_names
from batch.plan.three_way import CHANGED_THERE
from batch.plan.user_plan import Context
from batch.runtime.progress_bar import ProgressBars
from userpool.errors import FatalError, SettingsError, UnansweredError, UserError
from userpool.pool import UserPool
from userpool.user import Group

_UNDEFINED = "could not be taken from the group in the new pool, which can only be given another"


@dataclass(slots=True)
class Grouped:
    """How many groups were created, and how many got another definition."""

    made: int = 0
    updated: int = 0


class Grouping:
    """Creates and changes groups of the new pool. Safe to kill and to repeat."""

    def __init__(
        self, target: UserPool, inventory: Inventory, context: Context, *, stop: threading.Event, progress: ProgressBars
    ) -> None:
        self._target = target
        self._inventory = inventory
        self._context = context
        self._stop = stop
        self._progress = progress
        self._old_names = old_names(inventory, context)
        self._grouped = Grouped()

    def run(self) -> Grouped:
        """Create the missing groups, and update those that still have the definition that this migration gave them.

        With `groups.create: false`, nothing is created or updated. Raises SettingsError if a group is missing then, and
        FatalError if Cognito refuses a group.
        """
        wanted = groups_wanted(self._inventory, self._context)
        there = {group.name: group for page in self._target.groups() for group in page}
        missing = [group for name, group in wanted.items() if name not in there]
        # Refused before any user is created. Otherwise the new users would lack memberships.
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
        # UnansweredError is a UserError too. It means that Cognito is silent, not that the group is wrong.
        except UnansweredError:
            raise
        except UserError as error:
            # Fatal, because without the group every one of its members would fail, one by one.
            raise FatalError(f"{error} The group {group.name} cannot be created: correct, rename or drop it.") from None
        with self._inventory.transaction():
            self._inventory.execute(
                "INSERT OR REPLACE INTO target_groups (name, made, definition, old_name) VALUES (?, ?, ?, ?)",
                (group.name, int(made), _definition(group), self._old_names.get(group.name)),
            )
        self._grouped.made += made

    def _change(self, wanted: Group, there: Group) -> None:
        """Give a group its new definition. If the new pool has changed the group, its own definition stays."""
        conflict = ""
        known = Definition.of(self._inventory, wanted.name)
        changed_there = known.changed_there(there)
        if not differing_fields(wanted, there):
            self._begin(wanted, written=False, theirs=known.theirs or changed_there)
        elif known.theirs or changed_there:
            conflict = CHANGED_THERE
        else:
            self._begin(wanted, written=True, theirs=False)
            try:
                there = self._target.update_group(wanted)
            except UserError as error:
                raise FatalError(
                    f"{error} The group {wanted.name} cannot be changed: correct, rename or drop it."
                ) from None
            self._grouped.updated += 1
            # Cognito cannot take a precedence or a role from a group. What came of the call is compared, not assumed.
            conflict = _UNDEFINED if differing_fields(wanted, there) else ""
        self._record(wanted, conflict)

    def _begin(self, wanted: Group, *, written: bool, theirs: bool) -> None:
        """Record what is about to be written, and whether the new pool came to its definition itself.

        Recorded before the call, so that a rerun knows the write of a run that was killed.
        """
        with self._inventory.transaction():
            self._inventory.execute(
                "UPDATE target_groups SET writing = ?, theirs = ? WHERE name = ?",
                (_definition(wanted) if written else None, int(theirs), wanted.name),
            )

    def _record(self, wanted: Group, conflict: str) -> None:
        with self._inventory.transaction():
            self._inventory.execute(
                "UPDATE target_groups SET definition = ?, writing = NULL WHERE name = ?",
                (_definition(wanted), wanted.name),
            )
            name = f"group {wanted.name}"
            baseline = BaselineTable(self._inventory)
            baseline.forget_conflicts("", (name,))
            if conflict:
                baseline.record(Kept("", (Conflict(name, conflict),)), 0)

    def _take_baselines(self, wanted: Mapping[str, Group], there: Mapping[str, Group]) -> None:
        """Count what is wanted now as applied to groups that existed before. What differs belongs to the new pool."""
        rows = [
            (name, _definition(group), self._old_names.get(name)) for name, group in wanted.items() if name in there
        ]
        with self._inventory.transaction():
            self._inventory.execute_many(
                "INSERT INTO target_groups (name, made, definition, old_name) VALUES (?, 0, ?, ?) "
                "ON CONFLICT (name) DO UPDATE SET definition = coalesce(definition, excluded.definition), "
                "old_name = coalesce(old_name, excluded.old_name)",
                rows,
            )


def _definition(group: Group) -> str:
    return json.dumps([group.description, group.precedence, group.role_arn], ensure_ascii=False)
