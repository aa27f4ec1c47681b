"""What the inventory knows of users beside their scanned record: their groups, what was applied, what was granted."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from batch.inventory.baseline import BaselineTable
from batch.inventory.inventory import Inventory
from batch.inventory.snapshot import Snapshot
from batch.plan.three_way import Baseline
from batch.scan.read_second_factors import FactorsTable
from userpool.factors import Factors
from userpool.groups import GroupRules


@dataclass(frozen=True, slots=True)
class UserRecord:
    """Of one user; groups are the target's: those the old pool wants, and those that were granted. Factors are old."""

    groups: frozenset[str]
    applied: Baseline | None
    granted: frozenset[str]
    factors: Factors

    @property
    def owed(self) -> tuple[str, ...]:
        """The memberships that a user who is not finished is still to be given."""
        return tuple(sorted(self.groups - self.granted))

    @property
    def still_giving(self) -> tuple[str, ...]:
        """Those of them that were owed when the user was created, or last changed."""
        return tuple(sorted(self.applied.giving - self.granted)) if self.applied else self.owed


def user_records(inventory: Inventory, rules: GroupRules, subs: Iterable[str]) -> dict[str, UserRecord]:
    """Return what is known of each of these users."""
    subs = list(subs)
    table, groups = BaselineTable(inventory), Snapshot(inventory).groups_by_user(subs)
    applied, granted, factors = table.of(subs), table.granted(subs), FactorsTable(inventory).of(subs)
    return {
        sub: UserRecord(rules.target_names(groups[sub]), applied.get(sub), granted[sub], factors[sub]) for sub in subs
    }
