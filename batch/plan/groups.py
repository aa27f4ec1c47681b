"""Which groups the new pool ought to have, and which of them have changed in the old pool since they were written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from batch.inventory.inventory import Inventory, decoded
from batch.inventory.milestones import Cutover
from batch.inventory.snapshot import Snapshot
from batch.inventory.user_state import PENDING
from batch.plan.user_plan import DEFERRED, Context
from userpool.errors import SettingsError
from userpool.user import Group

# The groups of users that are still to be created or finished, and of deferred profiles (by `reason`).
_OWED = (
    "SELECT DISTINCT m.group_name FROM plan p JOIN memberships m ON m.sub = p.sub "  # noqa: S608 -- a constant
    f"LEFT JOIN progress r ON r.sub = p.sub WHERE ({PENDING}) OR p.reason = ?"
)


def groups_wanted(inventory: Inventory, context: Context) -> Mapping[str, Group]:
    """Return the groups that the new pool ought to have, by their name in the new pool.

    After the cut-over these are only groups that a user is still owed, defined as they were written last. A deferred
    profile is owed its groups as well: it gets them at its sign-in.
    """
    defined = groups_defined(inventory, context)
    if Cutover.of(inventory) is None:
        return defined
    owed = context.groups.target_names(name for (name,) in inventory.execute(_OWED, (DEFERRED,)))
    return {name: Definition.of(inventory, name).applied or group for name, group in defined.items() if name in owed}


def groups_defined(inventory: Inventory, context: Context) -> Mapping[str, Group]:
    """Return the groups of the old pool as they would be in the new pool, by their name there.

    Groups that the rules leave behind are not among them.
    """
    wanted = {}
    for group in Snapshot(inventory).groups():
        name = context.groups.target_name(group.name)
        if name is not None:
            wanted[name] = Group(name, group.description, group.precedence, group.role_arn)
    return wanted


def old_names(inventory: Inventory, context: Context) -> Mapping[str, str]:
    """Return the old group that each group of the new pool stands for by the rules, by its name in the new pool."""
    groups = context.groups
    names = [group.name for group in Snapshot(inventory).groups()]
    return {new: name for name in names if (new := groups.target_name(name)) is not None}


def refuse_another_group(inventory: Inventory, context: Context) -> None:
    """Raise SettingsError if a group of the new pool is now to stand for another old group than it did.

    Whoever is a member there keeps that, so the members of both old groups would have each other's rights.
    """
    stands_for = old_names(inventory, context)
    for new, before in inventory.execute("SELECT name, old_name FROM target_groups WHERE old_name IS NOT NULL"):
        if stands_for.get(new, before) != before:
            raise SettingsError(
                f"groups.rename gives the members of {stands_for[new]} the group {new} of the new pool, which is for "
                f"the members of {before} since the first run. Both would have each other's rights. Nothing was "
                f"changed: rename {stands_for[new]} to another name."
            )


def groups_to_update(inventory: Inventory, wanted: Mapping[str, Group]) -> Iterator[Group]:
    """Yield the groups whose wanted definition differs from the one that this migration wrote last."""
    for name, group in wanted.items():
        known = Definition.of(inventory, name)
        # If it is not known what was written, a difference says nothing about the old pool: the group is left alone.
        if known.applied is not None and any(
            differing_fields(group, one) for one in (known.applied, known.writing) if one
        ):
            yield group


@dataclass(frozen=True, slots=True)
class Definition:
    """How the definition of a group of the new pool came about.

    `applied` is what this migration wrote last, None if that is not known. `writing` is what a run was about to write,
    and did not record that it had. `theirs`: the new pool came to the last definition itself.
    """

    applied: Group | None = None
    writing: Group | None = None
    theirs: bool = False

    @classmethod
    def of(cls, inventory: Inventory, name: str) -> Definition:
        """Return what the inventory knows of a group of the new pool."""
        row = inventory.execute(
            "SELECT definition, writing, theirs FROM target_groups WHERE name = ?", (name,)
        ).fetchone()
        if row is None:
            return cls()
        applied, writing = (Group(name, *decoded(text)) if text else None for text in row[:2])
        return cls(applied, writing, bool(row[2]))

    def changed_there(self, there: Group) -> bool:
        """Whether the new pool has changed the definition since this migration wrote it."""
        written = [group for group in (self.applied, self.writing) if group]
        return bool(written) and all(differing_fields(group, there) for group in written)


def differing_fields(one: Group, other: Group) -> str:
    """Name the fields that differ in two definitions, in one text. An empty description counts as no description."""
    fields = {
        "description": (one.description or None, other.description or None),
        "precedence": (one.precedence, other.precedence),
        "role": (one.role_arn, other.role_arn),
    }
    return ", ".join(name for name, (mine, theirs) in fields.items() if mine != theirs)
