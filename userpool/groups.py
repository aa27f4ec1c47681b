"""Which groups cross, and under which names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from userpool.errors import SettingsError

# Cognito puts the profiles of a provider into a group `<pool id>_<provider>`, made at the first sign-in (field).
_OF_A_PROVIDER = re.compile(r"[a-z]+(-[a-z]+)+-\d+_[A-Za-z0-9]+_.+", re.DOTALL)


def is_of_a_provider(name: str) -> bool:
    """Whether this is a group that Cognito makes itself, for the federated profiles of a pool."""
    return _OF_A_PROVIDER.fullmatch(name) is not None


@dataclass(frozen=True, slots=True)
class GroupRules:
    """How groups are read in the old pool, and which are dropped, renamed or created in the new one."""

    read: Literal["auto", "group", "user"] = "auto"
    drop: tuple[str, ...] = ()
    rename: Mapping[str, str] = field(default_factory=dict)
    create: bool = True

    def target_name(self, name: str) -> str | None:
        """Return the group's name in the new pool, or None if it does not cross.

        One that Cognito made for a provider crosses only if it is renamed: the new pool makes its own.
        """
        if name in self.drop or (name not in self.rename and is_of_a_provider(name)):
            return None
        return self.rename.get(name, name)

    def target_names(self, names: Iterable[str]) -> frozenset[str]:
        """Return the names in the new pool of those groups that cross."""
        return frozenset(new for name in names if (new := self.target_name(name)) is not None)

    def refuse_merging(self, names: Iterable[str]) -> None:
        """Raise SettingsError if two old groups would become one: their members would gain each other's rights."""
        owner: dict[str, str] = {}
        for name in sorted(names):
            new = self.target_name(name)
            if new is not None and owner.setdefault(new, name) != name:
                raise SettingsError(
                    f"groups.rename makes one group, {new}, out of {owner[new]} and {name}, and so gives their "
                    "members each other's rights: rename one of them to something else, or drop it."
                )
